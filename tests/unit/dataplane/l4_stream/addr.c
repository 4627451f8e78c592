#include "tests/unit/dataplane/l4_stream/world.h"

#include <stdio.h>
#include <string.h>

static void assert_text(const char *host, uint16_t port, const char *expected)
{
    struct sw_addr addr;
    assert_int_equal(sw_addr_parse(host, port, &addr), SW_OK);
    char text[128];
    sw_addr_text(&addr, text, sizeof(text));
    assert_string_equal(text, expected);
}

static void test_literals_come_back_as_text(void **state)
{
    (void)state;
    assert_text("127.0.0.1", 4317, "127.0.0.1:4317");
    assert_text("::1", 4317, "[::1]:4317");
    assert_text("[2001:db8::2]", 65535, "[2001:db8::2]:65535");
    assert_text("fe80::1%7", 1, "[fe80::1%7]:1");
    assert_text("::ffff:10.1.2.3", 80, "10.1.2.3:80");
    assert_text("unix:/run/x.sock", 0, "unix:/run/x.sock");
    assert_text("unix:///run/x.sock", 0, "unix:/run/x.sock");
}

static void test_what_is_no_literal_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "localhost",
        "1.2.3",
        "1.2.3.4.5",
        "256.1.1.1",
        "[::1",
        "::1]",
        "[]",
        ":::",
        "fe80::1%",
        "fe80::1%no-such-interface",
        "unix:",
        "unix://",
        "1.2.3.4 ",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct sw_addr addr;
        if (sw_addr_parse(bad[i], 1, &addr) != SW_E_INVALID) {
            fail_msg("accepted: %s", bad[i]);
        }
    }
    char path[300] = "unix:/";
    memset(path + 6, 'a', sizeof(path) - 7);
    path[sizeof(path) - 1] = '\0';
    struct sw_addr addr;
    assert_int_equal(sw_addr_parse(path, 0, &addr), SW_E_INVALID);
}

static void test_text_is_cut_at_the_buffers_end(void **state)
{
    (void)state;
    struct sw_addr addr;
    assert_int_equal(sw_addr_parse("127.0.0.1", 4317, &addr), SW_OK);
    char text[8];
    memset(text, 'x', sizeof(text));
    sw_addr_text(&addr, text, sizeof(text));
    assert_string_equal(text, "127.0.0");
    sw_addr_text(&(struct sw_addr){.len = 0}, text, sizeof(text));
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literals_come_back_as_text),
        cmocka_unit_test(test_what_is_no_literal_is_refused),
        cmocka_unit_test(test_text_is_cut_at_the_buffers_end),
    };
    return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
