/* Real threads that sleep: a message and the word to stop wake them, timers come due, snapshots pass them by.
 * What is asserted are events, never how long they took. */
#include "dataplane/base/clock.h"
#include "dataplane/worker/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

static struct sw_post *post;
static struct sw_quiet *quiet;
static struct sw_worker *worker;
static struct sw_mailbox *mine; // the test's own mailbox, of index 1

static int open_worker(enum sw_worker_idle idle)
{
    assert_int_equal(sw_post_new(2, 8, &post), SW_OK);
    assert_int_equal(sw_quiet_new(1, &quiet), SW_OK);
    struct sw_worker_conf conf = {
        .cores_count = 1,
        .post = post,
        .quiet = quiet,
        .idle = idle,
        .cpu = -1,
    };
    assert_int_equal(sw_worker_new(&conf, &worker), SW_OK);
    mine = sw_post_mailbox(post, 1);
    sw_mailbox_bind(mine, NULL);
    return 0;
}

static int open_adaptive(void **state)
{
    return open_worker(SW_WORKER_ADAPTIVE);
}

static int open_busy(void **state)
{
    return open_worker(SW_WORKER_BUSY);
}

static int open_interrupt(void **state)
{
    return open_worker(SW_WORKER_INTERRUPT);
}

static int close_worker(void **state)
{
    sw_worker_stop(worker); // also one that was never launched, or twice
    sw_worker_free(worker);
    sw_quiet_free(quiet);
    sw_post_free(post);
    return 0;
}

static void rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

static _Atomic unsigned delivered;
static _Atomic unsigned fired;
static struct sw_timer timer;

static void fire(struct sw_timer *due, uint64_t now_ns)
{
    atomic_fetch_add(&fired, 1);
}

/* On the worker: arms the timer, too. */
static void deliver(struct sw_message *message, void *receiver)
{
    struct sw_core *core = receiver;
    sw_timer_init(&timer, fire);
    sw_timer_set(&core->timers, &timer, core->now_ns + 2 * SW_NS_PER_MS);
    atomic_fetch_add(&delivered, 1);
    sw_mailbox_return(core->mailbox, message);
}

static void send_and_wait(void)
{
    static struct sw_message message;
    message = (struct sw_message){.deliver = deliver};
    unsigned before = atomic_load(&delivered);
    unsigned fired_before = atomic_load(&fired);
    sw_mailbox_send(mine, 0, &message);
    while (sw_mailbox_poll(mine, 1) == 0) {
        rest();
    }
    assert_int_equal(atomic_load(&delivered), before + 1);
    while (atomic_load(&fired) == fired_before) {
        rest();
    }
}

static void test_a_sleeper_wakes_for_messages_and_timers(void **state)
{
    assert_int_equal(sw_worker_launch(worker), SW_OK);
    for (unsigned i = 0; i < 20; i++) {
        // Now and then long enough that it sleeps, now and then not.
        for (unsigned k = 0; k < i % 5; k++) {
            rest();
        }
        send_and_wait();
    }
    sw_worker_stop(worker);
    assert_true(sw_worker_last_turn_ns(worker) > 0);
}

static void test_a_sleeper_holds_up_no_snapshot(void **state)
{
    struct sw_snapshot snapshot = {.current = NULL};
    int values[50];
    assert_int_equal(sw_worker_launch(worker), SW_OK);
    for (unsigned i = 0; i < SW_ARRAY_SIZE(values); i++) {
        unsigned long token;
        sw_snapshot_publish(&snapshot, quiet, &values[i], &token);
        while (!sw_quiet_passed(quiet, token)) {
            rest();
        }
    }
    sw_worker_stop(worker);
}

static void test_it_stops_at_any_moment(void **state)
{
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(open_worker(SW_WORKER_INTERRUPT), 0);
        assert_int_equal(sw_worker_launch(worker), SW_OK);
        for (unsigned k = 0; k < i % 4; k++) {
            rest();
        }
        close_worker(NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_a_sleeper_wakes_for_messages_and_timers, open_adaptive, close_worker
        ),
        cmocka_unit_test_setup_teardown(
            test_a_sleeper_wakes_for_messages_and_timers, open_interrupt, close_worker
        ),
        cmocka_unit_test_setup_teardown(
            test_a_sleeper_wakes_for_messages_and_timers, open_busy, close_worker
        ),
        cmocka_unit_test_setup_teardown(
            test_a_sleeper_holds_up_no_snapshot, open_adaptive, close_worker
        ),
        cmocka_unit_test(test_it_stops_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
