#include "dataplane/send/export.h"

#include "dataplane/base/assert.h"
#include "dataplane/base/event.h"
#include "dataplane/base/mem.h"
#include "dataplane/pipeline/balance.h"
#include "dataplane/pipeline/cells.h"

#include <string.h>

#define SPARE_MAX 64

struct export;

/* One request; counts with the items it had at the start, whatever becomes of its parts. */
struct request {
    struct sw_push_call call;   // what the retry is given
    struct sw_push_call *outer; // the queue's
    struct export *export;
    struct request *next; // spare list
    uint32_t items_count;
};

struct export
{
    struct sw_push push;
    struct sw_push *next;
    const char *id;
    bool queued;
    struct sw_dead_letter_desk *dead;
    bool stored; // what a shutdown ends has not failed: the store keeps it
    struct request *spare;
    uint32_t spare_count;
    struct sw_cell *sent;
    struct sw_cell *failed[2][SW_ERROR_TYPES_COUNT]; // [permanent]; one cell below level detailed
    struct sw_cell *in_flight;
    struct sw_cell *batch_size; // of what a queue that batches hands on; NULL without
    struct sw_cell *batch_bytes;
};

// clang-format off
static const double size_bounds[] = {
    10, 25, 50, 75, 100, 250, 500, 750, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000,
    10000, 20000, 30000, 50000, 100000,
};
static const double bytes_bounds[] = {
    128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144, 524288, 1048576,
    2097152, 4194304, 8388608, 16777216,
};
// clang-format on

static const struct sw_metric_family batch_size_family = {
    .name = "otelcol_exporter_queue_batch_send_size",
    .help = "Number of units in the batch [Development]",
    .unit = "{units}",
    .type = SW_HISTOGRAM,
    .level = SW_LEVEL_DETAILED,
    .bounds = size_bounds,
    .bounds_count = SW_ARRAY_SIZE(size_bounds),
};
static const struct sw_metric_family batch_bytes_family = {
    .name = "otelcol_exporter_queue_batch_send_size_bytes",
    .help = "Number of bytes in batch that was sent [Development]",
    .unit = "By",
    .type = SW_HISTOGRAM,
    .level = SW_LEVEL_DETAILED,
    .bounds = bytes_bounds,
    .bounds_count = SW_ARRAY_SIZE(bytes_bounds),
};

static const struct sw_metric_family sent_families[SW_SIGNALS_COUNT] = {
    {
        .name = "otelcol_exporter_sent_spans",
        .help = "Number of spans successfully sent to destination. [Alpha]",
        .unit = "{spans}",
        .type = SW_COUNTER,
        .level = SW_LEVEL_BASIC,
    },
    {
        .name = "otelcol_exporter_sent_metric_points",
        .help = "Number of metric points successfully sent to destination. [Alpha]",
        .unit = "{datapoints}",
        .type = SW_COUNTER,
        .level = SW_LEVEL_BASIC,
    },
    {
        .name = "otelcol_exporter_sent_log_records",
        .help = "Number of log record successfully sent to destination. [Alpha]",
        .unit = "{records}",
        .type = SW_COUNTER,
        .level = SW_LEVEL_BASIC,
    },
};
static const struct sw_metric_family failed_families[SW_SIGNALS_COUNT] = {
    {
        .name = "otelcol_exporter_send_failed_spans",
        .help = "Number of spans in failed attempts to send to destination. [Alpha]",
        .unit = "{spans}",
        .type = SW_COUNTER,
        .level = SW_LEVEL_BASIC,
    },
    {
        .name = "otelcol_exporter_send_failed_metric_points",
        .help = "Number of metric points in failed attempts to send to destination. [Alpha]",
        .unit = "{datapoints}",
        .type = SW_COUNTER,
        .level = SW_LEVEL_BASIC,
    },
    {
        .name = "otelcol_exporter_send_failed_log_records",
        .help = "Number of log records in failed attempts to send to destination. [Alpha]",
        .unit = "{records}",
        .type = SW_COUNTER,
        .level = SW_LEVEL_BASIC,
    },
};
static const struct sw_metric_family in_flight_family = {
    .name = "otelcol_exporter_in_flight_requests",
    .help = "Number of export requests currently in flight. [Development]",
    .unit = "{requests}",
    .type = SW_GAUGE,
    .level = SW_LEVEL_BASIC,
};

static const struct sw_event_kind dropping = {
    .level = SW_EVENT_ERROR,
    .message = "Exporting failed. Dropping data.",
    .component_kind = "exporter",
    .items_key = "dropped_items",
    .text_key = "error",
};
static const struct sw_event_kind rejecting = {
    .level = SW_EVENT_ERROR,
    .message = "Exporting failed. Rejecting data."
               " Try enabling sending_queue to survive temporary failures.",
    .component_kind = "exporter",
    .items_key = "rejected_items",
    .text_key = "error",
};

static void
tell(struct export *export, const struct request *request, const struct sw_outcome *outcome)
{
    struct sw_core *core = export->push.core;
    const char *text = sw_err_text(outcome->err);
    uint32_t len = (uint32_t)strlen(text);
    if (outcome->text != NULL) {
        text = (const char *)outcome->text->data;
        len = outcome->text->size;
    }
    sw_event_leave(
        core->events,
        export->queued ? &dropping : &rejecting,
        export->id,
        sw_signal_name(request->call.batch->signal),
        core->wall_ns,
        request->items_count,
        text,
        len
    );
}

static void
count_failed(struct export *export, const struct sw_outcome *outcome, uint32_t items_count)
{
    sw_count(export->failed[outcome->permanent][sw_error_type(outcome)], items_count);
}

static void done(struct sw_push_call *call, struct sw_outcome *outcome)
{
    struct request *request = SW_CONTAINER_OF(call, struct request, call);
    struct export *export = request->export;
    struct sw_push_call *outer = request->outer;
    bool ok = outcome->err == SW_OK;
    bool kept = export->stored && outcome->err == SW_E_SHUTDOWN;
    outer->batch = call->batch;
    // Of a call that failed in part, what is left of the batch is what failed.
    sw_branch_move(
        call->batch->branch, SW_BRANCH_QUEUED, sw_outcome_book(outcome), call->batch->items_count
    );
    // Both finished kinds show the sent series, as the Collector does.
    sw_count(export->sent, ok ? request->items_count : 0);
    if (!ok && !kept) {
        count_failed(export, outcome, request->items_count);
        tell(export, request, outcome);
        if (outcome->permanent) {
            sw_dead_letter_write(export->dead, call->batch);
        }
    }
    sw_count(export->in_flight, -1);
    if (export->spare_count < SPARE_MAX) {
        request->next = export->spare;
        export->spare = request;
        export->spare_count++;
    } else {
        sw_free(request);
    }
    outer->done(outer, outcome);
}

static int export_open(struct sw_push *push)
{
    return sw_push_open(((struct export *)push)->next);
}

static int export_reserve(struct sw_push *push)
{
    struct export *export = (struct export *)push;
    if (export->spare == NULL) {
        export->spare = sw_zalloc(sizeof(*export->spare));
        if (export->spare == NULL) {
            return SW_E_NOMEM;
        }
        export->spare_count = 1;
    }
    return sw_push_reserve(export->next);
}

static void fail_at_once(struct export *export, struct sw_push_call *call, int err)
{
    struct request request = {.call = {.batch = call->batch}};
    struct sw_outcome outcome = {.err = err};
    request.items_count = call->batch->items_count;
    sw_branch_move(
        call->batch->branch, SW_BRANCH_QUEUED, sw_outcome_book(&outcome), request.items_count
    );
    sw_count(export->sent, 0);
    if (!export->stored || err != SW_E_SHUTDOWN) {
        count_failed(export, &outcome, request.items_count);
        tell(export, &request, &outcome);
    }
    call->done(call, &outcome);
}

static void export_start(struct sw_push *push, struct sw_push_call *call)
{
    struct export *export = (struct export *)push;
    struct request *request = export->spare;
    if (request != NULL) {
        export->spare = request->next;
        export->spare_count--;
    } else {
        request = sw_alloc(sizeof(*request));
    }
    if (request == NULL) {
        fail_at_once(export, call, SW_E_NOMEM);
        return;
    }
    *request = (struct request){
        .call = {.batch = call->batch, .done = done, .deadline_ns = call->deadline_ns},
        .outer = call,
        .export = export,
        .items_count = call->batch->items_count,
    };
    call->below = request;
    sw_count(export->in_flight, 1);
    sw_measure(export->batch_size, call->batch->items_count);
    sw_measure(export->batch_bytes, (double)call->batch->bytes);
    sw_push_start(export->next, &request->call);
}

static void export_cancel(struct sw_push *push, struct sw_push_call *call, int err)
{
    struct request *request = call->below;
    sw_push_cancel(((struct export *)push)->next, &request->call, err);
}

static void export_stop(struct sw_push *push, bool keep_retrying)
{
    sw_push_stop(((struct export *)push)->next, keep_retrying);
}

static void export_close(struct sw_push *push)
{
    sw_push_close(((struct export *)push)->next);
}

static void export_free(struct sw_push *push)
{
    struct export *export = (struct export *)push;
    while (export->spare != NULL) {
        struct request *request = export->spare;
        export->spare = request->next;
        sw_free(request);
    }
    sw_dead_letter_desk_free(export->dead);
    sw_push_free(export->next);
    sw_free(export);
}

static const struct sw_push_ops export_ops = {
    .open = export_open,
    .reserve = export_reserve,
    .start = export_start,
    .cancel = export_cancel,
    .stop = export_stop,
    .close = export_close,
    .free = export_free,
};

// error.type and error.permanent are for those who look at details.
static int make_failed_cells(
    struct export *export,
    const struct sw_stage_env *env,
    const struct sw_label *labels,
    unsigned count,
    unsigned core
)
{
    const struct sw_metric_family *family = &failed_families[env->signal];
    bool detailed = env->metrics != NULL && sw_metrics_level(env->metrics) >= SW_LEVEL_DETAILED;
    struct sw_label all[SW_EXPORT_LABELS_MAX + 3];
    memcpy(all, labels, count * sizeof(all[0]));
    int err = SW_OK;
    for (unsigned type = 0; err == SW_OK && type < SW_ERROR_TYPES_COUNT; type++) {
        for (int permanent = 0; err == SW_OK && permanent < 2; permanent++) {
            unsigned more = 0;
            if (detailed) {
                all[count] = (struct sw_label){"error.type", sw_error_type_text(type)};
                all[count + 1] =
                    (struct sw_label){"error.permanent", permanent != 0 ? "true" : "false"};
                more = 2;
            }
            err = sw_cell_make(
                env->metrics, core, family, all, count + more, &export->failed[permanent][type]
            );
        }
    }
    return err;
}

static int make_cells(
    struct export *export,
    const struct sw_stage_env *env,
    const struct sw_export_conf *conf,
    unsigned core
)
{
    struct sw_label labels[SW_EXPORT_LABELS_MAX + 1] = {{"exporter", env->id}};
    const struct sw_label own[] = {
        {"exporter", env->id},
        {"data_type", sw_signal_name(env->signal)},
    };
    memcpy(labels + 1, conf->labels, conf->labels_count * sizeof(labels[0]));
    unsigned count = conf->labels_count + 1;
    const struct sw_metric_family *sent = &sent_families[env->signal];
    int err = sw_cell_make(env->metrics, core, sent, labels, count, &export->sent);
    if (err == SW_OK) {
        err = make_failed_cells(export, env, labels, count, core);
    }
    if (err == SW_OK) {
        err = sw_cell_make(env->metrics, core, &in_flight_family, own, 2, &export->in_flight);
    }
    if (err == SW_OK && export->queued && conf->queue->batch.enabled) {
        err = sw_cell_make(
            env->metrics, core, &batch_size_family, labels, count, &export->batch_size
        );
        if (err == SW_OK) {
            err = sw_cell_make(
                env->metrics, core, &batch_bytes_family, labels, count, &export->batch_bytes
            );
        }
    }
    return err;
}

int sw_export_new(
    const struct sw_stage_env *env,
    const struct sw_export_conf *conf,
    struct sw_queue_pool *pool,
    struct sw_core *core,
    struct sw_push *attempt,
    struct sw_stage **ret_stage
)
{
    struct sw_push *retry = NULL;
    struct sw_push *measured = NULL;
    int err = sw_measure_new(env, conf->call_kind, conf->labels, core, attempt, &measured);
    if (err != SW_OK) {
        return err;
    }
    err =
        sw_retry_new(core, env->id, conf->retry, conf->timeout_ns, env->account, measured, &retry);
    if (err != SW_OK) {
        sw_push_free(measured);
        return err;
    }
    struct export *export = sw_zalloc(sizeof(*export));
    if (export == NULL) {
        sw_push_free(retry);
        return SW_E_NOMEM;
    }
    export->push = (struct sw_push){.ops = &export_ops, .core = core};
    export->next = retry;
    export->id = env->id;
    export->queued = conf->queue != NULL && conf->queue->enabled;
    export->stored = export->queued && conf->queue->storage[0] != '\0';
    err = make_cells(export, env, conf, core->index);
    if (err == SW_OK) {
        err = sw_dead_letter_desk_new(env, conf->dead, core, &export->dead);
    }
    if (err == SW_OK) {
        err = sw_sending_queue_new(env, pool, core, &export->push, ret_stage);
    }
    if (err != SW_OK) {
        sw_push_free(&export->push);
    }
    return err;
}
