/* Durations of calls, at level detailed only. */
#include "dataplane/send/measure.h"

#include "tests/lib/bench.h"

static struct sw_core core;
static struct sw_account account;
static struct bench_push attempt;
static struct sw_metrics *metrics;
static struct sw_push *push;
static struct sw_push_call call;
static int ends_count;

static const struct sw_label address[] = {{"server.address", "backend"}, {"server.port", "4317"}};

static void ended(struct sw_push_call *ended_call, struct sw_outcome *outcome)
{
    assert_ptr_equal(ended_call, &call);
    sw_outcome_fini(outcome);
    ends_count++;
}

static void open_rig(enum sw_call_kind kind, enum sw_metric_level level)
{
    bench_core_init(&core, &account);
    bench_push_init(&attempt, &core);
    assert_int_equal(sw_metrics_new(1, &metrics), 0);
    sw_metrics_set_level(metrics, level);
    struct sw_stage_env env = {.id = "otlp", .signal = SW_TRACES, .metrics = metrics};
    assert_int_equal(sw_measure_new(&env, kind, address, &core, &attempt.push, &push), 0);
    ends_count = 0;
}

static void close_rig(void)
{
    sw_push_close(push);
    sw_push_free(push);
    assert_true(attempt.freed);
    sw_metrics_free(metrics);
}

/* One call that takes so long and is told this; the attempt says what it knows of HTTP. */
static void run(uint64_t took_ns, struct sw_outcome *outcome, unsigned status, uint64_t bytes)
{
    call = (struct sw_push_call){
        .batch = bench_batch(1),
        .done = ended,
        .deadline_ns = SW_TIME_NEVER,
    };
    int before = ends_count;
    sw_push_start(push, &call);
    core.now_ns += took_ns;
    attempt.calls[0]->http_status = status;
    attempt.calls[0]->body_bytes = bytes;
    bench_push_answer(&attempt, outcome);
    assert_int_equal(ends_count, before + 1);
    sw_batch_free(call.batch);
}

static double counted(const char *name, const char *label, const char *value)
{
    return bench_metric(metrics, name, label, value);
}

#define RPC    "rpc.client.call.duration"
#define HTTP   "http.client.request.duration"
#define BODY   "http.client.request.body.size"
#define CODE   "rpc.response.status_code"
#define STATUS "http.response.status_code"

static void test_grpc_calls_are_counted_by_their_code(void **state)
{
    (void)state;
    open_rig(SW_CALL_GRPC, SW_LEVEL_DETAILED);
    assert_ptr_not_equal(push, &attempt.push);
    struct sw_outcome unavailable = {.err = SW_E_REFUSED, .grpc_code = 14};
    struct sw_outcome late = {.err = SW_E_TIMEOUT};
    struct sw_outcome gone = {.err = SW_E_RESET};
    run(SW_NS_PER_S, NULL, 0, 0);
    run(SW_NS_PER_MS, &unavailable, 0, 0);
    run(SW_NS_PER_MS, &late, 0, 0);
    run(SW_NS_PER_MS, &gone, 0, 0);
    assert_int_equal((int)counted(RPC, CODE, "OK"), 1);
    assert_int_equal((int)counted(RPC, CODE, "UNAVAILABLE"), 2);
    assert_int_equal((int)counted(RPC, CODE, "DEADLINE_EXCEEDED"), 1);
    assert_int_equal((int)counted(RPC, CODE, "INTERNAL"), -1);
    assert_int_equal((int)counted(RPC, "server.address", "backend"), 4);
    assert_int_equal((int)counted(HTTP, NULL, NULL), -1);
    close_rig();
}

static void test_http_calls_are_counted_by_their_status(void **state)
{
    (void)state;
    open_rig(SW_CALL_HTTP, SW_LEVEL_DETAILED);
    struct sw_outcome failed = {.err = SW_E_REFUSED};
    run(SW_NS_PER_S, NULL, 200, 300);
    run(SW_NS_PER_S, NULL, 299, 10); /* not registered: as 200 */
    run(SW_NS_PER_S, &failed, 503, 10);
    failed = (struct sw_outcome){.err = SW_E_RESET};
    run(SW_NS_PER_S, &failed, 0, 10); /* no answer */
    assert_int_equal((int)counted(HTTP, STATUS, "200"), 2);
    assert_int_equal((int)counted(HTTP, STATUS, "503"), 1);
    assert_int_equal((int)counted(BODY, STATUS, "200"), 2);
    assert_int_equal((int)counted(HTTP, "network.protocol.name", "http"), 3);
    assert_int_equal((int)counted(HTTP, "http.request.method", "POST"), 4);
    close_rig();
}

static void test_below_detailed_the_layer_is_not_there(void **state)
{
    (void)state;
    open_rig(SW_CALL_GRPC, SW_LEVEL_NORMAL);
    assert_ptr_equal(push, &attempt.push);
    close_rig();
    open_rig(SW_CALL_UNMEASURED, SW_LEVEL_DETAILED);
    assert_ptr_equal(push, &attempt.push);
    close_rig();
}

static void test_errors_have_the_collectors_names(void **state)
{
    (void)state;
    static const struct {
        struct sw_outcome outcome;
        const char *text;
    } cases[] = {
        {{.err = SW_E_REFUSED, .grpc_code = 14}, "Unavailable"},
        {{.err = SW_E_PERMANENT, .grpc_code = 3, .permanent = true}, "InvalidArgument"},
        {{.err = SW_E_SHUTDOWN}, "Shutdown"},
        {{.err = SW_E_TIMEOUT}, "Deadline_Exceeded"},
        {{.err = SW_E_REFUSED, .grpc_code = 1}, "Canceled"},
        {{.err = SW_E_RESET}, "_OTHER"},
        {{.err = SW_E_RESET, .grpc_code = 99}, "_OTHER"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned type = sw_error_type(&cases[i].outcome);
        assert_true(type < SW_ERROR_TYPES_COUNT);
        assert_string_equal(sw_error_type_text(type), cases[i].text);
    }
    for (unsigned type = 0; type < SW_ERROR_TYPES_COUNT; type++) {
        assert_non_null(sw_error_type_text(type));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grpc_calls_are_counted_by_their_code),
        cmocka_unit_test(test_http_calls_are_counted_by_their_status),
        cmocka_unit_test(test_below_detailed_the_layer_is_not_there),
        cmocka_unit_test(test_errors_have_the_collectors_names),
    };
    return cmocka_run_group_tests_name("measure", tests, NULL, NULL);
}
