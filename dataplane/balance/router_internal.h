/* What the files of the router share.
 *
 *   router.c          the backends on one core, which of them a key goes to, the push
 *   router_parts.c    requests: cut, handed over, put together again
 *   router_homeless.c what a leaving backend gives back, until another one takes it
 *   router_tell.c     what people and metrics hear
 *
 * Everything here belongs to one core. */
#ifndef SW_BALANCE_ROUTER_INTERNAL_H
#define SW_BALANCE_ROUTER_INTERNAL_H

#include "dataplane/balance/balance_internal.h"

/* What one backend has of a request. */
struct part {
    struct sw_ticket ticket;
    TAILQ_ENTRY(part) link;
    struct router *router;
    struct request *request; // NULL: nobody waits for it any more
    bool given_up;           // by its request, when it waited in the backend's queue
    struct backend *backend;
    struct sw_batch *batch; // ours until it is handed over; then it only names the part
    struct sw_batch *kept;  // the same bytes, for another attempt; NULL: the backend owns it
    struct sw_branch *branch;
    uint64_t begun_ns;
    uint32_t moves_count;
};

TAILQ_HEAD(part_list, part);

struct request {
    TAILQ_ENTRY(request) link; // under way, or parked
    struct router *router;
    struct sw_push_call *call;
    struct part_list parts; // handed over, not settled
    struct sw_branch *branch;
    struct sw_batch *failed; // what is to be sent again; NULL: nothing
    struct sw_outcome outcome;
    struct sw_timer deadline;
    bool parked;  // waits for the first answer of the resolver
    bool handing; // parts are being handed over: it does not end yet
    bool ending;  // what fails now is not sent elsewhere
};

TAILQ_HEAD(request_list, request);

struct router {
    struct sw_push push;
    struct balance *balance;
    struct topology *topology;
    struct backend **backends; // as the topology has them, each once
    unsigned backends_count;
    LIST_HEAD(, backend) leaving;
    struct split *split;
    struct request_list under_way;
    struct request_list parked;
    struct part_list given_up;
    struct sw_batch *homeless; // by batch->next
    struct sw_batch **homeless_end;
    uint32_t homeless_count;
    uint32_t homeless_left; // that are tried before it waits
    struct sw_timer homeless_timer;
    struct sw_task homeless_task;
    struct sw_timer look;
    bool any_down;
    bool any_ending;
    uint32_t drains_seen; // of balance->drains_changes
    bool stopping;
    bool closed;
    struct sw_cell *rerouted;
    int64_t rerouted_untold; // of the log
    struct sw_timer rerouted_timer;
    struct sw_cell *unroutable;
    struct sw_cell *ending; // core 0: all cores see the same
};

/* ---- router.c ---- */

/** A split_route_fn: the place of the owner's backend, or of who stands in for it. */
uint32_t sw_router_route(void *context, const void *key, size_t size);
/** With fail-over: who refuses connections now? */
void sw_router_look_at_backends(struct router *router);
/** drain_aware: who has said that he will end? */
void sw_router_look_at_ends(struct router *router);

/* ---- router_parts.c ---- */

/** push->ops->start and cancel. */
void sw_router_request_start(struct sw_push *push, struct sw_push_call *call);
void sw_router_request_cancel(struct sw_push *push, struct sw_push_call *call, int err);
/** There is a topology now: what waited for it begins. */
void sw_router_begin_parked(struct router *router);
/** Ends all requests. */
void sw_router_end_requests(struct router *router, int err);
/** Cuts a batch, which stays as it is, into parts that are not handed over yet.
 *
 * @param request  NULL: nobody waits for them
 * @return 0; SW_E_NOMEM; SW_E_NOT_FOUND: no backend; SW_E_PERMANENT: nothing of it can be routed */
SW_CHECKED int sw_router_cut(
    struct router *router,
    struct request *request,
    const struct sw_batch *batch,
    uint32_t moves_count,
    struct part_list *list
);
/** @return 0, or why the backend does not take it: part and batch stay the caller's */
SW_CHECKED int sw_router_hand_over(struct part *part, enum sw_admit mode);

/* ---- router_homeless.c ---- */

void sw_router_init_homeless(struct router *router);
/** Each of those that wait gets a try. */
void sw_router_try_homeless(struct router *router);
/** Ends them, as failures of a shutdown. */
void sw_router_lose_homeless(struct router *router);

/* ---- router_tell.c ---- */

/** The text of each is the endpoint, of the last why it has no exporter. */
enum router_notice {
    NOTICE_GONE,
    NOTICE_DOWN, /**< its share goes to others */
    NOTICE_BACK,
    NOTICE_ENDING, /**< drain_aware */
    NOTICE_BROKEN,
};

SW_CHECKED int sw_router_init_telling(struct router *router);
void sw_router_end_telling(struct router *router);
/** One line of the log, of core 0: all cores see the same. */
void sw_router_tell(struct router *router, enum router_notice notice, const char *text);
/** Likewise: the ring in force. */
void sw_router_tell_ring(struct router *router);
/** Items that a backend did not take and another one did: counted at once, and told as a number of a second. */
void sw_router_count_rerouted(struct router *router, uint32_t items_count);
/** What is not told yet. */
void sw_router_tell_rerouted(struct router *router);

#endif
