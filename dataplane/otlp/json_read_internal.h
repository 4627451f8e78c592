/* Reading OTLP/JSON inside: a machine without recursion that may stop between any two tokens, and
 * within texts.
 *
 * It is driven as json-iterator (1.1.12) drives the Collector's decoder, which has no states of its own:
 * "read object" is asked before each member and takes '{', ',', '}' or null wherever it stands, "read
 * array" likewise. So what that decoder lets pass, or says of what it does not, comes out the same.
 * `at` is its head: errors quote the bytes around. */
#ifndef SW_OTLP_JSON_READ_INTERNAL_H
#define SW_OTLP_JSON_READ_INTERNAL_H

#include "dataplane/otlp/json.h"
#include "dataplane/otlp/json_out_internal.h"
#include "dataplane/otlp/json_schema_internal.h"
#include "dataplane/otlp/validate.h"

#include <string.h>

enum {
    READ_WINDOW = 4096,    // a text that ends within goes without the text state
    READ_DEEP = 16,        // messages; deeper ones are attacks rather than telemetry
    READ_SKIP_MAX = 10000, // json-iterator's own limit of what it skips
};

enum json_flow {
    FLOW_GO,
    FLOW_PAUSE, // the slice ends here; the state is to be entered again
    FLOW_ROOM,  // `out.need` bytes are needed; the state is to be entered again
    FLOW_FAIL,  // `err` and perhaps the fault say why
};

enum json_state {
    READ_OBJECT,       // a message: before '{' or ',' or '}'
    READ_OBJECT_FIRST, // behind '{'
    READ_KEY,          // behind ','
    READ_COLON,
    READ_VALUE,
    READ_ARRAY, // before '[' or ',' or ']'
    READ_ARRAY_FIRST,
    READ_ELEMENT,
    READ_TEXT,
    READ_BASE64,
    SKIP_VALUE, // of an unknown member
    SKIP_OBJECT_FIRST,
    SKIP_KEY,
    SKIP_COLON,
    SKIP_ARRAY_FIRST,
    SKIP_AFTER,
    READ_MOVE, // bytes of the output
    READ_DONE,
};

enum json_sink {
    SINK_OUT,
    SINK_KEY,
    SINK_NUMBER, // scratch; a number or an enum
    SINK_SKIPPED_KEY,
    SINK_SKIPPED_VALUE,
};

enum {
    FIELD_UNKNOWN = 0xfe,
    FIELD_END = 0xff, // an empty name ends an object
};

struct json_frame {
    uint32_t length_at; // offset in the output of the length's bytes
    uint32_t seen;      // fields of the message, by index
    uint8_t message;
    uint8_t reserved; // bytes for the length
    uint8_t field;    // whose value is read
    uint8_t last;     // known field before it, plus 1; 0: none
};

struct json_text {
    size_t begin; // offset in the JSON, behind the quote
    uint32_t length_at;
    uint8_t reserved;
    uint8_t sink;
    bool slow; // an escape was seen
    uint8_t phase;
    uint8_t quantum; // base64: characters of the group
    uint32_t bits;
    uint32_t kept; // bytes in scratch; SW_JSON_NUMBER_MAX + 1: too many
};

struct json_move {
    size_t at;
    size_t left;
    size_t by;
    bool up;
    uint8_t length_size; // 0: no length to write when it is done
    uint8_t next;
    uint32_t length_at;
    uint64_t length;
};

struct sw_json_reader {
    const uint8_t *at;
    const uint8_t *limit; // of the slice
    const uint8_t *end;
    const uint8_t *begin;
    struct json_out out;
    uint8_t state;
    uint8_t old_depth;   // messages of field 1000 around
    bool packed;         // the numbers of the list at hand go packed
    uint8_t packed_size; // reserved for their length
    uint32_t packed_at;
    uint32_t items_count;
    uint32_t depth; // frames
    int err;
    // The data of the Metric at hand: where it stands, to be taken out when another kind follows.
    uint32_t data_at;
    uint32_t data_end; // 0: none
    uint32_t data_items;
    struct json_text text;
    struct json_move move;
    struct json_frame frames[SW_OTLP_DEPTH_MAX];
    uint8_t guess[SW_JSON_MESSAGES_COUNT]; // bytes of length that the last one of its kind had
    // Which name followed which: field times two, plus 1 for snake_case.
    uint8_t hints[SW_JSON_MESSAGES_COUNT][SW_JSON_FIELDS_MAX + 1];
    uint32_t skip_depth;
    uint8_t skip_objects[READ_SKIP_MAX / 8 + 1]; // bits: an object, not an array
    char scratch[SW_JSON_NUMBER_MAX + 1];
    struct sw_json_fault fault;
};

static inline struct json_frame *sw_json_top(struct sw_json_reader *reader)
{
    return &reader->frames[reader->depth - 1];
}

static inline const struct sw_json_field *sw_json_field_of(const struct json_frame *frame)
{
    return &sw_json_messages[frame->message].fields[frame->field];
}

static inline uint32_t sw_json_written(const struct sw_json_reader *reader)
{
    return sw_json_out_size(&reader->out);
}

/* ---- json_fault.c ---- */

/* Notes the fault in json-iterator's words, quoting the bytes around `at`. @return FLOW_FAIL */
__attribute__((format(printf, 3, 4))) enum json_flow
sw_json_fail(struct sw_json_reader *reader, const char *operation, const char *format, ...);

/* The same for a byte that should be another (TOKEN_END: the end, which it takes for a NUL). */
enum json_flow sw_json_fail_found(
    struct sw_json_reader *reader,
    const char *operation,
    const char *expected,
    int found
);

/* An error of strconv, `function` and what it made of the text. With an operation: as above, quoting
 * the bytes around; without: alone. */
enum json_flow sw_json_fail_number(
    struct sw_json_reader *reader,
    const char *operation,
    const char *function,
    struct sw_bytes text,
    bool range
);

/* ---- tokens ---- */

enum {
    TOKEN_PAUSE = -1,
    TOKEN_END = -2,
};

int sw_json_token_slow(struct sw_json_reader *reader);

/* Passes over blanks and takes the byte behind them. */
static inline int sw_json_token(struct sw_json_reader *reader)
{
    const uint8_t *at = reader->at;
    if (SW_LIKELY(at<reader->end && * at> ' ')) {
        reader->at = at + 1;
        return *at;
    }
    return sw_json_token_slow(reader);
}

/* The same, but leaves the byte where it is. */
static inline int sw_json_peek(struct sw_json_reader *reader)
{
    int token = sw_json_token(reader);
    if (token >= 0) {
        reader->at--;
    }
    return token;
}

/* Takes the rest of null, true or false. */
enum json_flow
sw_json_literal(struct sw_json_reader *reader, const char *rest, const char *operation);

/* ---- json_read.c: output and messages ---- */

/* The value of the field at hand was read. */
static inline enum json_flow sw_json_value_done(struct sw_json_reader *reader)
{
    const struct sw_json_field *field = sw_json_field_of(sw_json_top(reader));
    reader->state = (field->flags & SW_JSON_REPEATED) ? READ_ARRAY : READ_OBJECT;
    return FLOW_GO;
}

/* Whether a value of `zero` may be left out, being the default and the first of its field. */
static inline bool sw_json_default(const struct sw_json_reader *reader, bool zero)
{
    const struct json_frame *frame = &reader->frames[reader->depth - 1];
    const struct sw_json_field *field = sw_json_field_of(frame);
    uint8_t kept = SW_JSON_REPEATED | SW_JSON_ONEOF | SW_JSON_PRESENCE;
    return zero && !(field->flags & kept) && !(frame->seen & (1u << frame->field));
}

/* Writes the tag of the field at hand. */
static inline void sw_json_put_tag(struct sw_json_reader *reader)
{
    struct json_frame *frame = sw_json_top(reader);
    const struct sw_json_field *field = sw_json_field_of(frame);
    frame->seen |= 1u << frame->field;
    if ((field->flags & SW_JSON_ONEOF) && frame->message == SW_JSON_ANY_VALUE) {
        // The last member given is the value: what was written of another goes.
        reader->out.to = reader->out.buf->data + frame->length_at + frame->reserved;
    }
    reader->out.to[0] = field->tag[0];
    reader->out.to[1] = field->tag[1];
    reader->out.to += field->tag_size;
}

/* Writes the length of what was written since `length_at` + `reserved`, making its bytes as many as
 * it needs; `next` is the state behind. @return FLOW_GO */
enum json_flow sw_json_end_length(
    struct sw_json_reader *reader,
    uint32_t length_at,
    uint8_t reserved,
    enum json_state next
);

/* ---- json_read_text.c ---- */

enum json_flow sw_json_read_string(struct sw_json_reader *reader);
enum json_flow sw_json_read_key(struct sw_json_reader *reader); // behind its quote
enum json_flow sw_json_key_null(struct sw_json_reader *reader);

/* Begins a text whose content is at `at`. */
void sw_json_begin_text(struct sw_json_reader *reader, enum json_sink sink);
enum json_flow sw_json_read_text(struct sw_json_reader *reader);

/* ---- json_read_usual.c, json_read_number.c, json_read_bytes.c, json_skip.c ---- */

/* Attributes in their usual form; false: the next is not, and nothing has changed. */
bool sw_json_read_attributes(struct sw_json_reader *reader, const struct sw_json_field *field);

enum json_flow sw_json_read_integer(struct sw_json_reader *reader);
enum json_flow sw_json_read_double(struct sw_json_reader *reader);
enum json_flow sw_json_read_bool(struct sw_json_reader *reader);
enum json_flow sw_json_read_number_text(struct sw_json_reader *reader); // it is in scratch
enum json_flow sw_json_read_id(struct sw_json_reader *reader, uint32_t size);
enum json_flow sw_json_begin_base64(struct sw_json_reader *reader);
enum json_flow sw_json_read_base64(struct sw_json_reader *reader);
enum json_flow sw_json_skip(struct sw_json_reader *reader);
/* A number as json-iterator reads floats, sign behind it. @return false: fault noted */
bool sw_json_float(struct sw_json_reader *reader, bool is_single, double *ret_value);

#endif
