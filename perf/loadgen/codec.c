#include "perf/loadgen/codec.h"

#include <libdeflate.h>

#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#define PLAIN_MAX (1u << 30)

const char *const sw_lg_codec_names[3] = {"identity", "gzip", "zstd"};

bool sw_lg_codec_of(const char *text, size_t len, enum sw_lg_codec *ret_codec)
{
    for (unsigned i = 0; i < 3; i++) {
        if (len == strlen(sw_lg_codec_names[i]) && !memcmp(text, sw_lg_codec_names[i], len)) {
            *ret_codec = (enum sw_lg_codec)i;
            return true;
        }
    }
    return false;
}

void sw_lg_packer_init(struct sw_lg_packer *packer, enum sw_lg_codec codec, unsigned level)
{
    *packer = (struct sw_lg_packer){.codec = codec, .level = level};
    if (codec == SW_LG_GZIP) {
        packer->gzip = libdeflate_alloc_compressor((int)level);
    } else if (codec == SW_LG_ZSTD) {
        packer->zstd = ZSTD_createCCtx();
    }
    if (codec != SW_LG_PLAIN && !packer->gzip && !packer->zstd) {
        sw_lg_die("no memory for a compressor");
    }
}

void sw_lg_packer_fini(struct sw_lg_packer *packer)
{
    if (packer->gzip) {
        libdeflate_free_compressor(packer->gzip);
    }
    ZSTD_freeCCtx(packer->zstd);
    *packer = (struct sw_lg_packer){0};
}

void sw_lg_pack(
    struct sw_lg_packer *packer,
    const uint8_t *data,
    size_t len,
    struct sw_lg_bytes *out
)
{
    size_t size = 0;
    if (packer->codec == SW_LG_PLAIN) {
        sw_lg_bytes_put(out, data, len);
        return;
    }
    size_t room =
        packer->gzip ? libdeflate_gzip_compress_bound(packer->gzip, len) : ZSTD_compressBound(len);
    sw_lg_bytes_reserve(out, room);
    uint8_t *at = out->data + out->len;
    if (packer->gzip) {
        size = libdeflate_gzip_compress(packer->gzip, data, len, at, room);
    } else {
        size = ZSTD_compressCCtx(packer->zstd, at, room, data, len, (int)packer->level);
        size = ZSTD_isError(size) ? 0 : size;
    }
    if (size == 0) {
        sw_lg_die("%s failed", sw_lg_codec_names[packer->codec]);
    }
    out->len += size;
}

void sw_lg_unpacker_init(struct sw_lg_unpacker *unpacker)
{
    unpacker->gzip = libdeflate_alloc_decompressor();
    unpacker->zstd = ZSTD_createDCtx();
    if (!unpacker->gzip || !unpacker->zstd) {
        sw_lg_die("no memory for a decompressor");
    }
}

enum outcome { GOOD, TOO_SMALL, BAD };

static enum outcome
unpack_gzip(struct sw_lg_unpacker *unpacker, const struct sw_lg_bytes *in, struct sw_lg_bytes *out)
{
    size_t size = 0;
    enum libdeflate_result result =
        libdeflate_gzip_decompress(unpacker->gzip, in->data, in->len, out->data, out->cap, &size);
    out->len = result == LIBDEFLATE_SUCCESS ? size : 0;
    if (result == LIBDEFLATE_SUCCESS) {
        return GOOD;
    }
    return result == LIBDEFLATE_INSUFFICIENT_SPACE ? TOO_SMALL : BAD;
}

static enum outcome
unpack_zstd(struct sw_lg_unpacker *unpacker, const struct sw_lg_bytes *in, struct sw_lg_bytes *out)
{
    size_t size = ZSTD_decompressDCtx(unpacker->zstd, out->data, out->cap, in->data, in->len);
    out->len = ZSTD_isError(size) ? 0 : size;
    if (!ZSTD_isError(size)) {
        return GOOD;
    }
    return ZSTD_getErrorCode(size) == ZSTD_error_dstSize_tooSmall ? TOO_SMALL : BAD;
}

bool sw_lg_unpack(
    struct sw_lg_unpacker *unpacker,
    enum sw_lg_codec codec,
    const struct sw_lg_bytes *packed,
    struct sw_lg_bytes *out
)
{
    out->len = 0;
    if (codec == SW_LG_PLAIN) {
        sw_lg_bytes_put(out, packed->data, packed->len);
        return true;
    }
    for (size_t room = packed->len * 8 + 65536; room < PLAIN_MAX; room *= 4) {
        out->len = 0;
        sw_lg_bytes_reserve(out, room);
        enum outcome outcome = codec == SW_LG_GZIP ? unpack_gzip(unpacker, packed, out)
                                                   : unpack_zstd(unpacker, packed, out);
        if (outcome != TOO_SMALL) {
            return outcome == GOOD;
        }
    }
    return false;
}
