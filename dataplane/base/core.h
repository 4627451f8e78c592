/* What one core (worker) offers to the stages and connections that live on it: time, timers, work
 * to be continued, randomness, memory account, messages, streams. All members are the owner core's
 * alone unless a line says otherwise. Tests make one by hand and step it in virtual time. */
#ifndef SW_BASE_CORE_H
#define SW_BASE_CORE_H

#include "dataplane/base/buf.h"
#include "dataplane/base/rand.h"
#include "dataplane/base/timer.h"

#include <stdbool.h>
#include <stdint.h>

#define SW_CORES_MAX 64

struct sw_events;
struct sw_mailbox;
struct sw_net;
struct sw_core;

/** Work that was begun and goes on in slices, none longer than 1 ms. The node lives in its owner. */
struct sw_task {
    /** One slice. @return true when there is more to do (stays on the list) */
    bool (*run)(struct sw_task *task, uint64_t now_ns);
    struct sw_task *next;
    bool queued;
};

struct sw_core {
    uint16_t index;       /**< 0 … cores_count-1 */
    uint16_t cores_count; /**< workers of the process */
    uint64_t now_ns;      /**< monotonic, set once a turn */
    uint64_t wall_ns;     /**< Unix time, set once a turn */
    struct sw_timers timers;
    struct sw_rand rand;
    struct sw_account *account;  /**< the process's; any thread */
    struct sw_mailbox *mailbox;  /**< this core's (mailbox.h) */
    struct sw_events *events;    /**< what people are to be told (event.h); NULL in tests */
    struct sw_net *net;          /**< streams of this core (l4_stream/stream.h) */
    struct sw_task *tasks_first; /**< run in order, each once a turn */
    struct sw_task *tasks_last;
    uint64_t (*clock_ns)(void *clock); /**< injected clock, for measuring inside a turn */
    void *clock;
    struct sw_steps *steps; /**< measures the steps of a turn; NULL: not measured */
    /** Accepted connections that have ended here; written by the core, read by whoever deals new
     * connections to the core with the fewest. */
    _Atomic uint64_t accepted_ended_count;
};

/** The end of one step (a connection's bytes, a timer, a slice, a message): its length goes into the
 * histogram. The next step begins here. */
void sw_core_step_done_internal(struct sw_core *core);
static inline void sw_core_step_done(struct sw_core *core)
{
    if (core->steps != NULL) {
        sw_core_step_done_internal(core);
    }
}

/** A step begins now: after waiting, where nobody worked. */
void sw_core_step_begin(struct sw_core *core);

/** How long the steps of one core take. Wall time counts up to the CPU time that the thread really
 * had since its turn began: a worker that the system put aside did not stall by itself. */
struct sw_steps {
    uint64_t began_ns;
    uint64_t turn_cpu_ns;     /**< thread CPU time when the turn began */
    uint64_t (*cpu_ns)(void); /**< thread CPU time; NULL: wall time alone (tests) */
    struct sw_cell *seconds;  /**< spanweir_worker_step_seconds */
    uint64_t longest_ns;
};

/** Puts the task on the core's list unless it is there. */
static inline void sw_core_task(struct sw_core *core, struct sw_task *task)
{
    if (task->queued) {
        return;
    }
    task->queued = true;
    task->next = NULL;
    if (core->tasks_last != NULL) {
        core->tasks_last->next = task;
    } else {
        core->tasks_first = task;
    }
    core->tasks_last = task;
}

/** Takes a task off the list; one that is not on it is legal. */
void sw_core_task_cancel(struct sw_core *core, struct sw_task *task);

/** Runs each task that was on the list when the call began, once. @return slices run */
unsigned sw_core_run_tasks(struct sw_core *core);

#endif
