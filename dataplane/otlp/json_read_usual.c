// Attributes in their usual form, which is most of what telemetry is made of: recognised at a glance, written
// without frames. Whatever is not so to the byte is left where it stands, for the machine to read.
#include "dataplane/otlp/json_read_internal.h"
#include "dataplane/otlp/json_text_internal.h"

enum {
    KEY_MAX = 127,    // a length of one byte
    INTEGER_MAX = 18, // digits that always fit
};

struct usual {
    const uint8_t *at;
    const uint8_t *end;
};

/* Takes these bytes, if they come next. */
#define TAKE(usual, literal)                                                                       \
    ((size_t)((usual)->end - (usual)->at) >= sizeof(literal) - 1                                   \
     && memcmp((usual)->at, literal, sizeof(literal) - 1) == 0                                     \
     && ((usual)->at += sizeof(literal) - 1, true))

/* Some writers put a blank behind colons and commas. */
static inline void skip_blank(struct usual *usual)
{
    usual->at += usual->at < usual->end && *usual->at == ' ';
}

/* A text without escapes, behind its quote. */
static inline bool take_text(struct usual *usual, size_t most, struct sw_bytes *ret_text)
{
    const uint8_t *begin = usual->at;
    size_t left = (size_t)(usual->end - begin);
    const uint8_t *stop = sw_json_clean_end(begin, begin + SW_MIN(left, most + 1));
    size_t size = (size_t)(stop - begin);
    if (size > most || size == left || *stop != '"') {
        return false;
    }
    *ret_text = (struct sw_bytes){begin, size};
    usual->at = stop + 1;
    return true;
}

/* A whole number that is not negative; quotes around it or none. */
static inline bool take_integer(struct usual *usual, uint64_t *ret_value)
{
    bool is_quoted = TAKE(usual, "\"");
    const uint8_t *begin = usual->at;
    const uint8_t *most = begin + SW_MIN(usual->end - begin, INTEGER_MAX);
    uint64_t value = 0;
    unsigned digit;
    while (usual->at < most && (digit = (unsigned)*usual->at - '0') <= 9) {
        value = value * 10 + digit;
        usual->at++;
    }
    if (usual->at == begin || (*begin == '0' && usual->at - begin > 1)) {
        return false;
    }
    *ret_value = value;
    return !is_quoted || TAKE(usual, "\"");
}

/* An AnyValue's member behind its first quote: a head (tag, and a number or a length) of `*ret_size` bytes
 * and perhaps a text. */
static inline bool
take_value(struct usual *usual, uint8_t *head, size_t *ret_size, struct sw_bytes *ret_text)
{
    uint8_t *out = head;
    if (TAKE(usual, "stringValue\":")) {
        skip_blank(usual);
        if (!TAKE(usual, "\"") || !take_text(usual, READ_WINDOW, ret_text)) {
            return false;
        }
        out = sw_pb_put_head(out, SW_PB_TAG(1, SW_PB_LEN), ret_text->size);
    } else if (TAKE(usual, "intValue\":")) {
        uint64_t value;
        skip_blank(usual);
        if (!take_integer(usual, &value)) {
            return false;
        }
        *out++ = SW_PB_TAG(3, SW_PB_VARINT);
        out = sw_pb_put_varint(out, value);
    } else if (TAKE(usual, "boolValue\":")) {
        skip_blank(usual);
        bool is_true = TAKE(usual, "true");
        if (!is_true && !TAKE(usual, "false")) {
            return false;
        }
        *out++ = SW_PB_TAG(2, SW_PB_VARINT);
        *out++ = is_true;
    } else {
        return false;
    }
    *ret_size = (size_t)(out - head);
    return true;
}

/* One {"key":"…","value":{"…Value":…}}. False: it is something else, and nothing has changed. */
static inline bool read_attribute(
    struct sw_json_reader *reader,
    struct usual *usual,
    const struct sw_json_field *field
)
{
    struct sw_bytes key;
    struct sw_bytes text = {.data = NULL, .size = 0};
    uint8_t head[16];
    size_t head_size;
    if (!TAKE(usual, "{\"key\":")) {
        return false;
    }
    skip_blank(usual);
    if (!TAKE(usual, "\"") || !take_text(usual, KEY_MAX, &key) || !TAKE(usual, ",")) {
        return false;
    }
    skip_blank(usual);
    if (!TAKE(usual, "\"value\":")) {
        return false;
    }
    skip_blank(usual);
    if (!TAKE(usual, "{\"") || !take_value(usual, head, &head_size, &text) || !TAKE(usual, "}}")) {
        return false;
    }
    size_t value_size = head_size + text.size;
    size_t key_size = key.size > 0 ? 2 + key.size : 0; // an empty one is left out
    size_t size = key_size + sw_pb_len_size(SW_PB_TAG(2, SW_PB_LEN), value_size);
    if (sw_json_out_room(&reader->out) < size + JSON_ROOM) {
        return false;
    }
    uint8_t *out = reader->out.to;
    *out++ = field->tag[0];
    out = sw_pb_put_varint(out, size);
    if (key.size > 0) {
        *out++ = SW_PB_TAG(1, SW_PB_LEN);
        *out++ = (uint8_t)key.size;
        memcpy(out, key.data, key.size);
        out += key.size;
    }
    out = sw_pb_put_head(out, SW_PB_TAG(2, SW_PB_LEN), value_size);
    memcpy(out, head, head_size);
    out += head_size;
    if (text.size > 0) {
        memcpy(out, text.data, text.size);
    }
    reader->out.to = out + text.size;
    return true;
}

bool sw_json_read_attributes(struct sw_json_reader *reader, const struct sw_json_field *field)
{
    struct usual usual = {reader->at, reader->end};
    bool has_read = false;
    if (reader->depth + 2 > SW_OTLP_DEPTH_MAX || field->tag_size > 1) {
        return false;
    }
    do {
        if (has_read) {
            usual.at++; // the comma
        }
        skip_blank(&usual);
        if (!read_attribute(reader, &usual, field)) {
            break;
        }
        has_read = true;
        reader->at = usual.at;
        reader->state = READ_ARRAY;
    } while (usual.at < reader->limit && usual.at < reader->end && *usual.at == ',');
    return has_read;
}
