/* group_by: a file for each value of a resource attribute. */
#include "tests/unit/storage/files/desk.h"

#define KEY "fileexporter.path_segment"

static void open_grouped(const char *name, uint32_t open_max)
{
    desk_open(name);
    desk.conf.group_attribute = KEY;
    desk.conf.open_max = open_max;
    assert_int_equal(desk_make(), 0);
}

static struct sw_batch *batch_of(const char *const *values, unsigned count)
{
    struct sw_batch *batch = desk_batch(KEY, values[0], values[0] != NULL ? values[0] : "none");
    for (unsigned i = 1; i < count; i++) {
        const char *name = values[i] != NULL ? values[i] : "none";
        assert_int_equal(sw_batch_merge(batch, desk_batch(KEY, values[i], name)), 0);
    }
    return batch;
}

static void test_resources_go_to_the_file_of_their_value(void **state)
{
    static const char *const values[] = {"a", "b", "a", NULL};
    open_grouped("*.json", 10);
    struct sw_file_job job = desk_write(batch_of(values, 4));
    assert_int_equal(job.err, 0);
    assert_int_equal(job.skipped_count, 1);
    assert_true(desk_read("a.json"));
    char *first = strstr(desk.text, "\"name\":\"a\"");
    assert_non_null(first);
    assert_non_null(strstr(first + 1, "\"name\":\"a\""));
    assert_ptr_equal(strchr(desk.text, '\n'), desk.text + desk.text_size - 1); // one record
    assert_true(desk_read("b.json"));
    assert_non_null(strstr(desk.text, "\"name\":\"b\""));
    assert_null(strstr(desk.text, "\"name\":\"a\""));
    desk_close();
}

static void test_values_with_slashes_make_folders_and_never_lead_out(void **state)
{
    static const char *const values[] = {"x/y", "../../up", "./dot", "a/../../../z"};
    open_grouped("in/*.json", 10);
    assert_int_equal(desk_write(batch_of(values, 4)).err, 0);
    assert_true(desk_read("in/x/y.json"));
    assert_true(desk_read("in/up.json"));
    assert_true(desk_read("in/dot.json"));
    assert_true(desk_read("in/z.json"));
    assert_false(desk_read("up.json"));
    assert_false(desk_read("z.json"));
    desk_close();
}

static void test_only_so_many_files_are_open_and_others_go_on_when_appending(void **state)
{
    static const char *const values[] = {"a", "b", "c", "a"};
    desk_open("*.json");
    desk.conf.group_attribute = KEY;
    desk.conf.open_max = 1;
    desk.conf.append = true;
    assert_int_equal(desk_make(), 0);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(desk_write(batch_of(&values[i], 1)).err, 0);
    }
    assert_true(desk_read("a.json"));
    unsigned lines = 0;
    for (size_t i = 0; i < desk.text_size; i++) {
        lines += desk.text[i] == '\n';
    }
    assert_int_equal(lines, 2);
    desk_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resources_go_to_the_file_of_their_value),
        cmocka_unit_test(test_values_with_slashes_make_folders_and_never_lead_out),
        cmocka_unit_test(test_only_so_many_files_are_open_and_others_go_on_when_appending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
