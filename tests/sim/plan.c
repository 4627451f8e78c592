// What a run is like, by its seed: how the network is, the backend, the configurations.
#include "tests/sim/sim.h"

#include <stdio.h>

static uint64_t pick(struct sw_rand *rand, const uint64_t *values, unsigned count)
{
    return values[sw_rand_below(rand, count)];
}
#define PICK(rand, ...)                                                                            \
    pick(rand, (const uint64_t[]){__VA_ARGS__}, SW_ARRAY_SIZE(((const uint64_t[]){__VA_ARGS__})))

static bool one_in(struct sw_rand *rand, unsigned count)
{
    return sw_rand_below(rand, count) == 0;
}

static void make_trouble(struct sim_plan *plan, struct sw_rand *rand)
{
    plan->trouble = (struct sw_memory_trouble){.seed = plan->seed};
    if (one_in(rand, 4)) {
        return; // a good network
    }
    plan->trouble.segment_bytes_max = (uint32_t)PICK(rand, 0, 100, 1500, 20000);
    plan->trouble.write_bytes_max = (uint32_t)PICK(rand, 0, 0, 3000, 30000);
    plan->trouble.delay_ns_max = PICK(rand, 0, SW_NS_PER_MS, 20 * SW_NS_PER_MS);
    // About a reset in so many requests, whatever the segments are.
    uint64_t segments = plan->trouble.segment_bytes_max == 100 ? 40 : 3;
    plan->trouble.reset_per_million = (uint32_t)(PICK(rand, 0, 0, 1000, 10000) / segments);
}

static void make_backend(struct sim_plan *plan, struct sw_rand *rand)
{
    // It is in its moods when the decisions fall, and for a while after.
    plan->faults_ns = (plan->wait_s + 30) * SW_NS_PER_S;
    plan->restarts_count = (unsigned)PICK(rand, 0, 0, 2, 12);
    if (one_in(rand, 4)) {
        return; // always in a good mood
    }
    plan->moods[SIM_OK] = (uint32_t)PICK(rand, 1, 4, 12);
    for (unsigned i = SIM_UNAVAILABLE; i < SIM_ANSWERS_COUNT; i++) {
        plan->moods[i] = (uint32_t)PICK(rand, 0, 0, 1, 3);
    }
    if (!one_in(rand, 4)) {
        plan->moods[SIM_PERMANENT] = 0;
    }
}

static void make_agent_yaml(struct sim_plan *plan, struct sw_rand *rand)
{
    bool http = one_in(rand, 3);
    bool gzip = one_in(rand, 2);
    bool batch = !one_in(rand, 4);
    snprintf(
        plan->agent_yaml,
        sizeof(plan->agent_yaml),
        "receivers:\n"
        "  otlp:\n"
        "    protocols: {grpc: {endpoint: 10.0.0.1:4317}}\n"
        "processors:\n"
        "  memory_limiter: {check_interval: 1s, limit_mib: 256, spike_limit_mib: 64}\n"
        "  resource:\n"
        "    attributes: [{key: host.name, value: node-1, action: upsert}]\n"
        "  batch: {timeout: %ums, send_batch_size: %u, send_batch_max_size: %u}\n"
        "exporters:\n"
        "  %s:\n"
        "    endpoint: %s\n"
        "    compression: %s\n"
        "    timeout: 2s\n"
        "    tls: {insecure: true}\n"
        "    sending_queue: {queue_size: %u, num_consumers: %u}\n"
        "    retry_on_failure: {initial_interval: 50ms, max_interval: 300ms, max_elapsed_time: "
        "0s}\n"
        "service:\n"
        "  pipelines:\n"
        "    traces: {receivers: [otlp], processors: [memory_limiter, resource%s], exporters: "
        "[%s]}\n",
        (unsigned)PICK(rand, 5, 200, 1000),
        (unsigned)PICK(rand, 1, 50, 8192),
        8192u,
        http ? "otlphttp" : "otlp",
        http ? "http://10.0.0.2:4318" : "10.0.0.2:4317",
        gzip ? "gzip" : "none",
        (unsigned)PICK(rand, 2, 50, 1000),
        (unsigned)PICK(rand, 1, 2, 10),
        batch ? ", batch" : "",
        http ? "otlphttp" : "otlp"
    );
}

static void make_gateway_yaml(struct sim_plan *plan, struct sw_rand *rand)
{
    bool gzip = one_in(rand, 2);
    bool batch = !one_in(rand, 3);
    unsigned batch_size = (unsigned)PICK(rand, 1, 20, 200, 8192);
    snprintf(
        plan->gateway_yaml,
        sizeof(plan->gateway_yaml),
        "receivers:\n"
        "  otlp:\n"
        "    protocols:\n"
        "      grpc: {endpoint: 10.0.0.2:4317}\n"
        "      http: {endpoint: 10.0.0.2:4318}\n"
        "processors:\n"
        "  memory_limiter: {check_interval: 1s, limit_mib: 256, spike_limit_mib: 64}\n"
        "  tail_sampling:\n"
        "    decision_wait: %us\n"
        "    num_traces: 10000\n"
        "    policies:\n"
        "      - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}\n"
        "      - {name: slow, type: latency, latency: {threshold_ms: 500}}\n"
        "      - {name: rest, type: probabilistic, probabilistic: {sampling_percentage: %u}}\n"
        "  batch: {timeout: %ums, send_batch_size: %u, send_batch_max_size: %u}\n"
        "exporters:\n"
        "  otlp:\n"
        "    endpoint: 10.0.0.3:4317\n"
        "    compression: %s\n"
        "    timeout: 1s\n"
        "    tls: {insecure: true}\n"
        "    sending_queue: {queue_size: %u, num_consumers: %u}\n"
        "    retry_on_failure: {initial_interval: 50ms, max_interval: 300ms, max_elapsed_time: "
        "0s}\n"
        "service:\n"
        "  pipelines:\n"
        "    traces: {receivers: [otlp], processors: [memory_limiter, tail_sampling%s], "
        "exporters: [otlp]}\n",
        plan->wait_s,
        plan->sampling_percent,
        (unsigned)PICK(rand, 5, 200),
        batch_size,
        one_in(rand, 2) ? batch_size : 0,
        gzip ? "gzip" : "none",
        (unsigned)PICK(rand, 2, 50, 1000),
        (unsigned)PICK(rand, 1, 2, 10),
        batch ? ", batch" : ""
    );
}

void sim_plan_make(struct sim_plan *plan, uint64_t seed)
{
    struct sw_rand rand;
    sw_rand_init(&rand, seed * 2654435761u + 12345);
    *plan = (struct sim_plan){
        .seed = seed,
        .traces_count = (unsigned)PICK(&rand, 1, 30, 100, 300),
        .refs_max = (unsigned)PICK(&rand, 1, 8, 40),
        .spans_max = 1 + (unsigned)sw_rand_below(&rand, SIM_SPANS_MAX),
        .poison_count = (unsigned)PICK(&rand, 0, 1, 3),
        .senders_count = 1 + (unsigned)sw_rand_below(&rand, 3),
        .send_ns = PICK(&rand, 0, SW_NS_PER_S, 8 * SW_NS_PER_S) + 1,
        .sampling_percent = (unsigned)PICK(&rand, 0, 10, 50, 100),
        .due_whole = !one_in(&rand, 4),
        .agent = !one_in(&rand, 4),
        .drain_early = one_in(&rand, 4),
        // What waits for a repetition when the end begins goes on.
        .appliance = "drain = { retry = true; };\n",
    };
    // Long enough that all that is sent is there, whatever happens; or so short that spans come late.
    plan->wait_s = plan->due_whole ? 90 : 2;
    snprintf(plan->again, sizeof(plan->again), "SIM_SEED=%llu", (unsigned long long)seed);
    make_trouble(plan, &rand);
    make_backend(plan, &rand);
    make_agent_yaml(plan, &rand);
    make_gateway_yaml(plan, &rand);
}
