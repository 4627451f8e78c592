// gzip (RFC 1952): members, as Go's compress/gzip takes them.
#include "dataplane/base/assert.h"
#include "dataplane/l7_http/codec_internal.h"

#include <libdeflate.h>

static const char why_header[] = "gzip: invalid header";
static const char why_short[] = "unexpected EOF";

enum { // flags of a member, RFC 1952 §2.3.1
    HAS_HEADER_CRC = 1 << 1,
    HAS_EXTRA = 1 << 2,
    HAS_NAME = 1 << 3,
    HAS_COMMENT = 1 << 4,
};

#define HEADER_BYTES  10
#define TRAILER_BYTES 8
#define STRING_MAX    511 // Go's buffer for a name

// Steps over a string that ends in NUL.
static int skip_string(struct codec_opening *opening)
{
    size_t left = codec_left(opening);
    const uint8_t *begin = opening->data + opening->at;
    const uint8_t *end = memchr(begin, 0, SW_MIN(left, (size_t)STRING_MAX + 1));
    if (end == NULL) {
        return sw_codec_malformed(opening, left > STRING_MAX ? why_header : why_short);
    }
    opening->at += (size_t)(end - begin) + 1;
    return SW_OK;
}

static int skip_extra(struct codec_opening *opening)
{
    const uint8_t *len = opening->data + opening->at;
    int err = sw_codec_skip(opening, 2);
    return err == SW_OK ? sw_codec_skip(opening, codec_little(len, 2)) : err;
}

static int check_header_crc(struct codec_opening *opening, size_t begin)
{
    const uint8_t *crc = opening->data + opening->at;
    uint32_t real = libdeflate_crc32(0, opening->data + begin, opening->at - begin) & 0xffff;
    int err = sw_codec_skip(opening, 2);
    if (err == SW_OK && codec_little(crc, 2) != real) {
        return sw_codec_malformed(opening, why_header);
    }
    return err;
}

static int read_header(struct codec_opening *opening)
{
    size_t begin = opening->at;
    const uint8_t *head = opening->data + begin;
    if (codec_left(opening) < HEADER_BYTES) {
        return sw_codec_malformed(opening, opening->size == begin ? "EOF" : why_short);
    }
    if (head[0] != 0x1f || head[1] != 0x8b || head[2] != 8) {
        return sw_codec_malformed(opening, why_header);
    }
    opening->at += HEADER_BYTES;
    int err = SW_OK;
    if ((head[3] & HAS_EXTRA) != 0) {
        err = skip_extra(opening);
    }
    if (err == SW_OK && (head[3] & HAS_NAME) != 0) {
        err = skip_string(opening);
    }
    if (err == SW_OK && (head[3] & HAS_COMMENT) != 0) {
        err = skip_string(opening);
    }
    if (err == SW_OK && (head[3] & HAS_HEADER_CRC) != 0) {
        err = check_header_crc(opening, begin);
    }
    return err;
}

static int read_member(struct codec_opening *opening)
{
    size_t out = 0;
    int err = sw_codec_inflate(opening, &out);
    if (err != SW_OK) {
        return err;
    }
    const uint8_t *trailer = opening->data + opening->at;
    const uint8_t *bytes = opening->buf->data + opening->buf->size - out;
    err = sw_codec_skip(opening, TRAILER_BYTES);
    if (err != SW_OK) {
        return err;
    }
    if (codec_little(trailer, 4) != libdeflate_crc32(0, bytes, out)
        || codec_little(trailer + 4, 4) != (uint32_t)out) {
        return sw_codec_malformed(opening, "gzip: invalid checksum");
    }
    return SW_OK;
}

int sw_codec_open_gzip(struct codec_opening *opening)
{
    int err = read_header(opening);
    if (err != SW_OK) {
        opening->at_header = true;
        return err;
    }
    err = sw_codec_first_room(opening);
    while (err == SW_OK) {
        err = read_member(opening);
        if (err != SW_OK || codec_left(opening) == 0) {
            break;
        }
        // What follows a member is another one, or an error: never ignored.
        err = read_header(opening);
    }
    return err;
}

uint32_t sw_codec_crc32(uint32_t crc, const void *data, size_t size)
{
    return libdeflate_crc32(crc, data, size);
}
