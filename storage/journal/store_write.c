/* Transactions: what was appended and released since the last one. */
#include "dataplane/base/crc32c.h"
#include "dataplane/base/mem.h"
#include "storage/journal/journal_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* Appended bytes of one transaction, but for a single record that is larger. */
#define TXN_BYTES    (UINT64_C(32) << 20)
#define CHUNK        (UINT64_C(8) << 20) /* the most that the file grows by ahead of need */
#define PAGE         UINT64_C(4096)
#define INLINE_MAX   2000 /* a larger value has pages of its own (lmdb: me_nodemax) */
#define PAGE_HEAD    16
#define FAULT_AROUND ((size_t)65536) /* what the system maps when a page of a file is touched */
#define NODE_BYTES   64              /* of a record in the tree, with the pages above */

/* ---- room ---- */

uint64_t sw_store_cost(uint64_t record_bytes)
{
    if (record_bytes <= INLINE_MAX) {
        return (record_bytes + NODE_BYTES) * 3 / 2; // pages are two thirds full
    }
    return (record_bytes + PAGE_HEAD + PAGE - 1) / PAGE * PAGE + NODE_BYTES;
}

// What records may take of a limited store: the tree needs some, and holes do.
static uint64_t usable(const struct sw_store *store)
{
    return (store->limit_bytes - RESERVE_BYTES) / 16 * 15;
}

// @return 0, SW_E_STORAGE_FULL; SW_E_ELEMENT_SIZE: it would not even fit an empty store
static int room_for(const struct sw_store_queue *queue, uint64_t cost)
{
    const struct sw_store *store = queue->store;
    const struct sw_store_queue *other;
    if (store->conf.max_bytes == 0) {
        return SW_OK;
    }
    uint64_t total = usable(store);
    uint64_t share = total / 2 / SW_MAX(store->queues_count, 1u);
    uint64_t promised = 0; // to others, and not used by them
    LIST_FOREACH(other, &store->queues, link)
    {
        if (other != queue && !other->orphan && other->row.cost_bytes < share) {
            promised += share - other->row.cost_bytes;
        }
    }
    if (cost > total - (share * (SW_MAX(store->queues_count, 1u) - 1))) {
        return SW_E_ELEMENT_SIZE;
    }
    if (queue->row.cost_bytes + cost <= share || store->cost_bytes + cost + promised <= total) {
        return SW_OK;
    }
    return SW_E_STORAGE_FULL;
}

static uint64_t last_byte(struct sw_store *store)
{
    MDB_envinfo info;
    mdb_env_info(store->env, &info);
    return (info.me_last_pgno + 1) * PAGE;
}

// Free pages inside of the file, as the last transaction left them.
static uint64_t free_bytes(struct sw_store *store)
{
    uint64_t pages = 0;
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    if (sw_store_read_begin(store) != MDB_SUCCESS) {
        return 0;
    }
    if (mdb_cursor_open(store->read_txn, 0, &cursor) == MDB_SUCCESS) {
        while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == MDB_SUCCESS) {
            size_t count;
            memcpy(&count, value.mv_data, sizeof(count));
            pages += count;
        }
        mdb_cursor_close(cursor);
    }
    sw_store_read_end(store);
    return pages * PAGE;
}

/* The disk must have the pages of the transaction and the reserve before it begins: in the middle of it there is
 * no way out. The file gets longer with it: a page that a transaction takes and gives back is never written, and the
 * file must not end before it (page_check.h). Where the file system allocates nothing, only that is done. */
static bool lengthen(struct sw_store *store, uint64_t size)
{
    uint64_t from = store->allocated_bytes;
    int failed = fallocate(store->data_fd, 0, (off_t)from, (off_t)(size - from));
    if (failed != 0 && (errno == EOPNOTSUPP || errno == ENOSYS)) {
        failed = ftruncate(store->data_fd, (off_t)size);
    }
    if (failed == 0) {
        store->allocated_bytes = size;
    }
    return failed == 0;
}

bool sw_store_allocate(struct sw_store *store, uint64_t bytes)
{
    uint64_t most = store->limit_bytes;
    uint64_t wanted = SW_MIN(last_byte(store) + bytes + RESERVE_BYTES, most);
    if (wanted <= store->allocated_bytes) {
        return true;
    }
    uint64_t ahead = SW_MIN(SW_MAX(wanted / 8, RESERVE_BYTES), CHUNK);
    return lengthen(store, SW_MIN(wanted + ahead, most)) || lengthen(store, wanted);
}

static bool disk_has_room(struct sw_store *store, uint64_t bytes)
{
    if (!store->raised && sw_store_allocate(store, bytes)) {
        return true;
    }
    return free_bytes(store) >= 2 * bytes + RESERVE_BYTES;
}

/* ---- rows ---- */

int sw_store_put_row(struct sw_store *store, MDB_txn *txn, struct sw_store_queue *queue)
{
    uint8_t bytes[sizeof(struct row) + SW_RECORD_ID_MAX];
    struct row *row = &queue->row;
    uint64_t number = queue->number;
    size_t id_size = strlen(queue->exporter);
    MDB_val key = {sizeof(number), &number};
    MDB_val value = {sizeof(*row) + id_size, bytes};
    row->signal = (uint8_t)queue->signal;
    row->reserved = 0;
    row->id_size = (uint16_t)id_size;
    memcpy(bytes, row, sizeof(*row));
    memcpy(bytes + sizeof(*row), queue->exporter, id_size);
    size_t skipped = sizeof(row->crc);
    row->crc = sw_crc32c(0, bytes + skipped, value.mv_size - skipped);
    memcpy(bytes, &row->crc, skipped);
    return mdb_put(txn, store->dbi, &key, &value, 0);
}

static void
touch(struct sw_store_queue *queue, int64_t sign, const struct sw_record_measure *measure)
{
    struct row *row = &queue->row;
    uint64_t cost = sw_store_cost(measure->record_bytes);
    queue->touched = true;
    if (sign > 0) {
        row->requests++;
        row->items += measure->items_count;
        row->bytes += measure->request_bytes;
        row->cost_bytes += cost;
        queue->store->cost_bytes += cost;
        return;
    }
    // A damaged record may claim anything.
    cost = SW_MIN(cost, row->cost_bytes);
    queue->store->cost_bytes -= cost;
    row->cost_bytes -= cost;
    row->requests -= SW_MIN(row->requests, UINT64_C(1));
    row->items -= SW_MIN(row->items, (uint64_t)measure->items_count);
    row->bytes -= SW_MIN(row->bytes, measure->request_bytes);
    if (row->requests == 0) {
        queue->store->cost_bytes -= row->cost_bytes;
        row->items = row->bytes = row->cost_bytes = 0;
    }
}

static void undo_rows(struct sw_store *store)
{
    struct sw_store_queue *queue;
    store->cost_bytes = 0;
    LIST_FOREACH(queue, &store->queues, link)
    {
        queue->row = queue->committed;
        queue->touched = false;
        store->cost_bytes += queue->row.cost_bytes;
    }
}

static int put_rows(struct sw_store *store, MDB_txn *txn)
{
    struct sw_store_queue *queue;
    LIST_FOREACH(queue, &store->queues, link)
    {
        if (queue->touched) {
            int code = sw_store_put_row(store, txn, queue);
            if (code != MDB_SUCCESS) {
                return code;
            }
        }
    }
    return MDB_SUCCESS;
}

static void rows_committed(struct sw_store *store)
{
    struct sw_store_queue *queue;
    LIST_FOREACH(queue, &store->queues, link)
    {
        queue->committed = queue->row;
        queue->touched = false;
        atomic_store_explicit(&queue->left_count, queue->row.requests, memory_order_relaxed);
    }
    atomic_store_explicit(&store->used_bytes, store->cost_bytes, memory_order_relaxed);
}

/* ---- marks ---- */

static void mark_queue(struct sw_store *store, struct sw_store_queue *queue)
{
    struct sw_head *head = &store->heads.queues[queue->number];
    uint64_t first;
    MDB_val value;
    int code =
        sw_store_first(store, store->read_txn, queue->number, head->released_below, &first, &value);
    if (code == MDB_NOTFOUND) {
        first = queue->committed.next_seq;
        code = MDB_SUCCESS;
    }
    if (code == MDB_SUCCESS) {
        head->valid = true;
        head->id_sum = sw_heads_id_sum(queue->exporter, queue->signal);
        head->released_below = first;
        head->dispatched = queue->read_seq;
    }
}

void sw_store_mark(struct sw_store *store)
{
    struct sw_store_queue *queue;
    MDB_envinfo info;
    if (mdb_env_info(store->env, &info) != MDB_SUCCESS
        || sw_store_read_begin(store) != MDB_SUCCESS) {
        return;
    }
    LIST_FOREACH(queue, &store->queues, link)
    {
        if (queue->number > 0) {
            mark_queue(store, queue);
            store->heads.queues_count = SW_MAX(store->heads.queues_count, queue->number + 1);
        }
    }
    store->heads.txn_id = info.me_last_txnid;
    sw_heads_write(&store->heads);
    sw_store_read_end(store);
}

/* ---- one transaction ---- */

static int append(struct sw_store *store, MDB_txn *txn, struct sw_store_job *job)
{
    struct sw_store_queue *queue = job->queue;
    uint64_t size = sw_record_size(queue->exporter, job->batch);
    uint64_t seq = queue->row.next_seq;
    uint64_t number = key_of(queue->number, seq);
    MDB_val key = {sizeof(number), &number};
    MDB_val value = {size, NULL};
    int code = mdb_put(txn, store->dbi, &key, &value, MDB_RESERVE | MDB_NOOVERWRITE);
    if (code != MDB_SUCCESS) {
        return code;
    }
    sw_record_write(queue->exporter, job->batch, seq, store->journal->wall_ns, value.mv_data);
    const struct sw_record_measure measure = {size, job->batch->bytes, job->batch->items_count};
    touch(queue, 1, &measure);
    queue->row.next_seq = seq + 1;
    job->seq = seq;
    return MDB_SUCCESS;
}

static int release(struct sw_store *store, MDB_txn *txn, const struct sw_store_job *job)
{
    uint64_t number = key_of(job->queue->number, job->seq);
    MDB_val key = {sizeof(number), &number};
    MDB_val value;
    int code = mdb_get(txn, store->dbi, &key, &value);
    if (code == MDB_NOTFOUND) {
        return MDB_SUCCESS; // it went in a transaction whose end was not heard of
    }
    if (code == MDB_SUCCESS) {
        struct sw_record_measure measure;
        sw_record_measure((struct sw_bytes){value.mv_data, value.mv_size}, &measure);
        sw_store_saw(store, value.mv_data, SW_MIN(value.mv_size, FAULT_AROUND));
        touch(job->queue, -1, &measure);
        code = mdb_del(txn, store->dbi, &key, NULL);
    }
    return code;
}

static int apply(struct sw_store *store, MDB_txn *txn, const struct job_list *jobs)
{
    int code = MDB_SUCCESS;
    for (struct sw_store_job *job = jobs->first; job != NULL && code == MDB_SUCCESS;
         job = job->next) {
        bool appends = job->op == SW_STORE_APPEND;
        code = appends ? append(store, txn, job) : release(store, txn, job);
    }
    return code == MDB_SUCCESS ? put_rows(store, txn) : code;
}

// @return code of the library; unless 0 nothing has changed
static int transact(struct sw_store *store, const struct job_list *jobs)
{
    MDB_txn *txn;
    int code = mdb_txn_begin(store->env, NULL, 0, &txn);
    if (code == MDB_SUCCESS) {
        code = apply(store, txn, jobs);
        if (code == MDB_SUCCESS) {
            code = mdb_txn_commit(txn);
        } else {
            mdb_txn_abort(txn);
        }
    }
    if (code == MDB_SUCCESS) {
        rows_committed(store);
    } else {
        undo_rows(store);
        // A failed write of the last page leaves the library unable to go on.
        store->failed = code == MDB_PANIC || code == EIO || code == ENOSPC || code == EROFS;
    }
    return code;
}

/* Releases must go through: a full map gets larger for them, a disk without room has the reserve. */
static int transact_releases(struct sw_store *store, const struct job_list *jobs)
{
    int code = transact(store, jobs);
    if (code == MDB_MAP_FULL) {
        MDB_envinfo info;
        mdb_env_info(store->env, &info);
        if (mdb_env_set_mapsize(store->env, info.me_mapsize + RESERVE_BYTES) == MDB_SUCCESS) {
            store->raised = true;
            sw_store_map_moved(store);
            code = transact(store, jobs);
        }
    }
    return code;
}

/* ---- jobs ---- */

static void finish(struct sw_store *store, struct job_list *jobs, int err)
{
    struct sw_store_job *job;
    while ((job = sw_job_take(jobs)) != NULL) {
        job->err = err;
        if (job->message.deliver == NULL) {
            sw_free(job); // our own
        } else {
            sw_mailbox_return(store->journal->mailbox, &job->message);
        }
    }
}

static void set_full(struct sw_store_queue *queue, bool full)
{
    atomic_store_explicit(&queue->full, full, memory_order_relaxed);
}

struct round {
    struct job_list releases;
    struct job_list appends;
    struct job_list refused;
    uint64_t bytes;
    unsigned count;
};

static void choose(struct sw_store *store, struct round *round)
{
    while (store->writes.first != NULL) {
        struct sw_store_job *job = store->writes.first;
        uint64_t bytes = 0;
        if (job->op == SW_STORE_APPEND) {
            bytes = sw_record_size(job->queue->exporter, job->batch);
            if (round->appends.first != NULL && round->bytes + bytes > TXN_BYTES) {
                break;
            }
        }
        sw_job_take(&store->writes);
        round->count++;
        if (job->op == SW_STORE_RELEASE) {
            sw_job_append(&round->releases, job);
            continue;
        }
        int err = bytes > UINT32_MAX ? SW_E_ELEMENT_SIZE
                                     : room_for(job->queue, sw_store_cost(bytes) + round->bytes);
        if (err != SW_OK) {
            job->err = err;
            sw_job_append(&round->refused, job);
        } else {
            round->bytes += sw_store_cost(bytes);
            sw_job_append(&round->appends, job);
        }
    }
}

static void join(struct job_list *into, struct job_list *from)
{
    struct sw_store_job *job;
    while ((job = sw_job_take(from)) != NULL) {
        sw_job_append(into, job);
    }
}

static void refuse(struct sw_store *store, struct job_list *jobs, int err)
{
    for (struct sw_store_job *job = jobs->first; job != NULL; job = job->next) {
        set_full(job->queue, err == SW_E_STORAGE_FULL);
    }
    finish(store, jobs, err);
}

static void refuse_each(struct sw_store *store, struct job_list *jobs)
{
    struct sw_store_job *job;
    while ((job = sw_job_take(jobs)) != NULL) {
        struct job_list one = {job, job};
        refuse(store, &one, job->err);
    }
}

static void write_releases(struct sw_store *store, struct round *round)
{
    struct sw_store_queue *queue;
    if (round->releases.first == NULL) {
        return;
    }
    int code = transact_releases(store, &round->releases);
    finish(store, &round->releases, sw_store_error(code));
    if (code == MDB_SUCCESS) {
        LIST_FOREACH(queue, &store->queues, link)
        {
            set_full(queue, false);
        }
    }
}

// Appends and releases in one transaction; what cannot be appended does not hold up what is released.
static void write_round(struct sw_store *store, struct round *round)
{
    struct job_list all = {0};
    struct sw_store_job *last = round->releases.last;
    if (round->appends.first == NULL) {
        write_releases(store, round);
        return;
    }
    if (!disk_has_room(store, round->bytes + round->count * PAGE)) {
        refuse(store, &round->appends, SW_E_STORAGE_FULL);
        write_releases(store, round);
        return;
    }
    join(&all, &round->releases);
    join(&all, &round->appends);
    int code = transact(store, &all);
    if (code == MDB_SUCCESS) {
        finish(store, &all, SW_OK);
        return;
    }
    if (last != NULL) { // apart again
        round->appends = (struct job_list){last->next, last->next != NULL ? all.last : NULL};
        round->releases = (struct job_list){all.first, last};
        last->next = NULL;
    } else {
        round->appends = all;
    }
    refuse(store, &round->appends, sw_store_error(code));
    if (store->failed && sw_store_reopen(store) != SW_OK) {
        finish(store, &round->releases, SW_E_STORAGE);
        return;
    }
    write_releases(store, round);
}

unsigned sw_store_write(struct sw_store *store)
{
    struct round round = {0};
    if (store->writes.first == NULL) {
        return 0;
    }
    if (store->failed && sw_store_reopen(store) != SW_OK) {
        finish(store, &store->writes, SW_E_STORAGE);
        return 1;
    }
    choose(store, &round);
    refuse_each(store, &round.refused);
    write_round(store, &round);
    if (!store->failed) {
        sw_store_mark(store);
        (void)sw_store_allocate(store, 0); // releases, too, take pages
    }
    return round.count;
}
