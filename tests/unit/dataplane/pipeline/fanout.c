#include "dataplane/base/mem.h"
#include "dataplane/pipeline/ends.h"
#include "dataplane/pipeline/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A stage that keeps what it gets and can be told to refuse. */
struct keeper {
    struct sw_stage stage;
    int refuse;
    int places;
    int64_t dropped;
    struct sw_batch *batch;
    struct sw_ticket *ticket;
};

static int keeper_admit(struct sw_stage *stage, const struct sw_batch *batch, enum sw_admit mode)
{
    struct keeper *keeper = (struct keeper *)stage;
    if (keeper->refuse != 0) {
        return keeper->refuse;
    }
    keeper->places++;
    return SW_OK;
}

static void keeper_retract(struct sw_stage *stage, const struct sw_batch *batch)
{
    ((struct keeper *)stage)->places--;
}

static void keeper_consume(struct sw_stage *stage, struct sw_batch *batch, struct sw_ticket *ticket)
{
    struct keeper *keeper = (struct keeper *)stage;
    assert_null(keeper->batch);
    keeper->batch = batch;
    keeper->ticket = ticket;
}

static void keeper_drop(struct sw_stage *stage, const struct sw_batch *batch, int err)
{
    ((struct keeper *)stage)->dropped += batch->items_count;
}

static const struct sw_stage_ops keeper_ops = {
    .admit = keeper_admit,
    .retract = keeper_retract,
    .consume = keeper_consume,
    .drop = keeper_drop,
};

static void keeper_finish(struct keeper *keeper, int err)
{
    sw_batch_free(keeper->batch);
    keeper->batch = NULL;
    sw_ticket_settle_err(keeper->ticket, err);
}

static unsigned settled_count;

static void on_settled(struct sw_ticket *ticket)
{
    settled_count++;
}

static struct sw_batch *batch_of(uint32_t items)
{
    struct sw_batch *batch = sw_batch_new(SW_TRACES);
    struct sw_buf *buf = sw_buf_copy(NULL, "\x0a\x00", 2);
    assert_int_equal(sw_batch_add_raw(batch, buf, buf->data, 2, items), 0);
    sw_buf_unref(buf);
    return batch;
}

#define KEEPERS 3
struct bench {
    struct keeper keepers[KEEPERS];
    struct sw_stage *fanout;
};

static void bench_init(struct bench *bench)
{
    struct sw_stage *branches[KEEPERS];
    memset(bench, 0, sizeof(*bench));
    for (unsigned i = 0; i < KEEPERS; i++) {
        bench->keepers[i].stage.ops = &keeper_ops;
        branches[i] = &bench->keepers[i].stage;
    }
    assert_int_equal(sw_fanout_new(NULL, branches, KEEPERS, &bench->fanout), 0);
    settled_count = 0;
}

static void test_all_branches_share_the_bytes_and_settle_once(void **state)
{
    struct bench bench;
    bench_init(&bench);
    struct sw_batch *batch = batch_of(5);
    struct sw_buf *buf = batch->pieces[0].buf;
    struct sw_ticket ticket;
    sw_ticket_init(&ticket, on_settled);
    assert_int_equal(sw_stage_admit(bench.fanout, batch, SW_ADMIT_ALL), 0);
    sw_stage_consume(bench.fanout, batch, &ticket);
    assert_int_equal(buf->refs_count, KEEPERS);
    keeper_finish(&bench.keepers[1], SW_OK);
    keeper_finish(&bench.keepers[0], SW_E_RESET);
    assert_int_equal(settled_count, 0);
    keeper_finish(&bench.keepers[2], SW_OK);
    assert_int_equal(settled_count, 1);
    assert_int_equal(ticket.outcome.err, SW_E_RESET);
    bench.fanout->ops->free(bench.fanout);
}

static void test_sender_is_refused_when_one_branch_is_full_and_nobody_keeps_a_place(void **state)
{
    struct bench bench;
    bench_init(&bench);
    struct sw_batch *batch = batch_of(5);
    bench.keepers[2].refuse = SW_E_QUEUE_FULL;
    assert_int_equal(sw_stage_admit(bench.fanout, batch, SW_ADMIT_ALL), SW_E_QUEUE_FULL);
    for (unsigned i = 0; i < KEEPERS; i++) {
        assert_int_equal(bench.keepers[i].places, 0);
        assert_int_equal(bench.keepers[i].dropped, 0);
    }
    sw_batch_free(batch);
    bench.fanout->ops->free(bench.fanout);
}

static void test_owner_goes_on_without_the_full_branch_and_is_told(void **state)
{
    struct bench bench;
    bench_init(&bench);
    struct sw_batch *batch = batch_of(5);
    struct sw_ticket ticket;
    sw_ticket_init(&ticket, on_settled);
    bench.keepers[2].refuse = SW_E_QUEUE_FULL;
    assert_int_equal(sw_stage_admit(bench.fanout, batch, SW_ADMIT_ANY), 0);
    sw_stage_consume(bench.fanout, batch, &ticket);
    assert_int_equal(bench.keepers[2].dropped, 5);
    assert_null(bench.keepers[2].batch);
    keeper_finish(&bench.keepers[0], SW_OK);
    keeper_finish(&bench.keepers[1], SW_OK);
    assert_int_equal(settled_count, 1);
    assert_int_equal(ticket.outcome.err, SW_E_QUEUE_FULL);
    bench.fanout->ops->free(bench.fanout);
}

static void test_owner_keeps_its_data_when_no_branch_has_room(void **state)
{
    struct bench bench;
    bench_init(&bench);
    struct sw_batch *batch = batch_of(5);
    for (unsigned i = 0; i < KEEPERS; i++) {
        bench.keepers[i].refuse = SW_E_QUEUE_FULL;
    }
    assert_int_equal(sw_stage_admit(bench.fanout, batch, SW_ADMIT_ANY), SW_E_QUEUE_FULL);
    assert_int_equal(bench.keepers[0].dropped, 0);
    sw_batch_free(batch);
    bench.fanout->ops->free(bench.fanout);
}

static void test_retract_gives_every_place_back(void **state)
{
    struct bench bench;
    bench_init(&bench);
    struct sw_batch *batch = batch_of(1);
    assert_int_equal(sw_stage_admit(bench.fanout, batch, SW_ADMIT_ALL), 0);
    sw_stage_retract(bench.fanout, batch);
    for (unsigned i = 0; i < KEEPERS; i++) {
        assert_int_equal(bench.keepers[i].places, 0);
    }
    sw_batch_free(batch);
    bench.fanout->ops->free(bench.fanout);
}

static void test_branch_that_cannot_be_copied_is_counted_and_told(void **state)
{
    struct bench bench;
    bench_init(&bench);
    struct sw_batch *batch = batch_of(5);
    struct sw_ticket ticket;
    sw_ticket_init(&ticket, on_settled);
    assert_int_equal(sw_stage_admit(bench.fanout, batch, SW_ADMIT_ALL), 0);
    sw_mem_fail_at(1, 0);
    sw_stage_consume(bench.fanout, batch, &ticket);
    sw_mem_fail_at(0, 0);
    assert_int_equal(bench.keepers[0].dropped, 5);
    assert_int_equal(bench.keepers[0].places, 0);
    keeper_finish(&bench.keepers[1], SW_OK);
    keeper_finish(&bench.keepers[2], SW_OK);
    assert_int_equal(settled_count, 1);
    assert_int_equal(ticket.outcome.err, SW_E_NOMEM);
    bench.fanout->ops->free(bench.fanout);
}

static void test_status_beats_a_plain_error(void **state)
{
    struct sw_ticket ticket;
    sw_ticket_init(&ticket, on_settled);
    sw_ticket_add(&ticket, 2);
    sw_ticket_settle_err(&ticket, SW_E_RESET);
    struct sw_outcome status = {.err = SW_E_REFUSED, .grpc_code = 8};
    sw_ticket_settle(&ticket, &status);
    sw_ticket_settle_err(&ticket, SW_E_CLOSED);
    assert_int_equal(ticket.outcome.grpc_code, 8);
}

static void test_books_balance_after_every_step(void **state)
{
    const char *exporters[2] = {"a", "b"};
    struct sw_balance *balance;
    assert_int_equal(sw_balance_new("traces", SW_TRACES, exporters, 2, 2, &balance), 0);
    struct sw_ledger *ledger = sw_balance_ledger(balance, 0);
    struct keeper keepers[2] = {{.stage = {.ops = &keeper_ops}}, {.stage = {.ops = &keeper_ops}}};
    struct sw_stage *branches[2];
    struct sw_stage *fanout;
    struct sw_stage *entry;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(
            sw_branch_new(NULL, &ledger->branches[i], &keepers[i].stage, &branches[i]), 0
        );
    }
    assert_int_equal(sw_fanout_new(NULL, branches, 2, &fanout), 0);
    assert_int_equal(sw_entry_new(NULL, ledger, fanout, &entry), 0);
    keepers[1].refuse = SW_E_QUEUE_FULL;
    struct sw_batch *batch = batch_of(7);
    struct sw_ticket ticket;
    sw_ticket_init(&ticket, on_settled);
    assert_int_equal(sw_stage_admit(entry, batch, SW_ADMIT_ANY), 0);
    sw_stage_consume(entry, batch, &ticket);
    struct sw_balance_sum sum;
    sw_balance_read(balance, 0, &sum);
    assert_int_equal(sum.flow[SW_FLOW_RECEIVED], 0); // not published yet
    sw_balance_publish(balance, 0);
    sw_balance_read(balance, 0, &sum);
    assert_int_equal(sum.flow[SW_FLOW_RECEIVED], 7);
    assert_int_equal(sum.branch[SW_BRANCH_QUEUED], 7);
    assert_int_equal(sum.error, 0);
    sw_balance_read(balance, 1, &sum);
    assert_int_equal(sum.branch[SW_BRANCH_FAILED_QUEUE_FULL], 7);
    assert_int_equal(sum.error, 0);
    assert_ptr_equal(keepers[0].batch->branch, &ledger->branches[0]);
    sw_branch_move(&ledger->branches[0], SW_BRANCH_QUEUED, SW_BRANCH_DELIVERED, 7);
    keeper_finish(&keepers[0], SW_OK);
    sw_balance_publish(balance, 0);
    sw_balance_read(balance, 0, &sum);
    assert_int_equal(sum.branch[SW_BRANCH_DELIVERED], 7);
    assert_int_equal(sum.error, 0);
    ledger->flow[SW_FLOW_RECEIVED]++; // a span that nobody accounts for
    sw_balance_publish(balance, 0);
    sw_balance_read(balance, 0, &sum);
    assert_int_equal(sum.error, 1);
    entry->ops->free(entry);
    fanout->ops->free(fanout);
    branches[0]->ops->free(branches[0]);
    branches[1]->ops->free(branches[1]);
    sw_balance_free(balance);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_branches_share_the_bytes_and_settle_once),
        cmocka_unit_test(test_sender_is_refused_when_one_branch_is_full_and_nobody_keeps_a_place),
        cmocka_unit_test(test_owner_goes_on_without_the_full_branch_and_is_told),
        cmocka_unit_test(test_owner_keeps_its_data_when_no_branch_has_room),
        cmocka_unit_test(test_retract_gives_every_place_back),
        cmocka_unit_test(test_branch_that_cannot_be_copied_is_counted_and_told),
        cmocka_unit_test(test_status_beats_a_plain_error),
        cmocka_unit_test(test_books_balance_after_every_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
