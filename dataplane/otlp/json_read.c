#include "dataplane/base/mem.h"
#include "dataplane/otlp/json_read_internal.h"

struct sw_json_reader *
sw_json_reader_new(enum sw_signal signal, struct sw_bytes json, struct sw_account *account)
{
    if (json.size >= UINT32_MAX / 2) {
        return NULL;
    }
    struct sw_json_reader *reader = sw_alloc(sizeof(*reader));
    if (reader == NULL) {
        return NULL;
    }
    // The arrays that are large need no zeroes.
    memset(reader, 0, offsetof(struct sw_json_reader, frames));
    memset(reader->guess, 0, sizeof(reader->guess));
    memset(reader->hints, 0, sizeof(reader->hints));
    // Protobuf takes half of what JSON does, or as much where texts are long. Only lists of short numbers
    // take more. What is not needed is not touched, and goes back when all is read.
    if (sw_json_out_init(&reader->out, account, json.size + 512) != SW_OK) {
        sw_free(reader);
        return NULL;
    }
    reader->fault.size = 0;
    reader->skip_depth = 0;
    reader->begin = json.data != NULL ? json.data : (const uint8_t *)"";
    reader->at = reader->begin;
    reader->limit = reader->begin;
    reader->end = reader->begin + json.size;
    reader->frames[0] = (struct json_frame){.message = (uint8_t)sw_json_request(signal)};
    reader->depth = 1;
    reader->state = READ_OBJECT;
    return reader;
}

void sw_json_reader_free(struct sw_json_reader *reader)
{
    if (reader != NULL) {
        sw_json_out_fini(&reader->out);
        sw_free(reader);
    }
}

const struct sw_json_fault *sw_json_reader_fault(const struct sw_json_reader *reader)
{
    return &reader->fault;
}

uint32_t sw_json_reader_items_count(const struct sw_json_reader *reader)
{
    return reader->items_count;
}

struct sw_buf *sw_json_reader_take(struct sw_json_reader *reader)
{
    SW_ASSERT(reader->state == READ_DONE);
    return sw_json_out_take(&reader->out);
}

/* ---- tokens ---- */

int sw_json_token_slow(struct sw_json_reader *reader)
{
    const uint8_t *at = reader->at;
    while (at < reader->end) {
        uint8_t byte = *at++;
        if (byte != ' ' && byte != '\n' && byte != '\t' && byte != '\r') {
            reader->at = at;
            return byte;
        }
        if (at >= reader->limit && at - reader->at >= READ_WINDOW) {
            reader->at = at;
            return TOKEN_PAUSE;
        }
    }
    reader->at = reader->end;
    return TOKEN_END;
}

enum json_flow
sw_json_literal(struct sw_json_reader *reader, const char *rest, const char *operation)
{
    for (const char *expected = rest; *expected != '\0'; expected++) {
        bool more = reader->at < reader->end;
        uint8_t byte = more ? *reader->at++ : 0;
        if (byte != (uint8_t)*expected) {
            return sw_json_fail(reader, operation, "expect %s", rest);
        }
    }
    return FLOW_GO;
}

/* ---- lengths, and bytes that move for them ---- */

static void put_length(struct sw_json_reader *reader, uint32_t at, uint8_t size, uint64_t length)
{
    uint8_t *to = reader->out.buf->data + at;
    for (; size > 1; size--) {
        *to++ = (uint8_t)(length | 0x80);
        length >>= 7;
    }
    *to = (uint8_t)length;
}

static void move_done(struct sw_json_reader *reader)
{
    const struct json_move *move = &reader->move;
    if (move->up) {
        reader->out.to += move->by;
    } else {
        reader->out.to -= move->by;
    }
    if (move->length_size > 0) {
        put_length(reader, move->length_at, move->length_size, move->length);
    }
    reader->state = move->next;
}

/* Moves a slice of what is to move. */
static enum json_flow move_slice(struct sw_json_reader *reader)
{
    struct json_move *move = &reader->move;
    size_t size = SW_MIN(move->left, (size_t)JSON_MOVE_SLICE);
    uint8_t *data = reader->out.buf->data;
    move->left -= size;
    if (move->up) {
        // From its end, so that nothing is written over before it moved.
        memmove(data + move->at + move->left + move->by, data + move->at + move->left, size);
    } else {
        memmove(data + move->at - move->by, data + move->at, size);
        move->at += size;
    }
    if (move->left > 0) {
        return FLOW_PAUSE;
    }
    move_done(reader);
    return FLOW_GO;
}

/* Moves what stands from `at` on; at most JSON_ROOM up. */
static enum json_flow begin_move(struct sw_json_reader *reader, struct json_move move)
{
    move.left = sw_json_written(reader) - move.at;
    reader->move = move;
    reader->state = READ_MOVE;
    return move.left > JSON_MOVE_SLICE ? FLOW_GO : move_slice(reader);
}

enum json_flow sw_json_end_length(
    struct sw_json_reader *reader,
    uint32_t length_at,
    uint8_t reserved,
    enum json_state next
)
{
    uint32_t length = sw_json_written(reader) - length_at - reserved;
    uint8_t size = (uint8_t)sw_pb_varint_size(length);
    // A length may have more bytes than it needs; for larger messages that is cheaper than moving them.
    bool is_padded = size < reserved && length >= (reader->depth > READ_DEEP ? 128 : READ_WINDOW);
    if (size == reserved || is_padded) {
        put_length(reader, length_at, reserved, length);
        reader->state = (uint8_t)next;
        return FLOW_GO;
    }
    return begin_move(
        reader,
        (struct json_move){
            .at = length_at + reserved,
            .by = size > reserved ? size - reserved : reserved - size,
            .up = size > reserved,
            .length_size = size,
            .length_at = length_at,
            .length = length,
            .next = (uint8_t)next,
        }
    );
}

/* ---- messages ---- */

/* Another kind of data follows in a Metric: the last one given is the one. */
static enum json_flow drop_data(struct sw_json_reader *reader)
{
    uint32_t end = reader->data_end;
    reader->items_count -= reader->data_items;
    reader->data_end = 0;
    return begin_move(
        reader, (struct json_move){.at = end, .by = end - reader->data_at, .next = READ_VALUE}
    );
}

static uint8_t reserve(const struct sw_json_reader *reader, uint8_t message)
{
    size_t left = (size_t)(reader->end - reader->at);
    switch (message) {
    case SW_JSON_RESOURCE_SPANS:
    case SW_JSON_SCOPE_SPANS:
    case SW_JSON_RESOURCE_METRICS:
    case SW_JSON_SCOPE_METRICS:
    case SW_JSON_RESOURCE_LOGS:
    case SW_JSON_SCOPE_LOGS:
        // Most often there is one, so it will hold all that follows.
        return (uint8_t)sw_pb_varint_size(left / 2);
    default:
        if (reader->depth > READ_DEEP) {
            return (uint8_t)sw_pb_varint_size(left);
        }
        return SW_MAX(reader->guess[message], 1);
    }
}

static enum json_flow open_message(struct sw_json_reader *reader, const struct sw_json_field *field)
{
    struct json_frame *frame = sw_json_top(reader);
    if (reader->depth == SW_OTLP_DEPTH_MAX) {
        return sw_json_fail(reader, "incrementDepth", "exceeded max depth");
    }
    if (frame->message == SW_JSON_METRIC && (field->flags & SW_JSON_ONEOF)) {
        if (reader->data_end != 0) {
            return drop_data(reader);
        }
        reader->data_at = sw_json_written(reader);
        reader->data_items = reader->items_count;
    }
    sw_json_put_tag(reader);
    if (field->number == 1000) {
        reader->old_depth++;
    } else if (field->of == SW_JSON_METRIC) {
        reader->data_end = 0;
    }
    if ((field->flags & SW_JSON_ITEM) && reader->old_depth == 0) {
        reader->items_count++;
    }
    uint8_t reserved = reserve(reader, field->of);
    reader->frames[reader->depth++] = (struct json_frame){
        .length_at = sw_json_written(reader),
        .reserved = reserved,
        .message = field->of,
    };
    reader->out.to += reserved;
    reader->state = READ_OBJECT;
    return FLOW_GO;
}

static enum json_flow close_message(struct sw_json_reader *reader)
{
    struct json_frame *frame = sw_json_top(reader);
    uint32_t length_at = frame->length_at;
    uint8_t reserved = frame->reserved;
    uint32_t length = sw_json_written(reader) - length_at - reserved;
    reader->depth--;
    if (reader->depth == 0) {
        reader->state = READ_DONE;
        return FLOW_GO;
    }
    reader->guess[frame->message] = (uint8_t)sw_pb_varint_size(length);
    struct json_frame *around = sw_json_top(reader);
    const struct sw_json_field *field = sw_json_field_of(around);
    if (field->number == 1000) {
        reader->old_depth--;
    }
    enum json_state next = (field->flags & SW_JSON_REPEATED) ? READ_ARRAY : READ_OBJECT;
    enum json_flow flow = sw_json_end_length(reader, length_at, reserved, next);
    if (around->message == SW_JSON_METRIC && (field->flags & SW_JSON_ONEOF)) {
        uint8_t size = (uint8_t)sw_pb_varint_size(length);
        bool moves = reader->state == READ_MOVE;
        reader->data_end = sw_json_written(reader) + (moves ? (uint32_t)(size - reserved) : 0);
        reader->data_items = reader->items_count - reader->data_items;
    }
    return flow;
}

/* ---- lists ---- */

static enum json_flow begin_array(struct sw_json_reader *reader, const struct sw_json_field *field)
{
    struct json_frame *frame = sw_json_top(reader);
    reader->state = READ_ARRAY;
    reader->packed = false;
    // The list may come a second time. The Collector's protobuf decoder lets a second packed chunk replace
    // the first, others append it; elements of their own are appended by all.
    if (sw_json_packed(field) && !(frame->seen & (1u << frame->field))) {
        reader->packed = true;
        reader->packed_at = sw_json_written(reader);
        reader->packed_size = SW_MAX(reader->packed_size, 1);
        memcpy(reader->out.to, field->tag, sizeof(field->tag));
        reader->out.to += field->tag_size + reader->packed_size;
    }
    return FLOW_GO;
}

static enum json_flow end_array(struct sw_json_reader *reader)
{
    struct json_frame *frame = sw_json_top(reader);
    const struct sw_json_field *field = sw_json_field_of(frame);
    if (!reader->packed) {
        reader->state = READ_OBJECT;
        return FLOW_GO;
    }
    reader->packed = false;
    uint32_t length_at = reader->packed_at + field->tag_size;
    uint32_t length = sw_json_written(reader) - length_at - reader->packed_size;
    if (length == 0) {
        reader->out.to = reader->out.buf->data + reader->packed_at;
        reader->state = READ_OBJECT;
        return FLOW_GO;
    }
    frame->seen |= 1u << frame->field;
    uint8_t reserved = reader->packed_size;
    reader->packed_size = (uint8_t)sw_pb_varint_size(length);
    return sw_json_end_length(reader, length_at, reserved, READ_OBJECT);
}

static enum json_flow read_array(struct sw_json_reader *reader)
{
    int token = sw_json_token(reader);
    switch (token) {
    case ',':
        reader->state = READ_ELEMENT;
        return FLOW_GO;
    case '[':
        reader->state = READ_ARRAY_FIRST;
        return FLOW_GO;
    case 'n':
        if (sw_json_literal(reader, "ull", "skipThreeBytes") == FLOW_FAIL) {
            return FLOW_FAIL;
        }
        return end_array(reader);
    case ']':
        return end_array(reader);
    case TOKEN_PAUSE:
        return FLOW_PAUSE;
    default:
        return sw_json_fail_found(reader, "ReadArray", "expect [ or , or ] or n", token);
    }
}

static enum json_flow read_array_first(struct sw_json_reader *reader)
{
    int token = sw_json_peek(reader);
    if (token == TOKEN_PAUSE) {
        return FLOW_PAUSE;
    }
    if (token == ']') {
        reader->at++;
        return end_array(reader);
    }
    reader->state = READ_ELEMENT;
    return FLOW_GO;
}

/* ---- values and members ---- */

static enum json_flow read_element(struct sw_json_reader *reader)
{
    const struct sw_json_field *field = sw_json_field_of(sw_json_top(reader));
    switch (field->type) {
    case SW_JSON_STRING:
        return sw_json_read_string(reader);
    case SW_JSON_MESSAGE:
        if (field->of == SW_JSON_KEY_VALUE && sw_json_read_attributes(reader, field)) {
            return FLOW_GO;
        }
        return open_message(reader, field);
    case SW_JSON_TRACE_ID:
        return sw_json_read_id(reader, 16);
    case SW_JSON_SPAN_ID:
        return sw_json_read_id(reader, 8);
    case SW_JSON_BYTES:
        return sw_json_begin_base64(reader);
    case SW_JSON_BOOL:
        return sw_json_read_bool(reader);
    case SW_JSON_DOUBLE:
        return sw_json_read_double(reader);
    default:
        return sw_json_read_integer(reader);
    }
}

static enum json_flow read_value(struct sw_json_reader *reader)
{
    const struct json_frame *frame = sw_json_top(reader);
    if (SW_UNLIKELY(frame->field == FIELD_UNKNOWN)) {
        reader->state = SKIP_VALUE;
        return FLOW_GO;
    }
    const struct sw_json_field *field = sw_json_field_of(frame);
    if (field->flags & SW_JSON_REPEATED) {
        return begin_array(reader, field);
    }
    return read_element(reader);
}

static enum json_flow read_colon(struct sw_json_reader *reader)
{
    int token = sw_json_token(reader);
    if (SW_LIKELY(token == ':')) {
        if (sw_json_top(reader)->field == FIELD_END) {
            return close_message(reader);
        }
        reader->state = READ_VALUE;
        return read_value(reader);
    }
    if (token == TOKEN_PAUSE) {
        return FLOW_PAUSE;
    }
    return sw_json_fail_found(reader, "ReadObject", "expect : after object field", token);
}

/* Behind the quote of a name. */
static enum json_flow read_name(struct sw_json_reader *reader)
{
    enum json_flow flow = sw_json_read_key(reader);
    return flow == FLOW_GO && reader->state == READ_COLON ? read_colon(reader) : flow;
}

static enum json_flow read_key(struct sw_json_reader *reader)
{
    int token = sw_json_token(reader);
    if (SW_LIKELY(token == '"')) {
        return read_name(reader);
    }
    if (token == 'n') {
        return sw_json_key_null(reader);
    }
    if (token == TOKEN_PAUSE) {
        return FLOW_PAUSE;
    }
    return sw_json_fail_found(reader, "ReadString", "expects \" or n", token);
}

static enum json_flow read_object_first(struct sw_json_reader *reader)
{
    int token = sw_json_token(reader);
    if (SW_LIKELY(token == '"')) {
        return read_name(reader);
    }
    if (token == '}') {
        return close_message(reader);
    }
    if (token == TOKEN_PAUSE) {
        return FLOW_PAUSE;
    }
    return sw_json_fail_found(reader, "ReadObject", "expect \" after {", token);
}

static enum json_flow read_object(struct sw_json_reader *reader)
{
    int token = sw_json_token(reader);
    switch (token) {
    case ',':
        reader->state = READ_KEY;
        return read_key(reader);
    case '{':
        reader->state = READ_OBJECT_FIRST;
        return read_object_first(reader);
    case '}':
        return close_message(reader);
    case 'n':
        if (sw_json_literal(reader, "ull", "skipThreeBytes") == FLOW_FAIL) {
            return FLOW_FAIL;
        }
        return close_message(reader);
    case TOKEN_PAUSE:
        return FLOW_PAUSE;
    default:
        return sw_json_fail_found(reader, "ReadObject", "expect { or , or } or n", token);
    }
}

static enum json_flow read_state(struct sw_json_reader *reader)
{
    switch (reader->state) {
    case READ_OBJECT:
        return read_object(reader);
    case READ_OBJECT_FIRST:
        return read_object_first(reader);
    case READ_KEY:
        return read_key(reader);
    case READ_COLON:
        return read_colon(reader);
    case READ_VALUE:
        return read_value(reader);
    case READ_ARRAY:
        return read_array(reader);
    case READ_ARRAY_FIRST:
        return read_array_first(reader);
    case READ_ELEMENT:
        return read_element(reader);
    case READ_TEXT:
        return sw_json_read_text(reader);
    case READ_BASE64:
        return sw_json_read_base64(reader);
    case READ_MOVE:
        return move_slice(reader);
    default:
        return sw_json_skip(reader);
    }
}

int sw_json_reader_step(struct sw_json_reader *reader, size_t most)
{
    size_t left = (size_t)(reader->end - reader->at);
    reader->limit = reader->at + SW_MIN(SW_MAX(most, 1), left);
    while (reader->state != READ_DONE) {
        if (SW_UNLIKELY(!sw_json_out_has_room(&reader->out))) {
            int err = sw_json_out_grow(&reader->out);
            if (err != SW_OK) {
                return err;
            }
            continue;
        }
        enum json_flow flow = read_state(reader);
        if (SW_UNLIKELY(flow == FLOW_FAIL)) {
            return reader->err;
        }
        bool is_over = reader->at >= reader->limit && reader->at < reader->end;
        if (SW_UNLIKELY(flow == FLOW_PAUSE || (flow == FLOW_GO && is_over))) {
            return reader->state == READ_DONE ? SW_OK : SW_E_AGAIN;
        }
    }
    return SW_OK;
}
