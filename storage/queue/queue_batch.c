/* What goes into one call: a request as it came, or, with `batch`, requests joined until min_size and
 * cut at max_size (Collector v0.159, exporterhelper/internal/queuebatch/partition_batcher.go).
 *
 * The Collector joins when a request leaves the queue, this when a consumer is there for it; the batches
 * are the same, since joining stops at min_size either way. */
#include "dataplane/base/event.h"
#include "dataplane/base/mem.h"
#include "dataplane/pipeline/balance.h"
#include "storage/queue/queue_internal.h"

#include <stdio.h>
#include <string.h>

// Tries to find how many items fit a number of bytes; after these any that fits will do.
#define PROBES_MAX 8

static const struct sw_event_kind split_failed = {
    .level = SW_EVENT_WARN,
    .message = "Failed to split request.",
    .component_kind = "exporter",
    .items_key = "dropped_items",
    .text_key = "error",
};

uint64_t sw_queue_units(const struct sw_batch *batch, int sizer)
{
    switch (sizer) {
    case SW_SIZER_ITEMS:
        return batch->items_count;
    case SW_SIZER_BYTES:
        return batch->bytes;
    default:
        return 1;
    }
}

/* ---- cutting ---- */

static int
probe(struct queue *queue, const struct sw_batch *batch, uint32_t items, uint64_t *ret_bytes)
{
    struct sw_batch *first = NULL;
    struct sw_batch *copy = sw_batch_share(batch);
    int err = copy != NULL ? sw_batch_split(copy, items, queue->account, &first) : SW_E_NOMEM;
    if (err == SW_OK) {
        *ret_bytes = first->bytes;
    }
    sw_batch_free(first);
    sw_batch_free(copy);
    return err;
}

/* How many items at the front have at most `most` bytes, found by cutting copies of the list: near
 * the most that fit, 0 only when not even one does. */
static int
items_within(struct queue *queue, const struct sw_batch *batch, uint64_t most, uint32_t *ret_items)
{
    uint32_t low = 0; // fits
    uint32_t high = batch->items_count;
    uint64_t low_bytes = 0;
    uint64_t high_bytes = batch->bytes;
    for (unsigned i = 0; high - low > 1 && (i < PROBES_MAX || low == 0); i++) {
        uint64_t bytes = 0;
        uint64_t guess = low + (most - low_bytes) * (high - low) / (high_bytes - low_bytes);
        guess = SW_MIN(SW_MAX(guess, (uint64_t)low + 1), (uint64_t)high - 1);
        int err = probe(queue, batch, (uint32_t)guess, &bytes);
        if (err != SW_OK) {
            return err;
        }
        if (bytes <= most) {
            low = (uint32_t)guess;
            low_bytes = bytes;
        } else {
            high = (uint32_t)guess;
            high_bytes = bytes;
        }
    }
    *ret_items = low;
    return SW_OK;
}

// Of the units that wait.
static void leave(struct lane *lane, uint64_t units)
{
    lane->units_waiting -= SW_MIN(units, lane->units_waiting);
}

static int too_large(struct queue *queue, struct entry *entry, const struct sw_batch *item)
{
    char text[128];
    int len = snprintf(
        text,
        sizeof(text),
        "one item size %llu is greater than max size %lld, dropping",
        (unsigned long long)item->bytes,
        (long long)queue->conf->batch.max_size
    );
    struct sw_core *core = queue->stage.core;
    sw_event_leave(
        core->events,
        &split_failed,
        queue->stage.id,
        sw_signal_name(item->signal),
        core->wall_ns,
        item->items_count,
        text,
        (uint32_t)len
    );
    if (entry->outcome.err == SW_OK) {
        entry->outcome = (struct sw_outcome){
            .err = SW_E_PERMANENT,
            .permanent = true,
            .text = sw_buf_copy(NULL, text, (uint32_t)len),
        };
    }
    sw_branch_move(item->branch, SW_BRANCH_QUEUED, SW_BRANCH_FAILED_PERMANENT, item->items_count);
    return SW_OK;
}

// The first item alone is larger than any call may be.
static int drop_item(struct lane *lane, struct entry *entry)
{
    struct queue *queue = lane->queue;
    struct sw_batch *item = entry->batch;
    uint64_t before = entry->batch->bytes;
    if (item->items_count > 1) {
        int err = sw_batch_split(entry->batch, 1, queue->account, &item);
        if (err != SW_OK) {
            return err;
        }
        leave(lane, before - SW_MIN(before, entry->batch->bytes));
    } else {
        entry->batch = NULL;
        leave(lane, before);
    }
    int err = too_large(queue, entry, item);
    sw_batch_free(item);
    return err;
}

/* ---- one call ---- */

struct load {
    struct queue *queue;
    struct lane *lane;
    struct consumer *consumer;
    struct share *last;
    uint64_t units;
    uint64_t most; // units; UINT64_MAX: no limit
};

static int add_share(struct load *load, struct entry *entry, const struct sw_batch *piece)
{
    struct share *share = &load->consumer->share;
    if (load->last != NULL) {
        share = sw_alloc(sizeof(*share));
        if (share == NULL) {
            return SW_E_NOMEM;
        }
        load->last->next = share;
    }
    *share = (struct share){
        .entry = entry,
        .branch = piece->branch,
        .items_count = piece->items_count,
    };
    load->last = share;
    return SW_OK;
}

static void drop_last_share(struct load *load)
{
    struct share *before = &load->consumer->share;
    while (before->next != load->last) {
        before = before->next;
    }
    sw_free(load->last);
    before->next = NULL;
    load->last = before;
}

// Joins a whole batch to the call. @return SW_E_NOMEM: all is as before
static int join(struct load *load, struct entry *entry, struct sw_batch *piece)
{
    struct sw_push_call *call = &load->consumer->call;
    uint64_t units = sw_queue_units(piece, load->queue->conf->batch.sizer);
    const struct sw_branch *branch = piece->branch;
    int err = add_share(load, entry, piece);
    if (err != SW_OK) {
        return err;
    }
    if (call->batch == NULL) {
        call->batch = piece;
    } else {
        err = sw_batch_merge(call->batch, piece);
        if (err != SW_OK) {
            drop_last_share(load);
            return err;
        }
        if (branch != call->batch->branch || load->consumer->mixed) {
            load->consumer->mixed = true;
            call->batch->branch = NULL;
        }
    }
    entry->calls_count++;
    load->units += units;
    return SW_OK;
}

static int cut(struct load *load, struct entry *entry)
{
    struct queue *queue = load->queue;
    uint64_t room = load->most - load->units;
    uint32_t items = (uint32_t)SW_MIN(room, UINT32_MAX);
    if (queue->conf->batch.sizer == SW_SIZER_BYTES) {
        int err = items_within(queue, entry->batch, room, &items);
        if (err != SW_OK) {
            return err;
        }
    }
    if (items == 0) {
        return load->units > 0 ? SW_E_FULL : drop_item(load->lane, entry);
    }
    struct sw_batch *first = NULL;
    uint64_t before = entry->batch->bytes;
    int err = sw_batch_split(entry->batch, items, queue->account, &first);
    if (err == SW_OK) {
        entry->ahead = first;
        if (queue->conf->batch.sizer == SW_SIZER_BYTES) {
            // What a cut repeats of resource and scope has come on top.
            load->lane->units_waiting += first->bytes + entry->batch->bytes - before;
        }
    }
    return err;
}

// Takes as much of the first entry as there is room for. @return SW_E_FULL: none of it
static int take_piece(struct load *load, struct entry *entry)
{
    int sizer = load->queue->conf->batch.sizer;
    if (entry->ahead == NULL && sw_queue_units(entry->batch, sizer) > load->most - load->units) {
        int err = cut(load, entry);
        if (err != SW_OK || entry->ahead == NULL) {
            return err;
        }
    }
    struct sw_batch **piece = entry->ahead != NULL ? &entry->ahead : &entry->batch;
    uint64_t units = sw_queue_units(*piece, sizer);
    if (units > load->most - load->units) {
        return SW_E_FULL;
    }
    int err = join(load, entry, *piece);
    if (err == SW_OK) {
        *piece = NULL;
        leave(load->lane, units);
    }
    return err;
}

static bool full(const struct load *load)
{
    uint64_t min = (uint64_t)load->queue->conf->batch.min_size;
    return load->units >= SW_MAX(min, UINT64_C(1)) || load->units >= load->most;
}

static void begun(struct lane *lane)
{
    lane->due = false;
    sw_timer_cancel(&lane->queue->stage.core->timers, &lane->flush);
}

static int load_batch(struct load *load)
{
    struct queue *queue = load->queue;
    struct lane *lane = load->lane;
    // What found no memory for a lane of its own must not be joined with others.
    bool alone = queue->partitions != NULL && lane == queue->plain;
    int err = SW_OK;
    while (lane->waiting.first != NULL && !full(load)) {
        struct entry *entry = lane->waiting.first;
        if (alone && load->units > 0 && load->consumer->share.entry != entry) {
            break;
        }
        err = take_piece(load, entry);
        if (err != SW_OK) {
            break;
        }
        if (entry->batch != NULL || entry->ahead != NULL) {
            continue; // cut
        }
        sw_lane_take(lane);
        if (entry->calls_count == 0) {
            sw_queue_entry_end(queue, entry); // nothing of it could be sent
        }
    }
    const struct sw_batch *batch = load->consumer->call.batch;
    if (batch != NULL) {
        bool by_size = load->units >= (uint64_t)queue->conf->batch.min_size;
        sw_batch_cells_count(&queue->merges, by_size, batch->items_count, batch->bytes);
        begun(lane);
        return SW_OK;
    }
    if (err == SW_OK) {
        begun(lane);
        err = SW_E_AGAIN;
    }
    return err;
}

static void load_one(struct lane *lane, struct consumer *consumer)
{
    struct entry *entry = sw_lane_take(lane);
    consumer->call.batch = entry->batch;
    consumer->share = (struct share){.entry = entry};
    entry->batch = NULL;
    entry->calls_count = 1;
}

int sw_queue_load(struct lane *lane, struct consumer *consumer)
{
    const struct sw_queue_batch_conf *conf = &lane->queue->conf->batch;
    if (!conf->enabled) {
        load_one(lane, consumer);
        return SW_OK;
    }
    struct load load = {
        .queue = lane->queue,
        .lane = lane,
        .consumer = consumer,
        .most = conf->max_size > 0 ? (uint64_t)conf->max_size : UINT64_MAX,
    };
    return load_batch(&load);
}
