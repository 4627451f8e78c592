#include "control/zpages/zpages_conf.h"

#include "control/telemetry/admin_http.h"

static const struct sw_preset server_presets[] = {
    {"endpoint", "localhost:55679"},
    {NULL, NULL},
};

typedef __typeof__(((struct sw_zpages_conf *)0)->expvar) expvar_conf;

// clang-format off
static const struct sw_field expvar_fields[] = {
    SW_BOOL("enabled", expvar_conf, enabled, "false", "variables of the Go runtime",
            .support = SW_NO_EFFECT, .note = "there is no Go runtime here"),
    SW_FIELD_END,
};

static const struct sw_field zpages_fields[] = {
    SW_SQUASH(struct sw_zpages_conf, server, sw_http_server_fields, .presets = server_presets),
    SW_STRUCT("expvar", struct sw_zpages_conf, expvar, expvar_fields, "/debug/expvarz"),
    SW_FIELD_END,
};
// clang-format on

static void zpages_check(void *section, struct sw_check *check)
{
    struct sw_zpages_conf *conf = section;
    if (conf->server.endpoint[0] == '\0') {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            "endpoint",
            "\"endpoint\" is required when using the \"zpages\" extension"
        );
    }
    sw_http_server_check(&conf->server, check);
    sw_admin_server_check(&conf->server, check);
}

const struct sw_component sw_zpages = {
    .kind = SW_EXTENSION,
    .type = "zpages",
    .fields = zpages_fields,
    .conf_size = sizeof(struct sw_zpages_conf),
    .check = zpages_check,
    .stability = "beta",
    .module = "control/zpages",
    .help = "pages about pipelines, extensions and feature gates",
};
