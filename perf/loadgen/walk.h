/** Counts the spans, data points or log records of a request as its bytes arrive, in pieces of any
 * size.
 *
 * Only lengths are followed: attributes are skipped unseen. When IDs are wanted, they are picked
 * out of the spans whatever the order of the fields.
 */
#ifndef SW_PERF_LOADGEN_WALK_H
#define SW_PERF_LOADGEN_WALK_H

#include "perf/loadgen/common.h"
#include "perf/loadgen/record.h"
#include "perf/loadgen/signal.h"

enum sw_lg_walk_part { SW_LG_WALK_KEY, SW_LG_WALK_LENGTH, SW_LG_WALK_VARINT, SW_LG_WALK_ID };

struct sw_lg_walk {
    enum sw_lg_signal signal;
    bool want_ids; // of spans; other items have none
    bool bad;
    enum sw_lg_walk_part part;
    unsigned depth;  // 0 request, 1 ResourceSpans, 2 ScopeSpans, 3 Span or Metric, 4 Gauge, Sum...
    uint64_t pos;    // bytes taken so far
    uint64_t skip;   // bytes to pass over
    uint64_t end[5]; // where the message of each depth ends
    uint64_t number; // varint so far
    unsigned shift;
    uint32_t field;
    uint8_t *id_at;
    unsigned id_left;
    unsigned ids_seen; // of this span: bit 0 trace ID, bit 1 span ID
    uint64_t spans;
    struct sw_lg_received current;
    struct sw_lg_bytes ids; // struct sw_lg_received each
};

/** size: bytes of the whole message, UINT64_MAX when unknown (HTTP/1 chunks). */
void sw_lg_walk_begin(
    struct sw_lg_walk *walk,
    enum sw_lg_signal signal,
    uint64_t size,
    bool want_ids
);
void sw_lg_walk_feed(struct sw_lg_walk *walk, const uint8_t *data, size_t len);

/** True when the bytes so far are a whole, well-formed message. */
bool sw_lg_walk_complete(const struct sw_lg_walk *walk);

#endif
