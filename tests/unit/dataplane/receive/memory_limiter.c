/* The memory_limiter processor: where it refuses, and what it counts. */
#include "dataplane/receive/memory_limiter.h"

#include "tests/lib/bench.h"

#define MIB (INT64_C(1) << 20)

struct bed {
    struct sw_core core;
    struct sw_account account;
    struct sw_memory_baseline baseline;
    struct sw_metrics *metrics;
    struct bench_keeper keeper;
    struct sw_stage *limiter;
    char error[128];
};

static int make(struct bed *bed, const struct sw_memory_limiter_conf *conf, int64_t total_bytes)
{
    memset(bed, 0, sizeof(*bed));
    bench_core_init(&bed->core, &bed->account);
    bed->core.events = sw_events_new(8);
    bed->baseline.total_bytes = total_bytes;
    bench_keeper_init(&bed->keeper, &bed->core);
    assert_int_equal(sw_metrics_new(1, &bed->metrics), SW_OK);
    struct sw_stage_env env = {
        .id = "memory_limiter",
        .signal = SW_TRACES,
        .metrics = bed->metrics,
        .account = &bed->account,
        .baseline = &bed->baseline,
        .cores_count = 1,
        .error = bed->error,
        .error_size = sizeof(bed->error),
    };
    const struct sw_stage_class *class = sw_memory_limiter.ops;
    return class->create(&env, conf, NULL, &bed->core, &bed->keeper.stage, &bed->limiter);
}

static void drop(struct bed *bed)
{
    if (bed->limiter != NULL) {
        bed->limiter->ops->free(bed->limiter);
    }
    sw_events_free(bed->core.events);
    sw_metrics_free(bed->metrics);
    assert_int_equal(sw_account_charged(&bed->account), 0);
}

static int64_t count(struct bed *bed, const char *name)
{
    return (int64_t)bench_metric(bed->metrics, name, "processor", "memory_limiter");
}

static void use(struct bed *bed, int64_t bytes)
{
    atomic_store(&bed->baseline.bytes, bytes);
}

static int hand_over(struct bed *bed, uint32_t items)
{
    struct bench_ticket ticket;
    return bench_hand_over(bed->limiter, bench_batch(items), &ticket);
}

static void test_limits_follow_the_collectors_arithmetic(void **state)
{
    static const struct {
        struct sw_memory_limiter_conf conf;
        int64_t total;
        int64_t hard;
        int64_t soft;
    } rows[] = {
        {{.limit_mib = 1000}, 0, 1000 * MIB, 800 * MIB},
        {{.limit_mib = 1000, .spike_limit_mib = 100}, 0, 1000 * MIB, 900 * MIB},
        {{.limit_mib = 2, .limit_percentage = 50}, 1000, 2 * MIB, 2 * MIB - 2 * MIB / 5},
        {{.limit_percentage = 75}, 1001, 750, 600},
        {{.limit_percentage = 80, .spike_limit_percentage = 25}, 1000 * MIB, 800 * MIB, 550 * MIB},
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(rows); i++) {
        struct sw_memory_limits limits;
        assert_int_equal(sw_memory_limits(&rows[i].conf, rows[i].total, &limits), SW_OK);
        assert_int_equal(limits.hard_bytes, rows[i].hard);
        assert_int_equal(limits.soft_bytes, rows[i].soft);
    }
}

static void test_percentage_of_an_unknown_total_cannot_be_made(void **state)
{
    static const struct sw_memory_limiter_conf conf = {.limit_percentage = 50};
    struct bed bed;
    assert_int_equal(make(&bed, &conf, 0), SW_E_INVALID);
    assert_non_null(strstr(bed.error, "total memory"));
    drop(&bed);
}

static const struct sw_memory_limiter_conf ten_mib = {.limit_mib = 10, .spike_limit_mib = 2};

static void test_data_are_refused_from_the_soft_limit_on(void **state)
{
    struct bed bed;
    assert_int_equal(make(&bed, &ten_mib, 0), SW_OK);
    use(&bed, 8 * MIB - 1);
    assert_int_equal(hand_over(&bed, 3), SW_OK);
    use(&bed, 8 * MIB);
    assert_int_equal(hand_over(&bed, 4), SW_E_MEMORY_LIMIT);
    use(&bed, 100 * MIB);
    assert_int_equal(hand_over(&bed, 5), SW_E_MEMORY_LIMIT);
    use(&bed, 0);
    assert_int_equal(hand_over(&bed, 6), SW_OK);
    assert_int_equal(bed.keeper.items_count, 9);
    assert_int_equal(count(&bed, "otelcol_processor_incoming_items"), 18);
    assert_int_equal(count(&bed, "otelcol_processor_outgoing_items"), 9);
    assert_int_equal(count(&bed, "otelcol_processor_memory_limiter_accepted_spans"), 9);
    assert_int_equal(count(&bed, "otelcol_processor_memory_limiter_refused_spans"), 9);
    drop(&bed);
}

static void test_pinned_buffers_count_as_used(void **state)
{
    struct bed bed;
    assert_int_equal(make(&bed, &ten_mib, 0), SW_OK);
    use(&bed, 3 * MIB);
    struct sw_buf *pinned = sw_buf_new(&bed.account, 5 * MIB);
    assert_int_equal(hand_over(&bed, 1), SW_E_MEMORY_LIMIT);
    sw_buf_unref(pinned);
    assert_int_equal(hand_over(&bed, 1), SW_OK);
    drop(&bed);
}

static void test_refusal_further_down_counts_as_accepted_here(void **state)
{
    struct bed bed;
    assert_int_equal(make(&bed, &ten_mib, 0), SW_OK);
    bed.keeper.refuse = SW_E_QUEUE_FULL;
    assert_int_equal(hand_over(&bed, 7), SW_E_QUEUE_FULL);
    assert_int_equal(count(&bed, "otelcol_processor_memory_limiter_accepted_spans"), 7);
    assert_int_equal(count(&bed, "otelcol_processor_memory_limiter_refused_spans"), -1);
    drop(&bed);
}

static void test_what_is_taken_back_is_not_counted(void **state)
{
    struct bed bed;
    assert_int_equal(make(&bed, &ten_mib, 0), SW_OK);
    struct sw_batch *batch = bench_batch(4);
    assert_int_equal(sw_stage_admit(bed.limiter, batch, SW_ADMIT_ALL), SW_OK);
    sw_stage_retract(bed.limiter, batch);
    assert_int_equal(count(&bed, "otelcol_processor_incoming_items"), -1);
    // An owner that asks in vain keeps its data: nothing was lost, nothing is counted.
    use(&bed, 9 * MIB);
    assert_int_equal(sw_stage_admit(bed.limiter, batch, SW_ADMIT_ANY), SW_E_MEMORY_LIMIT);
    assert_int_equal(count(&bed, "otelcol_processor_incoming_items"), -1);
    // A fan-out that goes on without this branch says so.
    bed.limiter->ops->drop(bed.limiter, batch, SW_E_MEMORY_LIMIT);
    assert_int_equal(count(&bed, "otelcol_processor_memory_limiter_refused_spans"), 4);
    assert_int_equal(bed.keeper.dropped_items, 4);
    sw_batch_free(batch);
    drop(&bed);
}

static void test_people_are_told_once_when_it_begins_and_once_when_it_ends(void **state)
{
    struct bed bed;
    struct sw_event event;
    assert_int_equal(make(&bed, &ten_mib, 0), SW_OK);
    use(&bed, 9 * MIB);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(hand_over(&bed, 1), SW_E_MEMORY_LIMIT);
    }
    use(&bed, 1 * MIB);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(hand_over(&bed, 1), SW_OK);
    }
    assert_true(sw_events_take(bed.core.events, &event));
    assert_string_equal(event.kind->message, "Memory usage is above soft limit. Refusing data.");
    assert_int_equal(event.text_len, 1);
    assert_int_equal(event.text[0], '9');
    assert_true(sw_events_take(bed.core.events, &event));
    assert_string_equal(
        event.kind->message, "Memory usage back within limits. Resuming normal operation."
    );
    assert_false(sw_events_take(bed.core.events, &event));
    drop(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits_follow_the_collectors_arithmetic),
        cmocka_unit_test(test_percentage_of_an_unknown_total_cannot_be_made),
        cmocka_unit_test(test_data_are_refused_from_the_soft_limit_on),
        cmocka_unit_test(test_pinned_buffers_count_as_used),
        cmocka_unit_test(test_refusal_further_down_counts_as_accepted_here),
        cmocka_unit_test(test_what_is_taken_back_is_not_counted),
        cmocka_unit_test(test_people_are_told_once_when_it_begins_and_once_when_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
