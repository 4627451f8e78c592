/* What a sender with bad intent writes, at every place of the three signals where it can be written: texts that
 * are no UTF-8, values within values, attributes by the million. The places come out of the schema, and each is
 * tried in protobuf and in JSON, which must agree. */
#include "dataplane/otlp/json_schema_internal.h"
#include "dataplane/otlp/validate.h"
#include "tests/lib/json.h"
#include "tests/lib/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define WHOLE SIZE_MAX

enum {
    PLACE_DEPTH_MAX = 32,
    // Values within values, and no more: further ones are the same places again.
    PLACE_REPEATS_MAX = 2,
};

/* A field, and those that lead to it from the request on. */
struct place {
    enum sw_signal signal;
    unsigned depth;
    const struct sw_json_field *path[PLACE_DEPTH_MAX];
};

typedef void place_check(const struct place *place);

/* ---- places ---- */

static void visit(
    struct place *place,
    uint8_t message,
    uint8_t seen[SW_JSON_MESSAGES_COUNT],
    bool (*wanted)(const struct place *place),
    place_check *check
)
{
    const struct sw_json_message *table = &sw_json_messages[message];
    if (seen[message] == PLACE_REPEATS_MAX) {
        return;
    }
    assert_true(place->depth < PLACE_DEPTH_MAX);
    seen[message]++;
    for (unsigned i = 0; i < table->fields_count; i++) {
        place->path[place->depth++] = &table->fields[i];
        if (wanted(place)) {
            check(place);
        }
        if (table->fields[i].type == SW_JSON_MESSAGE) {
            visit(place, table->fields[i].of, seen, wanted, check);
        }
        place->depth--;
    }
    seen[message]--;
}

static void each_place(bool (*wanted)(const struct place *place), place_check *check)
{
    for (unsigned signal = 0; signal < SW_SIGNALS_COUNT; signal++) {
        struct place place = {.signal = signal};
        uint8_t seen[SW_JSON_MESSAGES_COUNT] = {0};
        visit(&place, sw_json_request(signal), seen, wanted, check);
    }
}

static const struct sw_json_field *last_of(const struct place *place)
{
    return place->path[place->depth - 1];
}

static bool is_message(const struct sw_json_field *field, enum sw_json_message_id id)
{
    return field->type == SW_JSON_MESSAGE && field->of == id;
}

/* ---- bytes, from the innermost outwards ---- */

struct back {
    uint8_t *data;
    size_t capacity;
    size_t size; // at the end of data
};

static void back_put(struct back *back, const void *data, size_t size)
{
    if (back->size + size > back->capacity) {
        size_t capacity = 2 * back->capacity + size + 64;
        uint8_t *grown = malloc(capacity);
        if (back->size > 0) {
            memcpy(
                grown + capacity - back->size, back->data + back->capacity - back->size, back->size
            );
        }
        free(back->data);
        back->data = grown;
        back->capacity = capacity;
    }
    back->size += size;
    memcpy(back->data + back->capacity - back->size, data, size);
}

/* What is there becomes the content of this field. */
static void back_wrap(struct back *back, uint32_t number)
{
    uint8_t head[10];
    size_t size = wire_encode(back->size, head);
    back_put(back, head, size);
    size = wire_encode((uint64_t)number << 3 | 2, head);
    back_put(back, head, size);
}

static void back_wrap_path(struct back *back, const struct place *place)
{
    for (unsigned i = place->depth; i > 0; i--) {
        back_wrap(back, place->path[i - 1]->number);
    }
}

/* A copy of the exact size, so that a sanitizer sees the first byte read outside. */
static struct sw_bytes back_take(struct back *back)
{
    uint8_t *exact = malloc(back->size > 0 ? back->size : 1);
    if (back->size > 0) {
        memcpy(exact, back->data + back->capacity - back->size, back->size);
    }
    free(back->data);
    return (struct sw_bytes){exact, back->size};
}

static void drop(struct sw_bytes bytes)
{
    free((void *)(uintptr_t)bytes.data);
}

/* ---- JSON ---- */

static void add(struct wire *json, const char *text)
{
    wire_raw(json, text, strlen(text));
}

static void json_open(struct wire *json, const struct place *place)
{
    for (unsigned i = 0; i < place->depth; i++) {
        const struct sw_json_field *field = place->path[i];
        add(json, "{\"");
        wire_raw(json, field->camel, field->camel_size);
        add(json, field->flags & SW_JSON_REPEATED ? ":[" : ":");
    }
}

static void json_close(struct wire *json, const struct place *place)
{
    for (unsigned i = place->depth; i > 0; i--) {
        add(json, place->path[i - 1]->flags & SW_JSON_REPEATED ? "]}" : "}");
    }
}

static struct sw_bytes json_take(const struct wire *json)
{
    return (struct sw_bytes){json->data, json->size};
}

/* Both say the same, which is seen in the JSON that is written of them. */
static void assert_same_request(enum sw_signal signal, struct sw_bytes a, struct sw_bytes b)
{
    struct sw_buf *json[2] = {NULL, NULL};
    assert_int_equal(json_write(signal, a, WHOLE, NULL, &json[0]), SW_OK);
    assert_int_equal(json_write(signal, b, 64, NULL, &json[1]), SW_OK);
    assert_int_equal(json[0]->size, json[1]->size);
    assert_memory_equal(json[0]->data, json[1]->data, json[0]->size);
    sw_buf_unref(json[0]);
    sw_buf_unref(json[1]);
}

/* ---- texts that are no UTF-8 ---- */

static const char *const bad_texts[] = {
    "a\xffz",             // never a byte of UTF-8
    "a\x80z",             // a continuation of nothing
    "a\xe2\x82z",         // ends too early
    "\xc3",               // likewise, at the end of the text
    "a\xc0\xafz",         // overlong
    "a\xed\xa0\x80z",     // a surrogate
    "a\xf4\x90\x80\x80z", // beyond the last character
};

static unsigned texts_seen[SW_JSON_MESSAGES_COUNT][SW_JSON_FIELDS_MAX];

static void note_text(const struct place *place)
{
    unsigned message = sw_json_request(place->signal);
    if (place->depth > 1) {
        message = place->path[place->depth - 2]->of;
    }
    texts_seen[message][last_of(place) - sw_json_messages[message].fields]++;
}

static bool is_text(const struct place *place)
{
    return last_of(place)->type == SW_JSON_STRING;
}

static void check_bad_text(const struct place *place)
{
    note_text(place);
    for (size_t i = 0; i < SW_ARRAY_SIZE(bad_texts); i++) {
        size_t size = strlen(bad_texts[i]);
        struct back back = {.data = NULL};
        struct sw_otlp_counts counts;
        back_put(&back, bad_texts[i], size);
        back_wrap_path(&back, place);
        struct sw_bytes bytes = back_take(&back);
        assert_int_equal(
            sw_otlp_validate(place->signal, bytes.data, bytes.size, &counts, NULL), SW_OK
        );
        struct wire json = {.data = NULL};
        json_open(&json, place);
        add(&json, "\"");
        add(&json, bad_texts[i]);
        add(&json, "\"");
        json_close(&json, place);
        struct json_reading reading = json_read(place->signal, json_take(&json), 1, NULL);
        assert_int_equal(reading.err, SW_OK);
        struct sw_bytes request = json_bytes(reading.request);
        assert_non_null(memmem(request.data, request.size, bad_texts[i], size));
        assert_same_request(place->signal, bytes, request);
        sw_buf_unref(reading.request);
        wire_fini(&json);
        drop(bytes);
    }
}

/* The Collector's decoders check no UTF-8: whatever it is, it is taken and stays what it is. */
static void test_texts_that_are_no_utf8_are_taken_as_they_are_at_every_place(void **state)
{
    each_place(is_text, check_bad_text);
    for (unsigned message = 0; message < SW_JSON_MESSAGES_COUNT; message++) {
        const struct sw_json_message *table = &sw_json_messages[message];
        for (unsigned i = 0; i < table->fields_count; i++) {
            bool text = table->fields[i].type == SW_JSON_STRING;
            assert_int_equal(texts_seen[message][i] > 0, text);
        }
    }
}

/* ---- values within values ---- */

/* The outermost value of each kind of place. */
static bool is_outermost_value(const struct place *place)
{
    for (unsigned i = 0; i + 1 < place->depth; i++) {
        if (is_message(place->path[i], SW_JSON_ANY_VALUE)) {
            return false;
        }
    }
    return is_message(last_of(place), SW_JSON_ANY_VALUE);
}

static int validate_nested(const struct place *place, bool map, size_t levels, struct sw_bytes *ret)
{
    struct back back = {.data = NULL};
    struct sw_otlp_counts counts = {.items = 77};
    struct sw_otlp_fault fault = {.text = ""};
    for (size_t i = 0; i < levels; i++) {
        if (map) {
            back_wrap(&back, 2); // KeyValue.value
        }
        back_wrap(&back, 1);           // ArrayValue.values, KeyValueList.values
        back_wrap(&back, map ? 6 : 5); // AnyValue's own
    }
    back_wrap_path(&back, place);
    *ret = back_take(&back);
    int err = sw_otlp_validate(place->signal, ret->data, ret->size, &counts, &fault);
    if (err != SW_OK) {
        assert_int_equal(counts.items, 77);
        assert_non_null(strstr(fault.text, "recursion depth"));
    }
    return err;
}

static int
read_nested(const struct place *place, bool map, size_t levels, struct sw_buf **ret_request)
{
    struct wire json = {.data = NULL};
    json_open(&json, place);
    for (size_t i = 0; i < levels; i++) {
        add(&json,
            map ? "{\"kvlistValue\":{\"values\":[{\"value\":" : "{\"arrayValue\":{\"values\":[");
    }
    add(&json, "{}");
    for (size_t i = 0; i < levels; i++) {
        add(&json, map ? "}]}}" : "]}}");
    }
    json_close(&json, place);
    struct json_reading reading = json_read(place->signal, json_take(&json), 4096, NULL);
    if (reading.err != SW_OK) {
        assert_non_null(strstr(reading.fault.text, "exceeded max depth"));
    }
    *ret_request = reading.request;
    wire_fini(&json);
    return reading.err;
}

static void check_nesting_of(const struct place *place, bool map)
{
    // The request is a message, too; each level of a map has one more than one of an array.
    size_t most = (SW_OTLP_DEPTH_MAX - 1 - place->depth) / (map ? 3 : 2);
    const size_t levels[] = {0, 1, most - 1, most, most + 1, most + 2, 20000};
    for (size_t i = 0; i < SW_ARRAY_SIZE(levels); i++) {
        struct sw_bytes bytes;
        struct sw_buf *request = NULL;
        int wanted = levels[i] <= most ? SW_OK : SW_E_MALFORMED;
        assert_int_equal(validate_nested(place, map, levels[i], &bytes), wanted);
        assert_int_equal(read_nested(place, map, levels[i], &request), wanted);
        if (wanted == SW_OK) {
            assert_same_request(place->signal, bytes, json_bytes(request));
        } else {
            struct sw_buf *json = NULL; // nor does anybody write it
            assert_int_equal(json_write(place->signal, bytes, WHOLE, NULL, &json), SW_E_MALFORMED);
        }
        sw_buf_unref(request);
        drop(bytes);
    }
}

static unsigned values_count;

static void check_nesting(const struct place *place)
{
    values_count++;
    check_nesting_of(place, false);
    check_nesting_of(place, true);
}

static void test_values_nest_to_the_same_depth_at_every_place(void **state)
{
    each_place(is_outermost_value, check_nesting);
    // Resource, scope, span, event, link; five kinds of points, exemplars of three, metadata; record, body;
    // the scopes of 2021 once more.
    assert_true(values_count >= 20);
}

/* ---- attributes by the million ---- */

#define MANY 1000000

/* Lists of attributes, but those within values. */
static bool is_attributes(const struct place *place)
{
    for (unsigned i = 0; i + 1 < place->depth; i++) {
        if (is_message(place->path[i], SW_JSON_ANY_VALUE)
            || place->path[i]->number == 1000) { // as in today's scopes
            return false;
        }
    }
    return is_message(last_of(place), SW_JSON_KEY_VALUE);
}

/* What is made of the JSON is charged, and has no more bytes than a sender of protobuf would need. */
static void check_many(const struct place *place)
{
    static const uint8_t attribute[] = {0x0a, 1, 'k', 0x12, 2, 0x18, 7}; // k = 7
    struct sw_account account = {.charged_bytes = 0};
    struct sw_otlp_counts counts;
    struct place around = *place;
    struct back back = {.data = NULL};
    const struct sw_json_field *field = last_of(place);
    around.depth--;
    for (size_t i = 0; i < MANY; i++) {
        uint8_t head[3] = {sizeof(attribute)};
        back_put(&back, attribute, sizeof(attribute));
        back_put(&back, head, 1);
        back_put(&back, field->tag, field->tag_size);
    }
    back_wrap_path(&back, &around);
    struct sw_bytes bytes = back_take(&back);
    assert_int_equal(sw_otlp_validate(place->signal, bytes.data, bytes.size, &counts, NULL), SW_OK);
    struct wire json = {.data = NULL};
    json_open(&json, place);
    for (size_t i = 0; i < MANY; i++) {
        add(&json, i == 0 ? "" : ",");
        add(&json, "{\"key\":\"k\",\"value\":{\"intValue\":7}}");
    }
    json_close(&json, place);
    struct json_reading reading = json_read(place->signal, json_take(&json), 32 << 10, &account);
    assert_int_equal(reading.err, SW_OK);
    assert_true(reading.steps_count > json.size / (32 << 10) / 2);
    assert_int_equal(reading.items_count, counts.items);
    assert_true(reading.request->size < bytes.size + 64);
    assert_true(sw_account_charged(&account) < (int64_t)(2 * bytes.size));
    sw_buf_unref(reading.request);
    assert_int_equal(sw_account_charged(&account), 0);
    wire_fini(&json);
    drop(bytes);
}

static void test_a_million_attributes_are_read_in_slices_at_every_place(void **state)
{
    each_place(is_attributes, check_many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_that_are_no_utf8_are_taken_as_they_are_at_every_place),
        cmocka_unit_test(test_values_nest_to_the_same_depth_at_every_place),
        cmocka_unit_test(test_a_million_attributes_are_read_in_slices_at_every_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
