/* What the store of tests/lib/shelf.h must hold after anything: one queue, records whose content follows from their
 * sequence number, and for each what is known of it. */
#ifndef SW_TESTS_FAULT_STORE_MODEL_H
#define SW_TESTS_FAULT_STORE_MODEL_H

#include "tests/lib/shelf.h"

#define MODEL_RECORDS 200000

enum model_state {
    MODEL_NONE,
    MODEL_APPENDING, /* asked for, not heard of: there or not */
    MODEL_THERE,     /* acknowledged */
    MODEL_RELEASING, /* asked for, not heard of: there or not */
    MODEL_GONE,      /* acknowledged */
};

struct model {
    volatile uint64_t next; /* sequence number of the next append */
    volatile uint8_t states[MODEL_RECORDS];
};

static inline uint64_t model_mix(uint64_t value)
{
    value = (value + 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
    return (value ^ value >> 31) * 0x94d049bb133111ebu ^ value >> 29;
}

static inline uint32_t model_items(uint64_t seq)
{
    uint64_t dice = model_mix(seq);
    uint32_t small = 1 + (uint32_t)(dice >> 32) % 30;
    return dice % 11 == 0 ? small * 100 : small; // some with pages of their own
}

static inline struct sw_batch *model_batch(uint64_t seq)
{
    return bench_batch_in(NULL, (uint32_t)seq * 31, model_items(seq), 0);
}

static inline bool model_same(const struct sw_record *record)
{
    struct sw_batch *batch = model_batch(record->seq);
    uint8_t *bytes = sw_alloc(batch->bytes);
    sw_batch_copy_out(batch, bytes);
    bool same = record->request.size == batch->bytes && record->items_count == batch->items_count
                && memcmp(record->request.data, bytes, batch->bytes) == 0;
    sw_free(bytes);
    sw_batch_free(batch);
    return same;
}

/** One append, read or release, as the dice say; the model knows of it before and after.
 * @return 0 or what the store said */
static inline int model_step(struct model *model, struct sw_store_queue *queue, uint64_t dice)
{
    static uint64_t held[16];
    static unsigned held_count;
    uint32_t items;
    if (queue == NULL) {
        held_count = 0;
        return SW_OK;
    }
    if (dice % 4 < 2) {
        uint64_t seq = model->next;
        model->states[seq] = MODEL_APPENDING;
        int err = shelf_append_batch(queue, model_batch(seq));
        model->states[seq] = err == SW_OK ? MODEL_THERE : MODEL_NONE;
        model->next += err == SW_OK;
        return err;
    }
    if (dice % 4 == 2 && held_count < 16) {
        struct shelf_job job = {.job = {.queue = queue, .op = SW_STORE_READ}};
        shelf_do(&job);
        if (job.job.err == SW_OK) {
            assert_true(model_same(&job.job.record));
            held[held_count++] = job.job.seq;
            sw_buf_unref(job.job.buf);
        }
        return job.job.err == SW_E_AGAIN ? SW_OK : job.job.err;
    }
    if (held_count == 0) {
        return SW_OK;
    }
    unsigned at = (unsigned)(dice >> 8) % held_count; // in any order
    uint64_t seq = held[at];
    model->states[seq] = MODEL_RELEASING;
    int err = shelf_release(queue, seq);
    if (err == SW_OK) {
        model->states[seq] = MODEL_GONE;
        held[at] = held[--held_count];
    }
    (void)items;
    return err;
}

struct model_expect {
    bool complete; /* acknowledged records are there, released ones are not */
    bool repeats;  /* released ones may come again, if the store says that it has salvaged */
};

/** Reads all that an open store has and holds it against the model, which knows what there is from then on.
 * @return what is wrong; NULL: nothing */
static inline const char *
model_check(struct model *model, struct sw_store_queue *queue, struct model_expect expect)
{
    static char text[256];
    static uint8_t seen[MODEL_RECORDS];
    struct sw_store_counts counts = sw_store_queue_counts(queue);
    bool repeats = expect.repeats && counts.salvaged > 0;
    uint64_t requests = 0;
    uint64_t items = 0;
    uint64_t bytes = 0;
    uint64_t before = 0;
    uint64_t damaged = 0;
    uint64_t end = model->next + 1;
    memset(seen, 0, end + 1);
    for (;;) {
        struct shelf_job job = {.job = {.queue = queue, .op = SW_STORE_READ}};
        shelf_do(&job);
        damaged += job.job.damaged_count;
        if (job.job.err != SW_OK) {
            break;
        }
        uint64_t seq = job.job.seq;
        const struct sw_record *record = &job.job.record;
        bool right = seq > before && seq < end && model_same(record);
        requests++;
        items += record->items_count;
        bytes += record->request.size;
        sw_buf_unref(job.job.buf);
        uint8_t state = right ? model->states[seq] : MODEL_NONE;
        if (!right || state == MODEL_NONE || (state == MODEL_GONE && expect.complete && !repeats)) {
            snprintf(
                text,
                sizeof(text),
                "record %llu (state %u) must not be there, or is wrong",
                (unsigned long long)seq,
                state
            );
            return text;
        }
        seen[seq] = 1;
        before = seq;
    }
    for (uint64_t seq = 1; seq < end; seq++) {
        uint8_t state = model->states[seq];
        if (state == MODEL_THERE && !seen[seq] && expect.complete) {
            snprintf(text, sizeof(text), "record %llu is lost", (unsigned long long)seq);
            return text;
        }
    }
    if (damaged == 0
        && (counts.requests != requests || counts.items != items || counts.bytes != bytes)) {
        snprintf(
            text,
            sizeof(text),
            "%llu requests, %llu items counted, %llu and %llu found",
            (unsigned long long)counts.requests,
            (unsigned long long)counts.items,
            (unsigned long long)requests,
            (unsigned long long)items
        );
        return text;
    }
    uint64_t next = model->next;
    for (uint64_t seq = 1; seq < end; seq++) {
        model->states[seq] = seen[seq] ? MODEL_THERE : MODEL_GONE;
        next = seen[seq] && seq >= next ? seq + 1 : next;
    }
    model->next = next;
    return NULL;
}

#endif
