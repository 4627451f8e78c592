#include "perf/loadgen/signal.h"

#include <string.h>

const struct sw_lg_signal_names sw_lg_signal_names[3] = {
    [SW_LG_TRACES] =
        {.service = "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
         .path = "/v1/traces"},
    [SW_LG_METRICS] =
        {.service = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
         .path = "/v1/metrics"},
    [SW_LG_LOGS] =
        {.service = "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
         .path = "/v1/logs"},
};

static bool is(const char *text, size_t len, const char *wanted)
{
    return len == strlen(wanted) && !memcmp(text, wanted, len);
}

bool sw_lg_signal_of(const char *text, size_t len, enum sw_lg_signal *ret_signal)
{
    for (unsigned i = 0; i < 3; i++) {
        const struct sw_lg_signal_names *names = &sw_lg_signal_names[i];
        if (is(text, len, names->service) || is(text, len, names->path)) {
            *ret_signal = (enum sw_lg_signal)i;
            return true;
        }
    }
    return false;
}
