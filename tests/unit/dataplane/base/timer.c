#include "dataplane/base/timer.h"

#include "dataplane/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t fired_at[4096];
static unsigned fired_count;

static void note(struct sw_timer *timer, uint64_t now_ns)
{
    fired_at[fired_count++] = timer->at_ns;
}

static void test_random_times_fire_in_order(void **state)
{
    enum { COUNT = 2000 };
    struct sw_timers timers = {0};
    static struct sw_timer nodes[COUNT];
    struct sw_rand rand;
    sw_rand_init(&rand, 7);
    unsigned cancelled = 0;
    for (unsigned i = 0; i < COUNT; i++) {
        sw_timer_init(&nodes[i], note);
        sw_timer_set(&timers, &nodes[i], sw_rand_below(&rand, 1000));
    }
    for (unsigned i = 0; i < COUNT; i += 3) { // move some, take some away
        sw_timer_set(&timers, &nodes[i], sw_rand_below(&rand, 1000));
    }
    for (unsigned i = 1; i < COUNT; i += 7) {
        sw_timer_cancel(&timers, &nodes[i]);
        sw_timer_cancel(&timers, &nodes[i]); // twice is legal
        cancelled++;
    }
    assert_int_equal(timers.count, COUNT - cancelled);
    fired_count = 0;
    for (uint64_t now = 0; now < 1000; now += 10) {
        while (sw_timers_run(&timers, now, 16) > 0) {
        }
        assert_true(sw_timers_next_ns(&timers) > now);
    }
    while (sw_timers_run(&timers, 1000, 16) > 0) {
    }
    assert_int_equal(fired_count, COUNT - cancelled);
    for (unsigned i = 1; i < fired_count; i++) {
        assert_true(fired_at[i - 1] <= fired_at[i]);
    }
    assert_int_equal(sw_timers_next_ns(&timers), SW_TIME_NEVER);
}

static struct sw_timers own_timers;
static struct sw_timer other;

static void again(struct sw_timer *timer, uint64_t now_ns)
{
    fired_count++;
    sw_timer_set(&own_timers, timer, now_ns + 5);
    sw_timer_cancel(&own_timers, &other);
}

static void test_callback_may_set_itself_and_cancel_others(void **state)
{
    struct sw_timer timer;
    fired_count = 0;
    sw_timer_init(&timer, again);
    sw_timer_init(&other, note);
    sw_timer_set(&own_timers, &timer, 1);
    sw_timer_set(&own_timers, &other, 2);
    assert_int_equal(sw_timers_run(&own_timers, 3, 10), 1);
    assert_false(other.armed);
    assert_int_equal(sw_timers_next_ns(&own_timers), 8);
    assert_int_equal(sw_timers_run(&own_timers, 7, 10), 0);
    assert_int_equal(sw_timers_run(&own_timers, 8, 10), 1);
}

static void test_limit_keeps_the_rest_for_later(void **state)
{
    struct sw_timers timers = {0};
    struct sw_timer nodes[5];
    fired_count = 0;
    for (unsigned i = 0; i < 5; i++) {
        sw_timer_init(&nodes[i], note);
        sw_timer_set(&timers, &nodes[i], i);
    }
    assert_int_equal(sw_timers_run(&timers, 10, 3), 3);
    assert_int_equal(timers.count, 2);
    assert_int_equal(sw_timers_run(&timers, 10, 3), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_times_fire_in_order),
        cmocka_unit_test(test_callback_may_set_itself_and_cancel_others),
        cmocka_unit_test(test_limit_keeps_the_rest_for_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
