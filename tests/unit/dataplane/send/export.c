/* What all exporters share: counts, books, what people are told. */
#include "dataplane/send/export.h"

#include "dataplane/base/event.h"
#include "dataplane/send/nop_exporter.h"
#include "tests/lib/bench.h"

struct rig {
    struct sw_core core;
    struct sw_account account;
    struct sw_metrics *metrics;
    struct bench_push attempt;
    struct sw_branch branch;
    struct sw_sending_queue_conf queue;
    struct sw_retry_on_failure_conf retry;
    struct sw_stage_env env;
    struct sw_queue_pool *pool;
    struct sw_stage *stage;
};

static struct rig rig;

static void rig_open(bool queued, bool retried)
{
    memset(&rig, 0, sizeof(rig));
    bench_core_init(&rig.core, &rig.account);
    bench_push_init(&rig.attempt, &rig.core);
    rig.core.events = sw_events_new(64);
    rig.branch.exporter = "otlp";
    rig.queue = (struct sw_sending_queue_conf){
        .enabled = queued,
        .num_consumers = 2,
        .queue_size = 4,
        .storage = "",
    };
    rig.retry = (struct sw_retry_on_failure_conf){
        .enabled = retried,
        .initial_interval_ns = (int64_t)SW_NS_PER_S,
        .multiplier = 1.5,
        .max_interval_ns = 30 * (int64_t)SW_NS_PER_S,
        .max_elapsed_time_ns = 10 * (int64_t)SW_NS_PER_S,
    };
    assert_int_equal(sw_metrics_new(1, &rig.metrics), 0);
    rig.env = (struct sw_stage_env){
        .id = "otlp",
        .signal = SW_TRACES,
        .metrics = rig.metrics,
        .account = &rig.account,
        .cores_count = 1,
    };
    const struct sw_export_conf conf = {
        .queue = &rig.queue,
        .retry = &rig.retry,
        .timeout_ns = 5 * SW_NS_PER_S,
        .labels = {{"server.address", "backend"}, {"server.port", "4317"}},
        .labels_count = 2,
    };
    assert_int_equal(sw_queue_pool_new(&rig.env, &rig.queue, &rig.pool), 0);
    assert_int_equal(
        sw_export_new(&rig.env, &conf, rig.pool, &rig.core, &rig.attempt.push, &rig.stage), 0
    );
    assert_int_equal(rig.stage->ops->start(rig.stage), 0);
}

static void rig_close(void)
{
    assert_int_equal(rig.stage->ops->drain(rig.stage, rig.core.now_ns), 0);
    assert_true(rig.attempt.closed);
    rig.stage->ops->free(rig.stage);
    assert_true(rig.attempt.freed);
    sw_queue_pool_free(rig.pool);
    sw_metrics_free(rig.metrics);
    sw_events_free(rig.core.events);
    assert_int_equal(sw_account_charged(&rig.account), 0);
}

// As the branch stage in front of an exporter does.
static void hand_over(uint32_t items, struct bench_ticket *ticket)
{
    struct sw_batch *batch = bench_batch(items);
    batch->branch = &rig.branch;
    rig.branch.flow[SW_BRANCH_QUEUED] += items;
    assert_int_equal(bench_hand_over(rig.stage, batch, ticket), 0);
}

static int metric(const char *name)
{
    return (int)bench_metric(rig.metrics, name, "exporter", "otlp");
}

static const struct sw_event *told(void)
{
    static struct sw_event event;
    assert_true(sw_events_take(rig.core.events, &event));
    return &event;
}

static struct sw_outcome permanent(void)
{
    return (struct sw_outcome){
        .err = SW_E_PERMANENT,
        .grpc_code = 3,
        .permanent = true,
        .text = sw_buf_copy(NULL, "no", 2),
    };
}

static void test_delivered_counts_and_moves_the_books(void **state)
{
    struct bench_ticket ticket;
    rig_open(false, true);
    hand_over(7, &ticket);
    assert_int_equal(metric("otelcol_exporter_in_flight_requests"), 1);
    assert_int_equal(rig.branch.flow[SW_BRANCH_QUEUED], 7);
    assert_int_equal(metric("otelcol_exporter_sent_spans"), -1);
    bench_push_answer(&rig.attempt, NULL);
    assert_int_equal(ticket.err, 0);
    assert_int_equal(metric("otelcol_exporter_sent_spans"), 7);
    assert_int_equal(metric("otelcol_exporter_send_failed_spans"), -1); // not yet a series
    assert_int_equal(metric("otelcol_exporter_in_flight_requests"), 0);
    assert_int_equal(rig.branch.flow[SW_BRANCH_QUEUED], 0);
    assert_int_equal(rig.branch.flow[SW_BRANCH_DELIVERED], 7);
    assert_int_equal(
        bench_metric(rig.metrics, "otelcol_exporter_sent_spans", "server.address", "backend"), 7
    );
    assert_int_equal(
        bench_metric(rig.metrics, "otelcol_exporter_in_flight_requests", "data_type", "traces"), 0
    );
    rig_close();
}

static void test_permanent_failure_of_a_queued_request_is_dropped_and_told(void **state)
{
    struct bench_ticket ticket;
    rig_open(true, true);
    hand_over(5, &ticket);
    assert_int_equal(ticket.settled_count, 1); // owned by the queue
    struct sw_outcome outcome = permanent();
    bench_push_answer(&rig.attempt, &outcome);
    assert_int_equal(metric("otelcol_exporter_send_failed_spans"), 5);
    assert_int_equal(metric("otelcol_exporter_sent_spans"), 0);
    assert_int_equal(rig.branch.flow[SW_BRANCH_FAILED_PERMANENT], 5);
    assert_int_equal(rig.branch.flow[SW_BRANCH_QUEUED], 0);
    const struct sw_event *event = told();
    assert_string_equal(event->kind->message, "Exporting failed. Dropping data.");
    assert_string_equal(event->kind->items_key, "dropped_items");
    assert_int_equal(event->items, 5);
    assert_memory_equal(event->text, "not retryable error: no", 23);
    assert_int_equal(event->text_len, 23);
    rig_close();
}

static void test_permanent_failure_without_queue_is_the_senders(void **state)
{
    struct bench_ticket ticket;
    rig_open(false, false);
    hand_over(5, &ticket);
    struct sw_outcome outcome = permanent();
    bench_push_answer(&rig.attempt, &outcome);
    assert_int_equal(ticket.grpc_code, 3);
    assert_string_equal(ticket.text, "no");
    const struct sw_event *event = told();
    assert_string_equal(
        event->kind->message,
        "Exporting failed. Rejecting data."
        " Try enabling sending_queue to survive temporary failures."
    );
    assert_string_equal(event->kind->items_key, "rejected_items");
    rig_close();
}

static void test_retries_count_once_with_the_items_of_the_start(void **state)
{
    struct bench_ticket ticket;
    rig_open(false, true);
    rig.attempt.at_once = true;
    rig.attempt.answer = (struct sw_outcome){.err = SW_E_REFUSED, .grpc_code = 14};
    hand_over(4, &ticket);
    bench_advance(&rig.core, 60 * SW_NS_PER_S);
    assert_true(rig.attempt.starts_count > 3);
    assert_int_equal(ticket.settled_count, 1);
    assert_int_equal(ticket.grpc_code, 14);
    assert_memory_equal(ticket.text, "no more retries left: ", 22);
    assert_int_equal(metric("otelcol_exporter_send_failed_spans"), 4);
    assert_int_equal(rig.branch.flow[SW_BRANCH_FAILED_RETRIES], 4);
    assert_int_equal(metric("otelcol_exporter_in_flight_requests"), 0);
    rig_close();
}

static void test_each_attempt_has_the_timeout_of_its_own(void **state)
{
    struct bench_ticket ticket;
    rig_open(false, true);
    hand_over(1, &ticket);
    assert_int_equal(rig.attempt.deadline_ns, rig.core.now_ns + 5 * SW_NS_PER_S);
    struct sw_outcome outcome = {.err = SW_E_TIMEOUT, .grpc_code = 4};
    bench_push_answer(&rig.attempt, &outcome);
    bench_advance(&rig.core, SW_NS_PER_S);
    assert_int_equal(rig.attempt.starts_count, 2);
    assert_int_equal(rig.attempt.deadline_ns, rig.core.now_ns + 5 * SW_NS_PER_S);
    bench_push_answer(&rig.attempt, NULL);
    rig_close();
}

static void test_end_of_the_process_is_a_reason_of_its_own(void **state)
{
    struct bench_ticket tickets[2];
    rig_open(false, true);
    hand_over(2, &tickets[0]);
    hand_over(3, &tickets[1]);
    struct sw_outcome outcome = {.err = SW_E_REFUSED, .grpc_code = 14};
    bench_push_answer(&rig.attempt, &outcome); // the first waits for a repetition
    assert_int_equal(rig.stage->ops->drain(rig.stage, rig.core.now_ns + SW_NS_PER_S), SW_E_AGAIN);
    assert_int_equal(tickets[0].err, SW_E_SHUTDOWN);
    bench_advance(&rig.core, SW_NS_PER_S);
    assert_int_equal(rig.stage->ops->drain(rig.stage, rig.core.now_ns), 0);
    assert_int_equal(tickets[1].err, SW_E_SHUTDOWN);
    assert_int_equal(rig.branch.flow[SW_BRANCH_FAILED_SHUTDOWN], 5);
    assert_int_equal(rig.branch.flow[SW_BRANCH_QUEUED], 0);
    assert_int_equal(metric("otelcol_exporter_send_failed_spans"), 5);
    rig_close();
}

static void test_no_memory_is_counted_as_such(void **state)
{
    unsigned failures = 0;
    for (uint64_t nth = 1; nth < 12; nth++) {
        struct bench_ticket ticket;
        rig_open(false, true);
        rig.attempt.at_once = true;
        struct sw_batch *batch = bench_batch(2);
        batch->branch = &rig.branch;
        sw_mem_fail_at(nth, 0);
        int err = sw_stage_admit(rig.stage, batch, SW_ADMIT_ALL);
        if (err == SW_OK) {
            rig.branch.flow[SW_BRANCH_QUEUED] += 2;
            memset(&ticket, 0, sizeof(ticket));
            sw_ticket_init(&ticket.ticket, bench_ticket_settled);
            sw_stage_consume(rig.stage, batch, &ticket.ticket);
            assert_int_equal(ticket.settled_count, 1);
            failures += ticket.err == SW_E_NOMEM;
        } else {
            sw_batch_free(batch);
        }
        sw_mem_fail_at(0, 0);
        int64_t booked =
            rig.branch.flow[SW_BRANCH_DELIVERED] + rig.branch.flow[SW_BRANCH_FAILED_MEMORY];
        assert_int_equal(booked, err == SW_OK ? 2 : 0);
        assert_int_equal(rig.branch.flow[SW_BRANCH_QUEUED], 0);
        rig_close();
    }
    assert_true(failures > 0);
}

static void test_nop_delivers_everything(void **state)
{
    struct sw_core core;
    struct sw_stage *stage = NULL;
    struct sw_branch branch = {.exporter = "nop"};
    struct bench_ticket ticket;
    struct sw_stage_env env = {.id = "nop"};
    bench_core_init(&core, NULL);
    assert_int_equal(sw_nop_exporter_class.create(&env, NULL, NULL, &core, NULL, &stage), 0);
    struct sw_batch *batch = bench_batch(9);
    batch->branch = &branch;
    branch.flow[SW_BRANCH_QUEUED] = 9;
    assert_int_equal(bench_hand_over(stage, batch, &ticket), 0);
    assert_int_equal(ticket.settled_count, 1);
    assert_int_equal(ticket.err, 0);
    assert_int_equal(branch.flow[SW_BRANCH_DELIVERED], 9);
    assert_int_equal(branch.flow[SW_BRANCH_QUEUED], 0);
    stage->ops->free(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delivered_counts_and_moves_the_books),
        cmocka_unit_test(test_permanent_failure_of_a_queued_request_is_dropped_and_told),
        cmocka_unit_test(test_permanent_failure_without_queue_is_the_senders),
        cmocka_unit_test(test_retries_count_once_with_the_items_of_the_start),
        cmocka_unit_test(test_each_attempt_has_the_timeout_of_its_own),
        cmocka_unit_test(test_end_of_the_process_is_a_reason_of_its_own),
        cmocka_unit_test(test_no_memory_is_counted_as_such),
        cmocka_unit_test(test_nop_delivers_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
