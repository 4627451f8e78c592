#include "dataplane/send/otlphttp_exporter.h"

#include "dataplane/base/mem.h"
#include "dataplane/send/body.h"
#include "dataplane/send/export.h"
#include "dataplane/send/http_pool.h"
#include "dataplane/send/proxy.h"
#include "dataplane/send/user_agent.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

// Where the Collector's max_idle_conns is for all hosts together, ours is a core's.
#define IDLE_DEFAULT 100

/* What the instances of all cores share: the texts made out of the configuration. */
struct shared {
    struct sw_queue_pool *pool;
    struct sw_dead_letter *dead; // NULL: there are none
    struct sw_http_pool_conf http;
    char *url;
    char *host;
    char *authority;
    const char *path; // within url, or "/"
    struct sw_proxy proxy;
    char *proxy_target; // what a proxy is asked for
    char port[8];
};

static void shared_free(void *shared_ptr)
{
    struct shared *shared = shared_ptr;
    if (shared == NULL) {
        return;
    }
    sw_free(shared->url);
    sw_free(shared->host);
    sw_free(shared->authority);
    sw_free(shared->proxy_target);
    sw_proxy_fini(&shared->proxy);
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

// The signal's own URL, or the endpoint without trailing slash and the standard path.
static char *url_of(const struct sw_otlphttp_exporter_conf *conf, enum sw_signal signal)
{
    static const char *const suffixes[SW_SIGNALS_COUNT] = {"/v1/traces", "/v1/metrics", "/v1/logs"};
    const char *own[SW_SIGNALS_COUNT] = {
        conf->traces_endpoint,
        conf->metrics_endpoint,
        conf->logs_endpoint,
    };
    if (own[signal] != NULL && own[signal][0] != '\0') {
        return sw_strdup(own[signal]);
    }
    const char *base = conf->client.endpoint;
    size_t len = strlen(base);
    len -= len > 0 && base[len - 1] == '/' ? 1 : 0;
    size_t size = len + strlen(suffixes[signal]) + 1;
    char *url = sw_alloc(size);
    if (url != NULL) {
        snprintf(url, size, "%.*s%s", (int)len, base, suffixes[signal]);
    }
    return url;
}

// Host header: as it stands in the URL, with the port only if it is written there.
static char *authority_of(const char *url)
{
    const char *begin = strstr(url, "://");
    begin = begin != NULL ? begin + 3 : url;
    return sw_strndup(begin, strcspn(begin, "/?#"));
}

static int make_texts(
    struct shared *shared,
    const struct sw_stage_env *env,
    const struct sw_otlphttp_exporter_conf *conf
)
{
    struct sw_endpoint endpoint;
    const char *why = "";
    shared->url = url_of(conf, env->signal);
    if (shared->url == NULL) {
        return SW_E_NOMEM;
    }
    int err = sw_endpoint_parse_url(shared->url, &endpoint, &why);
    if (err != SW_OK) {
        return refuse(env, err, "endpoint", why);
    }
    if (endpoint.https) {
        return refuse(env, SW_E_UNSUPPORTED, "endpoint", "https:// is not supported yet");
    }
    shared->host = sw_strndup(endpoint.host, endpoint.host_len);
    shared->authority = authority_of(shared->url);
    shared->path = endpoint.path[0] != '\0' ? endpoint.path : "/";
    snprintf(shared->port, sizeof(shared->port), "%u", endpoint.port);
    shared->http.port = endpoint.port;
    return shared->host != NULL && shared->authority != NULL ? SW_OK : SW_E_NOMEM;
}

// proxy_url holds whatever NO_PROXY says; without it the environment decides, as for Go's clients.
static int find_proxy(
    struct shared *shared,
    const struct sw_stage_env *env,
    const struct sw_http_client_conf *client
)
{
    struct sw_endpoint endpoint;
    const char *variable = "proxy_url";
    const char *why = "";
    int err = sw_endpoint_parse_url(shared->url, &endpoint, &why);
    if (err == SW_OK && client->proxy_url != NULL && client->proxy_url[0] != '\0') {
        err = sw_proxy_parse(client->proxy_url, &shared->proxy, &why);
    } else if (err == SW_OK) {
        err = sw_proxy_of_environment(
            env->environment, &endpoint, endpoint.https, &shared->proxy, &variable, &why
        );
    }
    if (err != SW_OK) {
        return refuse(env, err, variable, why);
    }
    if (shared->proxy.host == NULL) {
        return SW_OK;
    }
    size_t size = strlen(shared->url) + 2;
    shared->proxy_target = sw_alloc(size);
    if (shared->proxy_target == NULL) {
        return SW_E_NOMEM;
    }
    const char *slash = endpoint.path[0] != '\0' ? "" : "/";
    snprintf(shared->proxy_target, size, "%s%s", shared->url, slash);
    return SW_OK;
}

static void through_proxy(struct shared *shared)
{
    struct sw_http_pool_conf *http = &shared->http;
    if (shared->proxy.host != NULL) {
        http->host = shared->proxy.host;
        http->port = shared->proxy.port;
        http->path = shared->proxy_target;
        http->proxy_authorization = shared->proxy.authorization;
    }
}

static int make_pool_conf(
    struct shared *shared,
    const struct sw_stage_env *env,
    const struct sw_otlphttp_exporter_conf *conf
)
{
    const struct sw_http_client_conf *client = &conf->client;
    int err = make_texts(shared, env, conf);
    if (err == SW_OK) {
        err = find_proxy(shared, env, client);
    }
    struct sw_http_pool_conf *http = &shared->http;
    int64_t idle = client->max_idle_conns_per_host > 0 ? client->max_idle_conns_per_host
                                                       : client->max_idle_conns;
    http->id = env->id;
    http->signal = env->signal;
    http->host = shared->host;
    http->url = shared->url;
    http->path = shared->path;
    http->authority = shared->authority;
    http->user_agent = SW_SEND_USER_AGENT;
    http->headers = client->headers;
    http->json = conf->encoding == SW_OTLP_JSON;
    http->coding = sw_send_coding_http(client->compression);
    http->level = (int)SW_MAX(SW_MIN(client->compression_params.level, INT_MAX), INT_MIN);
    http->keep_alive = !client->disable_keep_alives;
    http->idle_max = idle > 0 ? (uint32_t)SW_MIN(idle, UINT32_MAX) : IDLE_DEFAULT;
    http->connections_max = (uint32_t)SW_MIN(SW_MAX(client->max_conns_per_host, 0), UINT32_MAX);
    http->idle_timeout_ns = (uint64_t)SW_MAX(client->idle_conn_timeout_ns, 0);
    through_proxy(shared);
    return err;
}

static int shared_new(const struct sw_stage_env *env, const void *conf_ptr, void **ret_shared)
{
    const struct sw_otlphttp_exporter_conf *conf = conf_ptr;
    struct shared *shared = sw_zalloc(sizeof(*shared));
    if (shared == NULL) {
        return SW_E_NOMEM;
    }
    int err = make_pool_conf(shared, env, conf);
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

// The process's limit of connections, dealt over the cores, at least one each.
static uint32_t share_of(uint32_t limit, const struct sw_core *core)
{
    if (limit == 0) {
        return 0;
    }
    uint32_t share = limit / core->cores_count + (core->index < limit % core->cores_count ? 1 : 0);
    return SW_MAX(share, 1);
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
    const struct sw_otlphttp_exporter_conf *conf = conf_ptr;
    struct shared *shared = shared_ptr;
    struct sw_http_pool_conf http = shared->http;
    struct sw_push *push = NULL;
    http.connections_max = share_of(http.connections_max, core);
    int err = sw_http_pool_new(core, &http, env->resolver, env->account, &push);
    if (err != SW_OK) {
        return err;
    }
    const struct sw_export_conf export = {
        .queue = &conf->sending_queue,
        .retry = &conf->retry_on_failure,
        .dead = shared->dead,
        .timeout_ns = (uint64_t)conf->client.timeout_ns,
        .labels =
            {
                {"server.address", shared->host},
                {"server.port", shared->port},
                {"url.path", shared->path},
            },
        .labels_count = 3,
        .call_kind = SW_CALL_HTTP,
    };
    return sw_export_new(env, &export, shared->pool, core, push, ret_stage);
}

const struct sw_stage_class sw_otlphttp_exporter_class = {
    .shared_new = shared_new,
    .shared_free = shared_free,
    .create = create,
    .options = true,
};
