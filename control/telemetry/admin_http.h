/* A small HTTP/1.1 server for the pages of the control thread: metrics, health. It uses no worker,
 * so that it answers when the data path is stuck.
 *
 * No thread of its own: the owner puts sw_admin_server_fd into its epoll set and calls
 * sw_admin_server_poll when it is readable, and at the time the last call returned. All calls on one
 * thread. Connections are kept alive; what a peer can make us hold is bounded by connections_max
 * and the limits in admin_http.c. */
#ifndef SW_TELEMETRY_ADMIN_HTTP_H
#define SW_TELEMETRY_ADMIN_HTTP_H

#include "control/telemetry/text.h"
#include "dataplane/l4_stream/stream.h"
#include "dataplane/pipeline/net_conf.h"

#include <stdint.h>

/** Borrowed until the handler returns; members are never NULL, "" when absent. */
struct sw_admin_request {
    const char *method;
    const char *path; /**< without the query */
    const char *query;
    const char *accept; /**< the first Accept header */
};

/** Filled in by the handler. */
struct sw_admin_reply {
    int status;               /**< 200 at first */
    const char *content_type; /**< static, or lives as long as the server; NULL: none */
    struct sw_string body;    /**< left out of the answer to HEAD by the server */
};

struct sw_admin_conf {
    uint64_t read_timeout_ns;  /**< from a request's first byte to the end of its head; 0: none */
    uint64_t write_timeout_ns; /**< from the answer until it is written; 0: none */
    uint64_t idle_timeout_ns;  /**< between requests; 0: none */
    unsigned connections_max;  /**< more are closed at once, and counted */
    void (*handle
    )(void *context, const struct sw_admin_request *request, struct sw_admin_reply *reply);
    void *context;
};

struct sw_admin_server;

/** @return 0, SW_E_NOMEM, SW_E_SYSTEM */
SW_CHECKED int
sw_admin_server_new(const struct sw_admin_conf *conf, struct sw_admin_server **ret_server);

/** Closes listeners and connections. NULL is legal. */
void sw_admin_server_free(struct sw_admin_server *server);

/** Listens there too. ret_port (may be NULL): the real one.
 * @return 0, SW_E_SYSTEM with errno set (the address is taken …), SW_E_FULL */
SW_CHECKED int sw_admin_server_listen(
    struct sw_admin_server *server,
    const struct sw_addr *addr,
    uint16_t *ret_port
);

/** Readable (level-triggered) when there is something to do. */
int sw_admin_server_fd(const struct sw_admin_server *server);

/** Does what is to do now, bounded. Never blocks.
 * @return when to call again at the latest even if nothing is readable: now_ns when there is more to
 *         do at once, SW_TIME_NEVER when only the descriptor counts */
uint64_t sw_admin_server_poll(struct sw_admin_server *server, uint64_t now_ns);

/** Connections closed because there were connections_max. */
uint64_t sw_admin_server_refused_count(const struct sw_admin_server *server);

/** The rest of sw_http_server_check for a server of this kind: what it does not do is refused at
 * start by name, wherever the same keys work for a receiver. */
void sw_admin_server_check(const struct sw_http_server_conf *conf, struct sw_check *check);

/** What Go's mux says to a path it does not know. */
void sw_admin_not_found(struct sw_admin_reply *reply);

#endif
