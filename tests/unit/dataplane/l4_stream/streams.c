/* What every implementation of stream.h owes; each test runs over all of them. */
#include "dataplane/base/mem.h"
#include "dataplane/base/rand.h"
#include "tests/unit/dataplane/l4_stream/world.h"

#include <errno.h>
#include <string.h>

static enum world_kind kind_of(void **state)
{
    return (enum world_kind)(uintptr_t)*state;
}

// Sends `size` bytes of the pattern, by copy or by reference as the generator says.
static void send_mixed(
    struct world *world,
    struct sw_stream *stream,
    struct sw_rand *rand,
    uint64_t *at,
    uint32_t size
)
{
    struct sw_buf *buf = pattern_buf(world, *at, size);
    if (sw_rand_below(rand, 2) == 0) {
        assert_int_equal(sw_stream_write_copy(stream, buf->data, size), SW_OK);
        assert_int_equal(buf->refs_count, 1);
    } else {
        assert_int_equal(sw_stream_write_ref(stream, buf, buf->data, size), SW_OK);
    }
    sw_buf_unref(buf);
    *at += size;
}

static void test_many_writes_arrive_in_order(void **state)
{
    struct world world;
    world_init(&world, kind_of(state), NULL);
    world_connect(&world);
    struct sw_rand rand;
    sw_rand_init(&rand, 42);
    uint64_t client_at = 0;
    uint64_t server_at = 0;
    for (int turn = 0; turn < 300; turn++) {
        for (uint64_t i = sw_rand_below(&rand, 20); i > 0; i--) {
            uint32_t size = (uint32_t)sw_rand_below(&rand, i % 7 == 0 ? 30000 : 200);
            send_mixed(&world, world.client.stream, &rand, &client_at, size);
            send_mixed(&world, world.server.stream, &rand, &server_at, size / 2);
        }
        if (turn % 10 == 0) {
            sw_stream_flush(world.client.stream);
        }
        world_step(&world);
    }
    world_until(&world, world.server.received_bytes == client_at);
    world_until(&world, world.client.received_bytes == server_at);
    assert_false(world.server.pattern_broken || world.client.pattern_broken);
    assert_int_equal(world.client.stream->queued_bytes, 0);
    assert_int_equal(sw_account_charged(&world.account), 0);
    world_fini(&world);
}

static void test_fifty_megabytes_cross_in_parts(void **state)
{
    struct world world;
    world_init(&world, kind_of(state), NULL);
    world_connect(&world);
    uint32_t size = 50u * 1000 * 1000;
    struct sw_buf *buf = pattern_buf(&world, 0, size);
    assert_int_equal(sw_stream_write_ref(world.client.stream, buf, buf->data, size), SW_OK);
    assert_int_equal(buf->refs_count, 2);
    world_step(&world);
    assert_true(world.client.stream->queued_bytes > 0);
    assert_int_equal(buf->refs_count, 2);
    world_until(&world, world.server.received_bytes == size);
    assert_false(world.server.pattern_broken);
    assert_int_equal(buf->refs_count, 1);
    world_until(&world, world.client.drains == 1);
    sw_buf_unref(buf);
    world_fini(&world);
}

static void test_paused_reader_holds_the_writer_back(void **state)
{
    struct world world;
    world_init(&world, kind_of(state), NULL);
    world_connect(&world);
    uint32_t size = 30u * 1000 * 1000;
    struct sw_buf *buf = pattern_buf(&world, 0, size);
    sw_stream_pause(world.server.stream, true);
    assert_int_equal(sw_stream_write_ref(world.client.stream, buf, buf->data, size), SW_OK);
    sw_buf_unref(buf);
    for (int i = 0; i < 2000; i++) {
        world_step(&world);
    }
    assert_int_equal(world.server.received_bytes, 0);
    assert_true(world.client.stream->queued_bytes > SW_STREAM_HIGH_BYTES);
    assert_int_equal(world.client.drains, 0);
    world.server.pause_on_data = true; // one piece at a time
    for (int i = 0; i < 20; i++) {
        uint64_t before = world.server.received_bytes;
        sw_stream_pause(world.server.stream, false);
        world_until(&world, world.server.received_bytes > before);
        assert_true(world.server.stream->paused);
    }
    world.server.pause_on_data = false;
    sw_stream_pause(world.server.stream, false);
    world_until(&world, world.server.received_bytes == size && world.client.drains == 1);
    assert_false(world.server.pattern_broken);
    world_fini(&world);
}

static void test_half_closed_stream_still_answers(void **state)
{
    struct world world;
    world_init(&world, kind_of(state), NULL);
    world_connect(&world);
    struct sw_buf *request = pattern_buf(&world, 0, 100000);
    struct sw_buf *answer = pattern_buf(&world, 0, 70000);
    assert_int_equal(sw_stream_write_copy(world.client.stream, request->data, 100000), SW_OK);
    sw_stream_shutdown(world.client.stream);
    assert_int_equal(sw_stream_write_copy(world.client.stream, "x", 1), SW_E_CLOSED);
    assert_int_equal(sw_stream_write_ref(world.client.stream, request, "x", 1), SW_E_CLOSED);
    assert_int_equal(request->refs_count, 1);
    world_until(&world, world.server.eofs == 1);
    assert_int_equal(world.server.received_bytes, 100000);
    assert_int_equal(world.client.closes, 0);
    assert_int_equal(sw_stream_write_copy(world.server.stream, answer->data, 70000), SW_OK);
    world_until(&world, world.client.received_bytes == 70000);
    assert_int_equal(world.client.eofs, 0);
    sw_stream_shutdown(world.server.stream);
    world_until(&world, world.client.closes == 1 && world.server.closes == 1);
    assert_int_equal(world.client.eofs, 1);
    assert_int_equal(world.client.err, SW_OK);
    assert_int_equal(world.server.err, SW_OK);
    sw_buf_unref(request);
    sw_buf_unref(answer);
    world_fini(&world);
}

static void test_shutdown_in_on_eof_ends_both(void **state)
{
    struct world world;
    world_init(&world, kind_of(state), NULL);
    world_connect(&world);
    world.server.shutdown_on_eof = true;
    sw_stream_shutdown(world.client.stream);
    world_until(&world, world.client.closes == 1 && world.server.closes == 1);
    assert_int_equal(world.server.eofs, 1);
    assert_int_equal(world.client.err, SW_OK);
    assert_int_equal(world.server.err, SW_OK);
    world_fini(&world);
}

static void test_peer_gone_with_data_queued_reports_reset_and_drops_refs(void **state)
{
    struct world world;
    world_init(&world, kind_of(state), NULL);
    world_connect(&world);
    uint32_t size = 20u * 1000 * 1000;
    struct sw_buf *buf = pattern_buf(&world, 0, size);
    sw_stream_pause(world.server.stream, true);
    assert_int_equal(sw_stream_write_ref(world.client.stream, buf, buf->data, size), SW_OK);
    for (int i = 0; i < 100; i++) {
        world_step(&world);
    }
    assert_int_equal(buf->refs_count, 2);
    sw_stream_close(world.server.stream); // with unread bytes: a reset
    world.server.stream = NULL;
    world_until(&world, world.client.closes == 1);
    assert_int_equal(world.client.err, SW_E_RESET);
    assert_int_equal(buf->refs_count, 1);
    for (int i = 0; i < 10; i++) {
        world_step(&world);
    }
    assert_int_equal(world.client.closes, 1);
    assert_int_equal(world.server.closes, 0); // closed by its owner: no callback
    sw_buf_unref(buf);
    world_fini(&world);
}

static void test_close_with_data_queued_drops_refs_without_callback(void **state)
{
    struct world world;
    world_init(&world, kind_of(state), NULL);
    world_connect(&world);
    uint32_t size = 20u * 1000 * 1000;
    struct sw_buf *buf = pattern_buf(&world, 0, size);
    assert_int_equal(sw_stream_write_ref(world.client.stream, buf, buf->data, size), SW_OK);
    assert_int_equal(sw_stream_write_copy(world.client.stream, "abc", 3), SW_OK);
    world_step(&world);
    sw_stream_close(world.client.stream);
    assert_int_equal(buf->refs_count, 1);
    world.client.stream = NULL;
    world.server.close_on_eof = true;
    world_until(&world, world.server.stream == NULL);
    assert_int_equal(world.client.closes, 0);
    sw_buf_unref(buf);
    world_fini(&world);
}

static void test_close_inside_callbacks_is_safe(void **state)
{
    for (int which = 0; which < 3; which++) {
        struct world world;
        world_init(&world, kind_of(state), NULL);
        world_connect(&world);
        world.server.close_on_data = which == 0;
        world.server.close_on_eof = which == 1;
        struct sw_buf *buf = pattern_buf(&world, 0, 400000);
        assert_int_equal(sw_stream_write_ref(world.client.stream, buf, buf->data, 400000), SW_OK);
        assert_int_equal(sw_stream_write_copy(world.server.stream, "q", 1), SW_OK);
        world.client.close_on_data = which == 2;
        sw_stream_shutdown(world.client.stream);
        if (which == 2) {
            world_until(&world, world.client.stream == NULL);
        } else {
            world_until(&world, world.server.stream == NULL && world.client.closes == 1);
        }
        assert_int_equal(world.server.closes, world.server.stream == NULL && which == 2 ? 1 : 0);
        assert_int_equal(buf->refs_count, 1);
        sw_buf_unref(buf);
        world_fini(&world);
    }
}

static void test_close_in_on_open_is_safe(void **state)
{
    struct world world;
    world_init(&world, kind_of(state), NULL);
    struct end *end = &world.client;
    end->close_on_open = true;
    struct sw_net *net = world.cores[0].net;
    assert_int_equal(sw_net_connect(net, &world.addr, &end_events, end, &end->stream), SW_OK);
    assert_int_equal(sw_stream_write_copy(end->stream, "abc", 3), SW_OK);
    world_until(&world, end->opens == 1 && world.server.eofs + world.server.closes > 0);
    assert_int_equal(end->closes, 0);
    world_fini(&world);
}

static void test_closing_another_stream_in_a_callback_is_safe(void **state)
{
    struct world world;
    world_init(&world, kind_of(state), NULL);
    world_connect(&world);
    struct end first = world.client;
    sw_stream_bind(first.stream, &end_events, &first);
    struct end first_server = world.server;
    sw_stream_bind(first_server.stream, &end_events, &first_server);
    memset(&world.client, 0, sizeof(world.client));
    memset(&world.server, 0, sizeof(world.server));
    world_connect(&world);
    // Both server ends have bytes to hand up in the same turn; whoever comes first closes the other.
    first_server.close_other_on_data = world.server.stream;
    world.server.close_other_on_data = first_server.stream;
    uint8_t byte = pattern_byte(0);
    for (int i = 0; i < 2; i++) {
        struct sw_stream *stream = i == 0 ? first.stream : world.client.stream;
        assert_int_equal(sw_stream_write_copy(stream, &byte, 1), SW_OK);
        sw_stream_flush(stream);
    }
    world_until(&world, first_server.received_bytes + world.server.received_bytes > 0);
    for (int i = 0; i < 100; i++) {
        world_step(&world);
    }
    assert_int_equal(first_server.received_bytes + world.server.received_bytes, 1);
    world_fini(&world);
}

static void test_refused_connection_is_reported_later(void **state)
{
    struct world world;
    world_init(&world, kind_of(state), NULL);
    struct sw_addr nobody;
    if (kind_of(state) == WORLD_UNIX) {
        assert_int_equal(sw_addr_parse("unix:/nowhere/at/all", 0, &nobody), SW_OK);
    } else {
        assert_int_equal(sw_addr_parse("127.0.0.1", 1, &nobody), SW_OK);
    }
    struct end *end = &world.client;
    struct sw_net *net = world.cores[0].net;
    assert_int_equal(sw_net_connect(net, &nobody, &end_events, end, &end->stream), SW_OK);
    assert_int_equal(end->closes, 0);
    struct sw_buf *buf = pattern_buf(&world, 0, 10);
    (void)!sw_stream_write_ref(end->stream, buf, buf->data, 10); // may be refused already
    sw_stream_flush(end->stream);
    assert_int_equal(end->closes, 0);
    world_until(&world, end->closes == 1);
    assert_int_equal(end->err, SW_E_REFUSED);
    assert_int_equal(end->opens, 0);
    assert_int_equal(buf->refs_count, 1);
    sw_buf_unref(buf);
    world_fini(&world);
}

static void test_bytes_written_before_the_handshake_go_out(void **state)
{
    struct world world;
    world_init(&world, kind_of(state), NULL);
    struct end *end = &world.client;
    struct sw_net *net = world.cores[0].net;
    assert_int_equal(sw_net_connect(net, &world.addr, &end_events, end, &end->stream), SW_OK);
    struct sw_buf *buf = pattern_buf(&world, 0, 1000);
    assert_int_equal(sw_stream_write_copy(end->stream, buf->data, 1000), SW_OK);
    sw_stream_flush(end->stream);
    sw_stream_shutdown(end->stream);
    world_until(&world, world.server.eofs == 1);
    assert_int_equal(world.server.received_bytes, 1000);
    assert_false(world.server.pattern_broken);
    sw_buf_unref(buf);
    world_fini(&world);
}

static void test_eof_waits_while_paused(void **state)
{
    struct world world;
    world_init(&world, kind_of(state), NULL);
    world_connect(&world);
    sw_stream_pause(world.server.stream, true);
    struct sw_buf *buf = pattern_buf(&world, 0, 1000);
    assert_int_equal(sw_stream_write_copy(world.client.stream, buf->data, 1000), SW_OK);
    sw_stream_flush(world.client.stream);
    sw_stream_close(world.client.stream);
    world.client.stream = NULL;
    for (int i = 0; i < 1000; i++) {
        world_step(&world);
    }
    assert_int_equal(world.server.received_bytes + (uint64_t)world.server.eofs, 0);
    // A turn in which nothing happens says so: nobody spins on a peer that has gone.
    assert_int_equal(world_step(&world), 0);
    sw_stream_pause(world.server.stream, false);
    world_until(&world, world.server.eofs == 1);
    assert_int_equal(world.server.received_bytes, 1000);
    sw_buf_unref(buf);
    world_fini(&world);
}

static void test_idle_turn_handles_nothing(void **state)
{
    struct world world;
    world_init(&world, kind_of(state), NULL);
    world_connect(&world);
    for (int i = 0; i < 100; i++) {
        world_step(&world);
    }
    assert_int_equal(world_step(&world), 0);
    sw_stream_shutdown(world.client.stream);
    world_until(&world, world.server.eofs == 1);
    for (int i = 0; i < 100; i++) {
        world_step(&world);
    }
    assert_int_equal(world_step(&world), 0); // half closed, and still
    world_fini(&world);
}

static void test_failing_allocation_queues_nothing(void **state)
{
    struct world world;
    world_init(&world, kind_of(state), NULL);
    world_connect(&world);
    struct sw_buf *buf = pattern_buf(&world, 0, 1000);
    sw_mem_fail_at(1, 1);
    assert_int_equal(sw_stream_write_copy(world.client.stream, buf->data, 1000), SW_E_NOMEM);
    struct sw_stream *none = NULL;
    struct sw_net *net = world.cores[0].net;
    assert_int_equal(sw_net_connect(net, &world.addr, &end_events, NULL, &none), SW_E_NOMEM);
    int err = SW_OK;
    int queued = 0;
    while (err == SW_OK && queued < 1000) {
        err = sw_stream_write_ref(world.client.stream, buf, buf->data + queued, 1);
        queued += err == SW_OK;
    }
    sw_mem_fail_at(0, 0);
    assert_int_equal(err, SW_E_NOMEM);
    assert_null(none);
    assert_int_equal(buf->refs_count, (uint32_t)queued + 1);
    assert_int_equal(world.client.stream->queued_bytes, queued);
    world_until(&world, world.server.received_bytes == (uint64_t)queued);
    assert_false(world.server.pattern_broken);
    assert_int_equal(buf->refs_count, 1);
    sw_buf_unref(buf);
    world_fini(&world);
}

static void test_freeing_the_net_drops_all_refs(void **state)
{
    struct world world;
    world_init(&world, kind_of(state), NULL);
    world_connect(&world);
    struct sw_buf *buf = pattern_buf(&world, 0, 100);
    assert_int_equal(sw_stream_write_ref(world.client.stream, buf, buf->data, 100), SW_OK);
    assert_int_equal(sw_stream_write_copy(world.server.stream, buf->data, 100), SW_OK);
    struct sw_buf *held = sw_buf_ref(buf);
    sw_buf_unref(buf);
    for (int i = 0; i < 2; i++) {
        world.cores[i].net->ops->free(world.cores[i].net);
    }
    assert_int_equal(held->refs_count, 1);
    assert_int_equal(world.client.closes + world.server.closes, 0);
    sw_buf_unref(held);
    for (int i = 0; i < 2; i++) { // for world_fini
        assert_int_equal(sw_socket_net_new(&world.cores[i], -1, &world.cores[i].net), SW_OK);
    }
    world_fini(&world);
}

#define OVER(test, kind)                                                                           \
    {                                                                                              \
#test " over " #kind, test, NULL, NULL, (void *)(uintptr_t)(kind)                          \
    }
#define OVER_ALL(test)                                                                             \
    OVER(test, WORLD_TCP), OVER(test, WORLD_UNIX), OVER(test, WORLD_MEMORY),                       \
        OVER(test, WORLD_MEMORY_TROUBLED)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OVER_ALL(test_many_writes_arrive_in_order),
        OVER_ALL(test_fifty_megabytes_cross_in_parts),
        OVER_ALL(test_paused_reader_holds_the_writer_back),
        OVER_ALL(test_half_closed_stream_still_answers),
        OVER_ALL(test_shutdown_in_on_eof_ends_both),
        OVER_ALL(test_peer_gone_with_data_queued_reports_reset_and_drops_refs),
        OVER_ALL(test_close_with_data_queued_drops_refs_without_callback),
        OVER_ALL(test_close_inside_callbacks_is_safe),
        OVER_ALL(test_close_in_on_open_is_safe),
        OVER_ALL(test_closing_another_stream_in_a_callback_is_safe),
        OVER_ALL(test_refused_connection_is_reported_later),
        OVER_ALL(test_bytes_written_before_the_handshake_go_out),
        OVER_ALL(test_eof_waits_while_paused),
        OVER_ALL(test_idle_turn_handles_nothing),
        OVER_ALL(test_failing_allocation_queues_nothing),
        OVER_ALL(test_freeing_the_net_drops_all_refs),
    };
    return cmocka_run_group_tests_name("streams", tests, NULL, NULL);
}
