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

/* The texts made out of the configuration. */
struct sw_otlp_calls {
    struct sw_channel_conf channel;
    char *host;
    char *authority;
    char *user_agent;
    char port[8];
    struct sw_pair *headers;
    size_t headers_count;
};

/* What the instances of all cores share. */
struct shared {
    struct sw_queue_pool *pool;
    struct sw_dead_letter *dead; // NULL: there are none
    struct sw_otlp_calls *calls;
};

void sw_otlp_calls_free(struct sw_otlp_calls *calls)
{
    if (calls == NULL) {
        return;
    }
    for (size_t i = 0; calls->headers != NULL && i < calls->headers_count; i++) {
        sw_free((char *)calls->headers[i].name);
    }
    sw_free(calls->headers);
    sw_free(calls->host);
    sw_free(calls->authority);
    sw_free(calls->user_agent);
    sw_free(calls);
}

static void shared_free(void *shared_ptr)
{
    struct shared *shared = shared_ptr;
    if (shared == NULL) {
        return;
    }
    sw_otlp_calls_free(shared->calls);
    sw_dead_letter_free(shared->dead);
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
static int copy_headers(struct sw_otlp_calls *calls, const struct sw_list *headers)
{
    calls->headers = sw_zalloc(headers->count * sizeof(calls->headers[0]));
    if (calls->headers == NULL) {
        return SW_E_NOMEM;
    }
    calls->headers_count = headers->count;
    for (size_t i = 0; i < headers->count; i++) {
        const struct sw_pair *pair = &SW_LIST_AT(*headers, struct sw_pair, i);
        char *name = sw_strdup(pair->name);
        if (name == NULL) {
            return SW_E_NOMEM;
        }
        for (char *at = name; *at != '\0'; at++) {
            *at = (char)tolower((unsigned char)*at);
        }
        calls->headers[i] = (struct sw_pair){.name = name, .value = pair->value};
    }
    calls->channel.headers = (struct sw_list){calls->headers, headers->count};
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
    struct sw_otlp_calls *calls,
    const struct sw_grpc_client_conf *conf,
    const struct sw_endpoint *endpoint
)
{
    const char *agent = conf->user_agent[0] != '\0' ? conf->user_agent : SW_SEND_USER_AGENT;
    size_t size = strlen(agent) + sizeof(SW_SEND_GRPC_TOKEN);
    calls->host = endpoint->unix_socket ? sw_strdup(endpoint->path)
                                        : sw_strndup(endpoint->host, endpoint->host_len);
    calls->authority = authority_of(conf, endpoint);
    calls->user_agent = sw_alloc(size);
    if (calls->host == NULL || calls->authority == NULL || calls->user_agent == NULL) {
        return SW_E_NOMEM;
    }
    snprintf(calls->user_agent, size, "%s%s", agent, SW_SEND_GRPC_TOKEN);
    snprintf(calls->port, sizeof(calls->port), "%u", endpoint->port);
    return copy_headers(calls, &conf->headers);
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
    struct sw_otlp_calls *calls,
    const struct sw_stage_env *env,
    const struct sw_grpc_client_conf *conf,
    const char *target
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
    int err = sw_endpoint_parse_grpc(target, &endpoint, &why);
    if (err != SW_OK) {
        return refuse(env, err, "endpoint", why);
    }
    err = refuse_proxy(env, &endpoint);
    if (err != SW_OK) {
        return err;
    }
    err = make_texts(calls, conf, &endpoint);
    struct sw_channel_conf *channel = &calls->channel;
    channel->id = env->id;
    channel->signal = env->signal;
    channel->host = calls->host;
    channel->port = endpoint.port;
    channel->unix_socket = endpoint.unix_socket;
    channel->authority = calls->authority;
    channel->path = paths[env->signal];
    channel->user_agent = calls->user_agent;
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

int sw_otlp_calls_new(
    const struct sw_stage_env *env,
    const struct sw_grpc_client_conf *conf,
    const char *endpoint,
    struct sw_otlp_calls **ret_calls
)
{
    struct sw_otlp_calls *calls = sw_zalloc(sizeof(*calls));
    if (calls == NULL) {
        return SW_E_NOMEM;
    }
    int err = make_channel_conf(calls, env, conf, endpoint);
    if (err != SW_OK) {
        sw_otlp_calls_free(calls);
        return err;
    }
    *ret_calls = calls;
    return SW_OK;
}

void sw_otlp_calls_path(struct sw_otlp_calls *calls, const char *path)
{
    calls->channel.path = path;
}

int sw_otlp_calls_open(
    const struct sw_otlp_calls *calls,
    struct sw_core *core,
    struct sw_resolver *resolver,
    struct sw_account *account,
    struct sw_push **ret_push
)
{
    return sw_channel_new(core, &calls->channel, resolver, account, ret_push);
}

static int shared_new(const struct sw_stage_env *env, const void *conf_ptr, void **ret_shared)
{
    const struct sw_otlp_exporter_conf *conf = conf_ptr;
    struct shared *shared = sw_zalloc(sizeof(*shared));
    if (shared == NULL) {
        return SW_E_NOMEM;
    }
    int err = sw_otlp_calls_new(env, &conf->client, conf->client.endpoint, &shared->calls);
    if (err == SW_OK) {
        err = sw_queue_pool_new(env, &conf->sending_queue, &shared->pool);
    }
    if (err == SW_OK) {
        err = sw_dead_letter_new(env, &shared->dead);
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
    int err = sw_otlp_calls_open(shared->calls, core, env->resolver, env->account, &channel);
    if (err != SW_OK) {
        return err;
    }
    const struct sw_export_conf export = {
        .queue = &conf->sending_queue,
        .retry = &conf->retry_on_failure,
        .dead = shared->dead,
        .timeout_ns = (uint64_t)conf->timeout_ns,
        .labels =
            {
                {"server.address", shared->calls->host},
                {"server.port", shared->calls->port},
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
    .options = true,
};
