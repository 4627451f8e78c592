// The backend: an OTLP server over gRPC that is sometimes in a bad mood, and sometimes not there.
#include "dataplane/otlp/status.h"
#include "tests/sim/sim.h"

#include <stdio.h>

#define MESSAGE_MAX   (64u << 20)
#define RETRY_NS      (100 * SW_NS_PER_MS)
#define SLOW_NS_MAX   (1500 * SW_NS_PER_MS)
#define DOWN_NS_MAX   (2 * SW_NS_PER_S)
#define DETAILS_BYTES 128u

struct conn;

struct call {
    LIST_ENTRY(call) next;
    struct sim_conn *conn;
    int32_t id;
    bool gzip;
    bool answered;
    struct sw_grpc_reader reader;
    struct sw_timer timer;
    struct sw_http_body body;
};

struct sim_conn {
    LIST_ENTRY(sim_conn) next;
    struct sim_backend *backend;
    struct sw_stream *stream; // NULL: gone
    struct sw_h2 *h2;
    struct sw_task task; // what was queued outside of events goes out
    LIST_HEAD(, call) calls;
    bool inside; // in a call of the session
    bool doomed; // goes as soon as that ends
};

/* ---- connections ---- */

static void conn_free(struct sim_conn *conn)
{
    LIST_REMOVE(conn, next);
    if (conn->stream != NULL) {
        sw_stream_close(conn->stream);
    }
    sw_core_task_cancel(&conn->backend->core, &conn->task);
    sw_h2_free(conn->h2);
    SW_ASSERT(LIST_EMPTY(&conn->calls));
    free(conn);
}

static void after(struct sim_conn *conn, int err)
{
    conn->inside = false;
    if (err != SW_OK || conn->doomed || sw_h2_done(conn->h2)) {
        if (!conn->doomed && conn->stream != NULL) {
            sw_stream_flush(conn->stream);
        }
        conn_free(conn);
    }
}

static void conn_data(void *owner, struct sw_stream *stream, const uint8_t *data, size_t size)
{
    struct sim_conn *conn = owner;
    conn->inside = true;
    after(conn, sw_h2_recv(conn->h2, data, size));
}

static bool conn_send(struct sw_task *task, uint64_t now_ns)
{
    struct sim_conn *conn = SW_CONTAINER_OF(task, struct sim_conn, task);
    conn->inside = true;
    after(conn, sw_h2_send(conn->h2));
    return false;
}

static void conn_drain(void *owner, struct sw_stream *stream)
{
    struct sim_conn *conn = owner;
    sw_core_task(&conn->backend->core, &conn->task);
}

static void conn_eof(void *owner, struct sw_stream *stream)
{
    conn_free(owner);
}

static void conn_closed(void *owner, struct sw_stream *stream, int err)
{
    struct sim_conn *conn = owner;
    conn->stream = NULL;
    conn_free(conn);
}

static const struct sw_stream_events stream_events = {
    .on_data = conn_data,
    .on_eof = conn_eof,
    .on_drain = conn_drain,
    .on_closed = conn_closed,
};

/* ---- answers ---- */

static void wake(struct call *call)
{
    if (!call->conn->inside) {
        sw_core_task(&call->conn->backend->core, &call->conn->task);
    }
}

static void answer_ok(struct call *call)
{
    static const struct sw_h2_header headers[] = {
        {{":status", 7}, {"200", 3}, true},
        {{"content-type", 12}, {"application/grpc", 16}, true},
    };
    static const struct sw_h2_header trailers[] = {{{"grpc-status", 11}, {"0", 1}, true}};
    call->body = (struct sw_http_body){.head_len = SW_GRPC_PREFIX_BYTES};
    sw_grpc_prefix(call->body.head, false, 0);
    call->answered = true;
    int err = sw_h2_respond(call->conn->h2, call->id, headers, 2, &call->body, trailers, 1);
    SIM_CHECK(call->conn->backend->sim, err == SW_OK, "%s", sw_err_text(err));
    wake(call);
}

static void answer_status(struct call *call, int code, uint64_t retry_ns)
{
    char number[8];
    uint8_t status_bytes[DETAILS_BYTES];
    char details[DETAILS_BYTES];
    size_t number_len = (size_t)snprintf(number, sizeof(number), "%d", code);
    struct sw_h2_header headers[5] = {
        SW_H2_FIXED(":status", "200"),
        SW_H2_FIXED("content-type", "application/grpc"),
        {SW_HTTP_TEXT("grpc-status"), {number, number_len}, false},
        SW_H2_FIXED("grpc-message", "in no mood"),
    };
    size_t count = 4;
    if (retry_ns > 0) {
        struct sw_rpc_status status = {
            .code = code,
            .message = SW_BYTES("in no mood"),
            .has_retry_info = true,
            .retry_delay_ns = retry_ns,
        };
        size_t size = sw_rpc_status_encode(&status, status_bytes, sizeof(status_bytes));
        struct sw_bytes bytes = {status_bytes, size};
        size = sw_base64_encode(bytes, false, details, sizeof(details));
        SW_ASSERT(size <= sizeof(details));
        headers[count++] =
            (struct sw_h2_header){SW_HTTP_TEXT("grpc-status-details-bin"), {details, size}, false};
    }
    call->answered = true;
    int err = sw_h2_respond(call->conn->h2, call->id, headers, count, NULL, NULL, 0);
    SIM_CHECK(call->conn->backend->sim, err == SW_OK, "%s", sw_err_text(err));
    wake(call);
}

static void slow_answer(struct sw_timer *timer, uint64_t now_ns)
{
    answer_ok(SW_CONTAINER_OF(timer, struct call, timer));
}

static enum sim_answer pick_mood(struct sim_backend *backend)
{
    struct sim *sim = backend->sim;
    const uint32_t *moods = sim->plan->moods;
    uint32_t all = 0;
    for (unsigned i = 0; i < SIM_ANSWERS_COUNT; i++) {
        all += moods[i];
    }
    if (all == 0 || sim->now_ns >= SIM_START_NS + sim->plan->faults_ns) {
        return SIM_OK;
    }
    uint64_t at = sw_rand_below(&sim->rand, all);
    unsigned mood = 0;
    while (at >= moods[mood]) {
        at -= moods[mood++];
    }
    return mood;
}

static void take(struct call *call, struct sw_buf *message, bool counts)
{
    struct sim_backend *backend = call->conn->backend;
    struct sw_buf *plain = message;
    if (call->reader.compressed) {
        const char *why = "";
        int err = sw_codec_open(
            backend->codec,
            SW_CODING_GZIP,
            message->data,
            message->size,
            MESSAGE_MAX,
            &backend->account,
            &plain,
            &why,
            NULL
        );
        SIM_CHECK(backend->sim, err == SW_OK, "%s", why);
    }
    sim_traces_arrive(backend->sim, plain->data, plain->size, counts);
    if (plain != message) {
        sw_buf_unref(plain);
    }
}

static void message_whole(struct call *call)
{
    struct sim_backend *backend = call->conn->backend;
    struct sim *sim = backend->sim;
    struct sw_buf *message = sw_grpc_reader_take(&call->reader);
    enum sim_answer mood = pick_mood(backend);
    sim_note(sim, mood);
    backend->answers[mood]++;
    switch (mood) {
    case SIM_OK:
        take(call, message, true);
        answer_ok(call);
        break;
    case SIM_UNAVAILABLE:
        answer_status(call, SW_GRPC_UNAVAILABLE, 0);
        break;
    case SIM_EXHAUSTED:
        answer_status(call, SW_GRPC_RESOURCE_EXHAUSTED, RETRY_NS);
        break;
    case SIM_PERMANENT:
        take(call, message, false);
        answer_status(call, SW_GRPC_INVALID_ARGUMENT, 0);
        break;
    case SIM_SLOW:
        take(call, message, true);
        sw_timer_set(
            &backend->core.timers,
            &call->timer,
            sim->now_ns + sw_rand_below(&sim->rand, SLOW_NS_MAX)
        );
        break;
    case SIM_RESET:
        if (sw_rand_below(&sim->rand, 2) == 0) {
            take(call, message, true);
        }
        call->conn->doomed = true;
        break;
    default:
        break; // no answer at all
    }
    sw_buf_unref(message);
}

/* ---- streams ---- */

static void *on_begin(void *owner, int32_t id)
{
    struct sim_conn *conn = owner;
    struct call *call = calloc(1, sizeof(*call));
    call->conn = conn;
    call->id = id;
    sw_timer_init(&call->timer, slow_answer);
    sw_grpc_reader_init(&call->reader, MESSAGE_MAX, &conn->backend->account, NULL);
    LIST_INSERT_HEAD(&conn->calls, call, next);
    return call;
}

static void on_header(
    void *owner,
    int32_t id,
    void *stream,
    struct sw_http_text name,
    struct sw_http_text value
)
{
    struct call *call = stream;
    if (sw_http_text_is(name, ":path")) {
        static const char path[] = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
        SIM_CHECK(call->conn->backend->sim, sw_http_text_is(value, path), "another method");
    }
}

static void on_data(void *owner, int32_t id, void *stream, const uint8_t *data, size_t size)
{
    struct sim_conn *conn = owner;
    struct call *call = stream;
    sw_h2_consume(conn->h2, id, size);
    int err = sw_grpc_reader_feed(&call->reader, data, size);
    SIM_CHECK(conn->backend->sim, err == SW_OK, "%s", sw_err_text(err));
}

static void on_end(void *owner, int32_t id, void *stream)
{
    struct call *call = stream;
    SIM_CHECK(call->conn->backend->sim, call->reader.done, "a call without its message");
    message_whole(call);
}

static void on_close(void *owner, int32_t id, void *stream, uint32_t code)
{
    struct call *call = stream;
    sw_timer_cancel(&call->conn->backend->core.timers, &call->timer);
    sw_grpc_reader_fini(&call->reader);
    LIST_REMOVE(call, next);
    free(call);
}

static const struct sw_h2_events h2_events = {
    .on_begin = on_begin,
    .on_header = on_header,
    .on_data = on_data,
    .on_end = on_end,
    .on_close = on_close,
};

static void accept_conn(void *context, int handle, const struct sw_addr *peer)
{
    struct sim_backend *backend = context;
    struct sim *sim = backend->sim;
    struct sim_conn *conn = calloc(1, sizeof(*conn));
    conn->backend = backend;
    conn->task.run = conn_send;
    LIST_INIT(&conn->calls);
    LIST_INSERT_HEAD(&backend->conns, conn, next);
    struct sw_net *net = backend->core.net;
    int err = sw_net_adopt(net, handle, peer, &stream_events, conn, &conn->stream);
    SIM_CHECK(sim, err == SW_OK, "%s", sw_err_text(err));
    struct sw_h2_options options = {.server = true, .ping_min_ns = SW_NS_PER_S};
    struct sw_http_out out = sw_http_out_stream(conn->stream);
    err = sw_h2_new(&backend->core, &options, &out, &h2_events, conn, &conn->h2);
    if (err != SW_OK) {
        conn_free(conn); // the peer has gone already: nothing can be written
    }
}

/* ---- up and down ---- */

static void go_up(struct sim_backend *backend)
{
    struct sim *sim = backend->sim;
    int err = SW_OK;
    if (backend->core.net == NULL) {
        err = sw_memory_net_new(sim->wire, &backend->core, &backend->core.net);
    }
    if (err == SW_OK) {
        err = sw_memory_listen(sim->wire, backend->core.net, &backend->addr, accept_conn, backend);
    }
    SIM_CHECK(sim, err == SW_OK, "%s", sw_err_text(err));
    backend->up = true;
    backend->change_ns = SW_TIME_NEVER;
    if (backend->restarts_left > 0) {
        // All of them in the time of its moods.
        uint64_t up_ns_max = 2 * sim->plan->faults_ns / sim->plan->restarts_count;
        backend->change_ns = sim->now_ns + sw_rand_below(&sim->rand, up_ns_max);
    }
}

static void go_down(struct sim_backend *backend)
{
    while (!LIST_EMPTY(&backend->conns)) {
        conn_free(LIST_FIRST(&backend->conns));
    }
    sim_core_fini(&backend->core);
    backend->up = false;
}

static unsigned backend_turn(void *owner, unsigned index)
{
    struct sim_backend *backend = owner;
    struct sim *sim = backend->sim;
    unsigned work = sim_core_turn(sim, &backend->core);
    if (sim->now_ns < backend->change_ns) {
        return work;
    }
    if (backend->up) {
        go_down(backend);
        backend->restarts_left--;
        backend->change_ns = sim->now_ns + sw_rand_below(&sim->rand, DOWN_NS_MAX);
    } else {
        go_up(backend);
    }
    sim_note(sim, backend->up);
    return work + 1;
}

uint64_t sim_backend_next_ns(const struct sim_backend *backend)
{
    return backend->change_ns;
}

void sim_backend_init(struct sim *sim, struct sim_backend *backend, const struct sw_addr *addr)
{
    backend->sim = sim;
    backend->addr = *addr;
    backend->restarts_left = sim->plan->restarts_count;
    LIST_INIT(&backend->conns);
    sim_core_init(sim, &backend->core, &backend->account, sim->plan->seed + 1);
    SIM_CHECK(sim, sw_codec_new(&backend->codec) == SW_OK, "no memory");
    go_up(backend);
    sim_add_actor(sim, &(struct sim_actor){backend, 0, backend_turn, &backend->core});
}

void sim_backend_fini(struct sim_backend *backend)
{
    go_down(backend);
    sw_codec_free(backend->codec);
    int64_t left = sw_account_charged(&backend->account);
    SIM_CHECK(backend->sim, left == 0, "the backend goes with %lld bytes", (long long)left);
}
