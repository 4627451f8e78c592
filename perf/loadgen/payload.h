/** Metrics and logs: requests that are built once. Their items have no identity of their own, so
 * they are counted, not recorded one by one. */
#ifndef SW_PERF_LOADGEN_PAYLOAD_H
#define SW_PERF_LOADGEN_PAYLOAD_H

#include "perf/loadgen/signal.h"
#include "perf/loadgen/template.h"

/** Appends an ExportMetricsServiceRequest with `count` data points, or an ExportLogsServiceRequest
 * with as many records, dealt to form->resources. `number` tells requests apart. Records come to
 * about form->span_size bytes; data points have the size of their kind. */
void sw_lg_payload_metrics(
    struct sw_lg_bytes *out,
    const struct sw_lg_form *form,
    uint32_t count,
    uint64_t epoch_ns,
    uint32_t number
);
void sw_lg_payload_logs(
    struct sw_lg_bytes *out,
    const struct sw_lg_form *form,
    uint32_t count,
    uint64_t epoch_ns,
    uint32_t number
);

#endif
