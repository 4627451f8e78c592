#include "perf/loadgen/sink.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

// The Collector's receiver maps so; see OTLP's table.
int sw_lg_http_of_grpc(int code)
{
    switch (code) {
    case 0:
        return 200;
    case 1:
    case 4:
    case 10:
    case 11:
    case 14:
    case 15:
        return 503;
    case 8:
        return 429;
    case 3:
        return 400;
    case 16:
        return 401;
    case 7:
        return 403;
    case 12:
        return 404;
    default:
        return 500;
    }
}

void sw_lg_sink_h1_answer(struct sw_lg_peer *peer, int code)
{
    const struct sw_lg_sink_options *options = &peer->sink->options;
    char text[256];
    char retry[64] = "";
    int status = code && options->refuse_http ? options->refuse_http : sw_lg_http_of_grpc(code);
    if (status != 200 && options->has_retry_delay) {
        snprintf(
            retry,
            sizeof(retry),
            "Retry-After: %llu\r\n",
            (unsigned long long)(options->retry_delay_ns / SW_LG_NS_PER_S)
        );
    }
    int len = snprintf(
        text,
        sizeof(text),
        "HTTP/1.1 %d %s\r\nContent-Type: application/x-protobuf\r\n%s"
        "Content-Length: 0\r\n\r\n",
        status,
        status == 200 ? "OK" : "Refused",
        retry
    );
    sw_lg_bytes_put(&peer->output, text, (size_t)len);
    peer->awaiting = false;
}

static const char *header(const char *head, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
        if (!strncasecmp(line + 2, name, len) && line[2 + len] == ':') {
            const char *value = line + 3 + len;
            return value + strspn(value, " \t");
        }
    }
    return NULL;
}

// Reads the head at the front of the input; returns its length, 0 when it is not there whole.
static size_t begin_request(struct sw_lg_peer *peer, char *text, size_t len)
{
    char *end = memmem(text, len, "\r\n\r\n", 4);
    struct sw_lg_stream *stream = &peer->streams[0];
    if (!end) {
        return 0;
    }
    end[2] = 0;
    const char *length = header(text, "Content-Length");
    const char *type = header(text, "Content-Type");
    const char *encoding = header(text, "Content-Encoding");
    const char *transfer = header(text, "Transfer-Encoding");
    const char *expect = header(text, "Expect");
    stream->id = 1;
    stream->bytes = 0;
    stream->signal = SW_LG_TRACES;
    stream->codec = SW_LG_PLAIN;
    stream->bad =
        strncmp(text, "POST ", 5) != 0
        || !sw_lg_signal_of(text + 5, strcspn(text + 5, " \r"), &stream->signal)
        || (encoding && !sw_lg_codec_of(encoding, strcspn(encoding, " \r"), &stream->codec));
    stream->json = type && !strncasecmp(type, "application/json", 16);
    peer->chunked = transfer && !strncasecmp(transfer, "chunked", 7);
    peer->body_left = length && !peer->chunked ? strtoull(length, NULL, 10) : 0;
    peer->in_body = true;
    if (expect) {
        sw_lg_bytes_put(&peer->output, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    }
    sw_lg_stream_begin(peer, stream, peer->chunked ? UINT64_MAX : peer->body_left);
    return (size_t)(end + 4 - text);
}

static void end_request(struct sw_lg_peer *peer)
{
    peer->in_body = false;
    peer->awaiting = true;
    sw_lg_sink_request(peer, &peer->streams[0]);
}

// Takes one chunk's head, or the last chunk with its trailer; 0: more bytes are needed.
static size_t begin_chunk(struct sw_lg_peer *peer, const char *text, size_t len, bool *ret_last)
{
    // The CRLF behind the chunk before belongs to this head.
    size_t skip = len >= 2 && text[0] == '\r' ? 2 : 0;
    const char *line_end = memmem(text + skip, len - skip, "\r\n", 2);
    if (!line_end || (len && text[0] == '\r' && len < 2)) {
        return 0;
    }
    peer->body_left = strtoull(text + skip, NULL, 16);
    *ret_last = peer->body_left == 0;
    if (*ret_last) {
        const char *last = memmem(line_end, len - (size_t)(line_end - text), "\r\n\r\n", 4);
        return last ? (size_t)(last + 4 - text) : 0;
    }
    return (size_t)(line_end + 2 - text);
}

bool sw_lg_sink_h1_feed(struct sw_lg_peer *peer)
{
    char *text = (char *)peer->input.data;
    size_t at = 0;
    size_t len = peer->input.len;
    while (at < len && !peer->awaiting) {
        size_t used;
        if (!peer->in_body) {
            used = begin_request(peer, text + at, len - at);
        } else if (peer->body_left) {
            used = peer->body_left < len - at ? (size_t)peer->body_left : len - at;
            sw_lg_stream_body(&peer->streams[0], (uint8_t *)text + at, used);
            peer->body_left -= used;
        } else {
            bool last = false;
            used = begin_chunk(peer, text + at, len - at, &last);
            if (used && last) {
                end_request(peer);
            }
        }
        at += used;
        if (peer->in_body && !peer->chunked && peer->body_left == 0) {
            end_request(peer);
        }
        if (used == 0) {
            break;
        }
    }
    memmove(peer->input.data, peer->input.data + at, len - at);
    peer->input.len = len - at;
    return peer->input.len < (64u << 20);
}
