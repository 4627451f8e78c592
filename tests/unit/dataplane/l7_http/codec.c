/* What holds for every coding: what is packed opens again, bounds, accounts, memory that fails, names. */
#include "dataplane/base/mem.h"
#include "dataplane/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec_bed.h"

#define LIMIT (1u << 20)

static void go_and_return(
    struct codec_bed *bed,
    enum sw_coding coding,
    int level,
    const uint8_t *data,
    size_t size,
    size_t most
)
{
    struct sw_buf *packed = codec_bed_pack(bed, coding, level, data, size, most);
    struct sw_buf *plain = NULL;
    const char *why = "";
    assert_non_null(packed);
    int err = sw_codec_open(
        bed->codec, coding, packed->data, packed->size, size, &bed->account, &plain, &why, NULL
    );
    assert_string_equal(why, "");
    assert_int_equal(err, 0);
    assert_int_equal(plain->size, size);
    assert_memory_equal(plain->data, data, size);
    sw_buf_unref(packed);
    sw_buf_unref(plain);
    assert_int_equal(sw_account_charged(&bed->account), 0);
}

// Text that packs well, or noise that does not pack at all.
static uint8_t *make_data(size_t size, bool noise)
{
    struct sw_rand rand;
    sw_rand_init(&rand, 11);
    uint8_t *data = malloc(size);
    for (size_t i = 0; i < size; i++) {
        uint64_t number = sw_rand_u64(&rand);
        data[i] =
            noise ? (uint8_t)number : (uint8_t)("spanweir"[i % 8] + (number % 50 == 0 ? 1 : 0));
    }
    return data;
}

static void test_what_is_packed_opens_again(void **state)
{
    static const size_t sizes[] = {0, 1, 100, 1023, 5000, 65535, 65536, 65537, 300000};
    for (unsigned noise = 0; noise < 2; noise++) {
        uint8_t *data = make_data(300000, noise == 1);
        for (enum sw_coding coding = SW_CODING_GZIP; coding < SW_CODINGS_COUNT; coding++) {
            for (size_t i = 0; i < SW_ARRAY_SIZE(sizes); i++) {
                go_and_return(*state, coding, 0, data, sizes[i], SIZE_MAX);
                go_and_return(*state, coding, 0, data, sizes[i], 997);
            }
            go_and_return(*state, coding, 0, data, 5000, 1);
        }
        free(data);
    }
}

static void test_every_level_opens_again(void **state)
{
    static const int levels[] = {-2, -1, 0, 1, 2, 3, 5, 6, 9, -7, 12, 22, 1000};
    uint8_t *data = make_data(70000, false);
    for (size_t i = 0; i < SW_ARRAY_SIZE(levels); i++) {
        go_and_return(*state, SW_CODING_ZSTD, levels[i], data, 70000, 4000);
        if (levels[i] >= -2 && levels[i] <= 9) {
            go_and_return(*state, SW_CODING_GZIP, levels[i], data, 70000, 4000);
            go_and_return(*state, SW_CODING_ZLIB, levels[i], data, 70000, 4000);
            go_and_return(*state, SW_CODING_DEFLATE, levels[i], data, 70000, SIZE_MAX);
        }
    }
    free(data);
}

static uint32_t packed_size(struct codec_bed *bed, enum sw_coding coding, int level)
{
    uint8_t *data = make_data(70000, false);
    struct sw_buf *packed = codec_bed_pack(bed, coding, level, data, 70000, 4000);
    uint32_t size = packed->size;
    sw_buf_unref(packed);
    free(data);
    return size;
}

static void test_higher_levels_pack_tighter(void **state)
{
    assert_true(packed_size(*state, SW_CODING_GZIP, 9) < packed_size(*state, SW_CODING_GZIP, 1));
    assert_true(packed_size(*state, SW_CODING_ZLIB, 6) < packed_size(*state, SW_CODING_ZLIB, -2));
    assert_true(packed_size(*state, SW_CODING_ZSTD, 10) < packed_size(*state, SW_CODING_ZSTD, 1));
    // The library that we follow knows four of them only.
    assert_int_equal(
        packed_size(*state, SW_CODING_ZSTD, 10), packed_size(*state, SW_CODING_ZSTD, 22)
    );
}

// Much out of little, as a sender with bad intent would do it: zeros, packed as tight as it goes.
static struct sw_buf *bomb(struct codec_bed *bed, enum sw_coding coding, size_t plain_size)
{
    uint8_t *zeros = calloc(1, plain_size);
    struct sw_buf *packed = codec_bed_pack(bed, coding, 0, zeros, plain_size, SIZE_MAX);
    free(zeros);
    return packed;
}

static void test_limit_is_exact(void **state)
{
    struct codec_bed *bed = *state;
    for (enum sw_coding coding = SW_CODING_GZIP; coding < SW_CODINGS_COUNT; coding++) {
        struct sw_buf *packed = bomb(bed, coding, LIMIT);
        for (unsigned less = 0; less < 2; less++) {
            struct sw_buf *plain = NULL;
            const char *why = "";
            int err = sw_codec_open(
                bed->codec,
                coding,
                packed->data,
                packed->size,
                LIMIT - less,
                &bed->account,
                &plain,
                &why,
                NULL
            );
            assert_int_equal(err, less == 0 ? SW_OK : SW_E_TOO_LARGE);
            assert_true(less == 0 ? plain->size == LIMIT : plain == NULL);
            sw_buf_unref(plain);
        }
        sw_buf_unref(packed);
        assert_int_equal(sw_account_charged(&bed->account), 0);
    }
}

static void test_limit_of_nothing_lets_nothing_through(void **state)
{
    struct codec_bed *bed = *state;
    for (enum sw_coding coding = SW_CODING_GZIP; coding < SW_CODINGS_COUNT; coding++) {
        struct sw_buf *packed = bomb(bed, coding, 100);
        struct sw_buf *plain = NULL;
        const char *why = "";
        int err = sw_codec_open(
            bed->codec, coding, packed->data, packed->size, 0, &bed->account, &plain, &why, NULL
        );
        assert_int_equal(err, SW_E_TOO_LARGE);
        sw_buf_unref(packed);
    }
}

// Whatever is cut off: never good, never more than is there (a sanitizer sees to that). A snappy stream
// that ends between two chunks is whole, as far as anybody can tell.
static void test_cut_bodies_are_refused(void **state)
{
    struct codec_bed *bed = *state;
    static struct codec_body body;
    uint8_t *data = make_data(3000, false);
    for (enum sw_coding coding = SW_CODING_GZIP; coding < SW_CODINGS_COUNT; coding++) {
        struct sw_buf *packed = codec_bed_pack(bed, coding, 0, data, 3000, SIZE_MAX);
        for (body.size = 1; body.size < packed->size; body.size++) {
            struct sw_buf *plain = NULL;
            const char *why = NULL;
            memcpy(body.data, packed->data, body.size);
            int err = codec_bed_open(bed, coding, &body, LIMIT, &plain, &why);
            if (coding == SW_CODING_SNAPPY_FRAMED && body.size == 10) {
                assert_int_equal(err, SW_OK);
                sw_buf_unref(plain);
                continue;
            }
            assert_int_equal(err, SW_E_MALFORMED);
            assert_non_null(why);
        }
        sw_buf_unref(packed);
    }
    free(data);
}

static void test_flipped_bits_never_pass_unseen_where_there_is_a_checksum(void **state)
{
    struct codec_bed *bed = *state;
    static struct codec_body body;
    uint8_t *data = make_data(500, false);
    for (enum sw_coding coding = SW_CODING_GZIP; coding < SW_CODINGS_COUNT; coding++) {
        struct sw_buf *packed = codec_bed_pack(bed, coding, 0, data, 500, SIZE_MAX);
        for (size_t bit = 0; bit < 8 * (size_t)packed->size; bit++) {
            struct sw_buf *plain = NULL;
            const char *why = NULL;
            body.size = packed->size;
            memcpy(body.data, packed->data, body.size);
            body.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            int err = codec_bed_open(bed, coding, &body, LIMIT, &plain, &why);
            if (err == SW_OK && coding != SW_CODING_SNAPPY && plain->size > 0) {
                assert_int_equal(plain->size, 500);
                assert_memory_equal(plain->data, data, 500);
            }
            sw_buf_unref(plain);
            assert_int_equal(sw_account_charged(&bed->account), packed->charged_bytes);
        }
        sw_buf_unref(packed);
    }
    free(data);
}

static void test_every_failed_allocation_is_told(void **state)
{
    struct codec_bed *bed = *state;
    struct sw_codec *codec = bed->codec;
    uint8_t *noise = make_data(8192, true);
    for (enum sw_coding coding = SW_CODING_GZIP; coding < SW_CODINGS_COUNT; coding++) {
        struct sw_buf *packed = bomb(bed, coding, 100000);
        for (uint64_t nth = 1; nth < 12; nth++) {
            struct sw_buf *plain = NULL;
            const char *why = NULL;
            struct codec_bed fresh = {.codec = NULL};
            assert_int_equal(sw_codec_new(&fresh.codec), 0);
            sw_mem_fail_at(nth, 0);
            int err = sw_codec_open(
                fresh.codec,
                coding,
                packed->data,
                packed->size,
                LIMIT,
                &fresh.account,
                &plain,
                &why,
                NULL
            );
            sw_mem_fail_at(nth, 0);
            struct sw_buf *again = codec_bed_pack(&fresh, coding, 0, noise, 8192, 1000);
            sw_mem_fail_at(nth, 0);
            struct sw_buf *tight = codec_bed_pack(&fresh, coding, 5, noise, 8192, 1000);
            sw_mem_fail_at(0, 0);
            assert_true(err == SW_OK || err == SW_E_NOMEM);
            sw_buf_unref(plain);
            sw_buf_unref(again);
            sw_buf_unref(tight);
            sw_codec_free(fresh.codec);
            assert_int_equal(sw_account_charged(&fresh.account), 0);
        }
        sw_buf_unref(packed);
    }
    bed->codec = codec;
    free(noise);
}

static void test_names_go_both_ways(void **state)
{
    enum sw_coding coding = SW_CODING_NONE;
    for (enum sw_coding i = 0; i < SW_CODINGS_COUNT; i++) {
        const char *name = sw_coding_name(i);
        assert_true(sw_coding_of((struct sw_http_text){name, strlen(name)}, &coding));
        assert_int_equal(coding, i);
    }
    assert_false(sw_coding_of(SW_HTTP_TEXT("GZIP"), &coding));
    assert_false(sw_coding_of(SW_HTTP_TEXT("identity"), &coding));
    assert_false(sw_coding_of(SW_HTTP_TEXT("gzip, identity"), &coding));
    assert_true(sw_coding_of_grpc(SW_HTTP_TEXT("snappy"), &coding));
    assert_int_equal(coding, SW_CODING_SNAPPY_FRAMED);
    assert_string_equal(sw_coding_grpc_name(coding), "snappy");
    assert_true(sw_coding_of_grpc(SW_HTTP_TEXT("zstd"), &coding));
    assert_string_equal(sw_coding_grpc_name(coding), "zstd");
    assert_true(sw_coding_of_grpc(SW_HTTP_TEXT("identity"), &coding));
    assert_int_equal(coding, SW_CODING_NONE);
    assert_false(sw_coding_of_grpc(SW_HTTP_TEXT("deflate"), &coding));
    assert_false(sw_coding_of_grpc(SW_HTTP_TEXT("lz4"), &coding));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_packed_opens_again),
        cmocka_unit_test(test_every_level_opens_again),
        cmocka_unit_test(test_higher_levels_pack_tighter),
        cmocka_unit_test(test_limit_is_exact),
        cmocka_unit_test(test_limit_of_nothing_lets_nothing_through),
        cmocka_unit_test(test_cut_bodies_are_refused),
        cmocka_unit_test(test_flipped_bits_never_pass_unseen_where_there_is_a_checksum),
        cmocka_unit_test(test_every_failed_allocation_is_told),
        cmocka_unit_test(test_names_go_both_ways),
    };
    return cmocka_run_group_tests(tests, codec_bed_setup, codec_bed_teardown);
}
