/* A batch processor in front of a sending queue: what its sender was told to be taken gets out. */
#include "storage/batch/batch.h"
#include "storage/queue/sending_queue.h"
#include "tests/lib/bench.h"

#define BATCH_SIZE 10

struct rig {
    struct sw_account account;
    struct sw_core core;
    struct sw_metrics *metrics;
    struct bench_push push;
    struct sw_sending_queue_conf queue_conf;
    struct sw_batch_conf conf;
    struct sw_queue_pool *pool;
    void *shared;
    struct sw_stage *queue;
    struct sw_stage *batch;
};

static struct rig rig;

static void rig_open(int64_t queue_size)
{
    memset(&rig, 0, sizeof(rig));
    bench_core_init(&rig.core, &rig.account);
    bench_push_init(&rig.push, &rig.core);
    assert_int_equal(sw_metrics_new(1, &rig.metrics), 0);
    rig.queue_conf = (struct sw_sending_queue_conf){
        .enabled = true,
        .queue_size = queue_size,
        .num_consumers = 1,
        .storage = "",
    };
    rig.conf = (struct sw_batch_conf){
        .timeout_ns = 200 * (int64_t)SW_NS_PER_MS,
        .send_batch_size = BATCH_SIZE,
    };
    struct sw_stage_env env = {
        .id = "otlp",
        .metrics = rig.metrics,
        .account = &rig.account,
        .cores_count = 1,
    };
    assert_int_equal(sw_queue_pool_new(&env, &rig.queue_conf, &rig.pool), 0);
    assert_int_equal(
        sw_sending_queue_new(&env, rig.pool, &rig.core, &rig.push.push, &rig.queue), 0
    );
    env.id = "batch";
    assert_int_equal(sw_batch_class.shared_new(&env, &rig.conf, &rig.shared), 0);
    assert_int_equal(
        sw_batch_class.create(&env, &rig.conf, rig.shared, &rig.core, rig.queue, &rig.batch), 0
    );
    assert_int_equal(rig.batch->ops->start(rig.batch), 0);
}

static void rig_close(void)
{
    rig.batch->ops->free(rig.batch);
    sw_batch_class.shared_free(rig.shared);
    rig.queue->ops->free(rig.queue);
    sw_queue_pool_free(rig.pool);
    sw_metrics_free(rig.metrics);
    assert_int_equal(sw_account_charged(&rig.account), 0);
    assert_int_equal(rig.core.timers.count, 0);
}

/* Hands over one request. @return whether its sender was told OK */
static bool offer(uint32_t items)
{
    struct bench_ticket ticket;
    int err = bench_hand_over(rig.batch, bench_batch(items), &ticket);
    if (err != SW_OK) {
        // What the sender hears is UNAVAILABLE: it may come again.
        assert_int_equal(err, SW_E_FULL);
        assert_true(sw_err_retryable(err));
        return false;
    }
    assert_int_equal(ticket.settled_count, 1);
    assert_int_equal(ticket.err, 0);
    return true;
}

static uint32_t sent_items(void)
{
    uint32_t items = 0;
    for (uint32_t i = 0; i < rig.push.starts_count; i++) {
        items += rig.push.items[i];
    }
    return items;
}

static void test_sender_is_refused_behind_a_full_queue_and_what_it_gave_gets_out(void **state)
{
    rig_open(2);
    uint32_t taken = 0;
    while (offer(4)) {
        taken += 4;
        assert_in_range(taken, 4, 10 * BATCH_SIZE);
        bench_turn(&rig.core);
    }
    // One batch with the backend, one in the queue, one held.
    assert_int_equal(taken, 36);
    assert_true(bench_metric(rig.metrics, "otelcol_exporter_enqueue_failed_spans", NULL, NULL) < 0);
    bench_advance(&rig.core, SW_NS_PER_S);
    assert_false(offer(4));
    for (unsigned i = 0; i < 10 && rig.push.calls_count > 0; i++) {
        bench_push_answer(&rig.push, NULL);
        bench_advance(&rig.core, SW_NS_PER_S);
    }
    assert_int_equal(sent_items(), taken);
    assert_true(offer(4));
    assert_true(bench_metric(rig.metrics, "otelcol_exporter_enqueue_failed_spans", NULL, NULL) < 0);
    rig_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sender_is_refused_behind_a_full_queue_and_what_it_gave_gets_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
