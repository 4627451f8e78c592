/* zstd, as klauspost/compress reads it and words the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <zstd.h>

#include <cmocka.h>

#include "codec_bed.h"

// A frame with one plain block: magic, single segment with content size 5, last raw block, bytes.
#define FRAME "\x28\xb5\x2f\xfd\x20\x05\x29\0\0hello"
// The same without a content size, in a window of 1 KiB.
#define FRAME_OF_UNKNOWN_SIZE "\x28\xb5\x2f\xfd\0\0\x29\0\0hello"
#define SKIPPABLE             "\x5a\x2a\x4d\x18\3\0\0\0abc"

static struct codec_body body;

static void set(const void *data, size_t size)
{
    body.size = 0;
    codec_body_put(&body, data, size);
}
#define SET(literal) set((literal), sizeof(literal) - 1)

static void test_frames_are_joined_and_skippable_ones_skipped(void **state)
{
    SET(FRAME);
    codec_bed_expect(*state, SW_CODING_ZSTD, &body, "hello", 5);
    SET(SKIPPABLE FRAME SKIPPABLE FRAME_OF_UNKNOWN_SIZE SKIPPABLE);
    codec_bed_expect(*state, SW_CODING_ZSTD, &body, "hellohello", 10);
}

static void test_nothing_is_an_empty_message(void **state)
{
    SET("");
    codec_bed_expect(*state, SW_CODING_ZSTD, &body, "", 0);
    SET(SKIPPABLE);
    codec_bed_expect(*state, SW_CODING_ZSTD, &body, "", 0);
}

static void test_what_is_no_zstd_is_told_so(void **state)
{
    static const char why[] = "invalid input: magic number mismatch";
    SET("\x0a\x02\x12\0");
    codec_bed_expect_why(*state, SW_CODING_ZSTD, &body, why);
    SET(FRAME "{\"resourceSpans\":[]}");
    codec_bed_expect_why(*state, SW_CODING_ZSTD, &body, why);
    SET("\x27\xb5\x2f\xfd\x20\x05\x29\0\0hello"); // a format of old
    codec_bed_expect_why(*state, SW_CODING_ZSTD, &body, why);
}

static void test_cut_frame_ends_unexpectedly(void **state)
{
    for (size_t size = 1; size < sizeof(FRAME) - 1; size++) {
        set(FRAME, size);
        codec_bed_expect_why(*state, SW_CODING_ZSTD, &body, "unexpected EOF");
    }
    SET(FRAME SKIPPABLE);
    body.size--;
    codec_bed_expect_why(*state, SW_CODING_ZSTD, &body, "unexpected EOF");
}

static void test_wrong_checksum_is_told(void **state)
{
    struct codec_bed *bed = *state;
    struct sw_buf *buf =
        codec_bed_pack(bed, SW_CODING_ZSTD, 0, (const uint8_t *)"hello", 5, SIZE_MAX);
    set(buf->data, buf->size);
    sw_buf_unref(buf);
    codec_bed_expect(bed, SW_CODING_ZSTD, &body, "hello", 5);
    body.data[body.size - 1] ^= 1;
    codec_bed_expect_why(bed, SW_CODING_ZSTD, &body, "CRC check failed");
}

static void test_wrong_headers_are_told(void **state)
{
    SET("\x28\xb5\x2f\xfd\x28\x05\x29\0\0hello"); // the reserved bit
    codec_bed_expect_why(*state, SW_CODING_ZSTD, &body, "reserved bit set on frame header");
    SET("\x28\xb5\x2f\xfd\x21\x07\x05\x29\0\0hello"); // dictionary 7
    codec_bed_expect_why(*state, SW_CODING_ZSTD, &body, "unknown dictionary");
    SET("\x28\xb5\x2f\xfd\x20\x06\x29\0\0hello"); // says 6 bytes
    codec_bed_expect_why(*state, SW_CODING_ZSTD, &body, "invalid input");
    SET("\x28\xb5\x2f\xfd\x20\x05\x2f\0\0hello"); // a block of the reserved type
    codec_bed_expect_why(*state, SW_CODING_ZSTD, &body, "invalid input");
}

// What a header says of its window or its content costs nothing until it comes.
static void test_promises_of_the_header_cost_nothing(void **state)
{
    struct codec_bed *bed = *state;
    struct sw_buf *buf = NULL;
    const char *why = NULL;
    SET("\x28\xb5\x2f\xfd\0\x98\x29\0\0hello"); // a window of 512 MiB
    codec_bed_expect(bed, SW_CODING_ZSTD, &body, "hello", 5);
    SET("\x28\xb5\x2f\xfd\xe0\0\0\0\0\1\0\0\0\x29\0\0hello"); // 4 GiB, it says
    assert_int_equal(
        codec_bed_open(bed, SW_CODING_ZSTD, &body, UINT32_MAX, &buf, &why), SW_E_MALFORMED
    );
    assert_null(buf);
}

// 128 KiB out of four bytes, again and again.
static void test_bomb_of_runs_stops_at_the_limit(void **state)
{
    struct codec_bed *bed = *state;
    struct sw_buf *buf = NULL;
    const char *why = "untouched";
    SET("\x28\xb5\x2f\xfd\0\x38"); // a window of 128 KiB
    for (unsigned i = 0; i < 20000; i++) {
        CODEC_BODY_PUT(&body, "\x02\0\x10\0");
    }
    CODEC_BODY_PUT(&body, "\x03\0\x10\0");
    assert_int_equal(
        codec_bed_open(bed, SW_CODING_ZSTD, &body, 1 << 20, &buf, &why), SW_E_TOO_LARGE
    );
    assert_null(buf);
    assert_string_equal(why, "untouched");
}

static void test_blocks_that_refer_far_back_open_in_grown_rooms(void **state)
{
    size_t size = 900000;
    uint8_t *data = malloc(size);
    uint8_t *packed = malloc(ZSTD_compressBound(size));
    for (size_t i = 0; i < size; i++) {
        data[i] = (uint8_t)(i < 300000 ? i * i >> 7 : data[i - 300000]);
    }
    body.size = ZSTD_compress(body.data, sizeof(body.data), data, size, 9);
    assert_false(ZSTD_isError(body.size));
    codec_bed_expect(*state, SW_CODING_ZSTD, &body, data, size);
    free(data);
    free(packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_are_joined_and_skippable_ones_skipped),
        cmocka_unit_test(test_nothing_is_an_empty_message),
        cmocka_unit_test(test_what_is_no_zstd_is_told_so),
        cmocka_unit_test(test_cut_frame_ends_unexpectedly),
        cmocka_unit_test(test_wrong_checksum_is_told),
        cmocka_unit_test(test_wrong_headers_are_told),
        cmocka_unit_test(test_promises_of_the_header_cost_nothing),
        cmocka_unit_test(test_bomb_of_runs_stops_at_the_limit),
        cmocka_unit_test(test_blocks_that_refer_far_back_open_in_grown_rooms),
    };
    return cmocka_run_group_tests(tests, codec_bed_setup, codec_bed_teardown);
}
