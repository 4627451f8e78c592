/** The part of HTTP/2 that a client and a server of OTLP/gRPC share: frames in, frames out.
 *
 * DATA goes to its handler in the pieces it arrives in; every other frame is collected first.
 * HPACK is read by nghttp2's inflater; what we write needs none (literals without indexing).
 */
#ifndef SW_PERF_LOADGEN_H2_H
#define SW_PERF_LOADGEN_H2_H

#include "perf/loadgen/common.h"

#include <nghttp2/nghttp2.h>

#define SW_LG_H2_FRAME_MAX 16384
#define SW_LG_H2_HEADER    9
#define SW_LG_H2_PREFACE   "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define SW_LG_H2_WINDOW    65535

struct sw_lg_h2_handler {
    void (*on_header
    )(void *ctx,
      uint32_t stream,
      const char *name,
      size_t name_len,
      const char *value,
      size_t value_len);
    /** All headers of one block have been told. */
    void (*on_headers_end)(void *ctx, uint32_t stream, bool end_stream);
    /** A piece of a body; flow = bytes that count against the windows (padding included). */
    void (*on_data
    )(void *ctx, uint32_t stream, const uint8_t *data, size_t len, size_t flow, bool end_stream);
    void (*on_reset)(void *ctx, uint32_t stream, uint32_t code);
    void (*on_goaway)(void *ctx, uint32_t last_stream, uint32_t code);
    void (*on_window)(void *ctx, uint32_t stream, uint32_t more);
    void (*on_setting)(void *ctx, uint16_t id, uint32_t value);
    void (*on_settings_end)(void *ctx);
};

struct sw_lg_h2_in {
    const struct sw_lg_h2_handler *handler;
    void *ctx;
    struct sw_lg_bytes *reply; // acknowledgements of SETTINGS and PING are appended here
    nghttp2_hd_inflater *inflater;
    uint8_t header[SW_LG_H2_HEADER];
    unsigned header_len;
    bool in_payload;
    uint8_t type;
    uint8_t flags;
    uint32_t stream;
    uint32_t left;
    uint8_t frame[SW_LG_H2_FRAME_MAX];
    uint32_t frame_len;
    struct sw_lg_bytes block; // HEADERS and their CONTINUATIONs
    bool block_end_stream;
};

void sw_lg_h2_in_init(
    struct sw_lg_h2_in *in,
    const struct sw_lg_h2_handler *handler,
    void *ctx,
    struct sw_lg_bytes *reply
);
void sw_lg_h2_in_fini(struct sw_lg_h2_in *in);

/** Takes bytes from the peer; false when the peer broke the protocol (close the connection). The
 * handler may be called many times; it must not end `in` itself. */
bool sw_lg_h2_feed(struct sw_lg_h2_in *in, const uint8_t *data, size_t len);

void sw_lg_h2_put_frame(
    struct sw_lg_bytes *out,
    uint8_t type,
    uint8_t flags,
    uint32_t stream,
    const void *payload,
    size_t len
);
void sw_lg_h2_frame_header(
    uint8_t out[SW_LG_H2_HEADER],
    size_t len,
    uint8_t type,
    uint8_t flags,
    uint32_t stream
);
void sw_lg_h2_put_settings(
    struct sw_lg_bytes *out,
    const uint16_t *ids,
    const uint32_t *values,
    unsigned count
);
void sw_lg_h2_put_window(struct sw_lg_bytes *out, uint32_t stream, uint32_t more);
void sw_lg_h2_put_reset(struct sw_lg_bytes *out, uint32_t stream, uint32_t code);

/** One header as literal without indexing, name and value in plain (RFC 7541, 6.2.2). */
void sw_lg_h2_put_literal(struct sw_lg_bytes *block, const char *name, const char *value);

#endif
