/* A thread around an actor that may block, such as those that write files (storage/files, storage/journal). */
#ifndef SW_SERVICE_ACTOR_THREAD_H
#define SW_SERVICE_ACTOR_THREAD_H

#include "dataplane/base/mailbox.h"

#include <stdint.h>

struct sw_actor_thread;

struct sw_actor {
    const char *name; /**< of the thread, at most 15 characters */
    struct sw_mailbox *mailbox;
    /** Does what has been sent. @return 0: there was nothing to do */
    unsigned (*poll)(void *self, uint64_t wall_ns);
    void (*close)(void *self); /**< the last thing in the thread */
    void *self;
};

/** @return 0, SW_E_NOMEM, SW_E_SYSTEM */
SW_CHECKED int
sw_actor_thread_new(const struct sw_actor *actor, struct sw_actor_thread **ret_thread);

/** The cores have stopped: what they sent is still done, then the actor is closed. NULL is legal. */
void sw_actor_thread_free(struct sw_actor_thread *thread);

#endif
