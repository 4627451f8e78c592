#include "dataplane/base/snapshot.h"

#include "dataplane/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_old_snapshot_lives_until_every_online_core_was_quiet(void **state)
{
    struct sw_quiet *quiet;
    assert_int_equal(sw_quiet_new(2, &quiet), 0);
    int first = 1;
    int second = 2;
    struct sw_snapshot snapshot = {&first};
    sw_quiet_online(quiet, 0);
    sw_quiet_online(quiet, 1);
    assert_ptr_equal(sw_snapshot_read(&snapshot), &first);
    unsigned long token;
    assert_ptr_equal(sw_snapshot_publish(&snapshot, quiet, &second, &token), &first);
    assert_ptr_equal(sw_snapshot_read(&snapshot), &second);
    assert_false(sw_quiet_passed(quiet, token));
    sw_quiet_point(quiet, 0);
    assert_false(sw_quiet_passed(quiet, token));
    sw_quiet_offline(quiet, 1); // a sleeping core holds nothing
    assert_true(sw_quiet_passed(quiet, token));
    sw_quiet_free(quiet);
}

static void test_failing_allocation_is_a_clean_error(void **state)
{
    for (uint64_t nth = 1; nth <= 2; nth++) {
        struct sw_quiet *quiet = NULL;
        sw_mem_fail_at(nth, 0);
        assert_int_equal(sw_quiet_new(2, &quiet), SW_E_NOMEM);
        sw_mem_fail_at(0, 0);
        assert_null(quiet);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_old_snapshot_lives_until_every_online_core_was_quiet),
        cmocka_unit_test(test_failing_allocation_is_a_clean_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
