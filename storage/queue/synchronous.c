/* The exporter without a queue: the ticket of the sender is settled with the backend's answer. */
#include "dataplane/base/event.h"
#include "dataplane/base/mem.h"
#include "storage/queue/queue_internal.h"

struct request {
    struct sw_push_call call;
    struct sw_ticket *ticket;
    struct synchronous *synchronous;
    struct request *next;
    struct request *prev;
};

struct synchronous {
    struct sw_stage stage;
    struct sw_push *push;
    struct request *under_way;
    struct request *spare;
    uint32_t spare_count;
    uint32_t reserved_count; // places given by admit and not used yet
    bool stopped;
    bool drain_retry;
};

static const struct sw_event_kind rejecting = {
    .level = SW_EVENT_ERROR,
    .message = "Exporting failed. Rejecting data."
               " Try enabling sending_queue to survive temporary failures.",
    .component_kind = "exporter",
    .items_key = "rejected_items",
    .text_key = "error",
};

static void tell_rejected(struct synchronous *synchronous, const struct sw_batch *batch, int err)
{
    struct sw_core *core = synchronous->stage.core;
    const char *text = sw_err_text(err);
    sw_event_leave(
        core->events,
        &rejecting,
        synchronous->stage.id,
        sw_signal_name(batch->signal),
        core->wall_ns,
        batch->items_count,
        text,
        (uint32_t)__builtin_strlen(text)
    );
}

static void unlink_request(struct synchronous *synchronous, struct request *request)
{
    if (request->prev != NULL) {
        request->prev->next = request->next;
    } else {
        synchronous->under_way = request->next;
    }
    if (request->next != NULL) {
        request->next->prev = request->prev;
    }
}

static void request_done(struct sw_push_call *call, struct sw_outcome *outcome)
{
    struct request *request = SW_CONTAINER_OF(call, struct request, call);
    struct synchronous *synchronous = request->synchronous;
    struct sw_ticket *ticket = request->ticket;
    unlink_request(synchronous, request);
    sw_batch_free(call->batch);
    request->next = synchronous->spare;
    synchronous->spare = request;
    synchronous->spare_count++;
    sw_ticket_settle(ticket, outcome);
}

// A place is the request's own memory, had now, so that consume cannot fail.
static int
synchronous_admit(struct sw_stage *stage, const struct sw_batch *batch, enum sw_admit mode)
{
    struct synchronous *synchronous = (struct synchronous *)stage;
    if (synchronous->spare_count <= synchronous->reserved_count) {
        struct request *request = sw_alloc(sizeof(*request));
        if (request == NULL) {
            return SW_E_NOMEM;
        }
        request->next = synchronous->spare;
        synchronous->spare = request;
        synchronous->spare_count++;
    }
    synchronous->reserved_count++;
    return SW_OK;
}

static void synchronous_retract(struct sw_stage *stage, const struct sw_batch *batch)
{
    struct synchronous *synchronous = (struct synchronous *)stage;
    SW_ASSERT(synchronous->reserved_count > 0);
    synchronous->reserved_count--;
}

static void
synchronous_consume(struct sw_stage *stage, struct sw_batch *batch, struct sw_ticket *ticket)
{
    struct synchronous *synchronous = (struct synchronous *)stage;
    SW_ASSERT(synchronous->reserved_count > 0);
    synchronous->reserved_count--;
    struct request *request = synchronous->spare;
    synchronous->spare = request->next;
    synchronous->spare_count--;
    *request = (struct request){
        .call = {.batch = batch, .done = request_done, .deadline_ns = SW_TIME_NEVER},
        .ticket = ticket,
        .synchronous = synchronous,
        .next = synchronous->under_way,
    };
    if (request->next != NULL) {
        request->next->prev = request;
    }
    synchronous->under_way = request;
    sw_push_start(synchronous->push, &request->call);
}

static void synchronous_drop(struct sw_stage *stage, const struct sw_batch *batch, int err)
{
    tell_rejected((struct synchronous *)stage, batch, err);
}

static void cancel_all(struct synchronous *synchronous)
{
    while (synchronous->under_way != NULL) {
        struct request *request = synchronous->under_way;
        sw_push_cancel(synchronous->push, &request->call, SW_E_SHUTDOWN);
    }
}

static int synchronous_drain(struct sw_stage *stage, uint64_t deadline_ns)
{
    struct synchronous *synchronous = (struct synchronous *)stage;
    if (!synchronous->stopped) {
        synchronous->stopped = true;
        sw_push_stop(synchronous->push, synchronous->drain_retry);
    }
    if (stage->core->now_ns >= deadline_ns) {
        cancel_all(synchronous);
    }
    if (synchronous->under_way != NULL) {
        return SW_E_AGAIN;
    }
    sw_push_close(synchronous->push);
    return SW_OK;
}

static int synchronous_start(struct sw_stage *stage)
{
    return sw_push_open(((struct synchronous *)stage)->push);
}

static void synchronous_free(struct sw_stage *stage)
{
    struct synchronous *synchronous = (struct synchronous *)stage;
    if (synchronous == NULL) {
        return;
    }
    cancel_all(synchronous);
    while (synchronous->spare != NULL) {
        struct request *request = synchronous->spare;
        synchronous->spare = request->next;
        sw_free(request);
    }
    sw_push_free(synchronous->push);
    sw_free(synchronous);
}

static const struct sw_stage_ops synchronous_ops = {
    .admit = synchronous_admit,
    .retract = synchronous_retract,
    .consume = synchronous_consume,
    .drop = synchronous_drop,
    .start = synchronous_start,
    .drain = synchronous_drain,
    .free = synchronous_free,
};

int sw_synchronous_new(
    const struct sw_stage_env *env,
    struct sw_core *core,
    struct sw_push *push,
    struct sw_stage **ret_stage
)
{
    struct synchronous *synchronous = sw_zalloc(sizeof(*synchronous));
    if (synchronous == NULL) {
        return SW_E_NOMEM;
    }
    synchronous->stage = (struct sw_stage){.ops = &synchronous_ops, .core = core, .id = env->id};
    synchronous->push = push;
    synchronous->drain_retry = env->drain_retry;
    *ret_stage = &synchronous->stage;
    return SW_OK;
}
