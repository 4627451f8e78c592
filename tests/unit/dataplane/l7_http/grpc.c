/* gRPC framing: messages in any segmentation, limits and budget, timeouts, codes. */
#include "dataplane/l7_http/grpc.h"

#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define LIMIT 1000

struct fixture {
    struct sw_account account;
    struct sw_http_budget budget;
    struct sw_grpc_reader reader;
};

static void begin(struct fixture *fixture, int64_t budget_bytes)
{
    memset(fixture, 0, sizeof(*fixture));
    fixture->budget.limit_bytes = budget_bytes;
    sw_grpc_reader_init(&fixture->reader, LIMIT, &fixture->account, &fixture->budget);
}

static void end(struct fixture *fixture)
{
    sw_grpc_reader_fini(&fixture->reader);
    sw_grpc_reader_fini(&fixture->reader); // idempotent
    assert_int_equal(fixture->budget.used_bytes, 0);
    assert_int_equal(sw_account_charged(&fixture->account), 0);
}

static int feed(struct fixture *fixture, const void *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    memcpy(copy, data, size);
    int err = sw_grpc_reader_feed(&fixture->reader, copy, size);
    free(copy);
    return err;
}

static void test_message_in_any_pieces_is_read_whole(void **state)
{
    static const uint8_t message[] = {1, 0, 0, 0, 3, 'a', 'b', 'c'};
    for (size_t cut = 0; cut <= sizeof(message); cut++) {
        struct fixture fixture;
        begin(&fixture, LIMIT);
        assert_int_equal(feed(&fixture, message, cut), 0);
        assert_int_equal(fixture.reader.done, cut == sizeof(message));
        assert_int_equal(feed(&fixture, message + cut, sizeof(message) - cut), 0);
        assert_true(fixture.reader.done);
        assert_true(fixture.reader.compressed);
        struct sw_buf *buf = sw_grpc_reader_take(&fixture.reader);
        assert_int_equal(buf->size, 3);
        assert_memory_equal(buf->data, "abc", 3);
        assert_int_equal(fixture.budget.used_bytes, 0);
        sw_buf_unref(buf);
        end(&fixture);
    }
}

static void test_empty_message_is_done_with_its_prefix(void **state)
{
    struct fixture fixture;
    begin(&fixture, LIMIT);
    assert_int_equal(feed(&fixture, "\0\0\0\0\0", 5), 0);
    assert_true(fixture.reader.done);
    struct sw_buf *buf = sw_grpc_reader_take(&fixture.reader);
    assert_int_equal(buf->size, 0);
    sw_buf_unref(buf);
    end(&fixture);
}

static void test_bytes_behind_the_message_are_ignored(void **state)
{
    struct fixture fixture;
    begin(&fixture, LIMIT);
    assert_int_equal(feed(&fixture, "\0\0\0\0\1x\7junk", 11), 0);
    assert_int_equal(feed(&fixture, "more", 4), 0);
    assert_true(fixture.reader.done);
    assert_int_equal(fixture.reader.buf->size, 1);
    end(&fixture);
}

static void test_length_is_admitted_before_anything_is_allocated(void **state)
{
    struct fixture fixture;
    begin(&fixture, LIMIT);
    assert_int_equal(feed(&fixture, "\0\0\0\3\xe9", 5), SW_E_TOO_LARGE); // 1001
    assert_int_equal(fixture.reader.length, 1001);
    assert_null(fixture.reader.buf);
    assert_int_equal(feed(&fixture, "x", 1), SW_E_TOO_LARGE); // stays so
    end(&fixture);

    begin(&fixture, LIMIT);
    assert_int_equal(feed(&fixture, "\0\0\0\3\xe8", 5), 0);
    assert_int_equal(fixture.budget.used_bytes, 1000);
    assert_true(sw_account_charged(&fixture.account) >= 1000);
    end(&fixture);

    begin(&fixture, 999);
    assert_int_equal(feed(&fixture, "\0\0\0\3\xe8", 5), SW_E_FULL);
    assert_int_equal(fixture.budget.used_bytes, 0);
    assert_null(fixture.reader.buf);
    end(&fixture);
}

static void test_other_flags_are_refused_and_told(void **state)
{
    struct fixture fixture;
    begin(&fixture, LIMIT);
    assert_int_equal(feed(&fixture, "\2\0\0\0\1", 5), SW_E_PROTOCOL);
    assert_int_equal(fixture.reader.prefix[0], 2);
    end(&fixture);
}

static void test_out_of_memory_gives_the_budget_back(void **state)
{
    struct fixture fixture;
    begin(&fixture, LIMIT);
    sw_mem_fail_at(1, 0);
    assert_int_equal(feed(&fixture, "\0\0\0\0\1", 5), SW_E_NOMEM);
    sw_mem_fail_at(0, 0);
    assert_int_equal(fixture.budget.used_bytes, 0);
    end(&fixture);
}

static void test_message_without_budget_is_read(void **state)
{
    struct sw_grpc_reader reader;
    sw_grpc_reader_init(&reader, LIMIT, NULL, NULL);
    assert_int_equal(sw_grpc_reader_feed(&reader, (const uint8_t *)"\0\0\0\0\1x", 6), 0);
    assert_true(reader.done);
    sw_grpc_reader_fini(&reader);
}

static void test_prefix_is_written_big_endian(void **state)
{
    uint8_t out[SW_GRPC_PREFIX_BYTES];
    sw_grpc_prefix(out, true, 0x01020304);
    assert_memory_equal(out, "\1\1\2\3\4", 5);
    sw_grpc_prefix(out, false, 0x3a);
    assert_memory_equal(out, "\0\0\0\0\x3a", 5);
}

static void test_timeouts_are_read_with_their_units(void **state)
{
    static const struct {
        const char *text;
        uint64_t ns;
    } cases[] = {
        {"5S", 5 * SW_NS_PER_S},
        {"99999999m", 99999999 * SW_NS_PER_MS},
        {"1u", 1000},
        {"0n", 0},
        {"2M", 120 * SW_NS_PER_S},
        {"1H", 3600 * SW_NS_PER_S},
        {"2562047H", UINT64_C(2562047) * 3600 * SW_NS_PER_S},
        {"2562048H", INT64_MAX},
        {"99999999H", INT64_MAX},
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(cases); i++) {
        uint64_t ns = 1;
        const char *why = NULL;
        struct sw_http_text text = {cases[i].text, strlen(cases[i].text)};
        assert_int_equal(sw_grpc_timeout_parse(text, &ns, &why), 0);
        assert_true(ns == cases[i].ns);
    }
}

static void test_malformed_timeouts_are_explained(void **state)
{
    static const struct {
        const char *text;
        const char *why;
    } cases[] = {
        {"", "transport: timeout string is too short"},
        {"S", "transport: timeout string is too short"},
        {"123456789S", "transport: timeout string is too long"},
        {"5x", "transport: timeout unit is not recognized"},
        {"55", "transport: timeout unit is not recognized"},
        {"+5S", "strconv.ParseUint: invalid syntax"},
        {"-5S", "strconv.ParseUint: invalid syntax"},
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(cases); i++) {
        uint64_t ns = 7;
        const char *why = NULL;
        struct sw_http_text text = {cases[i].text, strlen(cases[i].text)};
        assert_int_equal(sw_grpc_timeout_parse(text, &ns, &why), SW_E_INVALID);
        assert_string_equal(why, cases[i].why);
        assert_int_equal(ns, 7);
    }
}

static void test_timeouts_are_written_in_the_smallest_unit_that_fits(void **state)
{
    static const struct {
        uint64_t ns;
        const char *text;
    } cases[] = {
        {0, "0n"},
        {1, "1n"},
        {99999999, "99999999n"},
        {100000000, "100000u"},
        {100000001, "100001u"}, // rounded up
        {5 * SW_NS_PER_S, "5000000u"},
        {100 * SW_NS_PER_S, "100000m"},
        {UINT64_C(100000) * SW_NS_PER_S, "100000S"},
        {UINT64_MAX, "307445735M"},
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(cases); i++) {
        char out[17] = {0};
        size_t len = sw_grpc_timeout_format(cases[i].ns, out);
        out[len] = '\0';
        if (cases[i].ns == UINT64_MAX) {
            assert_string_equal(out, "5124096H");
        } else {
            assert_string_equal(out, cases[i].text);
        }
    }
}

static void test_written_timeouts_are_never_shorter_when_read(void **state)
{
    for (uint64_t ns = 1; ns < UINT64_C(1) << 62; ns = ns * 3 + 1) {
        char out[16];
        uint64_t back = 0;
        const char *why;
        struct sw_http_text text = {out, sw_grpc_timeout_format(ns, out)};
        assert_int_equal(sw_grpc_timeout_parse(text, &back, &why), 0);
        assert_true(back >= ns);
    }
}

static void test_codes_have_gos_names(void **state)
{
    assert_string_equal(sw_grpc_code_name(SW_GRPC_OK), "OK");
    assert_string_equal(sw_grpc_code_name(SW_GRPC_CANCELLED), "Canceled");
    assert_string_equal(sw_grpc_code_name(SW_GRPC_UNAUTHENTICATED), "Unauthenticated");
    assert_null(sw_grpc_code_name(17));
    assert_null(sw_grpc_code_name(-1));
}

static void test_resets_and_statuses_become_codes(void **state)
{
    assert_int_equal(sw_grpc_code_of_reset(SW_H2_NO_ERROR), SW_GRPC_INTERNAL);
    assert_int_equal(sw_grpc_code_of_reset(SW_H2_REFUSED_STREAM), SW_GRPC_UNAVAILABLE);
    assert_int_equal(sw_grpc_code_of_reset(SW_H2_CANCEL), SW_GRPC_CANCELLED);
    assert_int_equal(sw_grpc_code_of_reset(SW_H2_ENHANCE_YOUR_CALM), SW_GRPC_RESOURCE_EXHAUSTED);
    assert_int_equal(sw_grpc_code_of_reset(SW_H2_FLOW_CONTROL_ERROR), SW_GRPC_RESOURCE_EXHAUSTED);
    assert_int_equal(sw_grpc_code_of_reset(SW_H2_INADEQUATE_SECURITY), SW_GRPC_PERMISSION_DENIED);
    assert_int_equal(sw_grpc_code_of_reset(SW_H2_HTTP_1_1_REQUIRED), SW_GRPC_INTERNAL);
    assert_int_equal(sw_grpc_code_of_reset(99), SW_GRPC_UNKNOWN);
    assert_int_equal(sw_grpc_code_of_http(400), SW_GRPC_INTERNAL);
    assert_int_equal(sw_grpc_code_of_http(404), SW_GRPC_UNIMPLEMENTED);
    assert_int_equal(sw_grpc_code_of_http(503), SW_GRPC_UNAVAILABLE);
    assert_int_equal(sw_grpc_code_of_http(500), SW_GRPC_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message_in_any_pieces_is_read_whole),
        cmocka_unit_test(test_empty_message_is_done_with_its_prefix),
        cmocka_unit_test(test_bytes_behind_the_message_are_ignored),
        cmocka_unit_test(test_length_is_admitted_before_anything_is_allocated),
        cmocka_unit_test(test_other_flags_are_refused_and_told),
        cmocka_unit_test(test_out_of_memory_gives_the_budget_back),
        cmocka_unit_test(test_message_without_budget_is_read),
        cmocka_unit_test(test_prefix_is_written_big_endian),
        cmocka_unit_test(test_timeouts_are_read_with_their_units),
        cmocka_unit_test(test_malformed_timeouts_are_explained),
        cmocka_unit_test(test_timeouts_are_written_in_the_smallest_unit_that_fits),
        cmocka_unit_test(test_written_timeouts_are_never_shorter_when_read),
        cmocka_unit_test(test_codes_have_gos_names),
        cmocka_unit_test(test_resets_and_statuses_become_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
