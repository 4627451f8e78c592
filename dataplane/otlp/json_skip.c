// Values of names that nobody knows: passed over, but held to JSON's grammar as json-iterator does.
#include "dataplane/otlp/json_read_internal.h"

static bool in_object(const struct sw_json_reader *reader)
{
    uint32_t level = reader->skip_depth - 1;
    return reader->skip_objects[level / 8] >> level % 8 & 1;
}

static enum json_flow enter(struct sw_json_reader *reader, bool is_object)
{
    uint32_t level = reader->skip_depth;
    if (level == READ_SKIP_MAX) {
        return sw_json_fail(reader, "incrementDepth", "exceeded max depth");
    }
    uint8_t bit = (uint8_t)(1u << level % 8);
    uint8_t *bits = &reader->skip_objects[level / 8];
    *bits = is_object ? *bits | bit : *bits & (uint8_t)~bit;
    reader->skip_depth++;
    reader->state = is_object ? SKIP_OBJECT_FIRST : SKIP_ARRAY_FIRST;
    return FLOW_GO;
}

static enum json_flow leave(struct sw_json_reader *reader)
{
    reader->skip_depth--;
    reader->state = SKIP_AFTER;
    return FLOW_GO;
}

static enum json_flow skip_string(struct sw_json_reader *reader, enum json_sink sink)
{
    sw_json_begin_text(reader, sink);
    return FLOW_GO;
}

/* A number that begins with a zero is read as a float32, for better or worse. */
static enum json_flow skip_zero(struct sw_json_reader *reader)
{
    double value;
    reader->at--;
    reader->state = SKIP_AFTER;
    return sw_json_float(reader, true, &value) ? FLOW_GO : FLOW_FAIL;
}

static bool is_number_end(uint8_t byte)
{
    return byte == ',' || byte == ']' || byte == '}' || byte == ' ' || byte == '\t' || byte == '\n'
           || byte == '\r';
}

/* What is not plain digits and a dot is read as a double, and must be one. */
static enum json_flow skip_other_number(struct sw_json_reader *reader)
{
    double value;
    reader->at--;
    reader->at += *reader->at == '-';
    reader->state = SKIP_AFTER;
    if (sw_json_float(reader, false, &value)) {
        return FLOW_GO;
    }
    // It tries once more, as a number of any size, behind what it has read.
    return sw_json_fail(reader, "readNumberAsString", "invalid number");
}

/* A number whose first byte, a digit above zero or a sign, was taken. */
static enum json_flow skip_number(struct sw_json_reader *reader, bool is_negative)
{
    bool dot_found = false;
    size_t left = (size_t)(reader->end - reader->at);
    const uint8_t *most = reader->at + SW_MIN(left, (size_t)SW_JSON_NUMBER_MAX);
    for (const uint8_t *at = reader->at; at < most; at++) {
        if (*at == '.') {
            if (dot_found) {
                return sw_json_fail(reader, "validateNumber", "more than one dot found in number");
            }
            if (at + 1 < reader->end && (at[1] < '0' || at[1] > '9')) {
                return sw_json_fail(reader, "validateNumber", "missing digit after dot");
            }
            dot_found = true;
        } else if (*at < '0' || *at > '9') {
            if (is_number_end(*at) && (at > reader->at || !is_negative)) {
                reader->at = at;
                reader->state = SKIP_AFTER;
                return FLOW_GO;
            }
            break;
        }
    }
    return skip_other_number(reader);
}

static enum json_flow skip_literal(struct sw_json_reader *reader, const char *rest)
{
    reader->state = SKIP_AFTER;
    return sw_json_literal(reader, rest, strlen(rest) == 4 ? "skipFourBytes" : "skipThreeBytes");
}

static enum json_flow skip_value(struct sw_json_reader *reader)
{
    int token = sw_json_token(reader);
    switch (token) {
    case '"':
        return skip_string(reader, SINK_SKIPPED_VALUE);
    case 'n':
        return skip_literal(reader, "ull");
    case 't':
        return skip_literal(reader, "rue");
    case 'f':
        return skip_literal(reader, "alse");
    case '[':
        return enter(reader, false);
    case '{':
        return enter(reader, true);
    case '0':
        return skip_zero(reader);
    case TOKEN_PAUSE:
        return FLOW_PAUSE;
    default:
        if (token == '-' || (token >= '1' && token <= '9')) {
            return skip_number(reader, token == '-');
        }
        return sw_json_fail(reader, "Skip", "do not know how to skip: %d", token >= 0 ? token : 0);
    }
}

static enum json_flow skip_object_first(struct sw_json_reader *reader)
{
    int token = sw_json_token(reader);
    switch (token) {
    case '"':
        return skip_string(reader, SINK_SKIPPED_KEY);
    case '}':
        return leave(reader);
    case TOKEN_PAUSE:
        return FLOW_PAUSE;
    default:
        return sw_json_fail_found(reader, "ReadObjectCB", "expect \" after {", token);
    }
}

static enum json_flow skip_key(struct sw_json_reader *reader)
{
    int token = sw_json_token(reader);
    switch (token) {
    case '"':
        return skip_string(reader, SINK_SKIPPED_KEY);
    case 'n':
        reader->state = SKIP_COLON;
        return sw_json_literal(reader, "ull", "skipThreeBytes");
    case TOKEN_PAUSE:
        return FLOW_PAUSE;
    default:
        return sw_json_fail_found(reader, "ReadString", "expects \" or n", token);
    }
}

static enum json_flow skip_colon(struct sw_json_reader *reader)
{
    int token = sw_json_token(reader);
    if (token == TOKEN_PAUSE) {
        return FLOW_PAUSE;
    }
    if (token != ':') {
        return sw_json_fail_found(reader, "ReadObject", "expect : after object field", token);
    }
    reader->state = SKIP_VALUE;
    return FLOW_GO;
}

static enum json_flow skip_array_first(struct sw_json_reader *reader)
{
    int token = sw_json_peek(reader);
    if (token == TOKEN_PAUSE) {
        return FLOW_PAUSE;
    }
    if (token == ']') {
        reader->at++;
        return leave(reader);
    }
    reader->state = SKIP_VALUE;
    return FLOW_GO;
}

static enum json_flow skip_after(struct sw_json_reader *reader)
{
    if (reader->skip_depth == 0) {
        reader->state = READ_OBJECT;
        return FLOW_GO;
    }
    bool is_object = in_object(reader);
    int token = sw_json_token(reader);
    if (token == ',') {
        reader->state = is_object ? SKIP_KEY : SKIP_VALUE;
        return FLOW_GO;
    }
    if (token == (is_object ? '}' : ']')) {
        return leave(reader);
    }
    if (token == TOKEN_PAUSE) {
        return FLOW_PAUSE;
    }
    if (is_object) {
        return sw_json_fail(reader, "ReadObjectCB", "object not ended with }");
    }
    return sw_json_fail_found(reader, "ReadArrayCB", "expect ] in the end", token);
}

enum json_flow sw_json_skip(struct sw_json_reader *reader)
{
    switch (reader->state) {
    case SKIP_VALUE:
        return skip_value(reader);
    case SKIP_OBJECT_FIRST:
        return skip_object_first(reader);
    case SKIP_KEY:
        return skip_key(reader);
    case SKIP_COLON:
        return skip_colon(reader);
    case SKIP_ARRAY_FIRST:
        return skip_array_first(reader);
    default:
        return skip_after(reader);
    }
}
