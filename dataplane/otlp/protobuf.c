#include "dataplane/otlp/protobuf.h"

const char *sw_pb_error_text(enum sw_pb_error error)
{
    switch (error) {
    case SW_PB_OK:
        return "ok";
    case SW_PB_TRUNCATED:
        return "unexpected EOF";
    case SW_PB_OVERFLOW:
        return "proto: integer overflow";
    case SW_PB_ILLEGAL_FIELD:
        return "proto: illegal field";
    case SW_PB_GROUP:
        return "proto: unexpected end of group";
    case SW_PB_ILLEGAL_WIRE:
        return "proto: illegal wireType";
    }
    return "proto: malformed";
}

void sw_pb_fail(struct sw_pb_reader *reader, enum sw_pb_error error, const uint8_t *at)
{
    if (reader->error == SW_PB_OK) {
        reader->error = error;
        reader->error_at = at;
    }
    reader->at = reader->end;
}

uint64_t sw_pb_varint_slow(struct sw_pb_reader *reader)
{
    uint64_t value = 0;
    const uint8_t *at = reader->at;
    for (unsigned i = 0; i < SW_PB_VARINT_MAX; i++) {
        if (at == reader->end) {
            sw_pb_fail(reader, SW_PB_TRUNCATED, reader->at);
            return 0;
        }
        uint8_t byte = *at++;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            reader->at = at;
            return value;
        }
    }
    sw_pb_fail(reader, SW_PB_OVERFLOW, reader->at);
    return 0;
}

uint32_t sw_pb_tag(struct sw_pb_reader *reader)
{
    const uint8_t *begin = reader->at;
    uint64_t tag = sw_pb_varint(reader);
    if (SW_UNLIKELY(tag < 8 || tag > UINT32_MAX)) {
        sw_pb_fail(reader, SW_PB_ILLEGAL_FIELD, begin);
        return 0;
    }
    return (uint32_t)tag;
}

void sw_pb_skip(struct sw_pb_reader *reader, uint32_t tag)
{
    switch (tag & 7) {
    case SW_PB_VARINT:
        sw_pb_varint(reader);
        break;
    case SW_PB_I64:
        sw_pb_i64(reader);
        break;
    case SW_PB_LEN:
        sw_pb_len(reader);
        break;
    case SW_PB_I32:
        sw_pb_i32(reader);
        break;
    case SW_PB_START_GROUP:
    case SW_PB_END_GROUP:
        sw_pb_fail(reader, SW_PB_GROUP, reader->at);
        break;
    default:
        sw_pb_fail(reader, SW_PB_ILLEGAL_WIRE, reader->at);
        break;
    }
}

bool sw_pb_next_slow(struct sw_pb_reader *reader, struct sw_pb_field *ret_field)
{
    const uint8_t *begin = reader->at;
    if (begin == reader->end) {
        return false;
    }
    struct sw_pb_field field = {.tag = sw_pb_tag(reader)};
    switch (field.tag & 7) {
    case SW_PB_VARINT:
        field.number = sw_pb_varint(reader);
        break;
    case SW_PB_I64:
        field.number = sw_pb_i64(reader);
        break;
    case SW_PB_LEN:
        field.bytes = sw_pb_len(reader);
        break;
    case SW_PB_I32:
        field.number = sw_pb_i32(reader);
        break;
    default:
        sw_pb_skip(reader, field.tag);
        break;
    }
    if (reader->error != SW_PB_OK) {
        return false;
    }
    field.whole = (struct sw_bytes){begin, (size_t)(reader->at - begin)};
    *ret_field = field;
    return true;
}

size_t sw_pb_gather(struct sw_bytes bytes, uint32_t tag, uint8_t *out)
{
    size_t size = 0;
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, bytes);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag != tag) {
            continue;
        }
        if (out != NULL && field.bytes.size > 0) {
            memcpy(out + size, field.bytes.data, field.bytes.size);
        }
        size += field.bytes.size;
    }
    return size;
}
