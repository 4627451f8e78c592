/* What a peer may not do: floods, bombs, windows that it would like to have. Frames are made by hand
 * where a decent client would not send them. */
#include "http2_bench.h"

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

enum {
    DATA,
    HEADERS,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    PUSH_PROMISE,
    PING,
    GOAWAY,
    WINDOW_UPDATE,
    CONTINUATION
};
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8 };

// A POST in indexed fields: :method POST, :scheme http, :path /, and :authority with a value.
static const uint8_t post[] = {0x83, 0x86, 0x84, 0x01, 1, 'a'};

static int frame(
    struct h2_pair *pair,
    uint8_t type,
    uint8_t flags,
    uint32_t id,
    const void *payload,
    uint32_t len
)
{
    uint8_t *bytes = malloc(9 + len);
    const uint8_t head[9] = {
        (uint8_t)(len >> 16),
        (uint8_t)(len >> 8),
        (uint8_t)len,
        type,
        flags,
        (uint8_t)(id >> 24),
        (uint8_t)(id >> 16),
        (uint8_t)(id >> 8),
        (uint8_t)id,
    };
    memcpy(bytes, head, 9);
    if (len > 0) {
        memcpy(bytes + 9, payload, len);
    }
    int err = sw_h2_recv(pair->server.h2, bytes, 9 + len);
    free(bytes);
    return err;
}

// A server whose peer is this test.
static struct h2_pair *server_new(struct sw_h2_options options)
{
    struct h2_pair *pair = h2_pair_new(0, options);
    assert_int_equal(sw_h2_recv(pair->server.h2, (const uint8_t *)preface, strlen(preface)), 0);
    assert_int_equal(frame(pair, SETTINGS, 0, 0, NULL, 0), 0);
    return pair;
}

// The frames that the server wrote are looked through for the last of this type. @return its payload
static const uint8_t *
find_frame(const struct h2_end *end, uint8_t type, uint32_t *ret_len, unsigned *ret_count)
{
    const uint8_t *found = NULL;
    size_t at = end->wire_at;
    size_t stop = at + end->wire_len;
    *ret_count = 0;
    *ret_len = 0;
    while (at + 9 <= stop) {
        const uint8_t *head = end->wire + at;
        uint32_t len = (uint32_t)head[0] << 16 | (uint32_t)head[1] << 8 | head[2];
        assert_true(at + 9 + len <= stop);
        if (head[3] == type) {
            found = head + 9;
            *ret_len = len;
            ++*ret_count;
        }
        at += 9 + len;
    }
    return found;
}

static void assert_goaway(const struct h2_pair *pair, uint32_t code, const char *debug)
{
    uint32_t len = 0;
    unsigned count = 0;
    const uint8_t *goaway = find_frame(&pair->server, GOAWAY, &len, &count);
    assert_int_equal(count, 1);
    assert_int_equal(len, 8 + strlen(debug));
    assert_int_equal(goaway[7], code);
    assert_memory_equal(goaway + 8, debug, len - 8);
}

static unsigned frames_count(const struct h2_pair *pair, uint8_t type)
{
    uint32_t len = 0;
    unsigned count = 0;
    (void)find_frame(&pair->server, type, &len, &count);
    return count;
}

static void test_too_large_header_list_costs_the_stream_only(void **state)
{
    struct h2_pair *pair = h2_pair_new(1, (struct sw_h2_options){.header_list_bytes_max = 400});
    pair->server.answer = true;
    char value[300];
    memset(value, 'v', sizeof(value));
    struct sw_h2_header headers[6];
    memcpy(headers, h2_request_headers, sizeof(h2_request_headers));
    headers[5] = (struct sw_h2_header){
        .name = SW_HTTP_TEXT("x-fill"),
        .value = {value, sizeof(value)},
    };
    struct h2_seen *seen = &pair->client.streams[0];
    *seen = (struct h2_seen){.used = true, .id = 1};
    pair->client.begun_count = 1;
    int32_t id = 0;
    assert_int_equal(sw_h2_request(pair->client.h2, headers, 6, NULL, seen, &id), 0);
    h2_call(pair, NULL);
    h2_pump(pair);
    assert_int_equal(seen->code, SW_H2_FRAME_SIZE_ERROR);
    assert_string_equal(pair->server.streams[0].events, "close");
    assert_int_equal(pair->server.streams[0].code, SW_H2_FRAME_SIZE_ERROR);
    assert_string_equal(pair->client.streams[1].events, "response end close");
    h2_pair_free(pair);
}

// A few bytes on the wire that stand for megabytes: one large entry, named again and again.
static void test_header_bomb_costs_the_connection(void **state)
{
    for (unsigned refused = 0; refused < 2; refused++) {
        struct h2_pair *pair = server_new((struct sw_h2_options){0});
        uint8_t block[12000];
        size_t at = sizeof(post);
        pair->server.refuse = refused == 1; // the same for a request that nobody looks at
        memcpy(block, post, at);
        memcpy(block + at, "\x40\x01x\x7f\xa1\x1e", 6); // x: 4000 bytes, kept
        at += 6;
        memset(block + at, 'v', 4000);
        at += 4000;
        memset(block + at, 0xbe, sizeof(block) - at);
        int err = frame(pair, HEADERS, END_HEADERS | END_STREAM, 1, block, sizeof(block));
        assert_int_equal(err, SW_E_PROTOCOL);
        assert_goaway(pair, SW_H2_ENHANCE_YOUR_CALM, "header_list_too_large");
        assert_int_equal(frame(pair, SETTINGS, 0, 0, NULL, 0), SW_E_PROTOCOL); // at its end
        h2_pair_free(pair);
    }
}

static void test_endless_continuation_costs_the_connection(void **state)
{
    struct h2_pair *pair = server_new((struct sw_h2_options){0});
    int err = frame(pair, HEADERS, 0, 1, post, sizeof(post));
    unsigned count = 0;
    while (err == 0) {
        err = frame(pair, CONTINUATION, 0, 1, "\x40\x01x\x01v", 5);
        assert_true(++count < 20);
    }
    assert_int_equal(err, SW_E_PROTOCOL);
    h2_pair_free(pair);
}

static void ping(struct h2_pair *pair, uint64_t after_ns, int expected_err)
{
    pair->core.now_ns += after_ns;
    assert_int_equal(frame(pair, PING, 0, 0, "12345678", 8), expected_err);
}

static void test_third_hasty_ping_is_too_many(void **state)
{
    struct h2_pair *pair = server_new((struct sw_h2_options){.ping_min_ns = 0});
    ping(pair, 0, 0);
    ping(pair, SW_NS_PER_S, 0);
    ping(pair, SW_NS_PER_S, 0);
    assert_int_equal(frames_count(pair, GOAWAY), 0);
    ping(pair, SW_NS_PER_S, SW_E_PROTOCOL);
    assert_goaway(pair, SW_H2_ENHANCE_YOUR_CALM, "too_many_pings");
    assert_true(frames_count(pair, PING) >= 3); // each is answered
    h2_pair_free(pair);
}

static void test_pings_that_keep_their_distance_are_fine(void **state)
{
    // Without a stream open two hours are asked for, with one five minutes.
    struct h2_pair *pair = server_new((struct sw_h2_options){0});
    for (unsigned i = 0; i < 10; i++) {
        ping(pair, 7200 * SW_NS_PER_S, 0);
    }
    frame(pair, HEADERS, END_HEADERS, 1, post, sizeof(post));
    for (unsigned i = 0; i < 10; i++) {
        ping(pair, 300 * SW_NS_PER_S, 0);
    }
    h2_pair_free(pair);

    pair = server_new((struct sw_h2_options){
        .ping_min_ns = 10 * (int64_t)SW_NS_PER_S,
        .ping_without_stream = true,
    });
    for (unsigned i = 0; i < 10; i++) {
        ping(pair, 10 * SW_NS_PER_S, 0);
    }
    h2_pair_free(pair);
}

static void test_ping_after_an_answer_is_free(void **state)
{
    struct h2_pair *pair = server_new((struct sw_h2_options){0});
    pair->server.answer = true;
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(
            frame(pair, HEADERS, END_HEADERS | END_STREAM, 2 * i + 1, post, sizeof(post)), 0
        );
        ping(pair, 1000, 0);
    }
    h2_pair_free(pair);
}

static void test_answers_that_nobody_reads_do_not_pile_up(void **state)
{
    struct h2_pair *pair = server_new((struct sw_h2_options){
        .ping_min_ns = 1,
        .ping_without_stream = true,
    });
    pair->server.full = true;
    int err = 0;
    unsigned count = 0;
    while (err == 0) {
        pair->core.now_ns += 10;
        err = frame(pair, PING, 0, 0, "12345678", 8);
        assert_true(++count < 2000);
    }
    assert_int_equal(err, SW_E_PROTOCOL);
    h2_pair_free(pair);
}

static void test_rapid_resets_cost_the_connection(void **state)
{
    struct h2_pair *pair = server_new((struct sw_h2_options){0});
    uint32_t id = 1;
    int err = 0;
    while (err == 0) {
        assert_int_equal(frame(pair, HEADERS, END_HEADERS, id, post, sizeof(post)), 0);
        err = frame(pair, RST_STREAM, 0, id, "\0\0\0\x8", 4);
        id += 2;
        assert_true(id < 2 * H2_STREAMS);
    }
    assert_int_equal(id / 2, 1001);
    assert_goaway(pair, SW_H2_ENHANCE_YOUR_CALM, "too_many_resets");
    h2_pair_free(pair);
}

static void test_occasional_resets_are_fine(void **state)
{
    struct h2_pair *pair = server_new((struct sw_h2_options){0});
    for (uint32_t i = 0; i < H2_STREAMS; i++) {
        pair->core.now_ns += SW_NS_PER_S / 30;
        assert_int_equal(frame(pair, HEADERS, END_HEADERS, 2 * i + 1, post, sizeof(post)), 0);
        assert_int_equal(frame(pair, RST_STREAM, 0, 2 * i + 1, "\0\0\0\x8", 4), 0);
    }
    assert_int_equal(pair->server.closed_count, H2_STREAMS);
    h2_pair_free(pair);
}

// CVE-2025-8671: the peer never resets anything, it makes us do it.
static void test_provoked_resets_count_as_well(void **state)
{
    struct h2_pair *pair = server_new((struct sw_h2_options){0});
    uint32_t id = 1;
    int err = 0;
    while (err == 0) {
        err = frame(pair, HEADERS, END_HEADERS, id, post, sizeof(post));
        if (err == 0) {
            err = frame(pair, WINDOW_UPDATE, 0, id, "\x7f\xff\xff\xff", 4); // past the largest
        }
        id += 2;
        assert_true(id < 2 * H2_STREAMS);
    }
    assert_goaway(pair, SW_H2_ENHANCE_YOUR_CALM, "too_many_resets");
    h2_pair_free(pair);
}

static void test_refusals_do_not_count(void **state)
{
    struct h2_pair *pair = server_new((struct sw_h2_options){0});
    pair->server.refuse = true;
    for (uint32_t i = 0; i < 3000; i++) {
        assert_int_equal(
            frame(pair, HEADERS, END_HEADERS | END_STREAM, 2 * i + 1, post, sizeof(post)), 0
        );
    }
    assert_int_equal(frames_count(pair, RST_STREAM), 3000);
    h2_pair_free(pair);
}

static void test_frames_without_content_are_limited(void **state)
{
    for (unsigned padded = 0; padded < 2; padded++) {
        struct h2_pair *pair = server_new((struct sw_h2_options){0});
        assert_int_equal(frame(pair, HEADERS, END_HEADERS, 1, post, sizeof(post)), 0);
        int err = 0;
        unsigned count = 0;
        while (err == 0) {
            err = padded != 0 ? frame(pair, DATA, PADDED, 1, "\1\0", 2)
                              : frame(pair, DATA, 0, 1, NULL, 0);
            assert_true(++count < 20000);
        }
        assert_in_range(count, 9000, 10001);
        assert_goaway(pair, SW_H2_ENHANCE_YOUR_CALM, "too_many_empty_frames");
        h2_pair_free(pair);
    }
}

static void test_settings_are_limited(void **state)
{
    struct h2_pair *pair = server_new((struct sw_h2_options){0});
    int err = 0;
    unsigned count = 0;
    while (err == 0) {
        err = frame(pair, SETTINGS, 0, 0, "\0\3\0\0\0\1", 6);
        assert_true(++count < 20000);
    }
    assert_goaway(pair, SW_H2_ENHANCE_YOUR_CALM, "too_many_settings");
    h2_pair_free(pair);
}

static void test_flood_in_one_piece_gets_one_answer(void **state)
{
    struct h2_pair *pair = server_new((struct sw_h2_options){0});
    static const uint8_t one[17] = {0, 0, 8, PING};
    uint8_t flood[17 * 500];
    for (unsigned i = 0; i < 500; i++) {
        memcpy(flood + i * 17, one, 17);
    }
    assert_int_equal(sw_h2_recv(pair->server.h2, flood, sizeof(flood)), SW_E_PROTOCOL);
    assert_goaway(pair, SW_H2_ENHANCE_YOUR_CALM, "too_many_pings");
    assert_in_range(frames_count(pair, PING), 3, 4); // the rest was not even read
    h2_pair_free(pair);
}

static void test_what_is_no_http2_is_refused(void **state)
{
    struct h2_pair *pair = h2_pair_new(0, (struct sw_h2_options){0});
    static const char http1[] = "POST /v1/traces HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_int_equal(
        sw_h2_recv(pair->server.h2, (const uint8_t *)http1, strlen(http1)), SW_E_PROTOCOL
    );
    h2_pair_free(pair);

    pair = h2_pair_new(0, (struct sw_h2_options){0});
    assert_int_equal(sw_h2_recv(pair->server.h2, (const uint8_t *)preface, strlen(preface)), 0);
    assert_int_equal(frame(pair, PING, 0, 0, "12345678", 8), SW_E_PROTOCOL); // SETTINGS come first
    h2_pair_free(pair);
}

static void test_protocol_errors_are_told_by_goaway(void **state)
{
    struct h2_pair *pair = server_new((struct sw_h2_options){0});
    assert_int_equal(frame(pair, HEADERS, END_HEADERS, 2, post, sizeof(post)), SW_E_PROTOCOL);
    assert_int_equal(frames_count(pair, GOAWAY), 1);
    h2_pair_free(pair);
}

static void test_data_beyond_the_window_is_an_error(void **state)
{
    struct h2_pair *pair = server_new((struct sw_h2_options){0});
    static const uint8_t zeros[16384];
    pair->server.hold = true;
    assert_int_equal(frame(pair, HEADERS, END_HEADERS, 1, post, sizeof(post)), 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(frame(pair, DATA, 0, 1, zeros, sizeof(zeros)), 0);
    }
    assert_int_equal(frame(pair, DATA, 0, 1, zeros, sizeof(zeros)), SW_E_PROTOCOL); // 65536
    h2_pair_free(pair);
}

/* ---- windows ---- */

static void upload(struct h2_pair *pair, uint32_t bytes)
{
    struct h2_body body;
    h2_body_init(&body, bytes, 5000, "");
    pair->server.answer = true;
    h2_call(pair, &body.body);
    h2_pump(pair);
    assert_int_equal(pair->server.err, 0);
    assert_int_equal(pair->client.err, 0);
    h2_body_check(&body, &pair->server.streams[pair->client.begun_count - 1]);
    sw_buf_unref(body.buf);
}

static void test_window_is_charged_from_the_start(void **state)
{
    struct h2_pair *pair = h2_pair_new(0, (struct sw_h2_options){0});
    assert_int_equal(sw_h2_window_bytes(pair->server.h2), 65535);
    assert_int_equal(pair->budget.used_bytes, 65535);
    assert_int_equal(sw_account_charged(&pair->account), 65535);
    h2_pair_free(pair); // looks that all of it is given back
}

static void test_window_grows_step_by_step_for_who_uses_it(void **state)
{
    struct h2_pair *pair = h2_pair_new(0, (struct sw_h2_options){0});
    upload(pair, 40000); // half of the first window and a little more
    assert_int_equal(sw_h2_window_bytes(pair->server.h2), 4 * 65535);
    upload(pair, 4000000);
    assert_int_equal(sw_h2_window_bytes(pair->server.h2), SW_H2_CONNECTION_WINDOW_MAX);
    assert_int_equal(pair->budget.used_bytes, SW_H2_CONNECTION_WINDOW_MAX);
    assert_int_equal(sw_account_charged(&pair->account), SW_H2_CONNECTION_WINDOW_MAX);
    h2_pair_free(pair);
}

static void test_window_of_a_slow_sender_stays(void **state)
{
    struct h2_pair *pair = h2_pair_new(0, (struct sw_h2_options){0});
    for (unsigned i = 0; i < 50; i++) {
        pair->core.now_ns += SW_NS_PER_S;
        upload(pair, 20000);
    }
    assert_int_equal(sw_h2_window_bytes(pair->server.h2), 65535);
    h2_pair_free(pair);
}

static void test_window_grows_into_half_of_the_budget_only(void **state)
{
    struct h2_pair *pair = h2_pair_new(0, (struct sw_h2_options){0});
    pair->budget.limit_bytes = 1 << 20;
    upload(pair, 3000000);
    assert_int_equal(sw_h2_window_bytes(pair->server.h2), 4 * 65535);
    assert_int_equal(pair->budget.used_bytes, 4 * 65535);
    h2_pair_free(pair);
}

static void test_full_budget_refuses_growth_but_no_connection(void **state)
{
    struct h2_pair *pair = h2_pair_new(0, (struct sw_h2_options){0});
    pair->budget.limit_bytes = 1000;
    upload(pair, 300000);
    assert_int_equal(sw_h2_window_bytes(pair->server.h2), 65535);
    h2_pair_free(pair);
}

static void test_held_bytes_stop_the_sender_until_they_are_consumed(void **state)
{
    struct h2_pair *pair = h2_pair_new(0, (struct sw_h2_options){.stream_window_bytes = 100000});
    struct h2_body body;
    h2_body_init(&body, 1000000, 5000, "");
    pair->server.hold = true;
    pair->server.answer = true;
    h2_call(pair, &body.body);
    h2_pump(pair);
    struct h2_seen *seen = &pair->server.streams[0];
    for (unsigned turn = 0; !seen->closed; turn++) {
        assert_true(turn < 100);
        assert_in_range(seen->held, 1, 4 * 65535);
        sw_h2_consume(pair->server.h2, 1, seen->held);
        seen->held = 0;
        h2_pump(pair);
    }
    h2_body_check(&body, seen);
    sw_buf_unref(body.buf);
    h2_pair_free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_too_large_header_list_costs_the_stream_only),
        cmocka_unit_test(test_header_bomb_costs_the_connection),
        cmocka_unit_test(test_endless_continuation_costs_the_connection),
        cmocka_unit_test(test_third_hasty_ping_is_too_many),
        cmocka_unit_test(test_pings_that_keep_their_distance_are_fine),
        cmocka_unit_test(test_ping_after_an_answer_is_free),
        cmocka_unit_test(test_answers_that_nobody_reads_do_not_pile_up),
        cmocka_unit_test(test_rapid_resets_cost_the_connection),
        cmocka_unit_test(test_occasional_resets_are_fine),
        cmocka_unit_test(test_provoked_resets_count_as_well),
        cmocka_unit_test(test_refusals_do_not_count),
        cmocka_unit_test(test_frames_without_content_are_limited),
        cmocka_unit_test(test_settings_are_limited),
        cmocka_unit_test(test_flood_in_one_piece_gets_one_answer),
        cmocka_unit_test(test_what_is_no_http2_is_refused),
        cmocka_unit_test(test_protocol_errors_are_told_by_goaway),
        cmocka_unit_test(test_data_beyond_the_window_is_an_error),
        cmocka_unit_test(test_window_is_charged_from_the_start),
        cmocka_unit_test(test_window_grows_step_by_step_for_who_uses_it),
        cmocka_unit_test(test_window_of_a_slow_sender_stays),
        cmocka_unit_test(test_window_grows_into_half_of_the_budget_only),
        cmocka_unit_test(test_full_budget_refuses_growth_but_no_connection),
        cmocka_unit_test(test_held_bytes_stop_the_sender_until_they_are_consumed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
