/* One HTTP/2 connection of a channel. */
#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"
#include "dataplane/send/channel_internal.h"

#include <errno.h>
#include <stdio.h>

// minConnectTimeout of grpc-go: address, handshake and the peer's SETTINGS.
#define READY_WITHIN_NS (20 * SW_NS_PER_S)
// More than any peer can ask for.
#define KEEPALIVE_MAX_NS (24 * 3600 * SW_NS_PER_S)

static struct sw_core *core_of(const struct connection *connection)
{
    return connection->channel->push.core;
}

/* ---- ends ---- */

// Go's words for the errors of a dial.
static const char *errno_words(int code)
{
    switch (code) {
    case ECONNREFUSED:
        return "connect: connection refused";
    case ETIMEDOUT:
        return "i/o timeout";
    case EHOSTUNREACH:
        return "connect: no route to host";
    case ENETUNREACH:
        return "connect: network is unreachable";
    case ECONNRESET:
        return "read: connection reset by peer";
    case ENOENT:
        return "connect: no such file or directory";
    default:
        return NULL;
    }
}

static void explain(const struct connection *connection, int err, char *text, size_t size)
{
    char addr[128];
    const char *words = errno_words(connection->lost_errno);
    if (words == NULL) {
        words = err == SW_OK ? "EOF" : sw_err_text(err);
    }
    sw_addr_text(&connection->peer->addr, addr, sizeof(addr));
    snprintf(
        text,
        size,
        connection->ready ? "connection to %s lost: %s"
                          : "connection error: desc = \"transport: Error while dialing: dial tcp "
                            "%s: %s\"",
        addr,
        words
    );
}

// Everything goes: not from inside an event of the session.
static void connection_free(struct connection *connection, int err)
{
    struct peer *peer = connection->peer;
    uint64_t lived_ns = core_of(connection)->now_ns - connection->begun_ns;
    bool was_ready = connection->ready;
    char text[CHANNEL_TEXT_MAX];
    connection->lost = true;
    connection->inside = true;
    sw_timer_cancel(&core_of(connection)->timers, &connection->timer);
    if (peer != NULL) {
        explain(connection, err, text, sizeof(text));
        peer->connection = NULL; // calls that end now look for another one
    } else {
        LIST_REMOVE(connection, leaving);
    }
    connection->ready = false;
    sw_h2_free(connection->h2);
    sw_free(connection);
    if (peer != NULL) {
        sw_peer_lost(peer, was_ready, lived_ns, text);
    }
}

void sw_connection_close(struct connection *connection, int err)
{
    if (connection->stream != NULL) {
        sw_stream_close(connection->stream);
        connection->stream = NULL;
    }
    connection_free(connection, err);
}

void sw_connection_leave(struct connection *connection)
{
    struct peer *peer = connection->peer;
    if (peer == NULL) {
        return;
    }
    connection->peer = NULL;
    LIST_INSERT_HEAD(&connection->channel->leaving, connection, leaving);
    sw_peer_goaway(peer, core_of(connection)->now_ns - connection->begun_ns);
}

// After the session was given or made to send something.
static void check(struct connection *connection, int err)
{
    bool left = connection->peer == NULL && sw_h2_streams_count(connection->h2) == 0;
    if (err == SW_OK && connection->doomed == SW_OK && !left && !sw_h2_done(connection->h2)) {
        return;
    }
    sw_stream_flush(connection->stream); // a GOAWAY may say why
    sw_connection_close(connection, err != SW_OK ? err : connection->doomed);
}

void sw_connection_flush(struct connection *connection)
{
    if (connection->inside || connection->h2 == NULL) {
        return; // goes out, and is looked at, when the call that is running ends
    }
    connection->inside = true;
    int err = sw_h2_send(connection->h2);
    connection->inside = false;
    check(connection, err);
}

void sw_connection_doom(struct connection *connection, int err)
{
    connection->doomed = err;
    if (!connection->inside) {
        sw_connection_close(connection, err);
    }
}

/* ---- keepalive ---- */

static void arm_keepalive(struct connection *connection)
{
    const struct sw_channel_conf *conf = &connection->channel->conf;
    if (conf->keepalive_ns == 0) {
        return;
    }
    uint64_t wait_ns = connection->pinged ? conf->keepalive_timeout_ns : conf->keepalive_ns;
    uint64_t since_ns = connection->pinged ? core_of(connection)->now_ns : connection->heard_ns;
    sw_timer_set(&core_of(connection)->timers, &connection->timer, since_ns + wait_ns);
}

static void keepalive(struct connection *connection, uint64_t now_ns)
{
    static const uint8_t data[8] = {0};
    const struct sw_channel_conf *conf = &connection->channel->conf;
    if (connection->pinged) {
        connection->lost_errno = ETIMEDOUT;
        sw_connection_close(connection, SW_E_TIMEOUT);
        return;
    }
    bool wanted = sw_h2_streams_count(connection->h2) > 0 || conf->keepalive_without_stream;
    bool heard = now_ns - connection->heard_ns < conf->keepalive_ns;
    if (heard || !wanted) {
        connection->heard_ns = heard ? connection->heard_ns : now_ns; // dormant: looks again later
        arm_keepalive(connection);
        return;
    }
    connection->pinged = true;
    sw_h2_ping(connection->h2, data);
    arm_keepalive(connection);
    sw_connection_flush(connection);
}

static void on_timer(struct sw_timer *timer, uint64_t now_ns)
{
    struct connection *connection = SW_CONTAINER_OF(timer, struct connection, timer);
    if (connection->ready) {
        keepalive(connection, now_ns);
        return;
    }
    connection->lost_errno = ETIMEDOUT;
    sw_connection_close(connection, SW_E_TIMEOUT);
}

/* ---- events of the session ---- */

static void h2_header(
    void *owner,
    int32_t id,
    void *stream,
    struct sw_http_text name,
    struct sw_http_text value
)
{
    sw_rpc_header(stream, name, value);
}

static void
h2_headers(void *owner, int32_t id, void *stream, enum sw_h2_headers_kind kind, bool end)
{
    sw_rpc_headers(stream);
}

static void h2_data(void *owner, int32_t id, void *stream, const uint8_t *data, size_t size)
{
    struct connection *connection = owner;
    sw_h2_consume(connection->h2, id, size);
    sw_rpc_data(stream, data, size);
}

static void h2_end(void *owner, int32_t id, void *stream)
{
    sw_rpc_end(stream);
}

static void h2_close(void *owner, int32_t id, void *stream, uint32_t code)
{
    struct connection *connection = owner;
    struct channel *channel = connection->channel;
    sw_rpc_closed(stream, code);
    if (channel->waiting_count > 0) {
        sw_channel_again(channel); // room for one more
    }
}

static void h2_goaway(void *owner, int32_t last_id, uint32_t code, struct sw_http_text debug)
{
    struct connection *connection = owner;
    struct sw_channel_conf *conf = &connection->channel->conf;
    // The peer wants fewer PINGs; grpc-go takes twice the time from then on.
    if (code == SW_H2_ENHANCE_YOUR_CALM && sw_http_text_is(debug, "too_many_pings")
        && conf->keepalive_ns < KEEPALIVE_MAX_NS) {
        conf->keepalive_ns *= 2;
    }
    struct sw_channel_watch *watch = connection->channel->watch;
    if (watch != NULL) {
        watch->goaway(watch, debug);
    }
    sw_connection_leave(connection);
}

static void h2_settings(void *owner)
{
    struct connection *connection = owner;
    if (!connection->ready && connection->peer != NULL) {
        connection->ready = true;
        sw_timer_cancel(&core_of(connection)->timers, &connection->timer);
        arm_keepalive(connection);
        sw_peer_ready(connection->peer);
    } else if (connection->channel->waiting_count > 0) {
        sw_channel_again(connection->channel); // the limit of streams may have grown
    }
}

static const struct sw_h2_events h2_events = {
    .on_header = h2_header,
    .on_headers = h2_headers,
    .on_data = h2_data,
    .on_end = h2_end,
    .on_close = h2_close,
    .on_goaway = h2_goaway,
    .on_settings = h2_settings,
};

/* ---- events of the stream ---- */

static void stream_open(void *owner, struct sw_stream *stream)
{
    struct connection *connection = owner;
    const struct sw_h2_options options = {.server = false};
    struct sw_http_out out = sw_http_out_stream(stream);
    int err =
        sw_h2_new(core_of(connection), &options, &out, &h2_events, connection, &connection->h2);
    if (err != SW_OK) {
        sw_connection_close(connection, err);
    }
}

static void stream_data(void *owner, struct sw_stream *stream, const uint8_t *data, size_t size)
{
    struct connection *connection = owner;
    connection->heard_ns = core_of(connection)->now_ns;
    if (connection->pinged) {
        connection->pinged = false;
        arm_keepalive(connection);
    }
    connection->inside = true;
    int err = sw_h2_recv(connection->h2, data, size);
    connection->inside = false;
    check(connection, err);
}

static void stream_eof(void *owner, struct sw_stream *stream)
{
    sw_connection_close(owner, SW_OK); // an HTTP/2 peer that ends its side is gone
}

static void stream_drain(void *owner, struct sw_stream *stream)
{
    sw_connection_flush(owner);
}

static void stream_closed(void *owner, struct sw_stream *stream, int err)
{
    struct connection *connection = owner;
    connection->lost_errno = stream->system_errno;
    connection->stream = NULL;
    connection_free(connection, err);
}

static const struct sw_stream_events stream_events = {
    .on_open = stream_open,
    .on_data = stream_data,
    .on_eof = stream_eof,
    .on_drain = stream_drain,
    .on_closed = stream_closed,
};

int sw_connection_new(struct peer *peer)
{
    struct sw_core *core = peer->channel->push.core;
    struct connection *connection = sw_zalloc(sizeof(*connection));
    if (connection == NULL) {
        return SW_E_NOMEM;
    }
    connection->channel = peer->channel;
    connection->peer = peer;
    connection->begun_ns = core->now_ns;
    connection->heard_ns = core->now_ns;
    sw_timer_init(&connection->timer, on_timer);
    int err =
        sw_net_connect(core->net, &peer->addr, &stream_events, connection, &connection->stream);
    if (err != SW_OK) {
        sw_free(connection);
        return err;
    }
    sw_timer_set(&core->timers, &connection->timer, core->now_ns + READY_WITHIN_NS);
    peer->connection = connection;
    return SW_OK;
}
