/* Configuration blocks that several components share, with the Collector's keys and defaults
 * (v0.159: confignet, configtls, configauth, configgrpc, confighttp). Decoded structs are constant
 * after the load; any thread may read them. */
#ifndef SW_PIPELINE_NET_CONF_H
#define SW_PIPELINE_NET_CONF_H

#include "dataplane/base/field.h"

enum sw_transport {
    SW_TRANSPORT_TCP,
    SW_TRANSPORT_TCP4,
    SW_TRANSPORT_TCP6,
    SW_TRANSPORT_UNIX,
    SW_TRANSPORT_OTHER, /**< this and above: known words that nothing here can serve */
};

/** Keys that clients and servers share. */
struct sw_tls_conf {
    const char *ca_file;
    const char *ca_pem;
    const char *cert_file;
    const char *cert_pem;
    const char *key_file;
    const char *key_pem;
    const char *min_version;
    const char *max_version;
    struct sw_list cipher_suites;     /**< const char * */
    struct sw_list curve_preferences; /**< const char * */
    int64_t reload_interval_ns;
    bool include_system_ca_certs_pool;
    bool include_insecure_cipher_suites;
    struct {
        bool enabled;
        const char *path;
        const char *owner_auth;
        const char *auth;
    } tpm;
};

struct sw_tls_client_conf {
    struct sw_tls_conf common;
    const char *server_name_override;
    bool insecure; /**< no TLS, unless a CA is given */
    bool insecure_skip_verify;
};

struct sw_tls_server_conf {
    struct sw_tls_conf common;
    const char *client_ca_file;
    bool enabled; /**< the section is there */
    bool client_ca_file_reload;
};

struct sw_auth_conf {
    const char *authenticator;     /**< extension ID */
    struct sw_list request_params; /**< const char *; HTTP servers only */
    bool enabled;
};

struct sw_middleware_conf {
    const char *id;
};

struct sw_grpc_keepalive_server_conf {
    bool enabled;
    struct {
        int64_t max_connection_idle_ns; /**< 0: infinite, as for the next two */
        int64_t max_connection_age_ns;
        int64_t max_connection_age_grace_ns;
        int64_t time_ns;    /**< 0: 2 h */
        int64_t timeout_ns; /**< 0: 20 s */
        bool enabled;
    } parameters;
    struct {
        int64_t min_time_ns; /**< 0: 5 min */
        bool permit_without_stream;
        bool enabled;
    } enforcement;
};

struct sw_grpc_server_conf {
    const char *endpoint;
    int transport; /**< enum sw_transport */
    bool enabled;  /**< only meaningful where the section is optional */
    bool include_metadata;
    int64_t dialer_timeout_ns;
    int64_t max_recv_msg_size_mib;   /**< 0: 4 */
    uint32_t max_concurrent_streams; /**< per connection, 0: unlimited */
    int64_t read_buffer_size;
    int64_t write_buffer_size;
    struct sw_tls_server_conf tls;
    struct sw_grpc_keepalive_server_conf keepalive;
    struct sw_auth_conf auth;
    struct sw_list middlewares; /**< struct sw_middleware_conf */
};

struct sw_http_server_conf {
    const char *endpoint;
    int transport; /**< enum sw_transport */
    bool enabled;  /**< only meaningful where the section is optional */
    bool include_metadata;
    bool keep_alives_enabled;
    int64_t dialer_timeout_ns;
    int64_t
        max_request_body_size; /**< bytes, 0 or less: 20971520; compressed and decompressed each */
    int64_t read_timeout_ns;   /**< 0: none, as for the next three */
    int64_t read_header_timeout_ns;
    int64_t write_timeout_ns;
    int64_t idle_timeout_ns;
    struct sw_list compression_algorithms; /**< const char *; empty: decoding is off */
    struct sw_list response_headers;       /**< struct sw_pair */
    struct sw_tls_server_conf tls;
    struct {
        bool enabled;
        struct sw_list allowed_origins; /**< const char *; empty: CORS off */
        struct sw_list allowed_headers;
        struct sw_list exposed_headers;
        int64_t max_age; /**< seconds */
    } cors;
    struct sw_auth_conf auth;
    struct sw_list middlewares; /**< struct sw_middleware_conf */
};

/** Index into the words of a client's `compression`. */
enum sw_compression {
    SW_COMPRESSION_UNSET, /**< "": as none */
    SW_COMPRESSION_NONE,
    SW_COMPRESSION_GZIP,
    SW_COMPRESSION_SNAPPY, /**< HTTP: a block; gRPC: framed */
    SW_COMPRESSION_ZSTD,   /**< the last one that gRPC knows */
    SW_COMPRESSION_ZLIB,
    SW_COMPRESSION_DEFLATE, /**< as zlib, under another name */
    SW_COMPRESSION_SNAPPY_FRAMED,
    SW_COMPRESSION_LZ4,
};

struct sw_grpc_client_conf {
    const char *endpoint; /**< as written: host:port, http://…, unix://…, dns:///… */
    int compression;      /**< enum sw_compression */
    struct sw_tls_client_conf tls;
    struct {
        bool enabled;
        int64_t time_ns;
        int64_t timeout_ns;
        bool permit_without_stream;
    } keepalive;
    int64_t read_buffer_size;
    int64_t write_buffer_size;
    bool wait_for_ready;
    struct sw_list headers; /**< struct sw_pair */
    const char *user_agent; /**< "": ours */
    const char *balancer_name;
    const char *authority;
    struct sw_auth_conf auth;
    struct sw_list middlewares; /**< struct sw_middleware_conf */
};

struct sw_http_client_conf {
    const char *endpoint;
    const char *proxy_url;
    int64_t timeout_ns; /**< per attempt, 0: none */
    int compression;    /**< enum sw_compression */
    struct {
        int64_t level; /**< gzip, zlib, deflate: -2, -1, 0, 1 … 9; 0: default of the codec */
    } compression_params;
    struct sw_list headers; /**< struct sw_pair; override what the exporter sets */
    struct sw_tls_client_conf tls;
    int64_t read_buffer_size;
    int64_t write_buffer_size;
    int64_t max_idle_conns;
    int64_t max_idle_conns_per_host;
    int64_t max_conns_per_host; /**< 0: unlimited */
    int64_t idle_conn_timeout_ns;
    int64_t http2_read_idle_timeout_ns;
    int64_t http2_ping_timeout_ns;
    bool disable_keep_alives;
    bool force_attempt_http2;
    struct {
        bool enabled;
    } cookies;
    struct sw_auth_conf auth;
    struct sw_list middlewares; /**< struct sw_middleware_conf */
};

extern const struct sw_field sw_grpc_server_fields[];
extern const struct sw_field sw_http_server_fields[];
extern const struct sw_field sw_grpc_client_fields[];
extern const struct sw_field sw_http_client_fields[];

/* For SW_STRUCT, SW_OPTIONAL and the checks of the components that squash the tables. */
void sw_grpc_server_check(void *section, struct sw_check *check);
void sw_http_server_check(void *section, struct sw_check *check);
void sw_grpc_client_check(void *section, struct sw_check *check);
void sw_http_client_check(void *section, struct sw_check *check);

/** Where a client connects to, taken apart. Points into the text given. */
struct sw_endpoint {
    const char *host; /**< not NUL-terminated; without the brackets of an IPv6 address */
    size_t host_len;
    const char *path; /**< what follows the authority, "" when nothing does; unix: the path */
    uint16_t port;
    bool https;
    bool unix_socket;
};

/** Takes apart the endpoint of a gRPC client or server: host:port, [v6]:port, http://host:port,
 * https://host:port, dns:///host:port, passthrough:///host:port, unix://path, unix:path.
 *
 * @return 0; SW_E_INVALID with *ret_why (constant text): no port, bad port, unknown scheme
 */
SW_CHECKED int
sw_endpoint_parse_grpc(const char *text, struct sw_endpoint *ret_endpoint, const char **ret_why);

/** Takes apart a URL: http:// or https://, port 80 or 443 unless given.
 *
 * @return 0; SW_E_INVALID with *ret_why (constant text)
 */
SW_CHECKED int
sw_endpoint_parse_url(const char *text, struct sw_endpoint *ret_endpoint, const char **ret_why);

#endif
