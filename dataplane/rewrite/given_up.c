#include "dataplane/rewrite/given_up_internal.h"

static const struct sw_metric_family given_up_family = {
    .name = "spanweir_processor_pattern_given_up",
    .help = "Searches for a regular expression that took too many steps and found nothing",
    .unit = "{searches}",
    .type = SW_COUNTER,
    .level = SW_LEVEL_NORMAL,
};

int sw_given_up_cell(const struct sw_stage_env *env, unsigned core, struct sw_cell **ret_cell)
{
    const struct sw_label labels[] = {
        {"processor", env->id},
        {"otel.signal", sw_signal_name(env->signal)},
    };
    return sw_cell_make(env->metrics, core, &given_up_family, labels, 2, ret_cell);
}
