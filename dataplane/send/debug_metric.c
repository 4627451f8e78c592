/* Metrics and their data points as text (v0.159 exporter/debugexporter). */
#include "dataplane/otlp/metric.h"
#include "dataplane/send/debug_internal.h"

#include <math.h>

#define POINT_START SW_PB_TAG(2, SW_PB_I64)
#define POINT_TIME  SW_PB_TAG(3, SW_PB_I64)
#define POINT_COUNT SW_PB_TAG(4, SW_PB_I64)
#define POINT_SUM   SW_PB_TAG(5, SW_PB_I64)

#define NUMBER_DOUBLE    SW_PB_TAG(4, SW_PB_I64)
#define NUMBER_EXEMPLARS SW_PB_TAG(5, SW_PB_LEN)
#define NUMBER_INT       SW_PB_TAG(6, SW_PB_I64)

#define HISTOGRAM_EXEMPLARS SW_PB_TAG(8, SW_PB_LEN)

#define QUANTILES SW_PB_TAG(6, SW_PB_LEN)

#define EXEMPLAR_TIME     SW_PB_TAG(2, SW_PB_I64)
#define EXEMPLAR_DOUBLE   SW_PB_TAG(3, SW_PB_I64)
#define EXEMPLAR_SPAN_ID  SW_PB_TAG(4, SW_PB_LEN)
#define EXEMPLAR_TRACE_ID SW_PB_TAG(5, SW_PB_LEN)
#define EXEMPLAR_INT      SW_PB_TAG(6, SW_PB_I64)
#define EXEMPLAR_LABELS   SW_PB_TAG(7, SW_PB_LEN)

#define EXPONENTIAL_EXEMPLARS SW_PB_TAG(11, SW_PB_LEN)

/** A number that may be absent. */
struct maybe {
    bool given;
    double number;
};

/** A data point of any type: what it has. */
struct point {
    uint64_t start_ns;
    uint64_t time_ns;
    uint64_t count;
    uint64_t zero_count;
    int64_t integer;
    double number;
    struct maybe sum;
    struct maybe min;
    struct maybe max;
    int32_t scale;
    enum { VALUE_NONE, VALUE_INT, VALUE_DOUBLE } value;
    struct sw_bytes positive;
    struct sw_bytes negative;
};

static double double_of(uint64_t bits)
{
    double number;
    memcpy(&number, &bits, sizeof(number));
    return number;
}

static struct maybe maybe_of(uint64_t bits)
{
    return (struct maybe){true, double_of(bits)};
}

static int32_t zigzag(uint64_t value)
{
    return (int32_t)((uint32_t)value >> 1) ^ -(int32_t)(value & 1);
}

/* ---- reading ---- */

static void read_number(struct point *point, const struct sw_pb_field *field)
{
    if (field->tag == NUMBER_DOUBLE) {
        point->value = VALUE_DOUBLE;
        point->number = double_of(field->number);
    } else if (field->tag == NUMBER_INT) {
        point->value = VALUE_INT;
        point->integer = (int64_t)field->number;
    }
}

static void read_histogram(struct point *point, const struct sw_pb_field *field)
{
    switch (field->tag) {
    case POINT_COUNT:
        point->count = field->number;
        break;
    case POINT_SUM:
        point->sum = maybe_of(field->number);
        break;
    case SW_PB_TAG(11, SW_PB_I64):
        point->min = maybe_of(field->number);
        break;
    case SW_PB_TAG(12, SW_PB_I64):
        point->max = maybe_of(field->number);
        break;
    default:
        break;
    }
}

static void read_exponential(struct point *point, const struct sw_pb_field *field)
{
    switch (field->tag) {
    case POINT_COUNT:
        point->count = field->number;
        break;
    case POINT_SUM:
        point->sum = maybe_of(field->number);
        break;
    case SW_PB_TAG(6, SW_PB_VARINT):
        point->scale = zigzag(field->number);
        break;
    case SW_PB_TAG(7, SW_PB_I64):
        point->zero_count = field->number;
        break;
    case SW_PB_TAG(8, SW_PB_LEN):
        point->positive = field->bytes;
        break;
    case SW_PB_TAG(9, SW_PB_LEN):
        point->negative = field->bytes;
        break;
    case SW_PB_TAG(12, SW_PB_I64):
        point->min = maybe_of(field->number);
        break;
    case SW_PB_TAG(13, SW_PB_I64):
        point->max = maybe_of(field->number);
        break;
    default:
        break;
    }
}

static struct point read_point(enum sw_metric_kind type, struct sw_bytes message)
{
    struct point point = {0};
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, message);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag == POINT_START) {
            point.start_ns = field.number;
        } else if (field.tag == POINT_TIME) {
            point.time_ns = field.number;
        } else if (type == SW_METRIC_GAUGE || type == SW_METRIC_SUM) {
            read_number(&point, &field);
        } else if (type == SW_METRIC_EXPONENTIAL_HISTOGRAM) {
            read_exponential(&point, &field);
        } else {
            read_histogram(&point, &field); // of a summary count and sum
        }
    }
    return point;
}

/** The numbers of a repeated field, packed or not. */
struct numbers {
    struct sw_pb_reader fields;
    struct sw_pb_reader packed;
    uint32_t field;
    enum sw_pb_wire wire; // SW_PB_I64, SW_PB_VARINT
};

static struct numbers numbers_of(struct sw_bytes message, uint32_t field, enum sw_pb_wire wire)
{
    struct numbers numbers = {.field = field, .wire = wire};
    sw_pb_reader_init(&numbers.fields, message);
    sw_pb_reader_init(&numbers.packed, (struct sw_bytes){NULL, 0});
    return numbers;
}

static bool next_number(struct numbers *numbers, uint64_t *ret_number)
{
    struct sw_pb_field field;
    while (sw_pb_left(&numbers->packed) == 0) {
        if (!sw_pb_next(&numbers->fields, &field)) {
            return false;
        }
        if (field.tag == SW_PB_TAG(numbers->field, numbers->wire)) {
            *ret_number = field.number;
            return true;
        }
        if (field.tag == SW_PB_TAG(numbers->field, SW_PB_LEN)) {
            sw_pb_reader_init(&numbers->packed, field.bytes);
        }
    }
    *ret_number =
        numbers->wire == SW_PB_I64 ? sw_pb_i64(&numbers->packed) : sw_pb_varint(&numbers->packed);
    return numbers->packed.error == SW_PB_OK;
}

/* ---- one line a data point ---- */

static void put_maybe(struct debug_out *out, const char *name, struct maybe maybe)
{
    if (maybe.given) {
        sw_debug_put_text(out, name);
        sw_debug_number(out, maybe.number);
    }
}

static void put_buckets_line(struct debug_out *out, struct sw_bytes message)
{
    struct numbers counts = numbers_of(message, 6, SW_PB_I64);
    struct numbers bounds = numbers_of(message, 7, SW_PB_I64);
    uint64_t count;
    uint64_t bound;
    while (!out->cut && next_number(&counts, &count)) {
        sw_debug_put(out, " ", 1);
        if (next_number(&bounds, &bound)) {
            sw_debug_put_text(out, "le");
            sw_debug_number(out, double_of(bound));
            sw_debug_put(out, "=", 1);
        }
        sw_debug_printf(out, "%llu", (unsigned long long)count);
    }
}

static void read_quantile(struct sw_bytes message, double *ret_quantile, double *ret_value)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    *ret_quantile = *ret_value = 0;
    sw_pb_reader_init(&reader, message);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag == SW_PB_TAG(1, SW_PB_I64)) {
            *ret_quantile = double_of(field.number);
        } else if (field.tag == SW_PB_TAG(2, SW_PB_I64)) {
            *ret_value = double_of(field.number);
        }
    }
}

static void put_quantiles_line(struct debug_out *out, struct sw_bytes message)
{
    struct sw_otlp_iter iter;
    struct sw_pb_field field;
    sw_otlp_iter_init(&iter, message, QUANTILES);
    while (!out->cut && sw_otlp_next(&iter, &field)) {
        double quantile;
        double value;
        read_quantile(field.bytes, &quantile, &value);
        sw_debug_put_text(out, " q");
        sw_debug_number(out, quantile);
        sw_debug_put(out, "=", 1);
        sw_debug_number(out, value);
    }
}

static void
put_point_line(struct debug_out *out, const struct sw_metric_view *metric, struct sw_bytes message)
{
    static const struct debug_style labels = {.header = NULL, .prefix = ","};
    struct point point = read_point(metric->type, message);
    sw_debug_put_bytes(out, metric->name);
    sw_debug_put(out, "{", 1);
    (void)sw_debug_attributes(out, &labels, message, sw_metric_attributes_tag(metric->type), 0);
    sw_debug_put_text(out, "} ");
    switch (metric->type) {
    case SW_METRIC_GAUGE:
    case SW_METRIC_SUM:
        if (point.value == VALUE_INT) {
            sw_debug_printf(out, "%lld", (long long)point.integer);
        } else if (point.value == VALUE_DOUBLE) {
            sw_debug_number(out, point.number);
        }
        break;
    case SW_METRIC_SUMMARY:
        sw_debug_printf(out, "count=%llu sum=", (unsigned long long)point.count);
        sw_debug_fixed(out, point.sum.number);
        put_quantiles_line(out, message);
        break;
    default:
        sw_debug_printf(out, "count=%llu", (unsigned long long)point.count);
        put_maybe(out, " sum=", point.sum);
        put_maybe(out, " min=", point.min);
        put_maybe(out, " max=", point.max);
        if (metric->type == SW_METRIC_HISTOGRAM) {
            put_buckets_line(out, message);
        }
        break;
    }
    sw_debug_put(out, "\n", 1);
}

/* ---- detailed ---- */

static void put_fixed_line(struct debug_out *out, const char *name, double number)
{
    sw_debug_put_text(out, name);
    sw_debug_fixed(out, number);
    sw_debug_put(out, "\n", 1);
}

static void put_maybe_line(struct debug_out *out, const char *name, struct maybe maybe)
{
    if (maybe.given) {
        put_fixed_line(out, name, maybe.number);
    }
}

static void put_time_line(struct debug_out *out, const char *name, uint64_t unix_ns)
{
    sw_debug_put_text(out, name);
    sw_debug_time(out, unix_ns);
    sw_debug_put(out, "\n", 1);
}

static void put_exemplar(struct debug_out *out, struct sw_bytes exemplar, uint32_t number)
{
    static const struct debug_style lines = {"     -> FilteredAttributes", "          -> "};
    struct point value = {0};
    struct sw_bytes trace_id = {NULL, 0};
    struct sw_bytes span_id = {NULL, 0};
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, exemplar);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag == EXEMPLAR_TIME) {
            value.time_ns = field.number;
        } else if (field.tag == EXEMPLAR_TRACE_ID) {
            trace_id = field.bytes;
        } else if (field.tag == EXEMPLAR_SPAN_ID) {
            span_id = field.bytes;
        } else if (field.tag == EXEMPLAR_DOUBLE) {
            value.value = VALUE_DOUBLE;
            value.number = double_of(field.number);
        } else if (field.tag == EXEMPLAR_INT) {
            value.value = VALUE_INT;
            value.integer = (int64_t)field.number;
        }
    }
    sw_debug_printf(out, "%sExemplar #%u\n", number == 0 ? "Exemplars:\n" : "", number);
    sw_debug_put_text(out, "     -> Trace ID: ");
    sw_debug_id(out, trace_id);
    sw_debug_put_text(out, "\n     -> Span ID: ");
    sw_debug_id(out, span_id);
    put_time_line(out, "\n     -> Timestamp: ", value.time_ns);
    if (value.value == VALUE_INT) {
        sw_debug_printf(out, "     -> Value: %lld\n", (long long)value.integer);
    } else if (value.value == VALUE_DOUBLE) {
        put_fixed_line(out, "     -> Value: ", value.number);
    }
    (void)sw_debug_attributes(out, &lines, exemplar, EXEMPLAR_LABELS, 0);
}

static void put_exemplars(struct debug_out *out, struct sw_bytes message, uint32_t tag)
{
    struct sw_otlp_iter iter;
    struct sw_pb_field field;
    uint32_t number = 0;
    sw_otlp_iter_init(&iter, message, tag);
    while (!out->cut && sw_otlp_next(&iter, &field)) {
        put_exemplar(out, field.bytes, number++);
    }
}

static void put_numbers(struct debug_out *out, const struct point *point, struct sw_bytes message)
{
    if (point->value == VALUE_INT) {
        sw_debug_printf(out, "Value: %lld\n", (long long)point->integer);
    } else if (point->value == VALUE_DOUBLE) {
        put_fixed_line(out, "Value: ", point->number);
    }
    put_exemplars(out, message, NUMBER_EXEMPLARS);
}

static void put_statistics(struct debug_out *out, const struct point *point)
{
    sw_debug_printf(out, "Count: %llu\n", (unsigned long long)point->count);
    put_maybe_line(out, "Sum: ", point->sum);
    put_maybe_line(out, "Min: ", point->min);
    put_maybe_line(out, "Max: ", point->max);
}

static void put_histogram(struct debug_out *out, const struct point *point, struct sw_bytes message)
{
    struct numbers counts = numbers_of(message, 6, SW_PB_I64);
    struct numbers bounds = numbers_of(message, 7, SW_PB_I64);
    uint64_t number;
    put_statistics(out, point);
    for (uint32_t i = 0; !out->cut && next_number(&bounds, &number); i++) {
        sw_debug_printf(out, "ExplicitBounds #%u", i);
        put_fixed_line(out, ": ", double_of(number));
    }
    for (uint32_t i = 0; !out->cut && next_number(&counts, &number); i++) {
        sw_debug_printf(out, "Buckets #%u, Count: %llu\n", i, (unsigned long long)number);
    }
    put_exemplars(out, message, HISTOGRAM_EXEMPLARS);
}

static double offset_of(struct sw_bytes buckets)
{
    int32_t offset = 0;
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, buckets);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag == SW_PB_TAG(1, SW_PB_VARINT)) {
            offset = zigzag(field.number);
        }
    }
    return offset;
}

static void
put_bucket(struct debug_out *out, const char *form[3], double from, double to, uint64_t count)
{
    sw_debug_put_text(out, form[0]);
    sw_debug_fixed(out, from);
    sw_debug_put_text(out, form[1]);
    sw_debug_fixed(out, to);
    sw_debug_printf(out, "%s%llu\n", form[2], (unsigned long long)count);
}

// Counts that are kept of a list which is shown from its end; more lines are in no record.
#define TAIL_MAX 2048u

// From the lowest to zero: the last bucket of the list comes first.
static void put_negative(struct debug_out *out, struct sw_bytes buckets, double factor)
{
    static const char *form[3] = {"Bucket [", ", ", "), Count: "};
    double offset = offset_of(buckets);
    struct numbers numbers = numbers_of(buckets, 2, SW_PB_VARINT);
    uint64_t tail[TAIL_MAX];
    uint64_t count;
    uint32_t total = 0;
    while (next_number(&numbers, &count)) {
        tail[total++ % TAIL_MAX] = count;
    }
    for (uint32_t i = total; !out->cut && i > 0; i--) {
        double index = offset + (i - 1);
        if (total - i == TAIL_MAX) {
            out->cut = true;
            break;
        }
        count = tail[(i - 1) % TAIL_MAX];
        put_bucket(out, form, -exp((index + 1) * factor), -exp(index * factor), count);
    }
}

static void put_positive(struct debug_out *out, struct sw_bytes buckets, double factor)
{
    static const char *form[3] = {"Bucket (", ", ", "], Count: "};
    double index = offset_of(buckets);
    struct numbers numbers = numbers_of(buckets, 2, SW_PB_VARINT);
    uint64_t count;
    for (; !out->cut && next_number(&numbers, &count); index++) {
        put_bucket(out, form, exp(index * factor), exp((index + 1) * factor), count);
    }
}

static void
put_exponential(struct debug_out *out, const struct point *point, struct sw_bytes message)
{
    double factor = ldexp(M_LN2, -point->scale);
    put_statistics(out, point);
    put_negative(out, point->negative, factor);
    if (point->zero_count != 0) {
        unsigned long long count = point->zero_count;
        sw_debug_printf(out, "Bucket [0, 0], Count: %llu\n", count);
    }
    put_positive(out, point->positive, factor);
    put_exemplars(out, message, EXPONENTIAL_EXEMPLARS);
}

static void put_summary(struct debug_out *out, const struct point *point, struct sw_bytes message)
{
    struct sw_otlp_iter iter;
    struct sw_pb_field field;
    sw_debug_printf(out, "Count: %llu\n", (unsigned long long)point->count);
    put_fixed_line(out, "Sum: ", point->sum.number);
    sw_otlp_iter_init(&iter, message, QUANTILES);
    for (uint32_t i = 0; !out->cut && sw_otlp_next(&iter, &field); i++) {
        double quantile;
        double value;
        read_quantile(field.bytes, &quantile, &value);
        sw_debug_printf(out, "QuantileValue #%u: Quantile ", i);
        sw_debug_fixed(out, quantile);
        put_fixed_line(out, ", Value ", value);
    }
}

static void put_point_detailed(
    struct debug_out *out,
    const struct sw_metric_view *metric,
    struct sw_bytes message,
    uint32_t number
)
{
    static const struct debug_style lines = {"Data point attributes", "     -> "};
    static const char *const names[SW_METRIC_TYPES_COUNT] = {
        [SW_METRIC_EMPTY] = "",
        [SW_METRIC_GAUGE] = "Number",
        [SW_METRIC_SUM] = "Number",
        [SW_METRIC_HISTOGRAM] = "Histogram",
        [SW_METRIC_EXPONENTIAL_HISTOGRAM] = "ExponentialHistogram",
        [SW_METRIC_SUMMARY] = "Summary",
    };
    struct point point = read_point(metric->type, message);
    sw_debug_printf(out, "%sDataPoints #%u\n", names[metric->type], number);
    (void)sw_debug_attributes(out, &lines, message, sw_metric_attributes_tag(metric->type), 0);
    put_time_line(out, "StartTimestamp: ", point.start_ns);
    put_time_line(out, "Timestamp: ", point.time_ns);
    switch (metric->type) {
    case SW_METRIC_HISTOGRAM:
        put_histogram(out, &point, message);
        break;
    case SW_METRIC_EXPONENTIAL_HISTOGRAM:
        put_exponential(out, &point, message);
        break;
    case SW_METRIC_SUMMARY:
        put_summary(out, &point, message);
        break;
    default:
        put_numbers(out, &point, message);
        break;
    }
}

void sw_debug_point(
    struct debug_out *out,
    bool detailed,
    const struct sw_metric_view *metric,
    struct sw_bytes message,
    uint32_t number
)
{
    if (detailed) {
        put_point_detailed(out, metric, message, number);
    } else {
        put_point_line(out, metric, message);
    }
}

/* ---- metrics ---- */

static void put_text_line(struct debug_out *out, const char *name, struct sw_bytes text)
{
    sw_debug_put_text(out, name);
    sw_debug_put_bytes(out, text);
    sw_debug_put(out, "\n", 1);
}

static void put_kind(struct debug_out *out, const struct sw_metric_view *metric)
{
    static const char *const temporalities[] = {"Unspecified", "Delta", "Cumulative"};
    uint64_t temporality = 0;
    uint64_t monotonic = 0;
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, metric->data.bytes);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag == SW_PB_TAG(2, SW_PB_VARINT)) {
            temporality = field.number;
        } else if (field.tag == SW_PB_TAG(3, SW_PB_VARINT)) {
            monotonic = field.number;
        }
    }
    if (metric->type == SW_METRIC_SUM) {
        sw_debug_printf(out, "     -> IsMonotonic: %s\n", monotonic != 0 ? "true" : "false");
    }
    bool known = temporality < SW_ARRAY_SIZE(temporalities);
    sw_debug_printf(
        out, "     -> AggregationTemporality: %s\n", known ? temporalities[temporality] : ""
    );
}

void sw_debug_metric(
    struct debug_out *out,
    const struct sw_metric_view *metric,
    struct sw_bytes message,
    uint32_t number
)
{
    static const struct debug_style lines = {"     -> Metadata", "          -> "};
    static const char *const types[SW_METRIC_TYPES_COUNT] = {
        [SW_METRIC_EMPTY] = "Empty",
        [SW_METRIC_GAUGE] = "Gauge",
        [SW_METRIC_SUM] = "Sum",
        [SW_METRIC_HISTOGRAM] = "Histogram",
        [SW_METRIC_EXPONENTIAL_HISTOGRAM] = "ExponentialHistogram",
        [SW_METRIC_SUMMARY] = "Summary",
    };
    sw_debug_printf(out, "Metric #%u\nDescriptor:\n", number);
    put_text_line(out, "     -> Name: ", metric->name);
    put_text_line(out, "     -> Description: ", metric->description);
    put_text_line(out, "     -> Unit: ", metric->unit);
    sw_debug_printf(out, "     -> DataType: %s\n", types[metric->type]);
    (void)sw_debug_attributes(out, &lines, message, SW_METRIC_TAG_METADATA, 0);
    if (metric->type == SW_METRIC_SUM || metric->type == SW_METRIC_HISTOGRAM
        || metric->type == SW_METRIC_EXPONENTIAL_HISTOGRAM) {
        put_kind(out, metric);
    }
}
