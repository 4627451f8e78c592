/* Spans that come after the decision, with and without decision caches. */
#include "tests/unit/sampling/verdict/rig.h"

static struct rig rig;

static struct sw_tail_sampling_conf conf_of(int64_t sampled, int64_t not_sampled)
{
    return (struct sw_tail_sampling_conf){
        .decision_wait_ns = SW_NS_PER_S,
        .policies = RIG_POLICIES(rig_errors),
        .decision_cache = {sampled, not_sampled},
    };
}

static void first_round(void)
{
    rig_give_one(&rig, (struct traces_span){.trace = 1, .status = RIG_ERROR});
    rig_give_one(&rig, (struct traces_span){.trace = 2});
    rig_advance(&rig, 2 * SW_NS_PER_S);
    assert_int_equal(rig.kept_count, 1);
}

static void test_late_spans_follow_the_decision(void **state)
{
    for (unsigned cores = 1; cores <= 2; cores++) {
        rig_open(&rig, cores, conf_of(0, 0));
        first_round();
        rig_advance(&rig, 7 * SW_NS_PER_S);
        struct traces traces = {0};
        traces_resource(&traces, "A");
        traces_scope(&traces, "x");
        traces_add(&traces, (struct traces_span){.trace = 1});
        traces_add(&traces, (struct traces_span){.trace = 1, .pad = 200});
        traces_scope(&traces, "y");
        traces_add(&traces, (struct traces_span){.trace = 1});
        traces_resource(&traces, "B");
        traces_add(&traces, (struct traces_span){.trace = 1});
        traces_add(&traces, (struct traces_span){.trace = 2, .status = RIG_ERROR});
        traces_add(&traces, (struct traces_span){.trace = 1});
        rig_give(&rig, 0, &traces);
        assert_int_equal(rig.kept[1], 6);
        assert_int_equal(rig.kept[2], 0);
        assert_int_equal(rig_flow(&rig, SW_FLOW_HELD), 0);
        assert_int_equal(rig_flow(&rig, SW_FLOW_NOT_SAMPLED), 2);
        // Once for each group: two of trace 1, one of trace 2.
        RIG_METRIC(&rig, "sampling_late_span_age", 3);
        RIG_METRIC(&rig, "new_trace_id_received", 2);
        RIG_METRIC(&rig, "early_releases_from_cache_decision", -1);
        rig_close(&rig);
    }
}

static void test_caches_take_decided_traces_out_of_the_table(void **state)
{
    for (unsigned cores = 1; cores <= 2; cores++) {
        rig_open(&rig, cores, conf_of(10, 10));
        first_round();
        RIG_METRIC(&rig, "sampling_traces_on_memory", 0);
        RIG_METRIC(&rig, "sampling_trace_removal_age", 2);
        struct traces traces = {0};
        traces_add(&traces, (struct traces_span){.trace = 1});
        traces_add(&traces, (struct traces_span){.trace = 1});
        traces_add(&traces, (struct traces_span){.trace = 2, .status = RIG_ERROR});
        rig_give(&rig, 0, &traces);
        assert_int_equal(rig.kept[1], 3);
        assert_int_equal(rig.kept[2], 0);
        assert_true(
            rig_metric_of(&rig, "early_releases_from_cache_decision", "sampled", "true") == 2
        );
        assert_true(
            rig_metric_of(&rig, "early_releases_from_cache_decision", "sampled", "false") == 1
        );
        RIG_METRIC(&rig, "new_trace_id_received", 2);
        RIG_METRIC(&rig, "sampling_late_span_age", -1);
        assert_int_equal(rig_flow(&rig, SW_FLOW_HELD), 0);
        rig_close(&rig);
    }
}

static void test_only_one_cache_leaves_the_others_in_the_table(void **state)
{
    rig_open(&rig, 1, conf_of(10, 0));
    first_round();
    RIG_METRIC(&rig, "sampling_traces_on_memory", 1);
    rig_give_one(&rig, (struct traces_span){.trace = 2, .status = RIG_ERROR});
    assert_int_equal(rig.kept[2], 0);
    RIG_METRIC(&rig, "sampling_late_span_age", 1);
    rig_close(&rig);
    rig_open(&rig, 1, conf_of(0, 10));
    first_round();
    RIG_METRIC(&rig, "sampling_traces_on_memory", 1);
    rig_give_one(&rig, (struct traces_span){.trace = 1});
    assert_int_equal(rig.kept[1], 2);
    RIG_METRIC(&rig, "sampling_late_span_age", 1);
    rig_close(&rig);
}

/* Only the right half of an ID is remembered; both go to the same core. */
static void test_ids_with_equal_right_halves_share_a_decision(void **state)
{
    for (unsigned cores = 1; cores <= 4; cores++) {
        rig_open(&rig, cores, conf_of(10, 10));
        first_round();
        for (uint64_t left = 1; left <= 20; left++) {
            rig_give_one(&rig, (struct traces_span){.trace = 1, .left = left});
            rig_give_one(&rig, (struct traces_span){.trace = 2, .left = left, .status = RIG_ERROR});
        }
        assert_int_equal(rig.kept[1], 21);
        assert_int_equal(rig.kept[2], 0);
        RIG_METRIC(&rig, "new_trace_id_received", 2);
        rig_close(&rig);
    }
}

static void test_least_recently_used_decision_is_forgotten_first(void **state)
{
    rig_open(&rig, 1, conf_of(2, 0));
    for (uint64_t i = 1; i <= 2; i++) {
        rig_give_one(&rig, (struct traces_span){.trace = i, .status = RIG_ERROR});
        rig_advance(&rig, 2 * SW_NS_PER_S);
    }
    rig_give_one(&rig, (struct traces_span){.trace = 1}); // used
    rig_give_one(&rig, (struct traces_span){.trace = 3, .status = RIG_ERROR});
    rig_advance(&rig, 2 * SW_NS_PER_S);
    rig_give_one(&rig, (struct traces_span){.trace = 1}); // still known
    rig_give_one(&rig, (struct traces_span){.trace = 2}); // forgotten: a new trace
    assert_int_equal(rig.kept[1], 3);
    RIG_METRIC(&rig, "new_trace_id_received", 4);
    rig_advance(&rig, 2 * SW_NS_PER_S);
    assert_int_equal(rig.kept[2], 1);
    rig_close(&rig);
}

static void test_gate_records_the_policy_in_the_scope(void **state)
{
    for (unsigned cached = 0; cached < 2; cached++) {
        struct sw_tail_sampling_conf conf = conf_of(cached ? 10 : 0, 0);
        conf.record_policy = true;
        rig_open(&rig, 2, conf);
        first_round();
        assert_int_equal(rig.recorded_count, 1);
        struct traces traces = {0};
        traces_add(&traces, (struct traces_span){.trace = 1});
        traces_scope(&traces, "other");
        traces_add(&traces, (struct traces_span){.trace = 1});
        rig_give(&rig, 0, &traces);
        assert_int_equal(rig.kept[1], 3);
        assert_int_equal(rig.recorded_count, cached ? 3 : 1);
        assert_int_equal(rig.cached_count, cached ? 2 : 0);
        rig_close(&rig);
    }
}

static void test_large_trace_goes_into_the_cache(void **state)
{
    struct sw_tail_sampling_conf conf = conf_of(0, 10);
    conf.maximum_trace_size_bytes = 200;
    rig_open(&rig, 1, conf);
    struct traces traces = {0};
    traces_add(&traces, (struct traces_span){.trace = 1, .pad = 300});
    traces_add(&traces, (struct traces_span){.trace = 1, .status = RIG_ERROR});
    rig_give(&rig, 0, &traces);
    RIG_METRIC(&rig, "traces_dropped_too_large", 1);
    RIG_METRIC(&rig, "sampling_trace_removal_age", 1);
    RIG_METRIC(&rig, "early_releases_from_cache_decision", -1); // the same group
    rig_give_one(&rig, (struct traces_span){.trace = 1, .status = RIG_ERROR});
    RIG_METRIC(&rig, "early_releases_from_cache_decision", 1);
    rig_advance(&rig, 3 * SW_NS_PER_S);
    assert_int_equal(rig.kept_count, 0);
    assert_int_equal(rig_flow(&rig, SW_FLOW_NOT_SAMPLED), 3);
    rig_close(&rig);
}

/* Cached decisions make room: num_traces counts what is in the table. */
static void test_cached_traces_do_not_count_as_traces_in_memory(void **state)
{
    struct sw_tail_sampling_conf conf = conf_of(1000, 1000);
    conf.num_traces = 10;
    for (unsigned cores = 1; cores <= 2; cores++) {
        rig_open(&rig, cores, conf);
        for (uint64_t round = 0; round < 20; round++) {
            for (uint64_t i = 1; i <= 10; i++) {
                rig_give_one(
                    &rig,
                    (struct traces_span){.trace = round * 10 + i, .status = i == 1 ? RIG_ERROR : 0}
                );
            }
            rig_advance(&rig, 2 * SW_NS_PER_S);
        }
        assert_int_equal(rig.kept_count, 20);
        assert_int_equal(rig_flow(&rig, SW_FLOW_EVICTED), 0);
        rig_close(&rig);
    }
}

static void test_blocking_on_overflow_waits_until_decisions_make_room(void **state)
{
    for (unsigned cores = 1; cores <= 2; cores++) {
        struct sw_tail_sampling_conf conf = conf_of(100, 100);
        conf.num_traces = 3;
        conf.block_on_overflow = true;
        rig_open(&rig, cores, conf);
        struct traces traces = {0};
        for (uint64_t i = 1; i <= 10; i++) {
            traces_add(&traces, (struct traces_span){.trace = i, .status = RIG_ERROR});
        }
        struct bench_ticket ticket;
        struct sw_batch *batch = traces_batch(&traces, &rig.account);
        assert_int_equal(rig_offer(&rig, 0, batch, &ticket), 0);
        rig_settle(&rig);
        assert_int_equal(ticket.settled_count, 0);
        rig_advance(&rig, 12 * SW_NS_PER_S);
        assert_int_equal(ticket.settled_count, 1);
        assert_int_equal(rig.kept_count, 10);
        assert_int_equal(rig_flow(&rig, SW_FLOW_EVICTED), 0);
        rig_close(&rig);
    }
}

/* Without caches the Collector waits for ever; here decided traces make room. */
static void test_blocking_without_caches_ends(void **state)
{
    struct sw_tail_sampling_conf conf = conf_of(0, 0);
    conf.num_traces = 3;
    conf.block_on_overflow = true;
    rig_open(&rig, 2, conf);
    struct traces traces = {0};
    for (uint64_t i = 1; i <= 10; i++) {
        traces_add(&traces, (struct traces_span){.trace = i, .status = RIG_ERROR});
    }
    struct bench_ticket ticket;
    assert_int_equal(rig_offer(&rig, 0, traces_batch(&traces, &rig.account), &ticket), 0);
    rig_advance(&rig, 15 * SW_NS_PER_S);
    assert_int_equal(ticket.settled_count, 1);
    assert_int_equal(rig.kept_count, 10);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_late_spans_follow_the_decision),
        cmocka_unit_test(test_caches_take_decided_traces_out_of_the_table),
        cmocka_unit_test(test_only_one_cache_leaves_the_others_in_the_table),
        cmocka_unit_test(test_ids_with_equal_right_halves_share_a_decision),
        cmocka_unit_test(test_least_recently_used_decision_is_forgotten_first),
        cmocka_unit_test(test_gate_records_the_policy_in_the_scope),
        cmocka_unit_test(test_large_trace_goes_into_the_cache),
        cmocka_unit_test(test_cached_traces_do_not_count_as_traces_in_memory),
        cmocka_unit_test(test_blocking_on_overflow_waits_until_decisions_make_room),
        cmocka_unit_test(test_blocking_without_caches_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
