// The walkers over the messages that stand around and in every span. A sender's spans look alike, and so do
// the branches here: what is usual is recognised by single-byte tags in whatever order it comes
// (ascending from SDKs and old Collectors, descending from the Collector since v0.133), what is not goes
// to the tables (validate_table.c), which alone know all rules.
#include "dataplane/otlp/validate.h"

#include "dataplane/otlp/validate_internal.h"

// Tags of one byte, as they stand on the wire.
enum {
    TAG_RESOURCE_ATTRIBUTES = 0x0a,
    TAG_SCOPE_SPANS_SPANS = 0x12,
    TAG_SPAN_TRACE_ID = 0x0a,
    TAG_SPAN_SPAN_ID = 0x12,
    TAG_SPAN_TRACE_STATE = 0x1a,
    TAG_SPAN_PARENT = 0x22,
    TAG_SPAN_NAME = 0x2a,
    TAG_SPAN_KIND = 0x30,
    TAG_SPAN_START = 0x39,
    TAG_SPAN_END = 0x41,
    TAG_SPAN_ATTRIBUTES = 0x4a,
    TAG_SPAN_DROPPED_ATTRIBUTES = 0x50,
    TAG_SPAN_EVENTS = 0x5a,
    TAG_SPAN_DROPPED_EVENTS = 0x60,
    TAG_SPAN_DROPPED_LINKS = 0x70,
    TAG_SPAN_STATUS = 0x7a,
    TAG_SPAN_FLAGS = 0x85, // 85 01

    TAG_EVENT_TIME = 0x09,
    TAG_EVENT_NAME = 0x12,
    TAG_EVENT_ATTRIBUTES = 0x1a,

    TAG_STATUS_CODE = 0x18,
};

/* An event's usual fields; stops at the first other one. */
static inline const uint8_t *usual_event(const uint8_t *at, const uint8_t *end)
{
    for (const uint8_t *before = NULL; at != before && at < end;) {
        before = at;
        if (at[0] == TAG_EVENT_TIME) {
            at += end - at >= 9 ? 9 : 0;
        } else if (at[0] == TAG_EVENT_NAME) {
            at = sw_otlp_usual_bytes(at, end);
        } else {
            at = sw_otlp_usual_key_values(at, end, TAG_EVENT_ATTRIBUTES);
        }
    }
    return at;
}

/* A status that is empty or is a code alone. */
static inline bool usual_status(const uint8_t *at, const uint8_t *end)
{
    return at == end || (end - at == 2 && at[0] == TAG_STATUS_CODE && at[1] < 0x80);
}

/* One field of a span, if it is a usual one. @return behind it, or at */
static inline const uint8_t *usual_span_field(const uint8_t *at, const uint8_t *end)
{
    size_t left = (size_t)(end - at);
    const uint8_t *inner_end = at;
    const uint8_t *inner = NULL;
    switch (at[0]) {
    case TAG_SPAN_ATTRIBUTES:
        return sw_otlp_usual_key_values(at, end, TAG_SPAN_ATTRIBUTES);
    case TAG_SPAN_TRACE_ID:
        return left >= 18 && at[1] == 16 ? at + 18 : at;
    case TAG_SPAN_SPAN_ID:
    case TAG_SPAN_PARENT:
        return left >= 10 && at[1] == 8 ? at + 10 : at;
    case TAG_SPAN_NAME:
    case TAG_SPAN_TRACE_STATE:
        return sw_otlp_usual_bytes(at, end);
    case TAG_SPAN_KIND:
    case TAG_SPAN_DROPPED_ATTRIBUTES:
    case TAG_SPAN_DROPPED_EVENTS:
    case TAG_SPAN_DROPPED_LINKS:
        return left >= 2 && at[1] < 0x80 ? at + 2 : at;
    case TAG_SPAN_START:
    case TAG_SPAN_END:
        return left >= 9 ? at + 9 : at;
    case TAG_SPAN_FLAGS:
        return left >= 6 && at[1] == 1 ? at + 6 : at;
    case TAG_SPAN_STATUS:
        inner = sw_otlp_usual_message(at, end, &inner_end);
        return inner != NULL && usual_status(inner, inner_end) ? inner_end : at;
    case TAG_SPAN_EVENTS:
        inner = sw_otlp_usual_message(at, end, &inner_end);
        return inner != NULL && usual_event(inner, inner_end) == inner_end ? inner_end : at;
    default:
        return at;
    }
}

bool sw_otlp_long_key_value(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *other = sw_otlp_usual_bytes(at, end);
    if (other == at || end - other < 2 || sw_otlp_usual_bytes(other, end) != end) {
        return false;
    }
    const uint8_t *value = other;
    const uint8_t *value_end = end;
    if (at[0] == 0x12 && other[0] == 0x0a) {
        value = at;
        value_end = other;
    } else if (at[0] != 0x0a || other[0] != 0x12) {
        return false;
    }
    value += value[1] < 0x80 ? 2 : 3;
    return value_end - value >= 2 && (value[0] == 0x0a || value[0] == 0x3a) // string, bytes
           && sw_otlp_usual_bytes(value, value_end) == value_end;
}

bool sw_otlp_walk_span(struct sw_otlp_walk *walk, const uint8_t *at, const uint8_t *end)
{
    walk->items_count++;
    while (at < end) {
        const uint8_t *behind = usual_span_field(at, end);
        if (SW_UNLIKELY(behind == at)) {
            behind = sw_otlp_check_field(walk, SW_OTLP_SPAN, at, end);
            if (behind == NULL) {
                return false;
            }
        }
        at = behind;
    }
    return true;
}

bool sw_otlp_walk_scope_spans(struct sw_otlp_walk *walk, const uint8_t *at, const uint8_t *end)
{
    return sw_otlp_walk_children(
        walk, SW_OTLP_SCOPE_SPANS, TAG_SCOPE_SPANS_SPANS, sw_otlp_walk_span, at, end
    );
}

/* What is in field 1000 is told apart, for it counts only where there are no other scopes. */
bool sw_otlp_walk_old_scope(
    struct sw_otlp_walk *walk,
    sw_otlp_walker *walker,
    const uint8_t *at,
    const uint8_t *end
)
{
    uint32_t before = walk->items_count;
    bool valid = walker(walk, at, end);
    walk->old_items_count += walk->items_count - before;
    walk->items_count = before;
    walk->old_scopes_count++;
    return valid;
}

bool sw_otlp_walk_resource(struct sw_otlp_walk *walk, const uint8_t *at, const uint8_t *end)
{
    while (at < end) {
        const uint8_t *behind = sw_otlp_usual_key_values(at, end, TAG_RESOURCE_ATTRIBUTES);
        if (behind == at) {
            behind = sw_otlp_check_field(walk, SW_OTLP_RESOURCE, at, end);
            if (behind == NULL) {
                return false;
            }
        }
        at = behind;
    }
    return true;
}

bool sw_otlp_walk_resource_items(
    struct sw_otlp_walk *walk,
    enum sw_otlp_message message,
    const uint8_t *at,
    const uint8_t *end
)
{
    walk->resources_count++;
    walk->scopes_count = 0;
    walk->old_items_count = 0;
    while (at < end) {
        at = sw_otlp_check_field(walk, message, at, end);
        if (at == NULL) {
            return false;
        }
    }
    if (walk->scopes_count == 0) {
        walk->items_count += walk->old_items_count;
    }
    return true;
}

int sw_otlp_validate(
    enum sw_signal signal,
    const uint8_t *data,
    size_t size,
    struct sw_otlp_counts *ret_counts,
    struct sw_otlp_fault *ret_fault
)
{
    static const enum sw_otlp_message requests[SW_SIGNALS_COUNT] = {
        [SW_TRACES] = SW_OTLP_TRACES_REQUEST,
        [SW_METRICS] = SW_OTLP_METRICS_REQUEST,
        [SW_LOGS] = SW_OTLP_LOGS_REQUEST,
    };
    struct sw_otlp_walk walk = {.begin = data, .fault = ret_fault, .request = requests[signal]};
    if (size > 0 && !sw_otlp_check_message(&walk, walk.request, data, data + size)) {
        return SW_E_MALFORMED;
    }
    *ret_counts = (struct sw_otlp_counts){
        .resources = walk.resources_count,
        .items = walk.items_count,
        .migrate = walk.old_scopes_count > 0,
    };
    return SW_OK;
}

/* ---- field 1000, the same in all signals ---- */

#define TAG_RESOURCES  SW_PB_TAG(1, SW_PB_LEN)
#define TAG_SCOPES     SW_PB_TAG(2, SW_PB_LEN)
#define TAG_OLD_SCOPES SW_PB_TAG(1000, SW_PB_LEN)

static bool has_scopes(struct sw_bytes resource)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, resource);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag == TAG_SCOPES) {
            return true;
        }
    }
    return false;
}

/* Writes the content of a ResourceSpans (or its like) as it shall be; out NULL only measures. `out` may overlap from
 * below. @return bytes */
static size_t migrate_resource(struct sw_bytes resource, uint8_t *out)
{
    bool keep = !has_scopes(resource);
    size_t size = 0;
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, resource);
    while (sw_pb_next(&reader, &field)) {
        struct sw_bytes bytes = field.whole;
        if (field.tag == TAG_OLD_SCOPES) {
            if (!keep) {
                continue;
            }
            bytes = field.bytes;
            if (out != NULL) {
                sw_pb_put_head(out + size, TAG_SCOPES, bytes.size);
            }
            size += sw_pb_len_size(TAG_SCOPES, bytes.size) - bytes.size;
        }
        if (out != NULL) {
            memmove(out + size, bytes.data, bytes.size);
        }
        size += bytes.size;
    }
    return size;
}

size_t sw_otlp_migrate(uint8_t *data, size_t size)
{
    uint8_t *out = data;
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, (struct sw_bytes){data, size});
    while (sw_pb_next(&reader, &field)) {
        if (field.tag != TAG_RESOURCES) {
            memmove(out, field.whole.data, field.whole.size);
            out += field.whole.size;
            continue;
        }
        // Nothing grows, so what is written never reaches what is still to be read.
        size_t content_size = migrate_resource(field.bytes, NULL);
        out = sw_pb_put_head(out, TAG_RESOURCES, content_size);
        out += migrate_resource(field.bytes, out);
    }
    return (size_t)(out - data);
}
