/* Feeds messages to the HTTP/1 parser in pieces and writes down what it reports. */
#ifndef SW_TESTS_HTTP1_BENCH_H
#define SW_TESTS_HTTP1_BENCH_H

#include "dataplane/base/mem.h"
#include "dataplane/base/rand.h"
#include "dataplane/l7_http/http1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct http1_bench {
    struct sw_account account;
    struct sw_http1 http;
    char log[512];     // one word for each event: "head", "end", "fail"; bodies not
    char body[100000]; // of the message in progress
    size_t body_len;
    size_t left; // bytes that were not taken
};

static inline void http1_bench_init(struct http1_bench *bench, bool client)
{
    memset(bench, 0, sizeof(*bench));
    sw_http1_init(&bench->http, client, &bench->account);
}

static inline void http1_bench_fini(struct http1_bench *bench)
{
    sw_http1_fini(&bench->http);
    assert_int_equal(sw_account_charged(&bench->account), 0);
}

static inline void http1_bench_log(struct http1_bench *bench, const char *word)
{
    size_t len = strlen(bench->log);
    snprintf(bench->log + len, sizeof(bench->log) - len, "%s%s", len > 0 ? " " : "", word);
}

/** One piece, an exact allocation so that a sanitizer sees a byte too many. @return false at END, FAIL */
static inline bool http1_bench_piece(struct http1_bench *bench, const char *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    memcpy(copy, data, size);
    size_t at = 0;
    enum sw_http1_event event;
    do {
        size_t taken = 0;
        event = sw_http1_feed(&bench->http, copy + at, size - at, &taken);
        at += taken;
        assert_true(at <= size);
        if (event == SW_HTTP1_BODY) {
            assert_true(bench->http.body.len > 0);
            assert_true(bench->body_len + bench->http.body.len <= sizeof(bench->body));
            memcpy(bench->body + bench->body_len, bench->http.body.data, bench->http.body.len);
            bench->body_len += bench->http.body.len;
            assert_int_equal(bench->http.body_bytes, bench->body_len);
        } else if (event == SW_HTTP1_HEAD) {
            http1_bench_log(bench, "head");
        }
    } while (event == SW_HTTP1_BODY || event == SW_HTTP1_HEAD);
    bench->left = size - at;
    free(copy);
    if (event != SW_HTTP1_MORE) {
        http1_bench_log(bench, event == SW_HTTP1_END ? "end" : "fail");
    }
    return event == SW_HTTP1_MORE;
}

/** A message in pieces of up to `most` bytes (0: as one), until it ends. */
static inline void
http1_bench_feed(struct http1_bench *bench, const char *data, size_t size, size_t most)
{
    struct sw_rand rand;
    sw_rand_init(&rand, size * 31 + most);
    size_t at = 0;
    while (at < size) {
        size_t len = most > 0 ? 1 + (size_t)(sw_rand_u64(&rand) % most) : size;
        len = SW_MIN(len, size - at);
        bool more = http1_bench_piece(bench, data + at, len);
        at += len;
        if (!more) {
            bench->left += size - at;
            return;
        }
    }
}

static inline void http1_bench_next(struct http1_bench *bench)
{
    sw_http1_next(&bench->http);
    bench->body_len = 0;
    bench->log[0] = '\0';
}

#define assert_text(text, expected)                                                                \
    do {                                                                                           \
        struct sw_http_text got_ = (text);                                                         \
        assert_int_equal(got_.len, strlen(expected));                                              \
        assert_memory_equal(got_.data, expected, got_.len);                                        \
    } while (0)

static inline void
http1_bench_header(struct http1_bench *bench, const char *name, const char *value)
{
    struct sw_http_text got;
    assert_true(sw_http1_header(&bench->http, name, &got));
    assert_text(got, value);
}

#endif
