/** The three kinds of telemetry and the names that OTLP has for where they go. */
#ifndef SW_PERF_LOADGEN_SIGNAL_H
#define SW_PERF_LOADGEN_SIGNAL_H

#include <stdbool.h>
#include <stddef.h>

enum sw_lg_signal { SW_LG_TRACES, SW_LG_METRICS, SW_LG_LOGS };

struct sw_lg_signal_names {
    const char *service; // gRPC's :path
    const char *path;    // HTTP's
};
extern const struct sw_lg_signal_names sw_lg_signal_names[3];

/** True when the text is a signal's gRPC or HTTP path. */
bool sw_lg_signal_of(const char *text, size_t len, enum sw_lg_signal *ret_signal);

#endif
