/* Requests as a server reads them: what Go's net/http accepts and refuses (the parity cases `transport`
 * without their network), in every segmentation. */
#include "http1_bench.h"

static const size_t pieces[] = {0, 1, 2, 3, 7, 50};

#define EACH_SEGMENTATION(i) for (size_t i = 0; i < SW_ARRAY_SIZE(pieces); i++)

/** Bytes with the head lines joined; "H" stands for a good Host line. */
#define START "POST /v1/traces HTTP/1.1\r\n"
#define HOST  "Host: a.test:4318\r\n"

// The message as a whole must end as told.
static void expect(const char *message, const char *log, const char *body)
{
    EACH_SEGMENTATION(i)
    {
        struct http1_bench bench;
        http1_bench_init(&bench, false);
        http1_bench_feed(&bench, message, strlen(message), pieces[i]);
        assert_string_equal(bench.log, log);
        assert_int_equal(bench.body_len, strlen(body));
        assert_memory_equal(bench.body, body, bench.body_len);
        assert_int_equal(bench.left, 0);
        http1_bench_fini(&bench);
    }
}

// Refused before the head is reported (or behind it, with log "head fail").
static void expect_fail(const char *message, const char *log, unsigned status, const char *why)
{
    EACH_SEGMENTATION(i)
    {
        struct http1_bench bench;
        http1_bench_init(&bench, false);
        http1_bench_feed(&bench, message, strlen(message), pieces[i]);
        assert_string_equal(bench.log, log);
        assert_int_equal(bench.http.status, status);
        if (why == NULL) {
            assert_null(bench.http.why);
        } else {
            assert_non_null(bench.http.why);
            assert_string_equal(bench.http.why, why);
        }
        assert_false(bench.http.keep_alive);
        // Nothing more is read.
        size_t taken = 1;
        assert_int_equal(
            sw_http1_feed(&bench.http, (const uint8_t *)"x", 1, &taken), SW_HTTP1_FAIL
        );
        assert_int_equal(taken, 0);
        http1_bench_fini(&bench);
    }
}

static void test_request_with_length_gives_head_and_body(void **state)
{
    static const char message[] =
        START HOST "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    EACH_SEGMENTATION(i)
    {
        struct http1_bench bench;
        http1_bench_init(&bench, false);
        assert_true(sw_http1_idle(&bench.http));
        http1_bench_feed(&bench, message, strlen(message), pieces[i]);
        assert_string_equal(bench.log, "head end");
        assert_text(bench.http.method, "POST");
        assert_text(bench.http.target, "/v1/traces");
        assert_text(bench.http.host, "a.test:4318");
        assert_int_equal(bench.http.version_minor, 1);
        assert_true(bench.http.has_length);
        assert_int_equal(bench.http.length, 2);
        assert_true(bench.http.keep_alive);
        assert_int_equal(bench.http.headers_count, 3);
        http1_bench_header(&bench, "content-TYPE", "application/json");
        struct sw_http_text value;
        assert_false(sw_http1_header(&bench.http, "content", &value));
        assert_int_equal(bench.body_len, 2);
        assert_false(sw_http1_idle(&bench.http));
        http1_bench_fini(&bench);
    }
}

static void test_bare_line_feeds_in_a_head_are_accepted(void **state)
{
    expect("POST / HTTP/1.1\nHost: x\nContent-Length: 2\n\n{}", "head end", "{}");
}

static void test_request_without_length_has_no_body(void **state)
{
    expect(START HOST "\r\n", "head end", "");
}

static void test_folded_header_is_joined_with_one_blank(void **state)
{
    static const char message[] = START HOST
        "Content-Type: application/json;\r\n \t charset=utf-8 \r\n\t\r\n  more\r\nX:  1 \r\n\r\n";
    EACH_SEGMENTATION(i)
    {
        struct http1_bench bench;
        http1_bench_init(&bench, false);
        http1_bench_feed(&bench, message, strlen(message), pieces[i]);
        assert_string_equal(bench.log, "head end");
        http1_bench_header(&bench, "Content-Type", "application/json; charset=utf-8  more");
        http1_bench_header(&bench, "X", "1");
        http1_bench_fini(&bench);
    }
}

static void test_lengths_given_twice_must_be_equal(void **state)
{
    expect(START HOST "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", "head end", "{}");
    expect_fail(START HOST "Content-Length: 2\r\nContent-Length: 3\r\n\r\n", "fail", 400, NULL);
}

static void test_length_that_is_no_number_is_refused(void **state)
{
    static const char *const lengths[] = {
        "-2",
        "+2",
        "2x",
        "",
        "0x2",
        "2 2",
        "9223372036854775808",
        "18446744073709551616",
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(lengths); i++) {
        char message[256];
        snprintf(message, sizeof(message), START HOST "Content-Length: %s\r\n\r\n", lengths[i]);
        expect_fail(message, "fail", 400, NULL);
    }
}

static void test_chunked_beats_length(void **state)
{
    expect(
        START HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "head end",
        "{}"
    );
    expect_fail(
        START HOST "Content-Length: x\r\nTransfer-Encoding: chunked\r\n\r\n", "fail", 400, NULL
    );
}

static void test_chunks_with_extensions_and_trailers_are_joined(void **state)
{
    expect(
        START HOST "Transfer-Encoding: Chunked\r\n\r\n"
                   "2;x=y\r\n{}\r\n00A  \r\n0123456789\r\n0;last\r\nX-Sum: 1\r\nY: 2\r\n\r\n",
        "head end",
        "{}0123456789"
    );
}

static void test_bad_chunk_framing_is_refused_in_gos_words(void **state)
{
#define CHUNKED START HOST "Transfer-Encoding: chunked\r\n\r\n"
    static const struct {
        const char *message;
        const char *why;
    } cases[] = {
        {CHUNKED "zz\r\n{}\r\n0\r\n\r\n", "invalid byte in chunk length"},
        {CHUNKED "2 ;x\r\n", "invalid byte in chunk length"},
        {CHUNKED "2 2\r\n", "invalid byte in chunk length"},
        {CHUNKED "-1\r\n", "invalid byte in chunk length"},
        {CHUNKED "\r\n", "empty hex number for chunk length"},
        {CHUNKED ";x\r\n", "empty hex number for chunk length"},
        {CHUNKED "2\n{}", "chunked line ends with bare LF"},
        {CHUNKED "2;x\n{}", "chunked line ends with bare LF"},
        {CHUNKED "2\rx", "invalid CR in chunked line"},
        {CHUNKED "2;\rx", "invalid CR in chunked line"},
        {CHUNKED "00000000000000001\r\n", "http chunk length too large"},
        {CHUNKED "2\r\n{}x", "malformed chunked encoding"},
        {CHUNKED "2\r\n{}\n", "malformed chunked encoding"},
        {CHUNKED "2\r\n{}\r\r", "malformed chunked encoding"},
        {CHUNKED "0\r\n\n", "http: suspiciously long trailer after chunked body"},
        {CHUNKED "0\r\nX: 1\n\r\n", "http: suspiciously long trailer after chunked body"},
        {CHUNKED "0\r\nX: 1\r\r", "http: suspiciously long trailer after chunked body"},
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(cases); i++) {
        expect_fail(cases[i].message, "head fail", 400, cases[i].why);
    }
}

static void test_largest_chunk_length_is_read_whole(void **state)
{
    struct http1_bench bench;
    static const char message[] = CHUNKED "FFFFffffFFFFffff\r\nx";
    http1_bench_init(&bench, false);
    http1_bench_feed(&bench, message, strlen(message), 0);
    assert_string_equal(bench.log, "head");
    assert_int_equal(bench.http.left, UINT64_MAX - 1);
    http1_bench_fini(&bench);
}

static void test_one_byte_chunks_are_no_attack(void **state)
{
    struct http1_bench bench;
    http1_bench_init(&bench, false);
    http1_bench_feed(&bench, CHUNKED, strlen(CHUNKED), 0);
    for (unsigned i = 0; i < 50000; i++) {
        assert_true(http1_bench_piece(&bench, "1\r\nX\r\n", 6));
    }
    assert_false(http1_bench_piece(&bench, "0\r\n\r\n", 5));
    assert_string_equal(bench.log, "head end");
    assert_int_equal(bench.body_len, 50000);
    http1_bench_fini(&bench);
}

static void test_too_much_framing_for_the_data_is_refused(void **state)
{
    struct http1_bench bench;
    char extension[1024];
    http1_bench_init(&bench, false);
    http1_bench_feed(&bench, CHUNKED, strlen(CHUNKED), 0);
    memset(extension, 'x', sizeof(extension));
    memcpy(extension, "1;", 2);
    memcpy(extension + sizeof(extension) - 2, "\r\n", 2);
    unsigned chunks = 0;
    while (http1_bench_piece(&bench, extension, sizeof(extension))) {
        assert_true(http1_bench_piece(&bench, "X\r\n", 3));
        assert_true(++chunks < 100);
    }
    assert_string_equal(bench.log, "head fail");
    assert_string_equal(bench.http.why, "chunked encoding contains too much non-data");
    assert_in_range(chunks, 15, 17);
    http1_bench_fini(&bench);
}

static void test_endless_chunk_line_and_trailer_are_refused(void **state)
{
    struct http1_bench bench;
    http1_bench_init(&bench, false);
    http1_bench_feed(&bench, CHUNKED "1;", strlen(CHUNKED) + 2, 0);
    unsigned bytes = 2;
    while (http1_bench_piece(&bench, "x", 1)) {
        bytes++;
    }
    assert_int_equal(bytes, SW_HTTP1_CHUNK_LINE_MAX - 1);
    assert_string_equal(bench.http.why, "header line too long");
    http1_bench_fini(&bench);

    http1_bench_init(&bench, false);
    http1_bench_feed(&bench, CHUNKED "0\r\n", strlen(CHUNKED) + 3, 0);
    for (bytes = 0; http1_bench_piece(&bench, "x", 1); bytes++) {
    }
    assert_int_equal(bytes, SW_HTTP1_TRAILER_MAX);
    http1_bench_fini(&bench);
}

static void test_unknown_transfer_encoding_is_not_implemented(void **state)
{
    static const char why[] = "Unsupported transfer encoding";
    expect_fail(START HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", "fail", 501, why);
    expect_fail(START HOST "Transfer-Encoding: identity\r\n\r\n", "fail", 501, why);
    expect_fail(
        START HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "fail",
        501,
        why
    );
}

static void test_bad_request_lines_are_refused_at_once(void **state)
{
    static const char *const lines[] = {
        "HELLO\r\n",
        "\r\n",
        "POST /v1/traces\r\n",
        "POST  /v1/traces HTTP/1.1\r\n",
        "POST /v1/traces  HTTP/1.1\r\n",
        "PO(ST / HTTP/1.1\r\n",
        " / HTTP/1.1\r\n",
        "POST / http/1.1\r\n",
        "POST / HTTP/1.\r\n",
        "POST / HTTP/1.10\r\n",
        "POST / HTTP/x.1\r\n",
        "POST v1/traces HTTP/1.1\r\n",
        "POST 1http://x/ HTTP/1.1\r\n",
        "POST /\x01 HTTP/1.1\r\n",
        "POST /\x7f HTTP/1.1\r\n",
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(lines); i++) {
        expect_fail(lines[i], "fail", 400, NULL);
    }
}

static void test_unusual_targets_are_left_to_the_caller(void **state)
{
    expect("POST http://h/v1/traces HTTP/1.1\r\nHost: h\r\n\r\n", "head end", "");
    expect("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "head end", "");
    expect("CONNECT h:80 HTTP/1.1\r\n\r\n", "head end", "");
    expect("POST /v1/%74races?x=1#y HTTP/1.1\r\nHost: h\r\n\r\n", "head end", "");
}

static void test_other_versions_are_not_supported(void **state)
{
    static const char why[] = "unsupported protocol version";
    expect_fail("POST / HTTP/3.0\r\nHost: x\r\n\r\n", "fail", 505, why);
    expect_fail("POST / HTTP/0.9\r\n\r\n", "fail", 505, why);
    expect_fail("PRI * HTTP/2.1\r\n\r\n", "fail", 505, why);
    expect("POST / HTTP/1.7\r\nHost: x\r\n\r\n", "head end", "");
}

static void test_http2_preface_is_recognised(void **state)
{
    struct http1_bench bench;
    static const char message[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    http1_bench_init(&bench, false);
    http1_bench_feed(&bench, message, strlen(message), 0);
    assert_string_equal(bench.log, "head end");
    assert_true(bench.http.preface);
    assert_false(bench.http.keep_alive);
    assert_int_equal(bench.left, 6);
    http1_bench_fini(&bench);
}

static void test_host_is_required_once_and_sound(void **state)
{
    expect_fail(START "Content-Length: 0\r\n\r\n", "fail", 400, "missing required Host header");
    expect_fail(START "Host: a\r\nHost: a\r\n\r\n", "fail", 400, NULL);
    expect_fail(START "Host: a/b\r\n\r\n", "fail", 400, "malformed Host header");
    expect(START "Host:\r\n\r\n", "head end", "");
    expect("POST / HTTP/1.0\r\n\r\n", "head end", "");
}

static void test_bad_header_lines_are_refused(void **state)
{
    expect_fail(START HOST "Content-Type : x\r\n\r\n", "fail", 400, "invalid header name");
    expect_fail(START "A b: x\r\n\r\n", "fail", 400, "missing required Host header");
    expect_fail(START HOST "no colon\r\n\r\n", "fail", 400, NULL);
    expect_fail(START HOST "no\r\n colon: x\r\n\r\n", "fail", 400, NULL);
    expect_fail(START HOST "X\t: 1\r\n\r\n", "fail", 400, NULL);
    expect_fail(START HOST "X(: 1\r\n\r\n", "fail", 400, NULL);
    expect_fail(START HOST "X: \x01\r\n\r\n", "fail", 400, NULL);
    expect_fail(START HOST "X: a\rb\r\n\r\n", "fail", 400, NULL);
    expect_fail(START HOST "X: 1\r\r\n\r\n", "fail", 400, NULL);
    expect_fail(START " X: 1\r\n" HOST "\r\n", "fail", 400, NULL);
    expect(START HOST ": without a name\r\nX: \xc3\xa4\t!\r\n\r\n", "head end", "");
}

static void test_zero_bytes_are_no_text(void **state)
{
    static const char in_name[] = START HOST "X\0: 1\r\n\r\n";
    static const char in_method[] = "PO\0ST / HTTP/1.1\r\n";
    struct http1_bench bench;
    http1_bench_init(&bench, false);
    http1_bench_feed(&bench, in_name, sizeof(in_name) - 1, 0);
    assert_string_equal(bench.log, "fail");
    http1_bench_fini(&bench);
    http1_bench_init(&bench, false);
    http1_bench_feed(&bench, in_method, sizeof(in_method) - 1, 0);
    assert_string_equal(bench.log, "fail");
    http1_bench_fini(&bench);
}

static void check_connection(const char *head, bool keep_alive, bool asked)
{
    struct http1_bench bench;
    http1_bench_init(&bench, false);
    http1_bench_feed(&bench, head, strlen(head), 0);
    assert_string_equal(bench.log, "head end");
    assert_int_equal(bench.http.keep_alive, keep_alive);
    assert_int_equal(bench.http.keep_alive_asked, asked);
    http1_bench_fini(&bench);
}

static void test_connection_header_decides_what_comes_after(void **state)
{
    check_connection(START HOST "\r\n", true, false);
    check_connection(START HOST "Connection: close\r\n\r\n", false, false);
    check_connection(START HOST "Connection: x, CLOSE\r\n\r\n", false, false);
    check_connection(START HOST "Connection: x\r\nConnection: close\r\n\r\n", false, false);
    check_connection(START HOST "Connection: Upgrade, HTTP2-Settings\r\n\r\n", true, false);
    check_connection("POST / HTTP/1.0\r\n\r\n", false, false);
    check_connection("POST / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true, true);
}

static void check_expect(const char *head, bool continues, bool other)
{
    struct http1_bench bench;
    http1_bench_init(&bench, false);
    http1_bench_feed(&bench, head, strlen(head), 0);
    assert_int_equal(bench.http.expect_continue, continues);
    assert_int_equal(bench.http.expect_other, other);
    http1_bench_fini(&bench);
}

static void test_expectations_are_told_apart(void **state)
{
    check_expect(START HOST "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\n", true, false);
    check_expect(START HOST "Expect: 100-continue\r\n\r\n", false, false);
    check_expect(START HOST "Expect: 200-ok\r\nContent-Length: 2\r\n\r\n", false, true);
    check_expect(START HOST "Expect: 100-continued\r\nContent-Length: 2\r\n\r\n", false, true);
    check_expect(START HOST "Expect:\r\nContent-Length: 2\r\n\r\n", false, false);
    check_expect(
        "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", false, false
    );
}

static void test_http_1_0_knows_no_chunks(void **state)
{
    static const char message[] =
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}";
    expect(message, "head end", "{}");
}

static void test_pipelined_requests_come_one_by_one(void **state)
{
    static const char message[] = START HOST "Content-Length: 2\r\n\r\n{}";
    char three[400];
    // Two empty lines behind a POST are forgiven.
    snprintf(three, sizeof(three), "%s\r\n\r\n%s%s", message, message, message);
    struct http1_bench bench;
    http1_bench_init(&bench, false);
    const char *at = three;
    size_t left = strlen(three);
    for (unsigned i = 0; i < 3; i++) {
        http1_bench_feed(&bench, at, left, 0);
        assert_string_equal(bench.log, "head end");
        at += left - bench.left;
        left = bench.left;
        http1_bench_next(&bench);
        assert_true(sw_http1_idle(&bench.http));
    }
    assert_int_equal(left, 0);
    http1_bench_fini(&bench);
}

static void test_empty_lines_before_a_request_are_refused_but_after_a_post(void **state)
{
    struct http1_bench bench;
    http1_bench_init(&bench, false);
    http1_bench_feed(&bench, START HOST "\r\n", strlen(START HOST) + 2, 0);
    http1_bench_next(&bench);
    http1_bench_feed(&bench, "\r\n\r\n\r\n", 6, 1);
    assert_string_equal(bench.log, "fail");
    http1_bench_fini(&bench);
}

static void test_end_of_stream_is_judged_by_where_it_comes(void **state)
{
    static const struct {
        const char *bytes;
        enum sw_http1_event event;
        const char *why;
    } cases[] = {
        {"", SW_HTTP1_MORE, NULL},
        {"POST", SW_HTTP1_FAIL, NULL},
        {START HOST, SW_HTTP1_FAIL, NULL},
        {START HOST "Content-Length: 20\r\n\r\n{}", SW_HTTP1_FAIL, "unexpected EOF"},
        {CHUNKED "2\r\n{}", SW_HTTP1_FAIL, "unexpected EOF"},
        {CHUNKED "2\r\n{}\r\n", SW_HTTP1_FAIL, "unexpected EOF"},
        {CHUNKED "0\r\n", SW_HTTP1_FAIL, "http: unexpected EOF reading trailer"},
        {START HOST "\r\n", SW_HTTP1_MORE, NULL},
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(cases); i++) {
        struct http1_bench bench;
        http1_bench_init(&bench, false);
        http1_bench_feed(&bench, cases[i].bytes, strlen(cases[i].bytes), 0);
        assert_int_equal(sw_http1_eof(&bench.http), cases[i].event);
        if (cases[i].why != NULL) {
            assert_string_equal(bench.http.why, cases[i].why);
        } else {
            assert_null(bench.http.why);
        }
        http1_bench_fini(&bench);
    }
}

static void test_large_head_is_taken_up_to_the_limit(void **state)
{
    struct http1_bench bench;
    char *fill = malloc(SW_HTTP1_HEAD_MAX);
    memset(fill, 'y', SW_HTTP1_HEAD_MAX);
    size_t before = strlen(START HOST "X: ");
    http1_bench_init(&bench, false);
    http1_bench_feed(&bench, START HOST "X: ", before, 0);
    assert_true(http1_bench_piece(&bench, fill, SW_HTTP1_HEAD_MAX - before - 4));
    assert_false(http1_bench_piece(&bench, "\r\n\r\n", 4));
    assert_string_equal(bench.log, "head end");
    assert_text(bench.http.target, "/v1/traces");
    assert_true(sw_account_charged(&bench.account) >= SW_HTTP1_HEAD_MAX);
    http1_bench_next(&bench);
    assert_true(sw_account_charged(&bench.account) < 4096); // given back
    http1_bench_feed(&bench, START HOST "X: ", before, 0);
    assert_false(http1_bench_piece(&bench, fill, SW_HTTP1_HEAD_MAX - before + 1));
    assert_int_equal(bench.http.status, 431);
    http1_bench_fini(&bench);
    free(fill);
}

static void test_too_many_headers_are_refused(void **state)
{
    for (unsigned count = SW_HTTP1_HEADERS_MAX; count <= SW_HTTP1_HEADERS_MAX + 1; count++) {
        struct http1_bench bench;
        http1_bench_init(&bench, false);
        http1_bench_feed(&bench, START HOST, strlen(START HOST), 0);
        for (unsigned i = 1; i < count; i++) {
            assert_true(http1_bench_piece(&bench, "A: b\r\n", 6));
        }
        http1_bench_piece(&bench, "\r\n", 2);
        bool fits = count <= SW_HTTP1_HEADERS_MAX;
        assert_string_equal(bench.log, fits ? "head end" : "fail");
        assert_int_equal(bench.http.status, fits ? 0 : 431);
        http1_bench_fini(&bench);
    }
}

static void test_out_of_memory_is_told(void **state)
{
    static const char message[] = START HOST "\r\n";
    for (uint64_t nth = 1; nth <= 2; nth++) { // the head's buffer, the list of headers
        struct http1_bench bench;
        http1_bench_init(&bench, false);
        sw_mem_fail_at(nth, 0);
        http1_bench_feed(&bench, message, strlen(message), 0);
        sw_mem_fail_at(0, 0);
        assert_string_equal(bench.log, "fail");
        assert_int_equal(bench.http.status, 503);
        http1_bench_fini(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_with_length_gives_head_and_body),
        cmocka_unit_test(test_bare_line_feeds_in_a_head_are_accepted),
        cmocka_unit_test(test_request_without_length_has_no_body),
        cmocka_unit_test(test_folded_header_is_joined_with_one_blank),
        cmocka_unit_test(test_lengths_given_twice_must_be_equal),
        cmocka_unit_test(test_length_that_is_no_number_is_refused),
        cmocka_unit_test(test_chunked_beats_length),
        cmocka_unit_test(test_chunks_with_extensions_and_trailers_are_joined),
        cmocka_unit_test(test_bad_chunk_framing_is_refused_in_gos_words),
        cmocka_unit_test(test_largest_chunk_length_is_read_whole),
        cmocka_unit_test(test_one_byte_chunks_are_no_attack),
        cmocka_unit_test(test_too_much_framing_for_the_data_is_refused),
        cmocka_unit_test(test_endless_chunk_line_and_trailer_are_refused),
        cmocka_unit_test(test_unknown_transfer_encoding_is_not_implemented),
        cmocka_unit_test(test_bad_request_lines_are_refused_at_once),
        cmocka_unit_test(test_unusual_targets_are_left_to_the_caller),
        cmocka_unit_test(test_other_versions_are_not_supported),
        cmocka_unit_test(test_http2_preface_is_recognised),
        cmocka_unit_test(test_host_is_required_once_and_sound),
        cmocka_unit_test(test_bad_header_lines_are_refused),
        cmocka_unit_test(test_zero_bytes_are_no_text),
        cmocka_unit_test(test_connection_header_decides_what_comes_after),
        cmocka_unit_test(test_expectations_are_told_apart),
        cmocka_unit_test(test_http_1_0_knows_no_chunks),
        cmocka_unit_test(test_pipelined_requests_come_one_by_one),
        cmocka_unit_test(test_empty_lines_before_a_request_are_refused_but_after_a_post),
        cmocka_unit_test(test_end_of_stream_is_judged_by_where_it_comes),
        cmocka_unit_test(test_large_head_is_taken_up_to_the_limit),
        cmocka_unit_test(test_too_many_headers_are_refused),
        cmocka_unit_test(test_out_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
