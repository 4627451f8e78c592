// LZ4 frames, as pierrec/lz4 takes and writes them.
#include "dataplane/base/assert.h"
#include "dataplane/l7_http/codec_internal.h"

#include <lz4frame.h>

#define MAGIC           0x184d2204
#define SKIPPABLE_MAGIC 0x184d2a50 // to …5f
#define FRAME_MIN       7          // magic, descriptor of 3 bytes

void sw_codec_fini_lz4(struct sw_codec *codec)
{
    LZ4F_freeDecompressionContext(codec->lz4_in);
    LZ4F_freeCompressionContext(codec->lz4_out);
}

/* ---- to read ---- */

// The public interface has the codes as names only.
static int fail(struct codec_opening *opening, size_t result)
{
    static const struct {
        const char *name;
        const char *why; // in the words of the Go library
    } words[] = {
        {"ERROR_frameType_unknown", "lz4: bad magic number"},
        {"ERROR_headerChecksum_invalid", "lz4: invalid header checksum"},
        {"ERROR_blockChecksum_invalid", "lz4: invalid block checksum"},
        {"ERROR_contentChecksum_invalid", "lz4: invalid frame checksum"},
        {"ERROR_maxBlockSize_invalid", "lz4: invalid block size"},
    };
    const char *name = LZ4F_getErrorName(result);
    if (strcmp(name, "ERROR_allocation_failed") == 0) {
        return SW_E_NOMEM;
    }
    for (size_t i = 0; i < SW_ARRAY_SIZE(words); i++) {
        if (strcmp(name, words[i].name) == 0) {
            return sw_codec_malformed(opening, words[i].why);
        }
    }
    return sw_codec_malformed(opening, "lz4: invalid source or destination buffer too short");
}

// To the first frame of data. What follows that one is nobody's business, as in the Go library.
static int find_frame(struct codec_opening *opening)
{
    for (;;) {
        const uint8_t *frame = opening->data + opening->at;
        int err = sw_codec_skip(opening, 4);
        if (err != SW_OK) {
            return err;
        }
        uint32_t magic = codec_little(frame, 4);
        if (magic == MAGIC) {
            opening->at -= 4;
            return SW_OK;
        }
        if ((magic & 0xfffffff0) != SKIPPABLE_MAGIC) {
            return sw_codec_malformed(opening, "lz4: bad magic number");
        }
        err = sw_codec_skip(opening, 4);
        if (err == SW_OK) {
            err = sw_codec_skip(opening, codec_little(frame + 4, 4));
        }
        if (err != SW_OK) {
            return err;
        }
    }
}

// @return 0; SW_E_AGAIN: the room is too small
static int try_frame(struct codec_opening *opening)
{
    // What was written stays where it is, so that it need not be kept twice.
    const LZ4F_decompressOptions_t options = {.stableDst = 1};
    struct sw_buf *buf = opening->buf;
    size_t at = opening->at;
    LZ4F_resetDecompressionContext(opening->codec->lz4_in);
    buf->size = 0;
    for (;;) {
        size_t in = opening->size - at;
        size_t out = buf->capacity - buf->size;
        size_t result = LZ4F_decompress(
            opening->codec->lz4_in, buf->data + buf->size, &out, opening->data + at, &in, &options
        );
        if (LZ4F_isError(result)) {
            return fail(opening, result);
        }
        at += in;
        buf->size += (uint32_t)out;
        if (result == 0) {
            return SW_OK;
        }
        if (in == 0 && out == 0) {
            return at < opening->size || buf->size == buf->capacity
                       ? SW_E_AGAIN
                       : sw_codec_malformed(opening, "unexpected EOF");
        }
    }
}

// When the room runs out it begins again in a larger one: sizes rise fourfold.
static int read_frame(struct codec_opening *opening)
{
    for (;;) {
        int err = try_frame(opening);
        if (err != SW_E_AGAIN) {
            return err;
        }
        opening->buf->size = 0;
        err = sw_codec_grow(opening);
        if (err != SW_OK) {
            return err;
        }
    }
}

int sw_codec_open_lz4(struct codec_opening *opening)
{
    struct sw_codec *codec = opening->codec;
    if (codec->lz4_in == NULL
        && LZ4F_isError(LZ4F_createDecompressionContext(&codec->lz4_in, LZ4F_VERSION))) {
        codec->lz4_in = NULL;
        return SW_E_NOMEM;
    }
    int err = sw_codec_first_room(opening);
    if (err != SW_OK || opening->size == 0) {
        return err; // nothing at all is an empty message
    }
    err = find_frame(opening);
    if (err == SW_OK && codec_left(opening) < FRAME_MIN) {
        err = sw_codec_malformed(opening, "unexpected EOF");
    }
    if (err == SW_OK) {
        err = read_frame(opening);
    }
    if (err != SW_OK) {
        // Version 1.9.4 resets all but the promised size of a frame that was not read to its end, and
        // then finds fault with the next message.
        LZ4F_freeDecompressionContext(codec->lz4_in);
        codec->lz4_in = NULL;
    }
    return err;
}

/* ---- to write ---- */

// As the Go library's writer is set: independent blocks of 4 MiB, a checksum of the content.
static const LZ4F_preferences_t preferences = {
    .frameInfo =
        {
            .blockSizeID = LZ4F_max4MB,
            .blockMode = LZ4F_blockIndependent,
            .contentChecksumFlag = LZ4F_contentChecksumEnabled,
        },
    .autoFlush = 1, // nothing is kept back, so nothing is copied
};

static size_t write_frame(LZ4F_cctx *encoder, const struct sw_piece *whole, struct sw_buf *buf)
{
    size_t result = LZ4F_compressBegin(encoder, buf->data, buf->capacity, &preferences);
    size_t size = result;
    if (!LZ4F_isError(result)) {
        result = LZ4F_compressUpdate(
            encoder, buf->data + size, buf->capacity - size, whole->data, whole->len, NULL
        );
        size += result;
    }
    if (!LZ4F_isError(result)) {
        result = LZ4F_compressEnd(encoder, buf->data + size, buf->capacity - size, NULL);
        size += result;
    }
    return LZ4F_isError(result) ? 0 : size;
}

int sw_codec_pack_lz4(struct codec_packing *packing)
{
    struct sw_codec *codec = packing->codec;
    struct sw_piece whole;
    struct sw_buf *copy = NULL;
    if (codec->lz4_out == NULL
        && LZ4F_isError(LZ4F_createCompressionContext(&codec->lz4_out, LZ4F_VERSION))) {
        codec->lz4_out = NULL;
        return SW_E_NOMEM;
    }
    int err = sw_codec_gather(packing, &whole, &copy);
    if (err != SW_OK) {
        return err;
    }
    err = sw_codec_room(packing, LZ4F_compressFrameBound(whole.len, &preferences));
    if (err == SW_OK) {
        packing->buf->size = (uint32_t)write_frame(codec->lz4_out, &whole, packing->buf);
        // The bound is right: only memory can be short.
        err = packing->buf->size > 0 ? SW_OK : SW_E_NOMEM;
    }
    sw_buf_unref(copy);
    return err;
}
