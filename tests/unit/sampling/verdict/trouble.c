/* Downstream full, memory short, the end: nothing is lost unseen, and nothing hangs. */
#include "tests/unit/sampling/verdict/rig.h"

static struct rig rig;

static struct sw_tail_sampling_conf conf_of(struct sw_list policies)
{
    return (struct sw_tail_sampling_conf){
        .decision_wait_ns = SW_NS_PER_S,
        .policies = policies,
    };
}

static double ours(const char *name)
{
    char full[128];
    snprintf(full, sizeof(full), "spanweir_processor_tail_sampling_%s", name);
    return bench_metric(rig.metrics, full, NULL, NULL);
}

static void refuse(int err)
{
    for (unsigned i = 0; i < rig.cores_count; i++) {
        rig.ends[i].refuse = err;
    }
}

static int offer_one(uint64_t trace)
{
    struct bench_ticket ticket;
    struct traces traces = {0};
    traces_add(&traces, (struct traces_span){.trace = trace});
    int err = rig_offer(&rig, 0, traces_batch(&traces, &rig.account), &ticket);
    if (err == SW_OK) {
        rig_settle(&rig);
        assert_int_equal(ticket.settled_count, 1);
    }
    return err;
}

static void test_no_room_downstream_holds_what_is_kept_and_then_refuses(void **state)
{
    for (unsigned cores = 1; cores <= 2; cores++) {
        rig_open(&rig, cores, conf_of(RIG_POLICIES(rig_all)));
        refuse(SW_E_QUEUE_FULL);
        for (uint64_t i = 1; i <= 100; i++) {
            assert_int_equal(offer_one(i), 0);
        }
        rig_advance(&rig, 2500 * SW_NS_PER_MS);
        assert_int_equal(rig.kept_count, 0);
        assert_true(ours("blocked_batches") > 0);
        assert_int_equal(offer_one(101), 0); // the next second has not come yet
        rig_advance(&rig, SW_NS_PER_S);
        assert_int_equal(offer_one(102), SW_E_FULL);
        assert_true(ours("refused_spans") == 1);
        assert_int_equal(rig_flow(&rig, SW_FLOW_HELD), 101);
        refuse(0);
        rig_advance(&rig, 3 * SW_NS_PER_S);
        assert_int_equal(rig.kept_count, 101);
        assert_int_equal(rig_flow(&rig, SW_FLOW_HELD), 0);
        assert_int_equal(offer_one(103), 0);
        rig_close(&rig);
    }
}

static void test_late_spans_without_room_are_held_within_a_bound(void **state)
{
    rig_open(&rig, 1, conf_of(RIG_POLICIES(rig_all)));
    assert_int_equal(offer_one(1), 0);
    rig_advance(&rig, 2 * SW_NS_PER_S);
    refuse(SW_E_QUEUE_FULL);
    uint32_t given = 0;
    for (; given < 100; given++) {
        struct bench_ticket ticket;
        struct traces traces = {0};
        traces_add(&traces, (struct traces_span){.trace = 1, .pad = 1 << 20});
        if (rig_offer(&rig, 0, traces_batch(&traces, &rig.account), &ticket) != SW_OK) {
            break;
        }
        rig_settle(&rig);
    }
    assert_in_range(given, 16, 18);
    assert_int_equal(rig_flow(&rig, SW_FLOW_HELD), given);
    refuse(0);
    rig_advance(&rig, SW_NS_PER_S);
    assert_int_equal(rig.kept[1], 1 + given);
    assert_int_equal(offer_one(1), 0);
    rig_close(&rig);
}

/* An exporter without a queue answers when it has delivered: so many at once, the rest waits. */
static void test_next_stage_at_work_is_given_so_many_at_once(void **state)
{
    rig_open(&rig, 1, conf_of(RIG_POLICIES(rig_all)));
    rig.ends[0].hold = true;
    for (uint64_t i = 1; i <= 100; i++) {
        assert_int_equal(offer_one(i), 0);
    }
    rig_advance(&rig, 2500 * SW_NS_PER_MS);
    assert_int_equal(rig.kept_count, 64);
    assert_int_equal(rig_flow(&rig, SW_FLOW_HELD), 36);
    rig.ends[0].hold = false;
    for (uint32_t i = 0; i < rig.ends[0].held_count; i++) {
        sw_ticket_settle_err(rig.ends[0].held[i], i % 2 == 0 ? 0 : SW_E_PERMANENT);
    }
    rig_settle(&rig);
    assert_int_equal(rig.kept_count, 100);
    rig_close(&rig);
}

static int drain(uint64_t deadline_ns)
{
    int waiting = SW_OK;
    for (unsigned i = 0; i < rig.cores_count; i++) {
        if (rig.stages[i]->ops->drain(rig.stages[i], deadline_ns) != SW_OK) {
            waiting = SW_E_AGAIN;
        }
    }
    return waiting;
}

static void drain_to_the_end(uint64_t most_ns)
{
    uint64_t deadline_ns = rig.cores[0].now_ns + most_ns;
    while (drain(deadline_ns) != SW_OK) {
        rig_advance(&rig, SW_NS_PER_MS / 2);
        assert_true(rig.cores[0].now_ns < deadline_ns + SW_NS_PER_S);
    }
    rig_check_books(&rig);
}

static void test_drain_decides_everything_that_is_held(void **state)
{
    for (unsigned cores = 1; cores <= 2; cores++) {
        struct sw_tail_sampling_conf conf = conf_of(RIG_POLICIES(rig_errors));
        conf.decision_wait_ns = 60 * (int64_t)SW_NS_PER_S;
        rig_open(&rig, cores, conf);
        for (uint64_t i = 1; i <= 5000; i++) {
            rig_give_one(
                &rig, (struct traces_span){.trace = i, .status = i % 5 == 0 ? RIG_ERROR : 0}
            );
        }
        // One that is still on its way when the drain begins.
        struct traces traces = {0};
        for (uint64_t i = 5001; i <= 8000; i++) {
            traces_add(&traces, (struct traces_span){.trace = i, .status = RIG_ERROR});
        }
        struct bench_ticket ticket;
        assert_int_equal(rig_offer(&rig, 0, traces_batch(&traces, &rig.account), &ticket), 0);
        drain_to_the_end(5 * SW_NS_PER_S);
        assert_int_equal(ticket.settled_count, 1);
        assert_int_equal(rig.kept_count, 1000 + 3000);
        assert_int_equal(rig_flow(&rig, SW_FLOW_HELD), 0);
        assert_int_equal(rig_flow(&rig, SW_FLOW_NOT_SAMPLED), 4000);
        rig_close(&rig);
    }
}

static void test_drain_with_nothing_held_is_over_at_once(void **state)
{
    rig_open(&rig, 1, conf_of(RIG_POLICIES(rig_all)));
    assert_int_equal(drain(rig.cores[0].now_ns + SW_NS_PER_S), 0);
    rig_close(&rig);
}

static void test_pending_traces_are_dropped_at_the_end_where_told(void **state)
{
    struct sw_tail_sampling_conf conf = conf_of(RIG_POLICIES(rig_all));
    conf.decision_wait_ns = 60 * (int64_t)SW_NS_PER_S;
    conf.drop_pending_traces_on_shutdown = true;
    rig_open(&rig, 1, conf);
    for (uint64_t i = 1; i <= 10; i++) {
        assert_int_equal(offer_one(i), 0);
    }
    drain_to_the_end(5 * SW_NS_PER_S);
    assert_int_equal(rig.kept_count, 0);
    assert_int_equal(rig_flow(&rig, SW_FLOW_HELD), 0);
    RIG_METRIC(&rig, "global_count_traces_sampled", -1);
    rig_close(&rig);
}

static void test_deadline_counts_what_is_left_as_failed(void **state)
{
    for (unsigned cores = 1; cores <= 2; cores++) {
        struct sw_tail_sampling_conf conf = conf_of(RIG_POLICIES(rig_all));
        conf.decision_wait_ns = 60 * (int64_t)SW_NS_PER_S;
        rig_open(&rig, cores, conf);
        for (uint64_t i = 1; i <= 100; i++) {
            assert_int_equal(offer_one(i), 0);
        }
        refuse(SW_E_QUEUE_FULL);
        drain_to_the_end(SW_NS_PER_S);
        int64_t dropped_count = 0;
        for (unsigned i = 0; i < cores; i++) {
            dropped_count += rig.ends[i].dropped_count;
        }
        assert_int_equal(dropped_count, 100);
        assert_int_equal(rig_flow(&rig, SW_FLOW_HELD), 0);
        refuse(0);
        rig_advance(&rig, 3 * SW_NS_PER_S); // nothing comes out any more
        assert_int_equal(rig.kept_count, 0);
        rig_close(&rig);
    }
}

static void test_drain_of_a_blocking_table_gets_through(void **state)
{
    struct sw_tail_sampling_conf conf = conf_of(RIG_POLICIES(rig_all));
    conf.decision_wait_ns = 60 * (int64_t)SW_NS_PER_S;
    conf.num_traces = 2;
    conf.block_on_overflow = true;
    rig_open(&rig, 2, conf);
    struct traces traces = {0};
    for (uint64_t i = 1; i <= 20; i++) {
        traces_add(&traces, (struct traces_span){.trace = i});
    }
    struct bench_ticket ticket;
    assert_int_equal(rig_offer(&rig, 0, traces_batch(&traces, &rig.account), &ticket), 0);
    rig_settle(&rig);
    assert_int_equal(ticket.settled_count, 0);
    drain_to_the_end(10 * SW_NS_PER_S);
    assert_int_equal(ticket.settled_count, 1);
    assert_int_equal(rig.kept_count, 20);
    rig_close(&rig);
}

static void make_conf(struct sw_tail_sampling_conf *conf, unsigned variant)
{
    *conf = conf_of(RIG_POLICIES(rig_errors));
    if (variant == 1) {
        conf->decision_cache.sampled_cache_size = 10;
        conf->decision_cache.non_sampled_cache_size = 10;
    }
}

// A round, late spans, another round. @return allocations seen
static uint64_t play(uint64_t nth, bool sticky, unsigned cores)
{
    struct sw_batch *batches[4];
    struct bench_ticket tickets[4];
    for (unsigned i = 0; i < 4; i++) {
        struct traces traces = {0};
        for (uint64_t k = 1; k <= 40; k++) {
            traces_add(
                &traces,
                (struct traces_span
                ){.trace = i / 2 * 40 + k, .status = k % 4 == 0 ? RIG_ERROR : 0, .pad = 30000}
            );
        }
        batches[i] = traces_batch(&traces, &rig.account);
    }
    int64_t given = 0;
    sw_mem_fail_at(nth, sticky);
    for (unsigned i = 0; i < 4; i++) {
        int64_t items = batches[i]->items_count;
        given += rig_offer(&rig, i % cores, batches[i], &tickets[i]) == SW_OK ? items : 0;
        rig_advance(&rig, 2 * SW_NS_PER_S);
        if (i == 2) { // memory comes back
            sw_mem_fail_at(0, 0);
            rig_advance(&rig, SW_NS_PER_S);
        }
    }
    rig_advance(&rig, 3 * SW_NS_PER_S);
    uint64_t seen = sw_mem_fail_at(0, 0);
    assert_int_equal(rig_flow(&rig, SW_FLOW_RECEIVED), given);
    assert_int_equal(rig_flow(&rig, SW_FLOW_HELD), 0);
    assert_int_equal(rig.kept_count + rig_flow(&rig, SW_FLOW_NOT_SAMPLED), given);
    assert_int_equal(rig.kept_count, given / 4);
    return seen;
}

static void test_failing_allocations_leave_the_books_exact(void **state)
{
    for (unsigned variant = 0; variant < 4; variant++) {
        unsigned cores = 1 + variant % 2;
        for (uint64_t nth = 1; nth < 260; nth += nth < 60 ? 1 : 7) {
            struct sw_tail_sampling_conf conf;
            make_conf(&conf, variant / 2);
            rig_open(&rig, cores, conf);
            (void)play(nth, nth % 3 == 0, cores);
            rig_close(&rig);
        }
    }
}

static void test_failing_creation_leaves_nothing(void **state)
{
    unsigned failed_count = 0;
    for (uint64_t nth = 1; nth < 120; nth++) {
        struct sw_tail_sampling_conf conf;
        make_conf(&conf, 1);
        rig_open(&rig, 1, conf);
        struct sw_stage *stage = NULL;
        void *shared = NULL;
        sw_mem_fail_at(nth, 0);
        int err = sw_tail_sampling_class.shared_new(&rig.env, &rig.conf, &shared);
        if (err == SW_OK) {
            err = sw_tail_sampling_class.create(
                &rig.env, &rig.conf, shared, &rig.cores[0], &rig.ends[0].stage, &stage
            );
        }
        sw_mem_fail_at(0, 0);
        failed_count += err != SW_OK;
        if (stage != NULL) {
            stage->ops->free(stage);
        }
        sw_tail_sampling_class.shared_free(shared);
        rig_close(&rig);
    }
    assert_true(failed_count > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_room_downstream_holds_what_is_kept_and_then_refuses),
        cmocka_unit_test(test_late_spans_without_room_are_held_within_a_bound),
        cmocka_unit_test(test_next_stage_at_work_is_given_so_many_at_once),
        cmocka_unit_test(test_drain_decides_everything_that_is_held),
        cmocka_unit_test(test_drain_with_nothing_held_is_over_at_once),
        cmocka_unit_test(test_pending_traces_are_dropped_at_the_end_where_told),
        cmocka_unit_test(test_deadline_counts_what_is_left_as_failed),
        cmocka_unit_test(test_drain_of_a_blocking_table_gets_through),
        cmocka_unit_test(test_failing_allocations_leave_the_books_exact),
        cmocka_unit_test(test_failing_creation_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
