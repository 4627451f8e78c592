#include "dataplane/base/event.h"

#include "dataplane/base/assert.h"
#include "dataplane/base/mem.h"

#include <stdatomic.h>
#include <string.h>

struct sw_events {
    uint32_t mask;
    _Alignas(64) _Atomic uint32_t head; // written by the core
    _Atomic uint64_t lost;
    _Alignas(64) _Atomic uint32_t tail; // written by control
    struct sw_event ring[];
};

struct sw_events *sw_events_new(unsigned capacity)
{
    SW_ASSERT(capacity > 0 && (capacity & (capacity - 1)) == 0);
    size_t size = sizeof(struct sw_events) + capacity * sizeof(struct sw_event);
    struct sw_events *events = sw_aligned_alloc(64, size);
    if (events != NULL) {
        memset(events, 0, sizeof(*events));
        events->mask = capacity - 1;
    }
    return events;
}

void sw_events_free(struct sw_events *events)
{
    if (events == NULL) {
        return;
    }
    struct sw_event event;
    while (sw_events_take(events, &event)) {
        sw_event_fini(&event);
    }
    sw_free(events);
}

// The next slot to be written; NULL: the ring is full.
static struct sw_event *free_slot(struct sw_events *events)
{
    uint32_t head = atomic_load_explicit(&events->head, memory_order_relaxed);
    // Pairs with the release in sw_events_take: the slot was read before it is written again.
    uint32_t tail = atomic_load_explicit(&events->tail, memory_order_acquire);
    return head - tail > events->mask ? NULL : &events->ring[head & events->mask];
}

static void publish(struct sw_events *events)
{
    uint32_t head = atomic_load_explicit(&events->head, memory_order_relaxed);
    // Pairs with the acquire in sw_events_take: the record is whole before it is seen.
    atomic_store_explicit(&events->head, head + 1, memory_order_release);
}

void sw_event_leave(
    struct sw_events *events,
    const struct sw_event_kind *kind,
    const char *id,
    const char *signal,
    uint64_t wall_ns,
    int64_t items,
    const char *text,
    uint32_t text_len
)
{
    if (events == NULL) {
        return;
    }
    struct sw_event *event = free_slot(events);
    if (event == NULL) {
        atomic_fetch_add_explicit(&events->lost, 1, memory_order_relaxed);
        return;
    }
    event->kind = kind;
    event->id = id;
    event->signal = signal;
    event->wall_ns = wall_ns;
    event->count = 0;
    event->items = items;
    event->message = NULL;
    event->text_len = text != NULL ? SW_MIN(text_len, SW_EVENT_TEXT_MAX) : 0;
    if (event->text_len > 0) {
        memcpy(event->text, text, event->text_len);
    }
    publish(events);
}

bool sw_event_put(struct sw_events *events, const struct sw_event *event)
{
    struct sw_event *slot = free_slot(events);
    if (slot == NULL) {
        return false;
    }
    *slot = *event;
    publish(events);
    return true;
}

unsigned sw_events_room(const struct sw_events *events)
{
    uint32_t head = atomic_load_explicit(&events->head, memory_order_relaxed);
    uint32_t tail = atomic_load_explicit(&events->tail, memory_order_acquire);
    return events->mask + 1 - (head - tail);
}

bool sw_events_take(struct sw_events *events, struct sw_event *ret_event)
{
    uint32_t tail = atomic_load_explicit(&events->tail, memory_order_relaxed);
    uint32_t head = atomic_load_explicit(&events->head, memory_order_acquire);
    if (head == tail) {
        return false;
    }
    *ret_event = events->ring[tail & events->mask];
    atomic_store_explicit(&events->tail, tail + 1, memory_order_release);
    return true;
}

uint64_t sw_events_lost(const struct sw_events *events)
{
    return atomic_load_explicit(&events->lost, memory_order_relaxed);
}
