/* One backend on one core: [queue] → this → retry → channel. This layer keeps the books of what the
 * backend owns, and gives undelivered parts back when the backend leaves or refuses connections. */
#include "dataplane/balance/balance_internal.h"
#include "dataplane/base/event.h"
#include "dataplane/base/mem.h"
#include "dataplane/pipeline/drain_notice.h"
#include "storage/retry/retry_on_failure.h"

#include <string.h>

static const struct sw_event_kind dropping = {
    .level = SW_EVENT_ERROR,
    .message = "Exporting failed. Dropping data.",
    .component_kind = "exporter",
    .items_key = "dropped_items",
    .text_key = "error",
};

static void tell_dropped(
    struct backend *backend,
    const struct sw_batch *batch,
    const struct sw_outcome *outcome
)
{
    struct sw_core *core = backend->push.core;
    const char *text = sw_err_text(outcome->err);
    uint32_t len = (uint32_t)strlen(text);
    if (outcome->text != NULL) {
        text = (const char *)outcome->text->data;
        len = outcome->text->size;
    }
    sw_event_leave(
        core->events,
        &dropping,
        sw_router_balance(backend->router)->backend_id,
        sw_signal_name(batch->signal),
        core->wall_ns,
        batch->items_count,
        text,
        len
    );
}

static bool gives_back(const struct backend *backend)
{
    return backend->leaving || backend->down;
}

// A part that the backend owns: nobody else will look after it.
static void
end_owned(struct backend *backend, struct sw_push_call *call, struct sw_outcome *outcome)
{
    struct sw_batch *batch = call->batch;
    if (outcome->err != SW_OK && !outcome->permanent && gives_back(backend)) {
        struct sw_outcome ok = {.err = SW_OK};
        call->batch = NULL;
        sw_outcome_fini(outcome);
        sw_router_take_back(backend->router, batch);
        call->done(call, &ok);
        return;
    }
    sw_branch_move(batch->branch, SW_BRANCH_QUEUED, sw_outcome_book(outcome), batch->items_count);
    if (outcome->err != SW_OK) {
        tell_dropped(backend, batch, outcome);
    }
    call->done(call, outcome);
}

static void end_call(struct backend *backend, struct sw_push_call *call, struct sw_outcome *outcome)
{
    if (outcome->err != SW_OK && !outcome->permanent) {
        sw_router_look_again(backend->router);
    }
    if (sw_router_balance(backend->router)->hands_over) {
        end_owned(backend, call, outcome);
    } else {
        call->done(call, outcome);
    }
}

static void errand_done(struct sw_push_call *call, struct sw_outcome *outcome)
{
    struct errand *errand = SW_CONTAINER_OF(call, struct errand, call);
    struct backend *backend = errand->backend;
    struct sw_push_call *outer = errand->outer;
    outer->batch = call->batch;
    TAILQ_REMOVE(&backend->errands, errand, link);
    backend->errands_count--;
    if (backend->spare == NULL) {
        backend->spare = errand;
    } else {
        sw_free(errand);
    }
    end_call(backend, outer, outcome);
}

static struct errand *take_errand(struct backend *backend)
{
    struct errand *errand = backend->spare;
    backend->spare = NULL;
    return errand != NULL ? errand : sw_alloc(sizeof(*errand));
}

static void backend_start(struct sw_push *push, struct sw_push_call *call)
{
    struct backend *backend = (struct backend *)push;
    struct sw_outcome outcome = {.err = SW_E_CLOSED};
    if (sw_router_gave_up(backend->router, call->batch)) {
        outcome.err = SW_E_TIMEOUT;
        call->done(call, &outcome);
        return;
    }
    struct errand *errand = gives_back(backend) ? NULL : take_errand(backend);
    if (errand == NULL) {
        outcome.err = gives_back(backend) ? SW_E_CLOSED : SW_E_NOMEM;
        end_call(backend, call, &outcome);
        return;
    }
    *errand = (struct errand){
        .call = {.batch = call->batch, .done = errand_done, .deadline_ns = call->deadline_ns},
        .outer = call,
        .backend = backend,
        .batch = call->batch,
    };
    call->below = errand;
    TAILQ_INSERT_TAIL(&backend->errands, errand, link);
    backend->errands_count++;
    sw_push_start(backend->retry, &errand->call);
}

static void backend_cancel(struct sw_push *push, struct sw_push_call *call, int err)
{
    struct errand *errand = call->below;
    sw_push_cancel(((struct backend *)push)->retry, &errand->call, err);
}

static int backend_open(struct sw_push *push)
{
    return sw_push_open(((struct backend *)push)->retry);
}

static int backend_reserve(struct sw_push *push)
{
    struct backend *backend = (struct backend *)push;
    if (backend->spare == NULL) {
        backend->spare = sw_alloc(sizeof(*backend->spare));
        if (backend->spare == NULL) {
            return SW_E_NOMEM;
        }
    }
    return sw_push_reserve(backend->retry);
}

static void backend_stop(struct sw_push *push, bool keep_retrying)
{
    struct backend *backend = (struct backend *)push;
    // What waits for a backend that has left is better sent to another one.
    sw_push_stop(backend->retry, keep_retrying && !backend->leaving);
}

static void backend_close(struct sw_push *push)
{
    sw_push_close(((struct backend *)push)->retry);
}

// Only the layers below: the backend is its router's.
static void backend_push_free(struct sw_push *push)
{
    struct backend *backend = (struct backend *)push;
    sw_push_free(backend->retry);
    backend->retry = NULL;
    sw_free(backend->spare);
    backend->spare = NULL;
}

static const struct sw_push_ops backend_ops = {
    .open = backend_open,
    .reserve = backend_reserve,
    .start = backend_start,
    .cancel = backend_cancel,
    .stop = backend_stop,
    .close = backend_close,
    .free = backend_push_free,
};

/* ---- from outside ---- */

bool sw_backend_cancel(struct backend *backend, const struct sw_batch *batch, int err)
{
    const struct sw_sending_queue_conf *queue =
        &sw_router_balance(backend->router)->conf->protocol.otlp.sending_queue;
    struct errand *errand;
    if (queue->enabled && queue->batch.enabled) {
        return false; // calls are of parts that were joined
    }
    TAILQ_FOREACH(errand, &backend->errands, link)
    {
        if (errand->batch == batch) {
            sw_push_cancel(backend->retry, &errand->call, err);
            return true;
        }
    }
    return false;
}

bool sw_backend_refuses(const struct backend *backend)
{
    struct sw_channel_state state;
    if (backend->channel == NULL) {
        return true;
    }
    sw_channel_state(backend->channel, &state);
    return state.failing && state.connections_leaving == 0;
}

void sw_backend_leave(struct backend *backend)
{
    backend->leaving = true;
    if (backend->stage == NULL) {
        backend->drained = true;
        return;
    }
    // What is under way to the backend may still be answered; what waits comes back.
    backend->drained = backend->stage->ops->drain(backend->stage, SW_TIME_NEVER) == SW_OK;
}

void sw_backend_bounce(struct backend *backend)
{
    struct errand *errand;
    // Nothing is on the wire where there is no connection, so nothing is sent twice.
    while ((errand = TAILQ_FIRST(&backend->errands)) != NULL) {
        sw_push_cancel(backend->retry, &errand->call, SW_E_REFUSED);
    }
}

// Told again by another connection, or by another core's, it is the same end.
static void on_goaway(struct sw_channel_watch *watch, struct sw_http_text debug)
{
    struct backend *backend = SW_CONTAINER_OF(watch, struct backend, watch);
    struct endpoint *endpoint = backend->endpoint;
    uint64_t notice_ns = 0;
    if (!sw_drain_notice_read(debug.data, debug.len, &notice_ns)) {
        return;
    }
    // Pairs with nothing but itself: the number alone is looked at.
    uint64_t ends_ns = SW_MAX(backend->push.core->now_ns + notice_ns, 1);
    atomic_store_explicit(&endpoint->ends_ns, ends_ns, memory_order_relaxed);
    sw_router_drains_changed(backend->router);
}

static int make_chain(struct backend *backend)
{
    const struct balance *balance = sw_router_balance(backend->router);
    const struct sw_otlp_exporter_conf *conf = &balance->conf->protocol.otlp;
    struct sw_core *core = backend->push.core;
    struct sw_stage_env env = {
        .id = balance->backend_id,
        .signal = balance->signal,
        .account = balance->account,
        .cores_count = balance->cores_count,
        .drain_retry = balance->drain_retry,
    };
    int err = sw_otlp_calls_open(
        backend->endpoint->calls, core, balance->resolver, balance->account, &backend->channel
    );
    if (err != SW_OK) {
        return err;
    }
    if (balance->recent != NULL) {
        backend->watch.goaway = on_goaway;
        sw_channel_watch(backend->channel, &backend->watch);
    }
    err = sw_retry_new(
        core,
        balance->backend_id,
        &conf->retry_on_failure,
        (uint64_t)conf->timeout_ns,
        balance->account,
        backend->channel,
        &backend->retry
    );
    if (err != SW_OK) {
        sw_push_free(backend->channel);
        return err;
    }
    err =
        sw_sending_queue_new(&env, backend->endpoint->pool, core, &backend->push, &backend->stage);
    if (err != SW_OK) {
        backend_push_free(&backend->push);
    }
    return err;
}

int sw_backend_new(struct router *router, struct endpoint *endpoint, struct backend **ret_backend)
{
    struct sw_core *core = sw_router_push(router)->core;
    struct backend *backend = sw_zalloc(sizeof(*backend));
    if (backend == NULL) {
        return SW_E_NOMEM;
    }
    backend->push = (struct sw_push){.ops = &backend_ops, .core = core};
    backend->router = router;
    TAILQ_INIT(&backend->errands);
    backend->endpoint = endpoint;
    int err = endpoint->calls != NULL ? make_chain(backend) : SW_OK;
    if (err != SW_OK) {
        sw_free(backend);
        return err;
    }
    sw_endpoint_ref(endpoint);
    for (unsigned i = 0; i < 2 && endpoint->outcome[i] != NULL; i++) {
        backend->outcome[i] = sw_series_cell(endpoint->outcome[i], core->index);
    }
    if (endpoint->latency != NULL) {
        backend->latency = sw_series_cell(endpoint->latency, core->index);
    }
    *ret_backend = backend;
    return SW_OK;
}

void sw_backend_free(struct backend *backend)
{
    if (backend == NULL) {
        return;
    }
    if (backend->stage != NULL) {
        backend->stage->ops->free(backend->stage);
    }
    sw_endpoint_unref(backend->endpoint);
    sw_free(backend);
}
