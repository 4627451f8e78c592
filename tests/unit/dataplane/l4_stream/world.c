#include "tests/unit/dataplane/l4_stream/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void on_open(void *owner, struct sw_stream *stream)
{
    struct end *end = owner;
    assert_true(stream->open);
    end->opens++;
    if (end->close_on_open) {
        end->stream = NULL;
        sw_stream_close(stream);
    }
}

static void on_data(void *owner, struct sw_stream *stream, const uint8_t *data, size_t size)
{
    struct end *end = owner;
    assert_ptr_equal(end->stream, stream);
    assert_int_equal(end->eofs, 0);
    assert_int_equal(end->closes, 0);
    assert_false(stream->paused);
    assert_true(size > 0);
    for (size_t i = 0; i < size; i++) {
        end->pattern_broken |= data[i] != pattern_byte(end->pattern_at++);
    }
    end->received_bytes += size;
    if (end->pause_on_data) {
        sw_stream_pause(stream, true);
    }
    if (end->close_other_on_data != NULL) {
        sw_stream_close(end->close_other_on_data);
        end->close_other_on_data = NULL;
    }
    if (end->close_on_data) {
        end->stream = NULL;
        sw_stream_close(stream);
    }
}

static void on_eof(void *owner, struct sw_stream *stream)
{
    struct end *end = owner;
    end->eofs++;
    if (end->shutdown_on_eof) {
        sw_stream_shutdown(stream);
    }
    if (end->close_on_eof) {
        end->stream = NULL;
        sw_stream_close(stream);
    }
}

static void on_drain(void *owner, struct sw_stream *stream)
{
    struct end *end = owner;
    assert_true(stream->queued_bytes < SW_STREAM_LOW_BYTES);
    end->drains++;
}

static void on_closed(void *owner, struct sw_stream *stream, int err)
{
    struct end *end = owner;
    assert_ptr_equal(end->stream, stream);
    assert_false(stream->open);
    end->closes++;
    end->err = err;
    end->stream = NULL;
}

const struct sw_stream_events end_events = {
    .on_open = on_open,
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .on_closed = on_closed,
};

static void adopt(struct world *world, int handle, const struct sw_addr *peer)
{
    struct sw_net *net = world->cores[1].net;
    struct end *end = world->accept_into;
    assert_int_equal(sw_net_adopt(net, handle, peer, &end_events, end, &end->stream), SW_OK);
    assert_true(end->stream->open);
}

static void accepted(void *context, int handle, const struct sw_addr *peer)
{
    adopt(context, handle, peer);
}

static void listen_in_kernel(struct world *world)
{
    if (world->kind == WORLD_UNIX) {
        char path[100];
        snprintf(world->directory, sizeof(world->directory), "/tmp/sw-l4-XXXXXX");
        assert_non_null(mkdtemp(world->directory));
        snprintf(path, sizeof(path), "unix:%s/socket", world->directory);
        assert_int_equal(sw_addr_parse(path, 0, &world->addr), SW_OK);
    } else {
        assert_int_equal(sw_addr_parse("127.0.0.1", 0, &world->addr), SW_OK);
    }
    uint16_t port;
    assert_int_equal(sw_socket_listen(&world->addr, 16, &world->listen_fd, &port), SW_OK);
    if (world->kind == WORLD_TCP) {
        assert_int_not_equal(port, 0);
        world->addr.in4.sin_port = htons(port);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sw_socket_net_new(&world->cores[i], -1, &world->cores[i].net), SW_OK);
    }
}

static void listen_in_memory(struct world *world, const struct sw_memory_trouble *trouble)
{
    assert_int_equal(sw_memory_wire_new(trouble, &world->wire), SW_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            sw_memory_net_new(world->wire, &world->cores[i], &world->cores[i].net), SW_OK
        );
    }
    assert_int_equal(sw_addr_parse("10.0.0.1", 4317, &world->addr), SW_OK);
    struct sw_net *net = world->cores[1].net;
    assert_int_equal(sw_memory_listen(world->wire, net, &world->addr, accepted, world), SW_OK);
}

void world_init(struct world *world, enum world_kind kind, const struct sw_memory_trouble *trouble)
{
    static const struct sw_memory_trouble some = {
        .seed = 7,
        .segment_bytes_max = 5000,
        .write_bytes_max = 300000,
        .delay_ns_max = 300000,
    };
    memset(world, 0, sizeof(*world));
    world->kind = kind;
    world->listen_fd = -1;
    world->accept_into = &world->server;
    for (int i = 0; i < 2; i++) {
        world->cores[i].index = (uint16_t)i;
        world->cores[i].cores_count = 2;
        world->cores[i].account = &world->account;
        world->cores[i].now_ns = 1000000000;
    }
    if (kind == WORLD_TCP || kind == WORLD_UNIX) {
        listen_in_kernel(world);
    } else {
        listen_in_memory(world, trouble == NULL && kind == WORLD_MEMORY_TROUBLED ? &some : trouble);
    }
}

void world_fini(struct world *world)
{
    for (int i = 0; i < 2; i++) {
        world->cores[i].net->ops->free(world->cores[i].net);
        assert_int_equal(world->cores[i].timers.count, 0);
    }
    sw_memory_wire_free(world->wire);
    if (world->listen_fd >= 0) {
        close(world->listen_fd);
    }
    if (world->directory[0] != '\0') {
        unlink(world->addr.un.sun_path);
        rmdir(world->directory);
    }
    // Whatever was queued, every chunk and every reference is given back.
    assert_int_equal(sw_account_charged(&world->account), 0);
}

unsigned world_step(struct world *world)
{
    int fd;
    struct sw_addr peer;
    if (world->listen_fd >= 0 && sw_socket_accept(world->listen_fd, &fd, &peer) == SW_OK) {
        adopt(world, fd, &peer);
    }
    unsigned count = 0;
    for (int i = 0; i < 2; i++) {
        struct sw_core *core = &world->cores[i];
        core->now_ns += 20000;
        sw_timers_run(&core->timers, core->now_ns, 100);
        count += sw_net_poll(core->net, 0);
    }
    return count;
}

void world_connect(struct world *world)
{
    struct sw_net *net = world->cores[0].net;
    struct end *end = &world->client;
    assert_int_equal(sw_net_connect(net, &world->addr, &end_events, end, &end->stream), SW_OK);
    assert_int_equal(end->opens + end->closes, 0); // never from inside the call
    world_until(world, end->opens == 1 && world->server.stream != NULL);
}

struct sw_buf *pattern_buf(struct world *world, uint64_t at, uint32_t size)
{
    struct sw_buf *buf = sw_buf_new(&world->account, size);
    assert_non_null(buf);
    for (uint32_t i = 0; i < size; i++) {
        buf->data[i] = pattern_byte(at + i);
    }
    buf->size = size;
    return buf;
}
