/* What the data plane has to tell people: it does not log, it leaves an event; the control thread
 * reads them and writes the log, rate-limited by message. Fixed records, one ring per core (single
 * producer: the core; single consumer: control). A full ring drops the event and counts it. */
#ifndef SW_BASE_EVENT_H
#define SW_BASE_EVENT_H

#include "dataplane/base/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define SW_EVENT_TEXT_MAX 384

enum sw_event_level {
    SW_EVENT_DEBUG,
    SW_EVENT_INFO,
    SW_EVENT_WARN,
    SW_EVENT_ERROR,
};

/** A kind of event: constant, in the module that leaves it. */
struct sw_event_kind {
    enum sw_event_level level;
    const char *message;        /**< the Collector's words where it has them; NULL: the event's own,
                                     which is data and not to be rate-limited */
    const char *component_kind; /**< "receiver", "processor", "exporter" */
    const char *count_key;  /**< name for `count`, which stands before `items`; NULL: left out */
    const char *second_key; /**< name for `second`, between the two; NULL: left out */
    const char *items_key;  /**< name for `items` in the line ("dropped_items"); NULL: left out */
    const char *text_key;   /**< name for `text` ("error"); NULL: left out */
};

struct sw_event {
    const struct sw_event_kind *kind;
    const char *id;     /**< component ID; lives as long as the process */
    const char *signal; /**< "traces" or NULL */
    uint64_t wall_ns;
    int64_t count;
    int64_t second;
    int64_t items;
    struct sw_buf
        *message; /**< of kinds without one, several lines; its only reference travels along */
    uint32_t text_len;
    char text[SW_EVENT_TEXT_MAX];
};

struct sw_events; /**< one core's ring */

struct sw_events *sw_events_new(unsigned capacity);
void sw_events_free(struct sw_events *events);

/** Leaves an event; core only. text may be NULL, is cut at SW_EVENT_TEXT_MAX. events NULL: nowhere
 * to tell (tests). */
void sw_event_leave(
    struct sw_events *events,
    const struct sw_event_kind *kind,
    const char *id,
    const char *signal,
    uint64_t wall_ns,
    int64_t items,
    const char *text,
    uint32_t text_len
);

/** Leaves an event as it is given, for those that say more than sw_event_leave can; core only.
 * @return false when there is no room: not counted, message still the caller's */
bool sw_event_put(struct sw_events *events, const struct sw_event *event);

/** Events that still fit; core only. */
unsigned sw_events_room(const struct sw_events *events);

/** Takes the oldest; control only. The caller ends it with sw_event_fini.
 * @return false when there is none */
bool sw_events_take(struct sw_events *events, struct sw_event *ret_event);

/** Drops the message of an event that was taken. */
static inline void sw_event_fini(struct sw_event *event)
{
    sw_buf_unref(event->message);
    event->message = NULL;
}

/** Events lost to a full ring since the start. Any thread. */
uint64_t sw_events_lost(const struct sw_events *events);

#endif
