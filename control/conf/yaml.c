// libyaml's events as a tree, in the way of Go's YAML v3: first document only, duplicate keys and
// self-containing anchors refused, merge keys applied. The only home of libyaml.
#include "control/conf/conf_internal.h"
#include "dataplane/base/assert.h"

#include <yaml.h>

#include <stdlib.h>
#include <string.h>

struct anchor {
    const char *name;
    struct sw_node *node; /**< NULL while it is being built */
};

struct reader {
    struct sw_arena *arena;
    const char *source;
    yaml_parser_t parser;
    struct anchor *anchors;
    size_t anchors_count;
    size_t anchors_capacity;
    struct sw_yaml_problem *problem;
    unsigned depth;
};

static int read_node(struct reader *reader, yaml_event_t *event, struct sw_node **ret_node);

static struct sw_mark mark_of(const struct reader *reader, yaml_mark_t mark)
{
    return (struct sw_mark){
        .source = reader->source,
        .line = (uint32_t)mark.line + 1,
        .column = (uint32_t)mark.column + 1,
    };
}

static int refuse(struct reader *reader, struct sw_mark mark, const char *format, const char *arg)
{
    reader->problem->line = mark.line;
    reader->problem->column = mark.column;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(reader->problem->text, sizeof(reader->problem->text), format, arg);
#pragma GCC diagnostic pop
    return SW_E_MALFORMED;
}

static int next_event(struct reader *reader, yaml_event_t *event)
{
    if (yaml_parser_parse(&reader->parser, event)) {
        return SW_OK;
    }
    const yaml_parser_t *parser = &reader->parser;
    if (parser->error == YAML_MEMORY_ERROR) {
        return SW_E_NOMEM;
    }
    struct sw_mark mark = mark_of(reader, parser->problem_mark);
    const char *text = parser->problem != NULL ? parser->problem : "invalid YAML";
    if (parser->error == YAML_READER_ERROR) {
        mark = (struct sw_mark){.line = 0};
    }
    return refuse(reader, mark, "%s", text);
}

static struct anchor *find_anchor(struct reader *reader, const char *name)
{
    // The last one of a name counts.
    for (size_t i = reader->anchors_count; i > 0; i--) {
        if (strcmp(reader->anchors[i - 1].name, name) == 0) {
            return &reader->anchors[i - 1];
        }
    }
    return NULL;
}

/** Remembers an anchor before its node is complete. @return its index, or -1 without an anchor */
static int open_anchor(struct reader *reader, const yaml_char_t *name, ptrdiff_t *ret_index)
{
    *ret_index = -1;
    if (name == NULL) {
        return SW_OK;
    }
    const char *text = (const char *)name;
    struct anchor anchor = {.name = sw_arena_copy(reader->arena, text, strlen(text))};
    if (anchor.name == NULL
        || !sw_arena_push(
            reader->arena,
            (void **)&reader->anchors,
            &reader->anchors_count,
            &reader->anchors_capacity,
            sizeof(anchor),
            &anchor
        )) {
        return SW_E_NOMEM;
    }
    *ret_index = (ptrdiff_t)reader->anchors_count - 1;
    return SW_OK;
}

static bool has_tag(const yaml_event_t *event, const char *name)
{
    const char *tag = (const char *)event->data.scalar.tag;
    static const char prefix[] = "tag:yaml.org,2002:";
    return tag != NULL && strncmp(tag, prefix, sizeof(prefix) - 1) == 0
           && strcmp(tag + sizeof(prefix) - 1, name) == 0;
}

/** A scalar with an explicit tag: it must be of that type, as an untagged one would be. */
static int resolve_tagged(
    struct reader *reader,
    const yaml_event_t *event,
    const char *text,
    size_t len,
    struct sw_node *node
)
{
    if (event->data.scalar.tag == NULL || has_tag(event, "str") || has_tag(event, "binary")
        || (!has_tag(event, "int") && !has_tag(event, "float") && !has_tag(event, "bool")
            && !has_tag(event, "null"))) {
        node->kind = SW_NODE_STRING;
        node->text = text;
        return SW_OK;
    }
    sw_scalar_resolve(text, len, node);
    if (has_tag(event, "float") && node->kind == SW_NODE_INT) {
        double number = (double)node->integer;
        node->kind = SW_NODE_FLOAT;
        node->number = number;
    }
    bool fits = has_tag(event, "int")     ? node->kind == SW_NODE_INT || node->kind == SW_NODE_UINT
                : has_tag(event, "float") ? node->kind == SW_NODE_FLOAT
                : has_tag(event, "bool")  ? node->kind == SW_NODE_BOOL
                                          : node->kind == SW_NODE_NULL;
    if (!fits) {
        return refuse(reader, node->mark, "cannot decode %s as its tag says", text);
    }
    return SW_OK;
}

static int read_scalar(struct reader *reader, const yaml_event_t *event, struct sw_node **ret_node)
{
    size_t len = event->data.scalar.length;
    const char *value = (const char *)event->data.scalar.value;
    struct sw_mark mark = mark_of(reader, event->start_mark);
    struct sw_node *node = sw_node_new(reader->arena, SW_NODE_STRING, mark);
    const char *text = sw_arena_copy(reader->arena, value, len);
    if (node == NULL || text == NULL) {
        return SW_E_NOMEM;
    }
    if (memchr(value, '\0', len) != NULL) {
        return refuse(reader, mark, "a text must not hold a NUL character%s", "");
    }
    *ret_node = node;
    if (event->data.scalar.plain_implicit && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        sw_scalar_resolve(text, len, node);
        return SW_OK;
    }
    return resolve_tagged(reader, event, text, len, node);
}

static void add_size(struct sw_node *parent, const struct sw_node *child)
{
    parent->weight += child->weight;
    parent->height = SW_MAX(parent->height, child->height + 1);
}

static int read_list(struct reader *reader, const yaml_event_t *start, struct sw_node **ret_node)
{
    struct sw_node *list =
        sw_node_new(reader->arena, SW_NODE_LIST, mark_of(reader, start->start_mark));
    size_t capacity = 0;
    if (list == NULL) {
        return SW_E_NOMEM;
    }
    for (;;) {
        yaml_event_t event;
        struct sw_node *item = NULL;
        int err = next_event(reader, &event);
        if (err != SW_OK) {
            return err;
        }
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            break;
        }
        err = read_node(reader, &event, &item);
        yaml_event_delete(&event);
        if (err != SW_OK) {
            return err;
        }
        add_size(list, item);
        if (!sw_arena_push(
                reader->arena,
                (void **)&list->items,
                &list->items_count,
                &capacity,
                sizeof(item),
                &item
            )) {
            return SW_E_NOMEM;
        }
    }
    *ret_node = list;
    return SW_OK;
}

static int by_key(const void *a, const void *b)
{
    const struct sw_entry *const *x = a;
    const struct sw_entry *const *y = b;
    int order = strcmp((*x)->key, (*y)->key);
    return order != 0 ? order : (*x > *y) - (*x < *y);
}

static int refuse_duplicates(struct reader *reader, const struct sw_node *map)
{
    const struct sw_entry **sorted =
        sw_arena_array(reader->arena, map->entries_count, sizeof(*sorted));
    if (sorted == NULL) {
        return SW_E_NOMEM;
    }
    for (size_t i = 0; i < map->entries_count; i++) {
        sorted[i] = &map->entries[i];
    }
    qsort(sorted, map->entries_count, sizeof(*sorted), by_key);
    for (size_t i = 1; i < map->entries_count; i++) {
        if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0) {
            char text[160];
            snprintf(
                text,
                sizeof(text),
                "mapping key \"%.80s\" already defined at line %u",
                sorted[i]->key,
                sorted[i - 1]->mark.line
            );
            return refuse(reader, sorted[i]->mark, "%s", text);
        }
    }
    return SW_OK;
}

/** Keys of a merged map that are not there yet. */
static int merge_map(struct reader *reader, struct sw_node *map, const struct sw_node *from)
{
    if (from->kind != SW_NODE_MAP) {
        return refuse(
            reader, from->mark, "map merge requires map or sequence of maps as the value%s", ""
        );
    }
    size_t room = map->entries_count + from->entries_count;
    struct sw_entry *entries = sw_arena_array(reader->arena, room, sizeof(*entries));
    if (entries == NULL) {
        return SW_E_NOMEM;
    }
    size_t count = map->entries_count;
    if (count > 0) {
        memcpy(entries, map->entries, count * sizeof(*entries));
    }
    for (size_t i = 0; i < from->entries_count; i++) {
        if (sw_node_entry(map, from->entries[i].key) == NULL) {
            entries[count++] = from->entries[i];
        }
    }
    map->entries = entries;
    map->entries_count = count;
    map->weight += from->weight;
    map->height = SW_MAX(map->height, from->height);
    return SW_OK;
}

static int apply_merges(
    struct reader *reader,
    struct sw_node *map,
    struct sw_node *const *merges,
    size_t merges_count
)
{
    for (size_t i = 0; i < merges_count; i++) {
        const struct sw_node *from = merges[i];
        size_t parts = from->kind == SW_NODE_LIST ? from->items_count : 1;
        for (size_t j = 0; j < parts; j++) {
            int err = merge_map(reader, map, from->kind == SW_NODE_LIST ? from->items[j] : from);
            if (err != SW_OK) {
                return err;
            }
        }
    }
    return SW_OK;
}

/** Text of a key; whatever it would mean as a value, keys are texts in a configuration. */
static int
read_key(struct reader *reader, const yaml_event_t *event, struct sw_entry *entry, bool *ret_merge)
{
    entry->mark = mark_of(reader, event->start_mark);
    if (event->type == YAML_ALIAS_EVENT) {
        struct anchor *anchor = find_anchor(reader, (const char *)event->data.alias.anchor);
        if (anchor == NULL || anchor->node == NULL || anchor->node->kind != SW_NODE_STRING) {
            return refuse(reader, entry->mark, "invalid map key%s", "");
        }
        entry->key = anchor->node->text;
        return SW_OK;
    }
    if (event->type != YAML_SCALAR_EVENT) {
        return refuse(reader, entry->mark, "invalid map key%s", "");
    }
    struct sw_node *node = NULL;
    ptrdiff_t anchor = -1;
    int err = open_anchor(reader, event->data.scalar.anchor, &anchor);
    if (err == SW_OK) {
        err = read_scalar(reader, event, &node);
    }
    if (err != SW_OK) {
        return err;
    }
    if (anchor >= 0) {
        reader->anchors[anchor].node = node;
    }
    const char *text = (const char *)event->data.scalar.value;
    *ret_merge = event->data.scalar.plain_implicit
                 && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && strcmp(text, "<<") == 0;
    entry->key = sw_arena_copy(reader->arena, text, event->data.scalar.length);
    return entry->key == NULL ? SW_E_NOMEM : SW_OK;
}

static int
read_pair(struct reader *reader, yaml_event_t *key_event, struct sw_entry *entry, bool *ret_merge)
{
    yaml_event_t event;
    int err = read_key(reader, key_event, entry, ret_merge);
    if (err != SW_OK) {
        return err;
    }
    err = next_event(reader, &event);
    if (err != SW_OK) {
        return err;
    }
    err = read_node(reader, &event, &entry->value);
    yaml_event_delete(&event);
    return err;
}

static int read_map(struct reader *reader, const yaml_event_t *start, struct sw_node **ret_node)
{
    struct sw_node *map =
        sw_node_new(reader->arena, SW_NODE_MAP, mark_of(reader, start->start_mark));
    struct sw_node **merges = NULL;
    size_t merges_count = 0;
    size_t merges_capacity = 0;
    size_t capacity = 0;
    if (map == NULL) {
        return SW_E_NOMEM;
    }
    for (;;) {
        yaml_event_t event;
        struct sw_entry entry = {0};
        bool merge = false;
        int err = next_event(reader, &event);
        if (err != SW_OK) {
            return err;
        }
        if (event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            break;
        }
        err = read_pair(reader, &event, &entry, &merge);
        yaml_event_delete(&event);
        if (err != SW_OK) {
            return err;
        }
        if (!merge) {
            add_size(map, entry.value);
        }
        bool kept = merge ? sw_arena_push(
                        reader->arena,
                        (void **)&merges,
                        &merges_count,
                        &merges_capacity,
                        sizeof(entry.value),
                        &entry.value
                    )
                          : sw_arena_push(
                              reader->arena,
                              (void **)&map->entries,
                              &map->entries_count,
                              &capacity,
                              sizeof(entry),
                              &entry
                          );
        if (!kept) {
            return SW_E_NOMEM;
        }
    }
    int err = refuse_duplicates(reader, map);
    if (err == SW_OK) {
        err = apply_merges(reader, map, merges, merges_count);
    }
    *ret_node = map;
    return err;
}

static int read_alias(struct reader *reader, const yaml_event_t *event, struct sw_node **ret_node)
{
    const char *name = (const char *)event->data.alias.anchor;
    const struct anchor *anchor = find_anchor(reader, name);
    struct sw_mark mark = mark_of(reader, event->start_mark);
    if (anchor == NULL) {
        return refuse(reader, mark, "unknown anchor '%s' referenced", name);
    }
    if (anchor->node == NULL) {
        return refuse(reader, mark, "anchor '%s' value contains itself", name);
    }
    *ret_node = anchor->node;
    return SW_OK;
}

static int
read_collection(struct reader *reader, const yaml_event_t *event, struct sw_node **ret_node)
{
    bool list = event->type == YAML_SEQUENCE_START_EVENT;
    ptrdiff_t anchor = -1;
    int err = open_anchor(
        reader, list ? event->data.sequence_start.anchor : event->data.mapping_start.anchor, &anchor
    );
    if (err != SW_OK) {
        return err;
    }
    if (++reader->depth > SW_NODE_HEIGHT_MAX) {
        return refuse(reader, mark_of(reader, event->start_mark), "nested too deeply%s", "");
    }
    err = list ? read_list(reader, event, ret_node) : read_map(reader, event, ret_node);
    reader->depth--;
    if (err == SW_OK && anchor >= 0) {
        reader->anchors[anchor].node = *ret_node;
    }
    return err;
}

static int read_node(struct reader *reader, yaml_event_t *event, struct sw_node **ret_node)
{
    ptrdiff_t anchor = -1;
    int err;
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        err = read_alias(reader, event, ret_node);
        break;
    case YAML_SCALAR_EVENT:
        err = open_anchor(reader, event->data.scalar.anchor, &anchor);
        if (err == SW_OK) {
            err = read_scalar(reader, event, ret_node);
        }
        if (err == SW_OK && anchor >= 0) {
            reader->anchors[anchor].node = *ret_node;
        }
        break;
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        err = read_collection(reader, event, ret_node);
        break;
    default:
        return refuse(reader, mark_of(reader, event->start_mark), "unexpected YAML event%s", "");
    }
    // A few anchors can stand for billions of nodes; whoever walks the tree must come to an end.
    if (err == SW_OK
        && ((*ret_node)->weight > SW_NODE_WEIGHT_MAX || (*ret_node)->height > SW_NODE_HEIGHT_MAX)) {
        return refuse(
            reader, mark_of(reader, event->start_mark), "document contains excessive aliasing%s", ""
        );
    }
    return err;
}

/** The first document's root; a stream without any is null. */
static int read_document(struct reader *reader, struct sw_node **ret_node)
{
    for (;;) {
        yaml_event_t event;
        int err = next_event(reader, &event);
        if (err != SW_OK) {
            return err;
        }
        yaml_event_type_t type = event.type;
        if (type == YAML_STREAM_START_EVENT || type == YAML_DOCUMENT_START_EVENT) {
            yaml_event_delete(&event);
            continue;
        }
        if (type == YAML_STREAM_END_EVENT) {
            yaml_event_delete(&event);
            struct sw_mark mark = {.source = reader->source, .line = 1, .column = 1};
            *ret_node = sw_node_new(reader->arena, SW_NODE_NULL, mark);
            return *ret_node == NULL ? SW_E_NOMEM : SW_OK;
        }
        err = read_node(reader, &event, ret_node);
        yaml_event_delete(&event);
        if (err != SW_OK) {
            return err;
        }
        // What stands behind the value must still be well-formed up to the document's end.
        err = next_event(reader, &event);
        if (err == SW_OK) {
            yaml_event_delete(&event);
        }
        return err;
    }
}

int sw_yaml_parse(
    struct sw_arena *arena,
    const char *source,
    const char *data,
    size_t len,
    struct sw_node **ret_node,
    struct sw_yaml_problem *problem
)
{
    struct reader reader = {.arena = arena, .source = source, .problem = problem};
    struct sw_node *node = NULL;
    if (!yaml_parser_initialize(&reader.parser)) {
        return SW_E_NOMEM;
    }
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)data, len);
    int err = read_document(&reader, &node);
    yaml_parser_delete(&reader.parser);
    if (err == SW_OK) {
        *ret_node = node;
    }
    return err;
}
