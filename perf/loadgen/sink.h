/** The receiving side: a backend that counts spans and can be slow, full or stuck on demand. */
#ifndef SW_PERF_LOADGEN_SINK_H
#define SW_PERF_LOADGEN_SINK_H

#include "perf/loadgen/codec.h"
#include "perf/loadgen/common.h"
#include "perf/loadgen/h2.h"
#include "perf/loadgen/signal.h"
#include "perf/loadgen/walk.h"

struct sw_lg_sink_options {
    uint64_t delay_ns;   // before each answer
    bool hang;           // nothing is answered until it is switched off
    int refuse;          // gRPC code of every answer; 0: OK
    int refuse_http;     // status for HTTP/1; 0: as the gRPC code maps
    double refuse_share; // of the requests; the rest is taken
    bool has_retry_delay;
    uint64_t retry_delay_ns;
    double max_rate;    // spans a second; answers wait for their turn
    uint64_t queue_max; // requests that may wait; more are refused with UNAVAILABLE
    uint32_t window;    // HTTP/2 stream window
    const char *record_path;
};

/** One request whose bytes are all here. */
struct sw_lg_pending {
    uint64_t due_ns; // UINT64_MAX while the sink hangs
    int connection;  // index; the answer is dropped when the generation moved on
    uint32_t generation;
    uint32_t stream;
    int code; // gRPC status of the answer
    uint64_t spans;
    uint64_t bytes;
    struct sw_lg_bytes ids;
    struct sw_lg_pending *next;
};

struct sw_lg_stream {
    uint32_t id; // 0: free
    enum sw_lg_signal signal;
    enum sw_lg_codec codec;
    bool json;
    bool bad;
    uint8_t prefix[5];
    unsigned prefix_len;
    uint64_t message_left;
    uint64_t flow; // bytes not given back to the stream's window yet
    uint64_t bytes;
    struct sw_lg_walk walk;
    struct sw_lg_bytes body; // compressed or JSON: until all of it is here
};

#define SW_LG_SINK_STREAMS 256

struct sw_lg_peer {
    struct sw_lg_sink *sink;
    int fd;
    int index;
    uint32_t generation;
    bool broken;
    bool want_write;
    enum { SW_LG_PEER_NEW, SW_LG_PEER_H2, SW_LG_PEER_H1, SW_LG_PEER_CONTROL } kind;
    struct sw_lg_bytes input;
    struct sw_lg_bytes output;
    size_t output_at;
    struct sw_lg_h2_in in;
    struct sw_lg_stream *streams; // HTTP/1 uses the first
    unsigned last_stream;         // index of the stream found last
    uint64_t flow;                // bytes not given back to the connection's window yet
    bool table_shrunk;
    uint64_t body_left; // HTTP/1
    bool in_body;
    bool chunked;
    bool awaiting; // HTTP/1: an answer is due before the next request is read
};

struct sw_lg_sink {
    struct sw_lg_sink_options options;
    int epoll_fd;
    struct sw_lg_peer **peers;
    unsigned peers_max;
    struct sw_lg_pending *first; // in the order of arrival
    struct sw_lg_pending *last;
    struct sw_lg_pending *spare;
    uint64_t pending_count;
    uint64_t busy_until_ns;
    uint64_t random;
    FILE *record;
    struct sw_lg_unpacker unpacker;
    struct sw_lg_bytes plain;
    uint64_t begin_ns;

    uint64_t spans; // taken: answered OK
    uint64_t requests;
    uint64_t body_bytes;
    uint64_t spans_refused;
    uint64_t requests_refused;
    uint64_t bad_requests;
    uint64_t unanswered; // taken or refused, but the sender had gone
    uint64_t accepted_connections;
    uint64_t connections;
    uint64_t waiting_max;
    uint64_t requests_by_size[4]; // of spans: up to 1, 100, 1000, more
};

/** sink_peer.c */
void sw_lg_sink_accept(struct sw_lg_sink *sink, int listener, bool control);
void sw_lg_peer_event(struct sw_lg_peer *peer, uint32_t events);
void sw_lg_peer_flush(struct sw_lg_peer *peer);
/** The whole of a request is here; decides its answer and when it is given. */
void sw_lg_sink_request(struct sw_lg_peer *peer, struct sw_lg_stream *stream);
/** Starts and feeds the body of a request: bytes behind transport framing and gRPC prefix. */
void sw_lg_stream_begin(struct sw_lg_peer *peer, struct sw_lg_stream *stream, uint64_t size);
void sw_lg_stream_body(struct sw_lg_stream *stream, const uint8_t *data, size_t len);

/** sink_h2.c, sink_h1.c */
void sw_lg_sink_h2_open(struct sw_lg_peer *peer);
void sw_lg_sink_h2_answer(struct sw_lg_peer *peer, uint32_t stream, int code);
bool sw_lg_sink_h1_feed(struct sw_lg_peer *peer);
void sw_lg_sink_h1_answer(struct sw_lg_peer *peer, int code);
int sw_lg_http_of_grpc(int code);

/** sink.c: a request to the control port; the answer goes to peer->output. */
void sw_lg_sink_control(struct sw_lg_peer *peer, char *target);
void sw_lg_sink_counts(const struct sw_lg_sink *sink, struct sw_lg_bytes *out);

#endif
