/* Configuration of the `otlp_grpc` exporter, formerly `otlp` (Collector v0.159). */
#ifndef SW_SEND_OTLP_EXPORTER_CONF_H
#define SW_SEND_OTLP_EXPORTER_CONF_H

#include "dataplane/pipeline/component.h"
#include "dataplane/pipeline/net_conf.h"
#include "storage/queue/sending_queue_conf.h"
#include "storage/retry/retry_on_failure_conf.h"

struct sw_otlp_exporter_conf {
    struct sw_grpc_client_conf client;
    int64_t timeout_ns; /**< per attempt, 0: none */
    struct sw_retry_on_failure_conf retry_on_failure;
    struct sw_sending_queue_conf sending_queue;
};

extern const struct sw_component sw_otlp_exporter;

/** Its keys, for exporters that have such exporters inside. */
extern const struct sw_field sw_otlp_exporter_fields[];

#endif
