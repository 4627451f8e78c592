/* Tables: what a backend's answer means (otlp-protocol.md 3.6, 4.5, 4.6). */
#include "dataplane/send/answer.h"

#include "dataplane/l7_http/grpc.h"
#include "tests/lib/bench.h"

static const char *text_of(const struct sw_outcome *outcome)
{
    static char text[1024];
    assert_non_null(outcome->text);
    snprintf(
        text, sizeof(text), "%.*s", (int)outcome->text->size, (const char *)outcome->text->data
    );
    return text;
}

static struct sw_outcome grpc(int code, struct sw_buf *details)
{
    struct sw_outcome outcome;
    sw_answer_grpc(code, SW_HTTP_TEXT("why"), details, &outcome);
    return outcome;
}

// google.rpc.Status {code: 8, details: [RetryInfo {retry_delay: <seconds>}]}
static struct sw_buf *retry_info(uint8_t seconds)
{
    static const char type[] = "type.googleapis.com/google.rpc.RetryInfo";
    uint8_t bytes[80] = {0x08, 0x08, 0x1a, 0};
    size_t len = 4;
    bytes[len++] = 0x0a;
    bytes[len++] = sizeof(type) - 1;
    memcpy(bytes + len, type, sizeof(type) - 1);
    len += sizeof(type) - 1;
    const uint8_t info[] = {0x12, 0x04, 0x0a, 0x02, 0x08, seconds};
    memcpy(bytes + len, info, sizeof(info));
    len += sizeof(info);
    bytes[3] = (uint8_t)(len - 4);
    return sw_buf_copy(NULL, bytes, (uint32_t)len);
}

static void test_each_grpc_code_is_permanent_or_not(void **state)
{
    static const bool retryable[] = {
        [SW_GRPC_CANCELLED] = true,
        [SW_GRPC_DEADLINE_EXCEEDED] = true,
        [SW_GRPC_ABORTED] = true,
        [SW_GRPC_OUT_OF_RANGE] = true,
        [SW_GRPC_UNAVAILABLE] = true,
        [SW_GRPC_DATA_LOSS] = true,
        [SW_GRPC_UNAUTHENTICATED] = false,
    };
    for (int code = 1; code <= SW_GRPC_UNAUTHENTICATED; code++) {
        struct sw_outcome outcome = grpc(code, NULL);
        assert_int_equal(outcome.permanent, !retryable[code]);
        assert_int_equal(outcome.grpc_code, code);
        assert_int_not_equal(outcome.err, 0);
        assert_int_equal(outcome.retry_after_ns, 0);
        if (retryable[code]) {
            assert_string_equal(text_of(&outcome), "why");
        }
        sw_outcome_fini(&outcome);
    }
}

static void test_unknown_grpc_code_is_permanent_and_shows_its_number(void **state)
{
    struct sw_outcome outcome = grpc(99, NULL);
    assert_true(outcome.permanent);
    assert_string_equal(
        text_of(&outcome), "Permanent error: rpc error: code = Code(99) desc = why"
    );
    sw_outcome_fini(&outcome);
}

static void test_exhausted_with_retry_info_is_throttled(void **state)
{
    struct sw_outcome outcome = grpc(SW_GRPC_RESOURCE_EXHAUSTED, retry_info(5));
    assert_false(outcome.permanent);
    assert_int_equal(outcome.retry_after_ns, UINT64_C(5000000000));
    assert_string_equal(
        text_of(&outcome), "Throttle (5s), error: rpc error: code = ResourceExhausted desc = why"
    );
    sw_outcome_fini(&outcome);
    outcome = grpc(SW_GRPC_RESOURCE_EXHAUSTED, retry_info(0));
    assert_false(outcome.permanent); // a delay of nothing still says "again"
    assert_int_equal(outcome.retry_after_ns, 0);
    sw_outcome_fini(&outcome);
    outcome = grpc(SW_GRPC_INTERNAL, retry_info(5));
    assert_true(outcome.permanent);
    assert_int_equal(outcome.retry_after_ns, 0);
    sw_outcome_fini(&outcome);
}

static void test_details_that_cannot_be_read_are_left_out(void **state)
{
    struct sw_outcome outcome = grpc(SW_GRPC_RESOURCE_EXHAUSTED, sw_buf_copy(NULL, "\xff\xff", 2));
    assert_true(outcome.permanent);
    assert_null(outcome.details);
    sw_outcome_fini(&outcome);
}

static struct sw_outcome http(unsigned status, const char *body, const char *retry_after)
{
    struct sw_outcome outcome;
    struct sw_http_text hint = {retry_after, retry_after != NULL ? strlen(retry_after) : 0};
    sw_answer_http(
        status,
        "http://b:4318/v1/traces",
        (struct sw_http_text){body, strlen(body)},
        hint,
        BENCH_WALL_NS,
        &outcome
    );
    return outcome;
}

static void test_each_http_status_is_permanent_or_not(void **state)
{
    static const struct {
        unsigned status;
        int grpc_code;
        bool permanent;
    } cases[] = {
        {301, SW_GRPC_UNKNOWN, true},
        {400, SW_GRPC_INVALID_ARGUMENT, true},
        {401, SW_GRPC_UNAUTHENTICATED, true},
        {403, SW_GRPC_PERMISSION_DENIED, true},
        {404, SW_GRPC_UNIMPLEMENTED, true},
        {408, SW_GRPC_UNKNOWN, true},
        {413, SW_GRPC_UNKNOWN, true},
        {429, SW_GRPC_RESOURCE_EXHAUSTED, false},
        {500, SW_GRPC_UNKNOWN, true},
        {501, SW_GRPC_UNKNOWN, true},
        {502, SW_GRPC_UNAVAILABLE, false},
        {503, SW_GRPC_UNAVAILABLE, false},
        {504, SW_GRPC_UNAVAILABLE, false},
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(cases); i++) {
        struct sw_outcome outcome = http(cases[i].status, "", NULL);
        assert_int_equal(outcome.grpc_code, cases[i].grpc_code);
        assert_int_equal(outcome.permanent, cases[i].permanent);
        assert_int_equal(outcome.retry_after_ns, 0);
        sw_outcome_fini(&outcome);
    }
}

static void test_http_text_has_url_code_and_the_bodys_message(void **state)
{
    struct sw_outcome outcome = http(
        503,
        "\x12\x04"
        "busy",
        NULL
    );
    assert_string_equal(
        text_of(&outcome),
        "error exporting items, request to http://b:4318/v1/traces responded with HTTP Status Code "
        "503, Message=busy, Details=[]"
    );
    sw_outcome_fini(&outcome);
    outcome = http(400, "<html>", NULL);
    assert_string_equal(
        text_of(&outcome),
        "Permanent error: rpc error: code = InvalidArgument desc = error exporting items, request "
        "to "
        "http://b:4318/v1/traces responded with HTTP Status Code 400"
    );
    sw_outcome_fini(&outcome);
}

static void test_retry_after_counts_on_429_and_503_in_seconds_or_as_a_date(void **state)
{
    static const struct {
        unsigned status;
        const char *value;
        uint64_t delay_ns;
    } cases[] = {
        {429, "7", 7 * SW_NS_PER_S},
        {503, "0", 0},
        {503, "30", 30 * SW_NS_PER_S},
        {502, "30", 0},
        {504, "30", 0},
        {429, "soon", 0},
        {429, "-1", 0},
        {503, "Thu, 09 Oct 2025 08:54:20 GMT", 60 * SW_NS_PER_S},
        {503, "Thu, 09 Oct 2025 08:52:20 GMT", 0},
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(cases); i++) {
        struct sw_outcome outcome = http(cases[i].status, "", cases[i].value);
        // BENCH_WALL_NS is 1760000000: Thu, 09 Oct 2025 08:53:20 GMT
        assert_int_equal(outcome.retry_after_ns, cases[i].delay_ns);
        assert_false(outcome.permanent);
        sw_outcome_fini(&outcome);
    }
}

static void test_trailers_are_decoded(void **state)
{
    struct sw_buf *message = sw_answer_message(SW_HTTP_TEXT("a%20b%zz%e2%82%ac"));
    assert_int_equal(message->size, 9);
    assert_memory_equal(message->data, "a b%zz\xe2\x82\xac", 9);
    sw_buf_unref(message);
    struct sw_buf *details = sw_answer_details(SW_HTTP_TEXT("CAg"));
    assert_int_equal(details->size, 2);
    assert_memory_equal(details->data, "\x08\x08", 2);
    sw_buf_unref(details);
    assert_null(sw_answer_details(SW_HTTP_TEXT("*")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_grpc_code_is_permanent_or_not),
        cmocka_unit_test(test_unknown_grpc_code_is_permanent_and_shows_its_number),
        cmocka_unit_test(test_exhausted_with_retry_info_is_throttled),
        cmocka_unit_test(test_details_that_cannot_be_read_are_left_out),
        cmocka_unit_test(test_each_http_status_is_permanent_or_not),
        cmocka_unit_test(test_http_text_has_url_code_and_the_bodys_message),
        cmocka_unit_test(test_retry_after_counts_on_429_and_503_in_seconds_or_as_a_date),
        cmocka_unit_test(test_trailers_are_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
