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
    assert_int_equal(bench_metric(metrics, sent, "server.address", "10.0.0.1"), 3);
    assert_int_equal(bench_metric(metrics, sent, "server.port", "4317"), 3);
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
    assert_int_equal(bench_metric(metrics, sent, "url.path", "/base/v1/traces"), 3);
    assert_int_equal(bench_metric(metrics, sent, "server.port", "4317"), 3);
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

static void http_names(int compression, const char *name)
{
    struct sw_otlphttp_exporter_conf conf = http_conf("http://10.0.0.1:4317");
    char header[64];
    conf.client.compression = compression;
    site_init(&site, SITE_MEMORY);
    site.http1 = true;
    site.on_post = on_post;
    site_listen(&site, 1);
    env_init("otlphttp");
    through(&sw_otlphttp_exporter_class, &conf);
    snprintf(header, sizeof(header), "Content-Encoding: %s\r\n", name);
    assert_non_null(strstr(last_head, header));
    sw_metrics_free(metrics);
    site_fini(&site);
}

static void test_http_exporter_names_the_compression_as_it_is_configured(void **state)
{
    http_names(SW_COMPRESSION_GZIP, "gzip");
    http_names(SW_COMPRESSION_SNAPPY, "snappy");
    http_names(SW_COMPRESSION_ZSTD, "zstd");
    http_names(SW_COMPRESSION_ZLIB, "zlib");
    http_names(SW_COMPRESSION_DEFLATE, "deflate");
    http_names(SW_COMPRESSION_SNAPPY_FRAMED, "x-snappy-framed");
    http_names(SW_COMPRESSION_LZ4, "lz4");
}

static void grpc_names(int compression, const char *name)
{
    struct sw_otlp_exporter_conf conf = grpc_conf("10.0.0.1:4317");
    conf.client.compression = compression;
    site_init(&site, SITE_MEMORY);
    site_listen(&site, 1);
    env_init("otlp");
    through(&sw_otlp_exporter_class, &conf);
    const char *encoding = site_header(&site.requests[0], "grpc-encoding");
    assert_string_equal(encoding != NULL ? encoding : "", name);
    sw_metrics_free(metrics);
    site_fini(&site);
}

static void test_grpc_exporter_names_the_compression_as_it_is_configured(void **state)
{
    grpc_names(SW_COMPRESSION_NONE, "");
    grpc_names(SW_COMPRESSION_GZIP, "gzip");
    grpc_names(SW_COMPRESSION_SNAPPY, "snappy");
    grpc_names(SW_COMPRESSION_ZSTD, "zstd");
}

static void test_http_exporter_refuses_what_it_cannot_do_by_name(void **state)
{
    struct sw_otlphttp_exporter_conf conf = http_conf("https://10.0.0.1:4317");
    refused(&sw_otlphttp_exporter_class, &conf, "endpoint: https:// is not supported yet");
    conf = http_conf("http://10.0.0.1:4317");
    conf.client.proxy_url = "socks5://10.0.0.9:1080";
    refused(
        &sw_otlphttp_exporter_class, &conf, "proxy_url: only proxies with http:// are supported"
    );
}

/* ---- JSON ---- */

static char last_body[4096];

static void on_json(struct server *server, const char *head, const char *body, size_t size)
{
    snprintf(last_body, sizeof(last_body), "%.*s", (int)size, body);
    on_post(server, head, body, size);
}

static void test_http_exporter_writes_json(void **state)
{
    struct sw_otlphttp_exporter_conf conf = http_conf("http://10.0.0.1:4317");
    conf.encoding = SW_OTLP_JSON;
    site_init(&site, SITE_MEMORY);
    site.http1 = true;
    site.on_post = on_json;
    site_listen(&site, 1);
    env_init("otlphttp");
    through(&sw_otlphttp_exporter_class, &conf);
    assert_non_null(strstr(last_head, "Content-Type: application/json\r\n"));
    assert_memory_equal(last_body, "{\"resourceSpans\":[", 18);
    assert_int_equal(last_body[strlen(last_body) - 1], '}');
    sw_metrics_free(metrics);
    site_fini(&site);
}

static void test_json_is_packed_like_protobuf(void **state)
{
    struct sw_otlphttp_exporter_conf conf = http_conf("http://10.0.0.1:4317");
    conf.encoding = SW_OTLP_JSON;
    conf.client.compression = SW_COMPRESSION_GZIP;
    site_init(&site, SITE_MEMORY);
    site.http1 = true;
    site.on_post = on_json;
    site_listen(&site, 1);
    env_init("otlphttp");
    through(&sw_otlphttp_exporter_class, &conf);
    assert_non_null(strstr(last_head, "Content-Encoding: gzip\r\n"));
    assert_memory_equal(last_body, "\x1f\x8b", 2);
    sw_metrics_free(metrics);
    site_fini(&site);
}

/* ---- proxies ---- */

static const char *environment(const char *name)
{
    static const char *const set[][2] = {
        {"http_proxy", "http://me:p%40ss@10.0.0.1:4317"},
        {"HTTPS_PROXY", "10.0.0.1:4317"},
        {"NO_PROXY", "other.example, 10.0.0.3"},
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(set); i++) {
        if (strcmp(set[i][0], name) == 0) {
            return set[i][1];
        }
    }
    return NULL;
}

static void test_http_exporter_asks_the_proxy_for_the_whole_url(void **state)
{
    struct sw_otlphttp_exporter_conf conf = http_conf("http://backend.example:8080/x");
    site_init(&site, SITE_MEMORY);
    site.http1 = true;
    site.on_post = on_post;
    site_listen(&site, 1);
    env_init("otlphttp");
    env.environment = environment;
    through(&sw_otlphttp_exporter_class, &conf);
    static const char expected[] = "POST http://backend.example:8080/x/v1/traces HTTP/1.1\r\n"
                                   "Host: backend.example:8080\r\n";
    assert_memory_equal(last_head, expected, sizeof(expected) - 1);
    assert_non_null(strstr(last_head, "Proxy-Authorization: Basic bWU6cEBzcw==\r\n"));
    const char *sent = "otelcol_exporter_sent_spans";
    assert_int_equal(bench_metric(metrics, sent, "server.address", "backend.example"), 3);
    sw_metrics_free(metrics);
    site_fini(&site);
}

static void test_grpc_exporter_does_not_go_around_a_proxy(void **state)
{
    struct sw_otlp_exporter_conf conf = grpc_conf("10.0.0.2:4317");
    void *shared = NULL;
    site_init(&site, SITE_MEMORY);
    env_init("otlp");
    env.environment = environment;
    assert_int_equal(sw_otlp_exporter_class.shared_new(&env, &conf, &shared), SW_E_UNSUPPORTED);
    assert_memory_equal(why, "HTTPS_PROXY: ", 13);
    conf = grpc_conf("10.0.0.3:4317"); // NO_PROXY
    assert_int_equal(sw_otlp_exporter_class.shared_new(&env, &conf, &shared), 0);
    sw_otlp_exporter_class.shared_free(shared);
    sw_metrics_free(metrics);
    site_fini(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grpc_exporter_introduces_itself_as_a_collector_does),
        cmocka_unit_test(test_grpc_exporter_over_kernel_sockets_with_a_queue),
        cmocka_unit_test(test_grpc_exporter_refuses_what_it_cannot_do_by_name),
        cmocka_unit_test(test_http_exporter_posts_to_the_signals_path),
        cmocka_unit_test(test_http_exporter_takes_the_signals_own_url),
        cmocka_unit_test(test_http_exporter_names_the_compression_as_it_is_configured),
        cmocka_unit_test(test_grpc_exporter_names_the_compression_as_it_is_configured),
        cmocka_unit_test(test_http_exporter_refuses_what_it_cannot_do_by_name),
        cmocka_unit_test(test_http_exporter_writes_json),
        cmocka_unit_test(test_json_is_packed_like_protobuf),
        cmocka_unit_test(test_http_exporter_asks_the_proxy_for_the_whole_url),
        cmocka_unit_test(test_grpc_exporter_does_not_go_around_a_proxy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
