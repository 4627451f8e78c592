#include "dataplane/l7_http/codec.h"

#include "dataplane/base/assert.h"
#include "dataplane/base/mem.h"

#include <isa-l/igzip_lib.h>
#include <libdeflate.h>

// What telemetry usually unpacks to, until a message has shown it.
#define RATIO_START 8
#define RATIO_MAX   64
// A buffer is no larger, whatever the limit.
#define BUF_MAX (UINT32_MAX - 4096)
// Between speed and memory: the token buffer of a core that packs. Larger ones pack hardly better.
#define LEVEL_BYTES ISAL_DEF_LVL1_MEDIUM

struct sw_codec {
    struct libdeflate_decompressor *inflater; // each is made when it is needed first
    struct isal_zstream *deflater;
    uint8_t *level_buf;
    size_t ratio; // how many times larger the last message became, and one more
};

int sw_codec_new(struct sw_codec **ret_codec)
{
    struct sw_codec *codec = sw_zalloc(sizeof(*codec));
    if (codec == NULL) {
        return SW_E_NOMEM;
    }
    codec->ratio = RATIO_START;
    *ret_codec = codec;
    return SW_OK;
}

void sw_codec_free(struct sw_codec *codec)
{
    if (codec == NULL) {
        return;
    }
    libdeflate_free_decompressor(codec->inflater);
    sw_free(codec->deflater);
    sw_free(codec->level_buf);
    sw_free(codec);
}

// A buffer of that capacity in the place of *buf, which may be NULL, with its bytes.
static int make_room(struct sw_account *account, size_t capacity, struct sw_buf **buf)
{
    struct sw_buf *larger = sw_buf_new(account, (uint32_t)capacity);
    if (larger == NULL) {
        return SW_E_NOMEM;
    }
    if (*buf != NULL) {
        memcpy(larger->data, (*buf)->data, (*buf)->size);
        larger->size = (*buf)->size;
        sw_buf_unref(*buf);
    }
    *buf = larger;
    return SW_OK;
}

/* ---- to read: members, as Go's compress/gzip takes them ---- */

static const char why_header[] = "gzip: invalid header";
static const char why_short[] = "unexpected EOF";
static const char why_corrupt[] = "flate: corrupt input";
static const char why_checksum[] = "gzip: invalid checksum";

enum { // flags of a member, RFC 1952 §2.3.1
    HAS_HEADER_CRC = 1 << 1,
    HAS_EXTRA = 1 << 2,
    HAS_NAME = 1 << 3,
    HAS_COMMENT = 1 << 4,
};

#define HEADER_BYTES  10
#define TRAILER_BYTES 8
#define STRING_MAX    511 // Go's buffer for a name

struct gunzip {
    struct sw_codec *codec;
    const uint8_t *data;
    size_t size;
    size_t at;
    size_t limit;
    struct sw_account *account;
    struct sw_buf *buf;
    const char *why;
};

static int malformed(struct gunzip *gunzip, const char *why)
{
    gunzip->why = why;
    return SW_E_MALFORMED;
}

static uint32_t little(const uint8_t *data, unsigned bytes)
{
    uint32_t number = 0;
    for (unsigned i = 0; i < bytes; i++) {
        number |= (uint32_t)data[i] << (8 * i);
    }
    return number;
}

// Steps over a string that ends in NUL.
static int skip_string(struct gunzip *gunzip)
{
    size_t left = gunzip->size - gunzip->at;
    const uint8_t *begin = gunzip->data + gunzip->at;
    const uint8_t *end = memchr(begin, 0, SW_MIN(left, (size_t)STRING_MAX + 1));
    if (end == NULL) {
        return malformed(gunzip, left > STRING_MAX ? why_header : why_short);
    }
    gunzip->at += (size_t)(end - begin) + 1;
    return SW_OK;
}

static int skip(struct gunzip *gunzip, size_t bytes)
{
    if (bytes > gunzip->size - gunzip->at) {
        return malformed(gunzip, why_short);
    }
    gunzip->at += bytes;
    return SW_OK;
}

static int skip_extra(struct gunzip *gunzip)
{
    const uint8_t *len = gunzip->data + gunzip->at;
    int err = skip(gunzip, 2);
    return err == SW_OK ? skip(gunzip, little(len, 2)) : err;
}

static int check_header_crc(struct gunzip *gunzip, size_t begin)
{
    const uint8_t *crc = gunzip->data + gunzip->at;
    uint32_t real = libdeflate_crc32(0, gunzip->data + begin, gunzip->at - begin) & 0xffff;
    int err = skip(gunzip, 2);
    if (err == SW_OK && little(crc, 2) != real) {
        return malformed(gunzip, why_header);
    }
    return err;
}

static int read_header(struct gunzip *gunzip)
{
    size_t begin = gunzip->at;
    const uint8_t *head = gunzip->data + begin;
    if (gunzip->size - begin < HEADER_BYTES) {
        return malformed(gunzip, gunzip->size == begin ? "EOF" : why_short);
    }
    if (head[0] != 0x1f || head[1] != 0x8b || head[2] != 8) {
        return malformed(gunzip, why_header);
    }
    gunzip->at += HEADER_BYTES;
    int err = SW_OK;
    if ((head[3] & HAS_EXTRA) != 0) {
        err = skip_extra(gunzip);
    }
    if (err == SW_OK && (head[3] & HAS_NAME) != 0) {
        err = skip_string(gunzip);
    }
    if (err == SW_OK && (head[3] & HAS_COMMENT) != 0) {
        err = skip_string(gunzip);
    }
    if (err == SW_OK && (head[3] & HAS_HEADER_CRC) != 0) {
        err = check_header_crc(gunzip, begin);
    }
    return err;
}

// libdeflate does not say whether the stream is wrong or merely ends too soon; Go does, and a sender
// whose proxy cuts bodies is glad to read it. So it is read once more, by a decoder that can tell.
static const char *why_bad_data(const struct gunzip *gunzip)
{
    uint8_t scratch[8192];
    struct inflate_state *state = sw_alloc(sizeof(*state));
    const char *why = why_corrupt;
    size_t out = 0;
    size_t left = gunzip->size - gunzip->at;
    if (state == NULL || left > UINT32_MAX) {
        sw_free(state);
        return why;
    }
    isal_inflate_init(state);
    state->next_in = (uint8_t *)gunzip->data + gunzip->at;
    state->avail_in = (uint32_t)left;
    while (out <= gunzip->limit) {
        state->next_out = scratch;
        state->avail_out = sizeof(scratch);
        if (isal_inflate(state) != ISAL_DECOMP_OK || state->block_state == ISAL_BLOCK_FINISH) {
            break;
        }
        if (state->avail_out > 0) { // had room and wants more
            why = why_short;
            break;
        }
        out += sizeof(scratch);
    }
    sw_free(state);
    return why;
}

static int grow(struct gunzip *gunzip)
{
    size_t capacity = gunzip->buf->capacity;
    if (capacity >= gunzip->limit) {
        return SW_E_TOO_LARGE;
    }
    capacity = SW_MIN(capacity * 4, gunzip->limit);
    return make_room(gunzip->account, capacity, &gunzip->buf);
}

// The deflated part of a member. When the room runs out it begins again in a larger one: sizes rise
// fourfold, so that all the tries together cost a third of the last.
static int inflate_member(struct gunzip *gunzip, size_t *ret_out)
{
    for (;;) {
        struct sw_buf *buf = gunzip->buf;
        size_t in = 0;
        enum libdeflate_result result = libdeflate_deflate_decompress_ex(
            gunzip->codec->inflater,
            gunzip->data + gunzip->at,
            gunzip->size - gunzip->at,
            buf->data + buf->size,
            buf->capacity - buf->size,
            &in,
            ret_out
        );
        if (result == LIBDEFLATE_SUCCESS) {
            gunzip->at += in;
            return SW_OK;
        }
        if (result != LIBDEFLATE_INSUFFICIENT_SPACE) {
            return malformed(gunzip, why_bad_data(gunzip));
        }
        int err = grow(gunzip);
        if (err != SW_OK) {
            return err;
        }
    }
}

static int read_member(struct gunzip *gunzip)
{
    size_t out = 0;
    int err = inflate_member(gunzip, &out);
    if (err != SW_OK) {
        return err;
    }
    const uint8_t *trailer = gunzip->data + gunzip->at;
    const uint8_t *bytes = gunzip->buf->data + gunzip->buf->size;
    err = skip(gunzip, TRAILER_BYTES);
    if (err != SW_OK) {
        return err;
    }
    if (little(trailer, 4) != libdeflate_crc32(0, bytes, out)
        || little(trailer + 4, 4) != (uint32_t)out) {
        return malformed(gunzip, why_checksum);
    }
    gunzip->buf->size += (uint32_t)out;
    return SW_OK;
}

static int read_members(struct gunzip *gunzip)
{
    size_t guess = 512 + gunzip->size * gunzip->codec->ratio;
    int err = make_room(gunzip->account, SW_MIN(guess, gunzip->limit), &gunzip->buf);
    while (err == SW_OK) {
        err = read_member(gunzip);
        if (err != SW_OK || gunzip->at == gunzip->size) {
            break;
        }
        // What follows a member is another one, or an error: never ignored.
        err = read_header(gunzip);
    }
    return err;
}

static int make_inflater(struct sw_codec *codec)
{
    if (codec->inflater == NULL) {
        codec->inflater = libdeflate_alloc_decompressor();
    }
    return codec->inflater != NULL ? SW_OK : SW_E_NOMEM;
}

int sw_codec_gunzip(
    struct sw_codec *codec,
    const uint8_t *data,
    size_t size,
    size_t limit,
    struct sw_account *account,
    struct sw_buf **ret_buf,
    const char **ret_why,
    bool *ret_at_header
)
{
    struct gunzip gunzip = {
        .codec = codec,
        .data = data,
        .size = size,
        .limit = SW_MIN(limit, (size_t)BUF_MAX),
        .account = account,
    };
    int err = make_inflater(codec);
    bool at_header = false;
    if (err == SW_OK) {
        err = read_header(&gunzip);
        at_header = err != SW_OK;
    }
    if (err == SW_OK) {
        err = read_members(&gunzip);
    }
    if (err == SW_OK) {
        codec->ratio = SW_MIN((size_t)gunzip.buf->size / size + 1, (size_t)RATIO_MAX);
        *ret_buf = sw_buf_shrink(gunzip.buf);
        return SW_OK;
    }
    sw_buf_unref(gunzip.buf);
    if (err == SW_E_MALFORMED) {
        *ret_why = gunzip.why;
        if (ret_at_header != NULL) {
            *ret_at_header = at_header;
        }
    }
    return err;
}

/* ---- to write ---- */

static int make_deflater(struct sw_codec *codec)
{
    if (codec->deflater == NULL) {
        // The hash table at its end wants cache lines.
        codec->deflater = sw_aligned_alloc(64, sizeof(*codec->deflater));
    }
    if (codec->level_buf == NULL) {
        codec->level_buf = sw_aligned_alloc(64, LEVEL_BYTES);
    }
    if (codec->deflater == NULL || codec->level_buf == NULL) {
        return SW_E_NOMEM;
    }
    struct isal_zstream *stream = codec->deflater;
    isal_deflate_init(stream);
    stream->next_in = NULL;
    stream->avail_in = 0;
    stream->end_of_stream = 0;
    stream->level = 1;
    stream->level_buf = codec->level_buf;
    stream->level_buf_size = LEVEL_BYTES;
    stream->gzip_flag = IGZIP_GZIP;
    stream->flush = NO_FLUSH;
    return SW_OK;
}

static int more_room(struct isal_zstream *stream, struct sw_account *account, struct sw_buf **buf)
{
    uint32_t used = (*buf)->capacity;
    if (used > BUF_MAX / 2) {
        return SW_E_NOMEM;
    }
    (*buf)->size = used;
    int err = make_room(account, (size_t)used * 2, buf);
    if (err == SW_OK) {
        stream->next_out = (*buf)->data + used;
        stream->avail_out = (*buf)->capacity - used;
    }
    return err;
}

int sw_codec_gzip(
    struct sw_codec *codec,
    bool (*next)(void *ctx, struct sw_piece *ret_piece),
    void *ctx,
    uint64_t bytes,
    struct sw_account *account,
    struct sw_buf **ret_buf
)
{
    struct sw_buf *buf = NULL;
    int err = make_deflater(codec);
    if (err == SW_OK) {
        // A quarter is what telemetry comes to, or more than that.
        err = make_room(account, (size_t)SW_MIN(bytes / 4 + 1024, (uint64_t)BUF_MAX / 4), &buf);
    }
    if (err != SW_OK) {
        return err;
    }
    struct isal_zstream *stream = codec->deflater;
    stream->next_out = buf->data;
    stream->avail_out = buf->capacity;
    while (stream->internal_state.state != ZSTATE_END) {
        struct sw_piece piece;
        if (stream->avail_out == 0) {
            err = more_room(stream, account, &buf);
            if (err != SW_OK) {
                sw_buf_unref(buf);
                return err;
            }
        }
        if (stream->avail_in == 0 && stream->end_of_stream == 0) {
            if (next(ctx, &piece)) {
                stream->next_in = (uint8_t *)piece.data;
                stream->avail_in = piece.len;
            } else {
                stream->end_of_stream = 1;
            }
        }
        int result = isal_deflate(stream);
        SW_ASSERT(result == COMP_OK); // only its arguments could be wrong
    }
    buf->size = buf->capacity - stream->avail_out;
    *ret_buf = sw_buf_shrink(buf);
    return SW_OK;
}
