/* Configuration of the `health_check` extension (Collector contrib v0.159, version 1). */
#ifndef SW_HEALTH_HEALTH_CHECK_CONF_H
#define SW_HEALTH_HEALTH_CHECK_CONF_H

#include "dataplane/pipeline/component.h"
#include "dataplane/pipeline/net_conf.h"

struct sw_health_check_conf {
    struct sw_http_server_conf server;
    const char *path; /**< "/" answers on every path, another value only there */
    struct {
        bool enabled;
        const char *healthy; /**< raw text instead of JSON */
        const char *unhealthy;
    } response_body;
    struct {
        bool enabled;
        const char *interval;
        int64_t exporter_failure_threshold;
    } check_collector_pipeline;
    bool use_v2;
};

extern const struct sw_component sw_health_check;

#endif
