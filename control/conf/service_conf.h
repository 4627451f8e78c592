/* The `service` section besides its pipelines: telemetry of ourselves (Collector v0.159). */
#ifndef SW_CONF_SERVICE_CONF_H
#define SW_CONF_SERVICE_CONF_H

#include "dataplane/base/field.h"

enum sw_log_level {
    SW_LOG_DEBUG,
    SW_LOG_INFO,
    SW_LOG_WARN,
    SW_LOG_ERROR,
    SW_LOG_DPANIC,
    SW_LOG_PANIC,
    SW_LOG_FATAL,
};

enum sw_log_encoding {
    SW_LOG_CONSOLE,
    SW_LOG_JSON,
};

enum sw_metrics_level {
    SW_METRICS_NONE,
    SW_METRICS_BASIC,
    SW_METRICS_NORMAL,
    SW_METRICS_DETAILED,
};

/** A Prometheus page of our own metrics. */
struct sw_pull_reader_conf {
    const char *host; /**< name or address without brackets; "": all addresses */
    uint16_t port;
    bool without_scope_info;
    bool without_type_suffix; /**< both true: bare names; otherwise _total and unit suffixes */
    bool without_units;
    struct sw_value with_resource_constant_labels; /**< {included: […], excluded: […]} or null */
};

struct sw_reader_conf {
    struct {
        bool enabled;
        struct {
            struct {
                bool enabled;
                struct sw_pull_reader_conf page;
            } prometheus;
        } exporter;
    } pull;
    struct {
        bool enabled; /**< pushing our own metrics: refused at start for now */
        int64_t interval_ms;
        int64_t timeout_ms;
        struct sw_value exporter;
    } periodic;
};

struct sw_service_conf {
    struct sw_list extensions; /**< const char *: IDs in start order */
    struct {
        struct {
            int level;    /**< enum sw_log_level */
            int encoding; /**< enum sw_log_encoding */
            bool development;
            bool disable_caller;
            bool disable_stacktrace;
            bool disable_zap_resource;
            struct {
                bool enabled;
                int64_t tick_ns;
                int64_t initial;    /**< lines of one level and text per tick that are written */
                int64_t thereafter; /**< then every n-th */
            } sampling;
            struct sw_list output_paths;       /**< const char *: "stderr", "stdout", a path */
            struct sw_list error_output_paths; /**< const char * */
            struct sw_value initial_fields;    /**< map: added to each line */
            struct sw_value processors;
        } logs;
        struct {
            int level;              /**< enum sw_metrics_level */
            struct sw_list readers; /**< struct sw_reader_conf; with level none: not used */
            struct sw_value views;
            const char *address; /**< older spelling; the loader has made a reader of it */
            /** What readers holds when none is written: the page at `address`, or the usual one. */
            struct sw_reader_conf default_reader;
        } metrics;
        struct {
            int level; /**< 0 none, 1 basic */
            struct sw_list propagators;
            struct sw_value processors;
            struct sw_value sampler;
            struct sw_value limits;
        } traces;
        /** Map of attributes of our own telemetry: scalars, null removes a default one. */
        struct sw_value resource;
    } telemetry;
};

extern const struct sw_field sw_service_fields[];
void sw_service_check(void *section, struct sw_check *check);

#endif
