/* Calls over HTTP/2, client session against server session, in any segmentation. */
#include "http2_bench.h"

#define SEEDS 40

static const struct sw_h2_header trailers[] = {
    SW_H2_FIXED("grpc-status", "0"),
    SW_H2_FIXED("grpc-message", ""),
};

static void test_calls_go_both_ways_in_any_pieces(void **state)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct h2_pair *pair = h2_pair_new(seed, (struct sw_h2_options){0});
        struct sw_http_body answers[10];
        struct h2_body bodies[10];
        pair->server.answer = true;
        pair->server.bodies = answers;
        pair->server.trailers = trailers;
        pair->server.trailers_count = 2;
        for (unsigned i = 0; i < 10; i++) {
            answers[i] = (struct sw_http_body){.head = "\0\0\0\0\2\x0a\0", .head_len = 7};
            // From nothing to more than the first windows together.
            h2_body_init(&bodies[i], i * i * i * 200, i % 3 == 0 ? 100 : 5000, "\0\0\0\0\1");
            int32_t id = h2_call(pair, &bodies[i].body);
            assert_int_equal(id, 2 * i + 1);
        }
        h2_pump(pair);
        for (unsigned i = 0; i < 10; i++) {
            const struct h2_seen *served = &pair->server.streams[i];
            const struct h2_seen *called = &pair->client.streams[i];
            assert_string_equal(served->events, "request end close");
            assert_string_equal(
                served->headers,
                ":method=POST :scheme=http :path=/x :authority=a.test "
                "content-type=application/grpc"
            );
            h2_body_check(&bodies[i], served);
            assert_string_equal(called->events, "response trailers end close");
            assert_string_equal(
                called->headers,
                ":status=200 content-type=application/grpc grpc-status=0 grpc-message="
            );
            assert_int_equal(called->body_len, 7);
            assert_memory_equal(called->body, "\0\0\0\0\2\x0a\0", 7);
            assert_int_equal(called->code, SW_H2_NO_ERROR);
            assert_int_equal(served->code, SW_H2_NO_ERROR);
            sw_buf_unref(bodies[i].buf);
        }
        assert_int_equal(sw_h2_streams_count(pair->client.h2), 0);
        assert_int_equal(sw_h2_streams_count(pair->server.h2), 0);
        h2_pair_free(pair);
    }
}

static void test_large_answer_comes_whole(void **state)
{
    for (uint64_t seed = 0; seed < 5; seed++) {
        struct h2_pair *pair = h2_pair_new(seed, (struct sw_h2_options){0});
        struct h2_body answer;
        h2_body_init(&answer, 3000000, 70000, "");
        pair->server.answer = true;
        pair->server.bodies = &answer.body;
        h2_call(pair, NULL);
        h2_pump(pair);
        assert_string_equal(pair->server.streams[0].events, "request end close");
        assert_string_equal(pair->client.streams[0].events, "response end close");
        h2_body_check(&answer, &pair->client.streams[0]);
        sw_buf_unref(answer.buf);
        h2_pair_free(pair);
    }
}

static void test_answer_of_headers_alone_ends_the_stream(void **state)
{
    struct h2_pair *pair = h2_pair_new(3, (struct sw_h2_options){0});
    pair->server.answer = true;
    h2_call(pair, NULL);
    h2_pump(pair);
    assert_string_equal(pair->client.streams[0].events, "response end close");
    assert_int_equal(
        sw_h2_respond(pair->server.h2, 1, h2_answer_headers, 2, NULL, NULL, 0), SW_E_CLOSED
    );
    h2_pair_free(pair);
}

static void test_early_answer_stops_the_sender_without_blame(void **state)
{
    struct h2_pair *pair = h2_pair_new(5, (struct sw_h2_options){0});
    struct h2_body body;
    h2_body_init(&body, 2000000, 5000, "");
    pair->server.early = true;
    pair->server.hold = true;
    h2_call(pair, &body.body);
    h2_pump(pair);
    assert_string_equal(pair->server.streams[0].events, "request close");
    assert_string_equal(pair->client.streams[0].events, "response end close");
    assert_int_equal(pair->client.streams[0].code, SW_H2_NO_ERROR);
    assert_true(body.body.bytes > 0); // the rest never left
    // What came before and after counts against nobody's window.
    sw_h2_consume(pair->server.h2, 1, pair->server.streams[0].held);
    pair->server.early = pair->server.hold = false;
    pair->server.answer = true;
    struct h2_body second;
    h2_body_init(&second, 500000, 5000, "");
    h2_call(pair, &second.body);
    h2_pump(pair);
    h2_body_check(&second, &pair->server.streams[1]);
    sw_buf_unref(second.buf);
    sw_buf_unref(body.buf);
    h2_pair_free(pair);
}

static void test_refused_request_leaves_no_trace(void **state)
{
    struct h2_pair *pair = h2_pair_new(7, (struct sw_h2_options){0});
    pair->server.refuse = true;
    h2_call(pair, NULL);
    h2_pump(pair);
    assert_int_equal(pair->client.streams[0].code, SW_H2_REFUSED_STREAM);
    assert_string_equal(pair->client.streams[0].events, "close");
    assert_int_equal(pair->server.begun_count, 0);
    assert_int_equal(sw_h2_streams_count(pair->server.h2), 0);
    h2_pair_free(pair);
}

static void test_reset_by_either_side_reaches_the_other(void **state)
{
    struct h2_pair *pair = h2_pair_new(9, (struct sw_h2_options){0});
    h2_call(pair, NULL);
    h2_call(pair, NULL);
    h2_pump(pair);
    sw_h2_reset(pair->client.h2, 1, SW_H2_CANCEL);
    sw_h2_reset(pair->server.h2, 3, SW_H2_INTERNAL_ERROR);
    sw_h2_reset(pair->server.h2, 99, SW_H2_CANCEL); // unknown: legal
    h2_pump(pair);
    assert_int_equal(pair->server.streams[0].code, SW_H2_CANCEL);
    assert_int_equal(pair->client.streams[0].code, SW_H2_CANCEL);
    assert_int_equal(pair->server.streams[1].code, SW_H2_INTERNAL_ERROR);
    assert_int_equal(pair->client.streams[1].code, SW_H2_INTERNAL_ERROR);
    h2_pair_free(pair);
}

static void test_request_reset_before_it_left_is_closed_with_that_code(void **state)
{
    struct h2_pair *pair = h2_pair_new(11, (struct sw_h2_options){0});
    int32_t id = h2_call(pair, NULL);
    sw_h2_reset(pair->client.h2, id, SW_H2_CANCEL);
    h2_pump(pair);
    assert_string_equal(pair->client.streams[0].events, "close");
    assert_int_equal(pair->client.streams[0].code, SW_H2_CANCEL);
    assert_int_equal(pair->server.begun_count, 0);
    assert_int_equal(sw_h2_streams_count(pair->client.h2), 0);
    h2_pair_free(pair);
}

static void test_requests_are_held_to_what_the_peer_allows(void **state)
{
    struct h2_pair *pair = h2_pair_new(13, (struct sw_h2_options){.max_concurrent_streams = 3});
    int err = 0;
    assert_false(sw_h2_ready(pair->client.h2));
    assert_int_equal(sw_h2_peer_streams_max(pair->client.h2), 100);
    h2_pump(pair);
    assert_true(sw_h2_ready(pair->client.h2));
    assert_int_equal(sw_h2_peer_streams_max(pair->client.h2), 3);
    assert_int_equal(pair->client.settings_count, 1);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(sw_h2_request_allowed(pair->client.h2));
        h2_call(pair, NULL);
    }
    assert_false(sw_h2_request_allowed(pair->client.h2));
    assert_true(sw_h2_usable(pair->client.h2));
    assert_int_equal(h2_request(pair, NULL, &err), 0);
    assert_int_equal(err, SW_E_FULL);
    h2_pump(pair);
    h2_answer(&pair->server, 1);
    h2_pump(pair);
    assert_true(sw_h2_request_allowed(pair->client.h2));
    h2_pair_free(pair);
}

static void test_requests_before_the_settings_are_refused_above_the_limit(void **state)
{
    struct h2_pair *pair = h2_pair_new(0, (struct sw_h2_options){.max_concurrent_streams = 2});
    for (unsigned i = 0; i < 100; i++) {
        h2_call(pair, NULL);
    }
    int err = 0;
    assert_int_equal(h2_request(pair, NULL, &err), 0);
    assert_int_equal(err, SW_E_FULL);
    h2_pump(pair);
    unsigned refused = 0;
    for (unsigned i = 0; i < 100; i++) {
        refused +=
            pair->client.streams[i].closed && pair->client.streams[i].code == SW_H2_REFUSED_STREAM;
    }
    assert_int_equal(refused, 98);
    assert_int_equal(pair->server.err, 0); // no offence
    h2_pair_free(pair);
}

static void test_body_waits_while_the_transport_is_full(void **state)
{
    struct h2_pair *pair = h2_pair_new(15, (struct sw_h2_options){0});
    struct h2_body body;
    h2_body_init(&body, 200000, 3000, "head");
    pair->server.answer = true;
    h2_pump(pair);
    h2_call(pair, &body.body);
    pair->client.full = true;
    size_t before = pair->client.wire_len;
    assert_int_equal(sw_h2_send(pair->client.h2), 0);
    assert_int_equal(pair->client.wire_len, before);
    pair->client.full = false;
    h2_pump(pair);
    h2_body_check(&body, &pair->server.streams[0]);
    assert_string_equal(pair->client.streams[0].events, "response end close");
    sw_buf_unref(body.buf);
    h2_pair_free(pair);
}

// The transport fills up in the middle of a body again and again.
static void test_body_goes_on_where_it_stopped(void **state)
{
    struct h2_pair *pair = h2_pair_new(17, (struct sw_h2_options){0});
    struct h2_body body;
    h2_body_init(&body, 300000, 777, "head");
    pair->server.answer = true;
    h2_pump(pair);
    h2_call(pair, &body.body);
    for (unsigned turn = 0; !pair->client.streams[0].closed; turn++) {
        assert_true(turn < 1000000);
        pair->client.full = sw_rand_below(&pair->rand, 3) != 0;
        pair->server.full = sw_rand_below(&pair->rand, 3) != 0;
        assert_int_equal(sw_h2_send(pair->client.h2), 0);
        assert_int_equal(sw_h2_send(pair->server.h2), 0);
        h2_move(pair, &pair->client, &pair->server);
        h2_move(pair, &pair->server, &pair->client);
    }
    h2_body_check(&body, &pair->server.streams[0]);
    sw_buf_unref(body.buf);
    h2_pair_free(pair);
}

static void test_stream_reset_while_its_frame_waits_is_dropped(void **state)
{
    struct h2_pair *pair = h2_pair_new(0, (struct sw_h2_options){0});
    struct h2_body *body = calloc(1, sizeof(*body));
    h2_body_init(body, 60000, 777, "");
    h2_pump(pair);
    h2_call(pair, &body->body);
    // The headers are out, the first DATA frame is made and waits.
    assert_int_equal(sw_h2_send(pair->client.h2), 0);
    h2_move(pair, &pair->client, &pair->server);
    sw_h2_reset(pair->server.h2, 1, SW_H2_CANCEL);
    assert_int_equal(sw_h2_send(pair->server.h2), 0);
    pair->client.full = true;
    assert_int_equal(sw_h2_send(pair->client.h2), 0);
    h2_move(pair, &pair->server, &pair->client);
    assert_true(pair->client.streams[0].closed);
    sw_buf_unref(body->buf);
    free(body); // the owner's after on_close
    pair->client.full = false;
    h2_pump(pair);
    assert_int_equal(pair->client.err, 0);
    h2_pair_free(pair);
}

static void test_body_that_breaks_off_costs_the_connection(void **state)
{
    struct h2_pair *pair = h2_pair_new(0, (struct sw_h2_options){0});
    struct h2_body body;
    h2_body_init(&body, 60000, 777, "");
    body.break_off = true;
    h2_pump(pair);
    h2_call(pair, &body.body);
    assert_true(sw_h2_send(pair->client.h2) != 0);
    assert_true(sw_h2_send(pair->client.h2) != 0); // stays so
    sw_buf_unref(body.buf);
    h2_pair_free(pair);
}

static void test_write_error_is_reported(void **state)
{
    struct h2_pair *pair = h2_pair_new(0, (struct sw_h2_options){0});
    h2_pump(pair);
    pair->client.write_err = SW_E_CLOSED;
    h2_call(pair, NULL);
    assert_int_equal(sw_h2_send(pair->client.h2), SW_E_CLOSED);
    h2_pair_free(pair);
}

static void test_goaway_comes_in_two_steps(void **state)
{
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct h2_pair *pair = h2_pair_new(seed, (struct sw_h2_options){0});
        h2_call(pair, NULL);
        h2_pump(pair);
        // A call that crosses the notice on the wire is served.
        h2_call(pair, NULL);
        assert_int_equal(sw_h2_send(pair->client.h2), 0);
        sw_h2_goaway(pair->server.h2, "graceful_stop");
        sw_h2_goaway(pair->server.h2, "graceful_stop");
        assert_true(sw_h2_leaving(pair->server.h2));
        h2_pump(pair);
        assert_string_equal(pair->client.goaway, "2147483647 0 graceful_stop; 3 0 ;");
        assert_int_equal(pair->server.begun_count, 2);
        assert_int_equal(pair->server.ping_acks, 0); // the PING was its own
        assert_false(sw_h2_usable(pair->client.h2));
        int err = 0;
        assert_int_equal(h2_request(pair, NULL, &err), 0);
        assert_int_equal(err, SW_E_CLOSED);
        assert_false(sw_h2_done(pair->server.h2));
        assert_false(sw_h2_done(pair->client.h2));
        h2_answer(&pair->server, 1);
        h2_answer(&pair->server, 3);
        h2_pump(pair);
        assert_string_equal(pair->client.streams[0].events, "response end close");
        assert_string_equal(pair->client.streams[1].events, "response end close");
        assert_true(sw_h2_done(pair->server.h2));
        assert_true(sw_h2_done(pair->client.h2));
        assert_int_equal(pair->core.timers.count, 0);
        h2_pair_free(pair);
    }
}

static void test_goaway_does_not_wait_longer_than_five_seconds(void **state)
{
    struct h2_pair *pair = h2_pair_new(0, (struct sw_h2_options){0});
    h2_pump(pair);
    sw_h2_goaway(pair->server.h2, "max_age");
    assert_int_equal(sw_h2_send(pair->server.h2), 0);
    pair->core.now_ns += 5 * SW_NS_PER_S - 1;
    assert_int_equal(sw_timers_run(&pair->core.timers, pair->core.now_ns, 10), 0);
    pair->core.now_ns++;
    assert_int_equal(sw_timers_run(&pair->core.timers, pair->core.now_ns, 10), 1);
    assert_true(pair->server.was_done); // and freed by its owner
    h2_pump(pair);
    assert_string_equal(pair->client.goaway, "2147483647 0 max_age; 0 0 ;");
    h2_pair_free(pair);
}

static void test_goaway_with_calls_open_waits_for_them(void **state)
{
    struct h2_pair *pair = h2_pair_new(0, (struct sw_h2_options){0});
    h2_call(pair, NULL);
    h2_pump(pair);
    sw_h2_goaway(pair->server.h2, "max_age");
    pair->core.now_ns += 5 * SW_NS_PER_S;
    sw_timers_run(&pair->core.timers, pair->core.now_ns, 10);
    assert_false(pair->server.was_done);
    h2_answer(&pair->server, 1);
    assert_int_equal(sw_h2_send(pair->server.h2), 0);
    assert_true(sw_h2_done(pair->server.h2));
    h2_pair_free(pair);
}

static void test_streams_above_the_last_one_are_unprocessed(void **state)
{
    struct h2_pair *pair = h2_pair_new(0, (struct sw_h2_options){0});
    h2_call(pair, NULL);
    h2_pump(pair);
    h2_call(pair, NULL); // on its way
    assert_int_equal(sw_h2_send(pair->client.h2), 0);
    h2_call(pair, NULL); // not even that
    // GOAWAY, last stream 1, NO_ERROR.
    static const uint8_t goaway[] = {0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0};
    assert_int_equal(sw_h2_recv(pair->client.h2, goaway, sizeof(goaway)), 0);
    assert_false(pair->client.streams[0].closed);
    assert_int_equal(pair->client.streams[1].code, SW_H2_REFUSED_STREAM);
    assert_true(pair->client.streams[1].closed);
    assert_int_equal(pair->client.streams[2].code, SW_H2_REFUSED_STREAM);
    assert_true(pair->client.streams[2].closed);
    h2_pair_free(pair);
}

static void test_client_says_goodbye(void **state)
{
    struct h2_pair *pair = h2_pair_new(3, (struct sw_h2_options){0});
    pair->server.answer = true;
    h2_call(pair, NULL);
    sw_h2_close_begin(pair->client.h2);
    assert_false(sw_h2_usable(pair->client.h2));
    h2_pump(pair);
    assert_string_equal(pair->client.streams[0].events, "response end close");
    assert_string_equal(pair->server.goaway, "0 0 ;");
    assert_true(sw_h2_done(pair->client.h2));
    assert_true(sw_h2_done(pair->server.h2));
    h2_pair_free(pair);
}

static void test_session_that_is_freed_closes_its_streams(void **state)
{
    struct h2_pair *pair = h2_pair_new(0, (struct sw_h2_options){0});
    h2_call(pair, NULL);
    h2_pump(pair);
    h2_call(pair, NULL); // has not left
    sw_h2_free(pair->client.h2);
    pair->client.h2 = NULL;
    for (unsigned i = 0; i < 2; i++) {
        assert_true(pair->client.streams[i].closed);
        assert_int_equal(pair->client.streams[i].code, SW_H2_INTERNAL_ERROR);
    }
    sw_h2_free(NULL);
    h2_pair_free(pair);
}

static void test_informational_answers_are_skipped(void **state)
{
    struct h2_pair *pair = h2_pair_new(0, (struct sw_h2_options){0});
    h2_call(pair, NULL);
    assert_int_equal(sw_h2_send(pair->client.h2), 0);
    // SETTINGS; HEADERS :status 103 with a field; HEADERS :status 200, END_STREAM.
    static const uint8_t answer[] = {
        0, 0, 0,   4,     0, 0, 0, 0, 0,                         // SETTINGS
        0, 0, 9,   1,     4, 0, 0, 0, 1, 0x08, 3, '1', '0', '3', // :status 103
        0, 1, 'x', 1 - 1,                                        // x: (empty)
        0, 0, 1,   1,     5, 0, 0, 0, 1, 0x88,                   // :status 200
    };
    assert_int_equal(sw_h2_recv(pair->client.h2, answer, sizeof(answer)), 0);
    assert_string_equal(pair->client.streams[0].headers, ":status=200");
    assert_string_equal(pair->client.streams[0].events, "response end close");
    h2_pair_free(pair);
}

static void test_other_object_is_tied_to_a_stream(void **state)
{
    struct h2_pair *pair = h2_pair_new(0, (struct sw_h2_options){0});
    h2_call(pair, NULL);
    struct h2_seen other = {.id = 1};
    sw_h2_set_stream(pair->client.h2, 1, &other); // not even sent
    pair->server.answer = true;
    h2_pump(pair);
    assert_true(other.closed);
    assert_string_equal(pair->client.streams[0].events, "");
    pair->client.streams[0].closed = true;
    h2_pair_free(pair);
}

static void test_out_of_memory_at_the_start_leaves_nothing(void **state)
{
    for (uint64_t nth = 1;; nth++) {
        struct h2_pair *pair = calloc(1, sizeof(*pair));
        pair->budget.limit_bytes = 1 << 20;
        pair->budget.account = &pair->account;
        struct sw_http_out out = {.copy = h2_copy, .ref = h2_ref, .ctx = &pair->server};
        struct sw_h2_options options = {.server = true, .budget = &pair->budget};
        sw_mem_fail_at(nth, 0);
        int err = sw_h2_new(
            &pair->core, &options, &out, &h2_bench_events, &pair->server, &pair->server.h2
        );
        uint64_t seen = sw_mem_fail_at(0, 0);
        assert_true(err == SW_OK || err == SW_E_NOMEM);
        h2_pair_free(pair);
        if (seen < nth) {
            assert_int_equal(err, SW_OK);
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_go_both_ways_in_any_pieces),
        cmocka_unit_test(test_large_answer_comes_whole),
        cmocka_unit_test(test_answer_of_headers_alone_ends_the_stream),
        cmocka_unit_test(test_early_answer_stops_the_sender_without_blame),
        cmocka_unit_test(test_refused_request_leaves_no_trace),
        cmocka_unit_test(test_reset_by_either_side_reaches_the_other),
        cmocka_unit_test(test_request_reset_before_it_left_is_closed_with_that_code),
        cmocka_unit_test(test_requests_are_held_to_what_the_peer_allows),
        cmocka_unit_test(test_requests_before_the_settings_are_refused_above_the_limit),
        cmocka_unit_test(test_body_waits_while_the_transport_is_full),
        cmocka_unit_test(test_body_goes_on_where_it_stopped),
        cmocka_unit_test(test_stream_reset_while_its_frame_waits_is_dropped),
        cmocka_unit_test(test_body_that_breaks_off_costs_the_connection),
        cmocka_unit_test(test_write_error_is_reported),
        cmocka_unit_test(test_goaway_comes_in_two_steps),
        cmocka_unit_test(test_goaway_does_not_wait_longer_than_five_seconds),
        cmocka_unit_test(test_goaway_with_calls_open_waits_for_them),
        cmocka_unit_test(test_streams_above_the_last_one_are_unprocessed),
        cmocka_unit_test(test_client_says_goodbye),
        cmocka_unit_test(test_session_that_is_freed_closes_its_streams),
        cmocka_unit_test(test_informational_answers_are_skipped),
        cmocka_unit_test(test_other_object_is_tied_to_a_stream),
        cmocka_unit_test(test_out_of_memory_at_the_start_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
