/* Configuration of the actions on attributes that `attributes` and `resource` share (Collector contrib
 * v0.159 internal/coreinternal/attraction). */
#ifndef SW_REWRITE_ACTION_CONF_H
#define SW_REWRITE_ACTION_CONF_H

#include "dataplane/pipeline/component.h"

enum sw_action {
    SW_ACTION_NONE, /**< not written; refused */
    SW_ACTION_INSERT,
    SW_ACTION_UPDATE,
    SW_ACTION_UPSERT,
    SW_ACTION_DELETE,
    SW_ACTION_HASH,
    SW_ACTION_EXTRACT,
    SW_ACTION_CONVERT,
};

struct sw_action_conf {
    const char *key;
    const char *action_text;       /**< as written */
    int action;                    /**< enum sw_action, set by the check */
    struct sw_value value;         /**< SW_VALUE_NULL: not this source */
    struct sw_value default_value; /**< second choice when the source is missing */
    const char *from_attribute;    /**< "": not this source */
    const char *from_context;      /**< likewise */
    const char *pattern;           /**< "": none */
    const char *converted_type;    /**< "int", "double", "string"; "" where it is another action */
};

extern const struct sw_field sw_action_fields[];

/** Of one struct sw_action_conf. */
void sw_action_check(void *section, struct sw_check *check);

#endif
