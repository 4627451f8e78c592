#include "dataplane/rewrite/attributes.h"

#include "dataplane/otlp/attribute.h"
#include "dataplane/otlp/client.h"
#include "dataplane/otlp/metric.h"
#include "dataplane/otlp/value_text.h"
#include "dataplane/rewrite/attributes_conf.h"
#include "tests/lib/bench.h"
#include "tests/lib/wire.h"

/* ---- requests ---- */

static struct wire wire;

static void put_text(uint32_t field, const char *key, const char *value)
{
    wire_begin(&wire, field);
    wire_text(&wire, 1, key);
    wire_begin(&wire, 2);
    wire_text(&wire, 1, value);
    wire_end(&wire);
    wire_end(&wire);
}

static void put_int(uint32_t field, const char *key, uint64_t value)
{
    wire_begin(&wire, field);
    wire_text(&wire, 1, key);
    wire_begin(&wire, 2);
    wire_number(&wire, 3, value);
    wire_end(&wire);
    wire_end(&wire);
}

static void begin_request(const char *service, const char *scope)
{
    wire_clear(&wire);
    wire_begin(&wire, 1);
    wire_begin(&wire, 1);
    put_text(1, "service.name", service);
    wire_end(&wire);
    wire_begin(&wire, 2);
    wire_begin(&wire, 1);
    wire_text(&wire, 1, scope);
    wire_text(&wire, 2, "1.2");
    wire_end(&wire);
}

static struct sw_batch *end_request(enum sw_signal signal, uint32_t items)
{
    wire_end(&wire);
    wire_end(&wire);
    struct sw_buf *buf = sw_buf_copy(NULL, wire.data, (uint32_t)wire.size);
    struct sw_batch *batch = sw_batch_new(signal);
    assert_int_equal(sw_batch_add_raw(batch, buf, buf->data, buf->size, items), 0);
    sw_buf_unref(buf);
    return batch;
}

// Spans GET (a server's) and PUT (a client's), each with one attribute n.
static struct sw_batch *two_spans(void)
{
    begin_request("shop", "lib");
    for (unsigned i = 0; i < 2; i++) {
        wire_begin(&wire, 2);
        wire_text(&wire, 5, i == 0 ? "GET" : "PUT");
        wire_number(&wire, 6, i == 0 ? 2 : 3);
        put_int(9, "n", i);
        wire_number(&wire, 1000, 7); // unknown, stays
        wire_end(&wire);
    }
    return end_request(SW_TRACES, 2);
}

static struct sw_batch *two_records(void)
{
    begin_request("shop", "lib");
    for (unsigned i = 0; i < 2; i++) {
        wire_begin(&wire, 2);
        wire_number(&wire, 2, i == 0 ? 9 : 17);
        wire_text(&wire, 3, i == 0 ? "INFO" : "ERROR");
        wire_begin(&wire, 5);
        wire_text(&wire, 1, i == 0 ? "started" : "it broke");
        wire_end(&wire);
        put_int(6, "n", i);
        wire_end(&wire);
    }
    return end_request(SW_LOGS, 2);
}

// A metric of each kind with a point that has one attribute n.
static struct sw_batch *five_metrics(void)
{
    static const char *const names[] = {"gauge", "sum", "histogram", "exponential", "summary"};
    static const uint32_t fields[] = {5, 7, 9, 10, 11};
    static const uint32_t attributes[] = {7, 7, 9, 1, 7};
    begin_request("shop", "lib");
    for (unsigned i = 0; i < 5; i++) {
        wire_begin(&wire, 2);
        wire_text(&wire, 1, names[i]);
        wire_begin(&wire, fields[i]);
        wire_begin(&wire, 1);
        put_int(attributes[i], "n", i);
        wire_end(&wire);
        wire_end(&wire);
        wire_end(&wire);
    }
    return end_request(SW_METRICS, 5);
}

/* ---- reading them ---- */

static char said[8192];

static void say(const char *format, struct sw_bytes bytes)
{
    size_t len = strlen(said);
    snprintf(said + len, sizeof(said) - len, format, (int)bytes.size, (const char *)bytes.data);
}

static void say_attributes(struct sw_bytes message, uint32_t tag)
{
    static struct sw_value_text text;
    struct sw_attribute_iter iter;
    struct sw_attribute attribute;
    sw_attribute_iter_init(&iter, message, tag);
    while (sw_attribute_next(&iter, &attribute)) {
        say(" %.*s", attribute.key);
        assert_int_equal(sw_value_text_set(&text, &attribute.value), 0);
        say("=%.*s", (struct sw_bytes){(const uint8_t *)text.data, text.size});
    }
    sw_value_text_fini(&text);
}

static void say_item(enum sw_signal signal, struct sw_bytes message)
{
    struct sw_span_view span;
    struct sw_log_view record;
    struct sw_metric_view metric;
    struct sw_otlp_iter points;
    struct sw_pb_field point;
    if (signal == SW_TRACES) {
        assert_true(sw_span_view_fill(&span, message));
        say("%.*s:", span.name);
        say_attributes(message, SW_SPAN_ATTRIBUTES);
    } else if (signal == SW_LOGS) {
        assert_true(sw_log_view_fill(&record, message));
        say("%.*s:", record.severity_text);
        say_attributes(message, SW_LOG_ATTRIBUTES);
    } else {
        assert_true(sw_metric_view_fill(&metric, message));
        say("%.*s:", metric.name);
        sw_metric_points_init(&points, &metric);
        while (sw_otlp_next(&points, &point)) {
            say_attributes(point.bytes, sw_metric_attributes_tag(metric.type));
        }
    }
    strcat(said, "; ");
}

static const char *text_of(const struct sw_batch *batch)
{
    uint8_t *flat = malloc(batch->bytes + 1);
    struct sw_otlp_iter resources;
    struct sw_otlp_iter scopes;
    struct sw_otlp_iter items;
    struct sw_pb_field field;
    said[0] = '\0';
    sw_batch_copy_out(batch, flat);
    sw_otlp_resources_init(&resources, (struct sw_bytes){flat, batch->bytes});
    while (sw_otlp_next(&resources, &field)) {
        sw_otlp_scopes_init(&scopes, field.bytes);
        while (sw_otlp_next(&scopes, &field)) {
            sw_otlp_items_init(&items, field.bytes);
            while (sw_otlp_next(&items, &field)) {
                say_item(batch->signal, field.bytes);
            }
        }
    }
    assert_int_equal(sw_pb_status(&resources.reader), 0);
    free(flat);
    return said;
}

/* ---- the stage ---- */

struct rig {
    struct sw_core core;
    struct sw_account account;
    struct sw_metrics *metrics;
    struct bench_keeper keeper;
    struct sw_stage_env env;
    struct sw_attributes_conf conf;
    char error[256];
    void *shared;
    struct sw_stage *stage;
    struct bench_ticket ticket;
};

static struct rig rig;

static void rig_prepare(enum sw_signal signal, struct sw_action_conf *actions, size_t count)
{
    memset(&rig, 0, sizeof(rig));
    bench_core_init(&rig.core, &rig.account);
    bench_keeper_init(&rig.keeper, &rig.core);
    rig.keeper.keep_last = true;
    assert_int_equal(sw_metrics_new(1, &rig.metrics), 0);
    for (size_t i = 0; i < count; i++) {
        const char **texts[] = {
            &actions[i].key,
            &actions[i].from_attribute,
            &actions[i].from_context,
            &actions[i].pattern,
            &actions[i].converted_type,
        };
        for (size_t k = 0; k < SW_ARRAY_SIZE(texts); k++) {
            *texts[k] = *texts[k] != NULL ? *texts[k] : "";
        }
    }
    rig.conf.actions = (struct sw_list){actions, count};
    rig.env = (struct sw_stage_env){
        .id = "attributes",
        .signal = signal,
        .metrics = rig.metrics,
        .account = &rig.account,
        .cores_count = 1,
        .error = rig.error,
        .error_size = sizeof(rig.error),
    };
}

static void rig_start(void)
{
    assert_int_equal(sw_attributes_class.shared_new(&rig.env, &rig.conf, &rig.shared), 0);
    assert_int_equal(
        sw_attributes_class.create(
            &rig.env, &rig.conf, rig.shared, &rig.core, &rig.keeper.stage, &rig.stage
        ),
        0
    );
}

static void rig_close(void)
{
    sw_batch_free(rig.keeper.last);
    rig.stage->ops->free(rig.stage);
    sw_attributes_class.shared_free(rig.shared);
    sw_metrics_free(rig.metrics);
    wire_fini(&wire);
    assert_int_equal(sw_account_charged(&rig.account), 0);
}

static const char *through(struct sw_batch *batch)
{
    uint32_t items = batch->items_count;
    assert_int_equal(bench_hand_over(rig.stage, batch, &rig.ticket), 0);
    assert_int_equal(rig.ticket.settled_count, 1);
    assert_int_equal(rig.keeper.last->items_count, items);
    return text_of(rig.keeper.last);
}

#define STRING(text)                                                                               \
    {                                                                                              \
        .kind = SW_VALUE_STRING, .string = (text)                                                  \
    }

static struct sw_action_conf mark[] = {
    {.key = "mark", .action = SW_ACTION_INSERT, .value = STRING("x")},
};

static struct sw_match_conf match(const char *type)
{
    return (struct sw_match_conf){.match_type = type};
}

/* ---- all three signals ---- */

static void test_spans_get_attributes(void **state)
{
    rig_prepare(SW_TRACES, mark, 1);
    rig_start();
    assert_string_equal(through(two_spans()), "GET: n=0 mark=x; PUT: n=1 mark=x; ");
    assert_true(
        bench_metric(rig.metrics, "otelcol_processor_outgoing_items", "otel.signal", "traces") == 2
    );
    rig_close();
}

static void test_log_records_get_attributes(void **state)
{
    rig_prepare(SW_LOGS, mark, 1);
    rig_start();
    assert_string_equal(through(two_records()), "INFO: n=0 mark=x; ERROR: n=1 mark=x; ");
    rig_close();
}

static void test_data_points_of_every_kind_get_attributes(void **state)
{
    rig_prepare(SW_METRICS, mark, 1);
    rig_start();
    assert_string_equal(
        through(five_metrics()),
        "gauge: n=0 mark=x; sum: n=1 mark=x; histogram: n=2 mark=x; exponential: n=3 mark=x; "
        "summary: n=4 mark=x; "
    );
    rig_close();
}

static void test_what_does_not_change_is_passed_on_as_it_lies(void **state)
{
    struct sw_action_conf actions[] = {{.key = "absent", .action = SW_ACTION_DELETE}};
    rig_prepare(SW_TRACES, actions, 1);
    rig_start();
    struct sw_batch *batch = two_spans();
    const uint8_t *data = batch->pieces[0].data;
    assert_string_equal(through(batch), "GET: n=0; PUT: n=1; ");
    assert_ptr_equal(rig.keeper.last->pieces[0].data, data);
    rig_close();
}

/* ---- include and exclude ---- */

static const char *texts_of_get[] = {"GET"};

static void test_include_and_exclude_by_name(void **state)
{
    struct sw_match_conf strict = match("strict");
    strict.span_names = (struct sw_list){texts_of_get, 1};
    rig_prepare(SW_TRACES, mark, 1);
    rig.conf.include = &strict;
    rig_start();
    assert_string_equal(through(two_spans()), "GET: n=0 mark=x; PUT: n=1; ");
    rig_close();
    rig_prepare(SW_TRACES, mark, 1);
    rig.conf.exclude = &strict;
    rig_start();
    assert_string_equal(through(two_spans()), "GET: n=0; PUT: n=1 mark=x; ");
    rig_close();
    static const char *expressions[] = {"T$", "^x"};
    struct sw_match_conf regexp = match("regexp");
    regexp.span_names = (struct sw_list){expressions, 2};
    rig_prepare(SW_TRACES, mark, 1);
    rig.conf.include = &regexp;
    rig.conf.exclude = &strict;
    rig_start();
    assert_string_equal(through(two_spans()), "GET: n=0; PUT: n=1 mark=x; ");
    rig_close();
}

static void test_all_properties_must_match(void **state)
{
    static const char *services[] = {"shop", "other"};
    static const char *kinds[] = {"SPAN_KIND_CLIENT"};
    struct sw_match_attribute_conf numbers[] = {
        {.key = "n", .value = {.kind = SW_VALUE_INT, .integer = 1}},
    };
    struct sw_match_attribute_conf resources[] = {{.key = "service.name"}};
    struct sw_match_library_conf libraries[] = {{.name = "lib", .version = STRING("1.2")}};
    struct sw_match_conf conf = match("strict");
    conf.services = (struct sw_list){services, 2};
    conf.span_kinds = (struct sw_list){kinds, 1};
    conf.attributes = (struct sw_list){numbers, 1};
    conf.resources = (struct sw_list){resources, 1};
    conf.libraries = (struct sw_list){libraries, 1};
    for (unsigned i = 0; i < 5; i++) {
        services[0] = i == 1 ? "none" : "shop";
        numbers[0].value.integer = i == 2 ? 5 : 1;
        resources[0].key = i == 3 ? "none" : "service.name";
        libraries[0].version.string = i == 4 ? "1.3" : "1.2";
        rig_prepare(SW_TRACES, mark, 1);
        rig.conf.include = &conf;
        rig_start();
        assert_string_equal(
            through(two_spans()), i == 0 ? "GET: n=0; PUT: n=1 mark=x; " : "GET: n=0; PUT: n=1; "
        );
        rig_close();
    }
}

static void test_attribute_texts_are_matched_by_expressions(void **state)
{
    struct sw_match_attribute_conf attributes[] = {{.key = "n", .value = STRING("^[1-9]$")}};
    struct sw_match_conf conf = match("regexp");
    conf.attributes = (struct sw_list){attributes, 1};
    rig_prepare(SW_TRACES, mark, 1);
    rig.conf.include = &conf;
    rig_start();
    assert_string_equal(through(two_spans()), "GET: n=0; PUT: n=1 mark=x; ");
    rig_close();
}

static void test_records_match_by_body_and_severity(void **state)
{
    static const char *bodies[] = {"broke"};
    static const char *severities[] = {"ERR"};
    struct sw_match_severity_conf severity = {.min = 13};
    for (unsigned i = 0; i < 3; i++) {
        struct sw_match_conf conf = match("regexp");
        if (i == 0) {
            conf.log_bodies = (struct sw_list){bodies, 1};
        } else if (i == 1) {
            conf.log_severity_texts = (struct sw_list){severities, 1};
        } else {
            conf.log_severity_number = &severity;
        }
        rig_prepare(SW_LOGS, mark, 1);
        rig.conf.include = &conf;
        rig_start();
        assert_string_equal(through(two_records()), "INFO: n=0; ERROR: n=1 mark=x; ");
        rig_close();
    }
}

static void test_metrics_match_by_name_alone(void **state)
{
    static const char *names[] = {"^s"};
    struct sw_match_conf conf = match("regexp");
    conf.metric_names = (struct sw_list){names, 1};
    rig_prepare(SW_METRICS, mark, 1);
    rig.conf.include = &conf;
    rig_start();
    assert_string_equal(
        through(five_metrics()),
        "gauge: n=0; sum: n=1 mark=x; histogram: n=2; exponential: n=3; summary: n=4 mark=x; "
    );
    rig_close();
}

static void test_properties_of_another_signal_are_refused(void **state)
{
    static const char *texts[] = {"x"};
    struct sw_match_conf conf = match("strict");
    conf.log_bodies = (struct sw_list){texts, 1};
    rig_prepare(SW_TRACES, mark, 1);
    rig.conf.include = &conf;
    assert_int_equal(
        sw_attributes_class.shared_new(&rig.env, &rig.conf, &rig.shared), SW_E_INVALID
    );
    assert_true(strlen(rig.error) > 0);
    conf = match("strict");
    assert_int_equal(
        sw_attributes_class.shared_new(&rig.env, &rig.conf, &rig.shared), SW_E_INVALID
    );
    conf.span_names = (struct sw_list){texts, 1};
    rig.env.signal = SW_LOGS;
    assert_int_equal(
        sw_attributes_class.shared_new(&rig.env, &rig.conf, &rig.shared), SW_E_INVALID
    );
    sw_metrics_free(rig.metrics);
}

/* ---- actions that need more than the message ---- */

static void test_values_come_from_the_sender(void **state)
{
    struct sw_action_conf actions[] = {
        {.key = "tenant", .action = SW_ACTION_UPSERT, .from_context = "metadata.X-Tenant"},
        {.key = "bare", .action = SW_ACTION_UPSERT, .from_context = "x-tenant"},
        {.key = "ip", .action = SW_ACTION_UPSERT, .from_context = "client.address"},
        {.key = "none", .action = SW_ACTION_UPSERT, .from_context = "metadata.absent"},
        {.key = "auth", .action = SW_ACTION_UPSERT, .from_context = "auth.sub"},
        {.key = "else",
         .action = SW_ACTION_UPSERT,
         .from_context = "metadata.absent",
         .default_value = STRING("d")},
    };
    struct sw_client_pair pairs[] = {
        {SW_BYTES("x-tenant"), SW_BYTES("a")},
        {SW_BYTES("x-other"), SW_BYTES("o")},
        {SW_BYTES("x-tenant"), SW_BYTES("b")},
    };
    rig_prepare(SW_TRACES, actions, SW_ARRAY_SIZE(actions));
    rig_start();
    struct sw_batch *batch = two_spans();
    batch->client = sw_client_new(&rig.account, SW_BYTES("10.1.2.3"), pairs, 3);
    assert_string_equal(
        through(batch),
        "GET: n=0 tenant=a;b bare=a;b ip=10.1.2.3 else=d; "
        "PUT: n=1 tenant=a;b bare=a;b ip=10.1.2.3 else=d; "
    );
    assert_non_null(rig.keeper.last->client);
    // Of a sender that is not known the address is an empty one.
    assert_string_equal(through(two_spans()), "GET: n=0 ip= else=d; PUT: n=1 ip= else=d; ");
    rig_close();
}

static void test_actions_follow_one_another(void **state)
{
    struct sw_action_conf actions[] = {
        {.key = "url", .action = SW_ACTION_INSERT, .value = STRING("http://h:80/p")},
        {.key = "url",
         .action = SW_ACTION_EXTRACT,
         .pattern = "^(?P<scheme>\\w+)://(?P<host>[^:/]+)(?::(?P<port>\\d+))?(?P<none>z)?"},
        {.key = "port", .action = SW_ACTION_CONVERT, .converted_type = "double"},
        {.key = "port", .action = SW_ACTION_CONVERT, .converted_type = "int"},
        {.key = "host", .action = SW_ACTION_HASH},
        {.pattern = "^(url|scheme)$", .action = SW_ACTION_DELETE},
        {.key = "n", .action = SW_ACTION_CONVERT, .converted_type = "string"},
    };
    rig_prepare(SW_TRACES, actions, SW_ARRAY_SIZE(actions));
    rig_start();
    const char *text = through(two_spans());
    assert_non_null(
        strstr(text, "host=aaa9402664f1a41f40ebbc52c9993eb66aeb366602958fdfaa283b71e64db123")
    );
    assert_non_null(strstr(text, "none= port=80 host="));
    assert_null(strstr(text, "url"));
    rig_close();
}

static void test_searches_that_take_too_long_are_counted(void **state)
{
    char value[64];
    struct sw_action_conf actions[] = {
        {.key = "long", .action = SW_ACTION_INSERT, .value = STRING(value)},
        {.key = "long", .action = SW_ACTION_EXTRACT, .pattern = "^(?P<x>(?:a|aa|aaa)+)$"},
    };
    memset(value, 'a', sizeof(value) - 2);
    value[sizeof(value) - 2] = 'b';
    value[sizeof(value) - 1] = '\0';
    rig_prepare(SW_TRACES, actions, 2);
    rig_start();
    assert_null(strstr(through(two_spans()), " x="));
    assert_true(bench_metric(rig.metrics, "spanweir_processor_pattern_given_up", NULL, NULL) == 2);
    rig_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spans_get_attributes),
        cmocka_unit_test(test_log_records_get_attributes),
        cmocka_unit_test(test_data_points_of_every_kind_get_attributes),
        cmocka_unit_test(test_what_does_not_change_is_passed_on_as_it_lies),
        cmocka_unit_test(test_include_and_exclude_by_name),
        cmocka_unit_test(test_all_properties_must_match),
        cmocka_unit_test(test_attribute_texts_are_matched_by_expressions),
        cmocka_unit_test(test_records_match_by_body_and_severity),
        cmocka_unit_test(test_metrics_match_by_name_alone),
        cmocka_unit_test(test_properties_of_another_signal_are_refused),
        cmocka_unit_test(test_values_come_from_the_sender),
        cmocka_unit_test(test_actions_follow_one_another),
        cmocka_unit_test(test_searches_that_take_too_long_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
