/* HTTP/2 of a hostile peer, as server and as client. Whatever it sends: each stream ends exactly once,
 * windows and budget come out even, nothing is touched after its end. The first byte says which side we
 * are (bit 0) and how the owner behaves, the second cuts the rest into pieces. */
#include "dataplane/l7_http/http2.h"

#include <stdlib.h>

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#define STREAMS_MAX 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct stream {
    int32_t id;
    bool open;
    struct sw_http_body body;
    struct owner *owner;
};

struct owner {
    struct sw_h2 *h2;
    struct sw_core core;
    struct sw_account account;
    struct sw_http_budget budget;
    struct stream streams[STREAMS_MAX];
    unsigned streams_count;
    unsigned open_count;
    uint64_t written;
    bool hold;
    bool early;
    bool drain;
};

static const struct sw_h2_header answer[] = {SW_H2_FIXED(":status", "200")};
static const struct sw_h2_header trailers[] = {SW_H2_FIXED("grpc-status", "0")};
static const uint8_t filling[1000];

static int out_copy(void *ctx, const void *data, size_t size)
{
    struct owner *owner = ctx;
    const volatile uint8_t *bytes = data;
    if (size > 0) {
        (void)bytes[0];
        (void)bytes[size - 1];
    }
    owner->written += size;
    return SW_OK;
}

static int out_ref(void *ctx, struct sw_buf *buf, const void *data, size_t size)
{
    CHECK(buf != NULL);
    return out_copy(ctx, data, size);
}

// The transport takes a break now and then.
static bool out_full(void *ctx)
{
    const struct owner *owner = ctx;
    return owner->drain && owner->written % 3 == 0;
}

static bool body_next(struct sw_http_body *body, uint32_t most, struct sw_piece *ret_piece)
{
    uint32_t len = SW_MIN(most, (uint32_t)sizeof(filling));
    *ret_piece = (struct sw_piece){NULL, filling, (uint32_t)SW_MIN((uint64_t)len, body->bytes)};
    return true;
}

static struct stream *stream_new(struct owner *owner, int32_t id)
{
    if (owner->streams_count == STREAMS_MAX) {
        return NULL;
    }
    struct stream *stream = &owner->streams[owner->streams_count++];
    *stream = (struct stream){
        .id = id,
        .open = true,
        .body = {.head = "\0\0\0\0\2", .head_len = 5, .bytes = 3000, .next = body_next},
        .owner = owner,
    };
    owner->open_count++;
    return stream;
}

static void *on_begin(void *owner, int32_t id)
{
    return stream_new(owner, id);
}

static void check_stream(const struct owner *owner, int32_t id, const struct stream *stream)
{
    CHECK(stream->owner == owner && stream->open && stream->id == id);
}

static void on_header(
    void *owner,
    int32_t id,
    void *stream,
    struct sw_http_text name,
    struct sw_http_text value
)
{
    check_stream(owner, id, stream);
    CHECK(name.len > 0 && value.len <= SW_H2_HEADER_LIST_MAX);
}

static void respond(struct owner *owner, int32_t id, struct stream *stream)
{
    int err = sw_h2_respond(owner->h2, id, answer, 1, &stream->body, trailers, 1);
    CHECK(err == SW_OK || err == SW_E_CLOSED);
}

static void on_headers(void *ctx, int32_t id, void *stream, enum sw_h2_headers_kind kind, bool end)
{
    struct owner *owner = ctx;
    check_stream(owner, id, stream);
    if (kind == SW_H2_REQUEST && owner->early && !end) {
        respond(owner, id, stream);
    }
}

static void on_data(void *ctx, int32_t id, void *stream, const uint8_t *data, size_t size)
{
    struct owner *owner = ctx;
    check_stream(owner, id, stream);
    CHECK(size > 0);
    if (!owner->hold) {
        sw_h2_consume(owner->h2, id, size);
    }
}

static void on_server_end(void *ctx, int32_t id, void *stream)
{
    struct owner *owner = ctx;
    check_stream(owner, id, stream);
    if (!owner->early) {
        respond(owner, id, stream);
    }
}

static void on_close(void *ctx, int32_t id, void *stream, uint32_t code)
{
    struct owner *owner = ctx;
    check_stream(owner, id, stream);
    ((struct stream *)stream)->open = false;
    owner->open_count--;
}

static const struct sw_h2_events server_events = {
    .on_begin = on_begin,
    .on_header = on_header,
    .on_headers = on_headers,
    .on_data = on_data,
    .on_end = on_server_end,
    .on_close = on_close,
};

static const struct sw_h2_events client_events = {
    .on_header = on_header,
    .on_headers = on_headers,
    .on_data = on_data,
    .on_close = on_close,
};

static void request(struct owner *owner)
{
    static const struct sw_h2_header headers[] = {
        SW_H2_FIXED(":method", "POST"),
        SW_H2_FIXED(":scheme", "http"),
        SW_H2_FIXED(":path", "/"),
        SW_H2_FIXED(":authority", "a"),
    };
    struct stream *stream = stream_new(owner, 0);
    if (stream != NULL
        && sw_h2_request(owner->h2, headers, 4, &stream->body, stream, &stream->id) != SW_OK) {
        stream->open = false;
        owner->open_count--;
    }
}

static void begin(struct owner *owner, bool server)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    struct sw_http_out out = {out_copy, out_ref, out_full, owner};
    struct sw_h2_options options = {.server = server, .budget = &owner->budget};
    owner->core.now_ns = 1;
    owner->budget.limit_bytes = 1 << 20;
    owner->budget.account = &owner->account;
    const struct sw_h2_events *events = server ? &server_events : &client_events;
    CHECK(sw_h2_new(&owner->core, &options, &out, events, owner, &owner->h2) == SW_OK);
    if (server) {
        CHECK(sw_h2_recv(owner->h2, (const uint8_t *)preface, sizeof(preface) - 1) == SW_OK);
    } else {
        for (unsigned i = 0; i < 4; i++) {
            request(owner);
        }
        CHECK(sw_h2_send(owner->h2) == SW_OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    struct owner *owner = calloc(1, sizeof(*owner));
    CHECK(owner != NULL);
    owner->hold = (data[0] & 2) != 0;
    owner->early = (data[0] & 4) != 0;
    owner->drain = (data[0] & 8) != 0;
    bool leave = (data[0] & 16) != 0;
    size_t piece = data[1] == 0 ? SIZE_MAX : data[1];
    begin(owner, (data[0] & 1) == 0);
    data += 2;
    size -= 2;
    int err = SW_OK;
    for (unsigned turn = 0; size > 0 && err == SW_OK; turn++) {
        size_t len = SW_MIN(piece, size);
        uint8_t *copy = malloc(len);
        CHECK(copy != NULL);
        memcpy(copy, data, len);
        owner->core.now_ns += 1000000;
        err = sw_h2_recv(owner->h2, copy, len);
        free(copy);
        data += len;
        size -= len;
        if (turn == 2 && leave && err == SW_OK) {
            sw_h2_goaway(owner->h2, "graceful_stop");
            err = sw_h2_send(owner->h2);
        }
        owner->written++; // room again
    }
    if (err == SW_OK) {
        err = sw_h2_send(owner->h2);
        CHECK(err == SW_OK || err == SW_E_PROTOCOL);
    }
    CHECK(sw_h2_streams_count(owner->h2) == owner->open_count);
    sw_h2_free(owner->h2);
    CHECK(owner->open_count == 0);
    CHECK(owner->budget.used_bytes == 0 && sw_account_charged(&owner->account) == 0);
    free(owner);
    return 0;
}
