/* Configuration of the `memory_limiter` processor (Collector v0.159). */
#ifndef SW_RECEIVE_MEMORY_LIMITER_CONF_H
#define SW_RECEIVE_MEMORY_LIMITER_CONF_H

#include "dataplane/pipeline/component.h"

struct sw_memory_limiter_conf {
    int64_t check_interval_ns;       /**< > 0 */
    uint32_t limit_mib;              /**< wins over limit_percentage when > 0 */
    uint32_t spike_limit_mib;        /**< 0: a fifth of the limit */
    uint32_t limit_percentage;       /**< of the cgroup's memory, else of the machine's */
    uint32_t spike_limit_percentage; /**< 0: a fifth of the limit */
    int64_t min_gc_soft_ns;          /**< Go garbage collector: no effect here, as the next three */
    int64_t min_gc_hard_ns;
    int64_t max_gc_soft_ns;
    int64_t max_gc_hard_ns;
};

extern const struct sw_component sw_memory_limiter;

#endif
