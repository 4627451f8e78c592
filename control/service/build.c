/* Joins stages as the YAML says: last to first, once per core. Sharing as in the Collector (v0.159
 * service/internal/graph): one exporter or connector instance per ID and signal, one processor instance
 * per pipeline. */
#include "control/service/build.h"

#include "control/service/peering.h"
#include "dataplane/base/mem.h"
#include "dataplane/pipeline/ends.h"
#include "dataplane/pipeline/merge.h"
#include "storage/batch/batch_conf.h"
#include "storage/queue/sending_queue_conf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* One component in one place of the graph, with its instances on all cores. */
struct node {
    const struct sw_conf_component *component;
    const struct sw_stage_class *class;
    void *shared;
    struct sw_stage **stages; // [core]
    unsigned level;           // for the drain
};

struct pipeline {
    const struct sw_conf_pipeline *conf;
    unsigned base_level; // of its first processor: behind those of all pipelines that feed it
    bool visited;
    struct sw_balance *balance;
    struct node *processors;
    struct sw_stage **entries;  // [core]
    struct sw_peers *peers;     // NULL: its data come to no other gateway
    struct sw_stage **gateways; // [core], with peers: in front of the entries
    struct sw_stage **branches; // [core * exporters_count + exporter]
    struct sw_stage **fanouts;  // [core], NULL with a single exporter
};

struct sw_generation {
    struct sw_build_env env;
    struct pipeline *pipelines;
    unsigned pipelines_count;
    unsigned *order;         // pipelines by index, those behind connectors before those in front
    struct node *exporters;  // one per ID and signal of exporters, and of connectors
    struct sw_merge *merges; // [exporter]: of a batch processor whose work it does
    enum sw_signal *exporter_signals;
    unsigned exporters_count;
    struct sw_stage **receiver_fanouts; // those made by sw_generation_entry's table below
    unsigned receiver_fanouts_count;
    struct sw_stage *
        *entries; // [component * signals * cores]: what a receiver or connector hands to
    unsigned levels_count;
    struct sw_peering *peering; // NULL: there are no other gateways
    struct sw_peer_door **doors;
    unsigned doors_count;
    struct sw_handed_over *handed_over;
    unsigned handed_over_count;
    char *error;
    size_t error_size;
};

__attribute__((format(printf, 2, 3))) static void
explain(struct sw_generation *generation, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(generation->error, generation->error_size, format, args);
    va_end(args);
}

static int node_fail(
    struct sw_generation *generation,
    const struct sw_conf_component *component,
    const char *why,
    int err
)
{
    explain(
        generation,
        "%s:%u: %s %s: %s",
        component->mark.source,
        component->mark.line,
        sw_component_kind_text(component->kind),
        component->id,
        why[0] != '\0' ? why : sw_err_text(err)
    );
    return err;
}

static void node_free(struct node *node, unsigned cores_count)
{
    for (unsigned core = 0; node->stages != NULL && core < cores_count; core++) {
        if (node->stages[core] != NULL) {
            node->stages[core]->ops->free(node->stages[core]);
        }
    }
    sw_free(node->stages);
    if (node->class != NULL && node->class->shared_free != NULL && node->shared != NULL) {
        node->class->shared_free(node->shared);
    }
    *node = (struct node){0};
}

// Beside kind and id.
static bool has_options(const struct sw_appliance_view *view)
{
    return view->settings.list.count > 2;
}

/* Makes the shared object and one stage per core; nexts[core] is what they hand to. */
static int node_make(
    struct sw_generation *generation,
    struct node *node,
    struct sw_stage_env *env,
    struct sw_stage *const *nexts
)
{
    char why[512] = "";
    const struct sw_conf_component *component = node->component;
    const struct sw_build_env *base = &generation->env;
    env->id = component->id;
    env->metrics = base->metrics;
    env->account = base->account;
    env->cores_count = base->cores_count;
    env->resolver = base->resolver;
    env->discovery = base->discovery;
    env->files = base->files;
    env->durable = base->durable;
    env->keep_refused = base->keep_refused;
    env->journal = base->journal;
    env->environment = base->environment;
    env->baseline = base->baseline;
    env->drain_retry = base->appliance->drain.retry;
    env->appliance =
        sw_appliance_find(base->appliance, sw_component_kind_text(component->kind), component->id);
    env->error = why;
    env->error_size = sizeof(why);
    node->class = component->component->ops;
    if (node->class == NULL) {
        return node_fail(generation, component, "is not supported yet", SW_E_UNSUPPORTED);
    }
    if (env->appliance != NULL && !node->class->options && has_options(env->appliance)) {
        return node_fail(
            generation,
            component,
            "takes none of the settings that the appliance file has for it",
            SW_E_INVALID
        );
    }
    node->stages = sw_zalloc(base->cores_count * sizeof(*node->stages));
    if (node->stages == NULL) {
        return SW_E_NOMEM;
    }
    if (node->class->shared_new != NULL) {
        int err = node->class->shared_new(env, component->conf, &node->shared);
        if (err != SW_OK) {
            return node_fail(generation, component, why, err);
        }
    }
    for (unsigned core = 0; core < base->cores_count; core++) {
        int err = node->class->create(
            env,
            component->conf,
            node->shared,
            base->cores[core],
            nexts != NULL ? nexts[core] : NULL,
            &node->stages[core]
        );
        if (err != SW_OK) {
            return node_fail(generation, component, why, err);
        }
    }
    return SW_OK;
}

static struct node *find_exporter(
    struct sw_generation *generation,
    const struct sw_conf_component *component,
    enum sw_signal signal
)
{
    for (unsigned i = 0; i < generation->exporters_count; i++) {
        if (generation->exporters[i].component == component
            && generation->exporter_signals[i] == signal) {
            return &generation->exporters[i];
        }
    }
    return NULL;
}

/* ---- batch processors whose work queues do (merge.h) ---- */

static const struct sw_sending_queue_conf *queue_conf(const struct sw_conf_component *exporter)
{
    uint32_t offset = exporter->component->queue_offset;
    return offset != 0 ? (const void *)((const char *)exporter->conf + offset) : NULL;
}

// The batch processor at the end of a pipeline, if it is one that others can stand in for.
static const struct sw_conf_component *last_batch(const struct sw_conf_pipeline *pipeline)
{
    if (pipeline->processors_count == 0) {
        return NULL;
    }
    const struct sw_conf_component *last = pipeline->processors[pipeline->processors_count - 1];
    if (last->component != &sw_batch_processor) {
        return NULL;
    }
    const struct sw_batch_conf *conf = last->conf;
    bool joins = conf->send_batch_size > 0 && conf->timeout_ns > 0;
    return joins && conf->metadata_keys.count == 0 ? last : NULL;
}

static bool sends_to(
    const struct sw_conf_pipeline *pipeline,
    const struct sw_conf_component *exporter,
    unsigned signal
)
{
    for (size_t i = 0; pipeline->signal == signal && i < pipeline->exporters_count; i++) {
        if (pipeline->exporters[i] == exporter) {
            return true;
        }
    }
    return false;
}

// Has the exporter a store, and do all that send to it join in the same way?
static bool can_merge(
    const struct sw_conf *conf,
    const struct sw_conf_component *exporter,
    unsigned signal,
    const struct sw_conf_component *batch
)
{
    const struct sw_sending_queue_conf *queue = queue_conf(exporter);
    if (exporter->kind != SW_EXPORTER || queue == NULL || !queue->enabled
        || queue->storage[0] == '\0' || queue->batch.enabled) {
        return false;
    }
    for (size_t i = 0; i < conf->pipelines_count; i++) {
        const struct sw_conf_pipeline *pipeline = &conf->pipelines[i];
        if (sends_to(pipeline, exporter, signal) && last_batch(pipeline) != batch) {
            return false;
        }
    }
    return true;
}

/* All exporters behind a batch processor, or none. With exporters that are shared between pipelines this is asked
 * of each pipeline: all of them end with the same processor, and each must find all of its exporters able. */
static const struct sw_conf_component *
merged_batch(const struct sw_conf *conf, const struct sw_conf_pipeline *pipeline)
{
    const struct sw_conf_component *batch = last_batch(pipeline);
    for (size_t i = 0; batch != NULL && i < conf->pipelines_count; i++) {
        const struct sw_conf_pipeline *other = &conf->pipelines[i];
        for (size_t k = 0; k < other->exporters_count; k++) {
            if (last_batch(other) == batch && other->signal == pipeline->signal
                && !can_merge(conf, other->exporters[k], other->signal, batch)) {
                return NULL;
            }
        }
    }
    return batch;
}

bool sw_pipeline_merges(const struct sw_conf *conf, const struct sw_conf_pipeline *pipeline)
{
    return merged_batch(conf, pipeline) != NULL;
}

static const struct sw_merge *merge_of(
    struct sw_generation *generation,
    unsigned at,
    const struct sw_conf_pipeline *pipeline,
    size_t exporter
)
{
    const struct sw_conf_component *batch = merged_batch(generation->env.conf, pipeline);
    if (batch == NULL) {
        return NULL;
    }
    const struct sw_batch_conf *conf = batch->conf;
    struct sw_merge *merge = &generation->merges[at];
    *merge = (struct sw_merge){
        .processor = exporter == 0 ? batch->id : NULL,
        .timeout_ns = (uint64_t)conf->timeout_ns,
        .size = conf->send_batch_size,
        .size_max = conf->send_batch_max_size,
    };
    return merge;
}

static int make_exporters(struct sw_generation *generation)
{
    const struct sw_conf *conf = generation->env.conf;
    unsigned most = 0;
    for (size_t i = 0; i < conf->pipelines_count; i++) {
        most += (unsigned)conf->pipelines[i].exporters_count;
    }
    generation->exporters = sw_zalloc(most * sizeof(struct node));
    generation->exporter_signals = sw_zalloc(most * sizeof(enum sw_signal));
    generation->merges = sw_zalloc(most * sizeof(struct sw_merge));
    if (generation->exporters == NULL || generation->exporter_signals == NULL
        || generation->merges == NULL) {
        return SW_E_NOMEM;
    }
    for (size_t i = 0; i < conf->pipelines_count; i++) {
        const struct sw_conf_pipeline *pipeline = &conf->pipelines[i];
        for (size_t k = 0; k < pipeline->exporters_count; k++) {
            const struct sw_conf_component *component = pipeline->exporters[k];
            if (component->kind == SW_CONNECTOR
                || find_exporter(generation, component, (enum sw_signal)pipeline->signal) != NULL) {
                continue;
            }
            unsigned at = generation->exporters_count++;
            generation->exporters[at].component = component;
            generation->exporter_signals[at] = (enum sw_signal)pipeline->signal;
            struct sw_stage_env env = {
                .signal = (enum sw_signal)pipeline->signal,
                .merge = merge_of(generation, at, pipeline, k),
            };
            int err = node_make(generation, &generation->exporters[at], &env, NULL);
            if (err != SW_OK) {
                return err;
            }
        }
    }
    return SW_OK;
}

static int make_balance(struct sw_generation *generation, struct pipeline *pipeline)
{
    const char *exporters[SW_FANOUT_MAX];
    const struct sw_conf_pipeline *conf = pipeline->conf;
    if (conf->exporters_count > SW_FANOUT_MAX) {
        explain(
            generation,
            "%s:%u: pipeline %s has %zu exporters, at most %d are supported",
            conf->mark.source,
            conf->mark.line,
            conf->id,
            conf->exporters_count,
            SW_FANOUT_MAX
        );
        return SW_E_UNSUPPORTED;
    }
    for (size_t i = 0; i < conf->exporters_count; i++) {
        exporters[i] = conf->exporters[i]->id;
    }
    return sw_balance_new(
        conf->id,
        (enum sw_signal)conf->signal,
        exporters,
        (unsigned)conf->exporters_count,
        generation->env.cores_count,
        &pipeline->balance
    );
}

// The end of a pipeline on one core: a marked branch per exporter, a fan-out when there are several.
static int make_end(
    struct sw_generation *generation,
    struct pipeline *pipeline,
    unsigned core,
    struct sw_stage **ret_next
)
{
    const struct sw_conf_pipeline *conf = pipeline->conf;
    struct sw_core *here = generation->env.cores[core];
    struct sw_ledger *ledger = sw_balance_ledger(pipeline->balance, core);
    struct sw_stage **branches = &pipeline->branches[core * conf->exporters_count];
    for (size_t i = 0; i < conf->exporters_count; i++) {
        struct node *exporter =
            find_exporter(generation, conf->exporters[i], (enum sw_signal)conf->signal);
        int err = sw_branch_new(here, &ledger->branches[i], exporter->stages[core], &branches[i]);
        if (err != SW_OK) {
            return err;
        }
    }
    if (conf->exporters_count == 1) {
        *ret_next = branches[0];
        return SW_OK;
    }
    int err =
        sw_fanout_new(here, branches, (unsigned)conf->exporters_count, &pipeline->fanouts[core]);
    *ret_next = pipeline->fanouts[core];
    return err;
}

static int make_processors(
    struct sw_generation *generation,
    struct pipeline *pipeline,
    struct sw_stage **nexts
)
{
    const struct sw_conf_pipeline *conf = pipeline->conf;
    const char *next_type = "";
    const struct sw_conf_component *merged = merged_batch(generation->env.conf, conf);
    for (size_t i = conf->processors_count; i-- > 0;) {
        struct node *node = &pipeline->processors[i];
        node->component = conf->processors[i];
        node->level = pipeline->base_level + (unsigned)i;
        struct sw_stage_env env = {
            .pipeline = conf->id,
            .signal = (enum sw_signal)conf->signal,
            .balance = pipeline->balance,
            .decisions = pipeline->peers != NULL ? sw_peers_decisions(pipeline->peers) : NULL,
            .next_batches = strcmp(next_type, "batch") == 0,
            .merged = merged == node->component && i + 1 == conf->processors_count,
        };
        int err = node_make(generation, node, &env, nexts);
        if (err != SW_OK) {
            return err;
        }
        memcpy(nexts, node->stages, generation->env.cores_count * sizeof(*nexts));
        next_type = node->component->component->type;
    }
    unsigned levels_count = pipeline->base_level + (unsigned)conf->processors_count;
    generation->levels_count = SW_MAX(generation->levels_count, levels_count);
    return SW_OK;
}

static bool feeds(const struct sw_conf_pipeline *pipeline, const struct sw_conf_component *receiver)
{
    for (size_t i = 0; i < pipeline->receivers_count; i++) {
        if (pipeline->receivers[i] == receiver) {
            return true;
        }
    }
    return false;
}

static size_t entry_index(
    const struct sw_generation *generation,
    const struct sw_conf_component *receiver,
    enum sw_signal signal,
    unsigned core
)
{
    size_t index = (size_t)(receiver - generation->env.conf->components);
    return (index * SW_SIGNALS_COUNT + signal) * generation->env.cores_count + core;
}

// What a receiver hands to: the pipeline's entry, or a fan-out over those of several pipelines.
static int make_receiver_entry(
    struct sw_generation *generation,
    const struct sw_conf_component *receiver,
    enum sw_signal signal,
    unsigned core
)
{
    struct sw_stage *branches[SW_FANOUT_MAX];
    unsigned count = 0;
    for (unsigned i = 0; i < generation->pipelines_count; i++) {
        struct pipeline *pipeline = &generation->pipelines[i];
        if (pipeline->conf->signal != signal || !feeds(pipeline->conf, receiver)) {
            continue;
        }
        if (count == SW_FANOUT_MAX) {
            return node_fail(generation, receiver, "feeds too many pipelines", SW_E_UNSUPPORTED);
        }
        branches[count++] =
            pipeline->gateways[core] != NULL ? pipeline->gateways[core] : pipeline->entries[core];
    }
    if (count == 0) {
        return SW_OK;
    }
    struct sw_stage **slot = &generation->entries[entry_index(generation, receiver, signal, core)];
    if (count == 1) {
        *slot = branches[0];
        return SW_OK;
    }
    int err = sw_fanout_new(generation->env.cores[core], branches, count, slot);
    if (err == SW_OK) {
        generation->receiver_fanouts[generation->receiver_fanouts_count++] = *slot;
    }
    return err;
}

static int make_receiver_entries(struct sw_generation *generation)
{
    const struct sw_conf *conf = generation->env.conf;
    for (size_t i = 0; i < conf->components_count; i++) {
        const struct sw_conf_component *component = &conf->components[i];
        if (component->kind != SW_RECEIVER || !component->used) {
            continue;
        }
        for (unsigned signal = 0; signal < SW_SIGNALS_COUNT; signal++) {
            for (unsigned core = 0; core < generation->env.cores_count; core++) {
                int err = make_receiver_entry(generation, component, signal, core);
                if (err != SW_OK) {
                    return err;
                }
            }
        }
    }
    return SW_OK;
}

/* ---- connectors ---- */

// What a connector hands to is made already: pipelines are made from their ends.
static int make_connector(
    struct sw_generation *generation,
    const struct sw_conf_component *component,
    enum sw_signal signal
)
{
    struct sw_stage *nexts[SW_CORES_MAX];
    for (unsigned core = 0; core < generation->env.cores_count; core++) {
        int err = make_receiver_entry(generation, component, signal, core);
        if (err != SW_OK) {
            return err;
        }
        nexts[core] = generation->entries[entry_index(generation, component, signal, core)];
        if (nexts[core] == NULL) {
            return node_fail(generation, component, "feeds no pipeline", SW_E_INVALID);
        }
    }
    unsigned at = generation->exporters_count++;
    generation->exporters[at].component = component;
    generation->exporter_signals[at] = signal;
    struct sw_stage_env env = {.signal = signal};
    return node_make(generation, &generation->exporters[at], &env, nexts);
}

static int make_connectors(struct sw_generation *generation, const struct pipeline *pipeline)
{
    const struct sw_conf_pipeline *conf = pipeline->conf;
    enum sw_signal signal = (enum sw_signal)conf->signal;
    for (size_t i = 0; i < conf->exporters_count; i++) {
        const struct sw_conf_component *component = conf->exporters[i];
        if (component->kind != SW_CONNECTOR
            || find_exporter(generation, component, signal) != NULL) {
            continue;
        }
        int err = make_connector(generation, component, signal);
        if (err != SW_OK) {
            return err;
        }
    }
    return SW_OK;
}

// Does `from` end in a connector that `to` begins with?
static bool leads_to(const struct pipeline *from, const struct pipeline *to)
{
    if (from->conf->signal != to->conf->signal) {
        return false;
    }
    for (size_t i = 0; i < from->conf->exporters_count; i++) {
        const struct sw_conf_component *component = from->conf->exporters[i];
        if (component->kind == SW_CONNECTOR && feeds(to->conf, component)) {
            return true;
        }
    }
    return false;
}

// Depth first; the configuration has no cycles (control/conf/graph.c), so this ends.
static void visit(struct sw_generation *generation, unsigned index, unsigned *order_count)
{
    struct pipeline *pipeline = &generation->pipelines[index];
    if (pipeline->visited) {
        return;
    }
    pipeline->visited = true;
    for (unsigned i = 0; i < generation->pipelines_count; i++) {
        if (i != index && leads_to(pipeline, &generation->pipelines[i])) {
            visit(generation, i, order_count);
        }
    }
    generation->order[(*order_count)++] = index;
}

// The order to make pipelines in, and how deep each stands for the drain.
static void sort_pipelines(struct sw_generation *generation)
{
    unsigned count = 0;
    for (unsigned i = 0; i < generation->pipelines_count; i++) {
        visit(generation, i, &count);
    }
    for (unsigned i = count; i-- > 0;) {
        const struct pipeline *from = &generation->pipelines[generation->order[i]];
        unsigned end = from->base_level + (unsigned)from->conf->processors_count;
        for (unsigned k = 0; k < i; k++) {
            struct pipeline *to = &generation->pipelines[generation->order[k]];
            if (leads_to(from, to)) {
                to->base_level = SW_MAX(to->base_level, end);
            }
        }
    }
}

/* ---- other gateways ---- */

// What a stage or an object of the pipeline is given beside what is its own.
static struct sw_stage_env peers_env(const struct sw_generation *generation, const char *pipeline)
{
    const struct sw_build_env *base = &generation->env;
    return (struct sw_stage_env){
        .id = "peers",
        .pipeline = pipeline,
        .signal = SW_TRACES,
        .metrics = base->metrics,
        .account = base->account,
        .cores_count = base->cores_count,
        .resolver = base->resolver,
        .discovery = base->discovery,
        .environment = base->environment,
        .error = generation->error,
        .error_size = generation->error_size,
    };
}

static int make_peers(struct sw_generation *generation, struct pipeline *pipeline)
{
    if (generation->peering == NULL || !sw_peering_concerns(pipeline->conf)) {
        return SW_OK;
    }
    struct sw_stage_env env = peers_env(generation, pipeline->conf->id);
    int err = sw_peers_new(&env, sw_peering_conf(generation->peering), &pipeline->peers);
    if (err == SW_OK) {
        generation->doors[generation->doors_count++] = sw_peers_door(pipeline->peers);
    }
    return err;
}

static int make_gateways(struct sw_generation *generation, struct pipeline *pipeline)
{
    int err = SW_OK;
    unsigned cores_count = pipeline->peers != NULL ? generation->env.cores_count : 0;
    for (unsigned core = 0; err == SW_OK && core < cores_count; core++) {
        err = sw_peers_stage_new(
            pipeline->peers,
            generation->env.cores[core],
            pipeline->entries[core],
            &pipeline->gateways[core]
        );
    }
    return err;
}

static int make_peering(struct sw_generation *generation)
{
    const struct sw_conf *conf = generation->env.conf;
    bool concerns = false;
    if (!generation->env.appliance->peers.enabled) {
        return SW_OK;
    }
    for (size_t i = 0; i < conf->pipelines_count; i++) {
        concerns = concerns || sw_peering_concerns(&conf->pipelines[i]);
    }
    if (!concerns) {
        explain(generation, "peers: no pipeline has a tail_sampling processor");
        return SW_E_INVALID;
    }
    generation->doors = sw_zalloc(conf->pipelines_count * sizeof(generation->doors[0]));
    if (generation->doors == NULL) {
        return SW_E_NOMEM;
    }
    return sw_peering_new(conf, generation->env.appliance, &generation->peering);
}

/* ---- all of it ---- */

static int make_pipeline(struct sw_generation *generation, struct pipeline *pipeline)
{
    unsigned cores = generation->env.cores_count;
    size_t exporters = pipeline->conf->exporters_count;
    struct sw_stage *nexts[SW_CORES_MAX];
    pipeline->processors = sw_zalloc(pipeline->conf->processors_count * sizeof(struct node));
    pipeline->entries = sw_zalloc(cores * sizeof(struct sw_stage *));
    pipeline->gateways = sw_zalloc(cores * sizeof(struct sw_stage *));
    pipeline->fanouts = sw_zalloc(cores * sizeof(struct sw_stage *));
    pipeline->branches = sw_zalloc(cores * exporters * sizeof(struct sw_stage *));
    if (pipeline->processors == NULL || pipeline->entries == NULL || pipeline->gateways == NULL
        || pipeline->fanouts == NULL || pipeline->branches == NULL) {
        return SW_E_NOMEM;
    }
    int err = make_balance(generation, pipeline);
    if (err == SW_OK) {
        err = make_connectors(generation, pipeline);
    }
    for (unsigned core = 0; err == SW_OK && core < cores; core++) {
        err = make_end(generation, pipeline, core, &nexts[core]);
    }
    if (err == SW_OK) {
        err = make_peers(generation, pipeline);
    }
    if (err == SW_OK) {
        err = make_processors(generation, pipeline, nexts);
    }
    for (unsigned core = 0; err == SW_OK && core < cores; core++) {
        err = sw_entry_new(
            generation->env.cores[core],
            sw_balance_ledger(pipeline->balance, core),
            nexts[core],
            &pipeline->entries[core]
        );
    }
    return err == SW_OK ? make_gateways(generation, pipeline) : err;
}

static int make_tables(struct sw_generation *generation)
{
    const struct sw_conf *conf = generation->env.conf;
    size_t slots = conf->components_count * SW_SIGNALS_COUNT * generation->env.cores_count;
    generation->entries = sw_zalloc(slots * sizeof(struct sw_stage *));
    generation->receiver_fanouts = sw_zalloc(slots * sizeof(struct sw_stage *));
    generation->order = sw_zalloc(conf->pipelines_count * sizeof(unsigned));
    generation->pipelines = sw_zalloc(conf->pipelines_count * sizeof(struct pipeline));
    if (generation->entries == NULL || generation->receiver_fanouts == NULL
        || generation->order == NULL || generation->pipelines == NULL) {
        return SW_E_NOMEM;
    }
    for (size_t i = 0; i < conf->pipelines_count; i++) {
        generation->pipelines[generation->pipelines_count++].conf = &conf->pipelines[i];
    }
    return SW_OK;
}

static int make_handed_over(struct sw_generation *generation)
{
    generation->handed_over =
        sw_zalloc(SW_MAX(generation->exporters_count, 1u) * sizeof(generation->handed_over[0]));
    if (generation->handed_over == NULL) {
        return SW_E_NOMEM;
    }
    for (unsigned i = 0; i < generation->exporters_count; i++) {
        const struct node *node = &generation->exporters[i];
        if (node->component->kind == SW_EXPORTER) {
            generation->handed_over[generation->handed_over_count++] = (struct sw_handed_over
            ){node->component->id, generation->exporter_signals[i], node->stages};
        }
    }
    return SW_OK;
}

static int make_all(struct sw_generation *generation)
{
    int err = make_tables(generation);
    if (err == SW_OK) {
        err = make_peering(generation);
    }
    if (err == SW_OK) {
        sort_pipelines(generation);
        err = make_exporters(generation);
    }
    for (unsigned i = 0; err == SW_OK && i < generation->pipelines_count; i++) {
        err = make_pipeline(generation, &generation->pipelines[generation->order[i]]);
    }
    if (err == SW_OK && generation->peering != NULL) {
        err = make_handed_over(generation);
    }
    if (err == SW_OK) {
        err = make_receiver_entries(generation);
    }
    for (unsigned i = 0; i < generation->exporters_count; i++) {
        generation->exporters[i].level = generation->levels_count;
    }
    generation->levels_count++;
    return err;
}

int sw_generation_new(
    const struct sw_build_env *env,
    struct sw_generation **ret_generation,
    char *error,
    size_t error_size
)
{
    SW_ASSERT(env->cores_count > 0 && env->cores_count <= SW_CORES_MAX);
    snprintf(error, error_size, "%s", "");
    struct sw_generation *generation = sw_zalloc(sizeof(*generation));
    if (generation == NULL) {
        snprintf(error, error_size, "%s", sw_err_text(SW_E_NOMEM));
        return SW_E_NOMEM;
    }
    generation->env = *env;
    generation->error = error;
    generation->error_size = error_size;
    int err = make_all(generation);
    if (err != SW_OK) {
        if (error[0] == '\0') {
            explain(generation, "pipelines cannot be built: %s", sw_err_text(err));
        }
        sw_generation_free(generation);
        return err;
    }
    *ret_generation = generation;
    return SW_OK;
}

static void free_stages(struct sw_stage **stages, size_t count)
{
    for (size_t i = 0; stages != NULL && i < count; i++) {
        if (stages[i] != NULL) {
            stages[i]->ops->free(stages[i]);
        }
    }
    sw_free(stages);
}

static void pipeline_free(struct sw_generation *generation, struct pipeline *pipeline)
{
    unsigned cores = generation->env.cores_count;
    free_stages(pipeline->gateways, pipeline->gateways != NULL ? cores : 0);
    free_stages(pipeline->entries, cores);
    for (size_t i = 0; pipeline->processors != NULL && i < pipeline->conf->processors_count; i++) {
        node_free(&pipeline->processors[i], cores);
    }
    sw_free(pipeline->processors);
    free_stages(pipeline->fanouts, cores);
    free_stages(pipeline->branches, cores * pipeline->conf->exporters_count);
    sw_peers_free(pipeline->peers);
    sw_balance_free(pipeline->balance);
}

// Upstream first: what a stage still holds it gives up without handing it on.
void sw_generation_free(struct sw_generation *generation)
{
    if (generation == NULL) {
        return;
    }
    free_stages(generation->receiver_fanouts, generation->receiver_fanouts_count);
    sw_free(generation->entries);
    for (unsigned i = 0; generation->pipelines != NULL && i < generation->pipelines_count; i++) {
        pipeline_free(generation, &generation->pipelines[i]);
    }
    sw_free(generation->pipelines);
    for (unsigned i = 0; generation->exporters != NULL && i < generation->exporters_count; i++) {
        node_free(&generation->exporters[i], generation->env.cores_count);
    }
    sw_free(generation->exporters);
    sw_free(generation->exporter_signals);
    sw_free(generation->merges);
    sw_free(generation->order);
    sw_free(generation->doors);
    sw_free(generation->handed_over);
    sw_peering_free(generation->peering);
    sw_free(generation);
}

unsigned sw_generation_balances_count(const struct sw_generation *generation)
{
    return generation->pipelines_count;
}

struct sw_balance *sw_generation_balance(const struct sw_generation *generation, unsigned index)
{
    SW_ASSERT(index < generation->pipelines_count);
    return generation->pipelines[index].balance;
}

struct sw_stage *sw_generation_entry(
    const struct sw_generation *generation,
    const struct sw_conf_component *receiver,
    enum sw_signal signal,
    unsigned core
)
{
    return generation->entries[entry_index(generation, receiver, signal, core)];
}

struct sw_peer_door *const *
sw_generation_doors(const struct sw_generation *generation, unsigned *ret_count)
{
    *ret_count = generation->doors_count;
    return generation->doors;
}

const struct sw_handed_over *
sw_generation_handed_over(const struct sw_generation *generation, unsigned *ret_count)
{
    *ret_count = generation->handed_over_count;
    return generation->handed_over;
}

void sw_generation_peers(
    const struct sw_generation *generation,
    void (*each)(void *context, const char *address),
    void *context
)
{
    // Each pipeline knows them all.
    for (unsigned i = 0; i < generation->pipelines_count; i++) {
        if (generation->pipelines[i].peers != NULL) {
            sw_peers_each(generation->pipelines[i].peers, each, context);
            return;
        }
    }
}

static int start_node(struct node *node, unsigned core)
{
    struct sw_stage *stage = node->stages[core];
    return stage->ops->start != NULL ? stage->ops->start(stage) : SW_OK;
}

int sw_generation_start(struct sw_generation *generation, unsigned core)
{
    int err = SW_OK;
    for (unsigned i = 0; err == SW_OK && i < generation->exporters_count; i++) {
        err = start_node(&generation->exporters[i], core);
    }
    for (unsigned i = 0; i < generation->pipelines_count; i++) {
        struct pipeline *pipeline = &generation->pipelines[i];
        for (size_t k = pipeline->conf->processors_count; err == SW_OK && k-- > 0;) {
            err = start_node(&pipeline->processors[k], core);
        }
        struct sw_stage *gateway = pipeline->gateways[core];
        if (err == SW_OK && gateway != NULL) {
            err = gateway->ops->start(gateway);
        }
    }
    return err;
}

unsigned sw_generation_levels_count(const struct sw_generation *generation)
{
    return generation->levels_count;
}

static int drain_node(struct node *node, unsigned level, unsigned core, uint64_t deadline_ns)
{
    struct sw_stage *stage = node->stages[core];
    if (node->level != level || stage->ops->drain == NULL) {
        return SW_OK;
    }
    return stage->ops->drain(stage, deadline_ns);
}

int sw_generation_drain(
    struct sw_generation *generation,
    unsigned level,
    unsigned core,
    uint64_t deadline_ns
)
{
    int waiting = SW_OK;
    for (unsigned i = 0; i < generation->pipelines_count; i++) {
        struct pipeline *pipeline = &generation->pipelines[i];
        for (size_t k = 0; k < pipeline->conf->processors_count; k++) {
            if (drain_node(&pipeline->processors[k], level, core, deadline_ns) != SW_OK) {
                waiting = SW_E_AGAIN;
            }
        }
        // With the exporters: what the pipelines decide at the end is told before.
        struct sw_stage *gateway = pipeline->gateways[core];
        if (gateway != NULL && level == generation->levels_count - 1
            && gateway->ops->drain(gateway, deadline_ns) != SW_OK) {
            waiting = SW_E_AGAIN;
        }
    }
    for (unsigned i = 0; i < generation->exporters_count; i++) {
        if (drain_node(&generation->exporters[i], level, core, deadline_ns) != SW_OK) {
            waiting = SW_E_AGAIN;
        }
    }
    return waiting;
}
