/* One resource: its attributes as a list of ranges, the actions done on the list, the new message
 * written. Look-ups take the first attribute of a name and removal puts the last one in the gap, as the
 * Collector's map does (v0.159 pdata/pcommon/map.go), so that names given twice come out alike. */
#include "dataplane/base/mem.h"
#include "dataplane/otlp/attribute.h"
#include "dataplane/rewrite/resource_internal.h"

#define KEY_KEY   SW_PB_TAG(1, SW_PB_LEN)
#define KEY_VALUE SW_PB_TAG(2, SW_PB_LEN)

#define FIRST_CAPACITY 32u

enum entry_kind {
    ENTRY_AS_IS, // body: the KeyValue message
    ENTRY_VALUE, // body: the AnyValue message
    ENTRY_TAKEN, // body: a KeyValue message of another key, whose value it is
};

struct resource_entry {
    enum entry_kind kind;
    struct sw_bytes key;
    struct sw_bytes body;
};

void sw_resource_editor_fini(struct resource_editor *editor)
{
    sw_free(editor->entries);
    *editor = (struct resource_editor){.entries = NULL};
}

static int add(struct resource_editor *editor, const struct resource_entry *entry)
{
    if (editor->count == editor->capacity) {
        size_t capacity = SW_MAX(editor->capacity * 2, FIRST_CAPACITY);
        void *larger = sw_realloc(editor->entries, capacity * sizeof(editor->entries[0]));
        if (larger == NULL) {
            return SW_E_NOMEM;
        }
        editor->entries = larger;
        editor->capacity = capacity;
    }
    editor->entries[editor->count++] = *entry;
    return SW_OK;
}

static struct sw_bytes key_of(struct sw_bytes key_value)
{
    struct sw_bytes key = {NULL, 0};
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, key_value);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag == KEY_KEY) {
            key = field.bytes; // the last one wins
        }
    }
    return key;
}

static int load(struct resource_editor *editor, struct sw_bytes resource)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    editor->count = 0;
    editor->resource = resource;
    sw_pb_reader_init(&reader, resource);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag != SW_RESOURCE_ATTRIBUTES) {
            continue;
        }
        struct resource_entry entry = {ENTRY_AS_IS, key_of(field.bytes), field.bytes};
        int err = add(editor, &entry);
        if (err != SW_OK) {
            return err;
        }
    }
    return SW_OK;
}

static struct resource_entry *find(const struct resource_editor *editor, struct sw_bytes key)
{
    for (size_t i = 0; i < editor->count; i++) {
        if (sw_bytes_equal(editor->entries[i].key, key)) {
            return &editor->entries[i];
        }
    }
    return NULL;
}

// Kind and body of the value that the action brings. @return false: it has none, nothing is done
static bool source(
    const struct resource_editor *editor,
    const struct resource_action *action,
    struct resource_entry *ret_entry
)
{
    const struct resource_entry *from = action->from.size > 0 ? find(editor, action->from) : NULL;
    ret_entry->key = action->key;
    ret_entry->kind = ENTRY_VALUE;
    if (action->has_value) {
        ret_entry->body = action->value;
    } else if (from != NULL) {
        ret_entry->kind = from->kind == ENTRY_AS_IS ? ENTRY_TAKEN : from->kind;
        ret_entry->body = from->body;
    } else {
        ret_entry->body = action->fallback;
        return action->has_fallback;
    }
    return true;
}

static void remove_first(struct resource_editor *editor, struct sw_bytes key)
{
    struct resource_entry *entry = find(editor, key);
    if (entry != NULL) {
        *entry = editor->entries[--editor->count];
    }
}

static int act(struct resource_editor *editor, const struct resource_action *action)
{
    struct resource_entry made;
    if (action->what == SW_RESOURCE_DELETE) {
        remove_first(editor, action->key);
        return SW_OK;
    }
    if (!source(editor, action, &made)) {
        return SW_OK;
    }
    struct resource_entry *there = find(editor, action->key);
    if (there == NULL) {
        return action->what == SW_RESOURCE_UPDATE ? SW_OK : add(editor, &made);
    }
    if (action->what != SW_RESOURCE_INSERT) {
        *there = made;
    }
    return SW_OK;
}

/* ---- writing ---- */

static size_t value_size(const struct resource_entry *entry)
{
    return entry->kind == ENTRY_TAKEN ? sw_pb_gather(entry->body, KEY_VALUE, NULL)
                                      : entry->body.size;
}

static size_t body_size(const struct resource_entry *entry)
{
    if (entry->kind == ENTRY_AS_IS) {
        return entry->body.size;
    }
    return sw_pb_len_size(KEY_KEY, entry->key.size) + sw_pb_len_size(KEY_VALUE, value_size(entry));
}

static uint8_t *put_entry(uint8_t *out, const struct resource_entry *entry)
{
    if (entry->kind == ENTRY_AS_IS) {
        return sw_pb_put_bytes(out, SW_RESOURCE_ATTRIBUTES, entry->body);
    }
    out = sw_pb_put_head(out, SW_RESOURCE_ATTRIBUTES, body_size(entry));
    out = sw_pb_put_bytes(out, KEY_KEY, entry->key);
    if (entry->kind == ENTRY_VALUE) {
        return sw_pb_put_bytes(out, KEY_VALUE, entry->body);
    }
    out = sw_pb_put_head(out, KEY_VALUE, value_size(entry));
    return out + sw_pb_gather(entry->body, KEY_VALUE, out);
}

// Fields that are no attributes stay as they are; out NULL measures.
static size_t put_others(const struct resource_editor *editor, uint8_t *out)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    size_t size = 0;
    sw_pb_reader_init(&reader, editor->resource);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag == SW_RESOURCE_ATTRIBUTES) {
            continue;
        }
        if (out != NULL) {
            memcpy(out + size, field.whole.data, field.whole.size);
        }
        size += field.whole.size;
    }
    return size;
}

int sw_resource_edit(
    struct resource_editor *editor,
    const struct resource_actions *actions,
    struct sw_bytes resource,
    size_t *ret_size
)
{
    int err = load(editor, resource);
    for (size_t i = 0; err == SW_OK && i < actions->count; i++) {
        err = act(editor, &actions->items[i]);
    }
    if (err != SW_OK) {
        return err;
    }
    size_t size = put_others(editor, NULL);
    for (size_t i = 0; i < editor->count; i++) {
        size += sw_pb_len_size(SW_RESOURCE_ATTRIBUTES, body_size(&editor->entries[i]));
    }
    *ret_size = size;
    return SW_OK;
}

uint8_t *sw_resource_edit_write(const struct resource_editor *editor, uint8_t *out)
{
    for (size_t i = 0; i < editor->count; i++) {
        out = put_entry(out, &editor->entries[i]);
    }
    return out + put_others(editor, out);
}
