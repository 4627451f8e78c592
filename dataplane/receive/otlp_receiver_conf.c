#include "dataplane/receive/otlp_receiver_conf.h"

#include <stdio.h>
#include <string.h>

static const struct sw_preset grpc_presets[] = {
    {"endpoint", "localhost:4317"},
    {"read_buffer_size", "524288"},
    {NULL, NULL},
};

static const struct sw_preset http_presets[] = {
    {"endpoint", "localhost:4318"},
    {"read_header_timeout", "0s"},
    {"write_timeout", "0s"},
    {"idle_timeout", "0s"},
    {NULL, NULL},
};

static void path_check(const char **path, const char *key, struct sw_check *check)
{
    if ((*path)[0] == '/') {
        return;
    }
    // As the Collector: a missing leading slash is added.
    char text[1024];
    if (strlen(*path) + 2 > sizeof(text)) {
        sw_complain(check, SW_COMPLAINT_ERROR, key, "longer than %zu bytes", sizeof(text) - 2);
        return;
    }
    snprintf(text, sizeof(text), "/%s", *path);
    const char *kept = check->keep(check, text);
    if (kept != NULL) {
        *path = kept;
    }
}

static void http_check(void *section, struct sw_check *check)
{
    struct sw_otlp_http_conf *conf = section;
    sw_http_server_check(&conf->server, check);
    path_check(&conf->traces_url_path, "traces_url_path", check);
    path_check(&conf->metrics_url_path, "metrics_url_path", check);
    path_check(&conf->logs_url_path, "logs_url_path", check);
}

// clang-format off
static const struct sw_field http_fields[] = {
    SW_SQUASH(struct sw_otlp_http_conf, server, sw_http_server_fields, .presets = http_presets),
    SW_STRING("traces_url_path", struct sw_otlp_http_conf, traces_url_path, "/v1/traces",
              "path for traces"),
    SW_STRING("metrics_url_path", struct sw_otlp_http_conf, metrics_url_path, "/v1/metrics",
              "path for metrics"),
    SW_STRING("logs_url_path", struct sw_otlp_http_conf, logs_url_path, "/v1/logs",
              "path for logs"),
    SW_FIELD_END,
};
// clang-format on

typedef __typeof__(((struct sw_otlp_receiver_conf *)0)->protocols) protocols_conf;

// clang-format off
static const struct sw_field protocols_fields[] = {
    SW_OPTIONAL("grpc", protocols_conf, grpc, sw_grpc_server_fields, "OTLP over gRPC",
                .presets = grpc_presets, .flags = SW_FIELD_BARE, .check = sw_grpc_server_check),
    SW_OPTIONAL("http", protocols_conf, http, http_fields, "OTLP over HTTP", .flags = SW_FIELD_BARE,
                .check = http_check),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
static const struct sw_field receiver_fields[] = {
    SW_STRUCT("protocols", struct sw_otlp_receiver_conf, protocols, protocols_fields,
              "what is served; at least one"),
    SW_FIELD_END,
};
// clang-format on

static void receiver_check(void *section, struct sw_check *check)
{
    const struct sw_otlp_receiver_conf *conf = section;
    if (!conf->protocols.grpc.enabled && !conf->protocols.http.enabled) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            NULL,
            "must specify at least one protocol when using the OTLP receiver"
        );
    }
}

const struct sw_component sw_otlp_receiver = {
    .kind = SW_RECEIVER,
    .type = "otlp",
    .fields = receiver_fields,
    .conf_size = sizeof(struct sw_otlp_receiver_conf),
    .check = receiver_check,
    .signals = SW_FOR_OTLP | SW_FOR_PROFILES,
    .signals_ready = SW_FOR_OTLP,
    .stability = "stable",
    .module = "dataplane/receive",
    .help = "takes OTLP over gRPC and HTTP",
};
