/* What maximum_trace_size_bytes counts: the bytes that the Collector would write for each group of
 * a trace. Its encoder always writes Resource, InstrumentationScope, Status and the three IDs of a
 * span, empty ones and IDs of zeros with a length of 0 (reference: OTLP, 2.3); what senders leave
 * out counts. */
#include "sampling/assemble/assemble_internal.h"

#define EMPTY_FIELD 2u // tag and length

#define TAG_TRACE_ID  SW_PB_TAG(1, SW_PB_LEN)
#define TAG_SPAN_ID   SW_PB_TAG(2, SW_PB_LEN)
#define TAG_PARENT_ID SW_PB_TAG(4, SW_PB_LEN)
#define TAG_STATUS    SW_PB_TAG(15, SW_PB_LEN)

static bool is_zero(struct sw_bytes bytes)
{
    for (size_t i = 0; i < bytes.size; i++) {
        if (bytes.data[i] != 0) {
            return false;
        }
    }
    return true;
}

// The span as a field of its ScopeSpans.
static uint64_t span_size(const struct sw_shard_span *span)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, (struct sw_bytes){span->field, span->field_size});
    if (!sw_pb_next(&reader, &field)) {
        return span->field_size;
    }
    uint64_t size = field.bytes.size;
    uint32_t missing = 4;
    sw_pb_reader_init(&reader, field.bytes);
    while (sw_pb_next(&reader, &field)) {
        switch (field.tag) {
        case TAG_TRACE_ID:
        case TAG_SPAN_ID:
        case TAG_PARENT_ID:
            size -= is_zero(field.bytes) ? field.bytes.size : 0;
            missing -= missing > 0 ? 1 : 0;
            break;
        case TAG_STATUS:
            missing -= missing > 0 ? 1 : 0;
            break;
        default:
            break;
        }
    }
    return sw_pb_len_size(SW_OTLP_TAG_ITEMS, size + (uint64_t)missing * EMPTY_FIELD);
}

static uint64_t around_size(struct sw_bytes around)
{
    return around.size > 0 ? around.size : EMPTY_FIELD;
}

static struct trace_size *size_of(const struct sw_trace_table *table, const struct sw_trace *trace)
{
    return &slab_of(table, trace->number)->sizes[trace->number & (SLAB_TRACES - 1)];
}

static uint64_t with_scope(const struct trace_size *size)
{
    return size->done + (size->scope > 0 ? sw_pb_len_size(SW_OTLP_TAG_SCOPES, size->scope) : 0);
}

void sw_trace_size_add(
    struct sw_trace_table *table,
    const struct sw_trace *trace,
    const struct sw_shard_scope *scope,
    const struct sw_shard_span *span,
    uint32_t flags
)
{
    struct trace_size *size = size_of(table, trace);
    if (flags & RECORD_SCOPE) {
        size->done = with_scope(size);
        size->scope = around_size(scope->scope);
    }
    if (flags & RECORD_GROUP) {
        size->done += around_size(scope->resource);
    }
    size->scope += span_size(span);
}

uint64_t sw_trace_size(const struct sw_trace_table *table, const struct sw_trace *trace)
{
    SW_ASSERT(table->conf.sizes);
    return with_scope(size_of(table, trace));
}
