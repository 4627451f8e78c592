#include "dataplane/receive/memory_limiter_conf.h"

#include "dataplane/receive/memory_limiter.h"

#define GO_NOTE "spanweir has no garbage collector"

// clang-format off
static const struct sw_field limiter_fields[] = {
    SW_DURATION("check_interval", struct sw_memory_limiter_conf, check_interval_ns, "0s",
                "how often memory is measured; must be given"),
    SW_UINT("limit_mib", struct sw_memory_limiter_conf, limit_mib, "0",
            "hard limit; wins over limit_percentage", .unit = "MiB"),
    SW_UINT("spike_limit_mib", struct sw_memory_limiter_conf, spike_limit_mib, "0",
            "the soft limit, from which data are refused, is so far below; 0 is a fifth",
            .unit = "MiB"),
    SW_UINT("limit_percentage", struct sw_memory_limiter_conf, limit_percentage, "0",
            "hard limit as a share of the cgroup's memory, else of the machine's", .unit = "%"),
    SW_UINT("spike_limit_percentage", struct sw_memory_limiter_conf, spike_limit_percentage, "0",
            "likewise for the distance of the soft limit; 0 is a fifth of the limit",
            .unit = "%"),
    SW_DURATION("min_gc_interval_when_soft_limited", struct sw_memory_limiter_conf,
                min_gc_soft_ns, "10s", "Go garbage collector", .support = SW_NO_EFFECT,
                .note = GO_NOTE),
    SW_DURATION("min_gc_interval_when_hard_limited", struct sw_memory_limiter_conf,
                min_gc_hard_ns, "0s", "Go garbage collector", .support = SW_NO_EFFECT,
                .note = GO_NOTE),
    SW_DURATION("max_gc_interval_when_soft_limited", struct sw_memory_limiter_conf,
                max_gc_soft_ns, "30s", "Go garbage collector", .support = SW_NO_EFFECT,
                .note = GO_NOTE),
    SW_DURATION("max_gc_interval_when_hard_limited", struct sw_memory_limiter_conf,
                max_gc_hard_ns, "30s", "Go garbage collector", .support = SW_NO_EFFECT,
                .note = GO_NOTE),
    SW_FIELD_END,
};
// clang-format on

static void gc_check(const struct sw_memory_limiter_conf *conf, struct sw_check *check)
{
    if (conf->min_gc_soft_ns < conf->min_gc_hard_ns) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            "min_gc_interval_when_soft_limited",
            "must be larger than or equal to min_gc_interval_when_hard_limited"
        );
    }
    if (conf->max_gc_soft_ns != 0 && conf->max_gc_soft_ns < conf->min_gc_soft_ns) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            "max_gc_interval_when_soft_limited",
            "must be larger than or equal to min_gc_interval_when_soft_limited"
        );
    }
    if (conf->max_gc_hard_ns != 0 && conf->max_gc_hard_ns < conf->min_gc_hard_ns) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            "max_gc_interval_when_hard_limited",
            "must be larger than or equal to min_gc_interval_when_hard_limited"
        );
    }
    if (conf->max_gc_soft_ns != 0 && conf->max_gc_hard_ns != 0
        && conf->max_gc_soft_ns < conf->max_gc_hard_ns) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            "max_gc_interval_when_soft_limited",
            "must be larger than or equal to max_gc_interval_when_hard_limited"
        );
    }
}

static void limiter_check(void *section, struct sw_check *check)
{
    const struct sw_memory_limiter_conf *conf = section;
    if (conf->check_interval_ns <= 0) {
        sw_complain(check, SW_COMPLAINT_ERROR, "check_interval", "must be greater than zero");
    }
    if (conf->limit_mib == 0 && conf->limit_percentage == 0) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            NULL,
            "'limit_mib' or 'limit_percentage' must be greater than zero"
        );
    }
    if (conf->limit_percentage > 100 || conf->spike_limit_percentage > 100) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            conf->limit_percentage > 100 ? "limit_percentage" : "spike_limit_percentage",
            "'limit_percentage' and 'spike_limit_percentage' must be greater than zero and less "
            "than or equal to hundred"
        );
    }
    if (conf->limit_mib > 0 && conf->limit_mib <= conf->spike_limit_mib) {
        sw_complain(
            check, SW_COMPLAINT_ERROR, "spike_limit_mib", "must be smaller than 'limit_mib'"
        );
    }
    if (conf->limit_percentage > 0 && conf->limit_percentage <= conf->spike_limit_percentage) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            "spike_limit_percentage",
            "must be smaller than 'limit_percentage'"
        );
    }
    gc_check(conf, check);
}

const struct sw_component sw_memory_limiter = {
    .kind = SW_PROCESSOR,
    .type = "memory_limiter",
    .fields = limiter_fields,
    .conf_size = sizeof(struct sw_memory_limiter_conf),
    .check = limiter_check,
    .signals = SW_FOR_OTLP | SW_FOR_PROFILES,
    .signals_ready = SW_FOR_OTLP,
    .stability = "beta",
    .module = "dataplane/receive",
    .help = "refuses data while memory is above the soft limit",
    .ops = &sw_memory_limiter_class,
};
