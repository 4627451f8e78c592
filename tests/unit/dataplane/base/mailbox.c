#include "dataplane/base/mailbox.h"

#include "dataplane/base/mem.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

struct parcel {
    struct sw_message message;
    struct sw_mailbox *at; // who delivers
    unsigned number;
    unsigned delivered;
    unsigned returned;
};

static unsigned next_number;

static void deliver(struct sw_message *message, void *receiver)
{
    struct parcel *parcel = (struct parcel *)message;
    assert_int_equal(parcel->number, next_number++); // in order
    parcel->delivered++;
    sw_mailbox_return(receiver, message);
}

static void returned(struct sw_message *message, void *sender)
{
    ((struct parcel *)message)->returned++;
}

static void bind_to_itself(struct sw_post *post, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        sw_mailbox_bind(sw_post_mailbox(post, i), sw_post_mailbox(post, i));
    }
}

static void test_more_than_credit_waits_and_goes_out_in_order(void **state)
{
    enum { COUNT = 100 };
    struct sw_post *post;
    assert_int_equal(sw_post_new(2, 8, &post), 0);
    bind_to_itself(post, 2);
    struct sw_mailbox *a = sw_post_mailbox(post, 0);
    struct sw_mailbox *b = sw_post_mailbox(post, 1);
    static struct parcel parcels[COUNT];
    next_number = 0;
    for (unsigned i = 0; i < COUNT; i++) {
        parcels[i] =
            (struct parcel){.message = {.deliver = deliver, .returned = returned}, .number = i};
        sw_mailbox_send(a, 1, &parcels[i].message);
    }
    assert_true(sw_mailbox_congested(a));
    // Both full rings: the receiver does not poll its returns away, and still nothing is lost.
    for (unsigned turns = 0; turns < 200; turns++) {
        sw_mailbox_poll(b, 3);
        sw_mailbox_poll(a, 2);
    }
    assert_false(sw_mailbox_congested(a));
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(parcels[i].delivered, 1);
        assert_int_equal(parcels[i].returned, 1);
    }
    sw_post_free(post);
}

static void test_sleeper_is_woken_by_send_and_by_return(void **state)
{
    struct sw_post *post;
    assert_int_equal(sw_post_new(2, 8, &post), 0);
    bind_to_itself(post, 2);
    struct sw_mailbox *a = sw_post_mailbox(post, 0);
    struct sw_mailbox *b = sw_post_mailbox(post, 1);
    struct parcel parcel = {.message = {.deliver = deliver, .returned = returned}};
    next_number = 0;
    struct pollfd fd = {.fd = sw_mailbox_fd(b), .events = POLLIN};
    assert_true(sw_mailbox_sleep_begin(b));
    assert_int_equal(poll(&fd, 1, 0), 0);
    sw_mailbox_send(a, 1, &parcel.message);
    assert_int_equal(poll(&fd, 1, 0), 1);
    sw_mailbox_sleep_end(b);
    assert_true(sw_mailbox_sleep_begin(a));
    assert_int_equal(sw_mailbox_poll(b, 1), 1);
    fd.fd = sw_mailbox_fd(a);
    assert_int_equal(poll(&fd, 1, 0), 1);
    // Something waits: sleeping is refused.
    sw_mailbox_sleep_end(a);
    assert_false(sw_mailbox_sleep_begin(a));
    assert_int_equal(sw_mailbox_poll(a, 1), 1);
    assert_int_equal(parcel.returned, 1);
    sw_post_free(post);
}

/* Two threads play ping-pong and sleep in between; a lost wake-up would hang the test. */
struct player {
    struct sw_mailbox *mailbox;
    unsigned rounds;
    _Atomic bool *done;
};

static _Atomic unsigned bounced;

static void bounce(struct sw_message *message, void *receiver)
{
    atomic_fetch_add(&bounced, 1);
    sw_mailbox_return(receiver, message);
}

static void *play(void *argument)
{
    struct player *player = argument;
    while (!atomic_load(player->done)) {
        if (sw_mailbox_poll(player->mailbox, 64) == 0 && sw_mailbox_sleep_begin(player->mailbox)) {
            struct pollfd fd = {.fd = sw_mailbox_fd(player->mailbox), .events = POLLIN};
            poll(&fd, 1, 10000);
            eventfd_t value;
            (void)!read(fd.fd, &value, sizeof(value));
            sw_mailbox_sleep_end(player->mailbox);
        }
    }
    return NULL;
}

static struct sw_mailbox *home;
static unsigned rounds_left;

static void once_more(struct sw_message *message, void *sender)
{
    if (rounds_left > 0) {
        rounds_left--;
        sw_mailbox_send(home, 1, message);
    }
}

static void test_threads_that_sleep_lose_no_message(void **state)
{
    enum { ROUNDS = 20000 };
    struct sw_post *post;
    assert_int_equal(sw_post_new(2, 4, &post), 0);
    bind_to_itself(post, 2);
    _Atomic bool done = false;
    struct player player = {sw_post_mailbox(post, 1), 0, &done};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, play, &player), 0);
    home = sw_post_mailbox(post, 0);
    rounds_left = ROUNDS - 3;
    struct sw_message messages[3];
    atomic_store(&bounced, 0);
    for (unsigned i = 0; i < 3; i++) {
        messages[i] = (struct sw_message){.deliver = bounce, .returned = once_more};
        sw_mailbox_send(home, 1, &messages[i]);
    }
    unsigned back = 0;
    while (back < ROUNDS) {
        unsigned got = sw_mailbox_poll(home, 64);
        back += got;
        if (got == 0 && sw_mailbox_sleep_begin(home)) {
            struct pollfd fd = {.fd = sw_mailbox_fd(home), .events = POLLIN};
            assert_int_equal(poll(&fd, 1, 10000), 1);
            eventfd_t value;
            (void)!read(fd.fd, &value, sizeof(value));
            sw_mailbox_sleep_end(home);
        }
    }
    assert_int_equal(atomic_load(&bounced), ROUNDS);
    atomic_store(&done, true);
    // The flag and the sleeper's own `asleep` are two variables: wake until it has seen the flag.
    struct sw_message last = {.deliver = bounce};
    sw_mailbox_send(home, 1, &last);
    pthread_join(thread, NULL);
    sw_post_free(post);
}

static void test_every_failing_allocation_is_a_clean_error(void **state)
{
    int err = SW_E_NOMEM;
    for (uint64_t nth = 1; err != SW_OK; nth++) {
        struct sw_post *post = NULL;
        sw_mem_fail_at(nth, 0);
        err = sw_post_new(3, 8, &post);
        sw_mem_fail_at(0, 0);
        assert_true(err == SW_OK || (err == SW_E_NOMEM && post == NULL));
        sw_post_free(post);
        assert_true(nth < 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_more_than_credit_waits_and_goes_out_in_order),
        cmocka_unit_test(test_sleeper_is_woken_by_send_and_by_return),
        cmocka_unit_test(test_threads_that_sleep_lose_no_message),
        cmocka_unit_test(test_every_failing_allocation_is_a_clean_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
