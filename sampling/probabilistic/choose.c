/* The choice itself, the same for spans and log records. */
#include "sampling/probabilistic/sampler_internal.h"

#define BUCKETS 0x4000u

static struct sw_bytes text_bytes(const char *text)
{
    return (struct sw_bytes){(const uint8_t *)text, strlen(text)};
}

static enum mode mode_of(const char *text)
{
    return text[0] == 'e' ? MODE_EQUALIZING : text[0] == 'p' ? MODE_PROPORTIONAL : MODE_HASH;
}

void sw_chooser_init(
    struct chooser *chooser,
    const struct sw_probabilistic_conf *conf,
    enum sw_signal signal
)
{
    // In single precision, as the Collector has it: the buckets come out differently else.
    float percentage = (float)conf->sampling_percentage;
    percentage = percentage > 100 ? 100 : percentage;
    double ratio = (double)percentage / 100;
    (void)signal;
    *chooser = (struct chooser){
        .mode = percentage == 0 ? MODE_NEVER : mode_of(conf->mode),
        .ratio = ratio < SW_PROBABILITY_MIN ? SW_PROBABILITY_MIN : ratio,
        .precision = (int)conf->sampling_precision,
        .hash_seed = conf->hash_seed,
        .fail_closed = conf->fail_closed,
        .trace_id_counts = strcmp(conf->attribute_source, "traceID") == 0,
        .attribute = text_bytes(conf->from_attribute),
        .priority = text_bytes(conf->sampling_priority),
    };
    if (chooser->mode == MODE_EQUALIZING) {
        bool good = sw_threshold_of(chooser->ratio, chooser->precision, &chooser->threshold);
        SW_ASSERT(good); // the ratio was brought into range
    } else if (chooser->mode == MODE_HASH) {
        uint32_t accepted = (uint32_t)(percentage * (float)(BUCKETS / 100.0));
        chooser->threshold = (uint64_t)(BUCKETS - accepted) << 42;
        chooser->mode = accepted == 0 ? MODE_NEVER : MODE_HASH;
    }
}

static uint64_t decide(const struct chooser *chooser, const struct sw_tracestate *state)
{
    uint64_t threshold = SW_THRESHOLD_NEVER;
    switch (chooser->mode) {
    case MODE_HASH:
        return chooser->threshold;
    case MODE_EQUALIZING:
        return state->has_threshold ? SW_MAX(state->threshold, chooser->threshold)
                                    : chooser->threshold;
    case MODE_PROPORTIONAL: {
        double incoming = state->has_threshold ? sw_threshold_probability(state->threshold) : 1;
        // Below the smallest probability nothing is kept.
        (void)sw_threshold_of(incoming * chooser->ratio, chooser->precision, &threshold);
        return threshold;
    }
    case MODE_NEVER:
        break;
    }
    return threshold;
}

// An item that says it was kept although its randomness speaks against it is not to be believed.
static void check_consistency(struct item *item)
{
    struct sw_tracestate *state = &item->state;
    if (item->policy == POLICY_MISSING) {
        item->failed = true;
    } else if (item->carries && state->has_threshold && !sw_threshold_keeps(state->threshold, item->randomness)) {
        sw_tracestate_clear_threshold(state);
        item->drop_threshold = true;
        item->failed = true;
    }
}

bool sw_choose(
    const struct chooser *chooser,
    struct item *item,
    bool has_priority,
    uint64_t priority_threshold
)
{
    struct sw_tracestate *state = &item->state;
    if (!item->failed) {
        check_consistency(item);
    }
    uint64_t threshold = decide(chooser, state);
    if (item->failed) {
        threshold = chooser->fail_closed ? SW_THRESHOLD_NEVER : SW_THRESHOLD_ALWAYS;
    }
    if (has_priority) {
        threshold = priority_threshold;
        item->policy = POLICY_PRIORITY;
    }
    bool kept = sw_threshold_keeps(threshold, item->randomness);
    // A threshold only ever rises: what was lost before does not come back.
    if (kept && item->carries && !(state->has_threshold && state->threshold > threshold)) {
        sw_tracestate_set_threshold(state, threshold);
        item->wrote_threshold = true;
    }
    return kept;
}
