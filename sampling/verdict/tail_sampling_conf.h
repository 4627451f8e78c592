/* Configuration of the `tail_sampling` processor (Collector contrib v0.159). */
#ifndef SW_VERDICT_TAIL_SAMPLING_CONF_H
#define SW_VERDICT_TAIL_SAMPLING_CONF_H

#include "dataplane/pipeline/component.h"

enum sw_policy_type {
    SW_POLICY_UNKNOWN, /**< text matches none; refused at start */
    SW_POLICY_ALWAYS_SAMPLE,
    SW_POLICY_LATENCY,
    SW_POLICY_NUMERIC_ATTRIBUTE,
    SW_POLICY_PROBABILISTIC,
    SW_POLICY_STATUS_CODE,
    SW_POLICY_STRING_ATTRIBUTE,
    SW_POLICY_RATE_LIMITING,
    SW_POLICY_BYTES_LIMITING,
    SW_POLICY_SPAN_COUNT,
    SW_POLICY_TRACE_STATE,
    SW_POLICY_TRACE_FLAGS,
    SW_POLICY_BOOLEAN_ATTRIBUTE,
    SW_POLICY_OTTL_CONDITION,
    SW_POLICY_AND,
    SW_POLICY_NOT,
    SW_POLICY_DROP,
    SW_POLICY_COMPOSITE,
};

/** Values of a status code as OTLP counts them, and as masks in status_codes_mask. */
enum sw_status_code {
    SW_STATUS_UNSET,
    SW_STATUS_OK,
    SW_STATUS_ERROR,
};

enum sw_ottl_error_mode {
    SW_OTTL_UNSET,
    SW_OTTL_IGNORE,
    SW_OTTL_PROPAGATE,
    SW_OTTL_SILENT,
};

/** One policy: name, type, and a block for each type (only the one of its type counts). Sub-policies
 * of and, drop, not and composite have the same struct. */
struct sw_policy_conf {
    const char *name;
    const char *type_text; /**< as written */
    int type;              /**< enum sw_policy_type, set by the check */
    struct {
        int64_t threshold_ms;
        int64_t upper_threshold_ms; /**< 0: none */
    } latency;
    struct {
        const char *key;
        int64_t min_value; /**< 0: no bound, as max_value */
        int64_t max_value;
        bool invert_match;
    } numeric_attribute;
    struct {
        const char *hash_salt; /**< "": the Collector's "default-hash-seed" */
        double sampling_percentage;
    } probabilistic;
    struct {
        struct sw_list status_codes; /**< const char *: "OK", "ERROR", "UNSET" */
        uint32_t mask;               /**< bit 1 << enum sw_status_code for each, set by the check */
    } status_code;
    struct {
        const char *key;
        struct sw_list values; /**< const char * */
        bool enabled_regex_matching;
        int64_t cache_max_size; /**< <= 0: 128 */
        bool invert_match;
    } string_attribute;
    struct {
        int64_t spans_per_second;
        int64_t burst_capacity; /**< <= 0: twice the rate */
    } rate_limiting;
    struct {
        int64_t bytes_per_second;
        int64_t burst_capacity; /**< <= 0: twice the rate */
    } bytes_limiting;
    struct {
        int32_t min_spans;
        int32_t max_spans; /**< 0: no upper bound */
    } span_count;
    struct {
        const char *key;
        struct sw_list values; /**< const char * */
    } trace_state;
    struct {
        const char *key;
        bool value;
        bool invert_match;
    } boolean_attribute;
    struct {
        int error_mode;           /**< enum sw_ottl_error_mode */
        struct sw_list span;      /**< const char *: conditions */
        struct sw_list spanevent; /**< const char *: conditions */
    } ottl_condition;
    struct sw_list and_sub_policies;  /**< struct sw_policy_conf */
    struct sw_list drop_sub_policies; /**< struct sw_policy_conf */
    struct {
        struct sw_policy_conf *sub_policy; /**< NULL: not given */
    } not ;
    struct {
        int64_t max_total_spans_per_second;
        struct sw_list policy_order;    /**< const char * */
        struct sw_list sub_policies;    /**< struct sw_policy_conf */
        struct sw_list rate_allocation; /**< struct sw_rate_allocation_conf */
    } composite;
};

struct sw_rate_allocation_conf {
    const char *policy;
    int64_t percent;
};

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
};

/** Whole seconds of decision_wait, at least one (reference: tail sampling, 3.2). */
static inline uint64_t sw_tail_wait_s(const struct sw_tail_sampling_conf *conf)
{
    int64_t seconds = conf->decision_wait_ns / 1000000000;
    return seconds < 1 ? 1 : (uint64_t)seconds;
}

extern const struct sw_component sw_tail_sampling;

#endif
