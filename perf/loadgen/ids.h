/** What a span of the load is, from its numbers alone: IDs and roles come from the seed, so that
 * every decision about a trace can be worked out again without asking the generator. */
#ifndef SW_PERF_LOADGEN_IDS_H
#define SW_PERF_LOADGEN_IDS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/** Trace shapes of a run. */
struct sw_lg_shape {
    uint64_t seed;
    uint32_t spans_per_trace;
    uint64_t error_limit; // a hash below it makes an error trace; UINT64_MAX: all
    uint64_t slow_limit;
    uint64_t late_limit;
};

// Span numbers in requests and records: trace number and index inside the trace in one word.
#define SW_LG_SPAN(trace, index) ((trace) << 16 | (index))
#define SW_LG_TRACE(span)        ((span) >> 16)
#define SW_LG_INDEX(span)        ((uint32_t)((span)&0xffff))

/** splitmix64's output function: a bijection with every bit mixed. */
static inline uint64_t sw_lg_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15ull;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

static inline uint64_t sw_lg_limit(double share)
{
    return share >= 1 ? UINT64_MAX : (uint64_t)(share * 18446744073709551616.0);
}

static inline void sw_lg_trace_id(const struct sw_lg_shape *shape, uint64_t trace, uint8_t id[16])
{
    uint64_t key = sw_lg_mix(shape->seed) ^ trace;
    uint64_t half[2] = {sw_lg_mix(key) | 1, sw_lg_mix(~key)};
    memcpy(id, half, 16);
}

/** Never zero: the index keeps the spans of a trace apart, the low bit all of them from zero. */
static inline uint64_t sw_lg_span_id(const struct sw_lg_shape *shape, uint64_t span)
{
    return sw_lg_mix(sw_lg_mix(shape->seed + 1) ^ span) | 1ull << 63;
}

static inline bool
sw_lg_role(const struct sw_lg_shape *shape, uint64_t trace, uint64_t salt, uint64_t limit)
{
    return limit && sw_lg_mix(sw_lg_mix(shape->seed + salt) ^ trace) <= limit - 1;
}

static inline bool sw_lg_is_error_trace(const struct sw_lg_shape *shape, uint64_t trace)
{
    return sw_lg_role(shape, trace, 2, shape->error_limit);
}

static inline bool sw_lg_is_slow_trace(const struct sw_lg_shape *shape, uint64_t trace)
{
    return sw_lg_role(shape, trace, 3, shape->slow_limit);
}

/** The last span of a late trace comes late; it is never the one with the error or the root. */
static inline bool sw_lg_is_late_trace(const struct sw_lg_shape *shape, uint64_t trace)
{
    return shape->spans_per_trace > 1 && sw_lg_role(shape, trace, 4, shape->late_limit);
}

static inline bool sw_lg_is_late_span(const struct sw_lg_shape *shape, uint64_t span)
{
    return SW_LG_INDEX(span) == shape->spans_per_trace - 1
           && sw_lg_is_late_trace(shape, SW_LG_TRACE(span));
}

/** Index of the span that carries status ERROR in an error trace. */
static inline uint32_t sw_lg_error_index(const struct sw_lg_shape *shape, uint64_t trace)
{
    uint32_t among = shape->spans_per_trace > 1 ? shape->spans_per_trace - 1 : 1;
    return (uint32_t)(sw_lg_mix(shape->seed + 5 + trace) % among);
}

static inline bool sw_lg_is_error_span(const struct sw_lg_shape *shape, uint64_t span)
{
    uint64_t trace = SW_LG_TRACE(span);
    return sw_lg_is_error_trace(shape, trace)
           && SW_LG_INDEX(span) == sw_lg_error_index(shape, trace);
}

/** The root (index 0) of a slow trace lasts longer than any threshold of the scenarios. */
static inline bool sw_lg_is_slow_span(const struct sw_lg_shape *shape, uint64_t span)
{
    return SW_LG_INDEX(span) == 0 && sw_lg_is_slow_trace(shape, SW_LG_TRACE(span));
}

#endif
