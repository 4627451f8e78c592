/* What JSON a request becomes when its fields come in odd ways: any order, given twice, in pieces, damaged. What
 * the usual ones become is in json_read.c, whose cases come back as JSON. */
#include "dataplane/base/mem.h"
#include "tests/lib/json.h"
#include "tests/lib/otlp_compare.h"
#include "tests/lib/wire.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define WHOLE SIZE_MAX

static void assert_written(enum sw_signal signal, const struct wire *wire, const char *wanted)
{
    struct sw_buf *json = NULL;
    struct sw_bytes request = {wire->data, wire->size};
    assert_int_equal(json_write(signal, request, WHOLE, NULL, &json), SW_OK);
    assert_int_equal(json->size, strlen(wanted));
    assert_memory_equal(json->data, wanted, json->size);
    sw_buf_unref(json);
}

static void test_an_empty_request_is_an_empty_object(void **state)
{
    struct wire wire = {.data = NULL};
    assert_written(SW_TRACES, &wire, "{}");
    assert_written(SW_METRICS, &wire, "{}");
    assert_written(SW_LOGS, &wire, "{}");
    wire_begin(&wire, 1);
    wire_end(&wire);
    assert_written(SW_LOGS, &wire, "{\"resourceLogs\":[{\"resource\":{}}]}");
    wire_fini(&wire);
}

static void test_messages_given_twice_are_merged(void **state)
{
    struct wire wire = {.data = NULL};
    wire_begin(&wire, 1);
    wire_begin(&wire, 1);
    wire_number(&wire, 2, 7);
    wire_end(&wire);
    wire_text(&wire, 3, "first");
    wire_begin(&wire, 1);
    wire_begin(&wire, 1);
    wire_text(&wire, 1, "k");
    wire_end(&wire);
    wire_end(&wire);
    wire_text(&wire, 3, "last");
    wire_end(&wire);
    assert_written(
        SW_TRACES,
        &wire,
        "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"k\",\"value\":{}}],"
        "\"droppedAttributesCount\":7},\"schemaUrl\":\"last\"}]}"
    );
    wire_fini(&wire);
}

/* A log record's body of several AnyValues. */
static void begin_record(struct wire *wire)
{
    wire_begin(wire, 1);
    wire_begin(wire, 2);
    wire_begin(wire, 2);
}

static void end_record(struct wire *wire)
{
    wire_end(wire);
    wire_end(wire);
    wire_end(wire);
}

static void test_the_last_member_of_a_oneof_is_the_value(void **state)
{
    struct wire wire = {.data = NULL};
    begin_record(&wire);
    wire_begin(&wire, 5);
    wire_begin(&wire, 5); // an array of one empty value
    wire_begin(&wire, 1);
    wire_end(&wire);
    wire_end(&wire);
    wire_number(&wire, 3, 5);
    wire_end(&wire);
    wire_begin(&wire, 5); // a body without a member changes nothing
    wire_end(&wire);
    end_record(&wire);
    assert_written(
        SW_LOGS,
        &wire,
        "{\"resourceLogs\":[{\"resource\":{},\"scopeLogs\":[{\"scope\":{},\"logRecords\":[{"
        "\"body\":{"
        "\"intValue\":\"5\"}}]}]}]}"
    );
    wire_fini(&wire);
}

/* Numbers of a histogram point: packed, single, packed, single. */
static void test_packed_numbers_replace_those_before_and_single_ones_follow(void **state)
{
    struct wire wire = {.data = NULL};
    uint8_t packed[8] = {1};
    begin_record(&wire); // the same nesting as for metrics
    wire_begin(&wire, 9);
    wire_begin(&wire, 1);
    wire_bytes(&wire, 6, packed, 8);
    wire_i64(&wire, 6, 2);
    packed[0] = 3;
    wire_bytes(&wire, 6, packed, 8);
    wire_i64(&wire, 6, 4);
    wire_bytes(&wire, 7, NULL, 0);
    wire_end(&wire);
    wire_end(&wire);
    end_record(&wire);
    assert_written(
        SW_METRICS,
        &wire,
        "{\"resourceMetrics\":[{\"resource\":{},\"scopeMetrics\":[{\"scope\":{},\"metrics\":[{"
        "\"histogram\":{\"dataPoints\":[{\"bucketCounts\":[\"3\",\"4\"]}]}}]}]}]}"
    );
    wire_fini(&wire);
}

static void test_texts_are_escaped_as_little_as_the_collector_does(void **state)
{
    struct wire wire = {.data = NULL};
    begin_record(&wire);
    wire_text(&wire, 3, "a\"b\\c\n\r\t\b\f\x01\x1f\x7f</&>\xe2\x80\xa8\xff");
    end_record(&wire);
    assert_written(
        SW_LOGS,
        &wire,
        "{\"resourceLogs\":[{\"resource\":{},\"scopeLogs\":[{\"scope\":{},\"logRecords\":[{"
        "\"severityText\":\"a\\\"b\\\\c\\n\\r\\t\\u0008\\u000c\\u0001\\u001f\x7f</"
        "&>\xe2\x80\xa8\xff\","
        "\"body\":{}}]}]}]}"
    );
    wire_fini(&wire);
}

/* Protobuf-c's reading of both must be the same but for unknown fields: it packs them again. */
static size_t repack(struct sw_bytes request, uint8_t **ret_packed)
{
    Oracle__Request *read = oracle__request__unpack(NULL, request.size, request.data);
    assert_non_null(read);
    *ret_packed = malloc(oracle__request__get_packed_size(read) + 1);
    size_t size = oracle__request__pack(read, *ret_packed);
    oracle__request__free_unpacked(read, NULL);
    return size;
}

/* Reading what was written gives a request that is written the same and that protobuf-c reads as it reads itself. */
static void check_round(struct sw_bytes json)
{
    struct json_reading reading = json_read(SW_TRACES, json, 512, NULL);
    assert_int_equal(reading.err, SW_OK);
    struct sw_bytes request = json_bytes(reading.request);
    struct sw_buf *again = NULL;
    uint8_t *packed;
    assert_int_equal(json_write(SW_TRACES, request, 333, NULL, &again), SW_OK);
    assert_int_equal(again->size, json.size);
    assert_memory_equal(again->data, json.data, json.size);
    assert_true(otlp_compare(SW_TRACES, request.data, request.size));
    size_t size = repack(request, &packed);
    struct json_reading repacked = json_read(SW_TRACES, json_bytes(again), WHOLE, NULL);
    assert_int_equal(repacked.request->size, request.size);
    struct sw_buf *from_packed = NULL;
    struct sw_bytes other = {packed, size};
    assert_int_equal(json_write(SW_TRACES, other, WHOLE, NULL, &from_packed), SW_OK);
    assert_int_equal(from_packed->size, json.size);
    assert_memory_equal(from_packed->data, json.data, json.size);
    free(packed);
    sw_buf_unref(from_packed);
    sw_buf_unref(repacked.request);
    sw_buf_unref(again);
    sw_buf_unref(reading.request);
}

static void test_random_requests_in_any_order_write_the_same(void **state)
{
    struct sw_rand rand;
    struct wire wire = {.data = NULL};
    uint64_t seed = 5;
    sw_rand_init(&rand, 3);
    for (unsigned round = 0; round < 300; round++) {
        wire_random_request(&wire, &rand);
        struct sw_bytes request = {wire.data, wire.size};
        struct sw_buf *json = NULL;
        assert_int_equal(json_write(SW_TRACES, request, WHOLE, NULL, &json), SW_OK);
        check_round(json_bytes(json));
        uint8_t *other = malloc(wire.size + 1);
        for (enum ref_order order = REF_ASCENDING; order <= REF_RANDOM; order++) {
            struct sw_buf *reordered = NULL;
            ref_reorder(REF_REQUEST, wire.data, wire.size, order, &seed, other);
            request.data = other;
            assert_int_equal(json_write(SW_TRACES, request, 100, NULL, &reordered), SW_OK);
            assert_int_equal(reordered->size, json->size);
            assert_memory_equal(reordered->data, json->data, json->size);
            sw_buf_unref(reordered);
        }
        free(other);
        sw_buf_unref(json);
    }
    wire_fini(&wire);
}

static void test_damaged_requests_are_refused_or_written_but_never_read_outside(void **state)
{
    struct sw_rand rand;
    struct wire wire = {.data = NULL};
    unsigned refused = 0;
    sw_rand_init(&rand, 4);
    for (unsigned round = 0; round < 3000; round++) {
        wire_random_request(&wire, &rand);
        if (wire.size == 0) {
            continue;
        }
        size_t size = 1 + sw_rand_below(&rand, (uint32_t)wire.size);
        uint8_t *copy = malloc(size);
        memcpy(copy, wire.data, size);
        copy[sw_rand_below(&rand, (uint32_t)size)] = (uint8_t)sw_rand_below(&rand, 256);
        for (enum sw_signal signal = SW_TRACES; signal < SW_SIGNALS_COUNT; signal++) {
            struct sw_buf *json = NULL;
            int err = json_write(signal, (struct sw_bytes){copy, size}, 64, NULL, &json);
            assert_true(err == SW_OK || err == SW_E_MALFORMED);
            refused += err != SW_OK;
            sw_buf_unref(json);
        }
        free(copy);
    }
    assert_true(refused > 1000);
    wire_fini(&wire);
}

static void test_a_batch_in_pieces_is_written_as_one(void **state)
{
    struct wire wire = {.data = NULL};
    struct sw_account account = {.charged_bytes = 0};
    wire_begin(&wire, 1);
    wire_text(&wire, 3, "a");
    wire_end(&wire);
    struct sw_buf *buf = sw_buf_copy(&account, wire.data, (uint32_t)wire.size);
    struct sw_batch *batch = sw_batch_new(SW_TRACES);
    assert_int_equal(sw_batch_add_raw(batch, buf, buf->data, buf->size, 0), SW_OK);
    struct sw_buf *json = NULL;
    assert_int_equal(json_finish(sw_json_writer_new_batch(batch, &account), 1, &json), SW_OK);
    static const char one[] = "{\"resourceSpans\":[{\"resource\":{},\"schemaUrl\":\"a\"}]}";
    assert_int_equal(json->size, sizeof(one) - 1);
    assert_memory_equal(json->data, one, json->size);
    sw_buf_unref(json);
    // A second part, whose content alone is in the buffer.
    assert_int_equal(sw_batch_begin_part(batch), SW_OK);
    assert_int_equal(sw_batch_add_piece(batch, buf, buf->data + 2, buf->size - 2), SW_OK);
    sw_batch_end_part(batch, 0);
    assert_int_equal(json_finish(sw_json_writer_new_batch(batch, &account), 1, &json), SW_OK);
    static const char two[] = "{\"resourceSpans\":[{\"resource\":{},\"schemaUrl\":\"a\"},"
                              "{\"resource\":{},\"schemaUrl\":\"a\"}]}";
    assert_int_equal(json->size, sizeof(two) - 1);
    assert_memory_equal(json->data, two, json->size);
    sw_buf_unref(json);
    sw_batch_free(batch);
    sw_buf_unref(buf);
    assert_int_equal(sw_account_charged(&account), 0);
    wire_fini(&wire);
}

static void test_out_of_memory_anywhere_leaves_nothing_behind(void **state)
{
    struct wire wire = {.data = NULL};
    struct sw_account account = {.charged_bytes = 0};
    wire_begin(&wire, 1);
    for (unsigned i = 0; i < 2; i++) {
        wire_begin(&wire, 1); // the resource twice: it is gathered
        wire_begin(&wire, 1);
        char text[2000];
        memset(text, '\x01', sizeof(text));
        wire_bytes(&wire, 1, text, sizeof(text));
        wire_end(&wire);
        wire_end(&wire);
    }
    wire_end(&wire);
    struct sw_bytes request = {wire.data, wire.size};
    int err = SW_E_NOMEM;
    uint64_t nth;
    for (nth = 1; err == SW_E_NOMEM; nth++) {
        struct sw_buf *json = NULL;
        sw_mem_fail_at(nth, 0);
        err = json_write(SW_LOGS, request, 500, &account, &json);
        sw_mem_fail_at(0, 0);
        sw_buf_unref(json);
        assert_int_equal(sw_account_charged(&account), 0);
    }
    assert_int_equal(err, SW_OK);
    assert_true(nth > 5); // the writer, its buffer, larger ones, the resource
    wire_fini(&wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_request_is_an_empty_object),
        cmocka_unit_test(test_messages_given_twice_are_merged),
        cmocka_unit_test(test_the_last_member_of_a_oneof_is_the_value),
        cmocka_unit_test(test_packed_numbers_replace_those_before_and_single_ones_follow),
        cmocka_unit_test(test_texts_are_escaped_as_little_as_the_collector_does),
        cmocka_unit_test(test_random_requests_in_any_order_write_the_same),
        cmocka_unit_test(test_damaged_requests_are_refused_or_written_but_never_read_outside),
        cmocka_unit_test(test_a_batch_in_pieces_is_written_as_one),
        cmocka_unit_test(test_out_of_memory_anywhere_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
