#include "dataplane/base/core.h"

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
    }
    return count;
}
