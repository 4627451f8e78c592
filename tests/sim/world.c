// Time, rounds and what must hold after each of them.
#include "tests/sim/sim.h"

#include <stdio.h>

// A run that takes more rounds than this does not come to rest.
#define STEPS_MAX 20000000u
#define TIME_MAX  (3600 * SW_NS_PER_S)

void sim_fail(const struct sim *sim, const char *file, int line, const char *format, ...)
{
    va_list args;
    uint64_t ns = sim->now_ns - SIM_START_NS;
    fprintf(stderr, "sim: seed %llu, ", (unsigned long long)sim->plan->seed);
    fprintf(stderr, "%.6f s, round %llu", (double)ns * 1e-9, (unsigned long long)sim->steps_count);
    fprintf(stderr, "%s%s\n%s:%d: ", sim->what[0] != '\0' ? ", until " : "", sim->what, file, line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    const struct sim_node *const nodes[] = {&sim->agent, &sim->gateway};
    for (unsigned i = 0; i < SW_ARRAY_SIZE(nodes); i++) {
        if (nodes[i]->last_event[0] != '\0') {
            fprintf(stderr, "\n%s said last: %s", nodes[i]->name, nodes[i]->last_event);
        }
    }
    fprintf(stderr, "\nagain: %s\n", sim->plan->again);
    abort();
}

struct sw_addr sim_addr(const char *host, uint16_t port)
{
    struct sw_addr addr;
    SW_ASSERT(sw_addr_parse(host, port, &addr) == SW_OK);
    return addr;
}

static uint64_t read_clock(void *clock)
{
    return ((struct sim *)clock)->now_ns;
}

void sim_core_init(struct sim *sim, struct sw_core *core, struct sw_account *account, uint64_t seed)
{
    *core = (struct sw_core){
        .cores_count = 1,
        .now_ns = sim->now_ns,
        .wall_ns = SIM_WALL_NS,
        .account = account,
        .clock_ns = read_clock,
        .clock = sim,
    };
    sw_rand_init(&core->rand, seed);
    SIM_CHECK(sim, sw_memory_net_new(sim->wire, core, &core->net) == SW_OK, "no memory");
}

void sim_core_fini(struct sw_core *core)
{
    if (core->net != NULL) {
        core->net->ops->free(core->net);
        core->net = NULL;
    }
}

unsigned sim_core_turn(struct sim *sim, struct sw_core *core)
{
    core->wall_ns += sim->now_ns - core->now_ns;
    core->now_ns = sim->now_ns;
    unsigned work = sw_timers_run(&core->timers, core->now_ns, 128);
    work += sw_core_run_tasks(core);
    return work + (core->net != NULL ? sw_net_poll(core->net, 0) : 0);
}

void sim_add_actor(struct sim *sim, const struct sim_actor *actor)
{
    SW_ASSERT(sim->actors_count < SIM_ACTORS_MAX);
    sim->actors[sim->actors_count++] = *actor;
}

void sim_note(struct sim *sim, uint64_t what)
{
    sim->hash = (sim->hash ^ what) * UINT64_C(1099511628211);
}

// Each actor's turn comes in random order, and now and then not at all, as threads are scheduled.
static unsigned take_turns(struct sim *sim, bool *ret_all)
{
    unsigned order[SIM_ACTORS_MAX];
    unsigned work = 0;
    *ret_all = true;
    for (unsigned i = 0; i < sim->actors_count; i++) {
        unsigned at = (unsigned)sw_rand_below(&sim->rand, i + 1);
        order[i] = order[at];
        order[at] = i;
    }
    for (unsigned i = 0; i < sim->actors_count; i++) {
        const struct sim_actor *actor = &sim->actors[order[i]];
        if (sw_rand_below(&sim->rand, 8) == 0) {
            *ret_all = false;
            continue;
        }
        unsigned done = actor->turn(actor->owner, actor->index);
        sim_note(sim, (uint64_t)order[i] << 32 | done);
        work += done;
    }
    return work;
}

static uint64_t next_ns(const struct sim *sim)
{
    uint64_t next = sim_backend_next_ns(&sim->backend);
    for (unsigned i = 0; i < sim->actors_count; i++) {
        const struct sw_core *core = sim->actors[i].core;
        if (core->tasks_first != NULL) {
            return sim->now_ns;
        }
        next = SW_MIN(next, sw_timers_next_ns(&core->timers));
    }
    return next;
}

void sim_step(struct sim *sim)
{
    bool all;
    unsigned work = take_turns(sim, &all);
    sim_node_check_books(&sim->gateway);
    if (sim->plan->agent) {
        sim_node_check_books(&sim->agent);
    }
    sim->steps_count++;
    uint64_t next = work == 0 && all ? next_ns(sim) : sim->now_ns;
    SIM_CHECK(sim, next != SW_TIME_NEVER, "nobody waits for anything");
    // Turns take time themselves.
    sim->now_ns = SW_MAX(next, sim->now_ns + sw_rand_below(&sim->rand, 20 * SW_NS_PER_US));
    sim_note(sim, sim->now_ns);
}

void sim_run_until(struct sim *sim, bool (*done)(struct sim *sim), const char *what)
{
    snprintf(sim->what, sizeof(sim->what), "%s", what);
    uint64_t limit_ns = sim->now_ns + TIME_MAX;
    uint64_t steps_max = sim->steps_count + STEPS_MAX;
    while (!done(sim)) {
        SIM_CHECK(sim, sim->now_ns < limit_ns, "it does not come");
        SIM_CHECK(sim, sim->steps_count < steps_max, "too many rounds");
        sim_step(sim);
    }
    sim->what[0] = '\0';
}
