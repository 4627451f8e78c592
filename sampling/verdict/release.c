/* The way out of kept spans: each trace is copied into a buffer of its own (or, where the next
 * stage batches anyway, behind others into a larger one) and handed on. What finds no room
 * downstream is kept in order and offered again; meanwhile no further trace is decided, so no more
 * than one payload and what comes late piles up here. */
#include "dataplane/base/mem.h"
#include "sampling/verdict/verdict_internal.h"

// How soon a payload without room, or without memory, is tried again.
#define RETRY_NS (5 * SW_NS_PER_MS)
// Payloads that may be joined are.
#define JOINED_BYTES (256u * 1024)
// A payload cannot be larger: the buffer's size has 32 bits. Groups come from requests, so none is.
#define PAYLOAD_MAX (UINT32_MAX / 2)

static const struct sw_event_kind sending_failed = {
    .level = SW_EVENT_WARN,
    .message = "Error sending spans to destination",
    .component_kind = "processor",
    .text_key = "error",
};

static void on_retry(struct sw_timer *timer, uint64_t now_ns)
{
    struct release *release = SW_CONTAINER_OF(timer, struct release, retry);
    sampler_wake(SW_CONTAINER_OF(release, struct sampler, release));
}

void sw_release_init(struct sampler *sampler)
{
    struct release *release = &sampler->release;
    sw_timer_init(&release->retry, on_retry);
    for (unsigned i = 0; i < TICKETS_MAX; i++) {
        release->tickets[i].sampler = sampler;
        release->tickets[i].next = release->free_tickets;
        release->free_tickets = &release->tickets[i];
    }
}

void sw_release_fini(struct sampler *sampler)
{
    struct release *release = &sampler->release;
    sw_timer_cancel(&sampler->stage.core->timers, &release->retry);
    if (release->phase != RELEASE_NONE) {
        sw_trace_gather_end(&release->gather);
    }
    sw_buf_unref(release->buf);
    while (release->first != NULL) {
        struct sw_batch *next = release->first->next;
        sw_batch_free(release->first);
        release->first = next;
    }
}

static void retry_later(struct sampler *sampler)
{
    struct sw_core *core = sampler->stage.core;
    if (!sampler->release.retry.armed) {
        sw_timer_set(&core->timers, &sampler->release.retry, core->now_ns + RETRY_NS);
    }
}

/* ---- handing on ---- */

static void settled(struct sw_ticket *ticket)
{
    struct tail_ticket *mine = SW_CONTAINER_OF(ticket, struct tail_ticket, ticket);
    struct sampler *sampler = mine->sampler;
    struct sw_core *core = sampler->stage.core;
    struct sw_outcome *outcome = &ticket->outcome;
    if (outcome->err != SW_OK) {
        // Nobody waits for the outcome any more; the loss itself is in the exporters' books.
        const char *text = sw_err_text(outcome->err);
        uint32_t len = (uint32_t)strlen(text);
        if (outcome->text != NULL) {
            text = (const char *)outcome->text->data;
            len = outcome->text->size;
        }
        sw_event_leave(
            core->events, &sending_failed, sampler->stage.id, NULL, core->wall_ns, 0, text, len
        );
    }
    sw_outcome_fini(outcome);
    sw_trace_note_released(sampler->table, payload_of(mine->tag));
    mine->tag = 0;
    mine->next = sampler->release.free_tickets;
    sampler->release.free_tickets = mine;
    sampler->release.tickets_count--;
    if (release_blocked(&sampler->release)) {
        sampler_wake(sampler);
    }
}

// @return false when there is no room for it now
static bool send(struct sampler *sampler, struct sw_batch *batch)
{
    struct release *release = &sampler->release;
    struct tail_ticket *ticket = release->free_tickets;
    struct sw_stage *next = sampler->stage.next;
    if (ticket == NULL || sw_stage_admit(next, batch, SW_ADMIT_ANY) != SW_OK) {
        return false;
    }
    release->free_tickets = ticket->next;
    release->tickets_count++;
    sampler->held_count -= batch->items_count;
    if (sampler->ledger != NULL) {
        sampler->ledger->flow[SW_FLOW_HELD] -= batch->items_count;
    }
    ticket->tag = batch->tag;
    sw_ticket_init(&ticket->ticket, settled);
    sw_stage_consume(next, batch, &ticket->ticket);
    return true;
}

static void keep(struct sampler *sampler, struct sw_batch *batch)
{
    struct release *release = &sampler->release;
    uint32_t number = number_of(batch->tag);
    bool older = (int32_t)(number - release->kept_number) < 0;
    release->kept_number = release->first == NULL || older ? number : release->kept_number;
    batch->next = NULL;
    if (release->last != NULL) {
        release->last->next = batch;
    } else {
        release->first = batch;
    }
    release->last = batch;
    release->held_bytes += batch->bytes;
    sw_count(sampler->cells.blocked, 1);
    retry_later(sampler);
    sw_sampler_look_stalled(sampler);
}

void sw_release_emit(struct sampler *sampler, struct sw_batch *batch)
{
    if (release_blocked(&sampler->release) || !send(sampler, batch)) {
        keep(sampler, batch);
    }
}

// What waits for room. @return false when some of it still does
static bool send_kept(struct sampler *sampler)
{
    struct release *release = &sampler->release;
    while (release->first != NULL) {
        struct sw_batch *batch = release->first;
        struct sw_batch *next = batch->next;
        uint64_t bytes = batch->bytes;
        if (!send(sampler, batch)) {
            retry_later(sampler);
            return false;
        }
        release->held_bytes -= bytes;
        release->first = next;
        if (next == NULL) {
            release->last = NULL;
        }
    }
    return true;
}

bool sw_release_flush(struct sampler *sampler)
{
    struct release *release = &sampler->release;
    if (release->buf == NULL) {
        return true;
    }
    struct sw_batch *batch = sw_batch_new(SW_TRACES);
    if (batch == NULL) {
        retry_later(sampler);
        return false;
    }
    struct sw_buf *buf = sw_buf_shrink(release->buf);
    release->buf = NULL;
    // Cannot fail: one part and one piece lie in the batch itself.
    int err = sw_batch_add_raw(batch, buf, buf->data, buf->size, release->items_count);
    SW_ASSERT(err == SW_OK);
    sw_buf_unref(buf);
    batch->arrived_ns = sampler->stage.core->now_ns;
    batch->tag = release->tag;
    release->items_count = 0;
    sw_release_emit(sampler, batch);
    return true;
}

/* ---- the window ---- */

uint64_t sw_release_tag(struct sampler *sampler, uint32_t number)
{
    uint32_t payload = ++sampler->release.payloads_count;
    if (payload == 0 || payload == UINT32_MAX) { // none, and the replay's own
        payload = sampler->release.payloads_count = 1;
    }
    return (uint64_t)payload << 32 | number;
}

static void hold(uint32_t *held, bool any, uint32_t number)
{
    if (any && (*held == 0 || (int32_t)(number - *held) < 0)) {
        *held = number;
    }
}

void sw_release_hold(struct sampler *sampler)
{
    const struct release *release = &sampler->release;
    uint32_t held = 0;
    if (sampler->file == NULL) {
        return;
    }
    hold(&held, release->phase != RELEASE_NONE, release->number);
    hold(&held, release->buf != NULL && release->buf->size > 0, number_of(release->tag));
    hold(&held, release->first != NULL, release->kept_number);
    for (unsigned i = 0; i < TICKETS_MAX; i++) {
        hold(&held, release->tickets[i].tag != 0, number_of(release->tickets[i].tag));
    }
    sw_trace_table_hold(sampler->table, held);
}

/* ---- copying ---- */

void sw_release_trace(struct sampler *sampler, struct sw_trace *trace)
{
    struct release *release = &sampler->release;
    SW_ASSERT(release->phase == RELEASE_NONE);
    memcpy(release->id, trace->id, SW_TRACE_ID_BYTES);
    release->number = trace->number;
    sw_trace_gather_begin(&release->gather, sampler->table, trace);
    release->gather.mark = sw_tail_mark(sampler->shared->marks, trace->policy, false);
    release->phase = RELEASE_MEASURE;
}

// Room for the payload that was measured, behind others or in a buffer of its own.
static bool place(struct sampler *sampler)
{
    struct release *release = &sampler->release;
    uint64_t bytes = release->gather.bytes;
    SW_ASSERT(bytes <= PAYLOAD_MAX);
    if (release->buf != NULL && bytes > release->buf->capacity - release->buf->size
        && !sw_release_flush(sampler)) {
        return false;
    }
    if (release->buf == NULL) {
        uint32_t capacity = (uint32_t)bytes;
        if (sampler->joins && capacity < JOINED_BYTES) {
            capacity = JOINED_BYTES;
        }
        release->buf = sw_buf_new(sampler->account, capacity);
        if (release->buf == NULL) {
            retry_later(sampler);
            return false;
        }
    }
    if (release->buf->size == 0) {
        release->tag = sw_release_tag(sampler, release->number);
    } else if ((int32_t)(release->number - number_of(release->tag)) < 0) {
        release->tag = (uint64_t)payload_of(release->tag) << 32 | release->number;
    }
    release->end = release->buf->data + release->buf->size + bytes;
    release->phase = RELEASE_WRITE;
    return true;
}

// The payload is written.
static void placed(struct sampler *sampler)
{
    struct release *release = &sampler->release;
    release->buf->size += (uint32_t)release->gather.bytes;
    release->items_count += release->gather.spans_count;
    if (sw_trace_gather_more(&release->gather)) {
        release->phase = RELEASE_MEASURE;
    } else {
        sw_trace_gather_end(&release->gather);
        release->phase = RELEASE_NONE;
        // Only now: a crash before this decides the trace again.
        sw_trace_note_decided(sampler->table, release->id, payload_of(release->tag));
    }
}

enum progress sw_release_step(struct sampler *sampler, uint32_t *effort)
{
    struct release *release = &sampler->release;
    if (!send_kept(sampler)) {
        return PROGRESS_WAIT;
    }
    while (release->phase != RELEASE_NONE) {
        if (release->phase == RELEASE_MEASURE) {
            if (!sw_trace_gather_measure(&release->gather, effort)) {
                return PROGRESS_MORE;
            }
            release->phase = RELEASE_PLACE;
        }
        if (release->phase == RELEASE_PLACE && !place(sampler)) {
            return PROGRESS_WAIT;
        }
        if (!sw_trace_gather_write(&release->gather, &release->end, effort)) {
            return PROGRESS_MORE;
        }
        placed(sampler);
        if (!sampler->joins && !sw_release_flush(sampler)) {
            return PROGRESS_WAIT;
        }
        if (release_blocked(release)) {
            return PROGRESS_WAIT;
        }
    }
    return PROGRESS_DONE;
}

/* ---- the end ---- */

static void drop(struct sampler *sampler, const struct sw_batch *batch)
{
    struct sw_stage *next = sampler->stage.next;
    sampler->held_count -= batch->items_count;
    if (sampler->ledger != NULL) {
        sampler->ledger->flow[SW_FLOW_HELD] -= batch->items_count;
    }
    next->ops->drop(next, batch, SW_E_SHUTDOWN);
}

void sw_release_give_up(struct sampler *sampler)
{
    struct release *release = &sampler->release;
    while (release->first != NULL) {
        struct sw_batch *batch = release->first;
        release->first = batch->next;
        drop(sampler, batch);
        sw_batch_free(batch);
    }
    release->last = NULL;
    release->held_bytes = 0;
    sw_buf_unref(release->buf);
    release->buf = NULL;
    release->items_count = 0;
    if (release->phase != RELEASE_NONE) {
        sw_trace_gather_end(&release->gather);
        release->phase = RELEASE_NONE;
    }
    // All else that is held here: traces that nobody decides any more, and what was being copied.
    while (sampler->held_count > 0) {
        struct sw_batch rest = {
            .signal = SW_TRACES,
            .items_count = (uint32_t)SW_MIN(sampler->held_count, (int64_t)UINT32_MAX),
            .parts = rest.parts_inline,
            .pieces = rest.pieces_inline,
        };
        drop(sampler, &rest);
    }
}
