/* How long a connection of the HTTP endpoint may wait for its peer: read_header_timeout, read_timeout,
 * write_timeout, idle_timeout as net/http counts them (go1.25 net/http/server.go, conn.readRequest and
 * conn.serve), and our own bounds where none is configured.
 *
 * A connection has one timer. It is moved to an earlier time only; when it fires too early it looks at what
 * is awaited by then, so that a request costs no timer. */
#include "dataplane/base/clock.h"
#include "dataplane/receive/http_internal.h"

static const struct sw_http_server_conf *conf_of(const struct http_conn *http)
{
    return &http->conn.endpoint->receiver->env.conf->protocols.http.server;
}

static uint64_t after(uint64_t from_ns, int64_t timeout_ns)
{
    return timeout_ns > 0 ? from_ns + (uint64_t)timeout_ns : SW_TIME_NEVER;
}

static int64_t or_read_timeout(const struct sw_http_server_conf *conf, int64_t timeout_ns)
{
    return timeout_ns != 0 ? timeout_ns : conf->read_timeout_ns;
}

static int64_t head_timeout(const struct http_conn *http)
{
    const struct sw_http_server_conf *conf = conf_of(http);
    return or_read_timeout(conf, conf->read_header_timeout_ns);
}

static bool is_idle(const struct http_conn *http)
{
    return http->call == NULL && sw_http1_idle(&http->http);
}

static uint64_t read_deadline(const struct http_conn *http)
{
    const struct sw_http_server_conf *conf = conf_of(http);
    if (is_idle(http) && http->served) {
        return after(http->from_ns, or_read_timeout(conf, conf->idle_timeout_ns));
    }
    if (http->call == NULL) {
        return after(http->from_ns, head_timeout(http));
    }
    return http->whole ? SW_TIME_NEVER : after(http->from_ns, conf->read_timeout_ns);
}

static uint64_t write_deadline(const struct http_conn *http)
{
    bool writing = http->call != NULL || http->conn.stream->queued_bytes > 0;
    if (!writing || http->late || http->head_ns == 0) {
        return SW_TIME_NEVER;
    }
    return after(http->head_ns, conf_of(http)->write_timeout_ns);
}

void sw_receive_http_watch(struct http_conn *http)
{
    struct receive_conn *conn = &http->conn;
    if (!conn->endpoint->receiver->http_timed || conn->ending) {
        return;
    }
    uint64_t at_ns = SW_MIN(read_deadline(http), write_deadline(http));
    if (at_ns != SW_TIME_NEVER && (!conn->timer.armed || at_ns < conn->timer.at_ns)) {
        sw_timer_set(&http_core(http)->timers, &conn->timer, at_ns);
    }
}

/* ---- what is done then ---- */

// The body does not come. The connection may not go on: nobody knows where the next request begins.
static void give_body_up(struct http_conn *http, const struct receive_answer *answer)
{
    if (!http->has_reply) {
        sw_receive_call_refuse(http->call, RECEIVE_TIMEOUT, answer);
    }
    if (http->has_reply) {
        http->reply.close = true;
        sw_receive_http_send(http);
    }
}

// Go leaves without a word.
static void leave(struct http_conn *http)
{
    if (http->call == NULL && !is_idle(http)) {
        receive_count_refusal(http->conn.endpoint, RECEIVE_TIMEOUT);
    }
    if (http->conn.stream->queued_bytes > 0) {
        sw_receive_conn_finish(&http->conn);
    } else {
        sw_receive_conn_close(&http->conn);
    }
}

void sw_receive_http_due(struct receive_conn *conn, uint64_t now_ns)
{
    struct http_conn *http = http_of(conn);
    if (write_deadline(http) <= now_ns) {
        if (http->call == NULL) {
            sw_receive_conn_close(conn); // the peer does not take its answer
            return;
        }
        http->late = true; // the handler goes on; its answer will find no way out
    }
    if (read_deadline(http) > now_ns) {
        sw_receive_http_watch(http);
        return;
    }
    if (http->call == NULL) {
        leave(http);
        return;
    }
    struct receive_answer answer = {
        .grpc_code = SW_GRPC_INVALID_ARGUMENT,
        .http_status = 400,
        .text = SW_HTTP_TEXT("i/o timeout"),
    };
    give_body_up(http, &answer);
}

void sw_receive_http_sweep(struct receive_conn *conn, uint64_t now_ns)
{
    struct http_conn *http = http_of(conn);
    if (conn->congested) {
        return; // it is we who do not read
    }
    if (http->call == NULL) {
        if (!sw_http1_idle(&http->http) && head_timeout(http) <= 0
            && now_ns - conn->since_ns >= RECEIVE_HEAD_NS) {
            receive_count_refusal(conn->endpoint, RECEIVE_TIMEOUT);
            sw_receive_conn_close(conn);
        }
        return;
    }
    if (http->whole || conf_of(http)->read_timeout_ns > 0
        || now_ns - http->call->touched_ns < RECEIVE_STALL_NS) {
        return;
    }
    struct receive_answer answer;
    sw_receive_answer_of_err(SW_E_TIMEOUT, &answer);
    give_body_up(http, &answer);
}
