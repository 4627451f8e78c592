// The checks of decoded sections, innermost first.
#include "control/conf/schema_internal.h"

#include <stdlib.h>
#include <string.h>

struct frame {
    struct sw_check check; /**< first, so that a check finds its frame */
    struct sw_walk *walk;
    const struct sw_node *node; /**< the section as written, NULL when it is not */
};

/** The entry or item that a path leads to, or the last one that exists on the way. */
static const struct sw_node *
follow(const struct sw_node *node, const char *path, struct sw_mark *mark, bool *ret_found)
{
    *ret_found = node != NULL;
    while (node != NULL && path != NULL && *path != '\0') {
        char part[128];
        size_t len = strcspn(path, ":");
        snprintf(part, sizeof(part), "%.*s", (int)len, path);
        path += len;
        path += strspn(path, ":");
        if (node->kind == SW_NODE_LIST) {
            char *end;
            unsigned long index = strtoul(part, &end, 10);
            node = *end == '\0' && index < node->items_count ? node->items[index] : NULL;
            if (node != NULL) {
                *mark = node->mark;
            }
        } else {
            const struct sw_entry *entry = sw_node_entry(node, part);
            node = entry != NULL ? entry->value : NULL;
            if (entry != NULL) {
                *mark = entry->mark;
            }
        }
        *ret_found = node != NULL;
    }
    return node;
}

static void check_report(
    struct sw_check *check,
    enum sw_complaint complaint,
    const char *path,
    const char *text
)
{
    struct frame *frame = (struct frame *)check;
    struct sw_walk *walk = frame->walk;
    bool found;
    struct sw_mark mark = frame->node != NULL ? frame->node->mark : walk->section->mark;
    const struct sw_node *node = follow(frame->node, path, &mark, &found);
    // A written value is the better place than its key.
    if (node != NULL && path != NULL && path[0] != '\0' && node->kind != SW_NODE_MAP
        && node->kind != SW_NODE_LIST) {
        mark = node->mark;
    }
    size_t before = walk->path_len;
    if (path != NULL && path[0] != '\0') {
        before = sw_walk_push(walk, path);
    }
    sw_walk_report(walk, complaint, mark, text);
    sw_walk_pop(walk, before);
}

static bool check_given(struct sw_check *check, const char *path)
{
    struct frame *frame = (struct frame *)check;
    struct sw_mark mark;
    bool found;
    const struct sw_node *node = follow(frame->node, path, &mark, &found);
    return found && node->kind != SW_NODE_NULL;
}

static bool check_gate(struct sw_check *check, const char *id)
{
    return sw_gate_on(((struct frame *)check)->walk->section->load, id);
}

static const char *check_keep(struct sw_check *check, const char *text)
{
    struct sw_walk *walk = ((struct frame *)check)->walk;
    const char *copy = sw_arena_copy(walk->arena, text, strlen(text));
    walk->out_of_memory |= copy == NULL;
    return copy;
}

void sw_check_section(
    struct sw_walk *walk,
    sw_check_fn *check,
    void *section,
    const struct sw_node *node
)
{
    if (check == NULL) {
        return;
    }
    struct frame frame = {
        .check = {check_report, check_given, check_gate, check_keep},
        .walk = walk,
        .node = node,
    };
    check(section, &frame.check);
}

static void check_items(
    struct sw_walk *walk,
    const struct sw_field *field,
    const struct sw_list *list,
    const struct sw_node *node
)
{
    bool same = node != NULL && node->kind == SW_NODE_LIST && node->items_count == list->count;
    for (size_t i = 0; i < list->count; i++) {
        char *item = (char *)list->items + i * field->size;
        const struct sw_node *written = same ? node->items[i] : NULL;
        size_t before = sw_walk_push_index(walk, i);
        sw_check_table(walk, field->fields, item, written);
        sw_check_section(walk, field->check, item, written);
        sw_walk_pop(walk, before);
    }
}

static void check_field(
    struct sw_walk *walk,
    const struct sw_field *field,
    char *base,
    const struct sw_node *node
)
{
    char *member = base + field->offset;
    if (field->kind == SW_FIELD_SQUASH) {
        sw_check_table(walk, field->fields, member, node);
        sw_check_section(walk, field->check, member, node);
        return;
    }
    const struct sw_node *written = sw_node_get(node, field->key);
    size_t before = sw_walk_push(walk, field->key);
    switch (field->kind) {
    case SW_FIELD_POINTER:
        member = *(char **)member;
        if (member == NULL) {
            break;
        }
        // fall through
    case SW_FIELD_STRUCT:
    case SW_FIELD_OPTIONAL:
        if (field->kind != SW_FIELD_OPTIONAL || *(bool *)(base + field->flag_offset)) {
            sw_check_table(walk, field->fields, member, written);
            sw_check_section(walk, field->check, member, written);
        }
        break;
    case SW_FIELD_LIST:
        check_items(walk, field, (const struct sw_list *)member, written);
        break;
    default:
        break;
    }
    sw_walk_pop(walk, before);
}

void sw_check_table(
    struct sw_walk *walk,
    const struct sw_field *fields,
    char *base,
    const struct sw_node *node
)
{
    for (const struct sw_field *field = fields; field->key != NULL; field++) {
        check_field(walk, field, base, node);
    }
}
