/* Holds everything dataplane/otlp says about a request against the reference validator
 * (otlp_reference.h) and against what protobuf-c reads in it. Any disagreement aborts. */
#ifndef SW_TESTS_LIB_OTLP_COMPARE_H
#define SW_TESTS_LIB_OTLP_COMPARE_H

#include "dataplane/otlp/attribute.h"
#include "dataplane/otlp/metric.h"
#include "dataplane/otlp/validate.h"
#include "tests/lib/otlp_reference.h"

#include <stdio.h>
#include <stdlib.h>

#include "otlp.pb-c.h"

#define AGREE(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "%s:%d: they disagree: %s\n", __FILE__, __LINE__, #cond);              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static inline bool same_bytes(struct sw_bytes bytes, ProtobufCBinaryData other)
{
    return sw_bytes_equal(bytes, (struct sw_bytes){other.data, other.len});
}

static inline void same_id(const uint8_t *id, size_t size, ProtobufCBinaryData other)
{
    static const uint8_t zero[16];
    AGREE(memcmp(id, other.len == 0 ? zero : other.data, size) == 0);
}

static inline void same_value(const struct sw_any *value, const Oracle__AnyValue *other)
{
    if (other == NULL) {
        AGREE(value->type == SW_ANY_EMPTY);
        return;
    }
    switch (other->value_case) {
    case ORACLE__ANY_VALUE__VALUE_STRING_VALUE:
        AGREE(value->type == SW_ANY_STRING && same_bytes(value->bytes, other->string_value));
        break;
    case ORACLE__ANY_VALUE__VALUE_BOOL_VALUE:
        AGREE(value->type == SW_ANY_BOOL && value->boolean == !!other->bool_value);
        break;
    case ORACLE__ANY_VALUE__VALUE_INT_VALUE:
        AGREE(value->type == SW_ANY_INT && value->integer == other->int_value);
        break;
    case ORACLE__ANY_VALUE__VALUE_DOUBLE_VALUE:
        AGREE(value->type == SW_ANY_DOUBLE);
        AGREE(memcmp(&value->number, &other->double_value, 8) == 0);
        break;
    case ORACLE__ANY_VALUE__VALUE_ARRAY_VALUE:
        AGREE(value->type == SW_ANY_ARRAY);
        break;
    case ORACLE__ANY_VALUE__VALUE_KVLIST_VALUE:
        AGREE(value->type == SW_ANY_MAP);
        break;
    case ORACLE__ANY_VALUE__VALUE_BYTES_VALUE:
        AGREE(value->type == SW_ANY_BYTES && same_bytes(value->bytes, other->bytes_value));
        break;
    case ORACLE__ANY_VALUE__VALUE_STRING_VALUE_STRINDEX:
        AGREE(value->type == SW_ANY_STRING_INDEX);
        AGREE(value->integer == other->string_value_strindex);
        break;
    default:
        AGREE(value->type == SW_ANY_EMPTY);
        break;
    }
}

static inline void same_attributes(
    struct sw_bytes message,
    uint32_t tag,
    Oracle__KeyValue *const *others,
    size_t others_count
)
{
    struct sw_attribute_iter iter;
    struct sw_attribute attribute;
    size_t count = 0;
    sw_attribute_iter_init(&iter, message, tag);
    while (sw_attribute_next(&iter, &attribute)) {
        AGREE(count < others_count);
        AGREE(same_bytes(attribute.key, others[count]->key));
        same_value(&attribute.value, others[count]->value);
        AGREE(attribute.whole.size > 0);
        size_t first = 0;
        while (!same_bytes(attribute.key, others[first]->key)) {
            first++;
        }
        struct sw_any found;
        AGREE(sw_attribute_find(message, tag, attribute.key, &found));
        same_value(&found, others[first]->value);
        count++;
    }
    AGREE(count == others_count);
}

static inline void same_span(struct sw_bytes bytes, const Oracle__Span *other)
{
    static const uint8_t zero[8];
    struct sw_span_view view;
    AGREE(sw_span_view_fill(&view, bytes));
    same_id(view.trace_id, 16, other->trace_id);
    same_id(view.span_id, 8, other->span_id);
    same_id(view.parent_span_id, 8, other->parent_span_id);
    AGREE(memcmp(sw_span_trace_id(bytes), view.trace_id, 16) == 0);
    AGREE(view.is_root == (memcmp(view.parent_span_id, zero, 8) == 0));
    AGREE(view.start_ns == other->start_time_unix_nano);
    AGREE(view.end_ns == other->end_time_unix_nano);
    AGREE(view.kind == other->kind);
    AGREE(view.flags == other->flags);
    AGREE(same_bytes(view.name, other->name));
    AGREE(same_bytes(view.trace_state, other->trace_state));
    if (other->status != NULL) {
        AGREE(view.status_code == other->status->code);
        AGREE(same_bytes(view.status_message, other->status->message));
    } else {
        AGREE(view.status_code == 0 && view.status_message.size == 0);
    }
    same_attributes(bytes, SW_SPAN_ATTRIBUTES, other->attributes, other->n_attributes);
}

/* The head message of an envelope, joined if need be; free data afterwards. */
static inline struct sw_bytes
joined_head(const struct sw_envelope *envelope, struct sw_bytes content)
{
    uint8_t *data = malloc(content.size + 1);
    size_t size = sw_pb_gather(content, SW_OTLP_TAG_RESOURCE, data);
    AGREE(size == sw_pb_gather(content, SW_OTLP_TAG_RESOURCE, NULL));
    if (envelope->head_fragments == 1) {
        AGREE(sw_bytes_equal(envelope->head, (struct sw_bytes){data, size}));
    }
    return (struct sw_bytes){data, size};
}

static inline void same_log(struct sw_bytes bytes, const Oracle__LogRecord *other)
{
    struct sw_log_view view;
    struct sw_any value = {.type = SW_ANY_EMPTY};
    AGREE(sw_log_view_fill(&view, bytes));
    same_id(view.trace_id, 16, other->trace_id);
    same_id(view.span_id, 8, other->span_id);
    AGREE(view.time_ns == other->time_unix_nano);
    AGREE(view.observed_ns == other->observed_time_unix_nano);
    AGREE(view.severity == other->severity_number);
    AGREE(view.flags == other->flags);
    AGREE(same_bytes(view.severity_text, other->severity_text));
    AGREE(same_bytes(view.event_name, other->event_name));
    AGREE((view.body_fragments > 0) == (other->body != NULL));
    uint8_t *body = malloc(bytes.size + 1);
    size_t size = sw_pb_gather(bytes, SW_LOG_TAG_BODY, body);
    AGREE(sw_any_read((struct sw_bytes){body, size}, &value));
    same_value(&value, other->body);
    AGREE(view.body_fragments != 1 || sw_bytes_equal(view.body, (struct sw_bytes){body, size}));
    free(body);
    same_attributes(bytes, SW_LOG_ATTRIBUTES, other->attributes, other->n_attributes);
}

/* The attributes of a data point of any kind. */
static inline void same_point(enum sw_metric_kind type, struct sw_bytes bytes, const void *other)
{
    const Oracle__NumberPoint *number = other;
    const Oracle__HistogramPoint *histogram = other;
    const Oracle__ExponentialPoint *exponential = other;
    const Oracle__SummaryPoint *summary = other;
    uint32_t tag = sw_metric_attributes_tag(type);
    switch (type) {
    case SW_METRIC_HISTOGRAM:
        same_attributes(bytes, tag, histogram->attributes, histogram->n_attributes);
        break;
    case SW_METRIC_EXPONENTIAL_HISTOGRAM:
        same_attributes(bytes, tag, exponential->attributes, exponential->n_attributes);
        break;
    case SW_METRIC_SUMMARY:
        same_attributes(bytes, tag, summary->attributes, summary->n_attributes);
        break;
    default:
        same_attributes(bytes, tag, number->attributes, number->n_attributes);
        break;
    }
}

/* protobuf-c's messages of the three signals as one. */
struct oracle_list {
    void *const *elements;
    size_t count;
};

static inline struct oracle_list
oracle_points(const Oracle__Metric *metric, enum sw_metric_kind *ret_type)
{
    switch (metric->data_case) {
    case ORACLE__METRIC__DATA_GAUGE:
        *ret_type = SW_METRIC_GAUGE;
        return (struct oracle_list
        ){(void *const *)metric->gauge->data_points, metric->gauge->n_data_points};
    case ORACLE__METRIC__DATA_SUM:
        *ret_type = SW_METRIC_SUM;
        return (struct oracle_list
        ){(void *const *)metric->sum->data_points, metric->sum->n_data_points};
    case ORACLE__METRIC__DATA_HISTOGRAM:
        *ret_type = SW_METRIC_HISTOGRAM;
        return (struct oracle_list
        ){(void *const *)metric->histogram->data_points, metric->histogram->n_data_points};
    case ORACLE__METRIC__DATA_EXPONENTIAL_HISTOGRAM:
        *ret_type = SW_METRIC_EXPONENTIAL_HISTOGRAM;
        return (struct oracle_list
        ){(void *const *)metric->exponential_histogram->data_points,
          metric->exponential_histogram->n_data_points};
    case ORACLE__METRIC__DATA_SUMMARY:
        *ret_type = SW_METRIC_SUMMARY;
        return (struct oracle_list
        ){(void *const *)metric->summary->data_points, metric->summary->n_data_points};
    default:
        *ret_type = SW_METRIC_EMPTY;
        return (struct oracle_list){NULL, 0};
    }
}

/* @return data points in it */
static inline size_t same_metric(struct sw_bytes bytes, const Oracle__Metric *other)
{
    struct sw_metric_view view;
    struct sw_otlp_iter iter;
    struct sw_pb_field point;
    enum sw_metric_kind type = SW_METRIC_EMPTY;
    size_t count = 0;
    struct oracle_list points = oracle_points(other, &type);
    AGREE(sw_metric_view_fill(&view, bytes));
    AGREE(view.type == type);
    AGREE(same_bytes(view.name, other->name));
    AGREE(same_bytes(view.description, other->description));
    AGREE(same_bytes(view.unit, other->unit));
    same_attributes(bytes, SW_METRIC_TAG_METADATA, other->metadata, other->n_metadata);
    sw_metric_points_init(&iter, &view);
    while (sw_otlp_next(&iter, &point)) {
        AGREE(count < points.count);
        same_point(type, point.bytes, points.elements[count++]);
    }
    AGREE(count == points.count);
    return count;
}

/* A span, metric or log record. @return items in it */
static inline size_t same_item(enum sw_signal signal, struct sw_bytes bytes, const void *other)
{
    switch (signal) {
    case SW_METRICS:
        return same_metric(bytes, other);
    case SW_LOGS:
        same_log(bytes, other);
        return 1;
    default:
        same_span(bytes, other);
        return 1;
    }
}

struct oracle_envelope {
    const Oracle__Scope *scope;
    const Oracle__Resource *resource;
    ProtobufCBinaryData schema_url;
    struct oracle_list children;
    struct oracle_list old_children;
};

static inline struct oracle_envelope oracle_scope(enum sw_signal signal, const void *scope)
{
    const Oracle__ScopeSpans *spans = scope;
    const Oracle__ScopeMetrics *metrics = scope;
    const Oracle__ScopeLogs *logs = scope;
    struct oracle_envelope envelope = {.scope = NULL};
    if (signal == SW_TRACES) {
        envelope.scope = spans->scope;
        envelope.schema_url = spans->schema_url;
        envelope.children = (struct oracle_list){(void *const *)spans->spans, spans->n_spans};
    } else if (signal == SW_METRICS) {
        envelope.scope = metrics->scope;
        envelope.schema_url = metrics->schema_url;
        envelope.children =
            (struct oracle_list){(void *const *)metrics->metrics, metrics->n_metrics};
    } else {
        envelope.scope = logs->scope;
        envelope.schema_url = logs->schema_url;
        envelope.children =
            (struct oracle_list){(void *const *)logs->log_records, logs->n_log_records};
    }
    return envelope;
}

static inline struct oracle_envelope oracle_resource(enum sw_signal signal, const void *resource)
{
    const Oracle__ResourceSpans *spans = resource;
    const Oracle__ResourceMetrics *metrics = resource;
    const Oracle__ResourceLogs *logs = resource;
    struct oracle_envelope envelope = {.scope = NULL};
    if (signal == SW_TRACES) {
        envelope.resource = spans->resource;
        envelope.schema_url = spans->schema_url;
        envelope.children =
            (struct oracle_list){(void *const *)spans->scope_spans, spans->n_scope_spans};
        envelope.old_children =
            (struct oracle_list){(void *const *)spans->old_scope_spans, spans->n_old_scope_spans};
    } else if (signal == SW_METRICS) {
        envelope.resource = metrics->resource;
        envelope.schema_url = metrics->schema_url;
        envelope.children =
            (struct oracle_list){(void *const *)metrics->scope_metrics, metrics->n_scope_metrics};
        envelope.old_children = (struct oracle_list
        ){(void *const *)metrics->old_scope_metrics, metrics->n_old_scope_metrics};
    } else {
        envelope.resource = logs->resource;
        envelope.schema_url = logs->schema_url;
        envelope.children =
            (struct oracle_list){(void *const *)logs->scope_logs, logs->n_scope_logs};
        envelope.old_children =
            (struct oracle_list){(void *const *)logs->old_scope_logs, logs->n_old_scope_logs};
    }
    return envelope;
}

static inline size_t same_scope(enum sw_signal signal, struct sw_bytes bytes, const void *other)
{
    struct oracle_envelope wanted = oracle_scope(signal, other);
    struct sw_envelope envelope = {0};
    sw_envelope_add(&envelope, bytes);
    AGREE(same_bytes(envelope.schema_url, wanted.schema_url));
    AGREE(envelope.children_count == wanted.children.count);
    AGREE((envelope.head_fragments > 0) == (wanted.scope != NULL));
    if (wanted.scope != NULL) {
        struct sw_bytes scope = joined_head(&envelope, bytes);
        same_attributes(
            scope, SW_SCOPE_ATTRIBUTES, wanted.scope->attributes, wanted.scope->n_attributes
        );
        free((void *)(uintptr_t)scope.data);
    }
    struct sw_otlp_iter iter;
    struct sw_pb_field item;
    size_t count = 0;
    size_t items = 0;
    sw_otlp_items_init(&iter, bytes);
    while (sw_otlp_next(&iter, &item)) {
        AGREE(count < wanted.children.count);
        AGREE(item.whole.data + item.whole.size == item.bytes.data + item.bytes.size);
        items += same_item(signal, item.bytes, wanted.children.elements[count++]);
    }
    AGREE(count == wanted.children.count);
    return items;
}

static inline size_t same_resource(enum sw_signal signal, struct sw_bytes bytes, const void *other)
{
    // After migration (otlp_compare): the old scopes stand where the scopes do.
    struct oracle_envelope wanted = oracle_resource(signal, other);
    struct oracle_list scopes = wanted.children.count > 0 ? wanted.children : wanted.old_children;
    struct sw_envelope envelope = {0};
    sw_envelope_add(&envelope, bytes);
    AGREE(same_bytes(envelope.schema_url, wanted.schema_url));
    AGREE(envelope.children_count == scopes.count);
    AGREE((envelope.head_fragments > 0) == (wanted.resource != NULL));
    if (wanted.resource != NULL) {
        struct sw_bytes resource = joined_head(&envelope, bytes);
        same_attributes(
            resource,
            SW_RESOURCE_ATTRIBUTES,
            wanted.resource->attributes,
            wanted.resource->n_attributes
        );
        free((void *)(uintptr_t)resource.data);
    }
    struct sw_otlp_iter iter;
    struct sw_pb_field scope;
    size_t count = 0;
    size_t items = 0;
    sw_otlp_scopes_init(&iter, bytes);
    while (sw_otlp_next(&iter, &scope)) {
        AGREE(count < scopes.count);
        items += same_scope(signal, scope.bytes, scopes.elements[count++]);
    }
    AGREE(count == scopes.count);
    return items;
}

static inline ProtobufCMessage *
oracle_unpack(enum sw_signal signal, const uint8_t *data, size_t size)
{
    static const ProtobufCMessageDescriptor *const requests[] = {
        [SW_TRACES] = &oracle__request__descriptor,
        [SW_METRICS] = &oracle__metrics_request__descriptor,
        [SW_LOGS] = &oracle__logs_request__descriptor,
    };
    return protobuf_c_message_unpack(requests[signal], NULL, size, data);
}

static inline struct oracle_list oracle_resources(enum sw_signal signal, const void *request)
{
    const Oracle__Request *traces = request;
    const Oracle__MetricsRequest *metrics = request;
    const Oracle__LogsRequest *logs = request;
    switch (signal) {
    case SW_METRICS:
        return (struct oracle_list
        ){(void *const *)metrics->resource_metrics, metrics->n_resource_metrics};
    case SW_LOGS:
        return (struct oracle_list){(void *const *)logs->resource_logs, logs->n_resource_logs};
    default:
        return (struct oracle_list
        ){(void *const *)traces->resource_spans, traces->n_resource_spans};
    }
}

static inline size_t same_request(enum sw_signal signal, struct sw_bytes bytes, const void *other)
{
    struct oracle_list resources = oracle_resources(signal, other);
    struct sw_otlp_iter iter;
    struct sw_pb_field resource;
    size_t count = 0;
    size_t items = 0;
    sw_otlp_resources_init(&iter, bytes);
    while (sw_otlp_next(&iter, &resource)) {
        AGREE(count < resources.count);
        items += same_resource(signal, resource.bytes, resources.elements[count++]);
    }
    AGREE(count == resources.count);
    return items;
}

/* Reads what stands in a span, metric or log record, whatever it is. */
static inline void walk_any_item(struct sw_bytes bytes)
{
    struct sw_span_view span;
    struct sw_metric_view metric;
    struct sw_log_view log;
    struct sw_attribute_iter attributes;
    struct sw_attribute attribute;
    struct sw_otlp_iter points;
    struct sw_pb_field point;
    AGREE(sw_span_view_fill(&span, bytes) || true);
    AGREE(sw_log_view_fill(&log, bytes) || true);
    AGREE(sw_span_trace_id(bytes) != NULL && log.trace_id != NULL && log.span_id != NULL);
    AGREE(sw_metric_view_fill(&metric, bytes) || true);
    sw_metric_points_init(&points, &metric);
    while (sw_otlp_next(&points, &point)) {
        sw_attribute_iter_init(&attributes, point.bytes, sw_metric_attributes_tag(metric.type));
        while (sw_attribute_next(&attributes, &attribute)) {
            AGREE(attribute.key.size <= point.bytes.size);
        }
    }
    sw_attribute_iter_init(&attributes, bytes, SW_SPAN_ATTRIBUTES);
    while (sw_attribute_next(&attributes, &attribute)) {
        AGREE(attribute.key.size <= bytes.size);
    }
}

/* Walks bytes that may be anything, to see that nothing reads beyond them. */
static inline void walk_anything(struct sw_bytes bytes)
{
    struct sw_otlp_iter resources, scopes, items;
    struct sw_pb_field resource, scope, item;
    sw_otlp_resources_init(&resources, bytes);
    while (sw_otlp_next(&resources, &resource)) {
        struct sw_envelope envelope = {0};
        sw_envelope_add(&envelope, resource.bytes);
        sw_otlp_scopes_init(&scopes, resource.bytes);
        while (sw_otlp_next(&scopes, &scope)) {
            sw_envelope_add(&envelope, scope.bytes);
            sw_otlp_items_init(&items, scope.bytes);
            while (sw_otlp_next(&items, &item)) {
                walk_any_item(item.bytes);
            }
        }
    }
}

/* All of it, for any bytes. @return whether they are a valid request of this signal */
static inline bool otlp_compare(enum sw_signal signal, const uint8_t *data, size_t size)
{
    static const enum ref_type requests[] = {
        [SW_TRACES] = REF_REQUEST,
        [SW_METRICS] = REF_METRICS_REQUEST,
        [SW_LOGS] = REF_LOGS_REQUEST,
    };
    struct ref_counts wanted;
    struct sw_otlp_counts counts = {.items = UINT32_MAX};
    struct sw_otlp_fault fault = {.offset = SIZE_MAX};
    bool valid = ref_validate(requests[signal], data, size, &wanted);
    int err = sw_otlp_validate(signal, data, size, &counts, &fault);
    AGREE((err == SW_OK) == valid);
    struct sw_bytes bytes = {data, size};
    if (!valid) {
        AGREE(err == SW_E_MALFORMED && counts.items == UINT32_MAX);
        AGREE(fault.offset < size && strlen(fault.text) > 0);
        walk_anything(bytes);
        return false;
    }
    AGREE(counts.resources == wanted.resources);
    AGREE(counts.items == wanted.items);
    AGREE(counts.migrate == wanted.old_scopes);
    AGREE(fault.offset == SIZE_MAX);
    uint8_t *copy = malloc(size + 1);
    if (counts.migrate) {
        memcpy(copy, data, size);
        bytes = (struct sw_bytes){copy, sw_otlp_migrate(copy, size)};
        AGREE(bytes.size < size);
        struct sw_otlp_counts after;
        AGREE(sw_otlp_validate(signal, bytes.data, bytes.size, &after, NULL) == SW_OK);
        AGREE(!after.migrate && after.items == counts.items);
        AGREE(after.resources == counts.resources);
    }
    walk_anything(bytes);
    uint8_t *plain = malloc(size + 1);
    size_t plain_size = ref_plain(requests[signal], data, size, plain);
    ProtobufCMessage *request = oracle_unpack(signal, plain, plain_size);
    AGREE(request != NULL);
    AGREE(same_request(signal, bytes, request) == counts.items);
    protobuf_c_message_free_unpacked(request, NULL);
    free(plain);
    free(copy);
    return true;
}

#endif
