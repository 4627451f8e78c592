#include "control/conf/service_conf.h"

#include <stdlib.h>
#include <string.h>

#define S     struct sw_service_conf
#define LATER .support = SW_NOT_YET

static const char *const log_level_words[] = {
    "debug",
    "info",
    "warn",
    "error",
    "dpanic",
    "panic",
    "fatal",
    NULL,
};
static const char *const log_encoding_words[] = {"console", "json", NULL};
static const char *const metrics_level_words[] = {"None", "Basic", "Normal", "Detailed", NULL};
static const char *const traces_level_words[] = {"none", "basic", NULL};

// clang-format off
static const struct sw_field sampling_fields[] = {
    SW_DURATION("tick", S, telemetry.logs.sampling.tick_ns, "10s", "window of sampling"),
    SW_INT("initial", S, telemetry.logs.sampling.initial, "10",
           "lines of one level and text per tick that are written"),
    SW_INT("thereafter", S, telemetry.logs.sampling.thereafter, "100",
           "of further ones, every n-th is written"),
    SW_FIELD_END,
};

static const struct sw_field logs_fields[] = {
    SW_ENUM("level", S, telemetry.logs.level, log_level_words, "info",
            "debug, info, warn, error, dpanic, panic or fatal", .flags = SW_FIELD_ICASE),
    SW_BOOL("development", S, telemetry.logs.development, "false",
            "development mode of the Go logger", .support = SW_NO_EFFECT),
    SW_ENUM("encoding", S, telemetry.logs.encoding, log_encoding_words, "console",
            "console or json"),
    SW_BOOL("disable_caller", S, telemetry.logs.disable_caller, "false",
            "leave file and line of the caller out"),
    SW_BOOL("disable_stacktrace", S, telemetry.logs.disable_stacktrace, "false",
            "leave stack traces out; there are none", .support = SW_NO_EFFECT),
    {.key = "sampling", .help = "limits repeated lines", .size = sizeof(S),
     .flag_offset = SW_MEMBER_AT(S, telemetry.logs.sampling.enabled, bool),
     .kind = SW_FIELD_OPTIONAL, .fields = sampling_fields,
     .flags = SW_FIELD_ON | SW_FIELD_BARE},
    SW_STRINGS("output_paths", S, telemetry.logs.output_paths, "stderr",
               "stderr, stdout or files"),
    SW_STRINGS("error_output_paths", S, telemetry.logs.error_output_paths, "stderr",
               "where errors of the logger itself go"),
    SW_VALUE("initial_fields", S, telemetry.logs.initial_fields, "map: added to each line",
             .flags = SW_FIELD_OMIT),
    SW_BOOL("disable_zap_resource", S, telemetry.logs.disable_zap_resource, "false",
            "leave the resource object out of each line", .flags = SW_FIELD_OMIT),
    SW_VALUE("processors", S, telemetry.logs.processors, "OTLP export of our own logs", LATER,
             .flags = SW_FIELD_OMIT),
    SW_FIELD_END,
};

static const struct sw_field page_fields[] = {
    SW_STRING("host", struct sw_pull_reader_conf, host, "localhost", "address to listen on"),
    SW_UINT("port", struct sw_pull_reader_conf, port, "8888", "port to listen on"),
    SW_BOOL("without_scope_info", struct sw_pull_reader_conf, without_scope_info, "true",
            "no labels of the instrumentation scope"),
    SW_BOOL("without_type_suffix", struct sw_pull_reader_conf, without_type_suffix, "true",
            "with without_units: bare names; otherwise _total and units are appended"),
    SW_BOOL("without_units", struct sw_pull_reader_conf, without_units, "true",
            "with without_type_suffix: bare names"),
    SW_VALUE("with_resource_constant_labels", struct sw_pull_reader_conf,
             with_resource_constant_labels, "resource attributes on every series",
             .flags = SW_FIELD_OMIT),
    SW_FIELD_END,
};

typedef __typeof__(((struct sw_reader_conf *)0)->pull) pull_conf;
typedef __typeof__(((struct sw_reader_conf *)0)->pull.exporter) pull_exporter_conf;
typedef __typeof__(((struct sw_reader_conf *)0)->pull.exporter.prometheus) prometheus_conf;
typedef __typeof__(((struct sw_reader_conf *)0)->periodic) periodic_conf;

static const struct sw_field prometheus_fields[] = {
    SW_SQUASH(prometheus_conf, page, page_fields),
    SW_FIELD_END,
};

static const struct sw_field pull_exporter_fields[] = {
    SW_OPTIONAL("prometheus", pull_exporter_conf, prometheus, prometheus_fields,
                "a page for Prometheus", .flags = SW_FIELD_BARE),
    SW_FIELD_END,
};

static const struct sw_field pull_fields[] = {
    SW_STRUCT("exporter", pull_conf, exporter, pull_exporter_fields, "how it is shown"),
    SW_FIELD_END,
};

static const struct sw_field periodic_fields[] = {
    SW_INT("interval", periodic_conf, interval_ms, "60000", "time between exports", .unit = "ms"),
    SW_INT("timeout", periodic_conf, timeout_ms, "30000", "limit of one export", .unit = "ms"),
    SW_VALUE("exporter", periodic_conf, exporter, "otlp or console"),
    SW_FIELD_END,
};

static const struct sw_field reader_fields[] = {
    SW_OPTIONAL("pull", struct sw_reader_conf, pull, pull_fields, "a page that is fetched",
                .flags = SW_FIELD_OMIT),
    SW_OPTIONAL("periodic", struct sw_reader_conf, periodic, periodic_fields,
                "metrics that are sent", LATER, .flags = SW_FIELD_OMIT),
    SW_FIELD_END,
};

#define LABELS "pull::exporter::prometheus::with_resource_constant_labels"

/** Names of attributes: {included: [...], excluded: [...]}. */
static void constant_labels_check(const struct sw_value *filter, struct sw_check *check)
{
    if (filter->kind != SW_VALUE_NULL && filter->kind != SW_VALUE_MAP) {
        sw_complain(check, SW_COMPLAINT_ERROR, LABELS, "must be a map");
        return;
    }
    for (size_t i = 0; filter->kind == SW_VALUE_MAP && i < filter->list.count; i++) {
        const struct sw_value_entry *entry = &SW_LIST_AT(filter->list, struct sw_value_entry, i);
        bool fine = entry->value.kind == SW_VALUE_LIST || entry->value.kind == SW_VALUE_NULL;
        for (size_t n = 0; entry->value.kind == SW_VALUE_LIST && n < entry->value.list.count; n++) {
            fine &= SW_LIST_AT(entry->value.list, struct sw_value, n).kind == SW_VALUE_STRING;
        }
        if (strcmp(entry->key, "included") != 0 && strcmp(entry->key, "excluded") != 0) {
            sw_complain(check, SW_COMPLAINT_ERROR, LABELS, "invalid key \"%s\"", entry->key);
        } else if (!fine) {
            sw_complain(
                check, SW_COMPLAINT_ERROR, LABELS, "\"%s\" must be a list of names", entry->key
            );
        }
    }
}

static void reader_check(void *section, struct sw_check *check)
{
    const struct sw_reader_conf *conf = section;
    if (conf->pull.enabled == conf->periodic.enabled) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            NULL,
            "a reader is either pull or periodic"
        );
    } else if (conf->pull.enabled && !conf->pull.exporter.prometheus.enabled) {
        sw_complain(check, SW_COMPLAINT_ERROR, "pull::exporter", "no valid metric exporter");
    }
    constant_labels_check(
        &conf->pull.exporter.prometheus.page.with_resource_constant_labels,
        check
    );
}

static const struct sw_field metrics_fields[] = {
    SW_ENUM("level", S, telemetry.metrics.level, metrics_level_words, "Normal",
            "none, basic, normal or detailed", .flags = SW_FIELD_ICASE),
    SW_LIST("readers", S, telemetry.metrics.readers, struct sw_reader_conf, reader_fields,
            "who gets our metrics; not written: a Prometheus page on localhost:8888",
            .check = reader_check),
    SW_VALUE("views", S, telemetry.metrics.views, "changes to instruments", LATER,
             .flags = SW_FIELD_OMIT),
    SW_STRING("address", S, telemetry.metrics.address, NULL, "host:port of the page",
              .flags = SW_FIELD_OLD | SW_FIELD_OMIT,
              .note = "use readers: [{pull: {exporter: {prometheus: {host, port}}}}]"),
    SW_FIELD_END,
};

static const struct sw_field traces_fields[] = {
    SW_ENUM("level", S, telemetry.traces.level, traces_level_words, "basic",
            "none or basic", .flags = SW_FIELD_ICASE | SW_FIELD_OMIT),
    SW_STRINGS("propagators", S, telemetry.traces.propagators, NULL, "tracecontext, b3", LATER,
               .flags = SW_FIELD_OMIT),
    SW_VALUE("processors", S, telemetry.traces.processors, "OTLP export of our own spans", LATER,
             .flags = SW_FIELD_OMIT),
    SW_VALUE("sampler", S, telemetry.traces.sampler, "which of our own spans", LATER,
             .flags = SW_FIELD_OMIT),
    SW_VALUE("limits", S, telemetry.traces.limits, "limits of our own spans", LATER,
             .flags = SW_FIELD_OMIT),
    SW_FIELD_END,
};

static const struct sw_field telemetry_fields[] = {
    SW_SECTION("logs", S, logs_fields, "our own log"),
    SW_SECTION("metrics", S, metrics_fields, "our own metrics"),
    SW_SECTION("traces", S, traces_fields, "our own spans: none are made"),
    SW_VALUE("resource", S, telemetry.resource,
             "attributes of our own telemetry: a map (null removes a default one), or "
             "attributes: [{name, value}]",
             .flags = SW_FIELD_OMIT),
    SW_FIELD_END,
};

const struct sw_field sw_service_fields[] = {
    SW_IDS("extensions", S, extensions, "what runs beside the pipelines, in start order"),
    SW_ELSEWHERE("pipelines", "the pipelines by signal, or signal/name"),
    SW_SECTION("telemetry", S, telemetry_fields, "telemetry of ourselves"),
    SW_FIELD_END,
};
// clang-format on

/** One reader for a Prometheus page. */
static struct sw_reader_conf page_reader(const char *host, unsigned port)
{
    struct sw_reader_conf reader = {
        .pull =
            {
                .enabled = true,
                .exporter.prometheus =
                    {
                        .enabled = true,
                        .page =
                            {
                                .host = host,
                                .port = (uint16_t)port,
                                .without_scope_info = true,
                                .without_type_suffix = true,
                                .without_units = true,
                            },
                    },
            },
    };
    return reader;
}

/** The reader that stands for what is not written lives in the section itself. */
static void set_reader(struct sw_service_conf *conf, const char *host, unsigned port)
{
    conf->telemetry.metrics.default_reader = page_reader(host, port);
    conf->telemetry.metrics.readers = (struct sw_list){
        &conf->telemetry.metrics.default_reader,
        1,
    };
}

/** "host:port" with the brackets of an IPv6 host taken off; false when it is none. */
static bool split_address(const char *address, char *host, size_t size, unsigned *ret_port)
{
    const char *colon = strrchr(address, ':');
    const char *digits = colon != NULL ? colon + 1 : "";
    size_t digits_len = strspn(digits, "0123456789");
    size_t len = colon != NULL ? (size_t)(colon - address) : 0;
    if (digits_len == 0 || digits_len > 5 || digits[digits_len] != '\0' || len >= size) {
        return false;
    }
    if (len >= 2 && address[0] == '[' && address[len - 1] == ']') {
        address++;
        len -= 2;
    }
    memcpy(host, address, len);
    host[len] = '\0';
    *ret_port = (unsigned)strtoul(digits, NULL, 10);
    return *ret_port <= 65535;
}

/** The only way at 0.96 and before; an empty host means all addresses. */
static void address_check(struct sw_service_conf *conf, struct sw_check *check)
{
    const char *address = conf->telemetry.metrics.address;
    char host[256];
    unsigned port = 0;
    if (!split_address(address, host, sizeof(host), &port)) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            "telemetry::metrics::address",
            "\"%s\" is not host:port",
            address
        );
        return;
    }
    const char *kept = check->keep(check, host);
    if (kept != NULL) {
        set_reader(conf, kept, port);
    }
}

static void metrics_check(struct sw_service_conf *conf, struct sw_check *check)
{
    const char *readers = "telemetry::metrics::readers";
    if (conf->telemetry.metrics.address[0] != '\0') {
        if (check->given(check, readers)) {
            sw_complain(
                check,
                SW_COMPLAINT_ERROR,
                "telemetry::metrics::address",
                "address and readers exclude each other"
            );
        } else {
            address_check(conf, check);
        }
    } else if (!check->given(check, readers)) {
        set_reader(conf, "localhost", 8888);
    } else if (conf->telemetry.metrics.level != SW_METRICS_NONE && conf->telemetry.metrics.readers.count == 0) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            readers,
            "collector telemetry metrics reader should exist when metric level is not none"
        );
    }
    const struct sw_value *views = &conf->telemetry.metrics.views;
    if (views->kind != SW_VALUE_NULL && views->kind != SW_VALUE_LIST) {
        sw_complain(check, SW_COMPLAINT_ERROR, "telemetry::metrics::views", "must be a list");
    } else if (views->kind == SW_VALUE_LIST && views->list.count > 0 && conf->telemetry.metrics.level != SW_METRICS_DETAILED) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            "telemetry::metrics::views",
            "can only be set when service::telemetry::metrics::level is detailed"
        );
    }
}

#define RESOURCE "telemetry::resource"

static const struct sw_value *value_of(const struct sw_value *map, const char *key)
{
    for (size_t i = 0; map->kind == SW_VALUE_MAP && i < map->list.count; i++) {
        const struct sw_value_entry *entry = &SW_LIST_AT(map->list, struct sw_value_entry, i);
        if (strcmp(entry->key, key) == 0) {
            return &entry->value;
        }
    }
    return NULL;
}

/** The declarative form: a list of {name, value}, and what belongs to it. */
static void attribute_list_check(const struct sw_value *list, struct sw_check *check)
{
    for (size_t i = 0; i < list->list.count; i++) {
        const struct sw_value *item = &SW_LIST_AT(list->list, struct sw_value, i);
        const struct sw_value *name = value_of(item, "name");
        bool known = item->kind == SW_VALUE_MAP;
        for (size_t k = 0; known && k < item->list.count; k++) {
            const char *key = SW_LIST_AT(item->list, struct sw_value_entry, k).key;
            known =
                strcmp(key, "name") == 0 || strcmp(key, "value") == 0 || strcmp(key, "type") == 0;
        }
        if (!known || name == NULL || name->kind != SW_VALUE_STRING) {
            sw_complain(
                check,
                SW_COMPLAINT_ERROR,
                RESOURCE "::attributes",
                "item %zu is not {name, value}",
                i
            );
        }
    }
}

static void resource_key_check(const struct sw_value_entry *entry, struct sw_check *check)
{
    bool list = entry->value.kind == SW_VALUE_LIST;
    if (strcmp(entry->key, "attributes") == 0 && list) {
        attribute_list_check(&entry->value, check);
    } else if (strcmp(entry->key, "schema_url") == 0) {
        sw_complain(
            check,
            SW_COMPLAINT_WARNING,
            RESOURCE,
            "schema_url has no effect here: neither the page nor the log shows it"
        );
    } else if (strcmp(entry->key, "detection/development") == 0) {
        sw_complain(
            check,
            SW_COMPLAINT_AT_START,
            RESOURCE,
            "\"%s\" is not supported yet, write the attributes",
            entry->key
        );
    } else if (list || entry->value.kind == SW_VALUE_MAP) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            RESOURCE,
            "the value of \"%s\" must be a scalar or null",
            entry->key
        );
    }
}

static void resource_check(const struct sw_value *resource, struct sw_check *check)
{
    if (resource->kind != SW_VALUE_NULL && resource->kind != SW_VALUE_MAP) {
        sw_complain(check, SW_COMPLAINT_ERROR, RESOURCE, "must be a map");
        return;
    }
    for (size_t i = 0; i < resource->list.count && resource->kind == SW_VALUE_MAP; i++) {
        resource_key_check(&SW_LIST_AT(resource->list, struct sw_value_entry, i), check);
    }
}

void sw_service_check(void *section, struct sw_check *check)
{
    struct sw_service_conf *conf = section;
    const struct sw_value *fields = &conf->telemetry.logs.initial_fields;
    metrics_check(conf, check);
    resource_check(&conf->telemetry.resource, check);
    if (fields->kind != SW_VALUE_NULL && fields->kind != SW_VALUE_MAP) {
        sw_complain(check, SW_COMPLAINT_ERROR, "telemetry::logs::initial_fields", "must be a map");
    }
    if (conf->telemetry.logs.output_paths.count == 0) {
        sw_complain(
            check,
            SW_COMPLAINT_WARNING,
            "telemetry::logs::output_paths",
            "is empty: nothing will be logged"
        );
    }
}
