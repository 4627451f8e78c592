/* How much memory is used, and from where on data are refused: the memory_limiter processor (Collector
 * v0.159 internal/memorylimiter), and what holds where no pipeline has one. */
#ifndef SW_RECEIVE_MEMORY_LIMITER_H
#define SW_RECEIVE_MEMORY_LIMITER_H

#include "dataplane/base/buf.h"
#include "dataplane/pipeline/stage.h"
#include "dataplane/receive/memory_limiter_conf.h"

#include <stdatomic.h>
#include <stdint.h>

/** Of the process; control writes, any thread reads. */
struct sw_memory_baseline {
    _Atomic int64_t bytes; /**< resident bytes that no buffer accounts for */
    int64_t total_bytes; /**< the cgroup's limit, else the machine's memory; 0: unknown. Set before
                                the pipelines are made */
};

/** Without a memory_limiter the limit is this share of total_bytes. */
#define SW_MEMORY_DEFAULT_PERCENT 80

/** What counts as used: pinned buffers and the baseline. Any thread; both may be NULL. */
static inline int64_t
sw_memory_used(struct sw_account *account, struct sw_memory_baseline *baseline)
{
    int64_t bytes = account != NULL ? sw_account_charged(account) : 0;
    if (baseline != NULL) {
        bytes += atomic_load_explicit(&baseline->bytes, memory_order_relaxed);
    }
    return bytes;
}

struct sw_memory_limits {
    int64_t hard_bytes;
    int64_t soft_bytes; /**< refused from here on */
};

/** The limits that a configuration means.
 *
 * @param total_bytes  of the machine or cgroup, needed for percentages only
 * @return 0, or SW_E_INVALID: a percentage of an unknown total
 */
SW_CHECKED int sw_memory_limits(
    const struct sw_memory_limiter_conf *conf,
    int64_t total_bytes,
    struct sw_memory_limits *ret_limits
);

/** The processor; `ops` of sw_memory_limiter. */
extern const struct sw_stage_class sw_memory_limiter_class;

#endif
