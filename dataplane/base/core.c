#include "dataplane/base/core.h"

#include "dataplane/base/metric.h"

void sw_core_task_cancel(struct sw_core *core, struct sw_task *task)
{
    if (!task->queued) {
        return;
    }
    struct sw_task *before = NULL;
    struct sw_task *at = core->tasks_first;
    while (at != task) {
        SW_ASSERT(at != NULL);
        before = at;
        at = at->next;
    }
    if (before != NULL) {
        before->next = task->next;
    } else {
        core->tasks_first = task->next;
    }
    if (core->tasks_last == task) {
        core->tasks_last = before;
    }
    task->next = NULL;
    task->queued = false;
}

unsigned sw_core_run_tasks(struct sw_core *core)
{
    // Counted first: a task that puts itself back waits for the next turn.
    unsigned waiting = 0;
    for (struct sw_task *task = core->tasks_first; task != NULL; task = task->next) {
        waiting++;
    }
    unsigned count = 0;
    for (; count < waiting && core->tasks_first != NULL; count++) {
        struct sw_task *task = core->tasks_first;
        sw_core_task_cancel(core, task);
        if (task->run(task, core->now_ns)) {
            sw_core_task(core, task);
        }
        sw_core_step_done(core);
    }
    return count;
}

#define STEP_LIMIT_NS 1000000u

void sw_core_step_begin(struct sw_core *core)
{
    if (core->steps != NULL) {
        core->steps->began_ns = core->clock_ns(core->clock);
    }
}

void sw_core_step_done_internal(struct sw_core *core)
{
    struct sw_steps *steps = core->steps;
    uint64_t now_ns = core->clock_ns(core->clock);
    uint64_t took_ns = now_ns - steps->began_ns;
    steps->began_ns = now_ns;
    // Asking for CPU time is a system call, so only a step that looks too long pays for it.
    if (SW_UNLIKELY(took_ns > STEP_LIMIT_NS) && steps->cpu_ns != NULL) {
        uint64_t cpu_ns = steps->cpu_ns();
        took_ns = SW_MIN(took_ns, cpu_ns - steps->turn_cpu_ns);
        steps->turn_cpu_ns = cpu_ns;
    }
    steps->longest_ns = SW_MAX(steps->longest_ns, took_ns);
    if (steps->seconds != NULL) {
        sw_cell_record(steps->seconds, (double)took_ns * 1e-9);
    }
}
