#include "dataplane/send/body.h"

static bool next_range(struct sw_http_body *base, uint32_t most, struct sw_piece *ret_piece)
{
    struct sw_send_body *body = (struct sw_send_body *)base;
    // Without a batch (sw_send_body_keep failed) the message is cut short.
    return body->cursor.batch != NULL && sw_batch_cursor_next(&body->cursor, most, ret_piece);
}

static bool next_packed(struct sw_http_body *base, uint32_t most, struct sw_piece *ret_piece)
{
    struct sw_send_body *body = (struct sw_send_body *)base;
    uint32_t len = SW_MIN(most, body->packed->size - body->offset);
    *ret_piece = (struct sw_piece){body->packed, body->packed->data + body->offset, len};
    body->offset += len;
    return len > 0;
}

void sw_send_body_init(struct sw_send_body *body, const struct sw_batch *batch)
{
    *body = (struct sw_send_body){.body = {.bytes = batch->bytes, .next = next_range}};
    sw_batch_cursor_init(&body->cursor, batch);
}

static bool next_for_codec(void *ctx, struct sw_piece *ret_piece)
{
    return sw_batch_cursor_next(ctx, UINT32_MAX, ret_piece);
}

int sw_send_body_init_gzip(
    struct sw_send_body *body,
    const struct sw_batch *batch,
    struct sw_codec *codec,
    struct sw_account *account
)
{
    struct sw_batch_cursor cursor;
    struct sw_buf *packed = NULL;
    sw_batch_cursor_init(&cursor, batch);
    int err = sw_codec_pack(
        codec, SW_CODING_GZIP, 0, next_for_codec, &cursor, batch->bytes, account, &packed
    );
    if (err != SW_OK) {
        return err;
    }
    *body = (struct sw_send_body){
        .body = {.bytes = packed->size, .next = next_packed},
        .packed = packed,
    };
    return SW_OK;
}

int sw_send_body_keep(struct sw_send_body *body)
{
    if (body->packed != NULL || body->kept != NULL || body->body.bytes == 0) {
        return SW_OK;
    }
    body->kept = sw_batch_share(body->cursor.batch);
    if (body->kept == NULL) {
        body->cursor.batch = NULL;
        return SW_E_NOMEM;
    }
    body->cursor.batch = body->kept; // same parts and pieces at the same places
    return SW_OK;
}

void sw_send_body_fini(struct sw_send_body *body)
{
    sw_batch_free(body->kept);
    sw_buf_unref(body->packed);
    body->kept = NULL;
    body->packed = NULL;
}
