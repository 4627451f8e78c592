/* `spanweir queue`: a look into the queues of a process that has stopped, and a way to empty them. */
#ifndef SW_QUEUE_COMMAND_H
#define SW_QUEUE_COMMAND_H

#include "control/telemetry/text.h"
#include "dataplane/base/err.h"
#include "dataplane/otlp/batch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What `drain` wants done: everything in a store goes to an endpoint. */
struct sw_queue_drain {
    const char
        *config; /**< a configuration (YAML) with the exporters below and the store's extension */
    /** Queues: the exporter of `config`, and whose queue it empties. */
    const char *const (*aliases)[2];
    unsigned aliases_count;
    uint64_t total;       /**< requests */
    uint64_t deadline_ns; /**< what is not sent by then stays; 0: no limit */
    void (*progress)(void *context, uint64_t left, uint64_t refused);
    void *context;
};

/** Does it: returns when all is sent, or refused for good, or it was told to stop.
 *
 * @param ret_left     requests that stay
 * @param ret_refused  of them: refused for good
 * @return exit code */
typedef int
sw_queue_drain_fn(const struct sw_queue_drain *drain, uint64_t *ret_left, uint64_t *ret_refused);

/** A queue, and where it goes. */
struct sw_queue_route {
    const char *alias;    /**< the exporter that empties it: otlp_grpc/… or otlp_http/… */
    const char *exporter; /**< whose queue it is */
    enum sw_signal signal;
    const char *endpoint;
};

/** The configuration for sw_queue_drain, as a URI.
 *
 * @param extension  ID of the store's extension
 * @param hand_over  requests say whose queue they are to go on in (docs/peer-protocol.md) */
void sw_queue_config(
    struct sw_string *out,
    const char *extension,
    const char *directory,
    const struct sw_queue_route *routes,
    unsigned routes_count,
    bool hand_over
);

/** argv: what stands behind "queue". @return exit code: 0 well, 1 failed, 2 wrong usage */
int sw_queue_main(int argc, char **argv, sw_queue_drain_fn *drain);

#endif
