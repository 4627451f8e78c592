#include "storage/journal/journal.h"

#include "dataplane/base/crc32c.h"
#include "tests/lib/shelf.h"

#include <lmdb.h>

#include <fcntl.h>
#include <glob.h>

#define MIB (UINT64_C(1) << 20)

static struct sw_store_queue *traces;

static void up(void)
{
    shelf_make();
    traces = shelf_queue("otlp/traces", SW_TRACES);
    assert_int_equal(shelf_start(), 0);
}

static int setup(void **state)
{
    shelf_folder();
    up();
    return 0;
}

static int teardown(void **state)
{
    if (shelf.journal != NULL) {
        shelf_stop();
    }
    shelf_clear();
    return 0;
}

static void again(void)
{
    shelf_stop();
    up();
}

// Reads all that is there and says how many items each has, as digits.
static const char *read_all(struct sw_store_queue *queue, bool release)
{
    static char text[1024];
    char *at = text;
    uint32_t items;
    uint64_t seq;
    *at = '\0';
    while ((seq = shelf_read(queue, &items)) > 0) {
        at += sprintf(at, "%u", items);
        if (release) {
            assert_int_equal(shelf_release(queue, seq), 0);
        }
    }
    return text;
}

static void append_some(uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i <= to; i++) {
        assert_int_equal(shelf_append(traces, i), 0);
    }
}

static void test_what_is_appended_is_read_in_order(void **state)
{
    append_some(1, 5);
    assert_string_equal(read_all(traces, false), "12345");
}

static void test_what_is_released_does_not_come_back(void **state)
{
    append_some(1, 4);
    uint32_t items;
    uint64_t first = shelf_read(traces, &items);
    uint64_t second = shelf_read(traces, &items);
    assert_int_equal(second, first + 1);
    assert_int_equal(shelf_release(traces, second), 0);
    again();
    assert_int_equal(sw_store_queue_counts(traces).requests, 3);
    assert_int_equal(sw_store_queue_counts(traces).items, 1 + 3 + 4);
    assert_int_equal(sw_store_queue_counts(traces).under_way, 1);
    assert_string_equal(read_all(traces, true), "134");
    again();
    assert_int_equal(sw_store_queue_counts(traces).requests, 0);
    assert_int_equal(sw_store_queue_counts(traces).bytes, 0);
    append_some(7, 7);
    assert_string_equal(read_all(traces, true), "7");
}

static void test_a_release_that_comes_twice_is_one(void **state)
{
    append_some(1, 2);
    uint32_t items;
    uint64_t seq = shelf_read(traces, &items);
    assert_int_equal(shelf_release(traces, seq), 0);
    assert_int_equal(shelf_release(traces, seq), 0);
    again();
    assert_int_equal(sw_store_queue_counts(traces).requests, 1);
}

static void test_large_records_and_clients_travel(void **state)
{
    struct sw_client_pair pair = {{(const uint8_t *)"tenant", 6}, {(const uint8_t *)"a", 1}};
    struct sw_batch *batch = bench_batch(100000);
    uint64_t bytes = batch->bytes;
    batch->client =
        sw_client_new(&shelf.account, (struct sw_bytes){(const uint8_t *)"::1", 3}, &pair, 1);
    uint8_t *sent = sw_alloc(bytes);
    sw_batch_copy_out(batch, sent);
    assert_int_equal(shelf_append_batch(traces, batch), 0);
    again();
    assert_int_equal(sw_store_queue_counts(traces).bytes, bytes);
    struct shelf_job job = {.job = {.queue = traces, .op = SW_STORE_READ}};
    shelf_do(&job);
    assert_int_equal(job.job.err, 0);
    assert_int_equal(job.job.record.request.size, bytes);
    assert_memory_equal(job.job.record.request.data, sent, bytes);
    struct sw_client *client;
    assert_int_equal(sw_record_client(&job.job.record, &shelf.account, &client), 0);
    assert_int_equal(client->pairs_count, 1);
    sw_client_unref(client);
    sw_buf_unref(job.job.buf);
    sw_free(sent);
}

static unsigned wakes;

static void woken(struct sw_store_ear *ear)
{
    wakes++;
}

static void test_who_found_nothing_is_woken(void **state)
{
    struct sw_store_ear ear = {.woken = woken};
    uint32_t items;
    shelf_stop();
    shelf_make();
    traces = shelf_queue("otlp/traces", SW_TRACES);
    sw_store_queue_listen(traces, 0, &ear);
    assert_int_equal(shelf_start(), 0);
    wakes = 0;
    append_some(1, 1);
    assert_int_equal(wakes, 0); // nobody asked
    assert_int_equal(shelf_read(traces, &items), 1);
    assert_int_equal(shelf_read(traces, &items), 0);
    append_some(2, 3);
    assert_int_equal(wakes, 1);
    assert_int_equal(ear.wakes_count, 1);
    shelf_stop();
}

static void test_queues_do_not_mix_and_orphans_are_kept(void **state)
{
    shelf_stop();
    shelf_make();
    traces = shelf_queue("otlp/traces", SW_TRACES);
    struct sw_store_queue *logs = shelf_queue("otlp/traces", SW_LOGS);
    struct sw_store_queue *other = shelf_queue("otlp", SW_TRACES);
    assert_int_equal(shelf_start(), 0);
    struct sw_batch *batch = bench_batch(9);
    batch->signal = SW_LOGS;
    append_some(1, 2);
    assert_int_equal(shelf_append_batch(logs, batch), 0);
    assert_int_equal(shelf_append(other, 5), 0);
    assert_string_equal(read_all(traces, false), "12");
    assert_string_equal(read_all(logs, false), "9");
    again(); // only one is left
    assert_non_null(strstr(
        shelf.news,
        "Requests of an exporter that no longer exists are kept queue=otlp/traces requests=1"
    ));
    assert_string_equal(read_all(traces, true), "12");
    shelf_stop();
    shelf_make();
    logs = shelf_queue("otlp/traces", SW_LOGS);
    other = shelf_queue("otlp", SW_TRACES);
    assert_int_equal(shelf_start(), 0);
    assert_null(strstr(shelf.news, "no longer"));
    assert_string_equal(read_all(logs, true), "9");
    assert_string_equal(read_all(other, true), "5");
}

static void small_store(uint64_t bytes)
{
    shelf_stop();
    shelf.conf.max_bytes = bytes;
    up();
}

static unsigned fill(struct sw_store_queue *queue, uint32_t items)
{
    unsigned count = 0;
    int err;
    while ((err = shelf_append(queue, items)) == SW_OK) {
        count++;
        assert_true(count < 100000);
    }
    assert_int_equal(err, SW_E_STORAGE_FULL);
    return count;
}

static uint64_t file_bytes(void)
{
    char path[128];
    struct stat info;
    shelf_path("mdb", path, sizeof(path));
    assert_int_equal(stat(path, &info), 0);
    return (uint64_t)info.st_size;
}

static void test_a_full_store_refuses_and_can_be_emptied(void **state)
{
    static const uint32_t sizes[] = {1, 40, 300, 5000};
    for (unsigned i = 0; i < SW_ARRAY_SIZE(sizes); i++) {
        small_store(8 * MIB);
        unsigned first = fill(traces, sizes[i]);
        assert_true(first > 0);
        assert_true(sw_store_queue_full(traces));
        assert_true(file_bytes() <= 8 * MIB);
        uint32_t items;
        uint64_t seq;
        unsigned count = 0;
        while ((seq = shelf_read(traces, &items)) > 0) {
            assert_int_equal(shelf_release(traces, seq), 0);
            count++;
        }
        assert_int_equal(count, first);
        assert_false(sw_store_queue_full(traces));
        for (unsigned k = 0; k < 3; k++) { // room is used again
            count = fill(traces, sizes[i]);
            assert_true(count >= first * 9 / 10);
            while ((seq = shelf_read(traces, &items)) > 0) {
                assert_int_equal(shelf_release(traces, seq), 0);
            }
        }
        assert_true(file_bytes() <= 10 * MIB);
    }
}

static void test_each_queue_has_its_share(void **state)
{
    shelf_stop();
    shelf.conf.max_bytes = 16 * MIB;
    shelf_make();
    traces = shelf_queue("otlp/traces", SW_TRACES);
    struct sw_store_queue *logs = shelf_queue("otlp/logs", SW_TRACES);
    assert_int_equal(shelf_start(), 0);
    fill(traces, 1000);
    assert_true(sw_store_used_bytes(shelf.store) > 9 * MIB);
    uint64_t before = sw_store_used_bytes(shelf.store);
    fill(logs, 1000);
    assert_true(sw_store_used_bytes(shelf.store) - before > 3 * MIB);
    shelf_stop();
    shelf_make();
    traces = shelf_queue("otlp/traces", SW_TRACES);
    logs = shelf_queue("otlp/logs", SW_TRACES);
    assert_int_equal(shelf_start(), 0);
    assert_int_equal(shelf_append(traces, 1000), SW_E_STORAGE_FULL);
}

static void test_what_never_fits_is_said_so(void **state)
{
    small_store(4 * MIB);
    assert_int_equal(shelf_append(traces, 200000), SW_E_ELEMENT_SIZE);
    assert_int_equal(shelf_append(traces, 2), 0);
}

static void test_a_second_process_is_told(void **state)
{
    struct sw_journal *other;
    struct sw_store *store;
    const struct sw_journal_conf conf = {.post = shelf.post, .index = SHELF_ACTOR};
    assert_int_equal(sw_journal_new(&conf, &other), 0);
    assert_int_equal(sw_journal_add(other, &shelf.conf, &store), 0);
    assert_int_equal(sw_journal_open(other, shelf.error, sizeof(shelf.error)), SW_E_STORAGE);
    assert_non_null(strstr(shelf.error, "extension file_storage: timeout: "));
    assert_non_null(strstr(shelf.error, "is held by another process"));
    sw_journal_free(other);
}

static void test_a_directory_must_exist_or_be_made(void **state)
{
    char path[128];
    shelf_stop();
    snprintf(path, sizeof(path), "%s/a/b", shelf.folder);
    shelf.conf.directory = path;
    shelf_make();
    assert_int_equal(shelf_start(), SW_E_STORAGE);
    assert_non_null(strstr(shelf.error, "directory must exist: stat "));
    assert_non_null(strstr(shelf.error, "create_directory"));
    shelf_stop();
    shelf.conf.create_directory = true;
    shelf.conf.directory_mode = 0750;
    up();
    append_some(1, 1);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0750);
}

static void test_a_newer_format_is_refused(void **state)
{
    char path[128];
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    append_some(1, 1);
    shelf_stop();
    shelf_path("mdb", path, sizeof(path));
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &dbi), 0);
    uint64_t zero = 0;
    MDB_val key = {sizeof(zero), &zero};
    MDB_val value;
    uint8_t bytes[16];
    assert_int_equal(mdb_get(txn, dbi, &key, &value), 0);
    assert_int_equal(value.mv_size, sizeof(bytes));
    memcpy(bytes, value.mv_data, sizeof(bytes));
    bytes[12] = SW_STORE_FORMAT + 1;
    uint32_t crc = sw_crc32c(0, bytes + 4, 12);
    memcpy(bytes, &crc, 4);
    value.mv_data = bytes;
    assert_int_equal(mdb_put(txn, dbi, &key, &value, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
    shelf_make();
    traces = shelf_queue("otlp/traces", SW_TRACES);
    assert_int_equal(shelf_start(), SW_E_STORAGE);
    assert_non_null(strstr(shelf.error, "was written by a newer version of spanweir (format 2"));
}

/* ---- damage ---- */

static size_t load(const char *path, uint8_t **ret_data)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    *ret_data = sw_alloc((size_t)info.st_size);
    int fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, *ret_data, (size_t)info.st_size), info.st_size);
    close(fd);
    return (size_t)info.st_size;
}

static void save(const char *path, const uint8_t *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, data, size), size);
    close(fd);
}

static unsigned files_like(const char *pattern)
{
    char path[128];
    glob_t found;
    snprintf(path, sizeof(path), "%s/%s", shelf.folder, pattern);
    unsigned count = glob(path, 0, NULL, &found) == 0 ? (unsigned)found.gl_pathc : 0;
    globfree(&found);
    return count;
}

static void test_a_damaged_record_is_put_aside_alone(void **state)
{
    char path[128];
    uint8_t *data;
    append_some(1, 3);
    assert_int_equal(shelf_append(traces, 5000), 0);
    append_some(5, 6);
    shelf_stop();
    shelf_path("mdb", path, sizeof(path));
    size_t size = load(path, &data);
    struct sw_record record;
    size_t at = 0;
    while (sw_record_find((struct sw_bytes){data, size}, &at, &record) && record.items_count != 5000
    ) {
    }
    assert_int_equal(record.items_count, 5000);
    data[(record.request.data - data) + 90000] ^= 0x40;
    save(path, data, size);
    sw_free(data);
    up();
    assert_string_equal(shelf.news[0] != '\0' ? read_all(traces, false) : "", "12356");
    assert_int_equal(files_like("*.bad"), 1);
    again();
    assert_int_equal(sw_store_queue_counts(traces).requests, 5);
}

static void test_a_lost_file_is_searched_for_records(void **state)
{
    char path[128];
    uint8_t *data;
    uint32_t items;
    append_some(1, 6);
    assert_int_equal(shelf_append(traces, 7000), 0);
    assert_int_equal(shelf_release(traces, shelf_read(traces, &items)), 0);
    assert_int_equal(shelf_release(traces, shelf_read(traces, &items)), 0);
    shelf_stop();
    shelf_path("mdb", path, sizeof(path));
    size_t size = load(path, &data);
    memset(data, 0, 8192); // both meta pages
    save(path, data, size);
    sw_free(data);
    up();
    assert_non_null(strstr(shelf.news, "The file of the queues is damaged and is put aside"));
    assert_non_null(strstr(shelf.news, "requests=5"));
    assert_int_equal(files_like("*.backup"), 1);
    assert_int_equal(sw_store_queue_counts(traces).salvaged, 5);
    assert_int_equal(sw_store_queue_counts(traces).items, 3 + 4 + 5 + 6 + 7000);
    append_some(9, 9);
    assert_string_equal(read_all(traces, true), "345670009");
    again();
    assert_int_equal(sw_store_queue_counts(traces).requests, 0);
}

static void test_a_file_that_was_set_back_is_noticed(void **state)
{
    char path[128];
    uint8_t *data;
    append_some(1, 3);
    shelf_stop();
    shelf_path("mdb", path, sizeof(path));
    size_t size = load(path, &data);
    up();
    append_some(4, 6);
    shelf_stop();
    save(path, data, size);
    sw_free(data);
    up();
    assert_non_null(strstr(shelf.news, "is missing, the last one in the file is"));
    assert_string_equal(read_all(traces, true), "123");
}

/* A bit of the older meta page makes it the newer one. */
static void test_a_meta_page_that_was_set_forward_is_noticed(void **state)
{
    char path[128];
    uint8_t *data;
    uint64_t txns[2];
    for (unsigned i = 1; i < 9; i++) {
        append_some(i, i);
    }
    shelf_stop();
    shelf_path("mdb", path, sizeof(path));
    size_t size = load(path, &data);
    for (unsigned i = 0; i < 2; i++) {
        memcpy(&txns[i], data + i * 4096 + 144, sizeof(txns[i]));
    }
    unsigned older = txns[1] < txns[0];
    assert_int_equal(txns[older] + 1, txns[!older]);
    txns[older] += 2;
    memcpy(data + older * 4096 + 144, &txns[older], sizeof(txns[older]));
    save(path, data, size);
    sw_free(data);
    up();
    assert_non_null(strstr(shelf.news, "has the trees of transaction"));
    assert_string_equal(read_all(traces, true), "12345678");
}

static void test_a_file_that_was_never_made_is_no_damage(void **state)
{
    static const size_t sizes[] = {0, 1, 4096, 8191};
    char path[128];
    uint8_t *data;
    shelf_stop();
    shelf_path("mdb", path, sizeof(path));
    size_t size = load(path, &data);
    assert_true(size >= 8192);
    for (unsigned i = 0; i < SW_ARRAY_SIZE(sizes); i++) {
        save(path, data, sizes[i]);
        shelf_path("heads", path, sizeof(path));
        unlink(path);
        shelf_path("mdb", path, sizeof(path));
        up();
        assert_null(strstr(shelf.news, "damaged"));
        append_some(1, 2);
        assert_string_equal(read_all(traces, true), "12");
        shelf_stop();
    }
    sw_free(data);
    up();
}

static void test_any_rubbish_opens(void **state)
{
    static const size_t sizes[] = {0, 1, 100, 4095, 4096, 8191, 8192, 100000};
    static uint8_t rubbish[100000];
    char path[128];
    shelf_path("mdb", path, sizeof(path));
    for (unsigned i = 0; i < SW_ARRAY_SIZE(sizes); i++) {
        for (int fill_ = 0; fill_ < 3; fill_++) {
            shelf_stop();
            for (size_t k = 0; k < sizes[i]; k++) {
                rubbish[k] = fill_ == 2 ? (uint8_t)rand() : (uint8_t)(fill_ * 255);
            }
            save(path, rubbish, sizes[i]);
            up();
            append_some(1, 2);
            assert_string_equal(read_all(traces, true), "12");
        }
    }
}

static void test_marks_that_are_lost_or_wrong_do_no_harm(void **state)
{
    char path[128];
    uint32_t items;
    append_some(1, 4);
    assert_int_equal(shelf_release(traces, shelf_read(traces, &items)), 0);
    for (unsigned i = 0; i < 3; i++) {
        shelf_stop();
        shelf_path("heads", path, sizeof(path));
        if (i == 0) {
            unlink(path);
        } else {
            save(path, (const uint8_t *)"rubbish", i == 1 ? 7 : 0);
        }
        up();
        assert_string_equal(read_all(traces, false), "234");
    }
}

/* ---- files of older versions ---- */

static void test_format_1_is_read(void **state)
{
    char path[128];
    uint8_t *data;
    const char *folder = getenv("FIXTURES");
    char fixture[512];
    assert_non_null(folder);
    snprintf(fixture, sizeof(fixture), "%s/format1.mdb", folder);
    shelf_path("mdb", path, sizeof(path));
    if (getenv("WRITE_FIXTURE") != NULL) { // once for each format, when it is made
        append_some(1, 3);
        assert_int_equal(shelf_append(traces, 200), 0);
        shelf_stop();
        size_t size = load(path, &data);
        save(fixture, data, size);
    } else {
        shelf_stop();
        size_t size = load(fixture, &data);
        save(path, data, size);
    }
    sw_free(data);
    shelf_path("heads", path, sizeof(path));
    unlink(path);
    up();
    assert_null(strstr(shelf.news, "damaged"));
    assert_int_equal(sw_store_queue_counts(traces).items, 1 + 2 + 3 + 200);
    assert_string_equal(read_all(traces, true), "123200");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_appended_is_read_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_released_does_not_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_release_that_comes_twice_is_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_records_and_clients_travel, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_found_nothing_is_woken, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_queues_do_not_mix_and_orphans_are_kept, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(
            test_a_full_store_refuses_and_can_be_emptied, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(test_each_queue_has_its_share, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_never_fits_is_said_so, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_second_process_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_directory_must_exist_or_be_made, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_newer_format_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_damaged_record_is_put_aside_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_lost_file_is_searched_for_records, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_file_that_was_set_back_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_a_meta_page_that_was_set_forward_is_noticed, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(
            test_a_file_that_was_never_made_is_no_damage, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(test_any_rubbish_opens, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_marks_that_are_lost_or_wrong_do_no_harm, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(test_format_1_is_read, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
