/* One stage in front of several: the receiver before its pipelines, a pipeline before its
 * exporters. Every branch gets a batch over the same bytes. */
#include "dataplane/base/mem.h"
#include "dataplane/pipeline/stage.h"

// Ways of one batch that lead here and wait to be handed over.
#define ADMITS_MAX 32u

struct fanout {
    struct sw_stage stage;
    /* Branches that gave a place, for each admit that was not followed by consume or retract. More than one
     * only where connectors join ways of the same batch again; then they follow in the same order. */
    uint32_t admitted_masks[ADMITS_MAX];
    uint32_t admitted_first;
    uint32_t admitted_count;
    int refused_err[SW_FANOUT_MAX];
    unsigned branches_count;
    struct sw_stage *branches[SW_FANOUT_MAX];
};

static void retract_mask(struct fanout *fanout, const struct sw_batch *batch, uint32_t mask)
{
    for (unsigned i = 0; i < fanout->branches_count; i++) {
        if (mask & (1u << i)) {
            sw_stage_retract(fanout->branches[i], batch);
        }
    }
}

static uint32_t take_mask(struct fanout *fanout)
{
    SW_ASSERT(fanout->admitted_count > 0);
    uint32_t mask = fanout->admitted_masks[fanout->admitted_first];
    fanout->admitted_first = (fanout->admitted_first + 1) % ADMITS_MAX;
    fanout->admitted_count--;
    return mask;
}

static int fanout_admit(struct sw_stage *stage, const struct sw_batch *batch, enum sw_admit mode)
{
    struct fanout *fanout = (struct fanout *)stage;
    uint32_t mask = 0;
    int first_err = SW_OK;
    if (fanout->admitted_count == ADMITS_MAX) {
        return SW_E_FULL;
    }
    for (unsigned i = 0; i < fanout->branches_count; i++) {
        int err = sw_stage_admit(fanout->branches[i], batch, mode);
        fanout->refused_err[i] = err;
        if (err == SW_OK) {
            mask |= 1u << i;
            continue;
        }
        first_err = first_err != SW_OK ? first_err : err;
        if (mode == SW_ADMIT_ALL) {
            break;
        }
    }
    bool refused = mode == SW_ADMIT_ALL ? first_err != SW_OK : mask == 0;
    if (refused) {
        retract_mask(fanout, batch, mask);
        return first_err;
    }
    uint32_t at = (fanout->admitted_first + fanout->admitted_count++) % ADMITS_MAX;
    fanout->admitted_masks[at] = mask;
    return SW_OK;
}

static void fanout_retract(struct sw_stage *stage, const struct sw_batch *batch)
{
    struct fanout *fanout = (struct fanout *)stage;
    retract_mask(fanout, batch, take_mask(fanout));
}

static void hand_to(struct sw_stage *branch, struct sw_batch *batch, struct sw_ticket *ticket)
{
    struct sw_batch *copy = sw_batch_share(batch);
    if (copy == NULL) {
        sw_stage_retract(branch, batch);
        branch->ops->drop(branch, batch, SW_E_NOMEM);
        sw_ticket_settle_err(ticket, SW_E_NOMEM);
        return;
    }
    sw_stage_consume(branch, copy, ticket);
}

static void fanout_consume(struct sw_stage *stage, struct sw_batch *batch, struct sw_ticket *ticket)
{
    struct fanout *fanout = (struct fanout *)stage;
    uint32_t mask = take_mask(fanout);
    SW_ASSERT(mask != 0);
    sw_ticket_add(ticket, fanout->branches_count - 1);
    unsigned last = 31u - (unsigned)__builtin_clz(mask);
    for (unsigned i = 0; i < fanout->branches_count; i++) {
        struct sw_stage *branch = fanout->branches[i];
        if ((mask & (1u << i)) == 0) {
            // The others have it; whoever sent it still hears that it did not reach everybody.
            branch->ops->drop(branch, batch, fanout->refused_err[i]);
            sw_ticket_settle_err(ticket, fanout->refused_err[i]);
        } else if (i != last) {
            hand_to(branch, batch, ticket);
        }
    }
    sw_stage_consume(fanout->branches[last], batch, ticket);
}

static void fanout_drop(struct sw_stage *stage, const struct sw_batch *batch, int err)
{
    struct fanout *fanout = (struct fanout *)stage;
    for (unsigned i = 0; i < fanout->branches_count; i++) {
        fanout->branches[i]->ops->drop(fanout->branches[i], batch, err);
    }
}

static void fanout_free(struct sw_stage *stage)
{
    sw_free(stage);
}

static const struct sw_stage_ops fanout_ops = {
    .admit = fanout_admit,
    .retract = fanout_retract,
    .consume = fanout_consume,
    .drop = fanout_drop,
    .free = fanout_free,
};

int sw_fanout_new(
    struct sw_core *core,
    struct sw_stage *const *branches,
    unsigned branches_count,
    struct sw_stage **ret_stage
)
{
    if (branches_count == 0 || branches_count > SW_FANOUT_MAX) {
        return SW_E_INVALID;
    }
    struct fanout *fanout = sw_zalloc(sizeof(*fanout));
    if (fanout == NULL) {
        return SW_E_NOMEM;
    }
    fanout->stage = (struct sw_stage){.ops = &fanout_ops, .core = core, .id = "fanout"};
    fanout->branches_count = branches_count;
    for (unsigned i = 0; i < branches_count; i++) {
        fanout->branches[i] = branches[i];
    }
    *ret_stage = &fanout->stage;
    return SW_OK;
}
