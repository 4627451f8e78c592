#include "dataplane/send/nop_exporter_conf.h"

#include "dataplane/send/nop_exporter.h"

static const struct sw_field exporter_fields[] = {SW_FIELD_END};

const struct sw_component sw_nop_exporter = {
    .kind = SW_EXPORTER,
    .type = "nop",
    .fields = exporter_fields,
    .conf_size = sizeof(struct sw_nop_exporter_conf),
    .signals = SW_FOR_OTLP | SW_FOR_PROFILES,
    .signals_ready = SW_FOR_OTLP,
    .stability = "beta",
    .module = "dataplane/send",
    .help = "takes everything and does nothing",
    .ops = &sw_nop_exporter_class,
};
