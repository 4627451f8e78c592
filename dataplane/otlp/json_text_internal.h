/* Texts of JSON, eight bytes at a time. */
#ifndef SW_OTLP_JSON_TEXT_INTERNAL_H
#define SW_OTLP_JSON_TEXT_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* A byte that does not stand for itself in a JSON string: a quote, a backslash, a control character. */
static inline bool sw_json_is_special(uint8_t byte)
{
    return byte == '"' || byte == '\\' || byte < 0x20;
}

#define SW_JSON_ONES UINT64_C(0x0101010101010101)
#define SW_JSON_HIGH UINT64_C(0x8080808080808080)

static inline uint64_t sw_json_word(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* High bits where a byte is `byte`. Exact for the lowest; above it there may be too many. */
static inline uint64_t sw_json_equal_bytes(uint64_t word, uint8_t byte)
{
    uint64_t other = word ^ (SW_JSON_ONES * byte);
    return (other - SW_JSON_ONES) & ~other & SW_JSON_HIGH;
}

/* The first special byte of [at, end); end: none. */
static inline const uint8_t *sw_json_clean_end(const uint8_t *at, const uint8_t *end)
{
    for (; end - at >= 8; at += 8) {
        uint64_t word = sw_json_word(at);
        uint64_t controls = (word - SW_JSON_ONES * 0x20) & ~word & SW_JSON_HIGH;
        uint64_t quotes = sw_json_equal_bytes(word, '"') | sw_json_equal_bytes(word, '\\');
        uint64_t found = quotes | controls;
        if (found != 0) {
            return at + (__builtin_ctzll(found) >> 3);
        }
    }
    while (at < end && !sw_json_is_special(*at)) {
        at++;
    }
    return at;
}

#endif
