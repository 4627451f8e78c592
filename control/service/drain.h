/* The orderly end, as orders to the workers: receivers first, then the stages in data-flow order,
 * level by level, each on all cores before the next begins (a core may still hand spans to another). */
#ifndef SW_SERVICE_DRAIN_H
#define SW_SERVICE_DRAIN_H

#include "control/service/build.h"
#include "dataplane/base/mailbox.h"

struct sw_drain;

struct sw_drain_conf {
    unsigned cores_count;
    struct sw_mailbox *mailbox; /**< control's */
    struct sw_generation *generation;
    uint64_t deadline_ns;
    /** Receivers of one core: let running calls end. On that core. @return 0 when none runs */
    int (*drain_receivers)(void *context, struct sw_core *core, uint64_t deadline_ns);
    void *context;
};

/** Begins; the workers run. Control thread. */
SW_CHECKED int sw_drain_begin(const struct sw_drain_conf *conf, struct sw_drain **ret_drain);

/** True when all levels are through on all cores. Control thread, after its mailbox was polled. */
bool sw_drain_done(const struct sw_drain *drain);

/** The workers have stopped. NULL is legal. */
void sw_drain_free(struct sw_drain *drain);

#endif
