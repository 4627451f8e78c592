/* The configured values as AnyValue messages, once for all requests. */
#include "dataplane/rewrite/rewrite_internal.h"

#include <string.h>

#define LIST_VALUES SW_PB_TAG(1, SW_PB_LEN) // of ArrayValue and KeyValueList

static struct sw_bytes text_bytes(const char *text)
{
    return (struct sw_bytes){(const uint8_t *)text, strlen(text)};
}

/* Sizes and bytes come out of the same walk: out NULL measures. @return bytes written or needed. Values
 * are as deep as the configuration file that they stood in, which the loader bounds. */
static size_t put_item(uint8_t *out, const struct sw_value *item)
{
    size_t size = sw_value_bytes(NULL, item);
    if (out != NULL) {
        sw_value_bytes(sw_pb_put_head(out, LIST_VALUES, size), item);
    }
    return sw_pb_len_size(LIST_VALUES, size);
}

static size_t put_entry(uint8_t *out, const struct sw_value_entry *entry)
{
    struct sw_bytes key = text_bytes(entry->key);
    size_t value_size = sw_value_bytes(NULL, &entry->value);
    size_t size = sw_pb_len_size(KEY_KEY, key.size) + sw_pb_len_size(KEY_VALUE, value_size);
    if (out != NULL) {
        out = sw_pb_put_head(out, LIST_VALUES, size);
        out = sw_pb_put_bytes(out, KEY_KEY, key);
        sw_value_bytes(sw_pb_put_head(out, KEY_VALUE, value_size), &entry->value);
    }
    return sw_pb_len_size(LIST_VALUES, size);
}

static size_t put_items(uint8_t *out, const struct sw_value *value)
{
    size_t size = 0;
    for (size_t i = 0; i < value->list.count; i++) {
        uint8_t *at = out != NULL ? out + size : NULL;
        size += value->kind == SW_VALUE_LIST
                    ? put_item(at, &SW_LIST_AT(value->list, struct sw_value, i))
                    : put_entry(at, &SW_LIST_AT(value->list, struct sw_value_entry, i));
    }
    return size;
}

static size_t put_number(uint8_t *out, const struct sw_value *value)
{
    uint64_t bits = 0;
    switch (value->kind) {
    case SW_VALUE_BOOL:
        bits = value->boolean;
        break;
    case SW_VALUE_INT:
        bits = (uint64_t)value->integer;
        break;
    default:
        memcpy(&bits, &value->number, sizeof(bits));
        if (out != NULL) {
            sw_pb_put_i64(out, ANY_DOUBLE, bits);
        }
        return 1 + sizeof(bits);
    }
    if (out != NULL) {
        sw_pb_put_varint(
            sw_pb_put_varint(out, value->kind == SW_VALUE_BOOL ? ANY_BOOL : ANY_INT), bits
        );
    }
    return 1 + sw_pb_varint_size(bits);
}

size_t sw_value_bytes(uint8_t *out, const struct sw_value *value)
{
    switch (value->kind) {
    case SW_VALUE_NULL:
        return 0;
    case SW_VALUE_BOOL:
    case SW_VALUE_INT:
    case SW_VALUE_DOUBLE:
        return put_number(out, value);
    case SW_VALUE_STRING: {
        struct sw_bytes text = text_bytes(value->string);
        if (out != NULL) {
            sw_pb_put_bytes(out, ANY_STRING, text);
        }
        return sw_pb_len_size(ANY_STRING, text.size);
    }
    case SW_VALUE_LIST:
    case SW_VALUE_MAP:
        break;
    }
    uint32_t tag = value->kind == SW_VALUE_LIST ? ANY_ARRAY : ANY_MAP;
    size_t size = put_items(NULL, value);
    if (out != NULL) {
        put_items(sw_pb_put_head(out, tag, size), value);
    }
    return sw_pb_len_size(tag, size);
}
