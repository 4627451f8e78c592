/* Immutable snapshots: published by control, read by cores without a lock, freed when every core
 * has passed a quiet point. The one door to rte_rcu_qsbr (plain, without EAL).
 *
 * A core is a reader from sw_snapshot_online on; it calls sw_snapshot_quiet once a turn, where it holds
 * no pointer it read before, and goes offline while it sleeps.
 */
#ifndef SW_BASE_SNAPSHOT_H
#define SW_BASE_SNAPSHOT_H

#include "dataplane/base/err.h"

#include <stdatomic.h>
#include <stdbool.h>

struct sw_quiet; /**< the quiet points of all cores */

SW_CHECKED int sw_quiet_new(unsigned cores_count, struct sw_quiet **ret_quiet);
void sw_quiet_free(struct sw_quiet *quiet);

/** Reader's thread. */
void sw_quiet_online(struct sw_quiet *quiet, unsigned core);
void sw_quiet_offline(struct sw_quiet *quiet, unsigned core);
void sw_quiet_point(struct sw_quiet *quiet, unsigned core);

struct sw_snapshot {
    _Atomic(void *) current;
};

/** The current one; valid until this core's next quiet point. Cores. The acquire pairs with the
 * release in sw_snapshot_publish. */
static inline const void *sw_snapshot_read(struct sw_snapshot *snapshot)
{
    return atomic_load_explicit(&snapshot->current, memory_order_acquire);
}

/** Replaces it and returns the old one, which may be freed once sw_quiet_passed(token). Control. */
void *sw_snapshot_publish(
    struct sw_snapshot *snapshot,
    struct sw_quiet *quiet,
    void *next,
    unsigned long *ret_token
);

/** True when no reader can still hold what was replaced at `token`. Never waits. Control. */
bool sw_quiet_passed(struct sw_quiet *quiet, unsigned long token);

#endif
