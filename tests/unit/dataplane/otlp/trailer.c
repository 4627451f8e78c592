/* Texts and details in gRPC trailers. */
#include "dataplane/base/rand.h"
#include "dataplane/otlp/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct sw_bytes bytes_of(const char *text)
{
    return (struct sw_bytes){(const uint8_t *)text, strlen(text)};
}

static void test_messages_are_percent_encoded(void **state)
{
    static const struct {
        const char *plain;
        const char *encoded;
    } cases[] = {
        {"", ""},
        {"plain text ~", "plain text ~"},
        {"50% of caf\xc3\xa9\n", "50%25 of caf%C3%A9%0A"},
        {"\x7f", "%7F"},
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(cases); i++) {
        char text[64];
        uint8_t back[64];
        size_t size = sw_grpc_message_encode(bytes_of(cases[i].plain), text, sizeof(text) - 1);
        assert_int_equal(size, strlen(cases[i].encoded));
        assert_memory_equal(text, cases[i].encoded, size);
        size = sw_grpc_message_decode(bytes_of(cases[i].encoded), back);
        assert_true(sw_bytes_equal((struct sw_bytes){back, size}, bytes_of(cases[i].plain)));
    }
}

static void test_a_message_without_room_is_only_measured(void **state)
{
    char text[4] = "...";
    assert_int_equal(sw_grpc_message_encode(bytes_of("a\nb"), text, 3), 5);
    assert_string_equal(text, "...");
    assert_int_equal(sw_grpc_message_encode(bytes_of("a\nb"), NULL, 0), 5);
}

static void test_percent_signs_that_mean_nothing_stay(void **state)
{
    uint8_t text[] = "100%, %zz, %4, %41%e9%";
    size_t size = sw_grpc_message_decode((struct sw_bytes){text, sizeof(text) - 1}, text);
    assert_true(sw_bytes_equal((struct sw_bytes){text, size}, SW_BYTES("100%, %zz, %4, A\xe9%")));
}

static void test_base64_comes_with_and_without_padding(void **state)
{
    static const struct {
        const char *plain;
        const char *padded;
        const char *bare;
    } cases[] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
        {"\xff\xfe\xfd", "//79", "//79"},
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(cases); i++) {
        char text[16];
        uint8_t back[16];
        size_t size = sw_base64_encode(bytes_of(cases[i].plain), true, text, sizeof(text));
        assert_true(
            sw_bytes_equal((struct sw_bytes){(uint8_t *)text, size}, bytes_of(cases[i].padded))
        );
        size = sw_base64_encode(bytes_of(cases[i].plain), false, text, sizeof(text));
        assert_true(
            sw_bytes_equal((struct sw_bytes){(uint8_t *)text, size}, bytes_of(cases[i].bare))
        );
        assert_int_equal(sw_base64_decode(bytes_of(cases[i].padded), back, &size), SW_OK);
        assert_true(sw_bytes_equal((struct sw_bytes){back, size}, bytes_of(cases[i].plain)));
        assert_int_equal(sw_base64_decode(bytes_of(cases[i].bare), back, &size), SW_OK);
        assert_true(sw_bytes_equal((struct sw_bytes){back, size}, bytes_of(cases[i].plain)));
    }
}

static void test_what_is_no_base64_is_refused(void **state)
{
    static const char *const texts[] = {
        "Z", "Zg=", "Z===", "Zm9vY", "Zm-v", "Zm9v\n", "====", "Zg==Zg=="};
    for (size_t i = 0; i < SW_ARRAY_SIZE(texts); i++) {
        uint8_t out[16];
        size_t size = 77;
        assert_int_equal(sw_base64_decode(bytes_of(texts[i]), out, &size), SW_E_MALFORMED);
        assert_int_equal(size, 77); // untouched
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_are_percent_encoded),
        cmocka_unit_test(test_a_message_without_room_is_only_measured),
        cmocka_unit_test(test_percent_signs_that_mean_nothing_stay),
        cmocka_unit_test(test_base64_comes_with_and_without_padding),
        cmocka_unit_test(test_what_is_no_base64_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
