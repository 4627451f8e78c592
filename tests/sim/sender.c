// Applications: requests over a few connections, each brought home or refused for good, however long it takes.
#include "tests/sim/sim.h"

#define LINKS_MAX     3u
#define BACK_OFF_NS   (80 * SW_NS_PER_MS)
#define GIVE_UP_NS    (8 * SW_NS_PER_S)
#define LOOK_NS       (5 * SW_NS_PER_MS)
#define ATTEMPTS_MAX  5000u
#define UNDER_WAY_MAX 8u

struct sim_link {
    LIST_ENTRY(sim_link) next;
    struct sim_sender *sender;
    struct sw_stream *stream; // NULL: gone
    struct sw_h2 *h2;
    bool open;
    bool inside;
};

/* ---- the end of an attempt ---- */

static void settle(struct sim_request *request, struct sim_sender *sender, bool taken)
{
    struct sim *sim = sender->sim;
    request->settled = true;
    sender->left_count--;
    for (unsigned i = 0; i < request->refs_count; i++) {
        uint64_t ref = request->refs[i];
        struct sim_span *span = &sim->traces.items[ref >> 32].spans[ref & 0xffffffff];
        span->acked = taken;
        span->refused = !taken;
    }
    sim_note(sim, taken);
}

static bool may_try_again(int status)
{
    switch (status) {
    case -1: // the connection went, or we gave up
    case SW_GRPC_CANCELLED:
    case SW_GRPC_DEADLINE_EXCEEDED:
    case SW_GRPC_RESOURCE_EXHAUSTED:
    case SW_GRPC_ABORTED:
    case SW_GRPC_UNAVAILABLE:
        return true;
    default:
        return false;
    }
}

static void attempt_ends(struct sim_request *request)
{
    struct sim_sender *sender = request->link->sender;
    struct sim *sim = sender->sim;
    int status = request->grpc_status;
    request->under_way = false;
    request->link = NULL;
    sw_http_buf_body_fini(&request->message);
    if (status == SW_GRPC_OK) {
        SIM_CHECK(sim, !request->poison, "poison was taken");
        settle(request, sender, true);
    } else if (may_try_again(status)) {
        request->attempts++;
        sim->repeats_count++;
        SIM_CHECK(sim, request->attempts < ATTEMPTS_MAX, "a request never gets through");
        request->at_ns = sim->now_ns + BACK_OFF_NS / 4 + sw_rand_below(&sim->rand, BACK_OFF_NS);
    } else {
        SIM_CHECK(sim, request->poison, "a good request is refused for good: status %d", status);
        settle(request, sender, false);
    }
}

/* ---- streams ---- */

static void on_header(
    void *owner,
    int32_t id,
    void *stream,
    struct sw_http_text name,
    struct sw_http_text value
)
{
    struct sim_request *request = stream;
    uint64_t number;
    if (sw_http_text_is(name, "grpc-status") && sw_http_text_number(value, &number)) {
        request->grpc_status = (int)number;
    }
}

static void on_data(void *owner, int32_t id, void *stream, const uint8_t *data, size_t size)
{
    struct sim_link *link = owner;
    sw_h2_consume(link->h2, id, size);
}

static void on_close(void *owner, int32_t id, void *stream, uint32_t code)
{
    attempt_ends(stream);
}

static const struct sw_h2_events h2_events = {
    .on_header = on_header,
    .on_data = on_data,
    .on_close = on_close,
};

/* ---- connections ---- */

static void link_free(struct sim_link *link)
{
    struct sim_sender *sender = link->sender;
    LIST_REMOVE(link, next);
    sender->links_count--;
    if (link->stream != NULL) {
        sw_stream_close(link->stream);
    }
    sw_h2_free(link->h2);
    free(link);
}

static void after(struct sim_link *link, int err)
{
    link->inside = false;
    if (err != SW_OK || sw_h2_done(link->h2)
        || (!sw_h2_usable(link->h2) && sw_h2_streams_count(link->h2) == 0)) {
        link_free(link);
    }
}

static void link_open(void *owner, struct sw_stream *stream)
{
    struct sim_link *link = owner;
    link->open = true;
}

static void link_data(void *owner, struct sw_stream *stream, const uint8_t *data, size_t size)
{
    struct sim_link *link = owner;
    link->inside = true;
    after(link, sw_h2_recv(link->h2, data, size));
}

static void link_drain(void *owner, struct sw_stream *stream)
{
    struct sim_link *link = owner;
    link->inside = true;
    after(link, sw_h2_send(link->h2));
}

static void link_eof(void *owner, struct sw_stream *stream)
{
    link_free(owner);
}

static void link_closed(void *owner, struct sw_stream *stream, int err)
{
    struct sim_link *link = owner;
    link->stream = NULL;
    link_free(link);
}

static const struct sw_stream_events stream_events = {
    .on_open = link_open,
    .on_data = link_data,
    .on_eof = link_eof,
    .on_drain = link_drain,
    .on_closed = link_closed,
};

static void link_new(struct sim_sender *sender)
{
    struct sim *sim = sender->sim;
    struct sim_link *link = calloc(1, sizeof(*link));
    link->sender = sender;
    int err = sw_net_connect(sender->core.net, &sender->to, &stream_events, link, &link->stream);
    SIM_CHECK(sim, err == SW_OK, "%s", sw_err_text(err));
    struct sw_h2_options options = {.server = false};
    struct sw_http_out out = sw_http_out_stream(link->stream);
    err = sw_h2_new(&sender->core, &options, &out, &h2_events, link, &link->h2);
    SIM_CHECK(sim, err == SW_OK, "%s", sw_err_text(err));
    LIST_INSERT_HEAD(&sender->links, link, next);
    sender->links_count++;
}

/* ---- requests ---- */

static void attempt(struct sim_link *link, struct sim_request *request)
{
    static const struct sw_h2_header headers[] = {
        {{":method", 7}, {"POST", 4}, true},
        {{":scheme", 7}, {"http", 4}, true},
        {{":path", 5}, {"/opentelemetry.proto.collector.trace.v1.TraceService/Export", 59}, true},
        {{":authority", 10}, {"node:4317", 9}, true},
        {{"content-type", 12}, {"application/grpc", 16}, true},
        {{"te", 2}, {"trailers", 8}, true},
    };
    sw_http_buf_body_init(&request->message, sw_buf_ref(request->body));
    request->message.body.head_len = SW_GRPC_PREFIX_BYTES;
    sw_grpc_prefix(request->message.body.head, false, request->body->size);
    request->grpc_status = -1;
    request->link = link;
    request->under_way = true;
    request->give_up_ns = link->sender->sim->now_ns + GIVE_UP_NS;
    int err = sw_h2_request(
        link->h2, headers, SW_ARRAY_SIZE(headers), &request->message.body, request, &request->id
    );
    if (err != SW_OK) { // not on this connection
        request->under_way = false;
        request->link = NULL;
        sw_http_buf_body_fini(&request->message);
    }
}

static struct sim_link *pick_link(struct sim_sender *sender)
{
    struct sim_link *link;
    struct sim_link *found = NULL;
    uint64_t count = 0;
    LIST_FOREACH(link, &sender->links, next)
    {
        if (link->open && sw_h2_request_allowed(link->h2)
            && sw_rand_below(&sender->sim->rand, ++count) == 0) {
            found = link;
        }
    }
    return found;
}

static void give_up(struct sim_sender *sender)
{
    struct sim_request *request;
    STAILQ_FOREACH(request, &sender->requests, next)
    {
        if (request->under_way && request->give_up_ns <= sender->sim->now_ns) {
            sw_h2_reset(request->link->h2, request->id, SW_H2_CANCEL);
        }
    }
}

static void flush_links(struct sim_sender *sender)
{
    struct sim_link *link = LIST_FIRST(&sender->links);
    while (link != NULL) {
        struct sim_link *next = LIST_NEXT(link, next);
        link->inside = true;
        after(link, sw_h2_send(link->h2));
        link = next;
    }
}

static void look(struct sw_timer *timer, uint64_t now_ns)
{
    struct sim_sender *sender = SW_CONTAINER_OF(timer, struct sim_sender, timer);
    struct sim_request *request;
    unsigned under_way = 0;
    uint64_t next_ns = SW_TIME_NEVER;
    give_up(sender);
    STAILQ_FOREACH(request, &sender->requests, next)
    {
        under_way += request->under_way;
    }
    STAILQ_FOREACH(request, &sender->requests, next)
    {
        if (request->settled || request->under_way) {
            continue;
        }
        struct sim_link *link = request->at_ns <= now_ns ? pick_link(sender) : NULL;
        if (link != NULL && under_way < UNDER_WAY_MAX) {
            attempt(link, request);
            under_way += request->under_way;
        }
        next_ns = SW_MIN(next_ns, request->at_ns);
    }
    flush_links(sender);
    if (sender->left_count > 0) {
        if (sender->links_count < LINKS_MAX) {
            link_new(sender);
        }
        next_ns = under_way > 0 || next_ns == SW_TIME_NEVER ? now_ns : next_ns;
        sw_timer_set(&sender->core.timers, timer, SW_MAX(next_ns, now_ns + LOOK_NS));
    }
}

static unsigned sender_turn(void *owner, unsigned index)
{
    struct sim_sender *sender = owner;
    return sim_core_turn(sender->sim, &sender->core);
}

void sim_sender_init(struct sim *sim, struct sim_sender *sender, const struct sw_addr *to)
{
    sender->sim = sim;
    sender->to = *to;
    LIST_INIT(&sender->links);
    struct sim_request *request;
    STAILQ_FOREACH(request, &sender->requests, next)
    {
        sender->left_count++;
    }
    sim_core_init(sim, &sender->core, NULL, sim->plan->seed + 2);
    sw_timer_init(&sender->timer, look);
    sw_timer_set(&sender->core.timers, &sender->timer, sim->now_ns);
    sim_add_actor(sim, &(struct sim_actor){sender, 0, sender_turn, &sender->core});
}

void sim_sender_close(struct sim_sender *sender)
{
    while (!LIST_EMPTY(&sender->links)) {
        link_free(LIST_FIRST(&sender->links));
    }
}

void sim_sender_fini(struct sim_sender *sender)
{
    sim_sender_close(sender);
    sw_timer_cancel(&sender->core.timers, &sender->timer);
    sim_core_fini(&sender->core);
    while (!STAILQ_EMPTY(&sender->requests)) {
        struct sim_request *request = STAILQ_FIRST(&sender->requests);
        STAILQ_REMOVE_HEAD(&sender->requests, next);
        sw_buf_unref(request->body);
        free(request->refs);
        free(request);
    }
}
