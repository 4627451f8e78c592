/* Bytes that wait to be sent on one stream: a queue of pieces. Small copies are packed into chunk
 * buffers, bytes by reference keep their buffer. Shared by the implementations of stream.h. */
#ifndef SW_L4_STREAM_OUT_INTERNAL_H
#define SW_L4_STREAM_OUT_INTERNAL_H

#include "dataplane/base/buf.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define SW_OUT_INLINE_PIECES 8

struct sw_out {
    size_t bytes;
    struct sw_buf *chunk;    /**< where the next copy goes; a reference of our own */
    struct sw_piece *pieces; /**< ring of `capacity`, a power of two */
    uint32_t head;
    uint32_t count;
    uint32_t capacity;
    struct sw_piece inline_pieces[SW_OUT_INLINE_PIECES];
};

void sw_out_init(struct sw_out *out);

/** Drops everything; the queue is usable afterwards. */
void sw_out_clear(struct sw_out *out);

/** @return 0 or SW_E_NOMEM (nothing queued). account: charged for chunks */
SW_CHECKED int
sw_out_copy(struct sw_out *out, struct sw_account *account, const void *data, size_t size);

/** Takes a reference of its own on buf (NULL: static bytes). @return 0 or SW_E_NOMEM */
SW_CHECKED int sw_out_ref(struct sw_out *out, struct sw_buf *buf, const void *data, size_t size);

/** Describes the first bytes, at most bytes_max. @return vectors used; ret_bytes: bytes in them */
unsigned sw_out_iov(
    const struct sw_out *out,
    struct iovec *iov,
    unsigned iov_max,
    size_t bytes_max,
    size_t *ret_bytes
);

/** The first `bytes` are sent: their references are dropped. */
void sw_out_consume(struct sw_out *out, size_t bytes);

#endif
