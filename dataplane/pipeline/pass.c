/* What a stage that owns nothing does with the questions of its upstream: it asks downstream. */
#include "dataplane/pipeline/stage.h"

int sw_stage_pass_admit(struct sw_stage *stage, const struct sw_batch *batch, enum sw_admit mode)
{
    return stage->next->ops->admit(stage->next, batch, mode);
}

void sw_stage_pass_retract(struct sw_stage *stage, const struct sw_batch *batch)
{
    stage->next->ops->retract(stage->next, batch);
}

void sw_stage_pass_drop(struct sw_stage *stage, const struct sw_batch *batch, int err)
{
    stage->next->ops->drop(stage->next, batch, err);
}
