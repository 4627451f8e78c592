#ifndef SW_ASSEMBLE_ASSEMBLE_INTERNAL_H
#define SW_ASSEMBLE_ASSEMBLE_INTERNAL_H

#include "dataplane/base/segment.h"
#include "sampling/assemble/assemble.h"

/* ---- index.c: hash -> number of a trace, growing page by page ---- */

#define INDEX_SLOTS 504u

struct index_slot {
    uint32_t hash;
    uint32_t number; // of the trace; 0: empty
};

/* Extendible hashing: a page that is full is split by one more bit of the hash, nothing
 * else moves. */
struct index_page {
    uint32_t count;
    uint32_t depth; // upper bits of the hash that all its entries share
    uint64_t pad[7];
    struct index_slot slots[INDEX_SLOTS];
};
_Static_assert(sizeof(struct index_page) == 4096, "one page");

struct trace_index {
    struct sw_account *account;
    struct index_page **pages; // [1 << depth], several entries may name one page
    uint32_t depth;
    uint32_t pages_count;
};

SW_CHECKED int sw_trace_index_init(struct trace_index *index, struct sw_account *account);
void sw_trace_index_fini(struct trace_index *index);

static inline struct index_page *index_page(const struct trace_index *index, uint32_t hash)
{
    return index->pages[(uint64_t)hash >> (32 - index->depth)];
}

/* Where a hash belongs in its page: its lower bits, scaled. */
static inline uint32_t index_home(uint32_t hash)
{
    return ((hash & 0xffff) * INDEX_SLOTS) >> 16;
}

static inline uint32_t index_next(uint32_t at)
{
    return at + 1 == INDEX_SLOTS ? 0 : at + 1;
}

/* Makes room for one insert. */
SW_CHECKED int sw_trace_index_reserve(struct trace_index *index, uint32_t hash);
/* After a reserve with the same hash. */
void sw_trace_index_insert(struct trace_index *index, uint32_t hash, uint32_t number);
void sw_trace_index_remove(struct trace_index *index, uint32_t hash, uint32_t number);
uint64_t sw_trace_index_bytes(const struct trace_index *index);

/* ---- records in segments ---- */

// Small, so that finding pages for one is well below a millisecond also on a slow system.
#define SEGMENT_BYTES    (256u * 1024)
#define SEGMENT_BEGIN    ((uint32_t)sizeof(struct segment_head)) // a reference is never 0
#define REF_OFFSET_BITS  16                                      // of an offset in words of 4 bytes
#define SEGMENTS_MAX     (1u << (32 - REF_OFFSET_BITS))
#define RECORD_BYTES_MAX (1u << 30)
_Static_assert(SEGMENT_BYTES / 4 == 1u << REF_OFFSET_BITS, "references reach the whole segment");

#define RECORD_GROUP 0x80000000u // first record of its group, that is of a ResourceSpans
#define RECORD_SCOPE 0x40000000u // first record of its ScopeSpans
#define RECORD_SIZE  0x3fffffffu

/*  segment:  | head | resource | scope | record spans… | record spans… | scope | record spans… | note |
 *  All begin at multiples of 4 and with their kind; offsets and sizes in bytes. A window's segments can be read
 *  without anything else (replay.c). */
enum item_kind {
    ITEM_RESOURCE = 0x52534352, // arbitrary, so that rubbish is hardly taken for one
    ITEM_SCOPE = 0x45504353,
    ITEM_RECORD = 0x44524352,
    ITEM_DECIDED = 0x44434544,
    ITEM_RELEASED = 0x534c4552,
};

#define SEGMENT_MAGIC 0x31575753u // "SWW1"

struct segment_head {
    uint32_t magic;
    _Atomic uint32_t committed; // what lies before is whole; 0: nothing is
    uint64_t sequence;          // of the store's segments
    uint32_t size;              // of the segment
    uint32_t reserved[3];
};
_Static_assert(sizeof(struct segment_head) == 32, "the form of files");

struct record {
    uint32_t kind;
    uint32_t before;     // reference to the record before it of the same trace; 0: the first
    uint32_t size_flags; // bytes of the spans that follow
    uint32_t scope;      // offset of its struct stored_scope in the same segment
    uint32_t spans_count;
    uint8_t spans[];
};

struct stored_scope {
    uint32_t kind;
    uint32_t resource; // offset of its struct stored_bytes in the same segment
    uint32_t size;
    uint8_t data[];
};

struct stored_bytes {
    uint32_t kind;
    uint32_t size;
    uint8_t data[];
};

/* A verdict: the spans of the trace so far are not sampled, or part of a payload. */
struct decided_note {
    uint32_t kind;
    uint32_t payload; // 0: not sampled
    uint8_t id[SW_TRACE_ID_BYTES];
};

/* The next owner has a payload, or it failed for good. */
struct released_note {
    uint32_t kind;
    uint32_t payload;
};

/* What the open segment holds already, by content. */
#define KNOWN_SLOTS  1024u
#define KNOWN_PROBES 8u
#define KNOWN_MOST   (KNOWN_SLOTS / 4 * 3)

struct known {
    uint32_t hash;
    uint32_t offset; // 0: empty
};

/* ScopeSpans that were stored lately, by stamp. */
#define RECENT_SLOTS 16u

struct recent {
    uint32_t stamp; // 0: none
    uint32_t offset;
};

struct store {
    struct sw_segments pool;
    struct sw_segment **segments; // [index]
    uint32_t segments_count;      // indices ever given out
    uint32_t segments_capacity;
    uint32_t *free_indices;
    uint32_t free_indices_count;
    struct sw_segment *open;
    struct sw_segment *closed_first; // in the order they were filled
    struct sw_segment *closed_last;
    uint32_t open_record; // offset of the record at the end of the open segment; 0: none
    uint32_t open_number; // its trace
    uint32_t open_stamp;  // its ScopeSpans
    uint32_t known_count;
    uint32_t pins_count; // gathers under way
    uint64_t sequence;   // of the segment that was opened last
    uint32_t held;       // segments with this trace or later ones stay; 0: none is held
    struct recent recent[RECENT_SLOTS];
    struct known known[KNOWN_SLOTS];
};

/* ---- wait.c ---- */

/* A queue of small fixed records in chunks. */
struct fifo_chunk;
struct fifo {
    struct sw_account *account;
    struct fifo_chunk *first;
    struct fifo_chunk *last;
    struct fifo_chunk *spare;
    uint32_t item_size;
    uint64_t count;
    uint64_t bytes;
};

void sw_trace_fifo_init(struct fifo *fifo, struct sw_account *account, uint32_t item_size);
void sw_trace_fifo_fini(struct fifo *fifo);
SW_CHECKED int sw_trace_fifo_push(struct fifo *fifo, const void *item);
const void *sw_trace_fifo_first(const struct fifo *fifo);
void sw_trace_fifo_pop(struct fifo *fifo);

/* An ID that was pushed out undecided; its turn still comes (reference: 3.4). */
struct ghost {
    uint8_t id[SW_TRACE_ID_BYTES];
    uint32_t turn;
};

/* A trace whose turn was moved forward. */
struct moved {
    uint32_t number;
    uint32_t turn;
};

struct wait {
    uint32_t ticks;  // so far: the turn that the next tick makes due
    uint32_t due;    // turns before this are due
    bool all;        // everything is
    uint32_t cursor; // all traces before this number are decided
    uint64_t too_early;
    struct fifo ghosts;
    struct fifo moves;
};

void sw_trace_wait_init(struct sw_trace_table *table);
void sw_trace_wait_fini(struct sw_trace_table *table);
/* An undecided trace is pushed out. */
void sw_trace_wait_ghost(struct sw_trace_table *table, const struct sw_trace *trace);

/* ---- table.c ---- */

#define SLAB_TRACES 1024u
#define SLAB_SHIFT  10

/* What a trace's groups amount to: done holds all but the newest ScopeSpans. */
struct trace_size {
    uint64_t done;
    uint64_t scope; // content of the newest ScopeSpans; 0: none yet
};

struct slab {
    struct sw_trace traces[SLAB_TRACES];
    uint32_t sequences[SLAB_TRACES]; // order of arrival over the whole process
    struct trace_size sizes[];       // conf.sizes
};

struct sw_trace_table {
    struct sw_trace_table_conf conf;
    struct trace_index index;
    struct slab **slabs; // [(number >> SLAB_SHIFT) & (slabs_capacity - 1)]
    uint32_t slabs_capacity;
    uint32_t slabs_count;
    struct slab *spare;
    uint32_t first;        // oldest trace; numbers count up, wrap around and leave 0 out
    uint32_t next;         // number of the next new one
    uint32_t traces_count; // those that were not removed
    uint32_t numbers_max;  // limits->counted: most numbers between first and next
    struct store store;
    struct wait wait;
};

static inline uint32_t number_after(uint32_t number)
{
    return number + 1 == 0 ? 1 : number + 1;
}

/* a before b in a cyclic order; they are never half of all numbers apart */
static inline bool is_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

static inline struct slab *slab_of(const struct sw_trace_table *table, uint32_t number)
{
    return table->slabs[(number >> SLAB_SHIFT) & (table->slabs_capacity - 1)];
}

static inline struct sw_trace *trace_at(const struct sw_trace_table *table, uint32_t number)
{
    return &slab_of(table, number)->traces[number & (SLAB_TRACES - 1)];
}

/* ---- size.c ---- */

/* A span was appended; flags: of its record when it is that record's first, else 0. */
void sw_trace_size_add(
    struct sw_trace_table *table,
    const struct sw_trace *trace,
    const struct sw_shard_scope *scope,
    const struct sw_shard_span *span,
    uint32_t flags
);

/* ---- store.c ---- */

SW_CHECKED int
sw_trace_store_init(struct store *store, struct sw_account *account, struct sw_segment_file *file);
void sw_trace_store_fini(struct store *store);

static inline void *store_at(const struct store *store, uint32_t segment, uint32_t offset)
{
    return store->segments[segment]->data + offset;
}

static inline struct record *record_at(const struct store *store, uint32_t ref)
{
    return store_at(
        store, ref >> REF_OFFSET_BITS, (ref << (32 - REF_OFFSET_BITS)) >> (30 - REF_OFFSET_BITS)
    );
}

static inline struct stored_scope *scope_of(const struct store *store, uint32_t ref)
{
    return store_at(store, ref >> REF_OFFSET_BITS, record_at(store, ref)->scope);
}

static inline struct stored_bytes *resource_of(const struct store *store, uint32_t ref)
{
    return store_at(store, ref >> REF_OFFSET_BITS, scope_of(store, ref)->resource);
}

#endif
