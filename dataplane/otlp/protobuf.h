/* Reading and writing the protobuf wire format, without objects and without allocation.
 *
 * The reader carries a sticky error: read on, look once at the end. After an error it stands at the
 * end of its bytes and every read gives zero, so loops over it stop. It is memory safe on any bytes.
 * Values on the caller's memory, any thread.
 *
 * Wire rules are the Collector's (v0.159 pdata/internal/proto/unmarshal.go), stricter in two points so
 * that what we pass on is what every protobuf library reads: groups are refused wherever they stand
 * (the Collector lets empty and unfinished ones pass), and so is a tag above 32 bits (the Collector
 * cuts the field number to 32 bits).
 */
#ifndef SW_OTLP_PROTOBUF_H
#define SW_OTLP_PROTOBUF_H

#include "dataplane/base/assert.h"
#include "dataplane/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** A borrowed byte range. data may be NULL when size is 0. */
struct sw_bytes {
    const uint8_t *data;
    size_t size;
};

/** Of a string literal. */
#define SW_BYTES(literal) ((struct sw_bytes){(const uint8_t *)(literal), sizeof(literal) - 1})

static inline bool sw_bytes_equal(struct sw_bytes a, struct sw_bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

enum sw_pb_wire {
    SW_PB_VARINT = 0,
    SW_PB_I64 = 1,
    SW_PB_LEN = 2,
    SW_PB_START_GROUP = 3,
    SW_PB_END_GROUP = 4,
    SW_PB_I32 = 5,
};

/** Field number and wire type as they stand on the wire, decoded. */
#define SW_PB_TAG(field, wire) (((uint32_t)(field) << 3) | (uint32_t)(wire))

#define SW_PB_VARINT_MAX 10 /**< bytes */

enum sw_pb_error {
    SW_PB_OK,
    SW_PB_TRUNCATED,     /**< bytes end within a field, or a length runs past the end */
    SW_PB_OVERFLOW,      /**< varint longer than 10 bytes */
    SW_PB_ILLEGAL_FIELD, /**< field number 0, or a tag above 32 bits */
    SW_PB_GROUP,         /**< wire type 3 or 4 */
    SW_PB_ILLEGAL_WIRE,  /**< wire type 6 or 7 */
};

/** In the Collector's words where it has some; never NULL. */
const char *sw_pb_error_text(enum sw_pb_error error);

struct sw_pb_reader {
    const uint8_t *at;
    const uint8_t *end;
    enum sw_pb_error error;
    const uint8_t *error_at; /**< start of the value that could not be read */
};

static inline void sw_pb_reader_init(struct sw_pb_reader *reader, struct sw_bytes bytes)
{
    // NULL + 0 is kept out of the arithmetic: C does not define it.
    static const uint8_t nothing[1];
    reader->at = bytes.data != NULL ? bytes.data : nothing;
    reader->end = reader->at + bytes.size;
    reader->error = SW_PB_OK;
    reader->error_at = NULL;
}

/** Bytes left; 0 after an error. */
static inline size_t sw_pb_left(const struct sw_pb_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

/** Notes the first error and moves to the end. */
void sw_pb_fail(struct sw_pb_reader *reader, enum sw_pb_error error, const uint8_t *at);

/** 0 or SW_E_MALFORMED: whether everything so far could be read. */
static inline int sw_pb_status(const struct sw_pb_reader *reader)
{
    return reader->error == SW_PB_OK ? SW_OK : SW_E_MALFORMED;
}

/** The general case of sw_pb_varint. */
uint64_t sw_pb_varint_slow(struct sw_pb_reader *reader);

/** A varint of up to 10 bytes; surplus bits of the tenth are lost, as in the Collector. */
static inline uint64_t sw_pb_varint(struct sw_pb_reader *reader)
{
    const uint8_t *at = reader->at;
    if (SW_LIKELY(reader->end - at >= 2)) {
        if (at[0] < 0x80) {
            reader->at = at + 1;
            return at[0];
        }
        if (at[1] < 0x80) {
            reader->at = at + 2;
            return (uint32_t)(at[0] & 0x7f) | (uint32_t)at[1] << 7;
        }
    }
    return sw_pb_varint_slow(reader);
}

/** The tag of the next field; 0 after an error (no field has that tag). */
uint32_t sw_pb_tag(struct sw_pb_reader *reader);

static inline uint64_t sw_pb_i64(struct sw_pb_reader *reader)
{
    if (SW_UNLIKELY(sw_pb_left(reader) < 8)) {
        sw_pb_fail(reader, SW_PB_TRUNCATED, reader->at);
        return 0;
    }
    uint64_t value;
    memcpy(&value, reader->at, 8);
    reader->at += 8;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

static inline uint32_t sw_pb_i32(struct sw_pb_reader *reader)
{
    if (SW_UNLIKELY(sw_pb_left(reader) < 4)) {
        sw_pb_fail(reader, SW_PB_TRUNCATED, reader->at);
        return 0;
    }
    uint32_t value;
    memcpy(&value, reader->at, 4);
    reader->at += 4;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap32(value);
#endif
    return value;
}

/** A length and the bytes it announces; empty after an error. */
static inline struct sw_bytes sw_pb_len(struct sw_pb_reader *reader)
{
    const uint8_t *begin = reader->at;
    uint64_t size = sw_pb_varint(reader);
    if (SW_UNLIKELY(size > sw_pb_left(reader))) {
        sw_pb_fail(reader, SW_PB_TRUNCATED, begin);
        size = 0;
    }
    struct sw_bytes bytes = {reader->at, (size_t)size};
    reader->at += size;
    return bytes;
}

/** Passes over the value of a field whose tag was read. */
void sw_pb_skip(struct sw_pb_reader *reader, uint32_t tag);

/** One whole field. Which of number and bytes holds the value is a matter of the tag's wire type. */
struct sw_pb_field {
    uint32_t tag;
    uint64_t number;       /**< varint, I64, I32 */
    struct sw_bytes bytes; /**< LEN */
    struct sw_bytes whole; /**< tag, length and value */
};

/** The general case of sw_pb_next. */
bool sw_pb_next_slow(struct sw_pb_reader *reader, struct sw_pb_field *ret_field);

/** The next field. @return false at the end and after an error (sw_pb_status tells which) */
static inline bool sw_pb_next(struct sw_pb_reader *reader, struct sw_pb_field *ret_field)
{
    const uint8_t *at = reader->at;
    // Most fields are length-delimited, with a tag of one byte and a length of one or two.
    if (SW_LIKELY(reader->end - at >= 3 && (at[0] & 0x87) == SW_PB_LEN && at[0] > 7)) {
        size_t size = at[1];
        const uint8_t *value = at + 2;
        if (size >= 0x80) {
            size = (size & 0x7f) | (size_t)at[2] << 7;
            value = at + 3;
        }
        if (SW_LIKELY((value == at + 2 || at[2] < 0x80) && size <= (size_t)(reader->end - value))) {
            ret_field->tag = at[0];
            ret_field->number = 0;
            ret_field->bytes = (struct sw_bytes){value, size};
            reader->at = value + size;
            ret_field->whole = (struct sw_bytes){at, (size_t)(reader->at - at)};
            return true;
        }
    }
    return sw_pb_next_slow(reader, ret_field);
}

/** All occurrences of a length-delimited field, joined: what a singular submessage that is given more
 * than once stands for (protobuf merges, and joining serialized messages is merging).
 *
 * @param out  at least `bytes.size` bytes; NULL only measures
 * @return bytes of the joined message
 */
size_t sw_pb_gather(struct sw_bytes bytes, uint32_t tag, uint8_t *out);

/* ---- writing: the caller has made sure of the room ---- */

/** Bytes of a varint, 1 to 10. */
static inline size_t sw_pb_varint_size(uint64_t value)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1);
    return (bits + 6) / 7;
}

/** Bytes of a length-delimited field with this tag and content. */
static inline size_t sw_pb_len_size(uint32_t tag, uint64_t size)
{
    return sw_pb_varint_size(tag) + sw_pb_varint_size(size) + (size_t)size;
}

/** @return behind what was written; so do all sw_pb_put_* */
static inline uint8_t *sw_pb_put_varint(uint8_t *out, uint64_t value)
{
    while (value >= 0x80) {
        *out++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *out++ = (uint8_t)value;
    return out;
}

/** Tag and length of a length-delimited field; the content comes next. */
static inline uint8_t *sw_pb_put_head(uint8_t *out, uint32_t tag, uint64_t size)
{
    return sw_pb_put_varint(sw_pb_put_varint(out, tag), size);
}

static inline uint8_t *sw_pb_put_bytes(uint8_t *out, uint32_t tag, struct sw_bytes bytes)
{
    out = sw_pb_put_head(out, tag, bytes.size);
    if (bytes.size > 0) {
        memcpy(out, bytes.data, bytes.size);
    }
    return out + bytes.size;
}

static inline uint8_t *sw_pb_put_i32(uint8_t *out, uint32_t tag, uint32_t value)
{
    out = sw_pb_put_varint(out, tag);
    for (unsigned i = 0; i < 4; i++) {
        *out++ = (uint8_t)(value >> (8 * i));
    }
    return out;
}

static inline uint8_t *sw_pb_put_i64(uint8_t *out, uint32_t tag, uint64_t value)
{
    out = sw_pb_put_varint(out, tag);
    for (unsigned i = 0; i < 8; i++) {
        *out++ = (uint8_t)(value >> (8 * i));
    }
    return out;
}

#endif
