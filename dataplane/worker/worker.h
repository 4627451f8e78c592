/* One worker: the crank that a core turns, and the thread around it.
 *
 * sw_worker_turn is a plain function of the worker and the time, so tests and the simulator step one
 * by hand; sw_worker_launch only puts a thread around it.
 */
#ifndef SW_WORKER_WORKER_H
#define SW_WORKER_WORKER_H

#include "dataplane/base/core.h"
#include "dataplane/base/mailbox.h"
#include "dataplane/base/metric.h"
#include "dataplane/base/snapshot.h"
#include "dataplane/l4_stream/stream.h"
#include "dataplane/pipeline/balance.h"

#include <stdbool.h>
#include <stdint.h>

enum sw_worker_idle {
    SW_WORKER_ADAPTIVE,  /**< a few empty turns, then sleeps in epoll_wait */
    SW_WORKER_BUSY,      /**< never sleeps */
    SW_WORKER_INTERRUPT, /**< sleeps at once */
};

struct sw_worker_conf {
    unsigned index;
    unsigned cores_count;
    struct sw_post *post; /**< mailbox `index` becomes the worker's */
    struct sw_quiet *quiet;
    struct sw_account *account;
    struct sw_metrics *metrics; /**< NULL: not measured (tests) */
    enum sw_worker_idle idle;
    uint64_t seed;
    int cpu; /**< pinned to it; -1: wherever the system likes */
    /** Injected time; NULL: the real clocks. */
    uint64_t (*clock_ns)(void *clock);
    uint64_t (*wall_ns)(void *clock);
    void *clock;
};

struct sw_worker;

/** Control thread. The worker has no streams until a net is set: kernel sockets unless the test
 * gives its own. @return 0, SW_E_NOMEM, SW_E_SYSTEM */
SW_CHECKED int sw_worker_new(const struct sw_worker_conf *conf, struct sw_worker **ret_worker);

/** The thread has ended. NULL is legal. */
void sw_worker_free(struct sw_worker *worker);

struct sw_core *sw_worker_core(struct sw_worker *worker);
struct sw_events *sw_worker_events(struct sw_worker *worker);

/** Books that this worker publishes at the end of each turn; before the launch. */
SW_CHECKED int sw_worker_add_balance(struct sw_worker *worker, struct sw_balance *balance);
/** Forgets all of them (a generation went). Thread ended. */
void sw_worker_clear_balances(struct sw_worker *worker);

/** One turn: messages, timers, slices, streams; then the books. Does not sleep unless wait_ms != 0.
 *
 * @return pieces of work done
 */
unsigned sw_worker_turn(struct sw_worker *worker, int wait_ms);

/** Starts the thread. @return 0 or SW_E_SYSTEM */
SW_CHECKED int sw_worker_launch(struct sw_worker *worker);

/** Tells the thread to end and waits for it. Any other thread. */
void sw_worker_stop(struct sw_worker *worker);

/** Last turn's time on the monotonic clock: is it alive? Any thread. */
uint64_t sw_worker_last_turn_ns(struct sw_worker *worker);

/** How many workers this machine is for: the smaller of the affinity mask and the cgroup CPU quota rounded
 * up, at least 1. `root` is put before /proc and /sys paths ("" in life, a fixture's folder in tests);
 * affinity 0: ask the system. */
unsigned sw_worker_count_for(const char *root, unsigned affinity);

/** The memory limit of the cgroup (v2, v1) or the machine's memory, bytes; 0 unknown. */
uint64_t sw_memory_limit_for(const char *root);

#endif
