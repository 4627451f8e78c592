/* Buffers: what is charged is what is pinned, for exactly as long. */
#include "dataplane/base/buf.h"

#include "dataplane/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_a_buffer_is_charged_whole_until_its_last_reference(void **state)
{
    struct sw_account account = {.charged_bytes = 0};
    struct sw_buf *buf = sw_buf_new(&account, 1000);
    assert_int_equal(buf->size, 0);
    assert_int_equal(buf->capacity, 1000);
    int64_t charged = sw_account_charged(&account);
    assert_int_equal(charged, buf->charged_bytes);
    assert_true(charged >= 1000);
    assert_ptr_equal(sw_buf_ref(buf), buf);
    sw_buf_unref(buf);
    assert_int_equal(sw_account_charged(&account), charged);
    sw_buf_unref(buf);
    assert_int_equal(sw_account_charged(&account), 0);
}

static void test_nobody_is_a_legal_buffer(void **state)
{
    assert_null(sw_buf_ref(NULL));
    sw_buf_unref(NULL);
    struct sw_buf *buf = sw_buf_copy(NULL, "abc", 3); // charged to nobody
    assert_int_equal(buf->size, 3);
    assert_memory_equal(buf->data, "abc", 3);
    sw_buf_unref(buf);
}

static void test_shrinking_gives_back_what_is_worth_it(void **state)
{
    struct sw_account account = {.charged_bytes = 0};
    struct sw_buf *buf = sw_buf_new(&account, 1000);
    memset(buf->data, 'x', 900);
    buf->size = 900;
    assert_ptr_equal(sw_buf_shrink(buf), buf); // a tenth is not
    assert_int_equal(buf->capacity, 1000);
    buf->size = 100;
    buf = sw_buf_shrink(buf);
    assert_int_equal(buf->capacity, 100);
    assert_int_equal(sw_account_charged(&account), buf->charged_bytes);
    assert_true(buf->charged_bytes < 200);
    assert_int_equal(buf->data[99], 'x');
    sw_buf_unref(buf);
    assert_int_equal(sw_account_charged(&account), 0);
}

static void test_without_memory_nothing_is_charged(void **state)
{
    struct sw_account account = {.charged_bytes = 0};
    sw_mem_fail_at(1, 0);
    assert_null(sw_buf_new(&account, 10));
    sw_mem_fail_at(1, 0);
    assert_null(sw_buf_copy(&account, "a", 1));
    sw_mem_fail_at(0, 0);
    assert_int_equal(sw_account_charged(&account), 0);
    struct sw_buf *buf = sw_buf_new(&account, 1000);
    int64_t charged = sw_account_charged(&account);
    sw_mem_fail_at(1, 0);
    assert_ptr_equal(sw_buf_shrink(buf), buf); // keeping the larger one is no error
    sw_mem_fail_at(0, 0);
    assert_int_equal(sw_account_charged(&account), charged);
    sw_buf_unref(buf);
    assert_int_equal(sw_account_charged(&account), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_buffer_is_charged_whole_until_its_last_reference),
        cmocka_unit_test(test_nobody_is_a_legal_buffer),
        cmocka_unit_test(test_shrinking_gives_back_what_is_worth_it),
        cmocka_unit_test(test_without_memory_nothing_is_charged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
