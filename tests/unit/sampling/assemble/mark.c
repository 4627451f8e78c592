/* Attributes written into the scope of a ScopeSpans. */
#include "tests/unit/sampling/assemble/rig.h"

#define SCOPE(literal) SW_BYTES(literal)

// attributes: key a, value "x"; key b, value true
#define MARK                                                                                       \
    SW_BYTES("\x1a\x08\x0a\x01\x61\x12\x03\x0a\x01\x78"                                            \
             "\x1a\x07\x0a\x01\x62\x12\x02\x10\x01")

static void expect(struct sw_bytes around, struct sw_bytes expected)
{
    uint8_t out[256];
    size_t size = sw_scope_mark(around, MARK, NULL);
    assert_int_equal(size, expected.size);
    memset(out, 0xee, sizeof(out));
    assert_int_equal(sw_scope_mark(around, MARK, out), size);
    assert_memory_equal(out, expected.data, size);
    assert_int_equal(out[size], 0xee);
}

static void test_scope_that_is_absent_gets_one(void **state)
{
    expect(
        SCOPE(""),
        SCOPE("\x0a\x13"
              "\x1a\x08\x0a\x01\x61\x12\x03\x0a\x01\x78"
              "\x1a\x07\x0a\x01\x62\x12\x02\x10\x01")
    );
}

static void test_name_and_other_attributes_stay(void **state)
{
    expect(
        SCOPE("\x0a\x0d\x0a\x02\x6e\x6d\x1a\x07\x0a\x01\x63\x12\x02\x10\x01"),
        SCOPE("\x0a\x20\x0a\x02\x6e\x6d\x1a\x07\x0a\x01\x63\x12\x02\x10\x01"
              "\x1a\x08\x0a\x01\x61\x12\x03\x0a\x01\x78"
              "\x1a\x07\x0a\x01\x62\x12\x02\x10\x01")
    );
}

static void test_attribute_of_the_same_key_is_replaced_in_any_fragment(void **state)
{
    // Two fragments of the scope, key last in its pair, and an unknown field behind them.
    expect(
        SCOPE("\x0a\x0d\x1a\x07\x12\x02\x10\x00\x0a\x01\x61\x0a\x02\x6e\x6d"
              "\x0a\x09\x1a\x07\x0a\x01\x62\x12\x02\x10\x00"
              "\x52\x01\x7a"),
        SCOPE("\x0a\x17\x0a\x02\x6e\x6d"
              "\x1a\x08\x0a\x01\x61\x12\x03\x0a\x01\x78"
              "\x1a\x07\x0a\x01\x62\x12\x02\x10\x01"
              "\x52\x01\x7a")
    );
}

struct scopes {
    uint32_t spans_count;
    uint32_t marked_count;
};

static void look(
    void *context,
    struct sw_bytes resource,
    struct sw_bytes scope,
    const struct sw_span_view *view
)
{
    struct scopes *scopes = context;
    scopes->spans_count++;
    scopes->marked_count +=
        scope.size > MARK.size
        && memcmp(scope.data + scope.size - MARK.size, MARK.data, MARK.size) == 0;
}

static void test_every_scope_of_a_trace_that_leaves_is_marked(void **state)
{
    struct rig rig;
    rig_open(&rig, (struct sw_trace_table_conf){0}, 10, false);
    struct traces traces = {0};
    for (unsigned i = 0; i < 3; i++) {
        traces_resource(&traces, "A");
        traces_scope(&traces, "x");
        traces_add(&traces, (struct traces_span){.trace = 1});
        traces_add(&traces, (struct traces_span){.trace = 1});
        traces_scope(&traces, "y");
        traces_add(&traces, (struct traces_span){.trace = 1});
    }
    assert_int_equal(rig_take(&rig, &traces), 0);
    struct sw_trace_gather gather;
    sw_trace_gather_begin(&gather, rig.table, rig_find(&rig, 1));
    gather.mark = MARK;
    uint32_t effort = UINT32_MAX;
    assert_true(sw_trace_gather_measure(&gather, &effort));
    uint8_t *data = malloc(gather.bytes);
    uint8_t *end = data + gather.bytes;
    assert_true(sw_trace_gather_write(&gather, &end, &effort));
    assert_ptr_equal(end, data);
    struct scopes scopes = {0, 0};
    traces_each((struct sw_bytes){data, gather.bytes}, look, &scopes);
    assert_int_equal(scopes.spans_count, 9);
    assert_int_equal(scopes.marked_count, 9);
    sw_trace_gather_end(&gather);
    free(data);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scope_that_is_absent_gets_one),
        cmocka_unit_test(test_name_and_other_attributes_stay),
        cmocka_unit_test(test_attribute_of_the_same_key_is_replaced_in_any_fragment),
        cmocka_unit_test(test_every_scope_of_a_trace_that_leaves_is_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
