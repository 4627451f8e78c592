/* tail_sampling on one or several cores that are stepped by hand in virtual time, each with a stage
 * behind it that notes what was kept. */
#ifndef SW_TESTS_VERDICT_RIG_H
#define SW_TESTS_VERDICT_RIG_H

#include "dataplane/base/mailbox.h"
#include "dataplane/pipeline/decisions.h"
#include "sampling/verdict/tail_sampling.h"
#include "tests/lib/bench.h"
#include "tests/lib/traces.h"

#define RIG_CORES_MAX  4
#define RIG_TRACES_MAX 65536

struct rig_end;

/** What the stages are given; NULL: nothing. */
__attribute__((unused)) static struct sw_decisions *rig_decisions;

struct rig {
    struct sw_account account;
    struct sw_core cores[RIG_CORES_MAX];
    unsigned cores_count;
    struct sw_post *post;
    struct sw_metrics *metrics;
    struct sw_balance *balance;
    struct rig_end *ends;
    struct sw_stage_env env;
    struct sw_tail_sampling_conf conf;
    void *shared;
    struct sw_stage *stages[RIG_CORES_MAX];
    uint32_t kept[RIG_TRACES_MAX]; // spans of each trace that came out
    uint32_t kept_count;           // of all
    uint32_t batches_count;
    uint32_t recorded_count; // spans whose scope tells a policy
    uint32_t cached_count;   // and that the decision was cached
};

/* The end of one core's pipeline. */
struct rig_end {
    struct sw_stage stage;
    struct rig *rig;
    struct sw_branch branch;
    int refuse;
    bool hold;
    int outcome_err;
    struct sw_ticket *held[128];
    uint32_t held_count;
    int64_t dropped_count;
};

static inline int
rig_end_admit(struct sw_stage *stage, const struct sw_batch *batch, enum sw_admit mode)
{
    assert_int_equal(mode, SW_ADMIT_ANY);
    return ((struct rig_end *)stage)->refuse;
}

static inline void rig_end_retract(struct sw_stage *stage, const struct sw_batch *batch) {}

static inline void rig_note(
    void *context,
    struct sw_bytes resource,
    struct sw_bytes scope,
    const struct sw_span_view *view
)
{
    struct rig *rig = context;
    uint64_t number = traces_number(view->trace_id);
    assert_true(number < RIG_TRACES_MAX);
    assert_true(resource.size > 0 && scope.size > 0);
    rig->recorded_count += memmem(scope.data, scope.size, "tailsampling.policy", 19) != NULL;
    rig->cached_count += memmem(scope.data, scope.size, "cached_decision", 15) != NULL;
    rig->kept[number]++;
    rig->kept_count++;
}

static inline void
rig_end_consume(struct sw_stage *stage, struct sw_batch *batch, struct sw_ticket *ticket)
{
    struct rig_end *end = (struct rig_end *)stage;
    struct rig *rig = end->rig;
    struct sw_ledger *ledger = sw_balance_ledger(rig->balance, stage->core->index);
    uint8_t *bytes = malloc(batch->bytes);
    sw_batch_copy_out(batch, bytes);
    uint32_t count = traces_each((struct sw_bytes){bytes, batch->bytes}, rig_note, rig);
    assert_int_equal(count, batch->items_count);
    free(bytes);
    rig->batches_count++;
    ledger->branches[0].flow[SW_BRANCH_DELIVERED] += batch->items_count;
    sw_batch_free(batch);
    if (end->hold) {
        assert_true(end->held_count < SW_ARRAY_SIZE(end->held));
        end->held[end->held_count++] = ticket;
    } else {
        sw_ticket_settle_err(ticket, end->outcome_err);
    }
}

static inline void rig_end_drop(struct sw_stage *stage, const struct sw_batch *batch, int err)
{
    struct rig_end *end = (struct rig_end *)stage;
    struct sw_ledger *ledger = sw_balance_ledger(end->rig->balance, stage->core->index);
    assert_int_equal(err, SW_E_SHUTDOWN);
    ledger->branches[0].flow[SW_BRANCH_FAILED_SHUTDOWN] += batch->items_count;
    end->dropped_count += batch->items_count;
}

static const struct sw_stage_ops rig_end_ops = {
    .admit = rig_end_admit,
    .retract = rig_end_retract,
    .consume = rig_end_consume,
    .drop = rig_end_drop,
};

static inline void rig_make_core(struct rig *rig, unsigned index)
{
    struct sw_core *core = &rig->cores[index];
    bench_core_init(core, &rig->account);
    core->index = (uint16_t)index;
    core->cores_count = (uint16_t)rig->cores_count;
    core->mailbox = sw_post_mailbox(rig->post, index);
    sw_mailbox_bind(core->mailbox, core);
    rig->ends[index].stage = (struct sw_stage){.ops = &rig_end_ops, .core = core, .id = "end"};
    rig->ends[index].rig = rig;
}

/** @return what shared_new or create said */
static inline int
rig_try_open(struct rig *rig, unsigned cores_count, struct sw_tail_sampling_conf conf)
{
    static const char *const exporters[] = {"end"};
    static char error[256];
    memset(rig, 0, sizeof(*rig));
    rig->cores_count = cores_count;
    rig->ends = calloc(cores_count, sizeof(*rig->ends));
    rig->conf = conf;
    if (rig->conf.num_traces == 0) {
        rig->conf.num_traces = 50000;
    }
    assert_int_equal(sw_post_new(cores_count, 64, &rig->post), 0);
    assert_int_equal(sw_metrics_new(cores_count, &rig->metrics), 0);
    assert_int_equal(
        sw_balance_new("traces", SW_TRACES, exporters, 1, cores_count, &rig->balance), 0
    );
    rig->env = (struct sw_stage_env){
        .id = "tail_sampling",
        .pipeline = "traces",
        .metrics = rig->metrics,
        .balance = rig->balance,
        .account = &rig->account,
        .cores_count = cores_count,
        .decisions = rig_decisions,
        .error = error,
        .error_size = sizeof(error),
    };
    int err = sw_tail_sampling_class.shared_new(&rig->env, &rig->conf, &rig->shared);
    for (unsigned i = 0; i < cores_count; i++) {
        rig_make_core(rig, i);
        if (err == SW_OK) {
            err = sw_tail_sampling_class.create(
                &rig->env,
                &rig->conf,
                rig->shared,
                &rig->cores[i],
                &rig->ends[i].stage,
                &rig->stages[i]
            );
        }
        if (err == SW_OK) {
            err = rig->stages[i]->ops->start(rig->stages[i]);
        }
    }
    return err;
}

static inline void
rig_open(struct rig *rig, unsigned cores_count, struct sw_tail_sampling_conf conf)
{
    assert_int_equal(rig_try_open(rig, cores_count, conf), 0);
}

static inline void rig_close(struct rig *rig)
{
    for (unsigned i = 0; i < rig->cores_count; i++) {
        if (rig->stages[i] != NULL) {
            rig->stages[i]->ops->free(rig->stages[i]);
        }
        assert_int_equal(rig->cores[i].timers.count, 0);
        assert_null(rig->cores[i].tasks_first);
    }
    if (rig->shared != NULL) {
        sw_tail_sampling_class.shared_free(rig->shared);
    }
    sw_post_free(rig->post);
    sw_balance_free(rig->balance);
    sw_metrics_free(rig->metrics);
    free(rig->ends);
    assert_int_equal(sw_account_charged(&rig->account), 0);
}

/** Books of all cores. */
static inline int64_t rig_flow(struct rig *rig, enum sw_flow flow)
{
    int64_t sum = 0;
    for (unsigned i = 0; i < rig->cores_count; i++) {
        sum += sw_balance_ledger(rig->balance, i)->flow[flow];
    }
    return sum;
}

/** They balance on each core. */
static inline void rig_check_books(struct rig *rig)
{
    for (unsigned i = 0; i < rig->cores_count; i++) {
        const struct sw_ledger *ledger = sw_balance_ledger(rig->balance, i);
        int64_t out = 0;
        for (unsigned flow = SW_FLOW_FILTERED; flow < SW_FLOWS_COUNT; flow++) {
            out += ledger->flow[flow];
        }
        for (unsigned flow = 0; flow < SW_BRANCH_FLOWS_COUNT; flow++) {
            out += ledger->branches[0].flow[flow];
        }
        int64_t in = ledger->flow[SW_FLOW_RECEIVED] + ledger->flow[SW_FLOW_GENERATED];
        assert_int_equal(in, out);
    }
}

/** One turn of every core. @return whether anything was done */
static inline bool rig_turn(struct rig *rig)
{
    bool busy = false;
    for (unsigned i = 0; i < rig->cores_count; i++) {
        struct sw_core *core = &rig->cores[i];
        unsigned work = sw_mailbox_poll(core->mailbox, 128);
        work += sw_timers_run(&core->timers, core->now_ns, 128);
        work += sw_core_run_tasks(core);
        busy = busy || work > 0;
    }
    rig_check_books(rig);
    return busy;
}

static inline void rig_settle(struct rig *rig)
{
    for (unsigned i = 0; rig_turn(rig); i++) {
        assert_true(i < 100000);
    }
}

/** Time goes on; everything that falls due is done at its time. */
static inline void rig_advance(struct rig *rig, uint64_t ns)
{
    uint64_t end_ns = rig->cores[0].now_ns + ns;
    rig_settle(rig);
    while (rig->cores[0].now_ns < end_ns) {
        uint64_t next_ns = end_ns;
        for (unsigned i = 0; i < rig->cores_count; i++) {
            next_ns = SW_MIN(next_ns, sw_timers_next_ns(&rig->cores[i].timers));
        }
        for (unsigned i = 0; i < rig->cores_count; i++) {
            rig->cores[i].wall_ns += next_ns - rig->cores[i].now_ns;
            rig->cores[i].now_ns = next_ns;
        }
        rig_settle(rig);
    }
}

/** Hands a request to a core. @return what admit said */
static inline int
rig_offer(struct rig *rig, unsigned core, struct sw_batch *batch, struct bench_ticket *ticket)
{
    int64_t items = batch->items_count;
    struct sw_stage *stage = rig->stages[core];
    memset(ticket, 0, sizeof(*ticket));
    int err = sw_stage_admit(stage, batch, SW_ADMIT_ALL);
    if (err != SW_OK) {
        sw_batch_free(batch);
        return err;
    }
    sw_balance_ledger(rig->balance, core)->flow[SW_FLOW_RECEIVED] += items;
    sw_ticket_init(&ticket->ticket, bench_ticket_settled);
    sw_stage_consume(stage, batch, &ticket->ticket);
    rig_check_books(rig);
    return SW_OK;
}

/** Hands a request over, which is owned at once, or when the other cores have had a turn. */
static inline void rig_give(struct rig *rig, unsigned core, struct traces *traces)
{
    struct bench_ticket ticket;
    assert_int_equal(rig_offer(rig, core, traces_batch(traces, &rig->account), &ticket), 0);
    rig_settle(rig);
    assert_int_equal(ticket.settled_count, 1);
    assert_int_equal(ticket.err, 0);
}

static inline void rig_give_one(struct rig *rig, struct traces_span span)
{
    struct traces traces = {0};
    traces_add(&traces, span);
    rig_give(rig, (unsigned)(span.trace % rig->cores_count), &traces);
}

static inline double rig_metric(struct rig *rig, const char *name)
{
    char full[128];
    snprintf(full, sizeof(full), "otelcol_processor_tail_sampling_%s", name);
    return bench_metric(rig->metrics, full, NULL, NULL);
}

static inline double
rig_metric_of(struct rig *rig, const char *name, const char *label, const char *value)
{
    char full[128];
    snprintf(full, sizeof(full), "otelcol_processor_tail_sampling_%s", name);
    return bench_metric(rig->metrics, full, label, value);
}

#define RIG_METRIC(rig, name, expected) assert_true(rig_metric(rig, name) == (expected))

/* ---- policies ---- */

__attribute__((unused)) static struct sw_policy_conf rig_errors[] = {
    {.name = "errors", .type = SW_POLICY_STATUS_CODE, .status_code = {.mask = 1 << 2}},
};
__attribute__((unused)) static struct sw_policy_conf rig_all[] = {
    {.name = "all", .type = SW_POLICY_ALWAYS_SAMPLE},
};
__attribute__((unused)) static struct sw_policy_conf rig_all_then_errors[] = {
    {.name = "all", .type = SW_POLICY_ALWAYS_SAMPLE},
    {.name = "errors", .type = SW_POLICY_STATUS_CODE, .status_code = {.mask = 1 << 2}},
};

#define RIG_POLICIES(array) ((struct sw_list){.items = (array), .count = SW_ARRAY_SIZE(array)})
#define RIG_ERROR           SW_SPAN_STATUS_ERROR

#endif
