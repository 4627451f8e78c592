/* Trace IDs whose decision is remembered, the least recently used forgotten first. As in the
 * Collector only the right half of an ID counts: IDs that agree in it share a decision (reference:
 * 3.7).
 *
 * One per core. The size counts over all cores: each entry takes a credit of the process's; where
 * there is none left, a core forgets its own oldest one. Memory grows with use, entry by entry;
 * nothing is ever rehashed as a whole.
 */
#ifndef SW_VERDICT_CACHE_H
#define SW_VERDICT_CACHE_H

#include "dataplane/base/buf.h"
#include "dataplane/route/shard.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct sw_decision_credit {
    _Atomic uint64_t used;
    uint64_t most; /**< 0: no cache */
};

struct decision_entry;

struct sw_decision_cache {
    struct sw_decision_credit *credit;
    const struct sw_shard_key *key;
    struct sw_account *account;
    struct decision_entry **entries; // pages
    uint32_t **buckets;              // pages: number of the first entry; 0: none
    uint32_t entry_pages_count;
    uint32_t bucket_pages_count;
    uint32_t buckets_count; // linear hashing: grown one by one
    uint32_t count;
    uint32_t newest; // list by use, numbers of entries; 0: end
    uint32_t oldest;
};

/** @param key  of the process, outlives the cache */
void sw_decision_cache_init(
    struct sw_decision_cache *cache,
    struct sw_decision_credit *credit,
    const struct sw_shard_key *key,
    struct sw_account *account
);
/** A zeroed one is legal. */
void sw_decision_cache_fini(struct sw_decision_cache *cache);

/** Knows the ID? It is then the most recently used.
 * @param ret_policy  what it was put with */
bool sw_decision_cache_hit(
    struct sw_decision_cache *cache,
    const uint8_t trace_id[16],
    uint16_t *ret_policy
);

/** Remembers the ID.
 * @param policy  who has the credit, index + 1; 0: nobody
 * @return false: no cache, or no memory for one more */
bool sw_decision_cache_put(
    struct sw_decision_cache *cache,
    const uint8_t trace_id[16],
    uint16_t policy
);

#endif
