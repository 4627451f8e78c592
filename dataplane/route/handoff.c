#include "dataplane/route/handoff.h"

#include "dataplane/base/mem.h"

#define BLOCKS_KEPT   4u
#define BLOCKS_A_TURN 4u
#define RETRY_NS      (10 * UINT64_C(1000000))

/* One batch on its way. */
struct source {
    struct sw_batch *batch;
    struct sw_ticket *ticket;
    struct sw_handoff *handoff;
    struct source *next;
    struct sw_shard_walk walk;
    uint32_t blocks_count; // blocks of it that somebody still reads
    bool begun;
};

struct sw_handoff_block {
    struct sw_shard_block spans;
    struct source *source;
    struct sw_handoff_block *next; // free, or out
    struct sw_handoff_block *prev; // out
    uint32_t parts_count;          // parts that were not taken
    struct sw_handoff_part parts[];
};

struct sw_handoff {
    struct sw_core *core;
    struct sw_handoff_shared *shared;
    const struct sw_handoff_ops *ops;
    void *taker;
    struct source *first; // walks that wait, the first is being walked
    struct source *last;
    uint32_t waiting_count;
    uint32_t sources_count; // all, also those that were walked and wait for other cores
    uint32_t stamp;
    struct sw_handoff_block *out_blocks;
    struct sw_handoff_block *free_blocks;
    uint32_t free_count;
    struct source *free_sources;
    uint32_t free_sources_count;
    bool busy;
    struct sw_task task;
    struct sw_timer retry;
};

static void go_on(struct sw_handoff *handoff, unsigned blocks_max);

static bool on_task(struct sw_task *task, uint64_t now_ns)
{
    (void)now_ns;
    go_on(SW_CONTAINER_OF(task, struct sw_handoff, task), BLOCKS_A_TURN);
    return false;
}

static void on_retry(struct sw_timer *timer, uint64_t now_ns)
{
    (void)now_ns;
    go_on(SW_CONTAINER_OF(timer, struct sw_handoff, retry), BLOCKS_A_TURN);
}

int sw_handoff_new(
    struct sw_core *core,
    struct sw_handoff_shared *shared,
    const struct sw_handoff_ops *ops,
    void *taker,
    struct sw_handoff **ret_handoff
)
{
    struct sw_handoff *handoff = sw_zalloc(sizeof(*handoff));
    if (handoff == NULL) {
        return SW_E_NOMEM;
    }
    handoff->core = core;
    handoff->shared = shared;
    handoff->ops = ops;
    handoff->taker = taker;
    handoff->task.run = on_task;
    sw_timer_init(&handoff->retry, on_retry);
    shared->cores[core->index] = handoff;
    *ret_handoff = handoff;
    return SW_OK;
}

static void source_free(struct source *source)
{
    sw_shard_walk_fini(&source->walk);
    sw_batch_free(source->batch);
    sw_free(source);
}

// Blocks that other cores have not given back; their sources go with the last of them.
static void free_out_blocks(struct sw_handoff *handoff)
{
    while (handoff->out_blocks != NULL) {
        struct sw_handoff_block *block = handoff->out_blocks;
        struct source *source = block->source;
        handoff->out_blocks = block->next;
        if (--source->blocks_count == 0 && source->walk.done) {
            source_free(source);
        }
        sw_free(block);
    }
}

void sw_handoff_free(struct sw_handoff *handoff)
{
    if (handoff == NULL) {
        return;
    }
    sw_timer_cancel(&handoff->core->timers, &handoff->retry);
    sw_core_task_cancel(handoff->core, &handoff->task);
    free_out_blocks(handoff);
    while (handoff->first != NULL) {
        struct source *next = handoff->first->next;
        source_free(handoff->first);
        handoff->first = next;
    }
    while (handoff->free_blocks != NULL) {
        struct sw_handoff_block *next = handoff->free_blocks->next;
        sw_free(handoff->free_blocks);
        handoff->free_blocks = next;
    }
    while (handoff->free_sources != NULL) {
        struct source *next = handoff->free_sources->next;
        sw_free(handoff->free_sources);
        handoff->free_sources = next;
    }
    if (handoff->shared->cores[handoff->core->index] == handoff) {
        handoff->shared->cores[handoff->core->index] = NULL;
    }
    sw_free(handoff);
}

uint32_t sw_handoff_waiting_count(const struct sw_handoff *handoff)
{
    return handoff->waiting_count;
}

bool sw_handoff_idle(const struct sw_handoff *handoff)
{
    return handoff->sources_count == 0;
}

const struct sw_shard_block *sw_handoff_part_block(const struct sw_handoff_part *part)
{
    return &part->block->spans;
}

/* ---- blocks ---- */

static struct sw_handoff_block *block_get(struct sw_handoff *handoff)
{
    struct sw_handoff_block *block = handoff->free_blocks;
    if (block != NULL) {
        handoff->free_blocks = block->next;
        handoff->free_count--;
        return block;
    }
    size_t parts_size = handoff->core->cores_count * sizeof(struct sw_handoff_part);
    return sw_aligned_alloc(64, sizeof(*block) + parts_size);
}

static void block_put(struct sw_handoff *handoff, struct sw_handoff_block *block)
{
    if (handoff->free_count == BLOCKS_KEPT) {
        sw_free(block);
        return;
    }
    block->next = handoff->free_blocks;
    handoff->free_blocks = block;
    handoff->free_count++;
}

static void block_out(struct sw_handoff *handoff, struct sw_handoff_block *block)
{
    block->prev = NULL;
    block->next = handoff->out_blocks;
    if (block->next != NULL) {
        block->next->prev = block;
    }
    handoff->out_blocks = block;
}

static void block_back(struct sw_handoff *handoff, struct sw_handoff_block *block)
{
    if (block->prev != NULL) {
        block->prev->next = block->next;
    } else {
        handoff->out_blocks = block->next;
    }
    if (block->next != NULL) {
        block->next->prev = block->prev;
    }
    block_put(handoff, block);
}

static void source_done(struct source *source)
{
    struct sw_handoff *handoff = source->handoff;
    struct sw_batch *batch = source->batch;
    struct sw_ticket *ticket = source->ticket;
    uint32_t walked_count = source->walk.walked_count;
    sw_shard_walk_fini(&source->walk);
    if (handoff->free_sources_count < BLOCKS_KEPT) {
        source->next = handoff->free_sources;
        handoff->free_sources = source;
        handoff->free_sources_count++;
    } else {
        sw_free(source);
    }
    handoff->sources_count--;
    handoff->ops->done(handoff->taker, batch, ticket, walked_count);
}

// A part came back to the core that made the block.
static void part_back(struct sw_handoff_part *part)
{
    struct sw_handoff_block *block = part->block;
    SW_ASSERT(block->parts_count > 0);
    if (--block->parts_count > 0) {
        return;
    }
    struct source *source = block->source;
    block_back(source->handoff, block);
    if (--source->blocks_count == 0 && source->walk.done) {
        source_done(source);
    }
}

static void part_delivered(struct sw_message *message, void *receiver)
{
    struct sw_handoff_part *part = (struct sw_handoff_part *)message;
    const struct sw_core *core = receiver;
    struct sw_handoff *here = part->block->source->handoff->shared->cores[core->index];
    here->ops->take(here->taker, part, true);
}

static void part_returned(struct sw_message *message, void *sender)
{
    (void)sender;
    part_back((struct sw_handoff_part *)message);
}

void sw_handoff_taken(struct sw_handoff *handoff, struct sw_handoff_part *part)
{
    if (part->block->source->handoff == handoff) {
        part_back(part);
    } else {
        sw_mailbox_return(handoff->core->mailbox, &part->message);
    }
}

/* ---- walking ---- */

// Messages first: the other cores work while this one takes its own.
static void hand_out(struct sw_handoff *handoff, struct sw_handoff_block *block)
{
    struct sw_core *core = handoff->core;
    const uint32_t *first = block->spans.owner_first;
    unsigned own = core->index;
    block->parts_count = 1; // held until everything is handed out
    for (unsigned owner = 0; owner < core->cores_count; owner++) {
        struct sw_handoff_part *part = &block->parts[owner];
        *part = (struct sw_handoff_part){
            .message = {.deliver = part_delivered, .returned = part_returned},
            .block = block,
            .first = first[owner],
            .count = first[owner + 1] - first[owner],
        };
        if (part->count == 0 || owner == own) {
            continue;
        }
        block->parts_count++;
        handoff->ops->sent(handoff->taker, part->count);
        sw_mailbox_send(core->mailbox, owner, &part->message);
    }
    if (block->parts[own].count > 0) {
        block->parts_count++;
        handoff->ops->take(handoff->taker, &block->parts[own], false);
    }
    part_back(&block->parts[own]); // the hold
}

static void unlink_first(struct sw_handoff *handoff)
{
    handoff->first = handoff->first->next;
    if (handoff->first == NULL) {
        handoff->last = NULL;
    }
    handoff->waiting_count--;
}

/* A batch that cannot be walked as it lies is copied into one buffer. */
static int begin(struct sw_handoff *handoff, struct source *source)
{
    if (!sw_shard_walkable(source->batch)) {
        struct sw_batch *whole = sw_batch_detach(source->batch, handoff->core->account);
        if (whole == NULL) {
            return SW_E_NOMEM;
        }
        sw_batch_free(source->batch);
        source->batch = whole;
    }
    sw_shard_walk_init(
        &source->walk, source->batch, &handoff->shared->key, handoff->core, &handoff->stamp
    );
    source->begun = true;
    return SW_OK;
}

// One block of the first batch. @return 0, or SW_E_NOMEM: later
static int step(struct sw_handoff *handoff)
{
    struct source *source = handoff->first;
    if (!source->begun && begin(handoff, source) != SW_OK) {
        return SW_E_NOMEM;
    }
    struct sw_handoff_block *block = block_get(handoff);
    if (block == NULL) {
        return SW_E_NOMEM;
    }
    int err = sw_shard_walk_next(&source->walk, &block->spans);
    if (source->walk.done) {
        unlink_first(handoff);
    }
    block->source = source;
    source->blocks_count++;
    block_out(handoff, block);
    hand_out(handoff, block); // from here on source may be gone
    return err;
}

static void go_on(struct sw_handoff *handoff, unsigned blocks_max)
{
    int err = SW_OK;
    // A ticket that is settled may bring the next batch from inside.
    handoff->busy = true;
    for (unsigned i = 0; i < blocks_max && err == SW_OK && handoff->first != NULL; i++) {
        err = step(handoff);
    }
    handoff->busy = false;
    struct sw_core *core = handoff->core;
    if (err != SW_OK) {
        sw_timer_set(&core->timers, &handoff->retry, core->now_ns + RETRY_NS);
    } else if (handoff->first != NULL) {
        sw_core_task(core, &handoff->task);
    }
}

int sw_handoff_reserve(struct sw_handoff *handoff, uint32_t count)
{
    while (handoff->free_sources_count < count) {
        struct source *source = sw_alloc(sizeof(*source));
        if (source == NULL) {
            return SW_E_NOMEM;
        }
        source->next = handoff->free_sources;
        handoff->free_sources = source;
        handoff->free_sources_count++;
    }
    return SW_OK;
}

void sw_handoff_put(struct sw_handoff *handoff, struct sw_batch *batch, struct sw_ticket *ticket)
{
    struct source *source = handoff->free_sources;
    SW_ASSERT(source != NULL); // reserved
    handoff->free_sources = source->next;
    handoff->free_sources_count--;
    memset(source, 0, sizeof(*source));
    source->batch = batch;
    source->ticket = ticket;
    source->handoff = handoff;
    if (handoff->last != NULL) {
        handoff->last->next = source;
    } else {
        handoff->first = source;
    }
    handoff->last = source;
    handoff->waiting_count++;
    handoff->sources_count++;
    if (handoff->busy) {
        sw_core_task(handoff->core, &handoff->task);
    } else if (!handoff->retry.armed) {
        // One block for each batch that comes: what waits does not grow while requests are small.
        go_on(handoff, 1);
    }
}
