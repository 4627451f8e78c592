#include "dataplane/pipeline/rework.h"

static const struct sw_metric_family incoming_family = {
    .name = "otelcol_processor_incoming_items",
    .help = "Number of items passed to the processor. [Alpha]",
    .unit = "{item}",
    .type = SW_COUNTER,
    .level = SW_LEVEL_BASIC,
};
static const struct sw_metric_family outgoing_family = {
    .name = "otelcol_processor_outgoing_items",
    .help = "Number of items emitted from the processor. [Alpha]",
    .unit = "{item}",
    .type = SW_COUNTER,
    .level = SW_LEVEL_BASIC,
};

static void count(struct sw_rework *rework, uint32_t incoming, uint32_t outgoing)
{
    sw_count(rework->incoming, incoming);
    sw_count(rework->outgoing, outgoing);
    if (rework->ops->counted != NULL) {
        rework->ops->counted(rework, true);
    }
}

static void forget_counts(struct sw_rework *rework)
{
    if (!rework->counted && rework->ops->counted != NULL) {
        rework->ops->counted(rework, false);
    }
}

static bool passes(const struct sw_rework *rework, const struct sw_batch *changed)
{
    return changed->items_count > 0 || !rework->ops->selects;
}

static void append(struct sw_rework *rework, struct sw_batch *batch)
{
    batch->next = NULL;
    if (rework->last != NULL) {
        rework->last->next = batch;
    } else {
        rework->first = batch;
    }
    rework->last = batch;
}

static struct sw_batch *take_first(struct sw_rework *rework)
{
    struct sw_batch *batch = rework->first;
    SW_ASSERT(batch != NULL);
    rework->first = batch->next;
    if (rework->first == NULL) {
        rework->last = NULL;
    }
    batch->next = NULL;
    return batch;
}

/* A sender's request counts even when somebody downstream refuses it: the Collector counts before it
 * hands on. An owner that tries again and again counts once, when it succeeds. */
static int rework_admit(struct sw_stage *stage, const struct sw_batch *batch, enum sw_admit mode)
{
    struct sw_rework *rework = (struct sw_rework *)stage;
    struct sw_batch *changed = NULL;
    int err = rework->ops->change(rework, batch, &changed);
    rework->counted = mode == SW_ADMIT_ALL;
    if (err != SW_OK) {
        forget_counts(rework);
        return err;
    }
    if (rework->counted) {
        count(rework, batch->items_count, changed->items_count);
    }
    if (passes(rework, changed)) {
        err = sw_stage_admit(stage->next, changed, mode);
    }
    if (err != SW_OK) {
        forget_counts(rework);
        sw_batch_free(changed);
        return err;
    }
    append(rework, changed);
    return SW_OK;
}

static void rework_retract(struct sw_stage *stage, const struct sw_batch *batch)
{
    struct sw_rework *rework = (struct sw_rework *)stage;
    struct sw_batch *changed = take_first(rework);
    if (passes(rework, changed)) {
        sw_stage_retract(stage->next, changed);
    }
    forget_counts(rework);
    sw_batch_free(changed);
}

static void rework_consume(struct sw_stage *stage, struct sw_batch *batch, struct sw_ticket *ticket)
{
    struct sw_rework *rework = (struct sw_rework *)stage;
    struct sw_batch *changed = take_first(rework);
    uint32_t removed = batch->items_count - changed->items_count;
    SW_ASSERT(changed->items_count <= batch->items_count);
    changed->branch = batch->branch;
    if (!rework->counted) {
        count(rework, batch->items_count, changed->items_count);
    }
    if (rework->ledger != NULL) {
        rework->ledger->flow[rework->removed] += removed;
    }
    sw_batch_free(batch);
    if (passes(rework, changed)) {
        sw_stage_consume(stage->next, changed, ticket);
    } else {
        sw_batch_free(changed);
        sw_ticket_settle_err(ticket, SW_OK);
    }
}

static void rework_free(struct sw_stage *stage)
{
    struct sw_rework *rework = (struct sw_rework *)stage;
    if (rework != NULL) {
        while (rework->first != NULL) {
            sw_batch_free(take_first(rework));
        }
        rework->ops->free(rework);
    }
}

static const struct sw_stage_ops rework_ops = {
    .admit = rework_admit,
    .retract = rework_retract,
    .consume = rework_consume,
    .drop = sw_stage_pass_drop,
    .free = rework_free,
};

int sw_rework_init(
    struct sw_rework *rework,
    const struct sw_rework_ops *ops,
    const struct sw_stage_env *env,
    struct sw_core *core,
    struct sw_stage *next
)
{
    const struct sw_label labels[] = {
        {"processor", env->id},
        {"otel.signal", sw_signal_name(env->signal)},
    };
    *rework = (struct sw_rework){
        .stage = {.ops = &rework_ops, .core = core, .next = next, .id = env->id},
        .ops = ops,
        .removed = SW_FLOW_FILTERED,
    };
    if (env->balance != NULL) {
        rework->ledger = sw_balance_ledger(env->balance, core->index);
    }
    unsigned index = core->index;
    int err = sw_cell_make(env->metrics, index, &incoming_family, labels, 2, &rework->incoming);
    if (err == SW_OK) {
        err = sw_cell_make(env->metrics, index, &outgoing_family, labels, 2, &rework->outgoing);
    }
    return err;
}
