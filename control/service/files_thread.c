#include "control/service/files_thread.h"

#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

struct sw_files_thread {
    struct sw_files *files;
    pthread_t thread;
    _Atomic bool stop;
};

static void *thread_main(void *argument)
{
    struct sw_files_thread *thread = argument;
    struct sw_mailbox *mailbox = sw_files_mailbox(thread->files);
    struct pollfd fd = {.fd = sw_mailbox_fd(mailbox), .events = POLLIN};
    for (;;) {
        // Looked at before the messages: what was sent before the stop is done.
        bool stop = atomic_load_explicit(&thread->stop, memory_order_acquire);
        if (sw_files_poll(thread->files, sw_clock_wall_ns()) > 0) {
            continue;
        }
        if (stop) {
            break;
        }
        if (sw_mailbox_sleep_begin(mailbox)) {
            poll(&fd, 1, 1000);
            eventfd_t value;
            (void)eventfd_read(fd.fd, &value);
            sw_mailbox_sleep_end(mailbox);
        }
    }
    sw_files_close(thread->files);
    return NULL;
}

int sw_files_thread_new(
    struct sw_files *files,
    struct sw_files_thread **ret_thread,
    char *error,
    size_t error_size
)
{
    *ret_thread = NULL;
    if (!sw_files_any(files)) {
        return SW_OK;
    }
    int err = sw_files_open(files, error, error_size);
    if (err != SW_OK) {
        return err;
    }
    struct sw_files_thread *thread = sw_zalloc(sizeof(*thread));
    if (thread == NULL) {
        return SW_E_NOMEM;
    }
    thread->files = files;
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
    pthread_setname_np(thread->thread, "files");
    *ret_thread = thread;
    return SW_OK;
}

void sw_files_thread_free(struct sw_files_thread *thread)
{
    if (thread == NULL) {
        return;
    }
    atomic_store_explicit(&thread->stop, true, memory_order_release);
    sw_mailbox_wake(sw_files_mailbox(thread->files));
    pthread_join(thread->thread, NULL);
    sw_free(thread);
}
