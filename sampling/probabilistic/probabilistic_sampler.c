#include "sampling/probabilistic/probabilistic_sampler.h"

#include "dataplane/base/mem.h"
#include "sampling/probabilistic/sampler_internal.h"

// Randomness and threshold that a span or record may get.
#define GROWTH_SIZE 80u

static const struct sw_metric_family spans_family = {
    .name = "otelcol_processor_probabilistic_sampler_count_traces_sampled",
    .help = "Count of traces that were sampled or not [Development]",
    .unit = "1",
    .type = SW_COUNTER,
    .level = SW_LEVEL_BASIC,
};
static const struct sw_metric_family records_family = {
    .name = "otelcol_processor_probabilistic_sampler_count_logs_sampled",
    .help = "Count of logs that were sampled or not [Development]",
    .unit = "1",
    .type = SW_COUNTER,
    .level = SW_LEVEL_BASIC,
};

void sw_sample_tally(struct sampler *sampler, const struct item *item, bool kept)
{
    sampler->tally[item->policy][kept]++;
}

static int sample(void *context, const struct sw_rebuild_item *item, size_t *ret_size)
{
    return item->signal == SW_TRACES ? sw_sample_span(context, item->message, ret_size)
                                     : sw_sample_record(context, item->message, ret_size);
}

static uint8_t *write_span(void *context, uint8_t *out)
{
    return sw_sample_span_write(context, out);
}

static uint8_t *write_record(void *context, uint8_t *out)
{
    return sw_sample_record_write(context, out);
}

static const struct sw_rebuild_ops span_ops = {
    .prune = true,
    .item = sample,
    .write = write_span,
};
static const struct sw_rebuild_ops record_ops = {
    .prune = true,
    .item = sample,
    .write = write_record,
};

/* ---- the stage ---- */

static int
change(struct sw_rework *rework, const struct sw_batch *batch, struct sw_batch **ret_batch)
{
    struct sampler *sampler = (struct sampler *)rework;
    return sw_rebuild_batch(&sampler->rebuild, batch, GROWTH_SIZE, ret_batch);
}

static void counted(struct sw_rework *rework, bool counts)
{
    struct sampler *sampler = (struct sampler *)rework;
    for (unsigned policy = 0; policy < POLICIES_COUNT; policy++) {
        for (unsigned kept = 0; kept < 2; kept++) {
            if (counts && sampler->tally[policy][kept] > 0) {
                sw_count(sampler->cells[policy][kept], sampler->tally[policy][kept]);
            }
        }
    }
    memset(sampler->tally, 0, sizeof(sampler->tally));
}

static void sampler_free(struct sw_rework *rework)
{
    struct sampler *sampler = (struct sampler *)rework;
    sw_rebuild_fini(&sampler->rebuild);
    sw_value_text_fini(&sampler->text);
    sw_free(sampler->attributes);
    sw_free(sampler);
}

static const struct sw_rework_ops sampler_ops = {
    .selects = true,
    .change = change,
    .counted = counted,
    .free = sampler_free,
};

static int shared_new(const struct sw_stage_env *env, const void *conf, void **ret_shared)
{
    struct chooser *chooser = sw_zalloc(sizeof(*chooser));
    if (chooser == NULL) {
        return SW_E_NOMEM;
    }
    sw_chooser_init(chooser, conf, env->signal);
    *ret_shared = chooser;
    return SW_OK;
}

static void shared_free(void *shared)
{
    sw_free(shared);
}

static int
make_cells(struct sampler *sampler, const struct sw_stage_env *env, const char *attribute)
{
    const char *const policies[POLICIES_COUNT] = {
        [POLICY_MISSING] = "missing_randomness",
        [POLICY_TRACE_ID_HASH] = "trace_id_hash",
        [POLICY_RANDOMNESS] = "sampling_randomness",
        [POLICY_TRACE_ID_W3C] = "trace_id_w3c",
        [POLICY_PRIORITY] = "sampling_priority",
        [POLICY_ATTRIBUTE] = attribute,
    };
    const struct sw_metric_family *family =
        env->signal == SW_TRACES ? &spans_family : &records_family;
    int err = SW_OK;
    for (unsigned policy = 0; policy < POLICIES_COUNT; policy++) {
        for (unsigned kept = 0; err == SW_OK && kept < 2; kept++) {
            const struct sw_label labels[] = {
                {"policy", policies[policy]},
                {"sampled", kept ? "true" : "false"},
            };
            unsigned core = sampler->rework.stage.core->index;
            struct sw_cell **cell = &sampler->cells[policy][kept];
            err = sw_cell_make(env->metrics, core, family, labels, 2, cell);
        }
    }
    return err;
}

static int create(
    const struct sw_stage_env *env,
    const void *conf_ptr,
    void *shared,
    struct sw_core *core,
    struct sw_stage *next,
    struct sw_stage **ret_stage
)
{
    const struct sw_probabilistic_conf *conf = conf_ptr;
    struct sampler *sampler = sw_zalloc(sizeof(*sampler));
    if (sampler == NULL) {
        return SW_E_NOMEM;
    }
    int err = sw_rework_init(&sampler->rework, &sampler_ops, env, core, next);
    sampler->rework.removed = SW_FLOW_NOT_SAMPLED;
    sampler->chooser = shared;
    sampler->rebuild.ops = env->signal == SW_TRACES ? &span_ops : &record_ops;
    sampler->rebuild.context = sampler;
    sampler->rebuild.account = env->account;
    if (err == SW_OK) {
        err = make_cells(sampler, env, conf->from_attribute);
    }
    if (err != SW_OK) {
        sampler_free(&sampler->rework);
        return err;
    }
    *ret_stage = &sampler->rework.stage;
    return SW_OK;
}

const struct sw_stage_class sw_probabilistic_class = {
    .shared_new = shared_new,
    .shared_free = shared_free,
    .create = create,
    .mutates = true,
};
