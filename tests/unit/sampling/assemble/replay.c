/* What a window's files tell after a crash. */
#include "dataplane/base/segment_file.h"
#include "tests/unit/sampling/assemble/rig.h"

#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static struct sw_segment_dir *dir;
static struct sw_segment_file *file;
static struct rig rig;

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
    return remove(path);
}

static void open_dir(void)
{
    char why[256];
    assert_int_equal(
        sw_segment_dir_open(folder, "a/b@traces", 64u << 20, &dir, why, sizeof(why)), 0
    );
}

static int setup(void **state)
{
    snprintf(folder, sizeof(folder), "%s", "/tmp/spanweir-window-XXXXXX");
    assert_non_null(mkdtemp(folder));
    open_dir();
    assert_int_equal(sw_segment_dir_old_count(dir), 0);
    assert_int_equal(sw_segment_file_new(dir, 0, &file), 0);
    rig_open(&rig, (struct sw_trace_table_conf){.file = file}, 1000, false);
    return 0;
}

static int teardown(void **state)
{
    sw_segment_dir_close(dir, false);
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}

static void take(uint64_t number, uint32_t spans)
{
    struct traces traces = {0};
    traces_resource(&traces, "front");
    traces_scope(&traces, "web");
    for (uint32_t i = 0; i < spans; i++) {
        traces_add(&traces, (struct traces_span){.trace = number, .span = i + 1});
    }
    assert_int_equal(rig_take(&rig, &traces), 0);
}

static void decided(uint64_t number, uint32_t payload)
{
    uint8_t id[16];
    traces_id(id, number, 0);
    sw_trace_note_decided(rig.table, id, payload);
}

/* What is found, in order: spans of each, with + where they are sampled. */
static const char *replay(struct sw_bytes bytes)
{
    static char text[4096];
    struct sw_window_replay *replay_;
    struct sw_replayed found;
    char *at = text;
    *at = '\0';
    assert_int_equal(sw_window_replay_new(bytes, &replay_), 0);
    while (sw_window_replay_next(replay_, &found) && at < text + sizeof(text) - 32) {
        at += sprintf(at, "%s%u ", found.sampled ? "+" : "", found.spans_count);
        assert_true(found.resource.size > 0 && found.scope.size > 0);
    }
    sw_window_replay_free(replay_);
    return text;
}

// What a crash would leave now: the table is not asked. @return a copy of the file
static uint8_t *crash(size_t *ret_size)
{
    char pattern[128];
    char why[256];
    glob_t found;
    struct stat info;
    struct sw_segment_dir *other;
    assert_int_equal(
        sw_segment_dir_open(folder, "a/b@traces", 1, &other, why, sizeof(why)), SW_E_SYSTEM
    );
    assert_non_null(strstr(why, "is held by another process"));
    snprintf(pattern, sizeof(pattern), "%s/*.0.window", folder);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    int fd = open(found.gl_pathv[0], O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &info) == 0);
    globfree(&found);
    *ret_size = (size_t)info.st_size;
    uint8_t *copy = malloc(*ret_size);
    assert_int_equal(read(fd, copy, *ret_size), *ret_size);
    close(fd);
    rig_close(&rig);
    sw_segment_file_free(file);
    sw_segment_dir_close(dir, false);
    open_dir();
    const uint8_t *data;
    size_t size;
    assert_int_equal(sw_segment_dir_old_count(dir), 1);
    assert_int_equal(sw_segment_dir_old_map(dir, 0, &data, &size), 0);
    sw_segment_dir_old_done(dir, 0, SW_OLD_GOES);
    return copy;
}

static void expect(const char *wanted)
{
    size_t size;
    uint8_t *data = crash(&size);
    assert_string_equal(replay((struct sw_bytes){data, size}), wanted);
    free(data);
}

static void test_what_waits_is_found_in_order(void **state)
{
    take(1, 3);
    take(2, 1);
    take(1, 2);
    expect("3 1 2 ");
}

static void test_notes_say_what_became_of_traces(void **state)
{
    take(1, 1);
    take(2, 2);
    take(3, 3);
    take(4, 4);
    decided(1, 0);
    decided(2, 7);
    decided(3, 8);
    sw_trace_note_released(rig.table, 8);
    take(5, 5);
    expect("+2 4 5 ");
}

static void test_spans_behind_a_note_are_not_meant_by_it(void **state)
{
    take(1, 1);
    decided(1, 3);
    take(1, 2); // late
    decided(1, 4);
    sw_trace_note_released(rig.table, 3);
    expect("+2 ");
}

static void test_large_spans_and_many_segments_are_found(void **state)
{
    for (uint64_t i = 1; i <= 400; i++) {
        take(i, 100);
        if (i != 77) {
            decided(i, (uint32_t)i);
            sw_trace_note_released(rig.table, (uint32_t)i);
        }
    }
    expect("100 ");
}

static void test_a_crash_in_the_middle_of_an_append_loses_that_alone(void **state)
{
    size_t size;
    take(1, 3);
    take(2, 2);
    uint8_t *data = crash(&size);
    uint32_t committed;
    memcpy(&committed, data + 4, sizeof(committed));
    for (uint32_t cut = 0; cut <= committed; cut++) {
        memcpy(data + 4, &cut, sizeof(cut));
        const char *text = replay((struct sw_bytes){data, size});
        assert_true(
            strcmp(text, "") == 0 || strcmp(text, "1 ") == 0 || strcmp(text, "2 ") == 0
            || strcmp(text, "3 ") == 0 || strcmp(text, "3 1 ") == 0 || strcmp(text, "3 2 ") == 0
        );
    }
    free(data);
}

static void test_any_bytes_do_no_harm(void **state)
{
    size_t size;
    take(1, 30);
    take(2, 20);
    decided(1, 1);
    uint8_t *data = crash(&size);
    uint32_t committed;
    memcpy(&committed, data + 4, sizeof(committed));
    unsigned dice = 7;
    for (unsigned i = 0; i < 20000; i++) {
        uint32_t at = (uint32_t)rand_r(&dice) % committed;
        uint8_t before = data[at];
        data[at] = (uint8_t)rand_r(&dice);
        (void)replay((struct sw_bytes){data, i % 2 == 0 ? size : (uint32_t)rand_r(&dice) % size});
        if (i % 8 != 0) {
            data[at] = before;
        }
    }
    free(data);
}

static void test_room_is_limited_and_used_again(void **state)
{
    struct sw_segment_file *small;
    uint64_t offset;
    uint64_t second;
    char why[256];
    struct sw_segment_dir *other;
    assert_int_equal(sw_segment_dir_open(folder, "other", 16384, &other, why, sizeof(why)), 0);
    assert_int_equal(sw_segment_file_new(other, 0, &small), 0);
    uint8_t *a = sw_segment_file_map(small, 8192, true, &offset);
    uint8_t *b = sw_segment_file_map(small, 8192, false, &second);
    assert_true(a != NULL && b != NULL && second == 8192);
    assert_null(sw_segment_file_map(small, 4096, false, &second));
    sw_segment_file_unmap(small, a, 8192, offset);
    a = sw_segment_file_map(small, 8192, true, &second);
    assert_non_null(a);
    assert_int_equal(second, offset);
    assert_int_equal(a[0], 0); // nothing of before
    sw_segment_file_unmap(small, a, 8192, offset);
    sw_segment_file_unmap(small, b, 8192, 8192);
    sw_segment_file_free(small);
    sw_segment_dir_close(other, true);
    expect("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_waits_is_found_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_notes_say_what_became_of_traces, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_spans_behind_a_note_are_not_meant_by_it, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(
            test_large_spans_and_many_segments_are_found, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(
            test_a_crash_in_the_middle_of_an_append_loses_that_alone, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(test_any_bytes_do_no_harm, setup, teardown),
        cmocka_unit_test_setup_teardown(test_room_is_limited_and_used_again, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
