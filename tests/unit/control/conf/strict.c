/* What is refused or warned about, and that the text names file, line, column and key path. */
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

static void test_each_wrong_key_or_value_is_told_with_its_place(void **state)
{
    // Column 5 is where keys begin; they stand on line 5.
    static const struct {
        const char *keys;
        const char *text; /* behind "c.yaml:" */
    } cases[] = {
        {"numbr: 5",
         "5:5: processors::probe::numbr: invalid key \"numbr\", did you mean \"number\"?"},
        {"Number: 5",
         "5:5: processors::probe::Number: invalid key \"Number\", did you mean \"number\"?"},
        {"whatever_this_is: 5", "5:5: processors::probe::whatever_this_is: invalid key"},
        {"section: {cuont: 1}",
         "5:15: processors::probe::section::cuont: invalid key \"cuont\", did you mean \"count\"?"},
        {"items: [{name: a}, {nam: b}]",
         "5:25: processors::probe::items::1::nam: invalid key \"nam\", did you mean \"name\"?"},
        {"number: '100'",
         "5:13: processors::probe::number: expected type 'uint32', got unconvertible type "
         "'string'"},
        {"number: -1",
         "5:13: processors::probe::number: cannot parse value as 'uint32': -1 overflows uint"},
        {"small: {a: 1}",
         "5:12: processors::probe::small: expected type 'int32', got unconvertible type 'map'"},
        {"flag: 'true'",
         "5:11: processors::probe::flag: expected type 'bool', got unconvertible type 'string'"},
        {"flag: 1",
         "5:11: processors::probe::flag: expected type 'bool', got unconvertible type 'int'"},
        {"text: 5",
         "5:11: processors::probe::text: expected type 'string', got unconvertible type 'int'"},
        {"text: 2024-01-01", "5:11: processors::probe::text: expected type 'string', got"},
        {"ratio: x", "5:12: processors::probe::ratio: expected type 'float64'"},
        {"wait: 5x", "5:11: processors::probe::wait: time: unknown unit"},
        {"wait: '5'", "5:11: processors::probe::wait: time: missing unit in duration \"5\""},
        {"word: lowest",
         "5:11: processors::probe::word: unsupported value \"lowest\", expected one of: low, "
         "middle, "
         "high"},
        {"words: [low, no]", "5:18: processors::probe::words::1: unsupported value \"no\""},
        {"texts: one",
         "5:12: processors::probe::texts: source data must be an array or slice, got string"},
        {"texts: [a, 5]", "5:16: processors::probe::texts::1: expected type 'string'"},
        {"items: {name: a}",
         "5:12: processors::probe::items: source data must be an array or slice"},
        {"items: [5]", "5:13: processors::probe::items::0: expected a map or struct, got \"int\""},
        {"section: 5", "5:14: processors::probe::section: expected a map or struct, got \"int\""},
        {"optional: true", "5:15: processors::probe::optional: expected a map or struct"},
        {"optional: {enabled: 1}",
         "5:25: processors::probe::optional::enabled: expected type 'bool'"},
        {"pointer: x", "5:14: processors::probe::pointer: expected a map or struct"},
        {"id: a/",
         "5:9: processors::probe::id: in \"a/\" id: the part after / should not be empty"},
        {"headers: 5", "5:14: processors::probe::headers: expected a map or a list"},
        {"headers: {a: 5}", "5:18: processors::probe::headers::a: expected type 'string'"},
        {"headers: [{name: a, valu: b}]", "5:25: processors::probe::headers::0::valu: invalid key"},
        {"headers: [{name: a}, {name: a}]",
         "5:14: processors::probe::headers: duplicate name \"a\""},
        {"value: 2024-01-01", "5:12: processors::probe::value: a timestamp is no value"},
        {"items: [{name: a}, {small: 1}]",
         "5:24: processors::probe::items::1::name: name is needed"},
        {"small: 101", "5:12: processors::probe::small: must not be above 100"},
        {"flag: true\nflag: false", "6:5: mapping key \"flag\" already defined at line 5"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char whole[256];
        snprintf(whole, sizeof(whole), "c.yaml:%s", cases[i].text);
        world_open();
        world_load_probe(cases[i].keys);
        assert_int_equal(world.err, SW_E_INVALID);
        const char *found = world_finding(whole);
        if (found == NULL || found != strstr(found, "c.yaml:")) {
            fail_msg("%s: %s", cases[i].keys, world_finding_at(0));
        }
        world_close();
    }
}

static void test_all_errors_are_told_together(void **state)
{
    world_load_probe("numbr: 5\nflag: 1\nwait: 5x");
    assert_int_equal(world.err, SW_E_INVALID);
    assert_int_equal(world.errors.refused_count, 3);
    assert_non_null(world_finding("c.yaml:5:5: "));
    assert_non_null(world_finding("c.yaml:6:11: "));
    assert_non_null(world_finding("c.yaml:7:11: "));
}

static void test_unknown_top_key_and_service_key_are_refused(void **state)
{
    world_load_text("receivers: {source: }\nexporters: {sink: }\nexporter: {}\n"
                    "service:\n  pipelines: {traces: {receivers: [source], exporters: [sink]}}\n"
                    "  pipeline: {}\n  telemetry: {logs: {levl: info}}\n");
    assert_int_equal(world.err, SW_E_INVALID);
    assert_non_null(world_finding("c.yaml:3:1: exporter: invalid key \"exporter\", did you mean"));
    assert_non_null(world_finding("c.yaml:6:3: service::pipeline: invalid key"));
    assert_non_null(world_finding("c.yaml:7:22: service::telemetry::logs::levl: invalid key"));
}

static void test_older_spelling_is_a_warning_and_refused_when_strict(void **state)
{
    world_load_probe("old: x");
    assert_int_equal(world.err, 0);
    assert_non_null(
        world_finding("c.yaml:5:5: processors::probe::old: is an older spelling, use text")
    );
    assert_int_equal(world.errors.warnings_count, 1);
    world.args.strict = true;
    world_load();
    assert_int_equal(world.err, SW_E_INVALID);
}

static void test_older_type_is_a_warning_and_only_logging_is_refused_when_strict(void **state)
{
    static const char text[] =
        "receivers: {source: }\nexporters: {drain: , %s}\n"
        "service: {pipelines: {traces: {receivers: [source], exporters: [drain]}}}\n";
    char with_logging[256];
    char without[256];
    snprintf(with_logging, sizeof(with_logging), text, "logging: ");
    snprintf(without, sizeof(without), text, "sink: ");
    world_load_text(with_logging);
    assert_int_equal(world.err, 0);
    assert_non_null(world_finding("exporters::drain: \"drain\" is an older name of \"sink\""));
    assert_non_null(world_finding("exporters::logging: \"logging\" is an older name of \"shown\""));
    world.args.strict = true;
    world_load();
    assert_int_equal(world.err, SW_E_INVALID);
    world_open();
    world.args.strict = true;
    world_load_text(without);
    assert_int_equal(world.err, 0);
}

static void test_key_without_effect_warns_only_when_it_says_something(void **state)
{
    world_load_probe("no_effect: true");
    assert_int_equal(world.err, 0);
    assert_non_null(world_finding(
        "c.yaml:5:5: processors::probe::no_effect: has no effect here (no collector here)"
    ));
    world_open();
    world_load_probe("no_effect: false");
    assert_int_equal(world.err, 0);
    assert_int_equal(world.errors.count, 0);
}

static void test_key_not_yet_supported_warns_in_validate_and_refuses_the_start(void **state)
{
    world_load_probe("not_yet: 6");
    assert_int_equal(world.err, 0);
    assert_non_null(world_finding("processors::probe::not_yet: is not supported yet"));
    world.args.purpose = SW_CONF_START;
    world_load();
    assert_int_equal(world.err, SW_E_INVALID);
    world_open();
    world.args.purpose = SW_CONF_START;
    world_load_probe("not_yet: 5");
    assert_int_equal(world.err, 0);
}

static void test_purpose_decides_about_build_and_start_findings(void **state)
{
    static const struct {
        const char *keys;
        enum sw_conf_purpose purpose;
        int err;
    } cases[] = {
        {"small: 99", SW_CONF_PRINT, 0},
        {"small: 99", SW_CONF_VALIDATE, SW_E_INVALID},
        {"small: 99", SW_CONF_START, SW_E_INVALID},
        {"small: 98", SW_CONF_PRINT, 0},
        {"small: 98", SW_CONF_VALIDATE, 0},
        {"small: 98", SW_CONF_START, SW_E_INVALID},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        world_open();
        world.args.purpose = cases[i].purpose;
        world_load_probe(cases[i].keys);
        assert_int_equal(world.err, cases[i].err);
        assert_int_equal(world.errors.count, 1);
        assert_int_equal(world.errors.items[0].refused, cases[i].err != 0);
        world_close();
    }
}

static void test_unused_component_is_checked_but_not_for_build_and_start(void **state)
{
    static const char text[] =
        "receivers: {source: }\nexporters: {sink: }\nprocessors: {probe: {small: %d}}\n"
        "service: {pipelines: {traces: {receivers: [source], exporters: [sink]}}}\n";
    char used[512];
    world.args.purpose = SW_CONF_START;
    snprintf(used, sizeof(used), text, 98);
    world_load_text(used);
    assert_int_equal(world.err, 0);
    assert_non_null(world_finding("c.yaml:3:14: processors::probe: is configured but not used"));
    assert_non_null(world_finding("does not start"));
    world_open();
    snprintf(used, sizeof(used), text, 101);
    world_load_text(used);
    assert_int_equal(world.err, SW_E_INVALID);
}

static void test_long_path_is_cut_and_nothing_breaks(void **state)
{
    char keys[2048];
    memset(keys, 'k', sizeof(keys));
    memcpy(keys, "headers: {? ", 12);
    memcpy(keys + sizeof(keys) - 6, ": 5}", 5);
    world_load_probe(keys);
    assert_int_equal(world.err, SW_E_INVALID);
    assert_non_null(world_finding("expected type 'string'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_wrong_key_or_value_is_told_with_its_place),
        cmocka_unit_test_setup_teardown(test_all_errors_are_told_together, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_unknown_top_key_and_service_key_are_refused, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(
            test_older_spelling_is_a_warning_and_refused_when_strict, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(
            test_older_type_is_a_warning_and_only_logging_is_refused_when_strict, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(
            test_key_without_effect_warns_only_when_it_says_something, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(
            test_key_not_yet_supported_warns_in_validate_and_refuses_the_start, setup, teardown
        ),
        cmocka_unit_test(test_purpose_decides_about_build_and_start_findings),
        cmocka_unit_test_setup_teardown(
            test_unused_component_is_checked_but_not_for_build_and_start, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(test_long_path_is_cut_and_nothing_breaks, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
