/* Spans that come after the decision about their trace follow it: kept ones go on at once, in a
 * payload of their own for each group, others go away (reference: 3.5, 3.7). They never stand in
 * the table. */
#include "sampling/verdict/verdict_internal.h"

/* A group on its way into a payload. */
struct group {
    const struct run *run;
    struct sw_bytes mark; // size 0: none
};

static size_t around_size(const struct group *group, struct sw_bytes around)
{
    return group->mark.size == 0 ? around.size : sw_scope_mark(around, group->mark, NULL);
}

// End of the spans from `at` on that came in one ScopeSpans, and what that amounts to.
static uint32_t scope_end(const struct group *group, uint32_t at, uint64_t *ret_bytes)
{
    const struct run *run = group->run;
    uint32_t stamp = run_scope(run, at)->stamp;
    uint64_t bytes = around_size(group, run_scope(run, at)->scope);
    while (at < run->to && run_scope(run, at)->stamp == stamp) {
        bytes += run_span(run, at)->field_size;
        at++;
    }
    *ret_bytes = bytes;
    return at;
}

static uint64_t group_bytes(const struct group *group)
{
    const struct run *run = group->run;
    uint64_t total = run_scope(run, run->from)->resource.size;
    for (uint32_t at = run->from; at < run->to;) {
        uint64_t bytes;
        at = scope_end(group, at, &bytes);
        total += sw_pb_len_size(SW_OTLP_TAG_SCOPES, bytes);
    }
    return total;
}

static uint8_t *put(uint8_t *out, const uint8_t *data, size_t size)
{
    return size > 0 ? (uint8_t *)memcpy(out, data, size) + size : out;
}

static uint8_t *put_around(const struct group *group, struct sw_bytes around, uint8_t *out)
{
    if (group->mark.size == 0) {
        return put(out, around.data, around.size);
    }
    return out + sw_scope_mark(around, group->mark, out);
}

static uint8_t *put_group(const struct group *group, uint64_t bytes, uint8_t *out)
{
    const struct run *run = group->run;
    const struct sw_bytes *resource = &run_scope(run, run->from)->resource;
    out = sw_pb_put_head(out, SW_OTLP_TAG_RESOURCES, bytes);
    out = put(out, resource->data, resource->size);
    for (uint32_t at = run->from; at < run->to;) {
        uint64_t scope_bytes;
        uint32_t end = scope_end(group, at, &scope_bytes);
        out = sw_pb_put_head(out, SW_OTLP_TAG_SCOPES, scope_bytes);
        out = put_around(group, run_scope(run, at)->scope, out);
        for (; at < end; at++) {
            out = put(out, run_span(run, at)->field, run_span(run, at)->field_size);
        }
    }
    return out;
}

// A payload of its own, so that it pins nobody's buffers while it waits.
static struct sw_batch *make_batch(struct sampler *sampler, const struct group *group)
{
    const struct run *run = group->run;
    uint64_t bytes = group_bytes(group);
    uint64_t whole = sw_pb_len_size(SW_OTLP_TAG_RESOURCES, bytes);
    struct sw_batch *batch = sw_batch_new(SW_TRACES);
    struct sw_buf *buf =
        whole <= UINT32_MAX / 2 ? sw_buf_new(sampler->account, (uint32_t)whole) : NULL;
    if (batch == NULL || buf == NULL) {
        sw_batch_free(batch);
        sw_buf_unref(buf);
        return NULL;
    }
    buf->size = (uint32_t)(put_group(group, bytes, buf->data) - buf->data);
    SW_ASSERT(buf->size == whole);
    int err = sw_batch_add_raw(batch, buf, buf->data, buf->size, run->to - run->from);
    SW_ASSERT(err == SW_OK); // one part and one piece lie in the batch itself
    sw_buf_unref(buf);
    batch->arrived_ns = sampler->stage.core->now_ns;
    return batch;
}

// In the window first, as everything that is owned here.
static int note(struct sampler *sampler, const struct run *run, uint64_t *ret_tag)
{
    *ret_tag = 0;
    if (sampler->file == NULL) {
        return SW_OK;
    }
    for (uint32_t at = run->from; at < run->to; at++) {
        int err = sw_trace_note_late(sampler->table, run_scope(run, at), run_span(run, at));
        if (err != SW_OK) {
            return SW_E_NOMEM;
        }
    }
    *ret_tag = sw_release_tag(sampler, sw_trace_table_newest(sampler->table));
    sw_trace_note_decided(sampler->table, run_span(run, run->from)->trace_id, payload_of(*ret_tag));
    return SW_OK;
}

static int pass_on(struct sampler *sampler, const struct run *run, struct sw_bytes mark)
{
    const struct group group = {.run = run, .mark = mark};
    struct sw_batch *batch = make_batch(sampler, &group);
    if (batch == NULL) {
        return SW_E_NOMEM;
    }
    int err = note(sampler, run, &batch->tag);
    if (err != SW_OK) {
        sw_batch_free(batch);
        return err;
    }
    sampler->held_count += batch->items_count;
    sw_release_emit(sampler, batch);
    return SW_OK;
}

static void discard(struct sampler *sampler, const struct run *run)
{
    uint32_t count = run->to - run->from;
    sampler->held_count += count;
    sampler_book(sampler, SW_FLOW_NOT_SAMPLED, count);
}

int sw_late_follow(struct sampler *sampler, const struct run *run, struct sw_trace *trace)
{
    bool begins = sw_trace_begins_group(trace, run_scope(run, run->from));
    if (trace->state == SW_TRACE_SAMPLED) {
        int err = pass_on(sampler, run, (struct sw_bytes){NULL, 0});
        if (err != SW_OK) {
            return err;
        }
    } else {
        discard(sampler, run);
    }
    trace->stamp = run_scope(run, run->to - 1)->stamp;
    // A trace that was too large has no time of decision.
    if (begins && trace->decided_ns != 0) {
        uint64_t age_ns = sampler->stage.core->now_ns - trace->decided_ns;
        sw_measure(sampler->cells.late_age, (double)(age_ns / SW_NS_PER_S));
    }
    return SW_OK;
}

bool sw_late_cached(struct sampler *sampler, const struct run *run, int *ret_err)
{
    const uint8_t *trace_id = run_span(run, run->from)->trace_id;
    uint16_t policy = 0;
    *ret_err = SW_OK;
    if (sw_decision_cache_hit(&sampler->sampled, trace_id, &policy)) {
        *ret_err = pass_on(sampler, run, sw_tail_mark(sampler->shared->marks, policy, true));
        if (*ret_err == SW_OK) {
            sw_count(sampler->cells.early_releases[1], run->to - run->from);
        }
        return true;
    }
    if (sw_decision_cache_hit(&sampler->not_sampled, trace_id, &policy)) {
        discard(sampler, run);
        sw_count(sampler->cells.early_releases[0], run->to - run->from);
        return true;
    }
    return false;
}
