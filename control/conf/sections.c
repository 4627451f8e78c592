// The sections of the root: service, pipelines and components, decoded whether they are used or not.
#include "control/conf/graph_internal.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/mem.h"

#include <stdlib.h>
#include <string.h>

#define PROFILES  3
#define TYPES_MAX 64

const char *const sw_signal_words[] = {"traces", "metrics", "logs", "profiles", NULL};

// clang-format off
static const struct sw_field pipeline_fields[] = {
    SW_IDS("receivers", struct sw_pipeline_ids, receivers, "receivers and connectors"),
    SW_IDS("processors", struct sw_pipeline_ids, processors, "processors in order"),
    SW_IDS("exporters", struct sw_pipeline_ids, exporters, "exporters and connectors"),
    SW_FIELD_END,
};
// clang-format on

void *sw_graph_take(struct sw_graph *graph, size_t count, size_t size)
{
    void *data = sw_arena_array(&graph->load->arena, count, size);
    if (data == NULL) {
        graph->err = SW_E_NOMEM;
    }
    return data;
}

const char *sw_graph_join(struct sw_graph *graph, const char *a, const char *b)
{
    size_t size = strlen(a) + strlen(b) + 3;
    char *path = sw_graph_take(graph, 1, size);
    if (path == NULL) {
        return "";
    }
    snprintf(path, size, "%s::%s", a, b);
    return path;
}

/* --- top level and service --- */

static void check_top_keys(struct sw_graph *graph)
{
    static const char *const known[] = {
        "receivers",
        "processors",
        "exporters",
        "connectors",
        "extensions",
        "service",
    };
    const struct sw_node *root = graph->load->root;
    for (size_t i = 0; i < root->entries_count; i++) {
        const struct sw_entry *entry = &root->entries[i];
        bool found = false;
        for (size_t j = 0; j < SW_ARRAY_SIZE(known); j++) {
            found |= strcmp(known[j], entry->key) == 0;
        }
        if (!found) {
            const char *near = sw_nearest(entry->key, known, SW_ARRAY_SIZE(known));
            sw_load_report(
                graph->load,
                SW_COMPLAINT_ERROR,
                entry->mark,
                entry->key,
                near != NULL ? "invalid key \"%s\", did you mean \"%s\"?" : "invalid key \"%s\"",
                entry->key,
                near
            );
        }
    }
}

/** A section that must be a map of its own; NULL when it is absent, null, or wrong (reported). */
static const struct sw_node *
section_map(struct sw_graph *graph, const struct sw_node *parent, const char *key, const char *path)
{
    const struct sw_node *node = sw_node_get(parent, key);
    if (node == NULL || node->kind == SW_NODE_NULL) {
        return NULL;
    }
    if (node->kind != SW_NODE_MAP) {
        sw_load_report(
            graph->load,
            SW_COMPLAINT_ERROR,
            node->mark,
            path,
            "expected a map or struct, got \"%s\"",
            sw_node_type(node)
        );
        return NULL;
    }
    return node;
}

static void decode_service(struct sw_graph *graph)
{
    const struct sw_entry *entry = sw_node_entry(graph->load->root, "service");
    struct sw_section section = {
        .load = graph->load,
        .mark = entry != NULL ? entry->mark : graph->load->root->mark,
        .used = true,
    };
    int err = sw_schema_decode(
        &section,
        sw_service_fields,
        sw_service_check,
        &graph->conf->service,
        entry != NULL ? entry->value : NULL,
        "service"
    );
    graph->err = err == SW_E_NOMEM ? err : graph->err;
}

/* --- pipelines --- */

/** "signal" or "signal/name" in canonical form; false when it is neither (reported). */
static bool parse_pipeline_id(
    struct sw_graph *graph,
    const struct sw_entry *entry,
    struct sw_conf_pipeline *pipeline
)
{
    const char *why = NULL;
    const char *type = NULL;
    const char *path = sw_graph_join(graph, "service::pipelines", entry->key);
    int err =
        sw_id_parse(&graph->load->arena, entry->key, &pipeline->id, &type, &pipeline->name, &why);
    if (err == SW_E_NOMEM) {
        graph->err = err;
        return false;
    }
    if (err != SW_OK) {
        sw_load_report(
            graph->load, SW_COMPLAINT_ERROR, entry->mark, path, "in \"%s\" id: %s", entry->key, why
        );
        return false;
    }
    int signal = sw_word_index(sw_signal_words, type, false);
    if (signal < 0) {
        const char *near = sw_nearest(type, sw_signal_words, PROFILES);
        sw_load_report(
            graph->load,
            SW_COMPLAINT_ERROR,
            entry->mark,
            path,
            near != NULL ? "in \"%s\" id: unknown pipeline signal: \"%s\", did you mean \"%s\"?"
                         : "in \"%s\" id: unknown pipeline signal: \"%s\"",
            entry->key,
            type,
            near
        );
        return false;
    }
    pipeline->signal = (unsigned)signal;
    pipeline->mark = entry->mark;
    if (signal == PROFILES && !sw_gate_on(graph->load, "service.profilesSupport")) {
        sw_load_report(
            graph->load,
            SW_COMPLAINT_ERROR,
            entry->mark,
            path,
            "profiling signal support is at alpha level, gated under the "
            "\"service.profilesSupport\" feature gate"
        );
    }
    return true;
}

static void decode_pipeline(struct sw_graph *graph, const struct sw_entry *entry)
{
    struct sw_conf *conf = graph->conf;
    struct sw_conf_pipeline *pipeline = &conf->pipelines[conf->pipelines_count];
    struct sw_pipeline_ids *text = &graph->load->pipeline_ids[conf->pipelines_count];
    struct sw_section section = {.load = graph->load, .mark = entry->mark, .used = true};
    if (!parse_pipeline_id(graph, entry, pipeline)) {
        return;
    }
    const char *path = sw_graph_join(graph, "service::pipelines", pipeline->id);
    for (size_t i = 0; i < conf->pipelines_count; i++) {
        if (strcmp(conf->pipelines[i].id, pipeline->id) == 0) {
            sw_load_report(
                graph->load,
                SW_COMPLAINT_ERROR,
                entry->mark,
                path,
                "duplicate name \"%s\" after unmarshaling",
                pipeline->id
            );
            return;
        }
    }
    int err = sw_schema_decode(&section, pipeline_fields, NULL, text, entry->value, path);
    graph->err = err == SW_E_NOMEM ? err : graph->err;
    conf->pipelines_count++;
}

static void decode_pipelines(struct sw_graph *graph)
{
    const char *path = "service::pipelines";
    const struct sw_node *service = sw_node_get(graph->load->root, "service");
    const struct sw_node *map = section_map(graph, service, "pipelines", path);
    size_t count = map != NULL ? map->entries_count : 0;
    graph->conf->pipelines = sw_graph_take(graph, count, sizeof(*graph->conf->pipelines));
    graph->load->pipeline_ids = sw_graph_take(graph, count, sizeof(*graph->load->pipeline_ids));
    for (size_t i = 0; graph->err == SW_OK && i < count; i++) {
        decode_pipeline(graph, &map->entries[i]);
    }
}

/* --- components --- */

static const struct sw_component *find_type(
    const struct sw_conf_load *load,
    enum sw_component_kind kind,
    const char *type,
    bool *ret_old
)
{
    for (size_t i = 0; i < load->components_count; i++) {
        const struct sw_component *component = load->components[i];
        bool old =
            component->old_types != NULL && sw_word_index(component->old_types, type, false) >= 0;
        if (component->kind == kind && (old || strcmp(component->type, type) == 0)) {
            *ret_old = old;
            return component;
        }
    }
    return NULL;
}

/** Types of the Collector that are planned: whoever uses them should not look for a misspelling. */
static bool is_planned(enum sw_component_kind kind, const char *type)
{
    static const char *const processors[] = {"attributes", "filter", "spanmetrics", NULL};
    static const char *const connectors[] = {"span_metrics", "spanmetrics", NULL};
    static const char *const extensions[] = {
        "healthcheckv2",
        "memory_limiter",
        NULL,
    };
    static const char *const none[] = {NULL};
    static const char *const *const words[SW_COMPONENT_KINDS_COUNT] = {
        [SW_RECEIVER] = none,
        [SW_PROCESSOR] = processors,
        [SW_EXPORTER] = none,
        [SW_CONNECTOR] = connectors,
        [SW_EXTENSION] = extensions,
    };
    return sw_word_index(words[kind], type, false) >= 0;
}

static void refuse_type(
    struct sw_graph *graph,
    enum sw_component_kind kind,
    const struct sw_entry *entry,
    const char *type,
    const char *path
)
{
    const struct sw_conf_load *load = graph->load;
    struct sw_conf_text known = {0};
    const char *types[TYPES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < load->components_count && count < TYPES_MAX; i++) {
        if (load->components[i]->kind == kind) {
            types[count++] = load->components[i]->type;
            sw_conf_text_printf(
                &known, "%s%s", known.len > 0 ? " " : "", load->components[i]->type
            );
        }
    }
    bool planned = is_planned(kind, type);
    const char *near = planned ? NULL : sw_nearest(type, types, count);
    if (known.out_of_memory) {
        graph->err = SW_E_NOMEM;
    } else {
        sw_load_report(
            graph->load,
            SW_COMPLAINT_ERROR,
            entry->mark,
            path,
            planned ? "type \"%s\" of \"%s\" is not supported yet (built in: [%s])%s%s%s"
                    : "unknown type: \"%s\" for id: \"%s\" (valid values: [%s])%s%s%s",
            type,
            entry->key,
            known.data != NULL ? known.data : "",
            near != NULL ? ", did you mean \"" : "",
            near != NULL ? near : "",
            near != NULL ? "\"?" : ""
        );
    }
    sw_conf_text_fini(&known);
}

static bool names(const struct sw_list *ids, const char *id)
{
    for (size_t i = 0; i < ids->count; i++) {
        if (strcmp(SW_LIST_AT(*ids, const char *, i), id) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_used(const struct sw_graph *graph, enum sw_component_kind kind, const char *id)
{
    if (kind == SW_EXTENSION) {
        return names(&graph->conf->service.extensions, id);
    }
    for (size_t i = 0; i < graph->conf->pipelines_count; i++) {
        const struct sw_pipeline_ids *text = &graph->load->pipeline_ids[i];
        bool receives = kind == SW_RECEIVER || kind == SW_CONNECTOR;
        bool exports = kind == SW_EXPORTER || kind == SW_CONNECTOR;
        if ((receives && names(&text->receivers, id)) || (exports && names(&text->exporters, id))
            || (kind == SW_PROCESSOR && names(&text->processors, id))) {
            return true;
        }
    }
    return false;
}

/** Nobody misses what nobody uses. The processor spanmetrics is older than v0.159, which refuses it. */
static void leave_out(
    struct sw_graph *graph,
    enum sw_component_kind kind,
    const struct sw_entry *entry,
    const char *type,
    const char *path
)
{
    bool refused = kind == SW_PROCESSOR && strcmp(type, "spanmetrics") == 0;
    sw_load_report(
        graph->load,
        refused ? SW_COMPLAINT_OLD : SW_COMPLAINT_WARNING,
        entry->mark,
        path,
        "type \"%s\" is not supported yet; nothing uses it, so it is left out and its "
        "configuration is not "
        "looked at",
        type
    );
}

/** Which IDs are old names: some types are renamed, `logging` is older than v0.159 altogether. */
static void report_old_type(
    struct sw_graph *graph,
    const struct sw_conf_component *item,
    const char *type,
    const char *path
)
{
    bool refused = strcmp(type, "logging") == 0; // The only one that v0.159 refuses.
    sw_load_report(
        graph->load,
        refused ? SW_COMPLAINT_OLD : SW_COMPLAINT_WARNING,
        item->mark,
        path,
        "\"%s\" is an older name of \"%s\"",
        type,
        item->component->type
    );
}

static void
decode_component(struct sw_graph *graph, enum sw_component_kind kind, const struct sw_entry *entry)
{
    struct sw_conf *conf = graph->conf;
    struct sw_conf_component item = {.kind = kind, .mark = entry->mark};
    const char *section_name = sw_component_section(kind);
    const char *path = sw_graph_join(graph, section_name, entry->key);
    const char *type = NULL;
    const char *why = NULL;
    bool old = false;
    int err = sw_id_parse(&graph->load->arena, entry->key, &item.id, &type, &item.name, &why);
    if (err != SW_OK) {
        if (err == SW_E_NOMEM) {
            graph->err = err;
            return;
        }
        sw_load_report(
            graph->load, SW_COMPLAINT_ERROR, entry->mark, path, "in \"%s\" id: %s", entry->key, why
        );
        return;
    }
    path = sw_graph_join(graph, section_name, item.id);
    if (sw_conf_find(conf, kind, item.id) != NULL) {
        sw_load_report(
            graph->load,
            SW_COMPLAINT_ERROR,
            entry->mark,
            path,
            "duplicate name \"%s\" after unmarshaling",
            item.id
        );
        return;
    }
    item.component = find_type(graph->load, kind, type, &old);
    if (item.component == NULL && is_planned(kind, type) && !is_used(graph, kind, item.id)) {
        leave_out(graph, kind, entry, type, path);
        return;
    }
    if (item.component == NULL) {
        refuse_type(graph, kind, entry, type, path);
        return;
    }
    if (old) {
        report_old_type(graph, &item, type, path);
    }
    item.used = is_used(graph, kind, item.id);
    item.conf = sw_graph_take(graph, 1, item.component->conf_size);
    if (item.conf == NULL) {
        return;
    }
    struct sw_section section = {.load = graph->load, .mark = entry->mark, .used = item.used};
    err = sw_schema_decode(
        &section, sw_fields_of(item.component), item.component->check, item.conf, entry->value, path
    );
    graph->err = err == SW_E_NOMEM ? err : graph->err;
    conf->components[conf->components_count++] = item;
}

static void decode_components(struct sw_graph *graph)
{
    const struct sw_node *maps[SW_COMPONENT_KINDS_COUNT] = {NULL};
    size_t count = 0;
    for (int kind = 0; kind < SW_COMPONENT_KINDS_COUNT; kind++) {
        const char *section = sw_component_section(kind);
        maps[kind] = section_map(graph, graph->load->root, section, section);
        count += maps[kind] != NULL ? maps[kind]->entries_count : 0;
    }
    graph->conf->components = sw_graph_take(graph, count, sizeof(*graph->conf->components));
    for (int kind = 0; kind < SW_COMPONENT_KINDS_COUNT; kind++) {
        size_t entries = maps[kind] != NULL ? maps[kind]->entries_count : 0;
        for (size_t i = 0; graph->err == SW_OK && i < entries; i++) {
            decode_component(graph, kind, &maps[kind]->entries[i]);
        }
    }
    const struct sw_conf *conf = graph->conf;
    for (size_t i = 0; graph->err == SW_OK && i < conf->components_count; i++) {
        const struct sw_conf_component *item = &conf->components[i];
        if (item->kind == SW_CONNECTOR
            && (sw_conf_find(conf, SW_RECEIVER, item->id) != NULL
                || sw_conf_find(conf, SW_EXPORTER, item->id) != NULL)) {
            sw_load_report(
                graph->load,
                SW_COMPLAINT_ERROR,
                item->mark,
                sw_graph_join(graph, "connectors", item->id),
                "ambiguous ID: there is a receiver or exporter \"%s\" too",
                item->id
            );
        }
    }
}

void sw_sections_decode(struct sw_graph *graph)
{
    check_top_keys(graph);
    decode_service(graph);
    decode_pipelines(graph);
    if (graph->err == SW_OK) {
        decode_components(graph);
    }
}
