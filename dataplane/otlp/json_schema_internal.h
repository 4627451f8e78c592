/* The messages of OTLP as JSON has them: one table for both directions. */
#ifndef SW_OTLP_JSON_SCHEMA_INTERNAL_H
#define SW_OTLP_JSON_SCHEMA_INTERNAL_H

#include "dataplane/otlp/batch.h"

#include <stdint.h>

enum sw_json_type {
    SW_JSON_STRING,
    SW_JSON_BYTES, // base64
    SW_JSON_TRACE_ID,
    SW_JSON_SPAN_ID,
    SW_JSON_MESSAGE,
    SW_JSON_DOUBLE,
    SW_JSON_BOOL,
    SW_JSON_ENUM,
    SW_JSON_INT32,  // varint
    SW_JSON_SINT32, // zigzag varint
    SW_JSON_UINT32, // varint
    SW_JSON_FIXED32,
    SW_JSON_INT64,  // varint
    SW_JSON_UINT64, // varint
    SW_JSON_FIXED64,
    SW_JSON_SFIXED64,
};

enum {
    SW_JSON_REPEATED = 1,
    SW_JSON_ONEOF = 2,     // the message has one oneof, and this is a member of it
    SW_JSON_PRESENCE = 4,  // written where it was given, also when it is zero
    SW_JSON_MANDATORY = 8, // a message that is written also where it is absent
    SW_JSON_ITEM = 16,     // a span, data point or log record
};

enum sw_json_message_id {
    SW_JSON_ANY_VALUE,
    SW_JSON_ARRAY_VALUE,
    SW_JSON_KEY_VALUE_LIST,
    SW_JSON_KEY_VALUE,
    SW_JSON_SCOPE,
    SW_JSON_ENTITY_REF,
    SW_JSON_RESOURCE,
    SW_JSON_TRACES_REQUEST,
    SW_JSON_RESOURCE_SPANS,
    SW_JSON_SCOPE_SPANS,
    SW_JSON_OLD_SCOPE_SPANS, // field 1000: its items do not count
    SW_JSON_SPAN,
    SW_JSON_EVENT,
    SW_JSON_LINK,
    SW_JSON_STATUS,
    SW_JSON_METRICS_REQUEST,
    SW_JSON_RESOURCE_METRICS,
    SW_JSON_SCOPE_METRICS,
    SW_JSON_OLD_SCOPE_METRICS,
    SW_JSON_METRIC,
    SW_JSON_GAUGE,
    SW_JSON_SUM,
    SW_JSON_HISTOGRAM,
    SW_JSON_EXPONENTIAL_HISTOGRAM,
    SW_JSON_SUMMARY,
    SW_JSON_NUMBER_POINT,
    SW_JSON_HISTOGRAM_POINT,
    SW_JSON_EXPONENTIAL_POINT,
    SW_JSON_BUCKETS,
    SW_JSON_SUMMARY_POINT,
    SW_JSON_QUANTILE,
    SW_JSON_EXEMPLAR,
    SW_JSON_LOGS_REQUEST,
    SW_JSON_RESOURCE_LOGS,
    SW_JSON_SCOPE_LOGS,
    SW_JSON_OLD_SCOPE_LOGS,
    SW_JSON_LOG_RECORD,
    SW_JSON_MESSAGES_COUNT,
};

enum sw_json_enum_id {
    SW_JSON_SPAN_KIND,
    SW_JSON_STATUS_CODE,
    SW_JSON_TEMPORALITY,
    SW_JSON_SEVERITY,
    SW_JSON_ENUMS_COUNT,
};

#define SW_JSON_FIELDS_MAX 16 // of one message
#define SW_JSON_NAME_MAX   32 // its closing quote included; whole words, to be compared as such

struct sw_json_field {
    char camel[SW_JSON_NAME_MAX]; // with the quote that ends it in JSON
    char snake[SW_JSON_NAME_MAX];
    uint8_t camel_size; // with the quote
    uint8_t snake_size; // 0: no other name
    uint8_t type;
    uint8_t flags;
    uint8_t of; // message or enum
    uint8_t tag_size;
    uint8_t tag[2]; // as it stands on the wire; packed where it can be
    uint32_t number;
};

// Fields stand in the order in which the Collector writes them.
struct sw_json_message {
    const struct sw_json_field *fields;
    uint8_t fields_count;
};

struct sw_json_enum {
    const char *const *names; // by value
    uint8_t count;
};

extern const struct sw_json_message sw_json_messages[SW_JSON_MESSAGES_COUNT];
extern const struct sw_json_enum sw_json_enums[SW_JSON_ENUMS_COUNT];

static inline enum sw_json_message_id sw_json_request(enum sw_signal signal)
{
    switch (signal) {
    case SW_METRICS:
        return SW_JSON_METRICS_REQUEST;
    case SW_LOGS:
        return SW_JSON_LOGS_REQUEST;
    default:
        return SW_JSON_TRACES_REQUEST;
    }
}

/* Repeated numbers go packed. */
static inline bool sw_json_packed(const struct sw_json_field *field)
{
    return (field->flags & SW_JSON_REPEATED) && field->type >= SW_JSON_DOUBLE;
}

#endif
