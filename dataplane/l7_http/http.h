/* What the HTTP parts share: text borrowed from a head, where bytes go, and the receive budget. */
#ifndef SW_L7_HTTP_HTTP_H
#define SW_L7_HTTP_HTTP_H

#include "dataplane/base/buf.h"
#include "dataplane/base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** Bytes of somebody else's; no NUL at the end. */
struct sw_http_text {
    const char *data;
    size_t len;
};

/** Of a string literal. */
#define SW_HTTP_TEXT(literal) ((struct sw_http_text){(literal), sizeof(literal) - 1})

static inline bool sw_http_text_is(struct sw_http_text text, const char *what)
{
    size_t len = strlen(what);
    return text.len == len && memcmp(text.data, what, len) == 0;
}

/** ASCII case does not count. */
bool sw_http_text_is_nocase(struct sw_http_text text, const char *what);

/** Without blanks and tabs at both ends. */
struct sw_http_text sw_http_text_trim(struct sw_http_text text);

/** Digits only. @return false: none, a foreign byte, or above UINT64_MAX (untouched) */
bool sw_http_text_number(struct sw_http_text text, uint64_t *ret_number);

/** The next element of a comma-separated list, trimmed; *rest shrinks. @return false at the end */
bool sw_http_text_next(struct sw_http_text *rest, struct sw_http_text *ret_element);

/** Where bytes go. The calls are those of sw_stream_write_copy and sw_stream_write_ref. */
struct sw_http_out {
    int (*copy)(void *ctx, const void *data, size_t size);
    int (*ref)(void *ctx, struct sw_buf *buf, const void *data, size_t size);
    /** True: no more body bytes for now. An HTTP/2 session then holds back everything, so that what a
     * peer provokes and does not read is counted. May be NULL: never. */
    bool (*full)(void *ctx);
    void *ctx;
};

struct sw_stream;
/** Bytes go to a stream. */
struct sw_http_out sw_http_out_stream(struct sw_stream *stream);

/** A body to be sent: `head` (copied) and then pieces that are pulled when the peer takes them.
 * Lives in its owner's memory until the message is sent or given up. */
struct sw_http_body {
    uint8_t head[16];
    uint8_t head_len;
    uint8_t head_sent; /**< set by the sender, 0 at the start */
    uint64_t bytes;    /**< of the pieces together: how many are still to be pulled */
    /** The next range, at least one and at most `most` bytes. Called while bytes > 0 only.
     * @return false: cannot go on (a message that is cut short costs its connection) */
    bool (*next)(struct sw_http_body *body, uint32_t most, struct sw_piece *ret_piece);
};

/** A body that is one buffer. */
struct sw_http_buf_body {
    struct sw_http_body body;
    struct sw_buf *buf;
    uint32_t offset;
};
/** Takes over the reference; sw_http_buf_body_fini drops it (after the message has ended). */
void sw_http_buf_body_init(struct sw_http_buf_body *body, struct sw_buf *buf);
void sw_http_buf_body_fini(struct sw_http_buf_body *body);

/** The receive budget: bodies in progress and the windows we advertise, of all cores together
 * (design §4). Windows are charged to the account as well; bodies are charged by their buffers. */
struct sw_http_budget {
    _Atomic int64_t used_bytes;
    int64_t limit_bytes;
    struct sw_account *account; /**< of the process, may be NULL */
};

/** Any thread. @return false when it would pass the limit (nothing taken) */
static inline bool sw_http_budget_take(struct sw_http_budget *budget, int64_t bytes)
{
    if (budget == NULL) {
        return true;
    }
    int64_t before = atomic_fetch_add_explicit(&budget->used_bytes, bytes, memory_order_relaxed);
    if (before + bytes > budget->limit_bytes) {
        atomic_fetch_sub_explicit(&budget->used_bytes, bytes, memory_order_relaxed);
        return false;
    }
    return true;
}

static inline void sw_http_budget_give(struct sw_http_budget *budget, int64_t bytes)
{
    if (budget != NULL) {
        atomic_fetch_sub_explicit(&budget->used_bytes, bytes, memory_order_relaxed);
    }
}

#endif
