/* A second opinion on trace bytes for tests: written from the wire tables alone, field by field, without any
 * shortcut, and shared with nothing in the product. It says whether a request is valid and how many spans
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
    REF_NONE, // no message
};

/* What a field is: its wire type, the length of an ID, the message in it. */
struct ref_field {
    int wire; // -1: not known
    unsigned id_size;
    enum ref_type message;
};

static inline struct ref_field ref_look_up(enum ref_type type, uint64_t number)
{
    // One letter a field, from field 1 on: v varint, 8 fixed64, 4 fixed32, b bytes, T and S IDs, capital
    // letters below messages.
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
    };
    char letter = '-';
    if (number >= 1 && number <= strlen(fields[type])) {
        letter = fields[type][number - 1];
    } else if (type == REF_RESOURCE_SPANS && number == 1000) {
        letter = 'C';
    }
    switch (letter) {
    case 'v':
        return (struct ref_field){0, 0, REF_NONE};
    case '8':
        return (struct ref_field){1, 0, REF_NONE};
    case '4':
        return (struct ref_field){5, 0, REF_NONE};
    case 'b':
        return (struct ref_field){2, 0, REF_NONE};
    case 'T':
        return (struct ref_field){2, 16, REF_NONE};
    case 'S':
        return (struct ref_field){2, 8, REF_NONE};
    case 'R':
        return (struct ref_field){2, 0, REF_RESOURCE_SPANS};
    case 'O':
        return (struct ref_field){2, 0, REF_RESOURCE};
    case 'C':
        return (struct ref_field){2, 0, REF_SCOPE_SPANS};
    case 'c':
        return (struct ref_field){2, 0, REF_SCOPE};
    case 'P':
        return (struct ref_field){2, 0, REF_SPAN};
    case 'K':
        return (struct ref_field){2, 0, REF_KEY_VALUE};
    case 'E':
        return (struct ref_field){2, 0, REF_EVENT};
    case 's':
        return (struct ref_field){2, 0, REF_STATUS};
    case 'Y':
        return (struct ref_field){2, 0, REF_ENTITY_REF};
    case 'A':
        return (struct ref_field){2, 0, REF_ANY_VALUE};
    case 'I':
        return (struct ref_field){2, 0, REF_ARRAY};
    case 'L':
        return (struct ref_field){2, 0, type == REF_SPAN ? REF_LINK : REF_KV_LIST};
    default:
        return (struct ref_field){-1, 0, REF_NONE};
    }
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
    unsigned spans; // after migration of field 1000
    bool old_scopes;
};

#define REF_DEPTH_MAX 100

static inline bool ref_validate_in(
    enum ref_type type,
    const uint8_t *data,
    size_t size,
    unsigned depth,
    struct ref_counts *counts
)
{
    unsigned spans = 0;
    unsigned old_spans = 0;
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
        if (field.wire >= 0 && field.wire != (int)part.wire) {
            return false;
        }
        if (field.id_size > 0 && content_size != 0 && content_size != field.id_size) {
            return false;
        }
        if (field.message != REF_NONE) {
            struct ref_counts inner = {0};
            if (!ref_validate_in(field.message, content, content_size, depth + 1, &inner)) {
                return false;
            }
            inner.resources += field.message == REF_RESOURCE_SPANS;
            inner.spans += field.message == REF_SPAN;
            counts->resources += inner.resources;
            counts->old_scopes |= inner.old_scopes;
            if (part.number == 1000) {
                counts->old_scopes = true;
                old_spans += inner.spans;
            } else {
                scopes |= field.message == REF_SCOPE_SPANS;
                spans += inner.spans;
            }
        }
        at += part.total;
    }
    counts->spans += spans + (scopes ? 0 : old_spans);
    return true;
}

static inline bool ref_validate(const uint8_t *data, size_t size, struct ref_counts *ret_counts)
{
    *ret_counts = (struct ref_counts){0};
    return ref_validate_in(REF_REQUEST, data, size, 1, ret_counts);
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
    return message == REF_RESOURCE || message == REF_SCOPE || message == REF_STATUS;
}

/* Rewrites a valid message so that it says the same in the plainest way: shortest tags and lengths, and
 * each singular message once, its occurrences joined where the first stood. (protobuf-c 1.4 wants short
 * lengths, and loses scalars when it merges.) out has room for size bytes. @return bytes written */
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
            ref_is_singular(message) || (type == REF_KEY_VALUE && message == REF_ANY_VALUE);
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
