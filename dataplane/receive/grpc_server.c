/* The gRPC endpoint: clear-text HTTP/2 with prior knowledge, a unary call per stream. Answers as grpc-go
 * gives them (otlp-protocol §3.2, §5.3). */
#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"
#include "dataplane/otlp/status.h"
#include "dataplane/receive/grpc_internal.h"

#include <stdio.h>

// A text that came from a backend may be of any length; a header must not be.
#define MESSAGE_BYTES_MAX 4096u

/* ---- answers ---- */

static const uint8_t success[] = {0x0a, 0x00};
// The same two bytes as a gzip member, as a zstd frame (a raw block), as a snappy stream (a plain chunk).
static const uint8_t success_gzip[] = {
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xe3,
    0x62, 0x00, 0x00, 0x75, 0xfa, 0x36, 0xbb, 0x02, 0x00, 0x00, 0x00,
};
static const uint8_t success_zstd[] = {
    0x28,
    0xb5,
    0x2f,
    0xfd,
    0x20,
    0x02,
    0x11,
    0x00,
    0x00,
    0x0a,
    0x00,
};
static const uint8_t success_snappy[] = {
    0xff, 0x06, 0x00, 0x00, 0x73, 0x4e, 0x61, 0x50, 0x70, 0x59,
    0x01, 0x06, 0x00, 0x00, 0x39, 0x81, 0x8b, 0xab, 0x0a, 0x00,
};

static struct sw_piece success_in(enum sw_coding coding)
{
    switch (coding) {
    case SW_CODING_GZIP:
        return (struct sw_piece){.data = success_gzip, .len = sizeof(success_gzip)};
    case SW_CODING_ZSTD:
        return (struct sw_piece){.data = success_zstd, .len = sizeof(success_zstd)};
    case SW_CODING_SNAPPY_FRAMED:
        return (struct sw_piece){.data = success_snappy, .len = sizeof(success_snappy)};
    default:
        SW_ASSERT(coding == SW_CODING_NONE);
        return (struct sw_piece){.data = success, .len = sizeof(success)};
    }
}

static bool next_packed(struct sw_http_body *body, uint32_t most, struct sw_piece *ret_piece)
{
    struct receive_call *call = SW_CONTAINER_OF(body, struct receive_call, reply);
    struct sw_piece whole = success_in(call->reply_coding);
    uint32_t left = (uint32_t)body->bytes;
    *ret_piece = (struct sw_piece){
        .data = whole.data + whole.len - left,
        .len = SW_MIN(left, most),
    };
    return true;
}

static void make_reply(struct receive_call *call)
{
    struct sw_http_body *body = &call->reply;
    struct sw_piece whole = success_in(call->reply_coding);
    bool packed = call->reply_coding != SW_CODING_NONE;
    *body = (struct sw_http_body){.head_len = SW_GRPC_PREFIX_BYTES};
    sw_grpc_prefix(body->head, packed, whole.len);
    if (packed) {
        body->bytes = whole.len;
        body->next = next_packed;
    } else {
        memcpy(body->head + SW_GRPC_PREFIX_BYTES, success, sizeof(success));
        body->head_len += sizeof(success);
    }
}

static struct sw_h2_header content_type(const struct receive_call *call)
{
    if (call->type_len == 0) {
        return SW_H2_FIXED("content-type", "application/grpc");
    }
    return (struct sw_h2_header){SW_HTTP_TEXT("content-type"), {call->type, call->type_len}, false};
}

static int answer_success(struct grpc_conn *grpc, struct receive_call *call)
{
    static const struct sw_h2_header trailers[] = {
        {{"grpc-status", 11}, {"0", 1}, true},
        {{"grpc-message", 12}, {"", 0}, true},
    };
    struct sw_h2_header headers[3] = {SW_H2_FIXED(":status", "200"), content_type(call)};
    size_t count = 2;
    if (call->reply_coding != SW_CODING_NONE) {
        const char *name = sw_coding_grpc_name(call->reply_coding);
        headers[count++] =
            (struct sw_h2_header){SW_HTTP_TEXT("grpc-encoding"), {name, strlen(name)}, true};
    }
    make_reply(call);
    return sw_h2_respond(
        grpc->h2, call->id, headers, count, &call->reply, trailers, SW_ARRAY_SIZE(trailers)
    );
}

// grpc-status-details-bin; NULL: none, or no memory for it.
static struct sw_buf *details_text(const struct receive_answer *answer)
{
    struct sw_buf *status = answer->details != NULL ? sw_receive_status_bytes(answer) : NULL;
    if (status == NULL) {
        return NULL;
    }
    struct sw_bytes bytes = {status->data, status->size};
    size_t size = sw_base64_encode(bytes, false, NULL, 0);
    struct sw_buf *text = sw_buf_new(NULL, (uint32_t)size);
    if (text != NULL) {
        text->size = (uint32_t)sw_base64_encode(bytes, false, (char *)text->data, size);
    }
    sw_buf_unref(status);
    return text;
}

// One block of headers says it all ("trailers-only").
static int answer_failure(
    struct grpc_conn *grpc,
    struct receive_call *call,
    const struct receive_answer *answer
)
{
    char status[8];
    char code[16];
    char message[3 * MESSAGE_BYTES_MAX];
    struct sw_bytes text = {
        (const uint8_t *)answer->text.data,
        SW_MIN(answer->text.len, (size_t)MESSAGE_BYTES_MAX),
    };
    unsigned http_status = answer->http_status != 0 ? answer->http_status : 200;
    size_t status_len = (size_t)snprintf(status, sizeof(status), "%u", http_status);
    size_t code_len = (size_t)snprintf(code, sizeof(code), "%d", answer->grpc_code);
    size_t message_len = sw_grpc_message_encode(text, message, sizeof(message));
    struct sw_buf *details = details_text(answer);
    struct sw_h2_header headers[5] = {
        {SW_HTTP_TEXT(":status"), {status, status_len}, false},
        content_type(call),
        {SW_HTTP_TEXT("grpc-status"), {code, code_len}, false},
        {SW_HTTP_TEXT("grpc-message"), {message, message_len}, false},
    };
    size_t count = 4;
    if (details != NULL) {
        headers[count++] = (struct sw_h2_header
        ){SW_HTTP_TEXT("grpc-status-details-bin"), receive_buf_text(details), false};
    }
    int err = sw_h2_respond(grpc->h2, call->id, headers, count, NULL, NULL, 0);
    sw_buf_unref(details);
    return err;
}

static void answer(struct receive_call *call, const struct receive_answer *answer)
{
    struct grpc_conn *grpc = grpc_of(call->conn);
    int err = answer->grpc_code == SW_GRPC_OK ? answer_success(grpc, call)
                                              : answer_failure(grpc, call, answer);
    if (err != SW_OK && err != SW_E_CLOSED) {
        sw_h2_reset(grpc->h2, call->id, SW_H2_INTERNAL_ERROR);
    }
    receive_conn_wake(&grpc->conn);
}

/* ---- streams ---- */

static void *on_begin(void *owner, int32_t id)
{
    struct grpc_conn *grpc = owner;
    const struct sw_grpc_server_conf *conf =
        &grpc->conn.endpoint->receiver->env.conf->protocols.grpc;
    uint32_t most =
        conf->max_concurrent_streams > 0 ? conf->max_concurrent_streams : SW_H2_STREAMS_MAX;
    // Those that were reset and still have their ticket out count too (CVE-2023-44487).
    if (grpc->conn.calls_count >= most) {
        receive_count_refusal(grpc->conn.endpoint, RECEIVE_STREAMS);
        return NULL;
    }
    struct receive_call *call = sw_receive_call_new(&grpc->conn);
    if (call == NULL) {
        receive_count_refusal(grpc->conn.endpoint, RECEIVE_MEMORY);
        return NULL;
    }
    call->id = id;
    grpc->life.idle_ns = SW_TIME_NEVER;
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
    (void)owner;
    (void)id;
    sw_receive_grpc_header(stream, name, value);
}

static void
on_headers(void *owner, int32_t id, void *stream, enum sw_h2_headers_kind kind, bool end)
{
    (void)owner;
    (void)id;
    (void)end;
    if (kind == SW_H2_REQUEST) {
        sw_receive_grpc_headers_end(stream);
    }
}

static void refuse_message(struct receive_call *call, int err)
{
    const struct sw_grpc_reader *reader = &call->reader;
    struct sw_buf *text;
    switch (err) {
    case SW_E_TOO_LARGE:
        text = sw_receive_text(
            "grpc: received message larger than max (%u vs. %u)", reader->length, reader->limit
        );
        sw_receive_call_refuse_text(call, RECEIVE_TOO_LARGE, 0, SW_GRPC_RESOURCE_EXHAUSTED, text);
        break;
    case SW_E_PROTOCOL:
        text = sw_receive_text("grpc: received unexpected payload format %u", reader->prefix[0]);
        sw_receive_call_refuse_text(call, RECEIVE_PROTOCOL, 0, SW_GRPC_INTERNAL, text);
        break;
    default:
        sw_receive_call_refuse_err(
            call, RECEIVE_MEMORY, err == SW_E_FULL ? SW_E_MEMORY_LIMIT : err
        );
        break;
    }
}

static void message_whole(struct receive_call *call)
{
    call->coding = call->reader.compressed ? call->reply_coding : SW_CODING_NONE;
    if (call->reader.compressed && call->reply_coding == SW_CODING_NONE) {
        struct sw_buf *text =
            sw_receive_text("grpc: compressed flag set with identity or empty encoding");
        sw_receive_call_refuse_text(call, RECEIVE_PROTOCOL, 0, SW_GRPC_INTERNAL, text);
        return;
    }
    sw_receive_call_submit(call, sw_grpc_reader_take(&call->reader));
}

// The bytes are in the body's buffer, so the peer may send more; a call that is refused takes no more
// of them.
static void on_data(void *owner, int32_t id, void *stream, const uint8_t *data, size_t size)
{
    struct grpc_conn *grpc = owner;
    struct receive_call *call = stream;
    sw_h2_consume(grpc->h2, id, size);
    if (call->state != CALL_BODY) {
        return;
    }
    call->touched_ns = grpc->conn.stream->core->now_ns;
    int err = sw_grpc_reader_feed(&call->reader, data, size);
    if (err != SW_OK) {
        refuse_message(call, err);
    } else if (call->reader.done) {
        // grpc-go does not wait for the end of the stream either.
        message_whole(call);
    }
}

static void on_end(void *owner, int32_t id, void *stream)
{
    (void)owner;
    (void)id;
    struct receive_call *call = stream;
    if (call->state == CALL_BODY) {
        // grpc-go never answers a call without any message; nobody shall wait for ever here.
        bool some = call->reader.prefix_len > 0;
        struct sw_buf *text = sw_receive_text("%s", some ? "unexpected EOF" : "EOF");
        sw_receive_call_refuse_text(call, RECEIVE_PROTOCOL, 0, SW_GRPC_UNKNOWN, text);
    }
}

static void on_close(void *owner, int32_t id, void *stream, uint32_t code)
{
    struct grpc_conn *grpc = owner;
    (void)id;
    (void)code;
    sw_receive_call_close(stream);
    // Not while the session is being freed.
    if (grpc->h2 != NULL && sw_h2_streams_count(grpc->h2) == 0) {
        sw_receive_grpc_idle(grpc);
    }
}

static void on_settings(void *owner)
{
    ((struct grpc_conn *)owner)->settings_seen = true;
}

static const struct sw_h2_events h2_events = {
    .on_begin = on_begin,
    .on_header = on_header,
    .on_headers = on_headers,
    .on_data = on_data,
    .on_end = on_end,
    .on_close = on_close,
    .on_settings = on_settings,
};

/* ---- connection ---- */

// Closes its streams one by one.
static void free_session(struct grpc_conn *grpc)
{
    struct sw_h2 *h2 = grpc->h2;
    grpc->h2 = NULL;
    sw_h2_free(h2);
}

static void end(struct grpc_conn *grpc)
{
    free_session(grpc);
    sw_receive_calls_close(&grpc->conn);
    sw_receive_conn_finish(&grpc->conn);
}

// After bytes went in or out. The connection may be gone then.
static void look(struct grpc_conn *grpc, int err)
{
    if (err == SW_E_PROTOCOL || (err == SW_OK && sw_h2_done(grpc->h2))) {
        end(grpc); // a GOAWAY is on its way, or was
    } else if (err != SW_OK) {
        sw_receive_conn_close(&grpc->conn);
    } else {
        sw_receive_conn_regulate(&grpc->conn);
    }
}

static void stream_data(void *owner, struct sw_stream *stream, const uint8_t *data, size_t size)
{
    struct grpc_conn *grpc = owner;
    if (grpc->conn.ending) {
        return;
    }
    grpc->conn.feeding = true;
    grpc->life.read_ns = stream->core->now_ns;
    int err = sw_h2_recv(grpc->h2, data, size);
    grpc->conn.feeding = false;
    look(grpc, err);
}

static bool run(struct sw_task *task, uint64_t now_ns)
{
    (void)now_ns;
    struct grpc_conn *grpc = SW_CONTAINER_OF(task, struct grpc_conn, conn.task);
    if (!grpc->conn.ending) {
        look(grpc, sw_h2_send(grpc->h2));
    }
    return false;
}

// As grpc-go, for which a connection whose reading ended is gone.
static void stream_eof(void *owner, struct sw_stream *stream)
{
    (void)stream;
    struct grpc_conn *grpc = owner;
    sw_receive_conn_close(&grpc->conn);
}

static void stream_drain(void *owner, struct sw_stream *stream)
{
    (void)stream;
    struct grpc_conn *grpc = owner;
    if (!grpc->conn.ending) {
        look(grpc, sw_h2_send(grpc->h2));
    }
}

static void stream_closed(void *owner, struct sw_stream *stream, int err)
{
    (void)stream;
    (void)err;
    struct grpc_conn *grpc = owner;
    sw_receive_conn_free(&grpc->conn);
}

static const struct sw_stream_events stream_events = {
    .on_data = stream_data,
    .on_eof = stream_eof,
    .on_drain = stream_drain,
    .on_closed = stream_closed,
};

// @return false: the peer does not even finish its headers
static bool sweep_call(struct receive_call *call, uint64_t now_ns)
{
    struct receive_answer answer;
    bool stalled = now_ns - call->touched_ns >= RECEIVE_STALL_NS;
    if (call->state != CALL_BODY) {
        return true;
    }
    if (!call->headers_done) {
        return !stalled;
    }
    if (now_ns >= call->deadline_ns) {
        struct sw_buf *text = sw_receive_text("context deadline exceeded");
        sw_receive_call_refuse_text(call, RECEIVE_TIMEOUT, 0, SW_GRPC_DEADLINE_EXCEEDED, text);
    } else if (stalled) {
        sw_receive_answer_of_err(SW_E_TIMEOUT, &answer);
        sw_receive_call_refuse(call, RECEIVE_TIMEOUT, &answer);
    }
    return true;
}

static void sweep(struct receive_conn *conn, uint64_t now_ns)
{
    struct grpc_conn *grpc = grpc_of(conn);
    if (!grpc->settings_seen && now_ns - conn->since_ns >= RECEIVE_PREFACE_NS) {
        sw_receive_conn_close(conn);
        return;
    }
    struct receive_call *call;
    LIST_FOREACH(call, &conn->calls, of_owner)
    {
        // Refusing frees nothing before the stream is closed.
        if (!sweep_call(call, now_ns)) {
            receive_count_refusal(conn->endpoint, RECEIVE_TIMEOUT);
            sw_receive_conn_close(conn);
            return;
        }
    }
    if (sw_h2_done(grpc->h2)) {
        end(grpc); // the timer of its graceful end was the last to work on it
    }
}

static void notice(struct receive_conn *conn, const char *text)
{
    struct grpc_conn *grpc = grpc_of(conn);
    if (grpc->settings_seen && !sw_h2_leaving(grpc->h2)) {
        sw_h2_goaway(grpc->h2, text);
        receive_conn_wake(conn);
    }
}

static void drain(struct receive_conn *conn)
{
    struct grpc_conn *grpc = grpc_of(conn);
    if (!grpc->settings_seen) {
        sw_receive_conn_close(conn); // nobody that could be told
    } else if (!sw_h2_leaving(grpc->h2)) {
        sw_h2_goaway(grpc->h2, "graceful_stop");
        receive_conn_wake(conn);
    }
}

static void fini(struct receive_conn *conn)
{
    free_session(grpc_of(conn));
}

const struct receive_conn_ops sw_receive_grpc_ops = {
    .answer = answer,
    .due = sw_receive_grpc_due,
    .sweep = sweep,
    .notice = notice,
    .drain = drain,
    .fini = fini,
};

void sw_otlp_receiver_accept_grpc(struct sw_otlp_receiver *receiver, struct sw_stream *stream)
{
    const struct sw_grpc_server_conf *conf = &receiver->env.conf->protocols.grpc;
    struct grpc_conn *grpc = sw_zalloc(sizeof(*grpc));
    if (grpc == NULL) {
        sw_receive_turn_away(receiver, stream);
        return;
    }
    sw_receive_conn_init(&grpc->conn, &receiver->grpc, stream, &stream_events, run);
    struct sw_h2_options options = {
        .server = true,
        .max_concurrent_streams = conf->max_concurrent_streams,
        .budget = receiver->env.budget,
        .ping_min_ns = conf->keepalive.enforcement.min_time_ns,
        .ping_without_stream = conf->keepalive.enforcement.permit_without_stream,
    };
    struct sw_http_out out = sw_http_out_stream(stream);
    int err = sw_h2_new(receiver->core, &options, &out, &h2_events, grpc, &grpc->h2);
    if (err != SW_OK || receiver->draining) {
        sw_receive_conn_close(&grpc->conn);
        return;
    }
    sw_receive_grpc_life_begin(grpc);
}
