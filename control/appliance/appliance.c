// The appliance file: libconfig's tree into our struct, every setting known by name. The only home of
// libconfig.
#include "control/appliance/appliance.h"

#include "dataplane/base/assert.h"
#include "dataplane/base/mem.h"

#include <libconfig.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 16

/* Memory of one file, freed together. */
struct block {
    struct block *next;
    max_align_t data[];
};

struct sw_appliance_load {
    struct block *blocks;
};

struct reader {
    struct sw_appliance *appliance;
    const char *name; /**< of the file, in errors */
    char *error;
    size_t error_size;
    int err; /**< the first failure, sticky */
};

static void *take(struct reader *reader, size_t count, size_t size)
{
    struct block *block =
        count > SIZE_MAX / 2 / (size + 1) ? NULL : sw_zalloc(sizeof(*block) + count * size + 1);
    if (block == NULL) {
        reader->err = SW_E_NOMEM;
        snprintf(reader->error, reader->error_size, "%s: out of memory", reader->name);
        return NULL;
    }
    block->next = reader->appliance->load->blocks;
    reader->appliance->load->blocks = block;
    return block->data;
}

static const char *keep(struct reader *reader, const char *text)
{
    char *copy = take(reader, 1, strlen(text) + 1);
    if (copy != NULL) {
        memcpy(copy, text, strlen(text) + 1);
    }
    return copy;
}

/** The first failure is told, with its file and line. */
static void __attribute__((format(printf, 3, 4)))
refuse(struct reader *reader, const config_setting_t *at, const char *format, ...)
{
    char text[256];
    if (reader->err != SW_OK) {
        return;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    const char *file = config_setting_source_file(at);
    snprintf(
        reader->error,
        reader->error_size,
        "%s:%u: %s",
        file != NULL ? file : reader->name,
        config_setting_source_line(at),
        text
    );
    reader->err = SW_E_INVALID;
}

static const char *read_string(struct reader *reader, const config_setting_t *at)
{
    const char *text = config_setting_get_string(at);
    if (text == NULL) {
        refuse(reader, at, "%s must be a text in quotes", config_setting_name(at));
    }
    return text;
}

static bool read_bool(struct reader *reader, const config_setting_t *at)
{
    if (config_setting_type(at) != CONFIG_TYPE_BOOL) {
        refuse(reader, at, "%s must be true or false", config_setting_name(at));
        return false;
    }
    return config_setting_get_bool(at) != 0;
}

static int64_t read_duration(struct reader *reader, const config_setting_t *at)
{
    const char *text = read_string(reader, at);
    const char *why = NULL;
    int64_t ns = 0;
    if (text == NULL) {
        return 0;
    }
    if (sw_duration_parse(text, strlen(text), &ns, &why) != SW_OK) {
        refuse(reader, at, "%s: %s \"%.60s\"", config_setting_name(at), why, text);
    } else if (ns < 0) {
        refuse(reader, at, "%s must not be negative", config_setting_name(at));
    }
    return ns;
}

static void read_workers(struct reader *reader, const config_setting_t *at)
{
    int type = config_setting_type(at);
    long long count = type == CONFIG_TYPE_INT     ? config_setting_get_int(at)
                      : type == CONFIG_TYPE_INT64 ? config_setting_get_int64(at)
                                                  : -1;
    if (count < 1 || count > SW_APPLIANCE_WORKERS_MAX) {
        refuse(reader, at, "workers must be a number from 1 to %d", SW_APPLIANCE_WORKERS_MAX);
        return;
    }
    reader->appliance->workers_count = (unsigned)count;
}

static void read_idle(struct reader *reader, const config_setting_t *at)
{
    static const char *const words[] = {"adaptive", "busy", "interrupt", NULL};
    const char *text = read_string(reader, at);
    int index = text != NULL ? sw_word_index(words, text, false) : -1;
    if (index < 0) {
        refuse(reader, at, "idle must be \"busy\", \"adaptive\" or \"interrupt\"");
        return;
    }
    reader->appliance->idle = (enum sw_idle)index;
}

static bool is_group(struct reader *reader, const config_setting_t *at)
{
    if (config_setting_type(at) == CONFIG_TYPE_GROUP) {
        return true;
    }
    refuse(reader, at, "%s must be a group: { … }", config_setting_name(at));
    return false;
}

/** Any setting as a value; groups become maps, lists and arrays lists. */
static void read_value(
    struct reader *reader,
    const config_setting_t *at,
    struct sw_value *value,
    unsigned depth
)
{
    int type = config_setting_type(at);
    *value = (struct sw_value){.kind = SW_VALUE_NULL};
    if (depth > DEPTH_MAX) {
        refuse(reader, at, "nested too deeply");
        return;
    }
    switch (type) {
    case CONFIG_TYPE_BOOL:
        *value = (struct sw_value){SW_VALUE_BOOL, .boolean = config_setting_get_bool(at) != 0};
        return;
    case CONFIG_TYPE_INT:
        *value = (struct sw_value){SW_VALUE_INT, .integer = config_setting_get_int(at)};
        return;
    case CONFIG_TYPE_INT64:
        *value = (struct sw_value){SW_VALUE_INT, .integer = config_setting_get_int64(at)};
        return;
    case CONFIG_TYPE_FLOAT:
        *value = (struct sw_value){SW_VALUE_DOUBLE, .number = config_setting_get_float(at)};
        return;
    case CONFIG_TYPE_STRING:
        *value = (struct sw_value){
            SW_VALUE_STRING,
            .string = keep(reader, config_setting_get_string(at)),
        };
        return;
    default:
        break;
    }
    size_t count = (size_t)config_setting_length(at);
    bool map = type == CONFIG_TYPE_GROUP;
    size_t size = map ? sizeof(struct sw_value_entry) : sizeof(struct sw_value);
    void *items = take(reader, count, size);
    for (size_t i = 0; items != NULL && reader->err == SW_OK && i < count; i++) {
        const config_setting_t *item = config_setting_get_elem(at, (unsigned)i);
        struct sw_value_entry *entry = (struct sw_value_entry *)items + i;
        if (map) {
            entry->key = keep(reader, config_setting_name(item));
        }
        read_value(reader, item, map ? &entry->value : (struct sw_value *)items + i, depth + 1);
    }
    *value = (struct sw_value){
        .kind = map ? SW_VALUE_MAP : SW_VALUE_LIST,
        .list = {items, items != NULL ? count : 0},
    };
}

/** What the design lists for components. What is built in the component itself reads and checks. */
static const struct {
    const char *kind;
    const char *key;
    bool ready;
} component_settings[] = {
    {"processor", "evict", false},
    {"processor", "window", true},
    {"exporter", "ring_generation", true},
    {"exporter", "failover", true},
    {"exporter", "drain_aware", true},
    {"exporter", "on_shutdown", true},
    {"exporter", "dead_letter", true},
};

static void
check_component_setting(struct reader *reader, const char *kind, const config_setting_t *item)
{
    const char *name = config_setting_name(item);
    for (size_t i = 0; i < SW_ARRAY_SIZE(component_settings); i++) {
        if (strcmp(component_settings[i].kind, kind) == 0
            && strcmp(component_settings[i].key, name) == 0) {
            if (!component_settings[i].ready) {
                refuse(reader, item, "setting %s of components is not supported yet", name);
            }
            return;
        }
    }
    refuse(reader, item, "unknown setting %s of a %s", name, kind);
}

static void
read_component(struct reader *reader, const config_setting_t *at, struct sw_appliance_view *view)
{
    static const char *const kinds[] = {
        "receiver",
        "processor",
        "exporter",
        "connector",
        "extension",
        NULL,
    };
    if (config_setting_type(at) != CONFIG_TYPE_GROUP) {
        refuse(reader, at, "an entry of components must be a group: { kind = …; id = …; }");
        return;
    }
    const char *kind = NULL;
    const char *id = NULL;
    if (!config_setting_lookup_string(at, "kind", &kind) || sw_word_index(kinds, kind, false) < 0) {
        refuse(
            reader,
            at,
            "an entry of components needs kind: \"receiver\", \"processor\", \"exporter\", "
            "\"connector\" or \"extension\""
        );
        return;
    }
    if (!config_setting_lookup_string(at, "id", &id) || id[0] == '\0') {
        refuse(reader, at, "an entry of components needs id, as the pipeline file has it");
        return;
    }
    if (sw_appliance_find(reader->appliance, kind, id) != NULL) {
        refuse(reader, at, "%s \"%.60s\" has two entries in components", kind, id);
        return;
    }
    for (int i = 0; i < config_setting_length(at); i++) {
        const config_setting_t *item = config_setting_get_elem(at, (unsigned)i);
        const char *name = config_setting_name(item);
        if (strcmp(name, "kind") != 0 && strcmp(name, "id") != 0) {
            check_component_setting(reader, kind, item);
        }
    }
    view->kind = keep(reader, kind);
    view->id = keep(reader, id);
    read_value(reader, at, &view->settings, 0);
}

static void read_components(struct reader *reader, const config_setting_t *at)
{
    if (config_setting_type(at) != CONFIG_TYPE_LIST) {
        refuse(reader, at, "components must be a list: ( { … }, { … } )");
        return;
    }
    size_t count = (size_t)config_setting_length(at);
    struct sw_appliance *appliance = reader->appliance;
    appliance->components = take(reader, count, sizeof(*appliance->components));
    for (size_t i = 0; reader->err == SW_OK && i < count; i++) {
        read_component(reader, config_setting_get_elem(at, (unsigned)i), &appliance->components[i]);
        appliance->components_count += reader->err == SW_OK;
    }
}

static void read_notice(struct reader *reader, const config_setting_t *at)
{
    reader->appliance->drain.notice_ns = read_duration(reader, at);
}

static void read_deadline(struct reader *reader, const config_setting_t *at)
{
    reader->appliance->drain.deadline_ns = read_duration(reader, at);
}

static void read_retry(struct reader *reader, const config_setting_t *at)
{
    reader->appliance->drain.retry = read_bool(reader, at);
}

static void read_ports(struct reader *reader, const config_setting_t *at)
{
    if (config_setting_type(at) != CONFIG_TYPE_LIST || config_setting_length(at) > 0) {
        refuse(reader, at, "ports: NIC ports are not supported yet, leave the list empty: ( )");
    }
}

/** A list or an array of texts. */
static void read_texts(struct reader *reader, const config_setting_t *at, struct sw_list *ret_list)
{
    int type = config_setting_type(at);
    if (type != CONFIG_TYPE_LIST && type != CONFIG_TYPE_ARRAY) {
        refuse(reader, at, "%s must be a list of texts: ( \"…\", \"…\" )", config_setting_name(at));
        return;
    }
    size_t count = (size_t)config_setting_length(at);
    const char **texts = take(reader, count, sizeof(*texts));
    for (size_t i = 0; texts != NULL && reader->err == SW_OK && i < count; i++) {
        const char *text = config_setting_get_string_elem(at, (int)i);
        if (text == NULL || text[0] == '\0') {
            refuse(reader, at, "%s must hold texts that are not empty", config_setting_name(at));
        } else {
            texts[i] = keep(reader, text);
        }
    }
    *ret_list = (struct sw_list){texts, count};
}

static int64_t read_positive_duration(struct reader *reader, const config_setting_t *at)
{
    int64_t ns = read_duration(reader, at);
    if (reader->err == SW_OK && ns == 0) {
        refuse(reader, at, "%s must be more than 0", config_setting_name(at));
    }
    return ns;
}

static void read_peers_hostnames(struct reader *reader, const config_setting_t *at)
{
    struct sw_list *hostnames = &reader->appliance->peers.hostnames;
    read_texts(reader, at, hostnames);
    if (reader->err == SW_OK && hostnames->count == 0) {
        refuse(reader, at, "hostnames must not be empty");
    }
}

static void read_peers_hostname(struct reader *reader, const config_setting_t *at)
{
    const char *text = read_string(reader, at);
    if (text != NULL && text[0] == '\0') {
        refuse(reader, at, "hostname must not be empty");
    } else if (text != NULL) {
        reader->appliance->peers.dns.hostname = keep(reader, text);
    }
}

// As in the pipeline file: a number, or the same as a text.
static void read_peers_port(struct reader *reader, const config_setting_t *at)
{
    const char *text = config_setting_get_string(at);
    long port = config_setting_type(at) == CONFIG_TYPE_INT ? config_setting_get_int(at) : -1;
    char digits[8];
    if (text != NULL) {
        char *end;
        port = strtol(text, &end, 10);
        port = *end == '\0' && text[0] >= '1' && text[0] <= '9' ? port : -1;
    }
    if (port < 1 || port > UINT16_MAX) {
        refuse(reader, at, "port must be a number from 1 to %d", UINT16_MAX);
        return;
    }
    snprintf(digits, sizeof(digits), "%ld", port);
    reader->appliance->peers.dns.port = keep(reader, digits);
}

static void read_peers_interval(struct reader *reader, const config_setting_t *at)
{
    reader->appliance->peers.dns.interval_ns = read_positive_duration(reader, at);
}

static void read_peers_dns_timeout(struct reader *reader, const config_setting_t *at)
{
    reader->appliance->peers.dns.timeout_ns = read_positive_duration(reader, at);
}

static void read_peers_self(struct reader *reader, const config_setting_t *at)
{
    read_texts(reader, at, &reader->appliance->peers.self);
}

static void read_peers_generation(struct reader *reader, const config_setting_t *at)
{
    static const char *const words[] = {"A", "B", "C", NULL};
    const char *text = read_string(reader, at);
    int index = text != NULL ? sw_word_index(words, text, false) : -1;
    if (index < 0) {
        refuse(reader, at, "ring_generation must be \"A\", \"B\" or \"C\"");
        return;
    }
    reader->appliance->peers.generation = index;
}

static void read_peers_timeout(struct reader *reader, const config_setting_t *at)
{
    reader->appliance->peers.timeout_ns = read_positive_duration(reader, at);
}

static void read_drain(struct reader *reader, const config_setting_t *at);
static void read_peers(struct reader *reader, const config_setting_t *at);
static void read_peers_static(struct reader *reader, const config_setting_t *at);
static void read_peers_dns(struct reader *reader, const config_setting_t *at);

/* One line per setting, also for the reference page. What stands in a group has its path as name. Options
 * of components are read by read_components. */
static const struct {
    struct sw_appliance_setting setting;
    void (*read)(struct reader *reader, const config_setting_t *at);
} settings[] = {
    {{"workers", "integer", NULL, "worker threads; not set: the cores this process may use"},
     read_workers},
    {{"idle",
      "word",
      "\"adaptive\"",
      "what a worker without work does: adaptive spins briefly and then sleeps, busy never sleeps, "
      "interrupt sleeps at once"},
     read_idle},
    {{"drain", "group", NULL, "how the end is spread over time"}, read_drain},
    {{"drain.notice",
      "duration",
      "\"0s\"",
      "after a signal to end, how long requests are still taken while the health check says not "
      "ready; gRPC clients are told at its beginning (docs/peer-protocol.md)"},
     read_notice},
    {{"drain.deadline",
      "duration",
      "\"55s\"",
      "after this time what is still held is given up and counted as failed"},
     read_deadline},
    {{"drain.retry", "true or false", "false", "failed exports are retried until the deadline"},
     read_retry},
    {{"ports", "list", "( )", "NIC ports. Not yet: the list must be empty"}, read_ports},
    {{"components",
      "list of groups",
      "( )",
      "options of single components, each entry with kind and id as in the pipeline file"},
     read_components},
    {{"components.window",
      "group",
      NULL,
      "processor tail_sampling: what waits for its verdict lies in files that survive the process "
      "being "
      "killed, and is taken up at the next start; { } takes the defaults. Not the loss of power"},
     NULL},
    {{"components.window.directory",
      "text",
      "\"/dev/shm/spanweir\"",
      "of the files, in a file system in memory; on a disk it is slower. One process at a time"},
     NULL},
    {{"components.window.size_mib",
      "integer",
      "1024",
      "room for all that waits, over all workers; without room senders are refused"},
     NULL},
    {{"components.on_shutdown",
      "word",
      "\"keep\"",
      "exporters otlp_grpc and otlp_http with a storage: what is left at the end stays in the "
      "store (keep), or goes "
      "to other gateways (handover; needs peers), which send it on; what none takes by "
      "drain.deadline stays"},
     NULL},
    {{"components.dead_letter",
      "group",
      NULL,
      "exporters otlp_grpc and otlp_http: what the backend refuses for good is written to files of "
      "OTLP/JSON "
      "lines. What ran out of retries is not"},
     NULL},
    {{"components.dead_letter.path", "text", NULL, "directory of the files"}, NULL},
    {{"components.dead_letter.size_mib",
      "integer",
      "256",
      "of the files of one exporter and signal together; the oldest go"},
     NULL},
    {{"components.ring_generation",
      "word",
      "\"C\"",
      "exporter load_balancing: the hash ring of Collectors up to v0.130 (A), from v0.131 on (B), "
      "of "
      "v0.159 (C)"},
     NULL},
    {{"components.failover",
      "word",
      "\"none\"",
      "exporter load_balancing: while a backend refuses connections its share waits (none) or goes "
      "to "
      "the next owners on the ring (next_owner)"},
     NULL},
    {{"components.drain_aware",
      "true or false",
      "false",
      "exporter load_balancing, by traceID: a backend that says that it will end (drain.notice of "
      "spanweir) gets no new traces; those that were sent to it before still go there. Known are "
      "the "
      "last 65536 traces of each worker. Not for fleets in which other agents go on"},
     NULL},
    {{"peers",
      "group",
      "{ }",
      "gateway to gateway (docs/peer-protocol.md): spans of traces that another gateway owns are "
      "forwarded to it, in pipelines with tail_sampling. Needs static or dns, as the agents' "
      "exporters load_balancing have them; empty: off"},
     read_peers},
    {{"peers.static", "group", NULL, "the gateways as a list"}, read_peers_static},
    {{"peers.static.hostnames",
      "list of texts",
      NULL,
      "host:port of each gateway's OTLP over gRPC"},
     read_peers_hostnames},
    {{"peers.dns", "group", NULL, "the gateways as the addresses of a name"}, read_peers_dns},
    {{"peers.dns.hostname", "text", NULL, "the name"}, read_peers_hostname},
    {{"peers.dns.port", "integer or text", "4317", "port of the gateways' OTLP over gRPC"},
     read_peers_port},
    {{"peers.dns.interval", "duration", "\"5s\"", "between two lookups"}, read_peers_interval},
    {{"peers.dns.timeout", "duration", "\"1s\"", "of a lookup"}, read_peers_dns_timeout},
    {{"peers.self",
      "list of texts",
      "( )",
      "which of the gateways is this one: host or host:port, as on the ring; empty: the addresses "
      "and "
      "the name of this machine, with the ports of its OTLP receivers"},
     read_peers_self},
    {{"peers.ring_generation", "word", "\"C\"", "the hash ring, as the agents have it"},
     read_peers_generation},
    {{"peers.timeout",
      "duration",
      "\"2s\"",
      "after it a gateway that does not answer has not taken its spans, which are processed here"},
     read_peers_timeout},
};

bool sw_appliance_setting(size_t index, struct sw_appliance_setting *ret_setting)
{
    if (index >= SW_ARRAY_SIZE(settings)) {
        return false;
    }
    *ret_setting = settings[index].setting;
    return true;
}

/** The name without the group's "drain."; NULL when it stands elsewhere. */
static const char *name_in_group(const char *name, const char *group)
{
    size_t len = strlen(group);
    const char *rest = strncmp(name, group, len) == 0 ? name + len : NULL;
    return rest != NULL && strchr(rest, '.') == NULL ? rest : NULL;
}

static void refuse_unknown(struct reader *reader, const config_setting_t *at, const char *group)
{
    char known[128];
    size_t len = 0;
    known[0] = '\0';
    for (size_t i = 0; i < SW_ARRAY_SIZE(settings) && len < sizeof(known); i++) {
        const char *name = name_in_group(settings[i].setting.name, group);
        if (name != NULL) {
            const char *comma = len > 0 ? ", " : "";
            len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s", comma, name);
        }
    }
    const char *name = config_setting_name(at);
    refuse(reader, at, "unknown setting %s%.60s (known: %s)", group, name, known);
}

/** All settings of the file or of one group; group is "" or "drain.". */
static void read_settings(struct reader *reader, const config_setting_t *from, const char *group)
{
    for (int i = 0; reader->err == SW_OK && i < config_setting_length(from); i++) {
        const config_setting_t *at = config_setting_get_elem(from, (unsigned)i);
        bool found = false;
        for (size_t k = 0; k < SW_ARRAY_SIZE(settings) && !found; k++) {
            const char *name = name_in_group(settings[k].setting.name, group);
            found = name != NULL && strcmp(name, config_setting_name(at)) == 0;
            if (found) {
                settings[k].read(reader, at);
            }
        }
        if (!found) {
            refuse_unknown(reader, at, group);
        }
    }
}

static void read_peers_static(struct reader *reader, const config_setting_t *at)
{
    if (is_group(reader, at)) {
        read_settings(reader, at, "peers.static.");
    }
}

static void read_peers_dns(struct reader *reader, const config_setting_t *at)
{
    if (is_group(reader, at)) {
        read_settings(reader, at, "peers.dns.");
    }
}

static void read_peers(struct reader *reader, const config_setting_t *at)
{
    struct sw_appliance *appliance = reader->appliance;
    if (!is_group(reader, at) || config_setting_length(at) == 0) {
        return;
    }
    read_settings(reader, at, "peers.");
    bool names = appliance->peers.hostnames.count > 0;
    bool dns = appliance->peers.dns.hostname != NULL;
    if (names == dns) {
        refuse(
            reader, at, "peers needs either static = { hostnames = … } or dns = { hostname = … }"
        );
    }
    appliance->peers.enabled = true;
}

static void read_drain(struct reader *reader, const config_setting_t *at)
{
    if (is_group(reader, at)) {
        read_settings(reader, at, "drain.");
    }
}

static struct sw_appliance *new_appliance(void)
{
    struct sw_appliance *appliance = sw_zalloc(sizeof(*appliance));
    struct sw_appliance_load *load = sw_zalloc(sizeof(*load));
    if (appliance == NULL || load == NULL) {
        sw_free(appliance);
        sw_free(load);
        return NULL;
    }
    appliance->load = load;
    appliance->idle = SW_IDLE_ADAPTIVE;
    appliance->drain.deadline_ns = 55000000000;
    appliance->peers.dns.port = "4317";
    appliance->peers.dns.interval_ns = 5000000000;
    appliance->peers.dns.timeout_ns = 1000000000;
    appliance->peers.generation = 2;
    appliance->peers.timeout_ns = 2000000000;
    return appliance;
}

static int no_memory(char *error, size_t error_size)
{
    snprintf(error, error_size, "out of memory");
    return SW_E_NOMEM;
}

int sw_appliance_load_text(
    const char *name,
    const char *text,
    struct sw_appliance **ret_appliance,
    char *error,
    size_t error_size
)
{
    struct sw_appliance *appliance = new_appliance();
    if (appliance == NULL) {
        return no_memory(error, error_size);
    }
    struct reader reader = {
        .appliance = appliance,
        .name = name,
        .error = error,
        .error_size = error_size,
    };
    config_t config;
    config_init(&config);
    if (!config_read_string(&config, text)) {
        snprintf(
            error,
            error_size,
            "%s:%d: %s",
            name,
            config_error_line(&config),
            config_error_text(&config)
        );
        reader.err = SW_E_INVALID;
    } else {
        read_settings(&reader, config_root_setting(&config), "");
        appliance->path = reader.err == SW_OK ? keep(&reader, name) : NULL;
    }
    config_destroy(&config);
    if (reader.err != SW_OK) {
        sw_appliance_free(appliance);
        return reader.err;
    }
    *ret_appliance = appliance;
    return SW_OK;
}

#define FILE_SIZE_MAX (1024 * 1024)

static int read_file(const char *path, char **ret_text, char *error, size_t error_size)
{
    FILE *file = fopen(path, "re");
    char *text = sw_alloc(FILE_SIZE_MAX + 1);
    size_t len = 0;
    int failure = file == NULL ? errno : 0;
    if (file != NULL && text != NULL) {
        len = fread(text, 1, FILE_SIZE_MAX + 1, file);
        failure = ferror(file) ? errno : len > FILE_SIZE_MAX ? EFBIG : 0;
    }
    if (file != NULL) {
        fclose(file);
    }
    if (text == NULL) {
        return no_memory(error, error_size);
    }
    if (failure != 0) {
        sw_free(text);
        snprintf(error, error_size, "%s: %s", path, strerror(failure));
        return failure == ENOENT ? SW_E_NOT_FOUND : SW_E_SYSTEM;
    }
    text[len] = '\0';
    if (strlen(text) != len) {
        sw_free(text);
        snprintf(error, error_size, "%s: holds a NUL character", path);
        return SW_E_INVALID;
    }
    *ret_text = text;
    return SW_OK;
}

int sw_appliance_load(
    const char *path,
    struct sw_appliance **ret_appliance,
    char *error,
    size_t error_size
)
{
    char *text = NULL;
    bool optional = false;
    if (path == NULL) {
        path = getenv(SW_APPLIANCE_ENV);
    }
    if (path == NULL || path[0] == '\0') {
        path = SW_APPLIANCE_DEFAULT_PATH;
        optional = true;
    }
    int err = read_file(path, &text, error, error_size);
    if (err == SW_E_NOT_FOUND && optional) {
        struct sw_appliance *appliance = new_appliance();
        if (appliance == NULL) {
            return no_memory(error, error_size);
        }
        *ret_appliance = appliance;
        return SW_OK;
    }
    if (err != SW_OK) {
        return err == SW_E_NOT_FOUND ? SW_E_SYSTEM : err;
    }
    err = sw_appliance_load_text(path, text, ret_appliance, error, error_size);
    sw_free(text);
    return err;
}

void sw_appliance_free(struct sw_appliance *appliance)
{
    if (appliance == NULL) {
        return;
    }
    struct block *block = appliance->load->blocks;
    while (block != NULL) {
        struct block *next = block->next;
        sw_free(block);
        block = next;
    }
    sw_free(appliance->load);
    sw_free(appliance);
}

const struct sw_appliance_view *
sw_appliance_find(const struct sw_appliance *appliance, const char *kind, const char *id)
{
    for (size_t i = 0; i < appliance->components_count; i++) {
        const struct sw_appliance_view *view = &appliance->components[i];
        if (strcmp(view->kind, kind) == 0 && strcmp(view->id, id) == 0) {
            return view;
        }
    }
    return NULL;
}
