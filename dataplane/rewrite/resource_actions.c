/* The configured values as AnyValue messages, once for all requests. */
#include "dataplane/base/mem.h"
#include "dataplane/rewrite/resource_internal.h"

#include <string.h>

#define ANY_STRING  SW_PB_TAG(1, SW_PB_LEN)
#define ANY_BOOL    SW_PB_TAG(2, SW_PB_VARINT)
#define ANY_INT     SW_PB_TAG(3, SW_PB_VARINT)
#define ANY_DOUBLE  SW_PB_TAG(4, SW_PB_I64)
#define ANY_ARRAY   SW_PB_TAG(5, SW_PB_LEN)
#define ANY_MAP     SW_PB_TAG(6, SW_PB_LEN)
#define LIST_VALUES SW_PB_TAG(1, SW_PB_LEN) // of ArrayValue and KeyValueList
#define KEY_KEY     SW_PB_TAG(1, SW_PB_LEN)
#define KEY_VALUE   SW_PB_TAG(2, SW_PB_LEN)

static struct sw_bytes text_bytes(const char *text)
{
    return (struct sw_bytes){(const uint8_t *)text, strlen(text)};
}

/* Sizes and bytes come out of the same walk: out NULL measures. @return bytes written or needed. Values
 * are as deep as the configuration file that they stood in, which the loader bounds. */
static size_t put_any(uint8_t *out, const struct sw_value *value);

static size_t put_item(uint8_t *out, const struct sw_value *item)
{
    size_t size = put_any(NULL, item);
    if (out != NULL) {
        put_any(sw_pb_put_head(out, LIST_VALUES, size), item);
    }
    return sw_pb_len_size(LIST_VALUES, size);
}

static size_t put_entry(uint8_t *out, const struct sw_value_entry *entry)
{
    struct sw_bytes key = text_bytes(entry->key);
    size_t value_size = put_any(NULL, &entry->value);
    size_t size = sw_pb_len_size(KEY_KEY, key.size) + sw_pb_len_size(KEY_VALUE, value_size);
    if (out != NULL) {
        out = sw_pb_put_head(out, LIST_VALUES, size);
        out = sw_pb_put_bytes(out, KEY_KEY, key);
        put_any(sw_pb_put_head(out, KEY_VALUE, value_size), &entry->value);
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

static size_t put_any(uint8_t *out, const struct sw_value *value)
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

static struct sw_bytes put_value(uint8_t **at, const struct sw_value *value)
{
    struct sw_bytes bytes = {*at, put_any(*at, value)};
    *at += bytes.size;
    return bytes;
}

static void fill(struct resource_actions *actions, const struct sw_resource_conf *conf)
{
    uint8_t *at = actions->bytes;
    for (size_t i = 0; i < actions->count; i++) {
        const struct sw_resource_action_conf *from =
            &SW_LIST_AT(conf->attributes, struct sw_resource_action_conf, i);
        actions->items[i] = (struct resource_action){
            .what = (enum sw_resource_action)from->action,
            .key = text_bytes(from->key),
            .from = text_bytes(from->from_attribute),
            .value = put_value(&at, &from->value),
            .fallback = put_value(&at, &from->default_value),
            .has_value = from->value.kind != SW_VALUE_NULL,
            .has_fallback = from->default_value.kind != SW_VALUE_NULL,
        };
    }
}

int sw_resource_actions_new(
    const struct sw_resource_conf *conf,
    struct resource_actions **ret_actions
)
{
    size_t size = 0;
    for (size_t i = 0; i < conf->attributes.count; i++) {
        const struct sw_resource_action_conf *action =
            &SW_LIST_AT(conf->attributes, struct sw_resource_action_conf, i);
        size += put_any(NULL, &action->value) + put_any(NULL, &action->default_value);
    }
    struct resource_actions *actions = sw_zalloc(sizeof(*actions));
    if (actions == NULL) {
        return SW_E_NOMEM;
    }
    actions->count = conf->attributes.count;
    actions->items = sw_zalloc(actions->count * sizeof(actions->items[0]));
    actions->bytes = sw_alloc(size);
    if (actions->items == NULL || actions->bytes == NULL) {
        sw_resource_actions_free(actions);
        return SW_E_NOMEM;
    }
    fill(actions, conf);
    *ret_actions = actions;
    return SW_OK;
}

void sw_resource_actions_free(struct resource_actions *actions)
{
    if (actions != NULL) {
        sw_free(actions->items);
        sw_free(actions->bytes);
        sw_free(actions);
    }
}
