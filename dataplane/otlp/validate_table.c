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
#define PACKED_I64(name)    {SW_OTLP_PACKED_I64, 0, name}
#define PACKED_VARINT(name) {SW_OTLP_PACKED_VARINT, 0, name}
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

/* ---- metrics ---- */

static const struct sw_otlp_field metrics_request[] = {
    [1] = MESSAGE("ResourceMetrics", SW_OTLP_RESOURCE_METRICS),
};
static const struct sw_otlp_field resource_metrics[] = {
    [1] = MESSAGE("Resource", SW_OTLP_RESOURCE),
    [2] = MESSAGE("ScopeMetrics", SW_OTLP_SCOPE_METRICS),
    [3] = BYTES("SchemaUrl"),
};
static const struct sw_otlp_field scope_metrics[] = {
    [1] = MESSAGE("Scope", SW_OTLP_SCOPE),
    [2] = MESSAGE("Metrics", SW_OTLP_METRIC),
    [3] = BYTES("SchemaUrl"),
};
static const struct sw_otlp_field metric[] = {
    [1] = BYTES("Name"),
    [2] = BYTES("Description"),
    [3] = BYTES("Unit"),
    [5] = MESSAGE("Gauge", SW_OTLP_GAUGE),
    [7] = MESSAGE("Sum", SW_OTLP_SUM),
    [9] = MESSAGE("Histogram", SW_OTLP_HISTOGRAM),
    [10] = MESSAGE("ExponentialHistogram", SW_OTLP_EXPONENTIAL_HISTOGRAM),
    [11] = MESSAGE("Summary", SW_OTLP_SUMMARY),
    [12] = MESSAGE("Metadata", SW_OTLP_KEY_VALUE),
};
static const struct sw_otlp_field gauge[] = {
    [1] = MESSAGE("DataPoints", SW_OTLP_NUMBER_POINT),
};
static const struct sw_otlp_field sum[] = {
    [1] = MESSAGE("DataPoints", SW_OTLP_NUMBER_POINT),
    [2] = VARINT("AggregationTemporality"),
    [3] = VARINT("IsMonotonic"),
};
static const struct sw_otlp_field histogram[] = {
    [1] = MESSAGE("DataPoints", SW_OTLP_HISTOGRAM_POINT),
    [2] = VARINT("AggregationTemporality"),
};
static const struct sw_otlp_field exponential_histogram[] = {
    [1] = MESSAGE("DataPoints", SW_OTLP_EXPONENTIAL_POINT),
    [2] = VARINT("AggregationTemporality"),
};
static const struct sw_otlp_field summary[] = {
    [1] = MESSAGE("DataPoints", SW_OTLP_SUMMARY_POINT),
};
static const struct sw_otlp_field number_point[] = {
    [2] = I64("StartTimeUnixNano"),
    [3] = I64("TimeUnixNano"),
    [4] = I64("AsDouble"),
    [5] = MESSAGE("Exemplars", SW_OTLP_EXEMPLAR),
    [6] = I64("AsInt"),
    [7] = MESSAGE("Attributes", SW_OTLP_KEY_VALUE),
    [8] = VARINT("Flags"),
};
static const struct sw_otlp_field histogram_point[] = {
    [2] = I64("StartTimeUnixNano"),
    [3] = I64("TimeUnixNano"),
    [4] = I64("Count"),
    [5] = I64("Sum"),
    [6] = PACKED_I64("BucketCounts"),
    [7] = PACKED_I64("ExplicitBounds"),
    [8] = MESSAGE("Exemplars", SW_OTLP_EXEMPLAR),
    [9] = MESSAGE("Attributes", SW_OTLP_KEY_VALUE),
    [10] = VARINT("Flags"),
    [11] = I64("Min"),
    [12] = I64("Max"),
};
static const struct sw_otlp_field exponential_point[] = {
    [1] = MESSAGE("Attributes", SW_OTLP_KEY_VALUE),
    [2] = I64("StartTimeUnixNano"),
    [3] = I64("TimeUnixNano"),
    [4] = I64("Count"),
    [5] = I64("Sum"),
    [6] = VARINT("Scale"),
    [7] = I64("ZeroCount"),
    [8] = MESSAGE("Positive", SW_OTLP_BUCKETS),
    [9] = MESSAGE("Negative", SW_OTLP_BUCKETS),
    [10] = VARINT("Flags"),
    [11] = MESSAGE("Exemplars", SW_OTLP_EXEMPLAR),
    [12] = I64("Min"),
    [13] = I64("Max"),
    [14] = I64("ZeroThreshold"),
};
static const struct sw_otlp_field buckets[] = {
    [1] = VARINT("Offset"),
    [2] = PACKED_VARINT("BucketCounts"),
};
static const struct sw_otlp_field summary_point[] = {
    [2] = I64("StartTimeUnixNano"),
    [3] = I64("TimeUnixNano"),
    [4] = I64("Count"),
    [5] = I64("Sum"),
    [6] = MESSAGE("QuantileValues", SW_OTLP_QUANTILE),
    [7] = MESSAGE("Attributes", SW_OTLP_KEY_VALUE),
    [8] = VARINT("Flags"),
};
static const struct sw_otlp_field quantile[] = {
    [1] = I64("Quantile"),
    [2] = I64("Value"),
};
static const struct sw_otlp_field exemplar[] = {
    [2] = I64("TimeUnixNano"),
    [3] = I64("AsDouble"),
    [4] = SPAN_ID("SpanId"),
    [5] = TRACE_ID("TraceId"),
    [6] = I64("AsInt"),
    [7] = MESSAGE("FilteredAttributes", SW_OTLP_KEY_VALUE),
};

/* ---- logs ---- */

static const struct sw_otlp_field logs_request[] = {
    [1] = MESSAGE("ResourceLogs", SW_OTLP_RESOURCE_LOGS),
};
static const struct sw_otlp_field resource_logs[] = {
    [1] = MESSAGE("Resource", SW_OTLP_RESOURCE),
    [2] = MESSAGE("ScopeLogs", SW_OTLP_SCOPE_LOGS),
    [3] = BYTES("SchemaUrl"),
};
static const struct sw_otlp_field scope_logs[] = {
    [1] = MESSAGE("Scope", SW_OTLP_SCOPE),
    [2] = MESSAGE("LogRecords", SW_OTLP_LOG_RECORD),
    [3] = BYTES("SchemaUrl"),
};
static const struct sw_otlp_field log_record[] = {
    [1] = I64("TimeUnixNano"),
    [2] = VARINT("SeverityNumber"),
    [3] = BYTES("SeverityText"),
    [5] = MESSAGE("Body", SW_OTLP_ANY_VALUE),
    [6] = MESSAGE("Attributes", SW_OTLP_KEY_VALUE),
    [7] = VARINT("DroppedAttributesCount"),
    [8] = I32("Flags"),
    [9] = TRACE_ID("TraceId"),
    [10] = SPAN_ID("SpanId"),
    [11] = I64("ObservedTimeUnixNano"),
    [12] = BYTES("EventName"),
};

#define TABLE(array) {.fields = (array), .fields_count = SW_ARRAY_SIZE(array)}
#define TABLE_1000(array, name, what) { \
    .fields = (array), \
    .fields_count = SW_ARRAY_SIZE(array), \
    .far_number = 1000, \
    .far = MESSAGE(name, what), \
}

const struct sw_otlp_message_table sw_otlp_messages[SW_OTLP_MESSAGES_COUNT] = {
    [SW_OTLP_ANY_VALUE]             = TABLE(any_value),
    [SW_OTLP_ARRAY_VALUE]           = TABLE(array_value),
    [SW_OTLP_KEY_VALUE_LIST]        = TABLE(key_value_list),
    [SW_OTLP_KEY_VALUE]             = TABLE(key_value),
    [SW_OTLP_SCOPE]                 = TABLE(scope),
    [SW_OTLP_ENTITY_REF]            = TABLE(entity_ref),
    [SW_OTLP_RESOURCE]              = TABLE(resource),
    [SW_OTLP_TRACES_REQUEST]        = TABLE(traces_request),
    [SW_OTLP_RESOURCE_SPANS]        = TABLE_1000(resource_spans, "DeprecatedScopeSpans", SW_OTLP_OLD_SCOPE_SPANS),
    [SW_OTLP_SCOPE_SPANS]           = TABLE(scope_spans),
    [SW_OTLP_OLD_SCOPE_SPANS]       = TABLE(scope_spans),
    [SW_OTLP_SPAN]                  = TABLE(span),
    [SW_OTLP_EVENT]                 = TABLE(event),
    [SW_OTLP_LINK]                  = TABLE(link),
    [SW_OTLP_STATUS]                = TABLE(status),
    [SW_OTLP_METRICS_REQUEST]       = TABLE(metrics_request),
    [SW_OTLP_RESOURCE_METRICS]      = TABLE_1000(resource_metrics, "DeprecatedScopeMetrics", SW_OTLP_OLD_SCOPE_METRICS),
    [SW_OTLP_SCOPE_METRICS]         = TABLE(scope_metrics),
    [SW_OTLP_OLD_SCOPE_METRICS]     = TABLE(scope_metrics),
    [SW_OTLP_METRIC]                = TABLE(metric),
    [SW_OTLP_GAUGE]                 = TABLE(gauge),
    [SW_OTLP_SUM]                   = TABLE(sum),
    [SW_OTLP_HISTOGRAM]             = TABLE(histogram),
    [SW_OTLP_EXPONENTIAL_HISTOGRAM] = TABLE(exponential_histogram),
    [SW_OTLP_SUMMARY]               = TABLE(summary),
    [SW_OTLP_NUMBER_POINT]          = TABLE(number_point),
    [SW_OTLP_HISTOGRAM_POINT]       = TABLE(histogram_point),
    [SW_OTLP_EXPONENTIAL_POINT]     = TABLE(exponential_point),
    [SW_OTLP_BUCKETS]               = TABLE(buckets),
    [SW_OTLP_SUMMARY_POINT]         = TABLE(summary_point),
    [SW_OTLP_QUANTILE]              = TABLE(quantile),
    [SW_OTLP_EXEMPLAR]              = TABLE(exemplar),
    [SW_OTLP_LOGS_REQUEST]          = TABLE(logs_request),
    [SW_OTLP_RESOURCE_LOGS]         = TABLE_1000(resource_logs, "DeprecatedScopeLogs", SW_OTLP_OLD_SCOPE_LOGS),
    [SW_OTLP_SCOPE_LOGS]            = TABLE(scope_logs),
    [SW_OTLP_OLD_SCOPE_LOGS]        = TABLE(scope_logs),
    [SW_OTLP_LOG_RECORD]            = TABLE(log_record),
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
    case SW_OTLP_PACKED_I64:
        return wire == SW_PB_LEN || wire == SW_PB_I64;
    case SW_OTLP_PACKED_VARINT:
        return wire == SW_PB_LEN || wire == SW_PB_VARINT;
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
    enum sw_otlp_message message = walk->request;
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

/* The bytes of a packed list. @return their end, NULL when they are at fault */
static const uint8_t *check_packed(
    struct sw_otlp_walk *walk,
    const struct sw_otlp_field *field,
    const uint8_t *at,
    struct sw_bytes content
)
{
    struct sw_pb_reader reader;
    sw_pb_reader_init(&reader, content);
    if (field->kind == SW_OTLP_PACKED_I64) {
        unsigned rest = (unsigned)(content.size % 8);
        return rest == 0
                   ? reader.end
                   : fault(
                       walk, at, "proto: invalid field len = %u for field %s", rest, field->name
                   );
    }
    while (sw_pb_left(&reader) > 0) {
        sw_pb_varint(&reader);
    }
    return reader.error == SW_PB_OK ? reader.end : reader_fault(walk, &reader, at);
}

/* The content of a length-delimited field. @return its end, NULL when it is at fault */
static const uint8_t *check_content(
    struct sw_otlp_walk *walk,
    const struct sw_otlp_field *field,
    const uint8_t *at,
    struct sw_bytes content
)
{
    const uint8_t *end = content.data + content.size;
    switch (field->kind) {
    case SW_OTLP_TRACE_ID:
        return content.size == 0 || content.size == 16
                   ? end
                   : fault(walk, at, "unmarshal: invalid TraceID length");
    case SW_OTLP_SPAN_ID:
        return content.size == 0 || content.size == 8
                   ? end
                   : fault(walk, at, "unmarshal: invalid SpanID length");
    case SW_OTLP_PACKED_I64:
    case SW_OTLP_PACKED_VARINT:
        return check_packed(walk, field, at, content);
    case SW_OTLP_MESSAGE:
        if (walk->depth >= SW_OTLP_DEPTH_MAX) {
            return fault(walk, at, "proto: exceeded maximum recursion depth");
        }
        return sw_otlp_check_message(walk, field->message, content.data, end) ? end : NULL;
    default:
        return end;
    }
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
    if ((tag & 7) != SW_PB_LEN || field->kind == SW_OTLP_UNKNOWN) {
        sw_pb_skip(&reader, tag);
        return reader.error == SW_PB_OK ? reader.at : reader_fault(walk, &reader, at);
    }
    struct sw_bytes content = sw_pb_len(&reader);
    if (reader.error != SW_PB_OK) {
        return reader_fault(walk, &reader, at);
    }
    return check_content(walk, field, at, content);
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
    case SW_OTLP_RESOURCE_METRICS:
    case SW_OTLP_RESOURCE_LOGS:
        valid = sw_otlp_walk_resource_items(walk, message, at, end);
        break;
    case SW_OTLP_SCOPE_SPANS:
        walk->scopes_count++;
        valid = sw_otlp_walk_scope_spans(walk, at, end);
        break;
    case SW_OTLP_SCOPE_METRICS:
        walk->scopes_count++;
        valid = sw_otlp_walk_scope_metrics(walk, at, end);
        break;
    case SW_OTLP_SCOPE_LOGS:
        walk->scopes_count++;
        valid = sw_otlp_walk_scope_logs(walk, at, end);
        break;
    case SW_OTLP_OLD_SCOPE_SPANS:
        valid = sw_otlp_walk_old_scope(walk, sw_otlp_walk_scope_spans, at, end);
        break;
    case SW_OTLP_OLD_SCOPE_METRICS:
        valid = sw_otlp_walk_old_scope(walk, sw_otlp_walk_scope_metrics, at, end);
        break;
    case SW_OTLP_OLD_SCOPE_LOGS:
        valid = sw_otlp_walk_old_scope(walk, sw_otlp_walk_scope_logs, at, end);
        break;
    case SW_OTLP_SPAN:
        valid = sw_otlp_walk_span(walk, at, end);
        break;
    case SW_OTLP_METRIC:
        valid = sw_otlp_walk_metric(walk, at, end);
        break;
    case SW_OTLP_GAUGE:
    case SW_OTLP_SUM:
    case SW_OTLP_HISTOGRAM:
    case SW_OTLP_EXPONENTIAL_HISTOGRAM:
    case SW_OTLP_SUMMARY:
        valid = sw_otlp_walk_points(walk, message, at, end);
        break;
    case SW_OTLP_NUMBER_POINT:
    case SW_OTLP_HISTOGRAM_POINT:
    case SW_OTLP_EXPONENTIAL_POINT:
    case SW_OTLP_SUMMARY_POINT:
        valid = sw_otlp_walk_point(walk, message, at, end);
        break;
    case SW_OTLP_LOG_RECORD:
        valid = sw_otlp_walk_log_record(walk, at, end);
        break;
    default:
        valid = sw_otlp_walk_fields(walk, message, at, end);
        break;
    }
    walk->depth--;
    return valid;
}
