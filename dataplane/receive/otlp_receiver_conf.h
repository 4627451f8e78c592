/* Configuration of the `otlp` receiver (Collector v0.159, otlpreceiver). */
#ifndef SW_RECEIVE_OTLP_RECEIVER_CONF_H
#define SW_RECEIVE_OTLP_RECEIVER_CONF_H

#include "dataplane/pipeline/component.h"
#include "dataplane/pipeline/net_conf.h"

struct sw_otlp_http_conf {
    struct sw_http_server_conf server;
    const char *traces_url_path; /**< with its leading slash */
    const char *metrics_url_path;
    const char *logs_url_path;
    bool enabled;
};

struct sw_otlp_receiver_conf {
    struct {
        struct sw_grpc_server_conf grpc; /**< grpc.enabled: serve it */
        struct sw_otlp_http_conf http;   /**< http.enabled: serve it */
    } protocols;
};

extern const struct sw_component sw_otlp_receiver;

#endif
