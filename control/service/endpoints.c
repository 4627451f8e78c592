/* Endpoints without meaning: what is a correct text and still cannot work as its author thinks. */
#include "control/health/health_check_conf.h"
#include "control/service/findings_internal.h"
#include "control/service/listener.h"
#include "control/zpages/zpages_conf.h"
#include "dataplane/balance/loadbalancing_exporter_conf.h"
#include "dataplane/base/assert.h"
#include "dataplane/receive/otlp_receiver_conf.h"
#include "dataplane/send/otlp_exporter_conf.h"
#include "dataplane/send/otlphttp_exporter_conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVERS_MAX 64
#define HOST_MAX    256

/* A place where this program listens. */
struct server {
    const struct sw_conf_component *component; // NULL: a page of our own metrics
    const char *key;
    char host[HOST_MAX];
    uint16_t port;
};

struct servers {
    unsigned count;
    struct server items[SERVERS_MAX];
};

static const char *name_of(const struct server *server)
{
    return server->component != NULL ? server->component->id : "service::telemetry::metrics";
}

/* ---- servers ---- */

// A text that is no endpoint is told elsewhere.
static void add_server(
    struct servers *servers,
    const struct sw_conf_component *component,
    const char *key,
    const char *endpoint,
    int transport
)
{
    struct server *server = &servers->items[servers->count];
    bool tcp = transport <= SW_TRANSPORT_TCP6;
    if (tcp && servers->count < SERVERS_MAX
        && sw_endpoint_split(endpoint, server->host, sizeof(server->host), &server->port)
               == SW_OK) {
        server->component = component;
        server->key = key;
        servers->count++;
    }
}

static void add_component(struct servers *servers, const struct sw_conf_component *item)
{
    if (item->component == &sw_otlp_receiver) {
        const struct sw_otlp_receiver_conf *conf = item->conf;
        const struct sw_http_server_conf *http = &conf->protocols.http.server;
        if (conf->protocols.grpc.enabled) {
            const struct sw_grpc_server_conf *grpc = &conf->protocols.grpc;
            add_server(servers, item, "protocols::grpc::endpoint", grpc->endpoint, grpc->transport);
        }
        if (conf->protocols.http.enabled) {
            add_server(servers, item, "protocols::http::endpoint", http->endpoint, http->transport);
        }
    } else if (item->component == &sw_health_check) {
        const struct sw_health_check_conf *conf = item->conf;
        add_server(servers, item, "endpoint", conf->server.endpoint, conf->server.transport);
    } else if (item->component == &sw_zpages) {
        const struct sw_zpages_conf *conf = item->conf;
        add_server(servers, item, "endpoint", conf->server.endpoint, conf->server.transport);
    }
}

static void add_pages(struct servers *servers, const struct sw_service_conf *conf)
{
    const struct sw_list *readers = &conf->telemetry.metrics.readers;
    for (size_t i = 0; i < readers->count && servers->count < SERVERS_MAX
                       && conf->telemetry.metrics.level != SW_METRICS_NONE;
         i++) {
        const struct sw_reader_conf *reader = &SW_LIST_AT(*readers, struct sw_reader_conf, i);
        const struct sw_pull_reader_conf *page = &reader->pull.exporter.prometheus.page;
        struct server *server = &servers->items[servers->count];
        if (!reader->pull.enabled || !reader->pull.exporter.prometheus.enabled) {
            continue;
        }
        snprintf(server->host, sizeof(server->host), "%s", page->host);
        server->port = page->port;
        server->component = NULL;
        server->key = "";
        servers->count++;
    }
}

static bool is_any(const char *host)
{
    return host[0] == '\0' || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

static bool is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0
           || strcmp(host, "::1") == 0;
}

// "localhost" is 127.0.0.1 for a listener; names are compared as texts.
static bool overlap(const char *a, const char *b)
{
    const char *left = strcmp(a, "localhost") == 0 ? "127.0.0.1" : a;
    const char *right = strcmp(b, "localhost") == 0 ? "127.0.0.1" : b;
    return is_any(left) || is_any(right) || strcmp(left, right) == 0;
}

static void check_servers(struct findings *findings, const struct servers *servers)
{
    for (unsigned i = 0; i < servers->count; i++) {
        const struct server *server = &servers->items[i];
        if (server->component != NULL && server->port == 0) {
            sw_finding(
                findings,
                server->component,
                server->key,
                "port 0 is any free port: nobody knows which one it will be"
            );
        }
        for (unsigned k = 0; k < i && server->port != 0; k++) {
            const struct server *other = &servers->items[k];
            const struct server *told = server->component != NULL ? server : other;
            if (other->port != server->port || !overlap(other->host, server->host)
                || told->component == NULL) {
                continue;
            }
            sw_finding(
                findings,
                told->component,
                told->key,
                "port %u is taken by \"%s\" too: the start will fail",
                (unsigned)server->port,
                name_of(told == server ? other : server)
            );
        }
    }
}

/* ---- exporters ---- */

/* Where an exporter sends to. */
struct target {
    const struct sw_conf_component *component;
    const char *key;
    char host[HOST_MAX];
    unsigned port; // 0: not written
    bool has_port;
    const char *path; // from its slash on, "" without
};

// Schemes whose rest is host:port, the Collector's and the resolvers of gRPC. @return the rest, NULL for others
static const char *without_scheme(const char *text)
{
    static const char *const schemes[] = {
        "http://", "https://", "dns:///", "passthrough:///", "dns:"};
    for (size_t i = 0; i < SW_ARRAY_SIZE(schemes); i++) {
        if (strncmp(text, schemes[i], strlen(schemes[i])) == 0) {
            return text + strlen(schemes[i]);
        }
    }
    return strncmp(text, "unix:", 5) == 0 || strstr(text, "://") != NULL ? NULL : text;
}

static bool parse_target(const char *text, struct target *target)
{
    const char *at = without_scheme(text);
    if (at == NULL || at[0] == '\0') {
        return false;
    }
    const char *end = at[0] == '[' ? strchr(at, ']') : at + strcspn(at, ":/?#");
    if (end == NULL) {
        return false;
    }
    const char *host = at[0] == '[' ? at + 1 : at;
    snprintf(target->host, sizeof(target->host), "%.*s", (int)(end - host), host);
    end += *end == ']';
    target->has_port = *end == ':';
    target->port = target->has_port ? (unsigned)strtoul(end + 1, NULL, 10) : 0;
    target->path = end + strcspn(end, "/");
    return true;
}

static bool hands_to(
    const struct sw_conf *conf,
    const struct sw_conf_component *receiver,
    const struct sw_conf_component *exporter
)
{
    for (size_t i = 0; i < conf->pipelines_count; i++) {
        const struct sw_conf_pipeline *pipeline = &conf->pipelines[i];
        bool from = false;
        bool to = false;
        for (size_t k = 0; k < pipeline->receivers_count; k++) {
            from |= pipeline->receivers[k] == receiver;
        }
        for (size_t k = 0; k < pipeline->exporters_count; k++) {
            to |= pipeline->exporters[k] == exporter;
        }
        if (from && to) {
            return true;
        }
    }
    return false;
}

// A receiver that the target is, and whose data goes to the target's exporter.
static bool is_circle(
    const struct sw_conf *conf,
    const struct server *server,
    const struct target *target,
    bool is_own
)
{
    bool same =
        strcmp(server->host, target->host) == 0 || (is_own && overlap(server->host, target->host));
    return server->component != NULL && same && server->port == target->port
           && hands_to(conf, server->component, target->component);
}

static void
check_loop(struct findings *findings, const struct servers *servers, const struct target *target)
{
    for (unsigned i = 0; i < servers->count; i++) {
        const struct server *server = &servers->items[i];
        if (is_circle(findings->conf, server, target, is_loopback(target->host))) {
            sw_finding(
                findings,
                target->component,
                target->key,
                "is our own receiver \"%s\", whose data comes here: it would go round in circles",
                server->component->id
            );
        }
    }
}

static void
check_target(struct findings *findings, const struct servers *servers, const struct target *target)
{
    if (strcmp(target->host, "0.0.0.0") == 0 || strcmp(target->host, "::") == 0) {
        sw_finding(
            findings,
            target->component,
            target->key,
            "%s is where a server listens, not an address to send to",
            target->host
        );
    }
    if (target->has_port && target->port == 0) {
        sw_finding(findings, target->component, target->key, "nobody can listen on port 0");
    }
    check_loop(findings, servers, target);
}

static void check_grpc(
    struct findings *findings,
    const struct servers *servers,
    const struct sw_conf_component *item
)
{
    const struct sw_otlp_exporter_conf *conf = item->conf;
    struct target target = {.component = item, .key = "endpoint"};
    if (!parse_target(conf->client.endpoint, &target)) {
        return;
    }
    check_target(findings, servers, &target);
    if (target.port == 4318) {
        sw_finding(
            findings,
            item,
            target.key,
            "4318 is the port of OTLP over HTTP and this exporter speaks gRPC: 4317 or "
            "otlp_http?"
        );
    }
}

static void check_url(
    struct findings *findings,
    const struct servers *servers,
    const struct sw_conf_component *item,
    const char *key,
    const char *url
)
{
    struct target target = {.component = item, .key = key};
    if (url[0] == '\0' || !parse_target(url, &target)) {
        return;
    }
    check_target(findings, servers, &target);
    if (target.port == 4317) {
        sw_finding(
            findings,
            item,
            key,
            "4317 is the port of OTLP over gRPC and this exporter speaks HTTP: 4318 or "
            "otlp_grpc?"
        );
    }
    static const char *const paths[] = {"/v1/traces", "/v1/metrics", "/v1/logs"};
    for (size_t i = 0; strcmp(key, "endpoint") == 0 && i < SW_ARRAY_SIZE(paths); i++) {
        if (strncmp(target.path, paths[i], strlen(paths[i])) == 0) {
            sw_finding(
                findings,
                item,
                key,
                "the path of each signal is appended: %s%s. Write the base, or %s_endpoint",
                paths[i],
                paths[i],
                paths[i] + strlen("/v1/")
            );
        }
    }
}

static void check_balance(
    struct findings *findings,
    const struct servers *servers,
    const struct sw_conf_component *item
)
{
    const struct sw_loadbalancing_exporter_conf *conf = item->conf;
    const struct sw_resolver_static_conf *hosts = conf->resolver.static_list;
    for (size_t i = 0; hosts != NULL && i < hosts->hostnames.count; i++) {
        struct target target = {.component = item, .key = "resolver::static::hostnames"};
        if (parse_target(SW_LIST_AT(hosts->hostnames, const char *, i), &target)) {
            // Without a port it is the one of OTLP over gRPC.
            target.port = target.has_port ? target.port : 4317;
            check_target(findings, servers, &target);
        }
    }
}

static void check_exporter(
    struct findings *findings,
    const struct servers *servers,
    const struct sw_conf_component *item
)
{
    if (item->component == &sw_otlp_exporter) {
        check_grpc(findings, servers, item);
    } else if (item->component == &sw_loadbalancing_exporter) {
        check_balance(findings, servers, item);
    } else if (item->component == &sw_otlphttp_exporter) {
        const struct sw_otlphttp_exporter_conf *conf = item->conf;
        check_url(findings, servers, item, "endpoint", conf->client.endpoint);
        check_url(findings, servers, item, "traces_endpoint", conf->traces_endpoint);
        check_url(findings, servers, item, "metrics_endpoint", conf->metrics_endpoint);
        check_url(findings, servers, item, "logs_endpoint", conf->logs_endpoint);
    }
}

static void collect(struct servers *servers, const struct sw_conf *conf)
{
    for (size_t i = 0; i < conf->components_count; i++) {
        if (conf->components[i].used) {
            add_component(servers, &conf->components[i]);
        }
    }
}

void sw_findings_endpoints(struct findings *findings)
{
    const struct sw_conf *conf = findings->conf;
    struct servers servers = {.count = 0};
    add_pages(&servers, &conf->service);
    collect(&servers, conf);
    check_servers(findings, &servers);
    for (size_t i = 0; i < conf->components_count; i++) {
        if (conf->components[i].used) {
            check_exporter(findings, &servers, &conf->components[i]);
        }
    }
}

const struct sw_conf_component *
sw_findings_circle(const struct sw_conf *conf, const char *hostname, const char *address)
{
    struct servers servers = {.count = 0};
    collect(&servers, conf);
    for (size_t i = 0; i < conf->components_count; i++) {
        const struct sw_conf_component *item = &conf->components[i];
        const struct sw_loadbalancing_exporter_conf *balance = item->conf;
        struct target target = {.component = item};
        if (!item->used || item->component != &sw_loadbalancing_exporter
            || balance->resolver.dns == NULL
            || strcmp(balance->resolver.dns->hostname, hostname) != 0
            || !parse_target(address, &target)) {
            continue;
        }
        const char *port = balance->resolver.dns->port_text;
        target.port = port[0] != '\0' ? (unsigned)strtoul(port, NULL, 10) : 4317;
        for (unsigned k = 0; k < servers.count; k++) {
            if (is_circle(conf, &servers.items[k], &target, true)) {
                return item;
            }
        }
    }
    return NULL;
}
