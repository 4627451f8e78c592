/* Who sent a request: the peer's address and, with include_metadata, the metadata of its call or the headers
 * of its request, as client.Info of the Collector holds them (v0.159 config/configgrpc contextWithClient,
 * config/confighttp clientinfohandler.go; grpc-go internal/transport/http2_server.go operateHeaders).
 *
 * Requests without metadata share one client per connection. The metadata of a call are kept in one buffer
 * while its headers come in:  name size (2 bytes) · value size (4 bytes) · name · value  … */
#include "dataplane/base/mem.h"
#include "dataplane/otlp/status.h"
#include "dataplane/receive/http_internal.h"

// As client.MetadataHostName.
#define HOST "Host"

#define RECORD_HEAD_BYTES  6u
#define METADATA_BYTES_MIN 512u
#define PAIRS_INLINE       32u
#define NAME_BYTES_MAX     UINT16_MAX
#define METADATA_BYTES_MAX (1u << 20)

/* ---- the peer's address ---- */

// Without port and zone; of a unix socket there is none.
static struct sw_bytes address_of(const struct sw_addr *peer, char *room, size_t size)
{
    if (peer->len == 0 || peer->sa.sa_family == AF_UNIX) {
        return (struct sw_bytes){NULL, 0};
    }
    sw_addr_text(peer, room, size);
    const char *from = room[0] == '[' ? room + 1 : room;
    size_t len = from == room ? strcspn(from, ":") : strcspn(from, "%]");
    return (struct sw_bytes){(const uint8_t *)from, len};
}

// One for all requests of a connection that bring nothing else.
static int shared_client(struct receive_conn *conn, struct sw_client **ret_client)
{
    char room[128];
    if (conn->client == NULL) {
        struct sw_bytes address = address_of(&conn->stream->peer, room, sizeof(room));
        if (address.size == 0) {
            *ret_client = NULL;
            return SW_OK;
        }
        conn->client = sw_client_new(conn->stream->core->account, address, NULL, 0);
        if (conn->client == NULL) {
            return SW_E_NOMEM;
        }
    }
    *ret_client = sw_client_ref(conn->client);
    return SW_OK;
}

static int make_client(
    struct receive_conn *conn,
    const struct sw_client_pair *pairs,
    uint32_t count,
    struct sw_client **ret_client
)
{
    char room[128];
    struct sw_bytes address = address_of(&conn->stream->peer, room, sizeof(room));
    *ret_client = sw_client_new(conn->stream->core->account, address, pairs, count);
    return *ret_client != NULL ? SW_OK : SW_E_NOMEM;
}

/* ---- gRPC ---- */

// What grpc-go does not show to the application. The content type it does.
static bool is_hidden(struct sw_http_text name)
{
    static const char *const hidden[] = {
        "te",
        "grpc-encoding",
        "grpc-message",
        "grpc-message-type",
        "grpc-status",
        "grpc-timeout",
    };
    if (name.data[0] == ':') {
        return !sw_http_text_is(name, ":authority");
    }
    for (size_t i = 0; i < SW_ARRAY_SIZE(hidden); i++) {
        if (sw_http_text_is(name, hidden[i])) {
            return true;
        }
    }
    return false;
}

static bool is_binary(struct sw_http_text name)
{
    return name.len > 4 && memcmp(name.data + name.len - 4, "-bin", 4) == 0;
}

// Room for one more record at the end. @return NULL: out of memory
static uint8_t *grow(struct receive_call *call, size_t more)
{
    struct sw_buf *old = call->metadata;
    size_t size = old != NULL ? old->size : 0;
    if (old == NULL || size + more > old->capacity) {
        size_t capacity = SW_MAX(2 * (size + more), (size_t)METADATA_BYTES_MIN);
        struct sw_buf *buf = NULL;
        if (size + more <= METADATA_BYTES_MAX) {
            buf = sw_buf_new(call->endpoint->receiver->core->account, (uint32_t)capacity);
        }
        if (buf == NULL) {
            return NULL;
        }
        if (old != NULL) {
            memcpy(buf->data, old->data, size);
            buf->size = (uint32_t)size;
            sw_buf_unref(old);
        }
        call->metadata = buf;
    }
    return call->metadata->data + size;
}

void sw_receive_metadata_add(
    struct receive_call *call,
    struct sw_http_text name,
    struct sw_http_text value
)
{
    if (name.len == 0 || name.len > NAME_BYTES_MAX || is_hidden(name)) {
        return;
    }
    if (sw_http_text_is(name, "host")) {
        // Stands in for :authority, which comes before it, and is dropped beside it.
        if (call->authorities_count > 0) {
            return;
        }
        name = SW_HTTP_TEXT(":authority");
    }
    uint8_t *at = grow(call, RECORD_HEAD_BYTES + name.len + value.len + 2);
    if (at == NULL) {
        call->metadata_lost = true;
        return;
    }
    uint8_t *to = at + RECORD_HEAD_BYTES;
    size_t size = value.len;
    memcpy(to, name.data, name.len);
    if (!is_binary(name)) {
        memcpy(to + name.len, value.data, size);
    } else {
        struct sw_bytes text = {(const uint8_t *)value.data, value.len};
        if (sw_base64_decode(text, to + name.len, &size) != SW_OK) {
            return; // the request is refused for it
        }
    }
    uint16_t name_size = (uint16_t)name.len;
    uint32_t value_size = (uint32_t)size;
    memcpy(at, &name_size, sizeof(name_size));
    memcpy(at + sizeof(name_size), &value_size, sizeof(value_size));
    call->metadata->size += RECORD_HEAD_BYTES + name_size + value_size;
    call->metadata_count++;
}

static void read_record(const uint8_t **at, struct sw_client_pair *pair)
{
    uint16_t name_size;
    uint32_t value_size;
    memcpy(&name_size, *at, sizeof(name_size));
    memcpy(&value_size, *at + sizeof(name_size), sizeof(value_size));
    const uint8_t *name = *at + RECORD_HEAD_BYTES;
    pair->name = (struct sw_bytes){name, name_size};
    pair->value = (struct sw_bytes){name + name_size, value_size};
    *at = name + name_size + value_size;
}

// :authority appears as "host", too.
static uint32_t grpc_pairs(const struct receive_call *call, struct sw_client_pair *pairs)
{
    static const char authority[] = ":authority";
    const uint8_t *at = call->metadata != NULL ? call->metadata->data : NULL;
    uint32_t count = call->metadata_count;
    struct sw_bytes host = {NULL, 0};
    for (uint32_t i = 0; i < count; i++) {
        read_record(&at, &pairs[i]);
        if (pairs[i].name.size == sizeof(authority) - 1
            && memcmp(pairs[i].name.data, authority, sizeof(authority) - 1) == 0) {
            host = pairs[i].value;
        }
    }
    if (host.size > 0) {
        pairs[count++] = (struct sw_client_pair){{(const uint8_t *)HOST, sizeof(HOST) - 1}, host};
    }
    return count;
}

/* ---- HTTP ---- */

// What net/http takes out of a request's headers.
static bool is_framing(struct sw_http_text name)
{
    return sw_http_text_is_nocase(name, HOST) || sw_http_text_is_nocase(name, "Transfer-Encoding")
           || sw_http_text_is_nocase(name, "Trailer");
}

static uint32_t http_pairs(const struct sw_http1 *message, struct sw_client_pair *pairs)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < message->headers_count; i++) {
        struct sw_http_text name = sw_http1_header_name(message, i);
        struct sw_http_text value = sw_http1_header_value(message, i);
        if (!is_framing(name)) {
            pairs[count++] = (struct sw_client_pair){
                {(const uint8_t *)name.data, name.len},
                {(const uint8_t *)value.data, value.len},
            };
        }
    }
    if (message->host.len > 0) {
        pairs[count++] = (struct sw_client_pair){
            {(const uint8_t *)HOST, sizeof(HOST) - 1},
            {(const uint8_t *)message->host.data, message->host.len},
        };
    }
    return count;
}

/* ---- both ---- */

int sw_receive_client(struct receive_call *call, struct sw_client **ret_client)
{
    const struct sw_otlp_receiver_conf *conf = call->endpoint->receiver->env.conf;
    struct receive_conn *conn = call->conn;
    bool grpc = call->endpoint->ops == &sw_receive_grpc_ops;
    SW_ASSERT(conn != NULL);
    if (!(grpc ? conf->protocols.grpc.include_metadata
               : conf->protocols.http.server.include_metadata)) {
        return shared_client(conn, ret_client);
    }
    const struct sw_http1 *message = grpc ? NULL : &http_of(conn)->http;
    struct sw_client_pair few[PAIRS_INLINE];
    struct sw_client_pair *pairs = few;
    uint32_t most = (grpc ? call->metadata_count : message->headers_count) + 1;
    if (most > PAIRS_INLINE) {
        pairs = sw_alloc(most * sizeof(*pairs));
        if (pairs == NULL) {
            return SW_E_NOMEM;
        }
    }
    uint32_t count = grpc ? grpc_pairs(call, pairs) : http_pairs(message, pairs);
    int err = make_client(conn, pairs, count, ret_client);
    if (pairs != few) {
        sw_free(pairs);
    }
    return err;
}
