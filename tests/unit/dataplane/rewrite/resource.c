#include "dataplane/rewrite/resource.h"

#include "dataplane/otlp/attribute.h"
#include "dataplane/otlp/span.h"
#include "dataplane/rewrite/resource_conf.h"
#include "tests/lib/bench.h"

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

static void put(struct out *out, uint32_t tag, const void *data, size_t size)
{
    assert_true(out->size + size + 16 < MOST);
    uint8_t *end = sw_pb_put_bytes(out->data + out->size, tag, (struct sw_bytes){data, size});
    out->size = (size_t)(end - out->data);
}

// Takes the other's memory.
static void put_message(struct out *out, uint32_t field, struct out message)
{
    put(out, SW_PB_TAG(field, SW_PB_LEN), message.data, message.size);
    free(message.data);
}

static void put_varint(struct out *out, uint32_t field, uint64_t value)
{
    uint8_t *at = out->data + out->size;
    at = sw_pb_put_varint(sw_pb_put_varint(at, SW_PB_TAG(field, SW_PB_VARINT)), value);
    out->size = (size_t)(at - out->data);
}

static void put_text(struct out *out, uint32_t field, const char *text)
{
    put(out, SW_PB_TAG(field, SW_PB_LEN), text, strlen(text));
}

static void put_string(struct out *to, const char *key, const char *value)
{
    struct out any = out_new();
    struct out attribute = out_new();
    put_text(&any, 1, value);
    put_text(&attribute, 1, key);
    put_message(&attribute, 2, any);
    put_message(to, 1, attribute);
}

static void put_int(struct out *to, const char *key, int64_t value)
{
    struct out any = out_new();
    struct out attribute = out_new();
    put_varint(&any, 3, (uint64_t)value);
    put_message(&attribute, 2, any); // value first: any order is legal
    put_text(&attribute, 1, key);
    put_message(to, 1, attribute);
}

static void put_scope(struct out *to, const char *const *spans, unsigned count)
{
    struct out scope = out_new();
    for (unsigned i = 0; i < count; i++) {
        struct out span = out_new();
        put_text(&span, 5, spans[i]);
        put_message(&scope, 2, span);
    }
    put_message(to, 2, scope);
}

static struct out shop(void)
{
    struct out resource = out_new();
    put_string(&resource, "service.name", "shop");
    put_string(&resource, "env", "prod");
    put_int(&resource, "num", 42);
    return resource;
}

static struct sw_batch *batch_of(struct out request, uint32_t items, struct sw_account *account)
{
    struct sw_buf *buf = sw_buf_copy(account, request.data, (uint32_t)request.size);
    struct sw_batch *batch = sw_batch_new(SW_TRACES);
    assert_int_equal(sw_batch_add_raw(batch, buf, buf->data, buf->size, items), 0);
    sw_buf_unref(buf);
    free(request.data);
    return batch;
}

// One ResourceSpans with one span, its resource before or behind the scope.
static struct sw_batch *simple(struct out resource, bool last, struct sw_account *account)
{
    static const char *const names[] = {"x"};
    struct out spans = out_new();
    struct out request = out_new();
    if (last) {
        put_scope(&spans, names, 1);
        put_message(&spans, 1, resource);
        put_text(&spans, 3, "url");
    } else {
        put_message(&spans, 1, resource);
        put_text(&spans, 3, "url");
        put_scope(&spans, names, 1);
    }
    put_message(&request, 1, spans);
    return batch_of(request, 1, account);
}

/* ---- reading them ---- */

static char said[65536];

static void say(const char *text, size_t size)
{
    size_t len = strlen(said);
    assert_true(len + size + 1 < sizeof(said));
    if (size > 0) {
        memcpy(said + len, text, size);
    }
    said[len + size] = '\0';
}

static void say_bytes(struct sw_bytes bytes)
{
    say((const char *)bytes.data, bytes.size);
}

static void say_any(const struct sw_any *any)
{
    char text[64];
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    switch (any->type) {
    case SW_ANY_STRING:
        say_bytes(any->bytes);
        return;
    case SW_ANY_INT:
        snprintf(text, sizeof(text), "%lldi", (long long)any->integer);
        break;
    case SW_ANY_DOUBLE:
        snprintf(text, sizeof(text), "%gd", any->number);
        break;
    case SW_ANY_BOOL:
        snprintf(text, sizeof(text), "%s", any->boolean ? "true" : "false");
        break;
    case SW_ANY_ARRAY:
    case SW_ANY_MAP:
        say("[", 1);
        sw_pb_reader_init(&reader, any->bytes);
        while (sw_pb_next(&reader, &field)) {
            struct sw_attribute item = {.value = {.type = SW_ANY_EMPTY}};
            if (any->type == SW_ANY_ARRAY) {
                assert_true(sw_any_read(field.bytes, &item.value));
            } else {
                assert_true(sw_attribute_read(field.bytes, &item));
                say_bytes(item.key);
                say(":", 1);
            }
            say_any(&item.value);
            say(";", 1);
        }
        snprintf(text, sizeof(text), "]");
        break;
    default:
        snprintf(text, sizeof(text), "?");
        break;
    }
    say(text, strlen(text));
}

static void say_resource(struct sw_bytes resource)
{
    struct sw_attribute_iter attributes;
    struct sw_attribute attribute;
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_attribute_iter_init(&attributes, resource, SW_RESOURCE_ATTRIBUTES);
    while (sw_attribute_next(&attributes, &attribute)) {
        say_bytes(attribute.key);
        say("=", 1);
        say_any(&attribute.value);
        say(" ", 1);
    }
    sw_pb_reader_init(&reader, resource);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag != SW_RESOURCE_ATTRIBUTES) {
            char text[32];
            snprintf(text, sizeof(text), "#%u ", field.tag >> 3);
            say(text, strlen(text));
        }
    }
}

// "service.name=shop env=prod | url | x y" for each ResourceSpans; all resource fields are shown.
static const char *text_of(const struct sw_batch *batch)
{
    uint8_t *flat = malloc(batch->bytes + 1);
    sw_batch_copy_out(batch, flat);
    struct sw_otlp_iter resources;
    struct sw_pb_field resource_spans;
    uint32_t spans = 0;
    said[0] = '\0';
    sw_otlp_resources_init(&resources, (struct sw_bytes){flat, batch->bytes});
    while (sw_otlp_next(&resources, &resource_spans)) {
        struct sw_pb_reader reader;
        struct sw_pb_field field;
        sw_pb_reader_init(&reader, resource_spans.bytes);
        while (sw_pb_next(&reader, &field)) {
            if (field.tag == SW_OTLP_TAG_RESOURCE) {
                say("{", 1);
                say_resource(field.bytes);
                say("}", 1);
            } else if (field.tag == SW_OTLP_TAG_SCHEMA) {
                say_bytes(field.bytes);
            } else if (field.tag == SW_OTLP_TAG_SCOPES) {
                struct sw_otlp_iter items;
                struct sw_pb_field item;
                sw_otlp_items_init(&items, field.bytes);
                while (sw_otlp_next(&items, &item)) {
                    struct sw_span_view view;
                    assert_true(sw_span_view_fill(&view, item.bytes));
                    say("<", 1);
                    say_bytes(view.name);
                    say(">", 1);
                    spans++;
                }
            } else {
                say("?", 1);
            }
        }
        assert_int_equal(sw_pb_status(&reader), 0);
        say("\n", 1);
    }
    assert_int_equal(sw_pb_status(&resources.reader), 0);
    assert_int_equal(spans, batch->items_count);
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
    struct sw_resource_conf conf;
    void *shared;
    struct sw_stage *stage;
    struct bench_ticket ticket;
};

static struct rig rig;

static void rig_open(struct sw_action_conf *actions, size_t count)
{
    memset(&rig, 0, sizeof(rig));
    bench_core_init(&rig.core, &rig.account);
    bench_keeper_init(&rig.keeper, &rig.core);
    rig.keeper.keep_last = true;
    assert_int_equal(sw_metrics_new(1, &rig.metrics), 0);
    for (size_t i = 0; i < count; i++) {
        struct sw_action_conf *action = &actions[i];
        const char **texts[] = {
            &action->key,
            &action->from_attribute,
            &action->from_context,
            &action->pattern,
            &action->converted_type,
        };
        for (size_t k = 0; k < SW_ARRAY_SIZE(texts); k++) {
            *texts[k] = *texts[k] != NULL ? *texts[k] : "";
        }
    }
    rig.conf.attributes = (struct sw_list){actions, count};
    rig.env = (struct sw_stage_env){
        .id = "resource",
        .signal = SW_TRACES,
        .metrics = rig.metrics,
        .account = &rig.account,
        .cores_count = 1,
    };
    assert_int_equal(sw_resource_class.shared_new(&rig.env, &rig.conf, &rig.shared), 0);
    assert_int_equal(
        sw_resource_class.create(
            &rig.env, &rig.conf, rig.shared, &rig.core, &rig.keeper.stage, &rig.stage
        ),
        0
    );
}

static void rig_close(void)
{
    sw_batch_free(rig.keeper.last);
    rig.stage->ops->free(rig.stage);
    sw_resource_class.shared_free(rig.shared);
    sw_metrics_free(rig.metrics);
    assert_int_equal(sw_account_charged(&rig.account), 0);
}

static const char *through(struct sw_batch *batch)
{
    assert_int_equal(bench_hand_over(rig.stage, batch, &rig.ticket), 0);
    assert_int_equal(rig.ticket.settled_count, 1);
    return text_of(rig.keeper.last);
}

#define STRING(text)                                                                               \
    {                                                                                              \
        .kind = SW_VALUE_STRING, .string = (text)                                                  \
    }

/* ---- actions, as recorded from a Collector (parity exporter/resource) ---- */

static void test_insert_keeps_what_is_there(void **state)
{
    struct sw_action_conf actions[] = {
        {.key = "new", .action = SW_ACTION_INSERT, .value = STRING("v")},
        {.key = "env", .action = SW_ACTION_INSERT, .value = STRING("other")},
    };
    rig_open(actions, 2);
    assert_string_equal(
        through(simple(shop(), false, &rig.account)),
        "{service.name=shop env=prod num=42i new=v }url<x>\n"
    );
    rig_close();
}

static void test_update_leaves_out_what_is_missing(void **state)
{
    struct sw_action_conf actions[] = {
        {.key = "env", .action = SW_ACTION_UPDATE, .value = STRING("dev")},
        {.key = "absent", .action = SW_ACTION_UPDATE, .value = STRING("x")},
    };
    rig_open(actions, 2);
    assert_string_equal(
        through(simple(shop(), true, &rig.account)), "{service.name=shop env=dev num=42i }<x>url\n"
    );
    rig_close();
}

static void test_upsert_does_both_with_values_of_every_kind(void **state)
{
    struct sw_value items[] = {
        {.kind = SW_VALUE_INT, .integer = 1},
        STRING("a"),
        {.kind = SW_VALUE_NULL},
    };
    struct sw_value_entry entries[] = {
        {"k", STRING("v")},
        {"n", {.kind = SW_VALUE_LIST, .list = {items, 2}}},
    };
    struct sw_action_conf actions[] = {
        {.key = "env",
         .action = SW_ACTION_UPSERT,
         .value = {.kind = SW_VALUE_DOUBLE, .number = 1.5}},
        {.key = "list",
         .action = SW_ACTION_UPSERT,
         .value = {.kind = SW_VALUE_LIST, .list = {items, 3}}},
        {.key = "map",
         .action = SW_ACTION_UPSERT,
         .value = {.kind = SW_VALUE_MAP, .list = {entries, 2}}},
        {.key = "no",
         .action = SW_ACTION_UPSERT,
         .value = {.kind = SW_VALUE_BOOL, .boolean = false}},
        {.key = "minus",
         .action = SW_ACTION_UPSERT,
         .value = {.kind = SW_VALUE_INT, .integer = -7}},
        {.key = "s", .action = SW_ACTION_UPSERT, .value = STRING("")},
    };
    rig_open(actions, SW_ARRAY_SIZE(actions));
    assert_string_equal(
        through(simple(shop(), false, &rig.account)),
        "{service.name=shop env=1.5d num=42i list=[1i;a;?;] map=[k:v;n:[1i;a;];] no=false "
        "minus=-7i s= }"
        "url<x>\n"
    );
    rig_close();
}

static void test_delete_puts_the_last_one_in_the_gap(void **state)
{
    struct sw_action_conf actions[] = {
        {.key = "service.name", .action = SW_ACTION_DELETE},
        {.key = "absent", .action = SW_ACTION_DELETE},
    };
    rig_open(actions, 2);
    assert_string_equal(
        through(simple(shop(), false, &rig.account)), "{num=42i env=prod }url<x>\n"
    );
    rig_close();
}

static void test_from_attribute_copies_or_falls_back_or_does_nothing(void **state)
{
    struct sw_action_conf actions[] = {
        {.key = "copy", .action = SW_ACTION_INSERT, .from_attribute = "num"},
        {.key = "none", .action = SW_ACTION_INSERT, .from_attribute = "absent"},
        {.key = "env", .action = SW_ACTION_UPSERT, .from_attribute = "copy"},
        {.key = "d",
         .action = SW_ACTION_UPSERT,
         .from_attribute = "absent",
         .default_value = STRING("dflt")},
        {.key = "e",
         .action = SW_ACTION_UPSERT,
         .from_attribute = "d",
         .default_value = STRING("no")},
    };
    rig_open(actions, SW_ARRAY_SIZE(actions));
    assert_string_equal(
        through(simple(shop(), false, &rig.account)),
        "{service.name=shop env=42i num=42i copy=42i d=dflt e=dflt }url<x>\n"
    );
    rig_close();
}

static void test_actions_see_what_those_before_them_did(void **state)
{
    struct sw_action_conf actions[] = {
        {.key = "env", .action = SW_ACTION_DELETE},
        {.key = "env", .action = SW_ACTION_INSERT, .value = STRING("again")},
        {.key = "x", .action = SW_ACTION_INSERT, .from_attribute = "env"},
        {.key = "x", .action = SW_ACTION_UPDATE, .value = STRING("last")},
    };
    rig_open(actions, SW_ARRAY_SIZE(actions));
    assert_string_equal(
        through(simple(shop(), false, &rig.account)),
        "{service.name=shop num=42i env=again x=last }url<x>\n"
    );
    rig_close();
}

/* ---- what comes in ---- */

static void test_name_given_twice_the_first_one_counts(void **state)
{
    struct sw_action_conf actions[] = {
        {.key = "a", .action = SW_ACTION_UPDATE, .value = STRING("new")},
        {.key = "b", .action = SW_ACTION_DELETE},
    };
    struct out resource = out_new();
    put_string(&resource, "a", "1");
    put_string(&resource, "b", "1");
    put_string(&resource, "a", "2");
    put_string(&resource, "b", "2");
    rig_open(actions, 2);
    assert_string_equal(through(simple(resource, false, &rig.account)), "{a=new b=2 a=2 }url<x>\n");
    rig_close();
}

static void test_missing_resource_is_made(void **state)
{
    static const char *const names[] = {"x"};
    struct sw_action_conf actions[] = {
        {.key = "env", .action = SW_ACTION_INSERT, .value = STRING("m")},
    };
    struct out spans = out_new();
    struct out request = out_new();
    put_scope(&spans, names, 1);
    put_message(&request, 1, spans);
    put_message(&request, 1, out_new()); // a ResourceSpans without anything
    rig_open(actions, 1);
    assert_string_equal(through(batch_of(request, 1, &rig.account)), "{env=m }<x>\n{env=m }\n");
    rig_close();
}

static void test_resource_in_several_fields_becomes_one(void **state)
{
    static const char *const names[] = {"x", "y"};
    struct sw_action_conf actions[] = {
        {.key = "b", .action = SW_ACTION_UPDATE, .value = STRING("new")},
    };
    struct out spans = out_new();
    struct out request = out_new();
    struct out one = out_new();
    struct out two = out_new();
    put_string(&one, "a", "1");
    put_string(&two, "b", "2");
    put_varint(&two, 2, 5); // dropped_attributes_count
    put_message(&spans, 1, one);
    put_scope(&spans, names, 2);
    put_message(&spans, 1, two);
    put_message(&spans, 1, out_new());
    put_message(&request, 1, spans);
    rig_open(actions, 1);
    assert_string_equal(through(batch_of(request, 2, &rig.account)), "{a=1 b=new #2 }<x><y>\n");
    rig_close();
}

static void test_unknown_fields_are_kept_at_every_level(void **state)
{
    static const char *const names[] = {"x"};
    struct sw_action_conf actions[] = {
        {.key = "env", .action = SW_ACTION_DELETE},
    };
    struct out spans = out_new();
    struct out request = out_new();
    struct out resource = shop();
    put_text(&resource, 77, "of the future");
    put_text(&spans, 99, "likewise");
    put_message(&spans, 1, resource);
    put_scope(&spans, names, 1);
    put_message(&request, 1, spans);
    put_text(&request, 50, "too");
    rig_open(actions, 1);
    struct sw_batch *batch = batch_of(request, 1, &rig.account);
    uint64_t bytes = batch->bytes;
    assert_string_equal(through(batch), "{service.name=shop num=42i #77 }?<x>\n");
    // env=prod and its frame are gone, the 6 bytes of field 50 are not.
    assert_int_equal(rig.keeper.last->bytes, bytes - 15);
    rig_close();
}

static void test_attribute_without_value_or_key_passes(void **state)
{
    struct sw_action_conf actions[] = {
        {.key = "copy", .action = SW_ACTION_UPSERT, .from_attribute = "bare"},
    };
    struct out resource = out_new();
    struct out bare = out_new();
    put_text(&bare, 1, "bare");
    put_message(&resource, 1, bare);
    put_message(&resource, 1, out_new());
    rig_open(actions, 1);
    assert_string_equal(
        through(simple(resource, false, &rig.account)), "{bare=? =? copy=? }url<x>\n"
    );
    rig_close();
}

/* ---- batches ---- */

static struct sw_batch *many(unsigned resources, unsigned kinds, struct sw_account *account)
{
    static const char *const names[] = {"x", "y", "z"};
    struct out request = out_new();
    for (unsigned i = 0; i < resources; i++) {
        struct out spans = out_new();
        struct out resource = out_new();
        char name[16];
        snprintf(name, sizeof(name), "pod-%u", i % kinds);
        put_string(&resource, "pod", name);
        put_scope(&spans, names, 1);
        put_message(&spans, 1, resource);
        put_scope(&spans, names + 1, 2);
        put_message(&request, 1, spans);
    }
    return batch_of(request, 3 * resources, account);
}

static void test_equal_resources_of_a_batch_are_made_once(void **state)
{
    struct sw_action_conf actions[] = {
        {.key = "env", .action = SW_ACTION_INSERT, .value = STRING("m")},
    };
    rig_open(actions, 1);
    (void)through(many(300, 3, &rig.account));
    const struct sw_batch *batch = rig.keeper.last;
    assert_int_equal(batch->parts_count, 300);
    for (uint32_t i = 0; i < 300; i++) {
        const struct sw_part *part = &batch->parts[i];
        const struct sw_piece *same = &batch->pieces[batch->parts[i % 3].first_piece];
        assert_int_equal(part->level, 1);
        assert_int_equal(part->items_count, 3);
        assert_int_equal(part->pieces_count, 3);
        assert_ptr_equal(batch->pieces[part->first_piece].data, same->data);
    }
    rig_close();
}

static void test_different_resources_share_few_buffers(void **state)
{
    struct sw_action_conf actions[] = {
        {.key = "env", .action = SW_ACTION_INSERT, .value = STRING("m")},
    };
    rig_open(actions, 1);
    const char *text = through(many(500, 500, &rig.account));
    assert_non_null(strstr(text, "{pod=pod-0 env=m }<x><y><z>\n"));
    assert_non_null(strstr(text, "{pod=pod-499 env=m }<x><y><z>\n"));
    const struct sw_batch *batch = rig.keeper.last;
    const struct sw_buf *last = NULL;
    unsigned buffers = 0;
    for (uint32_t i = 0; i < batch->parts_count; i++) {
        const struct sw_buf *buf = batch->pieces[batch->parts[i].first_piece].buf;
        buffers += buf != last;
        last = buf;
    }
    assert_in_range(buffers, 2, 8);
    rig_close();
}

static void test_parts_that_were_built_or_cut_are_changed_in_place(void **state)
{
    struct sw_action_conf actions[] = {
        {.key = "env", .action = SW_ACTION_UPSERT, .value = STRING("m")},
    };
    rig_open(actions, 1);
    for (uint32_t at = 1; at < 12; at++) {
        struct sw_batch *batch = many(4, 2, &rig.account);
        struct sw_batch *first = NULL;
        assert_int_equal(sw_batch_split(batch, at, &rig.account, &first), 0);
        char before[4096];
        snprintf(before, sizeof(before), "%s", through(first));
        assert_int_equal(rig.keeper.last->items_count, at);
        for (char *hit = before; (hit = strstr(hit, "{pod=pod-")) != NULL; hit++) {
            assert_memory_equal(hit + 10, " env=m }", 8);
        }
        const char *after = through(batch);
        assert_int_equal(rig.keeper.last->items_count, 12 - at);
        unsigned spans = 0;
        for (const char *hit = before; (hit = strchr(hit, '<')) != NULL; hit++) {
            spans++;
        }
        assert_int_equal(spans, at);
        assert_non_null(strstr(after, "{pod=pod-1 env=m }"));
        // Once more, over what was made before.
        struct sw_batch *again = sw_batch_share(rig.keeper.last);
        snprintf(before, sizeof(before), "%s", after);
        assert_string_equal(through(again), before);
    }
    rig_close();
}

/* ---- the stage ---- */

static void test_refusal_downstream_keeps_nothing_and_counts_as_the_collector(void **state)
{
    struct sw_action_conf actions[] = {
        {.key = "env", .action = SW_ACTION_DELETE},
    };
    rig_open(actions, 1);
    rig.keeper.refuse = SW_E_FULL;
    struct sw_batch *batch = many(2, 1, &rig.account);
    int64_t charged = sw_account_charged(&rig.account);
    assert_int_equal(sw_stage_admit(rig.stage, batch, SW_ADMIT_ALL), SW_E_FULL);
    assert_int_equal(sw_stage_admit(rig.stage, batch, SW_ADMIT_ANY), SW_E_FULL);
    assert_int_equal(sw_account_charged(&rig.account), charged);
    const char *incoming = "otelcol_processor_incoming_items";
    const char *outgoing = "otelcol_processor_outgoing_items";
    assert_int_equal(bench_metric(rig.metrics, incoming, "processor", "resource"), 6);
    rig.keeper.refuse = 0;
    assert_int_equal(sw_stage_admit(rig.stage, batch, SW_ADMIT_ANY), 0);
    sw_stage_retract(rig.stage, batch);
    assert_int_equal(sw_account_charged(&rig.account), charged);
    assert_int_equal(bench_metric(rig.metrics, incoming, "otel.signal", "traces"), 6);
    assert_int_equal(bench_hand_over_mode(rig.stage, batch, &rig.ticket, SW_ADMIT_ANY), 0);
    assert_int_equal(bench_metric(rig.metrics, incoming, NULL, NULL), 12);
    assert_int_equal(bench_metric(rig.metrics, outgoing, NULL, NULL), 12);
    rig_close();
}

static void test_branch_and_arrival_go_along(void **state)
{
    struct sw_action_conf actions[] = {
        {.key = "env", .action = SW_ACTION_DELETE},
    };
    struct sw_branch branch = {.exporter = "x"};
    rig_open(actions, 1);
    struct sw_batch *batch = many(1, 1, &rig.account);
    batch->arrived_ns = 77;
    batch->branch = &branch;
    (void)through(batch);
    assert_int_equal(rig.keeper.last->arrived_ns, 77);
    assert_ptr_equal(rig.keeper.last->branch, &branch);
    rig_close();
}

static void test_failing_allocation_refuses_and_leaves_the_batch_alone(void **state)
{
    struct sw_action_conf actions[] = {
        {.key = "env", .action = SW_ACTION_INSERT, .value = STRING("m")},
    };
    int err = SW_E_NOMEM;
    for (uint64_t nth = 1; err != SW_OK; nth++) {
        rig_open(actions, 1);
        struct sw_batch *batch = many(3, 3, &rig.account);
        int64_t charged = sw_account_charged(&rig.account);
        sw_mem_fail_at(nth, 0);
        err = sw_stage_admit(rig.stage, batch, SW_ADMIT_ALL);
        sw_mem_fail_at(0, 0);
        if (err == SW_OK) {
            sw_stage_retract(rig.stage, batch);
        } else {
            assert_int_equal(err, SW_E_NOMEM);
        }
        assert_int_equal(sw_account_charged(&rig.account), charged);
        sw_batch_free(batch);
        rig_close();
        assert_true(nth < 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_insert_keeps_what_is_there),
        cmocka_unit_test(test_update_leaves_out_what_is_missing),
        cmocka_unit_test(test_upsert_does_both_with_values_of_every_kind),
        cmocka_unit_test(test_delete_puts_the_last_one_in_the_gap),
        cmocka_unit_test(test_from_attribute_copies_or_falls_back_or_does_nothing),
        cmocka_unit_test(test_actions_see_what_those_before_them_did),
        cmocka_unit_test(test_name_given_twice_the_first_one_counts),
        cmocka_unit_test(test_missing_resource_is_made),
        cmocka_unit_test(test_resource_in_several_fields_becomes_one),
        cmocka_unit_test(test_unknown_fields_are_kept_at_every_level),
        cmocka_unit_test(test_attribute_without_value_or_key_passes),
        cmocka_unit_test(test_equal_resources_of_a_batch_are_made_once),
        cmocka_unit_test(test_different_resources_share_few_buffers),
        cmocka_unit_test(test_parts_that_were_built_or_cut_are_changed_in_place),
        cmocka_unit_test(test_refusal_downstream_keeps_nothing_and_counts_as_the_collector),
        cmocka_unit_test(test_branch_and_arrival_go_along),
        cmocka_unit_test(test_failing_allocation_refuses_and_leaves_the_batch_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
