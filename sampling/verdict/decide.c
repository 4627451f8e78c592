/* Verdicts. A tick a second makes traces due; they are decided in slices. Every policy is asked, in
 * order, until the first that samples where sample_on_first_match says so; one that samples is
 * enough, and the first that does has the credit (reference: 4.1, 4.2). */
#include "sampling/verdict/verdict_internal.h"

// One slice: traces looked at, and effort of copying (gather.c), each well below half a
// millisecond.
#define SLICE_TRACES 384u
#define SLICE_EFFORT (2u << 20)
#define SLICE_EVICT  256u
// One ballot in so many is timed, policy by policy.
#define TIMED_EVERY 64u

void sw_decided(struct sampler *sampler, struct sw_trace *trace, struct sw_decision_cache *cache)
{
    if (sampler->caches && sw_decision_cache_put(cache, trace->id, trace->policy)) {
        uint64_t now_ns = sampler->stage.core->now_ns;
        sw_measure(sampler->cells.removal_age, sw_trace_age_s(trace, now_ns));
        sw_trace_remove(sampler->table, trace);
    }
}

static bool ask(struct sampler *sampler, unsigned policy, uint32_t spans_count, bool timed)
{
    struct policy_cells *cells = &sampler->cells.policies[policy];
    struct sw_core *core = sampler->stage.core;
    uint64_t began_ns = timed ? core->clock_ns(core->clock) : 0;
    bool vote = sw_policy_vote(sampler->ballot, policy);
    if (timed) {
        cells->time_ns += (core->clock_ns(core->clock) - began_ns) * TIMED_EVERY;
    }
    sw_count(cells->executions, 1);
    sw_count(cells->traces[vote], 1);
    if (sampler->shared->conf->count_spans) {
        sw_count(cells->spans[vote], spans_count);
    }
    return vote;
}

// @return who has the credit, index + 1; 0: nobody wants to keep it
static uint16_t ballot(struct sampler *sampler, struct sw_trace *trace)
{
    const struct tail_shared *shared = sampler->shared;
    unsigned count = sw_policy_set_count(shared->policies);
    bool timed =
        sampler->ballots_count++ % TIMED_EVERY == 0 && sampler->stage.core->clock_ns != NULL;
    uint16_t credit = 0;
    sw_policy_ballot_open(sampler->ballot, trace);
    for (unsigned i = 0; i < count; i++) {
        if (!ask(sampler, i, trace->spans_count, timed) || credit != 0) {
            continue;
        }
        credit = (uint16_t)(i + 1);
        if (shared->conf->sample_on_first_match) {
            break;
        }
    }
    return credit;
}

static void not_sampled(struct sampler *sampler, struct sw_trace *trace)
{
    sampler_book(sampler, SW_FLOW_NOT_SAMPLED, trace->spans_count);
    sw_trace_note_decided(sampler->table, trace->id, 0);
    sw_trace_drop_spans(trace);
    trace->state = SW_TRACE_NOT_SAMPLED;
}

static void decide(struct sampler *sampler, struct sw_trace *trace)
{
    // What is pending at the end is dropped without a decision, and nothing is counted for it.
    if (sampler->draining && sampler->shared->conf->drop_pending_traces_on_shutdown) {
        not_sampled(sampler, trace);
        trace->decided_ns = sampler->stage.core->now_ns;
        return;
    }
    bool told = trace->told != SW_TRACE_UNDECIDED;
    uint16_t credit = told ? 0 : ballot(sampler, trace);
    bool sampled = told ? trace->told == SW_TRACE_SAMPLED : credit != 0;
    sw_count(sampler->cells.traces[sampled], 1);
    trace->decided_ns = sampler->stage.core->now_ns;
    trace->policy = credit;
    if (!told) {
        sw_tell(sampler, trace, sampled);
    }
    if (!sampled) {
        not_sampled(sampler, trace);
        sw_decided(sampler, trace, &sampler->not_sampled);
        return;
    }
    trace->state = SW_TRACE_SAMPLED;
    if (trace->last != 0) {
        sw_release_trace(sampler, trace);
    }
    sw_decided(sampler, trace, &sampler->sampled);
}

/* ---- a round: what one tick made due ---- */

static void show_table(struct sampler *sampler)
{
    struct sw_trace_table_stats stats;
    sw_trace_table_stats(sampler->table, &stats);
    // By difference: instances share a series when their labels are the same.
    sw_count(sampler->cells.on_memory, (int64_t)stats.traces_count - sampler->on_memory);
    sw_count(sampler->cells.table_bytes, (int64_t)stats.bytes - sampler->table_bytes);
    sw_count(sampler->cells.free_bytes, (int64_t)stats.free_bytes - sampler->free_bytes);
    sampler->on_memory = (int64_t)stats.traces_count;
    sampler->table_bytes = (int64_t)stats.bytes;
    sampler->free_bytes = (int64_t)stats.free_bytes;
}

// The Collector writes these at every tick, also when nothing has happened.
static void show_policies(struct sampler *sampler)
{
    unsigned count = sw_policy_set_count(sampler->shared->policies);
    for (unsigned i = 0; i < count; i++) {
        struct policy_cells *cells = &sampler->cells.policies[i];
        sw_count(cells->executions, 0);
        sw_count(cells->time_us, (int64_t)(cells->time_ns / SW_NS_PER_US));
        cells->time_ns %= SW_NS_PER_US;
    }
    sw_count(sampler->cells.evaluation_errors, 0);
    sw_count(sampler->cells.too_early, (int64_t)sw_trace_table_too_early(sampler->table));
}

static void round_done(struct sampler *sampler)
{
    uint64_t took_ns = sampler->stage.core->now_ns - sampler->round_began_ns;
    sw_measure(sampler->cells.timer_latency, (double)(took_ns / SW_NS_PER_MS));
    show_policies(sampler);
    sw_trace_table_idle_tick(sampler->table);
    show_table(sampler);
    sampler->round = false;
    sampler->late_round = false;
    sampler->trimming = true;
    sw_sampler_look_stalled(sampler);
}

enum progress sw_decide(struct sampler *sampler)
{
    uint32_t traces = SLICE_TRACES;
    uint32_t effort = SLICE_EFFORT;
    if (sw_trace_table_evict(sampler->table, sampler->stage.core->now_ns, SLICE_EVICT)) {
        return PROGRESS_MORE;
    }
    for (;;) {
        enum progress progress = sw_release_step(sampler, &effort);
        if (progress != PROGRESS_DONE) {
            return progress;
        }
        if (effort == 0) {
            return PROGRESS_MORE;
        }
        struct sw_trace *trace = sw_trace_table_due(sampler->table, &traces);
        if (trace == NULL) {
            break;
        }
        decide(sampler, trace);
    }
    if (traces == 0) {
        return PROGRESS_MORE;
    }
    if (!sw_release_flush(sampler) || release_blocked(&sampler->release)) {
        return PROGRESS_WAIT;
    }
    sw_release_hold(sampler);
    sw_trace_table_sweep(sampler->table);
    if (sampler->round) {
        round_done(sampler);
    }
    return PROGRESS_DONE;
}
