#include "perf/loadgen/sink.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void watch(struct sw_lg_peer *peer, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = peer};
    epoll_ctl(peer->sink->epoll_fd, operation, peer->fd, &event);
}

static struct sw_lg_peer *free_peer(struct sw_lg_sink *sink)
{
    for (unsigned i = 0; i < sink->peers_max; i++) {
        if (sink->peers[i] && sink->peers[i]->fd < 0) {
            return sink->peers[i];
        }
        if (!sink->peers[i]) {
            sink->peers[i] = sw_lg_alloc(1, sizeof(struct sw_lg_peer));
            sink->peers[i]->sink = sink;
            sink->peers[i]->index = (int)i;
            return sink->peers[i];
        }
    }
    return NULL;
}

void sw_lg_sink_accept(struct sw_lg_sink *sink, int listener, bool control)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct sw_lg_peer *peer = free_peer(sink);
        int one = 1;
        if (!peer) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        peer->fd = fd;
        peer->generation++;
        peer->broken = peer->want_write = peer->in_body = peer->awaiting = false;
        peer->kind = control ? SW_LG_PEER_CONTROL : SW_LG_PEER_NEW;
        peer->input.len = peer->output.len = peer->output_at = 0;
        peer->flow = peer->body_left = 0;
        peer->table_shrunk = false;
        sink->accepted_connections += !control;
        sink->connections += !control;
        watch(peer, EPOLL_CTL_ADD, EPOLLIN);
    }
}

static void close_peer(struct sw_lg_peer *peer)
{
    close(peer->fd);
    peer->fd = -1;
    peer->sink->connections -= peer->kind != SW_LG_PEER_CONTROL;
    if (peer->kind == SW_LG_PEER_H2) {
        sw_lg_h2_in_fini(&peer->in);
    }
    unsigned count = peer->kind == SW_LG_PEER_H2 ? SW_LG_SINK_STREAMS : 1;
    for (unsigned i = 0; peer->streams && i < count; i++) {
        sw_lg_bytes_free(&peer->streams[i].body);
        sw_lg_bytes_free(&peer->streams[i].walk.ids);
    }
    free(peer->streams);
    peer->streams = NULL;
    peer->last_stream = 0;
    peer->kind = SW_LG_PEER_NEW;
}

void sw_lg_peer_flush(struct sw_lg_peer *peer)
{
    while (peer->fd >= 0 && !peer->broken && peer->output_at < peer->output.len) {
        ssize_t sent = send(
            peer->fd,
            peer->output.data + peer->output_at,
            peer->output.len - peer->output_at,
            MSG_NOSIGNAL
        );
        if (sent < 0) {
            peer->broken = errno != EAGAIN && errno != EINTR;
            break;
        }
        peer->output_at += (size_t)sent;
    }
    if (peer->output_at == peer->output.len) {
        peer->output.len = peer->output_at = 0;
    }
    bool want = peer->output.len > 0;
    if (peer->fd >= 0 && want != peer->want_write) {
        peer->want_write = want;
        watch(peer, EPOLL_CTL_MOD, EPOLLIN | (want ? EPOLLOUT : 0));
    }
}

void sw_lg_stream_begin(struct sw_lg_peer *peer, struct sw_lg_stream *stream, uint64_t size)
{
    stream->body.len = 0;
    sw_lg_walk_begin(&stream->walk, stream->signal, size, peer->sink->record != NULL);
}

void sw_lg_stream_body(struct sw_lg_stream *stream, const uint8_t *data, size_t len)
{
    stream->bytes += len;
    if (stream->json || stream->codec != SW_LG_PLAIN) {
        sw_lg_bytes_put(&stream->body, data, len);
    } else {
        sw_lg_walk_feed(&stream->walk, data, len);
    }
}

// The first bytes tell HTTP/2 with prior knowledge from HTTP/1.
static bool tell_protocol(struct sw_lg_peer *peer)
{
    size_t preface = strlen(SW_LG_H2_PREFACE);
    size_t common = peer->input.len < preface ? peer->input.len : preface;
    if (memcmp(peer->input.data, SW_LG_H2_PREFACE, common)) {
        peer->kind = SW_LG_PEER_H1;
        peer->streams = sw_lg_alloc(1, sizeof(*peer->streams));
        return sw_lg_sink_h1_feed(peer);
    }
    if (common < preface) {
        return true;
    }
    peer->kind = SW_LG_PEER_H2;
    sw_lg_sink_h2_open(peer);
    bool good = sw_lg_h2_feed(&peer->in, peer->input.data + preface, peer->input.len - preface);
    peer->input.len = 0;
    return good;
}

static bool control_feed(struct sw_lg_peer *peer)
{
    char *text = (char *)peer->input.data;
    char *end = memmem(text, peer->input.len, "\r\n\r\n", 4);
    if (!end) {
        return peer->input.len < 65536;
    }
    *end = 0;
    char *target = strchr(text, ' ');
    char *target_end = target ? strchr(target + 1, ' ') : NULL;
    if (!target_end) {
        return false;
    }
    *target_end = 0;
    sw_lg_sink_control(peer, target + 1);
    peer->input.len = 0;
    return true;
}

static bool feed(struct sw_lg_peer *peer, const uint8_t *data, size_t len)
{
    if (peer->kind == SW_LG_PEER_H2) {
        return sw_lg_h2_feed(&peer->in, data, len);
    }
    sw_lg_bytes_put(&peer->input, data, len);
    if (peer->kind == SW_LG_PEER_NEW) {
        return tell_protocol(peer);
    }
    return peer->kind == SW_LG_PEER_CONTROL ? control_feed(peer) : sw_lg_sink_h1_feed(peer);
}

void sw_lg_peer_event(struct sw_lg_peer *peer, uint32_t events)
{
    static uint8_t buffer[256 * 1024];
    if (peer->fd < 0) {
        return;
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        ssize_t got = recv(peer->fd, buffer, sizeof(buffer), 0);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
            peer->broken = true;
        } else if (got > 0 && !feed(peer, buffer, (size_t)got)) {
            peer->broken = true;
        }
    }
    sw_lg_peer_flush(peer);
    if (peer->broken) {
        close_peer(peer);
    }
}
