/* Configuration of the `tail_sampling` processor (Collector contrib v0.159). */
#ifndef SW_VERDICT_TAIL_SAMPLING_CONF_H
#define SW_VERDICT_TAIL_SAMPLING_CONF_H

#include "dataplane/pipeline/component.h"
#include "sampling/policy/policy.h"

enum sw_sampling_strategy {
    SW_TRACE_COMPLETE,
    SW_SPAN_INGEST,
};

struct sw_tail_sampling_conf {
    const char *sampling_strategy_text;
    int sampling_strategy;    /**< enum sw_sampling_strategy, set by the check */
    int64_t decision_wait_ns; /**< any sign; whole seconds count, at least one (sw_tail_wait_s) */
    int64_t decision_wait_after_root_ns; /**< > 0: on */
    uint64_t num_traces;
    uint64_t expected_new_traces_per_sec; /**< a hint for allocation */
    bool block_on_overflow;
    bool sample_on_first_match;
    bool drop_pending_traces_on_shutdown;
    uint64_t maximum_trace_size_bytes; /**< 0: off */
    struct {
        int64_t sampled_cache_size; /**< <= 0: none */
        int64_t non_sampled_cache_size;
    } decision_cache;
    const char *tail_storage; /**< extension ID, "": none */
    uint32_t num_shards;
    struct sw_list policies; /**< struct sw_policy_conf, asked in this order */
    bool record_policy;      /**< feature gate recordpolicy, set by the check */
    bool count_spans;        /**< feature gate metricstatcountspanssampled, set by the check */
};

/** Whole seconds of decision_wait, at least one (reference: tail sampling, 3.2). */
static inline uint64_t sw_tail_wait_s(const struct sw_tail_sampling_conf *conf)
{
    int64_t seconds = conf->decision_wait_ns / 1000000000;
    return seconds < 1 ? 1 : (uint64_t)seconds;
}

extern const struct sw_component sw_tail_sampling;

#endif
