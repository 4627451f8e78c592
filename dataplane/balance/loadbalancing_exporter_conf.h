/* Configuration of the `load_balancing` exporter, formerly `loadbalancing` (Collector v0.159). */
#ifndef SW_BALANCE_LOADBALANCING_EXPORTER_CONF_H
#define SW_BALANCE_LOADBALANCING_EXPORTER_CONF_H

#include "dataplane/pipeline/component.h"
#include "dataplane/send/otlp_exporter_conf.h"

struct sw_resolver_static_conf {
    struct sw_list hostnames; /**< const char * */
};

struct sw_resolver_dns_conf {
    const char *hostname;
    struct sw_value port;  /**< as written */
    const char *port_text; /**< the port as it stands in the endpoints; "": they have none */
    int64_t interval_ns;
    int64_t timeout_ns;
};

struct sw_resolver_k8s_conf {
    const char *service;
    struct sw_list ports; /**< int32_t */
    int64_t timeout_ns;
    bool return_hostnames;
};

struct sw_resolver_aws_conf {
    const char *namespace_name;
    const char *service_name;
    const char *health_status;
    const char *owner_account;
    int64_t interval_ns;
    int64_t timeout_ns;
    uint16_t port;
};

/** At least one signal takes each of these; sw_loadbalancing_key says which. */
enum sw_routing_key {
    SW_ROUTE_TRACE_ID,
    SW_ROUTE_SERVICE,
    SW_ROUTE_RESOURCE,
    SW_ROUTE_METRIC,
    SW_ROUTE_STREAM_ID,
    SW_ROUTE_ATTRIBUTES,
};

struct sw_loadbalancing_exporter_conf {
    const char *routing_key;
    struct sw_list routing_attributes; /**< const char * */
    int64_t timeout_ns; /**< of the whole, 0: 5 s, as the Collector's helper has it */
    struct sw_retry_on_failure_conf retry_on_failure;
    struct sw_sending_queue_conf sending_queue;
    struct {
        struct sw_otlp_exporter_conf otlp; /**< of each backend; its endpoint is not used */
    } protocol;
    struct {
        struct sw_resolver_static_conf *static_list; /**< exactly one of these */
        struct sw_resolver_dns_conf *dns;
        struct sw_resolver_k8s_conf *k8s;
        struct sw_resolver_aws_conf *aws_cloud_map;
    } resolver;
};

extern const struct sw_component sw_loadbalancing_exporter;

/** The routing key that a text means for a signal (bit of the signal as in SW_FOR_TRACES), "" being
 * the signal's own. @return enum sw_routing_key, or -1: the signal does not take it */
int sw_loadbalancing_key(const char *text, unsigned signal_bit);

#endif
