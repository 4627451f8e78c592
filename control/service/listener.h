/* Listening sockets: one per endpoint, on the control thread, which deals what it accepts to the
 * worker with the fewest connections (few long-lived connections must not pile up on one core). */
#ifndef SW_SERVICE_LISTENER_H
#define SW_SERVICE_LISTENER_H

#include "dataplane/base/core.h"
#include "dataplane/base/mailbox.h"
#include "dataplane/l4_stream/stream.h"

struct sw_listener;

struct sw_listener_conf {
    const char *endpoint; /**< host:port, [v6]:port, :port; unix: a path, or @name (abstract) */
    bool unix_socket;
    unsigned cores_count;
    struct sw_core *const *cores;
    struct sw_mailbox *mailbox; /**< control's */
    /** On the worker: makes a connection of the stream (which it owns from then on). */
    void (*accept)(void *context, struct sw_core *core, struct sw_stream *stream);
    void *context;
};

/** Connections per core that were dealt so far; shared by all listeners. Control. */
struct sw_dealer {
    uint64_t dealt_count[SW_CORES_MAX];
};

/** Opens the socket. A name is looked up here and now (start-up only).
 *
 * @param error  why it failed, as the Collector says it ("listen tcp …: bind: address already in use")
 */
SW_CHECKED int sw_listener_open(
    const struct sw_listener_conf *conf,
    struct sw_dealer *dealer,
    struct sw_listener **ret_listener,
    char *error,
    size_t error_size
);

/** Stops listening and takes the path of a unix socket away; connections that were dealt stay. NULL is
 * legal. */
void sw_listener_close(struct sw_listener *listener);

int sw_listener_fd(const struct sw_listener *listener);
const char *sw_listener_address(const struct sw_listener *listener);

/** Accepts what waits (bounded). @return false when descriptors ran out: ask again in a second */
bool sw_listener_poll(struct sw_listener *listener);

/** host and port of an endpoint text. Brackets are taken off. @return 0 or SW_E_INVALID */
SW_CHECKED int
sw_endpoint_split(const char *endpoint, char *ret_host, size_t host_size, uint16_t *ret_port);

/** The address to listen on: a literal, or a name that is looked up here and now, of which one address
 * is taken, IPv4 first, as Go's net.Listen does. "" is all addresses of both families, or of IPv4
 * where there is no IPv6. Start-up only.
 * @return 0, SW_E_NOT_FOUND */
SW_CHECKED int sw_endpoint_resolve(const char *host, uint16_t port, struct sw_addr *ret_addr);

#endif
