/* An HTTP/1.1 client: the connections of one exporter on one core, one request at a time on each.
 *
 * A push (pipeline/push.h): a call is one POST. Keep-alive with a bounded number of idle connections,
 * Content-Length, no pipelining. Follows Go's net/http and the Collector's otlp_http exporter
 * (otlp-protocol.md §4.5, 4.6). */
#ifndef SW_SEND_HTTP_POOL_H
#define SW_SEND_HTTP_POOL_H

#include "dataplane/base/field.h"
#include "dataplane/l7_http/codec.h"
#include "dataplane/pipeline/push.h"
#include "dataplane/pipeline/resolver.h"

struct sw_http_pool_conf {
    const char *id; /**< component, for events */
    enum sw_signal signal;
    const char *host; /**< name or literal address */
    uint16_t port;
    const char *url;                 /**< whole, for texts */
    const char *path;                /**< request target; through a proxy the whole URL */
    const char *authority;           /**< Host header */
    const char *proxy_authorization; /**< header; NULL: none */
    const char *user_agent;
    struct sw_list headers; /**< struct sw_pair; they override ours */
    bool json;              /**< OTLP/JSON instead of protobuf */
    enum sw_coding coding;
    int level; /**< of the coding (sw_codec_pack) */
    bool keep_alive;
    uint32_t idle_max;        /**< connections kept for the next request */
    uint32_t connections_max; /**< 0: no limit */
    uint64_t idle_timeout_ns; /**< 0: none */
};

/** Strings and lists of conf live as long as the pool; the struct itself is copied.
 * @return 0 or SW_E_NOMEM */
SW_CHECKED int sw_http_pool_new(
    struct sw_core *core,
    const struct sw_http_pool_conf *conf,
    struct sw_resolver *resolver,
    struct sw_account *account,
    struct sw_push **ret_push
);

/** For tests and people. Owner core. */
struct sw_http_pool_state {
    uint32_t connections;
    uint32_t idle;
    uint32_t calls_waiting;
};
void sw_http_pool_state(const struct sw_push *push, struct sw_http_pool_state *ret_state);

#endif
