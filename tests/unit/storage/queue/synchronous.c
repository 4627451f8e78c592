#include "storage/queue/sending_queue.h"
#include "tests/lib/bench.h"

struct rig {
    struct sw_core core;
    struct bench_push push;
    struct sw_stage_env env;
    struct sw_queue_pool *pool;
    struct sw_stage *stage;
};

static struct rig rig;

static void rig_open(void)
{
    memset(&rig, 0, sizeof(rig));
    bench_core_init(&rig.core, NULL);
    bench_push_init(&rig.push, &rig.core);
    rig.env = (struct sw_stage_env){.id = "otlp", .cores_count = 1};
    assert_int_equal(sw_queue_pool_new(&rig.env, NULL, &rig.pool), 0);
    assert_int_equal(
        sw_sending_queue_new(&rig.env, rig.pool, &rig.core, &rig.push.push, &rig.stage), 0
    );
}

static void rig_close(void)
{
    rig.stage->ops->free(rig.stage);
    assert_true(rig.push.freed);
    sw_queue_pool_free(rig.pool);
}

static void test_sender_gets_the_backend_s_answer(void **state)
{
    rig_open();
    struct bench_ticket good;
    struct bench_ticket bad;
    assert_int_equal(bench_hand_over(rig.stage, bench_batch(1), &good), 0);
    assert_int_equal(bench_hand_over(rig.stage, bench_batch(1), &bad), 0);
    assert_int_equal(good.settled_count + bad.settled_count, 0);
    bench_push_answer(&rig.push, NULL);
    struct sw_outcome outcome = {
        .err = SW_E_PERMANENT,
        .grpc_code = 3,
        .permanent = true,
        .text = sw_buf_copy(NULL, "bad span", 8),
    };
    bench_push_answer(&rig.push, &outcome);
    assert_int_equal(good.settled_count, 1);
    assert_int_equal(good.err, 0);
    assert_int_equal(bad.settled_count, 1);
    assert_int_equal(bad.grpc_code, 3);
    assert_string_equal(bad.text, "bad span");
    rig_close();
}

static void test_two_admits_then_two_hand_overs_both_go_out(void **state)
{
    rig_open();
    struct bench_ticket tickets[2];
    struct sw_batch *batches[2];
    for (unsigned i = 0; i < 2; i++) {
        batches[i] = bench_batch(1);
        assert_int_equal(sw_stage_admit(rig.stage, batches[i], SW_ADMIT_ALL), 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        memset(&tickets[i], 0, sizeof(tickets[i]));
        sw_ticket_init(&tickets[i].ticket, bench_ticket_settled);
        sw_stage_consume(rig.stage, batches[i], &tickets[i].ticket);
    }
    assert_int_equal(rig.push.calls_count, 2);
    bench_push_answer(&rig.push, NULL);
    bench_push_answer(&rig.push, NULL);
    assert_int_equal(tickets[0].settled_count + tickets[1].settled_count, 2);
    rig_close();
}

static void test_no_memory_refuses_before_anything_is_handed_over(void **state)
{
    rig_open();
    struct bench_ticket ticket;
    struct sw_batch *batch = bench_batch(1);
    sw_mem_fail_at(1, 0);
    assert_int_equal(sw_stage_admit(rig.stage, batch, SW_ADMIT_ALL), SW_E_NOMEM);
    sw_mem_fail_at(0, 0);
    sw_batch_free(batch);
    assert_int_equal(bench_hand_over(rig.stage, bench_batch(1), &ticket), 0);
    bench_push_answer(&rig.push, NULL);
    rig_close();
}

static void test_drain_waits_for_answers_and_gives_up_at_the_deadline(void **state)
{
    rig_open();
    struct bench_ticket ticket;
    assert_int_equal(bench_hand_over(rig.stage, bench_batch(1), &ticket), 0);
    uint64_t deadline_ns = rig.core.now_ns + SW_NS_PER_S;
    assert_int_equal(rig.stage->ops->drain(rig.stage, deadline_ns), SW_E_AGAIN);
    bench_advance(&rig.core, SW_NS_PER_S);
    assert_int_equal(rig.stage->ops->drain(rig.stage, deadline_ns), 0);
    assert_int_equal(ticket.settled_count, 1);
    assert_int_equal(ticket.err, SW_E_SHUTDOWN);
    assert_true(rig.push.closed);
    rig_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sender_gets_the_backend_s_answer),
        cmocka_unit_test(test_two_admits_then_two_hand_overs_both_go_out),
        cmocka_unit_test(test_no_memory_refuses_before_anything_is_handed_over),
        cmocka_unit_test(test_drain_waits_for_answers_and_gives_up_at_the_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
