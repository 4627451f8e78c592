// Field numbers and types are OTLP 1.x's; names and order are those of the Collector v0.159
// (pdata/internal/generated_proto_*.go).
#include "dataplane/base/assert.h"
#include "dataplane/otlp/json_schema_internal.h"
#include "dataplane/otlp/protobuf.h"

// clang-format off
// Names with the quote that ends them in JSON; a tag of at most 14 bits, as it stands on the wire.
#define NAME(name)          .camel = name "\"", .camel_size = sizeof(name)
#define ALSO(name)          .snake = name "\"", .snake_size = sizeof(name)
#define BYTE_1(tag)         (((tag) & 0x7f) | ((tag) < 128 ? 0 : 0x80))
#define BYTE_2(tag)         ((tag) < 128 ? 0 : ((tag) >> 7))
#define TAG(count, wire)    .tag = {BYTE_1(SW_PB_TAG(count, wire)), BYTE_2(SW_PB_TAG(count, wire))}, \
                            .tag_size = (count) < 16 ? 1 : 2, .number = (count)
#define STRING(count)       TAG(count, SW_PB_LEN), .type = SW_JSON_STRING
#define BYTES(count)        TAG(count, SW_PB_LEN), .type = SW_JSON_BYTES
#define TRACE_ID(count)     TAG(count, SW_PB_LEN), .type = SW_JSON_TRACE_ID
#define SPAN_ID(count)      TAG(count, SW_PB_LEN), .type = SW_JSON_SPAN_ID
#define MESSAGE(count, id)  TAG(count, SW_PB_LEN), .type = SW_JSON_MESSAGE, .of = SW_JSON_##id
#define ENUM(count, id)     TAG(count, SW_PB_VARINT), .type = SW_JSON_ENUM, .of = SW_JSON_##id
#define BOOL(count)         TAG(count, SW_PB_VARINT), .type = SW_JSON_BOOL
#define INT32(count)        TAG(count, SW_PB_VARINT), .type = SW_JSON_INT32
#define SINT32(count)       TAG(count, SW_PB_VARINT), .type = SW_JSON_SINT32
#define UINT32(count)       TAG(count, SW_PB_VARINT), .type = SW_JSON_UINT32
#define INT64(count)        TAG(count, SW_PB_VARINT), .type = SW_JSON_INT64
#define FIXED32(count)      TAG(count, SW_PB_I32), .type = SW_JSON_FIXED32
#define FIXED64(count)      TAG(count, SW_PB_I64), .type = SW_JSON_FIXED64
#define SFIXED64(count)     TAG(count, SW_PB_I64), .type = SW_JSON_SFIXED64
#define DOUBLE(count)       TAG(count, SW_PB_I64), .type = SW_JSON_DOUBLE
#define PACKED(count, what) TAG(count, SW_PB_LEN), .type = SW_JSON_##what, .flags = SW_JSON_REPEATED
#define REPEATED            .flags = SW_JSON_REPEATED
#define ITEMS               .flags = SW_JSON_REPEATED | SW_JSON_ITEM
#define ONEOF               .flags = SW_JSON_ONEOF
#define PRESENCE            .flags = SW_JSON_PRESENCE
#define MANDATORY           .flags = SW_JSON_MANDATORY

/* ---- common, resource: all signals ---- */

static const struct sw_json_field any_value[] = {
    {NAME("stringValue"), ALSO("string_value"), STRING(1), ONEOF},
    {NAME("boolValue"), ALSO("bool_value"), BOOL(2), ONEOF},
    {NAME("intValue"), ALSO("int_value"), INT64(3), ONEOF},
    {NAME("doubleValue"), ALSO("double_value"), DOUBLE(4), ONEOF},
    {NAME("arrayValue"), ALSO("array_value"), MESSAGE(5, ARRAY_VALUE), ONEOF},
    {NAME("kvlistValue"), ALSO("kvlist_value"), MESSAGE(6, KEY_VALUE_LIST), ONEOF},
    {NAME("bytesValue"), ALSO("bytes_value"), BYTES(7), ONEOF},
    {NAME("stringValueStrindex"), ALSO("string_value_strindex"), INT32(8), ONEOF},
};
static const struct sw_json_field array_value[] = {
    {NAME("values"), MESSAGE(1, ANY_VALUE), REPEATED},
};
static const struct sw_json_field key_value_list[] = {
    {NAME("values"), MESSAGE(1, KEY_VALUE), REPEATED},
};
static const struct sw_json_field key_value[] = {
    {NAME("key"), STRING(1)},
    {NAME("value"), MESSAGE(2, ANY_VALUE), MANDATORY},
    {NAME("keyStrindex"), ALSO("key_strindex"), INT32(3)},
};
static const struct sw_json_field scope[] = {
    {NAME("name"), STRING(1)},
    {NAME("version"), STRING(2)},
    {NAME("attributes"), MESSAGE(3, KEY_VALUE), REPEATED},
    {NAME("droppedAttributesCount"), ALSO("dropped_attributes_count"), UINT32(4)},
};
static const struct sw_json_field entity_ref[] = {
    {NAME("schemaUrl"), ALSO("schema_url"), STRING(1)},
    {NAME("type"), STRING(2)},
    {NAME("idKeys"), ALSO("id_keys"), STRING(3), REPEATED},
    {NAME("descriptionKeys"), ALSO("description_keys"), STRING(4), REPEATED},
};
static const struct sw_json_field resource[] = {
    {NAME("attributes"), MESSAGE(1, KEY_VALUE), REPEATED},
    {NAME("droppedAttributesCount"), ALSO("dropped_attributes_count"), UINT32(2)},
    {NAME("entityRefs"), ALSO("entity_refs"), MESSAGE(3, ENTITY_REF), REPEATED},
};

/* ---- traces ---- */

static const struct sw_json_field traces_request[] = {
    {NAME("resourceSpans"), ALSO("resource_spans"), MESSAGE(1, RESOURCE_SPANS), REPEATED},
};
static const struct sw_json_field resource_spans[] = {
    {NAME("resource"), MESSAGE(1, RESOURCE), MANDATORY},
    {NAME("scopeSpans"), ALSO("scope_spans"), MESSAGE(2, SCOPE_SPANS), REPEATED},
    {NAME("schemaUrl"), ALSO("schema_url"), STRING(3)},
    {NAME("deprecatedScopeSpans"), ALSO("deprecated_scope_spans"), MESSAGE(1000, OLD_SCOPE_SPANS), REPEATED},
};
static const struct sw_json_field scope_spans[] = {
    {NAME("scope"), MESSAGE(1, SCOPE), MANDATORY},
    {NAME("spans"), MESSAGE(2, SPAN), ITEMS},
    {NAME("schemaUrl"), ALSO("schema_url"), STRING(3)},
};
static const struct sw_json_field span[] = {
    {NAME("traceId"), ALSO("trace_id"), TRACE_ID(1)},
    {NAME("spanId"), ALSO("span_id"), SPAN_ID(2)},
    {NAME("traceState"), ALSO("trace_state"), STRING(3)},
    {NAME("parentSpanId"), ALSO("parent_span_id"), SPAN_ID(4)},
    {NAME("flags"), FIXED32(16)},
    {NAME("name"), STRING(5)},
    {NAME("kind"), ENUM(6, SPAN_KIND)},
    {NAME("startTimeUnixNano"), ALSO("start_time_unix_nano"), FIXED64(7)},
    {NAME("endTimeUnixNano"), ALSO("end_time_unix_nano"), FIXED64(8)},
    {NAME("attributes"), MESSAGE(9, KEY_VALUE), REPEATED},
    {NAME("droppedAttributesCount"), ALSO("dropped_attributes_count"), UINT32(10)},
    {NAME("events"), MESSAGE(11, EVENT), REPEATED},
    {NAME("droppedEventsCount"), ALSO("dropped_events_count"), UINT32(12)},
    {NAME("links"), MESSAGE(13, LINK), REPEATED},
    {NAME("droppedLinksCount"), ALSO("dropped_links_count"), UINT32(14)},
    {NAME("status"), MESSAGE(15, STATUS), MANDATORY},
};
static const struct sw_json_field event[] = {
    {NAME("timeUnixNano"), ALSO("time_unix_nano"), FIXED64(1)},
    {NAME("name"), STRING(2)},
    {NAME("attributes"), MESSAGE(3, KEY_VALUE), REPEATED},
    {NAME("droppedAttributesCount"), ALSO("dropped_attributes_count"), UINT32(4)},
};
static const struct sw_json_field link[] = {
    {NAME("traceId"), ALSO("trace_id"), TRACE_ID(1)},
    {NAME("spanId"), ALSO("span_id"), SPAN_ID(2)},
    {NAME("traceState"), ALSO("trace_state"), STRING(3)},
    {NAME("attributes"), MESSAGE(4, KEY_VALUE), REPEATED},
    {NAME("droppedAttributesCount"), ALSO("dropped_attributes_count"), UINT32(5)},
    {NAME("flags"), FIXED32(6)},
};
static const struct sw_json_field status[] = {
    {NAME("message"), STRING(2)},
    {NAME("code"), ENUM(3, STATUS_CODE)},
};

/* ---- metrics ---- */

static const struct sw_json_field metrics_request[] = {
    {NAME("resourceMetrics"), ALSO("resource_metrics"), MESSAGE(1, RESOURCE_METRICS), REPEATED},
};
static const struct sw_json_field resource_metrics[] = {
    {NAME("resource"), MESSAGE(1, RESOURCE), MANDATORY},
    {NAME("scopeMetrics"), ALSO("scope_metrics"), MESSAGE(2, SCOPE_METRICS), REPEATED},
    {NAME("schemaUrl"), ALSO("schema_url"), STRING(3)},
    {NAME("deprecatedScopeMetrics"), ALSO("deprecated_scope_metrics"), MESSAGE(1000, OLD_SCOPE_METRICS), REPEATED},
};
static const struct sw_json_field scope_metrics[] = {
    {NAME("scope"), MESSAGE(1, SCOPE), MANDATORY},
    {NAME("metrics"), MESSAGE(2, METRIC), REPEATED},
    {NAME("schemaUrl"), ALSO("schema_url"), STRING(3)},
};
static const struct sw_json_field metric[] = {
    {NAME("name"), STRING(1)},
    {NAME("description"), STRING(2)},
    {NAME("unit"), STRING(3)},
    {NAME("gauge"), MESSAGE(5, GAUGE), ONEOF},
    {NAME("sum"), MESSAGE(7, SUM), ONEOF},
    {NAME("histogram"), MESSAGE(9, HISTOGRAM), ONEOF},
    {NAME("exponentialHistogram"), ALSO("exponential_histogram"), MESSAGE(10, EXPONENTIAL_HISTOGRAM), ONEOF},
    {NAME("summary"), MESSAGE(11, SUMMARY), ONEOF},
    {NAME("metadata"), MESSAGE(12, KEY_VALUE), REPEATED},
};
static const struct sw_json_field gauge[] = {
    {NAME("dataPoints"), ALSO("data_points"), MESSAGE(1, NUMBER_POINT), ITEMS},
};
static const struct sw_json_field sum[] = {
    {NAME("dataPoints"), ALSO("data_points"), MESSAGE(1, NUMBER_POINT), ITEMS},
    {NAME("aggregationTemporality"), ALSO("aggregation_temporality"), ENUM(2, TEMPORALITY)},
    {NAME("isMonotonic"), ALSO("is_monotonic"), BOOL(3)},
};
static const struct sw_json_field histogram[] = {
    {NAME("dataPoints"), ALSO("data_points"), MESSAGE(1, HISTOGRAM_POINT), ITEMS},
    {NAME("aggregationTemporality"), ALSO("aggregation_temporality"), ENUM(2, TEMPORALITY)},
};
static const struct sw_json_field exponential_histogram[] = {
    {NAME("dataPoints"), ALSO("data_points"), MESSAGE(1, EXPONENTIAL_POINT), ITEMS},
    {NAME("aggregationTemporality"), ALSO("aggregation_temporality"), ENUM(2, TEMPORALITY)},
};
static const struct sw_json_field summary[] = {
    {NAME("dataPoints"), ALSO("data_points"), MESSAGE(1, SUMMARY_POINT), ITEMS},
};
static const struct sw_json_field number_point[] = {
    {NAME("attributes"), MESSAGE(7, KEY_VALUE), REPEATED},
    {NAME("startTimeUnixNano"), ALSO("start_time_unix_nano"), FIXED64(2)},
    {NAME("timeUnixNano"), ALSO("time_unix_nano"), FIXED64(3)},
    {NAME("asDouble"), ALSO("as_double"), DOUBLE(4), ONEOF},
    {NAME("asInt"), ALSO("as_int"), SFIXED64(6), ONEOF},
    {NAME("exemplars"), MESSAGE(5, EXEMPLAR), REPEATED},
    {NAME("flags"), UINT32(8)},
};
static const struct sw_json_field histogram_point[] = {
    {NAME("attributes"), MESSAGE(9, KEY_VALUE), REPEATED},
    {NAME("startTimeUnixNano"), ALSO("start_time_unix_nano"), FIXED64(2)},
    {NAME("timeUnixNano"), ALSO("time_unix_nano"), FIXED64(3)},
    {NAME("count"), FIXED64(4)},
    {NAME("sum"), DOUBLE(5), PRESENCE},
    {NAME("bucketCounts"), ALSO("bucket_counts"), PACKED(6, FIXED64)},
    {NAME("explicitBounds"), ALSO("explicit_bounds"), PACKED(7, DOUBLE)},
    {NAME("exemplars"), MESSAGE(8, EXEMPLAR), REPEATED},
    {NAME("flags"), UINT32(10)},
    {NAME("min"), DOUBLE(11), PRESENCE},
    {NAME("max"), DOUBLE(12), PRESENCE},
};
static const struct sw_json_field exponential_point[] = {
    {NAME("attributes"), MESSAGE(1, KEY_VALUE), REPEATED},
    {NAME("startTimeUnixNano"), ALSO("start_time_unix_nano"), FIXED64(2)},
    {NAME("timeUnixNano"), ALSO("time_unix_nano"), FIXED64(3)},
    {NAME("count"), FIXED64(4)},
    {NAME("sum"), DOUBLE(5), PRESENCE},
    {NAME("scale"), SINT32(6)},
    {NAME("zeroCount"), ALSO("zero_count"), FIXED64(7)},
    {NAME("positive"), MESSAGE(8, BUCKETS), MANDATORY},
    {NAME("negative"), MESSAGE(9, BUCKETS), MANDATORY},
    {NAME("flags"), UINT32(10)},
    {NAME("exemplars"), MESSAGE(11, EXEMPLAR), REPEATED},
    {NAME("min"), DOUBLE(12), PRESENCE},
    {NAME("max"), DOUBLE(13), PRESENCE},
    {NAME("zeroThreshold"), ALSO("zero_threshold"), DOUBLE(14)},
};
static const struct sw_json_field buckets[] = {
    {NAME("offset"), SINT32(1)},
    {NAME("bucketCounts"), ALSO("bucket_counts"), PACKED(2, UINT64)},
};
static const struct sw_json_field summary_point[] = {
    {NAME("attributes"), MESSAGE(7, KEY_VALUE), REPEATED},
    {NAME("startTimeUnixNano"), ALSO("start_time_unix_nano"), FIXED64(2)},
    {NAME("timeUnixNano"), ALSO("time_unix_nano"), FIXED64(3)},
    {NAME("count"), FIXED64(4)},
    {NAME("sum"), DOUBLE(5)},
    {NAME("quantileValues"), ALSO("quantile_values"), MESSAGE(6, QUANTILE), REPEATED},
    {NAME("flags"), UINT32(8)},
};
static const struct sw_json_field quantile[] = {
    {NAME("quantile"), DOUBLE(1)},
    {NAME("value"), DOUBLE(2)},
};
static const struct sw_json_field exemplar[] = {
    {NAME("filteredAttributes"), ALSO("filtered_attributes"), MESSAGE(7, KEY_VALUE), REPEATED},
    {NAME("timeUnixNano"), ALSO("time_unix_nano"), FIXED64(2)},
    {NAME("asDouble"), ALSO("as_double"), DOUBLE(3), ONEOF},
    {NAME("asInt"), ALSO("as_int"), SFIXED64(6), ONEOF},
    {NAME("traceId"), ALSO("trace_id"), TRACE_ID(5)},
    {NAME("spanId"), ALSO("span_id"), SPAN_ID(4)},
};

/* ---- logs ---- */

static const struct sw_json_field logs_request[] = {
    {NAME("resourceLogs"), ALSO("resource_logs"), MESSAGE(1, RESOURCE_LOGS), REPEATED},
};
static const struct sw_json_field resource_logs[] = {
    {NAME("resource"), MESSAGE(1, RESOURCE), MANDATORY},
    {NAME("scopeLogs"), ALSO("scope_logs"), MESSAGE(2, SCOPE_LOGS), REPEATED},
    {NAME("schemaUrl"), ALSO("schema_url"), STRING(3)},
    {NAME("deprecatedScopeLogs"), ALSO("deprecated_scope_logs"), MESSAGE(1000, OLD_SCOPE_LOGS), REPEATED},
};
static const struct sw_json_field scope_logs[] = {
    {NAME("scope"), MESSAGE(1, SCOPE), MANDATORY},
    {NAME("logRecords"), ALSO("log_records"), MESSAGE(2, LOG_RECORD), ITEMS},
    {NAME("schemaUrl"), ALSO("schema_url"), STRING(3)},
};
static const struct sw_json_field log_record[] = {
    {NAME("timeUnixNano"), ALSO("time_unix_nano"), FIXED64(1)},
    {NAME("observedTimeUnixNano"), ALSO("observed_time_unix_nano"), FIXED64(11)},
    {NAME("severityNumber"), ALSO("severity_number"), ENUM(2, SEVERITY)},
    {NAME("severityText"), ALSO("severity_text"), STRING(3)},
    {NAME("body"), MESSAGE(5, ANY_VALUE), MANDATORY},
    {NAME("attributes"), MESSAGE(6, KEY_VALUE), REPEATED},
    {NAME("droppedAttributesCount"), ALSO("dropped_attributes_count"), UINT32(7)},
    {NAME("flags"), FIXED32(8)},
    {NAME("traceId"), ALSO("trace_id"), TRACE_ID(9)},
    {NAME("spanId"), ALSO("span_id"), SPAN_ID(10)},
    {NAME("eventName"), ALSO("event_name"), STRING(12)},
};

/* ---- enums, by value ---- */

static const char *const span_kinds[] = {
    "SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT", "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER",
};
static const char *const status_codes[] = {
    "STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR",
};
static const char *const temporalities[] = {
    "AGGREGATION_TEMPORALITY_UNSPECIFIED",
    "AGGREGATION_TEMPORALITY_DELTA",
    "AGGREGATION_TEMPORALITY_CUMULATIVE",
};
static const char *const severities[] = {
    "SEVERITY_NUMBER_UNSPECIFIED",
    "SEVERITY_NUMBER_TRACE", "SEVERITY_NUMBER_TRACE2", "SEVERITY_NUMBER_TRACE3", "SEVERITY_NUMBER_TRACE4",
    "SEVERITY_NUMBER_DEBUG", "SEVERITY_NUMBER_DEBUG2", "SEVERITY_NUMBER_DEBUG3", "SEVERITY_NUMBER_DEBUG4",
    "SEVERITY_NUMBER_INFO", "SEVERITY_NUMBER_INFO2", "SEVERITY_NUMBER_INFO3", "SEVERITY_NUMBER_INFO4",
    "SEVERITY_NUMBER_WARN", "SEVERITY_NUMBER_WARN2", "SEVERITY_NUMBER_WARN3", "SEVERITY_NUMBER_WARN4",
    "SEVERITY_NUMBER_ERROR", "SEVERITY_NUMBER_ERROR2", "SEVERITY_NUMBER_ERROR3", "SEVERITY_NUMBER_ERROR4",
    "SEVERITY_NUMBER_FATAL", "SEVERITY_NUMBER_FATAL2", "SEVERITY_NUMBER_FATAL3", "SEVERITY_NUMBER_FATAL4",
};

const struct sw_json_enum sw_json_enums[SW_JSON_ENUMS_COUNT] = {
    [SW_JSON_SPAN_KIND] = {span_kinds, SW_ARRAY_SIZE(span_kinds)},
    [SW_JSON_STATUS_CODE] = {status_codes, SW_ARRAY_SIZE(status_codes)},
    [SW_JSON_TEMPORALITY] = {temporalities, SW_ARRAY_SIZE(temporalities)},
    [SW_JSON_SEVERITY] = {severities, SW_ARRAY_SIZE(severities)},
};

#define TABLE(array) {(array), SW_ARRAY_SIZE(array)}

const struct sw_json_message sw_json_messages[SW_JSON_MESSAGES_COUNT] = {
    [SW_JSON_ANY_VALUE]               = TABLE(any_value),
    [SW_JSON_ARRAY_VALUE]             = TABLE(array_value),
    [SW_JSON_KEY_VALUE_LIST]          = TABLE(key_value_list),
    [SW_JSON_KEY_VALUE]               = TABLE(key_value),
    [SW_JSON_SCOPE]                   = TABLE(scope),
    [SW_JSON_ENTITY_REF]              = TABLE(entity_ref),
    [SW_JSON_RESOURCE]                = TABLE(resource),
    [SW_JSON_TRACES_REQUEST]          = TABLE(traces_request),
    [SW_JSON_RESOURCE_SPANS]          = TABLE(resource_spans),
    [SW_JSON_SCOPE_SPANS]             = TABLE(scope_spans),
    [SW_JSON_OLD_SCOPE_SPANS]         = TABLE(scope_spans),
    [SW_JSON_SPAN]                    = TABLE(span),
    [SW_JSON_EVENT]                   = TABLE(event),
    [SW_JSON_LINK]                    = TABLE(link),
    [SW_JSON_STATUS]                  = TABLE(status),
    [SW_JSON_METRICS_REQUEST]         = TABLE(metrics_request),
    [SW_JSON_RESOURCE_METRICS]        = TABLE(resource_metrics),
    [SW_JSON_SCOPE_METRICS]           = TABLE(scope_metrics),
    [SW_JSON_OLD_SCOPE_METRICS]       = TABLE(scope_metrics),
    [SW_JSON_METRIC]                  = TABLE(metric),
    [SW_JSON_GAUGE]                   = TABLE(gauge),
    [SW_JSON_SUM]                     = TABLE(sum),
    [SW_JSON_HISTOGRAM]               = TABLE(histogram),
    [SW_JSON_EXPONENTIAL_HISTOGRAM]   = TABLE(exponential_histogram),
    [SW_JSON_SUMMARY]                 = TABLE(summary),
    [SW_JSON_NUMBER_POINT]            = TABLE(number_point),
    [SW_JSON_HISTOGRAM_POINT]         = TABLE(histogram_point),
    [SW_JSON_EXPONENTIAL_POINT]       = TABLE(exponential_point),
    [SW_JSON_BUCKETS]                 = TABLE(buckets),
    [SW_JSON_SUMMARY_POINT]           = TABLE(summary_point),
    [SW_JSON_QUANTILE]                = TABLE(quantile),
    [SW_JSON_EXEMPLAR]                = TABLE(exemplar),
    [SW_JSON_LOGS_REQUEST]            = TABLE(logs_request),
    [SW_JSON_RESOURCE_LOGS]           = TABLE(resource_logs),
    [SW_JSON_SCOPE_LOGS]              = TABLE(scope_logs),
    [SW_JSON_OLD_SCOPE_LOGS]          = TABLE(scope_logs),
    [SW_JSON_LOG_RECORD]              = TABLE(log_record),
};
// clang-format on
