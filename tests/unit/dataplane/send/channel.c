/* The gRPC channel against a scripted server: connections, calls, what becomes of them. */
#include "dataplane/send/channel.h"

#include "dataplane/l7_http/codec.h"
#include "tests/unit/dataplane/send/site.h"

#include <stdlib.h>

static struct site site;
static struct site_resolver resolver;
static struct sw_push *push;
static struct sw_channel_conf conf;

static void conf_init(void)
{
    conf = (struct sw_channel_conf){
        .id = "otlp",
        .signal = SW_TRACES,
        .host = "10.0.0.1",
        .port = 4317,
        .authority = "backend:4317",
        .path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        .user_agent = "test/1",
    };
}

static void open_channel(void)
{
    assert_int_equal(
        sw_channel_new(&site.cores[0], &conf, &resolver.resolver, &site.account, &push), 0
    );
    assert_int_equal(sw_push_open(push), 0);
}

// A channel whose backend is there.
static void begin(enum site_kind kind)
{
    conf_init();
    site_init(&site, kind);
    site_resolver_init(&resolver);
    if (kind == SITE_KERNEL) {
        conf.host = "127.0.0.1";
        conf.port = site.port;
    } else {
        site_listen(&site, 1);
    }
}

static void finish(void)
{
    sw_push_close(push);
    site_rest(&site);
    sw_push_free(push);
    site_fini(&site);
}

static struct sw_channel_state state_now(void)
{
    struct sw_channel_state now;
    sw_channel_state(push, &now);
    return now;
}

static uint64_t in(uint64_t ns)
{
    return site.cores[0].now_ns + ns;
}

/* ---- a call ---- */

static void call_arrives(enum site_kind kind)
{
    struct site_call call;
    begin(kind);
    struct sw_pair headers[] = {{"x-tenant", "t1"}};
    conf.headers = (struct sw_list){headers, 1};
    open_channel();
    site_until(&site, state_now().connections_ready == 1); // before there is any call
    site_start(push, &call, bench_batch(3), in(5 * SW_NS_PER_S));
    site_until(&site, call.done_count == 1);
    assert_int_equal(call.outcome.err, 0);
    assert_int_equal(site.requests_count, 1);
    struct request *request = &site.requests[0];
    assert_string_equal(site_header(request, ":method"), "POST");
    assert_string_equal(site_header(request, ":path"), conf.path);
    assert_string_equal(site_header(request, ":authority"), "backend:4317");
    assert_string_equal(site_header(request, "content-type"), "application/grpc");
    assert_string_equal(site_header(request, "te"), "trailers");
    assert_string_equal(site_header(request, "user-agent"), "test/1");
    assert_string_equal(site_header(request, "x-tenant"), "t1");
    assert_non_null(site_header(request, "grpc-timeout"));
    assert_null(site_header(request, "grpc-encoding"));
    assert_int_equal(request->body->data[0], 0);
    assert_true(site_same(request, call.call.batch, 5));
    site_call_fini(&call);
    finish();
}

static void test_call_in_memory_arrives_whole(void **state)
{
    call_arrives(SITE_MEMORY);
}

static void test_call_in_pieces_arrives_whole(void **state)
{
    call_arrives(SITE_TROUBLED);
}

static void test_call_over_kernel_sockets_arrives_whole(void **state)
{
    call_arrives(SITE_KERNEL);
}

static void large_calls(enum site_kind kind)
{
    static struct site_call calls[8];
    begin(kind);
    open_channel();
    for (unsigned i = 0; i < 8; i++) {
        site_start(push, &calls[i], bench_batch(15000 + i), SW_TIME_NEVER); // half a megabyte each
    }
    for (unsigned i = 0; i < 8; i++) {
        site_until(&site, calls[i].done_count == 1);
        assert_int_equal(calls[i].outcome.err, 0);
    }
    for (unsigned i = 0; i < site.requests_count; i++) {
        bool found = false;
        for (unsigned k = 0; k < 8; k++) {
            found = found || site_same(&site.requests[i], calls[k].call.batch, 5);
        }
        assert_true(found);
    }
    for (unsigned i = 0; i < 8; i++) {
        site_call_fini(&calls[i]);
    }
    finish();
}

static void test_large_calls_at_once_pass_through_the_windows(void **state)
{
    large_calls(SITE_TROUBLED);
    large_calls(SITE_KERNEL);
}

static void test_call_before_the_connection_waits_for_it(void **state)
{
    struct site_call call;
    begin(SITE_MEMORY);
    open_channel();
    site_start(push, &call, bench_batch(1), SW_TIME_NEVER);
    assert_int_equal(call.done_count, 0);
    assert_int_equal(state_now().calls_waiting, 1);
    site_rest(&site);
    assert_int_equal(call.done_count, 1);
    assert_int_equal(call.outcome.err, 0);
    assert_null(site_header(&site.requests[0], "grpc-timeout"));
    site_call_fini(&call);
    finish();
}

static void each_coding(enum sw_coding coding, const char *name)
{
    struct site_call call;
    struct sw_codec *codec = NULL;
    struct sw_buf *plain = NULL;
    const char *why = "";
    begin(SITE_MEMORY);
    conf.coding = coding;
    open_channel();
    site_start(push, &call, bench_batch(100), SW_TIME_NEVER);
    site_rest(&site);
    assert_int_equal(call.outcome.err, 0);
    struct request *request = &site.requests[0];
    assert_string_equal(site_header(request, "grpc-encoding"), name);
    const uint8_t *body = request->body->data;
    assert_int_equal(body[0], 1);
    assert_int_equal(sw_codec_new(&codec), 0);
    int err = sw_codec_open(
        codec, coding, body + 5, request->body->size - 5, 1 << 20, NULL, &plain, &why, NULL
    );
    assert_string_equal(why, "");
    assert_int_equal(err, 0);
    sw_buf_unref(request->body);
    request->body = plain;
    assert_true(site_same(request, call.call.batch, 0));
    sw_codec_free(codec);
    site_call_fini(&call);
    finish();
}

static void test_each_coding_is_named_and_flagged_and_opens_to_the_same(void **state)
{
    each_coding(SW_CODING_GZIP, "gzip");
    each_coding(SW_CODING_ZSTD, "zstd");
    each_coding(SW_CODING_SNAPPY_FRAMED, "snappy");
}

/* ---- answers ---- */

static void answer_throttled(struct request *request)
{
    // code 14, "busy", RetryInfo of 7 s
    site_answer_status(
        request,
        "14",
        "busy%20now",
        "CA4SBGJ1c3kaMAoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIECgIIBw"
    );
}

static void answer_invalid(struct request *request)
{
    site_answer_status(request, "3", "bad spans", NULL);
}

static void answer_exhausted(struct request *request)
{
    site_answer_status(request, "8", "too much", NULL);
}

static void one_call(struct site_call *call, void (*answer)(struct request *request))
{
    site.on_request = answer;
    site_start(push, call, bench_batch(2), in(5 * SW_NS_PER_S));
    site_rest(&site);
    assert_int_equal(call->done_count, 1);
}

static void test_statuses_become_outcomes_in_the_collectors_words(void **state)
{
    struct site_call call;
    begin(SITE_MEMORY);
    open_channel();
    one_call(&call, answer_invalid);
    assert_int_equal(call.outcome.err, SW_E_PERMANENT);
    assert_int_equal(call.outcome.grpc_code, SW_GRPC_INVALID_ARGUMENT);
    assert_true(call.outcome.permanent);
    assert_string_equal(
        call.text, "Permanent error: rpc error: code = InvalidArgument desc = bad spans"
    );
    site_call_fini(&call);
    one_call(&call, answer_throttled);
    assert_int_equal(call.outcome.grpc_code, SW_GRPC_UNAVAILABLE);
    assert_false(call.outcome.permanent);
    assert_int_equal(call.outcome.retry_after_ns, 7 * SW_NS_PER_S);
    assert_non_null(call.outcome.details);
    assert_string_equal(
        call.text, "Throttle (7s), error: rpc error: code = Unavailable desc = busy now"
    );
    site_call_fini(&call);
    one_call(&call, answer_exhausted);
    assert_true(call.outcome.permanent);
    site_call_fini(&call);
    finish();
}

static void answer_partial(struct request *request)
{
    // partial_success {rejected_spans: 3, error_message: "some"}
    site_answer_message(request, "\x0a\x08\x08\x03\x12\x04some", 10);
}

static void test_partial_success_is_delivered_and_told(void **state)
{
    struct site_call call;
    struct sw_event event;
    begin(SITE_MEMORY);
    site.cores[0].events = sw_events_new(16);
    open_channel();
    one_call(&call, answer_partial);
    assert_int_equal(call.outcome.err, 0);
    assert_true(sw_events_take(site.cores[0].events, &event));
    assert_string_equal(event.kind->message, "Partial success response");
    assert_int_equal(event.items, 3);
    assert_memory_equal(event.text, "some", 4);
    assert_false(sw_events_take(site.cores[0].events, &event));
    site_call_fini(&call);
    finish();
}

static void answer_garbage(struct request *request)
{
    site_answer_message(request, "\xff\xff", 2);
}

static void answer_in_html(struct request *request)
{
    struct sw_h2_header headers[] = {
        SW_H2_FIXED(":status", "503"),
        SW_H2_FIXED("content-type", "text/html"),
    };
    assert_int_equal(sw_h2_respond(request->server->h2, request->id, headers, 2, NULL, NULL, 0), 0);
}

static void answer_without_trailers(struct request *request)
{
    struct sw_h2_header headers[] = {
        SW_H2_FIXED(":status", "200"),
        SW_H2_FIXED("content-type", "application/grpc"),
    };
    assert_int_equal(sw_h2_respond(request->server->h2, request->id, headers, 2, NULL, NULL, 0), 0);
}

static void answer_cancel(struct request *request)
{
    sw_h2_reset(request->server->h2, request->id, SW_H2_CANCEL);
}

static void answer_calm(struct request *request)
{
    sw_h2_reset(request->server->h2, request->id, SW_H2_ENHANCE_YOUR_CALM);
}

static void test_answers_that_are_none_mean_what_grpc_go_makes_of_them(void **state)
{
    static const struct {
        void (*answer)(struct request *request);
        int grpc_code;
        bool permanent;
    } cases[] = {
        {answer_garbage, SW_GRPC_INTERNAL, true},
        {answer_in_html, SW_GRPC_UNAVAILABLE, false},
        {answer_without_trailers, SW_GRPC_INTERNAL, true},
        {answer_cancel, SW_GRPC_CANCELLED, false},
        {answer_calm, SW_GRPC_RESOURCE_EXHAUSTED, true},
    };
    begin(SITE_MEMORY);
    open_channel();
    for (size_t i = 0; i < SW_ARRAY_SIZE(cases); i++) {
        struct site_call call;
        one_call(&call, cases[i].answer);
        assert_int_equal(call.outcome.grpc_code, cases[i].grpc_code);
        assert_int_equal(call.outcome.permanent, cases[i].permanent);
        site_call_fini(&call);
    }
    finish();
}

/* ---- connections ---- */

static void test_nobody_listens_calls_fail_at_once_and_attempts_back_off(void **state)
{
    struct site_call call;
    conf_init();
    site_init(&site, SITE_MEMORY);
    site_resolver_init(&resolver);
    open_channel();
    site_start(push, &call, bench_batch(1), SW_TIME_NEVER);
    site_rest(&site);
    assert_int_equal(call.done_count, 1);
    assert_int_equal(call.outcome.grpc_code, SW_GRPC_UNAVAILABLE);
    assert_false(call.outcome.permanent);
    assert_non_null(strstr(call.text, "dial tcp 10.0.0.1:4317: connect: connection refused"));
    site_call_fini(&call);
    double delay_ns = 1e9;
    for (unsigned i = 0; i < 14; i++) {
        uint64_t wait_ns = sw_timers_next_ns(&site.cores[0].timers) - site.cores[0].now_ns;
        assert_true((double)wait_ns >= delay_ns * 0.8 - 1 && (double)wait_ns <= delay_ns * 1.2 + 1);
        delay_ns = SW_MIN(delay_ns * 1.6, 120e9);
        site_advance(&site, wait_ns);
    }
    assert_true(delay_ns == 120e9);
    site_start(push, &call, bench_batch(1), SW_TIME_NEVER);
    assert_int_equal(call.done_count, 1); // from inside
    site_call_fini(&call);
    site_listen(&site, 1);
    site_advance(&site, 150 * SW_NS_PER_S);
    assert_int_equal(state_now().connections_ready, 1);
    one_call(&call, site_answer_ok);
    assert_int_equal(call.outcome.err, 0);
    site_call_fini(&call);
    finish();
}

static void test_wait_for_ready_calls_wait_until_their_deadline(void **state)
{
    struct site_call calls[2];
    conf_init();
    conf.wait_for_ready = true;
    site_init(&site, SITE_MEMORY);
    site_resolver_init(&resolver);
    open_channel();
    site_start(push, &calls[0], bench_batch(1), in(2 * SW_NS_PER_S));
    site_start(push, &calls[1], bench_batch(1), in(60 * SW_NS_PER_S));
    site_advance(&site, 10 * SW_NS_PER_S);
    assert_int_equal(calls[0].done_count, 1);
    assert_int_equal(calls[0].outcome.grpc_code, SW_GRPC_DEADLINE_EXCEEDED);
    assert_int_equal(calls[0].outcome.err, SW_E_TIMEOUT);
    assert_int_equal(calls[1].done_count, 0);
    site_listen(&site, 1);
    site_advance(&site, 20 * SW_NS_PER_S);
    assert_int_equal(calls[1].done_count, 1);
    assert_int_equal(calls[1].outcome.err, 0);
    site_call_fini(&calls[0]);
    site_call_fini(&calls[1]);
    finish();
}

// A frame of 120 bytes of which as many come as say ":status 200" and "grpc-status: 8": the RetryInfo that
// would make it retryable stands in what is missing.
static void answer_by_half(struct request *request)
{
    static const uint8_t half[] = "\x00\x00\x78\x01\x05\x00\x00\x00\x01\x88\x00\x0bgrpc-status\x01"
                                  "8";
    int err = sw_stream_write_copy(request->server->stream, half, sizeof(half) - 1);
    assert_int_equal(err, SW_OK);
    assert_int_equal(request->id, 1);
}

static void test_half_of_a_status_is_no_answer(void **state)
{
    struct site_call call;
    begin(SITE_MEMORY);
    open_channel();
    site.on_request = answer_by_half;
    site_start(push, &call, bench_batch(1), in(60 * SW_NS_PER_S));
    site_rest(&site);
    assert_int_equal(site.requests_count, 1);
    assert_int_equal(call.done_count, 0);
    site_drop_connections(&site);
    site_rest(&site);
    assert_int_equal(call.done_count, 1);
    assert_false(call.outcome.permanent);
    assert_int_equal(call.outcome.grpc_code, SW_GRPC_UNAVAILABLE);
    site_call_fini(&call);
    finish();
}

static void test_lost_connection_fails_its_calls_and_is_made_again(void **state)
{
    struct site_call call;
    begin(SITE_MEMORY);
    open_channel();
    site_advance(&site, 5 * SW_NS_PER_S);
    site.on_request = site_hang;
    site_start(push, &call, bench_batch(1), in(60 * SW_NS_PER_S));
    site_rest(&site);
    assert_int_equal(site.requests_count, 1);
    site_drop_connections(&site);
    site_rest(&site);
    assert_int_equal(call.done_count, 1);
    assert_int_equal(call.outcome.grpc_code, SW_GRPC_UNAVAILABLE);
    assert_false(call.outcome.permanent);
    assert_non_null(strstr(call.text, "error reading from server"));
    site_call_fini(&call);
    assert_int_equal(site.servers_count, 2); // at once: the old one had proved itself
    assert_int_equal(state_now().connections_ready, 1);
    site_drop_connections(&site); // this one has not
    site_rest(&site);
    assert_int_equal(site.servers_count, 2);
    site_advance(&site, 2 * SW_NS_PER_S);
    assert_int_equal(site.servers_count, 3);
    finish();
}

static void test_goaway_ends_in_peace_and_new_calls_go_elsewhere(void **state)
{
    struct site_call calls[2];
    begin(SITE_MEMORY);
    open_channel();
    site_advance(&site, 5 * SW_NS_PER_S);
    site.on_request = site_hang;
    site_start(push, &calls[0], bench_batch(1), SW_TIME_NEVER);
    site_rest(&site);
    sw_h2_goaway(site.servers[0].h2, "max_age");
    site_flush(&site);
    site_rest(&site);
    assert_int_equal(state_now().connections_leaving, 1);
    assert_int_equal(state_now().connections_ready, 1);
    site.on_request = site_answer_ok;
    site_start(push, &calls[1], bench_batch(1), SW_TIME_NEVER);
    site_rest(&site);
    assert_int_equal(calls[1].done_count, 1);
    assert_ptr_equal(site.requests[1].server, &site.servers[1]);
    assert_int_equal(calls[0].done_count, 0);
    site_answer_ok(&site.requests[0]);
    site_flush(&site);
    site_rest(&site);
    assert_int_equal(calls[0].done_count, 1);
    assert_int_equal(calls[0].outcome.err, 0);
    assert_int_equal(state_now().connections_leaving, 0);
    assert_int_equal(site_open_count(&site), 1);
    site_call_fini(&calls[0]);
    site_call_fini(&calls[1]);
    finish();
}

static void test_an_address_without_memory_is_tried_again(void **state)
{
    struct site_call call;
    begin(SITE_MEMORY);
    int err = sw_channel_new(&site.cores[0], &conf, &resolver.resolver, &site.account, &push);
    assert_int_equal(err, 0);
    sw_mem_fail_at(1, 0);
    assert_int_equal(sw_push_open(push), 0);
    assert_true(sw_mem_fail_at(0, 0) > 0);
    site_advance(&site, 3 * SW_NS_PER_S); // a literal address: nobody would be asked again
    assert_int_equal(state_now().connections_ready, 1);
    site_start(push, &call, bench_batch(1), in(5 * SW_NS_PER_S));
    site_until(&site, call.done_count == 1);
    assert_int_equal(call.outcome.err, 0);
    site_call_fini(&call);
    finish();
}

static unsigned refusals;

static void refuse_some(struct request *request)
{
    if (refusals > 0) {
        refusals--;
        sw_h2_reset(request->server->h2, request->id, SW_H2_REFUSED_STREAM);
    } else {
        site_answer_ok(request);
    }
}

static void test_refused_stream_is_sent_once_more(void **state)
{
    struct site_call call;
    begin(SITE_MEMORY);
    open_channel();
    site_rest(&site);
    refusals = 1;
    one_call(&call, refuse_some);
    assert_int_equal(call.outcome.err, 0);
    assert_int_equal(site.requests_count, 2);
    assert_true(site_same(&site.requests[1], call.call.batch, 5));
    site_call_fini(&call);
    refusals = 2;
    one_call(&call, refuse_some);
    assert_int_equal(call.outcome.grpc_code, SW_GRPC_UNAVAILABLE);
    assert_int_equal(refusals, 0);
    site_call_fini(&call);
    finish();
}

static void test_peers_limit_of_streams_makes_calls_wait(void **state)
{
    struct site_call calls[5];
    begin(SITE_MEMORY);
    site.options.max_concurrent_streams = 2;
    site.on_request = site_hang;
    open_channel();
    site_rest(&site);
    for (unsigned i = 0; i < 5; i++) {
        site_start(push, &calls[i], bench_batch(1), SW_TIME_NEVER);
    }
    site_rest(&site);
    assert_int_equal(site.requests_count, 2);
    assert_int_equal(state_now().calls_waiting, 3);
    for (unsigned i = 0; i < 5; i++) {
        site_answer_ok(&site.requests[i]);
        site_flush(&site);
        site_rest(&site);
        assert_int_equal(site.requests_count, SW_MIN(i + 3, 5));
    }
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(calls[i].outcome.err, 0);
        site_call_fini(&calls[i]);
    }
    finish();
}

static void test_silent_backend_ends_the_attempt_at_its_deadline(void **state)
{
    struct site_call call;
    begin(SITE_MEMORY);
    site.on_request = site_hang;
    open_channel();
    site_rest(&site);
    site_start(push, &call, bench_batch(1), in(5 * SW_NS_PER_S));
    site_advance(&site, 5 * SW_NS_PER_S - 1);
    assert_int_equal(call.done_count, 0);
    site_advance(&site, 1);
    assert_int_equal(call.done_count, 1);
    assert_int_equal(call.outcome.err, SW_E_TIMEOUT);
    assert_int_equal(call.outcome.grpc_code, SW_GRPC_DEADLINE_EXCEEDED);
    assert_string_equal(call.text, "context deadline exceeded");
    site_rest(&site);
    assert_true(site.requests[0].closed);
    assert_int_equal(site.requests[0].code, SW_H2_CANCEL);
    assert_int_equal(state_now().connections_ready, 1);
    assert_int_equal(state_now().calls_sent, 0);
    site_call_fini(&call);
    finish();
}

static void test_cancel_ends_a_call_wherever_it_is(void **state)
{
    struct site_call calls[4];
    begin(SITE_MEMORY);
    site.options.max_concurrent_streams = 1;
    site.on_request = site_hang;
    conf.coding = SW_CODING_GZIP;
    open_channel();
    site_rest(&site);
    site_start(push, &calls[0], bench_batch(1), SW_TIME_NEVER);
    site_start(push, &calls[1], bench_batch(1), SW_TIME_NEVER);
    site_rest(&site); // one is sent, one waits
    site_start(push, &calls[2], bench_batch(1), SW_TIME_NEVER);
    sw_push_cancel(push, &calls[2].call, SW_E_SHUTDOWN); // not even packed
    sw_push_cancel(push, &calls[1].call, SW_E_SHUTDOWN);
    sw_push_cancel(push, &calls[0].call, SW_E_SHUTDOWN);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(calls[i].done_count, 1);
        assert_int_equal(calls[i].outcome.err, SW_E_SHUTDOWN);
        site_call_fini(&calls[i]); // the batch goes while the stream is still being closed
    }
    site_rest(&site);
    assert_int_equal(site.requests[0].code, SW_H2_CANCEL);
    finish();
}

static void test_cancel_in_the_middle_of_a_large_body_keeps_its_bytes_for_the_frame(void **state)
{
    struct site_call call;
    begin(SITE_TROUBLED);
    site.on_request = site_hang;
    open_channel();
    site_until(&site, state_now().connections_ready == 1);
    site_start(push, &call, bench_batch_in(&site.account, 0, 60000, 0), SW_TIME_NEVER);
    for (unsigned i = 0; i < 40; i++) {
        (void)site_turn(&site);
    }
    sw_push_cancel(push, &call.call, SW_E_SHUTDOWN);
    site_call_fini(&call);
    site_until(&site, state_now().calls_sent == 0);
    finish();
}

/* ---- keepalive ---- */

static void begin_keepalive(void)
{
    begin(SITE_MEMORY);
    conf.keepalive_ns = 10 * SW_NS_PER_S;
    conf.keepalive_timeout_ns = 20 * SW_NS_PER_S;
}

static void test_keepalive_answered_keeps_the_connection(void **state)
{
    struct site_call call;
    begin_keepalive();
    site.options.ping_min_ns = 1;
    site.options.ping_without_stream = true;
    conf.keepalive_without_stream = true;
    site.on_request = site_hang;
    open_channel();
    site_rest(&site);
    site_start(push, &call, bench_batch(1), SW_TIME_NEVER);
    site_advance(&site, 300 * SW_NS_PER_S);
    assert_int_equal(call.done_count, 0);
    assert_int_equal(site.servers_count, 1);
    site_answer_ok(&site.requests[0]);
    site_flush(&site);
    site_rest(&site);
    site_advance(&site, 300 * SW_NS_PER_S);
    assert_int_equal(site.servers_count, 1);
    site_call_fini(&call);
    finish();
}

static void test_keepalive_unanswered_closes_the_connection(void **state)
{
    struct site_call call;
    begin_keepalive();
    site.on_request = site_hang;
    open_channel();
    site_rest(&site);
    site_start(push, &call, bench_batch(1), SW_TIME_NEVER);
    site_rest(&site);
    sw_stream_pause(site.servers[0].stream, true);
    site_advance(&site, 30 * SW_NS_PER_S - 1);
    assert_int_equal(call.done_count, 0);
    site_advance(&site, SW_NS_PER_S);
    assert_int_equal(call.done_count, 1);
    assert_int_equal(call.outcome.grpc_code, SW_GRPC_UNAVAILABLE);
    assert_int_equal(site.servers_count, 2);
    site_call_fini(&call);
    finish();
}

static void test_keepalive_without_calls_rests_unless_told(void **state)
{
    begin_keepalive();
    open_channel();
    site_rest(&site);
    sw_stream_pause(site.servers[0].stream, true);
    site_advance(&site, 600 * SW_NS_PER_S);
    assert_int_equal(site.servers_count, 1);
    finish();
}

static void test_too_many_pings_makes_them_rarer(void **state)
{
    struct site_call call;
    begin_keepalive();
    site.on_request = site_hang; // and the server allows a PING in five minutes
    open_channel();
    site_rest(&site);
    site_start(push, &call, bench_batch(1), SW_TIME_NEVER);
    site_advance(&site, 60 * SW_NS_PER_S);
    assert_int_equal(call.done_count, 1);
    assert_int_equal(call.outcome.grpc_code, SW_GRPC_UNAVAILABLE);
    unsigned before = site.servers_count;
    assert_true(before >= 2);
    site_call_fini(&call);
    finish();
}

/* ---- names ---- */

static void begin_named(void)
{
    begin(SITE_MEMORY);
    site_listen(&site, 2);
    conf.host = "backend";
    open_channel();
    assert_int_equal(resolver.asked_count, 1);
}

static void six_calls(unsigned counts[2])
{
    struct site_call calls[6];
    unsigned before = site.requests_count;
    for (unsigned i = 0; i < 6; i++) {
        site_start(push, &calls[i], bench_batch(1), SW_TIME_NEVER);
    }
    site_rest(&site);
    counts[0] = counts[1] = 0;
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(calls[i].outcome.err, 0);
        counts[site.requests[before + i].server->listener]++;
        site_call_fini(&calls[i]);
    }
}

static void test_round_robin_takes_turns_over_all_addresses(void **state)
{
    const unsigned hosts[] = {1, 2};
    unsigned counts[2];
    begin_named();
    site_resolver_answer(&resolver, SW_OK, hosts, 2);
    site_rest(&site);
    assert_int_equal(state_now().connections_ready, 2);
    six_calls(counts);
    assert_int_equal(counts[0], 3);
    assert_int_equal(counts[1], 3);
    finish();
}

static void test_pick_first_goes_on_to_the_next_address(void **state)
{
    const unsigned hosts[] = {7, 1, 2}; // nobody at 10.0.0.7
    unsigned counts[2];
    begin(SITE_MEMORY);
    site_listen(&site, 2);
    conf.host = "backend";
    conf.pick_first = true;
    open_channel();
    site_resolver_answer(&resolver, SW_OK, hosts, 3);
    site_rest(&site);
    assert_int_equal(state_now().connections_ready, 1);
    six_calls(counts);
    assert_int_equal(counts[0], 6);
    finish();
}

static void test_unknown_name_fails_calls_and_is_asked_again(void **state)
{
    const unsigned hosts[] = {1};
    struct site_call call;
    begin_named();
    site_start(push, &call, bench_batch(1), SW_TIME_NEVER);
    assert_int_equal(call.done_count, 0); // while the name is looked up
    site_resolver_answer(&resolver, SW_E_NOT_FOUND, NULL, 0);
    assert_int_equal(call.done_count, 1);
    assert_int_equal(call.outcome.grpc_code, SW_GRPC_UNAVAILABLE);
    assert_non_null(strstr(call.text, "produced zero addresses"));
    site_call_fini(&call);
    site_advance(&site, 2 * SW_NS_PER_S);
    assert_int_equal(resolver.asked_count, 2);
    site_resolver_answer(&resolver, SW_OK, hosts, 1);
    site_rest(&site);
    one_call(&call, site_answer_ok);
    assert_int_equal(call.outcome.err, 0);
    site_call_fini(&call);
    finish();
}

static void test_address_that_is_gone_is_left_in_peace(void **state)
{
    const unsigned both[] = {1, 2};
    const unsigned second[] = {2};
    unsigned counts[2];
    begin_named();
    site_resolver_answer(&resolver, SW_OK, both, 2);
    site_advance(&site, 5 * SW_NS_PER_S);
    // A connection is lost: the name is asked again, half a minute after the last answer at the earliest.
    for (unsigned i = 0; i < site.servers_count; i++) {
        if (site.servers[i].listener == 1) {
            sw_stream_close(site.servers[i].stream);
            site.servers[i].stream = NULL;
        }
    }
    site_advance(&site, 10 * SW_NS_PER_S);
    assert_int_equal(resolver.asked_count, 1);
    site_advance(&site, 20 * SW_NS_PER_S);
    assert_int_equal(resolver.asked_count, 2);
    site_resolver_answer(&resolver, SW_OK, second, 1);
    site_rest(&site);
    assert_int_equal(state_now().connections_ready, 1);
    six_calls(counts);
    assert_int_equal(counts[1], 6);
    finish();
}

/* ---- the end ---- */

static void test_close_says_goodbye_and_refuses_what_comes_after(void **state)
{
    struct site_call call;
    begin(SITE_MEMORY);
    open_channel();
    site_rest(&site);
    sw_push_close(push);
    sw_push_close(push);
    site_start(push, &call, bench_batch(1), SW_TIME_NEVER);
    assert_int_equal(call.done_count, 1);
    assert_int_equal(call.outcome.err, SW_E_SHUTDOWN);
    site_rest(&site);
    assert_int_equal(site_open_count(&site), 0);
    site_call_fini(&call);
    finish();
}

static void test_failing_allocation_ends_the_call_and_leaks_nothing(void **state)
{
    for (unsigned gzip = 0; gzip < 2; gzip++) {
        unsigned delivered = 0;
        for (uint64_t nth = 1; nth < 60; nth++) {
            struct site_call call;
            begin(SITE_MEMORY);
            conf.coding = gzip ? SW_CODING_GZIP : SW_CODING_NONE;
            open_channel();
            site_rest(&site);
            struct sw_batch *batch = bench_batch(20);
            sw_mem_fail_at(nth, 0);
            site_start(push, &call, batch, in(5 * SW_NS_PER_S));
            for (unsigned i = 0; i < 3; i++) {
                sw_timers_run(&site.cores[0].timers, site.cores[0].now_ns, 100);
                sw_core_run_tasks(&site.cores[0]);
                (void)sw_net_poll(site.cores[0].net, 0);
            }
            sw_mem_fail_at(0, 0);
            site_advance(&site, 10 * SW_NS_PER_S);
            assert_int_equal(call.done_count, 1);
            delivered += call.outcome.err == 0;
            site_call_fini(&call);
            finish();
        }
        assert_true(delivered > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_call_in_memory_arrives_whole),
        cmocka_unit_test(test_call_in_pieces_arrives_whole),
        cmocka_unit_test(test_call_over_kernel_sockets_arrives_whole),
        cmocka_unit_test(test_large_calls_at_once_pass_through_the_windows),
        cmocka_unit_test(test_call_before_the_connection_waits_for_it),
        cmocka_unit_test(test_each_coding_is_named_and_flagged_and_opens_to_the_same),
        cmocka_unit_test(test_statuses_become_outcomes_in_the_collectors_words),
        cmocka_unit_test(test_partial_success_is_delivered_and_told),
        cmocka_unit_test(test_answers_that_are_none_mean_what_grpc_go_makes_of_them),
        cmocka_unit_test(test_nobody_listens_calls_fail_at_once_and_attempts_back_off),
        cmocka_unit_test(test_wait_for_ready_calls_wait_until_their_deadline),
        cmocka_unit_test(test_half_of_a_status_is_no_answer),
        cmocka_unit_test(test_lost_connection_fails_its_calls_and_is_made_again),
        cmocka_unit_test(test_goaway_ends_in_peace_and_new_calls_go_elsewhere),
        cmocka_unit_test(test_an_address_without_memory_is_tried_again),
        cmocka_unit_test(test_refused_stream_is_sent_once_more),
        cmocka_unit_test(test_peers_limit_of_streams_makes_calls_wait),
        cmocka_unit_test(test_silent_backend_ends_the_attempt_at_its_deadline),
        cmocka_unit_test(test_cancel_ends_a_call_wherever_it_is),
        cmocka_unit_test(test_cancel_in_the_middle_of_a_large_body_keeps_its_bytes_for_the_frame),
        cmocka_unit_test(test_keepalive_answered_keeps_the_connection),
        cmocka_unit_test(test_keepalive_unanswered_closes_the_connection),
        cmocka_unit_test(test_keepalive_without_calls_rests_unless_told),
        cmocka_unit_test(test_too_many_pings_makes_them_rarer),
        cmocka_unit_test(test_round_robin_takes_turns_over_all_addresses),
        cmocka_unit_test(test_pick_first_goes_on_to_the_next_address),
        cmocka_unit_test(test_unknown_name_fails_calls_and_is_asked_again),
        cmocka_unit_test(test_address_that_is_gone_is_left_in_peace),
        cmocka_unit_test(test_close_says_goodbye_and_refuses_what_comes_after),
        cmocka_unit_test(test_failing_allocation_ends_the_call_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
