#include "dataplane/otlp/value_text.h"

#include "tests/lib/wire.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct sw_value_text text;

static const char *text_of(const struct sw_any *value)
{
    static char said[512];
    assert_int_equal(sw_value_text_set(&text, value), 0);
    snprintf(said, sizeof(said), "%.*s", (int)text.size, text.size > 0 ? text.data : "");
    return said;
}

static const char *text_of_double(double number)
{
    return text_of(&(struct sw_any){.type = SW_ANY_DOUBLE, .number = number});
}

// As recorded from a Collector where convert makes strings, and as ECMAScript writes numbers.
static void test_scalars_have_the_collectors_text(void **state)
{
    struct sw_any bytes = {.type = SW_ANY_BYTES, .bytes = SW_BYTES("\0\1")};
    assert_string_equal(text_of(&(struct sw_any){.type = SW_ANY_INT, .integer = -42}), "-42");
    assert_string_equal(text_of(&(struct sw_any){.type = SW_ANY_BOOL, .boolean = true}), "true");
    assert_string_equal(text_of(&(struct sw_any){.type = SW_ANY_EMPTY}), "");
    assert_string_equal(text_of(&bytes), "AAE=");
    assert_string_equal(text_of_double(2.75), "2.75");
    assert_string_equal(text_of_double(0), "0");
    assert_string_equal(text_of_double(-0.0), "-0");
    assert_string_equal(text_of_double(100), "100");
    assert_string_equal(text_of_double(0.1), "0.1");
    assert_string_equal(text_of_double(0.1 + 0.2), "0.30000000000000004");
    assert_string_equal(text_of_double(1e-6), "0.000001");
    assert_string_equal(text_of_double(1.5e-7), "1.5e-7");
    assert_string_equal(text_of_double(1e20), "100000000000000000000");
    assert_string_equal(text_of_double(1e21), "1e+21");
    assert_string_equal(text_of_double(5e-324), "5e-324");
    assert_string_equal(text_of_double(1.7976931348623157e308), "1.7976931348623157e+308");
    assert_string_equal(text_of_double(9007199254740992.0), "9007199254740992");
    assert_string_equal(text_of_double(NAN), "NaN");
    assert_string_equal(text_of_double(-INFINITY), "-Infinity");
}

static void put_entry(struct wire *wire, const char *key, const char *value)
{
    wire_begin(wire, 1);
    wire_text(wire, 1, key);
    wire_begin(wire, 2);
    wire_text(wire, 1, value);
    wire_end(wire);
    wire_end(wire);
}

static void test_maps_are_json_with_sorted_keys_of_which_the_last_counts(void **state)
{
    struct wire wire = {.data = NULL};
    put_entry(&wire, "b", "1");
    put_entry(&wire, "a", "<\"\n\x01\xff\xc3\xa9>");
    put_entry(&wire, "b", "2");
    put_entry(&wire, "ab", "");
    struct sw_any map = {.type = SW_ANY_MAP, .bytes = {wire.data, wire.size}};
    assert_string_equal(
        text_of(&map), "{\"a\":\"<\\\"\\n\\u0001\\ufffd\xc3\xa9>\",\"ab\":\"\",\"b\":\"2\"}"
    );
    wire_clear(&wire);
    wire_begin(&wire, 1);
    wire_number(&wire, 3, 1);
    wire_end(&wire);
    wire_begin(&wire, 1);
    wire_end(&wire);
    struct sw_any list = {.type = SW_ANY_ARRAY, .bytes = {wire.data, wire.size}};
    assert_string_equal(text_of(&list), "[1,null]");
    wire_fini(&wire);
}

static void test_plain_doubles_have_no_exponent(void **state)
{
    char out[SW_DOUBLE_TEXT_MAX];
    size_t size = sw_double_text_plain(1e21, out);
    assert_int_equal(size, 22);
    assert_memory_equal(out, "1000000000000000000000", 22);
    size = sw_double_text_plain(-1e-7, out);
    assert_int_equal(size, 10);
    assert_memory_equal(out, "-0.0000001", 10);
    assert_int_equal(sw_double_text_plain(5e-324, out), 326);
    assert_int_equal(sw_double_text_plain(-1.7976931348623157e308, out), 310);
}

static bool is_int(const char *digits, int64_t expected)
{
    int64_t value = 0;
    struct sw_bytes bytes = {(const uint8_t *)digits, strlen(digits)};
    return sw_int_parse(bytes, &value) && value == expected;
}

static void test_integers_are_read_as_go_reads_them(void **state)
{
    static const char *const bad[] = {
        "",
        "-",
        "+",
        " 1",
        "1 ",
        "0x1",
        "1_0",
        "1.0",
        "9223372036854775808",
        "-9223372036854775809",
    };
    int64_t value;
    assert_true(is_int("17", 17));
    assert_true(is_int("-0", 0));
    assert_true(is_int("+007", 7));
    assert_true(is_int("9223372036854775807", INT64_MAX));
    assert_true(is_int("-9223372036854775808", INT64_MIN));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct sw_bytes bytes = {(const uint8_t *)bad[i], strlen(bad[i])};
        assert_false(sw_int_parse(bytes, &value));
    }
}

static bool is_double(const char *digits, double expected)
{
    double value = 0;
    struct sw_bytes bytes = {(const uint8_t *)digits, strlen(digits)};
    return sw_double_parse(bytes, &value) && value == expected;
}

static void test_doubles_are_read_as_go_reads_them(void **state)
{
    static const char *const bad[] = {
        "",
        "x1",
        " 1",
        "1 ",
        "1e",
        "0x1",
        "1_",
        "_1",
        "1__0",
        "+nan",
        "nan(1)",
        "1e999",
        "--1",
        ".",
    };
    double value;
    assert_true(is_double("17", 17));
    assert_true(is_double("-.5e1", -5));
    assert_true(is_double("0x1p-2", 0.25));
    assert_true(is_double("1_000.5", 1000.5));
    assert_true(is_double("Infinity", INFINITY));
    assert_true(is_double("-inf", -INFINITY));
    assert_true(sw_double_parse(SW_BYTES("NaN"), &value) && isnan(value));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct sw_bytes bytes = {(const uint8_t *)bad[i], strlen(bad[i])};
        if (sw_double_parse(bytes, &value)) {
            fail_msg("%s was taken", bad[i]);
        }
    }
}

static int teardown(void **state)
{
    sw_value_text_fini(&text);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars_have_the_collectors_text),
        cmocka_unit_test(test_maps_are_json_with_sorted_keys_of_which_the_last_counts),
        cmocka_unit_test(test_plain_doubles_have_no_exponent),
        cmocka_unit_test(test_integers_are_read_as_go_reads_them),
        cmocka_unit_test(test_doubles_are_read_as_go_reads_them),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
