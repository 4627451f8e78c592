/* A gRPC client channel: the connections of one exporter on one core, and the calls on them.
 *
 * A push (pipeline/push.h): a call is one attempt. Follows grpc-go v1.83 where the Collector's users
 * would notice (otlp-protocol.md §6): eager connect, one connection to each address with round_robin,
 * reconnect with back-off (1 s, times 1.6, jitter 0.2, at most 120 s), calls wait while connections
 * are being made and fail at once while all of them failed (wait_for_ready: they wait), GOAWAY and
 * REFUSED_STREAM repeat the call elsewhere, the peer's limit of streams makes calls wait.
 */
#ifndef SW_SEND_CHANNEL_H
#define SW_SEND_CHANNEL_H

#include "dataplane/base/event.h"
#include "dataplane/base/field.h"
#include "dataplane/l7_http/codec.h"
#include "dataplane/pipeline/push.h"
#include "dataplane/pipeline/resolver.h"

struct sw_channel_conf {
    const char *id; /**< component, for events */
    enum sw_signal signal;
    const char *host; /**< name or literal address; unix socket: its path */
    uint16_t port;
    bool unix_socket;
    const char *authority;
    const char *path; /**< :path of the calls */
    const char *user_agent;
    struct sw_list headers; /**< struct sw_pair, added to each call; names in lower case */
    enum sw_coding coding;  /**< one that gRPC has a name for */
    bool wait_for_ready;
    bool pick_first;       /**< one connection, to the first address that works */
    uint64_t keepalive_ns; /**< PING after so long without a byte; 0: never */
    uint64_t keepalive_timeout_ns;
    bool keepalive_without_stream;
};

/** Strings and lists of conf live as long as the channel; the struct itself is copied.
 *
 * @param resolver  may be NULL: literal addresses only
 * @return 0 or SW_E_NOMEM
 */
SW_CHECKED int sw_channel_new(
    struct sw_core *core,
    const struct sw_channel_conf *conf,
    struct sw_resolver *resolver,
    struct sw_account *account,
    struct sw_push **ret_push
);

/** Somebody who wants to know what the peers say; lives as long as the channel. */
struct sw_channel_watch {
    /** A connection said GOAWAY. debug: borrowed text. From inside the session: only notes it. */
    void (*goaway)(struct sw_channel_watch *watch, struct sw_http_text debug);
};
/** At most one; before the channel is opened. */
void sw_channel_watch(struct sw_push *push, struct sw_channel_watch *watch);

/** What it is about, for tests and people. Owner core. */
struct sw_channel_state {
    unsigned connections_ready;
    unsigned connections_leaving; /**< after GOAWAY, with calls that end */
    uint32_t calls_waiting;
    uint32_t calls_sent;
    bool failing; /**< there is no connection, and the last attempt at each address failed */
};
void sw_channel_state(const struct sw_push *push, struct sw_channel_state *ret_state);

#endif
