/** OTLP/JSON of the generator's requests, and counting the items of such a body. */
#ifndef SW_PERF_LOADGEN_JSON_H
#define SW_PERF_LOADGEN_JSON_H

#include "perf/loadgen/common.h"
#include "perf/loadgen/signal.h"

/** Appends the JSON of a request in protobuf. Only for the bytes that the generator itself makes:
 * elements of a repeated field stand together, and every field is known; it ends the program
 * otherwise. */
void sw_lg_json_put(
    struct sw_lg_bytes *out,
    enum sw_lg_signal signal,
    const uint8_t *data,
    size_t len
);

/** Counts spans, records or data points of a body; false when its brackets or strings are bad. */
bool sw_lg_json_count(
    enum sw_lg_signal signal,
    const uint8_t *data,
    size_t len,
    uint64_t *ret_items
);

#endif
