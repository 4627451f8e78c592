#include "control/health/health_check.h"

#include "dataplane/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define NOW_NS  (500 * SW_NS_PER_S)
#define WALL_NS (UINT64_C(1760965020) * SW_NS_PER_S + 123456700)

static struct sw_health_check_conf conf_of(const char *path)
{
    return (struct sw_health_check_conf){.path = path};
}

static void check_answer(
    const struct sw_health_check *health,
    const char *path,
    int status,
    const char *type,
    const char *body
)
{
    struct sw_admin_request request = {.method = "GET", .path = path, .query = "", .accept = ""};
    struct sw_admin_reply reply = {.status = 200};
    sw_health_check_answer(health, &request, &reply);
    assert_int_equal(reply.status, status);
    if (type == NULL) {
        assert_null(reply.content_type);
    } else {
        assert_string_equal(reply.content_type, type);
    }
    assert_string_equal(reply.body.data, body);
    sw_string_fini(&reply.body);
}

#define NOT_AVAILABLE                                                                              \
    "{\"status\":\"Server not available\",\"upSince\":\"0001-01-01T00:00:00Z\",\"uptime\":\"\"}"

static void test_states_are_told_as_the_collector_does(void **state)
{
    (void)state;
    struct sw_health_check_conf conf = conf_of("/");
    struct sw_health_check *health = NULL;
    assert_int_equal(sw_health_check_new(&conf, &health), 0);
    check_answer(health, "/", 503, "application/json", NOT_AVAILABLE);
    sw_health_check_poll(health, NOW_NS);
    sw_health_check_set_ready(health, true, NOW_NS, WALL_NS);
    sw_health_check_poll(health, NOW_NS + 61500 * SW_NS_PER_MS);
    check_answer(
        health,
        "/any/path",
        200,
        "application/json",
        "{\"status\":\"Server available\",\"upSince\":\"2025-10-20T12:57:00.1234567Z\","
        "\"uptime\":\"1m1.5s\"}"
    );
    sw_health_check_set_ready(health, false, NOW_NS, WALL_NS);
    check_answer(health, "/", 503, "application/json", NOT_AVAILABLE);
    sw_health_check_free(health);
    sw_health_check_free(NULL);
}

static void test_another_path_is_the_only_one(void **state)
{
    (void)state;
    struct sw_health_check_conf conf = conf_of("/health/status");
    struct sw_health_check *health = NULL;
    assert_int_equal(sw_health_check_new(&conf, &health), 0);
    check_answer(health, "/health/status", 503, "application/json", NOT_AVAILABLE);
    static const char *const others[] = {"/", "/health", "/health/status/", "/health/statusx"};
    for (unsigned i = 0; i < 4; i++) {
        check_answer(health, others[i], 404, "text/plain; charset=utf-8", "404 page not found\n");
    }
    sw_health_check_free(health);
}

static void test_configured_bodies_replace_json(void **state)
{
    (void)state;
    struct sw_health_check_conf conf = conf_of("/");
    conf.response_body.enabled = true;
    conf.response_body.healthy = "fine";
    conf.response_body.unhealthy = "";
    struct sw_health_check *health = NULL;
    assert_int_equal(sw_health_check_new(&conf, &health), 0);
    check_answer(health, "/", 503, NULL, "");
    sw_health_check_set_ready(health, true, NOW_NS, WALL_NS);
    check_answer(health, "/", 200, "text/plain; charset=utf-8", "fine");
    sw_health_check_free(health);
}

static void test_durations_are_written_as_go_does(void **state)
{
    (void)state;
    static const struct {
        uint64_t ns;
        const char *text;
    } cases[] = {
        {0, "0s"},
        {1, "1ns"},
        {1100, "1.1µs"},
        {2200000, "2.2ms"},
        {999999999, "999.999999ms"},
        {1000000000, "1s"},
        {3300000000, "3.3s"},
        {60000000000, "1m0s"},
        {3600000000000, "1h0m0s"},
        {93661 * SW_NS_PER_S + 1, "26h1m1.000000001s"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sw_string text = {0};
        sw_health_check_put_duration(&text, cases[i].ns);
        assert_string_equal(text.data, cases[i].text);
        sw_string_fini(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states_are_told_as_the_collector_does),
        cmocka_unit_test(test_another_path_is_the_only_one),
        cmocka_unit_test(test_configured_bodies_replace_json),
        cmocka_unit_test(test_durations_are_written_as_go_does),
    };
    setenv("TZ", "UTC", 1);
    tzset();
    return cmocka_run_group_tests_name("health_check", tests, NULL, NULL);
}
