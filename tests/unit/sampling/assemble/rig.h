/* A trace table that is filled from requests, without the stages around it. */
#ifndef SW_TESTS_ASSEMBLE_RIG_H
#define SW_TESTS_ASSEMBLE_RIG_H

#include "dataplane/base/clock.h"
#include "sampling/assemble/assemble.h"
#include "tests/lib/bench.h"
#include "tests/lib/traces.h"

struct rig {
    struct sw_account account;
    struct sw_core core;
    struct sw_shard_key key;
    struct sw_trace_limits limits;
    struct sw_trace_table_conf conf;
    struct sw_trace_table *table;
    uint32_t stamp;
    struct sw_shard_block *block;
    uint32_t evicted_count;
    uint32_t evicted_undecided;
    uint64_t evicted_last;
    int append_err; // of the last take
};

static inline void rig_evicted(void *context, const struct sw_trace *trace, uint64_t now_ns)
{
    struct rig *rig = context;
    rig->evicted_count++;
    rig->evicted_undecided += trace->state == SW_TRACE_UNDECIDED;
    rig->evicted_last = traces_number(trace->id);
}

/** conf: set wait_ticks, early, sizes, block; the rest is the rig's. */
static inline void
rig_open(struct rig *rig, struct sw_trace_table_conf conf, uint64_t num_traces, bool counted)
{
    memset(rig, 0, sizeof(*rig));
    bench_core_init(&rig->core, &rig->account);
    sw_shard_key_init(&rig->key, &rig->core.rand);
    sw_trace_limits_init(&rig->limits, num_traces, counted);
    rig->conf = conf;
    rig->conf.account = &rig->account;
    rig->conf.limits = &rig->limits;
    rig->conf.key = &rig->key;
    rig->conf.evicted = rig_evicted;
    rig->conf.context = rig;
    rig->conf.wait_ticks = conf.wait_ticks > 0 ? conf.wait_ticks : 2;
    assert_int_equal(sw_trace_table_new(&rig->conf, &rig->table), 0);
    rig->block = malloc(sizeof(*rig->block));
    assert_non_null(rig->block);
}

static inline void rig_close(struct rig *rig)
{
    sw_trace_table_free(rig->table);
    free(rig->block);
    assert_int_equal(sw_account_charged(&rig->account), 0);
}

static inline uint32_t rig_hash(const struct rig *rig, const uint8_t id[16])
{
    return (uint32_t)sw_shard_hash(&rig->key, id);
}

static inline struct sw_trace *rig_find(struct rig *rig, uint64_t number)
{
    uint8_t id[16];
    traces_id(id, number, 0);
    return sw_trace_find(rig->table, id, rig_hash(rig, id));
}

/** All spans of the request into the table. @return 0 or what add or append said */
static inline int rig_take(struct rig *rig, struct traces *traces)
{
    struct sw_batch *batch = traces_batch(traces, NULL);
    struct sw_shard_walk walk;
    int err = SW_OK;
    sw_shard_walk_init(&walk, batch, &rig->key, &rig->core, &rig->stamp);
    while (err == SW_OK && !walk.done) {
        err = sw_shard_walk_next(&walk, rig->block);
        for (uint32_t i = 0; i < rig->block->spans_count && err == SW_OK; i++) {
            const struct sw_shard_span *span = &rig->block->spans[i];
            struct sw_trace *trace = sw_trace_find(rig->table, span->trace_id, span->hash);
            if (trace == NULL) {
                err =
                    sw_trace_add(rig->table, span->trace_id, span->hash, rig->core.now_ns, &trace);
            }
            if (err == SW_OK) {
                err = sw_trace_append(rig->table, trace, &rig->block->scopes[span->scope], span);
            }
            if (err == SW_OK) {
                trace->spans_count++;
            }
        }
    }
    sw_shard_walk_fini(&walk);
    sw_batch_free(batch);
    return err;
}

/** One span of trace `number` in a request of its own. */
static inline int rig_take_one(struct rig *rig, uint64_t number)
{
    struct traces traces = {0};
    traces_add(&traces, (struct traces_span){.trace = number});
    return rig_take(rig, &traces);
}

/** The trace's spans, copied out; free it. */
static inline struct sw_bytes rig_gather(struct rig *rig, struct sw_trace *trace)
{
    struct sw_trace_gather gather;
    uint32_t effort = 1; // slices as short as can be
    sw_trace_gather_begin(&gather, rig->table, trace);
    while (!sw_trace_gather_measure(&gather, &effort)) {
        effort = 1;
    }
    uint8_t *data = malloc(gather.bytes);
    assert_non_null(data);
    uint8_t *end = data + gather.bytes;
    effort = 1;
    while (!sw_trace_gather_write(&gather, &end, &effort)) {
        effort = 1;
    }
    assert_ptr_equal(end, data);
    assert_int_equal(gather.spans_count, trace->spans_count);
    struct sw_bytes bytes = {data, gather.bytes};
    assert_false(sw_trace_gather_more(&gather));
    sw_trace_gather_end(&gather);
    return bytes;
}

/** Decides what is due as not sampled. @return how many */
static inline uint32_t rig_decide(struct rig *rig)
{
    uint32_t count = 0;
    for (;;) {
        uint32_t effort = 1000;
        struct sw_trace *trace = sw_trace_table_due(rig->table, &effort);
        if (trace == NULL && effort > 0) {
            return count;
        }
        if (trace != NULL) {
            trace->state = SW_TRACE_NOT_SAMPLED;
            sw_trace_drop_spans(trace);
            count++;
        }
    }
}

static inline uint64_t rig_bytes(const struct rig *rig)
{
    struct sw_trace_table_stats stats;
    sw_trace_table_stats(rig->table, &stats);
    return stats.bytes;
}

#endif
