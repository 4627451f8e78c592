/* HTTP/1.1 messages: an incremental parser for requests (server) and responses (client). No I/O, no
 * allocation per header: the head is kept in one bounded buffer and described by spans.
 *
 * Follows Go's net/http in what it accepts (otlp-protocol.md §4.1, parity cases of `transport`): bare LF,
 * folded headers, equal Content-Lengths given twice, chunked beating Content-Length, chunk
 * extensions and trailers. Names with blanks or control bytes, differing or negative lengths are
 * refused.
 *
 * Pull style: feed bytes with sw_http1_feed until it reports something; body bytes are handed out as
 * spans of the bytes that were fed.
 */
#ifndef SW_L7_HTTP_HTTP1_H
#define SW_L7_HTTP_HTTP1_H

#include "dataplane/base/buf.h"
#include "dataplane/l7_http/http.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Most bytes of a head, as Go's DefaultMaxHeaderBytes (it allows 4096 more for buffering). */
#define SW_HTTP1_HEAD_MAX ((1u << 20) + 4096)
/** Most header lines; Go bounds them by bytes only. */
#define SW_HTTP1_HEADERS_MAX 4096
/** A chunk-size line with its extensions. */
#define SW_HTTP1_CHUNK_LINE_MAX 4096
/** Trailers, all together. */
#define SW_HTTP1_TRAILER_MAX 65536
/** Bytes of framing over those of the body, as Go's chunked reader: more is an attack. */
#define SW_HTTP1_CHUNK_EXCESS_MAX (16 * 1024)

struct sw_http1_header {
    uint32_t name; /**< offset into the head */
    uint32_t name_len;
    uint32_t value; /**< unfolded, trimmed */
    uint32_t value_len;
};

enum sw_http1_event {
    SW_HTTP1_MORE, /**< everything was taken, nothing to report */
    SW_HTTP1_HEAD, /**< the head is complete: look at method, headers … */
    SW_HTTP1_BODY, /**< body bytes: `body` */
    SW_HTTP1_END,  /**< the message is complete; the next one may follow after sw_http1_next */
    SW_HTTP1_FAIL, /**< refused: `status` and `why`; nothing more can be read */
};

struct sw_http1 {
    bool client;
    uint8_t state;
    uint8_t version_major; /**< 1, or 2 for `preface` */
    uint8_t version_minor; /**< HTTP/1.<minor> */
    bool chunked;
    bool keep_alive;       /**< the connection may be used again after this message */
    bool keep_alive_asked; /**< HTTP/1.0 with Connection: keep-alive: answer so */
    bool has_length;
    bool expect_continue;       /**< Expect: 100-continue */
    bool expect_other;          /**< any other expectation: 417 */
    bool until_close;           /**< client: the body ends with the connection */
    bool no_body;               /**< client, set by the caller before the head: answer to HEAD */
    bool preface;               /**< server: "PRI * HTTP/2.0", an HTTP/2 client */
    uint64_t length;            /**< Content-Length; meaningless when chunked */
    uint64_t left;              /**< of the body or chunk */
    uint64_t body_bytes;        /**< handed out so far */
    int64_t excess;             /**< chunk framing beyond the body, bounded */
    struct sw_buf *head;        /**< request line and headers as they came; charged */
    uint32_t scanned;           /**< of head: where the line in progress begins */
    uint32_t line_bytes;        /**< of the chunk line or trailers in progress */
    uint8_t digits_count;       /**< of the chunk size in progress */
    bool blank_seen;            /**< behind those digits */
    struct sw_http_text method; /**< server */
    struct sw_http_text target; /**< server: as it stands in the request line */
    unsigned status;            /**< client: of the response; FAIL: what to answer */
    const char *why;          /**< FAIL: Go's text, may be NULL. Before HEAD: what stands behind the
                                 * status; after it: the error of reading the body */
    struct sw_http_text host; /**< of the first Host header */
    struct sw_http1_header *headers;
    uint32_t headers_count;
    uint32_t headers_capacity;
    struct sw_account *account;
    struct sw_http_text body; /**< BODY: borrowed from the bytes fed */
};

void sw_http1_init(struct sw_http1 *http, bool client, struct sw_account *account);
void sw_http1_fini(struct sw_http1 *http);

/** Takes bytes from the front; stops at the first thing to report.
 *
 * @param ret_taken  bytes taken, also with FAIL; feed the rest next. May be 0 with an event.
 */
enum sw_http1_event
sw_http1_feed(struct sw_http1 *http, const uint8_t *data, size_t size, size_t *ret_taken);

/** The peer has ended its side. @return END (client: body until close), MORE (between messages: fine),
 * or FAIL (inside of one: "unexpected EOF"; inside of a request's head `why` is NULL, as Go says no more) */
enum sw_http1_event sw_http1_eof(struct sw_http1 *http);

/** After END: ready for the next message. Spans of the last one are gone. */
void sw_http1_next(struct sw_http1 *http);

/** Nothing of a message has arrived yet. */
bool sw_http1_idle(const struct sw_http1 *http);

/** Value of the first header of this name (any case). @return false: not there */
bool sw_http1_header(const struct sw_http1 *http, const char *name, struct sw_http_text *ret_value);

/** The i-th header; i < headers_count. */
static inline struct sw_http_text sw_http1_header_name(const struct sw_http1 *http, uint32_t i)
{
    return (struct sw_http_text
    ){(const char *)http->head->data + http->headers[i].name, http->headers[i].name_len};
}
static inline struct sw_http_text sw_http1_header_value(const struct sw_http1 *http, uint32_t i)
{
    return (struct sw_http_text
    ){(const char *)http->head->data + http->headers[i].value, http->headers[i].value_len};
}

/** Reason phrase, as Go's http.StatusText; "" for unknown ones. */
const char *sw_http_reason(unsigned status);

/** "Mon, 02 Jan 2006 15:04:05 GMT" and a NUL; out has 30 bytes. */
void sw_http_date(uint64_t wall_ns, char out[30]);

/** Parses that form (Retry-After with a date). @return 0 or SW_E_INVALID */
SW_CHECKED int sw_http_date_parse(struct sw_http_text text, uint64_t *ret_wall_ns);

#endif
