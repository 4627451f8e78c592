/* The headers of a gRPC request, judged as grpc-go does and in its order (v1.83
 * internal/transport/http2_server.go operateHeaders, then server.go handleStream and processUnaryRPC;
 * otlp-protocol §3.1, §3.2, §5.2). Headers come in any order, so faults are ranked: when all are there the
 * first in grpc-go's order is told. Nothing is allocated for a request without a fault. */
#include "dataplane/base/clock.h"
#include "dataplane/receive/receive_internal.h"

#include <stdio.h>

#define QUOTED_BYTES 512

enum rank {
    RANK_NONE,
    RANK_AUTHORITY,
    RANK_TYPE,
    RANK_HEADER, // grpc-timeout, binary metadata
    RANK_METHOD,
    RANK_DEADLINE,
    RANK_PATH,
    RANK_ENCODING,
};

#define TRACE_SERVICE   "opentelemetry.proto.collector.trace.v1.TraceService"
#define METRICS_SERVICE "opentelemetry.proto.collector.metrics.v1.MetricsService"
#define LOGS_SERVICE    "opentelemetry.proto.collector.logs.v1.LogsService"

// By signal.
static const char *const services[SW_SIGNALS_COUNT] = {
    [SW_TRACES] = TRACE_SERVICE,
    [SW_METRICS] = METRICS_SERVICE,
    [SW_LOGS] = LOGS_SERVICE,
};
static const struct sw_http_text paths[SW_SIGNALS_COUNT] = {
#define EXPORT_OF(service)                                                                         \
    {                                                                                              \
        "/" service "/Export", sizeof("/" service "/Export") - 1                                   \
    }
    [SW_TRACES] = EXPORT_OF(TRACE_SERVICE),
    [SW_METRICS] = EXPORT_OF(METRICS_SERVICE),
    [SW_LOGS] = EXPORT_OF(LOGS_SERVICE),
#undef EXPORT_OF
};

// text NULL: out of memory, told without one.
static void fault(
    struct receive_call *call,
    enum rank rank,
    enum receive_refusal refusal,
    unsigned http_status,
    int grpc_code,
    struct sw_buf *text
)
{
    if (call->fault.rank != RANK_NONE && call->fault.rank <= rank) {
        sw_buf_unref(text);
        return;
    }
    sw_buf_unref(call->fault.text);
    call->fault = (struct call_fault){
        .rank = (uint8_t)rank,
        .refusal = (uint8_t)refusal,
        .http_status = (uint16_t)http_status,
        .grpc_code = grpc_code,
        .text = text,
    };
}

/* ---- :path ---- */

static void unknown_path(
    struct receive_call *call,
    struct sw_http_text path,
    struct sw_http_text service,
    struct sw_http_text method
)
{
    struct sw_buf *text;
    char quoted[QUOTED_BYTES];
    if (service.data == NULL) {
        const char *name = sw_receive_quote(path, quoted, sizeof(quoted));
        text = sw_receive_text("malformed method name: %s", name);
        fault(call, RANK_PATH, RECEIVE_UNKNOWN, 0, SW_GRPC_UNIMPLEMENTED, text);
        return;
    }
    bool known = false;
    for (unsigned signal = 0; signal < SW_SIGNALS_COUNT; signal++) {
        bool served = call->endpoint->receiver->env.entries[signal] != NULL;
        known = known || (served && sw_http_text_is(service, services[signal]));
    }
    if (known) {
        text = sw_receive_text(
            "unknown method %.*s for service %.*s",
            (int)SW_MIN(method.len, (size_t)QUOTED_BYTES),
            method.data,
            (int)service.len,
            service.data
        );
    } else {
        int len = (int)SW_MIN(service.len, (size_t)QUOTED_BYTES);
        text = sw_receive_text("unknown service %.*s", len, service.data);
    }
    fault(call, RANK_PATH, RECEIVE_UNKNOWN, 0, SW_GRPC_UNIMPLEMENTED, text);
}

// The calls of other gateways. @return false: it is none of them, or nobody here takes them
static bool take_peer_path(struct receive_call *call, struct sw_http_text path)
{
    if (call->endpoint->receiver->env.doors_count == 0) {
        return false;
    }
    if (sw_http_text_is(path, SW_PEER_FORWARD)) {
        call->method = METHOD_FORWARD;
    } else if (sw_http_text_is(path, SW_PEER_DECISIONS)) {
        call->method = METHOD_DECISIONS;
    }
    call->signal = SW_TRACES;
    return call->method != METHOD_EXPORT;
}

static void take_path(struct receive_call *call, struct sw_http_text path)
{
    call->path_seen = true;
    for (unsigned signal = 0; signal < SW_SIGNALS_COUNT; signal++) {
        if (path.len == paths[signal].len && memcmp(path.data, paths[signal].data, path.len) == 0
            && call->endpoint->receiver->env.entries[signal] != NULL) {
            call->signal = signal;
            return;
        }
    }
    if (take_peer_path(call, path)) {
        return;
    }
    struct sw_http_text name = path;
    if (name.len > 0 && name.data[0] == '/') {
        name.data++;
        name.len--;
    }
    const char *slash = memrchr(name.data, '/', name.len);
    struct sw_http_text service = {NULL, 0};
    struct sw_http_text method = {NULL, 0};
    if (slash != NULL) {
        service = (struct sw_http_text){name.data, (size_t)(slash - name.data)};
        method = (struct sw_http_text){slash + 1, name.len - service.len - 1};
    }
    unknown_path(call, path, service, method);
}

/* ---- the others ---- */

static void take_method(struct receive_call *call, struct sw_http_text method)
{
    char quoted[QUOTED_BYTES];
    if (sw_http_text_is(method, "POST")) {
        return;
    }
    struct sw_buf *text = sw_receive_text(
        "Received a HEADERS frame with :method %s which should be POST",
        sw_receive_quote(method, quoted, sizeof(quoted))
    );
    fault(call, RANK_METHOD, RECEIVE_PROTOCOL, 405, SW_GRPC_INTERNAL, text);
}

static void bad_type(struct receive_call *call, struct sw_http_text type)
{
    char quoted[QUOTED_BYTES];
    struct sw_buf *text = sw_receive_text(
        "invalid gRPC request content-type %s", sw_receive_quote(type, quoted, sizeof(quoted))
    );
    fault(call, RANK_TYPE, RECEIVE_ENCODING, 415, SW_GRPC_INVALID_ARGUMENT, text);
}

// Whatever the subtype, the body is protobuf; the answer names the same one, behind a plus sign.
static void take_type(struct receive_call *call, struct sw_http_text type)
{
    static const char base[] = "application/grpc";
    const size_t base_len = sizeof(base) - 1;
    call->type_seen = true;
    call->type_len = 0;
    if (sw_http_text_is(type, base)) {
        return;
    }
    if (type.len <= base_len || memcmp(type.data, base, base_len) != 0
        || (type.data[base_len] != '+' && type.data[base_len] != ';')) {
        bad_type(call, type);
        return;
    }
    if (type.len > base_len + 1 && type.len <= sizeof(call->type)) {
        memcpy(call->type, type.data, type.len);
        call->type[base_len] = '+';
        call->type_len = (uint8_t)type.len;
    }
}

static void take_timeout(struct receive_call *call, struct sw_http_text timeout)
{
    char quoted[QUOTED_BYTES];
    const char *why = "";
    uint64_t ns = 0;
    if (sw_grpc_timeout_parse(timeout, &ns, &why) != SW_OK) {
        struct sw_buf *text = sw_receive_text(
            "malformed grpc-timeout: %s: %s", why, sw_receive_quote(timeout, quoted, sizeof(quoted))
        );
        fault(call, RANK_HEADER, RECEIVE_PROTOCOL, 400, SW_GRPC_INTERNAL, text);
    } else if (ns == 0) {
        struct sw_buf *text = sw_receive_text("context deadline exceeded");
        fault(call, RANK_DEADLINE, RECEIVE_TIMEOUT, 0, SW_GRPC_DEADLINE_EXCEEDED, text);
    } else {
        call->deadline_ns = call->touched_ns + ns;
    }
}

static void take_encoding(struct receive_call *call, struct sw_http_text encoding)
{
    char quoted[QUOTED_BYTES];
    if (!sw_coding_of_grpc(encoding, &call->reply_coding)) {
        struct sw_buf *text = sw_receive_text(
            "grpc: Decompressor is not installed for grpc-encoding %s",
            sw_receive_quote(encoding, quoted, sizeof(quoted))
        );
        fault(call, RANK_ENCODING, RECEIVE_ENCODING, 0, SW_GRPC_UNIMPLEMENTED, text);
    }
}

static void take_pipeline(struct receive_call *call, struct sw_http_text pipeline)
{
    const struct sw_otlp_receiver_env *env = &call->endpoint->receiver->env;
    for (unsigned i = 0; i < env->doors_count; i++) {
        if (sw_http_text_is(pipeline, env->doors[i]->pipeline)) {
            call->door = env->doors[i];
        }
    }
}

// The path has come before it.
static void take_exporter(struct receive_call *call, struct sw_http_text exporter)
{
    const struct sw_otlp_receiver_env *env = &call->endpoint->receiver->env;
    call->is_handed_over = true;
    for (unsigned i = 0; i < env->handed_over_count; i++) {
        const struct sw_handed_over *one = &env->handed_over[i];
        if (one->signal == call->signal && sw_http_text_is(exporter, one->exporter)) {
            call->exporter = one;
        }
    }
}

// Base64 with padding where the length says so, else without, as encoding/base64 reads it.
// @return the first byte that is wrong; text.len: none
static size_t base64_fault(struct sw_http_text text)
{
    size_t end = text.len;
    if (text.len > 0 && text.len % 4 == 0) {
        while (end > text.len - 2 && text.data[end - 1] == '=') {
            end--;
        }
    }
    for (size_t i = 0; i < end; i++) {
        char c = text.data[i];
        bool sound = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')
                     || c == '+' || c == '/';
        if (!sound) {
            return i;
        }
    }
    return end % 4 == 1 ? end - 1 : text.len;
}

static void
take_binary(struct receive_call *call, struct sw_http_text name, struct sw_http_text value)
{
    char quoted_value[QUOTED_BYTES];
    char quoted_name[QUOTED_BYTES];
    size_t at = base64_fault(value);
    if (at == value.len) {
        return;
    }
    struct sw_buf *text = sw_receive_text(
        "malformed binary metadata %s in header %s: illegal base64 data at input byte %zu",
        sw_receive_quote(value, quoted_value, sizeof(quoted_value)),
        sw_receive_quote(name, quoted_name, sizeof(quoted_name)),
        at
    );
    fault(call, RANK_HEADER, RECEIVE_PROTOCOL, 400, SW_GRPC_INTERNAL, text);
}

static void take_authority(struct receive_call *call, bool pseudo)
{
    uint8_t *count = pseudo ? &call->authorities_count : &call->hosts_count;
    *count = (uint8_t)(*count < UINT8_MAX ? *count + 1 : *count);
    if (*count == 2) {
        struct sw_buf *text = sw_receive_text(
            "multiple values of :authority or host, both must only have 1 value as per HTTP/2 spec"
        );
        fault(call, RANK_AUTHORITY, RECEIVE_PROTOCOL, 400, SW_GRPC_INTERNAL, text);
    }
}

static void
take_pseudo(struct receive_call *call, struct sw_http_text name, struct sw_http_text value)
{
    if (sw_http_text_is(name, ":path")) {
        take_path(call, value);
    } else if (sw_http_text_is(name, ":method")) {
        take_method(call, value);
    } else if (sw_http_text_is(name, ":authority")) {
        take_authority(call, true);
    }
}

void sw_receive_grpc_header(
    struct receive_call *call,
    struct sw_http_text name,
    struct sw_http_text value
)
{
    if (call->headers_done) {
        return; // trailers mean nothing here
    }
    if (SW_UNLIKELY(call->endpoint->receiver->env.conf->protocols.grpc.include_metadata)) {
        sw_receive_metadata_add(call, name, value);
    }
    if (name.len > 0 && name.data[0] == ':') {
        take_pseudo(call, name, value);
    } else if (name.len == 12 && sw_http_text_is(name, "content-type")) {
        take_type(call, value);
    } else if (name.len == 12 && sw_http_text_is(name, "grpc-timeout")) {
        take_timeout(call, value);
    } else if (name.len == 13 && sw_http_text_is(name, "grpc-encoding")) {
        take_encoding(call, value);
    } else if (name.len == 17 && sw_http_text_is(name, SW_PEER_PIPELINE)) {
        take_pipeline(call, value);
    } else if (name.len == 17 && sw_http_text_is(name, SW_PEER_EXPORTER)) {
        take_exporter(call, value);
    } else if (name.len == 4 && sw_http_text_is(name, "host")) {
        take_authority(call, false);
    } else if (name.len > 4 && memcmp(name.data + name.len - 4, "-bin", 4) == 0) {
        take_binary(call, name, value);
    }
}

void sw_receive_grpc_headers_end(struct receive_call *call)
{
    struct sw_otlp_receiver *receiver = call->endpoint->receiver;
    call->headers_done = true;
    if (!call->type_seen) {
        bad_type(call, (struct sw_http_text){"", 0});
    }
    if (!call->path_seen) {
        take_path(call, (struct sw_http_text){"", 0});
    }
    if (call->method != METHOD_EXPORT && call->door == NULL) {
        struct sw_buf *text = sw_receive_text("unknown pipeline");
        fault(call, RANK_PATH, RECEIVE_UNKNOWN, 0, SW_GRPC_UNIMPLEMENTED, text);
    }
    if (call->is_handed_over && (call->exporter == NULL || call->method != METHOD_EXPORT)) {
        struct sw_buf *text = sw_receive_text("unknown exporter");
        fault(call, RANK_PATH, RECEIVE_UNKNOWN, 0, SW_GRPC_UNIMPLEMENTED, text);
    }
    if (call->fault.rank != RANK_NONE) {
        struct receive_answer answer = {
            .grpc_code = call->fault.grpc_code,
            .http_status = call->fault.http_status,
            .text = receive_buf_text(call->fault.text),
        };
        sw_receive_call_refuse(call, call->fault.refusal, &answer);
        return;
    }
    if (call->metadata_lost) {
        sw_receive_call_refuse_err(call, RECEIVE_MEMORY, SW_E_NOMEM);
        return;
    }
    if (sw_receive_memory_short(receiver)) {
        sw_receive_call_refuse_err(call, RECEIVE_MEMORY, SW_E_MEMORY_LIMIT);
        return;
    }
    sw_grpc_reader_init(
        &call->reader, call->endpoint->message_max, receiver->core->account, receiver->env.budget
    );
}
