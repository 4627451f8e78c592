/* Sets of policies: who watches, who is asked, who is refused. */
#include "tests/unit/sampling/policy/rig.h"

static void test_status_is_seen_on_any_span(void **state)
{
    struct rig rig;
    struct sw_policy_conf policies[] = {
        {.name = "errors", .type = SW_POLICY_STATUS_CODE, .status_code = {.mask = 1 << 2}},
        {.name = "unset", .type = SW_POLICY_STATUS_CODE, .status_code = {.mask = 1 << 0}},
        {.name = "ok or error", .type = SW_POLICY_STATUS_CODE, .status_code = {.mask = 6}},
        {.name = "all", .type = SW_POLICY_ALWAYS_SAMPLE},
    };
    rig_open(&rig, policies, 4);
    struct sw_trace *trace = rig_add(&rig, (struct traces_span){.trace = 1, .status = 1});
    assert_false(rig_vote(&rig, trace, 0));
    assert_false(rig_vote(&rig, trace, 1));
    assert_true(rig_vote(&rig, trace, 2));
    assert_true(rig_vote(&rig, trace, 3));
    trace = rig_add(&rig, (struct traces_span){.trace = 1});
    assert_true(rig_vote(&rig, trace, 1));
    assert_false(rig_vote(&rig, trace, 0));
    trace = rig_add(&rig, (struct traces_span){.trace = 1, .status = 2});
    assert_true(rig_vote(&rig, trace, 0));
    // Other codes on the wire match nothing.
    trace = rig_add(&rig, (struct traces_span){.trace = 2, .status = 40});
    assert_false(rig_vote(&rig, trace, 0));
    assert_false(rig_vote(&rig, trace, 1));
    assert_false(rig_vote(&rig, trace, 2));
    assert_string_equal(sw_policy_name(rig.set, 2), "ok or error");
    rig_close(&rig);
}

/* More watching policies than bits: the others read the spans again, with the same result. */
static void test_policies_beyond_the_bits_vote_alike(void **state)
{
    struct rig rig;
    struct sw_policy_conf policies[70] = {0};
    for (unsigned i = 0; i < 70; i++) {
        policies[i].name = "p";
        policies[i].type = i % 2 == 0 ? SW_POLICY_LATENCY : SW_POLICY_STATUS_CODE;
        policies[i].latency.threshold_ms = 10;
        policies[i].latency.upper_threshold_ms = 50;
        policies[i].status_code.mask = 1 << 2;
    }
    rig_open(&rig, policies, 70);
    const uint64_t ms = 1000000;
    struct sw_trace *trace =
        rig_add(&rig, (struct traces_span){.trace = 1, .start_ns = 5 * ms, .end_ns = 25 * ms});
    rig_add(&rig, (struct traces_span){.trace = 1, .start_ns = 5 * ms, .end_ns = 500 * ms});
    struct sw_trace *other =
        rig_add(&rig, (struct traces_span){.trace = 2, .start_ns = 5 * ms, .end_ns = 500 * ms});
    rig_add(&rig, (struct traces_span){.trace = 2, .start_ns = 5, .end_ns = 6, .status = 2});
    for (unsigned i = 0; i < 70; i++) {
        assert_int_equal(rig_vote(&rig, trace, i), i % 2 == 0);
        assert_int_equal(rig_vote(&rig, other, i), i % 2 == 1);
    }
    rig_close(&rig);
}

static void test_type_that_is_not_built_in_is_refused_by_name(void **state)
{
    struct sw_policy_conf policies[] = {
        {.name = "all", .type = SW_POLICY_ALWAYS_SAMPLE},
        {.name = "mine", .type = SW_POLICY_OTTL_CONDITION, .type_text = "ottl_condition"},
    };
    char error[128] = "";
    struct sw_policy_set *set = NULL;
    assert_int_equal(rig_set(policies, 2, error, sizeof(error), &set), SW_E_UNSUPPORTED);
    assert_string_equal(error, "policy \"mine\": type ottl_condition is not supported yet");
}

static void test_status_without_codes_is_refused(void **state)
{
    struct sw_policy_conf policy = {.name = "s", .type = SW_POLICY_STATUS_CODE};
    char error[128] = "";
    struct sw_policy_set *set = NULL;
    assert_int_equal(rig_set(&policy, 1, error, sizeof(error), &set), SW_E_INVALID);
    assert_non_null(strstr(error, "expected at least one status code to filter on"));
}

static void test_empty_list_is_legal(void **state)
{
    struct rig rig;
    rig_open(&rig, NULL, 0);
    assert_int_equal(sw_policy_set_count(rig.set), 0);
    rig_add(&rig, (struct traces_span){.trace = 1});
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_is_seen_on_any_span),
        cmocka_unit_test(test_policies_beyond_the_bits_vote_alike),
        cmocka_unit_test(test_type_that_is_not_built_in_is_refused_by_name),
        cmocka_unit_test(test_status_without_codes_is_refused),
        cmocka_unit_test(test_empty_list_is_legal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
