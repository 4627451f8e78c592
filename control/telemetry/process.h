/* otelcol_process_*: what the process takes of the machine, read when the page is asked for.
 *
 * The names are the Collector's, whose heap is Go's. Ours is the allocator's: heap_alloc is what is
 * live, total_alloc what was ever handed out, total_sys what was taken from the system; huge pages
 * count in total_sys and in the resident set. Control thread. */
#ifndef SW_TELEMETRY_PROCESS_H
#define SW_TELEMETRY_PROCESS_H

#include "dataplane/base/metric.h"

#include <stdint.h>

struct sw_process; /**< what the readings share; lives until it is taken out */

/** Adds the series to the registry.
 *
 * @param started_ns  monotonic, where the uptime counts from
 * @return 0 or SW_E_NOMEM
 */
SW_CHECKED int sw_process_metrics_new(
    struct sw_metrics *metrics,
    uint64_t started_ns,
    struct sw_process **ret_process
);

/** Reads everything anew: once before a page is written, so that its values belong together. */
void sw_process_metrics_refresh(struct sw_process *process, uint64_t now_ns);

/** Takes the series out. NULL is legal. */
void sw_process_metrics_free(struct sw_process *process);

#endif
