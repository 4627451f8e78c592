/** Which span is sent next.
 *
 * whole:   the spans of a trace follow one another (one request, or two neighbours).
 * scatter: step k of the run sends span i of trace k - i * distance for each i, so that every span
 *          of a trace lies in another request, hence on another connection and at another time.
 * Late spans leave the order and come `late_ns` after their place in it.
 */
#ifndef SW_PERF_LOADGEN_SCHEDULE_H
#define SW_PERF_LOADGEN_SCHEDULE_H

#include "perf/loadgen/ids.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sw_lg_late {
    uint64_t due_ns;
    uint64_t span;
};

struct sw_lg_schedule {
    struct sw_lg_shape shape;
    uint64_t traces;   // traces of the run; lowered by _stop
    uint64_t distance; // in traces; 0: whole
    uint64_t late_ns;

    uint64_t step;
    uint32_t index;
    struct sw_lg_late *late; // ring, power of two
    uint64_t late_head;
    uint64_t late_tail;
    uint64_t late_cap;
};

/** Fills spans[] with up to max spans that may be sent at now; returns how many, 0 when nothing is
 * left but late spans that are not due yet (see _next_due) or nothing at all (see _finished). */
size_t
sw_lg_schedule_take(struct sw_lg_schedule *schedule, uint64_t now_ns, uint64_t *spans, size_t max);

/** No new traces from here on; those begun are completed. */
void sw_lg_schedule_stop(struct sw_lg_schedule *schedule);

/** True when only late spans are still to come. */
bool sw_lg_schedule_only_late(const struct sw_lg_schedule *schedule);

bool sw_lg_schedule_finished(const struct sw_lg_schedule *schedule);

/** When the oldest late span is due; UINT64_MAX without one. */
uint64_t sw_lg_schedule_next_due(const struct sw_lg_schedule *schedule);

#endif
