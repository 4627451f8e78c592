#include "dataplane/rewrite/resource.h"

#include "dataplane/base/mem.h"
#include "dataplane/pipeline/cells.h"
#include "dataplane/rewrite/resource_internal.h"

/* The work is done when the batch is admitted: what has no memory is refused then, before anybody keeps a
 * part of it, and owners downstream reserve for what will really come. */
struct resource {
    struct sw_stage stage;
    struct resource_rewriter rewriter;
    struct sw_batch *admitted; // NULL: none
    bool counted;
    struct sw_cell *incoming;
    struct sw_cell *outgoing;
};

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

static void count(struct resource *resource, uint32_t items)
{
    sw_count(resource->incoming, items);
    sw_count(resource->outgoing, items);
}

/* A sender's request counts even when somebody downstream refuses it: the Collector counts before it
 * hands on. An owner that tries again and again counts once, when it succeeds. */
static int resource_admit(struct sw_stage *stage, const struct sw_batch *batch, enum sw_admit mode)
{
    struct resource *resource = (struct resource *)stage;
    struct sw_batch *changed = NULL;
    SW_ASSERT(resource->admitted == NULL);
    int err = sw_resource_rewrite(&resource->rewriter, batch, &changed);
    if (err != SW_OK) {
        return err;
    }
    resource->counted = mode == SW_ADMIT_ALL;
    if (resource->counted) {
        count(resource, batch->items_count);
    }
    err = sw_stage_admit(stage->next, changed, mode);
    if (err != SW_OK) {
        sw_batch_free(changed);
        return err;
    }
    resource->admitted = changed;
    return SW_OK;
}

static void resource_retract(struct sw_stage *stage, const struct sw_batch *batch)
{
    struct resource *resource = (struct resource *)stage;
    SW_ASSERT(resource->admitted != NULL);
    sw_stage_retract(stage->next, resource->admitted);
    sw_batch_free(resource->admitted);
    resource->admitted = NULL;
}

static void
resource_consume(struct sw_stage *stage, struct sw_batch *batch, struct sw_ticket *ticket)
{
    struct resource *resource = (struct resource *)stage;
    struct sw_batch *changed = resource->admitted;
    SW_ASSERT(changed != NULL && changed->items_count == batch->items_count);
    resource->admitted = NULL;
    changed->branch = batch->branch;
    if (!resource->counted) {
        count(resource, batch->items_count);
    }
    sw_batch_free(batch);
    sw_stage_consume(stage->next, changed, ticket);
}

static void resource_free(struct sw_stage *stage)
{
    struct resource *resource = (struct resource *)stage;
    if (resource != NULL) {
        sw_batch_free(resource->admitted);
        sw_resource_rewriter_fini(&resource->rewriter);
        sw_free(resource);
    }
}

static const struct sw_stage_ops resource_ops = {
    .admit = resource_admit,
    .retract = resource_retract,
    .consume = resource_consume,
    .drop = sw_stage_pass_drop,
    .free = resource_free,
};

static int shared_new(const struct sw_stage_env *env, const void *conf, void **ret_shared)
{
    return sw_resource_actions_new(conf, (struct resource_actions **)ret_shared);
}

static void shared_free(void *shared)
{
    sw_resource_actions_free(shared);
}

static int make_cells(struct resource *resource, const struct sw_stage_env *env, unsigned core)
{
    const struct sw_label labels[] = {
        {"processor", env->id},
        {"otel.signal", sw_signal_name(env->signal)},
    };
    int err = sw_cell_make(env->metrics, core, &incoming_family, labels, 2, &resource->incoming);
    if (err == SW_OK) {
        err = sw_cell_make(env->metrics, core, &outgoing_family, labels, 2, &resource->outgoing);
    }
    return err;
}

static int create(
    const struct sw_stage_env *env,
    const void *conf,
    void *shared,
    struct sw_core *core,
    struct sw_stage *next,
    struct sw_stage **ret_stage
)
{
    struct resource *resource = sw_zalloc(sizeof(*resource));
    if (resource == NULL) {
        return SW_E_NOMEM;
    }
    resource->stage =
        (struct sw_stage){.ops = &resource_ops, .core = core, .next = next, .id = env->id};
    resource->rewriter.actions = shared;
    resource->rewriter.account = env->account;
    int err = make_cells(resource, env, core->index);
    if (err != SW_OK) {
        resource_free(&resource->stage);
        return err;
    }
    *ret_stage = &resource->stage;
    return SW_OK;
}

const struct sw_stage_class sw_resource_class = {
    .shared_new = shared_new,
    .shared_free = shared_free,
    .create = create,
    .mutates = true,
};
