#include "perf/loadgen/schedule.h"

#include "perf/loadgen/common.h"

#include <stdlib.h>

static void late_push(struct sw_lg_schedule *schedule, uint64_t due_ns, uint64_t span)
{
    if (schedule->late_tail - schedule->late_head == schedule->late_cap) {
        uint64_t cap = schedule->late_cap ? schedule->late_cap * 2 : 1024;
        struct sw_lg_late *ring = sw_lg_alloc(cap, sizeof(*ring));
        for (uint64_t i = schedule->late_head; i < schedule->late_tail; i++) {
            ring[i & (cap - 1)] = schedule->late[i & (schedule->late_cap - 1)];
        }
        free(schedule->late);
        schedule->late = ring;
        schedule->late_cap = cap;
    }
    schedule->late[schedule->late_tail++ & (schedule->late_cap - 1)] =
        (struct sw_lg_late){.due_ns = due_ns, .span = span};
}

// The last step in which a span of the last trace may stand.
bool sw_lg_schedule_only_late(const struct sw_lg_schedule *schedule)
{
    return schedule->traces == 0
           || schedule->step
                  >= schedule->traces + (schedule->shape.spans_per_trace - 1) * schedule->distance;
}

bool sw_lg_schedule_finished(const struct sw_lg_schedule *schedule)
{
    return sw_lg_schedule_only_late(schedule) && schedule->late_head == schedule->late_tail;
}

uint64_t sw_lg_schedule_next_due(const struct sw_lg_schedule *schedule)
{
    return schedule->late_head == schedule->late_tail
               ? UINT64_MAX
               : schedule->late[schedule->late_head & (schedule->late_cap - 1)].due_ns;
}

void sw_lg_schedule_stop(struct sw_lg_schedule *schedule)
{
    uint64_t begun = schedule->step + (schedule->index ? 1 : 0);
    if (begun < schedule->traces) {
        schedule->traces = begun;
    }
}

size_t
sw_lg_schedule_take(struct sw_lg_schedule *schedule, uint64_t now_ns, uint64_t *spans, size_t max)
{
    size_t count = 0;
    while (count < max && sw_lg_schedule_next_due(schedule) <= now_ns) {
        spans[count++] = schedule->late[schedule->late_head++ & (schedule->late_cap - 1)].span;
    }
    while (count < max && !sw_lg_schedule_only_late(schedule)) {
        uint64_t back = schedule->index * schedule->distance;
        uint64_t trace = schedule->step - back;
        uint64_t span = SW_LG_SPAN(trace, (uint64_t)schedule->index);
        bool exists = schedule->step >= back && trace < schedule->traces;
        if (++schedule->index == schedule->shape.spans_per_trace) {
            schedule->index = 0;
            schedule->step++;
        }
        if (!exists) {
            continue;
        }
        if (schedule->shape.late_limit && sw_lg_is_late_span(&schedule->shape, span)) {
            late_push(schedule, now_ns + schedule->late_ns, span);
            continue;
        }
        spans[count++] = span;
    }
    return count;
}
