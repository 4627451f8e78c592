#include "dataplane/balance/peers.h"

#include "dataplane/balance/peers_internal.h"
#include "dataplane/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- this process ---- */

static bool matches(const struct sw_peers_self *self, const char *host, size_t host_len, long port)
{
    size_t len = strlen(self->host);
    if (self->port != 0 && self->port != port) {
        return false;
    }
    bool same = host_len == len && memcmp(host, self->host, len) == 0;
    bool below =
        self->domain && host_len > len && memcmp(host, self->host, len) == 0 && host[len] == '.';
    return same || below;
}

bool sw_peers_is_self(const struct sw_peers *peers, const char *dial)
{
    const char *colon = strrchr(dial, ':');
    size_t host_len = colon != NULL ? (size_t)(colon - dial) : strlen(dial);
    long port = colon != NULL ? strtol(colon + 1, NULL, 10) : 0;
    for (unsigned i = 0; i < peers->conf->self_count; i++) {
        if (matches(&peers->conf->self[i], dial, host_len, port)) {
            return true;
        }
    }
    return false;
}

/* ---- making ---- */

// The others are reached as the backends of a load-balancing exporter are, without queue and retry.
static void fill_conf(struct sw_peers *peers)
{
    const struct sw_peers_conf *conf = peers->conf;
    peers->static_conf.hostnames = conf->hostnames;
    peers->dns_conf = (struct sw_resolver_dns_conf){
        .hostname = conf->dns_hostname,
        .port_text = conf->dns_port,
        .interval_ns = conf->dns_interval_ns,
        .timeout_ns = conf->dns_timeout_ns,
    };
    bool dns = conf->dns_hostname != NULL;
    peers->lb_conf = (struct sw_loadbalancing_exporter_conf){
        .routing_key = "",
        .sending_queue = {.storage = ""},
        .protocol.otlp =
            {
                .client =
                    {
                        .compression = SW_COMPRESSION_NONE,
                        .headers = {&peers->header, 1},
                        .user_agent = "",
                        .balancer_name = "pick_first",
                        .authority = "",
                    },
                .sending_queue = {.storage = ""},
            },
        .resolver =
            {
                .static_list = dns ? NULL : &peers->static_conf,
                .dns = dns ? &peers->dns_conf : NULL,
            },
    };
}

static void fill_balance(struct sw_peers *peers, const struct sw_stage_env *env)
{
    peers->balance = (struct balance){
        .conf = &peers->lb_conf,
        .id = "peers",
        .backend_id = "peers",
        .signal = SW_TRACES,
        .key = SW_ROUTE_TRACE_ID,
        .generation = peers->conf->generation,
        .cores_count = env->cores_count,
        .metrics = env->metrics,
        .resolver = env->resolver,
        .account = env->account,
        .environment = env->environment,
        .resolver_name = peers->conf->dns_hostname != NULL ? "dns" : "static",
        .apply = sw_gateway_apply,
        .path = SW_PEER_FORWARD,
        .quiet = true,
    };
}

// What stands in a list is wrong for good.
static int check_endpoints(const struct sw_peers *peers, const struct sw_stage_env *env)
{
    const struct topology *topology = peers->balance.topology;
    for (unsigned i = 0; i < topology->count; i++) {
        const struct endpoint *endpoint = topology->members[topology->member_of[i]];
        if (endpoint->calls == NULL) {
            if (env->error != NULL) {
                snprintf(
                    env->error,
                    env->error_size,
                    "peers: \"%s\": %.200s",
                    topology->texts[i],
                    endpoint->why
                );
            }
            return SW_E_INVALID;
        }
    }
    return SW_OK;
}

int sw_peers_new(
    const struct sw_stage_env *env,
    const struct sw_peers_conf *conf,
    struct sw_peers **ret_peers
)
{
    struct sw_peers *peers = sw_zalloc(sizeof(*peers));
    if (peers == NULL) {
        return SW_E_NOMEM;
    }
    peers->conf = conf;
    peers->header = (struct sw_pair){.name = SW_PEER_PIPELINE, .value = env->pipeline};
    fill_conf(peers);
    fill_balance(peers, env);
    sw_peers_tell_init(peers);
    peers->door.pipeline = env->pipeline;
    peers->door.entries = sw_zalloc(env->cores_count * sizeof(struct sw_stage *));
    int err = peers->door.entries != NULL ? sw_topology_begin(&peers->balance, env) : SW_E_NOMEM;
    if (err == SW_OK) {
        err = check_endpoints(peers, env);
    }
    if (err != SW_OK) {
        sw_peers_free(peers);
        return err;
    }
    *ret_peers = peers;
    return SW_OK;
}

void sw_peers_free(struct sw_peers *peers)
{
    if (peers != NULL) {
        sw_topology_end(&peers->balance);
        sw_free(peers->door.entries);
        sw_free(peers);
    }
}

struct sw_decisions *sw_peers_decisions(struct sw_peers *peers)
{
    return &peers->decisions;
}

struct sw_peer_door *sw_peers_door(struct sw_peers *peers)
{
    return &peers->door;
}

void sw_peers_each(
    const struct sw_peers *peers,
    void (*visit)(void *context, const char *address),
    void *context
)
{
    const struct topology *topology = peers->balance.topology;
    for (unsigned i = 0; topology != NULL && i < topology->count; i++) {
        const struct endpoint *endpoint = topology->members[topology->member_of[i]];
        if (endpoint->calls != NULL && !sw_peers_is_self(peers, endpoint->dial)) {
            visit(context, endpoint->dial);
        }
    }
}
