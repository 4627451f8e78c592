#include "dataplane/base/timer.h"

#include "dataplane/base/assert.h"

#include <stddef.h>

static struct sw_timer *meld(struct sw_timer *a, struct sw_timer *b)
{
    if (a == NULL || b == NULL) {
        return a != NULL ? a : b;
    }
    if (b->at_ns < a->at_ns) {
        struct sw_timer *swap = a;
        a = b;
        b = swap;
    }
    b->prev = a;
    b->next = a->child;
    if (a->child != NULL) {
        a->child->prev = b;
    }
    a->child = b;
    return a;
}

// Two passes: pairs from the left, then all from the right. Iterative, since a heap that was filled
// in order has one long list of children.
static struct sw_timer *meld_children(struct sw_timer *first)
{
    struct sw_timer *pairs = NULL;
    while (first != NULL) {
        struct sw_timer *a = first;
        struct sw_timer *b = a->next;
        first = b != NULL ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b != NULL) {
            b->next = b->prev = NULL;
        }
        struct sw_timer *pair = meld(a, b);
        pair->next = pairs;
        pairs = pair;
    }
    struct sw_timer *root = NULL;
    while (pairs != NULL) {
        struct sw_timer *next = pairs->next;
        pairs->next = NULL;
        root = meld(root, pairs);
        pairs = next;
    }
    return root;
}

static void detach(struct sw_timers *timers, struct sw_timer *timer)
{
    struct sw_timer *rest = meld_children(timer->child);
    if (timers->root == timer) {
        timers->root = rest;
    } else {
        if (timer->prev->child == timer) {
            timer->prev->child = timer->next;
        } else {
            timer->prev->next = timer->next;
        }
        if (timer->next != NULL) {
            timer->next->prev = timer->prev;
        }
        timers->root = meld(timers->root, rest);
    }
    timer->child = timer->next = timer->prev = NULL;
    timer->armed = false;
    timers->count--;
}

void sw_timer_set(struct sw_timers *timers, struct sw_timer *timer, uint64_t at_ns)
{
    SW_ASSERT(timer->fire != NULL);
    if (timer->armed) {
        detach(timers, timer);
    }
    timer->at_ns = at_ns;
    timer->child = timer->next = timer->prev = NULL;
    timer->armed = true;
    timers->root = meld(timers->root, timer);
    timers->count++;
}

void sw_timer_cancel(struct sw_timers *timers, struct sw_timer *timer)
{
    if (timer->armed) {
        detach(timers, timer);
    }
}

unsigned sw_timers_run(struct sw_timers *timers, uint64_t now_ns, unsigned most)
{
    unsigned fired_count = 0;
    while (fired_count < most && timers->root != NULL && timers->root->at_ns <= now_ns) {
        struct sw_timer *timer = timers->root;
        detach(timers, timer);
        timer->fire(timer, now_ns);
        fired_count++;
    }
    return fired_count;
}
