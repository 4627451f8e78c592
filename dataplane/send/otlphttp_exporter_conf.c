#include "dataplane/send/otlphttp_exporter_conf.h"

#include "dataplane/send/otlphttp_exporter.h"

static const char *const encoding_words[] = {"proto", "json", NULL};

static const struct sw_preset client_presets[] = {
    {"compression", "gzip"},
    {"timeout", "30s"},
    {"write_buffer_size", "524288"},
    {NULL, NULL},
};

// clang-format off
static const struct sw_field exporter_fields[] = {
    SW_SQUASH(struct sw_otlphttp_exporter_conf, client, sw_http_client_fields,
              .presets = client_presets),
    SW_STRING("traces_endpoint", struct sw_otlphttp_exporter_conf, traces_endpoint, NULL,
              "URL for traces; empty is endpoint with /v1/traces"),
    SW_STRING("metrics_endpoint", struct sw_otlphttp_exporter_conf, metrics_endpoint, NULL,
              "URL for metrics; empty is endpoint with /v1/metrics"),
    SW_STRING("logs_endpoint", struct sw_otlphttp_exporter_conf, logs_endpoint, NULL,
              "URL for logs; empty is endpoint with /v1/logs"),
    SW_STRING("profiles_endpoint", struct sw_otlphttp_exporter_conf, profiles_endpoint, NULL,
              "URL for profiles; empty is endpoint with /v1development/profiles",
              .flags = SW_FIELD_OMIT),
    SW_ENUM("encoding", struct sw_otlphttp_exporter_conf, encoding, encoding_words, "proto",
            "proto or json"),
    SW_RETRY_ON_FAILURE(struct sw_otlphttp_exporter_conf, retry_on_failure),
    SW_SENDING_QUEUE(struct sw_otlphttp_exporter_conf, sending_queue, .flags = SW_FIELD_ON | SW_FIELD_BARE),
    SW_FIELD_END,
};
// clang-format on

static void url_check(const char *url, const char *key, struct sw_check *check)
{
    const char *why = NULL;
    struct sw_endpoint endpoint;
    if (url[0] == '\0') {
        return;
    }
    // The Collector finds a missing scheme only when it starts (recorded: http-no-scheme).
    if (sw_endpoint_parse_url(url, &endpoint, &why) != SW_OK) {
        sw_complain(check, SW_COMPLAINT_AT_START, key, "\"%s\": %s", url, why);
    } else if (endpoint.https) {
        sw_complain(
            check,
            SW_COMPLAINT_AT_START,
            key,
            "https:// needs TLS, which is not built in yet: use http://"
        );
    }
}

static void exporter_check(void *section, struct sw_check *check)
{
    struct sw_otlphttp_exporter_conf *conf = section;
    if (conf->client.endpoint[0] == '\0' && conf->traces_endpoint[0] == '\0'
        && conf->metrics_endpoint[0] == '\0' && conf->logs_endpoint[0] == '\0'
        && conf->profiles_endpoint[0] == '\0') {
        sw_complain(check, SW_COMPLAINT_ERROR, NULL, "at least one endpoint must be specified");
    }
    if (conf->client.timeout_ns < 0) {
        sw_complain(check, SW_COMPLAINT_ERROR, "timeout", "must be non-negative");
    }
    url_check(conf->client.endpoint, "endpoint", check);
    url_check(conf->traces_endpoint, "traces_endpoint", check);
    url_check(conf->metrics_endpoint, "metrics_endpoint", check);
    url_check(conf->logs_endpoint, "logs_endpoint", check);
    sw_http_client_check(&conf->client, check);
}

static const char *const old_types[] = {"otlphttp", NULL};

const struct sw_component sw_otlphttp_exporter = {
    .kind = SW_EXPORTER,
    .type = "otlp_http",
    .old_types = old_types,
    .fields = exporter_fields,
    .conf_size = sizeof(struct sw_otlphttp_exporter_conf),
    .check = exporter_check,
    .signals = SW_FOR_OTLP | SW_FOR_PROFILES,
    .signals_ready = SW_FOR_OTLP,
    .stability = "stable",
    .module = "dataplane/send",
    .help = "sends OTLP over HTTP",
    .queue_offset = offsetof(struct sw_otlphttp_exporter_conf, sending_queue),
    .retry_offset = offsetof(struct sw_otlphttp_exporter_conf, retry_on_failure),
    .timeout_offset = offsetof(struct sw_otlphttp_exporter_conf, client.timeout_ns),
    .ops = &sw_otlphttp_exporter_class,
};
