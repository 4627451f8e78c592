/* google.rpc.Status and export replies: what peers send, what we send, in protobuf and JSON. */
#include "dataplane/otlp/status.h"

#include "dataplane/base/clock.h"
#include "tests/lib/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define RETRY_INFO_URL "type.googleapis.com/google.rpc.RetryInfo"

static struct sw_bytes all(const struct wire *wire)
{
    return (struct sw_bytes){wire->data, wire->size};
}

static void put_retry_info(struct wire *wire, const char *url, int64_t seconds, int32_t nanos)
{
    wire_begin(wire, 3);
    wire_text(wire, 1, url);
    wire_begin(wire, 2);
    wire_begin(wire, 1);
    wire_number(wire, 1, (uint64_t)seconds);
    wire_number(wire, 2, (uint64_t)(int64_t)nanos);
    wire_end(wire);
    wire_end(wire);
    wire_end(wire);
}

static void assert_json(const struct sw_rpc_status *status, const char *wanted)
{
    char text[512];
    size_t size = sw_rpc_status_encode_json(status, NULL, 0);
    assert_true(size < sizeof(text));
    assert_int_equal(sw_rpc_status_encode_json(status, text, size), size);
    text[size] = '\0';
    assert_string_equal(text, wanted);
}

static void test_a_status_with_retry_info_is_read_and_written(void **state)
{
    struct wire wire = {.data = NULL};
    wire_number(&wire, 1, 14);
    wire_text(&wire, 2, "slow down");
    put_retry_info(&wire, RETRY_INFO_URL, 5, 250000000);
    struct sw_rpc_status status;
    assert_int_equal(sw_rpc_status_decode(all(&wire), &status), SW_OK);
    assert_int_equal(status.code, 14);
    assert_true(sw_bytes_equal(status.message, SW_BYTES("slow down")));
    assert_true(status.has_retry_info);
    assert_int_equal(status.retry_delay_ns, 5250 * SW_NS_PER_MS);
    assert_ptr_equal(status.details.data, wire.data);
    assert_json(
        &status,
        "{\"code\":14,\"message\":\"slow down\",\"details\":[{\"@type\":\"" RETRY_INFO_URL
        "\",\"retryDelay\":\"5.250s\"}]}"
    );
    // Our own words, without anybody's details, give the same bytes.
    status.details = (struct sw_bytes){NULL, 0};
    uint8_t again[128];
    assert_int_equal(sw_rpc_status_encode(&status, NULL, 0), wire.size);
    assert_int_equal(sw_rpc_status_encode(&status, again, sizeof(again)), wire.size);
    assert_memory_equal(again, wire.data, wire.size);
    wire_fini(&wire);
}

static void test_the_first_readable_retry_info_counts(void **state)
{
    struct wire wire = {.data = NULL};
    struct sw_rpc_status status;
    wire_bytes(&wire, 3, "\x0a\x7f", 2); // a detail that cannot be read
    put_retry_info(&wire, "type.googleapis.com/google.rpc.ErrorInfo", 1, 0);
    put_retry_info(&wire, "any.where/else/google.rpc.RetryInfo", 2, 0);
    put_retry_info(&wire, RETRY_INFO_URL, 3, 0);
    assert_int_equal(sw_rpc_status_decode(all(&wire), &status), SW_OK);
    assert_true(status.has_retry_info);
    assert_int_equal(status.retry_delay_ns, 2 * SW_NS_PER_S);
    wire_fini(&wire);
}

static void test_absurd_delays_are_bounded(void **state)
{
    static const struct {
        int64_t seconds;
        int32_t nanos;
        uint64_t ns;
    } cases[] = {
        {0, 0, 0},
        {-1, 0, 0},
        {-1, 999999999, 0},
        {0, -5, 0},
        {1, -1, SW_NS_PER_S - 1},
        {INT64_MAX, INT32_MAX, INT64_MAX},
        {INT64_MIN, INT32_MIN, 0},
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(cases); i++) {
        struct wire wire = {.data = NULL};
        struct sw_rpc_status status;
        put_retry_info(&wire, RETRY_INFO_URL, cases[i].seconds, cases[i].nanos);
        assert_int_equal(sw_rpc_status_decode(all(&wire), &status), SW_OK);
        assert_true(status.has_retry_info);
        assert_true(status.retry_delay_ns == cases[i].ns);
        wire_fini(&wire);
    }
}

static void test_a_wrong_wire_type_is_malformed(void **state)
{
    struct sw_rpc_status status = {.code = 3};
    struct sw_export_response response = {.rejected = 4};
    assert_int_equal(sw_rpc_status_decode(SW_BYTES("\x0a\x00"), &status), SW_E_MALFORMED);
    assert_int_equal(sw_rpc_status_decode(SW_BYTES("\x10\x01"), &status), SW_E_MALFORMED);
    assert_int_equal(sw_rpc_status_decode(SW_BYTES("\x12\x05"), &status), SW_E_MALFORMED);
    assert_int_equal(status.code, 3); // untouched
    assert_int_equal(sw_export_response_decode(SW_BYTES("\x08\x01"), &response), SW_E_MALFORMED);
    assert_int_equal(
        sw_export_response_decode(SW_BYTES("\x0a\x02\x0a\x00"), &response), SW_E_MALFORMED
    );
    assert_int_equal(response.rejected, 4);
    // Fields that nobody knows are no concern.
    assert_int_equal(sw_rpc_status_decode(SW_BYTES("\x40\x01"), &status), SW_OK);
}

static void test_json_escapes_what_it_must(void **state)
{
    struct sw_rpc_status status = {.message = SW_BYTES("a\"b\\c\n\x01\xff\xc3\xa9\xed\xa0\x80")};
    assert_json(
        &status,
        "{\"message\":\"a\\\"b\\\\c\\n\\u0001\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd"
        "\xef\xbf\xbd\"}"
    );
    assert_json(&(struct sw_rpc_status){.code = 0}, "{}");
    assert_json(&(struct sw_rpc_status){.code = -3}, "{\"code\":-3}");
    assert_json(
        &(struct sw_rpc_status){.has_retry_info = true, .retry_delay_ns = 1},
        "{\"details\":[{\"@type\":\"" RETRY_INFO_URL "\",\"retryDelay\":\"0.000000001s\"}]}"
    );
}

static void test_json_of_an_unknown_detail_is_base64(void **state)
{
    struct wire wire = {.data = NULL};
    wire_begin(&wire, 3);
    wire_text(&wire, 1, "t/x.Y");
    wire_bytes(&wire, 2, "\x01\x02", 2);
    wire_end(&wire);
    struct sw_rpc_status status;
    assert_int_equal(sw_rpc_status_decode(all(&wire), &status), SW_OK);
    assert_false(status.has_retry_info);
    assert_json(&status, "{\"details\":[{\"@type\":\"t/x.Y\",\"value\":\"AQI=\"}]}");
    wire_fini(&wire);
}

static void test_export_replies_come_back_as_they_were(void **state)
{
    struct sw_export_response response;
    assert_int_equal(sw_export_response_decode((struct sw_bytes){NULL, 0}, &response), SW_OK);
    assert_false(response.has_partial);
    assert_int_equal(sw_export_response_decode(SW_EXPORT_SUCCESS, &response), SW_OK);
    assert_false(response.has_partial);
    uint8_t bytes[64];
    size_t size = sw_export_response_encode(&response, bytes, sizeof(bytes));
    assert_true(sw_bytes_equal((struct sw_bytes){bytes, size}, SW_EXPORT_SUCCESS));
    struct sw_export_response partial = {.rejected = -2, .message = SW_BYTES("bad spans")};
    size = sw_export_response_encode(&partial, bytes, sizeof(bytes));
    assert_int_equal(sw_export_response_decode((struct sw_bytes){bytes, size}, &response), SW_OK);
    assert_true(response.has_partial);
    assert_int_equal(response.rejected, -2);
    assert_true(sw_bytes_equal(response.message, SW_BYTES("bad spans")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_status_with_retry_info_is_read_and_written),
        cmocka_unit_test(test_the_first_readable_retry_info_counts),
        cmocka_unit_test(test_absurd_delays_are_bounded),
        cmocka_unit_test(test_a_wrong_wire_type_is_malformed),
        cmocka_unit_test(test_json_escapes_what_it_must),
        cmocka_unit_test(test_json_of_an_unknown_detail_is_base64),
        cmocka_unit_test(test_export_replies_come_back_as_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
