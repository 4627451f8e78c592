#include "control/service/listener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_endpoints_are_split(void **state)
{
    (void)state;
    static const struct {
        const char *endpoint;
        const char *host;
        uint16_t port;
    } cases[] = {
        {"localhost:4317", "localhost", 4317},
        {":4317", "", 4317},
        {"0.0.0.0:0", "0.0.0.0", 0},
        {"[::1]:65535", "::1", 65535},
        {"[fe80::1%eth0]:1", "fe80::1%eth0", 1},
        {"[]:80", "", 80},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char host[64];
        uint16_t port;
        assert_int_equal(sw_endpoint_split(cases[i].endpoint, host, sizeof(host), &port), 0);
        assert_string_equal(host, cases[i].host);
        assert_int_equal(port, cases[i].port);
    }
}

static void test_what_is_no_endpoint_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "localhost",
        "localhost:",
        "localhost:http",
        "localhost:65536",
        "localhost:-1",
        "localhost:+1",
        "localhost: 1",
        "localhost:80x",
        "localhost:99999999999999999999",
        "::1:4317",
        "[::1:4317",
        "a-name-that-is-longer-than-the-room-for-it:80",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char host[32] = "untouched";
        uint16_t port = 7;
        assert_int_equal(sw_endpoint_split(cases[i], host, sizeof(host), &port), SW_E_INVALID);
        assert_string_equal(host, "untouched");
        assert_int_equal(port, 7);
    }
}

static void test_addresses_to_listen_on_are_found(void **state)
{
    (void)state;
    struct sw_addr addr;
    char text[64];
    assert_int_equal(sw_endpoint_resolve("127.0.0.2", 80, &addr), 0);
    sw_addr_text(&addr, text, sizeof(text));
    assert_string_equal(text, "127.0.0.2:80");
    assert_int_equal(sw_endpoint_resolve("::1", 80, &addr), 0);
    sw_addr_text(&addr, text, sizeof(text));
    assert_string_equal(text, "[::1]:80");
    assert_int_equal(sw_endpoint_resolve("", 80, &addr), 0);
    sw_addr_text(&addr, text, sizeof(text));
    assert_true(strcmp(text, "[::]:80") == 0 || strcmp(text, "0.0.0.0:80") == 0);
    assert_int_equal(sw_endpoint_resolve("localhost", 80, &addr), 0);
    sw_addr_text(&addr, text, sizeof(text));
    assert_string_equal(text, "127.0.0.1:80"); // IPv4 first
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_endpoints_are_split),
        cmocka_unit_test(test_what_is_no_endpoint_is_refused),
        cmocka_unit_test(test_addresses_to_listen_on_are_found),
    };
    return cmocka_run_group_tests_name("endpoint", tests, NULL, NULL);
}
