/* Requests on their way to several backends: cut, handed over, put together again.
 *
 * A request is a call of the layers above. Each part of it that fails is kept until all parts are settled;
 * then the call ends with what failed, and only that is repeated. Parts that backends own (they have a
 * queue) are settled as soon as they wait there; what such a backend gives back later is homeless
 * and looks for another one by the ring of that time. */
#include "dataplane/balance/balance_internal.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/event.h"
#include "dataplane/base/mem.h"

#include <stdio.h>
#include <string.h>

// How soon homeless parts are tried again while nobody has room.
#define HOMELESS_WAIT_NS (200 * SW_NS_PER_MS)
// How often backends that leave, or that refuse connections, are looked at.
#define LOOK_WAIT_NS (50 * SW_NS_PER_MS)
// So long after its announced end a backend that has a connection has not ended, or is back.
#define ENDED_NS SW_NS_PER_S
// How often it is looked whether connections fail, so that names are looked up again.
#define NAMES_WAIT_NS (250 * SW_NS_PER_MS)
// In one request a part changes its backend at most so often.
#define MOVES_MAX 8u

static const struct sw_metric_family rerouted_families[SW_SIGNALS_COUNT] = {
    {
        .name = "spanweir_loadbalancer_rerouted_spans",
        .help = "Spans that a backend did not take and that went to another one",
        .unit = "{spans}",
        .type = SW_COUNTER,
        .level = SW_LEVEL_BASIC,
    },
    {
        .name = "spanweir_loadbalancer_rerouted_metric_points",
        .help = "Metric points that a backend did not take and that went to another one",
        .unit = "{datapoints}",
        .type = SW_COUNTER,
        .level = SW_LEVEL_BASIC,
    },
    {
        .name = "spanweir_loadbalancer_rerouted_log_records",
        .help = "Log records that a backend did not take and that went to another one",
        .unit = "{records}",
        .type = SW_COUNTER,
        .level = SW_LEVEL_BASIC,
    },
};
static const struct sw_metric_family unroutable_family = {
    .name = "spanweir_loadbalancer_unroutable_metric_points",
    .help = "Metric points of resources without service.name, which the Collector drops in silence",
    .unit = "{datapoints}",
    .type = SW_COUNTER,
    .level = SW_LEVEL_BASIC,
};

static const struct sw_metric_family ending_family = {
    .name = "spanweir_loadbalancer_backends_ending",
    .help = "Backends that have said that they will end: they get no new traces (drain_aware)",
    .unit = "{backends}",
    .type = SW_GAUGE,
    .level = SW_LEVEL_BASIC,
};

static const struct sw_event_kind gone = {
    .level = SW_EVENT_WARN,
    .message = "A backend has left, what it did not deliver is sent to the others",
    .component_kind = "exporter",
    .text_key = "endpoint",
};
static const struct sw_event_kind down = {
    .level = SW_EVENT_WARN,
    .message = "A backend refuses connections, its share goes to the next owners",
    .component_kind = "exporter",
    .text_key = "endpoint",
};
static const struct sw_event_kind back = {
    .level = SW_EVENT_INFO,
    .message = "A backend is back and gets its share again",
    .component_kind = "exporter",
    .text_key = "endpoint",
};
static const struct sw_event_kind ending = {
    .level = SW_EVENT_INFO,
    .message = "A backend will end, new traces go to the next owners",
    .component_kind = "exporter",
    .text_key = "endpoint",
};
static const struct sw_event_kind ring_in_force = {
    .level = SW_EVENT_INFO,
    .message = "The ring of backends has changed",
    .component_kind = "exporter",
    .count_key = "backends",
    .text_key = "digest",
};
static const struct sw_event_kind broken = {
    .level = SW_EVENT_ERROR,
    .message = "A backend has no exporter, its share fails",
    .component_kind = "exporter",
    .text_key = "error",
};

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
    struct sw_cell *unroutable;
    struct sw_cell *ending; // core 0: all cores see the same
};

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

static void tell(struct router *router, const struct sw_event_kind *kind, const char *text)
{
    struct sw_core *core = router->push.core;
    if (core->index != 0) {
        return; // all cores see the same
    }
    sw_event_leave(
        core->events,
        kind,
        router->balance->id,
        sw_signal_name(router->balance->signal),
        core->wall_ns,
        0,
        text,
        (uint32_t)strlen(text)
    );
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

static uint32_t route(void *context, const void *key, size_t size)
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

// With fail-over: who refuses connections now? Those who do give back what they hold.
static void look_at_backends(struct router *router)
{
    unsigned down_count = 0;
    for (unsigned i = 0; router->balance->failover && i < router->backends_count; i++) {
        struct backend *backend = router->backends[i];
        backend->down = sw_backend_refuses(backend);
        down_count += backend->down;
        if (backend->refuses != backend->down) {
            backend->refuses = backend->down;
            tell(router, backend->down ? &down : &back, backend->endpoint->dial);
        }
    }
    // Where nobody is left each waits for its own.
    bool nobody = down_count == router->backends_count;
    router->any_down = down_count > 0 && !nobody;
    for (unsigned i = 0; down_count > 0 && nobody && i < router->backends_count; i++) {
        router->backends[i]->down = false;
    }
}

// drain_aware: who has said that he will end?
static void look_at_ends(struct router *router)
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
            tell(router, was ? &back : &ending, backend->endpoint->dial);
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

/* ---- requests ---- */

static void note_failure(struct request *request, struct sw_outcome *outcome)
{
    struct sw_outcome *now = &request->outcome;
    // As the Collector joins errors: a permanent one makes all of it permanent.
    bool better = now->err == SW_OK || (!now->permanent && outcome->permanent)
                  || (now->grpc_code == 0 && outcome->grpc_code != 0);
    if (better) {
        sw_outcome_fini(now);
        *now = *outcome;
    } else {
        sw_outcome_fini(outcome);
    }
}

static void keep_failed(struct request *request, struct sw_batch *batch)
{
    if (request->failed == NULL) {
        request->failed = batch;
    } else if (sw_batch_merge(request->failed, batch) != SW_OK) {
        // It cannot be sent again, so it ends here.
        sw_branch_move(
            request->branch, SW_BRANCH_QUEUED, SW_BRANCH_FAILED_MEMORY, batch->items_count
        );
        sw_batch_free(batch);
        struct sw_outcome outcome = {.err = SW_E_NOMEM, .permanent = true};
        note_failure(request, &outcome);
    }
}

static void finish(struct request *request)
{
    struct router *router = request->router;
    struct sw_push_call *call = request->call;
    struct sw_outcome outcome = request->outcome;
    sw_timer_cancel(&router->push.core->timers, &request->deadline);
    TAILQ_REMOVE(request->parked ? &router->parked : &router->under_way, request, link);
    if (outcome.err != SW_OK) {
        if (request->failed != NULL) {
            sw_batch_free(call->batch);
            call->batch = request->failed;
            call->batch->branch = request->branch;
        } else {
            outcome.permanent =
                true; // all that failed is counted already: nothing is left to repeat
        }
    }
    sw_free(request);
    call->done(call, &outcome);
}

static void finish_if_settled(struct request *request)
{
    if (!request->handing && TAILQ_EMPTY(&request->parts)) {
        finish(request);
    }
}

/* ---- parts ---- */

static void forget_part(struct part *part)
{
    if (part->given_up) {
        TAILQ_REMOVE(&part->router->given_up, part, link);
    } else if (part->request != NULL) {
        TAILQ_REMOVE(&part->request->parts, part, link);
    }
    sw_batch_free(part->kept);
    sw_free(part);
}

static bool moves_on(const struct part *part, const struct sw_outcome *outcome)
{
    const struct router *router = part->router;
    bool elsewhere = part->backend->leaving || (part->backend->down && router->any_down);
    return elsewhere && !outcome->permanent && !router->stopping && !part->request->ending
           && part->moves_count < MOVES_MAX;
}

static int cut_and_hand_over(
    struct router *router,
    struct request *request,
    const struct sw_batch *batch,
    uint32_t moves_count
);

static void part_failed(struct part *part, struct sw_outcome *outcome)
{
    struct request *request = part->request;
    struct router *router = part->router;
    struct sw_batch *kept = part->kept;
    part->kept = NULL;
    if (kept != NULL) {
        kept->branch = part->branch;
    }
    if (kept != NULL && moves_on(part, outcome)) {
        uint32_t moves_count = part->moves_count + 1;
        uint32_t items_count = kept->items_count;
        forget_part(part);
        bool handing = request->handing;
        request->handing = true;
        if (cut_and_hand_over(router, request, kept, moves_count) == SW_OK) {
            sw_count(router->rerouted, items_count);
            sw_outcome_fini(outcome);
            sw_batch_free(kept);
        } else {
            note_failure(request, outcome);
            keep_failed(request, kept);
        }
        request->handing = handing;
        return;
    }
    forget_part(part);
    note_failure(request, outcome);
    if (kept != NULL) {
        keep_failed(request, kept);
    }
}

static void part_settled(struct sw_ticket *ticket)
{
    struct part *part = SW_CONTAINER_OF(ticket, struct part, ticket);
    struct request *request = part->request;
    struct sw_outcome outcome = ticket->outcome;
    struct backend *backend = part->backend;
    uint64_t now_ns = part->router->push.core->now_ns;
    bool ok = outcome.err == SW_OK;
    sw_count(backend->outcome[ok], 1);
    sw_measure(backend->latency, (double)(now_ns - part->begun_ns) / (double)SW_NS_PER_MS);
    if (ok && part->kept != NULL && request != NULL) {
        sw_branch_move(
            part->branch, SW_BRANCH_QUEUED, SW_BRANCH_DELIVERED, part->kept->items_count
        );
    }
    if (ok || request == NULL) {
        forget_part(part);
        sw_outcome_fini(&outcome);
    } else {
        part_failed(part, &outcome);
    }
    if (request != NULL) {
        finish_if_settled(request);
    }
}

// A part that will have to wait gets bytes of its own, so that it pins nobody's buffers.
static void own_bytes(struct part *part)
{
    const struct balance *balance = part->router->balance;
    const struct sw_sending_queue_conf *queue = &balance->conf->protocol.otlp.sending_queue;
    struct sw_batch *batch = part->batch;
    int64_t consumers = SW_MAX(queue->num_consumers / balance->cores_count, 1);
    if (!queue->enabled || part->backend->errands_count < consumers
        || batch->bytes * 8 >= sw_batch_pinned_bytes(batch) * 7 || batch->bytes > UINT32_MAX) {
        return;
    }
    struct sw_batch *own = sw_batch_detach(batch, balance->account);
    if (own != NULL) { // else it goes on pinning
        sw_batch_free(batch);
        part->batch = own;
    }
}

/* @return 0, or why the backend does not take it: part and batch stay the caller's */
static int hand_over(struct part *part, enum sw_admit mode)
{
    struct router *router = part->router;
    struct sw_stage *stage = part->backend->stage;
    bool owns = router->balance->hands_over;
    if (stage == NULL) {
        return SW_E_CLOSED;
    }
    part->kept = owns ? NULL : sw_batch_share(part->batch);
    if (!owns && part->kept == NULL) {
        return SW_E_NOMEM;
    }
    int err = sw_stage_admit(stage, part->batch, mode);
    if (err != SW_OK) {
        return err;
    }
    sw_ticket_init(&part->ticket, part_settled);
    part->branch = part->batch->branch;
    part->begun_ns = router->push.core->now_ns;
    if (!owns) {
        part->batch->branch = NULL; // its books are the request's
    }
    own_bytes(part);
    if (part->request != NULL) {
        TAILQ_INSERT_TAIL(&part->request->parts, part, link);
    }
    sw_stage_consume(stage, part->batch, &part->ticket);
    return SW_OK;
}

// A part that its backend does not take.
static void refuse_part(struct part *part, int err)
{
    struct backend *backend = part->backend;
    struct sw_outcome outcome = {.err = err};
    sw_count(backend->outcome[0], 1);
    sw_measure(backend->latency, 0);
    if (backend->stage == NULL) {
        const char *why = backend->endpoint->why;
        outcome.text = sw_buf_copy(NULL, why, (uint32_t)strlen(why));
    }
    note_failure(part->request, &outcome);
    keep_failed(part->request, part->batch);
    sw_batch_free(part->kept);
    sw_free(part);
}

/* Cuts a batch, which stays as it is, into parts that are not handed over yet.
 * @return 0; SW_E_NOMEM, SW_E_NOT_FOUND (no backend), SW_E_PERMANENT (nothing of it can be routed) */
static int
cut(struct router *router,
    struct request *request,
    const struct sw_batch *batch,
    uint32_t moves_count,
    struct part_list *list)
{
    struct sw_batch *piece;
    unsigned slot;
    uint32_t lost = 0;
    look_at_ends(router);
    int err = sw_split_batch(router->split, batch, router->backends_count, route, router, &lost);
    while ((piece = sw_split_take(router->split, &slot)) != NULL) {
        struct part *part = err == SW_OK ? sw_zalloc(sizeof(*part)) : NULL;
        if (part == NULL) {
            err = err != SW_OK ? err : SW_E_NOMEM;
            sw_batch_free(piece);
            continue;
        }
        part->router = router;
        part->request = request;
        part->backend = router->backends[slot];
        part->batch = piece;
        part->moves_count = moves_count;
        TAILQ_INSERT_TAIL(list, part, link);
    }
    if (err == SW_OK && lost > 0) {
        sw_count(router->unroutable, lost);
        err = TAILQ_EMPTY(list) ? SW_E_PERMANENT : SW_OK;
    }
    if (err == SW_OK && lost > 0) {
        sw_branch_move(batch->branch, SW_BRANCH_QUEUED, SW_BRANCH_FAILED_PERMANENT, lost);
    }
    struct part *part;
    while (err != SW_OK && (part = TAILQ_FIRST(list)) != NULL) {
        TAILQ_REMOVE(list, part, link);
        sw_batch_free(part->batch);
        sw_free(part);
    }
    return err;
}

/* Nothing is handed over on failure, which is as of cut. */
static int cut_and_hand_over(
    struct router *router,
    struct request *request,
    const struct sw_batch *batch,
    uint32_t moves_count
)
{
    struct part_list list = TAILQ_HEAD_INITIALIZER(list);
    struct part *part;
    int err = cut(router, request, batch, moves_count, &list);
    while (err == SW_OK && (part = TAILQ_FIRST(&list)) != NULL) {
        TAILQ_REMOVE(&list, part, link);
        int refused = hand_over(part, SW_ADMIT_ALL);
        if (refused != SW_OK) {
            refuse_part(part, refused);
        }
    }
    return err;
}

/* ---- the beginning of a request ---- */

static void fail_request(struct request *request, int err)
{
    static const char text[] = "couldn't find the exporter for the endpoint \"\"";
    request->outcome = (struct sw_outcome){.err = err, .permanent = err == SW_E_PERMANENT};
    if (err == SW_E_NOT_FOUND) {
        request->outcome.err = SW_E_CLOSED;
        request->outcome.text = sw_buf_copy(NULL, text, sizeof(text) - 1);
    }
    struct router *router = request->router;
    struct sw_push_call *call = request->call;
    struct sw_outcome outcome = request->outcome;
    call->batch->branch = request->branch;
    sw_timer_cancel(&router->push.core->timers, &request->deadline);
    TAILQ_REMOVE(request->parked ? &router->parked : &router->under_way, request, link);
    sw_free(request);
    call->done(call, &outcome);
}

static void begin(struct request *request)
{
    struct router *router = request->router;
    struct sw_batch *batch = request->call->batch;
    look_at_backends(router);
    request->handing = true;
    int err = cut_and_hand_over(router, request, batch, 0);
    if (err != SW_OK) {
        fail_request(request, err);
        return;
    }
    batch->branch = NULL; // its books go with the parts
    request->handing = false;
    finish_if_settled(request);
}

/* A part that waits in its backend's queue. What the backend owns nobody hears of any more; another one fails
 * when its turn comes, for it is sent again by others. */
static void give_up(struct part *part, int err)
{
    struct router *router = part->router;
    struct request *request = part->request;
    struct sw_outcome outcome = {.err = err};
    struct sw_batch *kept = part->kept;
    TAILQ_REMOVE(&request->parts, part, link);
    part->request = NULL;
    part->kept = NULL;
    note_failure(request, &outcome);
    if (kept != NULL) {
        kept->branch = part->branch;
        part->given_up = true;
        TAILQ_INSERT_TAIL(&router->given_up, part, link);
        keep_failed(request, kept);
    }
}

bool sw_router_gave_up(const struct router *router, const struct sw_batch *batch)
{
    const struct sw_sending_queue_conf *queue = &router->balance->conf->protocol.otlp.sending_queue;
    const struct part *part;
    if (queue->batch.enabled) {
        return false; // a call is of parts that were joined
    }
    TAILQ_FOREACH(part, &router->given_up, link)
    {
        if (part->batch == batch) {
            return true;
        }
    }
    return false;
}

/* Ends what is under way of a request, from inside. */
static void end_request(struct request *request, int err)
{
    struct part *part;
    if (request->parked) {
        fail_request(request, err == SW_E_TIMEOUT ? SW_E_NOT_FOUND : err);
        return;
    }
    request->handing = true;
    request->ending = true;
    while ((part = TAILQ_FIRST(&request->parts)) != NULL) {
        if (part->kept == NULL || !sw_backend_cancel(part->backend, part->batch, err)) {
            give_up(part, err);
        } // else it was settled from inside
    }
    request->handing = false;
    finish(request);
}

static void on_deadline(struct sw_timer *timer, uint64_t now_ns)
{
    end_request(SW_CONTAINER_OF(timer, struct request, deadline), SW_E_TIMEOUT);
}

static void router_start(struct sw_push *push, struct sw_push_call *call)
{
    struct router *router = (struct router *)push;
    struct request *request = router->closed ? NULL : sw_zalloc(sizeof(*request));
    if (request == NULL) {
        sw_push_done_err(call, router->closed ? SW_E_SHUTDOWN : SW_E_NOMEM);
        return;
    }
    request->router = router;
    request->call = call;
    request->branch = call->batch->branch;
    TAILQ_INIT(&request->parts);
    sw_timer_init(&request->deadline, on_deadline);
    call->below = request;
    request->parked = !router->topology->known;
    TAILQ_INSERT_TAIL(request->parked ? &router->parked : &router->under_way, request, link);
    if (call->deadline_ns != SW_TIME_NEVER) {
        sw_timer_set(&push->core->timers, &request->deadline, call->deadline_ns);
    }
    if (!request->parked) {
        begin(request);
    }
}

static void router_cancel(struct sw_push *push, struct sw_push_call *call, int err)
{
    end_request(call->below, err);
}

/* ---- homeless parts ---- */

static void count_lost(struct router *router, struct sw_batch *batch, int err)
{
    struct sw_outcome outcome = {.err = err};
    sw_branch_move(batch->branch, SW_BRANCH_QUEUED, sw_outcome_book(&outcome), batch->items_count);
    sw_batch_free(batch);
}

static void add_homeless(struct router *router, struct sw_batch *batch)
{
    batch->next = NULL;
    *router->homeless_end = batch;
    router->homeless_end = &batch->next;
    router->homeless_count++;
}

static struct sw_batch *take_homeless(struct router *router)
{
    struct sw_batch *batch = router->homeless;
    if (batch != NULL) {
        router->homeless = batch->next;
        batch->next = NULL;
        router->homeless_count--;
    }
    if (router->homeless == NULL) {
        router->homeless_end = &router->homeless;
    }
    return batch;
}

// Each gets a try.
static void try_homeless(struct router *router)
{
    router->homeless_left = router->homeless_count;
    if (router->homeless_count > 0) {
        sw_core_task(router->push.core, &router->homeless_task);
    }
}

// What goes on waiting has bytes of its own.
static void keep_homeless(struct router *router, struct part *part)
{
    struct sw_batch *own = sw_batch_detach(part->batch, router->balance->account);
    add_homeless(router, own != NULL ? own : part->batch);
    if (own != NULL) {
        sw_batch_free(part->batch);
    }
    sw_free(part);
}

static void house(struct router *router, struct sw_batch *batch)
{
    struct part_list list = TAILQ_HEAD_INITIALIZER(list);
    struct part *part;
    if (cut(router, NULL, batch, 0, &list) != SW_OK) {
        add_homeless(router, batch);
        return;
    }
    while ((part = TAILQ_FIRST(&list)) != NULL) {
        TAILQ_REMOVE(&list, part, link);
        uint32_t items_count = part->batch->items_count;
        bool whole = items_count == batch->items_count;
        if (hand_over(part, SW_ADMIT_ANY) == SW_OK) {
            sw_count(router->rerouted, items_count);
        } else if (whole) {
            sw_batch_free(part->batch);
            sw_free(part);
            add_homeless(router, batch); // as it is
            return;
        } else {
            keep_homeless(router, part);
        }
    }
    sw_batch_free(batch);
}

static bool on_homeless(struct sw_task *task, uint64_t now_ns)
{
    struct router *router = SW_CONTAINER_OF(task, struct router, homeless_task);
    struct sw_core *core = router->push.core;
    if (router->homeless_left > 0) {
        struct sw_batch *batch = take_homeless(router);
        router->homeless_left--;
        if (batch != NULL) {
            house(router, batch);
        }
    }
    router->homeless_left = SW_MIN(router->homeless_left, router->homeless_count);
    if (router->homeless_left > 0) {
        return true;
    }
    if (router->homeless_count > 0 && !router->homeless_timer.armed) {
        sw_timer_set(&core->timers, &router->homeless_timer, core->now_ns + HOMELESS_WAIT_NS);
    }
    return false;
}

static void on_homeless_timer(struct sw_timer *timer, uint64_t now_ns)
{
    struct router *router = SW_CONTAINER_OF(timer, struct router, homeless_timer);
    look_at_backends(router);
    try_homeless(router);
}

void sw_router_take_back(struct router *router, struct sw_batch *batch)
{
    if (router->closed) {
        count_lost(router, batch, SW_E_SHUTDOWN);
        return;
    }
    add_homeless(router, batch);
    try_homeless(router);
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
    look_at_ends(router);
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
    look_at_backends(router);
    bounce_backends(router);
    look_at_ends(router);
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
        tell(router, &broken, endpoint->why);
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
            tell(router, &gone, old[i]->endpoint->dial);
            sw_backend_leave(old[i]);
        }
    }
}

static void tell_ring(struct router *router)
{
    struct sw_core *core = router->push.core;
    if (core->index != 0 || core->events == NULL) {
        return; // once a process
    }
    struct sw_event event = {
        .kind = &ring_in_force,
        .id = router->balance->id,
        .signal = sw_signal_name(router->balance->signal),
        .wall_ns = core->wall_ns,
        .count = router->topology->count,
    };
    event.text_len = (uint32_t)snprintf(
        event.text,
        sizeof(event.text),
        "%s:%s",
        sw_ring_generation_text(router->balance->generation),
        router->topology->digest
    );
    (void)sw_event_put(core->events, &event);
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
    tell_ring(router);
    let_go(router, old, old_count);
    sw_free(old);
    look_at_backends(router);
    router->drains_seen--; // other backends: all of them are looked at
    look_at_ends(router);
    struct request *request;
    while (topology->known && (request = TAILQ_FIRST(&router->parked)) != NULL) {
        TAILQ_REMOVE(&router->parked, request, link);
        request->parked = false;
        TAILQ_INSERT_TAIL(&router->under_way, request, link);
        begin(request);
    }
    try_homeless(router);
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

static void end_requests(struct router *router, int err)
{
    struct request *request;
    while ((request = TAILQ_FIRST(&router->parked)) != NULL
           || (request = TAILQ_FIRST(&router->under_way)) != NULL) {
        end_request(request, err);
    }
}

static void lose_homeless(struct router *router)
{
    struct sw_batch *batch;
    while ((batch = take_homeless(router)) != NULL) {
        count_lost(router, batch, SW_E_SHUTDOWN);
    }
}

int sw_router_drain(struct router *router, uint64_t deadline_ns)
{
    struct sw_core *core = router->push.core;
    struct backend *backend;
    bool over = core->now_ns >= deadline_ns;
    bool waits = false;
    if (over) {
        router->closed = true;
        lose_homeless(router);
    } else if (router->homeless != NULL) {
        // What looks for a backend needs one that still takes something in.
        on_homeless_timer(&router->homeless_timer, core->now_ns);
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
    return waits && !over ? SW_E_AGAIN : SW_OK;
}

static void router_free(struct sw_push *push)
{
    struct router *router = (struct router *)push;
    struct sw_core *core = push->core;
    router->closed = true;
    end_requests(router, SW_E_SHUTDOWN);
    for (unsigned i = 0; i < router->backends_count; i++) {
        sw_backend_free(router->backends[i]);
    }
    struct backend *backend;
    while ((backend = LIST_FIRST(&router->leaving)) != NULL) {
        LIST_REMOVE(backend, link);
        sw_backend_free(backend);
    }
    lose_homeless(router);
    sw_timer_cancel(&core->timers, &router->homeless_timer);
    sw_timer_cancel(&core->timers, &router->look);
    sw_core_task_cancel(core, &router->homeless_task);
    sw_split_free(router->split);
    sw_topology_unref(router->topology);
    sw_free(router->backends);
    sw_free(router);
}

static const struct sw_push_ops router_ops = {
    .open = router_open,
    .start = router_start,
    .cancel = router_cancel,
    .stop = router_stop,
    .close = router_close,
    .free = router_free,
};

static int make_cells(struct router *router)
{
    const struct balance *balance = router->balance;
    const struct sw_label label = {"exporter", balance->id};
    unsigned core = router->push.core->index;
    int err = sw_cell_make(
        balance->metrics, core, &rerouted_families[balance->signal], &label, 1, &router->rerouted
    );
    if (err == SW_OK && balance->recent != NULL && core == 0) {
        err = sw_cell_make(balance->metrics, core, &ending_family, &label, 1, &router->ending);
    }
    if (err == SW_OK && balance->signal == SW_METRICS) {
        err = sw_cell_make(
            balance->metrics, core, &unroutable_family, &label, 1, &router->unroutable
        );
    }
    return err;
}

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
    router->homeless_end = &router->homeless;
    router->homeless_task.run = on_homeless;
    sw_timer_init(&router->homeless_timer, on_homeless_timer);
    sw_timer_init(&router->look, on_look);
    int err = make_cells(router);
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
