/* Messages between actors (workers, control, storage, foreign threads).
 *
 * Actors meet only here. Every ordered pair of mailboxes has a forward and a return ring, single
 * producer and single consumer. A message is a node in its sender's memory: it travels to the
 * receiver, is delivered there, and comes back, which settles the part and drops the references it
 * held. Messages in flight never exceed what the return ring can hold, so returns always fit and
 * two full rings cannot deadlock. What does not fit now waits in the sender's own list and goes
 * out as returns come in; `sw_mailbox_congested` then says "stop reading".
 */
#ifndef SW_BASE_MAILBOX_H
#define SW_BASE_MAILBOX_H

#include "dataplane/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct sw_mailbox;
struct sw_post; /**< all mailboxes of a process and the rings between them */

struct sw_message {
    /** Called at the receiver. The receiver gives the message back with sw_mailbox_return, at once
     * or later (it owns the message until then). */
    void (*deliver)(struct sw_message *message, void *receiver);
    /** Called at the sender when the message is back. NULL is legal: nobody cares. */
    void (*returned)(struct sw_message *message, void *sender);
    struct sw_message *next; /**< the sender's waiting list */
    uint16_t from;           /**< mailbox indices, set by sw_mailbox_send */
    uint16_t to;
};

/** All mailboxes; control thread, before any actor runs.
 *
 * @param count        mailboxes
 * @param ring_size    messages in flight per ordered pair, a power of two
 */
SW_CHECKED int sw_post_new(unsigned count, unsigned ring_size, struct sw_post **ret_post);
void sw_post_free(struct sw_post *post);

/** Mailbox `index`. `actor` is what deliver and returned get as their second argument. */
struct sw_mailbox *sw_post_mailbox(struct sw_post *post, unsigned index);
void sw_mailbox_bind(struct sw_mailbox *mailbox, void *actor);

/** Sends; owner thread of `from` only. Never fails: what is out of credit waits at the sender.
 * Wakes the receiver when it sleeps. */
void sw_mailbox_send(struct sw_mailbox *from, unsigned to, struct sw_message *message);

/** Gives a delivered message back to its sender; receiver's thread only. */
void sw_mailbox_return(struct sw_mailbox *here, struct sw_message *message);

/** True while messages of this mailbox wait for credit. */
bool sw_mailbox_congested(const struct sw_mailbox *mailbox);

/** Delivers and settles up to `most` messages; owner thread. @return how many */
unsigned sw_mailbox_poll(struct sw_mailbox *mailbox, unsigned most);

/** The sleep protocol: the owner calls sleep_begin (sets `asleep`, seq_cst), which says whether it
 * may sleep: false when something arrived meanwhile. Producers test `asleep` after they enqueue
 * and then write the eventfd. After waking the owner calls sleep_end. */
bool sw_mailbox_sleep_begin(struct sw_mailbox *mailbox);
void sw_mailbox_sleep_end(struct sw_mailbox *mailbox);

/** Readable when a sleeping owner was woken; the owner puts it into its epoll set. -1 when made
 * without system wake-ups (tests step by hand). */
int sw_mailbox_fd(const struct sw_mailbox *mailbox);

/** Wakes the owner if it sleeps. Any thread; used for signals and stop flags. */
void sw_mailbox_wake(struct sw_mailbox *mailbox);

#endif
