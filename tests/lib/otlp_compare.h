/* Holds everything dataplane/otlp says about a request against the reference validator
 * (otlp_reference.h) and against what protobuf-c reads in it. Any disagreement aborts. */
#ifndef SW_TESTS_LIB_OTLP_COMPARE_H
#define SW_TESTS_LIB_OTLP_COMPARE_H

#include "dataplane/otlp/attribute.h"
#include "dataplane/otlp/span.h"
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

static inline void same_scope(struct sw_bytes bytes, const Oracle__ScopeSpans *other)
{
    struct sw_envelope envelope = {0};
    sw_envelope_add(&envelope, bytes);
    AGREE(same_bytes(envelope.schema_url, other->schema_url));
    AGREE(envelope.children_count == other->n_spans);
    AGREE((envelope.head_fragments > 0) == (other->scope != NULL));
    if (other->scope != NULL) {
        struct sw_bytes scope = joined_head(&envelope, bytes);
        same_attributes(
            scope, SW_SCOPE_ATTRIBUTES, other->scope->attributes, other->scope->n_attributes
        );
        free((void *)(uintptr_t)scope.data);
    }
    struct sw_otlp_iter spans;
    struct sw_pb_field span;
    size_t count = 0;
    sw_otlp_items_init(&spans, bytes);
    while (sw_otlp_next(&spans, &span)) {
        AGREE(count < other->n_spans);
        AGREE(span.whole.data + span.whole.size == span.bytes.data + span.bytes.size);
        same_span(span.bytes, other->spans[count++]);
    }
    AGREE(count == other->n_spans);
}

static inline void same_resource_spans(struct sw_bytes bytes, const Oracle__ResourceSpans *other)
{
    // After migration (otlp_compare): the old scopes stand where the scopes do.
    Oracle__ScopeSpans *const *scopes = other->scope_spans;
    size_t scopes_count = other->n_scope_spans;
    if (scopes_count == 0) {
        scopes = other->old_scope_spans;
        scopes_count = other->n_old_scope_spans;
    }
    struct sw_envelope envelope = {0};
    sw_envelope_add(&envelope, bytes);
    AGREE(same_bytes(envelope.schema_url, other->schema_url));
    AGREE(envelope.children_count == scopes_count);
    AGREE((envelope.head_fragments > 0) == (other->resource != NULL));
    if (other->resource != NULL) {
        struct sw_bytes resource = joined_head(&envelope, bytes);
        same_attributes(
            resource,
            SW_RESOURCE_ATTRIBUTES,
            other->resource->attributes,
            other->resource->n_attributes
        );
        free((void *)(uintptr_t)resource.data);
    }
    struct sw_otlp_iter iter;
    struct sw_pb_field scope;
    size_t count = 0;
    sw_otlp_scopes_init(&iter, bytes);
    while (sw_otlp_next(&iter, &scope)) {
        AGREE(count < scopes_count);
        same_scope(scope.bytes, scopes[count++]);
    }
    AGREE(count == scopes_count);
}

static inline void same_request(struct sw_bytes bytes, const Oracle__Request *other)
{
    struct sw_otlp_iter iter;
    struct sw_pb_field resource_spans;
    size_t count = 0;
    sw_otlp_resources_init(&iter, bytes);
    while (sw_otlp_next(&iter, &resource_spans)) {
        AGREE(count < other->n_resource_spans);
        same_resource_spans(resource_spans.bytes, other->resource_spans[count++]);
    }
    AGREE(count == other->n_resource_spans);
}

/* Walks bytes that may be anything, to see that nothing reads beyond them. @return spans met */
static inline size_t walk_anything(struct sw_bytes bytes)
{
    struct sw_otlp_iter resources, scopes, spans;
    struct sw_pb_field resource_spans, scope_spans, span;
    struct sw_span_view view;
    struct sw_attribute_iter attributes;
    struct sw_attribute attribute;
    size_t count = 0;
    sw_otlp_resources_init(&resources, bytes);
    while (sw_otlp_next(&resources, &resource_spans)) {
        struct sw_envelope envelope = {0};
        sw_envelope_add(&envelope, resource_spans.bytes);
        sw_otlp_scopes_init(&scopes, resource_spans.bytes);
        while (sw_otlp_next(&scopes, &scope_spans)) {
            sw_envelope_add(&envelope, scope_spans.bytes);
            sw_otlp_items_init(&spans, scope_spans.bytes);
            while (sw_otlp_next(&spans, &span)) {
                count += sw_span_view_fill(&view, span.bytes) || true;
                count += sw_span_trace_id(span.bytes) == NULL;
                sw_attribute_iter_init(&attributes, span.bytes, SW_SPAN_ATTRIBUTES);
                while (sw_attribute_next(&attributes, &attribute)) {
                    AGREE(attribute.key.size <= span.bytes.size);
                }
            }
        }
    }
    return count;
}

/* All of it, for any bytes. @return whether they are a valid request */
static inline bool otlp_compare(const uint8_t *data, size_t size)
{
    struct ref_counts wanted;
    struct sw_otlp_counts counts = {.spans = UINT32_MAX};
    struct sw_otlp_fault fault = {.offset = SIZE_MAX};
    bool valid = ref_validate(data, size, &wanted);
    int err = sw_otlp_traces_validate(data, size, &counts, &fault);
    AGREE((err == SW_OK) == valid);
    struct sw_bytes bytes = {data, size};
    if (!valid) {
        AGREE(err == SW_E_MALFORMED && counts.spans == UINT32_MAX);
        AGREE(fault.offset < size && strlen(fault.text) > 0);
        walk_anything(bytes);
        return false;
    }
    AGREE(counts.resource_spans == wanted.resources);
    AGREE(counts.spans == wanted.spans);
    AGREE(counts.migrate == wanted.old_scopes);
    AGREE(fault.offset == SIZE_MAX);
    uint8_t *copy = malloc(size + 1);
    if (counts.migrate) {
        memcpy(copy, data, size);
        bytes = (struct sw_bytes){copy, sw_otlp_traces_migrate(copy, size)};
        AGREE(bytes.size < size);
        struct sw_otlp_counts after;
        AGREE(sw_otlp_traces_validate(bytes.data, bytes.size, &after, NULL) == SW_OK);
        AGREE(!after.migrate && after.spans == counts.spans);
        AGREE(after.resource_spans == counts.resource_spans);
    }
    AGREE(walk_anything(bytes) == counts.spans);
    uint8_t *plain = malloc(size + 1);
    Oracle__Request *request =
        oracle__request__unpack(NULL, ref_plain(REF_REQUEST, data, size, plain), plain);
    AGREE(request != NULL);
    same_request(bytes, request);
    oracle__request__free_unpacked(request, NULL);
    free(plain);
    free(copy);
    return true;
}

#endif
