/* What a trace must show to be kept: policies, their configuration, and their votes (Collector
 * contrib v0.159 processor/tailsamplingprocessor).
 *
 * A policy that looks for something in spans watches them arrive and leaves a bit in the trace's
 * entry (sw_trace.matched); its vote is that bit, no span is read again. There are 32 bits; the
 * policies that got none read the spans once more when the trace is decided (sw_trace_replay).
 */
#ifndef SW_POLICY_POLICY_H
#define SW_POLICY_POLICY_H

#include "dataplane/base/field.h"
#include "sampling/assemble/assemble.h"

/* ---- configuration ---- */

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
    SW_POLICY_TYPES_COUNT,
};

enum sw_ottl_error_mode {
    SW_OTTL_UNSET,
    SW_OTTL_IGNORE,
    SW_OTTL_PROPAGATE,
    SW_OTTL_SILENT,
};

/** One policy: name, type, and a block for each type (only the one of its type counts).
 * Sub-policies of and, drop, not and composite have the same struct. */
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
        uint32_t mask;               /**< bit 1 << enum sw_span_status each, set by the check */
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

/** Keys of an entry of `policies`. */
extern const struct sw_field sw_policy_fields[];

/** Check of one entry; section: struct sw_policy_conf. */
void sw_policy_check(void *section, struct sw_check *check);

/** Names within the list at `policies`. */
void sw_policies_check(const struct sw_list *policies, struct sw_check *check);

/* ---- the policies of one component, for all cores: constant once made ---- */

#define SW_POLICIES_MAX 4096

struct sw_policy_set;

/** @param policies  struct sw_policy_conf, checked; they outlive the set
 * @param error  why not, for people
 * @return 0; SW_E_UNSUPPORTED, SW_E_INVALID (error says why), SW_E_NOMEM
 */
SW_CHECKED int sw_policy_set_new(
    const struct sw_list *policies,
    char *error,
    size_t error_size,
    struct sw_policy_set **ret_set
);
/** NULL is legal. */
void sw_policy_set_free(struct sw_policy_set *set);

unsigned sw_policy_set_count(const struct sw_policy_set *set);
const char *sw_policy_name(const struct sw_policy_set *set, unsigned index);

/** A span has been appended to the trace. Owner core, in order of arrival. */
void sw_policy_watch(
    const struct sw_policy_set *set,
    struct sw_trace *trace,
    const struct sw_shard_span *span
);

/* ---- voting: one core's state ---- */

struct sw_policy_ballot;

/** @param table  whose traces are voted on; outlives the ballot */
SW_CHECKED int sw_policy_ballot_new(
    const struct sw_policy_set *set,
    struct sw_trace_table *table,
    struct sw_policy_ballot **ret_ballot
);
/** NULL is legal. */
void sw_policy_ballot_free(struct sw_policy_ballot *ballot);

/** The votes that follow are on this trace, undecided and with the spans that have arrived. */
void sw_policy_ballot_open(struct sw_policy_ballot *ballot, struct sw_trace *trace);

/** Does policy `index` want to keep it? In this order they are asked: 0, 1, … */
bool sw_policy_vote(struct sw_policy_ballot *ballot, unsigned index);

#endif
