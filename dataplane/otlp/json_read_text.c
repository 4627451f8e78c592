// Strings and names. Most have no escape and end soon; they are looked through eight bytes at a time and
// copied. All others go through the text state, which may stop anywhere.
#include "dataplane/otlp/json_read_internal.h"
#include "dataplane/otlp/json_text_internal.h"

enum {
    TEXT_SLICE = 1024,
};

/* Behind the first escape control characters pass. */
static const uint8_t *slow_end(const uint8_t *at, const uint8_t *end)
{
    for (; end - at >= 8; at += 8) {
        uint64_t word = sw_json_word(at);
        uint64_t found = sw_json_equal_bytes(word, '"') | sw_json_equal_bytes(word, '\\');
        if (found != 0) {
            return at + (__builtin_ctzll(found) >> 3);
        }
    }
    while (at < end && *at != '"' && *at != '\\') {
        at++;
    }
    return at;
}

void sw_json_begin_text(struct sw_json_reader *reader, enum json_sink sink)
{
    reader->text = (struct json_text){
        .begin = (size_t)(reader->at - reader->begin),
        .sink = (uint8_t)sink,
    };
    reader->state = READ_TEXT;
}

/* A string that goes to the output, through the text state. */
static enum json_flow begin_long_string(struct sw_json_reader *reader, bool is_long)
{
    sw_json_put_tag(reader);
    sw_json_begin_text(reader, SINK_OUT);
    reader->text.length_at = sw_json_written(reader);
    reader->text.reserved = is_long ? 4 : 2;
    reader->out.to += reader->text.reserved;
    return FLOW_GO;
}

static enum json_flow empty_string(struct sw_json_reader *reader)
{
    if (!sw_json_default(reader, true)) {
        sw_json_put_tag(reader);
        *reader->out.to++ = 0;
    }
    return sw_json_value_done(reader);
}

static enum json_flow
control_found(struct sw_json_reader *reader, const uint8_t *text, const uint8_t *at)
{
    // The head has not moved from the beginning of the text.
    reader->at = text;
    bool is_skipped = reader->state == READ_TEXT && reader->text.sink == SINK_SKIPPED_VALUE;
    return sw_json_fail(
        reader,
        is_skipped ? "trySkipString" : "ReadString",
        "invalid control character found: %d",
        *at
    );
}

enum json_flow sw_json_read_string(struct sw_json_reader *reader)
{
    const uint8_t *token_at = reader->at;
    int token = sw_json_token(reader);
    if (SW_UNLIKELY(token != '"')) {
        if (token == TOKEN_PAUSE) {
            return FLOW_PAUSE;
        }
        if (token != 'n') {
            return sw_json_fail_found(reader, "ReadString", "expects \" or n", token);
        }
        enum json_flow flow = sw_json_literal(reader, "ull", "skipThreeBytes");
        return flow == FLOW_GO ? empty_string(reader) : flow;
    }
    const uint8_t *text = reader->at;
    size_t left = (size_t)(reader->end - text);
    const uint8_t *stop = sw_json_clean_end(text, text + SW_MIN(left, (size_t)READ_WINDOW));
    size_t size = (size_t)(stop - text);
    if (SW_UNLIKELY(size == left || *stop != '"')) {
        if (size < left && size < READ_WINDOW && *stop != '\\') {
            return control_found(reader, text, stop);
        }
        return begin_long_string(reader, size == READ_WINDOW);
    }
    if (SW_UNLIKELY((size_t)(reader->out.end - reader->out.to) < size + JSON_ROOM)) {
        reader->out.need = size;
        reader->at = token_at;
        return FLOW_ROOM;
    }
    if (size == 0) {
        reader->at = stop + 1;
        return empty_string(reader);
    }
    sw_json_put_tag(reader);
    reader->out.to = sw_pb_put_varint(reader->out.to, size);
    memcpy(reader->out.to, text, size);
    reader->out.to += size;
    reader->at = stop + 1;
    return sw_json_value_done(reader);
}

/* ---- names ---- */

/* Finds a name, without its quote, among those of the message. */
static void find_name(struct sw_json_reader *reader, const char *name, size_t size)
{
    struct json_frame *frame = sw_json_top(reader);
    const struct sw_json_message *message = &sw_json_messages[frame->message];
    frame->field = size == 0 ? FIELD_END : FIELD_UNKNOWN;
    for (uint8_t i = 0; i < message->fields_count && size > 0; i++) {
        const struct sw_json_field *field = &message->fields[i];
        bool is_snake = field->snake_size == size + 1 && memcmp(field->snake, name, size) == 0;
        if (is_snake || (field->camel_size == size + 1 && memcmp(field->camel, name, size) == 0)) {
            reader->hints[frame->message][frame->last] = (uint8_t)(2 * i + is_snake);
            frame->field = i;
            frame->last = i + 1;
            return;
        }
    }
}

/* Whether these bytes are the name; SW_JSON_NAME_MAX of both can be read. */
static inline bool is_name(const uint8_t *at, const char *name, size_t size)
{
    const uint8_t *other = (const uint8_t *)name;
    for (; size >= 8; size -= 8, at += 8, other += 8) {
        if (sw_json_word(at) != sw_json_word(other)) {
            return false;
        }
    }
    return size == 0 || (sw_json_word(at) ^ sw_json_word(other)) << (64 - 8 * size) == 0;
}

enum json_flow sw_json_read_key(struct sw_json_reader *reader)
{
    struct json_frame *frame = sw_json_top(reader);
    const uint8_t *at = reader->at;
    size_t left = (size_t)(reader->end - at);
    reader->state = READ_COLON;
    // Senders write the members of a message in one order: the name that came next the last time, most often.
    uint8_t hint = reader->hints[frame->message][frame->last];
    const struct sw_json_field *field = &sw_json_messages[frame->message].fields[hint >> 1];
    const char *name = (hint & 1) ? field->snake : field->camel;
    size_t size = (hint & 1) ? field->snake_size : field->camel_size;
    if (SW_LIKELY(left >= SW_JSON_NAME_MAX && is_name(at, name, size))) {
        reader->at = at + size;
        frame->field = hint >> 1;
        frame->last = (uint8_t)(frame->field + 1);
        return FLOW_GO;
    }
    size_t window = SW_MIN(left, (size_t)2 * SW_JSON_NAME_MAX);
    const uint8_t *stop = sw_json_clean_end(at, at + window);
    size = (size_t)(stop - at);
    if (size < window && *stop == '"') {
        reader->at = stop + 1;
        find_name(reader, (const char *)at, size);
        return FLOW_GO;
    }
    if (size < window && *stop != '\\') {
        return control_found(reader, at, stop);
    }
    sw_json_begin_text(reader, SINK_KEY);
    return FLOW_GO;
}

enum json_flow sw_json_key_null(struct sw_json_reader *reader)
{
    sw_json_top(reader)->field = FIELD_END;
    reader->state = READ_COLON;
    return sw_json_literal(reader, "ull", "skipThreeBytes");
}

/* ---- the text state ---- */

static void put(struct sw_json_reader *reader, const void *data, size_t size)
{
    struct json_text *text = &reader->text;
    if (text->sink == SINK_OUT) {
        memcpy(reader->out.to, data, size);
        reader->out.to += size;
    } else if (text->sink < SINK_SKIPPED_KEY) {
        size_t room = SW_JSON_NUMBER_MAX + 1 - text->kept;
        size_t kept = SW_MIN(size, room);
        memcpy(reader->scratch + text->kept, data, kept);
        text->kept += (uint32_t)kept;
    }
}

/* Surrogates become U+FFFD, as in json-iterator's appendRune. */
static void put_rune(struct sw_json_reader *reader, uint32_t rune)
{
    uint8_t out[4];
    size_t size;
    if (rune >= 0xd800 && rune <= 0xdfff) {
        rune = 0xfffd;
    }
    if (rune < 0x80) {
        out[0] = (uint8_t)rune;
        size = 1;
    } else if (rune < 0x800) {
        out[0] = (uint8_t)(0xc0 | rune >> 6);
        size = 2;
    } else if (rune < 0x10000) {
        out[0] = (uint8_t)(0xe0 | rune >> 12);
        size = 3;
    } else {
        out[0] = (uint8_t)(0xf0 | rune >> 18);
        size = 4;
    }
    for (size_t i = size; i > 1; i--) {
        out[i - 1] = (uint8_t)(0x80 | (rune & 0x3f));
        rune >>= 6;
    }
    put(reader, out, size);
}

static enum json_flow end_found(struct sw_json_reader *reader)
{
    reader->at = reader->end;
    return sw_json_fail(reader, "readStringSlowPath", "unexpected end of input");
}

/* Four hex digits. */
static enum json_flow read_u4(struct sw_json_reader *reader, uint32_t *ret_rune)
{
    uint32_t rune = 0;
    for (unsigned i = 0; i < 4; i++) {
        if (reader->at == reader->end) {
            return end_found(reader);
        }
        uint8_t byte = *reader->at++;
        if (byte >= '0' && byte <= '9') {
            rune = rune << 4 | (uint32_t)(byte - '0');
        } else if ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f') {
            rune = rune << 4 | (uint32_t)((byte | 0x20) - 'a' + 10);
        } else {
            return sw_json_fail_found(reader, "readU4", "expects 0~9 or a~f", byte);
        }
    }
    *ret_rune = rune;
    return FLOW_GO;
}

/* An escape of one letter. */
static enum json_flow read_escape_letter(struct sw_json_reader *reader, uint8_t letter)
{
    static const char letters[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    for (unsigned i = 0; i < sizeof(letters) - 1; i += 2) {
        if ((uint8_t)letters[i] == letter) {
            put(reader, &letters[i + 1], 1);
            return FLOW_GO;
        }
    }
    return sw_json_fail(reader, "readEscapedChar", "invalid escape char after \\");
}

/* Behind "\u": a rune, or two halves of one. */
static enum json_flow read_escape_rune(struct sw_json_reader *reader)
{
    uint32_t rune;
    uint32_t second;
    if (read_u4(reader, &rune) == FLOW_FAIL) {
        return FLOW_FAIL;
    }
    if (rune < 0xd800 || rune > 0xdfff) {
        put_rune(reader, rune);
        return FLOW_GO;
    }
    if (reader->end - reader->at < 2) {
        // No other half can follow; whether the text may go on is for the text state to see.
        bool goes_on = reader->at < reader->end && *reader->at != '\\';
        put_rune(reader, rune);
        return goes_on ? FLOW_GO : end_found(reader);
    }
    if (reader->at[0] != '\\') {
        put_rune(reader, rune);
        return FLOW_GO;
    }
    uint8_t letter = reader->at[1];
    reader->at += 2;
    if (letter != 'u') {
        put_rune(reader, rune);
        return read_escape_letter(reader, letter);
    }
    if (read_u4(reader, &second) == FLOW_FAIL) {
        return FLOW_FAIL;
    }
    if (rune < 0xdc00 && second >= 0xdc00 && second <= 0xdfff) {
        put_rune(reader, 0x10000 + ((rune - 0xd800) << 10) + (second - 0xdc00));
    } else {
        put_rune(reader, rune);
        put_rune(reader, second);
    }
    return FLOW_GO;
}

static enum json_flow read_escape(struct sw_json_reader *reader)
{
    reader->text.slow = true;
    reader->at++;
    uint8_t letter = reader->at < reader->end ? *reader->at++ : 0;
    return letter == 'u' ? read_escape_rune(reader) : read_escape_letter(reader, letter);
}

/* Behind the quote that ends the text. */
static enum json_flow end_text(struct sw_json_reader *reader)
{
    const struct json_text *text = &reader->text;
    switch (text->sink) {
    case SINK_OUT:
        sw_json_value_done(reader);
        return sw_json_end_length(reader, text->length_at, text->reserved, reader->state);
    case SINK_KEY:
        reader->state = READ_COLON;
        find_name(reader, reader->scratch, text->kept);
        return FLOW_GO;
    case SINK_NUMBER:
        return sw_json_read_number_text(reader);
    default:
        reader->state = text->sink == SINK_SKIPPED_KEY ? SKIP_COLON : SKIP_AFTER;
        return FLOW_GO;
    }
}

enum json_flow sw_json_read_text(struct sw_json_reader *reader)
{
    struct json_text *text = &reader->text;
    const uint8_t *at = reader->at;
    size_t left = (size_t)(reader->end - at);
    size_t window = SW_MIN(left, (size_t)TEXT_SLICE);
    if ((size_t)(reader->out.end - reader->out.to) < window + JSON_ROOM) {
        reader->out.need = window;
        return FLOW_ROOM;
    }
    const uint8_t *stop =
        text->slow ? slow_end(at, at + window) : sw_json_clean_end(at, at + window);
    put(reader, at, (size_t)(stop - at));
    reader->at = stop;
    if (stop == at + window) {
        return window == left ? end_found(reader) : FLOW_GO;
    }
    if (*stop == '"') {
        reader->at++;
        return end_text(reader);
    }
    if (*stop == '\\') {
        return read_escape(reader);
    }
    return control_found(reader, reader->begin + text->begin, stop);
}
