/* Configuration of the `otlp_http` exporter, formerly `otlphttp` (Collector v0.159). */
#ifndef SW_SEND_OTLPHTTP_EXPORTER_CONF_H
#define SW_SEND_OTLPHTTP_EXPORTER_CONF_H

#include "dataplane/pipeline/component.h"
#include "dataplane/pipeline/net_conf.h"
#include "storage/queue/sending_queue_conf.h"
#include "storage/retry/retry_on_failure_conf.h"

enum sw_otlp_encoding {
    SW_OTLP_PROTO,
    SW_OTLP_JSON,
};

struct sw_otlphttp_exporter_conf {
    struct sw_http_client_conf client; /**< client.timeout_ns is the limit of one attempt */
    const char *traces_endpoint;       /**< full URL; "": client.endpoint + /v1/traces */
    const char *metrics_endpoint;
    const char *logs_endpoint;
    const char *profiles_endpoint;
    int encoding; /**< enum sw_otlp_encoding */
    struct sw_retry_on_failure_conf retry_on_failure;
    struct sw_sending_queue_conf sending_queue;
};

extern const struct sw_component sw_otlphttp_exporter;

#endif
