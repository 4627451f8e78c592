#include "dataplane/receive/otlp_receiver.h"

#include "dataplane/base/clock.h"
#include "dataplane/base/mailbox.h"
#include "dataplane/base/mem.h"
#include "dataplane/pipeline/drain_notice.h"
#include "dataplane/receive/http_internal.h"

#define SWEEP_NS SW_NS_PER_S
// How soon a connection that waits for the mailbox is looked at again.
#define RESUME_NS SW_NS_PER_MS

#define MIB                 INT64_C(1048576)
#define GRPC_MESSAGE_MAX    (4 * MIB)           // grpc-go, defaultServerMaxReceiveMessageSize
#define HTTP_BODY_MAX       INT64_C(20971520)   // confighttp, defaultMaxRequestBodySize
#define MESSAGE_MAX_ALLOWED INT64_C(2147483647) // a buffer counts in 32 bits, grpc-go in an int32

/* ---- metrics ---- */

#define COUNTER(name_, unit_, help_)                                                               \
    {                                                                                              \
        .name = (name_), .help = (help_), .unit = (unit_), .type = SW_COUNTER,                     \
        .level = SW_LEVEL_BASIC,                                                                   \
    }

// clang-format off
static const struct sw_metric_family accepted_families[SW_SIGNALS_COUNT] = {
    [SW_TRACES] = COUNTER("otelcol_receiver_accepted_spans", "{span}",
        "Number of spans successfully pushed into the pipeline. [Alpha]"),
    [SW_METRICS] = COUNTER("otelcol_receiver_accepted_metric_points", "{datapoint}",
        "Number of metric points successfully pushed into the pipeline. [Alpha]"),
    [SW_LOGS] = COUNTER("otelcol_receiver_accepted_log_records", "{record}",
        "Number of log records successfully pushed into the pipeline. [Alpha]"),
};
static const struct sw_metric_family refused_families[SW_SIGNALS_COUNT] = {
    [SW_TRACES] = COUNTER("otelcol_receiver_refused_spans", "{span}",
        "Number of spans that could not be pushed into the pipeline. [Alpha]"),
    [SW_METRICS] = COUNTER("otelcol_receiver_refused_metric_points", "{datapoint}",
        "Number of metric points that could not be pushed into the pipeline. [Alpha]"),
    [SW_LOGS] = COUNTER("otelcol_receiver_refused_log_records", "{record}",
        "Number of log records that could not be pushed into the pipeline. [Alpha]"),
};
static const struct sw_metric_family failed_families[SW_SIGNALS_COUNT] = {
    [SW_TRACES] = COUNTER("otelcol_receiver_failed_spans", "{span}",
        "The number of spans that failed to be processed by the receiver due to internal errors. [Alpha]"),
    [SW_METRICS] = COUNTER("otelcol_receiver_failed_metric_points", "{datapoint}",
        "The number of metric points that failed to be processed by the receiver due to internal errors. [Alpha]"),
    [SW_LOGS] = COUNTER("otelcol_receiver_failed_log_records", "{record}",
        "The number of log records that failed to be processed by the receiver due to internal errors. [Alpha]"),
};
static const struct sw_metric_family requests_family = COUNTER("otelcol_receiver_requests", "{request}",
        "The number of requests performed. [Alpha]");
static const struct sw_metric_family rejected_family = COUNTER("spanweir_receiver_rejected_requests", "{request}",
        "Requests that were refused before they were handed to a pipeline, by reason.");
// clang-format on

static int make_signal_cells(
    const struct sw_otlp_receiver_env *env,
    const struct sw_label *labels,
    enum sw_signal signal,
    struct receive_cells *cells
)
{
    struct sw_metrics *metrics = env->metrics;
    unsigned core = env->core->index;
    int err = sw_cell_make(metrics, core, &accepted_families[signal], labels, 2, &cells->accepted);
    if (err == SW_OK) {
        err = sw_cell_make(metrics, core, &refused_families[signal], labels, 2, &cells->refused);
    }
    if (err == SW_OK) {
        err = sw_cell_make(metrics, core, &failed_families[signal], labels, 2, &cells->failed);
    }
    static const char *const outcomes[] = {"success", "refused"};
    for (unsigned i = 0; err == SW_OK && env->count_requests && i < SW_ARRAY_SIZE(outcomes); i++) {
        struct sw_label all[3] = {labels[0], labels[1], {"outcome", outcomes[i]}};
        err = sw_cell_make(metrics, core, &requests_family, all, 3, &cells->requests[i]);
    }
    return err;
}

static int make_cells(
    const struct sw_otlp_receiver_env *env,
    const char *transport,
    struct receive_endpoint *endpoint
)
{
    static const char *const reasons[] = {
#define SW_REFUSAL(name, text) [RECEIVE_##name] = (text),
#include "dataplane/receive/refusals.def"
#undef SW_REFUSAL
    };
    struct sw_label labels[3] = {{"receiver", env->id}, {"transport", transport}, {"reason", NULL}};
    int err = SW_OK;
    for (unsigned signal = 0; err == SW_OK && signal < SW_SIGNALS_COUNT; signal++) {
        if (env->entries[signal] != NULL) {
            err = make_signal_cells(env, labels, signal, &endpoint->cells[signal]);
        }
    }
    for (unsigned i = 0; err == SW_OK && i < RECEIVE_REFUSALS_COUNT; i++) {
        labels[2].value = reasons[i];
        err = sw_cell_make(
            env->metrics, env->core->index, &rejected_family, labels, 3, &endpoint->refusals[i]
        );
    }
    return err;
}

/* ---- limits ---- */

static int64_t grpc_message_max(const struct sw_otlp_receiver_conf *conf)
{
    int64_t mib = conf->protocols.grpc.max_recv_msg_size_mib;
    if (mib <= 0) {
        return GRPC_MESSAGE_MAX;
    }
    return mib > MESSAGE_MAX_ALLOWED / MIB ? MESSAGE_MAX_ALLOWED : mib * MIB;
}

static int64_t http_message_max(const struct sw_otlp_receiver_conf *conf)
{
    int64_t bytes = conf->protocols.http.server.max_request_body_size;
    return bytes <= 0 ? HTTP_BODY_MAX : SW_MIN(bytes, MESSAGE_MAX_ALLOWED);
}

int64_t sw_otlp_receiver_message_max(const struct sw_otlp_receiver_conf *conf)
{
    int64_t grpc = conf->protocols.grpc.enabled ? grpc_message_max(conf) : 0;
    int64_t http = conf->protocols.http.enabled ? http_message_max(conf) : 0;
    return SW_MAX(grpc, http);
}

// `compression_algorithms`: names that no decoder has are refused like those that are not listed.
static uint32_t http_codings(const struct sw_otlp_receiver_conf *conf)
{
    const struct sw_list *names = &conf->protocols.http.server.compression_algorithms;
    uint32_t codings = 0;
    for (size_t i = 0; i < names->count; i++) {
        const char *name = SW_LIST_AT(*names, const char *, i);
        enum sw_coding coding;
        if (sw_coding_of((struct sw_http_text){name, strlen(name)}, &coding)) {
            codings |= 1u << coding;
        }
    }
    return codings;
}

static bool http_timed(const struct sw_http_server_conf *conf)
{
    return conf->read_timeout_ns > 0 || conf->read_header_timeout_ns > 0
           || conf->write_timeout_ns > 0 || conf->idle_timeout_ns > 0;
}

/* ---- connections ---- */

static void conn_due(struct sw_timer *timer, uint64_t now_ns)
{
    struct receive_conn *conn = SW_CONTAINER_OF(timer, struct receive_conn, timer);
    conn->endpoint->ops->due(conn, now_ns);
}

void sw_receive_conn_init(
    struct receive_conn *conn,
    struct receive_endpoint *endpoint,
    struct sw_stream *stream,
    const struct sw_stream_events *events,
    bool (*run)(struct sw_task *task, uint64_t now_ns)
)
{
    struct sw_otlp_receiver *receiver = endpoint->receiver;
    struct sw_core *core = receiver->core;
    conn->endpoint = endpoint;
    conn->stream = stream;
    conn->task.run = run;
    conn->since_ns = core->now_ns;
    sw_timer_init(&conn->timer, conn_due);
    LIST_INIT(&conn->calls);
    LIST_INSERT_HEAD(&receiver->conns, conn, all);
    sw_stream_bind(stream, events, conn);
    if (!receiver->sweep_timer.armed) {
        sw_timer_set(&core->timers, &receiver->sweep_timer, core->now_ns + SWEEP_NS);
    }
}

static void count_ended(struct sw_otlp_receiver *receiver)
{
    atomic_fetch_add_explicit(&receiver->core->accepted_ended_count, 1, memory_order_relaxed);
}

void sw_receive_turn_away(struct sw_otlp_receiver *receiver, struct sw_stream *stream)
{
    sw_stream_close(stream);
    count_ended(receiver);
}

void sw_receive_conn_free(struct receive_conn *conn)
{
    struct sw_otlp_receiver *receiver = conn->endpoint->receiver;
    SW_ASSERT(!conn->feeding);
    conn->endpoint->ops->fini(conn);
    sw_receive_calls_close(conn);
    sw_core_task_cancel(receiver->core, &conn->task);
    sw_timer_cancel(&receiver->core->timers, &conn->timer);
    sw_client_unref(conn->client);
    LIST_REMOVE(conn, all);
    sw_free(conn); // the first member of what was allocated
    count_ended(receiver);
}

void sw_receive_conn_close(struct receive_conn *conn)
{
    sw_stream_close(conn->stream);
    sw_receive_conn_free(conn);
}

void sw_receive_conn_finish(struct receive_conn *conn)
{
    if (!conn->ending) {
        conn->ending = true;
        sw_timer_cancel(&conn->endpoint->receiver->core->timers, &conn->timer);
        conn->since_ns = conn->endpoint->receiver->core->now_ns;
        sw_stream_shutdown(conn->stream);
        sw_stream_pause(conn->stream, false); // to hear the peer's end
    }
}

static bool mailbox_full(const struct sw_core *core)
{
    return core->mailbox != NULL && sw_mailbox_congested(core->mailbox);
}

void sw_receive_conn_regulate(struct receive_conn *conn)
{
    struct sw_otlp_receiver *receiver = conn->endpoint->receiver;
    struct sw_core *core = receiver->core;
    if (conn->ending) {
        return;
    }
    conn->congested = mailbox_full(core);
    if (conn->congested && !receiver->resume_timer.armed) {
        sw_timer_set(&core->timers, &receiver->resume_timer, core->now_ns + RESUME_NS);
    }
    // A peer that does not read its answers gives us no more to answer (on_drain lifts it).
    bool choked = conn->stream->queued_bytes > SW_STREAM_HIGH_BYTES;
    bool pause = conn->congested || conn->held || choked;
    if (conn->stream->paused != pause) {
        sw_stream_pause(conn->stream, pause);
    }
}

static void resume(struct sw_timer *timer, uint64_t now_ns)
{
    struct sw_otlp_receiver *receiver =
        SW_CONTAINER_OF(timer, struct sw_otlp_receiver, resume_timer);
    struct receive_conn *conn;
    (void)now_ns;
    LIST_FOREACH(conn, &receiver->conns, all)
    {
        if (conn->congested) {
            sw_receive_conn_regulate(conn);
        }
    }
}

static void sweep_conn(struct receive_conn *conn, uint64_t now_ns)
{
    if (!conn->ending) {
        conn->endpoint->ops->sweep(conn, now_ns);
    } else if (now_ns - conn->since_ns >= RECEIVE_LINGER_NS && conn->stream->queued_bytes == 0) {
        sw_receive_conn_close(conn);
    } else if (now_ns - conn->since_ns >= RECEIVE_STALL_NS) {
        sw_receive_conn_close(conn);
    }
}

static void sweep(struct sw_timer *timer, uint64_t now_ns)
{
    struct sw_otlp_receiver *receiver =
        SW_CONTAINER_OF(timer, struct sw_otlp_receiver, sweep_timer);
    struct receive_conn *next;
    for (struct receive_conn *conn = LIST_FIRST(&receiver->conns); conn != NULL; conn = next) {
        next = LIST_NEXT(conn, all);
        sweep_conn(conn, now_ns);
    }
    if (!LIST_EMPTY(&receiver->conns)) {
        sw_timer_set(&receiver->core->timers, timer, now_ns + SWEEP_NS);
    }
}

/* ---- receiver ---- */

int sw_otlp_receiver_new(
    const struct sw_otlp_receiver_env *env,
    struct sw_otlp_receiver **ret_receiver
)
{
    struct sw_otlp_receiver *receiver = sw_zalloc(sizeof(*receiver));
    if (receiver == NULL) {
        return SW_E_NOMEM;
    }
    receiver->env = *env;
    receiver->core = env->core;
    receiver->http_codings = http_codings(env->conf);
    receiver->http_timed = http_timed(&env->conf->protocols.http.server);
    LIST_INIT(&receiver->conns);
    LIST_INIT(&receiver->orphans);
    sw_timer_init(&receiver->sweep_timer, sweep);
    sw_timer_init(&receiver->resume_timer, resume);
    receiver->grpc = (struct receive_endpoint){
        .receiver = receiver,
        .ops = &sw_receive_grpc_ops,
        .message_max = (uint32_t)grpc_message_max(env->conf),
    };
    receiver->http = (struct receive_endpoint){
        .receiver = receiver,
        .ops = &sw_receive_http_ops,
        .message_max = (uint32_t)http_message_max(env->conf),
    };
    int err = sw_codec_new(&receiver->codec);
    if (err == SW_OK && env->conf->protocols.grpc.enabled) {
        err = make_cells(env, "grpc", &receiver->grpc);
    }
    if (err == SW_OK && env->conf->protocols.grpc.enabled) {
        err = sw_receive_durations_new(env, true, &receiver->grpc.durations);
    }
    if (err == SW_OK && env->conf->protocols.http.enabled) {
        err = make_cells(env, "http", &receiver->http);
    }
    if (err == SW_OK && env->conf->protocols.http.enabled) {
        err = sw_receive_durations_new(env, false, &receiver->http.durations);
    }
    if (err == SW_OK && env->conf->protocols.http.enabled) {
        err = sw_receive_front_new(&env->conf->protocols.http.server, &receiver->front);
    }
    if (err != SW_OK) {
        sw_otlp_receiver_free(receiver);
        return err;
    }
    *ret_receiver = receiver;
    return SW_OK;
}

static void close_all(struct sw_otlp_receiver *receiver)
{
    struct receive_conn *conn;
    while ((conn = LIST_FIRST(&receiver->conns)) != NULL) {
        sw_receive_conn_close(conn);
    }
}

void sw_otlp_receiver_free(struct sw_otlp_receiver *receiver)
{
    if (receiver == NULL) {
        return;
    }
    close_all(receiver);
    sw_receive_calls_free(receiver);
    sw_timer_cancel(&receiver->core->timers, &receiver->sweep_timer);
    sw_timer_cancel(&receiver->core->timers, &receiver->resume_timer);
    sw_codec_free(receiver->codec);
    sw_receive_front_free(receiver->front);
    sw_free(receiver->grpc.durations);
    sw_free(receiver->http.durations);
    sw_free(receiver);
}

void sw_otlp_receiver_notice(struct sw_otlp_receiver *receiver, uint64_t notice_ns)
{
    char text[SW_DRAIN_NOTICE_TEXT];
    sw_drain_notice_write(notice_ns, text);
    struct receive_conn *conn;
    LIST_FOREACH(conn, &receiver->conns, all)
    {
        if (!conn->ending && conn->endpoint->ops->notice != NULL) {
            conn->endpoint->ops->notice(conn, text);
        }
    }
}

int sw_otlp_receiver_drain(struct sw_otlp_receiver *receiver, uint64_t deadline_ns)
{
    receiver->draining = true;
    if (receiver->core->now_ns >= deadline_ns) {
        close_all(receiver);
    }
    struct receive_conn *next;
    for (struct receive_conn *conn = LIST_FIRST(&receiver->conns); conn != NULL; conn = next) {
        next = LIST_NEXT(conn, all);
        if (!conn->ending) {
            conn->endpoint->ops->drain(conn);
        }
    }
    bool left = !LIST_EMPTY(&receiver->conns) || receiver->calls_count > 0;
    return left ? SW_E_AGAIN : SW_OK;
}
