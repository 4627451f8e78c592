/* The stage of processors that pass on another batch than they got: `resource`, `attributes`,
 * `probabilistic_sampler`. The work is done when the batch is admitted: what has no memory is refused then,
 * before anybody keeps a part of it, and owners downstream reserve for what will really come.
 *
 * A batch may be admitted by several ways that join again in front of this stage (connectors); it is
 * handed over as often and in the same order. */
#ifndef SW_PIPELINE_REWORK_H
#define SW_PIPELINE_REWORK_H

#include "dataplane/pipeline/balance.h"
#include "dataplane/pipeline/cells.h"
#include "dataplane/pipeline/stage.h"

struct sw_rework;

struct sw_rework_ops {
    bool selects; /**< a batch without items is not passed on, also when it came so */
    /** Another batch; `batch` stays as it is. Fewer items: the others were filtered or not sampled.
     * @return 0 or SW_E_* (the sender is refused) */
    SW_CHECKED int (*change
    )(struct sw_rework *rework, const struct sw_batch *batch, struct sw_batch **ret_batch);
    /** What was counted while changing counts (true), or the batch will come again (false): an owner
     * upstream tries until it succeeds. NULL: nothing is counted. */
    void (*counted)(struct sw_rework *rework, bool counts);
    void (*free)(struct sw_rework *rework);
};

/** Head of the processor's struct. Members are rework.c's. */
struct sw_rework {
    struct sw_stage stage;
    const struct sw_rework_ops *ops;
    struct sw_ledger *ledger; /**< NULL: no books (tests) */
    enum sw_flow removed;     /**< where items that are missing stand in the books */
    struct sw_batch *first;   /**< admitted and not handed over, in order */
    struct sw_batch *last;
    bool counted; /**< the admitted ones */
    struct sw_cell *incoming;
    struct sw_cell *outgoing;
};

/** Fills in the head: stage, cells, books. @return 0 or SW_E_NOMEM */
SW_CHECKED int sw_rework_init(
    struct sw_rework *rework,
    const struct sw_rework_ops *ops,
    const struct sw_stage_env *env,
    struct sw_core *core,
    struct sw_stage *next
);

#endif
