/* One HTTP/1.1 connection of a pool: dial, request out, answer in. */
#include "dataplane/base/clock.h"
#include "dataplane/base/event.h"
#include "dataplane/base/mem.h"
#include "dataplane/otlp/status.h"
#include "dataplane/send/answer.h"
#include "dataplane/send/http_pool_internal.h"

#include <errno.h>
#include <stdio.h>

// Below this a copy is cheaper than a reference.
#define COPY_BYTES   256
#define ANSWER_BYTES 512u
// What is shown of a message in JSON.
#define ANSWER_MESSAGE_MAX 384

static const struct sw_event_kind partial_success = {
    .level = SW_EVENT_WARN,
    .message = "Partial success response",
    .component_kind = "exporter",
    .items_key = "dropped_items",
    .text_key = "message",
};

/* ---- life ---- */

static void link_free(struct http_link *link)
{
    struct pool *pool = link->pool;
    LIST_REMOVE(link, all);
    pool->links_count--;
    if (link->is_idle) {
        LIST_REMOVE(link, idle);
        pool->idle_count--;
    }
    sw_timer_cancel(&pool->push.core->timers, &link->idle_timer);
    sw_http1_fini(&link->http);
    sw_buf_unref(link->answer);
    sw_free(link);
    sw_pool_again(pool);
}

void sw_link_close(struct http_link *link)
{
    if (link->stream != NULL) {
        sw_stream_close(link->stream);
        link->stream = NULL;
    }
    link_free(link);
}

static void on_idle(struct sw_timer *timer, uint64_t now_ns)
{
    sw_link_close(SW_CONTAINER_OF(timer, struct http_link, idle_timer));
}

// The answer has been taken: the connection waits for the next request, or goes.
static void let_go(struct http_link *link, bool reusable)
{
    struct pool *pool = link->pool;
    struct sw_core *core = pool->push.core;
    link->post = NULL;
    if (!reusable || !pool->conf.keep_alive || pool->idle_count >= pool->conf.idle_max
        || pool->closed) {
        sw_link_close(link);
        return;
    }
    sw_http1_next(&link->http);
    sw_buf_unref(link->answer);
    link->answer = NULL;
    link->is_idle = true;
    LIST_INSERT_HEAD(&pool->idle, link, idle);
    pool->idle_count++;
    if (pool->conf.idle_timeout_ns > 0) {
        uint64_t at_ns = core->now_ns + pool->conf.idle_timeout_ns;
        sw_timer_set(&core->timers, &link->idle_timer, at_ns);
    }
    sw_pool_again(pool);
}

// The connection is lost with its request.
static void fail(struct http_link *link, int err, const char *why)
{
    struct post *post = link->post;
    char text[192];
    snprintf(text, sizeof(text), "%s", why);
    link->post = NULL;
    sw_link_close(link);
    if (post != NULL) {
        post->link = NULL;
        sw_post_failed(post, err, text);
    }
}

/* ---- answer ---- */

static void tell_partial(struct pool *pool, const struct sw_export_response *response)
{
    struct sw_core *core = pool->push.core;
    if (response->has_partial) {
        sw_event_leave(
            core->events,
            &partial_success,
            pool->conf.id,
            sw_signal_name(pool->conf.signal),
            core->wall_ns,
            response->rejected,
            (const char *)response->message.data,
            (uint32_t)response->message.size
        );
    }
}

static void judge(struct http_link *link, struct sw_outcome *ret_outcome)
{
    struct pool *pool = link->pool;
    struct sw_http_text body = {"", 0};
    if (link->answer != NULL) {
        body = (struct sw_http_text){(const char *)link->answer->data, link->answer->size};
    }
    if (link->status < 200 || link->status > 299) {
        struct sw_http_text hint = {NULL, 0};
        if (link->retry_after[0] != '\0') {
            hint = (struct sw_http_text){link->retry_after, strlen(link->retry_after)};
        }
        uint64_t wall_ns = pool->push.core->wall_ns;
        sw_answer_http(link->status, pool->conf.url, body, hint, wall_ns, ret_outcome);
        return;
    }
    struct sw_export_response response = {0};
    struct sw_bytes bytes = {(const uint8_t *)body.data, body.len};
    *ret_outcome = (struct sw_outcome){0};
    char message[ANSWER_MESSAGE_MAX];
    int err = SW_OK;
    if (link->type == ANSWER_PROTOBUF) {
        err = sw_export_response_decode(bytes, &response);
    } else if (link->type == ANSWER_JSON) {
        err = sw_answer_json(body, &response, message, sizeof(message));
    }
    if (err != SW_OK) {
        const char *form = link->type == ANSWER_JSON ? "json" : "protobuf";
        sw_answer_permanent(
            0, sw_text_format("Permanent error: error parsing %s response", form), ret_outcome
        );
        return;
    }
    tell_partial(pool, &response);
}

static void answered(struct http_link *link, bool clean)
{
    struct post *post = link->post;
    struct sw_outcome outcome;
    judge(link, &outcome);
    post->call->http_status = link->status;
    post->link = NULL;
    // With the request still on its way out the connection is of no further use.
    let_go(link, clean && link->http.keep_alive && link->stream->queued_bytes == 0);
    sw_post_done(post, &outcome);
}

// Room for more of the body; most answers are a few bytes.
static void grow(struct http_link *link, size_t wanted)
{
    struct sw_buf *before = link->answer;
    size_t capacity = SW_MAX(wanted, before != NULL ? 2 * (size_t)before->capacity : ANSWER_BYTES);
    struct sw_buf *larger =
        sw_buf_new(link->pool->account, (uint32_t)SW_MIN(capacity, POST_ANSWER_MAX));
    if (larger == NULL) {
        return; // what there is must do for the text
    }
    if (before != NULL) {
        memcpy(larger->data, before->data, before->size);
        larger->size = before->size;
        sw_buf_unref(before);
    }
    link->answer = larger;
}

static void keep(struct http_link *link)
{
    struct sw_http_text body = link->http.body;
    size_t wanted = body.len + (link->answer != NULL ? link->answer->size : 0);
    if (link->answer == NULL
        || (wanted > link->answer->capacity && link->answer->capacity < POST_ANSWER_MAX)) {
        grow(link, wanted);
    }
    if (link->answer == NULL) {
        return;
    }
    size_t len = SW_MIN(link->answer->capacity - link->answer->size, body.len);
    memcpy(link->answer->data + link->answer->size, body.data, len);
    link->answer->size += (uint32_t)len;
}

static void got_head(struct http_link *link)
{
    struct sw_http_text value;
    link->status = link->http.status;
    link->retry_after[0] = '\0';
    link->type = ANSWER_OTHER;
    if (sw_http1_header(&link->http, "retry-after", &value)
        && value.len < sizeof(link->retry_after)) {
        memcpy(link->retry_after, value.data, value.len);
        link->retry_after[value.len] = '\0';
    }
    if (sw_http1_header(&link->http, "content-type", &value)) {
        struct sw_http_text rest = value;
        const char *end = memchr(value.data, ';', value.len);
        rest.len = end != NULL ? (size_t)(end - value.data) : value.len;
        rest = sw_http_text_trim(rest);
        if (sw_http_text_is_nocase(rest, "application/x-protobuf")) {
            link->type = ANSWER_PROTOBUF;
        } else if (sw_http_text_is_nocase(rest, "application/json")) {
            link->type = ANSWER_JSON;
        }
    }
}

// @return false: the link is gone or idle
static bool take(struct http_link *link, enum sw_http1_event event, bool last)
{
    switch (event) {
    case SW_HTTP1_MORE:
        return true;
    case SW_HTTP1_HEAD:
        got_head(link);
        return true;
    case SW_HTTP1_BODY:
        keep(link);
        return true;
    case SW_HTTP1_END:
        if (link->status < 200) {
            sw_http1_next(&link->http); // informational
            return true;
        }
        answered(link, last);
        return false;
    default:
        fail(link, SW_E_PROTOCOL, "net/http: HTTP/1.x transport connection broken");
        return false;
    }
}

static void stream_data(void *owner, struct sw_stream *stream, const uint8_t *data, size_t size)
{
    struct http_link *link = owner;
    if (link->post == NULL) {
        sw_link_close(link); // nobody asked
        return;
    }
    enum sw_http1_event event = SW_HTTP1_BODY;
    while (size > 0 || event != SW_HTTP1_MORE) {
        size_t taken = 0;
        event = sw_http1_feed(&link->http, data, size, &taken);
        data += taken;
        size -= taken;
        if (!take(link, event, size == 0)) {
            return;
        }
    }
}

static void stream_eof(void *owner, struct sw_stream *stream)
{
    struct http_link *link = owner;
    if (link->post != NULL && link->http.until_close && sw_http1_eof(&link->http) == SW_HTTP1_END) {
        answered(link, false);
        return;
    }
    fail(link, SW_E_CLOSED, "EOF");
}

static const char *words_of(int err, int system_errno)
{
    switch (system_errno) {
    case ECONNREFUSED:
        return "connect: connection refused";
    case ECONNRESET:
        return "read: connection reset by peer";
    case ETIMEDOUT:
        return "i/o timeout";
    case EHOSTUNREACH:
        return "connect: no route to host";
    case ENETUNREACH:
        return "connect: network is unreachable";
    default:
        return err == SW_OK ? "EOF" : sw_err_text(err);
    }
}

static int dial(struct http_link *link);

// The next address, if there is one.
static bool dial_next(struct http_link *link)
{
    while (link->tries_left > 0) {
        if (dial(link) == SW_OK) {
            return true;
        }
    }
    return false;
}

static void stream_closed(void *owner, struct sw_stream *stream, int err)
{
    struct http_link *link = owner;
    int system_errno = stream->system_errno;
    char addr[128];
    char text[192];
    sw_addr_text(&stream->peer, addr, sizeof(addr));
    link->stream = NULL;
    if (link->open) {
        fail(link, err != SW_OK ? err : SW_E_CLOSED, words_of(err, system_errno));
        return;
    }
    if (link->post != NULL && dial_next(link)) {
        return;
    }
    snprintf(text, sizeof(text), "dial tcp %s: %s", addr, words_of(err, system_errno));
    fail(link, err != SW_OK ? err : SW_E_CLOSED, text);
}

/* ---- request ---- */

static int put_body(struct http_link *link, struct sw_http_body *body)
{
    struct sw_piece piece;
    while (body->bytes > 0) {
        if (!body->next(body, UINT32_MAX, &piece)) {
            return SW_E_SYSTEM;
        }
        body->bytes -= piece.len;
        bool copied = piece.buf == NULL || piece.len <= COPY_BYTES;
        int err = copied ? sw_stream_write_copy(link->stream, piece.data, piece.len)
                         : sw_stream_write_ref(link->stream, piece.buf, piece.data, piece.len);
        if (err != SW_OK) {
            return err;
        }
    }
    return SW_OK;
}

static void put_request(struct http_link *link)
{
    struct pool *pool = link->pool;
    struct sw_http_body *body = &link->post->body.body;
    char length[32];
    int len = snprintf(length, sizeof(length), "%llu\r\n\r\n", (unsigned long long)body->bytes);
    int err = sw_stream_write_ref(link->stream, pool->head, pool->head->data, pool->head->size);
    if (err == SW_OK) {
        err = sw_stream_write_copy(link->stream, length, (size_t)len);
    }
    if (err == SW_OK) {
        err = put_body(link, body);
    }
    if (err != SW_OK) {
        fail(link, err, sw_err_text(err));
    }
}

static void stream_open(void *owner, struct sw_stream *stream)
{
    struct http_link *link = owner;
    link->open = true;
    put_request(link);
}

static const struct sw_stream_events stream_events = {
    .on_open = stream_open,
    .on_data = stream_data,
    .on_eof = stream_eof,
    .on_closed = stream_closed,
};

static int dial(struct http_link *link)
{
    struct pool *pool = link->pool;
    const struct sw_addr *addr = &pool->addrs[link->next_addr % pool->addrs_count];
    link->next_addr++;
    link->tries_left--;
    return sw_net_connect(pool->push.core->net, addr, &stream_events, link, &link->stream);
}

int sw_link_new(struct pool *pool, struct post *post)
{
    struct http_link *link = sw_zalloc(sizeof(*link));
    if (link == NULL) {
        return SW_E_NOMEM;
    }
    link->pool = pool;
    link->post = post;
    link->tries_left = pool->addrs_count;
    link->next_addr = pool->next_addr;
    sw_http1_init(&link->http, true, pool->account);
    sw_timer_init(&link->idle_timer, on_idle);
    if (!dial_next(link)) {
        sw_http1_fini(&link->http);
        sw_free(link);
        return SW_E_SYSTEM;
    }
    LIST_INSERT_HEAD(&pool->links, link, all);
    pool->links_count++;
    post->link = link;
    return SW_OK;
}

void sw_link_send(struct http_link *link, struct post *post)
{
    struct pool *pool = link->pool;
    LIST_REMOVE(link, idle);
    pool->idle_count--;
    link->is_idle = false;
    sw_timer_cancel(&pool->push.core->timers, &link->idle_timer);
    link->post = post;
    post->link = link;
    put_request(link);
}
