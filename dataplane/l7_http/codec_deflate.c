// Deflate, for gzip and zlib alike, and the zlib container (RFC 1950), as Go's compress/zlib reads it.
#include "dataplane/base/assert.h"
#include "dataplane/base/mem.h"
#include "dataplane/l7_http/codec_internal.h"

#include <isa-l/igzip_lib.h>
#include <libdeflate.h>

// Between speed and memory: the token buffer of a core that packs. Larger ones pack hardly better.
#define LEVEL_BYTES ISAL_DEF_LVL1_MEDIUM
// Ranges smaller than this are put together.
#define STAGE_BYTES (16u << 10)

void sw_codec_fini_deflate(struct sw_codec *codec)
{
    libdeflate_free_decompressor(codec->inflater);
    libdeflate_free_compressor(codec->squeezer);
    sw_free(codec->deflater);
    sw_free(codec->level_buf);
    sw_free(codec->stage);
}

/* ---- to read ---- */

// libdeflate does not say whether the stream is wrong or merely ends too soon; Go does, and a sender
// whose proxy cuts bodies is glad to read it. So it is read once more, by a decoder that can tell.
static const char *why_bad_data(const struct codec_opening *opening)
{
    uint8_t scratch[8192];
    struct inflate_state *state = sw_alloc(sizeof(*state));
    const char *why = "flate: corrupt input";
    size_t out = 0;
    size_t left = codec_left(opening);
    if (state == NULL || left > UINT32_MAX) {
        sw_free(state);
        return why;
    }
    isal_inflate_init(state);
    state->next_in = (uint8_t *)opening->data + opening->at;
    state->avail_in = (uint32_t)left;
    while (out <= opening->limit) {
        state->next_out = scratch;
        state->avail_out = sizeof(scratch);
        if (isal_inflate(state) != ISAL_DECOMP_OK || state->block_state == ISAL_BLOCK_FINISH) {
            break;
        }
        if (state->avail_out > 0) { // had room and wants more
            why = "unexpected EOF";
            break;
        }
        out += sizeof(scratch);
    }
    sw_free(state);
    return why;
}

// When the room runs out it begins again in a larger one: sizes rise fourfold, so that all the tries
// together cost a third of the last.
int sw_codec_inflate(struct codec_opening *opening, size_t *ret_bytes)
{
    struct sw_codec *codec = opening->codec;
    if (codec->inflater == NULL) {
        codec->inflater = libdeflate_alloc_decompressor();
    }
    if (codec->inflater == NULL) {
        return SW_E_NOMEM;
    }
    for (;;) {
        struct sw_buf *buf = opening->buf;
        size_t in = 0;
        enum libdeflate_result result = libdeflate_deflate_decompress_ex(
            codec->inflater,
            opening->data + opening->at,
            codec_left(opening),
            buf->data + buf->size,
            buf->capacity - buf->size,
            &in,
            ret_bytes
        );
        if (result == LIBDEFLATE_SUCCESS) {
            opening->at += in;
            buf->size += (uint32_t)*ret_bytes;
            return SW_OK;
        }
        if (result != LIBDEFLATE_INSUFFICIENT_SPACE) {
            return sw_codec_malformed(opening, why_bad_data(opening));
        }
        int err = sw_codec_grow(opening);
        if (err != SW_OK) {
            return err;
        }
    }
}

static uint32_t big(const uint8_t *data)
{
    return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

#define HAS_DICTIONARY 0x20
#define ADLER_OF_NONE  1 // the only dictionary that nobody has to agree on

static int read_zlib_header(struct codec_opening *opening)
{
    const uint8_t *head = opening->data;
    int err = sw_codec_skip(opening, 2);
    if (err != SW_OK) {
        return err;
    }
    if ((head[0] & 0x0f) != 8 || head[0] >> 4 > 7 || (head[0] << 8 | head[1]) % 31 != 0) {
        return sw_codec_malformed(opening, "zlib: invalid header");
    }
    if ((head[1] & HAS_DICTIONARY) != 0) {
        err = sw_codec_skip(opening, 4);
        if (err == SW_OK && big(head + 2) != ADLER_OF_NONE) {
            err = sw_codec_malformed(opening, "zlib: invalid dictionary");
        }
    }
    return err;
}

// What follows the stream is nobody's business (recorded of Go's reader: it stops there).
int sw_codec_open_zlib(struct codec_opening *opening)
{
    size_t out = 0;
    int err = read_zlib_header(opening);
    if (err == SW_OK) {
        err = sw_codec_first_room(opening);
    }
    if (err == SW_OK) {
        err = sw_codec_inflate(opening, &out);
    }
    if (err != SW_OK) {
        return err;
    }
    const uint8_t *trailer = opening->data + opening->at;
    err = sw_codec_skip(opening, 4);
    if (err == SW_OK && big(trailer) != libdeflate_adler32(1, opening->buf->data, out)) {
        err = sw_codec_malformed(opening, "zlib: invalid checksum");
    }
    return err;
}

/* ---- to write, with ISA-L: in pieces, level 1 and below ---- */

static int make_deflater(struct sw_codec *codec)
{
    if (codec->deflater == NULL) {
        // The hash table at its end wants cache lines.
        codec->deflater = sw_aligned_alloc(64, sizeof(*codec->deflater));
    }
    if (codec->level_buf == NULL) {
        codec->level_buf = sw_aligned_alloc(64, LEVEL_BYTES);
    }
    if (codec->stage == NULL) {
        codec->stage = sw_alloc(STAGE_BYTES);
    }
    bool whole = codec->deflater != NULL && codec->level_buf != NULL && codec->stage != NULL;
    return whole ? SW_OK : SW_E_NOMEM;
}

static void init_deflater(struct codec_packing *packing, bool gzip, bool fastest)
{
    struct sw_codec *codec = packing->codec;
    struct isal_zstream *stream = codec->deflater;
    isal_deflate_init(stream);
    stream->next_in = NULL;
    stream->avail_in = 0;
    stream->end_of_stream = 0;
    stream->level = fastest ? 0 : 1;
    stream->level_buf = fastest ? NULL : codec->level_buf;
    stream->level_buf_size = fastest ? 0 : LEVEL_BYTES;
    stream->gzip_flag = gzip ? IGZIP_GZIP : IGZIP_ZLIB;
    stream->flush = NO_FLUSH;
    stream->next_out = packing->buf->data;
    stream->avail_out = packing->buf->capacity;
}

static int more_room(struct codec_packing *packing)
{
    struct isal_zstream *stream = packing->codec->deflater;
    struct sw_buf *full = packing->buf;
    int err = sw_codec_room(packing, (size_t)full->capacity * 2);
    if (err != SW_OK) {
        packing->buf = full;
        return err;
    }
    memcpy(packing->buf->data, full->data, full->capacity);
    stream->next_out = packing->buf->data + full->capacity;
    stream->avail_out = packing->buf->capacity - full->capacity;
    sw_buf_unref(full);
    return SW_OK;
}

// Ranges on their way into the stream.
struct feeder {
    struct codec_packing *packing;
    struct isal_zstream *stream;
    struct sw_piece piece; // what is left of the last range
};

static bool next_piece(struct feeder *feeder)
{
    struct codec_packing *packing = feeder->packing;
    return feeder->piece.len > 0 || packing->next(packing->ctx, &feeder->piece);
}

// Small ranges go together: fed one by one, spans of 200 bytes come out at 1.4 to one instead of 4.6, and at
// half the speed (ISA-L 2.30, messages of 8 KiB). The end is told alone: with the last bytes it is slower.
static void feed(struct feeder *feeder)
{
    struct isal_zstream *stream = feeder->stream;
    uint8_t *stage = feeder->packing->codec->stage;
    uint32_t size = 0;
    while (size < STAGE_BYTES && next_piece(feeder)) {
        struct sw_piece *piece = &feeder->piece;
        if (size == 0 && (piece->len >= STAGE_BYTES || piece->len == feeder->packing->bytes)) {
            stage = (uint8_t *)piece->data;
            size = piece->len;
            piece->len = 0;
            break;
        }
        uint32_t len = SW_MIN(piece->len, STAGE_BYTES - size);
        memcpy(stage + size, piece->data, len);
        size += len;
        piece->data += len;
        piece->len -= len;
    }
    stream->next_in = stage;
    stream->avail_in = size;
    stream->end_of_stream = size == 0;
}

static int deflate_in_pieces(struct codec_packing *packing, bool gzip, bool fastest)
{
    int err = make_deflater(packing->codec);
    if (err == SW_OK) {
        // A quarter is what telemetry comes to, or more than that.
        uint64_t guess = SW_MIN(packing->bytes / 4 + 1024, (uint64_t)CODEC_BUF_MAX / 4);
        err = sw_codec_room(packing, (size_t)guess);
    }
    if (err != SW_OK) {
        return err;
    }
    struct feeder feeder = {.packing = packing, .stream = packing->codec->deflater};
    struct isal_zstream *stream = feeder.stream;
    init_deflater(packing, gzip, fastest);
    while (stream->internal_state.state != ZSTATE_END) {
        if (stream->avail_out == 0) {
            err = more_room(packing);
            if (err != SW_OK) {
                return err;
            }
        }
        if (stream->avail_in == 0 && stream->end_of_stream == 0) {
            feed(&feeder);
        }
        int result = isal_deflate(stream);
        SW_ASSERT(result == COMP_OK); // only its arguments could be wrong
    }
    packing->buf->size = packing->buf->capacity - stream->avail_out;
    return SW_OK;
}

/* ---- to write, with libdeflate: whole, where somebody asks for more than level 1 ---- */

static int make_squeezer(struct sw_codec *codec, int level)
{
    if (codec->squeezer != NULL && codec->squeezer_level != level) {
        libdeflate_free_compressor(codec->squeezer);
        codec->squeezer = NULL;
    }
    if (codec->squeezer == NULL) {
        codec->squeezer = libdeflate_alloc_compressor(level);
        codec->squeezer_level = level;
    }
    return codec->squeezer != NULL ? SW_OK : SW_E_NOMEM;
}

static int deflate_whole(struct codec_packing *packing, bool gzip)
{
    struct sw_piece whole;
    struct sw_buf *copy = NULL;
    int err = make_squeezer(packing->codec, packing->level);
    if (err == SW_OK) {
        err = sw_codec_gather(packing, &whole, &copy);
    }
    if (err != SW_OK) {
        return err;
    }
    struct libdeflate_compressor *squeezer = packing->codec->squeezer;
    size_t bound = gzip ? libdeflate_gzip_compress_bound(squeezer, whole.len)
                        : libdeflate_zlib_compress_bound(squeezer, whole.len);
    err = sw_codec_room(packing, bound);
    if (err == SW_OK) {
        struct sw_buf *buf = packing->buf;
        size_t size =
            gzip ? libdeflate_gzip_compress(squeezer, whole.data, whole.len, buf->data, bound)
                 : libdeflate_zlib_compress(squeezer, whole.data, whole.len, buf->data, bound);
        SW_ASSERT(size > 0); // only the bound could be wrong
        buf->size = (uint32_t)size;
    }
    sw_buf_unref(copy);
    return err;
}

// -2 is Go's "Huffman only": no ratio, all speed. Our default is level 1, which packs telemetry as well as
// zlib's default does (8.0 against 7.9 to 8.1) at seventeen times its speed.
int sw_codec_deflate(struct codec_packing *packing, bool gzip)
{
    if (packing->level <= 1) {
        return deflate_in_pieces(packing, gzip, packing->level == -2);
    }
    return deflate_whole(packing, gzip);
}
