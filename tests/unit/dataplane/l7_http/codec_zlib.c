/* zlib, which HTTP calls deflate too, as Go's compress/zlib reads it and words the rest. */
#include <libdeflate.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "codec_bed.h"

static const char hello[] = "hello hello hello hello\n";

static struct codec_body packed;

// Made by another hand.
static void make(void)
{
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(6);
    packed.size = libdeflate_zlib_compress(
        compressor, hello, sizeof(hello) - 1, packed.data, sizeof(packed.data)
    );
    libdeflate_free_compressor(compressor);
}

static void test_stream_is_opened_under_both_names(void **state)
{
    make();
    codec_bed_expect(*state, SW_CODING_ZLIB, &packed, hello, sizeof(hello) - 1);
    codec_bed_expect(*state, SW_CODING_DEFLATE, &packed, hello, sizeof(hello) - 1);
}

static void test_what_follows_is_ignored(void **state)
{
    make();
    CODEC_BODY_PUT(&packed, "garbage");
    codec_bed_expect(*state, SW_CODING_ZLIB, &packed, hello, sizeof(hello) - 1);
}

static void test_what_is_no_zlib_is_told_so(void **state)
{
    packed.size = 0;
    codec_bed_expect_why(*state, SW_CODING_ZLIB, &packed, "unexpected EOF");
    CODEC_BODY_PUT(&packed, "\x78");
    codec_bed_expect_why(*state, SW_CODING_ZLIB, &packed, "unexpected EOF");
    CODEC_BODY_PUT(&packed, "\x9d"); // the check bits
    codec_bed_expect_why(*state, SW_CODING_ZLIB, &packed, "zlib: invalid header");
    packed.size = 0;
    CODEC_BODY_PUT(&packed, "\x88\x1c"); // a window of 64 KiB
    codec_bed_expect_why(*state, SW_CODING_ZLIB, &packed, "zlib: invalid header");
    make();
    memmove(packed.data, packed.data + 2, packed.size - 2); // raw deflate
    codec_bed_expect_why(*state, SW_CODING_DEFLATE, &packed, "zlib: invalid header");
}

static void test_dictionary_is_refused_but_the_empty_one(void **state)
{
    make();
    struct codec_body *body = &packed;
    memmove(body->data + 6, body->data + 2, body->size - 2);
    body->size += 4;
    memcpy(body->data, "\x78\xbb\0\0\0\1", 6);
    codec_bed_expect(*state, SW_CODING_ZLIB, body, hello, sizeof(hello) - 1);
    body->data[4] = 7;
    codec_bed_expect_why(*state, SW_CODING_ZLIB, body, "zlib: invalid dictionary");
    body->size = 5;
    codec_bed_expect_why(*state, SW_CODING_ZLIB, body, "unexpected EOF");
}

static void test_cut_or_wrong_trailer_is_told(void **state)
{
    make();
    for (size_t size = packed.size - 1; size > 2; size--) {
        packed.size = size;
        codec_bed_expect_why(*state, SW_CODING_ZLIB, &packed, "unexpected EOF");
    }
    make();
    packed.data[packed.size - 1] ^= 1;
    codec_bed_expect_why(*state, SW_CODING_ZLIB, &packed, "zlib: invalid checksum");
}

static void test_corrupt_data_is_told(void **state)
{
    packed.size = 0;
    CODEC_BODY_PUT(&packed, "\x78\x9c\x07\0\0\0\0\0\0\0\0\0\0\0"); // a block of the reserved type
    codec_bed_expect_why(*state, SW_CODING_ZLIB, &packed, "flate: corrupt input");
}

static void test_what_we_pack_others_open(void **state)
{
    struct libdeflate_decompressor *other = libdeflate_alloc_decompressor();
    for (int level = -2; level <= 9; level++) {
        uint8_t out[sizeof(hello)];
        size_t in_size = 0;
        size_t out_size = 0;
        struct sw_buf *buf = codec_bed_pack(
            *state, SW_CODING_ZLIB, level, (const uint8_t *)hello, sizeof(hello) - 1, 5
        );
        assert_int_equal(
            libdeflate_zlib_decompress_ex(
                other, buf->data, buf->size, out, sizeof(out), &in_size, &out_size
            ),
            LIBDEFLATE_SUCCESS
        );
        assert_int_equal(in_size, buf->size);
        assert_int_equal(out_size, sizeof(hello) - 1);
        assert_memory_equal(out, hello, out_size);
        sw_buf_unref(buf);
    }
    libdeflate_free_decompressor(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream_is_opened_under_both_names),
        cmocka_unit_test(test_what_follows_is_ignored),
        cmocka_unit_test(test_what_is_no_zlib_is_told_so),
        cmocka_unit_test(test_dictionary_is_refused_but_the_empty_one),
        cmocka_unit_test(test_cut_or_wrong_trailer_is_told),
        cmocka_unit_test(test_corrupt_data_is_told),
        cmocka_unit_test(test_what_we_pack_others_open),
    };
    return cmocka_run_group_tests(tests, codec_bed_setup, codec_bed_teardown);
}
