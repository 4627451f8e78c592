/* The otlp_grpc and otlp_http exporters whole: from their configuration to the wire. */
#include "dataplane/send/otlp_exporter.h"
#include "dataplane/send/otlphttp_exporter.h"
#include "dataplane/send/otlphttp_exporter_conf.h"
#include "tests/unit/dataplane/send/site.h"

static struct site site;
static struct sw_metrics *metrics;
static struct sw_stage_env env;
static char why[256];
static char last_head[4096];

static void env_init(const char *id)
{
    assert_int_equal(sw_metrics_new(1, &metrics), 0);
    why[0] = '\0';
    env = (struct sw_stage_env){
        .id = id,
        .signal = SW_TRACES,
        .metrics = metrics,
        .account = &site.account,
        .cores_count = 1,
        .error = why,
        .error_size = sizeof(why),
    };
}

static struct sw_otlp_exporter_conf grpc_conf(const char *endpoint)
{
    return (struct sw_otlp_exporter_conf){
        .client =
            {
                .endpoint = endpoint,
                .compression = SW_COMPRESSION_GZIP,
                .user_agent = "",
                .balancer_name = "round_robin",
                .authority = "",
            },
        .timeout_ns = 5 * (int64_t)SW_NS_PER_S,
        .sending_queue = {.storage = ""},
    };
}

static struct sw_otlphttp_exporter_conf http_conf(const char *endpoint)
{
    return (struct sw_otlphttp_exporter_conf){
        .client =
            {
                .endpoint = endpoint,
                .timeout_ns = 30 * (int64_t)SW_NS_PER_S,
                .compression = SW_COMPRESSION_NONE,
                .max_idle_conns = 100,
                .idle_conn_timeout_ns = 90 * (int64_t)SW_NS_PER_S,
            },
        .traces_endpoint = "",
        .metrics_endpoint = "",
        .logs_endpoint = "",
        .profiles_endpoint = "",
        .sending_queue = {.storage = ""},
    };
}

static void on_post(struct server *server, const char *head, const char *body, size_t size)
{
    snprintf(last_head, sizeof(last_head), "%s", head);
    site_write(server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

// Makes the exporter, sends three spans through it and lets it end.
static void through(const struct sw_stage_class *class, const void *conf)
{
    void *shared = NULL;
    struct sw_stage *stage = NULL;
    struct bench_ticket ticket;
    assert_int_equal(class->shared_new(&env, conf, &shared), 0);
    assert_int_equal(class->create(&env, conf, shared, &site.cores[0], NULL, &stage), 0);
    assert_int_equal(stage->ops->start(stage), 0);
    assert_int_equal(bench_hand_over(stage, bench_batch(3), &ticket), 0);
    site_until(&site, ticket.settled_count == 1);
    assert_int_equal(ticket.err, 0);
    site_until(&site, stage->ops->drain(stage, SW_TIME_NEVER) == SW_OK);
    site_rest(&site);
    assert_int_equal(site_open_count(&site), 0);
    stage->ops->free(stage);
    class->shared_free(shared);
}

static void refused(const struct sw_stage_class *class, const void *conf, const char *text)
{
    void *shared = NULL;
    site_init(&site, SITE_MEMORY);
    env_init("x");
    assert_int_not_equal(class->shared_new(&env, conf, &shared), 0);
    assert_string_equal(why, text);
    sw_metrics_free(metrics);
    site_fini(&site);
}

static void test_grpc_exporter_introduces_itself_as_a_collector_does(void **state)
{
    struct sw_pair headers[] = {{"X-Tenant", "t1"}};
    struct sw_otlp_exporter_conf conf = grpc_conf("http://10.0.0.1:4317");
    conf.client.headers = (struct sw_list){headers, 1};
    site_init(&site, SITE_MEMORY);
    site_listen(&site, 1);
    env_init("otlp");
    through(&sw_otlp_exporter_class, &conf);
    struct request *request = &site.requests[0];
    assert_string_equal(site_header(request, ":authority"), "10.0.0.1:4317");
    assert_string_equal(
        site_header(request, ":path"), "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    );
    assert_string_equal(site_header(request, "x-tenant"), "t1");
    assert_string_equal(site_header(request, "grpc-encoding"), "gzip");
    assert_string_equal(site_header(request, "grpc-timeout"), "5000000u");
    const char *agent = site_header(request, "user-agent");
    assert_memory_equal(agent, "spanweir/", 9);
    assert_non_null(strstr(agent, ") grpc-go/"));
    const char *sent = "otelcol_exporter_sent_spans";
    assert_int_equal(bench_metric(metrics, sent, "server_address", "10.0.0.1"), 3);
    assert_int_equal(bench_metric(metrics, sent, "server_port", "4317"), 3);
    sw_metrics_free(metrics);
    site_fini(&site);
}

static void test_grpc_exporter_over_kernel_sockets_with_a_queue(void **state)
{
    char endpoint[32];
    site_init(&site, SITE_KERNEL);
    snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%u", site.port);
    struct sw_otlp_exporter_conf conf = grpc_conf(endpoint);
    conf.sending_queue.enabled = true;
    conf.sending_queue.num_consumers = 10;
    conf.sending_queue.queue_size = 1000;
    conf.client.user_agent = "mine/2";
    conf.client.authority = "other";
    env_init("otlp/2");
    through(&sw_otlp_exporter_class, &conf);
    assert_string_equal(site_header(&site.requests[0], ":authority"), "other");
    assert_memory_equal(site_header(&site.requests[0], "user-agent"), "mine/2 grpc-go/", 15);
    assert_int_equal(bench_metric(metrics, "otelcol_exporter_sent_spans", "exporter", "otlp/2"), 3);
    sw_metrics_free(metrics);
    site_fini(&site);
}

static void test_grpc_exporter_refuses_what_it_cannot_do_by_name(void **state)
{
    struct sw_otlp_exporter_conf conf = grpc_conf("10.0.0.1:4317");
    conf.client.compression = SW_COMPRESSION_OTHER;
    refused(&sw_otlp_exporter_class, &conf, "compression: only gzip and none are supported yet");
    conf = grpc_conf("10.0.0.1:4317");
    conf.client.balancer_name = "weighted";
    refused(
        &sw_otlp_exporter_class,
        &conf,
        "balancer_name: only round_robin and pick_first are supported"
    );
}

static void test_http_exporter_posts_to_the_signals_path(void **state)
{
    struct sw_otlphttp_exporter_conf conf = http_conf("http://10.0.0.1:4317/base/");
    site_init(&site, SITE_MEMORY);
    site.http1 = true;
    site.on_post = on_post;
    site_listen(&site, 1);
    env_init("otlphttp");
    through(&sw_otlphttp_exporter_class, &conf);
    assert_memory_equal(last_head, "POST /base/v1/traces HTTP/1.1\r\nHost: 10.0.0.1:4317\r\n", 52);
    const char *sent = "otelcol_exporter_sent_spans";
    assert_int_equal(bench_metric(metrics, sent, "url_path", "/base/v1/traces"), 3);
    assert_int_equal(bench_metric(metrics, sent, "server_port", "4317"), 3);
    sw_metrics_free(metrics);
    site_fini(&site);
}

static void test_http_exporter_takes_the_signals_own_url(void **state)
{
    struct sw_otlphttp_exporter_conf conf = http_conf("");
    conf.traces_endpoint = "http://10.0.0.1:4317";
    conf.client.compression = SW_COMPRESSION_GZIP;
    site_init(&site, SITE_MEMORY);
    site.http1 = true;
    site.on_post = on_post;
    site_listen(&site, 1);
    env_init("otlphttp");
    through(&sw_otlphttp_exporter_class, &conf);
    assert_memory_equal(last_head, "POST / HTTP/1.1\r\n", 17);
    assert_non_null(strstr(last_head, "Content-Encoding: gzip\r\n"));
    assert_non_null(strstr(last_head, "User-Agent: spanweir/"));
    sw_metrics_free(metrics);
    site_fini(&site);
}

static void test_http_exporter_refuses_what_it_cannot_do_by_name(void **state)
{
    struct sw_otlphttp_exporter_conf conf = http_conf("https://10.0.0.1:4317");
    refused(&sw_otlphttp_exporter_class, &conf, "endpoint: https:// is not supported yet");
    conf = http_conf("http://10.0.0.1:4317");
    conf.encoding = SW_OTLP_JSON;
    refused(&sw_otlphttp_exporter_class, &conf, "encoding: only proto is supported yet");
    conf = http_conf("http://10.0.0.1:4317");
    conf.client.compression = SW_COMPRESSION_OTHER;
    refused(
        &sw_otlphttp_exporter_class, &conf, "compression: only gzip and none are supported yet"
    );
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grpc_exporter_introduces_itself_as_a_collector_does),
        cmocka_unit_test(test_grpc_exporter_over_kernel_sockets_with_a_queue),
        cmocka_unit_test(test_grpc_exporter_refuses_what_it_cannot_do_by_name),
        cmocka_unit_test(test_http_exporter_posts_to_the_signals_path),
        cmocka_unit_test(test_http_exporter_takes_the_signals_own_url),
        cmocka_unit_test(test_http_exporter_refuses_what_it_cannot_do_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
