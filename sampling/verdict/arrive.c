/* Spans arrive at the core that owns their trace, run by run: spans of one trace that came together
 * in one ResourceSpans (what the Collector calls a group, or a part of one). The hot path. */
#include "sampling/verdict/verdict_internal.h"

// Spans ahead whose trace is fetched.
#define AHEAD 6u
// Spans taken in one turn as they come; the rest in slices.
#define TURN_SPANS_MAX 2048u
// Spans of waiting parts that one slice takes.
#define SLICE_SPANS_MAX 1024u
// How soon parts without memory or room are tried again.
#define RETRY_NS (10 * SW_NS_PER_MS)
// Traces pushed out by other cores' arrivals that are caught up with before a part is taken.
#define EVICT_MAX 64u

static uint32_t run_end(const struct run *run, uint32_t from)
{
    const struct sw_shard_span *first = run_span(run, from);
    uint32_t group = run->block->scopes[first->scope].group_stamp;
    uint32_t at = from + 1;
    for (; at < run->part->count; at++) {
        const struct sw_shard_span *span = run_span(run, at);
        if (span->hash != first->hash
            || memcmp(span->trace_id, first->trace_id, SW_TRACE_ID_BYTES) != 0
            || (span->scope != first->scope && run->block->scopes[span->scope].group_stamp != group
            )) {
            break;
        }
    }
    return at;
}

void sw_sampler_too_large(struct sampler *sampler, struct sw_trace *trace)
{
    sampler_book(sampler, SW_FLOW_NOT_SAMPLED, trace->spans_count);
    sw_trace_note_decided(sampler->table, trace->id, 0);
    sw_trace_drop_spans(trace);
    trace->state = SW_TRACE_NOT_SAMPLED;
    trace->decided_ns = 0;
    sw_count(sampler->cells.too_large, 1);
    sw_tell(sampler, trace, false);
    sw_decided(sampler, trace, &sampler->not_sampled);
}

// Undecided: spans go into the table, as many as there is memory for; *taken moves on.
static int
store(struct sampler *sampler, const struct run *run, struct sw_trace *trace, uint32_t *taken)
{
    bool has_root = false;
    int err = SW_OK;
    uint32_t at = run->from;
    for (; at < run->to; at++) {
        const struct sw_shard_span *span = run_span(run, at);
        err = sw_trace_append(sampler->table, trace, run_scope(run, at), span);
        if (SW_UNLIKELY(err == SW_E_TOO_LARGE)) {
            // Never again either: a single span of a gigabyte.
            sampler->held_count++;
            sampler_book(sampler, SW_FLOW_EVICTED, 1);
            continue;
        }
        if (SW_UNLIKELY(err != SW_OK)) {
            break;
        }
        trace->spans_count++;
        sampler->held_count++;
        sw_policy_watch(sampler->shared->policies, trace, span);
        has_root = has_root || span->is_root;
    }
    *taken = at;
    if (has_root) {
        sw_trace_root_arrived(sampler->table, trace);
    }
    uint64_t most = sampler->shared->conf->maximum_trace_size_bytes;
    if (most > 0 && sw_trace_size(sampler->table, trace) > most) {
        sw_sampler_too_large(sampler, trace);
    }
    return at == run->to ? SW_OK : err;
}

static int take_new(struct sampler *sampler, const struct run *run, uint32_t *taken)
{
    const struct sw_shard_span *first = run_span(run, run->from);
    uint64_t now_ns = sampler->stage.core->now_ns;
    struct sw_trace *trace = NULL;
    int err = sw_trace_add(sampler->table, first->trace_id, first->hash, now_ns, &trace);
    if (err != SW_OK) {
        return err;
    }
    err = store(sampler, run, trace, taken);
    if (*taken == run->from) {
        // Without a span it would be decided for nothing.
        sw_trace_take_back(sampler->table, trace);
        return err;
    }
    sw_count(sampler->cells.new_traces, 1);
    return err;
}

// *taken: spans of the part that are done with.
static int take_run(struct sampler *sampler, const struct run *run, uint32_t *taken)
{
    const struct sw_shard_span *first = run_span(run, run->from);
    int err = SW_OK;
    if (sampler->caches && sw_late_cached(sampler, run, &err)) {
        *taken = err == SW_OK ? run->to : run->from;
        return err;
    }
    struct sw_trace *trace = sw_trace_find(sampler->table, first->trace_id, first->hash);
    if (trace == NULL) {
        return take_new(sampler, run, taken);
    }
    if (SW_LIKELY(trace->state == SW_TRACE_UNDECIDED)) {
        err = store(sampler, run, trace, taken);
    } else {
        err = sw_late_follow(sampler, run, trace);
        *taken = err == SW_OK ? run->to : run->from;
    }
    sw_count(sampler->cells.new_traces, 0);
    return err;
}

static void prefetch_index(const struct sampler *sampler, const struct run *run)
{
    uint32_t end = SW_MIN(run->part->count, run->from + SLICE_SPANS_MAX);
    uint32_t last = 0; // spans of a trace come in runs
    for (uint32_t at = run->from; at < end; at++) {
        uint32_t hash = run_span(run, at)->hash;
        if (hash != last) {
            sw_trace_prefetch_index(sampler->table, hash);
            last = hash;
        }
    }
}

// @return 0 when the whole part was taken; SW_E_NOMEM, SW_E_FULL: later
static int take_part(struct sampler *sampler, struct sw_handoff_part *part)
{
    struct run run = {
        .block = sw_handoff_part_block(part),
        .part = part,
        .from = part->taken_count,
    };
    int err = SW_OK;
    uint32_t ahead = part->taken_count;
    (void)sw_trace_table_evict(sampler->table, sampler->stage.core->now_ns, EVICT_MAX);
    prefetch_index(sampler, &run);
    while (err == SW_OK && run.from < part->count) {
        for (; ahead < part->count && ahead < run.from + AHEAD; ahead++) {
            sw_trace_prefetch(sampler->table, run_span(&run, ahead)->hash);
        }
        run.to = run_end(&run, run.from);
        uint32_t taken = run.from;
        err = take_run(sampler, &run, &taken);
        run.from = taken;
    }
    sampler->taken_count += run.from - part->taken_count;
    part->taken_count = run.from;
    if (sw_trace_table_short(sampler->table)) {
        sw_core_task(sampler->stage.core, &sampler->memory);
    }
    if (err == SW_OK) {
        sw_handoff_taken(sampler->handoff, part);
    }
    return err;
}

/* ---- parts that wait ---- */

static void put_last(struct sampler *sampler, struct sw_handoff_part *part)
{
    part->next = NULL;
    if (sampler->parts_last != NULL) {
        sampler->parts_last->next = part;
    } else {
        sampler->parts_first = part;
    }
    sampler->parts_last = part;
    sampler->parts_count++;
}

// They wait for memory, or for traces to be decided.
static void wait_for_room(struct sampler *sampler)
{
    struct sw_core *core = sampler->stage.core;
    sampler->parts_wait = true;
    sw_timer_set(&core->timers, &sampler->parts_retry, core->now_ns + RETRY_NS);
    sw_sampler_look_stalled(sampler);
}

void sw_sampler_take(void *taker, struct sw_handoff_part *part, bool remote)
{
    struct sampler *sampler = taker;
    if (sampler->draining) {
        sampler_wake(sampler); // what arrives now is due
    }
    if (sampler->taken_ns != sampler->stage.core->now_ns) {
        sampler->taken_ns = sampler->stage.core->now_ns;
        sampler->taken_count = 0;
    }
    if (sampler->parts_first != NULL || sampler->taken_count >= TURN_SPANS_MAX) {
        put_last(sampler, part);
        sampler_wake(sampler);
        return;
    }
    if (take_part(sampler, part) != SW_OK) {
        put_last(sampler, part);
        wait_for_room(sampler);
    }
}

static struct sw_handoff_part *take_first(struct sampler *sampler)
{
    struct sw_handoff_part *part = sampler->parts_first;
    sampler->parts_first = part->next;
    if (sampler->parts_first == NULL) {
        sampler->parts_last = NULL;
    }
    sampler->parts_count--;
    return part;
}

static void put_first(struct sampler *sampler, struct sw_handoff_part *part)
{
    part->next = sampler->parts_first;
    sampler->parts_first = part;
    if (sampler->parts_last == NULL) {
        sampler->parts_last = part;
    }
    sampler->parts_count++;
}

bool sw_sampler_take_waiting(struct sampler *sampler)
{
    uint32_t before = sampler->taken_count;
    while (sampler->parts_first != NULL && !sampler->parts_wait) {
        if (sampler->taken_count - before >= SLICE_SPANS_MAX) {
            return true;
        }
        // Off the list first: a ticket that is settled may bring more from inside, and the part is
        // gone then.
        struct sw_handoff_part *part = take_first(sampler);
        if (take_part(sampler, part) != SW_OK) {
            put_first(sampler, part);
            wait_for_room(sampler);
        }
    }
    return false;
}
