/* What a child does with a file that the checker passed: reads, fills and empties it with the library. */
#ifndef TESTS_PAGE_USE_H
#define TESTS_PAGE_USE_H

#include <signal.h>

#include "page_files.h"

#define CHILD_SECONDS 5

enum child_result { CHILD_FINE, CHILD_ERROR, CHILD_INSANE, CHILD_UNSOUND };

static inline void require_in_child(bool condition, enum child_result result)
{
    if (!condition) {
        _exit((int)result);
    }
}

static inline uint64_t read_all(struct store *store, bool backwards)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    uint64_t count = 0;
    uint64_t last = 0;
    volatile unsigned sum = 0;
    require_in_child(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn) == 0, CHILD_ERROR);
    require_in_child(mdb_cursor_open(txn, 1, &cursor) == 0, CHILD_ERROR);
    int err;
    while ((err = mdb_cursor_get(cursor, &key, &value, backwards ? MDB_PREV : MDB_NEXT)) == 0) {
        uint64_t number;
        MDB_val again;
        require_in_child(key.mv_size == sizeof(number), CHILD_INSANE);
        memcpy(&number, key.mv_data, sizeof(number));
        require_in_child(count == 0 || (backwards ? number < last : number > last), CHILD_INSANE);
        require_in_child(mdb_get(txn, 1, &key, &again) == 0, CHILD_ERROR);
        require_in_child(again.mv_data == value.mv_data, CHILD_INSANE);
        for (size_t i = 0; i < value.mv_size; i++) {
            sum += ((const uint8_t *)value.mv_data)[i];
        }
        last = number;
        count++;
    }
    (void)sum;
    require_in_child(err == MDB_NOTFOUND, CHILD_ERROR);
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    return count;
}

static inline void fill_some(struct store *store, uint64_t seed)
{
    struct sw_rand rand;
    sw_rand_init(&rand, seed);
    for (unsigned i = 0; i < 3; i++) {
        require_in_child(any_round(store, &rand, 14, 70, 400, i == 1) == 0, CHILD_ERROR);
    }
}

/* From the front, as records are released, in two transactions. */
static inline void empty(struct store *store)
{
    uint64_t count = read_all(store, false);
    while (count > 0) {
        MDB_txn *txn;
        MDB_cursor *cursor;
        MDB_val key;
        MDB_val value;
        require_in_child(store_begin(store, &txn) == 0, CHILD_ERROR);
        require_in_child(mdb_cursor_open(txn, store->dbi, &cursor) == 0, CHILD_ERROR);
        for (uint64_t i = (count + 1) / 2; i > 0; i--) {
            require_in_child(mdb_cursor_get(cursor, &key, &value, MDB_FIRST) == 0, CHILD_ERROR);
            require_in_child(mdb_cursor_del(cursor, 0) == 0, CHILD_ERROR);
            count--;
        }
        mdb_cursor_close(cursor);
        require_in_child(mdb_txn_commit(txn) == 0, CHILD_ERROR);
    }
    require_in_child(read_all(store, false) == 0, CHILD_INSANE);
}

static inline void require_sound_in_child(const struct store *store)
{
    struct image image = image_of(store);
    struct sw_page_report report;
    int err = sw_page_check((struct sw_bytes){image.data, image.size}, &report);
    if (err != SW_OK) {
        fprintf(stderr, "left: page %llu: %s\n", (unsigned long long)report.page, report.why);
    }
    require_in_child(err == SW_OK, CHILD_UNSOUND);
    sw_free(image.data);
}

static inline void use_file(const char *path, uint64_t records)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    struct store store;
    alarm(CHILD_SECONDS);
    for (unsigned i = 0; i < SW_ARRAY_SIZE(fatal); i++) {
        signal(fatal[i], SIG_DFL); // cmocka has its own
    }
    snprintf(store.path, sizeof(store.path), "%s", path);
    require_in_child(store_open_at(&store) == 0, CHILD_ERROR);
    require_in_child(read_all(&store, false) == records, CHILD_INSANE);
    require_in_child(read_all(&store, true) == records, CHILD_INSANE);
    fill_some(&store, records);
    empty(&store);
    fill_some(&store, records + 1);
    mdb_env_close(store.env);
    require_in_child(store_open_at(&store) == 0, CHILD_ERROR);
    read_all(&store, false);
    require_sound_in_child(&store);
    mdb_env_close(store.env);
    _exit(CHILD_FINE);
}

#endif
