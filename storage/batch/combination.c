#include "dataplane/base/mem.h"
#include "storage/batch/combination_internal.h"

#define FIRST_SLOTS 16u
/* Beyond so many combinations one that lives on several cores may be counted more than once. */
#define HASHES_MAX (1u << 17)

/* ---- of the process ---- */

int sw_combinations_limit_init(struct sw_combinations_limit *limit, uint32_t most)
{
    limit->most = most;
    atomic_init(&limit->count, 0);
    limit->slots_count = FIRST_SLOTS;
    while (limit->slots_count < HASHES_MAX && (most == 0 || limit->slots_count / 2 < most)) {
        limit->slots_count *= 2;
    }
    limit->hashes = sw_zalloc(limit->slots_count * sizeof(limit->hashes[0]));
    return limit->hashes != NULL ? SW_OK : SW_E_NOMEM;
}

void sw_combinations_limit_fini(struct sw_combinations_limit *limit)
{
    sw_free((void *)limit->hashes);
    limit->hashes = NULL;
}

// One more, unless there are as many as there may be.
static bool take_place(struct sw_combinations_limit *limit)
{
    uint32_t count = atomic_load_explicit(&limit->count, memory_order_relaxed);
    do {
        if (limit->most > 0 && count >= limit->most) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(
        &limit->count, &count, count + 1, memory_order_relaxed, memory_order_relaxed
    ));
    return true;
}

static void leave_place(struct sw_combinations_limit *limit)
{
    atomic_fetch_sub_explicit(&limit->count, 1, memory_order_relaxed);
}

/* Nothing else is published with a hash, so relaxed order will do. A place is taken before the hash stands
 * in the table and given back when another core was first. @return false: there are too many */
static bool count_in(struct sw_combinations_limit *limit, uint64_t hash, bool *ret_first)
{
    uint32_t mask = limit->slots_count - 1;
    bool placed = false;
    *ret_first = true;
    for (uint32_t i = 0; i < limit->slots_count; i++) {
        _Atomic uint64_t *slot = &limit->hashes[(hash + i) & mask];
        uint64_t there = atomic_load_explicit(slot, memory_order_relaxed);
        if (there == 0) {
            if (!placed && !take_place(limit)) {
                return false;
            }
            placed = true;
            if (atomic_compare_exchange_strong_explicit(
                    slot, &there, hash, memory_order_relaxed, memory_order_relaxed
                )) {
                return true;
            }
        }
        if (there == hash) {
            if (placed) {
                leave_place(limit);
            }
            *ret_first = false;
            return true;
        }
    }
    return placed || take_place(limit);
}

/* ---- of one core ---- */

void sw_combination_fini(struct sw_combination *combination)
{
    sw_free(combination->key);
    combination->key = NULL;
}

int sw_combinations_init(struct sw_combinations *combinations, const struct sw_list *keys)
{
    *combinations = (struct sw_combinations){.keys = keys, .slots_count = FIRST_SLOTS};
    combinations->slots = sw_zalloc(FIRST_SLOTS * sizeof(combinations->slots[0]));
    return combinations->slots != NULL ? SW_OK : SW_E_NOMEM;
}

void sw_combinations_fini(struct sw_combinations *combinations)
{
    sw_free(combinations->slots);
    sw_free(combinations->key);
    *combinations = (struct sw_combinations){.first = NULL};
}

static struct sw_bytes key_name(const struct sw_combinations *combinations, size_t index)
{
    const char *name = SW_LIST_AT(*combinations->keys, const char *, index);
    return (struct sw_bytes){(const uint8_t *)name, strlen(name)};
}

static bool put(struct sw_combinations *combinations, struct sw_bytes value)
{
    size_t wanted = combinations->key_size + SW_PB_VARINT_MAX + value.size;
    if (wanted > combinations->key_capacity) {
        uint8_t *larger = sw_realloc(combinations->key, wanted * 2);
        if (larger == NULL) {
            return false;
        }
        combinations->key = larger;
        combinations->key_capacity = wanted * 2;
    }
    uint8_t *at = combinations->key + combinations->key_size;
    uint8_t *end = sw_pb_put_varint(at, value.size + 1);
    if (value.size > 0) {
        memcpy(end, value.data, value.size);
    }
    combinations->key_size += (size_t)(end - at) + value.size;
    return true;
}

// FNV-1a with a last mixing; 0 is kept for empty slots.
static uint64_t hash_of(const uint8_t *bytes, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    }
    hash ^= hash >> 32;
    hash *= 0x9e3779b97f4a7c15u;
    hash ^= hash >> 32;
    return hash != 0 ? hash : 1;
}

/* Of each metadata key all values, then a zero: no value is another thing than an empty one, and two are
 * another thing than one that looks like them. */
static int make_key(struct sw_combinations *combinations, const struct sw_client *client)
{
    combinations->key_size = 0;
    combinations->client = client;
    for (size_t i = 0; i < combinations->keys->count; i++) {
        struct sw_bytes value;
        uint32_t at = 0;
        while (sw_client_next(client, key_name(combinations, i), &at, &value)) {
            if (!put(combinations, value)) {
                return SW_E_NOMEM;
            }
        }
        if (!put(combinations, (struct sw_bytes){NULL, 0})) {
            return SW_E_NOMEM;
        }
        combinations->key[combinations->key_size - 1] = 0;
    }
    combinations->hash = hash_of(combinations->key, combinations->key_size);
    return SW_OK;
}

int sw_combinations_find(
    struct sw_combinations *combinations,
    const struct sw_client *client,
    struct sw_combination **ret_found
)
{
    int err = make_key(combinations, client);
    if (err != SW_OK) {
        return err;
    }
    uint64_t hash = combinations->hash;
    struct sw_combination *found = combinations->slots[hash & (combinations->slots_count - 1)];
    while (found != NULL
           && (found->hash != hash || found->key_size != combinations->key_size
               || memcmp(found->key, combinations->key, found->key_size) != 0)) {
        found = found->next_same;
    }
    *ret_found = found;
    return SW_OK;
}

static void put_in_slot(struct sw_combinations *combinations, struct sw_combination *combination)
{
    uint32_t slot = (uint32_t)(combination->hash & (combinations->slots_count - 1));
    combination->next_same = combinations->slots[slot];
    combinations->slots[slot] = combination;
}

static int grow(struct sw_combinations *combinations)
{
    if (combinations->count < combinations->slots_count) {
        return SW_OK;
    }
    uint32_t slots_count = combinations->slots_count * 2;
    struct sw_combination **slots = sw_zalloc(slots_count * sizeof(slots[0]));
    if (slots == NULL) {
        return SW_E_NOMEM;
    }
    sw_free(combinations->slots);
    combinations->slots = slots;
    combinations->slots_count = slots_count;
    for (struct sw_combination *i = combinations->first; i != NULL; i = i->next) {
        put_in_slot(combinations, i);
    }
    return SW_OK;
}

#define PAIRS_MAX 64u

// What goes on with the batches: these keys alone, and no peer. More values than that are cut off.
static struct sw_client *
make_client(const struct sw_combinations *combinations, struct sw_account *account)
{
    struct sw_client_pair pairs[PAIRS_MAX];
    uint32_t count = 0;
    for (size_t i = 0; i < combinations->keys->count; i++) {
        struct sw_bytes value;
        uint32_t at = 0;
        struct sw_bytes name = key_name(combinations, i);
        while (count < PAIRS_MAX && sw_client_next(combinations->client, name, &at, &value)) {
            pairs[count++] = (struct sw_client_pair){name, value};
        }
    }
    return sw_client_new(account, (struct sw_bytes){NULL, 0}, pairs, count);
}

int sw_combinations_add(
    struct sw_combinations *combinations,
    struct sw_combinations_limit *limit,
    struct sw_account *account,
    struct sw_combination *combination,
    struct sw_client **ret_client,
    bool *ret_first
)
{
    int err = grow(combinations);
    if (err != SW_OK) {
        return err;
    }
    uint8_t *key = sw_alloc(combinations->key_size);
    struct sw_client *client = make_client(combinations, account);
    if (key == NULL || client == NULL || !count_in(limit, combinations->hash, ret_first)) {
        err = key == NULL || client == NULL ? SW_E_NOMEM : SW_E_CARDINALITY;
        sw_free(key);
        sw_client_unref(client);
        return err;
    }
    memcpy(key, combinations->key, combinations->key_size);
    *combination = (struct sw_combination){
        .hash = combinations->hash,
        .key = key,
        .key_size = combinations->key_size,
    };
    put_in_slot(combinations, combination);
    if (combinations->last != NULL) {
        combinations->last->next = combination;
    } else {
        combinations->first = combination;
    }
    combinations->last = combination;
    combinations->count++;
    *ret_client = client;
    return SW_OK;
}
