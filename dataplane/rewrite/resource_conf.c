#include "dataplane/rewrite/resource_conf.h"

#include "dataplane/rewrite/resource.h"

// clang-format off
static const struct sw_field resource_fields[] = {
    SW_LIST("attributes", struct sw_resource_conf, attributes, struct sw_action_conf,
            sw_action_fields, "what is done to the resource's attributes, in order",
            .check = sw_action_check),
    SW_FIELD_END,
};
// clang-format on

static void resource_check(void *section, struct sw_check *check)
{
    const struct sw_resource_conf *conf = section;
    if (conf->attributes.count == 0) {
        sw_complain(check, SW_COMPLAINT_ERROR, NULL, "missing required field \"attributes\"");
    }
}

const struct sw_component sw_resource = {
    .kind = SW_PROCESSOR,
    .type = "resource",
    .fields = resource_fields,
    .conf_size = sizeof(struct sw_resource_conf),
    .check = resource_check,
    .signals = SW_FOR_OTLP | SW_FOR_PROFILES,
    .signals_ready = SW_FOR_OTLP,
    .stability = "beta",
    .module = "dataplane/rewrite",
    .help = "changes attributes of resources",
    .ops = &sw_resource_class,
};
