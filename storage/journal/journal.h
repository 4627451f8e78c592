/* The store of persistent queues: an actor that owns LMDB, its files and their syncs, so that no core ever
 * waits for a disk.
 *
 * A store is one file_storage extension: one LMDB environment in a file, one process at a time. A queue is
 * one exporter with one signal in it. Cores send jobs:
 *
 *   APPEND   a batch becomes a record behind all others of its queue; back when it is committed
 *   READ     the oldest record that nobody has; SW_E_AGAIN when there is none: a wake follows when there is
 *   RELEASE  a record is done with and goes; back when that is committed
 *
 * All that came while the last transaction ran goes into the next one (group commit). What is committed survives
 * `kill -9`; with `fsync` the loss of power too. A record that was read and not released is read again after a
 * restart. Without `fsync` the loss of power may take what was written last.
 *
 * Files, in the store's directory; ID is the extension's, with what file names do not take written ~XXXX:
 *
 *   spanweir_ID.mdb    LMDB, keys of eight bytes (MDB_INTEGERKEY): 0 the header, n the row of queue n, from
 *                      (n << 48) + 1 on its records (record.h) by sequence number
 *   spanweir_ID.heads  marks that stand outside of the tree, for when it is lost (heads.h)
 *   spanweir_ID.lock   held by the process
 *   *.backup, *.bad    a file that was damaged, and records that were
 *
 * Whatever the files look like, the store opens: pages are checked before the library sees them (page_check.h),
 * a damaged file is put aside and searched for records. Only these stop it: no directory, another process, a
 * newer format, a disk that cannot be written.
 *
 * Room: max_size is shared by the queues; each has a share that the others cannot take, half of the store in
 * all. What is full refuses (SW_E_STORAGE_FULL). Room for the pages that a release writes is kept back, on the
 * disk too (fallocate), so that a full store or disk can always be emptied.
 */
#ifndef SW_JOURNAL_JOURNAL_H
#define SW_JOURNAL_JOURNAL_H

#include "dataplane/base/mailbox.h"
#include "dataplane/otlp/batch.h"
#include "storage/journal/record.h"

#include <stdbool.h>
#include <stdint.h>

#define SW_STORE_FORMAT     1
#define SW_STORE_QUEUES_MAX 255

struct sw_journal;     /**< all stores of the process, and their actor */
struct sw_store;       /**< one extension */
struct sw_store_queue; /**< one exporter, one signal */

/** Texts live as long as the store. */
struct sw_store_conf {
    const char *id; /**< "file_storage/traces" */
    const char *directory;
    bool create_directory;
    unsigned directory_mode;
    uint64_t timeout_ns; /**< wait for the lock of another process */
    bool fsync;
    uint64_t max_bytes; /**< 0: what the disk holds */
};

/** What the store has to tell people when it opens. Constant for the callee, for the call's time. */
struct sw_store_news {
    const char *id;
    bool warning;
    const char *message;
    const char *text_key; /**< name of `text`; NULL: none */
    const char *text;
    const char *count_key; /**< name of `count`; NULL: none */
    int64_t count;
};

struct sw_journal_conf {
    struct sw_post *post;
    unsigned index; /**< the actor's mailbox in post */
    struct sw_account *account;
    unsigned cores_count; /**< mailboxes 0 … of those who send jobs */
    void (*told)(void *context, const struct sw_store_news *news); /**< NULL: nobody listens */
    void *context;
};

/** What a queue held when its store was opened. */
struct sw_store_counts {
    uint64_t requests;
    uint64_t items;
    uint64_t bytes;     /**< of the requests */
    uint64_t under_way; /**< requests that had been read and not released when the process ended */
    uint64_t salvaged; /**< requests found in a damaged file; some may have been delivered before */
};

enum sw_store_op {
    SW_STORE_APPEND,
    SW_STORE_READ,
    SW_STORE_RELEASE,
};

/** One order to the actor; the sender's memory. */
struct sw_store_job {
    struct sw_message message; /**< `returned` is the sender's */
    struct sw_store_queue *queue;
    enum sw_store_op op;
    const struct sw_batch *batch; /**< APPEND: nobody else may touch it until the job is back */
    uint64_t seq;                 /**< APPEND, READ: result; RELEASE: which one */
    /* The result. */
    int err; /**< 0; SW_E_STORAGE_FULL, SW_E_STORAGE, SW_E_NOMEM; READ: SW_E_AGAIN when there is none */
    struct sw_buf *buf;        /**< READ: one reference, the reader's from now on */
    struct sw_record record;   /**< READ: its ranges lie in buf */
    uint32_t damaged_count;    /**< READ: records before this one that were put aside as damaged */
    uint64_t wakes_count;      /**< READ, SW_E_AGAIN: wakes sent to this core before */
    struct sw_store_job *next; /**< the actor's */
};

/** A core's ear at a queue; the listener's memory, until the actor has ended. */
struct sw_store_ear {
    struct sw_message wake; /**< the actor's */
    /** On the core: something can be read. */
    void (*woken)(struct sw_store_ear *ear);
    uint64_t wakes_count; /**< core: received */
    uint64_t sent_count;  /**< actor */
    bool hungry;          /**< actor: asked and got nothing */
    bool out;             /**< actor: the wake is under way */
};

/* ---- control thread ---- */

/** @return 0 or SW_E_NOMEM */
SW_CHECKED int sw_journal_new(const struct sw_journal_conf *conf, struct sw_journal **ret_journal);
/** Closed, actor and senders at rest. NULL is legal. */
void sw_journal_free(struct sw_journal *journal);

/** Nothing is opened yet. @return 0, SW_E_NOMEM, SW_E_EXISTS */
SW_CHECKED int sw_journal_add(
    struct sw_journal *journal,
    const struct sw_store_conf *conf,
    struct sw_store **ret_store
);
/** NULL: there is none of this ID. */
struct sw_store *sw_journal_find(struct sw_journal *journal, const char *id);

/** The queue of an exporter; before the store is opened.
 *
 * @param exporter  lives as long as the store
 * @return 0, SW_E_NOMEM, SW_E_TOO_LARGE (too many queues, or the ID)
 */
SW_CHECKED int sw_store_add_queue(
    struct sw_store *store,
    const char *exporter,
    enum sw_signal signal,
    struct sw_store_queue **ret_queue
);
/** Core `core` wants to be woken. Before the actor runs. */
void sw_store_queue_listen(struct sw_store_queue *queue, unsigned core, struct sw_store_ear *ear);

/** Are there any stores? Without them the actor needs no thread. */
bool sw_journal_any(const struct sw_journal *journal);

/** Opens all stores, before the actor runs.
 * @return 0, SW_E_NOMEM, or SW_E_STORAGE with the extension and the reason in `error` */
SW_CHECKED int sw_journal_open(struct sw_journal *journal, char *error, size_t error_size);

/** What it held when it was opened; any thread after that. */
struct sw_store_counts sw_store_queue_counts(const struct sw_store_queue *queue);

/** Has the last append found no room, and nothing gone since? Any thread, a hint. */
bool sw_store_queue_full(struct sw_store_queue *queue);

/** Requests of the queue now, and how many of them were tried and stay (sw_store_queue_skip). Any thread. */
uint64_t sw_store_queue_left(struct sw_store_queue *queue);
uint64_t sw_store_queue_skipped(struct sw_store_queue *queue);
/** A request stays that was tried: nobody hands it out again in this process. Any thread. */
void sw_store_queue_skip(struct sw_store_queue *queue);

/** A name under which the queue of `exporter` is used by `alias`; both outlive the journal. At most one for each
 * alias. @return 0 or SW_E_NOMEM */
SW_CHECKED int
sw_journal_alias(struct sw_journal *journal, const char *alias, const char *exporter);

const char *sw_store_queue_exporter(const struct sw_store_queue *queue);
enum sw_signal sw_store_queue_signal(const struct sw_store_queue *queue);

/** All queues of a store that somebody uses, in turn: NULL at first, NULL at the end. Control thread. */
struct sw_store_queue *sw_store_next_queue(struct sw_store *store, struct sw_store_queue *queue);

/** Bytes of the store that records take. Any thread. */
uint64_t sw_store_used_bytes(struct sw_store *store);

/** What it may take; 0: what the disk holds. */
uint64_t sw_store_max_bytes(const struct sw_store *store);

/* ---- the actor ---- */

/** Does what has been sent. @return messages and records handled; 0: nothing to do */
unsigned sw_journal_poll(struct sw_journal *journal, uint64_t wall_ns);
/** Closes all stores. Actor, or after it has ended. */
void sw_journal_close(struct sw_journal *journal);
/** For the thread around: when to sleep, and on what. */
struct sw_mailbox *sw_journal_mailbox(struct sw_journal *journal);

/* ---- senders' cores ---- */

void sw_store_send(struct sw_mailbox *from, struct sw_store_job *job);

#endif
