/* What the files of the queue share: sending_queue.c (the stage, places, consumers), queue_lane.c (what
 * waits, and for whom), queue_batch.c (what goes into one call), synchronous.c (the stage that stands in the queue's place). */
#ifndef SW_QUEUE_QUEUE_INTERNAL_H
#define SW_QUEUE_QUEUE_INTERNAL_H

#include "storage/queue/sending_queue.h"

#include <stdatomic.h>
#include <sys/queue.h>

#define QUEUE_BUCKETS 256

struct queue;

struct sw_queue_pool {
    _Atomic int64_t used; /**< in units of the sizer, of all cores; a count, it orders nothing */
    int64_t capacity;
    const struct sw_sending_queue_conf *conf; /**< NULL: no queue */
    unsigned cores_count;
    struct sw_cell *capacity_cell;
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
void sw_queue_pump(struct queue *queue);
/** All of it is done: its places are free, its sender hears. */
void sw_queue_entry_end(struct queue *queue, struct entry *entry);

int sw_queue_metrics_make(struct queue *queue, const struct sw_stage_env *env);
int sw_queue_pool_metrics_make(struct sw_queue_pool *pool, const struct sw_stage_env *env);

int sw_synchronous_new(
    const struct sw_stage_env *env,
    struct sw_core *core,
    struct sw_push *push,
    struct sw_stage **ret_stage
);

#endif
