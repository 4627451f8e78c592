/* What the receiver's validation takes and refuses, with the words and the place; and that it says the same as
 * a second opinion written from the wire tables alone, on random requests in any order, whole and damaged. */
#include "dataplane/otlp/validate.h"

#include "tests/lib/otlp_compare.h"
#include "tests/lib/wire_signals.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static size_t unhex(const char *text, uint8_t *out)
{
    size_t size = 0;
    for (unsigned byte = 0; *text != '\0' && sscanf(text, "%2x", &byte) == 1; text += 2) {
        out[size++] = (uint8_t)byte;
    }
    return size;
}

static void test_recorded_bodies_get_the_recorded_answers(void **state)
{
    static const struct {
        const char *hex;
        const char *text; // NULL: valid
        uint32_t spans;
    } cases[] = {
        {"", NULL, 0},
        {"0a00", NULL, 0},
        {"0a07120512032a016e", NULL, 1},
        {"ffffffffffff", "unexpected EOF", 0},
        {"0801", "proto: wrong wireType = 0 for field ResourceSpans", 0},
        {"0e00", "proto: wrong wireType = 6 for field ResourceSpans", 0},
        {"fa3e03616263", NULL, 0},
        {"1b08011c", "proto: unexpected end of group", 0},
        {"0000", "proto: Link: illegal field=0 (tag=0, pos=1)", 0},
        {"0a06120412020600", "proto: Link: illegal field=0 (tag=6, pos=1)", 0},
        {"0a081206120430018000", "proto: Link: illegal field=0 (tag=0, pos=4)", 0},
        {"f8ffffff8001", "proto: Link: illegal field=33554431 (tag=34628173816, pos=6)", 0},
        {"0affffffffffffffffffff01", "proto: integer overflow", 0},
        {"0a131211120f0a001208cdcdcdcdcdcdcdcd2a016e", NULL, 1},
        {"0a1b121912170a08abababababababab1208cdcdcdcdcdcdcdcd2a016e",
         "unmarshal: invalid TraceID length",
         0},
        {"0a222120", "unexpected EOF", 0},
        {"0a1b121912170a10abababababababababababababababab12002a016e", NULL, 1},
        {"0a221220121e0a10abababababababababababababababab1207cdcdcdcdcdcdcd2a016e",
         "unmarshal: invalid SpanID length",
         0},
        {"0a0612041202300a", NULL, 1}, // kind 10: enums are open
        {"0a061204120238ff", "proto: wrong wireType = 0 for field StartTimeUnixNano", 0},
        {"0a0712051203395500", "unexpected EOF", 0}, // a fixed64 that ends early
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t bytes[128];
        size_t size = unhex(cases[i].hex, bytes);
        struct sw_otlp_counts counts = {.items = 77};
        struct sw_otlp_fault fault = {.offset = 0};
        int err = sw_otlp_validate(SW_TRACES, bytes, size, &counts, &fault);
        if (cases[i].text == NULL) {
            assert_int_equal(err, SW_OK);
            assert_int_equal(counts.items, cases[i].spans);
        } else {
            assert_int_equal(err, SW_E_MALFORMED);
            assert_int_equal(counts.items, 77); // untouched
            assert_string_equal(fault.text, cases[i].text);
        }
    }
    struct sw_otlp_counts counts;
    assert_int_equal(sw_otlp_validate(SW_TRACES, NULL, 0, &counts, NULL), SW_OK);
}

static void test_a_fault_tells_where_the_field_stands(void **state)
{
    struct wire wire = {.data = NULL};
    wire_begin(&wire, 1);
    wire_begin(&wire, 2);
    wire_begin(&wire, 2);
    wire_text(&wire, 5, "name");
    size_t inside = wire.size;
    wire_bytes(&wire, 1, "short", 5); // a trace ID of five bytes
    wire_end(&wire);
    wire_end(&wire);
    wire_end(&wire);
    struct sw_otlp_counts counts;
    struct sw_otlp_fault fault;
    assert_int_equal(
        sw_otlp_validate(SW_TRACES, wire.data, wire.size, &counts, &fault), SW_E_MALFORMED
    );
    // Three lengths of one byte stand before it, which were not there when the field was written.
    assert_int_equal(fault.offset, inside + 3);
    assert_string_equal(fault.text, "unmarshal: invalid TraceID length");
    wire_fini(&wire);
}

/* A value of a span's attribute that is `arrays` arrays deep. */
static int nest(unsigned arrays)
{
    struct wire wire = {.data = NULL};
    for (unsigned i = 0; i < 2; i++) {
        wire_begin(&wire, i == 0 ? 1 : 2);
    }
    wire_begin(&wire, 2);
    wire_begin(&wire, 9);
    wire_begin(&wire, 2);
    for (unsigned i = 0; i < arrays; i++) {
        wire_begin(&wire, 5);
        wire_begin(&wire, 1);
    }
    while (wire.depth > 0) {
        wire_end(&wire);
    }
    struct sw_otlp_counts counts;
    int err = sw_otlp_validate(SW_TRACES, wire.data, wire.size, &counts, NULL);
    wire_fini(&wire);
    return err;
}

static void test_nesting_has_a_limit(void **state)
{
    assert_int_equal(nest(47), SW_OK);
    assert_int_equal(nest(48), SW_E_MALFORMED);
}

static void test_old_scopes_count_where_there_are_no_others(void **state)
{
    struct wire wire = {.data = NULL};
    for (unsigned with_new = 0; with_new < 2; with_new++) {
        wire_begin(&wire, 1);
        wire_begin(&wire, 1000);
        wire_begin(&wire, 2);
        wire_end(&wire);
        wire_begin(&wire, 2);
        wire_end(&wire);
        wire_end(&wire);
        if (with_new) {
            wire_begin(&wire, 2);
            wire_begin(&wire, 2);
            wire_end(&wire);
            wire_end(&wire);
        }
        wire_end(&wire);
    }
    struct sw_otlp_counts counts;
    assert_int_equal(sw_otlp_validate(SW_TRACES, wire.data, wire.size, &counts, NULL), SW_OK);
    assert_int_equal(counts.resources, 2);
    assert_int_equal(counts.items, 3);
    assert_true(counts.migrate);
    size_t size = sw_otlp_migrate(wire.data, wire.size);
    assert_true(size < wire.size);
    assert_int_equal(sw_otlp_validate(SW_TRACES, wire.data, size, &counts, NULL), SW_OK);
    assert_int_equal(counts.items, 3);
    assert_false(counts.migrate);
    wire_fini(&wire);
}

static void test_bad_bodies_of_metrics_and_logs_get_the_answers_of_the_decoder(void **state)
{
    static const struct {
        enum sw_signal signal;
        const char *hex;
        const char *text; // NULL: valid
        uint32_t items;
    } cases[] = {
        {SW_METRICS, "0801", "proto: wrong wireType = 0 for field ResourceMetrics", 0},
        {SW_LOGS, "0801", "proto: wrong wireType = 0 for field ResourceLogs", 0},
        // A metric without data, a gauge of one point, of two; then a sum of one as well, which is meant.
        {SW_METRICS, "0a07120512030a016d", NULL, 0},
        {SW_METRICS, "0a0b120912070a016d2a020a00", NULL, 1},
        {SW_METRICS, "0a0d120b12090a016d2a040a000a00", NULL, 2},
        {SW_METRICS, "0a11120f120d0a016d2a040a000a003a020a00", NULL, 1},
        // bucket_counts: packed, one by one, of seven bytes, as a varint.
        {SW_METRICS, "0a121210120e4a0c0a0a32080100000000000000", NULL, 1},
        {SW_METRICS, "0a11120f120d4a0b0a09310100000000000000", NULL, 1},
        {SW_METRICS,
         "0a11120f120d4a0b0a09320701000000000000",
         "proto: invalid field len = 7 for field BucketCounts",
         0},
        {SW_METRICS,
         "0a0a120812064a040a023001",
         "proto: wrong wireType = 0 for field BucketCounts",
         0},
        // An exponential histogram's counts: two, one that does not end, one by one.
        {SW_METRICS, "0a0f120d120b52090a0742051203028001", NULL, 1},
        {SW_METRICS, "0a0e120c120a52080a06420412020180", "unexpected EOF", 0},
        {SW_METRICS, "0a0c120a120852060a0442021001", NULL, 1},
        // Flags of a data point are a varint, those of a log record are not.
        {SW_METRICS, "0a0a120812062a040a024001", NULL, 1},
        {SW_LOGS, "0a06120412024001", "proto: wrong wireType = 0 for field Flags", 0},
        {SW_LOGS, "0a09120712054501000000", NULL, 1},
        {SW_LOGS, "0a08120612044a02abab", "unmarshal: invalid TraceID length", 0},
        {SW_LOGS, "0a08120612045202abab", "unmarshal: invalid SpanID length", 0},
        {SW_LOGS, "0a06120412022a00", NULL, 1},
        {SW_LOGS, "0a06120412022001", NULL, 1}, // field 4 is nobody's any more
        // The position in the text is that within the message around the field.
        {SW_LOGS, "0a06120412022a0000", "proto: Link: illegal field=0 (tag=0, pos=9)", 0},
        {SW_LOGS, "0a071205120320010000", "proto: Link: illegal field=0 (tag=0, pos=3)", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t bytes[128];
        size_t size = unhex(cases[i].hex, bytes);
        struct sw_otlp_counts counts = {.items = 77};
        struct sw_otlp_fault fault = {.text = ""};
        int err = sw_otlp_validate(cases[i].signal, bytes, size, &counts, &fault);
        assert_string_equal(fault.text, cases[i].text == NULL ? "" : cases[i].text);
        assert_int_equal(err, cases[i].text == NULL ? SW_OK : SW_E_MALFORMED);
        assert_int_equal(counts.items, cases[i].text == NULL ? cases[i].items : 77);
    }
}

/* Copies of the exact size, so that a sanitizer sees the first byte read outside. */
static bool compare(enum sw_signal signal, const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    bool valid = otlp_compare(signal, copy, size);
    free(copy);
    return valid;
}

static void test_random_requests_in_any_order_read_the_same(void **state)
{
    static const enum ref_type requests[] = {REF_REQUEST, REF_METRICS_REQUEST, REF_LOGS_REQUEST};
    struct sw_rand rand;
    struct wire wire = {.data = NULL};
    uint64_t seed = 11;
    sw_rand_init(&rand, 1);
    for (unsigned round = 0; round < 1200; round++) {
        enum sw_signal signal = round % SW_SIGNALS_COUNT;
        wire_random_signal(&wire, signal, &rand);
        assert_true(compare(signal, wire.data, wire.size));
        uint8_t *other = malloc(wire.size + 1);
        for (enum ref_order order = REF_ASCENDING; order <= REF_RANDOM; order++) {
            ref_reorder(requests[signal], wire.data, wire.size, order, &seed, other);
            assert_true(compare(signal, other, wire.size));
        }
        free(other);
    }
    wire_fini(&wire);
}

static void test_damaged_requests_are_judged_the_same(void **state)
{
    struct sw_rand rand;
    struct wire wire = {.data = NULL};
    unsigned refused[SW_SIGNALS_COUNT] = {0};
    unsigned taken[SW_SIGNALS_COUNT] = {0};
    sw_rand_init(&rand, 2);
    for (unsigned round = 0; round < 9000; round++) {
        enum sw_signal signal = round % SW_SIGNALS_COUNT;
        wire_random_signal(&wire, signal, &rand);
        if (wire.size == 0) {
            continue;
        }
        for (uint64_t n = 1 + sw_rand_below(&rand, 3); n > 0; n--) {
            uint8_t *at = wire.data + sw_rand_below(&rand, wire.size);
            *at = sw_rand_below(&rand, 2) == 0 ? (uint8_t)sw_rand_u64(&rand)
                                               : (uint8_t)(*at ^ 1u << sw_rand_below(&rand, 8));
        }
        size_t size = sw_rand_below(&rand, 6) == 0 ? sw_rand_below(&rand, wire.size) : wire.size;
        if (compare(signal, wire.data, size)) {
            taken[signal]++;
        } else {
            refused[signal]++;
        }
    }
    // Both happen often, or this has tested nothing.
    for (unsigned signal = 0; signal < SW_SIGNALS_COUNT; signal++) {
        assert_true(refused[signal] > 500 && taken[signal] > 500);
    }
    wire_fini(&wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded_bodies_get_the_recorded_answers),
        cmocka_unit_test(test_a_fault_tells_where_the_field_stands),
        cmocka_unit_test(test_nesting_has_a_limit),
        cmocka_unit_test(test_old_scopes_count_where_there_are_no_others),
        cmocka_unit_test(test_bad_bodies_of_metrics_and_logs_get_the_answers_of_the_decoder),
        cmocka_unit_test(test_random_requests_in_any_order_read_the_same),
        cmocka_unit_test(test_damaged_requests_are_judged_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
