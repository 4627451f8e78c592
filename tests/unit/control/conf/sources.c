/* Where a configuration comes from: files, variables, text, --set; how they are merged. */
#include "tests/unit/control/conf/world.h"

#define WHOLE                                                                                      \
    "receivers: {source: }\nexporters: {sink: , shown: }\n"                                        \
    "processors: {probe: {text: base, section: {count: 1, name: base}}}\n"                         \
    "service: {pipelines: {traces: {receivers: [source], processors: [probe], exporters: "         \
    "[sink]}}}\n"

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

static void test_later_file_wins_key_by_key(void **state)
{
    world_config("a.yaml", WHOLE);
    world_config("b.yaml", "processors: {probe: {section: {name: over}}}\n");
    world_load();
    assert_int_equal(world.err, 0);
    assert_string_equal(world_probe()->text, "base");
    assert_int_equal(world_probe()->section.count, 1);
    assert_string_equal(world_probe()->section.name, "over");
}

static void test_later_list_replaces_and_null_brings_the_default_back(void **state)
{
    world_config("a.yaml", WHOLE);
    world_config(
        "b.yaml",
        "processors: {probe: {text: }}\nservice: {pipelines: {traces: {exporters: [shown]}}}\n"
    );
    world_load();
    assert_int_equal(world.err, 0);
    assert_string_equal(world_probe()->text, "none");
    assert_int_equal(world.conf->pipelines[0].exporters_count, 1);
    assert_string_equal(world.conf->pipelines[0].exporters[0]->id, "shown");
    assert_int_equal(world.conf->pipelines[0].processors_count, 1);
}

static void test_set_comes_after_all_files_and_replaces_lists(void **state)
{
    world_config("a.yaml", WHOLE);
    world_set("processors.probe.section.count=9");
    world_set(" processors.probe.texts = [x, y, z] ");
    world_set("processors.probe.value={a: 1}");
    world_config("b.yaml", "processors: {probe: {section: {count: 5}}}\n");
    world_load();
    assert_int_equal(world.err, 0);
    assert_int_equal(world_probe()->section.count, 9);
    assert_int_equal(world_probe()->texts.count, 3);
    assert_string_equal(world_probe()->section.name, "base");
    assert_int_equal(world_probe()->value.kind, SW_VALUE_MAP);
}

static void test_wrong_value_of_set_names_set_and_the_key(void **state)
{
    world_config("a.yaml", WHOLE);
    world_set("processors.probe.number=many");
    world_load();
    assert_int_equal(world.err, SW_E_INVALID);
    assert_non_null(world_finding("--set processors.probe.number: processors::probe::number: exp"));
}

static void test_set_without_equal_sign_is_refused(void **state)
{
    world_config("a.yaml", WHOLE);
    world_set("processors.probe.number");
    world_load();
    assert_int_equal(world.err, SW_E_INVALID);
    assert_non_null(world_finding("missing equal sign"));
}

static void test_every_scheme_is_read(void **state)
{
    world_file("more.yaml", "processors: {probe: {small: 1}}\n");
    world_env("MORE", "processors: {probe: {number: 2}}");
    world_config("a.yaml", WHOLE);
    world.configs[world.args.configs_count++] = "file:more.yaml";
    world.configs[world.args.configs_count++] = "env:MORE";
    world.configs[world.args.configs_count++] = "yaml:processors::probe::signed_number: 3";
    world.configs[world.args.configs_count++] = "env:UNSET:-processors: {probe: {big: 4}}";
    world_load();
    assert_int_equal(world.err, 0);
    assert_int_equal(world_probe()->small, 1);
    assert_int_equal(world_probe()->number, 2);
    assert_int_equal(world_probe()->signed_number, 3);
    assert_int_equal(world_probe()->big, 4);
}

static void test_bad_sources_are_refused_with_a_reason(void **state)
{
    static const struct {
        const char *config;
        const char *words;
    } cases[] = {
        {"absent.yaml", "absent.yaml: unable to read the file absent.yaml: No such file"},
        {"http://host/x", "scheme \"http\" is not supported yet"},
        {"gopher:x", "scheme \"gopher\" is not supported"},
        {"1x:y", "invalid uri"},
        {"yaml:[1]", "must be a map at the top, got list"},
        {"yaml:text", "must be a map at the top, got string"},
        {"yaml:a: [", "yaml:a: [:"},
        {"env:9", "has invalid name"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        world_open();
        world.configs[world.args.configs_count++] = cases[i].config;
        world_load();
        assert_int_equal(world.err, SW_E_INVALID);
        if (world_finding(cases[i].words) == NULL) {
            fail_msg(
                "%s: no \"%s\" in \"%s\"", cases[i].config, cases[i].words, world_finding_at(0)
            );
        }
        world_close();
    }
}

static void test_no_config_at_all_is_refused(void **state)
{
    world_load();
    assert_int_equal(world.err, SW_E_INVALID);
    assert_non_null(world_finding("at least one config flag must be provided"));
}

static void test_empty_file_is_refused(void **state)
{
    world_load_text("# nothing\n");
    assert_int_equal(world.err, SW_E_INVALID);
    assert_non_null(world_finding("empty configuration file"));
}

static void test_yaml_error_tells_file_line_and_column(void **state)
{
    world_load_text("receivers:\n  source: [\n");
    assert_int_equal(world.err, SW_E_INVALID);
    assert_non_null(world_finding("c.yaml:3:1: did not find expected node content"));
}

static void test_key_with_colons_at_the_top_nests(void **state)
{
    world_config("a.yaml", WHOLE);
    world_config(
        "b.yaml", "processors::probe::section: {count: 8}\nprocessors::probe::text: deep\n"
    );
    world_load();
    assert_int_equal(world.err, 0);
    assert_int_equal(world_probe()->section.count, 8);
    assert_string_equal(world_probe()->text, "deep");
    assert_string_equal(world_probe()->section.name, "base");
}

static void test_key_of_endless_depth_is_refused(void **state)
{
    struct sw_conf_text text = {0};
    sw_conf_text_puts(&text, "? a");
    for (int i = 0; i < 2 * SW_NODE_HEIGHT_MAX; i++) {
        sw_conf_text_puts(&text, "::a");
    }
    sw_conf_text_puts(&text, "\n: 1\n");
    world_load_text(text.data);
    assert_int_equal(world.err, SW_E_INVALID);
    assert_non_null(world_finding("nested too deeply"));
    sw_conf_text_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_later_file_wins_key_by_key, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_later_list_replaces_and_null_brings_the_default_back, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(
            test_set_comes_after_all_files_and_replaces_lists, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(
            test_wrong_value_of_set_names_set_and_the_key, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(test_set_without_equal_sign_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_scheme_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_bad_sources_are_refused_with_a_reason, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(test_no_config_at_all_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_empty_file_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_yaml_error_tells_file_line_and_column, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(test_key_with_colons_at_the_top_nests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_key_of_endless_depth_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
