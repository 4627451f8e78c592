/* From whatever lies in the directory to an open store. */
#include "dataplane/base/clock.h"
#include "dataplane/base/crc32c.h"
#include "dataplane/base/mem.h"
#include "storage/journal/journal_internal.h"
#include "storage/journal/page_check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAP_UNLIMITED (UINT64_C(1) << 40) /* addresses, not memory */
#define MAP_LEAST     (UINT64_C(1) << 30)
#define LOCK_WAIT_NS  (20 * SW_NS_PER_MS)
#define PAGE          UINT64_C(4096)

struct header {
    uint32_t crc; // of what follows
    char magic[8];
    uint32_t format;
};

static const char header_magic[8] = {'s', 'p', 'a', 'n', 'w', 'e', 'i', 'r'};

struct opening {
    struct sw_store *store;
    char *error;
    size_t error_size;
    char data_path[JOURNAL_PATH_MAX];
    bool *damaged; // set when what the tree holds makes no sense
};

__attribute__((format(printf, 2, 3))) static int
fail(const struct opening *opening, const char *format, ...)
{
    va_list args;
    int len =
        snprintf(opening->error, opening->error_size, "extension %s: ", opening->store->conf.id);
    va_start(args, format);
    vsnprintf(opening->error + len, opening->error_size - (size_t)len, format, args);
    va_end(args);
    return SW_E_STORAGE;
}

/* ---- names ---- */

// As the Collector's extension names its files: what a file name does not take becomes ~XXXX.
static char *stem_of(const struct sw_store_conf *conf)
{
    size_t size = strlen(conf->directory) + sizeof("/spanweir_") + 5 * strlen(conf->id);
    char *stem = sw_alloc(size);
    if (stem == NULL) {
        return NULL;
    }
    char *at = stem + snprintf(stem, size, "%s/spanweir_", conf->directory);
    for (const char *id = conf->id; *id != '\0'; id++) {
        bool plain = (*id >= 'a' && *id <= 'z') || (*id >= 'A' && *id <= 'Z')
                     || (*id >= '0' && *id <= '9') || *id == '_' || *id == '-' || *id == '.';
        at += snprintf(at, 6, plain ? "%c" : "~%04X", (unsigned char)*id);
    }
    return stem;
}

static void path_of(const struct sw_store *store, const char *suffix, char *ret_path)
{
    snprintf(ret_path, JOURNAL_PATH_MAX, "%s.%s", store->stem, suffix);
}

/* ---- directory and lock ---- */

static int make_directory(const struct opening *opening, const char *path, unsigned mode)
{
    char part[JOURNAL_PATH_MAX];
    snprintf(part, sizeof(part), "%s", path);
    for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, mode) != 0 && errno != EEXIST) {
            return fail(opening, "cannot create directory %s: %s", part, strerror(errno));
        }
        *slash = '/';
    }
    if (mkdir(part, mode) != 0 && errno != EEXIST) {
        return fail(opening, "cannot create directory %s: %s", part, strerror(errno));
    }
    return SW_OK;
}

static int find_directory(const struct opening *opening)
{
    const struct sw_store_conf *conf = &opening->store->conf;
    struct stat stat_;
    if (stat(conf->directory, &stat_) == 0) {
        return S_ISDIR(stat_.st_mode) ? SW_OK
                                      : fail(opening, "%s is not a directory", conf->directory);
    }
    if (conf->create_directory) {
        return make_directory(opening, conf->directory, conf->directory_mode);
    }
    return fail(
        opening,
        "directory must exist: stat %s: %s. "
        "You can enable the create_directory option to automatically create it",
        conf->directory,
        strerror(errno)
    );
}

// The system lets go of it with the process, however that ends: a lock is never stale.
static int take_lock(const struct opening *opening)
{
    struct sw_store *store = opening->store;
    char path[JOURNAL_PATH_MAX];
    path_of(store, "lock", path);
    store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (store->lock_fd < 0) {
        return fail(opening, "open %s: %s", path, strerror(errno));
    }
    uint64_t until_ns = sw_clock_ns() + store->conf.timeout_ns;
    while (flock(store->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return fail(opening, "lock %s: %s", path, strerror(errno));
        }
        if (sw_clock_ns() >= until_ns) {
            return fail(
                opening,
                "timeout: %s is held by another process, which uses the same directory",
                path
            );
        }
        nanosleep(&(struct timespec){.tv_nsec = LOCK_WAIT_NS}, NULL);
    }
    return SW_OK;
}

/* ---- the library's environment ---- */

static int open_env(struct sw_store *store, const char *path)
{
    unsigned flags = MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS | (store->conf.fsync ? 0 : MDB_NOSYNC);
    uint64_t size = store->limit_bytes - RESERVE_BYTES;
    int code;
    for (;;) {
        code = mdb_env_create(&store->env);
        if (code != MDB_SUCCESS) {
            return code;
        }
        code = mdb_env_set_mapsize(store->env, size);
        if (code == MDB_SUCCESS) {
            code = mdb_env_open(store->env, path, flags, 0600);
        }
        if (code == MDB_SUCCESS) {
            return code;
        }
        mdb_env_close(store->env);
        store->env = NULL;
        // Addresses may be limited (ulimit -v): a store without a limit takes what there is.
        if (code != ENOMEM || store->conf.max_bytes > 0 || size <= MAP_LEAST) {
            return code;
        }
        size /= 2;
    }
}

static int open_tree(struct sw_store *store)
{
    MDB_txn *txn;
    int code = mdb_txn_begin(store->env, NULL, 0, &txn);
    if (code != MDB_SUCCESS) {
        return code;
    }
    code = mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &store->dbi);
    if (code != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return code;
    }
    return mdb_txn_commit(txn);
}

static int open_data(const struct opening *opening)
{
    struct sw_store *store = opening->store;
    struct stat stat_;
    int code = open_env(store, opening->data_path);
    if (code == MDB_SUCCESS) {
        code = open_tree(store);
    }
    if (code != MDB_SUCCESS) {
        return fail(opening, "open %s: %s", opening->data_path, mdb_strerror(code));
    }
    if (mdb_env_get_fd(store->env, &store->data_fd) != MDB_SUCCESS
        || fstat(store->data_fd, &stat_) != 0) {
        return fail(opening, "stat %s: %s", opening->data_path, strerror(errno));
    }
    store->allocated_bytes = (uint64_t)stat_.st_size;
    (void)sw_store_allocate(store, 0); // a full disk: what is there can go all the same
    return SW_OK;
}

static void close_data(struct sw_store *store)
{
    if (store->read_txn != NULL) {
        mdb_txn_abort(store->read_txn);
        store->read_txn = NULL;
    }
    if (store->env != NULL) {
        mdb_env_close(store->env);
        store->env = NULL;
    }
    sw_store_map_moved(store);
}

int sw_store_reopen(struct sw_store *store)
{
    char error[512];
    struct opening opening = {.store = store, .error = error, .error_size = sizeof(error)};
    path_of(store, "mdb", opening.data_path);
    close_data(store);
    int err = open_data(&opening);
    if (err == SW_OK) {
        store->failed = false;
    } else {
        close_data(store);
    }
    return err;
}

/* ---- rows ---- */

static struct sw_store_queue *queue_numbered(struct sw_store *store, unsigned number)
{
    struct sw_store_queue *queue;
    LIST_FOREACH(queue, &store->queues, link)
    {
        if (queue->number == number) {
            return queue;
        }
    }
    return NULL;
}

struct sw_store_queue *
sw_store_find_queue(struct sw_store *store, struct sw_bytes exporter, enum sw_signal signal)
{
    struct sw_store_queue *queue;
    LIST_FOREACH(queue, &store->queues, link)
    {
        if (queue->signal == signal && strlen(queue->exporter) == exporter.size
            && memcmp(queue->exporter, exporter.data, exporter.size) == 0) {
            return queue;
        }
    }
    return NULL;
}

struct sw_store_queue *
sw_store_add_orphan(struct sw_store *store, struct sw_bytes exporter, enum sw_signal signal)
{
    struct sw_store_queue *queue = sw_zalloc(sizeof(*queue));
    if (queue != NULL) {
        queue->store = store;
        queue->signal = signal;
        queue->orphan = true;
        queue->exporter = sw_strndup((const char *)exporter.data, exporter.size);
        if (queue->exporter == NULL) {
            sw_free(queue);
            return NULL;
        }
        LIST_INSERT_HEAD(&store->queues, queue, link);
    }
    return queue;
}

// Exactly as the records are: for a queue whose row is lost.
static int recount(struct sw_store *store, MDB_txn *txn, unsigned number, struct row *ret_row)
{
    uint64_t seq = 0;
    MDB_val value;
    int code;
    *ret_row = (struct row){.next_seq = 1};
    while ((code = sw_store_first(store, txn, number, seq, &seq, &value)) == MDB_SUCCESS) {
        struct sw_record_measure measure;
        sw_record_measure((struct sw_bytes){value.mv_data, value.mv_size}, &measure);
        ret_row->requests++;
        ret_row->items += measure.items_count;
        ret_row->bytes += measure.request_bytes;
        ret_row->cost_bytes += sw_store_cost(measure.record_bytes);
        ret_row->next_seq = ++seq;
    }
    return code == MDB_NOTFOUND ? MDB_SUCCESS : code;
}

static bool row_read(const MDB_val *value, struct row *ret_row, struct sw_bytes *ret_exporter)
{
    if (value->mv_size < sizeof(*ret_row)) {
        return false;
    }
    memcpy(ret_row, value->mv_data, sizeof(*ret_row));
    const uint8_t *bytes = value->mv_data;
    *ret_exporter = (struct sw_bytes){bytes + sizeof(*ret_row), value->mv_size - sizeof(*ret_row)};
    return ret_row->id_size == ret_exporter->size && ret_row->signal < SW_SIGNALS_COUNT
           && ret_row->crc
                  == sw_crc32c(
                      0, bytes + sizeof(ret_row->crc), value->mv_size - sizeof(ret_row->crc)
                  );
}

// Whose records are these? The first one that can be read says so.
static bool ask_records(
    struct sw_store *store,
    MDB_txn *txn,
    unsigned number,
    struct row *ret_row,
    struct sw_bytes *ret_exporter
)
{
    uint64_t seq = 0;
    MDB_val value;
    while (sw_store_first(store, txn, number, seq, &seq, &value) == MDB_SUCCESS) {
        struct sw_record record;
        if (sw_record_read((struct sw_bytes){value.mv_data, value.mv_size}, &record) > 0) {
            int code = recount(store, txn, number, ret_row);
            ret_row->signal = (uint8_t)record.signal;
            *ret_exporter = record.exporter;
            return code == MDB_SUCCESS;
        }
        seq++;
    }
    return false;
}

int sw_store_row(
    struct sw_store *store,
    MDB_txn *txn,
    unsigned number,
    struct row *ret_row,
    struct sw_bytes *ret_exporter
)
{
    uint64_t wanted = number;
    MDB_val key = {sizeof(wanted), &wanted};
    MDB_val value;
    int code = mdb_get(txn, store->dbi, &key, &value);
    if (code == MDB_SUCCESS && row_read(&value, ret_row, ret_exporter)) {
        return MDB_SUCCESS;
    }
    if (code != MDB_SUCCESS && code != MDB_NOTFOUND) {
        return code;
    }
    bool known = ask_records(store, txn, number, ret_row, ret_exporter);
    return known ? MDB_SUCCESS : MDB_NOTFOUND;
}

static int
take_row(struct sw_store *store, unsigned number, const struct row *row, struct sw_bytes exporter)
{
    enum sw_signal signal = (enum sw_signal)row->signal;
    struct sw_store_queue *queue = sw_store_find_queue(store, exporter, signal);
    if (queue == NULL) {
        queue = sw_store_add_orphan(store, exporter, signal);
    }
    if (queue == NULL) {
        return ENOMEM;
    }
    if (queue->number != 0) {
        return MDB_CORRUPTED; // of two numbers one is wrong
    }
    queue->number = number;
    queue->row = queue->committed = *row;
    store->cost_bytes += row->cost_bytes;
    return MDB_SUCCESS;
}

// Keys of numbers that no queue can have.
static int check_last_key(struct sw_store *store, MDB_txn *txn)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int code = mdb_cursor_open(txn, store->dbi, &cursor);
    if (code != MDB_SUCCESS) {
        return code;
    }
    code = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
    if (code == MDB_SUCCESS) {
        uint64_t last;
        memcpy(&last, key.mv_data, sizeof(last));
        code = last >> SEQ_BITS > SW_STORE_QUEUES_MAX ? MDB_CORRUPTED : MDB_SUCCESS;
    }
    mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND ? MDB_SUCCESS : code;
}

static int read_rows(struct sw_store *store, MDB_txn *txn)
{
    int code = check_last_key(store, txn);
    for (unsigned number = 1; number <= SW_STORE_QUEUES_MAX && code == MDB_SUCCESS; number++) {
        struct row row;
        struct sw_bytes exporter;
        code = sw_store_row(store, txn, number, &row, &exporter);
        if (code == MDB_SUCCESS) {
            code = take_row(store, number, &row, exporter);
        } else if (code == MDB_NOTFOUND) {
            code = MDB_SUCCESS;
        }
    }
    return code;
}

int sw_store_number_queue(struct sw_store *store, struct sw_store_queue *queue)
{
    for (unsigned number = 1; number <= SW_STORE_QUEUES_MAX; number++) {
        if (queue_numbered(store, number) == NULL) {
            queue->number = number;
            queue->row = queue->committed = (struct row){.next_seq = 1};
            return MDB_SUCCESS;
        }
    }
    return MDB_DBS_FULL;
}

// Orphans without anything in them make room for others.
static int forget_orphan(struct sw_store *store, MDB_txn *txn, struct sw_store_queue *queue)
{
    uint64_t number = queue->number;
    MDB_val key = {sizeof(number), &number};
    LIST_REMOVE(queue, link);
    sw_free((char *)queue->exporter);
    sw_free(queue);
    int code = mdb_del(txn, store->dbi, &key, NULL);
    return code == MDB_NOTFOUND ? MDB_SUCCESS : code;
}

static int settle_rows(struct sw_store *store, MDB_txn *txn)
{
    struct sw_store_queue *queue = LIST_FIRST(&store->queues);
    int code = MDB_SUCCESS;
    while (queue != NULL && code == MDB_SUCCESS) {
        struct sw_store_queue *next = LIST_NEXT(queue, link);
        if (queue->orphan && queue->row.requests == 0) {
            code = forget_orphan(store, txn, queue);
            queue = next;
            continue;
        }
        if (queue->number == 0) {
            code = sw_store_number_queue(store, queue);
        }
        if (code == MDB_SUCCESS) {
            code = sw_store_put_row(store, txn, queue);
        }
        queue->committed = queue->row;
        queue = next;
    }
    return code;
}

/* ---- the header ---- */

static int put_header(struct sw_store *store, MDB_txn *txn)
{
    struct header header = {.format = SW_STORE_FORMAT};
    uint64_t number = 0;
    MDB_val key = {sizeof(number), &number};
    MDB_val value = {sizeof(header), &header};
    memcpy(header.magic, header_magic, sizeof(header_magic));
    header.crc = sw_crc32c(0, header.magic, sizeof(header) - sizeof(header.crc));
    return mdb_put(txn, store->dbi, &key, &value, 0);
}

/* @return 0, or the format of a newer version. A header that is missing or wrong is written anew: records say
 * their own version. */
uint32_t sw_store_newer_format(struct sw_store *store, MDB_txn *txn)
{
    struct header header;
    uint64_t number = 0;
    MDB_val key = {sizeof(number), &number};
    MDB_val value;
    if (mdb_get(txn, store->dbi, &key, &value) != MDB_SUCCESS || value.mv_size < sizeof(header)) {
        return 0;
    }
    memcpy(&header, value.mv_data, sizeof(header));
    bool sound = header.crc == sw_crc32c(0, header.magic, sizeof(header) - sizeof(header.crc))
                 && memcmp(header.magic, header_magic, sizeof(header_magic)) == 0;
    return sound && header.format > SW_STORE_FORMAT ? header.format : 0;
}

static int read_store(const struct opening *opening)
{
    struct sw_store *store = opening->store;
    MDB_txn *txn;
    int code = mdb_txn_begin(store->env, NULL, 0, &txn);
    if (code != MDB_SUCCESS) {
        return fail(opening, "read %s: %s", opening->data_path, mdb_strerror(code));
    }
    uint32_t format = sw_store_newer_format(store, txn);
    if (format > 0) {
        mdb_txn_abort(txn);
        return fail(
            opening,
            "%s was written by a newer version of spanweir (format %u, this one knows %u); "
            "drain it with that version, or name another directory",
            opening->data_path,
            format,
            SW_STORE_FORMAT
        );
    }
    code = put_header(store, txn);
    if (code == MDB_SUCCESS) {
        code = read_rows(store, txn);
    }
    if (code == MDB_SUCCESS) {
        code = settle_rows(store, txn);
    }
    if (code != MDB_SUCCESS) {
        mdb_txn_abort(txn);
    } else {
        code = mdb_txn_commit(txn);
    }
    if (opening->damaged != NULL) {
        *opening->damaged = code == MDB_CORRUPTED;
    }
    return code == MDB_SUCCESS
               ? SW_OK
               : fail(opening, "write %s: %s", opening->data_path, mdb_strerror(code));
}

/* ---- damage ---- */

static const char *
look_for_damage(const struct opening *opening, struct sw_bytes file, char *text, size_t text_size)
{
    const struct sw_heads *heads = &opening->store->heads;
    struct sw_page_report report;
    int err = sw_page_check(file, &report);
    if (err == SW_E_MALFORMED) {
        snprintf(text, text_size, "page %llu: %s", (unsigned long long)report.page, report.why);
        return text;
    }
    if (err == SW_OK && heads->valid && report.txn_id < heads->txn_id) {
        snprintf(
            text,
            text_size,
            "transaction %llu is missing, the last one in the file is %llu",
            (unsigned long long)heads->txn_id,
            (unsigned long long)report.txn_id
        );
        return text;
    }
    // The first transaction makes the tree, the second puts its first record. Each one after them changes the root,
    // and so frees the page of the old one: what tells of a later transaction than its tree of free pages is an older
    // meta page with a wrong number.
    if (err == SW_OK && report.txn_id > 2 && report.freed_by != report.txn_id) {
        snprintf(
            text,
            text_size,
            "the meta page of transaction %llu has the trees of transaction %llu",
            (unsigned long long)report.txn_id,
            (unsigned long long)report.freed_by
        );
        return text;
    }
    return NULL;
}

static int put_damaged_aside(const struct opening *opening, char *ret_path)
{
    char stamp[64];
    struct tm tm;
    uint64_t wall_ns = sw_clock_wall_ns();
    time_t seconds = (time_t)(wall_ns / SW_NS_PER_S);
    gmtime_r(&seconds, &tm);
    strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
    unsigned millis = (unsigned)(wall_ns / SW_NS_PER_MS % 1000);
    int len = snprintf(
        ret_path, JOURNAL_PATH_MAX, "%s.%s.%03u.backup", opening->data_path, stamp, millis
    );
    if (len >= JOURNAL_PATH_MAX || rename(opening->data_path, ret_path) != 0) {
        return fail(opening, "rename %s: %s", opening->data_path, strerror(errno));
    }
    return SW_OK;
}

static void
tell_text(const struct sw_store *store, const char *message, const char *key, const char *text)
{
    const struct sw_store_news news = {
        .warning = true,
        .message = message,
        .text_key = key,
        .text = text,
    };
    sw_journal_tell(store, &news);
}

static void tell_salvaged(const struct sw_store *store, const char *path, uint64_t found)
{
    const struct sw_store_news news = {
        .warning = true,
        .message =
            "Requests were found in the damaged file and are sent; some may have been before",
        .text_key = "file",
        .text = path,
        .count_key = "requests",
        .count = (int64_t)found,
    };
    sw_journal_tell(store, &news);
}

static int start_anew(const struct opening *opening, struct sw_bytes damaged, const char *why)
{
    struct sw_store *store = opening->store;
    char backup[JOURNAL_PATH_MAX];
    uint64_t found = 0;
    int err = put_damaged_aside(opening, backup);
    if (err != SW_OK) {
        return err;
    }
    tell_text(store, "The file of the queues is damaged and is put aside", "error", why);
    tell_text(store, "Looking for requests in the damaged file", "file", backup);
    err = open_data(opening);
    if (err == SW_OK) {
        err = read_store(opening);
    }
    if (err == SW_OK) {
        err = sw_store_salvage(store, damaged, &found);
        tell_salvaged(store, backup, found);
        if (err != SW_OK && err != SW_E_NOMEM) {
            tell_text(store, "Not all of it found room; the rest is in the file", "file", backup);
            err = SW_OK;
        }
    }
    return err;
}

// Nothing of what was read counts.
static void forget(struct sw_store *store)
{
    struct sw_store_queue *queue;
    close_data(store);
    store->cost_bytes = 0;
    LIST_FOREACH(queue, &store->queues, link)
    {
        queue->number = 0;
        queue->row = queue->committed = (struct row){0};
    }
}

static int open_sound(const struct opening *opening, struct sw_bytes file)
{
    bool damaged = false;
    struct opening asking = *opening;
    asking.damaged = &damaged;
    int err = open_data(&asking);
    err = err == SW_OK ? read_store(&asking) : err;
    if (err != SW_OK && damaged) {
        forget(opening->store);
        err = start_anew(opening, file, "a key is of no queue, or of two");
    }
    return err;
}

static int open_sound_or_anew(const struct opening *opening, int fd, uint64_t size)
{
    char why[256];
    struct sw_bytes file = {NULL, size};
    if (size > 0) {
        void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED) {
            return fail(opening, "map %s: %s", opening->data_path, strerror(errno));
        }
        file.data = map;
    }
    const char *damage = size > 0 ? look_for_damage(opening, file, why, sizeof(why)) : NULL;
    int err = damage != NULL ? start_anew(opening, file, damage) : open_sound(opening, file);
    if (size > 0) {
        munmap((void *)file.data, size);
    }
    return err;
}

// The process that made the file was killed before its two meta pages were there, and before it made marks.
static bool was_never_made(const struct opening *opening, uint64_t size)
{
    return size < UINT64_C(2) * SW_PAGE_BYTES && !opening->store->heads.valid;
}

static int open_file(const struct opening *opening)
{
    struct stat stat_;
    int fd = open(opening->data_path, O_RDWR | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        int err = open_data(opening);
        return err == SW_OK ? read_store(opening) : err;
    }
    if (fd < 0 || fstat(fd, &stat_) != 0) {
        int err = fail(opening, "open %s: %s", opening->data_path, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return err;
    }
    uint64_t size = (uint64_t)stat_.st_size;
    int err;
    if (!was_never_made(opening, size)) {
        err = open_sound_or_anew(opening, fd, size);
    } else if (ftruncate(fd, 0) != 0) {
        err = fail(opening, "write %s: %s", opening->data_path, strerror(errno));
    } else {
        err = open_sound_or_anew(opening, fd, 0);
    }
    close(fd);
    return err;
}

/* ---- what was found ---- */

static uint64_t count_under_way(struct sw_store *store, const struct sw_store_queue *queue)
{
    const struct sw_head *head = &store->heads.queues[queue->number];
    uint64_t count = 0;
    uint64_t seq = 0;
    MDB_val value;
    bool ours = head->valid && head->id_sum == sw_heads_id_sum(queue->exporter, queue->signal);
    while (ours && sw_store_first(store, store->read_txn, queue->number, seq, &seq, &value) == 0
           && seq <= head->dispatched) {
        count++;
        seq++;
    }
    return count;
}

static void tell_queue(const struct sw_store_queue *queue)
{
    char name[SW_RECORD_ID_MAX + 16];
    if (queue->counts.requests == 0) {
        return;
    }
    snprintf(name, sizeof(name), "%s/%s", queue->exporter, sw_signal_name(queue->signal));
    const struct sw_store_news news = {
        .warning = queue->orphan,
        .message = queue->orphan ? "Requests of an exporter that no longer exists are kept"
                                 : "Requests were kept from before the start and are sent now",
        .text_key = "queue",
        .text = name,
        .count_key = "requests",
        .count = (int64_t)queue->counts.requests,
    };
    sw_journal_tell(queue->store, &news);
}

static void take_counts(struct sw_store *store)
{
    struct sw_store_queue *queue;
    if (sw_store_read_begin(store) != MDB_SUCCESS) {
        return;
    }
    LIST_FOREACH(queue, &store->queues, link)
    {
        queue->counts.requests = queue->row.requests;
        atomic_store_explicit(&queue->left_count, queue->row.requests, memory_order_relaxed);
        queue->counts.items = queue->row.items;
        queue->counts.bytes = queue->row.bytes;
        queue->counts.under_way = queue->counts.salvaged > 0 ? 0 : count_under_way(store, queue);
        tell_queue(queue);
    }
    sw_store_read_end(store);
    // What was read before is read again.
    for (unsigned i = 0; i <= SW_STORE_QUEUES_MAX; i++) {
        store->heads.queues[i] = (struct sw_head){.valid = false};
    }
    store->heads.queues_count = 1;
    sw_store_mark(store);
}

int sw_store_open(struct sw_store *store, char *error, size_t error_size)
{
    struct opening opening = {.store = store, .error = error, .error_size = error_size};
    char path[JOURNAL_PATH_MAX];
    uint64_t most = SW_MAX(store->conf.max_bytes, STORE_BYTES_MIN);
    store->limit_bytes = store->conf.max_bytes > 0 ? most / PAGE * PAGE : MAP_UNLIMITED;
    store->stem = stem_of(&store->conf);
    if (store->stem == NULL) {
        return SW_E_NOMEM;
    }
    if (strlen(store->stem) + 64 > JOURNAL_PATH_MAX) {
        return fail(&opening, "the directory's name is too long");
    }
    path_of(store, "mdb", opening.data_path);
    path_of(store, "heads", path);
    int err = find_directory(&opening);
    if (err == SW_OK) {
        err = take_lock(&opening);
    }
    if (err == SW_OK && sw_heads_open(&store->heads, path) != SW_OK) {
        err = fail(&opening, "open %s: %s", path, strerror(errno));
    }
    if (err == SW_OK) {
        err = open_file(&opening);
    }
    if (err == SW_OK) {
        take_counts(store);
    } else {
        sw_store_close(store);
    }
    return err;
}

void sw_store_close(struct sw_store *store)
{
    close_data(store);
    sw_heads_close(&store->heads);
    if (store->lock_fd >= 0) {
        close(store->lock_fd);
        store->lock_fd = -1;
    }
}
