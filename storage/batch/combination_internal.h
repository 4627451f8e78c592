/* Combinations of client metadata, each with a batcher of its own: which there are on this core, and how many
 * there may be in the process. */
#ifndef SW_BATCH_COMBINATION_INTERNAL_H
#define SW_BATCH_COMBINATION_INTERNAL_H

#include "dataplane/base/field.h"
#include "dataplane/otlp/client.h"

#include <stdatomic.h>

/** Of the process. Which combinations it has seen is kept as their hashes, so that one that lives on several
 * cores counts once; written without a lock. */
struct sw_combinations_limit {
    uint32_t most; /**< 0: unlimited */
    _Atomic uint32_t count;
    _Atomic uint64_t *hashes; /**< 0: empty slot */
    uint32_t slots_count;     /**< power of two */
};

SW_CHECKED int sw_combinations_limit_init(struct sw_combinations_limit *limit, uint32_t most);
/** One that was not initialised is legal. */
void sw_combinations_limit_fini(struct sw_combinations_limit *limit);

/** One on this core; lies in its owner's memory. */
struct sw_combination {
    struct sw_combination *next;      /**< of all */
    struct sw_combination *next_same; /**< in the same slot */
    uint64_t hash;
    uint8_t *key; /**< values of the metadata keys, each with its length */
    size_t key_size;
};

void sw_combination_fini(struct sw_combination *combination);

/** One core's. */
struct sw_combinations {
    struct sw_combination *first;
    struct sw_combination *last;
    struct sw_combination **slots;
    uint32_t slots_count; /**< power of two */
    uint32_t count;
    const struct sw_list *keys; /**< const char * */
    /* ---- what was looked for last ---- */
    uint8_t *key;
    size_t key_size;
    size_t key_capacity;
    uint64_t hash;
    const struct sw_client *client;
};

/** @param keys  lives as long as the table */
SW_CHECKED int
sw_combinations_init(struct sw_combinations *combinations, const struct sw_list *keys);
/** The combinations themselves are their owners'. */
void sw_combinations_fini(struct sw_combinations *combinations);

/** @param client     NULL: nobody in particular
 * @param ret_found  NULL: there is none yet
 * @return 0 or SW_E_NOMEM */
SW_CHECKED int sw_combinations_find(
    struct sw_combinations *combinations,
    const struct sw_client *client,
    struct sw_combination **ret_found
);

/** Adds the one that was looked for last and not found.
 *
 * @param combination  filled and kept in the table
 * @param ret_client   a client with the metadata keys alone
 * @param ret_first    no other core of the process had it before
 * @return 0, SW_E_NOMEM, SW_E_CARDINALITY when the process has as many as it may
 */
SW_CHECKED int sw_combinations_add(
    struct sw_combinations *combinations,
    struct sw_combinations_limit *limit,
    struct sw_account *account,
    struct sw_combination *combination,
    struct sw_client **ret_client,
    bool *ret_first
);

#endif
