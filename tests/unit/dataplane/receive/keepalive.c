/* How long connections of the gRPC endpoint live (`keepalive`): idle times, ages with their grace, PINGs in both
 * directions, as grpc-go does it. In virtual time, so hours pass at once. */
#include "tests/unit/dataplane/receive/bed.h"

#define SECONDS(n) ((uint64_t)(n)*SW_NS_PER_S)

typedef void change_fn(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf);

#define PARAMETERS(conf)  (&(conf)->protocols.grpc.keepalive.parameters)
#define ENFORCEMENT(conf) (&(conf)->protocols.grpc.keepalive.enforcement)

static bool is_gone(const struct bed_client *client)
{
    return client->dead || client->closed || client->eof;
}

// The receiver has given the connection up, too.
static void assert_ended(struct bed *bed, unsigned count)
{
    bed_wait(bed, SECONDS(3));
    assert_int_equal(bed->cores[1].accepted_ended_count, count);
}

/* ---- max_connection_idle ---- */

static void idle_minute(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    PARAMETERS(conf)->max_connection_idle_ns = (int64_t)SECONDS(60);
}

static void test_idle_connection_is_told_to_go(void **state)
{
    struct bed bed;
    struct bed_rpc rpc;
    bed_init_conf(&bed, BED_MEMORY, 1, idle_minute);
    struct bed_client *client = bed_connect_grpc(&bed);
    bed_wait(&bed, SECONDS(40));
    bed_export(client, &rpc, bed_request(0, 1)); // begins anew
    bed_assert_ok(&rpc);
    bed_wait(&bed, SECONDS(58));
    assert_false(client->goaway || is_gone(client));
    bed_wait(&bed, SECONDS(3));
    assert_true(client->goaway && is_gone(client));
    assert_ended(&bed, 1);
    bed_fini(&bed);
}

static void test_connection_with_a_call_is_not_idle(void **state)
{
    struct bed bed;
    struct bed_rpc rpc;
    bed_init_conf(&bed, BED_MEMORY, 1, idle_minute);
    struct bed_client *client = bed_connect_grpc(&bed);
    struct sw_buf *body = bed_request(0, 1);
    bed.keeper.hold = true;
    bed_call(client, &rpc, bed_frame(0, body), NULL, 0);
    bed_until(&bed, bed.keeper.held_count == 1);
    bed_wait(&bed, SECONDS(600));
    assert_false(client->goaway || is_gone(client));
    bench_keeper_release(&bed.keeper, SW_OK);
    bed_until(&bed, rpc.closed);
    bed_assert_ok(&rpc);
    bed_wait(&bed, SECONDS(58));
    assert_false(client->goaway || is_gone(client));
    bed_wait(&bed, SECONDS(3));
    assert_true(client->goaway && is_gone(client));
    sw_buf_unref(body);
    bed_fini(&bed);
}

static void test_by_default_connections_stay(void **state)
{
    struct bed bed;
    struct bed_rpc rpc;
    bed_init(&bed, BED_MEMORY);
    struct bed_client *client = bed_connect_grpc(&bed);
    bed_wait(&bed, SECONDS(100 * 3600)); // PINGs every two hours are answered
    assert_false(client->goaway || is_gone(client));
    bed_export(client, &rpc, bed_request(0, 1));
    bed_assert_ok(&rpc);
    bed_fini(&bed);
}

/* ---- max_connection_age ---- */

static void age_of_1000(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    PARAMETERS(conf)->max_connection_age_ns = (int64_t)SECONDS(1000);
    PARAMETERS(conf)->max_connection_age_grace_ns = (int64_t)SECONDS(30);
}

#define TOGETHER 12

static void test_ages_vary_by_a_tenth(void **state)
{
    struct bed bed;
    struct bed_client *clients[TOGETHER];
    unsigned gone_at[TOGETHER] = {0};
    unsigned different = 0;
    bed_init_conf(&bed, BED_MEMORY, 1, age_of_1000);
    for (unsigned i = 0; i < TOGETHER; i++) {
        clients[i] = bed_connect_grpc(&bed);
    }
    bed_wait(&bed, SECONDS(899));
    for (unsigned second = 900; second <= 1102; second++) {
        for (unsigned i = 0; i < TOGETHER; i++) {
            gone_at[i] = gone_at[i] == 0 && clients[i]->goaway ? second : gone_at[i];
        }
        bed_wait(&bed, SECONDS(1));
    }
    for (unsigned i = 0; i < TOGETHER; i++) {
        assert_true(gone_at[i] > 900); // none before its time, all within it
        different += i > 0 && gone_at[i] != gone_at[i - 1];
    }
    assert_true(different > TOGETHER / 2);
    assert_ended(&bed, TOGETHER);
    bed_fini(&bed);
}

static void age_for_ever(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    PARAMETERS(conf)->max_connection_age_ns = INT64_MAX;
    PARAMETERS(conf)->max_connection_idle_ns = INT64_MAX;
    PARAMETERS(conf)->time_ns = INT64_MAX;
    PARAMETERS(conf)->timeout_ns = INT64_MAX;
}

static void test_longest_times_do_not_wrap(void **state)
{
    struct bed bed;
    struct bed_rpc rpc;
    bed_init_conf(&bed, BED_MEMORY, 1, age_for_ever);
    for (unsigned i = 0; i < TOGETHER; i++) {
        struct bed_client *client = bed_connect_grpc(&bed);
        bed_export(client, &rpc, bed_request(0, 1));
        bed_assert_ok(&rpc);
        bed_wait(&bed, SECONDS(3600));
        assert_false(client->goaway || is_gone(client));
    }
    bed_fini(&bed);
}

static void test_running_call_ends_well_within_the_grace(void **state)
{
    struct bed bed;
    struct bed_rpc rpc;
    bed_init_conf(&bed, BED_MEMORY, 1, age_of_1000);
    struct bed_client *client = bed_connect_grpc(&bed);
    struct sw_buf *body = bed_request(0, 3);
    bed.keeper.hold = true;
    bed_call(client, &rpc, bed_frame(0, body), NULL, 0);
    bed_until(&bed, client->goaway || bed.keeper.held_count == 1);
    while (!client->goaway) {
        bed_wait(&bed, SECONDS(1));
    }
    bed_wait(&bed, SECONDS(25));
    assert_false(rpc.closed || is_gone(client));
    bench_keeper_release(&bed.keeper, SW_OK);
    bed_until(&bed, rpc.closed);
    bed_assert_ok(&rpc);
    bed_until(&bed, is_gone(client));
    assert_ended(&bed, 1);
    sw_buf_unref(body);
    bed_fini(&bed);
}

static void test_grace_ends_every_call(void **state)
{
    struct bed bed;
    struct bed_rpc rpc;
    bed_init_conf(&bed, BED_MEMORY, 1, age_of_1000);
    struct bed_client *client = bed_connect_grpc(&bed);
    struct sw_buf *body = bed_request(0, 3);
    bed.keeper.hold = true;
    bed_call(client, &rpc, bed_frame(0, body), NULL, 0);
    while (!client->goaway) {
        bed_wait(&bed, SECONDS(1));
    }
    bed_wait(&bed, SECONDS(27));
    assert_false(rpc.closed);
    bed_wait(&bed, SECONDS(4));
    assert_true(rpc.closed && is_gone(client));
    assert_string_equal(rpc.status, ""); // cut off
    assert_ended(&bed, 1);
    bench_keeper_release(&bed.keeper, SW_OK); // what was handed over is not lost
    assert_int_equal(bed_count(&bed, "otelcol_receiver_accepted_spans", "transport", "grpc"), 3);
    sw_buf_unref(body);
    bed_fini(&bed);
}

static void age_of_50_ms(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    PARAMETERS(conf)->max_connection_age_ns = (int64_t)SW_NS_PER_S / 20;
}

#define CALLS_MAX 2500

// A client that goes on until the GOAWAY reaches it: what it sent by then is on the wire when the
// receiver says goodbye, and is served.
static void test_no_request_is_lost_when_a_connection_goes(void **state)
{
    static struct bed_rpc rpcs[CALLS_MAX];
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct bed bed;
        unsigned count = 0;
        bed_init_conf(&bed, seed % 2 == 0 ? BED_MEMORY : BED_TROUBLED, seed, age_of_50_ms);
        struct bed_client *client = bed_connect_grpc(&bed);
        struct sw_buf *body = bed_request(0, 2);
        while (!client->goaway) {
            assert_true(count < CALLS_MAX);
            bed_call(client, &rpcs[count++], bed_frame(0, body), NULL, 0);
            bed_step(&bed);
            bed_step(&bed);
        }
        bed_until(&bed, is_gone(client));
        assert_true(count > 10);
        for (unsigned i = 0; i < count; i++) {
            assert_true(rpcs[i].closed);
            bed_assert_ok(&rpcs[i]);
        }
        assert_int_equal(bed.keeper.kept_count, count);
        assert_ended(&bed, 1);
        sw_buf_unref(body);
        bed_fini(&bed);
    }
}

/* ---- PINGs of ours ---- */

static void pings(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    PARAMETERS(conf)->time_ns = (int64_t)SECONDS(20);
    PARAMETERS(conf)->timeout_ns = (int64_t)SECONDS(5);
}

#define PREFACE  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define SETTINGS "\0\0\0\4\0\0\0\0\0"
#define ACK      "\0\0\0\4\1\0\0\0\0"
#define PING     "\0\0\x08\6\0\0\0\0\0"

// A peer that has said hello and does by itself what the test has it do.
static struct bed_client *connect_raw(struct bed *bed)
{
    static const char hello[] = PREFACE SETTINGS ACK;
    struct sw_addr addr = bed->addrs[1];
    bed->addrs[1] = bed->addrs[0];
    struct bed_client *client = bed_connect_http(bed);
    bed->addrs[1] = addr;
    bed_send(client, hello, sizeof(hello) - 1);
    bed_wait(bed, SW_NS_PER_MS);
    return client;
}

static unsigned pings_count(const struct bed_client *client)
{
    static const char ping[] = PING;
    unsigned count = 0;
    const char *at = client->text;
    const char *end = at + client->text_len;
    while (at != NULL && (at = memmem(at, (size_t)(end - at), ping, sizeof(ping) - 1)) != NULL) {
        count++;
        at++;
    }
    return count;
}

static void test_silent_peer_is_pinged_and_closed(void **state)
{
    struct bed bed;
    bed_init_conf(&bed, BED_MEMORY, 1, pings);
    struct bed_client *client = connect_raw(&bed);
    // The first look sees that the peer has spoken since; the time counts from then.
    bed_wait(&bed, SECONDS(19));
    assert_int_equal(pings_count(client), 0);
    bed_wait(&bed, SECONDS(2));
    assert_int_equal(pings_count(client), 1);
    assert_false(is_gone(client));
    bed_wait(&bed, SECONDS(3));
    assert_false(is_gone(client));
    bed_wait(&bed, SECONDS(2));
    assert_true(is_gone(client));
    assert_ended(&bed, 1);
    assert_int_equal(
        bed_count(&bed, "spanweir_receiver_rejected_requests", "reason", "timeout"), 1
    );
    bed_fini(&bed);
}

static void test_peer_that_says_anything_stays(void **state)
{
    static const char window_update[] = "\0\0\4\x08\0\0\0\0\0\0\0\0\1";
    struct bed bed;
    bed_init_conf(&bed, BED_MEMORY, 1, pings);
    struct bed_client *quiet = connect_raw(&bed);
    struct bed_client *answering = bed_connect_grpc(&bed);
    for (unsigned i = 0; i < 20; i++) {
        bed_wait(&bed, SECONDS(23));
        assert_int_equal(pings_count(quiet), i + 1);
        bed_send(quiet, window_update, sizeof(window_update) - 1); // no answer to it, but a sign
    }
    assert_false(is_gone(quiet) || is_gone(answering));
    bed_fini(&bed);
}

/* ---- PINGs of theirs ---- */

static void send_ping(struct bed *bed, struct bed_client *client)
{
    static const char ping[] = PING "spanweir";
    bed_send(client, ping, sizeof(ping) - 1);
    bed_wait(bed, SW_NS_PER_MS);
}

static bool was_calmed(const struct bed_client *client)
{
    return memmem(client->text, client->text_len, "too_many_pings", 14) != NULL;
}

static void ping_each(change_fn *change, uint64_t interval_ns, unsigned good_count, bool calmed)
{
    struct bed bed;
    bed_init_conf(&bed, BED_MEMORY, 1, change);
    struct bed_client *client = connect_raw(&bed);
    for (unsigned i = 0; i < good_count; i++) {
        send_ping(&bed, client);
        assert_false(was_calmed(client) || is_gone(client));
        bed_wait(&bed, interval_ns);
    }
    send_ping(&bed, client);
    assert_int_equal(was_calmed(client), calmed);
    assert_int_equal(is_gone(client), calmed);
    bed_fini(&bed);
}

static void often(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    ENFORCEMENT(conf)->min_time_ns = (int64_t)SECONDS(10);
    ENFORCEMENT(conf)->permit_without_stream = true;
}

static void often_with_calls(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    ENFORCEMENT(conf)->min_time_ns = (int64_t)SECONDS(10);
}

static void without_stream(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    ENFORCEMENT(conf)->permit_without_stream = true;
}

static void test_pings_are_tolerated_as_the_policy_says(void **state)
{
    ping_each(often, SECONDS(11), 20, false);
    ping_each(often, SECONDS(9), 3, true);
    // Without calls two hours count, whatever min_time says.
    ping_each(often_with_calls, SECONDS(11), 3, true);
    ping_each(often_with_calls, SECONDS(7201), 5, false);
    // min_time is five minutes where nothing else is said.
    ping_each(without_stream, SECONDS(301), 20, false);
    ping_each(without_stream, SECONDS(299), 3, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle_connection_is_told_to_go),
        cmocka_unit_test(test_connection_with_a_call_is_not_idle),
        cmocka_unit_test(test_by_default_connections_stay),
        cmocka_unit_test(test_ages_vary_by_a_tenth),
        cmocka_unit_test(test_longest_times_do_not_wrap),
        cmocka_unit_test(test_running_call_ends_well_within_the_grace),
        cmocka_unit_test(test_grace_ends_every_call),
        cmocka_unit_test(test_no_request_is_lost_when_a_connection_goes),
        cmocka_unit_test(test_silent_peer_is_pinged_and_closed),
        cmocka_unit_test(test_peer_that_says_anything_stays),
        cmocka_unit_test(test_pings_are_tolerated_as_the_policy_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
