#include "perf/loadgen/client.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void watch(struct sw_lg_connection *connection, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};
    epoll_ctl(connection->client->epoll_fd, operation, connection->fd, &event);
}

void sw_lg_connection_open(struct sw_lg_connection *connection, uint64_t now_ns)
{
    struct sw_lg_client *client = connection->client;
    connection->fd = sw_lg_tcp_connect(client->options.host, client->options.port);
    if (connection->fd < 0) {
        connection->reconnect_ns = now_ns + connection->reconnect_backoff_ns;
        return;
    }
    connection->connected = false;
    connection->ready = false;
    connection->broken = false;
    connection->going_away = false;
    connection->control.len = 0;
    connection->iov_count = connection->iov_at = 0;
    connection->want_write = true;
    connection->streams_max = client->options.http ? 1 : client->options.streams;
    watch(connection, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

// Connections come back after 50 ms, then twice as long each time, at most after 2 s.
void sw_lg_connection_close(struct sw_lg_connection *connection)
{
    uint64_t now_ns = sw_lg_now();
    if (connection->fd >= 0) {
        close(connection->fd);
        connection->fd = -1;
    }
    if (connection->connected) {
        connection->client->connection_losses++;
        connection->reconnect_backoff_ns = 50000000;
    } else if (connection->reconnect_backoff_ns < 1000000000) {
        connection->reconnect_backoff_ns *= 2;
    }
    connection->reconnect_ns = now_ns + connection->reconnect_backoff_ns;
    connection->iov_count = connection->iov_at = 0;
    connection->ready = false;
    connection->connected = false;
    connection->input.len = 0;
    sw_lg_h2_in_fini(&connection->in);
    while (connection->requests_count) {
        struct sw_lg_request *request = connection->requests[0];
        if (!request->finished) {
            request->lost = true;
        }
        sw_lg_connection_finish(connection, request);
    }
}

void sw_lg_connection_finish(struct sw_lg_connection *connection, struct sw_lg_request *request)
{
    request->finished = true;
    // The iovecs may still point into the body: sw_lg_connection_flush comes back to it.
    if (connection->iov_at < connection->iov_count) {
        return;
    }
    for (unsigned i = 0; i < connection->requests_count; i++) {
        if (connection->requests[i] == request) {
            connection->requests_count--;
            memmove(
                &connection->requests[i],
                &connection->requests[i + 1],
                (connection->requests_count - i) * sizeof(struct sw_lg_request *)
            );
            break;
        }
    }
    sw_lg_client_done(connection->client, request);
}

// Everything handed out has left: bodies that are complete go back, requests with an outcome end.
static void drained(struct sw_lg_connection *connection)
{
    connection->iov_count = connection->iov_at = 0;
    connection->sending.len = 0;
    for (unsigned i = 0; i < connection->requests_count;) {
        struct sw_lg_request *request = connection->requests[i];
        if (request->end_framed && request->body) {
            sw_lg_client_release_body(connection->client, request);
        }
        if (request->finished) {
            sw_lg_connection_finish(connection, request);
        } else {
            i++;
        }
    }
}

// False when the socket takes no more now, or is broken.
static bool write_iovecs(struct sw_lg_connection *connection)
{
    while (connection->iov_at < connection->iov_count) {
        struct msghdr message = {
            .msg_iov = connection->iov + connection->iov_at,
            .msg_iovlen = connection->iov_count - connection->iov_at,
        };
        ssize_t written = sendmsg(connection->fd, &message, MSG_NOSIGNAL);
        if (written < 0) {
            if (errno != EAGAIN && errno != EINTR) {
                connection->broken = true;
            }
            return false;
        }
        size_t left = (size_t)written;
        while (left) {
            struct iovec *iov = &connection->iov[connection->iov_at];
            size_t part = left < iov->iov_len ? left : iov->iov_len;
            iov->iov_base = (uint8_t *)iov->iov_base + part;
            iov->iov_len -= part;
            left -= part;
            if (iov->iov_len == 0) {
                connection->iov_at++;
            }
        }
    }
    return true;
}

void sw_lg_connection_flush(struct sw_lg_connection *connection)
{
    bool blocked = false;
    if (connection->fd < 0 || !connection->connected) {
        return;
    }
    for (;;) {
        if (connection->iov_count == 0) {
            if (connection->control.len) {
                struct sw_lg_bytes swap = connection->sending;
                connection->sending = connection->control;
                connection->control = swap;
                connection->control.len = 0;
                connection->iov[connection->iov_count++] =
                    (struct iovec){connection->sending.data, connection->sending.len};
            }
            if (connection->client->options.http) {
                sw_lg_h1_client_fill(connection);
            } else {
                sw_lg_h2_client_fill(connection);
            }
            if (connection->iov_count == 0) {
                break;
            }
        }
        if (!write_iovecs(connection)) {
            blocked = true;
            break;
        }
        drained(connection);
    }
    if (connection->broken) {
        sw_lg_connection_close(connection);
    } else if (blocked != connection->want_write) {
        connection->want_write = blocked;
        watch(connection, EPOLL_CTL_MOD, EPOLLIN | (blocked ? EPOLLOUT : 0));
    }
}

static void on_connected(struct sw_lg_connection *connection)
{
    int error = 0;
    socklen_t len = sizeof(error);
    getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error) {
        sw_lg_connection_close(connection);
        return;
    }
    connection->connected = true;
    connection->reconnect_backoff_ns = 50000000;
    connection->client->connects++;
    if (connection->client->options.http) {
        connection->ready = true;
    } else {
        sw_lg_h2_client_open(connection);
    }
}

static void read_some(struct sw_lg_connection *connection)
{
    static uint8_t buffer[65536];
    for (;;) {
        ssize_t got = recv(connection->fd, buffer, sizeof(buffer), 0);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
            connection->broken = true;
            return;
        }
        if (got < 0) {
            return;
        }
        bool good = connection->client->options.http
                        ? sw_lg_h1_client_feed(connection, buffer, (size_t)got)
                        : sw_lg_h2_feed(&connection->in, buffer, (size_t)got);
        if (!good) {
            connection->broken = true;
            return;
        }
        if ((size_t)got < sizeof(buffer)) {
            return;
        }
    }
}

void sw_lg_connection_event(struct sw_lg_connection *connection, uint32_t events)
{
    if (connection->fd < 0) {
        return;
    }
    if (!connection->connected) {
        on_connected(connection);
        if (!connection->connected) {
            return;
        }
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        read_some(connection);
    }
    if (!connection->broken) {
        sw_lg_connection_flush(connection);
    }
    if (connection->fd >= 0
        && (connection->broken || (connection->going_away && connection->requests_count == 0))) {
        sw_lg_connection_close(connection);
    }
}

// A request past its deadline is given up: its stream is reset; HTTP/1 has no such thing, so there
// the connection goes.
void sw_lg_connection_expire(struct sw_lg_connection *connection, uint64_t now_ns)
{
    for (unsigned i = connection->requests_count; i-- > 0;) {
        struct sw_lg_request *request = connection->requests[i];
        if (request->finished || request->deadline_ns > now_ns) {
            continue;
        }
        connection->client->timeouts++;
        if (connection->client->options.http) {
            sw_lg_connection_close(connection);
            return;
        }
        request->lost = true;
        sw_lg_h2_put_reset(&connection->control, request->stream, NGHTTP2_CANCEL);
        sw_lg_connection_finish(connection, request);
    }
    sw_lg_connection_flush(connection);
}
