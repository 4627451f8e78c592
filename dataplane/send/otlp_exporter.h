/* The otlp_grpc exporter (old name otlp): OTLP over gRPC (Collector v0.159, exporter/otlpexporter).
 * Its class is the `ops` of the component in otlp_exporter_conf.h. */
#ifndef SW_SEND_OTLP_EXPORTER_H
#define SW_SEND_OTLP_EXPORTER_H

#include "dataplane/pipeline/push.h"
#include "dataplane/send/otlp_exporter_conf.h"

extern const struct sw_stage_class sw_otlp_exporter_class;

/** Where the calls of such an exporter go and how: for those that make several out of one table of
 * settings. Constant once made; its channels on all cores share it. */
struct sw_otlp_calls;

/** Control thread.
 *
 * @param conf      lives as long as the calls
 * @param endpoint  instead of the one in conf; copied
 * @return 0, SW_E_NOMEM, SW_E_INVALID or SW_E_UNSUPPORTED with env->error naming the key
 */
SW_CHECKED int sw_otlp_calls_new(
    const struct sw_stage_env *env,
    const struct sw_grpc_client_conf *conf,
    const char *endpoint,
    struct sw_otlp_calls **ret_calls
);
/** Another :path than the signal's, constant; before a channel is opened. */
void sw_otlp_calls_path(struct sw_otlp_calls *calls, const char *path);

/** All channels are freed. NULL is legal. */
void sw_otlp_calls_free(struct sw_otlp_calls *calls);

/** The push of one core that makes attempts. @return 0 or SW_E_NOMEM */
SW_CHECKED int sw_otlp_calls_open(
    const struct sw_otlp_calls *calls,
    struct sw_core *core,
    struct sw_resolver *resolver,
    struct sw_account *account,
    struct sw_push **ret_push
);

#endif
