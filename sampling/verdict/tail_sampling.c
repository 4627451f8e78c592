/* The stage: admission, handing over between cores, ticks, the end. */
#include "sampling/verdict/tail_sampling.h"

#include "dataplane/base/mem.h"
#include "sampling/verdict/verdict_internal.h"

#include <stdio.h>

// Limits beyond which senders are refused: payloads without room downstream, spans without room
// here, batches that have not been walked.
#define HELD_BYTES_MAX (16u << 20)
#define PARTS_MAX      64u
#define WALKS_MAX      1024u
// Longer waits are as good as for ever, and turns are compared in a cycle.
#define WAIT_TICKS_MAX (UINT64_C(1) << 30)

/* ---- refusing ---- */

void sw_sampler_look_stalled(struct sampler *sampler)
{
    const struct release *release = &sampler->release;
    bool stalled =
        (release_blocked(release) && (sampler->late_round || release->held_bytes > HELD_BYTES_MAX))
        || sampler->parts_count > PARTS_MAX;
    if (stalled == sampler->stalled) {
        return;
    }
    sampler->stalled = stalled;
    _Atomic uint32_t *count = &sampler->shared->stalled_count;
    atomic_fetch_add_explicit(count, stalled ? 1 : UINT32_MAX, memory_order_relaxed);
}

static int look_for_room(struct sampler *sampler, const struct sw_batch *batch)
{
    struct tail_shared *shared = sampler->shared;
    if (atomic_load_explicit(&shared->stalled_count, memory_order_relaxed) > 0
        || sw_handoff_waiting_count(sampler->handoff) > WALKS_MAX) {
        return SW_E_FULL;
    }
    if (sw_handoff_reserve(sampler->handoff, sampler->admitted_count + 1) != SW_OK
        || sw_trace_table_reserve(sampler->table, batch->bytes) != SW_OK) {
        return SW_E_NOMEM;
    }
    return SW_OK;
}

/* ---- the stage ---- */

static int tail_admit(struct sw_stage *stage, const struct sw_batch *batch, enum sw_admit mode)
{
    struct sampler *sampler = (struct sampler *)stage;
    int err = look_for_room(sampler, batch);
    if (err != SW_OK && mode == SW_ADMIT_ALL) {
        sw_count(sampler->cells.refused, batch->items_count);
    }
    sampler->admitted_count += err == SW_OK;
    return err;
}

// What was reserved serves the next batch.
static void tail_retract(struct sw_stage *stage, const struct sw_batch *batch)
{
    struct sampler *sampler = (struct sampler *)stage;
    SW_ASSERT(sampler->admitted_count > 0);
    sampler->admitted_count--;
}

static void tail_consume(struct sw_stage *stage, struct sw_batch *batch, struct sw_ticket *ticket)
{
    struct sampler *sampler = (struct sampler *)stage;
    SW_ASSERT(sampler->admitted_count > 0);
    sampler->admitted_count--;
    if (batch->items_count == 0) {
        sw_batch_free(batch);
        sw_ticket_settle_err(ticket, SW_OK);
        return;
    }
    if (sampler->ledger != NULL) {
        sampler->ledger->flow[SW_FLOW_HELD] += batch->items_count;
    }
    atomic_fetch_add_explicit(&sampler->shared->sources_count, 1, memory_order_relaxed);
    sw_handoff_put(sampler->handoff, batch, ticket);
}

static void handoff_sent(void *taker, uint32_t spans_count)
{
    struct sampler *sampler = taker;
    sw_count(sampler->cells.moved, spans_count);
}

/* Every span has its owner now. Spans stay in the books of the core that received them, under
 * "held", while those of their owner go below zero when they leave: only sums over all cores mean
 * something. */
static void
handoff_done(void *taker, struct sw_batch *batch, struct sw_ticket *ticket, uint32_t walked_count)
{
    struct sampler *sampler = taker;
    if (sampler->ledger != NULL && walked_count != batch->items_count) {
        // Never after validation: the books go by what was found.
        int64_t missing = (int64_t)batch->items_count - walked_count;
        enum sw_flow to = missing > 0 ? SW_FLOW_FILTERED : SW_FLOW_GENERATED;
        sampler->ledger->flow[SW_FLOW_HELD] -= missing;
        sampler->ledger->flow[to] += missing > 0 ? missing : -missing;
    }
    sw_batch_free(batch);
    // Pairs with the acquire in is_empty: who reads 0 has been given all spans.
    atomic_fetch_sub_explicit(&sampler->shared->sources_count, 1, memory_order_release);
    sw_ticket_settle_err(ticket, SW_OK);
}

static const struct sw_handoff_ops handoff_ops = {
    .take = sw_sampler_take,
    .sent = handoff_sent,
    .done = handoff_done,
};

static bool on_task(struct sw_task *task, uint64_t now_ns)
{
    struct sampler *sampler = SW_CONTAINER_OF(task, struct sampler, task);
    if (sampler->over) {
        return false;
    }
    bool more = sw_sampler_take_waiting(sampler);
    more = sw_decide(sampler) == PROGRESS_MORE || more;
    sw_sampler_look_stalled(sampler);
    if (!more && sampler->trimming) {
        sampler->trimming = sw_trace_table_trim(sampler->table);
        return sampler->trimming;
    }
    return more;
}

static bool on_memory(struct sw_task *task, uint64_t now_ns)
{
    return sw_trace_table_prepare(SW_CONTAINER_OF(task, struct sampler, memory)->table);
}

static void on_parts_retry(struct sw_timer *timer, uint64_t now_ns)
{
    struct sampler *sampler = SW_CONTAINER_OF(timer, struct sampler, parts_retry);
    sampler->parts_wait = false;
    sampler_wake(sampler);
}

// The Collector's ticker: once a second from the start on, beats that were missed are left out.
static void on_tick(struct sw_timer *timer, uint64_t now_ns)
{
    struct sampler *sampler = SW_CONTAINER_OF(timer, struct sampler, tick);
    uint64_t beats = (now_ns - timer->at_ns) / SW_NS_PER_S + 1;
    sw_timer_set(&sampler->stage.core->timers, timer, timer->at_ns + beats * SW_NS_PER_S);
    sw_trace_table_tick(sampler->table);
    if (!sampler->round) {
        sampler->round = true;
        sampler->round_began_ns = now_ns;
    } else {
        sampler->late_round = true;
        sw_sampler_look_stalled(sampler);
    }
    sampler_wake(sampler);
}

static void on_evicted(void *context, const struct sw_trace *trace, uint64_t now_ns)
{
    struct sampler *sampler = context;
    sw_measure(sampler->cells.removal_age, sw_trace_age_s(trace, now_ns));
    if (trace->state == SW_TRACE_UNDECIDED) {
        sampler_book(sampler, SW_FLOW_EVICTED, trace->spans_count);
        sw_trace_note_decided(sampler->table, trace->id, 0);
    }
}

static int tail_start(struct sw_stage *stage)
{
    struct sampler *sampler = (struct sampler *)stage;
    sw_timer_set(&stage->core->timers, &sampler->tick, stage->core->now_ns + SW_NS_PER_S);
    return sampler->file != NULL ? sw_window_start(sampler) : SW_OK;
}

// @return true when nothing is held here, and nothing can come any more
static bool is_empty(const struct sampler *sampler)
{
    const struct release *release = &sampler->release;
    return atomic_load_explicit(&sampler->shared->sources_count, memory_order_acquire) == 0
           && sampler->parts_first == NULL && release->phase == RELEASE_NONE && release->buf == NULL
           && release->first == NULL && release->tickets_count == 0 && !sw_window_busy(sampler);
}

static int tail_drain(struct sw_stage *stage, uint64_t deadline_ns)
{
    struct sampler *sampler = (struct sampler *)stage;
    if (!sampler->draining) {
        sampler->draining = true;
        if (sampler->decisions != NULL) {
            atomic_store_explicit(&sampler->decisions->leaving, true, memory_order_relaxed);
        }
        sw_trace_table_all_due(sampler->table);
    }
    if (stage->core->now_ns >= deadline_ns) {
        sampler->over = true;
        sw_release_give_up(sampler);
        return SW_OK;
    }
    // Empty before means: what was given last is in the table when it is looked at.
    bool empty = is_empty(sampler);
    if (sw_decide(sampler) == PROGRESS_DONE && empty && is_empty(sampler)) {
        sampler->drained = true;
        return SW_OK;
    }
    sampler_wake(sampler);
    return SW_E_AGAIN;
}

static void tail_free(struct sw_stage *stage)
{
    struct sampler *sampler = (struct sampler *)stage;
    if (sampler == NULL) {
        return;
    }
    sw_timer_cancel(&stage->core->timers, &sampler->tick);
    sw_timer_cancel(&stage->core->timers, &sampler->parts_retry);
    sampler->shared->drained_count += sampler->drained;
    sw_window_fini(sampler);
    sw_core_task_cancel(stage->core, &sampler->task);
    sw_core_task_cancel(stage->core, &sampler->memory);
    if (sampler->table != NULL) {
        sw_release_fini(sampler);
    }
    sw_handoff_free(sampler->handoff);
    sw_told_fini(sampler);
    sw_policy_ballot_free(sampler->ballot);
    sw_trace_table_free(sampler->table);
    sw_segment_file_free(sampler->file);
    sw_decision_cache_fini(&sampler->sampled);
    sw_decision_cache_fini(&sampler->not_sampled);
    sw_free(sampler->cells.policies);
    sw_free(sampler);
}

static const struct sw_stage_ops tail_ops = {
    .admit = tail_admit,
    .retract = tail_retract,
    .consume = tail_consume,
    .drop = sw_stage_pass_drop,
    .start = tail_start,
    .drain = tail_drain,
    .free = tail_free,
};

/* ---- making ---- */

static uint64_t whole_seconds(int64_t ns)
{
    return (uint64_t)ns / SW_NS_PER_S;
}

static int make_table(struct sampler *sampler)
{
    struct tail_shared *shared = sampler->shared;
    const struct sw_tail_sampling_conf *conf = shared->conf;
    bool early = conf->decision_wait_after_root_ns > 0;
    const struct sw_trace_table_conf table_conf = {
        .account = sampler->account,
        .limits = &shared->limits,
        .key = &shared->handoff.key,
        .core = sampler->stage.core->index,
        .block = conf->block_on_overflow,
        .wait_ticks = SW_MIN(sw_tail_wait_s(conf), WAIT_TICKS_MAX),
        .early = early,
        .early_ticks = early ? whole_seconds(conf->decision_wait_after_root_ns) : 0,
        .sizes = conf->maximum_trace_size_bytes > 0,
        .file = sampler->file,
        .evicted = on_evicted,
        .context = sampler,
    };
    int err = sw_trace_table_new(&table_conf, &sampler->table);
    if (err != SW_OK) {
        return err;
    }
    sw_release_init(sampler);
    return sw_policy_ballot_new(shared->policies, sampler->table, &sampler->ballot);
}

static int make_parts(struct sampler *sampler, const struct sw_stage_env *env)
{
    struct tail_shared *shared = sampler->shared;
    struct sw_core *core = sampler->stage.core;
    const struct sw_shard_key *key = &shared->handoff.key;
    int err = SW_OK;
    if (shared->window != NULL) {
        err = sw_segment_file_new(shared->window, core->index, &sampler->file);
    }
    if (err == SW_OK) {
        err = make_table(sampler);
    }
    if (err != SW_OK) {
        return err;
    }
    sw_decision_cache_init(&sampler->sampled, &shared->sampled, key, sampler->account);
    sw_decision_cache_init(&sampler->not_sampled, &shared->not_sampled, key, sampler->account);
    err = sw_handoff_new(core, &shared->handoff, &handoff_ops, sampler, &sampler->handoff);
    if (err != SW_OK) {
        return err;
    }
    return sw_tail_cells_make(&sampler->cells, env, shared->policies, core->index);
}

static int tail_create(
    const struct sw_stage_env *env,
    const void *conf,
    void *shared_ptr,
    struct sw_core *core,
    struct sw_stage *next,
    struct sw_stage **ret_stage
)
{
    struct tail_shared *shared = shared_ptr;
    if (!shared->keyed) {
        sw_shard_key_init(&shared->handoff.key, &core->rand);
        shared->keyed = true;
    }
    struct sampler *sampler = sw_zalloc(sizeof(*sampler));
    if (sampler == NULL) {
        return SW_E_NOMEM;
    }
    sampler->stage = (struct sw_stage){.ops = &tail_ops, .core = core, .next = next, .id = env->id};
    sampler->shared = shared;
    sampler->account = env->account;
    sampler->joins = env->next_batches;
    sampler->caches = shared->sampled.most > 0 || shared->not_sampled.most > 0;
    sampler->task.run = on_task;
    sampler->memory.run = on_memory;
    sw_timer_init(&sampler->tick, on_tick);
    sw_timer_init(&sampler->parts_retry, on_parts_retry);
    sw_told_init(sampler, env->decisions);
    if (env->balance != NULL) {
        sampler->ledger = sw_balance_ledger(env->balance, core->index);
    }
    int err = make_parts(sampler, env);
    if (err != SW_OK) {
        tail_free(&sampler->stage);
        return err;
    }
    *ret_stage = &sampler->stage;
    return SW_OK;
}

static void tail_shared_free(void *shared_ptr)
{
    struct tail_shared *shared = shared_ptr;
    if (shared != NULL) {
        sw_segment_dir_close(shared->window, shared->drained_count == shared->cores_count);
        sw_tail_marks_free(shared->marks);
        sw_policy_set_free(shared->policies);
        sw_free(shared);
    }
}

static int tail_shared_new(const struct sw_stage_env *env, const void *conf_ptr, void **ret_shared)
{
    const struct sw_tail_sampling_conf *conf = conf_ptr;
    if (conf->sampling_strategy != SW_TRACE_COMPLETE) {
        snprintf(env->error, env->error_size, "%s", "\"span-ingest\" is not supported yet");
        return SW_E_UNSUPPORTED;
    }
    struct tail_shared *shared = sw_zalloc(sizeof(*shared));
    if (shared == NULL) {
        return SW_E_NOMEM;
    }
    shared->conf = conf;
    int err = sw_policy_set_new(&conf->policies, env->error, env->error_size, &shared->policies);
    if (err != SW_OK) {
        sw_free(shared);
        return err;
    }
    if (conf->record_policy && sw_tail_marks_new(shared->policies, &shared->marks) != SW_OK) {
        tail_shared_free(shared);
        return SW_E_NOMEM;
    }
    shared->sampled.most = (uint64_t)SW_MAX(conf->decision_cache.sampled_cache_size, 0);
    shared->not_sampled.most = (uint64_t)SW_MAX(conf->decision_cache.non_sampled_cache_size, 0);
    bool caches = shared->sampled.most > 0 || shared->not_sampled.most > 0;
    sw_trace_limits_init(&shared->limits, conf->num_traces, caches || conf->block_on_overflow);
    shared->handoff.key.by_right_half = caches;
    shared->cores_count = env->cores_count;
    err = sw_window_open(env, shared);
    if (err != SW_OK) {
        tail_shared_free(shared);
        return err;
    }
    *ret_shared = shared;
    return SW_OK;
}

const struct sw_stage_class sw_tail_sampling_class = {
    .shared_new = tail_shared_new,
    .shared_free = tail_shared_free,
    .create = tail_create,
    .options = true,
};
