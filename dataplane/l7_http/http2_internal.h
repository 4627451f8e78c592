/* What the files of the HTTP/2 wrapper share. */
#ifndef SW_L7_HTTP_HTTP2_INTERNAL_H
#define SW_L7_HTTP_HTTP2_INTERNAL_H

#include "dataplane/l7_http/http2.h"

#include <nghttp2/nghttp2.h>

#include <sys/queue.h>

/** Frames we take and make; nghttp2 keeps a buffer of this size for each session. */
#define H2_FRAME_MAX (64u * 1024)

/** One open stream (or a request on its way to become one). */
struct h2_stream {
    LIST_ENTRY(h2_stream) all;
    void *owner;
    struct sw_http_body *body;
    const struct sw_h2_header *trailers;
    size_t trailers_count;
    int32_t id;
    uint32_t reset_code; /**< of a reset before the request left */
    bool reset_asked;
    bool final_headers; /**< client: the final response's headers are here */
    bool skip_block;    /**< client: the block in progress is a 1xx */
    bool remote_ended;
    bool mute; /**< refused inside: no event but on_close */
};

/** Leaky bucket for what a peer may do often, but not for ever. */
struct h2_bucket {
    uint32_t tokens;
    uint32_t tokens_max;
    uint32_t per_second;
    uint64_t at_ns;
};

struct sw_h2 {
    nghttp2_session *session;
    struct sw_core *core;
    struct sw_http_out out;
    const struct sw_h2_events *events;
    void *owner;
    struct sw_h2_options options;
    LIST_HEAD(, h2_stream) streams;
    uint32_t streams_count;
    uint32_t peer_streams_max;
    uint32_t window_bytes; /**< of the connection, advertised */
    uint64_t window_update_ns;
    uint64_t list_bytes; /**< of the header block in progress, decoded */
    struct sw_timer goaway_timer;
    uint64_t last_ping_ns;
    uint32_t ping_strikes;
    bool pinged;    /**< last_ping_ns holds */
    bool ping_free; /**< HEADERS or DATA were written since the last PING */
    bool busy;      /**< inside of nghttp2: queued things go out later */
    bool broken;    /**< protocol error: nothing goes on */
    bool settings_seen;
    bool window_growing; /**< the next WINDOW_UPDATE is growth, not use */
    bool block_open;     /**< a header block is half written */
    bool calmed;         /**< the peer was told to calm down: the session is at its end */
    bool goaway_received;
    bool goaway_begun;
    bool goaway_ended;
    int write_err;
    struct h2_bucket
        resets; /**< by the peer (CVE-2023-44487), or that it made us send (CVE-2025-8671) */
    struct h2_bucket
        trifles; /**< frames without content (CVE-2019-9518), SETTINGS (CVE-2019-9515) */
};

void sw_h2_set_callbacks_internal(nghttp2_session_callbacks *callbacks);
void sw_h2_stream_free_internal(struct sw_h2 *h2, struct h2_stream *stream, uint32_t code);
void sw_h2_goaway_end_internal(struct sw_h2 *h2);
/** GOAWAY ENHANCE_YOUR_CALM. @return NGHTTP2_ERR_CALLBACK_FAILURE: nothing more is read */
int sw_h2_calm_internal(struct sw_h2 *h2, const char *debug);
bool sw_h2_spend_internal(struct sw_h2 *h2, struct h2_bucket *bucket);

/** nghttp2 pulls a body's bytes with these. */
ssize_t sw_h2_body_read_internal(
    nghttp2_session *session,
    int32_t id,
    uint8_t *buf,
    size_t length,
    uint32_t *data_flags,
    nghttp2_data_source *source,
    void *user_data
);
int sw_h2_body_send_internal(
    nghttp2_session *session,
    nghttp2_frame *frame,
    const uint8_t *framehd,
    size_t length,
    nghttp2_data_source *source,
    void *user_data
);

#endif
