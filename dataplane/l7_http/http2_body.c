/* Bodies on their way out: ranges go to the transport by reference, in frames as large as the peer
 * takes. nghttp2 only makes the frame headers. */
#include "dataplane/base/assert.h"
#include "dataplane/l7_http/http2_internal.h"

// A reference costs an entry in the transport's list and a vector at the system call; below this a copy
// is cheaper.
#define COPY_BYTES 256

static size_t head_left(const struct sw_http_body *body)
{
    return (size_t)(body->head_len - body->head_sent);
}

static void add_trailers(nghttp2_session *session, struct h2_stream *stream, uint32_t *data_flags)
{
    if (stream->trailers_count == 0) {
        return;
    }
    nghttp2_nv nv[8];
    SW_ASSERT(stream->trailers_count <= SW_ARRAY_SIZE(nv));
    for (size_t i = 0; i < stream->trailers_count; i++) {
        const struct sw_h2_header *header = &stream->trailers[i];
        nv[i] = (nghttp2_nv){
            .name = (uint8_t *)header->name.data,
            .namelen = header->name.len,
            .value = (uint8_t *)header->value.data,
            .valuelen = header->value.len,
            .flags = header->fixed ? NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE
                                   : NGHTTP2_NV_FLAG_NONE,
        };
    }
    if (nghttp2_submit_trailer(session, stream->id, nv, stream->trailers_count) == 0) {
        *data_flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    } else {
        // Without the trailers the answer would look cut short: better it is seen as failed.
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_INTERNAL_ERROR);
    }
}

ssize_t sw_h2_body_read_internal(
    nghttp2_session *session,
    int32_t id,
    uint8_t *buf,
    size_t length,
    uint32_t *data_flags,
    nghttp2_data_source *source,
    void *user_data
)
{
    (void)id;
    (void)user_data;
    struct h2_stream *stream = source->ptr;
    struct sw_http_body *body = stream->body;
    uint64_t left = head_left(body) + body->bytes;
    size_t take = left < length ? (size_t)left : length;
    if (take == left) {
        *data_flags |= NGHTTP2_DATA_FLAG_EOF;
        add_trailers(session, stream, data_flags);
    }
    if (body->bytes == 0) {
        // A small answer: one write holds the frame header and the bytes.
        memcpy(buf, body->head + body->head_sent, take);
        body->head_sent = (uint8_t)(body->head_sent + take);
    } else {
        *data_flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    }
    return (ssize_t)take;
}

static int put(struct sw_h2 *h2, const struct sw_piece *piece)
{
    if (piece->buf == NULL || piece->len <= COPY_BYTES) {
        return h2->out.copy(h2->out.ctx, piece->data, piece->len);
    }
    return h2->out.ref(h2->out.ctx, piece->buf, piece->data, piece->len);
}

static int put_payload(struct sw_h2 *h2, struct sw_http_body *body, size_t length)
{
    size_t head = SW_MIN(head_left(body), length);
    if (head > 0) {
        int err = h2->out.copy(h2->out.ctx, body->head + body->head_sent, head);
        if (err != SW_OK) {
            return err;
        }
        body->head_sent = (uint8_t)(body->head_sent + head);
        length -= head;
    }
    while (length > 0) {
        struct sw_piece piece;
        if (!body->next(body, (uint32_t)length, &piece) || piece.len == 0) {
            return SW_E_SYSTEM; // shorter than promised: the frame cannot be finished
        }
        SW_ASSERT(piece.len <= length && piece.len <= body->bytes);
        int err = put(h2, &piece);
        if (err != SW_OK) {
            return err;
        }
        body->bytes -= piece.len;
        length -= piece.len;
    }
    return SW_OK;
}

int sw_h2_body_send_internal(
    nghttp2_session *session,
    nghttp2_frame *frame,
    const uint8_t *framehd,
    size_t length,
    nghttp2_data_source *source,
    void *user_data
)
{
    (void)session;
    struct sw_h2 *h2 = user_data;
    struct h2_stream *stream = source->ptr;
    SW_ASSERT(frame->data.padlen == 0);
    if (h2->out.full != NULL && h2->out.full(h2->out.ctx)) {
        return NGHTTP2_ERR_WOULDBLOCK;
    }
    int err = h2->out.copy(h2->out.ctx, framehd, 9);
    if (err == SW_OK) {
        err = put_payload(h2, stream->body, length);
    }
    if (err != SW_OK) {
        h2->write_err = err;
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    return 0;
}
