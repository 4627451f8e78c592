/* read_header_timeout, read_timeout, write_timeout, idle_timeout and keep_alives_enabled of the HTTP endpoint, as
 * net/http counts them. In virtual time. What is done where none is configured is in life.c. */
#include "tests/unit/dataplane/receive/bed.h"

#define SECONDS(n) ((uint64_t)(n)*SW_NS_PER_S)
#define PB_200                                                                                     \
    "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 2\r\n\r\n"
#define HEAD "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"

static bool is_gone(const struct bed_client *client)
{
    return client->closed || client->eof;
}

static int64_t timeouts_count(struct bed *bed)
{
    int64_t count = bed_count(bed, "spanweir_receiver_rejected_requests", "reason", "timeout");
    return SW_MAX(count, INT64_C(0)); // below zero: there is no series before it counts
}

static void post_is_served(struct bed *bed, struct bed_client *client)
{
    struct sw_buf *body = bed_request(0, 1);
    bed_post(client, "", body);
    bed_until(bed, bed_responses_count(client) == 1);
    bed_assert_response_text(client, PB_200, "\x0a\x00");
    sw_buf_unref(body);
}

// Still there just before, gone just after.
static void assert_leaves_at(struct bed *bed, struct bed_client *client, uint64_t seconds)
{
    bed_wait(bed, SECONDS(seconds) - SW_NS_PER_S);
    assert_false(is_gone(client));
    bed_wait(bed, SECONDS(2));
    assert_true(is_gone(client));
    assert_int_equal(client->text_len, 0); // without a word
}

/* ---- read_header_timeout ---- */

static void header_timeout(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    conf->protocols.http.server.read_header_timeout_ns = (int64_t)SECONDS(10);
}

static void test_slow_head_ends_the_connection(void **state)
{
    struct bed bed;
    bed_init_conf(&bed, BED_MEMORY, 1, header_timeout);
    struct bed_client *client = bed_connect_http(&bed);
    bed_wait(&bed, SECONDS(5));
    bed_send_text(client, "POST /v1/tra"); // counts from the beginning of the connection
    bed_wait(&bed, SECONDS(2));
    bed_send_text(client, "ces HTTP/1.1\r\n"); // trickling does not help
    assert_leaves_at(&bed, client, 3);
    assert_int_equal(timeouts_count(&bed), 1);
    bed_fini(&bed);
}

static void test_connection_that_never_speaks_is_closed_too(void **state)
{
    struct bed bed;
    bed_init_conf(&bed, BED_MEMORY, 1, header_timeout);
    struct bed_client *client = bed_connect_http(&bed);
    assert_leaves_at(&bed, client, 10);
    assert_int_equal(timeouts_count(&bed), 0); // it asked for nothing
    bed_fini(&bed);
}

static void test_head_of_a_later_request_counts_from_its_first_byte(void **state)
{
    struct bed bed;
    bed_init_conf(&bed, BED_MEMORY, 1, header_timeout);
    struct bed_client *client = bed_connect_http(&bed);
    post_is_served(&bed, client);
    bed_wait(&bed, SECONDS(1000)); // idle_timeout is 0
    assert_false(is_gone(client));
    bed_send_text(client, "POST ");
    bed_wait(&bed, SECONDS(9));
    assert_false(is_gone(client));
    bed_send_text(client, "/v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n");
    bed_send_text(client, "Content-Type: application/x-protobuf\r\n\r\n");
    bed_until(&bed, bed_responses_count(client) == 1);
    bed_assert_response_text(client, PB_200, "\x0a\x00");
    bed_send_text(client, "POST ");
    assert_leaves_at(&bed, client, 10);
    bed_fini(&bed);
}

static void test_body_may_take_longer_than_its_head(void **state)
{
    struct bed bed;
    bed_init_conf(&bed, BED_MEMORY, 1, header_timeout);
    struct bed_client *client = bed_connect_http(&bed);
    struct sw_buf *body = bed_request(0, 1);
    char head[256];
    snprintf(head, sizeof(head), HEAD "Content-Length: %u\r\n\r\n", body->size);
    bed_send_text(client, head);
    for (uint32_t i = 0; i < body->size; i++) {
        bed_wait(&bed, SECONDS(5));
        bed_send(client, body->data + i, 1);
    }
    bed_until(&bed, bed_responses_count(client) == 1);
    bed_assert_response_text(client, PB_200, "\x0a\x00");
    bed_assert_kept(&bed, body);
    sw_buf_unref(body);
    bed_fini(&bed);
}

/* ---- read_timeout ---- */

static void read_timeout(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    conf->protocols.http.server.read_timeout_ns = (int64_t)SECONDS(20);
}

static void test_slow_body_is_refused_and_ends_the_connection(void **state)
{
    struct bed bed;
    bed_init_conf(&bed, BED_MEMORY, 1, read_timeout);
    struct bed_client *client = bed_connect_http(&bed);
    bed_wait(&bed, SECONDS(5)); // of the twenty
    bed_send_text(client, HEAD "Content-Length: 100\r\n\r\nhello");
    for (unsigned i = 0; i < 14; i++) {
        bed_wait(&bed, SECONDS(1));
        bed_send_text(client, ".");
    }
    assert_false(is_gone(client));
    bed_wait(&bed, SECONDS(2));
    assert_int_equal(bed_responses_count(client), 1);
    bed_assert_response_text(
        client,
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/x-protobuf\r\n"
        "Content-Length: 15\r\nConnection: close\r\n\r\n",
        "\x08\x03\x12\x0bi/o timeout"
    );
    assert_true(is_gone(client));
    assert_int_equal(timeouts_count(&bed), 1);
    assert_int_equal(bed.budget.used_bytes, 0);
    bed_fini(&bed);
}

static void test_rest_of_a_refused_body_is_not_waited_for(void **state)
{
    struct bed bed;
    bed_init_conf(&bed, BED_MEMORY, 1, read_timeout);
    struct bed_client *client = bed_connect_http(&bed);
    bed_send_text(client, "POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhello");
    bed_wait(&bed, SECONDS(19));
    assert_int_equal(bed_responses_count(client), 0);
    bed_wait(&bed, SECONDS(2));
    assert_int_equal(bed_responses_count(client), 1);
    assert_memory_equal(client->text, "HTTP/1.1 404 ", 13);
    assert_true(is_gone(client));
    bed_fini(&bed);
}

static void test_read_timeout_stands_in_for_those_of_heads_and_idle_times(void **state)
{
    struct bed bed;
    bed_init_conf(&bed, BED_MEMORY, 1, read_timeout);
    struct bed_client *slow = bed_connect_http(&bed);
    bed_send_text(slow, "POST ");
    assert_leaves_at(&bed, slow, 20);
    struct bed_client *idle = bed_connect_http(&bed);
    post_is_served(&bed, idle);
    assert_leaves_at(&bed, idle, 20);
    bed_fini(&bed);
}

static void test_reading_ends_with_the_body(void **state)
{
    struct bed bed;
    bed_init_conf(&bed, BED_MEMORY, 1, read_timeout);
    struct bed_client *client = bed_connect_http(&bed);
    struct sw_buf *body = bed_request(0, 1);
    bed.keeper.hold = true;
    bed_post(client, "", body);
    bed_until(&bed, bed.keeper.held_count == 1);
    bed_wait(&bed, SECONDS(300)); // the pipeline takes its time
    assert_false(is_gone(client));
    bench_keeper_release(&bed.keeper, SW_OK);
    bed_until(&bed, bed_responses_count(client) == 1);
    bed_assert_response_text(client, PB_200, "\x0a\x00");
    sw_buf_unref(body);
    bed_fini(&bed);
}

/* ---- write_timeout ---- */

static void write_timeout(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    conf->protocols.http.server.write_timeout_ns = (int64_t)SECONDS(10);
}

static void test_answer_that_comes_too_late_is_not_given(void **state)
{
    struct bed bed;
    bed_init_conf(&bed, BED_MEMORY, 1, write_timeout);
    struct bed_client *client = bed_connect_http(&bed);
    struct sw_buf *body = bed_request(0, 3);
    bed.keeper.hold = true;
    bed_post(client, "", body);
    bed_until(&bed, bed.keeper.held_count == 1);
    bed_wait(&bed, SECONDS(15));
    assert_false(is_gone(client)); // Go's handler goes on, too
    bench_keeper_release(&bed.keeper, SW_OK);
    bed_until(&bed, is_gone(client));
    assert_int_equal(client->text_len, 0);
    assert_int_equal(bed_count(&bed, "otelcol_receiver_accepted_spans", "transport", "http"), 3);
    sw_buf_unref(body);
    bed_fini(&bed);
}

static void test_each_request_has_its_own_time_to_be_answered(void **state)
{
    struct bed bed;
    bed_init_conf(&bed, BED_MEMORY, 1, write_timeout);
    struct bed_client *client = bed_connect_http(&bed);
    struct sw_buf *body = bed_request(0, 3);
    bed.keeper.hold = true;
    for (unsigned i = 0; i < 4; i++) {
        bed_post(client, "", body);
        bed_until(&bed, bed.keeper.held_count == 1);
        bed_wait(&bed, SECONDS(8));
        bench_keeper_release(&bed.keeper, SW_OK);
        bed_until(&bed, bed_responses_count(client) == 1);
        bed_assert_response_text(client, PB_200, "\x0a\x00");
        bed_wait(&bed, SECONDS(60)); // idle: nothing is to be written
    }
    assert_false(is_gone(client));
    sw_buf_unref(body);
    bed_fini(&bed);
}

static void
write_header_timeouts(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    write_timeout(env, conf);
    header_timeout(env, conf);
}

// The time to answer begins with the end of the head, that to read with the connection.
static void test_timeouts_of_both_directions_do_not_mix(void **state)
{
    struct bed bed;
    bed_init_conf(&bed, BED_MEMORY, 1, write_header_timeouts);
    struct bed_client *client = bed_connect_http(&bed);
    struct sw_buf *body = bed_request(0, 3);
    bed_wait(&bed, SECONDS(9));
    bed.keeper.hold = true;
    bed_post(client, "", body);
    bed_until(&bed, bed.keeper.held_count == 1);
    bed_wait(&bed, SECONDS(9));
    bench_keeper_release(&bed.keeper, SW_OK);
    bed_until(&bed, bed_responses_count(client) == 1);
    bed_assert_response_text(client, PB_200, "\x0a\x00");
    sw_buf_unref(body);
    bed_fini(&bed);
}

/* ---- idle_timeout, keep_alives_enabled ---- */

static void idle_timeout(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    conf->protocols.http.server.idle_timeout_ns = (int64_t)SECONDS(60);
    conf->protocols.http.server.read_timeout_ns = (int64_t)SECONDS(20);
}

static void test_idle_connection_is_closed_after_its_time(void **state)
{
    struct bed bed;
    bed_init_conf(&bed, BED_MEMORY, 1, idle_timeout);
    struct bed_client *client = bed_connect_http(&bed);
    post_is_served(&bed, client);
    for (unsigned i = 0; i < 3; i++) {
        bed_wait(&bed, SECONDS(50));
        post_is_served(&bed, client); // begins anew
    }
    assert_leaves_at(&bed, client, 60);
    bed_wait(&bed, SECONDS(3));
    assert_int_equal(bed.cores[1].accepted_ended_count, 1);
    assert_int_equal(timeouts_count(&bed), 0);
    bed_fini(&bed);
}

static void negative(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    idle_timeout(env, conf);
    conf->protocols.http.server.idle_timeout_ns = -1;
    conf->protocols.http.server.read_header_timeout_ns = -1;
}

// As in Go: below zero there is none, not even read_timeout in its stead.
static void test_negative_timeouts_are_none(void **state)
{
    struct bed bed;
    bed_init_conf(&bed, BED_MEMORY, 1, negative);
    struct bed_client *client = bed_connect_http(&bed);
    bed_wait(&bed, SECONDS(1000));
    post_is_served(&bed, client);
    bed_wait(&bed, SECONDS(1000));
    post_is_served(&bed, client);
    bed_fini(&bed);
}

static void no_keep_alives(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    conf->protocols.http.server.keep_alives_enabled = false;
}

static void test_without_keep_alives_each_connection_serves_one_request(void **state)
{
    for (enum bed_kind kind = BED_TCP; kind <= BED_TROUBLED; kind++) {
        struct bed bed;
        bed_init_conf(&bed, kind, 4, no_keep_alives);
        struct sw_buf *body = bed_request(0, 1);
        for (unsigned i = 0; i < 2; i++) {
            struct bed_client *client = bed_connect_http(&bed);
            bed_post(client, i == 0 ? "" : "Connection: keep-alive\r\n", body);
            bed_post(client, "", body); // will not be looked at
            bed_until(&bed, is_gone(client));
            assert_int_equal(bed_responses_count(client), 1);
            bed_assert_response_text(
                client,
                "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 2\r\n"
                "Connection: close\r\n\r\n",
                "\x0a\x00"
            );
        }
        assert_int_equal(bed.keeper.kept_count, 2);
        sw_buf_unref(body);
        bed_fini(&bed);
    }
}

/* ---- the drain ---- */

static void test_request_that_has_begun_is_served_by_the_drain(void **state)
{
    struct bed bed;
    bed_init(&bed, BED_MEMORY);
    struct bed_client *begun = bed_connect_http(&bed);
    struct bed_client *idle = bed_connect_http(&bed);
    post_is_served(&bed, begun);
    bed_send_text(begun, "POST /v1/traces HTTP/1.1\r\nHo");
    bed_wait(&bed, SW_NS_PER_MS);
    assert_int_equal(sw_otlp_receiver_drain(bed.receiver, UINT64_MAX), SW_E_AGAIN);
    bed_until(&bed, is_gone(idle));
    assert_false(is_gone(begun));
    bed_send_text(begun, "st: x\r\nContent-Type: application/x-protobuf\r\n");
    bed_send_text(begun, "Content-Length: 0\r\n\r\n");
    bed_until(&bed, is_gone(begun));
    bed_assert_response_text(
        begun,
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 2\r\n"
        "Connection: close\r\n\r\n",
        "\x0a\x00"
    );
    bed_wait(&bed, SECONDS(3));
    assert_int_equal(sw_otlp_receiver_drain(bed.receiver, UINT64_MAX), SW_OK);
    bed_fini(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slow_head_ends_the_connection),
        cmocka_unit_test(test_connection_that_never_speaks_is_closed_too),
        cmocka_unit_test(test_head_of_a_later_request_counts_from_its_first_byte),
        cmocka_unit_test(test_body_may_take_longer_than_its_head),
        cmocka_unit_test(test_slow_body_is_refused_and_ends_the_connection),
        cmocka_unit_test(test_rest_of_a_refused_body_is_not_waited_for),
        cmocka_unit_test(test_read_timeout_stands_in_for_those_of_heads_and_idle_times),
        cmocka_unit_test(test_reading_ends_with_the_body),
        cmocka_unit_test(test_answer_that_comes_too_late_is_not_given),
        cmocka_unit_test(test_each_request_has_its_own_time_to_be_answered),
        cmocka_unit_test(test_timeouts_of_both_directions_do_not_mix),
        cmocka_unit_test(test_idle_connection_is_closed_after_its_time),
        cmocka_unit_test(test_negative_timeouts_are_none),
        cmocka_unit_test(test_without_keep_alives_each_connection_serves_one_request),
        cmocka_unit_test(test_request_that_has_begun_is_served_by_the_drain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
