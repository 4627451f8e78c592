#include "storage/batch/batch_cells.h"

#include "dataplane/pipeline/cells.h"

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

static const struct sw_metric_family size_triggers_family = {
    .name = "otelcol_processor_batch_batch_size_trigger_send",
    .help = "Number of times the batch was sent due to a size trigger [Development]",
    .unit = "{times}",
    .type = SW_COUNTER,
    .level = SW_LEVEL_NORMAL,
};
static const struct sw_metric_family timeout_triggers_family = {
    .name = "otelcol_processor_batch_timeout_trigger_send",
    .help = "Number of times the batch was sent due to a timeout trigger [Development]",
    .unit = "{times}",
    .type = SW_COUNTER,
    .level = SW_LEVEL_NORMAL,
};
static const struct sw_metric_family send_size_family = {
    .name = "otelcol_processor_batch_batch_send_size",
    .help = "Number of units in the batch [Development]",
    .unit = "{units}",
    .type = SW_HISTOGRAM,
    .level = SW_LEVEL_NORMAL,
    .bounds = size_bounds,
    .bounds_count = SW_ARRAY_SIZE(size_bounds),
};
static const struct sw_metric_family send_bytes_family = {
    .name = "otelcol_processor_batch_batch_send_size_bytes",
    .help = "Number of bytes in batch that was sent [Development]",
    .unit = "By",
    .type = SW_HISTOGRAM,
    .level = SW_LEVEL_DETAILED,
    .bounds = bytes_bounds,
    .bounds_count = SW_ARRAY_SIZE(bytes_bounds),
};

int sw_batch_cells_make(
    struct sw_batch_cells *cells,
    struct sw_metrics *metrics,
    const char *processor,
    unsigned core
)
{
    const struct sw_label label = {"processor", processor};
    const struct {
        const struct sw_metric_family *family;
        struct sw_cell **cell;
    } wanted[] = {
        {&size_triggers_family, &cells->size_triggers},
        {&timeout_triggers_family, &cells->timeout_triggers},
        {&send_size_family, &cells->send_size},
        {&send_bytes_family, &cells->send_bytes},
    };
    for (unsigned i = 0; i < SW_ARRAY_SIZE(wanted); i++) {
        int err = sw_cell_make(metrics, core, wanted[i].family, &label, 1, wanted[i].cell);
        if (err != SW_OK) {
            return err;
        }
    }
    return SW_OK;
}

void sw_batch_cells_count(
    const struct sw_batch_cells *cells,
    bool by_size,
    uint32_t items,
    uint64_t bytes
)
{
    sw_count(by_size ? cells->size_triggers : cells->timeout_triggers, 1);
    sw_measure(cells->send_size, items);
    sw_measure(cells->send_bytes, (double)bytes);
}
