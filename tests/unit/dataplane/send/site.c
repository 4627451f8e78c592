#include "tests/unit/dataplane/send/site.h"

#include <ctype.h>
#include <stdlib.h>
#include <unistd.h>

static void adopt(struct server *server, int handle, const struct sw_addr *from);

/* ---- time ---- */

bool site_turn(struct site *site)
{
    unsigned work = 0;
    int fd;
    struct sw_addr peer;
    if (site->listen_fd >= 0 && sw_socket_accept(site->listen_fd, &fd, &peer) == SW_OK) {
        struct server *server = &site->servers[site->servers_count++];
        *server = (struct server){.site = site};
        adopt(server, fd, &peer);
        work++;
    }
    for (unsigned i = 0; i < 2; i++) {
        struct sw_core *core = &site->cores[i];
        if (site->kind != SITE_MEMORY) {
            core->now_ns += 2000;
            core->wall_ns += 2000;
        }
        if (i == 0 && site->around != NULL) {
            site->around(site, true);
        }
        work += sw_timers_run(&core->timers, core->now_ns, 1000);
        work += sw_core_run_tasks(core);
        work += sw_net_poll(core->net, 0);
        if (i == 0 && site->around != NULL) {
            site->around(site, false);
        }
    }
    return work > 0;
}

void site_rest(struct site *site)
{
    unsigned idle = 0;
    unsigned most = site->kind == SITE_MEMORY ? 2 : 2000;
    while (idle < most) {
        idle = site_turn(site) ? 0 : idle + 1;
    }
}

void site_advance(struct site *site, uint64_t ns)
{
    assert_int_equal(site->kind, SITE_MEMORY);
    uint64_t end_ns = site->cores[0].now_ns + ns;
    for (;;) {
        site_rest(site);
        uint64_t next_ns = SW_MIN(
            sw_timers_next_ns(&site->cores[0].timers), sw_timers_next_ns(&site->cores[1].timers)
        );
        next_ns = SW_MIN(next_ns, end_ns);
        for (unsigned i = 0; i < 2; i++) {
            site->cores[i].wall_ns += next_ns - site->cores[i].now_ns;
            site->cores[i].now_ns = next_ns;
        }
        if (next_ns == end_ns) {
            site_rest(site);
            return;
        }
    }
}

/* ---- HTTP/2 events ---- */

static void *on_begin(void *owner, int32_t id)
{
    struct server *server = owner;
    struct site *site = server->site;
    assert_true(site->requests_count < SITE_REQUESTS_MAX);
    struct request *request = &site->requests[site->requests_count++];
    *request = (struct request){.site = site, .server = server, .id = id};
    request->body = sw_buf_new(NULL, 4096);
    server->requests_count++;
    return request;
}

static void on_header(
    void *owner,
    int32_t id,
    void *stream,
    struct sw_http_text name,
    struct sw_http_text value
)
{
    struct request *request = stream;
    size_t len = strlen(request->head);
    snprintf(
        request->head + len,
        sizeof(request->head) - len,
        "%.*s: %.*s\n",
        (int)name.len,
        name.data,
        (int)value.len,
        value.data
    );
}

static struct sw_buf *appended(struct sw_buf *buf, const void *data, size_t size)
{
    if (buf->capacity - buf->size < size) {
        struct sw_buf *larger = sw_buf_new(NULL, (uint32_t)(2 * (buf->size + size)));
        memcpy(larger->data, buf->data, buf->size);
        larger->size = buf->size;
        sw_buf_unref(buf);
        buf = larger;
    }
    memcpy(buf->data + buf->size, data, size);
    buf->size += (uint32_t)size;
    return buf;
}

static void on_data(void *owner, int32_t id, void *stream, const uint8_t *data, size_t size)
{
    struct server *server = owner;
    struct request *request = stream;
    request->body = appended(request->body, data, size);
    sw_h2_consume(server->h2, id, size);
}

static void on_end(void *owner, int32_t id, void *stream)
{
    struct request *request = stream;
    request->ended = true;
    request->site->on_request(request);
}

static void on_close(void *owner, int32_t id, void *stream, uint32_t code)
{
    struct request *request = stream;
    request->closed = true;
    request->code = code;
    sw_http_buf_body_fini(&request->answer);
}

static const struct sw_h2_events h2_events = {
    .on_begin = on_begin,
    .on_header = on_header,
    .on_data = on_data,
    .on_end = on_end,
    .on_close = on_close,
};

/* ---- connections of the backend ---- */

static void server_close(struct server *server)
{
    if (server->stream != NULL) {
        sw_stream_flush(server->stream);
        sw_stream_close(server->stream);
        server->stream = NULL;
    }
    sw_h2_free(server->h2);
    server->h2 = NULL;
}

static void check(struct server *server, int err)
{
    if (err != SW_OK || server->close_soon || sw_h2_done(server->h2)) {
        server_close(server);
    }
}

// Whole requests out of what has arrived: head, Content-Length, body.
static void read_posts(struct server *server)
{
    struct sw_buf *bytes = server->bytes;
    for (;;) {
        const char *begin = (const char *)bytes->data;
        const char *end = memmem(begin, bytes->size, "\r\n\r\n", 4);
        const char *length = memmem(begin, bytes->size, "Content-Length: ", 16);
        if (end == NULL) {
            return;
        }
        size_t head = (size_t)(end - begin) + 4;
        size_t size = length != NULL ? strtoul(length + 16, NULL, 10) : 0;
        if (bytes->size < head + size) {
            return;
        }
        char *text = strndup(begin, head);
        char *body = malloc(size + 1);
        memcpy(body, begin + head, size);
        bytes->size -= (uint32_t)(head + size);
        memmove(bytes->data, bytes->data + head + size, bytes->size);
        server->requests_count++;
        server->site->on_post(server, text, body, size);
        free(text);
        free(body);
        if (server->close_soon) {
            server_close(server);
            return;
        }
    }
}

static void stream_data(void *owner, struct sw_stream *stream, const uint8_t *data, size_t size)
{
    struct server *server = owner;
    if (server->site->http1) {
        server->bytes = appended(server->bytes, data, size);
        read_posts(server);
        return;
    }
    check(server, sw_h2_recv(server->h2, data, size));
}

static void stream_eof(void *owner, struct sw_stream *stream)
{
    struct server *server = owner;
    server->ended = true;
    server_close(server);
}

static void stream_drain(void *owner, struct sw_stream *stream)
{
    struct server *server = owner;
    if (server->h2 != NULL) {
        check(server, sw_h2_send(server->h2));
    }
}

static void stream_closed(void *owner, struct sw_stream *stream, int err)
{
    struct server *server = owner;
    server->stream = NULL;
    server->ended = err == SW_OK;
    server_close(server);
}

static const struct sw_stream_events stream_events = {
    .on_data = stream_data,
    .on_eof = stream_eof,
    .on_drain = stream_drain,
    .on_closed = stream_closed,
};

static void adopt(struct server *server, int handle, const struct sw_addr *from)
{
    struct sw_core *core = &server->site->cores[1];
    assert_int_equal(
        sw_net_adopt(core->net, handle, from, &stream_events, server, &server->stream), 0
    );
    if (server->site->http1) {
        server->bytes = sw_buf_new(NULL, 4096);
        return;
    }
    struct sw_http_out out = sw_http_out_stream(server->stream);
    struct sw_h2_options options = server->site->options;
    options.server = true;
    assert_int_equal(sw_h2_new(core, &options, &out, &h2_events, server, &server->h2), 0);
}

struct place {
    struct site *site;
    unsigned index;
};

static struct place places[64];

static void accepted(void *context, int handle, const struct sw_addr *peer)
{
    struct place *place = context;
    struct site *site = place->site;
    assert_true(site->servers_count < SITE_CONNECTIONS_MAX);
    struct server *server = &site->servers[site->servers_count++];
    *server = (struct server){.site = site, .listener = place->index};
    adopt(server, handle, peer);
    if (site->deaf[place->index]) {
        server_close(server);
    }
}

unsigned site_listen(struct site *site, unsigned n)
{
    char host[32];
    struct sw_addr addr;
    struct place *place = &places[site->listeners_count];
    *place = (struct place){site, site->listeners_count++};
    snprintf(host, sizeof(host), "10.0.0.%u", n);
    assert_int_equal(sw_addr_parse(host, 4317, &addr), 0);
    assert_int_equal(sw_memory_listen(site->wire, site->cores[1].net, &addr, accepted, place), 0);
    return place->index;
}

/* ---- life ---- */

void site_init(struct site *site, enum site_kind kind)
{
    static const struct sw_memory_trouble trouble = {
        .seed = 11,
        .segment_bytes_max = 700,
        .write_bytes_max = 5000,
        .delay_ns_max = 50000,
    };
    memset(site, 0, sizeof(*site));
    site->kind = kind;
    site->listen_fd = -1;
    site->port = 4317;
    site->on_request = site_answer_ok;
    for (unsigned i = 0; i < 2; i++) {
        bench_core_init(&site->cores[i], &site->account);
        site->cores[i].index = (uint16_t)i;
    }
    if (kind == SITE_KERNEL) {
        assert_int_equal(sw_addr_parse("127.0.0.1", 0, &site->addr), 0);
        assert_int_equal(sw_socket_listen(&site->addr, 16, &site->listen_fd, &site->port), 0);
        site->addr.in4.sin_port = htons(site->port);
        for (unsigned i = 0; i < 2; i++) {
            assert_int_equal(sw_socket_net_new(&site->cores[i], -1, &site->cores[i].net), 0);
        }
        return;
    }
    assert_int_equal(sw_memory_wire_new(kind == SITE_TROUBLED ? &trouble : NULL, &site->wire), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(sw_memory_net_new(site->wire, &site->cores[i], &site->cores[i].net), 0);
    }
    assert_int_equal(sw_addr_parse("10.0.0.1", 4317, &site->addr), 0);
}

void site_fini(struct site *site)
{
    for (unsigned i = 0; i < site->servers_count; i++) {
        server_close(&site->servers[i]);
        sw_buf_unref(site->servers[i].bytes);
    }
    for (unsigned i = 0; i < site->requests_count; i++) {
        sw_buf_unref(site->requests[i].body);
    }
    for (unsigned i = 0; i < 2; i++) {
        site->cores[i].net->ops->free(site->cores[i].net);
        sw_events_free(site->cores[i].events);
        assert_int_equal(site->cores[i].timers.count, 0);
        assert_null(site->cores[i].tasks_first);
    }
    sw_memory_wire_free(site->wire);
    if (site->listen_fd >= 0) {
        close(site->listen_fd);
    }
    assert_int_equal(sw_account_charged(&site->account), 0);
}

/* ---- what the backend does ---- */

void site_answer_message(struct request *request, const void *message, size_t size)
{
    static const struct sw_h2_header headers[] = {
        {.name = {":status", 7}, .value = {"200", 3}, .fixed = true},
        {.name = {"content-type", 12}, .value = {"application/grpc", 16}, .fixed = true},
    };
    static const struct sw_h2_header trailers[] = {
        {.name = {"grpc-status", 11}, .value = {"0", 1}, .fixed = true},
    };
    struct sw_buf *buf = sw_buf_new(NULL, (uint32_t)(5 + size));
    sw_grpc_prefix(buf->data, false, (uint32_t)size);
    memcpy(buf->data + 5, message, size);
    buf->size = (uint32_t)(5 + size);
    sw_http_buf_body_init(&request->answer, buf);
    request->answered = true;
    assert_int_equal(
        sw_h2_respond(
            request->server->h2, request->id, headers, 2, &request->answer.body, trailers, 1
        ),
        0
    );
}

void site_answer_ok(struct request *request)
{
    site_answer_message(request, "\x0a\x00", 2); // as a Collector: an empty partial_success
}

static struct sw_http_text text_of(const char *text)
{
    return (struct sw_http_text){text, strlen(text)};
}

void site_answer_status(
    struct request *request,
    const char *status,
    const char *text,
    const char *details
)
{
    struct sw_h2_header headers[] = {
        {.name = text_of(":status"), .value = text_of("200"), .fixed = false},
        {.name = text_of("content-type"), .value = text_of("application/grpc"), .fixed = false},
        {.name = text_of("grpc-status"), .value = text_of(status), .fixed = false},
        {.name = text_of("grpc-message"), .value = text_of(text), .fixed = false},
        {.name = text_of("grpc-status-details-bin"),
         .value = text_of(details != NULL ? details : ""),
         .fixed = false},
    };
    size_t count = details != NULL ? 5 : 4;
    request->answered = true;
    assert_int_equal(
        sw_h2_respond(request->server->h2, request->id, headers, count, NULL, NULL, 0), 0
    );
}

void site_hang(struct request *request) {}

void site_drop_connections(struct site *site)
{
    for (unsigned i = 0; i < site->servers_count; i++) {
        server_close(&site->servers[i]);
    }
}

void site_drop_listener(struct site *site, unsigned listener)
{
    for (unsigned i = 0; i < site->servers_count; i++) {
        if (site->servers[i].listener == listener) {
            server_close(&site->servers[i]);
        }
    }
}

void site_flush(struct site *site)
{
    for (unsigned i = 0; i < site->servers_count; i++) {
        if (site->servers[i].h2 != NULL) {
            check(&site->servers[i], sw_h2_send(site->servers[i].h2));
        }
    }
}

unsigned site_open_count(const struct site *site)
{
    unsigned count = 0;
    for (unsigned i = 0; i < site->servers_count; i++) {
        count += site->servers[i].stream != NULL;
    }
    return count;
}

const char *site_header(const struct request *request, const char *name)
{
    static char value[512];
    size_t len = strlen(name);
    for (const char *line = request->head; *line != '\0'; line = strchr(line, '\n') + 1) {
        if (strncmp(line, name, len) == 0 && line[len] == ':') {
            snprintf(
                value, sizeof(value), "%.*s", (int)strcspn(line + len + 2, "\n"), line + len + 2
            );
            return value;
        }
    }
    return NULL;
}

void site_write(struct server *server, const char *text)
{
    assert_int_equal(sw_stream_write_copy(server->stream, text, strlen(text)), 0);
}

/* ---- calls ---- */

static void call_done(struct sw_push_call *base, struct sw_outcome *outcome)
{
    struct site_call *call = SW_CONTAINER_OF(base, struct site_call, call);
    call->done_count++;
    call->outcome = *outcome;
    if (outcome->text != NULL) {
        snprintf(
            call->text,
            sizeof(call->text),
            "%.*s",
            (int)outcome->text->size,
            (const char *)outcome->text->data
        );
    }
}

void site_start(
    struct sw_push *push,
    struct site_call *call,
    struct sw_batch *batch,
    uint64_t deadline_ns
)
{
    *call = (struct site_call){
        .call = {.batch = batch, .done = call_done, .deadline_ns = deadline_ns},
    };
    sw_push_start(push, &call->call);
}

void site_call_fini(struct site_call *call)
{
    assert_int_equal(call->done_count, 1);
    sw_outcome_fini(&call->outcome);
    sw_batch_free(call->call.batch);
}

bool site_same(const struct request *request, const struct sw_batch *batch, size_t skip)
{
    uint8_t *flat = malloc(batch->bytes + 1);
    sw_batch_copy_out(batch, flat);
    bool same = request->body->size == batch->bytes + skip
                && memcmp(request->body->data + skip, flat, batch->bytes) == 0;
    free(flat);
    return same;
}

/* ---- resolver ---- */

static void
resolver_ask(struct sw_resolver *base, struct sw_core *core, struct sw_resolver_query *query)
{
    struct site_resolver *resolver = (struct site_resolver *)base;
    assert_null(resolver->query);
    resolver->query = query;
    resolver->asked_count++;
}

static void
resolver_cancel(struct sw_resolver *base, struct sw_core *core, struct sw_resolver_query *query)
{
    struct site_resolver *resolver = (struct site_resolver *)base;
    assert_ptr_equal(resolver->query, query);
    resolver->query = NULL;
}

static const struct sw_resolver_ops resolver_ops = {
    .ask = resolver_ask,
    .cancel = resolver_cancel,
};

void site_resolver_init(struct site_resolver *resolver)
{
    *resolver = (struct site_resolver){.resolver = {.ops = &resolver_ops}};
}

void site_resolver_answer(
    struct site_resolver *resolver,
    int err,
    const unsigned *hosts,
    unsigned count
)
{
    struct sw_addr addrs[8];
    struct sw_resolver_query *query = resolver->query;
    assert_non_null(query);
    for (unsigned i = 0; i < count; i++) {
        char host[32];
        snprintf(host, sizeof(host), "10.0.0.%u", hosts[i]);
        assert_int_equal(sw_addr_parse(host, query->port, &addrs[i]), 0);
    }
    resolver->query = NULL;
    query->answered(query, err, addrs, count);
}
