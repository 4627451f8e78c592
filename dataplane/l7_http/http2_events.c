/* What nghttp2 tells us, turned into events; and the rules it does not know: header list limit,
 * grpc-go's PING strikes, the two-step GOAWAY, buckets against floods. */
#include "dataplane/base/assert.h"
#include "dataplane/base/mem.h"
#include "dataplane/l7_http/http2_internal.h"

#define NS_PER_S         UINT64_C(1000000000)
#define PING_MIN_DEFAULT (300 * NS_PER_S)  // keepalive.EnforcementPolicy.MinTime
#define PING_IDLE_MIN    (7200 * NS_PER_S) // defaultPingTimeout without open streams
#define PING_STRIKES_MAX 2
// A block that decodes to this many times the limit is an attack (a few bytes on the wire can stand for
// thousands): the connection goes.
#define LIST_ATTACK_FACTOR 16
// The connection's window grows when half of it is used up within this time.
#define WINDOW_BUSY_NS (NS_PER_S / 5)

static const uint8_t drain_ping[8] = {1, 6, 1, 8, 0, 3, 3, 9};

static struct h2_stream *stream_of(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

bool sw_h2_spend_internal(struct sw_h2 *h2, struct h2_bucket *bucket)
{
    uint64_t now_ns = h2->core->now_ns;
    uint64_t more = (now_ns - bucket->at_ns) / NS_PER_S * bucket->per_second;
    if (more > 0) {
        bucket->at_ns = now_ns;
        bucket->tokens = (uint32_t)SW_MIN((uint64_t)bucket->tokens_max, bucket->tokens + more);
    }
    if (bucket->tokens == 0) {
        return false;
    }
    bucket->tokens--;
    return true;
}

/* ---- header blocks ---- */

// @return NULL: refused
static struct h2_stream *begin_request(struct sw_h2 *h2, int32_t id)
{
    struct h2_stream *stream = sw_zalloc(sizeof(*stream));
    if (stream == NULL) {
        return NULL;
    }
    stream->id = id;
    stream->owner = h2->events->on_begin(h2->owner, id);
    if (stream->owner == NULL) {
        sw_free(stream);
        return NULL;
    }
    LIST_INSERT_HEAD(&h2->streams, stream, all);
    h2->streams_count++;
    nghttp2_session_set_stream_user_data(h2->session, id, stream);
    return stream;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct sw_h2 *h2 = user_data;
    int32_t id = frame->hd.stream_id;
    if (frame->hd.type != NGHTTP2_HEADERS) {
        return 0;
    }
    struct h2_stream *stream = stream_of(session, id);
    h2->list_bytes = 0; // only one block is open at a time
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        if (begin_request(h2, id) == NULL) {
            nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
        }
    } else if (stream != NULL) {
        stream->skip_block = false;
    }
    return 0;
}

static int on_header(
    nghttp2_session *session,
    const nghttp2_frame *frame,
    const uint8_t *name,
    size_t name_len,
    const uint8_t *value,
    size_t value_len,
    uint8_t flags,
    void *user_data
)
{
    (void)flags;
    struct sw_h2 *h2 = user_data;
    struct h2_stream *stream = stream_of(session, frame->hd.stream_id);
    // RFC 9113 §6.5.2: what counts is name, value and 32 bytes a field.
    h2->list_bytes += name_len + value_len + 32;
    uint64_t most = h2->options.header_list_bytes_max;
    if (h2->list_bytes > most * LIST_ATTACK_FACTOR) {
        return sw_h2_calm_internal(h2, "header_list_too_large");
    }
    if (stream == NULL || stream->mute || stream->skip_block) {
        return 0;
    }
    if (h2->list_bytes > most) {
        stream->mute = true;
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_FRAME_SIZE_ERROR);
        return 0;
    }
    if (!h2->options.server && !stream->final_headers && name_len == 7
        && memcmp(name, ":status", 7) == 0 && value_len > 0 && value[0] == '1') {
        stream->skip_block = true; // an informational response
        return 0;
    }
    if (h2->events->on_header != NULL) {
        h2->events->on_header(
            h2->owner,
            stream->id,
            stream->owner,
            (struct sw_http_text){(const char *)name, name_len},
            (struct sw_http_text){(const char *)value, value_len}
        );
    }
    return 0;
}

static void end_remote(struct sw_h2 *h2, struct h2_stream *stream)
{
    stream->remote_ended = true;
    if (h2->events->on_end != NULL) {
        h2->events->on_end(h2->owner, stream->id, stream->owner);
    }
}

static void headers_complete(struct sw_h2 *h2, const nghttp2_frame *frame)
{
    struct h2_stream *stream = stream_of(h2->session, frame->hd.stream_id);
    if (stream == NULL || stream->mute || stream->skip_block) {
        return;
    }
    enum sw_h2_headers_kind kind = SW_H2_TRAILERS;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        kind = SW_H2_REQUEST;
    } else if (!h2->options.server && !stream->final_headers) {
        kind = SW_H2_RESPONSE;
        stream->final_headers = true;
    }
    bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (h2->events->on_headers != NULL) {
        h2->events->on_headers(h2->owner, stream->id, stream->owner, kind, end);
    }
    if (end) {
        end_remote(h2, stream);
    }
}

/* ---- body ---- */

static int on_data_chunk(
    nghttp2_session *session,
    uint8_t flags,
    int32_t id,
    const uint8_t *data,
    size_t size,
    void *user_data
)
{
    (void)flags;
    struct sw_h2 *h2 = user_data;
    struct h2_stream *stream = stream_of(session, id);
    if (stream == NULL || stream->mute || h2->events->on_data == NULL) {
        sw_h2_consume(h2, id, size);
        return 0;
    }
    h2->events->on_data(h2->owner, id, stream->owner, data, size);
    return 0;
}

static int data_complete(struct sw_h2 *h2, const nghttp2_frame *frame)
{
    bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    bool empty = frame->hd.length == frame->data.padlen;
    if (empty && !end && !sw_h2_spend_internal(h2, &h2->trifles)) {
        return sw_h2_calm_internal(h2, "too_many_empty_frames");
    }
    struct h2_stream *stream = stream_of(h2->session, frame->hd.stream_id);
    if (end && stream != NULL && !stream->mute) {
        end_remote(h2, stream);
    }
    return 0;
}

/* ---- PING, SETTINGS, GOAWAY ---- */

// grpc-go, http2_server.go handlePing.
static int count_ping(struct sw_h2 *h2)
{
    uint64_t now_ns = h2->core->now_ns;
    uint64_t since_ns = now_ns - h2->last_ping_ns;
    bool pinged = h2->pinged;
    h2->pinged = true;
    h2->last_ping_ns = now_ns;
    if (h2->ping_free) {
        h2->ping_free = false;
        h2->ping_strikes = 0;
        return 0;
    }
    uint64_t min_ns =
        h2->options.ping_min_ns > 0 ? (uint64_t)h2->options.ping_min_ns : PING_MIN_DEFAULT;
    if (h2->streams_count == 0 && !h2->options.ping_without_stream) {
        min_ns = PING_IDLE_MIN;
    }
    if (pinged && since_ns < min_ns) {
        h2->ping_strikes++;
    }
    return h2->ping_strikes > PING_STRIKES_MAX ? sw_h2_calm_internal(h2, "too_many_pings") : 0;
}

static int got_ping(struct sw_h2 *h2, const nghttp2_frame *frame)
{
    if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
        return h2->options.server ? count_ping(h2) : 0;
    }
    if (h2->goaway_begun && memcmp(frame->ping.opaque_data, drain_ping, 8) == 0) {
        sw_h2_goaway_end_internal(h2);
    } else if (h2->events->on_ping_ack != NULL) {
        h2->events->on_ping_ack(h2->owner, frame->ping.opaque_data);
    }
    return 0;
}

static int got_settings(struct sw_h2 *h2, const nghttp2_frame *frame)
{
    if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) {
        return 0;
    }
    if (!sw_h2_spend_internal(h2, &h2->trifles)) {
        return sw_h2_calm_internal(h2, "too_many_settings");
    }
    if (!h2->settings_seen) {
        h2->settings_seen = true;
        h2->peer_streams_max = UINT32_MAX;
    }
    for (size_t i = 0; i < frame->settings.niv; i++) {
        if (frame->settings.iv[i].settings_id == NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS) {
            h2->peer_streams_max = frame->settings.iv[i].value;
        }
    }
    if (h2->events->on_settings != NULL) {
        h2->events->on_settings(h2->owner);
    }
    return 0;
}

static void got_goaway(struct sw_h2 *h2, const nghttp2_frame *frame)
{
    h2->goaway_received = true;
    if (h2->events->on_goaway != NULL) {
        struct sw_http_text debug = {
            (const char *)frame->goaway.opaque_data,
            frame->goaway.opaque_data_len,
        };
        h2->events->on_goaway(
            h2->owner, frame->goaway.last_stream_id, frame->goaway.error_code, debug
        );
    }
}

static int got_reset(struct sw_h2 *h2)
{
    return sw_h2_spend_internal(h2, &h2->resets) ? 0 : sw_h2_calm_internal(h2, "too_many_resets");
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    (void)session;
    struct sw_h2 *h2 = user_data;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        headers_complete(h2, frame);
        return 0;
    case NGHTTP2_DATA:
        return data_complete(h2, frame);
    case NGHTTP2_RST_STREAM:
        return h2->options.server ? got_reset(h2) : 0;
    case NGHTTP2_PING:
        return got_ping(h2, frame);
    case NGHTTP2_SETTINGS:
        return got_settings(h2, frame);
    case NGHTTP2_GOAWAY:
        got_goaway(h2, frame);
        return 0;
    default:
        return 0;
    }
}

/* ---- ends ---- */

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user_data)
{
    struct h2_stream *stream = stream_of(session, id);
    if (stream != NULL) {
        sw_h2_stream_free_internal(user_data, stream, code);
    }
    return 0;
}

// A request that never left: no stream was opened for it, so on_stream_close does not come.
static int
on_frame_not_send(nghttp2_session *session, const nghttp2_frame *frame, int error, void *user_data)
{
    (void)error;
    struct sw_h2 *h2 = user_data;
    int32_t id = frame->hd.stream_id;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST
        || nghttp2_session_find_stream(session, id) != NULL) {
        return 0;
    }
    struct h2_stream *stream;
    LIST_FOREACH(stream, &h2->streams, all)
    {
        if (stream->id == id) {
            uint32_t code = stream->reset_asked ? stream->reset_code : NGHTTP2_REFUSED_STREAM;
            sw_h2_stream_free_internal(h2, stream, code);
            break;
        }
    }
    return 0;
}

// The window is the peer's licence to send: it grows for those who use it, while there is room. Half of
// the budget at most goes to windows; the rest is for bodies.
static void grow_window(struct sw_h2 *h2)
{
    uint64_t now_ns = h2->core->now_ns;
    if (h2->window_growing) {
        h2->window_growing = false;
        return;
    }
    bool used_up_quickly = now_ns - h2->window_update_ns < WINDOW_BUSY_NS;
    h2->window_update_ns = now_ns;
    uint32_t max = h2->options.connection_window_bytes_max;
    if (!used_up_quickly || h2->window_bytes >= max) {
        return;
    }
    uint32_t window = (uint32_t)SW_MIN((uint64_t)max, (uint64_t)h2->window_bytes * 4);
    int64_t more = (int64_t)window - h2->window_bytes;
    struct sw_http_budget *budget = h2->options.budget;
    if (budget != NULL) {
        int64_t used = atomic_load_explicit(&budget->used_bytes, memory_order_relaxed);
        if (used + more > budget->limit_bytes / 2 || !sw_http_budget_take(budget, more)) {
            return;
        }
        sw_account_charge(budget->account, more);
    }
    // On failure (out of memory) nghttp2 keeps the old one, which is what is charged least.
    if (nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, (int32_t)window)
            != 0
        && budget != NULL) {
        sw_http_budget_give(budget, more);
        sw_account_charge(budget->account, -more);
        return;
    }
    h2->window_bytes = window;
    h2->window_growing = true;
}

static void sent_last(struct sw_h2 *h2, const nghttp2_frame *frame)
{
    struct h2_stream *stream = stream_of(h2->session, frame->hd.stream_id);
    // The peer need not go on with a request that is answered (grpc-go, finishStream with rst).
    if (h2->options.server && stream != NULL && !stream->remote_ended) {
        nghttp2_submit_rst_stream(
            h2->session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR
        );
    }
}

// Resets that the peer provoked. Refusals are none of them: they cost us nothing.
static void sent_reset(struct sw_h2 *h2, uint32_t code)
{
    if (h2->options.server && code != NGHTTP2_NO_ERROR && code != NGHTTP2_REFUSED_STREAM
        && !sw_h2_spend_internal(h2, &h2->resets)) {
        (void)sw_h2_calm_internal(h2, "too_many_resets");
    }
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    (void)session;
    struct sw_h2 *h2 = user_data;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
        h2->ping_free = true;
        if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
            sent_last(h2, frame);
        }
        break;
    case NGHTTP2_WINDOW_UPDATE:
        if (frame->hd.stream_id == 0) {
            grow_window(h2);
        }
        break;
    case NGHTTP2_RST_STREAM:
        sent_reset(h2, frame->rst_stream.error_code);
        break;
    case NGHTTP2_GOAWAY:
        if (frame->goaway.error_code != NGHTTP2_NO_ERROR) {
            h2->broken = true;
        }
        break;
    default:
        break;
    }
    return 0;
}

/* ---- bytes ---- */

static ssize_t
on_send(nghttp2_session *session, const uint8_t *data, size_t length, int flags, void *user_data)
{
    (void)session;
    (void)flags;
    struct sw_h2 *h2 = user_data;
    // Control frames wait too: nghttp2 counts the answers that a peer provokes and does not read. Only a
    // header block is not torn apart (sw_h2_goaway may write in between).
    if (!h2->block_open && h2->out.full != NULL && h2->out.full(h2->out.ctx)) {
        return NGHTTP2_ERR_WOULDBLOCK;
    }
    if (length >= 9 && (data[3] == NGHTTP2_HEADERS || data[3] == NGHTTP2_CONTINUATION)) {
        h2->block_open = (data[4] & NGHTTP2_FLAG_END_HEADERS) == 0;
    }
    int err = h2->out.copy(h2->out.ctx, data, length);
    if (err != SW_OK) {
        h2->write_err = err;
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    return (ssize_t)length;
}

static ssize_t on_read_length(
    nghttp2_session *session,
    uint8_t frame_type,
    int32_t id,
    int32_t session_window,
    int32_t stream_window,
    uint32_t peer_frame_max,
    void *user_data
)
{
    (void)frame_type;
    (void)user_data;
    const struct h2_stream *stream = stream_of(session, id);
    int64_t most = SW_MIN(session_window, stream_window);
    most = SW_MIN(most, (int64_t)SW_MIN(peer_frame_max, H2_FRAME_MAX));
    // No more than there is: nghttp2 makes its frame buffer as large as this, and keeps it.
    if (stream != NULL && stream->body != NULL) {
        const struct sw_http_body *body = stream->body;
        uint64_t left = body->bytes + (uint64_t)(body->head_len - body->head_sent);
        most = (int64_t)SW_MIN((uint64_t)most, SW_MAX(left, (uint64_t)1));
    }
    return (ssize_t)most;
}

void sw_h2_set_callbacks_internal(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_send);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, sw_h2_body_send_internal);
    nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, on_read_length);
}
