/* The walk that finds each span's owner: every span once, whole, with what stands around it. */
#include "dataplane/route/shard.h"

#include "tests/lib/bench.h"
#include "tests/lib/traces.h"

struct rig {
    struct sw_core core;
    struct sw_shard_key key;
    struct sw_shard_block *block;
    uint32_t stamp;
    uint32_t spans_count;
    uint32_t blocks_count;
    char text[4096];
};

static struct rig rig;

static void rig_open(unsigned cores_count)
{
    memset(&rig, 0, sizeof(rig));
    bench_core_init(&rig.core, NULL);
    rig.core.cores_count = (uint16_t)cores_count;
    sw_shard_key_init(&rig.key, &rig.core.rand);
    rig.block = malloc(sizeof(*rig.block));
    assert_non_null(rig.block);
}

static void rig_close(void)
{
    free(rig.block);
}

static char last_letter(struct sw_bytes bytes)
{
    return bytes.size > 0 ? (char)bytes.data[bytes.size - 1] : '-';
}

// Resource, scope, number of the span; all of one block.
static void note_block(void)
{
    const struct sw_shard_block *block = rig.block;
    rig.blocks_count++;
    rig.spans_count += block->spans_count;
    for (uint32_t i = 0; i < block->spans_count; i++) {
        const struct sw_shard_span *span = &block->spans[i];
        const struct sw_shard_scope *scope = &block->scopes[span->scope];
        struct sw_pb_reader reader;
        struct sw_pb_field field;
        struct sw_span_view view;
        sw_pb_reader_init(&reader, (struct sw_bytes){span->field, span->field_size});
        assert_true(sw_pb_next(&reader, &field));
        assert_int_equal(field.tag, SW_OTLP_TAG_ITEMS);
        assert_int_equal(field.whole.size, span->field_size);
        assert_true(sw_span_view_fill(&view, field.bytes));
        assert_memory_equal(view.trace_id, span->trace_id, SW_TRACE_ID_BYTES);
        assert_int_equal(view.start_ns, span->start_ns);
        assert_int_equal(view.end_ns, span->end_ns);
        assert_int_equal(view.status_code, span->status_code);
        assert_int_equal(view.is_root, span->is_root);
        size_t len = strlen(rig.text);
        if (len < sizeof(rig.text) - 16) {
            snprintf(
                rig.text + len,
                sizeof(rig.text) - len,
                "%c%c%u ",
                last_letter(scope->resource),
                last_letter(scope->scope),
                (unsigned)traces_span_number(view.span_id)
            );
        }
    }
}

static void walk(const struct sw_batch *batch)
{
    struct sw_shard_walk walk;
    assert_true(sw_shard_walkable(batch));
    sw_shard_walk_init(&walk, batch, &rig.key, &rig.core, &rig.stamp);
    while (!walk.done) {
        assert_int_equal(sw_shard_walk_next(&walk, rig.block), 0);
        note_block();
    }
    assert_int_equal(walk.walked_count, rig.spans_count);
    sw_shard_walk_fini(&walk);
}

static void put(struct traces *traces, uint64_t trace, uint64_t span)
{
    traces_add(
        traces,
        (struct traces_span
        ){.trace = trace,
          .span = span,
          .parent = span % 2,
          .start_ns = span,
          .end_ns = 9,
          .status = 1}
    );
}

static struct sw_batch *three_resources(void)
{
    struct traces traces = {0};
    traces_resource(&traces, "A");
    traces_scope(&traces, "x");
    put(&traces, 1, 1);
    put(&traces, 2, 2);
    traces_scope(&traces, "y");
    put(&traces, 1, 3);
    traces_resource(&traces, "B");
    traces_resource(&traces, "C");
    traces_scope(&traces, "z");
    put(&traces, 3, 4);
    return traces_batch(&traces, NULL);
}

static void test_every_span_is_seen_with_its_surroundings(void **state)
{
    rig_open(1);
    struct sw_batch *batch = three_resources();
    walk(batch);
    assert_string_equal(rig.text, "Ax1 Ax2 Ay3 Cz4 ");
    sw_batch_free(batch);
    rig_close();
}

static void test_stamps_tell_scopes_and_groups_apart(void **state)
{
    rig_open(1);
    struct sw_batch *batch = three_resources();
    walk(batch);
    const struct sw_shard_scope *scopes = rig.block->scopes;
    assert_int_equal(rig.block->scopes_count, 3);
    assert_int_equal(scopes[0].stamp, scopes[0].group_stamp);
    assert_int_equal(scopes[1].group_stamp, scopes[0].group_stamp);
    assert_true(scopes[1].stamp > scopes[0].stamp);
    assert_int_equal(scopes[2].group_stamp, scopes[2].stamp);
    assert_true(scopes[2].stamp > scopes[1].stamp);
    sw_batch_free(batch);
    rig_close();
}

// A batch as the resource processor leaves it: the content of one ResourceSpans in two buffers.
static void test_resource_in_several_pieces_is_joined(void **state)
{
    rig_open(1);
    struct traces traces = {0};
    traces_resource(&traces, "A");
    traces_scope(&traces, "x");
    put(&traces, 1, 1);
    struct sw_batch *whole = traces_batch(&traces, NULL);
    // Resource and scopes of the request, apart.
    struct sw_pb_reader reader;
    struct sw_pb_field group;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, (struct sw_bytes){whole->pieces[0].data, whole->pieces[0].len});
    assert_true(sw_pb_next(&reader, &group));
    struct sw_batch *batch = sw_batch_new(SW_TRACES);
    assert_int_equal(sw_batch_begin_part(batch), 0);
    sw_pb_reader_init(&reader, group.bytes);
    while (sw_pb_next(&reader, &field)) {
        struct sw_buf *buf = sw_buf_copy(NULL, field.whole.data, (uint32_t)field.whole.size);
        assert_int_equal(sw_batch_add_piece(batch, buf, buf->data, buf->size), 0);
        sw_buf_unref(buf);
    }
    // And one more resource field that counts as well.
    static const uint8_t dropped[] = {0x0a, 0x02, 0x10, 0x42};
    struct sw_buf *buf = sw_buf_copy(NULL, dropped, sizeof(dropped));
    assert_int_equal(sw_batch_add_piece(batch, buf, buf->data, buf->size), 0);
    sw_buf_unref(buf);
    sw_batch_end_part(batch, 1);
    walk(batch);
    assert_string_equal(rig.text, "Bx1 "); // ends with 0x42
    sw_batch_free(batch);
    sw_batch_free(whole);
    rig_close();
}

static void test_field_across_two_pieces_is_not_walkable(void **state)
{
    rig_open(1);
    struct traces traces = {0};
    for (uint64_t i = 1; i <= 20; i++) {
        put(&traces, i, i);
    }
    struct sw_batch *batch = traces_batch(&traces, NULL);
    struct sw_batch *first = NULL;
    assert_int_equal(sw_batch_split(batch, 7, NULL, &first), 0);
    struct sw_batch *both[2] = {first, batch};
    for (unsigned i = 0; i < 2; i++) {
        struct sw_batch *detached = sw_batch_detach(both[i], NULL);
        walk(detached);
        assert_int_equal(rig.spans_count, i == 0 ? 7 : 13);
        rig.spans_count = 0;
        sw_batch_free(detached);
        sw_batch_free(both[i]);
    }
    rig_close();
}

static void test_large_batch_comes_in_blocks(void **state)
{
    rig_open(1);
    struct traces traces = {0};
    for (uint64_t i = 1; i <= 2000; i++) {
        put(&traces, i, i);
    }
    struct sw_batch *batch = traces_batch(&traces, NULL);
    walk(batch);
    assert_int_equal(rig.spans_count, 2000);
    assert_in_range(rig.blocks_count, 4, 5);
    sw_batch_free(batch);
    // Few spans, many bytes.
    rig.spans_count = rig.blocks_count = 0;
    for (uint64_t i = 1; i <= 20; i++) {
        traces_add(&traces, (struct traces_span){.trace = i, .pad = 300000});
    }
    batch = traces_batch(&traces, NULL);
    walk(batch);
    assert_int_equal(rig.spans_count, 20);
    assert_in_range(rig.blocks_count, 10, 11);
    sw_batch_free(batch);
    rig_close();
}

static void test_spans_of_a_trace_have_one_owner_and_keep_their_order(void **state)
{
    rig_open(5);
    struct traces traces = {0};
    for (uint64_t i = 0; i < 500; i++) {
        traces_add(&traces, (struct traces_span){.trace = i % 100 + 1, .span = i + 1});
    }
    struct sw_batch *batch = traces_batch(&traces, NULL);
    walk(batch);
    const struct sw_shard_block *block = rig.block;
    int owners[101];
    uint32_t of_owner[5] = {0};
    memset(owners, -1, sizeof(owners));
    assert_int_equal(block->owner_first[5], 500);
    for (unsigned owner = 0; owner < 5; owner++) {
        uint64_t before = 0;
        for (uint32_t i = block->owner_first[owner]; i < block->owner_first[owner + 1]; i++) {
            const struct sw_shard_span *span = &block->spans[block->order[i]];
            uint64_t number = traces_number(span->trace_id);
            assert_int_equal(span->owner, owner);
            assert_true(owners[number] == -1 || owners[number] == (int)owner);
            owners[number] = (int)owner;
            assert_true(block->order[i] + 1u > before);
            before = block->order[i] + 1u;
            of_owner[owner]++;
        }
        assert_in_range(of_owner[owner], 30, 200); // fair enough
    }
    sw_batch_free(batch);
    rig_close();
}

static void test_right_halves_choose_the_owner_where_told(void **state)
{
    rig_open(7);
    rig.key.by_right_half = true;
    struct traces traces = {0};
    for (uint64_t left = 1; left <= 50; left++) {
        traces_add(&traces, (struct traces_span){.trace = 1234, .left = left});
    }
    struct sw_batch *batch = traces_batch(&traces, NULL);
    walk(batch);
    for (uint32_t i = 1; i < rig.block->spans_count; i++) {
        assert_int_equal(rig.block->spans[i].owner, rig.block->spans[0].owner);
        assert_int_not_equal(rig.block->spans[i].hash, rig.block->spans[0].hash);
    }
    sw_batch_free(batch);
    rig_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_span_is_seen_with_its_surroundings),
        cmocka_unit_test(test_stamps_tell_scopes_and_groups_apart),
        cmocka_unit_test(test_resource_in_several_pieces_is_joined),
        cmocka_unit_test(test_field_across_two_pieces_is_not_walkable),
        cmocka_unit_test(test_large_batch_comes_in_blocks),
        cmocka_unit_test(test_spans_of_a_trace_have_one_owner_and_keep_their_order),
        cmocka_unit_test(test_right_halves_choose_the_owner_where_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
