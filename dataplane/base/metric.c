#include "dataplane/base/metric.h"

#include "dataplane/base/assert.h"
#include "dataplane/base/mem.h"

#include <math.h>

#define LINE_BYTES 64

/* A series lives as long as the registry: cores keep pointers to its cells. */
struct sw_series {
    struct sw_series *next; // in order: family name, then labels
    const struct sw_metric_family *family;
    unsigned labels_count;
    struct sw_label *labels; // in name order; they and their texts lie behind this struct
    // What is counted by the cores: cores_count + 1 cells, `stride` apart.
    uint8_t *cells;
    size_t stride;
    // What is computed when it is asked for.
    sw_metric_read_fn read;
    void *context;
};

struct sw_metrics {
    unsigned cells_count; // cores and the control thread
    enum sw_metric_level level;
    struct sw_series *first;
    uint64_t *buckets; // for sw_metrics_each: as many as the widest histogram has
    unsigned buckets_max;
};

int sw_metrics_new(unsigned cores_count, struct sw_metrics **ret_metrics)
{
    struct sw_metrics *metrics = sw_zalloc(sizeof(*metrics));
    if (metrics == NULL) {
        return SW_E_NOMEM;
    }
    metrics->cells_count = cores_count + 1;
    metrics->level = SW_LEVEL_DETAILED;
    *ret_metrics = metrics;
    return SW_OK;
}

void sw_metrics_set_level(struct sw_metrics *metrics, enum sw_metric_level level)
{
    metrics->level = level;
}

enum sw_metric_level sw_metrics_level(const struct sw_metrics *metrics)
{
    return metrics->level;
}

static void free_series(struct sw_series *series)
{
    sw_free(series->cells);
    sw_free(series);
}

void sw_metrics_free(struct sw_metrics *metrics)
{
    if (metrics == NULL) {
        return;
    }
    while (metrics->first != NULL) {
        struct sw_series *series = metrics->first;
        metrics->first = series->next;
        free_series(series);
    }
    sw_free(metrics->buckets);
    sw_free(metrics);
}

/* ---- finding and making ---- */

// A copy of family and labels, in one piece of memory.
static struct sw_series *new_series(
    const struct sw_metric_family *family,
    const struct sw_label *labels,
    unsigned labels_count
)
{
    size_t size = sizeof(struct sw_series) + labels_count * sizeof(struct sw_label);
    for (unsigned i = 0; i < labels_count; i++) {
        size += strlen(labels[i].name) + 1 + strlen(labels[i].value) + 1;
    }
    struct sw_series *series = sw_zalloc(size);
    if (series == NULL) {
        return NULL;
    }
    series->family = family;
    series->labels = (struct sw_label *)(series + 1);
    series->labels_count = labels_count;
    char *text = (char *)(series->labels + labels_count);
    for (unsigned i = 0; i < labels_count; i++) {
        unsigned at = i; // by insertion: labels are few
        while (at > 0 && strcmp(series->labels[at - 1].name, labels[i].name) > 0) {
            series->labels[at] = series->labels[at - 1];
            at--;
        }
        series->labels[at].name = text;
        text = stpcpy(text, labels[i].name) + 1;
        series->labels[at].value = text;
        text = stpcpy(text, labels[i].value) + 1;
    }
    return series;
}

static int compare(const struct sw_series *a, const struct sw_series *b)
{
    int order = strcmp(a->family->name, b->family->name);
    for (unsigned i = 0; order == 0 && i < SW_MIN(a->labels_count, b->labels_count); i++) {
        order = strcmp(a->labels[i].name, b->labels[i].name);
        order = order == 0 ? strcmp(a->labels[i].value, b->labels[i].value) : order;
    }
    return order != 0 ? order : (int)a->labels_count - (int)b->labels_count;
}

// @return the link at which a series stands or would stand
static struct sw_series **find_link(struct sw_metrics *metrics, const struct sw_series *series)
{
    struct sw_series **link = &metrics->first;
    while (*link != NULL && compare(*link, series) < 0) {
        link = &(*link)->next;
    }
    return link;
}

static size_t buckets_count(const struct sw_metric_family *family)
{
    return family->type == SW_HISTOGRAM ? family->bounds_count + 1 : 0;
}

static int make_room_for_buckets(struct sw_metrics *metrics, size_t count)
{
    if (count > metrics->buckets_max) {
        uint64_t *buckets = sw_realloc(metrics->buckets, count * sizeof(*buckets));
        if (buckets == NULL) {
            return SW_E_NOMEM;
        }
        metrics->buckets = buckets;
        metrics->buckets_max = (unsigned)count;
    }
    return SW_OK;
}

// Each core's cell, its buckets included, fills cache lines of its own: no core slows another.
static int make_cells(struct sw_metrics *metrics, struct sw_series *series)
{
    const struct sw_metric_family *family = series->family;
    size_t count = buckets_count(family);
    size_t size = sizeof(struct sw_cell) + count * sizeof(uint64_t);
    series->stride = (size + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
    series->cells = sw_aligned_alloc(LINE_BYTES, series->stride * metrics->cells_count);
    if (series->cells == NULL) {
        return SW_E_NOMEM;
    }
    memset(series->cells, 0, series->stride * metrics->cells_count);
    for (unsigned i = 0; i < metrics->cells_count; i++) {
        struct sw_cell *cell = sw_series_cell(series, i);
        cell->family = family;
        cell->bounds_count = family->type == SW_HISTOGRAM ? family->bounds_count : 0;
        cell->buckets = (_Atomic uint64_t *)(cell + 1);
    }
    return SW_OK;
}

struct sw_series *sw_metrics_series(
    struct sw_metrics *metrics,
    const struct sw_metric_family *family,
    const struct sw_label *labels,
    unsigned labels_count
)
{
    struct sw_series *series = new_series(family, labels, labels_count);
    if (series == NULL) {
        return NULL;
    }
    struct sw_series **link = find_link(metrics, series);
    if (*link != NULL && compare(*link, series) == 0) {
        free_series(series);
        SW_ASSERT((*link)->read == NULL);
        SW_ASSERT((*link)->family->type == family->type);
        return *link;
    }
    if (make_room_for_buckets(metrics, buckets_count(family)) != SW_OK
        || make_cells(metrics, series) != SW_OK) {
        free_series(series);
        return NULL;
    }
    series->next = *link;
    *link = series;
    return series;
}

struct sw_cell *sw_series_cell(struct sw_series *series, unsigned core)
{
    return (struct sw_cell *)(series->cells + core * series->stride);
}

int sw_metrics_observe(
    struct sw_metrics *metrics,
    const struct sw_metric_family *family,
    const struct sw_label *labels,
    unsigned labels_count,
    sw_metric_read_fn read,
    void *context
)
{
    SW_ASSERT(read != NULL && family->type != SW_HISTOGRAM);
    struct sw_series *series = new_series(family, labels, labels_count);
    if (series == NULL) {
        return SW_E_NOMEM;
    }
    struct sw_series **link = find_link(metrics, series);
    if (*link != NULL && compare(*link, series) == 0) {
        free_series(series);
        return SW_E_EXISTS;
    }
    series->read = read;
    series->context = context;
    series->next = *link;
    *link = series;
    return SW_OK;
}

void sw_metrics_unobserve(struct sw_metrics *metrics, const void *context)
{
    struct sw_series **link = &metrics->first;
    while (*link != NULL) {
        struct sw_series *series = *link;
        if (series->read != NULL && series->context == context) {
            *link = series->next;
            free_series(series);
        } else {
            link = &series->next;
        }
    }
}

/* ---- recording ---- */

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static void add_one(_Atomic uint64_t *counter)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + 1, memory_order_relaxed);
}

void sw_cell_record(struct sw_cell *cell, double value)
{
    const double *bounds = cell->family->bounds;
    uint32_t low = 0;
    uint32_t high = cell->bounds_count;
    while (low < high) { // first bound that is not below the value
        uint32_t middle = (low + high) / 2;
        if (bounds[middle] < value) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    add_one(&cell->buckets[low]);
    double sum = double_of(atomic_load_explicit(&cell->sum, memory_order_relaxed));
    atomic_store_explicit(&cell->sum, bits_of(sum + value), memory_order_relaxed);
    add_one(&cell->value);
    atomic_store_explicit(&cell->recorded, 1, memory_order_relaxed);
}

/* ---- reading ---- */

static double value_of(const struct sw_cell *cell)
{
    uint64_t value = atomic_load_explicit(&cell->value, memory_order_relaxed);
    if (cell->family->is_double) {
        return double_of(value);
    }
    return cell->family->type == SW_GAUGE ? (double)(int64_t)value : (double)value;
}

static void
sum_histogram(struct sw_metrics *metrics, struct sw_cell *cell, struct sw_metric_sample *sample)
{
    sample->sum += double_of(atomic_load_explicit(&cell->sum, memory_order_relaxed));
    for (uint32_t i = 0; i <= cell->bounds_count; i++) {
        uint64_t count = atomic_load_explicit(&cell->buckets[i], memory_order_relaxed);
        metrics->buckets[i] += count;
        // Not the cell's own count: the core may be between the two, and they must agree.
        sample->value += (double)count;
    }
}

// @return false when nothing was recorded yet
static bool
sum_cells(struct sw_metrics *metrics, struct sw_series *series, struct sw_metric_sample *sample)
{
    bool recorded = false;
    size_t count = buckets_count(series->family);
    if (count > 0) {
        memset(metrics->buckets, 0, count * sizeof(*metrics->buckets));
        sample->buckets = metrics->buckets;
    }
    for (unsigned i = 0; i < metrics->cells_count; i++) {
        struct sw_cell *cell = sw_series_cell(series, i);
        if (!atomic_load_explicit(&cell->recorded, memory_order_relaxed)) {
            continue;
        }
        recorded = true;
        if (count > 0) {
            sum_histogram(metrics, cell, sample);
        } else {
            sample->value += value_of(cell);
        }
    }
    return recorded;
}

void sw_metrics_each(
    struct sw_metrics *metrics,
    void (*visit)(void *context, const struct sw_metric_sample *sample),
    void *context
)
{
    for (struct sw_series *series = metrics->first; series != NULL; series = series->next) {
        struct sw_metric_sample sample = {
            .family = series->family,
            .labels = series->labels,
            .labels_count = series->labels_count,
        };
        bool shown;
        if (series->read != NULL) {
            sample.value = series->read(series->context);
            shown = !isnan(sample.value);
        } else {
            shown = sum_cells(metrics, series, &sample);
        }
        if (shown) {
            visit(context, &sample);
        }
    }
}
