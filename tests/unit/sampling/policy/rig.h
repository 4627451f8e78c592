/* Policies and a trace that spans are added to, one by one. */
#ifndef SW_TESTS_POLICY_RIG_H
#define SW_TESTS_POLICY_RIG_H

#include "sampling/policy/policy.h"
#include "tests/lib/bench.h"
#include "tests/lib/traces.h"

struct rig {
    struct sw_account account;
    struct sw_core core;
    struct sw_shard_key key;
    struct sw_trace_limits limits;
    struct sw_trace_table *table;
    struct sw_policy_set *set;
    struct sw_policy_ballot *ballot;
    uint32_t stamp;
};

static inline void rig_evicted(void *context, const struct sw_trace *trace, uint64_t now_ns) {}

static inline int rig_set(
    struct sw_policy_conf *policies,
    size_t count,
    char *error,
    size_t error_size,
    struct sw_policy_set **ret_set
)
{
    struct sw_list list = {.items = policies, .count = count};
    return sw_policy_set_new(&list, error, error_size, ret_set);
}

static inline void rig_open(struct rig *rig, struct sw_policy_conf *policies, size_t count)
{
    char error[256] = "";
    memset(rig, 0, sizeof(*rig));
    bench_core_init(&rig->core, &rig->account);
    sw_shard_key_init(&rig->key, &rig->core.rand);
    sw_trace_limits_init(&rig->limits, 1000, false);
    const struct sw_trace_table_conf conf = {
        .account = &rig->account,
        .limits = &rig->limits,
        .key = &rig->key,
        .wait_ticks = 1,
        .evicted = rig_evicted,
    };
    assert_int_equal(sw_trace_table_new(&conf, &rig->table), 0);
    assert_int_equal(rig_set(policies, count, error, sizeof(error), &rig->set), 0);
    assert_int_equal(sw_policy_ballot_new(rig->set, rig->table, &rig->ballot), 0);
}

static inline void rig_close(struct rig *rig)
{
    sw_policy_ballot_free(rig->ballot);
    sw_policy_set_free(rig->set);
    sw_trace_table_free(rig->table);
}

/** A span arrives. */
static inline struct sw_trace *rig_add(struct rig *rig, struct traces_span spec)
{
    struct traces traces = {0};
    static struct sw_shard_block block;
    struct sw_shard_walk walk;
    traces_add(&traces, spec);
    struct sw_batch *batch = traces_batch(&traces, NULL);
    sw_shard_walk_init(&walk, batch, &rig->key, &rig->core, &rig->stamp);
    assert_int_equal(sw_shard_walk_next(&walk, &block), 0);
    const struct sw_shard_span *span = &block.spans[0];
    struct sw_trace *trace = sw_trace_find(rig->table, span->trace_id, span->hash);
    if (trace == NULL) {
        assert_int_equal(
            sw_trace_add(rig->table, span->trace_id, span->hash, rig->core.now_ns, &trace), 0
        );
    }
    assert_int_equal(sw_trace_append(rig->table, trace, &block.scopes[span->scope], span), 0);
    trace->spans_count++;
    sw_policy_watch(rig->set, trace, span);
    sw_shard_walk_fini(&walk);
    sw_batch_free(batch);
    return trace;
}

static inline bool rig_vote(struct rig *rig, struct sw_trace *trace, unsigned policy)
{
    sw_policy_ballot_open(rig->ballot, trace);
    return sw_policy_vote(rig->ballot, policy);
}

#endif
