// configgrpc and confighttp servers of the Collector v0.159.
#include "dataplane/pipeline/net_conf_internal.h"

#include <string.h>

const char *const sw_transport_words[] = {
    "tcp",
    "tcp4",
    "tcp6",
    "unix",
    "udp",
    "udp4",
    "udp6",
    "ip",
    "ip4",
    "ip6",
    "unixgram",
    "unixpacket",
    "npipe",
    "",
    NULL,
};

void sw_transport_check(int transport, struct sw_check *check)
{
    if (transport >= SW_TRANSPORT_OTHER) {
        sw_complain(
            check,
            SW_COMPLAINT_AT_START,
            "transport",
            "transport \"%s\" cannot be served here, use tcp, tcp4, tcp6 or unix",
            sw_word_text(sw_transport_words, transport)
        );
    }
}

#define LATER       .support = SW_NOT_YET
#define BUFFER_NOTE "buffers are sized by the appliance"

// clang-format off
const struct sw_field sw_auth_client_fields[] = {
    SW_ID("authenticator", struct sw_auth_conf, authenticator, "extension that authenticates"),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
const struct sw_field sw_auth_http_server_fields[] = {
    SW_ID("authenticator", struct sw_auth_conf, authenticator, "extension that authenticates"),
    SW_STRINGS("request_params", struct sw_auth_conf, request_params, NULL,
               "query parameters copied over headers before authenticating"),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
const struct sw_field sw_middleware_fields[] = {
    SW_ID("id", struct sw_middleware_conf, id, "extension"),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
static const struct sw_field dialer_grpc_fields[] = {
    SW_DURATION("timeout", struct sw_grpc_server_conf, dialer_timeout_ns, "0s",
                "of outgoing connections; nothing is dialled here",
                .support = SW_NO_EFFECT),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
static const struct sw_field dialer_http_fields[] = {
    SW_DURATION("timeout", struct sw_http_server_conf, dialer_timeout_ns, "0s",
                "of outgoing connections; nothing is dialled here",
                .support = SW_NO_EFFECT),
    SW_FIELD_END,
};
// clang-format on

typedef __typeof__(((struct sw_grpc_keepalive_server_conf *)0)->parameters) parameters_conf;
typedef __typeof__(((struct sw_grpc_keepalive_server_conf *)0)->enforcement) enforcement_conf;

// clang-format off
static const struct sw_field parameters_fields[] = {
    SW_DURATION("max_connection_idle", parameters_conf, max_connection_idle_ns, "0s",
                "closes connections without calls after this time; 0 never"),
    SW_DURATION("max_connection_age", parameters_conf, max_connection_age_ns, "0s",
                "closes connections of this age (10 % jitter); 0 never"),
    SW_DURATION("max_connection_age_grace", parameters_conf, max_connection_age_grace_ns, "0s",
                "time for running calls after max_connection_age; 0 unlimited"),
    SW_DURATION("time", parameters_conf, time_ns, "0s", "pings an idle client after this; 0 is 2h"),
    SW_DURATION("timeout", parameters_conf, timeout_ns, "0s",
                "closes when a ping is not answered in this time; 0 is 20s"),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
static const struct sw_field enforcement_fields[] = {
    SW_DURATION("min_time", enforcement_conf, min_time_ns, "0s",
                "clients that ping more often are closed; 0 is 5m"),
    SW_BOOL("permit_without_stream", enforcement_conf, permit_without_stream, "false",
            "clients may ping without calls"),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
static const struct sw_field keepalive_fields[] = {
    SW_OPTIONAL("server_parameters", struct sw_grpc_keepalive_server_conf, parameters,
                parameters_fields, "idle, age and pings of connections"),
    SW_OPTIONAL("enforcement_policy", struct sw_grpc_keepalive_server_conf, enforcement,
                enforcement_fields, "what pings of clients are tolerated"),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
const struct sw_field sw_grpc_server_fields[] = {
    SW_STRING("endpoint", struct sw_grpc_server_conf, endpoint, NULL,
              "address and port to listen on; port 0 is any"),
    SW_ENUM("transport", struct sw_grpc_server_conf, transport, sw_transport_words, "tcp",
            "tcp, tcp4, tcp6 or unix"),
    SW_SECTION("dialer", struct sw_grpc_server_conf, dialer_grpc_fields, "not used by servers"),
    SW_OPTIONAL("tls", struct sw_grpc_server_conf, tls, sw_tls_server_fields,
                "serve TLS; the section's presence turns it on", LATER,
                .note = "TLS is not built in yet", .check = sw_tls_server_check),
    SW_INT("max_recv_msg_size_mib", struct sw_grpc_server_conf, max_recv_msg_size_mib, "0",
           "largest message, also decompressed; 0 is 4", .unit = "MiB"),
    SW_UINT("max_concurrent_streams", struct sw_grpc_server_conf, max_concurrent_streams, "0",
            "calls at once on one connection; 0 is unlimited"),
    SW_INT("read_buffer_size", struct sw_grpc_server_conf, read_buffer_size, "0",
           "buffer of each connection for reading", .unit = "bytes", .support = SW_NO_EFFECT,
           .note = BUFFER_NOTE),
    SW_INT("write_buffer_size", struct sw_grpc_server_conf, write_buffer_size, "0",
           "buffer of each connection for writing", .unit = "bytes", .support = SW_NO_EFFECT,
           .note = BUFFER_NOTE),
    SW_OPTIONAL("keepalive", struct sw_grpc_server_conf, keepalive, keepalive_fields,
                "life of connections"),
    SW_OPTIONAL("auth", struct sw_grpc_server_conf, auth, sw_auth_client_fields,
                "authenticate callers", LATER),
    SW_BOOL("include_metadata", struct sw_grpc_server_conf, include_metadata, "false",
            "metadata of calls reaches the processors"),
    SW_LIST("middlewares", struct sw_grpc_server_conf, middlewares, struct sw_middleware_conf,
            sw_middleware_fields, "extensions around each call, outermost first", LATER),
    SW_FIELD_END,
};
// clang-format on

void sw_grpc_server_check(void *section, struct sw_check *check)
{
    const struct sw_grpc_server_conf *conf = section;
    const int64_t most_mib = INT64_MAX / (1024 * 1024);
    if (conf->max_recv_msg_size_mib < 0 || conf->max_recv_msg_size_mib > most_mib) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            "max_recv_msg_size_mib",
            "invalid max_recv_msg_size_mib value, must be between 1 and %lld: %lld",
            (long long)most_mib,
            (long long)conf->max_recv_msg_size_mib
        );
    }
    if (conf->read_buffer_size < 0) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            "read_buffer_size",
            "invalid read_buffer_size value: %lld",
            (long long)conf->read_buffer_size
        );
    }
    if (conf->write_buffer_size < 0) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            "write_buffer_size",
            "invalid write_buffer_size value: %lld",
            (long long)conf->write_buffer_size
        );
    }
    sw_transport_check(conf->transport, check);
    const char *why = NULL;
    struct sw_endpoint endpoint;
    if (conf->transport < SW_TRANSPORT_UNIX
        && sw_endpoint_parse_grpc(conf->endpoint, &endpoint, &why) != SW_OK) {
        sw_complain(check, SW_COMPLAINT_AT_START, "endpoint", "\"%s\": %s", conf->endpoint, why);
    }
}

typedef __typeof__(((struct sw_http_server_conf *)0)->cors) cors_conf;

// clang-format off
static const struct sw_field cors_fields[] = {
    SW_STRINGS("allowed_origins", cors_conf, allowed_origins, NULL,
               "origins that may call; * matches any part; empty turns CORS off"),
    SW_STRINGS("allowed_headers", cors_conf, allowed_headers, NULL,
               "headers that may be sent; empty is accept, content-type, x-requested-with"),
    SW_STRINGS("exposed_headers", cors_conf, exposed_headers, NULL,
               "headers that scripts may read"),
    SW_INT("max_age", cors_conf, max_age, "0", "preflight answers may be kept so long",
           .unit = "s"),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
const struct sw_field sw_http_server_fields[] = {
    SW_STRING("endpoint", struct sw_http_server_conf, endpoint, NULL,
              "address and port to listen on; port 0 is any"),
    SW_ENUM("transport", struct sw_http_server_conf, transport, sw_transport_words, "tcp",
            "tcp, tcp4, tcp6 or unix"),
    SW_SECTION("dialer", struct sw_http_server_conf, dialer_http_fields, "not used by servers"),
    SW_OPTIONAL("tls", struct sw_http_server_conf, tls, sw_tls_server_fields,
                "serve TLS; the section's presence turns it on", LATER,
                .note = "TLS is not built in yet", .check = sw_tls_server_check),
    SW_OPTIONAL("cors", struct sw_http_server_conf, cors, cors_fields,
                "calls from scripts of other origins"),
    SW_OPTIONAL("auth", struct sw_http_server_conf, auth, sw_auth_http_server_fields,
                "authenticate callers", LATER),
    SW_INT("max_request_body_size", struct sw_http_server_conf, max_request_body_size, "0",
           "largest body, compressed and decompressed each; 0 is 20971520", .unit = "bytes"),
    SW_BOOL("include_metadata", struct sw_http_server_conf, include_metadata, "false",
            "headers of requests reach the processors"),
    SW_HEADERS("response_headers", struct sw_http_server_conf, response_headers,
               "added to every answer; names that are no header names, Content-Length and "
               "Transfer-Encoding are left out"),
    SW_STRINGS("compression_algorithms", struct sw_http_server_conf, compression_algorithms,
               ",gzip,zstd,zlib,snappy,deflate,lz4,x-snappy-framed",
               "names accepted in Content-Encoding; an empty list turns decoding off"),
    SW_DURATION("read_timeout", struct sw_http_server_conf, read_timeout_ns, "0s",
                "for reading a whole request; 0 is unlimited"),
    SW_DURATION("read_header_timeout", struct sw_http_server_conf, read_header_timeout_ns, "1m",
                "for reading the header; 0 is unlimited"),
    SW_DURATION("write_timeout", struct sw_http_server_conf, write_timeout_ns, "30s",
                "for writing the answer; 0 is unlimited"),
    SW_DURATION("idle_timeout", struct sw_http_server_conf, idle_timeout_ns, "1m",
                "connections without requests are closed after this; 0 never"),
    SW_BOOL("keep_alives_enabled", struct sw_http_server_conf, keep_alives_enabled, "true",
            "several requests on one connection"),
    SW_LIST("middlewares", struct sw_http_server_conf, middlewares, struct sw_middleware_conf,
            sw_middleware_fields, "extensions around each request, outermost first", LATER),
    SW_FIELD_END,
};
// clang-format on

void sw_http_server_check(void *section, struct sw_check *check)
{
    const struct sw_http_server_conf *conf = section;
    static const char *const algorithms[] = {
        "",
        "gzip",
        "zstd",
        "zlib",
        "snappy",
        "deflate",
        "lz4",
        "x-snappy-framed",
        NULL,
    };
    for (size_t i = 0; i < conf->compression_algorithms.count; i++) {
        const char *name = SW_LIST_AT(conf->compression_algorithms, const char *, i);
        if (sw_word_index(algorithms, name, false) < 0) {
            // The Collector accepts any name and then answers 415 to all; known at start only.
            sw_complain_word(
                check,
                SW_COMPLAINT_AT_START,
                "compression_algorithms",
                name,
                algorithms,
                "unknown compression \"%s\"",
                name
            );
        }
    }
    if (conf->cors.enabled && conf->cors.allowed_origins.count == 0
        && conf->cors.allowed_headers.count > 0) {
        sw_complain(
            check,
            SW_COMPLAINT_WARNING,
            "cors::allowed_headers",
            "has no effect without allowed_origins"
        );
    }
    sw_transport_check(conf->transport, check);
    const char *why = NULL;
    struct sw_endpoint endpoint;
    if (conf->transport < SW_TRANSPORT_UNIX
        && sw_endpoint_parse_grpc(conf->endpoint, &endpoint, &why) != SW_OK) {
        sw_complain(check, SW_COMPLAINT_AT_START, "endpoint", "\"%s\": %s", conf->endpoint, why);
    }
}
