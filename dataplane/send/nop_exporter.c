#include "dataplane/send/nop_exporter.h"

#include "dataplane/base/mem.h"
#include "dataplane/pipeline/balance.h"

static int nop_admit(struct sw_stage *stage, const struct sw_batch *batch, enum sw_admit mode)
{
    return SW_OK;
}

static void nop_retract(struct sw_stage *stage, const struct sw_batch *batch) {}

// The Collector's has no exporterhelper around it, so no metrics either; the books know it.
static void nop_consume(struct sw_stage *stage, struct sw_batch *batch, struct sw_ticket *ticket)
{
    sw_branch_move(
        batch->branch, SW_BRANCH_QUEUED, SW_BRANCH_DELIVERED, (int64_t)batch->items_count
    );
    sw_batch_free(batch);
    sw_ticket_settle(ticket, NULL);
}

static void nop_drop(struct sw_stage *stage, const struct sw_batch *batch, int err) {}

static void nop_free(struct sw_stage *stage)
{
    sw_free(stage);
}

static const struct sw_stage_ops nop_ops = {
    .admit = nop_admit,
    .retract = nop_retract,
    .consume = nop_consume,
    .drop = nop_drop,
    .free = nop_free,
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
    struct sw_stage *stage = sw_zalloc(sizeof(*stage));
    if (stage == NULL) {
        return SW_E_NOMEM;
    }
    *stage = (struct sw_stage){.ops = &nop_ops, .core = core, .id = env->id};
    *ret_stage = stage;
    return SW_OK;
}

const struct sw_stage_class sw_nop_exporter_class = {
    .create = create,
};
