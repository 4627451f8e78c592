/* Configuration of the `attributes` processor (Collector contrib v0.159). */
#ifndef SW_REWRITE_ATTRIBUTES_CONF_H
#define SW_REWRITE_ATTRIBUTES_CONF_H

#include "dataplane/rewrite/action_conf.h"
#include "dataplane/rewrite/match_conf.h"

struct sw_attributes_conf {
    struct sw_match_conf *include; /**< NULL: all */
    struct sw_match_conf *exclude; /**< NULL: none */
    struct sw_list actions;        /**< struct sw_action_conf, in order */
};

extern const struct sw_component sw_attributes;

#endif
