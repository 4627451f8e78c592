/* A pipeline generation: the stages that one configuration asks for, on every core, wired. */
#ifndef SW_SERVICE_BUILD_H
#define SW_SERVICE_BUILD_H

#include "control/appliance/appliance.h"
#include "control/conf/conf.h"
#include "dataplane/pipeline/balance.h"
#include "dataplane/pipeline/peer_door.h"
#include "dataplane/pipeline/stage.h"

/** What the parts of a generation stand on; borrowed, outlives it. */
struct sw_build_env {
    const struct sw_conf *conf;
    const struct sw_appliance *appliance;
    unsigned cores_count;
    struct sw_core *const *cores;
    struct sw_metrics *metrics;
    struct sw_account *account;
    struct sw_resolver *resolver;
    struct sw_discovery *discovery;               /**< NULL: no name is looked up again and again */
    struct sw_files *files;                       /**< storage/files; NULL: nothing is written */
    bool keep_refused;                            /**< stage.h */
    bool durable;                                 /**< what is to survive may be written */
    struct sw_journal *journal;                   /**< storage/journal; NULL: nothing is stored */
    const char *(*environment)(const char *name); /**< getenv; NULL: nothing is set */
    struct sw_memory_baseline *baseline;
};

struct sw_generation;

/** Do the queues behind the pipeline's batch processor do its work (pipeline/merge.h)? */
bool sw_pipeline_merges(const struct sw_conf *conf, const struct sw_conf_pipeline *pipeline);

/** Builds everything and starts nothing. Control thread; the cores do not run yet (or run only
 * older generations).
 *
 * @param error  which component failed and why, NUL-terminated
 * @return 0, SW_E_NOMEM, SW_E_UNSUPPORTED, SW_E_INVALID; nothing is left behind
 */
SW_CHECKED int sw_generation_new(
    const struct sw_build_env *env,
    struct sw_generation **ret_generation,
    char *error,
    size_t error_size
);

/** The cores have stopped, or its last ticket has settled. NULL is legal. */
void sw_generation_free(struct sw_generation *generation);

unsigned sw_generation_balances_count(const struct sw_generation *generation);
struct sw_balance *sw_generation_balance(const struct sw_generation *generation, unsigned index);

/** First stage for what a receiver takes in of one signal on one core; NULL: no pipeline. */
struct sw_stage *sw_generation_entry(
    const struct sw_generation *generation,
    const struct sw_conf_component *receiver,
    enum sw_signal signal,
    unsigned core
);

/** What other gateways may send, for the receivers. Constant. */
struct sw_peer_door *const *
sw_generation_doors(const struct sw_generation *generation, unsigned *ret_count);

/** Exporters that other gateways may hand requests over to: none without peers. Constant. */
const struct sw_handed_over *
sw_generation_handed_over(const struct sw_generation *generation, unsigned *ret_count);

/** The other gateways that are known now. Control thread. */
void sw_generation_peers(
    const struct sw_generation *generation,
    void (*visit)(void *context, const char *address),
    void *context
);

/** Starts the stages of one core, exporters first. On that core. */
SW_CHECKED int sw_generation_start(struct sw_generation *generation, unsigned core);

/** Levels in data-flow order for the drain: processors by position, then exporters. */
unsigned sw_generation_levels_count(const struct sw_generation *generation);

/** Drains the stages of one level on one core; call again until it returns 0. On that core. */
SW_CHECKED int sw_generation_drain(
    struct sw_generation *generation,
    unsigned level,
    unsigned core,
    uint64_t deadline_ns
);

#endif
