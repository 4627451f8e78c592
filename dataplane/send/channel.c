/* Calls of a channel and where they go. */
#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"
#include "dataplane/send/answer.h"
#include "dataplane/send/channel_internal.h"

#include <stdio.h>

// connection-backoff.md of gRPC.
#define BACK_OFF_FIRST_NS (1.0 * SW_NS_PER_S)
#define BACK_OFF_MAX_NS   (120.0 * SW_NS_PER_S)
#define BACK_OFF_FACTOR   1.6
#define BACK_OFF_JITTER   0.2
// grpc-go asks a name server again no sooner than this (dns_resolver.go MinResolutionInterval).
#define RESOLVE_AGAIN_NS (30 * SW_NS_PER_S)

/* ---- where calls go ---- */

static bool has_room(const struct peer *peer)
{
    const struct connection *connection = peer->connection;
    return connection != NULL && connection->ready && connection->doomed == SW_OK
           && sw_h2_request_allowed(connection->h2);
}

// The next one in the round that is ready and has room.
static struct connection *pick(struct channel *channel)
{
    for (unsigned i = 0; i < channel->peers_count; i++) {
        unsigned at = (channel->next_peer + i) % channel->peers_count;
        struct peer *peer = channel->peers[at];
        if (has_room(peer)) {
            channel->next_peer = channel->conf.pick_first ? at : (at + 1) % channel->peers_count;
            return peer->connection;
        }
    }
    return NULL;
}

// Nothing is ready and nothing that has not failed is on its way.
static bool all_failing(const struct channel *channel)
{
    if (channel->peers_count == 0) {
        return channel->last_error[0] != '\0';
    }
    for (unsigned i = 0; i < channel->peers_count; i++) {
        if (!channel->peers[i]->failing) {
            return false;
        }
    }
    return true;
}

static void wait(struct channel *channel, struct rpc *rpc)
{
    rpc->state = RPC_WAITING;
    TAILQ_INSERT_TAIL(&channel->waiting, rpc, queue);
    channel->waiting_count++;
}

static void fail(struct channel *channel, struct rpc *rpc)
{
    struct sw_http_text text = {channel->last_error, strlen(channel->last_error)};
    struct sw_push_call *call = rpc->call;
    struct sw_outcome outcome;
    sw_answer_grpc(SW_GRPC_UNAVAILABLE, text, NULL, &outcome);
    sw_rpc_free(rpc);
    call->done(call, &outcome);
}

// @return false: it has to wait
static bool send_on_any(struct channel *channel, struct rpc *rpc)
{
    struct connection *connection = pick(channel);
    while (connection != NULL) {
        int err = sw_rpc_send(rpc, connection);
        if (err == SW_OK) {
            return true;
        }
        if (err == SW_E_NOMEM) {
            struct sw_push_call *call = rpc->call;
            sw_rpc_free(rpc);
            sw_push_done_err(call, SW_E_NOMEM);
            return true;
        }
        if (has_room(connection->peer)) {
            return false; // it said otherwise: do not ask for ever
        }
        connection = pick(channel);
    }
    return false;
}

void sw_channel_place(struct channel *channel, struct rpc *rpc)
{
    // Those that wait already are first.
    if (TAILQ_EMPTY(&channel->waiting) && send_on_any(channel, rpc)) {
        return;
    }
    if (!channel->conf.wait_for_ready && all_failing(channel)) {
        fail(channel, rpc);
        return;
    }
    wait(channel, rpc);
}

static bool on_again(struct sw_task *task, uint64_t now_ns)
{
    struct channel *channel = SW_CONTAINER_OF(task, struct channel, again);
    struct rpc *rpc;
    while ((rpc = TAILQ_FIRST(&channel->waiting)) != NULL && pick(channel) != NULL) {
        TAILQ_REMOVE(&channel->waiting, rpc, queue);
        channel->waiting_count--;
        if (!send_on_any(channel, rpc)) {
            rpc->state = RPC_WAITING;
            TAILQ_INSERT_HEAD(&channel->waiting, rpc, queue);
            channel->waiting_count++;
            break;
        }
    }
    return false;
}

void sw_channel_again(struct channel *channel)
{
    if (!TAILQ_EMPTY(&channel->waiting)) {
        sw_core_task(channel->push.core, &channel->again);
    }
}

void sw_channel_failed(struct channel *channel)
{
    if (channel->conf.wait_for_ready || !all_failing(channel)) {
        return;
    }
    // Calls that are started from inside join behind: only those of now fail here, the others find
    // out by themselves.
    for (uint32_t left = channel->waiting_count; left > 0; left--) {
        struct rpc *rpc = TAILQ_FIRST(&channel->waiting);
        if (rpc == NULL) {
            break;
        }
        TAILQ_REMOVE(&channel->waiting, rpc, queue);
        channel->waiting_count--;
        fail(channel, rpc);
    }
}

/* ---- packing: one message a slice ---- */

static bool on_pack(struct sw_task *task, uint64_t now_ns)
{
    struct channel *channel = SW_CONTAINER_OF(task, struct channel, pack);
    struct rpc *rpc = TAILQ_FIRST(&channel->packing);
    if (rpc != NULL) {
        TAILQ_REMOVE(&channel->packing, rpc, queue);
        int err = sw_rpc_pack(rpc);
        if (err == SW_OK) {
            sw_channel_place(channel, rpc);
        } else {
            struct sw_push_call *call = rpc->call;
            sw_rpc_free(rpc);
            sw_push_done_err(call, err);
        }
    }
    return !TAILQ_EMPTY(&channel->packing);
}

/* ---- addresses ---- */

uint64_t sw_channel_back_off_ns(struct channel *channel, double *delay_ns)
{
    double unit = sw_rand_unit(&channel->push.core->rand) * 2 - 1;
    double now_ns = *delay_ns * (1 + BACK_OFF_JITTER * unit);
    *delay_ns = SW_MIN(*delay_ns * BACK_OFF_FACTOR, BACK_OFF_MAX_NS);
    return (uint64_t)now_ns;
}

static bool same_addr(const struct sw_addr *a, const struct sw_addr *b)
{
    return a->len == b->len && memcmp(&a->sa, &b->sa, a->len) == 0;
}

static bool among(const struct sw_addr *addr, const struct sw_addr *addrs, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (same_addr(addr, &addrs[i])) {
            return true;
        }
    }
    return false;
}

static void drop_missing(struct channel *channel, const struct sw_addr *addrs, unsigned count)
{
    unsigned kept = 0;
    struct peer *gone[SW_RESOLVER_ADDRS_MAX];
    unsigned gone_count = 0;
    for (unsigned i = 0; i < channel->peers_count; i++) {
        struct peer *peer = channel->peers[i];
        if (among(&peer->addr, addrs, count)) {
            channel->peers[kept++] = peer;
        } else {
            gone[gone_count++] = peer;
        }
    }
    channel->peers_count = kept;
    channel->next_peer = 0;
    for (unsigned i = 0; i < gone_count; i++) {
        sw_peer_retire(gone[i]);
    }
}

/* @return false: out of memory, the others must do until the next answer */
static bool add_new(struct channel *channel, const struct sw_addr *addrs, unsigned count)
{
    bool all = true;
    for (unsigned i = 0; i < count && channel->peers_count < SW_RESOLVER_ADDRS_MAX; i++) {
        bool known = false;
        for (unsigned k = 0; k < channel->peers_count; k++) {
            known = known || same_addr(&channel->peers[k]->addr, &addrs[i]);
        }
        if (known) {
            continue;
        }
        if (sw_peer_new(channel, &addrs[i], &channel->peers[channel->peers_count]) == SW_OK) {
            channel->peers_count++;
        } else {
            all = false;
        }
    }
    return all;
}

static void use_addrs(struct channel *channel, const struct sw_addr *addrs, unsigned count)
{
    struct sw_core *core = channel->push.core;
    drop_missing(channel, addrs, count);
    if (!add_new(channel, addrs, count)) {
        // An address that is written out is not asked for again otherwise.
        uint64_t delay_ns = sw_channel_back_off_ns(channel, &channel->resolve_delay_ns);
        sw_timer_set(&core->timers, &channel->resolve, core->now_ns + delay_ns);
    }
    unsigned connect_count =
        channel->conf.pick_first ? SW_MIN(1, channel->peers_count) : channel->peers_count;
    for (unsigned i = 0; i < connect_count; i++) {
        if (!channel->peers[i]->back_off.armed) {
            sw_peer_connect(channel->peers[i]);
        }
    }
}

static void answered(
    struct sw_resolver_query *query,
    int err,
    const struct sw_addr *addrs,
    unsigned addrs_count
)
{
    struct channel *channel = SW_CONTAINER_OF(query, struct channel, query);
    struct sw_core *core = channel->push.core;
    channel->asking = false;
    if (channel->closed) {
        return;
    }
    if (addrs_count > 0) {
        channel->resolved_ns = core->now_ns;
        channel->resolve_delay_ns = BACK_OFF_FIRST_NS;
        use_addrs(channel, addrs, SW_MIN(addrs_count, SW_RESOLVER_ADDRS_MAX));
        return;
    }
    uint64_t delay_ns = sw_channel_back_off_ns(channel, &channel->resolve_delay_ns);
    sw_timer_set(&core->timers, &channel->resolve, core->now_ns + delay_ns);
    if (channel->peers_count == 0) {
        snprintf(
            channel->last_error,
            sizeof(channel->last_error),
            "name resolver error: produced zero addresses: lookup %s: %s",
            channel->conf.host,
            err == SW_E_NOT_FOUND ? "no such host" : sw_err_text(err)
        );
        sw_channel_failed(channel);
    }
}

static void ask(struct channel *channel)
{
    if (channel->asking || channel->closed) {
        return;
    }
    channel->asking = true;
    sw_resolver_ask(channel->resolver, channel->push.core, &channel->query);
}

static void on_resolve(struct sw_timer *timer, uint64_t now_ns)
{
    ask(SW_CONTAINER_OF(timer, struct channel, resolve));
}

static bool is_literal(const struct channel *channel)
{
    struct sw_addr addr;
    return channel->conf.unix_socket
           || sw_addr_parse(channel->conf.host, channel->conf.port, &addr) == SW_OK;
}

void sw_channel_ask_again(struct channel *channel)
{
    struct sw_core *core = channel->push.core;
    if (channel->asking || channel->resolve.armed || is_literal(channel)) {
        return;
    }
    uint64_t due_ns = channel->resolved_ns + RESOLVE_AGAIN_NS;
    sw_timer_set(&core->timers, &channel->resolve, SW_MAX(due_ns, core->now_ns));
}

/* ---- the push ---- */

static int channel_open(struct sw_push *push)
{
    struct channel *channel = (struct channel *)push;
    if (!channel->conf.unix_socket) {
        ask(channel);
        return SW_OK;
    }
    struct sw_addr addr = {.un = {.sun_family = AF_UNIX}, .len = sizeof(addr.un)};
    snprintf(addr.un.sun_path, sizeof(addr.un.sun_path), "%s", channel->conf.host);
    use_addrs(channel, &addr, 1);
    return SW_OK;
}

static void channel_start(struct sw_push *push, struct sw_push_call *call)
{
    struct channel *channel = (struct channel *)push;
    struct rpc *rpc = channel->closed ? NULL : sw_rpc_new(channel, call);
    if (rpc == NULL) {
        sw_push_done_err(call, channel->closed ? SW_E_SHUTDOWN : SW_E_NOMEM);
        return;
    }
    if (channel->conf.coding != SW_CODING_NONE) {
        rpc->state = RPC_PACKING;
        TAILQ_INSERT_TAIL(&channel->packing, rpc, queue);
        sw_core_task(push->core, &channel->pack);
        return;
    }
    int err = sw_rpc_pack(rpc);
    if (err != SW_OK) {
        sw_rpc_free(rpc);
        sw_push_done_err(call, err);
        return;
    }
    sw_channel_place(channel, rpc);
}

static void channel_cancel(struct sw_push *push, struct sw_push_call *call, int err)
{
    struct sw_outcome outcome = {.err = err};
    sw_rpc_abandon(call->below, &outcome);
}

static void channel_stop(struct sw_push *push, bool keep_retrying) {}

static void channel_close(struct sw_push *push)
{
    struct channel *channel = (struct channel *)push;
    struct sw_core *core = push->core;
    if (channel->closed) {
        return;
    }
    channel->closed = true;
    sw_timer_cancel(&core->timers, &channel->resolve);
    sw_core_task_cancel(core, &channel->again);
    sw_core_task_cancel(core, &channel->pack);
    if (channel->asking) {
        sw_resolver_cancel(channel->resolver, core, &channel->query);
    }
    for (unsigned i = 0; i < channel->peers_count; i++) {
        struct connection *connection = channel->peers[i]->connection;
        if (connection != NULL && connection->h2 != NULL) {
            sw_h2_close_begin(connection->h2);
            sw_connection_flush(connection);
        }
    }
    for (unsigned i = 0; i < channel->peers_count; i++) {
        sw_peer_free(channel->peers[i]);
    }
    channel->peers_count = 0;
    while (!LIST_EMPTY(&channel->leaving)) {
        sw_connection_close(LIST_FIRST(&channel->leaving), SW_E_SHUTDOWN);
    }
}

static void channel_free(struct sw_push *push)
{
    struct channel *channel = (struct channel *)push;
    channel_close(push);
    SW_ASSERT(TAILQ_EMPTY(&channel->waiting) && TAILQ_EMPTY(&channel->packing));
    SW_ASSERT(channel->sent_count == 0);
    struct rpc *rpc;
    while ((rpc = TAILQ_FIRST(&channel->spare)) != NULL) {
        TAILQ_REMOVE(&channel->spare, rpc, queue);
        sw_free(rpc);
    }
    sw_codec_free(channel->codec);
    sw_free(channel);
}

static const struct sw_push_ops channel_ops = {
    .open = channel_open,
    .start = channel_start,
    .cancel = channel_cancel,
    .stop = channel_stop,
    .close = channel_close,
    .free = channel_free,
};

/* ---- making ---- */

static struct sw_http_text text_of(const char *text)
{
    return (struct sw_http_text){text, strlen(text)};
}

static void add_header(struct channel *channel, struct sw_http_text name, struct sw_http_text value)
{
    channel->headers[channel->headers_count++] =
        (struct sw_h2_header){.name = name, .value = value, .fixed = true};
}

// In grpc-go's order (otlp-protocol.md §5.2).
static int make_headers(struct channel *channel)
{
    const struct sw_channel_conf *conf = &channel->conf;
    add_header(channel, SW_HTTP_TEXT(":method"), SW_HTTP_TEXT("POST"));
    add_header(channel, SW_HTTP_TEXT(":scheme"), SW_HTTP_TEXT("http"));
    add_header(channel, SW_HTTP_TEXT(":path"), text_of(conf->path));
    add_header(channel, SW_HTTP_TEXT(":authority"), text_of(conf->authority));
    add_header(channel, SW_HTTP_TEXT("content-type"), SW_HTTP_TEXT("application/grpc"));
    add_header(channel, SW_HTTP_TEXT("user-agent"), text_of(conf->user_agent));
    add_header(channel, SW_HTTP_TEXT("te"), SW_HTTP_TEXT("trailers"));
    if (conf->coding != SW_CODING_NONE) {
        const char *name = sw_coding_grpc_name(conf->coding);
        add_header(channel, SW_HTTP_TEXT("grpc-encoding"), text_of(name));
    }
    add_header(channel, SW_HTTP_TEXT("grpc-accept-encoding"), SW_HTTP_TEXT("snappy,zstd,gzip"));
    if (conf->headers.count > CHANNEL_HEADERS_MAX - channel->headers_count) {
        return SW_E_TOO_LARGE;
    }
    for (size_t i = 0; i < conf->headers.count; i++) {
        const struct sw_pair *pair = &SW_LIST_AT(conf->headers, struct sw_pair, i);
        add_header(channel, text_of(pair->name), text_of(pair->value));
    }
    return SW_OK;
}

int sw_channel_new(
    struct sw_core *core,
    const struct sw_channel_conf *conf,
    struct sw_resolver *resolver,
    struct sw_account *account,
    struct sw_push **ret_push
)
{
    struct channel *channel = sw_zalloc(sizeof(*channel));
    if (channel == NULL) {
        return SW_E_NOMEM;
    }
    channel->push = (struct sw_push){.ops = &channel_ops, .core = core};
    channel->conf = *conf;
    channel->resolver = resolver;
    channel->account = account;
    channel->query = (struct sw_resolver_query){
        .host = conf->host,
        .port = conf->port,
        .answered = answered,
    };
    channel->resolve_delay_ns = BACK_OFF_FIRST_NS;
    sw_timer_init(&channel->resolve, on_resolve);
    LIST_INIT(&channel->leaving);
    TAILQ_INIT(&channel->packing);
    TAILQ_INIT(&channel->waiting);
    TAILQ_INIT(&channel->spare);
    channel->pack.run = on_pack;
    channel->again.run = on_again;
    int err = make_headers(channel);
    if (err == SW_OK && conf->coding != SW_CODING_NONE) {
        err = sw_codec_new(&channel->codec);
    }
    if (err != SW_OK) {
        sw_free(channel);
        return err;
    }
    *ret_push = &channel->push;
    return SW_OK;
}

void sw_channel_watch(struct sw_push *push, struct sw_channel_watch *watch)
{
    ((struct channel *)push)->watch = watch;
}

void sw_channel_state(const struct sw_push *push, struct sw_channel_state *ret_state)
{
    const struct channel *channel = (const struct channel *)push;
    *ret_state = (struct sw_channel_state){
        .calls_waiting = channel->waiting_count,
        .calls_sent = channel->sent_count,
        .failing = channel->peers_count > 0,
    };
    for (unsigned i = 0; i < channel->peers_count; i++) {
        const struct connection *connection = channel->peers[i]->connection;
        bool ready = connection != NULL && connection->ready;
        ret_state->connections_ready += ready;
        ret_state->failing &= !ready && channel->peers[i]->failing;
    }
    const struct connection *connection;
    LIST_FOREACH(connection, &channel->leaving, leaving)
    {
        ret_state->connections_leaving++;
    }
}
