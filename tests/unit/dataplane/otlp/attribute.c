/* Attributes in wire bytes: every type of value, look-up by the first of a key, and writing. */
#include "dataplane/otlp/attribute.h"

#include "tests/lib/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct sw_bytes all(const struct wire *wire)
{
    return (struct sw_bytes){wire->data, wire->size};
}

static void begin(struct wire *wire, const char *key)
{
    wire_begin(wire, 9);
    wire_text(wire, 1, key);
    wire_begin(wire, 2);
}

static void end(struct wire *wire)
{
    wire_end(wire);
    wire_end(wire);
}

static struct sw_any find(const struct wire *wire, const char *key)
{
    struct sw_any value = {.type = SW_ANY_EMPTY};
    struct sw_bytes name = {(const uint8_t *)key, strlen(key)};
    assert_true(sw_attribute_find(all(wire), SW_SPAN_ATTRIBUTES, name, &value));
    return value;
}

static void test_every_type_of_value_is_found(void **state)
{
    struct wire wire = {.data = NULL};
    begin(&wire, "text");
    wire_text(&wire, 1, "words");
    end(&wire);
    begin(&wire, "yes");
    wire_number(&wire, 2, 1);
    end(&wire);
    begin(&wire, "int");
    wire_number(&wire, 3, (uint64_t)-7);
    end(&wire);
    begin(&wire, "double");
    double number = 2.5;
    uint64_t bits;
    memcpy(&bits, &number, sizeof(bits));
    wire_i64(&wire, 4, bits);
    end(&wire);
    begin(&wire, "array");
    wire_bytes(&wire, 5, "\x0a\x00", 2);
    end(&wire);
    begin(&wire, "map");
    wire_begin(&wire, 6);
    wire_attribute(&wire, 1, "inner", "in a map");
    wire_end(&wire);
    end(&wire);
    begin(&wire, "bytes");
    wire_bytes(&wire, 7, "\0\1", 2);
    end(&wire);
    begin(&wire, "empty");
    end(&wire);

    assert_true(sw_bytes_equal(find(&wire, "text").bytes, SW_BYTES("words")));
    assert_int_equal(find(&wire, "yes").type, SW_ANY_BOOL);
    assert_true(find(&wire, "yes").boolean);
    assert_int_equal(find(&wire, "int").integer, -7);
    assert_true(find(&wire, "double").number == 2.5);
    assert_int_equal(find(&wire, "array").type, SW_ANY_ARRAY);
    assert_int_equal(find(&wire, "bytes").bytes.size, 2);
    assert_int_equal(find(&wire, "empty").type, SW_ANY_EMPTY);
    struct sw_any inner;
    struct sw_any map = find(&wire, "map");
    assert_int_equal(map.type, SW_ANY_MAP);
    assert_true(sw_attribute_find(map.bytes, SW_KVLIST_VALUES, SW_BYTES("inner"), &inner));
    assert_true(sw_bytes_equal(inner.bytes, SW_BYTES("in a map")));
    assert_false(sw_attribute_find(all(&wire), SW_SPAN_ATTRIBUTES, SW_BYTES("none"), &inner));
    assert_true(sw_bytes_equal(inner.bytes, SW_BYTES("in a map"))); // untouched
    wire_fini(&wire);
}

static void test_the_first_of_a_key_twice_is_found(void **state)
{
    struct wire wire = {.data = NULL};
    wire_attribute(&wire, 9, "key", "first");
    wire_attribute(&wire, 9, "key", "second");
    assert_true(sw_bytes_equal(find(&wire, "key").bytes, SW_BYTES("first")));
    wire_fini(&wire);
}

static void test_of_several_members_the_last_counts(void **state)
{
    struct wire wire = {.data = NULL};
    begin(&wire, "key");
    wire_text(&wire, 1, "text");
    wire_number(&wire, 3, 5);
    end(&wire);
    assert_int_equal(find(&wire, "key").type, SW_ANY_INT);
    // A value in fragments is one value; a fragment without a member changes nothing.
    wire_clear(&wire);
    wire_begin(&wire, 9);
    wire_begin(&wire, 2);
    wire_number(&wire, 3, 6);
    wire_end(&wire);
    wire_begin(&wire, 2);
    wire_end(&wire);
    wire_text(&wire, 1, "key");
    wire_end(&wire);
    assert_int_equal(find(&wire, "key").integer, 6);
    wire_fini(&wire);
}

static void test_the_iterator_sees_attributes_among_other_fields(void **state)
{
    struct wire wire = {.data = NULL};
    wire_text(&wire, 5, "name");
    wire_attribute(&wire, 9, "a", "1");
    wire_i64(&wire, 7, 1);
    wire_attribute(&wire, 9, "b", "2");
    wire_number(&wire, 10, 4);
    struct sw_attribute_iter iter;
    struct sw_attribute attribute;
    sw_attribute_iter_init(&iter, all(&wire), SW_SPAN_ATTRIBUTES);
    assert_true(sw_attribute_next(&iter, &attribute));
    assert_true(sw_bytes_equal(attribute.key, SW_BYTES("a")));
    assert_int_equal(attribute.whole.data[0], 0x4a);
    assert_true(sw_attribute_next(&iter, &attribute));
    assert_true(sw_bytes_equal(attribute.value.bytes, SW_BYTES("2")));
    assert_false(sw_attribute_next(&iter, &attribute));
    wire_fini(&wire);
}

static void test_an_unreadable_attribute_ends_the_walk(void **state)
{
    struct wire wire = {.data = NULL};
    wire_attribute(&wire, 9, "a", "1");
    wire_bytes(&wire, 9, "\x0a\x7f", 2);
    wire_attribute(&wire, 9, "b", "2");
    struct sw_attribute_iter iter;
    struct sw_attribute attribute;
    sw_attribute_iter_init(&iter, all(&wire), SW_SPAN_ATTRIBUTES);
    assert_true(sw_attribute_next(&iter, &attribute));
    assert_false(sw_attribute_next(&iter, &attribute));
    assert_false(sw_attribute_next(&iter, &attribute));
    assert_int_equal(sw_pb_status(&iter.reader), SW_E_MALFORMED);
    wire_fini(&wire);
}

static void test_what_is_written_is_read_again(void **state)
{
    static const uint8_t long_value[300] = {'v'};
    struct sw_bytes key = SW_BYTES("deployment.environment");
    struct sw_bytes value = {long_value, sizeof(long_value)};
    uint8_t bytes[400];
    uint8_t *behind = sw_attribute_put_string(bytes, key, value);
    size_t size = (size_t)(behind - bytes);
    assert_int_equal(size, sw_attribute_string_size(key, value));
    struct sw_attribute attribute;
    assert_true(sw_attribute_read((struct sw_bytes){bytes, size}, &attribute));
    assert_true(sw_bytes_equal(attribute.key, key));
    assert_int_equal(attribute.value.type, SW_ANY_STRING);
    assert_true(sw_bytes_equal(attribute.value.bytes, value));
    assert_false(sw_attribute_read((struct sw_bytes){bytes, size - 1}, &attribute));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type_of_value_is_found),
        cmocka_unit_test(test_the_first_of_a_key_twice_is_found),
        cmocka_unit_test(test_of_several_members_the_last_counts),
        cmocka_unit_test(test_the_iterator_sees_attributes_among_other_fields),
        cmocka_unit_test(test_an_unreadable_attribute_ends_the_walk),
        cmocka_unit_test(test_what_is_written_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
