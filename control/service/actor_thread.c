#include "control/service/actor_thread.h"

#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

struct sw_actor_thread {
    struct sw_actor actor;
    pthread_t thread;
    _Atomic bool stop;
};

static void *thread_main(void *argument)
{
    struct sw_actor_thread *thread = argument;
    const struct sw_actor *actor = &thread->actor;
    struct pollfd fd = {.fd = sw_mailbox_fd(actor->mailbox), .events = POLLIN};
    for (;;) {
        // Looked at before the messages: what was sent before the stop is done.
        bool stop = atomic_load_explicit(&thread->stop, memory_order_acquire);
        if (actor->poll(actor->self, sw_clock_wall_ns()) > 0) {
            continue;
        }
        if (stop) {
            break;
        }
        if (sw_mailbox_sleep_begin(actor->mailbox)) {
            poll(&fd, 1, 1000);
            eventfd_t value;
            (void)eventfd_read(fd.fd, &value);
            sw_mailbox_sleep_end(actor->mailbox);
        }
    }
    actor->close(actor->self);
    return NULL;
}

int sw_actor_thread_new(const struct sw_actor *actor, struct sw_actor_thread **ret_thread)
{
    struct sw_actor_thread *thread = sw_zalloc(sizeof(*thread));
    if (thread == NULL) {
        return SW_E_NOMEM;
    }
    thread->actor = *actor;
    // Signals belong to the control thread.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&thread->thread, NULL, thread_main, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        sw_free(thread);
        return SW_E_SYSTEM;
    }
    pthread_setname_np(thread->thread, actor->name);
    *ret_thread = thread;
    return SW_OK;
}

void sw_actor_thread_free(struct sw_actor_thread *thread)
{
    if (thread == NULL) {
        return;
    }
    atomic_store_explicit(&thread->stop, true, memory_order_release);
    sw_mailbox_wake(thread->actor.mailbox);
    pthread_join(thread->thread, NULL);
    sw_free(thread);
}
