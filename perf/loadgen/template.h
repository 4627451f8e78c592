/** Requests that were built beforehand: only IDs, times and the status code change in place. */
#ifndef SW_PERF_LOADGEN_TEMPLATE_H
#define SW_PERF_LOADGEN_TEMPLATE_H

#include "perf/loadgen/common.h"
#include "perf/loadgen/ids.h"
#include "perf/loadgen/wire.h"

struct sw_lg_form {
    uint32_t span_size; // bytes of a Span message, without its tag and length
    uint32_t resources; // ResourceSpans the spans of a request are dealt to
    bool reversed;      // fields from the last to the first, as Collectors since v0.133 write
};

/** Where the changing fields of one span stand. */
struct sw_lg_patch {
    uint32_t trace_id;
    uint32_t span_id;
    uint32_t parent_id;
    uint32_t start;
    uint32_t end;
    uint32_t status;
};

/** A serialized ExportTraceServiceRequest with `count` spans behind 5 bytes of gRPC prefix. */
struct sw_lg_template {
    uint8_t *data;
    size_t size; // with the prefix
    uint32_t count;
    struct sw_lg_patch *patches;
};

/** What a slow root lasts, and an ordinary one. */
#define SW_LG_SLOW_NS   2500000000ull
#define SW_LG_NORMAL_NS 20000000ull

void sw_lg_template_init(
    struct sw_lg_template *template,
    const struct sw_lg_form *form,
    uint32_t count
);
void sw_lg_template_fini(struct sw_lg_template *template);

/** Writes the identity of spans[0..count) into the template's spans. */
void sw_lg_template_fill(
    struct sw_lg_template *template,
    const struct sw_lg_shape *shape,
    uint64_t epoch_ns,
    const uint64_t *spans
);

#endif
