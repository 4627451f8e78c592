#include "control/health/health_check_conf.h"

#include "control/telemetry/admin_http.h"

#include <string.h>

static const struct sw_preset server_presets[] = {
    {"endpoint", "localhost:13133"},
    {NULL, NULL},
};

typedef __typeof__(((struct sw_health_check_conf *)0)->response_body) body_conf;
typedef __typeof__(((struct sw_health_check_conf *)0)->check_collector_pipeline) pipeline_conf;

// clang-format off
static const struct sw_field body_fields[] = {
    SW_STRING("healthy", body_conf, healthy, NULL, "text when all is well"),
    SW_STRING("unhealthy", body_conf, unhealthy, NULL, "text before and after"),
    SW_FIELD_END,
};
// clang-format on

#define NO_EFFECT .support = SW_NO_EFFECT, .note = "the Collector has removed it too"

// clang-format off
static const struct sw_field pipeline_fields[] = {
    SW_BOOL("enabled", pipeline_conf, enabled, "false", "watch exporter failures", NO_EFFECT),
    SW_STRING("interval", pipeline_conf, interval, "5m", "over this time", NO_EFFECT),
    SW_INT("exporter_failure_threshold", pipeline_conf, exporter_failure_threshold, "5",
           "not healthy from so many failures", NO_EFFECT),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
static const struct sw_field health_fields[] = {
    SW_SQUASH(struct sw_health_check_conf, server, sw_http_server_fields,
              .presets = server_presets),
    SW_STRING("path", struct sw_health_check_conf, path, "/",
              "/ answers on every path, another value only there"),
    SW_OPTIONAL("response_body", struct sw_health_check_conf, response_body, body_fields,
                "texts instead of JSON"),
    SW_STRUCT("check_collector_pipeline", struct sw_health_check_conf, check_collector_pipeline,
              pipeline_fields, "of older releases"),
    SW_BOOL("use_v2", struct sw_health_check_conf, use_v2, "false",
            "the second version of this extension", .support = SW_NOT_YET,
            .flags = SW_FIELD_OMIT),
    SW_FIELD_END,
};
// clang-format on

static void health_check(void *section, struct sw_check *check)
{
    struct sw_health_check_conf *conf = section;
    if (conf->server.endpoint[0] == '\0') {
        sw_complain(check, SW_COMPLAINT_ERROR, "endpoint", "endpoint must be specified");
    }
    if (conf->path[0] != '/') {
        sw_complain(check, SW_COMPLAINT_ERROR, "path", "path must start with /");
    }
    sw_http_server_check(&conf->server, check);
    sw_admin_server_check(&conf->server, check);
}

const struct sw_component sw_health_check = {
    .kind = SW_EXTENSION,
    .type = "health_check",
    .fields = health_fields,
    .conf_size = sizeof(struct sw_health_check_conf),
    .check = health_check,
    .stability = "beta",
    .module = "control/health",
    .help = "answers health probes over HTTP",
};
