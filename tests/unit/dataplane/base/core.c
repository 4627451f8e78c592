#include "dataplane/base/core.h"

#include "dataplane/base/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct counter {
    struct sw_task task;
    unsigned runs;
    unsigned wanted;
};

static bool count(struct sw_task *task, uint64_t now_ns)
{
    struct counter *counter = (struct counter *)task;
    return ++counter->runs < counter->wanted;
}

static void test_tasks_run_once_a_turn_until_done(void **state)
{
    struct sw_core core = {0};
    struct counter one = {.task = {.run = count}, .wanted = 1};
    struct counter three = {.task = {.run = count}, .wanted = 3};
    sw_core_task(&core, &one.task);
    sw_core_task(&core, &three.task);
    sw_core_task(&core, &three.task); // twice is once
    assert_int_equal(sw_core_run_tasks(&core), 2);
    assert_int_equal(sw_core_run_tasks(&core), 1);
    assert_int_equal(sw_core_run_tasks(&core), 1);
    assert_int_equal(sw_core_run_tasks(&core), 0);
    assert_int_equal(one.runs, 1);
    assert_int_equal(three.runs, 3);
}

static struct sw_core own_core;
static struct counter victim;

static bool cancel_other(struct sw_task *task, uint64_t now_ns)
{
    sw_core_task_cancel(&own_core, &victim.task);
    return true;
}

static void test_task_may_cancel_the_last_one(void **state)
{
    struct sw_task canceller = {.run = cancel_other};
    victim = (struct counter){.task = {.run = count}, .wanted = 9};
    sw_core_task(&own_core, &canceller);
    sw_core_task(&own_core, &victim.task);
    assert_int_equal(sw_core_run_tasks(&own_core), 2); // the canceller, and itself again at most
    assert_int_equal(victim.runs, 0);
    sw_core_task_cancel(&own_core, &canceller);
    assert_null(own_core.tasks_first);
    assert_null(own_core.tasks_last);
}

static uint64_t hand_clock(void *clock)
{
    return *(uint64_t *)clock;
}

static void test_steps_are_measured_from_the_end_of_the_last(void **state)
{
    uint64_t now = 1000;
    struct sw_steps steps = {0};
    struct sw_core core = {.clock_ns = hand_clock, .clock = &now, .steps = &steps};
    sw_core_step_begin(&core);
    now += 300;
    sw_core_step_done(&core);
    assert_int_equal(steps.longest_ns, 300);
    now += 5000;
    sw_core_step_begin(&core); // slept
    now += 200;
    sw_core_step_done(&core);
    assert_int_equal(steps.longest_ns, 300);
}

static void test_full_event_ring_counts_what_it_loses(void **state)
{
    static const struct sw_event_kind kind = {.message = "m"};
    struct sw_events *events = sw_events_new(4);
    char text[SW_EVENT_TEXT_MAX + 50] = {'x'};
    for (unsigned i = 0; i < 6; i++) {
        sw_event_leave(events, &kind, "id", NULL, 0, i, text, sizeof(text));
    }
    assert_int_equal(sw_events_lost(events), 2);
    struct sw_event event;
    for (unsigned i = 0; i < 4; i++) {
        assert_true(sw_events_take(events, &event));
        assert_int_equal(event.items, i);
        assert_int_equal(event.text_len, SW_EVENT_TEXT_MAX);
    }
    assert_false(sw_events_take(events, &event));
    sw_events_free(events);
}

static void test_buffers_are_charged_whole_until_the_last_reference(void **state)
{
    struct sw_account account = {0};
    struct sw_buf *buf = sw_buf_new(&account, 1000);
    int64_t whole = sw_account_charged(&account);
    assert_true(whole >= 1000);
    sw_buf_ref(buf);
    sw_buf_unref(buf);
    assert_int_equal(sw_account_charged(&account), whole);
    buf->size = 10;
    buf = sw_buf_shrink(buf);
    assert_true(sw_account_charged(&account) < whole);
    sw_buf_unref(buf);
    assert_int_equal(sw_account_charged(&account), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tasks_run_once_a_turn_until_done),
        cmocka_unit_test(test_task_may_cancel_the_last_one),
        cmocka_unit_test(test_steps_are_measured_from_the_end_of_the_last),
        cmocka_unit_test(test_full_event_ring_counts_what_it_loses),
        cmocka_unit_test(test_buffers_are_charged_whole_until_the_last_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
