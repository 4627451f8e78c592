/* A second opinion on OTLP bytes for tests: written from the wire tables alone, field by field, without any
 * shortcut, and shared with nothing in the product. It says whether a request is valid and how many items
 * it has, and it rewrites messages with their fields in another order. */
#ifndef SW_TESTS_LIB_OTLP_REFERENCE_H
#define SW_TESTS_LIB_OTLP_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum ref_type {
    REF_REQUEST,
    REF_RESOURCE_SPANS,
    REF_SCOPE_SPANS,
    REF_SPAN,
    REF_EVENT,
    REF_LINK,
    REF_STATUS,
    REF_RESOURCE,
    REF_ENTITY_REF,
    REF_SCOPE,
    REF_KEY_VALUE,
    REF_ANY_VALUE,
    REF_ARRAY,
    REF_KV_LIST,
    REF_METRICS_REQUEST,
    REF_RESOURCE_METRICS,
    REF_SCOPE_METRICS,
    REF_METRIC,
    REF_GAUGE,
    REF_SUM,
    REF_HISTOGRAM,
    REF_EXPONENTIAL,
    REF_SUMMARY,
    REF_NUMBER_POINT,
    REF_HISTOGRAM_POINT,
    REF_EXPONENTIAL_POINT,
    REF_BUCKETS,
    REF_SUMMARY_POINT,
    REF_QUANTILE,
    REF_EXEMPLAR,
    REF_LOGS_REQUEST,
    REF_RESOURCE_LOGS,
    REF_SCOPE_LOGS,
    REF_LOG_RECORD,
    REF_NONE, // no message
};

/* What a field is: its wire type, the length of an ID, the message in it; of a list of numbers, which may be
 * packed, the wire type of an element. */
struct ref_field {
    int wire; // -1: not known
    unsigned id_size;
    enum ref_type message;
    bool packed;
    int element;
};

static inline bool ref_is_resource(enum ref_type type)
{
    return type == REF_RESOURCE_SPANS || type == REF_RESOURCE_METRICS || type == REF_RESOURCE_LOGS;
}

/* The message behind a letter, in a message of this type. */
static inline enum ref_type ref_message(enum ref_type type, char letter)
{
    static const struct {
        char letter;
        enum ref_type within; // REF_NONE: wherever it stands
        enum ref_type message;
    } messages[] = {
        {'R', REF_REQUEST, REF_RESOURCE_SPANS},
        {'R', REF_METRICS_REQUEST, REF_RESOURCE_METRICS},
        {'R', REF_LOGS_REQUEST, REF_RESOURCE_LOGS},
        {'O', REF_NONE, REF_RESOURCE},
        {'C', REF_RESOURCE_SPANS, REF_SCOPE_SPANS},
        {'C', REF_RESOURCE_METRICS, REF_SCOPE_METRICS},
        {'C', REF_RESOURCE_LOGS, REF_SCOPE_LOGS},
        {'c', REF_NONE, REF_SCOPE},
        {'P', REF_SCOPE_SPANS, REF_SPAN},
        {'P', REF_SCOPE_METRICS, REF_METRIC},
        {'P', REF_SCOPE_LOGS, REF_LOG_RECORD},
        {'K', REF_NONE, REF_KEY_VALUE},
        {'E', REF_NONE, REF_EVENT},
        {'s', REF_NONE, REF_STATUS},
        {'Y', REF_NONE, REF_ENTITY_REF},
        {'A', REF_NONE, REF_ANY_VALUE},
        {'I', REF_NONE, REF_ARRAY},
        {'L', REF_SPAN, REF_LINK},
        {'L', REF_ANY_VALUE, REF_KV_LIST},
        {'G', REF_NONE, REF_GAUGE},
        {'U', REF_NONE, REF_SUM},
        {'H', REF_NONE, REF_HISTOGRAM},
        {'X', REF_NONE, REF_EXPONENTIAL},
        {'Z', REF_NONE, REF_SUMMARY},
        {'N', REF_NONE, REF_NUMBER_POINT},
        {'D', REF_NONE, REF_HISTOGRAM_POINT},
        {'F', REF_NONE, REF_EXPONENTIAL_POINT},
        {'J', REF_NONE, REF_SUMMARY_POINT},
        {'B', REF_NONE, REF_BUCKETS},
        {'Q', REF_NONE, REF_QUANTILE},
        {'W', REF_NONE, REF_EXEMPLAR},
    };
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        if (messages[i].letter == letter
            && (messages[i].within == REF_NONE || messages[i].within == type)) {
            return messages[i].message;
        }
    }
    return REF_NONE;
}

static inline struct ref_field ref_look_up(enum ref_type type, uint64_t number)
{
    // One letter a field, from field 1 on: v varint, 8 fixed64, 4 fixed32, b bytes, T and S IDs, p and
    // q packed fixed64 and varints, other letters messages, below.
    static const char *const fields[REF_NONE] = {
        [REF_REQUEST] = "R",
        [REF_RESOURCE_SPANS] = "OCb",
        [REF_SCOPE_SPANS] = "cPb",
        [REF_SPAN] = "TSbSbv88KvEvLvs4",
        [REF_EVENT] = "8bKv",
        [REF_LINK] = "TSbKv4",
        [REF_STATUS] = "-bv",
        [REF_RESOURCE] = "KvY",
        [REF_ENTITY_REF] = "bbbb",
        [REF_SCOPE] = "bbKv",
        [REF_KEY_VALUE] = "bAv",
        [REF_ANY_VALUE] = "bvv8ILbv",
        [REF_ARRAY] = "A",
        [REF_KV_LIST] = "K",
        [REF_METRICS_REQUEST] = "R",
        [REF_RESOURCE_METRICS] = "OCb",
        [REF_SCOPE_METRICS] = "cPb",
        [REF_METRIC] = "bbb-G-U-HXZK",
        [REF_GAUGE] = "N",
        [REF_SUM] = "Nvv",
        [REF_HISTOGRAM] = "Dv",
        [REF_EXPONENTIAL] = "Fv",
        [REF_SUMMARY] = "J",
        [REF_NUMBER_POINT] = "-888W8Kv",
        [REF_HISTOGRAM_POINT] = "-8888ppWKv88",
        [REF_EXPONENTIAL_POINT] = "K8888v8BBvW888",
        [REF_BUCKETS] = "vq",
        [REF_SUMMARY_POINT] = "-8888QKv",
        [REF_QUANTILE] = "88",
        [REF_EXEMPLAR] = "-88ST8K",
        [REF_LOGS_REQUEST] = "R",
        [REF_RESOURCE_LOGS] = "OCb",
        [REF_SCOPE_LOGS] = "cPb",
        [REF_LOG_RECORD] = "8vb-AKv4TS8b",
    };
    char letter = '-';
    if (number >= 1 && number <= strlen(fields[type])) {
        letter = fields[type][number - 1];
    } else if (number == 1000 && ref_is_resource(type)) {
        letter = 'C';
    }
    enum ref_type message = ref_message(type, letter);
    if (message != REF_NONE) {
        return (struct ref_field){.wire = 2, .message = message};
    }
    struct ref_field field = {.wire = 2, .message = REF_NONE};
    switch (letter) {
    case 'v':
        field.wire = 0;
        break;
    case '8':
        field.wire = 1;
        break;
    case '4':
        field.wire = 5;
        break;
    case 'b':
        break;
    case 'T':
        field.id_size = 16;
        break;
    case 'S':
        field.id_size = 8;
        break;
    case 'p':
        field.packed = true;
        field.element = 1;
        break;
    case 'q':
        field.packed = true;
        field.element = 0;
        break;
    default:
        field.wire = -1;
        break;
    }
    return field;
}

/* @return bytes of the varint, 0 when there is none */
static inline size_t ref_varint(const uint8_t *data, size_t size, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size && i < 10; i++) {
        value |= (uint64_t)(data[i] & 0x7f) << (7 * i);
        if (data[i] < 0x80) {
            *ret_value = value;
            return i + 1;
        }
    }
    return 0;
}

struct ref_part {
    uint64_t number;
    unsigned wire;
    size_t head;  // tag, and length if there is one
    size_t total; // all
};

/* One field at the start of data. False: it cannot be read. */
static inline bool ref_read(const uint8_t *data, size_t size, struct ref_part *ret_part)
{
    uint64_t tag = 0;
    uint64_t value = 0;
    size_t at = ref_varint(data, size, &tag);
    if (at == 0 || at > 5 || tag > UINT32_MAX || tag >> 3 == 0) {
        return false;
    }
    *ret_part = (struct ref_part){.number = tag >> 3, .wire = tag & 7, .head = at};
    size_t more = 0;
    switch (tag & 7) {
    case 0:
        more = ref_varint(data + at, size - at, &value);
        if (more == 0) {
            return false;
        }
        break;
    case 1:
        more = 8;
        break;
    case 2:
        more = ref_varint(data + at, size - at, &value);
        if (more == 0 || value > size) {
            return false;
        }
        ret_part->head += more;
        more += value;
        break;
    case 5:
        more = 4;
        break;
    default:
        return false;
    }
    ret_part->total = at + more;
    return ret_part->total <= size;
}

struct ref_counts {
    unsigned resources;
    unsigned items; // after migration of field 1000
    bool old_scopes;
};

#define REF_DEPTH_MAX 100

static inline bool ref_is_item(enum ref_type type)
{
    return type == REF_SPAN || type == REF_NUMBER_POINT || type == REF_HISTOGRAM_POINT
           || type == REF_EXPONENTIAL_POINT || type == REF_SUMMARY_POINT || type == REF_LOG_RECORD;
}

/* A member of a metric's oneof. */
static inline bool ref_is_data(enum ref_type type)
{
    return type >= REF_GAUGE && type <= REF_SUMMARY;
}

/* Whether the value may be what the field is, leaving aside what is in a message. */
static inline bool
ref_fits(const struct ref_field *field, unsigned wire, const uint8_t *content, size_t size)
{
    if (field->packed && wire == (unsigned)field->element) {
        return true;
    }
    if (field->wire >= 0 && field->wire != (int)wire) {
        return false;
    }
    if (field->packed && field->element == 1) {
        return size % 8 == 0;
    }
    for (size_t at = 0; field->packed && at < size;) {
        uint64_t value = 0;
        size_t more = ref_varint(content + at, size - at, &value);
        if (more == 0) {
            return false;
        }
        at += more;
    }
    return field->id_size == 0 || size == 0 || size == field->id_size;
}

static inline bool ref_validate_in(
    enum ref_type type,
    const uint8_t *data,
    size_t size,
    unsigned depth,
    struct ref_counts *counts
)
{
    unsigned items = 0;
    unsigned old_items = 0;
    bool scopes = false;
    if (depth > REF_DEPTH_MAX) {
        return false;
    }
    for (size_t at = 0; at < size;) {
        struct ref_part part;
        if (!ref_read(data + at, size - at, &part)) {
            return false;
        }
        struct ref_field field = ref_look_up(type, part.number);
        const uint8_t *content = data + at + part.head;
        size_t content_size = part.total - part.head;
        if (!ref_fits(&field, part.wire, content, content_size)) {
            return false;
        }
        if (field.message != REF_NONE) {
            struct ref_counts inner = {0};
            if (!ref_validate_in(field.message, content, content_size, depth + 1, &inner)) {
                return false;
            }
            inner.resources += ref_is_resource(field.message);
            inner.items += ref_is_item(field.message);
            counts->resources += inner.resources;
            counts->old_scopes |= inner.old_scopes;
            if (part.number == 1000) {
                counts->old_scopes = true;
                old_items += inner.items;
            } else {
                scopes |= ref_is_resource(type) && part.number == 2;
                items = inner.items + (ref_is_data(field.message) ? 0 : items);
            }
        }
        at += part.total;
    }
    counts->items += items + (scopes ? 0 : old_items);
    return true;
}

static inline bool
ref_validate(enum ref_type request, const uint8_t *data, size_t size, struct ref_counts *ret_counts)
{
    *ret_counts = (struct ref_counts){0};
    return ref_validate_in(request, data, size, 1, ret_counts);
}

static inline size_t ref_put_varint(uint8_t *out, uint64_t value)
{
    size_t size = 0;
    for (; value >= 0x80; value >>= 7) {
        out[size++] = (uint8_t)(value | 0x80);
    }
    out[size++] = (uint8_t)value;
    return size;
}

/* Whether a message of this field is there once at most, and occurrences mean their merge. */
static inline bool ref_is_singular(enum ref_type message)
{
    return message == REF_RESOURCE || message == REF_SCOPE || message == REF_STATUS
           || message == REF_BUCKETS;
}

/* Whether another member of the same metric's oneof stands behind this part. */
static inline bool ref_is_forgotten(const uint8_t *data, size_t size)
{
    struct ref_part part;
    for (size_t at = 0; at < size && ref_read(data + at, size - at, &part); at += part.total) {
        if (at > 0 && ref_is_data(ref_look_up(REF_METRIC, part.number).message)) {
            return true;
        }
    }
    return false;
}

/* Rewrites a valid message so that it says the same in the plainest way: shortest tags and lengths, and
 * each singular message once, its occurrences joined where the first stood; of a metric's oneof the last
 * member. (protobuf-c 1.4 wants short lengths, and loses scalars when it merges.) out has room for size bytes. @return bytes written */
static inline size_t ref_plain(enum ref_type type, const uint8_t *data, size_t size, uint8_t *out)
{
    uint8_t *joined = malloc(2 * size + 2);
    uint8_t *inner = joined + size + 1;
    uint64_t seen = 0;
    size_t written = 0;
    for (size_t at = 0; at < size;) {
        struct ref_part part;
        ref_read(data + at, size - at, &part);
        enum ref_type message = ref_look_up(type, part.number).message;
        const uint8_t *content = data + at + part.head;
        size_t content_size = part.total - part.head;
        bool singular =
            ref_is_singular(message)
            || (message == REF_ANY_VALUE && (type == REF_KEY_VALUE || type == REF_LOG_RECORD));
        if (type == REF_METRIC && ref_is_data(message) && ref_is_forgotten(data + at, size - at)) {
            at += part.total;
            continue;
        }
        if (singular && (seen >> part.number & 1) != 0) {
            at += part.total;
            continue;
        }
        if (singular) {
            seen |= UINT64_C(1) << part.number;
            content_size = 0;
            for (size_t other = at; other < size;) {
                struct ref_part again;
                ref_read(data + other, size - other, &again);
                if (again.number == part.number) {
                    memcpy(
                        joined + content_size, data + other + again.head, again.total - again.head
                    );
                    content_size += again.total - again.head;
                }
                other += again.total;
            }
            content = joined;
        }
        if (message != REF_NONE) {
            content_size = ref_plain(message, content, content_size, inner);
            content = inner;
        }
        written += ref_put_varint(out + written, part.number << 3 | part.wire);
        if (part.wire == 2) {
            written += ref_put_varint(out + written, content_size);
        }
        memcpy(out + written, content, content_size);
        written += content_size;
        at += part.total;
    }
    free(joined);
    return written;
}

enum ref_order {
    REF_ASCENDING,
    REF_DESCENDING, // elements of a repeated field keep their order, as the Collector writes them
    REF_RANDOM,     // between fields; those of one number keep their order
};

#define REF_PARTS_MAX 256

static inline uint32_t ref_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33);
}

/* Rewrites a valid message (at most REF_PARTS_MAX fields on a level) with its fields in another order on
 * all levels; out has room for size bytes, none become more or fewer. */
static inline void ref_reorder(
    enum ref_type type,
    const uint8_t *data,
    size_t size,
    enum ref_order order,
    uint64_t *seed,
    uint8_t *out
)
{
    struct {
        struct ref_part part;
        const uint8_t *data;
        bool done;
    } parts[REF_PARTS_MAX];
    size_t count = 0;
    for (size_t at = 0; at < size && count < REF_PARTS_MAX; count++) {
        ref_read(data + at, size - at, &parts[count].part);
        parts[count].data = data + at;
        parts[count].done = false;
        at += parts[count].part.total;
    }
    for (size_t written = 0; written < count; written++) {
        size_t pick = count;
        if (order == REF_RANDOM) {
            size_t wanted = ref_random(seed) % count;
            while (parts[wanted].done) {
                wanted = (wanted + 1) % count;
            }
            // The first of this number that is left.
            for (size_t i = 0; pick == count; i++) {
                pick =
                    !parts[i].done && parts[i].part.number == parts[wanted].part.number ? i : pick;
            }
        } else {
            for (size_t i = 0; i < count; i++) {
                if (parts[i].done) {
                    continue;
                }
                bool before =
                    pick == count
                    || (order == REF_ASCENDING ? parts[i].part.number < parts[pick].part.number
                                               : parts[i].part.number > parts[pick].part.number);
                pick = before ? i : pick;
            }
        }
        const struct ref_part *part = &parts[pick].part;
        enum ref_type inner = ref_look_up(type, part->number).message;
        memcpy(out, parts[pick].data, part->total);
        if (inner != REF_NONE) {
            ref_reorder(
                inner,
                parts[pick].data + part->head,
                part->total - part->head,
                order,
                seed,
                out + part->head
            );
        }
        parts[pick].done = true;
        out += part->total;
    }
}

#endif
