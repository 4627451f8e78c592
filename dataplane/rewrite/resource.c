#include "dataplane/rewrite/resource.h"

#include "dataplane/base/mem.h"
#include "dataplane/pipeline/rework.h"
#include "dataplane/rewrite/given_up_internal.h"
#include "dataplane/rewrite/resource_conf.h"
#include "dataplane/rewrite/rewrite_internal.h"

struct resource {
    struct sw_rework rework;
    struct resource_rewriter rewriter;
    struct sw_cell *given_up;
};

static int
change(struct sw_rework *rework, const struct sw_batch *batch, struct sw_batch **ret_batch)
{
    return sw_resource_rewrite(&((struct resource *)rework)->rewriter, batch, ret_batch);
}

static void counted(struct sw_rework *rework, bool counts)
{
    struct resource *resource = (struct resource *)rework;
    uint32_t *given_up_count = &resource->rewriter.editor.given_up_count;
    sw_count(resource->given_up, counts ? *given_up_count : 0);
    *given_up_count = 0;
}

static void resource_free(struct sw_rework *rework)
{
    struct resource *resource = (struct resource *)rework;
    sw_resource_rewriter_fini(&resource->rewriter);
    sw_free(resource);
}

static const struct sw_rework_ops resource_ops = {
    .change = change,
    .counted = counted,
    .free = resource_free,
};

static int shared_new(const struct sw_stage_env *env, const void *conf, void **ret_shared)
{
    const struct sw_resource_conf *resource = conf;
    (void)env;
    return sw_actions_new(&resource->attributes, (struct actions **)ret_shared);
}

static void shared_free(void *shared)
{
    sw_actions_free(shared);
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
    (void)conf;
    struct resource *resource = sw_zalloc(sizeof(*resource));
    if (resource == NULL) {
        return SW_E_NOMEM;
    }
    int err = sw_rework_init(&resource->rework, &resource_ops, env, core, next);
    resource->rewriter.account = env->account;
    if (err == SW_OK) {
        err = sw_editor_init(&resource->rewriter.editor, shared);
    }
    if (err == SW_OK) {
        err = sw_given_up_cell(env, core->index, &resource->given_up);
    }
    if (err != SW_OK) {
        resource_free(&resource->rework);
        return err;
    }
    *ret_stage = &resource->rework.stage;
    return SW_OK;
}

const struct sw_stage_class sw_resource_class = {
    .shared_new = shared_new,
    .shared_free = shared_free,
    .create = create,
    .mutates = true,
};
