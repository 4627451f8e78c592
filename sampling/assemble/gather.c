/* Traces on their way out. Records are linked from the newest to the oldest, and a length stands in
 * front of what it measures; so both are done from the end: what a scope and a group amount to is
 * known when their first record is reached, and their heads are written then. */
#include "sampling/assemble/assemble_internal.h"

// A payload of a huge trace ends with the first group beyond this.
#define PAYLOAD_BYTES (64u * 1024 * 1024)
// What one record costs in effort besides its bytes.
#define EFFORT_BYTES 4096u

void sw_trace_gather_begin(
    struct sw_trace_gather *gather,
    struct sw_trace_table *table,
    struct sw_trace *trace
)
{
    SW_ASSERT(trace->last != 0);
    *gather = (struct sw_trace_gather){
        .table = table,
        .newest = trace->last,
        .record = trace->last,
    };
    table->store.pins_count++;
    if (table->store.open_number == trace->number) {
        table->store.open_record = 0; // what comes next is no part of it
    }
    sw_trace_drop_spans(trace);
}

void sw_trace_gather_end(struct sw_trace_gather *gather)
{
    SW_ASSERT(gather->table->store.pins_count > 0);
    gather->table->store.pins_count--;
    gather->table = NULL;
}

static bool spend(uint32_t *effort, uint32_t cost)
{
    if (*effort <= cost) {
        *effort = 0;
        return false;
    }
    *effort -= cost;
    return true;
}

static uint64_t around_size(const struct sw_trace_gather *gather, const struct stored_scope *scope)
{
    return gather->mark.size == 0
               ? scope->size
               : sw_scope_mark((struct sw_bytes){scope->data, scope->size}, gather->mark, NULL);
}

// Sums up to the beginning of a scope or group that this record is the first of.
static uint64_t
scope_content(const struct sw_trace_gather *gather, const struct stored_scope *scope)
{
    return around_size(gather, scope) + gather->scope_bytes;
}

static void sum_record(struct sw_trace_gather *gather, const struct record *record)
{
    const struct store *store = &gather->table->store;
    gather->scope_bytes += record->size_flags & RECORD_SIZE;
    if (record->size_flags & RECORD_SCOPE) {
        uint64_t content = scope_content(gather, scope_of(store, gather->record));
        gather->group_bytes += sw_pb_len_size(SW_OTLP_TAG_SCOPES, content);
        gather->scope_bytes = 0;
    }
    if (record->size_flags & RECORD_GROUP) {
        uint64_t content = resource_of(store, gather->record)->size + gather->group_bytes;
        gather->bytes += sw_pb_len_size(SW_OTLP_TAG_RESOURCES, content);
        gather->group_bytes = 0;
    }
}

bool sw_trace_gather_measure(struct sw_trace_gather *gather, uint32_t *effort)
{
    while (gather->record != 0) {
        const struct record *record = record_at(&gather->table->store, gather->record);
        sum_record(gather, record);
        gather->spans_count += record->spans_count;
        gather->record = record->before;
        if (gather->bytes >= PAYLOAD_BYTES && (record->size_flags & RECORD_GROUP) != 0) {
            break;
        }
        if (!spend(effort, EFFORT_BYTES / 16) && gather->record != 0) {
            return false;
        }
    }
    gather->oldest = gather->record;
    gather->record = gather->newest;
    return true;
}

static uint8_t *put_before(uint8_t *end, const void *data, size_t size)
{
    return size > 0 ? memcpy(end - size, data, size) : end;
}

static uint8_t *
around_before(const struct sw_trace_gather *gather, uint8_t *end, const struct stored_scope *scope)
{
    if (gather->mark.size == 0) {
        return put_before(end, scope->data, scope->size);
    }
    end -= around_size(gather, scope);
    (void)sw_scope_mark((struct sw_bytes){scope->data, scope->size}, gather->mark, end);
    return end;
}

static uint8_t *head_before(uint8_t *end, uint32_t tag, uint64_t size)
{
    uint8_t *begin = end - sw_pb_varint_size(tag) - sw_pb_varint_size(size);
    (void)sw_pb_put_head(begin, tag, size);
    return begin;
}

static uint8_t *
write_record(struct sw_trace_gather *gather, const struct record *record, uint8_t *end)
{
    const struct store *store = &gather->table->store;
    uint32_t size = record->size_flags & RECORD_SIZE;
    end = put_before(end, record->spans, size);
    gather->scope_bytes += size;
    if (record->size_flags & RECORD_SCOPE) {
        const struct stored_scope *scope = scope_of(store, gather->record);
        uint64_t content = scope_content(gather, scope);
        end = around_before(gather, end, scope);
        end = head_before(end, SW_OTLP_TAG_SCOPES, content);
        gather->group_bytes += sw_pb_len_size(SW_OTLP_TAG_SCOPES, content);
        gather->scope_bytes = 0;
    }
    if (record->size_flags & RECORD_GROUP) {
        const struct stored_bytes *resource = resource_of(store, gather->record);
        end = put_before(end, resource->data, resource->size);
        end = head_before(end, SW_OTLP_TAG_RESOURCES, resource->size + gather->group_bytes);
        gather->group_bytes = 0;
    }
    return end;
}

bool sw_trace_gather_write(struct sw_trace_gather *gather, uint8_t **end, uint32_t *effort)
{
    while (gather->record != gather->oldest) {
        const struct record *record = record_at(&gather->table->store, gather->record);
        *end = write_record(gather, record, *end);
        gather->record = record->before;
        uint32_t cost = EFFORT_BYTES + (record->size_flags & RECORD_SIZE);
        if (!spend(effort, cost) && gather->record != gather->oldest) {
            return false;
        }
    }
    return true;
}

bool sw_trace_gather_more(struct sw_trace_gather *gather)
{
    gather->newest = gather->record = gather->oldest;
    gather->bytes = 0;
    gather->spans_count = 0;
    return gather->oldest != 0;
}

/* ---- replay ---- */

// Turns the links around. @return the record at the other end
static uint32_t reverse(struct store *store, uint32_t record)
{
    uint32_t behind = 0;
    while (record != 0) {
        struct record *at = record_at(store, record);
        uint32_t next = at->before;
        at->before = behind;
        behind = record;
        record = next;
    }
    return behind;
}

void sw_trace_replay(
    struct sw_trace_table *table,
    struct sw_trace *trace,
    bool (*visit)(void *context, const struct sw_shard_scope *scope, struct sw_bytes span),
    void *context
)
{
    struct store *store = &table->store;
    uint32_t oldest = reverse(store, trace->last);
    bool on = true;
    for (uint32_t ref = oldest; ref != 0 && on;) {
        const struct record *record = record_at(store, ref);
        const struct stored_scope *scope = scope_of(store, ref);
        const struct stored_bytes *resource = resource_of(store, ref);
        struct sw_shard_scope around = {
            .resource = {resource->data, resource->size},
            .scope = {scope->data, scope->size},
        };
        struct sw_otlp_iter spans;
        struct sw_pb_field field;
        sw_otlp_items_init(
            &spans, (struct sw_bytes){record->spans, record->size_flags & RECORD_SIZE}
        );
        while (on && sw_otlp_next(&spans, &field)) {
            on = visit(context, &around, field.bytes);
        }
        ref = record->before;
    }
    trace->last = reverse(store, oldest);
}
