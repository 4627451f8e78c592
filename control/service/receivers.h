/* Receivers of a generation: one object per core each, and the listeners in front of them. */
#ifndef SW_SERVICE_RECEIVERS_H
#define SW_SERVICE_RECEIVERS_H

#include "control/service/build.h"
#include "control/service/listener.h"
#include "control/service/watch.h"

struct sw_receivers;

/** Makes the per-core objects; opens nothing. Control thread, cores not running.
 * @param error  why, NUL-terminated */
SW_CHECKED int sw_receivers_new(
    const struct sw_build_env *env,
    struct sw_generation *generation,
    struct sw_receivers **ret_receivers,
    char *error,
    size_t error_size
);

/** The cores have stopped. NULL is legal. */
void sw_receivers_free(struct sw_receivers *receivers);

/** Opens all listeners and watches them in the control loop's set. `opened` is called for each, for
 * the log. */
SW_CHECKED int sw_receivers_listen(
    struct sw_receivers *receivers,
    struct sw_mailbox *mailbox,
    struct sw_dealer *dealer,
    int watch_set,
    void (*opened)(void *context, const char *id, const char *what, const char *address),
    void *context,
    char *error,
    size_t error_size
);

/** Stops listening. */
void sw_receivers_unlisten(struct sw_receivers *receivers, int watch_set);

/** Once in a while: listeners that had run out of descriptors accept again. */
void sw_receivers_tick(struct sw_receivers *receivers, int watch_set);

/** On a core: the clients are told that the process ends in notice_ns. */
void sw_receivers_notice(struct sw_receivers *receivers, struct sw_core *core, uint64_t notice_ns);

/** On a core: lets running calls end, takes no new ones. @return 0 when nothing runs any more */
SW_CHECKED int
sw_receivers_drain(struct sw_receivers *receivers, struct sw_core *core, uint64_t deadline_ns);

#endif
