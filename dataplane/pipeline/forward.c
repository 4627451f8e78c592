#include "dataplane/pipeline/forward.h"

#include "dataplane/base/mem.h"
#include "dataplane/pipeline/balance.h"

static void
forward_consume(struct sw_stage *stage, struct sw_batch *batch, struct sw_ticket *ticket)
{
    sw_branch_move(batch->branch, SW_BRANCH_QUEUED, SW_BRANCH_DELIVERED, batch->items_count);
    batch->branch = NULL;
    sw_stage_consume(stage->next, batch, ticket);
}

static void forward_free(struct sw_stage *stage)
{
    sw_free(stage);
}

static const struct sw_stage_ops forward_ops = {
    .admit = sw_stage_pass_admit,
    .retract = sw_stage_pass_retract,
    .consume = forward_consume,
    .drop = sw_stage_pass_drop,
    .free = forward_free,
};

static int create(
    const struct sw_stage_env *env,
    const void *conf,
    void *shared,
    struct sw_core *core,
    struct sw_stage *next,
    struct sw_stage **ret_stage
)
{
    (void)conf;
    (void)shared;
    struct sw_stage *stage = sw_zalloc(sizeof(*stage));
    if (stage == NULL) {
        return SW_E_NOMEM;
    }
    *stage = (struct sw_stage){.ops = &forward_ops, .core = core, .next = next, .id = env->id};
    *ret_stage = stage;
    return SW_OK;
}

const struct sw_stage_class sw_forward_class = {
    .create = create,
};

const struct sw_component sw_forward = {
    .kind = SW_CONNECTOR,
    .type = "forward",
    .signals = SW_FOR_OTLP | SW_FOR_PROFILES,
    .signals_ready = SW_FOR_OTLP,
    .signals_out = SW_FOR_OTLP | SW_FOR_PROFILES,
    .keeps_signal = true,
    .stability = "beta",
    .module = "dataplane/pipeline",
    .help = "joins pipelines of the same signal",
    .ops = &sw_forward_class,
};
