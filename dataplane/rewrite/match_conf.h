/* What items `include` and `exclude` of a processor mean (Collector contrib v0.159
 * internal/filter/filterconfig). */
#ifndef SW_REWRITE_MATCH_CONF_H
#define SW_REWRITE_MATCH_CONF_H

#include "dataplane/pipeline/component.h"

struct sw_match_attribute_conf {
    const char *key;
    struct sw_value value; /**< SW_VALUE_NULL: any value */
};

struct sw_match_library_conf {
    const char *name;
    struct sw_value version; /**< SW_VALUE_NULL: any; else a string */
};

/** How the Collector caches results of its regular expressions. */
struct sw_match_cache_conf {
    bool enabled;
    int64_t entries_max;
};

struct sw_match_severity_conf {
    int32_t min;
    bool match_undefined;
};

struct sw_match_conf {
    const char *match_type; /**< "strict", "regexp" */
    struct sw_match_cache_conf *cache;
    struct sw_list services; /**< const char *, as all of these */
    struct sw_list span_names;
    struct sw_list span_kinds;
    struct sw_list log_bodies;
    struct sw_list log_severity_texts;
    struct sw_match_severity_conf *log_severity_number;
    struct sw_list metric_names;
    struct sw_list attributes; /**< struct sw_match_attribute_conf */
    struct sw_list resources;  /**< struct sw_match_attribute_conf */
    struct sw_list libraries;  /**< struct sw_match_library_conf */
};

extern const struct sw_field sw_match_fields[];

/** Of one struct sw_match_conf. */
void sw_match_check(void *section, struct sw_check *check);

#endif
