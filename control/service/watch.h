/* The control thread's loop: descriptors with a handler each. */
#ifndef SW_SERVICE_WATCH_H
#define SW_SERVICE_WATCH_H

#include "dataplane/base/err.h"

#include <stdint.h>

struct sw_watch {
    int fd;
    void (*ready)(struct sw_watch *watch);
};

/** @return descriptor of the set or SW_E_SYSTEM */
SW_CHECKED int sw_watch_set_open(int *ret_set);
SW_CHECKED int sw_watch_add(int set, struct sw_watch *watch);
void sw_watch_remove(int set, struct sw_watch *watch);

/** Waits up to timeout_ms and calls the handlers of what is ready. A handler may remove its own
 * watch; it must not free another one. */
void sw_watch_wait(int set, int timeout_ms);

#endif
