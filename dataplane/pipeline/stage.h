/* The contract of every step of a pipeline: receivers hand batches in, processors and connectors
 * pass them on, exporters take them out. docs/life-of-a-span.md walks one through.
 *
 * One instance of a stage lives on one core; what the instances of a component share (limits,
 * configuration) is its `shared` object. Stages are wired by control/service/build.c, last to
 * first; the same exporter under two pipelines is one instance per core.
 *
 * Two steps, so that a sender is never told "no" for something that somebody kept:
 *
 *   admit   reserves a place for the batch on every path down to the next owner, or refuses and
 *           reserves nothing. A stage that does not own asks its downstream.
 *   consume hands it over; always taken. Must follow admit on the same core with the same batch
 *           before any other admit (or retract gives the place back).
 *
 * An OWNER (tail_sampling, batch, sending queue, delivered export) settles the ticket when it
 * takes; what it later sends on travels with a ticket of its own. A stage that does not own passes
 * batch and ticket along. All of it on one core, never blocking.
 */
#ifndef SW_PIPELINE_STAGE_H
#define SW_PIPELINE_STAGE_H

#include "dataplane/base/core.h"
#include "dataplane/base/err.h"
#include "dataplane/base/metric.h"
#include "dataplane/otlp/batch.h"

#include <stdbool.h>
#include <stdint.h>

struct sw_stage;
struct sw_ticket;

/** How something ended, in the Collector's terms. */
struct sw_outcome {
    int err;                 /**< 0: delivered or owned; else SW_E_* */
    int grpc_code;           /**< a gRPC status travels with the error; 0: none, err decides */
    bool permanent;          /**< the Collector's "permanent error": retrying is of no use */
    uint64_t retry_after_ns; /**< the peer's hint (RetryInfo); 0 none */
    struct sw_buf *text;     /**< message for the sender; NULL: sw_err_text(err). Reference held */
    struct sw_buf *details;  /**< serialized google.rpc.Status with details to pass up; NULL none */
};

static inline void sw_outcome_fini(struct sw_outcome *outcome)
{
    sw_buf_unref(outcome->text);
    sw_buf_unref(outcome->details);
    outcome->text = outcome->details = NULL;
}

/** Counts the unowned parts of one hand-over. Lives in its maker's memory, home core only. */
struct sw_ticket {
    uint32_t parts_count;      /**< not settled yet */
    struct sw_outcome outcome; /**< the first failure wins; a status beats a plain error */
    /** All parts are settled; outcome is the maker's to sw_outcome_fini. May free the ticket. */
    void (*settled)(struct sw_ticket *ticket);
};

/** One part at the start: the hand-over itself. */
static inline void
sw_ticket_init(struct sw_ticket *ticket, void (*settled)(struct sw_ticket *ticket))
{
    *ticket = (struct sw_ticket){.parts_count = 1, .settled = settled};
}

/** A stage that hands the batch to several others adds a part for each beyond the first. */
static inline void sw_ticket_add(struct sw_ticket *ticket, uint32_t parts_count)
{
    ticket->parts_count += parts_count;
}

/** Settles one part. outcome is taken over (its references too); NULL means OK. */
void sw_ticket_settle(struct sw_ticket *ticket, struct sw_outcome *outcome);

/** Settles one part with a plain error (or 0). */
static inline void sw_ticket_settle_err(struct sw_ticket *ticket, int err)
{
    struct sw_outcome outcome = {.err = err};
    sw_ticket_settle(ticket, &outcome);
}

enum sw_admit {
    /** For a sender that waits: every branch must have room, else nothing is handed over. A stage
     * that refuses counts the refusal (enqueue_failed, refused, …). */
    SW_ADMIT_ALL,
    /** For an owner that moves its own data on: one branch with room is enough; branches without
     * get `drop` for their copy (one dead exporter must not hold up the others). Only when none
     * has room it is refused, uncounted, and the owner keeps the data and tries again. */
    SW_ADMIT_ANY,
};

struct sw_stage_ops {
    SW_CHECKED int (*admit
    )(struct sw_stage *stage, const struct sw_batch *batch, enum sw_admit mode);
    void (*retract)(struct sw_stage *stage, const struct sw_batch *batch);
    /** Takes batch (now the stage's) and one part of the ticket, which it settles exactly once,
     * now or later. */
    void (*consume)(struct sw_stage *stage, struct sw_batch *batch, struct sw_ticket *ticket);
    /** A branch was left out by SW_ADMIT_ANY: count the loss (items, reason err). Borrowed batch. */
    void (*drop)(struct sw_stage *stage, const struct sw_batch *batch, int err);
    /** On the core, after everything is wired: open connections, arm timers. NULL: nothing to do. */
    SW_CHECKED int (*start)(struct sw_stage *stage);
    /** On the core, in data-flow order: let go of what is held (decide, flush, send). Called again
     * until it returns 0. @return 0 when nothing is held any more, SW_E_AGAIN as long as some is.
     * now_ns >= deadline_ns: give up at once, count what is lost. NULL: holds nothing. */
    SW_CHECKED int (*drain)(struct sw_stage *stage, uint64_t deadline_ns);
    /** Control thread, cores stopped (or the generation's last ticket settled). NULL-safe, legal on a
     * half-built one. */
    void (*free)(struct sw_stage *stage);
};

/** Common head of every stage; first member of the implementation's struct. */
struct sw_stage {
    const struct sw_stage_ops *ops;
    struct sw_core *core;
    struct sw_stage *next; /**< the one downstream; NULL for exporters */
    const char *id;        /**< full component ID ("batch/2"); lives as long as the configuration */
};

struct sw_balance;
struct sw_decisions;
struct sw_discovery;
struct sw_files;
struct sw_journal;
struct sw_memory_baseline;
struct sw_merge;
struct sw_resolver;

/** What a component is given when its parts are made. Control thread. */
struct sw_stage_env {
    const char *id; /**< full component ID, lives as long as the generation */
    const char
        *pipeline; /**< pipeline ID ("traces/backend"); NULL for shared exporters and receivers */
    enum sw_signal signal;
    struct sw_metrics *metrics;
    struct sw_balance *balance; /**< the pipeline's books; NULL for exporters */
    struct sw_account *account;
    unsigned cores_count;
    const struct sw_appliance_view
        *appliance; /**< options of ours for this component (key, value) */
    struct sw_resolver *resolver;
    struct sw_discovery *discovery; /**< discover.h; NULL: nothing is looked up (validate, tests) */
    struct sw_memory_baseline *baseline; /**< receive/memory_limiter.h */
    struct sw_files *files;              /**< storage/files; NULL: nothing is written */
    bool durable;                        /**< what is to survive may be written (not by validate) */
    struct sw_journal *journal;          /**< storage/journal; NULL: nothing is stored */
    bool keep_refused; /**< what fails for good stays in its store, too (spanweir queue drain) */
    /** Exporters: how their queue joins in place of a batch processor (merge.h); NULL: it does not. */
    const struct sw_merge *merge;
    bool merged;       /**< batch processor: the queues behind it do its work */
    bool next_batches; /**< the next stage is a batch processor: payload borders do not matter */
    bool
        drain_retry; /**< appliance drain.retry: parts that wait for a retry go on while draining */
    struct sw_decisions *decisions; /**< decisions.h; NULL: no other gateway wants to know any */
    const char *(*environment)(const char *name); /**< getenv; NULL: nothing is set */
    /** Where a failing create says why, for people; NUL-terminated. */
    char *error;
    size_t error_size;
    void *service; /**< the builder's own */
};

/** How a processor or exporter comes to life; `ops` of its struct sw_component. */
struct sw_stage_class {
    /** What the instances on all cores share. NULL: nothing (shared is then NULL). */
    SW_CHECKED int (*shared_new
    )(const struct sw_stage_env *env, const void *conf, void **ret_shared);
    void (*shared_free)(void *shared);
    /** One instance for one core; next is wired already (NULL for exporters). */
    SW_CHECKED int (*create
    )(const struct sw_stage_env *env,
      const void *conf,
      void *shared,
      struct sw_core *core,
      struct sw_stage *next,
      struct sw_stage **ret_stage);
    /** Takes over table, queue or listeners of the old generation's shared object (reload).
     * NULL: starts afresh. */
    SW_CHECKED int (*adopt)(void *shared, void *old_shared);
    bool options; /**< reads env->appliance and refuses what it does not know of it */
    bool mutates; /**< changes bytes of the batch it gets (a fan-out in front gives it a copy of
                       the list; bytes are never changed in place, so this is a label only) */
};

SW_CHECKED static inline int
sw_stage_admit(struct sw_stage *stage, const struct sw_batch *batch, enum sw_admit mode)
{
    return stage->ops->admit(stage, batch, mode);
}

static inline void
sw_stage_consume(struct sw_stage *stage, struct sw_batch *batch, struct sw_ticket *ticket)
{
    stage->ops->consume(stage, batch, ticket);
}

static inline void sw_stage_retract(struct sw_stage *stage, const struct sw_batch *batch)
{
    stage->ops->retract(stage, batch);
}

/** For stages that own nothing: pass admit, retract and drop through to `next`. */
SW_CHECKED int
sw_stage_pass_admit(struct sw_stage *stage, const struct sw_batch *batch, enum sw_admit mode);
void sw_stage_pass_retract(struct sw_stage *stage, const struct sw_batch *batch);
void sw_stage_pass_drop(struct sw_stage *stage, const struct sw_batch *batch, int err);

/** The fan-out: one stage in front of several. Batches are shared, never copied. */
SW_CHECKED int sw_fanout_new(
    struct sw_core *core,
    struct sw_stage *const *branches,
    unsigned branches_count,
    struct sw_stage **ret_stage
);
#define SW_FANOUT_MAX 32

#endif
