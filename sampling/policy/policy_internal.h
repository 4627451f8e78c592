#ifndef SW_POLICY_POLICY_INTERNAL_H
#define SW_POLICY_POLICY_INTERNAL_H

#include "sampling/policy/policy.h"

/* What a policy sees when a span has arrived. Times are those of all spans so far, with the
 * Collector's meaning of zero: none yet. */
struct sight {
    uint64_t start_min_ns;
    uint64_t end_max_ns;
    int32_t status_code;
};

static inline struct sight
sight_after(uint64_t start_min_ns, uint64_t end_max_ns, uint64_t start_ns, uint64_t end_ns)
{
    return (struct sight){
        .start_min_ns = start_min_ns == 0 || start_ns < start_min_ns ? start_ns : start_min_ns,
        .end_max_ns = end_max_ns == 0 || end_ns > end_max_ns ? end_ns : end_max_ns,
        .status_code = 0,
    };
}

struct policy;

/* One type of policy. */
struct policy_kind {
    /* @return 0 or SW_E_INVALID; *ret_why, constant text */
    SW_CHECKED int (*init
    )(struct policy *policy, const struct sw_policy_conf *conf, const char **ret_why);
    /* Watches spans: is this what it looks for? NULL: it does not watch. */
    bool (*sees)(const struct policy *policy, const struct sight *sight);
    /* Does not watch: its vote. */
    bool (*votes)(const struct policy *policy, const struct sw_trace *trace);
};

extern const struct policy_kind sw_policy_always_sample;
extern const struct policy_kind sw_policy_latency;
extern const struct policy_kind sw_policy_status_code;
extern const struct policy_kind sw_policy_probabilistic;

/* One policy of a set. */
struct policy {
    const struct policy_kind *kind;
    const char *name;
    uint32_t bit;   // in sw_trace.matched; 0: it does not watch, or there was none left
    uint32_t extra; // place in a ballot's list when there was none left
    union {
        struct {
            int64_t threshold_ms;
            int64_t upper_threshold_ms;
        } latency;
        struct {
            uint32_t mask;
        } status_code;
        struct {
            uint64_t salted; // FNV-1a of the salt
            uint64_t threshold;
        } probabilistic;
    };
};

#endif
