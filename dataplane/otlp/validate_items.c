// The walkers over the messages that stand around and in every data point and log record. As for spans
// (validate.c), what is usual is recognised at a glance and the rest goes to the tables; but there are many
// kinds of points, so what is usual is read off their tables too.
#include "dataplane/base/assert.h"
#include "dataplane/otlp/validate_internal.h"

// Tags of one byte, as they stand on the wire.
enum {
    TAG_SCOPE_METRICS_METRICS = 0x12,
    TAG_SCOPE_LOGS_RECORDS = 0x12,
    TAG_METRIC_GAUGE = 0x2a,
    TAG_METRIC_SUM = 0x3a,
    TAG_METRIC_HISTOGRAM = 0x4a,
    TAG_METRIC_EXPONENTIAL_HISTOGRAM = 0x52,
    TAG_METRIC_SUMMARY = 0x5a,
    TAG_DATA_POINTS = 0x0a,
};

/* A packed list of elements of eight bytes. */
static inline const uint8_t *usual_list(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *behind = at;
    const uint8_t *content = sw_otlp_usual_message(at, end, &behind);
    return content != NULL && (behind - content) % 8 == 0 ? behind : at;
}

/* An ID of `size` bytes, or none. */
static inline const uint8_t *usual_id(const uint8_t *at, size_t left, size_t size)
{
    if (left >= 2 + size && at[1] == size) {
        return at + 2 + size;
    }
    return left >= 2 && at[1] == 0 ? at + 2 : at;
}

static inline const uint8_t *
usual_submessage(enum sw_otlp_message message, const uint8_t *at, const uint8_t *end)
{
    const uint8_t *behind = at;
    const uint8_t *content = NULL;
    switch (message) {
    case SW_OTLP_KEY_VALUE:
        return sw_otlp_usual_key_values(at, end, at[0]);
    case SW_OTLP_ANY_VALUE:
        content = sw_otlp_usual_message(at, end, &behind);
        return content != NULL && sw_otlp_usual_any(content, behind) ? behind : at;
    default:
        return at;
    }
}

/* One field, if it is a usual one: a tag of one byte, a short length. @return behind it, or at */
static inline const uint8_t *
usual_field(const struct sw_otlp_message_table *table, const uint8_t *at, const uint8_t *end)
{
    size_t left = (size_t)(end - at);
    uint32_t number = at[0] >> 3;
    if (at[0] >= 0x80 || number >= table->fields_count) {
        return at;
    }
    const struct sw_otlp_field *field = &table->fields[number];
    switch (field->kind << 3 | (at[0] & 7)) {
    case SW_OTLP_I64 << 3 | SW_PB_I64:
        return left >= 9 ? at + 9 : at;
    case SW_OTLP_MESSAGE << 3 | SW_PB_LEN:
        return usual_submessage(field->message, at, end);
    case SW_OTLP_BYTES << 3 | SW_PB_LEN:
        return sw_otlp_usual_bytes(at, end);
    case SW_OTLP_VARINT << 3 | SW_PB_VARINT:
        return left >= 2 && at[1] < 0x80 ? at + 2 : at;
    case SW_OTLP_PACKED_I64 << 3 | SW_PB_LEN:
        return usual_list(at, end);
    case SW_OTLP_I32 << 3 | SW_PB_I32:
        return left >= 5 ? at + 5 : at;
    case SW_OTLP_TRACE_ID << 3 | SW_PB_LEN:
        return usual_id(at, left, 16);
    case SW_OTLP_SPAN_ID << 3 | SW_PB_LEN:
        return usual_id(at, left, 8);
    default:
        return at;
    }
}
static inline bool walk_usual_fields(
    struct sw_otlp_walk *walk,
    enum sw_otlp_message message,
    const uint8_t *at,
    const uint8_t *end
)
{
    const struct sw_otlp_message_table *table = &sw_otlp_messages[message];
    while (at < end) {
        const uint8_t *behind = usual_field(table, at, end);
        if (SW_UNLIKELY(behind == at)) {
            behind = sw_otlp_check_field(walk, message, at, end);
            if (behind == NULL) {
                return false;
            }
        }
        at = behind;
    }
    return true;
}

bool sw_otlp_walk_fields(
    struct sw_otlp_walk *walk,
    enum sw_otlp_message message,
    const uint8_t *at,
    const uint8_t *end
)
{
    // What is usual is not asked how deep it lies: a KeyValue and its value must both be allowed here.
    if (walk->depth <= SW_OTLP_DEPTH_MAX - 2) {
        return walk_usual_fields(walk, message, at, end);
    }
    while (at != NULL && at < end) {
        at = sw_otlp_check_field(walk, message, at, end);
    }
    return at != NULL;
}

/* ---- metrics ---- */

static bool walk_number_point(struct sw_otlp_walk *walk, const uint8_t *at, const uint8_t *end)
{
    walk->items_count++;
    return walk_usual_fields(walk, SW_OTLP_NUMBER_POINT, at, end);
}

static bool walk_histogram_point(struct sw_otlp_walk *walk, const uint8_t *at, const uint8_t *end)
{
    walk->items_count++;
    return walk_usual_fields(walk, SW_OTLP_HISTOGRAM_POINT, at, end);
}

static bool walk_exponential_point(struct sw_otlp_walk *walk, const uint8_t *at, const uint8_t *end)
{
    walk->items_count++;
    return walk_usual_fields(walk, SW_OTLP_EXPONENTIAL_POINT, at, end);
}

static bool walk_summary_point(struct sw_otlp_walk *walk, const uint8_t *at, const uint8_t *end)
{
    walk->items_count++;
    return walk_usual_fields(walk, SW_OTLP_SUMMARY_POINT, at, end);
}

bool sw_otlp_walk_point(
    struct sw_otlp_walk *walk,
    enum sw_otlp_message message,
    const uint8_t *at,
    const uint8_t *end
)
{
    walk->items_count++;
    return walk_usual_fields(walk, message, at, end);
}

static inline __attribute__((always_inline)) bool walk_points_of(
    struct sw_otlp_walk *walk,
    enum sw_otlp_message message,
    sw_otlp_walker *walker,
    const uint8_t *at,
    const uint8_t *end
)
{
    return sw_otlp_walk_children(walk, message, TAG_DATA_POINTS, walker, at, end);
}

bool sw_otlp_walk_points(
    struct sw_otlp_walk *walk,
    enum sw_otlp_message message,
    const uint8_t *at,
    const uint8_t *end
)
{
    walk->items_count = walk->metric_begin; // an earlier member of the oneof is forgotten
    switch (message) {
    case SW_OTLP_HISTOGRAM:
        return walk_points_of(walk, message, walk_histogram_point, at, end);
    case SW_OTLP_EXPONENTIAL_HISTOGRAM:
        return walk_points_of(walk, message, walk_exponential_point, at, end);
    case SW_OTLP_SUMMARY:
        return walk_points_of(walk, message, walk_summary_point, at, end);
    default:
        return walk_points_of(walk, message, walk_number_point, at, end);
    }
}

static enum sw_otlp_message data_of_tag(uint8_t tag)
{
    switch (tag) {
    case TAG_METRIC_GAUGE:
        return SW_OTLP_GAUGE;
    case TAG_METRIC_SUM:
        return SW_OTLP_SUM;
    case TAG_METRIC_HISTOGRAM:
        return SW_OTLP_HISTOGRAM;
    case TAG_METRIC_EXPONENTIAL_HISTOGRAM:
        return SW_OTLP_EXPONENTIAL_HISTOGRAM;
    case TAG_METRIC_SUMMARY:
        return SW_OTLP_SUMMARY;
    default:
        return SW_OTLP_METRIC; // none
    }
}

bool sw_otlp_walk_metric(struct sw_otlp_walk *walk, const uint8_t *at, const uint8_t *end)
{
    const struct sw_otlp_message_table *table = &sw_otlp_messages[SW_OTLP_METRIC];
    walk->metric_begin = walk->items_count;
    while (at < end) {
        enum sw_otlp_message data = data_of_tag(at[0]);
        const uint8_t *behind = at;
        if (data == SW_OTLP_METRIC) {
            behind = usual_field(table, at, end);
        } else {
            const uint8_t *content = sw_otlp_usual_message(at, end, &behind);
            if (content != NULL) {
                walk->depth++;
                if (!sw_otlp_walk_points(walk, data, content, behind)) {
                    return false;
                }
                walk->depth--;
            }
        }
        if (SW_UNLIKELY(behind == at)) {
            behind = sw_otlp_check_field(walk, SW_OTLP_METRIC, at, end);
            if (behind == NULL) {
                return false;
            }
        }
        at = behind;
    }
    return true;
}

bool sw_otlp_walk_scope_metrics(struct sw_otlp_walk *walk, const uint8_t *at, const uint8_t *end)
{
    return sw_otlp_walk_children(
        walk, SW_OTLP_SCOPE_METRICS, TAG_SCOPE_METRICS_METRICS, sw_otlp_walk_metric, at, end
    );
}

/* ---- logs ---- */

#define CACHE_LINE        64
#define FETCHED_BYTES_MAX 1024

/* A record's body is passed over, not read, and each field says where the next one is: without help the walk
 * waits for memory behind every body. So while one record is looked at, about as much of what follows is
 * fetched; whoever sends it on needs all of it. May reach behind the request, which harms nobody. */
static inline void fetch_next_record(const uint8_t *at, const uint8_t *end)
{
    uintptr_t next = (uintptr_t)end;
    size_t size = SW_MIN((size_t)(end - at), FETCHED_BYTES_MAX);
    for (size_t offset = 0; offset < size; offset += CACHE_LINE) {
        __builtin_prefetch((const void *)(next + offset));
    }
}

bool sw_otlp_walk_log_record(struct sw_otlp_walk *walk, const uint8_t *at, const uint8_t *end)
{
    walk->items_count++;
    fetch_next_record(at, end);
    return walk_usual_fields(walk, SW_OTLP_LOG_RECORD, at, end);
}

bool sw_otlp_walk_scope_logs(struct sw_otlp_walk *walk, const uint8_t *at, const uint8_t *end)
{
    return sw_otlp_walk_children(
        walk, SW_OTLP_SCOPE_LOGS, TAG_SCOPE_LOGS_RECORDS, sw_otlp_walk_log_record, at, end
    );
}
