/* A set of policies: made once from the configuration, watching spans, voting on traces. */
#include "dataplane/base/mem.h"
#include "sampling/policy/policy_internal.h"

#include <stdio.h>

#define BITS_MAX 32u

struct sw_policy_set {
    unsigned count;
    unsigned extras_count;    // watching policies without a bit
    uint32_t watched;         // bits that are used
    bool times;               // a policy with a bit looks at durations
    uint8_t by_bit[BITS_MAX]; // index of the policy; those with a bit are among the first ones
    struct policy policies[];
};

struct sw_policy_ballot {
    const struct sw_policy_set *set;
    struct sw_trace_table *table;
    struct sw_trace *trace;
    bool replayed;
    struct sight sight; // while replaying
    bool seen[];        // [policy.extra]
};

static const struct policy_kind *const kinds[SW_POLICY_TYPES_COUNT] = {
    [SW_POLICY_ALWAYS_SAMPLE] = &sw_policy_always_sample,
    [SW_POLICY_LATENCY] = &sw_policy_latency,
    [SW_POLICY_STATUS_CODE] = &sw_policy_status_code,
    [SW_POLICY_PROBABILISTIC] = &sw_policy_probabilistic,
};

/* ---- the set ---- */

static void give_bit(struct sw_policy_set *set, unsigned index)
{
    struct policy *policy = &set->policies[index];
    unsigned used = (unsigned)__builtin_popcount(set->watched);
    if (policy->kind->sees == NULL) {
        return;
    }
    if (used == BITS_MAX || index > UINT8_MAX) {
        policy->extra = set->extras_count++;
        return;
    }
    policy->bit = 1u << used;
    set->by_bit[used] = (uint8_t)index;
    set->watched |= policy->bit;
    set->times = set->times || policy->kind == &sw_policy_latency;
}

static int policy_init(
    struct policy *policy,
    const struct sw_policy_conf *conf,
    char *error,
    size_t error_size
)
{
    const char *why = NULL;
    policy->name = conf->name;
    policy->kind = conf->type < SW_POLICY_TYPES_COUNT ? kinds[conf->type] : NULL;
    if (policy->kind == NULL) {
        snprintf(
            error,
            error_size,
            "policy \"%s\": type %s is not supported yet",
            conf->name,
            conf->type_text
        );
        return SW_E_UNSUPPORTED;
    }
    int err = policy->kind->init(policy, conf, &why);
    if (err != SW_OK) {
        snprintf(
            error, error_size, "failed to create policy evaluator for \"%s\": %s", conf->name, why
        );
    }
    return err;
}

int sw_policy_set_new(
    const struct sw_list *policies,
    char *error,
    size_t error_size,
    struct sw_policy_set **ret_set
)
{
    if (policies->count > SW_POLICIES_MAX) {
        snprintf(error, error_size, "more than %d policies", SW_POLICIES_MAX);
        return SW_E_UNSUPPORTED;
    }
    struct sw_policy_set *set = sw_zalloc(sizeof(*set) + policies->count * sizeof(struct policy));
    if (set == NULL) {
        return SW_E_NOMEM;
    }
    for (; set->count < policies->count; set->count++) {
        const struct sw_policy_conf *conf =
            &SW_LIST_AT(*policies, const struct sw_policy_conf, set->count);
        int err = policy_init(&set->policies[set->count], conf, error, error_size);
        if (err != SW_OK) {
            sw_policy_set_free(set);
            return err;
        }
        give_bit(set, set->count);
    }
    *ret_set = set;
    return SW_OK;
}

void sw_policy_set_free(struct sw_policy_set *set)
{
    sw_free(set);
}

unsigned sw_policy_set_count(const struct sw_policy_set *set)
{
    return set->count;
}

const char *sw_policy_name(const struct sw_policy_set *set, unsigned index)
{
    SW_ASSERT(index < set->count);
    return set->policies[index].name;
}

/* ---- watching ---- */

void sw_policy_watch(
    const struct sw_policy_set *set,
    struct sw_trace *trace,
    const struct sw_shard_span *span
)
{
    struct sight sight = {.status_code = span->status_code};
    if (set->times) {
        sight = sight_after(trace->start_min_ns, trace->end_max_ns, span->start_ns, span->end_ns);
        sight.status_code = span->status_code;
        trace->start_min_ns = sight.start_min_ns;
        trace->end_max_ns = sight.end_max_ns;
    }
    for (uint32_t left = set->watched & ~trace->matched; left != 0; left &= left - 1) {
        unsigned bit = (unsigned)__builtin_ctz(left);
        const struct policy *policy = &set->policies[set->by_bit[bit]];
        if (policy->kind->sees(policy, &sight)) {
            trace->matched |= 1u << bit;
        }
    }
}

/* ---- voting ---- */

int sw_policy_ballot_new(
    const struct sw_policy_set *set,
    struct sw_trace_table *table,
    struct sw_policy_ballot **ret_ballot
)
{
    struct sw_policy_ballot *ballot =
        sw_zalloc(sizeof(*ballot) + set->extras_count * sizeof(ballot->seen[0]));
    if (ballot == NULL) {
        return SW_E_NOMEM;
    }
    ballot->set = set;
    ballot->table = table;
    *ret_ballot = ballot;
    return SW_OK;
}

void sw_policy_ballot_free(struct sw_policy_ballot *ballot)
{
    sw_free(ballot);
}

void sw_policy_ballot_open(struct sw_policy_ballot *ballot, struct sw_trace *trace)
{
    ballot->trace = trace;
    ballot->replayed = false;
}

static bool replay_span(void *context, const struct sw_shard_scope *scope, struct sw_bytes span)
{
    struct sw_policy_ballot *ballot = context;
    struct sw_span_view view;
    (void)sw_span_view_fill(&view, span); // validated, and safe if not
    struct sight *sight = &ballot->sight;
    *sight = sight_after(sight->start_min_ns, sight->end_max_ns, view.start_ns, view.end_ns);
    sight->status_code = view.status_code;
    for (unsigned i = 0; i < ballot->set->count; i++) {
        const struct policy *policy = &ballot->set->policies[i];
        if (policy->kind->sees != NULL && policy->bit == 0 && !ballot->seen[policy->extra]) {
            ballot->seen[policy->extra] = policy->kind->sees(policy, sight);
        }
    }
    return true;
}

static void replay(struct sw_policy_ballot *ballot)
{
    ballot->replayed = true;
    ballot->sight = (struct sight){0};
    memset(ballot->seen, 0, ballot->set->extras_count * sizeof(ballot->seen[0]));
    sw_trace_replay(ballot->table, ballot->trace, replay_span, ballot);
}

bool sw_policy_vote(struct sw_policy_ballot *ballot, unsigned index)
{
    SW_DASSERT(index < ballot->set->count);
    const struct policy *policy = &ballot->set->policies[index];
    if (policy->kind->sees == NULL) {
        return policy->kind->votes(policy, ballot->trace);
    }
    if (policy->bit != 0) {
        return (ballot->trace->matched & policy->bit) != 0;
    }
    if (!ballot->replayed) {
        replay(ballot);
    }
    return ballot->seen[policy->extra];
}
