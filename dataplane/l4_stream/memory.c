/* Streams in memory, for tests and the simulator.
 *
 * A wire joins the memory nets of several cores that one thread steps in turn, in virtual time
 * (core->now_ns). What a stream sends is cut into segments that lie in its peer's inbox until
 * they are due. All trouble (segmentation, short writes, delays, resets) comes from the wire's
 * seed, so that a run can be repeated. A net arms a timer of its core for its next segment: a
 * simulator may jump to the earliest timer. */
#include "dataplane/base/assert.h"
#include "dataplane/base/mem.h"
#include "dataplane/base/rand.h"
#include "dataplane/l4_stream/out_internal.h"
#include "dataplane/l4_stream/stream.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/queue.h>

// What a kernel's socket buffers would hold: beyond it a paused reader stops the writer.
#define WINDOW_BYTES  (256u * 1024)
#define SEGMENT_BYTES (128u * 1024)
// Handed up for one stream in one poll.
#define POLL_SEGMENTS_MAX 64

enum segment_kind {
    SEGMENT_DATA,
    SEGMENT_FIN,
    SEGMENT_RESET,
};

struct segment {
    STAILQ_ENTRY(segment) next;
    enum segment_kind kind;
    uint64_t at_ns; // not before
    uint32_t size;
    uint8_t data[];
};

struct memory_stream {
    struct sw_stream head;
    struct memory_net *net; // NULL: accepted by nobody yet
    struct sw_memory_wire *wire;
    struct memory_stream *peer; // NULL: it is gone
    struct sw_out out;
    STAILQ_HEAD(, segment) inbox;
    size_t inbox_bytes;
    uint64_t inbox_last_ns; // segments stay in order
    uint64_t open_ns;       // connecting: when it is done
    uint64_t accept_ns;     // server side: when the listener hears of it
    int err;
    bool connecting;
    bool drain_due;
    bool end_due;
    bool above_high;
    bool eof;
    bool fin_wanted;
    bool fin_sent;
    bool gone;
    TAILQ_ENTRY(memory_stream) all;
};

TAILQ_HEAD(memory_streams, memory_stream);

struct listener {
    STAILQ_ENTRY(listener) next;
    struct memory_net *net;
    struct sw_addr addr;
    void (*accept)(void *context, int handle, const struct sw_addr *peer);
    void *context;
};

struct pending {
    STAILQ_ENTRY(pending) next;
    struct listener *listener;
    int handle;
};

struct memory_net {
    struct sw_net head;
    struct sw_memory_wire *wire;
    struct memory_streams all;
    STAILQ_HEAD(, pending) pending;
    struct sw_timer timer; // only says when to look again
    bool in_poll;
};

struct sw_memory_wire {
    struct sw_memory_trouble trouble;
    struct sw_rand rand;
    STAILQ_HEAD(, listener) listeners;
    struct memory_stream **handles; // waiting to be adopted
    int handles_count;
    uint16_t next_port;
};

static struct memory_stream *stream_of(struct sw_stream *stream)
{
    return (struct memory_stream *)stream;
}

static void look_at(struct memory_net *net, uint64_t at_ns)
{
    if (net != NULL && (!net->timer.armed || at_ns < net->timer.at_ns)) {
        sw_timer_set(&net->head.core->timers, &net->timer, at_ns);
    }
}

static void look_now(struct memory_net *net)
{
    if (net != NULL) {
        look_at(net, net->head.core->now_ns);
    }
}

static uint64_t some_delay(struct sw_memory_wire *wire)
{
    uint64_t most = wire->trouble.delay_ns_max;
    return most > 0 ? sw_rand_below(&wire->rand, most + 1) : 0;
}

static uint32_t some_size(struct sw_memory_wire *wire, uint32_t most)
{
    return most > 0 ? 1 + (uint32_t)sw_rand_below(&wire->rand, most) : UINT32_MAX;
}

static void clear_inbox(struct memory_stream *stream)
{
    struct segment *segment;
    while ((segment = STAILQ_FIRST(&stream->inbox)) != NULL) {
        STAILQ_REMOVE_HEAD(&stream->inbox, next);
        sw_free(segment);
    }
    stream->inbox_bytes = 0;
}

static void end_stream(struct memory_stream *stream, int err, int number)
{
    if (stream->end_due || stream->gone) {
        return;
    }
    stream->err = err;
    stream->end_due = true;
    stream->head.system_errno = number;
    stream->head.open = false;
    stream->head.queued_bytes = 0;
    sw_out_clear(&stream->out);
    look_now(stream->net);
}

/* ---- the wire ---- */

static struct segment *new_segment(enum segment_kind kind, uint32_t size)
{
    struct segment *segment = sw_alloc(sizeof(*segment) + size);
    if (segment != NULL) {
        segment->kind = kind;
        segment->size = size;
    }
    return segment;
}

static void put_segment(struct memory_stream *to, struct segment *segment, uint64_t now_ns)
{
    uint64_t at_ns = now_ns + some_delay(to->wire);
    segment->at_ns = SW_MAX(at_ns, to->inbox_last_ns);
    to->inbox_last_ns = segment->at_ns;
    to->inbox_bytes += segment->size;
    STAILQ_INSERT_TAIL(&to->inbox, segment, next);
    look_at(to->net, segment->at_ns);
}

// Like a RST: what is under way may or may not arrive before it.
static void reset_peer(struct memory_stream *stream)
{
    struct memory_stream *peer = stream->peer;
    if (peer == NULL) {
        return;
    }
    stream->peer = NULL;
    peer->peer = NULL;
    if (sw_rand_below(&stream->wire->rand, 2) == 0) {
        clear_inbox(peer);
    }
    struct segment *segment = new_segment(SEGMENT_RESET, 0);
    if (segment != NULL) {
        put_segment(peer, segment, stream->head.core->now_ns);
    } else {
        end_stream(peer, SW_E_RESET, ECONNRESET);
    }
}

static bool resets_now(struct sw_memory_wire *wire)
{
    uint32_t chance = wire->trouble.reset_per_million;
    return chance > 0 && sw_rand_below(&wire->rand, 1000000) < chance;
}

static bool send_segment(struct memory_stream *stream, size_t bytes_max)
{
    struct iovec iov[64];
    size_t bytes;
    unsigned count = sw_out_iov(&stream->out, iov, SW_ARRAY_SIZE(iov), bytes_max, &bytes);
    struct segment *segment = new_segment(SEGMENT_DATA, (uint32_t)bytes);
    if (segment == NULL) {
        look_now(stream->net); // once more in the next turn
        return false;
    }
    uint8_t *at = segment->data;
    for (unsigned i = 0; i < count; i++) {
        memcpy(at, iov[i].iov_base, iov[i].iov_len);
        at += iov[i].iov_len;
    }
    sw_out_consume(&stream->out, bytes);
    put_segment(stream->peer, segment, stream->head.core->now_ns);
    return true;
}

static void send_fin(struct memory_stream *stream)
{
    if (stream->peer != NULL) {
        struct segment *segment = new_segment(SEGMENT_FIN, 0);
        if (segment == NULL) {
            look_now(stream->net);
            return;
        }
        put_segment(stream->peer, segment, stream->head.core->now_ns);
    }
    stream->fin_sent = true;
    if (stream->eof) {
        end_stream(stream, SW_OK, 0);
    }
}

static void after_send(struct memory_stream *stream)
{
    stream->head.queued_bytes = stream->out.bytes;
    if (stream->above_high && stream->out.bytes < SW_STREAM_LOW_BYTES) {
        stream->above_high = false;
        stream->drain_due = true;
        look_now(stream->net);
    }
    if (stream->out.bytes == 0 && stream->fin_wanted && !stream->fin_sent) {
        send_fin(stream);
    }
}

// @return segments sent
static unsigned send_some(struct memory_stream *stream)
{
    struct sw_memory_wire *wire = stream->wire;
    if (!stream->head.open || (stream->out.bytes == 0 && !stream->fin_wanted)) {
        return 0;
    }
    unsigned sent = 0;
    size_t left = some_size(wire, wire->trouble.write_bytes_max);
    while (stream->out.bytes > 0 && left > 0) {
        if (stream->peer == NULL) {
            end_stream(stream, SW_E_RESET, EPIPE);
            return sent;
        }
        if (resets_now(wire)) {
            reset_peer(stream);
            end_stream(stream, SW_E_RESET, ECONNRESET);
            return sent;
        }
        size_t inbox_bytes = stream->peer->inbox_bytes;
        size_t room = inbox_bytes < WINDOW_BYTES ? WINDOW_BYTES - inbox_bytes : 0;
        size_t most = SW_MIN((size_t)SEGMENT_BYTES, SW_MIN(room, left));
        most = SW_MIN(most, (size_t)some_size(wire, wire->trouble.segment_bytes_max));
        size_t before = stream->out.bytes;
        if (most == 0 || !send_segment(stream, most)) {
            break; // goes on when the peer has taken something
        }
        left -= before - stream->out.bytes;
        sent++;
    }
    if (left == 0 && stream->out.bytes > 0) {
        look_now(stream->net); // a short write
    }
    after_send(stream);
    return sent;
}

/* ---- stream ---- */

static bool may_write(const struct memory_stream *stream)
{
    return !stream->gone && !stream->end_due && !stream->fin_wanted;
}

static void wrote(struct memory_stream *stream)
{
    stream->head.queued_bytes = stream->out.bytes;
    if (stream->out.bytes > SW_STREAM_HIGH_BYTES) {
        stream->above_high = true;
    }
    look_now(stream->net);
}

static int memory_write_copy(struct sw_stream *base, const void *data, size_t size)
{
    struct memory_stream *stream = stream_of(base);
    if (!may_write(stream)) {
        return SW_E_CLOSED;
    }
    int err = sw_out_copy(&stream->out, base->core->account, data, size);
    if (err == SW_OK) {
        wrote(stream);
    }
    return err;
}

static int
memory_write_ref(struct sw_stream *base, struct sw_buf *buf, const void *data, size_t size)
{
    struct memory_stream *stream = stream_of(base);
    if (!may_write(stream)) {
        return SW_E_CLOSED;
    }
    int err = sw_out_ref(&stream->out, buf, data, size);
    if (err == SW_OK) {
        wrote(stream);
    }
    return err;
}

static int memory_flush(struct sw_stream *base)
{
    send_some(stream_of(base));
    return SW_OK;
}

static void memory_pause(struct sw_stream *base, bool paused)
{
    base->paused = paused;
    if (!paused) {
        look_now(stream_of(base)->net);
    }
}

static void memory_shutdown(struct sw_stream *base)
{
    struct memory_stream *stream = stream_of(base);
    if (may_write(stream)) {
        stream->fin_wanted = true;
        look_now(stream->net);
    }
}

static void free_stream(struct memory_stream *stream)
{
    if (stream->peer != NULL) {
        stream->peer->peer = NULL;
    }
    clear_inbox(stream);
    sw_out_clear(&stream->out);
    sw_free(stream);
}

static bool has_unread(const struct memory_stream *stream)
{
    return stream->inbox_bytes > 0;
}

// As the kernel does: FIN when all was read, else RST.
static void hang_up(struct memory_stream *stream)
{
    if (stream->peer == NULL) {
        return;
    }
    if (has_unread(stream) || stream->out.bytes > 0) {
        reset_peer(stream);
        return;
    }
    if (!stream->fin_sent) {
        struct segment *segment = new_segment(SEGMENT_FIN, 0);
        if (segment == NULL) {
            reset_peer(stream);
            return;
        }
        put_segment(stream->peer, segment, stream->head.core->now_ns);
    }
    stream->peer->peer = NULL;
    stream->peer = NULL;
}

static void let_go(struct memory_stream *stream)
{
    stream->gone = true;
    stream->head.open = false;
    clear_inbox(stream);
    sw_out_clear(&stream->out);
    if (!stream->net->in_poll) {
        TAILQ_REMOVE(&stream->net->all, stream, all);
        free_stream(stream);
    }
}

static void memory_close(struct sw_stream *base)
{
    struct memory_stream *stream = stream_of(base);
    if (!stream->gone) {
        hang_up(stream);
        let_go(stream);
    }
}

static const struct sw_stream_ops memory_stream_ops = {
    .write_copy = memory_write_copy,
    .write_ref = memory_write_ref,
    .flush = memory_flush,
    .pause = memory_pause,
    .shutdown = memory_shutdown,
    .close = memory_close,
};

/* ---- delivery; from net_poll only ---- */

static void deliver_fin(struct memory_stream *stream)
{
    stream->eof = true;
    if (stream->fin_sent) {
        end_stream(stream, SW_OK, 0);
    }
    if (stream->head.events->on_eof != NULL) {
        stream->head.events->on_eof(stream->head.owner, &stream->head);
    }
}

static void deliver(struct memory_stream *stream, struct segment *segment)
{
    switch (segment->kind) {
    case SEGMENT_DATA:
        if (!stream->eof) {
            stream->head.events->on_data(
                stream->head.owner, &stream->head, segment->data, segment->size
            );
        }
        break;
    case SEGMENT_FIN:
        deliver_fin(stream);
        break;
    case SEGMENT_RESET:
        end_stream(stream, SW_E_RESET, ECONNRESET);
        break;
    }
}

static unsigned deliver_some(struct memory_stream *stream)
{
    unsigned count = 0;
    while (count < POLL_SEGMENTS_MAX && stream->head.open) {
        struct segment *segment = STAILQ_FIRST(&stream->inbox);
        if (segment == NULL || segment->at_ns > stream->head.core->now_ns) {
            break;
        }
        // A paused reader does not see bytes or FIN, but a reset ends it at once.
        if (stream->head.paused && segment->kind != SEGMENT_RESET) {
            break;
        }
        STAILQ_REMOVE_HEAD(&stream->inbox, next);
        stream->inbox_bytes -= segment->size;
        count++;
        if (stream->peer != NULL) {
            look_now(stream->peer->net); // its window is open again
        }
        deliver(stream, segment);
        sw_free(segment);
    }
    return count;
}

static unsigned report(struct memory_stream *stream)
{
    const struct sw_stream_events *events = stream->head.events;
    unsigned count = 0;
    if (!stream->gone && stream->drain_due) {
        stream->drain_due = false;
        if (!stream->end_due && events->on_drain != NULL) {
            events->on_drain(stream->head.owner, &stream->head);
            count++;
        }
    }
    if (!stream->gone && stream->end_due) {
        hang_up(stream);
        stream->gone = true;
        stream->head.events->on_closed(stream->head.owner, &stream->head, stream->err);
        let_go(stream);
        count++;
    }
    return count;
}

static unsigned poll_stream(struct memory_stream *stream)
{
    unsigned count = 0;
    if (stream->connecting && !stream->end_due && stream->open_ns <= stream->head.core->now_ns) {
        stream->connecting = false;
        stream->head.open = true;
        count++;
        if (stream->head.events->on_open != NULL) {
            stream->head.events->on_open(stream->head.owner, &stream->head);
        }
    }
    if (!stream->gone) {
        count += deliver_some(stream);
    }
    if (!stream->gone) {
        count += send_some(stream);
    }
    return count + report(stream);
}

static uint64_t next_look_ns(const struct memory_stream *stream)
{
    if (stream->connecting) {
        return stream->open_ns;
    }
    const struct segment *segment = STAILQ_FIRST(&stream->inbox);
    if (segment == NULL || (stream->head.paused && segment->kind != SEGMENT_RESET)) {
        return SW_TIME_NEVER;
    }
    return segment->at_ns;
}

static unsigned accept_some(struct memory_net *net)
{
    unsigned count = 0;
    struct pending *pending;
    while ((pending = STAILQ_FIRST(&net->pending)) != NULL) {
        struct memory_stream *stream = net->wire->handles[pending->handle];
        if (stream->accept_ns > net->head.core->now_ns) {
            look_at(net, stream->accept_ns);
            break;
        }
        STAILQ_REMOVE_HEAD(&net->pending, next);
        struct sw_addr peer = stream->head.peer;
        pending->listener->accept(pending->listener->context, pending->handle, &peer);
        sw_free(pending);
        count++;
    }
    return count;
}

static void sweep(struct memory_net *net)
{
    struct memory_stream *stream = TAILQ_FIRST(&net->all);
    while (stream != NULL) {
        struct memory_stream *next = TAILQ_NEXT(stream, all);
        if (stream->gone) {
            TAILQ_REMOVE(&net->all, stream, all);
            free_stream(stream);
        } else {
            uint64_t at_ns = next_look_ns(stream);
            if (at_ns != SW_TIME_NEVER) {
                look_at(net, at_ns);
            }
        }
        stream = next;
    }
}

// Never waits: in virtual time there is nothing to wait for.
static unsigned net_poll(struct sw_net *base, int timeout_ms)
{
    (void)timeout_ms;
    struct memory_net *net = (struct memory_net *)base;
    SW_ASSERT(!net->in_poll);
    net->in_poll = true;
    unsigned count = accept_some(net);
    // Streams that are closed meanwhile stay in the list until sweep, new ones join at its end.
    struct memory_stream *stream;
    TAILQ_FOREACH(stream, &net->all, all)
    {
        if (!stream->gone) {
            count += poll_stream(stream);
        }
    }
    sweep(net);
    net->in_poll = false;
    return count;
}

/* ---- making ---- */

static struct memory_stream *new_stream(struct sw_memory_wire *wire)
{
    struct memory_stream *stream = sw_zalloc(sizeof(*stream));
    if (stream != NULL) {
        stream->head.ops = &memory_stream_ops;
        stream->wire = wire;
        sw_out_init(&stream->out);
        STAILQ_INIT(&stream->inbox);
    }
    return stream;
}

static void join(
    struct memory_stream *stream,
    struct memory_net *net,
    const struct sw_stream_events *events,
    void *owner
)
{
    stream->net = net;
    stream->head.core = net->head.core;
    stream->head.events = events;
    stream->head.owner = owner;
    TAILQ_INSERT_TAIL(&net->all, stream, all);
    look_now(net);
}

static bool same_addr(const struct sw_addr *bound, const struct sw_addr *wanted)
{
    if (bound->sa.sa_family != wanted->sa.sa_family) {
        return false;
    }
    switch (bound->sa.sa_family) {
    case AF_INET:
        return bound->in4.sin_port == wanted->in4.sin_port
               && (bound->in4.sin_addr.s_addr == htonl(INADDR_ANY)
                   || bound->in4.sin_addr.s_addr == wanted->in4.sin_addr.s_addr);
    case AF_INET6:
        return bound->in6.sin6_port == wanted->in6.sin6_port
               && (IN6_IS_ADDR_UNSPECIFIED(&bound->in6.sin6_addr)
                   || IN6_ARE_ADDR_EQUAL(&bound->in6.sin6_addr, &wanted->in6.sin6_addr));
    case AF_UNIX:
        return strcmp(bound->un.sun_path, wanted->un.sun_path) == 0;
    default:
        return false;
    }
}

static struct listener *find_listener(struct sw_memory_wire *wire, const struct sw_addr *addr)
{
    struct listener *listener;
    STAILQ_FOREACH(listener, &wire->listeners, next)
    {
        if (same_addr(&listener->addr, addr)) {
            return listener;
        }
    }
    return NULL;
}

static int new_handle(struct sw_memory_wire *wire, struct memory_stream *stream)
{
    for (int i = 0; i < wire->handles_count; i++) {
        if (wire->handles[i] == NULL) {
            wire->handles[i] = stream;
            return i;
        }
    }
    size_t count = (size_t)wire->handles_count + 1;
    struct memory_stream **handles =
        sw_realloc(wire->handles, count * sizeof(struct memory_stream *));
    if (handles == NULL) {
        return SW_E_NOMEM;
    }
    wire->handles = handles;
    wire->handles[wire->handles_count] = stream;
    return wire->handles_count++;
}

// Makes the server's end of a connection and puts it before the listener.
static int dial(struct memory_stream *client, struct listener *listener, uint64_t now_ns)
{
    struct sw_memory_wire *wire = client->wire;
    struct pending *pending = sw_alloc(sizeof(*pending));
    struct memory_stream *server = new_stream(wire);
    int handle = pending != NULL && server != NULL ? new_handle(wire, server) : SW_E_NOMEM;
    if (handle < 0) {
        sw_free(pending);
        sw_free(server);
        return SW_E_NOMEM;
    }
    server->peer = client;
    client->peer = server;
    server->accept_ns = now_ns + some_delay(wire);
    server->head.peer = (struct sw_addr){
        .in4 =
            {
                .sin_family = AF_INET,
                .sin_port = htons(wire->next_port++),
                .sin_addr = {htonl(INADDR_LOOPBACK)},
            },
        .len = sizeof(struct sockaddr_in),
    };
    *pending = (struct pending){.listener = listener, .handle = handle};
    STAILQ_INSERT_TAIL(&listener->net->pending, pending, next);
    look_at(listener->net, server->accept_ns);
    client->connecting = true;
    client->open_ns = server->accept_ns + some_delay(wire);
    return SW_OK;
}

static int net_connect(
    struct sw_net *base,
    const struct sw_addr *addr,
    const struct sw_stream_events *events,
    void *owner,
    struct sw_stream **ret_stream
)
{
    struct memory_net *net = (struct memory_net *)base;
    struct memory_stream *stream = new_stream(net->wire);
    if (stream == NULL) {
        return SW_E_NOMEM;
    }
    stream->head.peer = *addr;
    struct listener *listener = find_listener(net->wire, addr);
    if (listener != NULL && dial(stream, listener, base->core->now_ns) != SW_OK) {
        sw_free(stream);
        return SW_E_NOMEM;
    }
    join(stream, net, events, owner);
    if (listener == NULL) {
        end_stream(stream, SW_E_REFUSED, ECONNREFUSED);
    }
    *ret_stream = &stream->head;
    return SW_OK;
}

static int net_adopt(
    struct sw_net *base,
    int handle,
    const struct sw_addr *peer,
    const struct sw_stream_events *events,
    void *owner,
    struct sw_stream **ret_stream
)
{
    struct memory_net *net = (struct memory_net *)base;
    struct sw_memory_wire *wire = net->wire;
    if (handle < 0 || handle >= wire->handles_count || wire->handles[handle] == NULL) {
        return SW_E_INVALID;
    }
    struct memory_stream *stream = wire->handles[handle];
    wire->handles[handle] = NULL;
    if (peer != NULL) {
        stream->head.peer = *peer;
    }
    stream->head.open = true;
    join(stream, net, events, owner);
    *ret_stream = &stream->head;
    return SW_OK;
}

// Nobody will accept it any more: the client sees a reset.
static void drop_handle(struct sw_memory_wire *wire, int handle)
{
    struct memory_stream *stream = wire->handles[handle];
    if (stream == NULL) {
        return;
    }
    wire->handles[handle] = NULL;
    if (stream->peer != NULL) {
        end_stream(stream->peer, SW_E_RESET, ECONNRESET);
    }
    free_stream(stream);
}

static void drop_listeners(struct memory_net *net)
{
    struct sw_memory_wire *wire = net->wire;
    struct pending *pending;
    while ((pending = STAILQ_FIRST(&net->pending)) != NULL) {
        STAILQ_REMOVE_HEAD(&net->pending, next);
        drop_handle(wire, pending->handle);
        sw_free(pending);
    }
    struct listener *listener = STAILQ_FIRST(&wire->listeners);
    while (listener != NULL) {
        struct listener *next = STAILQ_NEXT(listener, next);
        if (listener->net == net) {
            STAILQ_REMOVE(&wire->listeners, listener, listener, next);
            sw_free(listener);
        }
        listener = next;
    }
}

static void net_free(struct sw_net *base)
{
    struct memory_net *net = (struct memory_net *)base;
    SW_ASSERT(!net->in_poll);
    drop_listeners(net);
    struct memory_stream *stream;
    while ((stream = TAILQ_FIRST(&net->all)) != NULL) {
        memory_close(&stream->head);
    }
    sw_timer_cancel(&base->core->timers, &net->timer);
    sw_free(net);
}

// In virtual time there is nothing to wait for.
static void net_wait(struct sw_net *net, int timeout_ms) {}

static const struct sw_net_ops memory_net_ops = {
    .connect = net_connect,
    .adopt = net_adopt,
    .poll = net_poll,
    .wait = net_wait,
    .free = net_free,
};

static void timer_fired(struct sw_timer *timer, uint64_t now_ns)
{
    (void)timer;
    (void)now_ns; // the poll of the same turn looks
}

int sw_memory_net_new(struct sw_memory_wire *wire, struct sw_core *core, struct sw_net **ret_net)
{
    struct memory_net *net = sw_zalloc(sizeof(*net));
    if (net == NULL) {
        return SW_E_NOMEM;
    }
    net->head = (struct sw_net){.ops = &memory_net_ops, .core = core};
    net->wire = wire;
    TAILQ_INIT(&net->all);
    STAILQ_INIT(&net->pending);
    sw_timer_init(&net->timer, timer_fired);
    *ret_net = &net->head;
    return SW_OK;
}

int sw_memory_listen(
    struct sw_memory_wire *wire,
    struct sw_net *net,
    const struct sw_addr *addr,
    void (*accept)(void *context, int handle, const struct sw_addr *peer),
    void *context
)
{
    if (find_listener(wire, addr) != NULL) {
        return SW_E_EXISTS;
    }
    struct listener *listener = sw_zalloc(sizeof(*listener));
    if (listener == NULL) {
        return SW_E_NOMEM;
    }
    listener->net = (struct memory_net *)net;
    listener->addr = *addr;
    listener->accept = accept;
    listener->context = context;
    STAILQ_INSERT_TAIL(&wire->listeners, listener, next);
    return SW_OK;
}

int sw_memory_wire_new(const struct sw_memory_trouble *trouble, struct sw_memory_wire **ret_wire)
{
    struct sw_memory_wire *wire = sw_zalloc(sizeof(*wire));
    if (wire == NULL) {
        return SW_E_NOMEM;
    }
    if (trouble != NULL) {
        wire->trouble = *trouble;
    }
    wire->next_port = 40000;
    sw_rand_init(&wire->rand, wire->trouble.seed);
    STAILQ_INIT(&wire->listeners);
    *ret_wire = wire;
    return SW_OK;
}

void sw_memory_wire_free(struct sw_memory_wire *wire)
{
    if (wire == NULL) {
        return;
    }
    SW_ASSERT(STAILQ_EMPTY(&wire->listeners)); // the nets went before
    for (int i = 0; i < wire->handles_count; i++) {
        drop_handle(wire, i);
    }
    sw_free(wire->handles);
    sw_free(wire);
}
