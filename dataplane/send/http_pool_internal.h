/* What http_pool.c (requests and where they go) and http_connection.c share. */
#ifndef SW_SEND_HTTP_POOL_INTERNAL_H
#define SW_SEND_HTTP_POOL_INTERNAL_H

#include "dataplane/l4_stream/stream.h"
#include "dataplane/l7_http/codec.h"
#include "dataplane/l7_http/http1.h"
#include "dataplane/otlp/json.h"
#include "dataplane/send/body.h"
#include "dataplane/send/http_pool.h"

#include <sys/queue.h>

/** Bytes of an answer's body that are kept (otlphttpexporter maxHTTPResponseReadBytes). */
#define POST_ANSWER_MAX (64u << 10)

struct pool;
struct http_link;

/** One request. */
struct post {
    TAILQ_ENTRY(post) queue; /**< packing or waiting */
    struct pool *pool;
    struct sw_push_call *call;
    struct http_link *link; /**< NULL: packing or waiting */
    struct sw_send_body body;
    struct sw_json_writer *json; /**< at work; NULL: not, or done */
    struct sw_timer deadline;
    bool packing;
};

TAILQ_HEAD(post_queue, post);

/** Content types of answers that are read. */
enum answer_type {
    ANSWER_OTHER,
    ANSWER_PROTOBUF,
    ANSWER_JSON,
};

/** One connection. */
struct http_link {
    LIST_ENTRY(http_link) all;
    LIST_ENTRY(http_link) idle;
    struct pool *pool;
    struct sw_stream *stream;
    struct post *post; /**< NULL: idle */
    struct sw_http1 http;
    struct sw_buf *answer; /**< body so far; NULL: none */
    char retry_after[64];  /**< "": none */
    struct sw_timer idle_timer;
    unsigned next_addr; /**< to be tried when this one fails */
    unsigned tries_left;
    unsigned status;
    bool open;
    bool is_idle;
    enum answer_type type; /**< of the answer */
};

struct pool {
    struct sw_push push;
    struct sw_http_pool_conf conf;
    struct sw_resolver *resolver;
    struct sw_account *account;
    struct sw_codec *codec;
    struct sw_resolver_query query;
    bool asking;
    bool closed;
    uint64_t resolved_ns;
    struct sw_addr addrs[SW_RESOLVER_ADDRS_MAX];
    unsigned addrs_count;
    unsigned next_addr;
    LIST_HEAD(, http_link) links;
    LIST_HEAD(, http_link) idle; /**< last used first */
    uint32_t links_count;
    uint32_t idle_count;
    struct post_queue packing;
    struct post_queue waiting;
    uint32_t waiting_count;
    struct sw_task pack;
    struct sw_task again;
    struct sw_buf *head; /**< request head up to the value of Content-Length */
};

/* http_pool.c */
/** The request is over; outcome is taken over. Its link has been let go of before. */
void sw_post_done(struct post *post, struct sw_outcome *outcome);
/** No answer: `failed to make an HTTP request: Post "<url>": <why>`. */
void sw_post_failed(struct post *post, int err, const char *why);
/** A connection has gone or is idle: waiting requests look again. */
void sw_pool_again(struct pool *pool);

/* http_connection.c */
int sw_link_new(struct pool *pool, struct post *post);
void sw_link_send(struct http_link *link, struct post *post);
/** Gives it up; its post, if any, is the caller's business. */
void sw_link_close(struct http_link *link);

#endif
