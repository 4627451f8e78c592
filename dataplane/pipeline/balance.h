/* The books: for each pipeline and exporter branch, at every scrape,
 *
 *   received + generated = delivered + filtered + not sampled + held + in batch + queued + stored + failed
 *
 * What is stored has left the books: it may outlive the process.
 *
 * Every change moves items between two entries of one core's books in one step, so each core's
 * books balance on their own and so does their sum, whenever it is taken. A core publishes its books
 * at the end of a turn (seqlock); the page reads the published copy.
 *
 * The entries up to in-batch belong to the pipeline and are the same for all of its branches; a
 * branch begins where the pipeline fans out to its exporters.
 */
#ifndef SW_PIPELINE_BALANCE_H
#define SW_PIPELINE_BALANCE_H

#include "dataplane/base/core.h"
#include "dataplane/otlp/batch.h"

#include <stdint.h>

enum sw_flow {
    SW_FLOW_RECEIVED,
    SW_FLOW_GENERATED,
    SW_FLOW_FILTERED,
    SW_FLOW_NOT_SAMPLED,
    SW_FLOW_EVICTED, /**< dropped by num_traces: failed, reason "evicted" */
    SW_FLOW_HELD,
    SW_FLOW_IN_BATCH,
    SW_FLOWS_COUNT,
};

enum sw_branch_flow {
    SW_BRANCH_QUEUED, /**< in a queue, being sent or waiting for a retry */
    SW_BRANCH_STORED, /**< committed to a store on disk, which counts it from then on */
    SW_BRANCH_DELIVERED,
    SW_BRANCH_FAILED_QUEUE_FULL,
    SW_BRANCH_FAILED_PERMANENT,
    SW_BRANCH_FAILED_RETRIES, /**< no more retries left, or retry off */
    SW_BRANCH_FAILED_SHUTDOWN,
    SW_BRANCH_FAILED_MEMORY,
    SW_BRANCH_FLOWS_COUNT,
};

struct sw_books; /**< one core's published entries; balance.c */

/** One pipeline → exporter branch on one core. Owner core. */
struct sw_branch {
    int64_t flow[SW_BRANCH_FLOWS_COUNT];
    const char *exporter; /**< exporter ID */
};

/** One pipeline's books on one core. Owner core. */
struct sw_ledger {
    int64_t flow[SW_FLOWS_COUNT];
    struct sw_branch *branches;
    unsigned branches_count;
};

/** One pipeline's books, all cores. Control thread makes it before the cores run. */
struct sw_balance;
SW_CHECKED int sw_balance_new(
    const char *pipeline,
    enum sw_signal signal,
    const char *const *exporters,
    unsigned exporters_count,
    unsigned cores_count,
    struct sw_balance **ret_balance
);
void sw_balance_free(struct sw_balance *balance);
struct sw_ledger *sw_balance_ledger(struct sw_balance *balance, unsigned core);

/** Moves items from one entry to another: `items` leave `from` and enter `to`. */
static inline void
sw_ledger_move(struct sw_ledger *ledger, enum sw_flow from, enum sw_flow to, int64_t items)
{
    ledger->flow[from] -= items;
    ledger->flow[to] += items;
}

static inline void sw_branch_move(
    struct sw_branch *branch,
    enum sw_branch_flow from,
    enum sw_branch_flow to,
    int64_t items
)
{
    if (branch != NULL) {
        branch->flow[from] -= items;
        branch->flow[to] += items;
    }
}

/** Copies this core's books where readers find them. End of a turn, owner core. */
void sw_balance_publish(struct sw_balance *balance, unsigned core);

/** Sums the published books. Any thread. */
struct sw_balance_sum {
    int64_t flow[SW_FLOWS_COUNT];
    int64_t branch[SW_BRANCH_FLOWS_COUNT];
    int64_t error; /**< left side minus right side; 0 when the books balance */
};
void sw_balance_read(struct sw_balance *balance, unsigned branch, struct sw_balance_sum *ret_sum);
const char *sw_balance_pipeline(const struct sw_balance *balance);
enum sw_signal sw_balance_signal(const struct sw_balance *balance);
unsigned sw_balance_branches_count(const struct sw_balance *balance);
const char *sw_balance_exporter(const struct sw_balance *balance, unsigned branch);

#endif
