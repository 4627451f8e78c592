/* Batches of all signals, cut by every routing key: all parts together have what the whole had, each part is a
 * valid request whose items belong where it goes, and what no key routes is counted. */
#include "dataplane/balance/balance_internal.h"
#include "dataplane/otlp/client.h"
#include "tests/lib/bench.h"
#include "tests/lib/items.h"
#include "tests/lib/otlp_reference.h"
#include "tests/lib/wire_signals.h"

#define SLOTS_MAX 16

static struct sw_account account;
static struct sw_core core;
static struct balance balance;
static struct split *split;
static struct wire wire;

/* The keys that were asked for, and how they are dealt. */
struct asked {
    unsigned slots_count;
    char keys[64][128];
    unsigned keys_count;
    int by_order; // the n-th key goes to slot n
};

static struct asked asked;

static uint32_t route(void *context, const void *key, size_t size)
{
    struct asked *here = context;
    struct identity identity;
    if (here->keys_count < SW_ARRAY_SIZE(here->keys)) {
        snprintf(here->keys[here->keys_count], 128, "%.*s", (int)size, (const char *)key);
    }
    here->keys_count++;
    if (here->slots_count == 0) {
        return SPLIT_NOWHERE;
    }
    if (here->by_order) {
        return (here->keys_count - 1) % here->slots_count;
    }
    sw_identity_begin(&identity);
    sw_identity_add(&identity, key, size);
    return (uint32_t)(identity.hash >> 7) % here->slots_count;
}

static void open_split(enum sw_signal signal, enum sw_routing_key key, struct sw_list names)
{
    bench_core_init(&core, &account);
    memset(&asked, 0, sizeof(asked));
    balance = (struct balance){.signal = signal, .key = key, .names = names};
    assert_int_equal(sw_split_new(&balance, &core, &split), 0);
}

static void close_split(void)
{
    sw_split_free(split);
    assert_int_equal(sw_account_charged(&account), 0);
}

static int teardown(void **state)
{
    wire_fini(&wire);
    return 0;
}

/* Parts by slot; NULL: nothing. @return as sw_split_batch */
static int cut(const struct sw_batch *batch, struct sw_batch *parts[SLOTS_MAX], uint32_t *ret_lost)
{
    struct sw_batch *part;
    unsigned slot;
    memset(parts, 0, SLOTS_MAX * sizeof(parts[0]));
    int err = sw_split_batch(split, batch, asked.slots_count, route, &asked, ret_lost);
    while ((part = sw_split_take(split, &slot)) != NULL) {
        assert_true(slot < asked.slots_count);
        assert_null(parts[slot]);
        parts[slot] = part;
    }
    return err;
}

static void free_parts(struct sw_batch *parts[SLOTS_MAX])
{
    for (unsigned i = 0; i < SLOTS_MAX; i++) {
        sw_batch_free(parts[i]);
    }
}

static struct sw_batch *batch_of_wire(enum sw_signal signal)
{
    struct sw_otlp_counts counts;
    struct sw_batch *batch = sw_batch_new(signal);
    struct sw_buf *buf = sw_buf_copy(&account, wire.data, (uint32_t)wire.size);
    buf->size = (uint32_t)sw_otlp_migrate(buf->data, buf->size);
    assert_int_equal(sw_otlp_validate(signal, buf->data, buf->size, &counts, NULL), SW_OK);
    assert_int_equal(sw_batch_add_raw(batch, buf, buf->data, buf->size, counts.items), SW_OK);
    sw_buf_unref(buf);
    return batch;
}

/* ---- random requests ---- */

static const char *const random_names[] =
    {"service.name", "span.name", "span.kind", "log.body", "a"};

static const struct {
    enum sw_signal signal;
    enum sw_routing_key key;
    unsigned first_name, names_count;
} ways[] = {
    {SW_TRACES, SW_ROUTE_TRACE_ID, 0, 0},
    {SW_TRACES, SW_ROUTE_SERVICE, 0, 1},
    {SW_TRACES, SW_ROUTE_ATTRIBUTES, 0, 5},
    {SW_TRACES, SW_ROUTE_ATTRIBUTES, 1, 1},
    {SW_METRICS, SW_ROUTE_SERVICE, 0, 1},
    {SW_METRICS, SW_ROUTE_RESOURCE, 0, 0},
    {SW_METRICS, SW_ROUTE_METRIC, 0, 0},
    {SW_METRICS, SW_ROUTE_STREAM_ID, 0, 0},
    {SW_METRICS, SW_ROUTE_ATTRIBUTES, 0, 5},
    {SW_METRICS, SW_ROUTE_ATTRIBUTES, 4, 1},
    {SW_LOGS, SW_ROUTE_SERVICE, 0, 1},
    {SW_LOGS, SW_ROUTE_TRACE_ID, 0, 0},
    {SW_LOGS, SW_ROUTE_RESOURCE, 0, 0},
    {SW_LOGS, SW_ROUTE_ATTRIBUTES, 0, 5},
    {SW_LOGS, SW_ROUTE_ATTRIBUTES, 3, 2},
};

static void open_way(unsigned way)
{
    struct sw_list names = {
        (void *)&random_names[ways[way].first_name],
        ways[way].names_count,
    };
    open_split(ways[way].signal, ways[way].key, names);
}

/* One to three requests behind each other, or what the batch processor has left of them. */
static struct sw_batch *random_batch(enum sw_signal signal, struct sw_rand *rand)
{
    static const enum ref_type requests[] = {REF_REQUEST, REF_METRICS_REQUEST, REF_LOGS_REQUEST};
    struct sw_batch *batch = sw_batch_new(signal);
    struct wire random = {.data = NULL};
    uint64_t seed = sw_rand_u64(rand);
    for (uint64_t n = 1 + sw_rand_below(rand, 3); n > 0; n--) {
        wire_random_signal(&random, signal, rand);
        wire_clear(&wire);
        wire_raw(&wire, NULL, 0);
        wire_raw(&wire, random.data, random.size);
        enum ref_order order = (enum ref_order)sw_rand_below(rand, 3);
        ref_reorder(requests[signal], random.data, random.size, order, &seed, wire.data);
        assert_int_equal(sw_batch_merge(batch, batch_of_wire(signal)), SW_OK);
    }
    while (batch->items_count > 2 && sw_rand_below(rand, 2) == 0) {
        struct sw_batch *first = NULL;
        uint32_t most = 1 + (uint32_t)sw_rand_below(rand, batch->items_count - 1);
        assert_int_equal(sw_batch_split(batch, most, &account, &first), SW_OK);
        if (sw_rand_below(rand, 2) == 0) {
            assert_int_equal(sw_batch_merge(first, batch), SW_OK);
            batch = first;
        } else {
            sw_batch_free(first);
        }
    }
    wire_fini(&random);
    return batch;
}

// What is in a part goes nowhere else when it is cut again, as after a failure.
static void stays_where_it_is(const struct sw_batch *part, unsigned slot)
{
    struct sw_batch *again[SLOTS_MAX];
    uint32_t lost = 0;
    assert_int_equal(cut(part, again, &lost), 0);
    assert_int_equal(lost, 0);
    for (unsigned i = 0; i < SLOTS_MAX; i++) {
        assert_int_equal(
            again[i] != NULL && again[i]->items_count > 0, i == slot && part->items_count > 0
        );
    }
    if (part->items_count > 0) {
        assert_int_equal(again[slot]->items_count, part->items_count);
    }
    free_parts(again);
}

static void cut_one(unsigned way, const struct sw_batch *batch)
{
    struct items whole = {.texts = NULL};
    struct items together = {.texts = NULL};
    struct sw_batch *parts[SLOTS_MAX];
    uint32_t lost = 0;
    bool chance = ways[way].signal == SW_LOGS && ways[way].key == SW_ROUTE_TRACE_ID;
    items_add_batch(&whole, batch);
    assert_int_equal(cut(batch, parts, &lost), 0);
    for (unsigned i = 0; i < SLOTS_MAX; i++) {
        if (parts[i] != NULL) {
            items_add_batch(&together, parts[i]);
            if (!chance) { // records without a trace go anywhere
                stays_where_it_is(parts[i], i);
            }
        }
    }
    assert_int_equal(together.count + lost, whole.count);
    assert_true(items_among(&whole, &together, lost == 0));
    bool drops = ways[way].signal == SW_METRICS && ways[way].key == SW_ROUTE_SERVICE;
    assert_true(lost == 0 || drops);
    free_parts(parts);
    items_fini(&whole);
    items_fini(&together);
}

static void test_parts_together_are_the_whole_with_every_key(void **state)
{
    struct sw_rand rand;
    for (unsigned way = 0; way < SW_ARRAY_SIZE(ways); way++) {
        sw_rand_init(&rand, 100 + way);
        open_way(way);
        for (unsigned round = 0; round < 150; round++) {
            asked.slots_count = 1 + (unsigned)sw_rand_below(&rand, SLOTS_MAX);
            struct sw_batch *batch = random_batch(ways[way].signal, &rand);
            cut_one(way, batch);
            sw_batch_free(batch);
        }
        close_split();
    }
}

static void test_failing_allocation_leaves_nothing_behind(void **state)
{
    struct sw_rand rand;
    for (unsigned way = 0; way < SW_ARRAY_SIZE(ways); way++) {
        bool whole = false;
        for (uint64_t nth = 1; !whole; nth++) {
            struct sw_batch *parts[SLOTS_MAX];
            uint32_t lost = 0;
            sw_rand_init(&rand, 7 + way);
            open_way(way);
            asked.slots_count = 5;
            struct sw_batch *batch = random_batch(ways[way].signal, &rand);
            while (batch->items_count < 12) {
                struct sw_batch *more = random_batch(ways[way].signal, &rand);
                assert_int_equal(sw_batch_merge(batch, more), SW_OK);
            }
            sw_mem_fail_at(nth, 0);
            int err = cut(batch, parts, &lost);
            whole = sw_mem_fail_at(0, 0) < nth;
            assert_int_equal(err, whole ? SW_OK : SW_E_NOMEM);
            free_parts(parts);
            // The next one is cut as if nothing had been.
            cut_one(way, batch);
            sw_batch_free(batch);
            close_split();
        }
    }
}

/* ---- what the keys are ---- */

static void begin_resource(const char *service)
{
    wire_begin(&wire, 1);
    wire_begin(&wire, 1);
    if (service != NULL) {
        wire_attribute(&wire, 1, "service.name", service);
    }
    wire_end(&wire);
}

static void begin_scope(const char *name)
{
    wire_begin(&wire, 2);
    wire_begin(&wire, 1);
    wire_text(&wire, 1, name);
    wire_attribute(&wire, 3, "scope.key", "s");
    wire_end(&wire);
}

static void put_span(unsigned trace, const char *name, unsigned kind)
{
    uint8_t id[16] = {0};
    id[15] = (uint8_t)trace;
    wire_begin(&wire, 2);
    wire_bytes(&wire, 1, id, 16);
    wire_bytes(&wire, 2, id, 8);
    wire_text(&wire, 5, name);
    wire_number(&wire, 6, kind);
    wire_attribute(&wire, 9, "tenant", name);
    wire_end(&wire);
}

static void expect_keys(const char *const *keys, unsigned count)
{
    assert_int_equal(asked.keys_count, count);
    for (unsigned i = 0; i < count; i++) {
        assert_string_equal(asked.keys[i], keys[i]);
    }
}

static void keys_of(enum sw_signal signal, const char *const *keys, unsigned count)
{
    struct sw_batch *parts[SLOTS_MAX];
    struct sw_batch *batch = batch_of_wire(signal);
    uint32_t lost = 0;
    asked.slots_count = 4;
    assert_int_equal(cut(batch, parts, &lost), 0);
    free_parts(parts);
    sw_batch_free(batch);
    expect_keys(keys, count);
}

static void test_spans_of_a_trace_in_a_scope_follow_its_first_one(void **state)
{
    static const char *const names[] = {"span.name", "span.kind", "tenant", "service.name", "none"};
    static const char *const keys[] = {
        "span.name=one|span.kind=Server|tenant=one|service.name=shop|none=|",
        "span.name=three|span.kind=|tenant=three|service.name=shop|none=|",
        "span.name=four|span.kind=Consumer|tenant=four|service.name=shop|none=|",
    };
    open_split(SW_TRACES, SW_ROUTE_ATTRIBUTES, (struct sw_list){(void *)names, 5});
    wire_clear(&wire);
    begin_resource("shop");
    begin_scope("a");
    put_span(1, "one", 2);
    put_span(2, "three", 77);
    put_span(1, "two", 3);
    wire_end(&wire);
    begin_scope("b");
    put_span(1, "four", 5);
    wire_end(&wire);
    wire_end(&wire);
    keys_of(SW_TRACES, keys, SW_ARRAY_SIZE(keys));
    close_split();
}

static void test_attributes_of_the_resource_win_over_what_spans_have(void **state)
{
    static const char *const names[] = {"span.name", "scope.key"};
    static const char *const keys[] = {"span.name=outer|scope.key=s|"};
    open_split(SW_TRACES, SW_ROUTE_ATTRIBUTES, (struct sw_list){(void *)names, 2});
    wire_clear(&wire);
    wire_begin(&wire, 1);
    wire_begin(&wire, 1);
    wire_attribute(&wire, 1, "span.name", "outer");
    wire_end(&wire);
    begin_scope("a");
    put_span(1, "inner", 1);
    wire_end(&wire);
    wire_end(&wire);
    keys_of(SW_TRACES, keys, 1);
    close_split();
}

static void test_a_resource_in_several_fields_is_joined(void **state)
{
    static const char *const names[] = {"service.name", "late", "scope.key"};
    static const char *const keys[] = {"service.name=shop|late=x|scope.key=s|"};
    open_split(SW_TRACES, SW_ROUTE_ATTRIBUTES, (struct sw_list){(void *)names, 3});
    wire_clear(&wire);
    begin_resource("shop");
    wire_begin(&wire, 1);
    wire_attribute(&wire, 1, "late", "x");
    wire_end(&wire);
    begin_scope("a");
    wire_begin(&wire, 1);
    wire_text(&wire, 2, "1.0"); // the scope goes on
    wire_end(&wire);
    put_span(1, "one", 1);
    wire_end(&wire);
    wire_end(&wire);
    keys_of(SW_TRACES, keys, 1);
    close_split();
}

static void test_a_resource_with_an_empty_field_behind_keeps_its_service(void **state)
{
    static const char *const names[] = {"service.name"};
    static const char *const keys[] = {"shop"};
    open_split(SW_LOGS, SW_ROUTE_SERVICE, (struct sw_list){(void *)names, 1});
    wire_clear(&wire);
    begin_resource("shop");
    wire_begin(&wire, 1);
    wire_end(&wire);
    wire_end(&wire);
    keys_of(SW_LOGS, keys, 1);
    close_split();
}

static void put_record(unsigned trace, const char *severity, bool body)
{
    uint8_t id[16] = {0};
    id[15] = (uint8_t)trace;
    wire_begin(&wire, 2);
    wire_text(&wire, 3, severity);
    if (body) {
        wire_begin(&wire, 5);
        wire_text(&wire, 1, "it ");
        wire_end(&wire);
        wire_begin(&wire, 5);
        wire_text(&wire, 1, "broke"); // of a value in several fields the last one counts
        wire_end(&wire);
    }
    wire_bytes(&wire, 9, id, trace != 0 ? 16 : 0);
    wire_end(&wire);
}

static void test_log_records_have_their_levels_in_order(void **state)
{
    static const char *const names[] = {"log.body", "scope.key", "service.name", "log.severity"};
    static const char *const keys[] = {
        "service.name=shop|scope.key=s|log.body=broke|log.severity=WARN|",
        "service.name=shop|scope.key=s|log.body=|log.severity=|",
    };
    open_split(SW_LOGS, SW_ROUTE_ATTRIBUTES, (struct sw_list){(void *)names, 4});
    wire_clear(&wire);
    begin_resource("shop");
    begin_scope("a");
    put_record(1, "WARN", true);
    put_record(1, "", false);
    wire_end(&wire);
    wire_end(&wire);
    keys_of(SW_LOGS, keys, 2);
    close_split();
}

static void test_log_records_go_by_their_trace_in_hex_and_by_chance_without(void **state)
{
    open_split(SW_LOGS, SW_ROUTE_TRACE_ID, (struct sw_list){NULL, 0});
    wire_clear(&wire);
    begin_resource("shop");
    begin_scope("a");
    put_record(0xab, "", false);
    put_record(0, "", false);
    put_record(0, "", false);
    wire_end(&wire);
    wire_end(&wire);
    struct sw_batch *parts[SLOTS_MAX];
    struct sw_batch *batch = batch_of_wire(SW_LOGS);
    uint32_t lost = 0;
    asked.slots_count = 4;
    assert_int_equal(cut(batch, parts, &lost), 0);
    assert_int_equal(asked.keys_count, 3);
    assert_string_equal(asked.keys[0], "000000000000000000000000000000ab");
    assert_string_not_equal(asked.keys[1], asked.keys[2]);
    assert_string_equal(asked.keys[1] + 8, "000000000000000000000000");
    free_parts(parts);
    sw_batch_free(batch);
    close_split();
}

/* ---- metrics ---- */

static void put_point(const char *key, const char *value, uint64_t time)
{
    wire_begin(&wire, 1);
    wire_i64(&wire, 3, time);
    wire_attribute(&wire, 7, key, value);
    wire_end(&wire);
}

/* A cumulative, monotonic sum with two points. */
static void put_sum(const char *name)
{
    wire_begin(&wire, 2);
    wire_text(&wire, 1, name);
    wire_begin(&wire, 7);
    put_point("aaa", "bbb", 1);
    wire_number(&wire, 2, 2);
    put_point("bbb", "ccc", 2);
    wire_number(&wire, 3, 1);
    wire_end(&wire);
    wire_end(&wire);
}

static void test_streams_have_the_collectors_keys(void **state)
{
    static const char *const keys[] = {"stream/770305850f3632c4", "stream/df3ac8f1f36e5836"};
    open_split(SW_METRICS, SW_ROUTE_STREAM_ID, (struct sw_list){NULL, 0});
    wire_clear(&wire);
    wire_begin(&wire, 1);
    wire_begin(&wire, 1);
    wire_attribute(&wire, 1, "resource_key", "foo");
    wire_end(&wire);
    wire_begin(&wire, 2);
    wire_begin(&wire, 1);
    wire_text(&wire, 1, "MyTestInstrument");
    wire_text(&wire, 2, "1.2.3");
    wire_attribute(&wire, 3, "scope_key", "foo");
    wire_end(&wire);
    put_sum("first.monotonic.sum");
    wire_end(&wire);
    wire_end(&wire);
    keys_of(SW_METRICS, keys, 2);
    close_split();
}

static uint32_t count_fields(struct sw_bytes bytes, uint32_t tag)
{
    struct sw_otlp_iter iter;
    struct sw_pb_field field;
    uint32_t count = 0;
    sw_otlp_iter_init(&iter, bytes, tag);
    while (sw_otlp_next(&iter, &field)) {
        count++;
    }
    return count;
}

static struct sw_bytes field_of(struct sw_bytes bytes, uint32_t tag)
{
    struct sw_otlp_iter iter;
    struct sw_pb_field field;
    sw_otlp_iter_init(&iter, bytes, tag);
    assert_true(sw_otlp_next(&iter, &field));
    return field.bytes;
}

static void test_points_of_a_metric_for_one_backend_stay_one_metric(void **state)
{
    static const char *const names[] = {"color"};
    open_split(SW_METRICS, SW_ROUTE_ATTRIBUTES, (struct sw_list){(void *)names, 1});
    wire_clear(&wire);
    begin_resource("shop");
    begin_scope("a");
    wire_begin(&wire, 2);
    wire_text(&wire, 1, "m");
    wire_begin(&wire, 7);
    for (unsigned i = 0; i < 6; i++) {
        put_point("color", i % 2 == 0 ? "red" : "green", i);
    }
    wire_number(&wire, 2, 2);
    wire_end(&wire);
    wire_text(&wire, 3, "By");
    wire_end(&wire);
    wire_end(&wire);
    wire_end(&wire);
    struct sw_batch *parts[SLOTS_MAX];
    struct sw_batch *batch = batch_of_wire(SW_METRICS);
    uint32_t lost = 0;
    unsigned parts_count = 0;
    asked.slots_count = 2;
    asked.by_order = 1;
    assert_int_equal(cut(batch, parts, &lost), 0);
    for (unsigned i = 0; i < 2; i++) {
        uint8_t flat[1024];
        assert_non_null(parts[i]);
        assert_int_equal(parts[i]->items_count, 3);
        assert_true(parts[i]->bytes < sizeof(flat));
        sw_batch_copy_out(parts[i], flat);
        struct sw_bytes request = {flat, parts[i]->bytes};
        assert_int_equal(count_fields(request, SW_OTLP_TAG_RESOURCES), 1);
        struct sw_bytes resource = field_of(request, SW_OTLP_TAG_RESOURCES);
        assert_int_equal(count_fields(resource, SW_OTLP_TAG_SCOPES), 1);
        struct sw_bytes scope = field_of(resource, SW_OTLP_TAG_SCOPES);
        assert_int_equal(count_fields(scope, SW_OTLP_TAG_ITEMS), 1);
        struct sw_bytes metric = field_of(scope, SW_OTLP_TAG_ITEMS);
        assert_int_equal(count_fields(metric, SW_PB_TAG(3, SW_PB_LEN)), 1);
        struct sw_bytes data = field_of(metric, SW_PB_TAG(7, SW_PB_LEN));
        assert_int_equal(count_fields(data, SW_METRIC_TAG_POINTS), 3);
        parts_count++;
    }
    assert_int_equal(parts_count, 2);
    free_parts(parts);
    sw_batch_free(batch);
    close_split();
}

static void test_points_without_a_service_are_counted_and_go_nowhere(void **state)
{
    static const char *const names[] = {"service.name"};
    struct sw_batch *parts[SLOTS_MAX];
    uint32_t lost = 0;
    open_split(SW_METRICS, SW_ROUTE_SERVICE, (struct sw_list){(void *)names, 1});
    wire_clear(&wire);
    for (unsigned i = 0; i < 2; i++) {
        begin_resource(i == 0 ? "shop" : NULL);
        begin_scope("a");
        put_sum("m");
        wire_end(&wire);
        wire_end(&wire);
    }
    struct sw_batch *batch = batch_of_wire(SW_METRICS);
    asked.slots_count = 1;
    assert_int_equal(cut(batch, parts, &lost), 0);
    assert_int_equal(lost, 2);
    assert_int_equal(parts[0]->items_count, 2);
    assert_int_equal(asked.keys_count, 1);
    assert_string_equal(asked.keys[0], "shop");
    free_parts(parts);
    sw_batch_free(batch);
    close_split();
}

/* ---- around ---- */

static void test_parts_keep_the_sender_the_arrival_and_the_books(void **state)
{
    struct sw_branch branch = {.exporter = "x"};
    struct sw_batch *parts[SLOTS_MAX];
    uint32_t lost = 0;
    unsigned count = 0;
    open_split(SW_TRACES, SW_ROUTE_TRACE_ID, (struct sw_list){NULL, 0});
    struct sw_batch *batch = bench_batch_in(&account, 0, 40, 0);
    batch->arrived_ns = 77;
    batch->branch = &branch;
    asked.slots_count = 3;
    assert_int_equal(cut(batch, parts, &lost), 0);
    for (unsigned i = 0; i < SLOTS_MAX; i++) {
        if (parts[i] != NULL) {
            assert_int_equal(parts[i]->arrived_ns, 77);
            assert_ptr_equal(parts[i]->branch, &branch);
            count += parts[i]->items_count;
        }
    }
    assert_int_equal(count, 40);
    free_parts(parts);
    sw_batch_free(batch);
    close_split();
}

static void test_no_backend_for_a_key_fails_the_whole(void **state)
{
    struct sw_batch *parts[SLOTS_MAX];
    uint32_t lost = 0;
    open_split(SW_TRACES, SW_ROUTE_TRACE_ID, (struct sw_list){NULL, 0});
    struct sw_batch *batch = bench_batch_in(&account, 0, 3, 0);
    assert_int_equal(cut(batch, parts, &lost), SW_E_NOT_FOUND);
    free_parts(parts);
    // And the next one is served again.
    asked.slots_count = 2;
    assert_int_equal(cut(batch, parts, &lost), 0);
    free_parts(parts);
    sw_batch_free(batch);
    close_split();
}

static void test_spans_are_not_copied(void **state)
{
    struct sw_batch *parts[SLOTS_MAX];
    uint32_t lost = 0;
    open_split(SW_TRACES, SW_ROUTE_TRACE_ID, (struct sw_list){NULL, 0});
    struct sw_batch *batch = bench_batch_in(&account, 0, 2000, 0);
    int64_t before = sw_account_charged(&account);
    asked.slots_count = SLOTS_MAX;
    assert_int_equal(cut(batch, parts, &lost), 0);
    assert_in_range(sw_account_charged(&account) - before, 0, 8192);
    free_parts(parts);
    sw_batch_free(batch);
    close_split();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_together_are_the_whole_with_every_key),
        cmocka_unit_test(test_failing_allocation_leaves_nothing_behind),
        cmocka_unit_test(test_spans_of_a_trace_in_a_scope_follow_its_first_one),
        cmocka_unit_test(test_attributes_of_the_resource_win_over_what_spans_have),
        cmocka_unit_test(test_a_resource_in_several_fields_is_joined),
        cmocka_unit_test(test_a_resource_with_an_empty_field_behind_keeps_its_service),
        cmocka_unit_test(test_log_records_have_their_levels_in_order),
        cmocka_unit_test(test_log_records_go_by_their_trace_in_hex_and_by_chance_without),
        cmocka_unit_test(test_streams_have_the_collectors_keys),
        cmocka_unit_test(test_points_of_a_metric_for_one_backend_stay_one_metric),
        cmocka_unit_test(test_points_without_a_service_are_counted_and_go_nowhere),
        cmocka_unit_test(test_parts_keep_the_sender_the_arrival_and_the_books),
        cmocka_unit_test(test_no_backend_for_a_key_fails_the_whole),
        cmocka_unit_test(test_spans_are_not_copied),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
