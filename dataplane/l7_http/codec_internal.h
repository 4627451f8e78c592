/* What the files of the codec share: codec.c (the door) and one file for each family. */
#ifndef SW_L7_HTTP_CODEC_INTERNAL_H
#define SW_L7_HTTP_CODEC_INTERNAL_H

#include "dataplane/l7_http/codec.h"

/** A buffer is no larger, whatever the limit. */
#define CODEC_BUF_MAX (UINT32_MAX - 4096)

struct libdeflate_decompressor;
struct libdeflate_compressor;
struct isal_zstream;
struct ZSTD_DCtx_s;
struct ZSTD_CCtx_s;
struct LZ4F_dctx_s;
struct LZ4F_cctx_s;

/* Contexts are made when they are needed first. */
struct sw_codec {
    struct libdeflate_decompressor *inflater;
    struct isal_zstream *deflater;
    uint8_t *level_buf;
    uint8_t *stage;                         /**< where small ranges are put together */
    struct libdeflate_compressor *squeezer; /**< for the levels that ISA-L has not */
    int squeezer_level;
    struct ZSTD_DCtx_s *zstd_in;
    struct ZSTD_CCtx_s *zstd_out;
    struct LZ4F_dctx_s *lz4_in;
    struct LZ4F_cctx_s *lz4_out;
    /** How many times larger the last message of a coding became, and one more. */
    uint8_t ratio[SW_CODINGS_COUNT];
};

/** A body being opened. */
struct codec_opening {
    struct sw_codec *codec;
    enum sw_coding coding;
    const uint8_t *data;
    size_t size;
    size_t at; /**< read so far */
    size_t limit;
    struct sw_account *account;
    struct sw_buf *buf; /**< what came out; NULL at the start */
    const char *why;
    bool at_header;
};

/** @return SW_E_MALFORMED */
int sw_codec_malformed(struct codec_opening *opening, const char *why);

/** A first buffer, as large as bodies of this size and coding use to become. */
SW_CHECKED int sw_codec_first_room(struct codec_opening *opening);

/** A fourfold buffer in the place of the one that is too small, with its bytes.
 * @return 0, SW_E_TOO_LARGE, SW_E_NOMEM */
SW_CHECKED int sw_codec_grow(struct codec_opening *opening);

/** A message being packed. */
struct codec_packing {
    struct sw_codec *codec;
    int level;
    bool (*next)(void *ctx, struct sw_piece *ret_piece);
    void *ctx;
    uint64_t bytes;
    struct sw_account *account;
    struct sw_buf *buf; /**< what came out; its size is set */
};

/** The whole message in one piece: the only range as it lies, or a copy of all of them.
 *
 * @param ret_copy  to be dropped when done; NULL: none was made
 */
SW_CHECKED int sw_codec_gather(
    struct codec_packing *packing,
    struct sw_piece *ret_whole,
    struct sw_buf **ret_copy
);

/** packing->buf with room for a result of at most that many bytes. */
SW_CHECKED int sw_codec_room(struct codec_packing *packing, size_t capacity);

static inline uint32_t codec_little(const uint8_t *data, unsigned bytes)
{
    uint32_t number = 0;
    for (unsigned i = 0; i < bytes; i++) {
        number |= (uint32_t)data[i] << (8 * i);
    }
    return number;
}

static inline size_t codec_left(const struct codec_opening *opening)
{
    return opening->size - opening->at;
}

/** Steps over bytes that have to be there. @return 0 or SW_E_MALFORMED ("unexpected EOF") */
SW_CHECKED int sw_codec_skip(struct codec_opening *opening, size_t bytes);

/** The deflated data at opening->at, appended to opening->buf; *ret_bytes of them. codec_deflate.c */
SW_CHECKED int sw_codec_inflate(struct codec_opening *opening, size_t *ret_bytes);
/** Packs into one gzip member, or into the zlib container. codec_deflate.c */
SW_CHECKED int sw_codec_deflate(struct codec_packing *packing, bool gzip);

/* The families. To open: opening->buf holds the result; what is in it otherwise, the door drops. */
SW_CHECKED int sw_codec_open_gzip(struct codec_opening *opening);
SW_CHECKED int sw_codec_open_zlib(struct codec_opening *opening);
SW_CHECKED int sw_codec_open_snappy(struct codec_opening *opening);
SW_CHECKED int sw_codec_open_snappy_framed(struct codec_opening *opening);
SW_CHECKED int sw_codec_open_zstd(struct codec_opening *opening);
SW_CHECKED int sw_codec_open_lz4(struct codec_opening *opening);
SW_CHECKED int sw_codec_pack_snappy(struct codec_packing *packing);
SW_CHECKED int sw_codec_pack_snappy_framed(struct codec_packing *packing);
SW_CHECKED int sw_codec_pack_zstd(struct codec_packing *packing);
SW_CHECKED int sw_codec_pack_lz4(struct codec_packing *packing);

void sw_codec_fini_deflate(struct sw_codec *codec);
void sw_codec_fini_zstd(struct sw_codec *codec);
void sw_codec_fini_lz4(struct sw_codec *codec);

#endif
