#include "storage/batch/batch.h"

#include "dataplane/otlp/client.h"
#include "tests/lib/bench.h"

/* One batch processor on a core that is stepped by hand. */
struct rig {
    struct sw_account account;
    struct sw_core core;
    struct sw_metrics *metrics;
    struct sw_balance *balance;
    struct bench_keeper keeper;
    struct sw_stage_env env;
    struct sw_batch_conf conf;
    void *shared;
    struct sw_stage *stage;
};

static struct rig rig;

static void rig_open(uint64_t timeout_ns, uint32_t size, uint32_t size_max)
{
    static const char *const exporters[] = {"keeper"};
    memset(&rig, 0, sizeof(rig));
    bench_core_init(&rig.core, &rig.account);
    bench_keeper_init(&rig.keeper, &rig.core);
    assert_int_equal(sw_metrics_new(1, &rig.metrics), 0);
    assert_int_equal(sw_balance_new("traces", SW_TRACES, exporters, 1, 1, &rig.balance), 0);
    rig.conf = (struct sw_batch_conf){
        .timeout_ns = (int64_t)timeout_ns,
        .send_batch_size = size,
        .send_batch_max_size = size_max,
    };
    rig.env = (struct sw_stage_env){
        .id = "batch",
        .pipeline = "traces",
        .metrics = rig.metrics,
        .balance = rig.balance,
        .account = &rig.account,
        .cores_count = 1,
    };
    assert_int_equal(sw_batch_class.shared_new(&rig.env, &rig.conf, &rig.shared), 0);
    assert_int_equal(
        sw_batch_class.create(
            &rig.env, &rig.conf, rig.shared, &rig.core, &rig.keeper.stage, &rig.stage
        ),
        0
    );
    assert_int_equal(rig.stage->ops->start(rig.stage), 0);
}

static void rig_close(void)
{
    rig.stage->ops->free(rig.stage);
    sw_batch_class.shared_free(rig.shared);
    sw_batch_free(rig.keeper.last);
    sw_balance_free(rig.balance);
    sw_metrics_free(rig.metrics);
    assert_int_equal(sw_account_charged(&rig.account), 0);
    assert_int_equal(rig.core.timers.count, 0);
}

static void give(uint32_t items)
{
    struct bench_ticket ticket;
    assert_int_equal(bench_hand_over(rig.stage, bench_batch(items), &ticket), 0);
    assert_int_equal(ticket.settled_count, 1);
    assert_int_equal(ticket.err, 0);
}

static void expect_sizes(unsigned count, const uint32_t *sizes)
{
    assert_int_equal(rig.keeper.kept_count, count);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(rig.keeper.sizes[i], sizes[i]);
    }
}
#define EXPECT_SIZES(...)                                                                          \
    do {                                                                                           \
        const uint32_t sizes_[] = {__VA_ARGS__};                                                   \
        expect_sizes(SW_ARRAY_SIZE(sizes_), sizes_);                                               \
    } while (0)

static int64_t in_batch(void)
{
    return sw_balance_ledger(rig.balance, 0)->flow[SW_FLOW_IN_BATCH];
}

static void test_size_reached_sends_all_that_is_held(void **state)
{
    rig_open(10 * SW_NS_PER_S, 10, 0);
    give(4);
    give(4);
    assert_int_equal(in_batch(), 8);
    assert_int_equal(rig.keeper.kept_count, 0);
    give(4);
    EXPECT_SIZES(12);
    assert_int_equal(in_batch(), 0);
    assert_true(
        bench_metric(rig.metrics, "otelcol_processor_batch_batch_size_trigger_send", NULL, NULL)
        == 1
    );
    assert_true(
        bench_metric(rig.metrics, "otelcol_processor_batch_timeout_trigger_send", NULL, NULL) < 0
    );
    assert_true(
        bench_metric(
            rig.metrics, "otelcol_processor_batch_metadata_cardinality", "processor", "batch"
        )
        == 1
    );
    rig_close();
}

static void test_maximum_cuts_exactly_and_the_rest_waits(void **state)
{
    rig_open(10 * SW_NS_PER_S, 10, 10);
    give(35);
    bench_turn(&rig.core);
    EXPECT_SIZES(10, 10, 10);
    assert_int_equal(in_batch(), 5);
    bench_advance(&rig.core, 10 * SW_NS_PER_S);
    EXPECT_SIZES(10, 10, 10, 5);
    rig_close();
}

static void test_maximum_above_the_size_fills_to_the_maximum(void **state)
{
    rig_open(10 * SW_NS_PER_S, 5, 8);
    give(4);
    give(20);
    EXPECT_SIZES(8, 8, 8);
    rig_close();
}

static void test_timeout_sends_what_is_held_at_the_next_beat(void **state)
{
    rig_open(500 * SW_NS_PER_MS, 100, 0);
    bench_advance(&rig.core, 300 * SW_NS_PER_MS);
    give(3);
    give(4);
    bench_advance(&rig.core, 199 * SW_NS_PER_MS);
    assert_int_equal(rig.keeper.kept_count, 0);
    bench_advance(&rig.core, SW_NS_PER_MS);
    EXPECT_SIZES(7);
    assert_true(
        bench_metric(rig.metrics, "otelcol_processor_batch_timeout_trigger_send", NULL, NULL) == 1
    );
    rig_close();
}

static void test_size_trigger_restarts_the_timer(void **state)
{
    rig_open(500 * SW_NS_PER_MS, 10, 10);
    bench_advance(&rig.core, 400 * SW_NS_PER_MS);
    give(12);
    EXPECT_SIZES(10);
    bench_advance(&rig.core, 499 * SW_NS_PER_MS);
    EXPECT_SIZES(10);
    bench_advance(&rig.core, SW_NS_PER_MS);
    EXPECT_SIZES(10, 2);
    rig_close();
}

static void test_timeout_zero_sends_every_input_at_once(void **state)
{
    rig_open(0, 10, 0);
    give(3);
    give(4);
    EXPECT_SIZES(3, 4);
    rig_close();
    rig_open(0, 4, 4);
    give(10);
    EXPECT_SIZES(4, 4, 2);
    rig_close();
}

static void test_size_zero_sends_every_input_at_once(void **state)
{
    rig_open(200 * SW_NS_PER_MS, 0, 0);
    give(5);
    give(5);
    EXPECT_SIZES(5, 5);
    rig_close();
    rig_open(200 * SW_NS_PER_MS, 0, 3);
    give(8);
    EXPECT_SIZES(3, 3, 2);
    rig_close();
}

static void test_cut_into_very_many_goes_on_in_later_turns(void **state)
{
    rig_open(0, 1, 1);
    give(1000);
    assert_in_range(rig.keeper.kept_count, 1, 64);
    for (unsigned i = 0; i < 1000 && rig.keeper.kept_count < 1000; i++) {
        bench_turn(&rig.core);
    }
    assert_int_equal(rig.keeper.kept_count, 1000);
    assert_int_equal(rig.keeper.items_count, 1000);
    assert_int_equal(in_batch(), 0);
    rig_close();
}

static void test_drain_flushes_and_says_when_it_is_done(void **state)
{
    rig_open(100 * SW_NS_PER_S, 100, 0);
    give(7);
    give(6);
    rig.keeper.hold = true;
    uint64_t deadline_ns = rig.core.now_ns + SW_NS_PER_S;
    assert_int_equal(rig.stage->ops->drain(rig.stage, deadline_ns), SW_E_AGAIN);
    EXPECT_SIZES(13);
    bench_keeper_release(&rig.keeper, SW_OK);
    assert_int_equal(rig.stage->ops->drain(rig.stage, deadline_ns), 0);
    rig_close();
}

static void test_drain_past_the_deadline_counts_what_is_lost(void **state)
{
    rig_open(100 * SW_NS_PER_S, 100, 0);
    rig.keeper.refuse = SW_E_QUEUE_FULL;
    give(7);
    uint64_t deadline_ns = rig.core.now_ns + SW_NS_PER_S;
    assert_int_equal(rig.stage->ops->drain(rig.stage, deadline_ns), SW_E_AGAIN);
    bench_advance(&rig.core, SW_NS_PER_S);
    assert_int_equal(rig.stage->ops->drain(rig.stage, deadline_ns), 0);
    assert_int_equal(rig.keeper.dropped_items, 7);
    assert_int_equal(rig.keeper.dropped_err, SW_E_SHUTDOWN);
    assert_int_equal(in_batch(), 0);
    rig_close();
}

static void test_no_room_downstream_keeps_the_batch_and_refuses_new_input(void **state)
{
    rig_open(200 * SW_NS_PER_MS, 10, 0);
    rig.keeper.refuse = SW_E_QUEUE_FULL;
    give(6);
    give(6);
    assert_int_equal(rig.keeper.kept_count, 0);
    struct bench_ticket ticket;
    assert_int_equal(bench_hand_over(rig.stage, bench_batch(3), &ticket), SW_E_FULL);
    assert_true(
        bench_metric(rig.metrics, "spanweir_processor_batch_refused_items", NULL, NULL) == 3
    );
    bench_advance(&rig.core, SW_NS_PER_S);
    assert_int_equal(in_batch(), 12);
    rig.keeper.refuse = 0;
    bench_advance(&rig.core, 20 * SW_NS_PER_MS);
    EXPECT_SIZES(12);
    give(1);
    rig_close();
}

static void test_next_stage_at_work_is_given_one_batch_at_a_time(void **state)
{
    rig_open(200 * SW_NS_PER_MS, 10, 0);
    rig.keeper.hold = true;
    give(10);
    EXPECT_SIZES(10);
    give(9);
    bench_advance(&rig.core, SW_NS_PER_S);
    EXPECT_SIZES(10);
    give(5);
    struct bench_ticket ticket;
    assert_int_equal(bench_hand_over(rig.stage, bench_batch(3), &ticket), SW_E_FULL);
    bench_keeper_release(&rig.keeper, SW_E_PERMANENT);
    bench_turn(&rig.core);
    EXPECT_SIZES(10, 14);
    bench_keeper_release(&rig.keeper, SW_OK);
    rig_close();
}

static double sends_counted(void)
{
    double size = bench_metric(
        rig.metrics, "otelcol_processor_batch_batch_size_trigger_send", "processor", "batch"
    );
    double timeout =
        bench_metric(rig.metrics, "otelcol_processor_batch_timeout_trigger_send", NULL, NULL);
    return (size > 0 ? size : 0) + (timeout > 0 ? timeout : 0);
}

static void test_what_the_next_stage_fails_is_not_counted_as_sent(void **state)
{
    rig_open(200 * SW_NS_PER_MS, 10, 0);
    rig.keeper.hold = true;
    give(10);
    EXPECT_SIZES(10);
    assert_true(sends_counted() == 0);
    bench_keeper_release(&rig.keeper, SW_E_QUEUE_FULL);
    assert_true(sends_counted() == 0);
    give(3);
    bench_advance(&rig.core, SW_NS_PER_S);
    EXPECT_SIZES(10, 3);
    bench_keeper_release(&rig.keeper, SW_OK);
    assert_true(sends_counted() == 1);
    assert_true(
        bench_metric(rig.metrics, "otelcol_processor_batch_batch_send_size", NULL, NULL) == 1
    );
    rig_close();
}

static void test_small_part_of_a_large_buffer_is_copied_out_while_it_waits(void **state)
{
    rig_open(200 * SW_NS_PER_MS, 100, 0);
    struct bench_ticket ticket;
    struct sw_batch *batch = bench_batch_in(&rig.account, 0, 2, 100000);
    assert_true(sw_account_charged(&rig.account) > 100000);
    assert_int_equal(bench_hand_over(rig.stage, batch, &ticket), 0);
    assert_in_range(sw_account_charged(&rig.account), 1, 400);
    // One that uses most of its buffer stays where it is.
    batch = bench_batch_in(&rig.account, 0, 2, 0);
    struct sw_buf *buf = batch->pieces[0].buf;
    sw_buf_ref(buf);
    assert_int_equal(bench_hand_over(rig.stage, batch, &ticket), 0);
    assert_int_equal(buf->refs_count, 2);
    sw_buf_unref(buf);
    rig_close();
}

static uint32_t id_at(const uint8_t *span)
{
    return ((uint32_t)span[12] << 24) | ((uint32_t)span[13] << 16) | ((uint32_t)span[14] << 8)
           | span[15];
}

static void test_spans_leave_in_order_and_whole(void **state)
{
    rig_open(SW_NS_PER_S, 7, 7);
    rig.keeper.keep_last = true;
    struct bench_ticket ticket;
    uint32_t next = 1;
    for (uint32_t from = 0; from < 70; from += 5) {
        uint32_t before = rig.keeper.kept_count;
        struct sw_batch *batch = bench_batch_in(&rig.account, from, 5, 0);
        assert_int_equal(bench_hand_over(rig.stage, batch, &ticket), 0);
        if (rig.keeper.kept_count == before) {
            continue;
        }
        uint8_t bytes[4096];
        assert_true(rig.keeper.last->bytes <= sizeof(bytes));
        sw_batch_copy_out(rig.keeper.last, bytes);
        static const uint8_t mark[] = {0x0a, 16, 0, 0, 0, 0, 0, 0, 0, 0};
        for (size_t i = 0; i + 18 <= rig.keeper.last->bytes; i++) {
            if (memcmp(bytes + i, mark, sizeof(mark)) == 0) {
                assert_int_equal(id_at(bytes + i + 2), next);
                next++;
            }
        }
    }
    assert_int_equal(next, 71);
    rig_close();
}

static void test_failing_allocations_lose_nothing(void **state)
{
    for (uint64_t nth = 1; nth < 40; nth++) {
        rig_open(100 * SW_NS_PER_MS, 8, 8);
        struct sw_batch *batches[6];
        for (unsigned i = 0; i < 6; i++) {
            batches[i] = bench_batch_in(&rig.account, 0, 5, 4000);
        }
        sw_mem_fail_at(nth, 0);
        for (unsigned i = 0; i < 6; i++) {
            struct bench_ticket ticket;
            while (sw_stage_admit(rig.stage, batches[i], SW_ADMIT_ALL) != SW_OK) {
                bench_advance(&rig.core, SW_NS_PER_MS);
            }
            sw_ticket_init(&ticket.ticket, bench_ticket_settled);
            sw_stage_consume(rig.stage, batches[i], &ticket.ticket);
        }
        bench_advance(&rig.core, SW_NS_PER_S);
        sw_mem_fail_at(0, 0);
        bench_advance(&rig.core, SW_NS_PER_S);
        assert_int_equal(rig.keeper.items_count, 30);
        assert_int_equal(in_batch(), 0);
        rig_close();
    }
}

/* ---- metadata_keys ---- */

static struct sw_client *client_of(const char *tenant, const char *other)
{
    struct sw_client_pair pairs[] = {
        {SW_BYTES("X-Tenant"), {(const uint8_t *)tenant, tenant != NULL ? strlen(tenant) : 0}},
        {SW_BYTES("x-other"), {(const uint8_t *)other, strlen(other)}},
    };
    unsigned skip = tenant == NULL;
    return sw_client_new(&rig.account, SW_BYTES("10.0.0.1"), pairs + skip, 2 - skip);
}

static int give_as(const char *tenant, const char *other, uint32_t items)
{
    struct bench_ticket ticket;
    struct sw_batch *batch = bench_batch(items);
    batch->client = client_of(tenant, other);
    return bench_hand_over(rig.stage, batch, &ticket);
}

static void rig_open_keyed(uint32_t limit)
{
    static const char *keys[] = {"x-tenant"};
    rig_open(10 * SW_NS_PER_S, 10, 0);
    rig.stage->ops->free(rig.stage);
    sw_batch_class.shared_free(rig.shared);
    rig.conf.metadata_keys = (struct sw_list){keys, 1};
    rig.conf.metadata_cardinality_limit = limit;
    assert_int_equal(sw_batch_class.shared_new(&rig.env, &rig.conf, &rig.shared), 0);
    assert_int_equal(
        sw_batch_class.create(
            &rig.env, &rig.conf, rig.shared, &rig.core, &rig.keeper.stage, &rig.stage
        ),
        0
    );
    rig.keeper.keep_last = true;
}

static double cardinality(void)
{
    return bench_metric(
        rig.metrics, "otelcol_processor_batch_metadata_cardinality", "processor", "batch"
    );
}

static void test_each_combination_of_metadata_has_its_batch(void **state)
{
    struct sw_bytes value;
    uint32_t at = 0;
    rig_open_keyed(1000);
    assert_true(cardinality() == 0);
    assert_int_equal(give_as("a", "1", 6), 0);
    assert_int_equal(give_as("b", "1", 6), 0);
    assert_int_equal(rig.keeper.kept_count, 0);
    assert_int_equal(give_as("a", "2", 4), 0); // the other header does not matter
    EXPECT_SIZES(10);
    const struct sw_client *client = rig.keeper.last->client;
    assert_true(sw_client_next(client, SW_BYTES("X-TENANT"), &at, &value));
    assert_true(sw_bytes_equal(value, SW_BYTES("a")));
    assert_int_equal(client->pairs_count, 1);
    assert_int_equal(client->address.size, 0);
    assert_int_equal(give_as(NULL, "1", 2), 0);
    assert_int_equal(give_as("", "1", 3), 0); // empty is another thing than absent
    assert_true(cardinality() == 4);
    bench_advance(&rig.core, 10 * SW_NS_PER_S);
    assert_int_equal(rig.keeper.kept_count, 4); // those that are due together come in any order
    assert_int_equal(rig.keeper.items_count, 21);
    assert_int_equal(in_batch(), 0);
    rig_close();
}

static void test_too_many_combinations_are_refused_for_good(void **state)
{
    char name[16];
    rig_open_keyed(20);
    for (unsigned i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "t%u", i);
        assert_int_equal(give_as(name, "1", 1), 0);
    }
    assert_int_equal(give_as("one more", "1", 1), SW_E_CARDINALITY);
    assert_int_equal(sw_err_grpc_code(SW_E_CARDINALITY), 13);
    assert_int_equal(give_as("t7", "1", 1), 0);
    assert_true(cardinality() == 20);
    assert_int_equal(rig.stage->ops->drain(rig.stage, SW_TIME_NEVER), 0);
    assert_int_equal(rig.keeper.items_count, 21);
    rig_close();
}

static void test_cores_share_the_limit_of_combinations(void **state)
{
    struct sw_core other_core;
    struct sw_stage *other;
    struct bench_ticket ticket;
    rig_open_keyed(2);
    bench_core_init(&other_core, &rig.account);
    assert_int_equal(
        sw_batch_class.create(
            &rig.env, &rig.conf, rig.shared, &other_core, &rig.keeper.stage, &other
        ),
        0
    );
    assert_int_equal(give_as("a", "1", 1), 0);
    for (unsigned i = 0; i < 3; i++) {
        static const char *const names[] = {"a", "b", "c"};
        struct sw_batch *batch = bench_batch(1);
        batch->client = client_of(names[i], "1");
        assert_int_equal(bench_hand_over(other, batch, &ticket), i < 2 ? 0 : SW_E_CARDINALITY);
    }
    assert_int_equal(give_as("b", "1", 1), 0);
    assert_true(cardinality() == 2);
    other->ops->free(other);
    rig_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_size_reached_sends_all_that_is_held),
        cmocka_unit_test(test_maximum_cuts_exactly_and_the_rest_waits),
        cmocka_unit_test(test_maximum_above_the_size_fills_to_the_maximum),
        cmocka_unit_test(test_timeout_sends_what_is_held_at_the_next_beat),
        cmocka_unit_test(test_size_trigger_restarts_the_timer),
        cmocka_unit_test(test_timeout_zero_sends_every_input_at_once),
        cmocka_unit_test(test_size_zero_sends_every_input_at_once),
        cmocka_unit_test(test_cut_into_very_many_goes_on_in_later_turns),
        cmocka_unit_test(test_drain_flushes_and_says_when_it_is_done),
        cmocka_unit_test(test_drain_past_the_deadline_counts_what_is_lost),
        cmocka_unit_test(test_no_room_downstream_keeps_the_batch_and_refuses_new_input),
        cmocka_unit_test(test_next_stage_at_work_is_given_one_batch_at_a_time),
        cmocka_unit_test(test_what_the_next_stage_fails_is_not_counted_as_sent),
        cmocka_unit_test(test_small_part_of_a_large_buffer_is_copied_out_while_it_waits),
        cmocka_unit_test(test_spans_leave_in_order_and_whole),
        cmocka_unit_test(test_failing_allocations_lose_nothing),
        cmocka_unit_test(test_each_combination_of_metadata_has_its_batch),
        cmocka_unit_test(test_too_many_combinations_are_refused_for_good),
        cmocka_unit_test(test_cores_share_the_limit_of_combinations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
