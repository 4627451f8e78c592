/* What the files of the queue share: sending_queue.c (the stage, places, consumers), queue_lane.c (what
 * waits, and for whom), queue_batch.c (what goes into one call), queue_stored.c (requests in a store), synchronous.c (the
 * stage that stands in the queue's place). */
#ifndef SW_QUEUE_QUEUE_INTERNAL_H
#define SW_QUEUE_QUEUE_INTERNAL_H

#include "dataplane/pipeline/merge.h"
#include "storage/batch/batch_cells.h"
#include "storage/journal/journal.h"
#include "storage/queue/sending_queue.h"

#include <stdatomic.h>
#include <sys/queue.h>

#define QUEUE_BUCKETS 256

struct queue;

struct sw_queue_pool {
    _Atomic int64_t used; /**< in units of the sizer, of all cores; a count, it orders nothing */
    int64_t capacity;
    const struct sw_sending_queue_conf *conf; /**< NULL: no queue */
    struct sw_sending_queue_conf merged;      /**< conf, where it stands in for a batch processor */
    const struct sw_merge *merge;             /**< that processor; NULL: none */
    int64_t per_request;                      /**< units that count as one in queue_size */
    unsigned cores_count;
    struct sw_cell *capacity_cell;
    struct sw_store_queue *stored; /**< NULL: requests are in memory */
    bool keep_refused;             /**< what fails for good stays in the store */
};

/** A request that counts against queue_size until all of it is done. */
struct entry {
    struct sw_batch *batch; /**< what is not under way yet; NULL: all of it is */
    struct sw_batch
        *ahead; /**< goes before batch: cut off, and then there was no memory to join it */
    struct sw_ticket *ticket;  /**< settled with what becomes of it; NULL: was settled already */
    struct sw_outcome outcome; /**< the first failure */
    struct entry *next;
    int64_t size;         /**< places it has */
    uint32_t calls_count; /**< under way with some of it */
    bool owner;           /**< nobody would send it again (SW_ADMIT_ANY) */
    /* Of a queue in a store. */
    bool alone;   /**< goes to the store by itself, to see whether there is room */
    bool kept;    /**< the record stays: a shutdown came first */
    bool skipped; /**< the record stays: it was refused (keep_refused) */
    LIST_ENTRY(entry) order;
    struct queue *queue;
    uint64_t seq;   /**< of its record; 0: it is in none yet */
    uint64_t bytes; /**< counted in stored.bytes */
    struct sw_store_job job;
};

/** What a call has of an entry. */
struct share {
    struct entry *entry;
    struct sw_branch *branch;
    struct share *next;
    uint32_t items_count;
};

/** A consumer at work. */
struct consumer {
    struct sw_push_call call;
    struct queue *queue;
    struct share share; /**< the first one */
    struct consumer *next;
    struct consumer *prev;
    bool mixed; /**< its shares stand in several books */
};

struct entry_list {
    struct entry *first;
    struct entry *last;
};

/** What waits for a consumer and may go into one call: all of it, or, with `partition`, what has the same
 * values of the metadata. Such lanes live as long as something waits in them. */
struct lane {
    TAILQ_ENTRY(lane) ready;
    LIST_ENTRY(lane) bucket; /**< of a partition */
    struct queue *queue;
    struct entry_list waiting; /**< in order of arrival */
    uint64_t units_waiting;    /**< of them, by the sizer of the batches; batching only */
    struct sw_timer flush;     /**< flush_timeout of what waits */
    bool due;                  /**< flush has fired */
    bool is_ready;             /**< in the queue's list */
    uint32_t key_size;
    uint8_t key[];
};

LIST_HEAD(lane_list, lane);

/** What a queue in a store has besides. */
struct stored {
    enum sw_signal signal;
    struct sw_store_ear ear;
    LIST_HEAD(, entry) orders; /**< at the actor */
    uint32_t appends_count;    /**< of them */
    uint32_t reads_count;
    uint32_t releases_count;
    bool readable;                /**< there may be more to read */
    struct entry_list again;      /**< to be appended, the store had no room */
    struct entry_list unbuilt;    /**< read, and then there was no memory for the batch */
    struct entry_list unreleased; /**< done with, but the store could not write that */
    uint64_t bytes;               /**< of requests in memory */
    uint64_t typical_bytes;       /**< of the one that was read last */
    struct sw_cell *restored;
    struct sw_cell *redelivered;
    struct sw_cell *salvaged;
    struct sw_cell *damaged;
};

struct queue {
    struct sw_stage stage;
    struct sw_push *push;
    struct sw_queue_pool *pool;
    const struct sw_sending_queue_conf *conf;
    struct sw_account *account;
    TAILQ_HEAD(, lane) ready;     /**< lanes with enough for a call */
    struct lane *plain;           /**< the only lane; with partitions, of what goes alone */
    struct lane_list *partitions; /**< QUEUE_BUCKETS; NULL: there are none */
    uint32_t waiting_count;       /**< entries in all lanes */
    struct entry_list overflow;   /**< found no room; their senders wait */
    struct entry *reserved;       /**< places given by admit and not used yet */
    struct entry *reserved_overflow;
    struct entry *spare;
    uint32_t spare_count;
    uint32_t consumers_max;
    uint32_t consumers_count; /**< at work */
    struct consumer *working;
    struct consumer *idle;
    struct sw_timer poll;
    struct sw_task task;
    bool pumping;
    bool stopped;
    bool closed;
    bool drain_retry;
    struct sw_cell *size;
    struct sw_cell *failed;
    struct sw_cell *enqueue_size;
    struct sw_cell *enqueue_bytes;
    struct sw_batch_cells merges; /**< with pool->merge */
    struct stored stored;         /**< with pool->stored */
};

/* ---- queue_batch.c ---- */

uint64_t sw_queue_units(const struct sw_batch *batch, int sizer);
/** Takes what one call is to have out of what waits in the lane.
 * @return 0; SW_E_NOMEM: nothing was taken; SW_E_AGAIN: all that there was could not be sent */
SW_CHECKED int sw_queue_load(struct lane *lane, struct consumer *consumer);

/* ---- queue_lane.c ---- */

SW_CHECKED int sw_lanes_init(struct queue *queue);
/** All of them are empty, or never were. */
void sw_lanes_fini(struct queue *queue);
void sw_lane_append(struct queue *queue, struct entry *entry);
struct entry *sw_lane_take(struct lane *lane);
/** Looks whether the lane has enough for a call, or time has come for one; a partition without anything
 * that waits goes. */
void sw_lane_look(struct lane *lane);
/** Nothing more will come: all lanes are ready. */
void sw_lanes_stop(struct queue *queue);

/* ---- sending_queue.c ---- */

struct entry *sw_entry_list_take(struct entry_list *list);
void sw_entry_list_append(struct entry_list *list, struct entry *entry);
void sw_entry_list_prepend(struct entry_list *list, struct entry *entry);
/** NULL: no memory */
struct entry *sw_queue_entry_take(struct queue *queue);
void sw_queue_entry_give(struct queue *queue, struct entry *entry);
int64_t sw_queue_size(const struct queue *queue, const struct sw_batch *batch);
void sw_queue_places_free(struct queue *queue, int64_t size);
/** Without a look at the capacity: what is there is there. */
void sw_queue_places_restore(struct queue *queue, int64_t size);
/** Senders that waited for places go on. */
void sw_queue_admit_overflow(struct queue *queue);
/** An entry with places that does not get into the queue after all. */
void sw_queue_refuse(struct queue *queue, struct entry *entry, int err);
void sw_queue_pump(struct queue *queue);
/** All of it is done: its places are free, its sender hears. */
void sw_queue_entry_end(struct queue *queue, struct entry *entry);

/* ---- queue_stored.c ---- */

void sw_stored_init(struct queue *queue, enum sw_signal signal);
int sw_stored_start(struct queue *queue);
/** The entry has its places; its sender hears when it is committed. */
void sw_stored_append(struct queue *queue, struct entry *entry);
/** Tries what the store had no room for: all of it, or one as long as nobody knows that it works. */
void sw_stored_again(struct queue *queue, bool works);
/** Has requests read as far as consumers could do with them. */
void sw_stored_feed(struct queue *queue);
/** All of an entry that was read is done. */
void sw_stored_end(struct queue *queue, struct entry *entry);
void sw_stored_poll(struct queue *queue);
/** Do senders wait for what only a delivery gives? */
bool sw_stored_needs_room(const struct queue *queue);
/** What was read and is not under way is forgotten here: the store has it. */
void sw_stored_put_back(struct queue *queue);
void sw_stored_fail_again(struct queue *queue);
/** Is anything at the actor, or to go there? */
bool sw_stored_busy(const struct queue *queue);
void sw_stored_fini(struct queue *queue);

int sw_queue_metrics_make(struct queue *queue, const struct sw_stage_env *env);
int sw_queue_pool_metrics_make(struct sw_queue_pool *pool, const struct sw_stage_env *env);

int sw_synchronous_new(
    const struct sw_stage_env *env,
    struct sw_core *core,
    struct sw_push *push,
    struct sw_stage **ret_stage
);

#endif
