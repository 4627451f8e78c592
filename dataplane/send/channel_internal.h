/* What the files of the gRPC channel share: channel.c (calls and where they go), connection.c (one
 * HTTP/2 connection), peer.c (one address: connecting, back-off), rpc.c (one call). */
#ifndef SW_SEND_CHANNEL_INTERNAL_H
#define SW_SEND_CHANNEL_INTERNAL_H

#include "dataplane/l4_stream/stream.h"
#include "dataplane/l7_http/codec.h"
#include "dataplane/l7_http/grpc.h"
#include "dataplane/l7_http/http2.h"
#include "dataplane/send/body.h"
#include "dataplane/send/channel.h"

#include <sys/queue.h>

#define CHANNEL_HEADERS_MAX 32
#define CHANNEL_TEXT_MAX    256
/** Index of :path. */
#define CHANNEL_PATH_HEADER 2
/** Largest response message, as grpc-go's default. */
#define CHANNEL_MESSAGE_MAX (4u << 20)
#define CHANNEL_SPARE_MAX   64

struct channel;
struct peer;

/** One HTTP/2 connection. */
struct connection {
    LIST_ENTRY(connection) leaving; /**< when it has no peer any more */
    struct channel *channel;
    struct peer *peer; /**< NULL after GOAWAY */
    struct sw_stream *stream;
    struct sw_h2 *h2;      /**< NULL until the stream is open */
    struct sw_timer timer; /**< time to get ready, then keepalive */
    uint64_t begun_ns;
    uint64_t heard_ns;
    bool ready;
    bool pinged;
    bool inside; /**< the session is at work: it must not be freed */
    bool lost;   /**< being freed */
    int doomed;  /**< to be closed with this as soon as the session rests; 0: no */
    int lost_errno;
};

/** One address. */
struct peer {
    struct channel *channel;
    struct sw_addr addr;
    struct connection *connection; /**< NULL: none, or waiting for the back-off */
    struct sw_timer back_off;
    double delay_ns; /**< of the next back-off */
    bool failing;    /**< the last attempt failed and none was ready since */
    bool gone;       /**< no longer among the addresses */
};

enum rpc_state {
    RPC_PACKING, /**< waits for its turn at the codec */
    RPC_WAITING, /**< for a connection, or for room on one */
    RPC_SENT,
};

/** One call, possibly the second time. */
struct rpc {
    TAILQ_ENTRY(rpc) queue; /**< packing or waiting */
    struct channel *channel;
    struct sw_push_call *call; /**< NULL: nobody waits for it, the stream is still being closed */
    struct connection *connection;
    struct sw_send_body body;
    struct sw_timer deadline;
    struct sw_grpc_reader reader;
    struct sw_buf *message; /**< grpc-message, decoded */
    struct sw_buf *details; /**< grpc-status-details-bin, decoded */
    const char *broken;     /**< why we gave the stream up, constant text; NULL: we did not */
    int broken_code;
    int32_t stream_id;
    int32_t grpc_status; /**< -1: none yet */
    unsigned http_status;
    enum rpc_state state;
    enum sw_coding answer_coding; /**< NONE also where we do not know it */
    bool foreign_type;            /**< content-type is not gRPC's */
    bool in_block;                /**< a block of headers has begun and is not complete */
    bool repeated;                /**< was refused once and sent again */
};

TAILQ_HEAD(rpc_queue, rpc);

struct channel {
    struct sw_push push;
    struct sw_channel_conf conf;
    struct sw_resolver *resolver;
    struct sw_account *account;
    struct sw_codec *codec; /**< NULL without compression until an answer needs it */
    struct sw_resolver_query query;
    bool asking;
    struct sw_timer resolve; /**< asks again */
    double resolve_delay_ns;
    uint64_t resolved_ns;
    struct peer *peers[SW_RESOLVER_ADDRS_MAX];
    unsigned peers_count;
    unsigned next_peer; /**< round robin; pick_first: the one in use */
    LIST_HEAD(, connection) leaving;
    struct rpc_queue packing;
    struct rpc_queue waiting;
    uint32_t waiting_count;
    uint32_t sent_count;
    struct sw_task pack;
    struct sw_task again; /**< waiting calls may find room now */
    TAILQ_HEAD(, rpc) spare;
    uint32_t spare_count;
    struct sw_h2_header headers[CHANNEL_HEADERS_MAX];
    unsigned headers_count; /**< without grpc-timeout */
    bool closed;
    struct sw_channel_watch *watch;    /**< NULL: nobody */
    char last_error[CHANNEL_TEXT_MAX]; /**< of the last connection that failed */
};

/* channel.c */
/** Waiting calls look for a connection at the end of this turn. */
void sw_channel_again(struct channel *channel);
/** A call without a connection: takes one, waits, or fails. */
void sw_channel_place(struct channel *channel, struct rpc *rpc);
/** Back-off of gRPC (connection-backoff.md): the delay now; *delay_ns grows. */
uint64_t sw_channel_back_off_ns(struct channel *channel, double *delay_ns);
/** A connection was lost or could not be made: the addresses may have changed. */
void sw_channel_ask_again(struct channel *channel);
/** All connections failed: calls that do not insist on a ready one fail. */
void sw_channel_failed(struct channel *channel);

/* peer.c */
int sw_peer_new(struct channel *channel, const struct sw_addr *addr, struct peer **ret_peer);
void sw_peer_connect(struct peer *peer);
void sw_peer_ready(struct peer *peer);
/** Its connection failed before or after it was ready. text: what people are told. */
void sw_peer_lost(struct peer *peer, bool was_ready, uint64_t lived_ns, const char *text);
/** Its connection said GOAWAY: a new one is made. */
void sw_peer_goaway(struct peer *peer, uint64_t lived_ns);
void sw_peer_free(struct peer *peer);
/** Its address is no longer wanted: calls on its connection may end, then it is closed. */
void sw_peer_retire(struct peer *peer);

/* connection.c */
int sw_connection_new(struct peer *peer);
void sw_connection_close(struct connection *connection, int err);
void sw_connection_flush(struct connection *connection);
/** Closes it as soon as that is possible. */
void sw_connection_doom(struct connection *connection, int err);
/** No new calls; those on the way may end, then it is closed. */
void sw_connection_leave(struct connection *connection);

/* rpc.c */
struct rpc *sw_rpc_new(struct channel *channel, struct sw_push_call *call);
void sw_rpc_free(struct rpc *rpc);
/** Makes its body, compressed if so configured. */
int sw_rpc_pack(struct rpc *rpc);
int sw_rpc_send(struct rpc *rpc, struct connection *connection);
/** Ends the call for its caller, whatever state it is in; outcome is taken over. */
void sw_rpc_abandon(struct rpc *rpc, struct sw_outcome *outcome);
void sw_rpc_header(struct rpc *rpc, struct sw_http_text name, struct sw_http_text value);
/* The block is complete: only now what stands in it holds. */
void sw_rpc_headers(struct rpc *rpc);
void sw_rpc_data(struct rpc *rpc, const uint8_t *data, size_t size);
void sw_rpc_end(struct rpc *rpc);
void sw_rpc_closed(struct rpc *rpc, uint32_t h2_code);

#endif
