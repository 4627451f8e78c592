/* Two HTTP/2 ends in memory: what one writes is read by the other, in pieces of seeded sizes. Each end
 * writes down what happens on its streams. Virtual time. */
#ifndef SW_TESTS_HTTP2_BENCH_H
#define SW_TESTS_HTTP2_BENCH_H

#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"
#include "dataplane/l7_http/http2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define H2_STREAMS 2048
#define H2_TEXT    400

/** What happened on one stream, at one end. */
struct h2_seen {
    int32_t id;
    char headers[H2_TEXT]; // "name=value;" in order, all blocks
    char events[H2_TEXT];  // "request", "response", "trailers", "end", "close"
    uint8_t *body;
    size_t body_len;
    size_t body_capacity;
    size_t held; // body bytes that were not consumed
    uint32_t code;
    bool used;
    bool closed;
};

struct h2_end {
    struct sw_h2 *h2;
    struct sw_core *core;
    uint8_t *wire; // written, not yet read by the peer
    size_t wire_len;
    size_t wire_at; // what stands before it was read
    size_t wire_capacity;
    bool full;
    int write_err;
    int err;                            // of the last call
    struct h2_seen streams[H2_STREAMS]; // by (id - 1) / 2
    char goaway[H2_TEXT];               // "last code debug;"
    unsigned settings_count;
    unsigned ping_acks;
    unsigned begun_count;
    unsigned closed_count;
    bool refuse;                 // on_begin says no
    bool hold;                   // nothing is consumed
    bool answer;                 // the server answers each request when it is whole
    bool early;                  // … or as soon as its headers are there
    bool was_done;               // on_done
    struct sw_http_body *bodies; // the server's answers, one a stream
    const struct sw_h2_header *trailers;
    size_t trailers_count;
};

static inline int h2_copy(void *ctx, const void *data, size_t size)
{
    struct h2_end *end = ctx;
    if (end->write_err != 0) {
        return end->write_err;
    }
    size_t used = end->wire_at + end->wire_len;
    if (used + size > end->wire_capacity) {
        end->wire_capacity = (used + size) * 2;
        end->wire = realloc(end->wire, end->wire_capacity);
    }
    memcpy(end->wire + used, data, size);
    end->wire_len += size;
    return SW_OK;
}

static inline int h2_ref(void *ctx, struct sw_buf *buf, const void *data, size_t size)
{
    assert_true((const uint8_t *)data >= buf->data);
    assert_true((const uint8_t *)data + size <= buf->data + buf->size);
    return h2_copy(ctx, data, size);
}

static inline bool h2_full(void *ctx)
{
    return ((struct h2_end *)ctx)->full;
}

static inline struct h2_seen *h2_seen(struct h2_end *end, int32_t id)
{
    int32_t index = (id - 1) / 2;
    assert_true(id % 2 == 1 && index < H2_STREAMS);
    return &end->streams[index];
}

static inline void h2_note(char *to, const char *word, size_t len)
{
    size_t used = strlen(to);
    if (used + len + 2 < H2_TEXT) {
        if (used > 0) {
            to[used++] = ' ';
        }
        memcpy(to + used, word, len);
        to[used + len] = '\0';
    }
}

static inline void h2_event(struct h2_seen *seen, const char *word)
{
    h2_note(seen->events, word, strlen(word));
}

static inline void *h2_on_begin(void *owner, int32_t id)
{
    struct h2_end *end = owner;
    if (end->refuse) {
        return NULL;
    }
    struct h2_seen *seen = h2_seen(end, id);
    assert_false(seen->used);
    seen->used = true;
    seen->id = id;
    end->begun_count++;
    return seen;
}

static inline void h2_on_header(
    void *owner,
    int32_t id,
    void *stream,
    struct sw_http_text name,
    struct sw_http_text value
)
{
    struct h2_seen *seen = stream;
    char text[H2_TEXT];
    assert_int_equal(seen->id, id);
    int len = snprintf(
        text,
        sizeof(text),
        "%.*s=%.*s",
        (int)name.len,
        name.data,
        (int)SW_MIN(value.len, (size_t)100),
        value.data
    );
    h2_note(seen->headers, text, (size_t)len);
}

static const struct sw_h2_header h2_answer_headers[] = {
    SW_H2_FIXED(":status", "200"),
    SW_H2_FIXED("content-type", "application/grpc"),
};

static inline void h2_answer(struct h2_end *end, int32_t id)
{
    struct sw_http_body *body = end->bodies != NULL ? &end->bodies[(id - 1) / 2] : NULL;
    int err =
        sw_h2_respond(end->h2, id, h2_answer_headers, 2, body, end->trailers, end->trailers_count);
    assert_int_equal(err, 0);
}

static inline void
h2_on_headers(void *owner, int32_t id, void *stream, enum sw_h2_headers_kind kind, bool last)
{
    static const char *const words[] = {"request", "response", "trailers"};
    h2_event(stream, words[kind]);
    struct h2_end *end = owner;
    if (end->early && kind == SW_H2_REQUEST) {
        h2_answer(end, id);
    }
}

static inline void
h2_on_data(void *owner, int32_t id, void *stream, const uint8_t *data, size_t size)
{
    struct h2_end *end = owner;
    struct h2_seen *seen = stream;
    assert_true(size > 0);
    if (seen->body_len + size > seen->body_capacity) {
        seen->body_capacity = (seen->body_len + size) * 2;
        seen->body = realloc(seen->body, seen->body_capacity);
    }
    memcpy(seen->body + seen->body_len, data, size);
    seen->body_len += size;
    if (end->hold) {
        seen->held += size;
    } else {
        sw_h2_consume(end->h2, id, size);
    }
}

static inline void h2_on_end(void *owner, int32_t id, void *stream)
{
    struct h2_end *end = owner;
    h2_event(stream, "end");
    if (end->answer) {
        h2_answer(end, id);
    }
}

static inline void h2_on_close(void *owner, int32_t id, void *stream, uint32_t code)
{
    struct h2_end *end = owner;
    struct h2_seen *seen = stream;
    assert_int_equal(seen->id, id);
    assert_false(seen->closed);
    seen->closed = true;
    seen->code = code;
    end->closed_count++;
    h2_event(seen, "close");
}

static inline void
h2_on_goaway(void *owner, int32_t last_id, uint32_t code, struct sw_http_text debug)
{
    struct h2_end *end = owner;
    char text[H2_TEXT];
    int len =
        snprintf(text, sizeof(text), "%d %u %.*s;", last_id, code, (int)debug.len, debug.data);
    h2_note(end->goaway, text, (size_t)len);
}

static inline void h2_on_settings(void *owner)
{
    ((struct h2_end *)owner)->settings_count++;
}

static inline void h2_on_ping_ack(void *owner, const uint8_t data[8])
{
    ((struct h2_end *)owner)->ping_acks++;
}

static inline void h2_on_done(void *owner)
{
    struct h2_end *end = owner;
    end->was_done = true;
    sw_h2_free(end->h2); // legal here
    end->h2 = NULL;
}

static const struct sw_h2_events h2_bench_events = {
    .on_begin = h2_on_begin,
    .on_header = h2_on_header,
    .on_headers = h2_on_headers,
    .on_data = h2_on_data,
    .on_end = h2_on_end,
    .on_close = h2_on_close,
    .on_goaway = h2_on_goaway,
    .on_settings = h2_on_settings,
    .on_ping_ack = h2_on_ping_ack,
    .on_done = h2_on_done,
};

struct h2_pair {
    struct sw_core core;
    struct sw_account account;
    struct sw_http_budget budget;
    struct sw_rand rand;
    struct h2_end server;
    struct h2_end client;
    uint32_t most; // bytes of a piece; 0: all there is
};

static inline void
h2_end_init(struct h2_pair *pair, struct h2_end *end, struct sw_h2_options options)
{
    struct sw_http_out out = {.copy = h2_copy, .ref = h2_ref, .full = h2_full, .ctx = end};
    end->core = &pair->core;
    assert_int_equal(sw_h2_new(&pair->core, &options, &out, &h2_bench_events, end, &end->h2), 0);
}

static inline struct h2_pair *h2_pair_new(uint64_t seed, struct sw_h2_options server_options)
{
    struct h2_pair *pair = calloc(1, sizeof(*pair));
    pair->core.now_ns = 1000 * SW_NS_PER_S;
    pair->budget.limit_bytes = 64 << 20;
    pair->budget.account = &pair->account;
    sw_rand_init(&pair->rand, seed);
    pair->most = seed == 0 ? 0 : 1 + (uint32_t)sw_rand_below(&pair->rand, 3000);
    server_options.server = true;
    server_options.budget = &pair->budget;
    h2_end_init(pair, &pair->server, server_options);
    h2_end_init(pair, &pair->client, (struct sw_h2_options){.server = false});
    return pair;
}

static inline void h2_end_free(struct h2_end *end)
{
    sw_h2_free(end->h2);
    for (size_t i = 0; i < H2_STREAMS; i++) {
        assert_int_equal(end->streams[i].closed, end->streams[i].used);
        free(end->streams[i].body);
    }
    free(end->wire);
}

static inline void h2_pair_free(struct h2_pair *pair)
{
    h2_end_free(&pair->client);
    h2_end_free(&pair->server);
    assert_int_equal(pair->budget.used_bytes, 0);
    assert_int_equal(sw_account_charged(&pair->account), 0);
    assert_int_equal(pair->core.timers.count, 0);
    free(pair);
}

/** Up to `most` bytes of the one are read by the other. @return false: there were none */
static inline bool h2_move(struct h2_pair *pair, struct h2_end *from, struct h2_end *to)
{
    size_t size = from->wire_len;
    if (size == 0 || to->h2 == NULL) {
        return false;
    }
    if (pair->most > 0) {
        size_t piece_size = 1 + (size_t)sw_rand_below(&pair->rand, pair->most);
        size = SW_MIN(size, piece_size);
    }
    uint8_t *piece = malloc(size);
    memcpy(piece, from->wire + from->wire_at, size);
    from->wire_len -= size;
    from->wire_at = from->wire_len > 0 ? from->wire_at + size : 0;
    to->err = sw_h2_recv(to->h2, piece, size);
    free(piece);
    return true;
}

/** Until nothing moves any more. */
static inline void h2_pump(struct h2_pair *pair)
{
    if (pair->client.err == 0 && pair->client.h2 != NULL) {
        pair->client.err = sw_h2_send(pair->client.h2);
    }
    if (pair->server.err == 0 && pair->server.h2 != NULL) {
        pair->server.err = sw_h2_send(pair->server.h2);
    }
    bool more;
    do {
        more = h2_move(pair, &pair->client, &pair->server);
        more = h2_move(pair, &pair->server, &pair->client) || more;
    } while (more);
}

static const struct sw_h2_header h2_request_headers[] = {
    SW_H2_FIXED(":method", "POST"),
    SW_H2_FIXED(":scheme", "http"),
    SW_H2_FIXED(":path", "/x"),
    SW_H2_FIXED(":authority", "a.test"),
    SW_H2_FIXED("content-type", "application/grpc"),
};

/** Ties the client's stream that will be the next to what is seen of it. @return its ID; 0: err */
static inline int32_t h2_request(struct h2_pair *pair, struct sw_http_body *body, int *ret_err)
{
    struct h2_end *client = &pair->client;
    struct h2_seen *seen = &client->streams[client->begun_count];
    int32_t id = 0;
    *ret_err = sw_h2_request(
        client->h2, h2_request_headers, SW_ARRAY_SIZE(h2_request_headers), body, seen, &id
    );
    if (*ret_err != SW_OK) {
        return 0;
    }
    assert_ptr_equal(seen, h2_seen(client, id));
    seen->used = true;
    seen->id = id;
    client->begun_count++;
    return id;
}

static inline int32_t h2_call(struct h2_pair *pair, struct sw_http_body *body)
{
    int err;
    int32_t id = h2_request(pair, body, &err);
    assert_int_equal(err, 0);
    return id;
}

/* ---- a body of many ranges ---- */

struct h2_body {
    struct sw_http_body body; // first
    struct sw_buf *buf;
    uint32_t at;
    uint32_t step;
    bool break_off; // gives no more
};

static inline bool
h2_body_next(struct sw_http_body *base, uint32_t most, struct sw_piece *ret_piece)
{
    struct h2_body *body = (struct h2_body *)base;
    uint32_t len = SW_MIN(SW_MIN(most, body->step), body->buf->size - body->at);
    assert_true(len > 0 && len <= body->body.bytes);
    if (body->break_off) {
        return false;
    }
    *ret_piece = (struct sw_piece){body->buf, body->buf->data + body->at, len};
    body->at += len;
    return true;
}

static inline void
h2_body_init(struct h2_body *body, uint32_t size, uint32_t step, const char *head)
{
    *body = (struct h2_body){
        .body = {.bytes = size, .next = h2_body_next, .head_len = (uint8_t)strlen(head)},
        .buf = sw_buf_new(NULL, size),
        .step = step,
    };
    memcpy(body->body.head, head, strlen(head));
    body->buf->size = size;
    for (uint32_t i = 0; i < size; i++) {
        body->buf->data[i] = (uint8_t)(i * 7 + i / 251);
    }
}

static inline void h2_body_check(const struct h2_body *body, const struct h2_seen *seen)
{
    size_t head = body->body.head_len;
    assert_int_equal(seen->body_len, head + body->buf->size);
    if (seen->body_len > 0) {
        assert_memory_equal(seen->body, body->body.head, head);
        assert_memory_equal(seen->body + head, body->buf->data, body->buf->size);
    }
}

#endif
