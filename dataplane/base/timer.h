/* Timers of one core: a pairing heap over nodes that live in their owners, so that adding one
 * never allocates. Owner core only. Times are nanoseconds of the core's monotonic clock. */
#ifndef SW_BASE_TIMER_H
#define SW_BASE_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SW_TIME_NEVER UINT64_MAX

struct sw_timer {
    uint64_t at_ns;
    void (*fire)(struct sw_timer *timer, uint64_t now_ns);
    struct sw_timer *child;
    struct sw_timer *next;
    struct sw_timer *prev; /**< elder sibling, or the parent of the eldest child */
    bool armed;
};

struct sw_timers {
    struct sw_timer *root;
    uint64_t count;
};

/** Prepares a node; must not be armed. */
static inline void
sw_timer_init(struct sw_timer *timer, void (*fire)(struct sw_timer *timer, uint64_t now_ns))
{
    *timer = (struct sw_timer){.fire = fire};
}

/** Arms the timer, or moves it when it is armed. */
void sw_timer_set(struct sw_timers *timers, struct sw_timer *timer, uint64_t at_ns);

/** Disarms; an unarmed timer is legal. */
void sw_timer_cancel(struct sw_timers *timers, struct sw_timer *timer);

/** When the next one is due, or SW_TIME_NEVER. */
static inline uint64_t sw_timers_next_ns(const struct sw_timers *timers)
{
    return timers->root != NULL ? timers->root->at_ns : SW_TIME_NEVER;
}

/** Fires up to `most` timers that are due; each is disarmed before its call, which may set it (or
 * others) again. @return how many fired */
unsigned sw_timers_run(struct sw_timers *timers, uint64_t now_ns, unsigned most);

#endif
