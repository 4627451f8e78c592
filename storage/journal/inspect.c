#include "storage/journal/inspect.h"

#include "dataplane/base/crc32c.h"
#include "dataplane/base/mem.h"
#include "storage/journal/journal_internal.h"
#include "storage/journal/page_check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "spanweir_"
#define SUFFIX ".mdb"

struct sw_inspect {
    struct sw_store store; // as far as those who read need it
    struct sw_journal journal;
    bool marks;
};

static int fail(char *error, size_t error_size, int err, const char *path, const char *why)
{
    snprintf(error, error_size, "%s: %s", path, why);
    return err;
}

bool sw_inspect_id(const char *name, char *ret_id, size_t size)
{
    size_t length = strlen(name);
    size_t at = 0;
    if (length <= strlen(PREFIX) + strlen(SUFFIX) || strncmp(name, PREFIX, strlen(PREFIX)) != 0
        || strcmp(name + length - strlen(SUFFIX), SUFFIX) != 0) {
        return false;
    }
    const char *end = name + length - strlen(SUFFIX);
    for (const char *from = name + strlen(PREFIX); from < end && at + 1 < size; at++) {
        char digits[5] = "";
        if (*from == '~' && end - from >= 5) {
            memcpy(digits, from + 1, 4);
            ret_id[at] = (char)strtoul(digits, NULL, 16);
            from += 5;
        } else {
            ret_id[at] = *from++;
        }
    }
    ret_id[at] = '\0';
    return true;
}

/* ---- opening ---- */

static int take_lock(struct sw_inspect *inspect, char *error, size_t error_size)
{
    char path[JOURNAL_PATH_MAX];
    snprintf(path, sizeof(path), "%s.lock", inspect->store.stem);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return SW_OK; // nobody has ever used it
    }
    inspect->store.lock_fd = fd;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        return fail(
            error, error_size, SW_E_REFUSED, path, "a running process holds it; stop that first"
        );
    }
    return SW_OK;
}

static int map_file(const char *path, struct sw_bytes *ret_file)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *ret_file = (struct sw_bytes){NULL, 0};
    if (fd < 0) {
        return SW_E_STORAGE;
    }
    int err = fstat(fd, &info) == 0 ? SW_OK : SW_E_STORAGE;
    if (err == SW_OK && info.st_size > 0) {
        void *data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        err = data != MAP_FAILED ? SW_OK : SW_E_STORAGE;
        if (err == SW_OK) {
            *ret_file = (struct sw_bytes){data, (size_t)info.st_size};
        }
    }
    int saved = errno;
    close(fd);
    errno = saved;
    return err;
}

static void unmap_file(struct sw_bytes file)
{
    if (file.size > 0) {
        munmap((void *)file.data, file.size);
    }
}

static int check_pages(const char *path, char *error, size_t error_size)
{
    struct sw_bytes file;
    struct sw_page_report report;
    char why[256];
    int err = map_file(path, &file);
    if (err != SW_OK) {
        return fail(error, error_size, err, path, strerror(errno));
    }
    err = file.size > 0 ? sw_page_check(file, &report) : SW_OK;
    if (err == SW_E_MALFORMED) {
        snprintf(why, sizeof(why), "page %llu: %s", (unsigned long long)report.page, report.why);
        fail(error, error_size, err, path, why);
    }
    unmap_file(file);
    return err;
}

static int open_env(struct sw_inspect *inspect, const char *path)
{
    struct sw_store *store = &inspect->store;
    int code = mdb_env_create(&store->env);
    if (code == MDB_SUCCESS) {
        code = mdb_env_open(
            store->env, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS | MDB_RDONLY, 0600
        );
    }
    if (code == MDB_SUCCESS) {
        code = sw_store_read_begin(store);
    }
    if (code == MDB_SUCCESS) {
        code = mdb_dbi_open(store->read_txn, NULL, MDB_INTEGERKEY, &store->dbi);
    }
    return code;
}

static void read_marks(struct sw_inspect *inspect)
{
    char path[JOURNAL_PATH_MAX];
    snprintf(path, sizeof(path), "%s.heads", inspect->store.stem);
    inspect->marks = access(path, R_OK) == 0 && sw_heads_read(&inspect->store.heads, path) == SW_OK;
}

int sw_inspect_open(
    const char *path,
    struct sw_inspect **ret_inspect,
    char *error,
    size_t error_size
)
{
    struct sw_inspect *inspect = sw_zalloc(sizeof(*inspect));
    if (inspect == NULL) {
        return SW_E_NOMEM;
    }
    struct sw_store *store = &inspect->store;
    store->journal = &inspect->journal;
    store->lock_fd = store->heads.fd = -1;
    LIST_INIT(&store->queues);
    size_t length = strlen(path);
    store->stem = sw_strndup(path, length - SW_MIN(length, strlen(SUFFIX)));
    int err = store->stem != NULL ? take_lock(inspect, error, error_size) : SW_E_NOMEM;
    if (err == SW_OK) {
        err = check_pages(path, error, error_size);
    }
    if (err == SW_OK) {
        int code = open_env(inspect, path);
        if (code != MDB_SUCCESS) {
            err = fail(error, error_size, SW_E_STORAGE, path, mdb_strerror(code));
        }
    }
    uint32_t format = err == SW_OK ? sw_store_newer_format(store, store->read_txn) : 0;
    if (format > 0) {
        err =
            fail(error, error_size, SW_E_UNSUPPORTED, path, "a newer version of spanweir wrote it");
    }
    if (err != SW_OK) {
        sw_inspect_close(inspect);
        return err;
    }
    read_marks(inspect);
    *ret_inspect = inspect;
    return SW_OK;
}

void sw_inspect_close(struct sw_inspect *inspect)
{
    if (inspect == NULL) {
        return;
    }
    struct sw_store *store = &inspect->store;
    sw_store_close(store);
    sw_free(store->stem);
    sw_free(inspect);
}

/* ---- looking ---- */

static uint64_t count_under_way(struct sw_inspect *inspect, const struct sw_inspect_queue *queue)
{
    const struct sw_head *head = &inspect->store.heads.queues[queue->number];
    uint64_t count = 0;
    uint64_t seq = 0;
    MDB_val value;
    bool ours = inspect->marks && head->valid
                && head->id_sum == sw_heads_id_sum(queue->exporter, queue->signal);
    while (ours
           && sw_store_first(
                  &inspect->store, inspect->store.read_txn, queue->number, seq, &seq, &value
              ) == MDB_SUCCESS
           && seq <= head->dispatched) {
        count++;
        seq++;
    }
    return count;
}

// Counted anew: exactly what is there, whatever the row says.
static void count(struct sw_inspect *inspect, struct sw_inspect_queue *queue)
{
    uint64_t seq = 0;
    MDB_val value;
    while (
        sw_store_first(&inspect->store, inspect->store.read_txn, queue->number, seq, &seq, &value)
        == MDB_SUCCESS
    ) {
        struct sw_record_measure measure;
        struct sw_record record;
        struct sw_bytes bytes = {value.mv_data, value.mv_size};
        sw_record_measure(bytes, &measure);
        if (queue->requests == 0 && sw_record_read(bytes, &record) > 0) {
            queue->oldest_wall_ns = record.accepted_wall_ns;
        }
        queue->requests++;
        queue->items += measure.items_count;
        queue->bytes += measure.request_bytes;
        seq++;
    }
}

bool sw_inspect_queue(
    struct sw_inspect *inspect,
    unsigned *number,
    struct sw_inspect_queue *ret_queue
)
{
    struct sw_store *store = &inspect->store;
    while (++*number <= SW_STORE_QUEUES_MAX) {
        struct row row;
        struct sw_bytes exporter;
        if (sw_store_row(store, store->read_txn, *number, &row, &exporter) != MDB_SUCCESS) {
            continue;
        }
        *ret_queue = (struct sw_inspect_queue){
            .number = *number,
            .signal = (enum sw_signal)row.signal,
        };
        size_t size = SW_MIN(exporter.size, (size_t)SW_RECORD_ID_MAX);
        memcpy(ret_queue->exporter, exporter.data, size);
        count(inspect, ret_queue);
        ret_queue->under_way = count_under_way(inspect, ret_queue);
        return true;
    }
    return false;
}

int sw_inspect_next(
    struct sw_inspect *inspect,
    unsigned number,
    uint64_t *seq,
    struct sw_record *ret_record
)
{
    MDB_val value;
    uint64_t found;
    int code =
        sw_store_first(&inspect->store, inspect->store.read_txn, number, *seq, &found, &value);
    if (code != MDB_SUCCESS) {
        return SW_E_NOT_FOUND;
    }
    *seq = found + 1;
    struct sw_bytes bytes = {value.mv_data, value.mv_size};
    return sw_record_read(bytes, ret_record) == bytes.size ? SW_OK : SW_E_MALFORMED;
}

int sw_inspect_salvageable(const char *path, uint64_t *ret_records)
{
    struct sw_bytes file;
    struct sw_record record;
    size_t at = 0;
    int err = map_file(path, &file);
    *ret_records = 0;
    while (err == SW_OK && sw_record_find(file, &at, &record)) {
        ++*ret_records;
    }
    if (err == SW_OK) {
        unmap_file(file);
    }
    return err;
}
