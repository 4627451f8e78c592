/* An exporter's side and a backend's, each a core of its own that is stepped by hand in virtual time; over
 * memory or kernel sockets. The backend is a scripted HTTP/2 server, or reads HTTP/1 requests. */
#ifndef TESTS_SEND_SITE_H
#define TESTS_SEND_SITE_H

#include "dataplane/l4_stream/stream.h"
#include "dataplane/l7_http/grpc.h"
#include "dataplane/l7_http/http2.h"
#include "dataplane/pipeline/resolver.h"
#include "tests/lib/bench.h"

#include <stdbool.h>

#define SITE_REQUESTS_MAX    512
#define SITE_CONNECTIONS_MAX 64

enum site_kind {
    SITE_MEMORY,
    SITE_TROUBLED, /**< memory with small segments and delays */
    SITE_KERNEL,
};

struct site;

/** One connection at the backend. */
struct server {
    struct site *site;
    struct sw_stream *stream; /**< NULL: gone */
    struct sw_h2 *h2;
    struct sw_buf *bytes; /**< HTTP/1: not answered yet */
    unsigned listener;    /**< index of the address */
    unsigned requests_count;
    bool close_soon; /**< as soon as the session rests */
    bool ended;      /**< by the client, orderly */
};

/** One request at the backend. */
struct request {
    struct site *site;
    struct server *server;
    int32_t id;
    char head[2048]; /**< "name: value\n" of every header */
    struct sw_buf *body;
    struct sw_http_buf_body answer;
    bool answered;
    bool ended;
    bool closed;
    uint32_t code; /**< of the close */
};

struct site {
    enum site_kind kind;
    struct sw_account account;
    struct sw_core cores[2]; /**< 0: exporter, 1: backend */
    struct sw_memory_wire *wire;
    struct sw_addr addr; /**< of the first listener */
    uint16_t port;
    int listen_fd;
    unsigned listeners_count;
    bool deaf[SITE_CONNECTIONS_MAX]; /**< by listener: what connects is turned away at once */
    struct server servers[SITE_CONNECTIONS_MAX];
    unsigned servers_count; /**< accepted since the beginning */
    struct request requests[SITE_REQUESTS_MAX];
    unsigned requests_count;
    struct sw_h2_options options;
    bool http1;
    void (*on_request)(struct request *request); /**< HTTP/2: the request is whole */
    void (*around
    )(struct site *site, bool begins); /**< each turn of the exporter's core, or NULL */
    /** HTTP/1: likewise; answers with site_write. */
    void (*on_post)(struct server *server, const char *head, const char *body, size_t size);
};

void site_init(struct site *site, enum site_kind kind);
/** Nothing may be left: no timer, no byte that is charged. */
void site_fini(struct site *site);

/** Memory: listens at another address, 10.0.0.<n>:4317. @return its index */
unsigned site_listen(struct site *site, unsigned n);

/** One turn of both cores. @return whether there was work */
bool site_turn(struct site *site);

/** Turns until nobody has anything to do at this time. */
void site_rest(struct site *site);

/** Time goes on, from one thing that is due to the next. Memory only. */
void site_advance(struct site *site, uint64_t ns);

#define site_until(site, condition)                                                                \
    do {                                                                                           \
        unsigned turns_left = 1000000;                                                             \
        while (!(condition)) {                                                                     \
            (void)site_turn(site);                                                                 \
            if (--turns_left == 0) {                                                               \
                fail_msg("never: %s", #condition);                                                 \
            }                                                                                      \
        }                                                                                          \
    } while (0)

/* ---- what the backend does ---- */

void site_answer_ok(struct request *request);
void site_answer_message(struct request *request, const void *message, size_t size);
void site_answer_status(
    struct request *request,
    const char *status,
    const char *text,
    const char *details
);
void site_hang(struct request *request);
/** Connections of now are closed. */
void site_drop_connections(struct site *site);
/** Those of one listener. */
void site_drop_listener(struct site *site, unsigned listener);
/** Sends what the sessions have queued. */
void site_flush(struct site *site);
unsigned site_open_count(const struct site *site);
/** Value of a header in request->head, or NULL. Overwritten by the next call. */
const char *site_header(const struct request *request, const char *name);
void site_write(struct server *server, const char *text);

/* ---- calls ---- */

struct site_call {
    struct sw_push_call call;
    unsigned done_count;
    struct sw_outcome outcome;
    char text[512];
};

/** Starts a call of a batch, which becomes the call's. */
void site_start(
    struct sw_push *push,
    struct site_call *call,
    struct sw_batch *batch,
    uint64_t deadline_ns
);
/** Frees what the call and its outcome hold; it is done. */
void site_call_fini(struct site_call *call);

/** Is the body of the request this batch's bytes? */
bool site_same(const struct request *request, const struct sw_batch *batch, size_t skip);

/* ---- a resolver that answers out of a table, when told ---- */

struct site_resolver {
    struct sw_resolver resolver;
    struct sw_resolver_query *query; /**< NULL: nobody asks */
    unsigned asked_count;
};

void site_resolver_init(struct site_resolver *resolver);
void site_resolver_answer(
    struct site_resolver *resolver,
    int err,
    const unsigned *hosts,
    unsigned count
);

#endif
