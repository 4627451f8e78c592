/* The wire reader: exact limits, a sticky error, and the writers that go with it. */
#include "dataplane/otlp/protobuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_varints_of_every_length_come_back(void **state)
{
    static const uint64_t values[] = {
        0,
        1,
        127,
        128,
        16383,
        16384,
        UINT32_MAX,
        UINT64_C(1) << 35,
        UINT64_C(1) << 62,
        UINT64_MAX,
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(values); i++) {
        uint8_t bytes[SW_PB_VARINT_MAX];
        size_t size = (size_t)(sw_pb_put_varint(bytes, values[i]) - bytes);
        assert_int_equal(size, sw_pb_varint_size(values[i]));
        struct sw_pb_reader reader;
        sw_pb_reader_init(&reader, (struct sw_bytes){bytes, size});
        assert_true(sw_pb_varint(&reader) == values[i]);
        assert_int_equal(sw_pb_left(&reader), 0);
        assert_int_equal(sw_pb_status(&reader), SW_OK);
        // Each byte less is the end of the bytes.
        for (size_t less = 0; less < size; less++) {
            sw_pb_reader_init(&reader, (struct sw_bytes){bytes, less});
            assert_true(sw_pb_varint(&reader) == 0);
            assert_int_equal(reader.error, SW_PB_TRUNCATED);
        }
    }
}

static void test_eleven_bytes_are_no_varint(void **state)
{
    uint8_t bytes[11] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0};
    struct sw_pb_reader reader;
    sw_pb_reader_init(&reader, (struct sw_bytes){bytes, sizeof(bytes)});
    assert_true(sw_pb_varint(&reader) == 0);
    assert_int_equal(reader.error, SW_PB_OVERFLOW);
    assert_int_equal(sw_pb_status(&reader), SW_E_MALFORMED);
    // Ten are, and the surplus bits of the tenth are lost.
    bytes[9] = 0x7f;
    sw_pb_reader_init(&reader, (struct sw_bytes){bytes, 10});
    assert_true(sw_pb_varint(&reader) == UINT64_C(1) << 63);
    assert_int_equal(reader.error, SW_PB_OK);
}

static void test_the_first_error_sticks_and_everything_reads_as_zero(void **state)
{
    const uint8_t bytes[] = {0x0a, 0x7f, 0x01, 0x02}; // a length that runs past the end
    struct sw_pb_reader reader;
    struct sw_pb_field field = {.tag = 99};
    sw_pb_reader_init(&reader, (struct sw_bytes){bytes, sizeof(bytes)});
    assert_false(sw_pb_next(&reader, &field));
    assert_int_equal(field.tag, 99); // untouched
    assert_int_equal(reader.error, SW_PB_TRUNCATED);
    assert_ptr_equal(reader.error_at, bytes + 1);
    assert_int_equal(sw_pb_left(&reader), 0);
    assert_int_equal(sw_pb_tag(&reader), 0);
    assert_int_equal(sw_pb_i64(&reader), 0);
    assert_int_equal(sw_pb_i32(&reader), 0);
    assert_int_equal(sw_pb_len(&reader).size, 0);
    assert_int_equal(reader.error, SW_PB_TRUNCATED);
    assert_ptr_equal(reader.error_at, bytes + 1);
}

static void test_each_way_to_be_wrong_has_its_error(void **state)
{
    static const struct {
        uint8_t bytes[12];
        size_t size;
        enum sw_pb_error error;
    } cases[] = {
        {{0x00}, 1, SW_PB_ILLEGAL_FIELD},
        {{0x07, 0x01}, 2, SW_PB_ILLEGAL_FIELD},
        {{0x80, 0x80, 0x80, 0x80, 0x10, 0x00}, 6, SW_PB_ILLEGAL_FIELD}, // above 32 bits
        {{0x0b, 0x0c}, 2, SW_PB_GROUP},
        {{0x0c}, 1, SW_PB_GROUP},
        {{0x0e, 0x00}, 2, SW_PB_ILLEGAL_WIRE},
        {{0x0f, 0x00}, 2, SW_PB_ILLEGAL_WIRE},
        {{0x08}, 1, SW_PB_TRUNCATED},
        {{0x09, 1, 2, 3, 4, 5, 6, 7}, 8, SW_PB_TRUNCATED},
        {{0x0d, 1, 2, 3}, 4, SW_PB_TRUNCATED},
        {{0x0a}, 1, SW_PB_TRUNCATED},
        {{0x0a, 0x80}, 2, SW_PB_TRUNCATED},
        {{0x0a, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}, 11, SW_PB_TRUNCATED},
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(cases); i++) {
        uint8_t *bytes = malloc(cases[i].size);
        memcpy(bytes, cases[i].bytes, cases[i].size);
        struct sw_pb_reader reader;
        struct sw_pb_field field;
        sw_pb_reader_init(&reader, (struct sw_bytes){bytes, cases[i].size});
        assert_false(sw_pb_next(&reader, &field));
        assert_int_equal(reader.error, cases[i].error);
        assert_true(strlen(sw_pb_error_text(reader.error)) > 0);
        free(bytes);
    }
}

static void test_fields_of_all_wire_types_are_read_whole(void **state)
{
    uint8_t bytes[400];
    uint8_t content[200];
    memset(content, 'x', sizeof(content));
    uint8_t *at = sw_pb_put_varint(sw_pb_put_varint(bytes, SW_PB_TAG(2000, SW_PB_VARINT)), 300);
    at = sw_pb_put_i64(at, SW_PB_TAG(2, SW_PB_I64), UINT64_C(0x1122334455667788));
    at = sw_pb_put_i32(at, SW_PB_TAG(3, SW_PB_I32), 0xaabbccdd);
    at = sw_pb_put_bytes(at, SW_PB_TAG(4, SW_PB_LEN), (struct sw_bytes){content, sizeof(content)});
    at = sw_pb_put_bytes(at, SW_PB_TAG(5, SW_PB_LEN), (struct sw_bytes){NULL, 0});
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, (struct sw_bytes){bytes, (size_t)(at - bytes)});
    assert_true(sw_pb_next(&reader, &field));
    assert_int_equal(field.tag, SW_PB_TAG(2000, SW_PB_VARINT));
    assert_int_equal(field.number, 300);
    assert_int_equal(field.whole.size, 4);
    assert_true(sw_pb_next(&reader, &field));
    assert_true(field.number == UINT64_C(0x1122334455667788));
    assert_true(sw_pb_next(&reader, &field));
    assert_int_equal(field.number, 0xaabbccdd);
    assert_true(sw_pb_next(&reader, &field));
    assert_int_equal(field.bytes.size, sizeof(content));
    assert_int_equal(field.whole.size, sw_pb_len_size(SW_PB_TAG(4, SW_PB_LEN), sizeof(content)));
    assert_ptr_equal(field.whole.data + 3, field.bytes.data);
    assert_true(sw_pb_next(&reader, &field));
    assert_int_equal(field.bytes.size, 0);
    assert_false(sw_pb_next(&reader, &field));
    assert_int_equal(sw_pb_status(&reader), SW_OK);
}

static void test_fragments_of_a_message_are_joined(void **state)
{
    const uint8_t bytes[] = "\x0a\x02"
                            "ab"
                            "\x12\x01-"
                            "\x0a\x00"
                            "\x0a\x01"
                            "c";
    struct sw_bytes all = {bytes, sizeof(bytes) - 1};
    uint8_t out[sizeof(bytes)];
    assert_int_equal(sw_pb_gather(all, SW_PB_TAG(1, SW_PB_LEN), NULL), 3);
    assert_int_equal(sw_pb_gather(all, SW_PB_TAG(1, SW_PB_LEN), out), 3);
    assert_memory_equal(out, "abc", 3);
    assert_int_equal(sw_pb_gather(all, SW_PB_TAG(3, SW_PB_LEN), out), 0);
}

static void test_no_bytes_at_all_are_an_empty_message(void **state)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, (struct sw_bytes){NULL, 0});
    assert_false(sw_pb_next(&reader, &field));
    assert_int_equal(sw_pb_status(&reader), SW_OK);
    assert_true(sw_bytes_equal((struct sw_bytes){NULL, 0}, SW_BYTES("")));
    assert_false(sw_bytes_equal(SW_BYTES("a"), SW_BYTES("b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_varints_of_every_length_come_back),
        cmocka_unit_test(test_eleven_bytes_are_no_varint),
        cmocka_unit_test(test_the_first_error_sticks_and_everything_reads_as_zero),
        cmocka_unit_test(test_each_way_to_be_wrong_has_its_error),
        cmocka_unit_test(test_fields_of_all_wire_types_are_read_whole),
        cmocka_unit_test(test_fragments_of_a_message_are_joined),
        cmocka_unit_test(test_no_bytes_at_all_are_an_empty_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
