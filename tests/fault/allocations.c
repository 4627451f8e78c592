/* The n-th allocation fails, for every n there is from the first byte of the first request to the end of the
 * drain: nothing crashes, nothing leaks, the books balance, and what a sender was told OK for arrives. What
 * it was refused for it sends again, and that arrives too. The same where from the n-th on there is no memory
 * at all for a while, for some n.
 *
 *   FAULT_AT=n       that allocation alone, of each scenario */
#include "tests/sim/sim.h"

#include <stdio.h>

struct scenario {
    const char *name;
    bool agent; // it is the agent's allocations that fail
    void (*make)(struct sim_plan *plan);
};

#define EXPORTER                                                                                   \
    "    timeout: 1s\n"                                                                            \
    "    tls: {insecure: true}\n"                                                                  \
    "    sending_queue: {queue_size: 20, num_consumers: 2}\n"                                      \
    "    retry_on_failure: {initial_interval: 50ms, max_interval: 300ms, max_elapsed_time: 0s}\n"

#define GATEWAY                                                                                    \
    "receivers:\n"                                                                                 \
    "  otlp:\n"                                                                                    \
    "    protocols:\n"                                                                             \
    "      grpc: {endpoint: 10.0.0.2:4317}\n"                                                      \
    "      http: {endpoint: 10.0.0.2:4318}\n"                                                      \
    "processors:\n"                                                                                \
    "  memory_limiter: {check_interval: 1s, limit_mib: 256, spike_limit_mib: 64}\n"                \
    "  tail_sampling:\n"                                                                           \
    "    decision_wait: 10s\n"                                                                     \
    "    num_traces: 1000\n"                                                                       \
    "    policies:\n"                                                                              \
    "      - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}\n"            \
    "      - {name: slow, type: latency, latency: {threshold_ms: 500}}\n"                          \
    "      - {name: rest, type: probabilistic, probabilistic: {sampling_percentage: 100}}\n"       \
    "  batch: {timeout: 50ms, send_batch_size: 10, send_batch_max_size: 10}\n"                     \
    "exporters:\n"                                                                                 \
    "  otlp:\n"                                                                                    \
    "    endpoint: 10.0.0.3:4317\n"                                                                \
    "    compression: %s\n" EXPORTER "service:\n"                                                  \
    "  pipelines:\n"                                                                               \
    "    traces: {receivers: [otlp], processors: [memory_limiter, tail_sampling%s], "              \
    "exporters: [otlp]}\n"

#define AGENT                                                                                      \
    "receivers:\n"                                                                                 \
    "  otlp:\n"                                                                                    \
    "    protocols: {grpc: {endpoint: 10.0.0.1:4317}}\n"                                           \
    "processors:\n"                                                                                \
    "  memory_limiter: {check_interval: 1s, limit_mib: 256, spike_limit_mib: 64}\n"                \
    "  resource:\n"                                                                                \
    "    attributes: [{key: host.name, value: node-1, action: upsert}]\n"                          \
    "  batch: {timeout: 50ms, send_batch_size: 10, send_batch_max_size: 10}\n"                     \
    "exporters:\n"                                                                                 \
    "  %s:\n"                                                                                      \
    "    endpoint: %s\n"                                                                           \
    "    compression: %s\n" EXPORTER "service:\n"                                                  \
    "  pipelines:\n"                                                                               \
    "    traces: {receivers: [otlp], processors: [memory_limiter, resource, batch], "              \
    "exporters: [%s]}\n"

static void put_gateway(struct sim_plan *plan, const char *compression, const char *processors)
{
    snprintf(plan->gateway_yaml, sizeof(plan->gateway_yaml), GATEWAY, compression, processors);
}

static void put_agent(struct sim_plan *plan, const char *type, const char *to, const char *codec)
{
    plan->agent = true;
    snprintf(plan->agent_yaml, sizeof(plan->agent_yaml), AGENT, type, to, codec, type);
    put_gateway(plan, "none", "");
}

static void make_gateway(struct sim_plan *plan)
{
    put_gateway(plan, "none", ", batch");
}

static void make_gateway_gzip(struct sim_plan *plan)
{
    put_gateway(plan, "gzip", "");
    plan->moods[SIM_OK] = 1;
    plan->moods[SIM_UNAVAILABLE] = 1;
    plan->moods[SIM_EXHAUSTED] = 1;
    plan->faults_ns = 11 * SW_NS_PER_S;
}

static void make_gateway_early(struct sim_plan *plan)
{
    put_gateway(plan, "none", ", batch");
    plan->drain_early = true;
}

static void make_agent(struct sim_plan *plan)
{
    put_agent(plan, "otlp", "10.0.0.2:4317", "gzip");
}

static void make_agent_http(struct sim_plan *plan)
{
    put_agent(plan, "otlphttp", "http://10.0.0.2:4318", "none");
}

static void make_behind_http(struct sim_plan *plan)
{
    put_agent(plan, "otlphttp", "http://10.0.0.2:4318", "gzip");
}

static const struct scenario scenarios[] = {
    {"gateway, batches", false, make_gateway},
    {"gateway, gzip, retries", false, make_gateway_gzip},
    {"gateway, ends early", false, make_gateway_early},
    {"gateway behind HTTP", false, make_behind_http},
    {"agent, gRPC, gzip", true, make_agent},
    {"agent, HTTP", true, make_agent_http},
};

static void
make_plan(struct sim_plan *plan, const struct scenario *scenario, uint64_t nth, bool drought)
{
    *plan = (struct sim_plan){
        .seed = 5,
        .traces_count = 8,
        .spans_max = 4,
        .refs_max = 6,
        .poison_count = 1,
        .senders_count = 1,
        .send_ns = 200 * SW_NS_PER_MS,
        .sampling_percent = 100,
        .wait_s = 10,
        .due_whole = true,
        .appliance = "drain = { retry = true; };\n",
    };
    plan->trouble.segment_bytes_max = 3000;
    scenario->make(plan);
    snprintf(
        plan->again,
        sizeof(plan->again),
        "FAULT_AT=%llu, scenario \"%s\"%s",
        (unsigned long long)nth,
        scenario->name,
        drought ? ", drought" : ""
    );
}

#define DROUGHT_TURNS 40u
#define DROUGHT_EVERY 5u

/* Allocations to go until the one that fails; 0: it has. Only those in turns of the node's workers count. */
static uint64_t to_go;
static unsigned dry_turns; // left in which everything fails, once one has

static void before_turn(struct sim_node *node)
{
    if (to_go > 0) {
        sw_mem_fail_at(to_go, dry_turns > 0);
    } else if (dry_turns > 0) {
        dry_turns--;
        sw_mem_fail_at(1, 1);
    }
}

static void after_turn(struct sim_node *node)
{
    uint64_t seen = sw_mem_fail_at(0, 0);
    to_go = seen < to_go ? to_go - seen : 0;
}

/* @return false when there is no n-th allocation */
static bool run(const struct scenario *scenario, uint64_t nth, bool drought)
{
    static struct sim_plan plan;
    static struct sim sim;
    make_plan(&plan, scenario, nth, drought);
    sim_open(&sim, &plan);
    struct sim_node *node = scenario->agent ? &sim.agent : &sim.gateway;
    node->before_turn = before_turn;
    node->after_turn = after_turn;
    to_go = nth;
    dry_turns = drought ? DROUGHT_TURNS : 0;
    sim_finish(&sim);
    sim_close(&sim);
    return to_go == 0;
}

static uint64_t number(const char *name, uint64_t preset)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : preset;
}

int main(void)
{
    uint64_t only = number("FAULT_AT", 0);
    for (size_t i = 0; i < SW_ARRAY_SIZE(scenarios); i++) {
        uint64_t nth = only > 0 ? only : 1;
        while (run(&scenarios[i], nth, false) && only == 0) {
            nth++;
        }
        printf("fault: %s: %llu allocations\n", scenarios[i].name, (unsigned long long)nth - 1);
        nth = only > 0 ? only : 1;
        while (run(&scenarios[i], nth, true) && only == 0) {
            nth += DROUGHT_EVERY;
        }
        fflush(stdout);
    }
    return 0;
}
