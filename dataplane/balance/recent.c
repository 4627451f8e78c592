/* Which keys were sent to which backend lately: what a backend that is about to end has begun, it is to
 * end. One table for each core, which only that core writes and all of them read, since a trace's spans
 * come in on any of them. Marks of 32 bits: one in a billion new traces is taken for a known one. */
#include "dataplane/balance/balance_internal.h"
#include "dataplane/base/mem.h"

#include <string.h>

// A bucket is a quarter of a cache line, its newest mark first.
#define WAYS    4u
#define BUCKETS (RECENT_KEYS / WAYS)
_Static_assert((BUCKETS & (BUCKETS - 1)) == 0, "buckets are chosen by bits");

struct table {
    _Atomic uint32_t marks[RECENT_KEYS]; // 0: free
};

struct recent {
    uint64_t word[2]; // nobody outside can make keys that collide
    unsigned cores_count;
    struct table *tables[];
};

int sw_recent_new(unsigned cores_count, struct recent **ret_recent)
{
    struct recent *recent = sw_zalloc(sizeof(*recent) + cores_count * sizeof(recent->tables[0]));
    if (recent == NULL) {
        return SW_E_NOMEM;
    }
    recent->cores_count = cores_count;
    for (unsigned i = 0; i < cores_count; i++) {
        recent->tables[i] = sw_zalloc(sizeof(struct table));
        if (recent->tables[i] == NULL) {
            sw_recent_free(recent);
            return SW_E_NOMEM;
        }
    }
    *ret_recent = recent;
    return SW_OK;
}

void sw_recent_seed(struct recent *recent, struct sw_rand *rand)
{
    recent->word[0] = sw_rand_u64(rand);
    recent->word[1] = sw_rand_u64(rand);
}

void sw_recent_free(struct recent *recent)
{
    for (unsigned i = 0; recent != NULL && i < recent->cores_count; i++) {
        sw_free(recent->tables[i]);
    }
    sw_free(recent);
}

static uint64_t mixed(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

// Keys are trace IDs: 16 bytes, or 32 in hex.
uint64_t sw_recent_hash(const struct recent *recent, const void *key, size_t size)
{
    const uint8_t *at = key;
    uint64_t hash = recent->word[0] ^ size;
    while (size > 0) {
        uint64_t word = 0;
        size_t step = SW_MIN(size, sizeof(word));
        memcpy(&word, at, step);
        hash = mixed(hash ^ word, recent->word[1] | 1);
        at += step;
        size -= step;
    }
    return hash;
}

// Where a key of a backend stands, and its mark.
static uint32_t place(uint64_t hash, uint64_t backend, uint32_t *ret_mark)
{
    uint64_t both = mixed(hash ^ backend, UINT64_C(0x9e3779b97f4a7c15));
    uint32_t mark = (uint32_t)both;
    *ret_mark = mark != 0 ? mark : 1;
    return (uint32_t)(both >> 32) % BUCKETS * WAYS;
}

static uint32_t load(const _Atomic uint32_t *mark)
{
    return atomic_load_explicit(mark, memory_order_relaxed);
}

// Moves the mark to the front; the last of the bucket falls out unless it was there already.
void sw_recent_add(struct recent *recent, unsigned core, uint64_t hash, uint64_t backend)
{
    uint32_t mark;
    _Atomic uint32_t *bucket = &recent->tables[core]->marks[place(hash, backend, &mark)];
    if (load(&bucket[0]) == mark) {
        return;
    }
    unsigned at = 1;
    while (at < WAYS - 1 && load(&bucket[at]) != mark) {
        at++;
    }
    // From the back on, so that a reader on another core misses none of those that stay.
    for (; at > 0; at--) {
        atomic_store_explicit(&bucket[at], load(&bucket[at - 1]), memory_order_relaxed);
    }
    atomic_store_explicit(&bucket[0], mark, memory_order_relaxed);
}

bool sw_recent_has(const struct recent *recent, uint64_t hash, uint64_t backend)
{
    uint32_t mark;
    uint32_t first = place(hash, backend, &mark);
    for (unsigned core = 0; core < recent->cores_count; core++) {
        const _Atomic uint32_t *bucket = &recent->tables[core]->marks[first];
        for (unsigned at = 0; at < WAYS; at++) {
            if (load(&bucket[at]) == mark) {
                return true;
            }
        }
    }
    return false;
}
