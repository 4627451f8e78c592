/* Routing keys other than the trace ID (contrib v0.159: loadbalancingexporter, pkg/pdatautil, internal/exp/metrics/identity). */
#include "dataplane/balance/balance_internal.h"
#include "dataplane/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Deeper than validated bytes can be nested.
#define DEPTH_MAX 128

void sw_key_fini(struct key *key)
{
    sw_free(key->data);
    sw_value_text_fini(&key->text);
}

void sw_key_clear(struct key *key)
{
    key->size = 0;
    key->failed = false;
}

void sw_key_put(struct key *key, const void *data, size_t size)
{
    if (key->failed || size == 0) {
        return;
    }
    if (size > key->capacity - key->size) {
        size_t wanted = SW_MAX(2 * key->capacity, key->size + size + 64);
        uint8_t *larger = sw_realloc(key->data, wanted);
        if (larger == NULL) {
            key->failed = true;
            return;
        }
        key->data = larger;
        key->capacity = wanted;
    }
    memcpy(key->data + key->size, data, size);
    key->size += size;
}

static void put_byte(struct key *key, uint8_t byte)
{
    sw_key_put(key, &byte, 1);
}

void sw_key_put_named(struct key *key, const char *name, const struct sw_any *value)
{
    sw_key_put(key, name, strlen(name));
    put_byte(key, '=');
    if (value != NULL) {
        if (sw_value_text_set(&key->text, value) != SW_OK) {
            key->failed = true;
        }
        sw_key_put(key, key->text.data, key->text.size);
    }
    put_byte(key, '|');
}

/* ---- XXH64, as its specification has it ---- */

#define PRIME_1 UINT64_C(0x9e3779b185ebca87)
#define PRIME_2 UINT64_C(0xc2b2ae3d27d4eb4f)
#define PRIME_3 UINT64_C(0x165667b19e3779f9)
#define PRIME_4 UINT64_C(0x85ebca77c2b2ae63)
#define PRIME_5 UINT64_C(0x27d4eb2f165667c5)

static uint64_t rotated(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static uint64_t little_64(const uint8_t *at)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < 8; i++) {
        value |= (uint64_t)at[i] << (8 * i);
    }
    return value;
}

static uint64_t mixed(uint64_t lane, uint64_t input)
{
    return rotated(lane + input * PRIME_2, 31) * PRIME_1;
}

static uint64_t xxh64_end(uint64_t hash, const uint8_t *at, size_t left)
{
    for (; left >= 8; left -= 8, at += 8) {
        hash = rotated(hash ^ mixed(0, little_64(at)), 27) * PRIME_1 + PRIME_4;
    }
    if (left >= 4) {
        uint64_t value =
            at[0] | (uint64_t)at[1] << 8 | (uint64_t)at[2] << 16 | (uint64_t)at[3] << 24;
        hash = rotated(hash ^ value * PRIME_1, 23) * PRIME_2 + PRIME_3;
        at += 4;
        left -= 4;
    }
    for (; left > 0; left--, at++) {
        hash = rotated(hash ^ *at * PRIME_5, 11) * PRIME_1;
    }
    hash = (hash ^ hash >> 33) * PRIME_2;
    hash = (hash ^ hash >> 29) * PRIME_3;
    return hash ^ hash >> 32;
}

static uint64_t xxh64(const uint8_t *data, size_t size)
{
    if (size < 32) {
        return xxh64_end(PRIME_5 + size, data, size);
    }
    uint64_t lanes[4] = {PRIME_1 + PRIME_2, PRIME_2, 0, 0 - PRIME_1};
    size_t left = size;
    for (; left >= 32; left -= 32, data += 32) {
        for (unsigned i = 0; i < 4; i++) {
            lanes[i] = mixed(lanes[i], little_64(data + 8 * (size_t)i));
        }
    }
    uint64_t hash =
        rotated(lanes[0], 1) + rotated(lanes[1], 7) + rotated(lanes[2], 12) + rotated(lanes[3], 18);
    for (unsigned i = 0; i < 4; i++) {
        hash = (hash ^ mixed(0, lanes[i])) * PRIME_1 + PRIME_4;
    }
    return xxh64_end(hash + size, data, left);
}

/* ---- the hash of a map ---- */

static void put_value(struct key *key, const struct sw_any *value, unsigned depth);

static int by_key(const void *a, const void *b)
{
    const struct sw_attribute *one = a;
    const struct sw_attribute *other = b;
    size_t size = SW_MIN(one->key.size, other->key.size);
    int order = size > 0 ? memcmp(one->key.data, other->key.data, size) : 0;
    return order != 0 ? order
                      : (one->key.size > other->key.size) - (one->key.size < other->key.size);
}

// @return how many attributes there are
static size_t put_map(struct key *key, struct sw_bytes message, uint32_t tag, unsigned depth)
{
    struct sw_attribute_iter iter;
    struct sw_attribute attribute;
    size_t count = 0;
    sw_attribute_iter_init(&iter, message, tag);
    while (sw_attribute_next(&iter, &attribute)) {
        count++;
    }
    if (count == 0) {
        return 0;
    }
    struct sw_attribute *sorted = sw_alloc(count * sizeof(*sorted));
    if (sorted == NULL) {
        key->failed = true;
        return count;
    }
    sw_attribute_iter_init(&iter, message, tag);
    for (size_t i = 0; i < count && sw_attribute_next(&iter, &sorted[i]); i++) {
    }
    qsort(sorted, count, sizeof(*sorted), by_key);
    for (size_t i = 0; i < count; i++) {
        put_byte(key, 0xf4);
        sw_key_put(key, sorted[i].key.data, sorted[i].key.size);
        put_value(key, &sorted[i].value, depth + 1);
    }
    sw_free(sorted);
    return count;
}

static void put_list(struct key *key, struct sw_bytes list, unsigned depth)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    put_byte(key, 0xfe);
    sw_pb_reader_init(&reader, list);
    while (sw_pb_next(&reader, &field)) {
        struct sw_any value = {.type = SW_ANY_EMPTY};
        if (field.tag == SW_PB_TAG(1, SW_PB_LEN) && sw_any_read(field.bytes, &value)) {
            put_value(key, &value, depth + 1);
        }
    }
    put_byte(key, 0xff);
}

static void put_number(struct key *key, uint8_t mark, uint64_t bits)
{
    uint8_t bytes[9] = {mark};
    for (unsigned i = 0; i < 8; i++) {
        bytes[1 + i] = (uint8_t)(bits >> (8 * i));
    }
    sw_key_put(key, bytes, sizeof(bytes));
}

static void put_value(struct key *key, const struct sw_any *value, unsigned depth)
{
    uint64_t bits;
    switch (depth < DEPTH_MAX ? value->type : SW_ANY_EMPTY) {
    case SW_ANY_STRING:
        put_byte(key, 0xf7);
        sw_key_put(key, value->bytes.data, value->bytes.size);
        break;
    case SW_ANY_BOOL:
        put_byte(key, value->boolean ? 0xf8 : 0xf9);
        break;
    case SW_ANY_INT:
        put_number(key, 0xfa, (uint64_t)value->integer);
        break;
    case SW_ANY_DOUBLE:
        memcpy(&bits, &value->number, sizeof(bits));
        put_number(key, 0xfb, bits);
        break;
    case SW_ANY_MAP:
        put_byte(key, 0xfc);
        put_map(key, value->bytes, SW_KVLIST_VALUES, depth);
        put_byte(key, 0xfd);
        break;
    case SW_ANY_ARRAY:
        put_list(key, value->bytes, depth);
        break;
    case SW_ANY_BYTES:
        put_byte(key, 0xf6);
        sw_key_put(key, value->bytes.data, value->bytes.size);
        break;
    default:
        put_byte(key, 0xf5);
        break;
    }
}

/* ---- identities ---- */

void sw_identity_begin(struct identity *identity)
{
    identity->hash = UINT64_C(0xcbf29ce484222325);
}

void sw_identity_add(struct identity *identity, const void *data, size_t size)
{
    const uint8_t *at = data;
    for (size_t i = 0; i < size; i++) {
        identity->hash = (identity->hash ^ at[i]) * UINT64_C(0x100000001b3);
    }
}

int sw_identity_add_attributes(
    struct identity *identity,
    struct key *scratch,
    struct sw_bytes message,
    uint32_t tag
)
{
    uint8_t sum[16] = {0};
    sw_key_clear(scratch);
    if (put_map(scratch, message, tag, 0) > 0) {
        uint64_t first = xxh64(scratch->data, scratch->size);
        put_byte(scratch, 0xf3);
        uint64_t second = xxh64(scratch->data, scratch->size);
        for (unsigned i = 0; i < 8; i++) {
            sum[i] = (uint8_t)(first >> (8 * i));
            sum[8 + i] = (uint8_t)(second >> (8 * i));
        }
    }
    sw_identity_add(identity, sum, sizeof(sum));
    return scratch->failed ? SW_E_NOMEM : SW_OK;
}

void sw_key_set_identity(struct key *key, const char *prefix, const struct identity *identity)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "%s%llx", prefix, (unsigned long long)identity->hash);
    sw_key_clear(key);
    sw_key_put(key, text, (size_t)len);
}
