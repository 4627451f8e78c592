#include "dataplane/balance/loadbalancing_exporter_conf.h"

#include "dataplane/balance/loadbalancing_exporter.h"

#include <stdio.h>
#include <string.h>

// The helper's defaults do not reach these (exporter/loadbalancingexporter/factory.go): off, and all zero.
static const struct sw_preset retry_presets[] = {
    {"enabled", "false"},
    {"initial_interval", "0s"},
    {"randomization_factor", "0"},
    {"multiplier", "0"},
    {"max_interval", "0s"},
    {"max_elapsed_time", "0s"},
    {NULL, NULL},
};

// clang-format off
static const struct sw_field static_fields[] = {
    SW_STRINGS("hostnames", struct sw_resolver_static_conf, hostnames, NULL,
               "the backends, host or host:port"),
    SW_FIELD_END,
};

static const struct sw_field dns_fields[] = {
    SW_STRING("hostname", struct sw_resolver_dns_conf, hostname, NULL,
              "its addresses are the backends"),
    SW_VALUE("port", struct sw_resolver_dns_conf, port, "of the backends, a text"),
    SW_DURATION("interval", struct sw_resolver_dns_conf, interval_ns, "5s",
                "between two lookups; 0 is the default"),
    SW_DURATION("timeout", struct sw_resolver_dns_conf, timeout_ns, "1s",
                "limit of a lookup; 0 is the default"),
    SW_FIELD_END,
};

static const struct sw_field k8s_fields[] = {
    SW_STRING("service", struct sw_resolver_k8s_conf, service, NULL,
              "name or name.namespace of the service"),
    {.key = "ports", .help = "of each address", .kind = SW_FIELD_SCALARS, .item_kind = SW_FIELD_INT,
     .offset = offsetof(struct sw_resolver_k8s_conf, ports), .size = sizeof(struct sw_list)},
    SW_DURATION("timeout", struct sw_resolver_k8s_conf, timeout_ns, "1m", "limit of a request"),
    SW_BOOL("return_hostnames", struct sw_resolver_k8s_conf, return_hostnames, "false",
            "names instead of addresses"),
    SW_FIELD_END,
};

static const struct sw_field aws_fields[] = {
    SW_STRING("namespace", struct sw_resolver_aws_conf, namespace_name, NULL, "of the service"),
    SW_STRING("service_name", struct sw_resolver_aws_conf, service_name, NULL, "of the service"),
    SW_STRING("health_status", struct sw_resolver_aws_conf, health_status, NULL, "which instances"),
    SW_STRING("owner_account", struct sw_resolver_aws_conf, owner_account, NULL, "of the namespace",
              .flags = SW_FIELD_OMIT),
    SW_DURATION("interval", struct sw_resolver_aws_conf, interval_ns, "30s",
                "between two lookups"),
    SW_DURATION("timeout", struct sw_resolver_aws_conf, timeout_ns, "5s", "limit of a lookup"),
    SW_UINT("port", struct sw_resolver_aws_conf, port, "0", "of the backends", .flags = SW_FIELD_OMIT),
    SW_FIELD_END,
};
// clang-format on

static void otlp_check(void *section, struct sw_check *check)
{
    struct sw_otlp_exporter_conf *conf = section;
    if (conf->timeout_ns < 0) {
        sw_complain(check, SW_COMPLAINT_ERROR, "timeout", "must be non-negative");
    }
    if (conf->client.endpoint[0] == '\0') {
        conf->client.endpoint = "placeholder:4317"; // each backend's own takes its place
    }
    sw_grpc_client_check(&conf->client, check);
    if (conf->sending_queue.enabled && conf->sending_queue.storage[0] != '\0') {
        sw_complain(
            check,
            SW_COMPLAINT_AT_START,
            "sending_queue::storage",
            "is not supported for each backend; use the sending_queue of the exporter itself"
        );
    }
}

static void dns_check(void *section, struct sw_check *check)
{
    struct sw_resolver_dns_conf *conf = section;
    char text[24];
    conf->port_text = "";
    switch (conf->port.kind) {
    case SW_VALUE_NULL:
        break;
    case SW_VALUE_STRING:
        conf->port_text = conf->port.string;
        break;
    case SW_VALUE_INT:
        snprintf(text, sizeof(text), "%lld", (long long)conf->port.integer);
        conf->port_text = check->keep(check, text);
        sw_complain(
            check,
            SW_COMPLAINT_OLD,
            "port",
            "a number is an older spelling, write it as a text: \"%s\"",
            text
        );
        break;
    default:
        sw_complain(check, SW_COMPLAINT_ERROR, "port", "expected type 'string'");
        break;
    }
    if (conf->hostname[0] == '\0') {
        sw_complain(
            check, SW_COMPLAINT_BUILD, "hostname", "no hostname specified to resolve the backends"
        );
    }
    if (conf->interval_ns < 0) {
        sw_complain(check, SW_COMPLAINT_ERROR, "interval", "must not be negative");
    }
    if (conf->timeout_ns < 0) {
        sw_complain(check, SW_COMPLAINT_ERROR, "timeout", "must not be negative");
    }
    conf->interval_ns = conf->interval_ns != 0 ? conf->interval_ns : 5000000000;
    conf->timeout_ns = conf->timeout_ns != 0 ? conf->timeout_ns : 1000000000;
}

static void static_check(void *section, struct sw_check *check)
{
    const struct sw_resolver_static_conf *conf = section;
    if (conf->hostnames.count == 0) {
        sw_complain(
            check, SW_COMPLAINT_BUILD, "hostnames", "no endpoints specified for the static resolver"
        );
    }
}

static void k8s_check(void *section, struct sw_check *check)
{
    const struct sw_resolver_k8s_conf *conf = section;
    if (conf->service[0] == '\0') {
        sw_complain(
            check, SW_COMPLAINT_BUILD, "service", "no service specified to resolve the backends"
        );
    }
}

static void aws_check(void *section, struct sw_check *check)
{
    const struct sw_resolver_aws_conf *conf = section;
    if (conf->namespace_name[0] == '\0' || conf->service_name[0] == '\0') {
        sw_complain(
            check,
            SW_COMPLAINT_BUILD,
            NULL,
            "namespace and service_name must be specified to resolve the backends"
        );
    }
}

// clang-format off
static const struct sw_field resolver_fields[] = {
    SW_POINTER("static", struct sw_loadbalancing_exporter_conf, resolver.static_list, static_fields,
               "a list", .check = static_check),
    SW_POINTER("dns", struct sw_loadbalancing_exporter_conf, resolver.dns, dns_fields,
               "the addresses of a name, looked up again and again", .check = dns_check),
    SW_POINTER("k8s", struct sw_loadbalancing_exporter_conf, resolver.k8s, k8s_fields,
               "the endpoints of a Kubernetes service", .check = k8s_check, .support = SW_NOT_YET,
               .note = "use dns with the name of a headless service"),
    SW_POINTER("aws_cloud_map", struct sw_loadbalancing_exporter_conf, resolver.aws_cloud_map, aws_fields,
               "the instances of an AWS Cloud Map service", .check = aws_check, .support = SW_NOT_YET,
               .note = "use dns"),
    SW_FIELD_END,
};

static const struct sw_field protocol_fields[] = {
    SW_STRUCT("otlp", struct sw_loadbalancing_exporter_conf, protocol.otlp, sw_otlp_exporter_fields,
              "how each backend is reached; its endpoint comes from the resolver", .check = otlp_check),
    SW_FIELD_END,
};

static const struct sw_field exporter_fields[] = {
    SW_STRING("routing_key", struct sw_loadbalancing_exporter_conf, routing_key, "",
              "what goes to the same backend: traceID, service, resource, metric, streamID, attributes; "
              "not set: traceID for traces, service for metrics and logs"),
    SW_STRINGS("routing_attributes", struct sw_loadbalancing_exporter_conf, routing_attributes, NULL,
               "names, with routing_key attributes", .flags = SW_FIELD_OMIT),
    SW_DURATION("timeout", struct sw_loadbalancing_exporter_conf, timeout_ns, "0s",
                "limit of one attempt over all backends; 0 is 5s"),
    SW_RETRY_ON_FAILURE(struct sw_loadbalancing_exporter_conf, retry_on_failure, .presets = retry_presets),
    SW_SENDING_QUEUE(struct sw_loadbalancing_exporter_conf, sending_queue),
    SW_SECTION("protocol", struct sw_loadbalancing_exporter_conf, protocol_fields, "of the backends"),
    SW_SECTION("resolver", struct sw_loadbalancing_exporter_conf, resolver_fields,
               "where the backends are known from: exactly one"),
    SW_FIELD_END,
};
// clang-format on

static const struct {
    const char *text;
    enum sw_routing_key key;
    unsigned signals;
} keys[] = {
    {"traceID", SW_ROUTE_TRACE_ID, SW_FOR_TRACES | SW_FOR_LOGS},
    {"service", SW_ROUTE_SERVICE, SW_FOR_OTLP},
    {"resource", SW_ROUTE_RESOURCE, SW_FOR_METRICS | SW_FOR_LOGS},
    {"metric", SW_ROUTE_METRIC, SW_FOR_METRICS},
    {"streamID", SW_ROUTE_STREAM_ID, SW_FOR_METRICS},
    {"attributes", SW_ROUTE_ATTRIBUTES, SW_FOR_OTLP},
};

int sw_loadbalancing_key(const char *text, unsigned signal_bit)
{
    if (text[0] == '\0') {
        return (signal_bit & SW_FOR_TRACES) != 0 ? SW_ROUTE_TRACE_ID : SW_ROUTE_SERVICE;
    }
    for (size_t i = 0; i < SW_ARRAY_SIZE(keys); i++) {
        if (strcmp(keys[i].text, text) == 0 && (keys[i].signals & signal_bit) != 0) {
            return keys[i].key;
        }
    }
    return -1;
}

static void check_key(const struct sw_loadbalancing_exporter_conf *conf, struct sw_check *check)
{
    bool attributes = strcmp(conf->routing_key, "attributes") == 0;
    if (sw_loadbalancing_key(conf->routing_key, SW_FOR_OTLP) < 0) {
        sw_complain(
            check,
            SW_COMPLAINT_BUILD,
            "routing_key",
            "unsupported routing_key: %s",
            conf->routing_key
        );
    }
    if (attributes && conf->routing_attributes.count == 0) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            NULL,
            "routing_attributes must be specified when routing_key is \"attributes\""
        );
    }
    if (!attributes && conf->routing_attributes.count > 0) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            NULL,
            "routing_attributes can only be used when routing_key is \"attributes\"; got \"%s\". "
            "Remove routing_attributes or set routing_key to \"attributes\"",
            conf->routing_key
        );
    }
}

static void exporter_check(void *section, struct sw_check *check)
{
    struct sw_loadbalancing_exporter_conf *conf = section;
    int count = (conf->resolver.static_list != NULL) + (conf->resolver.dns != NULL)
                + (conf->resolver.k8s != NULL) + (conf->resolver.aws_cloud_map != NULL);
    check_key(conf, check);
    if (conf->timeout_ns < 0) {
        sw_complain(check, SW_COMPLAINT_ERROR, "timeout", "must be non-negative");
    }
    if (count == 0) {
        sw_complain(
            check, SW_COMPLAINT_BUILD, "resolver", "no resolvers specified for the exporter"
        );
    } else if (count > 1) {
        sw_complain(check, SW_COMPLAINT_BUILD, "resolver", "only one resolver should be specified");
    }
}

static const char *const old_types[] = {"loadbalancing", NULL};

const struct sw_component sw_loadbalancing_exporter = {
    .kind = SW_EXPORTER,
    .type = "load_balancing",
    .old_types = old_types,
    .fields = exporter_fields,
    .conf_size = sizeof(struct sw_loadbalancing_exporter_conf),
    .check = exporter_check,
    .signals = SW_FOR_OTLP,
    .signals_ready = SW_FOR_OTLP,
    .factory_refuses = true,
    .stability = "beta",
    .module = "dataplane/balance",
    .help = "sends what belongs together to the same one of several backends",
    .queue_offset = offsetof(struct sw_loadbalancing_exporter_conf, sending_queue),
    .retry_offset = offsetof(struct sw_loadbalancing_exporter_conf, retry_on_failure),
    .timeout_offset = offsetof(struct sw_loadbalancing_exporter_conf, timeout_ns),
    .ops = &sw_loadbalancing_exporter_class,
};
