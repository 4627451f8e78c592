#include "dataplane/base/assert.h"
#include "dataplane/base/mem.h"
#include "dataplane/l7_http/http2_internal.h"

#define NS_PER_S UINT64_C(1000000000)
// RFC 9113 §6.9.2: the connection's window cannot start elsewhere.
#define WINDOW_START    65535u
#define GOAWAY_WAIT_NS  (5 * NS_PER_S) // grpc-go, outgoingGoAwayHandler
#define PEER_STREAMS    100            // grpc-go, defaultMaxStreamsClient
#define HEADERS_INLINE  24
#define STREAM_ID_LIMIT 0x7fffffff

/* ---- memory through our door ---- */

static void *mem_malloc(size_t size, void *user_data)
{
    (void)user_data;
    return sw_alloc(size);
}

static void mem_free(void *ptr, void *user_data)
{
    (void)user_data;
    sw_free(ptr);
}

static void *mem_calloc(size_t count, size_t size, void *user_data)
{
    (void)user_data;
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? NULL : sw_zalloc(bytes);
}

static void *mem_realloc(void *ptr, size_t size, void *user_data)
{
    (void)user_data;
    return sw_realloc(ptr, size);
}

static nghttp2_mem memory = {
    .malloc = mem_malloc,
    .free = mem_free,
    .calloc = mem_calloc,
    .realloc = mem_realloc,
};

static int err_of(int nghttp2_err)
{
    switch (nghttp2_err) {
    case NGHTTP2_ERR_NOMEM:
        return SW_E_NOMEM;
    case NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE:
    case NGHTTP2_ERR_PROTO:
    case NGHTTP2_ERR_STREAM_CLOSED:
    case NGHTTP2_ERR_INVALID_ARGUMENT:
    case NGHTTP2_ERR_DATA_EXIST:
        return SW_E_CLOSED;
    default:
        return SW_E_PROTOCOL;
    }
}

/* ---- life ---- */

static void set_defaults(struct sw_h2_options *options)
{
    if (options->max_concurrent_streams == 0) {
        options->max_concurrent_streams = SW_H2_STREAMS_MAX;
    }
    if (options->stream_window_bytes == 0) {
        options->stream_window_bytes = SW_H2_STREAM_WINDOW;
    }
    if (options->connection_window_bytes_max == 0) {
        options->connection_window_bytes_max = SW_H2_CONNECTION_WINDOW_MAX;
    }
    if (options->header_list_bytes_max == 0) {
        options->header_list_bytes_max = SW_H2_HEADER_LIST_MAX;
    }
}

static nghttp2_option *new_option(void)
{
    nghttp2_option *option;
    if (nghttp2_option_new(&option) != 0) {
        return NULL;
    }
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1); // no priority tree to keep alive
    // grpc-go takes values with blanks at their ends.
    nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(option, 1);
    // Resets are counted by us, in the core's time (nghttp2 would read a clock).
    nghttp2_option_set_stream_reset_rate_limit(option, UINT32_MAX, UINT32_MAX);
    // The limit of open requests is ours (sw_h2_request_allowed): nghttp2 would hold them back unseen.
    nghttp2_option_set_peer_max_concurrent_streams(option, STREAM_ID_LIMIT);
    return option;
}

static int new_session(struct sw_h2 *h2)
{
    nghttp2_session_callbacks *callbacks;
    if (nghttp2_session_callbacks_new(&callbacks) != 0) {
        return SW_E_NOMEM;
    }
    sw_h2_set_callbacks_internal(callbacks);
    nghttp2_option *option = new_option();
    int err = SW_E_NOMEM;
    if (option != NULL) {
        err = h2->options.server
                  ? nghttp2_session_server_new3(&h2->session, callbacks, h2, option, &memory)
                  : nghttp2_session_client_new3(&h2->session, callbacks, h2, option, &memory);
        nghttp2_option_del(option);
    }
    nghttp2_session_callbacks_del(callbacks);
    return err == 0 ? SW_OK : SW_E_NOMEM;
}

static int submit_settings(struct sw_h2 *h2)
{
    nghttp2_settings_entry settings[5] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, h2->options.stream_window_bytes},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, H2_FRAME_MAX},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, h2->options.header_list_bytes_max},
    };
    if (h2->options.server) {
        settings[3] = (nghttp2_settings_entry){
            NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
            h2->options.max_concurrent_streams,
        };
    } else {
        settings[3] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
    }
    return nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings, 4) == 0 ? SW_OK
                                                                                     : SW_E_NOMEM;
}

static void goaway_waited(struct sw_timer *timer, uint64_t now_ns)
{
    (void)now_ns;
    struct sw_h2 *h2 = SW_CONTAINER_OF(timer, struct sw_h2, goaway_timer);
    sw_h2_goaway_end_internal(h2);
    int err = sw_h2_send(h2);
    if (err != SW_OK) {
        h2->broken = true; // the next call tells
    }
    if ((err != SW_OK || sw_h2_done(h2)) && h2->events->on_done != NULL) {
        h2->events->on_done(h2->owner); // may free the session
    }
}

// The window that a connection has by its mere existence is charged as well, even past the limit: it
// cannot be refused. What is refused then is growth, and bodies.
static void charge_window(const struct sw_h2 *h2, int64_t bytes)
{
    struct sw_http_budget *budget = h2->options.budget;
    if (budget != NULL) {
        sw_http_budget_give(budget, -bytes);
        sw_account_charge(budget->account, bytes);
    }
}

int sw_h2_new(
    struct sw_core *core,
    const struct sw_h2_options *options,
    const struct sw_http_out *out,
    const struct sw_h2_events *events,
    void *owner,
    struct sw_h2 **ret_h2
)
{
    struct sw_h2 *h2 = sw_zalloc(sizeof(*h2));
    if (h2 == NULL) {
        return SW_E_NOMEM;
    }
    h2->core = core;
    h2->out = *out;
    h2->events = events;
    h2->owner = owner;
    h2->options = *options;
    set_defaults(&h2->options);
    LIST_INIT(&h2->streams);
    h2->peer_streams_max = PEER_STREAMS;
    h2->window_bytes = WINDOW_START;
    h2->window_update_ns = core->now_ns;
    charge_window(h2, WINDOW_START);
    sw_timer_init(&h2->goaway_timer, goaway_waited);
    // nghttp2's numbers for resets and for glitches.
    h2->resets = (struct h2_bucket){1000, 1000, 33, core->now_ns};
    h2->trifles = (struct h2_bucket){10000, 10000, 330, core->now_ns};
    int err = new_session(h2);
    if (err == SW_OK) {
        err = submit_settings(h2);
    }
    if (err == SW_OK) {
        err = sw_h2_send(h2);
    }
    if (err != SW_OK) {
        sw_h2_free(h2);
        return SW_E_NOMEM;
    }
    *ret_h2 = h2;
    return SW_OK;
}

void sw_h2_stream_free_internal(struct sw_h2 *h2, struct h2_stream *stream, uint32_t code)
{
    LIST_REMOVE(stream, all);
    h2->streams_count--;
    nghttp2_session_set_stream_user_data(h2->session, stream->id, NULL);
    if (h2->events->on_close != NULL) {
        h2->events->on_close(h2->owner, stream->id, stream->owner, code);
    }
    sw_free(stream);
}

void sw_h2_free(struct sw_h2 *h2)
{
    if (h2 == NULL) {
        return;
    }
    SW_ASSERT(!h2->busy);
    h2->busy = true; // nothing goes out any more
    h2->broken = true;
    struct h2_stream *stream;
    while ((stream = LIST_FIRST(&h2->streams)) != NULL) {
        sw_h2_stream_free_internal(h2, stream, SW_H2_INTERNAL_ERROR);
    }
    sw_timer_cancel(&h2->core->timers, &h2->goaway_timer);
    nghttp2_session_del(h2->session);
    charge_window(h2, -(int64_t)h2->window_bytes);
    sw_free(h2);
}

/* ---- in and out ---- */

static int send_all(struct sw_h2 *h2)
{
    int err = nghttp2_session_send(h2->session);
    if (h2->write_err != SW_OK) {
        return h2->write_err;
    }
    if (err != 0) {
        return err == NGHTTP2_ERR_NOMEM ? SW_E_NOMEM : SW_E_PROTOCOL;
    }
    return h2->broken ? SW_E_PROTOCOL : SW_OK;
}

int sw_h2_recv(struct sw_h2 *h2, const uint8_t *data, size_t size)
{
    if (h2->broken) {
        return SW_E_PROTOCOL;
    }
    SW_ASSERT(!h2->busy);
    h2->busy = true;
    ssize_t taken = nghttp2_session_mem_recv(h2->session, data, size);
    int err = send_all(h2); // also when it failed: a GOAWAY may say why
    h2->busy = false;
    if (taken < 0) {
        h2->broken = true;
        return taken == NGHTTP2_ERR_NOMEM ? SW_E_NOMEM : SW_E_PROTOCOL;
    }
    return err;
}

int sw_h2_send(struct sw_h2 *h2)
{
    if (h2->busy) {
        return SW_OK; // goes out when the call that is running ends
    }
    if (h2->broken) {
        return SW_E_PROTOCOL;
    }
    h2->busy = true;
    int err = send_all(h2);
    h2->busy = false;
    return err;
}

bool sw_h2_done(const struct sw_h2 *h2)
{
    return nghttp2_session_want_read(h2->session) == 0
           && nghttp2_session_want_write(h2->session) == 0;
}

void sw_h2_consume(struct sw_h2 *h2, int32_t id, size_t size)
{
    // Fails only for lack of memory to queue the WINDOW_UPDATE; the next one makes up for it.
    (void)nghttp2_session_consume(h2->session, id, size);
}

static struct h2_stream *find_stream(struct sw_h2 *h2, int32_t id)
{
    struct h2_stream *stream = nghttp2_session_get_stream_user_data(h2->session, id);
    if (stream == NULL && !h2->options.server) { // a request that has not left yet
        LIST_FOREACH(stream, &h2->streams, all)
        {
            if (stream->id == id) {
                break;
            }
        }
    }
    return stream;
}

void sw_h2_reset(struct sw_h2 *h2, int32_t id, uint32_t code)
{
    struct h2_stream *stream = find_stream(h2, id);
    if (stream != NULL) {
        stream->reset_asked = true;
        stream->reset_code = code;
        nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, id, code);
    }
}

uint32_t sw_h2_streams_count(const struct sw_h2 *h2)
{
    return h2->streams_count;
}

void sw_h2_set_stream(struct sw_h2 *h2, int32_t id, void *stream)
{
    struct h2_stream *here = find_stream(h2, id);
    if (here != NULL) {
        here->owner = stream;
    }
}

uint32_t sw_h2_window_bytes(const struct sw_h2 *h2)
{
    return h2->window_bytes;
}

void sw_h2_ping(struct sw_h2 *h2, const uint8_t data[8])
{
    (void)nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, data);
}

static void fill(nghttp2_nv *nv, const struct sw_h2_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        nv[i] = (nghttp2_nv){
            .name = (uint8_t *)headers[i].name.data,
            .namelen = headers[i].name.len,
            .value = (uint8_t *)headers[i].value.data,
            .valuelen = headers[i].value.len,
            .flags = headers[i].fixed ? NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE
                                      : NGHTTP2_NV_FLAG_NONE,
        };
    }
}

/* ---- server ---- */

static int
respond(struct sw_h2 *h2, struct h2_stream *stream, const nghttp2_nv *nv, size_t headers_count)
{
    if (stream->body == NULL && stream->trailers_count == 0) {
        return nghttp2_submit_response(h2->session, stream->id, nv, headers_count, NULL);
    }
    if (stream->body == NULL) {
        return NGHTTP2_ERR_INVALID_ARGUMENT;
    }
    nghttp2_data_provider provider = {
        .source.ptr = stream,
        .read_callback = sw_h2_body_read_internal,
    };
    return nghttp2_submit_response(h2->session, stream->id, nv, headers_count, &provider);
}

int sw_h2_respond(
    struct sw_h2 *h2,
    int32_t id,
    const struct sw_h2_header *headers,
    size_t headers_count,
    struct sw_http_body *body,
    const struct sw_h2_header *trailers,
    size_t trailers_count
)
{
    nghttp2_nv nv[HEADERS_INLINE];
    struct h2_stream *stream = nghttp2_session_get_stream_user_data(h2->session, id);
    if (h2->broken || stream == NULL || stream->mute) {
        return SW_E_CLOSED;
    }
    SW_ASSERT(headers_count <= SW_ARRAY_SIZE(nv));
    SW_ASSERT(body != NULL || trailers_count == 0);
    fill(nv, headers, headers_count);
    stream->body = body;
    stream->trailers = trailers;
    stream->trailers_count = trailers_count;
    int err = respond(h2, stream, nv, headers_count);
    return err == 0 ? SW_OK : err_of(err);
}

// nghttp2's own notice of shutdown carries no text, and a GOAWAY made by it would end the taking of
// streams; so this one frame is written past it. Frames always go out whole, so there is no other in
// the middle.
static int write_notice(struct sw_h2 *h2, const char *debug)
{
    uint8_t frame[9 + 8 + 64];
    size_t len = strlen(debug);
    SW_ASSERT(len <= 64);
    memcpy(frame, (const uint8_t[]){0, 0, (uint8_t)(8 + len), NGHTTP2_GOAWAY, 0, 0, 0, 0, 0}, 9);
    memcpy(frame + 9, (const uint8_t[]){0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0}, 8);
    memcpy(frame + 17, debug, len);
    return h2->out.copy(h2->out.ctx, frame, 17 + len);
}

void sw_h2_goaway(struct sw_h2 *h2, const char *debug)
{
    static const uint8_t ping[8] = {1, 6, 1, 8, 0, 3, 3, 9};
    if (h2->goaway_begun || h2->broken) {
        return;
    }
    h2->goaway_begun = true;
    if (write_notice(h2, debug) != SW_OK) {
        h2->broken = true;
        return;
    }
    sw_h2_ping(h2, ping);
    sw_timer_set(&h2->core->timers, &h2->goaway_timer, h2->core->now_ns + GOAWAY_WAIT_NS);
}

void sw_h2_goaway_end_internal(struct sw_h2 *h2)
{
    if (h2->goaway_ended) {
        return;
    }
    h2->goaway_ended = true;
    sw_timer_cancel(&h2->core->timers, &h2->goaway_timer);
    int32_t last = nghttp2_session_get_last_proc_stream_id(h2->session);
    (void)nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);
}

bool sw_h2_leaving(const struct sw_h2 *h2)
{
    return h2->goaway_begun;
}

int sw_h2_calm_internal(struct sw_h2 *h2, const char *debug)
{
    if (!h2->calmed) {
        h2->calmed = true;
        (void)nghttp2_submit_goaway(
            h2->session,
            NGHTTP2_FLAG_NONE,
            nghttp2_session_get_last_proc_stream_id(h2->session),
            NGHTTP2_ENHANCE_YOUR_CALM,
            (const uint8_t *)debug,
            strlen(debug)
        );
    }
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* ---- client ---- */

bool sw_h2_usable(const struct sw_h2 *h2)
{
    return !h2->broken && !h2->goaway_received && !h2->goaway_begun
           && nghttp2_session_check_request_allowed(h2->session) != 0;
}

bool sw_h2_request_allowed(const struct sw_h2 *h2)
{
    return h2->streams_count < h2->peer_streams_max && sw_h2_usable(h2);
}

bool sw_h2_ready(const struct sw_h2 *h2)
{
    return h2->settings_seen;
}

uint32_t sw_h2_peer_streams_max(const struct sw_h2 *h2)
{
    return h2->peer_streams_max;
}

int sw_h2_request(
    struct sw_h2 *h2,
    const struct sw_h2_header *headers,
    size_t headers_count,
    struct sw_http_body *body,
    void *owner,
    int32_t *ret_id
)
{
    nghttp2_nv nv[HEADERS_INLINE * 2];
    if (!sw_h2_usable(h2)) {
        return SW_E_CLOSED;
    }
    if (!sw_h2_request_allowed(h2) || headers_count > SW_ARRAY_SIZE(nv)) {
        return SW_E_FULL;
    }
    struct h2_stream *stream = sw_zalloc(sizeof(*stream));
    if (stream == NULL) {
        return SW_E_NOMEM;
    }
    stream->owner = owner;
    stream->body = body;
    fill(nv, headers, headers_count);
    nghttp2_data_provider provider = {
        .source.ptr = stream,
        .read_callback = sw_h2_body_read_internal,
    };
    int32_t id = nghttp2_submit_request(
        h2->session, NULL, nv, headers_count, body != NULL ? &provider : NULL, stream
    );
    if (id < 0) {
        sw_free(stream);
        return err_of(id);
    }
    stream->id = id;
    LIST_INSERT_HEAD(&h2->streams, stream, all);
    h2->streams_count++;
    *ret_id = id;
    return SW_OK;
}

void sw_h2_close_begin(struct sw_h2 *h2)
{
    if (!h2->broken && !h2->goaway_begun) {
        h2->goaway_begun = true;
        (void)nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, NULL, 0);
    }
}
