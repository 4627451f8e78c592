/* The crank. The order within a turn: what others sent, what is due, what was begun, what the
 * network brought; then the books are published and the core is quiet for a moment. */
#include "dataplane/base/clock.h"
#include "dataplane/base/event.h"
#include "dataplane/base/mem.h"
#include "dataplane/worker/worker_internal.h"

#include <string.h>

#define MESSAGES_PER_TURN 128u
#define TIMERS_PER_TURN   128u
// Messages in one step: each may bring half a thousand spans.
#define MESSAGES_PER_STEP 4u
#define EVENTS_KEPT       256u
// Empty turns before an adaptive worker sleeps: a request's bytes come in several segments.
#define EMPTY_TURNS 2u

static const double step_bounds[] =
    {1e-6, 1e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 1e-2, 1e-1};
static const struct sw_metric_family step_family = {
    .name = "spanweir_worker_step_seconds",
    .help = "Length of one step of a worker's loop; no step should take longer than 1 ms.",
    .unit = "s",
    .type = SW_HISTOGRAM,
    .level = SW_LEVEL_BASIC,
    .bounds = step_bounds,
    .bounds_count = SW_ARRAY_SIZE(step_bounds),
    .is_double = true,
};
static const struct sw_metric_family time_family = {
    .name = "spanweir_worker_time_seconds",
    .help = "Time a worker spent busy, looking for work in vain (idle), and asleep.",
    .unit = "s",
    .type = SW_COUNTER,
    .level = SW_LEVEL_BASIC,
    .is_double = true,
};

static uint64_t real_clock(void *clock)
{
    return sw_clock_ns();
}

static uint64_t real_wall(void *clock)
{
    return sw_clock_wall_ns();
}

static int make_metrics(struct sw_worker *worker, struct sw_metrics *metrics)
{
    static const char *const states[WORKER_STATES_COUNT] = {"busy", "idle", "sleep"};
    char text[16];
    size_t at = sizeof(text);
    text[--at] = '\0';
    unsigned index = worker->core.index;
    do {
        text[--at] = (char)('0' + index % 10);
        index /= 10;
    } while (index > 0);
    struct sw_label labels[2] = {{"worker", text + at}, {"state", NULL}};
    struct sw_series *series = sw_metrics_series(metrics, &step_family, labels, 1);
    if (series == NULL) {
        return SW_E_NOMEM;
    }
    worker->steps.seconds = sw_series_cell(series, worker->core.index);
    for (unsigned i = 0; i < WORKER_STATES_COUNT; i++) {
        labels[1].value = states[i];
        series = sw_metrics_series(metrics, &time_family, labels, 2);
        if (series == NULL) {
            return SW_E_NOMEM;
        }
        worker->time_cells[i] = sw_series_cell(series, worker->core.index);
    }
    worker->steps.cpu_ns = sw_clock_thread_cpu_ns;
    worker->core.steps = &worker->steps;
    return SW_OK;
}

int sw_worker_new(const struct sw_worker_conf *conf, struct sw_worker **ret_worker)
{
    struct sw_worker *worker = sw_aligned_alloc(64, sizeof(*worker));
    if (worker == NULL) {
        return SW_E_NOMEM;
    }
    memset(worker, 0, sizeof(*worker));
    worker->conf = *conf;
    struct sw_core *core = &worker->core;
    core->index = (uint16_t)conf->index;
    core->cores_count = (uint16_t)conf->cores_count;
    core->account = conf->account;
    core->clock_ns = conf->clock_ns != NULL ? conf->clock_ns : real_clock;
    core->clock = conf->clock;
    worker->conf.wall_ns = conf->wall_ns != NULL ? conf->wall_ns : real_wall;
    core->now_ns = core->clock_ns(core->clock);
    core->wall_ns = worker->conf.wall_ns(core->clock);
    sw_rand_init(&core->rand, conf->seed ^ (conf->index * 0x9e3779b97f4a7c15u));
    core->mailbox = sw_post_mailbox(conf->post, conf->index);
    sw_mailbox_bind(core->mailbox, core);
    int err = SW_E_NOMEM;
    core->events = sw_events_new(EVENTS_KEPT);
    if (core->events == NULL) {
        goto fail;
    }
    if (conf->metrics != NULL && (err = make_metrics(worker, conf->metrics)) != SW_OK) {
        goto fail;
    }
    err = sw_socket_net_new(core, sw_mailbox_fd(core->mailbox), &core->net);
    if (err != SW_OK) {
        goto fail;
    }
    *ret_worker = worker;
    return SW_OK;
fail:
    sw_worker_free(worker);
    return err;
}

void sw_worker_free(struct sw_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    if (worker->core.net != NULL) {
        worker->core.net->ops->free(worker->core.net);
    }
    sw_events_free(worker->core.events);
    sw_free(worker->balances);
    sw_free(worker);
}

struct sw_core *sw_worker_core(struct sw_worker *worker)
{
    return &worker->core;
}

struct sw_events *sw_worker_events(struct sw_worker *worker)
{
    return worker->core.events;
}

int sw_worker_add_balance(struct sw_worker *worker, struct sw_balance *balance)
{
    size_t size = (worker->balances_count + 1) * sizeof(struct sw_balance *);
    struct sw_balance **larger = sw_realloc(worker->balances, size);
    if (larger == NULL) {
        return SW_E_NOMEM;
    }
    worker->balances = larger;
    worker->balances[worker->balances_count++] = balance;
    return SW_OK;
}

void sw_worker_clear_balances(struct sw_worker *worker)
{
    worker->balances_count = 0;
}

static void tick(struct sw_worker *worker)
{
    struct sw_core *core = &worker->core;
    core->now_ns = core->clock_ns(core->clock);
    core->wall_ns = worker->conf.wall_ns(core->clock);
    atomic_store_explicit(&worker->last_turn_ns, core->now_ns, memory_order_relaxed);
}

static unsigned take_messages(struct sw_core *core)
{
    unsigned work = 0;
    while (work < MESSAGES_PER_TURN) {
        unsigned taken = sw_mailbox_poll(core->mailbox, MESSAGES_PER_STEP);
        if (taken == 0) {
            break;
        }
        work += taken;
        sw_core_step_done(core);
    }
    return work;
}

static unsigned run_timers(struct sw_core *core)
{
    unsigned work = 0;
    while (work < TIMERS_PER_TURN && sw_timers_run(&core->timers, core->now_ns, 1) > 0) {
        work++;
        sw_core_step_done(core);
    }
    return work;
}

unsigned sw_worker_turn(struct sw_worker *worker, int wait_ms)
{
    struct sw_core *core = &worker->core;
    tick(worker);
    worker->steps.began_ns = core->now_ns;
    unsigned work = take_messages(core);
    work += run_timers(core);
    work += sw_core_run_tasks(core);
    work += sw_net_poll(core->net, wait_ms);
    if (work > 0) {
        for (unsigned i = 0; i < worker->balances_count; i++) {
            sw_balance_publish(worker->balances[i], core->index);
        }
    }
    if (worker->conf.quiet != NULL) {
        sw_quiet_point(worker->conf.quiet, core->index);
    }
    return work;
}

static void account_time(struct sw_worker *worker, unsigned state, uint64_t ns)
{
    if (worker->time_cells[state] != NULL && ns > 0) {
        struct sw_cell *cell = worker->time_cells[state];
        worker->time_ns[state] += ns;
        double seconds = (double)worker->time_ns[state] * 1e-9;
        uint64_t bits;
        memcpy(&bits, &seconds, sizeof(bits));
        atomic_store_explicit(&cell->value, bits, memory_order_relaxed);
        atomic_store_explicit(&cell->recorded, 1, memory_order_relaxed);
    }
}

static int wait_ms_for(const struct sw_worker *worker)
{
    const struct sw_core *core = &worker->core;
    uint64_t next_ns = sw_timers_next_ns(&core->timers);
    if (next_ns == SW_TIME_NEVER) {
        return 1000; // the watchdog of the control thread wants a sign of life
    }
    if (next_ns <= core->now_ns) {
        return 0;
    }
    // Rounded up: a timer that is a little late costs less than turns that find nothing due.
    uint64_t ms = (next_ns - core->now_ns + SW_NS_PER_MS - 1) / SW_NS_PER_MS;
    return (int)SW_MIN(ms, 1000u);
}

// Offline first, then `asleep`, then one more look (sleep_begin): a message cannot slip in between.
static void sleep_turn(struct sw_worker *worker)
{
    struct sw_core *core = &worker->core;
    int wait_ms = core->tasks_first != NULL ? 0 : wait_ms_for(worker);
    uint64_t before_ns = core->clock_ns(core->clock);
    sw_quiet_offline(worker->conf.quiet, core->index);
    if (wait_ms > 0 && sw_mailbox_sleep_begin(core->mailbox)) {
        // Whoever says stop wakes afterwards, and found nobody asleep before sleep_begin.
        if (!atomic_load_explicit(&worker->stop, memory_order_acquire)) {
            sw_net_wait(core->net, wait_ms);
        }
        sw_mailbox_sleep_end(core->mailbox);
    }
    sw_quiet_online(worker->conf.quiet, core->index);
    account_time(worker, WORKER_SLEEP, core->clock_ns(core->clock) - before_ns);
}

void sw_worker_run_internal(struct sw_worker *worker)
{
    struct sw_core *core = &worker->core;
    unsigned empty_turns = 0;
    uint64_t before_ns = core->clock_ns(core->clock);
    sw_quiet_online(worker->conf.quiet, core->index);
    while (!atomic_load_explicit(&worker->stop, memory_order_acquire)) {
        if (worker->steps.cpu_ns != NULL) {
            worker->steps.turn_cpu_ns = sw_clock_thread_cpu_ns();
        }
        unsigned work = sw_worker_turn(worker, 0);
        uint64_t now_ns = core->clock_ns(core->clock);
        account_time(worker, work > 0 ? WORKER_BUSY : WORKER_IDLE, now_ns - before_ns);
        empty_turns = work > 0 ? 0 : empty_turns + 1;
        unsigned patience = worker->conf.idle == SW_WORKER_INTERRUPT ? 1 : EMPTY_TURNS;
        if (worker->conf.idle != SW_WORKER_BUSY && empty_turns >= patience) {
            sleep_turn(worker);
            now_ns = core->clock_ns(core->clock);
        }
        before_ns = now_ns;
    }
    sw_quiet_offline(worker->conf.quiet, core->index);
}

uint64_t sw_worker_last_turn_ns(struct sw_worker *worker)
{
    return atomic_load_explicit(&worker->last_turn_ns, memory_order_relaxed);
}
