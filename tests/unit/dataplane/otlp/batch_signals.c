/* Batches of metrics and logs, cut anywhere and again: all sides together still say the same, each side is a
 * valid request of the items it claims, and a metric that is cut keeps what it is on both sides. */
#include "dataplane/base/mem.h"
#include "dataplane/otlp/attribute.h"
#include "dataplane/otlp/metric.h"
#include "dataplane/otlp/validate.h"
#include "tests/lib/otlp_reference.h"
#include "tests/lib/wire_signals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* What a request says: for each item all that stands around it, and it; for what has no items, that. */
struct reading {
    struct wire text;
    uint32_t items;
};

/* The fields of a message that are not its children; of a metric neither a forgotten oneof member. */
static void say_rest(struct reading *reading, struct sw_bytes message, uint32_t child, bool metric)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, message);
    while (sw_pb_next(&reader, &field)) {
        if (metric ? sw_metric_type_of_tag(field.tag) == SW_METRIC_EMPTY : field.tag != child) {
            wire_raw(&reading->text, field.whole.data, field.whole.size);
        }
    }
    wire_raw(&reading->text, "/", 1);
}

/* The path down to what is read. */
struct path {
    struct sw_bytes resource;
    struct sw_bytes scope;
    struct sw_bytes metric;
    struct sw_bytes data;
};

static void say_path(struct reading *reading, const struct path *path)
{
    say_rest(reading, path->resource, SW_OTLP_TAG_SCOPES, false);
    say_rest(reading, path->scope, SW_OTLP_TAG_ITEMS, false);
    say_rest(reading, path->metric, 0, true);
    say_rest(reading, path->data, SW_METRIC_TAG_POINTS, false);
}

static void read_metric(struct reading *reading, struct path *path)
{
    struct sw_metric_view view;
    struct sw_otlp_iter iter;
    struct sw_pb_field point;
    assert_true(sw_metric_view_fill(&view, path->metric));
    path->data = view.data.bytes;
    uint32_t before = reading->items;
    sw_metric_points_init(&iter, &view);
    while (sw_otlp_next(&iter, &point)) {
        say_path(reading, path);
        wire_raw(&reading->text, point.whole.data, point.whole.size);
        reading->items++;
    }
    if (reading->items == before) {
        say_path(reading, path);
    }
    path->data = (struct sw_bytes){NULL, 0};
}

static void read_scope(struct reading *reading, enum sw_signal signal, struct path *path)
{
    struct sw_otlp_iter iter;
    struct sw_pb_field item;
    bool empty = true;
    sw_otlp_items_init(&iter, path->scope);
    for (; sw_otlp_next(&iter, &item); empty = false) {
        if (signal == SW_METRICS) {
            path->metric = item.bytes;
            read_metric(reading, path);
            path->metric = (struct sw_bytes){NULL, 0};
        } else {
            say_path(reading, path);
            wire_raw(&reading->text, item.whole.data, item.whole.size);
            reading->items++;
        }
    }
    if (empty) {
        say_path(reading, path);
    }
}

static void read_request(struct reading *reading, enum sw_signal signal, struct sw_bytes request)
{
    struct sw_otlp_iter resources, scopes;
    struct sw_pb_field resource, scope;
    sw_otlp_resources_init(&resources, request);
    while (sw_otlp_next(&resources, &resource)) {
        struct path path = {.resource = resource.bytes};
        bool empty = true;
        sw_otlp_scopes_init(&scopes, resource.bytes);
        for (; sw_otlp_next(&scopes, &scope); empty = false) {
            path.scope = scope.bytes;
            read_scope(reading, signal, &path);
        }
        if (empty) {
            path.scope = (struct sw_bytes){NULL, 0};
            say_path(reading, &path);
        }
    }
}

static void read_batch(struct reading *reading, const struct sw_batch *batch)
{
    uint8_t *flat = malloc(batch->bytes + 1);
    struct sw_otlp_counts counts;
    uint32_t before = reading->items;
    sw_batch_copy_out(batch, flat);
    assert_int_equal(sw_otlp_validate(batch->signal, flat, batch->bytes, &counts, NULL), SW_OK);
    assert_int_equal(counts.items, batch->items_count);
    read_request(reading, batch->signal, (struct sw_bytes){flat, batch->bytes});
    assert_int_equal(reading->items - before, batch->items_count);
    free(flat);
}

static void reading_clear(struct reading *reading)
{
    wire_clear(&reading->text);
    reading->items = 0;
}

static void same_reading(const struct reading *one, const struct reading *other)
{
    assert_int_equal(one->items, other->items);
    assert_int_equal(one->text.size, other->text.size);
    if (one->text.size > 0) {
        assert_memory_equal(one->text.data, other->text.data, one->text.size);
    }
}

/* A request as a level-0 part, or each of its resources as a level-1 part in pieces of a field or two. */
static void add_request(
    struct sw_batch *batch,
    struct sw_account *account,
    struct sw_rand *rand,
    const uint8_t *data,
    size_t size
)
{
    struct sw_otlp_counts counts;
    struct sw_buf *buf = sw_buf_copy(account, data, (uint32_t)size);
    buf->size = (uint32_t)sw_otlp_migrate(buf->data, buf->size);
    assert_int_equal(sw_otlp_validate(batch->signal, buf->data, buf->size, &counts, NULL), SW_OK);
    if (sw_rand_below(rand, 2) == 0) {
        assert_int_equal(sw_batch_add_raw(batch, buf, buf->data, buf->size, counts.items), SW_OK);
        sw_buf_unref(buf);
        return;
    }
    struct sw_otlp_iter iter;
    struct sw_pb_field resource, field;
    sw_otlp_resources_init(&iter, (struct sw_bytes){buf->data, buf->size});
    while (sw_otlp_next(&iter, &resource)) {
        if (resource.bytes.size == 0) {
            continue;
        }
        struct sw_pb_reader reader;
        sw_pb_reader_init(&reader, resource.bytes);
        assert_int_equal(sw_batch_begin_part(batch), SW_OK);
        while (sw_pb_next(&reader, &field)) {
            const uint8_t *at = field.whole.data;
            bool two = sw_rand_below(rand, 2) == 0;
            if (two && !sw_pb_next(&reader, &field)) {
                assert_int_equal(sw_pb_left(&reader), 0);
            }
            uint32_t len = (uint32_t)(reader.at - at);
            assert_int_equal(sw_batch_add_piece(batch, buf, at, len), SW_OK);
        }
        uint8_t *alone = malloc(resource.whole.size);
        memcpy(alone, resource.whole.data, resource.whole.size);
        int err = sw_otlp_validate(batch->signal, alone, resource.whole.size, &counts, NULL);
        assert_int_equal(err, SW_OK);
        free(alone);
        sw_batch_end_part(batch, counts.items);
    }
    sw_buf_unref(buf);
}

static struct sw_batch *
random_batch(enum sw_signal signal, struct sw_rand *rand, struct sw_account *account)
{
    static const enum ref_type requests[] = {REF_REQUEST, REF_METRICS_REQUEST, REF_LOGS_REQUEST};
    struct sw_batch *batch = sw_batch_new(signal);
    struct wire wire = {.data = NULL};
    uint64_t seed = sw_rand_u64(rand);
    for (uint64_t n = 1 + sw_rand_below(rand, 3); n > 0; n--) {
        wire_random_signal(&wire, signal, rand);
        if (wire.size == 0) {
            continue;
        }
        uint8_t *other = malloc(wire.size);
        enum ref_order order = (enum ref_order)sw_rand_below(rand, 3);
        ref_reorder(requests[signal], wire.data, wire.size, order, &seed, other);
        add_request(batch, account, rand, other, wire.size);
        free(other);
    }
    wire_fini(&wire);
    return batch;
}

static void test_cut_again_and_again_all_sides_together_say_the_same(void **state)
{
    struct reading whole = {.items = 0};
    struct reading slices = {.items = 0};
    struct sw_rand rand;
    sw_rand_init(&rand, 44);
    for (unsigned round = 0; round < 600; round++) {
        enum sw_signal signal = round % SW_SIGNALS_COUNT;
        struct sw_account account = {0};
        struct sw_batch *batch = random_batch(signal, &rand, &account);
        reading_clear(&whole);
        reading_clear(&slices);
        read_batch(&whole, batch);
        while (batch->items_count > 1) {
            struct sw_batch *first = NULL;
            uint32_t most = 1 + (uint32_t)sw_rand_below(&rand, batch->items_count - 1);
            most = sw_rand_below(&rand, 2) == 0 ? SW_MIN(most, 3) : most;
            assert_int_equal(sw_batch_split(batch, most, &account, &first), SW_OK);
            assert_int_equal(first->items_count, most);
            // What was cut off may be cut again, and so may what is left.
            if (sw_rand_below(&rand, 3) == 0 && most > 1) {
                struct sw_batch *again = NULL;
                assert_int_equal(sw_batch_split(first, most / 2, &account, &again), SW_OK);
                read_batch(&slices, again);
                sw_batch_free(again);
            }
            read_batch(&slices, first);
            sw_batch_free(first);
        }
        read_batch(&slices, batch);
        same_reading(&whole, &slices);
        sw_batch_free(batch);
        assert_int_equal(sw_account_charged(&account), 0);
    }
    wire_fini(&whole.text);
    wire_fini(&slices.text);
}

static void test_failing_allocation_leaves_the_batch_whole(void **state)
{
    struct reading whole = {.items = 0};
    struct reading after = {.items = 0};
    struct sw_rand rand;
    for (unsigned round = 0; round < 60; round++) {
        struct sw_account account = {0};
        int err = SW_E_NOMEM;
        for (uint64_t nth = 1; err != SW_OK; nth++) {
            sw_rand_init(&rand, 1000 + round);
            struct sw_batch *batch = random_batch(SW_METRICS, &rand, &account);
            struct sw_batch *first = NULL;
            if (batch->items_count < 2) {
                sw_batch_free(batch);
                break;
            }
            reading_clear(&whole);
            read_batch(&whole, batch);
            sw_mem_fail_at(nth, 0);
            err = sw_batch_split(batch, batch->items_count / 2, &account, &first);
            sw_mem_fail_at(0, 0);
            if (err != SW_OK) {
                assert_null(first);
                reading_clear(&after);
                read_batch(&after, batch);
                same_reading(&whole, &after);
            }
            sw_batch_free(first);
            sw_batch_free(batch);
            assert_int_equal(sw_account_charged(&account), 0);
        }
    }
    wire_fini(&whole.text);
    wire_fini(&after.text);
}

static void write_point(struct wire *wire, uint64_t time)
{
    wire_begin(wire, 1);
    wire_i64(wire, 3, time);
    wire_end(wire);
}

/* A sum that is cumulative (2) and monotonic, before or behind its points. */
static void write_sum(struct wire *wire, const char *name, uint64_t points, bool reversed)
{
    wire_begin(wire, 2);
    if (!reversed) {
        wire_text(wire, 1, name);
        wire_text(wire, 2, "described");
    }
    wire_begin(wire, 7);
    if (reversed) {
        wire_number(wire, 3, 1);
        wire_number(wire, 2, 2);
    }
    for (uint64_t time = 1; time <= points; time++) {
        write_point(wire, time);
    }
    if (!reversed) {
        wire_number(wire, 2, 2);
        wire_number(wire, 3, 1);
    }
    wire_end(wire);
    wire_text(wire, 3, "By");
    if (reversed) {
        wire_text(wire, 2, "described");
        wire_text(wire, 1, name);
    }
    wire_attribute(wire, 12, "origin", "test");
    wire_end(wire);
}

/* Checks the only metric of a batch with its name and the times of its points. */
static void check_sum(const struct sw_batch *batch, uint64_t first_time, uint64_t points)
{
    struct wire wanted = {.data = NULL};
    struct wire got = {.data = NULL};
    struct sw_otlp_iter iter;
    struct sw_pb_field field;
    struct sw_metric_view view;
    struct sw_any value;
    uint8_t *flat = malloc(batch->bytes);
    sw_batch_copy_out(batch, flat);
    sw_otlp_resources_init(&iter, (struct sw_bytes){flat, batch->bytes});
    assert_true(sw_otlp_next(&iter, &field));
    sw_otlp_scopes_init(&iter, field.bytes);
    assert_true(sw_otlp_next(&iter, &field));
    sw_otlp_items_init(&iter, field.bytes);
    assert_true(sw_otlp_next(&iter, &field));
    assert_true(sw_metric_view_fill(&view, field.bytes));
    assert_int_equal(view.type, SW_METRIC_SUM);
    assert_true(sw_bytes_equal(view.name, SW_BYTES("calls")));
    assert_true(sw_bytes_equal(view.description, SW_BYTES("described")));
    assert_true(sw_bytes_equal(view.unit, SW_BYTES("By")));
    assert_true(sw_attribute_find(field.bytes, SW_METRIC_TAG_METADATA, SW_BYTES("origin"), &value));
    unsigned seen = 0;
    struct sw_pb_reader reader;
    sw_pb_reader_init(&reader, view.data.bytes);
    while (sw_pb_next(&reader, &field)) {
        seen |= field.tag == SW_PB_TAG(2, SW_PB_VARINT) && field.number == 2 ? 1 : 0;
        seen |= field.tag == SW_PB_TAG(3, SW_PB_VARINT) && field.number == 1 ? 2 : 0;
        if (field.tag == SW_METRIC_TAG_POINTS) {
            wire_raw(&got, field.whole.data, field.whole.size);
        }
    }
    assert_int_equal(seen, 3);
    for (uint64_t time = first_time; time < first_time + points; time++) {
        write_point(&wanted, time);
    }
    assert_int_equal(got.size, wanted.size);
    assert_memory_equal(got.data, wanted.data, got.size);
    wire_fini(&wanted);
    wire_fini(&got);
    free(flat);
}

static void test_a_metric_that_is_cut_is_the_same_metric_on_both_sides(void **state)
{
    for (unsigned reversed = 0; reversed < 2; reversed++) {
        struct sw_account account = {0};
        struct wire wire = {.data = NULL};
        wire_begin(&wire, 1);
        wire_begin(&wire, 2);
        write_sum(&wire, "calls", 10, reversed);
        wire_end(&wire);
        wire_end(&wire);
        struct sw_batch *batch = sw_batch_new(SW_METRICS);
        struct sw_batch *first = NULL;
        struct sw_buf *buf = sw_buf_copy(&account, wire.data, (uint32_t)wire.size);
        assert_int_equal(sw_batch_add_raw(batch, buf, buf->data, buf->size, 10), SW_OK);
        sw_buf_unref(buf);
        assert_int_equal(sw_batch_split(batch, 3, &account, &first), SW_OK);
        check_sum(first, 1, 3);
        sw_batch_free(first);
        assert_int_equal(sw_batch_split(batch, 4, &account, &first), SW_OK);
        check_sum(first, 4, 4);
        check_sum(batch, 8, 3);
        sw_batch_free(first);
        sw_batch_free(batch);
        wire_fini(&wire);
        assert_int_equal(sw_account_charged(&account), 0);
    }
}

/* Metrics of 2, 0, 3 and 1 points: which go where, as in the Collector (an empty one before the cut goes
 * first, one behind it stays). */
static void test_whole_metrics_go_where_they_fit(void **state)
{
    static const uint32_t metrics_first[] = {0, 1, 1, 3, 3, 3};
    for (uint32_t cut = 1; cut < 6; cut++) {
        struct sw_account account = {0};
        struct wire wire = {.data = NULL};
        wire_begin(&wire, 1);
        wire_begin(&wire, 2);
        write_sum(&wire, "a", 2, false);
        write_sum(&wire, "b", 0, false);
        write_sum(&wire, "c", 3, false);
        write_sum(&wire, "d", 1, false);
        wire_end(&wire);
        wire_end(&wire);
        struct sw_batch *batch = sw_batch_new(SW_METRICS);
        struct sw_batch *first = NULL;
        struct sw_buf *buf = sw_buf_copy(&account, wire.data, (uint32_t)wire.size);
        assert_int_equal(sw_batch_add_raw(batch, buf, buf->data, buf->size, 6), SW_OK);
        sw_buf_unref(buf);
        assert_int_equal(sw_batch_split(batch, cut, &account, &first), SW_OK);
        uint8_t *flat = malloc(first->bytes);
        sw_batch_copy_out(first, flat);
        struct sw_otlp_iter iter;
        struct sw_pb_field field;
        sw_otlp_resources_init(&iter, (struct sw_bytes){flat, first->bytes});
        assert_true(sw_otlp_next(&iter, &field));
        sw_otlp_scopes_init(&iter, field.bytes);
        assert_true(sw_otlp_next(&iter, &field));
        struct sw_envelope envelope = {0};
        sw_envelope_add(&envelope, field.bytes);
        assert_int_equal(envelope.children_count, metrics_first[cut]);
        free(flat);
        sw_batch_free(first);
        sw_batch_free(batch);
        wire_fini(&wire);
        assert_int_equal(sw_account_charged(&account), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_again_and_again_all_sides_together_say_the_same),
        cmocka_unit_test(test_failing_allocation_leaves_the_batch_whole),
        cmocka_unit_test(test_a_metric_that_is_cut_is_the_same_metric_on_both_sides),
        cmocka_unit_test(test_whole_metrics_go_where_they_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
