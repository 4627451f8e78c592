/* The crank, turned by hand in virtual time: what a turn does and in which order. */
#include "dataplane/base/clock.h"
#include "dataplane/base/event.h"
#include "dataplane/base/mem.h"
#include "dataplane/worker/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static uint64_t now_ns;
static char story[256]; // what happened, a letter each

static void tell(char what)
{
    size_t len = strlen(story);
    assert_true(len + 1 < sizeof(story));
    story[len] = what;
    story[len + 1] = '\0';
}

static uint64_t read_clock(void *clock)
{
    return now_ns;
}

static uint64_t read_wall(void *clock)
{
    return now_ns + 5;
}

static struct sw_post *post;
static struct sw_quiet *quiet;
static struct sw_worker *workers[2];
static struct sw_core *cores[2];

static int open_workers(void **state)
{
    now_ns = 1000 * SW_NS_PER_S;
    story[0] = '\0';
    assert_int_equal(sw_post_new(2, 8, &post), SW_OK);
    assert_int_equal(sw_quiet_new(2, &quiet), SW_OK);
    for (unsigned i = 0; i < 2; i++) {
        struct sw_worker_conf conf = {
            .index = i,
            .cores_count = 2,
            .post = post,
            .quiet = quiet,
            .cpu = -1,
            .seed = 3,
            .clock_ns = read_clock,
            .wall_ns = read_wall,
        };
        assert_int_equal(sw_worker_new(&conf, &workers[i]), SW_OK);
        cores[i] = sw_worker_core(workers[i]);
        sw_quiet_online(quiet, i);
    }
    return 0;
}

static int close_workers(void **state)
{
    for (unsigned i = 0; i < 2; i++) {
        sw_quiet_offline(quiet, i);
        sw_worker_free(workers[i]);
    }
    sw_quiet_free(quiet);
    sw_post_free(post);
    return 0;
}

static void test_a_core_knows_itself_and_the_time(void **state)
{
    assert_int_equal(cores[1]->index, 1);
    assert_int_equal(cores[1]->cores_count, 2);
    assert_int_equal(cores[0]->now_ns, now_ns);
    now_ns += 7;
    assert_int_equal(sw_worker_turn(workers[0], 0), 0);
    assert_int_equal(cores[0]->now_ns, now_ns);
    assert_int_equal(cores[0]->wall_ns, now_ns + 5);
    assert_int_equal(sw_worker_last_turn_ns(workers[0]), now_ns);
    assert_int_equal(cores[1]->now_ns, now_ns - 7); // each by its own turns
    // The same seed gives each core a sequence of its own.
    assert_true(sw_rand_u64(&cores[0]->rand) != sw_rand_u64(&cores[1]->rand));
}

static void deliver(struct sw_message *message, void *receiver)
{
    assert_ptr_equal(receiver, cores[1]);
    tell('m');
    sw_mailbox_return(cores[1]->mailbox, message);
}

static void returned(struct sw_message *message, void *sender)
{
    assert_ptr_equal(sender, cores[0]);
    tell('r');
}

static void fire(struct sw_timer *timer, uint64_t at_ns)
{
    tell('t');
}

static unsigned slices_left;

static bool run_slice(struct sw_task *task, uint64_t at_ns)
{
    tell('s');
    return --slices_left > 0;
}

static void test_a_turn_does_messages_then_timers_then_slices(void **state)
{
    struct sw_message message = {.deliver = deliver, .returned = returned};
    struct sw_task task = {.run = run_slice};
    struct sw_timer timer;
    sw_timer_init(&timer, fire);
    slices_left = 2;
    sw_core_task(cores[1], &task);
    sw_timer_set(&cores[1]->timers, &timer, now_ns);
    sw_mailbox_send(cores[0]->mailbox, 1, &message);
    assert_int_equal(sw_worker_turn(workers[1], 0), 3);
    assert_string_equal(story, "mts");
    assert_int_equal(sw_worker_turn(workers[1], 0), 1); // the second slice
    assert_int_equal(sw_worker_turn(workers[1], 0), 0);
    assert_int_equal(sw_worker_turn(workers[0], 0), 1); // the message is back
    assert_string_equal(story, "mtssr");
}

static void test_books_are_published_by_a_turn_that_did_something(void **state)
{
    static const char *const exporters[] = {"otlp"};
    struct sw_balance *balance;
    assert_int_equal(sw_balance_new("traces", SW_TRACES, exporters, 1, 2, &balance), SW_OK);
    assert_int_equal(sw_worker_add_balance(workers[0], balance), SW_OK);
    sw_balance_ledger(balance, 0)->flow[SW_FLOW_RECEIVED] = 4;
    struct sw_balance_sum sum;
    struct sw_timer timer;
    sw_timer_init(&timer, fire);
    sw_timer_set(&cores[0]->timers, &timer, now_ns);
    assert_int_equal(sw_worker_turn(workers[0], 0), 1);
    sw_balance_read(balance, 0, &sum);
    assert_int_equal(sum.flow[SW_FLOW_RECEIVED], 4);
    sw_worker_clear_balances(workers[0]);
    sw_balance_free(balance);
}

static void test_a_turn_is_a_quiet_point(void **state)
{
    struct sw_snapshot snapshot = {.current = NULL};
    int value = 5;
    unsigned long token;
    assert_null(sw_snapshot_publish(&snapshot, quiet, &value, &token));
    assert_false(sw_quiet_passed(quiet, token));
    sw_worker_turn(workers[0], 0);
    assert_false(sw_quiet_passed(quiet, token)); // the other may still look at the old one
    sw_worker_turn(workers[1], 0);
    assert_true(sw_quiet_passed(quiet, token));
    assert_ptr_equal(sw_snapshot_read(&snapshot), &value);
}

static void test_every_failing_allocation_is_a_clean_error(void **state)
{
    struct sw_post *other_post;
    struct sw_metrics *metrics;
    assert_int_equal(sw_post_new(1, 8, &other_post), SW_OK);
    assert_int_equal(sw_metrics_new(1, &metrics), SW_OK);
    struct sw_worker_conf conf = {
        .cores_count = 1, .post = other_post, .metrics = metrics, .cpu = -1};
    struct sw_worker *worker = NULL;
    unsigned failed = 0;
    int err;
    do {
        sw_mem_fail_at(++failed, 0);
        err = sw_worker_new(&conf, &worker);
        sw_mem_fail_at(0, 0);
        assert_true(err == SW_OK || err == SW_E_NOMEM);
        assert_true(failed < 60);
    } while (err != SW_OK);
    assert_true(failed > 5);
    sw_worker_free(worker);
    sw_worker_free(NULL);
    sw_metrics_free(metrics);
    sw_post_free(other_post);
}

#define WITH_WORKERS(test) cmocka_unit_test_setup_teardown(test, open_workers, close_workers)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORKERS(test_a_core_knows_itself_and_the_time),
        WITH_WORKERS(test_a_turn_does_messages_then_timers_then_slices),
        WITH_WORKERS(test_books_are_published_by_a_turn_that_did_something),
        WITH_WORKERS(test_a_turn_is_a_quiet_point),
        cmocka_unit_test(test_every_failing_allocation_is_a_clean_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
