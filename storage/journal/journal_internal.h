/* What the files of the store share: journal.c (the actor and its jobs), store_open.c (from the files to an
 * open environment), store_salvage.c (from a damaged file), store_write.c (transactions), store_read.c. */
#ifndef SW_JOURNAL_JOURNAL_INTERNAL_H
#define SW_JOURNAL_JOURNAL_INTERNAL_H

#include "storage/journal/heads.h"
#include "storage/journal/journal.h"

#include <lmdb.h>

#include <stdatomic.h>
#include <sys/queue.h>

#define JOURNAL_PATH_MAX 4096
/* Kept back for releases, in the store and on the disk. */
#define RESERVE_BYTES (UINT64_C(1) << 20)
/* The smallest store: below it the reserve would be most of it. */
#define STORE_BYTES_MIN (UINT64_C(4) << 20)
#define SEQ_BITS        48

static inline uint64_t key_of(unsigned number, uint64_t seq)
{
    return (uint64_t)number << SEQ_BITS | seq;
}

/** The row of a queue, as it stands in the tree behind its CRC-32C; the exporter's ID follows. */
struct row {
    uint32_t crc; // of what follows, with the ID
    uint8_t signal;
    uint8_t reserved;
    uint16_t id_size;
    uint64_t next_seq;
    uint64_t requests;
    uint64_t items;
    uint64_t bytes;
    uint64_t cost_bytes; // room in the store, by cost_of
};

struct job_list {
    struct sw_store_job *first;
    struct sw_store_job *last;
};

struct sw_store_queue {
    LIST_ENTRY(sw_store_queue) link;
    struct sw_store *store;
    const char *exporter;
    enum sw_signal signal;
    unsigned number; // 0: not in the store yet
    bool orphan;     // of no exporter of this configuration; exporter is our copy
    bool touched;    // by the transaction that runs
    struct row row;  // counts as committed, and those of the transaction that runs
    struct row committed;
    uint64_t read_seq; // the last one handed out
    _Atomic uint64_t left_count;
    _Atomic uint64_t skipped_count;
    struct sw_store_counts counts;
    _Atomic bool full;
    struct sw_store_ear *ears[SW_CORES_MAX];
};

struct sw_store {
    LIST_ENTRY(sw_store) link;
    struct sw_journal *journal;
    struct sw_store_conf conf;
    char *stem; // the files' paths without what tells them apart
    int lock_fd;
    int data_fd; // for fallocate
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *read_txn; // reset while nobody reads
    struct sw_heads heads;
    LIST_HEAD(, sw_store_queue) queues;
    unsigned queues_count;    // of this configuration
    uint64_t limit_bytes;     // of the file; the map is smaller by the reserve
    uint64_t allocated_bytes; // length of the file, all of it on the disk where that is possible
    bool raised;              // the map is larger for now, so that releases have room
    uint64_t cost_bytes;      // of all queues
    _Atomic uint64_t used_bytes;
    struct job_list writes; // APPEND and RELEASE in order of arrival
    struct job_list reads;
    uintptr_t seen_begin; // what reading has touched of this map
    uintptr_t seen_end;
    uint64_t seen_bytes; // and has mapped in since it was let go of
    bool failed;         // the environment must be opened again
};

struct alias {
    LIST_ENTRY(alias) link;
    const char *alias;
    const char *exporter;
};

struct sw_journal {
    struct sw_journal_conf conf;
    LIST_HEAD(, alias) aliases;
    struct sw_mailbox *mailbox;
    LIST_HEAD(, sw_store) stores;
    uint64_t wall_ns;
};

/* ---- journal.c ---- */

void sw_job_append(struct job_list *list, struct sw_store_job *job);
struct sw_store_job *sw_job_take(struct job_list *list);
void sw_journal_tell(const struct sw_store *store, const struct sw_store_news *news);
int sw_store_error(int code);

/* ---- store_open.c ---- */

SW_CHECKED int sw_store_open(struct sw_store *store, char *error, size_t error_size);
/** After a failure that the library does not get over. */
SW_CHECKED int sw_store_reopen(struct sw_store *store);
void sw_store_close(struct sw_store *store);
/** The queue's number, and its row in the tree. In a write transaction. @return code of the library */
SW_CHECKED int sw_store_number_queue(struct sw_store *store, struct sw_store_queue *queue);
/** Of an exporter that no longer exists. NULL: no memory */
struct sw_store_queue *
sw_store_add_orphan(struct sw_store *store, struct sw_bytes exporter, enum sw_signal signal);
struct sw_store_queue *
sw_store_find_queue(struct sw_store *store, struct sw_bytes exporter, enum sw_signal signal);

/** The format of a newer version; 0: it is none. */
uint32_t sw_store_newer_format(struct sw_store *store, MDB_txn *txn);
/** The row of a queue, also where it is lost and only records are there.
 * @return code of the library; MDB_NOTFOUND: there is no such queue */
SW_CHECKED int sw_store_row(
    struct sw_store *store,
    MDB_txn *txn,
    unsigned number,
    struct row *ret_row,
    struct sw_bytes *ret_exporter
);

/* ---- store_salvage.c ---- */

/** Brings the records that it finds in a damaged file into the store, which is new.
 * @param ret_found  how many
 * @return 0 or SW_E_* */
SW_CHECKED int
sw_store_salvage(struct sw_store *store, struct sw_bytes damaged, uint64_t *ret_found);

/* ---- store_write.c ---- */

uint64_t sw_store_cost(uint64_t record_bytes);
SW_CHECKED int sw_store_put_row(struct sw_store *store, MDB_txn *txn, struct sw_store_queue *queue);
/** Makes the file so long that a transaction of so many bytes fits, and the reserve.
 * @return false: the disk has no room */
bool sw_store_allocate(struct sw_store *store, uint64_t bytes);
/** One transaction of what waits. @return jobs that are done */
unsigned sw_store_write(struct sw_store *store);
/** The marks of the queues as they stand now. */
void sw_store_mark(struct sw_store *store);

/* ---- store_read.c ---- */

/** Answers what waits to be read. @return jobs */
unsigned sw_store_read(struct sw_store *store);
/** The oldest record of a queue from `seq` on. @return code of the library */
SW_CHECKED int sw_store_first(
    struct sw_store *store,
    MDB_txn *txn,
    unsigned number,
    uint64_t seq,
    uint64_t *ret_seq,
    MDB_val *ret_value
);
/** Bytes of the file that have come into the process's memory: they are let go of in time. */
void sw_store_saw(struct sw_store *store, const void *data, size_t size);
/** The map is, or may be, at another address: what was seen of it does not count. */
void sw_store_map_moved(struct sw_store *store);
SW_CHECKED int sw_store_read_begin(struct sw_store *store);
void sw_store_read_end(struct sw_store *store);

#endif
