// configgrpc and confighttp clients of the Collector v0.159, and their endpoints.
#include "dataplane/pipeline/net_conf_internal.h"

#include <string.h>

#define LATER .support = SW_NOT_YET

static const char *const grpc_compression_words[] = {"", "none", "gzip", "snappy", "zstd", NULL};
static const char *const http_compression_words[] = {
    "",
    "none",
    "gzip",
    "snappy",
    "zstd",
    "zlib",
    "deflate",
    "x-snappy-framed",
    "lz4",
    NULL,
};

typedef __typeof__(((struct sw_grpc_client_conf *)0)->keepalive) keepalive_conf;

// clang-format off
static const struct sw_field keepalive_fields[] = {
    SW_DURATION("time", keepalive_conf, time_ns, "10s", "pings an idle connection after this"),
    SW_DURATION("timeout", keepalive_conf, timeout_ns, "20s",
                "closes when a ping is not answered in this time"),
    SW_BOOL("permit_without_stream", keepalive_conf, permit_without_stream, "false",
            "pings without calls too"),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
const struct sw_field sw_grpc_client_fields[] = {
    SW_STRING("endpoint", struct sw_grpc_client_conf, endpoint, NULL,
              "host:port, also with http://, https://, unix:// or dns:///"),
    SW_ENUM("compression", struct sw_grpc_client_conf, compression, grpc_compression_words, NULL,
            "gzip, snappy, zstd or none"),
    SW_STRUCT("tls", struct sw_grpc_client_conf, tls, sw_tls_client_fields, "how TLS is spoken",
              .check = sw_tls_client_check),
    SW_OPTIONAL("keepalive", struct sw_grpc_client_conf, keepalive, keepalive_fields,
                "pings that keep connections alive"),
    SW_INT("read_buffer_size", struct sw_grpc_client_conf, read_buffer_size, "0",
           "buffer of each connection for reading", .unit = "bytes", .support = SW_NO_EFFECT),
    SW_INT("write_buffer_size", struct sw_grpc_client_conf, write_buffer_size, "0",
           "buffer of each connection for writing", .unit = "bytes", .support = SW_NO_EFFECT),
    SW_BOOL("wait_for_ready", struct sw_grpc_client_conf, wait_for_ready, "false",
            "calls wait for a connection until their deadline instead of failing at once"),
    SW_HEADERS("headers", struct sw_grpc_client_conf, headers, "sent with every call"),
    SW_STRING("user_agent", struct sw_grpc_client_conf, user_agent, NULL,
              "replaces ours in the user-agent header"),
    SW_STRING("balancer_name", struct sw_grpc_client_conf, balancer_name, "round_robin",
              "round_robin or pick_first, over the addresses of the endpoint"),
    SW_STRING("authority", struct sw_grpc_client_conf, authority, NULL,
              "replaces the :authority header"),
    SW_OPTIONAL("auth", struct sw_grpc_client_conf, auth, sw_auth_client_fields,
                "authenticate ourselves", LATER),
    SW_LIST("middlewares", struct sw_grpc_client_conf, middlewares, struct sw_middleware_conf,
            sw_middleware_fields, "extensions around each call, outermost first", LATER),
    SW_FIELD_END,
};
// clang-format on

/** Without a section of its own TLS is on; that cannot be done yet. */
static void
check_plain(bool plain, const struct sw_tls_client_conf *tls, bool https, struct sw_check *check)
{
    if (https) {
        sw_complain(
            check,
            SW_COMPLAINT_AT_START,
            "endpoint",
            "https:// needs TLS, which is not built in yet: use http://"
        );
    } else if (!plain && !tls->insecure) {
        sw_complain(
            check,
            SW_COMPLAINT_AT_START,
            "tls::insecure",
            "TLS is not built in yet: set tls.insecure to true or write the endpoint with http://"
        );
    }
}

void sw_grpc_client_check(void *section, struct sw_check *check)
{
    const struct sw_grpc_client_conf *conf = section;
    const char *why = NULL;
    struct sw_endpoint endpoint = {0};
    static const char *const balancers[] = {
        "round_robin",
        "pick_first",
        "pick_first_leaf",
        "weighted_round_robin",
        NULL,
    };
    if (conf->endpoint[0] == '\0') {
        return; // Whether it is needed depends on the component.
    }
    if (sw_endpoint_parse_grpc(conf->endpoint, &endpoint, &why) != SW_OK) {
        sw_complain(check, SW_COMPLAINT_ERROR, "endpoint", "\"%s\": %s", conf->endpoint, why);
        return;
    }
    int balancer = sw_word_index(balancers, conf->balancer_name, false);
    if (balancer < 0) {
        sw_complain_word(
            check,
            SW_COMPLAINT_ERROR,
            "balancer_name",
            conf->balancer_name,
            balancers,
            "invalid balancer_name: %s",
            conf->balancer_name
        );
    } else if (balancer > 1) {
        sw_complain(
            check,
            SW_COMPLAINT_AT_START,
            "balancer_name",
            "\"%s\" is not supported yet, use round_robin or pick_first",
            conf->balancer_name
        );
    }
    bool plain = strncmp(conf->endpoint, "http://", 7) == 0 || endpoint.unix_socket;
    check_plain(plain, &conf->tls, endpoint.https, check);
}

typedef __typeof__(((struct sw_http_client_conf *)0)->compression_params) params_conf;

// clang-format off
static const struct sw_field params_fields[] = {
    SW_INT("level", params_conf, level, "0",
           "gzip, zlib, deflate: -2, -1, 0 to 9; zstd any; 0 is the codec's default"),
    SW_FIELD_END,
};
// clang-format on

static const struct sw_field no_fields[] = {SW_FIELD_END};

// clang-format off
const struct sw_field sw_http_client_fields[] = {
    SW_STRING("endpoint", struct sw_http_client_conf, endpoint, NULL, "URL of the backend"),
    SW_STRING("proxy_url", struct sw_http_client_conf, proxy_url, NULL,
              "http:// proxy; empty takes it from HTTP_PROXY and NO_PROXY"),
    SW_STRUCT("tls", struct sw_http_client_conf, tls, sw_tls_client_fields, "how TLS is spoken",
              .check = sw_tls_client_check),
    SW_INT("read_buffer_size", struct sw_http_client_conf, read_buffer_size, "0",
           "buffer of each connection for reading", .unit = "bytes", .support = SW_NO_EFFECT),
    SW_INT("write_buffer_size", struct sw_http_client_conf, write_buffer_size, "0",
           "buffer of each connection for writing", .unit = "bytes", .support = SW_NO_EFFECT),
    SW_DURATION("timeout", struct sw_http_client_conf, timeout_ns, "0s",
                "limit of one attempt; 0 is unlimited"),
    SW_HEADERS("headers", struct sw_http_client_conf, headers,
               "sent with every request, before our own of the same name"),
    SW_OPTIONAL("auth", struct sw_http_client_conf, auth, sw_auth_client_fields,
                "authenticate ourselves", LATER),
    SW_ENUM("compression", struct sw_http_client_conf, compression, http_compression_words, NULL,
            "gzip, zlib, deflate, snappy, x-snappy-framed, zstd, lz4 or none"),
    SW_STRUCT("compression_params", struct sw_http_client_conf, compression_params, params_fields,
              "how hard to compress", .flags = SW_FIELD_OMIT),
    SW_INT("max_idle_conns", struct sw_http_client_conf, max_idle_conns, "100",
           "connections kept open without requests", .support = SW_NO_EFFECT,
           .note = "connections are few and kept per core"),
    SW_INT("max_idle_conns_per_host", struct sw_http_client_conf, max_idle_conns_per_host, "0",
           "likewise for each host", .support = SW_NO_EFFECT,
           .note = "connections are few and kept per core"),
    SW_INT("max_conns_per_host", struct sw_http_client_conf, max_conns_per_host, "0",
           "connections to one host at once; 0 is unlimited"),
    SW_DURATION("idle_conn_timeout", struct sw_http_client_conf, idle_conn_timeout_ns, "90s",
                "connections without requests are closed after this"),
    SW_BOOL("disable_keep_alives", struct sw_http_client_conf, disable_keep_alives, "false",
            "a connection for each request"),
    SW_DURATION("http2_read_idle_timeout", struct sw_http_client_conf, http2_read_idle_timeout_ns,
                "0s", "pings an idle HTTP/2 connection after this; 0 never",
                .support = SW_NO_EFFECT, .note = "HTTP/1.1 is spoken without TLS"),
    SW_DURATION("http2_ping_timeout", struct sw_http_client_conf, http2_ping_timeout_ns, "0s",
                "closes when a ping is not answered in this time; 0 is 15s",
                .support = SW_NO_EFFECT, .note = "HTTP/1.1 is spoken without TLS"),
    SW_BOOL("force_attempt_http2", struct sw_http_client_conf, force_attempt_http2, "true",
            "HTTP/2 where the server offers it", .support = SW_NO_EFFECT,
            .note = "HTTP/1.1 is spoken without TLS"),
    SW_OPTIONAL("cookies", struct sw_http_client_conf, cookies, no_fields,
                "keep cookies between requests", LATER, .flags = SW_FIELD_OMIT),
    SW_LIST("middlewares", struct sw_http_client_conf, middlewares, struct sw_middleware_conf,
            sw_middleware_fields, "extensions around each request, outermost first", LATER),
    SW_FIELD_END,
};
// clang-format on

static bool level_fits(int compression, int64_t level)
{
    switch (compression) {
    case SW_COMPRESSION_UNSET:
    case SW_COMPRESSION_NONE: // nobody looks at it
    case SW_COMPRESSION_ZSTD:
        return true;
    case SW_COMPRESSION_GZIP:
    case SW_COMPRESSION_ZLIB:
    case SW_COMPRESSION_DEFLATE:
        return level >= -2 && level <= 9;
    default:
        return level == 0;
    }
}

void sw_http_client_check(void *section, struct sw_check *check)
{
    const struct sw_http_client_conf *conf = section;
    if (!level_fits(conf->compression, conf->compression_params.level)) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            "compression_params::level",
            "unsupported level %lld for compression \"%s\"",
            (long long)conf->compression_params.level,
            sw_word_text(http_compression_words, conf->compression)
        );
    }
}

static int fail(const char **ret_why, const char *why)
{
    *ret_why = why;
    return SW_E_INVALID;
}

/** host:port, where the host may stand in brackets. */
static int parse_authority(
    const char *text,
    size_t len,
    int default_port,
    struct sw_endpoint *endpoint,
    const char **ret_why
)
{
    const char *end = text + len;
    const char *colon = NULL;
    if (len > 0 && text[0] == '[') {
        const char *close = memchr(text, ']', len);
        if (close == NULL) {
            return fail(ret_why, "missing ']' in address");
        }
        endpoint->host = text + 1;
        endpoint->host_len = (size_t)(close - text - 1);
        if (close + 1 < end) {
            if (close[1] != ':') {
                return fail(ret_why, "missing port in address");
            }
            colon = close + 1;
        }
    } else {
        colon = memchr(text, ':', len);
        endpoint->host = text;
        endpoint->host_len = colon != NULL ? (size_t)(colon - text) : len;
        if (colon != NULL && memchr(colon + 1, ':', (size_t)(end - colon - 1)) != NULL) {
            return fail(ret_why, "too many colons in address");
        }
    }
    if (colon == NULL) {
        if (default_port < 0) {
            return fail(ret_why, "missing port in address");
        }
        endpoint->port = (uint16_t)default_port;
        return SW_OK;
    }
    unsigned port = 0;
    if (colon + 1 == end) {
        return fail(ret_why, "missing port in address");
    }
    for (const char *p = colon + 1; p < end; p++) {
        if (*p < '0' || *p > '9' || (port = port * 10 + (unsigned)(*p - '0')) > 65535) {
            return fail(ret_why, "invalid port");
        }
    }
    endpoint->port = (uint16_t)port;
    return SW_OK;
}

int sw_endpoint_parse_grpc(const char *text, struct sw_endpoint *ret_endpoint, const char **ret_why)
{
    static const struct {
        const char *prefix;
        bool https;
        bool unix_socket;
        int default_port;
    } schemes[] = {
        {"http://", false, false, -1},
        {"https://", true, false, -1},
        {"unix://", false, true, -1},
        {"unix:", false, true, -1},
        {"dns:///", false, false, 443},
        {"passthrough:///", false, false, 443},
        {"ipv4:", false, false, 443},
        {"ipv6:", false, false, 443},
        {"", false, false, -1},
    };
    size_t i = 0;
    while (strncmp(text, schemes[i].prefix, strlen(schemes[i].prefix)) != 0) {
        i++;
    }
    const char *rest = text + strlen(schemes[i].prefix);
    struct sw_endpoint endpoint = {
        .https = schemes[i].https,
        .unix_socket = schemes[i].unix_socket,
        .path = "",
    };
    if (strstr(rest, "://") != NULL) {
        return fail(ret_why, "unknown scheme");
    }
    if (endpoint.unix_socket) {
        endpoint.path = rest;
        endpoint.host = "";
        if (rest[0] == '\0') {
            return fail(ret_why, "missing path of the socket");
        }
    } else {
        size_t len = strcspn(rest, "/");
        endpoint.path = rest + len;
        int err = parse_authority(rest, len, schemes[i].default_port, &endpoint, ret_why);
        if (err != SW_OK) {
            return err;
        }
    }
    *ret_endpoint = endpoint;
    return SW_OK;
}

int sw_endpoint_parse_url(const char *text, struct sw_endpoint *ret_endpoint, const char **ret_why)
{
    struct sw_endpoint endpoint = {.path = ""};
    const char *rest = NULL;
    if (strncmp(text, "http://", 7) == 0) {
        rest = text + 7;
    } else if (strncmp(text, "https://", 8) == 0) {
        rest = text + 8;
        endpoint.https = true;
    } else {
        return fail(ret_why, "needs http:// or https://");
    }
    size_t len = strcspn(rest, "/?#");
    endpoint.path = rest + len;
    int err = parse_authority(rest, len, endpoint.https ? 443 : 80, &endpoint, ret_why);
    if (err != SW_OK) {
        return err;
    }
    if (endpoint.host_len == 0) {
        return fail(ret_why, "missing host");
    }
    *ret_endpoint = endpoint;
    return SW_OK;
}
