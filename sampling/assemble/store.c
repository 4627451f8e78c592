/* Where span bytes lie while they wait: appended to the open segment, each run of spans of one
 * trace and one ScopeSpans as a record. */
#include "dataplane/base/mem.h"
#include "sampling/assemble/assemble_internal.h"

#define PREFETCH_BYTES 832u

int sw_trace_store_init(
    struct store *store,
    struct sw_account *account,
    struct sw_segment_file *file
)
{
    sw_segments_init(&store->pool, account, file, SEGMENT_BYTES);
    return SW_OK;
}

static void index_put(struct store *store, uint32_t index)
{
    store->segments[index] = NULL;
    store->free_indices[store->free_indices_count++] = index;
}

/* Until here the segment is whole: whoever finds it after a crash reads no further. */
static void commit(struct sw_segment *segment)
{
    struct segment_head *head = (struct segment_head *)segment->data;
    atomic_store_explicit(&head->committed, segment->used, memory_order_release);
}

static void begin(struct store *store, struct sw_segment *segment)
{
    struct segment_head *head = (struct segment_head *)segment->data;
    atomic_store_explicit(&head->committed, 0, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    head->magic = SEGMENT_MAGIC;
    head->sequence = ++store->sequence;
    head->size = segment->size;
    segment->used = SEGMENT_BEGIN;
    segment->mark = 0;
    commit(segment);
}

static void segment_give(struct store *store, struct sw_segment *segment)
{
    struct segment_head *head = (struct segment_head *)segment->data;
    atomic_store_explicit(&head->committed, 0, memory_order_release);
    index_put(store, segment->index);
    sw_segment_give(&store->pool, segment);
}

void sw_trace_store_fini(struct store *store)
{
    while (store->closed_first != NULL) {
        struct sw_segment *next = store->closed_first->next;
        segment_give(store, store->closed_first);
        store->closed_first = next;
    }
    if (store->open != NULL) {
        segment_give(store, store->open);
    }
    sw_segments_fini(&store->pool);
    sw_free(store->segments);
    sw_free(store->free_indices);
}

/* ---- segments ---- */

// Sees to it that there is an index for one more segment.
static int reserve_index(struct store *store)
{
    if (store->free_indices_count > 0 || store->segments_count < store->segments_capacity) {
        return SW_OK;
    }
    uint32_t capacity = store->segments_capacity > 0 ? store->segments_capacity * 2 : 16;
    if (store->segments_capacity == SEGMENTS_MAX) {
        return SW_E_NOMEM;
    }
    struct sw_segment **segments =
        sw_realloc(store->segments, capacity * sizeof(struct sw_segment *));
    if (segments == NULL) {
        return SW_E_NOMEM;
    }
    store->segments = segments;
    uint32_t *indices = sw_realloc(store->free_indices, capacity * sizeof(uint32_t));
    if (indices == NULL) {
        return SW_E_NOMEM;
    }
    store->free_indices = indices;
    store->segments_capacity = capacity;
    return SW_OK;
}

static struct sw_segment *segment_take(struct store *store, uint32_t bytes)
{
    if (reserve_index(store) != SW_OK) {
        return NULL;
    }
    struct sw_segment *segment = sw_segment_take(&store->pool, bytes);
    if (segment == NULL) {
        return NULL;
    }
    segment->index = store->free_indices_count > 0
                         ? store->free_indices[--store->free_indices_count]
                         : store->segments_count++;
    store->segments[segment->index] = segment;
    begin(store, segment);
    return segment;
}

static void close_segment(struct store *store, struct sw_segment *segment)
{
    segment->next = NULL;
    if (store->closed_last != NULL) {
        store->closed_last->next = segment;
    } else {
        store->closed_first = segment;
    }
    store->closed_last = segment;
}

static void forget_content(struct store *store)
{
    store->open_record = 0;
    memset(store->recent, 0, sizeof(store->recent));
    if (store->known_count > 0) {
        memset(store->known, 0, sizeof(store->known));
        store->known_count = 0;
    }
}

void sw_trace_table_sweep(struct sw_trace_table *table)
{
    struct store *store = &table->store;
    if (store->pins_count > 0) {
        return;
    }
    uint32_t decided = table->wait.cursor;
    if (store->held != 0 && is_before(store->held, decided)) {
        decided = store->held; // its payload is not anybody else's yet
    }
    while (store->closed_first != NULL && is_before(store->closed_first->mark, decided)) {
        struct sw_segment *segment = store->closed_first;
        store->closed_first = segment->next;
        if (store->closed_first == NULL) {
            store->closed_last = NULL;
        }
        segment_give(store, segment);
    }
    // The open one begins anew when it holds nothing that counts: little traffic stays in little
    // memory.
    struct sw_segment *open = store->open;
    if (store->closed_first == NULL && open != NULL && open->used > SEGMENT_BEGIN
        && is_before(open->mark, decided)) {
        begin(store, open);
        forget_content(store);
    }
}

void sw_trace_table_idle_tick(struct sw_trace_table *table)
{
    sw_segments_tick(&table->store.pool);
}

#define TRIM_A_SLICE 8u

bool sw_trace_table_trim(struct sw_trace_table *table)
{
    return sw_segments_trim(&table->store.pool, TRIM_A_SLICE);
}

// Enough for what one turn reads; what one slice pre-faults takes a fraction of a millisecond.
#define SEGMENTS_AHEAD 8u
#define PREPARE_BYTES  (512u * 1024)

bool sw_trace_table_short(const struct sw_trace_table *table)
{
    return sw_segments_short(&table->store.pool, SEGMENTS_AHEAD);
}

bool sw_trace_table_prepare(struct sw_trace_table *table)
{
    return sw_segments_prepare(&table->store.pool, SEGMENTS_AHEAD, PREPARE_BYTES);
}

int sw_trace_table_reserve(struct sw_trace_table *table, uint64_t bytes)
{
    struct store *store = &table->store;
    uint64_t room = store->open != NULL ? store->open->size - store->open->used : 0;
    // One is enough: mapping more would be a long step, and who finds none later waits.
    return bytes <= room ? SW_OK : sw_segments_reserve(&store->pool, 1);
}

/* ---- what stands around the spans ---- */

static uint32_t hash_bytes(struct sw_bytes bytes)
{
    uint64_t hash = bytes.size * 0x9e3779b97f4a7c15u;
    const uint8_t *at = bytes.data;
    size_t left = bytes.size;
    uint64_t words[2];
    for (; left > 16; left -= 16, at += 16) {
        memcpy(words, at, 16);
        hash = sw_shard_mix(words[0] ^ hash, words[1] ^ 0xa0761d6478bd642fu);
    }
    words[0] = words[1] = 0;
    if (left > 0) {
        memcpy(words, at, left);
    }
    hash = sw_shard_mix(words[0] ^ hash, words[1] ^ 0xe7037ed1a0b428dbu);
    return (uint32_t)(hash ^ hash >> 32);
}

static uint32_t aligned(uint32_t offset)
{
    return (offset + 3) & ~3u;
}

static void copy_bytes(uint8_t *to, struct sw_bytes bytes)
{
    if (bytes.size > 0) {
        memcpy(to, bytes.data, bytes.size);
    }
}

static uint32_t put_resource(struct sw_segment *segment, struct sw_bytes bytes)
{
    uint32_t offset = aligned(segment->used);
    struct stored_bytes *stored = (struct stored_bytes *)(segment->data + offset);
    stored->kind = ITEM_RESOURCE;
    stored->size = (uint32_t)bytes.size;
    copy_bytes(stored->data, bytes);
    segment->used = offset + (uint32_t)(sizeof(*stored) + bytes.size);
    return offset;
}

static uint32_t put_scope(struct sw_segment *segment, uint32_t resource, struct sw_bytes bytes)
{
    uint32_t offset = aligned(segment->used);
    struct stored_scope *stored = (struct stored_scope *)(segment->data + offset);
    stored->kind = ITEM_SCOPE;
    stored->resource = resource;
    stored->size = (uint32_t)bytes.size;
    copy_bytes(stored->data, bytes);
    segment->used = offset + (uint32_t)(sizeof(*stored) + bytes.size);
    return offset;
}

static bool same(const uint8_t *data, uint32_t size, struct sw_bytes bytes)
{
    return size == bytes.size && (size == 0 || memcmp(data, bytes.data, size) == 0);
}

/* The place for this content in the open segment's list: filled if it is known, empty if it is not
 * (then the caller may fill it), NULL when the list is full. resource 0: looks for a resource. */
static struct known *
known_place(struct store *store, uint32_t hash, uint32_t resource, struct sw_bytes bytes)
{
    const uint8_t *data = store->open->data;
    for (uint32_t i = 0; i < KNOWN_PROBES; i++) {
        struct known *known = &store->known[(hash + i) & (KNOWN_SLOTS - 1)];
        if (known->offset == 0) {
            return store->known_count < KNOWN_MOST ? known : NULL;
        }
        if (known->hash != hash) {
            continue;
        }
        const struct stored_bytes *stored = (const void *)(data + known->offset);
        const struct stored_scope *scope = (const void *)(data + known->offset);
        if (resource == 0 ? same(stored->data, stored->size, bytes)
                          : scope->resource == resource && same(scope->data, scope->size, bytes)) {
            return known;
        }
    }
    return NULL;
}

static void remember(struct store *store, struct known *place, uint32_t hash, uint32_t offset)
{
    if (place != NULL) {
        *place = (struct known){hash, offset};
        store->known_count++;
    }
}

static uint32_t resource_offset(struct store *store, struct sw_bytes bytes)
{
    uint32_t hash = hash_bytes(bytes) | 1; // scopes have even ones
    struct known *place = known_place(store, hash, 0, bytes);
    if (place != NULL && place->offset != 0) {
        return place->offset;
    }
    uint32_t offset = put_resource(store->open, bytes);
    remember(store, place, hash, offset);
    return offset;
}

/* The scope in the open segment, which has room for it. */
static uint32_t scope_offset(struct store *store, const struct sw_shard_scope *scope)
{
    struct recent *recent = &store->recent[scope->stamp & (RECENT_SLOTS - 1)];
    if (recent->stamp == scope->stamp) {
        return recent->offset;
    }
    uint32_t resource = resource_offset(store, scope->resource);
    uint32_t hash = (hash_bytes(scope->scope) ^ resource * 0x9e3779b1u) & ~1u;
    struct known *place = known_place(store, hash, resource, scope->scope);
    uint32_t offset;
    if (place != NULL && place->offset != 0) {
        offset = place->offset;
    } else {
        offset = put_scope(store->open, resource, scope->scope);
        remember(store, place, hash, offset);
    }
    *recent = (struct recent){scope->stamp, offset};
    return offset;
}

/* ---- appending ---- */

// A segment lives as long as the newest trace that has something in it.
static void note(struct sw_segment *segment, const struct sw_trace *trace)
{
    if (segment->used == SEGMENT_BEGIN || is_before(segment->mark, trace->number)) {
        segment->mark = trace->number;
    }
}

// The trace's newest record, opened in this segment at its end. The first of a ScopeSpans says so.
static void put_record(
    struct sw_segment *segment,
    struct sw_trace *trace,
    const struct sw_shard_scope *scope,
    const struct sw_shard_span *span,
    uint32_t offset,
    uint32_t scope_at
)
{
    struct record *record = (struct record *)(segment->data + offset);
    uint32_t flags = 0;
    if (trace->last == 0 || trace->stamp != scope->stamp) {
        flags = RECORD_SCOPE;
        if (trace->last == 0 || sw_trace_begins_group(trace, scope)) {
            flags |= RECORD_GROUP;
        }
    }
    record->kind = ITEM_RECORD;
    record->before = trace->last;
    record->size_flags = span->field_size | flags;
    record->scope = scope_at;
    record->spans_count = 1;
    memcpy(record->spans, span->field, span->field_size);
    segment->used = offset + (uint32_t)sizeof(*record) + span->field_size;
    trace->last = segment->index << REF_OFFSET_BITS | offset / 4;
    trace->stamp = scope->stamp;
}

// Too large for an ordinary segment: one of its own, the record first so that the reference reaches
// it.
static int append_large(
    struct sw_trace_table *table,
    struct sw_trace *trace,
    const struct sw_shard_scope *scope,
    const struct sw_shard_span *span,
    uint64_t bytes
)
{
    struct store *store = &table->store;
    if (bytes > UINT32_MAX / 2) {
        return SW_E_TOO_LARGE;
    }
    struct sw_segment *segment = segment_take(store, (uint32_t)bytes);
    if (segment == NULL) {
        return SW_E_NOMEM;
    }
    if (store->open_number == trace->number) {
        store->open_record = 0; // what comes next comes behind this one
    }
    note(segment, trace);
    put_record(segment, trace, scope, span, SEGMENT_BEGIN, 0);
    struct record *record = (struct record *)(segment->data + SEGMENT_BEGIN);
    uint32_t resource = put_resource(segment, scope->resource);
    record->scope = put_scope(segment, resource, scope->scope);
    commit(segment);
    close_segment(store, segment);
    if (table->conf.sizes) {
        sw_trace_size_add(table, trace, scope, span, record->size_flags);
    }
    return SW_OK;
}

static int open_next(struct store *store)
{
    struct sw_segment *segment = segment_take(store, SEGMENT_BYTES);
    if (segment == NULL) {
        return SW_E_NOMEM;
    }
    if (store->open != NULL) {
        close_segment(store, store->open);
    }
    store->open = segment;
    forget_content(store);
    return SW_OK;
}

/* The lines that the next span will be written to. Segments are recycled long after they left the
 * caches, and a copy alone has too few misses under way: this takes a third off it (measured,
 * 800-byte spans). */
static void prefetch_room(const struct sw_segment *open)
{
    uint32_t end = SW_MIN(open->size, open->used + PREFETCH_BYTES);
    for (uint32_t at = open->used; at < end; at += 64) {
        __builtin_prefetch(open->data + at, 1);
    }
}

// More of the same: the spans of a trace in a row are one record.
static bool extend(
    struct store *store,
    struct sw_trace *trace,
    const struct sw_shard_scope *scope,
    const struct sw_shard_span *span
)
{
    struct sw_segment *open = store->open;
    if (store->open_record == 0 || store->open_number != trace->number
        || store->open_stamp != scope->stamp || span->field_size > open->size - open->used) {
        return false;
    }
    struct record *record = (struct record *)(open->data + store->open_record);
    memcpy(open->data + open->used, span->field, span->field_size);
    open->used += span->field_size;
    // Behind the bytes: a crash in between leaves a record that ends before them.
    atomic_signal_fence(memory_order_release);
    record->size_flags += span->field_size;
    record->spans_count++;
    commit(open);
    prefetch_room(open);
    return true;
}

// A record of its own.
static int append_record(
    struct sw_trace_table *table,
    struct sw_trace *trace,
    const struct sw_shard_scope *scope,
    const struct sw_shard_span *span
)
{
    struct store *store = &table->store;
    // As if nothing of it were known yet; 12 for three alignments.
    uint64_t bytes = (uint64_t)sizeof(struct record) + span->field_size + SEGMENT_BEGIN + 12
                     + sizeof(struct stored_bytes) + scope->resource.size
                     + sizeof(struct stored_scope) + scope->scope.size;
    if (span->field_size >= RECORD_BYTES_MAX) {
        return SW_E_TOO_LARGE;
    }
    if (bytes > SEGMENT_BYTES) {
        return append_large(table, trace, scope, span, bytes);
    }
    bool known = store->open != NULL
                 && store->recent[scope->stamp & (RECENT_SLOTS - 1)].stamp == scope->stamp;
    uint64_t needs = known ? sizeof(struct record) + span->field_size + 4 : bytes;
    if ((store->open == NULL || needs > store->open->size - store->open->used)
        && open_next(store) != SW_OK) {
        return SW_E_NOMEM;
    }
    struct sw_segment *open = store->open;
    note(open, trace);
    uint32_t scope_at = scope_offset(store, scope);
    uint32_t offset = aligned(open->used);
    put_record(open, trace, scope, span, offset, scope_at);
    commit(open);
    prefetch_room(open);
    store->open_record = offset;
    store->open_number = trace->number;
    store->open_stamp = scope->stamp;
    if (table->conf.sizes) {
        sw_trace_size_add(table, trace, scope, span, record_at(store, trace->last)->size_flags);
    }
    return SW_OK;
}

/* ---- notes for a replay ---- */

// A place at the end of the open segment. @return NULL: no memory
static void *put_note(struct sw_trace_table *table, uint32_t size)
{
    struct store *store = &table->store;
    if (store->pool.file == NULL) {
        return NULL;
    }
    if ((store->open == NULL || size + 4 > store->open->size - store->open->used)
        && open_next(store) != SW_OK) {
        return NULL;
    }
    struct sw_segment *open = store->open;
    if (open->used == SEGMENT_BEGIN) {
        open->mark = table->wait.cursor - 1; // it holds nothing that waits
    }
    uint32_t offset = aligned(open->used);
    open->used = offset + size;
    store->open_record = 0;
    return open->data + offset;
}

void sw_trace_note_decided(
    struct sw_trace_table *table,
    const uint8_t id[SW_TRACE_ID_BYTES],
    uint32_t payload
)
{
    struct decided_note *note_ = put_note(table, sizeof(*note_));
    if (note_ != NULL) {
        note_->kind = ITEM_DECIDED;
        note_->payload = payload;
        memcpy(note_->id, id, SW_TRACE_ID_BYTES);
        commit(table->store.open);
    }
}

void sw_trace_note_released(struct sw_trace_table *table, uint32_t payload)
{
    struct released_note *note_ = put_note(table, sizeof(*note_));
    if (note_ != NULL) {
        *note_ = (struct released_note){ITEM_RELEASED, payload};
        commit(table->store.open);
    }
}

int sw_trace_note_late(
    struct sw_trace_table *table,
    const struct sw_shard_scope *scope,
    const struct sw_shard_span *span
)
{
    // As if of a trace that nobody looks for; it is as new as any.
    struct sw_trace nobody = {.number = sw_trace_table_newest(table)};
    bool sizes = table->conf.sizes;
    if (table->store.pool.file == NULL) {
        return SW_OK;
    }
    table->conf.sizes = false;
    int err = append_record(table, &nobody, scope, span);
    table->conf.sizes = sizes;
    table->store.open_record = 0;
    return err;
}

void sw_trace_table_hold(struct sw_trace_table *table, uint32_t number)
{
    table->store.held = number;
}

int sw_trace_append(
    struct sw_trace_table *table,
    struct sw_trace *trace,
    const struct sw_shard_scope *scope,
    const struct sw_shard_span *span
)
{
    struct store *store = &table->store;
    if (trace->last != 0 && extend(store, trace, scope, span)) {
        if (table->conf.sizes) {
            sw_trace_size_add(table, trace, scope, span, 0);
        }
        return SW_OK;
    }
    return append_record(table, trace, scope, span);
}
