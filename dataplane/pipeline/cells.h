/* Cells of a component's metrics. Without a registry (unit tests), and for a family above the level of
 * the registry, cells are NULL and nothing is counted. */
#ifndef SW_PIPELINE_CELLS_H
#define SW_PIPELINE_CELLS_H

#include "dataplane/base/metric.h"
#include "dataplane/pipeline/stage.h"

/** The cell of a core in the series with these labels. Control thread.
 * @return 0 or SW_E_NOMEM; *ret_cell is NULL when there is no registry or nobody is shown this */
SW_CHECKED static inline int sw_cell_make(
    struct sw_metrics *metrics,
    unsigned core,
    const struct sw_metric_family *family,
    const struct sw_label *labels,
    unsigned labels_count,
    struct sw_cell **ret_cell
)
{
    *ret_cell = NULL;
    if (metrics == NULL || family->level > sw_metrics_level(metrics)) {
        return SW_OK;
    }
    struct sw_series *series = sw_metrics_series(metrics, family, labels, labels_count);
    if (series == NULL) {
        return SW_E_NOMEM;
    }
    *ret_cell = sw_series_cell(series, core);
    return SW_OK;
}

static inline void sw_count(struct sw_cell *cell, int64_t delta)
{
    if (cell != NULL) {
        sw_cell_add(cell, delta);
    }
}

static inline void sw_measure(struct sw_cell *cell, double value)
{
    if (cell != NULL) {
        sw_cell_record(cell, value);
    }
}

#endif
