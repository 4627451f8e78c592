#include "storage/queue/sending_queue.h"

#include "dataplane/base/clock.h"
#include "dataplane/base/event.h"
#include "dataplane/base/mem.h"
#include "dataplane/pipeline/balance.h"
#include "dataplane/pipeline/cells.h"
#include "storage/queue/queue_internal.h"

#include <stdio.h>
#include <string.h>

// How soon room that another core gave back is looked for, while senders wait.
#define OVERFLOW_POLL_NS (2 * SW_NS_PER_MS)
// Calls begun in one step.
#define STARTS_PER_STEP 32
#define SPARE_MAX       1024

static const struct sw_event_kind rejecting = {
    .level = SW_EVENT_ERROR,
    .message = "Exporting failed. Rejecting data.",
    .component_kind = "exporter",
    .items_key = "rejected_items",
    .text_key = "error",
};

/* ---- the pool of places ---- */

static bool take_places(struct queue *queue, int64_t size)
{
    struct sw_queue_pool *pool = queue->pool;
    int64_t used = atomic_load_explicit(&pool->used, memory_order_relaxed);
    do {
        if (used > pool->capacity - size) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(
        &pool->used, &used, used + size, memory_order_relaxed, memory_order_relaxed
    ));
    sw_count(queue->size, size);
    return true;
}

void sw_queue_places_free(struct queue *queue, int64_t size)
{
    atomic_fetch_sub_explicit(&queue->pool->used, size, memory_order_relaxed);
    sw_count(queue->size, -size);
}

void sw_queue_places_restore(struct queue *queue, int64_t size)
{
    sw_queue_places_free(queue, -size);
}

int64_t sw_queue_pool_used(struct sw_queue_pool *pool)
{
    return atomic_load_explicit(&pool->used, memory_order_relaxed);
}

int64_t sw_queue_size(const struct queue *queue, const struct sw_batch *batch)
{
    // Parts of batches count by their items, a full batch as one request.
    int sizer = queue->pool->per_request > 1 ? (int)SW_SIZER_ITEMS : queue->conf->sizer;
    return (int64_t)sw_queue_units(batch, sizer);
}

/* ---- entries ---- */

struct entry *sw_queue_entry_take(struct queue *queue)
{
    struct entry *entry = queue->spare;
    if (entry != NULL) {
        queue->spare = entry->next;
        queue->spare_count--;
        return entry;
    }
    return sw_alloc(sizeof(*entry));
}

void sw_queue_entry_give(struct queue *queue, struct entry *entry)
{
    if (queue->spare_count == SPARE_MAX) {
        sw_free(entry);
        return;
    }
    entry->next = queue->spare;
    queue->spare = entry;
    queue->spare_count++;
}

struct entry *sw_entry_list_take(struct entry_list *list)
{
    struct entry *entry = list->first;
    list->first = entry->next;
    if (list->first == NULL) {
        list->last = NULL;
    }
    entry->next = NULL;
    return entry;
}

void sw_entry_list_append(struct entry_list *list, struct entry *entry)
{
    entry->next = NULL;
    if (list->last != NULL) {
        list->last->next = entry;
    } else {
        list->first = entry;
    }
    list->last = entry;
}

void sw_entry_list_prepend(struct entry_list *list, struct entry *entry)
{
    entry->next = list->first;
    list->first = entry;
    if (list->last == NULL) {
        list->last = entry;
    }
}

void sw_queue_entry_end(struct queue *queue, struct entry *entry)
{
    if (queue->pool->stored != NULL) {
        sw_stored_end(queue, entry);
        return;
    }
    struct sw_ticket *ticket = entry->ticket;
    struct sw_outcome outcome = entry->outcome;
    sw_queue_places_free(queue, entry->size);
    sw_queue_entry_give(queue, entry);
    if (ticket != NULL) {
        sw_ticket_settle(ticket, &outcome);
    } else {
        sw_outcome_fini(&outcome); // the exporter has counted it and told people
    }
}

static void entry_call_done(struct queue *queue, struct entry *entry, struct sw_outcome *outcome)
{
    if (outcome->err != SW_OK && entry->outcome.err == SW_OK && entry->ticket != NULL) {
        entry->outcome = *outcome;
        sw_buf_ref(outcome->text);
        sw_buf_ref(outcome->details);
    }
    // Nothing of it is left to hear an answer: the store has it whole.
    bool refused = outcome->err != SW_OK && outcome->err != SW_E_SHUTDOWN;
    entry->kept = entry->kept || outcome->err == SW_E_SHUTDOWN;
    entry->skipped = entry->skipped || (refused && queue->pool->keep_refused);
    entry->calls_count--;
    if (entry->calls_count == 0 && entry->batch == NULL && entry->ahead == NULL) {
        sw_queue_entry_end(queue, entry);
    }
}

/* ---- consumers ---- */

static struct consumer *consumer_take(struct queue *queue)
{
    struct consumer *consumer = queue->idle;
    if (consumer != NULL) {
        queue->idle = consumer->next;
    } else {
        consumer = sw_alloc(sizeof(*consumer));
    }
    return consumer;
}

static void consumer_give(struct queue *queue, struct consumer *consumer)
{
    consumer->next = queue->idle;
    queue->idle = consumer;
}

static void
settle_shares(struct queue *queue, struct consumer *consumer, struct sw_outcome *outcome)
{
    struct share *share = &consumer->share;
    while (share != NULL) {
        struct share *next = share->next;
        struct entry *entry = share->entry;
        if (consumer->mixed) {
            sw_branch_move(
                share->branch, SW_BRANCH_QUEUED, sw_outcome_book(outcome), share->items_count
            );
        }
        if (share != &consumer->share) {
            sw_free(share);
        }
        entry_call_done(queue, entry, outcome);
        share = next;
    }
}

static void consumer_done(struct sw_push_call *call, struct sw_outcome *outcome)
{
    struct consumer *consumer = SW_CONTAINER_OF(call, struct consumer, call);
    struct queue *queue = consumer->queue;
    sw_batch_free(call->batch);
    if (consumer->prev != NULL) {
        consumer->prev->next = consumer->next;
    } else {
        queue->working = consumer->next;
    }
    if (consumer->next != NULL) {
        consumer->next->prev = consumer->prev;
    }
    queue->consumers_count--;
    settle_shares(queue, consumer, outcome);
    sw_outcome_fini(outcome);
    consumer_give(queue, consumer);
    sw_queue_admit_overflow(queue);
    if (queue->pool->stored != NULL) {
        sw_stored_feed(queue);
    }
    sw_queue_pump(queue);
}

// @return SW_E_AGAIN: there was nothing to send after all
static int consumer_begin(struct lane *lane, struct consumer *consumer)
{
    struct queue *queue = lane->queue;
    *consumer = (struct consumer){
        .call = {.done = consumer_done, .deadline_ns = SW_TIME_NEVER},
        .queue = queue,
    };
    int err = sw_queue_load(lane, consumer);
    sw_lane_look(lane);
    if (err != SW_OK) {
        return err;
    }
    consumer->next = queue->working;
    if (consumer->next != NULL) {
        consumer->next->prev = consumer;
    }
    queue->working = consumer;
    queue->consumers_count++;
    sw_push_start(queue->push, &consumer->call);
    return SW_OK;
}

static int begin_one(struct lane *lane)
{
    struct queue *queue = lane->queue;
    struct consumer *consumer = consumer_take(queue);
    if (consumer == NULL) {
        return SW_E_NOMEM;
    }
    int err = sw_push_reserve(queue->push);
    if (err == SW_OK) {
        err = consumer_begin(lane, consumer);
    }
    if (err != SW_OK) {
        consumer_give(queue, consumer);
    }
    return err;
}

// A call may be done from inside its start: then the loop goes on, it does not nest.
void sw_queue_pump(struct queue *queue)
{
    struct sw_core *core = queue->stage.core;
    if (queue->pumping) {
        return;
    }
    queue->pumping = true;
    unsigned starts = 0;
    struct lane *lane;
    while ((lane = TAILQ_FIRST(&queue->ready)) != NULL
           && queue->consumers_count < queue->consumers_max) {
        if (starts++ == STARTS_PER_STEP) {
            sw_core_task(core, &queue->task);
            break;
        }
        int err = begin_one(lane);
        if (err != SW_OK && err != SW_E_AGAIN) {
            // Nobody may be at work who would come by here: look again soon.
            sw_timer_set(&core->timers, &queue->poll, core->now_ns + OVERFLOW_POLL_NS);
            break;
        }
    }
    queue->pumping = false;
}

static bool on_task(struct sw_task *task, uint64_t now_ns)
{
    sw_queue_pump(SW_CONTAINER_OF(task, struct queue, task));
    return false;
}

// The entry has its places. Its sender need not wait longer, unless for the result.
static void enqueue(struct queue *queue, struct entry *entry)
{
    struct sw_ticket *ticket = entry->ticket;
    if (queue->pool->stored != NULL) {
        sw_stored_append(queue, entry);
        return;
    }
    sw_lane_append(queue, entry);
    if (!queue->conf->wait_for_result) {
        entry->ticket = NULL;
        sw_ticket_settle_err(ticket, SW_OK); // may hand us the sender's next request
    }
}

/* ---- senders that wait for room ---- */

void sw_queue_admit_overflow(struct queue *queue)
{
    struct entry *entry;
    while ((entry = queue->overflow.first) != NULL
           && take_places(queue, sw_queue_size(queue, entry->batch))) {
        sw_entry_list_take(&queue->overflow);
        entry->size = sw_queue_size(queue, entry->batch);
        enqueue(queue, entry);
    }
    struct sw_core *core = queue->stage.core;
    if (queue->overflow.first != NULL && !queue->poll.armed) {
        sw_timer_set(&core->timers, &queue->poll, core->now_ns + OVERFLOW_POLL_NS);
    }
}

static void on_poll(struct sw_timer *timer, uint64_t now_ns)
{
    struct queue *queue = SW_CONTAINER_OF(timer, struct queue, poll);
    if (queue->pool->stored != NULL) {
        sw_stored_poll(queue);
    }
    sw_queue_admit_overflow(queue);
    sw_queue_pump(queue);
}

// An entry that never got into the queue.
static void fail_entry(struct queue *queue, struct entry *entry, enum sw_branch_flow book, int err)
{
    struct sw_batch *batch = entry->batch;
    struct sw_ticket *ticket = entry->ticket;
    sw_branch_move(batch->branch, SW_BRANCH_QUEUED, book, batch->items_count);
    sw_batch_free(batch);
    sw_queue_entry_give(queue, entry);
    sw_ticket_settle_err(ticket, err);
}

static void fail_overflow(struct queue *queue)
{
    while (queue->overflow.first != NULL) {
        struct entry *entry = sw_entry_list_take(&queue->overflow);
        fail_entry(queue, entry, SW_BRANCH_FAILED_SHUTDOWN, SW_E_SHUTDOWN);
    }
}

/* ---- the stage ---- */

// Every offer has a size, also one that is refused (v0.159 obsQueue.Offer).
static void count_offer(struct queue *queue, const struct sw_batch *batch)
{
    sw_measure(queue->enqueue_size, batch->items_count);
    sw_measure(queue->enqueue_bytes, (double)batch->bytes);
}

static void reject(struct queue *queue, const struct sw_batch *batch, int err)
{
    struct sw_core *core = queue->stage.core;
    const char *text = sw_err_text(err);
    sw_count(queue->failed, batch->items_count);
    sw_event_leave(
        core->events,
        &rejecting,
        queue->stage.id,
        sw_signal_name(batch->signal),
        core->wall_ns,
        batch->items_count,
        text,
        (uint32_t)strlen(text)
    );
}

void sw_queue_refuse(struct queue *queue, struct entry *entry, int err)
{
    bool shutdown = err == SW_E_SHUTDOWN;
    sw_queue_places_free(queue, entry->size);
    reject(queue, entry->batch, err);
    fail_entry(
        queue, entry, shutdown ? SW_BRANCH_FAILED_SHUTDOWN : SW_BRANCH_FAILED_QUEUE_FULL, err
    );
}

static int reserve(struct queue *queue, struct entry **list, int64_t size, enum sw_admit mode)
{
    struct entry *entry = sw_queue_entry_take(queue);
    if (entry == NULL) {
        return SW_E_NOMEM;
    }
    *entry = (struct entry){.size = size, .next = *list, .owner = mode == SW_ADMIT_ANY};
    *list = entry;
    return SW_OK;
}

static int find_room(struct queue *queue, int64_t size, enum sw_admit mode)
{
    bool all = mode == SW_ADMIT_ALL;
    if (size > queue->pool->capacity) {
        // It will never fit. An owner would try for ever: it hands over, and that fails.
        return all ? SW_E_ELEMENT_SIZE : reserve(queue, &queue->reserved, 0, mode);
    }
    // What the store has no room for waits in line already; an owner keeps the rest for now.
    if (!all && queue->pool->stored != NULL && queue->stored.again.first != NULL) {
        return SW_E_STORAGE_FULL;
    }
    bool line = queue->overflow.first != NULL || queue->reserved_overflow != NULL;
    if (!line && take_places(queue, size)) {
        int err = reserve(queue, &queue->reserved, size, mode);
        if (err != SW_OK) {
            sw_queue_places_free(queue, size);
        }
        return err;
    }
    if (queue->conf->block_on_overflow && all && !queue->closed) {
        return reserve(queue, &queue->reserved_overflow, 0, mode);
    }
    return SW_E_QUEUE_FULL;
}

// The same queue may stand behind two pipelines of one receiver: several admits, then as many hand-overs.
static int queue_admit(struct sw_stage *stage, const struct sw_batch *batch, enum sw_admit mode)
{
    struct queue *queue = (struct queue *)stage;
    int err = find_room(queue, sw_queue_size(queue, batch), mode);
    if (err != SW_OK && mode == SW_ADMIT_ALL) {
        count_offer(queue, batch);
        reject(queue, batch, err);
    }
    return err;
}

static void queue_retract(struct sw_stage *stage, const struct sw_batch *batch)
{
    struct queue *queue = (struct queue *)stage;
    struct entry **list =
        queue->reserved_overflow != NULL ? &queue->reserved_overflow : &queue->reserved;
    struct entry *entry = *list;
    SW_ASSERT(entry != NULL);
    *list = entry->next;
    sw_queue_places_free(queue, entry->size);
    sw_queue_entry_give(queue, entry);
}

// What was admitted may have been changed on the way here: its real size counts from now on.
static void correct_places(struct queue *queue, struct entry *entry)
{
    int64_t size = sw_queue_size(queue, entry->batch);
    sw_queue_places_free(queue, entry->size - size);
    entry->size = size;
}

static void queue_consume(struct sw_stage *stage, struct sw_batch *batch, struct sw_ticket *ticket)
{
    struct queue *queue = (struct queue *)stage;
    count_offer(queue, batch);
    struct entry **list = queue->reserved != NULL ? &queue->reserved : &queue->reserved_overflow;
    bool has_place = queue->reserved != NULL;
    struct entry *entry = *list;
    SW_ASSERT(entry != NULL);
    *list = entry->next;
    entry->batch = batch;
    entry->ticket = ticket;
    if (sw_queue_size(queue, batch) > queue->pool->capacity) {
        sw_queue_refuse(queue, entry, SW_E_ELEMENT_SIZE);
        return;
    }
    if (has_place) {
        correct_places(queue, entry);
        enqueue(queue, entry);
    } else {
        sw_entry_list_append(&queue->overflow, entry);
        sw_queue_admit_overflow(queue);
    }
    sw_queue_pump(queue);
}

static void queue_drop(struct sw_stage *stage, const struct sw_batch *batch, int err)
{
    struct queue *queue = (struct queue *)stage;
    count_offer(queue, batch);
    reject(queue, batch, err);
}

static int queue_start(struct sw_stage *stage)
{
    struct queue *queue = (struct queue *)stage;
    int err = sw_push_open(queue->push);
    return err == SW_OK && queue->pool->stored != NULL ? sw_stored_start(queue) : err;
}

// What never got an attempt goes the same way as what failed, so that it is counted there.
static void give_up(struct queue *queue)
{
    bool pumping = queue->pumping;
    queue->pumping = true;
    queue->stopped = true;
    if (queue->pool->stored != NULL) {
        sw_stored_put_back(queue);
        sw_stored_fail_again(queue);
    }
    sw_lanes_stop(queue);
    fail_overflow(queue);
    while (queue->working != NULL) {
        sw_push_cancel(queue->push, &queue->working->call, SW_E_SHUTDOWN);
    }
    sw_push_close(queue->push);
    queue->closed = true;
    int err = SW_OK;
    struct lane *lane;
    while ((lane = TAILQ_FIRST(&queue->ready)) != NULL && (err == SW_OK || err == SW_E_AGAIN)) {
        struct consumer *consumer = consumer_take(queue);
        if (consumer == NULL) {
            break;
        }
        err = consumer_begin(lane, consumer);
        if (err != SW_OK) {
            consumer_give(queue, consumer);
        }
    }
    queue->pumping = pumping;
}

static int queue_drain(struct sw_stage *stage, uint64_t deadline_ns)
{
    struct queue *queue = (struct queue *)stage;
    bool stored = queue->pool->stored != NULL;
    if (!queue->stopped) {
        queue->stopped = true;
        if (stored && !sw_stored_needs_room(queue)) {
            sw_stored_put_back(queue);
        }
        sw_lanes_stop(queue);
        sw_push_stop(queue->push, queue->drain_retry);
    }
    if (stage->core->now_ns >= deadline_ns) {
        give_up(queue);
        return SW_OK;
    }
    sw_queue_pump(queue);
    if (queue->waiting_count > 0 || queue->working != NULL || queue->overflow.first != NULL
        || (stored && sw_stored_busy(queue))) {
        return SW_E_AGAIN;
    }
    sw_push_close(queue->push);
    return SW_OK;
}

// Without memory for a call it could not be ended through the exporter.
static void lose(struct queue *queue)
{
    struct lane *lane;
    while ((lane = TAILQ_FIRST(&queue->ready)) != NULL) {
        struct entry *entry = sw_lane_take(lane);
        sw_batch_free(entry->batch);
        sw_batch_free(entry->ahead);
        entry->outcome = (struct sw_outcome){.err = SW_E_SHUTDOWN};
        sw_queue_entry_end(queue, entry);
        sw_lane_look(lane);
    }
}

static void queue_free(struct sw_stage *stage)
{
    struct queue *queue = (struct queue *)stage;
    if (queue == NULL) {
        return;
    }
    give_up(queue);
    if (queue->pool->stored != NULL) {
        sw_stored_fini(queue);
    }
    lose(queue);
    while (queue->idle != NULL) {
        struct consumer *consumer = queue->idle;
        queue->idle = consumer->next;
        sw_free(consumer);
    }
    while (queue->spare != NULL) {
        struct entry *entry = queue->spare;
        queue->spare = entry->next;
        sw_free(entry);
    }
    sw_timer_cancel(&stage->core->timers, &queue->poll);
    sw_lanes_fini(queue);
    sw_core_task_cancel(stage->core, &queue->task);
    sw_push_free(queue->push);
    sw_free(queue);
}

static const struct sw_stage_ops queue_ops = {
    .admit = queue_admit,
    .retract = queue_retract,
    .consume = queue_consume,
    .drop = queue_drop,
    .start = queue_start,
    .drain = queue_drain,
    .free = queue_free,
};

/* ---- making ---- */

static int refuse(const struct sw_stage_env *env, const char *what)
{
    if (env->error != NULL) {
        snprintf(env->error, env->error_size, "sending_queue::%s", what);
    }
    return SW_E_UNSUPPORTED;
}

/* The store that the configuration names; the queue stays in memory where nothing is written (validate). */
static int find_store(
    const struct sw_stage_env *env,
    const struct sw_sending_queue_conf *conf,
    struct sw_queue_pool *pool
)
{
    if (conf->storage == NULL || conf->storage[0] == '\0') {
        return SW_OK;
    }
    if (conf->batch.enabled && conf->batch.partition.metadata_keys.count > 0) {
        return refuse(env, "batch::partition::metadata_keys: is not supported with storage yet");
    }
    if (env->journal == NULL) {
        return SW_OK;
    }
    struct sw_store *store = sw_journal_find(env->journal, conf->storage);
    if (store == NULL) {
        snprintf(
            env->error,
            env->error_size,
            "sending_queue::storage: service::extensions has no storage extension \"%s\"",
            conf->storage
        );
        return SW_E_INVALID;
    }
    return sw_store_add_queue(store, env->id, env->signal, &pool->stored);
}

// The queue joins as the batch processor in front of it would.
static void merge(
    struct sw_queue_pool *pool,
    const struct sw_sending_queue_conf *conf,
    const struct sw_merge *like
)
{
    pool->merge = like;
    pool->merged = *conf;
    pool->merged.batch = (struct sw_queue_batch_conf){
        .enabled = true,
        .flush_timeout_ns = (int64_t)like->timeout_ns,
        .sizer = SW_SIZER_ITEMS,
        .min_size = like->size,
        .max_size = like->size_max,
    };
    pool->conf = &pool->merged;
    if (conf->sizer == SW_SIZER_REQUESTS) {
        pool->per_request = like->size;
    }
}

int sw_queue_pool_new(
    const struct sw_stage_env *env,
    const struct sw_sending_queue_conf *conf,
    struct sw_queue_pool **ret_pool
)
{
    struct sw_queue_pool *pool = sw_zalloc(sizeof(*pool));
    if (pool == NULL) {
        return SW_E_NOMEM;
    }
    pool->cores_count = env->cores_count;
    pool->per_request = 1;
    pool->keep_refused = env->keep_refused;
    if (conf == NULL || !conf->enabled) {
        *ret_pool = pool;
        return SW_OK;
    }
    pool->conf = conf;
    if (env->merge != NULL) {
        merge(pool, conf, env->merge);
    }
    pool->capacity = conf->queue_size > INT64_MAX / pool->per_request
                         ? INT64_MAX
                         : conf->queue_size * pool->per_request;
    int err = find_store(env, conf, pool);
    if (err == SW_OK) {
        err = sw_queue_pool_metrics_make(pool, env);
    }
    if (err != SW_OK) {
        sw_free(pool);
        return err;
    }
    sw_count(pool->capacity_cell, pool->capacity / pool->per_request);
    *ret_pool = pool;
    return SW_OK;
}

void sw_queue_pool_free(struct sw_queue_pool *pool)
{
    if (pool != NULL) {
        sw_count(pool->capacity_cell, -(pool->capacity / pool->per_request));
    }
    sw_free(pool);
}

int sw_sending_queue_new(
    const struct sw_stage_env *env,
    struct sw_queue_pool *pool,
    struct sw_core *core,
    struct sw_push *push,
    struct sw_stage **ret_stage
)
{
    if (pool->conf == NULL) {
        return sw_synchronous_new(env, core, push, ret_stage);
    }
    struct queue *queue = sw_zalloc(sizeof(*queue));
    if (queue == NULL) {
        return SW_E_NOMEM;
    }
    queue->stage = (struct sw_stage){.ops = &queue_ops, .core = core, .id = env->id};
    queue->push = push;
    queue->pool = pool;
    queue->conf = pool->conf;
    queue->account = env->account;
    queue->drain_retry = env->drain_retry;
    int64_t consumers = pool->conf->num_consumers;
    int64_t share = consumers / pool->cores_count;
    share += core->index < consumers % pool->cores_count ? 1 : 0;
    queue->consumers_max = (uint32_t)SW_MIN(SW_MAX(share, 1), UINT32_MAX);
    sw_timer_init(&queue->poll, on_poll);
    queue->task.run = on_task;
    if (pool->stored != NULL) {
        sw_stored_init(queue, env->signal);
    }
    int err = sw_lanes_init(queue);
    if (err == SW_OK) {
        err = sw_queue_metrics_make(queue, env);
    }
    if (err != SW_OK) {
        sw_lanes_fini(queue);
        sw_free(queue);
        return err;
    }
    *ret_stage = &queue->stage;
    return SW_OK;
}
