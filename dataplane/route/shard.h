/* Which core owns a trace, and the walk that finds it out: a batch goes in, blocks of spans come
 * out, each span with the core it belongs to and with what the table and the policies want to know
 * of it. A span's fields are read once, here, whatever core it goes to.
 *
 * One core, except where it says so. Nothing is copied but a few bytes of IDs and times.
 */
#ifndef SW_ROUTE_SHARD_H
#define SW_ROUTE_SHARD_H

#include "dataplane/base/core.h"
#include "dataplane/otlp/batch.h"
#include "dataplane/otlp/span.h"

#include <stdbool.h>
#include <stdint.h>

/** Secret of the process: nobody outside can make IDs that collide. */
struct sw_shard_key {
    uint64_t word[4];
    /** Traces whose IDs have the same right half go to the same core (a decision cache knows no
     * more of an ID). */
    bool by_right_half;
};

void sw_shard_key_init(struct sw_shard_key *key, struct sw_rand *rand);

static inline uint64_t sw_shard_mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/** Keyed hash of a trace ID. The upper half chooses the core, the lower half is the table's. */
static inline uint64_t sw_shard_hash(const struct sw_shard_key *key, const uint8_t trace_id[16])
{
    uint64_t low;
    uint64_t high;
    memcpy(&low, trace_id, sizeof(low));
    memcpy(&high, trace_id + 8, sizeof(high));
    uint64_t hash = sw_shard_mix(low ^ key->word[0], high ^ key->word[1]);
    return sw_shard_mix(hash ^ key->word[2], (low + high) ^ key->word[3] ^ 0x9e3779b97f4a7c15u);
}

/** 0 … cores_count-1. The same on all cores of the process.
 * @param hash  sw_shard_hash of the ID */
static inline unsigned sw_shard_owner(
    const struct sw_shard_key *key,
    const uint8_t trace_id[16],
    uint64_t hash,
    unsigned cores_count
)
{
    if (SW_UNLIKELY(key->by_right_half)) {
        uint64_t high;
        memcpy(&high, trace_id + 8, sizeof(high));
        hash = sw_shard_mix(high ^ key->word[1], key->word[0] | 1);
    }
    return (unsigned)(((hash >> 32) * cores_count) >> 32);
}

/** What stands around spans. Ranges of whole fields; they live as long as the batch. */
struct sw_shard_scope {
    struct sw_bytes resource; /**< fields of the ResourceSpans, without scopes and schema URL */
    struct sw_bytes scope;    /**< fields of the ScopeSpans, without spans and schema URL */
    /** Tells ScopeSpans apart: no two of about 2^26 in a row, of all cores, have the same. */
    uint32_t stamp;
    uint32_t group_stamp; /**< stamp of the first ScopeSpans of this ResourceSpans */
};

/** One span. */
struct sw_shard_span {
    uint8_t trace_id[SW_TRACE_ID_BYTES];
    uint64_t start_ns;
    uint64_t end_ns;
    const uint8_t *field; /**< the span in its ScopeSpans: tag, length, message */
    uint32_t field_size;
    uint32_t hash;       /**< lower half */
    int32_t status_code; /**< open enum */
    uint16_t scope;      /**< index into the block's scopes */
    uint8_t owner;       /**< core */
    bool is_root;
};

#define SW_SHARD_SPANS_MAX 512u

/** As many spans as are walked in one slice. */
struct sw_shard_block {
    uint32_t spans_count;
    uint32_t scopes_count;
    uint32_t owner_first[SW_CORES_MAX + 1]; /**< order[owner_first[o]] … are those of core o */
    uint16_t order[SW_SHARD_SPANS_MAX];     /**< by owner; for each owner in order of arrival */
    struct sw_shard_scope scopes[SW_SHARD_SPANS_MAX];
    struct sw_shard_span spans[SW_SHARD_SPANS_MAX];
};

struct sw_shard_gathered; /**< surrounding fields that do not lie together, joined in a copy */

/** Finding what stands around the children of a message, which may be many. */
struct sw_shard_look {
    struct sw_pb_reader reader;
    const struct sw_piece *pieces;
    uint32_t pieces_count;
    uint32_t piece;
    uint32_t ranges_count; /**< of fields that lie side by side */
    bool active;
    const uint8_t *behind;
    struct sw_bytes first;              /**< the first range */
    size_t size;                        /**< of all ranges */
    struct sw_shard_gathered *gathered; /**< second pass: where they are copied to */
    uint8_t *out;
};

/** A walk through one batch, goes on block by block. */
struct sw_shard_walk {
    const struct sw_batch *batch;
    const struct sw_shard_key *key;
    struct sw_core *core;
    uint32_t *stamp;     /**< the core's counter of ScopeSpans */
    uint32_t parts_done; /**< parts that were begun */
    uint32_t walked_count;
    bool in_requests; /**< in a part of level 0 */
    bool in_resource;
    bool in_scope;
    bool done;
    struct sw_otlp_iter resources;
    struct sw_otlp_iter scopes;
    struct sw_otlp_iter spans;
    struct sw_piece message;       /**< the ResourceSpans (level 0) */
    struct sw_piece scope_message; /**< the ScopeSpans that is looked around in */
    const struct sw_piece *pieces; /**< of the ResourceSpans */
    uint32_t pieces_count;
    uint32_t piece;
    struct sw_shard_look look;
    struct sw_shard_scope around; /**< of the ScopeSpans that the walk is in */
    struct sw_shard_gathered *gathered;
};

/** Whether the walk can read the batch as it lies. Not when a field lies across two pieces, as
 * after sw_batch_split: then sw_batch_detach first. */
bool sw_shard_walkable(const struct sw_batch *batch);

/** @param stamp  the core's counter, kept by the caller */
void sw_shard_walk_init(
    struct sw_shard_walk *walk,
    const struct sw_batch *batch,
    const struct sw_shard_key *key,
    struct sw_core *core,
    uint32_t *stamp
);

/** Fills the next block: up to SW_SHARD_SPANS_MAX spans, about 512 KiB of them, or what a slice of
 * well below 1 ms finds. A block may be empty; walk->done tells the end.
 * @return 0, or SW_E_NOMEM (try again later; what the block holds is valid and counts) */
SW_CHECKED int sw_shard_walk_next(struct sw_shard_walk *walk, struct sw_shard_block *block);

/** Frees what the walk gathered: blocks that it filled are not to be read any more. */
void sw_shard_walk_fini(struct sw_shard_walk *walk);

#endif
