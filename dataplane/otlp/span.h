/* Walking validated trace bytes: ResourceSpans, ScopeSpans, spans, and a shallow view of one span.
 *
 * Nothing is copied; all ranges point into the bytes that were given. Fields may stand in any order.
 * On bytes that did not pass sw_otlp_validate everything here stays memory safe and stops at the
 * first field that cannot be read.
 *
 *     struct sw_otlp_iter resources, scopes, spans;
 *     struct sw_pb_field resource_spans, scope_spans, span;
 *     sw_otlp_resources_init(&resources, request);
 *     while (sw_otlp_next(&resources, &resource_spans)) {
 *         sw_otlp_scopes_init(&scopes, resource_spans.bytes);
 *         while (sw_otlp_next(&scopes, &scope_spans)) {
 *             sw_otlp_items_init(&spans, scope_spans.bytes);
 *             while (sw_otlp_next(&spans, &span)) {
 *                 // span.bytes: the message; span.whole: with tag and length
 *
 * A part whose ResourceSpans lies in several pieces (batch.h, level 1) is walked from the middle: one
 * sw_otlp_scopes_init a piece, and sw_envelope_add a piece for what stands around the scopes.
 *
 * Metrics and logs have the same field numbers in these envelopes (resource 1, scopes 2, schema URL 3;
 * scope 1, items 2, schema URL 3), so all but the span view serves them as it is; views of
 * metrics and log records are in metric.h.
 */
#ifndef SW_OTLP_SPAN_H
#define SW_OTLP_SPAN_H

#include "dataplane/otlp/protobuf.h"

/** Export…ServiceRequest: ResourceSpans, ResourceMetrics, ResourceLogs. */
#define SW_OTLP_TAG_RESOURCES SW_PB_TAG(1, SW_PB_LEN)
/** ResourceSpans and its like. */
#define SW_OTLP_TAG_RESOURCE SW_PB_TAG(1, SW_PB_LEN)
#define SW_OTLP_TAG_SCOPES   SW_PB_TAG(2, SW_PB_LEN)
/** ScopeSpans and its like. */
#define SW_OTLP_TAG_SCOPE SW_PB_TAG(1, SW_PB_LEN)
#define SW_OTLP_TAG_ITEMS SW_PB_TAG(2, SW_PB_LEN)
/** Both. */
#define SW_OTLP_TAG_SCHEMA SW_PB_TAG(3, SW_PB_LEN)

/** Fields of one tag among others. */
struct sw_otlp_iter {
    struct sw_pb_reader reader;
    uint32_t tag;
};

static inline void sw_otlp_iter_init(struct sw_otlp_iter *iter, struct sw_bytes bytes, uint32_t tag)
{
    sw_pb_reader_init(&iter->reader, bytes);
    iter->tag = tag;
}

/** Over the ResourceSpans of a request, or of whole fields of one. */
static inline void sw_otlp_resources_init(struct sw_otlp_iter *iter, struct sw_bytes request)
{
    sw_otlp_iter_init(iter, request, SW_OTLP_TAG_RESOURCES);
}

/** Over the ScopeSpans of a ResourceSpans' content, or of whole fields of it. */
static inline void sw_otlp_scopes_init(struct sw_otlp_iter *iter, struct sw_bytes resource_spans)
{
    sw_otlp_iter_init(iter, resource_spans, SW_OTLP_TAG_SCOPES);
}

/** Over the spans of a ScopeSpans' content. */
static inline void sw_otlp_items_init(struct sw_otlp_iter *iter, struct sw_bytes scope_spans)
{
    sw_otlp_iter_init(iter, scope_spans, SW_OTLP_TAG_ITEMS);
}

/** @return false at the end */
static inline bool sw_otlp_next(struct sw_otlp_iter *iter, struct sw_pb_field *ret_field)
{
    while (sw_pb_next(&iter->reader, ret_field)) {
        if (SW_LIKELY(ret_field->tag == iter->tag)) {
            return true;
        }
    }
    return false;
}

/** What stands around the scopes of a ResourceSpans (resource, schema URL) or around the spans of a
 * ScopeSpans (scope, schema URL). */
struct sw_envelope {
    /** The Resource or InstrumentationScope message; its first fragment if it comes in several. */
    struct sw_bytes head;
    /** 0: absent; 1: head is all; more (legal, never seen): sw_pb_gather(bytes, SW_OTLP_TAG_RESOURCE or
     * _SCOPE, out) over each piece joins them to one message. */
    uint32_t head_fragments;
    struct sw_bytes schema_url; /**< last one wins */
    uint32_t children_count;    /**< scopes, or spans */
};

/** Adds what one piece (content, or whole fields of it) says; children are hopped over. The envelope
 * starts zeroed: `= {0}`. */
void sw_envelope_add(struct sw_envelope *envelope, struct sw_bytes piece);

#define SW_TRACE_ID_BYTES 16
#define SW_SPAN_ID_BYTES  8

/** What policies and tables want to know of a span. Absent IDs are all zero, as in the Collector;
 * singular fields: the last one wins; Status occurrences are merged. */
struct sw_span_view {
    const uint8_t *trace_id;       /**< 16 bytes; never NULL */
    const uint8_t *span_id;        /**< 8 bytes; never NULL */
    const uint8_t *parent_span_id; /**< 8 bytes; never NULL */
    uint64_t start_ns;             /**< Unix time */
    uint64_t end_ns;
    struct sw_bytes name;
    struct sw_bytes trace_state;
    struct sw_bytes status_message;
    int32_t kind;        /**< open enum: SW_SPAN_KIND_* or whatever was sent */
    int32_t status_code; /**< open enum: SW_STATUS_* */
    uint32_t flags;
    bool is_root; /**< the parent's ID is empty or all zero */
};

enum sw_span_kind {
    SW_SPAN_KIND_UNSPECIFIED,
    SW_SPAN_KIND_INTERNAL,
    SW_SPAN_KIND_SERVER,
    SW_SPAN_KIND_CLIENT,
    SW_SPAN_KIND_PRODUCER,
    SW_SPAN_KIND_CONSUMER,
};

enum sw_span_status {
    SW_SPAN_STATUS_UNSET,
    SW_SPAN_STATUS_OK,
    SW_SPAN_STATUS_ERROR,
};

/** Fills the view in one pass over the span's fields; attributes, events and links are hopped over.
 *
 * @param span  the message, without tag and length
 * @return false when a field cannot be read or an ID has a wrong length: never after validation (the view
 *     then holds what stood before)
 */
bool sw_span_view_fill(struct sw_span_view *view, struct sw_bytes span);

/** The trace ID alone, 16 bytes, for routing; never NULL. Any field order, last one wins. */
const uint8_t *sw_span_trace_id(struct sw_bytes span);

#endif
