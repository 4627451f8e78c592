/* The memory_limiter processor. The Collector measures its heap once per check_interval; here memory is
 * an account that is always up to date, so each request is judged by what is used now and
 * check_interval has nothing to do. Refusal begins at the soft limit; the hard one only decides how
 * eagerly a garbage collector works, and there is none. */
#include "dataplane/receive/memory_limiter.h"

#include "dataplane/base/event.h"
#include "dataplane/base/mem.h"
#include "dataplane/pipeline/cells.h"

#include <inttypes.h>
#include <stdio.h>

#define MIB INT64_C(1048576)

#define COUNTER(name_, help_)                                                                      \
    {                                                                                              \
        .name = (name_), .help = (help_), .unit = "{item}", .type = SW_COUNTER,                    \
        .level = SW_LEVEL_BASIC,                                                                   \
    }

static const struct sw_metric_family incoming_family =
    COUNTER("otelcol_processor_incoming_items", "Number of items passed to the processor. [Alpha]");
static const struct sw_metric_family outgoing_family = COUNTER(
    "otelcol_processor_outgoing_items",
    "Number of items emitted from the processor. [Alpha]"
);

// clang-format off
static const struct sw_metric_family accepted_families[SW_SIGNALS_COUNT] = {
    [SW_TRACES] = COUNTER("otelcol_processor_memory_limiter_accepted_spans",
        "Number of spans successfully pushed into the next component in the pipeline. [Development]"),
    [SW_METRICS] = COUNTER("otelcol_processor_memory_limiter_accepted_metric_points",
        "Number of metric points successfully pushed into the next component in the pipeline. [Development]"),
    [SW_LOGS] = COUNTER("otelcol_processor_memory_limiter_accepted_log_records",
        "Number of log records successfully pushed into the next component in the pipeline. [Development]"),
};
static const struct sw_metric_family refused_families[SW_SIGNALS_COUNT] = {
    [SW_TRACES] = COUNTER("otelcol_processor_memory_limiter_refused_spans",
        "Number of spans that were rejected by the next component in the pipeline. [Development]"),
    [SW_METRICS] = COUNTER("otelcol_processor_memory_limiter_refused_metric_points",
        "Number of metric points that were rejected by the next component in the pipeline. [Development]"),
    [SW_LOGS] = COUNTER("otelcol_processor_memory_limiter_refused_log_records",
        "Number of log records that were rejected by the next component in the pipeline. [Development]"),
};
// clang-format on

static const struct sw_event_kind refusing_kind = {
    .level = SW_EVENT_WARN,
    .message = "Memory usage is above soft limit. Refusing data.",
    .component_kind = "processor",
    .text_key = "cur_mem_mib",
};
static const struct sw_event_kind resuming_kind = {
    .level = SW_EVENT_INFO,
    .message = "Memory usage back within limits. Resuming normal operation.",
    .component_kind = "processor",
    .text_key = "cur_mem_mib",
};

/* One per core. */
struct limiter {
    struct sw_stage stage;
    struct sw_account *account;
    struct sw_memory_baseline *baseline;
    int64_t soft_bytes;
    enum sw_signal signal;
    bool refusing; // what the log was told last
    struct sw_cell *incoming;
    struct sw_cell *outgoing;
    struct sw_cell *accepted;
    struct sw_cell *refused;
};

int sw_memory_limits(
    const struct sw_memory_limiter_conf *conf,
    int64_t total_bytes,
    struct sw_memory_limits *ret_limits
)
{
    int64_t limit = (int64_t)conf->limit_mib * MIB;
    int64_t spike = (int64_t)conf->spike_limit_mib * MIB;
    if (conf->limit_mib == 0) {
        if (total_bytes <= 0) {
            return SW_E_INVALID;
        }
        // In this order, as the Collector; the total is far below 2^63 / 100.
        limit = (int64_t)conf->limit_percentage * total_bytes / 100;
        spike = (int64_t)conf->spike_limit_percentage * total_bytes / 100;
    }
    if (spike == 0) {
        spike = limit / 5;
    }
    *ret_limits = (struct sw_memory_limits){.hard_bytes = limit, .soft_bytes = limit - spike};
    return SW_OK;
}

static void tell(struct limiter *limiter, bool refusing, int64_t used_bytes)
{
    struct sw_core *core = limiter->stage.core;
    char text[24];
    int len = snprintf(text, sizeof(text), "%" PRId64, used_bytes / MIB);
    limiter->refusing = refusing;
    sw_event_leave(
        core->events,
        refusing ? &refusing_kind : &resuming_kind,
        limiter->stage.id,
        sw_signal_name(limiter->signal),
        core->wall_ns,
        0,
        text,
        (uint32_t)len
    );
}

static void count_refused(struct limiter *limiter, const struct sw_batch *batch)
{
    sw_count(limiter->incoming, batch->items_count);
    sw_count(limiter->outgoing, 0);
    sw_count(limiter->refused, batch->items_count);
}

// Accepted is what passed here, also when a later component fails (as the Collector counts).
static void count_accepted(struct limiter *limiter, const struct sw_batch *batch)
{
    sw_count(limiter->incoming, batch->items_count);
    sw_count(limiter->outgoing, batch->items_count);
    sw_count(limiter->accepted, batch->items_count);
}

// The batch's own buffer is in the account already.
static int limiter_admit(struct sw_stage *stage, const struct sw_batch *batch, enum sw_admit mode)
{
    struct limiter *limiter = (struct limiter *)stage;
    int64_t used_bytes = sw_memory_used(limiter->account, limiter->baseline);
    bool refusing = used_bytes >= limiter->soft_bytes;
    if (SW_UNLIKELY(refusing != limiter->refusing)) {
        tell(limiter, refusing, used_bytes);
    }
    if (refusing) {
        if (mode == SW_ADMIT_ALL) {
            count_refused(limiter, batch);
        }
        return SW_E_MEMORY_LIMIT;
    }
    int err = sw_stage_admit(stage->next, batch, mode);
    if (err != SW_OK && mode == SW_ADMIT_ALL) {
        count_accepted(limiter, batch);
    }
    return err;
}

// Nothing is reserved here and what was admitted is counted when it comes, so giving back is complete.
static void
limiter_consume(struct sw_stage *stage, struct sw_batch *batch, struct sw_ticket *ticket)
{
    count_accepted((struct limiter *)stage, batch);
    sw_stage_consume(stage->next, batch, ticket);
}

static void limiter_drop(struct sw_stage *stage, const struct sw_batch *batch, int err)
{
    struct limiter *limiter = (struct limiter *)stage;
    if (err == SW_E_MEMORY_LIMIT) {
        count_refused(limiter, batch);
    } else {
        count_accepted(limiter, batch);
    }
    sw_stage_pass_drop(stage, batch, err);
}

static void limiter_free(struct sw_stage *stage)
{
    sw_free(stage);
}

static const struct sw_stage_ops limiter_ops = {
    .admit = limiter_admit,
    .retract = sw_stage_pass_retract,
    .consume = limiter_consume,
    .drop = limiter_drop,
    .free = limiter_free,
};

static int make_cells(struct limiter *limiter, const struct sw_stage_env *env, unsigned core)
{
    enum sw_signal signal = env->signal;
    const struct sw_label labels[2] = {
        {"processor", env->id},
        {"otel.signal", sw_signal_name(signal)},
    };
    const struct {
        const struct sw_metric_family *family;
        unsigned labels_count;
        struct sw_cell **cell;
    } rows[] = {
        {&incoming_family, 2, &limiter->incoming},
        {&outgoing_family, 2, &limiter->outgoing},
        {&accepted_families[signal], 1, &limiter->accepted},
        {&refused_families[signal], 1, &limiter->refused},
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(rows); i++) {
        int err = sw_cell_make(
            env->metrics, core, rows[i].family, labels, rows[i].labels_count, rows[i].cell
        );
        if (err != SW_OK) {
            return err;
        }
    }
    return SW_OK;
}

static int limiter_create(
    const struct sw_stage_env *env,
    const void *conf,
    void *shared,
    struct sw_core *core,
    struct sw_stage *next,
    struct sw_stage **ret_stage
)
{
    (void)shared;
    struct sw_memory_limits limits;
    int64_t total_bytes = env->baseline != NULL ? env->baseline->total_bytes : 0;
    if (sw_memory_limits(conf, total_bytes, &limits) != SW_OK) {
        snprintf(
            env->error,
            env->error_size,
            "failed to get total memory, use fixed memory settings (limit_mib)"
        );
        return SW_E_INVALID;
    }
    struct limiter *limiter = sw_zalloc(sizeof(*limiter));
    if (limiter == NULL) {
        return SW_E_NOMEM;
    }
    limiter->stage =
        (struct sw_stage){.ops = &limiter_ops, .core = core, .next = next, .id = env->id};
    limiter->account = env->account;
    limiter->baseline = env->baseline;
    limiter->soft_bytes = limits.soft_bytes;
    limiter->signal = env->signal;
    int err = make_cells(limiter, env, core->index);
    if (err != SW_OK) {
        sw_free(limiter);
        return err;
    }
    *ret_stage = &limiter->stage;
    return SW_OK;
}

const struct sw_stage_class sw_memory_limiter_class = {.create = limiter_create};
