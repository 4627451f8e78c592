#include "control/telemetry/log.h"
#include "dataplane/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

// 2025-10-20T12:57:00.900Z
#define AT_NS (UINT64_C(1760965020) * SW_NS_PER_S + 900 * SW_NS_PER_MS)

static struct sw_label labels[] = {
    {"service.instance.id", "1bc4"},
    {"service.name", "spanweir"},
    {"service.version", "0.1.0"},
};
static const struct sw_resource resource = {.labels = labels, .labels_count = 3};

/* A log into a file of its own. */
struct rig {
    struct sw_service_conf conf;
    char path[32];
    const char *paths[1];
    struct sw_log *log;
};

static void rig_init(struct rig *rig)
{
    memset(rig, 0, sizeof(*rig));
    strcpy(rig->path, "log-lines-XXXXXX");
    int fd = mkstemp(rig->path);
    assert_true(fd >= 0);
    close(fd);
    rig->paths[0] = rig->path;
    rig->conf.telemetry.logs.level = SW_LOG_INFO;
    rig->conf.telemetry.logs.output_paths = (struct sw_list){rig->paths, 1};
}

static void rig_open(struct rig *rig)
{
    char error[256] = "";
    assert_int_equal(sw_log_new(&rig->conf, &resource, &rig->log, error, sizeof(error)), 0);
}

static void rig_close(struct rig *rig)
{
    sw_log_free(rig->log);
    unlink(rig->path);
}

// Lines that are in the file now.
static unsigned lines_written(const struct rig *rig)
{
    FILE *file = fopen(rig->path, "r");
    assert_non_null(file);
    unsigned count = 0;
    for (int c = getc(file); c != EOF; c = getc(file)) {
        count += c == '\n';
    }
    fclose(file);
    return count;
}

static void check_line(struct rig *rig, const struct sw_log_line *line, const char *expected)
{
    struct sw_string text = {0};
    rig_open(rig);
    sw_log_format(rig->log, line, &text);
    assert_string_equal(text.data, expected);
    sw_string_fini(&text);
    rig_close(rig);
}

static struct sw_log_line line_of(const struct sw_log_field *fields, unsigned count)
{
    return (struct sw_log_line){
        .wall_ns = AT_NS,
        .level = SW_LOG_INFO,
        .caller = "../somewhere/control/service/service.c:42",
        .message = "Starting server",
        .fields = fields,
        .fields_count = count,
    };
}

static void test_console_line_is_as_zap_writes_it(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct sw_log_field fields[] = {
        sw_log_text("endpoint", "[::]:4317"),
        sw_log_integer("dropped_items", -3),
        sw_log_number("seconds", 0.25),
    };
    struct sw_log_line line = line_of(fields, 3);
    check_line(
        &rig,
        &line,
        "2025-10-20T12:57:00.900Z\tinfo\tservice/service.c:42\tStarting server\t"
        "{\"resource\": {\"service.instance.id\": \"1bc4\", \"service.name\": \"spanweir\", "
        "\"service.version\": \"0.1.0\"}, \"endpoint\": \"[::]:4317\", \"dropped_items\": -3, "
        "\"seconds\": 0.25}\n"
    );
}

static void test_json_line_is_as_zap_writes_it(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.conf.telemetry.logs.encoding = SW_LOG_JSON;
    struct sw_log_field fields[] = {sw_log_text("error", "a \"b\"\n\xff")};
    struct sw_log_line line = line_of(fields, 1);
    line.level = SW_LOG_ERROR;
    check_line(
        &rig,
        &line,
        "{\"level\":\"error\",\"ts\":\"2025-10-20T12:57:00.900Z\",\"caller\":\"service/"
        "service.c:42\","
        "\"msg\":\"Starting server\",\"resource\":{\"service.instance.id\":\"1bc4\","
        "\"service.name\":\"spanweir\",\"service.version\":\"0.1.0\"},"
        "\"error\":\"a \\\"b\\\"\\n\\ufffd\"}\n"
    );
}

static void test_bare_line_has_no_braces_and_no_caller(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.conf.telemetry.logs.disable_caller = true;
    rig.conf.telemetry.logs.disable_zap_resource = true;
    struct sw_log_line line = line_of(NULL, 0);
    check_line(&rig, &line, "2025-10-20T12:57:00.900Z\tinfo\tStarting server\n");
    rig_init(&rig);
    rig.conf.telemetry.logs.disable_zap_resource = true;
    line.caller = "exporter/otlp";
    check_line(&rig, &line, "2025-10-20T12:57:00.900Z\tinfo\texporter/otlp\tStarting server\n");
}

static void test_initial_fields_stand_before_the_resource_in_order(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct sw_value list[] = {
        {.kind = SW_VALUE_INT, .integer = 1},
        {.kind = SW_VALUE_BOOL, .boolean = false},
    };
    struct sw_value_entry inner[] = {{"k", {.kind = SW_VALUE_NULL}}};
    struct sw_value_entry entries[] = {
        {"zone", {.kind = SW_VALUE_STRING, .string = "eu"}},
        {"map", {.kind = SW_VALUE_MAP, .list = {inner, 1}}},
        {"cell", {.kind = SW_VALUE_LIST, .list = {list, 2}}},
        {"ratio", {.kind = SW_VALUE_DOUBLE, .number = 1.5}},
    };
    rig.conf.telemetry.logs.initial_fields =
        (struct sw_value){.kind = SW_VALUE_MAP, .list = {entries, 4}};
    rig.conf.telemetry.logs.disable_zap_resource = true;
    struct sw_log_field fields[] = {sw_log_text("x", "y")};
    struct sw_log_line line = line_of(fields, 1);
    line.caller = NULL;
    check_line(
        &rig,
        &line,
        "2025-10-20T12:57:00.900Z\tinfo\tStarting server\t{\"cell\": [1, false], "
        "\"map\": {\"k\": null}, \"ratio\": 1.5, \"zone\": \"eu\", \"x\": \"y\"}\n"
    );
}

static void test_local_offset_is_shown(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.conf.telemetry.logs.disable_zap_resource = true;
    setenv("TZ", "XYZ-05:30", 1);
    tzset();
    struct sw_log_line line = line_of(NULL, 0);
    line.caller = NULL;
    check_line(&rig, &line, "2025-10-20T18:27:00.900+0530\tinfo\tStarting server\n");
    setenv("TZ", "UTC", 1);
    tzset();
}

static void
write_line(struct rig *rig, enum sw_log_level level, const char *message, uint64_t at_ns)
{
    struct sw_log_line line = {.wall_ns = at_ns, .level = level, .message = message};
    sw_log_write(rig->log, &line);
}

static void test_level_decides_what_is_written(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.conf.telemetry.logs.level = SW_LOG_WARN;
    rig_open(&rig);
    assert_false(sw_log_enabled(rig.log, SW_LOG_INFO));
    assert_true(sw_log_enabled(rig.log, SW_LOG_ERROR));
    write_line(&rig, SW_LOG_INFO, "no", AT_NS);
    write_line(&rig, SW_LOG_WARN, "yes", AT_NS);
    write_line(&rig, SW_LOG_ERROR, "yes", AT_NS);
    assert_int_equal(lines_written(&rig), 2);
    rig_close(&rig);
}

static void test_repeated_lines_are_sampled_per_level_and_message(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.conf.telemetry.logs.sampling.enabled = true;
    rig.conf.telemetry.logs.sampling.tick_ns = 10 * (int64_t)SW_NS_PER_S;
    rig.conf.telemetry.logs.sampling.initial = 10;
    rig.conf.telemetry.logs.sampling.thereafter = 100;
    rig_open(&rig);
    for (unsigned i = 0; i < 310; i++) {
        write_line(&rig, SW_LOG_INFO, "again", AT_NS + i);
    }
    assert_int_equal(lines_written(&rig), 13); // ten, then every hundredth
    write_line(&rig, SW_LOG_INFO, "another", AT_NS);
    write_line(&rig, SW_LOG_ERROR, "again", AT_NS);
    assert_int_equal(lines_written(&rig), 15);
    // A tick later it begins anew.
    for (unsigned i = 0; i < 20; i++) {
        write_line(&rig, SW_LOG_INFO, "again", AT_NS + 10 * SW_NS_PER_S);
    }
    assert_int_equal(lines_written(&rig), 25);
    rig_close(&rig);
}

static void test_data_is_never_sampled(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.conf.telemetry.logs.sampling.enabled = true;
    rig.conf.telemetry.logs.sampling.tick_ns = (int64_t)SW_NS_PER_S;
    rig.conf.telemetry.logs.sampling.initial = 1;
    rig.conf.telemetry.logs.sampling.thereafter = 0;
    rig_open(&rig);
    struct sw_log_line line = {
        .wall_ns = AT_NS, .level = SW_LOG_INFO, .message = "data\nand more", .message_len = 4};
    for (unsigned i = 0; i < 5; i++) {
        sw_log_write(rig.log, &line);
    }
    assert_int_equal(lines_written(&rig), 1);
    line.is_data = true;
    for (unsigned i = 0; i < 5; i++) {
        sw_log_write(rig.log, &line);
    }
    assert_int_equal(lines_written(&rig), 6);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_console_line_is_as_zap_writes_it),
        cmocka_unit_test(test_json_line_is_as_zap_writes_it),
        cmocka_unit_test(test_bare_line_has_no_braces_and_no_caller),
        cmocka_unit_test(test_initial_fields_stand_before_the_resource_in_order),
        cmocka_unit_test(test_local_offset_is_shown),
        cmocka_unit_test(test_level_decides_what_is_written),
        cmocka_unit_test(test_repeated_lines_are_sampled_per_level_and_message),
        cmocka_unit_test(test_data_is_never_sampled),
    };
    setenv("TZ", "UTC", 1);
    tzset();
    return cmocka_run_group_tests_name("log_lines", tests, NULL, NULL);
}
