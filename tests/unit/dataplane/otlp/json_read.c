/* What becomes of JSON: the same as in the Collector, item by item and word by word, in one go or in slices of
 * any size; and what happens at the limits of depth, size and memory. */
#include "dataplane/base/mem.h"
#include "dataplane/otlp/validate.h"
#include "tests/lib/json.h"
#include "tests/unit/dataplane/otlp/json_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define WHOLE SIZE_MAX

static void assert_bytes(struct sw_bytes got, struct sw_bytes wanted)
{
    if (!sw_bytes_equal(got, wanted)) {
        print_message("got    %.*s\n", (int)got.size, (const char *)got.data);
        print_message("wanted %.*s\n", (int)wanted.size, (const char *)wanted.data);
        fail();
    }
}

static void check_case(const struct json_case *json_case, size_t most)
{
    struct sw_account account = {.charged_bytes = 0};
    // A copy of the exact size, so that a sanitizer sees the first byte read outside.
    struct sw_bytes json = json_case->json;
    uint8_t *copy = malloc(json.size > 0 ? json.size : 1);
    memcpy(copy, json.data, json.size);
    json.data = copy;
    struct json_reading reading = json_read(json_case->signal, json, most, &account);
    if (json_case->written.data == NULL) {
        assert_int_equal(reading.err, SW_E_MALFORMED);
        assert_null(reading.request);
        struct sw_bytes text = {(const uint8_t *)reading.fault.text, reading.fault.size};
        assert_bytes(text, json_case->fault);
    } else {
        struct sw_buf *written = NULL;
        assert_int_equal(reading.err, SW_OK);
        assert_int_equal(reading.items_count, json_case->items_count);
        struct sw_bytes request = json_bytes(reading.request);
        int err = json_write(json_case->signal, request, most, &account, &written);
        assert_int_equal(err, SW_OK);
        assert_bytes(json_bytes(written), json_case->written);
        struct sw_otlp_counts counts;
        struct sw_otlp_fault fault;
        err = sw_otlp_validate(json_case->signal, request.data, request.size, &counts, &fault);
        assert_int_equal(err, SW_OK);
        assert_int_equal(counts.items, json_case->items_count);
        sw_buf_unref(written);
        sw_buf_unref(reading.request);
    }
    free(copy);
    assert_int_equal(sw_account_charged(&account), 0);
}

static void test_recorded_bodies_get_the_recorded_answers(void **state)
{
    for (size_t i = 0; i < SW_ARRAY_SIZE(recorded_cases); i++) {
        check_case(&recorded_cases[i], WHOLE);
    }
}

static void test_odd_documents_are_read_as_the_collector_does(void **state)
{
    for (size_t i = 0; i < SW_ARRAY_SIZE(other_cases); i++) {
        check_case(&other_cases[i], WHOLE);
    }
}

static void test_slices_of_any_size_read_the_same(void **state)
{
    static const size_t sizes[] = {0, 1, 2, 3, 7, 64};
    for (size_t s = 0; s < SW_ARRAY_SIZE(sizes); s++) {
        for (size_t i = 0; i < SW_ARRAY_SIZE(recorded_cases); i++) {
            check_case(&recorded_cases[i], sizes[s]);
        }
        for (size_t i = 0; i < SW_ARRAY_SIZE(other_cases); i++) {
            check_case(&other_cases[i], sizes[s]);
        }
    }
}

static void test_a_fault_says_whether_its_text_is_utf8(void **state)
{
    struct sw_bytes negative =
        SW_BYTES("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"flags\":-1");
    struct json_reading reading = json_read(SW_TRACES, negative, WHOLE, NULL);
    assert_int_equal(reading.err, SW_E_MALFORMED);
    assert_false(reading.fault.utf8); // it quotes a byte that is no character
    reading = json_read(SW_TRACES, SW_BYTES("{\"a\":\xff}"), WHOLE, NULL);
    assert_false(reading.fault.utf8);
    reading = json_read(SW_TRACES, SW_BYTES("{\"\xc3\xa9\":?}"), WHOLE, NULL);
    assert_int_equal(reading.err, SW_E_MALFORMED);
    assert_true(reading.fault.utf8);
    assert_int_equal(strlen(reading.fault.text), reading.fault.size);
}

static void test_integers_out_of_range_are_refused_also_where_the_collector_misses_it(void **state)
{
    // json-iterator's check takes what wraps around to a larger number for no overflow.
    static const char *const values[] = {
        "\"kind\":5000000000", "\"startTimeUnixNano\":30000000000000000000"};
    for (size_t i = 0; i < SW_ARRAY_SIZE(values); i++) {
        char json[160];
        int size = snprintf(
            json,
            sizeof(json),
            "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{%s}]}]}]}",
            values[i]
        );
        struct sw_bytes bytes = {(const uint8_t *)json, (size_t)size};
        struct json_reading reading = json_read(SW_TRACES, bytes, WHOLE, NULL);
        assert_int_equal(reading.err, SW_E_MALFORMED);
        assert_non_null(strstr(reading.fault.text, ": overflow, error found in #10 byte of"));
    }
}

/* ---- limits ---- */

struct text {
    char *data;
    size_t size;
};

static void add(struct text *text, const char *more)
{
    size_t size = strlen(more);
    text->data = realloc(text->data, text->size + size + 1);
    memcpy(text->data + text->size, more, size + 1);
    text->size += size;
}

static void add_many(struct text *text, const char *more, size_t count)
{
    size_t size = strlen(more);
    text->data = realloc(text->data, text->size + count * size + 1);
    for (size_t i = 0; i < count; i++) {
        memcpy(text->data + text->size + i * size, more, size);
    }
    text->size += count * size;
    text->data[text->size] = '\0';
}

static struct sw_bytes bytes_of(const struct text *text)
{
    return (struct sw_bytes){(const uint8_t *)text->data, text->size};
}

static int read_nested(size_t arrays)
{
    struct text text = {.data = NULL};
    add(&text, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"value\":");
    add_many(&text, "{\"arrayValue\":{\"values\":[", arrays);
    add(&text, "{}");
    add_many(&text, "]}}", arrays);
    add(&text, "}]}]}]}]}");
    struct json_reading reading = json_read(SW_TRACES, bytes_of(&text), WHOLE, NULL);
    if (reading.err == SW_OK) {
        struct sw_otlp_counts counts;
        struct sw_bytes request = json_bytes(reading.request);
        assert_int_equal(
            sw_otlp_validate(SW_TRACES, request.data, request.size, &counts, NULL), SW_OK
        );
    } else {
        assert_non_null(strstr(reading.fault.text, "exceeded max depth"));
    }
    sw_buf_unref(reading.request);
    free(text.data);
    return reading.err;
}

static void test_nesting_is_bounded_where_validation_bounds_it(void **state)
{
    // The innermost AnyValue is one message more than the arrays make.
    assert_int_equal(read_nested(46), SW_OK);
    assert_int_equal(read_nested(47), SW_OK);
    assert_int_equal(read_nested(48), SW_E_MALFORMED);
    assert_int_equal(read_nested(5000), SW_E_MALFORMED);
}

static int read_skipped(const char *open, const char *close, size_t depth)
{
    struct text text = {.data = NULL};
    add(&text, "{\"x\":");
    add_many(&text, open, depth);
    add(&text, "1");
    add_many(&text, close, depth);
    add(&text, "}");
    struct json_reading reading = json_read(SW_TRACES, bytes_of(&text), 100, NULL);
    sw_buf_unref(reading.request);
    free(text.data);
    return reading.err;
}

static void test_unknown_values_nest_as_deep_as_json_iterator_goes(void **state)
{
    assert_int_equal(read_skipped("[", "]", 10000), SW_OK);
    assert_int_equal(read_skipped("[", "]", 10001), SW_E_MALFORMED);
    assert_int_equal(read_skipped("{\"a\":", "}", 10000), SW_OK);
    assert_int_equal(read_skipped("{\"a\":", "}", 10001), SW_E_MALFORMED);
}

/* Reads in slices of 1 KiB: the same must come out as in one go, in steps that are small. */
static void check_large(enum sw_signal signal, const struct text *text, unsigned most_steps)
{
    struct sw_account account = {.charged_bytes = 0};
    struct json_reading whole = json_read(signal, bytes_of(text), WHOLE, &account);
    struct json_reading sliced = json_read(signal, bytes_of(text), 1024, &account);
    assert_int_equal(whole.err, SW_OK);
    assert_int_equal(sliced.err, SW_OK);
    assert_bytes(json_bytes(sliced.request), json_bytes(whole.request));
    assert_true(sliced.steps_count > text->size / 1024 / 8);
    assert_true(sliced.steps_count < most_steps);
    struct sw_buf *json = NULL;
    struct sw_buf *json_whole = NULL;
    struct sw_bytes request = json_bytes(whole.request);
    assert_int_equal(json_write(signal, request, 1024, &account, &json), SW_OK);
    assert_int_equal(json_write(signal, request, WHOLE, &account, &json_whole), SW_OK);
    assert_bytes(json_bytes(json), json_bytes(json_whole));
    // Lengths may have more bytes than they need, so that it is the JSON that must not change any more.
    struct json_reading again = json_read(signal, json_bytes(json), 4096, &account);
    struct sw_buf *json_again = NULL;
    assert_int_equal(again.err, SW_OK);
    request = json_bytes(again.request);
    assert_int_equal(json_write(signal, request, WHOLE, &account, &json_again), SW_OK);
    assert_bytes(json_bytes(json_again), json_bytes(json));
    sw_buf_unref(again.request);
    sw_buf_unref(json_again);
    sw_buf_unref(json);
    sw_buf_unref(json_whole);
    sw_buf_unref(sliced.request);
    // What is left is charged in full, and no more than a quarter of it is unused.
    assert_int_equal(sw_account_charged(&account), whole.request->charged_bytes);
    assert_true(whole.request->capacity - whole.request->size <= whole.request->capacity / 4);
    sw_buf_unref(whole.request);
    assert_int_equal(sw_account_charged(&account), 0);
}

static void check_large_value(const char *open, const char *unit, const char *close)
{
    struct text text = {.data = NULL};
    add(&text, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"k\",");
    add(&text, "\"value\":{");
    add(&text, open);
    add_many(&text, unit, 300000 / strlen(unit));
    add(&text, close);
    add(&text, "}}]}]}]}]}");
    check_large(SW_TRACES, &text, 2000);
    free(text.data);
}

static void test_large_values_are_read_in_slices(void **state)
{
    check_large_value("\"stringValue\":\"", "abcdefghijklmnop", "\"");
    check_large_value("\"stringValue\":\"", "abc\\n\\u20ac\\ud83d\\ude00", "\"");
    check_large_value("\"bytesValue\":\"", "AAECAwQF", "\"");
    check_large_value("\"unknown\":\"", "abcdefgh", "\"");
    check_large_value("\"unknown\":[0", ",1,{\"a\":[]},\"x\"", "]");
    check_large_value("\"arrayValue\":{\"values\":[{}", ",{\"intValue\":1},{}", "]}");
    check_large_value("\"intValue\":1,\"stringValue\":", "        ", "\"x\"");
}

static void test_numbers_that_take_more_room_than_their_text_make_the_buffer_grow(void **state)
{
    struct text text = {.data = NULL};
    add(&text,
        "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"histogram\":{\"dataPoints\":[{");
    add(&text, "\"explicitBounds\":[1");
    add_many(&text, ",2", 200000);
    add(&text, "],\"bucketCounts\":[1");
    add_many(&text, ",2", 200000);
    add(&text, "]}]}}]}]}]}");
    check_large(SW_METRICS, &text, 2000);
    free(text.data);
}

static void test_data_of_a_metric_that_is_replaced_goes_in_slices(void **state)
{
    struct text text = {.data = NULL};
    add(&text,
        "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"gauge\":{\"dataPoints\":[{}");
    add_many(&text, ",{\"asInt\":1}", 1000);
    add(&text, "]},\"description\":\"");
    add_many(&text, "d", 400000);
    add(&text, "\",\"sum\":{\"dataPoints\":[{}]},\"unit\":\"u\"}]}]}]}");
    check_large(SW_METRICS, &text, 2000);
    struct json_reading reading = json_read(SW_METRICS, bytes_of(&text), 1000, NULL);
    assert_int_equal(reading.items_count, 1);
    sw_buf_unref(reading.request);
    free(text.data);
}

static void test_numbers_of_absurd_length_are_refused(void **state)
{
    static const char *const names[] = {"doubleValue\":", "doubleValue\":\"", "intValue\":\""};
    for (size_t i = 0; i < SW_ARRAY_SIZE(names); i++) {
        struct text text = {.data = NULL};
        add(&text, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"");
        add(&text, names[i]);
        add(&text, "1");
        add_many(&text, "0", 100000);
        add(&text, i > 0 ? "\"" : "");
        add(&text, "}}]}]}]}");
        struct json_reading reading = json_read(SW_LOGS, bytes_of(&text), 4096, NULL);
        assert_int_equal(reading.err, SW_E_MALFORMED);
        free(text.data);
    }
}

static void test_out_of_memory_anywhere_leaves_nothing_behind(void **state)
{
    struct text text = {.data = NULL};
    struct sw_account account = {.charged_bytes = 0};
    add(&text,
        "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"histogram\":{\"dataPoints\":[{");
    add(&text, "\"explicitBounds\":[1");
    add_many(&text, ",2", 4000);
    add(&text, "]}]}}]}]}]}");
    int err = SW_E_NOMEM;
    uint64_t nth;
    for (nth = 1; err == SW_E_NOMEM; nth++) {
        sw_mem_fail_at(nth, 0);
        struct json_reading reading = json_read(SW_METRICS, bytes_of(&text), 500, &account);
        sw_mem_fail_at(0, 0);
        err = reading.err;
        sw_buf_unref(reading.request);
        assert_int_equal(sw_account_charged(&account), 0);
    }
    assert_int_equal(err, SW_OK);
    assert_true(nth > 4); // the reader, its buffer, larger ones
    free(text.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded_bodies_get_the_recorded_answers),
        cmocka_unit_test(test_odd_documents_are_read_as_the_collector_does),
        cmocka_unit_test(test_slices_of_any_size_read_the_same),
        cmocka_unit_test(test_a_fault_says_whether_its_text_is_utf8),
        cmocka_unit_test(test_integers_out_of_range_are_refused_also_where_the_collector_misses_it),
        cmocka_unit_test(test_nesting_is_bounded_where_validation_bounds_it),
        cmocka_unit_test(test_unknown_values_nest_as_deep_as_json_iterator_goes),
        cmocka_unit_test(test_large_values_are_read_in_slices),
        cmocka_unit_test(test_numbers_that_take_more_room_than_their_text_make_the_buffer_grow),
        cmocka_unit_test(test_data_of_a_metric_that_is_replaced_goes_in_slices),
        cmocka_unit_test(test_numbers_of_absurd_length_are_refused),
        cmocka_unit_test(test_out_of_memory_anywhere_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
