/* The trace table of one core: trace ID -> the spans that have arrived, until a verdict, and the
 * verdict until num_traces newer traces push it out.
 *
 * Spans are kept as wire bytes in segments (base/segment.h), appended in order of arrival whatever
 * their trace. A run of spans of one trace and one ScopeSpans is one record; a record refers to the
 * one before it of the same trace. What stands around the spans is kept once per segment. Traces
 * are decided in order of arrival, so segments die in the order they were filled: nobody counts
 * what lives in them.
 *
 * Owner core only, nothing blocks. Memory is charged as it is taken; SW_E_NOMEM leaves everything
 * as it was. Semantics: Collector contrib v0.159 processor/tailsamplingprocessor.
 */
#ifndef SW_ASSEMBLE_ASSEMBLE_H
#define SW_ASSEMBLE_ASSEMBLE_H

#include "dataplane/route/shard.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum sw_trace_state {
    SW_TRACE_UNDECIDED,
    SW_TRACE_SAMPLED,
    SW_TRACE_NOT_SAMPLED,
    SW_TRACE_DROPPED, /**< a drop policy said so */
    SW_TRACE_REMOVED, /**< the table's own: no longer in it */
};

/** One trace; a cache line. Valid until the next call that may evict (add, evict, free). */
struct sw_trace {
    uint8_t id[SW_TRACE_ID_BYTES];
    uint32_t number; /**< place in this core's order of arrival */
    uint32_t last;   /**< newest record; 0: no spans are kept */
    uint32_t stamp;  /**< of the ScopeSpans that the newest record came in */
    uint32_t spans_count;
    uint32_t turn;       /**< tick at which it is decided */
    uint32_t arrived_ms; /**< core clock, modulo 2^32: sw_trace_age_s */
    union {
        uint64_t start_min_ns; /**< while undecided: earliest start so far; 0: none */
        uint64_t decided_ns;   /**< afterwards: core clock; 0: decided without a policy */
    };
    uint64_t end_max_ns;
    uint32_t matched; /**< bits of policies that have seen what they look for */
    uint8_t state;    /**< enum sw_trace_state */
    uint8_t told;     /**< while undecided: what another gateway decided; UNDECIDED: nothing */
    uint16_t policy;  /**< who gets the credit, index + 1; 0: nobody */
};
_Static_assert(sizeof(struct sw_trace) == 64, "one cache line");

/** Whole seconds since its first span. */
static inline uint32_t sw_trace_age_s(const struct sw_trace *trace, uint64_t now_ns)
{
    return ((uint32_t)(now_ns / 1000000) - trace->arrived_ms) / 1000;
}

/** num_traces counts over all cores. Cores and control share it.
 *
 * As long as traces leave only by being pushed out, the order of arrival alone tells which are too
 * old. Where they are removed (sw_trace_remove) or new ones wait (conf.block), those that are live
 * are counted, and each core says how old its oldest one is. */
struct sw_trace_limits {
    _Atomic uint32_t arrivals; /**< traces so far */
    uint32_t traces_max;       /**< at least 1; sw_trace_limits_init */
    bool counted;
    _Atomic uint32_t live_count;           /**< counted: traces of all cores */
    _Atomic uint64_t oldest[SW_CORES_MAX]; /**< counted: arrival of the oldest, plus 1; 0: none */
};

static inline void
sw_trace_limits_init(struct sw_trace_limits *limits, uint64_t num_traces, bool counted)
{
    atomic_init(&limits->arrivals, 0);
    atomic_init(&limits->live_count, 0);
    for (unsigned i = 0; i < SW_CORES_MAX; i++) {
        atomic_init(&limits->oldest[i], 0);
    }
    limits->counted = counted;
    uint64_t most = SW_MIN(num_traces, (uint64_t)INT32_MAX);
    limits->traces_max = most == 0 ? 1 : (uint32_t)most; // 0 acts as 1 in the Collector
}

struct sw_trace_table;

struct sw_trace_table_conf {
    struct sw_account *account;
    struct sw_trace_limits *limits;
    const struct sw_shard_key *key; /**< outlives the table */
    unsigned core;                  /**< whose table it is */
    bool block;           /**< undecided traces are not pushed out; needs limits->counted */
    uint64_t wait_ticks;  /**< N: whole seconds of decision_wait, at least 1 */
    bool early;           /**< decision_wait_after_root_received is on */
    uint64_t early_ticks; /**< R: its whole seconds */
    bool sizes;           /**< keep the size of each trace: sw_trace_size */
    struct sw_segment_file
        *file; /**< the window: spans lie in it and survive kill -9; NULL: they do not */
    /** A trace is pushed out by newer ones; undecided: its spans are lost. */
    void (*evicted)(void *context, const struct sw_trace *trace, uint64_t now_ns);
    void *context;
};

SW_CHECKED int
sw_trace_table_new(const struct sw_trace_table_conf *conf, struct sw_trace_table **ret_table);
/** NULL is legal. */
void sw_trace_table_free(struct sw_trace_table *table);

/* ---- arrival ---- */

/** Fetches what the next two will touch; first for a whole block, then a few spans ahead. */
void sw_trace_prefetch_index(const struct sw_trace_table *table, uint32_t hash);
void sw_trace_prefetch(const struct sw_trace_table *table, uint32_t hash);

/** @param hash  lower half of sw_shard_hash
 * @return NULL when the table does not (or no longer) know it */
struct sw_trace *
sw_trace_find(struct sw_trace_table *table, const uint8_t trace_id[16], uint32_t hash);

/** A new trace; pushes out what is too old now, this one excepted.
 * @return 0; SW_E_NOMEM; SW_E_FULL (conf.block: no room until some are decided) */
SW_CHECKED int sw_trace_add(
    struct sw_trace_table *table,
    const uint8_t trace_id[16],
    uint32_t hash,
    uint64_t now_ns,
    struct sw_trace **ret_trace
);

/** Takes back the add that came last: its first span found no memory. What it pushed out stays
 * out. */
void sw_trace_take_back(struct sw_trace_table *table, struct sw_trace *trace);

/** Keeps a span's bytes as the newest of the trace. Counts and times in *trace are the caller's.
 * @return 0; SW_E_NOMEM; SW_E_TOO_LARGE (a span of 1 GiB: never again) */
SW_CHECKED int sw_trace_append(
    struct sw_trace_table *table,
    struct sw_trace *trace,
    const struct sw_shard_scope *scope,
    const struct sw_shard_span *span
);

/** A slice of getting memory ready for the spans that will come: in a step of its own, so that those who
 * bring spans need not wait for the system. @return true when there is more to do */
bool sw_trace_table_prepare(struct sw_trace_table *table);
/** Whether it has something to do. */
bool sw_trace_table_short(const struct sw_trace_table *table);

/** Sees to it that the next appends of about `bytes` bytes find mapped memory.
 * @return 0 or SW_E_NOMEM */
SW_CHECKED int sw_trace_table_reserve(struct sw_trace_table *table, uint64_t bytes);

/** Its root span arrived: it is decided earlier, if conf.early (reference: 3.3). */
void sw_trace_root_arrived(struct sw_trace_table *table, struct sw_trace *trace);

/** Does a span in this scope begin a new group of the trace: the first that came in its
 * ResourceSpans? */
static inline bool
sw_trace_begins_group(const struct sw_trace *trace, const struct sw_shard_scope *scope)
{
    // Stamps of one ResourceSpans count up from its first.
    return trace->stamp - scope->group_stamp > scope->stamp - scope->group_stamp;
}

/** conf.sizes: bytes of all its groups, each as the Collector counts it: the ResourceSpans message
 * of the group as it would write it, without schema URLs (reference: 3.6). */
uint64_t sw_trace_size(const struct sw_trace_table *table, const struct sw_trace *trace);

/* ---- the window (conf.file): what a replay after a crash needs to know. Without one these do nothing ----
 *
 * Payloads are what is handed on as one, by numbers from 1. A note that finds no memory is left out: then spans
 * come again that were decided or delivered. */

/** The trace's spans so far are part of a payload; 0: they are not sampled. */
void sw_trace_note_decided(
    struct sw_trace_table *table,
    const uint8_t id[SW_TRACE_ID_BYTES],
    uint32_t payload
);
/** Somebody else has the payload. */
void sw_trace_note_released(struct sw_trace_table *table, uint32_t payload);
/** A span that follows a decision and is no longer kept; its verdict is to be noted behind it.
 * @return 0, SW_E_NOMEM, SW_E_TOO_LARGE */
SW_CHECKED int sw_trace_note_late(
    struct sw_trace_table *table,
    const struct sw_shard_scope *scope,
    const struct sw_shard_span *span
);
/** Spans of the trace with this number and of later ones are not recycled. 0: nothing is held. */
void sw_trace_table_hold(struct sw_trace_table *table, uint32_t number);
/** The number of the trace that came last: of what is handed on and is in no trace of the table. */
uint32_t sw_trace_table_newest(const struct sw_trace_table *table);

/** What a replay finds: spans of one trace and one ScopeSpans. */
struct sw_replayed {
    bool sampled; /**< the verdict was to keep them, and nobody has them; else undecided */
    struct sw_bytes resource; /**< whole fields of a ResourceSpans */
    struct sw_bytes scope;    /**< whole fields of a ScopeSpans */
    struct sw_bytes spans;    /**< likewise */
    uint32_t spans_count;
};

struct sw_window_replay;

/** Reads a window's file of any content. What it finds must be validated like anything that comes from outside.
 *
 * @param file  stays as it is until the replay is freed
 * @return 0 or SW_E_NOMEM
 */
SW_CHECKED int sw_window_replay_new(struct sw_bytes file, struct sw_window_replay **ret_replay);
/** The next spans, in the order of their arrival. @return false: there are no more */
bool sw_window_replay_next(struct sw_window_replay *replay, struct sw_replayed *ret_replayed);
/** NULL is legal. */
void sw_window_replay_free(struct sw_window_replay *replay);

/* ---- time ---- */

/** Once a second. What arrived wait_ticks ticks ago is due. */
void sw_trace_table_tick(struct sw_trace_table *table);

/** Everything that is held is due. */
void sw_trace_table_all_due(struct sw_trace_table *table);

/** The next undecided trace that is due. The caller decides it before it asks again.
 *
 * @param effort  falls by what the search cost; the search pauses at 0
 * @return NULL when nothing is due, or when *effort is 0
 */
struct sw_trace *sw_trace_table_due(struct sw_trace_table *table, uint32_t *effort);

/** Trace IDs whose time came after they had been pushed out, since the last call. */
uint64_t sw_trace_table_too_early(struct sw_trace_table *table);

/** Pushes out up to `most` traces that are too old. @return true when there are more */
bool sw_trace_table_evict(struct sw_trace_table *table, uint64_t now_ns, uint32_t most);

/** Takes a decided trace without spans out of the table: a cache remembers the decision
 * (limits->counted). The trace is gone with this call. */
void sw_trace_remove(struct sw_trace_table *table, struct sw_trace *trace);

/** Forgets the spans of a trace (their memory goes when that of its neighbours does). */
static inline void sw_trace_drop_spans(struct sw_trace *trace)
{
    trace->last = 0;
}

/** Recycles segments in which nobody waits any more. */
void sw_trace_table_sweep(struct sw_trace_table *table);

/** Once a second, after the sweep: memory that nobody has needed goes back to the system.
 * sw_trace_table_trim: a slice of that. @return true when there is more to do */
void sw_trace_table_idle_tick(struct sw_trace_table *table);
bool sw_trace_table_trim(struct sw_trace_table *table);

/* ---- departure ---- */

/** A trace's spans on their way out: measured first, then written, both in slices. From the newest
 * record back to the oldest, so what is written grows from the end of the room to its beginning.
 * The result are fields of an ExportTraceServiceRequest: one ResourceSpans per group in order of
 * arrival, as the Collector passes it on (reference: 2.1). Keeps the segments alive from begin to
 * end. */
struct sw_trace_gather {
    struct sw_trace_table *table;
    struct sw_bytes mark; /**< the caller's, after begin, borrowed until the end: sw_scope_mark */
    uint32_t newest; /**< first record of this payload, and where measuring and writing stand */
    uint32_t record;
    uint32_t oldest; /**< record behind the payload; 0: the payload takes all the rest */
    uint32_t spans_count;
    uint64_t scope_bytes;
    uint64_t group_bytes;
    uint64_t bytes; /**< of the payload once it was measured */
};

/** Takes the spans out of the trace. */
void sw_trace_gather_begin(
    struct sw_trace_gather *gather,
    struct sw_trace_table *table,
    struct sw_trace *trace
);

/** Measures the next payload: all spans, or, of a huge trace, whole groups of about 64 MiB.
 * @return true when done (bytes and spans_count say what it is); false: call again */
bool sw_trace_gather_measure(struct sw_trace_gather *gather, uint32_t *effort);

/** Writes the payload that was measured.
 * @param end  behind the room for gather->bytes bytes; *end moves to their beginning
 * @return true when done; false: call again */
bool sw_trace_gather_write(struct sw_trace_gather *gather, uint8_t **end, uint32_t *effort);

/** After a payload was written. @return true when another one is to be measured */
bool sw_trace_gather_more(struct sw_trace_gather *gather);

/** Lets go of the segments; before the end, too. */
void sw_trace_gather_end(struct sw_trace_gather *gather);

/** What stands around the spans of a ScopeSpans, with attributes written into its scope; those of
 * the same keys that are there already go.
 *
 * @param around  whole fields (sw_shard_scope.scope)
 * @param mark  whole `attributes` fields of an InstrumentationScope
 * @param out  NULL only measures
 * @return bytes of the result
 */
size_t sw_scope_mark(struct sw_bytes around, struct sw_bytes mark, uint8_t *out);

/** Visits the spans that are kept of a trace in order of arrival: for policies that could not watch
 * them arrive. Runs to the end in one go unless visit returns false. */
void sw_trace_replay(
    struct sw_trace_table *table,
    struct sw_trace *trace,
    bool (*visit)(void *context, const struct sw_shard_scope *scope, struct sw_bytes span),
    void *context
);

/* ---- looking in ---- */

struct sw_trace_table_stats {
    uint64_t traces_count;
    uint64_t bytes;      /**< all memory of the table in use: segments, entries, index */
    uint64_t free_bytes; /**< mapped and free */
};
void sw_trace_table_stats(
    const struct sw_trace_table *table,
    struct sw_trace_table_stats *ret_stats
);

#endif
