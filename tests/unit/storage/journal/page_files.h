/* Files as the library writes them, in memory: an environment of the store's form and what fills it. */
#ifndef TESTS_PAGE_FILES_H
#define TESTS_PAGE_FILES_H

#include "dataplane/base/assert.h"
#include "dataplane/base/mem.h"
#include "dataplane/base/rand.h"
#include "storage/journal/page_check.h"

#include <lmdb.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MAP_BYTES   (64u << 20)
#define VALUE_MAX   (40u * 1024)
#define SPARE_PAGES 3

struct store {
    char path[64];
    MDB_env *env;
    MDB_dbi dbi;
};

/** A copy of a file, with some room behind it as in a file that has its size from the start. */
struct image {
    uint8_t *data;
    size_t size;
};

static inline int store_begin(struct store *store, MDB_txn **ret_txn)
{
    int err = mdb_txn_begin(store->env, NULL, 0, ret_txn);
    if (err != 0) {
        return err;
    }
    err = mdb_dbi_open(*ret_txn, NULL, MDB_CREATE | MDB_INTEGERKEY, &store->dbi);
    if (err != 0) {
        mdb_txn_abort(*ret_txn);
    }
    return err;
}

static inline int store_open_at(struct store *store)
{
    unsigned flags = MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS | MDB_NOSYNC;
    int err = mdb_env_create(&store->env);
    err = err != 0 ? err : mdb_env_set_mapsize(store->env, MAP_BYTES);
    err = err != 0 ? err : mdb_env_open(store->env, store->path, flags, 0600);
    MDB_txn *txn;
    err = err != 0 ? err : store_begin(store, &txn);
    if (err == 0) {
        // The library knows how keys compare from then on; nothing was written.
        mdb_txn_abort(txn);
    }
    return err;
}

static inline int store_put(struct store *store, MDB_txn *txn, uint64_t key, size_t size)
{
    MDB_val k = {sizeof(key), &key};
    MDB_val v = {size, NULL};
    int err = mdb_put(txn, store->dbi, &k, &v, MDB_RESERVE);
    for (size_t i = 0; err == 0 && i < size; i += 8) {
        memset((uint8_t *)v.mv_data + i, (int)(key + i), SW_MIN(size - i, 8));
    }
    return err;
}

static inline int store_del(struct store *store, MDB_txn *txn, uint64_t key)
{
    MDB_val k = {sizeof(key), &key};
    int err = mdb_del(txn, store->dbi, &k, NULL);
    return err == MDB_NOTFOUND ? 0 : err;
}

static inline void store_open(struct store *store)
{
    snprintf(store->path, sizeof(store->path), "/tmp/sw-pages-XXXXXX");
    int fd = mkstemp(store->path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(store_open_at(store), 0);
}

static inline void store_close(struct store *store)
{
    mdb_env_close(store->env);
    unlink(store->path);
}

static inline struct image image_of(const struct store *store)
{
    struct stat st;
    int fd = open(store->path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    // Pages that were given and freed within one transaction are not written: the file may lack its last.
    MDB_envinfo info;
    mdb_env_info(store->env, &info);
    size_t pages = SW_MAX((size_t)st.st_size / SW_PAGE_BYTES, info.me_last_pgno + 1) + SPARE_PAGES;
    struct image image = {sw_zalloc(pages * SW_PAGE_BYTES), pages * SW_PAGE_BYTES};
    assert_non_null(image.data);
    assert_int_equal(read(fd, image.data, (size_t)st.st_size), st.st_size);
    close(fd);
    return image;
}

/** Small values, some about the size from which they get pages of their own, and large ones. */
static inline size_t any_size(struct sw_rand *rand)
{
    switch (sw_rand_below(rand, 4)) {
    case 0:
        return sw_rand_below(rand, 200);
    case 1:
        return 1900 + sw_rand_below(rand, 250);
    case 2:
        return 4050 + sw_rand_below(rand, 60);
    default:
        return sw_rand_below(rand, VALUE_MAX);
    }
}

/** One transaction of puts and deletes; growth of 0 to 100 is the share of puts. */
static inline int any_round(
    struct store *store,
    struct sw_rand *rand,
    unsigned steps,
    unsigned growth,
    uint64_t keys,
    bool small
)
{
    MDB_txn *txn;
    int err = store_begin(store, &txn);
    if (err != 0) {
        return err;
    }
    for (unsigned i = 0; err == 0 && i < steps; i++) {
        uint64_t key = sw_rand_below(rand, keys);
        if (sw_rand_below(rand, 100) < growth) {
            err = store_put(store, txn, key, small ? sw_rand_below(rand, 300) : any_size(rand));
        } else {
            err = store_del(store, txn, key);
        }
    }
    if (err != 0 || sw_rand_below(rand, 8) == 0) {
        mdb_txn_abort(txn);
        return err;
    }
    return mdb_txn_commit(txn);
}

#endif
