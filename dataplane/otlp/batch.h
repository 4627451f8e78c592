/* A batch: telemetry as byte ranges in reference-counted buffers.
 *
 * A batch is a list of parts; a part is a list of pieces (byte ranges).
 *
 *   level 0 part: its pieces, concatenated, are complete fields of an Export…ServiceRequest
 *                 (one or many ResourceSpans, tag and length included); what a request body is.
 *   level 1 part: its pieces, concatenated, are the content of ONE ResourceSpans; `head` holds the
 *                 tag and length that go in front. Each piece holds complete fields of it, but
 *                 where a scope was cut (sw_batch_split): its tag and length are a piece, its
 *                 content is the pieces behind, each with complete fields of the ScopeSpans; in it
 *                 the same holds for a metric that was cut, and in that for its Gauge, Sum, ...
 *
 * What is said of ResourceSpans and so on holds for ResourceMetrics and ResourceLogs as well.
 *
 * Concatenating all heads and pieces in order gives a valid request, so merging batches is joining
 * lists and writing one is writev. Nothing is re-encoded; unknown fields stay where they are.
 * A batch belongs to one core, and so do its buffers.
 */
#ifndef SW_OTLP_BATCH_H
#define SW_OTLP_BATCH_H

#include "dataplane/base/buf.h"
#include "dataplane/base/core.h"

#include <stdbool.h>
#include <stdint.h>

enum sw_signal {
    SW_TRACES,
    SW_METRICS,
    SW_LOGS,
    SW_SIGNALS_COUNT,
};

/** "traces", "metrics", "logs". */
const char *sw_signal_name(enum sw_signal signal);

#define SW_PART_HEAD_MAX 8

struct sw_part {
    uint32_t first_piece; /**< index into the batch's pieces */
    uint32_t pieces_count;
    uint32_t items_count; /**< spans, data points, log records */
    uint32_t bytes;       /**< of the pieces together */
    uint8_t level;        /**< 0 or 1 */
    uint8_t head_len;     /**< level 1: bytes of head; level 0: 0 */
    uint8_t head[SW_PART_HEAD_MAX];
};

/** Who sent it (client.h). NULL in a batch: nobody in particular. */
struct sw_client;

struct sw_batch {
    enum sw_signal signal;
    uint32_t items_count;
    uint64_t bytes; /**< of the encoded request: heads and pieces */
    struct sw_part *parts;
    uint32_t parts_count;
    uint32_t parts_capacity;
    struct sw_piece *pieces; /**< each holds a reference on its buffer */
    uint32_t pieces_count;
    uint32_t pieces_capacity;
    uint64_t arrived_ns; /**< core clock, when the oldest of it was received */
    /** Holds a reference. Copies, cuts and shares of the batch have it too; of two batches that are merged
     * the client stays if it is the same, else the result has none. */
    struct sw_client *client;
    struct sw_branch
        *branch; /**< whose books it stands in (pipeline/balance.h); set by the pipeline */
    struct sw_batch *next; /**< for the list of whoever owns it */
    uint64_t tag;          /**< likewise: a number of theirs; copies and cuts have none */
    struct sw_part parts_inline[2];
    struct sw_piece pieces_inline[4];
};

/** An empty batch of this core. NULL when out of memory. */
struct sw_batch *sw_batch_new(enum sw_signal signal);

/** Drops all references and frees. NULL is legal. */
void sw_batch_free(struct sw_batch *batch);

/** Adds a level-0 part of one piece; takes a reference of its own on buf.
 * @return 0, or SW_E_NOMEM (batch unchanged) */
SW_CHECKED int sw_batch_add_raw(
    struct sw_batch *batch,
    struct sw_buf *buf,
    const uint8_t *data,
    uint32_t len,
    uint32_t items_count
);

/** Begins a level-1 part (one ResourceSpans); pieces follow with sw_batch_add_piece, then
 * sw_batch_end_part writes its head. */
SW_CHECKED int sw_batch_begin_part(struct sw_batch *batch);
SW_CHECKED int
sw_batch_add_piece(struct sw_batch *batch, struct sw_buf *buf, const uint8_t *data, uint32_t len);
void sw_batch_end_part(struct sw_batch *batch, uint32_t items_count);

/** Moves all parts of `from` behind those of `into` and frees `from`. The earlier arrival counts.
 * @return 0, or SW_E_NOMEM (both unchanged) */
SW_CHECKED int sw_batch_merge(struct sw_batch *into, struct sw_batch *from);

/** Another batch over the same bytes (fan-out). NULL when out of memory. */
struct sw_batch *sw_batch_share(const struct sw_batch *batch);

/** A batch whose bytes lie in one buffer of their own, charged to account: for a part that must
 * wait without pinning the buffers of others. NULL when out of memory (batch unchanged). */
struct sw_batch *sw_batch_detach(const struct sw_batch *batch, struct sw_account *account);

/** Cuts the first `items` items off into a new batch of their own, in order, whole resources, scopes
 * and metrics where they fit, repeating what stands around the items of one that is cut: resource,
 * scope, schema URLs; a metric's name, description, unit, metadata, temporality (as the Collector's
 * batch processor, but that loses metadata). batch keeps the rest. 0 < items < batch->items_count.
 *
 * @param account  charged with the few bytes that are copied
 * @return 0, or SW_E_NOMEM (batch unchanged)
 */
SW_CHECKED int sw_batch_split(
    struct sw_batch *batch,
    uint32_t items,
    struct sw_account *account,
    struct sw_batch **ret_first
);

/** Writes the encoded request (batch->bytes bytes) to out. */
void sw_batch_copy_out(const struct sw_batch *batch, uint8_t *out);

/** The encoded request as ranges, in order: for writev, compression, HTTP/2 frames. */
struct sw_batch_cursor {
    const struct sw_batch *batch;
    uint32_t part;
    uint32_t piece; /**< within the part */
    bool head_done;
    uint32_t offset; /**< within the head or piece */
};
static inline void
sw_batch_cursor_init(struct sw_batch_cursor *cursor, const struct sw_batch *batch)
{
    *cursor = (struct sw_batch_cursor){.batch = batch};
}

/** The next range of at most `most` bytes; buf may be NULL (a head: copy it).
 * @return false at the end */
bool sw_batch_cursor_next(
    struct sw_batch_cursor *cursor,
    uint32_t most,
    struct sw_piece *ret_piece
);

#endif
