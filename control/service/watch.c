#include "control/service/watch.h"

#include <stddef.h>
#include <sys/epoll.h>

int sw_watch_set_open(int *ret_set)
{
    int set = epoll_create1(EPOLL_CLOEXEC);
    if (set < 0) {
        return SW_E_SYSTEM;
    }
    *ret_set = set;
    return SW_OK;
}

int sw_watch_add(int set, struct sw_watch *watch)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};
    return epoll_ctl(set, EPOLL_CTL_ADD, watch->fd, &event) == 0 ? SW_OK : SW_E_SYSTEM;
}

void sw_watch_remove(int set, struct sw_watch *watch)
{
    if (watch->fd >= 0) {
        (void)epoll_ctl(set, EPOLL_CTL_DEL, watch->fd, NULL);
        watch->fd = -1;
    }
}

void sw_watch_wait(int set, int timeout_ms)
{
    struct epoll_event events[32];
    int count = epoll_wait(set, events, 32, timeout_ms);
    for (int i = 0; i < count; i++) {
        struct sw_watch *watch = events[i].data.ptr;
        if (watch->fd >= 0) {
            watch->ready(watch);
        }
    }
}
