#ifndef SW_VERDICT_VERDICT_INTERNAL_H
#define SW_VERDICT_VERDICT_INTERNAL_H

#include "dataplane/base/clock.h"
#include "dataplane/base/event.h"
#include "dataplane/base/segment_file.h"
#include "dataplane/pipeline/balance.h"
#include "dataplane/pipeline/cells.h"
#include "dataplane/pipeline/decisions.h"
#include "dataplane/route/handoff.h"
#include "sampling/policy/policy.h"
#include "sampling/verdict/cache.h"
#include "sampling/verdict/tail_sampling.h"

#include <sys/queue.h>

/* What the instances on all cores share. */
struct tail_shared {
    const struct sw_tail_sampling_conf *conf;
    struct sw_policy_set *policies;
    struct tail_marks *marks; // NULL: the policy is not recorded
    struct sw_trace_limits limits;
    struct sw_handoff_shared handoff; // its key is made with the first core's randomness
    bool keyed;
    struct sw_decision_credit sampled;
    struct sw_decision_credit not_sampled;
    _Atomic uint32_t sources_count; // batches that are on the way between cores
    _Atomic uint32_t stalled_count; // cores that cannot go on: senders are refused
    struct sw_segment_dir *window;  // NULL: what waits is in memory alone
    unsigned cores_count;
    unsigned
        drained_count; // control, when the cores have stopped: those that held nothing at the end
};

/* ---- metrics.c: cells of one core ---- */

struct policy_cells {
    struct sw_cell *traces[2]; // [sampled]
    struct sw_cell *spans[2];
    struct sw_cell *executions;
    struct sw_cell *time_us;
    uint64_t time_ns; // not in time_us yet
};

struct tail_cells {
    struct sw_cell *new_traces;
    struct sw_cell *timer_latency;
    struct sw_cell *late_age;
    struct sw_cell *removal_age;
    struct sw_cell *evaluation_errors;
    struct sw_cell *too_early;
    struct sw_cell *on_memory;
    struct sw_cell *too_large;
    struct sw_cell *early_releases[2]; // [sampled]
    struct sw_cell *traces[2];
    struct sw_cell *refused;
    struct sw_cell *blocked;
    struct sw_cell *moved;
    struct sw_cell *table_bytes;
    struct sw_cell *free_bytes;
    struct sw_cell *replayed;
    struct policy_cells *policies;
};

SW_CHECKED int sw_tail_cells_make(
    struct tail_cells *cells,
    const struct sw_stage_env *env,
    const struct sw_policy_set *policies,
    unsigned core
);

/* ---- mark.c: the gate recordpolicy ---- */

struct tail_marks;

SW_CHECKED int
sw_tail_marks_new(const struct sw_policy_set *policies, struct tail_marks **ret_marks);
/* NULL is legal. */
void sw_tail_marks_free(struct tail_marks *marks);
/* What is written into the scopes of a kept trace (sw_scope_mark): who has the credit, index + 1,
 * and, of spans that follow a cached decision, that it was cached. marks NULL, policy 0: nothing */
struct sw_bytes sw_tail_mark(const struct tail_marks *marks, uint16_t policy, bool cached);

/* ---- release.c: kept traces on their way out ---- */

// Batches that the next stage works on at once.
#define TICKETS_MAX 64u

struct sampler;

struct tail_ticket {
    struct sw_ticket ticket;
    struct sampler *sampler;
    uint64_t tag;             // of its batch; 0: it is free
    struct tail_ticket *next; // while free
};

enum release_phase {
    RELEASE_NONE, // no trace is on its way
    RELEASE_MEASURE,
    RELEASE_PLACE, // measured; needs memory
    RELEASE_WRITE,
};

struct release {
    enum release_phase phase;
    struct sw_trace_gather gather;
    uint8_t id[SW_TRACE_ID_BYTES]; // of the trace that is on its way
    uint32_t number;               // likewise
    uint8_t *end;                  // where writing stands
    struct sw_buf *buf;            // the payload that is being filled, NULL: none
    uint32_t items_count;          // in it
    uint64_t tag;                  // payload_tag of it
    uint32_t payloads_count;
    uint32_t kept_number;   // with a kept payload: the oldest trace in any of them
    struct sw_batch *first; // payloads without room downstream, in order
    struct sw_batch *last;
    uint64_t held_bytes;
    struct sw_timer retry;
    struct tail_ticket *free_tickets;
    uint32_t tickets_count; // under way
    struct tail_ticket tickets[TICKETS_MAX];
};

enum progress {
    PROGRESS_DONE, // nothing is left
    PROGRESS_MORE, // goes on at once, in another slice
    PROGRESS_WAIT, // a timer or a settled ticket goes on
};

struct sampler {
    struct sw_stage stage;
    struct tail_shared *shared;
    struct sw_ledger *ledger; // NULL: no books
    struct sw_account *account;
    struct sw_trace_table *table;
    struct sw_policy_ballot *ballot;
    struct sw_handoff *handoff;
    struct sw_decision_cache sampled;
    struct sw_decision_cache not_sampled;
    uint32_t admitted_count; // not handed over yet; above 1 where connectors join ways of one batch
    struct sw_decisions *decisions; // NULL: no other gateway wants to know any
    LIST_HEAD(, told_mail) mails;   // told.c: on their way to other cores
    uint32_t mails_count;
    bool caches;
    bool joins; // the next stage batches: payload borders do not matter
    bool draining;
    bool over;       // given up at the deadline
    bool stalled;    // counted in shared
    bool round;      // a tick's decisions are being taken
    bool late_round; // and another tick has come since
    bool trimming;
    /* spans that have arrived and could not be taken yet */
    struct sw_handoff_part *parts_first;
    struct sw_handoff_part *parts_last;
    uint32_t parts_count;
    bool parts_wait;   // for memory or room: the timer goes on
    uint64_t taken_ns; // turn in which taken_count spans were taken
    uint32_t taken_count;
    struct sw_timer parts_retry;
    struct sw_timer tick;
    uint64_t round_began_ns;
    uint64_t ballots_count;
    int64_t held_count;  // spans in the table and on their way out
    int64_t on_memory;   // as the gauge shows it
    int64_t table_bytes; // likewise
    int64_t free_bytes;
    struct sw_task task;
    struct sw_task memory; // pre-faults what the next spans will lie in
    struct release release;
    struct tail_cells cells;
    struct sw_segment_file *file; // the window; NULL: there is none
    struct window *replay;        // window.c: what an earlier process left, while there is any
    bool drained;
};

/* Spans that were held leave for another entry of the books. */
static inline void sampler_book(struct sampler *sampler, enum sw_flow to, int64_t spans)
{
    sampler->held_count -= spans;
    if (sampler->ledger != NULL) {
        sw_ledger_move(sampler->ledger, SW_FLOW_HELD, to, spans);
    }
}

static inline void sampler_wake(struct sampler *sampler)
{
    sw_core_task(sampler->stage.core, &sampler->task);
}

/* Says to all cores whether this one can go on. */
void sw_sampler_look_stalled(struct sampler *sampler);

/* ---- arrive.c ---- */

/* sw_handoff_ops.take */
void sw_sampler_take(void *taker, struct sw_handoff_part *part, bool remote);
/* Takes what waits, a slice of it. @return true when there is more to do at once */
bool sw_sampler_take_waiting(struct sampler *sampler);

/* Spans of one trace that came together in one ResourceSpans: numbers from … to-1 of the part. */
struct run {
    const struct sw_shard_block *block;
    const struct sw_handoff_part *part;
    uint32_t from;
    uint32_t to;
};

static inline const struct sw_shard_span *run_span(const struct run *run, uint32_t i)
{
    return sw_handoff_part_span(run->block, run->part, i);
}

static inline const struct sw_shard_scope *run_scope(const struct run *run, uint32_t i)
{
    return &run->block->scopes[run_span(run, i)->scope];
}

/* The trace is not sampled and is over before its time: it is too large. */
void sw_sampler_too_large(struct sampler *sampler, struct sw_trace *trace);

/* ---- told.c: what other gateways decide ---- */

void sw_told_init(struct sampler *sampler, struct sw_decisions *decisions);
/* Drops what is under way; the cores have stopped. */
void sw_told_fini(struct sampler *sampler);
/* A decision was made here: the gateway that owns the trace now, if it is another one, hears of it. */
void sw_tell(struct sampler *sampler, const struct sw_trace *trace, bool sampled);

/* ---- late.c ---- */

/* Spans of a trace that was decided go where it went. @return 0 or SW_E_NOMEM (nothing
 * was taken) */
SW_CHECKED int
sw_late_follow(struct sampler *sampler, const struct run *run, struct sw_trace *trace);
/* Does a decision cache know the trace? Then *ret_err is the result of having followed it. */
bool sw_late_cached(struct sampler *sampler, const struct run *run, int *ret_err);

/* ---- decide.c ---- */

/* Decides what is due, a slice of it. */
enum progress sw_decide(struct sampler *sampler);

/* The trace was decided and its spans have gone: it leaves the table if the cache takes it. */
void sw_decided(struct sampler *sampler, struct sw_trace *trace, struct sw_decision_cache *cache);

/* ---- window.c: what waits survives kill -9 ---- */

/* The option `window` of the appliance file. @return 0, SW_E_NOMEM, SW_E_INVALID, SW_E_UNSUPPORTED, SW_E_SYSTEM
 * with env->error saying what is wrong */
SW_CHECKED int sw_window_open(const struct sw_stage_env *env, struct tail_shared *shared);
/* Takes up what an earlier process left. On the core. @return 0 or SW_E_NOMEM */
SW_CHECKED int sw_window_start(struct sampler *sampler);
bool sw_window_busy(const struct sampler *sampler);
void sw_window_fini(struct sampler *sampler);

/* ---- release.c ---- */

void sw_release_init(struct sampler *sampler);
void sw_release_fini(struct sampler *sampler);
/* Takes the trace's spans; none is on its way. */
void sw_release_trace(struct sampler *sampler, struct sw_trace *trace);
/* Goes on with the trace that is on its way. */
enum progress sw_release_step(struct sampler *sampler, uint32_t *effort);
/* Hands on the payload that is being filled. @return false: no memory, a timer goes on */
SW_CHECKED bool sw_release_flush(struct sampler *sampler);
/* Hands a payload on or, without room, keeps it. */
void sw_release_emit(struct sampler *sampler, struct sw_batch *batch);
/* A tag for a payload whose oldest trace is this one. */
uint64_t sw_release_tag(struct sampler *sampler, uint32_t number);
/* What is not anybody else's yet stays in the window. */
void sw_release_hold(struct sampler *sampler);
/* Gives up what is on its way. */
void sw_release_give_up(struct sampler *sampler);

/* The number of a payload, in the window's notes. */
static inline uint32_t payload_of(uint64_t tag)
{
    return (uint32_t)(tag >> 32);
}

/* Its oldest trace. */
static inline uint32_t number_of(uint64_t tag)
{
    return (uint32_t)tag;
}

static inline bool release_blocked(const struct release *release)
{
    return release->first != NULL;
}

#endif
