// Field numbers and types are OTLP 1.x's; names as the Collector's error texts have them.
#include "dataplane/otlp/validate_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

// clang-format off
#define VARINT(name)       {SW_OTLP_VARINT, 0, name}
#define I64(name)          {SW_OTLP_I64, 0, name}
#define I32(name)          {SW_OTLP_I32, 0, name}
#define BYTES(name)        {SW_OTLP_BYTES, 0, name}
#define TRACE_ID(name)     {SW_OTLP_TRACE_ID, 0, name}
#define SPAN_ID(name)      {SW_OTLP_SPAN_ID, 0, name}
#define MESSAGE(name, what) {SW_OTLP_MESSAGE, what, name}

/* ---- common, resource: all signals ---- */

static const struct sw_otlp_field any_value[] = {
    [1] = BYTES("StringValue"),
    [2] = VARINT("BoolValue"),
    [3] = VARINT("IntValue"),
    [4] = I64("DoubleValue"),
    [5] = MESSAGE("ArrayValue", SW_OTLP_ARRAY_VALUE),
    [6] = MESSAGE("KvlistValue", SW_OTLP_KEY_VALUE_LIST),
    [7] = BYTES("BytesValue"),
    [8] = VARINT("StringValueStrindex"),
};
static const struct sw_otlp_field array_value[] = {
    [1] = MESSAGE("Values", SW_OTLP_ANY_VALUE),
};
static const struct sw_otlp_field key_value_list[] = {
    [1] = MESSAGE("Values", SW_OTLP_KEY_VALUE),
};
static const struct sw_otlp_field key_value[] = {
    [1] = BYTES("Key"),
    [2] = MESSAGE("Value", SW_OTLP_ANY_VALUE),
    [3] = VARINT("KeyStrindex"),
};
static const struct sw_otlp_field scope[] = {
    [1] = BYTES("Name"),
    [2] = BYTES("Version"),
    [3] = MESSAGE("Attributes", SW_OTLP_KEY_VALUE),
    [4] = VARINT("DroppedAttributesCount"),
};
static const struct sw_otlp_field entity_ref[] = {
    [1] = BYTES("SchemaUrl"),
    [2] = BYTES("Type"),
    [3] = BYTES("IdKeys"),
    [4] = BYTES("DescriptionKeys"),
};
static const struct sw_otlp_field resource[] = {
    [1] = MESSAGE("Attributes", SW_OTLP_KEY_VALUE),
    [2] = VARINT("DroppedAttributesCount"),
    [3] = MESSAGE("EntityRefs", SW_OTLP_ENTITY_REF),
};

/* ---- traces ---- */

static const struct sw_otlp_field traces_request[] = {
    [1] = MESSAGE("ResourceSpans", SW_OTLP_RESOURCE_SPANS),
};
static const struct sw_otlp_field resource_spans[] = {
    [1] = MESSAGE("Resource", SW_OTLP_RESOURCE),
    [2] = MESSAGE("ScopeSpans", SW_OTLP_SCOPE_SPANS),
    [3] = BYTES("SchemaUrl"),
};
static const struct sw_otlp_field scope_spans[] = {
    [1] = MESSAGE("Scope", SW_OTLP_SCOPE),
    [2] = MESSAGE("Spans", SW_OTLP_SPAN),
    [3] = BYTES("SchemaUrl"),
};
static const struct sw_otlp_field span[] = {
    [1] = TRACE_ID("TraceId"),
    [2] = SPAN_ID("SpanId"),
    [3] = BYTES("TraceState"),
    [4] = SPAN_ID("ParentSpanId"),
    [5] = BYTES("Name"),
    [6] = VARINT("Kind"),
    [7] = I64("StartTimeUnixNano"),
    [8] = I64("EndTimeUnixNano"),
    [9] = MESSAGE("Attributes", SW_OTLP_KEY_VALUE),
    [10] = VARINT("DroppedAttributesCount"),
    [11] = MESSAGE("Events", SW_OTLP_EVENT),
    [12] = VARINT("DroppedEventsCount"),
    [13] = MESSAGE("Links", SW_OTLP_LINK),
    [14] = VARINT("DroppedLinksCount"),
    [15] = MESSAGE("Status", SW_OTLP_STATUS),
    [16] = I32("Flags"),
};
static const struct sw_otlp_field event[] = {
    [1] = I64("TimeUnixNano"),
    [2] = BYTES("Name"),
    [3] = MESSAGE("Attributes", SW_OTLP_KEY_VALUE),
    [4] = VARINT("DroppedAttributesCount"),
};
static const struct sw_otlp_field link[] = {
    [1] = TRACE_ID("TraceId"),
    [2] = SPAN_ID("SpanId"),
    [3] = BYTES("TraceState"),
    [4] = MESSAGE("Attributes", SW_OTLP_KEY_VALUE),
    [5] = VARINT("DroppedAttributesCount"),
    [6] = I32("Flags"),
};
static const struct sw_otlp_field status[] = {
    [2] = BYTES("Message"),
    [3] = VARINT("Code"),
};

#define TABLE(array) {.fields = (array), .fields_count = SW_ARRAY_SIZE(array)}

const struct sw_otlp_message_table sw_otlp_messages[SW_OTLP_MESSAGES_COUNT] = {
    [SW_OTLP_ANY_VALUE]       = TABLE(any_value),
    [SW_OTLP_ARRAY_VALUE]     = TABLE(array_value),
    [SW_OTLP_KEY_VALUE_LIST]  = TABLE(key_value_list),
    [SW_OTLP_KEY_VALUE]       = TABLE(key_value),
    [SW_OTLP_SCOPE]           = TABLE(scope),
    [SW_OTLP_ENTITY_REF]      = TABLE(entity_ref),
    [SW_OTLP_RESOURCE]        = TABLE(resource),
    [SW_OTLP_TRACES_REQUEST]  = TABLE(traces_request),
    [SW_OTLP_RESOURCE_SPANS]  = {
        .fields = resource_spans,
        .fields_count = SW_ARRAY_SIZE(resource_spans),
        .far_number = 1000,
        .far = MESSAGE("DeprecatedScopeSpans", SW_OTLP_OLD_SCOPE_SPANS),
    },
    [SW_OTLP_SCOPE_SPANS]     = TABLE(scope_spans),
    [SW_OTLP_OLD_SCOPE_SPANS] = TABLE(scope_spans),
    [SW_OTLP_SPAN]            = TABLE(span),
    [SW_OTLP_EVENT]           = TABLE(event),
    [SW_OTLP_LINK]            = TABLE(link),
    [SW_OTLP_STATUS]          = TABLE(status),
};
// clang-format on

/* Notes what is wrong; `at` is the start of the field. @return NULL, for the caller to pass on */
__attribute__((cold, format(printf, 3, 4))) static const uint8_t *
fault(struct sw_otlp_walk *walk, const uint8_t *at, const char *format, ...)
{
    if (walk->fault != NULL) {
        walk->fault->offset = (size_t)(at - walk->begin);
        va_list args;
        va_start(args, format);
        vsnprintf(walk->fault->text, sizeof(walk->fault->text), format, args);
        va_end(args);
    }
    return NULL;
}

static const struct sw_otlp_field *find_field(enum sw_otlp_message message, uint32_t number)
{
    static const struct sw_otlp_field unknown;
    const struct sw_otlp_message_table *table = &sw_otlp_messages[message];
    if (number < table->fields_count) {
        return &table->fields[number];
    }
    return number == table->far_number ? &table->far : &unknown;
}

static bool wire_fits(enum sw_otlp_kind kind, uint32_t wire)
{
    switch (kind) {
    case SW_OTLP_UNKNOWN:
        return true;
    case SW_OTLP_VARINT:
        return wire == SW_PB_VARINT;
    case SW_OTLP_I64:
        return wire == SW_PB_I64;
    case SW_OTLP_I32:
        return wire == SW_PB_I32;
    default:
        return wire == SW_PB_LEN;
    }
}

static const uint8_t *
reader_fault(struct sw_otlp_walk *walk, const struct sw_pb_reader *reader, const uint8_t *at)
{
    return fault(walk, at, "%s", sw_pb_error_text(reader->error));
}

/* Where the message begins in which a field stands, for the text alone: all before the field is valid. */
__attribute__((cold)) static const uint8_t *
message_around(const struct sw_otlp_walk *walk, const uint8_t *wanted)
{
    enum sw_otlp_message message = SW_OTLP_TRACES_REQUEST;
    const uint8_t *begin = walk->begin;
    struct sw_pb_reader reader = {.at = begin, .end = wanted};
    // A field that reaches beyond the wanted one is the message around it.
    while (reader.at < wanted) {
        uint32_t tag = sw_pb_tag(&reader);
        if ((tag & 7) != SW_PB_LEN) {
            sw_pb_skip(&reader, tag);
            continue;
        }
        uint64_t size = sw_pb_varint(&reader);
        if (size > sw_pb_left(&reader)) {
            message = find_field(message, tag >> 3)->message;
            begin = reader.at;
        } else {
            reader.at += size;
        }
    }
    return begin;
}

/* A field number that is none, in the Collector's words: the position is the one behind the tag. */
__attribute__((cold)) static const uint8_t *
illegal_field(struct sw_otlp_walk *walk, const uint8_t *at, const uint8_t *end)
{
    struct sw_pb_reader reader = {.at = at, .end = end};
    uint64_t tag = sw_pb_varint(&reader);
    return fault(
        walk,
        at,
        "proto: Link: illegal field=%d (tag=%" PRIu64 ", pos=%zu)",
        (int32_t)(tag >> 3),
        tag,
        (size_t)(reader.at - message_around(walk, at))
    );
}

const uint8_t *sw_otlp_check_field(
    struct sw_otlp_walk *walk,
    enum sw_otlp_message message,
    const uint8_t *at,
    const uint8_t *end
)
{
    struct sw_pb_reader reader = {.at = at, .end = end};
    uint32_t tag = sw_pb_tag(&reader);
    if (reader.error == SW_PB_ILLEGAL_FIELD || (reader.error == SW_PB_OK && reader.at - at > 5)) {
        return illegal_field(walk, at, end);
    }
    if (reader.error != SW_PB_OK) {
        return reader_fault(walk, &reader, at);
    }
    const struct sw_otlp_field *field = find_field(message, tag >> 3);
    if (!wire_fits(field->kind, tag & 7)) {
        return fault(walk, at, "proto: wrong wireType = %u for field %s", tag & 7, field->name);
    }
    if (field->kind < SW_OTLP_BYTES) {
        sw_pb_skip(&reader, tag);
        return reader.error == SW_PB_OK ? reader.at : reader_fault(walk, &reader, at);
    }
    struct sw_bytes content = sw_pb_len(&reader);
    if (reader.error != SW_PB_OK) {
        return reader_fault(walk, &reader, at);
    }
    if (field->kind == SW_OTLP_TRACE_ID && content.size != 0 && content.size != 16) {
        return fault(walk, at, "unmarshal: invalid TraceID length");
    }
    if (field->kind == SW_OTLP_SPAN_ID && content.size != 0 && content.size != 8) {
        return fault(walk, at, "unmarshal: invalid SpanID length");
    }
    if (field->kind == SW_OTLP_MESSAGE) {
        if (walk->depth >= SW_OTLP_DEPTH_MAX) {
            return fault(walk, at, "proto: exceeded maximum recursion depth");
        }
        if (!sw_otlp_check_message(walk, field->message, content.data, reader.at)) {
            return NULL;
        }
    }
    return reader.at;
}

static bool walk_fields(
    struct sw_otlp_walk *walk,
    enum sw_otlp_message message,
    const uint8_t *at,
    const uint8_t *end
)
{
    while (at < end) {
        at = sw_otlp_check_field(walk, message, at, end);
        if (at == NULL) {
            return false;
        }
    }
    return true;
}

bool sw_otlp_check_message(
    struct sw_otlp_walk *walk,
    enum sw_otlp_message message,
    const uint8_t *at,
    const uint8_t *end
)
{
    bool valid = false;
    walk->depth++;
    switch (message) {
    case SW_OTLP_RESOURCE:
        valid = sw_otlp_walk_resource(walk, at, end);
        break;
    case SW_OTLP_RESOURCE_SPANS:
        valid = sw_otlp_walk_resource_spans(walk, at, end);
        break;
    case SW_OTLP_SCOPE_SPANS:
        walk->scopes_count++;
        valid = sw_otlp_walk_scope_spans(walk, at, end);
        break;
    case SW_OTLP_OLD_SCOPE_SPANS:
        valid = sw_otlp_walk_old_scope_spans(walk, at, end);
        break;
    case SW_OTLP_SPAN:
        valid = sw_otlp_walk_span(walk, at, end);
        break;
    default:
        valid = walk_fields(walk, message, at, end);
        break;
    }
    walk->depth--;
    return valid;
}
