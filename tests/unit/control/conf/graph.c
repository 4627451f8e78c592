/* The rules of pipelines: what refers to what, connectors, signals, presence. */
#include "tests/unit/control/conf/world.h"

#define ENDS "receivers: {source: }\nexporters: {sink: , shown: }\n"

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

static void test_whole_configurations_are_judged(void **state)
{
    static const struct {
        const char *text;
        const char *words; /* NULL: accepted without a finding */
    } cases[] = {
        {ENDS "service: {pipelines: {traces: {receivers: [source], exporters: [sink, shown]}}}\n",
         NULL},
        {"receivers: \nexporters: {sink: }\n"
         "service: {pipelines: {traces: {receivers: [source], exporters: [sink]}}}\n",
         "c.yaml:1:1: receivers: no receiver configuration specified in config"},
        {"receivers: {source: }\n"
         "service: {pipelines: {traces: {receivers: [source], exporters: [sink]}}}\n",
         "exporters: no exporter configuration specified in config"},
        {ENDS "service: \n", "service::pipelines: service must have at least one pipeline"},
        {ENDS "service:\n  pipelines: {}\n",
         "c.yaml:4:3: service::pipelines: service must have at least one pipeline"},
        {ENDS "service: {pipelines: [traces]}\n",
         "c.yaml:3:22: service::pipelines: expected a map or struct, got \"list\""},
        {ENDS "service: {pipelines: {traces: {receivers: [], exporters: [sink, shown]}}}\n",
         "service::pipelines::traces: must have at least one receiver"},
        {ENDS "service: {pipelines: {traces: {receivers: [source]}}}\n",
         "service::pipelines::traces: must have at least one exporter"},
        {ENDS "service:\n  pipelines:\n    traces:\n      receivers: [source]\n"
              "      exporters: [sink, shown, nope]\n",
         "c.yaml:7:32: service::pipelines::traces: references exporter \"nope\" which is not "
         "configured"},
        {ENDS "processors: {probe: }\nservice: {pipelines: {traces: {receivers: [source], "
              "processors: [probe, probe], exporters: [sink, shown]}}}\n",
         "references processor \"probe\" multiple times"},
        {ENDS "service: {extensions: [health], pipelines: {traces: {receivers: [source], "
              "exporters: [sink, shown]}}}\n",
         "c.yaml:3:24: service::extensions: references extension \"health\" which is not "
         "configured"},
        {ENDS "service: {pipelines: {spans: {receivers: [source], exporters: [sink]}}}\n",
         "service::pipelines::spans: in \"spans\" id: unknown pipeline signal: \"spans\""},
        {ENDS "service: {pipelines: {profiles: {receivers: [source], exporters: [sink]}}}\n",
         "gated under the \"service.profilesSupport\" feature gate"},
        {ENDS "processors: {spans_only: }\nservice: {pipelines: {logs: {receivers: [source], "
              "processors: [spans_only], exporters: [sink, shown]}}}\n",
         "processor \"spans_only\": telemetry type logs is not supported"},
        {ENDS "connectors: {bridge: }\nservice: {pipelines: {traces: {receivers: [source], "
              "exporters: [sink, shown, bridge]}}}\n",
         "connector \"bridge\" used as exporter in [traces] pipeline but not used in any supported "
         "receiver pipeline"},
        {ENDS
         "connectors: {counter: }\nservice: {pipelines: {traces: {receivers: [source], "
         "exporters: [counter]}, traces/2: {receivers: [counter], exporters: [sink, shown]}}}\n",
         "connector \"counter\" used as receiver in [traces/2] pipeline"},
        {"receivers: {source: }\nexporters: {sink: }\nconnectors: {bridge: , bridge/b: }\n"
         "service: {pipelines: {traces/a: {receivers: [source, bridge/b], exporters: [bridge]}, "
         "traces/b: {receivers: [bridge], exporters: [bridge/b, sink]}}}\n",
         "cycle detected: pipeline \"traces/a\" -> connector \"bridge\" -> pipeline \"traces/b\" "
         "-> "
         "connector \"bridge/b\" -> pipeline \"traces/a\""},
        {"receivers: {source: }\nexporters: {sink/a: , 'sink / a': }\n"
         "service: {pipelines: {traces: {receivers: [source], exporters: [sink/a]}}}\n",
         "exporters::sink/a: duplicate name \"sink/a\" after unmarshaling"},
        {ENDS "service: {pipelines: {traces/a: {receivers: [source], exporters: [sink, shown]}, "
              "'traces / a': {receivers: [source], exporters: [sink]}}}\n",
         "service::pipelines::traces/a: duplicate name"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        world_open();
        world_load_text(cases[i].text);
        if (cases[i].words == NULL) {
            assert_int_equal(world.err, 0);
            assert_int_equal(world.errors.count, 0);
        } else {
            if (world_finding(cases[i].words) == NULL) {
                fail_msg("no \"%s\" in \"%s\"", cases[i].words, world_finding_at(0));
            }
            assert_int_equal(world.err, SW_E_INVALID);
        }
        world_close();
    }
}

static void test_near_misses_get_a_hint(void **state)
{
    static const struct {
        const char *text;
        const char *words;
    } cases[] = {
        {ENDS "service: {pipelines: {traces: {receivers: [sorce], exporters: [sink, shown]}}}\n",
         "references receiver \"sorce\" which is not configured, did you mean \"source\"?"},
        {ENDS "service: {pipelines: {traces: {receivers: [source], processors: [sink], exporters: "
              "[sink, shown]}}}\n",
         "references processor \"sink\" which is not configured (it stands in section exporters)"},
        {ENDS "extensions: {health: }\nservice: {extensions: [healht], pipelines: {traces: "
              "{receivers: [source], exporters: [sink, shown]}}}\n",
         "references extension \"healht\" which is not configured, did you mean \"health\"?"},
        {ENDS "service: {pipelines: {trace: {receivers: [source], exporters: [sink]}}}\n",
         "unknown pipeline signal: \"trace\", did you mean \"traces\"?"},
        {"receivers: {sourc: }\nexporters: {sink: }\n"
         "service: {pipelines: {traces: {receivers: [sourc], exporters: [sink]}}}\n",
         "unknown type: \"sourc\" for id: \"sourc\" (valid values: [source]), did you mean "
         "\"source\"?"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        world_open();
        world_load_text(cases[i].text);
        assert_int_equal(world.err, SW_E_INVALID);
        if (world_finding(cases[i].words) == NULL) {
            fail_msg("no \"%s\" in \"%s\"", cases[i].words, world_finding_at(0));
        }
        world_close();
    }
}

static void test_connector_of_unknown_type_is_told_once(void **state)
{
    world_load_text(ENDS "connectors: {brigde: }\nservice: {pipelines: {traces: {receivers: "
                         "[source], exporters: [sink, shown, brigde]}}}\n");
    assert_int_equal(world.err, SW_E_INVALID);
    assert_int_equal(world.errors.count, 1);
}

static void test_place_of_a_key_is_found(void **state)
{
    world_load_text("receivers: {source: }\nexporters: {sink: }\nprocessors:\n  probe:\n"
                    "    section:\n      count: 3\n"
                    "service: {pipelines: {traces: {receivers: [source], processors: [probe], "
                    "exporters: [sink]}}}\n");
    assert_int_equal(world.err, 0);
    const struct sw_conf_component *probe = sw_conf_find(world.conf, SW_PROCESSOR, "probe");
    assert_int_equal(sw_conf_place(world.conf, probe, "").line, 4);
    assert_int_equal(sw_conf_place(world.conf, probe, "section").line, 5);
    assert_int_equal(sw_conf_place(world.conf, probe, "section::count").line, 6);
    assert_int_equal(sw_conf_place(world.conf, probe, "section::name").line, 5);
    assert_int_equal(sw_conf_place(world.conf, probe, "nothing").line, 4);
}

static void test_same_exporter_or_extension_twice_counts_once(void **state)
{
    world_load_text(ENDS "extensions: {health: }\n"
                         "service: {extensions: [health, health], pipelines: {traces: {receivers: "
                         "[source], exporters: [sink, sink, shown]}}}\n");
    assert_int_equal(world.err, 0);
    assert_int_equal(world.errors.warnings_count, 2);
    assert_int_equal(world.conf->pipelines[0].exporters_count, 2);
    assert_int_equal(world.conf->extensions_count, 1);
}

static void test_signal_not_built_in_yet_refuses_only_the_start(void **state)
{
    world_load_text(ENDS "service: {pipelines: {metrics: {receivers: [source], exporters: [sink, "
                         "shown]}}}\n");
    assert_int_equal(world.err, 0);
    assert_non_null(world_finding("receiver \"source\": metrics are not supported yet"));
    world.args.purpose = SW_CONF_START;
    world_load();
    assert_int_equal(world.err, SW_E_INVALID);
}

static void test_connector_joins_pipelines_of_its_signals(void **state)
{
    world_load_text("receivers: {source: }\nexporters: {sink: }\nconnectors: {counter: }\n"
                    "service: {pipelines: {traces: {receivers: [source], exporters: [counter]}, "
                    "metrics: {receivers: [counter], exporters: [sink]}}}\n");
    assert_int_equal(world.err, 0);
    assert_int_equal(world.conf->pipelines_count, 2);
    const struct sw_conf_component *counter = sw_conf_find(world.conf, SW_CONNECTOR, "counter");
    assert_ptr_equal(world.conf->pipelines[0].exporters[0], counter);
    assert_ptr_equal(world.conf->pipelines[1].receivers[0], counter);
    assert_true(counter->used);
}

static void test_connector_named_like_an_exporter_is_ambiguous(void **state)
{
    world_load_text("receivers: {source: }\nexporters: {twin: }\nconnectors:\n  twin: \n"
                    "service: {pipelines: {traces: {receivers: [source], exporters: [twin]}}}\n");
    assert_int_equal(world.err, SW_E_INVALID);
    assert_non_null(world_finding("c.yaml:4:3: connectors::twin: ambiguous ID"));
}

static void test_several_cycles_end(void **state)
{
    struct sw_conf_text text = {0};
    sw_conf_text_puts(&text, "receivers: {source: }\nexporters: {sink: }\nconnectors: {");
    for (int i = 0; i < 12; i++) {
        sw_conf_text_printf(&text, "bridge/%d: , ", i);
    }
    sw_conf_text_puts(&text, "}\nservice: {pipelines: {");
    // Every pipeline reaches every other.
    for (int i = 0; i < 12; i++) {
        sw_conf_text_printf(&text, "traces/%d: {receivers: [bridge/%d], exporters: [sink", i, i);
        for (int k = 0; k < 12; k++) {
            sw_conf_text_printf(&text, ", bridge/%d", k);
        }
        sw_conf_text_puts(&text, "]}, ");
    }
    sw_conf_text_puts(&text, "}}\n");
    world_load_text(text.data);
    sw_conf_text_fini(&text);
    assert_int_equal(world.err, SW_E_INVALID);
    assert_non_null(world_finding("cycle detected: pipeline \"traces/0\" -> connector"));
}

static void test_no_pipelines_are_allowed_by_their_gate(void **state)
{
    world.gates[world.args.gates_count++] = "service.AllowNoPipelines";
    world_load_text("extensions: {health: }\nservice: {extensions: [health]}\n");
    assert_int_equal(world.err, 0);
    assert_int_equal(world.conf->pipelines_count, 0);
    assert_int_equal(world.conf->extensions_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_configurations_are_judged),
        cmocka_unit_test(test_near_misses_get_a_hint),
        cmocka_unit_test_setup_teardown(
            test_connector_of_unknown_type_is_told_once, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(test_place_of_a_key_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_same_exporter_or_extension_twice_counts_once, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(
            test_signal_not_built_in_yet_refuses_only_the_start, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(
            test_connector_joins_pipelines_of_its_signals, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(
            test_connector_named_like_an_exporter_is_ambiguous, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(test_several_cycles_end, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_no_pipelines_are_allowed_by_their_gate, setup, teardown
        ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
