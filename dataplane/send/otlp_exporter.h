/* The otlp_grpc exporter (old name otlp): OTLP over gRPC (Collector v0.159, exporter/otlpexporter).
 * Its class is the `ops` of the component in otlp_exporter_conf.h. */
#ifndef SW_SEND_OTLP_EXPORTER_H
#define SW_SEND_OTLP_EXPORTER_H

#include "dataplane/pipeline/stage.h"
#include "dataplane/send/otlp_exporter_conf.h"

extern const struct sw_stage_class sw_otlp_exporter_class;

#endif
