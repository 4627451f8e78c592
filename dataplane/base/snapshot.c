#include "dataplane/base/snapshot.h"

#include "dataplane/base/mem.h"

#include <rte_config.h>
#include <rte_rcu_qsbr.h>

struct sw_quiet {
    struct rte_rcu_qsbr *qsbr;
};

int sw_quiet_new(unsigned cores_count, struct sw_quiet **ret_quiet)
{
    struct sw_quiet *quiet = sw_zalloc(sizeof(*quiet));
    if (quiet == NULL) {
        return SW_E_NOMEM;
    }
    size_t size = rte_rcu_qsbr_get_memsize(cores_count);
    quiet->qsbr = sw_aligned_alloc(RTE_CACHE_LINE_SIZE, size);
    if (quiet->qsbr == NULL || rte_rcu_qsbr_init(quiet->qsbr, cores_count) != 0) {
        sw_quiet_free(quiet);
        return SW_E_NOMEM;
    }
    for (unsigned core = 0; core < cores_count; core++) {
        if (rte_rcu_qsbr_thread_register(quiet->qsbr, core) != 0) {
            sw_quiet_free(quiet);
            return SW_E_INVALID;
        }
    }
    *ret_quiet = quiet;
    return SW_OK;
}

void sw_quiet_free(struct sw_quiet *quiet)
{
    if (quiet != NULL) {
        sw_free(quiet->qsbr);
        sw_free(quiet);
    }
}

void sw_quiet_online(struct sw_quiet *quiet, unsigned core)
{
    rte_rcu_qsbr_thread_online(quiet->qsbr, core);
}

void sw_quiet_offline(struct sw_quiet *quiet, unsigned core)
{
    rte_rcu_qsbr_thread_offline(quiet->qsbr, core);
}

void sw_quiet_point(struct sw_quiet *quiet, unsigned core)
{
    rte_rcu_qsbr_quiescent(quiet->qsbr, core);
}

void *sw_snapshot_publish(
    struct sw_snapshot *snapshot,
    struct sw_quiet *quiet,
    void *next,
    unsigned long *ret_token
)
{
    void *old = atomic_exchange_explicit(&snapshot->current, next, memory_order_acq_rel);
    *ret_token = (unsigned long)rte_rcu_qsbr_start(quiet->qsbr);
    return old;
}

bool sw_quiet_passed(struct sw_quiet *quiet, unsigned long token)
{
    return rte_rcu_qsbr_check(quiet->qsbr, token, false) == 1;
}
