/* What goes in comes out: grouped as the Collector groups it, in order of arrival, byte
 * for byte. */
#include "tests/unit/sampling/assemble/rig.h"

struct seen {
    char text[8192];
};

// One letter of the resource, one of the scope, the span's number.
static void note(
    void *context,
    struct sw_bytes resource,
    struct sw_bytes scope,
    const struct sw_span_view *view
)
{
    struct seen *seen = context;
    size_t len = strlen(seen->text);
    snprintf(
        seen->text + len,
        sizeof(seen->text) - len,
        "%c%c%u ",
        resource.size > 0 ? resource.data[resource.size - 1] : '-',
        scope.size > 0 ? scope.data[scope.size - 1] : '-',
        (unsigned)traces_span_number(view->span_id)
    );
}

static void expect(struct rig *rig, uint64_t number, const char *text)
{
    struct seen seen = {{0}};
    struct sw_trace *trace = rig_find(rig, number);
    assert_non_null(trace);
    struct sw_bytes bytes = rig_gather(rig, trace);
    traces_each(bytes, note, &seen);
    assert_string_equal(seen.text, text);
    free((void *)bytes.data);
}

static void put(struct traces *traces, uint64_t trace, uint64_t span)
{
    traces_add(traces, (struct traces_span){.trace = trace, .span = span});
}

static void test_interleaved_traces_come_out_apart_and_in_order(void **state)
{
    struct rig rig;
    rig_open(&rig, (struct sw_trace_table_conf){0}, 100, false);
    for (uint64_t i = 1; i <= 3; i++) {
        struct traces traces = {0};
        put(&traces, 1, i * 10);
        put(&traces, 2, i * 10 + 1);
        put(&traces, 1, i * 10 + 2);
        assert_int_equal(rig_take(&rig, &traces), 0);
    }
    expect(&rig, 1, "ee10 ee12 ee20 ee22 ee30 ee32 ");
    expect(&rig, 2, "ee11 ee21 ee31 ");
    rig_close(&rig);
}

static void
count_fields(struct sw_bytes bytes, uint32_t tag, uint32_t *count, struct sw_bytes *first)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    *count = 0;
    sw_pb_reader_init(&reader, bytes);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag == tag && (*count)++ == 0) {
            *first = field.bytes;
        }
    }
}

static void test_groups_and_scopes_stay_as_they_came(void **state)
{
    struct rig rig;
    rig_open(&rig, (struct sw_trace_table_conf){0}, 100, false);
    struct traces traces = {0};
    traces_resource(&traces, "A");
    traces_scope(&traces, "x");
    put(&traces, 1, 1);
    put(&traces, 2, 2);
    put(&traces, 1, 3);
    traces_scope(&traces, "y");
    put(&traces, 1, 4);
    traces_resource(&traces, "B");
    traces_scope(&traces, "x");
    put(&traces, 1, 5);
    traces_resource(&traces, "B");
    traces_scope(&traces, "x");
    put(&traces, 1, 6);
    assert_int_equal(rig_take(&rig, &traces), 0);
    struct sw_bytes bytes = rig_gather(&rig, rig_find(&rig, 1));
    struct seen seen = {{0}};
    traces_each(bytes, note, &seen);
    assert_string_equal(seen.text, "Ax1 Ax3 Ay4 Bx5 Bx6 ");
    // Three ResourceSpans, never merged though two are equal; the first has two ScopeSpans.
    uint32_t count;
    struct sw_bytes first = {NULL, 0};
    struct sw_bytes unused;
    count_fields(bytes, SW_OTLP_TAG_RESOURCES, &count, &first);
    assert_int_equal(count, 3);
    count_fields(first, SW_OTLP_TAG_SCOPES, &count, &unused);
    assert_int_equal(count, 2);
    free((void *)bytes.data);
    expect(&rig, 2, "Ax2 ");
    rig_close(&rig);
}

static void test_span_larger_than_a_segment_is_kept(void **state)
{
    struct rig rig;
    rig_open(&rig, (struct sw_trace_table_conf){0}, 100, false);
    struct traces traces = {0};
    put(&traces, 1, 1);
    traces_add(&traces, (struct traces_span){.trace = 1, .span = 2, .pad = 3 << 20});
    put(&traces, 1, 3);
    assert_int_equal(rig_take(&rig, &traces), 0);
    expect(&rig, 1, "ee1 ee2 ee3 ");
    // Its memory goes with the trace.
    assert_true(rig_bytes(&rig) > 3 << 20);
    sw_trace_table_all_due(rig.table);
    assert_int_equal(rig_decide(&rig), 1);
    sw_trace_table_sweep(rig.table);
    assert_true(rig_bytes(&rig) < 1 << 20);
    rig_close(&rig);
}

static void test_huge_trace_leaves_in_payloads_of_whole_groups(void **state)
{
    struct rig rig;
    rig_open(&rig, (struct sw_trace_table_conf){0}, 100, false);
    for (uint64_t i = 1; i <= 75; i++) {
        struct traces traces = {0};
        traces_add(&traces, (struct traces_span){.trace = 1, .span = i, .pad = 1 << 20});
        assert_int_equal(rig_take(&rig, &traces), 0);
    }
    struct sw_trace_gather gather;
    uint32_t spans_count = 0;
    uint32_t payloads_count = 0;
    sw_trace_gather_begin(&gather, rig.table, rig_find(&rig, 1));
    do {
        uint32_t effort = UINT32_MAX;
        assert_true(sw_trace_gather_measure(&gather, &effort));
        uint8_t *data = malloc(gather.bytes);
        uint8_t *end = data + gather.bytes;
        assert_true(sw_trace_gather_write(&gather, &end, &effort));
        assert_ptr_equal(end, data);
        uint32_t count = traces_each((struct sw_bytes){data, gather.bytes}, NULL, NULL);
        assert_int_equal(count, gather.spans_count);
        spans_count += count;
        payloads_count++;
        free(data);
    } while (sw_trace_gather_more(&gather));
    sw_trace_gather_end(&gather);
    assert_int_equal(spans_count, 75);
    assert_int_equal(payloads_count, 2);
    rig_close(&rig);
}

static bool visit(void *context, const struct sw_shard_scope *scope, struct sw_bytes span)
{
    struct seen *seen = context;
    struct sw_span_view view;
    assert_true(sw_span_view_fill(&view, span));
    // Whole fields here: the message lies behind tag and length.
    note(seen, scope->resource, scope->scope, &view);
    return strlen(seen->text) < 16;
}

static void test_replay_visits_in_order_and_leaves_the_trace_as_it_was(void **state)
{
    struct rig rig;
    rig_open(&rig, (struct sw_trace_table_conf){0}, 100, false);
    struct traces traces = {0};
    traces_resource(&traces, "A");
    traces_scope(&traces, "x");
    put(&traces, 1, 1);
    put(&traces, 1, 2);
    put(&traces, 2, 3);
    traces_scope(&traces, "y");
    put(&traces, 1, 4);
    assert_int_equal(rig_take(&rig, &traces), 0);
    struct seen seen = {{0}};
    sw_trace_replay(rig.table, rig_find(&rig, 1), visit, &seen);
    assert_string_equal(seen.text, "Ax1 Ax2 Ay4 ");
    // Stopped before its end.
    sw_trace_replay(rig.table, rig_find(&rig, 1), visit, &seen);
    assert_string_equal(seen.text, "Ax1 Ax2 Ay4 Ax1 ");
    expect(&rig, 1, "Ax1 Ax2 Ay4 ");
    rig_close(&rig);
}

static void test_spans_that_come_while_a_trace_leaves_are_no_part_of_it(void **state)
{
    struct rig rig;
    rig_open(&rig, (struct sw_trace_table_conf){0}, 100, false);
    assert_int_equal(rig_take_one(&rig, 1), 0);
    struct sw_trace *trace = rig_find(&rig, 1);
    struct sw_trace_gather gather;
    uint32_t effort = UINT32_MAX;
    sw_trace_gather_begin(&gather, rig.table, trace);
    assert_true(sw_trace_gather_measure(&gather, &effort));
    for (uint64_t i = 2; i < 20000; i++) {
        assert_int_equal(rig_take_one(&rig, i % 50 + 2), 0);
    }
    // Everybody is decided, but what is being read stays.
    sw_trace_table_all_due(rig.table);
    trace->state = SW_TRACE_SAMPLED;
    (void)rig_decide(&rig);
    sw_trace_table_sweep(rig.table);
    uint8_t data[512];
    uint8_t *end = data + gather.bytes;
    assert_true(sw_trace_gather_write(&gather, &end, &effort));
    assert_ptr_equal(end, data);
    assert_int_equal(traces_each((struct sw_bytes){data, gather.bytes}, NULL, NULL), 1);
    sw_trace_gather_end(&gather);
    sw_trace_table_sweep(rig.table);
    assert_true(rig_bytes(&rig) < 2 << 20);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interleaved_traces_come_out_apart_and_in_order),
        cmocka_unit_test(test_groups_and_scopes_stay_as_they_came),
        cmocka_unit_test(test_span_larger_than_a_segment_is_kept),
        cmocka_unit_test(test_huge_trace_leaves_in_payloads_of_whole_groups),
        cmocka_unit_test(test_replay_visits_in_order_and_leaves_the_trace_as_it_was),
        cmocka_unit_test(test_spans_that_come_while_a_trace_leaves_are_no_part_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
