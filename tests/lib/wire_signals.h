/* Random requests of metrics and logs, as wire.h writes them of traces: valid, with whatever is legal. */
#ifndef SW_TESTS_LIB_WIRE_SIGNALS_H
#define SW_TESTS_LIB_WIRE_SIGNALS_H

#include "dataplane/otlp/batch.h"
#include "tests/lib/wire.h"

/* Half of the time: a field that need not be there. */
static inline bool wire_sometimes(struct sw_rand *rand)
{
    return sw_rand_below(rand, 2) == 0;
}

/* A list of numbers of eight bytes, packed or not. */
static inline void wire_random_list(struct wire *wire, uint32_t field, struct sw_rand *rand)
{
    uint64_t count = sw_rand_below(rand, 24);
    if (sw_rand_below(rand, 6) == 0) {
        for (; count > 0; count--) {
            wire_i64(wire, field, sw_rand_u64(rand));
        }
        return;
    }
    wire_random_bytes(wire, field, rand, 8 * count);
}

static inline void wire_random_exemplar(struct wire *wire, uint32_t field, struct sw_rand *rand)
{
    wire_begin(wire, field);
    wire_i64(wire, 2, sw_rand_u64(rand));
    wire_i64(wire, wire_sometimes(rand) ? 3 : 6, sw_rand_u64(rand));
    wire_random_id(wire, 4, rand, 8);
    wire_random_id(wire, 5, rand, 16);
    wire_random_attributes(wire, 7, rand);
    wire_end(wire);
}

static inline void wire_random_buckets(struct wire *wire, uint32_t field, struct sw_rand *rand)
{
    for (uint64_t n = sw_rand_below(rand, 8) > 0 ? 1 : sw_rand_below(rand, 3); n > 0; n--) {
        wire_begin(wire, field);
        wire_number(wire, 1, sw_rand_below(rand, 300));
        bool packed = sw_rand_below(rand, 6) > 0;
        if (packed) {
            wire_begin(wire, 2);
        }
        for (uint64_t k = sw_rand_below(rand, 12); k > 0; k--) {
            uint64_t count = sw_rand_u64(rand) >> sw_rand_below(rand, 64);
            if (packed) {
                wire_varint(wire, count);
            } else {
                wire_number(wire, 2, count);
            }
        }
        if (packed) {
            wire_end(wire);
        }
        wire_end(wire);
    }
}

/* Start, time and two more fixed64 in fields 2 to 5, as most points have them. */
static inline void wire_random_times(struct wire *wire, struct sw_rand *rand)
{
    for (uint32_t field = 2; field <= 5; field++) {
        if (sw_rand_below(rand, 5) > 0) {
            wire_i64(wire, field, sw_rand_u64(rand));
        }
    }
}

static inline void wire_random_number_point(struct wire *wire, struct sw_rand *rand)
{
    wire_i64(wire, 2, sw_rand_u64(rand));
    wire_i64(wire, 3, sw_rand_u64(rand));
    wire_i64(wire, wire_sometimes(rand) ? 4 : 6, sw_rand_u64(rand));
    if (sw_rand_below(rand, 4) == 0) {
        wire_random_exemplar(wire, 5, rand);
    }
    wire_random_attributes(wire, 7, rand);
    if (wire_sometimes(rand)) {
        wire_number(wire, 8, sw_rand_below(rand, 300));
    }
}

static inline void wire_random_histogram_point(struct wire *wire, struct sw_rand *rand)
{
    wire_random_times(wire, rand);
    wire_random_list(wire, 6, rand);
    wire_random_list(wire, 7, rand);
    if (sw_rand_below(rand, 4) == 0) {
        wire_random_exemplar(wire, 8, rand);
    }
    wire_random_attributes(wire, 9, rand);
    if (wire_sometimes(rand)) {
        wire_number(wire, 10, sw_rand_below(rand, 300));
        wire_i64(wire, 11, sw_rand_u64(rand));
        wire_i64(wire, 12, sw_rand_u64(rand));
    }
}

static inline void wire_random_exponential_point(struct wire *wire, struct sw_rand *rand)
{
    wire_random_attributes(wire, 1, rand);
    wire_random_times(wire, rand);
    wire_number(wire, 6, sw_rand_below(rand, 40));
    wire_i64(wire, 7, sw_rand_u64(rand));
    wire_random_buckets(wire, 8, rand);
    wire_random_buckets(wire, 9, rand);
    wire_number(wire, 10, sw_rand_below(rand, 2));
    if (sw_rand_below(rand, 4) == 0) {
        wire_random_exemplar(wire, 11, rand);
        wire_i64(wire, 12, sw_rand_u64(rand));
        wire_i64(wire, 13, sw_rand_u64(rand));
        wire_i64(wire, 14, sw_rand_u64(rand));
    }
}

static inline void wire_random_summary_point(struct wire *wire, struct sw_rand *rand)
{
    wire_random_times(wire, rand);
    for (uint64_t n = sw_rand_below(rand, 4); n > 0; n--) {
        wire_begin(wire, 6);
        wire_i64(wire, 1, sw_rand_u64(rand));
        wire_i64(wire, 2, sw_rand_u64(rand));
        wire_end(wire);
    }
    wire_random_attributes(wire, 7, rand);
    wire_number(wire, 8, sw_rand_below(rand, 2));
}

/* A member of a metric's oneof, in its field. */
static inline void wire_random_data(struct wire *wire, struct sw_rand *rand)
{
    static const uint32_t fields[] = {5, 7, 9, 10, 11};
    uint32_t field = fields[sw_rand_below(rand, 5)];
    wire_begin(wire, field);
    if (field != 5 && field != 11 && wire_sometimes(rand)) {
        wire_number(wire, 2, sw_rand_below(rand, 3));
    }
    for (uint64_t n = sw_rand_below(rand, 6); n > 0; n--) {
        wire_begin(wire, 1);
        if (field == 9) {
            wire_random_histogram_point(wire, rand);
        } else if (field == 10) {
            wire_random_exponential_point(wire, rand);
        } else if (field == 11) {
            wire_random_summary_point(wire, rand);
        } else {
            wire_random_number_point(wire, rand);
        }
        wire_random_unknown(wire, rand);
        wire_end(wire);
    }
    if (field == 7) {
        wire_number(wire, 3, sw_rand_below(rand, 2));
    }
    wire_random_unknown(wire, rand);
    wire_end(wire);
}

static inline void wire_random_metric(struct wire *wire, struct sw_rand *rand)
{
    wire_begin(wire, 2);
    wire_random_text(wire, 1, rand);
    if (wire_sometimes(rand)) {
        wire_random_text(wire, 2, rand);
        wire_random_text(wire, 3, rand);
    }
    // Mostly one; the last of several counts.
    for (uint64_t n = sw_rand_below(rand, 8) > 0 ? 1 : sw_rand_below(rand, 3); n > 0; n--) {
        wire_random_data(wire, rand);
    }
    if (sw_rand_below(rand, 4) == 0) {
        wire_random_attributes(wire, 12, rand);
    }
    wire_random_unknown(wire, rand);
    wire_end(wire);
}

static inline void wire_random_log(struct wire *wire, struct sw_rand *rand)
{
    wire_begin(wire, 2);
    wire_i64(wire, 1, sw_rand_u64(rand));
    wire_number(wire, 2, sw_rand_below(rand, 30));
    if (wire_sometimes(rand)) {
        wire_random_text(wire, 3, rand);
    }
    for (uint64_t n = sw_rand_below(rand, 8) > 0 ? 1 : sw_rand_below(rand, 3); n > 0; n--) {
        wire_begin(wire, 5);
        wire_random_value(wire, rand, 0);
        wire_end(wire);
    }
    wire_random_attributes(wire, 6, rand);
    if (wire_sometimes(rand)) {
        wire_number(wire, 7, sw_rand_below(rand, 300));
        wire_i32(wire, 8, (uint32_t)sw_rand_u64(rand));
        wire_random_id(wire, 9, rand, 16);
        wire_random_id(wire, 10, rand, 8);
    }
    wire_i64(wire, 11, sw_rand_u64(rand));
    if (sw_rand_below(rand, 4) == 0) {
        wire_random_text(wire, 12, rand);
    }
    wire_random_unknown(wire, rand);
    wire_end(wire);
}

static inline void
wire_random_scope(struct wire *wire, enum sw_signal signal, uint32_t field, struct sw_rand *rand)
{
    wire_begin(wire, field);
    for (uint64_t n = sw_rand_below(rand, 8) > 0 ? 1 : sw_rand_below(rand, 3); n > 0; n--) {
        wire_begin(wire, 1);
        wire_random_text(wire, 1, rand);
        wire_random_attributes(wire, 3, rand);
        wire_end(wire);
    }
    for (uint64_t n = sw_rand_below(rand, 4); n > 0; n--) {
        if (signal == SW_METRICS) {
            wire_random_metric(wire, rand);
        } else {
            wire_random_log(wire, rand);
        }
    }
    if (wire_sometimes(rand)) {
        wire_random_text(wire, 3, rand);
    }
    wire_random_unknown(wire, rand);
    wire_end(wire);
}

/* A valid request of any signal. */
static inline void
wire_random_signal(struct wire *wire, enum sw_signal signal, struct sw_rand *rand)
{
    if (signal == SW_TRACES) {
        wire_random_request(wire, rand);
        return;
    }
    wire_clear(wire);
    for (uint64_t n = sw_rand_below(rand, 4); n > 0; n--) {
        wire_begin(wire, 1);
        for (uint64_t k = sw_rand_below(rand, 8) > 0 ? 1 : sw_rand_below(rand, 3); k > 0; k--) {
            wire_begin(wire, 1);
            wire_random_attributes(wire, 1, rand);
            wire_end(wire);
        }
        for (uint64_t k = sw_rand_below(rand, 3); k > 0; k--) {
            wire_random_scope(wire, signal, 2, rand);
        }
        if (sw_rand_below(rand, 8) == 0) {
            wire_random_scope(wire, signal, 1000, rand);
        }
        if (wire_sometimes(rand)) {
            wire_random_text(wire, 3, rand);
        }
        wire_random_unknown(wire, rand);
        wire_end(wire);
    }
    wire_random_unknown(wire, rand);
}

#endif
