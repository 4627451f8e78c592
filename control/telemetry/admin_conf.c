/* The keys of confighttp's server that the small server of the control thread has no use for. */
#include "control/telemetry/admin_http.h"
#include "dataplane/base/assert.h"

void sw_admin_server_check(const struct sw_http_server_conf *conf, struct sw_check *check)
{
    const struct {
        const char *key;
        bool asked;
    } keys[] = {
        {"transport", conf->transport == SW_TRANSPORT_UNIX},
        {"tls", conf->tls.enabled},
        {"cors", conf->cors.enabled && conf->cors.allowed_origins.count > 0},
        {"auth", conf->auth.enabled},
        {"middlewares", conf->middlewares.count > 0},
        {"response_headers", conf->response_headers.count > 0},
        {"keep_alives_enabled", !conf->keep_alives_enabled},
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(keys); i++) {
        if (keys[i].asked) {
            sw_complain(
                check, SW_COMPLAINT_AT_START, keys[i].key, "is not supported for this extension"
            );
        }
    }
}
