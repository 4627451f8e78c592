/* A request from its whole body to its answer. What can take long (large bodies) is done in slices by a
 * task; everything else at once. */
#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"
#include "dataplane/otlp/protobuf.h"
#include "dataplane/receive/receive_internal.h"

#include <stdio.h>

// Looked at in one step: validating costs about 0.2 ms a mebibyte.
#define SLICE_BYTES (1024u * 1024)
// Bodies up to this are decoded where they arrive.
#define AT_ONCE_BYTES (512u * 1024)
// Kept for the next calls; more were needed only for a moment.
#define SPARE_MAX 4096u

static void settled(struct sw_ticket *ticket);
static void deadline_passed(struct sw_timer *timer, uint64_t now_ns);
static bool decode_slice(struct sw_task *task, uint64_t now_ns);

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
    call->touched_ns = receiver->core->now_ns;
    call->deadline_ns = SW_TIME_NEVER;
    call->task.run = decode_slice;
    sw_timer_init(&call->timer, deadline_passed);
    LIST_INSERT_HEAD(&conn->calls, call, of_owner);
    conn->calls_count++;
    receiver->calls_count++;
    return call;
}

static void let_go(struct receive_call *call)
{
    sw_grpc_reader_fini(&call->reader);
    sw_buf_unref(call->body);
    call->body = NULL;
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

static void refuse_err(struct receive_call *call, enum receive_refusal refusal, int err)
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

static void count(struct receive_call *call, int err)
{
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
    struct sw_batch *batch = sw_batch_new(call->signal);
    if (batch == NULL) {
        return NULL;
    }
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

static void hand_over(struct receive_call *call)
{
    struct sw_otlp_receiver *receiver = call->endpoint->receiver;
    struct sw_stage *entry = receiver->env.entries[call->signal];
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

/* ---- decoding ---- */

static bool is_grpc(const struct receive_call *call)
{
    return call->endpoint == &call->endpoint->receiver->grpc;
}

static void refuse_inflated(struct receive_call *call, int err, const char *why, bool at_header)
{
    uint32_t most = call->endpoint->message_max;
    struct sw_buf *text;
    if (err == SW_E_NOMEM) {
        refuse_err(call, RECEIVE_MEMORY, err);
    } else if (!is_grpc(call)) {
        bool large = err == SW_E_TOO_LARGE;
        text = sw_receive_text("%s", large ? "http: request body too large" : why);
        enum receive_refusal refusal = large ? RECEIVE_TOO_LARGE : RECEIVE_CORRUPT;
        sw_receive_call_refuse_text(call, refusal, 400, SW_GRPC_INVALID_ARGUMENT, text);
    } else if (err == SW_E_TOO_LARGE) {
        text =
            sw_receive_text("grpc: received message after decompression larger than max %u", most);
        sw_receive_call_refuse_text(call, RECEIVE_TOO_LARGE, 0, SW_GRPC_RESOURCE_EXHAUSTED, text);
    } else {
        const char *words =
            at_header ? "failed to decompress the message" : "failed to read decompressed data";
        text = sw_receive_text("grpc: %s: %s", words, why);
        sw_receive_call_refuse_text(call, RECEIVE_CORRUPT, 0, SW_GRPC_INTERNAL, text);
    }
}

// In one step, whatever its size: the codec has no slices. A message of 4 MiB takes some 4 ms.
static bool inflate(struct receive_call *call)
{
    struct sw_otlp_receiver *receiver = call->endpoint->receiver;
    struct sw_buf *packed = call->body;
    struct sw_buf *plain = NULL;
    const char *why = "";
    bool at_header = false;
    int err = sw_codec_open(
        receiver->codec,
        SW_CODING_GZIP,
        packed != NULL ? packed->data : (const uint8_t *)"",
        packed != NULL ? packed->size : 0,
        call->endpoint->message_max,
        receiver->core->account,
        &plain,
        &why,
        &at_header
    );
    if (err != SW_OK) {
        refuse_inflated(call, err, why, at_header);
        return false;
    }
    sw_buf_unref(packed);
    call->body = plain;
    call->gzip = false;
    return true;
}

// Whole fields of the request from `data` on, about a slice. Where the bytes make no sense it is all of
// them: the validator has the words for it.
static size_t slice_of(const uint8_t *data, size_t size)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    if (size <= SLICE_BYTES) {
        return size;
    }
    sw_pb_reader_init(&reader, (struct sw_bytes){data, size});
    while (sw_pb_next(&reader, &field)) {
        size_t end = (size_t)(reader.at - data);
        if (end >= SLICE_BYTES) {
            return end;
        }
    }
    return size;
}

// A request is the concatenation of its fields, so parts that hold whole ones are judged alone.
static bool validate(struct receive_call *call)
{
    struct sw_otlp_counts counts;
    struct sw_otlp_fault fault;
    const uint8_t *data = call->body->data + call->decoded_bytes;
    size_t size = slice_of(data, call->body->size - call->decoded_bytes);
    if (sw_otlp_validate(SW_TRACES, data, size, &counts, &fault) != SW_OK) {
        struct sw_buf *text = NULL;
        if (is_grpc(call)) {
            text = sw_receive_text("grpc: error unmarshalling request: %s", fault.text);
            sw_receive_call_refuse_text(call, RECEIVE_MALFORMED, 0, SW_GRPC_INTERNAL, text);
        } else {
            text = sw_receive_text("%s", fault.text);
            sw_receive_call_refuse_text(
                call, RECEIVE_MALFORMED, 400, SW_GRPC_INVALID_ARGUMENT, text
            );
        }
        return false;
    }
    call->decoded_bytes += size;
    call->counts.resources += counts.resources;
    call->counts.items += counts.items;
    call->counts.migrate |= counts.migrate;
    return true;
}

// @return true when there is more to do; else the call may be gone
static bool decode_step(struct receive_call *call)
{
    if (call->gzip) {
        return inflate(call);
    }
    if (call->body != NULL && call->decoded_bytes < call->body->size) {
        return validate(call);
    }
    hand_over(call);
    return false;
}

static bool decode_slice(struct sw_task *task, uint64_t now_ns)
{
    (void)now_ns;
    return decode_step(SW_CONTAINER_OF(task, struct receive_call, task));
}

void sw_receive_call_submit(struct receive_call *call, struct sw_buf *body)
{
    SW_ASSERT(call->state == CALL_BODY);
    call->state = CALL_DECODING;
    call->body = body;
    do {
        if (call->body != NULL && call->body->size > AT_ONCE_BYTES) {
            sw_core_task(call->endpoint->receiver->core, &call->task);
            return;
        }
    } while (decode_step(call));
}
