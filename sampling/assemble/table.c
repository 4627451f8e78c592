/* The traces themselves: in order of arrival, in slabs, found through the index. The oldest go
 * first, so a slab is freed whole. */
#include "dataplane/base/mem.h"
#include "sampling/assemble/assemble_internal.h"

#include <stddef.h>

// What a trace that is never removed may keep behind it, as a multiple of num_traces.
#define NUMBERS_FACTOR 16u
#define NUMBERS_LEAST  (1u << 16)
#define NUMBERS_MOST   (1u << 30)

static size_t slab_bytes(const struct sw_trace_table *table)
{
    return sizeof(struct slab) + (table->conf.sizes ? SLAB_TRACES * sizeof(struct trace_size) : 0);
}

int sw_trace_table_new(const struct sw_trace_table_conf *conf, struct sw_trace_table **ret_table)
{
    SW_ASSERT(conf->wait_ticks >= 1 && conf->limits->traces_max >= 1);
    SW_ASSERT(conf->limits->counted || !conf->block);
    struct sw_trace_table *table = sw_zalloc(sizeof(*table));
    if (table == NULL) {
        return SW_E_NOMEM;
    }
    table->conf = *conf;
    table->first = 1;
    table->next = 1;
    uint64_t numbers = (uint64_t)conf->limits->traces_max * NUMBERS_FACTOR;
    table->numbers_max = (uint32_t)SW_MIN(SW_MAX(numbers, NUMBERS_LEAST), NUMBERS_MOST);
    sw_trace_wait_init(table);
    if (sw_trace_store_init(&table->store, conf->account, conf->file) != SW_OK
        || sw_trace_index_init(&table->index, conf->account) != SW_OK) {
        sw_trace_table_free(table);
        return SW_E_NOMEM;
    }
    sw_account_charge(conf->account, sizeof(*table));
    *ret_table = table;
    return SW_OK;
}

static void slab_free(struct sw_trace_table *table, struct slab *slab)
{
    sw_account_charge(table->conf.account, -(int64_t)slab_bytes(table));
    table->slabs_count--;
    sw_free(slab);
}

void sw_trace_table_free(struct sw_trace_table *table)
{
    if (table == NULL) {
        return;
    }
    for (uint32_t i = 0; i < table->slabs_capacity; i++) {
        if (table->slabs[i] != NULL) {
            slab_free(table, table->slabs[i]);
        }
    }
    if (table->spare != NULL) {
        slab_free(table, table->spare);
    }
    if (table->index.pages_count > 0) {
        sw_account_charge(table->conf.account, -(int64_t)sizeof(*table));
    }
    sw_free(table->slabs);
    sw_trace_index_fini(&table->index);
    sw_trace_store_fini(&table->store);
    sw_trace_wait_fini(table);
    sw_free(table);
}

/* ---- slabs ---- */

static int grow_slabs(struct sw_trace_table *table)
{
    uint32_t capacity = table->slabs_capacity > 0 ? table->slabs_capacity * 2 : 4;
    struct slab **slabs = sw_zalloc(capacity * sizeof(*slabs));
    if (slabs == NULL) {
        return SW_E_NOMEM;
    }
    // By slab number, which wraps around together with the trace numbers.
    uint32_t end = table->next >> SLAB_SHIFT;
    uint32_t mask = (UINT32_MAX >> SLAB_SHIFT);
    for (uint32_t i = 0; i < table->slabs_capacity; i++) {
        uint32_t slab = (end - 1 - i) & mask;
        slabs[slab & (capacity - 1)] = table->slabs[slab & (table->slabs_capacity - 1)];
    }
    sw_free(table->slabs);
    table->slabs = slabs;
    table->slabs_capacity = capacity;
    return SW_OK;
}

// The slab that the next trace goes to.
static int reserve_slab(struct sw_trace_table *table)
{
    uint32_t slab = table->next >> SLAB_SHIFT;
    uint32_t oldest = table->first >> SLAB_SHIFT;
    bool empty = table->first == table->next;
    uint32_t live = empty ? 1 : ((slab - oldest) & (UINT32_MAX >> SLAB_SHIFT)) + 1;
    if (live > table->slabs_capacity && grow_slabs(table) != SW_OK) {
        return SW_E_NOMEM;
    }
    struct slab **place = &table->slabs[slab & (table->slabs_capacity - 1)];
    if (*place != NULL) {
        return SW_OK;
    }
    *place = table->spare;
    table->spare = NULL;
    if (*place == NULL) {
        *place = sw_aligned_alloc(64, slab_bytes(table));
        if (*place == NULL) {
            return SW_E_NOMEM;
        }
        table->slabs_count++;
        sw_account_charge(table->conf.account, (int64_t)slab_bytes(table));
    }
    return SW_OK;
}

static void slab_empty(struct sw_trace_table *table, uint32_t number)
{
    struct slab **place = &table->slabs[(number >> SLAB_SHIFT) & (table->slabs_capacity - 1)];
    if (table->spare != NULL) {
        slab_free(table, *place);
    } else {
        table->spare = *place;
    }
    *place = NULL;
}

/* ---- finding ---- */

void sw_trace_prefetch_index(const struct sw_trace_table *table, uint32_t hash)
{
    const struct index_page *page = index_page(&table->index, hash);
    __builtin_prefetch(&page->slots[index_home(hash)]);
    __builtin_prefetch(&page->count); // for one that is new
}

void sw_trace_prefetch(const struct sw_trace_table *table, uint32_t hash)
{
    const struct index_page *page = index_page(&table->index, hash);
    for (uint32_t at = index_home(hash); page->slots[at].number != 0; at = index_next(at)) {
        if (page->slots[at].hash == hash) {
            __builtin_prefetch(trace_at(table, page->slots[at].number), 1);
            return;
        }
    }
}

struct sw_trace *
sw_trace_find(struct sw_trace_table *table, const uint8_t trace_id[16], uint32_t hash)
{
    const struct index_page *page = index_page(&table->index, hash);
    for (uint32_t at = index_home(hash); page->slots[at].number != 0; at = index_next(at)) {
        if (page->slots[at].hash != hash) {
            continue;
        }
        struct sw_trace *trace = trace_at(table, page->slots[at].number);
        if (SW_LIKELY(memcmp(trace->id, trace_id, SW_TRACE_ID_BYTES) == 0)) {
            return trace;
        }
    }
    return NULL;
}

/* ---- coming and going ---- */

static uint32_t sequence_of(const struct sw_trace_table *table, uint32_t number)
{
    return slab_of(table, number)->sequences[number & (SLAB_TRACES - 1)];
}

// Cores look at each other's oldest trace without order: one that is just changing is looked at
// again soon.
static void tell_oldest(struct sw_trace_table *table)
{
    if (table->conf.limits->counted) {
        bool empty = table->first == table->next;
        uint64_t oldest = empty ? 0 : (uint64_t)sequence_of(table, table->first) + 1;
        atomic_store_explicit(
            &table->conf.limits->oldest[table->conf.core], oldest, memory_order_relaxed
        );
    }
}

static void one_less(struct sw_trace_table *table)
{
    table->traces_count--;
    if (table->conf.limits->counted) {
        atomic_fetch_sub_explicit(&table->conf.limits->live_count, 1, memory_order_relaxed);
    }
}

// Past the first one, which has gone, and those behind it that had been removed.
static void pass_first(struct sw_trace_table *table)
{
    do {
        uint32_t number = table->first;
        table->first = number_after(number);
        if (table->wait.cursor == number) {
            table->wait.cursor = table->first;
        }
        if ((table->first >> SLAB_SHIFT) != (number >> SLAB_SHIFT)) {
            slab_empty(table, number);
        }
    } while (table->first != table->next && trace_at(table, table->first)->state == SW_TRACE_REMOVED
    );
    tell_oldest(table);
}

static void evict_first(struct sw_trace_table *table, uint64_t now_ns)
{
    uint32_t number = table->first;
    struct sw_trace *trace = trace_at(table, number);
    uint32_t hash = (uint32_t)sw_shard_hash(table->conf.key, trace->id);
    if (trace->state == SW_TRACE_UNDECIDED) {
        sw_trace_wait_ghost(table, trace);
    }
    sw_trace_index_remove(&table->index, hash, number);
    table->conf.evicted(table->conf.context, trace, now_ns);
    if (table->store.open_number == number) {
        table->store.open_record = 0;
    }
    one_less(table);
    pass_first(table);
}

void sw_trace_remove(struct sw_trace_table *table, struct sw_trace *trace)
{
    SW_ASSERT(table->conf.limits->counted);
    SW_ASSERT(trace->state != SW_TRACE_UNDECIDED && trace->last == 0);
    uint32_t number = trace->number;
    sw_trace_index_remove(
        &table->index, (uint32_t)sw_shard_hash(table->conf.key, trace->id), number
    );
    trace->state = SW_TRACE_REMOVED;
    one_less(table);
    if (number == table->first) {
        pass_first(table);
    }
}

static bool is_full(const struct sw_trace_limits *limits)
{
    return atomic_load_explicit(&limits->live_count, memory_order_relaxed) >= limits->traces_max;
}

// Whether the oldest trace of this core is the one of all that has to go.
static bool counted_first_is_old(const struct sw_trace_table *table)
{
    struct sw_trace_limits *limits = table->conf.limits;
    // Few old ones between many that were removed must not keep those in memory.
    bool stretched = table->next - table->first > table->numbers_max;
    if (table->conf.block) {
        // A decided one that no cache took makes room; the Collector would wait for ever.
        bool decided = trace_at(table, table->first)->state != SW_TRACE_UNDECIDED;
        return decided && (stretched || is_full(limits));
    }
    if (stretched) {
        return true;
    }
    if (atomic_load_explicit(&limits->live_count, memory_order_relaxed) <= limits->traces_max) {
        return false;
    }
    uint32_t arrivals = atomic_load_explicit(&limits->arrivals, memory_order_relaxed);
    uint32_t age = arrivals - sequence_of(table, table->first);
    for (unsigned core = 0; core < SW_CORES_MAX; core++) {
        uint64_t other = atomic_load_explicit(&limits->oldest[core], memory_order_relaxed);
        if (other != 0 && arrivals - (uint32_t)(other - 1) > age) {
            return false;
        }
    }
    return true;
}

// Whether the oldest trace is not among the last traces_max of the process.
static bool first_is_old(const struct sw_trace_table *table)
{
    const struct sw_trace_limits *limits = table->conf.limits;
    if (limits->counted) {
        return counted_first_is_old(table);
    }
    uint32_t arrivals = atomic_load_explicit(&limits->arrivals, memory_order_relaxed);
    return arrivals - sequence_of(table, table->first) > limits->traces_max;
}

bool sw_trace_table_evict(struct sw_trace_table *table, uint64_t now_ns, uint32_t most)
{
    while (table->traces_count > 0 && first_is_old(table)) {
        if (most-- == 0) {
            return true;
        }
        evict_first(table, now_ns);
    }
    return false;
}

// conf.block. @return false when it has to wait
static bool has_room(struct sw_trace_table *table, uint64_t now_ns)
{
    (void)sw_trace_table_evict(table, now_ns, 2);
    return !is_full(table->conf.limits);
}

static void trace_begin(struct sw_trace_table *table, const uint8_t trace_id[16], uint64_t now_ns)
{
    struct sw_trace_limits *limits = table->conf.limits;
    uint32_t number = table->next;
    struct slab *slab = slab_of(table, number);
    struct sw_trace *trace = &slab->traces[number & (SLAB_TRACES - 1)];
    memset(trace, 0, sizeof(*trace));
    memcpy(trace->id, trace_id, SW_TRACE_ID_BYTES);
    trace->number = number;
    trace->turn = table->wait.ticks + (uint32_t)table->conf.wait_ticks;
    trace->arrived_ms = (uint32_t)(now_ns / 1000000);
    slab->sequences[number & (SLAB_TRACES - 1)] =
        atomic_fetch_add_explicit(&limits->arrivals, 1, memory_order_relaxed);
    if (table->conf.sizes) {
        slab->sizes[number & (SLAB_TRACES - 1)] = (struct trace_size){0, 0};
    }
    table->next = number_after(number);
    table->traces_count++;
    if (limits->counted) {
        atomic_fetch_add_explicit(&limits->live_count, 1, memory_order_relaxed);
        if (table->first == number) {
            tell_oldest(table);
        }
    }
}

int sw_trace_add(
    struct sw_trace_table *table,
    const uint8_t trace_id[16],
    uint32_t hash,
    uint64_t now_ns,
    struct sw_trace **ret_trace
)
{
    if (table->conf.block && !has_room(table, now_ns)) {
        return SW_E_FULL;
    }
    if (sw_trace_index_reserve(&table->index, hash) != SW_OK || reserve_slab(table) != SW_OK) {
        return SW_E_NOMEM;
    }
    uint32_t number = table->next;
    trace_begin(table, trace_id, now_ns);
    sw_trace_index_insert(&table->index, hash, number);
    // Two at a time catch up with what other cores' arrivals pushed out here.
    for (unsigned i = 0; i < 2 && table->first != number && first_is_old(table); i++) {
        evict_first(table, now_ns);
    }
    *ret_trace = trace_at(table, number);
    return SW_OK;
}

void sw_trace_take_back(struct sw_trace_table *table, struct sw_trace *trace)
{
    uint32_t number = trace->number;
    SW_ASSERT(number_after(number) == table->next && trace->last == 0);
    sw_trace_index_remove(
        &table->index, (uint32_t)sw_shard_hash(table->conf.key, trace->id), number
    );
    table->next = number;
    one_less(table);
    if (table->first == number) {
        tell_oldest(table);
    }
}

void sw_trace_table_stats(
    const struct sw_trace_table *table,
    struct sw_trace_table_stats *ret_stats
)
{
    ret_stats->traces_count = table->traces_count;
    ret_stats->bytes = sizeof(*table) + sw_trace_index_bytes(&table->index)
                       + table->slabs_count * (uint64_t)slab_bytes(table)
                       + table->slabs_capacity * sizeof(struct slab *)
                       + table->store.pool.taken_bytes + table->wait.ghosts.bytes
                       + table->wait.moves.bytes;
    ret_stats->free_bytes = table->store.pool.free_bytes;
}

uint32_t sw_trace_table_newest(const struct sw_trace_table *table)
{
    return table->next - 1 != 0 ? table->next - 1 : UINT32_MAX;
}
