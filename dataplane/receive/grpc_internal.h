/* What the files of the gRPC endpoint share: the connection, and how long it lives (grpc_keepalive.c). */
#ifndef SW_RECEIVE_GRPC_INTERNAL_H
#define SW_RECEIVE_GRPC_INTERNAL_H

#include "dataplane/receive/receive_internal.h"

/** Points in time are the core's; SW_TIME_NEVER: not to come. */
struct grpc_life {
    uint64_t read_ns; /**< last bytes from the peer */
    uint64_t idle_ns; /**< since when no stream is open; NEVER: some is */
    uint64_t age_ns;  /**< told to go, later: closed whatever runs */
    uint64_t look_ns; /**< next look at read_ns */
    uint64_t seen_ns; /**< what read_ns was at the last one */
    uint64_t left_ns; /**< for the answer to a PING */
    bool aged;
    bool pinged; /**< a PING is out */
};

struct grpc_conn {
    struct receive_conn conn;
    struct sw_h2 *h2;
    bool settings_seen;
    struct grpc_life life;
};

static inline struct grpc_conn *grpc_of(struct receive_conn *conn)
{
    return (struct grpc_conn *)conn;
}

/** A connection begins. */
void sw_receive_grpc_life_begin(struct grpc_conn *grpc);

/** Its last stream has ended. */
void sw_receive_grpc_idle(struct grpc_conn *grpc);

/** `due` of the connection's ops. */
void sw_receive_grpc_due(struct receive_conn *conn, uint64_t now_ns);

#endif
