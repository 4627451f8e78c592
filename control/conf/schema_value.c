// One value by its field: strictly typed as the Collector's decoder types it. Everything found is
// reported with its place; nothing stops early.
#include "control/conf/schema_internal.h"
#include "dataplane/base/assert.h"

#include <stdlib.h>
#include <string.h>

/* --- paths --- */

size_t sw_walk_push(struct sw_walk *walk, const char *part)
{
    size_t before = walk->path_len;
    int added = snprintf(
        walk->path + before, sizeof(walk->path) - before, "%s%s", before > 0 ? "::" : "", part
    );
    walk->path_len = SW_MIN(before + (size_t)added, sizeof(walk->path) - 1);
    return before;
}

size_t sw_walk_push_index(struct sw_walk *walk, size_t index)
{
    char part[24];
    snprintf(part, sizeof(part), "%zu", index);
    return sw_walk_push(walk, part);
}

void sw_walk_pop(struct sw_walk *walk, size_t before)
{
    walk->path_len = before;
    walk->path[before] = '\0';
}

/* --- reporting --- */

void sw_walk_report(
    struct sw_walk *walk,
    enum sw_complaint complaint,
    struct sw_mark mark,
    const char *text
)
{
    if (!walk->section->used
        && (complaint == SW_COMPLAINT_AT_START || complaint == SW_COMPLAINT_BUILD)) {
        complaint = SW_COMPLAINT_WARNING;
    }
    walk->refused |= complaint == SW_COMPLAINT_ERROR;
    sw_load_report(walk->section->load, complaint, mark, walk->path, "%s", text);
}

void sw_walk_refuse(struct sw_walk *walk, const struct sw_node *node, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    sw_walk_report(walk, SW_COMPLAINT_ERROR, node->mark, text);
}

void sw_walk_refuse_type(struct sw_walk *walk, const struct sw_node *node, const char *wanted)
{
    sw_walk_refuse(
        walk, node, "expected type '%s', got unconvertible type '%s'", wanted, sw_node_type(node)
    );
}

/* --- scalars --- */

static const char *text_of(const struct sw_node *node)
{
    return node->original != NULL         ? node->original
           : node->kind == SW_NODE_STRING ? node->text
                                          : NULL;
}

static int64_t double_to_int(double number)
{
    // What Go does on amd64 for values out of range; C leaves it undefined.
    return number >= -0x1p63 && number < 0x1p63 ? (int64_t)number : INT64_MIN;
}

static void store_int(const struct sw_field *field, void *member, int64_t value)
{
    switch (field->size) {
    case 2:
        *(int16_t *)member = (int16_t)value;
        break;
    case 4:
        *(int32_t *)member = (int32_t)value;
        break;
    default:
        *(int64_t *)member = value;
        break;
    }
}

int64_t sw_field_int(const struct sw_field *field, const void *member)
{
    switch (field->size) {
    case 2:
        return *(const int16_t *)member;
    case 4:
        return *(const int32_t *)member;
    default:
        return *(const int64_t *)member;
    }
}

static const char *number_type(const struct sw_field *field)
{
    bool is_signed = field->kind == SW_FIELD_INT;
    switch (field->size) {
    case 2:
        return is_signed ? "int16" : "uint16";
    case 4:
        return is_signed ? "int32" : "uint32";
    default:
        return is_signed ? "int" : "uint64";
    }
}

static void decode_number(
    struct sw_walk *walk,
    const struct sw_field *field,
    void *member,
    const struct sw_node *node
)
{
    int64_t value = 0;
    bool negative = false;
    switch (node->kind) {
    case SW_NODE_NULL:
        break;
    case SW_NODE_INT:
        value = node->integer;
        negative = value < 0;
        break;
    case SW_NODE_UINT:
        value = (int64_t)node->uinteger;
        break;
    case SW_NODE_FLOAT:
        negative = node->number < 0;
        value = node->number >= 0x1p63 && node->number < 0x1p64 ? (int64_t)(uint64_t)node->number
                                                                : double_to_int(node->number);
        break;
    default:
        sw_walk_refuse_type(walk, node, number_type(field));
        return;
    }
    if (field->kind == SW_FIELD_UINT && negative) {
        sw_walk_refuse(
            walk,
            node,
            "cannot parse value as '%s': %lld overflows uint",
            number_type(field),
            (long long)value
        );
        return;
    }
    store_int(field, member, value);
}

static void decode_float(struct sw_walk *walk, double *member, const struct sw_node *node)
{
    switch (node->kind) {
    case SW_NODE_NULL:
        *member = 0;
        break;
    case SW_NODE_INT:
        *member = (double)node->integer;
        break;
    case SW_NODE_UINT:
        *member = (double)node->uinteger;
        break;
    case SW_NODE_FLOAT:
        *member = node->number;
        break;
    default:
        sw_walk_refuse_type(walk, node, "float64");
        break;
    }
}

static void decode_duration(struct sw_walk *walk, int64_t *member, const struct sw_node *node)
{
    const char *why = NULL;
    switch (node->kind) {
    case SW_NODE_NULL:
        *member = 0;
        break;
    case SW_NODE_INT:
        *member = node->integer; // A bare number counts nanoseconds.
        break;
    case SW_NODE_UINT:
        *member = (int64_t)node->uinteger;
        break;
    case SW_NODE_FLOAT:
        *member = double_to_int(node->number);
        break;
    case SW_NODE_STRING:
        if (sw_duration_parse(node->text, strlen(node->text), member, &why) != SW_OK) {
            sw_walk_refuse(walk, node, "time: %s \"%.100s\"", why, node->text);
        }
        break;
    default:
        sw_walk_refuse_type(walk, node, "time.Duration");
        break;
    }
}

void sw_decode_bool(struct sw_walk *walk, bool *member, const struct sw_node *node)
{
    if (node->kind == SW_NODE_BOOL) {
        *member = node->boolean;
    } else if (node->kind == SW_NODE_NULL) {
        *member = false;
    } else {
        sw_walk_refuse_type(walk, node, "bool");
    }
}

static void decode_string(struct sw_walk *walk, const char **member, const struct sw_node *node)
{
    const char *text = text_of(node);
    if (text != NULL) {
        *member = text;
    } else if (node->kind == SW_NODE_NULL) {
        *member = "";
    } else {
        sw_walk_refuse_type(walk, node, "string");
    }
}

// @return how many
static size_t list_words(const char *const *words, char *out, size_t size)
{
    size_t len = 0;
    size_t count = 0;
    out[0] = '\0';
    for (; words[count] != NULL; count++) {
        if (words[count][0] != '\0' && len < size) {
            int more = snprintf(out + len, size - len, "%s%s", len > 0 ? ", " : "", words[count]);
            len += (size_t)more;
        }
    }
    return count;
}

static void decode_enum(
    struct sw_walk *walk,
    const struct sw_field *field,
    int *member,
    const struct sw_node *node
)
{
    const char *text = node->kind == SW_NODE_NULL ? "" : text_of(node);
    char known[256];
    if (text == NULL) {
        sw_walk_refuse_type(walk, node, "string");
        return;
    }
    int index = sw_word_index(field->words, text, (field->flags & SW_FIELD_ICASE) != 0);
    if (index >= 0) {
        *member = index;
        return;
    }
    size_t count = list_words(field->words, known, sizeof(known));
    const char *near = text[0] != '\0' ? sw_nearest(text, field->words, count) : NULL;
    sw_walk_refuse(
        walk,
        node,
        near != NULL ? "unsupported value \"%.100s\", expected one of: %s, did you mean \"%s\"?"
                     : "unsupported value \"%.100s\", expected one of: %s",
        text,
        known,
        near
    );
}

static void decode_id(struct sw_walk *walk, const char **member, const struct sw_node *node)
{
    const char *type = NULL;
    const char *name = NULL;
    const char *why = NULL;
    const char *text = text_of(node);
    if (node->kind == SW_NODE_NULL) {
        *member = "";
        return;
    }
    if (text == NULL) {
        sw_walk_refuse_type(walk, node, "string");
        return;
    }
    int err = sw_id_parse(walk->arena, text, member, &type, &name, &why);
    if (err == SW_E_NOMEM) {
        walk->out_of_memory = true;
    } else if (err != SW_OK) {
        sw_walk_refuse(walk, node, "in \"%.200s\" id: %s", text, why);
    }
}

void sw_decode_scalar(
    struct sw_walk *walk,
    const struct sw_field *field,
    unsigned kind,
    void *member,
    const struct sw_node *node
)
{
    switch (kind) {
    case SW_FIELD_BOOL:
        sw_decode_bool(walk, member, node);
        break;
    case SW_FIELD_INT:
    case SW_FIELD_UINT:
        decode_number(walk, field, member, node);
        break;
    case SW_FIELD_FLOAT:
        decode_float(walk, member, node);
        break;
    case SW_FIELD_DURATION:
        decode_duration(walk, member, node);
        break;
    case SW_FIELD_STRING:
        decode_string(walk, member, node);
        break;
    case SW_FIELD_ENUM:
        decode_enum(walk, field, member, node);
        break;
    case SW_FIELD_ID:
        decode_id(walk, member, node);
        break;
    default:
        SW_ASSERT(!"a scalar field");
    }
}

/* --- values of any type, headers, lists --- */

void *sw_walk_take(struct sw_walk *walk, size_t count, size_t size)
{
    void *data = sw_arena_array(walk->arena, count, size);
    if (data == NULL) {
        walk->out_of_memory = true;
    }
    return data;
}

void sw_decode_value(struct sw_walk *walk, struct sw_value *value, const struct sw_node *node)
{
    *value = (struct sw_value){.kind = SW_VALUE_NULL};
    switch (node->kind) {
    case SW_NODE_NULL:
        break;
    case SW_NODE_BOOL:
        value->kind = SW_VALUE_BOOL;
        value->boolean = node->boolean;
        break;
    case SW_NODE_INT:
        value->kind = SW_VALUE_INT;
        value->integer = node->integer;
        break;
    case SW_NODE_UINT:
        value->kind = SW_VALUE_INT; // pcommon's FromRaw: int64(v), wraps
        value->integer = (int64_t)node->uinteger;
        break;
    case SW_NODE_FLOAT:
        value->kind = SW_VALUE_DOUBLE;
        value->number = node->number;
        break;
    case SW_NODE_STRING:
        value->kind = SW_VALUE_STRING;
        value->string = node->text;
        break;
    case SW_NODE_TIME:
        sw_walk_refuse(walk, node, "a timestamp is no value, put it in quotes");
        break;
    case SW_NODE_LIST: {
        struct sw_value *items = sw_walk_take(walk, node->items_count, sizeof(*items));
        for (size_t i = 0; items != NULL && i < node->items_count; i++) {
            sw_decode_value(walk, &items[i], node->items[i]);
        }
        value->kind = SW_VALUE_LIST;
        value->list = (struct sw_list){items, items != NULL ? node->items_count : 0};
        break;
    }
    case SW_NODE_MAP: {
        struct sw_value_entry *items = sw_walk_take(walk, node->entries_count, sizeof(*items));
        for (size_t i = 0; items != NULL && i < node->entries_count; i++) {
            items[i].key = node->entries[i].key;
            sw_decode_value(walk, &items[i].value, node->entries[i].value);
        }
        value->kind = SW_VALUE_MAP;
        value->list = (struct sw_list){items, items != NULL ? node->entries_count : 0};
        break;
    }
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct sw_pair *)a)->name, ((const struct sw_pair *)b)->name);
}

static void decode_pair(struct sw_walk *walk, struct sw_pair *pair, const struct sw_node *node)
{
    *pair = (struct sw_pair){"", ""};
    if (node->kind != SW_NODE_MAP) {
        sw_walk_refuse(
            walk, node, "expected a map with name and value, got \"%s\"", sw_node_type(node)
        );
        return;
    }
    for (size_t i = 0; i < node->entries_count; i++) {
        const struct sw_entry *entry = &node->entries[i];
        size_t before = sw_walk_push(walk, entry->key);
        if (strcmp(entry->key, "name") == 0) {
            decode_string(walk, &pair->name, entry->value);
        } else if (strcmp(entry->key, "value") == 0) {
            decode_string(walk, &pair->value, entry->value);
        } else {
            sw_walk_report(
                walk, SW_COMPLAINT_ERROR, entry->mark, "invalid key, expected name and value"
            );
        }
        sw_walk_pop(walk, before);
    }
}

void sw_decode_headers(struct sw_walk *walk, struct sw_list *list, const struct sw_node *node)
{
    bool map = node->kind == SW_NODE_MAP;
    *list = (struct sw_list){NULL, 0};
    if (node->kind == SW_NODE_NULL) {
        return;
    }
    if (!map && node->kind != SW_NODE_LIST) {
        sw_walk_refuse(
            walk, node, "expected a map or a list of name and value, got \"%s\"", sw_node_type(node)
        );
        return;
    }
    size_t count = map ? node->entries_count : node->items_count;
    struct sw_pair *pairs = sw_walk_take(walk, count, sizeof(*pairs));
    for (size_t i = 0; pairs != NULL && i < count; i++) {
        size_t before =
            map ? sw_walk_push(walk, node->entries[i].key) : sw_walk_push_index(walk, i);
        if (map) {
            pairs[i] = (struct sw_pair){node->entries[i].key, ""};
            decode_string(walk, &pairs[i].value, node->entries[i].value);
        } else {
            decode_pair(walk, &pairs[i], node->items[i]);
        }
        sw_walk_pop(walk, before);
    }
    if (pairs == NULL) {
        return;
    }
    if (map && count > 1) {
        qsort(pairs, count, sizeof(*pairs), by_name);
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i && !map; j++) {
            if (strcmp(pairs[i].name, pairs[j].name) == 0) {
                sw_walk_refuse(walk, node, "duplicate name \"%.100s\"", pairs[i].name);
                break;
            }
        }
    }
    *list = (struct sw_list){pairs, count};
}

static size_t scalar_size(unsigned kind)
{
    switch (kind) {
    case SW_FIELD_BOOL:
        return sizeof(bool);
    case SW_FIELD_ENUM:
        return sizeof(int);
    case SW_FIELD_STRING:
    case SW_FIELD_ID:
        return sizeof(const char *);
    default:
        return sizeof(int64_t);
    }
}

bool sw_walk_is_list(struct sw_walk *walk, const struct sw_node *node)
{
    if (node->kind == SW_NODE_LIST || node->kind == SW_NODE_NULL) {
        return true;
    }
    sw_walk_refuse(walk, node, "source data must be an array or slice, got %s", sw_node_type(node));
    return false;
}

void sw_decode_scalars(
    struct sw_walk *walk,
    const struct sw_field *field,
    struct sw_list *list,
    const struct sw_node *node
)
{
    size_t size = scalar_size(field->item_kind);
    // Items of a number list are 64 bits wide whatever the list's own size is.
    struct sw_field item = *field;
    item.size = (uint32_t)size;
    item.kind = field->item_kind;
    if (!sw_walk_is_list(walk, node)) {
        return;
    }
    *list = (struct sw_list){NULL, 0};
    size_t count = node->kind == SW_NODE_LIST ? node->items_count : 0;
    char *items = sw_walk_take(walk, count, size);
    for (size_t i = 0; items != NULL && i < count; i++) {
        size_t before = sw_walk_push_index(walk, i);
        if (field->item_kind == SW_FIELD_STRING || field->item_kind == SW_FIELD_ID) {
            *(const char **)(items + i * size) = "";
        }
        sw_decode_scalar(walk, &item, field->item_kind, items + i * size, node->items[i]);
        sw_walk_pop(walk, before);
    }
    *list = (struct sw_list){items, items != NULL ? count : 0};
}

bool sw_walk_is_map(struct sw_walk *walk, const struct sw_node *node)
{
    if (node->kind == SW_NODE_MAP) {
        return true;
    }
    sw_walk_refuse(walk, node, "expected a map or struct, got \"%s\"", sw_node_type(node));
    return false;
}
