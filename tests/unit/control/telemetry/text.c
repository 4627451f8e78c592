#include "control/telemetry/text.h"

#include "dataplane/base/mem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void check_json(const char *data, size_t len, const char *expected)
{
    struct sw_string text = {0};
    sw_string_json(&text, data, len);
    assert_false(text.failed);
    assert_string_equal(text.data, expected);
    sw_string_fini(&text);
}

static void test_json_string_escapes_what_must_be(void **state)
{
    (void)state;
    check_json("plain", 5, "\"plain\"");
    check_json("a\"b\\c", 5, "\"a\\\"b\\\\c\"");
    check_json("\n\r\t\x01", 4, "\"\\n\\r\\t\\u0001\"");
    check_json("caf\xc3\xa9 \xf0\x9f\x98\x80", 10, "\"caf\xc3\xa9 \xf0\x9f\x98\x80\"");
    check_json("a\0b", 3, "\"a\\u0000b\"");
    check_json("", 0, "\"\"");
}

static void test_json_string_replaces_bad_utf8(void **state)
{
    (void)state;
    check_json("\xff", 1, "\"\\ufffd\"");
    check_json("a\xc3", 2, "\"a\\ufffd\"");                                  // cut
    check_json("\xc0\x80", 2, "\"\\ufffd\\ufffd\"");                         // overlong
    check_json("\xed\xa0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\"");              // surrogate
    check_json("\xf4\x90\x80\x80x", 5, "\"\\ufffd\\ufffd\\ufffd\\ufffdx\""); // above U+10FFFF
}

static void test_floats_are_written_as_go_does(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-17, "-17"},
        {0.1, "0.1"},
        {1.0 / 3, "0.3333333333333333"},
        {100000, "100000"},
        {999999, "999999"},
        {1e6, "1e+06"},
        {1234567, "1.234567e+06"},
        {0.0001, "0.0001"},
        {0.00001, "1e-05"},
        {1e21, "1e+21"},
        {123456.75, "123456.75"},
        {5e-324, "5e-324"},
        {HUGE_VAL, "+Inf"},
        {-HUGE_VAL, "-Inf"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sw_string text = {0};
        sw_string_float(&text, cases[i].value);
        assert_string_equal(text.data, cases[i].text);
        sw_string_fini(&text);
    }
}

static void test_out_of_memory_is_sticky_until_the_reset(void **state)
{
    (void)state;
    struct sw_string text = {0};
    sw_mem_fail_at(1, 0);
    sw_string_put(&text, "lost");
    sw_mem_fail_at(0, 0);
    sw_string_put(&text, "lost too");
    assert_true(text.failed);
    assert_int_equal(text.len, 0);
    sw_string_reset(&text);
    sw_string_format(&text, "%d%s", 4, "2");
    assert_string_equal(text.data, "42");
    sw_string_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_string_escapes_what_must_be),
        cmocka_unit_test(test_json_string_replaces_bad_utf8),
        cmocka_unit_test(test_floats_are_written_as_go_does),
        cmocka_unit_test(test_out_of_memory_is_sticky_until_the_reset),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
