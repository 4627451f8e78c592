#include "dataplane/send/body.h"

enum sw_coding sw_send_coding_http(int compression)
{
    static const enum sw_coding codings[] = {
        [SW_COMPRESSION_UNSET] = SW_CODING_NONE,
        [SW_COMPRESSION_NONE] = SW_CODING_NONE,
        [SW_COMPRESSION_GZIP] = SW_CODING_GZIP,
        [SW_COMPRESSION_SNAPPY] = SW_CODING_SNAPPY,
        [SW_COMPRESSION_ZSTD] = SW_CODING_ZSTD,
        [SW_COMPRESSION_ZLIB] = SW_CODING_ZLIB,
        [SW_COMPRESSION_DEFLATE] = SW_CODING_DEFLATE,
        [SW_COMPRESSION_SNAPPY_FRAMED] = SW_CODING_SNAPPY_FRAMED,
        [SW_COMPRESSION_LZ4] = SW_CODING_LZ4,
    };
    SW_ASSERT(compression >= 0 && (size_t)compression < SW_ARRAY_SIZE(codings));
    return codings[compression];
}

enum sw_coding sw_send_coding_grpc(int compression)
{
    SW_ASSERT(compression >= 0 && compression <= SW_COMPRESSION_ZSTD);
    return compression == SW_COMPRESSION_SNAPPY ? SW_CODING_SNAPPY_FRAMED
                                                : sw_send_coding_http(compression);
}

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

int sw_send_body_init_packed(
    struct sw_send_body *body,
    const struct sw_batch *batch,
    struct sw_codec *codec,
    enum sw_coding coding,
    int level,
    struct sw_account *account
)
{
    struct sw_batch_cursor cursor;
    struct sw_buf *packed = NULL;
    sw_batch_cursor_init(&cursor, batch);
    int err = sw_codec_pack(
        codec, coding, level, next_for_codec, &cursor, batch->bytes, account, &packed
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

void sw_send_body_init_text(struct sw_send_body *body, struct sw_buf *text)
{
    *body = (struct sw_send_body){
        .body = {.bytes = text->size, .next = next_packed},
        .packed = text,
    };
}

struct text_cursor {
    const struct sw_buf *text; // NULL: given
};

static bool next_of_text(void *ctx, struct sw_piece *ret_piece)
{
    struct text_cursor *cursor = ctx;
    const struct sw_buf *text = cursor->text;
    if (text == NULL) {
        return false;
    }
    cursor->text = NULL;
    *ret_piece = (struct sw_piece){.data = text->data, .len = text->size};
    return true;
}

int sw_send_body_init_packed_text(
    struct sw_send_body *body,
    const struct sw_buf *text,
    struct sw_codec *codec,
    enum sw_coding coding,
    int level,
    struct sw_account *account
)
{
    struct text_cursor cursor = {text};
    struct sw_buf *packed = NULL;
    int err =
        sw_codec_pack(codec, coding, level, next_of_text, &cursor, text->size, account, &packed);
    if (err == SW_OK) {
        sw_send_body_init_text(body, packed);
    }
    return err;
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
