#include "dataplane/rewrite/attributes.h"

#include "dataplane/base/mem.h"
#include "dataplane/otlp/attribute.h"
#include "dataplane/pipeline/rework.h"
#include "dataplane/rewrite/attributes_conf.h"
#include "dataplane/rewrite/given_up_internal.h"
#include "dataplane/rewrite/rewrite_internal.h"

struct shared {
    struct actions *actions;
    struct match *include;
    struct match *exclude;
};

struct attributes {
    struct sw_rework rework;
    const struct shared *shared;
    struct editor editor;
    struct matcher matcher;
    struct sw_rebuild rebuild;
    struct sw_rebuild_ops rebuild_ops;
    struct sw_cell *given_up;
};

// Include is asked first; both must let it pass.
static bool wanted(struct attributes *attributes, const struct sw_rebuild_item *item)
{
    const struct shared *shared = attributes->shared;
    struct matcher *matcher = &attributes->matcher;
    return (shared->include == NULL || sw_match_item(shared->include, matcher, item))
           && (shared->exclude == NULL || !sw_match_item(shared->exclude, matcher, item));
}

static bool metric_wanted(void *context, const struct sw_rebuild_item *item)
{
    return wanted(context, item);
}

static uint32_t attributes_tag(const struct sw_rebuild_item *item)
{
    switch (item->signal) {
    case SW_TRACES:
        return SW_SPAN_ATTRIBUTES;
    case SW_LOGS:
        return SW_LOG_ATTRIBUTES;
    default:
        return sw_metric_attributes_tag(item->metric.type);
    }
}

static int edit_item(void *context, const struct sw_rebuild_item *item, size_t *ret_size)
{
    struct attributes *attributes = context;
    if (item->signal != SW_METRICS && !wanted(attributes, item)) {
        return SW_REBUILD_KEEP;
    }
    int err = sw_editor_edit(&attributes->editor, item->message, attributes_tag(item), ret_size);
    if (err != SW_OK) {
        return err;
    }
    return attributes->editor.changed ? SW_REBUILD_REPLACE : SW_REBUILD_KEEP;
}

static uint8_t *write_item(void *context, uint8_t *out)
{
    return sw_editor_write(&((struct attributes *)context)->editor, out);
}

/* ---- the stage ---- */

static int
change(struct sw_rework *rework, const struct sw_batch *batch, struct sw_batch **ret_batch)
{
    struct attributes *attributes = (struct attributes *)rework;
    int err = sw_editor_begin(&attributes->editor, batch->client);
    if (err != SW_OK) {
        return err;
    }
    size_t growth = attributes->shared->actions->growth_size;
    return sw_rebuild_batch(&attributes->rebuild, batch, growth, ret_batch);
}

static void counted(struct sw_rework *rework, bool counts)
{
    struct attributes *attributes = (struct attributes *)rework;
    uint32_t count = attributes->editor.given_up_count + attributes->matcher.given_up_count;
    sw_count(attributes->given_up, counts ? count : 0);
    attributes->editor.given_up_count = 0;
    attributes->matcher.given_up_count = 0;
}

static void attributes_free(struct sw_rework *rework)
{
    struct attributes *attributes = (struct attributes *)rework;
    sw_editor_fini(&attributes->editor);
    sw_matcher_fini(&attributes->matcher);
    sw_rebuild_fini(&attributes->rebuild);
    sw_free(attributes);
}

static const struct sw_rework_ops attributes_ops = {
    .change = change,
    .counted = counted,
    .free = attributes_free,
};

static void shared_free(void *shared_ptr)
{
    struct shared *shared = shared_ptr;
    if (shared != NULL) {
        sw_actions_free(shared->actions);
        sw_match_free(shared->include);
        sw_match_free(shared->exclude);
        sw_free(shared);
    }
}

static int shared_new(const struct sw_stage_env *env, const void *conf_ptr, void **ret_shared)
{
    const struct sw_attributes_conf *conf = conf_ptr;
    struct shared *shared = sw_zalloc(sizeof(*shared));
    if (shared == NULL) {
        return SW_E_NOMEM;
    }
    int err = sw_actions_new(&conf->actions, &shared->actions);
    if (err == SW_OK && conf->include != NULL) {
        err =
            sw_match_new(conf->include, env->signal, &shared->include, env->error, env->error_size);
    }
    if (err == SW_OK && conf->exclude != NULL) {
        err =
            sw_match_new(conf->exclude, env->signal, &shared->exclude, env->error, env->error_size);
    }
    if (err != SW_OK) {
        shared_free(shared);
        return err;
    }
    *ret_shared = shared;
    return SW_OK;
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
    struct attributes *attributes = sw_zalloc(sizeof(*attributes));
    if (attributes == NULL) {
        return SW_E_NOMEM;
    }
    attributes->shared = shared;
    attributes->rebuild_ops = (struct sw_rebuild_ops){
        .envelopes = sw_match_uses_envelopes(attributes->shared->include)
                     || sw_match_uses_envelopes(attributes->shared->exclude),
        .item = edit_item,
        .write = write_item,
        .metric = metric_wanted,
    };
    attributes->rebuild = (struct sw_rebuild){
        .ops = &attributes->rebuild_ops,
        .context = attributes,
        .account = env->account,
    };
    int err = sw_rework_init(&attributes->rework, &attributes_ops, env, core, next);
    if (err == SW_OK) {
        err = sw_editor_init(&attributes->editor, attributes->shared->actions);
    }
    if (err == SW_OK) {
        err = sw_matcher_init(&attributes->matcher);
    }
    if (err == SW_OK) {
        err = sw_given_up_cell(env, core->index, &attributes->given_up);
    }
    if (err != SW_OK) {
        attributes_free(&attributes->rework);
        return err;
    }
    *ret_stage = &attributes->rework.stage;
    return SW_OK;
}

const struct sw_stage_class sw_attributes_class = {
    .shared_new = shared_new,
    .shared_free = shared_free,
    .create = create,
    .mutates = true,
};
