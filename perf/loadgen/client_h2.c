#include "perf/loadgen/client.h"

#include <stdlib.h>
#include <string.h>

static struct sw_lg_request *find(struct sw_lg_connection *connection, uint32_t stream)
{
    for (unsigned i = 0; i < connection->requests_count; i++) {
        if (connection->requests[i]->stream == stream && !connection->requests[i]->finished) {
            return connection->requests[i];
        }
    }
    return NULL;
}

void sw_lg_h2_client_open(struct sw_lg_connection *connection)
{
    static const uint16_t ids[] = {
        NGHTTP2_SETTINGS_ENABLE_PUSH, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE};
    static const uint32_t values[] = {0, 65535};
    sw_lg_h2_in_init(&connection->in, &sw_lg_client_h2, connection, &connection->control);
    connection->next_stream = 1;
    connection->window = SW_LG_H2_WINDOW;
    connection->initial_window = SW_LG_H2_WINDOW;
    connection->frame_max = SW_LG_H2_FRAME_MAX;
    connection->table_shrunk = false;
    sw_lg_bytes_put(&connection->control, SW_LG_H2_PREFACE, strlen(SW_LG_H2_PREFACE));
    sw_lg_h2_put_settings(&connection->control, ids, values, 2);
}

void sw_lg_h2_client_start(struct sw_lg_connection *connection, struct sw_lg_request *request)
{
    const struct sw_lg_bytes *block = &connection->client->header_block;
    request->stream = connection->next_stream;
    connection->next_stream += 2;
    request->window = connection->initial_window;
    if (connection->next_stream > 0x60000000) {
        connection->going_away = true; // streams run out: a new connection takes over
    }
    if (connection->table_shrunk) {
        // The peer made its table smaller; the next block has to begin with our consent
        // (RFC 7541, 4.2). We index nothing, so zero is right for ever.
        struct sw_lg_bytes with = {0};
        uint8_t update = 0x20;
        sw_lg_bytes_put(&with, &update, 1);
        sw_lg_bytes_put(&with, block->data, block->len);
        sw_lg_h2_put_frame(
            &connection->control,
            NGHTTP2_HEADERS,
            NGHTTP2_FLAG_END_HEADERS,
            request->stream,
            with.data,
            with.len
        );
        sw_lg_bytes_free(&with);
        connection->table_shrunk = false;
        return;
    }
    sw_lg_h2_put_frame(
        &connection->control,
        NGHTTP2_HEADERS,
        NGHTTP2_FLAG_END_HEADERS,
        request->stream,
        block->data,
        block->len
    );
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

// Oldest request first, each as far as the windows let it: its body stays in the cache meanwhile.
void sw_lg_h2_client_fill(struct sw_lg_connection *connection)
{
    unsigned heads = 0;
    for (unsigned i = 0; i < connection->requests_count; i++) {
        struct sw_lg_request *request = connection->requests[i];
        while (!request->finished && !request->end_framed
               && connection->iov_count + 2 <= SW_LG_IOV_MAX && heads < SW_LG_IOV_MAX / 2) {
            int64_t part = least((int64_t)(request->size - request->framed), connection->frame_max);
            part = least(part, least(connection->window, request->window));
            if (part <= 0) {
                break;
            }
            bool last = request->framed + (size_t)part == request->size;
            sw_lg_h2_frame_header(
                connection->heads[heads],
                (size_t)part,
                NGHTTP2_DATA,
                last ? NGHTTP2_FLAG_END_STREAM : 0,
                request->stream
            );
            connection->iov[connection->iov_count++] =
                (struct iovec){connection->heads[heads++], SW_LG_H2_HEADER};
            connection->iov[connection->iov_count++] =
                (struct iovec){(void *)(request->data + request->framed), (size_t)part};
            request->framed += (size_t)part;
            request->touched = true;
            request->end_framed = last;
            connection->window -= part;
            request->window -= part;
        }
    }
}

static bool is(const char *name, size_t len, const char *wanted)
{
    return len == strlen(wanted) && !memcmp(name, wanted, len);
}

// google.rpc.Status { details 3 { Any { type_url 1, value 2 { Duration 1 { s 1, ns 2 } } } } }.
// The reader below is enough for what servers send: it goes through length-delimited fields.
static uint64_t read_varint(const uint8_t **at, const uint8_t *end)
{
    uint64_t value = 0;
    for (unsigned shift = 0; *at < end && shift < 64; shift += 7) {
        uint8_t byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            break;
        }
    }
    return value;
}

static const uint8_t *
find_message(const uint8_t *at, const uint8_t *end, unsigned number, const uint8_t **ret_end)
{
    while (at < end) {
        uint64_t key = read_varint(&at, end);
        uint64_t value = read_varint(&at, end);
        if ((key & 7) == 0) {
            continue;
        }
        if ((key & 7) != 2 || value > (uint64_t)(end - at)) {
            return NULL;
        }
        if (key >> 3 == number) {
            *ret_end = at + value;
            return at;
        }
        at += value;
    }
    return NULL;
}

static uint64_t find_number(const uint8_t *at, const uint8_t *end, unsigned number)
{
    while (at < end) {
        uint64_t key = read_varint(&at, end);
        uint64_t value = read_varint(&at, end);
        if ((key & 7) == 0 && key >> 3 == number) {
            return value;
        }
        if ((key & 7) == 2) {
            at += value <= (uint64_t)(end - at) ? value : (uint64_t)(end - at);
        }
    }
    return 0;
}

static void read_details(struct sw_lg_request *request, const char *text, size_t len)
{
    uint8_t status[4096];
    int size = sw_lg_base64_decode(text, len, status, sizeof(status));
    const uint8_t *end = status + (size > 0 ? size : 0);
    const uint8_t *any_end;
    const uint8_t *any = find_message(status, end, 3, &any_end);
    const uint8_t *url_end;
    const uint8_t *url = any ? find_message(any, any_end, 1, &url_end) : NULL;
    static const char wanted[] = "google.rpc.RetryInfo";
    if (!url || !memmem(url, (size_t)(url_end - url), wanted, strlen(wanted))) {
        return;
    }
    request->has_retry_delay = true;
    const uint8_t *info_end;
    const uint8_t *info = find_message(any, any_end, 2, &info_end);
    const uint8_t *delay_end;
    const uint8_t *delay = info ? find_message(info, info_end, 1, &delay_end) : NULL;
    if (delay) {
        request->retry_delay_ns =
            find_number(delay, delay_end, 1) * SW_LG_NS_PER_S + find_number(delay, delay_end, 2);
    }
}

static void on_header(
    void *ctx,
    uint32_t stream,
    const char *name,
    size_t name_len,
    const char *value,
    size_t value_len
)
{
    struct sw_lg_request *request = find(ctx, stream);
    char number[16] = {0};
    if (!request) {
        return;
    }
    memcpy(number, value, value_len < 15 ? value_len : 15);
    if (is(name, name_len, ":status")) {
        request->http_status = atoi(number);
    } else if (is(name, name_len, "grpc-status")) {
        request->grpc_status = atoi(number);
    } else if (is(name, name_len, "grpc-message")) {
        snprintf(request->message, sizeof(request->message), "%.*s", (int)value_len, value);
    } else if (is(name, name_len, "grpc-status-details-bin")) {
        read_details(request, value, value_len);
    }
}

static void end_of_stream(struct sw_lg_connection *connection, struct sw_lg_request *request)
{
    if (!request->end_framed) {
        // Refused before the body was through; the rest stays here.
        sw_lg_h2_put_reset(&connection->control, request->stream, NGHTTP2_CANCEL);
    }
    sw_lg_connection_finish(connection, request);
}

static void on_headers_end(void *ctx, uint32_t stream, bool end_stream)
{
    struct sw_lg_request *request = find(ctx, stream);
    if (request && end_stream) {
        end_of_stream(ctx, request);
    }
}

static void
on_data(void *ctx, uint32_t stream, const uint8_t *data, size_t len, size_t flow, bool end_stream)
{
    struct sw_lg_connection *connection = ctx;
    struct sw_lg_request *request = find(connection, stream);
    if (flow) {
        sw_lg_h2_put_window(&connection->control, 0, (uint32_t)flow);
    }
    if (!request) {
        return;
    }
    if (request->answer.len + len <= 65536) {
        sw_lg_bytes_put(&request->answer, data, len);
    }
    if (end_stream) {
        end_of_stream(connection, request);
    }
}

static void on_reset(void *ctx, uint32_t stream, uint32_t code)
{
    struct sw_lg_request *request = find(ctx, stream);
    if (request) {
        request->lost = true;
        request->unprocessed = code == NGHTTP2_REFUSED_STREAM;
        snprintf(request->message, sizeof(request->message), "stream reset, code %u", code);
        sw_lg_connection_finish(ctx, request);
    }
}

static void on_goaway(void *ctx, uint32_t last_stream, uint32_t code)
{
    struct sw_lg_connection *connection = ctx;
    (void)code;
    connection->going_away = true;
    for (unsigned i = connection->requests_count; i-- > 0;) {
        struct sw_lg_request *request = connection->requests[i];
        if (request->stream > last_stream && !request->finished) {
            request->lost = true;
            request->unprocessed = true;
            sw_lg_connection_finish(connection, request);
        }
    }
}

static void on_window(void *ctx, uint32_t stream, uint32_t more)
{
    struct sw_lg_connection *connection = ctx;
    struct sw_lg_request *request = stream ? find(connection, stream) : NULL;
    if (!stream) {
        connection->window += more;
    } else if (request) {
        request->window += more;
    }
}

static void on_setting(void *ctx, uint16_t id, uint32_t value)
{
    struct sw_lg_connection *connection = ctx;
    unsigned wanted = connection->client->options.streams;
    if (id == NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE) {
        for (unsigned i = 0; i < connection->requests_count; i++) {
            connection->requests[i]->window += (int64_t)value - connection->initial_window;
        }
        connection->initial_window = value;
    } else if (id == NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS) {
        connection->streams_max = value < wanted ? value : wanted;
    } else if (id == NGHTTP2_SETTINGS_MAX_FRAME_SIZE) {
        connection->frame_max = value;
    } else if (id == NGHTTP2_SETTINGS_HEADER_TABLE_SIZE && value < 4096) {
        connection->table_shrunk = true;
    }
}

static void on_settings_end(void *ctx)
{
    struct sw_lg_connection *connection = ctx;
    connection->ready = true;
}

const struct sw_lg_h2_handler sw_lg_client_h2 = {
    .on_header = on_header,
    .on_headers_end = on_headers_end,
    .on_data = on_data,
    .on_reset = on_reset,
    .on_goaway = on_goaway,
    .on_window = on_window,
    .on_setting = on_setting,
    .on_settings_end = on_settings_end,
};
