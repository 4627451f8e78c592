/* gzip both ways: what Go's compress/gzip accepts and how it words the rest; bounds; accounts. */
#include "dataplane/base/mem.h"
#include "dataplane/base/rand.h"
#include "dataplane/l7_http/codec.h"

#include <libdeflate.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define LIMIT (1u << 20)

static const uint8_t hello[] = "hello hello hello hello\n";

struct packed {
    uint8_t data[4096];
    size_t size;
};

static void put(struct packed *packed, const void *data, size_t size)
{
    assert_true(packed->size + size <= sizeof(packed->data));
    memcpy(packed->data + packed->size, data, size);
    packed->size += size;
}

// A member made by another hand.
static void put_member(struct packed *packed, const void *data, size_t size)
{
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(6);
    packed->size += libdeflate_gzip_compress(
        compressor, data, size, packed->data + packed->size, sizeof(packed->data) - packed->size
    );
    libdeflate_free_compressor(compressor);
}

struct fixture {
    struct sw_account account;
    struct sw_codec *codec;
};

static int setup(void **state)
{
    static struct fixture fixture;
    memset(&fixture, 0, sizeof(fixture));
    *state = &fixture;
    return sw_codec_new(&fixture.codec);
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    sw_codec_free(fixture->codec);
    return (int)sw_account_charged(&fixture->account);
}

static int gunzip(
    struct fixture *fixture,
    const uint8_t *data,
    size_t size,
    size_t limit,
    struct sw_buf **ret_buf,
    const char **ret_why,
    bool *ret_at_header
)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    memcpy(copy, data, size);
    int err = sw_codec_open(
        fixture->codec,
        SW_CODING_GZIP,
        copy,
        size,
        limit,
        &fixture->account,
        ret_buf,
        ret_why,
        ret_at_header
    );
    free(copy);
    return err;
}

static void expect_plain(struct fixture *fixture, const struct packed *packed, const char *plain)
{
    struct sw_buf *buf = NULL;
    const char *why = NULL;
    assert_int_equal(gunzip(fixture, packed->data, packed->size, LIMIT, &buf, &why, NULL), 0);
    assert_int_equal(buf->size, strlen(plain));
    assert_memory_equal(buf->data, plain, buf->size);
    sw_buf_unref(buf);
}

static void
expect_why(struct fixture *fixture, const struct packed *packed, const char *why, bool at_header)
{
    struct sw_buf *buf = NULL;
    const char *got = NULL;
    bool got_at_header = !at_header;
    int err = gunzip(fixture, packed->data, packed->size, LIMIT, &buf, &got, &got_at_header);
    assert_int_equal(err, SW_E_MALFORMED);
    assert_string_equal(got, why);
    assert_int_equal(got_at_header, at_header);
    assert_null(buf);
    assert_int_equal(sw_account_charged(&fixture->account), 0);
}

static void test_member_is_opened(void **state)
{
    struct packed packed = {.size = 0};
    put_member(&packed, hello, sizeof(hello) - 1);
    expect_plain(*state, &packed, (const char *)hello);
}

static void test_empty_member_is_empty(void **state)
{
    struct packed packed = {.size = 0};
    put_member(&packed, "", 0);
    expect_plain(*state, &packed, "");
}

static void test_two_members_are_joined(void **state)
{
    // The parity case gzip-two-members.
    static const uint8_t members[] = {
        0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xab, 0x56, 0x2a, 0x4a, 0x2d,
        0xce, 0x2f, 0x2d, 0x4a, 0x4e, 0x0d, 0x2e, 0x48, 0xcc, 0x2b, 0x56, 0xb2, 0x02, 0x00, 0x97,
        0xcd, 0x83, 0xa2, 0x11, 0x00, 0x00, 0x00, 0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x02, 0x03, 0x8b, 0x8e, 0xad, 0x05, 0x00, 0xdb, 0x36, 0x09, 0xbe, 0x03, 0x00, 0x00, 0x00,
    };
    struct packed packed = {.size = 0};
    put(&packed, members, sizeof(members));
    expect_plain(*state, &packed, "{\"resourceSpans\":[]}");
}

static void test_header_with_all_fields_is_skipped(void **state)
{
    struct packed plain = {.size = 0};
    struct packed packed = {.size = 0};
    put_member(&plain, hello, sizeof(hello) - 1);
    put(&packed, "\x1f\x8b\x08\x1f\0\0\0\0\0\xff", 10);
    put(&packed, "\x03\0abc", 5);
    put(&packed, "name", 5);
    put(&packed, "comment", 8);
    uint32_t crc = libdeflate_crc32(0, packed.data, packed.size);
    put(&packed, (const uint8_t[]){(uint8_t)crc, (uint8_t)(crc >> 8)}, 2);
    size_t header = packed.size;
    put(&packed, plain.data + 10, plain.size - 10);
    expect_plain(*state, &packed, (const char *)hello);
    packed.data[header - 1] ^= 1;
    expect_why(*state, &packed, "gzip: invalid header", true);
    packed.data[header - 1] ^= 1;
    for (packed.size = 1; packed.size < header; packed.size++) {
        expect_why(*state, &packed, "unexpected EOF", true);
    }
}

static void test_name_without_end_is_no_header(void **state)
{
    struct packed packed = {.size = 0};
    put(&packed, "\x1f\x8b\x08\x08\0\0\0\0\0\xff", 10);
    memset(packed.data + 10, 'n', 1000);
    packed.size = 10 + 511;
    expect_why(*state, &packed, "unexpected EOF", true);
    packed.size = 10 + 512;
    expect_why(*state, &packed, "gzip: invalid header", true);
}

static void test_what_is_no_gzip_is_told_so(void **state)
{
    struct packed packed = {.size = 0};
    expect_why(*state, &packed, "EOF", true);
    put(&packed, "{\"resourceSpans\":[]}", 20);
    expect_why(*state, &packed, "gzip: invalid header", true);
}

static void test_cut_body_ends_unexpectedly(void **state)
{
    struct packed packed = {.size = 0};
    put_member(&packed, hello, sizeof(hello) - 1);
    for (size_t size = packed.size - 1; size > 10; size--) {
        packed.size = size;
        expect_why(*state, &packed, "unexpected EOF", false);
    }
}

static void test_wrong_checksum_or_length_is_told(void **state)
{
    struct packed packed = {.size = 0};
    put_member(&packed, hello, sizeof(hello) - 1);
    packed.data[packed.size - 8] ^= 1;
    expect_why(*state, &packed, "gzip: invalid checksum", false);
    packed.data[packed.size - 8] ^= 1;
    packed.data[packed.size - 1] ^= 1;
    expect_why(*state, &packed, "gzip: invalid checksum", false);
}

static void test_corrupt_data_is_told(void **state)
{
    struct packed packed = {.size = 0};
    put(&packed, "\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
    put(&packed, "\x07\0\0\0\0\0\0\0\0\0\0\0", 12); // a block of the reserved type
    expect_why(*state, &packed, "flate: corrupt input", false);
    packed.size = 10;
    put(&packed, "\x01\x05\0\0\0hello", 10); // a stored block whose length is not confirmed
    expect_why(*state, &packed, "flate: corrupt input", false);
}

static void test_garbage_behind_a_member_is_an_error(void **state)
{
    struct packed packed = {.size = 0};
    put_member(&packed, hello, sizeof(hello) - 1);
    put(&packed, "\0\x11\x22\x33", 4);
    expect_why(*state, &packed, "unexpected EOF", false);
    put(&packed, "\0\x11\x22\x33\0\x11\x22\x33", 8);
    expect_why(*state, &packed, "gzip: invalid header", false);
}

// Much out of little: LIMIT zero bytes.
static struct packed bomb(size_t plain_size)
{
    struct packed packed = {.size = 0};
    uint8_t *zeros = calloc(1, plain_size);
    put_member(&packed, zeros, plain_size);
    free(zeros);
    return packed;
}

static void test_limit_is_exact(void **state)
{
    struct fixture *fixture = *state;
    struct packed packed = bomb(LIMIT);
    struct sw_buf *buf = NULL;
    const char *why = "untouched";
    assert_int_equal(gunzip(fixture, packed.data, packed.size, LIMIT, &buf, &why, NULL), 0);
    assert_int_equal(buf->size, LIMIT);
    sw_buf_unref(buf);
    buf = NULL;
    int err = gunzip(fixture, packed.data, packed.size, LIMIT - 1, &buf, &why, NULL);
    assert_int_equal(err, SW_E_TOO_LARGE);
    assert_null(buf);
    assert_string_equal(why, "untouched");
    assert_int_equal(sw_account_charged(&fixture->account), 0);
}

static void test_limit_counts_all_members_together(void **state)
{
    struct fixture *fixture = *state;
    struct packed packed = bomb(LIMIT / 2);
    struct packed twice = packed;
    put(&twice, packed.data, packed.size);
    struct sw_buf *buf = NULL;
    const char *why = NULL;
    assert_int_equal(gunzip(fixture, twice.data, twice.size, LIMIT, &buf, &why, NULL), 0);
    assert_int_equal(buf->size, LIMIT);
    sw_buf_unref(buf);
    put(&twice, packed.data, packed.size);
    int err = gunzip(fixture, twice.data, twice.size, LIMIT, &buf, &why, NULL);
    assert_int_equal(err, SW_E_TOO_LARGE);
}

static void test_promise_of_the_trailer_costs_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct packed packed = {.size = 0};
    put_member(&packed, hello, sizeof(hello) - 1);
    memset(packed.data + packed.size - 4, 0xff, 4); // 4 GiB, it says
    struct sw_buf *buf = NULL;
    const char *why = NULL;
    assert_int_equal(
        gunzip(fixture, packed.data, packed.size, UINT32_MAX, &buf, &why, NULL), SW_E_MALFORMED
    );
    assert_string_equal(why, "gzip: invalid checksum");
}

static void test_buffer_is_given_back_down_to_its_size(void **state)
{
    struct fixture *fixture = *state;
    struct packed packed = {.size = 0};
    put_member(&packed, hello, sizeof(hello) - 1);
    struct sw_buf *buf = NULL;
    const char *why = NULL;
    assert_int_equal(gunzip(fixture, packed.data, packed.size, LIMIT, &buf, &why, NULL), 0);
    assert_int_equal(sw_account_charged(&fixture->account), buf->charged_bytes);
    assert_int_equal(buf->capacity, buf->size);
    sw_buf_unref(buf);
}

/* ---- to write ---- */

struct ranges {
    const uint8_t *data;
    size_t size;
    size_t at;
    size_t most;
};

static bool next_range(void *ctx, struct sw_piece *ret_piece)
{
    struct ranges *ranges = ctx;
    size_t len = SW_MIN(ranges->most, ranges->size - ranges->at);
    *ret_piece = (struct sw_piece){NULL, ranges->data + ranges->at, (uint32_t)len};
    ranges->at += len;
    return len > 0;
}

// Packs, and opens with two libraries.
static void go_and_return(struct fixture *fixture, const uint8_t *data, size_t size, size_t most)
{
    struct ranges ranges = {data, size, 0, most};
    struct sw_buf *packed = NULL;
    struct sw_buf *plain = NULL;
    const char *why = NULL;
    int err = sw_codec_pack(
        fixture->codec, SW_CODING_GZIP, 0, next_range, &ranges, size, &fixture->account, &packed
    );
    assert_int_equal(err, 0);
    assert_int_equal(ranges.at, size);
    err = gunzip(fixture, packed->data, packed->size, size, &plain, &why, NULL);
    assert_int_equal(err, 0);
    assert_int_equal(plain->size, size);
    assert_memory_equal(plain->data, data, size);

    struct libdeflate_decompressor *other = libdeflate_alloc_decompressor();
    uint8_t *out = malloc(size + 1);
    size_t out_size = 0;
    size_t in_size = 0;
    assert_int_equal(
        libdeflate_gzip_decompress_ex(
            other, packed->data, packed->size, out, size + 1, &in_size, &out_size
        ),
        LIBDEFLATE_SUCCESS
    );
    assert_int_equal(in_size, packed->size);
    assert_int_equal(out_size, size);
    free(out);
    libdeflate_free_decompressor(other);
    sw_buf_unref(packed);
    sw_buf_unref(plain);
    assert_int_equal(sw_account_charged(&fixture->account), 0);
}

static void test_what_is_packed_opens_again(void **state)
{
    static const size_t sizes[] = {0, 1, 100, 1023, 5000, 70000, 300000};
    struct sw_rand rand;
    sw_rand_init(&rand, 11);
    uint8_t *data = malloc(300000);
    for (unsigned kind = 0; kind < 2; kind++) {
        for (size_t i = 0; i < 300000; i++) {
            uint64_t number = sw_rand_u64(&rand);
            // Text that packs well, then noise that does not pack at all.
            data[i] = kind == 0 ? (uint8_t)("spanweir"[i % 8] + (number % 50 == 0 ? 1 : 0))
                                : (uint8_t)number;
        }
        for (size_t i = 0; i < SW_ARRAY_SIZE(sizes); i++) {
            go_and_return(*state, data, sizes[i], SIZE_MAX);
            go_and_return(*state, data, sizes[i], 997);
        }
        go_and_return(*state, data, 5000, 1);
    }
    free(data);
}

static void test_telemetry_packs_well(void **state)
{
    struct fixture *fixture = *state;
    uint8_t data[20000];
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)("http.request.method GET /v1/cart 200 "[i % 37]);
    }
    struct ranges ranges = {data, sizeof(data), 0, 4000};
    struct sw_buf *packed = NULL;
    assert_int_equal(
        sw_codec_pack(
            fixture->codec,
            SW_CODING_GZIP,
            0,
            next_range,
            &ranges,
            sizeof(data),
            &fixture->account,
            &packed
        ),
        0
    );
    assert_true(packed->size < sizeof(data) / 20);
    assert_int_equal(packed->capacity, packed->size);
    sw_buf_unref(packed);
}

static void test_every_failed_allocation_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct packed packed = bomb(100000);
    uint8_t noise[8192];
    struct sw_rand rand;
    sw_rand_init(&rand, 3);
    for (size_t i = 0; i < sizeof(noise); i++) {
        noise[i] = (uint8_t)sw_rand_u64(&rand);
    }
    for (uint64_t nth = 1; nth < 20; nth++) {
        struct sw_buf *buf = NULL;
        const char *why = NULL;
        sw_mem_fail_at(nth, 0);
        int err = gunzip(fixture, packed.data, packed.size, LIMIT, &buf, &why, NULL);
        sw_mem_fail_at(0, 0);
        assert_true(err == SW_OK || err == SW_E_NOMEM);
        sw_buf_unref(buf);

        struct ranges ranges = {noise, sizeof(noise), 0, 1000};
        struct sw_codec *fresh = NULL;
        buf = NULL;
        assert_int_equal(sw_codec_new(&fresh), 0);
        sw_mem_fail_at(nth, 0);
        err = sw_codec_pack(
            fresh, SW_CODING_GZIP, 0, next_range, &ranges, 100, &fixture->account, &buf
        );
        sw_mem_fail_at(0, 0);
        assert_true(err == SW_OK || err == SW_E_NOMEM);
        sw_buf_unref(buf);
        sw_codec_free(fresh);
        assert_int_equal(sw_account_charged(&fixture->account), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_member_is_opened),
        cmocka_unit_test(test_empty_member_is_empty),
        cmocka_unit_test(test_two_members_are_joined),
        cmocka_unit_test(test_header_with_all_fields_is_skipped),
        cmocka_unit_test(test_name_without_end_is_no_header),
        cmocka_unit_test(test_what_is_no_gzip_is_told_so),
        cmocka_unit_test(test_cut_body_ends_unexpectedly),
        cmocka_unit_test(test_wrong_checksum_or_length_is_told),
        cmocka_unit_test(test_corrupt_data_is_told),
        cmocka_unit_test(test_garbage_behind_a_member_is_an_error),
        cmocka_unit_test(test_limit_is_exact),
        cmocka_unit_test(test_limit_counts_all_members_together),
        cmocka_unit_test(test_promise_of_the_trailer_costs_nothing),
        cmocka_unit_test(test_buffer_is_given_back_down_to_its_size),
        cmocka_unit_test(test_what_is_packed_opens_again),
        cmocka_unit_test(test_telemetry_packs_well),
        cmocka_unit_test(test_every_failed_allocation_is_told),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
