#include "perf/loadgen/json.h"

#include <inttypes.h>
#include <string.h>

enum kind {
    TEXT,
    HEX,
    FIXED_STRING,
    VARINT_STRING,
    NUMBER,
    BOOLEAN,
    DOUBLE,
    COUNTS,
    BOUNDS,
    MESSAGE
};

struct field {
    unsigned number; // 0 ends a message
    const char *name;
    enum kind kind;
    bool repeated;
    const struct field *message;
};

static const struct field any_value[] = {
    {1, "stringValue", TEXT, false, NULL},
    {3, "intValue", VARINT_STRING, false, NULL},
    {0},
};
static const struct field key_value[] = {
    {1, "key", TEXT, false, NULL},
    {2, "value", MESSAGE, false, any_value},
    {0},
};
static const struct field resource[] = {{1, "attributes", MESSAGE, true, key_value}, {0}};
static const struct field scope[] = {
    {1, "name", TEXT, false, NULL},
    {2, "version", TEXT, false, NULL},
    {0},
};

static const struct field status[] = {{3, "code", NUMBER, false, NULL}, {0}};
static const struct field span[] = {
    {1, "traceId", HEX, false, NULL},
    {2, "spanId", HEX, false, NULL},
    {4, "parentSpanId", HEX, false, NULL},
    {5, "name", TEXT, false, NULL},
    {6, "kind", NUMBER, false, NULL},
    {7, "startTimeUnixNano", FIXED_STRING, false, NULL},
    {8, "endTimeUnixNano", FIXED_STRING, false, NULL},
    {9, "attributes", MESSAGE, true, key_value},
    {15, "status", MESSAGE, false, status},
    {16, "flags", NUMBER, false, NULL},
    {0},
};
static const struct field scope_spans[] = {
    {1, "scope", MESSAGE, false, scope},
    {2, "spans", MESSAGE, true, span},
    {0},
};
static const struct field resource_spans[] = {
    {1, "resource", MESSAGE, false, resource},
    {2, "scopeSpans", MESSAGE, true, scope_spans},
    {0},
};

static const struct field number_point[] = {
    {2, "startTimeUnixNano", FIXED_STRING, false, NULL},
    {3, "timeUnixNano", FIXED_STRING, false, NULL},
    {4, "asDouble", DOUBLE, false, NULL},
    {6, "asInt", FIXED_STRING, false, NULL},
    {7, "attributes", MESSAGE, true, key_value},
    {0},
};
static const struct field histogram_point[] = {
    {2, "startTimeUnixNano", FIXED_STRING, false, NULL},
    {3, "timeUnixNano", FIXED_STRING, false, NULL},
    {4, "count", FIXED_STRING, false, NULL},
    {5, "sum", DOUBLE, false, NULL},
    {6, "bucketCounts", COUNTS, false, NULL},
    {7, "explicitBounds", BOUNDS, false, NULL},
    {9, "attributes", MESSAGE, true, key_value},
    {0},
};
static const struct field gauge[] = {{1, "dataPoints", MESSAGE, true, number_point}, {0}};
static const struct field sum[] = {
    {1, "dataPoints", MESSAGE, true, number_point},
    {2, "aggregationTemporality", NUMBER, false, NULL},
    {3, "isMonotonic", BOOLEAN, false, NULL},
    {0},
};
static const struct field histogram[] = {
    {1, "dataPoints", MESSAGE, true, histogram_point},
    {2, "aggregationTemporality", NUMBER, false, NULL},
    {0},
};
static const struct field metric[] = {
    {1, "name", TEXT, false, NULL},
    {2, "description", TEXT, false, NULL},
    {3, "unit", TEXT, false, NULL},
    {5, "gauge", MESSAGE, false, gauge},
    {7, "sum", MESSAGE, false, sum},
    {9, "histogram", MESSAGE, false, histogram},
    {0},
};
static const struct field scope_metrics[] = {
    {1, "scope", MESSAGE, false, scope},
    {2, "metrics", MESSAGE, true, metric},
    {0},
};
static const struct field resource_metrics[] = {
    {1, "resource", MESSAGE, false, resource},
    {2, "scopeMetrics", MESSAGE, true, scope_metrics},
    {0},
};

static const struct field log_record[] = {
    {1, "timeUnixNano", FIXED_STRING, false, NULL},
    {2, "severityNumber", NUMBER, false, NULL},
    {3, "severityText", TEXT, false, NULL},
    {5, "body", MESSAGE, false, any_value},
    {6, "attributes", MESSAGE, true, key_value},
    {8, "flags", NUMBER, false, NULL},
    {9, "traceId", HEX, false, NULL},
    {10, "spanId", HEX, false, NULL},
    {11, "observedTimeUnixNano", FIXED_STRING, false, NULL},
    {0},
};
static const struct field scope_logs[] = {
    {1, "scope", MESSAGE, false, scope},
    {2, "logRecords", MESSAGE, true, log_record},
    {0},
};
static const struct field resource_logs[] = {
    {1, "resource", MESSAGE, false, resource},
    {2, "scopeLogs", MESSAGE, true, scope_logs},
    {0},
};

static const struct field requests[3][2] = {
    [SW_LG_TRACES] = {{1, "resourceSpans", MESSAGE, true, resource_spans}, {0}},
    [SW_LG_METRICS] = {{1, "resourceMetrics", MESSAGE, true, resource_metrics}, {0}},
    [SW_LG_LOGS] = {{1, "resourceLogs", MESSAGE, true, resource_logs}, {0}},
};

static uint64_t read_varint(const uint8_t **at, const uint8_t *end)
{
    uint64_t value = 0;
    for (unsigned shift = 0; *at < end && shift < 64; shift += 7) {
        uint8_t byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            break;
        }
    }
    return value;
}

// A field's value: the bytes of a length-delimited one, the number of any other.
struct value {
    const uint8_t *data;
    size_t len;
    uint64_t number;
};

static unsigned read_field(const uint8_t **at, const uint8_t *end, struct value *ret_value)
{
    uint64_t key = read_varint(at, end);
    unsigned wire = (unsigned)(key & 7);
    *ret_value = (struct value){.data = *at};
    if (wire == 0) {
        ret_value->number = read_varint(at, end);
        return (unsigned)(key >> 3);
    }
    uint64_t len = wire == 1 ? 8 : wire == 5 ? 4 : read_varint(at, end);
    if (len > (uint64_t)(end - *at)) {
        sw_lg_die("the generator's own request is not well-formed");
    }
    ret_value->data = *at;
    ret_value->len = (size_t)len;
    if (wire != 2) {
        memcpy(&ret_value->number, *at, (size_t)len);
    }
    *at += len;
    return (unsigned)(key >> 3);
}

static void put(struct sw_lg_bytes *out, const char *text)
{
    sw_lg_bytes_put(out, text, strlen(text));
}

static void put_number(struct sw_lg_bytes *out, uint64_t number, bool quoted)
{
    char text[32];
    snprintf(text, sizeof(text), quoted ? "\"%" PRId64 "\"" : "%" PRId64, (int64_t)number);
    put(out, text);
}

static void put_double(struct sw_lg_bytes *out, const uint8_t *data)
{
    double number;
    char text[32];
    memcpy(&number, data, sizeof(number));
    snprintf(text, sizeof(text), "%.17g", number);
    put(out, text);
}

static void put_hex(struct sw_lg_bytes *out, const struct value *value)
{
    static const char digits[] = "0123456789abcdef";
    sw_lg_bytes_put(out, "\"", 1);
    for (size_t i = 0; i < value->len; i++) {
        char pair[2] = {digits[value->data[i] >> 4], digits[value->data[i] & 15]};
        sw_lg_bytes_put(out, pair, 2);
    }
    sw_lg_bytes_put(out, "\"", 1);
}

// The generator's texts are plain ASCII: nothing in them needs an escape.
static void put_text(struct sw_lg_bytes *out, const struct value *value)
{
    sw_lg_bytes_put(out, "\"", 1);
    sw_lg_bytes_put(out, value->data, value->len);
    sw_lg_bytes_put(out, "\"", 1);
}

static void put_packed(struct sw_lg_bytes *out, const struct value *value, bool bounds)
{
    sw_lg_bytes_put(out, "[", 1);
    for (size_t at = 0; at + 8 <= value->len; at += 8) {
        uint64_t number;
        memcpy(&number, value->data + at, 8);
        put(out, at ? "," : "");
        if (bounds) {
            put_double(out, value->data + at);
        } else {
            put_number(out, number, true);
        }
    }
    sw_lg_bytes_put(out, "]", 1);
}

static void
put_message(struct sw_lg_bytes *out, const struct field *fields, const uint8_t *data, size_t len);

static void put_value(struct sw_lg_bytes *out, const struct field *field, const struct value *value)
{
    switch (field->kind) {
    case TEXT:
        put_text(out, value);
        break;
    case HEX:
        put_hex(out, value);
        break;
    case FIXED_STRING:
    case VARINT_STRING:
        put_number(out, value->number, true);
        break;
    case NUMBER:
        put_number(out, value->number, false);
        break;
    case BOOLEAN:
        put(out, value->number ? "true" : "false");
        break;
    case DOUBLE:
        put_double(out, value->data);
        break;
    case COUNTS:
    case BOUNDS:
        put_packed(out, value, field->kind == BOUNDS);
        break;
    case MESSAGE:
        put_message(out, field->message, value->data, value->len);
        break;
    }
}

static void
put_message(struct sw_lg_bytes *out, const struct field *fields, const uint8_t *data, size_t len)
{
    const uint8_t *end = data + len;
    const struct field *before = NULL;
    sw_lg_bytes_put(out, "{", 1);
    while (data < end) {
        struct value value;
        unsigned number = read_field(&data, end, &value);
        const struct field *field = fields;
        while (field->number && field->number != number) {
            field++;
        }
        if (!field->number) {
            sw_lg_die("field %u of the generator's own request is unknown", number);
        }
        if (field == before && field->repeated) {
            sw_lg_bytes_put(out, ",", 1);
        } else {
            put(out, before && before->repeated ? "]" : "");
            put(out, before ? ",\"" : "\"");
            put(out, field->name);
            put(out, field->repeated ? "\":[" : "\":");
        }
        put_value(out, field, &value);
        before = field;
    }
    put(out, before && before->repeated ? "]}" : "}");
}

void sw_lg_json_put(
    struct sw_lg_bytes *out,
    enum sw_lg_signal signal,
    const uint8_t *data,
    size_t len
)
{
    put_message(out, requests[signal], data, len);
}
