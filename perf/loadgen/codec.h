/** Compression of whole bodies; both directions keep their working memory between calls. */
#ifndef SW_PERF_LOADGEN_CODEC_H
#define SW_PERF_LOADGEN_CODEC_H

#include "perf/loadgen/common.h"

enum sw_lg_codec { SW_LG_PLAIN, SW_LG_GZIP, SW_LG_ZSTD };

/** The names in grpc-encoding and Content-Encoding; the first is "identity". */
extern const char *const sw_lg_codec_names[3];
bool sw_lg_codec_of(const char *text, size_t len, enum sw_lg_codec *ret_codec);

struct libdeflate_compressor;
struct libdeflate_decompressor;
struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

struct sw_lg_packer {
    enum sw_lg_codec codec;
    unsigned level;
    struct libdeflate_compressor *gzip;
    struct ZSTD_CCtx_s *zstd;
};

void sw_lg_packer_init(struct sw_lg_packer *packer, enum sw_lg_codec codec, unsigned level);
void sw_lg_packer_fini(struct sw_lg_packer *packer);
/** Appends the encoded bytes; the program ends when that fails. */
void sw_lg_pack(
    struct sw_lg_packer *packer,
    const uint8_t *data,
    size_t len,
    struct sw_lg_bytes *out
);

struct sw_lg_unpacker {
    struct libdeflate_decompressor *gzip;
    struct ZSTD_DCtx_s *zstd;
};

void sw_lg_unpacker_init(struct sw_lg_unpacker *unpacker);
/** Replaces what is in `out`; false when the bytes are not whole or not of that codec. */
bool sw_lg_unpack(
    struct sw_lg_unpacker *unpacker,
    enum sw_lg_codec codec,
    const struct sw_lg_bytes *packed,
    struct sw_lg_bytes *out
);

#endif
