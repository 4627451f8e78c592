/* Counters, gauges and histograms that the data plane writes and the control thread reads.
 *
 * A component declares its families as constants, makes its series at build time (control thread,
 * before the cores run) and gets one cell per core. A core adds to its own cell with plain relaxed
 * stores; the page sums the cells. A series is shown only after its first recording, as the
 * Collector's SDK does, hence sw_cell_add(cell, 0) where the Collector records a zero.
 */
#ifndef SW_BASE_METRIC_H
#define SW_BASE_METRIC_H

#include "dataplane/base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum sw_metric_type {
    SW_COUNTER,
    SW_GAUGE, /**< last value or up-down; per-core cells are summed */
    SW_HISTOGRAM,
};

/** From which `service::telemetry::metrics::level` on a family is shown. */
enum sw_metric_level {
    SW_LEVEL_BASIC = 1,
    SW_LEVEL_NORMAL,
    SW_LEVEL_DETAILED,
};

struct sw_metric_family {
    const char
        *name; /**< bare, e.g. "otelcol_exporter_sent_spans"; dots as the Collector has them */
    const char *help; /**< with the stability in brackets at the end, as the Collector prints it */
    const char *unit; /**< "s", "By", "ms", "{spans}", … decides the suffix in suffix mode */
    enum sw_metric_type type;
    enum sw_metric_level level;
    const double *bounds; /**< histogram: upper bounds, rising */
    unsigned bounds_count;
    bool is_double; /**< values are doubles stored as bits (e.g. seconds) */
};

struct sw_label {
    const char *name; /**< OTel spelling ("otel.signal") */
    const char *value;
};

struct sw_metrics; /**< all series of the process */
struct sw_series;

/** One core's part of a series. Writer: that core alone. Readers: any. */
struct sw_cell {
    _Atomic uint64_t value; /**< counter, gauge (two's complement); histogram: count */
    _Atomic uint64_t sum;   /**< histogram: bits of a double, or integer sum */
    _Atomic uint32_t recorded;
    uint32_t bounds_count;
    const struct sw_metric_family *family;
    _Atomic uint64_t *buckets; /**< histogram: bounds_count + 1 */
};

/** Registry for `cores_count` cores; one extra cell index (cores_count) is the control thread's. */
SW_CHECKED int sw_metrics_new(unsigned cores_count, struct sw_metrics **ret_metrics);
void sw_metrics_free(struct sw_metrics *metrics);

/** From now on families above this level get no cells, so that nobody pays for what no page shows.
 * Detailed at first. Control thread, before series are made. */
void sw_metrics_set_level(struct sw_metrics *metrics, enum sw_metric_level level);
enum sw_metric_level sw_metrics_level(const struct sw_metrics *metrics);

/** Finds or makes the series of a family with these labels (copied; their order does not matter).
 * Families are the same when their names are. Control thread, also while the cores run.
 * @return NULL when out of memory */
struct sw_series *sw_metrics_series(
    struct sw_metrics *metrics,
    const struct sw_metric_family *family,
    const struct sw_label *labels,
    unsigned labels_count
);

/** The cell of a core; valid as long as the registry. */
struct sw_cell *sw_series_cell(struct sw_series *series, unsigned core);

/** Counter or up-down gauge: adds (delta may be negative for a gauge). Owner core. */
static inline void sw_cell_add(struct sw_cell *cell, int64_t delta)
{
    uint64_t value = atomic_load_explicit(&cell->value, memory_order_relaxed);
    atomic_store_explicit(&cell->value, value + (uint64_t)delta, memory_order_relaxed);
    atomic_store_explicit(&cell->recorded, 1, memory_order_relaxed);
}

/** Gauge: sets this core's value. Owner core. */
static inline void sw_cell_set(struct sw_cell *cell, int64_t value)
{
    atomic_store_explicit(&cell->value, (uint64_t)value, memory_order_relaxed);
    atomic_store_explicit(&cell->recorded, 1, memory_order_relaxed);
}

/** As sw_cell_add and sw_cell_set, for families that are doubles. Owner core. */
static inline void sw_cell_set_double(struct sw_cell *cell, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    atomic_store_explicit(&cell->value, bits, memory_order_relaxed);
    atomic_store_explicit(&cell->recorded, 1, memory_order_relaxed);
}

static inline void sw_cell_add_double(struct sw_cell *cell, double delta)
{
    uint64_t bits = atomic_load_explicit(&cell->value, memory_order_relaxed);
    double value;
    memcpy(&value, &bits, sizeof(value));
    sw_cell_set_double(cell, value + delta);
}

/** Histogram: records one value. Owner core. */
void sw_cell_record(struct sw_cell *cell, double value);

/** A family that is computed when the page is asked for (process metrics, queue sizes out of shared
 * atomics). `read` runs on the control thread; NaN: nothing to show now. A counter or a gauge. */
typedef double (*sw_metric_read_fn)(void *context);
SW_CHECKED int sw_metrics_observe(
    struct sw_metrics *metrics,
    const struct sw_metric_family *family,
    const struct sw_label *labels,
    unsigned labels_count,
    sw_metric_read_fn read,
    void *context
);

/** Forgets all that was observed with this context, before the context goes. Control thread. */
void sw_metrics_unobserve(struct sw_metrics *metrics, const void *context);

struct sw_metric_sample {
    const struct sw_metric_family *family;
    const struct sw_label *labels; /**< in name order */
    unsigned labels_count;
    double value; /**< summed over the cores; histogram: count, the sum of the buckets */
    double sum;
    const uint64_t *buckets; /**< summed, not cumulative; bounds_count + 1 */
};

/** Walks all series that were recorded, families in name order; control thread. For the page writer.
 * The sample and what it points to are borrowed until visit returns. */
void sw_metrics_each(
    struct sw_metrics *metrics,
    void (*visit)(void *context, const struct sw_metric_sample *sample),
    void *context
);

#endif
