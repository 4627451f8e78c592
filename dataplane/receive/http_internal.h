/* What the files of the HTTP endpoint share: the connection, and how answers leave (http_reply.c). */
#ifndef SW_RECEIVE_HTTP_INTERNAL_H
#define SW_RECEIVE_HTTP_INTERNAL_H

#include "dataplane/receive/receive_internal.h"

/** A body that comes after the answer is known is read to its end if it is no longer: net/http,
 * maxPostHandlerReadBytes. */
#define HTTP_DISCARD_BYTES_MAX (256u << 10)

/** An answer in the making; it owns buf and location. */
struct http_reply {
    unsigned status;
    const char *type; // NULL: none
    bool nosniff;     // X-Content-Type-Options
    bool bare;        // of the server itself: nothing stands in front of it
    bool preflight;
    struct sw_http_text body; // static, or in `buf`
    struct sw_buf *buf;       // holds a reference
    struct sw_buf *location;
    bool retry; // Retry-After: retry_s
    uint64_t retry_s;
    bool close;
    bool quiet; // closes without saying so
};

struct http_conn {
    struct receive_conn conn;
    struct sw_http1 http;
    struct receive_call *call; // of the request in progress
    struct sw_buf *body;
    int64_t taken_bytes; // of the budget, for body
    struct sw_buf *rest; // arrived behind a request that waits for its answer
    uint32_t rest_at;
    uint32_t discarded_bytes;
    uint64_t from_ns;        // Go's t0: accepted, request begun; while there is none: idle since
    uint64_t head_ns;        // the head of the last request was whole
    struct http_reply reply; // waits for the end of the body
    enum receive_media media;
    bool has_reply;
    bool whole;     // the message has ended
    bool head_only; // HEAD
    bool continued; // 100 Continue was sent
    bool eof;
    bool served; // a request before
    bool late;   // write_timeout has passed: there will be no answer
};

static inline struct http_conn *http_of(struct receive_conn *conn)
{
    return (struct http_conn *)conn;
}

static inline struct sw_core *http_core(const struct http_conn *http)
{
    return http->conn.endpoint->receiver->core;
}

/* ---- response_headers and cors: http_front.c ---- */

/** *ret_front stays NULL where neither is configured. @return 0 or SW_E_NOMEM */
SW_CHECKED int
sw_receive_front_new(const struct sw_http_server_conf *conf, struct receive_front **ret_front);
void sw_receive_front_free(struct receive_front *front);

/** response_headers end every connection. */
bool sw_receive_front_closes(const struct receive_front *front);

/** Answered with 204 by the front itself, whatever the path. NULL is legal. */
bool sw_receive_front_is_preflight(
    const struct receive_front *front,
    const struct sw_http1 *message
);

/** Queues all header lines of an answer but those of the server (Date, Content-Length, Connection).
 * @return true: a Date was among them */
bool sw_receive_front_put(struct http_conn *http, const struct http_reply *reply);

/* ---- timeouts: http_timeout.c ---- */

/** Whatever the connection waits for now has its deadline. */
void sw_receive_http_watch(struct http_conn *http);

/** `due` and `sweep` of the connection's ops. */
void sw_receive_http_due(struct receive_conn *conn, uint64_t now_ns);
void sw_receive_http_sweep(struct receive_conn *conn, uint64_t now_ns);

/* ---- answers: http_reply.c ---- */

void sw_receive_http_drop_reply(struct http_reply *reply);

/** Drops the body and gives its share of the budget back. */
void sw_receive_http_drop_body(struct http_conn *http);

/** Queues bytes; where that cannot be the connection ends. */
void sw_receive_http_put(struct http_conn *http, const void *data, size_t size);

/** The answer that waits leaves now: the call is gone afterwards, the next request may begin. */
void sw_receive_http_send(struct http_conn *http);

/** The reply, taken over, leaves when the body has ended, or at once where that is too far. */
void sw_receive_http_give(struct http_conn *http, const struct http_reply *reply);

/** `answer` of the connection's ops. */
void sw_receive_http_answer(struct receive_call *call, const struct receive_answer *answer);

/** Answers of the server and the mux, which know nothing of calls; the reply is taken over. */
void sw_receive_http_turn_away(
    struct http_conn *http,
    enum receive_refusal refusal,
    const struct http_reply *reply
);

/** Go's answer to what it cannot read, straight onto the connection, which ends. */
void sw_receive_http_bad_request(struct http_conn *http, unsigned status, const char *why);

/** The peer left in the middle of its request. */
bool sw_receive_http_ended_early(const struct http_conn *http);

#endif
