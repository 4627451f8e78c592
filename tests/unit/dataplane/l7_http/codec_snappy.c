/* snappy, block and framed, as golang/snappy reads it and words the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "codec_bed.h"

#define BLOCK  "\x05\x10hello" // 5 bytes, a literal of 5
#define STREAM "\xff\6\0\0sNaPpY"
// The CRC-32C of "hello" is 0x9a71bb4c; masked (framing_format.txt §3) 0x191c1fbb.
#define CRC     "\xbb\x1f\x1c\x19"
#define PLAIN   "\1\x09\0\0" CRC "hello"
#define PACKED  "\0\x0b\0\0" CRC BLOCK
#define PADDING "\xfe\4\0\0\0\0\0\0"

static const char corrupt[] = "snappy: corrupt input";
static const char unsupported[] = "snappy: unsupported input";

static struct codec_body body;

static void set(const void *data, size_t size)
{
    body.size = 0;
    codec_body_put(&body, data, size);
}
#define SET(literal) set((literal), sizeof(literal) - 1)

static void test_block_is_opened(void **state)
{
    SET(BLOCK);
    codec_bed_expect(*state, SW_CODING_SNAPPY, &body, "hello", 5);
    SET("\0");
    codec_bed_expect(*state, SW_CODING_SNAPPY, &body, "", 0);
}

static void test_bad_block_is_told(void **state)
{
    SET("");
    codec_bed_expect_why(*state, SW_CODING_SNAPPY, &body, corrupt);
    SET("\x05\x10hell");
    codec_bed_expect_why(*state, SW_CODING_SNAPPY, &body, corrupt);
    SET("\x06\x10hello");
    codec_bed_expect_why(*state, SW_CODING_SNAPPY, &body, corrupt);
    SET("\xff\xff\xff\xff\xff\1");
    codec_bed_expect_why(*state, SW_CODING_SNAPPY, &body, corrupt);
    SET("\xff\xff");
    codec_bed_expect_why(*state, SW_CODING_SNAPPY, &body, corrupt);
}

// What it says of itself is held against the limit before a byte is opened, and against what its bytes
// can hold before a buffer is made.
static void test_length_of_a_block_is_not_believed(void **state)
{
    struct codec_bed *bed = *state;
    struct sw_buf *buf = NULL;
    const char *why = "";
    SET("\xff\xff\xff\xff\x0f\x10hello"); // 4 GiB
    assert_int_equal(
        codec_bed_open(bed, SW_CODING_SNAPPY, &body, 1 << 20, &buf, &why), SW_E_TOO_LARGE
    );
    assert_string_equal(why, "snappy: decoded size exceeds max request body size");
    SET("\xff\xff\x3f\x10hello"); // 1 MiB
    codec_bed_expect_why(bed, SW_CODING_SNAPPY, &body, corrupt);
}

static void test_stream_under_the_name_of_the_block_is_opened(void **state)
{
    SET(STREAM PLAIN);
    codec_bed_expect(*state, SW_CODING_SNAPPY, &body, "hello", 5);
    codec_bed_expect(*state, SW_CODING_SNAPPY_FRAMED, &body, "hello", 5);
}

static void test_chunks_are_joined_and_skippable_ones_skipped(void **state)
{
    SET(STREAM PADDING PACKED "\x80\1\0\0x" PLAIN STREAM PACKED PADDING);
    codec_bed_expect(*state, SW_CODING_SNAPPY_FRAMED, &body, "hellohellohello", 15);
}

static void test_nothing_is_an_empty_message(void **state)
{
    SET("");
    codec_bed_expect(*state, SW_CODING_SNAPPY_FRAMED, &body, "", 0);
    SET(STREAM);
    codec_bed_expect(*state, SW_CODING_SNAPPY_FRAMED, &body, "", 0);
}

static void test_stream_without_its_header_is_corrupt(void **state)
{
    SET(BLOCK);
    codec_bed_expect_why(*state, SW_CODING_SNAPPY_FRAMED, &body, corrupt);
    SET(PACKED);
    codec_bed_expect_why(*state, SW_CODING_SNAPPY_FRAMED, &body, corrupt);
    SET("\xff\6\0\0sNaPpy");
    codec_bed_expect_why(*state, SW_CODING_SNAPPY_FRAMED, &body, corrupt);
    SET("\xff\5\0\0sNaPp");
    codec_bed_expect_why(*state, SW_CODING_SNAPPY_FRAMED, &body, corrupt);
}

static void test_reserved_and_long_chunks_are_unsupported(void **state)
{
    SET(STREAM "\2\0\0\0");
    codec_bed_expect_why(*state, SW_CODING_SNAPPY_FRAMED, &body, unsupported);
    SET(STREAM "\x7f\0\0\0");
    codec_bed_expect_why(*state, SW_CODING_SNAPPY_FRAMED, &body, unsupported);
    SET(STREAM "\xfe\xff\xff\xff");
    codec_bed_expect_why(*state, SW_CODING_SNAPPY_FRAMED, &body, unsupported);
}

static void test_bad_chunks_are_corrupt(void **state)
{
    SET(STREAM "\1\x09\0\0\xba\x1f\x1c\x19hello"); // its checksum
    codec_bed_expect_why(*state, SW_CODING_SNAPPY_FRAMED, &body, corrupt);
    SET(STREAM "\0\x0b\0\0\xba\x1f\x1c\x19" BLOCK);
    codec_bed_expect_why(*state, SW_CODING_SNAPPY_FRAMED, &body, corrupt);
    SET(STREAM "\1\3\0\0abc"); // no room for one
    codec_bed_expect_why(*state, SW_CODING_SNAPPY_FRAMED, &body, corrupt);
    SET(STREAM "\0\4\0\0" CRC); // no block
    codec_bed_expect_why(*state, SW_CODING_SNAPPY_FRAMED, &body, corrupt);
    SET(STREAM "\0\x0d\0\0" CRC "\x81\x80\4\x10hello!"); // 64 KiB and a byte
    codec_bed_expect_why(*state, SW_CODING_SNAPPY_FRAMED, &body, corrupt);
    SET(STREAM "\1\5\0\1" CRC); // likewise, plain
    body.size += (1 << 16) + 1;
    codec_bed_expect_why(*state, SW_CODING_SNAPPY_FRAMED, &body, corrupt);
    SET(STREAM "\xfe\4\0\0\0\0\0"); // cut
    codec_bed_expect_why(*state, SW_CODING_SNAPPY_FRAMED, &body, corrupt);
}

static void test_stream_is_written_as_others_write_it(void **state)
{
    struct sw_buf *buf =
        codec_bed_pack(*state, SW_CODING_SNAPPY_FRAMED, 0, (const uint8_t *)"hello", 5, SIZE_MAX);
    assert_int_equal(buf->size, sizeof(STREAM PLAIN) - 1);
    assert_memory_equal(buf->data, STREAM PLAIN, buf->size);
    sw_buf_unref(buf);
    buf = codec_bed_pack(*state, SW_CODING_SNAPPY, 0, (const uint8_t *)"hello", 5, SIZE_MAX);
    assert_int_equal(buf->size, sizeof(BLOCK) - 1);
    assert_memory_equal(buf->data, BLOCK, buf->size);
    sw_buf_unref(buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block_is_opened),
        cmocka_unit_test(test_bad_block_is_told),
        cmocka_unit_test(test_length_of_a_block_is_not_believed),
        cmocka_unit_test(test_stream_under_the_name_of_the_block_is_opened),
        cmocka_unit_test(test_chunks_are_joined_and_skippable_ones_skipped),
        cmocka_unit_test(test_nothing_is_an_empty_message),
        cmocka_unit_test(test_stream_without_its_header_is_corrupt),
        cmocka_unit_test(test_reserved_and_long_chunks_are_unsupported),
        cmocka_unit_test(test_bad_chunks_are_corrupt),
        cmocka_unit_test(test_stream_is_written_as_others_write_it),
    };
    return cmocka_run_group_tests(tests, codec_bed_setup, codec_bed_teardown);
}
