/* The appliance file: each setting, what is unknown, of the wrong type or not supported yet. */
#include "control/appliance/appliance.h"
#include "dataplane/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct sw_appliance *appliance;
static char error[512];

static int load(const char *text)
{
    sw_appliance_free(appliance);
    appliance = NULL;
    error[0] = '\0';
    return sw_appliance_load_text("a.conf", text, &appliance, error, sizeof(error));
}

static int teardown(void **state)
{
    sw_mem_fail_at(0, 0);
    sw_appliance_free(appliance);
    appliance = NULL;
    return 0;
}

static void test_empty_file_has_all_defaults(void **state)
{
    assert_int_equal(load(""), 0);
    assert_string_equal(appliance->path, "a.conf");
    assert_int_equal(appliance->workers_count, 0);
    assert_int_equal(appliance->idle, SW_IDLE_ADAPTIVE);
    assert_int_equal(appliance->drain.notice_ns, 0);
    assert_true(appliance->drain.deadline_ns == INT64_C(55000000000));
    assert_false(appliance->drain.retry);
    assert_int_equal(appliance->components_count, 0);
    assert_false(appliance->peers.enabled);
}

static void test_each_setting_is_taken(void **state)
{
    assert_int_equal(
        load("workers = 2;  idle = \"busy\"; # a remark\n"
             "drain = { notice = \"3s\"; deadline = \"1m30s\"; retry = true; };\n"
             "ports = ( );\n"
             "components = ( { kind = \"processor\"; id = \"tail_sampling\"; },\n"
             "               { kind = \"exporter\"; id = \"otlp/traces\"; } );\n"
             "peers = { };\n"),
        0
    );
    assert_int_equal(appliance->workers_count, 2);
    assert_int_equal(appliance->idle, SW_IDLE_BUSY);
    assert_true(appliance->drain.notice_ns == INT64_C(3000000000));
    assert_true(appliance->drain.deadline_ns == INT64_C(90000000000));
    assert_true(appliance->drain.retry);
    assert_int_equal(appliance->components_count, 2);
    const struct sw_appliance_view *view = sw_appliance_find(appliance, "exporter", "otlp/traces");
    assert_ptr_equal(view, &appliance->components[1]);
    assert_int_equal(view->settings.kind, SW_VALUE_MAP);
    assert_null(sw_appliance_find(appliance, "receiver", "otlp/traces"));
    assert_null(sw_appliance_find(appliance, "exporter", "otlp"));
}

static void test_words_of_idle(void **state)
{
    assert_int_equal(load("idle = \"interrupt\";"), 0);
    assert_int_equal(appliance->idle, SW_IDLE_INTERRUPT);
    assert_int_equal(load("idle = \"adaptive\";"), 0);
    assert_int_equal(appliance->idle, SW_IDLE_ADAPTIVE);
}

static void test_what_is_wrong_is_told_with_its_line(void **state)
{
    static const struct {
        const char *text;
        const char *error;
    } cases[] = {
        {"wokers = 2;",
         "a.conf:1: unknown setting wokers (known: workers, idle, drain, ports, components, "
         "peers)"},
        {"workers = 2;\ndrain = { notce = \"1s\"; };",
         "a.conf:2: unknown setting drain.notce (known: notice, deadline, retry)"},
        {"notice = \"1s\";", "a.conf:1: unknown setting notice"},
        {"workers = 0;", "a.conf:1: workers must be a number from 1 to 64"},
        {"workers = 65;", "a.conf:1: workers must be a number from 1 to 64"},
        {"workers = -1;", "a.conf:1: workers must be a number"},
        {"workers = 2.5;", "a.conf:1: workers must be a number"},
        {"workers = \"2\";", "a.conf:1: workers must be a number"},
        {"workers = 99999999999L;", "a.conf:1: workers must be a number"},
        {"idle = \"lazy\";", "a.conf:1: idle must be \"busy\", \"adaptive\" or \"interrupt\""},
        {"idle = 1;", "a.conf:1: idle must be a text in quotes"},
        {"drain = 5;", "a.conf:1: drain must be a group: { … }"},
        {"drain = {\n  deadline = 55;\n};", "a.conf:2: deadline must be a text in quotes"},
        {"drain = { deadline = \"55\"; };", "a.conf:1: deadline: missing unit in duration \"55\""},
        {"drain = { notice = \"-1s\"; };", "a.conf:1: notice must not be negative"},
        {"drain = { retry = 1; };", "a.conf:1: retry must be true or false"},
        {"ports = ( { name = \"eth0\"; } );", "a.conf:1: ports: NIC ports are not supported yet"},
        {"ports = { };", "a.conf:1: ports: NIC ports are not supported yet"},
        {"peers = { resolver = { }; };",
         "a.conf:1: unknown setting peers.resolver (known: static, dns, self, ring_generation, "
         "timeout)"},
        {"peers = {\n self = ( \"a\" ); };",
         "a.conf:1: peers needs either static = { hostnames = … } or dns = { hostname = … }"},
        {"peers = { static = { hostnames = ( ); }; };", "a.conf:1: hostnames must not be empty"},
        {"peers = { static = { hostnames = \"a\"; }; };",
         "a.conf:1: hostnames must be a list of texts"},
        {"peers = { static = { hostnames = ( 1 ); }; };",
         "a.conf:1: hostnames must hold texts that are not empty"},
        {"peers = { static = { hostnames = ( \"a:1\" ); };\n dns = { hostname = \"b\"; }; };",
         "a.conf:1: peers needs either static"},
        {"peers = { dns = { hostname = \"b\"; port = 0; }; };",
         "a.conf:1: port must be a number from 1 to 65535"},
        {"peers = { dns = { hostname = \"b\"; port = \"4317x\"; }; };",
         "a.conf:1: port must be a number from 1 to 65535"},
        {"peers = { dns = { hostname = \"b\"; interval = \"0s\"; }; };",
         "a.conf:1: interval must be more than 0"},
        {"peers = { dns = { hostname = \"b\"; }; ring_generation = \"D\"; };",
         "a.conf:1: ring_generation must be \"A\", \"B\" or \"C\""},
        {"peers = ( );", "a.conf:1: peers must be a group: { … }"},
        {"components = { };", "a.conf:1: components must be a list: ( { … }, { … } )"},
        {"components = ( 5 );", "a.conf:1: an entry of components must be a group"},
        {"components = ( { id = \"a\"; } );", "a.conf:1: an entry of components needs kind"},
        {"components = ( { kind = \"pump\"; id = \"a\"; } );", "an entry of components needs kind"},
        {"components = ( { kind = 5; id = \"a\"; } );", "an entry of components needs kind"},
        {"components = ( { kind = \"exporter\"; } );", "a.conf:1: an entry of components needs id"},
        {"components = ( { kind = \"exporter\"; id = \"\"; } );", "needs id"},
        {"components = ( { kind = \"exporter\"; id = \"a\"; },\n { kind = \"exporter\"; id = "
         "\"a\"; } );",
         "a.conf:2: exporter \"a\" has two entries in components"},
        {"components = ( { kind = \"processor\"; id = \"a\";\n evict = \"keep\"; } );",
         "a.conf:2: setting evict of components is not supported yet"},
        {"components = ( { kind = \"processor\"; id = \"a\"; evict = 1; } );",
         "a.conf:1: setting evict of components is not supported yet"},
        {"components = ( { kind = \"processor\"; id = \"a\"; failover = \"none\"; } );",
         "a.conf:1: unknown setting failover of a processor"},
        {"workers = 2;\nworkers = 3;", "a.conf:2: duplicate setting name"},
        {"workers = ;", "a.conf:1: syntax error"},
        {"workers 2", "a.conf:1: syntax error"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(load(cases[i].text), SW_E_INVALID);
        assert_null(appliance);
        if (strstr(error, cases[i].error) == NULL) {
            fail_msg("%s: no \"%s\" in \"%s\"", cases[i].text, cases[i].error, error);
        }
    }
}

static void test_peers_are_read(void **state)
{
    assert_int_equal(
        load("peers = { static = { hostnames = ( \"10.0.0.1:4317\", \"10.0.0.2:4317\" ); };\n"
             "  self = [ \"10.0.0.2\" ]; ring_generation = \"B\"; timeout = \"500ms\"; };"),
        0
    );
    assert_true(appliance->peers.enabled);
    assert_int_equal(appliance->peers.hostnames.count, 2);
    assert_string_equal(SW_LIST_AT(appliance->peers.hostnames, const char *, 1), "10.0.0.2:4317");
    assert_string_equal(SW_LIST_AT(appliance->peers.self, const char *, 0), "10.0.0.2");
    assert_int_equal(appliance->peers.generation, 1);
    assert_int_equal(appliance->peers.timeout_ns, 500000000);
    assert_null(appliance->peers.dns.hostname);
    assert_int_equal(load("peers = { dns = { hostname = \"gw\"; port = \"5317\"; }; };"), 0);
    assert_string_equal(appliance->peers.dns.hostname, "gw");
    assert_string_equal(appliance->peers.dns.port, "5317");
    assert_int_equal(appliance->peers.dns.interval_ns, INT64_C(5000000000));
    assert_int_equal(appliance->peers.generation, 2);
    assert_int_equal(load("peers = { dns = { hostname = \"gw\"; port = 1234; }; };"), 0);
    assert_string_equal(appliance->peers.dns.port, "1234");
}

static void test_first_failure_is_the_one_told(void **state)
{
    assert_int_equal(load("idle = 1;\nworkers = 0;\nnope = 1;"), SW_E_INVALID);
    assert_string_equal(error, "a.conf:1: idle must be a text in quotes");
}

static void test_short_error_buffer_is_terminated(void **state)
{
    char small[8];
    assert_int_equal(
        sw_appliance_load_text("a.conf", "nope = 1;", &appliance, small, sizeof(small)),
        SW_E_INVALID
    );
    assert_string_equal(small, "a.conf:");
}

static void test_each_failing_allocation_ends_cleanly(void **state)
{
    static const char text[] = "workers = 2; drain = { notice = \"1s\"; };\n"
                               "components = ( { kind = \"exporter\"; id = \"a\"; },\n"
                               "               { kind = \"exporter\"; id = \"b\"; } );\n";
    sw_mem_fail_at(UINT64_MAX, 0);
    assert_int_equal(load(text), 0);
    uint64_t count = sw_mem_fail_at(0, 0);
    assert_true(count > 5);
    for (uint64_t nth = 1; nth <= count; nth++) {
        sw_appliance_free(appliance);
        appliance = NULL;
        sw_mem_fail_at(nth, 0);
        assert_int_equal(
            sw_appliance_load_text("a.conf", text, &appliance, error, sizeof(error)), SW_E_NOMEM
        );
        sw_mem_fail_at(0, 0);
        assert_null(appliance);
        assert_non_null(strstr(error, "out of memory"));
    }
}

/* ---- which file ---- */

static char path[] = "/tmp/spanweir-test-XXXXXX";

static void write_file(const char *text, size_t len)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    fclose(file);
}

static int load_file(const char *name)
{
    sw_appliance_free(appliance);
    appliance = NULL;
    error[0] = '\0';
    return sw_appliance_load(name, &appliance, error, sizeof(error));
}

static void test_named_file_wins_over_the_environment(void **state)
{
    write_file("workers = 5;", 12);
    setenv(SW_APPLIANCE_ENV, "/no/such/appliance.conf", 1);
    assert_int_equal(load_file(path), 0);
    assert_int_equal(appliance->workers_count, 5);
    assert_string_equal(appliance->path, path);
    assert_int_equal(load_file(NULL), SW_E_SYSTEM);
    assert_string_equal(error, "/no/such/appliance.conf: No such file or directory");
    setenv(SW_APPLIANCE_ENV, path, 1);
    assert_int_equal(load_file(NULL), 0);
    assert_int_equal(appliance->workers_count, 5);
    unsetenv(SW_APPLIANCE_ENV);
}

static void test_file_that_cannot_be_read_is_refused(void **state)
{
    assert_int_equal(load_file("/no/such/appliance.conf"), SW_E_SYSTEM);
    assert_int_equal(load_file("/tmp"), SW_E_SYSTEM);
    assert_string_equal(error, "/tmp: Is a directory");
    write_file("workers = 5;\0idle", 17);
    assert_int_equal(load_file(path), SW_E_INVALID);
    assert_non_null(strstr(error, "holds a NUL character"));
}

static void test_settings_are_listed_for_the_reference_page(void **state)
{
    struct sw_appliance_setting setting;
    size_t count = 0;
    bool deadline = false;
    for (; sw_appliance_setting(count, &setting); count++) {
        assert_non_null(setting.type);
        assert_true(strlen(setting.help) > 5);
        deadline |= strcmp(setting.name, "drain.deadline") == 0;
    }
    assert_int_equal(count, 29);
    assert_true(deadline);
    assert_false(sw_appliance_setting(count + 1, &setting));
}

static int group_setup(void **state)
{
    int fd = mkstemp(path);
    close(fd);
    return fd < 0;
}

static int group_teardown(void **state)
{
    unlink(path);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_empty_file_has_all_defaults, teardown),
        cmocka_unit_test_teardown(test_each_setting_is_taken, teardown),
        cmocka_unit_test_teardown(test_words_of_idle, teardown),
        cmocka_unit_test_teardown(test_what_is_wrong_is_told_with_its_line, teardown),
        cmocka_unit_test_teardown(test_peers_are_read, teardown),
        cmocka_unit_test_teardown(test_first_failure_is_the_one_told, teardown),
        cmocka_unit_test_teardown(test_short_error_buffer_is_terminated, teardown),
        cmocka_unit_test_teardown(test_each_failing_allocation_ends_cleanly, teardown),
        cmocka_unit_test_teardown(test_named_file_wins_over_the_environment, teardown),
        cmocka_unit_test_teardown(test_file_that_cannot_be_read_is_refused, teardown),
        cmocka_unit_test_teardown(test_settings_are_listed_for_the_reference_page, teardown),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
