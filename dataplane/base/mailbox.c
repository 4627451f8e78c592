#include "dataplane/base/mailbox.h"

#include "dataplane/base/assert.h"
#include "dataplane/base/mem.h"
#include "dataplane/base/ring.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Everything between one ordered pair, sender -> receiver. */
struct pair {
    struct sw_ring forward;           // producer: sender
    struct sw_ring returns;           // producer: receiver
    uint32_t in_flight;               // sender only: sent and not back; never above ring_size
    struct sw_message *waiting_first; // sender only: out of credit
    struct sw_message *waiting_last;
};

struct sw_mailbox {
    struct sw_post *post;
    void *actor;
    uint16_t index;
    uint32_t waiting_count; // owner only: messages without credit, over all receivers
    uint16_t poll_first;    // owner only: whose messages the next poll takes first
    int fd;
    _Alignas(64) _Atomic uint32_t asleep;
};

struct sw_post {
    unsigned count;
    unsigned ring_size;
    struct sw_mailbox *mailboxes;
    struct pair *pairs; // [from * count + to]
};

static struct pair *pair_of(struct sw_post *post, unsigned from, unsigned to)
{
    SW_ASSERT(from < post->count && to < post->count);
    return &post->pairs[from * post->count + to];
}

static int mailbox_init(struct sw_post *post, unsigned index)
{
    struct sw_mailbox *mailbox = &post->mailboxes[index];
    mailbox->post = post;
    mailbox->index = (uint16_t)index;
    mailbox->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return mailbox->fd >= 0 ? SW_OK : SW_E_SYSTEM;
}

int sw_post_new(unsigned count, unsigned ring_size, struct sw_post **ret_post)
{
    struct sw_post *post = sw_zalloc(sizeof(*post));
    if (post == NULL) {
        return SW_E_NOMEM;
    }
    post->count = count;
    post->ring_size = ring_size;
    int err = SW_E_NOMEM;
    post->mailboxes = sw_aligned_alloc(64, count * sizeof(*post->mailboxes));
    if (post->mailboxes == NULL) {
        goto fail;
    }
    memset(post->mailboxes, 0, count * sizeof(*post->mailboxes));
    for (unsigned i = 0; i < count; i++) {
        post->mailboxes[i].fd = -1;
    }
    post->pairs = sw_zalloc((size_t)count * count * sizeof(*post->pairs));
    if (post->pairs == NULL) {
        goto fail;
    }
    for (unsigned i = 0; i < count; i++) {
        if ((err = mailbox_init(post, i)) != SW_OK) {
            goto fail;
        }
    }
    for (unsigned i = 0; i < count * count; i++) {
        if ((err = sw_ring_init(&post->pairs[i].forward, ring_size)) != SW_OK
            || (err = sw_ring_init(&post->pairs[i].returns, ring_size)) != SW_OK) {
            goto fail;
        }
    }
    *ret_post = post;
    return SW_OK;
fail:
    sw_post_free(post);
    return err;
}

void sw_post_free(struct sw_post *post)
{
    if (post == NULL) {
        return;
    }
    for (unsigned i = 0; post->mailboxes != NULL && i < post->count; i++) {
        if (post->mailboxes[i].fd >= 0) {
            close(post->mailboxes[i].fd);
        }
    }
    for (unsigned i = 0; post->pairs != NULL && i < post->count * post->count; i++) {
        sw_ring_fini(&post->pairs[i].forward);
        sw_ring_fini(&post->pairs[i].returns);
    }
    sw_free(post->pairs);
    sw_free(post->mailboxes);
    sw_free(post);
}

struct sw_mailbox *sw_post_mailbox(struct sw_post *post, unsigned index)
{
    SW_ASSERT(index < post->count);
    return &post->mailboxes[index];
}

void sw_mailbox_bind(struct sw_mailbox *mailbox, void *actor)
{
    mailbox->actor = actor;
}

void sw_mailbox_wake(struct sw_mailbox *mailbox)
{
    // Two read-modify-writes of one variable are ordered: either ours comes first, then the owner's
    // exchange in sleep_begin acquires what we enqueued before, or we read its 1. (Fences would
    // do as well, but ThreadSanitizer does not understand them.)
    if (!atomic_fetch_or_explicit(&mailbox->asleep, 0, memory_order_acq_rel)) {
        return;
    }
    uint64_t one = 1;
    while (write(mailbox->fd, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
}

static void wake_index(struct sw_post *post, unsigned index)
{
    sw_mailbox_wake(&post->mailboxes[index]);
}

static void put_forward(struct sw_post *post, struct pair *pair, struct sw_message *message)
{
    // Credit was there, and the ring holds as many as there is credit.
    bool put = sw_ring_put(&pair->forward, message);
    SW_ASSERT(put);
    pair->in_flight++;
    wake_index(post, message->to);
}

void sw_mailbox_send(struct sw_mailbox *from, unsigned to, struct sw_message *message)
{
    struct sw_post *post = from->post;
    struct pair *pair = pair_of(post, from->index, to);
    message->from = from->index;
    message->to = (uint16_t)to;
    message->next = NULL;
    if (pair->in_flight < post->ring_size && pair->waiting_first == NULL) {
        put_forward(post, pair, message);
        return;
    }
    if (pair->waiting_last != NULL) {
        pair->waiting_last->next = message;
    } else {
        pair->waiting_first = message;
    }
    pair->waiting_last = message;
    from->waiting_count++;
}

static void send_waiting(struct sw_mailbox *from, struct pair *pair)
{
    struct sw_post *post = from->post;
    while (pair->waiting_first != NULL && pair->in_flight < post->ring_size) {
        struct sw_message *message = pair->waiting_first;
        pair->waiting_first = message->next;
        if (pair->waiting_first == NULL) {
            pair->waiting_last = NULL;
        }
        from->waiting_count--;
        put_forward(post, pair, message);
    }
}

void sw_mailbox_return(struct sw_mailbox *here, struct sw_message *message)
{
    SW_ASSERT(message->to == here->index);
    struct sw_post *post = here->post;
    unsigned home = message->from;
    bool put = sw_ring_put(&pair_of(post, home, here->index)->returns, message);
    SW_ASSERT(put); // in flight never exceeds what the return ring holds
    wake_index(post, home);
}

bool sw_mailbox_congested(const struct sw_mailbox *mailbox)
{
    return mailbox->waiting_count > 0;
}

static unsigned take_forward(struct sw_mailbox *here, unsigned from, unsigned most)
{
    void *items[64];
    struct sw_ring *ring = &pair_of(here->post, from, here->index)->forward;
    unsigned count = sw_ring_take(ring, items, SW_MIN(most, 64u));
    for (unsigned i = 0; i < count; i++) {
        struct sw_message *message = items[i];
        message->deliver(message, here->actor);
    }
    return count;
}

static unsigned take_returns(struct sw_mailbox *here, unsigned to, unsigned most)
{
    void *items[64];
    struct pair *pair = pair_of(here->post, here->index, to);
    unsigned count = sw_ring_take(&pair->returns, items, SW_MIN(most, 64u));
    SW_ASSERT(pair->in_flight >= count);
    pair->in_flight -= count;
    send_waiting(here, pair);
    for (unsigned i = 0; i < count; i++) {
        struct sw_message *message = items[i];
        if (message->returned != NULL) {
            message->returned(message, here->actor);
        }
    }
    return count;
}

unsigned sw_mailbox_poll(struct sw_mailbox *mailbox, unsigned most)
{
    unsigned done = 0;
    unsigned count = mailbox->post->count;
    unsigned first = mailbox->poll_first;
    for (unsigned i = 0; i < count && done < most; i++) {
        unsigned other = first + i < count ? first + i : first + i - count;
        done += take_returns(mailbox, other, most - done);
        done += take_forward(mailbox, other, most - done);
        // A short poll must not always find the same ones first.
        mailbox->poll_first = (uint16_t)(other + 1 < count ? other + 1 : 0);
    }
    return done;
}

static bool nothing_waits(struct sw_mailbox *mailbox)
{
    struct sw_post *post = mailbox->post;
    for (unsigned other = 0; other < post->count; other++) {
        if (!sw_ring_empty(&pair_of(post, other, mailbox->index)->forward)
            || !sw_ring_empty(&pair_of(post, mailbox->index, other)->returns)) {
            return false;
        }
    }
    return true;
}

bool sw_mailbox_sleep_begin(struct sw_mailbox *mailbox)
{
    // Pairs with the read-modify-write in sw_mailbox_wake.
    (void)atomic_exchange_explicit(&mailbox->asleep, 1, memory_order_acq_rel);
    if (nothing_waits(mailbox)) {
        return true;
    }
    atomic_store_explicit(&mailbox->asleep, 0, memory_order_relaxed);
    return false;
}

void sw_mailbox_sleep_end(struct sw_mailbox *mailbox)
{
    atomic_store_explicit(&mailbox->asleep, 0, memory_order_relaxed);
}

int sw_mailbox_fd(const struct sw_mailbox *mailbox)
{
    return mailbox->fd;
}
