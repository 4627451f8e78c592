/* What the batch processor shows of the batches it made, also where the queues behind it make them. */
#ifndef SW_BATCH_BATCH_CELLS_H
#define SW_BATCH_BATCH_CELLS_H

#include "dataplane/pipeline/stage.h"

/** One core's. Zeroed: nothing is counted. */
struct sw_batch_cells {
    struct sw_cell *size_triggers;
    struct sw_cell *timeout_triggers;
    struct sw_cell *send_size;
    struct sw_cell *send_bytes;
};

/** @return 0 or SW_E_NOMEM */
SW_CHECKED int sw_batch_cells_make(
    struct sw_batch_cells *cells,
    struct sw_metrics *metrics,
    const char *processor,
    unsigned core
);

/** A batch went on, because it was large enough or because time had come. */
void sw_batch_cells_count(
    const struct sw_batch_cells *cells,
    bool by_size,
    uint32_t items,
    uint64_t bytes
);

#endif
