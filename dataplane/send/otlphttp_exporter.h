/* The otlp_http exporter (old name otlphttp): OTLP over HTTP/1.1 in protobuf (Collector v0.159,
 * exporter/otlphttpexporter). Its class is the `ops` of the component in otlphttp_exporter_conf.h. */
#ifndef SW_SEND_OTLPHTTP_EXPORTER_H
#define SW_SEND_OTLPHTTP_EXPORTER_H

#include "dataplane/pipeline/stage.h"
#include "dataplane/send/otlphttp_exporter_conf.h"

extern const struct sw_stage_class sw_otlphttp_exporter_class;

#endif
