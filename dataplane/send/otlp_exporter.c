#include "dataplane/send/otlp_exporter.h"

#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"
#include "dataplane/send/body.h"
#include "dataplane/send/channel.h"
#include "dataplane/send/export.h"
#include "dataplane/send/proxy.h"
#include "dataplane/send/user_agent.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

// grpc-go asks for at least this between PINGs.
#define KEEPALIVE_MIN_NS     (10 * SW_NS_PER_S)
#define KEEPALIVE_TIMEOUT_NS (20 * SW_NS_PER_S)

static const char *const paths[SW_SIGNALS_COUNT] = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
};

/* What the instances of all cores share: the texts made out of the configuration. */
struct shared {
    struct sw_queue_pool *pool;
    struct sw_channel_conf channel;
    char *host;
    char *authority;
    char *user_agent;
    char port[8];
    struct sw_pair *headers;
    size_t headers_count;
};

static void shared_free(void *shared_ptr)
{
    struct shared *shared = shared_ptr;
    if (shared == NULL) {
        return;
    }
    for (size_t i = 0; shared->headers != NULL && i < shared->headers_count; i++) {
        sw_free((char *)shared->headers[i].name);
    }
    sw_free(shared->headers);
    sw_free(shared->host);
    sw_free(shared->authority);
    sw_free(shared->user_agent);
    sw_queue_pool_free(shared->pool);
    sw_free(shared);
}

static int refuse(const struct sw_stage_env *env, int err, const char *key, const char *why)
{
    if (env->error != NULL) {
        snprintf(env->error, env->error_size, "%s: %s", key, why);
    }
    return err;
}

// HTTP/2 names are in lower case; Go lowers those of metadata.
static int copy_headers(struct shared *shared, const struct sw_list *headers)
{
    shared->headers = sw_zalloc(headers->count * sizeof(shared->headers[0]));
    if (shared->headers == NULL) {
        return SW_E_NOMEM;
    }
    shared->headers_count = headers->count;
    for (size_t i = 0; i < headers->count; i++) {
        const struct sw_pair *pair = &SW_LIST_AT(*headers, struct sw_pair, i);
        char *name = sw_strdup(pair->name);
        if (name == NULL) {
            return SW_E_NOMEM;
        }
        for (char *at = name; *at != '\0'; at++) {
            *at = (char)tolower((unsigned char)*at);
        }
        shared->headers[i] = (struct sw_pair){.name = name, .value = pair->value};
    }
    shared->channel.headers = (struct sw_list){shared->headers, headers->count};
    return SW_OK;
}

// As grpc-go makes it of the target: what follows scheme and slashes.
static char *
authority_of(const struct sw_grpc_client_conf *conf, const struct sw_endpoint *endpoint)
{
    if (conf->authority[0] != '\0') {
        return sw_strdup(conf->authority);
    }
    if (endpoint->unix_socket) {
        return sw_strdup("localhost");
    }
    size_t size = endpoint->host_len + 16;
    char *text = sw_alloc(size);
    bool ip6 = memchr(endpoint->host, ':', endpoint->host_len) != NULL;
    if (text != NULL) {
        snprintf(
            text,
            size,
            ip6 ? "[%.*s]:%u" : "%.*s:%u",
            (int)endpoint->host_len,
            endpoint->host,
            endpoint->port
        );
    }
    return text;
}

static int make_texts(
    struct shared *shared,
    const struct sw_grpc_client_conf *conf,
    const struct sw_endpoint *endpoint
)
{
    const char *agent = conf->user_agent[0] != '\0' ? conf->user_agent : SW_SEND_USER_AGENT;
    size_t size = strlen(agent) + sizeof(SW_SEND_GRPC_TOKEN);
    shared->host = endpoint->unix_socket ? sw_strdup(endpoint->path)
                                         : sw_strndup(endpoint->host, endpoint->host_len);
    shared->authority = authority_of(conf, endpoint);
    shared->user_agent = sw_alloc(size);
    if (shared->host == NULL || shared->authority == NULL || shared->user_agent == NULL) {
        return SW_E_NOMEM;
    }
    snprintf(shared->user_agent, size, "%s%s", agent, SW_SEND_GRPC_TOKEN);
    snprintf(shared->port, sizeof(shared->port), "%u", endpoint->port);
    return copy_headers(shared, &conf->headers);
}

// grpc-go goes through the proxy of https:// URLs, by CONNECT; going around it would not be the same.
static int refuse_proxy(const struct sw_stage_env *env, const struct sw_endpoint *endpoint)
{
    struct sw_proxy proxy;
    const char *variable = "";
    const char *why = "";
    int err = sw_proxy_of_environment(env->environment, endpoint, true, &proxy, &variable, &why);
    if (err == SW_OK && proxy.host == NULL) {
        return SW_OK;
    }
    sw_proxy_fini(&proxy);
    return refuse(
        env,
        SW_E_UNSUPPORTED,
        variable,
        "gRPC through a proxy is not supported yet, name the host of the endpoint in NO_PROXY"
    );
}

static int make_channel_conf(
    struct shared *shared,
    const struct sw_stage_env *env,
    const struct sw_grpc_client_conf *conf
)
{
    struct sw_endpoint endpoint;
    const char *why = "";
    bool pick_first = strcmp(conf->balancer_name, "pick_first") == 0;
    if (!pick_first && conf->balancer_name[0] != '\0'
        && strcmp(conf->balancer_name, "round_robin") != 0) {
        return refuse(
            env, SW_E_UNSUPPORTED, "balancer_name", "only round_robin and pick_first are supported"
        );
    }
    int err = sw_endpoint_parse_grpc(conf->endpoint, &endpoint, &why);
    if (err != SW_OK) {
        return refuse(env, err, "endpoint", why);
    }
    err = refuse_proxy(env, &endpoint);
    if (err != SW_OK) {
        return err;
    }
    err = make_texts(shared, conf, &endpoint);
    struct sw_channel_conf *channel = &shared->channel;
    channel->id = env->id;
    channel->signal = env->signal;
    channel->host = shared->host;
    channel->port = endpoint.port;
    channel->unix_socket = endpoint.unix_socket;
    channel->authority = shared->authority;
    channel->path = paths[env->signal];
    channel->user_agent = shared->user_agent;
    channel->coding = sw_send_coding_grpc(conf->compression);
    channel->wait_for_ready = conf->wait_for_ready;
    channel->pick_first = pick_first;
    if (conf->keepalive.enabled) {
        uint64_t wait_ns = (uint64_t)SW_MAX(conf->keepalive.time_ns, 0);
        channel->keepalive_ns = SW_MAX(wait_ns, KEEPALIVE_MIN_NS);
        channel->keepalive_timeout_ns = conf->keepalive.timeout_ns > 0
                                            ? (uint64_t)conf->keepalive.timeout_ns
                                            : KEEPALIVE_TIMEOUT_NS;
        channel->keepalive_without_stream = conf->keepalive.permit_without_stream;
    }
    return err;
}

static int shared_new(const struct sw_stage_env *env, const void *conf_ptr, void **ret_shared)
{
    const struct sw_otlp_exporter_conf *conf = conf_ptr;
    struct shared *shared = sw_zalloc(sizeof(*shared));
    if (shared == NULL) {
        return SW_E_NOMEM;
    }
    int err = make_channel_conf(shared, env, &conf->client);
    if (err == SW_OK) {
        err = sw_queue_pool_new(env, &conf->sending_queue, &shared->pool);
    }
    if (err != SW_OK) {
        shared_free(shared);
        return err;
    }
    *ret_shared = shared;
    return SW_OK;
}

static int create(
    const struct sw_stage_env *env,
    const void *conf_ptr,
    void *shared_ptr,
    struct sw_core *core,
    struct sw_stage *next,
    struct sw_stage **ret_stage
)
{
    const struct sw_otlp_exporter_conf *conf = conf_ptr;
    struct shared *shared = shared_ptr;
    struct sw_push *channel = NULL;
    int err = sw_channel_new(core, &shared->channel, env->resolver, env->account, &channel);
    if (err != SW_OK) {
        return err;
    }
    const struct sw_export_conf export = {
        .queue = &conf->sending_queue,
        .retry = &conf->retry_on_failure,
        .timeout_ns = (uint64_t)conf->timeout_ns,
        .labels =
            {
                {"server.address", shared->host},
                {"server.port", shared->port},
            },
        .labels_count = 2,
        .call_kind = SW_CALL_GRPC,
    };
    return sw_export_new(env, &export, shared->pool, core, channel, ret_stage);
}

const struct sw_stage_class sw_otlp_exporter_class = {
    .shared_new = shared_new,
    .shared_free = shared_free,
    .create = create,
};
