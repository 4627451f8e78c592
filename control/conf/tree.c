// The tree of values, each with the place where it was written.
#include "control/conf/conf_internal.h"
#include "dataplane/base/assert.h"

#include <string.h>

struct sw_node *sw_node_new(struct sw_arena *arena, enum sw_node_kind kind, struct sw_mark mark)
{
    struct sw_node *node = sw_arena_alloc(arena, sizeof(*node));
    if (node != NULL) {
        node->kind = kind;
        node->mark = mark;
        node->weight = 1;
        node->height = 1;
    }
    return node;
}

const struct sw_entry *sw_node_entry(const struct sw_node *node, const char *key)
{
    if (node == NULL || node->kind != SW_NODE_MAP) {
        return NULL;
    }
    for (size_t i = 0; i < node->entries_count; i++) {
        if (strcmp(node->entries[i].key, key) == 0) {
            return &node->entries[i];
        }
    }
    return NULL;
}

struct sw_node *sw_node_get(const struct sw_node *node, const char *key)
{
    const struct sw_entry *entry = sw_node_entry(node, key);
    return entry != NULL ? entry->value : NULL;
}

struct sw_node *sw_node_merge(struct sw_arena *arena, struct sw_node *base, struct sw_node *over)
{
    if (base == NULL || base->kind != SW_NODE_MAP || over->kind != SW_NODE_MAP) {
        return over;
    }
    struct sw_node *out = sw_node_new(arena, SW_NODE_MAP, over->mark);
    size_t room = base->entries_count + over->entries_count;
    struct sw_entry *entries = sw_arena_array(arena, room, sizeof(*entries));
    if (out == NULL || entries == NULL) {
        return NULL;
    }
    size_t count = base->entries_count;
    if (count > 0) {
        memcpy(entries, base->entries, count * sizeof(*entries));
    }
    for (size_t i = 0; i < over->entries_count; i++) {
        const struct sw_entry *entry = &over->entries[i];
        const struct sw_entry *old = sw_node_entry(base, entry->key);
        if (old == NULL) {
            entries[count++] = *entry;
            continue;
        }
        struct sw_entry *place = &entries[old - base->entries];
        struct sw_node *value = sw_node_merge(arena, old->value, entry->value);
        if (value == NULL) {
            return NULL;
        }
        *place = (struct sw_entry){.key = entry->key, .mark = entry->mark, .value = value};
    }
    out->entries = entries;
    out->entries_count = count;
    out->weight = base->weight + over->weight;
    out->height = SW_MAX(base->height, over->height);
    return out;
}

const char *sw_node_type(const struct sw_node *node)
{
    switch (node->kind) {
    case SW_NODE_NULL:
        return "null";
    case SW_NODE_BOOL:
        return "bool";
    case SW_NODE_INT:
        return "int";
    case SW_NODE_UINT:
        return "uint64";
    case SW_NODE_FLOAT:
        return "float64";
    case SW_NODE_STRING:
        return "string";
    case SW_NODE_TIME:
        return "time.Time";
    case SW_NODE_LIST:
        return "list";
    case SW_NODE_MAP:
        return "map";
    }
    return "?";
}
