/* The effective configuration as YAML and JSON. */
#include "tests/unit/control/conf/world.h"

static char *printed;

static int setup(void **state)
{
    world_open();
    printed = NULL;
    return 0;
}

static int teardown(void **state)
{
    sw_free(printed);
    printed = NULL;
    world_close();
    return 0;
}

static const char *print(enum sw_conf_format format, bool redacted)
{
    sw_free(printed);
    printed = NULL;
    if (world.conf == NULL) {
        fail_msg("%s", world_finding_at(0));
    }
    assert_int_equal(sw_conf_print(world.conf, format, redacted, &printed), 0);
    return printed;
}

static void expect(const char *part)
{
    if (strstr(printed, part) == NULL) {
        fail_msg("no \"%s\" in:\n%s", part, printed);
    }
}

static void test_yaml_shows_all_defaults(void **state)
{
    world_load_probe("");
    print(SW_CONF_YAML, true);
    const char *begin = "receivers:\n"
                        "  source: {}\n"
                        "processors:\n"
                        "  probe:\n"
                        "    flag: false\n"
                        "    small: -1\n"
                        "    number: 8192\n"
                        "    signed_number: 0\n"
                        "    big: 0\n"
                        "    ratio: 0.5\n"
                        "    wait: 1m30s\n"
                        "    text: none\n"
                        "    secret: \"\"\n"
                        "    word: middle\n"
                        "    id: null\n"
                        "    value: null\n"
                        "    headers: []\n"
                        "    texts:\n"
                        "      - one\n"
                        "      - two\n"
                        "    words: []\n"
                        "    items: []\n"
                        "    section:\n"
                        "      count: 40\n"
                        "      name: inner\n"
                        "    optional: null\n"
                        "    optional_on:\n"
                        "      count: 3\n"
                        "      name: inner\n"
                        "    bare: null\n"
                        "    pointer: null\n"
                        "    squashed_count: 50\n"
                        "    no_effect: false\n"
                        "    not_yet: 5\n"
                        "exporters:\n"
                        "  sink: {}\n"
                        "connectors: {}\n"
                        "extensions: {}\n"
                        "service:\n"
                        "  pipelines:\n"
                        "    traces:\n"
                        "      receivers:\n"
                        "        - source\n"
                        "      processors:\n"
                        "        - probe\n"
                        "      exporters:\n"
                        "        - sink\n"
                        "  extensions: []\n"
                        "  telemetry:\n";
    printed[strlen(begin)] = '\0';
    assert_string_equal(printed, begin);
}

static void test_texts_that_yaml_would_misread_are_quoted(void **state)
{
    world_load_probe("texts: ['42', 'true', 'a: b', '-x', 'x#y', \"l\\n\\x01\", '0123', '5s', "
                     "'it''s', '2024-01-01', 'a/b.c-d']");
    print(SW_CONF_YAML, true);
    expect("      - \"42\"\n      - \"true\"\n      - \"a: b\"\n      - \"-x\"\n      - \"x#y\"\n"
           "      - \"l\\n\\u0001\"\n      - \"0123\"\n      - 5s\n      - \"it's\"\n"
           "      - \"2024-01-01\"\n      - a/b.c-d\n");
}

static void test_secrets_are_hidden_unless_asked_for(void **state)
{
    world_load_probe("secret: hush\nheaders: {Authorization: token}");
    print(SW_CONF_YAML, true);
    expect("    secret: \"[REDACTED]\"\n");
    expect("      - name: Authorization\n        value: \"[REDACTED]\"\n");
    assert_null(strstr(printed, "hush"));
    assert_null(strstr(printed, "token"));
    print(SW_CONF_YAML, false);
    expect("    secret: hush\n");
    expect("        value: token\n");
}

static void test_values_keep_their_types(void **state)
{
    world_load_probe(
        "value: {i: -5, d: 0.1, e: 1e300, t: '7', n: null, l: [[1], {a: b}], m: {}, q: []}"
    );
    print(SW_CONF_YAML, true);
    expect("    value:\n      i: -5\n      d: 0.1\n      e: 1e+300\n      t: \"7\"\n      n: null\n"
           "      l:\n        - - 1\n        - a: b\n      m: {}\n      q: []\n");
    print(SW_CONF_JSON, true);
    expect("\"i\": -5");
    expect("\"t\": \"7\"");
    expect("\"m\": {}");
}

static void test_printed_configuration_reads_back_the_same(void **state)
{
    static char first[16384];
    static const enum sw_conf_format formats[] = {SW_CONF_YAML, SW_CONF_JSON};
    for (size_t i = 0; i < 2; i++) {
        world_open();
        world_load_probe("value: {i: -5, l: [[1], {a: [b, {c: d}]}], 'k: x': '#'}\nsecret: s\n"
                         "items: [{name: a}, {name: '- b', port: 9}]\nbare:\npointer: {name: p}\n"
                         "headers: {B: '1', A: '2'}\nwords: [low]\nratio: 0.1\nwait: 1h0m0.5s");
        print(formats[i], false);
        snprintf(first, sizeof(first), "%s", printed);
        world_open();
        world_load_text(first);
        print(formats[i], false);
        assert_string_equal(printed, first);
    }
}

static void test_pipelines_are_shown_as_written(void **state)
{
    world_load_text("receivers: {source: }\nexporters: {sink: }\nservice: {pipelines: {traces: "
                    "{receivers: [source], processors: , exporters: [sink, sink]}}}\n");
    print(SW_CONF_YAML, true);
    expect("      processors: []\n      exporters:\n        - sink\n        - sink\n");
}

static void test_invalid_configuration_is_shown_only_when_asked_for(void **state)
{
    world.args.purpose = SW_CONF_PRINT;
    world_load_text(
        "receivers: {source: }\nexporters: {sink: }\nprocessors: {probe: {small: 101}}\n"
        "service: {pipelines: {traces: {receivers: [source], processors: [probe], "
        "exporters: [nope]}}}\n"
    );
    assert_int_equal(world.err, SW_E_INVALID);
    world.args.print_invalid = true;
    world_load();
    assert_int_equal(world.err, 0);
    assert_non_null(world_finding("must not be above 100"));
    assert_non_null(world_finding("references exporter \"nope\""));
    print(SW_CONF_YAML, true);
    expect("    small: 101\n");
    expect("        - nope\n");
}

static void test_what_does_not_decode_is_never_shown(void **state)
{
    world.args.purpose = SW_CONF_PRINT;
    world.args.print_invalid = true;
    world_load_probe("number: x");
    assert_int_equal(world.err, SW_E_INVALID);
    world_open();
    world.args.purpose = SW_CONF_PRINT;
    world.args.print_invalid = true;
    world_load_text("exporters: {nope: }\n");
    assert_int_equal(world.err, SW_E_INVALID);
}

static void test_empty_configuration_shows_the_service_when_asked_for(void **state)
{
    world.args.purpose = SW_CONF_PRINT;
    world.args.print_invalid = true;
    world_load_text("");
    assert_int_equal(world.err, 0);
    print(SW_CONF_YAML, true);
    expect("receivers: {}\n");
    expect("  pipelines: {}\n");
    expect("host: localhost\n");
}

static void test_telemetry_shows_the_reader_that_is_not_written(void **state)
{
    world_load_probe("");
    print(SW_CONF_YAML, true);
    expect("    metrics:\n"
           "      level: Normal\n"
           "      readers:\n"
           "        - pull:\n"
           "            exporter:\n"
           "              prometheus:\n"
           "                host: localhost\n"
           "                port: 8888\n"
           "                without_scope_info: true\n"
           "                without_type_suffix: true\n"
           "                without_units: true\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_yaml_shows_all_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_texts_that_yaml_would_misread_are_quoted, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(test_secrets_are_hidden_unless_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_values_keep_their_types, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_printed_configuration_reads_back_the_same, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(test_pipelines_are_shown_as_written, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_invalid_configuration_is_shown_only_when_asked_for, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(test_what_does_not_decode_is_never_shown, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_empty_configuration_shows_the_service_when_asked_for, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(
            test_telemetry_shows_the_reader_that_is_not_written, setup, teardown
        ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
