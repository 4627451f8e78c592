/* How spans reach the core that owns their trace: block by block, the receiving core's own spans by
 * a call, those of another core as one message that lists them. The bytes stay where they are; the
 * batch is pinned until every core has taken its spans, and then its ticket is settled.
 *
 * A core that cannot take spans now (no memory) keeps the message and takes them later; nothing is
 * refused once it was handed over.
 */
#ifndef SW_ROUTE_HANDOFF_H
#define SW_ROUTE_HANDOFF_H

#include "dataplane/base/mailbox.h"
#include "dataplane/route/shard.h"

struct sw_handoff;
struct sw_ticket;
struct sw_handoff_block;

/** The spans of one block that belong to one core. */
struct sw_handoff_part {
    struct sw_message message;
    struct sw_handoff_block *block;
    uint32_t first; /**< into the block's order */
    uint32_t count;
    uint32_t taken_count;         /**< the taker's: how many it has already */
    struct sw_handoff_part *next; /**< the taker's */
};

const struct sw_shard_block *sw_handoff_part_block(const struct sw_handoff_part *part);

/** Span number `i` of the part. */
static inline const struct sw_shard_span *sw_handoff_part_span(
    const struct sw_shard_block *block,
    const struct sw_handoff_part *part,
    uint32_t i
)
{
    return &block->spans[block->order[part->first + i]];
}

struct sw_handoff_ops {
    /** Spans of this core's traces have arrived. The part is the taker's until sw_handoff_taken.
     * `remote`: they come from another core. */
    void (*take)(void *taker, struct sw_handoff_part *part, bool remote);
    /** Spans left for another core by message. */
    void (*sent)(void *taker, uint32_t spans_count);
    /** Every span of the batch was taken; the batch and one part of its ticket are the callee's.
     * walked_count: spans that the walk found, normally batch->items_count. */
    void (*done
    )(void *taker, struct sw_batch *batch, struct sw_ticket *ticket, uint32_t walked_count);
};

/** What the instances on all cores share. Written before the cores run. */
struct sw_handoff_shared {
    struct sw_shard_key key;
    struct sw_handoff *cores[SW_CORES_MAX];
};

/** One core's end. Control thread, before the cores run.
 *
 * @param taker  handed to the ops
 * @return 0 or SW_E_NOMEM
 */
SW_CHECKED int sw_handoff_new(
    struct sw_core *core,
    struct sw_handoff_shared *shared,
    const struct sw_handoff_ops *ops,
    void *taker,
    struct sw_handoff **ret_handoff
);

/** Gives up what is on the way: batches are freed, tickets are not settled. NULL is legal. */
void sw_handoff_free(struct sw_handoff *handoff);

/** Makes room for `count` calls of sw_handoff_put from now on, so that they cannot fail. Asking again without
 * putting is legal.
 * @return 0 or SW_E_NOMEM */
SW_CHECKED int sw_handoff_reserve(struct sw_handoff *handoff, uint32_t count);

/** Takes the batch (not empty) and passes its spans to their owners, at once or, when it is large
 * or others wait, in slices. Never fails: what lacks memory goes on later. A place was reserved. */
void sw_handoff_put(struct sw_handoff *handoff, struct sw_batch *batch, struct sw_ticket *ticket);

/** The taker has all spans of the part. */
void sw_handoff_taken(struct sw_handoff *handoff, struct sw_handoff_part *part);

/** Batches that have not been walked to their end, for lack of memory or time. */
uint32_t sw_handoff_waiting_count(const struct sw_handoff *handoff);

/** Nothing is on the way from this core any more. */
bool sw_handoff_idle(const struct sw_handoff *handoff);

#endif
