#include "sampling/verdict/cache.h"

#include "dataplane/base/mem.h"

#include <string.h>

#define PAGE_ENTRIES 512u // of either kind
#define PAGE_SHIFT   9

struct decision_entry {
    uint64_t half; // right half of the ID
    uint32_t next; // in its bucket
    uint32_t newer;
    uint32_t older;
    uint32_t policy; // who has the credit
};

void sw_decision_cache_init(
    struct sw_decision_cache *cache,
    struct sw_decision_credit *credit,
    const struct sw_shard_key *key,
    struct sw_account *account
)
{
    *cache = (struct sw_decision_cache){.credit = credit, .key = key, .account = account};
}

#define ENTRY_PAGE_BYTES  (PAGE_ENTRIES * sizeof(struct decision_entry))
#define BUCKET_PAGE_BYTES (PAGE_ENTRIES * sizeof(uint32_t))

void sw_decision_cache_fini(struct sw_decision_cache *cache)
{
    if (cache->credit == NULL) {
        return;
    }
    for (uint32_t i = 0; i < cache->entry_pages_count; i++) {
        sw_free(cache->entries[i]);
    }
    for (uint32_t i = 0; i < cache->bucket_pages_count; i++) {
        sw_free(cache->buckets[i]);
    }
    sw_account_charge(
        cache->account,
        -(int64_t)(cache->entry_pages_count * ENTRY_PAGE_BYTES)
            - (int64_t)(cache->bucket_pages_count * BUCKET_PAGE_BYTES)
    );
    atomic_fetch_sub_explicit(&cache->credit->used, cache->count, memory_order_relaxed);
    sw_free(cache->entries);
    sw_free(cache->buckets);
    *cache = (struct sw_decision_cache){0};
}

static struct decision_entry *entry_at(const struct sw_decision_cache *cache, uint32_t number)
{
    return &cache->entries[number >> PAGE_SHIFT][number & (PAGE_ENTRIES - 1)];
}

static uint32_t *bucket_at(const struct sw_decision_cache *cache, uint32_t bucket)
{
    return &cache->buckets[bucket >> PAGE_SHIFT][bucket & (PAGE_ENTRIES - 1)];
}

/* Linear hashing: with n buckets, those from the last power of two on are splits of the
 * first ones. */
static uint32_t bucket_of(const struct sw_decision_cache *cache, uint64_t half)
{
    const uint64_t *word = cache->key->word;
    uint32_t hash = (uint32_t)sw_shard_mix(half ^ word[2], word[3] | 1);
    uint32_t level = 31 - (uint32_t)__builtin_clz(cache->buckets_count);
    uint32_t bucket = hash & ((UINT32_C(2) << level) - 1);
    return bucket < cache->buckets_count ? bucket : bucket & ((UINT32_C(1) << level) - 1);
}

static uint64_t half_of(const uint8_t trace_id[16])
{
    uint64_t half;
    memcpy(&half, trace_id + 8, sizeof(half));
    return half;
}

/* ---- order of use ---- */

static void unlink_use(struct sw_decision_cache *cache, uint32_t number)
{
    const struct decision_entry *entry = entry_at(cache, number);
    if (entry->newer != 0) {
        entry_at(cache, entry->newer)->older = entry->older;
    } else {
        cache->newest = entry->older;
    }
    if (entry->older != 0) {
        entry_at(cache, entry->older)->newer = entry->newer;
    } else {
        cache->oldest = entry->newer;
    }
}

static void link_newest(struct sw_decision_cache *cache, uint32_t number)
{
    struct decision_entry *entry = entry_at(cache, number);
    entry->newer = 0;
    entry->older = cache->newest;
    if (cache->newest != 0) {
        entry_at(cache, cache->newest)->newer = number;
    } else {
        cache->oldest = number;
    }
    cache->newest = number;
}

// The number of the ID's entry, which becomes the newest; 0: not known
static uint32_t use(struct sw_decision_cache *cache, uint64_t half)
{
    if (cache->count == 0) {
        return 0;
    }
    uint32_t at = *bucket_at(cache, bucket_of(cache, half));
    while (at != 0 && entry_at(cache, at)->half != half) {
        at = entry_at(cache, at)->next;
    }
    if (at != 0) {
        unlink_use(cache, at);
        link_newest(cache, at);
    }
    return at;
}

bool sw_decision_cache_hit(
    struct sw_decision_cache *cache,
    const uint8_t trace_id[16],
    uint16_t *ret_policy
)
{
    uint32_t number = use(cache, half_of(trace_id));
    if (number == 0) {
        return false;
    }
    *ret_policy = (uint16_t)entry_at(cache, number)->policy;
    return true;
}

/* ---- growing ---- */

static void *
page_add(struct sw_decision_cache *cache, void **pages, uint32_t *pages_count, size_t page_bytes)
{
    void **larger = sw_realloc(pages, (*pages_count + 1) * sizeof(void *));
    if (larger == NULL) {
        return NULL;
    }
    larger[*pages_count] = sw_zalloc(page_bytes);
    if (larger[*pages_count] != NULL) {
        (*pages_count)++;
        sw_account_charge(cache->account, (int64_t)page_bytes);
    }
    return larger;
}

// Room for the entry of this number. @return false without memory
static bool reserve_entry(struct sw_decision_cache *cache, uint32_t number)
{
    if (number >> PAGE_SHIFT < cache->entry_pages_count) {
        return true;
    }
    void *pages =
        page_add(cache, (void **)cache->entries, &cache->entry_pages_count, ENTRY_PAGE_BYTES);
    cache->entries = pages != NULL ? pages : cache->entries;
    return number >> PAGE_SHIFT < cache->entry_pages_count;
}

static bool reserve_bucket(struct sw_decision_cache *cache, uint32_t bucket)
{
    if (bucket >> PAGE_SHIFT < cache->bucket_pages_count) {
        return true;
    }
    void *pages =
        page_add(cache, (void **)cache->buckets, &cache->bucket_pages_count, BUCKET_PAGE_BYTES);
    cache->buckets = pages != NULL ? pages : cache->buckets;
    return bucket >> PAGE_SHIFT < cache->bucket_pages_count;
}

// One more bucket: it takes its share of the one that it splits. Without memory chains become
// longer.
static void grow(struct sw_decision_cache *cache)
{
    uint32_t added = cache->buckets_count;
    if (cache->count < added || added == UINT32_C(1) << 31 || !reserve_bucket(cache, added)) {
        return;
    }
    uint32_t level = 31 - (uint32_t)__builtin_clz(added);
    uint32_t *old = bucket_at(cache, added - (UINT32_C(1) << level));
    uint32_t at = *old;
    *old = 0;
    *bucket_at(cache, added) = 0;
    cache->buckets_count++;
    while (at != 0) {
        struct decision_entry *entry = entry_at(cache, at);
        uint32_t next = entry->next;
        uint32_t *bucket = bucket_at(cache, bucket_of(cache, entry->half));
        entry->next = *bucket;
        *bucket = at;
        at = next;
    }
}

/* ---- coming and going ---- */

static void unlink_bucket(struct sw_decision_cache *cache, uint32_t number)
{
    uint32_t *link = bucket_at(cache, bucket_of(cache, entry_at(cache, number)->half));
    while (*link != number) {
        SW_ASSERT(*link != 0);
        link = &entry_at(cache, *link)->next;
    }
    *link = entry_at(cache, number)->next;
}

// The number that a new entry gets: a fresh one while there is credit, else the oldest's. 0:
// neither
static uint32_t take_number(struct sw_decision_cache *cache)
{
    struct sw_decision_credit *credit = cache->credit;
    uint64_t used = atomic_fetch_add_explicit(&credit->used, 1, memory_order_relaxed);
    if (used < credit->most && cache->count < UINT32_MAX - 1
        && reserve_entry(cache, cache->count + 1)) {
        return ++cache->count;
    }
    atomic_fetch_sub_explicit(&credit->used, 1, memory_order_relaxed);
    uint32_t number = cache->oldest;
    if (number != 0) {
        unlink_use(cache, number);
        unlink_bucket(cache, number);
    }
    return number;
}

// One more entry. 0: no memory
static uint32_t add(struct sw_decision_cache *cache, uint64_t half)
{
    if (cache->buckets_count == 0) {
        if (!reserve_bucket(cache, 0)) {
            return 0;
        }
        cache->buckets_count = 1;
    }
    uint32_t number = take_number(cache);
    if (number != 0) {
        struct decision_entry *entry = entry_at(cache, number);
        uint32_t *bucket = bucket_at(cache, bucket_of(cache, half));
        entry->half = half;
        entry->next = *bucket;
        *bucket = number;
        link_newest(cache, number);
        grow(cache);
    }
    return number;
}

bool sw_decision_cache_put(
    struct sw_decision_cache *cache,
    const uint8_t trace_id[16],
    uint16_t policy
)
{
    if (cache->credit->most == 0) {
        return false;
    }
    uint64_t half = half_of(trace_id);
    uint32_t number = use(cache, half);
    if (number == 0) {
        number = add(cache, half);
    }
    if (number != 0) {
        entry_at(cache, number)->policy = policy;
    }
    return number != 0;
}
