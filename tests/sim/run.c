// A run from its beginning to its end, and what must hold when it has come to rest.
#include "tests/sim/sim.h"

#include <stdio.h>

#define AGENT_HOST   "10.0.0.1"
#define GATEWAY_HOST "10.0.0.2"
#define BACKEND_HOST "10.0.0.3"
#define DRAIN_NS     (600 * SW_NS_PER_S)
// What a sampler keeps on each core for the next trace: an open segment, a slab of entries.
#define SAMPLER_KEEPS_BYTES (SIM_CORES * (INT64_C(5) << 18))

void sim_open(struct sim *sim, const struct sim_plan *plan)
{
    struct sw_addr grpc;
    struct sw_addr http;
    memset(sim, 0, sizeof(*sim));
    sim->plan = plan;
    sim->now_ns = SIM_START_NS;
    sw_rand_init(&sim->rand, plan->seed);
    SIM_CHECK(sim, sw_memory_wire_new(&plan->trouble, &sim->wire) == SW_OK, "no memory");
    struct sw_addr backend = sim_addr(BACKEND_HOST, 4317);
    sim_backend_init(sim, &sim->backend, &backend);
    grpc = sim_addr(GATEWAY_HOST, 4317);
    http = sim_addr(GATEWAY_HOST, 4318);
    sim_node_init(sim, &sim->gateway, "gateway", plan->gateway_yaml, &grpc, &http);
    if (plan->agent) {
        grpc = sim_addr(AGENT_HOST, 4317);
        http = sim_addr(AGENT_HOST, 4318);
        sim_node_init(sim, &sim->agent, "agent", plan->agent_yaml, &grpc, &http);
    }
    struct sim_requests requests = STAILQ_HEAD_INITIALIZER(requests);
    sim_traces_make(sim, &requests);
    for (unsigned i = 0; i < plan->senders_count; i++) {
        STAILQ_INIT(&sim->senders[i].requests);
    }
    for (unsigned i = 0; !STAILQ_EMPTY(&requests); i++) {
        struct sim_request *request = STAILQ_FIRST(&requests);
        STAILQ_REMOVE_HEAD(&requests, next);
        STAILQ_INSERT_TAIL(&sim->senders[i % plan->senders_count].requests, request, next);
    }
    for (unsigned i = 0; i < plan->senders_count; i++) {
        sim_sender_init(sim, &sim->senders[i], &grpc);
    }
}

/* ---- waiting ---- */

static bool all_sent(struct sim *sim)
{
    for (unsigned i = 0; i < sim->plan->senders_count; i++) {
        if (sim->senders[i].left_count > 0) {
            return false;
        }
    }
    return true;
}

static bool at_rest(struct sim *sim)
{
    bool agent = !sim->plan->agent || sim_node_at_rest(&sim->agent);
    return agent && sim_node_at_rest(&sim->gateway);
}

static bool agent_at_rest(struct sim *sim)
{
    return sim_node_at_rest(&sim->agent);
}

static bool agent_drained(struct sim *sim)
{
    return sim_node_drained(&sim->agent);
}

static bool gateway_drained(struct sim *sim)
{
    return sim_node_drained(&sim->gateway);
}

/* ---- what must hold ---- */

static void check_node(struct sim_node *node, bool permanent, int64_t keeps_bytes)
{
    struct sw_balance_sum sum = sim_node_books(node);
    SIM_CHECK(node->sim, sim_node_at_rest(node), "%s still has something", node->name);
    for (unsigned i = SW_BRANCH_FAILED_QUEUE_FULL; i < SW_BRANCH_FLOWS_COUNT; i++) {
        SIM_CHECK(
            node->sim,
            sum.branch[i] == 0 || (permanent && i == SW_BRANCH_FAILED_PERMANENT),
            "%s lost %lld spans, reason %u",
            node->name,
            (long long)sum.branch[i],
            i
        );
    }
    SIM_CHECK(node->sim, sum.flow[SW_FLOW_EVICTED] == 0, "%s evicted traces", node->name);
    int64_t charged = sw_account_charged(&node->account);
    SIM_CHECK(
        node->sim,
        charged <= node->rest_bytes + keeps_bytes,
        "%s is drained and has %lld bytes charged, %lld at the start",
        node->name,
        (long long)charged,
        (long long)node->rest_bytes
    );
}

static void check_books(struct sim *sim)
{
    struct sw_balance_sum gateway = sim_node_books(&sim->gateway);
    uint64_t delivered = (uint64_t)gateway.branch[SW_BRANCH_DELIVERED];
    uint64_t failed = (uint64_t)gateway.branch[SW_BRANCH_FAILED_PERMANENT];
    // An answer may get lost: then the backend has more than the gateway knows.
    SIM_CHECK(sim, delivered <= sim->traces.arrived_spans, "more delivered than arrived");
    SIM_CHECK(sim, failed <= sim->traces.abandoned_spans, "more failed than refused");
}

void sim_finish(struct sim *sim)
{
    sim_run_until(sim, all_sent, "all is sent");
    if (sim->plan->agent && !sim->plan->drain_early) {
        sim_run_until(sim, agent_at_rest, "the agent is at rest");
    }
    sim->late = sim->now_ns - SIM_START_NS >= sim->plan->wait_s * SW_NS_PER_S;
    if (!sim->plan->drain_early) {
        sim_run_until(sim, at_rest, "all is at rest");
    }
    for (unsigned i = 0; i < sim->plan->senders_count; i++) {
        sim_sender_close(&sim->senders[i]);
    }
    if (sim->plan->agent) {
        sim_node_drain(&sim->agent, DRAIN_NS);
        sim_run_until(sim, agent_drained, "the agent is drained");
        check_node(&sim->agent, false, 0);
        sim->late |= sim->now_ns - SIM_START_NS >= sim->plan->wait_s * SW_NS_PER_S;
    }
    sim_node_drain(&sim->gateway, DRAIN_NS);
    sim_run_until(sim, gateway_drained, "the gateway is drained");
    check_node(&sim->gateway, sim->plan->moods[SIM_PERMANENT] > 0, SAMPLER_KEEPS_BYTES);
    check_books(sim);
    sim_traces_check(sim);
}

void sim_close(struct sim *sim)
{
    for (unsigned i = 0; i < sim->plan->senders_count; i++) {
        sim_sender_fini(&sim->senders[i]);
    }
    sim_node_fini(&sim->agent);
    sim_node_fini(&sim->gateway);
    sim_backend_fini(&sim->backend);
    sw_memory_wire_free(sim->wire);
    sim_traces_free(sim);
}

// What the run has seen, for people.
static void tell(struct sim *sim)
{
    uint64_t ns = sim->now_ns - SIM_START_NS;
    struct sw_balance_sum books = sim_node_books(&sim->gateway);
    printf(
        "%.3f s in %llu rounds; gateway: %lld received, %lld not sampled, %lld delivered, %lld "
        "failed\n",
        (double)ns * 1e-9,
        (unsigned long long)sim->steps_count,
        (long long)books.flow[SW_FLOW_RECEIVED],
        (long long)books.flow[SW_FLOW_NOT_SAMPLED],
        (long long)books.branch[SW_BRANCH_DELIVERED],
        (long long)books.branch[SW_BRANCH_FAILED_PERMANENT]
    );
    printf("backend: %llu spans; answers", (unsigned long long)sim->traces.arrived_spans);
    for (unsigned i = 0; i < SIM_ANSWERS_COUNT; i++) {
        printf(" %llu", (unsigned long long)sim->backend.answers[i]);
    }
    printf("; attempts again %llu\n", (unsigned long long)sim->repeats_count);
}

uint64_t sim_run(const struct sim_plan *plan, bool verbose)
{
    static struct sim sim;
    sim_open(&sim, plan);
    sim_finish(&sim);
    if (verbose) {
        tell(&sim);
    }
    sim_close(&sim);
    return sim.hash;
}
