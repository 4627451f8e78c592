/* The life of a request, its answer, and the way of what it brought into the pipeline. decode.c stands
 * before that. */
#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"
#include "dataplane/receive/receive_internal.h"

// Kept for the next calls; more were needed only for a moment.
#define SPARE_MAX 4096u

static void settled(struct sw_ticket *ticket);
static void deadline_passed(struct sw_timer *timer, uint64_t now_ns);

/* ---- life ---- */

struct receive_call *sw_receive_call_new(struct receive_conn *conn)
{
    struct sw_otlp_receiver *receiver = conn->endpoint->receiver;
    struct receive_call *call = receiver->spare;
    if (call != NULL) {
        receiver->spare = call->next_spare;
        receiver->spare_count--;
    } else {
        call = sw_alloc(sizeof(*call));
        if (call == NULL) {
            return NULL;
        }
    }
    memset(call, 0, sizeof(*call));
    call->endpoint = conn->endpoint;
    call->conn = conn;
    call->state = CALL_BODY;
    call->open = true;
    call->began_ns = receiver->core->now_ns;
    call->touched_ns = receiver->core->now_ns;
    call->deadline_ns = SW_TIME_NEVER;
    sw_timer_init(&call->timer, deadline_passed);
    LIST_INSERT_HEAD(&conn->calls, call, of_owner);
    conn->calls_count++;
    receiver->calls_count++;
    return call;
}

static void let_go(struct receive_call *call)
{
    sw_grpc_reader_fini(&call->reader);
    sw_json_reader_free(call->json); // reads out of the body
    call->json = NULL;
    sw_buf_unref(call->body);
    call->body = NULL;
    sw_buf_unref(call->metadata);
    call->metadata = NULL;
    sw_buf_unref(call->fault.text);
    call->fault.text = NULL;
}

static void release(struct receive_call *call)
{
    struct sw_otlp_receiver *receiver = call->endpoint->receiver;
    SW_ASSERT(!call->open && call->state == CALL_DONE && !call->task.queued);
    let_go(call);
    LIST_REMOVE(call, of_owner);
    if (call->conn != NULL) {
        call->conn->calls_count--;
    }
    receiver->calls_count--;
    if (receiver->spare_count >= SPARE_MAX) {
        sw_free(call);
        return;
    }
    call->next_spare = receiver->spare;
    receiver->spare = call;
    receiver->spare_count++;
}

void sw_receive_call_close(struct receive_call *call)
{
    SW_ASSERT(call->open);
    call->open = false;
    struct sw_core *core = call->endpoint->receiver->core;
    sw_timer_cancel(&core->timers, &call->timer);
    if (call->state == CALL_WAITING) {
        return; // its ticket frees it
    }
    sw_core_task_cancel(core, &call->task);
    call->state = CALL_DONE;
    release(call);
}

void sw_receive_calls_close(struct receive_conn *conn)
{
    struct sw_otlp_receiver *receiver = conn->endpoint->receiver;
    struct receive_call *call;
    while ((call = LIST_FIRST(&conn->calls)) != NULL) {
        LIST_REMOVE(call, of_owner);
        conn->calls_count--;
        call->conn = NULL;
        LIST_INSERT_HEAD(&receiver->orphans, call, of_owner);
        if (call->open) {
            sw_receive_call_close(call);
        }
    }
}

void sw_receive_calls_free(struct sw_otlp_receiver *receiver)
{
    struct receive_call *call;
    while ((call = LIST_FIRST(&receiver->orphans)) != NULL) {
        // No ticket can come back: the stages are gone.
        call->state = CALL_DONE;
        release(call);
    }
    while ((call = receiver->spare) != NULL) {
        receiver->spare = call->next_spare;
        sw_free(call);
    }
}

/* ---- answering ---- */

// The call may be gone on return.
static void tell(struct receive_call *call, const struct receive_answer *answer)
{
    if (call->open && !call->answered) {
        call->answered = true;
        if (call->endpoint->durations != NULL && call->method == METHOD_EXPORT) {
            sw_receive_measure(call, answer);
        }
        call->endpoint->ops->answer(call, answer);
    }
}

static void tell_success(struct receive_call *call)
{
    struct receive_answer answer = {0};
    call->state = CALL_DONE;
    tell(call, &answer);
}

void sw_receive_call_refuse(
    struct receive_call *call,
    enum receive_refusal refusal,
    const struct receive_answer *answer
)
{
    SW_ASSERT(call->state != CALL_WAITING);
    receive_count_refusal(call->endpoint, refusal);
    // What the answer borrows may be the call's own.
    struct sw_buf *kept = sw_buf_ref(call->fault.text);
    sw_core_task_cancel(call->endpoint->receiver->core, &call->task);
    call->state = CALL_DONE;
    let_go(call);
    tell(call, answer);
    sw_buf_unref(kept);
}

void sw_receive_call_refuse_text(
    struct receive_call *call,
    enum receive_refusal refusal,
    unsigned http_status,
    int grpc_code,
    struct sw_buf *text
)
{
    struct receive_answer answer = {
        .grpc_code = grpc_code,
        .http_status = http_status,
        .text = receive_buf_text(text),
    };
    sw_receive_call_refuse(call, refusal, &answer);
    sw_buf_unref(text);
}

void sw_receive_call_refuse_err(struct receive_call *call, enum receive_refusal refusal, int err)
{
    struct receive_answer answer;
    sw_receive_answer_of_err(err, &answer);
    sw_receive_call_refuse(call, refusal, &answer);
}

/* ---- the pipeline ---- */

bool sw_receive_memory_short(struct sw_otlp_receiver *receiver)
{
    const struct sw_otlp_receiver_env *env = &receiver->env;
    return env->memory_limit_bytes > 0
           && sw_memory_used(receiver->core->account, env->baseline) >= env->memory_limit_bytes;
}

// What other gateways forward was received there.
static void count(struct receive_call *call, int err)
{
    if (call->method != METHOD_EXPORT || call->exporter != NULL) {
        return;
    }
    const struct receive_cells *cells = &call->endpoint->cells[call->signal];
    int64_t items = call->counts.items;
    sw_count(cells->accepted, err == SW_OK ? items : 0);
    sw_count(cells->refused, err == SW_OK ? 0 : items);
    sw_count(cells->failed, 0);
    sw_count(cells->requests[err == SW_OK ? 0 : 1], 1);
}

// Counted, told, freed when nobody listens.
static void finish(struct receive_call *call, struct sw_outcome *outcome)
{
    SW_ASSERT(call->state == CALL_DONE);
    sw_timer_cancel(&call->endpoint->receiver->core->timers, &call->timer);
    count(call, outcome->err);
    if (call->open) {
        struct receive_answer answer;
        sw_receive_answer_of_outcome(outcome, &answer);
        tell(call, &answer);
    } else {
        release(call);
    }
    sw_outcome_fini(outcome);
}

static void finish_err(struct receive_call *call, int err)
{
    struct sw_outcome outcome = {.err = err};
    call->state = CALL_DONE;
    finish(call, &outcome);
}

static void settled(struct sw_ticket *ticket)
{
    struct receive_call *call = SW_CONTAINER_OF(ticket, struct receive_call, ticket);
    call->state = CALL_DONE;
    if (!call->handing) {
        struct sw_outcome outcome = ticket->outcome;
        finish(call, &outcome);
    }
}

static void deadline_passed(struct sw_timer *timer, uint64_t now_ns)
{
    (void)now_ns;
    struct receive_call *call = SW_CONTAINER_OF(timer, struct receive_call, timer);
    // Go's words for it. The data stay where they are: the sender may see them twice, never lost.
    struct receive_answer answer = {
        .grpc_code = SW_GRPC_DEADLINE_EXCEEDED,
        .text = SW_HTTP_TEXT("context deadline exceeded"),
    };
    tell(call, &answer);
}

// @return NULL: out of memory
static struct sw_batch *make_batch(struct receive_call *call)
{
    struct sw_client *client = NULL;
    if (sw_receive_client(call, &client) != SW_OK) {
        return NULL;
    }
    struct sw_batch *batch = sw_batch_new(call->signal);
    if (batch == NULL) {
        sw_client_unref(client);
        return NULL;
    }
    batch->client = client;
    struct sw_buf *body = call->body;
    if (sw_batch_add_raw(batch, body, body->data, body->size, call->counts.items) != SW_OK) {
        sw_batch_free(batch);
        return NULL;
    }
    batch->arrived_ns = call->endpoint->receiver->core->now_ns;
    return batch;
}

static void consume(struct receive_call *call, struct sw_stage *entry, struct sw_batch *batch)
{
    sw_ticket_init(&call->ticket, settled);
    call->state = CALL_WAITING;
    call->handing = true;
    sw_stage_consume(entry, batch, &call->ticket);
    call->handing = false;
    if (call->state == CALL_DONE) {
        struct sw_outcome outcome = call->ticket.outcome;
        finish(call, &outcome);
    } else if (call->deadline_ns != SW_TIME_NEVER && call->open) {
        struct sw_timers *timers = &call->endpoint->receiver->core->timers;
        sw_timer_set(timers, &call->timer, call->deadline_ns);
    }
}

static struct sw_stage *entry_of(const struct receive_call *call)
{
    const struct sw_otlp_receiver *receiver = call->endpoint->receiver;
    if (call->exporter != NULL) {
        return call->exporter->stages[receiver->core->index];
    }
    return call->method == METHOD_FORWARD ? call->door->entries[receiver->core->index]
                                          : receiver->env.entries[call->signal];
}

static void take_decisions(struct receive_call *call)
{
    struct sw_core *core = call->endpoint->receiver->core;
    struct sw_bytes message = {NULL, 0};
    if (call->body != NULL) {
        message = (struct sw_bytes){call->body->data, call->body->size};
    }
    int err = call->door->decisions(call->door, core, message);
    if (err != SW_OK) {
        struct sw_buf *text = sw_receive_text("grpc: error unmarshalling request");
        sw_receive_call_refuse_text(call, RECEIVE_MALFORMED, 0, SW_GRPC_INTERNAL, text);
        return;
    }
    let_go(call);
    tell_success(call);
}

void sw_receive_call_hand_over(struct receive_call *call)
{
    struct sw_otlp_receiver *receiver = call->endpoint->receiver;
    if (call->method == METHOD_DECISIONS) {
        take_decisions(call);
        return;
    }
    struct sw_stage *entry = entry_of(call);
    if (call->counts.items == 0) {
        let_go(call);
        tell_success(call); // without items it never reaches the pipeline, nor the metrics
        return;
    }
    if (call->counts.migrate) {
        call->body->size = (uint32_t)sw_otlp_migrate(call->body->data, call->body->size);
    }
    if (sw_receive_memory_short(receiver)) {
        let_go(call);
        finish_err(call, SW_E_MEMORY_LIMIT);
        return;
    }
    struct sw_batch *batch = make_batch(call);
    let_go(call); // the batch has a reference of its own
    if (batch == NULL) {
        finish_err(call, SW_E_NOMEM);
        return;
    }
    int err = sw_stage_admit(entry, batch, SW_ADMIT_ALL);
    if (err != SW_OK) {
        sw_batch_free(batch);
        finish_err(call, err);
        return;
    }
    consume(call, entry, batch);
}
