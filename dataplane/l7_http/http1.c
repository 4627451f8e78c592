#include "dataplane/l7_http/http1.h"

#include "dataplane/base/assert.h"
#include "dataplane/base/mem.h"
#include "dataplane/l7_http/http1_internal.h"

// Most heads of OTLP requests fit.
#define HEAD_START_BYTES 1024
// Larger ones are not kept for the connection's next message.
#define HEAD_KEEP_BYTES    8192
#define HEADERS_KEEP_COUNT 64
// Empty lines that old clients send behind a POST (Go: conn.serve peeks at four bytes).
#define LINES_AFTER_POST 4

/** Bytes being taken. */
struct cursor {
    const uint8_t *data;
    size_t size;
};

static void advance(struct cursor *at, size_t bytes)
{
    at->data += bytes;
    at->size -= bytes;
}

/* ---- life ---- */

void sw_http1_init(struct sw_http1 *http, bool client, struct sw_account *account)
{
    *http = (struct sw_http1){.client = client, .account = account, .state = HTTP1_HEAD};
}

static void drop_headers(struct sw_http1 *http)
{
    sw_account_charge(http->account, -(int64_t)(http->headers_capacity * sizeof(http->headers[0])));
    sw_free(http->headers);
    http->headers = NULL;
    http->headers_capacity = 0;
}

void sw_http1_fini(struct sw_http1 *http)
{
    sw_buf_unref(http->head);
    http->head = NULL;
    drop_headers(http);
}

void sw_http1_next(struct sw_http1 *http)
{
    bool after_post = !http->client && sw_http_text_is(http->method, "POST");
    if (http->head != NULL) {
        http->head->size = 0;
        if (http->head->capacity > HEAD_KEEP_BYTES) {
            sw_buf_unref(http->head);
            http->head = NULL;
        }
    }
    if (http->headers_capacity > HEADERS_KEEP_COUNT) {
        drop_headers(http);
    }
    *http = (struct sw_http1){
        .client = http->client,
        .state = HTTP1_HEAD,
        .head = http->head,
        .headers = http->headers,
        .headers_capacity = http->headers_capacity,
        .account = http->account,
        .line_bytes = after_post ? LINES_AFTER_POST : 0,
    };
}

bool sw_http1_idle(const struct sw_http1 *http)
{
    return http->state == HTTP1_HEAD && (http->head == NULL || http->head->size == 0);
}

bool sw_http1_header(const struct sw_http1 *http, const char *name, struct sw_http_text *ret_value)
{
    for (uint32_t i = 0; i < http->headers_count; i++) {
        if (sw_http_text_is_nocase(sw_http1_header_name(http, i), name)) {
            *ret_value = sw_http1_header_value(http, i);
            return true;
        }
    }
    return false;
}

enum sw_http1_event sw_http1_fail_internal(struct sw_http1 *http, unsigned status, const char *why)
{
    http->state = HTTP1_FAILED;
    http->why = why;
    http->keep_alive = false;
    if (!http->client) {
        http->status = status;
    }
    return SW_HTTP1_FAIL;
}

static enum sw_http1_event fail(struct sw_http1 *http, const char *why)
{
    return sw_http1_fail_internal(http, 400, why);
}

/* ---- head ---- */

// Texts that point into the head follow it.
static void move_text(struct sw_http_text *text, const struct sw_buf *from, const struct sw_buf *to)
{
    if (text->data != NULL) {
        text->data = (const char *)to->data + (text->data - (const char *)from->data);
    }
}

static enum sw_http1_event append_head(struct sw_http1 *http, const uint8_t *data, size_t size)
{
    struct sw_buf *head = http->head;
    size_t used = head != NULL ? head->size : 0;
    if (size > SW_HTTP1_HEAD_MAX - used) {
        return sw_http1_fail_internal(http, 431, NULL);
    }
    if (head == NULL || used + size > head->capacity) {
        size_t capacity = head != NULL ? head->capacity : HEAD_START_BYTES;
        while (capacity < used + size) {
            capacity *= 2;
        }
        capacity = SW_MIN(capacity, (size_t)SW_HTTP1_HEAD_MAX);
        struct sw_buf *larger = sw_buf_new(http->account, (uint32_t)capacity);
        if (larger == NULL) {
            return sw_http1_fail_internal(http, 503, sw_err_text(SW_E_NOMEM));
        }
        if (head != NULL) {
            memcpy(larger->data, head->data, used);
            move_text(&http->method, head, larger);
            move_text(&http->target, head, larger);
            sw_buf_unref(head);
        }
        http->head = head = larger;
    }
    memcpy(head->data + used, data, size);
    head->size = (uint32_t)(used + size);
    return SW_HTTP1_MORE;
}

static enum sw_http1_event line_done(struct sw_http1 *http)
{
    const struct sw_buf *head = http->head;
    uint32_t begin = http->scanned;
    uint32_t len = head->size - begin;
    http->scanned = head->size;
    if (begin == 0) {
        return sw_http1_start_line_internal(http);
    }
    bool empty = len == 1 || (len == 2 && head->data[begin] == '\r');
    return empty ? sw_http1_head_internal(http) : SW_HTTP1_MORE;
}

static enum sw_http1_event take_head(struct sw_http1 *http, struct cursor *at)
{
    while (http->line_bytes > 0 && at->size > 0) {
        bool empty_line = *at->data == '\r' || *at->data == '\n';
        http->line_bytes = empty_line ? http->line_bytes - 1 : 0;
        advance(at, empty_line ? 1 : 0);
    }
    while (at->size > 0) {
        const uint8_t *lf = memchr(at->data, '\n', at->size);
        size_t len = lf != NULL ? (size_t)(lf - at->data) + 1 : at->size;
        enum sw_http1_event event = append_head(http, at->data, len);
        advance(at, len);
        if (event == SW_HTTP1_MORE && lf != NULL) {
            event = line_done(http);
        }
        if (event != SW_HTTP1_MORE) {
            return event;
        }
    }
    return SW_HTTP1_MORE;
}

/* ---- body ---- */

static enum sw_http1_event give_body(struct sw_http1 *http, struct cursor *at, size_t len)
{
    http->body = (struct sw_http_text){(const char *)at->data, len};
    http->body_bytes += len;
    advance(at, len);
    return SW_HTTP1_BODY;
}

static enum sw_http1_event take_counted(struct sw_http1 *http, struct cursor *at)
{
    size_t len = (size_t)SW_MIN((uint64_t)at->size, http->left);
    http->left -= len;
    if (http->left == 0) {
        http->state = http->state == HTTP1_CHUNK ? HTTP1_CHUNK_CR : HTTP1_DONE;
    }
    return give_body(http, at, len);
}

/* ---- chunks: Go's net/http/internal/chunked.go ---- */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// One byte of the chunk line before its extension.
static enum sw_http1_event size_byte(struct sw_http1 *http, uint8_t c)
{
    if (c == '\r') {
        http->state = HTTP1_SIZE_LF;
        return SW_HTTP1_MORE;
    }
    if (c == '\n') {
        return fail(http, "chunked line ends with bare LF");
    }
    if (c == ' ' || c == '\t') {
        // Legal at the end of the line only, so not before an extension.
        http->blank_seen = true;
        return SW_HTTP1_MORE;
    }
    if (http->blank_seen) {
        return fail(http, "invalid byte in chunk length");
    }
    if (c == ';') {
        http->state = HTTP1_EXTENSION;
        return SW_HTTP1_MORE;
    }
    int digit = hex_digit(c);
    if (digit < 0) {
        return fail(http, "invalid byte in chunk length");
    }
    if (http->digits_count == 16) {
        return fail(http, "http chunk length too large");
    }
    http->digits_count++;
    http->left = http->left << 4 | (uint64_t)digit;
    return SW_HTTP1_MORE;
}

static enum sw_http1_event extension_byte(struct sw_http1 *http, uint8_t c)
{
    if (c == '\n') {
        return fail(http, "chunked line ends with bare LF");
    }
    if (c == '\r') {
        http->state = HTTP1_SIZE_LF;
    }
    return SW_HTTP1_MORE;
}

// One byte a chunk costs five of framing, and that is legitimate; much more than that is an attack
// that makes us read for nothing.
static enum sw_http1_event size_done(struct sw_http1 *http)
{
    if (http->digits_count == 0) {
        return fail(http, "empty hex number for chunk length");
    }
    int64_t data_bytes = (int64_t)SW_MIN(http->left, (uint64_t)SW_HTTP1_CHUNK_EXCESS_MAX * 2);
    http->excess += (int64_t)http->line_bytes + 2 - 16 - 2 * data_bytes;
    http->excess = SW_MAX(http->excess, 0);
    if (http->excess > SW_HTTP1_CHUNK_EXCESS_MAX) {
        return fail(http, "chunked encoding contains too much non-data");
    }
    http->state = http->left > 0 ? HTTP1_CHUNK : HTTP1_TRAILER;
    http->line_bytes = 0;
    http->digits_count = 0;
    http->blank_seen = false;
    return SW_HTTP1_MORE;
}

static enum sw_http1_event chunk_line_byte(struct sw_http1 *http, uint8_t c)
{
    if (http->state == HTTP1_SIZE_LF) {
        return c == '\n' ? size_done(http) : fail(http, "invalid CR in chunked line");
    }
    enum sw_http1_event event =
        http->state == HTTP1_SIZE ? size_byte(http, c) : extension_byte(http, c);
    if (event == SW_HTTP1_MORE && c != '\r' && ++http->line_bytes >= SW_HTTP1_CHUNK_LINE_MAX) {
        return fail(http, "header line too long");
    }
    return event;
}

static enum sw_http1_event chunk_end_byte(struct sw_http1 *http, uint8_t c)
{
    bool cr = http->state == HTTP1_CHUNK_CR;
    if (c != (cr ? '\r' : '\n')) {
        return fail(http, "malformed chunked encoding");
    }
    http->state = cr ? HTTP1_CHUNK_LF : HTTP1_SIZE;
    return SW_HTTP1_MORE;
}

// Trailers are of no use to us: only their end is looked for. Lines end in CR LF, nothing else: where a
// message ends must not be a matter of opinion.
static enum sw_http1_event trailer_byte(struct sw_http1 *http, uint8_t c)
{
    static const char *const too_long = "http: suspiciously long trailer after chunked body";
    if (++http->line_bytes > SW_HTTP1_TRAILER_MAX) {
        return fail(http, too_long);
    }
    bool after_cr = http->state == HTTP1_TRAILER_LF || http->state == HTTP1_TRAILER_IN_LF;
    if (after_cr != (c == '\n')) {
        return fail(http, too_long);
    }
    switch (http->state) {
    case HTTP1_TRAILER:
        http->state = c == '\r' ? HTTP1_TRAILER_LF : HTTP1_TRAILER_IN;
        break;
    case HTTP1_TRAILER_IN:
        http->state = c == '\r' ? HTTP1_TRAILER_IN_LF : HTTP1_TRAILER_IN;
        break;
    case HTTP1_TRAILER_IN_LF:
        http->state = HTTP1_TRAILER;
        break;
    default:
        http->state = HTTP1_DONE;
        break;
    }
    return SW_HTTP1_MORE;
}

/* ---- feed ---- */

static enum sw_http1_event framing_byte(struct sw_http1 *http, uint8_t c)
{
    switch (http->state) {
    case HTTP1_SIZE:
    case HTTP1_EXTENSION:
    case HTTP1_SIZE_LF:
        return chunk_line_byte(http, c);
    case HTTP1_CHUNK_CR:
    case HTTP1_CHUNK_LF:
        return chunk_end_byte(http, c);
    default:
        return trailer_byte(http, c);
    }
}

static enum sw_http1_event feed(struct sw_http1 *http, struct cursor *at)
{
    for (;;) {
        if (http->state == HTTP1_DONE) {
            return SW_HTTP1_END;
        }
        if (http->state == HTTP1_FAILED) {
            return SW_HTTP1_FAIL;
        }
        if (at->size == 0) {
            return SW_HTTP1_MORE;
        }
        switch (http->state) {
        case HTTP1_HEAD:
            return take_head(http, at);
        case HTTP1_LENGTH:
        case HTTP1_CHUNK:
            return take_counted(http, at);
        case HTTP1_CLOSE:
            return give_body(http, at, at->size);
        default: {
            uint8_t c = *at->data;
            advance(at, 1);
            if (framing_byte(http, c) == SW_HTTP1_FAIL) {
                return SW_HTTP1_FAIL;
            }
            break;
        }
        }
    }
}

enum sw_http1_event
sw_http1_feed(struct sw_http1 *http, const uint8_t *data, size_t size, size_t *ret_taken)
{
    struct cursor at = {data, size};
    enum sw_http1_event event = feed(http, &at);
    SW_ASSERT(event != SW_HTTP1_MORE || at.size == 0);
    *ret_taken = size - at.size;
    return event;
}

enum sw_http1_event sw_http1_eof(struct sw_http1 *http)
{
    switch (http->state) {
    case HTTP1_HEAD:
        if (sw_http1_idle(http)) {
            return SW_HTTP1_MORE;
        }
        return fail(http, http->client ? "unexpected EOF" : NULL);
    case HTTP1_DONE:
        return SW_HTTP1_MORE;
    case HTTP1_CLOSE:
        http->state = HTTP1_DONE;
        return SW_HTTP1_END;
    case HTTP1_FAILED:
        return SW_HTTP1_FAIL;
    case HTTP1_TRAILER:
    case HTTP1_TRAILER_LF:
    case HTTP1_TRAILER_IN:
    case HTTP1_TRAILER_IN_LF:
        return fail(http, "http: unexpected EOF reading trailer");
    default:
        return fail(http, "unexpected EOF");
    }
}
