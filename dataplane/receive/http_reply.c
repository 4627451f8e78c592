/* How answers leave on HTTP/1.1: status lines, headers and bodies as Go and the Collector write them
 * (otlp-protocol §4.4, §4.5; go1.25 net/http/server.go, v0.159 receiver/otlpreceiver/otlphttp.go).
 *
 * An answer that is known before the body is whole waits for the end of the body, which is read and
 * dropped, so that the connection can go on; a body that is too long for that ends it. */
#include "dataplane/base/clock.h"
#include "dataplane/receive/http_internal.h"

#include <inttypes.h>
#include <stdio.h>

#define HEAD_BYTES_MAX 512
// Answers up to this travel in one copy with their head.
#define TOGETHER_BYTES 512

#define PROTOBUF "application/x-protobuf"

/* ---- answers go out ---- */

void sw_receive_http_drop_reply(struct http_reply *reply)
{
    sw_buf_unref(reply->buf);
    sw_buf_unref(reply->location);
    *reply = (struct http_reply){0};
}

void sw_receive_http_drop_body(struct http_conn *http)
{
    sw_buf_unref(http->body);
    http->body = NULL;
    sw_http_budget_give(http->conn.endpoint->receiver->env.budget, http->taken_bytes);
    http->taken_bytes = 0;
}

// What cannot be queued is lost with the connection.
void sw_receive_http_put(struct http_conn *http, const void *data, size_t size)
{
    if (size > 0 && sw_stream_write_copy(http->conn.stream, data, size) != SW_OK) {
        sw_receive_conn_finish(&http->conn);
    }
}

static const char *date_of(struct sw_otlp_receiver *receiver)
{
    uint64_t now_s = receiver->core->wall_ns / SW_NS_PER_S;
    if (now_s != receiver->date_s || receiver->date[0] == '\0') {
        receiver->date_s = now_s;
        sw_http_date(receiver->core->wall_ns, receiver->date);
    }
    return receiver->date;
}

// HTTP/1.1 at least.
static bool is_modern(const struct http_conn *http)
{
    return http->http.version_minor > 0 || http->http.preface;
}

struct writer {
    char *at;
    size_t left;
};

__attribute__((format(printf, 2, 3))) static void
append(struct writer *writer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(writer->at, writer->left, format, args);
    va_end(args);
    SW_ASSERT(len >= 0 && (size_t)len < writer->left);
    writer->at += len;
    writer->left -= (size_t)len;
}

// What was written so far is queued; the room begins again.
static void put_written(struct http_conn *http, char *text, struct writer *writer)
{
    sw_receive_http_put(http, text, (size_t)(writer->at - text));
    *writer = (struct writer){text, HEAD_BYTES_MAX};
}

// Headers of the handler. @return true: with a Date
static bool
put_own(struct http_conn *http, const struct http_reply *reply, char *text, struct writer *writer)
{
    if (http->conn.endpoint->receiver->front != NULL && !reply->bare) {
        put_written(http, text, writer);
        return sw_receive_front_put(http, reply);
    }
    if (reply->type != NULL) {
        append(writer, "Content-Type: %s\r\n", reply->type);
    }
    if (reply->location != NULL) {
        // As long as the target was: not for the buffer here.
        append(writer, "Location: ");
        put_written(http, text, writer);
        sw_receive_http_put(http, reply->location->data, reply->location->size);
        append(writer, "\r\n");
    }
    if (reply->retry) {
        append(writer, "Retry-After: %" PRIu64 "\r\n", reply->retry_s);
    }
    if (reply->nosniff) {
        append(writer, "X-Content-Type-Options: nosniff\r\n");
    }
    return false;
}

// Headers in Go's order: those of the handler by name, then what the server adds.
static void write_head(struct http_conn *http, const struct http_reply *reply, bool close)
{
    char text[HEAD_BYTES_MAX + TOGETHER_BYTES];
    struct writer writer = {text, HEAD_BYTES_MAX};
    bool modern = is_modern(http);
    append(
        &writer,
        "HTTP/1.%u %u %s\r\n",
        modern ? 1u : 0u,
        reply->status,
        sw_http_reason(reply->status)
    );
    bool dated = put_own(http, reply, text, &writer);
    if (!dated) {
        append(&writer, "Date: %s\r\n", date_of(http->conn.endpoint->receiver));
    }
    if (reply->status != 204) {
        append(&writer, "Content-Length: %zu\r\n", reply->body.len);
    }
    if (close && modern && !reply->quiet) {
        append(&writer, "Connection: close\r\n");
    } else if (!close && http->http.keep_alive_asked) {
        append(&writer, "Connection: keep-alive\r\n");
    }
    append(&writer, "\r\n");
    size_t len = (size_t)(writer.at - text);
    size_t body_len = http->head_only ? 0 : reply->body.len;
    if (body_len > 0 && body_len <= TOGETHER_BYTES) {
        memcpy(text + len, reply->body.data, body_len);
        len += body_len;
        body_len = 0;
    }
    sw_receive_http_put(http, text, len);
    sw_receive_http_put(http, reply->body.data, body_len);
}

// The one answer that is given often is made once a second.
static void write_success(struct http_conn *http)
{
    struct sw_otlp_receiver *receiver = http->conn.endpoint->receiver;
    uint64_t now_s = receiver->core->wall_ns / SW_NS_PER_S;
    if (receiver->success_len == 0 || receiver->success_s != now_s) {
        int len = snprintf(
            receiver->success,
            sizeof(receiver->success),
            "HTTP/1.1 200 OK\r\nContent-Type: " PROTOBUF "\r\nDate: %s\r\n"
            "Content-Length: 2\r\n\r\n\x0a",
            date_of(receiver)
        );
        SW_ASSERT(len > 0 && (size_t)len < sizeof(receiver->success));
        receiver->success_len = (uint32_t)len + 1; // the NUL is the second byte of the body
        receiver->success_s = now_s;
    }
    sw_receive_http_put(http, receiver->success, receiver->success_len);
}

static void next_request(struct http_conn *http)
{
    sw_http1_next(&http->http);
    http->discarded_bytes = 0;
    http->from_ns = http_core(http)->now_ns;
    http->served = true;
    http->whole = false;
    http->head_only = false;
    http->continued = false;
    if (http->rest != NULL || http->eof) {
        receive_conn_wake(&http->conn);
    }
}

void sw_receive_http_send(struct http_conn *http)
{
    struct http_reply reply = http->reply;
    http->reply = (struct http_reply){0};
    http->has_reply = false;
    struct sw_otlp_receiver *receiver = http->conn.endpoint->receiver;
    bool close = reply.close || !http->http.keep_alive || receiver->draining
                 || !receiver->env.conf->protocols.http.server.keep_alives_enabled
                 || (sw_receive_front_closes(receiver->front) && !reply.bare) || http->late;
    sw_receive_http_drop_body(http);
    bool usual = reply.status == 200 && reply.type != NULL && http->media == RECEIVE_MEDIA_PROTOBUF;
    if (http->late) {
        // As where Go's write fails: nothing is said.
    } else if (usual && !close && is_modern(http) && receiver->front == NULL) {
        write_success(http);
    } else {
        write_head(http, &reply, close);
    }
    sw_receive_http_drop_reply(&reply);
    struct receive_call *call = http->call;
    http->call = NULL;
    if (call != NULL && call->open) {
        sw_receive_call_close(call);
    }
    if (close) {
        sw_receive_conn_finish(&http->conn);
    } else {
        next_request(http);
        sw_receive_http_watch(http);
    }
}

// Whether the rest of the body is short enough to be waited for.
static bool rest_is_bearable(const struct http_conn *http)
{
    const struct sw_http1 *message = &http->http;
    if (message->expect_continue && !http->continued) {
        return false; // the client may send its body or not: nobody can tell
    }
    return !message->has_length || message->length - message->body_bytes <= HTTP_DISCARD_BYTES_MAX;
}

void sw_receive_http_give(struct http_conn *http, const struct http_reply *reply)
{
    SW_ASSERT(!http->has_reply);
    http->reply = *reply;
    http->has_reply = true;
    sw_receive_http_drop_body(http);
    if (!http->whole && !reply->close && rest_is_bearable(http)) {
        return;
    }
    http->reply.close |= !http->whole;
    sw_receive_http_send(http);
}

/* ---- what is answered ---- */

static const char fallback[] = "{\"code\": 13, \"message\": \"failed to marshal error message\"}";

static void success_reply(enum receive_media media, struct http_reply *reply)
{
    if (media == RECEIVE_MEDIA_JSON) {
        *reply = (struct http_reply){
            .status = 200,
            .type = "application/json",
            .body = SW_HTTP_TEXT("{\"partialSuccess\":{}}"),
        };
        return;
    }
    *reply = (struct http_reply){
        .status = 200,
        .type = PROTOBUF,
        .body = {"\x0a\x00", 2},
    };
}

// A google.rpc.Status in the request's own form.
static void
status_reply(struct http_conn *http, const struct receive_answer *answer, struct http_reply *reply)
{
    bool protobuf = http->media == RECEIVE_MEDIA_PROTOBUF;
    *reply = (struct http_reply){
        .status = answer->http_status != 0 ? answer->http_status
                                           : sw_receive_http_status(answer->grpc_code),
        .type = protobuf ? PROTOBUF : "application/json",
    };
    if (http->media != RECEIVE_MEDIA_OTHER && !answer->unprintable) {
        reply->buf = protobuf ? sw_receive_status_bytes(answer) : sw_receive_status_json(answer);
    }
    if (reply->buf == NULL) {
        reply->status = 500;
        reply->type = "application/json";
        reply->body = SW_HTTP_TEXT(fallback);
        return;
    }
    reply->body = receive_buf_text(reply->buf);
    if (reply->status == 429 || reply->status == 503) {
        reply->retry = sw_receive_retry_after(answer, &reply->retry_s);
    }
}

// The peer left in the middle of its request: it knows that the connection ends.
bool sw_receive_http_ended_early(const struct http_conn *http)
{
    return http->eof && http->http.why != NULL;
}

void sw_receive_http_answer(struct receive_call *call, const struct receive_answer *answer)
{
    struct http_conn *http = http_of(call->conn);
    struct http_reply reply;
    if (answer->grpc_code == SW_GRPC_OK) {
        success_reply(http->media, &reply);
    } else {
        status_reply(http, answer, &reply);
    }
    reply.quiet = sw_receive_http_ended_early(http);
    sw_receive_http_give(http, &reply);
}

void sw_receive_http_turn_away(
    struct http_conn *http,
    enum receive_refusal refusal,
    const struct http_reply *reply
)
{
    receive_count_refusal(http->conn.endpoint, refusal);
    http->call->answered = true;
    http->call->state = CALL_DONE;
    sw_receive_http_give(http, reply);
}

void sw_receive_http_bad_request(struct http_conn *http, unsigned status, const char *why)
{
    char text[HEAD_BYTES_MAX];
    char first[128];
    const char *colon = why != NULL && status != 501 ? ": " : "";
    snprintf(
        first,
        sizeof(first),
        "%u %s%s%s",
        status,
        sw_http_reason(status),
        colon,
        *colon != '\0' ? why : ""
    );
    int len = snprintf(
        text,
        sizeof(text),
        "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n%s",
        first,
        status == 501 && why != NULL ? why : first
    );
    receive_count_refusal(http->conn.endpoint, RECEIVE_PROTOCOL);
    sw_receive_http_put(http, text, (size_t)len);
    sw_receive_conn_finish(&http->conn);
}
