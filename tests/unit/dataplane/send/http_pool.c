/* The HTTP/1.1 client against a backend that reads requests byte for byte. */
#include "dataplane/send/http_pool.h"

#include "dataplane/l7_http/codec.h"
#include "dataplane/l7_http/grpc.h"
#include "tests/unit/dataplane/send/site.h"

#include <stdlib.h>

static struct site site;
static struct site_resolver resolver;
static struct sw_push *push;
static struct sw_http_pool_conf conf;
static const char *script; // what is answered; NULL: nothing
static char last_head[4096];
static struct sw_buf *last_body;
static unsigned posts_count;

static void on_post(struct server *server, const char *head, const char *body, size_t size)
{
    posts_count++;
    snprintf(last_head, sizeof(last_head), "%s", head);
    sw_buf_unref(last_body);
    last_body = sw_buf_copy(NULL, body, (uint32_t)size);
    if (script != NULL) {
        site_write(server, script);
    }
}

static void begin(enum site_kind kind)
{
    conf = (struct sw_http_pool_conf){
        .id = "otlphttp",
        .signal = SW_TRACES,
        .host = "10.0.0.1",
        .port = 4317,
        .url = "http://10.0.0.1:4317/v1/traces",
        .path = "/v1/traces",
        .authority = "10.0.0.1:4317",
        .user_agent = "test/1",
        .keep_alive = true,
        .idle_max = 2,
        .idle_timeout_ns = 90 * SW_NS_PER_S,
    };
    site_init(&site, kind);
    site.http1 = true;
    site.on_post = on_post;
    site_resolver_init(&resolver);
    posts_count = 0;
    script = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
    if (kind == SITE_KERNEL) {
        conf.host = "127.0.0.1";
        conf.port = site.port;
    } else {
        site_listen(&site, 1);
    }
}

static void open_pool(void)
{
    assert_int_equal(
        sw_http_pool_new(&site.cores[0], &conf, &resolver.resolver, &site.account, &push), 0
    );
    assert_int_equal(sw_push_open(push), 0);
}

static void finish(void)
{
    sw_push_close(push);
    site_rest(&site);
    assert_int_equal(site_open_count(&site), 0);
    sw_push_free(push);
    sw_buf_unref(last_body);
    last_body = NULL;
    site_fini(&site);
}

static struct sw_http_pool_state state_now(void)
{
    struct sw_http_pool_state now;
    sw_http_pool_state(push, &now);
    return now;
}

static uint64_t in(uint64_t ns)
{
    return site.cores[0].now_ns + ns;
}

static void one_post(struct site_call *call, const char *answer)
{
    script = answer;
    site_start(push, call, bench_batch(2), in(30 * SW_NS_PER_S));
    site_rest(&site);
    assert_int_equal(call->done_count, 1);
}

static bool same_body(const struct sw_batch *batch)
{
    struct request request = {.body = last_body};
    return site_same(&request, batch, 0);
}

/* ---- requests ---- */

static void post_arrives(enum site_kind kind)
{
    struct site_call call;
    begin(kind);
    struct sw_pair headers[] = {{"X-Tenant", "t1"}, {"content-type", "application/other"}};
    conf.headers = (struct sw_list){headers, 2};
    open_pool();
    site_start(push, &call, bench_batch(5000), in(30 * SW_NS_PER_S));
    site_until(&site, call.done_count == 1);
    assert_int_equal(call.outcome.err, 0);
    char expected[512];
    snprintf(
        expected,
        sizeof(expected),
        "POST /v1/traces HTTP/1.1\r\nHost: 10.0.0.1:4317\r\nUser-Agent: test/1\r\n"
        "Content-Type: application/other\r\nX-Tenant: t1\r\nContent-Length: %llu\r\n\r\n",
        (unsigned long long)call.call.batch->bytes
    );
    assert_string_equal(last_head, expected);
    assert_true(same_body(call.call.batch));
    site_call_fini(&call);
    finish();
}

static void test_post_arrives_whole_over_every_kind_of_stream(void **state)
{
    post_arrives(SITE_MEMORY);
    post_arrives(SITE_TROUBLED);
    post_arrives(SITE_KERNEL);
}

static void each_coding(enum sw_coding coding, int level)
{
    struct site_call call;
    struct sw_codec *codec = NULL;
    struct sw_buf *plain = NULL;
    const char *why = "";
    char header[64];
    begin(SITE_MEMORY);
    conf.coding = coding;
    conf.level = level;
    open_pool();
    one_post(&call, script);
    assert_int_equal(call.outcome.err, 0);
    snprintf(header, sizeof(header), "\r\nContent-Encoding: %s\r\n", sw_coding_name(coding));
    assert_non_null(strstr(last_head, header));
    assert_int_equal(sw_codec_new(&codec), 0);
    int err = sw_codec_open(
        codec, coding, last_body->data, last_body->size, 1 << 20, NULL, &plain, &why, NULL
    );
    assert_string_equal(why, "");
    assert_int_equal(err, 0);
    sw_buf_unref(last_body);
    last_body = plain;
    assert_true(same_body(call.call.batch));
    sw_codec_free(codec);
    site_call_fini(&call);
    finish();
}

static void test_each_coding_is_named_and_opens_to_the_same(void **state)
{
    for (enum sw_coding coding = SW_CODING_GZIP; coding < SW_CODINGS_COUNT; coding++) {
        each_coding(coding, 0);
    }
    each_coding(SW_CODING_GZIP, 9);
    each_coding(SW_CODING_ZLIB, -2);
    each_coding(SW_CODING_ZSTD, 7);
}

/* ---- connections ---- */

static void test_connection_is_used_again_and_goes_when_idle(void **state)
{
    struct site_call call;
    begin(SITE_MEMORY);
    open_pool();
    for (unsigned i = 0; i < 3; i++) {
        one_post(&call, script);
        assert_int_equal(call.outcome.err, 0);
        site_call_fini(&call);
    }
    assert_int_equal(site.servers_count, 1);
    assert_int_equal(state_now().idle, 1);
    site_advance(&site, 89 * SW_NS_PER_S);
    assert_int_equal(state_now().connections, 1);
    site_advance(&site, 2 * SW_NS_PER_S);
    assert_int_equal(state_now().connections, 0);
    assert_int_equal(site_open_count(&site), 0);
    finish();
}

static void test_answer_that_closes_ends_the_connection(void **state)
{
    struct site_call call;
    begin(SITE_MEMORY);
    open_pool();
    one_post(&call, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(call.outcome.err, 0);
    assert_int_equal(state_now().connections, 0);
    site_call_fini(&call);
    one_post(&call, "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(call.outcome.err, 0);
    assert_int_equal(state_now().connections, 0);
    site_call_fini(&call);
    finish();
}

static void test_no_keep_alive_says_so_and_closes(void **state)
{
    struct site_call call;
    begin(SITE_MEMORY);
    conf.keep_alive = false;
    open_pool();
    one_post(&call, script);
    assert_non_null(strstr(last_head, "\r\nConnection: close\r\n"));
    assert_int_equal(state_now().connections, 0);
    site_call_fini(&call);
    finish();
}

static void test_calls_at_once_take_a_connection_each_up_to_the_limit(void **state)
{
    struct site_call calls[5];
    begin(SITE_MEMORY);
    conf.connections_max = 3;
    script = NULL;
    open_pool();
    for (unsigned i = 0; i < 5; i++) {
        site_start(push, &calls[i], bench_batch(1), SW_TIME_NEVER);
    }
    site_rest(&site);
    assert_int_equal(posts_count, 3);
    assert_int_equal(state_now().connections, 3);
    assert_int_equal(state_now().calls_waiting, 2);
    for (unsigned i = 0; i < 3; i++) {
        site_write(&site.servers[i], "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
    site_rest(&site);
    assert_int_equal(posts_count, 5);
    for (unsigned i = 0; i < 3; i++) {
        if (site.servers[i].stream != NULL && site.servers[i].requests_count == 2) {
            site_write(&site.servers[i], "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    }
    site_rest(&site);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(calls[i].outcome.err, 0);
        site_call_fini(&calls[i]);
    }
    assert_int_equal(state_now().idle, 2); // idle_max
    finish();
}

static void test_backend_that_closes_while_idle_costs_nothing(void **state)
{
    struct site_call call;
    begin(SITE_MEMORY);
    open_pool();
    one_post(&call, script);
    site_call_fini(&call);
    site_drop_connections(&site);
    site_rest(&site);
    assert_int_equal(state_now().connections, 0);
    one_post(&call, script);
    assert_int_equal(call.outcome.err, 0);
    assert_int_equal(site.servers_count, 2);
    site_call_fini(&call);
    finish();
}

static void test_nobody_listens_is_told_in_gos_words(void **state)
{
    struct site_call call;
    begin(SITE_MEMORY);
    conf.host = "10.0.0.9";
    open_pool();
    one_post(&call, script);
    assert_int_equal(call.outcome.err, SW_E_REFUSED);
    assert_false(call.outcome.permanent);
    assert_int_equal(call.outcome.grpc_code, 0);
    assert_string_equal(
        call.text,
        "failed to make an HTTP request: Post \"http://10.0.0.1:4317/v1/traces\": dial tcp "
        "10.0.0.9:4317: connect: connection refused"
    );
    site_call_fini(&call);
    finish();
}

static void test_connection_that_breaks_fails_its_call_for_now(void **state)
{
    struct site_call call;
    begin(SITE_MEMORY);
    script = NULL;
    open_pool();
    site_start(push, &call, bench_batch(1), SW_TIME_NEVER);
    site_rest(&site);
    site_drop_connections(&site);
    site_rest(&site);
    assert_int_equal(call.done_count, 1);
    assert_int_not_equal(call.outcome.err, 0);
    assert_false(call.outcome.permanent);
    site_call_fini(&call);
    // Half an answer, then the end.
    site_start(push, &call, bench_batch(1), SW_TIME_NEVER);
    site_rest(&site);
    site_write(&site.servers[1], "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    site_rest(&site);
    site_drop_connections(&site);
    site_rest(&site);
    assert_int_equal(call.done_count, 1);
    assert_int_not_equal(call.outcome.err, 0);
    site_call_fini(&call);
    finish();
}

static void test_next_address_is_tried_when_one_refuses(void **state)
{
    const unsigned hosts[] = {9, 1};
    struct site_call call;
    begin(SITE_MEMORY);
    conf.host = "backend";
    open_pool();
    site_start(push, &call, bench_batch(1), SW_TIME_NEVER);
    assert_int_equal(state_now().calls_waiting, 1);
    site_resolver_answer(&resolver, SW_OK, hosts, 2);
    site_rest(&site);
    assert_int_equal(call.outcome.err, 0);
    assert_int_equal(call.done_count, 1);
    site_call_fini(&call);
    finish();
}

static void test_unknown_name_fails_what_waits_for_it(void **state)
{
    struct site_call call;
    begin(SITE_MEMORY);
    conf.host = "backend";
    open_pool();
    site_start(push, &call, bench_batch(1), SW_TIME_NEVER);
    site_resolver_answer(&resolver, SW_E_NOT_FOUND, NULL, 0);
    assert_int_equal(call.done_count, 1);
    assert_non_null(strstr(call.text, "lookup backend: no such host"));
    site_call_fini(&call);
    site_start(push, &call, bench_batch(1), SW_TIME_NEVER);
    assert_int_equal(resolver.asked_count, 2);
    assert_int_equal(call.done_count, 0);
    sw_push_cancel(push, &call.call, SW_E_SHUTDOWN);
    site_call_fini(&call);
    finish();
}

/* ---- answers ---- */

static void test_statuses_become_outcomes(void **state)
{
    struct site_call call;
    begin(SITE_MEMORY);
    open_pool();
    one_post(&call, "HTTP/1.1 429 Slow\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n");
    assert_false(call.outcome.permanent);
    assert_int_equal(call.outcome.retry_after_ns, 9 * SW_NS_PER_S);
    assert_int_equal(call.outcome.grpc_code, SW_GRPC_RESOURCE_EXHAUSTED);
    site_call_fini(&call);
    one_post(&call, "HTTP/1.1 400 Bad\r\nContent-Length: 6\r\n\r\n\x12\x04why?");
    assert_true(call.outcome.permanent);
    assert_non_null(strstr(call.text, "HTTP Status Code 400, Message=why?, Details=[]"));
    site_call_fini(&call);
    one_post(&call, "HTTP/1.1 307 Go\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n");
    assert_true(call.outcome.permanent);
    site_call_fini(&call);
    one_post(
        &call, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
    );
    assert_int_equal(call.outcome.err, 0);
    site_call_fini(&call);
    assert_int_equal(site.servers_count, 1);
    one_post(&call, "HTTP/1.1 nonsense\r\n\r\n");
    assert_int_equal(call.outcome.err, SW_E_PROTOCOL);
    assert_false(call.outcome.permanent);
    site_call_fini(&call);
    finish();
}

static void test_body_of_success_is_read_when_it_is_protobuf(void **state)
{
    struct site_call call;
    struct sw_event event;
    begin(SITE_MEMORY);
    site.cores[0].events = sw_events_new(16);
    open_pool();
    one_post(
        &call,
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf; a=b\r\n"
        "Transfer-Encoding: chunked\r\n\r\n4\r\n\x0a\x08\x08\x03\r\n6\r\n\x12\x04some\r\n0\r\n\r\n"
    );
    assert_int_equal(call.outcome.err, 0);
    assert_true(sw_events_take(site.cores[0].events, &event));
    assert_string_equal(event.kind->message, "Partial success response");
    assert_int_equal(event.items, 3);
    site_call_fini(&call);
    one_post(
        &call,
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: "
        "2\r\n\r\n\xff\xff"
    );
    assert_true(call.outcome.permanent);
    assert_string_equal(call.text, "Permanent error: error parsing protobuf response");
    site_call_fini(&call);
    one_post(
        &call,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
        "40\r\n\r\n{\"partialSuccess\":{\"rejectedSpans\":\"4\"}}"
    );
    assert_int_equal(call.outcome.err, 0);
    assert_true(sw_events_take(site.cores[0].events, &event));
    assert_string_equal(event.kind->message, "Partial success response");
    assert_int_equal(event.items, 4);
    site_call_fini(&call);
    one_post(
        &call, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\nx"
    );
    assert_true(call.outcome.permanent);
    assert_string_equal(call.text, "Permanent error: error parsing json response");
    site_call_fini(&call);
    one_post(
        &call, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\n\xff\xff"
    );
    assert_int_equal(call.outcome.err, 0);
    site_call_fini(&call);
    finish();
}

static void test_long_answer_is_taken_and_mostly_forgotten(void **state)
{
    struct site_call call;
    char *answer = malloc(300000);
    int len = snprintf(answer, 300000, "HTTP/1.1 500 No\r\nContent-Length: 200000\r\n\r\n");
    memset(answer + len, 'x', 200000);
    answer[len + 200000] = '\0';
    begin(SITE_MEMORY);
    open_pool();
    one_post(&call, answer);
    assert_true(call.outcome.permanent);
    site_call_fini(&call);
    one_post(&call, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(call.outcome.err, 0);
    assert_int_equal(site.servers_count, 1);
    site_call_fini(&call);
    free(answer);
    finish();
}

static void test_body_until_the_connection_ends_is_an_answer(void **state)
{
    struct site_call call;
    begin(SITE_MEMORY);
    script = NULL;
    open_pool();
    site_start(push, &call, bench_batch(1), SW_TIME_NEVER);
    site_rest(&site);
    site_write(&site.servers[0], "HTTP/1.1 200 OK\r\n\r\nwhatever");
    sw_stream_shutdown(site.servers[0].stream);
    site_rest(&site);
    assert_int_equal(call.done_count, 1);
    assert_int_equal(call.outcome.err, 0);
    assert_int_equal(state_now().connections, 0);
    site_call_fini(&call);
    finish();
}

/* ---- ends ---- */

static void test_silent_backend_ends_the_attempt_at_its_deadline(void **state)
{
    struct site_call call;
    begin(SITE_MEMORY);
    script = NULL;
    open_pool();
    site_start(push, &call, bench_batch(1), in(3 * SW_NS_PER_S));
    site_advance(&site, 3 * SW_NS_PER_S);
    assert_int_equal(call.done_count, 1);
    assert_int_equal(call.outcome.err, SW_E_TIMEOUT);
    assert_int_equal(call.outcome.grpc_code, 0);
    assert_non_null(strstr(call.text, "context deadline exceeded"));
    assert_int_equal(state_now().connections, 0);
    site_call_fini(&call);
    finish();
}

static void test_cancel_ends_a_call_wherever_it_is(void **state)
{
    struct site_call calls[3];
    begin(SITE_MEMORY);
    conf.connections_max = 1;
    conf.coding = SW_CODING_GZIP;
    script = NULL;
    open_pool();
    site_start(push, &calls[0], bench_batch(1), SW_TIME_NEVER);
    site_start(push, &calls[1], bench_batch(1), SW_TIME_NEVER);
    site_rest(&site);
    site_start(push, &calls[2], bench_batch(1), SW_TIME_NEVER);
    for (unsigned i = 3; i-- > 0;) {
        sw_push_cancel(push, &calls[i].call, SW_E_SHUTDOWN);
        assert_int_equal(calls[i].outcome.err, SW_E_SHUTDOWN);
        site_call_fini(&calls[i]);
    }
    assert_int_equal(state_now().connections, 0);
    sw_push_close(push);
    site_start(push, &calls[0], bench_batch(1), SW_TIME_NEVER);
    assert_int_equal(calls[0].outcome.err, SW_E_SHUTDOWN);
    site_call_fini(&calls[0]);
    finish();
}

static void test_failing_allocation_ends_the_call_and_leaks_nothing(void **state)
{
    unsigned delivered = 0;
    for (uint64_t nth = 1; nth < 40; nth++) {
        struct site_call call;
        begin(SITE_MEMORY);
        open_pool();
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_post_arrives_whole_over_every_kind_of_stream),
        cmocka_unit_test(test_each_coding_is_named_and_opens_to_the_same),
        cmocka_unit_test(test_connection_is_used_again_and_goes_when_idle),
        cmocka_unit_test(test_answer_that_closes_ends_the_connection),
        cmocka_unit_test(test_no_keep_alive_says_so_and_closes),
        cmocka_unit_test(test_calls_at_once_take_a_connection_each_up_to_the_limit),
        cmocka_unit_test(test_backend_that_closes_while_idle_costs_nothing),
        cmocka_unit_test(test_nobody_listens_is_told_in_gos_words),
        cmocka_unit_test(test_connection_that_breaks_fails_its_call_for_now),
        cmocka_unit_test(test_next_address_is_tried_when_one_refuses),
        cmocka_unit_test(test_unknown_name_fails_what_waits_for_it),
        cmocka_unit_test(test_statuses_become_outcomes),
        cmocka_unit_test(test_body_of_success_is_read_when_it_is_protobuf),
        cmocka_unit_test(test_long_answer_is_taken_and_mostly_forgotten),
        cmocka_unit_test(test_body_until_the_connection_ends_is_an_answer),
        cmocka_unit_test(test_silent_backend_ends_the_attempt_at_its_deadline),
        cmocka_unit_test(test_cancel_ends_a_call_wherever_it_is),
        cmocka_unit_test(test_failing_allocation_ends_the_call_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
