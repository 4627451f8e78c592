/* Writes protobuf messages for tests, field by field; random ones of trace requests too. What it writes is
 * what is asked for, right or wrong. */
#ifndef SW_TESTS_LIB_WIRE_H
#define SW_TESTS_LIB_WIRE_H

#include "dataplane/base/rand.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define WIRE_DEPTH_MAX 128

struct wire {
    uint8_t *data;
    size_t size;
    size_t capacity;
    size_t begun[WIRE_DEPTH_MAX]; // where the contents of open messages begin
    unsigned depth;
};

static inline void wire_fini(struct wire *wire)
{
    free(wire->data);
    *wire = (struct wire){.data = NULL};
}

static inline void wire_clear(struct wire *wire)
{
    wire->size = 0;
    wire->depth = 0;
}

static inline void wire_raw(struct wire *wire, const void *data, size_t size)
{
    if (wire->size + size + 1 > wire->capacity) {
        wire->capacity = 2 * wire->capacity + size + 64;
        wire->data = realloc(wire->data, wire->capacity);
    }
    if (size > 0) {
        memcpy(wire->data + wire->size, data, size);
    }
    wire->size += size;
}

static inline size_t wire_encode(uint64_t value, uint8_t out[10])
{
    size_t size = 0;
    for (; value >= 0x80; value >>= 7) {
        out[size++] = (uint8_t)(value | 0x80);
    }
    out[size++] = (uint8_t)value;
    return size;
}

static inline void wire_varint(struct wire *wire, uint64_t value)
{
    uint8_t bytes[10];
    wire_raw(wire, bytes, wire_encode(value, bytes));
}

static inline void wire_number(struct wire *wire, uint32_t field, uint64_t value)
{
    wire_varint(wire, field << 3);
    wire_varint(wire, value);
}

static inline void wire_i64(struct wire *wire, uint32_t field, uint64_t value)
{
    wire_varint(wire, field << 3 | 1);
    for (unsigned i = 0; i < 8; i++) {
        uint8_t byte = (uint8_t)(value >> (8 * i));
        wire_raw(wire, &byte, 1);
    }
}

static inline void wire_i32(struct wire *wire, uint32_t field, uint32_t value)
{
    wire_varint(wire, field << 3 | 5);
    for (unsigned i = 0; i < 4; i++) {
        uint8_t byte = (uint8_t)(value >> (8 * i));
        wire_raw(wire, &byte, 1);
    }
}

static inline void wire_bytes(struct wire *wire, uint32_t field, const void *data, size_t size)
{
    wire_varint(wire, field << 3 | 2);
    wire_varint(wire, size);
    wire_raw(wire, data, size);
}

static inline void wire_text(struct wire *wire, uint32_t field, const char *text)
{
    wire_bytes(wire, field, text, strlen(text));
}

/* What follows up to wire_end is the content of a message. */
static inline void wire_begin(struct wire *wire, uint32_t field)
{
    wire_varint(wire, field << 3 | 2);
    wire->begun[wire->depth++] = wire->size;
}

static inline void wire_end(struct wire *wire)
{
    uint8_t length[10];
    size_t begun = wire->begun[--wire->depth];
    size_t size = wire->size - begun;
    size_t more = wire_encode(size, length);
    wire_raw(wire, length, more); // room
    memmove(wire->data + begun + more, wire->data + begun, size);
    memcpy(wire->data + begun, length, more);
}

/* key = text value, as an attribute in this field. */
static inline void
wire_attribute(struct wire *wire, uint32_t field, const char *key, const char *value)
{
    wire_begin(wire, field);
    wire_text(wire, 1, key);
    wire_begin(wire, 2);
    wire_text(wire, 1, value);
    wire_end(wire);
    wire_end(wire);
}

/* ---- random requests ---- */

static inline void
wire_random_bytes(struct wire *wire, uint32_t field, struct sw_rand *rand, size_t size)
{
    uint8_t bytes[512];
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)sw_rand_u64(rand);
    }
    wire_bytes(wire, field, bytes, size);
}

static inline void wire_random_text(struct wire *wire, uint32_t field, struct sw_rand *rand)
{
    // Most are short; some need a length of two bytes.
    size_t size = sw_rand_below(rand, 8) > 0 ? sw_rand_below(rand, 24) : sw_rand_below(rand, 400);
    wire_random_bytes(wire, field, rand, size);
}

static inline void wire_random_value(struct wire *wire, struct sw_rand *rand, unsigned depth)
{
    switch (sw_rand_below(rand, depth > 3 ? 6 : 10)) {
    case 0:
    case 1:
        wire_random_text(wire, 1, rand);
        break;
    case 2:
        wire_number(wire, 2, sw_rand_below(rand, 2));
        break;
    case 3:
        wire_number(wire, 3, sw_rand_u64(rand) >> sw_rand_below(rand, 64));
        break;
    case 4:
        wire_i64(wire, 4, sw_rand_u64(rand));
        break;
    case 5:
        wire_random_text(wire, 7, rand);
        break;
    case 6:
        wire_begin(wire, 5);
        for (uint64_t n = sw_rand_below(rand, 4); n > 0; n--) {
            wire_begin(wire, 1);
            wire_random_value(wire, rand, depth + 1);
            wire_end(wire);
        }
        wire_end(wire);
        break;
    case 7:
        wire_begin(wire, 6);
        for (uint64_t n = sw_rand_below(rand, 4); n > 0; n--) {
            wire_begin(wire, 1);
            wire_random_text(wire, 1, rand);
            wire_begin(wire, 2);
            wire_random_value(wire, rand, depth + 1);
            wire_end(wire);
            wire_end(wire);
        }
        wire_end(wire);
        break;
    case 8:
        wire_number(wire, 8, sw_rand_below(rand, 1000));
        break;
    default:
        break; // no member at all
    }
}

static inline void wire_random_attributes(struct wire *wire, uint32_t field, struct sw_rand *rand)
{
    for (uint64_t n = sw_rand_below(rand, 5); n > 0; n--) {
        wire_begin(wire, field);
        wire_random_text(wire, 1, rand);
        if (sw_rand_below(rand, 10) > 0) {
            wire_begin(wire, 2);
            wire_random_value(wire, rand, 0);
            wire_end(wire);
        }
        if (sw_rand_below(rand, 20) == 0) {
            wire_number(wire, 3, sw_rand_below(rand, 300));
        }
        wire_end(wire);
    }
}

static inline void wire_random_unknown(struct wire *wire, struct sw_rand *rand)
{
    uint32_t field = 900 + (uint32_t)sw_rand_below(rand, 90);
    switch (sw_rand_below(rand, 12)) {
    case 0:
        wire_number(wire, field, sw_rand_u64(rand));
        break;
    case 1:
        wire_i64(wire, field, sw_rand_u64(rand));
        break;
    case 2:
        wire_random_text(wire, field, rand);
        break;
    case 3:
        wire_i32(wire, field, (uint32_t)sw_rand_u64(rand));
        break;
    default:
        break;
    }
}

static inline void
wire_random_id(struct wire *wire, uint32_t field, struct sw_rand *rand, size_t size)
{
    wire_random_bytes(wire, field, rand, sw_rand_below(rand, 12) > 0 ? size : 0);
}

static inline void wire_random_event(struct wire *wire, struct sw_rand *rand)
{
    wire_begin(wire, 11);
    wire_i64(wire, 1, sw_rand_u64(rand));
    wire_random_text(wire, 2, rand);
    wire_random_attributes(wire, 3, rand);
    wire_number(wire, 4, sw_rand_below(rand, 3));
    wire_random_unknown(wire, rand);
    wire_end(wire);
}

static inline void wire_random_link(struct wire *wire, struct sw_rand *rand)
{
    wire_begin(wire, 13);
    wire_random_id(wire, 1, rand, 16);
    wire_random_id(wire, 2, rand, 8);
    wire_random_text(wire, 3, rand);
    wire_random_attributes(wire, 4, rand);
    wire_i32(wire, 6, (uint32_t)sw_rand_u64(rand));
    wire_end(wire);
}

static inline void wire_random_span(struct wire *wire, struct sw_rand *rand)
{
    wire_begin(wire, 2);
    wire_random_id(wire, 1, rand, 16);
    wire_random_id(wire, 2, rand, 8);
    if (sw_rand_below(rand, 2) == 0) {
        wire_random_text(wire, 3, rand);
    }
    if (sw_rand_below(rand, 2) == 0) {
        wire_random_id(wire, 4, rand, 8);
    }
    wire_random_text(wire, 5, rand);
    wire_number(wire, 6, sw_rand_below(rand, 7));
    wire_i64(wire, 7, sw_rand_u64(rand));
    wire_i64(wire, 8, sw_rand_u64(rand));
    wire_random_attributes(wire, 9, rand);
    if (sw_rand_below(rand, 3) == 0) {
        wire_number(wire, 10, sw_rand_below(rand, 400));
        wire_random_event(wire, rand);
        wire_number(wire, 12, sw_rand_below(rand, 400));
        wire_random_link(wire, rand);
        wire_number(wire, 14, sw_rand_below(rand, 400));
    }
    for (uint64_t n = sw_rand_below(rand, 3); n > 0; n--) {
        wire_begin(wire, 15);
        if (sw_rand_below(rand, 2) == 0) {
            wire_random_text(wire, 2, rand);
        }
        if (sw_rand_below(rand, 2) == 0) {
            wire_number(wire, 3, sw_rand_below(rand, 4));
        }
        wire_end(wire);
    }
    if (sw_rand_below(rand, 2) == 0) {
        wire_i32(wire, 16, (uint32_t)sw_rand_u64(rand));
    }
    wire_random_unknown(wire, rand);
    wire_end(wire);
}

static inline void wire_random_scope_spans(struct wire *wire, uint32_t field, struct sw_rand *rand)
{
    wire_begin(wire, field);
    for (uint64_t n = sw_rand_below(rand, 8) > 0 ? 1 : sw_rand_below(rand, 3); n > 0; n--) {
        wire_begin(wire, 1);
        wire_random_text(wire, 1, rand);
        wire_random_text(wire, 2, rand);
        wire_random_attributes(wire, 3, rand);
        wire_number(wire, 4, sw_rand_below(rand, 3));
        wire_end(wire);
    }
    for (uint64_t n = sw_rand_below(rand, 4); n > 0; n--) {
        wire_random_span(wire, rand);
    }
    if (sw_rand_below(rand, 2) == 0) {
        wire_random_text(wire, 3, rand);
    }
    wire_random_unknown(wire, rand);
    wire_end(wire);
}

/* A valid request, with whatever is legal: empty IDs, unknown fields, repeated singular ones, field 1000. */
static inline void wire_random_request(struct wire *wire, struct sw_rand *rand)
{
    wire_clear(wire);
    for (uint64_t n = sw_rand_below(rand, 4); n > 0; n--) {
        wire_begin(wire, 1);
        for (uint64_t k = sw_rand_below(rand, 8) > 0 ? 1 : sw_rand_below(rand, 3); k > 0; k--) {
            wire_begin(wire, 1);
            wire_random_attributes(wire, 1, rand);
            wire_number(wire, 2, sw_rand_below(rand, 3));
            wire_end(wire);
        }
        for (uint64_t k = sw_rand_below(rand, 3); k > 0; k--) {
            wire_random_scope_spans(wire, 2, rand);
        }
        if (sw_rand_below(rand, 8) == 0) {
            wire_random_scope_spans(wire, 1000, rand);
        }
        if (sw_rand_below(rand, 2) == 0) {
            wire_random_text(wire, 3, rand);
        }
        wire_random_unknown(wire, rand);
        wire_end(wire);
    }
    wire_random_unknown(wire, rand);
}

#endif
