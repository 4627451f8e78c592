#include "dataplane/otlp/json_out_internal.h"

#include <string.h>

static int new_buf(struct sw_account *account, uint64_t capacity, struct sw_buf **ret_buf)
{
    if (capacity > UINT32_MAX - sizeof(struct sw_buf)) {
        return SW_E_TOO_LARGE;
    }
    struct sw_buf *buf = sw_buf_new(account, (uint32_t)capacity);
    if (buf == NULL) {
        return SW_E_NOMEM;
    }
    *ret_buf = buf;
    return SW_OK;
}

int sw_json_out_init(struct json_out *out, struct sw_account *account, size_t capacity)
{
    struct sw_buf *buf;
    int err = new_buf(account, capacity, &buf);
    if (err == SW_OK) {
        *out = (struct json_out){.to = buf->data, .end = buf->data + capacity, .buf = buf};
    }
    return err;
}

void sw_json_out_fini(struct json_out *out)
{
    sw_buf_unref(out->buf);
    sw_buf_unref(out->grown);
}

struct sw_buf *sw_json_out_take(struct json_out *out)
{
    struct sw_buf *buf = out->buf;
    SW_ASSERT(buf != NULL && out->grown == NULL);
    buf->size = sw_json_out_size(out);
    out->buf = NULL;
    return sw_buf_shrink(buf);
}

int sw_json_out_grow(struct json_out *out)
{
    size_t written = sw_json_out_size(out);
    if (out->grown == NULL) {
        uint64_t capacity = out->buf->capacity + (uint64_t)out->buf->capacity / 2;
        capacity = SW_MAX(capacity, written + out->need + 2 * JSON_ROOM);
        int err = new_buf(out->buf->account, capacity, &out->grown);
        if (err != SW_OK) {
            return err;
        }
        out->grown_copied = 0;
    }
    size_t size = SW_MIN(written - out->grown_copied, (size_t)JSON_MOVE_SLICE);
    memcpy(out->grown->data + out->grown_copied, out->buf->data + out->grown_copied, size);
    out->grown_copied += size;
    if (out->grown_copied < written) {
        return SW_E_AGAIN;
    }
    sw_buf_unref(out->buf);
    *out = (struct json_out){
        .to = out->grown->data + written,
        .end = out->grown->data + out->grown->capacity,
        .buf = out->grown,
    };
    return SW_OK;
}
