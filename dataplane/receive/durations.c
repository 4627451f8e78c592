/* How long calls take until they are answered: `rpc.server.call.duration` and `http.server.request.*` of
 * the Collector (otelgrpc, otelhttp). Only where the level of our own metrics is detailed.
 *
 * What a peer writes makes no series here: server.address and server.port are those of the endpoint as it is
 * configured, not of the Host header. */
#include "dataplane/base/assert.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"
#include "dataplane/receive/receive_internal.h"

#include <stdio.h>
#include <string.h>

#define CODES_COUNT 17

static const double second_bounds[] =
    {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10};
static const double size_bounds[] =
    {0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000};

static const struct sw_metric_family rpc_family = {
    .name = "rpc.server.call.duration",
    .help = "Measures the duration of an incoming Remote Procedure Call (RPC).",
    .unit = "s",
    .type = SW_HISTOGRAM,
    .level = SW_LEVEL_DETAILED,
    .bounds = second_bounds,
    .bounds_count = SW_ARRAY_SIZE(second_bounds),
};
static const struct sw_metric_family http_family = {
    .name = "http.server.request.duration",
    .help = "Duration of HTTP server requests.",
    .unit = "s",
    .type = SW_HISTOGRAM,
    .level = SW_LEVEL_DETAILED,
    .bounds = second_bounds,
    .bounds_count = SW_ARRAY_SIZE(second_bounds),
};
static const struct sw_metric_family body_family = {
    .name = "http.server.request.body.size",
    .help = "Size of HTTP server request bodies.",
    .unit = "By",
    .type = SW_HISTOGRAM,
    .level = SW_LEVEL_DETAILED,
    .bounds = size_bounds,
    .bounds_count = SW_ARRAY_SIZE(size_bounds),
};

/** That a receiver answers with. */
static const uint16_t statuses[] =
    {200, 400, 401, 403, 404, 405, 408, 413, 415, 417, 429, 499, 500, 501, 502, 503, 504, 505};
#define PLACES_MAX SW_ARRAY_SIZE(statuses)
_Static_assert(PLACES_MAX >= CODES_COUNT, "room for the codes of gRPC too");

struct receive_durations {
    struct sw_cell *seconds[SW_SIGNALS_COUNT][PLACES_MAX]; // by gRPC code, or index of the status
    struct sw_cell *bytes[SW_SIGNALS_COUNT][PLACES_MAX];
};

static int make_grpc(
    const struct sw_otlp_receiver_env *env,
    unsigned signal,
    struct receive_durations *durations
)
{
    static const char *const methods[SW_SIGNALS_COUNT] = {
        [SW_TRACES] = "opentelemetry.proto.collector.trace.v1.TraceService/Export",
        [SW_METRICS] = "opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        [SW_LOGS] = "opentelemetry.proto.collector.logs.v1.LogsService/Export",
    };
    int err = SW_OK;
    for (int code = 0; err == SW_OK && code < CODES_COUNT; code++) {
        const struct sw_label labels[] = {
            {"rpc.method", methods[signal]},
            {"rpc.response.status_code", sw_grpc_code_word(code)},
            {"rpc.system.name", "grpc"},
        };
        err = sw_cell_make(
            env->metrics,
            env->core->index,
            &rpc_family,
            labels,
            SW_ARRAY_SIZE(labels),
            &durations->seconds[signal][code]
        );
    }
    return err;
}

/* Of the endpoint: what stands before its last colon, without brackets, and behind it. */
static void split(const char *endpoint, char *host, size_t size, const char **ret_port)
{
    const char *colon = strrchr(endpoint, ':');
    size_t len = colon != NULL ? (size_t)(colon - endpoint) : strlen(endpoint);
    bool brackets = len >= 2 && endpoint[0] == '[' && endpoint[len - 1] == ']';
    snprintf(host, size, "%.*s", (int)(len - (brackets ? 2 : 0)), endpoint + brackets);
    *ret_port = colon != NULL ? colon + 1 : "";
}

static int make_http(
    const struct sw_otlp_receiver_env *env,
    unsigned signal,
    struct receive_durations *durations
)
{
    const struct sw_otlp_http_conf *conf = &env->conf->protocols.http;
    const char *const routes[SW_SIGNALS_COUNT] = {
        [SW_TRACES] = conf->traces_url_path,
        [SW_METRICS] = conf->metrics_url_path,
        [SW_LOGS] = conf->logs_url_path,
    };
    char host[256];
    const char *port;
    split(conf->server.endpoint, host, sizeof(host), &port);
    int err = SW_OK;
    for (unsigned i = 0; err == SW_OK && i < SW_ARRAY_SIZE(statuses); i++) {
        char status[8];
        snprintf(status, sizeof(status), "%u", statuses[i]);
        const struct sw_label labels[] = {
            {"http.request.method", "POST"},
            {"http.response.status_code", status},
            {"http.route", routes[signal]},
            {"network.protocol.name", "http"},
            {"network.protocol.version", "1.1"},
            {"server.address", host},
            {"server.port", port},
            {"url.scheme", "http"},
        };
        const struct sw_metric_family *families[] = {&http_family, &body_family};
        struct sw_cell **cells[] = {
            &durations->seconds[signal][i],
            &durations->bytes[signal][i],
        };
        for (int k = 0; err == SW_OK && k < 2; k++) {
            unsigned core = env->core->index;
            err = sw_cell_make(
                env->metrics, core, families[k], labels, SW_ARRAY_SIZE(labels), cells[k]
            );
        }
    }
    return err;
}

int sw_receive_durations_new(
    const struct sw_otlp_receiver_env *env,
    bool grpc,
    struct receive_durations **ret_durations
)
{
    if (env->metrics == NULL || sw_metrics_level(env->metrics) < SW_LEVEL_DETAILED) {
        return SW_OK;
    }
    struct receive_durations *durations = sw_zalloc(sizeof(*durations));
    int err = durations != NULL ? SW_OK : SW_E_NOMEM;
    for (unsigned signal = 0; err == SW_OK && signal < SW_SIGNALS_COUNT; signal++) {
        if (env->entries[signal] != NULL) {
            err = grpc ? make_grpc(env, signal, durations) : make_http(env, signal, durations);
        }
    }
    if (err != SW_OK) {
        sw_free(durations);
        return err;
    }
    *ret_durations = durations;
    return SW_OK;
}

// A status that is not in the table is one of its hundred.
static unsigned status_index(unsigned status)
{
    unsigned at = 0;
    for (unsigned i = 0; i < SW_ARRAY_SIZE(statuses); i++) {
        if (statuses[i] == status) {
            return i;
        }
        at = statuses[i] == status / 100 * 100 ? i : at;
    }
    return at;
}

void sw_receive_measure(const struct receive_call *call, const struct receive_answer *answer)
{
    const struct receive_endpoint *endpoint = call->endpoint;
    struct receive_durations *durations = endpoint->durations;
    uint64_t took_ns = endpoint->receiver->core->now_ns - call->began_ns;
    double seconds = (double)took_ns / (double)SW_NS_PER_S;
    if (endpoint->ops == &sw_receive_grpc_ops) {
        bool known = answer->grpc_code >= 0 && answer->grpc_code < CODES_COUNT;
        sw_measure(durations->seconds[call->signal][known ? answer->grpc_code : 2], seconds);
        return;
    }
    unsigned status =
        answer->http_status != 0 ? answer->http_status : sw_receive_http_status(answer->grpc_code);
    unsigned at = status_index(status);
    sw_measure(durations->seconds[call->signal][at], seconds);
    sw_measure(durations->bytes[call->signal][at], (double)call->body_bytes);
}
