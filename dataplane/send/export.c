#include "dataplane/send/export.h"

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
    struct request *spare;
    uint32_t spare_count;
    struct sw_cell *sent;
    struct sw_cell *failed;
    struct sw_cell *in_flight;
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

static enum sw_branch_flow book_of(const struct sw_outcome *outcome)
{
    if (outcome->err == SW_OK) {
        return SW_BRANCH_DELIVERED;
    }
    if (outcome->err == SW_E_SHUTDOWN) {
        return SW_BRANCH_FAILED_SHUTDOWN;
    }
    if (outcome->err == SW_E_NOMEM) {
        return SW_BRANCH_FAILED_MEMORY;
    }
    return outcome->permanent ? SW_BRANCH_FAILED_PERMANENT : SW_BRANCH_FAILED_RETRIES;
}

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

static void done(struct sw_push_call *call, struct sw_outcome *outcome)
{
    struct request *request = SW_CONTAINER_OF(call, struct request, call);
    struct export *export = request->export;
    struct sw_push_call *outer = request->outer;
    bool ok = outcome->err == SW_OK;
    outer->batch = call->batch;
    sw_branch_move(call->batch->branch, SW_BRANCH_QUEUED, book_of(outcome), request->items_count);
    // Both finished kinds show the sent series, as the Collector does.
    sw_count(export->sent, ok ? request->items_count : 0);
    if (!ok) {
        sw_count(export->failed, request->items_count);
        tell(export, request, outcome);
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
    sw_branch_move(call->batch->branch, SW_BRANCH_QUEUED, book_of(&outcome), request.items_count);
    sw_count(export->sent, 0);
    sw_count(export->failed, request.items_count);
    tell(export, &request, &outcome);
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
    const struct sw_metric_family *failed = &failed_families[env->signal];
    int err = sw_cell_make(env->metrics, core, sent, labels, count, &export->sent);
    if (err == SW_OK) {
        err = sw_cell_make(env->metrics, core, failed, labels, count, &export->failed);
    }
    if (err == SW_OK) {
        err = sw_cell_make(env->metrics, core, &in_flight_family, own, 2, &export->in_flight);
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
    int err =
        sw_retry_new(core, env->id, conf->retry, conf->timeout_ns, env->account, attempt, &retry);
    if (err != SW_OK) {
        sw_push_free(attempt);
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
    err = make_cells(export, env, conf, core->index);
    if (err == SW_OK) {
        err = sw_sending_queue_new(env, pool, core, &export->push, ret_stage);
    }
    if (err != SW_OK) {
        sw_push_free(&export->push);
    }
    return err;
}
