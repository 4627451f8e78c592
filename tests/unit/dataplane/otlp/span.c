/* The view of a span and the walk over envelopes, where a field is odd: absent, empty, repeated, broken. */
#include "dataplane/otlp/span.h"

#include "tests/lib/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const uint8_t zero[16];

static bool fill(struct sw_span_view *view, const struct wire *wire)
{
    return sw_span_view_fill(view, (struct sw_bytes){wire->data, wire->size});
}

static void test_an_empty_span_is_a_root_without_ids(void **state)
{
    struct sw_span_view view;
    assert_true(sw_span_view_fill(&view, (struct sw_bytes){NULL, 0}));
    assert_memory_equal(view.trace_id, zero, 16);
    assert_memory_equal(view.span_id, zero, 8);
    assert_memory_equal(view.parent_span_id, zero, 8);
    assert_true(view.is_root);
    assert_int_equal(view.status_code, SW_SPAN_STATUS_UNSET);
    assert_memory_equal(sw_span_trace_id((struct sw_bytes){NULL, 0}), zero, 16);
}

static void test_the_last_of_a_repeated_field_counts_and_statuses_merge(void **state)
{
    struct wire wire = {.data = NULL};
    wire_bytes(&wire, 1, "0123456789abcdef", 16);
    wire_bytes(&wire, 1, "fedcba9876543210", 16);
    wire_text(&wire, 5, "first");
    wire_text(&wire, 5, "second");
    wire_begin(&wire, 15);
    wire_number(&wire, 3, SW_SPAN_STATUS_ERROR);
    wire_end(&wire);
    wire_attribute(&wire, 9, "key", "value");
    wire_begin(&wire, 15);
    wire_text(&wire, 2, "why");
    wire_end(&wire);
    wire_i64(&wire, 7, 5);
    wire_i64(&wire, 8, 9);
    wire_number(&wire, 6, (uint64_t)-1); // enums are open, and negative ones take ten bytes
    wire_i32(&wire, 16, 0x301);
    struct sw_span_view view;
    assert_true(fill(&view, &wire));
    assert_memory_equal(view.trace_id, "fedcba9876543210", 16);
    assert_true(sw_bytes_equal(view.name, SW_BYTES("second")));
    assert_int_equal(view.status_code, SW_SPAN_STATUS_ERROR);
    assert_true(sw_bytes_equal(view.status_message, SW_BYTES("why")));
    assert_int_equal(view.start_ns, 5);
    assert_int_equal(view.end_ns, 9);
    assert_int_equal(view.kind, -1);
    assert_int_equal(view.flags, 0x301);
    assert_ptr_equal(sw_span_trace_id((struct sw_bytes){wire.data, wire.size}), view.trace_id);
    // An ID that is empty after one that was not stands for all zero.
    wire_bytes(&wire, 1, "", 0);
    assert_true(fill(&view, &wire));
    assert_memory_equal(view.trace_id, zero, 16);
    wire_fini(&wire);
}

static void test_a_parent_of_zeros_is_no_parent(void **state)
{
    struct wire wire = {.data = NULL};
    struct sw_span_view view;
    wire_bytes(&wire, 4, zero, 8);
    assert_true(fill(&view, &wire) && view.is_root);
    wire_bytes(&wire, 4, "\0\0\0\0\0\0\0\1", 8);
    assert_true(fill(&view, &wire) && !view.is_root);
    wire_fini(&wire);
}

static void test_bytes_that_were_not_validated_end_the_view_early(void **state)
{
    struct wire wire = {.data = NULL};
    struct sw_span_view view;
    wire_text(&wire, 5, "name");
    wire_bytes(&wire, 2, "nine byte", 9); // no span ID
    wire_text(&wire, 5, "never read");
    assert_false(fill(&view, &wire));
    assert_true(sw_bytes_equal(view.name, SW_BYTES("name")));
    assert_memory_equal(view.span_id, zero, 8);
    wire_fini(&wire);
}

static void test_an_envelope_over_several_pieces_is_one(void **state)
{
    struct wire wire = {.data = NULL};
    struct sw_envelope envelope = {0};
    wire_text(&wire, 1, "head, part one");
    wire_text(&wire, 2, "child");
    wire_text(&wire, 3, "old URL");
    sw_envelope_add(&envelope, (struct sw_bytes){wire.data, wire.size});
    assert_int_equal(envelope.head_fragments, 1);
    assert_true(sw_bytes_equal(envelope.head, SW_BYTES("head, part one")));
    struct wire more = {.data = NULL};
    wire_text(&more, 2, "child");
    wire_text(&more, 1, "part two");
    wire_text(&more, 3, "URL");
    wire_text(&more, 2, "child");
    sw_envelope_add(&envelope, (struct sw_bytes){more.data, more.size});
    assert_int_equal(envelope.head_fragments, 2);
    assert_int_equal(envelope.children_count, 3);
    assert_true(sw_bytes_equal(envelope.schema_url, SW_BYTES("URL")));
    wire_fini(&wire);
    wire_fini(&more);
}

static void test_a_walk_sees_each_span_with_its_head(void **state)
{
    struct wire wire = {.data = NULL};
    for (unsigned r = 0; r < 2; r++) {
        wire_begin(&wire, 1);
        for (unsigned s = 0; s < 3; s++) {
            wire_begin(&wire, 2);
            wire_begin(&wire, 2);
            wire_number(&wire, 6, 3 * r + s);
            wire_end(&wire);
            wire_end(&wire);
        }
        wire_text(&wire, 3, "URL");
        wire_end(&wire);
    }
    struct sw_otlp_iter resources, scopes, spans;
    struct sw_pb_field resource_spans, scope_spans, span;
    struct sw_span_view view;
    int32_t next = 0;
    sw_otlp_resources_init(&resources, (struct sw_bytes){wire.data, wire.size});
    while (sw_otlp_next(&resources, &resource_spans)) {
        sw_otlp_scopes_init(&scopes, resource_spans.bytes);
        while (sw_otlp_next(&scopes, &scope_spans)) {
            sw_otlp_items_init(&spans, scope_spans.bytes);
            while (sw_otlp_next(&spans, &span)) {
                assert_int_equal(span.whole.size, span.bytes.size + 2);
                assert_true(sw_span_view_fill(&view, span.bytes));
                assert_int_equal(view.kind, next++);
            }
        }
    }
    assert_int_equal(next, 6);
    wire_fini(&wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_span_is_a_root_without_ids),
        cmocka_unit_test(test_the_last_of_a_repeated_field_counts_and_statuses_merge),
        cmocka_unit_test(test_a_parent_of_zeros_is_no_parent),
        cmocka_unit_test(test_bytes_that_were_not_validated_end_the_view_early),
        cmocka_unit_test(test_an_envelope_over_several_pieces_is_one),
        cmocka_unit_test(test_a_walk_sees_each_span_with_its_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
