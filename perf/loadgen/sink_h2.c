#include "perf/loadgen/sink.h"

#include <string.h>

#define CONNECTION_WINDOW (64u << 20)

static struct sw_lg_stream *find(struct sw_lg_peer *peer, uint32_t id)
{
    if (peer->streams[peer->last_stream].id == id) {
        return &peer->streams[peer->last_stream];
    }
    for (unsigned i = 0; i < SW_LG_SINK_STREAMS; i++) {
        if (peer->streams[i].id == id) {
            peer->last_stream = i;
            return &peer->streams[i];
        }
    }
    return NULL;
}

static void begin_stream(struct sw_lg_peer *peer, struct sw_lg_stream *stream, uint32_t id)
{
    stream->id = id;
    stream->signal = SW_LG_TRACES;
    stream->codec = SW_LG_PLAIN;
    stream->json = stream->bad = false;
    stream->prefix_len = 0;
    stream->message_left = 0;
    stream->flow = 0;
    stream->bytes = 0;
    stream->body.len = 0;
    sw_lg_walk_begin(&stream->walk, SW_LG_TRACES, 0, false);
    (void)peer;
}

static void on_header(
    void *ctx,
    uint32_t id,
    const char *name,
    size_t name_len,
    const char *value,
    size_t value_len
)
{
    struct sw_lg_peer *peer = ctx;
    struct sw_lg_stream *stream = find(peer, id);
    if (!stream) {
        stream = find(peer, 0);
        if (!stream) {
            return; // more streams than we allowed: on_headers_end resets it
        }
        begin_stream(peer, stream, id);
    }
    if (name_len == 5 && !memcmp(name, ":path", 5)) {
        stream->bad |= !sw_lg_signal_of(value, value_len, &stream->signal);
    } else if (name_len == 13 && !memcmp(name, "grpc-encoding", 13)) {
        stream->bad |= !sw_lg_codec_of(value, value_len, &stream->codec);
    }
}

static void end_of_stream(struct sw_lg_peer *peer, struct sw_lg_stream *stream)
{
    if (stream->prefix_len < 5 || stream->message_left) {
        stream->bad = true;
    }
    sw_lg_sink_request(peer, stream);
    stream->id = 0;
}

static void on_headers_end(void *ctx, uint32_t id, bool end_stream)
{
    struct sw_lg_peer *peer = ctx;
    struct sw_lg_stream *stream = find(peer, id);
    if (!stream) {
        sw_lg_h2_put_reset(&peer->output, id, NGHTTP2_REFUSED_STREAM);
    } else if (end_stream) {
        end_of_stream(peer, stream);
    }
}

static void
give_window(struct sw_lg_peer *peer, struct sw_lg_stream *stream, size_t flow, bool end_stream)
{
    peer->flow += flow;
    if (peer->flow >= CONNECTION_WINDOW / 4) {
        sw_lg_h2_put_window(&peer->output, 0, (uint32_t)peer->flow);
        peer->flow = 0;
    }
    if (stream && !end_stream) {
        stream->flow += flow;
        if (stream->flow >= peer->sink->options.window / 2) {
            sw_lg_h2_put_window(&peer->output, stream->id, (uint32_t)stream->flow);
            stream->flow = 0;
        }
    }
}

static void
on_data(void *ctx, uint32_t id, const uint8_t *data, size_t len, size_t flow, bool end_stream)
{
    struct sw_lg_peer *peer = ctx;
    struct sw_lg_stream *stream = find(peer, id);
    give_window(peer, stream, flow, end_stream);
    if (!stream) {
        return;
    }
    while (stream->prefix_len < 5 && len) {
        stream->prefix[stream->prefix_len++] = *data++;
        len--;
        if (stream->prefix_len == 5) {
            const uint8_t *at = stream->prefix;
            stream->message_left =
                (uint64_t)at[1] << 24 | (uint64_t)at[2] << 16 | (uint64_t)at[3] << 8 | at[4];
            stream->bad |= at[0] > 1 || (at[0] == 1 && stream->codec == SW_LG_PLAIN);
            stream->codec = at[0] == 1 ? stream->codec : SW_LG_PLAIN;
            sw_lg_stream_begin(peer, stream, stream->message_left);
        }
    }
    if (len > stream->message_left) {
        stream->bad = true;
        len = stream->message_left;
    }
    stream->message_left -= len;
    sw_lg_stream_body(stream, data, len);
    if (end_stream) {
        end_of_stream(peer, stream);
    }
}

static void on_reset(void *ctx, uint32_t id, uint32_t code)
{
    struct sw_lg_peer *peer = ctx;
    struct sw_lg_stream *stream = find(peer, id);
    (void)code;
    if (stream && id) {
        stream->id = 0;
    }
    // An answer that still waits has nobody to go to any more.
    for (struct sw_lg_pending *at = peer->sink->first; at; at = at->next) {
        if (at->connection == peer->index && at->generation == peer->generation
            && at->stream == id) {
            at->connection = -1;
        }
    }
}

static void on_goaway(void *ctx, uint32_t last_stream, uint32_t code)
{
    (void)ctx;
    (void)last_stream;
    (void)code;
}

// Answers are a few bytes: no peer's window can be too small for what one carries (5 bytes).
static void on_window(void *ctx, uint32_t id, uint32_t more)
{
    (void)ctx;
    (void)id;
    (void)more;
}

static void on_setting(void *ctx, uint16_t id, uint32_t value)
{
    struct sw_lg_peer *peer = ctx;
    if (id == NGHTTP2_SETTINGS_HEADER_TABLE_SIZE && value < 4096) {
        peer->table_shrunk = true;
    }
}

static void on_settings_end(void *ctx)
{
    (void)ctx;
}

static const struct sw_lg_h2_handler handler = {
    .on_header = on_header,
    .on_headers_end = on_headers_end,
    .on_data = on_data,
    .on_reset = on_reset,
    .on_goaway = on_goaway,
    .on_window = on_window,
    .on_setting = on_setting,
    .on_settings_end = on_settings_end,
};

void sw_lg_sink_h2_open(struct sw_lg_peer *peer)
{
    static const uint16_t ids[] = {
        NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE};
    uint32_t values[] = {SW_LG_SINK_STREAMS, peer->sink->options.window};
    peer->streams = sw_lg_alloc(SW_LG_SINK_STREAMS, sizeof(*peer->streams));
    sw_lg_h2_in_init(&peer->in, &handler, peer, &peer->output);
    sw_lg_h2_put_settings(&peer->output, ids, values, 2);
    sw_lg_h2_put_window(&peer->output, 0, CONNECTION_WINDOW - SW_LG_H2_WINDOW);
}

// google.rpc.Status { code 1, message 2, details 3 [RetryInfo { retry_delay 1 }] }, in base64.
static void retry_details(const struct sw_lg_sink *sink, int code, char *out)
{
    static const char url[] = "type.googleapis.com/google.rpc.RetryInfo";
    uint64_t ns = sink->options.retry_delay_ns;
    uint8_t duration[24];
    uint8_t status[160];
    size_t used = 0;
    uint64_t parts[2] = {ns / SW_LG_NS_PER_S, ns % SW_LG_NS_PER_S};
    for (unsigned i = 0; i < 2; i++) {
        duration[used++] = (uint8_t)((i + 1) << 3);
        uint64_t value = parts[i];
        do {
            duration[used++] = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
            value >>= 7;
        } while (value);
    }
    size_t at = 0;
    status[at++] = 1 << 3;
    status[at++] = (uint8_t)code;
    status[at++] = 3 << 3 | 2;
    status[at++] = (uint8_t)(2 + sizeof(url) - 1 + 2 + 2 + used);
    status[at++] = 1 << 3 | 2;
    status[at++] = sizeof(url) - 1;
    memcpy(status + at, url, sizeof(url) - 1);
    at += sizeof(url) - 1;
    status[at++] = 2 << 3 | 2;
    status[at++] = (uint8_t)(2 + used);
    status[at++] = 1 << 3 | 2;
    status[at++] = (uint8_t)used;
    memcpy(status + at, duration, used);
    sw_lg_base64_encode(status, at + used, out);
}

void sw_lg_sink_h2_answer(struct sw_lg_peer *peer, uint32_t stream, int code)
{
    struct sw_lg_bytes block = {0};
    uint8_t status = 0x88; // :status 200
    if (peer->table_shrunk) {
        uint8_t update = 0x20; // RFC 7541, 4.2: our consent to the smaller table
        sw_lg_bytes_put(&block, &update, 1);
        peer->table_shrunk = false;
    }
    sw_lg_bytes_put(&block, &status, 1);
    sw_lg_h2_put_literal(&block, "content-type", "application/grpc");
    if (code == 0) {
        static const uint8_t empty[5] = {0};
        sw_lg_h2_put_frame(
            &peer->output, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, stream, block.data, block.len
        );
        sw_lg_h2_put_frame(&peer->output, NGHTTP2_DATA, 0, stream, empty, sizeof(empty));
        block.len = 0;
        sw_lg_h2_put_literal(&block, "grpc-status", "0");
    } else {
        char text[256];
        snprintf(text, sizeof(text), "%d", code);
        sw_lg_h2_put_literal(&block, "grpc-status", text);
        sw_lg_h2_put_literal(&block, "grpc-message", "refused by sw-sink");
        if (peer->sink->options.has_retry_delay) {
            retry_details(peer->sink, code, text);
            sw_lg_h2_put_literal(&block, "grpc-status-details-bin", text);
        }
    }
    sw_lg_h2_put_frame(
        &peer->output,
        NGHTTP2_HEADERS,
        NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM,
        stream,
        block.data,
        block.len
    );
    sw_lg_bytes_free(&block);
}
