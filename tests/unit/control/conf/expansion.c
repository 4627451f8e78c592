/* References in values: what ${env:X} and its kin become, by the rules of the Collector v0.159. */
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

/** `value: TEXT` of the probe, as JSON. */
static const char *value_json(const char *text)
{
    static char out[512];
    char keys[512];
    snprintf(keys, sizeof(keys), "value: %s", text);
    world_load_probe(keys);
    if (world.err != SW_OK) {
        return NULL;
    }
    char *printed = NULL;
    assert_int_equal(sw_conf_print(world.conf, SW_CONF_JSON, false, &printed), 0);
    const char *at = strstr(printed, "\"value\": ");
    assert_non_null(at);
    at += strlen("\"value\": ");
    // Up to the next key at the same depth, blanks taken out.
    size_t len = 0;
    for (const char *end = strstr(at, ",\n      \"headers\""); at < end; at++) {
        if (*at != '\n' && *at != ' ') {
            out[len++] = *at;
        }
    }
    out[len] = '\0';
    sw_free(printed);
    return out;
}

static void give_variables(void)
{
    world_env("A", "hello");
    world_env("N", "42");
    world_env("B", "true");
    world_env("L", "[1,two]");
    world_env("M", "{k: 1}");
    world_env("NIL", "null");
    world_env("EMPTY", "");
    world_env("OCT", "0123");
    world_env("W", "A");
    world_env("IN", "${env:A}");
    world_env("LOOP", "${env:LOOP}");
    world_env("QUOTED", "'x'");
    world_env("BROKEN", "[1");
    world_env("MIXED", "[\"${env:A}\",\"$${env:A}\"]");
    world_file("value.txt", "from_file");
    world_file("list.yaml", "- 1\n- ${env:N}\n");
}

static void test_references_become_values(void **state)
{
    static const struct {
        const char *text;
        const char *json; /* NULL: refused */
    } cases[] = {
        {"'${env:A}'", "\"hello\""},
        {"'${A}'", "\"hello\""},
        {"'${env:N}'", "42"},
        {"'${env:B}'", "true"},
        {"'${env:L}'", "[1,\"two\"]"},
        {"'${env:M}'", "{\"k\":1}"},
        {"'${env:NIL}'", "null"},
        {"'${env:EMPTY}'", "null"},
        {"'${env:UNSET}'", "null"},
        {"'${env:OCT}'", "83"},
        {"'${env:QUOTED}'", "\"'x'\""},
        {"'${env:BROKEN}'", "\"[1\""},
        {"'n${env:OCT}'", "\"n0123\""},
        {"'a-${env:N}-b'", "\"a-42-b\""},
        {"'x${env:L}'", "\"x[1,two]\""},
        {"'x${env:UNSET}y'", "\"xy\""},
        {"'${env:A}${env:N}'", "\"hello42\""},
        {"'${env:UNSET:-other}'", "\"other\""},
        {"'${env:UNSET:-http://a:1}'", "\"http://a:1\""},
        {"'${env:A:-other}'", "\"hello\""},
        {"'${env:EMPTY:-other}'", "null"},
        {"'[${env:UNSET:-}]'", "\"[]\""},
        {"'${env:${env:W}}'", "\"hello\""},
        {"'${env:IN}'", "\"hello\""},
        {"'${env:MIXED}'", "[\"hello\",\"${env:A}\"]"},
        {"'${file:value.txt}'", "\"from_file\""},
        {"'${file:list.yaml}'", "[1,42]"},
        {"'${yaml:[1]}'", "[1]"},
        {"'$$x'", "\"$x\""},
        {"'$A costs $5'", "\"$Acosts$5\""},
        {"'$${env:A}'", "\"${env:A}\""},
        {"'$$${env:A}'", "\"$hello\""},
        {"'$${env:A} ${env:N}'", "\"${env:A}${env:N}\""},
        {"'${env:A} $${env:A}'", "\"hello$hello\""},
        {"'${env:A'", "\"${env:A\""},
        {"'a}b'", "\"a}b\""},
        {"'${UNSET:-x}'", NULL},
        {"'${foo:bar}'", NULL},
        {"'${env:1X}'", NULL},
        {"'${env:A$B}'", NULL},
        {"'${file:absent}'", NULL},
        {"'${env:LOOP}'", NULL},
        {"'${}'", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        world_open();
        give_variables();
        const char *json = value_json(cases[i].text);
        if (cases[i].json == NULL) {
            if (json != NULL) {
                fail_msg("%s: accepted as %s", cases[i].text, json);
            }
        } else if (json == NULL) {
            fail_msg("%s: %s", cases[i].text, world_finding_at(0));
        } else {
            assert_string_equal(json, cases[i].json);
        }
        world_close();
    }
}

static void test_text_field_takes_the_text_and_number_field_the_number(void **state)
{
    give_variables();
    world_load_probe("text: ${env:OCT}\nnumber: ${env:N}\ntexts: ['${env:OCT}']");
    assert_int_equal(world.err, 0);
    assert_string_equal(world_probe()->text, "0123");
    assert_int_equal(world_probe()->number, 42);
    assert_string_equal(SW_LIST_AT(world_probe()->texts, const char *, 0), "0123");
}

static void test_whole_section_comes_from_a_file_with_its_own_places(void **state)
{
    world_file("probe.yaml", "number: 5\nnumbr: 6\n");
    world_load_text("receivers: {source: }\nexporters: {sink: }\nprocessors:\n"
                    "  probe: ${file:probe.yaml}\n"
                    "service: {pipelines: {traces: {receivers: [source], exporters: [sink]}}}\n");
    assert_int_equal(world.err, SW_E_INVALID);
    assert_non_null(world_finding("probe.yaml:2:1: processors::probe::numbr: invalid key"));
}

static void test_wrong_type_from_a_variable_is_told_at_the_reference(void **state)
{
    give_variables();
    world_load_probe("flag: true\nnumber: ${env:A}");
    assert_int_equal(world.err, SW_E_INVALID);
    assert_non_null(world_finding("c.yaml:6:13: processors::probe::number: expected type 'uint32'")
    );
}

static void test_unset_variable_is_a_warning_that_names_it(void **state)
{
    world_load_probe("text: x${env:NOBODY}");
    assert_int_equal(world.err, 0);
    assert_non_null(world_finding("environment variable \"NOBODY\", which is not set"));
    assert_string_equal(world_probe()->text, "x");
}

static void test_keys_are_not_expanded(void **state)
{
    give_variables();
    world_load_probe("headers: {'${env:A}': x}");
    assert_int_equal(world.err, 0);
    assert_string_equal(SW_LIST_AT(world_probe()->headers, struct sw_pair, 0).name, "${env:A}");
}

static void test_text_that_doubles_without_end_is_refused(void **state)
{
    world_env("D", "${env:D}${env:D}");
    world_load_probe("text: 'x${env:D}'");
    assert_int_equal(world.err, SW_E_INVALID);
    assert_non_null(world_finding("processors::probe::text: references expand to too much text"));
}

static void test_lists_that_nest_without_end_are_refused(void **state)
{
    world_env("D", "[[['${env:D}']]]");
    world_load_probe("value: ${env:D}");
    assert_int_equal(world.err, SW_E_INVALID);
    assert_non_null(world_finding("processors::probe::value: references expand to too much"));
}

static void test_all_bad_references_are_told_at_once(void **state)
{
    world_load_probe("text: ${nope:1}\nsecret: ${env:2}");
    assert_int_equal(world.err, SW_E_INVALID);
    assert_non_null(world_finding("processors::probe::text"));
    assert_non_null(world_finding("processors::probe::secret"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_references_become_values),
        cmocka_unit_test_setup_teardown(
            test_text_field_takes_the_text_and_number_field_the_number, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(
            test_whole_section_comes_from_a_file_with_its_own_places, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(
            test_wrong_type_from_a_variable_is_told_at_the_reference, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(
            test_unset_variable_is_a_warning_that_names_it, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(test_keys_are_not_expanded, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_text_that_doubles_without_end_is_refused, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(
            test_lists_that_nest_without_end_are_refused, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(test_all_bad_references_are_told_at_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
