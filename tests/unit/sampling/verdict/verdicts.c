/* What is kept and when, and what the metrics and the books say of it. */
#include "tests/unit/sampling/verdict/rig.h"

static struct rig rig;

static struct sw_tail_sampling_conf conf_of(struct sw_list policies)
{
    return (struct sw_tail_sampling_conf){
        .decision_wait_ns = SW_NS_PER_S,
        .policies = policies,
    };
}

static void test_trace_that_a_policy_wants_goes_on_whole(void **state)
{
    for (unsigned cores = 1; cores <= 3; cores++) {
        rig_open(&rig, cores, conf_of(RIG_POLICIES(rig_errors)));
        for (uint64_t i = 1; i <= 600; i++) {
            struct traces traces = {0};
            traces_add(&traces, (struct traces_span){.trace = i, .span = 1});
            traces_add(
                &traces,
                (struct traces_span){.trace = i + 600, .status = i % 10 == 0 ? RIG_ERROR : 0}
            );
            traces_add(
                &traces, (struct traces_span){.trace = i, .status = i % 10 == 0 ? RIG_ERROR : 0}
            );
            rig_give(&rig, (unsigned)i % cores, &traces);
        }
        assert_int_equal(rig_flow(&rig, SW_FLOW_HELD), 1800);
        rig_advance(&rig, 999 * SW_NS_PER_MS);
        assert_int_equal(rig.kept_count, 0);
        rig_advance(&rig, 1001 * SW_NS_PER_MS);
        assert_int_equal(rig.kept_count, 60 * 2 + 60);
        for (uint64_t i = 1; i <= 600; i++) {
            assert_int_equal(rig.kept[i], i % 10 == 0 ? 2 : 0);
            assert_int_equal(rig.kept[i + 600], i % 10 == 0 ? 1 : 0);
        }
        assert_int_equal(rig.batches_count, 120); // one for each trace
        assert_int_equal(rig_flow(&rig, SW_FLOW_HELD), 0);
        assert_int_equal(rig_flow(&rig, SW_FLOW_NOT_SAMPLED), 1800 - 180);
        RIG_METRIC(&rig, "new_trace_id_received", 1200);
        RIG_METRIC(&rig, "sampling_traces_on_memory", 1200);
        assert_true(rig_metric_of(&rig, "global_count_traces_sampled", "sampled", "true") == 120);
        assert_true(
            rig_metric_of(&rig, "global_count_traces_sampled", "decision", "not_sampled") == 1080
        );
        assert_true(rig_metric_of(&rig, "count_traces_sampled", "policy", "errors") == 1200);
        RIG_METRIC(&rig, "sampling_policy_execution_count", 1200);
        rig_close(&rig);
    }
}

static void test_next_stage_that_batches_gets_traces_together(void **state)
{
    rig_open(&rig, 1, conf_of(RIG_POLICIES(rig_all)));
    rig.stages[0]->ops->free(rig.stages[0]);
    rig.env.next_batches = true;
    assert_int_equal(
        sw_tail_sampling_class.create(
            &rig.env, &rig.conf, rig.shared, &rig.cores[0], &rig.ends[0].stage, &rig.stages[0]
        ),
        0
    );
    assert_int_equal(rig.stages[0]->ops->start(rig.stages[0]), 0);
    for (uint64_t i = 1; i <= 500; i++) {
        rig_give_one(&rig, (struct traces_span){.trace = i, .pad = 1000});
    }
    rig_give_one(&rig, (struct traces_span){.trace = 501, .pad = 400000}); // more than joins
    rig_advance(&rig, 3 * SW_NS_PER_S);
    assert_int_equal(rig.kept_count, 501);
    assert_in_range(rig.batches_count, 3, 6);
    rig_close(&rig);
}

static void test_idle_processor_shows_what_the_collector_shows(void **state)
{
    rig_open(&rig, 2, conf_of(RIG_POLICIES(rig_all_then_errors)));
    rig_advance(&rig, 3500 * SW_NS_PER_MS);
    RIG_METRIC(&rig, "sampling_decision_timer_latency", 6);
    RIG_METRIC(&rig, "sampling_policy_evaluation_error", 0);
    RIG_METRIC(&rig, "sampling_trace_dropped_too_early", 0);
    RIG_METRIC(&rig, "sampling_traces_on_memory", 0);
    assert_true(rig_metric_of(&rig, "sampling_policy_execution_count", "policy", "errors") == 0);
    assert_true(rig_metric_of(&rig, "sampling_policy_execution_time_sum", "policy", "all") == 0);
    RIG_METRIC(&rig, "count_traces_sampled", -1);
    RIG_METRIC(&rig, "global_count_traces_sampled", -1);
    RIG_METRIC(&rig, "new_trace_id_received", -1);
    RIG_METRIC(&rig, "sampling_late_span_age", -1);
    RIG_METRIC(&rig, "sampling_trace_removal_age", -1);
    RIG_METRIC(&rig, "early_releases_from_cache_decision", -1);
    RIG_METRIC(&rig, "traces_dropped_too_large", -1);
    rig_close(&rig);
}

static void test_every_policy_is_asked_unless_the_first_match_is_enough(void **state)
{
    struct sw_tail_sampling_conf conf = conf_of(RIG_POLICIES(rig_all_then_errors));
    for (unsigned first = 0; first < 2; first++) {
        conf.sample_on_first_match = first == 1;
        rig_open(&rig, 1, conf);
        for (uint64_t i = 1; i <= 3; i++) {
            rig_give_one(&rig, (struct traces_span){.trace = i});
        }
        rig_advance(&rig, 3 * SW_NS_PER_S);
        assert_int_equal(rig.kept_count, 3);
        assert_true(rig_metric_of(&rig, "sampling_policy_execution_count", "policy", "all") == 3);
        assert_true(
            rig_metric_of(&rig, "sampling_policy_execution_count", "policy", "errors")
            == (first ? 0 : 3)
        );
        assert_true(
            rig_metric_of(&rig, "count_traces_sampled", "policy", "errors") == (first ? -1 : 3)
        );
        rig_close(&rig);
    }
}

static void test_named_instance_names_its_policies(void **state)
{
    rig_open(&rig, 1, conf_of(RIG_POLICIES(rig_errors)));
    rig.stages[0]->ops->free(rig.stages[0]);
    rig.env.id = "tail_sampling/gw";
    assert_int_equal(
        sw_tail_sampling_class.create(
            &rig.env, &rig.conf, rig.shared, &rig.cores[0], &rig.ends[0].stage, &rig.stages[0]
        ),
        0
    );
    assert_int_equal(rig.stages[0]->ops->start(rig.stages[0]), 0);
    rig_advance(&rig, SW_NS_PER_S);
    assert_true(rig_metric_of(&rig, "sampling_policy_execution_count", "policy", "gw.errors") == 0);
    rig_close(&rig);
}

static void test_gate_counts_spans_for_each_policy(void **state)
{
    struct sw_tail_sampling_conf conf = conf_of(RIG_POLICIES(rig_all_then_errors));
    conf.count_spans = true;
    rig_open(&rig, 1, conf);
    struct traces traces = {0};
    for (unsigned i = 0; i < 3; i++) {
        traces_add(&traces, (struct traces_span){.trace = 1});
    }
    rig_give(&rig, 0, &traces);
    rig_advance(&rig, 3 * SW_NS_PER_S);
    assert_true(rig_metric_of(&rig, "count_spans_sampled", "policy", "all") == 3);
    assert_true(rig_metric_of(&rig, "count_spans_sampled", "sampled", "false") == 3);
    rig_close(&rig);
}

static void test_without_policies_nothing_is_kept(void **state)
{
    rig_open(&rig, 1, conf_of((struct sw_list){0}));
    rig_give_one(&rig, (struct traces_span){.trace = 1, .status = RIG_ERROR});
    rig_advance(&rig, 3 * SW_NS_PER_S);
    assert_int_equal(rig.kept_count, 0);
    assert_int_equal(rig_flow(&rig, SW_FLOW_NOT_SAMPLED), 1);
    rig_close(&rig);
}

static void test_wait_counts_whole_seconds(void **state)
{
    static const struct {
        int64_t wait_ns;
        uint64_t ticks; // until the decision, for a trace that came before the first
    } cases[] = {
        {-5, 2},
        {500 * SW_NS_PER_MS, 2},
        {1900 * SW_NS_PER_MS, 2},
        {2 * SW_NS_PER_S, 3},
        {INT64_MAX, 0},
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(cases); i++) {
        struct sw_tail_sampling_conf conf = conf_of(RIG_POLICIES(rig_all));
        conf.decision_wait_ns = cases[i].wait_ns;
        rig_open(&rig, 1, conf);
        rig_give_one(&rig, (struct traces_span){.trace = 1});
        uint64_t ticks = 0;
        for (; ticks < 5 && rig.kept_count == 0; ticks++) {
            rig_advance(&rig, SW_NS_PER_S);
        }
        assert_int_equal(rig.kept_count != 0 ? ticks : 0, cases[i].ticks);
        rig_close(&rig);
    }
}

static void test_root_span_brings_the_decision_forward(void **state)
{
    struct sw_tail_sampling_conf conf = conf_of(RIG_POLICIES(rig_all));
    conf.decision_wait_ns = 30 * (int64_t)SW_NS_PER_S;
    conf.decision_wait_after_root_ns = SW_NS_PER_S;
    rig_open(&rig, 2, conf);
    rig_give_one(&rig, (struct traces_span){.trace = 1, .parent = 5});
    rig_give_one(&rig, (struct traces_span){.trace = 2, .parent = 5});
    rig_advance(&rig, 5 * SW_NS_PER_S);
    rig_give_one(&rig, (struct traces_span){.trace = 2});
    rig_advance(&rig, 1500 * SW_NS_PER_MS);
    assert_int_equal(rig.kept_count, 0);
    rig_advance(&rig, SW_NS_PER_S);
    assert_int_equal(rig.kept[2], 2);
    assert_int_equal(rig.kept[1], 0);
    rig_advance(&rig, 26 * SW_NS_PER_S);
    assert_int_equal(rig.kept[1], 1);
    rig_close(&rig);
}

static void test_trace_that_is_too_large_is_not_sampled(void **state)
{
    struct sw_tail_sampling_conf conf = conf_of(RIG_POLICIES(rig_all));
    conf.maximum_trace_size_bytes = 500;
    rig_open(&rig, 1, conf);
    rig_give_one(&rig, (struct traces_span){.trace = 1, .pad = 300});
    rig_give_one(&rig, (struct traces_span){.trace = 2, .pad = 300});
    rig_give_one(&rig, (struct traces_span){.trace = 1, .pad = 300});
    RIG_METRIC(&rig, "traces_dropped_too_large", 1);
    assert_int_equal(rig_flow(&rig, SW_FLOW_NOT_SAMPLED), 2);
    rig_give_one(&rig, (struct traces_span){.trace = 1}); // follows
    rig_advance(&rig, 3 * SW_NS_PER_S);
    assert_int_equal(rig.kept[1], 0);
    assert_int_equal(rig.kept[2], 1);
    assert_int_equal(rig_flow(&rig, SW_FLOW_NOT_SAMPLED), 3);
    assert_true(rig_metric_of(&rig, "global_count_traces_sampled", "sampled", "false") == -1);
    RIG_METRIC(&rig, "sampling_late_span_age", -1);
    rig_close(&rig);
}

static void test_table_that_is_full_pushes_out_the_oldest(void **state)
{
    for (unsigned cores = 1; cores <= 2; cores++) {
        struct sw_tail_sampling_conf conf = conf_of(RIG_POLICIES(rig_all));
        conf.num_traces = 3;
        rig_open(&rig, cores, conf);
        for (uint64_t i = 1; i <= 8; i++) {
            rig_give_one(&rig, (struct traces_span){.trace = i});
            rig_give_one(&rig, (struct traces_span){.trace = i});
        }
        rig_advance(&rig, 3 * SW_NS_PER_S);
        for (uint64_t i = 1; i <= 8; i++) {
            assert_int_equal(rig.kept[i], i > 5 ? 2 : 0);
        }
        assert_int_equal(rig_flow(&rig, SW_FLOW_EVICTED), 10);
        assert_int_equal(rig_flow(&rig, SW_FLOW_HELD), 0);
        RIG_METRIC(&rig, "sampling_trace_dropped_too_early", 5);
        RIG_METRIC(&rig, "sampling_trace_removal_age", 5);
        RIG_METRIC(&rig, "new_trace_id_received", 8);
        RIG_METRIC(&rig, "sampling_traces_on_memory", 3);
        rig_close(&rig);
    }
}

/* The recorded case overflow/table-of-5: an ID that was pushed out starts anew. */
static void test_trace_that_comes_back_starts_anew(void **state)
{
    for (unsigned cores = 1; cores <= 2; cores++) {
        struct sw_tail_sampling_conf conf = conf_of(RIG_POLICIES(rig_all));
        conf.num_traces = 5;
        rig_open(&rig, cores, conf);
        for (uint64_t i = 1; i <= 20; i++) {
            rig_give_one(&rig, (struct traces_span){.trace = i});
        }
        for (uint64_t i = 1; i <= 20; i += 3) {
            rig_give_one(&rig, (struct traces_span){.trace = i});
        }
        rig_advance(&rig, 3 * SW_NS_PER_S);
        assert_int_equal(rig.kept_count, 5);
        for (uint64_t i = 7; i <= 19; i += 3) {
            assert_int_equal(rig.kept[i], 1);
        }
        rig_close(&rig);
    }
}

static void test_large_request_is_decided_in_slices_and_whole(void **state)
{
    rig_open(&rig, 2, conf_of(RIG_POLICIES(rig_errors)));
    struct traces traces = {0};
    for (uint64_t i = 0; i < 60000; i++) {
        traces_add(
            &traces,
            (struct traces_span){.trace = i % 20000 + 1, .status = i % 40 == 0 ? RIG_ERROR : 0}
        );
    }
    rig_give(&rig, 0, &traces);
    rig_advance(&rig, 3 * SW_NS_PER_S);
    assert_int_equal(rig.kept_count, 1500);
    assert_int_equal(rig_flow(&rig, SW_FLOW_NOT_SAMPLED), 58500);
    assert_int_equal(rig_flow(&rig, SW_FLOW_HELD), 0);
    rig_close(&rig);
}

static void test_empty_request_is_answered(void **state)
{
    rig_open(&rig, 1, conf_of(RIG_POLICIES(rig_errors)));
    struct bench_ticket ticket;
    assert_int_equal(rig_offer(&rig, 0, sw_batch_new(SW_TRACES), &ticket), 0);
    assert_int_equal(ticket.settled_count, 1);
    rig_close(&rig);
}

static void test_what_is_not_built_in_is_refused_with_a_reason(void **state)
{
    struct sw_tail_sampling_conf conf = conf_of(RIG_POLICIES(rig_all));
    conf.sampling_strategy = SW_SPAN_INGEST;
    assert_int_equal(rig_try_open(&rig, 1, conf), SW_E_UNSUPPORTED);
    assert_non_null(strstr(rig.env.error, "span-ingest"));
    rig_close(&rig);
    struct sw_policy_conf policy = {.name = "x", .type = SW_POLICY_DROP, .type_text = "drop"};
    conf = conf_of((struct sw_list){.items = &policy, .count = 1});
    assert_int_equal(rig_try_open(&rig, 1, conf), SW_E_UNSUPPORTED);
    assert_non_null(strstr(rig.env.error, "type drop"));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trace_that_a_policy_wants_goes_on_whole),
        cmocka_unit_test(test_next_stage_that_batches_gets_traces_together),
        cmocka_unit_test(test_idle_processor_shows_what_the_collector_shows),
        cmocka_unit_test(test_every_policy_is_asked_unless_the_first_match_is_enough),
        cmocka_unit_test(test_named_instance_names_its_policies),
        cmocka_unit_test(test_gate_counts_spans_for_each_policy),
        cmocka_unit_test(test_without_policies_nothing_is_kept),
        cmocka_unit_test(test_wait_counts_whole_seconds),
        cmocka_unit_test(test_root_span_brings_the_decision_forward),
        cmocka_unit_test(test_trace_that_is_too_large_is_not_sampled),
        cmocka_unit_test(test_table_that_is_full_pushes_out_the_oldest),
        cmocka_unit_test(test_trace_that_comes_back_starts_anew),
        cmocka_unit_test(test_large_request_is_decided_in_slices_and_whole),
        cmocka_unit_test(test_empty_request_is_answered),
        cmocka_unit_test(test_what_is_not_built_in_is_refused_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
