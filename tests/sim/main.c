/* Runs of the simulator: fixed seeds, unless the environment says otherwise.
 *
 *   SIM_SEED=n            that run alone, told in full
 *   SIM_SEEDS=n           n runs, from SIM_FROM (default 1000) on: a campaign
 *   SIM_PLAN=1            says what each run is like */
#include "tests/sim/sim.h"

#include <stdio.h>

#define FIXED_SEEDS 60u

static uint64_t number(const char *name, uint64_t preset)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : preset;
}

static void tell(const struct sim_plan *plan)
{
    printf(
        "seed %llu: %u traces of up to %u spans, %u poisoned requests, %u senders, %s\n"
        "segments of %u, writes of %u, delays of %llu us, %u resets in a million\n"
        "backend: %u restarts, moods %u %u %u %u %u %u %u until %llu s; %u %%%s%s\n",
        (unsigned long long)plan->seed,
        plan->traces_count,
        plan->spans_max,
        plan->poison_count,
        plan->senders_count,
        plan->agent ? "agent and gateway" : "gateway alone",
        plan->trouble.segment_bytes_max,
        plan->trouble.write_bytes_max,
        (unsigned long long)(plan->trouble.delay_ns_max / 1000),
        plan->trouble.reset_per_million,
        plan->restarts_count,
        plan->moods[0],
        plan->moods[1],
        plan->moods[2],
        plan->moods[3],
        plan->moods[4],
        plan->moods[5],
        plan->moods[6],
        (unsigned long long)(plan->faults_ns / SW_NS_PER_S),
        plan->sampling_percent,
        plan->due_whole ? "" : ", spans come late",
        plan->drain_early ? ", ends early" : ""
    );
    if (plan->agent) {
        printf("--- agent\n%s", plan->agent_yaml);
    }
    printf("--- gateway\n%s", plan->gateway_yaml);
    fflush(stdout);
}

static uint64_t run_seed(uint64_t seed)
{
    static struct sim_plan plan;
    sim_plan_make(&plan, seed);
    bool verbose = number("SIM_PLAN", 0) > 0 || getenv("SIM_SEED") != NULL;
    if (verbose) {
        tell(&plan);
    }
    return sim_run(&plan, verbose);
}

int main(void)
{
    uint64_t from = number("SIM_FROM", 1000);
    uint64_t count = number("SIM_SEEDS", 0);
    if (getenv("SIM_SEED") != NULL) {
        from = number("SIM_SEED", 0);
        count = 1;
    } else if (count == 0) {
        from = 1;
        count = FIXED_SEEDS;
    }
    uint64_t first = 0;
    for (uint64_t seed = from; seed < from + count; seed++) {
        uint64_t hash = run_seed(seed);
        first = seed == from ? hash : first;
    }
    // The same seed is the same run, or nothing here could be repeated.
    if (run_seed(from) != first) {
        fprintf(stderr, "sim: seed %llu gave two different runs\n", (unsigned long long)from);
        return 1;
    }
    printf("sim: %llu runs from seed %llu\n", (unsigned long long)count, (unsigned long long)from);
    return 0;
}
