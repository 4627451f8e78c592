// Walks the components' tables: defaults, then what the file says, then the checks.
#include "control/conf/schema_internal.h"
#include "dataplane/base/assert.h"

#include <string.h>

static void set_defaults(
    struct sw_walk *walk,
    const struct sw_field *fields,
    const struct sw_preset *presets,
    char *base
);
static void decode_table(
    struct sw_walk *walk,
    const struct sw_field *fields,
    char *base,
    const struct sw_node *node,
    unsigned support,
    bool optional
);

static const char *preset_of(const struct sw_field *field, const struct sw_preset *presets)
{
    for (; presets != NULL && presets->key != NULL; presets++) {
        if (strcmp(presets->key, field->key) == 0) {
            return presets->preset;
        }
    }
    return field->preset;
}

/** A comma-separated default as a list of texts or words. */
static void set_default_list(
    struct sw_walk *walk,
    const struct sw_field *field,
    struct sw_list *list,
    const char *preset
)
{
    size_t count = 1;
    for (const char *p = preset; *p != '\0'; p++) {
        count += *p == ',';
    }
    const char **items = sw_walk_take(walk, count, sizeof(*items));
    SW_ASSERT(field->item_kind == SW_FIELD_STRING);
    for (size_t i = 0; items != NULL && i < count; i++) {
        size_t len = strcspn(preset, ",");
        items[i] = sw_arena_copy(walk->arena, preset, len);
        if (items[i] == NULL) {
            walk->out_of_memory = true;
            return;
        }
        preset += len + 1;
    }
    *list = (struct sw_list){items, items != NULL ? count : 0};
}

static void set_default_scalar(
    struct sw_walk *walk,
    const struct sw_field *field,
    void *member,
    const char *preset
)
{
    struct sw_node node = {.kind = SW_NODE_STRING, .text = preset};
    bool text = field->kind == SW_FIELD_STRING || field->kind == SW_FIELD_ID;
    if (preset == NULL) {
        if (text) {
            *(const char **)member = "";
        }
        return;
    }
    if (!text && field->kind != SW_FIELD_ENUM && field->kind != SW_FIELD_DURATION) {
        sw_scalar_resolve(preset, strlen(preset), &node);
    }
    sw_decode_scalar(walk, field, field->kind, member, &node);
}

static void set_default(
    struct sw_walk *walk,
    const struct sw_field *field,
    const struct sw_preset *presets,
    char *base
)
{
    void *member = base + field->offset;
    switch (field->kind) {
    case SW_FIELD_STRUCT:
        set_defaults(walk, field->fields, field->presets, member);
        break;
    case SW_FIELD_SQUASH:
        set_defaults(
            walk, field->fields, field->presets != NULL ? field->presets : presets, member
        );
        break;
    case SW_FIELD_OPTIONAL:
        set_defaults(walk, field->fields, field->presets, member);
        *(bool *)(base + field->flag_offset) = (field->flags & SW_FIELD_ON) != 0;
        break;
    case SW_FIELD_SCALARS:
        if (preset_of(field, presets) != NULL) {
            set_default_list(walk, field, member, preset_of(field, presets));
        }
        break;
    case SW_FIELD_LIST:
    case SW_FIELD_POINTER:
    case SW_FIELD_VALUE:
    case SW_FIELD_HEADERS:
    case SW_FIELD_ELSEWHERE:
    case SW_FIELD_REMAIN:
        break; // Zero is their default.
    default:
        set_default_scalar(walk, field, member, preset_of(field, presets));
        break;
    }
}

static void set_defaults(
    struct sw_walk *walk,
    const struct sw_field *fields,
    const struct sw_preset *presets,
    char *base
)
{
    for (const struct sw_field *field = fields; field->key != NULL; field++) {
        set_default(walk, field, presets, base);
    }
}

/** Finds a key in the table and its squashed parts; moves *base to the part's struct. */
static const struct sw_field *
find_field(const struct sw_field *fields, const char *key, char **base)
{
    for (const struct sw_field *field = fields; field->key != NULL; field++) {
        if (field->kind == SW_FIELD_SQUASH) {
            char *inner = *base + field->offset;
            const struct sw_field *found = find_field(field->fields, key, &inner);
            if (found != NULL) {
                *base = inner;
                return found;
            }
        } else if (field->kind != SW_FIELD_REMAIN && strcmp(field->key, key) == 0) {
            return field;
        }
    }
    return NULL;
}

static bool takes_remains(const struct sw_field *fields)
{
    for (const struct sw_field *field = fields; field->key != NULL; field++) {
        if (field->kind == SW_FIELD_REMAIN
            || (field->kind == SW_FIELD_SQUASH && takes_remains(field->fields))) {
            return true;
        }
    }
    return false;
}

#define KEYS_MAX 128

static size_t collect_keys(const struct sw_field *fields, const char **keys, size_t count)
{
    for (const struct sw_field *field = fields; field->key != NULL && count < KEYS_MAX; field++) {
        if (field->kind == SW_FIELD_SQUASH) {
            count = collect_keys(field->fields, keys, count);
        } else if (field->kind != SW_FIELD_REMAIN) {
            keys[count++] = field->key;
        }
    }
    return count;
}

static void
refuse_key(struct sw_walk *walk, const struct sw_field *fields, const struct sw_entry *entry)
{
    const char *keys[KEYS_MAX];
    char text[256];
    size_t before = sw_walk_push(walk, entry->key);
    if (takes_remains(fields)) {
        if (entry->value->kind == SW_NODE_MAP || entry->value->kind == SW_NODE_NULL) {
            sw_walk_report(
                walk,
                SW_COMPLAINT_WARNING,
                entry->mark,
                "is not known and has no effect; it would be given to an extension of that name"
            );
        } else {
            sw_walk_refuse_type(walk, entry->value, "map[string]interface {}");
        }
    } else {
        const char *near = sw_nearest(entry->key, keys, collect_keys(fields, keys, 0));
        snprintf(
            text,
            sizeof(text),
            near != NULL ? "invalid key \"%.80s\", did you mean \"%s\"?" : "invalid key \"%.80s\"",
            entry->key,
            near
        );
        sw_walk_report(walk, SW_COMPLAINT_ERROR, entry->mark, text);
    }
    sw_walk_pop(walk, before);
}

static void decode_optional(
    struct sw_walk *walk,
    const struct sw_field *field,
    char *base,
    const struct sw_node *node,
    unsigned support
)
{
    bool *enabled = (bool *)(base + field->flag_offset);
    if (node->kind == SW_NODE_NULL) {
        *enabled |= (field->flags & SW_FIELD_BARE) != 0;
        return;
    }
    if (!sw_walk_is_map(walk, node)) {
        return;
    }
    *enabled = true;
    char *ignored = base;
    const struct sw_entry *entry = sw_node_entry(node, "enabled");
    if (entry != NULL && find_field(field->fields, "enabled", &ignored) == NULL) {
        size_t before = sw_walk_push(walk, "enabled");
        sw_decode_bool(walk, enabled, entry->value);
        sw_walk_pop(walk, before);
    }
    decode_table(walk, field->fields, base + field->offset, node, support, true);
}

static void decode_list(
    struct sw_walk *walk,
    const struct sw_field *field,
    struct sw_list *list,
    const struct sw_node *node
)
{
    if (!sw_walk_is_list(walk, node)) {
        return;
    }
    size_t count = node->kind == SW_NODE_LIST ? node->items_count : 0;
    char *items = sw_walk_take(walk, count, field->size);
    for (size_t i = 0; items != NULL && i < count; i++) {
        size_t before = sw_walk_push_index(walk, i);
        char *item = items + i * field->size;
        set_defaults(walk, field->fields, field->presets, item);
        if (node->items[i]->kind != SW_NODE_NULL && sw_walk_is_map(walk, node->items[i])) {
            decode_table(walk, field->fields, item, node->items[i], SW_SUPPORTED, false);
        }
        sw_walk_pop(walk, before);
    }
    *list = (struct sw_list){items, items != NULL ? count : 0};
}

static void decode_pointer(
    struct sw_walk *walk,
    const struct sw_field *field,
    void **member,
    const struct sw_node *node
)
{
    if (node->kind == SW_NODE_NULL || !sw_walk_is_map(walk, node)) {
        return;
    }
    *member = sw_walk_take(walk, 1, field->size);
    if (*member != NULL) {
        set_defaults(walk, field->fields, field->presets, *member);
        decode_table(walk, field->fields, *member, node, SW_SUPPORTED, false);
    }
}

static bool same_texts(const struct sw_list *a, const struct sw_list *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(SW_LIST_AT(*a, const char *, i), SW_LIST_AT(*b, const char *, i)) != 0) {
            return false;
        }
    }
    return true;
}

/** Does the member say the same as the default that stood there before? */
static bool unchanged(const struct sw_field *field, const void *before, const void *after)
{
    switch (field->kind) {
    case SW_FIELD_BOOL:
        return *(const bool *)before == *(const bool *)after;
    case SW_FIELD_INT:
    case SW_FIELD_UINT:
        return sw_field_int(field, before) == sw_field_int(field, after);
    case SW_FIELD_FLOAT:
        return *(const double *)before == *(const double *)after;
    case SW_FIELD_DURATION:
        return *(const int64_t *)before == *(const int64_t *)after;
    case SW_FIELD_STRING:
    case SW_FIELD_ID:
        return strcmp(*(const char *const *)before, *(const char *const *)after) == 0;
    case SW_FIELD_ENUM:
        return *(const int *)before == *(const int *)after;
    case SW_FIELD_VALUE:
        return ((const struct sw_value *)after)->kind == SW_VALUE_NULL;
    case SW_FIELD_SCALARS:
        return field->item_kind == SW_FIELD_STRING || field->item_kind == SW_FIELD_ID
                   ? same_texts(before, after)
                   : ((const struct sw_list *)after)->count == 0;
    case SW_FIELD_HEADERS:
    case SW_FIELD_LIST:
        return ((const struct sw_list *)after)->count == 0;
    default:
        return true;
    }
}

static void report_support(
    struct sw_walk *walk,
    const struct sw_field *field,
    unsigned support,
    struct sw_mark mark
)
{
    char text[256];
    const char *note = field->note != NULL ? field->note : "";
    bool no_effect = support == SW_NO_EFFECT;
    snprintf(
        text,
        sizeof(text),
        "%s%s%s%s",
        no_effect ? "has no effect here" : "is not supported yet",
        note[0] != '\0' ? " (" : "",
        note,
        note[0] != '\0' ? ")" : ""
    );
    sw_walk_report(walk, no_effect ? SW_COMPLAINT_WARNING : SW_COMPLAINT_AT_START, mark, text);
}

/** Decodes into the member, which holds its default; says so when the key cannot be honoured. */
static void decode_field(
    struct sw_walk *walk,
    const struct sw_field *field,
    char *base,
    const struct sw_entry *entry,
    unsigned support
)
{
    void *member = base + field->offset;
    const struct sw_node *node = entry->value;
    union {
        char bytes[sizeof(struct sw_value)];
        max_align_t align;
    } before;
    support = SW_MAX(support, field->support);
    if ((field->flags & SW_FIELD_OLD) != 0 && node->kind != SW_NODE_NULL) {
        char text[256];
        snprintf(text, sizeof(text), "is an older spelling, %s", field->note);
        sw_walk_report(walk, SW_COMPLAINT_OLD, entry->mark, text);
    }
    switch (field->kind) {
    case SW_FIELD_STRUCT:
        if (node->kind != SW_NODE_NULL && sw_walk_is_map(walk, node)) {
            decode_table(walk, field->fields, member, node, support, false);
        }
        return;
    case SW_FIELD_OPTIONAL:
        decode_optional(walk, field, base, node, SW_SUPPORTED);
        if (support != SW_SUPPORTED && *(bool *)(base + field->flag_offset)) {
            report_support(walk, field, support, entry->mark);
        }
        return;
    case SW_FIELD_POINTER:
        decode_pointer(walk, field, member, node);
        return;
    case SW_FIELD_ELSEWHERE:
        return;
    default:
        break;
    }
    if (node->kind == SW_NODE_NULL && node->original == NULL && field->kind != SW_FIELD_SCALARS) {
        return; // A plain null leaves the default.
    }
    size_t size = field->kind == SW_FIELD_LIST ? sizeof(struct sw_list) : field->size;
    memcpy(before.bytes, member, SW_MIN(size, sizeof(before.bytes)));
    switch (field->kind) {
    case SW_FIELD_VALUE:
        sw_decode_value(walk, member, node);
        break;
    case SW_FIELD_HEADERS:
        sw_decode_headers(walk, member, node);
        break;
    case SW_FIELD_SCALARS:
        if (node->kind != SW_NODE_NULL) {
            sw_decode_scalars(walk, field, member, node);
        }
        break;
    case SW_FIELD_LIST:
        decode_list(walk, field, member, node);
        break;
    default:
        sw_decode_scalar(walk, field, field->kind, member, node);
        break;
    }
    if (support != SW_SUPPORTED && !walk->out_of_memory
        && !unchanged(field, before.bytes, member)) {
        report_support(walk, field, support, entry->mark);
    }
}

static void decode_table(
    struct sw_walk *walk,
    const struct sw_field *fields,
    char *base,
    const struct sw_node *node,
    unsigned support,
    bool optional
)
{
    for (size_t i = 0; i < node->entries_count; i++) {
        const struct sw_entry *entry = &node->entries[i];
        char *part = base;
        const struct sw_field *field = find_field(fields, entry->key, &part);
        if (field == NULL) {
            // `enabled` of an optional section is known to decode_optional.
            if (!optional || strcmp(entry->key, "enabled") != 0) {
                refuse_key(walk, fields, entry);
            }
            continue;
        }
        size_t before = sw_walk_push(walk, entry->key);
        decode_field(walk, field, part, entry, support);
        sw_walk_pop(walk, before);
    }
}

const struct sw_field *sw_fields_of(const struct sw_component *component)
{
    static const struct sw_field none[] = {SW_FIELD_END};
    return component->fields != NULL ? component->fields : none;
}

int sw_schema_decode(
    const struct sw_section *section,
    const struct sw_field *fields,
    sw_check_fn *check,
    void *base,
    const struct sw_node *node,
    const char *path
)
{
    struct sw_walk walk = {.section = section, .arena = &section->load->arena};
    sw_walk_push(&walk, path);
    set_defaults(&walk, fields, NULL, base);
    if (node != NULL && node->kind != SW_NODE_NULL && sw_walk_is_map(&walk, node)) {
        decode_table(&walk, fields, base, node, SW_SUPPORTED, false);
    }
    if (walk.out_of_memory) {
        return SW_E_NOMEM;
    }
    if (!walk.refused) {
        section->load->checking = true;
        sw_check_table(&walk, fields, base, node);
        sw_check_section(&walk, check, base, node);
        section->load->checking = false;
    }
    return walk.out_of_memory ? SW_E_NOMEM : SW_OK;
}
