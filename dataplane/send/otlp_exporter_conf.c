#include "dataplane/send/otlp_exporter_conf.h"

#include "dataplane/send/otlp_exporter.h"

static const struct sw_preset client_presets[] = {
    {"compression", "gzip"},
    {"write_buffer_size", "524288"},
    {NULL, NULL},
};

// clang-format off
const struct sw_field sw_otlp_exporter_fields[] = {
    SW_SQUASH(struct sw_otlp_exporter_conf, client, sw_grpc_client_fields,
              .presets = client_presets),
    SW_DURATION("timeout", struct sw_otlp_exporter_conf, timeout_ns, "5s",
                "limit of one attempt; 0 is unlimited"),
    SW_RETRY_ON_FAILURE(struct sw_otlp_exporter_conf, retry_on_failure),
    SW_SENDING_QUEUE(struct sw_otlp_exporter_conf, sending_queue, .flags = SW_FIELD_ON | SW_FIELD_BARE),
    SW_FIELD_END,
};
// clang-format on

static void exporter_check(void *section, struct sw_check *check)
{
    struct sw_otlp_exporter_conf *conf = section;
    if (conf->timeout_ns < 0) {
        sw_complain(check, SW_COMPLAINT_ERROR, "timeout", "must be non-negative");
    }
    if (conf->client.endpoint[0] == '\0') {
        sw_complain(check, SW_COMPLAINT_ERROR, NULL, "requires a non-empty \"endpoint\"");
    }
    sw_grpc_client_check(&conf->client, check);
}

static const char *const old_types[] = {"otlp", NULL};

const struct sw_component sw_otlp_exporter = {
    .kind = SW_EXPORTER,
    .type = "otlp_grpc",
    .old_types = old_types,
    .fields = sw_otlp_exporter_fields,
    .conf_size = sizeof(struct sw_otlp_exporter_conf),
    .check = exporter_check,
    .signals = SW_FOR_OTLP | SW_FOR_PROFILES,
    .signals_ready = SW_FOR_OTLP,
    .stability = "stable",
    .module = "dataplane/send",
    .help = "sends OTLP over gRPC",
    .queue_offset = offsetof(struct sw_otlp_exporter_conf, sending_queue),
    .retry_offset = offsetof(struct sw_otlp_exporter_conf, retry_on_failure),
    .timeout_offset = offsetof(struct sw_otlp_exporter_conf, timeout_ns),
    .ops = &sw_otlp_exporter_class,
};
