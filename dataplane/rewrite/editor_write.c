/* The edited message: attributes first, then what else stood in it. */
#include "dataplane/rewrite/rewrite_internal.h"

static size_t value_size(const struct entry *entry)
{
    return entry->kind == ENTRY_TAKEN ? sw_pb_gather(entry->body, KEY_VALUE, NULL)
                                      : entry->body.size;
}

static size_t body_size(const struct entry *entry)
{
    if (entry->kind == ENTRY_AS_IS) {
        return entry->body.size;
    }
    return sw_pb_len_size(KEY_KEY, entry->key.size) + sw_pb_len_size(KEY_VALUE, value_size(entry));
}

static uint8_t *put_entry(uint8_t *out, const struct entry *entry, uint32_t tag)
{
    if (entry->kind == ENTRY_AS_IS) {
        return sw_pb_put_bytes(out, tag, entry->body);
    }
    out = sw_pb_put_head(out, tag, body_size(entry));
    out = sw_pb_put_bytes(out, KEY_KEY, entry->key);
    if (entry->kind == ENTRY_VALUE) {
        return sw_pb_put_bytes(out, KEY_VALUE, entry->body);
    }
    out = sw_pb_put_head(out, KEY_VALUE, value_size(entry));
    return out + sw_pb_gather(entry->body, KEY_VALUE, out);
}

// Fields that are no attributes stay as they are; out NULL measures.
static size_t put_others(const struct editor *editor, uint8_t *out)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    size_t size = 0;
    sw_pb_reader_init(&reader, editor->message);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag == editor->tag) {
            continue;
        }
        if (out != NULL) {
            memcpy(out + size, field.whole.data, field.whole.size);
        }
        size += field.whole.size;
    }
    return size;
}

size_t sw_editor_size(const struct editor *editor)
{
    size_t size = put_others(editor, NULL);
    for (size_t i = 0; i < editor->count; i++) {
        size += sw_pb_len_size(editor->tag, body_size(&editor->entries[i]));
    }
    return size;
}

uint8_t *sw_editor_write(const struct editor *editor, uint8_t *out)
{
    for (size_t i = 0; i < editor->count; i++) {
        out = put_entry(out, &editor->entries[i], editor->tag);
    }
    return out + put_others(editor, out);
}
