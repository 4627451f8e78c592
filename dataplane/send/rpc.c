/* One gRPC call: request headers, the answer, what it means. */
#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"
#include "dataplane/l7_http/http1.h"
#include "dataplane/otlp/status.h"
#include "dataplane/send/answer.h"
#include "dataplane/send/channel_internal.h"

static const struct sw_event_kind partial_success = {
    .level = SW_EVENT_WARN,
    .message = "Partial success response",
    .component_kind = "exporter",
    .items_key = "dropped_items",
    .text_key = "message",
};

/* ---- life ---- */

static void on_deadline(struct sw_timer *timer, uint64_t now_ns)
{
    struct rpc *rpc = SW_CONTAINER_OF(timer, struct rpc, deadline);
    struct sw_outcome outcome;
    sw_answer_grpc(
        SW_GRPC_DEADLINE_EXCEEDED,
        rpc->state == RPC_SENT
            ? SW_HTTP_TEXT("context deadline exceeded")
            : SW_HTTP_TEXT("context deadline exceeded while waiting for connections to become ready"
            ),
        NULL,
        &outcome
    );
    sw_rpc_abandon(rpc, &outcome);
}

struct rpc *sw_rpc_new(struct channel *channel, struct sw_push_call *call)
{
    struct rpc *rpc = TAILQ_FIRST(&channel->spare);
    if (rpc != NULL) {
        TAILQ_REMOVE(&channel->spare, rpc, queue);
        channel->spare_count--;
    } else {
        rpc = sw_alloc(sizeof(*rpc));
    }
    if (rpc == NULL) {
        return NULL;
    }
    *rpc = (struct rpc){.channel = channel, .call = call, .grpc_status = -1};
    call->below = rpc;
    sw_timer_init(&rpc->deadline, on_deadline);
    if (call->deadline_ns != SW_TIME_NEVER) {
        sw_timer_set(&channel->push.core->timers, &rpc->deadline, call->deadline_ns);
    }
    return rpc;
}

static void forget_answer(struct rpc *rpc)
{
    sw_grpc_reader_fini(&rpc->reader);
    sw_buf_unref(rpc->message);
    sw_buf_unref(rpc->details);
    rpc->message = rpc->details = NULL;
    rpc->http_status = 0;
    rpc->grpc_status = -1;
    rpc->answer_coding = SW_CODING_NONE;
    rpc->foreign_type = rpc->in_block = false;
    rpc->broken = NULL;
}

void sw_rpc_free(struct rpc *rpc)
{
    struct channel *channel = rpc->channel;
    sw_timer_cancel(&channel->push.core->timers, &rpc->deadline);
    forget_answer(rpc);
    sw_send_body_fini(&rpc->body);
    if (channel->spare_count == CHANNEL_SPARE_MAX) {
        sw_free(rpc);
        return;
    }
    TAILQ_INSERT_HEAD(&channel->spare, rpc, queue);
    channel->spare_count++;
}

int sw_rpc_pack(struct rpc *rpc)
{
    struct channel *channel = rpc->channel;
    const struct sw_batch *batch = rpc->call->batch;
    enum sw_coding coding = channel->conf.coding;
    if (coding != SW_CODING_NONE) {
        int err = sw_send_body_init_packed(
            &rpc->body, batch, channel->codec, coding, 0, channel->account
        );
        if (err != SW_OK) {
            return err;
        }
    } else {
        sw_send_body_init(&rpc->body, batch);
    }
    if (rpc->body.body.bytes > UINT32_MAX) {
        return SW_E_TOO_LARGE;
    }
    bool packed = coding != SW_CODING_NONE;
    sw_grpc_prefix(rpc->body.body.head, packed, (uint32_t)rpc->body.body.bytes);
    rpc->body.body.head_len = SW_GRPC_PREFIX_BYTES;
    return SW_OK;
}

// Waits for nothing any more.
static void leave_queue(struct rpc *rpc)
{
    struct channel *channel = rpc->channel;
    if (rpc->state == RPC_PACKING) {
        TAILQ_REMOVE(&channel->packing, rpc, queue);
    } else if (rpc->state == RPC_WAITING) {
        TAILQ_REMOVE(&channel->waiting, rpc, queue);
        channel->waiting_count--;
    }
}

void sw_rpc_abandon(struct rpc *rpc, struct sw_outcome *outcome)
{
    struct sw_push_call *call = rpc->call;
    struct sw_outcome final = *outcome;
    if (rpc->state != RPC_SENT) {
        leave_queue(rpc);
        sw_rpc_free(rpc);
        call->done(call, &final);
        return;
    }
    // The stream may still have to finish a frame that it began; only then is its end reported.
    struct connection *connection = rpc->connection;
    rpc->call = NULL;
    sw_timer_cancel(&rpc->channel->push.core->timers, &rpc->deadline);
    if (sw_send_body_keep(&rpc->body) != SW_OK) {
        sw_connection_doom(connection, SW_E_NOMEM);
    } else {
        sw_h2_reset(connection->h2, rpc->stream_id, SW_H2_CANCEL);
        sw_connection_flush(connection);
    }
    call->done(call, &final);
}

/* ---- request ---- */

int sw_rpc_send(struct rpc *rpc, struct connection *connection)
{
    struct channel *channel = rpc->channel;
    struct sw_h2_header headers[CHANNEL_HEADERS_MAX + 1];
    size_t count = channel->headers_count;
    char timeout[16];
    memcpy(headers, channel->headers, count * sizeof(headers[0]));
    if (rpc->call->path != NULL) {
        const char *path = rpc->call->path;
        headers[CHANNEL_PATH_HEADER].value = (struct sw_http_text){path, strlen(path)};
    }
    if (rpc->call->deadline_ns != SW_TIME_NEVER) {
        uint64_t now_ns = channel->push.core->now_ns;
        uint64_t at_ns = rpc->call->deadline_ns;
        size_t len = sw_grpc_timeout_format(at_ns > now_ns ? at_ns - now_ns : 1, timeout);
        headers[count++] = (struct sw_h2_header){
            .name = SW_HTTP_TEXT("grpc-timeout"),
            .value = {timeout, len},
        };
    }
    int err = sw_h2_request(connection->h2, headers, count, &rpc->body.body, rpc, &rpc->stream_id);
    if (err != SW_OK) {
        return err;
    }
    rpc->state = RPC_SENT;
    rpc->connection = connection;
    channel->sent_count++;
    sw_grpc_reader_init(&rpc->reader, CHANNEL_MESSAGE_MAX, channel->account, NULL);
    sw_connection_flush(connection);
    return SW_OK;
}

/* ---- answer ---- */

// We give the stream up: its end comes with on_close.
static void give_up(struct rpc *rpc, int code, const char *why)
{
    rpc->broken = why;
    rpc->broken_code = code;
    sw_h2_reset(rpc->connection->h2, rpc->stream_id, SW_H2_CANCEL);
}

void sw_rpc_header(struct rpc *rpc, struct sw_http_text name, struct sw_http_text value)
{
    uint64_t number = 0;
    if (rpc->call == NULL) {
        return;
    }
    rpc->in_block = true;
    if (sw_http_text_is(name, ":status")) {
        rpc->http_status = sw_http_text_number(value, &number) ? (unsigned)number : 0;
    } else if (sw_http_text_is(name, "grpc-status")) {
        bool known = sw_http_text_number(value, &number) && number <= INT32_MAX;
        rpc->grpc_status = known ? (int32_t)number : SW_GRPC_UNKNOWN;
    } else if (sw_http_text_is(name, "grpc-message")) {
        sw_buf_unref(rpc->message);
        rpc->message = sw_answer_message(value);
    } else if (sw_http_text_is(name, "grpc-status-details-bin")) {
        sw_buf_unref(rpc->details);
        rpc->details = sw_answer_details(value);
    } else if (sw_http_text_is(name, "grpc-encoding")) {
        (void)sw_coding_of_grpc(value, &rpc->answer_coding);
    } else if (sw_http_text_is(name, "content-type")) {
        rpc->foreign_type = value.len < 16 || memcmp(value.data, "application/grpc", 16) != 0;
    }
}

void sw_rpc_headers(struct rpc *rpc)
{
    rpc->in_block = false;
}

void sw_rpc_data(struct rpc *rpc, const uint8_t *data, size_t size)
{
    if (rpc->call == NULL || rpc->broken != NULL || rpc->foreign_type) {
        return;
    }
    switch (sw_grpc_reader_feed(&rpc->reader, data, size)) {
    case SW_OK:
        break;
    case SW_E_TOO_LARGE:
        give_up(rpc, SW_GRPC_RESOURCE_EXHAUSTED, "grpc: received message larger than max");
        break;
    case SW_E_PROTOCOL:
        give_up(rpc, SW_GRPC_INTERNAL, "grpc: received unexpected payload format");
        break;
    default:
        give_up(rpc, SW_GRPC_UNAVAILABLE, "no room for the answer");
        break;
    }
}

void sw_rpc_end(struct rpc *rpc)
{
    // An answer before the request was all sent: the peer does not want the rest (grpc-go closeStream).
    if (rpc->body.body.bytes > 0 || rpc->body.body.head_sent < rpc->body.body.head_len) {
        sw_h2_reset(rpc->connection->h2, rpc->stream_id, SW_H2_NO_ERROR);
    }
}

static void tell_partial(struct rpc *rpc, const struct sw_export_response *response)
{
    struct channel *channel = rpc->channel;
    struct sw_core *core = channel->push.core;
    if (!response->has_partial) {
        return;
    }
    sw_event_leave(
        core->events,
        &partial_success,
        channel->conf.id,
        sw_signal_name(channel->conf.signal),
        core->wall_ns,
        response->rejected,
        (const char *)response->message.data,
        (uint32_t)response->message.size
    );
}

static struct sw_buf *take_message(struct rpc *rpc, int *ret_err, const char **ret_why)
{
    struct channel *channel = rpc->channel;
    bool packed = rpc->reader.compressed;
    struct sw_buf *buf = sw_grpc_reader_take(&rpc->reader);
    if (!packed) {
        return buf;
    }
    struct sw_buf *plain = NULL;
    *ret_why = "grpc: the answer's compression is not installed";
    *ret_err = SW_E_MALFORMED;
    if (rpc->answer_coding != SW_CODING_NONE) {
        *ret_err = channel->codec == NULL ? sw_codec_new(&channel->codec) : SW_OK;
        if (*ret_err == SW_OK) {
            *ret_err = sw_codec_open(
                channel->codec,
                rpc->answer_coding,
                buf->data,
                buf->size,
                CHANNEL_MESSAGE_MAX,
                channel->account,
                &plain,
                ret_why,
                NULL
            );
        }
    }
    sw_buf_unref(buf);
    return *ret_err == SW_OK ? plain : NULL;
}

// Status 0: delivered, if the message can be read.
static void answered_ok(struct rpc *rpc, struct sw_outcome *ret_outcome)
{
    int err = SW_OK;
    const char *why = "cardinality violation: received no response message";
    struct sw_export_response response = {0};
    *ret_outcome = (struct sw_outcome){0};
    struct sw_buf *buf = rpc->reader.done ? take_message(rpc, &err, &why) : NULL;
    if (buf == NULL && (err == SW_E_NOMEM || rpc->reader.err == SW_E_NOMEM)) {
        return; // the peer has it; what else it says we have no memory to read
    }
    if (buf != NULL) {
        err = sw_export_response_decode((struct sw_bytes){buf->data, buf->size}, &response);
        why = "grpc: failed to unmarshal the received message";
    }
    if (buf == NULL || err != SW_OK) {
        struct sw_http_text text = {why, strlen(why)};
        sw_answer_grpc(SW_GRPC_INTERNAL, text, NULL, ret_outcome);
    } else {
        tell_partial(rpc, &response);
    }
    sw_buf_unref(buf);
}

static void own_status(struct sw_outcome *outcome, int code, struct sw_buf *text)
{
    struct sw_http_text message = {"", 0};
    if (text != NULL) {
        message = (struct sw_http_text){(const char *)text->data, text->size};
    }
    sw_answer_grpc(code, message, NULL, outcome);
    sw_buf_unref(text);
}

// The stream ended without a status.
static void answered_nothing(struct rpc *rpc, uint32_t h2_code, struct sw_outcome *ret_outcome)
{
    if (rpc->connection->lost) {
        const char *words = rpc->connection->lost_errno != 0 ? "connection reset by peer" : "EOF";
        own_status(
            ret_outcome, SW_GRPC_UNAVAILABLE, sw_text_format("error reading from server: %s", words)
        );
    } else if (rpc->http_status != 0 && (rpc->http_status != 200 || rpc->foreign_type)) {
        own_status(
            ret_outcome,
            sw_grpc_code_of_http(rpc->http_status),
            rpc->http_status != 200 ? sw_text_format(
                "unexpected HTTP status code received from server: %u (%s)",
                rpc->http_status,
                sw_http_reason(rpc->http_status)
            )
                                    : sw_text_format("unexpected content-type of the answer")
        );
    } else if (h2_code == SW_H2_NO_ERROR) {
        own_status(
            ret_outcome,
            SW_GRPC_INTERNAL,
            sw_text_format("server closed the stream without sending trailers")
        );
    } else {
        own_status(
            ret_outcome,
            sw_grpc_code_of_reset(h2_code),
            sw_text_format("stream terminated by RST_STREAM with error code: %u", h2_code)
        );
    }
}

static void judge(struct rpc *rpc, uint32_t h2_code, struct sw_outcome *ret_outcome)
{
    struct sw_http_text message = {"", 0};
    if (rpc->message != NULL) {
        message = (struct sw_http_text){(const char *)rpc->message->data, rpc->message->size};
    }
    if (rpc->broken != NULL) {
        message = (struct sw_http_text){rpc->broken, strlen(rpc->broken)};
        sw_answer_grpc(rpc->broken_code, message, NULL, ret_outcome);
    } else if (rpc->grpc_status == SW_GRPC_OK) {
        answered_ok(rpc, ret_outcome);
    } else if (rpc->grpc_status > 0) {
        struct sw_buf *details = rpc->details;
        rpc->details = NULL;
        sw_answer_grpc(rpc->grpc_status, message, details, ret_outcome);
    } else {
        answered_nothing(rpc, h2_code, ret_outcome);
    }
}

// The peer has done nothing with it: it may go out again, once when a single stream was refused, as
// often as it takes when the whole connection takes no more.
static bool again(struct rpc *rpc, uint32_t h2_code)
{
    struct connection *connection = rpc->connection;
    if (h2_code != SW_H2_REFUSED_STREAM || rpc->grpc_status >= 0 || rpc->http_status != 0
        || rpc->broken != NULL) {
        return false;
    }
    bool whole = connection->peer == NULL;
    if (!whole && rpc->repeated) {
        return false;
    }
    rpc->repeated = rpc->repeated || !whole;
    struct sw_send_body *body = &rpc->body;
    if (body->packed != NULL) {
        body->offset = 0;
        body->body.bytes = body->packed->size;
    } else {
        sw_send_body_fini(body);
        body->body.bytes = rpc->call->batch->bytes;
        sw_batch_cursor_init(&body->cursor, rpc->call->batch);
    }
    body->body.head_sent = 0;
    forget_answer(rpc);
    return true;
}

void sw_rpc_closed(struct rpc *rpc, uint32_t h2_code)
{
    struct channel *channel = rpc->channel;
    struct sw_push_call *call = rpc->call;
    channel->sent_count--;
    if (call == NULL) {
        sw_rpc_free(rpc);
        return;
    }
    if (again(rpc, h2_code)) {
        rpc->connection = NULL;
        sw_channel_place(channel, rpc);
        return;
    }
    // A connection that went in the middle of a block: half of a status says nothing, or the wrong thing.
    if (rpc->in_block && rpc->broken == NULL) {
        forget_answer(rpc);
    }
    struct sw_outcome outcome;
    judge(rpc, h2_code, &outcome);
    sw_rpc_free(rpc);
    call->done(call, &outcome);
}
