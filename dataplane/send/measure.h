/* How long the calls to a backend take: `rpc.client.call.duration` and `http.client.*` of the Collector
 * (otelgrpc, otelhttp; semantic conventions as in v0.159). Only where the level of our own metrics
 * is detailed: otherwise the layer is not there. */
#ifndef SW_SEND_MEASURE_H
#define SW_SEND_MEASURE_H

#include "dataplane/base/metric.h"
#include "dataplane/pipeline/push.h"

enum sw_call_kind {
    SW_CALL_UNMEASURED, /**< no call over the network */
    SW_CALL_GRPC,
    SW_CALL_HTTP,
};

/** Puts the measuring layer before an exporter's attempts, or nothing where nobody asks for it.
 *
 * @param address  labels server.address and server.port, in this order; borrowed until return
 * @param attempt  taken over, also on failure
 * @param ret_push  what to call instead: attempt itself when nothing is measured
 * @return 0 or SW_E_NOMEM
 */
SW_CHECKED int sw_measure_new(
    const struct sw_stage_env *env,
    enum sw_call_kind kind,
    const struct sw_label *address,
    struct sw_core *core,
    struct sw_push *attempt,
    struct sw_push **ret_push
);

/** How an error is called in `error.type` (exporterhelper, v0.159): the gRPC code that travels with it, in
 * Go's words, else what kind of end it was. Below SW_ERROR_TYPES_COUNT. */
#define SW_ERROR_TYPES_COUNT 21
unsigned sw_error_type(const struct sw_outcome *outcome);
const char *sw_error_type_text(unsigned type);

#endif
