#include "dataplane/base/assert.h"
#include "dataplane/base/mem.h"
#include "dataplane/l4_stream/out_internal.h"

#include <string.h>

// Most turns queue one small answer per stream; a stream that fills its first chunk gets larger ones.
#define CHUNK_FIRST_BYTES (2048 - sizeof(struct sw_buf))
#define CHUNK_NEXT_BYTES  (16384 - sizeof(struct sw_buf))

void sw_out_init(struct sw_out *out)
{
    *out = (struct sw_out){.capacity = SW_OUT_INLINE_PIECES};
    out->pieces = out->inline_pieces;
}

static void drop_storage(struct sw_out *out)
{
    sw_buf_unref(out->chunk);
    out->chunk = NULL;
    if (out->pieces != out->inline_pieces) {
        sw_free(out->pieces);
        out->pieces = out->inline_pieces;
        out->capacity = SW_OUT_INLINE_PIECES;
    }
    out->head = 0;
}

void sw_out_clear(struct sw_out *out)
{
    for (uint32_t i = 0; i < out->count; i++) {
        sw_buf_unref(out->pieces[(out->head + i) & (out->capacity - 1)].buf);
    }
    out->count = 0;
    out->bytes = 0;
    drop_storage(out);
}

static int grow(struct sw_out *out)
{
    uint32_t capacity = out->capacity * 2;
    struct sw_piece *pieces = sw_alloc(capacity * sizeof(*pieces));
    if (pieces == NULL) {
        return SW_E_NOMEM;
    }
    for (uint32_t i = 0; i < out->count; i++) {
        pieces[i] = out->pieces[(out->head + i) & (out->capacity - 1)];
    }
    if (out->pieces != out->inline_pieces) {
        sw_free(out->pieces);
    }
    out->pieces = pieces;
    out->capacity = capacity;
    out->head = 0;
    return SW_OK;
}

int sw_out_ref(struct sw_out *out, struct sw_buf *buf, const void *data, size_t size)
{
    SW_ASSERT(size <= UINT32_MAX);
    if (size == 0) {
        return SW_OK;
    }
    if (out->count == out->capacity && grow(out) != SW_OK) {
        return SW_E_NOMEM;
    }
    out->pieces[(out->head + out->count) & (out->capacity - 1)] = (struct sw_piece){
        .buf = sw_buf_ref(buf),
        .data = data,
        .len = (uint32_t)size,
    };
    out->count++;
    out->bytes += size;
    return SW_OK;
}

static int new_chunk(struct sw_out *out, struct sw_account *account, size_t size)
{
    size_t capacity = out->chunk == NULL ? CHUNK_FIRST_BYTES : CHUNK_NEXT_BYTES;
    struct sw_buf *chunk = sw_buf_new(account, (uint32_t)SW_MAX(capacity, size));
    if (chunk == NULL) {
        return SW_E_NOMEM;
    }
    sw_buf_unref(out->chunk); // its pieces hold references of their own
    out->chunk = chunk;
    return SW_OK;
}

int sw_out_copy(struct sw_out *out, struct sw_account *account, const void *data, size_t size)
{
    SW_ASSERT(size <= UINT32_MAX);
    if (size == 0) {
        return SW_OK;
    }
    if (out->chunk == NULL || out->chunk->capacity - out->chunk->size < size) {
        int err = new_chunk(out, account, size);
        if (err != SW_OK) {
            return err;
        }
    }
    struct sw_buf *chunk = out->chunk;
    uint8_t *at = chunk->data + chunk->size;
    struct sw_piece *last = &out->pieces[(out->head + out->count - 1) & (out->capacity - 1)];
    if (out->count > 0 && last->buf == chunk && last->data + last->len == at) {
        last->len += (uint32_t)size;
        out->bytes += size;
    } else {
        int err = sw_out_ref(out, chunk, at, size);
        if (err != SW_OK) {
            return err;
        }
    }
    memcpy(at, data, size);
    chunk->size += (uint32_t)size;
    return SW_OK;
}

unsigned sw_out_iov(
    const struct sw_out *out,
    struct iovec *iov,
    unsigned iov_max,
    size_t bytes_max,
    size_t *ret_bytes
)
{
    unsigned count = 0;
    size_t bytes = 0;
    while (count < iov_max && count < out->count && bytes < bytes_max) {
        const struct sw_piece *piece = &out->pieces[(out->head + count) & (out->capacity - 1)];
        size_t len = SW_MIN((size_t)piece->len, bytes_max - bytes);
        iov[count++] = (struct iovec){.iov_base = (void *)piece->data, .iov_len = len};
        bytes += len;
    }
    *ret_bytes = bytes;
    return count;
}

void sw_out_consume(struct sw_out *out, size_t bytes)
{
    SW_ASSERT(bytes <= out->bytes);
    out->bytes -= bytes;
    while (bytes > 0) {
        struct sw_piece *piece = &out->pieces[out->head & (out->capacity - 1)];
        if (piece->len > bytes) {
            piece->data += bytes;
            piece->len -= (uint32_t)bytes;
            break;
        }
        bytes -= piece->len;
        sw_buf_unref(piece->buf);
        out->head++;
        out->count--;
    }
    if (out->count == 0) {
        drop_storage(out); // an idle stream holds nothing
    }
}
