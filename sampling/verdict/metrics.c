/* The Collector's metrics of tail_sampling, and a few of ours. A series shows when it is first
 * written; those that the Collector writes at every tick are written at every tick
 * (reference: 13). */
#include "dataplane/base/mem.h"
#include "sampling/verdict/verdict_internal.h"

#include <stdio.h>

#define PREFIX     "otelcol_processor_tail_sampling_"
#define OURS       "spanweir_processor_tail_sampling_"
#define LABELS_MAX 3u

// clang-format off
static const double timer_bounds[] = {
    1, 2, 5, 10, 25, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000, 2000, 3000, 4000, 5000,
    10000, 20000, 30000, 50000,
};
static const double age_bounds[] = {
    0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000,
};
// clang-format on

#define FAMILY(id, name_, type_, unit_, help_)                                                     \
    static const struct sw_metric_family id = {                                                    \
        .name = name_,                                                                             \
        .help = help_,                                                                             \
        .unit = unit_,                                                                             \
        .type = type_,                                                                             \
        .level = SW_LEVEL_BASIC,                                                                   \
    }
#define HISTOGRAM(id, name_, unit_, bounds_, help_)                                                \
    static const struct sw_metric_family id = {                                                    \
        .name = name_,                                                                             \
        .help = help_,                                                                             \
        .unit = unit_,                                                                             \
        .type = SW_HISTOGRAM,                                                                      \
        .level = SW_LEVEL_BASIC,                                                                   \
        .bounds = bounds_,                                                                         \
        .bounds_count = SW_ARRAY_SIZE(bounds_),                                                    \
    }

// clang-format off
FAMILY(policy_traces, PREFIX "count_traces_sampled", SW_COUNTER, "{traces}",
       "Count of traces that were sampled or not per sampling policy [Development]");
FAMILY(policy_spans, PREFIX "count_spans_sampled", SW_COUNTER, "{spans}",
       "Count of spans that were sampled or not per sampling policy [Development]");
FAMILY(policy_executions, PREFIX "sampling_policy_execution_count", SW_COUNTER, "{executions}",
       "Total number of executions of a specific sampling policy [Development]");
FAMILY(policy_time, PREFIX "sampling_policy_execution_time_sum", SW_COUNTER, "us",
       "Total time spent (in microseconds) executing a specific sampling policy [Development]");
FAMILY(global_traces, PREFIX "global_count_traces_sampled", SW_COUNTER, "{traces}",
       "Global count of traces that were sampled or not by at least one policy [Development]");
FAMILY(early_releases, PREFIX "early_releases_from_cache_decision", SW_COUNTER, "{spans}",
       "Number of spans that were able to be immediately released due to a decision cache hit. "
       "[Development]");
FAMILY(new_traces, PREFIX "new_trace_id_received", SW_COUNTER, "{traces}",
       "Counts the arrival of new traces [Development]");
FAMILY(evaluation_errors, PREFIX "sampling_policy_evaluation_error", SW_COUNTER, "{errors}",
       "Count of sampling policy evaluation errors [Development]");
FAMILY(too_early, PREFIX "sampling_trace_dropped_too_early", SW_COUNTER, "{traces}",
       "Count of traces that needed to be dropped before the configured wait time [Development]");
FAMILY(on_memory, PREFIX "sampling_traces_on_memory", SW_GAUGE, "{traces}",
       "Tracks the number of traces current on memory [Development]");
FAMILY(too_large, PREFIX "traces_dropped_too_large", SW_COUNTER, "{traces}",
       "Count of traces that were dropped because they were too large [Development]");
HISTOGRAM(timer_latency, PREFIX "sampling_decision_timer_latency", "ms", timer_bounds,
          "Latency (in milliseconds) of each run of the sampling decision timer [Development]");
HISTOGRAM(late_age, PREFIX "sampling_late_span_age", "s", age_bounds,
          "Time (in seconds) from the sampling decision was taken and the arrival of a late span "
          "[Development]");
HISTOGRAM(removal_age, PREFIX "sampling_trace_removal_age", "s", age_bounds,
          "Time (in seconds) from arrival of a new trace until its removal from memory "
          "[Development]");

FAMILY(refused, OURS "refused_spans", SW_COUNTER, "{spans}",
       "Spans refused to the sender because kept traces find no room downstream, or new ones none "
       "here");
FAMILY(blocked, OURS "blocked_batches", SW_COUNTER, "{batches}",
       "Batches of kept spans that found no room downstream at first and waited");
FAMILY(moved, OURS "moved_spans", SW_COUNTER, "{spans}",
       "Spans handed to the core that owns their trace");
FAMILY(table_bytes, OURS "table_bytes", SW_GAUGE, "By", "Memory that the trace table uses");
FAMILY(free_bytes, OURS "table_free_bytes", SW_GAUGE, "By",
       "Memory of the trace table that is mapped and free");
FAMILY(replayed, OURS "replayed_spans", SW_COUNTER, "{spans}",
       "Spans of a window that were taken up after an earlier process had ended");
// clang-format on

struct wanted {
    const struct sw_metric_family *family;
    struct sw_cell **cell;
    unsigned labels_count;
    struct sw_label labels[LABELS_MAX];
};

static int
make(const struct sw_stage_env *env, unsigned core, const struct wanted *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int err = sw_cell_make(
            env->metrics,
            core,
            wanted[i].family,
            wanted[i].labels,
            wanted[i].labels_count,
            wanted[i].cell
        );
        if (err != SW_OK) {
            return err;
        }
    }
    return SW_OK;
}

#define SAMPLED                                                                                    \
    {"sampled", "true"},                                                                           \
    {                                                                                              \
        "decision", "sampled"                                                                      \
    }
#define NOT_SAMPLED                                                                                \
    {"sampled", "false"},                                                                          \
    {                                                                                              \
        "decision", "not_sampled"                                                                  \
    }

// Instances with a name put it before those of their policies ("tail_sampling/gw": "gw.errors").
static int policy_label(const char *id, const char *policy, char **ret_text)
{
    const char *slash = strchr(id, '/');
    const char *name = slash != NULL ? slash + 1 : "";
    size_t size = strlen(name) + strlen(policy) + 2;
    char *text = sw_alloc(size);
    if (text == NULL) {
        return SW_E_NOMEM;
    }
    snprintf(text, size, "%s%s%s", name, name[0] != '\0' ? "." : "", policy);
    *ret_text = text;
    return SW_OK;
}

static int make_policy(
    struct policy_cells *cells,
    const struct sw_stage_env *env,
    const char *name,
    unsigned core
)
{
    char *label = NULL;
    if (policy_label(env->id, name, &label) != SW_OK) {
        return SW_E_NOMEM;
    }
    const struct wanted wanted[] = {
        {&policy_traces, &cells->traces[1], 3, {{"policy", label}, SAMPLED}},
        {&policy_traces, &cells->traces[0], 3, {{"policy", label}, NOT_SAMPLED}},
        {&policy_spans, &cells->spans[1], 3, {{"policy", label}, SAMPLED}},
        {&policy_spans, &cells->spans[0], 3, {{"policy", label}, NOT_SAMPLED}},
        {&policy_executions, &cells->executions, 1, {{"policy", label}}},
        {&policy_time, &cells->time_us, 1, {{"policy", label}}},
    };
    int err = make(env, core, wanted, SW_ARRAY_SIZE(wanted));
    sw_free(label);
    return err;
}

static int make_policies(
    struct tail_cells *cells,
    const struct sw_stage_env *env,
    const struct sw_policy_set *policies,
    unsigned core
)
{
    unsigned count = sw_policy_set_count(policies);
    cells->policies = sw_zalloc(count * sizeof(*cells->policies));
    int err = cells->policies != NULL ? SW_OK : SW_E_NOMEM;
    for (unsigned i = 0; i < count && err == SW_OK; i++) {
        err = make_policy(&cells->policies[i], env, sw_policy_name(policies, i), core);
    }
    return err;
}

int sw_tail_cells_make(
    struct tail_cells *cells,
    const struct sw_stage_env *env,
    const struct sw_policy_set *policies,
    unsigned core
)
{
    const struct wanted wanted[] = {
        {&new_traces, &cells->new_traces, 0, {{0}}},
        {&timer_latency, &cells->timer_latency, 0, {{0}}},
        {&late_age, &cells->late_age, 0, {{0}}},
        {&removal_age, &cells->removal_age, 0, {{0}}},
        {&evaluation_errors, &cells->evaluation_errors, 0, {{0}}},
        {&too_early, &cells->too_early, 0, {{0}}},
        {&on_memory, &cells->on_memory, 0, {{0}}},
        {&too_large, &cells->too_large, 0, {{0}}},
        {&early_releases, &cells->early_releases[1], 1, {{"sampled", "true"}}},
        {&early_releases, &cells->early_releases[0], 1, {{"sampled", "false"}}},
        {&global_traces, &cells->traces[1], 2, {SAMPLED}},
        {&global_traces, &cells->traces[0], 2, {NOT_SAMPLED}},
        {&refused, &cells->refused, 1, {{"processor", env->id}}},
        {&blocked, &cells->blocked, 1, {{"processor", env->id}}},
        {&moved, &cells->moved, 1, {{"processor", env->id}}},
        {&table_bytes, &cells->table_bytes, 1, {{"processor", env->id}}},
        {&free_bytes, &cells->free_bytes, 1, {{"processor", env->id}}},
        {&replayed, &cells->replayed, 1, {{"processor", env->id}}},
    };
    int err = make(env, core, wanted, SW_ARRAY_SIZE(wanted));
    return err == SW_OK ? make_policies(cells, env, policies, core) : err;
}
