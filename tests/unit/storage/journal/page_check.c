/* What the library writes is sound: whatever was put, deleted and given up, after each transaction. */
#include "page_files.h"

#define SEEDS 6

/* The library opens the tree of free pages to whoever asks for number 0. */
static uint64_t free_pages_of(MDB_txn *txn)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val list;
    uint64_t count = 0;
    assert_int_equal(mdb_cursor_open(txn, 0, &cursor), 0);
    while (mdb_cursor_get(cursor, &key, &list, MDB_NEXT) == 0) {
        uint64_t in_list;
        memcpy(&in_list, list.mv_data, sizeof(in_list));
        count += in_list;
    }
    mdb_cursor_close(cursor);
    return count;
}

/* @return the depth of the main tree */
static unsigned require_sound(struct store *store)
{
    struct image image = image_of(store);
    struct sw_page_report report;
    int err = sw_page_check((struct sw_bytes){image.data, image.size}, &report);
    if (err != SW_OK) {
        print_error("page %llu: %s\n", (unsigned long long)report.page, report.why);
    }
    assert_int_equal(err, SW_OK);
    assert_null(report.why);
    MDB_txn *txn;
    MDB_stat stat;
    MDB_envinfo info;
    assert_int_equal(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn), 0);
    assert_int_equal(mdb_stat(txn, 1, &stat), 0);
    assert_int_equal(mdb_env_info(store->env, &info), 0);
    assert_int_equal(report.records, stat.ms_entries);
    assert_int_equal(report.last_page, info.me_last_pgno);
    assert_int_equal(report.txn_id, info.me_last_txnid);
    assert_int_equal(report.free_pages, free_pages_of(txn));
    mdb_txn_abort(txn);
    sw_free(image.data);
    return stat.ms_depth;
}

static void test_what_was_never_written_is_sound(void **state)
{
    struct store store;
    store_open(&store);
    assert_int_equal(require_sound(&store), 0);
    MDB_txn *txn;
    assert_int_equal(store_begin(&store, &txn), 0);
    mdb_txn_abort(txn);
    assert_int_equal(require_sound(&store), 0);
    assert_int_equal(store_begin(&store, &txn), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    assert_int_equal(require_sound(&store), 0);
    store_close(&store);
}

static void test_every_round_of_any_kind_is_sound(void **state)
{
    static const unsigned growth[] = {90, 50, 20, 70, 0, 60};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct store store;
        struct sw_rand rand;
        sw_rand_init(&rand, seed);
        store_open(&store);
        for (unsigned round = 0; round < 90; round++) {
            unsigned steps = 1 + (unsigned)sw_rand_below(&rand, 25);
            int err = any_round(&store, &rand, steps, growth[round / 15], 300, seed % 3 == 0);
            assert_int_equal(err, 0);
            require_sound(&store);
        }
        store_close(&store);
    }
}

/* As the store does it: records at the end, released at the front, a few at a time. */
static void test_a_queue_is_sound(void **state)
{
    struct store store;
    struct sw_rand rand;
    uint64_t first = 1;
    uint64_t last = 0;
    sw_rand_init(&rand, 7);
    store_open(&store);
    for (unsigned round = 0; round < 400; round++) {
        MDB_txn *txn;
        assert_int_equal(store_begin(&store, &txn), 0);
        for (uint64_t i = sw_rand_below(&rand, 8); i > 0; i--) {
            assert_int_equal(store_put(&store, txn, ++last, any_size(&rand)), 0);
        }
        for (uint64_t i = sw_rand_below(&rand, round < 200 ? 7 : 10); i > 0 && first <= last; i--) {
            assert_int_equal(store_del(&store, txn, first++), 0);
        }
        assert_int_equal(mdb_txn_commit(txn), 0);
        require_sound(&store);
    }
    store_close(&store);
}

static void test_a_deep_tree_is_sound_until_it_is_empty(void **state)
{
    struct store store;
    MDB_txn *txn;
    store_open(&store);
    for (uint64_t key = 0; key < 1200;) {
        assert_int_equal(store_begin(&store, &txn), 0);
        for (unsigned i = 0; i < 200; i++, key++) {
            // Neither ascending nor descending.
            assert_int_equal(store_put(&store, txn, key * 7919 % 1200 << 40, 1900), 0);
        }
        assert_int_equal(mdb_txn_commit(txn), 0);
        require_sound(&store);
    }
    assert_true(require_sound(&store) >= 3);
    for (uint64_t key = 0; key < 1200;) {
        assert_int_equal(store_begin(&store, &txn), 0);
        for (unsigned i = 0; i < 60; i++, key++) {
            assert_int_equal(store_del(&store, txn, key * 7907 % 1200 << 40), 0);
        }
        assert_int_equal(mdb_txn_commit(txn), 0);
        require_sound(&store);
    }
    assert_int_equal(require_sound(&store), 0);
    store_close(&store);
}

/* A value that is replaced by a smaller one before the commit keeps its pages. */
static void test_a_value_on_too_many_pages_is_sound(void **state)
{
    struct store store;
    MDB_txn *txn;
    store_open(&store);
    assert_int_equal(store_begin(&store, &txn), 0);
    assert_int_equal(store_put(&store, txn, 1, 30000), 0);
    assert_int_equal(store_put(&store, txn, 1, 10), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    require_sound(&store);
    store_close(&store);
}

/* Each transaction leaves its list of free pages, and none needs them: their tree gets branches, and loses
 * them when one large value takes it all. */
static void test_many_lists_of_free_pages_are_sound(void **state)
{
    struct store store;
    MDB_txn *txn;
    MDB_stat stat;
    uint64_t key = 0;
    store_open(&store);
    assert_int_equal(store_begin(&store, &txn), 0);
    for (; key < 6000; key++) {
        assert_int_equal(store_put(&store, txn, key, 1800), 0);
    }
    assert_int_equal(mdb_txn_commit(txn), 0);
    for (key = 0; key < 5600;) {
        assert_int_equal(store_begin(&store, &txn), 0);
        for (unsigned i = 0; i < 14; i++) {
            assert_int_equal(store_del(&store, txn, key++), 0);
        }
        assert_int_equal(mdb_stat(txn, 0, &stat), 0);
        assert_int_equal(mdb_txn_commit(txn), 0);
        if (key % 280 == 0) {
            require_sound(&store);
        }
    }
    assert_true(stat.ms_depth >= 2);
    for (unsigned i = 0; i < 30; i++) {
        assert_int_equal(store_begin(&store, &txn), 0);
        assert_int_equal(store_put(&store, txn, key++, i == 0 ? 6000 * 1024 : VALUE_MAX), 0);
        assert_int_equal(mdb_txn_commit(txn), 0);
        require_sound(&store);
    }
    store_close(&store);
}

/* The library writes a meta page from the size of its map on, the transaction last. Killed within, it leaves a page
 * that tells of the old transaction and of new trees; it uses the other one then. */
static void require_sound_wherever_cut(struct image before, struct image after, uint64_t txn_id)
{
    size_t page = txn_id % 2 * SW_PAGE_BYTES;
    size_t end = page + 16 + 136;
    for (size_t cut = page + 16 + 16; cut <= end; cut += 8) {
        struct image torn = {sw_zalloc(after.size), after.size};
        assert_non_null(torn.data);
        memcpy(torn.data, after.data, after.size);
        memcpy(torn.data + cut, before.data + cut, end - cut);
        struct sw_page_report report;
        int err = sw_page_check((struct sw_bytes){torn.data, torn.size}, &report);
        if (err != SW_OK) {
            print_error(
                "transaction %u, cut at %u: %s\n",
                (unsigned)txn_id,
                (unsigned)(cut - page),
                report.why
            );
        }
        assert_int_equal(err, SW_OK);
        assert_int_equal(report.txn_id, cut < end ? txn_id - 1 : txn_id);
        sw_free(torn.data);
    }
}

static void test_a_meta_page_written_in_part_is_not_the_one_in_use(void **state)
{
    struct store store;
    store_open(&store);
    struct image before = image_of(&store);
    for (uint64_t txn_id = 1; txn_id <= 40; txn_id++) {
        MDB_txn *txn;
        assert_int_equal(store_begin(&store, &txn), 0);
        // It grows, shrinks, and is empty in the end.
        if (txn_id <= 20) {
            assert_int_equal(store_put(&store, txn, txn_id, 9000), 0);
        } else {
            assert_int_equal(store_del(&store, txn, txn_id - 20), 0);
        }
        assert_int_equal(mdb_txn_commit(txn), 0);
        struct image after = image_of(&store);
        require_sound_wherever_cut(before, after, txn_id);
        sw_free(before.data);
        before = after;
    }
    sw_free(before.data);
    store_close(&store);
}

static void test_without_memory_it_says_so(void **state)
{
    struct store store;
    store_open(&store);
    struct image image = image_of(&store);
    struct sw_page_report report;
    sw_mem_fail_at(1, 0);
    int err = sw_page_check((struct sw_bytes){image.data, image.size}, &report);
    sw_mem_fail_at(0, 0);
    assert_int_equal(err, SW_E_NOMEM);
    sw_free(image.data);
    store_close(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_never_written_is_sound),
        cmocka_unit_test(test_every_round_of_any_kind_is_sound),
        cmocka_unit_test(test_a_queue_is_sound),
        cmocka_unit_test(test_a_deep_tree_is_sound_until_it_is_empty),
        cmocka_unit_test(test_a_value_on_too_many_pages_is_sound),
        cmocka_unit_test(test_many_lists_of_free_pages_are_sound),
        cmocka_unit_test(test_a_meta_page_written_in_part_is_not_the_one_in_use),
        cmocka_unit_test(test_without_memory_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
