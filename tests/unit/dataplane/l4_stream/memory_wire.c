/* What the wire in memory promises beyond stream.h: trouble that can be repeated. */
#include "tests/unit/dataplane/l4_stream/world.h"

#include <string.h>

static void noop_data(void *owner, struct sw_stream *stream, const uint8_t *data, size_t size)
{
    (void)stream;
    uint64_t *hash = owner;
    for (size_t i = 0; i < size; i++) {
        *hash = (*hash ^ data[i]) * 1099511628211u;
    }
    *hash = (*hash ^ size) * 1099511628211u; // where it was cut counts too
}

static void noop_closed(void *owner, struct sw_stream *stream, int err)
{
    (void)stream;
    (void)err;
    *(uint64_t *)owner += 1;
}

static uint64_t run_with_seed(uint64_t seed)
{
    struct sw_memory_trouble trouble = {
        .seed = seed,
        .segment_bytes_max = 900,
        .write_bytes_max = 10000,
        .delay_ns_max = 1000000,
    };
    static const struct sw_stream_events events = {.on_data = noop_data, .on_closed = noop_closed};
    struct world world;
    world_init(&world, WORLD_MEMORY, &trouble);
    world_connect(&world);
    uint64_t hash = 1;
    sw_stream_bind(world.server.stream, &events, &hash);
    struct sw_buf *buf = pattern_buf(&world, 0, 100000);
    assert_int_equal(sw_stream_write_ref(world.client.stream, buf, buf->data, 100000), SW_OK);
    sw_buf_unref(buf);
    for (int i = 0; i < 5000; i++) {
        world_step(&world);
    }
    world_fini(&world);
    return hash;
}

static void test_same_seed_gives_the_same_run(void **state)
{
    (void)state;
    uint64_t first = run_with_seed(1);
    assert_true(first == run_with_seed(1));
    assert_true(first != run_with_seed(2));
}

static void test_resets_end_both_sides_and_lose_no_reference(void **state)
{
    (void)state;
    int resets = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct sw_memory_trouble trouble = {
            .seed = seed,
            .segment_bytes_max = 2000,
            .delay_ns_max = 100000,
            .reset_per_million = 10000,
        };
        struct world world;
        world_init(&world, WORLD_MEMORY, &trouble);
        world_connect(&world);
        struct sw_buf *buf = pattern_buf(&world, 0, 100000);
        assert_int_equal(sw_stream_write_ref(world.client.stream, buf, buf->data, 100000), SW_OK);
        world.server.shutdown_on_eof = true;
        sw_stream_shutdown(world.client.stream);
        world_until(&world, world.client.closes == 1 && world.server.closes == 1);
        assert_int_equal(buf->refs_count, 1);
        assert_false(world.server.pattern_broken); // cut short at most
        if (world.client.err != SW_OK) {
            assert_int_equal(world.client.err, SW_E_RESET);
            assert_int_equal(world.server.err, SW_E_RESET);
            resets++;
        } else {
            assert_int_equal(world.server.received_bytes, 100000);
        }
        sw_buf_unref(buf);
        world_fini(&world);
    }
    assert_in_range(resets, 20, 199);
}

static void test_timer_says_when_to_look_again(void **state)
{
    (void)state;
    struct sw_memory_trouble trouble = {.seed = 3, .delay_ns_max = 5000000000};
    struct world world;
    world_init(&world, WORLD_MEMORY, &trouble);
    world_connect(&world);
    uint8_t byte = pattern_byte(0);
    assert_int_equal(sw_stream_write_copy(world.client.stream, &byte, 1), SW_OK);
    // A simulator that jumps from timer to timer needs few turns for seconds of virtual time.
    unsigned turns = 0;
    while (world.server.received_bytes == 0 && turns++ < 20) {
        uint64_t next = SW_TIME_NEVER;
        for (int i = 0; i < 2; i++) {
            uint64_t at = sw_timers_next_ns(&world.cores[i].timers);
            next = at < next ? at : next;
        }
        assert_true(next != SW_TIME_NEVER);
        for (int i = 0; i < 2; i++) {
            struct sw_core *core = &world.cores[i];
            core->now_ns = next > core->now_ns ? next : core->now_ns;
            sw_timers_run(&core->timers, core->now_ns, 10);
            sw_net_poll(core->net, 0);
        }
    }
    assert_int_equal(world.server.received_bytes, 1);
    world_fini(&world);
}

static void test_unknown_handle_is_refused(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, WORLD_MEMORY, NULL);
    struct sw_stream *stream = NULL;
    struct sw_net *net = world.cores[1].net;
    assert_int_equal(sw_net_adopt(net, 5, NULL, &end_events, NULL, &stream), SW_E_INVALID);
    assert_int_equal(sw_memory_listen(world.wire, net, &world.addr, NULL, NULL), SW_E_EXISTS);
    world_fini(&world);
}

static void test_unaccepted_connection_is_reset_when_the_listener_goes(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, WORLD_MEMORY, NULL);
    struct end *end = &world.client;
    struct sw_net *net = world.cores[0].net;
    assert_int_equal(sw_net_connect(net, &world.addr, &end_events, end, &end->stream), SW_OK);
    world.cores[1].net->ops->free(world.cores[1].net);
    sw_net_poll(net, 0);
    assert_int_equal(end->closes, 1);
    assert_int_equal(end->err, SW_E_RESET);
    assert_int_equal(sw_memory_net_new(world.wire, &world.cores[1], &world.cores[1].net), SW_OK);
    world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_gives_the_same_run),
        cmocka_unit_test(test_resets_end_both_sides_and_lose_no_reference),
        cmocka_unit_test(test_timer_says_when_to_look_again),
        cmocka_unit_test(test_unknown_handle_is_refused),
        cmocka_unit_test(test_unaccepted_connection_is_reset_when_the_listener_goes),
    };
    return cmocka_run_group_tests_name("memory_wire", tests, NULL, NULL);
}
