// An agent or a gateway: all that control/service makes of a configuration, but for sockets and threads.
#include "control/service/service.h"
#include "dataplane/base/event.h"
#include "tests/sim/sim.h"

#include <errno.h>
#include <stdio.h>

#define RING_SIZE   64u
#define BUDGET      (64 << 20)
#define MEMORY      (INT64_C(1) << 30)
#define CONFIG_NAME "sim.yaml"

static uint64_t read_clock(void *clock)
{
    return ((struct sim *)clock)->now_ns;
}

static uint64_t read_wall(void *clock)
{
    return SIM_WALL_NS + ((struct sim *)clock)->now_ns - SIM_START_NS;
}

/* ---- the configuration ---- */

static int read_file(void *context, const char *path, char **ret_data, size_t *ret_len)
{
    if (strcmp(path, CONFIG_NAME) != 0) {
        return ENOENT;
    }
    *ret_data = sw_strdup(context);
    *ret_len = strlen(context);
    return *ret_data != NULL ? 0 : ENOMEM;
}

static const char *read_env(void *context, const char *name)
{
    return NULL;
}

static void load(struct sim_node *node, const char *yaml)
{
    static const char *const configs[] = {CONFIG_NAME};
    struct sw_conf_errors errors = {0};
    struct sw_conf_args args = {
        .configs = configs,
        .configs_count = 1,
        .purpose = SW_CONF_START,
        .world = {.context = (void *)(uintptr_t)yaml, .env = read_env, .read_file = read_file},
    };
    int err = sw_conf_load(&args, sw_registry, sw_registry_count, &node->conf, &errors);
    for (size_t i = 0; err != SW_OK && i < errors.count; i++) {
        char text[512];
        sw_conf_error_format(&errors.items[i], text, sizeof(text));
        fprintf(stderr, "%s: %s\n", node->name, text);
    }
    sw_conf_errors_fini(&errors);
    SIM_CHECK(node->sim, err == SW_OK, "%s: the configuration is refused:\n%s", node->name, yaml);
    char error[512] = "";
    const char *text = node->sim->plan->appliance;
    err = sw_appliance_load_text(
        "appliance", text != NULL ? text : "", &node->appliance, error, sizeof(error)
    );
    SIM_CHECK(node->sim, err == SW_OK, "%s", error);
}

/* ---- turns ---- */

static void adopt(struct sim_node *node, unsigned core)
{
    for (unsigned i = 0; i < node->dealt_waiting[core]; i++) {
        struct sw_stream *stream;
        int err = sw_net_adopt(
            node->cores[core]->net,
            node->dealt[core][i].handle,
            &node->dealt[core][i].peer,
            NULL,
            NULL,
            &stream
        );
        SIM_CHECK(node->sim, err == SW_OK, "%s", sw_err_text(err));
        if (node->dealt[core][i].grpc) {
            sw_otlp_receiver_accept_grpc(node->receivers[core], stream);
        } else {
            sw_otlp_receiver_accept_http(node->receivers[core], stream);
        }
    }
    node->dealt_waiting[core] = 0;
}

static void take_events(struct sim_node *node, unsigned core)
{
    struct sw_event event;
    while (sw_events_take(sw_worker_events(node->workers[core]), &event)) {
        const char *message = event.kind->message != NULL ? event.kind->message : "";
        snprintf(
            node->last_event,
            sizeof(node->last_event),
            "%s %.*s",
            message,
            (int)SW_MIN(event.text_len, 100u),
            event.text
        );
        node->events_count++;
        sw_event_fini(&event);
    }
}

static unsigned worker_turn(void *owner, unsigned index)
{
    struct sim_node *node = owner;
    if (node->before_turn != NULL) {
        node->before_turn(node);
    }
    node->cores[index]->now_ns = node->sim->now_ns;
    unsigned work = node->dealt_waiting[index];
    adopt(node, index);
    work += sw_worker_turn(node->workers[index], 0);
    if (node->after_turn != NULL) {
        node->after_turn(node);
    }
    take_events(node, index);
    return work;
}

// Control's part: its mailbox, for the drain.
static unsigned control_turn(void *owner, unsigned index)
{
    struct sim_node *node = owner;
    return sw_mailbox_poll(node->mailbox, 64);
}

/* ---- connections ---- */

// To the core with the fewest, as control deals them.
static void deal(struct sim_node *node, int handle, const struct sw_addr *peer, bool grpc)
{
    unsigned best = 0;
    uint64_t fewest = UINT64_MAX;
    for (unsigned core = 0; core < SIM_CORES; core++) {
        uint64_t open = node->dealt_count[core] - node->cores[core]->accepted_ended_count;
        if (open < fewest) {
            fewest = open;
            best = core;
        }
    }
    unsigned at = node->dealt_waiting[best]++;
    SW_ASSERT(at < SW_ARRAY_SIZE(node->dealt[best]));
    node->dealt[best][at].handle = handle;
    node->dealt[best][at].grpc = grpc;
    node->dealt[best][at].peer = *peer;
    node->dealt_count[best]++;
}

static void accept_grpc(void *context, int handle, const struct sw_addr *peer)
{
    deal(context, handle, peer, true);
}

static void accept_http(void *context, int handle, const struct sw_addr *peer)
{
    deal(context, handle, peer, false);
}

/* ---- life ---- */

static void make_workers(struct sim_node *node)
{
    struct sim *sim = node->sim;
    SIM_CHECK(sim, sw_post_new(SIM_CORES + 1, RING_SIZE, &node->post) == SW_OK, "no memory");
    SIM_CHECK(sim, sw_metrics_new(SIM_CORES, &node->metrics) == SW_OK, "no memory");
    node->mailbox = sw_post_mailbox(node->post, SIM_CORES);
    sw_mailbox_bind(node->mailbox, node);
    for (unsigned i = 0; i < SIM_CORES; i++) {
        struct sw_worker_conf conf = {
            .index = i,
            .cores_count = SIM_CORES,
            .post = node->post,
            .account = &node->account,
            .metrics = node->metrics,
            .seed = sim->plan->seed ^ (uint64_t)node->name[0],
            .cpu = -1,
            .clock_ns = read_clock,
            .wall_ns = read_wall,
            .clock = sim,
        };
        int err = sw_worker_new(&conf, &node->workers[i]);
        SIM_CHECK(sim, err == SW_OK, "%s", sw_err_text(err));
        struct sw_core *core = node->cores[i] = sw_worker_core(node->workers[i]);
        core->net->ops->free(core->net); // kernel sockets
        core->net = NULL;
        err = sw_memory_net_new(sim->wire, core, &core->net);
        SIM_CHECK(sim, err == SW_OK, "%s", sw_err_text(err));
    }
}

static void make_receivers(struct sim_node *node)
{
    struct sim *sim = node->sim;
    const struct sw_conf_component *receiver = sw_conf_find(node->conf, SW_RECEIVER, "otlp");
    SIM_CHECK(sim, receiver != NULL, "%s has no receiver", node->name);
    node->budget = (struct sw_http_budget){.limit_bytes = BUDGET, .account = &node->account};
    for (unsigned i = 0; i < SIM_CORES; i++) {
        struct sw_otlp_receiver_env env = {
            .id = receiver->id,
            .conf = receiver->conf,
            .core = node->cores[i],
            .metrics = node->metrics,
            .budget = &node->budget,
            .baseline = &node->baseline,
        };
        env.entries[SW_TRACES] = sw_generation_entry(node->generation, receiver, SW_TRACES, i);
        int err = sw_otlp_receiver_new(&env, &node->receivers[i]);
        SIM_CHECK(sim, err == SW_OK, "%s", sw_err_text(err));
    }
}

static void make_pipelines(struct sim_node *node)
{
    struct sim *sim = node->sim;
    char error[512];
    struct sw_build_env env = {
        .conf = node->conf,
        .appliance = node->appliance,
        .cores_count = SIM_CORES,
        .cores = node->cores,
        .metrics = node->metrics,
        .account = &node->account,
        .baseline = &node->baseline,
    };
    node->baseline.total_bytes = MEMORY;
    int err = sw_generation_new(&env, &node->generation, error, sizeof(error));
    SIM_CHECK(sim, err == SW_OK, "%s: %s", node->name, error);
    for (unsigned i = 0; i < SIM_CORES; i++) {
        for (unsigned k = 0; k < sw_generation_balances_count(node->generation); k++) {
            err =
                sw_worker_add_balance(node->workers[i], sw_generation_balance(node->generation, k));
            SIM_CHECK(sim, err == SW_OK, "%s", sw_err_text(err));
        }
        err = sw_generation_start(node->generation, i);
        SIM_CHECK(sim, err == SW_OK, "%s", sw_err_text(err));
    }
}

void sim_node_init(
    struct sim *sim,
    struct sim_node *node,
    const char *name,
    const char *yaml,
    const struct sw_addr *grpc,
    const struct sw_addr *http
)
{
    node->sim = sim;
    node->name = name;
    load(node, yaml);
    make_workers(node);
    make_pipelines(node);
    make_receivers(node);
    node->rest_bytes = sw_account_charged(&node->account);
    struct sw_net *net = node->cores[0]->net;
    int err = sw_memory_listen(sim->wire, net, grpc, accept_grpc, node);
    if (err == SW_OK) {
        err = sw_memory_listen(sim->wire, net, http, accept_http, node);
    }
    SIM_CHECK(sim, err == SW_OK, "%s", sw_err_text(err));
    for (unsigned i = 0; i < SIM_CORES; i++) {
        sim_add_actor(sim, &(struct sim_actor){node, i, worker_turn, node->cores[i]});
    }
    sim_add_actor(sim, &(struct sim_actor){node, 0, control_turn, node->cores[0]});
}

void sim_node_fini(struct sim_node *node)
{
    if (node->sim == NULL) {
        return;
    }
    sw_generation_free(node->generation);
    for (unsigned i = 0; i < SIM_CORES; i++) {
        sw_otlp_receiver_free(node->receivers[i]);
    }
    for (unsigned i = 0; i < SIM_CORES; i++) {
        sw_worker_free(node->workers[i]);
    }
    int64_t left = sw_account_charged(&node->account);
    SIM_CHECK(node->sim, left == 0, "%s goes with %lld bytes charged", node->name, (long long)left);
    int64_t used = node->budget.used_bytes;
    SIM_CHECK(
        node->sim, used == 0, "%s goes with %lld bytes of budget", node->name, (long long)used
    );
    sw_drain_free(node->drain);
    sw_metrics_free(node->metrics);
    sw_post_free(node->post);
    sw_appliance_free(node->appliance);
    sw_conf_free(node->conf);
}

/* ---- books ---- */

struct sw_balance_sum sim_node_books(struct sim_node *node)
{
    struct sw_balance_sum sum;
    sw_balance_read(sw_generation_balance(node->generation, 0), 0, &sum);
    return sum;
}

void sim_node_check_books(struct sim_node *node)
{
    for (unsigned i = 0; i < sw_generation_balances_count(node->generation); i++) {
        struct sw_balance *balance = sw_generation_balance(node->generation, i);
        for (unsigned k = 0; k < sw_balance_branches_count(balance); k++) {
            struct sw_balance_sum sum;
            sw_balance_read(balance, k, &sum);
            SIM_CHECK(
                node->sim,
                sum.error == 0,
                "%s, pipeline %s, exporter %s: %lld spans without an entry",
                node->name,
                sw_balance_pipeline(balance),
                sw_balance_exporter(balance, k),
                (long long)sum.error
            );
            for (unsigned flow = 0; flow < SW_FLOWS_COUNT; flow++) {
                SIM_CHECK(node->sim, sum.flow[flow] >= 0, "%s: flow %u", node->name, flow);
            }
            for (unsigned flow = 0; flow < SW_BRANCH_FLOWS_COUNT; flow++) {
                SIM_CHECK(node->sim, sum.branch[flow] >= 0, "%s: branch flow %u", node->name, flow);
            }
        }
    }
}

bool sim_node_at_rest(struct sim_node *node)
{
    struct sw_balance_sum sum = sim_node_books(node);
    return sum.flow[SW_FLOW_HELD] == 0 && sum.flow[SW_FLOW_IN_BATCH] == 0
           && sum.branch[SW_BRANCH_QUEUED] == 0;
}

/* ---- the orderly end ---- */

static int drain_receivers(void *context, struct sw_core *core, uint64_t deadline_ns)
{
    struct sim_node *node = context;
    return sw_otlp_receiver_drain(node->receivers[core->index], deadline_ns);
}

void sim_node_drain(struct sim_node *node, uint64_t limit_ns)
{
    struct sw_drain_conf conf = {
        .cores_count = SIM_CORES,
        .mailbox = node->mailbox,
        .generation = node->generation,
        .deadline_ns = node->sim->now_ns + limit_ns,
        .drain_receivers = drain_receivers,
        .context = node,
    };
    SIM_CHECK(node->sim, sw_drain_begin(&conf, &node->drain) == SW_OK, "no memory");
}

bool sim_node_drained(struct sim_node *node)
{
    return sw_drain_done(node->drain);
}
