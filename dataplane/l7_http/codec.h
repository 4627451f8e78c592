/* Content codings behind one door: gzip and zlib (libdeflate to read, ISA-L and libdeflate to write),
 * zstd, snappy, lz4.
 *
 * A codec belongs to one core and holds what is worth keeping between messages: the contexts of the
 * libraries, each made when it is needed first, and how much messages grew. */
#ifndef SW_L7_HTTP_CODEC_H
#define SW_L7_HTTP_CODEC_H

#include "dataplane/base/buf.h"
#include "dataplane/l7_http/http.h"

#include <stddef.h>
#include <stdint.h>

/** Codings, named as in Content-Encoding. */
enum sw_coding {
    SW_CODING_NONE,
    SW_CODING_GZIP,
    SW_CODING_ZLIB,
    SW_CODING_DEFLATE,       /**< HTTP's "deflate" is the zlib container too (RFC 9110 §8.4.1.2) */
    SW_CODING_SNAPPY,        /**< one block; what begins as a framed stream is read as one */
    SW_CODING_SNAPPY_FRAMED, /**< "x-snappy-framed" in HTTP, "snappy" in gRPC */
    SW_CODING_ZSTD,
    SW_CODING_LZ4, /**< LZ4 frame */
    SW_CODINGS_COUNT,
};

/** The name in HTTP; "" for NONE. */
const char *sw_coding_name(enum sw_coding coding);

/** By its name in HTTP, to the letter. @return false: unknown (untouched) */
bool sw_coding_of(struct sw_http_text name, enum sw_coding *ret_coding);

/** As above, in gRPC: gzip, snappy, zstd; "" and "identity" are NONE. */
const char *sw_coding_grpc_name(enum sw_coding coding);
bool sw_coding_of_grpc(struct sw_http_text name, enum sw_coding *ret_coding);

struct sw_codec;

/** @return 0 or SW_E_NOMEM */
SW_CHECKED int sw_codec_new(struct sw_codec **ret_codec);
void sw_codec_free(struct sw_codec *codec);

/** Opens a whole body in any coding but NONE, as the libraries of the Collector read it.
 *
 * The output grows with what really comes out, never with what a header or trailer promises; it is
 * charged to account while it is made and never passes limit (a bomb costs at most limit twice over).
 *
 * @param limit    most bytes that may come out
 * @param account  charged, may be NULL
 * @param ret_why  constant text in the words of the Go library when it is malformed ("gzip: invalid
 *                 header", "unexpected EOF", "zlib: invalid checksum", "snappy: corrupt input", …). When it
 *                 is too large: only a snappy block has words of its own, else untouched
 * @param ret_at_header  true when gzip fails before any byte of content (grpc-go words it differently);
 *                 may be NULL
 * @return 0 (*ret_buf is the caller's); SW_E_MALFORMED; SW_E_TOO_LARGE; SW_E_NOMEM
 */
SW_CHECKED int sw_codec_open(
    struct sw_codec *codec,
    enum sw_coding coding,
    const uint8_t *data,
    size_t size,
    size_t limit,
    struct sw_account *account,
    struct sw_buf **ret_buf,
    const char **ret_why,
    bool *ret_at_header
);

/** Packs a message in any coding but NONE, in one new charged buffer.
 *
 * @param level  as `compression_params.level`: gzip, zlib, deflate -2, -1, 1 … 9; zstd any; 0 is the
 *               coding's default, which is a fast one
 * @param next   gives the ranges in order (as sw_batch_cursor_next does); false at the end
 * @param bytes  of them together
 * @return 0, SW_E_NOMEM
 */
SW_CHECKED int sw_codec_pack(
    struct sw_codec *codec,
    enum sw_coding coding,
    int level,
    bool (*next)(void *ctx, struct sw_piece *ret_piece),
    void *ctx,
    uint64_t bytes,
    struct sw_account *account,
    struct sw_buf **ret_buf
);

/** CRC-32 (IEEE, as zlib's) of more bytes behind those that crc stands for; 0 at the start. */
uint32_t sw_codec_crc32(uint32_t crc, const void *data, size_t size);

#endif
