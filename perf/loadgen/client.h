/** The sending side: connections, requests in flight, what became of them. */
#ifndef SW_PERF_LOADGEN_CLIENT_H
#define SW_PERF_LOADGEN_CLIENT_H

#include "perf/loadgen/codec.h"
#include "perf/loadgen/common.h"
#include "perf/loadgen/h2.h"
#include "perf/loadgen/prepared.h"
#include "perf/loadgen/record.h"
#include "perf/loadgen/schedule.h"
#include "perf/loadgen/signal.h"
#include "perf/loadgen/template.h"

#include <sys/uio.h>

enum sw_lg_on_refusal { SW_LG_RETRY, SW_LG_DROP, SW_LG_STOP };

struct sw_lg_options {
    char host[64];
    uint16_t port;
    bool http;
    enum sw_lg_signal signal;
    bool json;
    enum sw_lg_codec codec;
    unsigned codec_level;
    unsigned prepared; // requests that are sent over and over; 0: each is new
    unsigned connections;
    unsigned streams;
    uint32_t spans_per_request;
    double rate; // spans a second; 0: full speed
    uint64_t duration_ns;
    uint64_t timeout_ns;
    uint64_t drain_ns;
    enum sw_lg_on_refusal on_refusal;
    uint64_t backoff_ns;
    uint64_t backoff_max_ns;
    uint64_t retry_total_ns; // a request older than this is given up
    struct sw_lg_form form;
    const char *record_path;
    uint64_t progress_ns;
};

struct sw_lg_request {
    uint64_t *spans;
    uint32_t count;
    struct sw_lg_template *body; // leased while bytes may still leave
    struct sw_lg_bytes packed;   // with a codec: prefix and compressed body
    const uint8_t *data;         // what is sent: the gRPC message, or the HTTP body
    size_t size;
    size_t framed; // bytes handed to the connection's iovecs
    uint64_t scheduled_ns;
    uint64_t started_ns;
    uint64_t deadline_ns;
    uint64_t retry_ns;
    uint64_t backoff_ns;
    uint32_t attempts;

    uint32_t stream;
    int64_t window;
    bool end_framed;
    bool touched;     // bytes of this attempt may have left
    bool finished;    // outcome known; waits for the iovecs to drain
    bool lost;        // no answer (connection, reset, time-out)
    bool unprocessed; // the peer said that it never looked at it
    int http_status;
    int grpc_status;
    bool has_retry_delay;
    uint64_t retry_delay_ns;
    struct sw_lg_bytes answer;
    char message[96];
    struct sw_lg_request *next;
};

#define SW_LG_IOV_MAX 128

struct sw_lg_connection {
    struct sw_lg_client *client;
    int fd; // -1: none
    bool connected;
    bool ready; // requests may start
    bool broken;
    bool going_away;
    uint64_t reconnect_ns;
    uint64_t reconnect_backoff_ns;
    struct sw_lg_request **requests; // in the order of their start
    unsigned requests_count;
    unsigned streams_max;

    struct sw_lg_bytes control; // frames and heads not handed out yet
    struct sw_lg_bytes sending; // those in the iovecs
    uint8_t heads[SW_LG_IOV_MAX / 2][SW_LG_H2_HEADER];
    struct iovec iov[SW_LG_IOV_MAX];
    unsigned iov_count;
    unsigned iov_at;
    bool want_write;

    struct sw_lg_h2_in in;
    uint32_t next_stream;
    int64_t window;
    uint32_t initial_window;
    uint32_t frame_max;
    bool table_shrunk;

    struct sw_lg_bytes input; // HTTP/1: the response so far
};

struct sw_lg_client {
    struct sw_lg_options options;
    struct sw_lg_schedule schedule;
    uint64_t epoch_ns;
    int epoll_fd;
    struct sw_lg_connection *connections;
    struct sw_lg_template **free_bodies; // stack: the warmest first
    unsigned free_bodies_count;
    struct sw_lg_request *idle;
    struct sw_lg_request *waiting; // for their retry time
    unsigned busy;                 // requests in flight or waiting
    unsigned busy_max;
    struct sw_lg_bytes header_block;
    struct sw_lg_bytes http_head;
    struct sw_lg_packer packer;
    struct sw_lg_prepared prepared;
    FILE *record;
    bool stopping;

    uint64_t spans_taken;
    uint64_t spans_by_state[4];
    uint64_t requests_sent; // attempts
    uint64_t requests_acked;
    uint64_t retries;
    uint64_t body_bytes;
    uint64_t partial_rejected;
    uint64_t connects;
    uint64_t connection_losses;
    uint64_t timeouts;
    uint64_t answers_by_grpc[32]; // refusals; 31 collects what is unknown
    uint64_t answers_by_http[600];
    uint64_t refusals_retryable;
    uint64_t refusals_final;
    uint64_t refusals_with_delay;
    struct sw_lg_histogram latency;
    struct sw_lg_histogram recent; // since the last progress line
    char first_refusal[192];
};

/** client.c */
void sw_lg_client_init(struct sw_lg_client *client);
void sw_lg_client_fini(struct sw_lg_client *client);
void sw_lg_client_start(
    struct sw_lg_client *client,
    struct sw_lg_connection *connection,
    struct sw_lg_request *request
);
/** Outcome of a request is known; it is recorded, retried or given back. */
void sw_lg_client_done(struct sw_lg_client *client, struct sw_lg_request *request);
void sw_lg_client_give_up(struct sw_lg_client *client, struct sw_lg_request *request);
void sw_lg_client_release_body(struct sw_lg_client *client, struct sw_lg_request *request);
struct sw_lg_request *sw_lg_client_take(struct sw_lg_client *client, uint64_t now_ns);
bool sw_lg_grpc_retryable(int status, bool has_delay);

/** connection.c */
void sw_lg_connection_open(struct sw_lg_connection *connection, uint64_t now_ns);
void sw_lg_connection_event(struct sw_lg_connection *connection, uint32_t events);
void sw_lg_connection_flush(struct sw_lg_connection *connection);
void sw_lg_connection_expire(struct sw_lg_connection *connection, uint64_t now_ns);
void sw_lg_connection_close(struct sw_lg_connection *connection);
/** Takes the request off the connection; its outcome fields are set. */
void sw_lg_connection_finish(struct sw_lg_connection *connection, struct sw_lg_request *request);

/** client_h2.c, client_h1.c */
extern const struct sw_lg_h2_handler sw_lg_client_h2;
void sw_lg_h2_client_open(struct sw_lg_connection *connection);
void sw_lg_h2_client_start(struct sw_lg_connection *connection, struct sw_lg_request *request);
void sw_lg_h2_client_fill(struct sw_lg_connection *connection);
void sw_lg_h1_client_start(struct sw_lg_connection *connection, struct sw_lg_request *request);
void sw_lg_h1_client_fill(struct sw_lg_connection *connection);
/** Takes response bytes; false when the peer broke the protocol. */
bool sw_lg_h1_client_feed(struct sw_lg_connection *connection, const uint8_t *data, size_t len);

#endif
