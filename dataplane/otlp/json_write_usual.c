// Attributes in their usual form, written without frames. Whatever is not so is left to the machine.
#include "dataplane/otlp/json_text_internal.h"
#include "dataplane/otlp/json_write_internal.h"

enum {
    TEXT_MAX = 4096,
    AROUND = 64, // bytes of names, quotes and brackets
};

struct attribute {
    struct sw_bytes key;
    struct sw_bytes value; // content of the AnyValue
    struct sw_bytes text;  // of a string
};

static bool is_clean(struct sw_bytes text)
{
    const uint8_t *end = text.data + text.size;
    return text.size <= TEXT_MAX && sw_json_clean_end(text.data, end) == end;
}

/* A key and a value, one of each, in either order; the value with one member of the common kinds. */
static bool read_attribute(struct sw_bytes content, struct attribute *ret_attribute)
{
    struct sw_pb_reader reader;
    struct sw_pb_field first;
    struct sw_pb_field second;
    sw_pb_reader_init(&reader, content);
    if (!sw_pb_next(&reader, &first) || !sw_pb_next(&reader, &second) || sw_pb_left(&reader) > 0) {
        return false;
    }
    bool is_reversed = first.tag == 0x12;
    const struct sw_pb_field *key = is_reversed ? &second : &first;
    const struct sw_pb_field *value = is_reversed ? &first : &second;
    if (key->tag != 0x0a || value->tag != 0x12 || key->bytes.size == 0 || !is_clean(key->bytes)) {
        return false;
    }
    *ret_attribute = (struct attribute){.key = key->bytes, .value = value->bytes};
    if (value->bytes.size == 0) {
        return true;
    }
    struct sw_pb_field member;
    sw_pb_reader_init(&reader, value->bytes);
    if (!sw_pb_next(&reader, &member) || sw_pb_left(&reader) > 0) {
        return false;
    }
    ret_attribute->text = member.bytes;
    return member.tag == 0x18 || member.tag == 0x10
           || (member.tag == 0x0a && is_clean(member.bytes));
}

static void put(struct sw_json_writer *writer, const void *data, size_t size)
{
    if (size > 0) {
        memcpy(writer->out.to, data, size);
        writer->out.to += size;
    }
}

#define PUT(writer, literal) put((writer), (literal), sizeof(literal) - 1)

static bool end(struct sw_json_writer *writer)
{
    PUT(writer, "}}");
    return true;
}

bool sw_json_write_attribute(struct sw_json_writer *writer, struct sw_bytes content)
{
    struct attribute attribute;
    if (!read_attribute(content, &attribute)) {
        return false;
    }
    size_t size = attribute.key.size + attribute.text.size + AROUND;
    if (sw_json_out_room(&writer->out) < size + JSON_ROOM) {
        return false;
    }
    PUT(writer, "{\"key\":\"");
    put(writer, attribute.key.data, attribute.key.size);
    PUT(writer, "\",\"value\":{");
    struct sw_pb_reader reader;
    sw_pb_reader_init(&reader, attribute.value);
    switch (sw_pb_tag(&reader)) {
    case 0x0a:
        PUT(writer, "\"stringValue\":\"");
        put(writer, attribute.text.data, attribute.text.size);
        PUT(writer, "\"");
        break;
    case 0x18:
        PUT(writer, "\"intValue\":");
        return sw_json_put_value(writer, SW_JSON_INT64, &reader) && end(writer);
    case 0x10:
        PUT(writer, "\"boolValue\":");
        return sw_json_put_value(writer, SW_JSON_BOOL, &reader) && end(writer);
    default:
        break;
    }
    return end(writer);
}
