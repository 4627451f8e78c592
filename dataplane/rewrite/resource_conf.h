/* Configuration of the `resource` processor (Collector contrib v0.159). */
#ifndef SW_REWRITE_RESOURCE_CONF_H
#define SW_REWRITE_RESOURCE_CONF_H

#include "dataplane/pipeline/component.h"

enum sw_resource_action {
    SW_RESOURCE_NONE, /**< not written; refused */
    SW_RESOURCE_INSERT,
    SW_RESOURCE_UPDATE,
    SW_RESOURCE_UPSERT,
    SW_RESOURCE_DELETE,
    SW_RESOURCE_HASH,
    SW_RESOURCE_EXTRACT,
    SW_RESOURCE_CONVERT,
};

struct sw_resource_action_conf {
    const char *key;
    const char *action_text;       /**< as written */
    int action;                    /**< enum sw_resource_action, set by the check */
    struct sw_value value;         /**< SW_VALUE_NULL: not this source */
    struct sw_value default_value; /**< second choice when the source is missing */
    const char *from_attribute;    /**< "": not this source */
    const char *from_context;
    const char *pattern;
    const char *converted_type;
};

struct sw_resource_conf {
    struct sw_list attributes; /**< struct sw_resource_action_conf, in order */
};

extern const struct sw_component sw_resource;

#endif
