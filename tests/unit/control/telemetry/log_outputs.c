#include "control/telemetry/log.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define AT_NS (UINT64_C(1760965020) * SW_NS_PER_S)

static const struct sw_resource no_resource = {.labels = NULL, .labels_count = 0};

/* A log into a pipe whose other end we hold. */
struct rig {
    char folder[32];
    char path[48];
    char errors_path[48];
    const char *paths[1];
    const char *error_paths[1];
    struct sw_service_conf conf;
    struct sw_log *log;
    int reader;
};

static void rig_open(struct rig *rig)
{
    char error[256] = "";
    memset(rig, 0, sizeof(*rig));
    strcpy(rig->folder, "log-outputs-XXXXXX");
    assert_non_null(mkdtemp(rig->folder));
    snprintf(rig->path, sizeof(rig->path), "%s/pipe", rig->folder);
    snprintf(rig->errors_path, sizeof(rig->errors_path), "%s/errors", rig->folder);
    assert_int_equal(mkfifo(rig->path, 0600), 0);
    rig->reader = open(rig->path, O_RDONLY | O_NONBLOCK);
    assert_true(rig->reader >= 0);
    rig->paths[0] = rig->path;
    rig->error_paths[0] = rig->errors_path;
    rig->conf.telemetry.logs.level = SW_LOG_INFO;
    rig->conf.telemetry.logs.disable_zap_resource = true;
    rig->conf.telemetry.logs.output_paths = (struct sw_list){rig->paths, 1};
    rig->conf.telemetry.logs.error_output_paths = (struct sw_list){rig->error_paths, 1};
    assert_int_equal(sw_log_new(&rig->conf, &no_resource, &rig->log, error, sizeof(error)), 0);
}

static void rig_close(struct rig *rig)
{
    sw_log_free(rig->log);
    if (rig->reader >= 0) {
        close(rig->reader);
    }
    unlink(rig->path);
    unlink(rig->errors_path);
    rmdir(rig->folder);
}

static void write_lines(struct rig *rig, unsigned count)
{
    char value[400];
    memset(value, 'v', sizeof(value));
    struct sw_log_field fields[] = {sw_log_text_of_len("value", value, sizeof(value))};
    struct sw_log_line line = {
        .wall_ns = AT_NS,
        .level = SW_LOG_INFO,
        .message = "a line",
        .fields = fields,
        .fields_count = 1,
    };
    for (unsigned i = 0; i < count; i++) {
        sw_log_write(rig->log, &line);
    }
}

// Everything that the log gives out now, lines and what is left of one.
static char *read_all(struct rig *rig)
{
    size_t capacity = 1 << 22;
    char *text = sw_alloc(capacity);
    size_t len = 0;
    for (;;) {
        ssize_t count = read(rig->reader, text + len, capacity - len - 1);
        if (count > 0) {
            len += (size_t)count;
            continue;
        }
        size_t before = len;
        sw_log_flush(rig->log);
        count = read(rig->reader, text + len, capacity - len - 1);
        len += count > 0 ? (size_t)count : 0;
        if (len == before) {
            break;
        }
    }
    text[len] = '\0';
    return text;
}

static unsigned count_whole_lines(char *text)
{
    unsigned count = 0;
    for (char *line = text; *line != '\0';) {
        char *end = strchr(line, '\n');
        assert_non_null(end);
        assert_int_equal(
            strncmp(line, "2025-10-20T12:57:00.000Z\tinfo\ta line\t{\"value\": \"v", 49), 0
        );
        assert_int_equal(strncmp(end - 2, "\"}\n", 3), 0);
        line = end + 1;
        count++;
    }
    return count;
}

static void test_full_pipe_drops_whole_lines_and_tells_so(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    write_lines(&rig, 3000); // more than pipe and backlog together
    uint64_t dropped = sw_log_dropped_count(rig.log);
    assert_true(dropped > 0);
    char *text = read_all(&rig);
    assert_int_equal(count_whole_lines(text) + dropped, 3000);
    sw_free(text);
    write_lines(&rig, 1);
    text = read_all(&rig);
    char expected[64];
    snprintf(expected, sizeof(expected), "{\"dropped_lines\": %u}\n", (unsigned)dropped);
    char *told = strstr(text, expected);
    assert_non_null(told);
    assert_int_equal(count_whole_lines(told + strlen(expected)), 1);
    sw_free(text);
    rig_close(&rig);
}

static void test_backlog_goes_out_in_order_when_read_slowly(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    write_lines(&rig, 400); // pipe and part of the backlog
    assert_int_equal(sw_log_dropped_count(rig.log), 0);
    char some[30000];
    unsigned total = 400;
    char *all = sw_zalloc(1 << 22);
    size_t len = 0;
    for (unsigned i = 0; i < 20; i++) {
        ssize_t count = read(rig.reader, some, sizeof(some));
        assert_true(count > 0);
        memcpy(all + len, some, (size_t)count);
        len += (size_t)count;
        write_lines(&rig, 60);
        total += 60;
    }
    assert_int_equal(sw_log_dropped_count(rig.log), 0);
    char *text = read_all(&rig);
    strcpy(all + len, text);
    assert_int_equal(count_whole_lines(all), total);
    sw_free(text);
    sw_free(all);
    rig_close(&rig);
}

static void test_reader_that_went_is_told_once_where_errors_go(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    close(rig.reader);
    rig.reader = -1;
    write_lines(&rig, 5);
    assert_int_equal(sw_log_dropped_count(rig.log), 5);
    char text[512] = "";
    int fd = open(rig.errors_path, O_RDONLY);
    assert_true(fd >= 0);
    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    close(fd);
    assert_non_null(strstr(text, "write error: write "));
    assert_non_null(strstr(text, "Broken pipe\n"));
    assert_int_equal(strlen(strchr(text, '\n')), 1);
    rig_close(&rig);
}

static void test_path_that_cannot_be_opened_is_named(void **state)
{
    (void)state;
    const char *paths[] = {"no-such-folder/log"};
    struct sw_service_conf conf = {0};
    conf.telemetry.logs.output_paths = (struct sw_list){paths, 1};
    struct sw_log *log = NULL;
    char error[256] = "";
    assert_int_equal(sw_log_new(&conf, &no_resource, &log, error, sizeof(error)), SW_E_SYSTEM);
    assert_null(log);
    assert_string_equal(
        error,
        "open sink \"no-such-folder/log\": open no-such-folder/log: No such file or directory"
    );
}

static void test_no_output_is_legal(void **state)
{
    (void)state;
    struct sw_service_conf conf = {0};
    struct sw_log *log = NULL;
    char error[256] = "";
    assert_int_equal(sw_log_new(&conf, &no_resource, &log, error, sizeof(error)), 0);
    struct sw_log_line line = {.wall_ns = AT_NS, .level = SW_LOG_ERROR, .message = "unheard"};
    sw_log_write(log, &line);
    assert_int_equal(sw_log_dropped_count(log), 0);
    sw_log_free(log);
    sw_log_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_pipe_drops_whole_lines_and_tells_so),
        cmocka_unit_test(test_backlog_goes_out_in_order_when_read_slowly),
        cmocka_unit_test(test_reader_that_went_is_told_once_where_errors_go),
        cmocka_unit_test(test_path_that_cannot_be_opened_is_named),
        cmocka_unit_test(test_no_output_is_legal),
    };
    setenv("TZ", "UTC", 1);
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("log_outputs", tests, NULL, NULL);
}
