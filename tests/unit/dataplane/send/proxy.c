/* Which proxy: Go's rules for the environment. */
#include "dataplane/send/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *http_proxy;
static const char *https_proxy;
static const char *no_proxy;

static const char *environment(const char *name)
{
    if (strcmp(name, "HTTP_PROXY") == 0) {
        return http_proxy;
    }
    if (strcmp(name, "https_proxy") == 0) {
        return https_proxy;
    }
    return strcmp(name, "no_proxy") == 0 ? no_proxy : NULL;
}

// "host:port" of the proxy, "" for none, "!" for an error.
static const char *proxy_of(const char *url, const char *exclude)
{
    static char text[128];
    struct sw_endpoint endpoint;
    struct sw_proxy proxy;
    const char *name = "";
    const char *why = "";
    no_proxy = exclude;
    assert_int_equal(sw_endpoint_parse_url(url, &endpoint, &why), 0);
    if (sw_proxy_of_environment(environment, &endpoint, endpoint.https, &proxy, &name, &why) != 0) {
        assert_true(why[0] != '\0');
        return "!";
    }
    text[0] = '\0';
    if (proxy.host != NULL) {
        snprintf(text, sizeof(text), "%s:%u", proxy.host, proxy.port);
    }
    sw_proxy_fini(&proxy);
    return text;
}

static void test_variables_name_the_proxy_by_scheme(void **state)
{
    http_proxy = "http://p1:3128";
    https_proxy = "p2";
    assert_string_equal(proxy_of("http://a.example", NULL), "p1:3128");
    assert_string_equal(proxy_of("https://a.example", NULL), "p2:80");
    http_proxy = "";
    assert_string_equal(proxy_of("http://a.example", NULL), "");
    http_proxy = "socks5://p1";
    assert_string_equal(proxy_of("http://a.example", NULL), "!");
    http_proxy = "http://p1:x";
    assert_string_equal(proxy_of("http://a.example", NULL), "!");
    http_proxy = "[::1]:8080";
    assert_string_equal(proxy_of("http://a.example", NULL), "::1:8080");
}

static void test_this_machine_needs_none(void **state)
{
    http_proxy = "p";
    assert_string_equal(proxy_of("http://localhost:1", NULL), "");
    assert_string_equal(proxy_of("http://127.9.9.9:1", NULL), "");
    assert_string_equal(proxy_of("http://[::1]:1", NULL), "");
    assert_string_equal(proxy_of("http://128.0.0.1:1", NULL), "p:80");
}

static void test_no_proxy_excludes_names_addresses_and_networks(void **state)
{
    static const struct {
        const char *url;
        const char *exclude;
        bool excluded;
    } cases[] = {
        {"http://a.example", "*", true},
        {"http://a.example", "b.example,a.example", true},
        {"http://x.a.example", "a.example", true},
        {"http://xa.example", "a.example", false},
        {"http://a.example", ".a.example", false},
        {"http://x.a.example", " .a.example ", true},
        {"http://x.a.example", "*.a.example", true},
        {"http://A.Example:81", "a.example:80", false},
        {"http://A.Example:81", "a.example:81", true},
        {"http://10.1.2.3", "10.1.2.3", true},
        {"http://10.1.2.3", "10.1.0.0/16", true},
        {"http://10.1.2.3", "10.1.2.2/31", true},
        {"http://10.1.2.4", "10.1.2.2/31", false},
        {"http://10.1.2.3", "10.1.2.3:81", false},
        {"http://[fd00::5]:80", "fd00::/8", true},
        {"http://[fd00::5]:80", "[fd00::5]:80", true},
        {"http://[fd00::5]:80", "fd00::5", true},
        {"http://[fd00::5]:80", "fd00::6,10.0.0.0/0", false},
        {"http://a.example", "10.0.0.0/8,,", false},
    };
    http_proxy = "p";
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(
            proxy_of(cases[i].url, cases[i].exclude), cases[i].excluded ? "" : "p:80"
        );
    }
}

static void test_user_of_the_proxy_becomes_its_authorization(void **state)
{
    static const struct {
        const char *url;
        const char *authorization;
    } cases[] = {
        {"http://Aladdin:open%20sesame@p", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
        {"u@p:1", "Basic dTo="},
        {"u:pw@p:1", "Basic dTpwdw=="},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sw_proxy proxy;
        const char *why = "";
        assert_int_equal(sw_proxy_parse(cases[i].url, &proxy, &why), 0);
        assert_string_equal(proxy.host, "p");
        assert_string_equal(proxy.authorization, cases[i].authorization);
        sw_proxy_fini(&proxy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_variables_name_the_proxy_by_scheme),
        cmocka_unit_test(test_this_machine_needs_none),
        cmocka_unit_test(test_no_proxy_excludes_names_addresses_and_networks),
        cmocka_unit_test(test_user_of_the_proxy_becomes_its_authorization),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
