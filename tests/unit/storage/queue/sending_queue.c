#include "storage/queue/sending_queue.h"

#include "tests/lib/bench.h"

#define CORES 2

/* Queues of one exporter on two cores over scripted pushes. */
struct rig {
    struct sw_account account;
    struct sw_core cores[CORES];
    struct bench_push pushes[CORES];
    struct sw_metrics *metrics;
    struct sw_stage_env env;
    struct sw_sending_queue_conf conf;
    struct sw_queue_pool *pool;
    struct sw_stage *stages[CORES];
    char error[256];
};

static struct rig rig;

static void rig_prepare(int64_t size, int64_t consumers)
{
    memset(&rig, 0, sizeof(rig));
    assert_int_equal(sw_metrics_new(CORES, &rig.metrics), 0);
    rig.conf = (struct sw_sending_queue_conf){
        .enabled = true,
        .queue_size = size,
        .num_consumers = consumers,
        .storage = "",
    };
    rig.env = (struct sw_stage_env){
        .id = "otlp/backend",
        .metrics = rig.metrics,
        .account = &rig.account,
        .cores_count = CORES,
        .error = rig.error,
        .error_size = sizeof(rig.error),
    };
}

static void rig_make(void)
{
    assert_int_equal(sw_queue_pool_new(&rig.env, &rig.conf, &rig.pool), 0);
    for (unsigned i = 0; i < CORES; i++) {
        bench_core_init(&rig.cores[i], &rig.account);
        rig.cores[i].index = (uint16_t)i;
        rig.cores[i].cores_count = CORES;
        bench_push_init(&rig.pushes[i], &rig.cores[i]);
        assert_int_equal(
            sw_sending_queue_new(
                &rig.env, rig.pool, &rig.cores[i], &rig.pushes[i].push, &rig.stages[i]
            ),
            0
        );
    }
}

static void rig_open(int64_t size, int64_t consumers)
{
    rig_prepare(size, consumers);
    rig_make();
}

static void rig_close(void)
{
    for (unsigned i = 0; i < CORES; i++) {
        rig.stages[i]->ops->free(rig.stages[i]);
        assert_true(rig.pushes[i].freed);
        assert_int_equal(rig.cores[i].timers.count, 0);
    }
    assert_int_equal(sw_queue_pool_used(rig.pool), 0);
    sw_queue_pool_free(rig.pool);
    sw_metrics_free(rig.metrics);
    assert_int_equal(sw_account_charged(&rig.account), 0);
}

static int give(unsigned core, uint32_t items)
{
    struct bench_ticket ticket;
    int err = bench_hand_over(rig.stages[core], bench_batch(items), &ticket);
    if (err == SW_OK) {
        assert_int_equal(ticket.settled_count, 1);
        assert_int_equal(ticket.err, 0);
    }
    return err;
}

static void test_requests_go_out_in_order_as_consumers_come_free(void **state)
{
    rig_open(100, 4);
    for (uint32_t i = 1; i <= 5; i++) {
        assert_int_equal(give(0, i), 0);
    }
    assert_int_equal(rig.pushes[0].calls_count, 2); // half of the consumers
    bench_push_answer(&rig.pushes[0], NULL);
    bench_push_answer(&rig.pushes[0], NULL);
    bench_push_answer(&rig.pushes[0], NULL);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(rig.pushes[0].items[i], i + 1);
    }
    rig_close();
}

static void test_each_core_has_at_least_one_consumer(void **state)
{
    rig_open(100, 1);
    for (unsigned core = 0; core < CORES; core++) {
        give(core, 1);
        give(core, 1);
        assert_int_equal(rig.pushes[core].calls_count, 1);
    }
    rig_close();
}

static void test_capacity_is_the_process_s_and_counts_until_finished(void **state)
{
    rig_open(3, 2);
    assert_int_equal(give(0, 1), 0);
    assert_int_equal(give(0, 1), 0);
    assert_int_equal(give(1, 1), 0);
    assert_int_equal(give(1, 7), SW_E_QUEUE_FULL);
    assert_int_equal(give(0, 5), SW_E_QUEUE_FULL);
    assert_true(
        bench_metric(rig.metrics, "otelcol_exporter_enqueue_failed_spans", "exporter", rig.env.id)
        == 12
    );
    assert_true(
        bench_metric(rig.metrics, "otelcol_exporter_queue_size", "data_type", "traces") == 3
    );
    assert_true(
        bench_metric(rig.metrics, "otelcol_exporter_queue_capacity", "data_type", "traces") == 3
    );
    bench_push_answer(&rig.pushes[1], NULL);
    assert_int_equal(give(0, 1), 0);
    assert_int_equal(sw_queue_pool_used(rig.pool), 3);
    rig_close();
}

static void test_gauges_are_shown_from_the_start(void **state)
{
    rig_open(1000, 10);
    assert_true(bench_metric(rig.metrics, "otelcol_exporter_queue_size", NULL, NULL) == 0);
    assert_true(bench_metric(rig.metrics, "otelcol_exporter_queue_capacity", NULL, NULL) == 1000);
    assert_true(bench_metric(rig.metrics, "otelcol_exporter_enqueue_failed_spans", NULL, NULL) < 0);
    rig_close();
}

static double offers_counted(void)
{
    return bench_metric(rig.metrics, "otelcol_exporter_enqueue_size", "exporter", rig.env.id);
}

static void test_each_offer_has_a_size_once_taken_or_refused(void **state)
{
    rig_open(1, 2);
    assert_int_equal(give(0, 1), 0);
    assert_true(offers_counted() == 1);
    assert_int_equal(give(0, 4), SW_E_QUEUE_FULL);
    assert_true(offers_counted() == 2);
    assert_true(bench_metric(rig.metrics, "otelcol_exporter_enqueue_size_bytes", NULL, NULL) == 2);
    // An owner only asks; what it gives up in the end is an offer.
    struct bench_ticket ticket;
    assert_int_equal(
        bench_hand_over_mode(rig.stages[0], bench_batch(2), &ticket, SW_ADMIT_ANY), SW_E_QUEUE_FULL
    );
    assert_true(offers_counted() == 2);
    struct sw_batch *batch = bench_batch(2);
    rig.stages[0]->ops->drop(rig.stages[0], batch, SW_E_QUEUE_FULL);
    sw_batch_free(batch);
    assert_true(offers_counted() == 3);
    rig_close();
}

static void test_an_owner_that_moves_on_is_refused_uncounted(void **state)
{
    rig_open(1, 2);
    give(0, 1);
    struct bench_ticket ticket;
    assert_int_equal(
        bench_hand_over_mode(rig.stages[0], bench_batch(1), &ticket, SW_ADMIT_ANY), SW_E_QUEUE_FULL
    );
    assert_true(bench_metric(rig.metrics, "otelcol_exporter_enqueue_failed_spans", NULL, NULL) < 0);
    struct sw_batch *batch = bench_batch(4);
    rig.stages[0]->ops->drop(rig.stages[0], batch, SW_E_QUEUE_FULL);
    sw_batch_free(batch);
    assert_true(
        bench_metric(rig.metrics, "otelcol_exporter_enqueue_failed_spans", NULL, NULL) == 4
    );
    rig_close();
}

static void test_retract_gives_the_place_back(void **state)
{
    rig_open(1, 2);
    struct sw_batch *batch = bench_batch(1);
    assert_int_equal(sw_stage_admit(rig.stages[0], batch, SW_ADMIT_ALL), 0);
    assert_int_equal(sw_stage_admit(rig.stages[1], batch, SW_ADMIT_ALL), SW_E_QUEUE_FULL);
    sw_stage_retract(rig.stages[0], batch);
    sw_batch_free(batch);
    assert_int_equal(give(1, 1), 0);
    rig_close();
}

static void test_block_on_overflow_keeps_the_ticket_open_until_there_is_room(void **state)
{
    rig_prepare(1, 2);
    rig.conf.block_on_overflow = true;
    rig_make();
    give(0, 1);
    struct bench_ticket first;
    struct bench_ticket second;
    struct bench_ticket other;
    assert_int_equal(bench_hand_over(rig.stages[0], bench_batch(2), &first), 0);
    assert_int_equal(bench_hand_over(rig.stages[0], bench_batch(3), &second), 0);
    assert_int_equal(bench_hand_over(rig.stages[1], bench_batch(4), &other), 0);
    assert_int_equal(first.settled_count + second.settled_count + other.settled_count, 0);
    bench_push_answer(&rig.pushes[0], NULL);
    assert_int_equal(first.settled_count, 1);
    assert_int_equal(second.settled_count, 0);
    assert_int_equal(rig.pushes[0].items[1], 2);
    // Room that another core gives back is found by looking.
    bench_push_answer(&rig.pushes[0], NULL);
    bench_push_answer(&rig.pushes[0], NULL);
    assert_int_equal(second.settled_count, 1);
    bench_advance(&rig.cores[1], 10 * SW_NS_PER_MS);
    assert_int_equal(other.settled_count, 1);
    assert_int_equal(other.err, 0);
    assert_int_equal(rig.pushes[1].items[0], 4);
    struct bench_ticket any;
    assert_int_equal(
        bench_hand_over_mode(rig.stages[1], bench_batch(1), &any, SW_ADMIT_ANY), SW_E_QUEUE_FULL
    );
    rig_close();
}

static void test_immediate_answers_do_not_nest(void **state)
{
    rig_open(2000, 2);
    rig.pushes[0].at_once = true;
    for (unsigned i = 0; i < 2000; i++) {
        assert_int_equal(give(0, 1), 0);
    }
    assert_int_equal(rig.pushes[0].starts_count, 2000);
    assert_int_equal(sw_queue_pool_used(rig.pool), 0);
    rig_close();
}

static void test_drain_sends_everything_then_says_goodbye(void **state)
{
    rig_open(100, 4);
    for (unsigned i = 0; i < 5; i++) {
        give(0, 1);
    }
    uint64_t deadline_ns = rig.cores[0].now_ns + SW_NS_PER_S;
    assert_int_equal(rig.stages[0]->ops->drain(rig.stages[0], deadline_ns), SW_E_AGAIN);
    assert_true(rig.pushes[0].stopped);
    while (rig.pushes[0].calls_count > 0) {
        assert_false(rig.pushes[0].closed);
        bench_push_answer(&rig.pushes[0], NULL);
    }
    assert_int_equal(rig.stages[0]->ops->drain(rig.stages[0], deadline_ns), 0);
    assert_int_equal(rig.pushes[0].starts_count, 5);
    assert_true(rig.pushes[0].closed);
    rig_close();
}

static void test_drain_past_the_deadline_ends_every_request_through_the_exporter(void **state)
{
    rig_prepare(6, 4);
    rig.conf.block_on_overflow = true;
    rig_make();
    for (unsigned i = 0; i < 6; i++) {
        give(0, 1);
    }
    struct bench_ticket ticket;
    assert_int_equal(bench_hand_over(rig.stages[0], bench_batch(2), &ticket), 0);
    uint64_t deadline_ns = rig.cores[0].now_ns + SW_NS_PER_S;
    assert_int_equal(rig.stages[0]->ops->drain(rig.stages[0], deadline_ns), SW_E_AGAIN);
    bench_advance(&rig.cores[0], SW_NS_PER_S);
    assert_int_equal(rig.stages[0]->ops->drain(rig.stages[0], deadline_ns), 0);
    assert_int_equal(rig.pushes[0].starts_count, 6);
    assert_int_equal(rig.pushes[0].calls_count, 0);
    assert_int_equal(ticket.settled_count, 1);
    assert_int_equal(ticket.err, SW_E_SHUTDOWN);
    rig_close();
}

static void test_sizers_count_items_and_bytes(void **state)
{
    rig_prepare(10, 2);
    rig.conf.sizer = SW_SIZER_ITEMS;
    rig_make();
    assert_int_equal(give(0, 6), 0);
    assert_int_equal(give(1, 5), SW_E_QUEUE_FULL);
    assert_int_equal(give(1, 4), 0);
    assert_int_equal(sw_queue_pool_used(rig.pool), 10);
    assert_true(bench_metric(rig.metrics, "otelcol_exporter_queue_size", NULL, NULL) == 10);
    bench_push_answer(&rig.pushes[0], NULL);
    assert_int_equal(sw_queue_pool_used(rig.pool), 4);
    rig_close();

    struct sw_batch *batch = bench_batch(3);
    int64_t bytes = (int64_t)batch->bytes;
    sw_batch_free(batch);
    rig_prepare(bytes + 1, 2);
    rig.conf.sizer = SW_SIZER_BYTES;
    rig_make();
    assert_int_equal(give(0, 3), 0);
    assert_int_equal(sw_queue_pool_used(rig.pool), bytes);
    assert_int_equal(give(0, 3), SW_E_QUEUE_FULL);
    rig_close();
}

static void test_what_can_never_fit_is_refused_by_its_size(void **state)
{
    rig_prepare(10, 2);
    rig.conf.sizer = SW_SIZER_ITEMS;
    rig.conf.block_on_overflow = true;
    rig_make();
    assert_int_equal(give(0, 11), SW_E_ELEMENT_SIZE);
    // An owner would offer it for ever: it is taken and fails.
    struct bench_ticket ticket;
    assert_int_equal(
        bench_hand_over_mode(rig.stages[0], bench_batch(11), &ticket, SW_ADMIT_ANY), SW_OK
    );
    assert_int_equal(ticket.settled_count, 1);
    assert_int_equal(ticket.err, SW_E_ELEMENT_SIZE);
    assert_true(
        bench_metric(rig.metrics, "otelcol_exporter_enqueue_failed_spans", NULL, NULL) == 22
    );
    assert_int_equal(rig.pushes[0].starts_count, 0);
    rig_close();
}

static void test_wait_for_result_answers_with_the_backend_s_word(void **state)
{
    rig_prepare(10, 2);
    rig.conf.wait_for_result = true;
    rig_make();
    struct bench_ticket good;
    struct bench_ticket bad;
    assert_int_equal(bench_hand_over(rig.stages[0], bench_batch(1), &good), 0);
    assert_int_equal(bench_hand_over(rig.stages[0], bench_batch(1), &bad), 0);
    assert_int_equal(good.settled_count + bad.settled_count, 0);
    bench_push_answer(&rig.pushes[0], NULL);
    assert_int_equal(good.settled_count, 1);
    assert_int_equal(good.err, 0);
    struct sw_outcome outcome = {
        .err = SW_E_PERMANENT,
        .permanent = true,
        .grpc_code = 3,
        .text = sw_buf_copy(NULL, "no", 2),
    };
    bench_push_answer(&rig.pushes[0], &outcome);
    assert_int_equal(bad.settled_count, 1);
    assert_int_equal(bad.grpc_code, 3);
    assert_string_equal(bad.text, "no");
    rig_close();
}

static void expect_refused(const char *key)
{
    assert_int_equal(sw_queue_pool_new(&rig.env, &rig.conf, &rig.pool), SW_E_UNSUPPORTED);
    assert_non_null(strstr(rig.error, key));
    sw_metrics_free(rig.metrics);
}

static void test_keys_without_an_implementation_are_refused_by_name(void **state)
{
    rig_prepare(10, 1);
    const char *keys[] = {"tenant"};
    rig.conf.storage = "file_storage";
    rig.conf.batch.enabled = true;
    rig.conf.batch.partition.metadata_keys = (struct sw_list){.items = keys, .count = 1};
    expect_refused("batch::partition::metadata_keys");
}

static void test_a_call_that_the_exporter_has_no_memory_for_waits(void **state)
{
    rig_open(100, 4);
    rig.pushes[0].reserve_err = SW_E_NOMEM;
    assert_int_equal(give(0, 1), 0);
    assert_int_equal(give(0, 2), 0);
    bench_advance(&rig.cores[0], SW_NS_PER_S);
    assert_int_equal(rig.pushes[0].starts_count, 0);
    rig.pushes[0].reserve_err = SW_OK;
    bench_advance(&rig.cores[0], 10 * SW_NS_PER_MS);
    assert_int_equal(rig.pushes[0].starts_count, 2);
    assert_int_equal(rig.pushes[0].items[0], 1);
    assert_int_equal(rig.pushes[0].items[1], 2);
    bench_push_answer(&rig.pushes[0], NULL);
    bench_push_answer(&rig.pushes[0], NULL);
    rig_close();
}

static void test_failing_allocations_refuse_or_wait_but_lose_nothing(void **state)
{
    for (uint64_t nth = 1; nth < 12; nth++) {
        rig_prepare(2, 2);
        rig.conf.block_on_overflow = true;
        rig_make();
        struct bench_ticket tickets[5];
        struct sw_batch *batches[5];
        unsigned taken = 0;
        for (unsigned i = 0; i < 5; i++) {
            batches[i] = bench_batch(1);
        }
        sw_mem_fail_at(nth, 0);
        for (unsigned i = 0; i < 5; i++) {
            taken += bench_hand_over(rig.stages[0], batches[i], &tickets[taken]) == SW_OK;
        }
        sw_mem_fail_at(0, 0);
        for (unsigned i = 0; i < 20; i++) {
            bench_advance(&rig.cores[0], 5 * SW_NS_PER_MS);
            if (rig.pushes[0].calls_count > 0) {
                bench_push_answer(&rig.pushes[0], NULL);
            }
        }
        assert_int_equal(rig.pushes[0].starts_count, taken);
        for (unsigned i = 0; i < taken; i++) {
            assert_int_equal(tickets[i].settled_count, 1);
        }
        rig_close();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_go_out_in_order_as_consumers_come_free),
        cmocka_unit_test(test_each_core_has_at_least_one_consumer),
        cmocka_unit_test(test_capacity_is_the_process_s_and_counts_until_finished),
        cmocka_unit_test(test_gauges_are_shown_from_the_start),
        cmocka_unit_test(test_each_offer_has_a_size_once_taken_or_refused),
        cmocka_unit_test(test_an_owner_that_moves_on_is_refused_uncounted),
        cmocka_unit_test(test_retract_gives_the_place_back),
        cmocka_unit_test(test_block_on_overflow_keeps_the_ticket_open_until_there_is_room),
        cmocka_unit_test(test_immediate_answers_do_not_nest),
        cmocka_unit_test(test_drain_sends_everything_then_says_goodbye),
        cmocka_unit_test(test_drain_past_the_deadline_ends_every_request_through_the_exporter),
        cmocka_unit_test(test_sizers_count_items_and_bytes),
        cmocka_unit_test(test_what_can_never_fit_is_refused_by_its_size),
        cmocka_unit_test(test_wait_for_result_answers_with_the_backend_s_word),
        cmocka_unit_test(test_keys_without_an_implementation_are_refused_by_name),
        cmocka_unit_test(test_a_call_that_the_exporter_has_no_memory_for_waits),
        cmocka_unit_test(test_failing_allocations_refuse_or_wait_but_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
