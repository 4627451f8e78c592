#include "dataplane/base/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct sw_pattern_scratch *scratch;

static int setup(void **state)
{
    return sw_pattern_scratch_new(16, &scratch);
}

static int teardown(void **state)
{
    sw_pattern_scratch_free(scratch);
    return 0;
}

// The whole match and the groups, as Go's FindStringSubmatch; "-": no match.
static const char *find_in(const char *pattern_text, const char *text, size_t size)
{
    static char said[1024];
    char why[SW_PATTERN_WHY_MAX] = "";
    struct sw_pattern *pattern;
    const struct sw_pattern_range *ranges;
    if (sw_pattern_new(pattern_text, &pattern, why) != SW_OK) {
        print_message("%s: %s\n", pattern_text, why);
        return "refused";
    }
    int found = sw_pattern_find(pattern, scratch, text, size, &ranges);
    if (found < 0) {
        sw_pattern_free(pattern);
        return "given up";
    }
    snprintf(said, sizeof(said), "%s", found ? "" : "-");
    for (uint32_t i = 0; found && i <= sw_pattern_groups_count(pattern); i++) {
        size_t len = strlen(said);
        bool part = ranges[i].begin != SIZE_MAX;
        snprintf(
            said + len,
            sizeof(said) - len,
            "%s%.*s",
            i > 0 ? "|" : "",
            part ? (int)(ranges[i].end - ranges[i].begin) : 0,
            part ? text + ranges[i].begin : ""
        );
    }
    sw_pattern_free(pattern);
    return said;
}

static const char *find(const char *pattern, const char *text)
{
    return find_in(pattern, text, strlen(text));
}

static void test_plain_patterns_match_anywhere(void **state)
{
    assert_string_equal(find("b+", "aabbc"), "bb");
    assert_string_equal(find("^k8s\\.", "k8s.pod"), "k8s.");
    assert_string_equal(find("^k8s\\.", "xk8s.pod"), "-");
    assert_string_equal(find("", "abc"), "");
    assert_string_equal(find("", ""), "");
    assert_string_equal(find("a|ab", "ab"), "a"); // leftmost first, not longest
    assert_string_equal(find("a{2}", "aaa"), "aa");
    assert_string_equal(find("a{2,}?", "aaaa"), "aa");
    assert_string_equal(find("(?U)a+", "aaa"), "a");
    assert_string_equal(find("x*", "aaa"), "");
}

static void test_named_groups_are_found(void **state)
{
    struct sw_pattern *pattern;
    assert_string_equal(
        find(
            "^(?P<scheme>\\w+)://(?P<host>[^:/]+):(?P<port>\\d+)",
            "https://example.com:8443/path?q=1"
        ),
        "https://example.com:8443|https|example.com|8443"
    );
    assert_string_equal(find("(?<x>a)|(b)", "b"), "b||b");
    // PCRE2 would refuse such names.
    assert_int_equal(
        sw_pattern_new("(?P<0_name_of_more_than_32_characters_in_all>a)(b)", &pattern, NULL), 0
    );
    assert_string_equal(
        sw_pattern_group_name(pattern, 1), "0_name_of_more_than_32_characters_in_all"
    );
    assert_string_equal(sw_pattern_group_name(pattern, 2), "");
    assert_int_equal(sw_pattern_groups_count(pattern), 2);
    sw_pattern_free(pattern);
}

static void test_where_perl_differs_re2_counts(void **state)
{
    assert_string_equal(find("a$", "a\n"), "-"); // only the very end
    assert_string_equal(find("(?m)a$", "a\n"), "a");
    assert_string_equal(find("(?m)^$", "a\n"), ""); // also behind the last line feed
    assert_string_equal(find("a.b", "a\nb"), "-");
    assert_string_equal(find("a.b", "a\rb"), "a\rb");
    assert_string_equal(find("(?s)a.b", "a\nb"), "a\nb");
    assert_string_equal(find("\\s", "\v"), "-");
    assert_string_equal(find("[\\s]", "\v"), "-");
    assert_string_equal(find("^\\S$", "\v"), "\v");
    assert_string_equal(find("^[\\S]$", "\v"), "\v");
    assert_string_equal(find("[[:space:]]", "\v"), "\v");
    assert_string_equal(find("\\v", "\v"), "\v");
    assert_string_equal(find("\\v", "\n"), "-");
    assert_string_equal(find("\\w", "\xc3\xa9"), "-"); // ASCII
    assert_string_equal(find("\\d", "\xd9\xa3"), "-");
    assert_string_equal(find("^.$", "\xc3\xa9"), "\xc3\xa9");           // characters, not bytes
    assert_string_equal(find("(?i)k", "\xe2\x84\xaa"), "\xe2\x84\xaa"); // the Kelvin sign
    assert_string_equal(find("\\Qa.b\\E+", "a.bbb"), "a.bbb");
    assert_string_equal(find("\\Qa.b", "a.b"), "a.b");
    assert_string_equal(find("\\101\\x42\\x{43}", "ABC"), "ABC");
    assert_string_equal(find("\\011", "\t"), "\t");
    assert_string_equal(find("a{,2}", "a{,2}"), "a{,2}");
    assert_string_equal(find("a{01}", "a{01}"), "a{01}");
    assert_string_equal(find("{", "{"), "{");
    assert_string_equal(find("a#b c", "a#b c"), "a#b c");
    assert_string_equal(find("[]a]+", "a]"), "a]");
    assert_string_equal(find("[^]a]", "]ab"), "b");
    assert_string_equal(find("[a-]+", "-a"), "-a");
    assert_string_equal(find("[\\d-z]+", "1-z"), "1-z");
    assert_string_equal(find("[[.x.]+", "[.x"), "[.x");
    assert_string_equal(find("[[=x=]+", "=x["), "=x[");
    assert_string_equal(find("[&&~~]+", "&&~"), "&&~");
    assert_string_equal(find("[[:^digit:]]+", "a1"), "a");
    assert_string_equal(find("\\p{Greek}\\pL", "\xce\xb1x"), "\xce\xb1x");
    assert_string_equal(find("\\P{L}", "a1"), "1");
    assert_string_equal(find_in("a\\x00b", "a\0b", 3), "a");
    assert_string_equal(find("\\_\\-\\/", "_-/"), "_-/");
    assert_string_equal(find("(?i:A)b(?-i:C)", "abC"), "abC");
    assert_string_equal(find("(?i)(?-i)a", "A"), "-");
    assert_string_equal(find("a\\z", "a"), "a");
}

static void test_what_re2_refuses_is_refused(void **state)
{
    static const char *const bad[] = {
        "(",
        ")",
        "a)",
        "(?=a)",
        "(?!a)",
        "(?<=a)",
        "(?<!a)",
        "(?>a)",
        "(?#a)",
        "(?P=x)",
        "(?P>x)",
        "(?R)",
        "(?1)",
        "(?'n'a)",
        "(?x)a",
        "(?-)",
        "(?i-)",
        "(*UTF)a",
        "(*ACCEPT)",
        "(a)\\1",
        "\\8",
        "\\k<n>",
        "\\g1",
        "a**",
        "a++",
        "a*+",
        "a?+",
        "a{2}{3}",
        "a{2}+",
        "*",
        "a|*",
        "(+)",
        "^*+",
        "\\G",
        "\\K",
        "\\R",
        "\\X",
        "\\Z",
        "\\e",
        "\\cA",
        "\\h",
        "\\H",
        "\\N",
        "\\V",
        "\\C",
        "\\E",
        "\\y",
        "\\",
        "[",
        "[a",
        "[]",
        "[z-a]",
        "[a-\\d]",
        "[[:foo:]]",
        "[\\b]",
        "[\\Qa\\E]",
        "a{1001}",
        "a{2,1}",
        "(a{100}){11}",
        "\\x{110000}",
        "\\x4",
        "\\x{}",
        "\\p{Nope}",
        "\\p",
        "\\pQ",
        "\xff",
        "(?P<n>a)(?P<n>b)",
        "(?P<>a)",
        "(?P<a-b>a)",
        "(?P<n",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct sw_pattern *pattern = NULL;
        char why[SW_PATTERN_WHY_MAX] = "";
        int err = sw_pattern_new(bad[i], &pattern, why);
        if (err != SW_E_INVALID || why[0] == '\0') {
            fail_msg("%s was taken", bad[i]);
        }
    }
}

static void test_bytes_that_are_no_text_match_nothing(void **state)
{
    assert_string_equal(
        find(
            "^a.b$",
            "a\xff"
            "b"
        ),
        "-"
    );
    assert_string_equal(
        find(
            "b",
            "a\xff"
            "b"
        ),
        "b"
    );
    assert_string_equal(
        find(
            "a.*",
            "ab\xff"
            "c"
        ),
        "ab"
    );
}

static void test_a_search_that_explodes_is_given_up(void **state)
{
    char text[64];
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = 'b';
    assert_string_equal(find_in("^(a|aa|aaa)+$", text, sizeof(text)), "given up");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_patterns_match_anywhere),
        cmocka_unit_test(test_named_groups_are_found),
        cmocka_unit_test(test_where_perl_differs_re2_counts),
        cmocka_unit_test(test_what_re2_refuses_is_refused),
        cmocka_unit_test(test_bytes_that_are_no_text_match_nothing),
        cmocka_unit_test(test_a_search_that_explodes_is_given_up),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
