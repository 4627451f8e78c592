/* The two ends of a pipeline, where its books (balance.h) open and close: `entry` stands before the first
 * processor and counts what was received, `branch` stands before each exporter and marks the
 * batch as that branch's. */
#ifndef SW_PIPELINE_ENDS_H
#define SW_PIPELINE_ENDS_H

#include "dataplane/pipeline/balance.h"
#include "dataplane/pipeline/stage.h"

SW_CHECKED int sw_entry_new(
    struct sw_core *core,
    struct sw_ledger *ledger,
    struct sw_stage *next,
    struct sw_stage **ret_stage
);

SW_CHECKED int sw_branch_new(
    struct sw_core *core,
    struct sw_branch *branch,
    struct sw_stage *next,
    struct sw_stage **ret_stage
);

#endif
