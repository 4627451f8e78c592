#include "dataplane/l7_http/http.h"

#include "dataplane/l4_stream/stream.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool sw_http_text_is_nocase(struct sw_http_text text, const char *what)
{
    size_t i = 0;
    for (; i < text.len && what[i] != '\0'; i++) {
        if (lower(text.data[i]) != lower(what[i])) {
            return false;
        }
    }
    return i == text.len && what[i] == '\0';
}

struct sw_http_text sw_http_text_trim(struct sw_http_text text)
{
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t')) {
        text.len--;
    }
    return text;
}

bool sw_http_text_number(struct sw_http_text text, uint64_t *ret_number)
{
    uint64_t number = 0;
    if (text.len == 0) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        uint64_t digit = (uint64_t)(text.data[i] - '0');
        if (number > (UINT64_MAX - digit) / 10) {
            return false;
        }
        number = number * 10 + digit;
    }
    *ret_number = number;
    return true;
}

bool sw_http_text_next(struct sw_http_text *rest, struct sw_http_text *ret_element)
{
    if (rest->len == 0) {
        return false;
    }
    const char *comma = memchr(rest->data, ',', rest->len);
    size_t len = comma != NULL ? (size_t)(comma - rest->data) : rest->len;
    *ret_element = sw_http_text_trim((struct sw_http_text){rest->data, len});
    size_t skip = comma != NULL ? len + 1 : len;
    rest->data += skip;
    rest->len -= skip;
    return true;
}

static int stream_copy(void *ctx, const void *data, size_t size)
{
    return sw_stream_write_copy(ctx, data, size);
}

static int stream_ref(void *ctx, struct sw_buf *buf, const void *data, size_t size)
{
    return sw_stream_write_ref(ctx, buf, data, size);
}

static bool stream_full(void *ctx)
{
    const struct sw_stream *stream = ctx;
    return stream->queued_bytes > SW_STREAM_HIGH_BYTES;
}

struct sw_http_out sw_http_out_stream(struct sw_stream *stream)
{
    return (struct sw_http_out){
        .copy = stream_copy,
        .ref = stream_ref,
        .full = stream_full,
        .ctx = stream,
    };
}

static bool buf_body_next(struct sw_http_body *base, uint32_t most, struct sw_piece *ret_piece)
{
    struct sw_http_buf_body *body = (struct sw_http_buf_body *)base;
    uint32_t len = body->buf->size - body->offset;
    if (len > most) {
        len = most;
    }
    *ret_piece = (struct sw_piece){body->buf, body->buf->data + body->offset, len};
    body->offset += len;
    return len > 0;
}

void sw_http_buf_body_init(struct sw_http_buf_body *body, struct sw_buf *buf)
{
    *body = (struct sw_http_buf_body){
        .body = {.bytes = buf->size, .next = buf_body_next},
        .buf = buf,
    };
}

void sw_http_buf_body_fini(struct sw_http_buf_body *body)
{
    sw_buf_unref(body->buf);
    body->buf = NULL;
}
