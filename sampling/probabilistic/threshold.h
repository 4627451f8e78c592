/* Consistent probability sampling (OpenTelemetry's trace state specification, as contrib v0.159
 * pkg/sampling reads it): an item is kept when its randomness is at least the threshold; both have 56
 * bits. Values, any thread. */
#ifndef SW_PROBABILISTIC_THRESHOLD_H
#define SW_PROBABILISTIC_THRESHOLD_H

#include "dataplane/otlp/protobuf.h"

#define SW_THRESHOLD_ALWAYS UINT64_C(0)
#define SW_THRESHOLD_NEVER  (UINT64_C(1) << 56)
#define SW_RANDOMNESS_MAX   (SW_THRESHOLD_NEVER - 1)
/** Smallest probability that there is a threshold for. */
#define SW_PROBABILITY_MIN  0x1p-56
#define SW_THRESHOLD_DIGITS 14

static inline bool sw_threshold_keeps(uint64_t threshold, uint64_t randomness)
{
    return randomness >= threshold;
}

/** @param precision    significant hexadecimal digits, 1 … 14
 * @return false when the probability is below the smallest or above 1 (ret_threshold untouched) */
bool sw_threshold_of(double probability, int precision, uint64_t *ret_threshold);

double sw_threshold_probability(uint64_t threshold);

/** "th" and "rv": up to 14 digits with trailing zeros left out; exactly 14 digits.
 * @return false: it is no such text */
bool sw_threshold_parse(struct sw_bytes text, uint64_t *ret_threshold);
bool sw_randomness_parse(struct sw_bytes text, uint64_t *ret_randomness);

/** @return characters written; 0 for SW_THRESHOLD_NEVER, which has no text */
size_t sw_threshold_format(uint64_t threshold, char text[SW_THRESHOLD_DIGITS]);
size_t sw_randomness_format(uint64_t randomness, char text[SW_THRESHOLD_DIGITS]);

/** Of a trace ID, 16 bytes. */
uint64_t sw_randomness_of_trace(const uint8_t *trace_id);

/** Of any bytes, by FNV-1a and a seed: 14 bits decide, as in the processor's older days. */
uint64_t sw_randomness_of_bytes(struct sw_bytes bytes, uint32_t seed);

#endif
