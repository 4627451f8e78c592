/* The attributes of one message as a list of ranges, the actions done on the list, the new message written.
 * Look-ups take the first attribute of a name and removal puts the last one in the gap, as the
 * Collector's map does (v0.159 pdata/pcommon/map.go), so that names given twice come out alike. */
#include "dataplane/base/mem.h"
#include "dataplane/otlp/attribute.h"
#include "dataplane/rewrite/rewrite_internal.h"

#define FIRST_CAPACITY 32u

int sw_editor_init(struct editor *editor, const struct actions *actions)
{
    *editor = (struct editor){.actions = actions};
    int err = SW_OK;
    if (actions->uses_pattern) {
        err = sw_pattern_scratch_new(actions->groups_max, &editor->finder);
    }
    if (err == SW_OK && actions->uses_hash) {
        err = sw_digest_new(&editor->digest);
    }
    if (err == SW_OK) {
        editor->contexts = sw_zalloc((actions->count + 1) * sizeof(editor->contexts[0]));
        err = editor->contexts != NULL ? SW_OK : SW_E_NOMEM;
    }
    if (err != SW_OK) {
        sw_editor_fini(editor);
    }
    return err;
}

void sw_editor_fini(struct editor *editor)
{
    sw_free(editor->entries);
    sw_free(editor->keys);
    sw_free(editor->contexts);
    sw_scratch_fini(&editor->scratch);
    sw_scratch_fini(&editor->context_scratch);
    sw_value_text_fini(&editor->text);
    sw_pattern_scratch_free(editor->finder);
    sw_digest_free(editor->digest);
    *editor = (struct editor){.entries = NULL};
}

/* ---- what the sender says of itself ---- */

// Several values are joined by semicolons.
static int set_metadata(struct editor *editor, size_t index, const struct sw_client *client)
{
    struct sw_bytes name = editor->actions->items[index].context_name;
    struct sw_bytes value;
    size_t size = 0;
    uint32_t at = 0;
    uint32_t count = 0;
    while (sw_client_next(client, name, &at, &value)) {
        size += value.size + 1;
        count++;
    }
    if (count == 0) {
        return SW_OK;
    }
    uint8_t *text = sw_scratch_take(&editor->context_scratch, size);
    if (text == NULL) {
        return SW_E_NOMEM;
    }
    uint8_t *end = text;
    at = 0;
    while (sw_client_next(client, name, &at, &value)) {
        if (value.size > 0) {
            memcpy(end, value.data, value.size);
        }
        end += value.size;
        *end++ = ';';
    }
    struct sw_bytes joined = {text, size - 1};
    editor->contexts[index] = sw_scratch_string(&editor->context_scratch, joined);
    return editor->contexts[index].data != NULL ? SW_OK : SW_E_NOMEM;
}

int sw_editor_begin(struct editor *editor, const struct sw_client *client)
{
    if (!editor->actions->uses_context) {
        return SW_OK;
    }
    sw_scratch_reset(&editor->context_scratch);
    for (size_t i = 0; i < editor->actions->count; i++) {
        enum context_source source = editor->actions->items[i].context;
        editor->contexts[i] = (struct sw_bytes){NULL, 0};
        if (source == CONTEXT_ADDRESS) {
            // There is always one, if only an empty one.
            struct sw_bytes address = client != NULL ? client->address : SW_BYTES("");
            editor->contexts[i] = sw_scratch_string(&editor->context_scratch, address);
            if (editor->contexts[i].data == NULL) {
                return SW_E_NOMEM;
            }
        } else if (source == CONTEXT_METADATA) {
            int err = set_metadata(editor, i, client);
            if (err != SW_OK) {
                return err;
            }
        }
    }
    return SW_OK;
}

/* ---- the list ---- */

static int add(struct editor *editor, const struct entry *entry)
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

static int load(struct editor *editor, struct sw_bytes message, uint32_t tag)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    editor->count = 0;
    editor->message = message;
    editor->tag = tag;
    editor->changed = false;
    sw_scratch_reset(&editor->scratch);
    sw_pb_reader_init(&reader, message);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag != tag) {
            continue;
        }
        struct entry entry = {ENTRY_AS_IS, key_of(field.bytes), field.bytes};
        int err = add(editor, &entry);
        if (err != SW_OK) {
            return err;
        }
    }
    return SW_OK;
}

struct entry *sw_editor_find(const struct editor *editor, struct sw_bytes key)
{
    for (size_t i = 0; i < editor->count; i++) {
        if (sw_bytes_equal(editor->entries[i].key, key)) {
            return &editor->entries[i];
        }
    }
    return NULL;
}

int sw_editor_put(struct editor *editor, struct sw_bytes key, struct sw_bytes value)
{
    struct entry made = {ENTRY_VALUE, key, value};
    struct entry *there = sw_editor_find(editor, key);
    editor->changed = true;
    if (there == NULL) {
        return add(editor, &made);
    }
    *there = made;
    return SW_OK;
}

static void remove_first(struct editor *editor, struct sw_bytes key)
{
    struct entry *entry = sw_editor_find(editor, key);
    if (entry != NULL) {
        *entry = editor->entries[--editor->count];
        editor->changed = true;
    }
}

/* Keys are matched before anything is done to them, and then done one by one by name: what a name
 * given twice comes out as depends on it. */
static int match_keys(struct editor *editor, const struct action *action)
{
    editor->keys_count = 0;
    if (action->pattern == NULL) {
        return SW_OK;
    }
    if (editor->keys_capacity < editor->count) {
        void *larger = sw_realloc(editor->keys, editor->capacity * sizeof(editor->keys[0]));
        if (larger == NULL) {
            return SW_E_NOMEM;
        }
        editor->keys = larger;
        editor->keys_capacity = editor->capacity;
    }
    for (size_t i = 0; i < editor->count; i++) {
        struct sw_bytes key = editor->entries[i].key;
        int found = sw_pattern_find(action->pattern, editor->finder, key.data, key.size, NULL);
        if (found == 1) {
            editor->keys[editor->keys_count++] = key;
        }
        editor->given_up_count += found < 0;
    }
    return SW_OK;
}

/* ---- the actions ---- */

// Kind and body of the value that the action brings. @return false: it has none, nothing is done
static bool
source(const struct editor *editor, const struct action *action, struct entry *ret_entry)
{
    size_t index = (size_t)(action - editor->actions->items);
    const struct entry *from = action->from.size > 0 ? sw_editor_find(editor, action->from) : NULL;
    ret_entry->key = action->key;
    ret_entry->kind = ENTRY_VALUE;
    if (action->has_value) {
        ret_entry->body = action->value;
    } else if (from != NULL) {
        ret_entry->kind = from->kind == ENTRY_AS_IS ? ENTRY_TAKEN : from->kind;
        ret_entry->body = from->body;
    } else if (editor->contexts[index].data != NULL) {
        ret_entry->body = editor->contexts[index];
    } else {
        ret_entry->body = action->fallback;
        return action->has_fallback;
    }
    return true;
}

static int set(struct editor *editor, const struct action *action)
{
    struct entry made;
    if (!source(editor, action, &made)) {
        return SW_OK;
    }
    struct entry *there = sw_editor_find(editor, action->key);
    bool wanted =
        there == NULL ? action->what != SW_ACTION_UPDATE : action->what != SW_ACTION_INSERT;
    if (!wanted) {
        return SW_OK;
    }
    editor->changed = true;
    if (there == NULL) {
        return add(editor, &made);
    }
    *there = made;
    return SW_OK;
}

static int delete (struct editor *editor, const struct action *action)
{
    remove_first(editor, action->key);
    int err = match_keys(editor, action);
    for (size_t i = 0; i < editor->keys_count; i++) {
        remove_first(editor, editor->keys[i]);
    }
    return err;
}

static int hash(struct editor *editor, const struct action *action)
{
    struct entry *entry = sw_editor_find(editor, action->key);
    int err = entry != NULL ? sw_editor_hash(editor, entry) : SW_OK;
    if (err == SW_OK) {
        err = match_keys(editor, action);
    }
    for (size_t i = 0; err == SW_OK && i < editor->keys_count; i++) {
        err = sw_editor_hash(editor, sw_editor_find(editor, editor->keys[i]));
    }
    return err;
}

static int act(struct editor *editor, const struct action *action)
{
    switch (action->what) {
    case SW_ACTION_DELETE:
        return delete (editor, action);
    case SW_ACTION_HASH:
        return hash(editor, action);
    case SW_ACTION_EXTRACT:
        return sw_editor_extract(editor, action);
    case SW_ACTION_CONVERT:
        return sw_editor_convert(editor, action);
    default:
        return set(editor, action);
    }
}

int sw_editor_edit(struct editor *editor, struct sw_bytes message, uint32_t tag, size_t *ret_size)
{
    int err = load(editor, message, tag);
    for (size_t i = 0; err == SW_OK && i < editor->actions->count; i++) {
        err = act(editor, &editor->actions->items[i]);
    }
    if (err == SW_OK) {
        *ret_size = sw_editor_size(editor);
    }
    return err;
}
