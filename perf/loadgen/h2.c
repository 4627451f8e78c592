#include "perf/loadgen/h2.h"

#include <string.h>

static uint32_t get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void set_u32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

void sw_lg_h2_in_init(
    struct sw_lg_h2_in *in,
    const struct sw_lg_h2_handler *handler,
    void *ctx,
    struct sw_lg_bytes *reply
)
{
    memset(in, 0, sizeof(*in));
    in->handler = handler;
    in->ctx = ctx;
    in->reply = reply;
    if (nghttp2_hd_inflate_new(&in->inflater)) {
        sw_lg_die("out of memory");
    }
}

void sw_lg_h2_in_fini(struct sw_lg_h2_in *in)
{
    if (in->inflater) {
        nghttp2_hd_inflate_del(in->inflater);
    }
    sw_lg_bytes_free(&in->block);
    in->inflater = NULL;
}

void sw_lg_h2_frame_header(
    uint8_t out[SW_LG_H2_HEADER],
    size_t len,
    uint8_t type,
    uint8_t flags,
    uint32_t stream
)
{
    out[0] = (uint8_t)(len >> 16);
    out[1] = (uint8_t)(len >> 8);
    out[2] = (uint8_t)len;
    out[3] = type;
    out[4] = flags;
    set_u32(out + 5, stream);
}

void sw_lg_h2_put_frame(
    struct sw_lg_bytes *out,
    uint8_t type,
    uint8_t flags,
    uint32_t stream,
    const void *payload,
    size_t len
)
{
    uint8_t header[SW_LG_H2_HEADER];
    sw_lg_h2_frame_header(header, len, type, flags, stream);
    sw_lg_bytes_put(out, header, sizeof(header));
    sw_lg_bytes_put(out, payload, len);
}

void sw_lg_h2_put_settings(
    struct sw_lg_bytes *out,
    const uint16_t *ids,
    const uint32_t *values,
    unsigned count
)
{
    uint8_t payload[6 * 8];
    for (unsigned i = 0; i < count && i < 8; i++) {
        payload[i * 6] = (uint8_t)(ids[i] >> 8);
        payload[i * 6 + 1] = (uint8_t)ids[i];
        set_u32(payload + i * 6 + 2, values[i]);
    }
    sw_lg_h2_put_frame(out, NGHTTP2_SETTINGS, 0, 0, payload, count * 6);
}

void sw_lg_h2_put_window(struct sw_lg_bytes *out, uint32_t stream, uint32_t more)
{
    uint8_t payload[4];
    set_u32(payload, more);
    sw_lg_h2_put_frame(out, NGHTTP2_WINDOW_UPDATE, 0, stream, payload, 4);
}

void sw_lg_h2_put_reset(struct sw_lg_bytes *out, uint32_t stream, uint32_t code)
{
    uint8_t payload[4];
    set_u32(payload, code);
    sw_lg_h2_put_frame(out, NGHTTP2_RST_STREAM, 0, stream, payload, 4);
}

static void put_length(struct sw_lg_bytes *block, size_t len)
{
    uint8_t text[8];
    size_t used = 0;
    if (len < 127) {
        text[used++] = (uint8_t)len;
    } else {
        text[used++] = 127;
        for (len -= 127; len > 127; len >>= 7) {
            text[used++] = (uint8_t)(0x80 | (len & 0x7f));
        }
        text[used++] = (uint8_t)len;
    }
    sw_lg_bytes_put(block, text, used);
}

void sw_lg_h2_put_literal(struct sw_lg_bytes *block, const char *name, const char *value)
{
    uint8_t kind = 0;
    sw_lg_bytes_put(block, &kind, 1);
    put_length(block, strlen(name));
    sw_lg_bytes_put(block, name, strlen(name));
    put_length(block, strlen(value));
    sw_lg_bytes_put(block, value, strlen(value));
}

static bool end_of_block(struct sw_lg_h2_in *in)
{
    const uint8_t *at = in->block.data;
    size_t left = in->block.len;
    for (;;) {
        nghttp2_nv header;
        int flags = 0;
        ssize_t used = nghttp2_hd_inflate_hd2(in->inflater, &header, &flags, at, left, 1);
        if (used < 0) {
            return false;
        }
        at += used;
        left -= (size_t)used;
        if (flags & NGHTTP2_HD_INFLATE_EMIT) {
            in->handler->on_header(
                in->ctx,
                in->stream,
                (char *)header.name,
                header.namelen,
                (char *)header.value,
                header.valuelen
            );
        }
        if (flags & NGHTTP2_HD_INFLATE_FINAL) {
            break;
        }
        if (!(flags & NGHTTP2_HD_INFLATE_EMIT) && left == 0) {
            return false;
        }
    }
    nghttp2_hd_inflate_end_headers(in->inflater);
    in->block.len = 0;
    in->handler->on_headers_end(in->ctx, in->stream, in->block_end_stream);
    return true;
}

static bool on_headers(struct sw_lg_h2_in *in)
{
    const uint8_t *at = in->frame;
    size_t len = in->frame_len;
    if (in->type == NGHTTP2_HEADERS) {
        size_t pad = 0;
        if (in->flags & NGHTTP2_FLAG_PADDED) {
            if (len < 1) {
                return false;
            }
            pad = *at++;
            len--;
        }
        if (in->flags & NGHTTP2_FLAG_PRIORITY) {
            if (len < 5) {
                return false;
            }
            at += 5;
            len -= 5;
        }
        if (pad > len) {
            return false;
        }
        len -= pad;
        in->block.len = 0;
        in->block_end_stream = in->flags & NGHTTP2_FLAG_END_STREAM;
    }
    if (in->block.len + len > 256 * 1024) {
        return false;
    }
    sw_lg_bytes_put(&in->block, at, len);
    return !(in->flags & NGHTTP2_FLAG_END_HEADERS) || end_of_block(in);
}

static bool on_settings(struct sw_lg_h2_in *in)
{
    if (in->flags & NGHTTP2_FLAG_ACK) {
        return true;
    }
    for (uint32_t i = 0; i + 6 <= in->frame_len; i += 6) {
        in->handler->on_setting(
            in->ctx, (uint16_t)(in->frame[i] << 8 | in->frame[i + 1]), get_u32(in->frame + i + 2)
        );
    }
    sw_lg_h2_put_frame(in->reply, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
    in->handler->on_settings_end(in->ctx);
    return in->frame_len % 6 == 0;
}

// A padded DATA frame, collected whole because the padding's length stands at its start.
static bool on_padded_data(struct sw_lg_h2_in *in)
{
    if (in->frame_len < 1 || in->frame[0] >= in->frame_len) {
        return false;
    }
    size_t len = in->frame_len - 1 - in->frame[0];
    in->handler->on_data(
        in->ctx, in->stream, in->frame + 1, len, in->frame_len, in->flags & NGHTTP2_FLAG_END_STREAM
    );
    return true;
}

static bool on_frame(struct sw_lg_h2_in *in)
{
    const struct sw_lg_h2_handler *handler = in->handler;
    switch (in->type) {
    case NGHTTP2_DATA:
        return on_padded_data(in);
    case NGHTTP2_HEADERS:
    case NGHTTP2_CONTINUATION:
        return on_headers(in);
    case NGHTTP2_SETTINGS:
        return on_settings(in);
    case NGHTTP2_PING:
        if (!(in->flags & NGHTTP2_FLAG_ACK)) {
            sw_lg_h2_put_frame(
                in->reply, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, in->frame, in->frame_len
            );
        }
        return in->frame_len == 8;
    case NGHTTP2_RST_STREAM:
        if (in->frame_len == 4) {
            handler->on_reset(in->ctx, in->stream, get_u32(in->frame));
        }
        return in->frame_len == 4;
    case NGHTTP2_GOAWAY:
        if (in->frame_len >= 8) {
            handler->on_goaway(in->ctx, get_u32(in->frame) & 0x7fffffff, get_u32(in->frame + 4));
        }
        return in->frame_len >= 8;
    case NGHTTP2_WINDOW_UPDATE:
        if (in->frame_len == 4) {
            handler->on_window(in->ctx, in->stream, get_u32(in->frame) & 0x7fffffff);
        }
        return in->frame_len == 4;
    default:
        return true; // unknown types are to be ignored (RFC 9113, 4.1)
    }
}

static bool begin_frame(struct sw_lg_h2_in *in)
{
    in->left = (uint32_t)in->header[0] << 16 | (uint32_t)in->header[1] << 8 | in->header[2];
    in->type = in->header[3];
    in->flags = in->header[4];
    in->stream = get_u32(in->header + 5) & 0x7fffffff;
    in->header_len = 0;
    in->frame_len = 0;
    in->in_payload = true;
    return in->left <= SW_LG_H2_FRAME_MAX;
}

static bool is_plain_data(const struct sw_lg_h2_in *in)
{
    return in->type == NGHTTP2_DATA && !(in->flags & NGHTTP2_FLAG_PADDED);
}

bool sw_lg_h2_feed(struct sw_lg_h2_in *in, const uint8_t *data, size_t len)
{
    while (len || (in->in_payload && in->left == 0)) {
        if (!in->in_payload) {
            size_t part = SW_LG_H2_HEADER - in->header_len;
            part = part < len ? part : len;
            memcpy(in->header + in->header_len, data, part);
            in->header_len += (unsigned)part;
            data += part;
            len -= part;
            if (in->header_len == SW_LG_H2_HEADER && !begin_frame(in)) {
                return false;
            }
            continue;
        }
        uint32_t part = in->left < len ? in->left : (uint32_t)len;
        in->left -= part;
        if (is_plain_data(in)) {
            in->handler->on_data(
                in->ctx,
                in->stream,
                data,
                part,
                part,
                in->left == 0 && in->flags & NGHTTP2_FLAG_END_STREAM
            );
        } else {
            memcpy(in->frame + in->frame_len, data, part);
            in->frame_len += part;
        }
        data += part;
        len -= part;
        if (in->left == 0) {
            in->in_payload = false;
            if (!is_plain_data(in) && !on_frame(in)) {
                return false;
            }
        }
    }
    return true;
}
