// IDs in hex, bytes in base64. Both are read as raw text up to the next quote: no escapes, and no null.
#include "dataplane/otlp/json_read_internal.h"

#include <stdio.h>

enum {
    NO_DIGIT = 0xff,
};

static inline uint8_t hex_digit(uint8_t byte)
{
    // clang-format off
    static const uint8_t digits[256] = {
        ['0'] = 0x10, ['1'] = 0x11, ['2'] = 0x12, ['3'] = 0x13, ['4'] = 0x14,
        ['5'] = 0x15, ['6'] = 0x16, ['7'] = 0x17, ['8'] = 0x18, ['9'] = 0x19,
        ['a'] = 0x1a, ['b'] = 0x1b, ['c'] = 0x1c, ['d'] = 0x1d, ['e'] = 0x1e, ['f'] = 0x1f,
        ['A'] = 0x1a, ['B'] = 0x1b, ['C'] = 0x1c, ['D'] = 0x1d, ['E'] = 0x1e, ['F'] = 0x1f,
    };
    // clang-format on
    return digits[byte]; // 0x10 marks a digit
}

/* A byte as Go's %#U shows it: Latin-1 that can be printed, in UTF-8. */
static enum json_flow fail_digit(struct sw_json_reader *reader, uint8_t byte)
{
    char shown[8] = "";
    if (byte >= 0x20 && byte < 0x7f) {
        snprintf(shown, sizeof(shown), " '%c'", byte);
    } else if (byte > 0xa0 && byte != 0xad) {
        snprintf(shown, sizeof(shown), " '%c%c'", 0xc0 | byte >> 6, 0x80 | (byte & 0x3f));
    }
    return sw_json_fail(
        reader, "ID.UnmarshalJSONIter", "encoding/hex: invalid byte: U+%04X%s", byte, shown
    );
}

/* An ID that is not of the usual form: says why. The head is behind the text. */
static enum json_flow fail_id(struct sw_json_reader *reader, const uint8_t *text, uint32_t size)
{
    const uint8_t *quote = memchr(text, '"', (size_t)(reader->end - text));
    const uint8_t *end = quote != NULL ? quote : reader->end;
    reader->at = quote != NULL ? quote + 1 : reader->end;
    // Where the document ends without the quote, json-iterator adds a NUL to the text.
    size_t text_size = (size_t)(end - text) + (quote == NULL);
    if (text_size / 2 != size) {
        return sw_json_fail(reader, "ID.UnmarshalJSONIter", "length mismatch");
    }
    for (const uint8_t *at = text; at < end; at++) {
        if (hex_digit(*at) == 0) {
            return fail_digit(reader, *at);
        }
    }
    if (quote == NULL) {
        return fail_digit(reader, 0);
    }
    return sw_json_fail(reader, "ID.UnmarshalJSONIter", "encoding/hex: odd length hex string");
}

enum json_flow sw_json_read_id(struct sw_json_reader *reader, uint32_t size)
{
    int token = sw_json_token(reader);
    if (SW_UNLIKELY(token != '"')) {
        if (token == TOKEN_PAUSE) {
            return FLOW_PAUSE;
        }
        return sw_json_fail_found(reader, "ReadStringAsSlice", "expects \" or n", token);
    }
    const uint8_t *text = reader->at;
    size_t left = (size_t)(reader->end - text);
    if (left > 0 && *text == '"') {
        reader->at++;
        if (!sw_json_default(reader, true)) {
            sw_json_put_tag(reader);
            *reader->out.to++ = 0;
        }
        return sw_json_value_done(reader);
    }
    if (left <= 2 * (size_t)size || text[2 * size] != '"') {
        return fail_id(reader, text, size);
    }
    sw_json_put_tag(reader);
    *reader->out.to++ = (uint8_t)size;
    uint8_t digits = 0x10;
    for (uint32_t i = 0; i < size; i++) {
        uint8_t high = hex_digit(text[2 * i]);
        uint8_t low = hex_digit(text[2 * i + 1]);
        digits &= high & low;
        reader->out.to[i] = (uint8_t)(high << 4 | (low & 0x0f));
    }
    if (SW_UNLIKELY(digits == 0)) {
        return fail_id(reader, text, size);
    }
    reader->out.to += size;
    reader->at = text + 2 * size + 1;
    return sw_json_value_done(reader);
}

/* ---- base64 ---- */

enum {
    PHASE_GROUPS,
    PHASE_PADDING, // the second '='
    PHASE_END,
    BASE64_SLICE = 1024,
};

static uint8_t base64_digit(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z') {
        return byte - 'A';
    }
    if (byte >= 'a' && byte <= 'z') {
        return (uint8_t)(byte - 'a' + 26);
    }
    if (byte >= '0' && byte <= '9') {
        return (uint8_t)(byte - '0' + 52);
    }
    return byte == '+' ? 62 : byte == '/' ? 63 : NO_DIGIT;
}

enum json_flow sw_json_begin_base64(struct sw_json_reader *reader)
{
    int token = sw_json_token(reader);
    if (token != '"') {
        if (token == TOKEN_PAUSE) {
            return FLOW_PAUSE;
        }
        return sw_json_fail_found(reader, "ReadStringAsSlice", "expects \" or n", token);
    }
    sw_json_put_tag(reader);
    sw_json_begin_text(reader, SINK_OUT);
    reader->text.length_at = sw_json_written(reader);
    reader->text.reserved = 1;
    reader->out.to++;
    reader->state = READ_BASE64;
    return FLOW_GO;
}

static enum json_flow fail_base64(struct sw_json_reader *reader, size_t index)
{
    const uint8_t *quote = memchr(reader->at, '"', (size_t)(reader->end - reader->at));
    reader->at = quote != NULL ? quote + 1 : reader->end;
    return sw_json_fail(reader, "base64.Decode", "illegal base64 data at input byte %zu", index);
}

/* The bits of a group of 2, 3 or 4 digits. */
static void put_group(struct sw_json_reader *reader)
{
    struct json_text *text = &reader->text;
    uint32_t bits = text->bits << 6 * (4 - text->quantum);
    for (unsigned i = 1; i < text->quantum; i++) {
        *reader->out.to++ = (uint8_t)(bits >> 16);
        bits <<= 8;
    }
    text->bits = 0;
    text->quantum = 0;
}

/* At the quote. */
static enum json_flow end_base64(struct sw_json_reader *reader)
{
    struct json_text *text = &reader->text;
    size_t size = (size_t)(reader->at - reader->begin) - text->begin;
    if (text->phase == PHASE_PADDING || text->quantum > 0) {
        return fail_base64(reader, size - text->quantum);
    }
    reader->at++;
    sw_json_value_done(reader);
    return sw_json_end_length(reader, text->length_at, text->reserved, reader->state);
}

/* One character of the text that is no quote. False: it is at fault. */
static bool base64_character(struct sw_json_reader *reader, uint8_t byte)
{
    struct json_text *text = &reader->text;
    if (byte == '\n' || byte == '\r') {
        return true;
    }
    if (text->phase == PHASE_GROUPS) {
        uint8_t digit = base64_digit(byte);
        if (digit != NO_DIGIT) {
            text->bits = text->bits << 6 | digit;
            if (++text->quantum == 4) {
                put_group(reader);
            }
            return true;
        }
        if (byte != '=' || text->quantum < 2) {
            return false;
        }
        text->phase = text->quantum == 2 ? PHASE_PADDING : PHASE_END;
        put_group(reader);
        return true;
    }
    bool is_padding = text->phase == PHASE_PADDING && byte == '=';
    text->phase = is_padding ? PHASE_END : text->phase;
    return is_padding;
}

enum json_flow sw_json_read_base64(struct sw_json_reader *reader)
{
    size_t left = (size_t)(reader->end - reader->at);
    size_t window = SW_MIN(left, (size_t)BASE64_SLICE);
    if ((size_t)(reader->out.end - reader->out.to) < window + JSON_ROOM) {
        reader->out.need = window;
        return FLOW_ROOM;
    }
    const uint8_t *stop = reader->at + window;
    while (reader->at < stop && *reader->at != '"' && base64_character(reader, *reader->at)) {
        reader->at++;
    }
    if (reader->at < stop && *reader->at == '"') {
        return end_base64(reader);
    }
    if (reader->at == stop && window < left) {
        return FLOW_GO;
    }
    // A byte that does not belong here, or the end of the document, which json-iterator makes a NUL.
    // Go looks at the byte behind a lone '=', and names the one before it.
    size_t index = (size_t)(reader->at - reader->begin) - reader->text.begin;
    return fail_base64(reader, index - (reader->text.phase == PHASE_PADDING));
}
