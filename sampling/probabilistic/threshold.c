#include "sampling/probabilistic/threshold.h"

#include <math.h>

#define HEX_BITS 4

#define BUCKETS      0x4000u
#define BUCKETS_BITS 14

#define FNV32_BASIS 0x811c9dc5u
#define FNV32_PRIME 0x01000193u

bool sw_threshold_of(double probability, int precision, uint64_t *ret_threshold)
{
    int exponent_kept;
    int exponent_lost;
    if (!(probability >= SW_PROBABILITY_MIN && probability <= 1)) {
        return false;
    }
    if (probability == 1) {
        *ret_threshold = SW_THRESHOLD_ALWAYS;
        return true;
    }
    // Leading zeros, or f's, are no significant digits.
    (void)frexp(probability, &exponent_kept);
    (void)frexp(1 - probability, &exponent_lost);
    int digits =
        SW_MAX(precision + exponent_kept / -HEX_BITS, precision + exponent_lost / -HEX_BITS);
    digits = SW_MIN(digits, SW_THRESHOLD_DIGITS);
    uint64_t threshold = SW_THRESHOLD_NEVER - (uint64_t)round(probability * 0x1p56);
    int shift = HEX_BITS * (SW_THRESHOLD_DIGITS - digits);
    if (shift > 0) {
        threshold = (threshold + (UINT64_C(1) << (shift - 1))) >> shift << shift;
    }
    *ret_threshold = threshold;
    return true;
}

double sw_threshold_probability(uint64_t threshold)
{
    return (double)(SW_THRESHOLD_NEVER - threshold) / 0x1p56;
}

/* ---- texts ---- */

static bool parse_hex(struct sw_bytes text, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        uint8_t lower = byte | 0x20;
        bool digit = byte >= '0' && byte <= '9';
        if (!digit && !(lower >= 'a' && lower <= 'f')) {
            return false;
        }
        value = value << HEX_BITS | (uint64_t)(digit ? byte - '0' : lower - 'a' + 10);
    }
    *ret_value = value;
    return true;
}

bool sw_threshold_parse(struct sw_bytes text, uint64_t *ret_threshold)
{
    uint64_t value;
    if (text.size == 0 || text.size > SW_THRESHOLD_DIGITS || !parse_hex(text, &value)) {
        return false;
    }
    *ret_threshold = value << (HEX_BITS * (SW_THRESHOLD_DIGITS - text.size));
    return true;
}

bool sw_randomness_parse(struct sw_bytes text, uint64_t *ret_randomness)
{
    return text.size == SW_THRESHOLD_DIGITS && parse_hex(text, ret_randomness);
}

size_t sw_randomness_format(uint64_t randomness, char text[SW_THRESHOLD_DIGITS])
{
    for (unsigned i = 0; i < SW_THRESHOLD_DIGITS; i++) {
        unsigned shift = HEX_BITS * (SW_THRESHOLD_DIGITS - 1 - i);
        text[i] = "0123456789abcdef"[randomness >> shift & 15];
    }
    return SW_THRESHOLD_DIGITS;
}

size_t sw_threshold_format(uint64_t threshold, char text[SW_THRESHOLD_DIGITS])
{
    if (threshold >= SW_THRESHOLD_NEVER) {
        return 0;
    }
    size_t size = sw_randomness_format(threshold, text);
    while (size > 1 && text[size - 1] == '0') {
        size--;
    }
    return size;
}

/* ---- randomness ---- */

uint64_t sw_randomness_of_trace(const uint8_t *trace_id)
{
    uint64_t value = 0;
    for (unsigned i = 9; i < 16; i++) {
        value = value << 8 | trace_id[i];
    }
    return value;
}

static uint32_t fnv32(uint32_t hash, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ bytes[i]) * FNV32_PRIME;
    }
    return hash;
}

/* Most significant bits first: 14 that decide as the older comparison of a bucket with a rate did, 28 of a
 * mixture of those that it did not use, 14 of the bucket itself. */
uint64_t sw_randomness_of_bytes(struct sw_bytes bytes, uint32_t seed)
{
    uint8_t salt[4];
    for (unsigned i = 0; i < sizeof(salt); i++) {
        salt[i] = (uint8_t)(seed >> (8 * i));
    }
    uint32_t hash = fnv32(fnv32(FNV32_BASIS, salt, sizeof(salt)), bytes.data, bytes.size);
    uint64_t bucket = hash & (BUCKETS - 1);
    uint64_t unused = hash >> (32 - BUCKETS_BITS);
    uint64_t mixed = unused ^ unused << 10;
    return (BUCKETS - 1 - bucket) << 42 | mixed << 14 | bucket;
}
