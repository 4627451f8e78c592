/** Requests that are built and encoded before the load starts and sent over and over: what
 * compression and JSON cost the generator is not in the run. Their IDs repeat, so they can be
 * counted but not be recorded. */
#ifndef SW_PERF_LOADGEN_PREPARED_H
#define SW_PERF_LOADGEN_PREPARED_H

#include "perf/loadgen/codec.h"
#include "perf/loadgen/signal.h"
#include "perf/loadgen/template.h"

struct sw_lg_prepared_options {
    enum sw_lg_signal signal;
    bool json;
    const struct sw_lg_form *form;
    const struct sw_lg_shape *shape;
    uint64_t epoch_ns;
};

struct sw_lg_prepared {
    struct sw_lg_prepared_options options;
    struct sw_lg_packer *packer;
    uint32_t items; // in each of them
    struct sw_lg_bytes *requests;
    unsigned count;
    unsigned turn;
};

/** `count` requests of `items` each, encoded by the packer, which has to last as long. */
void sw_lg_prepared_init(
    struct sw_lg_prepared *prepared,
    const struct sw_lg_prepared_options *options,
    struct sw_lg_packer *packer,
    unsigned count,
    uint32_t items
);
void sw_lg_prepared_fini(struct sw_lg_prepared *prepared);

/** A request behind its gRPC prefix. One with fewer items than usual is built into `spare`. */
const struct sw_lg_bytes *
sw_lg_prepared_take(struct sw_lg_prepared *prepared, uint32_t items, struct sw_lg_bytes *spare);

#endif
