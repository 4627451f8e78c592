/* The views of a metric and of a log record, where a field is odd: absent, repeated, broken. */
#include "dataplane/otlp/metric.h"

#include "dataplane/otlp/attribute.h"
#include "tests/lib/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const uint8_t zero[16];

static struct sw_bytes bytes_of(const struct wire *wire)
{
    return (struct sw_bytes){wire->data, wire->size};
}

static uint32_t count_points(const struct sw_metric_view *view)
{
    struct sw_otlp_iter iter;
    struct sw_pb_field point;
    uint32_t count = 0;
    sw_metric_points_init(&iter, view);
    while (sw_otlp_next(&iter, &point)) {
        count++;
    }
    return count;
}

static void test_an_empty_metric_has_no_type_and_no_points(void **state)
{
    struct sw_metric_view view;
    assert_true(sw_metric_view_fill(&view, (struct sw_bytes){NULL, 0}));
    assert_int_equal(view.type, SW_METRIC_EMPTY);
    assert_int_equal(view.name.size, 0);
    assert_int_equal(count_points(&view), 0);
}

static void test_each_type_finds_its_points_and_their_attributes(void **state)
{
    static const struct {
        uint32_t field;
        uint32_t attributes;
        enum sw_metric_kind type;
    } types[] = {
        {5, 7, SW_METRIC_GAUGE},
        {7, 7, SW_METRIC_SUM},
        {9, 9, SW_METRIC_HISTOGRAM},
        {10, 1, SW_METRIC_EXPONENTIAL_HISTOGRAM},
        {11, 7, SW_METRIC_SUMMARY},
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct wire wire = {.data = NULL};
        struct sw_metric_view view;
        struct sw_otlp_iter iter;
        struct sw_pb_field point;
        struct sw_any value;
        wire_begin(&wire, types[i].field);
        wire_begin(&wire, 1);
        wire_attribute(&wire, types[i].attributes, "key", "value");
        wire_end(&wire);
        wire_end(&wire);
        assert_true(sw_metric_view_fill(&view, bytes_of(&wire)));
        assert_int_equal(view.type, types[i].type);
        sw_metric_points_init(&iter, &view);
        assert_true(sw_otlp_next(&iter, &point));
        uint32_t tag = sw_metric_attributes_tag(view.type);
        assert_true(sw_attribute_find(point.bytes, tag, SW_BYTES("key"), &value));
        assert_true(sw_bytes_equal(value.bytes, SW_BYTES("value")));
        assert_false(sw_otlp_next(&iter, &point));
        wire_fini(&wire);
    }
}

static void test_of_two_kinds_of_data_the_last_is_meant(void **state)
{
    struct wire wire = {.data = NULL};
    struct sw_metric_view view;
    wire_begin(&wire, 5);
    wire_bytes(&wire, 1, NULL, 0);
    wire_bytes(&wire, 1, NULL, 0);
    wire_end(&wire);
    wire_text(&wire, 1, "first");
    wire_begin(&wire, 7);
    wire_bytes(&wire, 1, NULL, 0);
    wire_end(&wire);
    wire_text(&wire, 1, "second");
    assert_true(sw_metric_view_fill(&view, bytes_of(&wire)));
    assert_int_equal(view.type, SW_METRIC_SUM);
    assert_int_equal(count_points(&view), 1);
    assert_true(sw_bytes_equal(view.name, SW_BYTES("second")));
    wire_fini(&wire);
}

static void test_an_empty_record_has_no_ids_and_no_body(void **state)
{
    struct sw_log_view view;
    assert_true(sw_log_view_fill(&view, (struct sw_bytes){NULL, 0}));
    assert_memory_equal(view.trace_id, zero, 16);
    assert_memory_equal(view.span_id, zero, 8);
    assert_int_equal(view.body_fragments, 0);
}

static void test_a_body_in_two_fragments_says_so(void **state)
{
    struct wire wire = {.data = NULL};
    struct sw_log_view view;
    for (unsigned i = 0; i < 2; i++) {
        wire_begin(&wire, 5);
        wire_text(&wire, 1, i == 0 ? "one" : "two");
        wire_end(&wire);
    }
    assert_true(sw_log_view_fill(&view, bytes_of(&wire)));
    assert_int_equal(view.body_fragments, 2);
    uint8_t joined[64];
    struct sw_any body = {.type = SW_ANY_EMPTY};
    size_t size = sw_pb_gather(bytes_of(&wire), SW_LOG_TAG_BODY, joined);
    assert_true(sw_any_read((struct sw_bytes){joined, size}, &body));
    assert_true(sw_bytes_equal(body.bytes, SW_BYTES("two")));
    wire_fini(&wire);
}

static void test_an_id_of_a_wrong_length_is_told(void **state)
{
    for (uint32_t field = 9; field <= 10; field++) {
        struct wire wire = {.data = NULL};
        struct sw_log_view view;
        wire_bytes(&wire, field, "short", 5);
        assert_false(sw_log_view_fill(&view, bytes_of(&wire)));
        wire_fini(&wire);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_metric_has_no_type_and_no_points),
        cmocka_unit_test(test_each_type_finds_its_points_and_their_attributes),
        cmocka_unit_test(test_of_two_kinds_of_data_the_last_is_meant),
        cmocka_unit_test(test_an_empty_record_has_no_ids_and_no_body),
        cmocka_unit_test(test_a_body_in_two_fragments_says_so),
        cmocka_unit_test(test_an_id_of_a_wrong_length_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
