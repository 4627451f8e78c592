/* What the queue shows on the metrics page. */
#include "dataplane/pipeline/cells.h"
#include "storage/queue/queue_internal.h"

// clang-format off
static const double size_bounds[] = {
    10, 25, 50, 75, 100, 250, 500, 750, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000,
    10000, 20000, 30000, 50000, 100000,
};
static const double bytes_bounds[] = {
    128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144, 524288, 1048576,
    2097152, 4194304, 8388608, 16777216,
};
// clang-format on

static const struct sw_metric_family size_family = {
    .name = "otelcol_exporter_queue_size",
    .help = "Current size of the retry queue (in batches). [Alpha]",
    .unit = "{batches}",
    .type = SW_GAUGE,
    .level = SW_LEVEL_BASIC,
};
static const struct sw_metric_family capacity_family = {
    .name = "otelcol_exporter_queue_capacity",
    .help = "Fixed capacity of the retry queue (in batches). [Alpha]",
    .unit = "{batches}",
    .type = SW_GAUGE,
    .level = SW_LEVEL_BASIC,
};
static const struct sw_metric_family failed_families[SW_SIGNALS_COUNT] = {
    {
        .name = "otelcol_exporter_enqueue_failed_spans",
        .help = "Number of spans failed to be added to the sending queue. [Alpha]",
        .unit = "{spans}",
        .type = SW_COUNTER,
        .level = SW_LEVEL_BASIC,
    },
    {
        .name = "otelcol_exporter_enqueue_failed_metric_points",
        .help = "Number of metric points failed to be added to the sending queue. [Alpha]",
        .unit = "{datapoints}",
        .type = SW_COUNTER,
        .level = SW_LEVEL_BASIC,
    },
    {
        .name = "otelcol_exporter_enqueue_failed_log_records",
        .help = "Number of log records failed to be added to the sending queue. [Alpha]",
        .unit = "{records}",
        .type = SW_COUNTER,
        .level = SW_LEVEL_BASIC,
    },
};
static const struct sw_metric_family enqueue_size_family = {
    .name = "otelcol_exporter_enqueue_size",
    .help = "Number of units in the enqueued request [Development]",
    .unit = "{units}",
    .type = SW_HISTOGRAM,
    .level = SW_LEVEL_DETAILED,
    .bounds = size_bounds,
    .bounds_count = SW_ARRAY_SIZE(size_bounds),
};
static const struct sw_metric_family enqueue_bytes_family = {
    .name = "otelcol_exporter_enqueue_size_bytes",
    .help = "Number of bytes in the enqueued request [Development]",
    .unit = "By",
    .type = SW_HISTOGRAM,
    .level = SW_LEVEL_DETAILED,
    .bounds = bytes_bounds,
    .bounds_count = SW_ARRAY_SIZE(bytes_bounds),
};

/* Ours: what a queue in a store has met. */
static const struct sw_metric_family stored_families[] = {
    {
        .name = "spanweir_exporter_queue_restored_requests",
        .help = "Requests that were in the store at the start.",
        .unit = "{request}",
        .type = SW_COUNTER,
        .level = SW_LEVEL_BASIC,
    },
    {
        .name = "spanweir_exporter_queue_redelivered_requests",
        .help = "Requests that were read to be sent or joined when the process before ended, and "
                "perhaps sent: they are sent again.",
        .unit = "{request}",
        .type = SW_COUNTER,
        .level = SW_LEVEL_BASIC,
    },
    {
        .name = "spanweir_exporter_queue_salvaged_requests",
        .help = "Requests found in a damaged file; some may have been delivered before.",
        .unit = "{request}",
        .type = SW_COUNTER,
        .level = SW_LEVEL_BASIC,
    },
    {
        .name = "spanweir_exporter_queue_damaged_requests",
        .help = "Requests whose record could not be read; it was put aside.",
        .unit = "{request}",
        .type = SW_COUNTER,
        .level = SW_LEVEL_BASIC,
    },
};

static int make_stored(
    struct queue *queue,
    const struct sw_stage_env *env,
    const struct sw_label *labels,
    unsigned labels_count
)
{
    struct stored *stored = &queue->stored;
    struct sw_cell **const cells[] = {
        &stored->restored,
        &stored->redelivered,
        &stored->salvaged,
        &stored->damaged,
    };
    int err = SW_OK;
    for (unsigned i = 0; err == SW_OK && i < SW_ARRAY_SIZE(cells); i++) {
        unsigned core = queue->stage.core->index;
        err = sw_cell_make(env->metrics, core, &stored_families[i], labels, labels_count, cells[i]);
        sw_count(*cells[i], 0); // shown from the start
    }
    return err;
}

// In full batches, where requests are parts of them.
static double read_size(void *context)
{
    struct sw_queue_pool *pool = context;
    int64_t used = sw_queue_pool_used(pool);
    return (double)((used + pool->per_request - 1) / pool->per_request);
}

int sw_queue_pool_metrics_make(struct sw_queue_pool *pool, const struct sw_stage_env *env)
{
    const struct sw_label labels[] = {
        {"data_type", sw_signal_name(env->signal)},
        {"exporter", env->id},
    };
    if (pool->per_request > 1 && env->metrics != NULL) {
        const struct sw_label size_labels[] = {labels[1], labels[0]};
        int err = sw_metrics_observe(env->metrics, &size_family, size_labels, 2, read_size, pool);
        if (err != SW_OK) {
            return err;
        }
    }
    return sw_cell_make(
        env->metrics, env->cores_count, &capacity_family, labels, 2, &pool->capacity_cell
    );
}

int sw_queue_metrics_make(struct queue *queue, const struct sw_stage_env *env)
{
    const struct sw_label labels[] = {
        {"exporter", env->id},
        {"data_type", sw_signal_name(env->signal)},
    };
    const struct {
        const struct sw_metric_family *family;
        struct sw_cell **cell;
        unsigned labels_count;
    } wanted[] = {
        {&failed_families[env->signal], &queue->failed, 1},
        {&enqueue_size_family, &queue->enqueue_size, 1},
        {&enqueue_bytes_family, &queue->enqueue_bytes, 1},
    };
    unsigned core = queue->stage.core->index;
    for (unsigned i = 0; i < SW_ARRAY_SIZE(wanted); i++) {
        int made = sw_cell_make(
            env->metrics, core, wanted[i].family, labels, wanted[i].labels_count, wanted[i].cell
        );
        if (made != SW_OK) {
            return made;
        }
    }
    int err = SW_OK;
    if (queue->pool->per_request == 1) { // else the pool shows it
        err = sw_cell_make(env->metrics, core, &size_family, labels, 2, &queue->size);
        sw_count(queue->size, 0); // shown from the start
    }
    if (err == SW_OK && queue->pool->merge != NULL && queue->pool->merge->processor != NULL) {
        err =
            sw_batch_cells_make(&queue->merges, env->metrics, queue->pool->merge->processor, core);
    }
    if (err != SW_OK) {
        return err;
    }
    return queue->pool->stored != NULL ? make_stored(queue, env, labels, 2) : SW_OK;
}
