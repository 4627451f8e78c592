// Numbers, bools and enums: as numbers, as strings, as names. Where the Collector takes either, it looks
// at the first byte, and so do we; a null is none of them.
#include "dataplane/otlp/json_float_internal.h"
#include "dataplane/otlp/json_read_internal.h"

#include <float.h>
#include <inttypes.h>

/* What the Collector calls the reading of an integer of this type. */
struct integer {
    const char *operation;
    const char *unsigned_operation; // json-iterator's, of the digits
    uint64_t most;                  // of the digits, before the sign
    bool is_signed;
};

static const struct integer *integer_of(uint8_t type)
{
    static const struct integer integers[] = {
        {"ReadInt32", "readUint32", UINT32_MAX, true},
        {"ReadUint32", "readUint32", UINT32_MAX, false},
        {"ReadInt64", "readUint64", UINT64_MAX, true},
        {"ReadUint64", "readUint64", UINT64_MAX, false},
    };
    switch (type) {
    case SW_JSON_ENUM:
    case SW_JSON_INT32:
    case SW_JSON_SINT32:
        return &integers[0];
    case SW_JSON_UINT32:
    case SW_JSON_FIXED32:
        return &integers[1];
    case SW_JSON_INT64:
    case SW_JSON_SFIXED64:
        return &integers[2];
    default:
        return &integers[3];
    }
}

static inline uint8_t *put_i64(uint8_t *to, uint64_t value)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    memcpy(to, &value, 8);
    return to + 8;
}

/* Writes the field at hand: the value as 64 bits, negative ones sign-extended. */
static enum json_flow put_number(struct sw_json_reader *reader, uint64_t value)
{
    const struct sw_json_field *field = sw_json_field_of(sw_json_top(reader));
    if (sw_json_default(reader, value == 0)) {
        return sw_json_value_done(reader);
    }
    if ((field->flags & SW_JSON_REPEATED) == 0) {
        sw_json_put_tag(reader);
    } else if (!reader->packed) {
        // Unpacked elements have the tag of the bare type.
        uint32_t wire = field->type == SW_JSON_UINT64 ? SW_PB_VARINT : SW_PB_I64;
        reader->out.to = sw_pb_put_varint(reader->out.to, SW_PB_TAG(field->number, wire));
    }
    switch (field->type) {
    case SW_JSON_DOUBLE:
    case SW_JSON_FIXED64:
    case SW_JSON_SFIXED64:
        reader->out.to = put_i64(reader->out.to, value);
        break;
    case SW_JSON_FIXED32:
        put_i64(reader->out.to, value);
        reader->out.to += 4;
        break;
    case SW_JSON_SINT32: {
        uint32_t bits = (uint32_t)value;
        reader->out.to = sw_pb_put_varint(reader->out.to, (bits << 1) ^ (0u - (bits >> 31)));
        break;
    }
    default:
        reader->out.to = sw_pb_put_varint(reader->out.to, value);
        break;
    }
    return sw_json_value_done(reader);
}

/* ---- integers ---- */

/* Digits whose first, `token`, was taken. False: fault noted. */
static bool read_digits(
    struct sw_json_reader *reader,
    const struct integer *integer,
    int token,
    uint64_t *ret_value
)
{
    const uint8_t *at = reader->at;
    unsigned digit = (unsigned)token - '0';
    if (digit > 9) {
        // It shows the number that marks bytes which are no digits: no UTF-8.
        sw_json_fail(reader, integer->unsigned_operation, "unexpected character: \xff");
        return false;
    }
    uint64_t value = digit;
    while (value != 0 && at < reader->end && (digit = (unsigned)*at - '0') <= 9) {
        if (value > (integer->most - digit) / 10) {
            // Its head has moved by then where it reads the first digits in one go.
            reader->at += reader->end - reader->at > 10 ? 7 : 0;
            sw_json_fail(reader, integer->unsigned_operation, "overflow");
            return false;
        }
        value = value * 10 + digit;
        at++;
    }
    reader->at = at;
    if (at < reader->end && *at == '.') {
        sw_json_fail(reader, "assertInteger", "can not decode float as int");
        return false;
    }
    *ret_value = value;
    return true;
}

/* An integer as a number; its first byte was looked at only. */
static enum json_flow read_number(struct sw_json_reader *reader, const struct integer *integer)
{
    uint64_t value;
    int token = *reader->at++;
    bool is_negative = integer->is_signed && token == '-';
    if (is_negative) {
        token = reader->at < reader->end ? *reader->at++ : 0;
    }
    if (!read_digits(reader, integer, token, &value)) {
        return FLOW_FAIL;
    }
    if (integer->is_signed && value > integer->most / 2 + is_negative) {
        return sw_json_fail(reader, integer->operation, "overflow: %" PRIu64, value);
    }
    return put_number(reader, is_negative ? 0 - value : value);
}

enum json_flow sw_json_read_integer(struct sw_json_reader *reader)
{
    uint8_t type = sw_json_field_of(sw_json_top(reader))->type;
    const struct integer *integer = integer_of(type);
    int token = sw_json_peek(reader);
    if (token == '"') {
        const uint8_t *at = ++reader->at;
        uint64_t value = 0;
        unsigned digit;
        // Nineteen digits always fit.
        const uint8_t *most = at + SW_MIN(reader->end - at, 19);
        while (at < most && (digit = (unsigned)*at - '0') <= 9) {
            value = value * 10 + digit;
            at++;
        }
        uint64_t limit = integer->is_signed ? integer->most / 2 : integer->most;
        bool is_plain = at > reader->at && at < reader->end && *at == '"' && value <= limit;
        if (SW_LIKELY(is_plain && type != SW_JSON_ENUM)) {
            reader->at = at + 1;
            return put_number(reader, value);
        }
        sw_json_begin_text(reader, SINK_NUMBER);
        return FLOW_GO;
    }
    if (token == '-' || (token >= '0' && token <= '9')) {
        return read_number(reader, integer);
    }
    if (token == TOKEN_PAUSE) {
        return FLOW_PAUSE;
    }
    return sw_json_fail(
        reader,
        type == SW_JSON_ENUM ? "ReadEnumValue" : integer->operation,
        "unsupported value type"
    );
}

/* ---- doubles, bools ---- */

/* A number without sign and exponent, of at most 15 digits, that ends clearly: its digits are exact in a
 * double and so are powers of ten, so one division rounds right. False: it is something else. */
static bool read_short(struct sw_json_reader *reader, double *ret_value)
{
    static const double powers[] = {
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    const uint8_t *at = reader->at;
    const uint8_t *most = at + SW_MIN(reader->end - at, 16);
    const uint8_t *dot = NULL;
    uint64_t digits = 0;
    for (; at < most; at++) {
        unsigned digit = (unsigned)*at - '0';
        if (digit <= 9) {
            digits = digits * 10 + digit;
        } else if (*at == '.' && dot == NULL) {
            dot = at;
        } else {
            break;
        }
    }
    bool ends = at < most && (*at == ',' || *at == ']' || *at == '}');
    bool leads = at - reader->at > 1 && reader->at[0] == '0' && dot != reader->at + 1;
    if (!ends || leads || at == reader->at || dot == reader->at || dot == at - 1) {
        return false;
    }
    *ret_value = (double)digits / powers[dot != NULL ? at - dot - 1 : 0];
    reader->at = at;
    return true;
}

enum json_flow sw_json_read_double(struct sw_json_reader *reader)
{
    int token = sw_json_peek(reader);
    if (token == '"') {
        reader->at++;
        sw_json_begin_text(reader, SINK_NUMBER);
        return FLOW_GO;
    }
    if (token == '-' || (token >= '0' && token <= '9')) {
        double value;
        uint64_t bits;
        bool is_negative = token == '-';
        reader->at += is_negative;
        if (!read_short(reader, &value) && !sw_json_float(reader, false, &value)) {
            return FLOW_FAIL;
        }
        value = is_negative ? -value : value;
        memcpy(&bits, &value, sizeof(bits));
        return put_number(reader, bits);
    }
    if (token == TOKEN_PAUSE) {
        return FLOW_PAUSE;
    }
    // "ReadUint64" is what the Collector says of doubles.
    return sw_json_fail(reader, "ReadUint64", "unsupported value type");
}

enum json_flow sw_json_read_bool(struct sw_json_reader *reader)
{
    int token = sw_json_token(reader);
    if (token == 't' || token == 'f') {
        enum json_flow flow = token == 't' ? sw_json_literal(reader, "rue", "skipThreeBytes")
                                           : sw_json_literal(reader, "alse", "skipFourBytes");
        return flow == FLOW_GO ? put_number(reader, token == 't') : flow;
    }
    if (token == TOKEN_PAUSE) {
        return FLOW_PAUSE;
    }
    return sw_json_fail_found(reader, "ReadBool", "expect t or f", token);
}

static bool fail_float(struct sw_json_reader *reader, bool is_single, const char *text)
{
    char operation[32] = "readFloat64SlowPath";
    operation[9] = is_single ? '3' : '6';
    operation[10] = is_single ? '2' : '4';
    sw_json_fail(reader, operation, "%s", text);
    return false;
}

/* The characters that may stand in a number. */
static struct sw_bytes number_text(const struct sw_json_reader *reader)
{
    const uint8_t *at = reader->at;
    while (at < reader->end && at - reader->at <= SW_JSON_NUMBER_MAX
           && ((*at >= '0' && *at <= '9') || *at == '.' || *at == '-' || *at == '+'
               || (*at | 0x20) == 'e')) {
        at++;
    }
    return (struct sw_bytes){reader->at, (size_t)(at - reader->at)};
}

bool sw_json_float(struct sw_json_reader *reader, bool is_single, double *ret_value)
{
    struct sw_bytes text = number_text(reader);
    const char *fast = is_single ? "readFloat32" : "readFloat64";
    const uint8_t *digits = text.data;
    uint8_t first = reader->at < reader->end ? *reader->at : 0;
    if (text.size == 0) {
        bool is_end = first != 0 && strchr(",]} \t\n", first) != NULL;
        sw_json_fail(
            reader, is_end ? fast : "readNumberAsString", is_end ? "empty number" : "invalid number"
        );
        return false;
    }
    if (first == '.' || (first == '0' && text.size > 1 && digits[1] >= '0' && digits[1] <= '9')) {
        sw_json_fail(
            reader, fast, first == '.' ? "leading dot is invalid" : "leading zero is invalid"
        );
        return false;
    }
    reader->at += text.size;
    if (first == '-') {
        return fail_float(reader, is_single, "-- is not valid");
    }
    const uint8_t *dot = memchr(digits, '.', text.size);
    if (dot != NULL && dot + 1 == digits + text.size) {
        return fail_float(reader, is_single, "dot can not be last character");
    }
    if (dot != NULL && (dot[1] < '0' || dot[1] > '9')) {
        return fail_float(reader, is_single, "missing digit after dot");
    }
    double value;
    enum sw_float_result result = sw_float_parse_decimal(text, &value);
    // What rounds to more than the largest float.
    if (result == SW_FLOAT_OK && is_single && value >= 0x1.ffffffp127) {
        result = SW_FLOAT_RANGE;
    }
    if (result != SW_FLOAT_OK || text.size > SW_JSON_NUMBER_MAX) {
        sw_json_fail_number(reader, NULL, "ParseFloat", text, result != SW_FLOAT_SYNTAX);
        return false;
    }
    *ret_value = value;
    return true;
}

/* ---- strings that are numbers or names ---- */

/* As strconv.ParseInt and ParseUint, base 10: what comes first, a byte that is no digit or a value out of
 * range, is the error. */
static enum sw_float_result
parse_integer(struct sw_bytes text, const struct integer *integer, uint64_t *ret_value)
{
    const uint8_t *at = text.data;
    const uint8_t *end = at + text.size;
    bool is_negative = false;
    if (integer->is_signed && at < end && (*at == '-' || *at == '+')) {
        is_negative = *at++ == '-';
    }
    if (at == end) {
        return SW_FLOAT_SYNTAX;
    }
    uint64_t value = 0;
    bool is_over = false;
    for (; at < end && !is_over; at++) {
        unsigned digit = (unsigned)*at - '0';
        if (digit > 9) {
            return SW_FLOAT_SYNTAX;
        }
        is_over = value > (integer->most - digit) / 10;
        value = value * 10 + digit;
    }
    if (is_over || (integer->is_signed && value > integer->most / 2 + is_negative)) {
        return SW_FLOAT_RANGE;
    }
    *ret_value = is_negative ? 0 - value : value;
    return SW_FLOAT_OK;
}

static enum json_flow read_enum_name(
    struct sw_json_reader *reader,
    const struct sw_json_field *field,
    struct sw_bytes text
)
{
    const struct sw_json_enum *names = &sw_json_enums[field->of];
    // The Collector's name of this one ends in a blank (pdata/internal/generated_enum_severitynumber.go).
    static const char odd[] = "SEVERITY_NUMBER_TRACE ";
    if (field->of == SW_JSON_SEVERITY && sw_bytes_equal(text, SW_BYTES(odd))) {
        text.size--;
    }
    for (uint8_t i = 0; i < names->count; i++) {
        const char *name = names->names[i];
        if (strlen(name) == text.size && memcmp(name, text.data, text.size) == 0) {
            return put_number(reader, i);
        }
    }
    return sw_json_fail(reader, "ReadEnumValue", "unknown string value");
}

enum json_flow sw_json_read_number_text(struct sw_json_reader *reader)
{
    const struct sw_json_field *field = sw_json_field_of(sw_json_top(reader));
    struct sw_bytes text = {(const uint8_t *)reader->scratch, reader->text.kept};
    enum sw_float_result result = SW_FLOAT_SYNTAX;
    uint64_t value = 0;
    if (field->type == SW_JSON_ENUM) {
        return read_enum_name(reader, field, text);
    }
    if (field->type == SW_JSON_DOUBLE) {
        double number = 0;
        if (text.size <= SW_JSON_NUMBER_MAX) {
            result = sw_float_parse(text, &number);
        }
        memcpy(&value, &number, sizeof(value));
        return result == SW_FLOAT_OK
                   ? put_number(reader, value)
                   : sw_json_fail_number(
                       reader, "ReadUint64", "ParseFloat", text, result == SW_FLOAT_RANGE
                   );
    }
    const struct integer *integer = integer_of(field->type);
    if (text.size <= SW_JSON_NUMBER_MAX) {
        result = parse_integer(text, integer, &value);
    }
    return result == SW_FLOAT_OK ? put_number(reader, value)
                                 : sw_json_fail_number(
                                     reader,
                                     integer->operation,
                                     integer->is_signed ? "ParseInt" : "ParseUint",
                                     text,
                                     result == SW_FLOAT_RANGE
                                 );
}
