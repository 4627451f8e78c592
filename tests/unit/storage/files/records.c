/* What stands in a file: lines of JSON, protobuf behind its length, zstd behind its length. */
#include "dataplane/l7_http/codec.h"
#include "tests/unit/storage/files/desk.h"

#include <sys/stat.h>

static void test_json_is_a_line_each(void **state)
{
    desk_open("out.json");
    assert_int_equal(desk_make(), 0);
    assert_int_equal(desk_write(desk_batch(NULL, NULL, "one")).err, 0);
    assert_int_equal(desk_write(desk_batch(NULL, NULL, "two")).err, 0);
    assert_true(desk_read("out.json"));
    unsigned lines = 0;
    for (size_t i = 0; i < desk.text_size; i++) {
        lines += desk.text[i] == '\n';
    }
    assert_int_equal(lines, 2);
    assert_int_equal(strncmp(desk.text, "{\"resourceSpans\":[", 18), 0);
    assert_non_null(strstr(desk.text, "\"name\":\"one\""));
    assert_non_null(strstr(desk.text, "}\n{"));
    desk_close();
}

static void test_protobuf_stands_behind_its_length(void **state)
{
    desk_open("out.pb");
    desk.conf.json = false;
    assert_int_equal(desk_make(), 0);
    struct sw_batch *batch = desk_batch("a", "b", "one");
    size_t size = batch->bytes;
    uint8_t bytes[512];
    sw_batch_copy_out(batch, bytes);
    // A batch of several pieces is one record, too.
    assert_int_equal(sw_batch_merge(batch, desk_batch("a", "b", "one")), 0);
    assert_int_equal(desk_write(batch).err, 0);
    assert_true(desk_read("out.pb"));
    assert_int_equal(desk.text_size, 4 + 2 * size);
    const uint8_t *text = (const uint8_t *)desk.text;
    assert_int_equal((text[0] << 24) | (text[1] << 16) | (text[2] << 8) | text[3], 2 * size);
    assert_memory_equal(text + 4, bytes, size);
    assert_memory_equal(text + 4 + size, bytes, size);
    desk_close();
}

static void test_zstd_stands_behind_its_length_and_opens_to_json(void **state)
{
    desk_open("out.zst");
    desk.conf.zstd = true;
    assert_int_equal(desk_make(), 0);
    assert_int_equal(desk_write(desk_batch("a", "b", "one")).err, 0);
    assert_true(desk_read("out.zst"));
    const uint8_t *text = (const uint8_t *)desk.text;
    assert_int_equal((text[2] << 8) | text[3], desk.text_size - 4);
    struct sw_codec *codec = NULL;
    struct sw_buf *plain = NULL;
    const char *why = NULL;
    assert_int_equal(sw_codec_new(&codec), 0);
    assert_int_equal(
        sw_codec_open(
            codec, SW_CODING_ZSTD, text + 4, desk.text_size - 4, 4096, NULL, &plain, &why, NULL
        ),
        0
    );
    assert_int_equal(plain->data[0], '{');
    assert_int_equal(plain->data[plain->size - 1], '}');
    sw_buf_unref(plain);
    sw_codec_free(codec);
    desk_close();
}

static void write_again(bool append)
{
    desk.conf.append = append;
    assert_int_equal(desk_make(), 0);
    assert_int_equal(desk_write(desk_batch(NULL, NULL, "two")).err, 0);
}

static void test_a_file_that_is_there_begins_anew_or_goes_on(void **state)
{
    for (unsigned append = 0; append < 2; append++) {
        desk_open("out.json");
        assert_int_equal(desk_make(), 0);
        assert_int_equal(desk_write(desk_batch(NULL, NULL, "one")).err, 0);
        sw_files_remove(desk.file);
        assert_false(sw_files_any(desk.files));
        write_again(append == 1);
        assert_true(desk_read("out.json"));
        assert_int_equal(strstr(desk.text, "one") != NULL, append == 1);
        assert_non_null(strstr(desk.text, "two"));
        desk_close();
    }
}

static void test_signals_of_a_component_share_its_file(void **state)
{
    desk_open("out.json");
    assert_int_equal(desk_make(), 0);
    struct sw_file *second = NULL;
    assert_int_equal(sw_files_add(desk.files, &desk.conf, &second), 0);
    assert_ptr_equal(second, desk.file);
    sw_files_remove(second);
    assert_int_equal(desk_write(desk_batch(NULL, NULL, "one")).err, 0);
    desk_close();
}

static void test_folders_are_made_when_told_and_a_missing_one_is_named(void **state)
{
    desk_open("deep/down/out.json");
    assert_int_equal(desk_make(), SW_E_SYSTEM);
    assert_non_null(strstr(desk.error, "exporter file: open "));
    assert_non_null(strstr(desk.error, "No such file or directory"));
    desk_close();
    desk_open("deep/down/out.json");
    desk.conf.create_directory = true;
    desk.conf.directory_mode = 0700;
    assert_int_equal(desk_make(), 0);
    char folder[128];
    struct stat info;
    snprintf(folder, sizeof(folder), "%s/deep", desk.folder);
    assert_int_equal(stat(folder, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    desk_close();
}

static void test_a_full_disk_is_told_to_the_sender(void **state)
{
    desk_open("out.json");
    desk.conf.path = "/dev/full";
    assert_int_equal(desk_make(), 0);
    struct sw_file_job job = desk_write(desk_batch(NULL, NULL, "one"));
    assert_int_equal(job.err, SW_E_SYSTEM);
    assert_string_equal(job.why, "write /dev/full: No space left on device");
    desk_close();
}

static void test_failing_allocations_fail_the_job_alone(void **state)
{
    for (uint64_t nth = 1; nth < 20; nth++) {
        desk_open("out.json");
        desk.conf.zstd = nth % 2 == 0;
        assert_int_equal(desk_make(), 0);
        struct sw_batch *batch = desk_batch("a", "b", "one");
        sw_mem_fail_at(nth, 0);
        struct sw_file_job job = desk_write(batch);
        sw_mem_fail_at(0, 0);
        assert_true(job.err == 0 || job.err == SW_E_NOMEM);
        assert_int_equal(desk_write(desk_batch("a", "b", "two")).err, 0);
        desk_close();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_is_a_line_each),
        cmocka_unit_test(test_protobuf_stands_behind_its_length),
        cmocka_unit_test(test_zstd_stands_behind_its_length_and_opens_to_json),
        cmocka_unit_test(test_a_file_that_is_there_begins_anew_or_goes_on),
        cmocka_unit_test(test_signals_of_a_component_share_its_file),
        cmocka_unit_test(test_folders_are_made_when_told_and_a_missing_one_is_named),
        cmocka_unit_test(test_a_full_disk_is_told_to_the_sender),
        cmocka_unit_test(test_failing_allocations_fail_the_job_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
