/* Go's duration texts, read and written; the words of enum fields. */
#include "dataplane/base/field.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define US INT64_C(1000)
#define MS (1000 * US)
#define S  (1000 * MS)

static void test_durations_are_read_as_go_reads_them(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } cases[] = {
        {"0", 0},
        {"0s", 0},
        {"+0", 0},
        {"5s", 5 * S},
        {"1m30s", 90 * S},
        {"1.5h", 5400 * S},
        {".5s", 500 * MS},
        {"5.s", 5 * S},
        {"-1.5s", -1500 * MS},
        {"+3ms", 3 * MS},
        {"10us", 10 * US},
        {"10\xc2\xb5s", 10 * US},
        {"10\xce\xbcs", 10 * US},
        {"1h2m3s4ms5us6ns", 3723 * S + 4 * MS + 5 * US + 6},
        {"1s1s", 2 * S},
        {"0.3333333333333333333h", 1200 * S}, // through a double, as Go does it
        {"9223372036854775807ns", INT64_MAX},
        {"-9223372036854775808ns", INT64_MIN},
        {"9223372036.854775807s", INT64_MAX},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ns = -77;
        const char *why = NULL;
        int err = sw_duration_parse(cases[i].text, strlen(cases[i].text), &ns, &why);
        assert_int_equal(err, SW_OK);
        assert_true(ns == cases[i].ns);
    }
}

static void test_what_is_no_duration_is_refused_with_go_s_reason(void **state)
{
    static const struct {
        const char *text;
        const char *why;
    } cases[] = {
        {"", "invalid duration"},
        {"-", "invalid duration"},
        {"s", "invalid duration"},
        {".s", "invalid duration"},
        {"5", "missing unit in duration"},
        {"1m5", "missing unit in duration"},
        {"5 s", "unknown unit"},
        {"5S", "unknown unit"},
        {"1d", "unknown unit"},
        {"1m-5s", "unknown unit"},
        {"9223372036854775808ns", "duration out of range"},
        {"3000000h", "duration out of range"},
        {"2562047h2562047h", "duration out of range"},
        {"99999999999999999999s", "invalid duration"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ns = -77;
        const char *why = NULL;
        int err = sw_duration_parse(cases[i].text, strlen(cases[i].text), &ns, &why);
        assert_int_equal(err, SW_E_INVALID);
        assert_string_equal(why, cases[i].why);
        assert_int_equal(ns, -77); // untouched
    }
}

static void test_durations_are_written_as_go_writes_them(void **state)
{
    static const struct {
        int64_t ns;
        const char *text;
    } cases[] = {
        {0, "0s"},
        {1, "1ns"},
        {1100, "1.1\xc2\xb5s"},
        {2200000, "2.2ms"},
        {200 * MS, "200ms"},
        {S, "1s"},
        {1500 * MS, "1.5s"},
        {90 * S, "1m30s"},
        {300 * S, "5m0s"},
        {3600 * S, "1h0m0s"},
        {3723 * S + 1, "1h2m3.000000001s"},
        {-5 * S, "-5s"},
        {-1, "-1ns"},
        {INT64_MAX, "2562047h47m16.854775807s"},
        {INT64_MIN, "-2562047h47m16.854775808s"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[SW_DURATION_TEXT_MAX];
        sw_duration_format(cases[i].ns, text);
        assert_string_equal(text, cases[i].text);
        int64_t back = -77;
        const char *why = NULL;
        assert_int_equal(sw_duration_parse(text, strlen(text), &back, &why), SW_OK);
        assert_true(back == cases[i].ns);
    }
}

static void test_words_have_their_index(void **state)
{
    static const char *const words[] = {"none", "Gzip", NULL};
    assert_int_equal(sw_word_index(words, "none", false), 0);
    assert_int_equal(sw_word_index(words, "gzip", false), -1);
    assert_int_equal(sw_word_index(words, "gzip", true), 1);
    assert_string_equal(sw_word_text(words, 1), "Gzip");
    assert_string_equal(sw_word_text(words, 2), "?");
    assert_string_equal(sw_word_text(words, -1), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations_are_read_as_go_reads_them),
        cmocka_unit_test(test_what_is_no_duration_is_refused_with_go_s_reason),
        cmocka_unit_test(test_durations_are_written_as_go_writes_them),
        cmocka_unit_test(test_words_have_their_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
