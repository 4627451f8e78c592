#include "dataplane/base/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void is_sum(struct sw_digest *digest, const char *text, const char *expected)
{
    uint8_t sum[SW_SHA256_BYTES];
    char hex[2 * SW_SHA256_BYTES + 1];
    assert_int_equal(sw_digest_sha256(digest, text, strlen(text), sum), 0);
    for (unsigned i = 0; i < SW_SHA256_BYTES; i++) {
        snprintf(hex + 2 * i, 3, "%02x", sum[i]);
    }
    assert_string_equal(hex, expected);
}

// FIPS 180-2, appendix B; the second use of the same object starts afresh.
static void test_known_messages_have_known_sums(void **state)
{
    struct sw_digest *digest;
    assert_int_equal(sw_digest_new(&digest), 0);
    for (unsigned i = 0; i < 2; i++) {
        is_sum(digest, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        is_sum(digest, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
    sw_digest_free(digest);
    sw_digest_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_messages_have_known_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
