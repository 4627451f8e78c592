/* One core's part of gateway to gateway. A batch is cut when it is admitted: what this process owns is
 * admitted downstream at once, the rest is sent to its owners when it is consumed, and settles the ticket
 * when they have answered. What comes back is admitted here; from a task of its own, so that it never
 * stands between somebody's admit and consume. */
#include "dataplane/balance/peers_internal.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/event.h"
#include "dataplane/base/mem.h"
#include "dataplane/l7_http/grpc.h"

#include <stdio.h>
#include <string.h>

// Pinned by requests that wait for other gateways, on one core; beyond that senders are refused.
#define BYTES_OUT_MAX (32u << 20)
// How often the connections are counted.
#define LOOK_NS (SW_NS_PER_S / 2)
// So long nothing is sent to one that did not answer in time (doubled again and again while it does not,
// up to the limit), and to one that is no peer.
#define SILENT_WAIT_NS   SW_NS_PER_S
#define SILENT_DOUBLINGS 5u
#define STRANGER_WAIT_NS (60 * SW_NS_PER_S)

static const struct sw_metric_family forwarded_family = {
    .name = "spanweir_peer_forwarded_spans",
    .help = "Spans of other gateways' traces that their owners have taken",
    .unit = "{spans}",
    .type = SW_COUNTER,
    .level = SW_LEVEL_BASIC,
};
static const struct sw_metric_family local_family = {
    .name = "spanweir_peer_local_spans",
    .help = "Spans of other gateways' traces that were processed here all the same",
    .unit = "{spans}",
    .type = SW_COUNTER,
    .level = SW_LEVEL_BASIC,
};
static const struct sw_metric_family received_family = {
    .name = "spanweir_peer_received_spans",
    .help = "Spans that other gateways have forwarded to this one",
    .unit = "{spans}",
    .type = SW_COUNTER,
    .level = SW_LEVEL_BASIC,
};
static const struct sw_metric_family refused_family = {
    .name = "spanweir_peer_refused_spans",
    .help = "Spans refused to their sender because too many bytes wait for other gateways",
    .unit = "{spans}",
    .type = SW_COUNTER,
    .level = SW_LEVEL_BASIC,
};

static const struct sw_metric_family connections_family = {
    .name = "spanweir_peer_connections",
    .help = "Other gateways that can be reached, summed over the workers",
    .unit = "{connections}",
    .type = SW_GAUGE,
    .level = SW_LEVEL_BASIC,
};

static const struct sw_event_kind ring_in_force = {
    .level = SW_EVENT_INFO,
    .message = "The ring of gateways has changed",
    .count_key = "gateways",
    .text_key = "digest",
};
static const struct sw_event_kind not_among = {
    .level = SW_EVENT_WARN,
    .message = "This gateway is not on the ring of gateways, it forwards everything",
    .text_key = "pipeline",
};
static const struct sw_event_kind silent = {
    .level = SW_EVENT_WARN,
    .message = "A gateway does not take its traces, they are processed here",
    .items_key = "spans",
    .text_key = "error",
};
static const struct sw_event_kind stranger = {
    .level = SW_EVENT_WARN,
    .message = "A gateway does not know the peer protocol or the pipeline, it is left alone",
    .text_key = "endpoint",
};

/* What another gateway owns of a batch, on its way there. */
struct shipment {
    struct sw_push_call call;
    TAILQ_ENTRY(shipment) link;
    struct peer_link *owner;
    struct gateway *gateway;
    struct sw_ticket *ticket;
    uint64_t bytes;
    uint32_t items_count;
    enum local_reason reason; // come_back
};

/* A batch that was admitted and not consumed yet. */
struct sorted {
    TAILQ_ENTRY(sorted) link;
    struct sw_batch *own; // admitted downstream; NULL: nothing, or all of it
    bool all_own;         // the batch itself was admitted downstream
    unsigned shipments_count;
    TAILQ_HEAD(, shipment) shipments;
    uint32_t local[LOCAL_REASONS_COUNT];
};

static void
tell(struct gateway *gateway, const struct sw_event_kind *kind, const char *text, int64_t items)
{
    struct sw_core *core = gateway->stage.core;
    sw_event_leave(
        core->events,
        kind,
        "peers",
        sw_signal_name(SW_TRACES),
        core->wall_ns,
        items,
        text,
        (uint32_t)strlen(text)
    );
}

/* ---- who owns what ---- */

static bool alone(const struct gateway *gateway)
{
    return gateway->links_count == 0 && gateway->topology->count > 0;
}

// The index of the link of what the ring names; links_count: this process.
static uint32_t slot_of(const struct gateway *gateway, unsigned owner)
{
    return gateway->link_of[gateway->topology->member_of[owner]];
}

static bool is_other(void *context, unsigned owner)
{
    const struct gateway *gateway = context;
    return slot_of(gateway, owner) < gateway->links_count;
}

struct peer_link *sw_gateway_owner(struct gateway *gateway, const uint8_t trace_id[16])
{
    const struct sw_ring *ring = gateway->topology->ring;
    if (ring == NULL || ring->owners == NULL || gateway->links_count == 0) {
        return NULL;
    }
    uint32_t position = sw_ring_position(ring, trace_id, SW_TRACE_ID_BYTES);
    unsigned owner = sw_ring_owner(ring, position);
    bool leaving = atomic_load_explicit(&gateway->peers->decisions.leaving, memory_order_relaxed);
    if (leaving && !is_other(gateway, owner)) {
        owner = sw_ring_owner_among(ring, position, is_other, gateway);
    }
    return is_other(gateway, owner) ? gateway->links[slot_of(gateway, owner)] : NULL;
}

static uint32_t route(void *context, const void *key, size_t size)
{
    const struct gateway *gateway = context;
    const struct sw_ring *ring = gateway->topology->ring;
    return slot_of(gateway, sw_ring_owner(ring, sw_ring_position(ring, key, size)));
}

/* ---- sorting ---- */

static bool is_avoided(const struct gateway *gateway, const struct peer_link *link)
{
    return link->channel == NULL || gateway->stage.core->now_ns < link->avoided_until_ns;
}

static int keep_own(struct sorted *sorted, struct sw_batch *piece)
{
    if (sorted->own == NULL) {
        sorted->own = piece;
        return SW_OK;
    }
    int err = sw_batch_merge(sorted->own, piece);
    if (err != SW_OK) {
        sw_batch_free(piece);
    }
    return err;
}

static void shipment_done(struct sw_push_call *call, struct sw_outcome *outcome);

static int
add_shipment(struct gateway *gateway, struct sorted *sorted, struct sw_batch *piece, unsigned slot)
{
    struct shipment *shipment = sw_zalloc(sizeof(*shipment));
    if (shipment == NULL) {
        sw_batch_free(piece);
        return SW_E_NOMEM;
    }
    shipment->call.batch = piece;
    shipment->call.done = shipment_done;
    shipment->owner = gateway->links[slot];
    shipment->gateway = gateway;
    shipment->bytes = piece->bytes;
    shipment->items_count = piece->items_count;
    TAILQ_INSERT_TAIL(&sorted->shipments, shipment, link);
    sorted->shipments_count++;
    return SW_OK;
}

static int
place(struct gateway *gateway, struct sorted *sorted, struct sw_batch *piece, unsigned slot)
{
    if (slot < gateway->links_count && !is_avoided(gateway, gateway->links[slot])) {
        return add_shipment(gateway, sorted, piece, slot);
    }
    if (slot < gateway->links_count) {
        sorted->local[gateway->links[slot]->avoided_for] += piece->items_count;
    }
    return keep_own(sorted, piece);
}

static void sorted_free(struct sorted *sorted)
{
    struct shipment *shipment;
    while ((shipment = TAILQ_FIRST(&sorted->shipments)) != NULL) {
        TAILQ_REMOVE(&sorted->shipments, shipment, link);
        sw_batch_free(shipment->call.batch);
        sw_free(shipment);
    }
    sw_batch_free(sorted->own);
    sw_free(sorted);
}

static int sort(struct gateway *gateway, const struct sw_batch *batch, struct sorted *sorted)
{
    unsigned slot;
    struct sw_batch *piece;
    uint32_t lost = 0;
    if (gateway->topology->count == 0) {
        sorted->all_own = true;
        sorted->local[LOCAL_UNKNOWN] = batch->items_count;
        return SW_OK;
    }
    if (alone(gateway)) {
        sorted->all_own = true;
        return SW_OK;
    }
    int err =
        sw_split_batch(gateway->split, batch, gateway->links_count + 1, route, gateway, &lost);
    while ((piece = sw_split_take(gateway->split, &slot)) != NULL) {
        if (err == SW_OK) {
            err = place(gateway, sorted, piece, slot);
        } else {
            sw_batch_free(piece);
        }
    }
    if (err == SW_OK && sorted->shipments_count == 0) {
        // As it lies it is easier to read than cut and put together again.
        sw_batch_free(sorted->own);
        sorted->own = NULL;
        sorted->all_own = true;
    }
    return err;
}

/* ---- the stage ---- */

static int gateway_admit(struct sw_stage *stage, const struct sw_batch *batch, enum sw_admit mode)
{
    struct gateway *gateway = (struct gateway *)stage;
    struct sorted *sorted = sw_zalloc(sizeof(*sorted));
    if (sorted == NULL) {
        return SW_E_NOMEM;
    }
    TAILQ_INIT(&sorted->shipments);
    int err = sort(gateway, batch, sorted);
    if (err == SW_OK && sorted->shipments_count > 0 && gateway->bytes_out > BYTES_OUT_MAX) {
        err = SW_E_FULL;
        sw_count(gateway->cells.refused, mode == SW_ADMIT_ALL ? batch->items_count : 0);
    }
    const struct sw_batch *own = sorted->all_own ? batch : sorted->own;
    if (err == SW_OK && own != NULL) {
        err = sw_stage_admit(stage->next, own, mode);
    }
    if (err != SW_OK) {
        sorted_free(sorted);
        return err;
    }
    TAILQ_INSERT_TAIL(&gateway->admitted, sorted, link);
    return SW_OK;
}

static struct sorted *take_sorted(struct gateway *gateway)
{
    struct sorted *sorted = TAILQ_FIRST(&gateway->admitted);
    SW_ASSERT(sorted != NULL);
    TAILQ_REMOVE(&gateway->admitted, sorted, link);
    return sorted;
}

static void gateway_retract(struct sw_stage *stage, const struct sw_batch *batch)
{
    struct sorted *sorted = take_sorted((struct gateway *)stage);
    const struct sw_batch *own = sorted->all_own ? batch : sorted->own;
    if (own != NULL) {
        sw_stage_retract(stage->next, own);
    }
    sorted_free(sorted);
}

static void ship(struct gateway *gateway, struct shipment *shipment, struct sw_ticket *ticket)
{
    uint64_t timeout_ns = (uint64_t)gateway->peers->conf->timeout_ns;
    shipment->ticket = ticket;
    shipment->call.deadline_ns = gateway->stage.core->now_ns + timeout_ns;
    gateway->bytes_out += shipment->bytes;
    shipment->owner->calls_count++;
    TAILQ_INSERT_TAIL(&gateway->under_way, shipment, link);
    sw_push_start(shipment->owner->channel, &shipment->call);
}

static void
gateway_consume(struct sw_stage *stage, struct sw_batch *batch, struct sw_ticket *ticket)
{
    struct gateway *gateway = (struct gateway *)stage;
    struct sorted *sorted = take_sorted(gateway);
    for (unsigned i = 0; i < LOCAL_REASONS_COUNT; i++) {
        sw_count(gateway->cells.local[i], sorted->local[i]);
    }
    if (sorted->all_own) {
        sorted_free(sorted);
        sw_stage_consume(stage->next, batch, ticket);
        return;
    }
    struct sw_batch *own = sorted->own;
    sorted->own = NULL;
    sw_ticket_add(ticket, sorted->shipments_count - (own == NULL));
    sw_batch_free(batch); // the parts have its bytes
    if (own != NULL) {
        sw_stage_consume(stage->next, own, ticket);
    }
    struct shipment *shipment;
    while ((shipment = TAILQ_FIRST(&sorted->shipments)) != NULL) {
        TAILQ_REMOVE(&sorted->shipments, shipment, link);
        ship(gateway, shipment, ticket);
    }
    sorted_free(sorted);
}

/* ---- what the owners say ---- */

static void shipment_end(struct shipment *shipment, struct sw_outcome *outcome)
{
    struct sw_ticket *ticket = shipment->ticket;
    sw_batch_free(shipment->call.batch);
    sw_free(shipment);
    sw_ticket_settle(ticket, outcome);
}

static void
judge(struct gateway *gateway, struct shipment *shipment, const struct sw_outcome *outcome)
{
    struct peer_link *owner = shipment->owner;
    uint64_t now_ns = gateway->stage.core->now_ns;
    shipment->reason = LOCAL_REFUSED;
    if (outcome->grpc_code == SW_GRPC_UNIMPLEMENTED) {
        shipment->reason = LOCAL_STRANGER;
        owner->avoided_until_ns = now_ns + STRANGER_WAIT_NS;
        tell(gateway, &stranger, owner->endpoint->dial, 0);
    } else if (outcome->grpc_code == SW_GRPC_DEADLINE_EXCEEDED || outcome->err == SW_E_TIMEOUT) {
        shipment->reason = LOCAL_UNREACHABLE;
        // Several may have waited together: that is one silence.
        if (now_ns >= owner->avoided_until_ns) {
            owner->avoided_until_ns = now_ns + (SILENT_WAIT_NS << owner->silences);
            owner->silences = SW_MIN(owner->silences + 1, SILENT_DOUBLINGS);
        }
    } else if (outcome->grpc_code == SW_GRPC_UNAVAILABLE) {
        struct sw_channel_state state;
        sw_channel_state(owner->channel, &state);
        shipment->reason = state.connections_ready > 0 ? LOCAL_REFUSED : LOCAL_UNREACHABLE;
    }
    owner->avoided_for = shipment->reason;
    if (shipment->reason != LOCAL_STRANGER) {
        const struct sw_buf *text = outcome->text;
        char words[200];
        snprintf(
            words,
            sizeof(words),
            "%s: %.*s",
            owner->endpoint->dial,
            text != NULL ? (int)text->size : 64,
            text != NULL ? (const char *)text->data : sw_err_text(outcome->err)
        );
        tell(gateway, &silent, words, shipment->items_count);
    }
}

static void shipment_done(struct sw_push_call *call, struct sw_outcome *outcome)
{
    struct shipment *shipment = SW_CONTAINER_OF(call, struct shipment, call);
    struct gateway *gateway = shipment->gateway;
    TAILQ_REMOVE(&gateway->under_way, shipment, link);
    gateway->bytes_out -= shipment->bytes;
    if (outcome->err != SW_OK && !gateway->closing) {
        judge(gateway, shipment, outcome);
    }
    shipment->owner->calls_count--;
    sw_gateway_sweep(gateway);
    if (outcome->err == SW_OK) {
        shipment->owner->silences = 0;
        sw_count(gateway->cells.forwarded, shipment->items_count);
        shipment_end(shipment, outcome);
    } else if (gateway->closing) {
        shipment_end(shipment, outcome);
    } else {
        sw_outcome_fini(outcome);
        TAILQ_INSERT_TAIL(&gateway->come_back, shipment, link);
        sw_core_task(gateway->stage.core, &gateway->back);
    }
}

// One that comes back is processed here; where there is no room either, the sender hears of it.
static bool on_back(struct sw_task *task, uint64_t now_ns)
{
    struct gateway *gateway = SW_CONTAINER_OF(task, struct gateway, back);
    struct shipment *shipment = TAILQ_FIRST(&gateway->come_back);
    if (shipment == NULL) {
        return false;
    }
    TAILQ_REMOVE(&gateway->come_back, shipment, link);
    struct sw_stage *next = gateway->stage.next;
    int err = sw_stage_admit(next, shipment->call.batch, SW_ADMIT_ALL);
    if (err != SW_OK) {
        struct sw_outcome outcome = {.err = err};
        shipment_end(shipment, &outcome);
    } else {
        struct sw_batch *batch = shipment->call.batch;
        struct sw_ticket *ticket = shipment->ticket;
        sw_count(gateway->cells.local[shipment->reason], shipment->items_count);
        sw_free(shipment);
        sw_stage_consume(next, batch, ticket);
    }
    return !TAILQ_EMPTY(&gateway->come_back);
}

/* ---- the door ---- */

static struct gateway *gateway_of_door(struct sw_stage *door)
{
    return SW_CONTAINER_OF(door, struct gateway, door);
}

static void door_consume(struct sw_stage *door, struct sw_batch *batch, struct sw_ticket *ticket)
{
    sw_count(gateway_of_door(door)->cells.received, batch->items_count);
    sw_stage_consume(door->next, batch, ticket);
}

static const struct sw_stage_ops door_ops = {
    .admit = sw_stage_pass_admit,
    .retract = sw_stage_pass_retract,
    .consume = door_consume,
    .drop = sw_stage_pass_drop,
};

/* ---- the topology ---- */

static void link_free(struct peer_link *link)
{
    sw_gateway_tell_drop(link);
    if (link->channel != NULL) {
        sw_push_close(link->channel);
        sw_push_free(link->channel);
    }
    sw_endpoint_unref(link->endpoint);
    sw_free(link);
}

static int link_new(struct gateway *gateway, struct endpoint *endpoint, struct peer_link **ret_link)
{
    const struct balance *balance = &gateway->peers->balance;
    struct peer_link *link = sw_zalloc(sizeof(*link));
    if (link == NULL) {
        return SW_E_NOMEM;
    }
    link->gateway = gateway;
    link->endpoint = sw_endpoint_ref(endpoint);
    int err = SW_OK;
    if (endpoint->calls != NULL) {
        err = sw_otlp_calls_open(
            endpoint->calls,
            gateway->stage.core,
            balance->resolver,
            balance->account,
            &link->channel
        );
    }
    if (err == SW_OK && link->channel != NULL) {
        err = sw_push_open(link->channel);
    }
    if (err != SW_OK) {
        link_free(link);
        return err;
    }
    *ret_link = link;
    return SW_OK;
}

// Of those that the topology in force has.
static struct peer_link *find_link(const struct gateway *gateway, const struct endpoint *endpoint)
{
    uint32_t place =
        gateway->topology != NULL ? sw_topology_find(gateway->topology, endpoint) : UINT32_MAX;
    uint32_t slot = place != UINT32_MAX ? gateway->link_of[place] : UINT32_MAX;
    return slot < gateway->links_count ? gateway->links[slot] : NULL;
}

struct crew {
    struct peer_link **links;
    uint32_t *link_of;
    unsigned count;
    bool self;
};

static int make_crew(struct gateway *gateway, const struct topology *topology, struct crew *crew)
{
    unsigned members_count = topology->members_count;
    crew->links = sw_zalloc(members_count * sizeof(crew->links[0]));
    crew->link_of = sw_zalloc(members_count * sizeof(crew->link_of[0]));
    int err = crew->links != NULL && crew->link_of != NULL ? SW_OK : SW_E_NOMEM;
    for (unsigned i = 0; err == SW_OK && i < members_count; i++) {
        struct endpoint *endpoint = topology->members[i];
        if (sw_peers_is_self(gateway->peers, endpoint->dial)) {
            crew->link_of[i] = UINT32_MAX;
            crew->self = true;
            continue;
        }
        struct peer_link *link = find_link(gateway, endpoint);
        err = link == NULL ? link_new(gateway, endpoint, &link) : SW_OK;
        if (err == SW_OK) {
            crew->link_of[i] = crew->count;
            crew->links[crew->count++] = link;
        }
    }
    for (unsigned i = 0; err == SW_OK && i < members_count; i++) {
        crew->link_of[i] = SW_MIN(crew->link_of[i], crew->count);
    }
    return err;
}

static void drop_crew(struct gateway *gateway, struct crew *crew)
{
    for (unsigned i = 0; i < crew->count; i++) {
        if (find_link(gateway, crew->links[i]->endpoint) == NULL) {
            link_free(crew->links[i]);
        }
    }
    sw_free(crew->links);
    sw_free(crew->link_of);
}

static void tell_ring(struct gateway *gateway, const struct crew *crew)
{
    const struct topology *topology = gateway->topology;
    struct sw_core *core = gateway->stage.core;
    if (core->index != 0 || core->events == NULL || !topology->known) {
        return; // once a process
    }
    struct sw_event event = {
        .kind = &ring_in_force,
        .id = "peers",
        .signal = sw_signal_name(SW_TRACES),
        .wall_ns = core->wall_ns,
        .count = topology->count,
    };
    event.text_len = (uint32_t)snprintf(
        event.text,
        sizeof(event.text),
        "%s:%s",
        sw_ring_generation_text(gateway->peers->balance.generation),
        topology->digest
    );
    (void)sw_event_put(core->events, &event);
    if (!crew->self && topology->count > 0) {
        tell(gateway, &not_among, gateway->peers->door.pipeline, 0);
    }
}

int sw_gateway_apply(void *owner, struct topology *topology)
{
    struct gateway *gateway = owner;
    struct crew crew = {.count = 0};
    struct peer_link **old = gateway->links;
    unsigned old_count = gateway->links_count;
    int err = gateway->closing ? SW_OK : make_crew(gateway, topology, &crew);
    if (gateway->closing || err != SW_OK) {
        drop_crew(gateway, &crew);
        sw_topology_unref(topology);
        return err;
    }
    sw_topology_unref(gateway->topology);
    sw_free(gateway->link_of);
    gateway->topology = topology;
    gateway->links = crew.links;
    gateway->link_of = crew.link_of;
    gateway->links_count = crew.count;
    tell_ring(gateway, &crew);
    for (unsigned i = 0; i < old_count; i++) {
        if (find_link(gateway, old[i]->endpoint) == NULL) {
            LIST_INSERT_HEAD(&gateway->leaving, old[i], link);
        }
    }
    sw_free(old);
    sw_gateway_sweep(gateway);
    return SW_OK;
}

void sw_gateway_sweep(struct gateway *gateway)
{
    if (!LIST_EMPTY(&gateway->leaving) && !gateway->closing) {
        sw_core_task(gateway->stage.core, &gateway->sweep);
    }
}

static bool on_sweep(struct sw_task *task, uint64_t now_ns)
{
    struct gateway *gateway = SW_CONTAINER_OF(task, struct gateway, sweep);
    struct peer_link *link = LIST_FIRST(&gateway->leaving);
    while (link != NULL) {
        struct peer_link *next = LIST_NEXT(link, link);
        if (link->calls_count == 0) {
            LIST_REMOVE(link, link);
            link_free(link);
        }
        link = next;
    }
    return false;
}

/* ---- life ---- */

static void on_look(struct sw_timer *timer, uint64_t now_ns)
{
    struct gateway *gateway = SW_CONTAINER_OF(timer, struct gateway, look);
    unsigned count = 0;
    for (unsigned i = 0; i < gateway->links_count; i++) {
        struct sw_channel_state state = {.connections_ready = 0};
        if (gateway->links[i]->channel != NULL) {
            sw_channel_state(gateway->links[i]->channel, &state);
        }
        count += state.connections_ready > 0;
    }
    if (gateway->cells.connections != NULL) {
        sw_cell_set(gateway->cells.connections, count);
        sw_timer_set(&gateway->stage.core->timers, timer, now_ns + LOOK_NS);
    }
}

static int gateway_start(struct sw_stage *stage)
{
    struct gateway *gateway = (struct gateway *)stage;
    struct topology *first = gateway->topology;
    gateway->topology = NULL;
    int err = sw_gateway_apply(gateway, first);
    if (err == SW_OK) {
        sw_timer_set(&stage->core->timers, &gateway->look, stage->core->now_ns + LOOK_NS);
    }
    return err;
}

// Comes last: what the pipeline decided at its end has been told by then.
static int gateway_drain(struct sw_stage *stage, uint64_t deadline_ns)
{
    struct gateway *gateway = (struct gateway *)stage;
    bool over = stage->core->now_ns >= deadline_ns;
    bool busy = !TAILQ_EMPTY(&gateway->under_way) || !TAILQ_EMPTY(&gateway->come_back);
    if (!over && !gateway->closing) {
        sw_gateway_tell_now(gateway);
        busy = busy || sw_gateway_tells(gateway);
    }
    if (busy && !over) {
        return SW_E_AGAIN;
    }
    gateway->closing = true;
    for (unsigned i = 0; !busy && i < gateway->links_count; i++) {
        if (gateway->links[i]->channel != NULL) {
            sw_push_close(gateway->links[i]->channel);
        }
    }
    return SW_OK;
}

static void end_shipments(struct gateway *gateway)
{
    struct shipment *shipment;
    struct sw_outcome outcome = {.err = SW_E_SHUTDOWN};
    while ((shipment = TAILQ_FIRST(&gateway->under_way)) != NULL) {
        sw_push_cancel(shipment->owner->channel, &shipment->call, SW_E_SHUTDOWN);
    }
    while ((shipment = TAILQ_FIRST(&gateway->come_back)) != NULL) {
        TAILQ_REMOVE(&gateway->come_back, shipment, link);
        shipment_end(shipment, &outcome);
    }
}

static void gateway_free(struct sw_stage *stage)
{
    struct gateway *gateway = (struct gateway *)stage;
    struct sw_core *core = stage->core;
    struct peer_link *link;
    gateway->closing = true;
    end_shipments(gateway);
    sw_core_task_cancel(core, &gateway->back);
    sw_core_task_cancel(core, &gateway->sweep);
    sw_timer_cancel(&core->timers, &gateway->tell);
    sw_timer_cancel(&core->timers, &gateway->look);
    while (!TAILQ_EMPTY(&gateway->admitted)) {
        sorted_free(take_sorted(gateway));
    }
    for (unsigned i = 0; i < gateway->links_count; i++) {
        link_free(gateway->links[i]);
    }
    while ((link = LIST_FIRST(&gateway->leaving)) != NULL) {
        LIST_REMOVE(link, link);
        link_free(link);
    }
    sw_free(gateway->links);
    sw_free(gateway->link_of);
    sw_split_free(gateway->split);
    sw_topology_unref(gateway->topology);
    sw_free(gateway);
}

static const struct sw_stage_ops gateway_ops = {
    .admit = gateway_admit,
    .retract = gateway_retract,
    .consume = gateway_consume,
    .drop = sw_stage_pass_drop,
    .start = gateway_start,
    .drain = gateway_drain,
    .free = gateway_free,
};

static int make_cells(struct gateway *gateway)
{
    static const char *const reasons[LOCAL_REASONS_COUNT] = {
        [LOCAL_UNREACHABLE] = "unreachable",
        [LOCAL_REFUSED] = "refused",
        [LOCAL_STRANGER] = "stranger",
        [LOCAL_UNKNOWN] = "unknown",
    };
    struct sw_metrics *metrics = gateway->peers->balance.metrics;
    struct sw_label labels[] = {{"pipeline", gateway->peers->door.pipeline}, {"reason", NULL}};
    struct gateway_cells *cells = &gateway->cells;
    unsigned core = gateway->stage.core->index;
    int err = sw_cell_make(metrics, core, &forwarded_family, labels, 1, &cells->forwarded);
    if (err == SW_OK) {
        err = sw_cell_make(metrics, core, &received_family, labels, 1, &cells->received);
    }
    if (err == SW_OK) {
        err = sw_cell_make(metrics, core, &refused_family, labels, 1, &cells->refused);
    }
    if (err == SW_OK) {
        err = sw_cell_make(metrics, core, &connections_family, labels, 1, &cells->connections);
    }
    for (unsigned i = 0; err == SW_OK && i < LOCAL_REASONS_COUNT; i++) {
        labels[1].value = reasons[i];
        err = sw_cell_make(metrics, core, &local_family, labels, 2, &cells->local[i]);
    }
    return err;
}

int sw_peers_stage_new(
    struct sw_peers *peers,
    struct sw_core *core,
    struct sw_stage *entry,
    struct sw_stage **ret_stage
)
{
    struct gateway *gateway = sw_zalloc(sizeof(*gateway));
    if (gateway == NULL) {
        return SW_E_NOMEM;
    }
    gateway->stage =
        (struct sw_stage){.ops = &gateway_ops, .core = core, .next = entry, .id = "peers"};
    gateway->door = (struct sw_stage){.ops = &door_ops, .core = core, .next = entry, .id = "peers"};
    gateway->peers = peers;
    gateway->topology = sw_topology_ref(peers->balance.topology);
    LIST_INIT(&gateway->leaving);
    TAILQ_INIT(&gateway->admitted);
    TAILQ_INIT(&gateway->under_way);
    TAILQ_INIT(&gateway->come_back);
    gateway->back.run = on_back;
    gateway->sweep.run = on_sweep;
    sw_timer_init(&gateway->look, on_look);
    int err = sw_gateway_tell_init(gateway);
    if (err == SW_OK) {
        err = make_cells(gateway);
    }
    if (err == SW_OK) {
        err = sw_split_new(&peers->balance, core, &gateway->split);
    }
    if (err != SW_OK) {
        gateway_free(&gateway->stage);
        return err;
    }
    peers->balance.links[core->index].owner = gateway;
    peers->cores[core->index] = gateway;
    peers->door.entries[core->index] = &gateway->door;
    *ret_stage = &gateway->stage;
    return SW_OK;
}
