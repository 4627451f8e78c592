/* Backups: when, how they are called, how many stay. */
#include "tests/unit/storage/files/desk.h"

static void open_small(uint64_t max_bytes, uint32_t max_backups, uint32_t max_days)
{
    desk_open("out.json");
    desk.conf.rotate = true;
    desk.conf.max_bytes = max_bytes;
    desk.conf.max_backups = max_backups;
    desk.conf.max_days = max_days;
    assert_int_equal(desk_make(), 0);
}

static void write_one(const char *name)
{
    assert_int_equal(desk_write(desk_batch(NULL, NULL, name)).err, 0);
}

static void test_a_full_file_becomes_a_backup_named_by_the_time(void **state)
{
    char names[8][128];
    open_small(200, 0, 0);
    write_one("one");
    desk.wall_ns = BENCH_WALL_NS + 123 * SW_NS_PER_MS;
    write_one("two");
    assert_int_equal(desk_list(names, 8), 2);
    // 1760000000 is 2025-10-09 08:53:20 UTC.
    assert_string_equal(names[0], "out-2025-10-09T08-53-20.123.json");
    assert_true(desk_read(names[0]));
    assert_non_null(strstr(desk.text, "one"));
    assert_true(desk_read("out.json"));
    assert_non_null(strstr(desk.text, "two"));
    desk_close();
}

static void test_a_file_that_is_there_goes_on(void **state)
{
    open_small(100000, 0, 0);
    write_one("one");
    sw_files_remove(desk.file);
    assert_int_equal(desk_make(), 0);
    write_one("two");
    assert_true(desk_read("out.json"));
    assert_non_null(strstr(desk.text, "one"));
    assert_non_null(strstr(desk.text, "two"));
    desk_close();
}

static void test_the_newest_backups_stay(void **state)
{
    char names[16][128];
    open_small(200, 2, 0);
    for (unsigned i = 0; i < 6; i++) {
        desk.wall_ns += SW_NS_PER_S;
        write_one("some");
    }
    assert_int_equal(desk_list(names, 16), 3);
    assert_string_equal(names[0], "out-2025-10-09T08-53-25.000.json");
    assert_string_equal(names[1], "out-2025-10-09T08-53-26.000.json");
    desk_close();
}

static void test_old_backups_and_no_other_files_go(void **state)
{
    char names[16][128];
    char path[256];
    open_small(200, 0, 2);
    snprintf(path, sizeof(path), "%s/out-2001-01-01T00-00-00.000.txt", desk.folder);
    FILE *other = fopen(path, "we");
    assert_non_null(other);
    fclose(other);
    write_one("a");
    write_one("b");
    desk.wall_ns += UINT64_C(3) * 86400 * SW_NS_PER_S;
    write_one("c");
    assert_int_equal(desk_list(names, 16), 3);
    assert_string_equal(names[0], "out-2001-01-01T00-00-00.000.txt");
    assert_string_equal(names[1], "out-2025-10-12T08-53-20.000.json");
    desk_close();
}

static void test_a_record_larger_than_any_file_is_refused(void **state)
{
    open_small(20, 0, 0);
    struct sw_file_job job = desk_write(desk_batch(NULL, NULL, "one"));
    assert_int_equal(job.err, SW_E_TOO_LARGE);
    assert_non_null(strstr(job.why, "exceeds maximum file size 20"));
    desk_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_full_file_becomes_a_backup_named_by_the_time),
        cmocka_unit_test(test_a_file_that_is_there_goes_on),
        cmocka_unit_test(test_the_newest_backups_stay),
        cmocka_unit_test(test_old_backups_and_no_other_files_go),
        cmocka_unit_test(test_a_record_larger_than_any_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
