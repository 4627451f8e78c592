/* Where log lines go: descriptors that are written without waiting, each with a bounded backlog. */
#ifndef SW_TELEMETRY_LOG_OUTPUT_INTERNAL_H
#define SW_TELEMETRY_LOG_OUTPUT_INTERNAL_H

#include "control/telemetry/text.h"
#include "dataplane/base/field.h"

#include <stdint.h>

#define SW_LOG_BACKLOG_BYTES_MAX (256u << 10)

struct sw_log_output {
    const char *path;
    int fd;
    bool owned;               // opened by us
    int failed_errno;         // of the last write, 0 when it went well: told once
    struct sw_string backlog; // what it has not taken yet, from `done` on
    size_t done;
};

struct sw_log_outputs {
    struct sw_log_output *items; // outputs, then error outputs
    size_t count;                // of outputs
    size_t errors_count;
    uint64_t dropped_count; // lines, since the start
    uint64_t told_count;    // of those, told by sw_log_outputs_take_dropped
};

/* Zero-initialised; on failure closed again. error: which path and why. */
SW_CHECKED int sw_log_outputs_open(
    struct sw_log_outputs *outputs,
    const struct sw_list *paths,
    const struct sw_list *error_paths,
    char *error,
    size_t error_size
);
void sw_log_outputs_close(struct sw_log_outputs *outputs);
void sw_log_outputs_write(struct sw_log_outputs *outputs, const char *line, size_t len);
void sw_log_outputs_flush(struct sw_log_outputs *outputs);
/* A line was lost before it came here. */
void sw_log_outputs_drop(struct sw_log_outputs *outputs);
/* Lines dropped and not told yet, once all outputs take lines again; else 0. */
uint64_t sw_log_outputs_take_dropped(struct sw_log_outputs *outputs);

#endif
