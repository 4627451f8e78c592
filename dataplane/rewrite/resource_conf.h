/* Configuration of the `resource` processor (Collector contrib v0.159). */
#ifndef SW_REWRITE_RESOURCE_CONF_H
#define SW_REWRITE_RESOURCE_CONF_H

#include "dataplane/rewrite/action_conf.h"

struct sw_resource_conf {
    struct sw_list attributes; /**< struct sw_action_conf, in order */
};

extern const struct sw_component sw_resource;

#endif
