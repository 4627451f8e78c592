/* The books: per core, published whole, summed by readers at any time. */
#include "dataplane/pipeline/balance.h"

#include "dataplane/base/mem.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *const exporters[] = {"otlp", "debug"};

static struct sw_balance *new_balance(unsigned cores_count)
{
    struct sw_balance *balance = NULL;
    assert_int_equal(
        sw_balance_new("traces/x", SW_TRACES, exporters, 2, cores_count, &balance), SW_OK
    );
    return balance;
}

static void test_readers_see_what_was_published(void **state)
{
    struct sw_balance *balance = new_balance(2);
    struct sw_ledger *ledger = sw_balance_ledger(balance, 1);
    assert_string_equal(ledger->branches[1].exporter, "debug");
    ledger->flow[SW_FLOW_RECEIVED] += 10;
    sw_branch_move(&ledger->branches[0], SW_BRANCH_QUEUED, SW_BRANCH_QUEUED, 10);
    ledger->branches[0].flow[SW_BRANCH_QUEUED] += 10;
    ledger->branches[1].flow[SW_BRANCH_DELIVERED] += 10;
    struct sw_balance_sum sum;
    sw_balance_read(balance, 0, &sum);
    assert_int_equal(sum.flow[SW_FLOW_RECEIVED], 0); // not yet
    sw_balance_publish(balance, 1);
    sw_balance_read(balance, 0, &sum);
    assert_int_equal(sum.flow[SW_FLOW_RECEIVED], 10);
    assert_int_equal(sum.branch[SW_BRANCH_QUEUED], 10);
    assert_int_equal(sum.error, 0);
    sw_balance_read(balance, 1, &sum);
    assert_int_equal(sum.branch[SW_BRANCH_DELIVERED], 10);
    assert_int_equal(sum.error, 0);
    sw_balance_free(balance);
}

static void test_cores_are_summed_and_what_vanished_is_the_error(void **state)
{
    struct sw_balance *balance = new_balance(2);
    struct sw_ledger *a = sw_balance_ledger(balance, 0);
    struct sw_ledger *b = sw_balance_ledger(balance, 1);
    // Core 0 receives and hands to core 1: each side's books change in one step.
    a->flow[SW_FLOW_RECEIVED] += 7;
    a->flow[SW_FLOW_HELD] += 7;
    a->flow[SW_FLOW_HELD] -= 4;
    b->flow[SW_FLOW_HELD] += 4;
    sw_ledger_move(b, SW_FLOW_HELD, SW_FLOW_NOT_SAMPLED, 3);
    sw_balance_publish(balance, 0);
    sw_balance_publish(balance, 1);
    struct sw_balance_sum sum;
    sw_balance_read(balance, 0, &sum);
    assert_int_equal(sum.flow[SW_FLOW_HELD], 4);
    assert_int_equal(sum.flow[SW_FLOW_NOT_SAMPLED], 3);
    assert_int_equal(sum.error, 0);
    b->flow[SW_FLOW_HELD] -= 1; // one span that nobody accounts for
    sw_balance_publish(balance, 1);
    sw_balance_read(balance, 0, &sum);
    assert_int_equal(sum.error, 1);
    sw_balance_free(balance);
}

static void test_it_knows_its_names(void **state)
{
    struct sw_balance *balance = new_balance(1);
    assert_string_equal(sw_balance_pipeline(balance), "traces/x");
    assert_int_equal(sw_balance_signal(balance), SW_TRACES);
    assert_int_equal(sw_balance_branches_count(balance), 2);
    assert_string_equal(sw_balance_exporter(balance, 0), "otlp");
    sw_branch_move(NULL, SW_BRANCH_QUEUED, SW_BRANCH_DELIVERED, 1); // no books: legal
    sw_balance_free(balance);
    sw_balance_free(NULL);
}

struct race {
    struct sw_balance *balance;
    _Atomic bool stop;
};

static void *write_books(void *context)
{
    struct race *race = context;
    struct sw_ledger *ledger = sw_balance_ledger(race->balance, 0);
    for (int64_t i = 1; !atomic_load(&race->stop); i++) {
        ledger->flow[SW_FLOW_RECEIVED] += i;
        ledger->branches[0].flow[SW_BRANCH_DELIVERED] += i;
        ledger->branches[1].flow[SW_BRANCH_QUEUED] += i;
        sw_balance_publish(race->balance, 0);
    }
    return NULL;
}

static void test_a_reader_never_sees_half_a_change(void **state)
{
    struct race race = {.balance = new_balance(1)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_books, &race), 0);
    for (unsigned i = 0; i < 20000; i++) {
        struct sw_balance_sum sum;
        sw_balance_read(race.balance, i % 2, &sum);
        assert_int_equal(sum.error, 0);
    }
    atomic_store(&race.stop, true);
    pthread_join(thread, NULL);
    sw_balance_free(race.balance);
}

static void test_every_failing_allocation_is_a_clean_error(void **state)
{
    struct sw_balance *balance = NULL;
    unsigned failed = 0;
    int err;
    do {
        sw_mem_fail_at(++failed, 0);
        err = sw_balance_new("traces", SW_TRACES, exporters, 2, 2, &balance);
        sw_mem_fail_at(0, 0);
        assert_true(err == SW_OK || err == SW_E_NOMEM);
        assert_true(failed < 30);
    } while (err != SW_OK);
    assert_true(failed > 5);
    sw_balance_free(balance);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readers_see_what_was_published),
        cmocka_unit_test(test_cores_are_summed_and_what_vanished_is_the_error),
        cmocka_unit_test(test_it_knows_its_names),
        cmocka_unit_test(test_a_reader_never_sees_half_a_change),
        cmocka_unit_test(test_every_failing_allocation_is_a_clean_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
