/* Decisions that other gateways have made, and those that they hear of. */
#include "tests/unit/sampling/verdict/rig.h"

#define SECOND SW_NS_PER_S

static struct sw_decisions decisions;
static struct sw_decision made[1000]; // here
static unsigned made_count;
static struct sw_decisions_taken taken;

static void
note_decided(struct sw_decisions *of, struct sw_core *core, const struct sw_decision *decision)
{
    assert_true(made_count < SW_ARRAY_SIZE(made));
    made[made_count++] = *decision;
}

static void
note_taken(struct sw_decisions *of, struct sw_core *core, const struct sw_decisions_taken *more)
{
    taken.remembered += more->remembered;
    taken.followed += more->followed;
    taken.known += more->known;
    taken.lost += more->lost;
}

static void
open_rig(struct rig *rig, unsigned cores_count, bool caches, const struct sw_list *policies)
{
    struct sw_tail_sampling_conf conf = {
        .decision_wait_ns = 5 * SECOND,
        .policies = *policies,
    };
    if (caches) {
        conf.decision_cache.sampled_cache_size = 1000;
        conf.decision_cache.non_sampled_cache_size = 1000;
    }
    decisions = (struct sw_decisions){.decided = note_decided, .taken = note_taken};
    taken = (struct sw_decisions_taken){.remembered = 0};
    made_count = 0;
    rig_decisions = &decisions;
    rig_open(rig, cores_count, conf);
}

// Odd ones are sampled.
static void hear(struct rig *rig, unsigned core, uint64_t from, uint64_t to)
{
    struct sw_decision list[256];
    unsigned count = 0;
    for (uint64_t trace = from; trace < to; trace++) {
        list[count].sampled = trace % 2 == 1;
        traces_id(list[count++].trace_id, trace, 0);
    }
    decisions.take(&decisions, &rig->cores[core], list, count);
    rig_settle(rig);
}

static void late_spans_follow(unsigned cores_count, bool caches)
{
    const struct sw_list errors = RIG_POLICIES(rig_errors);
    struct rig rig;
    open_rig(&rig, cores_count, caches, &errors);
    hear(&rig, 0, 0, 100);
    assert_int_equal(taken.remembered, 100);
    for (uint64_t trace = 0; trace < 100; trace++) {
        rig_give_one(&rig, (struct traces_span){.trace = trace, .status = RIG_ERROR});
        assert_int_equal(rig.kept[trace], trace % 2);
    }
    assert_int_equal(rig.kept_count, 50);
    assert_int_equal(rig_flow(&rig, SW_FLOW_NOT_SAMPLED), 50);
    rig_advance(&rig, 10 * SECOND);
    assert_int_equal(rig.kept_count, 50);
    assert_int_equal(made_count, 0); // nobody is told what others have decided
    hear(&rig, 0, 0, 100);
    assert_int_equal(taken.known, 100);
    rig_close(&rig);
}

static void test_late_spans_follow_what_others_decided(void **state)
{
    late_spans_follow(1, false);
    late_spans_follow(1, true);
    late_spans_follow(3, false);
    late_spans_follow(3, true);
}

static void test_spans_that_wait_follow_when_their_time_comes(void **state)
{
    const struct sw_list errors = RIG_POLICIES(rig_errors);
    for (unsigned cores_count = 1; cores_count <= 2; cores_count++) {
        struct rig rig;
        open_rig(&rig, cores_count, cores_count == 2, &errors);
        for (uint64_t trace = 0; trace < 40; trace++) {
            // Their own policies would say the opposite.
            int status = trace % 2 == 0 ? RIG_ERROR : 0;
            rig_give_one(&rig, (struct traces_span){.trace = trace, .status = status});
        }
        hear(&rig, 0, 0, 30);
        assert_int_equal(taken.followed, 30);
        hear(&rig, 0, 0, 30);
        assert_int_equal(taken.known, 30); // the first one holds
        assert_int_equal(rig.kept_count, 0);
        rig_advance(&rig, 10 * SECOND);
        for (uint64_t trace = 0; trace < 40; trace++) {
            assert_int_equal(rig.kept[trace], trace < 30 ? trace % 2 : trace % 2 == 0);
        }
        assert_int_equal(made_count, 10); // those of our own
        rig_close(&rig);
    }
}

static void test_own_decisions_are_told(void **state)
{
    const struct sw_list errors = RIG_POLICIES(rig_errors);
    struct rig rig;
    open_rig(&rig, 2, false, &errors);
    for (uint64_t trace = 0; trace < 20; trace++) {
        int status = trace % 4 == 0 ? RIG_ERROR : 0;
        rig_give_one(&rig, (struct traces_span){.trace = trace, .status = status});
    }
    rig_advance(&rig, 10 * SECOND);
    assert_int_equal(made_count, 20);
    unsigned sampled_count = 0;
    for (unsigned i = 0; i < made_count; i++) {
        uint64_t trace = traces_number(made[i].trace_id);
        assert_int_equal(made[i].sampled, trace % 4 == 0);
        sampled_count += made[i].sampled;
    }
    assert_int_equal(sampled_count, 5);
    assert_false(atomic_load(&decisions.leaving));
    for (unsigned i = 0; i < 2; i++) {
        while (rig.stages[i]->ops->drain(rig.stages[i], SW_TIME_NEVER) != SW_OK) {
            rig_settle(&rig);
        }
    }
    assert_true(atomic_load(&decisions.leaving));
    hear(&rig, 0, 50, 60); // too late to remember anything
    assert_int_equal(taken.lost, 10);
    rig_close(&rig);
}

static void test_without_memory_decisions_are_lost_and_nothing_else(void **state)
{
    const struct sw_list errors = RIG_POLICIES(rig_errors);
    for (uint64_t nth = 1; nth <= 12; nth++) {
        struct rig rig;
        open_rig(&rig, 2, nth % 2 == 0, &errors);
        sw_mem_fail_at(nth, 0);
        hear(&rig, 0, 0, 100);
        sw_mem_fail_at(0, 0);
        assert_int_equal(taken.remembered + taken.lost, 100);
        rig_advance(&rig, 10 * SECOND);
        rig_close(&rig);
    }
}

static void test_messages_that_never_arrive_are_freed(void **state)
{
    const struct sw_list errors = RIG_POLICIES(rig_errors);
    struct sw_decision decision;
    struct rig rig;
    open_rig(&rig, 3, false, &errors);
    for (uint64_t trace = 0; trace < 300; trace++) {
        traces_id(decision.trace_id, trace, 0);
        decision.sampled = true;
        decisions.take(&decisions, &rig.cores[0], &decision, 1);
    }
    assert_true(taken.lost > 0); // beyond those that may be under way
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_late_spans_follow_what_others_decided),
        cmocka_unit_test(test_spans_that_wait_follow_when_their_time_comes),
        cmocka_unit_test(test_own_decisions_are_told),
        cmocka_unit_test(test_without_memory_decisions_are_lost_and_nothing_else),
        cmocka_unit_test(test_messages_that_never_arrive_are_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
