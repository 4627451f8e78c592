#include "control/telemetry/admin_http.h"

#include "control/telemetry/admin_http_internal.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#define HEAD_BYTES_MAX   8192  // of a request; more: 431
#define BODY_BYTES_MAX   65536 // of a request, which is skipped; more: closed after the answer
#define LISTENERS_MAX    4
#define ACCEPTS_PER_POLL 16
#define ACCEPT_RETRY_NS  (100 * SW_NS_PER_MS) // after running out of descriptors
#define LINGER_NS        SW_NS_PER_S          // for the peer's end after ours

enum connection_state {
    READING,   // a head has begun
    WRITING,   // an answer is under way
    IDLE,      // between requests
    LINGERING, // we have said all; the peer has not closed yet
};

struct connection {
    struct sw_stream *stream;
    struct sw_admin_server *server;
    enum connection_state state;
    struct sw_timer timer;
    LIST_ENTRY(connection) next;
    size_t skip_bytes; // of a request's body
    size_t len;
    char head[HEAD_BYTES_MAX + 1];
};

struct sw_admin_server {
    struct sw_admin_conf conf;
    struct sw_core core; // only what streams need: time and timers
    struct sw_net *net;
    int epoll_fd;
    int listen_fds[LISTENERS_MAX];
    unsigned listen_count;
    bool accepting; // the listeners are watched
    struct sw_timer accept_timer;
    LIST_HEAD(, connection) connections;
    unsigned connections_count;
    uint64_t refused_count;
};

/* ---- time ---- */

static void set_state(struct connection *connection, enum connection_state state)
{
    struct sw_admin_server *server = connection->server;
    const struct sw_admin_conf *conf = &server->conf;
    uint64_t wait_ns = state == READING   ? conf->read_timeout_ns
                       : state == WRITING ? conf->write_timeout_ns
                       : state == IDLE    ? conf->idle_timeout_ns
                                          : LINGER_NS;
    connection->state = state;
    if (wait_ns > 0) {
        sw_timer_set(&server->core.timers, &connection->timer, server->core.now_ns + wait_ns);
    } else {
        sw_timer_cancel(&server->core.timers, &connection->timer);
    }
}

static void free_connection(struct connection *connection)
{
    struct sw_admin_server *server = connection->server;
    sw_timer_cancel(&server->core.timers, &connection->timer);
    LIST_REMOVE(connection, next);
    server->connections_count--;
    sw_free(connection);
}

static void drop_connection(struct connection *connection)
{
    sw_stream_close(connection->stream);
    free_connection(connection);
}

static void connection_timer_fired(struct sw_timer *timer, uint64_t now_ns)
{
    struct connection *connection = SW_CONTAINER_OF(timer, struct connection, timer);
    if (connection->state == WRITING && connection->stream->queued_bytes == 0) {
        set_state(connection, IDLE);
    } else {
        drop_connection(connection);
    }
}

/* ---- answering ---- */

static const char *reason_of(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 501:
        return "Not Implemented";
    case 503:
        return "Service Unavailable";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Unknown";
    }
}

void sw_admin_not_found(struct sw_admin_reply *reply)
{
    reply->status = 404;
    reply->content_type = "text/plain; charset=utf-8";
    sw_string_put(&reply->body, "404 page not found\n");
}

static int write_reply(
    struct connection *connection,
    const struct sw_admin_reply *reply,
    bool with_body,
    bool keep_alive
)
{
    char date[64];
    time_t now = (time_t)(sw_clock_wall_ns() / SW_NS_PER_S);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    char head[512];
    int len = snprintf(
        head,
        sizeof(head),
        "HTTP/1.1 %d %s\r\n%s%s%sDate: %s\r\nContent-Length: %zu\r\n%s\r\n",
        reply->status,
        reason_of(reply->status),
        reply->content_type != NULL ? "Content-Type: " : "",
        reply->content_type != NULL ? reply->content_type : "",
        reply->content_type != NULL ? "\r\n" : "",
        date,
        reply->body.len,
        keep_alive ? "" : "Connection: close\r\n"
    );
    SW_ASSERT(len > 0 && (size_t)len < sizeof(head));
    int err = sw_stream_write_copy(connection->stream, head, (size_t)len);
    if (err == SW_OK && with_body) {
        err = sw_stream_write_copy(connection->stream, reply->body.data, reply->body.len);
    }
    return err;
}

// @return false: the connection is gone or about to go, nothing more is read from it
static bool send_reply(
    struct connection *connection,
    struct sw_admin_reply *reply,
    bool with_body,
    bool keep_alive
)
{
    if (reply->body.failed) {
        sw_string_fini(&reply->body);
        reply->status = 500;
        keep_alive = false;
    }
    int err = write_reply(connection, reply, with_body && reply->body.len > 0, keep_alive);
    sw_string_fini(&reply->body);
    if (err != SW_OK) {
        drop_connection(connection);
        return false;
    }
    if (!keep_alive) {
        sw_stream_shutdown(connection->stream);
        set_state(connection, LINGERING);
        return false;
    }
    set_state(connection, WRITING);
    return true;
}

static bool send_error(struct connection *connection, int status)
{
    struct sw_admin_reply reply = {.status = status, .content_type = "text/plain; charset=utf-8"};
    sw_string_format(&reply.body, "%d %s", status, reason_of(status));
    return send_reply(connection, &reply, true, false);
}

/* ---- reading ---- */

// @return false: stop reading
static bool handle_head(struct connection *connection, char *text)
{
    struct sw_admin_head head;
    sw_admin_parse_head(text, &head);
    if (head.error != 0) {
        return send_error(connection, head.error);
    }
    struct sw_admin_server *server = connection->server;
    struct sw_admin_reply reply = {.status = 200};
    server->conf.handle(server->conf.context, &head.request, &reply);
    bool keep_alive = head.keep_alive && !head.has_coding && head.body_bytes <= BODY_BYTES_MAX;
    connection->skip_bytes = head.body_bytes;
    bool with_body = strcmp(head.request.method, "HEAD") != 0;
    return send_reply(connection, &reply, with_body, keep_alive);
}

// Handles the heads that are complete.
// @return false: the connection is gone or ends
static bool handle_heads(struct connection *connection)
{
    size_t at = 0;
    bool more = true;
    while (more && at < connection->len) {
        char *text = connection->head + at;
        size_t left = connection->len - at;
        // An empty line before a request is skipped (RFC 9112, 2.2).
        if (*text == '\r' || *text == '\n') {
            at++;
            continue;
        }
        size_t len = sw_admin_head_len(text, left);
        if (len == 0) {
            break;
        }
        if (memchr(text, '\0', len) != NULL) {
            return send_error(connection, 400);
        }
        char after = text[len];
        text[len] = '\0';
        more = handle_head(connection, text);
        if (!more) {
            return false;
        }
        text[len] = after;
        at += len;
        size_t skip = SW_MIN(connection->skip_bytes, connection->len - at);
        connection->skip_bytes -= skip;
        at += skip;
        // Whoever asks faster than it reads has to wait.
        if (connection->stream->queued_bytes > SW_STREAM_HIGH_BYTES) {
            sw_stream_pause(connection->stream, true);
            more = false;
        }
    }
    connection->len -= at;
    memmove(connection->head, connection->head + at, connection->len);
    return true;
}

static void on_data(void *owner, struct sw_stream *stream, const uint8_t *data, size_t size)
{
    struct connection *connection = owner;
    while (size > 0 && connection->state != LINGERING) {
        size_t skip = SW_MIN(connection->skip_bytes, size);
        connection->skip_bytes -= skip;
        data += skip;
        size -= skip;
        size_t take = SW_MIN(size, HEAD_BYTES_MAX - connection->len);
        if (take == 0) {
            if (size > 0) {
                // A full buffer without a complete head, or more requests at once than we keep.
                send_error(connection, 431);
            }
            return;
        }
        memcpy(connection->head + connection->len, data, take);
        connection->len += take;
        data += take;
        size -= take;
        if (connection->state != READING) {
            set_state(connection, READING);
        }
        if (!handle_heads(connection)) {
            return;
        }
    }
}

static void on_drain(void *owner, struct sw_stream *stream)
{
    struct connection *connection = owner;
    sw_stream_pause(stream, false);
    handle_heads(connection);
}

static void on_eof(void *owner, struct sw_stream *stream)
{
    struct connection *connection = owner;
    sw_stream_shutdown(stream); // after what is queued
    set_state(connection, LINGERING);
}

static void on_closed(void *owner, struct sw_stream *stream, int err)
{
    free_connection(owner);
}

static const struct sw_stream_events connection_events = {
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .on_closed = on_closed,
};

/* ---- accepting ---- */

static void watch_listeners(struct sw_admin_server *server, bool wanted)
{
    server->accepting = wanted;
    for (unsigned i = 0; i < server->listen_count; i++) {
        struct epoll_event event = {.events = wanted ? EPOLLIN : 0};
        epoll_ctl(server->epoll_fd, EPOLL_CTL_MOD, server->listen_fds[i], &event);
    }
}

static void accept_timer_fired(struct sw_timer *timer, uint64_t now_ns)
{
    watch_listeners(SW_CONTAINER_OF(timer, struct sw_admin_server, accept_timer), true);
}

static void take_connection(struct sw_admin_server *server, int fd, const struct sw_addr *peer)
{
    struct connection *connection = NULL;
    if (server->connections_count < server->conf.connections_max) {
        connection = sw_zalloc(sizeof(*connection));
    }
    if (connection == NULL) {
        server->refused_count++;
        close(fd);
        return;
    }
    connection->server = server;
    int err =
        sw_net_adopt(server->net, fd, peer, &connection_events, connection, &connection->stream);
    if (err != SW_OK) {
        server->refused_count++;
        sw_free(connection);
        return;
    }
    sw_timer_init(&connection->timer, connection_timer_fired);
    LIST_INSERT_HEAD(&server->connections, connection, next);
    server->connections_count++;
    set_state(connection, READING);
}

// @return connections taken
static unsigned accept_some(struct sw_admin_server *server)
{
    unsigned count = 0;
    for (unsigned i = 0; server->accepting && i < server->listen_count; i++) {
        for (unsigned n = 0; n < ACCEPTS_PER_POLL; n++) {
            int fd;
            struct sw_addr peer;
            int err = sw_socket_accept(server->listen_fds[i], &fd, &peer);
            if (err == SW_E_AGAIN) {
                break;
            }
            if (err != SW_OK) {
                // Out of descriptors: the connection still waits and the listener stays readable.
                watch_listeners(server, false);
                sw_timer_set(
                    &server->core.timers,
                    &server->accept_timer,
                    server->core.now_ns + ACCEPT_RETRY_NS
                );
                break;
            }
            take_connection(server, fd, &peer);
            count++;
        }
    }
    return count;
}

/* ---- the server ---- */

int sw_admin_server_fd(const struct sw_admin_server *server)
{
    return server->epoll_fd;
}

uint64_t sw_admin_server_poll(struct sw_admin_server *server, uint64_t now_ns)
{
    server->core.now_ns = now_ns;
    sw_timers_run(&server->core.timers, now_ns, server->conf.connections_max + 1);
    unsigned count = accept_some(server);
    count += sw_net_poll(server->net, 0);
    return count > 0 ? now_ns : sw_timers_next_ns(&server->core.timers);
}

uint64_t sw_admin_server_refused_count(const struct sw_admin_server *server)
{
    return server->refused_count;
}

int sw_admin_server_listen(
    struct sw_admin_server *server,
    const struct sw_addr *addr,
    uint16_t *ret_port
)
{
    if (server->listen_count == LISTENERS_MAX) {
        return SW_E_FULL;
    }
    int fd;
    int err = sw_socket_listen(addr, 128, &fd, ret_port);
    if (err != SW_OK) {
        return err;
    }
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        int number = errno;
        close(fd);
        errno = number;
        return SW_E_SYSTEM;
    }
    server->listen_fds[server->listen_count++] = fd;
    return SW_OK;
}

int sw_admin_server_new(const struct sw_admin_conf *conf, struct sw_admin_server **ret_server)
{
    struct sw_admin_server *server = sw_zalloc(sizeof(*server));
    if (server == NULL) {
        return SW_E_NOMEM;
    }
    server->conf = *conf;
    server->accepting = true;
    server->core.cores_count = 1;
    LIST_INIT(&server->connections);
    sw_timer_init(&server->accept_timer, accept_timer_fired);
    int err = SW_E_SYSTEM;
    server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (server->epoll_fd < 0) {
        goto fail;
    }
    err = sw_socket_net_new(&server->core, -1, &server->net);
    if (err != SW_OK) {
        goto fail;
    }
    struct epoll_event event = {.events = EPOLLIN};
    int net_fd = sw_socket_net_fd(server->net);
    if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, net_fd, &event) != 0) {
        err = SW_E_SYSTEM;
        goto fail;
    }
    *ret_server = server;
    return SW_OK;
fail:
    sw_admin_server_free(server);
    return err;
}

void sw_admin_server_free(struct sw_admin_server *server)
{
    if (server == NULL) {
        return;
    }
    struct connection *connection;
    while ((connection = LIST_FIRST(&server->connections)) != NULL) {
        drop_connection(connection);
    }
    for (unsigned i = 0; i < server->listen_count; i++) {
        close(server->listen_fds[i]);
    }
    if (server->net != NULL) {
        server->net->ops->free(server->net);
    }
    if (server->epoll_fd >= 0) {
        close(server->epoll_fd);
    }
    sw_free(server);
}
