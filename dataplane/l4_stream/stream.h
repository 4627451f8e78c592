/* The byte-stream contract: what every connection looks like to the code above it.
 *
 * Implementations: socket.c (kernel sockets), memory.c (in-memory, with seeded segmentation, short
 * writes, delays and resets, for tests and the simulator), later l4_tcp (NIC) and l6_tls.
 * A stream belongs to one core; all calls and callbacks happen on it. Nothing blocks.
 *
 * Bytes in are pushed: on_data must take all it is given; sw_stream_pause stops the flow (and, by
 * not reading, the peer). Bytes out are queued, either copied (small: headers) or by reference
 * (a buffer's bytes; the reference is dropped when the transport no longer needs the bytes:
 * written to the kernel, or acknowledged on the NIC path, or the stream closed). Queued bytes go
 * out together at the end of the core's turn, or at sw_stream_flush.
 *
 * Life: new → (connecting) → open → [half closed] → closed. on_closed is the last callback; the
 * pointer is dead when it returns. After sw_stream_close no callback comes at all.
 */
#ifndef SW_L4_STREAM_STREAM_H
#define SW_L4_STREAM_STREAM_H

#include "dataplane/base/buf.h"
#include "dataplane/base/core.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct sw_stream;
struct sw_net;

/** Address of a peer or a listener: IPv4, IPv6 (with scope) or a unix socket path. */
struct sw_addr {
    union {
        struct sockaddr sa;
        struct sockaddr_in in4;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    };
    socklen_t len;
};

/** Text form ("127.0.0.1:4317", "[::1]:4317", "unix:/path"); always NUL-terminated. */
void sw_addr_text(const struct sw_addr *addr, char *ret_text, size_t size);

/** Parses a literal address and port (no DNS). @return 0 or SW_E_INVALID */
SW_CHECKED int sw_addr_parse(const char *host, uint16_t port, struct sw_addr *ret_addr);

struct sw_stream_events {
    /** The handshake is done (client side). Optional for accepted streams. */
    void (*on_open)(void *owner, struct sw_stream *stream);
    /** Bytes, borrowed until return; all of them are taken. May close the stream. */
    void (*on_data)(void *owner, struct sw_stream *stream, const uint8_t *data, size_t size);
    /** The peer will send no more; we may still write. */
    void (*on_eof)(void *owner, struct sw_stream *stream);
    /** Queued bytes fell below the low mark after they had been above the high mark. */
    void (*on_drain)(void *owner, struct sw_stream *stream);
    /** The stream is gone: 0 for an orderly end, SW_E_RESET, SW_E_REFUSED, SW_E_TIMEOUT,
     * SW_E_SYSTEM… (system_errno of the stream says more). Last callback. */
    void (*on_closed)(void *owner, struct sw_stream *stream, int err);
};

/** Above this many queued bytes a writer should stop producing until on_drain. */
#define SW_STREAM_HIGH_BYTES (1u << 20)
#define SW_STREAM_LOW_BYTES  (1u << 18)

struct sw_stream_ops {
    int (*write_copy)(struct sw_stream *stream, const void *data, size_t size);
    int (*write_ref)(struct sw_stream *stream, struct sw_buf *buf, const void *data, size_t size);
    int (*flush)(struct sw_stream *stream);
    void (*pause)(struct sw_stream *stream, bool paused);
    void (*shutdown)(struct sw_stream *stream);
    void (*close)(struct sw_stream *stream);
};

/** The common head of every implementation; members are read-only outside of it. */
struct sw_stream {
    const struct sw_stream_ops *ops;
    const struct sw_stream_events *events;
    void *owner;
    struct sw_core *core;
    struct sw_addr peer;
    size_t queued_bytes;
    int system_errno; /**< of the failure, for the log; 0 none */
    bool open;
    bool paused;
};

struct sw_net_ops {
    int (*connect
    )(struct sw_net *net,
      const struct sw_addr *addr,
      const struct sw_stream_events *events,
      void *owner,
      struct sw_stream **ret_stream);
    int (*adopt
    )(struct sw_net *net,
      int fd,
      const struct sw_addr *peer,
      const struct sw_stream_events *events,
      void *owner,
      struct sw_stream **ret_stream);
    unsigned (*poll)(struct sw_net *net, int timeout_ms);
    void (*wait)(struct sw_net *net, int timeout_ms);
    void (*free)(struct sw_net *net);
};

/** The streams of one core. */
struct sw_net {
    const struct sw_net_ops *ops;
    struct sw_core *core;
};

/** Who owns the stream from now on (a connection object that is made after the stream). */
static inline void
sw_stream_bind(struct sw_stream *stream, const struct sw_stream_events *events, void *owner)
{
    stream->events = events;
    stream->owner = owner;
}

/** Starts a connection; on_open or on_closed follows, never from inside this call.
 * @return 0, SW_E_NOMEM, or SW_E_SYSTEM when no socket could be made */
SW_CHECKED static inline int sw_net_connect(
    struct sw_net *net,
    const struct sw_addr *addr,
    const struct sw_stream_events *events,
    void *owner,
    struct sw_stream **ret_stream
)
{
    return net->ops->connect(net, addr, events, owner, ret_stream);
}

/** Makes a stream of an accepted descriptor (taken, also on failure closed). The memory net takes
 * its own handles in place of descriptors. */
SW_CHECKED static inline int sw_net_adopt(
    struct sw_net *net,
    int fd,
    const struct sw_addr *peer,
    const struct sw_stream_events *events,
    void *owner,
    struct sw_stream **ret_stream
)
{
    return net->ops->adopt(net, fd, peer, events, owner, ret_stream);
}

/** Handles what is ready and flushes what was queued; waits up to timeout_ms (0: not at all; -1: until
 * something happens). @return events handled */
static inline unsigned sw_net_poll(struct sw_net *net, int timeout_ms)
{
    return net->ops->poll(net, timeout_ms);
}

/** Sleeps until something is ready or the time is up; handles nothing (the sleeper must be back online
 * before a callback runs). sw_net_poll follows. In memory: returns at once. */
static inline void sw_net_wait(struct sw_net *net, int timeout_ms)
{
    net->ops->wait(net, timeout_ms);
}

/** Queues a copy. @return 0, SW_E_NOMEM or SW_E_CLOSED (nothing queued) */
SW_CHECKED static inline int
sw_stream_write_copy(struct sw_stream *stream, const void *data, size_t size)
{
    return stream->ops->write_copy(stream, data, size);
}

/** Queues bytes of a buffer; takes a reference of its own (buf NULL: static bytes). Same errors. */
SW_CHECKED static inline int
sw_stream_write_ref(struct sw_stream *stream, struct sw_buf *buf, const void *data, size_t size)
{
    return stream->ops->write_ref(stream, buf, data, size);
}

/** Sends queued bytes now as far as they go. Errors arrive by on_closed, later. */
static inline void sw_stream_flush(struct sw_stream *stream)
{
    (void)stream->ops->flush(stream);
}

/** true: no on_data from now on; the kernel's buffer fills and the peer stops. */
static inline void sw_stream_pause(struct sw_stream *stream, bool paused)
{
    stream->ops->pause(stream, paused);
}

/** Sends what is queued, then FIN. Bytes may still come in; on_closed follows. */
static inline void sw_stream_shutdown(struct sw_stream *stream)
{
    stream->ops->shutdown(stream);
}

/** Gives up at once: queued bytes are dropped, no further callback, the pointer is dead. */
static inline void sw_stream_close(struct sw_stream *stream)
{
    stream->ops->close(stream);
}

/* ---- kernel sockets (socket.c) ---- */

/** Streams over kernel sockets with an epoll set of their own. wake_fd (a mailbox's eventfd, or -1) is
 * watched too, so that a sleeping core is woken. */
SW_CHECKED int sw_socket_net_new(struct sw_core *core, int wake_fd, struct sw_net **ret_net);

/** Descriptor that is readable when a poll has something to handle, for an outer epoll set
 * (level-triggered). Not while bytes or reports are queued: poll until it returns 0. */
int sw_socket_net_fd(const struct sw_net *net);

/** Opens a listening socket (SO_REUSEADDR, non-blocking). Control thread. ret_port: the real one.
 * @return descriptor or SW_E_SYSTEM with errno set */
SW_CHECKED int
sw_socket_listen(const struct sw_addr *addr, int backlog, int *ret_fd, uint16_t *ret_port);

/** Accepts one connection. @return 0, SW_E_AGAIN when none waits, SW_E_SYSTEM with errno set: out of
 * descriptors or memory. The connection then still waits and the listener stays readable: its watcher
 * has to leave it alone for a while, or it spins. */
SW_CHECKED int sw_socket_accept(int listen_fd, int *ret_fd, struct sw_addr *ret_peer);

/* ---- in memory (memory.c), for tests ---- */

/** What goes wrong on purpose; all from the seed, in virtual time. */
struct sw_memory_trouble {
    uint64_t seed;
    uint32_t segment_bytes_max; /**< on_data gets 1 … this many bytes; 0: all there is */
    uint32_t write_bytes_max;   /**< short writes; 0: none */
    uint64_t delay_ns_max;      /**< each segment is late by up to this; 0: none */
    uint32_t reset_per_million; /**< chance of a reset per segment */
};

/** A pair of memory networks' "wire": connect() to any address bound with sw_memory_listen. */
struct sw_memory_wire;
SW_CHECKED int
sw_memory_wire_new(const struct sw_memory_trouble *trouble, struct sw_memory_wire **ret_wire);
void sw_memory_wire_free(struct sw_memory_wire *wire);
SW_CHECKED int
sw_memory_net_new(struct sw_memory_wire *wire, struct sw_core *core, struct sw_net **ret_net);

/** Accepts connections to addr: `accept` gets a handle for sw_net_adopt of that net. */
SW_CHECKED int sw_memory_listen(
    struct sw_memory_wire *wire,
    struct sw_net *net,
    const struct sw_addr *addr,
    void (*accept)(void *context, int handle, const struct sw_addr *peer),
    void *context
);

#endif
