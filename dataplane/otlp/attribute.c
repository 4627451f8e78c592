#include "dataplane/otlp/attribute.h"

#define TAG_KEY   SW_PB_TAG(1, SW_PB_LEN)
#define TAG_VALUE SW_PB_TAG(2, SW_PB_LEN)

#define TAG_STRING       SW_PB_TAG(1, SW_PB_LEN)
#define TAG_BOOL         SW_PB_TAG(2, SW_PB_VARINT)
#define TAG_INT          SW_PB_TAG(3, SW_PB_VARINT)
#define TAG_DOUBLE       SW_PB_TAG(4, SW_PB_I64)
#define TAG_ARRAY        SW_PB_TAG(5, SW_PB_LEN)
#define TAG_MAP          SW_PB_TAG(6, SW_PB_LEN)
#define TAG_BYTES        SW_PB_TAG(7, SW_PB_LEN)
#define TAG_STRING_INDEX SW_PB_TAG(8, SW_PB_VARINT)

static void read_member(const struct sw_pb_field *field, struct sw_any *value)
{
    switch (field->tag) {
    case TAG_STRING:
        *value = (struct sw_any){.type = SW_ANY_STRING, .bytes = field->bytes};
        break;
    case TAG_BOOL:
        *value = (struct sw_any){.type = SW_ANY_BOOL, .boolean = field->number != 0};
        break;
    case TAG_INT:
        *value = (struct sw_any){.type = SW_ANY_INT, .integer = (int64_t)field->number};
        break;
    case TAG_DOUBLE:
        *value = (struct sw_any){.type = SW_ANY_DOUBLE};
        memcpy(&value->number, &field->number, sizeof(value->number));
        break;
    case TAG_ARRAY:
        *value = (struct sw_any){.type = SW_ANY_ARRAY, .bytes = field->bytes};
        break;
    case TAG_MAP:
        *value = (struct sw_any){.type = SW_ANY_MAP, .bytes = field->bytes};
        break;
    case TAG_BYTES:
        *value = (struct sw_any){.type = SW_ANY_BYTES, .bytes = field->bytes};
        break;
    case TAG_STRING_INDEX:
        *value = (struct sw_any){
            .type = SW_ANY_STRING_INDEX,
            .integer = (int32_t)field->number,
        };
        break;
    default:
        break;
    }
}

bool sw_any_read(struct sw_bytes any_value, struct sw_any *value)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, any_value);
    while (sw_pb_next(&reader, &field)) {
        read_member(&field, value);
    }
    return reader.error == SW_PB_OK;
}

bool sw_attribute_read(struct sw_bytes key_value, struct sw_attribute *ret_attribute)
{
    struct sw_attribute attribute = {.value = {.type = SW_ANY_EMPTY}};
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, key_value);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag == TAG_KEY) {
            attribute.key = field.bytes;
        } else if (field.tag == TAG_VALUE && !sw_any_read(field.bytes, &attribute.value)) {
            return false;
        }
    }
    if (reader.error != SW_PB_OK) {
        return false;
    }
    *ret_attribute = attribute;
    return true;
}

bool sw_attribute_next(struct sw_attribute_iter *iter, struct sw_attribute *ret_attribute)
{
    struct sw_pb_field field;
    while (sw_pb_next(&iter->reader, &field)) {
        if (field.tag != iter->tag) {
            continue;
        }
        if (!sw_attribute_read(field.bytes, ret_attribute)) {
            sw_pb_fail(&iter->reader, SW_PB_TRUNCATED, field.whole.data);
            return false;
        }
        ret_attribute->whole = field.whole;
        return true;
    }
    return false;
}

/* The key without reading the value; the last one wins. */
static struct sw_bytes key_of(struct sw_bytes key_value)
{
    struct sw_bytes key = {NULL, 0};
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, key_value);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag == TAG_KEY) {
            key = field.bytes;
        }
    }
    return key;
}

bool sw_attribute_find(
    struct sw_bytes message,
    uint32_t tag,
    struct sw_bytes key,
    struct sw_any *ret_value
)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, message);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag != tag || field.bytes.size < key.size
            || !sw_bytes_equal(key_of(field.bytes), key)) {
            continue;
        }
        struct sw_attribute attribute;
        if (!sw_attribute_read(field.bytes, &attribute)) {
            return false;
        }
        *ret_value = attribute.value;
        return true;
    }
    return false;
}

size_t sw_attribute_string_size(struct sw_bytes key, struct sw_bytes value)
{
    return sw_pb_len_size(TAG_KEY, key.size)
           + sw_pb_len_size(TAG_VALUE, sw_pb_len_size(TAG_STRING, value.size));
}

uint8_t *sw_attribute_put_string(uint8_t *out, struct sw_bytes key, struct sw_bytes value)
{
    out = sw_pb_put_bytes(out, TAG_KEY, key);
    out = sw_pb_put_head(out, TAG_VALUE, sw_pb_len_size(TAG_STRING, value.size));
    return sw_pb_put_bytes(out, TAG_STRING, value);
}
