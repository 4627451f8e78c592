#include "dataplane/l7_http/codec.h"

#include "dataplane/base/assert.h"
#include "dataplane/base/mem.h"
#include "dataplane/l7_http/codec_internal.h"

// What telemetry usually unpacks to, until a message has shown it.
#define RATIO_START 8
#define RATIO_MAX   64

/* ---- names ---- */

static const char *const http_names[SW_CODINGS_COUNT] = {
    [SW_CODING_NONE] = "",
    [SW_CODING_GZIP] = "gzip",
    [SW_CODING_ZLIB] = "zlib",
    [SW_CODING_DEFLATE] = "deflate",
    [SW_CODING_SNAPPY] = "snappy",
    [SW_CODING_SNAPPY_FRAMED] = "x-snappy-framed",
    [SW_CODING_ZSTD] = "zstd",
    [SW_CODING_LZ4] = "lz4",
};

const char *sw_coding_name(enum sw_coding coding)
{
    SW_ASSERT(coding < SW_CODINGS_COUNT);
    return http_names[coding];
}

bool sw_coding_of(struct sw_http_text name, enum sw_coding *ret_coding)
{
    for (unsigned i = 0; i < SW_CODINGS_COUNT; i++) {
        if (sw_http_text_is(name, http_names[i])) {
            *ret_coding = i;
            return true;
        }
    }
    return false;
}

const char *sw_coding_grpc_name(enum sw_coding coding)
{
    return coding == SW_CODING_SNAPPY_FRAMED ? "snappy" : sw_coding_name(coding);
}

bool sw_coding_of_grpc(struct sw_http_text name, enum sw_coding *ret_coding)
{
    if (sw_http_text_is(name, "gzip")) {
        *ret_coding = SW_CODING_GZIP;
    } else if (sw_http_text_is(name, "zstd")) {
        *ret_coding = SW_CODING_ZSTD;
    } else if (sw_http_text_is(name, "snappy")) {
        *ret_coding = SW_CODING_SNAPPY_FRAMED;
    } else if (name.len == 0 || sw_http_text_is(name, "identity")) {
        *ret_coding = SW_CODING_NONE;
    } else {
        return false;
    }
    return true;
}

/* ---- life ---- */

int sw_codec_new(struct sw_codec **ret_codec)
{
    struct sw_codec *codec = sw_zalloc(sizeof(*codec));
    if (codec == NULL) {
        return SW_E_NOMEM;
    }
    memset(codec->ratio, RATIO_START, sizeof(codec->ratio));
    *ret_codec = codec;
    return SW_OK;
}

void sw_codec_free(struct sw_codec *codec)
{
    if (codec == NULL) {
        return;
    }
    sw_codec_fini_deflate(codec);
    sw_codec_fini_zstd(codec);
    sw_codec_fini_lz4(codec);
    sw_free(codec);
}

/* ---- to read ---- */

int sw_codec_malformed(struct codec_opening *opening, const char *why)
{
    opening->why = why;
    return SW_E_MALFORMED;
}

int sw_codec_skip(struct codec_opening *opening, size_t bytes)
{
    if (bytes > codec_left(opening)) {
        return sw_codec_malformed(opening, "unexpected EOF");
    }
    opening->at += bytes;
    return SW_OK;
}

// A buffer of that capacity in the place of the one there, with its bytes.
static int make_room(struct codec_opening *opening, size_t capacity)
{
    struct sw_buf *larger = sw_buf_new(opening->account, (uint32_t)capacity);
    if (larger == NULL) {
        return SW_E_NOMEM;
    }
    if (opening->buf != NULL) {
        memcpy(larger->data, opening->buf->data, opening->buf->size);
        larger->size = opening->buf->size;
        sw_buf_unref(opening->buf);
    }
    opening->buf = larger;
    return SW_OK;
}

int sw_codec_first_room(struct codec_opening *opening)
{
    size_t guess = 512 + opening->size * opening->codec->ratio[opening->coding];
    return make_room(opening, SW_MIN(guess, opening->limit));
}

int sw_codec_grow(struct codec_opening *opening)
{
    size_t capacity = opening->buf->capacity;
    if (capacity >= opening->limit) {
        return SW_E_TOO_LARGE;
    }
    return make_room(opening, SW_MIN(capacity * 4, opening->limit));
}

static int open_body(struct codec_opening *opening)
{
    switch (opening->coding) {
    case SW_CODING_GZIP:
        return sw_codec_open_gzip(opening);
    case SW_CODING_ZLIB:
    case SW_CODING_DEFLATE:
        return sw_codec_open_zlib(opening);
    case SW_CODING_SNAPPY:
        return sw_codec_open_snappy(opening);
    case SW_CODING_SNAPPY_FRAMED:
        return sw_codec_open_snappy_framed(opening);
    case SW_CODING_ZSTD:
        return sw_codec_open_zstd(opening);
    default:
        SW_ASSERT(opening->coding == SW_CODING_LZ4);
        return sw_codec_open_lz4(opening);
    }
}

int sw_codec_open(
    struct sw_codec *codec,
    enum sw_coding coding,
    const uint8_t *data,
    size_t size,
    size_t limit,
    struct sw_account *account,
    struct sw_buf **ret_buf,
    const char **ret_why,
    bool *ret_at_header
)
{
    struct codec_opening opening = {
        .codec = codec,
        .coding = coding,
        .data = data,
        .size = size,
        .limit = SW_MIN(limit, (size_t)CODEC_BUF_MAX),
        .account = account,
    };
    int err = open_body(&opening);
    if (err == SW_OK) {
        size_t ratio = (size_t)opening.buf->size / SW_MAX(size, (size_t)1) + 1;
        codec->ratio[coding] = (uint8_t)SW_MIN(ratio, (size_t)RATIO_MAX);
        *ret_buf = sw_buf_shrink(opening.buf);
        return SW_OK;
    }
    sw_buf_unref(opening.buf);
    if (opening.why != NULL && err != SW_E_NOMEM) {
        *ret_why = opening.why;
    }
    if (err == SW_E_MALFORMED && ret_at_header != NULL) {
        *ret_at_header = opening.at_header;
    }
    return err;
}

/* ---- to write ---- */

int sw_codec_room(struct codec_packing *packing, size_t capacity)
{
    if (capacity > CODEC_BUF_MAX) {
        return SW_E_NOMEM;
    }
    packing->buf = sw_buf_new(packing->account, (uint32_t)capacity);
    return packing->buf != NULL ? SW_OK : SW_E_NOMEM;
}

int sw_codec_gather(
    struct codec_packing *packing,
    struct sw_piece *ret_whole,
    struct sw_buf **ret_copy
)
{
    struct sw_piece piece = {.data = (const uint8_t *)""};
    struct sw_buf *copy = NULL;
    *ret_copy = NULL;
    if (packing->bytes > CODEC_BUF_MAX) {
        return SW_E_NOMEM;
    }
    bool more = packing->next(packing->ctx, &piece);
    if (!more || piece.len == packing->bytes) {
        *ret_whole = piece;
        return SW_OK;
    }
    copy = sw_buf_new(packing->account, (uint32_t)packing->bytes);
    if (copy == NULL) {
        return SW_E_NOMEM;
    }
    while (more) {
        SW_ASSERT(piece.len <= copy->capacity - copy->size);
        memcpy(copy->data + copy->size, piece.data, piece.len);
        copy->size += piece.len;
        more = packing->next(packing->ctx, &piece);
    }
    *ret_whole = (struct sw_piece){copy, copy->data, copy->size};
    *ret_copy = copy;
    return SW_OK;
}

static int pack_message(struct codec_packing *packing, enum sw_coding coding)
{
    switch (coding) {
    case SW_CODING_GZIP:
        return sw_codec_deflate(packing, true);
    case SW_CODING_ZLIB:
    case SW_CODING_DEFLATE:
        return sw_codec_deflate(packing, false);
    case SW_CODING_SNAPPY:
        return sw_codec_pack_snappy(packing);
    case SW_CODING_SNAPPY_FRAMED:
        return sw_codec_pack_snappy_framed(packing);
    case SW_CODING_ZSTD:
        return sw_codec_pack_zstd(packing);
    default:
        SW_ASSERT(coding == SW_CODING_LZ4);
        return sw_codec_pack_lz4(packing);
    }
}

int sw_codec_pack(
    struct sw_codec *codec,
    enum sw_coding coding,
    int level,
    bool (*next)(void *ctx, struct sw_piece *ret_piece),
    void *ctx,
    uint64_t bytes,
    struct sw_account *account,
    struct sw_buf **ret_buf
)
{
    struct codec_packing packing = {
        .codec = codec,
        .level = level,
        .next = next,
        .ctx = ctx,
        .bytes = bytes,
        .account = account,
    };
    int err = pack_message(&packing, coding);
    if (err != SW_OK) {
        sw_buf_unref(packing.buf);
        return err;
    }
    *ret_buf = sw_buf_shrink(packing.buf);
    return SW_OK;
}
