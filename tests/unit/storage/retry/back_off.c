#include "dataplane/otlp/client.h"
#include "storage/retry/retry_on_failure.h"
#include "tests/lib/bench.h"

/* A retry layer over a scripted push. */
struct rig {
    struct sw_account account;
    struct sw_core core;
    struct bench_push push;
    struct sw_retry_on_failure_conf conf;
    struct sw_push *retry;
};

/* One call of ours. */
struct request {
    struct sw_push_call call;
    unsigned done_count;
    int err;
    int grpc_code;
    char text[256];
};

static struct rig rig;

static void rig_open(const struct sw_retry_on_failure_conf *conf, uint64_t timeout_ns)
{
    memset(&rig, 0, sizeof(rig));
    bench_core_init(&rig.core, &rig.account);
    bench_push_init(&rig.push, &rig.core);
    rig.conf = *conf;
    assert_int_equal(
        sw_retry_new(
            &rig.core, "otlp", &rig.conf, timeout_ns, &rig.account, &rig.push.push, &rig.retry
        ),
        0
    );
}

static void rig_close(void)
{
    assert_int_equal(sw_retry_waiting_count(rig.retry), 0);
    sw_push_free(rig.retry);
    assert_true(rig.push.freed);
    assert_int_equal(sw_account_charged(&rig.account), 0);
    assert_int_equal(rig.core.timers.count, 0);
    assert_null(rig.core.tasks_first);
}

static void request_done(struct sw_push_call *call, struct sw_outcome *outcome)
{
    struct request *request = SW_CONTAINER_OF(call, struct request, call);
    request->done_count++;
    request->err = outcome->err;
    request->grpc_code = outcome->grpc_code;
    if (outcome->text != NULL) {
        snprintf(
            request->text,
            sizeof(request->text),
            "%.*s",
            (int)outcome->text->size,
            (const char *)outcome->text->data
        );
    }
    sw_outcome_fini(outcome);
    sw_batch_free(call->batch);
    call->batch = NULL;
}

static void request_start(struct request *request, struct sw_batch *batch)
{
    *request = (struct request){.call = {.batch = batch, .done = request_done}};
    sw_push_start(rig.retry, &request->call);
}

static void refuse(int code, uint64_t retry_after_ns)
{
    struct sw_outcome outcome = {
        .err = SW_E_REFUSED,
        .grpc_code = code,
        .retry_after_ns = retry_after_ns,
        .text = sw_buf_copy(NULL, "try later", 9),
    };
    bench_push_answer(&rig.push, &outcome);
}

static struct sw_retry_on_failure_conf plain_conf(void)
{
    return (struct sw_retry_on_failure_conf){
        .enabled = true,
        .initial_interval_ns = 200 * SW_NS_PER_MS,
        .multiplier = 2,
        .max_interval_ns = 400 * SW_NS_PER_MS,
        .max_elapsed_time_ns = 5 * SW_NS_PER_S,
    };
}

static void test_waits_grow_up_to_the_longest(void **state)
{
    struct sw_retry_on_failure_conf conf = {
        .enabled = true,
        .initial_interval_ns = 5 * SW_NS_PER_S,
        .multiplier = 1.5,
        .max_interval_ns = 30 * SW_NS_PER_S,
    };
    static const double waits_s[] = {5, 7.5, 11.25, 16.875, 25.3125, 30, 30};
    rig_open(&conf, 0);
    struct request request;
    request_start(&request, bench_batch(3));
    for (unsigned i = 0; i < SW_ARRAY_SIZE(waits_s); i++) {
        refuse(14, 0);
        assert_int_equal(sw_retry_waiting_count(rig.retry), 1);
        uint64_t wait_ns = (uint64_t)(waits_s[i] * 1e9);
        bench_advance(&rig.core, wait_ns - 1);
        assert_int_equal(rig.push.starts_count, i + 1);
        bench_advance(&rig.core, 1);
        assert_int_equal(rig.push.starts_count, i + 2);
    }
    bench_push_answer(&rig.push, NULL);
    assert_int_equal(request.done_count, 1);
    assert_int_equal(request.err, 0);
    rig_close();
}

static void test_jitter_is_uniform_around_the_interval_and_follows_the_cap(void **state)
{
    struct sw_retry_on_failure_conf conf = plain_conf();
    conf.randomization_factor = 0.5;
    conf.max_elapsed_time_ns = 0;
    rig_open(&conf, 0);
    struct request request;
    request_start(&request, bench_batch(1));
    uint64_t least_ns = UINT64_MAX;
    uint64_t most_ns = 0;
    for (unsigned i = 0; i < 400; i++) {
        uint64_t failed_ns = rig.core.now_ns;
        refuse(14, 0);
        uint64_t due_ns = sw_timers_next_ns(&rig.core.timers);
        bench_advance(&rig.core, due_ns - failed_ns);
        if (i > 0) {
            least_ns = SW_MIN(least_ns, due_ns - failed_ns);
            most_ns = SW_MAX(most_ns, due_ns - failed_ns);
        }
    }
    assert_in_range(least_ns, 200 * SW_NS_PER_MS, 215 * SW_NS_PER_MS);
    assert_in_range(most_ns, 585 * SW_NS_PER_MS, 600 * SW_NS_PER_MS);
    bench_push_answer(&rig.push, NULL);
    rig_close();
}

static void test_the_peer_s_hint_is_waited_for_when_it_is_longer(void **state)
{
    struct sw_retry_on_failure_conf conf = plain_conf();
    rig_open(&conf, 0);
    struct request request;
    request_start(&request, bench_batch(1));
    refuse(8, SW_NS_PER_S);
    bench_advance(&rig.core, SW_NS_PER_S - 1);
    assert_int_equal(rig.push.starts_count, 1);
    bench_advance(&rig.core, 1);
    assert_int_equal(rig.push.starts_count, 2);
    refuse(8, SW_NS_PER_MS); // shorter than the back-off
    bench_advance(&rig.core, 399 * SW_NS_PER_MS);
    assert_int_equal(rig.push.starts_count, 2);
    bench_advance(&rig.core, SW_NS_PER_MS);
    assert_int_equal(rig.push.starts_count, 3);
    bench_push_answer(&rig.push, NULL);
    rig_close();
}

static void test_a_hint_beyond_the_budget_ends_it_at_once(void **state)
{
    struct sw_retry_on_failure_conf conf = plain_conf();
    rig_open(&conf, 0);
    struct request request;
    request_start(&request, bench_batch(1));
    refuse(14, 60 * SW_NS_PER_S);
    assert_int_equal(request.done_count, 1);
    assert_int_equal(request.grpc_code, 14);
    // The text of a throttled error is spelt out by whoever made it.
    assert_string_equal(request.text, "no more retries left: try later");
    rig_close();
}

static void test_gives_up_when_the_next_wait_passes_the_limit(void **state)
{
    struct sw_retry_on_failure_conf conf = plain_conf();
    conf.max_elapsed_time_ns = 500 * SW_NS_PER_MS;
    rig_open(&conf, 0);
    struct request request;
    request_start(&request, bench_batch(1));
    refuse(14, 0);
    bench_advance(&rig.core, 200 * SW_NS_PER_MS);
    refuse(14, 0); // 200 + 400 > 500
    assert_int_equal(rig.push.starts_count, 2);
    assert_int_equal(request.done_count, 1);
    rig_close();
}

static void test_permanent_errors_are_final(void **state)
{
    struct sw_retry_on_failure_conf conf = plain_conf();
    rig_open(&conf, 0);
    struct request request;
    request_start(&request, bench_batch(1));
    struct sw_outcome outcome = {.err = SW_E_PERMANENT, .grpc_code = 3, .permanent = true};
    bench_push_answer(&rig.push, &outcome);
    assert_int_equal(request.done_count, 1);
    assert_int_equal(request.grpc_code, 3);
    assert_string_equal(request.text, "not retryable error: permanent error");
    rig_close();
}

static void test_switched_off_the_first_failure_is_final_and_unchanged(void **state)
{
    struct sw_retry_on_failure_conf conf = {.enabled = false};
    rig_open(&conf, 0);
    struct request request;
    request_start(&request, bench_batch(1));
    refuse(14, 0);
    assert_int_equal(request.done_count, 1);
    assert_string_equal(request.text, "try later");
    rig_close();
}

static void test_each_attempt_has_its_time_limit(void **state)
{
    struct sw_retry_on_failure_conf conf = plain_conf();
    rig_open(&conf, 5 * SW_NS_PER_S);
    struct request request;
    request_start(&request, bench_batch(1));
    assert_true(rig.push.deadline_ns == rig.core.now_ns + 5 * SW_NS_PER_S);
    refuse(14, 0);
    bench_advance(&rig.core, 200 * SW_NS_PER_MS);
    assert_true(rig.push.deadline_ns == rig.core.now_ns + 5 * SW_NS_PER_S);
    bench_push_answer(&rig.push, NULL);
    rig_close();
}

static void test_shutdown_ends_waits_and_allows_no_further_ones(void **state)
{
    struct sw_retry_on_failure_conf conf = plain_conf();
    rig_open(&conf, 0);
    struct request waiting;
    struct request under_way;
    request_start(&waiting, bench_batch(1));
    refuse(14, 0);
    request_start(&under_way, bench_batch(1));
    sw_push_stop(rig.retry, false);
    assert_int_equal(waiting.done_count, 1);
    assert_int_equal(waiting.err, SW_E_SHUTDOWN);
    assert_int_equal(waiting.grpc_code, 14);
    assert_string_equal(
        waiting.text, "interrupted due to shutdown: rpc error: code = Unavailable desc = try later"
    );
    assert_int_equal(under_way.done_count, 0);
    refuse(14, 0);
    assert_int_equal(under_way.err, SW_E_SHUTDOWN);
    assert_true(rig.push.stopped);
    rig_close();
}

static void test_shutdown_with_retries_kept_goes_on(void **state)
{
    struct sw_retry_on_failure_conf conf = plain_conf();
    rig_open(&conf, 0);
    struct request request;
    request_start(&request, bench_batch(1));
    refuse(14, 0);
    sw_push_stop(rig.retry, true);
    assert_int_equal(request.done_count, 0);
    bench_advance(&rig.core, 200 * SW_NS_PER_MS);
    assert_int_equal(rig.push.starts_count, 2);
    sw_push_cancel(rig.retry, &request.call, SW_E_SHUTDOWN);
    assert_int_equal(request.done_count, 1);
    assert_int_equal(request.err, SW_E_SHUTDOWN);
    rig_close();
}

static void test_cancelled_while_it_waits_ends_from_inside(void **state)
{
    struct sw_retry_on_failure_conf conf = plain_conf();
    rig_open(&conf, 0);
    struct request request;
    request_start(&request, bench_batch_in(&rig.account, 0, 1, 2000000));
    refuse(14, 0);
    sw_push_cancel(rig.retry, &request.call, SW_E_SHUTDOWN);
    assert_int_equal(request.done_count, 1);
    rig_close();
}

static void test_cancelled_it_ends_as_it_is_told_and_not_as_a_shutdown(void **state)
{
    struct sw_retry_on_failure_conf conf = plain_conf();
    for (unsigned i = 0; i < 2; i++) {
        rig_open(&conf, 0);
        struct request request;
        request_start(&request, bench_batch(1));
        if (i == 1) {
            refuse(14, 0); // it waits
        }
        sw_push_cancel(rig.retry, &request.call, SW_E_TIMEOUT);
        assert_int_equal(request.done_count, 1);
        assert_int_equal(request.err, SW_E_TIMEOUT);
        assert_non_null(strstr(request.text, "request is cancelled or timed out: "));
        rig_close();
    }
}

static void test_a_wait_pins_nobody_else_s_buffer(void **state)
{
    struct sw_retry_on_failure_conf conf = plain_conf();
    rig_open(&conf, 0);
    struct request request;
    request_start(&request, bench_batch_in(&rig.account, 0, 5, 3000000));
    struct sw_client *client = sw_client_new(NULL, SW_BYTES("::1"), NULL, 0);
    request.call.batch->client = client;
    refuse(14, 0);
    assert_true(sw_account_charged(&rig.account) > 3000000);
    bench_turn(&rig.core);
    assert_in_range(sw_account_charged(&rig.account), 1, 1000);
    bench_advance(&rig.core, 200 * SW_NS_PER_MS);
    assert_int_equal(rig.push.items[1], 5);
    // The second time it has its own buffer already.
    struct sw_batch *batch = rig.push.calls[0]->batch;
    assert_ptr_equal(batch->client, client); // who sent it stays known
    refuse(14, 0);
    bench_advance(&rig.core, 400 * SW_NS_PER_MS);
    assert_ptr_equal(rig.push.calls[0]->batch, batch);
    bench_push_answer(&rig.push, NULL);
    rig_close();
}

static void test_large_parts_are_copied_in_slices(void **state)
{
    struct sw_retry_on_failure_conf conf = plain_conf();
    rig_open(&conf, 0);
    struct request request;
    uint32_t items = 60000; // 2.1 MB
    struct sw_batch *batch = bench_batch_in(&rig.account, 9, items, 8000000);
    uint8_t *before = sw_alloc(batch->bytes);
    sw_batch_copy_out(batch, before);
    uint64_t bytes = batch->bytes;
    request_start(&request, batch);
    refuse(14, 0);
    unsigned turns = 0;
    while (rig.core.tasks_first != NULL) {
        bench_turn(&rig.core);
        turns++;
    }
    assert_in_range(turns, 4, 8);
    bench_advance(&rig.core, 200 * SW_NS_PER_MS);
    batch = rig.push.calls[0]->batch;
    assert_true(batch->bytes == bytes);
    assert_int_equal(batch->items_count, items);
    uint8_t *after = sw_alloc(batch->bytes);
    sw_batch_copy_out(batch, after);
    assert_memory_equal(before, after, bytes);
    sw_free(before);
    sw_free(after);
    bench_push_answer(&rig.push, NULL);
    rig_close();
}

static void test_failing_allocations_end_or_go_on_but_lose_nothing(void **state)
{
    for (uint64_t nth = 1; nth < 8; nth++) {
        struct sw_retry_on_failure_conf conf = plain_conf();
        rig_open(&conf, 0);
        struct request request;
        struct sw_batch *batch = bench_batch_in(&rig.account, 0, 5, 3000000);
        sw_mem_fail_at(nth, 1);
        request_start(&request, batch);
        if (request.done_count == 0) {
            struct sw_outcome outcome = {.err = SW_E_REFUSED, .grpc_code = 14};
            bench_push_answer(&rig.push, &outcome);
            bench_advance(&rig.core, SW_NS_PER_S);
            assert_int_equal(rig.push.calls_count, 1);
            sw_push_stop(rig.retry, false);
            bench_push_answer(&rig.push, &outcome);
            assert_int_equal(request.err, SW_E_SHUTDOWN);
        } else {
            assert_int_equal(request.err, SW_E_NOMEM);
        }
        sw_mem_fail_at(0, 0);
        assert_int_equal(request.done_count, 1);
        rig_close();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits_grow_up_to_the_longest),
        cmocka_unit_test(test_jitter_is_uniform_around_the_interval_and_follows_the_cap),
        cmocka_unit_test(test_the_peer_s_hint_is_waited_for_when_it_is_longer),
        cmocka_unit_test(test_a_hint_beyond_the_budget_ends_it_at_once),
        cmocka_unit_test(test_gives_up_when_the_next_wait_passes_the_limit),
        cmocka_unit_test(test_permanent_errors_are_final),
        cmocka_unit_test(test_switched_off_the_first_failure_is_final_and_unchanged),
        cmocka_unit_test(test_each_attempt_has_its_time_limit),
        cmocka_unit_test(test_shutdown_ends_waits_and_allows_no_further_ones),
        cmocka_unit_test(test_shutdown_with_retries_kept_goes_on),
        cmocka_unit_test(test_cancelled_while_it_waits_ends_from_inside),
        cmocka_unit_test(test_cancelled_it_ends_as_it_is_told_and_not_as_a_shutdown),
        cmocka_unit_test(test_a_wait_pins_nobody_else_s_buffer),
        cmocka_unit_test(test_large_parts_are_copied_in_slices),
        cmocka_unit_test(test_failing_allocations_end_or_go_on_but_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
