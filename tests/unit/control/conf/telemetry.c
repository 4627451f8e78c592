/* The service section: telemetry of ourselves. */
#include "tests/unit/control/conf/world.h"

static int setup(void **state)
{
    world_open();
    return 0;
}

static int teardown(void **state)
{
    world_close();
    return 0;
}

static void load(const char *telemetry)
{
    static char text[2048];
    snprintf(
        text,
        sizeof(text),
        "receivers: {source: }\nexporters: {sink: }\nservice:\n"
        "  pipelines: {traces: {receivers: [source], exporters: [sink]}}\n  telemetry:\n    %s\n",
        telemetry
    );
    world_load_text(text);
}

static const struct sw_pull_reader_conf *page(void)
{
    if (world.conf == NULL) {
        fail_msg("%s", world_finding_at(0));
    }
    const struct sw_list *readers = &world.conf->service.telemetry.metrics.readers;
    assert_int_equal(readers->count, 1);
    const struct sw_reader_conf *reader = readers->items;
    assert_true(reader->pull.enabled);
    assert_true(reader->pull.exporter.prometheus.enabled);
    return &reader->pull.exporter.prometheus.page;
}

static void test_nothing_written_is_a_page_on_localhost(void **state)
{
    load("logs:");
    assert_string_equal(page()->host, "localhost");
    assert_int_equal(page()->port, 8888);
    assert_true(page()->without_type_suffix && page()->without_units);
    assert_int_equal(world.conf->service.telemetry.logs.level, SW_LOG_INFO);
    assert_true(world.conf->service.telemetry.logs.sampling.enabled);
    assert_int_equal(world.conf->service.telemetry.metrics.level, SW_METRICS_NORMAL);
}

static void test_written_reader_replaces_it_and_switches_stay_true(void **state)
{
    load(
        "metrics: {level: DETAILED, readers: [{pull: {exporter: {prometheus: {host: 0.0.0.0, port: "
        "9, without_units: false}}}}]}"
    );
    assert_string_equal(page()->host, "0.0.0.0");
    assert_int_equal(page()->port, 9);
    assert_true(page()->without_type_suffix);
    assert_false(page()->without_units);
    assert_int_equal(world.conf->service.telemetry.metrics.level, SW_METRICS_DETAILED);
}

static void test_older_address_becomes_a_reader_with_a_warning(void **state)
{
    static const struct {
        const char *address;
        const char *host; /* NULL: refused */
        unsigned port;
    } cases[] = {
        {":8889", "", 8889},
        {"127.0.0.1:9", "127.0.0.1", 9},
        {"[::1]:8888", "::1", 8888},
        {"localhost", NULL, 0},
        {"localhost:", NULL, 0},
        {"localhost:x", NULL, 0},
        {"localhost:65536", NULL, 0},
        {"localhost:-1", NULL, 0},
        {"localhost:+1", NULL, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[128];
        snprintf(text, sizeof(text), "metrics: {address: '%s'}", cases[i].address);
        world_open();
        load(text);
        if (cases[i].host == NULL) {
            assert_int_equal(world.err, SW_E_INVALID);
            assert_non_null(world_finding("is not host:port"));
        } else {
            assert_string_equal(page()->host, cases[i].host);
            assert_int_equal(page()->port, cases[i].port);
            assert_non_null(world_finding("service::telemetry::metrics::address: is an older"));
        }
    }
    world_open();
    world.args.strict = true;
    load("metrics: {address: ':8888'}");
    assert_int_equal(world.err, SW_E_INVALID);
}

static void test_what_the_collector_refuses_is_refused(void **state)
{
    static const struct {
        const char *telemetry;
        const char *words;
    } cases[] = {
        {"logs: {level: loud}", "service::telemetry::logs::level: unsupported value \"loud\""},
        {"metrics: {level: some}", "service::telemetry::metrics::level: unsupported value"},
        {"metrics: {level: basic, readers: []}", "metrics reader should exist when"},
        {"metrics: {readers: [{}]}", "metrics::readers::0: a reader is either pull or periodic"},
        {"metrics: {readers: [{pull: {exporter: {}}}]}", "no valid metric exporter"},
        {"metrics: {readers: [{pull: {exporter: {prometheus: {with_resource_constant_labels: "
         "{include: [a]}}}}}]}",
         "with_resource_constant_labels: invalid key \"include\""},
        {"metrics: {readers: [{pull: {exporter: {prometheus: {with_resource_constant_labels: "
         "{included: a}}}}}]}",
         "\"included\" must be a list of names"},
        {"metrics: {views: [{selector: {}}]}", "can only be set when"},
        {"metrics: {level: detailed, views: {a: b}}", "must be a list"},
        {"resource: [1]", "service::telemetry::resource: must be a map"},
        {"resource: {a: [1]}", "the value of \"a\" must be a scalar or null"},
        {"resource: {attributes: [{name: a}, {key: a}]}",
         "service::telemetry::resource::attributes: item 1 is not {name, value}"},
        {"logs: {initial_fields: 5}", "must be a map"},
        {"metrics: {address: ':1', readers: [{pull: {exporter: {prometheus: }}}]}",
         "address and readers exclude each other"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        world_open();
        load(cases[i].telemetry);
        assert_int_equal(world.err, SW_E_INVALID);
        if (world_finding(cases[i].words) == NULL) {
            fail_msg("%s: %s", cases[i].telemetry, world_finding_at(0));
        }
    }
}

static void test_no_metrics_need_no_reader(void **state)
{
    load("metrics: {level: none, readers: []}");
    assert_int_equal(world.err, 0);
    assert_int_equal(world.conf->service.telemetry.metrics.readers.count, 0);
}

static void test_pushing_our_own_metrics_is_refused_at_start(void **state)
{
    load("metrics: {readers: [{periodic: {exporter: {console: }}}]}");
    assert_int_equal(world.err, 0);
    assert_non_null(world_finding("metrics::readers::0::periodic: is not supported yet"));
    world.args.purpose = SW_CONF_START;
    world_load();
    assert_int_equal(world.err, SW_E_INVALID);
}

static void test_resource_map_is_kept_with_its_nulls(void **state)
{
    load("resource: {service.name: x, service.instance.id: null}");
    assert_int_equal(world.err, 0);
    const struct sw_value *resource = &world.conf->service.telemetry.resource;
    assert_int_equal(resource->list.count, 2);
    assert_string_equal(SW_LIST_AT(resource->list, struct sw_value_entry, 0).value.string, "x");
    assert_int_equal(
        SW_LIST_AT(resource->list, struct sw_value_entry, 1).value.kind, SW_VALUE_NULL
    );
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_nothing_written_is_a_page_on_localhost, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(
            test_written_reader_replaces_it_and_switches_stay_true, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(
            test_older_address_becomes_a_reader_with_a_warning, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(
            test_what_the_collector_refuses_is_refused, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(test_no_metrics_need_no_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_pushing_our_own_metrics_is_refused_at_start, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(test_resource_map_is_kept_with_its_nulls, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
