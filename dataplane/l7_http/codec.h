/* Content codings behind one door: identity and gzip (libdeflate to read, ISA-L to write).
 *
 * A codec belongs to one core and holds what is worth keeping between messages. */
#ifndef SW_L7_HTTP_CODEC_H
#define SW_L7_HTTP_CODEC_H

#include "dataplane/base/buf.h"
#include "dataplane/l7_http/http.h"

#include <stddef.h>
#include <stdint.h>

struct sw_codec;

/** @return 0 or SW_E_NOMEM */
SW_CHECKED int sw_codec_new(struct sw_codec **ret_codec);
void sw_codec_free(struct sw_codec *codec);

/** Opens a whole gzip body: one or more members, as Go's compress/gzip reads them.
 *
 * The output grows with what really comes out, never with what the trailer promises; it is charged
 * to account while it is made and never passes limit (a bomb costs at most limit twice over).
 *
 * @param limit    most bytes that may come out
 * @param account  charged, may be NULL
 * @param ret_why  constant text in Go's words when it fails ("gzip: invalid header", "unexpected EOF",
 *                 "EOF", "gzip: invalid checksum", "flate: corrupt input")
 * @param ret_at_header  true when it fails before any byte of content (grpc-go words it differently);
 *                 may be NULL
 * @return 0 (*ret_buf is the caller's); SW_E_MALFORMED; SW_E_TOO_LARGE; SW_E_NOMEM
 */
SW_CHECKED int sw_codec_gunzip(
    struct sw_codec *codec,
    const uint8_t *data,
    size_t size,
    size_t limit,
    struct sw_account *account,
    struct sw_buf **ret_buf,
    const char **ret_why,
    bool *ret_at_header
);

/** Packs a message into one gzip member (level 1), in one new charged buffer.
 *
 * @param next   gives the ranges in order (as sw_batch_cursor_next does); false at the end
 * @param bytes  of them together
 * @return 0, SW_E_NOMEM
 */
SW_CHECKED int sw_codec_gzip(
    struct sw_codec *codec,
    bool (*next)(void *ctx, struct sw_piece *ret_piece),
    void *ctx,
    uint64_t bytes,
    struct sw_account *account,
    struct sw_buf **ret_buf
);

#endif
