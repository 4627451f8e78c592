/* Three signals through one receiver: paths and services of each, its own pipeline and its own counts; what no
 * pipeline takes is not served. And the limits of both endpoints as they are configured. */
#include "tests/unit/dataplane/receive/bed.h"

#define SUCCESS "\x0a\x00"
#define PB_200                                                                                     \
    "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 2\r\n\r\n"
#define NOT_FOUND                                                                                  \
    "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n"                        \
    "X-Content-Type-Options: nosniff\r\nContent-Length: 19\r\n\r\n"

// A gauge with two points; two records, one with a body.
static const uint8_t metrics_body[] = {
    0x0a, 0x1f, 0x12, 0x1d, 0x12, 0x1b, 0x0a, 0x01, 'm',  0x2a, 0x16,
    0x0a, 0x09, 0x31, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x0a, 0x09, 0x31, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
};
static const uint8_t logs_body[] = {
    0x0a,
    0x0f,
    0x12,
    0x0d,
    0x12,
    0x07,
    0x2a,
    0x05,
    0x0a,
    0x03,
    'l',
    'o',
    'g',
    0x12,
    0x02,
    0x10,
    0x09,
};

static const char *const services[SW_SIGNALS_COUNT] = {
    [SW_TRACES] = BED_EXPORT,
    [SW_METRICS] = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    [SW_LOGS] = "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
};
static const char *const accepted[SW_SIGNALS_COUNT] = {
    [SW_TRACES] = "otelcol_receiver_accepted_spans",
    [SW_METRICS] = "otelcol_receiver_accepted_metric_points",
    [SW_LOGS] = "otelcol_receiver_accepted_log_records",
};
static const char *const refused[SW_SIGNALS_COUNT] = {
    [SW_TRACES] = "otelcol_receiver_refused_spans",
    [SW_METRICS] = "otelcol_receiver_refused_metric_points",
    [SW_LOGS] = "otelcol_receiver_refused_log_records",
};
static const char *const failed[SW_SIGNALS_COUNT] = {
    [SW_TRACES] = "otelcol_receiver_failed_spans",
    [SW_METRICS] = "otelcol_receiver_failed_metric_points",
    [SW_LOGS] = "otelcol_receiver_failed_log_records",
};

// Those of metrics and logs; that of traces is the bed's.
static struct bench_keeper keepers[SW_SIGNALS_COUNT];

static void all_signals(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    for (enum sw_signal signal = SW_METRICS; signal <= SW_LOGS; signal++) {
        bench_keeper_init(&keepers[signal], env->core);
        env->entries[signal] = &keepers[signal].stage;
    }
    conf->protocols.http.metrics_url_path = "/v1/metrics";
    conf->protocols.http.logs_url_path = "/v1/logs";
}

static struct bench_keeper *keeper_of(struct bed *bed, enum sw_signal signal)
{
    return signal == SW_TRACES ? &bed->keeper : &keepers[signal];
}

// Two items of the signal.
static struct sw_buf *body_of(enum sw_signal signal)
{
    switch (signal) {
    case SW_METRICS:
        return sw_buf_copy(NULL, metrics_body, sizeof(metrics_body));
    case SW_LOGS:
        return sw_buf_copy(NULL, logs_body, sizeof(logs_body));
    default:
        return bed_request(0, 2);
    }
}

static void post_to(
    struct bed_client *client,
    const char *path,
    const char *type,
    const void *data,
    size_t size
)
{
    char head[512];
    snprintf(
        head,
        sizeof(head),
        "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
        path,
        type,
        size
    );
    bed_send_text(client, head);
    bed_send(client, data, size);
}

static void post_body(struct bed_client *client, const char *path, enum sw_signal signal)
{
    struct sw_buf *body = body_of(signal);
    post_to(client, path, "application/x-protobuf", body->data, body->size);
    sw_buf_unref(body);
}

static void
call_service(struct bed *bed, struct bed_client *client, struct bed_rpc *rpc, enum sw_signal signal)
{
    struct bed_header path = {":path", services[signal]};
    struct sw_buf *body = body_of(signal);
    bed_call(client, rpc, bed_frame(0, body), &path, 1);
    bed_until(bed, rpc->closed);
    sw_buf_unref(body);
}

static void each_signal(struct bed *bed, const char *const *paths)
{
    struct bed_rpc rpc;
    struct bed_client *grpc = bed_connect_grpc(bed);
    struct bed_client *http = bed_connect_http(bed);
    for (enum sw_signal signal = SW_TRACES; signal <= SW_LOGS; signal++) {
        call_service(bed, grpc, &rpc, signal);
        bed_assert_ok(&rpc);
        assert_int_equal(keeper_of(bed, signal)->items_count, 2);
        post_body(http, paths[signal], signal);
        bed_until(bed, bed_responses_count(http) == 1);
        bed_assert_response_text(http, PB_200, SUCCESS);
        assert_int_equal(keeper_of(bed, signal)->items_count, 4);
        assert_int_equal(bed_count(bed, accepted[signal], "transport", "grpc"), 2);
        assert_int_equal(bed_count(bed, accepted[signal], "transport", "http"), 2);
        assert_int_equal(bed_count(bed, refused[signal], NULL, NULL), 0);
        assert_int_equal(bed_count(bed, failed[signal], NULL, NULL), 0);
    }
}

static void test_each_signal_goes_to_its_pipeline_and_is_counted(void **state)
{
    static const char *const paths[] = {"/v1/traces", "/v1/metrics", "/v1/logs"};
    for (enum bed_kind kind = BED_TCP; kind <= BED_TROUBLED; kind++) {
        struct bed bed;
        bed_init_conf(&bed, kind, 9, all_signals);
        each_signal(&bed, paths);
        bed_fini(&bed);
    }
}

static void own_paths(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    all_signals(env, conf);
    conf->protocols.http.traces_url_path = "/in/spans";
    conf->protocols.http.metrics_url_path = "/in/points/";
    conf->protocols.http.logs_url_path = "/v1/traces";
}

static void test_paths_are_those_of_the_configuration(void **state)
{
    static const char *const paths[] = {"/in/spans?x=1", "/in/points/", "/v1/traces"};
    static const char *const unknown[] = {
        "/v1/metrics", "/v1/logs", "/in/points", "/in/Spans", "/"};
    struct bed bed;
    bed_init_conf(&bed, BED_MEMORY, 1, own_paths);
    each_signal(&bed, paths);
    struct bed_client *client = bed_connect_http(&bed);
    for (size_t i = 0; i < SW_ARRAY_SIZE(unknown); i++) {
        post_body(client, unknown[i], SW_LOGS);
        bed_until(&bed, bed_responses_count(client) == 1);
        bed_assert_response_text(client, NOT_FOUND, "404 page not found\n");
    }
    bed_fini(&bed);
}

static void test_signal_without_a_pipeline_is_not_served(void **state)
{
    struct bed bed;
    struct bed_rpc rpc;
    bed_init(&bed, BED_MEMORY);
    struct bed_client *grpc = bed_connect_grpc(&bed);
    struct bed_client *http = bed_connect_http(&bed);
    call_service(&bed, grpc, &rpc, SW_METRICS);
    bed_assert_failed(
        &rpc, "12", "unknown service opentelemetry.proto.collector.metrics.v1.MetricsService"
    );
    call_service(&bed, grpc, &rpc, SW_LOGS);
    bed_assert_failed(
        &rpc, "12", "unknown service opentelemetry.proto.collector.logs.v1.LogsService"
    );
    post_body(http, "/v1/logs", SW_LOGS);
    bed_until(&bed, bed_responses_count(http) == 1);
    bed_assert_response_text(http, NOT_FOUND, "404 page not found\n");
    bed_fini(&bed);
}

static void test_refusal_counts_for_its_signal_alone(void **state)
{
    struct bed bed;
    struct bed_rpc rpc;
    bed_init_conf(&bed, BED_MEMORY, 1, all_signals);
    struct bed_client *grpc = bed_connect_grpc(&bed);
    struct bed_client *http = bed_connect_http(&bed);
    keepers[SW_LOGS].refuse = SW_E_MEMORY_LIMIT;
    keepers[SW_METRICS].outcome_err = SW_E_QUEUE_FULL;
    call_service(&bed, grpc, &rpc, SW_LOGS);
    bed_assert_failed(&rpc, "14", "data refused due to high memory usage");
    call_service(&bed, grpc, &rpc, SW_METRICS);
    bed_assert_failed(&rpc, "14", "sending queue is full");
    post_body(http, "/v1/logs", SW_LOGS);
    bed_until(&bed, bed_responses_count(http) == 1);
    assert_memory_equal(http->text, "HTTP/1.1 503 ", 13);
    call_service(&bed, grpc, &rpc, SW_TRACES);
    bed_assert_ok(&rpc);
    assert_int_equal(bed_count(&bed, refused[SW_LOGS], "transport", "grpc"), 2);
    assert_int_equal(bed_count(&bed, refused[SW_LOGS], "transport", "http"), 2);
    assert_int_equal(bed_count(&bed, refused[SW_METRICS], "transport", "grpc"), 2);
    assert_int_equal(bed_count(&bed, accepted[SW_METRICS], "transport", "grpc"), 0);
    assert_int_equal(bed_count(&bed, refused[SW_TRACES], NULL, NULL), 0);
    bed_fini(&bed);
}

static void test_body_of_another_signal_is_judged_by_its_path(void **state)
{
    struct bed bed;
    bed_init_conf(&bed, BED_MEMORY, 1, all_signals);
    struct bed_client *client = bed_connect_http(&bed);
    post_body(client, "/v1/traces", SW_METRICS); // field 5 of a span is a name, of a metric a gauge
    post_body(client, "/v1/logs", SW_TRACES);
    bed_until(&bed, bed_responses_count(client) == 2);
    assert_memory_equal(client->text, "HTTP/1.1 400 ", 13);
    assert_int_equal(keepers[SW_METRICS].kept_count, 0);
    bed_fini(&bed);
}

/* ---- JSON ---- */

static void test_each_signal_is_read_from_json(void **state)
{
    static const struct {
        enum sw_signal signal;
        const char *path;
        const char *text;
    } rows[] = {
        {SW_TRACES,
         "/v1/traces",
         "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{},{\"name\":\"b\"}]}]}]}"},
        {SW_METRICS,
         "/v1/metrics",
         "{\"resource_metrics\":[{\"scope_metrics\":[{\"metrics\":[{\"name\":\"m\",\"gauge\":"
         "{\"data_points\":[{\"as_int\":\"1\"},{\"asInt\":2}]}}]}]}]}"},
        {SW_LOGS,
         "/v1/logs",
         "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"stringValue\":\"log\"}},"
         "{\"severityNumber\":\"SEVERITY_NUMBER_INFO\"}]}]}]}"},
    };
    struct bed bed;
    bed_init_conf(&bed, BED_MEMORY, 1, all_signals);
    struct bed_client *client = bed_connect_http(&bed);
    for (size_t i = 0; i < SW_ARRAY_SIZE(rows); i++) {
        post_to(client, rows[i].path, "application/json", rows[i].text, strlen(rows[i].text));
        bed_until(&bed, bed_responses_count(client) == 1);
        bed_assert_response_text(
            client,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n",
            "{\"partialSuccess\":{}}"
        );
        assert_int_equal(keeper_of(&bed, rows[i].signal)->items_count, 2);
        assert_int_equal(bed_count(&bed, accepted[rows[i].signal], "transport", "http"), 2);
    }
    bed_fini(&bed);
}

/* ---- limits ---- */

static void small(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    all_signals(env, conf);
    conf->protocols.grpc.max_recv_msg_size_mib = 1;
    conf->protocols.http.server.max_request_body_size = 1000;
}

static void test_limits_of_the_endpoints_hold_for_every_signal(void **state)
{
    struct bed bed;
    struct bed_rpc rpc;
    bed_init_conf(&bed, BED_MEMORY, 1, small);
    struct bed_client *grpc = bed_connect_grpc(&bed);
    struct bed_client *http = bed_connect_http(&bed);
    struct sw_buf *large = bed_request(0, 40000);
    struct sw_buf *fits = bed_request(0, 20000);
    struct sw_buf *packed = bed_pack(SW_CODING_GZIP, large);
    struct bed_header gzip = {"grpc-encoding", "gzip"};
    assert_true(large->size > 1 << 20 && fits->size < 1 << 20 && packed->size < 1 << 20);
    char text[128];
    snprintf(
        text,
        sizeof(text),
        "grpc: received message larger than max (%u vs. %u)",
        large->size,
        1u << 20
    );
    bed_call(grpc, &rpc, bed_frame(0, large), NULL, 0);
    bed_until(&bed, rpc.closed);
    bed_assert_failed(&rpc, "8", text);
    bed_call(grpc, &rpc, bed_frame(1, packed), &gzip, 1);
    bed_until(&bed, rpc.closed);
    bed_assert_failed(
        &rpc, "8", "grpc: received message after decompression larger than max 1048576"
    );
    bed_call(grpc, &rpc, bed_frame(0, fits), NULL, 0);
    bed_until(&bed, rpc.closed);
    bed_assert_ok(&rpc);
    post_to(http, "/v1/logs", "application/x-protobuf", large->data, 1001);
    bed_until(&bed, bed_responses_count(http) == 1);
    bed_assert_response_text(
        http,
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/x-protobuf\r\n"
        "Content-Length: 32\r\n\r\n",
        "\x08\x03\x12\x1chttp: request body too large"
    );
    post_body(http, "/v1/logs", SW_LOGS);
    bed_until(&bed, bed_responses_count(http) == 1);
    bed_assert_response_text(http, PB_200, SUCCESS);
    assert_int_equal(
        bed_count(&bed, "spanweir_receiver_rejected_requests", "reason", "too_large"), 3
    );
    sw_buf_unref(large);
    sw_buf_unref(fits);
    sw_buf_unref(packed);
    bed_fini(&bed);
}

static void test_largest_message_of_a_configuration_is_that_of_either_endpoint(void **state)
{
    struct sw_otlp_receiver_conf conf = {0};
    conf.protocols.grpc.enabled = true;
    assert_int_equal(sw_otlp_receiver_message_max(&conf), 4 << 20);
    conf.protocols.http.enabled = true;
    assert_int_equal(sw_otlp_receiver_message_max(&conf), 20 << 20);
    conf.protocols.http.server.max_request_body_size = -1; // as 0
    assert_int_equal(sw_otlp_receiver_message_max(&conf), 20 << 20);
    conf.protocols.grpc.max_recv_msg_size_mib = 64;
    assert_int_equal(sw_otlp_receiver_message_max(&conf), 64 << 20);
    conf.protocols.grpc.max_recv_msg_size_mib = 1 << 20; // as far as a length goes
    assert_int_equal(sw_otlp_receiver_message_max(&conf), INT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_signal_goes_to_its_pipeline_and_is_counted),
        cmocka_unit_test(test_paths_are_those_of_the_configuration),
        cmocka_unit_test(test_signal_without_a_pipeline_is_not_served),
        cmocka_unit_test(test_refusal_counts_for_its_signal_alone),
        cmocka_unit_test(test_body_of_another_signal_is_judged_by_its_path),
        cmocka_unit_test(test_each_signal_is_read_from_json),
        cmocka_unit_test(test_limits_of_the_endpoints_hold_for_every_signal),
        cmocka_unit_test(test_largest_message_of_a_configuration_is_that_of_either_endpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
