// Policies as the Collector's decoder knows them (contrib v0.159), and what it finds only when it
// builds them, which is at start (reference: tail sampling, 1.2).
#include "sampling/policy/policy.h"

#include <string.h>

#define P struct sw_policy_conf

// clang-format off
static const struct sw_field latency_fields[] = {
    SW_INT("threshold_ms", P, latency.threshold_ms, "0", "sampled when it took longer",
           .unit = "ms"),
    SW_INT("upper_threshold_ms", P, latency.upper_threshold_ms, "0",
           "and not longer than this; 0 is no bound", .unit = "ms"),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
static const struct sw_field numeric_fields[] = {
    SW_STRING("key", P, numeric_attribute.key, NULL, "attribute of resource or span"),
    SW_INT("min_value", P, numeric_attribute.min_value, "0", "at least; 0 is no bound"),
    SW_INT("max_value", P, numeric_attribute.max_value, "0", "at most; 0 is no bound"),
    SW_BOOL("invert_match", P, numeric_attribute.invert_match, "false",
            "sampled when nothing matches"),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
static const struct sw_field probabilistic_fields[] = {
    SW_STRING("hash_salt", P, probabilistic.hash_salt, NULL, "hashed before the trace ID"),
    SW_FLOAT("sampling_percentage", P, probabilistic.sampling_percentage, "0",
             "share of traces by hash of the ID", .unit = "%"),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
static const struct sw_field status_fields[] = {
    SW_STRINGS("status_codes", P, status_code.status_codes, NULL, "OK, ERROR, UNSET"),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
static const struct sw_field string_fields[] = {
    SW_STRING("key", P, string_attribute.key, NULL, "attribute of resource or span"),
    SW_STRINGS("values", P, string_attribute.values, NULL, "values or expressions"),
    SW_BOOL("enabled_regex_matching", P, string_attribute.enabled_regex_matching, "false",
            "values are regular expressions"),
    SW_INT("cache_max_size", P, string_attribute.cache_max_size, "0",
           "matches remembered; 0 is 128"),
    SW_BOOL("invert_match", P, string_attribute.invert_match, "false",
            "sampled when nothing matches"),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
static const struct sw_field rate_fields[] = {
    SW_INT("spans_per_second", P, rate_limiting.spans_per_second, "0", "rate of the bucket",
           .unit = "spans/s"),
    SW_INT("burst_capacity", P, rate_limiting.burst_capacity, "0",
           "its capacity; 0 is twice the rate", .unit = "spans"),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
static const struct sw_field bytes_fields[] = {
    SW_INT("bytes_per_second", P, bytes_limiting.bytes_per_second, "0", "rate of the bucket",
           .unit = "bytes/s"),
    SW_INT("burst_capacity", P, bytes_limiting.burst_capacity, "0",
           "its capacity; 0 is twice the rate", .unit = "bytes"),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
static const struct sw_field count_fields[] = {
    SW_INT("min_spans", P, span_count.min_spans, "0", "at least so many spans"),
    SW_INT("max_spans", P, span_count.max_spans, "0", "at most; 0 is no bound"),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
static const struct sw_field trace_state_fields[] = {
    SW_STRING("key", P, trace_state.key, NULL, "member of the W3C trace state"),
    SW_STRINGS("values", P, trace_state.values, NULL, "values it may have"),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
static const struct sw_field boolean_fields[] = {
    SW_STRING("key", P, boolean_attribute.key, NULL, "attribute of resource or span"),
    SW_BOOL("value", P, boolean_attribute.value, "false", "value it must have"),
    SW_BOOL("invert_match", P, boolean_attribute.invert_match, "false",
            "sampled when nothing matches"),
    SW_FIELD_END,
};
// clang-format on

static const char *const error_mode_words[] = {"", "ignore", "propagate", "silent", NULL};

// clang-format off
static const struct sw_field ottl_fields[] = {
    SW_ENUM("error_mode", P, ottl_condition.error_mode, error_mode_words, NULL,
            "what an error in a condition does: ignore, propagate or silent",
            .flags = SW_FIELD_ICASE),
    SW_STRINGS("span", P, ottl_condition.span, NULL, "conditions on spans"),
    SW_STRINGS("spanevent", P, ottl_condition.spanevent, NULL, "conditions on span events"),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
/** Keys of every policy, at the top level and inside others. */
static const struct sw_field shared_fields[] = {
    SW_STRING("name", P, name, NULL, "shown in metrics"),
    SW_STRING("type", P, type_text, NULL, "one of the blocks below, always_sample or trace_flags"),
    SW_SECTION("latency", P, latency_fields, "duration of the trace"),
    SW_SECTION("numeric_attribute", P, numeric_fields, "an attribute in a range"),
    SW_SECTION("probabilistic", P, probabilistic_fields, "a share of the traces"),
    SW_SECTION("status_code", P, status_fields, "a span with one of these status codes"),
    SW_SECTION("string_attribute", P, string_fields, "an attribute with one of these values"),
    SW_SECTION("rate_limiting", P, rate_fields, "a number of spans in a second"),
    SW_SECTION("bytes_limiting", P, bytes_fields, "a number of bytes in a second"),
    SW_SECTION("span_count", P, count_fields, "number of spans in the trace"),
    SW_SECTION("trace_state", P, trace_state_fields, "a span with such a trace state"),
    SW_SECTION("boolean_attribute", P, boolean_fields, "an attribute that is true or false"),
    SW_SECTION("ottl_condition", P, ottl_fields, "OTTL conditions"),
    SW_REMAIN("settings for an extension of that name"),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
static const struct sw_field not_sub_fields[] = {
    {.key = "", .size = sizeof(P), .kind = SW_FIELD_SQUASH, .fields = shared_fields},
    SW_FIELD_END,
};
// clang-format on

// clang-format off
static const struct sw_field not_fields[] = {
    SW_POINTER("not_sub_policy", P, not.sub_policy, not_sub_fields, "the policy to invert"),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
static const struct sw_field and_sub_fields[] = {
    {.key = "", .size = sizeof(P), .kind = SW_FIELD_SQUASH, .fields = shared_fields},
    SW_SECTION("not", P, not_fields, "a policy inverted"),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
static const struct sw_field and_fields[] = {
    SW_LIST("and_sub_policy", P, and_sub_policies, P, and_sub_fields, "all must sample"),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
static const struct sw_field drop_fields[] = {
    SW_LIST("drop_sub_policy", P, drop_sub_policies, P, and_sub_fields,
            "the trace is dropped when all sample"),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
static const struct sw_field composite_sub_fields[] = {
    {.key = "", .size = sizeof(P), .kind = SW_FIELD_SQUASH, .fields = shared_fields},
    SW_SECTION("and", P, and_fields, "all must sample"),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
static const struct sw_field allocation_fields[] = {
    SW_STRING("policy", struct sw_rate_allocation_conf, policy, NULL, "name of a sub-policy"),
    SW_INT("percent", struct sw_rate_allocation_conf, percent, "0", "its share of the maximum",
           .unit = "%"),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
static const struct sw_field composite_fields[] = {
    SW_INT("max_total_spans_per_second", P, composite.max_total_spans_per_second, "0",
           "for all sub-policies together", .unit = "spans/s"),
    SW_STRINGS("policy_order", P, composite.policy_order, NULL, "names, in order of evaluation"),
    SW_LIST("composite_sub_policy", P, composite.sub_policies, P, composite_sub_fields,
            "the first that samples within its share decides"),
    SW_LIST("rate_allocation", P, composite.rate_allocation, struct sw_rate_allocation_conf,
            allocation_fields, "shares"),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
const struct sw_field sw_policy_fields[] = {
    {.key = "", .size = sizeof(P), .kind = SW_FIELD_SQUASH, .fields = shared_fields},
    SW_SECTION("and", P, and_fields, "all must sample"),
    SW_SECTION("not", P, not_fields, "a policy inverted"),
    SW_SECTION("drop", P, drop_fields, "drops what all of these sample"),
    SW_SECTION("composite", P, composite_fields, "several policies within a rate"),
    SW_FIELD_END,
};
// clang-format on

#undef P

static const char *const type_words[] = {
    "",
    "always_sample",
    "latency",
    "numeric_attribute",
    "probabilistic",
    "status_code",
    "string_attribute",
    "rate_limiting",
    "bytes_limiting",
    "span_count",
    "trace_state",
    "trace_flags",
    "boolean_attribute",
    "ottl_condition",
    "and",
    "not",
    "drop",
    "composite",
    NULL,
};

static void status_check(struct sw_policy_conf *policy, struct sw_check *check)
{
    static const char *const names[] = {"UNSET", "OK", "ERROR", NULL};
    const struct sw_list *codes = &policy->status_code.status_codes;
    if (codes->count == 0) {
        sw_complain(
            check,
            SW_COMPLAINT_AT_START,
            "status_code::status_codes",
            "failed to create policy evaluator for \"%s\": expected at least one status code to "
            "filter on",
            policy->name
        );
    }
    for (size_t i = 0; i < codes->count; i++) {
        const char *name = SW_LIST_AT(*codes, const char *, i);
        int code = sw_word_index(names, name, false);
        if (code < 0) {
            sw_complain_word(
                check,
                SW_COMPLAINT_AT_START,
                "status_code::status_codes",
                name,
                names,
                "failed to create policy evaluator for \"%s\": unknown status code \"%s\", "
                "supported: OK, ERROR, UNSET",
                policy->name,
                name
            );
        } else {
            policy->status_code.mask |= 1u << code;
        }
    }
}

static bool is_ready(int type)
{
    return type == SW_POLICY_ALWAYS_SAMPLE || type == SW_POLICY_LATENCY
           || type == SW_POLICY_PROBABILISTIC || type == SW_POLICY_STATUS_CODE;
}

void sw_policy_check(void *section, struct sw_check *check)
{
    struct sw_policy_conf *policy = section;
    int type = sw_word_index(type_words, policy->type_text, false);
    policy->type = type <= 0 ? SW_POLICY_UNKNOWN : type;
    if (policy->name[0] == '\0') {
        sw_complain(check, SW_COMPLAINT_AT_START, "name", "policy name cannot be empty");
    }
    if (policy->type == SW_POLICY_UNKNOWN) {
        sw_complain_word(
            check,
            SW_COMPLAINT_AT_START,
            "type",
            policy->type_text,
            type_words,
            "failed to create policy evaluator for \"%s\": unknown sampling policy type %s",
            policy->name,
            policy->type_text
        );
    } else if (!is_ready(policy->type)) {
        sw_complain(
            check,
            SW_COMPLAINT_AT_START,
            "type",
            "policy type %s is not supported yet",
            policy->type_text
        );
    }
    if (policy->type == SW_POLICY_STATUS_CODE) {
        status_check(policy, check);
    }
    double percentage = policy->probabilistic.sampling_percentage;
    if (policy->type == SW_POLICY_PROBABILISTIC && percentage != percentage) {
        // The Collector panics at the first decision.
        sw_complain(
            check, SW_COMPLAINT_AT_START, "probabilistic::sampling_percentage", "is not a number"
        );
    }
}

void sw_policies_check(const struct sw_list *policies, struct sw_check *check)
{
    for (size_t i = 0; i < policies->count; i++) {
        const char *name = SW_LIST_AT(*policies, struct sw_policy_conf, i).name;
        for (size_t j = 0; j < i; j++) {
            if (name[0] != '\0'
                && strcmp(name, SW_LIST_AT(*policies, struct sw_policy_conf, j).name) == 0) {
                sw_complain(
                    check, SW_COMPLAINT_AT_START, "policies", "duplicate policy name \"%s\"", name
                );
                break;
            }
        }
    }
}
