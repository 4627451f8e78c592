// zstd (RFC 8878): frames one after the other, as klauspost/compress takes them.
#include "dataplane/base/assert.h"
#include "dataplane/l7_http/codec_internal.h"

#include <zstd.h>
#include <zstd_errors.h>

void sw_codec_fini_zstd(struct sw_codec *codec)
{
    ZSTD_freeDCtx(codec->zstd_in);
    ZSTD_freeCCtx(codec->zstd_out);
}

/* ---- to read ---- */

// In the words of the Go library, where it has one for the case.
static const char *why_of(size_t result)
{
    switch (ZSTD_getErrorCode(result)) {
    case ZSTD_error_srcSize_wrong:
        return "unexpected EOF";
    case ZSTD_error_prefix_unknown:
        return "invalid input: magic number mismatch";
    case ZSTD_error_frameParameter_unsupported:
        return "reserved bit set on frame header";
    case ZSTD_error_frameParameter_windowTooLarge:
        return "window size exceeded";
    case ZSTD_error_dictionary_wrong:
        return "unknown dictionary";
    case ZSTD_error_checksum_wrong:
        return "CRC check failed";
    default:
        return "invalid input";
    }
}

static int fail(struct codec_opening *opening, size_t result)
{
    if (ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation) {
        return SW_E_NOMEM;
    }
    return sw_codec_malformed(opening, why_of(result));
}

// Decoded in one go into where it stays, the window is the output itself: what a header says of the
// window costs nothing. When the room runs out the frame begins again in a larger one.
static int read_frame(struct codec_opening *opening, size_t size)
{
    const uint8_t *frame = opening->data + opening->at;
    for (;;) {
        struct sw_buf *buf = opening->buf;
        size_t room = buf->capacity - buf->size;
        size_t result =
            ZSTD_decompressDCtx(opening->codec->zstd_in, buf->data + buf->size, room, frame, size);
        if (!ZSTD_isError(result)) {
            buf->size += (uint32_t)result;
            opening->at += size;
            return SW_OK;
        }
        if (ZSTD_getErrorCode(result) != ZSTD_error_dstSize_tooSmall) {
            return fail(opening, result);
        }
        int err = sw_codec_grow(opening);
        if (err != SW_OK) {
            return err;
        }
    }
}

// The size of the frame at opening->at. The library would read old formats as well; nobody else does.
static int measure_frame(struct codec_opening *opening, size_t *ret_size)
{
    const uint8_t *frame = opening->data + opening->at;
    size_t left = codec_left(opening);
    if (left < 4) {
        return sw_codec_malformed(opening, "unexpected EOF");
    }
    uint32_t magic = codec_little(frame, 4);
    if (magic != ZSTD_MAGICNUMBER
        && (magic & ZSTD_MAGIC_SKIPPABLE_MASK) != ZSTD_MAGIC_SKIPPABLE_START) {
        return sw_codec_malformed(opening, "invalid input: magic number mismatch");
    }
    size_t size = ZSTD_findFrameCompressedSize(frame, left);
    if (ZSTD_isError(size)) {
        return fail(opening, size);
    }
    *ret_size = size;
    return SW_OK;
}

int sw_codec_open_zstd(struct codec_opening *opening)
{
    struct sw_codec *codec = opening->codec;
    if (codec->zstd_in == NULL) {
        codec->zstd_in = ZSTD_createDCtx();
    }
    if (codec->zstd_in == NULL) {
        return SW_E_NOMEM;
    }
    int err = sw_codec_first_room(opening);
    while (err == SW_OK && codec_left(opening) > 0) { // nothing at all is an empty message
        size_t size = 0;
        err = measure_frame(opening, &size);
        if (err == SW_OK) {
            err = read_frame(opening, size);
        }
    }
    return err;
}

/* ---- to write ---- */

// The levels that the Go library has, and the ones of ours that come close (its encoder_options.go). Its
// default for HTTP is the fastest; for gRPC, where nobody can choose, we take that too.
static int level_of(int level)
{
    if (level < 3) {
        return 1;
    }
    if (level < 6) {
        return 3;
    }
    return level < 10 ? 7 : 11;
}

static int make_encoder(struct sw_codec *codec, int level)
{
    if (codec->zstd_out == NULL) {
        codec->zstd_out = ZSTD_createCCtx();
    }
    if (codec->zstd_out == NULL) {
        return SW_E_NOMEM;
    }
    size_t result =
        ZSTD_CCtx_setParameter(codec->zstd_out, ZSTD_c_compressionLevel, level_of(level));
    SW_ASSERT(!ZSTD_isError(result));
    result = ZSTD_CCtx_setParameter(codec->zstd_out, ZSTD_c_checksumFlag, 1);
    SW_ASSERT(!ZSTD_isError(result));
    return SW_OK;
}

int sw_codec_pack_zstd(struct codec_packing *packing)
{
    struct sw_piece whole;
    struct sw_buf *copy = NULL;
    int err = make_encoder(packing->codec, packing->level);
    if (err == SW_OK) {
        err = sw_codec_gather(packing, &whole, &copy);
    }
    if (err != SW_OK) {
        return err;
    }
    err = sw_codec_room(packing, ZSTD_compressBound(whole.len));
    if (err == SW_OK) {
        struct sw_buf *buf = packing->buf;
        size_t size = ZSTD_compress2(
            packing->codec->zstd_out, buf->data, buf->capacity, whole.data, whole.len
        );
        err = ZSTD_isError(size) ? SW_E_NOMEM : SW_OK; // the bound is right: nothing else can fail
        buf->size = err == SW_OK ? (uint32_t)size : 0;
    }
    sw_buf_unref(copy);
    return err;
}
