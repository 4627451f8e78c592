/* A queue whose requests are in a store (`storage`): a request is appended before its sender hears, and read
 * again when a consumer is there for it; its record goes when it is done with. So what waits costs no memory, and
 * what waited is there after a restart.
 *
 *   consume ── APPEND ──> actor ──> appended: the sender hears
 *   a consumer is idle ── READ ──> actor ──> arrived: waits in a lane like any other request
 *   the call is done ── RELEASE ──> actor ──> released: its places are free
 *
 * What a shutdown ends is not released: it stays in the store. Places (queue_size) belong to the record, over
 * restarts.
 *
 * An append that fails is the sender's to repeat; but an owner (SW_ADMIT_ANY) has nobody who would, and
 * with block_on_overflow the sender waits: then it is tried again until it works. */
#include "dataplane/base/clock.h"
#include "dataplane/base/event.h"
#include "dataplane/base/mem.h"
#include "dataplane/pipeline/balance.h"
#include "dataplane/pipeline/cells.h"
#include "storage/queue/queue_internal.h"

#include <stdio.h>
#include <string.h>

// Requests read ahead of consumers, so that a consumer need not wait for the actor.
#define AHEAD 2
// Orders to read that are under way at once: the mailbox has room for other things.
#define READS_MAX 64
// Bytes of requests in memory, above which one at a time is read.
#define BYTES_AHEAD (UINT64_C(64) << 20)
// How soon what the store could not take or give is tried again.
#define AGAIN_NS (50 * SW_NS_PER_MS)

static const struct sw_event_kind damaged = {
    .level = SW_EVENT_ERROR,
    .message = "Requests in the store are damaged and are put aside",
    .component_kind = "exporter",
    .items_key = "requests",
};

static struct entry *entry_of(struct sw_message *message)
{
    return SW_CONTAINER_OF(message, struct entry, job.message);
}

static void send(
    struct queue *queue,
    struct entry *entry,
    enum sw_store_op op,
    void (*returned)(struct sw_message *, void *)
)
{
    entry->job.message = (struct sw_message){.returned = returned};
    entry->job.queue = queue->pool->stored;
    entry->job.op = op;
    entry->queue = queue;
    LIST_INSERT_HEAD(&queue->stored.orders, entry, order);
    sw_store_send(queue->stage.core->mailbox, &entry->job);
}

static void look_again(struct queue *queue, uint64_t ns)
{
    struct sw_core *core = queue->stage.core;
    if (!queue->poll.armed) {
        sw_timer_set(&core->timers, &queue->poll, core->now_ns + ns);
    }
}

/* ---- in ---- */

static bool is_tried_again(const struct queue *queue, const struct entry *entry, int err)
{
    return err != SW_E_ELEMENT_SIZE && !queue->closed
           && (entry->owner || queue->conf->block_on_overflow);
}

static void append_failed(struct queue *queue, struct entry *entry)
{
    int err = entry->job.err;
    if (is_tried_again(queue, entry, err)) {
        if (entry->alone) {
            sw_entry_list_prepend(&queue->stored.again, entry); // it was the first
        } else {
            sw_entry_list_append(&queue->stored.again, entry);
        }
        look_again(queue, AGAIN_NS);
        return;
    }
    sw_queue_refuse(queue, entry, err);
}

static void appended(struct sw_message *message, void *sender)
{
    struct entry *entry = entry_of(message);
    struct queue *queue = entry->queue;
    struct sw_batch *batch = entry->batch;
    LIST_REMOVE(entry, order);
    queue->stored.appends_count--;
    if (entry->job.err != SW_OK) {
        append_failed(queue, entry);
        return;
    }
    struct sw_ticket *ticket = entry->ticket;
    queue->stored.readable = true;
    sw_branch_move(batch->branch, SW_BRANCH_QUEUED, SW_BRANCH_STORED, batch->items_count);
    sw_batch_free(batch);
    sw_queue_entry_give(queue, entry);
    sw_ticket_settle_err(ticket, SW_OK); // may hand us the sender's next request
    sw_stored_again(queue, true);
    sw_stored_feed(queue);
}

void sw_stored_append(struct queue *queue, struct entry *entry)
{
    queue->stored.appends_count++;
    entry->job.batch = entry->batch;
    send(queue, entry, SW_STORE_APPEND, appended);
}

// One at a time until the store takes it: then all the others.
void sw_stored_again(struct queue *queue, bool works)
{
    struct stored *stored = &queue->stored;
    while (stored->again.first != NULL && (works || stored->appends_count == 0)) {
        struct entry *entry = sw_entry_list_take(&stored->again);
        entry->alone = !works;
        sw_stored_append(queue, entry);
    }
}

/* ---- out ---- */

static int build(struct queue *queue, struct entry *entry)
{
    struct sw_store_job *job = &entry->job;
    struct sw_client *client;
    struct sw_bytes request = job->record.request;
    int err = sw_record_client(&job->record, queue->account, &client);
    if (err == SW_E_NOMEM) {
        return err;
    }
    struct sw_batch *batch = sw_batch_new(job->record.signal);
    if (batch == NULL) {
        sw_client_unref(client);
        return SW_E_NOMEM;
    }
    batch->client = client;
    batch->arrived_ns = queue->stage.core->now_ns;
    err = sw_batch_add_raw(
        batch, job->buf, request.data, (uint32_t)request.size, job->record.items_count
    );
    if (err != SW_OK) {
        sw_batch_free(batch);
        return err;
    }
    sw_buf_unref(job->buf);
    job->buf = NULL;
    entry->batch = batch;
    entry->seq = job->seq;
    entry->size = sw_queue_size(queue, batch);
    entry->bytes = batch->bytes;
    queue->stored.bytes += batch->bytes;
    queue->stored.typical_bytes = batch->bytes;
    return SW_OK;
}

// @return false: no memory, the entry waits for some
static bool take_in(struct queue *queue, struct entry *entry)
{
    if (build(queue, entry) != SW_OK) {
        sw_entry_list_prepend(&queue->stored.unbuilt, entry);
        look_again(queue, AGAIN_NS);
        return false;
    }
    sw_lane_append(queue, entry);
    return true;
}

static void tell_damaged(struct queue *queue, uint32_t count)
{
    if (count > 0) {
        struct sw_core *core = queue->stage.core;
        sw_count(queue->stored.damaged, count);
        sw_event_leave(
            core->events,
            &damaged,
            queue->stage.id,
            sw_signal_name(queue->stored.signal),
            core->wall_ns,
            count,
            NULL,
            0
        );
    }
}

static void arrived(struct sw_message *message, void *sender)
{
    struct entry *entry = entry_of(message);
    struct queue *queue = entry->queue;
    struct sw_store_job *job = &entry->job;
    LIST_REMOVE(entry, order);
    queue->stored.reads_count--;
    tell_damaged(queue, job->damaged_count);
    if (job->err == SW_OK) {
        take_in(queue, entry);
    } else {
        sw_queue_entry_give(queue, entry);
        if (job->err != SW_E_AGAIN) {
            look_again(queue, AGAIN_NS);
        } else if (job->wakes_count == queue->stored.ear.wakes_count) {
            queue->stored.readable = false; // and no wake has overtaken this
        }
        if (job->err != SW_E_AGAIN) {
            return;
        }
    }
    if (queue->stopped && !sw_stored_needs_room(queue)) {
        sw_stored_put_back(queue);
    }
    sw_stored_feed(queue);
    sw_queue_pump(queue);
}

// How many more requests memory has room for, if they are like the last one.
static uint32_t fitting(const struct stored *stored, bool one_at_least)
{
    uint64_t room = BYTES_AHEAD - SW_MIN(stored->bytes, BYTES_AHEAD);
    uint64_t count = room / SW_MAX(stored->typical_bytes, UINT64_C(1));
    count -= SW_MIN(count, (uint64_t)stored->reads_count);
    return (uint32_t)SW_MIN(SW_MAX(count, (uint64_t)one_at_least), UINT64_C(1) << 20);
}

// How many more requests consumers could do with.
static uint32_t wanted(const struct queue *queue)
{
    const struct stored *stored = &queue->stored;
    const struct sw_queue_batch_conf *batch = &queue->conf->batch;
    uint32_t idle = queue->consumers_max - SW_MIN(queue->consumers_count, queue->consumers_max);
    uint32_t have = queue->waiting_count + stored->reads_count;
    uint32_t most = SW_MIN(idle + AHEAD, (uint32_t)READS_MAX);
    uint32_t count = have < most ? most - have : 0;
    if (batch->enabled) {
        uint64_t units = ((uint64_t)idle + 1) * (uint64_t)SW_MAX(batch->min_size, 1);
        count = queue->plain->units_waiting < units ? READS_MAX - stored->reads_count : 0;
    }
    return SW_MIN(count, fitting(stored, have == 0));
}

void sw_stored_feed(struct queue *queue)
{
    struct stored *stored = &queue->stored;
    bool reads = stored->readable && !queue->closed && stored->unbuilt.first == NULL
                 && (!queue->stopped || sw_stored_needs_room(queue));
    if (!reads) {
        return;
    }
    uint32_t count = wanted(queue);
    for (uint32_t i = 0; i < count; i++) {
        struct entry *entry = sw_queue_entry_take(queue);
        if (entry == NULL) {
            look_again(queue, AGAIN_NS);
            return;
        }
        *entry = (struct entry){.seq = 0};
        stored->reads_count++;
        send(queue, entry, SW_STORE_READ, arrived);
    }
}

static void woken(struct sw_store_ear *ear)
{
    struct queue *queue = SW_CONTAINER_OF(ear, struct queue, stored.ear);
    queue->stored.readable = true;
    sw_stored_feed(queue);
}

/* ---- the end of a request ---- */

static void released(struct sw_message *message, void *sender)
{
    struct entry *entry = entry_of(message);
    struct queue *queue = entry->queue;
    LIST_REMOVE(entry, order);
    queue->stored.releases_count--;
    if (entry->job.err != SW_OK) {
        sw_entry_list_append(&queue->stored.unreleased, entry);
        look_again(queue, AGAIN_NS);
        return;
    }
    sw_queue_places_free(queue, entry->size);
    sw_queue_entry_give(queue, entry);
    sw_stored_again(queue, false);
    sw_queue_admit_overflow(queue);
}

static void release(struct queue *queue, struct entry *entry)
{
    queue->stored.releases_count++;
    entry->job.seq = entry->seq;
    send(queue, entry, SW_STORE_RELEASE, released);
}

void sw_stored_end(struct queue *queue, struct entry *entry)
{
    queue->stored.bytes -= entry->bytes;
    sw_outcome_fini(&entry->outcome);
    if (entry->kept) {
        sw_queue_entry_give(queue, entry);
        return;
    }
    if (entry->skipped) {
        sw_queue_entry_give(queue, entry);
        sw_store_queue_skip(queue->pool->stored);
        sw_stored_feed(queue);
        return;
    }
    release(queue, entry);
    sw_stored_feed(queue);
}

/* ---- time and end ---- */

void sw_stored_poll(struct queue *queue)
{
    struct stored *stored = &queue->stored;
    struct entry_list unreleased = stored->unreleased;
    stored->unreleased = (struct entry_list){NULL, NULL};
    while (unreleased.first != NULL) {
        release(queue, sw_entry_list_take(&unreleased));
    }
    while (stored->unbuilt.first != NULL) {
        if (!take_in(queue, sw_entry_list_take(&stored->unbuilt))) {
            break;
        }
    }
    sw_stored_again(queue, false);
    sw_stored_feed(queue);
    if (stored->again.first != NULL || stored->unreleased.first != NULL) {
        look_again(queue, AGAIN_NS);
    }
}

bool sw_stored_needs_room(const struct queue *queue)
{
    return queue->stored.again.first != NULL || queue->overflow.first != NULL;
}

static void forget(struct queue *queue, struct entry *entry)
{
    sw_batch_free(entry->batch);
    sw_batch_free(entry->ahead);
    entry->batch = entry->ahead = NULL;
    entry->kept = true;
    if (entry->calls_count == 0) {
        sw_stored_end(queue, entry);
    }
}

void sw_stored_put_back(struct queue *queue)
{
    struct lane *lane = queue->plain;
    while (lane->waiting.first != NULL) {
        forget(queue, sw_lane_take(lane));
    }
    lane->units_waiting = 0;
    sw_lane_look(lane);
    while (queue->stored.unbuilt.first != NULL) {
        struct entry *entry = sw_entry_list_take(&queue->stored.unbuilt);
        sw_buf_unref(entry->job.buf);
        sw_queue_entry_give(queue, entry);
    }
}

void sw_stored_fail_again(struct queue *queue)
{
    while (queue->stored.again.first != NULL) {
        struct entry *entry = sw_entry_list_take(&queue->stored.again);
        sw_queue_refuse(queue, entry, SW_E_SHUTDOWN);
    }
}

bool sw_stored_busy(const struct queue *queue)
{
    const struct stored *stored = &queue->stored;
    return !LIST_EMPTY(&stored->orders) || stored->again.first != NULL
           || stored->unreleased.first != NULL;
}

int sw_stored_start(struct queue *queue)
{
    if (queue->stage.core->index == 0) {
        struct sw_store_counts counts = sw_store_queue_counts(queue->pool->stored);
        const uint64_t sizes[] = {
            [SW_SIZER_REQUESTS] = counts.requests,
            [SW_SIZER_ITEMS] = counts.items,
            [SW_SIZER_BYTES] = counts.bytes,
        };
        int sizer = queue->pool->per_request > 1 ? (int)SW_SIZER_ITEMS : queue->conf->sizer;
        sw_queue_places_restore(queue, (int64_t)sizes[sizer]);
        sw_count(queue->stored.restored, (int64_t)counts.requests);
        sw_count(queue->stored.redelivered, (int64_t)counts.under_way);
        sw_count(queue->stored.salvaged, (int64_t)counts.salvaged);
    }
    queue->stored.readable = true;
    sw_stored_feed(queue);
    return SW_OK;
}

void sw_stored_init(struct queue *queue, enum sw_signal signal)
{
    LIST_INIT(&queue->stored.orders);
    queue->stored.signal = signal;
    queue->stored.ear.woken = woken;
    sw_store_queue_listen(queue->pool->stored, queue->stage.core->index, &queue->stored.ear);
}

// The actor has ended: what is still at it, or on its way back, is ours again.
void sw_stored_fini(struct queue *queue)
{
    while (!LIST_EMPTY(&queue->stored.orders)) {
        struct entry *entry = LIST_FIRST(&queue->stored.orders);
        LIST_REMOVE(entry, order);
        switch (entry->job.op) {
        case SW_STORE_APPEND:
            sw_queue_refuse(queue, entry, SW_E_SHUTDOWN);
            break;
        case SW_STORE_READ:
            sw_buf_unref(entry->job.buf);
            sw_queue_entry_give(queue, entry);
            break;
        case SW_STORE_RELEASE:
            sw_queue_entry_give(queue, entry);
            break;
        }
    }
    while (queue->stored.unreleased.first != NULL) {
        sw_queue_entry_give(queue, sw_entry_list_take(&queue->stored.unreleased));
    }
}
