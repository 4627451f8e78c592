#ifndef SW_WORKER_WORKER_INTERNAL_H
#define SW_WORKER_WORKER_INTERNAL_H

#include "dataplane/worker/worker.h"

#include <pthread.h>
#include <stdatomic.h>

enum worker_state {
    WORKER_BUSY,
    WORKER_IDLE,
    WORKER_SLEEP,
    WORKER_STATES_COUNT,
};

struct sw_worker {
    struct sw_core core; // owner: the worker's thread
    struct sw_worker_conf conf;
    struct sw_steps steps;
    struct sw_balance **balances;
    unsigned balances_count;
    struct sw_cell *time_cells[WORKER_STATES_COUNT];
    uint64_t time_ns[WORKER_STATES_COUNT];
    pthread_t thread;
    bool launched;
    _Alignas(64) _Atomic bool stop; // written by others, read by the thread
    _Atomic uint64_t last_turn_ns;  // written by the thread, read by others
};

/** Turns the crank until told to stop. */
void sw_worker_run_internal(struct sw_worker *worker);

#endif
