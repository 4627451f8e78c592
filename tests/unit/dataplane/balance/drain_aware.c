/* drain_aware: a backend that has said that it will end gets no traces that are new, and ends what it has
 * begun. */
#include "dataplane/balance/balance_internal.h"
#include "dataplane/pipeline/drain_notice.h"
#include "tests/unit/dataplane/send/site.h"

#define BACKENDS 3u
#define TRACES   60u

static struct site site;
static struct sw_metrics *metrics;
static struct sw_loadbalancing_exporter_conf conf;
static struct sw_resolver_static_conf list;
static const char *hostnames[BACKENDS] = {"10.0.0.1:4317", "10.0.0.2:4317", "10.0.0.3:4317"};
static struct sw_value_entry settings[] = {
    {"drain_aware", {.kind = SW_VALUE_BOOL, .boolean = true}},
};
static const struct sw_appliance_view view = {
    .kind = "exporter",
    .id = "load_balancing",
    .settings = {.kind = SW_VALUE_MAP, .list = {settings, 1}},
};
static char why[256];
static struct sw_stage_env env;
static void *shared;
static struct sw_stage *stage;

static void conf_init(const char *routing_key)
{
    list.hostnames = (struct sw_list){hostnames, BACKENDS};
    conf = (struct sw_loadbalancing_exporter_conf){
        .routing_key = routing_key,
        .sending_queue = {.storage = ""},
        .protocol.otlp =
            {
                .client =
                    {
                        .compression = SW_COMPRESSION_NONE,
                        .user_agent = "",
                        .balancer_name = "round_robin",
                        .authority = "",
                    },
                .timeout_ns = 5 * (int64_t)SW_NS_PER_S,
                .sending_queue = {.storage = ""},
            },
        .resolver.static_list = &list,
    };
    env = (struct sw_stage_env){
        .id = "load_balancing",
        .signal = SW_TRACES,
        .metrics = metrics,
        .account = &site.account,
        .cores_count = 1,
        .appliance = &view,
        .error = why,
        .error_size = sizeof(why),
    };
    why[0] = '\0';
}

static void on_request(struct request *request)
{
    site_answer_ok(request);
}

static void begin(void)
{
    site_init(&site, SITE_MEMORY);
    site.on_request = on_request;
    for (unsigned i = 0; i < BACKENDS; i++) {
        site_listen(&site, i + 1);
    }
    assert_int_equal(sw_metrics_new(2, &metrics), 0);
    conf_init("");
    const struct sw_stage_class *class = &sw_loadbalancing_exporter_class;
    assert_int_equal(class->shared_new(&env, &conf, &shared), 0);
    assert_int_equal(class->create(&env, &conf, shared, &site.cores[0], NULL, &stage), 0);
    assert_int_equal(stage->ops->start(stage), 0);
    site_rest(&site);
    assert_int_equal(site_open_count(&site), BACKENDS);
}

static void end(void)
{
    site_until(&site, stage->ops->drain(stage, SW_TIME_NEVER) == SW_OK);
    site_rest(&site);
    stage->ops->free(stage);
    sw_loadbalancing_exporter_class.shared_free(shared);
    sw_metrics_free(metrics);
    site_fini(&site);
}

// @return the backend that got it
static unsigned give(uint32_t trace)
{
    struct bench_ticket ticket;
    site.requests_count = 0;
    assert_int_equal(bench_hand_over(stage, bench_batch_in(NULL, trace, 1, 0), &ticket), 0);
    site_until(&site, ticket.settled_count == 1);
    assert_int_equal(ticket.err, 0);
    site_rest(&site);
    assert_int_equal(site.requests_count, 1);
    unsigned backend = site.requests[0].server->listener;
    sw_buf_unref(site.requests[0].body);
    site.requests[0].body = NULL;
    return backend;
}

static void say_goodbye(unsigned backend, const char *text)
{
    for (unsigned i = 0; i < site.servers_count; i++) {
        struct server *server = &site.servers[i];
        if (server->listener == backend && server->h2 != NULL) {
            sw_h2_goaway(server->h2, text);
        }
    }
    site_flush(&site);
    site_rest(&site);
}

static void announce(unsigned backend, uint64_t notice_ns)
{
    char text[SW_DRAIN_NOTICE_TEXT];
    sw_drain_notice_write(notice_ns, text);
    say_goodbye(backend, text);
}

static void test_backend_that_will_end_ends_what_it_has_begun(void **state)
{
    unsigned owners[TRACES];
    unsigned first_count = 0;
    begin();
    for (uint32_t i = 0; i < TRACES; i++) {
        owners[i] = give(i);
        first_count += owners[i] == 0;
    }
    assert_true(first_count > 0 && first_count < TRACES);
    site_advance(&site, 5 * SW_NS_PER_S);
    announce(0, 30 * SW_NS_PER_S);
    assert_int_equal(bench_metric(metrics, "spanweir_loadbalancer_backends_ending", NULL, NULL), 1);
    for (uint32_t i = 0; i < TRACES; i++) {
        assert_int_equal(give(i), owners[i]);
    }
    unsigned second[TRACES];
    for (uint32_t i = 0; i < TRACES; i++) {
        second[i] = give(1000 + i);
        assert_int_not_equal(second[i], 0);
    }
    // Who took a trace in goes on with it.
    announce(1, 60 * SW_NS_PER_S);
    for (uint32_t i = 0; i < TRACES; i++) {
        assert_int_equal(give(1000 + i), second[i]);
        assert_int_equal(give(2000 + i), 2);
    }
    end();
}

static void test_backend_that_has_a_connection_after_its_end_is_back(void **state)
{
    unsigned owners[TRACES];
    begin();
    for (uint32_t i = 0; i < TRACES; i++) {
        owners[i] = give(i);
    }
    site_advance(&site, 5 * SW_NS_PER_S);
    announce(0, 30 * SW_NS_PER_S);
    site_advance(&site, 20 * SW_NS_PER_S);
    unsigned first_count = 0;
    for (uint32_t i = 0; i < TRACES; i++) {
        first_count += give(1000 + i) == 0;
    }
    assert_int_equal(first_count, 0);
    site_advance(&site, 20 * SW_NS_PER_S);
    assert_int_equal(bench_metric(metrics, "spanweir_loadbalancer_backends_ending", NULL, NULL), 0);
    for (uint32_t i = 0; i < TRACES; i++) {
        first_count += give(2000 + i) == 0;
        assert_int_equal(give(i), owners[i]);
    }
    assert_true(first_count > 0);
    end();
}

static void test_where_all_will_end_each_trace_goes_to_its_owner(void **state)
{
    unsigned counts[BACKENDS] = {0};
    begin();
    site_advance(&site, 5 * SW_NS_PER_S);
    for (unsigned i = 0; i < BACKENDS; i++) {
        announce(i, 30 * SW_NS_PER_S);
    }
    for (uint32_t i = 0; i < TRACES; i++) {
        counts[give(i)]++;
    }
    for (unsigned i = 0; i < BACKENDS; i++) {
        assert_true(counts[i] > 0);
    }
    end();
}

static void test_other_goodbyes_change_nothing(void **state)
{
    unsigned first_count = 0;
    begin();
    site_advance(&site, 5 * SW_NS_PER_S);
    say_goodbye(0, "graceful_stop");
    for (uint32_t i = 0; i < TRACES; i++) {
        first_count += give(i) == 0;
    }
    assert_true(first_count > 0);
    end();
}

static void test_another_routing_key_is_refused(void **state)
{
    site_init(&site, SITE_MEMORY);
    metrics = NULL;
    conf_init("service");
    assert_int_equal(
        sw_loadbalancing_exporter_class.shared_new(&env, &conf, &shared), SW_E_INVALID
    );
    assert_string_equal(why, "drain_aware needs the routing_key traceID");
    site_fini(&site);
}

/* ---- the memory ---- */

static void test_keys_are_known_to_all_cores_and_the_oldest_are_forgotten(void **state)
{
    struct recent *recent;
    struct sw_rand rand;
    uint64_t key[2] = {0, 1};
    unsigned known = 0;
    sw_rand_init(&rand, 11);
    assert_int_equal(sw_recent_new(2, &recent), 0);
    sw_recent_seed(recent, &rand);
    for (key[0] = 0; key[0] < RECENT_KEYS / 2; key[0]++) {
        sw_recent_add(recent, key[0] % 2, sw_recent_hash(recent, key, sizeof(key)), 7);
    }
    for (key[0] = 0; key[0] < RECENT_KEYS / 2; key[0]++) {
        uint64_t hash = sw_recent_hash(recent, key, sizeof(key));
        known += sw_recent_has(recent, hash, 7);
        assert_false(sw_recent_has(recent, hash, 8));
    }
    assert_true(known > RECENT_KEYS / 2 / 100 * 98); // a few buckets have overflowed
    for (key[0] = 0; key[0] < 8 * RECENT_KEYS; key[0]++) {
        sw_recent_add(recent, 0, sw_recent_hash(recent, key, sizeof(key)), 9);
    }
    known = 0;
    for (key[0] = 8 * RECENT_KEYS - 1000; key[0] < 8 * RECENT_KEYS; key[0]++) {
        known += sw_recent_has(recent, sw_recent_hash(recent, key, sizeof(key)), 9);
    }
    assert_int_equal(known, 1000);
    known = 0;
    for (key[0] = 0; key[0] < 1000; key[0]++) {
        known += sw_recent_has(recent, sw_recent_hash(recent, key, sizeof(key)), 9);
    }
    assert_true(known < 100);
    sw_recent_free(recent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backend_that_will_end_ends_what_it_has_begun),
        cmocka_unit_test(test_backend_that_has_a_connection_after_its_end_is_back),
        cmocka_unit_test(test_where_all_will_end_each_trace_goes_to_its_owner),
        cmocka_unit_test(test_other_goodbyes_change_nothing),
        cmocka_unit_test(test_another_routing_key_is_refused),
        cmocka_unit_test(test_keys_are_known_to_all_cores_and_the_oldest_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
