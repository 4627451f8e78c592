/* Events: kept in order, cut to their size, lost and counted when the ring is full. */
#include "dataplane/base/event.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct sw_event_kind kind = {.level = SW_EVENT_WARN, .message = "it happened"};

static void leave(struct sw_events *events, int64_t items, const char *text)
{
    uint32_t len = text != NULL ? (uint32_t)strlen(text) : 0;
    sw_event_leave(events, &kind, "otlp", "traces", 7, items, text, len);
}

static void test_events_come_in_order_with_all_they_say(void **state)
{
    struct sw_events *events = sw_events_new(4);
    struct sw_event event;
    assert_false(sw_events_take(events, &event));
    leave(events, 1, "first");
    leave(events, 2, NULL);
    assert_int_equal(sw_events_room(events), 2);
    assert_true(sw_events_take(events, &event));
    assert_ptr_equal(event.kind, &kind);
    assert_string_equal(event.id, "otlp");
    assert_string_equal(event.signal, "traces");
    assert_int_equal(event.wall_ns, 7);
    assert_int_equal(event.items, 1);
    assert_int_equal(event.text_len, 5);
    assert_memory_equal(event.text, "first", 5);
    sw_event_fini(&event);
    assert_true(sw_events_take(events, &event));
    assert_int_equal(event.text_len, 0);
    assert_false(sw_events_take(events, &event));
    assert_int_equal(sw_events_lost(events), 0);
    sw_events_free(events);
}

static void test_a_long_text_is_cut(void **state)
{
    struct sw_events *events = sw_events_new(2);
    struct sw_event event;
    char text[SW_EVENT_TEXT_MAX + 10];
    memset(text, 'x', sizeof(text));
    sw_event_leave(events, &kind, "id", NULL, 0, 0, text, sizeof(text));
    assert_true(sw_events_take(events, &event));
    assert_int_equal(event.text_len, SW_EVENT_TEXT_MAX);
    sw_events_free(events);
}

static void test_a_full_ring_loses_the_newest_and_counts(void **state)
{
    struct sw_events *events = sw_events_new(4);
    struct sw_event event;
    for (int64_t i = 0; i < 7; i++) {
        leave(events, i, NULL);
    }
    assert_int_equal(sw_events_lost(events), 3);
    assert_int_equal(sw_events_room(events), 0);
    for (int64_t i = 0; i < 4; i++) {
        assert_true(sw_events_take(events, &event));
        assert_int_equal(event.items, i);
    }
    assert_false(sw_events_take(events, &event));
    sw_events_free(events);
    leave(NULL, 1, "nowhere to tell"); // legal
}

static void test_a_message_travels_with_its_reference(void **state)
{
    struct sw_account account = {.charged_bytes = 0};
    struct sw_events *events = sw_events_new(2);
    struct sw_event event = {.kind = &kind};
    for (unsigned i = 0; i < 2; i++) {
        event.message = sw_buf_copy(&account, "lines", 5);
        assert_true(sw_event_put(events, &event));
    }
    assert_false(sw_event_put(events, &event)); // full: nothing was taken over
    assert_true(sw_events_take(events, &event));
    assert_memory_equal(event.message->data, "lines", 5);
    sw_event_fini(&event);
    sw_events_free(events); // and what nobody took
    assert_int_equal(sw_account_charged(&account), 0);
}

#define RACE_COUNT 20000

static void *leave_many(void *context)
{
    struct sw_events *events = context;
    for (int64_t i = 0; i < RACE_COUNT; i++) {
        leave(events, i, "text");
    }
    return NULL;
}

static void test_a_reader_on_another_thread_sees_whole_events_in_order(void **state)
{
    struct sw_events *events = sw_events_new(64);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, leave_many, events), 0);
    int64_t last = -1;
    uint64_t taken = 0;
    struct sw_event event;
    while (taken + sw_events_lost(events) < RACE_COUNT) {
        if (sw_events_take(events, &event)) {
            taken++;
            assert_true(event.items > last);
            last = event.items;
            assert_int_equal(event.text_len, 4);
            assert_memory_equal(event.text, "text", 4);
        }
    }
    pthread_join(thread, NULL);
    assert_false(sw_events_take(events, &event));
    sw_events_free(events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_come_in_order_with_all_they_say),
        cmocka_unit_test(test_a_long_text_is_cut),
        cmocka_unit_test(test_a_full_ring_loses_the_newest_and_counts),
        cmocka_unit_test(test_a_message_travels_with_its_reference),
        cmocka_unit_test(test_a_reader_on_another_thread_sees_whole_events_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
