/* snappy, the block format and the framing format, as golang/snappy takes and writes them.
 *
 * Blocks are the library's business; the framing is ours: a chunk is type, 24-bit length, and for data
 * the masked CRC-32C of what comes out, then a block of at most 64 KiB, or the bytes themselves. */
#include "dataplane/base/assert.h"
#include "dataplane/base/crc32c.h"
#include "dataplane/l7_http/codec_internal.h"

#include <snappy-c.h>

static const uint8_t stream_header[] = {0xff, 6, 0, 0, 's', 'N', 'a', 'P', 'p', 'Y'};
static const char why_corrupt[] = "snappy: corrupt input";
static const char why_unsupported[] = "snappy: unsupported input";

enum chunk_type {
    CHUNK_PACKED = 0x00,
    CHUNK_PLAIN = 0x01,
    CHUNK_SKIPPABLE_MIN = 0x80, // below it, but the two above: reserved, not to be skipped
    CHUNK_HEADER = 0xff,
};

#define HEAD_BYTES     4
#define CHECKSUM_BYTES 4
#define BLOCK_BYTES    (64u << 10)
#define CHUNK_MAX      (76490 + CHECKSUM_BYTES) // a block at its worst, and the buffer of the Go library
// A copy of 64 bytes takes 3: what claims to become more than that cannot be right.
#define GROWTH_MAX 22

// RFC 3720 appendix B.4, rotated and shifted as framing_format.txt §3 says.
static uint32_t masked_crc(const uint8_t *data, size_t size)
{
    uint32_t crc = sw_crc32c(0, data, size);
    return (crc >> 15 | crc << 17) + 0xa282ead8;
}

/* ---- to read: a block ---- */

// @return SW_E_MALFORMED when the length is none, or more than the bytes can hold
static int
block_length(struct codec_opening *opening, const uint8_t *block, size_t size, size_t *ret_length)
{
    size_t length = 0;
    if (snappy_uncompressed_length((const char *)block, size, &length) != SNAPPY_OK
        || length > UINT32_MAX) {
        return sw_codec_malformed(opening, why_corrupt);
    }
    *ret_length = length;
    return SW_OK;
}

static int
read_block(struct codec_opening *opening, const uint8_t *block, size_t size, size_t length)
{
    struct sw_buf *buf = opening->buf;
    size_t out = buf->capacity - buf->size;
    if (length > size * GROWTH_MAX
        || snappy_uncompress((const char *)block, size, (char *)buf->data + buf->size, &out)
               != SNAPPY_OK) {
        return sw_codec_malformed(opening, why_corrupt);
    }
    SW_ASSERT(out == length);
    buf->size += (uint32_t)length;
    return SW_OK;
}

// Senders of old called the framing format "snappy" too.
static bool is_framed(const struct codec_opening *opening)
{
    return opening->size >= sizeof(stream_header)
           && memcmp(opening->data, stream_header, sizeof(stream_header)) == 0;
}

int sw_codec_open_snappy(struct codec_opening *opening)
{
    size_t length = 0;
    if (is_framed(opening)) {
        return sw_codec_open_snappy_framed(opening);
    }
    int err = block_length(opening, opening->data, opening->size, &length);
    if (err != SW_OK) {
        return err;
    }
    if (length > opening->limit) {
        opening->why = "snappy: decoded size exceeds max request body size";
        return SW_E_TOO_LARGE;
    }
    if (length > opening->size * GROWTH_MAX) {
        return sw_codec_malformed(opening, why_corrupt);
    }
    opening->buf = sw_buf_new(opening->account, (uint32_t)length);
    if (opening->buf == NULL) {
        return SW_E_NOMEM;
    }
    return read_block(opening, opening->data, opening->size, length);
}

/* ---- to read: the framing ---- */

static int need_room(struct codec_opening *opening, size_t bytes)
{
    int err = SW_OK;
    while (err == SW_OK && bytes > opening->buf->capacity - opening->buf->size) {
        err = sw_codec_grow(opening);
    }
    return err;
}

static int check_crc(struct codec_opening *opening, size_t bytes, uint32_t crc)
{
    const struct sw_buf *buf = opening->buf;
    if (masked_crc(buf->data + buf->size - bytes, bytes) != crc) {
        return sw_codec_malformed(opening, why_corrupt);
    }
    return SW_OK;
}

static int read_packed(struct codec_opening *opening, const uint8_t *chunk, size_t size)
{
    size_t length = 0;
    const uint8_t *block = chunk + CHECKSUM_BYTES;
    int err = block_length(opening, block, size - CHECKSUM_BYTES, &length);
    if (err == SW_OK && length > BLOCK_BYTES) {
        err = sw_codec_malformed(opening, why_corrupt);
    }
    if (err == SW_OK) {
        err = need_room(opening, length);
    }
    if (err == SW_OK) {
        err = read_block(opening, block, size - CHECKSUM_BYTES, length);
    }
    return err == SW_OK ? check_crc(opening, length, codec_little(chunk, 4)) : err;
}

static int read_plain(struct codec_opening *opening, const uint8_t *chunk, size_t size)
{
    size_t length = size - CHECKSUM_BYTES;
    if (length > BLOCK_BYTES) {
        return sw_codec_malformed(opening, why_corrupt);
    }
    int err = need_room(opening, length);
    if (err != SW_OK) {
        return err;
    }
    struct sw_buf *buf = opening->buf;
    memcpy(buf->data + buf->size, chunk + CHECKSUM_BYTES, length);
    buf->size += (uint32_t)length;
    return check_crc(opening, length, codec_little(chunk, 4));
}

static int
read_chunk(struct codec_opening *opening, uint8_t type, const uint8_t *chunk, size_t size)
{
    const size_t head = HEAD_BYTES;
    switch (type) {
    case CHUNK_PACKED:
    case CHUNK_PLAIN:
        if (size < CHECKSUM_BYTES) {
            return sw_codec_malformed(opening, why_corrupt);
        }
        return type == CHUNK_PACKED ? read_packed(opening, chunk, size)
                                    : read_plain(opening, chunk, size);
    case CHUNK_HEADER:
        if (size != sizeof(stream_header) - head
            || memcmp(chunk, stream_header + head, size) != 0) {
            return sw_codec_malformed(opening, why_corrupt);
        }
        return SW_OK;
    default:
        return type < CHUNK_SKIPPABLE_MIN ? sw_codec_malformed(opening, why_unsupported) : SW_OK;
    }
}

int sw_codec_open_snappy_framed(struct codec_opening *opening)
{
    int err = sw_codec_first_room(opening);
    while (err == SW_OK && codec_left(opening) > 0) { // nothing at all is an empty message
        const uint8_t *head = opening->data + opening->at;
        if (codec_left(opening) < HEAD_BYTES || (opening->at == 0 && head[0] != CHUNK_HEADER)) {
            return sw_codec_malformed(opening, why_corrupt);
        }
        size_t size = codec_little(head + 1, 3);
        opening->at += HEAD_BYTES;
        if (size > CHUNK_MAX) {
            return sw_codec_malformed(opening, why_unsupported);
        }
        if (size > codec_left(opening)) {
            return sw_codec_malformed(opening, why_corrupt);
        }
        opening->at += size;
        err = read_chunk(opening, head[0], head + HEAD_BYTES, size);
    }
    return err;
}

/* ---- to write ---- */

static uint32_t write_block(const uint8_t *data, size_t size, uint8_t *to, size_t room)
{
    snappy_status status = snappy_compress((const char *)data, size, (char *)to, &room);
    SW_ASSERT(status == SNAPPY_OK); // only the room could be wrong
    return (uint32_t)room;
}

int sw_codec_pack_snappy(struct codec_packing *packing)
{
    struct sw_piece whole;
    struct sw_buf *copy = NULL;
    int err = sw_codec_gather(packing, &whole, &copy);
    if (err != SW_OK) {
        return err;
    }
    err = sw_codec_room(packing, snappy_max_compressed_length(whole.len));
    if (err == SW_OK) {
        struct sw_buf *buf = packing->buf;
        buf->size = write_block(whole.data, whole.len, buf->data, buf->capacity);
    }
    sw_buf_unref(copy);
    return err;
}

static void put_little(uint8_t *to, uint32_t number, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        to[i] = (uint8_t)(number >> (8 * i));
    }
}

// What packs by less than an eighth goes plain, as in the Go library.
static void write_chunk(struct sw_buf *buf, const uint8_t *data, uint32_t size)
{
    uint8_t *head = buf->data + buf->size;
    uint8_t *bytes = head + HEAD_BYTES + CHECKSUM_BYTES;
    size_t room = buf->capacity - buf->size - HEAD_BYTES - CHECKSUM_BYTES;
    uint32_t len = write_block(data, size, bytes, room);
    head[0] = CHUNK_PACKED;
    if (len >= size - size / 8) {
        head[0] = CHUNK_PLAIN;
        len = size;
        memcpy(bytes, data, size);
    }
    put_little(head + 1, len + CHECKSUM_BYTES, 3);
    put_little(head + HEAD_BYTES, masked_crc(data, size), CHECKSUM_BYTES);
    buf->size += HEAD_BYTES + CHECKSUM_BYTES + len;
}

int sw_codec_pack_snappy_framed(struct codec_packing *packing)
{
    struct sw_piece whole;
    struct sw_buf *copy = NULL;
    int err = sw_codec_gather(packing, &whole, &copy);
    if (err != SW_OK) {
        return err;
    }
    // Every chunk plain, and behind the last the room that a block may need while it is made.
    size_t chunks = whole.len / BLOCK_BYTES + 1;
    size_t heads = chunks * (HEAD_BYTES + CHECKSUM_BYTES);
    size_t spare = snappy_max_compressed_length(BLOCK_BYTES) - BLOCK_BYTES;
    err = sw_codec_room(packing, sizeof(stream_header) + heads + whole.len + spare);
    if (err == SW_OK) {
        struct sw_buf *buf = packing->buf;
        memcpy(buf->data, stream_header, sizeof(stream_header));
        buf->size = sizeof(stream_header);
        for (uint32_t at = 0; at < whole.len; at += BLOCK_BYTES) {
            write_chunk(buf, whole.data + at, SW_MIN(whole.len - at, BLOCK_BYTES));
        }
    }
    sw_buf_unref(copy);
    return err;
}
