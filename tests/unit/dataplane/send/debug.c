/* The debug exporter: its texts, and that they wait instead of flooding. */
#include "dataplane/base/event.h"
#include "dataplane/otlp/protobuf.h"
#include "dataplane/send/debug_exporter.h"
#include "dataplane/send/debug_exporter_conf.h"
#include "dataplane/send/debug_text.h"
#include "tests/lib/bench.h"

#include <math.h>
#include <stdlib.h>

/* ---- writing requests ---- */

#define MOST (1u << 20)

struct out {
    uint8_t *data;
    size_t size;
};

static struct out out_new(void)
{
    return (struct out){malloc(MOST), 0};
}

static void put(struct out *out, uint32_t field, const void *data, size_t size)
{
    assert_true(out->size + size + 16 < MOST);
    uint32_t tag = SW_PB_TAG(field, SW_PB_LEN);
    uint8_t *end = sw_pb_put_bytes(out->data + out->size, tag, (struct sw_bytes){data, size});
    out->size = (size_t)(end - out->data);
}

static void put_text(struct out *out, uint32_t field, const char *text)
{
    put(out, field, text, strlen(text));
}

static void put_varint(struct out *out, uint32_t field, uint64_t value)
{
    uint8_t *at = out->data + out->size;
    at = sw_pb_put_varint(sw_pb_put_varint(at, SW_PB_TAG(field, SW_PB_VARINT)), value);
    out->size = (size_t)(at - out->data);
}

static void put_fixed(struct out *out, uint32_t field, uint64_t value)
{
    uint8_t *at = sw_pb_put_i64(out->data + out->size, SW_PB_TAG(field, SW_PB_I64), value);
    out->size = (size_t)(at - out->data);
}

// Takes the other's memory.
static void put_message(struct out *out, uint32_t field, struct out message)
{
    put(out, field, message.data, message.size);
    free(message.data);
}

static void put_attribute(struct out *to, uint32_t field, const char *key, struct out any)
{
    struct out attribute = out_new();
    put_text(&attribute, 1, key);
    put_message(&attribute, 2, any);
    put_message(to, field, attribute);
}

static struct out string_value(const char *text)
{
    struct out any = out_new();
    put_text(&any, 1, text);
    return any;
}

static struct out double_value(double number)
{
    struct out any = out_new();
    uint64_t bits;
    memcpy(&bits, &number, sizeof(bits));
    put_fixed(&any, 4, bits);
    return any;
}

static struct out number_value(uint32_t field, uint64_t value)
{
    struct out any = out_new();
    put_varint(&any, field, value);
    return any;
}

static struct sw_batch *batch_of(struct out request, uint32_t items)
{
    struct sw_buf *buf = sw_buf_copy(NULL, request.data, (uint32_t)request.size);
    struct sw_batch *batch = sw_batch_new(SW_TRACES);
    assert_int_equal(sw_batch_add_raw(batch, buf, buf->data, buf->size, items), 0);
    sw_buf_unref(buf);
    free(request.data);
    return batch;
}

static const uint8_t ids[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12,
                              13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24};

static struct out first_span(void)
{
    struct out span = out_new();
    struct out status = out_new();
    struct out event = out_new();
    struct out bare = out_new();
    put(&span, 1, ids, 16);
    put(&span, 2, ids + 16, 8);
    put_text(&span, 3, "ot=th:0");
    put_text(&span, 5, "operationA");
    put_fixed(&span, 7, UINT64_C(1581452772000000321));
    put_fixed(&span, 8, UINT64_C(1581452773000000789));
    put_varint(&span, 10, 1);
    put_varint(&span, 12, 1);
    put_text(&status, 2, "status-cancelled");
    put_varint(&status, 3, 2);
    put_fixed(&event, 1, UINT64_C(1581452773000000123));
    put_text(&event, 2, "event-with-attr");
    put_attribute(&event, 3, "span-event-attr", string_value("span-event-attr-val"));
    put_varint(&event, 4, 2);
    put_fixed(&bare, 1, UINT64_C(1581452773000000123));
    put_text(&bare, 2, "event");
    put_message(&span, 11, event);
    put_message(&span, 11, bare);
    put_message(&span, 15, status);
    return span;
}

static struct out second_span(void)
{
    struct out span = out_new();
    struct out link = out_new();
    put_text(&span, 5, "operationB");
    put_varint(&span, 6, 3);
    put_varint(&span, 14, 3);
    put_attribute(&link, 4, "span-link-attr", string_value("v"));
    put_varint(&link, 5, 4);
    put_message(&span, 13, link);
    put_message(&span, 13, out_new());
    put_attribute(&span, 9, "n", number_value(3, 7));
    put_attribute(&span, 9, "b", number_value(2, 1));
    return span;
}

// Resource with an entity, a scope, the two spans; then a bare ResourceSpans with a span of nothing.
static struct sw_batch *two_resources(void)
{
    struct out request = out_new();
    struct out spans = out_new();
    struct out resource = out_new();
    struct out entity = out_new();
    struct out scope_spans = out_new();
    struct out scope = out_new();
    put_attribute(&resource, 1, "service.name", string_value("shop"));
    put_text(&entity, 1, "https://schema");
    put_text(&entity, 2, "service");
    put_text(&entity, 3, "service.name");
    put_text(&entity, 4, "service.version");
    put_message(&resource, 3, entity);
    put_text(&scope, 1, "lib");
    put_text(&scope, 2, "v1");
    put_attribute(&scope, 3, "s", string_value("t"));
    put_message(&scope_spans, 2, first_span());
    put_message(&scope_spans, 2, second_span());
    put_message(&scope_spans, 1, scope); // behind its spans, as newer Collectors write
    put_text(&scope_spans, 3, "https://scope");
    put_message(&spans, 2, scope_spans);
    put_message(&spans, 1, resource);
    put_text(&spans, 3, "https://resource");
    put_message(&request, 1, spans);
    struct out empty_scope = out_new();
    struct out bare = out_new();
    put_message(&empty_scope, 2, out_new());
    put_message(&bare, 2, empty_scope);
    put_message(&request, 1, bare);
    return batch_of(request, 3);
}

/* ---- texts ---- */

static char said[1 << 20];

static const char *text_of(const struct sw_batch *batch, bool detailed, uint32_t most)
{
    struct sw_debug_text text;
    struct sw_account account = {0};
    size_t len = 0;
    assert_int_equal(sw_debug_text_init(&text, batch, detailed, &account), 0);
    for (;;) {
        struct sw_buf *buf = NULL;
        assert_int_equal(sw_debug_text_next(&text, most, &buf), 0);
        if (buf == NULL) {
            break;
        }
        assert_true(len + buf->size < sizeof(said));
        memcpy(said + len, buf->data, buf->size);
        len += buf->size;
        assert_int_equal(said[len - 1], '\n');
        sw_buf_unref(buf);
    }
    sw_debug_text_fini(&text);
    assert_int_equal(sw_account_charged(&account), 0);
    said[len] = '\0';
    return said;
}

static const char detailed_text[] = "ResourceSpans #0\n"
                                    "Resource SchemaURL: https://resource\n"
                                    "Resource attributes:\n"
                                    "     -> service.name: Str(shop)\n"
                                    "Resource entity refs:\n"
                                    "     -> Entity ref #0:\n"
                                    "          -> Type: service\n"
                                    "          -> Schema URL: https://schema\n"
                                    "          -> ID keys:\n"
                                    "               -> service.name\n"
                                    "          -> Description keys:\n"
                                    "               -> service.version\n"
                                    "ScopeSpans #0\n"
                                    "ScopeSpans SchemaURL: https://scope\n"
                                    "InstrumentationScope lib v1\n"
                                    "InstrumentationScope attributes:\n"
                                    "     -> s: Str(t)\n"
                                    "Span #0\n"
                                    "    Trace ID       : 0102030405060708090a0b0c0d0e0f10\n"
                                    "    Parent ID      : \n"
                                    "    ID             : 1112131415161718\n"
                                    "    Name           : operationA\n"
                                    "    Kind           : Unspecified\n"
                                    "    TraceState     : ot=th:0\n"
                                    "    Start time     : 2020-02-11 20:26:12.000000321 +0000 UTC\n"
                                    "    End time       : 2020-02-11 20:26:13.000000789 +0000 UTC\n"
                                    "    Status code    : Error\n"
                                    "    Status message : status-cancelled\n"
                                    "    DroppedAttributesCount: 1\n"
                                    "    DroppedEventsCount: 1\n"
                                    "    DroppedLinksCount: 0\n"
                                    "Events:\n"
                                    "SpanEvent #0\n"
                                    "     -> Name: event-with-attr\n"
                                    "     -> Timestamp: 2020-02-11 20:26:13.000000123 +0000 UTC\n"
                                    "     -> DroppedAttributesCount: 2\n"
                                    "     -> Attributes::\n"
                                    "          -> span-event-attr: Str(span-event-attr-val)\n"
                                    "SpanEvent #1\n"
                                    "     -> Name: event\n"
                                    "     -> Timestamp: 2020-02-11 20:26:13.000000123 +0000 UTC\n"
                                    "     -> DroppedAttributesCount: 0\n"
                                    "Span #1\n"
                                    "    Trace ID       : \n"
                                    "    Parent ID      : \n"
                                    "    ID             : \n"
                                    "    Name           : operationB\n"
                                    "    Kind           : Client\n"
                                    "    Start time     : 1970-01-01 00:00:00 +0000 UTC\n"
                                    "    End time       : 1970-01-01 00:00:00 +0000 UTC\n"
                                    "    Status code    : Unset\n"
                                    "    Status message : \n"
                                    "    DroppedAttributesCount: 0\n"
                                    "    DroppedEventsCount: 0\n"
                                    "    DroppedLinksCount: 3\n"
                                    "Attributes:\n"
                                    "     -> n: Int(7)\n"
                                    "     -> b: Bool(true)\n"
                                    "Links:\n"
                                    "SpanLink #0\n"
                                    "     -> Trace ID: \n"
                                    "     -> ID: \n"
                                    "     -> TraceState: \n"
                                    "     -> DroppedAttributesCount: 4\n"
                                    "     -> Attributes::\n"
                                    "          -> span-link-attr: Str(v)\n"
                                    "SpanLink #1\n"
                                    "     -> Trace ID: \n"
                                    "     -> ID: \n"
                                    "     -> TraceState: \n"
                                    "     -> DroppedAttributesCount: 0\n"
                                    "ResourceSpans #1\n"
                                    "Resource SchemaURL: \n"
                                    "ScopeSpans #0\n"
                                    "ScopeSpans SchemaURL: \n"
                                    "InstrumentationScope  \n"
                                    "Span #0\n"
                                    "    Trace ID       : \n"
                                    "    Parent ID      : \n"
                                    "    ID             : \n"
                                    "    Name           : \n"
                                    "    Kind           : Unspecified\n"
                                    "    Start time     : 1970-01-01 00:00:00 +0000 UTC\n"
                                    "    End time       : 1970-01-01 00:00:00 +0000 UTC\n"
                                    "    Status code    : Unset\n"
                                    "    Status message : \n"
                                    "    DroppedAttributesCount: 0\n"
                                    "    DroppedEventsCount: 0\n"
                                    "    DroppedLinksCount: 0\n";

static const char normal_text[] = "ResourceTraces #0 [https://resource] service.name=shop\n"
                                  "ScopeTraces #0 lib@v1 [https://scope] s=t\n"
                                  "operationA 0102030405060708090a0b0c0d0e0f10 1112131415161718\n"
                                  "operationB   n=7 b=true\n"
                                  "ResourceTraces #1\n"
                                  "ScopeTraces #0\n"
                                  "  \n";

static void test_detailed_text_is_the_collectors(void **state)
{
    struct sw_batch *batch = two_resources();
    assert_string_equal(text_of(batch, true, 1 << 20), detailed_text);
    assert_string_equal(text_of(batch, true, 1), detailed_text); // a record at a time
    assert_int_equal(sw_debug_resources_count(batch), 2);
    sw_batch_free(batch);
}

static void test_normal_text_is_the_collectors(void **state)
{
    struct sw_batch *batch = two_resources();
    assert_string_equal(text_of(batch, false, 1 << 20), normal_text);
    assert_string_equal(text_of(batch, false, 1), normal_text);
    sw_batch_free(batch);
}

static void test_parts_that_were_cut_read_as_whole_ones(void **state)
{
    struct sw_batch *batch = two_resources();
    struct sw_batch *first = NULL;
    assert_int_equal(sw_batch_split(batch, 1, NULL, &first), 0);
    assert_string_equal(
        text_of(first, false, 1 << 20),
        "ResourceTraces #0 [https://resource] service.name=shop\n"
        "ScopeTraces #0 lib@v1 [https://scope] s=t\n"
        "operationA 0102030405060708090a0b0c0d0e0f10 1112131415161718\n"
    );
    assert_int_equal(sw_debug_resources_count(first), 1);
    assert_string_equal(
        text_of(batch, false, 1 << 20),
        "ResourceTraces #0 [https://resource] service.name=shop\n"
        "ScopeTraces #0 lib@v1 [https://scope] s=t\n"
        "operationB   n=7 b=true\n"
        "ResourceTraces #1\n"
        "ScopeTraces #0\n"
        "  \n"
    );
    sw_batch_free(first);
    sw_batch_free(batch);
}

static const char *value_text(struct out any)
{
    static char text[70000];
    struct out request = out_new();
    struct out spans = out_new();
    struct out resource = out_new();
    put_attribute(&resource, 1, "k", any);
    put_message(&spans, 1, resource);
    put_message(&request, 1, spans);
    struct sw_batch *batch = batch_of(request, 0);
    const char *whole = text_of(batch, true, 1 << 20);
    const char *begin = strstr(whole, "-> k: ") + 6;
    snprintf(text, sizeof(text), "%.*s", (int)(strlen(begin) - 1), begin);
    sw_batch_free(batch);
    return text;
}

static void test_numbers_are_as_short_as_go_writes_them(void **state)
{
    static const struct {
        double number;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {1.5, "1.5"},
        {-2.75, "-2.75"},
        {0.1, "0.1"},
        {1.0 / 3, "0.3333333333333333"},
        {100, "100"},
        {123456789, "123456789"},
        {1e20, "100000000000000000000"},
        {1e21, "1e+21"},
        {1.5e300, "1.5e+300"},
        {1e-6, "0.000001"},
        {1.25e-6, "0.00000125"},
        {1e-7, "1e-7"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {INFINITY, "Infinity"},
        {-INFINITY, "-Infinity"},
        {NAN, "NaN"},
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(cases); i++) {
        char expected[64];
        snprintf(expected, sizeof(expected), "Double(%s)", cases[i].text);
        assert_string_equal(value_text(double_value(cases[i].number)), expected);
    }
    assert_string_equal(value_text(number_value(3, UINT64_MAX)), "Int(-1)");
    assert_string_equal(value_text(number_value(2, 0)), "Bool(false)");
}

static void test_nested_values_are_json(void **state)
{
    struct out map = out_new();
    struct out list = out_new();
    struct out any = out_new();
    struct out bytes = out_new();
    put_message(&list, 1, string_value("a\"<\n\x01\xff\xe2\x80\xa8\xc3\xa9"));
    put_message(&list, 1, out_new());
    put_message(&list, 1, number_value(3, 5));
    put(&bytes, 7, "\x00\x01", 2);
    put_message(&any, 5, list);
    put_attribute(&map, 1, "list", any);
    put_attribute(&map, 1, "raw", bytes);
    any = out_new();
    put_message(&any, 6, map);
    assert_string_equal(
        value_text(any),
        "Map({\"list\":[\"a\\\"<\\n\\u0001\\ufffd\\u2028\xc3\xa9\",null,5],\"raw\":\"AAE=\"})"
    );
    bytes = out_new();
    put(&bytes, 7, "abcd", 4);
    assert_string_equal(value_text(bytes), "Bytes(YWJjZA==)");
    assert_string_equal(value_text(out_new()), "Empty()");
    any = out_new();
    put_message(&any, 5, out_new());
    assert_string_equal(value_text(any), "Slice([])");
}

static void test_record_that_is_too_long_is_cut_visibly(void **state)
{
    char *big = malloc(SW_DEBUG_RECORD_MAX + 1);
    struct out request = out_new();
    struct out spans = out_new();
    struct out scope = out_new();
    struct out span = out_new();
    memset(big, 'x', SW_DEBUG_RECORD_MAX);
    big[SW_DEBUG_RECORD_MAX] = '\0';
    put_text(&span, 5, "before");
    put_attribute(&span, 9, "k", string_value(big));
    put_message(&scope, 2, span);
    span = out_new();
    put_text(&span, 5, "after");
    put_message(&scope, 2, span);
    put_message(&spans, 2, scope);
    put_message(&request, 1, spans);
    struct sw_batch *batch = batch_of(request, 2);
    assert_string_equal(
        text_of(batch, false, 1 << 20),
        "ResourceTraces #0\nScopeTraces #0\nbefore   k=\n... the rest is too long and left out\n"
        "after  \n"
    );
    sw_batch_free(batch);
    free(big);
}

static void test_any_day_is_the_right_one(void **state)
{
    static const struct {
        uint64_t ns;
        const char *text;
    } cases[] = {
        {0, "1970-01-01 00:00:00 +0000 UTC"},
        {UINT64_C(951782400000000000), "2000-02-29 00:00:00 +0000 UTC"},
        {UINT64_C(951868799999999999), "2000-02-29 23:59:59.999999999 +0000 UTC"},
        {UINT64_C(4107542400500000000), "2100-03-01 00:00:00.5 +0000 UTC"},
        {UINT64_MAX, "1969-12-31 23:59:59.999999999 +0000 UTC"}, // Go reads it as signed
        {UINT64_C(1) << 63, "1677-09-21 00:12:43.145224192 +0000 UTC"},
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(cases); i++) {
        struct out request = out_new();
        struct out spans = out_new();
        struct out scope = out_new();
        struct out span = out_new();
        char expected[96];
        put_fixed(&span, 7, cases[i].ns);
        put_message(&scope, 2, span);
        put_message(&spans, 2, scope);
        put_message(&request, 1, spans);
        struct sw_batch *batch = batch_of(request, 1);
        snprintf(expected, sizeof(expected), "Start time     : %s\n", cases[i].text);
        assert_non_null(strstr(text_of(batch, true, 1), expected));
        sw_batch_free(batch);
    }
}

/* ---- the exporter ---- */

struct rig {
    struct sw_core core;
    struct sw_account account;
    struct sw_debug_exporter_conf conf;
    struct sw_stage_env env;
    void *shared;
    struct sw_stage *stage;
};

static struct rig rig;

static void rig_open(int verbosity, int64_t initial, int64_t thereafter)
{
    memset(&rig, 0, sizeof(rig));
    bench_core_init(&rig.core, &rig.account);
    rig.core.events = sw_events_new(256);
    rig.conf.verbosity = verbosity;
    rig.conf.sampling_initial = initial;
    rig.conf.sampling_thereafter = thereafter;
    rig.conf.use_internal_logger = true;
    rig.env = (struct sw_stage_env){.id = "debug", .account = &rig.account, .cores_count = 1};
    assert_int_equal(sw_debug_exporter_class.shared_new(&rig.env, &rig.conf, &rig.shared), 0);
    assert_int_equal(
        sw_debug_exporter_class.create(
            &rig.env, &rig.conf, rig.shared, &rig.core, NULL, &rig.stage
        ),
        0
    );
    assert_int_equal(rig.stage->ops->start(rig.stage), 0);
}

static void rig_close(void)
{
    assert_int_equal(rig.stage->ops->drain(rig.stage, rig.core.now_ns), 0);
    rig.stage->ops->free(rig.stage);
    sw_debug_exporter_class.shared_free(rig.shared);
    sw_events_free(rig.core.events);
    assert_int_equal(sw_account_charged(&rig.account), 0);
}

static unsigned events_count(void)
{
    struct sw_event event;
    unsigned count = 0;
    while (sw_events_take(rig.core.events, &event)) {
        sw_event_fini(&event);
        count++;
    }
    return count;
}

static void test_basic_leaves_a_line_with_two_counts(void **state)
{
    struct bench_ticket ticket;
    struct sw_event event;
    rig_open(SW_VERBOSITY_BASIC, 2, 1);
    assert_int_equal(bench_hand_over(rig.stage, two_resources(), &ticket), 0);
    assert_int_equal(ticket.settled_count, 1);
    assert_int_equal(ticket.err, 0);
    assert_true(sw_events_take(rig.core.events, &event));
    assert_string_equal(event.kind->message, "Traces");
    assert_string_equal(event.kind->count_key, "resource spans");
    assert_string_equal(event.kind->items_key, "spans");
    assert_string_equal(event.id, "debug");
    assert_string_equal(event.signal, "traces");
    assert_int_equal(event.count, 2);
    assert_int_equal(event.items, 3);
    assert_null(event.message);
    assert_int_equal(events_count(), 0);
    rig_close();
}

static void test_detailed_leaves_the_text_as_one_event(void **state)
{
    struct bench_ticket ticket;
    struct sw_event event;
    rig_open(SW_VERBOSITY_DETAILED, 2, 1);
    assert_int_equal(bench_hand_over(rig.stage, two_resources(), &ticket), 0);
    assert_int_equal(ticket.settled_count, 0); // goes on in slices
    bench_advance(&rig.core, 0);
    assert_int_equal(ticket.settled_count, 1);
    assert_true(sw_events_take(rig.core.events, &event));
    assert_string_equal(event.kind->message, "Traces");
    assert_true(sw_events_take(rig.core.events, &event));
    assert_null(event.kind->message);
    assert_int_equal(event.message->size, strlen(detailed_text));
    assert_memory_equal(event.message->data, detailed_text, event.message->size);
    sw_event_fini(&event);
    assert_int_equal(events_count(), 0);
    rig_close();
}

static void test_sampling_counts_by_the_second(void **state)
{
    struct bench_ticket ticket;
    rig_open(SW_VERBOSITY_BASIC, 3, 4);
    for (unsigned i = 0; i < 11; i++) {
        assert_int_equal(bench_hand_over(rig.stage, bench_batch(1), &ticket), 0);
        assert_int_equal(ticket.err, 0);
    }
    assert_int_equal(events_count(), 5); // 1, 2, 3, 7, 11
    bench_advance(&rig.core, SW_NS_PER_S);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(bench_hand_over(rig.stage, bench_batch(1), &ticket), 0);
    }
    assert_int_equal(events_count(), 3);
    rig_close();
    rig_open(SW_VERBOSITY_BASIC, 1, 0);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(bench_hand_over(rig.stage, bench_batch(1), &ticket), 0);
    }
    assert_int_equal(events_count(), 1); // 0: none after the first
    rig_close();
}

static void test_much_text_waits_until_the_log_has_taken_some(void **state)
{
    struct bench_ticket tickets[2];
    size_t bytes = 0;
    struct sw_event event;
    rig_open(SW_VERBOSITY_DETAILED, 2, 1);
    assert_int_equal(bench_hand_over(rig.stage, bench_batch(20000), &tickets[0]), 0);
    assert_int_equal(bench_hand_over(rig.stage, bench_batch(1), &tickets[1]), 0);
    bench_advance(&rig.core, SW_NS_PER_S);
    assert_int_equal(tickets[0].settled_count, 0);
    assert_int_equal(sw_events_room(rig.core.events), 128); // others can still be heard
    assert_int_equal(sw_events_lost(rig.core.events), 0);
    for (unsigned i = 0; i < 100 && tickets[1].settled_count == 0; i++) {
        while (sw_events_take(rig.core.events, &event)) {
            bytes += event.message != NULL ? event.message->size : 0;
            sw_event_fini(&event);
        }
        bench_advance(&rig.core, 20 * SW_NS_PER_MS);
    }
    assert_int_equal(tickets[0].settled_count, 1);
    assert_int_equal(tickets[1].settled_count, 1); // in order
    assert_int_equal(tickets[0].err, 0);
    assert_true(bytes > 20000 * 300);
    (void)events_count();
    rig_close();
}

static void test_drain_waits_for_the_text_and_gives_up_at_the_deadline(void **state)
{
    struct bench_ticket tickets[2];
    rig_open(SW_VERBOSITY_NORMAL, 2, 1);
    assert_int_equal(bench_hand_over(rig.stage, bench_batch(200000), &tickets[0]), 0);
    assert_int_equal(bench_hand_over(rig.stage, bench_batch(1), &tickets[1]), 0);
    uint64_t deadline_ns = rig.core.now_ns + SW_NS_PER_S;
    assert_int_equal(rig.stage->ops->drain(rig.stage, deadline_ns), SW_E_AGAIN);
    bench_advance(&rig.core, SW_NS_PER_S);
    assert_int_equal(rig.stage->ops->drain(rig.stage, deadline_ns), 0);
    assert_int_equal(tickets[0].err, SW_E_SHUTDOWN);
    assert_int_equal(tickets[1].err, SW_E_SHUTDOWN);
    rig_close();
}

static void test_failing_allocation_fails_the_request(void **state)
{
    int err = SW_E_NOMEM;
    for (uint64_t nth = 1; err != SW_OK; nth++) {
        struct bench_ticket ticket = {.err = 0};
        rig_open(SW_VERBOSITY_DETAILED, 2, 1);
        struct sw_batch *batch = bench_batch(200);
        sw_mem_fail_at(nth, 0);
        err = bench_hand_over(rig.stage, batch, &ticket);
        bench_advance(&rig.core, 0);
        sw_mem_fail_at(0, 0);
        if (err == SW_OK) {
            assert_int_equal(ticket.settled_count, 1);
            err = ticket.err;
        }
        assert_true(err == SW_OK || err == SW_E_NOMEM);
        (void)events_count();
        rig_close();
        assert_true(nth < 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_detailed_text_is_the_collectors),
        cmocka_unit_test(test_normal_text_is_the_collectors),
        cmocka_unit_test(test_parts_that_were_cut_read_as_whole_ones),
        cmocka_unit_test(test_numbers_are_as_short_as_go_writes_them),
        cmocka_unit_test(test_nested_values_are_json),
        cmocka_unit_test(test_record_that_is_too_long_is_cut_visibly),
        cmocka_unit_test(test_any_day_is_the_right_one),
        cmocka_unit_test(test_basic_leaves_a_line_with_two_counts),
        cmocka_unit_test(test_detailed_leaves_the_text_as_one_event),
        cmocka_unit_test(test_sampling_counts_by_the_second),
        cmocka_unit_test(test_much_text_waits_until_the_log_has_taken_some),
        cmocka_unit_test(test_drain_waits_for_the_text_and_gives_up_at_the_deadline),
        cmocka_unit_test(test_failing_allocation_fails_the_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
