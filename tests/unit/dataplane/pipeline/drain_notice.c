/* What a GOAWAY says of the end that is near. */
#include "dataplane/pipeline/drain_notice.h"

#include "dataplane/base/clock.h"
#include "tests/lib/bench.h"

static void test_what_is_written_is_read(void **state)
{
    static const uint64_t notices_ns[] = {SW_NS_PER_MS, 30 * SW_NS_PER_S, SW_DRAIN_NOTICE_MAX_NS};
    for (size_t i = 0; i < SW_ARRAY_SIZE(notices_ns); i++) {
        char text[SW_DRAIN_NOTICE_TEXT];
        uint64_t notice_ns = 0;
        sw_drain_notice_write(notices_ns[i], text);
        assert_true(sw_drain_notice_read(text, strlen(text), &notice_ns));
        assert_true(notice_ns == notices_ns[i]);
    }
    char text[SW_DRAIN_NOTICE_TEXT];
    sw_drain_notice_write(30 * SW_NS_PER_S, text);
    assert_string_equal(text, "spanweir-drain/1 notice_ms=30000");
}

static void test_texts_of_others_are_not_notices(void **state)
{
    static const char *const texts[] = {
        "",
        "graceful_stop",
        "max_age",
        "spanweir-drain/1",
        "spanweir-drain/1 notice_ms=",
        "spanweir-drain/1 notice_ms=x",
        "spanweir-drain/1 notice_ms=5x",
        "xspanweir-drain/1 notice_ms=5",
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(texts); i++) {
        uint64_t notice_ns = 77;
        assert_false(sw_drain_notice_read(texts[i], strlen(texts[i]), &notice_ns));
        assert_int_equal(notice_ns, 77);
    }
}

static void test_later_versions_and_long_notices_are_understood(void **state)
{
    static const char later[] = "spanweir-drain/2 why=upgrade notice_ms=1500 and=more";
    static const char endless[] = "spanweir-drain/1 notice_ms=99999999999999999999999999";
    uint64_t notice_ns = 0;
    assert_true(sw_drain_notice_read(later, strlen(later), &notice_ns));
    assert_int_equal(notice_ns, 1500 * SW_NS_PER_MS);
    assert_true(sw_drain_notice_read(endless, strlen(endless), &notice_ns));
    assert_true(notice_ns == SW_DRAIN_NOTICE_MAX_NS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_is_read),
        cmocka_unit_test(test_texts_of_others_are_not_notices),
        cmocka_unit_test(test_later_versions_and_long_notices_are_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
