/* What kernel sockets promise beyond stream.h. */
#include "tests/unit/dataplane/l4_stream/world.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

static void test_wake_fd_ends_the_wait_and_is_drained(void **state)
{
    (void)state;
    struct sw_core core = {0};
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct sw_net *net;
    assert_int_equal(sw_socket_net_new(&core, fd, &net), SW_OK);
    assert_int_equal(sw_net_poll(net, 0), 0);
    uint64_t one = 1;
    assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
    assert_int_equal(sw_net_poll(net, -1), 1); // would hang without the wake-up
    assert_int_equal(sw_net_poll(net, 0), 0);
    net->ops->free(net);
    close(fd);
}

static void test_nothing_to_accept_says_so(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, WORLD_TCP, NULL);
    int fd;
    struct sw_addr peer;
    assert_int_equal(sw_socket_accept(world.listen_fd, &fd, &peer), SW_E_AGAIN);
    world_fini(&world);
}

static void test_accept_out_of_descriptors_fails_and_recovers(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, WORLD_TCP, NULL);
    struct end *end = &world.client;
    struct sw_net *net = world.cores[0].net;
    assert_int_equal(sw_net_connect(net, &world.addr, &end_events, end, &end->stream), SW_OK);
    while (end->opens == 0) {
        sw_net_poll(net, 10);
    }
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none = {.rlim_cur = 3, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int fd;
    struct sw_addr peer;
    int err = sw_socket_accept(world.listen_fd, &fd, &peer);
    int number = errno;
    struct sw_stream *stream;
    int connect_err = sw_net_connect(net, &world.addr, &end_events, end, &stream);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(err, SW_E_SYSTEM);
    assert_int_equal(number, EMFILE);
    assert_int_equal(connect_err, SW_E_SYSTEM);
    world_until(&world, world.server.stream != NULL); // the connection waited
    world_fini(&world);
}

static void test_listening_twice_is_a_system_error(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, WORLD_TCP, NULL);
    int fd;
    assert_int_equal(sw_socket_listen(&world.addr, 1, &fd, NULL), SW_E_SYSTEM);
    assert_int_equal(errno, EADDRINUSE);
    world_fini(&world);
}

static void test_peer_address_is_known(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, WORLD_TCP, NULL);
    world_connect(&world);
    char text[64];
    sw_addr_text(&world.server.stream->peer, text, sizeof(text));
    assert_int_equal(strncmp(text, "127.0.0.1:", 10), 0);
    assert_memory_equal(&world.client.stream->peer, &world.addr, world.addr.len);
    world_fini(&world);
}

// One core serves many streams in a turn; a stream that floods does not silence the others.
static void test_flooding_stream_leaves_room_for_others(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, WORLD_TCP, NULL);
    world_connect(&world);
    struct end flood = world.client;
    sw_stream_bind(flood.stream, &end_events, &flood);
    struct end flood_server = world.server;
    sw_stream_bind(flood_server.stream, &end_events, &flood_server);
    memset(&world.client, 0, sizeof(world.client));
    memset(&world.server, 0, sizeof(world.server));
    world_connect(&world);
    uint32_t size = 40u * 1000 * 1000;
    struct sw_buf *buf = pattern_buf(&world, 0, size);
    assert_int_equal(sw_stream_write_ref(flood.stream, buf, buf->data, size), SW_OK);
    sw_buf_unref(buf);
    for (int i = 0; i < 10; i++) {
        world_step(&world);
    }
    for (uint64_t i = 0; i < 20; i++) {
        uint8_t byte = pattern_byte(i);
        assert_int_equal(sw_stream_write_copy(world.client.stream, &byte, 1), SW_OK);
        uint64_t before = flood_server.received_bytes;
        world_until(&world, world.server.received_bytes == i + 1);
        assert_true(flood_server.received_bytes - before < 8u * 1000 * 1000);
    }
    world_until(&world, flood_server.received_bytes == size);
    assert_false(flood_server.pattern_broken);
    world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wake_fd_ends_the_wait_and_is_drained),
        cmocka_unit_test(test_nothing_to_accept_says_so),
        cmocka_unit_test(test_accept_out_of_descriptors_fails_and_recovers),
        cmocka_unit_test(test_listening_twice_is_a_system_error),
        cmocka_unit_test(test_peer_address_is_known),
        cmocka_unit_test(test_flooding_stream_leaves_room_for_others),
    };
    return cmocka_run_group_tests_name("socket_net", tests, NULL, NULL);
}
