/* sending_queue::batch: requests are joined and cut on their way out of the queue. */
#include "dataplane/otlp/client.h"
#include "storage/queue/sending_queue.h"
#include "tests/lib/bench.h"

static struct {
    struct sw_account account;
    struct sw_core core;
    struct bench_push push;
    struct sw_stage_env env;
    struct sw_sending_queue_conf conf;
    struct sw_queue_pool *pool;
    struct sw_stage *stage;
} rig;

static void rig_open(int sizer, int64_t min, int64_t max)
{
    memset(&rig, 0, sizeof(rig));
    rig.conf = (struct sw_sending_queue_conf){
        .enabled = true,
        .queue_size = 1000,
        .num_consumers = 1,
        .storage = "",
        .batch =
            {
                .enabled = true,
                .sizer = sizer,
                .min_size = min,
                .max_size = max,
                .flush_timeout_ns = 200 * SW_NS_PER_MS,
            },
    };
    rig.env = (struct sw_stage_env){
        .id = "otlp/backend",
        .account = &rig.account,
        .cores_count = 1,
    };
    bench_core_init(&rig.core, &rig.account);
    bench_push_init(&rig.push, &rig.core);
}

static void rig_make(void)
{
    assert_int_equal(sw_queue_pool_new(&rig.env, &rig.conf, &rig.pool), 0);
    assert_int_equal(
        sw_sending_queue_new(&rig.env, rig.pool, &rig.core, &rig.push.push, &rig.stage), 0
    );
}

static void rig_close(void)
{
    rig.stage->ops->free(rig.stage);
    assert_true(rig.push.freed);
    assert_int_equal(rig.core.timers.count, 0);
    assert_int_equal(sw_queue_pool_used(rig.pool), 0);
    sw_queue_pool_free(rig.pool);
    assert_int_equal(sw_account_charged(&rig.account), 0);
}

static void give(uint32_t items, struct sw_branch *branch)
{
    struct bench_ticket ticket;
    struct sw_batch *batch = bench_batch_in(&rig.account, 0, items, 0);
    batch->branch = branch;
    if (branch != NULL) {
        branch->flow[SW_BRANCH_QUEUED] += items;
    }
    assert_int_equal(bench_hand_over(rig.stage, batch, &ticket), 0);
    assert_int_equal(ticket.settled_count, 1);
}

static void answer_all(void)
{
    while (rig.push.calls_count > 0) {
        bench_push_answer(&rig.push, NULL);
    }
}

static void expect_sizes(const uint32_t *sizes, uint32_t count)
{
    assert_int_equal(rig.push.starts_count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(rig.push.items[i], sizes[i]);
    }
}

static void test_requests_are_joined_until_min_size(void **state)
{
    rig_open(SW_SIZER_ITEMS, 10, 0);
    rig_make();
    give(4, NULL);
    give(4, NULL);
    assert_int_equal(rig.push.starts_count, 0);
    give(4, NULL);
    expect_sizes((uint32_t[]){12}, 1);
    assert_int_equal(sw_queue_pool_used(rig.pool), 3);
    // With the consumer at work more than one batch comes together, and stays more than one.
    for (unsigned i = 0; i < 6; i++) {
        give(4, NULL);
    }
    answer_all();
    expect_sizes((uint32_t[]){12, 12, 12}, 3);
    rig_close();
}

static void test_larger_ones_are_cut_at_max_size_and_the_rest_waits(void **state)
{
    rig_open(SW_SIZER_ITEMS, 5, 5);
    rig_make();
    give(13, NULL);
    answer_all();
    expect_sizes((uint32_t[]){5, 5}, 2);
    assert_int_equal(sw_queue_pool_used(rig.pool), 1); // its request is not finished
    bench_advance(&rig.core, 200 * SW_NS_PER_MS);
    expect_sizes((uint32_t[]){5, 5, 3}, 3);
    answer_all();
    assert_int_equal(sw_queue_pool_used(rig.pool), 0);
    rig_close();
}

static void test_flush_timeout_sends_what_there_is(void **state)
{
    rig_open(SW_SIZER_ITEMS, 100, 0);
    rig_make();
    give(2, NULL);
    bench_advance(&rig.core, 100 * SW_NS_PER_MS);
    give(3, NULL);
    bench_advance(&rig.core, 99 * SW_NS_PER_MS);
    assert_int_equal(rig.push.starts_count, 0);
    bench_advance(&rig.core, SW_NS_PER_MS);
    expect_sizes((uint32_t[]){5}, 1);
    answer_all();
    give(1, NULL); // its time begins now
    bench_advance(&rig.core, 199 * SW_NS_PER_MS);
    assert_int_equal(rig.push.starts_count, 1);
    bench_advance(&rig.core, SW_NS_PER_MS);
    expect_sizes((uint32_t[]){5, 1}, 2);
    answer_all();
    rig_close();
}

static void test_min_size_zero_sends_each_request_at_once(void **state)
{
    rig_open(SW_SIZER_ITEMS, 0, 0);
    rig_make();
    give(2, NULL);
    answer_all();
    give(3, NULL);
    answer_all();
    expect_sizes((uint32_t[]){2, 3}, 2);
    rig_close();
}

static void test_every_sender_hears_of_its_own_parts(void **state)
{
    rig_open(SW_SIZER_ITEMS, 4, 4);
    rig.conf.wait_for_result = true;
    rig_make();
    struct bench_ticket tickets[3];
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(bench_hand_over(rig.stage, bench_batch(i == 1 ? 6 : 1), &tickets[i]), 0);
    }
    // 1+3, 3+1: the second request goes in two calls.
    bench_push_answer(&rig.push, NULL);
    assert_int_equal(tickets[0].settled_count, 1);
    assert_int_equal(tickets[0].err, 0);
    assert_int_equal(tickets[1].settled_count, 0);
    struct sw_outcome outcome = {.err = SW_E_REFUSED, .grpc_code = 14};
    bench_push_answer(&rig.push, &outcome);
    expect_sizes((uint32_t[]){4, 4}, 2);
    for (unsigned i = 1; i < 3; i++) {
        assert_int_equal(tickets[i].settled_count, 1);
        assert_int_equal(tickets[i].grpc_code, 14);
    }
    rig_close();
}

static void test_books_of_several_pipelines_stay_apart(void **state)
{
    struct sw_branch one = {.exporter = "otlp"};
    struct sw_branch two = {.exporter = "otlp"};
    rig_open(SW_SIZER_ITEMS, 10, 10);
    rig_make();
    give(4, &one);
    give(8, &two);
    bench_push_answer(&rig.push, NULL);
    assert_int_equal(one.flow[SW_BRANCH_QUEUED], 0);
    assert_int_equal(one.flow[SW_BRANCH_DELIVERED], 4);
    assert_int_equal(two.flow[SW_BRANCH_QUEUED], 2);
    assert_int_equal(two.flow[SW_BRANCH_DELIVERED], 6);
    rig_close();
}

static void test_bytes_are_never_more_than_max_size(void **state)
{
    struct sw_batch *batch = bench_batch(10);
    int64_t bytes = (int64_t)batch->bytes;
    sw_batch_free(batch);
    rig_open(SW_SIZER_BYTES, bytes, bytes);
    rig_make();
    give(35, NULL);
    uint32_t items = 0;
    while (rig.push.calls_count > 0) {
        assert_true((int64_t)rig.push.calls[0]->batch->bytes <= bytes);
        assert_true(rig.push.calls[0]->batch->items_count >= 9);
        items += rig.push.calls[0]->batch->items_count;
        bench_push_answer(&rig.push, NULL);
    }
    bench_advance(&rig.core, SW_NS_PER_S);
    items += rig.push.calls_count > 0 ? rig.push.calls[0]->batch->items_count : 0;
    answer_all();
    assert_int_equal(items, 35);
    assert_int_equal(sw_queue_pool_used(rig.pool), 0);
    rig_close();
}

static void test_an_item_larger_than_max_size_is_dropped_and_the_rest_goes(void **state)
{
    struct sw_branch branch = {.exporter = "otlp"};
    rig_open(SW_SIZER_BYTES, 0, 30); // one span alone has more
    rig_make();
    give(3, &branch);
    assert_int_equal(rig.push.starts_count, 0);
    assert_int_equal(branch.flow[SW_BRANCH_FAILED_PERMANENT], 3);
    assert_int_equal(branch.flow[SW_BRANCH_QUEUED], 0);
    assert_int_equal(sw_queue_pool_used(rig.pool), 0);
    rig_close();
}

static void give_as(const char *tenant, uint32_t items)
{
    struct bench_ticket ticket;
    struct sw_batch *batch = bench_batch_in(&rig.account, 0, items, 0);
    struct sw_client_pair pair = {
        SW_BYTES("x-tenant"), {(const uint8_t *)tenant, tenant != NULL ? strlen(tenant) : 0}};
    batch->client =
        sw_client_new(&rig.account, (struct sw_bytes){NULL, 0}, &pair, tenant != NULL ? 1 : 0);
    assert_int_equal(bench_hand_over(rig.stage, batch, &ticket), 0);
}

static void rig_partition(int64_t min)
{
    static const char *const keys[] = {"X-Tenant"};
    rig_open(SW_SIZER_ITEMS, min, 0);
    rig.conf.batch.partition.metadata_keys = (struct sw_list){(void *)keys, 1};
    rig_make();
}

static void test_partitions_are_joined_each_for_itself(void **state)
{
    rig_partition(5);
    give_as("a", 3);
    give_as("b", 4);
    bench_advance(&rig.core, SW_NS_PER_MS);
    give_as(NULL, 1);
    bench_advance(&rig.core, SW_NS_PER_MS);
    give_as("", 2);
    assert_int_equal(rig.push.starts_count, 0);
    give_as("a", 2);
    expect_sizes((uint32_t[]){5}, 1);
    answer_all();
    bench_advance(&rig.core, 197 * SW_NS_PER_MS);
    assert_int_equal(rig.push.starts_count, 1);
    bench_advance(&rig.core, 3 * SW_NS_PER_MS);
    answer_all();
    expect_sizes((uint32_t[]){5, 4, 1, 2}, 4);
    give_as("a", 9);
    give_as("b", 9);
    give_as("a", 1);
    answer_all();
    expect_sizes((uint32_t[]){5, 4, 1, 2, 9, 9}, 6);
    uint64_t deadline_ns = rig.core.now_ns + SW_NS_PER_S;
    assert_int_equal(rig.stage->ops->drain(rig.stage, deadline_ns), SW_E_AGAIN);
    answer_all();
    assert_int_equal(rig.push.items[6], 1);
    assert_int_equal(rig.stage->ops->drain(rig.stage, deadline_ns), 0);
    rig_close();
}

static void test_partitions_without_memory_lose_nothing(void **state)
{
    for (uint64_t nth = 1; nth < 12; nth++) {
        rig_partition(5);
        uint32_t taken = 0;
        struct bench_ticket ticket;
        struct sw_batch *batches[4];
        for (unsigned i = 0; i < 4; i++) {
            batches[i] = bench_batch_in(&rig.account, 0, 2, 0);
        }
        sw_mem_fail_at(nth, 0);
        for (unsigned i = 0; i < 4; i++) {
            taken += bench_hand_over(rig.stage, batches[i], &ticket) == SW_OK ? 2 : 0;
            bench_advance(&rig.core, 5 * SW_NS_PER_MS);
        }
        sw_mem_fail_at(0, 0);
        uint32_t sent = 0;
        for (unsigned i = 0; i < 20; i++) {
            answer_all();
            bench_advance(&rig.core, 50 * SW_NS_PER_MS);
        }
        for (uint32_t i = 0; i < rig.push.starts_count; i++) {
            sent += rig.push.items[i];
        }
        assert_int_equal(sent, taken);
        rig_close();
    }
}

static void test_drain_sends_what_would_still_wait(void **state)
{
    rig_open(SW_SIZER_ITEMS, 1000, 0);
    rig_make();
    give(2, NULL);
    give(3, NULL);
    uint64_t deadline_ns = rig.core.now_ns + SW_NS_PER_S;
    assert_int_equal(rig.stage->ops->drain(rig.stage, deadline_ns), SW_E_AGAIN);
    expect_sizes((uint32_t[]){5}, 1);
    answer_all();
    assert_int_equal(rig.stage->ops->drain(rig.stage, deadline_ns), 0);
    rig_close();
}

static void test_failing_allocations_lose_nothing(void **state)
{
    for (uint64_t nth = 1; nth < 60; nth++) {
        struct sw_branch one = {.exporter = "otlp"};
        struct sw_branch two = {.exporter = "otlp"};
        rig_open(SW_SIZER_ITEMS, 7, 7);
        rig_make();
        struct bench_ticket ticket;
        struct sw_batch *batches[6];
        uint32_t taken = 0;
        for (unsigned i = 0; i < 6; i++) {
            batches[i] = bench_batch_in(&rig.account, 0, 5, 0);
            batches[i]->branch = i % 2 == 0 ? &one : &two;
        }
        sw_mem_fail_at(nth, 0);
        for (unsigned i = 0; i < 6; i++) {
            taken += bench_hand_over(rig.stage, batches[i], &ticket) == SW_OK ? 5 : 0;
            bench_advance(&rig.core, 5 * SW_NS_PER_MS);
            answer_all();
        }
        sw_mem_fail_at(0, 0);
        for (unsigned i = 0; i < 20; i++) {
            answer_all();
            bench_advance(&rig.core, 50 * SW_NS_PER_MS);
        }
        uint32_t sent = 0;
        for (uint32_t i = 0; i < rig.push.starts_count; i++) {
            assert_true(rig.push.items[i] <= 7);
            sent += rig.push.items[i];
        }
        assert_int_equal(sent, taken);
        rig_close();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_are_joined_until_min_size),
        cmocka_unit_test(test_larger_ones_are_cut_at_max_size_and_the_rest_waits),
        cmocka_unit_test(test_flush_timeout_sends_what_there_is),
        cmocka_unit_test(test_min_size_zero_sends_each_request_at_once),
        cmocka_unit_test(test_every_sender_hears_of_its_own_parts),
        cmocka_unit_test(test_books_of_several_pipelines_stay_apart),
        cmocka_unit_test(test_bytes_are_never_more_than_max_size),
        cmocka_unit_test(test_an_item_larger_than_max_size_is_dropped_and_the_rest_goes),
        cmocka_unit_test(test_partitions_are_joined_each_for_itself),
        cmocka_unit_test(test_partitions_without_memory_lose_nothing),
        cmocka_unit_test(test_drain_sends_what_would_still_wait),
        cmocka_unit_test(test_failing_allocations_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
