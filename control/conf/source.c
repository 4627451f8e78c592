// Where configuration comes from: file:, env:, yaml: (the Collector's confmap providers), and the
// merge of all sources in the order of the command line.
#include "control/conf/conf_internal.h"
#include "dataplane/base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FILE_SIZE_MAX (16u * 1024 * 1024)

static const char *world_env(const struct sw_conf_load *load, const char *name)
{
    const struct sw_conf_world *world = &load->args->world;
    return world->env != NULL ? world->env(world->context, name) : getenv(name);
}

static int read_process_file(const char *path, char **ret_data, size_t *ret_len)
{
    struct sw_conf_text text = {0};
    char block[8192];
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return errno;
    }
    size_t got;
    while ((got = fread(block, 1, sizeof(block), file)) > 0 && text.len <= FILE_SIZE_MAX) {
        sw_conf_text_add(&text, block, got);
    }
    int err = ferror(file) ? (errno != 0 ? errno : EIO) : text.len > FILE_SIZE_MAX ? EFBIG : 0;
    fclose(file);
    if (err == 0) {
        sw_conf_text_add(&text, "", 0);
        err = text.out_of_memory ? ENOMEM : 0;
    }
    if (err != 0) {
        sw_conf_text_fini(&text);
        return err;
    }
    *ret_data = text.data;
    *ret_len = text.len;
    return 0;
}

static int
world_read_file(const struct sw_conf_load *load, const char *path, char **ret_data, size_t *ret_len)
{
    const struct sw_conf_world *world = &load->args->world;
    return world->read_file != NULL ? world->read_file(world->context, path, ret_data, ret_len)
                                    : read_process_file(path, ret_data, ret_len);
}

/** The text as a value: what YAML reads in it, except that a string is taken verbatim (with its
 * quotes) and so is what is not YAML. */
static int retrieve_text(
    struct sw_conf_load *load,
    const char *source,
    struct sw_mark mark,
    const char *text,
    size_t len,
    struct sw_retrieved *ret
)
{
    bool nul = memchr(text, '\0', len) != NULL;
    if (nul) {
        sw_load_report(load, SW_COMPLAINT_ERROR, mark, "", "%s holds a NUL character", source);
        return SW_E_INVALID;
    }
    ret->invalid_yaml = false;
    ret->original = sw_arena_copy(&load->arena, text, len);
    if (ret->original == NULL) {
        return SW_E_NOMEM;
    }
    int err = sw_yaml_parse(&load->arena, source, text, len, &ret->node, &ret->problem);
    if (err == SW_E_NOMEM) {
        return err;
    }
    if (err == SW_OK && ret->node->kind != SW_NODE_STRING) {
        return SW_OK;
    }
    ret->invalid_yaml = err != SW_OK;
    ret->node = sw_node_new(&load->arena, SW_NODE_STRING, mark);
    if (ret->node == NULL) {
        return SW_E_NOMEM;
    }
    ret->node->text = ret->original;
    return SW_OK;
}

static bool is_env_name(const char *name, size_t len)
{
    if (len == 0 || !(isalpha((unsigned char)name[0]) || name[0] == '_')) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)name[i]) && name[i] != '_') {
            return false;
        }
    }
    return true;
}

static int retrieve_env(
    struct sw_conf_load *load,
    const char *opaque,
    struct sw_mark mark,
    const char *path,
    struct sw_retrieved *ret
)
{
    const char *fallback = strstr(opaque, ":-");
    size_t len = fallback != NULL ? (size_t)(fallback - opaque) : strlen(opaque);
    if (!is_env_name(opaque, len)) {
        sw_load_report(
            load,
            SW_COMPLAINT_ERROR,
            mark,
            path,
            "environment variable \"%.*s\" has invalid name: must match regex "
            "^[a-zA-Z_][a-zA-Z0-9_]*$",
            (int)len,
            opaque
        );
        return SW_E_INVALID;
    }
    const char *name = sw_arena_copy(&load->arena, opaque, len);
    if (name == NULL) {
        return SW_E_NOMEM;
    }
    const char *value = world_env(load, name);
    if (value == NULL && fallback == NULL) {
        sw_load_report(
            load,
            SW_COMPLAINT_WARNING,
            mark,
            path,
            "references the environment variable \"%s\", which is not set",
            name
        );
    }
    if (value == NULL) {
        value = fallback != NULL ? fallback + 2 : "";
    }
    char *source = sw_arena_alloc(&load->arena, len + sizeof("env:"));
    if (source == NULL) {
        return SW_E_NOMEM;
    }
    memcpy(source, "env:", 4);
    memcpy(source + 4, name, len);
    return retrieve_text(load, source, mark, value, strlen(value), ret);
}

static int retrieve_file(
    struct sw_conf_load *load,
    const char *opaque,
    struct sw_mark mark,
    const char *path,
    struct sw_retrieved *ret
)
{
    char *data = NULL;
    size_t len = 0;
    int error = world_read_file(load, opaque, &data, &len);
    if (error == ENOMEM) {
        return SW_E_NOMEM;
    }
    if (error != 0) {
        sw_load_report(
            load,
            SW_COMPLAINT_ERROR,
            mark,
            path,
            "unable to read the file %s: %s",
            opaque,
            strerror(error)
        );
        return SW_E_INVALID;
    }
    int err = retrieve_text(load, opaque, mark, data, len, ret);
    sw_free(data);
    return err;
}

/** Length of the scheme ([A-Za-z][A-Za-z0-9+.-]+ before a colon), or 0. */
static size_t scheme_length(const char *uri)
{
    size_t len = 0;
    if (!isalpha((unsigned char)uri[0])) {
        return 0;
    }
    while (isalnum((unsigned char)uri[len]) || uri[len] == '+' || uri[len] == '.' || uri[len] == '-'
    ) {
        len++;
    }
    return uri[len] == ':' && len >= 2 ? len : 0;
}

int sw_retrieve(
    struct sw_conf_load *load,
    const char *uri,
    size_t uri_len,
    struct sw_mark mark,
    const char *path,
    struct sw_retrieved *ret
)
{
    const char *text = sw_arena_copy(&load->arena, uri, uri_len);
    if (text == NULL) {
        return SW_E_NOMEM;
    }
    size_t scheme = scheme_length(text);
    const char *opaque = text + scheme + 1;
    if (scheme == 0) {
        sw_load_report(load, SW_COMPLAINT_ERROR, mark, path, "invalid uri: \"%s\"", text);
        return SW_E_INVALID;
    }
    if (scheme == 3 && memcmp(text, "env", 3) == 0) {
        return retrieve_env(load, opaque, mark, path, ret);
    }
    if (scheme == 4 && memcmp(text, "file", 4) == 0) {
        return retrieve_file(load, opaque, mark, path, ret);
    }
    if (scheme == 4 && memcmp(text, "yaml", 4) == 0) {
        // A source of its own is named as on the command line, a reference by its text.
        const char *source = mark.line == 0 ? mark.source : text;
        return retrieve_text(load, source, mark, opaque, strlen(opaque), ret);
    }
    bool http = (scheme == 4 && memcmp(text, "http", 4) == 0)
                || (scheme == 5 && memcmp(text, "https", 5) == 0);
    sw_load_report(
        load,
        SW_COMPLAINT_ERROR,
        mark,
        path,
        http ? "scheme \"%.*s\" is not supported yet for uri \"%s\""
             : "scheme \"%.*s\" is not supported for uri \"%s\"",
        (int)scheme,
        text,
        text
    );
    return SW_E_INVALID;
}

/** A top-level key with "::" in it stands for nested maps (koanf's Unflatten). */
static struct sw_node *unflatten_entry(struct sw_conf_load *load, const struct sw_entry *entry)
{
    struct sw_node *value = entry->value;
    const char *end = entry->key + strlen(entry->key);
    for (;;) {
        const char *start = end;
        while (start > entry->key
               && !(start - entry->key >= 2 && start[-1] == ':' && start[-2] == ':')) {
            start--;
        }
        struct sw_node *map = sw_node_new(&load->arena, SW_NODE_MAP, entry->mark);
        struct sw_entry *inner = sw_arena_alloc(&load->arena, sizeof(*inner));
        if (map == NULL || inner == NULL) {
            return NULL;
        }
        inner->key = sw_arena_copy(&load->arena, start, (size_t)(end - start));
        inner->mark = entry->mark;
        inner->value = value;
        if (inner->key == NULL) {
            return NULL;
        }
        map->entries = inner;
        map->entries_count = 1;
        map->weight = value->weight + 1;
        map->height = value->height + 1;
        value = map;
        if (start == entry->key || map->height > SW_NODE_HEIGHT_MAX) {
            return map; // One that is too high is refused by the caller.
        }
        end = start - 2;
    }
}

static struct sw_node *unflatten(struct sw_conf_load *load, struct sw_node *map)
{
    bool nested = false;
    for (size_t i = 0; i < map->entries_count; i++) {
        nested |= strstr(map->entries[i].key, "::") != NULL;
    }
    if (!nested) {
        return map;
    }
    struct sw_node *out = sw_node_new(&load->arena, SW_NODE_MAP, map->mark);
    for (size_t i = 0; out != NULL && i < map->entries_count; i++) {
        struct sw_node *one = unflatten_entry(load, &map->entries[i]);
        out = one != NULL ? sw_node_merge(&load->arena, out, one) : NULL;
    }
    return out;
}

/** One --config or --set value: reads it and merges it into load->root. */
static int add_source(struct sw_conf_load *load, const char *uri, const char *shown)
{
    struct sw_retrieved got = {0};
    struct sw_mark mark = {.source = shown};
    int err = sw_retrieve(load, uri, strlen(uri), mark, "", &got);
    if (err != SW_OK) {
        return err;
    }
    struct sw_node *node = got.node;
    if (got.invalid_yaml) {
        mark.line = got.problem.line;
        mark.column = got.problem.column;
        sw_load_report(load, SW_COMPLAINT_ERROR, mark, "", "%s", got.problem.text);
        return SW_E_INVALID;
    }
    if (node->kind == SW_NODE_NULL) {
        return SW_OK; // An empty source; that all of them are is found later.
    }
    if (node->kind != SW_NODE_MAP) {
        sw_load_report(
            load,
            SW_COMPLAINT_ERROR,
            node->mark,
            "",
            "must be a map at the top, got %s",
            sw_node_type(node)
        );
        return SW_E_INVALID;
    }
    node = unflatten(load, node);
    if (node != NULL && node->height > SW_NODE_HEIGHT_MAX) {
        sw_load_report(load, SW_COMPLAINT_ERROR, node->mark, "", "nested too deeply");
        return SW_E_INVALID;
    }
    if (node != NULL) {
        load->root = sw_node_merge(&load->arena, load->root, node);
    }
    return node == NULL || load->root == NULL ? SW_E_NOMEM : SW_OK;
}

static int add_config(struct sw_conf_load *load, const char *uri)
{
    // Without a scheme, or with a Windows drive in its place, it is a file.
    bool file = strchr(uri, ':') == NULL || (isalpha((unsigned char)uri[0]) && uri[1] == ':');
    if (!file) {
        return add_source(load, uri, uri);
    }
    struct sw_conf_text text = {0};
    sw_conf_text_printf(&text, "file:%s", uri);
    int err = text.out_of_memory ? SW_E_NOMEM : add_source(load, text.data, uri);
    sw_conf_text_fini(&text);
    return err;
}

static void trim(const char **text, size_t *len)
{
    while (*len > 0 && isspace((unsigned char)(*text)[0])) {
        (*text)++;
        (*len)--;
    }
    while (*len > 0 && isspace((unsigned char)(*text)[*len - 1])) {
        (*len)--;
    }
}

/** --set a.b.c=value is the source "yaml:a::b::c: value". */
static int add_set(struct sw_conf_load *load, const char *set)
{
    const char *equal = strchr(set, '=');
    struct sw_mark mark = {.source = "--set"};
    if (equal == NULL) {
        sw_load_report(
            load,
            SW_COMPLAINT_ERROR,
            mark,
            "",
            "invalid argument \"%s\" for \"--set\" flag: missing equal sign",
            set
        );
        return SW_E_INVALID;
    }
    struct sw_conf_text uri = {0};
    const char *key = set;
    size_t key_len = (size_t)(equal - set);
    const char *value = equal + 1;
    size_t value_len = strlen(value);
    trim(&key, &key_len);
    trim(&value, &value_len);
    char *shown = sw_arena_alloc(&load->arena, sizeof(SW_SET_SOURCE) + key_len);
    if (shown == NULL) {
        return SW_E_NOMEM;
    }
    memcpy(shown, SW_SET_SOURCE, sizeof(SW_SET_SOURCE) - 1);
    memcpy(shown + sizeof(SW_SET_SOURCE) - 1, key, key_len);
    sw_conf_text_puts(&uri, "yaml:");
    for (size_t i = 0; i < key_len; i++) {
        if (key[i] == '.') {
            sw_conf_text_puts(&uri, "::");
        } else {
            sw_conf_text_add(&uri, &key[i], 1);
        }
    }
    sw_conf_text_puts(&uri, ": ");
    sw_conf_text_add(&uri, value, value_len);
    int err = uri.out_of_memory ? SW_E_NOMEM : add_source(load, uri.data, shown);
    sw_conf_text_fini(&uri);
    return err;
}

int sw_sources_read(struct sw_conf_load *load)
{
    struct sw_mark mark = {.source = "command line"};
    int worst = SW_OK;
    load->root = sw_node_new(&load->arena, SW_NODE_MAP, mark);
    if (load->root == NULL) {
        return SW_E_NOMEM;
    }
    if (load->args->configs_count == 0) {
        sw_load_report(
            load, SW_COMPLAINT_ERROR, mark, "", "at least one config flag must be provided"
        );
        return SW_E_INVALID;
    }
    for (size_t i = 0; i < load->args->configs_count && worst != SW_E_NOMEM; i++) {
        int err = add_config(load, load->args->configs[i]);
        worst = err != SW_OK ? err : worst;
    }
    for (size_t i = 0; i < load->args->sets_count && worst != SW_E_NOMEM; i++) {
        int err = add_set(load, load->args->sets[i]);
        worst = err != SW_OK ? err : worst;
    }
    return worst;
}
