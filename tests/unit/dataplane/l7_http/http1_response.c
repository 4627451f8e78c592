/* Responses as a client reads them, reason phrases and dates. */
#include "http1_bench.h"

static const size_t pieces[] = {0, 1, 2, 3, 7, 50};

static void expect_as(const char *message, bool no_body, const char *log, const char *body)
{
    for (size_t i = 0; i < SW_ARRAY_SIZE(pieces); i++) {
        struct http1_bench bench;
        http1_bench_init(&bench, true);
        bench.http.no_body = no_body;
        http1_bench_feed(&bench, message, strlen(message), pieces[i]);
        assert_string_equal(bench.log, log);
        assert_int_equal(bench.body_len, strlen(body));
        assert_memory_equal(bench.body, body, bench.body_len);
        assert_int_equal(bench.left, 0);
        http1_bench_fini(&bench);
    }
}

static void expect(const char *message, const char *log, const char *body)
{
    expect_as(message, false, log, body);
}

static void test_response_with_length_gives_status_and_body(void **state)
{
    static const char message[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n"
                                  "Content-Length: 4\r\n\r\nbusy";
    struct http1_bench bench;
    http1_bench_init(&bench, true);
    http1_bench_feed(&bench, message, strlen(message), 3);
    assert_string_equal(bench.log, "head end");
    assert_int_equal(bench.http.status, 503);
    assert_true(bench.http.keep_alive);
    http1_bench_header(&bench, "retry-after", "5");
    assert_int_equal(bench.body_len, 4);
    http1_bench_fini(&bench);
}

static void test_response_may_lack_a_reason(void **state)
{
    expect("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "head end", "");
    expect("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", "head end", "");
}

static void test_chunked_response_is_joined(void **state)
{
    expect(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        "head end",
        "abcde"
    );
}

static void test_body_until_close_ends_with_the_connection(void **state)
{
    static const char message[] = "HTTP/1.1 200 OK\r\n\r\nabc";
    struct http1_bench bench;
    http1_bench_init(&bench, true);
    http1_bench_feed(&bench, message, strlen(message), 1);
    assert_string_equal(bench.log, "head");
    assert_true(bench.http.until_close);
    assert_false(bench.http.keep_alive);
    assert_int_equal(bench.body_len, 3);
    assert_int_equal(sw_http1_eof(&bench.http), SW_HTTP1_END);
    assert_int_equal(sw_http1_eof(&bench.http), SW_HTTP1_MORE);
    http1_bench_fini(&bench);
}

static void test_some_responses_never_have_a_body(void **state)
{
    expect("HTTP/1.1 204 No Content\r\n\r\n", "head end", "");
    expect("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "head end", "");
    expect("HTTP/1.1 100 Continue\r\n\r\n", "head end", "");
    expect_as("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true, "head end", "");
}

static void test_informational_response_is_followed_by_the_real_one(void **state)
{
    static const char message[] =
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    struct http1_bench bench;
    http1_bench_init(&bench, true);
    http1_bench_feed(&bench, message, strlen(message), 0);
    assert_int_equal(bench.http.status, 100);
    size_t left = bench.left;
    http1_bench_next(&bench);
    http1_bench_feed(&bench, message + strlen(message) - left, left, 0);
    assert_string_equal(bench.log, "head end");
    assert_int_equal(bench.http.status, 200);
    assert_int_equal(bench.body_len, 2);
    http1_bench_fini(&bench);
}

static void test_malformed_responses_are_refused(void **state)
{
    static const struct {
        const char *message;
        const char *why;
    } cases[] = {
        {"HELLO\r\n", "malformed HTTP response"},
        {"\r\n", "malformed HTTP response"},
        {"HTTP/1.1 20 OK\r\n", "malformed HTTP status code"},
        {"HTTP/1.1 2000 OK\r\n", "malformed HTTP status code"},
        {"HTTP/1.1 2x0 OK\r\n", "malformed HTTP status code"},
        {"HTTP/1.1 000 OK\r\n", "malformed HTTP status code"},
        {"HTTP/2.0 200 OK\r\n", "malformed HTTP version"},
        {"http/1.1 200 OK\r\n", "malformed HTTP version"},
        {"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "malformed MIME header line"},
        {"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "bad Content-Length"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: x\r\n\r\n", "Unsupported transfer encoding"},
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(cases); i++) {
        struct http1_bench bench;
        http1_bench_init(&bench, true);
        http1_bench_feed(&bench, cases[i].message, strlen(cases[i].message), 2);
        assert_string_equal(bench.log, "fail");
        assert_string_equal(bench.http.why, cases[i].why);
        http1_bench_fini(&bench);
    }
}

static void test_connection_lost_inside_a_response_is_unexpected(void **state)
{
    static const char *const cut[] = {
        "HTTP/1.1 2",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(cut); i++) {
        struct http1_bench bench;
        http1_bench_init(&bench, true);
        http1_bench_feed(&bench, cut[i], strlen(cut[i]), 0);
        assert_int_equal(sw_http1_eof(&bench.http), SW_HTTP1_FAIL);
        assert_string_equal(bench.http.why, "unexpected EOF");
        http1_bench_fini(&bench);
    }
}

static void test_reasons_are_gos(void **state)
{
    assert_string_equal(sw_http_reason(200), "OK");
    assert_string_equal(sw_http_reason(413), "Request Entity Too Large");
    assert_string_equal(sw_http_reason(505), "HTTP Version Not Supported");
    assert_string_equal(sw_http_reason(299), "");
}

static void check_date(uint64_t seconds, const char *text)
{
    char out[30];
    uint64_t ns = 0;
    sw_http_date(seconds * 1000000000 + 999999999, out);
    assert_string_equal(out, text);
    assert_int_equal(sw_http_date_parse((struct sw_http_text){text, strlen(text)}, &ns), 0);
    assert_int_equal(ns, seconds * 1000000000);
}

static void test_dates_go_both_ways(void **state)
{
    check_date(0, "Thu, 01 Jan 1970 00:00:00 GMT");
    check_date(784111777, "Sun, 06 Nov 1994 08:49:37 GMT"); // the example of RFC 9110
    check_date(951782400, "Tue, 29 Feb 2000 00:00:00 GMT");
    check_date(951868799, "Tue, 29 Feb 2000 23:59:59 GMT");
    check_date(951868800, "Wed, 01 Mar 2000 00:00:00 GMT");
    check_date(1136214245, "Mon, 02 Jan 2006 15:04:05 GMT");
    check_date(1735689599, "Tue, 31 Dec 2024 23:59:59 GMT");
    check_date(4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"); // no leap year
}

static void test_other_texts_are_no_dates(void **state)
{
    static const char *const texts[] = {
        "",
        "5",
        "Sun, 06 Nov 1994 08:49:37 GM",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Xxx, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Xxx 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 29 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1969 08:49:37 GMT",
        "Sun, 06 Nov 9994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:60 GMT",
        "Sun, -6 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GM",
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(texts); i++) {
        uint64_t ns = 7;
        struct sw_http_text text = {texts[i], strlen(texts[i])};
        assert_int_equal(sw_http_date_parse(text, &ns), SW_E_INVALID);
        assert_int_equal(ns, 7);
    }
}

static void test_texts_compare_trim_and_count(void **state)
{
    uint64_t number = 0;
    assert_true(sw_http_text_is_nocase(SW_HTTP_TEXT("GZip"), "gzip"));
    assert_false(sw_http_text_is_nocase(SW_HTTP_TEXT("gzi"), "gzip"));
    assert_false(sw_http_text_is_nocase(SW_HTTP_TEXT("gzipp"), "gzip"));
    assert_text(sw_http_text_trim(SW_HTTP_TEXT(" \t a b\t ")), "a b");
    assert_text(sw_http_text_trim(SW_HTTP_TEXT(" \t ")), "");
    assert_true(sw_http_text_number(SW_HTTP_TEXT("18446744073709551615"), &number));
    assert_true(number == UINT64_MAX);
    assert_false(sw_http_text_number(SW_HTTP_TEXT("18446744073709551616"), &number));
    assert_false(sw_http_text_number(SW_HTTP_TEXT(""), &number));
    struct sw_http_text rest = SW_HTTP_TEXT("a ,, b");
    struct sw_http_text element;
    assert_true(sw_http_text_next(&rest, &element));
    assert_text(element, "a");
    assert_true(sw_http_text_next(&rest, &element));
    assert_text(element, "");
    assert_true(sw_http_text_next(&rest, &element));
    assert_text(element, "b");
    assert_false(sw_http_text_next(&rest, &element));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_response_with_length_gives_status_and_body),
        cmocka_unit_test(test_response_may_lack_a_reason),
        cmocka_unit_test(test_chunked_response_is_joined),
        cmocka_unit_test(test_body_until_close_ends_with_the_connection),
        cmocka_unit_test(test_some_responses_never_have_a_body),
        cmocka_unit_test(test_informational_response_is_followed_by_the_real_one),
        cmocka_unit_test(test_malformed_responses_are_refused),
        cmocka_unit_test(test_connection_lost_inside_a_response_is_unexpected),
        cmocka_unit_test(test_reasons_are_gos),
        cmocka_unit_test(test_dates_go_both_ways),
        cmocka_unit_test(test_other_texts_are_no_dates),
        cmocka_unit_test(test_texts_compare_trim_and_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
