#include "control/telemetry/prometheus.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct sw_label resource_labels[] = {
    {"service.instance.id", "fixed"},
    {"service.name", "my-gateway"},
};
static const struct sw_resource resource = {.labels = resource_labels, .labels_count = 2};

static const struct sw_metric_family sent_family = {
    .name = "otelcol_exporter_sent_spans",
    .help = "Number of spans \\ sent\n[Alpha]",
    .unit = "{spans}",
    .type = SW_COUNTER,
    .level = SW_LEVEL_BASIC,
};
static const struct sw_metric_family uptime_family = {
    .name = "otelcol_process_uptime",
    .help = "Uptime of the process [Alpha]",
    .unit = "s",
    .type = SW_COUNTER,
    .level = SW_LEVEL_BASIC,
    .is_double = true,
};
static const struct sw_metric_family rss_family = {
    .name = "otelcol_process_memory_rss",
    .help = "Total physical memory (resident set size) [Alpha]",
    .unit = "By",
    .type = SW_GAUGE,
    .level = SW_LEVEL_BASIC,
};
static const double bounds[] = {10, 25.5};
static const struct sw_metric_family size_family = {
    .name = "otelcol_processor_batch_batch_send_size",
    .help = "Number of units in the batch [Development]",
    .unit = "{unit}",
    .type = SW_HISTOGRAM,
    .level = SW_LEVEL_NORMAL,
    .bounds = bounds,
    .bounds_count = 2,
};
static const struct sw_metric_family call_family = {
    .name = "rpc.server.call.duration",
    .help = "Calls",
    .unit = "s",
    .type = SW_GAUGE,
    .level = SW_LEVEL_DETAILED,
};

struct rig {
    struct sw_metrics *metrics;
    struct sw_pull_reader_conf reader;
    struct sw_page page;
};

static void rig_open(struct rig *rig)
{
    memset(rig, 0, sizeof(*rig));
    assert_int_equal(sw_metrics_new(2, &rig->metrics), 0);
    rig->reader.without_scope_info = true;
    rig->reader.without_type_suffix = true;
    rig->reader.without_units = true;
    rig->page.metrics = rig->metrics;
    rig->page.reader = &rig->reader;
    rig->page.resource = &resource;
    rig->page.level = SW_METRICS_NORMAL;
}

static struct sw_cell *cell(
    struct rig *rig,
    unsigned core,
    const struct sw_metric_family *family,
    const struct sw_label *labels,
    unsigned count
)
{
    struct sw_series *series = sw_metrics_series(rig->metrics, family, labels, count);
    assert_non_null(series);
    return sw_series_cell(series, core);
}

static void check_page(struct rig *rig, enum sw_page_escaping escaping, const char *expected)
{
    struct sw_string text = {0};
    sw_page_write(&rig->page, SW_PAGE_COLLECTOR, escaping, &text);
    assert_false(text.failed);
    assert_string_equal(text.data, expected);
    sw_string_fini(&text);
}

#define END_OF_PAGE(info)                                                                          \
    "# HELP promhttp_metric_handler_errors_total Total number of internal errors encountered by "  \
    "the promhttp metric handler.\n"                                                               \
    "# TYPE promhttp_metric_handler_errors_total counter\n"                                        \
    "promhttp_metric_handler_errors_total{cause=\"encoding\"} 0\n"                                 \
    "promhttp_metric_handler_errors_total{cause=\"gathering\"} 0\n"                                \
    "# HELP target_info Target metadata\n"                                                         \
    "# TYPE target_info gauge\n"                                                                   \
    "target_info{" info "} 1\n"
#define INFO "service_instance_id=\"fixed\",service_name=\"my-gateway\""

static void test_nothing_recorded_shows_the_target_only(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    const struct sw_label labels[] = {{"exporter", "otlp"}};
    cell(&rig, 0, &sent_family, labels, 1);
    check_page(&rig, SW_ESCAPE_UNDERSCORES, END_OF_PAGE(INFO));
    sw_metrics_free(rig.metrics);
}

static void test_bare_names_types_help_and_escapes(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    const struct sw_label one[] = {{"exporter", "otlp"}, {"server.address", "a\"b\\c\nd"}};
    const struct sw_label two[] = {{"exporter", "debug"}};
    sw_cell_add(cell(&rig, 0, &sent_family, one, 2), 5);
    sw_cell_add(cell(&rig, 1, &sent_family, one, 2), 7);
    sw_cell_add(cell(&rig, 2, &sent_family, two, 1), 0);
    sw_cell_set_double(cell(&rig, 0, &uptime_family, NULL, 0), 1234567.5);
    sw_cell_set(cell(&rig, 0, &rss_family, NULL, 0), -3);
    check_page(
        &rig,
        SW_ESCAPE_UNDERSCORES,
        "# HELP otelcol_exporter_sent_spans Number of spans \\\\ sent\\n[Alpha]\n"
        "# TYPE otelcol_exporter_sent_spans counter\n"
        "otelcol_exporter_sent_spans{exporter=\"debug\"} 0\n"
        "otelcol_exporter_sent_spans{exporter=\"otlp\",server_address=\"a\\\"b\\\\c\\nd\"} 12\n"
        "# HELP otelcol_process_memory_rss Total physical memory (resident set size) [Alpha]\n"
        "# TYPE otelcol_process_memory_rss gauge\n"
        "otelcol_process_memory_rss -3\n"
        "# HELP otelcol_process_uptime Uptime of the process [Alpha]\n"
        "# TYPE otelcol_process_uptime counter\n"
        "otelcol_process_uptime 1.2345675e+06\n" END_OF_PAGE(INFO)
    );
    sw_metrics_free(rig.metrics);
}

static void test_suffix_mode_appends_units_and_total(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig.reader.without_units = false; // one of the two is enough
    const struct sw_label labels[] = {{"exporter", "otlp"}};
    sw_cell_add(cell(&rig, 0, &sent_family, labels, 1), 1);
    sw_cell_set_double(cell(&rig, 0, &uptime_family, NULL, 0), 2);
    sw_cell_set(cell(&rig, 0, &rss_family, NULL, 0), 3);
    check_page(
        &rig,
        SW_ESCAPE_UNDERSCORES,
        "# HELP otelcol_exporter_sent_spans_total Number of spans \\\\ sent\\n[Alpha]\n"
        "# TYPE otelcol_exporter_sent_spans_total counter\n"
        "otelcol_exporter_sent_spans_total{exporter=\"otlp\"} 1\n"
        "# HELP otelcol_process_memory_rss_bytes Total physical memory (resident set size) "
        "[Alpha]\n"
        "# TYPE otelcol_process_memory_rss_bytes gauge\n"
        "otelcol_process_memory_rss_bytes 3\n"
        "# HELP otelcol_process_uptime_seconds_total Uptime of the process [Alpha]\n"
        "# TYPE otelcol_process_uptime_seconds_total counter\n"
        "otelcol_process_uptime_seconds_total 2\n" END_OF_PAGE(INFO)
    );
    sw_metrics_free(rig.metrics);
}

static void test_either_flag_alone_asks_for_all_suffixes(void **state)
{
    (void)state;
    for (int flags = 0; flags < 4; flags++) {
        struct rig rig;
        rig_open(&rig);
        rig.reader.without_type_suffix = (flags & 1) != 0;
        rig.reader.without_units = (flags & 2) != 0;
        sw_cell_set_double(cell(&rig, 0, &uptime_family, NULL, 0), 1);
        const char *name =
            flags == 3 ? "otelcol_process_uptime" : "otelcol_process_uptime_seconds_total";
        char expected[1024];
        snprintf(
            expected,
            sizeof(expected),
            "# HELP %s Uptime of the process [Alpha]\n# TYPE %s counter\n%s 1\n" END_OF_PAGE(INFO),
            name,
            name,
            name
        );
        check_page(&rig, SW_ESCAPE_UNDERSCORES, expected);
        sw_metrics_free(rig.metrics);
    }
}

static void test_histogram_is_cumulative_over_all_cores(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    const struct sw_label labels[] = {{"processor", "batch"}};
    sw_cell_record(cell(&rig, 0, &size_family, labels, 1), 10); // bounds are inclusive
    sw_cell_record(cell(&rig, 1, &size_family, labels, 1), 11);
    sw_cell_record(cell(&rig, 1, &size_family, labels, 1), 400);
    check_page(
        &rig,
        SW_ESCAPE_UNDERSCORES,
        "# HELP otelcol_processor_batch_batch_send_size Number of units in the batch "
        "[Development]\n"
        "# TYPE otelcol_processor_batch_batch_send_size histogram\n"
        "otelcol_processor_batch_batch_send_size_bucket{processor=\"batch\",le=\"10\"} 1\n"
        "otelcol_processor_batch_batch_send_size_bucket{processor=\"batch\",le=\"25.5\"} 2\n"
        "otelcol_processor_batch_batch_send_size_bucket{processor=\"batch\",le=\"+Inf\"} 3\n"
        "otelcol_processor_batch_batch_send_size_sum{processor=\"batch\"} 421\n"
        "otelcol_processor_batch_batch_send_size_count{processor=\"batch\"} 3\n" END_OF_PAGE(INFO)
    );
    sw_metrics_free(rig.metrics);
}

static void test_level_hides_families_above_it(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig.page.level = SW_METRICS_BASIC;
    sw_cell_record(cell(&rig, 0, &size_family, NULL, 0), 1);
    sw_cell_set(cell(&rig, 0, &call_family, NULL, 0), 1);
    check_page(&rig, SW_ESCAPE_UNDERSCORES, END_OF_PAGE(INFO));
    sw_metrics_free(rig.metrics);
}

static void test_names_with_dots_are_written_as_negotiated(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig.page.level = SW_METRICS_DETAILED;
    const struct sw_label labels[] = {{"rpc.method", "m"}};
    sw_cell_set(cell(&rig, 0, &call_family, labels, 1), 1);
    check_page(
        &rig,
        SW_ESCAPE_UNDERSCORES,
        "# HELP promhttp_metric_handler_errors_total Total number of internal errors encountered "
        "by the promhttp metric handler.\n"
        "# TYPE promhttp_metric_handler_errors_total counter\n"
        "promhttp_metric_handler_errors_total{cause=\"encoding\"} 0\n"
        "promhttp_metric_handler_errors_total{cause=\"gathering\"} 0\n"
        "# HELP rpc_server_call_duration Calls\n"
        "# TYPE rpc_server_call_duration gauge\n"
        "rpc_server_call_duration{rpc_method=\"m\"} 1\n"
        "# HELP target_info Target metadata\n"
        "# TYPE target_info gauge\n"
        "target_info{" INFO "} 1\n"
    );
    check_page(
        &rig,
        SW_ALLOW_UTF8,
        "# HELP promhttp_metric_handler_errors_total Total number of internal errors encountered "
        "by the promhttp metric handler.\n"
        "# TYPE promhttp_metric_handler_errors_total counter\n"
        "promhttp_metric_handler_errors_total{cause=\"encoding\"} 0\n"
        "promhttp_metric_handler_errors_total{cause=\"gathering\"} 0\n"
        "# HELP \"rpc.server.call.duration\" Calls\n"
        "# TYPE \"rpc.server.call.duration\" gauge\n"
        "{\"rpc.server.call.duration\",\"rpc.method\"=\"m\"} 1\n"
        "# HELP target_info Target metadata\n"
        "# TYPE target_info gauge\n"
        "target_info{\"service.instance.id\"=\"fixed\",\"service.name\"=\"my-gateway\"} 1\n"
    );
    sw_metrics_free(rig.metrics);
}

static void test_scope_and_resource_labels_come_when_asked(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig.reader.without_scope_info = false;
    struct sw_value names[] = {{.kind = SW_VALUE_STRING, .string = "service.name"}};
    struct sw_value_entry entries[] = {{"included", {.kind = SW_VALUE_LIST, .list = {names, 1}}}};
    rig.reader.with_resource_constant_labels =
        (struct sw_value){.kind = SW_VALUE_MAP, .list = {entries, 1}};
    const struct sw_label labels[] = {{"exporter", "otlp"}};
    sw_cell_add(cell(&rig, 0, &sent_family, labels, 1), 1);
    check_page(
        &rig,
        SW_ESCAPE_UNDERSCORES,
        "# HELP otelcol_exporter_sent_spans Number of spans \\\\ sent\\n[Alpha]\n"
        "# TYPE otelcol_exporter_sent_spans counter\n"
        "otelcol_exporter_sent_spans{exporter=\"otlp\","
        "otel_scope_name=\"go.opentelemetry.io/collector/exporter/exporterhelper\","
        "otel_scope_schema_url=\"\",otel_scope_version=\"\",service_name=\"my-gateway\"} "
        "1\n" END_OF_PAGE(INFO)
    );
    sw_metrics_free(rig.metrics);
}

static double read_nothing(void *context)
{
    return *(double *)context;
}

static void test_observed_value_that_is_not_there_is_left_out(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    double value = NAN;
    assert_int_equal(
        sw_metrics_observe(rig.metrics, &rss_family, NULL, 0, read_nothing, &value), 0
    );
    check_page(&rig, SW_ESCAPE_UNDERSCORES, END_OF_PAGE(INFO));
    value = 1.5;
    check_page(
        &rig,
        SW_ESCAPE_UNDERSCORES,
        "# HELP otelcol_process_memory_rss Total physical memory (resident set size) [Alpha]\n"
        "# TYPE otelcol_process_memory_rss gauge\n"
        "otelcol_process_memory_rss 1.5\n" END_OF_PAGE(INFO)
    );
    sw_metrics_free(rig.metrics);
}

static void test_scraper_negotiates_the_escaping(void **state)
{
    (void)state;
    assert_int_equal(sw_page_negotiate(""), SW_ESCAPE_UNDERSCORES);
    assert_int_equal(sw_page_negotiate("*/*"), SW_ESCAPE_UNDERSCORES);
    assert_int_equal(
        sw_page_negotiate("text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,*/*;q=0.3"),
        SW_ALLOW_UTF8
    );
    assert_int_equal(
        sw_page_negotiate("text/plain; version=0.0.4; escaping=values"), SW_ESCAPE_VALUES
    );
    assert_int_equal(sw_page_negotiate("text/plain; version=0.0.4; escaping=dots"), SW_ESCAPE_DOTS);
    assert_int_equal(sw_page_negotiate(";;;,,,=;q=x"), SW_ESCAPE_UNDERSCORES);
    assert_string_equal(
        sw_page_content_type(SW_ESCAPE_UNDERSCORES),
        "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
    );
}

static void test_only_the_metrics_path_is_served(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct sw_admin_request request = {.method = "GET", .path = "/", .query = "", .accept = ""};
    struct sw_admin_reply reply = {.status = 200};
    sw_page_handle(&rig.page, &request, &reply);
    assert_int_equal(reply.status, 404);
    assert_string_equal(reply.body.data, "404 page not found\n");
    sw_string_fini(&reply.body);
    request.path = "/metrics";
    reply = (struct sw_admin_reply){.status = 200};
    sw_page_handle(&rig.page, &request, &reply);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body.data, END_OF_PAGE(INFO));
    sw_string_fini(&reply.body);
    sw_metrics_free(rig.metrics);
}

static const struct sw_metric_family own_family = {
    .name = "spanweir_worker_time_seconds",
    .help = "Time",
    .unit = "s",
    .type = SW_COUNTER,
    .level = SW_LEVEL_BASIC,
};

static void test_own_families_are_on_the_page_of_all_only(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    sw_cell_add(cell(&rig, 0, &own_family, NULL, 0), 1);
    check_page(&rig, SW_ESCAPE_UNDERSCORES, END_OF_PAGE(INFO));
    struct sw_admin_request request = {.method = "GET", .path = "/metrics/all", .accept = ""};
    struct sw_admin_reply reply = {.status = 200};
    sw_page_handle(&rig.page, &request, &reply);
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(reply.body.data, "\nspanweir_worker_time_seconds 1\n"));
    assert_non_null(strstr(reply.body.data, "target_info"));
    sw_string_fini(&reply.body);
    sw_metrics_free(rig.metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_recorded_shows_the_target_only),
        cmocka_unit_test(test_bare_names_types_help_and_escapes),
        cmocka_unit_test(test_suffix_mode_appends_units_and_total),
        cmocka_unit_test(test_either_flag_alone_asks_for_all_suffixes),
        cmocka_unit_test(test_histogram_is_cumulative_over_all_cores),
        cmocka_unit_test(test_level_hides_families_above_it),
        cmocka_unit_test(test_names_with_dots_are_written_as_negotiated),
        cmocka_unit_test(test_scope_and_resource_labels_come_when_asked),
        cmocka_unit_test(test_observed_value_that_is_not_there_is_left_out),
        cmocka_unit_test(test_scraper_negotiates_the_escaping),
        cmocka_unit_test(test_only_the_metrics_path_is_served),
        cmocka_unit_test(test_own_families_are_on_the_page_of_all_only),
    };
    return cmocka_run_group_tests_name("page", tests, NULL, NULL);
}
