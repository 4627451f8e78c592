#include "storage/batch/batch.h"

#include "dataplane/base/clock.h"
#include "dataplane/base/event.h"
#include "dataplane/base/mem.h"
#include "dataplane/otlp/client.h"
#include "dataplane/pipeline/balance.h"
#include "dataplane/pipeline/cells.h"
#include "dataplane/pipeline/push.h"
#include "storage/batch/batch_cells.h"
#include "storage/batch/combination_internal.h"

// How soon a batch without room downstream is offered again.
#define BLOCKED_RETRY_NS (5 * SW_NS_PER_MS)
// Batches sent in one step; a cut into very many goes on in the next turn.
#define SENDS_PER_STEP 32
// A wait that uses less than this share of what it pins is worth a copy.
#define PIN_SHARE 4

enum trigger {
    TRIGGER_SIZE,
    TRIGGER_TIMEOUT,
};

/* What is batched together: all of this core, or what has the same client metadata. */
struct batcher {
    struct batches *batches;
    struct sw_combination combination; // its place in the table; unused without metadata_keys
    struct sw_client *client;          // that goes on with a batch: the keys alone; NULL: none
    struct sw_batch *first;            // what is held, in order of arrival
    struct sw_batch *last;
    uint64_t items_count;   // held here
    uint64_t timer_base_ns; // when the free-running timer was last restarted
    struct sw_timer timer;
    struct sw_timer retry; // downstream has no room
    struct sw_task task;   // more to send than fits one step
    struct sw_ticket ticket;
    bool sending; // ticket is not settled: the next stage works on a batch
    enum trigger sending_trigger;
    uint32_t sending_items;
    uint64_t sending_bytes;
    bool waiting; // no room downstream
    bool due;     // the timer came and what is held has not been sent yet
};

/* The processor on one core. */
struct batches {
    struct sw_stage stage;
    struct sw_ledger *ledger;
    struct sw_account *account;
    uint64_t timeout_ns; // 0: no timer, every input is sent at once
    uint32_t size;
    uint32_t size_max; // 0: none
    bool draining;
    struct batch_shared *shared;
    struct batcher *single; // without metadata_keys
    struct sw_combinations combinations;
    struct sw_batch_cells cells;
    struct sw_cell *refused;
    struct sw_cell *cardinality;
    uint32_t counted; // combinations that this core was the first to have
};

struct batch_shared {
    struct sw_combinations_limit limit;
    struct sw_cell *cardinality; // the control thread's: the one combination without metadata_keys
};

static const struct sw_metric_family cardinality_family = {
    .name = "otelcol_processor_batch_metadata_cardinality",
    .help = "Number of distinct metadata value combinations being processed [Development]",
    .unit = "{combinations}",
    .type = SW_GAUGE,
    .level = SW_LEVEL_NORMAL,
};
static const struct sw_metric_family refused_family = {
    .name = "spanweir_processor_batch_refused_items",
    .help = "Items refused to the sender because a full batch waits for room downstream",
    .unit = "{items}",
    .type = SW_COUNTER,
    .level = SW_LEVEL_BASIC,
};

static const struct sw_event_kind sender_failed = {
    .level = SW_EVENT_WARN,
    .message = "Sender failed",
    .component_kind = "processor",
    .text_key = "error",
};

/* ---- what is held ---- */

static void append(struct batcher *batcher, struct sw_batch *batch)
{
    batch->next = NULL;
    // What goes on comes from many.
    sw_client_unref(batch->client);
    batch->client = NULL;
    if (batcher->last != NULL) {
        batcher->last->next = batch;
    } else {
        batcher->first = batch;
    }
    batcher->last = batch;
    batcher->items_count += batch->items_count;
}

static struct sw_batch *take_first(struct batcher *batcher)
{
    struct sw_batch *batch = batcher->first;
    batcher->first = batch->next;
    if (batcher->first == NULL) {
        batcher->last = NULL;
    }
    batch->next = NULL;
    batcher->items_count -= batch->items_count;
    return batch;
}

static void put_first(struct batcher *batcher, struct sw_batch *batch)
{
    batch->next = batcher->first;
    batcher->first = batch;
    if (batcher->last == NULL) {
        batcher->last = batch;
    }
    batcher->items_count += batch->items_count;
}

// A small part must not hold a large buffer while it waits. Without memory it goes on pinning.
static struct sw_batch *unpinned(struct batcher *batcher, struct sw_batch *batch)
{
    if (batch->bytes * PIN_SHARE >= sw_batch_pinned_bytes(batch)) {
        return batch;
    }
    struct sw_batch *copy = sw_batch_detach(batch, batcher->batches->account);
    if (copy == NULL) {
        return batch;
    }
    sw_batch_free(batch);
    return copy;
}

// Joins the second to the first, or as much of it as the first has room for.
static int join_second(struct batcher *batcher, uint64_t room)
{
    struct sw_batch *into = take_first(batcher);
    struct sw_batch *next = take_first(batcher);
    int err = SW_OK;
    if (next->items_count <= room) {
        err = sw_batch_merge(into, next);
        next = err == SW_OK ? NULL : next;
    } else {
        struct sw_batch *cut = NULL;
        err = sw_batch_split(next, (uint32_t)room, batcher->batches->account, &cut);
        if (err == SW_OK) {
            err = sw_batch_merge(into, cut);
        }
        if (err != SW_OK && cut != NULL) {
            put_first(batcher, next);
            next = cut;
        }
    }
    if (next != NULL) {
        put_first(batcher, next);
    }
    put_first(batcher, into);
    return err;
}

/* Makes the first batch of the list the next one to send: exactly size_max items while more are
 * held, else all. After SW_E_NOMEM what is held is whole and in order. */
static int form(struct batcher *batcher)
{
    uint64_t most = batcher->batches->size_max > 0 ? batcher->batches->size_max : UINT32_MAX;
    while (batcher->first->items_count < most && batcher->first->next != NULL) {
        uint64_t room = most - batcher->first->items_count;
        if (batcher->first->next->items_count > room && batcher->batches->size_max == 0) {
            break; // 2^32 items: no such request
        }
        int err = join_second(batcher, room);
        if (err != SW_OK) {
            return err;
        }
    }
    if (batcher->first->items_count <= most) {
        return SW_OK;
    }
    struct sw_batch *rest = take_first(batcher);
    struct sw_batch *cut = NULL;
    int err = sw_batch_split(rest, (uint32_t)most, batcher->batches->account, &cut);
    put_first(batcher, rest);
    if (err == SW_OK) {
        put_first(batcher, cut);
    }
    return err;
}

/* ---- sending ---- */

static void count_sent(const struct batcher *batcher)
{
    bool by_size = batcher->sending_trigger == TRIGGER_SIZE;
    sw_batch_cells_count(
        &batcher->batches->cells, by_size, batcher->sending_items, batcher->sending_bytes
    );
}

// The Collector's word for it; the loss itself is in the exporters' books.
static void tell_failed(const struct batcher *batcher, const struct sw_outcome *outcome)
{
    struct sw_core *core = batcher->batches->stage.core;
    const char *text = sw_err_text(outcome->err);
    uint32_t len = (uint32_t)__builtin_strlen(text);
    if (outcome->text != NULL) {
        text = (const char *)outcome->text->data;
        len = outcome->text->size;
    }
    sw_event_leave(
        core->events, &sender_failed, batcher->batches->stage.id, NULL, core->wall_ns, 0, text, len
    );
}

static void sent(struct sw_ticket *ticket)
{
    struct batcher *batcher = SW_CONTAINER_OF(ticket, struct batcher, ticket);
    struct sw_core *core = batcher->batches->stage.core;
    struct sw_outcome *outcome = &ticket->outcome;
    // What the next stage did not take was not sent (v0.159 shard.sendItems).
    if (outcome->err == SW_OK) {
        count_sent(batcher);
    } else {
        tell_failed(batcher, outcome);
    }
    sw_outcome_fini(outcome);
    batcher->sending = false;
    // Not from inside: the next stage may have settled while it was being handed the batch.
    if (batcher->items_count > 0) {
        sw_core_task(core, &batcher->task);
    }
}

// @return false when there is no room for it now
static bool send_one(struct batcher *batcher, enum trigger trigger)
{
    if (form(batcher) != SW_OK
        || sw_stage_admit(batcher->batches->stage.next, batcher->first, SW_ADMIT_ANY) != SW_OK) {
        struct sw_core *core = batcher->batches->stage.core;
        batcher->waiting = true;
        sw_timer_set(&core->timers, &batcher->retry, core->now_ns + BLOCKED_RETRY_NS);
        return false;
    }
    struct sw_batch *batch = take_first(batcher);
    batch->client = sw_client_ref(batcher->client);
    if (batcher->batches->ledger != NULL) {
        batcher->batches->ledger->flow[SW_FLOW_IN_BATCH] -= batch->items_count;
    }
    batcher->due = false;
    batcher->sending = true;
    batcher->sending_trigger = trigger;
    batcher->sending_items = batch->items_count;
    batcher->sending_bytes = batch->bytes;
    sw_ticket_init(&batcher->ticket, sent);
    sw_stage_consume(batcher->batches->stage.next, batch, &batcher->ticket);
    return true;
}

static bool full(const struct batcher *batcher)
{
    return batcher->items_count > 0
           && (batcher->batches->timeout_ns == 0 || batcher->items_count >= batcher->batches->size);
}

// The Collector's timer runs on without input; a batch is due at its next beat.
static void arm(struct batcher *batcher)
{
    struct sw_core *core = batcher->batches->stage.core;
    if (batcher->batches->timeout_ns == 0 || batcher->items_count == 0 || batcher->timer.armed) {
        return;
    }
    uint64_t beats = (core->now_ns - batcher->timer_base_ns) / batcher->batches->timeout_ns + 1;
    uint64_t at_ns = batcher->timer_base_ns + beats * batcher->batches->timeout_ns;
    sw_timer_set(&core->timers, &batcher->timer, at_ns);
}

static void restart_timer(struct batcher *batcher)
{
    batcher->timer_base_ns = batcher->batches->stage.core->now_ns;
    sw_timer_cancel(&batcher->batches->stage.core->timers, &batcher->timer);
}

// Only the tail of what was just cut can be alone and small.
static void unpin_tail(struct batcher *batcher)
{
    if (batcher->first != NULL && batcher->first->next == NULL && !full(batcher)) {
        put_first(batcher, unpinned(batcher, take_first(batcher)));
    }
}

// Sends what has to go and can.
static void run(struct batcher *batcher)
{
    unsigned sends = 0;
    while (batcher->items_count > 0 && !batcher->sending && !batcher->waiting) {
        if (!full(batcher) && !batcher->due && !batcher->batches->draining) {
            break;
        }
        if (sends == SENDS_PER_STEP) {
            sw_core_task(batcher->batches->stage.core, &batcher->task);
            break;
        }
        if (!send_one(batcher, full(batcher) ? TRIGGER_SIZE : TRIGGER_TIMEOUT)) {
            break;
        }
        sends++;
    }
    if (sends > 0) {
        restart_timer(batcher);
        unpin_tail(batcher);
    }
    arm(batcher);
}

static bool on_task(struct sw_task *task, uint64_t now_ns)
{
    (void)now_ns;
    run(SW_CONTAINER_OF(task, struct batcher, task));
    return false;
}

static void on_retry(struct sw_timer *timer, uint64_t now_ns)
{
    (void)now_ns;
    struct batcher *batcher = SW_CONTAINER_OF(timer, struct batcher, retry);
    batcher->waiting = false;
    run(batcher);
}

static void on_timer(struct sw_timer *timer, uint64_t now_ns)
{
    struct batcher *batcher = SW_CONTAINER_OF(timer, struct batcher, timer);
    batcher->timer_base_ns = now_ns;
    batcher->due = true;
    run(batcher);
}

/* ---- one batcher or many ---- */

static void batcher_init(struct batcher *batcher, struct batches *batches)
{
    *batcher = (struct batcher){
        .batches = batches,
        .timer_base_ns = batches->stage.core->now_ns,
        .task = {.run = on_task},
    };
    sw_timer_init(&batcher->timer, on_timer);
    sw_timer_init(&batcher->retry, on_retry);
}

static void batcher_free(struct batcher *batcher)
{
    if (batcher == NULL) {
        return;
    }
    struct sw_core *core = batcher->batches->stage.core;
    sw_timer_cancel(&core->timers, &batcher->timer);
    sw_timer_cancel(&core->timers, &batcher->retry);
    sw_core_task_cancel(core, &batcher->task);
    while (batcher->first != NULL) {
        sw_batch_free(take_first(batcher));
    }
    sw_client_unref(batcher->client);
    sw_combination_fini(&batcher->combination);
    sw_free(batcher);
}

static int add_batcher(struct batches *batches, struct batcher **ret_batcher)
{
    struct batcher *batcher = sw_alloc(sizeof(*batcher));
    if (batcher == NULL) {
        return SW_E_NOMEM;
    }
    batcher_init(batcher, batches);
    bool first = false;
    int err = sw_combinations_add(
        &batches->combinations,
        &batches->shared->limit,
        batches->account,
        &batcher->combination,
        &batcher->client,
        &first
    );
    if (err != SW_OK) {
        batcher_free(batcher);
        return err;
    }
    batches->counted += first;
    sw_count(batches->cardinality, first);
    *ret_batcher = batcher;
    return SW_OK;
}

// The batcher for a sender; a new one when there is none with its metadata.
static int
batcher_for(struct batches *batches, const struct sw_client *client, struct batcher **ret_batcher)
{
    if (batches->single != NULL) {
        *ret_batcher = batches->single;
        return SW_OK;
    }
    struct sw_combination *found;
    int err = sw_combinations_find(&batches->combinations, client, &found);
    if (err != SW_OK) {
        return err;
    }
    if (found == NULL) {
        return add_batcher(batches, ret_batcher);
    }
    *ret_batcher = SW_CONTAINER_OF(found, struct batcher, combination);
    return SW_OK;
}

/* All batchers, one after the other; NULL: the first. */
static struct batcher *next_batcher(struct batches *batches, struct batcher *batcher)
{
    if (batches->single != NULL) {
        return batcher == NULL ? batches->single : NULL;
    }
    struct sw_combination *next =
        batcher == NULL ? batches->combinations.first : batcher->combination.next;
    return next != NULL ? SW_CONTAINER_OF(next, struct batcher, combination) : NULL;
}

/* ---- the stage ---- */

static int batches_admit(struct sw_stage *stage, const struct sw_batch *batch, enum sw_admit mode)
{
    struct batches *batches = (struct batches *)stage;
    struct batcher *batcher;
    int err = batcher_for(batches, batch->client, &batcher);
    if (err != SW_OK) {
        return err;
    }
    // A full batch that cannot leave is all that is kept; what comes in on top would only grow.
    if ((batcher->waiting || batcher->sending) && full(batcher)) {
        if (mode == SW_ADMIT_ALL) {
            sw_count(batches->refused, batch->items_count);
        }
        return SW_E_FULL;
    }
    return SW_OK;
}

static void batches_retract(struct sw_stage *stage, const struct sw_batch *batch)
{
    (void)stage;
    (void)batch;
}

static void
batches_consume(struct sw_stage *stage, struct sw_batch *batch, struct sw_ticket *ticket)
{
    struct batches *batches = (struct batches *)stage;
    struct batcher *batcher = NULL;
    if (batch->items_count == 0) {
        sw_batch_free(batch);
        sw_ticket_settle_err(ticket, SW_OK);
        return;
    }
    // Made when the batch was admitted, so it is there.
    int err = batcher_for(batches, batch->client, &batcher);
    SW_ASSERT(err == SW_OK);
    if (batches->ledger != NULL) {
        batches->ledger->flow[SW_FLOW_IN_BATCH] += batch->items_count;
    }
    bool waits =
        batches->timeout_ns > 0 && batcher->items_count + batch->items_count < batches->size;
    append(batcher, waits ? unpinned(batcher, batch) : batch);
    sw_ticket_settle_err(ticket, SW_OK);
    run(batcher);
}

static void give_up(struct batcher *batcher)
{
    struct batches *batches = batcher->batches;
    while (batcher->items_count > 0) {
        struct sw_batch *batch = take_first(batcher);
        if (batches->ledger != NULL) {
            batches->ledger->flow[SW_FLOW_IN_BATCH] -= batch->items_count;
        }
        batches->stage.next->ops->drop(batches->stage.next, batch, SW_E_SHUTDOWN);
        sw_batch_free(batch);
    }
}

// What the upstream leaves out never was in this pipeline's batch.
static void batches_drop(struct sw_stage *stage, const struct sw_batch *batch, int err)
{
    sw_stage_pass_drop(stage, batch, err);
}

static int batches_start(struct sw_stage *stage)
{
    struct batches *batches = (struct batches *)stage;
    if (batches->single != NULL) {
        batches->single->timer_base_ns = stage->core->now_ns;
    }
    return SW_OK;
}

static int batches_drain(struct sw_stage *stage, uint64_t deadline_ns)
{
    struct batches *batches = (struct batches *)stage;
    int state = SW_OK;
    batches->draining = true;
    for (struct batcher *batcher = next_batcher(batches, NULL); batcher != NULL;
         batcher = next_batcher(batches, batcher)) {
        if (stage->core->now_ns >= deadline_ns) {
            give_up(batcher);
            continue;
        }
        run(batcher);
        if (batcher->items_count > 0 || batcher->sending) {
            state = SW_E_AGAIN;
        }
    }
    return state;
}

static void batches_free(struct sw_stage *stage)
{
    struct batches *batches = (struct batches *)stage;
    if (batches == NULL) {
        return;
    }
    struct batcher *batcher = next_batcher(batches, NULL);
    while (batcher != NULL) {
        struct batcher *next = next_batcher(batches, batcher);
        batcher_free(batcher);
        batcher = next;
    }
    sw_count(batches->cardinality, -(int64_t)batches->counted);
    sw_combinations_fini(&batches->combinations);
    sw_free(batches);
}

static const struct sw_stage_ops batches_ops = {
    .admit = batches_admit,
    .retract = batches_retract,
    .consume = batches_consume,
    .drop = batches_drop,
    .start = batches_start,
    .drain = batches_drain,
    .free = batches_free,
};

static int make_cells(struct batches *batches, const struct sw_stage_env *env, unsigned core)
{
    const struct sw_label labels[] = {{"processor", env->id}};
    const struct {
        const struct sw_metric_family *family;
        struct sw_cell **cell;
    } wanted[] = {
        {&refused_family, &batches->refused},
        {&cardinality_family, &batches->cardinality},
    };
    for (unsigned i = 0; i < SW_ARRAY_SIZE(wanted); i++) {
        int err = sw_cell_make(env->metrics, core, wanted[i].family, labels, 1, wanted[i].cell);
        if (err != SW_OK) {
            return err;
        }
    }
    return sw_batch_cells_make(&batches->cells, env->metrics, env->id, core);
}

/* ---- where queues do the work (merge.h) ---- */

static void merged_consume(struct sw_stage *stage, struct sw_batch *batch, struct sw_ticket *ticket)
{
    sw_client_unref(batch->client); // as of any batch: it comes from many
    batch->client = NULL;
    sw_stage_consume(stage->next, batch, ticket);
}

static void merged_free(struct sw_stage *stage)
{
    sw_free(stage);
}

static const struct sw_stage_ops merged_ops = {
    .admit = sw_stage_pass_admit,
    .retract = sw_stage_pass_retract,
    .consume = merged_consume,
    .drop = sw_stage_pass_drop,
    .free = merged_free,
};

static int merged_create(
    const struct sw_stage_env *env,
    struct sw_core *core,
    struct sw_stage *next,
    struct sw_stage **ret_stage
)
{
    struct sw_stage *stage = sw_zalloc(sizeof(*stage));
    if (stage == NULL) {
        return SW_E_NOMEM;
    }
    *stage = (struct sw_stage){.ops = &merged_ops, .core = core, .next = next, .id = env->id};
    *ret_stage = stage;
    return SW_OK;
}

static int batches_create(
    const struct sw_stage_env *env,
    const void *conf_ptr,
    void *shared,
    struct sw_core *core,
    struct sw_stage *next,
    struct sw_stage **ret_stage
)
{
    const struct sw_batch_conf *conf = conf_ptr;
    if (env->merged) {
        return merged_create(env, core, next, ret_stage);
    }
    struct batches *batches = sw_zalloc(sizeof(*batches));
    if (batches == NULL) {
        return SW_E_NOMEM;
    }
    batches->stage =
        (struct sw_stage){.ops = &batches_ops, .core = core, .next = next, .id = env->id};
    batches->account = env->account;
    batches->shared = shared;
    // Without a size there is no timer either (v0.159 shard.startLoop).
    batches->timeout_ns = conf->send_batch_size > 0 ? (uint64_t)conf->timeout_ns : 0;
    batches->size = conf->send_batch_size;
    batches->size_max = conf->send_batch_max_size;
    if (env->balance != NULL) {
        batches->ledger = sw_balance_ledger(env->balance, core->index);
    }
    int err = make_cells(batches, env, core->index);
    if (err == SW_OK && conf->metadata_keys.count > 0) {
        sw_count(batches->cardinality, 0);
        err = sw_combinations_init(&batches->combinations, &conf->metadata_keys);
    } else if (err == SW_OK) {
        batches->single = sw_alloc(sizeof(*batches->single));
        err = batches->single != NULL ? SW_OK : SW_E_NOMEM;
        if (err == SW_OK) {
            batcher_init(batches->single, batches);
        }
    }
    if (err != SW_OK) {
        batches_free(&batches->stage);
        return err;
    }
    *ret_stage = &batches->stage;
    return SW_OK;
}

static void shared_free(void *shared_ptr)
{
    struct batch_shared *shared = shared_ptr;
    if (shared == NULL) {
        return;
    }
    sw_count(shared->cardinality, -1);
    sw_combinations_limit_fini(&shared->limit);
    sw_free(shared);
}

static int shared_new(const struct sw_stage_env *env, const void *conf_ptr, void **ret_shared)
{
    const struct sw_batch_conf *conf = conf_ptr;
    const struct sw_label labels[] = {{"processor", env->id}};
    struct batch_shared *shared = sw_zalloc(sizeof(*shared));
    if (shared == NULL) {
        return SW_E_NOMEM;
    }
    bool keyed = conf->metadata_keys.count > 0;
    // Without metadata_keys there is one combination, however many cores.
    int err =
        keyed
            ? sw_combinations_limit_init(&shared->limit, conf->metadata_cardinality_limit)
            : sw_cell_make(
                env->metrics, env->cores_count, &cardinality_family, labels, 1, &shared->cardinality
            );
    if (err != SW_OK) {
        sw_free(shared);
        return err;
    }
    sw_count(shared->cardinality, 1);
    *ret_shared = shared;
    return SW_OK;
}

const struct sw_stage_class sw_batch_class = {
    .shared_new = shared_new,
    .shared_free = shared_free,
    .create = batches_create,
};
