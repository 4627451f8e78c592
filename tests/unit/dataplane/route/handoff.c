/* Spans reach their owners and their batch is let go when all of them have; nothing is lost on the
 * way. */
#include "dataplane/route/handoff.h"

#include "dataplane/base/mailbox.h"
#include "dataplane/pipeline/stage.h"
#include "tests/lib/bench.h"
#include "tests/lib/traces.h"

#define CORES_MAX 3

struct taker {
    struct sw_core core;
    struct sw_handoff *handoff;
    bool busy; // keeps what it is given
    struct sw_handoff_part *kept[256];
    uint32_t kept_count;
    uint32_t taken_count;
    uint32_t remote_count;
    uint32_t sent_count;
    uint32_t done_count;
    uint32_t walked_count;
};

static struct sw_account account;
static struct sw_post *post;
static struct sw_handoff_shared shared;
static struct taker takers[CORES_MAX];
static unsigned cores;

static void finish(struct taker *taker, struct sw_handoff_part *part)
{
    const struct sw_shard_block *block = sw_handoff_part_block(part);
    for (uint32_t i = 0; i < part->count; i++) {
        assert_int_equal(sw_handoff_part_span(block, part, i)->owner, taker->core.index);
    }
    taker->taken_count += part->count;
    sw_handoff_taken(taker->handoff, part);
}

static void take(void *context, struct sw_handoff_part *part, bool remote)
{
    struct taker *taker = context;
    taker->remote_count += remote ? part->count : 0;
    if (taker->busy) {
        assert_true(taker->kept_count < SW_ARRAY_SIZE(taker->kept));
        taker->kept[taker->kept_count++] = part;
    } else {
        finish(taker, part);
    }
}

static void sent(void *context, uint32_t spans_count)
{
    ((struct taker *)context)->sent_count += spans_count;
}

static void
done(void *context, struct sw_batch *batch, struct sw_ticket *ticket, uint32_t walked_count)
{
    struct taker *taker = context;
    taker->done_count++;
    taker->walked_count += walked_count;
    sw_batch_free(batch);
    sw_ticket_settle_err(ticket, SW_OK);
}

static const struct sw_handoff_ops ops = {.take = take, .sent = sent, .done = done};

static void open_cores(unsigned count)
{
    memset(takers, 0, sizeof(takers));
    memset(&shared, 0, sizeof(shared));
    memset(&account, 0, sizeof(account));
    cores = count;
    assert_int_equal(sw_post_new(count, 4, &post), 0); // few in flight
    for (unsigned i = 0; i < count; i++) {
        struct taker *taker = &takers[i];
        bench_core_init(&taker->core, &account);
        taker->core.index = (uint16_t)i;
        taker->core.cores_count = (uint16_t)count;
        taker->core.mailbox = sw_post_mailbox(post, i);
        sw_mailbox_bind(taker->core.mailbox, &taker->core);
        assert_int_equal(sw_handoff_new(&taker->core, &shared, &ops, taker, &taker->handoff), 0);
    }
    sw_shard_key_init(&shared.key, &takers[0].core.rand);
}

static void close_cores(void)
{
    for (unsigned i = 0; i < cores; i++) {
        sw_handoff_free(takers[i].handoff);
        assert_null(takers[i].core.tasks_first);
        assert_int_equal(takers[i].core.timers.count, 0);
    }
    sw_post_free(post);
    assert_int_equal(sw_account_charged(&account), 0);
}

static void turn(void)
{
    for (unsigned i = 0; i < cores; i++) {
        sw_mailbox_poll(takers[i].core.mailbox, 128);
        bench_turn(&takers[i].core);
    }
}

static void settle(void)
{
    for (unsigned i = 0; i < 200; i++) {
        turn();
    }
}

static struct sw_batch *batch_of(uint64_t spans_count)
{
    struct traces traces = {0};
    for (uint64_t i = 1; i <= spans_count; i++) {
        traces_add(&traces, (struct traces_span){.trace = i, .span = i});
    }
    return traces_batch(&traces, &account);
}

static void put(unsigned core, struct sw_batch *batch, struct bench_ticket *ticket)
{
    memset(ticket, 0, sizeof(*ticket));
    sw_ticket_init(&ticket->ticket, bench_ticket_settled);
    assert_int_equal(sw_handoff_reserve(takers[core].handoff, 1), 0);
    sw_handoff_put(takers[core].handoff, batch, &ticket->ticket);
}

static uint32_t taken_count(void)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < cores; i++) {
        count += takers[i].taken_count;
    }
    return count;
}

static void test_one_core_takes_all_at_once(void **state)
{
    open_cores(1);
    struct bench_ticket ticket;
    put(0, batch_of(100), &ticket);
    assert_int_equal(ticket.settled_count, 1);
    assert_int_equal(takers[0].taken_count, 100);
    assert_int_equal(takers[0].walked_count, 100);
    assert_int_equal(takers[0].sent_count, 0);
    assert_true(sw_handoff_idle(takers[0].handoff));
    close_cores();
}

static void test_spans_of_others_go_by_message_and_settle_when_they_are_back(void **state)
{
    open_cores(3);
    struct bench_ticket ticket;
    put(1, batch_of(300), &ticket);
    assert_int_equal(ticket.settled_count, 0);
    assert_int_equal(takers[1].taken_count + takers[1].sent_count, 300);
    assert_true(takers[1].taken_count > 0 && takers[1].sent_count > 0);
    assert_false(sw_handoff_idle(takers[1].handoff));
    settle();
    assert_int_equal(ticket.settled_count, 1);
    assert_int_equal(taken_count(), 300);
    assert_int_equal(takers[0].remote_count + takers[2].remote_count, takers[1].sent_count);
    assert_true(sw_handoff_idle(takers[1].handoff));
    close_cores();
}

static void test_owner_that_is_busy_holds_up_the_answer_only(void **state)
{
    open_cores(2);
    takers[1].busy = true;
    struct bench_ticket tickets[2];
    put(0, batch_of(2000), &tickets[0]);
    put(0, batch_of(10), &tickets[1]);
    settle();
    assert_int_equal(tickets[0].settled_count, 0);
    assert_int_equal(sw_handoff_waiting_count(takers[0].handoff), 0);
    assert_true(takers[1].kept_count > 1);
    takers[1].busy = false;
    while (takers[1].kept_count > 0) {
        finish(&takers[1], takers[1].kept[--takers[1].kept_count]);
    }
    settle();
    assert_int_equal(tickets[0].settled_count, 1);
    assert_int_equal(tickets[1].settled_count, 1);
    assert_int_equal(taken_count(), 2010);
    close_cores();
}

static void test_large_batch_is_walked_in_slices(void **state)
{
    open_cores(1);
    struct bench_ticket ticket;
    put(0, batch_of(20000), &ticket);
    assert_int_equal(ticket.settled_count, 0);
    assert_int_equal(sw_handoff_waiting_count(takers[0].handoff), 1);
    assert_in_range(takers[0].taken_count, 0, 4 * SW_SHARD_SPANS_MAX);
    settle();
    assert_int_equal(ticket.settled_count, 1);
    assert_int_equal(takers[0].taken_count, 20000);
    close_cores();
}

static void test_batch_that_was_cut_is_made_whole_first(void **state)
{
    open_cores(2);
    struct sw_batch *rest = batch_of(100);
    struct sw_batch *first = NULL;
    assert_int_equal(sw_batch_split(rest, 30, &account, &first), 0);
    struct bench_ticket tickets[2];
    put(0, first, &tickets[0]);
    put(1, rest, &tickets[1]);
    settle();
    assert_int_equal(tickets[0].settled_count + tickets[1].settled_count, 2);
    assert_int_equal(taken_count(), 100);
    close_cores();
}

static void test_without_memory_it_goes_on_later(void **state)
{
    for (uint64_t nth = 1; nth < 20; nth++) {
        open_cores(2);
        struct bench_ticket ticket;
        struct sw_batch *rest = batch_of(3000);
        struct sw_batch *first = NULL;
        assert_int_equal(sw_batch_split(rest, 1500, &account, &first), 0);
        sw_batch_free(first);
        memset(&ticket, 0, sizeof(ticket));
        sw_ticket_init(&ticket.ticket, bench_ticket_settled);
        assert_int_equal(sw_handoff_reserve(takers[0].handoff, 1), 0);
        sw_mem_fail_at(nth, 1);
        sw_handoff_put(takers[0].handoff, rest, &ticket.ticket);
        settle();
        sw_mem_fail_at(0, 0);
        for (unsigned i = 0; i < 3; i++) {
            bench_advance(&takers[0].core, 20 * SW_NS_PER_MS);
            settle();
        }
        assert_int_equal(ticket.settled_count, 1);
        assert_int_equal(taken_count(), 1500);
        close_cores();
    }
}

static void test_what_is_on_its_way_is_freed_with_the_end(void **state)
{
    open_cores(2);
    takers[1].busy = true;
    struct bench_ticket ticket;
    put(0, batch_of(5000), &ticket);
    turn();
    assert_int_equal(ticket.settled_count, 0);
    close_cores();
    assert_int_equal(ticket.settled_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_core_takes_all_at_once),
        cmocka_unit_test(test_spans_of_others_go_by_message_and_settle_when_they_are_back),
        cmocka_unit_test(test_owner_that_is_busy_holds_up_the_answer_only),
        cmocka_unit_test(test_large_batch_is_walked_in_slices),
        cmocka_unit_test(test_batch_that_was_cut_is_made_whole_first),
        cmocka_unit_test(test_without_memory_it_goes_on_later),
        cmocka_unit_test(test_what_is_on_its_way_is_freed_with_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
