/* Spans: randomness and threshold stand in the trace state. */
#include "dataplane/otlp/attribute.h"
#include "sampling/probabilistic/sampler_internal.h"

#define SPAN_TRACE_STATE SW_PB_TAG(3, SW_PB_LEN)

enum priority {
    PRIORITY_NONE,
    PRIORITY_KEEP,
    PRIORITY_DROP,
};

static enum priority priority_of_number(double number)
{
    return number == 0 ? PRIORITY_DROP : number > 0 ? PRIORITY_KEEP : PRIORITY_NONE;
}

// OpenTracing's attribute, of whatever type it came through as.
static enum priority priority_of(struct sw_bytes span)
{
    struct sw_any value = {.type = SW_ANY_EMPTY};
    double number;
    if (!sw_attribute_find(span, SW_SPAN_ATTRIBUTES, SW_BYTES("sampling.priority"), &value)) {
        return PRIORITY_NONE;
    }
    switch (value.type) {
    case SW_ANY_INT:
        return priority_of_number((double)value.integer);
    case SW_ANY_DOUBLE:
        return priority_of_number(value.number);
    case SW_ANY_STRING:
        return sw_double_parse(value.bytes, &number) ? priority_of_number(number) : PRIORITY_NONE;
    default:
        return PRIORITY_NONE;
    }
}

static bool is_zero(const uint8_t *id)
{
    static const uint8_t zero[SW_TRACE_ID_BYTES];
    return memcmp(id, zero, sizeof(zero)) == 0;
}

static void
read_span(const struct chooser *chooser, struct item *item, const struct sw_span_view *view)
{
    struct sw_tracestate *state = &item->state;
    struct sw_bytes id = {view->trace_id, SW_TRACE_ID_BYTES};
    bool has_id = !is_zero(view->trace_id);
    item->policy = POLICY_MISSING;
    item->randomness = SW_RANDOMNESS_MAX;
    item->carries = sw_tracestate_parse(state, view->trace_state);
    item->failed = !item->carries;
    if (item->failed) {
        state->has_threshold = false;
    }
    switch (chooser->mode) {
    case MODE_NEVER:
        item->policy = POLICY_PRIORITY;
        break;
    case MODE_HASH:
        if (has_id) {
            item->policy = POLICY_TRACE_ID_HASH;
            item->randomness = sw_randomness_of_bytes(id, chooser->hash_seed);
        }
        // Who samples consistently should use another mode; such spans are left alone.
        if (state->has_randomness || state->has_threshold) {
            item->failed = true;
            item->carries = false;
        } else if (!item->failed) {
            sw_tracestate_set_randomness(state, item->randomness);
        }
        break;
    default:
        if (!item->failed && state->has_randomness) {
            item->policy = POLICY_RANDOMNESS;
            item->randomness = state->randomness;
        } else if (!item->failed && has_id) {
            item->policy = POLICY_TRACE_ID_W3C;
            item->randomness = sw_randomness_of_trace(view->trace_id);
        }
        break;
    }
}

// Every field but the trace state; out NULL measures.
static size_t put_others(struct sw_bytes span, uint8_t *out)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    size_t size = 0;
    sw_pb_reader_init(&reader, span);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag == SPAN_TRACE_STATE) {
            continue;
        }
        if (out != NULL) {
            memcpy(out + size, field.whole.data, field.whole.size);
        }
        size += field.whole.size;
    }
    return size;
}

int sw_sample_span(struct sampler *sampler, struct sw_bytes span, size_t *ret_size)
{
    struct item *item = &sampler->item;
    struct sw_span_view view;
    (void)sw_span_view_fill(&view, span); // validated
    read_span(sampler->chooser, item, &view);
    enum priority priority = priority_of(span);
    bool kept = sw_choose(
        sampler->chooser,
        item,
        priority != PRIORITY_NONE,
        priority == PRIORITY_KEEP ? SW_THRESHOLD_ALWAYS : SW_THRESHOLD_NEVER
    );
    sw_sample_tally(sampler, item, kept);
    if (!kept) {
        return SW_REBUILD_DROP;
    }
    if (!item->carries) {
        return SW_REBUILD_KEEP;
    }
    size_t size = sw_tracestate_format(&item->state, sampler->state_text);
    sampler->written = (struct sw_bytes){(const uint8_t *)sampler->state_text, size};
    if (sw_bytes_equal(sampler->written, view.trace_state)) {
        return SW_REBUILD_KEEP;
    }
    sampler->message = span;
    *ret_size = put_others(span, NULL);
    *ret_size += size > 0 ? sw_pb_len_size(SPAN_TRACE_STATE, size) : 0;
    return SW_REBUILD_REPLACE;
}

uint8_t *sw_sample_span_write(const struct sampler *sampler, uint8_t *out)
{
    if (sampler->written.size > 0) {
        out = sw_pb_put_bytes(out, SPAN_TRACE_STATE, sampler->written);
    }
    return out + put_others(sampler->message, out);
}
