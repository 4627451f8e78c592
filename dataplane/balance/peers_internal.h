/* What the files of gateway to gateway share: peers.c (one object for a pipeline), peers_stage.c (one core:
 * who owns what, and what is forwarded), peers_tell.c (decisions). */
#ifndef SW_BALANCE_PEERS_INTERNAL_H
#define SW_BALANCE_PEERS_INTERNAL_H

#include "dataplane/balance/balance_internal.h"
#include "dataplane/balance/peers.h"

struct gateway;

/** Why spans are processed here although another gateway owns them. */
enum local_reason {
    LOCAL_UNREACHABLE, /**< no connection, no answer in time */
    LOCAL_REFUSED,     /**< it answered, but not with OK */
    LOCAL_STRANGER,    /**< it does not know the service, or this pipeline */
    LOCAL_UNKNOWN,     /**< the gateways are not known */
    LOCAL_REASONS_COUNT,
};

struct sw_peers {
    const struct sw_peers_conf *conf;
    struct balance balance; /**< its topology is that of the gateways */
    struct sw_loadbalancing_exporter_conf lb_conf;
    struct sw_resolver_static_conf static_conf;
    struct sw_resolver_dns_conf dns_conf;
    struct sw_pair header; /**< names the pipeline */
    struct sw_decisions decisions;
    struct sw_peer_door door;
    struct gateway *cores[SW_CORES_MAX];
};

/** Is it this process? */
bool sw_peers_is_self(const struct sw_peers *peers, const char *dial);

/* ---- peers_stage.c ---- */

/** Another gateway, as one core knows it. */
struct peer_link {
    LIST_ENTRY(peer_link) link; /**< among those that have left the ring */
    struct gateway *gateway;
    struct endpoint *endpoint;
    struct sw_push *channel; /**< NULL: there is none for it */
    uint32_t calls_count;
    uint64_t avoided_until_ns; /**< it does not answer, or is a stranger */
    enum local_reason avoided_for;
    unsigned silences; /**< in a row */
    /* ---- peers_tell.c ---- */
    struct sw_buf *told; /**< decisions that wait; NULL: none */
    uint32_t told_count;
    struct tell_call *telling; /**< under way; NULL: none */
};

struct gateway_cells {
    struct sw_cell *forwarded;
    struct sw_cell *local[LOCAL_REASONS_COUNT];
    struct sw_cell *received;
    struct sw_cell *refused;
    struct sw_cell *connections;
    struct sw_cell *sent;
    struct sw_cell *unsent;
    struct sw_cell *taken[4];
};

/** This process on one core. */
struct gateway {
    struct sw_stage stage;
    struct sw_stage door; /**< where forwarded batches come in */
    struct sw_peers *peers;
    struct topology *topology;
    struct peer_link **links; /**< as the topology has them, each once; without this process */
    unsigned links_count;
    uint32_t *link_of; /**< of each member of the topology; links_count: this process */
    LIST_HEAD(, peer_link) leaving;
    struct split *split;
    TAILQ_HEAD(, sorted) admitted;    /**< in order */
    TAILQ_HEAD(, shipment) under_way; /**< sent */
    TAILQ_HEAD(, shipment) come_back; /**< not taken: to be processed here */
    uint64_t bytes_out;               /**< under way */
    struct sw_task back;              /**< works on come_back */
    struct sw_task sweep;             /**< frees who has left */
    struct sw_timer tell;
    struct sw_timer look; /**< counts connections */
    bool closing;
    struct gateway_cells cells;
};

/** There is another topology (struct balance.apply). @return 0 or SW_E_NOMEM */
SW_CHECKED int sw_gateway_apply(void *gateway, struct topology *topology);
/** The link of whoever owns the trace; NULL: this process, or nobody. */
struct peer_link *sw_gateway_owner(struct gateway *gateway, const uint8_t trace_id[16]);
/** Looks whether links can be freed; not from inside their channels. */
void sw_gateway_sweep(struct gateway *gateway);

/* ---- peers_tell.c ---- */

void sw_peers_tell_init(struct sw_peers *peers);
/** @return 0 or SW_E_NOMEM */
SW_CHECKED int sw_gateway_tell_init(struct gateway *gateway);
/** Sends what waits. */
void sw_gateway_tell_now(struct gateway *gateway);
/** Drops what waits and ends what is under way. */
void sw_gateway_tell_drop(struct peer_link *link);
/** Something waits or is under way. */
bool sw_gateway_tells(const struct gateway *gateway);

#endif
