// Values as the Collector's marshaler (v0.159 pdata/internal/json/stream.go) writes them.
#include "dataplane/otlp/json_float_internal.h"
#include "dataplane/otlp/json_text_internal.h"
#include "dataplane/otlp/json_write_internal.h"

#include <math.h>

static const char hex[] = "0123456789abcdef";

static void put(struct sw_json_writer *writer, const void *data, size_t size)
{
    memcpy(writer->out.to, data, size);
    writer->out.to += size;
}

void sw_json_put_name(struct sw_json_writer *writer, const struct sw_json_field *field)
{
    struct write_frame *frame = sw_json_write_top(writer);
    if (frame->has_members) {
        sw_json_put_char(writer, ',');
    }
    frame->has_members = true;
    sw_json_put_char(writer, '"');
    put(writer, field->camel, field->camel_size); // with its quote
    sw_json_put_char(writer, ':');
}

/* ---- numbers ---- */

static void put_unsigned(struct sw_json_writer *writer, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    put(writer, digits + at, sizeof(digits) - at);
}

static void put_signed(struct sw_json_writer *writer, int64_t value)
{
    if (value < 0) {
        sw_json_put_char(writer, '-');
    }
    put_unsigned(writer, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

static void put_double(struct sw_json_writer *writer, uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    if (isnan(value)) {
        put(writer, "\"NaN\"", 5);
    } else if (isinf(value)) {
        const char *text = value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
        put(writer, text, strlen(text));
    } else {
        size_t size = sw_float_format(value, (char *)writer->out.to);
        writer->out.to += size;
        writer->spent += size > WRITE_LONG_DOUBLE ? WRITE_DOUBLE_COST : 0;
    }
}

/* The wire value of a number. */
static uint64_t read_number(uint8_t type, struct sw_pb_reader *reader)
{
    switch (type) {
    case SW_JSON_DOUBLE:
    case SW_JSON_FIXED64:
    case SW_JSON_SFIXED64:
        return sw_pb_i64(reader);
    case SW_JSON_FIXED32:
        return sw_pb_i32(reader);
    default:
        return sw_pb_varint(reader);
    }
}

bool sw_json_is_default(const struct sw_json_field *field, struct sw_pb_reader reader)
{
    if (field->flags & (SW_JSON_ONEOF | SW_JSON_PRESENCE)) {
        return false;
    }
    if (field->type == SW_JSON_STRING || field->type == SW_JSON_BYTES) {
        return sw_pb_len(&reader).size == 0;
    }
    if (field->type == SW_JSON_TRACE_ID || field->type == SW_JSON_SPAN_ID) {
        struct sw_bytes id = sw_pb_len(&reader);
        uint8_t bits = 0;
        for (size_t i = 0; i < id.size; i++) {
            bits |= id.data[i];
        }
        return bits == 0;
    }
    uint64_t value = read_number(field->type, &reader);
    switch (field->type) {
    case SW_JSON_DOUBLE:
        return value << 1 == 0; // minus zero as well
    case SW_JSON_BOOL:
    case SW_JSON_FIXED64:
    case SW_JSON_SFIXED64:
    case SW_JSON_INT64:
    case SW_JSON_UINT64:
        return value == 0;
    case SW_JSON_SINT32:
        return (uint32_t)(value >> 1 ^ (0 - (value & 1))) == 0;
    default:
        return (uint32_t)value == 0;
    }
}

static bool put_id(struct sw_json_writer *writer, uint8_t type, struct sw_pb_reader *reader)
{
    struct sw_bytes id = sw_pb_len(reader);
    if (id.size != (type == SW_JSON_TRACE_ID ? 16 : 8)) {
        return false;
    }
    sw_json_put_char(writer, '"');
    for (size_t i = 0; i < id.size; i++) {
        sw_json_put_char(writer, hex[id.data[i] >> 4]);
        sw_json_put_char(writer, hex[id.data[i] & 15]);
    }
    sw_json_put_char(writer, '"');
    return true;
}

bool sw_json_put_value(struct sw_json_writer *writer, uint8_t type, struct sw_pb_reader *reader)
{
    if (type == SW_JSON_TRACE_ID || type == SW_JSON_SPAN_ID) {
        return put_id(writer, type, reader);
    }
    uint64_t value = read_number(type, reader);
    switch (type) {
    case SW_JSON_DOUBLE:
        put_double(writer, value);
        break;
    case SW_JSON_BOOL:
        put(writer, value != 0 ? "true" : "false", value != 0 ? 4 : 5);
        break;
    case SW_JSON_ENUM:
    case SW_JSON_INT32:
        put_signed(writer, (int32_t)(uint32_t)value);
        break;
    case SW_JSON_SINT32:
        // Bit 32 of a varint that is too long takes part, as in the Collector.
        value = value >> 1 ^ (0 - (value & 1));
        put_signed(writer, (int32_t)(uint32_t)value);
        break;
    case SW_JSON_UINT32:
    case SW_JSON_FIXED32:
        put_unsigned(writer, (uint32_t)value);
        break;
    case SW_JSON_INT64:
    case SW_JSON_SFIXED64:
        sw_json_put_char(writer, '"');
        put_signed(writer, (int64_t)value);
        sw_json_put_char(writer, '"');
        break;
    default:
        sw_json_put_char(writer, '"');
        put_unsigned(writer, value);
        sw_json_put_char(writer, '"');
        break;
    }
    return sw_pb_status(reader) == SW_OK;
}

/* ---- texts ---- */

void sw_json_begin_write(
    struct sw_json_writer *writer,
    enum write_state state,
    struct sw_bytes text,
    bool in_list
)
{
    sw_json_put_char(writer, '"');
    writer->text = text.data;
    writer->text_end = text.size > 0 ? text.data + text.size : text.data;
    writer->in_list = in_list;
    writer->state = (uint8_t)state;
}

static void end_text(struct sw_json_writer *writer)
{
    sw_json_put_char(writer, '"');
    writer->state = writer->in_list ? WRITE_LIST : WRITE_MEMBERS;
}

static void put_escape(struct sw_json_writer *writer, uint8_t byte)
{
    sw_json_put_char(writer, '\\');
    switch (byte) {
    case '"':
    case '\\':
        sw_json_put_char(writer, (char)byte);
        break;
    case '\n':
        sw_json_put_char(writer, 'n');
        break;
    case '\r':
        sw_json_put_char(writer, 'r');
        break;
    case '\t':
        sw_json_put_char(writer, 't');
        break;
    default:
        put(writer, "u00", 3);
        sw_json_put_char(writer, hex[byte >> 4]);
        sw_json_put_char(writer, hex[byte & 15]);
        break;
    }
}

void sw_json_write_text(struct sw_json_writer *writer)
{
    size_t window = SW_MIN((size_t)(writer->text_end - writer->text), (size_t)WRITE_TEXT_SLICE);
    if (sw_json_out_room(&writer->out) < window + JSON_ROOM) {
        writer->out.need = window;
        return;
    }
    const uint8_t *stop = writer->text + window;
    const uint8_t *clean = sw_json_clean_end(writer->text, stop);
    put(writer, writer->text, (size_t)(clean - writer->text));
    writer->text = clean;
    // Some escapes while there is room for them; the rest when the state is entered again.
    for (unsigned i = 0; i < 8 && writer->text < stop && sw_json_is_special(*writer->text); i++) {
        put_escape(writer, *writer->text++);
    }
    if (writer->text == writer->text_end) {
        end_text(writer);
    }
}

static void put_base64(struct sw_json_writer *writer, const uint8_t *from, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = (uint32_t)from[0] << 16;
    bits |= size > 1 ? (uint32_t)from[1] << 8 : 0;
    bits |= size > 2 ? from[2] : 0;
    sw_json_put_char(writer, digits[bits >> 18]);
    sw_json_put_char(writer, digits[bits >> 12 & 63]);
    sw_json_put_char(writer, size > 1 ? digits[bits >> 6 & 63] : '=');
    sw_json_put_char(writer, size > 2 ? digits[bits & 63] : '=');
}

void sw_json_write_base64(struct sw_json_writer *writer)
{
    size_t window = SW_MIN((size_t)(writer->text_end - writer->text), (size_t)WRITE_TEXT_SLICE);
    if (sw_json_out_room(&writer->out) < 2 * window + JSON_ROOM) {
        writer->out.need = 2 * window;
        return;
    }
    while (window > 0) {
        size_t left = (size_t)(writer->text_end - writer->text);
        size_t size = SW_MIN(left, 3);
        put_base64(writer, writer->text, size);
        writer->text += size;
        window -= SW_MIN(window, size);
    }
    if (writer->text == writer->text_end) {
        end_text(writer);
    }
}
