#include "storage/queue/sending_queue.h"

#include "dataplane/base/clock.h"
#include "dataplane/base/event.h"
#include "dataplane/base/mem.h"
#include "dataplane/pipeline/balance.h"
#include "dataplane/pipeline/cells.h"
#include "storage/queue/queue_internal.h"

#include <stdatomic.h>
#include <stdio.h>

// How soon room that another core gave back is looked for, while senders wait.
#define OVERFLOW_POLL_NS (2 * SW_NS_PER_MS)
// Calls begun in one step.
#define STARTS_PER_STEP 32

struct sw_queue_pool {
    _Atomic int64_t used; // requests, of all cores; a count, it orders nothing
    int64_t capacity;
    bool enabled;
    bool block_on_overflow;
    int64_t consumers;
    unsigned cores_count;
    struct sw_cell *capacity_cell;
};

/* A consumer at work. */
struct consumer {
    struct sw_push_call call;
    struct queue *queue;
    struct consumer *next;
    struct consumer *prev;
};

/* A request that found no room; its sender waits. */
struct overflow {
    struct sw_batch *batch;
    struct sw_ticket *ticket;
    struct overflow *next;
};

struct queue {
    struct sw_stage stage;
    struct sw_push *push;
    struct sw_queue_pool *pool;
    struct sw_batch *first;
    struct sw_batch *last;
    uint32_t consumers_max;
    uint32_t consumers_count; // at work
    struct consumer *working;
    struct consumer *idle;
    uint32_t reserved_count; // places taken by admit and not used yet
    struct overflow *overflow_first;
    struct overflow *overflow_last;
    struct overflow *overflow_reserved;
    struct sw_timer poll;
    struct sw_task task;
    bool pumping;
    bool stopped;
    bool closed;
    bool drain_retry;
    struct sw_cell *size;
    struct sw_cell *failed;
    struct sw_cell *enqueue_size;
    struct sw_cell *enqueue_bytes;
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

static const struct sw_metric_family size_family = {
    .name = "otelcol_exporter_queue_size",
    .help = "Current size of the retry queue (in batches). [Alpha]",
    .unit = "{batches}",
    .type = SW_GAUGE,
    .level = SW_LEVEL_BASIC,
};
static const struct sw_metric_family capacity_family = {
    .name = "otelcol_exporter_queue_capacity",
    .help = "Fixed capacity of the retry queue (in batches). [Alpha]",
    .unit = "{batches}",
    .type = SW_GAUGE,
    .level = SW_LEVEL_BASIC,
};
static const struct sw_metric_family failed_families[SW_SIGNALS_COUNT] = {
    {
        .name = "otelcol_exporter_enqueue_failed_spans",
        .help = "Number of spans failed to be added to the sending queue. [Alpha]",
        .unit = "{spans}",
        .type = SW_COUNTER,
        .level = SW_LEVEL_BASIC,
    },
    {
        .name = "otelcol_exporter_enqueue_failed_metric_points",
        .help = "Number of metric points failed to be added to the sending queue. [Alpha]",
        .unit = "{datapoints}",
        .type = SW_COUNTER,
        .level = SW_LEVEL_BASIC,
    },
    {
        .name = "otelcol_exporter_enqueue_failed_log_records",
        .help = "Number of log records failed to be added to the sending queue. [Alpha]",
        .unit = "{records}",
        .type = SW_COUNTER,
        .level = SW_LEVEL_BASIC,
    },
};
static const struct sw_metric_family enqueue_size_family = {
    .name = "otelcol_exporter_enqueue_size",
    .help = "Number of units in the enqueued request [Development]",
    .unit = "{units}",
    .type = SW_HISTOGRAM,
    .level = SW_LEVEL_DETAILED,
    .bounds = size_bounds,
    .bounds_count = SW_ARRAY_SIZE(size_bounds),
};
static const struct sw_metric_family enqueue_bytes_family = {
    .name = "otelcol_exporter_enqueue_size_bytes",
    .help = "Number of bytes in the enqueued request [Development]",
    .unit = "By",
    .type = SW_HISTOGRAM,
    .level = SW_LEVEL_DETAILED,
    .bounds = bytes_bounds,
    .bounds_count = SW_ARRAY_SIZE(bytes_bounds),
};

static const struct sw_event_kind rejecting = {
    .level = SW_EVENT_ERROR,
    .message = "Exporting failed. Rejecting data.",
    .component_kind = "exporter",
    .items_key = "rejected_items",
    .text_key = "error",
};

/* ---- the pool of places ---- */

static bool take_place(struct queue *queue)
{
    struct sw_queue_pool *pool = queue->pool;
    int64_t before = atomic_fetch_add_explicit(&pool->used, 1, memory_order_relaxed);
    if (before >= pool->capacity) {
        atomic_fetch_sub_explicit(&pool->used, 1, memory_order_relaxed);
        return false;
    }
    sw_count(queue->size, 1);
    return true;
}

static void give_place(struct queue *queue)
{
    atomic_fetch_sub_explicit(&queue->pool->used, 1, memory_order_relaxed);
    sw_count(queue->size, -1);
}

int64_t sw_queue_pool_used(struct sw_queue_pool *pool)
{
    return atomic_load_explicit(&pool->used, memory_order_relaxed);
}

/* ---- consumers ---- */

static void pump(struct queue *queue);
static void admit_overflow(struct queue *queue);

static void consumer_done(struct sw_push_call *call, struct sw_outcome *outcome)
{
    struct consumer *consumer = SW_CONTAINER_OF(call, struct consumer, call);
    struct queue *queue = consumer->queue;
    // The exporter has counted it and told people; nobody upstream waits for it.
    sw_outcome_fini(outcome);
    sw_batch_free(call->batch);
    if (consumer->prev != NULL) {
        consumer->prev->next = consumer->next;
    } else {
        queue->working = consumer->next;
    }
    if (consumer->next != NULL) {
        consumer->next->prev = consumer->prev;
    }
    consumer->next = queue->idle;
    queue->idle = consumer;
    queue->consumers_count--;
    give_place(queue);
    admit_overflow(queue);
    pump(queue);
}

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

static void consumer_begin(struct queue *queue, struct consumer *consumer)
{
    struct sw_batch *batch = queue->first;
    queue->first = batch->next;
    if (queue->first == NULL) {
        queue->last = NULL;
    }
    batch->next = NULL;
    *consumer = (struct consumer){
        .call = {.batch = batch, .done = consumer_done, .deadline_ns = SW_TIME_NEVER},
        .queue = queue,
        .next = queue->working,
    };
    if (consumer->next != NULL) {
        consumer->next->prev = consumer;
    }
    queue->working = consumer;
    queue->consumers_count++;
    sw_push_start(queue->push, &consumer->call);
}

// A call may be done from inside its start: then the loop goes on, it does not nest.
static void pump(struct queue *queue)
{
    if (queue->pumping) {
        return;
    }
    queue->pumping = true;
    unsigned starts = 0;
    while (queue->first != NULL && queue->consumers_count < queue->consumers_max) {
        if (starts == STARTS_PER_STEP) {
            sw_core_task(queue->stage.core, &queue->task);
            break;
        }
        struct consumer *consumer = consumer_take(queue);
        if (consumer != NULL && sw_push_reserve(queue->push) != SW_OK) {
            consumer->next = queue->idle;
            queue->idle = consumer;
            consumer = NULL;
        }
        if (consumer == NULL) {
            // Nobody may be at work who would come by here: look again soon.
            struct sw_core *core = queue->stage.core;
            sw_timer_set(&core->timers, &queue->poll, core->now_ns + OVERFLOW_POLL_NS);
            break;
        }
        consumer_begin(queue, consumer);
        starts++;
    }
    queue->pumping = false;
}

static bool on_task(struct sw_task *task, uint64_t now_ns)
{
    pump(SW_CONTAINER_OF(task, struct queue, task));
    return false;
}

static void enqueue(struct queue *queue, struct sw_batch *batch)
{
    batch->next = NULL;
    if (queue->last != NULL) {
        queue->last->next = batch;
    } else {
        queue->first = batch;
    }
    queue->last = batch;
}

/* ---- senders that wait for room ---- */

static struct overflow *overflow_take(struct queue *queue)
{
    struct overflow *overflow = queue->overflow_first;
    queue->overflow_first = overflow->next;
    if (queue->overflow_first == NULL) {
        queue->overflow_last = NULL;
    }
    return overflow;
}

static void admit_overflow(struct queue *queue)
{
    while (queue->overflow_first != NULL && take_place(queue)) {
        struct overflow *overflow = overflow_take(queue);
        struct sw_ticket *ticket = overflow->ticket;
        enqueue(queue, overflow->batch);
        sw_free(overflow);
        sw_ticket_settle_err(ticket, SW_OK); // may hand us the sender's next request
    }
    struct sw_core *core = queue->stage.core;
    if (queue->overflow_first != NULL && !queue->poll.armed) {
        sw_timer_set(&core->timers, &queue->poll, core->now_ns + OVERFLOW_POLL_NS);
    }
}

static void on_poll(struct sw_timer *timer, uint64_t now_ns)
{
    struct queue *queue = SW_CONTAINER_OF(timer, struct queue, poll);
    admit_overflow(queue);
    pump(queue);
}

static void fail_overflow(struct queue *queue)
{
    while (queue->overflow_first != NULL) {
        struct overflow *overflow = overflow_take(queue);
        struct sw_ticket *ticket = overflow->ticket;
        struct sw_batch *batch = overflow->batch;
        sw_branch_move(
            batch->branch, SW_BRANCH_QUEUED, SW_BRANCH_FAILED_SHUTDOWN, batch->items_count
        );
        sw_batch_free(batch);
        sw_free(overflow);
        sw_ticket_settle_err(ticket, SW_E_SHUTDOWN);
    }
}

/* ---- the stage ---- */

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
        (uint32_t)__builtin_strlen(text)
    );
}

static int reserve_overflow(struct queue *queue)
{
    struct overflow *overflow = sw_alloc(sizeof(*overflow));
    if (overflow == NULL) {
        return SW_E_NOMEM;
    }
    overflow->next = queue->overflow_reserved;
    queue->overflow_reserved = overflow;
    return SW_OK;
}

// The same queue may stand behind two pipelines of one receiver: several admits, then as many hand-overs.
static int queue_admit(struct sw_stage *stage, const struct sw_batch *batch, enum sw_admit mode)
{
    struct queue *queue = (struct queue *)stage;
    bool line = queue->overflow_first != NULL || queue->overflow_reserved != NULL;
    if (!line && take_place(queue)) {
        queue->reserved_count++;
        return SW_OK;
    }
    int err = SW_E_QUEUE_FULL;
    if (queue->pool->block_on_overflow && mode == SW_ADMIT_ALL && !queue->closed) {
        err = reserve_overflow(queue);
    }
    if (err != SW_OK && mode == SW_ADMIT_ALL) {
        reject(queue, batch, err);
    }
    return err;
}

static void queue_retract(struct sw_stage *stage, const struct sw_batch *batch)
{
    struct queue *queue = (struct queue *)stage;
    struct overflow *overflow = queue->overflow_reserved;
    if (overflow != NULL) {
        queue->overflow_reserved = overflow->next;
        sw_free(overflow);
        return;
    }
    SW_ASSERT(queue->reserved_count > 0);
    queue->reserved_count--;
    give_place(queue);
}

static void queue_consume(struct sw_stage *stage, struct sw_batch *batch, struct sw_ticket *ticket)
{
    struct queue *queue = (struct queue *)stage;
    sw_measure(queue->enqueue_size, batch->items_count);
    sw_measure(queue->enqueue_bytes, (double)batch->bytes);
    if (queue->reserved_count > 0) {
        queue->reserved_count--;
        enqueue(queue, batch);
        sw_ticket_settle_err(ticket, SW_OK);
        pump(queue);
        return;
    }
    struct overflow *overflow = queue->overflow_reserved;
    SW_ASSERT(overflow != NULL);
    queue->overflow_reserved = overflow->next;
    *overflow = (struct overflow){.batch = batch, .ticket = ticket};
    if (queue->overflow_last != NULL) {
        queue->overflow_last->next = overflow;
    } else {
        queue->overflow_first = overflow;
    }
    queue->overflow_last = overflow;
    admit_overflow(queue);
    pump(queue);
}

static void queue_drop(struct sw_stage *stage, const struct sw_batch *batch, int err)
{
    reject((struct queue *)stage, batch, err);
}

static int queue_start(struct sw_stage *stage)
{
    return sw_push_open(((struct queue *)stage)->push);
}

// What never got an attempt goes the same way as what failed, so that it is counted there.
static void give_up(struct queue *queue)
{
    bool pumping = queue->pumping;
    queue->pumping = true;
    fail_overflow(queue);
    while (queue->working != NULL) {
        sw_push_cancel(queue->push, &queue->working->call, SW_E_SHUTDOWN);
    }
    sw_push_close(queue->push);
    queue->closed = true;
    struct consumer *consumer = queue->first != NULL ? consumer_take(queue) : NULL;
    while (consumer != NULL && queue->first != NULL) {
        consumer_begin(queue, consumer);
        consumer = queue->first != NULL ? consumer_take(queue) : NULL;
    }
    queue->pumping = pumping;
}

static int queue_drain(struct sw_stage *stage, uint64_t deadline_ns)
{
    struct queue *queue = (struct queue *)stage;
    if (!queue->stopped) {
        queue->stopped = true;
        sw_push_stop(queue->push, queue->drain_retry);
    }
    if (stage->core->now_ns >= deadline_ns) {
        give_up(queue);
        return SW_OK;
    }
    pump(queue);
    if (queue->first != NULL || queue->working != NULL || queue->overflow_first != NULL) {
        return SW_E_AGAIN;
    }
    sw_push_close(queue->push);
    return SW_OK;
}

static void queue_free(struct sw_stage *stage)
{
    struct queue *queue = (struct queue *)stage;
    if (queue == NULL) {
        return;
    }
    give_up(queue);
    while (queue->first != NULL) {
        struct sw_batch *batch = queue->first;
        queue->first = batch->next;
        sw_batch_free(batch);
        give_place(queue);
    }
    while (queue->idle != NULL) {
        struct consumer *consumer = queue->idle;
        queue->idle = consumer->next;
        sw_free(consumer);
    }
    sw_timer_cancel(&stage->core->timers, &queue->poll);
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

static int check(const struct sw_stage_env *env, const struct sw_sending_queue_conf *conf)
{
    if (conf->storage != NULL && conf->storage[0] != '\0') {
        return refuse(env, "storage: is not supported yet, queues are in memory");
    }
    if (conf->batch.enabled) {
        return refuse(env, "batch: is not supported yet, use the batch processor");
    }
    if (conf->sizer != SW_SIZER_REQUESTS) {
        return refuse(env, "sizer: only \"requests\" is supported yet");
    }
    if (conf->wait_for_result) {
        return refuse(env, "wait_for_result: is not supported yet");
    }
    return SW_OK;
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
    if (conf == NULL || !conf->enabled) {
        *ret_pool = pool;
        return SW_OK;
    }
    pool->enabled = true;
    pool->capacity = conf->queue_size;
    pool->consumers = conf->num_consumers;
    pool->block_on_overflow = conf->block_on_overflow;
    const struct sw_label labels[] = {
        {"data_type", sw_signal_name(env->signal)},
        {"exporter", env->id},
    };
    int err = check(env, conf);
    if (err == SW_OK) {
        err = sw_cell_make(
            env->metrics, env->cores_count, &capacity_family, labels, 2, &pool->capacity_cell
        );
    }
    if (err != SW_OK) {
        sw_free(pool);
        return err;
    }
    sw_count(pool->capacity_cell, pool->capacity);
    *ret_pool = pool;
    return SW_OK;
}

void sw_queue_pool_free(struct sw_queue_pool *pool)
{
    if (pool != NULL) {
        sw_count(pool->capacity_cell, -pool->capacity);
    }
    sw_free(pool);
}

static int make_cells(struct queue *queue, const struct sw_stage_env *env, unsigned core)
{
    const struct sw_label labels[] = {
        {"exporter", env->id},
        {"data_type", sw_signal_name(env->signal)},
    };
    const struct {
        const struct sw_metric_family *family;
        struct sw_cell **cell;
        unsigned labels_count;
    } wanted[] = {
        {&size_family, &queue->size, 2},
        {&failed_families[env->signal], &queue->failed, 1},
        {&enqueue_size_family, &queue->enqueue_size, 1},
        {&enqueue_bytes_family, &queue->enqueue_bytes, 1},
    };
    for (unsigned i = 0; i < SW_ARRAY_SIZE(wanted); i++) {
        int err = sw_cell_make(
            env->metrics, core, wanted[i].family, labels, wanted[i].labels_count, wanted[i].cell
        );
        if (err != SW_OK) {
            return err;
        }
    }
    sw_count(queue->size, 0); // shown from the start
    return SW_OK;
}

int sw_sending_queue_new(
    const struct sw_stage_env *env,
    struct sw_queue_pool *pool,
    struct sw_core *core,
    struct sw_push *push,
    struct sw_stage **ret_stage
)
{
    if (!pool->enabled) {
        return sw_synchronous_new(env, core, push, ret_stage);
    }
    struct queue *queue = sw_zalloc(sizeof(*queue));
    if (queue == NULL) {
        return SW_E_NOMEM;
    }
    queue->stage = (struct sw_stage){.ops = &queue_ops, .core = core, .id = env->id};
    queue->push = push;
    queue->pool = pool;
    queue->drain_retry = env->drain_retry;
    int64_t share = pool->consumers / pool->cores_count;
    share += core->index < pool->consumers % pool->cores_count ? 1 : 0;
    queue->consumers_max = (uint32_t)SW_MIN(SW_MAX(share, 1), UINT32_MAX);
    sw_timer_init(&queue->poll, on_poll);
    queue->task.run = on_task;
    int err = make_cells(queue, env, core->index);
    if (err != SW_OK) {
        sw_free(queue);
        return err;
    }
    *ret_stage = &queue->stage;
    return SW_OK;
}
