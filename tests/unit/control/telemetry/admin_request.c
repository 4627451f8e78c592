#include "control/telemetry/admin_http_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char text[1024];

static struct sw_admin_head parse(const char *request)
{
    struct sw_admin_head head;
    snprintf(text, sizeof(text), "%s", request);
    sw_admin_parse_head(text, &head);
    return head;
}

static void test_plain_request_is_taken_apart(void **state)
{
    (void)state;
    struct sw_admin_head head = parse("GET /metrics?a=b HTTP/1.1\r\nHost: x\r\n"
                                      "Accept:  text/plain \r\nAccept: second\r\n\r\n");
    assert_int_equal(head.error, 0);
    assert_string_equal(head.request.method, "GET");
    assert_string_equal(head.request.path, "/metrics");
    assert_string_equal(head.request.query, "a=b");
    assert_string_equal(head.request.accept, "text/plain");
    assert_true(head.keep_alive);
    assert_int_equal(head.body_bytes, 0);
    head =
        parse("GET HTTP://host:80/x HTTP/1.0\nContent-Length: 17\nTransfer-Encoding: chunked\n\n");
    assert_int_equal(head.error, 0);
    assert_string_equal(head.request.path, "/x");
    assert_false(head.keep_alive);
    assert_true(head.has_coding);
    assert_int_equal(head.body_bytes, 17);
}

static void test_connection_header_decides_about_keeping_alive(void **state)
{
    (void)state;
    static const struct {
        const char *version;
        const char *value;
        bool kept;
    } cases[] = {
        {"1.1", "close", false},
        {"1.1", "Close, te", false},
        {"1.1", "keep-alive", true},
        {"1.1", "closed", true},
        {"1.0", "Keep-Alive", true},
        {"1.0", "te,\tkeep-alive ", true},
        {"1.0", "upgrade", false},
        {"1.0", "keep-alive, close", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char request[128];
        snprintf(
            request,
            sizeof(request),
            "GET / HTTP/%s\r\nConnection: %s\r\n\r\n",
            cases[i].version,
            cases[i].value
        );
        assert_int_equal(parse(request).keep_alive, cases[i].kept);
    }
}

static void test_bad_requests_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        int error;
    } cases[] = {
        {"GET\r\n\r\n", 400},
        {"GET /\r\n\r\n", 400},
        {" / HTTP/1.1\r\n\r\n", 400},
        {"G(T / HTTP/1.1\r\n\r\n", 400},
        {"GET x HTTP/1.1\r\n\r\n", 400},
        {"GET http://host HTTP/1.1\r\n\r\n", 400},
        {"GET * HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTPS/1.1\r\n\r\n", 400},
        {"GET /  HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/2.0\r\n\r\n", 505},
        {"GET / HTTP/1.1 \r\n\r\n", 505},
        {"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n: empty\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nbad name: x\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n folded: x\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nContent-Length:\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nContent-Length: 9999999999999999999\r\n\r\n", 400},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(parse(cases[i].request).error, cases[i].error);
    }
}

static void test_head_ends_with_its_empty_line(void **state)
{
    (void)state;
    assert_int_equal(sw_admin_head_len("", 0), 0);
    assert_int_equal(sw_admin_head_len("GET / HTTP/1.1\r\n", 16), 0);
    assert_int_equal(sw_admin_head_len("GET / HTTP/1.1\r\n\r", 17), 0);
    assert_int_equal(sw_admin_head_len("GET / HTTP/1.1\r\n\r\nrest", 22), 18);
    assert_int_equal(sw_admin_head_len("GET / HTTP/1.1\n\nrest", 20), 16);
    assert_int_equal(sw_admin_head_len("GET / HTTP/1.1\nA: b\n\r\n", 22), 22);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_request_is_taken_apart),
        cmocka_unit_test(test_connection_header_decides_about_keeping_alive),
        cmocka_unit_test(test_bad_requests_are_refused),
        cmocka_unit_test(test_head_ends_with_its_empty_line),
    };
    return cmocka_run_group_tests_name("admin_request", tests, NULL, NULL);
}
