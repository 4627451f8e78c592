/* Gateway to gateway (docs/peer-protocol.md): spans that arrive at a gateway which does not own their
 * trace are forwarded to the one that does, by the ring that the agents use. One hop at most, nothing
 * is queued: the sender hears OK when the owner has said so. What the owner does not take is processed
 * here.
 *
 *   receiver → stage (peers_stage.c) ┬ own traces ─────────────→ entry of the pipeline
 *                                    └ others' → channel ─ ─ ─ ─ → the owner's door → entry
 *
 * And decisions travel (peers_tell.c): who decides about a trace that another gateway owns now tells
 * it, so that late spans follow there.
 *
 * One object for each pipeline. */
#ifndef SW_BALANCE_PEERS_H
#define SW_BALANCE_PEERS_H

#include "dataplane/balance/ring.h"
#include "dataplane/base/field.h"
#include "dataplane/pipeline/decisions.h"
#include "dataplane/pipeline/peer_door.h"

/** An address of this process, as it may stand on the ring. */
struct sw_peers_self {
    const char *host; /**< IPv6 in brackets */
    uint16_t port;    /**< 0: any */
    bool domain;      /**< also hosts that begin with it and a dot */
};

struct sw_peers_conf {
    struct sw_list hostnames; /**< const char *, host[:port]; empty: dns */
    const char *dns_hostname; /**< NULL: hostnames */
    const char *dns_port;     /**< as it stands on the ring; "": none */
    int64_t dns_interval_ns;
    int64_t dns_timeout_ns;
    const struct sw_peers_self *self;
    unsigned self_count;
    enum sw_ring_generation generation;
    int64_t timeout_ns; /**< of a forwarded request */
};

struct sw_peers;

/** For the pipeline env->pipeline. Control thread, before the cores run.
 *
 * @param conf  lives as long as the object
 * @return 0, SW_E_NOMEM, SW_E_INVALID (env->error says why)
 */
SW_CHECKED int sw_peers_new(
    const struct sw_stage_env *env,
    const struct sw_peers_conf *conf,
    struct sw_peers **ret_peers
);
/** Its stages and those of the pipeline are freed. NULL is legal. */
void sw_peers_free(struct sw_peers *peers);

/** For the stages of the pipeline (sw_stage_env). */
struct sw_decisions *sw_peers_decisions(struct sw_peers *peers);

/** The stage of one core, in front of the pipeline's entry. */
SW_CHECKED int sw_peers_stage_new(
    struct sw_peers *peers,
    struct sw_core *core,
    struct sw_stage *entry,
    struct sw_stage **ret_stage
);

/** The other gateways that are known now. Control thread. */
void sw_peers_each(
    const struct sw_peers *peers,
    void (*visit)(void *context, const char *address),
    void *context
);

/** For the receivers. */
struct sw_peer_door *sw_peers_door(struct sw_peers *peers);

#endif
