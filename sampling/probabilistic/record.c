/* Log records: randomness and threshold stand in attributes. */
#include "dataplane/base/mem.h"
#include "dataplane/otlp/attribute.h"
#include "sampling/probabilistic/sampler_internal.h"

#define FIRST_CAPACITY 32u

static const char threshold_key[] = "sampling.threshold";
static const char randomness_key[] = "sampling.randomness";

static bool is_zero(const uint8_t *id)
{
    static const uint8_t zero[SW_TRACE_ID_BYTES];
    return memcmp(id, zero, sizeof(zero)) == 0;
}

// A text that is not empty.
static bool find_text(struct sw_bytes record, struct sw_bytes key, struct sw_bytes *ret_text)
{
    struct sw_any value = {.type = SW_ANY_EMPTY};
    if (!sw_attribute_find(record, SW_LOG_ATTRIBUTES, key, &value) || value.type != SW_ANY_STRING
        || value.bytes.size == 0) {
        return false;
    }
    *ret_text = value.bytes;
    return true;
}

static void read_carried(struct item *item, struct sw_bytes record)
{
    struct sw_tracestate *state = &item->state;
    struct sw_bytes text;
    bool good = true;
    state->has_threshold = false;
    state->has_randomness = false;
    if (find_text(record, SW_BYTES("sampling.threshold"), &text)) {
        state->has_threshold = sw_threshold_parse(text, &state->threshold);
        good = state->has_threshold;
    }
    if (find_text(record, SW_BYTES("sampling.randomness"), &text)) {
        state->has_randomness = sw_randomness_parse(text, &state->randomness);
        good = good && state->has_randomness;
    }
    item->carries = good;
    item->failed = !good;
    if (!good) {
        state->has_threshold = false;
    }
}

// Bytes of an attribute for the hash: raw ones, else its text.
static int hash_attribute(struct sampler *sampler, struct sw_bytes record)
{
    const struct chooser *chooser = sampler->chooser;
    struct item *item = &sampler->item;
    struct sw_any value = {.type = SW_ANY_EMPTY};
    if (chooser->attribute.size == 0
        || !sw_attribute_find(record, SW_LOG_ATTRIBUTES, chooser->attribute, &value)) {
        return SW_OK;
    }
    struct sw_bytes bytes = value.bytes;
    if (value.type != SW_ANY_BYTES && value.type != SW_ANY_STRING) {
        int err = sw_value_text_set(&sampler->text, &value);
        if (err != SW_OK) {
            return err;
        }
        bytes = (struct sw_bytes){(const uint8_t *)sampler->text.data, sampler->text.size};
    }
    if (bytes.size > 0) {
        item->policy = POLICY_ATTRIBUTE;
        item->randomness = sw_randomness_of_bytes(bytes, chooser->hash_seed);
    }
    return SW_OK;
}

static int read_hashed(struct sampler *sampler, struct sw_bytes record, const uint8_t *trace_id)
{
    const struct chooser *chooser = sampler->chooser;
    struct item *item = &sampler->item;
    int err = SW_OK;
    if (chooser->trace_id_counts && !is_zero(trace_id)) {
        struct sw_bytes id = {trace_id, SW_TRACE_ID_BYTES};
        item->policy = POLICY_TRACE_ID_HASH;
        item->randomness = sw_randomness_of_bytes(id, chooser->hash_seed);
    } else {
        err = hash_attribute(sampler, record);
    }
    // Who samples consistently should use another mode; such records are left alone.
    if (item->state.has_randomness || item->state.has_threshold) {
        item->failed = true;
        item->carries = false;
    } else if (!item->failed && item->policy != POLICY_MISSING) {
        item->set_randomness = true;
    }
    return err;
}

static int read_record(struct sampler *sampler, struct sw_bytes record)
{
    struct item *item = &sampler->item;
    struct sw_log_view view;
    (void)sw_log_view_fill(&view, record); // validated
    read_carried(item, record);
    item->policy = POLICY_MISSING;
    item->randomness = SW_RANDOMNESS_MAX;
    item->set_randomness = false;
    item->drop_threshold = false;
    item->wrote_threshold = false;
    if (sampler->chooser->mode == MODE_NEVER) {
        item->policy = POLICY_PRIORITY;
        return SW_OK;
    }
    if (sampler->chooser->mode == MODE_HASH) {
        return read_hashed(sampler, record, view.trace_id);
    }
    if (!item->failed && item->state.has_randomness) {
        item->policy = POLICY_RANDOMNESS;
        item->randomness = item->state.randomness;
    } else if (!item->failed && !is_zero(view.trace_id)) {
        item->policy = POLICY_TRACE_ID_W3C;
        item->randomness = sw_randomness_of_trace(view.trace_id);
    }
    return SW_OK;
}

// A percentage of the record's own. @return false: it has none that can be used
static bool
priority_of(const struct chooser *chooser, struct sw_bytes record, uint64_t *ret_threshold)
{
    struct sw_any value = {.type = SW_ANY_EMPTY};
    if (chooser->priority.size == 0
        || !sw_attribute_find(record, SW_LOG_ATTRIBUTES, chooser->priority, &value)) {
        return false;
    }
    double percentage = value.type == SW_ANY_DOUBLE ? value.number
                        : value.type == SW_ANY_INT  ? (double)value.integer
                                                    : 0;
    return percentage != 0 && sw_threshold_of(percentage / 100, chooser->precision, ret_threshold);
}

/* ---- the new attributes ---- */

static int add(struct sampler *sampler, struct sw_bytes attribute)
{
    if (sampler->attributes_count == sampler->attributes_capacity) {
        size_t capacity = SW_MAX(sampler->attributes_capacity * 2, FIRST_CAPACITY);
        void *larger = sw_realloc(sampler->attributes, capacity * sizeof(sampler->attributes[0]));
        if (larger == NULL) {
            return SW_E_NOMEM;
        }
        sampler->attributes = larger;
        sampler->attributes_capacity = capacity;
    }
    sampler->attributes[sampler->attributes_count++] = attribute;
    return SW_OK;
}

// Index of the first attribute with this key; attributes_count: none.
static size_t find(const struct sampler *sampler, struct sw_bytes key)
{
    size_t i = 0;
    for (; i < sampler->attributes_count; i++) {
        struct sw_attribute attribute = {.key = {NULL, 0}};
        if (sw_attribute_read(sampler->attributes[i], &attribute)
            && sw_bytes_equal(attribute.key, key)) {
            break;
        }
    }
    return i;
}

/* Where our own texts stand there is no KeyValue message: data points to the key, size is 0. They are put
 * where an attribute of their name stood, or at the end, as the Collector's map does. */
static int set(struct sampler *sampler, const char *key, size_t key_size)
{
    struct sw_bytes own = {(const uint8_t *)key, 0};
    size_t at = find(sampler, (struct sw_bytes){(const uint8_t *)key, key_size});
    if (at == sampler->attributes_count) {
        return add(sampler, own);
    }
    sampler->attributes[at] = own;
    return SW_OK;
}

static int edit(struct sampler *sampler, struct sw_bytes record)
{
    const struct item *item = &sampler->item;
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    int err = SW_OK;
    sampler->attributes_count = 0;
    sw_pb_reader_init(&reader, record);
    while (err == SW_OK && sw_pb_next(&reader, &field)) {
        if (field.tag == SW_LOG_ATTRIBUTES) {
            err = add(sampler, field.bytes);
        }
    }
    if (err == SW_OK && item->drop_threshold) {
        size_t at = find(sampler, SW_BYTES("sampling.threshold"));
        // The last one goes into the gap.
        sampler->attributes[at] = sampler->attributes[--sampler->attributes_count];
    }
    if (err == SW_OK && item->set_randomness) {
        sw_randomness_format(item->randomness, sampler->texts[1]);
        err = set(sampler, randomness_key, sizeof(randomness_key) - 1);
    }
    if (err == SW_OK && item->wrote_threshold) {
        err = set(sampler, threshold_key, sizeof(threshold_key) - 1);
    }
    return err;
}

static struct sw_bytes own_key(const uint8_t *key)
{
    return key == (const uint8_t *)threshold_key ? SW_BYTES("sampling.threshold")
                                                 : SW_BYTES("sampling.randomness");
}

static struct sw_bytes own_text(const struct sampler *sampler, const uint8_t *key)
{
    if (key == (const uint8_t *)threshold_key) {
        return sampler->item.state.threshold_text;
    }
    return (struct sw_bytes){(const uint8_t *)sampler->texts[1], SW_THRESHOLD_DIGITS};
}

static bool is_own(struct sw_bytes attribute)
{
    return attribute.data == (const uint8_t *)threshold_key
           || attribute.data == (const uint8_t *)randomness_key;
}

// out NULL measures.
static size_t put_attribute(const struct sampler *sampler, struct sw_bytes attribute, uint8_t *out)
{
    if (!is_own(attribute)) {
        if (out != NULL) {
            sw_pb_put_bytes(out, SW_LOG_ATTRIBUTES, attribute);
        }
        return sw_pb_len_size(SW_LOG_ATTRIBUTES, attribute.size);
    }
    struct sw_bytes key = own_key(attribute.data);
    struct sw_bytes text = own_text(sampler, attribute.data);
    size_t size = sw_attribute_string_size(key, text);
    if (out != NULL) {
        out = sw_pb_put_head(out, SW_LOG_ATTRIBUTES, size);
        sw_attribute_put_string(out, key, text);
    }
    return sw_pb_len_size(SW_LOG_ATTRIBUTES, size);
}

static size_t put_record(const struct sampler *sampler, uint8_t *out)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    size_t size = 0;
    for (size_t i = 0; i < sampler->attributes_count; i++) {
        uint8_t *at = out != NULL ? out + size : NULL;
        size += put_attribute(sampler, sampler->attributes[i], at);
    }
    sw_pb_reader_init(&reader, sampler->message);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag == SW_LOG_ATTRIBUTES) {
            continue;
        }
        if (out != NULL) {
            memcpy(out + size, field.whole.data, field.whole.size);
        }
        size += field.whole.size;
    }
    return size;
}

int sw_sample_record(struct sampler *sampler, struct sw_bytes record, size_t *ret_size)
{
    struct item *item = &sampler->item;
    uint64_t priority = 0;
    int err = read_record(sampler, record);
    if (err != SW_OK) {
        return err;
    }
    bool has_priority = priority_of(sampler->chooser, record, &priority);
    bool kept = sw_choose(sampler->chooser, item, has_priority, priority);
    sw_sample_tally(sampler, item, kept);
    if (!kept) {
        return SW_REBUILD_DROP;
    }
    if (!item->set_randomness && !item->drop_threshold && !item->wrote_threshold) {
        return SW_REBUILD_KEEP;
    }
    sampler->message = record;
    err = edit(sampler, record);
    if (err != SW_OK) {
        return err;
    }
    *ret_size = put_record(sampler, NULL);
    return SW_REBUILD_REPLACE;
}

uint8_t *sw_sample_record_write(const struct sampler *sampler, uint8_t *out)
{
    return out + put_record(sampler, out);
}
