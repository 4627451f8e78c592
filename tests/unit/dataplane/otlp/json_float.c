/* Doubles as text: what Go's strconv makes of them and takes for them; and that what is written is short and
 * reads back the same. */
#include "dataplane/base/rand.h"
#include "dataplane/otlp/json_float_internal.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_format(double value, const char *wanted)
{
    char text[SW_FLOAT_TEXT_MAX + 1];
    text[sw_float_format(value, text)] = '\0';
    assert_string_equal(text, wanted);
}

static void test_doubles_are_written_as_go_writes_them(void **state)
{
    assert_format(0, "0");
    assert_format(-0.0, "-0");
    assert_format(1, "1");
    assert_format(-1.5, "-1.5");
    assert_format(0.1, "0.1");
    assert_format(0.30000000000000004, "0.30000000000000004");
    assert_format(123456.789, "123456.789");
    assert_format(1e20, "100000000000000000000");
    assert_format(1e21, "1e+21");
    assert_format(123456789012345678.0, "123456789012345680");
    assert_format(0.000001, "0.000001");
    assert_format(0.00000123, "0.00000123");
    assert_format(0.0000001, "1e-07");
    assert_format(1.5e-10, "1.5e-10");
    assert_format(5e-324, "5e-324");
    assert_format(1.7976931348623157e308, "1.7976931348623157e+308");
    assert_format(0x1p-44, "5.684341886080802e-14"); // closer from above than from below
    assert_format(9007199254740993.0, "9007199254740992");
}

static void test_random_doubles_come_back_in_as_few_digits_as_c_needs(void **state)
{
    struct sw_rand rand;
    sw_rand_init(&rand, 9);
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t bits = sw_rand_u64(&rand);
        double value;
        memcpy(&value, &bits, sizeof(value));
        if (i % 4 == 1) {
            value = (double)(bits >> 20) / 1000;
        } else if (i % 4 == 2) {
            value = ldexp(1, (int)(bits % 2000) - 1000);
        }
        if (!isfinite(value)) {
            continue;
        }
        char text[SW_FLOAT_TEXT_MAX + 1];
        size_t size = sw_float_format(value, text);
        double back = 0;
        struct sw_bytes bytes = {(const uint8_t *)text, size};
        assert_true(size <= SW_FLOAT_TEXT_MAX - 4);
        assert_int_equal(sw_float_parse_decimal(bytes, &back), SW_FLOAT_OK);
        assert_memory_equal(&back, &value, sizeof(value));
        text[size] = '\0';
        assert_true(strtod(text, NULL) == value);
    }
}

static enum sw_float_result parse(const char *text, double *ret_value)
{
    return sw_float_parse((struct sw_bytes){(const uint8_t *)text, strlen(text)}, ret_value);
}

static void test_texts_are_taken_as_go_takes_them(void **state)
{
    static const struct {
        const char *text;
        double value;
    } taken[] = {
        {"1", 1},
        {"+1.5", 1.5},
        {"-1e3", -1000},
        {".5", 0.5},
        {"5.", 5},
        {"1_0.5", 10.5},
        {"0x1.8p3", 12},
        {"-0X_1P-1", -0.5},
        {"0x.8p1", 1},
        {"000000000000000000000000000001", 1},
        {"123456789012345678901234567890", 123456789012345678901234567890.0},
        {"1e-999", 0},
        {"2.2250738585072011e-308", 2.2250738585072011e-308},
        {"179769313486231580793728971405301e276", 1.7976931348623157e308},
        {"inf", INFINITY},
        {"-Infinity", -INFINITY},
        {"+INF", INFINITY},
    };
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        double value = 0;
        assert_int_equal(parse(taken[i].text, &value), SW_FLOAT_OK);
        assert_true(value == taken[i].value);
    }
    double none;
    assert_int_equal(parse("1e999", &none), SW_FLOAT_RANGE);
    assert_int_equal(parse("-1e99999999999999999999", &none), SW_FLOAT_RANGE);
    assert_int_equal(parse("0x1p1024", &none), SW_FLOAT_RANGE);
    double nan = 0;
    assert_int_equal(parse("NaN", &nan), SW_FLOAT_OK);
    assert_true(isnan(nan));
    static const char *const refused[] = {
        "",      "-",    ".",   "e5",     "1e",   "1e+",   "1.2.3", "_1",        "1_",
        "1__0",  "1_e5", "0x1", "0x",     "0xp1", "0x.p1", "0x1p",  "0x1.2.3p1", "+nan",
        "infin", "1 ",   " 1",  "0_x1p1", "i_nf", "1f",    "0b1",
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        double value;
        assert_int_equal(parse(refused[i], &value), SW_FLOAT_SYNTAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles_are_written_as_go_writes_them),
        cmocka_unit_test(test_random_doubles_come_back_in_as_few_digits_as_c_needs),
        cmocka_unit_test(test_texts_are_taken_as_go_takes_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
