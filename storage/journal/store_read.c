/* From the tree to those who ask for records. */
#include "dataplane/base/mem.h"
#include "storage/journal/journal_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is read stays mapped until as much has been seen; then the pages are let go of, so that a long backlog does
 * not show as memory of the process. */
#define SEEN_MAX  (UINT64_C(16) << 20)
#define BAD_MAX   (UINT64_C(256) << 20) /* of the file that damaged records go to */
#define PAGE      4096u
#define PAGE_HEAD 16u /* in front of a value with pages of its own */

int sw_store_read_begin(struct sw_store *store)
{
    if (store->read_txn == NULL) {
        return mdb_txn_begin(store->env, NULL, MDB_RDONLY, &store->read_txn);
    }
    return mdb_txn_renew(store->read_txn);
}

/* All of the map that was ever read: the system maps more pages than were touched, on either side of them. */
static void let_go(struct sw_store *store)
{
    uintptr_t begin = store->seen_begin & ~(uintptr_t)(PAGE - 1);
    if (store->seen_end > begin) {
        madvise((void *)begin, store->seen_end - begin, MADV_DONTNEED);
    }
    store->seen_bytes = 0;
}

void sw_store_map_moved(struct sw_store *store)
{
    store->seen_begin = store->seen_end = 0;
    store->seen_bytes = 0;
}

void sw_store_read_end(struct sw_store *store)
{
    if (store->seen_bytes > SEEN_MAX) {
        let_go(store);
    }
    mdb_txn_reset(store->read_txn);
}

void sw_store_saw(struct sw_store *store, const void *data, size_t size)
{
    uintptr_t begin = (uintptr_t)data;
    uintptr_t end = begin + size;
    store->seen_begin = store->seen_end == 0 ? begin : SW_MIN(store->seen_begin, begin);
    store->seen_end = SW_MAX(store->seen_end, end);
    store->seen_bytes += size;
}

int sw_store_first(
    struct sw_store *store,
    MDB_txn *txn,
    unsigned number,
    uint64_t seq,
    uint64_t *ret_seq,
    MDB_val *ret_value
)
{
    MDB_cursor *cursor;
    uint64_t wanted = key_of(number, seq);
    MDB_val key = {sizeof(wanted), &wanted};
    int code = mdb_cursor_open(txn, store->dbi, &cursor);
    if (code != MDB_SUCCESS) {
        return code;
    }
    code = mdb_cursor_get(cursor, &key, ret_value, MDB_SET_RANGE);
    if (code == MDB_SUCCESS) {
        uint64_t found;
        memcpy(&found, key.mv_data, sizeof(found));
        if (found >> SEQ_BITS == number) {
            *ret_seq = found & ((UINT64_C(1) << SEQ_BITS) - 1);
        } else {
            code = MDB_NOTFOUND;
        }
    }
    mdb_cursor_close(cursor);
    return code;
}

/* ---- what cannot be read ---- */

// Kept for people: it is in no form that a program could rely on.
static void put_aside(struct sw_store *store, const MDB_val *value)
{
    char path[JOURNAL_PATH_MAX];
    struct stat stat;
    snprintf(path, sizeof(path), "%s.bad", store->stem);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) {
        return;
    }
    if (fstat(fd, &stat) == 0 && (uint64_t)stat.st_size + value->mv_size <= BAD_MAX) {
        (void)!write(fd, value->mv_data, value->mv_size);
    }
    close(fd);
}

/* A damaged record goes for good: it is deleted when the next transaction runs, with a job of our own. */
static void drop_damaged(struct sw_store_queue *queue, uint64_t seq)
{
    struct sw_store_job *job = sw_zalloc(sizeof(*job));
    if (job != NULL) { // else it is met again after the next start
        job->queue = queue;
        job->op = SW_STORE_RELEASE;
        job->seq = seq;
        sw_job_append(&queue->store->writes, job);
    }
}

/* ---- jobs ---- */

// To the end of its last page where a value has pages of its own: a record says itself how long it is.
static struct sw_bytes bytes_of(const MDB_val *value)
{
    struct sw_bytes bytes = {value->mv_data, value->mv_size};
    if ((uintptr_t)value->mv_data % PAGE == PAGE_HEAD) {
        bytes.size = (bytes.size + PAGE_HEAD + PAGE - 1) / PAGE * PAGE - PAGE_HEAD;
    }
    return bytes;
}

// Its sum says that it is what was written; a key or a length that say something else are what was changed.
static bool
readable(const struct sw_store_queue *queue, const MDB_val *value, struct sw_record *ret_record)
{
    struct sw_bytes exporter = {(const uint8_t *)queue->exporter, strlen(queue->exporter)};
    return sw_record_read(bytes_of(value), ret_record) > 0 && ret_record->signal == queue->signal
           && sw_bytes_equal(ret_record->exporter, exporter);
}

// Ranges of one piece of memory, in its copy.
static struct sw_bytes moved(struct sw_bytes range, const void *from, const uint8_t *to)
{
    return (struct sw_bytes){to + (range.data - (const uint8_t *)from), range.size};
}

static int hand_out(
    struct sw_store *store,
    struct sw_store_job *job,
    const MDB_val *value,
    const struct sw_record *record
)
{
    const uint8_t *from = value->mv_data;
    const struct sw_bytes *last = &record->request;
    uint32_t size = (uint32_t)(last->data + last->size - from);
    job->buf = sw_buf_copy(store->journal->conf.account, from, size);
    if (job->buf == NULL) {
        return SW_E_NOMEM;
    }
    const uint8_t *to = job->buf->data;
    job->record = *record;
    job->record.exporter = moved(record->exporter, from, to);
    job->record.client = moved(record->client, from, to);
    job->record.request = moved(record->request, from, to);
    return SW_OK;
}

static int nothing_there(struct sw_store_job *job)
{
    struct sw_store_ear *ear = job->queue->ears[job->message.from];
    if (ear != NULL) {
        ear->hungry = true;
        job->wakes_count = ear->sent_count;
    }
    return SW_E_AGAIN;
}

static int read_next(struct sw_store *store, struct sw_store_job *job)
{
    struct sw_store_queue *queue = job->queue;
    job->damaged_count = 0;
    job->buf = NULL;
    for (;;) {
        struct sw_record record;
        MDB_val value;
        uint64_t seq;
        int code = queue->number == 0
                       ? MDB_NOTFOUND
                       : sw_store_first(
                           store, store->read_txn, queue->number, queue->read_seq + 1, &seq, &value
                       );
        if (code == MDB_NOTFOUND) {
            return nothing_there(job);
        }
        if (code != MDB_SUCCESS) {
            return sw_store_error(code);
        }
        sw_store_saw(store, value.mv_data, value.mv_size);
        if (readable(queue, &value, &record)) {
            int err = hand_out(store, job, &value, &record);
            job->seq = seq;
            queue->read_seq = err == SW_OK ? seq : queue->read_seq;
            return err;
        }
        put_aside(store, &value);
        drop_damaged(queue, seq);
        queue->read_seq = seq;
        job->damaged_count++;
    }
}

unsigned sw_store_read(struct sw_store *store)
{
    unsigned count = 0;
    struct sw_store_job *job;
    if (store->reads.first == NULL) {
        return 0;
    }
    bool works = !store->failed || sw_store_reopen(store) == SW_OK;
    int code = works ? sw_store_read_begin(store) : MDB_PANIC;
    while ((job = sw_job_take(&store->reads)) != NULL) {
        job->err = code == MDB_SUCCESS ? read_next(store, job) : sw_store_error(code);
        count += job->err == SW_OK;
        sw_mailbox_return(store->journal->mailbox, &job->message);
    }
    if (code == MDB_SUCCESS) {
        sw_store_read_end(store);
    }
    if (count > 0) {
        sw_store_mark(store);
    }
    return count;
}
