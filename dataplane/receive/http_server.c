/* The HTTP endpoint: HTTP/1.1 in clear text, one request after the other (otlp-protocol §4; v0.159
 * receiver/otlpreceiver/otlphttp.go, config/confighttp; go1.25 net/http/server.go). */
#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"
#include "dataplane/receive/http_internal.h"

// A body of unknown length begins with this.
#define BODY_START_BYTES (16u << 10)

/* ---- the head of a request ---- */

static void turn_away_plain(
    struct http_conn *http,
    enum receive_refusal refusal,
    unsigned status,
    struct sw_http_text text
)
{
    struct http_reply reply = {.status = status, .type = "text/plain", .body = text};
    sw_receive_http_turn_away(http, refusal, &reply);
}

static void turn_away_empty(struct http_conn *http, unsigned status)
{
    struct http_reply reply = {.status = status, .close = true, .bare = status == 417};
    sw_receive_http_turn_away(http, RECEIVE_PROTOCOL, &reply);
}

// As net/http's globalOptionsHandler, which stands in front of every handler.
static void answer_options(struct http_conn *http)
{
    struct http_reply reply = {.status = 200, .bare = true};
    http->call->answered = true;
    http->call->state = CALL_DONE;
    sw_receive_http_give(http, &reply);
}

static void turn_away_not_found(struct http_conn *http)
{
    struct http_reply reply = {
        .status = 404,
        .type = "text/plain; charset=utf-8",
        .nosniff = true,
        .body = SW_HTTP_TEXT("404 page not found\n"),
    };
    sw_receive_http_turn_away(http, RECEIVE_UNKNOWN, &reply);
}

static void refuse_encoding(struct http_conn *http, struct sw_http_text encoding)
{
    struct sw_buf *text = sw_receive_text(
        "unsupported Content-Encoding: %.*s", (int)SW_MIN(encoding.len, (size_t)512), encoding.data
    );
    sw_receive_call_refuse_text(http->call, RECEIVE_ENCODING, 400, SW_GRPC_INVALID_ARGUMENT, text);
}

static void refuse_memory(struct http_conn *http, int err)
{
    sw_receive_call_refuse_err(http->call, RECEIVE_MEMORY, err);
}

static void refuse_large(struct http_conn *http)
{
    struct sw_buf *text = sw_receive_text("http: request body too large");
    sw_receive_call_refuse_text(http->call, RECEIVE_TOO_LARGE, 400, SW_GRPC_INVALID_ARGUMENT, text);
}

// @return true: it leads to a signal
static bool route(struct http_conn *http)
{
    const struct sw_http1 *message = &http->http;
    struct sw_buf *location = NULL;
    struct http_reply reply;
    switch (sw_receive_route_of(
        http->conn.endpoint->receiver, message->target, &http->call->signal, &location
    )) {
    case RECEIVE_ROUTE_SIGNAL:
        return true;
    case RECEIVE_ROUTE_REDIRECT:
        reply = (struct http_reply){.status = 307, .location = location};
        sw_receive_http_turn_away(http, RECEIVE_UNKNOWN, &reply);
        return false;
    case RECEIVE_ROUTE_ASTERISK:
        turn_away_empty(http, 400);
        return false;
    case RECEIVE_ROUTE_INVALID:
        sw_receive_call_close(http->call);
        http->call = NULL;
        sw_receive_http_bad_request(http, 400, NULL);
        return false;
    case RECEIVE_ROUTE_NOMEM:
        refuse_memory(http, SW_E_NOMEM);
        return false;
    default:
        turn_away_not_found(http);
        return false;
    }
}

// Where no coding is accepted, not even none, bodies are taken as they come (`compression_algorithms: []`).
// @return false: it is refused
static bool take_encoding(struct http_conn *http, struct sw_http_text encoding)
{
    uint32_t accepted = http->conn.endpoint->receiver->http_codings;
    enum sw_coding coding = SW_CODING_NONE;
    if (accepted == 0) {
        return true;
    }
    if (!sw_coding_of(encoding, &coding) || (accepted & 1u << coding) == 0) {
        refuse_encoding(http, encoding);
        return false;
    }
    http->call->coding = coding;
    return true;
}

// The order of the Collector's chain: cross-origin requests, decompression, mux, handler. @return false: it is refused
static bool check_head(struct http_conn *http)
{
    const struct sw_http1 *message = &http->http;
    struct sw_http_text encoding = {"", 0};
    if (message->expect_other) {
        turn_away_empty(http, 417);
        return false;
    }
    if (sw_http_text_is(message->target, "*") && sw_http_text_is(message->method, "OPTIONS")) {
        answer_options(http);
        return false;
    }
    if (sw_receive_front_is_preflight(http->conn.endpoint->receiver->front, message)) {
        struct http_reply reply = {.status = 204, .preflight = true};
        http->call->answered = true;
        http->call->state = CALL_DONE;
        sw_receive_http_give(http, &reply);
        return false;
    }
    (void)sw_http1_header(message, "Content-Encoding", &encoding);
    if (!take_encoding(http, encoding)) {
        return false;
    }
    if (!route(http)) {
        return false;
    }
    if (!sw_http_text_is(message->method, "POST")) {
        turn_away_plain(
            http, RECEIVE_PROTOCOL, 405, SW_HTTP_TEXT("405 method not allowed, supported: [POST]")
        );
        return false;
    }
    http->call->is_json = http->media == RECEIVE_MEDIA_JSON;
    if (http->media != RECEIVE_MEDIA_PROTOBUF && http->media != RECEIVE_MEDIA_JSON) {
        turn_away_plain(
            http,
            RECEIVE_ENCODING,
            415,
            SW_HTTP_TEXT("415 unsupported media type, supported: "
                         "[application/json, application/x-protobuf]")
        );
        return false;
    }
    return true;
}

// Room for a body; of unknown length it grows. @return 0, SW_E_MEMORY_LIMIT, SW_E_NOMEM
static int make_room(struct http_conn *http, size_t capacity)
{
    struct sw_otlp_receiver *receiver = http->conn.endpoint->receiver;
    int64_t more = (int64_t)capacity - http->taken_bytes;
    if (!sw_http_budget_take(receiver->env.budget, more)) {
        return SW_E_MEMORY_LIMIT;
    }
    struct sw_buf *larger = sw_buf_new(receiver->core->account, (uint32_t)capacity);
    if (larger == NULL) {
        sw_http_budget_give(receiver->env.budget, more);
        return SW_E_NOMEM;
    }
    if (http->body != NULL) {
        memcpy(larger->data, http->body->data, http->body->size);
        larger->size = http->body->size;
        sw_buf_unref(http->body);
    }
    http->body = larger;
    http->taken_bytes += more;
    return SW_OK;
}

static void begin_body(struct http_conn *http)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const struct sw_http1 *message = &http->http;
    int err = SW_OK;
    if (message->has_length && message->length > http->conn.endpoint->message_max) {
        refuse_large(http);
        return;
    }
    if (sw_receive_memory_short(http->conn.endpoint->receiver)) {
        err = SW_E_MEMORY_LIMIT;
    } else if (message->has_length && message->length > 0) {
        err = make_room(http, (size_t)message->length);
    }
    if (err != SW_OK) {
        refuse_memory(http, err);
        return;
    }
    if (message->expect_continue) {
        http->continued = true;
        sw_receive_http_put(http, go_on, sizeof(go_on) - 1);
    }
}

static void begin_request(struct http_conn *http)
{
    struct sw_http_text type = {"", 0};
    http->call = sw_receive_call_new(&http->conn);
    if (http->call == NULL) {
        sw_receive_http_bad_request(http, 503, NULL);
        return;
    }
    http->head_ns = http_core(http)->now_ns;
    http->late = false;
    (void)sw_http1_header(&http->http, "Content-Type", &type);
    http->media = sw_receive_media_of(type);
    http->head_only = sw_http_text_is(http->http.method, "HEAD");
    if (check_head(http)) {
        begin_body(http);
    }
}

/* ---- its body ---- */

static void discard(struct http_conn *http, size_t size)
{
    http->discarded_bytes += (uint32_t)SW_MIN(size, (size_t)HTTP_DISCARD_BYTES_MAX);
    if (http->discarded_bytes >= HTTP_DISCARD_BYTES_MAX) {
        http->reply.close = true;
        sw_receive_http_send(http);
    }
}

static void take_body(struct http_conn *http, struct sw_http_text bytes)
{
    http->call->touched_ns = http_core(http)->now_ns;
    if (http->has_reply) {
        discard(http, bytes.len);
        return;
    }
    size_t size = http->body != NULL ? http->body->size : 0;
    size_t capacity = http->body != NULL ? http->body->capacity : 0;
    if (bytes.len > http->conn.endpoint->message_max - size) {
        refuse_large(http);
        return;
    }
    if (size + bytes.len > capacity) {
        capacity = SW_MAX(capacity * 2, (size_t)BODY_START_BYTES);
        capacity = SW_MAX(capacity, size + bytes.len);
        capacity = SW_MIN(capacity, (size_t)http->conn.endpoint->message_max);
        int err = make_room(http, capacity);
        if (err != SW_OK) {
            refuse_memory(http, err);
            return;
        }
    }
    memcpy(http->body->data + size, bytes.data, bytes.len);
    http->body->size = (uint32_t)(size + bytes.len);
}

static void end_request(struct http_conn *http)
{
    http->whole = true;
    if (http->has_reply) {
        sw_receive_http_send(http);
        return;
    }
    struct sw_buf *body = http->body;
    http->body = NULL;
    sw_receive_http_drop_body(http); // the budget's share; the account holds the buffer
    if (body != NULL && http->call->coding == SW_CODING_NONE) {
        body = sw_buf_shrink(body); // what grew by doubling would pin too much
    }
    sw_receive_call_submit(http->call, body);
}

static void fail_request(struct http_conn *http)
{
    const struct sw_http1 *message = &http->http;
    if (http->call == NULL) {
        sw_receive_http_bad_request(http, message->status, message->why);
        return;
    }
    http->whole = true;
    if (http->has_reply) {
        http->reply.quiet = sw_receive_http_ended_early(http);
        sw_receive_http_send(http);
        return;
    }
    struct sw_buf *text = sw_receive_text("%s", message->why != NULL ? message->why : "");
    sw_receive_call_refuse_text(http->call, RECEIVE_PROTOCOL, 400, SW_GRPC_INVALID_ARGUMENT, text);
}

/* ---- bytes ---- */

static bool waits(const struct http_conn *http)
{
    return http->call != NULL && http->whole;
}

// @return bytes taken; the others wait for the answer of the request in progress
static size_t feed(struct http_conn *http, const uint8_t *data, size_t size)
{
    size_t at = 0;
    enum sw_http1_event event = SW_HTTP1_HEAD;
    http->conn.feeding = true;
    while (event != SW_HTTP1_MORE && !http->conn.ending && !waits(http)) {
        size_t taken = 0;
        if (http->call == NULL && sw_http1_idle(&http->http)) {
            http->conn.since_ns = http_core(http)->now_ns;
            // The first request counts from the beginning of the connection.
            http->from_ns = http->served ? http->conn.since_ns : http->from_ns;
        }
        event = sw_http1_feed(&http->http, data + at, size - at, &taken);
        at += taken;
        switch (event) {
        case SW_HTTP1_HEAD:
            begin_request(http);
            break;
        case SW_HTTP1_BODY:
            take_body(http, http->http.body);
            break;
        case SW_HTTP1_END:
            end_request(http);
            break;
        case SW_HTTP1_FAIL:
            fail_request(http);
            break;
        default:
            break;
        }
    }
    http->conn.feeding = false;
    sw_receive_http_watch(http);
    return http->conn.ending ? size : at;
}

static void drop_rest(struct http_conn *http)
{
    sw_buf_unref(http->rest);
    http->rest = NULL;
    http->conn.held = false;
}

static void keep_rest(struct http_conn *http, const uint8_t *data, size_t size)
{
    SW_ASSERT(http->rest == NULL);
    http->rest = sw_buf_copy(http_core(http)->account, data, (uint32_t)size);
    http->rest_at = 0;
    http->conn.held = true;
    if (http->rest == NULL) {
        sw_receive_conn_close(&http->conn);
        return;
    }
    sw_receive_conn_regulate(&http->conn);
}

static void stream_ended(struct http_conn *http)
{
    if (sw_http1_eof(&http->http) == SW_HTTP1_FAIL && http->call != NULL) {
        fail_request(http);
    }
    sw_receive_conn_finish(&http->conn);
}

static void stream_data(void *owner, struct sw_stream *stream, const uint8_t *data, size_t size)
{
    (void)stream;
    struct http_conn *http = owner;
    if (http->conn.ending) {
        return;
    }
    size_t taken = feed(http, data, size);
    if (taken < size) {
        keep_rest(http, data + taken, size - taken);
    } else {
        sw_receive_conn_regulate(&http->conn);
    }
}

static bool run(struct sw_task *task, uint64_t now_ns)
{
    (void)now_ns;
    struct http_conn *http = SW_CONTAINER_OF(task, struct http_conn, conn.task);
    struct sw_buf *rest = http->rest;
    if (http->conn.ending || waits(http)) {
        return false;
    }
    if (rest != NULL) {
        uint32_t left = rest->size - http->rest_at;
        http->rest_at += (uint32_t)feed(http, rest->data + http->rest_at, left);
        if (http->rest_at < rest->size) {
            return false;
        }
        drop_rest(http);
    }
    if (http->eof && !waits(http) && !http->conn.ending) {
        stream_ended(http);
    }
    sw_receive_conn_regulate(&http->conn);
    return false;
}

static void stream_eof(void *owner, struct sw_stream *stream)
{
    (void)stream;
    struct http_conn *http = owner;
    http->eof = true;
    if (!http->conn.ending && !waits(http) && http->rest == NULL) {
        stream_ended(http);
    }
}

static void stream_drain(void *owner, struct sw_stream *stream)
{
    (void)stream;
    sw_receive_conn_regulate(&((struct http_conn *)owner)->conn);
}

static void stream_closed(void *owner, struct sw_stream *stream, int err)
{
    (void)stream;
    (void)err;
    sw_receive_conn_free(&((struct http_conn *)owner)->conn);
}

static const struct sw_stream_events stream_events = {
    .on_data = stream_data,
    .on_eof = stream_eof,
    .on_drain = stream_drain,
    .on_closed = stream_closed,
};

/* ---- connection ---- */

static void drain(struct receive_conn *conn)
{
    const struct http_conn *http = http_of(conn);
    // Answers say goodbye themselves, also those of requests that have only begun to come; where none is
    // under way nothing is to be said.
    if (http->call == NULL && http->rest == NULL && sw_http1_idle(&http->http)) {
        if (conn->stream->queued_bytes == 0) {
            sw_receive_conn_close(conn);
        } else {
            sw_receive_conn_finish(conn);
        }
    }
}

static void fini(struct receive_conn *conn)
{
    struct http_conn *http = http_of(conn);
    sw_receive_http_drop_reply(&http->reply);
    sw_receive_http_drop_body(http);
    drop_rest(http);
    sw_http1_fini(&http->http);
    http->call = NULL;
}

const struct receive_conn_ops sw_receive_http_ops = {
    .answer = sw_receive_http_answer,
    .due = sw_receive_http_due,
    .sweep = sw_receive_http_sweep,
    .drain = drain,
    .fini = fini,
};

void sw_otlp_receiver_accept_http(struct sw_otlp_receiver *receiver, struct sw_stream *stream)
{
    struct http_conn *http = sw_zalloc(sizeof(*http));
    if (http == NULL) {
        sw_receive_turn_away(receiver, stream);
        return;
    }
    sw_receive_conn_init(&http->conn, &receiver->http, stream, &stream_events, run);
    sw_http1_init(&http->http, false, receiver->core->account);
    http->from_ns = receiver->core->now_ns;
    if (receiver->draining) {
        sw_receive_conn_close(&http->conn);
        return;
    }
    sw_receive_http_watch(http);
}
