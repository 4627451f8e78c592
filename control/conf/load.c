// The order of a load: gates, sources, expansion, decoding and graph; findings and their texts.
#include "control/conf/conf_internal.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/mem.h"

#include <string.h>

void sw_conf_errors_fini(struct sw_conf_errors *errors)
{
    for (size_t i = 0; i < errors->count; i++) {
        sw_free((char *)errors->items[i].mark.source);
        sw_free(errors->items[i].path);
        sw_free(errors->items[i].text);
    }
    sw_free(errors->items);
    *errors = (struct sw_conf_errors){0};
}

static bool keep_error(struct sw_conf_errors *errors, const struct sw_conf_error *error)
{
    if (errors->count == errors->capacity) {
        size_t capacity = errors->capacity == 0 ? 8 : errors->capacity * 2;
        struct sw_conf_error *items = sw_realloc(errors->items, capacity * sizeof(*items));
        if (items == NULL) {
            return false;
        }
        errors->items = items;
        errors->capacity = capacity;
    }
    errors->items[errors->count++] = *error;
    return true;
}

static bool refuses(const struct sw_conf_load *load, enum sw_complaint complaint)
{
    const struct sw_conf_args *args = load->args;
    switch (complaint) {
    case SW_COMPLAINT_ERROR:
        return !(args->print_invalid && args->purpose == SW_CONF_PRINT && load->checking);
    case SW_COMPLAINT_BUILD:
        return args->purpose != SW_CONF_PRINT;
    case SW_COMPLAINT_AT_START:
        return args->purpose == SW_CONF_START;
    case SW_COMPLAINT_OLD:
        return args->strict;
    case SW_COMPLAINT_WARNING:
        return false;
    }
    return true;
}

void sw_load_report(
    struct sw_conf_load *load,
    enum sw_complaint complaint,
    struct sw_mark mark,
    const char *path,
    const char *format,
    ...
)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    sw_conf_errors_add(load->errors, complaint, refuses(load, complaint), mark, path, text);
}

void sw_conf_errors_add(
    struct sw_conf_errors *errors,
    enum sw_complaint complaint,
    bool refused,
    struct sw_mark mark,
    const char *path,
    const char *text
)
{
    struct sw_conf_error error = {
        .complaint = complaint,
        .refused = refused,
        .mark = mark,
    };
    char *source = sw_strdup(mark.source != NULL ? mark.source : "");
    error.mark.source = source;
    if (source != NULL && strncmp(source, SW_SET_SOURCE, strlen(SW_SET_SOURCE)) == 0) {
        error.mark.line = error.mark.column = 0;
    }
    error.path = sw_strdup(path);
    error.text = sw_strdup(text);
    if (source == NULL || error.path == NULL || error.text == NULL || !keep_error(errors, &error)) {
        errors->out_of_memory = true;
        sw_free(source);
        sw_free(error.path);
        sw_free(error.text);
    }
    errors->refused_count += refused;
    errors->warnings_count += !refused;
}

int sw_conf_error_format(const struct sw_conf_error *error, char *text, size_t size)
{
    char place[64] = "";
    const struct sw_mark *mark = &error->mark;
    if (mark->line > 0) {
        snprintf(place, sizeof(place), ":%u:%u", mark->line, mark->column);
    }
    return snprintf(
        text,
        size,
        "%s%s%s%s%s%s",
        mark->source,
        place,
        mark->source[0] != '\0' ? ": " : "",
        error->path,
        error->path[0] != '\0' ? ": " : "",
        error->text
    );
}

/** The steps; SW_E_INVALID means that findings refuse. */
static int run_load(struct sw_conf_load *load)
{
    int err = sw_gates_parse(load);
    if (err != SW_OK) {
        return err;
    }
    err = sw_sources_read(load);
    if (err != SW_OK) {
        return err;
    }
    err = sw_expand_all(load);
    if (err != SW_OK) {
        return err;
    }
    return sw_graph_load(load);
}

int sw_conf_load(
    const struct sw_conf_args *args,
    const struct sw_component *const *components,
    size_t components_count,
    struct sw_conf **ret_conf,
    struct sw_conf_errors *errors
)
{
    struct sw_conf *conf = sw_zalloc(sizeof(*conf));
    struct sw_conf_load *load = sw_zalloc(sizeof(*load));
    size_t refused_before = errors->refused_count;
    if (conf == NULL || load == NULL) {
        sw_free(conf);
        sw_free(load);
        return SW_E_NOMEM;
    }
    conf->load = load;
    load->conf = conf;
    load->args = args;
    load->components = components;
    load->components_count = components_count;
    load->errors = errors;
    int err = run_load(load);
    if (load->out_of_memory || errors->out_of_memory) {
        err = SW_E_NOMEM;
    } else if (err == SW_OK && errors->refused_count > refused_before) {
        err = SW_E_INVALID;
    }
    // Both are the caller's and may go before the configuration does.
    load->args = NULL;
    load->errors = NULL;
    if (err != SW_OK) {
        sw_conf_free(conf);
        return err;
    }
    *ret_conf = conf;
    return SW_OK;
}

void sw_conf_free(struct sw_conf *conf)
{
    if (conf != NULL) {
        sw_arena_fini(&conf->load->arena);
        sw_free(conf->load);
        sw_free(conf);
    }
}

const struct sw_conf_component *
sw_conf_find(const struct sw_conf *conf, enum sw_component_kind kind, const char *id)
{
    for (size_t i = 0; i < conf->components_count; i++) {
        if (conf->components[i].kind == kind && strcmp(conf->components[i].id, id) == 0) {
            return &conf->components[i];
        }
    }
    return NULL;
}

struct sw_mark sw_conf_place(
    const struct sw_conf *conf,
    const struct sw_conf_component *component,
    const char *path
)
{
    struct sw_mark mark = component->mark;
    const struct sw_node *node =
        sw_node_get(conf->load->root, sw_component_section(component->kind));
    const struct sw_node *section = NULL;
    for (size_t i = 0; node != NULL && i < node->entries_count; i++) {
        // Keys may have blanks; the mark tells which one it was.
        const struct sw_mark *at = &node->entries[i].mark;
        if (at->line == mark.line && at->column == mark.column && at->source == mark.source) {
            section = node->entries[i].value;
        }
    }
    while (section != NULL && path[0] != '\0') {
        char key[256];
        const char *end = strstr(path, "::");
        size_t len = end != NULL ? (size_t)(end - path) : strlen(path);
        snprintf(key, sizeof(key), "%.*s", (int)SW_MIN(len, sizeof(key) - 1), path);
        const struct sw_entry *entry = sw_node_entry(section, key);
        mark = entry != NULL ? entry->mark : mark;
        section = entry != NULL ? entry->value : NULL;
        path += len + (end != NULL ? 2 : 0);
    }
    return mark;
}

bool sw_conf_gate(const struct sw_conf *conf, const char *id)
{
    return sw_gate_on(conf->load, id);
}
