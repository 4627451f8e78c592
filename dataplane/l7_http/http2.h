/* HTTP/2 over nghttp2: bytes in, events and bytes out, no I/O, server and client.
 *
 * One session belongs to one connection and to one core. Events come from inside sw_h2_recv and
 * sw_h2_send only (on_close also from sw_h2_free, on_done from a timer). In an event everything may be called except
 * sw_h2_free; what was queued there goes out when the call that caused the event ends.
 *
 *   server:  on_begin → on_header* → on_headers(REQUEST) → on_data* → on_end      … on_close
 *                       sw_h2_respond at any time after on_headers
 *   client:  sw_h2_request → on_header* → on_headers(RESPONSE) → on_data* →
 *                       [on_header* → on_headers(TRAILERS)] → on_end              … on_close
 *
 * on_close is the last event of a stream and always comes, exactly once.
 */
#ifndef SW_L7_HTTP_HTTP2_H
#define SW_L7_HTTP_HTTP2_H

#include "dataplane/base/core.h"
#include "dataplane/l7_http/http.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sw_h2;

/** RFC 9113 §7. */
enum sw_h2_code {
    SW_H2_NO_ERROR = 0x0,
    SW_H2_PROTOCOL_ERROR = 0x1,
    SW_H2_INTERNAL_ERROR = 0x2,
    SW_H2_FLOW_CONTROL_ERROR = 0x3,
    SW_H2_SETTINGS_TIMEOUT = 0x4,
    SW_H2_STREAM_CLOSED = 0x5,
    SW_H2_FRAME_SIZE_ERROR = 0x6,
    SW_H2_REFUSED_STREAM = 0x7,
    SW_H2_CANCEL = 0x8,
    SW_H2_COMPRESSION_ERROR = 0x9,
    SW_H2_CONNECT_ERROR = 0xa,
    SW_H2_ENHANCE_YOUR_CALM = 0xb,
    SW_H2_INADEQUATE_SECURITY = 0xc,
    SW_H2_HTTP_1_1_REQUIRED = 0xd,
};

enum sw_h2_headers_kind {
    SW_H2_REQUEST,
    SW_H2_RESPONSE, /**< final; 1xx are skipped */
    SW_H2_TRAILERS,
};

struct sw_h2_header {
    struct sw_http_text name; /**< lower case */
    struct sw_http_text value;
    /** Name and value stay valid and unchanged as long as the session: not copied. */
    bool fixed;
};
#define SW_H2_FIXED(name, value)                                                                   \
    ((struct sw_h2_header){{(name), sizeof(name) - 1}, {(value), sizeof(value) - 1}, true})

/** Those that a side does not need may be NULL. `stream` is what the owner tied to the stream. */
struct sw_h2_events {
    /** Server: a request begins. @return what the owner ties to the stream; NULL: refuse it
     * (REFUSED_STREAM, no further event, not even on_close) */
    void *(*on_begin)(void *owner, int32_t id);
    /** One header, pseudo headers included, borrowed until return. */
    void (*on_header
    )(void *owner, int32_t id, void *stream, struct sw_http_text name, struct sw_http_text value);
    /** A block is complete; end: no body follows (on_end comes too). */
    void (*on_headers
    )(void *owner, int32_t id, void *stream, enum sw_h2_headers_kind kind, bool end);
    /** Body bytes, borrowed until return. They count against both windows until sw_h2_consume. */
    void (*on_data)(void *owner, int32_t id, void *stream, const uint8_t *data, size_t size);
    /** The peer has ended its side. */
    void (*on_end)(void *owner, int32_t id, void *stream);
    /** The stream is gone. code: of the RST_STREAM by either side, else NO_ERROR. Client:
     * REFUSED_STREAM also stands for streams that a GOAWAY named unprocessed, and for requests that
     * never left: the peer has done nothing with them. Session freed or broken: INTERNAL_ERROR. */
    void (*on_close)(void *owner, int32_t id, void *stream, uint32_t code);
    /** The peer will take no streams above last_id; those above it are closed with REFUSED_STREAM
     * right after this event. debug: borrowed text. */
    void (*on_goaway)(void *owner, int32_t last_id, uint32_t code, struct sw_http_text debug);
    /** The peer's SETTINGS are in force (first or changed). */
    void (*on_settings)(void *owner);
    /** The answer to sw_h2_ping. */
    void (*on_ping_ack)(void *owner, const uint8_t data[8]);
    /** The peer did not answer the PING of sw_h2_goaway in time, and nothing is left to wait for (or
     * writing failed): close. From a timer; here sw_h2_free is legal. */
    void (*on_done)(void *owner);
};

struct sw_h2_options {
    bool server;
    uint32_t max_concurrent_streams; /**< server: what we let the peer open; 0: SW_H2_STREAMS_MAX */
    uint32_t stream_window_bytes;    /**< 0: SW_H2_STREAM_WINDOW */
    /** The connection's window starts at 64 KiB and grows fourfold, up to this, while the peer uses
     * it up and the budget has room. 0: SW_H2_CONNECTION_WINDOW_MAX */
    uint32_t connection_window_bytes_max;
    uint32_t header_list_bytes_max; /**< of one block; 0: SW_H2_HEADER_LIST_MAX */
    /** The connection's window is charged to it; may be NULL. The 64 KiB that every connection begins
     * with are charged even past the limit. */
    struct sw_http_budget *budget;
    /** Server, grpc-go's enforcement: PINGs closer than this are strikes. 0: 5 min. */
    int64_t ping_min_ns;
    bool ping_without_stream; /**< PINGs without open streams are no strikes */
};

#define SW_H2_STREAMS_MAX           1024u
#define SW_H2_STREAM_WINDOW         (1u << 20)
#define SW_H2_CONNECTION_WINDOW_MAX (4u << 20)
#define SW_H2_HEADER_LIST_MAX       (64u << 10)

/** A session; its first bytes (preface, SETTINGS) go out at once.
 *
 * @param core  for the time and for a timer of the graceful end
 * @param out   where bytes go (copied); valid until sw_h2_free
 * @return 0 or SW_E_NOMEM
 */
SW_CHECKED int sw_h2_new(
    struct sw_core *core,
    const struct sw_h2_options *options,
    const struct sw_http_out *out,
    const struct sw_h2_events *events,
    void *owner,
    struct sw_h2 **ret_h2
);

/** Closes all streams (on_close INTERNAL_ERROR each) and frees. Not from an event. NULL is legal. */
void sw_h2_free(struct sw_h2 *h2);

/** Takes bytes from the peer, all of them, and sends what they caused.
 *
 * @return 0; SW_E_PROTOCOL: the peer broke the protocol (a GOAWAY that says so is on its way: shut the
 *     stream down); SW_E_NOMEM or a write error: close
 */
SW_CHECKED int sw_h2_recv(struct sw_h2 *h2, const uint8_t *data, size_t size);

/** Sends what is queued, as far as windows and `out` allow. Call it after requests, responses,
 * resets … made outside of events, and when `out` has room again. @return 0 or an error: close */
SW_CHECKED int sw_h2_send(struct sw_h2 *h2);

/** True: nothing is to be read or written any more (after GOAWAY and the last stream): close. */
bool sw_h2_done(const struct sw_h2 *h2);

/** size bytes of on_data are done with: windows open again. Legal for streams that are gone (then the
 * connection's window opens). */
void sw_h2_consume(struct sw_h2 *h2, int32_t id, size_t size);

/** Gives up a stream. Unknown or closed ones are legal. on_close follows. */
void sw_h2_reset(struct sw_h2 *h2, int32_t id, uint32_t code);

/** Streams that are open, both sides' (server: the peer's; client: ours). */
uint32_t sw_h2_streams_count(const struct sw_h2 *h2);

/** Ties another object to an open stream. */
void sw_h2_set_stream(struct sw_h2 *h2, int32_t id, void *stream);

/** Bytes the connection's window stands at (advertised, charged). */
uint32_t sw_h2_window_bytes(const struct sw_h2 *h2);

void sw_h2_ping(struct sw_h2 *h2, const uint8_t data[8]);

/* ---- server ---- */

/** Answers: headers, then body (NULL: none), then trailers (0: none; END_STREAM rides on whatever is
 * last). Headers are borrowed until return; body and trailers live until on_close. When the
 * peer has not ended its side by then, RST_STREAM NO_ERROR follows, as grpc-go does.
 *
 * @return 0; SW_E_CLOSED: the stream is gone; SW_E_NOMEM (nothing was sent)
 */
SW_CHECKED int sw_h2_respond(
    struct sw_h2 *h2,
    int32_t id,
    const struct sw_h2_header *headers,
    size_t headers_count,
    struct sw_http_body *body,
    const struct sw_h2_header *trailers,
    size_t trailers_count
);

/** Graceful end in grpc-go's two steps: GOAWAY 2^31-1 (debug text) and a PING; on its answer or after
 * 5 s the GOAWAY that names the last stream. New streams until then are served. Idempotent. */
void sw_h2_goaway(struct sw_h2 *h2, const char *debug);

/** Told the peer already to go. */
bool sw_h2_leaving(const struct sw_h2 *h2);

/* ---- client ---- */

/** True when a request may be made now: the peer's limit of concurrent streams has room (100 until
 * its SETTINGS have come), IDs are left, no GOAWAY was received. */
bool sw_h2_request_allowed(const struct sw_h2 *h2);

/** False for good: GOAWAY received, IDs used up or the session is broken; make another connection. */
bool sw_h2_usable(const struct sw_h2 *h2);

/** The peer's SETTINGS have arrived. */
bool sw_h2_ready(const struct sw_h2 *h2);

/** The peer's MAX_CONCURRENT_STREAMS; 100 until its SETTINGS, UINT32_MAX when it named none. */
uint32_t sw_h2_peer_streams_max(const struct sw_h2 *h2);

/** Makes a request. Headers (:method, :scheme, :path, :authority first) are borrowed until return; body
 * (NULL: none) until on_close. Sent by the next sw_h2_send.
 *
 * @param stream  tied to the stream
 * @return 0; SW_E_FULL: not allowed now (see above); SW_E_CLOSED: never again here; SW_E_NOMEM
 */
SW_CHECKED int sw_h2_request(
    struct sw_h2 *h2,
    const struct sw_h2_header *headers,
    size_t headers_count,
    struct sw_http_body *body,
    void *stream,
    int32_t *ret_id
);

/** Client: says goodbye (GOAWAY NO_ERROR); open streams finish. */
void sw_h2_close_begin(struct sw_h2 *h2);

#endif
