/* The backends on one core: opened and let go as the topology says, and which of them a key goes to. */
#include "dataplane/balance/router_internal.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"

// How often backends that leave, or that refuse connections, are looked at.
#define LOOK_WAIT_NS (50 * SW_NS_PER_MS)
// So long after its announced end a backend that has a connection has not ended, or is back.
#define ENDED_NS SW_NS_PER_S
// How often it is looked whether connections fail, so that names are looked up again.
#define NAMES_WAIT_NS (250 * SW_NS_PER_MS)

struct balance *sw_router_balance(const struct router *router)
{
    return router->balance;
}

struct sw_push *sw_router_push(struct router *router)
{
    return &router->push;
}

void sw_router_look_again(struct router *router)
{
    if (router->balance->discovery != NULL) {
        atomic_store_explicit(&router->balance->watch.wanted, true, memory_order_relaxed);
    }
}

/* ---- where a key goes ---- */

/* A key that looks for its backend. */
struct seeker {
    const struct router *router;
    uint64_t hash;  // of recent.c
    bool any_known; // also a backend that will end, whether it knows the key or not
};

static bool is_usable(void *context, unsigned endpoint)
{
    const struct seeker *seeker = context;
    const struct router *router = seeker->router;
    const struct backend *backend = router->backends[router->topology->member_of[endpoint]];
    if (backend->down && router->any_down) {
        return false;
    }
    return !backend->ending || seeker->any_known
           || sw_recent_has(router->balance->recent, seeker->hash, backend->endpoint->number);
}

// The owner, or who stands in for it.
static unsigned choose(const struct router *router, uint32_t position, uint64_t hash)
{
    const struct sw_ring *ring = router->topology->ring;
    struct seeker seeker = {.router = router, .hash = hash};
    unsigned owner = sw_ring_owner(ring, position);
    if (is_usable(&seeker, owner)) {
        return owner;
    }
    owner = sw_ring_owner_among(ring, position, is_usable, &seeker);
    if (!is_usable(&seeker, owner)) {
        seeker.any_known = true; // all of those that are there will end
        owner = sw_ring_owner_among(ring, position, is_usable, &seeker);
    }
    return owner;
}

uint32_t sw_router_route(void *context, const void *key, size_t size)
{
    struct router *router = context;
    const struct sw_ring *ring = router->topology->ring;
    if (ring->owners == NULL) {
        return SPLIT_NOWHERE;
    }
    uint32_t position = sw_ring_position(ring, key, size);
    struct recent *recent = router->balance->recent;
    uint64_t hash = recent != NULL ? sw_recent_hash(recent, key, size) : 0;
    unsigned owner = router->any_down || router->any_ending ? choose(router, position, hash)
                                                            : sw_ring_owner(ring, position);
    uint32_t slot = router->topology->member_of[owner];
    if (recent != NULL) {
        sw_recent_add(
            recent, router->push.core->index, hash, router->backends[slot]->endpoint->number
        );
    }
    return slot;
}

void sw_router_look_at_backends(struct router *router)
{
    unsigned down_count = 0;
    for (unsigned i = 0; router->balance->failover && i < router->backends_count; i++) {
        struct backend *backend = router->backends[i];
        backend->down = sw_backend_refuses(backend);
        down_count += backend->down;
        if (backend->refuses != backend->down) {
            backend->refuses = backend->down;
            sw_router_tell(
                router, backend->down ? NOTICE_DOWN : NOTICE_BACK, backend->endpoint->dial
            );
        }
    }
    // Where nobody is left each waits for its own.
    bool nobody = down_count == router->backends_count;
    router->any_down = down_count > 0 && !nobody;
    for (unsigned i = 0; down_count > 0 && nobody && i < router->backends_count; i++) {
        router->backends[i]->down = false;
    }
}

void sw_router_look_at_ends(struct router *router)
{
    struct balance *balance = router->balance;
    uint32_t changes = atomic_load_explicit(&balance->drains_changes, memory_order_acquire);
    if (changes == router->drains_seen) {
        return;
    }
    unsigned count = 0;
    router->drains_seen = changes;
    for (unsigned i = 0; i < router->backends_count; i++) {
        struct backend *backend = router->backends[i];
        bool was = backend->ending;
        backend->ending =
            atomic_load_explicit(&backend->endpoint->ends_ns, memory_order_relaxed) != 0;
        count += backend->ending;
        if (backend->ending != was) {
            sw_router_tell(router, was ? NOTICE_BACK : NOTICE_ENDING, backend->endpoint->dial);
        }
    }
    router->any_ending = count > 0;
    if (router->ending != NULL) {
        sw_cell_set(router->ending, count);
    }
}

// One whose time has passed and who answers all the same has been started anew.
static void forget_ends(struct router *router, uint64_t now_ns)
{
    for (unsigned i = 0; router->any_ending && i < router->backends_count; i++) {
        struct backend *backend = router->backends[i];
        uint64_t ends_ns = atomic_load_explicit(&backend->endpoint->ends_ns, memory_order_relaxed);
        struct sw_channel_state state;
        if (ends_ns == 0 || now_ns < ends_ns + ENDED_NS || backend->channel == NULL) {
            continue;
        }
        sw_channel_state(backend->channel, &state);
        if (state.connections_ready > 0) {
            atomic_store_explicit(&backend->endpoint->ends_ns, 0, memory_order_relaxed);
            sw_router_drains_changed(router);
        }
    }
}

static void bounce_backends(struct router *router)
{
    for (unsigned i = 0; router->any_down && i < router->backends_count; i++) {
        if (router->backends[i]->down) {
            sw_backend_bounce(router->backends[i]);
        }
    }
}

/* ---- the topology ---- */

// Of those that the topology in force has.
static struct backend *find_backend(const struct router *router, const struct endpoint *endpoint)
{
    uint32_t place =
        router->topology != NULL ? sw_topology_find(router->topology, endpoint) : UINT32_MAX;
    return place < router->backends_count ? router->backends[place] : NULL;
}

static void look_soon(struct router *router)
{
    struct sw_core *core = router->push.core;
    bool soon = router->balance->failover || router->any_ending || !LIST_EMPTY(&router->leaving);
    if ((soon || router->balance->discovery != NULL) && !router->look.armed) {
        uint64_t wait_ns = soon ? LOOK_WAIT_NS : NAMES_WAIT_NS;
        sw_timer_set(&core->timers, &router->look, core->now_ns + wait_ns);
    }
}

// Calls are repeated for minutes before they fail: a connection that fails tells sooner.
static void look_at_connections(struct router *router)
{
    for (unsigned i = 0; router->balance->discovery != NULL && i < router->backends_count; i++) {
        const struct backend *backend = router->backends[i];
        if (backend->channel != NULL && sw_backend_refuses(backend)) {
            sw_router_look_again(router);
            return;
        }
    }
}

// The release pairs with the acquire of look_at_ends: who sees the count sees the time too.
void sw_router_drains_changed(struct router *router)
{
    atomic_fetch_add_explicit(&router->balance->drains_changes, 1, memory_order_release);
    sw_router_look_at_ends(router);
    look_soon(router);
}

static void on_look(struct sw_timer *timer, uint64_t now_ns)
{
    struct router *router = SW_CONTAINER_OF(timer, struct router, look);
    struct backend *backend = LIST_FIRST(&router->leaving);
    while (backend != NULL) {
        struct backend *next = LIST_NEXT(backend, link);
        if (backend->drained
            || backend->stage->ops->drain(backend->stage, SW_TIME_NEVER) == SW_OK) {
            LIST_REMOVE(backend, link);
            sw_backend_free(backend);
        }
        backend = next;
    }
    sw_router_look_at_backends(router);
    bounce_backends(router);
    sw_router_look_at_ends(router);
    forget_ends(router, now_ns);
    look_at_connections(router);
    look_soon(router);
}

static int
open_backend(struct router *router, struct endpoint *endpoint, struct backend **ret_backend)
{
    int err = sw_backend_new(router, endpoint, ret_backend);
    if (err != SW_OK) {
        return err;
    }
    struct sw_stage *stage = (*ret_backend)->stage;
    if (stage == NULL) {
        sw_router_tell(router, NOTICE_BROKEN, endpoint->why);
        return SW_OK;
    }
    err = stage->ops->start(stage);
    if (err != SW_OK) {
        sw_backend_free(*ret_backend);
    }
    return err;
}

static void drop_team(struct router *router, struct backend **team, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (find_backend(router, team[i]->endpoint) == NULL) {
            sw_backend_free(team[i]);
        }
    }
    sw_free(team);
}

// A backend for each member. Those that stay keep their queues and connections.
static int
make_team(struct router *router, const struct topology *topology, struct backend ***ret_team)
{
    struct backend **team = sw_zalloc(topology->members_count * sizeof(struct backend *));
    int err = team != NULL ? SW_OK : SW_E_NOMEM;
    unsigned count = 0;
    while (err == SW_OK && count < topology->members_count) {
        struct endpoint *endpoint = topology->members[count];
        struct backend *backend = find_backend(router, endpoint);
        if (backend == NULL) {
            err = open_backend(router, endpoint, &backend);
        }
        if (err == SW_OK) {
            team[count++] = backend;
        }
    }
    if (err != SW_OK) {
        drop_team(router, team, count);
        return err;
    }
    *ret_team = team;
    return SW_OK;
}

static void let_go(struct router *router, struct backend **old, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (find_backend(router, old[i]->endpoint) == NULL) {
            LIST_INSERT_HEAD(&router->leaving, old[i], link);
            sw_router_tell(router, NOTICE_GONE, old[i]->endpoint->dial);
            sw_backend_leave(old[i]);
        }
    }
}

int sw_router_apply(void *owner, struct topology *topology)
{
    struct router *router = owner;
    struct backend **team = NULL;
    struct backend **old = router->backends;
    unsigned old_count = router->backends_count;
    int err = router->closed ? SW_OK : make_team(router, topology, &team);
    if (router->closed || err != SW_OK) {
        sw_topology_unref(topology);
        return err;
    }
    sw_topology_unref(router->topology);
    router->topology = topology;
    router->backends = team;
    router->backends_count = topology->members_count;
    sw_router_tell_ring(router);
    let_go(router, old, old_count);
    sw_free(old);
    sw_router_look_at_backends(router);
    router->drains_seen--; // other backends: all of them are looked at
    sw_router_look_at_ends(router);
    if (topology->known) {
        sw_router_begin_parked(router);
    }
    sw_router_try_homeless(router);
    look_soon(router);
    return SW_OK;
}

/* ---- the push ---- */

static int router_open(struct sw_push *push)
{
    struct router *router = (struct router *)push;
    struct topology *first = router->topology;
    router->topology = NULL;
    return sw_router_apply(router, first);
}

// Without queues the backends' repetitions are those of our requests.
static void router_stop(struct sw_push *push, bool keep_retrying)
{
    struct router *router = (struct router *)push;
    router->stopping = !keep_retrying;
    for (unsigned i = 0; !router->balance->hands_over && i < router->backends_count; i++) {
        struct backend *backend = router->backends[i];
        if (backend->stage != NULL) {
            sw_push_stop(&backend->push, keep_retrying);
        }
    }
}

// The backends are closed by the drain, when they have delivered what they own.
static void router_close(struct sw_push *push) {}

int sw_router_drain(struct router *router, uint64_t deadline_ns)
{
    struct sw_core *core = router->push.core;
    struct backend *backend;
    bool over = core->now_ns >= deadline_ns;
    bool waits = false;
    if (over) {
        router->closed = true;
        sw_router_lose_homeless(router);
    } else if (router->homeless != NULL) {
        // What looks for a backend needs one that still takes something in.
        sw_router_look_at_backends(router);
        sw_router_try_homeless(router);
        waits = true;
    }
    LIST_FOREACH(backend, &router->leaving, link)
    {
        if (!backend->drained) {
            backend->drained = backend->stage->ops->drain(backend->stage, deadline_ns) == SW_OK;
            waits = waits || !backend->drained;
        }
    }
    // All at once: one that is slow does not take the others' time.
    bool begun = !waits;
    for (unsigned i = 0; begun && i < router->backends_count; i++) {
        struct sw_stage *stage = router->backends[i]->stage;
        if (stage != NULL && stage->ops->drain(stage, deadline_ns) != SW_OK) {
            waits = true;
        }
    }
    if (waits && !over) {
        return SW_E_AGAIN;
    }
    sw_router_tell_rerouted(router); // nobody reads events when the cores have stopped
    return SW_OK;
}

static void router_free(struct sw_push *push)
{
    struct router *router = (struct router *)push;
    struct sw_core *core = push->core;
    router->closed = true;
    sw_router_end_requests(router, SW_E_SHUTDOWN);
    for (unsigned i = 0; i < router->backends_count; i++) {
        sw_backend_free(router->backends[i]);
    }
    struct backend *backend;
    while ((backend = LIST_FIRST(&router->leaving)) != NULL) {
        LIST_REMOVE(backend, link);
        sw_backend_free(backend);
    }
    sw_router_lose_homeless(router);
    sw_timer_cancel(&core->timers, &router->homeless_timer);
    sw_timer_cancel(&core->timers, &router->look);
    sw_core_task_cancel(core, &router->homeless_task);
    sw_router_end_telling(router);
    sw_split_free(router->split);
    sw_topology_unref(router->topology);
    sw_free(router->backends);
    sw_free(router);
}

static const struct sw_push_ops router_ops = {
    .open = router_open,
    .start = sw_router_request_start,
    .cancel = sw_router_request_cancel,
    .stop = router_stop,
    .close = router_close,
    .free = router_free,
};

int sw_router_new(struct balance *balance, struct sw_core *core, struct router **ret_router)
{
    struct router *router = sw_zalloc(sizeof(*router));
    if (router == NULL) {
        return SW_E_NOMEM;
    }
    router->push = (struct sw_push){.ops = &router_ops, .core = core};
    router->balance = balance;
    router->topology = sw_topology_ref(balance->topology);
    TAILQ_INIT(&router->under_way);
    TAILQ_INIT(&router->parked);
    TAILQ_INIT(&router->given_up);
    LIST_INIT(&router->leaving);
    sw_router_init_homeless(router);
    sw_timer_init(&router->look, on_look);
    int err = sw_router_init_telling(router);
    if (err == SW_OK) {
        err = sw_split_new(balance, core, &router->split);
    }
    if (err != SW_OK) {
        router_free(&router->push);
        return err;
    }
    balance->links[core->index].owner = router;
    *ret_router = router;
    return SW_OK;
}
