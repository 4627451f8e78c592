/* The sending queue over a store: a real one in a folder, its actor stepped by hand. */
#include "storage/queue/sending_queue.h"
#include "tests/lib/shelf.h"

static struct {
    struct sw_metrics *metrics;
    struct sw_stage_env env;
    struct sw_sending_queue_conf conf;
    struct sw_queue_pool *pool;
    struct bench_push push;
    struct sw_stage *stage;
    struct sw_branch branch;
    char error[256];
} rig;

static void up(void)
{
    shelf_make();
    bench_core_init(&shelf.core, &shelf.account);
    shelf.core.mailbox = sw_post_mailbox(shelf.post, 0);
    assert_int_equal(sw_metrics_new(1, &rig.metrics), 0);
    rig.env = (struct sw_stage_env){
        .id = "otlp/backend",
        .metrics = rig.metrics,
        .account = &shelf.account,
        .cores_count = 1,
        .journal = shelf.journal,
        .error = rig.error,
        .error_size = sizeof(rig.error),
    };
    bench_push_init(&rig.push, &shelf.core);
    assert_int_equal(sw_queue_pool_new(&rig.env, &rig.conf, &rig.pool), 0);
    assert_int_equal(
        sw_sending_queue_new(&rig.env, rig.pool, &shelf.core, &rig.push.push, &rig.stage), 0
    );
    assert_int_equal(shelf_start(), 0);
    assert_int_equal(rig.stage->ops->start(rig.stage), 0);
    shelf_run();
}

// As after kill -9: nobody is asked.
static void down(void)
{
    rig.push.closed = true;
    sw_journal_close(shelf.journal);
    rig.stage->ops->free(rig.stage);
    assert_int_equal(shelf.core.timers.count, 0);
    sw_queue_pool_free(rig.pool);
    sw_metrics_free(rig.metrics);
    shelf_stop();
}

static int setup(void **state)
{
    memset(&rig, 0, sizeof(rig));
    shelf_folder();
    rig.conf = (struct sw_sending_queue_conf){
        .enabled = true,
        .queue_size = 100,
        .num_consumers = 2,
        .storage = "file_storage",
    };
    up();
    return 0;
}

static int teardown(void **state)
{
    down();
    shelf_clear();
    return 0;
}

static void settle(void)
{
    shelf_run();
    bench_turn(&shelf.core);
    shelf_run();
}

// Time for what is tried again.
static void wait_a_little(void)
{
    bench_advance(&shelf.core, 60 * SW_NS_PER_MS);
    settle();
}

static int give_mode(uint32_t items, struct bench_ticket *ticket, enum sw_admit mode)
{
    struct sw_batch *batch = bench_batch(items);
    batch->branch = &rig.branch;
    rig.branch.flow[SW_BRANCH_QUEUED] += items;
    int err = bench_hand_over_mode(rig.stage, batch, ticket, mode);
    if (err != SW_OK) {
        rig.branch.flow[SW_BRANCH_QUEUED] -= items;
    }
    return err;
}

static int give(uint32_t items)
{
    struct bench_ticket ticket;
    int err = give_mode(items, &ticket, SW_ADMIT_ALL);
    settle();
    if (err == SW_OK) {
        assert_int_equal(ticket.settled_count, 1);
        return ticket.err;
    }
    return err;
}

static void answer(const struct sw_outcome *outcome)
{
    bench_push_answer(&rig.push, outcome);
    settle();
}

static double metric(const char *name)
{
    return bench_metric(rig.metrics, name, "exporter", rig.env.id);
}

static void test_the_sender_hears_after_the_commit(void **state)
{
    struct bench_ticket ticket;
    assert_int_equal(give_mode(3, &ticket, SW_ADMIT_ALL), 0);
    assert_int_equal(ticket.settled_count, 0);
    assert_int_equal(rig.push.starts_count, 0);
    settle();
    assert_int_equal(ticket.settled_count, 1);
    assert_int_equal(ticket.err, 0);
    assert_int_equal(rig.push.starts_count, 1);
    assert_int_equal(rig.branch.flow[SW_BRANCH_STORED], 3);
    assert_int_equal(rig.branch.flow[SW_BRANCH_QUEUED], 0);
    answer(NULL);
}

static void test_requests_go_in_order_as_consumers_come_free(void **state)
{
    for (uint32_t i = 1; i <= 6; i++) {
        assert_int_equal(give(i), 0);
    }
    assert_int_equal(rig.push.calls_count, 2);
    for (unsigned i = 0; i < 6; i++) {
        answer(NULL);
    }
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(rig.push.items[i], i + 1);
    }
    assert_int_equal(sw_queue_pool_used(rig.pool), 0);
    down();
    up();
    assert_int_equal(rig.push.starts_count, 0);
}

static void test_what_was_not_answered_is_sent_after_a_restart(void **state)
{
    for (uint32_t i = 1; i <= 5; i++) {
        assert_int_equal(give(i), 0);
    }
    answer(NULL);
    down();
    up();
    assert_int_equal(sw_queue_pool_used(rig.pool), 4);
    assert_true(metric("otelcol_exporter_queue_size") == 4);
    assert_true(metric("spanweir_exporter_queue_restored_requests") == 4);
    assert_true(metric("spanweir_exporter_queue_redelivered_requests") >= 2);
    assert_int_equal(rig.push.items[0], 2);
    assert_int_equal(rig.push.items[1], 3);
    for (unsigned i = 0; i < 4; i++) {
        answer(NULL);
    }
    assert_int_equal(sw_queue_pool_used(rig.pool), 0);
    assert_true(metric("otelcol_exporter_queue_size") == 0);
}

static void test_places_are_counted_by_the_sizer_over_restarts(void **state)
{
    for (int sizer = SW_SIZER_REQUESTS; sizer <= SW_SIZER_BYTES; sizer++) {
        down();
        rig.conf.sizer = sizer;
        rig.conf.queue_size = 100000;
        up();
        assert_int_equal(give(10), 0);
        assert_int_equal(give(20), 0);
        int64_t used = sw_queue_pool_used(rig.pool);
        assert_true(used == 2 || used == 30 || used > 1000);
        down();
        up();
        assert_int_equal(sw_queue_pool_used(rig.pool), used);
        answer(NULL);
        answer(NULL);
        assert_int_equal(sw_queue_pool_used(rig.pool), 0);
    }
}

static void test_what_failed_for_good_does_not_come_back(void **state)
{
    const struct sw_outcome refused = {.err = SW_E_PERMANENT, .permanent = true};
    assert_int_equal(give(1), 0);
    assert_int_equal(give(2), 0);
    answer(&refused);
    answer(&refused);
    down();
    up();
    assert_int_equal(rig.push.starts_count, 0);
    assert_int_equal(sw_queue_pool_used(rig.pool), 0);
}

static void test_a_shutdown_keeps_what_is_not_done(void **state)
{
    for (uint32_t i = 1; i <= 6; i++) {
        assert_int_equal(give(i), 0);
    }
    uint64_t late_ns = shelf.core.now_ns + SW_NS_PER_S;
    assert_int_equal(rig.stage->ops->drain(rig.stage, late_ns), SW_E_AGAIN);
    settle();
    uint32_t starts = rig.push.starts_count;
    answer(NULL); // what is under way may end
    assert_int_equal(rig.push.starts_count, starts);
    assert_int_equal(rig.stage->ops->drain(rig.stage, late_ns), SW_E_AGAIN);
    bench_push_cancel(&rig.push.push, rig.push.calls[0], SW_E_SHUTDOWN);
    settle();
    assert_int_equal(rig.stage->ops->drain(rig.stage, late_ns), 0);
    assert_int_equal(rig.branch.flow[SW_BRANCH_FAILED_SHUTDOWN], 0);
    down();
    up();
    for (unsigned i = 0; i < 5; i++) {
        answer(NULL);
    }
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(rig.push.items[i], i + 2);
    }
}

static void test_the_deadline_of_a_shutdown_loses_nothing(void **state)
{
    for (uint32_t i = 1; i <= 6; i++) {
        assert_int_equal(give(i), 0);
    }
    assert_int_equal(rig.stage->ops->drain(rig.stage, shelf.core.now_ns), 0);
    settle();
    down();
    up();
    assert_int_equal(sw_queue_pool_used(rig.pool), 6);
}

static void test_capacity_refuses_and_delivery_makes_room(void **state)
{
    down();
    rig.conf.queue_size = 2;
    up();
    assert_int_equal(give(1), 0);
    assert_int_equal(give(1), 0);
    assert_int_equal(give(7), SW_E_QUEUE_FULL);
    assert_true(metric("otelcol_exporter_enqueue_failed_spans") == 7);
    answer(NULL);
    assert_int_equal(give(1), 0);
}

static void small_store(void)
{
    down();
    shelf.conf.max_bytes = UINT64_C(4) << 20;
    rig.conf.queue_size = 100000;
    up();
}

static unsigned fill(void)
{
    unsigned count = 0;
    int err;
    while ((err = give(1000)) == SW_OK) {
        assert_true(++count < 1000);
    }
    assert_int_equal(err, SW_E_STORAGE_FULL);
    return count;
}

static void test_a_full_store_refuses_its_senders(void **state)
{
    small_store();
    unsigned count = fill();
    assert_int_equal(rig.branch.flow[SW_BRANCH_FAILED_QUEUE_FULL], 1000);
    assert_int_equal(sw_queue_pool_used(rig.pool), count);
    for (unsigned i = 0; i < 4; i++) {
        answer(NULL);
    }
    assert_int_equal(give(1000), 0);
}

static void test_senders_can_wait_for_a_full_store(void **state)
{
    struct bench_ticket tickets[3];
    small_store();
    unsigned before = fill();
    down();
    rig.conf.block_on_overflow = true;
    up();
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(give_mode(1000 + i, &tickets[i], SW_ADMIT_ALL), 0);
        settle();
        assert_int_equal(tickets[i].settled_count, 0);
    }
    wait_a_little();
    assert_int_equal(tickets[0].settled_count, 0);
    for (unsigned i = 0; i < 6; i++) {
        answer(NULL);
        wait_a_little();
    }
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(tickets[i].settled_count, 1);
        assert_int_equal(tickets[i].err, 0);
    }
    unsigned left = before + 3 - 6;
    for (unsigned i = 0; i < left; i++) {
        answer(NULL);
    }
    uint32_t last = rig.push.starts_count - 1;
    for (uint32_t i = 0; i < 3; i++) { // in the order of their arrival
        assert_int_equal(rig.push.items[last - i], 1002 - i);
    }
}

static void test_an_owner_loses_nothing_to_a_full_store(void **state)
{
    struct bench_ticket ticket;
    struct bench_ticket second;
    small_store();
    fill();
    assert_int_equal(give_mode(900, &ticket, SW_ADMIT_ANY), 0);
    settle();
    assert_int_equal(ticket.settled_count, 0);
    assert_int_equal(give_mode(900, &second, SW_ADMIT_ANY), SW_E_STORAGE_FULL); // keeps it
    for (unsigned i = 0; i < 4; i++) {
        answer(NULL);
        wait_a_little();
    }
    assert_int_equal(ticket.settled_count, 1);
    assert_int_equal(ticket.err, 0);
    assert_int_equal(give_mode(900, &second, SW_ADMIT_ANY), 0);
    settle();
}

static void test_requests_are_joined_as_they_leave(void **state)
{
    down();
    rig.conf.batch = (struct sw_queue_batch_conf){
        .enabled = true,
        .flush_timeout_ns = 200 * SW_NS_PER_MS,
        .sizer = SW_SIZER_ITEMS,
        .min_size = 10,
        .max_size = 10,
    };
    up();
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(give(4), 0); // each is the store's at once
    }
    assert_int_equal(rig.push.starts_count, 2);
    assert_int_equal(rig.push.items[0], 10);
    assert_int_equal(rig.push.items[1], 10);
    answer(NULL);
    assert_int_equal(sw_queue_pool_used(rig.pool), 3); // one is in both
    assert_int_equal(give(3), 0);
    down();
    up();
    // The one of both calls is sent again whole: what was delivered of it comes twice.
    assert_int_equal(sw_queue_pool_used(rig.pool), 4);
    assert_int_equal(rig.push.starts_count, 1);
    bench_advance(&shelf.core, SW_NS_PER_S);
    settle();
    assert_int_equal(rig.push.starts_count, 2);
    assert_int_equal(rig.push.items[1], 5);
    answer(NULL);
    answer(NULL);
    assert_int_equal(sw_queue_pool_used(rig.pool), 0);
}

static void test_a_store_that_is_not_there_is_named(void **state)
{
    struct sw_sending_queue_conf conf = rig.conf;
    struct sw_queue_pool *pool;
    conf.storage = "file_storage/other";
    assert_int_equal(sw_queue_pool_new(&rig.env, &conf, &pool), SW_E_INVALID);
    assert_string_equal(
        rig.error,
        "sending_queue::storage: service::extensions has no storage extension "
        "\"file_storage/other\""
    );
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_sender_hears_after_the_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_requests_go_in_order_as_consumers_come_free, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(
            test_what_was_not_answered_is_sent_after_a_restart, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(
            test_places_are_counted_by_the_sizer_over_restarts, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(
            test_what_failed_for_good_does_not_come_back, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(test_a_shutdown_keeps_what_is_not_done, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_the_deadline_of_a_shutdown_loses_nothing, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(
            test_capacity_refuses_and_delivery_makes_room, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(test_a_full_store_refuses_its_senders, setup, teardown),
        cmocka_unit_test_setup_teardown(test_senders_can_wait_for_a_full_store, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_an_owner_loses_nothing_to_a_full_store, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(test_requests_are_joined_as_they_leave, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_store_that_is_not_there_is_named, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
