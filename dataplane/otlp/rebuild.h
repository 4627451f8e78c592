/* A batch written anew, item by item (span, log record, data point), for stages that change or drop some: the
 * rest is copied as it is, unknown fields too, and what was dropped empties the envelopes around it.
 * Copying costs less than keeping track of thousands of ranges, and the old buffers are free to go. */
#ifndef SW_OTLP_REBUILD_H
#define SW_OTLP_REBUILD_H

#include "dataplane/otlp/batch.h"
#include "dataplane/otlp/metric.h"

/** What is looked at. Bytes live until the call returns. */
struct sw_rebuild_item {
    enum sw_signal signal;
    /** The Resource and InstrumentationScope messages; only where ops->envelopes. */
    struct sw_bytes resource;
    struct sw_bytes scope;
    struct sw_metric_view metric; /**< of the data point */
    struct sw_bytes message;      /**< Span, LogRecord or data point */
};

enum sw_rebuild_verdict {
    SW_REBUILD_KEEP,
    SW_REBUILD_REPLACE,
    SW_REBUILD_DROP,
};

struct sw_rebuild_ops {
    bool envelopes; /**< wants resource and scope */
    /** Envelopes without items go, as in the Collector's processors that remove some. */
    bool prune;
    /** @param ret_size  with REPLACE: bytes of the new message
     * @return enum sw_rebuild_verdict or SW_E_* */
    int (*item)(void *context, const struct sw_rebuild_item *item, size_t *ret_size);
    /** Writes the new message. @return behind it */
    uint8_t *(*write)(void *context, uint8_t *out);
    /** Is this metric looked into? NULL: all are. Its message is item->message. */
    bool (*metric)(void *context, const struct sw_rebuild_item *item);
};

/** One core's; its memory is kept for the next batch. Zeroed at the start. */
struct sw_rebuild {
    const struct sw_rebuild_ops *ops;
    void *context;
    struct sw_account *account;
    /* ---- its own ---- */
    struct sw_buf *buf;
    struct sw_bytes pending; /**< to be copied as it is */
    struct sw_rebuild_item item;
    uint8_t *joined[3]; /**< content, resource, scope that came in several fields */
    size_t joined_capacity[3];
    uint32_t items_count;
    bool changed;
    int err;
};

void sw_rebuild_fini(struct sw_rebuild *rebuild);

/** @param batch       stays as it is
 * @param growth_size  bytes that an item is expected to grow by
 * @param ret_batch    another batch over the same bytes when nothing changed; items_count 0 when all
 *     items were dropped
 * @return 0, SW_E_NOMEM, SW_E_TOO_LARGE (above 4 GiB)
 */
SW_CHECKED int sw_rebuild_batch(
    struct sw_rebuild *rebuild,
    const struct sw_batch *batch,
    size_t growth_size,
    struct sw_batch **ret_batch
);

#endif
