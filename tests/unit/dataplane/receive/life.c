/* Connections and calls that end in all ways but the usual one: peers that vanish, stall or send too
 * much, memory that is short, the drain. What was handed over is counted, everything is given back
 * (bed_fini looks). */
#include "dataplane/base/mailbox.h"
#include "tests/unit/dataplane/receive/bed.h"

/* ---- peers that vanish ---- */

static void test_ticket_is_settled_after_the_connection_died(void **state)
{
    for (enum bed_kind kind = BED_TCP; kind <= BED_TROUBLED; kind++) {
        struct bed bed;
        struct bed_rpc rpc;
        bed_init(&bed, kind);
        struct bed_client *grpc = bed_connect_grpc(&bed);
        struct bed_client *http = bed_connect_http(&bed);
        struct sw_buf *body = bed_request(0, 3);
        bed.keeper.hold = true;
        bed_call(grpc, &rpc, bed_frame(0, body), NULL, 0);
        bed_post(http, "", body);
        bed_until(&bed, bed.keeper.held_count == 2);
        bed_hang_up(grpc);
        bed_hang_up(http);
        bed_until(&bed, bed.cores[1].accepted_ended_count >= 1);
        bench_keeper_release(&bed.keeper, SW_OK);
        bench_keeper_release(&bed.keeper, SW_E_RESET);
        // Only an answer shows that HTTP's sender is gone and has not just ended its side.
        bed_until(&bed, bed.cores[1].accepted_ended_count == 2);
        assert_int_equal(bed_count(&bed, "otelcol_receiver_accepted_spans", NULL, NULL), 3);
        assert_int_equal(bed_count(&bed, "otelcol_receiver_refused_spans", NULL, NULL), 3);
        sw_buf_unref(body);
        bed_fini(&bed);
    }
}

static void test_ticket_that_never_comes_back_is_freed_with_the_receiver(void **state)
{
    struct bed bed;
    struct bed_rpc rpc;
    bed_init(&bed, BED_MEMORY);
    struct bed_client *client = bed_connect_grpc(&bed);
    struct sw_buf *body = bed_request(0, 3);
    bed.keeper.hold = true;
    bed_call(client, &rpc, bed_frame(0, body), NULL, 0);
    bed_until(&bed, bed.keeper.held_count == 1);
    sw_buf_unref(body);
    bed_fini(&bed);
}

static void few_streams(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    conf->protocols.grpc.max_concurrent_streams = 4;
}

static void test_calls_that_were_reset_count_until_their_tickets_come(void **state)
{
    struct bed bed;
    struct bed_rpc rpcs[4];
    struct bed_rpc more;
    bed_init_conf(&bed, BED_MEMORY, 1, few_streams);
    struct bed_client *client = bed_connect_grpc(&bed);
    struct sw_buf *body = bed_request(0, 1);
    bed.keeper.hold = true;
    for (unsigned i = 0; i < 4; i++) {
        bed_call(client, &rpcs[i], bed_frame(0, body), NULL, 0);
        bed_until(&bed, bed.keeper.held_count == i + 1);
        sw_h2_reset(client->h2, rpcs[i].id, SW_H2_CANCEL);
        assert_int_equal(sw_h2_send(client->h2), SW_OK);
    }
    bed_call(client, &more, bed_frame(0, body), NULL, 0);
    bed_until(&bed, more.closed);
    assert_int_equal(more.reset_code, SW_H2_REFUSED_STREAM);
    assert_int_equal(
        bed_count(&bed, "spanweir_receiver_rejected_requests", "reason", "streams"), 1
    );
    while (bed.keeper.held_count > 0) {
        bench_keeper_release(&bed.keeper, SW_OK);
    }
    bed.keeper.hold = false;
    bed_call(client, &more, bed_frame(0, body), NULL, 0);
    bed_until(&bed, more.closed);
    bed_assert_ok(&more);
    sw_buf_unref(body);
    bed_fini(&bed);
}

// Whatever breaks: a sender that was told OK has its spans here, and nothing leaks.
static void test_broken_connections_lose_nothing_that_was_acknowledged(void **state)
{
    unsigned acknowledged_count = 0;
    unsigned broken_count = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct bed bed;
        bed_init_conf(&bed, BED_RESETS, seed, NULL);
        uint64_t acknowledged_items = 0;
        for (unsigned round = 0; round < 4; round++) {
            struct bed_rpc rpcs[3];
            struct bed_client *grpc = bed_connect_grpc(&bed);
            struct bed_client *http = bed_connect_http(&bed);
            struct sw_buf *body = bed_request(0, 50);
            for (unsigned i = 0; i < 3; i++) {
                bed_call(grpc, &rpcs[i], bed_frame(0, body), NULL, 0);
                bed_post(http, "", body);
            }
            bed_until(&bed, rpcs[0].closed && rpcs[1].closed && rpcs[2].closed);
            bed_until(&bed, http->closed || bed_responses_count(http) == 3);
            for (unsigned i = 0; i < 3; i++) {
                bool good = strcmp(rpcs[i].status, "0") == 0;
                acknowledged_items += good ? 50 : 0;
                broken_count += !good;
            }
            acknowledged_items += bed_responses_count(http) * 50;
            acknowledged_count += bed_responses_count(http);
            sw_buf_unref(body);
        }
        assert_true(bed.keeper.items_count >= acknowledged_items);
        bed_fini(&bed);
    }
    assert_true(acknowledged_count > 50);
    assert_true(broken_count > 50);
}

/* ---- peers that stall ---- */

static void test_stalled_bodies_are_given_up(void **state)
{
    struct bed bed;
    struct bed_rpc rpc;
    bed_init(&bed, BED_MEMORY);
    struct bed_client *grpc = bed_connect_grpc(&bed);
    struct bed_client *http = bed_connect_http(&bed);
    struct bed_client *slow_head = bed_connect_http(&bed);
    struct bed_client *silent = bed_connect_http(&bed);
    struct sw_buf *body = bed_request(0, 5000);
    grpc->hold_bytes = grpc->out_bytes + 1000; // one frame of it leaves
    bed_call(grpc, &rpc, bed_frame(0, body), NULL, 0);
    sw_buf_unref(body);
    bed_send_text(
        http,
        "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
        "Content-Length: 100\r\n\r\nhello"
    );
    bed_send_text(slow_head, "POST /v1/tra");
    bed_wait(&bed, 29 * SW_NS_PER_S);
    assert_int_equal(bed_responses_count(http), 0);
    assert_false(rpc.closed);
    bed_wait(&bed, 3 * SW_NS_PER_S);
    assert_true(rpc.closed);
    bed_assert_failed(&rpc, "4", "timed out");
    assert_int_equal(bed_responses_count(http), 1);
    bed_assert_response_text(
        http,
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/x-protobuf\r\n"
        "Content-Length: 13\r\nConnection: close\r\n\r\n",
        "\x08\x04\x12\x09timed out"
    );
    assert_true(http->eof || http->closed);
    assert_false(slow_head->eof || slow_head->closed);
    bed_wait(&bed, 31 * SW_NS_PER_S);
    assert_true(slow_head->eof || slow_head->closed);
    assert_false(silent->eof || silent->closed); // idle_timeout is 0: it may stay
    bed_fini(&bed);
}

static void test_silent_grpc_connection_is_closed(void **state)
{
    struct bed bed;
    bed_init(&bed, BED_MEMORY);
    struct bed_client *client = bed_connect_http(&bed);
    bed_hang_up(client);
    struct sw_addr addr = bed.addrs[1];
    bed.addrs[1] = bed.addrs[0];
    client = bed_connect_http(&bed); // to the gRPC port, and says nothing
    bed.addrs[1] = addr;
    bed_wait(&bed, 9 * SW_NS_PER_S);
    assert_false(client->eof || client->closed);
    bed_wait(&bed, 3 * SW_NS_PER_S);
    assert_true(client->eof || client->closed);
    bed_fini(&bed);
}

static void test_http_1_on_the_grpc_port_is_closed(void **state)
{
    struct bed bed;
    bed_init(&bed, BED_MEMORY);
    struct sw_addr addr = bed.addrs[1];
    bed.addrs[1] = bed.addrs[0];
    struct bed_client *client = bed_connect_http(&bed);
    bed.addrs[1] = addr;
    bed_send_text(client, "POST /v1/traces HTTP/1.1\r\nHost: x\r\n\r\n");
    bed_until(&bed, client->eof || client->closed);
    bed_fini(&bed);
}

/* ---- too much ---- */

static void little_room(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    env->budget->limit_bytes = 100000;
}

static void test_bodies_beyond_the_budget_are_refused(void **state)
{
    struct bed bed;
    struct bed_rpc rpc;
    bed_init_conf(&bed, BED_MEMORY, 1, little_room);
    struct bed_client *grpc = bed_connect_grpc(&bed);
    struct bed_client *http = bed_connect_http(&bed);
    struct sw_buf *large = bed_request(0, 4000);
    struct sw_buf *small = bed_request(0, 40);
    bed_export(grpc, &rpc, sw_buf_ref(large));
    bed_assert_failed(&rpc, "14", "data refused due to high memory usage");
    bed_export(grpc, &rpc, sw_buf_ref(small));
    bed_assert_ok(&rpc);
    bed_post(http, "", large);
    bed_post(http, "", small);
    bed_until(&bed, bed_responses_count(http) == 2);
    bed_assert_response_text(
        http,
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/x-protobuf\r\n"
        "Content-Length: 41\r\n\r\n",
        "\x08\x0e\x12\x25"
        "data refused due to high memory usage"
    );
    assert_int_equal(bed_count(&bed, "spanweir_receiver_rejected_requests", "reason", "memory"), 2);
    sw_buf_unref(large);
    sw_buf_unref(small);
    bed_fini(&bed);
}

static void memory_limit(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    env->memory_limit_bytes = 1 << 20;
}

static void test_default_limit_refuses_before_the_body_is_read(void **state)
{
    struct bed bed;
    struct bed_rpc rpc;
    bed_init_conf(&bed, BED_MEMORY, 1, memory_limit);
    struct bed_client *grpc = bed_connect_grpc(&bed);
    struct bed_client *http = bed_connect_http(&bed);
    struct sw_buf *body = bed_request(0, 5);
    atomic_store(&bed.baseline.bytes, 2 << 20);
    bed_export(grpc, &rpc, sw_buf_ref(body));
    bed_assert_failed(&rpc, "14", "data refused due to high memory usage");
    bed_post(http, "", body);
    bed_until(&bed, bed_responses_count(http) == 1);
    assert_memory_equal(http->text, "HTTP/1.1 503 ", 13);
    assert_int_equal(bed.keeper.kept_count, 0);
    atomic_store(&bed.baseline.bytes, 0);
    bed_export(grpc, &rpc, sw_buf_ref(body));
    bed_assert_ok(&rpc);
    sw_buf_unref(body);
    bed_fini(&bed);
}

static void large_messages(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    conf->protocols.grpc.max_recv_msg_size_mib = 16;
}

static void test_large_body_is_decoded_in_slices_while_others_go_on(void **state)
{
    struct bed bed;
    struct bed_rpc large_rpc;
    struct bed_rpc bad_rpc;
    struct bed_rpc small_rpc;
    bed_init_conf(&bed, BED_MEMORY, 1, large_messages);
    struct bed_client *client = bed_connect_grpc(&bed);
    // Many resources: the borders between them are where slices end.
    struct sw_buf *part = bed_request(0, 5000);
    struct sw_buf *large = sw_buf_new(NULL, part->size * 30);
    for (unsigned i = 0; i < 30; i++) {
        memcpy(large->data + large->size, part->data, part->size);
        large->size += part->size;
    }
    assert_true(large->size > (5 << 20));
    bed_call(client, &large_rpc, bed_frame(0, large), NULL, 0);
    large->data[large->size - 6] = 0xff; // in the last span
    bed_call(client, &bad_rpc, bed_frame(0, large), NULL, 0);
    bed_call(client, &small_rpc, bed_frame(0, part), NULL, 0);
    bed_until(&bed, large_rpc.closed && bad_rpc.closed && small_rpc.closed);
    bed_assert_ok(&large_rpc);
    bed_assert_ok(&small_rpc);
    assert_string_equal(bad_rpc.status, "13");
    assert_int_equal(bed.keeper.items_count, 31 * 5000);
    sw_buf_unref(large);
    sw_buf_unref(part);
    bed_fini(&bed);
}

static void test_connection_that_dies_while_its_body_is_decoded_leaves_nothing(void **state)
{
    struct bed bed;
    struct bed_rpc rpc;
    bed_init_conf(&bed, BED_MEMORY, 1, large_messages);
    struct bed_client *client = bed_connect_grpc(&bed);
    struct sw_buf *large = bed_request(0, 60000);
    bed_call(client, &rpc, bed_frame(0, large), NULL, 0);
    bed_until(&bed, bed.cores[1].tasks_first != NULL);
    bed_hang_up(client);
    bed_until(&bed, bed.cores[1].accepted_ended_count == 1);
    assert_true(bed.keeper.kept_count <= 1);
    sw_buf_unref(large);
    bed_fini(&bed);
}

/* ---- the mailbox ---- */

static void no_delivery(struct sw_message *message, void *receiver) {}

static void test_congested_mailbox_stops_the_reading(void **state)
{
    struct bed bed;
    struct sw_post *post;
    struct sw_message messages[64];
    bed_init(&bed, BED_MEMORY);
    struct bed_client *client = bed_connect_http(&bed);
    struct sw_buf *body = bed_request(0, 1);
    assert_int_equal(sw_post_new(2, 4, &post), SW_OK);
    bed.cores[1].mailbox = sw_post_mailbox(post, 1);
    sw_mailbox_bind(bed.cores[1].mailbox, &bed.cores[1]);
    sw_mailbox_bind(sw_post_mailbox(post, 0), &bed.cores[0]);
    for (unsigned i = 0; i < SW_ARRAY_SIZE(messages); i++) {
        messages[i] = (struct sw_message){.deliver = no_delivery};
        sw_mailbox_send(bed.cores[1].mailbox, 0, &messages[i]);
    }
    assert_true(sw_mailbox_congested(bed.cores[1].mailbox));
    bed_post(client, "", body);
    bed_until(&bed, bed_responses_count(client) == 1); // what was read is served
    bed_post(client, "", body);
    bed_wait(&bed, 50 * SW_NS_PER_MS);
    assert_int_equal(bed_responses_count(client), 1);
    bed.cores[1].mailbox = NULL;
    bed_until(&bed, bed_responses_count(client) == 2);
    sw_buf_unref(body);
    bed_fini(&bed);
    sw_post_free(post);
}

/* ---- the drain ---- */

static void test_drain_finishes_calls_and_closes(void **state)
{
    for (enum bed_kind kind = BED_TCP; kind <= BED_TROUBLED; kind++) {
        struct bed bed;
        struct bed_rpc rpc;
        bed_init(&bed, kind);
        struct bed_client *grpc = bed_connect_grpc(&bed);
        struct bed_client *http = bed_connect_http(&bed);
        struct bed_client *idle_http = bed_connect_http(&bed);
        struct bed_client *idle_grpc = bed_connect_grpc(&bed);
        struct sw_buf *body = bed_request(0, 3);
        bed.keeper.hold = true;
        bed_call(grpc, &rpc, bed_frame(0, body), NULL, 0);
        bed_post(http, "", body);
        bed_until(&bed, bed.keeper.held_count == 2 && bed.accepted_count == 4);
        bed_wait(&bed, 5 * SW_NS_PER_MS); // all have said hello
        assert_int_equal(sw_otlp_receiver_drain(bed.receiver, UINT64_MAX), SW_E_AGAIN);
        bed_until(&bed, idle_http->eof || idle_http->closed);
        bed_until(&bed, idle_grpc->goaway && idle_grpc->dead);
        bed_until(&bed, grpc->goaway);
        assert_int_equal(sw_otlp_receiver_drain(bed.receiver, UINT64_MAX), SW_E_AGAIN);
        bench_keeper_release(&bed.keeper, SW_OK);
        bench_keeper_release(&bed.keeper, SW_OK);
        bed_until(&bed, rpc.closed);
        bed_assert_ok(&rpc);
        bed_until(&bed, bed_responses_count(http) == 1);
        bed_assert_response_text(
            http,
            "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 2\r\n"
            "Connection: close\r\n\r\n",
            "\x0a\x00"
        );
        bed_wait(&bed, 3 * SW_NS_PER_S); // those that do not close with us
        assert_int_equal(sw_otlp_receiver_drain(bed.receiver, UINT64_MAX), SW_OK);
        assert_int_equal(bed.cores[1].accepted_ended_count, 4);
        sw_buf_unref(body);
        bed_fini(&bed);
    }
}

static void test_drain_at_its_deadline_closes_everything(void **state)
{
    struct bed bed;
    struct bed_rpc rpc;
    bed_init(&bed, BED_MEMORY);
    struct bed_client *grpc = bed_connect_grpc(&bed);
    struct sw_buf *body = bed_request(0, 3);
    bed.keeper.hold = true;
    bed_call(grpc, &rpc, bed_frame(0, body), NULL, 0);
    bed_until(&bed, bed.keeper.held_count == 1);
    uint64_t deadline_ns = bed.cores[1].now_ns + SW_NS_PER_S;
    assert_int_equal(sw_otlp_receiver_drain(bed.receiver, deadline_ns), SW_E_AGAIN);
    bed_wait(&bed, 2 * SW_NS_PER_S);
    assert_false(rpc.closed);
    assert_int_equal(sw_otlp_receiver_drain(bed.receiver, deadline_ns), SW_E_AGAIN); // its ticket
    bed_until(&bed, rpc.closed);
    bench_keeper_release(&bed.keeper, SW_E_SHUTDOWN);
    assert_int_equal(sw_otlp_receiver_drain(bed.receiver, deadline_ns), SW_OK);
    sw_buf_unref(body);
    bed_fini(&bed);
}

static void test_connection_that_comes_while_draining_is_closed(void **state)
{
    struct bed bed;
    bed_init(&bed, BED_MEMORY);
    assert_int_equal(sw_otlp_receiver_drain(bed.receiver, UINT64_MAX), SW_OK);
    struct bed_client *grpc = bed_connect_grpc(&bed);
    struct bed_client *http = bed_connect_http(&bed);
    bed_until(&bed, grpc->dead && (http->eof || http->closed));
    bed_fini(&bed);
}

/* ---- no memory ---- */

static void test_any_allocation_may_fail(void **state)
{
    for (uint64_t nth = 1; nth < 200; nth++) {
        struct bed bed;
        struct bed_rpc rpc;
        bed_init(&bed, BED_MEMORY);
        struct bed_client *grpc = bed_connect_grpc(&bed);
        struct bed_client *http = bed_connect_http(&bed);
        struct sw_buf *body = bed_request(0, 3);
        bed_call(grpc, &rpc, bed_frame(0, body), NULL, 0);
        bed_post(http, "", body);
        bed_until(&bed, bed.accepted_count == 2);
        sw_mem_fail_at(nth, 0);
        for (unsigned i = 0; i < 400; i++) {
            bed_step(&bed);
        }
        bool failed = sw_mem_fail_at(0, 0) >= nth;
        sw_buf_unref(body);
        bed_fini(&bed);
        if (!failed) {
            return;
        }
    }
    fail_msg("there is no end of allocations");
}

/* ---- the notice ---- */

static void test_notice_is_told_and_new_connections_are_served(void **state)
{
    struct bed bed;
    struct bed_rpc rpc;
    bed_init(&bed, BED_MEMORY);
    struct bed_client *client = bed_connect_grpc(&bed);
    struct bed_client *http = bed_connect_http(&bed);
    struct sw_buf *body = bed_request(0, 3);
    bed_export(client, &rpc, sw_buf_ref(body));
    bed_assert_ok(&rpc);
    sw_otlp_receiver_notice(bed.receiver, 30 * SW_NS_PER_S);
    sw_otlp_receiver_notice(bed.receiver, 29 * SW_NS_PER_S); // told once
    bed_until(&bed, client->goaway);
    assert_string_equal(client->goaway_text, "spanweir-drain/1 notice_ms=30000");
    struct bed_client *again = bed_connect_grpc(&bed);
    bed_export(again, &rpc, sw_buf_ref(body));
    bed_assert_ok(&rpc);
    assert_false(again->goaway);
    assert_false(http->eof);
    assert_int_equal(sw_otlp_receiver_drain(bed.receiver, SW_TIME_NEVER), SW_E_AGAIN);
    bed_until(&bed, again->goaway);
    assert_string_equal(again->goaway_text, "graceful_stop");
    sw_buf_unref(body);
    bed_fini(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ticket_is_settled_after_the_connection_died),
        cmocka_unit_test(test_ticket_that_never_comes_back_is_freed_with_the_receiver),
        cmocka_unit_test(test_calls_that_were_reset_count_until_their_tickets_come),
        cmocka_unit_test(test_broken_connections_lose_nothing_that_was_acknowledged),
        cmocka_unit_test(test_stalled_bodies_are_given_up),
        cmocka_unit_test(test_silent_grpc_connection_is_closed),
        cmocka_unit_test(test_http_1_on_the_grpc_port_is_closed),
        cmocka_unit_test(test_bodies_beyond_the_budget_are_refused),
        cmocka_unit_test(test_default_limit_refuses_before_the_body_is_read),
        cmocka_unit_test(test_large_body_is_decoded_in_slices_while_others_go_on),
        cmocka_unit_test(test_connection_that_dies_while_its_body_is_decoded_leaves_nothing),
        cmocka_unit_test(test_congested_mailbox_stops_the_reading),
        cmocka_unit_test(test_drain_finishes_calls_and_closes),
        cmocka_unit_test(test_drain_at_its_deadline_closes_everything),
        cmocka_unit_test(test_connection_that_comes_while_draining_is_closed),
        cmocka_unit_test(test_any_allocation_may_fail),
        cmocka_unit_test(test_notice_is_told_and_new_connections_are_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
