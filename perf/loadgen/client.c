#include "perf/loadgen/client.h"

#include <stdlib.h>
#include <string.h>

// OTLP's table; RESOURCE_EXHAUSTED only when the server says when to come back.
bool sw_lg_grpc_retryable(int status, bool has_delay)
{
    return status == 1 || status == 4 || status == 10 || status == 11 || status == 14
           || status == 15 || (status == 8 && has_delay);
}

static void build_heads(struct sw_lg_client *client)
{
    const struct sw_lg_options *options = &client->options;
    struct sw_lg_bytes *block = &client->header_block;
    char authority[96];
    char timeout[16];
    char head[512];
    uint8_t fixed[2] = {0x83, 0x86}; // :method POST, :scheme http (static table)
    snprintf(authority, sizeof(authority), "%s:%u", options->host, options->port);
    snprintf(
        timeout,
        sizeof(timeout),
        "%llum",
        (unsigned long long
        )(options->timeout_ns / 1000000 < 99999999 ? options->timeout_ns / 1000000 : 99999999)
    );
    sw_lg_bytes_put(block, fixed, 2);
    sw_lg_h2_put_literal(block, ":path", sw_lg_signal_names[options->signal].service);
    sw_lg_h2_put_literal(block, ":authority", authority);
    sw_lg_h2_put_literal(block, "content-type", "application/grpc");
    sw_lg_h2_put_literal(block, "user-agent", "sw-loadgen");
    sw_lg_h2_put_literal(block, "te", "trailers");
    sw_lg_h2_put_literal(block, "grpc-timeout", timeout);
    if (options->codec != SW_LG_PLAIN) {
        sw_lg_h2_put_literal(block, "grpc-encoding", sw_lg_codec_names[options->codec]);
    }
    int len = snprintf(
        head,
        sizeof(head),
        "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: sw-loadgen\r\n"
        "Content-Type: application/%s\r\n%s%s%s",
        sw_lg_signal_names[options->signal].path,
        authority,
        options->json ? "json" : "x-protobuf",
        options->codec != SW_LG_PLAIN ? "Content-Encoding: " : "",
        options->codec != SW_LG_PLAIN ? sw_lg_codec_names[options->codec] : "",
        options->codec != SW_LG_PLAIN ? "\r\n" : ""
    );
    sw_lg_bytes_put(&client->http_head, head, (size_t)len);
}

void sw_lg_client_init(struct sw_lg_client *client)
{
    const struct sw_lg_options *options = &client->options;
    unsigned streams = options->http ? 1 : options->streams;
    client->busy_max = options->connections * streams;
    client->connections = sw_lg_alloc(options->connections, sizeof(*client->connections));
    client->free_bodies = sw_lg_alloc(client->busy_max, sizeof(*client->free_bodies));
    for (unsigned i = 0; i < options->connections; i++) {
        struct sw_lg_connection *connection = &client->connections[i];
        connection->client = client;
        connection->fd = -1;
        connection->reconnect_backoff_ns = 50000000;
        connection->requests = sw_lg_alloc(streams, sizeof(*connection->requests));
    }
    sw_lg_packer_init(&client->packer, options->codec, options->codec_level);
    if (options->prepared) {
        struct sw_lg_prepared_options prepared = {
            .signal = options->signal,
            .json = options->json,
            .form = &options->form,
            .shape = &client->schedule.shape,
            .epoch_ns = client->epoch_ns,
        };
        sw_lg_prepared_init(
            &client->prepared,
            &prepared,
            &client->packer,
            options->prepared,
            options->spans_per_request
        );
    }
    build_heads(client);
}

void sw_lg_client_fini(struct sw_lg_client *client)
{
    for (unsigned i = 0; i < client->options.connections; i++) {
        struct sw_lg_connection *connection = &client->connections[i];
        if (connection->fd >= 0) {
            connection->connected = false; // its end is ours, not a loss
            sw_lg_connection_close(connection);
        }
    }
    sw_lg_prepared_fini(&client->prepared);
    sw_lg_packer_fini(&client->packer);
}

static struct sw_lg_template *lease_body(struct sw_lg_client *client, uint32_t count)
{
    if (client->free_bodies_count && count == client->options.spans_per_request) {
        return client->free_bodies[--client->free_bodies_count];
    }
    struct sw_lg_template *body = sw_lg_alloc(1, sizeof(*body));
    sw_lg_template_init(body, &client->options.form, count);
    return body;
}

void sw_lg_client_release_body(struct sw_lg_client *client, struct sw_lg_request *request)
{
    struct sw_lg_template *body = request->body;
    request->body = NULL;
    if (body && body->count == client->options.spans_per_request) {
        client->free_bodies[client->free_bodies_count++] = body;
    } else if (body) {
        sw_lg_template_fini(body);
        free(body);
    }
}

static struct sw_lg_request *new_request(struct sw_lg_client *client)
{
    struct sw_lg_request *request = client->idle;
    if (request) {
        client->idle = request->next;
    } else {
        request = sw_lg_alloc(1, sizeof(*request));
        request->spans = sw_lg_alloc(client->options.spans_per_request, sizeof(uint64_t));
    }
    request->attempts = 0;
    request->backoff_ns = client->options.backoff_ns;
    return request;
}

static struct sw_lg_request *due_retry(struct sw_lg_client *client, uint64_t now_ns)
{
    for (struct sw_lg_request **at = &client->waiting; *at; at = &(*at)->next) {
        struct sw_lg_request *request = *at;
        if (request->retry_ns <= now_ns) {
            *at = request->next;
            return request;
        }
    }
    return NULL;
}

struct sw_lg_request *sw_lg_client_take(struct sw_lg_client *client, uint64_t now_ns)
{
    struct sw_lg_request *request = due_retry(client, now_ns);
    if (request) {
        client->retries++;
        return request;
    }
    if (client->busy >= client->busy_max) {
        return NULL;
    }
    request = new_request(client);
    request->count = (uint32_t)sw_lg_schedule_take(
        &client->schedule, now_ns, request->spans, client->options.spans_per_request
    );
    if (request->count == 0) {
        request->next = client->idle;
        client->idle = request;
        return NULL;
    }
    client->spans_taken += request->count;
    client->busy++;
    return request;
}

static void compress(struct sw_lg_client *client, struct sw_lg_request *request)
{
    static const uint8_t prefix[SW_LG_GRPC_PREFIX];
    const struct sw_lg_template *body = request->body;
    struct sw_lg_bytes *packed = &request->packed;
    packed->len = 0;
    sw_lg_bytes_put(packed, prefix, sizeof(prefix));
    sw_lg_pack(
        &client->packer, body->data + SW_LG_GRPC_PREFIX, body->size - SW_LG_GRPC_PREFIX, packed
    );
    sw_lg_set_grpc_prefix(packed->data, packed->len, true);
    request->data = packed->data;
    request->size = packed->len;
}

// Sets the bytes of a request behind their gRPC prefix.
static void set_body(struct sw_lg_client *client, struct sw_lg_request *request)
{
    if (client->options.prepared) {
        const struct sw_lg_bytes *bytes =
            sw_lg_prepared_take(&client->prepared, request->count, &request->packed);
        request->data = bytes->data;
        request->size = bytes->len;
        return;
    }
    request->body = lease_body(client, request->count);
    sw_lg_template_fill(request->body, &client->schedule.shape, client->epoch_ns, request->spans);
    request->data = request->body->data;
    request->size = request->body->size;
    if (client->options.codec != SW_LG_PLAIN) {
        compress(client, request);
    }
}

void sw_lg_client_start(
    struct sw_lg_client *client,
    struct sw_lg_connection *connection,
    struct sw_lg_request *request
)
{
    set_body(client, request);
    if (client->options.http) {
        request->data += SW_LG_GRPC_PREFIX;
        request->size -= SW_LG_GRPC_PREFIX;
    }
    request->framed = 0;
    request->end_framed = request->touched = request->finished = false;
    request->lost = request->unprocessed = request->has_retry_delay = false;
    request->retry_delay_ns = 0;
    request->http_status = 0;
    request->grpc_status = -1;
    request->answer.len = 0;
    request->message[0] = 0;
    request->started_ns = sw_lg_now();
    request->deadline_ns = request->started_ns + client->options.timeout_ns;
    request->attempts++;
    client->requests_sent++;
    client->body_bytes += request->size;
    connection->requests[connection->requests_count++] = request;
    if (client->options.http) {
        sw_lg_h1_client_start(connection, request);
    } else {
        sw_lg_h2_client_start(connection, request);
    }
}

static void
record(struct sw_lg_client *client, const struct sw_lg_request *request, enum sw_lg_state state)
{
    const struct sw_lg_shape *shape = &client->schedule.shape;
    client->spans_by_state[state] += request->count;
    for (uint32_t i = 0; client->record && i < request->count; i++) {
        uint64_t span = request->spans[i];
        struct sw_lg_sent entry = {
            .span_id = sw_lg_span_id(shape, span),
            .state = (uint8_t)state,
            .flags = (uint8_t
            )((sw_lg_is_error_span(shape, span) ? SW_LG_FLAG_ERROR : 0)
              | (sw_lg_is_slow_span(shape, span) ? SW_LG_FLAG_SLOW : 0)
              | (sw_lg_is_late_span(shape, span) ? SW_LG_FLAG_LATE : 0)),
            .index = (uint16_t)SW_LG_INDEX(span),
            .attempts = (uint16_t)(request->attempts < 65535 ? request->attempts : 65535),
        };
        sw_lg_trace_id(shape, SW_LG_TRACE(span), entry.trace_id);
        fwrite(&entry, sizeof(entry), 1, client->record);
    }
}

// ExportTraceServiceResponse { partial_success 1 { rejected_spans 1 } } in the answer's bytes.
static void count_partial(struct sw_lg_client *client, const struct sw_lg_request *request)
{
    size_t skip = client->options.http ? 0 : SW_LG_GRPC_PREFIX;
    if (request->answer.len < skip + 4) {
        return; // also: no answer's bytes at all
    }
    const uint8_t *at = request->answer.data + skip;
    if (at[0] != 0x0a || at[2] != 0x08) {
        return;
    }
    uint64_t value = 0;
    const uint8_t *end = request->answer.data + request->answer.len;
    unsigned shift = 0;
    for (at += 3; at < end && shift < 63; at++, shift += 7) {
        value |= (uint64_t)(*at & 0x7f) << shift;
        if (!(*at & 0x80)) {
            break;
        }
    }
    client->partial_rejected += value;
}

static bool is_acked(const struct sw_lg_client *client, const struct sw_lg_request *request)
{
    return !request->lost && request->http_status == 200
           && (client->options.http || request->grpc_status == 0);
}

// Counts a refusal; returns whether OTLP lets a client try again.
static bool count_refusal(struct sw_lg_client *client, const struct sw_lg_request *request)
{
    int http = request->http_status;
    int grpc = request->grpc_status;
    bool retryable;
    if (client->options.http || grpc < 0) {
        retryable = http == 429 || http == 502 || http == 503 || http == 504;
        client->answers_by_http[http > 0 && http < 600 ? http : 0]++;
    } else {
        retryable = sw_lg_grpc_retryable(grpc, request->has_retry_delay);
        client->answers_by_grpc[grpc < 31 ? grpc : 31]++;
    }
    client->refusals_retryable += retryable;
    client->refusals_final += !retryable;
    client->refusals_with_delay += request->has_retry_delay;
    if (!client->first_refusal[0]) {
        snprintf(
            client->first_refusal,
            sizeof(client->first_refusal),
            "http %d grpc %d %s",
            http,
            grpc,
            request->message
        );
    }
    return retryable;
}

static void wait_for_retry(struct sw_lg_client *client, struct sw_lg_request *request)
{
    uint64_t delay = request->backoff_ns;
    request->backoff_ns = request->backoff_ns * 3 / 2;
    if (request->backoff_ns > client->options.backoff_max_ns) {
        request->backoff_ns = client->options.backoff_max_ns;
    }
    // Half to one and a half of the back-off, so that refused senders do not come back together.
    delay = delay / 2 + sw_lg_mix(request->spans[0] + request->attempts) % (delay + 1);
    if (request->has_retry_delay && request->retry_delay_ns > delay) {
        delay = request->retry_delay_ns;
    }
    request->retry_ns = sw_lg_now() + (request->unprocessed ? 0 : delay);
    request->next = client->waiting;
    client->waiting = request;
}

static void give_back(struct sw_lg_client *client, struct sw_lg_request *request)
{
    request->next = client->idle;
    client->idle = request;
    client->busy--;
}

void sw_lg_client_give_up(struct sw_lg_client *client, struct sw_lg_request *request)
{
    enum sw_lg_state state = SW_LG_REFUSED;
    if (request->lost) {
        bool left = request->attempts > 1 || (request->touched && !request->unprocessed);
        state = left ? SW_LG_UNKNOWN : SW_LG_NOT_SENT;
    }
    record(client, request, state);
    give_back(client, request);
}

void sw_lg_client_done(struct sw_lg_client *client, struct sw_lg_request *request)
{
    uint64_t now_ns = sw_lg_now();
    sw_lg_client_release_body(client, request);
    if (is_acked(client, request)) {
        client->requests_acked++;
        count_partial(client, request);
        sw_lg_histogram_add(&client->latency, now_ns - request->scheduled_ns);
        sw_lg_histogram_add(&client->recent, now_ns - request->scheduled_ns);
        record(client, request, SW_LG_ACKED);
        give_back(client, request);
        return;
    }
    bool retryable = request->lost || count_refusal(client, request);
    bool in_time = now_ns - request->scheduled_ns < client->options.retry_total_ns;
    if (request->unprocessed || !request->touched
        || (client->options.on_refusal == SW_LG_RETRY && retryable && in_time)) {
        if (in_time) {
            wait_for_retry(client, request);
            return;
        }
    }
    if (client->options.on_refusal == SW_LG_STOP) {
        client->stopping = true;
    }
    sw_lg_client_give_up(client, request);
}
