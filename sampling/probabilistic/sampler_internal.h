/* Between probabilistic_sampler.c (the stage), choose.c (what is common to both signals), span.c and record.c
 * (where randomness and threshold stand, and how they are written). */
#ifndef SW_PROBABILISTIC_SAMPLER_INTERNAL_H
#define SW_PROBABILISTIC_SAMPLER_INTERNAL_H

#include "dataplane/otlp/rebuild.h"
#include "dataplane/otlp/value_text.h"
#include "dataplane/pipeline/rework.h"
#include "sampling/probabilistic/probabilistic_sampler_conf.h"
#include "sampling/probabilistic/tracestate.h"

enum mode {
    MODE_NEVER, // nothing is kept but what asks for it
    MODE_HASH,
    MODE_EQUALIZING,
    MODE_PROPORTIONAL,
};

/** Where randomness came from; the label `policy` of the metric. */
enum policy {
    POLICY_MISSING,
    POLICY_TRACE_ID_HASH,
    POLICY_RANDOMNESS,
    POLICY_TRACE_ID_W3C,
    POLICY_PRIORITY,
    POLICY_ATTRIBUTE, // its name is the label
    POLICIES_COUNT,
};

/** What the configuration comes down to; constant. */
struct chooser {
    enum mode mode;
    uint64_t threshold; // hash, equalizing
    double ratio;       // proportional
    int precision;
    uint32_t hash_seed;
    bool fail_closed;
    bool trace_id_counts;      // records: hash the trace ID if there is one
    struct sw_bytes attribute; // records: else the value of this; size 0: none
    struct sw_bytes priority;  // records: attribute with a percentage; size 0: none
};

void sw_chooser_init(
    struct chooser *chooser,
    const struct sw_probabilistic_conf *conf,
    enum sw_signal signal
);

/** One item while it is looked at. */
struct item {
    enum policy policy;
    uint64_t randomness;
    bool failed;  // its randomness or threshold cannot be used
    bool carries; // what was found and chosen is written into it when it is kept
    /** What stands in it, and what is written. */
    struct sw_tracestate state;
    bool set_randomness;  // records: to be written
    bool drop_threshold;  // records: stood there, wrongly
    bool wrote_threshold; // a threshold is to be written
};

/** Randomness of the item must stand; the rest is decided here. @return whether it is kept */
bool sw_choose(
    const struct chooser *chooser,
    struct item *item,
    bool has_priority,
    uint64_t priority_threshold
);

/** One core's. */
struct sampler {
    struct sw_rework rework;
    const struct chooser *chooser;
    struct sw_rebuild rebuild;
    struct sw_value_text text;
    struct item item;
    struct sw_bytes message; // the one that is replaced
    struct sw_bytes written; // span: its new trace state
    char state_text[SW_TRACESTATE_TEXT_MAX];
    struct sw_bytes *attributes; // record: KeyValue messages that it gets
    size_t attributes_count;
    size_t attributes_capacity;
    char texts[2][SW_THRESHOLD_DIGITS]; // record: threshold, randomness
    uint32_t tally[POLICIES_COUNT][2];
    struct sw_cell *cells[POLICIES_COUNT][2];
};

/** Of a Span or LogRecord message. @return enum sw_rebuild_verdict or SW_E_* */
int sw_sample_span(struct sampler *sampler, struct sw_bytes span, size_t *ret_size);
uint8_t *sw_sample_span_write(const struct sampler *sampler, uint8_t *out);
int sw_sample_record(struct sampler *sampler, struct sw_bytes record, size_t *ret_size);
uint8_t *sw_sample_record_write(const struct sampler *sampler, uint8_t *out);
void sw_sample_tally(struct sampler *sampler, const struct item *item, bool kept);

#endif
