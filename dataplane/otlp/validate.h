/* Deep validation of what a sender gave us, once, at the receiver: after it the bytes may be merged
 * with anybody else's. Any thread, no allocation, one pass.
 *
 * What is refused is what the Collector's decoder (v0.159) refuses: known fields with a wrong wire
 * type, IDs of another length than 0 or 16 (trace), 0 or 8 (span), field number 0, wire types 6 and 7,
 * lengths past the end, varints above 10 bytes. Unknown fields of wire types 0, 1, 2, 5 are legal and
 * stay where they are. UTF-8, all-zero IDs, repeated singular fields and enum values are no concern.
 *
 * Stricter than that decoder, because a backend would refuse the whole batch for it:
 *   - groups (wire types 3, 4) are refused also where they are empty or unfinished;
 *   - a tag above 32 bits or longer than 5 bytes is refused;
 *   - messages may nest SW_OTLP_DEPTH_MAX deep (the decoder had no limit; protobuf's own is 100).
 *
 * Lists of numbers may be packed or not; a packed one has whole elements. Of the members of a metric's
 * oneof that are given (Gauge, Sum, ...) the last one is meant, and its data points count alone.
 */
#ifndef SW_OTLP_VALIDATE_H
#define SW_OTLP_VALIDATE_H

#include "dataplane/base/err.h"
#include "dataplane/otlp/batch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Messages within one another, the request being the first. The attribute of a span may so hold arrays
 * of arrays of values, 47 arrays deep. */
#define SW_OTLP_DEPTH_MAX 100

struct sw_otlp_counts {
    uint32_t resources; /**< ResourceSpans, ResourceMetrics, ResourceLogs */
    /** Spans, data points, log records, as the Collector counts them: after migration (below). */
    uint32_t items;
    /** Some resource has field 1000, the scope list of 2021. The Collector takes it for the scopes
     * where there are no others and then forgets it: call sw_otlp_migrate. */
    bool migrate;
};

#define SW_OTLP_FAULT_TEXT_MAX 96

/** What is wrong, for the sender, and where, for people. */
struct sw_otlp_fault {
    size_t offset;                     /**< of the field that is at fault */
    char text[SW_OTLP_FAULT_TEXT_MAX]; /**< NUL-terminated, the Collector's words */
};

/** Looks at each byte that has a meaning in an export request of this signal.
 *
 * @param data        NULL is legal for size 0 (an empty request is valid)
 * @param ret_counts  written on success
 * @param ret_fault   written on failure; may be NULL
 * @return 0 or SW_E_MALFORMED
 */
SW_CHECKED int sw_otlp_validate(
    enum sw_signal signal,
    const uint8_t *data,
    size_t size,
    struct sw_otlp_counts *ret_counts,
    struct sw_otlp_fault *ret_fault
);

/** Rewrites a valid request of any signal in place without field 1000, as the Collector's receiver does:
 * where a resource has no other scopes these become its scopes, else they go. Needed only when the counts
 * say so; walkers take field 1000 for an unknown field.
 *
 * @return the new size, not above the old
 */
size_t sw_otlp_migrate(uint8_t *data, size_t size);

#endif
