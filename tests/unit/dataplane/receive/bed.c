#include "tests/unit/dataplane/receive/bed.h"

#include "dataplane/l7_http/codec.h"

#include <stdlib.h>
#include <unistd.h>

#define STEP_NS 20000

/* ---- the two cores ---- */

static void accepted_at(struct bed *bed, int which, int handle, const struct sw_addr *peer)
{
    struct sw_stream *stream;
    struct sw_net *net = bed->cores[1].net;
    assert_int_equal(sw_net_adopt(net, handle, peer, NULL, NULL, &stream), SW_OK);
    bed->accepted_count++;
    if (which == 0) {
        sw_otlp_receiver_accept_grpc(bed->receiver, stream);
    } else {
        sw_otlp_receiver_accept_http(bed->receiver, stream);
    }
}

static void accepted_grpc(void *context, int handle, const struct sw_addr *peer)
{
    accepted_at(context, 0, handle, peer);
}

static void accepted_http(void *context, int handle, const struct sw_addr *peer)
{
    accepted_at(context, 1, handle, peer);
}

static void listen_in_kernel(struct bed *bed)
{
    for (int i = 0; i < 2; i++) {
        uint16_t port;
        assert_int_equal(sw_addr_parse("127.0.0.1", 0, &bed->addrs[i]), SW_OK);
        assert_int_equal(sw_socket_listen(&bed->addrs[i], 16, &bed->listen_fds[i], &port), SW_OK);
        bed->addrs[i].in4.sin_port = htons(port);
        assert_int_equal(sw_socket_net_new(&bed->cores[i], -1, &bed->cores[i].net), SW_OK);
    }
}

static void listen_in_memory(struct bed *bed, uint64_t seed)
{
    struct sw_memory_trouble trouble = {.seed = seed};
    if (bed->kind >= BED_TROUBLED) {
        trouble.segment_bytes_max = 700;
        trouble.write_bytes_max = 3000;
        trouble.delay_ns_max = 300000;
    }
    if (bed->kind == BED_RESETS) {
        trouble.reset_per_million = 20000;
    }
    assert_int_equal(sw_memory_wire_new(&trouble, &bed->wire), SW_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sw_memory_net_new(bed->wire, &bed->cores[i], &bed->cores[i].net), SW_OK);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sw_addr_parse("10.0.0.1", (uint16_t)(4317 + i), &bed->addrs[i]), SW_OK);
        assert_int_equal(
            sw_memory_listen(
                bed->wire,
                bed->cores[1].net,
                &bed->addrs[i],
                i == 0 ? accepted_grpc : accepted_http,
                bed
            ),
            SW_OK
        );
    }
}

static const char *const codings[] =
    {"", "gzip", "zstd", "zlib", "snappy", "deflate", "lz4", "x-snappy-framed"};

void bed_init_conf(
    struct bed *bed,
    enum bed_kind kind,
    uint64_t seed,
    void (*change)(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
)
{
    memset(bed, 0, sizeof(*bed));
    bed->kind = kind;
    bed->listen_fds[0] = bed->listen_fds[1] = -1;
    for (int i = 0; i < 2; i++) {
        bench_core_init(&bed->cores[i], &bed->account);
        bed->cores[i].index = (uint16_t)i;
    }
    bed->budget = (struct sw_http_budget){.limit_bytes = 64 << 20, .account = &bed->account};
    assert_int_equal(sw_metrics_new(2, &bed->metrics), SW_OK);
    bench_keeper_init(&bed->keeper, &bed->cores[1]);
    bed->keeper.keep_last = true;
    bed->conf.protocols.grpc.enabled = true;
    bed->conf.protocols.http.enabled = true;
    bed->conf.protocols.http.server.endpoint = "localhost:4318";
    bed->conf.protocols.http.server.keep_alives_enabled = true;
    bed->conf.protocols.http.traces_url_path = "/v1/traces";
    bed->conf.protocols.http.server.compression_algorithms =
        (struct sw_list){(void *)codings, SW_ARRAY_SIZE(codings)};
    struct sw_otlp_receiver_env env = {
        .id = "otlp",
        .conf = &bed->conf,
        .core = &bed->cores[1],
        .entries = {[SW_TRACES] = &bed->keeper.stage},
        .metrics = bed->metrics,
        .budget = &bed->budget,
        .baseline = &bed->baseline,
    };
    if (change != NULL) {
        change(&env, &bed->conf);
    }
    assert_int_equal(sw_otlp_receiver_new(&env, &bed->receiver), SW_OK);
    if (kind == BED_TCP) {
        listen_in_kernel(bed);
    } else {
        listen_in_memory(bed, seed);
    }
}

void bed_fini(struct bed *bed)
{
    while (bed->clients != NULL) {
        struct bed_client *client = bed->clients;
        bed->clients = client->next;
        bed_hang_up(client);
        free(client->text);
        free(client);
    }
    sw_batch_free(bed->keeper.last);
    sw_otlp_receiver_free(bed->receiver);
    assert_int_equal(bed->cores[1].accepted_ended_count, bed->accepted_count);
    for (int i = 0; i < 2; i++) {
        bed->cores[i].net->ops->free(bed->cores[i].net);
        assert_int_equal(bed->cores[i].timers.count, 0);
        assert_null(bed->cores[i].tasks_first);
        if (bed->listen_fds[i] >= 0) {
            close(bed->listen_fds[i]);
        }
    }
    sw_memory_wire_free(bed->wire);
    sw_metrics_free(bed->metrics);
    assert_int_equal(bed->budget.used_bytes, 0);
    assert_int_equal(sw_account_charged(&bed->account), 0);
}

static void accept_some(struct bed *bed)
{
    int fd;
    struct sw_addr peer;
    for (int i = 0; i < 2 && bed->kind == BED_TCP; i++) {
        while (sw_socket_accept(bed->listen_fds[i], &fd, &peer) == SW_OK) {
            accepted_at(bed, i, fd, &peer);
        }
    }
}

static void close_due(struct bed *bed);

void bed_step(struct bed *bed)
{
    accept_some(bed);
    for (int i = 0; i < 2; i++) {
        struct sw_core *core = &bed->cores[i];
        core->now_ns += STEP_NS;
        core->wall_ns += STEP_NS;
        sw_timers_run(&core->timers, core->now_ns, 100);
        sw_core_run_tasks(core);
        sw_net_poll(core->net, 0);
    }
    close_due(bed);
}

void bed_wait(struct bed *bed, uint64_t ns)
{
    uint64_t end_ns = bed->cores[0].now_ns + ns;
    while (bed->cores[0].now_ns < end_ns) {
        uint64_t next_ns = SW_MIN(
            sw_timers_next_ns(&bed->cores[0].timers), sw_timers_next_ns(&bed->cores[1].timers)
        );
        uint64_t now_ns = bed->cores[0].now_ns;
        if (next_ns > now_ns + STEP_NS) {
            uint64_t jump_ns = SW_MIN(next_ns, end_ns) - now_ns - STEP_NS;
            for (int i = 0; i < 2; i++) {
                bed->cores[i].now_ns += jump_ns;
                bed->cores[i].wall_ns += jump_ns;
            }
        }
        bed_step(bed);
    }
    for (int i = 0; i < 50; i++) {
        bed_step(bed);
    }
}

int64_t bed_count(struct bed *bed, const char *name, const char *label, const char *value)
{
    return (int64_t)bench_metric(bed->metrics, name, label, value);
}

/* ---- bodies ---- */

struct sw_buf *bed_request(uint32_t from, uint32_t spans)
{
    struct sw_batch *batch = bench_batch_in(NULL, from, spans, 0);
    struct sw_buf *buf = sw_buf_new(NULL, (uint32_t)batch->bytes);
    sw_batch_copy_out(batch, buf->data);
    buf->size = (uint32_t)batch->bytes;
    sw_batch_free(batch);
    return buf;
}

static bool next_piece(void *ctx, struct sw_piece *ret_piece)
{
    const struct sw_buf **buf = ctx;
    if (*buf == NULL) {
        return false;
    }
    *ret_piece = (struct sw_piece){.data = (*buf)->data, .len = (*buf)->size};
    *buf = NULL;
    return true;
}

struct sw_buf *bed_pack(enum sw_coding coding, const struct sw_buf *buf)
{
    struct sw_codec *codec;
    struct sw_buf *out = NULL;
    uint32_t size = buf->size;
    assert_int_equal(sw_codec_new(&codec), SW_OK);
    assert_int_equal(sw_codec_pack(codec, coding, 0, next_piece, &buf, size, NULL, &out), SW_OK);
    sw_codec_free(codec);
    return out;
}

void bed_assert_kept(struct bed *bed, const struct sw_buf *body)
{
    const struct sw_batch *batch = bed->keeper.last;
    assert_non_null(batch);
    assert_int_equal(batch->bytes, body->size);
    uint8_t *out = malloc(body->size);
    sw_batch_copy_out(batch, out);
    assert_memory_equal(out, body->data, body->size);
    free(out);
}

/* ---- clients: streams ---- */

static void look(struct bed_client *client, int err)
{
    if (err != SW_OK || (client->h2 != NULL && sw_h2_done(client->h2))) {
        client->close_due = true; // not from inside of an event
    }
}

static void client_data(void *owner, struct sw_stream *stream, const uint8_t *data, size_t size)
{
    struct bed_client *client = owner;
    if (client->h2 != NULL) {
        look(client, sw_h2_recv(client->h2, data, size));
        return;
    }
    client->text = realloc(client->text, client->text_len + size + 1);
    memcpy(client->text + client->text_len, data, size);
    client->text_len += size;
    client->text[client->text_len] = '\0';
}

static void begin_h2(struct bed_client *client);

static void client_open(void *owner, struct sw_stream *stream)
{
    struct bed_client *client = owner;
    client->open = true;
    if (client->grpc) {
        begin_h2(client);
    }
}

static void client_eof(void *owner, struct sw_stream *stream)
{
    struct bed_client *client = owner;
    client->eof = true;
    if (client->h2 != NULL) {
        client->close_due = true;
    }
}

static void client_drain(void *owner, struct sw_stream *stream)
{
    struct bed_client *client = owner;
    if (client->h2 != NULL) {
        look(client, sw_h2_send(client->h2));
    }
}

static void client_closed(void *owner, struct sw_stream *stream, int err)
{
    struct bed_client *client = owner;
    client->closed = true;
    client->err = err;
    client->stream = NULL;
    client->close_due = true;
}

static const struct sw_stream_events client_events = {
    .on_open = client_open,
    .on_data = client_data,
    .on_eof = client_eof,
    .on_drain = client_drain,
    .on_closed = client_closed,
};

void bed_hang_up(struct bed_client *client)
{
    if (client->stream != NULL) {
        sw_stream_close(client->stream);
        client->stream = NULL;
        client->closed = true;
    }
    sw_h2_free(client->h2);
    client->h2 = NULL;
    client->dead = true;
}

static void close_due(struct bed *bed)
{
    for (struct bed_client *client = bed->clients; client != NULL; client = client->next) {
        if (client->close_due && (client->h2 != NULL || client->stream == NULL)) {
            client->close_due = false;
            bed_hang_up(client);
        }
    }
}

static struct bed_client *connect_to(struct bed *bed, int which)
{
    struct bed_client *client = calloc(1, sizeof(*client));
    client->grpc = which == 0;
    client->bed = bed;
    client->next = bed->clients;
    bed->clients = client;
    assert_int_equal(
        sw_net_connect(
            bed->cores[0].net, &bed->addrs[which], &client_events, client, &client->stream
        ),
        SW_OK
    );
    bed_until(bed, client->open || client->closed);
    return client;
}

struct bed_client *bed_connect_http(struct bed *bed)
{
    return connect_to(bed, 1);
}

/* ---- clients: gRPC ---- */

static void copy_text(char *to, size_t size, struct sw_http_text text)
{
    size_t len = SW_MIN(text.len, size - 1);
    memcpy(to, text.data, len);
    to[len] = '\0';
}

static void rpc_header(
    void *owner,
    int32_t id,
    void *stream,
    struct sw_http_text name,
    struct sw_http_text value
)
{
    struct bed_rpc *rpc = stream;
    const struct {
        const char *name;
        char *to;
        size_t size;
    } rows[] = {
        {":status", rpc->http_status, sizeof(rpc->http_status)},
        {"content-type", rpc->content_type, sizeof(rpc->content_type)},
        {"grpc-encoding", rpc->encoding, sizeof(rpc->encoding)},
        {"grpc-status", rpc->status, sizeof(rpc->status)},
        {"grpc-message", rpc->message, sizeof(rpc->message)},
        {"grpc-status-details-bin", rpc->details, sizeof(rpc->details)},
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(rows); i++) {
        if (sw_http_text_is(name, rows[i].name)) {
            copy_text(rows[i].to, rows[i].size, value);
        }
    }
}

static void
rpc_headers(void *owner, int32_t id, void *stream, enum sw_h2_headers_kind kind, bool end)
{
    ((struct bed_rpc *)stream)->headers_count++;
}

static void rpc_data(void *owner, int32_t id, void *stream, const uint8_t *data, size_t size)
{
    struct bed_client *client = owner;
    struct bed_rpc *rpc = stream;
    assert_true(rpc->data_len + size <= sizeof(rpc->data));
    memcpy(rpc->data + rpc->data_len, data, size);
    rpc->data_len += size;
    sw_h2_consume(client->h2, id, size);
}

static void rpc_close(void *owner, int32_t id, void *stream, uint32_t code)
{
    struct bed_rpc *rpc = stream;
    rpc->closed = true;
    rpc->reset_code = code;
    if (rpc->has_body) {
        sw_http_buf_body_fini(&rpc->body);
        rpc->has_body = false;
    }
}

static void on_goaway(void *owner, int32_t last_id, uint32_t code, struct sw_http_text debug)
{
    struct bed_client *client = owner;
    size_t len = SW_MIN(debug.len, sizeof(client->goaway_text) - 1);
    if (!client->goaway && len > 0) {
        memcpy(client->goaway_text, debug.data, len);
    }
    client->goaway = true;
}

static const struct sw_h2_events rpc_events = {
    .on_header = rpc_header,
    .on_headers = rpc_headers,
    .on_data = rpc_data,
    .on_close = rpc_close,
    .on_goaway = on_goaway,
};

static int out_copy(void *ctx, const void *data, size_t size)
{
    struct bed_client *client = ctx;
    client->out_bytes += size;
    return client->stream != NULL ? sw_stream_write_copy(client->stream, data, size) : SW_E_CLOSED;
}

static int out_ref(void *ctx, struct sw_buf *buf, const void *data, size_t size)
{
    // Copied: the buffer is the test's, and may be changed for the next call.
    return out_copy(ctx, data, size);
}

static bool out_full(void *ctx)
{
    struct bed_client *client = ctx;
    return client->hold_bytes > 0 && client->out_bytes >= client->hold_bytes;
}

static void begin_h2(struct bed_client *client)
{
    struct sw_http_out out = {out_copy, out_ref, out_full, client};
    struct sw_h2_options options = {.server = false};
    struct sw_core *core = &client->bed->cores[0];
    assert_int_equal(sw_h2_new(core, &options, &out, &rpc_events, client, &client->h2), SW_OK);
}

struct bed_client *bed_connect_grpc(struct bed *bed)
{
    struct bed_client *client = connect_to(bed, 0);
    bed_until(bed, client->dead || client->closed || sw_h2_ready(client->h2));
    return client;
}

static struct sw_h2_header header_of(const char *name, const char *value)
{
    return (struct sw_h2_header){{name, strlen(name)}, {value, strlen(value)}, false};
}

void bed_call(
    struct bed_client *client,
    struct bed_rpc *rpc,
    struct sw_buf *frame,
    const struct bed_header *more,
    size_t more_count
)
{
    struct bed_header usual[16] = {
        {":method", "POST"},
        {":scheme", "http"},
        {":path", BED_EXPORT},
        {":authority", "test"},
        {"content-type", "application/grpc"},
        {"te", "trailers"},
    };
    size_t count = 6;
    for (size_t i = 0; i < more_count; i++) {
        size_t k = 0;
        while (k < count && strcmp(usual[k].name, more[i].name) != 0) {
            k++;
        }
        usual[k] = more[i];
        count = SW_MAX(count, k + 1);
    }
    struct sw_h2_header headers[16];
    size_t headers_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (usual[i].value != NULL) {
            headers[headers_count++] = header_of(usual[i].name, usual[i].value);
        }
    }
    memset(rpc, 0, sizeof(*rpc));
    if (client->dead) {
        sw_buf_unref(frame);
        rpc->closed = true;
        return;
    }
    if (frame != NULL) {
        sw_http_buf_body_init(&rpc->body, frame);
        rpc->has_body = true;
    }
    assert_int_equal(
        sw_h2_request(
            client->h2,
            headers,
            headers_count,
            frame != NULL ? &rpc->body.body : NULL,
            rpc,
            &rpc->id
        ),
        SW_OK
    );
    look(client, sw_h2_send(client->h2));
}

struct sw_buf *bed_frame(uint8_t flag, const struct sw_buf *message)
{
    uint32_t size = message != NULL ? message->size : 0;
    struct sw_buf *frame = sw_buf_new(NULL, size + SW_GRPC_PREFIX_BYTES);
    sw_grpc_prefix(frame->data, false, size);
    frame->data[0] = flag;
    if (size > 0) {
        memcpy(frame->data + SW_GRPC_PREFIX_BYTES, message->data, size);
    }
    frame->size = size + SW_GRPC_PREFIX_BYTES;
    return frame;
}

void bed_export(struct bed_client *client, struct bed_rpc *rpc, struct sw_buf *message)
{
    bed_call(client, rpc, bed_frame(0, message), NULL, 0);
    sw_buf_unref(message);
    bed_until(client->bed, rpc->closed);
}

void bed_assert_ok(const struct bed_rpc *rpc)
{
    static const uint8_t reply[] = {0, 0, 0, 0, 2, 0x0a, 0};
    assert_string_equal(rpc->http_status, "200");
    assert_string_equal(rpc->status, "0");
    assert_string_equal(rpc->message, "");
    assert_int_equal(rpc->headers_count, 2);
    assert_int_equal(rpc->reset_code, 0);
    assert_int_equal(rpc->data_len, sizeof(reply));
    assert_memory_equal(rpc->data, reply, sizeof(reply));
}

void bed_assert_failed(const struct bed_rpc *rpc, const char *status, const char *message)
{
    assert_string_equal(rpc->status, status);
    assert_string_equal(rpc->message, message);
    assert_int_equal(rpc->headers_count, 1);
    assert_int_equal(rpc->data_len, 0);
}

/* ---- clients: HTTP ---- */

void bed_send(struct bed_client *client, const void *data, size_t size)
{
    if (client->stream != NULL) {
        (void)!sw_stream_write_copy(client->stream, data, size);
    }
}

void bed_post(struct bed_client *client, const char *extra, const struct sw_buf *body)
{
    char head[1024];
    snprintf(
        head,
        sizeof(head),
        "POST /v1/traces HTTP/1.1\r\nHost: test\r\nContent-Type: application/x-protobuf\r\n"
        "Content-Length: %u\r\n%s\r\n",
        body->size,
        extra
    );
    bed_send_text(client, head);
    bed_send(client, body->data, body->size);
}

// Length of the first response; 0: not whole yet. HEAD answers are told by `X-No-Body` only in tests.
static size_t first_response(const char *text, size_t len)
{
    const char *end = memmem(text, len, "\r\n\r\n", 4);
    if (end == NULL) {
        return 0;
    }
    size_t head = (size_t)(end - text) + 4;
    const char *length = memmem(text, head, "Content-Length: ", 16);
    size_t body = length != NULL ? strtoul(length + 16, NULL, 10) : 0;
    return head + body <= len ? head + body : 0;
}

unsigned bed_responses_count(const struct bed_client *client)
{
    unsigned count = 0;
    size_t at = 0;
    while (at < client->text_len) {
        size_t len = first_response(client->text + at, client->text_len - at);
        if (len == 0) {
            break;
        }
        at += len;
        count++;
    }
    return count;
}

void bed_assert_response(struct bed_client *client, const char *head, const char *body, size_t len)
{
    size_t whole = first_response(client->text, client->text_len);
    assert_int_not_equal(whole, 0);
    size_t head_len =
        (size_t)((char *)memmem(client->text, whole, "\r\n\r\n", 4) - client->text) + 4;
    char *text = malloc(head_len + 1);
    memcpy(text, client->text, head_len);
    text[head_len] = '\0';
    char *date = strstr(text, "Date: ");
    if (date != NULL) {
        char *next = strstr(date, "\r\n") + 2;
        memmove(date, next, strlen(next) + 1);
    }
    assert_string_equal(text, head);
    free(text);
    assert_int_equal(whole - head_len, len);
    assert_memory_equal(client->text + head_len, body, len);
    client->text_len -= whole;
    memmove(client->text, client->text + whole, client->text_len + 1);
}
