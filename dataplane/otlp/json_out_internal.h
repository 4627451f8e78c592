/* A buffer that is written to and grows, in slices. */
#ifndef SW_OTLP_JSON_OUT_INTERNAL_H
#define SW_OTLP_JSON_OUT_INTERNAL_H

#include "dataplane/base/buf.h"

enum {
    JSON_ROOM = 128, // free bytes in front of each state; none writes more without asking
    JSON_MOVE_SLICE = 128 << 10, // bytes moved or copied in one go
};

struct json_out {
    uint8_t *to;
    uint8_t *end;
    size_t need; // more than JSON_ROOM, until the buffer has grown
    struct sw_buf *buf;
    struct sw_buf *grown; // the larger one, while it is filled
    size_t grown_copied;
};

/* @return 0, SW_E_NOMEM or SW_E_TOO_LARGE */
SW_CHECKED int sw_json_out_init(struct json_out *out, struct sw_account *account, size_t capacity);
void sw_json_out_fini(struct json_out *out);

/* What was written, once; no byte more is charged than it needs. */
struct sw_buf *sw_json_out_take(struct json_out *out);

/* A slice of the copy into a larger buffer. @return 0 when there is room, SW_E_AGAIN, SW_E_NOMEM or
 * SW_E_TOO_LARGE */
SW_CHECKED int sw_json_out_grow(struct json_out *out);

static inline size_t sw_json_out_room(const struct json_out *out)
{
    return (size_t)(out->end - out->to);
}

static inline bool sw_json_out_has_room(const struct json_out *out)
{
    return sw_json_out_room(out) >= JSON_ROOM + out->need;
}

static inline uint32_t sw_json_out_size(const struct json_out *out)
{
    return (uint32_t)(out->to - out->buf->data);
}

#endif
