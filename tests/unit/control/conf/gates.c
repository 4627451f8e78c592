/* --feature-gates: what may be switched, and what it means here. */
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

static void load_with(const char *gates)
{
    world_open();
    world.gates[world.args.gates_count++] = gates;
    world_load_probe("");
}

static void test_gates_are_switched_by_sign(void **state)
{
    load_with("pdata.useProtoPooling,+ottl.PanicDuplicateName,-service.partialReloadReceivers");
    assert_int_equal(world.err, 0);
    assert_true(sw_conf_gate(world.conf, "pdata.useProtoPooling"));
    assert_true(sw_conf_gate(world.conf, "ottl.PanicDuplicateName"));
    assert_false(sw_conf_gate(world.conf, "service.partialReloadReceivers"));
    assert_true(sw_conf_gate(world.conf, "configoptional.AddEnabledField"));
    assert_false(sw_conf_gate(world.conf, "service.AllowNoPipelines"));
    assert_false(sw_conf_gate(world.conf, "no.such.gate"));
    assert_non_null(world_finding("\"pdata.useProtoPooling\" has no effect here"));
}

static void test_wrong_gates_are_refused(void **state)
{
    static const struct {
        const char *gates;
        const char *words;
    } cases[] = {
        {"no.such.gate", "no such feature gate \"no.such.gate\" (see `featuregate`)"},
        {"pdata.useProtoPoling", "did you mean \"pdata.useProtoPooling\"?"},
        {"pdata.useProtoPooling,", "no such feature gate \"\""},
        {"", "no such feature gate \"\""},
        {"-otelcol.printInitialConfig", "is stable, can not be disabled"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        load_with(cases[i].gates);
        assert_int_equal(world.err, SW_E_INVALID);
        assert_non_null(world_finding(cases[i].words));
    }
}

static void test_stable_gate_is_only_noticed(void **state)
{
    load_with("otelcol.printInitialConfig");
    assert_int_equal(world.err, 0);
    assert_non_null(world_finding("is stable and already enabled"));
}

static void test_gate_that_changes_behaviour_is_refused_at_start(void **state)
{
    load_with("processor.tailsamplingprocessor.usetracestate");
    assert_int_equal(world.err, 0);
    assert_non_null(
        world_finding("\"processor.tailsamplingprocessor.usetracestate\" is not supported")
    );
    world.args.purpose = SW_CONF_START;
    world_load();
    assert_int_equal(world.err, SW_E_INVALID);
    load_with("-processor.tailsamplingprocessor.usetracestate");
    world.args.purpose = SW_CONF_START;
    world_load();
    assert_int_equal(world.err, 0);
}

static void test_gates_are_listed_as_they_are_set(void **state)
{
    struct sw_conf_gate_view gate;
    const char *last = "";
    size_t count = 0;
    bool seen = false;
    load_with("pdata.useProtoPooling");
    for (; sw_conf_gate_at(world.conf, count, &gate); count++) {
        seen |= strcmp(gate.id, "pdata.useProtoPooling") == 0 && gate.on;
        assert_true(gate.id[0] != '\0' && gate.stage[0] != '\0' && gate.help[0] != '\0');
        last = gate.id;
    }
    assert_true(seen);
    assert_true(count > 20);
    assert_string_equal(last, "telemetry.newPipelineTelemetry");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_gates_are_switched_by_sign, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_gates_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stable_gate_is_only_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gates_are_listed_as_they_are_set, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_gate_that_changes_behaviour_is_refused_at_start, setup, teardown
        ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
