/* Decoding by tables: defaults, every kind of field, sections that are there or not. */
#include "dataplane/base/assert.h"
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

static void test_empty_section_has_all_defaults(void **state)
{
    world_load_probe("");
    assert_int_equal(world.err, 0);
    const struct world_conf *conf = world_probe();
    assert_false(conf->flag);
    assert_int_equal(conf->small, -1);
    assert_int_equal(conf->number, 8192);
    assert_int_equal(conf->signed_number, 0);
    assert_true(conf->ratio == 0.5);
    assert_true(conf->wait_ns == INT64_C(90000000000));
    assert_string_equal(conf->text, "none");
    assert_string_equal(conf->secret, "");
    assert_int_equal(conf->word, 1);
    assert_string_equal(conf->id, "");
    assert_int_equal(conf->value.kind, SW_VALUE_NULL);
    assert_int_equal(conf->headers.count, 0);
    assert_int_equal(conf->texts.count, 2);
    assert_string_equal(SW_LIST_AT(conf->texts, const char *, 1), "two");
    assert_int_equal(conf->items.count, 0);
    assert_int_equal(conf->section.count, 40);
    assert_string_equal(conf->section.name, "inner");
    assert_false(conf->optional.enabled);
    assert_true(conf->optional_on.enabled);
    assert_false(conf->bare.enabled);
    assert_null(conf->pointer);
    assert_int_equal(conf->squashed.count, 50);
    assert_int_equal(conf->not_yet, 5);
}

static void test_written_values_are_taken(void **state)
{
    world_load_probe("flag: true\nsmall: -5\nnumber: 7\nsigned_number: -9000000000\n"
                     "big: 18446744073709551615\nratio: 2\nwait: 200ms\ntext: t\nsecret: s\n"
                     "word: HIGH\nid: ' otlp / traces '\nvalue: {a: [1, 2.5, x, null, true]}\n"
                     "texts: [z]\nwords: [low, high]\nsquashed_count: 6\n"
                     "items: [{name: a}, {name: b, small: 3, port: 80}]\npointer: {name: p}\n"
                     "section: {name: s}");
    assert_int_equal(world.err, 0);
    const struct world_conf *conf = world_probe();
    assert_true(conf->flag);
    assert_int_equal(conf->small, -5);
    assert_int_equal(conf->number, 7);
    assert_true(conf->signed_number == INT64_C(-9000000000));
    assert_true(conf->big == UINT64_MAX);
    assert_true(conf->ratio == 2);
    assert_true(conf->wait_ns == INT64_C(200000000));
    assert_int_equal(conf->word, 2);
    assert_string_equal(conf->id, "otlp/traces");
    assert_int_equal(conf->value.kind, SW_VALUE_MAP);
    const struct sw_value *list = &SW_LIST_AT(conf->value.list, struct sw_value_entry, 0).value;
    assert_int_equal(list->list.count, 5);
    assert_true(SW_LIST_AT(list->list, struct sw_value, 1).number == 2.5);
    assert_int_equal(SW_LIST_AT(list->list, struct sw_value, 3).kind, SW_VALUE_NULL);
    assert_int_equal(conf->texts.count, 1);
    assert_int_equal(SW_LIST_AT(conf->words, int, 1), 2);
    assert_int_equal(conf->squashed.count, 6);
    const struct world_item *items = conf->items.items;
    assert_int_equal(conf->items.count, 2);
    assert_int_equal(items[0].small, 7);
    assert_int_equal(items[1].small, 3);
    assert_int_equal(items[1].port, 80);
    assert_int_equal(conf->pointer->small, 7);
    assert_int_equal(conf->section.count, 40);
    assert_string_equal(conf->section.name, "s");
}

static void test_null_leaves_defaults(void **state)
{
    world_load_probe("number:\nwait: null\ntexts: ~\nsection:\nitems:\npointer:\nword:\nheaders:");
    assert_int_equal(world.err, 0);
    const struct world_conf *conf = world_probe();
    assert_int_equal(conf->number, 8192);
    assert_true(conf->wait_ns == INT64_C(90000000000));
    assert_int_equal(conf->texts.count, 2);
    assert_int_equal(conf->section.count, 40);
    assert_int_equal(conf->word, 1);
    assert_null(conf->pointer);
}

static void test_optional_section_is_on_when_written(void **state)
{
    world_load_probe("optional: {count: 1}\noptional_on: {enabled: false, count: 2}\nbare:");
    assert_int_equal(world.err, 0);
    const struct world_conf *conf = world_probe();
    assert_true(conf->optional.enabled);
    assert_int_equal(conf->optional.count, 1);
    assert_string_equal(conf->optional.name, "inner");
    assert_false(conf->optional_on.enabled);
    assert_int_equal(conf->optional_on.count, 2);
    assert_true(conf->bare.enabled);
}

static void test_null_turns_only_bare_sections_on(void **state)
{
    world_load_probe("optional:\noptional_on:\nbare: {enabled: false}");
    assert_int_equal(world.err, 0);
    assert_false(world_probe()->optional.enabled);
    assert_true(world_probe()->optional_on.enabled);
    assert_false(world_probe()->bare.enabled);
}

static void test_durations_are_go_s_and_bare_numbers_count_nanoseconds(void **state)
{
    static const struct {
        const char *text;
        int64_t ns; /* -1: refused */
    } cases[] = {
        {"5s", INT64_C(5000000000)},
        {"1m30s", INT64_C(90000000000)},
        {"1.5h", INT64_C(5400000000000)},
        {"10us", 10000},
        {"7ns", 7},
        {"-1s", -INT64_C(1000000000)},
        {"5", 5},
        {"0", 0},
        {"2.9", 2},
        {"'5'", -1},
        {"5x", -1},
        {"''", -1},
        {"true", -1},
        {"[1s]", -1},
        {"9999999h", -1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char keys[64];
        snprintf(keys, sizeof(keys), "wait: %s", cases[i].text);
        world_open();
        world_load_probe(keys);
        if ((cases[i].ns == -1) != (world.err == SW_E_INVALID)) {
            fail_msg("%s: %d", cases[i].text, world.err);
        }
        if (cases[i].ns != -1) {
            assert_true(world_probe()->wait_ns == cases[i].ns);
        }
        world_close();
    }
}

static void test_numbers_are_cut_and_wrap_as_in_go(void **state)
{
    world_load_probe("small: 10.9\nnumber: 4294967297\nsigned_number: 9.5\nvalue: 5\n"
                     "items: [{name: a, port: 65616}]");
    assert_int_equal(world.err, 0);
    assert_int_equal(world_probe()->small, 10);
    assert_int_equal(world_probe()->number, 1);
    assert_int_equal(world_probe()->signed_number, 9);
    assert_int_equal(((const struct world_item *)world_probe()->items.items)[0].port, 80);
}

static void test_headers_are_a_map_or_a_list(void **state)
{
    world_load_probe("headers: {b: 2x, a: 1x}");
    assert_int_equal(world.err, 0);
    const struct sw_pair *pairs = world_probe()->headers.items;
    assert_int_equal(world_probe()->headers.count, 2);
    assert_string_equal(pairs[0].name, "a");
    assert_string_equal(pairs[1].value, "2x");
    world_open();
    world_load_probe("headers: [{name: b, value: 2x}, {name: a, value: 1x}]");
    assert_int_equal(world.err, 0);
    pairs = world_probe()->headers.items;
    assert_string_equal(pairs[0].name, "b");
}

static void test_component_ids_are_trimmed_and_split(void **state)
{
    world_load_text("receivers: {source: }\nexporters: {' sink / a ': }\n"
                    "service: {pipelines: {' traces / x ': {receivers: [source], exporters: "
                    "['sink/a ']}}}\n");
    assert_int_equal(world.err, 0);
    const struct sw_conf_component *sink = sw_conf_find(world.conf, SW_EXPORTER, "sink/a");
    assert_non_null(sink);
    assert_string_equal(sink->name, "a");
    assert_true(sink->used);
    assert_string_equal(world.conf->pipelines[0].id, "traces/x");
    assert_string_equal(world.conf->pipelines[0].name, "x");
}

static void test_ids_that_are_none_are_refused(void **state)
{
    static const struct {
        const char *id;
        const char *words;
    } cases[] = {
        {"sink/", "the part after / should not be empty"},
        {"/a", "the part before / should not be empty"},
        {"''", "must not be empty"},
        {"1sink", "invalid character(s) in type"},
        {"si-nk", "invalid character(s) in type"},
        {"sink/a b", "invalid character(s) in name"},
        {"sink/a$", "invalid character(s) in name"},
        {"nosuch", "unknown type: \"nosuch\" for id: \"nosuch\" (valid values: [sink shown twin])"},
        {"SINK", "unknown type: \"SINK\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];
        snprintf(
            text,
            sizeof(text),
            "receivers: {source: }\nexporters: {sink: , %s: }\n"
            "service: {pipelines: {traces: {receivers: [source], exporters: [sink]}}}\n",
            cases[i].id
        );
        world_open();
        world_load_text(text);
        assert_int_equal(world.err, SW_E_INVALID);
        if (world_finding(cases[i].words) == NULL) {
            fail_msg("%s: %s", cases[i].id, world_finding_at(0));
        }
        world_close();
    }
}

static void test_a_type_of_a_later_release_is_refused_where_it_is_used(void **state)
{
    static const char *const types[] = {"filter/x", "spanmetrics"};
    for (unsigned i = 0; i < SW_ARRAY_SIZE(types); i++) {
        for (unsigned used = 0; used < 2; used++) {
            char text[512];
            char words[128];
            snprintf(
                text,
                sizeof(text),
                "receivers: {source: }\nexporters: {sink: }\nprocessors: {%s: {any: thing}}\n"
                "service: {pipelines: {traces: {receivers: [source], processors: [%s], exporters: "
                "[sink]}}}\n",
                types[i],
                used ? types[i] : ""
            );
            snprintf(words, sizeof(words), "processors::%s: type \"%.6s", types[i], types[i]);
            world_open();
            world_load_text(text);
            assert_int_equal(world.err, used ? SW_E_INVALID : 0);
            assert_non_null(world_finding(words));
            assert_non_null(world_finding(used ? "not supported yet (built in" : "it is left out"));
            world_close();
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_empty_section_has_all_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_written_values_are_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_null_leaves_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_optional_section_is_on_when_written, setup, teardown),
        cmocka_unit_test_setup_teardown(test_null_turns_only_bare_sections_on, setup, teardown),
        cmocka_unit_test(test_durations_are_go_s_and_bare_numbers_count_nanoseconds),
        cmocka_unit_test_setup_teardown(test_numbers_are_cut_and_wrap_as_in_go, setup, teardown),
        cmocka_unit_test_setup_teardown(test_headers_are_a_map_or_a_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_component_ids_are_trimmed_and_split, setup, teardown),
        cmocka_unit_test(test_ids_that_are_none_are_refused),
        cmocka_unit_test(test_a_type_of_a_later_release_is_refused_where_it_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
