/* The W3C trace state of a span and what OpenTelemetry keeps in its member `ot`: randomness (rv) and threshold
 * (th). Everything else is passed on in its order. */
#ifndef SW_PROBABILISTIC_TRACESTATE_H
#define SW_PROBABILISTIC_TRACESTATE_H

#include "sampling/probabilistic/threshold.h"

#define SW_TRACESTATE_MEMBERS_MAX 31
#define SW_TRACESTATE_EXTRAS_MAX  96
/** Room for every trace state with `ot` set: the longest that is read, and rv and th on top. */
#define SW_TRACESTATE_TEXT_MAX 1152

struct sw_tracestate {
    bool has_randomness;
    bool has_threshold;
    uint64_t randomness;
    uint64_t threshold;
    struct sw_bytes randomness_text; /**< as it came, or in digits */
    struct sw_bytes threshold_text;
    char digits[2][SW_THRESHOLD_DIGITS];
    struct sw_bytes extras[SW_TRACESTATE_EXTRAS_MAX]; /**< other fields of `ot`: "key:value" */
    uint32_t extras_count;
    struct sw_bytes members[SW_TRACESTATE_MEMBERS_MAX]; /**< other members: "key=value" */
    uint32_t members_count;
};

/** Reads it; ranges point into text. The empty text is one without members.
 * @return false when it is malformed, too long, or rv or th are: nothing of it is to be used */
bool sw_tracestate_parse(struct sw_tracestate *state, struct sw_bytes text);

void sw_tracestate_set_randomness(struct sw_tracestate *state, uint64_t randomness);

/** SW_THRESHOLD_NEVER clears. */
void sw_tracestate_set_threshold(struct sw_tracestate *state, uint64_t threshold);

static inline void sw_tracestate_clear_threshold(struct sw_tracestate *state)
{
    state->has_threshold = false;
}

/** `ot` first. @return characters written */
size_t sw_tracestate_format(const struct sw_tracestate *state, char text[SW_TRACESTATE_TEXT_MAX]);

#endif
