/* Vectors of the reference (15) and of contrib v0.159. */
#include "tests/unit/sampling/policy/rig.h"

#define MS   UINT64_C(1000000)
#define BASE (UINT64_C(1760000000) * 1000 * MS)

static bool
keeps(int64_t threshold_ms, int64_t upper_ms, const struct traces_span *spans, size_t count)
{
    struct rig rig;
    struct sw_policy_conf policy = {
        .name = "slow",
        .type = SW_POLICY_LATENCY,
        .latency = {.threshold_ms = threshold_ms, .upper_threshold_ms = upper_ms},
    };
    rig_open(&rig, &policy, 1);
    struct sw_trace *trace = NULL;
    for (size_t i = 0; i < count; i++) {
        trace = rig_add(&rig, spans[i]);
    }
    bool vote = rig_vote(&rig, trace, 0);
    rig_close(&rig);
    return vote;
}

static struct traces_span lasts_ns(uint64_t from_ns, uint64_t to_ns)
{
    return (struct traces_span){.trace = 7, .start_ns = BASE + from_ns, .end_ns = BASE + to_ns};
}

static bool keeps_one(int64_t threshold_ms, int64_t upper_ms, uint64_t ns)
{
    struct traces_span span = lasts_ns(0, ns);
    return keeps(threshold_ms, upper_ms, &span, 1);
}

static void test_lower_bound_is_exclusive_in_whole_milliseconds(void **state)
{
    assert_false(keeps_one(5000, 0, 5000 * MS));
    assert_false(keeps_one(5000, 0, 5000 * MS + 999999));
    assert_true(keeps_one(5000, 0, 5001 * MS));
    assert_false(keeps_one(0, 0, MS - 1));
    assert_true(keeps_one(0, 0, MS));
}

static void test_upper_bound_is_inclusive(void **state)
{
    assert_false(keeps_one(5000, 10000, 5000 * MS));
    assert_true(keeps_one(5000, 10000, 5001 * MS));
    assert_true(keeps_one(5000, 10000, 10000 * MS));
    assert_true(keeps_one(5000, 10000, 10000 * MS + 999999));
    assert_false(keeps_one(5000, 10000, 10001 * MS));
}

static void test_spans_count_together(void **state)
{
    struct traces_span spans[] = {lasts_ns(0, 3000 * MS), lasts_ns(2500 * MS, 5500 * MS)};
    assert_true(keeps(5000, 0, spans, 2));
    assert_false(keeps(5500, 0, spans, 2));
}

static void test_prefix_in_the_range_is_enough(void **state)
{
    struct traces_span spans[] = {lasts_ns(0, 20 * MS), lasts_ns(0, 200 * MS)};
    struct traces_span turned[] = {spans[1], spans[0]};
    assert_true(keeps(0, 50, spans, 2));
    assert_false(keeps(0, 50, turned, 2));
}

static void test_odd_times_are_the_collectors(void **state)
{
    // No start: as old as 1970.
    struct traces_span no_start = {.trace = 7, .end_ns = BASE};
    assert_true(keeps(1000000, 0, &no_start, 1));
    // A start of zero is taken as none once another comes.
    struct traces_span spans[] = {no_start, lasts_ns(0, MS)};
    assert_true(keeps(1000000, 0, spans, 2));
    struct traces_span end_first = {.trace = 7, .start_ns = BASE, .end_ns = BASE - 3 * MS};
    assert_false(keeps(0, 0, &end_first, 1));
    assert_false(keeps(-3, 0, &end_first, 1));
    assert_true(keeps(-4, 0, &end_first, 1));
    // Differences that do not fit stay the largest or the smallest there is.
    struct traces_span wide = {.trace = 7, .start_ns = UINT64_C(1) << 63, .end_ns = BASE};
    assert_true(keeps(INT64_MAX / 1000000 - 1, 0, &wide, 1));
    struct traces_span back = {.trace = 7, .start_ns = INT64_MAX, .end_ns = UINT64_MAX - 5};
    assert_false(keeps(-1, 0, &back, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lower_bound_is_exclusive_in_whole_milliseconds),
        cmocka_unit_test(test_upper_bound_is_inclusive),
        cmocka_unit_test(test_spans_count_together),
        cmocka_unit_test(test_prefix_in_the_range_is_enough),
        cmocka_unit_test(test_odd_times_are_the_collectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
