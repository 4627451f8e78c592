/* Validation inside: messages as tables, and the walk that holds bytes against them.
 *
 * The tables are the whole truth: `sw_otlp_check_field` alone validates any message exactly. In front
 * of it stand walkers for the messages that every request is full of, which recognise the usual bytes at a
 * glance and hand everything else to the table. */
#ifndef SW_OTLP_VALIDATE_INTERNAL_H
#define SW_OTLP_VALIDATE_INTERNAL_H

#include "dataplane/otlp/protobuf.h"
#include "dataplane/otlp/validate.h"

enum sw_otlp_kind {
    SW_OTLP_UNKNOWN, // no such field: any wire type but groups
    SW_OTLP_VARINT,
    SW_OTLP_I64,
    SW_OTLP_I32,
    SW_OTLP_BYTES,         // strings too: nobody checks UTF-8
    SW_OTLP_TRACE_ID,      // 0 or 16 bytes
    SW_OTLP_SPAN_ID,       // 0 or 8 bytes
    SW_OTLP_PACKED_I64,    // a list: packed, or one element
    SW_OTLP_PACKED_VARINT, // likewise
    SW_OTLP_MESSAGE,
};

enum sw_otlp_message {
    SW_OTLP_ANY_VALUE,
    SW_OTLP_ARRAY_VALUE,
    SW_OTLP_KEY_VALUE_LIST,
    SW_OTLP_KEY_VALUE,
    SW_OTLP_SCOPE,
    SW_OTLP_ENTITY_REF,
    SW_OTLP_RESOURCE,
    SW_OTLP_TRACES_REQUEST,
    SW_OTLP_RESOURCE_SPANS,
    SW_OTLP_SCOPE_SPANS,
    SW_OTLP_OLD_SCOPE_SPANS, // the same, under field 1000
    SW_OTLP_SPAN,
    SW_OTLP_EVENT,
    SW_OTLP_LINK,
    SW_OTLP_STATUS,
    SW_OTLP_METRICS_REQUEST,
    SW_OTLP_RESOURCE_METRICS,
    SW_OTLP_SCOPE_METRICS,
    SW_OTLP_OLD_SCOPE_METRICS,
    SW_OTLP_METRIC,
    SW_OTLP_GAUGE,
    SW_OTLP_SUM,
    SW_OTLP_HISTOGRAM,
    SW_OTLP_EXPONENTIAL_HISTOGRAM,
    SW_OTLP_SUMMARY,
    SW_OTLP_NUMBER_POINT,
    SW_OTLP_HISTOGRAM_POINT,
    SW_OTLP_EXPONENTIAL_POINT,
    SW_OTLP_BUCKETS,
    SW_OTLP_SUMMARY_POINT,
    SW_OTLP_QUANTILE,
    SW_OTLP_EXEMPLAR,
    SW_OTLP_LOGS_REQUEST,
    SW_OTLP_RESOURCE_LOGS,
    SW_OTLP_SCOPE_LOGS,
    SW_OTLP_OLD_SCOPE_LOGS,
    SW_OTLP_LOG_RECORD,
    SW_OTLP_MESSAGES_COUNT,
};

struct sw_otlp_field {
    uint8_t kind;
    uint8_t message;  // of SW_OTLP_MESSAGE
    const char *name; // as the Collector's error texts have it
};

/* Field N of a message is fields[N]; one field may stand far away from the others. */
struct sw_otlp_message_table {
    const struct sw_otlp_field *fields;
    uint32_t fields_count;
    uint32_t far_number;
    struct sw_otlp_field far;
};

extern const struct sw_otlp_message_table sw_otlp_messages[SW_OTLP_MESSAGES_COUNT];

struct sw_otlp_walk {
    const uint8_t *begin;
    struct sw_otlp_fault *fault; // NULL: nobody wants to know
    enum sw_otlp_message request;
    uint32_t depth;        // messages around the place where the walk is
    uint32_t items_count;  // spans, data points, log records
    uint32_t metric_begin; // items before the metric the walk is in
    uint32_t resources_count;
    uint32_t scopes_count;     // of the ResourceSpans (or its like) the walk is in
    uint32_t old_items_count;  // of its field 1000
    uint32_t old_scopes_count; // in the whole request
};

/* Checks one field that the walkers did not recognise. @return behind it, NULL when it is at fault */
const uint8_t *sw_otlp_check_field(
    struct sw_otlp_walk *walk,
    enum sw_otlp_message message,
    const uint8_t *at,
    const uint8_t *end
);

/* Checks the content of a message, by its walker where it has one. False: at fault. */
bool sw_otlp_check_message(
    struct sw_otlp_walk *walk,
    enum sw_otlp_message message,
    const uint8_t *at,
    const uint8_t *end
);

/* The walkers: content of a message, its depth already counted. */
typedef bool sw_otlp_walker(struct sw_otlp_walk *walk, const uint8_t *at, const uint8_t *end);
sw_otlp_walker sw_otlp_walk_resource;
sw_otlp_walker sw_otlp_walk_scope_spans;
sw_otlp_walker sw_otlp_walk_span;
sw_otlp_walker sw_otlp_walk_scope_metrics;
sw_otlp_walker sw_otlp_walk_metric;
sw_otlp_walker sw_otlp_walk_scope_logs;
sw_otlp_walker sw_otlp_walk_log_record;

/* ResourceSpans and its likes. */
bool sw_otlp_walk_resource_items(
    struct sw_otlp_walk *walk,
    enum sw_otlp_message message,
    const uint8_t *at,
    const uint8_t *end
);

/* Field 1000, whose scopes `walker` walks. */
bool sw_otlp_walk_old_scope(
    struct sw_otlp_walk *walk,
    sw_otlp_walker *walker,
    const uint8_t *at,
    const uint8_t *end
);

/* A data point of this kind. */
bool sw_otlp_walk_point(
    struct sw_otlp_walk *walk,
    enum sw_otlp_message message,
    const uint8_t *at,
    const uint8_t *end
);

/* Any message that has no walker of its own: its fields as the table has them. */
bool sw_otlp_walk_fields(
    struct sw_otlp_walk *walk,
    enum sw_otlp_message message,
    const uint8_t *at,
    const uint8_t *end
);

/* Gauge and its likes. */
bool sw_otlp_walk_points(
    struct sw_otlp_walk *walk,
    enum sw_otlp_message message,
    const uint8_t *at,
    const uint8_t *end
);

/* ---- the usual bytes ---- */

/* Whether these are the whole content of an AnyValue in its usual form: one member, one-byte length.
 * False says nothing. */
static inline bool sw_otlp_usual_value(const uint8_t *at, size_t size)
{
    if (size < 2) {
        return size == 0;
    }
    if (SW_LIKELY(at[0] == 0x0a)) { // string
        return at[1] == size - 2;
    }
    if (at[0] == 0x18) { // integer
        size_t last = 1;
        while (last < size - 1 && at[last] >= 0x80) {
            last++;
        }
        return last == size - 1 && at[last] < 0x80 && size <= 1 + SW_PB_VARINT_MAX;
    }
    if (at[0] == 0x10) { // bool
        return size == 2 && at[1] < 0x80;
    }
    return at[0] == 0x21 && size == 9; // double
}

/* Whether these are the whole content of a KeyValue in its usual form: key and value, one of each, in
 * either order, one-byte lengths. False says nothing. size < 128. */
static inline bool sw_otlp_usual_key_value(const uint8_t *at, size_t size)
{
    if (size < 4) {
        return false;
    }
    // first: tag, size, content; second: tag, size, content to the end.
    size_t first = at[1];
    if (first + 4 > size) {
        return false;
    }
    size_t second = size - 4 - first;
    const uint8_t *other = at + 2 + first;
    if (other[1] != second) {
        return false;
    }
    if (at[0] == 0x0a && other[0] == 0x12) {
        return sw_otlp_usual_value(other + 2, second);
    }
    if (at[0] == 0x12 && other[0] == 0x0a) {
        return sw_otlp_usual_value(at + 2, first);
    }
    return false;
}

/* Passes over a field with a one-byte tag whose content nobody looks into and whose length has one or
 * two bytes. @return at itself when it is something else */
static inline const uint8_t *sw_otlp_usual_bytes(const uint8_t *at, const uint8_t *end)
{
    size_t left = (size_t)(end - at);
    if (left >= 2 && at[1] < 0x80 && at[1] <= left - 2) {
        return at + 2 + at[1];
    }
    if (left >= 3 && at[2] < 0x80) {
        size_t size = (size_t)(at[1] & 0x7f) | (size_t)at[2] << 7;
        if (at[1] >= 0x80 && size <= left - 3) {
            return at + 3 + size;
        }
    }
    return at;
}

/* The length of a message behind its one-byte tag. @return where its content begins, NULL when the table
 * has to look */
static inline const uint8_t *
sw_otlp_usual_message(const uint8_t *at, const uint8_t *end, const uint8_t **ret_end)
{
    const uint8_t *behind = sw_otlp_usual_bytes(at, end);
    *ret_end = behind;
    return behind == at ? NULL : at + (at[1] < 0x80 ? 2 : 3);
}

/* Whether these are the whole content of an AnyValue: one member; strings and bytes of up to 16 KiB. False
 * says nothing. */
static inline bool sw_otlp_usual_any(const uint8_t *at, const uint8_t *end)
{
    if (end - at >= 2 && (at[0] == 0x0a || at[0] == 0x3a)) { // string, bytes
        return sw_otlp_usual_bytes(at, end) == end;
    }
    return end - at < 0x80 && sw_otlp_usual_value(at, (size_t)(end - at));
}

/* As sw_otlp_usual_key_value, for a string or bytes that make it longer. */
bool sw_otlp_long_key_value(const uint8_t *at, const uint8_t *end);

/* Passes over fields of this one-byte tag that are usual key-values. Stops at whatever is not. */
static inline const uint8_t *
sw_otlp_usual_key_values(const uint8_t *at, const uint8_t *end, uint8_t tag)
{
    while (end - at >= 2 && at[0] == tag) {
        size_t size = at[1];
        const uint8_t *content = at + 2;
        if (SW_LIKELY(size < 0x80)) {
            if (size > (size_t)(end - content) || !sw_otlp_usual_key_value(content, size)) {
                break;
            }
        } else {
            const uint8_t *behind = NULL;
            content = sw_otlp_usual_message(at, end, &behind);
            if (content == NULL || !sw_otlp_long_key_value(content, behind)) {
                break;
            }
            size = (size_t)(behind - content);
        }
        at = content + size;
    }
    return at;
}

/* The content of a message that holds little but messages of one kind, in a field of a one-byte tag. */
static inline __attribute__((always_inline)) bool sw_otlp_walk_children(
    struct sw_otlp_walk *walk,
    enum sw_otlp_message message,
    uint8_t child_tag,
    sw_otlp_walker *child_walker,
    const uint8_t *at,
    const uint8_t *end
)
{
    while (at < end) {
        const uint8_t *child_end = at;
        const uint8_t *child = NULL;
        if (SW_LIKELY(at[0] == child_tag)) {
            child = sw_otlp_usual_message(at, end, &child_end);
        }
        if (SW_LIKELY(child != NULL)) {
            walk->depth++;
            if (!child_walker(walk, child, child_end)) {
                return false;
            }
            walk->depth--;
            at = child_end;
        } else {
            at = sw_otlp_check_field(walk, message, at, end);
            if (at == NULL) {
                return false;
            }
        }
    }
    return true;
}

#endif
