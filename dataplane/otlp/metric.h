/* Views of one metric and one log record in validated bytes, as span.h has them for spans. Nothing is
 * copied, fields may stand in any order; on other bytes everything stays memory safe and stops at the first
 * field that cannot be read. Any thread.
 *
 * The way there is span.h's: resources, scopes, items (Metric or LogRecord). A metric's data points:
 *
 *     struct sw_metric_view metric;
 *     struct sw_otlp_iter points;
 *     struct sw_pb_field point;
 *     if (sw_metric_view_fill(&metric, item.bytes)) {
 *         sw_metric_points_init(&points, &metric);
 *         while (sw_otlp_next(&points, &point)) {
 *             sw_attribute_find(point.bytes, sw_metric_attributes_tag(metric.type), key, &value);
 */
#ifndef SW_OTLP_METRIC_H
#define SW_OTLP_METRIC_H

#include "dataplane/otlp/span.h"

enum sw_metric_kind {
    SW_METRIC_EMPTY, /**< legal: no member of the oneof is set */
    SW_METRIC_GAUGE,
    SW_METRIC_SUM,
    SW_METRIC_HISTOGRAM,
    SW_METRIC_EXPONENTIAL_HISTOGRAM,
    SW_METRIC_SUMMARY,
    SW_METRIC_TYPES_COUNT,
};

/** Data points are field 1 of Gauge, Sum and so on. */
#define SW_METRIC_TAG_POINTS   SW_PB_TAG(1, SW_PB_LEN)
#define SW_METRIC_TAG_METADATA SW_PB_TAG(12, SW_PB_LEN)

/** The type whose data a field of a Metric holds; SW_METRIC_EMPTY: it holds something else. */
static inline enum sw_metric_kind sw_metric_type_of_tag(uint32_t tag)
{
    switch (tag) {
    case SW_PB_TAG(5, SW_PB_LEN):
        return SW_METRIC_GAUGE;
    case SW_PB_TAG(7, SW_PB_LEN):
        return SW_METRIC_SUM;
    case SW_PB_TAG(9, SW_PB_LEN):
        return SW_METRIC_HISTOGRAM;
    case SW_PB_TAG(10, SW_PB_LEN):
        return SW_METRIC_EXPONENTIAL_HISTOGRAM;
    case SW_PB_TAG(11, SW_PB_LEN):
        return SW_METRIC_SUMMARY;
    default:
        return SW_METRIC_EMPTY;
    }
}

struct sw_metric_view {
    enum sw_metric_kind type;
    struct sw_bytes name;
    struct sw_bytes description;
    struct sw_bytes unit;
    /** The Gauge, Sum and so on: of several the last one, as in the Collector. */
    struct sw_pb_field data;
};

/** @param metric  the message, without tag and length
 * @return false when a field cannot be read */
bool sw_metric_view_fill(struct sw_metric_view *view, struct sw_bytes metric);

/** Over the data points; none for SW_METRIC_EMPTY. */
static inline void
sw_metric_points_init(struct sw_otlp_iter *iter, const struct sw_metric_view *view)
{
    sw_otlp_iter_init(iter, view->data.bytes, SW_METRIC_TAG_POINTS);
}

/** The field of a data point of this type that holds its attributes; not for SW_METRIC_EMPTY. */
static inline uint32_t sw_metric_attributes_tag(enum sw_metric_kind type)
{
    switch (type) {
    case SW_METRIC_HISTOGRAM:
        return SW_PB_TAG(9, SW_PB_LEN);
    case SW_METRIC_EXPONENTIAL_HISTOGRAM:
        return SW_PB_TAG(1, SW_PB_LEN);
    default:
        return SW_PB_TAG(7, SW_PB_LEN);
    }
}

/* ---- log records ---- */

struct sw_log_view {
    const uint8_t *trace_id; /**< 16 bytes; never NULL, absent is all zero */
    const uint8_t *span_id;  /**< 8 bytes; never NULL */
    uint64_t time_ns;        /**< Unix time */
    uint64_t observed_ns;
    struct sw_bytes severity_text;
    struct sw_bytes event_name;
    struct sw_bytes body;    /**< an AnyValue's message; several are joined by sw_pb_gather */
    uint32_t body_fragments; /**< 0: absent; 1: body is all */
    int32_t severity;        /**< open enum */
    uint32_t flags;
};

#define SW_LOG_TAG_BODY SW_PB_TAG(5, SW_PB_LEN)

/** @param record  the message, without tag and length
 * @return false when a field cannot be read or an ID has a wrong length */
bool sw_log_view_fill(struct sw_log_view *view, struct sw_bytes record);

#endif
