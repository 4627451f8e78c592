/* What the files of the load-balancing exporter share.
 *
 *   topology.c  the backends that are known and their ring; control thread makes, cores read
 *   backend.c   one backend on one core
 *   router*.c   requests: cut, handed over, failed parts, what a leaving backend gives back
 *   split.c     a batch into one for each backend
 *   key.c       routing keys
 *   recent.c    which keys a backend was given lately
 */
#ifndef SW_BALANCE_BALANCE_INTERNAL_H
#define SW_BALANCE_BALANCE_INTERNAL_H

#include "dataplane/balance/loadbalancing_exporter.h"
#include "dataplane/balance/ring.h"
#include "dataplane/base/mailbox.h"
#include "dataplane/otlp/metric.h"
#include "dataplane/otlp/value_text.h"
#include "dataplane/pipeline/cells.h"
#include "dataplane/pipeline/discover.h"
#include "dataplane/pipeline/push.h"
#include "dataplane/send/channel.h"
#include "dataplane/send/otlp_exporter.h"
#include "storage/queue/sending_queue.h"

#include <stdatomic.h>
#include <sys/queue.h>

#define ROUTING_NAMES_MAX 64

struct router;
struct balance;

/* ---- topology.c ---- */

/** One backend, of all cores. Constant but for the count of references; freed by whoever drops the
 * last one. */
struct endpoint {
    _Atomic uint32_t refs_count;
    uint32_t number; /**< no other one of the exporter has had it */
    /** drain_aware: it has said that it will end then; 0: it has not. Cores write it, and
     * balance->drains_changes after it. */
    _Atomic uint64_t ends_ns;
    char *dial; /**< host:port */
    struct sw_otlp_calls *calls;
    struct sw_queue_pool *pool;
    struct sw_series *outcome[2]; /**< failed, delivered (or queued); NULL: nobody counts */
    struct sw_series *latency;
    char why[256]; /**< calls NULL: why there is no exporter */
};

/** The backends at one time. Constant; references as of an endpoint. */
struct topology {
    _Atomic uint32_t refs_count;
    bool known; /**< false: no answer yet, requests wait */
    unsigned count;
    const char **texts;  /**< as the resolver gave them, sorted: what the ring is made of */
    uint32_t *member_of; /**< of each text; several can mean the same address */
    unsigned members_count;
    struct endpoint **members; /**< by dial */
    struct sw_ring *ring;
    char digest[SW_RING_DIGEST_TEXT];
};

struct topology *sw_topology_ref(struct topology *topology);
void sw_topology_unref(struct topology *topology);
/** Its place among members, UINT32_MAX: it is not among them. */
uint32_t sw_topology_find(const struct topology *topology, const struct endpoint *endpoint);
struct endpoint *sw_endpoint_ref(struct endpoint *endpoint);
void sw_endpoint_unref(struct endpoint *endpoint);

/** Begins: the list of a static resolver, or nothing known and a name that is looked up. Control. */
SW_CHECKED int sw_topology_begin(struct balance *balance, const struct sw_stage_env *env);
void sw_topology_end(struct balance *balance);
/** There is another list of backends. Sorts texts. Control thread. */
SW_CHECKED int sw_topology_change(struct balance *balance, const char **texts, unsigned count);

/* ---- loadbalancing_exporter.c: what all cores share ---- */

/** How one core hears of another topology. */
struct link {
    struct sw_message message;
    struct balance *balance;
    void *owner; /**< a router, or peers of a core; set before the cores run */
    unsigned core;
    struct topology *topology; /**< on its way; a reference */
    bool out;                  /**< control: has not come back */
    bool stale;                /**< control: there is a newer one */
    /** The core had no memory for it and keeps the old one; whoever has the message. */
    bool failed;
};

struct balance {
    /** There is another topology; its reference is taken over. On a core.
     * @return 0 or SW_E_NOMEM: the old one stays in force */
    int (*apply)(void *owner, struct topology *topology);
    const char *path; /**< :path of the calls; NULL: that of the signal */
    bool quiet;       /**< nothing is counted in the Collector's metrics of this exporter */
    const struct sw_loadbalancing_exporter_conf *conf;
    const char *id;
    char *backend_id; /**< the type of the backends' exporters and this one's name */
    enum sw_signal signal;
    enum sw_routing_key key;
    enum sw_ring_generation generation;
    bool failover;         /**< to the next owner */
    struct recent *recent; /**< drain_aware; NULL: it is not, or it does not route by trace ID */
    _Atomic uint32_t drains_changes; /**< some endpoint's ends_ns has changed */
    uint32_t endpoints_made;         /**< control thread */
    bool hands_over;                 /**< backends own what they have taken: they have a queue */
    bool drain_retry;
    unsigned cores_count;
    struct sw_metrics *metrics;
    struct sw_resolver *resolver;
    struct sw_account *account;
    const char *(*environment)(const char *name);
    struct sw_queue_pool *pool;
    const char *resolver_name;
    struct sw_list names; /**< const char *: what routing_key attributes (or service) asks for */
    struct sw_discovery *discovery; /**< NULL: no name is looked up */
    struct sw_discovery_watch watch;
    struct topology *topology; /**< the newest; control thread */
    struct link *links;        /**< of each core */
    struct sw_cell *resolutions[2];
    struct sw_cell *backends;
    struct sw_cell *updates;
    struct sw_cell *left_out;
    struct sw_cell *ring_info; /**< of the ring in force */
};

/* ---- backend.c ---- */

/** A call that the backend's queue has begun. */
struct errand {
    struct sw_push_call call; /**< to the layers below */
    struct sw_push_call *outer;
    struct backend *backend;
    const struct sw_batch *batch; /**< as it was handed over: names the part */
    TAILQ_ENTRY(errand) link;
};

/** One backend on one core. Its push stands between its queue and its retry. */
struct backend {
    struct sw_push push;
    LIST_ENTRY(backend) link; /**< among those that leave */
    struct router *router;
    struct endpoint *endpoint;
    struct sw_push *retry;
    struct sw_push *channel;
    struct sw_stage *stage; /**< NULL: there is no exporter for it */
    TAILQ_HEAD(, errand) errands;
    uint32_t errands_count;
    struct errand *spare; /**< for the next call: what is owned must not be lost for want of it */
    bool leaving;         /**< no longer among the backends */
    bool refuses; /**< connections, as far as people were told; looked at with fail-over only */
    bool down;    /**< likewise, and its share goes to others: there are some */
    bool ending;  /**< as its endpoint says, when it was last looked at */
    struct sw_channel_watch watch;
    bool drained;
    struct sw_cell *outcome[2];
    struct sw_cell *latency;
};

SW_CHECKED int
sw_backend_new(struct router *router, struct endpoint *endpoint, struct backend **ret_backend);
/** Ends everything that is under way. NULL is legal. */
void sw_backend_free(struct backend *backend);
/** It is no longer among the backends: gives back what waits. */
void sw_backend_leave(struct backend *backend);
/** Gives back what it holds, although it stays: nobody answers there. */
void sw_backend_bounce(struct backend *backend);
/** Ends the part's call, wherever it is. @return false: it has not begun yet, or is among others */
bool sw_backend_cancel(struct backend *backend, const struct sw_batch *batch, int err);
/** There is no connection, none that ends its calls either, and no attempt at one has succeeded. */
bool sw_backend_refuses(const struct backend *backend);

/* ---- recent.c ---- */

/** Keys that a core remembers, over all backends (256 KiB). */
#define RECENT_KEYS 65536u

struct recent;

/** Control thread. @return 0 or SW_E_NOMEM */
SW_CHECKED int sw_recent_new(unsigned cores_count, struct recent **ret_recent);
/** Before the cores run. */
void sw_recent_seed(struct recent *recent, struct sw_rand *rand);
/** NULL is legal. */
void sw_recent_free(struct recent *recent);
uint64_t sw_recent_hash(const struct recent *recent, const void *key, size_t size);
/** The core itself only. @param backend  the endpoint's number */
void sw_recent_add(struct recent *recent, unsigned core, uint64_t hash, uint64_t backend);
/** Was the key given to the backend by any core, and is remembered? Any core. */
bool sw_recent_has(const struct recent *recent, uint64_t hash, uint64_t backend);

/* ---- key.c ---- */

/** A routing key in the making; its memory is kept. Zeroed at the start. */
struct key {
    uint8_t *data;
    size_t size;
    size_t capacity;
    bool failed; /**< out of memory */
    struct sw_value_text text;
};

void sw_key_fini(struct key *key);
void sw_key_clear(struct key *key);
void sw_key_put(struct key *key, const void *data, size_t size);
/** "name=value|"; value NULL: absent. */
void sw_key_put_named(struct key *key, const char *name, const struct sw_any *value);

/** 64-bit FNV-1a under way, over what identifies a resource or a stream. */
struct identity {
    uint64_t hash;
};
void sw_identity_begin(struct identity *identity);
void sw_identity_add(struct identity *identity, const void *data, size_t size);
/** The attributes of a message, as opentelemetry-collector-contrib's pdatautil.MapHash has them.
 * @return 0 or SW_E_NOMEM */
SW_CHECKED int sw_identity_add_attributes(
    struct identity *identity,
    struct key *scratch,
    struct sw_bytes message,
    uint32_t tag
);
/** prefix and the hash in hex as the key. */
void sw_key_set_identity(struct key *key, const char *prefix, const struct identity *identity);

/* ---- split.c ---- */

struct split;

/** Where a key goes: a backend's number below slots_count, or SPLIT_NOWHERE. */
#define SPLIT_NOWHERE UINT32_MAX
typedef uint32_t split_route_fn(void *context, const void *key, size_t size);

SW_CHECKED int
sw_split_new(const struct balance *balance, struct sw_core *core, struct split **ret_split);
void sw_split_free(struct split *split);

/** Cuts a batch, which stays as it is. Spans are not copied; of metrics that are cut between their
 * points the points are.
 *
 * @param slots_count  backends
 * @param ret_lost     items without the attribute that routes them: they go nowhere
 * @return 0; SW_E_NOMEM; SW_E_NOT_FOUND: a key had no backend. The parts are sw_split_take's
 */
SW_CHECKED int sw_split_batch(
    struct split *split,
    const struct sw_batch *batch,
    unsigned slots_count,
    split_route_fn *route,
    void *context,
    uint32_t *ret_lost
);
/** The next part and whose it is; NULL when all were taken. To be called until then, also after a failure. */
struct sw_batch *sw_split_take(struct split *split, unsigned *ret_slot);

/* ---- router*.c ---- */

SW_CHECKED int
sw_router_new(struct balance *balance, struct sw_core *core, struct router **ret_router);
struct sw_push *sw_router_push(struct router *router);
/** There is another topology; its reference is taken over (struct balance.apply).
 * @return 0 or SW_E_NOMEM: the old one stays in force */
SW_CHECKED int sw_router_apply(void *router, struct topology *topology);
/** A backend gives back what it did not deliver; batch is taken over. */
void sw_router_take_back(struct router *router, struct sw_batch *batch);
/** The backends' part of the drain. @return 0 or SW_E_AGAIN */
SW_CHECKED int sw_router_drain(struct router *router, uint64_t deadline_ns);
struct balance *sw_router_balance(const struct router *router);
/** Some backend has said that it will end. */
void sw_router_drains_changed(struct router *router);
/** A connection failed: the addresses may have changed. */
void sw_router_look_again(struct router *router);
/** Does this batch name a part that its request has given up, and that will be sent again by others? */
bool sw_router_gave_up(const struct router *router, const struct sw_batch *batch);

#endif
