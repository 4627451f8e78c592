/* What the cores have to tell, and what of it stands in the log. */
#include "control/service/service_internal.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/event.h"

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

#define AT_NS (UINT64_C(1760965020) * SW_NS_PER_S)

/* A service with one worker that never runs, and a log file. */
struct rig {
    char path[32];
    const char *paths[1];
    struct sw_conf conf;
    struct service service;
    struct sw_events *events;
};

static void rig_open(struct rig *rig)
{
    char error[256] = "";
    memset(rig, 0, sizeof(*rig));
    strcpy(rig->path, "events-XXXXXX");
    int fd = mkstemp(rig->path);
    assert_true(fd >= 0);
    close(fd);
    rig->paths[0] = rig->path;
    rig->conf.service.telemetry.logs.level = SW_LOG_DEBUG;
    rig->conf.service.telemetry.logs.disable_zap_resource = true;
    rig->conf.service.telemetry.logs.output_paths = (struct sw_list){rig->paths, 1};
    struct service *service = &rig->service;
    service->conf = &rig->conf;
    service->cores_count = 1;
    assert_int_equal(sw_post_new(2, 16, &service->post), 0);
    assert_int_equal(sw_metrics_new(1, &service->metrics), 0);
    struct sw_worker_conf conf = {.cores_count = 1, .post = service->post, .cpu = -1};
    assert_int_equal(sw_worker_new(&conf, &service->workers[0]), 0);
    rig->events = sw_worker_events(service->workers[0]);
    assert_int_equal(sw_observe_new(service, error, sizeof(error)), 0);
}

static void rig_close(struct rig *rig)
{
    sw_observe_free(&rig->service);
    sw_worker_free(rig->service.workers[0]);
    sw_metrics_free(rig->service.metrics);
    sw_post_free(rig->service.post);
    unlink(rig->path);
}

static const char *tick(struct rig *rig)
{
    static char text[1 << 20];
    sw_observe_tick(&rig->service);
    FILE *file = fopen(rig->path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void test_event_becomes_a_line_in_the_collectors_words(void **state)
{
    (void)state;
    static const struct sw_event_kind kind = {
        .level = SW_EVENT_ERROR,
        .message = "Exporting failed. Dropping data.",
        .component_kind = "exporter",
        .items_key = "dropped_items",
        .text_key = "error",
    };
    struct rig rig;
    rig_open(&rig);
    sw_event_leave(rig.events, &kind, "otlp/backend", "traces", AT_NS, 12, "no \"route\"x", 10);
    assert_string_equal(
        tick(&rig),
        "2025-10-20T12:57:00.000Z\terror\texporter/otlp\tExporting failed. Dropping data.\t"
        "{\"otelcol.component.id\": \"otlp/backend\", \"otelcol.component.kind\": \"exporter\", "
        "\"otelcol.signal\": \"traces\", \"error\": \"no \\\"route\\\"\", \"dropped_items\": 12}\n"
    );
    rig_close(&rig);
}

static void test_bare_event_has_its_message_only(void **state)
{
    (void)state;
    static const struct sw_event_kind kind = {.level = SW_EVENT_DEBUG, .message = "Something"};
    struct rig rig;
    rig_open(&rig);
    rig.conf.service.telemetry.logs.disable_caller = true;
    sw_event_leave(rig.events, &kind, NULL, NULL, AT_NS, 0, NULL, 0);
    assert_string_equal(tick(&rig), "2025-10-20T12:57:00.000Z\tdebug\tSomething\n");
    rig_close(&rig);
}

static void test_event_with_a_text_of_its_own_shows_it(void **state)
{
    (void)state;
    static const struct sw_event_kind kind = {
        .level = SW_EVENT_INFO, .component_kind = "exporter", .count_key = "resource spans"};
    static const char dump[] = "ResourceTraces #0\nan item";
    struct rig rig;
    rig_open(&rig);
    struct sw_event event = {
        .kind = &kind,
        .id = "debug",
        .wall_ns = AT_NS,
        .count = 2,
        .message = sw_buf_copy(NULL, dump, sizeof(dump) - 1)};
    assert_non_null(event.message);
    assert_true(sw_event_put(rig.events, &event));
    assert_string_equal(
        tick(&rig),
        "2025-10-20T12:57:00.000Z\tinfo\texporter/debug\tResourceTraces #0\nan item\t"
        "{\"otelcol.component.id\": \"debug\", \"otelcol.component.kind\": \"exporter\", "
        "\"resource spans\": 2}\n"
    );
    rig_close(&rig);
}

static void test_events_that_found_no_room_are_told_once(void **state)
{
    (void)state;
    static const struct sw_event_kind kind = {.level = SW_EVENT_INFO, .message = "m"};
    struct rig rig;
    rig_open(&rig);
    unsigned room = sw_events_room(rig.events);
    for (unsigned i = 0; i < room + 3; i++) {
        sw_event_leave(rig.events, &kind, NULL, NULL, AT_NS, 0, NULL, 0);
    }
    const char *text = tick(&rig);
    const char *told = strstr(text, "{\"worker\": 0, \"lost_events\": 3}\n");
    assert_non_null(told);
    size_t len = strlen(text);
    assert_int_equal(strlen(tick(&rig)), len);
    rig_close(&rig);
}

static void test_nothing_is_said_before_there_is_a_log(void **state)
{
    (void)state;
    struct service service;
    memset(&service, 0, sizeof(service));
    sw_observe_log(&service, SW_LOG_ERROR, SW_LOG_HERE, "unheard", NULL, 0);
    sw_observe_tick(&service);
    sw_observe_close(&service);
    sw_observe_free(&service);
    assert_null(service.observer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_event_becomes_a_line_in_the_collectors_words),
        cmocka_unit_test(test_bare_event_has_its_message_only),
        cmocka_unit_test(test_event_with_a_text_of_its_own_shows_it),
        cmocka_unit_test(test_events_that_found_no_room_are_told_once),
        cmocka_unit_test(test_nothing_is_said_before_there_is_a_log),
    };
    setenv("TZ", "UTC", 1);
    tzset();
    return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
