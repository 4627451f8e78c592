/* The `sending_queue` section of exporters (Collector v0.159, exporterhelper). */
#ifndef SW_QUEUE_SENDING_QUEUE_CONF_H
#define SW_QUEUE_SENDING_QUEUE_CONF_H

#include "dataplane/base/field.h"

enum sw_sizer {
    SW_SIZER_REQUESTS,
    SW_SIZER_ITEMS,
    SW_SIZER_BYTES,
};

struct sw_queue_batch_conf {
    bool enabled;
    int64_t flush_timeout_ns; /**< > 0 */
    int sizer;                /**< enum sw_sizer: items or bytes */
    int64_t min_size;
    int64_t max_size; /**< 0: none */
    struct {
        struct sw_list metadata_keys; /**< const char * */
    } partition;
};

struct sw_sending_queue_conf {
    bool enabled;           /**< false: the exporter is called synchronously */
    bool block_on_overflow; /**< wait for room instead of refusing */
    bool wait_for_result;
    int sizer;             /**< enum sw_sizer: unit of queue_size */
    int64_t num_consumers; /**< of the whole process */
    int64_t queue_size;    /**< of the whole process, in units of sizer */
    const char *storage;   /**< extension ID, "": in memory */
    struct sw_queue_batch_conf batch;
};

extern const struct sw_field sw_sending_queue_fields[];
void sw_sending_queue_check(void *section, struct sw_check *check);

/** The key for an exporter's table. `flags`: SW_FIELD_ON where the queue is on when not written. */
#define SW_SENDING_QUEUE(type, member, ...)                                                        \
    SW_OPTIONAL(                                                                                   \
        "sending_queue",                                                                           \
        type,                                                                                      \
        member,                                                                                    \
        sw_sending_queue_fields,                                                                   \
        "requests wait here for the exporter",                                                     \
        .check = sw_sending_queue_check,                                                           \
        __VA_ARGS__                                                                                \
    )

#endif
