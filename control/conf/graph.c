// The rules of the graph: what there must be, what refers to what, what connectors join.
#include "control/conf/graph_internal.h"
#include "dataplane/base/assert.h"

#include <string.h>

/** Is there anything to run? */
static void check_presence(struct sw_graph *graph)
{
    static const enum sw_component_kind needed[] = {SW_RECEIVER, SW_EXPORTER};
    const struct sw_node *root = graph->load->root;
    if (sw_gate_on(graph->load, "service.AllowNoPipelines")) {
        return;
    }
    for (size_t i = 0; i < SW_ARRAY_SIZE(needed); i++) {
        const char *section = sw_component_section(needed[i]);
        const struct sw_entry *entry = sw_node_entry(root, section);
        if (entry == NULL || entry->value->kind == SW_NODE_NULL
            || (entry->value->kind == SW_NODE_MAP && entry->value->entries_count == 0)) {
            sw_load_report(
                graph->load,
                SW_COMPLAINT_ERROR,
                entry != NULL ? entry->mark : root->mark,
                section,
                "no %s configuration specified in config",
                sw_component_kind_text(needed[i])
            );
        }
    }
    const struct sw_node *service = sw_node_get(root, "service");
    const struct sw_entry *pipelines = sw_node_entry(service, "pipelines");
    if (pipelines == NULL || pipelines->value->kind == SW_NODE_NULL
        || (pipelines->value->kind == SW_NODE_MAP && pipelines->value->entries_count == 0)) {
        sw_load_report(
            graph->load,
            SW_COMPLAINT_ERROR,
            pipelines != NULL ? pipelines->mark
            : service != NULL ? service->mark
                              : root->mark,
            "service::pipelines",
            "service must have at least one pipeline"
        );
    }
}

/* --- references --- */

/** Where the i-th item of a list of a pipeline stands. */
static struct sw_mark item_mark(
    const struct sw_graph *graph,
    const struct sw_conf_pipeline *pipeline,
    const char *list,
    size_t index
)
{
    const struct sw_node *service = sw_node_get(graph->load->root, "service");
    const struct sw_node *pipelines = sw_node_get(service, "pipelines");
    const struct sw_node *items = NULL;
    for (size_t i = 0; pipelines != NULL && i < pipelines->entries_count; i++) {
        // Keys may have blanks; the mark tells which one it was.
        if (pipelines->entries[i].mark.line == pipeline->mark.line
            && pipelines->entries[i].mark.column == pipeline->mark.column
            && pipelines->entries[i].mark.source == pipeline->mark.source) {
            items = sw_node_get(pipelines->entries[i].value, list);
        }
    }
    if (items != NULL && items->kind == SW_NODE_LIST && index < items->items_count) {
        return items->items[index]->mark;
    }
    return items != NULL ? items->mark : pipeline->mark;
}

/** Is it a connector where it is used as a receiver or exporter? Processors and extensions: never. */
static bool stands_for(enum sw_component_kind kind, enum sw_component_kind wanted)
{
    return kind == wanted
           || (kind == SW_CONNECTOR && (wanted == SW_RECEIVER || wanted == SW_EXPORTER));
}

/** Nothing of this kind is configured under this ID: is there one that may be meant? One of another
 * kind that has the very ID is told too. */
static void refuse_reference(
    struct sw_graph *graph,
    struct sw_mark mark,
    const char *path,
    enum sw_component_kind kind,
    const char *id
)
{
    const struct sw_conf *conf = graph->conf;
    const char **ids = sw_graph_take(graph, conf->components_count, sizeof(*ids));
    const char *elsewhere = NULL;
    size_t count = 0;
    for (size_t i = 0; ids != NULL && i < conf->components_count; i++) {
        const struct sw_conf_component *item = &conf->components[i];
        if (stands_for(item->kind, kind)) {
            ids[count++] = item->id;
        } else if (strcmp(item->id, id) == 0) {
            elsewhere = sw_component_section(item->kind);
        }
    }
    const char *near = ids != NULL ? sw_nearest(id, ids, count) : NULL;
    const char *hint = near != NULL ? near : elsewhere;
    sw_load_report(
        graph->load,
        SW_COMPLAINT_ERROR,
        mark,
        path,
        "references %s \"%s\" which is not configured%s%s%s",
        sw_component_kind_text(kind),
        id,
        near != NULL        ? ", did you mean \""
        : elsewhere != NULL ? " (it stands in section "
                            : "",
        hint != NULL ? hint : "",
        near != NULL        ? "\"?"
        : elsewhere != NULL ? ")"
                            : ""
    );
}

/** Is it configured? One that does not decode is reported already. */
static bool is_written(const struct sw_graph *graph, enum sw_component_kind kind, const char *id)
{
    const struct sw_node *section = sw_node_get(graph->load->root, sw_component_section(kind));
    return sw_node_get(section, id) != NULL;
}

/** The component that a pipeline names, of either kind; unknown ones are reported. */
static const struct sw_conf_component *resolve(
    struct sw_graph *graph,
    const struct sw_conf_pipeline *pipeline,
    enum sw_component_kind kind,
    const char *id,
    size_t index
)
{
    const struct sw_conf_component *found = sw_conf_find(graph->conf, kind, id);
    if (found == NULL && kind != SW_PROCESSOR) {
        found = sw_conf_find(graph->conf, SW_CONNECTOR, id);
    }
    bool written = is_written(graph, kind, id)
                   || (kind != SW_PROCESSOR && is_written(graph, SW_CONNECTOR, id));
    if (found == NULL && !written) {
        refuse_reference(
            graph,
            item_mark(graph, pipeline, sw_component_section(kind), index),
            sw_graph_join(graph, "service::pipelines", pipeline->id),
            kind,
            id
        );
    }
    return found;
}

static bool contains(
    const struct sw_conf_component *const *items,
    size_t count,
    const struct sw_conf_component *item
)
{
    for (size_t i = 0; i < count; i++) {
        if (items[i] == item) {
            return true;
        }
    }
    return false;
}

/** A list of a pipeline; the same one twice counts once, and is refused for processors. */
static void link_list(
    struct sw_graph *graph,
    struct sw_conf_pipeline *pipeline,
    enum sw_component_kind kind,
    const struct sw_list *ids,
    const struct sw_conf_component ***ret_items,
    size_t *ret_count
)
{
    const struct sw_conf_component **items = sw_graph_take(graph, ids->count, sizeof(*items));
    const char *path = sw_graph_join(graph, "service::pipelines", pipeline->id);
    size_t count = 0;
    for (size_t i = 0; items != NULL && i < ids->count; i++) {
        const char *id = SW_LIST_AT(*ids, const char *, i);
        const struct sw_conf_component *item = resolve(graph, pipeline, kind, id, i);
        if (item == NULL) {
            continue;
        }
        if (contains(items, count, item)) {
            sw_load_report(
                graph->load,
                kind == SW_PROCESSOR ? SW_COMPLAINT_ERROR : SW_COMPLAINT_WARNING,
                item_mark(graph, pipeline, sw_component_section(kind), i),
                path,
                "references %s \"%s\" multiple times",
                sw_component_kind_text(kind),
                id
            );
            continue;
        }
        items[count++] = item;
    }
    *ret_items = items;
    *ret_count = count;
    if (ids->count == 0 && kind != SW_PROCESSOR) {
        sw_load_report(
            graph->load,
            SW_COMPLAINT_ERROR,
            pipeline->mark,
            path,
            "must have at least one %s",
            sw_component_kind_text(kind)
        );
    }
}

/** Does every component know the pipeline's signal, and this build too? */
static void check_signals(
    struct sw_graph *graph,
    const struct sw_conf_pipeline *pipeline,
    const struct sw_conf_component *const *items,
    size_t count,
    const char *list
)
{
    uint8_t bit = (uint8_t)(1u << pipeline->signal);
    const char *path = sw_graph_join(graph, "service::pipelines", pipeline->id);
    for (size_t i = 0; i < count && graph->err == SW_OK; i++) {
        const struct sw_component *component = items[i]->component;
        struct sw_mark mark = item_mark(graph, pipeline, list, i);
        if (component->kind == SW_CONNECTOR) {
            continue; // Its signals are a matter of pairs.
        }
        if ((component->signals & bit) == 0) {
            sw_load_report(
                graph->load,
                SW_COMPLAINT_BUILD,
                mark,
                path,
                "%s \"%s\": telemetry type %s is not supported",
                sw_component_kind_text(component->kind),
                items[i]->id,
                sw_signal_words[pipeline->signal]
            );
        } else if ((component->signals_ready & bit) == 0) {
            sw_load_report(
                graph->load,
                SW_COMPLAINT_AT_START,
                mark,
                path,
                "%s \"%s\": %s are not supported yet",
                sw_component_kind_text(component->kind),
                items[i]->id,
                sw_signal_words[pipeline->signal]
            );
        }
    }
}

static void link_pipelines(struct sw_graph *graph)
{
    for (size_t i = 0; graph->err == SW_OK && i < graph->conf->pipelines_count; i++) {
        struct sw_conf_pipeline *p = &graph->conf->pipelines[i];
        const struct sw_pipeline_ids *t = &graph->load->pipeline_ids[i];
        link_list(graph, p, SW_RECEIVER, &t->receivers, &p->receivers, &p->receivers_count);
        link_list(graph, p, SW_PROCESSOR, &t->processors, &p->processors, &p->processors_count);
        link_list(graph, p, SW_EXPORTER, &t->exporters, &p->exporters, &p->exporters_count);
        check_signals(graph, p, p->receivers, p->receivers_count, "receivers");
        check_signals(graph, p, p->processors, p->processors_count, "processors");
        check_signals(graph, p, p->exporters, p->exporters_count, "exporters");
    }
}

static void link_extensions(struct sw_graph *graph)
{
    const struct sw_list *ids = &graph->conf->service.extensions;
    const struct sw_conf_component **items = sw_graph_take(graph, ids->count, sizeof(*items));
    size_t count = 0;
    const struct sw_node *service = sw_node_get(graph->load->root, "service");
    const struct sw_node *list = sw_node_get(service, "extensions");
    for (size_t i = 0; items != NULL && i < ids->count; i++) {
        const char *id = SW_LIST_AT(*ids, const char *, i);
        const struct sw_conf_component *item = sw_conf_find(graph->conf, SW_EXTENSION, id);
        struct sw_mark mark = list != NULL && list->kind == SW_NODE_LIST && i < list->items_count
                                  ? list->items[i]->mark
                                  : graph->load->root->mark;
        if (item == NULL) {
            if (!is_written(graph, SW_EXTENSION, id)) {
                refuse_reference(graph, mark, "service::extensions", SW_EXTENSION, id);
            }
        } else if (contains(items, count, item)) {
            sw_load_report(
                graph->load,
                SW_COMPLAINT_WARNING,
                mark,
                "service::extensions",
                "references extension \"%s\" multiple times",
                id
            );
        } else {
            items[count++] = item;
        }
    }
    graph->conf->extensions = items;
    graph->conf->extensions_count = count;
}

/* --- connectors --- */

/** Is there a pipeline on the other side that this connector can join with the given one? */
static bool has_partner(
    const struct sw_graph *graph,
    const struct sw_conf_component *connector,
    unsigned signal,
    bool exports
)
{
    const struct sw_component *component = connector->component;
    if (((exports ? component->signals : component->signals_out) & (1u << signal)) == 0) {
        return false;
    }
    for (size_t i = 0; i < graph->conf->pipelines_count; i++) {
        const struct sw_conf_pipeline *p = &graph->conf->pipelines[i];
        uint8_t fits = exports ? component->signals_out : component->signals;
        bool kept = p->signal == signal || !component->keeps_signal;
        if (kept && (fits & (1u << p->signal)) != 0
            && (exports ? contains(p->receivers, p->receivers_count, connector)
                        : contains(p->exporters, p->exporters_count, connector))) {
            return true;
        }
    }
    return false;
}

static void check_connectors(struct sw_graph *graph)
{
    for (size_t i = 0; graph->err == SW_OK && i < graph->conf->pipelines_count; i++) {
        const struct sw_conf_pipeline *p = &graph->conf->pipelines[i];
        for (int side = 0; side < 2; side++) {
            bool exports = side == 1;
            const struct sw_conf_component **items = exports ? p->exporters : p->receivers;
            size_t count = exports ? p->exporters_count : p->receivers_count;
            for (size_t j = 0; j < count; j++) {
                if (items[j]->kind == SW_CONNECTOR
                    && !has_partner(graph, items[j], p->signal, exports)) {
                    sw_load_report(
                        graph->load,
                        SW_COMPLAINT_BUILD,
                        item_mark(graph, p, exports ? "exporters" : "receivers", j),
                        sw_graph_join(graph, "service::pipelines", p->id),
                        "connector \"%s\" used as %s in [%s] pipeline but not used in any "
                        "supported %s pipeline",
                        items[j]->id,
                        exports ? "exporter" : "receiver",
                        p->id,
                        exports ? "receiver" : "exporter"
                    );
                }
            }
        }
    }
}

/** Does data of `from` reach `to` through one connector? */
static const struct sw_conf_component *
joined(const struct sw_conf_pipeline *from, const struct sw_conf_pipeline *to)
{
    for (size_t i = 0; i < from->exporters_count; i++) {
        const struct sw_conf_component *item = from->exporters[i];
        if (item->kind == SW_CONNECTOR && (item->component->signals & (1u << from->signal)) != 0
            && (item->component->signals_out & (1u << to->signal)) != 0
            && (from->signal == to->signal || !item->component->keeps_signal)
            && contains(to->receivers, to->receivers_count, item)) {
            return item;
        }
    }
    return NULL;
}

enum visit { UNSEEN, ON_PATH, DONE };

struct cycle_walk {
    struct sw_graph *graph;
    unsigned char *visits; /**< enum visit, by pipeline */
    size_t *path;          /**< indexes of the pipelines on the way */
    size_t depth;
};

static void report_cycle(struct cycle_walk *walk, size_t start)
{
    struct sw_conf_text text = {0};
    const struct sw_conf_pipeline *pipelines = walk->graph->conf->pipelines;
    size_t at = 0;
    while (walk->path[at] != start) {
        at++;
    }
    for (; at < walk->depth; at++) {
        const struct sw_conf_pipeline *from = &pipelines[walk->path[at]];
        const struct sw_conf_pipeline *to =
            &pipelines[at + 1 < walk->depth ? walk->path[at + 1] : start];
        sw_conf_text_printf(
            &text, "pipeline \"%s\" -> connector \"%s\" -> ", from->id, joined(from, to)->id
        );
    }
    sw_conf_text_printf(&text, "pipeline \"%s\"", pipelines[start].id);
    if (text.out_of_memory) {
        walk->graph->err = SW_E_NOMEM;
    } else {
        sw_load_report(
            walk->graph->load,
            SW_COMPLAINT_BUILD,
            pipelines[start].mark,
            "service::pipelines",
            "cycle detected: %s",
            text.data
        );
    }
    sw_conf_text_fini(&text);
}

/** Depth first from one pipeline, without recursion: path holds the way, next the child to try. */
static void find_cycle(struct cycle_walk *walk, size_t *next, size_t start)
{
    const struct sw_conf *conf = walk->graph->conf;
    walk->path[0] = start;
    walk->depth = 1;
    next[start] = 0;
    walk->visits[start] = ON_PATH;
    while (walk->depth > 0) {
        size_t at = walk->path[walk->depth - 1];
        size_t to = next[at]++;
        if (to == conf->pipelines_count) {
            walk->visits[at] = DONE;
            walk->depth--;
        } else if (joined(&conf->pipelines[at], &conf->pipelines[to]) == NULL) {
            continue;
        } else if (walk->visits[to] == ON_PATH) {
            report_cycle(walk, to);
        } else if (walk->visits[to] == UNSEEN) {
            walk->visits[to] = ON_PATH;
            next[to] = 0;
            walk->path[walk->depth++] = to;
        }
    }
}

static void check_cycles(struct sw_graph *graph)
{
    size_t count = graph->conf->pipelines_count;
    size_t *next = sw_graph_take(graph, count, sizeof(*next));
    struct cycle_walk walk = {
        .graph = graph,
        .visits = sw_graph_take(graph, count, 1),
        .path = sw_graph_take(graph, count, sizeof(*walk.path)),
    };
    for (size_t i = 0; graph->err == SW_OK && i < count; i++) {
        if (walk.visits[i] == UNSEEN) {
            find_cycle(&walk, next, i);
        }
    }
}

static void warn_unused(struct sw_graph *graph)
{
    for (size_t i = 0; i < graph->conf->components_count; i++) {
        const struct sw_conf_component *item = &graph->conf->components[i];
        if (!item->used) {
            sw_load_report(
                graph->load,
                SW_COMPLAINT_WARNING,
                item->mark,
                sw_graph_join(graph, sw_component_section(item->kind), item->id),
                "is configured but not used"
            );
        }
    }
}

int sw_graph_load(struct sw_conf_load *load)
{
    struct sw_graph graph = {.load = load, .conf = load->conf};
    if (load->root->entries_count == 0) {
        load->checking = true;
        sw_load_report(load, SW_COMPLAINT_ERROR, load->root->mark, "", "empty configuration file");
        load->checking = false;
        if (!load->args->print_invalid) {
            return SW_OK;
        }
    }
    sw_sections_decode(&graph);
    load->checking = true;
    if (graph.err == SW_OK) {
        check_presence(&graph);
        link_pipelines(&graph);
        link_extensions(&graph);
    }
    if (graph.err == SW_OK) {
        check_connectors(&graph);
        check_cycles(&graph);
        warn_unused(&graph);
    }
    return graph.err;
}
