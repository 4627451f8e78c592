/* The two ends of a pipeline open and close its books; tickets carry the first failure home. */
#include "dataplane/pipeline/ends.h"

#include "tests/lib/bench.h"

static struct sw_core core;
static struct sw_account account;
static struct bench_keeper keeper;
static struct sw_balance *balance;
static struct sw_stage *entry;
static struct sw_stage *branch;

static int open_pipeline(void **state)
{
    static const char *const exporters[] = {"keeper"};
    bench_core_init(&core, &account);
    bench_keeper_init(&keeper, &core);
    assert_int_equal(sw_balance_new("traces", SW_TRACES, exporters, 1, 1, &balance), SW_OK);
    struct sw_ledger *ledger = sw_balance_ledger(balance, 0);
    assert_int_equal(sw_branch_new(&core, &ledger->branches[0], &keeper.stage, &branch), SW_OK);
    assert_int_equal(sw_entry_new(&core, ledger, branch, &entry), SW_OK);
    return 0;
}

static int close_pipeline(void **state)
{
    sw_batch_free(keeper.last);
    entry->ops->free(entry);
    branch->ops->free(branch);
    sw_balance_free(balance);
    return sw_account_charged(&account) == 0 ? 0 : -1;
}

static struct sw_balance_sum books(void)
{
    struct sw_balance_sum sum;
    sw_balance_publish(balance, 0);
    sw_balance_read(balance, 0, &sum);
    assert_int_equal(sum.error, 0);
    return sum;
}

static void test_a_batch_is_received_and_stands_in_its_branch(void **state)
{
    keeper.keep_last = true;
    struct bench_ticket ticket;
    struct sw_batch *batch = bench_batch_in(&account, 0, 5, 0);
    assert_int_equal(bench_hand_over(entry, batch, &ticket), SW_OK);
    assert_int_equal(books().flow[SW_FLOW_RECEIVED], 5);
    assert_int_equal(books().branch[SW_BRANCH_QUEUED], 5);
    assert_string_equal(keeper.last->branch->exporter, "keeper");
    assert_int_equal(ticket.settled_count, 1);
    sw_branch_move(keeper.last->branch, SW_BRANCH_QUEUED, SW_BRANCH_DELIVERED, 5);
    assert_int_equal(books().branch[SW_BRANCH_DELIVERED], 5);
}

static void test_a_refused_batch_is_not_in_the_books(void **state)
{
    struct bench_ticket ticket;
    keeper.refuse = SW_E_QUEUE_FULL;
    assert_int_equal(bench_hand_over(entry, bench_batch(5), &ticket), SW_E_QUEUE_FULL);
    assert_int_equal(books().flow[SW_FLOW_RECEIVED], 0);
    assert_int_equal(ticket.settled_count, 0);
}

static void test_a_branch_that_is_left_out_counts_why(void **state)
{
    struct sw_batch *batch = bench_batch(3);
    entry->ops->drop(entry, batch, SW_E_QUEUE_FULL);
    assert_int_equal(books().flow[SW_FLOW_RECEIVED], 3);
    assert_int_equal(books().branch[SW_BRANCH_FAILED_QUEUE_FULL], 3);
    entry->ops->drop(entry, batch, SW_E_NOMEM);
    assert_int_equal(books().branch[SW_BRANCH_FAILED_MEMORY], 3);
    assert_int_equal(keeper.dropped_items, 6);
    assert_int_equal(keeper.dropped_err, SW_E_NOMEM);
    sw_batch_free(batch);
}

static void settle(struct bench_ticket *ticket, int err, int grpc_code, const char *text)
{
    struct sw_outcome outcome = {
        .err = err,
        .grpc_code = grpc_code,
        .text = text != NULL ? sw_buf_copy(&account, text, (uint32_t)strlen(text)) : NULL,
    };
    sw_ticket_settle(&ticket->ticket, &outcome);
}

static void test_a_ticket_waits_for_all_its_parts(void **state)
{
    struct bench_ticket ticket = {.err = 77};
    sw_ticket_init(&ticket.ticket, bench_ticket_settled);
    sw_ticket_add(&ticket.ticket, 2);
    sw_ticket_settle(&ticket.ticket, NULL);
    sw_ticket_settle_err(&ticket.ticket, SW_OK);
    assert_int_equal(ticket.settled_count, 0);
    sw_ticket_settle_err(&ticket.ticket, SW_OK);
    assert_int_equal(ticket.settled_count, 1);
    assert_int_equal(ticket.err, SW_OK);
}

static void test_the_first_failure_wins_and_a_status_beats_a_plain_error(void **state)
{
    struct bench_ticket ticket = {.err = 77};
    sw_ticket_init(&ticket.ticket, bench_ticket_settled);
    sw_ticket_add(&ticket.ticket, 4);
    settle(&ticket, SW_E_FULL, 0, "plain");
    settle(&ticket, SW_E_NOMEM, 0, "second plain");
    settle(&ticket, SW_E_PERMANENT, 3, "status");
    settle(&ticket, SW_E_REFUSED, 14, "second status");
    settle(&ticket, SW_OK, 0, NULL);
    assert_int_equal(ticket.settled_count, 1);
    assert_int_equal(ticket.err, SW_E_PERMANENT);
    assert_int_equal(ticket.grpc_code, 3);
    assert_string_equal(ticket.text, "status");
    assert_int_equal(sw_account_charged(&account), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_a_batch_is_received_and_stands_in_its_branch, open_pipeline, close_pipeline
        ),
        cmocka_unit_test_setup_teardown(
            test_a_refused_batch_is_not_in_the_books, open_pipeline, close_pipeline
        ),
        cmocka_unit_test_setup_teardown(
            test_a_branch_that_is_left_out_counts_why, open_pipeline, close_pipeline
        ),
        cmocka_unit_test(test_a_ticket_waits_for_all_its_parts),
        cmocka_unit_test(test_the_first_failure_wins_and_a_status_beats_a_plain_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
