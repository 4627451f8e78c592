#include "dataplane/rewrite/attributes_conf.h"

#include "dataplane/rewrite/attributes.h"

// clang-format off
static const struct sw_field attributes_fields[] = {
    SW_POINTER("include", struct sw_attributes_conf, include, sw_match_fields,
               "what items are changed; without: all", .check = sw_match_check),
    SW_POINTER("exclude", struct sw_attributes_conf, exclude, sw_match_fields,
               "what items of these are not changed", .check = sw_match_check),
    SW_LIST("actions", struct sw_attributes_conf, actions, struct sw_action_conf,
            sw_action_fields,
            "what is done to the attributes of spans, log records and data points, in order",
            .check = sw_action_check),
    SW_FIELD_END,
};
// clang-format on

static void attributes_check(void *section, struct sw_check *check)
{
    const struct sw_attributes_conf *conf = section;
    if (conf->actions.count == 0) {
        sw_complain(check, SW_COMPLAINT_ERROR, NULL, "missing required field \"actions\"");
    }
}

const struct sw_component sw_attributes = {
    .kind = SW_PROCESSOR,
    .type = "attributes",
    .fields = attributes_fields,
    .conf_size = sizeof(struct sw_attributes_conf),
    .check = attributes_check,
    .signals = SW_FOR_OTLP | SW_FOR_PROFILES,
    .signals_ready = SW_FOR_OTLP,
    .stability = "beta",
    .module = "dataplane/rewrite",
    .help = "changes attributes of spans, log records and data points",
    .ops = &sw_attributes_class,
};
