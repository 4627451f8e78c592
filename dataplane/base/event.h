/* What the data plane has to tell people: it does not log, it leaves an event; the control thread
 * reads them and writes the log, rate-limited by message. Fixed records, one ring per core (single
 * producer: the core; single consumer: control). A full ring drops the event and counts it. */
#ifndef SW_BASE_EVENT_H
#define SW_BASE_EVENT_H

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
    const char *message;        /**< the Collector's words where it has them */
    const char *component_kind; /**< "receiver", "processor", "exporter" */
    const char *items_key; /**< name for `items` in the line ("dropped_items"); NULL: left out */
    const char *text_key;  /**< name for `text` ("error"); NULL: left out */
};

struct sw_event {
    const struct sw_event_kind *kind;
    const char *id;     /**< component ID; lives as long as the process */
    const char *signal; /**< "traces" or NULL */
    uint64_t wall_ns;
    int64_t items;
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

/** Takes the oldest; control only. @return false when there is none */
bool sw_events_take(struct sw_events *events, struct sw_event *ret_event);

/** Events lost to a full ring since the start. Any thread. */
uint64_t sw_events_lost(const struct sw_events *events);

#endif
