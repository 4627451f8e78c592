/* Streams over kernel sockets.
 *
 * One epoll set per core, level-triggered: a turn then may stop reading a stream at any byte and is
 * told about it again, so fairness costs no list of our own. Interest is changed lazily: a paused
 * stream stays watched until bytes really arrive, EPOLLOUT is watched only while a write is blocked.
 *
 * Callbacks come from net_poll alone. What goes wrong inside a call (a write, a connect) makes the
 * stream `due` and is reported by the next poll. A stream that is closed inside callbacks lives on
 * in the graveyard until the poll ends. */
#include "dataplane/base/assert.h"
#include "dataplane/base/mem.h"
#include "dataplane/l4_stream/out_internal.h"
#include "dataplane/l4_stream/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

// One receive takes at most this (in one call, into the core's scratch). Measured on loopback,
// larger ones gain nothing: 128 KiB stay in the second-level cache.
#define READ_BYTES_MAX (128u * 1024)
// Read in one poll over all streams; what is left is handled by the next one. About 0.2 ms of
// copying; the rest of the millisecond belongs to those who look at the bytes.
#define POLL_READ_BYTES_MAX (512u * 1024)
// Written in one turn for one stream, and over all of them.
#define WRITE_BYTES_MAX      (512u * 1024)
#define POLL_WRITE_BYTES_MAX (2048u * 1024)
#define IOV_MAX_COUNT        64
// Looks at what still lies in the socket after a write failed.
#define LAST_READS_MAX 4
#define EVENTS_MAX     64

struct socket_stream {
    struct sw_stream head;
    struct socket_net *net;
    struct sw_out out;
    int fd;
    int err;          // why it ends, reported by the next poll
    uint32_t watched; // events in the epoll set
    bool in_epoll;
    bool connecting;
    bool open_due;  // on_open to be called
    bool drain_due; // on_drain to be called
    bool end_due;   // on_closed to be called
    bool above_high;
    bool blocked; // the kernel took less than we had
    bool eof;
    bool fin_wanted;
    bool fin_sent;
    bool gone; // closed by its owner, or on_closed was called
    bool is_dirty;
    bool is_due;
    TAILQ_ENTRY(socket_stream) all;
    TAILQ_ENTRY(socket_stream) dirty;
    TAILQ_ENTRY(socket_stream) due;
};

TAILQ_HEAD(stream_list, socket_stream);

struct socket_net {
    struct sw_net head;
    int epoll_fd;
    int wake_fd;
    bool in_poll;
    unsigned due_count;
    struct stream_list all;
    struct stream_list dirty; // have bytes or a FIN to send
    struct stream_list due;   // have something to report
    struct stream_list graveyard;
    // Of the last epoll_wait, not handled yet: [event_next, events_count).
    unsigned event_next;
    unsigned events_count;
    struct epoll_event events[EVENTS_MAX];
    uint8_t scratch[READ_BYTES_MAX];
};

static void mark_dirty(struct socket_stream *stream)
{
    if (!stream->is_dirty) {
        stream->is_dirty = true;
        TAILQ_INSERT_TAIL(&stream->net->dirty, stream, dirty);
    }
}

static void unmark_dirty(struct socket_stream *stream)
{
    if (stream->is_dirty) {
        stream->is_dirty = false;
        TAILQ_REMOVE(&stream->net->dirty, stream, dirty);
    }
}

static void mark_due(struct socket_stream *stream)
{
    if (!stream->is_due) {
        stream->is_due = true;
        stream->net->due_count++;
        TAILQ_INSERT_TAIL(&stream->net->due, stream, due);
    }
}

static void unmark_due(struct socket_stream *stream)
{
    if (stream->is_due) {
        stream->is_due = false;
        stream->net->due_count--;
        TAILQ_REMOVE(&stream->net->due, stream, due);
    }
}

static int err_of_errno(int number)
{
    switch (number) {
    case ECONNRESET:
    case EPIPE:
        return SW_E_RESET;
    case ECONNREFUSED:
    case ENOENT: // unix socket without a file
    case EAGAIN: // unix socket with a full backlog
        return SW_E_REFUSED;
    case ETIMEDOUT:
        return SW_E_TIMEOUT;
    default:
        return SW_E_SYSTEM;
    }
}

// The stream ends: queued bytes are dropped now, the owner hears of it from the next poll.
static void end_stream(struct socket_stream *stream, int err)
{
    if (stream->end_due || stream->gone) {
        return;
    }
    stream->err = err;
    stream->end_due = true;
    stream->head.open = false;
    stream->head.queued_bytes = 0;
    sw_out_clear(&stream->out);
    unmark_dirty(stream);
    mark_due(stream);
}

static void fail_stream(struct socket_stream *stream, int number)
{
    if (!stream->end_due && !stream->gone) {
        stream->head.system_errno = number;
        end_stream(stream, err_of_errno(number));
    }
}

static void watch(struct socket_stream *stream, uint32_t wanted)
{
    if (stream->in_epoll && stream->watched == wanted) {
        return;
    }
    struct epoll_event event = {.events = wanted, .data.ptr = stream};
    int op = stream->in_epoll ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(stream->net->epoll_fd, op, stream->fd, &event) != 0) {
        fail_stream(stream, errno);
        return;
    }
    stream->in_epoll = true;
    stream->watched = wanted;
}

// A hang-up is reported whatever is watched; nobody listens, so the descriptor leaves the set.
static void unwatch(struct socket_stream *stream)
{
    if (stream->in_epoll) {
        epoll_ctl(stream->net->epoll_fd, EPOLL_CTL_DEL, stream->fd, NULL);
        stream->in_epoll = false;
        stream->watched = 0;
    }
}

static uint32_t wanted_events(const struct socket_stream *stream)
{
    if (stream->connecting) {
        return EPOLLOUT;
    }
    uint32_t in = stream->head.open && !stream->head.paused && !stream->eof ? EPOLLIN : 0;
    return in | (stream->blocked ? EPOLLOUT : 0);
}

static void bury(struct socket_stream *stream)
{
    struct socket_net *net = stream->net;
    sw_out_clear(&stream->out);
    unmark_dirty(stream);
    unmark_due(stream);
    close(stream->fd); // leaves the epoll set by itself
    for (unsigned i = net->event_next; i < net->events_count; i++) {
        if (net->events[i].data.ptr == stream) {
            net->events[i].events = 0;
        }
    }
    TAILQ_REMOVE(&net->all, stream, all);
    if (net->in_poll) {
        TAILQ_INSERT_TAIL(&net->graveyard, stream, all);
    } else {
        sw_free(stream);
    }
}

/* ---- writing ---- */

static void after_write(struct socket_stream *stream)
{
    stream->head.queued_bytes = stream->out.bytes;
    if (stream->above_high && stream->out.bytes < SW_STREAM_LOW_BYTES) {
        stream->above_high = false;
        stream->drain_due = true;
        mark_due(stream);
    }
    if (stream->out.bytes > 0 || !stream->fin_wanted || stream->fin_sent) {
        return;
    }
    stream->fin_sent = true;
    if (shutdown(stream->fd, SHUT_WR) != 0 && errno != ENOTCONN) {
        fail_stream(stream, errno);
    } else if (stream->eof) {
        end_stream(stream, SW_OK);
    }
}

// @return bytes sent; the stream leaves the dirty list when it is done or blocked
static size_t send_some(struct socket_stream *stream)
{
    size_t sent_bytes = 0;
    while (stream->out.bytes > 0 && sent_bytes < WRITE_BYTES_MAX) {
        struct iovec iov[IOV_MAX_COUNT];
        size_t bytes;
        struct msghdr message = {.msg_iov = iov};
        message.msg_iovlen =
            sw_out_iov(&stream->out, iov, IOV_MAX_COUNT, WRITE_BYTES_MAX - sent_bytes, &bytes);
        ssize_t count = sendmsg(stream->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0 && errno != EAGAIN) {
            fail_stream(stream, errno);
            return sent_bytes;
        }
        if (count > 0) {
            sw_out_consume(&stream->out, (size_t)count);
            sent_bytes += (size_t)count;
        }
        if (count < 0 || (size_t)count < bytes) {
            stream->blocked = true;
            break;
        }
    }
    after_write(stream);
    return sent_bytes;
}

static size_t flush_stream(struct socket_stream *stream)
{
    if (!stream->head.open || stream->blocked) {
        unmark_dirty(stream); // goes on when the connection is there, or EPOLLOUT comes
        return 0;
    }
    size_t sent_bytes = send_some(stream);
    if (stream->end_due) {
        return sent_bytes;
    }
    if (stream->out.bytes == 0 || stream->blocked) {
        unmark_dirty(stream);
    }
    if (stream->blocked || (stream->watched & EPOLLOUT)) {
        watch(stream, wanted_events(stream));
    }
    return sent_bytes;
}

static void flush_dirty(struct socket_net *net)
{
    size_t budget = POLL_WRITE_BYTES_MAX;
    struct socket_stream *last = TAILQ_LAST(&net->dirty, stream_list);
    struct socket_stream *stream;
    while (budget > 0 && (stream = TAILQ_FIRST(&net->dirty)) != NULL) {
        size_t sent_bytes = flush_stream(stream);
        budget -= SW_MIN(budget, sent_bytes);
        if (stream->is_dirty) { // has more than its share: to the end of the row
            TAILQ_REMOVE(&net->dirty, stream, dirty);
            TAILQ_INSERT_TAIL(&net->dirty, stream, dirty);
        }
        sw_core_step_done(net->head.core);
        if (stream == last) {
            break;
        }
    }
}

static struct socket_stream *stream_of(struct sw_stream *stream)
{
    return (struct socket_stream *)stream;
}

static bool may_write(const struct socket_stream *stream)
{
    return !stream->gone && !stream->end_due && !stream->fin_wanted;
}

static void wrote(struct socket_stream *stream)
{
    stream->head.queued_bytes = stream->out.bytes;
    if (stream->out.bytes > SW_STREAM_HIGH_BYTES) {
        stream->above_high = true;
    }
    if (stream->head.open && !stream->blocked) {
        mark_dirty(stream);
    }
}

static int socket_write_copy(struct sw_stream *base, const void *data, size_t size)
{
    struct socket_stream *stream = stream_of(base);
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
socket_write_ref(struct sw_stream *base, struct sw_buf *buf, const void *data, size_t size)
{
    struct socket_stream *stream = stream_of(base);
    if (!may_write(stream)) {
        return SW_E_CLOSED;
    }
    int err = sw_out_ref(&stream->out, buf, data, size);
    if (err == SW_OK) {
        wrote(stream);
    }
    return err;
}

static int socket_flush(struct sw_stream *base)
{
    flush_stream(stream_of(base));
    return SW_OK;
}

static void socket_shutdown(struct sw_stream *base)
{
    struct socket_stream *stream = stream_of(base);
    if (!may_write(stream)) {
        return;
    }
    stream->fin_wanted = true;
    if (base->open && !stream->blocked) {
        mark_dirty(stream);
    }
}

static void socket_pause(struct sw_stream *base, bool paused)
{
    struct socket_stream *stream = stream_of(base);
    if (base->paused == paused || stream->gone) {
        return;
    }
    base->paused = paused;
    // Pausing is lazy: see handle_event.
    if (!paused && base->open && !stream->end_due) {
        watch(stream, wanted_events(stream));
    }
}

static void socket_close(struct sw_stream *base)
{
    struct socket_stream *stream = stream_of(base);
    if (!stream->gone) {
        stream->gone = true;
        base->open = false;
        bury(stream);
    }
}

static const struct sw_stream_ops socket_stream_ops = {
    .write_copy = socket_write_copy,
    .write_ref = socket_write_ref,
    .flush = socket_flush,
    .pause = socket_pause,
    .shutdown = socket_shutdown,
    .close = socket_close,
};

/* ---- reading and reporting; from net_poll only ---- */

// @return bytes received
static size_t receive(struct socket_stream *stream)
{
    struct socket_net *net = stream->net;
    ssize_t count;
    do {
        count = recv(stream->fd, net->scratch, READ_BYTES_MAX, MSG_DONTWAIT);
    } while (count < 0 && errno == EINTR);
    if (count > 0) {
        stream->head.events->on_data(
            stream->head.owner, &stream->head, net->scratch, (size_t)count
        );
        return (size_t)count;
    }
    if (count < 0) {
        if (errno != EAGAIN) {
            fail_stream(stream, errno);
        }
        return 0;
    }
    if (stream->end_due) {
        return 0; // the last look after a failed write
    }
    stream->eof = true;
    watch(stream, wanted_events(stream));
    if (stream->fin_sent) {
        end_stream(stream, SW_OK);
    }
    if (stream->head.events->on_eof != NULL) {
        stream->head.events->on_eof(stream->head.owner, &stream->head);
    }
    return 0;
}

static void report_open(struct socket_stream *stream)
{
    stream->connecting = false;
    stream->open_due = false;
    stream->head.open = true;
    watch(stream, wanted_events(stream));
    if (stream->out.bytes > 0 || stream->fin_wanted) {
        mark_dirty(stream);
    }
    if (!stream->end_due && stream->head.events->on_open != NULL) {
        stream->head.events->on_open(stream->head.owner, &stream->head);
    }
}

static void report_end(struct socket_stream *stream)
{
    // A peer that refused what we sent may have said why before it closed.
    if (stream->err == SW_E_RESET && !stream->eof && !stream->head.paused) {
        for (int i = 0; i < LAST_READS_MAX && !stream->gone && receive(stream) > 0; i++) {
        }
        if (stream->gone) {
            return;
        }
    }
    stream->gone = true;
    stream->head.events->on_closed(stream->head.owner, &stream->head, stream->err);
    bury(stream);
}

static void report(struct socket_stream *stream)
{
    if (stream->open_due) {
        report_open(stream);
    }
    if (!stream->gone && stream->drain_due) {
        stream->drain_due = false;
        if (!stream->end_due && stream->head.events->on_drain != NULL) {
            stream->head.events->on_drain(stream->head.owner, &stream->head);
        }
    }
    if (!stream->gone && stream->end_due) {
        report_end(stream);
    }
}

// Those that become due meanwhile wait for the next round.
static unsigned report_due(struct socket_net *net)
{
    unsigned count = 0;
    for (unsigned most = net->due_count; count < most; count++) {
        struct socket_stream *stream = TAILQ_FIRST(&net->due);
        if (stream == NULL) {
            break; // closed by a callback of another one
        }
        unmark_due(stream);
        report(stream);
    }
    return count;
}

static int pending_error(struct socket_stream *stream)
{
    int number = 0;
    socklen_t size = sizeof(number);
    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &number, &size) != 0) {
        return errno;
    }
    return number;
}

static void handle_connected(struct socket_stream *stream)
{
    int number = pending_error(stream);
    if (number != 0) {
        stream->connecting = false;
        fail_stream(stream, number);
    } else {
        report_open(stream);
    }
}

static size_t handle_event(struct socket_stream *stream, uint32_t events)
{
    if (stream->end_due) {
        unwatch(stream);
        return 0;
    }
    if (stream->connecting) {
        handle_connected(stream);
        return 0;
    }
    if (events & EPOLLOUT) {
        stream->blocked = false;
        mark_dirty(stream);
    }
    bool deaf = stream->head.paused || stream->eof;
    if (deaf && (events & EPOLLERR)) {
        int number = pending_error(stream);
        fail_stream(stream, number != 0 ? number : ECONNRESET);
    } else if (deaf && (events & EPOLLHUP)) {
        unwatch(stream);
    } else if (deaf && (events & EPOLLIN)) {
        watch(stream, wanted_events(stream) | (stream->watched & EPOLLOUT));
    } else if (!deaf && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) {
        return receive(stream);
    }
    return 0;
}

static void drain_wake_fd(struct socket_net *net)
{
    uint64_t count;
    while (read(net->wake_fd, &count, sizeof(count)) < 0 && errno == EINTR) {
    }
}

static unsigned handle_events(struct socket_net *net)
{
    unsigned handled = 0;
    size_t read_bytes = 0;
    while (net->event_next < net->events_count && read_bytes < POLL_READ_BYTES_MAX) {
        struct epoll_event event = net->events[net->event_next++];
        if (event.events == 0) {
            continue; // was closed meanwhile
        }
        handled++;
        if (event.data.ptr == net) {
            drain_wake_fd(net);
        } else {
            read_bytes += handle_event(event.data.ptr, event.events);
        }
        sw_core_step_done(net->head.core);
    }
    return handled;
}

static void free_graveyard(struct socket_net *net)
{
    struct socket_stream *stream;
    while ((stream = TAILQ_FIRST(&net->graveyard)) != NULL) {
        TAILQ_REMOVE(&net->graveyard, stream, all);
        sw_free(stream);
    }
}

static unsigned net_poll(struct sw_net *base, int timeout_ms)
{
    struct socket_net *net = (struct socket_net *)base;
    SW_ASSERT(!net->in_poll);
    net->in_poll = true;
    flush_dirty(net); // what the rest of the turn queued since the last poll
    unsigned handled = report_due(net);
    if (net->event_next == net->events_count) {
        bool busy = handled > 0 || !TAILQ_EMPTY(&net->dirty) || !TAILQ_EMPTY(&net->due);
        int count = epoll_wait(net->epoll_fd, net->events, EVENTS_MAX, busy ? 0 : timeout_ms);
        net->event_next = 0;
        net->events_count = count > 0 ? (unsigned)count : 0; // EINTR: nothing happened
    }
    handled += handle_events(net);
    flush_dirty(net);
    handled += report_due(net);
    free_graveyard(net);
    net->in_poll = false;
    // What is left to be sent is work too: nothing else would wake the core for it.
    return handled + (!TAILQ_EMPTY(&net->dirty) || !TAILQ_EMPTY(&net->due));
}

int sw_socket_net_fd(const struct sw_net *net)
{
    return ((const struct socket_net *)net)->epoll_fd;
}

// Sleeps on the epoll descriptor itself, so that nothing is taken off it.
static void net_wait(struct sw_net *base, int timeout_ms)
{
    struct socket_net *net = (struct socket_net *)base;
    if (net->event_next < net->events_count || !TAILQ_EMPTY(&net->dirty)
        || !TAILQ_EMPTY(&net->due)) {
        return;
    }
    struct pollfd set = {.fd = net->epoll_fd, .events = POLLIN};
    (void)poll(&set, 1, timeout_ms);
}

/* ---- making ---- */

static void set_options(int fd, int family)
{
    if (family != AF_INET && family != AF_INET6) {
        return;
    }
    // Go's defaults, so that a peer that vanished is noticed as soon as by the Collector. None of
    // these can fail on a TCP socket, and none is worth refusing a connection.
    int one = 1;
    int probes = 9;
    int seconds = 15;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof(seconds));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof(seconds));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

static struct socket_stream *new_stream(
    struct sw_net *base,
    int fd,
    const struct sw_addr *peer,
    const struct sw_stream_events *events,
    void *owner
)
{
    struct socket_net *net = (struct socket_net *)base;
    struct socket_stream *stream = sw_zalloc(sizeof(*stream));
    if (stream == NULL) {
        return NULL;
    }
    stream->net = net;
    stream->head.ops = &socket_stream_ops;
    stream->head.events = events;
    stream->head.owner = owner;
    stream->head.core = base->core;
    if (peer != NULL) {
        stream->head.peer = *peer;
    }
    stream->fd = fd;
    sw_out_init(&stream->out);
    TAILQ_INSERT_TAIL(&net->all, stream, all);
    return stream;
}

static int net_adopt(
    struct sw_net *net,
    int fd,
    const struct sw_addr *peer,
    const struct sw_stream_events *events,
    void *owner,
    struct sw_stream **ret_stream
)
{
    struct socket_stream *stream = new_stream(net, fd, peer, events, owner);
    if (stream == NULL) {
        close(fd);
        return SW_E_NOMEM;
    }
    set_options(fd, peer != NULL && peer->len > 0 ? peer->sa.sa_family : AF_UNSPEC);
    stream->head.open = true;
    watch(stream, EPOLLIN);
    if (stream->end_due) {
        int number = stream->head.system_errno;
        socket_close(&stream->head);
        errno = number;
        return SW_E_SYSTEM;
    }
    *ret_stream = &stream->head;
    return SW_OK;
}

static int net_connect(
    struct sw_net *net,
    const struct sw_addr *addr,
    const struct sw_stream_events *events,
    void *owner,
    struct sw_stream **ret_stream
)
{
    int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return SW_E_SYSTEM;
    }
    struct socket_stream *stream = new_stream(net, fd, addr, events, owner);
    if (stream == NULL) {
        close(fd);
        return SW_E_NOMEM;
    }
    set_options(fd, addr->sa.sa_family);
    if (connect(fd, &addr->sa, addr->len) == 0) {
        stream->open_due = true;
        mark_due(stream);
    } else if (errno == EINPROGRESS || errno == EINTR) {
        stream->connecting = true;
        watch(stream, EPOLLOUT);
    } else {
        fail_stream(stream, errno);
    }
    *ret_stream = &stream->head;
    return SW_OK;
}

static void net_free(struct sw_net *base)
{
    struct socket_net *net = (struct socket_net *)base;
    SW_ASSERT(!net->in_poll);
    struct socket_stream *stream;
    while ((stream = TAILQ_FIRST(&net->all)) != NULL) {
        socket_close(&stream->head);
    }
    close(net->epoll_fd);
    sw_free(net);
}

static const struct sw_net_ops socket_net_ops = {
    .connect = net_connect,
    .adopt = net_adopt,
    .poll = net_poll,
    .wait = net_wait,
    .free = net_free,
};

int sw_socket_net_new(struct sw_core *core, int wake_fd, struct sw_net **ret_net)
{
    struct socket_net *net = sw_zalloc(sizeof(*net));
    if (net == NULL) {
        return SW_E_NOMEM;
    }
    net->head = (struct sw_net){.ops = &socket_net_ops, .core = core};
    net->wake_fd = wake_fd;
    TAILQ_INIT(&net->all);
    TAILQ_INIT(&net->dirty);
    TAILQ_INIT(&net->due);
    TAILQ_INIT(&net->graveyard);
    net->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (net->epoll_fd < 0) {
        sw_free(net);
        return SW_E_SYSTEM;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = net};
    if (wake_fd >= 0 && epoll_ctl(net->epoll_fd, EPOLL_CTL_ADD, wake_fd, &event) != 0) {
        close(net->epoll_fd);
        sw_free(net);
        return SW_E_SYSTEM;
    }
    *ret_net = &net->head;
    return SW_OK;
}

/* ---- listening; control thread ---- */

static int listen_on(int fd, const struct sw_addr *addr, int backlog, uint16_t *ret_port)
{
    int one = 1;
    int zero = 0;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0) {
        return SW_E_SYSTEM;
    }
    // The IPv6 wildcard takes IPv4 too, as in Go.
    if (addr->sa.sa_family == AF_INET6
        && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero)) != 0) {
        return SW_E_SYSTEM;
    }
    struct sw_addr real = {.len = sizeof(real.un)};
    if (bind(fd, &addr->sa, addr->len) != 0 || listen(fd, backlog) != 0
        || getsockname(fd, &real.sa, &real.len) != 0) {
        return SW_E_SYSTEM;
    }
    switch (real.sa.sa_family) {
    case AF_INET:
        *ret_port = ntohs(real.in4.sin_port);
        break;
    case AF_INET6:
        *ret_port = ntohs(real.in6.sin6_port);
        break;
    default:
        *ret_port = 0;
    }
    return SW_OK;
}

int sw_socket_listen(const struct sw_addr *addr, int backlog, int *ret_fd, uint16_t *ret_port)
{
    int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return SW_E_SYSTEM;
    }
    uint16_t port = 0;
    if (listen_on(fd, addr, backlog, &port) != SW_OK) {
        int number = errno;
        close(fd);
        errno = number;
        return SW_E_SYSTEM;
    }
    *ret_fd = fd;
    if (ret_port != NULL) {
        *ret_port = port;
    }
    return SW_OK;
}

int sw_socket_accept(int listen_fd, int *ret_fd, struct sw_addr *ret_peer)
{
    for (;;) {
        struct sw_addr peer = {.len = sizeof(peer.un)};
        int fd = accept4(listen_fd, &peer.sa, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            *ret_fd = fd;
            *ret_peer = peer;
            return SW_OK;
        }
        switch (errno) {
        case EAGAIN:
            return SW_E_AGAIN;
        // accept(2): errors of the waiting connection, which is gone; the next one may be fine.
        case EINTR:
        case ECONNABORTED:
        case EPROTO:
        case ENETDOWN:
        case ENOPROTOOPT:
        case EHOSTDOWN:
        case ENONET:
        case EHOSTUNREACH:
        case ENETUNREACH:
        case EPERM:
            continue;
        default:
            return SW_E_SYSTEM; // EMFILE, ENFILE, ENOBUFS, ENOMEM: the connection still waits
        }
    }
}
