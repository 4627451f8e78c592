/* The `retry_on_failure` section of exporters (Collector v0.159, configretry). */
#ifndef SW_RETRY_RETRY_ON_FAILURE_CONF_H
#define SW_RETRY_RETRY_ON_FAILURE_CONF_H

#include "dataplane/base/field.h"

struct sw_retry_on_failure_conf {
    bool enabled;
    int64_t initial_interval_ns;
    double randomization_factor; /**< 0 … 1 */
    double multiplier;
    int64_t max_interval_ns;
    int64_t max_elapsed_time_ns; /**< 0: for ever */
};

extern const struct sw_field sw_retry_on_failure_fields[];
void sw_retry_on_failure_check(void *section, struct sw_check *check);

/** The key for an exporter's table. */
#define SW_RETRY_ON_FAILURE(type, member, ...)                                                     \
    SW_STRUCT(                                                                                     \
        "retry_on_failure",                                                                        \
        type,                                                                                      \
        member,                                                                                    \
        sw_retry_on_failure_fields,                                                                \
        "what is done with requests that failed for now",                                          \
        .check = sw_retry_on_failure_check,                                                        \
        __VA_ARGS__                                                                                \
    )

#endif
