#include "dataplane/pipeline/ends.h"

#include "dataplane/base/mem.h"

struct entry {
    struct sw_stage stage;
    struct sw_ledger *ledger;
};

struct branch_end {
    struct sw_stage stage;
    struct sw_branch *branch;
};

static void entry_consume(struct sw_stage *stage, struct sw_batch *batch, struct sw_ticket *ticket)
{
    struct entry *entry = (struct entry *)stage;
    entry->ledger->flow[SW_FLOW_RECEIVED] += batch->items_count;
    sw_stage_consume(stage->next, batch, ticket);
}

// Only an owner upstream (a connector) leaves a pipeline out: its items came in here and failed.
static void entry_drop(struct sw_stage *stage, const struct sw_batch *batch, int err)
{
    struct entry *entry = (struct entry *)stage;
    entry->ledger->flow[SW_FLOW_RECEIVED] += batch->items_count;
    sw_stage_pass_drop(stage, batch, err);
}

static void end_free(struct sw_stage *stage)
{
    sw_free(stage);
}

static const struct sw_stage_ops entry_ops = {
    .admit = sw_stage_pass_admit,
    .retract = sw_stage_pass_retract,
    .consume = entry_consume,
    .drop = entry_drop,
    .free = end_free,
};

static void branch_consume(struct sw_stage *stage, struct sw_batch *batch, struct sw_ticket *ticket)
{
    struct branch_end *end = (struct branch_end *)stage;
    batch->branch = end->branch;
    end->branch->flow[SW_BRANCH_QUEUED] += batch->items_count;
    sw_stage_consume(stage->next, batch, ticket);
}

static void branch_drop(struct sw_stage *stage, const struct sw_batch *batch, int err)
{
    struct branch_end *end = (struct branch_end *)stage;
    enum sw_branch_flow reason =
        err == SW_E_NOMEM ? SW_BRANCH_FAILED_MEMORY : SW_BRANCH_FAILED_QUEUE_FULL;
    end->branch->flow[reason] += batch->items_count;
    sw_stage_pass_drop(stage, batch, err);
}

static const struct sw_stage_ops branch_ops = {
    .admit = sw_stage_pass_admit,
    .retract = sw_stage_pass_retract,
    .consume = branch_consume,
    .drop = branch_drop,
    .free = end_free,
};

int sw_entry_new(
    struct sw_core *core,
    struct sw_ledger *ledger,
    struct sw_stage *next,
    struct sw_stage **ret_stage
)
{
    struct entry *entry = sw_zalloc(sizeof(*entry));
    if (entry == NULL) {
        return SW_E_NOMEM;
    }
    entry->stage = (struct sw_stage){.ops = &entry_ops, .core = core, .next = next, .id = "entry"};
    entry->ledger = ledger;
    *ret_stage = &entry->stage;
    return SW_OK;
}

int sw_branch_new(
    struct sw_core *core,
    struct sw_branch *branch,
    struct sw_stage *next,
    struct sw_stage **ret_stage
)
{
    struct branch_end *end = sw_zalloc(sizeof(*end));
    if (end == NULL) {
        return SW_E_NOMEM;
    }
    end->stage = (struct sw_stage){.ops = &branch_ops, .core = core, .next = next, .id = next->id};
    end->branch = branch;
    *ret_stage = &end->stage;
    return SW_OK;
}
