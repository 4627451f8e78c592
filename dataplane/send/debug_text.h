/* What the debug exporter shows, in the Collector's form (v0.159
 * exporter/debugexporter/internal/normal and internal/otlptext), made in slices. */
#ifndef SW_SEND_DEBUG_TEXT_H
#define SW_SEND_DEBUG_TEXT_H

#include "dataplane/otlp/batch.h"
#include "dataplane/otlp/metric.h"

/** Bytes that one record (resource, scope, span, metric, data point, log record) may take; the rest of it is left out, visibly. One
 * record is the smallest step of the work, so this bounds a step. */
#define SW_DEBUG_RECORD_MAX (64u << 10)

/** Where the text of a batch stands. Values on the owner's memory. */
struct sw_debug_text {
    const struct sw_batch *batch;
    struct sw_batch *joined; /**< a copy that can be walked, of a batch with a scope that was cut */
    struct sw_account *account;
    bool detailed;
    bool in_requests; /**< within a level-0 part */
    bool in_resource;
    bool in_scope;
    bool in_metric;
    uint32_t part;         /**< parts begun */
    uint32_t piece;        /**< within the ResourceSpans */
    uint32_t pieces_count; /**< of the ResourceSpans */
    const struct sw_piece *pieces;
    struct sw_piece message;  /**< a ResourceSpans of a level-0 part */
    uint32_t resource_number; /**< of the next one */
    uint32_t scope_number;
    uint32_t item_number;
    uint32_t point_number;
    struct sw_otlp_iter resources;
    struct sw_otlp_iter scopes;
    struct sw_otlp_iter items;
    struct sw_metric_view metric;
    struct sw_otlp_iter points;
};

/** The batch lives until sw_debug_text_fini.
 *
 * @param account  charged with the text
 * @return 0 or SW_E_NOMEM
 */
SW_CHECKED int sw_debug_text_init(
    struct sw_debug_text *text,
    const struct sw_batch *batch,
    bool detailed,
    struct sw_account *account
);
void sw_debug_text_fini(struct sw_debug_text *text);

/** The next records, until there are `most` bytes of text or no more records.
 *
 * @param ret_text  lines, each with its line feed; NULL when nothing is left
 * @return 0 or SW_E_NOMEM
 */
SW_CHECKED int
sw_debug_text_next(struct sw_debug_text *text, uint32_t most, struct sw_buf **ret_text);

/** ResourceSpans (ResourceMetrics, ResourceLogs) in a batch. */
uint32_t sw_debug_resources_count(const struct sw_batch *batch);

/** Metrics in a batch of them; of one whose resource was cut without memory to join it, none. */
uint32_t sw_debug_metrics_count(const struct sw_batch *batch);

#endif
