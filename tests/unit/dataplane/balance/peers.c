/* Gateway to gateway: this process is 10.0.0.1, the backends of the site are the others. */
#include "dataplane/balance/peers_internal.h"
#include "dataplane/base/mailbox.h"
#include "dataplane/l7_http/grpc.h"
#include "tests/unit/dataplane/send/site.h"

#define SPANS 60u

static struct site site;
static struct sw_metrics *metrics;
static struct sw_post *post;
static const char *hostnames[3];
static const struct sw_peers_self self = {.host = "10.0.0.1", .port = 4317};
static struct sw_peers_conf conf;
static char why[256];
static struct sw_stage_env env;
static struct sw_peers *peers;
static struct sw_stage *stage;
static struct bench_keeper keeper;

/* A discovery that answers when it is told to. */
static struct sw_discovery_watch *watch;

static int discovery_begin(struct sw_discovery *discovery, struct sw_discovery_watch *asked)
{
    watch = asked;
    return SW_OK;
}

static void discovery_end(struct sw_discovery *discovery, struct sw_discovery_watch *asked)
{
    watch = NULL;
}

static const struct sw_discovery_ops discovery_ops = {discovery_begin, discovery_end};
static struct sw_discovery discovery;

/* What the others say. */
static const char *status; // NULL: OK
static bool silent;

static void on_request(struct request *request)
{
    if (silent) {
        site_hang(request);
    } else if (status == NULL) {
        site_answer_ok(request);
    } else {
        site_answer_status(request, status, "no", NULL);
    }
}

// Gateways that listen are the first two and 10.0.0.3; the list names the third.
static void begin_with(bool dns, const char *third)
{
    site_init(&site, SITE_MEMORY);
    site.on_request = on_request;
    status = NULL;
    silent = false;
    for (unsigned i = 1; i <= 3; i++) {
        site_listen(&site, i);
    }
    assert_int_equal(sw_metrics_new(2, &metrics), 0);
    assert_int_equal(sw_post_new(2, 16, &post), 0);
    site.cores[0].mailbox = sw_post_mailbox(post, 0);
    sw_mailbox_bind(site.cores[0].mailbox, &site.cores[0]);
    discovery = (struct sw_discovery){&discovery_ops, sw_post_mailbox(post, 1)};
    sw_mailbox_bind(discovery.mailbox, NULL);
    hostnames[0] = "10.0.0.1:4317";
    hostnames[1] = "10.0.0.2:4317";
    hostnames[2] = third;
    conf = (struct sw_peers_conf){
        .hostnames = {hostnames, 3},
        .dns_hostname = dns ? "gateways" : NULL,
        .dns_port = "4317",
        .dns_interval_ns = SW_NS_PER_S,
        .dns_timeout_ns = SW_NS_PER_S,
        .self = &self,
        .self_count = 1,
        .generation = SW_RING_C,
        .timeout_ns = 2 * SW_NS_PER_S,
    };
    env = (struct sw_stage_env){
        .id = "peers",
        .pipeline = "traces/main",
        .signal = SW_TRACES,
        .metrics = metrics,
        .account = &site.account,
        .cores_count = 1,
        .discovery = &discovery,
        .error = why,
        .error_size = sizeof(why),
    };
    bench_keeper_init(&keeper, &site.cores[0]);
    assert_int_equal(sw_peers_new(&env, &conf, &peers), 0);
    assert_int_equal(sw_peers_stage_new(peers, &site.cores[0], &keeper.stage, &stage), 0);
    assert_int_equal(stage->ops->start(stage), 0);
    site_rest(&site);
}

static void begin(bool dns)
{
    begin_with(dns, "10.0.0.3:4317");
}

static void end(void)
{
    site_until(&site, stage->ops->drain(stage, SW_TIME_NEVER) == SW_OK);
    site_rest(&site);
    assert_int_equal(site_open_count(&site), 0);
    stage->ops->free(stage);
    sw_peers_free(peers);
    sw_metrics_free(metrics);
    sw_post_free(post);
    site_fini(&site);
}

static void rest(void)
{
    site_rest(&site);
    while (sw_mailbox_poll(site.cores[0].mailbox, 16) + sw_mailbox_poll(discovery.mailbox, 16) > 0
    ) {
        site_rest(&site);
    }
}

static void answer(unsigned count, const char *const *addresses)
{
    watch->answered(watch, SW_OK, addresses, count, 0);
    rest();
}

static int64_t value(const char *name, const char *label, const char *word)
{
    return (int64_t)bench_metric(metrics, name, label, word);
}

// Spans of as many traces.
static void give(struct bench_ticket *ticket)
{
    struct sw_batch *batch = bench_batch_in(&site.account, 0, SPANS, 0);
    assert_int_equal(bench_hand_over(stage, batch, ticket), 0);
}

static void settle(struct bench_ticket *ticket, int err)
{
    site_until(&site, ticket->settled_count == 1);
    rest();
    assert_int_equal(ticket->settled_count, 1);
    assert_int_equal(ticket->err, err);
}

static void test_spans_go_to_the_owners_of_their_traces(void **state)
{
    struct bench_ticket ticket;
    begin(false);
    keeper.hold = true;
    give(&ticket);
    rest();
    assert_int_equal(site.requests_count, 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_string_equal(site_header(&site.requests[i], ":path"), SW_PEER_FORWARD);
        assert_string_equal(site_header(&site.requests[i], SW_PEER_PIPELINE), "traces/main");
        assert_string_equal(site_header(&site.requests[i], "grpc-timeout"), "2000000u");
    }
    int64_t forwarded = value("spanweir_peer_forwarded_spans", NULL, NULL);
    assert_int_equal(forwarded + keeper.items_count, SPANS);
    assert_true(forwarded > 0 && forwarded < SPANS);
    assert_int_equal(ticket.settled_count, 0); // our own part is not owned yet
    bench_keeper_release(&keeper, SW_OK);
    settle(&ticket, SW_OK);
    assert_int_equal(value("spanweir_peer_local_spans", NULL, NULL), 0);
    end();
}

static void test_sender_hears_ok_when_the_owners_have_said_so(void **state)
{
    struct bench_ticket ticket;
    begin(false);
    silent = true;
    give(&ticket);
    rest();
    assert_int_equal(site.requests_count, 2);
    assert_int_equal(ticket.settled_count, 0);
    site_answer_ok(&site.requests[0]);
    site_flush(&site);
    rest();
    assert_int_equal(ticket.settled_count, 0);
    site_answer_ok(&site.requests[1]);
    site_flush(&site);
    settle(&ticket, SW_OK);
    end();
}

static void test_what_an_owner_does_not_take_is_processed_here(void **state)
{
    struct bench_ticket ticket;
    begin(false);
    status = "8"; // RESOURCE_EXHAUSTED
    give(&ticket);
    settle(&ticket, SW_OK);
    assert_int_equal(keeper.items_count, SPANS);
    int64_t local = value("spanweir_peer_local_spans", "reason", "refused");
    assert_true(local > 0 && local < SPANS);
    // It is asked again, and refused again here too: then the sender hears of it.
    keeper.outcome_err = SW_E_PERMANENT;
    give(&ticket);
    settle(&ticket, SW_E_PERMANENT);
    assert_int_equal(site.requests_count, 4);
    end();
}

static void test_one_that_does_not_answer_is_left_alone_for_a_while(void **state)
{
    struct bench_ticket ticket;
    begin(false);
    silent = true;
    give(&ticket);
    site_advance(&site, 3 * SW_NS_PER_S);
    settle(&ticket, SW_OK);
    assert_int_equal(keeper.items_count, SPANS);
    silent = false;
    site_advance(&site, SW_NS_PER_S);
    give(&ticket);
    settle(&ticket, SW_OK);
    assert_int_equal(site.requests_count, 4);
    assert_true(keeper.items_count < 2 * SPANS);
    end();
}

static void test_stranger_is_asked_once_a_minute(void **state)
{
    struct bench_ticket ticket;
    begin(false);
    status = "12"; // UNIMPLEMENTED
    for (unsigned i = 0; i < 5; i++) {
        give(&ticket);
        settle(&ticket, SW_OK);
    }
    assert_int_equal(site.requests_count, 2);
    assert_int_equal(keeper.items_count, 5 * SPANS);
    assert_int_equal(value("spanweir_peer_local_spans", "reason", "stranger") % 5, 0);
    site_advance(&site, 61 * SW_NS_PER_S);
    status = NULL;
    give(&ticket);
    settle(&ticket, SW_OK);
    assert_int_equal(site.requests_count, 4);
    end();
}

static void test_dead_gateway_costs_no_waiting(void **state)
{
    struct bench_ticket ticket;
    begin_with(false, "10.0.0.9:4317"); // nobody listens there
    rest();
    uint64_t now_ns = site.cores[0].now_ns;
    give(&ticket);
    settle(&ticket, SW_OK);
    assert_true(site.cores[0].now_ns == now_ns);
    assert_int_equal(site.requests_count, 1);
    assert_true(value("spanweir_peer_local_spans", "reason", "unreachable") > 0);
    end();
}

static void test_what_others_forward_stays_here(void **state)
{
    struct bench_ticket ticket;
    begin(false);
    struct sw_stage *door = sw_peers_door(peers)->entries[0];
    struct sw_batch *batch = bench_batch_in(&site.account, 0, SPANS, 0);
    assert_int_equal(bench_hand_over(door, batch, &ticket), 0);
    settle(&ticket, SW_OK);
    assert_int_equal(site.requests_count, 0);
    assert_int_equal(keeper.items_count, SPANS);
    assert_int_equal(value("spanweir_peer_received_spans", NULL, NULL), SPANS);
    end();
}

static void test_gateways_come_and_go(void **state)
{
    static const char *const all[] = {"10.0.0.1", "10.0.0.2", "10.0.0.3"};
    static const char *const me[] = {"10.0.0.1"};
    struct bench_ticket ticket;
    struct bench_ticket second;
    begin(true);
    give(&ticket); // nobody is known yet
    settle(&ticket, SW_OK);
    assert_int_equal(value("spanweir_peer_local_spans", "reason", "unknown"), SPANS);
    answer(3, all);
    assert_int_equal(site_open_count(&site), 2);
    silent = true;
    give(&ticket);
    rest();
    assert_int_equal(site.requests_count, 2);
    answer(1, me);
    give(&second);
    settle(&second, SW_OK);
    assert_int_equal(site.requests_count, 2);
    // What is under way to those that have left is still answered; then the connections go.
    assert_int_equal(ticket.settled_count, 0);
    site_answer_ok(&site.requests[0]);
    site_answer_ok(&site.requests[1]);
    site_flush(&site);
    settle(&ticket, SW_OK);
    assert_int_equal(site_open_count(&site), 0);
    end();
}

static void test_refusal_of_our_own_part_sends_nothing(void **state)
{
    begin(false);
    keeper.refuse = SW_E_MEMORY_LIMIT;
    struct bench_ticket ticket;
    struct sw_batch *batch = bench_batch_in(&site.account, 0, SPANS, 0);
    assert_int_equal(bench_hand_over(stage, batch, &ticket), SW_E_MEMORY_LIMIT);
    rest();
    assert_int_equal(site.requests_count, 0);
    // Retracted by a sibling's refusal: nothing is left either.
    keeper.refuse = 0;
    batch = bench_batch_in(&site.account, 0, SPANS, 0);
    assert_int_equal(sw_stage_admit(stage, batch, SW_ADMIT_ALL), 0);
    sw_stage_retract(stage, batch);
    sw_batch_free(batch);
    rest();
    assert_int_equal(site.requests_count, 0);
    end();
}

static void test_end_in_the_middle_settles_everything(void **state)
{
    struct bench_ticket ticket;
    begin(false);
    silent = true;
    give(&ticket);
    rest();
    assert_int_equal(stage->ops->drain(stage, SW_TIME_NEVER), SW_E_AGAIN);
    assert_int_equal(stage->ops->drain(stage, site.cores[0].now_ns), SW_OK);
    stage->ops->free(stage);
    assert_int_equal(ticket.settled_count, 1);
    assert_int_equal(ticket.err, SW_E_SHUTDOWN);
    rest();
    sw_peers_free(peers);
    sw_metrics_free(metrics);
    sw_post_free(post);
    site_fini(&site);
}

static void test_any_allocation_may_fail(void **state)
{
    for (uint64_t nth = 1; nth <= 40; nth++) {
        struct bench_ticket ticket = {.settled_count = 0};
        begin(false);
        struct sw_batch *batch = bench_batch_in(&site.account, 0, SPANS, 0);
        sw_mem_fail_at(nth, 0);
        int err = bench_hand_over(stage, batch, &ticket);
        sw_mem_fail_at(0, 0);
        if (err == SW_OK) {
            site_until(&site, ticket.settled_count == 1);
            rest();
            // Whatever was not taken there was taken here.
            int64_t forwarded = value("spanweir_peer_forwarded_spans", NULL, NULL);
            assert_int_equal(forwarded + keeper.items_count, SPANS);
        } else {
            assert_int_equal(err, SW_E_NOMEM);
            assert_int_equal(keeper.items_count, 0);
        }
        end();
    }
}

/* ---- decisions ---- */

static struct sw_decision taken[1024];
static unsigned taken_count;

static void take(
    struct sw_decisions *decisions,
    struct sw_core *core,
    const struct sw_decision *list,
    unsigned n
)
{
    memcpy(taken + taken_count, list, n * sizeof(*list));
    taken_count += n;
}

static void decide(unsigned from, unsigned to)
{
    struct sw_decisions *decisions = sw_peers_decisions(peers);
    for (unsigned i = from; i < to; i++) {
        struct sw_decision decision = {.trace_id = {[15] = (uint8_t)i}, .sampled = i % 3 == 0};
        decisions->decided(decisions, &site.cores[0], &decision);
    }
}

static void test_decisions_reach_the_owners_and_are_read(void **state)
{
    begin(false);
    sw_peers_decisions(peers)->take = take;
    decide(1, 121);
    rest();
    assert_int_equal(site.requests_count, 0); // together, a little later
    site_advance(&site, SW_NS_PER_S / 5);
    assert_int_equal(site.requests_count, 2);
    taken_count = 0;
    for (unsigned i = 0; i < 2; i++) {
        struct sw_buf *body = site.requests[i].body;
        assert_string_equal(site_header(&site.requests[i], ":path"), SW_PEER_DECISIONS);
        assert_string_equal(site_header(&site.requests[i], SW_PEER_PIPELINE), "traces/main");
        struct sw_peer_door *door = sw_peers_door(peers);
        struct sw_bytes message = {
            body->data + SW_GRPC_PREFIX_BYTES, body->size - SW_GRPC_PREFIX_BYTES};
        assert_int_equal(door->decisions(door, &site.cores[0], message), 0);
        message.size--;
        assert_int_equal(door->decisions(door, &site.cores[0], message), SW_E_MALFORMED);
        taken_count--; // the broken one was not read, those before it were, once more
    }
    int64_t sent = value("spanweir_peer_decisions_sent", NULL, NULL);
    assert_true(sent > 40 && sent < 120); // about a third are our own
    for (unsigned i = 0; i < taken_count; i++) {
        assert_int_equal(taken[i].sampled, taken[i].trace_id[15] % 3 == 0);
    }
    end();
}

static void test_at_the_end_own_traces_are_told_to_the_next_owners(void **state)
{
    begin(false);
    atomic_store(&sw_peers_decisions(peers)->leaving, true);
    decide(1, 121);
    site_until(&site, stage->ops->drain(stage, SW_TIME_NEVER) == SW_OK);
    assert_int_equal(value("spanweir_peer_decisions_sent", NULL, NULL), 120);
    end();
}

static void test_decisions_that_cannot_be_told_are_counted(void **state)
{
    begin(false);
    silent = true;
    decide(1, 121);
    site_advance(&site, 3 * SW_NS_PER_S);
    int64_t unsent = value("spanweir_peer_decisions_unsent", NULL, NULL);
    assert_true(unsent > 40);
    // No more wait than there is room for.
    for (unsigned i = 0; i < 100; i++) {
        decide(1, 121);
    }
    assert_true(value("spanweir_peer_decisions_unsent", NULL, NULL) > unsent + 40 * 100 - 6 * 1024);
    silent = false;
    site_advance(&site, 10 * SW_NS_PER_S);
    assert_true(value("spanweir_peer_decisions_sent", NULL, NULL) > 0);
    end();
}

static void test_list_that_makes_no_sense_is_refused(void **state)
{
    begin(false);
    struct sw_peers *more = NULL;
    hostnames[1] = "10.0.0.2:port";
    assert_int_equal(sw_peers_new(&env, &conf, &more), SW_E_INVALID);
    assert_non_null(strstr(why, "peers: \"10.0.0.2:port\""));
    hostnames[1] = "10.0.0.2:4317";
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spans_go_to_the_owners_of_their_traces),
        cmocka_unit_test(test_sender_hears_ok_when_the_owners_have_said_so),
        cmocka_unit_test(test_what_an_owner_does_not_take_is_processed_here),
        cmocka_unit_test(test_one_that_does_not_answer_is_left_alone_for_a_while),
        cmocka_unit_test(test_stranger_is_asked_once_a_minute),
        cmocka_unit_test(test_dead_gateway_costs_no_waiting),
        cmocka_unit_test(test_what_others_forward_stays_here),
        cmocka_unit_test(test_gateways_come_and_go),
        cmocka_unit_test(test_refusal_of_our_own_part_sends_nothing),
        cmocka_unit_test(test_end_in_the_middle_settles_everything),
        cmocka_unit_test(test_any_allocation_may_fail),
        cmocka_unit_test(test_decisions_reach_the_owners_and_are_read),
        cmocka_unit_test(test_at_the_end_own_traces_are_told_to_the_next_owners),
        cmocka_unit_test(test_decisions_that_cannot_be_told_are_counted),
        cmocka_unit_test(test_list_that_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
