/* Requests on their way to several backends: what fails is sent again and nothing else, what a backend that
 * leaves or dies did not deliver goes to others, once, and the books balance whatever happens. */
#include "tests/unit/dataplane/balance/bed.h"

#include <limits.h>

#define ALL       7u /* three backends */
#define WITHOUT_1 5u /* 10.0.0.1 and .3 */
#define REROUTED  "spanweir_loadbalancer_rerouted_spans"
#define TOLD      "Re-routed: backends did not take these, others did"

static struct bed bed;

static uint32_t owned_by(unsigned backends, unsigned backend, uint32_t from)
{
    uint32_t count = 0;
    for (uint32_t i = from; i < bed.sent_count; i++) {
        count += bed_owner(backends, i) == backend;
    }
    return count;
}

static void expect_delivered(const struct bench_ticket *ticket)
{
    assert_int_equal(ticket->settled_count, 1);
    assert_int_equal(ticket->err, 0);
}

/* ---- parts of a request ---- */

static void test_a_request_is_cut_by_trace_and_each_part_goes_home(void **state)
{
    struct bench_ticket ticket;
    bed_plan_run(&bed, &(struct bed_plan){.listeners = ALL, .first = ALL});
    assert_int_equal(bed_send(&bed, 60, &ticket), 0);
    bed_advance(&bed, 10 * SW_NS_PER_MS);
    expect_delivered(&ticket);
    bed_expect_home(&bed, 0, ALL);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(bed.requests[i], 1);
    }
    assert_int_equal(bed.branch.flow[SW_BRANCH_DELIVERED], 60);
    bed_close(&bed);
}

static void test_only_the_part_that_failed_is_sent_again(void **state)
{
    struct bench_ticket ticket;
    bed_plan_run(&bed, &(struct bed_plan){.listeners = ALL, .first = ALL, .top_retry = true});
    bed.moods[1] = BED_UNAVAILABLE;
    assert_int_equal(bed_send(&bed, 60, &ticket), 0);
    bed_advance(&bed, 10 * SW_NS_PER_MS);
    assert_int_equal(ticket.settled_count, 0);
    assert_int_equal(bed.branch.flow[SW_BRANCH_QUEUED], owned_by(ALL, 1, 0));
    bed.moods[1] = BED_OK;
    bed_advance(&bed, 2 * SW_NS_PER_S);
    expect_delivered(&ticket);
    bed_expect_home(&bed, 0, ALL);
    assert_int_equal(bed.requests[0], 1);
    assert_int_equal(bed.requests[1], 2);
    assert_int_equal(bed.requests[2], 1);
    assert_int_equal(bed.branch.flow[SW_BRANCH_DELIVERED], 60);
    bed_close(&bed);
}

static void test_a_failed_part_follows_the_ring_of_its_time(void **state)
{
    struct bench_ticket ticket;
    bed_plan_run(&bed, &(struct bed_plan){.listeners = ALL, .first = ALL, .top_retry = true});
    bed.moods[1] = BED_UNAVAILABLE;
    assert_int_equal(bed_send(&bed, 60, &ticket), 0);
    bed_advance(&bed, 10 * SW_NS_PER_MS);
    bed_tell(&bed, WITHOUT_1);
    bed_advance(&bed, 2 * SW_NS_PER_S);
    expect_delivered(&ticket);
    bed_expect_home(&bed, 0, WITHOUT_1); // who stayed keeps what it had
    bed_close(&bed);
}

static void test_without_retry_the_sender_hears_and_the_rest_is_delivered(void **state)
{
    struct bench_ticket ticket;
    bed_plan_run(&bed, &(struct bed_plan){.listeners = ALL, .first = ALL});
    bed.moods[1] = BED_UNAVAILABLE;
    assert_int_equal(bed_send(&bed, 60, &ticket), 0);
    bed_advance(&bed, 10 * SW_NS_PER_MS);
    assert_int_equal(ticket.settled_count, 1);
    assert_int_equal(ticket.grpc_code, 14);
    uint32_t failed = owned_by(ALL, 1, 0);
    assert_int_equal(bed.branch.flow[SW_BRANCH_DELIVERED], 60 - failed);
    assert_int_equal(bed.branch.flow[SW_BRANCH_FAILED_RETRIES], failed);
    bed_close(&bed);
}

static void test_a_permanent_error_is_not_repeated(void **state)
{
    struct bench_ticket ticket;
    bed_plan_run(&bed, &(struct bed_plan){.listeners = ALL, .first = ALL, .top_retry = true});
    bed.moods[1] = BED_INVALID;
    assert_int_equal(bed_send(&bed, 60, &ticket), 0);
    bed_advance(&bed, 20 * SW_NS_PER_S);
    assert_int_equal(ticket.settled_count, 1);
    assert_int_equal(ticket.grpc_code, 3);
    assert_int_equal(bed.requests[1], 1);
    assert_int_equal(bed.branch.flow[SW_BRANCH_FAILED_PERMANENT], owned_by(ALL, 1, 0));
    bed_close(&bed);
}

/* ---- deadlines ---- */

static void hanging_backend(const struct bed_plan *plan)
{
    struct bench_ticket ticket;
    bed_plan_run(&bed, plan);
    bed.moods[1] = BED_HANG;
    assert_int_equal(bed_send(&bed, 60, &ticket), 0);
    bed_advance(&bed, 5 * SW_NS_PER_S + SW_NS_PER_MS);
    assert_int_equal(ticket.settled_count, 0);
    bed.moods[1] = BED_OK;
    bed_advance(&bed, 8 * SW_NS_PER_S);
    expect_delivered(&ticket);
    bed_expect_home(&bed, 0, ALL);
    assert_int_equal(bed.requests[0], 1);
    assert_int_equal(bed.requests[2], 1);
    bed_close(&bed);
}

static void test_after_the_deadline_only_what_was_not_answered_is_sent_again(void **state)
{
    hanging_backend(&(struct bed_plan){.listeners = ALL, .first = ALL, .top_retry = true});
    // A backend's own repetitions end with the request, and the request is repeated.
    hanging_backend(&(struct bed_plan
    ){.listeners = ALL, .first = ALL, .top_retry = true, .backend_retry = true});
    hanging_backend(&(struct bed_plan){
        .listeners = ALL,
        .first = ALL,
        .top_retry = true,
        .backend_queue = true,
        .wait_for_result = true,
    });
}

static void test_the_deadline_alone_is_a_timeout(void **state)
{
    struct bench_ticket ticket;
    bed_plan_run(&bed, &(struct bed_plan){.listeners = ALL, .first = ALL, .backend_retry = true});
    bed.moods[1] = BED_HANG;
    assert_int_equal(bed_send(&bed, 60, &ticket), 0);
    bed_advance(&bed, 6 * SW_NS_PER_S);
    assert_int_equal(ticket.settled_count, 1);
    assert_int_not_equal(ticket.err, SW_E_SHUTDOWN);
    assert_int_equal(bed.branch.flow[SW_BRANCH_FAILED_RETRIES], owned_by(ALL, 1, 0));
    bed_close(&bed);
}

/* ---- backends that leave ---- */

static void test_a_backend_that_leaves_gives_back_what_it_owns(void **state)
{
    struct bench_ticket ticket;
    bed_plan_run(
        &bed,
        &(struct bed_plan
        ){.listeners = WITHOUT_1, .first = ALL, .backend_queue = true, .backend_retry = true}
    );
    assert_int_equal(bed_send(&bed, 60, &ticket), 0);
    bed_advance(&bed, 10 * SW_NS_PER_S);
    expect_delivered(&ticket); // they are owned
    uint32_t stuck = owned_by(ALL, 1, 0);
    assert_int_equal(bed.branch.flow[SW_BRANCH_QUEUED], stuck);
    bed_tell(&bed, WITHOUT_1);
    bed_advance(&bed, SW_NS_PER_S);
    bed_expect_home(&bed, 0, WITHOUT_1);
    assert_int_equal((int)bed_metric(&bed, REROUTED), stuck);
    assert_int_equal(bed.branch.flow[SW_BRANCH_DELIVERED], 60);
    assert_int_equal(
        bed_told(&bed, "A backend has left, what it did not deliver is sent to the others"), 1
    );
    bed_close(&bed);
}

static void test_a_backend_that_leaves_gives_back_parts_of_requests(void **state)
{
    struct bench_ticket ticket;
    bed_plan_run(
        &bed, &(struct bed_plan){.listeners = WITHOUT_1, .first = ALL, .backend_retry = true}
    );
    assert_int_equal(bed_send(&bed, 60, &ticket), 0);
    bed_advance(&bed, 2 * SW_NS_PER_S);
    assert_int_equal(ticket.settled_count, 0);
    bed_tell(&bed, WITHOUT_1);
    bed_advance(&bed, SW_NS_PER_S);
    expect_delivered(&ticket);
    bed_expect_home(&bed, 0, WITHOUT_1);
    assert_int_equal((int)bed_metric(&bed, REROUTED), owned_by(ALL, 1, 0));
    bed_advance(&bed, SW_NS_PER_S);
    assert_int_equal(bed_told_items(&bed, TOLD), owned_by(ALL, 1, 0));
    bed_close(&bed);
}

static void test_what_is_on_the_wire_to_a_backend_that_leaves_is_waited_for(void **state)
{
    struct bench_ticket ticket;
    bed_plan_run(
        &bed,
        &(struct bed_plan
        ){.listeners = ALL, .first = ALL, .backend_queue = true, .backend_retry = true}
    );
    bed.moods[1] = BED_HANG;
    assert_int_equal(bed_send(&bed, 60, &ticket), 0);
    bed_advance(&bed, 10 * SW_NS_PER_MS);
    bed_tell(&bed, WITHOUT_1);
    bed_advance(&bed, SW_NS_PER_S);
    assert_int_equal(bed.branch.flow[SW_BRANCH_QUEUED], owned_by(ALL, 1, 0));
    for (unsigned i = 0; i < bed.site.requests_count; i++) {
        if (!bed.site.requests[i].answered) {
            site_answer_ok(&bed.site.requests[i]);
        }
    }
    bed_advance(&bed, 20 * SW_NS_PER_S);
    assert_int_equal(bed.branch.flow[SW_BRANCH_DELIVERED], 60);
    assert_int_equal((int)bed_metric(&bed, REROUTED), -1); // no series yet
    assert_int_equal(bed.requests[0] + bed.requests[2], 2);
    bed_close(&bed);
}

static void test_a_backend_that_leaves_and_returns_is_a_new_one(void **state)
{
    struct bench_ticket ticket;
    bed_plan_run(
        &bed,
        &(struct bed_plan
        ){.listeners = ALL, .first = ALL, .backend_queue = true, .backend_retry = true}
    );
    for (unsigned i = 0; i < 6; i++) {
        bed_tell(&bed, i % 2 == 0 ? WITHOUT_1 : ALL);
        assert_int_equal(bed_send(&bed, 30, &ticket), 0);
        bed_advance(&bed, i < 3 ? 10 * SW_NS_PER_MS : SW_NS_PER_S);
        expect_delivered(&ticket);
    }
    bed_advance(&bed, SW_NS_PER_S);
    bed_expect_once(&bed);
    bed_expect_home(&bed, 150, ALL);
    bed_close(&bed);
}

static void test_a_full_backend_does_not_hold_up_what_others_take(void **state)
{
    struct bench_ticket ticket;
    bed_plan_run(
        &bed,
        &(struct bed_plan){
            .listeners = 1u,
            .first = ALL,
            .backend_queue = true,
            .backend_retry = true,
            .queue_size = 8,
        }
    );
    for (unsigned i = 0; i < 8; i++) { // .2 and .3 are full of parts now
        assert_int_equal(bed_send(&bed, 40, &ticket), 0);
        bed_advance(&bed, 10 * SW_NS_PER_MS);
        expect_delivered(&ticket);
    }
    bed_tell(&bed, WITHOUT_1); // what .2 had is .1's or .3's
    bed_advance(&bed, SW_NS_PER_S);
    for (uint32_t i = 0; i < bed.sent_count; i++) {
        assert_int_equal(bed_hits(&bed, i), bed_owner(WITHOUT_1, i) == 0);
    }
    bed.site.deaf[2] = false;
    bed_advance(&bed, 60 * SW_NS_PER_S);
    bed_expect_home(&bed, 0, WITHOUT_1);
    bed_close(&bed);
}

/* ---- fail-over ---- */

static const struct bed_plan failover = {
    .listeners = ALL,
    .first = ALL,
    .backend_queue = true,
    .backend_retry = true,
    .failover = true,
};
#define DOWN "A backend refuses connections, its share goes to the next owners"
#define BACK "A backend is back and gets its share again"

static void test_traces_of_a_dead_backend_go_to_the_next_owner_and_return(void **state)
{
    struct bench_ticket ticket;
    bed_plan_run(&bed, &failover);
    bed_drop(&bed, 1);
    assert_int_equal(bed_send(&bed, 60, &ticket), 0);
    bed_advance(&bed, 2 * SW_NS_PER_S);
    // The next distinct owner clockwise is who would own them without the dead one.
    bed_expect_home(&bed, 0, WITHOUT_1);
    assert_int_equal(bed_told(&bed, DOWN), 1);
    assert_int_equal(bed_send(&bed, 60, &ticket), 0);
    bed_advance(&bed, SW_NS_PER_S);
    bed_expect_home(&bed, 0, WITHOUT_1);
    bed.site.deaf[1] = false;
    bed_advance(&bed, 60 * SW_NS_PER_S);
    assert_int_equal(bed_told(&bed, BACK), 1);
    uint32_t from = bed.sent_count;
    assert_int_equal(bed_send(&bed, 60, &ticket), 0);
    bed_advance(&bed, SW_NS_PER_S);
    bed_expect_home(&bed, from, ALL);
    bed_close(&bed);
}

static void test_without_failover_a_dead_backend_keeps_its_share(void **state)
{
    struct bench_ticket ticket;
    struct bed_plan plan = failover;
    plan.failover = false;
    bed_plan_run(&bed, &plan);
    bed_drop(&bed, 1);
    assert_int_equal(bed_send(&bed, 60, &ticket), 0);
    bed_advance(&bed, 5 * SW_NS_PER_S);
    assert_int_equal(bed.branch.flow[SW_BRANCH_QUEUED], owned_by(ALL, 1, 0));
    bed.site.deaf[1] = false;
    bed_advance(&bed, 60 * SW_NS_PER_S);
    bed_expect_home(&bed, 0, ALL);
    bed_close(&bed);
}

static void test_where_all_are_dead_each_waits_for_its_own_and_it_is_told_once(void **state)
{
    struct bench_ticket ticket;
    bed_plan_run(&bed, &failover);
    for (unsigned i = 0; i < 3; i++) {
        bed_drop(&bed, i);
    }
    bed_advance(&bed, 2 * SW_NS_PER_S);
    assert_int_equal(bed_send(&bed, 60, &ticket), 0);
    bed_advance(&bed, 20 * SW_NS_PER_S);
    assert_int_equal(bed_told(&bed, DOWN), 3);
    assert_int_equal(bed.branch.flow[SW_BRANCH_QUEUED], 60);
    for (unsigned i = 0; i < 3; i++) {
        bed.site.deaf[i] = false;
    }
    bed_advance(&bed, 120 * SW_NS_PER_S);
    bed_expect_once(&bed);
    assert_int_equal(bed_told(&bed, BACK), 3);
    bed_close(&bed);
}

static void test_calls_on_a_connection_that_says_goodbye_are_not_moved(void **state)
{
    struct bench_ticket ticket;
    bed_plan_run(&bed, &failover);
    bed.moods[1] = BED_HANG;
    assert_int_equal(bed_send(&bed, 60, &ticket), 0);
    bed_advance(&bed, 10 * SW_NS_PER_MS);
    bed.site.deaf[1] = true; // it goes down: GOAWAY, and nothing new is let in
    for (unsigned i = 0; i < bed.site.servers_count; i++) {
        if (bed.site.servers[i].listener == 1 && bed.site.servers[i].h2 != NULL) {
            sw_h2_goaway(bed.site.servers[i].h2, "draining");
        }
    }
    bed_advance(&bed, 2 * SW_NS_PER_S);
    assert_int_equal(bed.requests[0] + bed.requests[2], 2);
    for (unsigned i = 0; i < bed.site.requests_count; i++) {
        if (!bed.site.requests[i].answered) {
            site_answer_ok(&bed.site.requests[i]);
        }
    }
    bed_advance(&bed, 2 * SW_NS_PER_S);
    assert_int_equal(bed.branch.flow[SW_BRANCH_DELIVERED], 60);
    assert_int_equal(bed.requests[0] + bed.requests[2], 2);
    bed_close(&bed);
}

static void test_parts_of_requests_fail_over_too(void **state)
{
    struct bench_ticket ticket;
    struct bed_plan plan = failover;
    plan.backend_queue = false;
    bed_plan_run(&bed, &plan);
    bed_drop(&bed, 1);
    assert_int_equal(bed_send(&bed, 60, &ticket), 0);
    bed_advance(&bed, 2 * SW_NS_PER_S);
    expect_delivered(&ticket);
    bed_expect_home(&bed, 0, WITHOUT_1);
    bed_close(&bed);
}

/* ---- what is known ---- */

static void test_before_the_first_answer_requests_wait(void **state)
{
    struct bench_ticket ticket;
    bed_plan_run(&bed, &(struct bed_plan){.listeners = ALL});
    assert_int_equal(bed_send(&bed, 60, &ticket), 0);
    bed_advance(&bed, 2 * SW_NS_PER_S);
    assert_int_equal(ticket.settled_count, 0);
    bed_tell(&bed, ALL);
    bed_advance(&bed, SW_NS_PER_S);
    expect_delivered(&ticket);
    bed_expect_home(&bed, 0, ALL);
    bed_close(&bed);
}

static void test_no_answer_fails_what_waits_so_that_it_is_sent_again(void **state)
{
    struct bench_ticket ticket;
    static const char text[] = "couldn't find the exporter for the endpoint \"\"";
    for (unsigned way = 0; way < 3; way++) {
        bed_plan_run(&bed, &(struct bed_plan){.listeners = ALL});
        assert_int_equal(bed_send(&bed, 60, &ticket), 0);
        if (way == 0) {
            bed_tell_error(&bed, SW_E_NOT_FOUND);
        } else if (way == 1) {
            bed_tell(&bed, 0);
        }
        bed_advance(&bed, 6 * SW_NS_PER_S); // way 2: its deadline
        assert_int_equal(ticket.settled_count, 1);
        assert_int_equal(ticket.err, SW_E_CLOSED);
        assert_non_null(strstr(ticket.text, text));
        assert_int_equal(bed.branch.flow[SW_BRANCH_FAILED_RETRIES], 60);
        bed_close(&bed);
    }
}

static void test_a_lookup_that_fails_leaves_the_last_list(void **state)
{
    struct bench_ticket ticket;
    bed_plan_run(&bed, &(struct bed_plan){.listeners = ALL, .first = ALL});
    bed_tell_error(&bed, SW_E_TIMEOUT);
    bed_tell_error(&bed, SW_E_SYSTEM);
    assert_int_equal(bed_send(&bed, 60, &ticket), 0);
    bed_advance(&bed, SW_NS_PER_S);
    expect_delivered(&ticket);
    bed_expect_home(&bed, 0, ALL);
    bed_close(&bed);
}

static void test_a_connection_that_fails_has_the_name_looked_up_again(void **state)
{
    struct bench_ticket ticket;
    bed_plan_run(
        &bed,
        &(struct bed_plan
        ){.listeners = ALL, .first = ALL, .backend_queue = true, .backend_retry = true}
    );
    bed_advance(&bed, 2 * SW_NS_PER_S);
    assert_false(atomic_load(&bed.watch->wanted));
    bed_drop(&bed, 1);
    assert_int_equal(bed_send(&bed, 60, &ticket), 0);
    bed_advance(&bed, SW_NS_PER_S); // long before the backend's repetitions end
    assert_true(atomic_load(&bed.watch->wanted));
    bed_close(&bed);
}

/* ---- the end ---- */

static int drain(uint64_t deadline_ns)
{
    return bed.stage->ops->drain(bed.stage, deadline_ns);
}

static void test_the_drain_delivers_what_is_under_way(void **state)
{
    struct bench_ticket ticket;
    bed_plan_run(
        &bed,
        &(struct bed_plan){.listeners = ALL, .first = ALL, .backend_queue = true, .top_queue = true}
    );
    assert_int_equal(bed_send(&bed, 60, &ticket), 0);
    for (unsigned i = 0; i < 100 && drain(SW_TIME_NEVER) != SW_OK; i++) {
        bed_advance(&bed, SW_NS_PER_MS);
    }
    assert_int_equal(drain(SW_TIME_NEVER), 0);
    bed_expect_home(&bed, 0, ALL);
    bed_advance(&bed, SW_NS_PER_MS);
    assert_int_equal(site_open_count(&bed.site), 0);
    bed_close(&bed);
}

// The cores stop behind the drain: nothing that is left to tell then would be heard.
static void test_the_drain_tells_what_was_rerouted_last(void **state)
{
    struct bench_ticket ticket;
    bed_plan_run(
        &bed,
        &(struct bed_plan
        ){.listeners = WITHOUT_1, .first = ALL, .backend_queue = true, .backend_retry = true}
    );
    assert_int_equal(bed_send(&bed, 60, &ticket), 0);
    bed_advance(&bed, SW_NS_PER_S);
    bed_tell(&bed, WITHOUT_1);
    bed_advance(&bed, SW_NS_PER_S / 2);
    assert_int_equal((int)bed_metric(&bed, REROUTED), owned_by(ALL, 1, 0));
    for (unsigned i = 0; i < 100 && drain(SW_TIME_NEVER) != SW_OK; i++) {
        bed_advance(&bed, SW_NS_PER_MS);
    }
    assert_int_equal(bed_told_items(&bed, TOLD), owned_by(ALL, 1, 0));
    bed_close(&bed);
}

static void test_a_slow_backend_does_not_take_the_others_time_to_drain(void **state)
{
    struct bench_ticket ticket;
    bed_plan_run(&bed, &(struct bed_plan){.listeners = ALL, .first = ALL, .backend_queue = true});
    bed.moods[0] = BED_HANG;
    assert_int_equal(bed_send(&bed, 60, &ticket), 0);
    uint64_t deadline_ns = bed.site.cores[0].now_ns + 2 * SW_NS_PER_S;
    bed_advance(&bed, SW_NS_PER_MS);
    assert_int_equal(drain(deadline_ns), SW_E_AGAIN);
    bed_advance(&bed, SW_NS_PER_S);
    // The others are done and have said goodbye.
    assert_int_equal(site_open_count(&bed.site), 1);
    bed_advance(&bed, SW_NS_PER_S);
    assert_int_equal(drain(deadline_ns), 0);
    assert_int_equal(bed.branch.flow[SW_BRANCH_FAILED_SHUTDOWN], owned_by(ALL, 0, 0));
    assert_int_equal(bed.branch.flow[SW_BRANCH_DELIVERED], 60 - owned_by(ALL, 0, 0));
    bed_close(&bed);
}

static void test_at_the_deadline_what_found_no_backend_is_counted(void **state)
{
    struct bench_ticket ticket;
    bed_plan_run(
        &bed,
        &(struct bed_plan
        ){.listeners = 0, .first = ALL, .backend_queue = true, .backend_retry = true}
    );
    assert_int_equal(bed_send(&bed, 60, &ticket), 0);
    bed_advance(&bed, SW_NS_PER_S);
    bed_tell(&bed, 0); // everybody left: all of it is homeless
    bed_advance(&bed, SW_NS_PER_S);
    assert_int_equal(bed.branch.flow[SW_BRANCH_QUEUED], 60);
    uint64_t deadline_ns = bed.site.cores[0].now_ns + SW_NS_PER_S;
    assert_int_equal(drain(deadline_ns), SW_E_AGAIN);
    bed_advance(&bed, SW_NS_PER_S);
    assert_int_equal(drain(deadline_ns), 0);
    assert_int_equal(bed.branch.flow[SW_BRANCH_FAILED_SHUTDOWN], 60);
    bed_close(&bed);
}

static void test_what_is_given_up_is_not_sent_after_all(void **state)
{
    struct bench_ticket ticket;
    bed_plan_run(
        &bed,
        &(struct bed_plan){
            .listeners = ALL,
            .first = ALL,
            .top_queue = true,
            .backend_queue = true,
            .wait_for_result = true,
            .consumers = 1,
        }
    );
    for (unsigned i = 0; i < 3; i++) {
        bed.moods[i] = BED_HANG;
    }
    for (unsigned i = 0; i < 3; i++) { // parts of the later ones wait behind those of the first
        assert_int_equal(bed_send(&bed, 60, &ticket), 0);
    }
    bed_advance(&bed, SW_NS_PER_MS);
    for (unsigned i = 0; i < 3; i++) {
        bed.moods[i] = BED_OK;
    }
    assert_int_equal(drain(bed.site.cores[0].now_ns), 0);
    bed_advance(&bed, SW_NS_PER_S);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(bed.requests[i], 1);
    }
    assert_int_equal(bed.branch.flow[SW_BRANCH_FAILED_SHUTDOWN], 180);
    bed_close(&bed);
}

/* ---- without memory ---- */

#define SENDS      4u
#define SEND_SPANS 40u

// A life with a death, a change of the list, a return, and an end.
static void live(struct bench_ticket tickets[SENDS], bool taken[SENDS])
{
    for (unsigned i = 0; i < SENDS; i++) {
        if (i == 1) {
            bed_drop(&bed, 1);
        } else if (i == 2) {
            bed_tell(&bed, WITHOUT_1);
            bed_tell(&bed, WITHOUT_1); // as the next answer will say
        } else if (i == 3) {
            bed.site.deaf[1] = false;
            bed_tell(&bed, ALL);
        }
        taken[i] = bed_send(&bed, SEND_SPANS, &tickets[i]) == SW_OK;
        bed_advance(&bed, 3 * SW_NS_PER_S);
    }
    bed_tell(&bed, ALL);
    bed_advance(&bed, 30 * SW_NS_PER_S);
}

static unsigned backends_with(uint32_t span)
{
    unsigned backends = 0;
    for (unsigned i = 0; i < BED_BACKENDS; i++) {
        backends |= bed.arrived[i][span] > 0 ? 1u << i : 0;
    }
    return backends;
}

/* What the sender was told OK for arrived. Where the memory to read an answer was missing, what that backend had
 * of that request was sent again, and nothing else.
 * @return spans that arrived */
static int64_t look_at_arrivals(const struct bench_ticket *tickets, const bool *taken, bool one)
{
    unsigned backends = UINT_MAX; // that have all of what came twice
    uint32_t send = UINT32_MAX;
    int64_t hits = 0;
    for (uint32_t i = 0; i < bed.sent_count; i++) {
        uint32_t here = i / SEND_SPANS;
        unsigned count = bed_hits(&bed, i);
        hits += count > 0;
        assert_false(taken[here] && tickets[here].err == SW_OK && count == 0);
        if (one && count > 1) {
            assert_int_equal(count, 2);
            assert_true(send == UINT32_MAX || send == here);
            send = here;
            backends &= backends_with(i);
            assert_int_not_equal(backends, 0);
        }
    }
    return hits;
}

/* @return false: that allocation did not exist */
static bool lives_without(const struct bed_plan *plan, uint64_t nth, uint64_t fails)
{
    struct bench_ticket tickets[SENDS];
    bool taken[SENDS];
    struct bed_plan dry = *plan;
    dry.fail_at = nth;
    dry.fails = fails;
    bed_plan_run(&bed, &dry);
    if (!bed.unready) {
        int64_t booked = 0;
        bed_tell(&bed, ALL); // if the first answer was lost
        live(tickets, taken);
        bed_begin(&bed);
        (void)!drain(bed.site.cores[0].now_ns);
        bed_end(&bed);
        for (unsigned i = 0; i < SENDS; i++) {
            assert_int_equal(tickets[i].settled_count, taken[i]);
            booked += taken[i] ? SEND_SPANS : 0;
        }
        int64_t hits = look_at_arrivals(tickets, taken, fails == 0);
        assert_int_equal(bed.branch.flow[SW_BRANCH_QUEUED], 0);
        assert_int_equal(bed.branch.flow[SW_BRANCH_DELIVERED] + bed_failed(&bed), booked);
        assert_true(bed.branch.flow[SW_BRANCH_DELIVERED] <= hits);
    }
    bool there = bed.to_go == 0;
    bed_close(&bed);
    return there;
}

static void at_every_allocation(const struct bed_plan *plan)
{
    for (uint64_t nth = 1; lives_without(plan, nth, 0); nth++) {
    }
    for (uint64_t nth = 1; lives_without(plan, nth, 9); nth += 11) {
    }
}

static void test_failing_allocations_lose_and_double_nothing(void **state)
{
    struct bed_plan plan = failover;
    plan.top_queue = true;
    plan.top_retry = true;
    at_every_allocation(&plan);
}

static void test_failing_allocations_without_queues_lose_and_double_nothing(void **state)
{
    struct bed_plan plan = failover;
    plan.backend_queue = false;
    plan.top_retry = true;
    at_every_allocation(&plan);
    plan.backend_retry = false;
    plan.failover = false;
    at_every_allocation(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_is_cut_by_trace_and_each_part_goes_home),
        cmocka_unit_test(test_only_the_part_that_failed_is_sent_again),
        cmocka_unit_test(test_a_failed_part_follows_the_ring_of_its_time),
        cmocka_unit_test(test_without_retry_the_sender_hears_and_the_rest_is_delivered),
        cmocka_unit_test(test_a_permanent_error_is_not_repeated),
        cmocka_unit_test(test_after_the_deadline_only_what_was_not_answered_is_sent_again),
        cmocka_unit_test(test_the_deadline_alone_is_a_timeout),
        cmocka_unit_test(test_a_backend_that_leaves_gives_back_what_it_owns),
        cmocka_unit_test(test_a_backend_that_leaves_gives_back_parts_of_requests),
        cmocka_unit_test(test_what_is_on_the_wire_to_a_backend_that_leaves_is_waited_for),
        cmocka_unit_test(test_a_backend_that_leaves_and_returns_is_a_new_one),
        cmocka_unit_test(test_a_full_backend_does_not_hold_up_what_others_take),
        cmocka_unit_test(test_traces_of_a_dead_backend_go_to_the_next_owner_and_return),
        cmocka_unit_test(test_without_failover_a_dead_backend_keeps_its_share),
        cmocka_unit_test(test_where_all_are_dead_each_waits_for_its_own_and_it_is_told_once),
        cmocka_unit_test(test_calls_on_a_connection_that_says_goodbye_are_not_moved),
        cmocka_unit_test(test_parts_of_requests_fail_over_too),
        cmocka_unit_test(test_before_the_first_answer_requests_wait),
        cmocka_unit_test(test_no_answer_fails_what_waits_so_that_it_is_sent_again),
        cmocka_unit_test(test_a_lookup_that_fails_leaves_the_last_list),
        cmocka_unit_test(test_a_connection_that_fails_has_the_name_looked_up_again),
        cmocka_unit_test(test_the_drain_delivers_what_is_under_way),
        cmocka_unit_test(test_the_drain_tells_what_was_rerouted_last),
        cmocka_unit_test(test_a_slow_backend_does_not_take_the_others_time_to_drain),
        cmocka_unit_test(test_at_the_deadline_what_found_no_backend_is_counted),
        cmocka_unit_test(test_what_is_given_up_is_not_sent_after_all),
        cmocka_unit_test(test_failing_allocations_lose_and_double_nothing),
        cmocka_unit_test(test_failing_allocations_without_queues_lose_and_double_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
