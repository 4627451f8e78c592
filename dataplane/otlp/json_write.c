#include "dataplane/base/mem.h"
#include "dataplane/otlp/json_write_internal.h"

static void push(struct sw_json_writer *writer, uint8_t message, struct sw_bytes content)
{
    static const uint8_t nothing[1];
    struct write_frame *frame = &writer->frames[writer->depth++];
    *frame = (struct write_frame){.message = message};
    frame->begin = content.data != NULL ? content.data : nothing;
    frame->end = frame->begin + content.size;
    frame->at = frame->begin;
    writer->state = WRITE_SCAN;
    sw_json_put_char(writer, '{');
}

static struct sw_json_writer *
writer_new(enum sw_signal signal, size_t size, struct sw_account *account)
{
    struct sw_json_writer *writer = sw_alloc(sizeof(*writer));
    if (writer == NULL) {
        return NULL;
    }
    memset(writer, 0, offsetof(struct sw_json_writer, frames));
    writer->signal = signal;
    // JSON takes a bit more than twice what protobuf does.
    uint64_t capacity = SW_MIN((uint64_t)size * 2 + size / 2 + 512, UINT32_MAX / 2);
    if (sw_json_out_init(&writer->out, account, (size_t)capacity) != SW_OK) {
        sw_free(writer);
        return NULL;
    }
    return writer;
}

struct sw_json_writer *
sw_json_writer_new(enum sw_signal signal, struct sw_bytes request, struct sw_account *account)
{
    struct sw_json_writer *writer = writer_new(signal, request.size, account);
    if (writer != NULL) {
        push(writer, (uint8_t)sw_json_request(signal), request);
    }
    return writer;
}

struct sw_json_writer *
sw_json_writer_new_batch(const struct sw_batch *batch, struct sw_account *account)
{
    if (batch->bytes > UINT32_MAX - sizeof(struct sw_buf)) {
        return NULL;
    }
    size_t size = (size_t)batch->bytes;
    if (batch->pieces_count == 1 && batch->parts[0].level == 0) {
        struct sw_bytes request = {batch->pieces[0].data, size};
        return sw_json_writer_new(batch->signal, request, account);
    }
    struct sw_json_writer *writer = writer_new(batch->signal, size, account);
    if (writer == NULL) {
        return NULL;
    }
    writer->source = sw_buf_new(account, (uint32_t)size);
    if (writer->source == NULL) {
        sw_json_writer_free(writer);
        return NULL;
    }
    sw_batch_cursor_init(&writer->cursor, batch);
    writer->state = WRITE_COLLECT;
    return writer;
}

void sw_json_writer_free(struct sw_json_writer *writer)
{
    if (writer != NULL) {
        while (writer->depth > 0) {
            sw_buf_unref(writer->frames[--writer->depth].gathered);
        }
        sw_buf_unref(writer->gathered);
        sw_buf_unref(writer->source);
        sw_json_out_fini(&writer->out);
        sw_free(writer);
    }
}

struct sw_buf *sw_json_writer_take(struct sw_json_writer *writer)
{
    SW_ASSERT(writer->state == WRITE_DONE);
    return sw_json_out_take(&writer->out);
}

/* A range of the batch. */
static void collect(struct sw_json_writer *writer)
{
    struct sw_piece piece;
    struct sw_buf *source = writer->source;
    if (sw_batch_cursor_next(&writer->cursor, JSON_MOVE_SLICE, &piece)) {
        memcpy(source->data + source->size, piece.data, piece.len);
        source->size += piece.len;
        writer->spent += 1 + piece.len / 16;
        return;
    }
    struct sw_bytes request = {source->data, source->size};
    push(writer, (uint8_t)sw_json_request(writer->signal), request);
}

static void malformed(struct sw_json_writer *writer)
{
    writer->err = SW_E_MALFORMED;
}

/* ---- the scan ---- */

/* The wire type of one element of a field whose numbers may be packed. */
static uint32_t bare_wire(const struct sw_json_field *field)
{
    return field->type == SW_JSON_UINT64 ? SW_PB_VARINT : SW_PB_I64;
}

static int find_field(const struct write_frame *frame, uint32_t number)
{
    const struct sw_json_message *message = &sw_json_messages[frame->message];
    // Fields most often come in the order of their members.
    for (unsigned i = 0; i < message->fields_count; i++) {
        unsigned index = frame->hint + i;
        index -= index >= message->fields_count ? message->fields_count : 0;
        if (message->fields[index].number == number) {
            return (int)index;
        }
    }
    return -1;
}

/* Whether an AnyValue has a member. */
static bool has_value(struct sw_bytes content)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, content);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag >> 3 <= 8) {
            return true;
        }
    }
    return false;
}

/* Notes where a field stands, in the Collector's decoder's meaning: the last scalar counts, the last packed
 * chunk of eight-byte numbers and what comes after it, all of other lists, of an AnyValue the last member
 * of all. */
static void note(struct write_frame *frame, unsigned index, const struct sw_pb_field *field)
{
    const struct sw_json_field *known = &sw_json_messages[frame->message].fields[index];
    uint32_t offset = (uint32_t)(field->whole.data - frame->begin) + 1;
    uint32_t *found = &frame->found[index];
    if (known->flags & SW_JSON_ONEOF) {
        frame->oneof = (uint8_t)(index + 1);
    } else if (sw_json_packed(known) && known->type != SW_JSON_UINT64) {
        offset = (field->tag & 7) == SW_PB_LEN || *found == 0 ? offset : *found;
    } else if (known->flags & SW_JSON_REPEATED) {
        offset = *found == 0 ? offset : *found;
    } else if (known->type == SW_JSON_MESSAGE && *found != 0) {
        if (known->of != SW_JSON_ANY_VALUE) {
            frame->many |= 1u << index;
        } else if (!has_value(field->bytes)) {
            offset = *found;
        }
    }
    *found = offset;
}

static void scan(struct sw_json_writer *writer)
{
    struct write_frame *frame = sw_json_write_top(writer);
    struct sw_pb_reader reader = {.at = frame->at, .end = frame->end};
    struct sw_pb_field field;
    for (unsigned i = 0; i < 64; i++) {
        if (!sw_pb_next(&reader, &field)) {
            if (sw_pb_status(&reader) != SW_OK) {
                malformed(writer);
            }
            writer->state = WRITE_MEMBERS;
            return;
        }
        writer->spent += WRITE_SCAN_COST;
        int index = find_field(frame, field.tag >> 3);
        if (index < 0) {
            continue;
        }
        const struct sw_json_field *known = &sw_json_messages[frame->message].fields[index];
        uint32_t wire = field.tag & 7;
        if (wire != (known->tag[0] & 7u) && !(sw_json_packed(known) && wire == bare_wire(known))) {
            malformed(writer);
            return;
        }
        frame->hint = (uint8_t)index;
        note(frame, (unsigned)index, &field);
    }
    frame->at = reader.at;
}

/* ---- members ---- */

/* A reader at the value of a field that was found. */
static struct sw_pb_reader value_at(const struct write_frame *frame, unsigned index)
{
    struct sw_pb_reader reader = {
        .at = frame->begin + frame->found[index] - 1,
        .end = frame->end,
    };
    sw_pb_tag(&reader);
    return reader;
}

static void open_message(
    struct sw_json_writer *writer,
    const struct sw_json_field *field,
    struct sw_bytes content
)
{
    sw_json_put_name(writer, field);
    push(writer, field->of, content);
    sw_json_write_top(writer)->gathered = writer->gathered;
    writer->gathered = NULL;
}

static void
write_message(struct sw_json_writer *writer, const struct sw_json_field *field, unsigned index)
{
    struct write_frame *frame = sw_json_write_top(writer);
    if (writer->depth == SW_OTLP_DEPTH_MAX) {
        malformed(writer);
        return;
    }
    if (frame->many & (1u << index)) {
        // It was given more than once: its pieces, joined, are what it means.
        size_t most = (size_t)(frame->end - frame->begin);
        writer->gathered = sw_buf_new(writer->out.buf->account, (uint32_t)most);
        writer->err = writer->gathered == NULL ? SW_E_NOMEM : SW_OK;
        writer->piece_end = writer->piece;
        frame->at = frame->begin;
        writer->state = WRITE_GATHER;
        return;
    }
    struct sw_pb_reader reader = value_at(frame, index);
    open_message(writer, field, sw_pb_len(&reader));
}

static void gather(struct sw_json_writer *writer)
{
    struct write_frame *frame = sw_json_write_top(writer);
    struct sw_buf *gathered = writer->gathered;
    if (writer->piece < writer->piece_end) {
        size_t left = (size_t)(writer->piece_end - writer->piece);
        size_t size = SW_MIN(left, (size_t)JSON_MOVE_SLICE);
        memcpy(gathered->data + gathered->size, writer->piece, size);
        gathered->size += (uint32_t)size;
        writer->piece += size;
        writer->spent += size / 16;
        return;
    }
    // The member was passed when it was found to have pieces.
    const struct sw_json_message *message = &sw_json_messages[frame->message];
    const struct sw_json_field *field = &message->fields[frame->index - 1];
    struct sw_pb_reader reader = {.at = frame->at, .end = frame->end};
    struct sw_pb_field wire;
    for (unsigned i = 0; i < 64; i++) {
        if (!sw_pb_next(&reader, &wire)) {
            frame->at = NULL;
            open_message(writer, field, (struct sw_bytes){gathered->data, gathered->size});
            return;
        }
        writer->spent += WRITE_SCAN_COST;
        frame->at = reader.at;
        if (wire.tag >> 3 == field->number) {
            writer->piece = wire.bytes.data;
            writer->piece_end = wire.bytes.data + wire.bytes.size;
            return;
        }
    }
}

static void
write_member(struct sw_json_writer *writer, const struct sw_json_field *field, unsigned index)
{
    struct write_frame *frame = sw_json_write_top(writer);
    struct sw_pb_reader reader = value_at(frame, index);
    if (sw_json_is_default(field, reader)) {
        return;
    }
    sw_json_put_name(writer, field);
    if (field->type == SW_JSON_STRING || field->type == SW_JSON_BYTES) {
        bool is_text = field->type == SW_JSON_STRING;
        struct sw_bytes text = sw_pb_len(&reader);
        sw_json_begin_write(writer, is_text ? WRITE_TEXT : WRITE_BASE64, text, false);
    } else if (!sw_json_put_value(writer, field->type, &reader)) {
        malformed(writer);
    }
}

static void pop(struct sw_json_writer *writer)
{
    sw_json_put_char(writer, '}');
    sw_buf_unref(sw_json_write_top(writer)->gathered);
    writer->depth--;
    if (writer->depth == 0) {
        writer->state = WRITE_DONE;
        return;
    }
    const struct write_frame *frame = sw_json_write_top(writer);
    const struct sw_json_message *message = &sw_json_messages[frame->message];
    // A list stays at its member until it ends; behind other messages the next member comes.
    bool in_list = frame->index < message->fields_count
                   && (message->fields[frame->index].flags & SW_JSON_REPEATED) && frame->at != NULL;
    writer->state = in_list ? WRITE_LIST : WRITE_MEMBERS;
}

/* The next member. */
static void write_members(struct sw_json_writer *writer)
{
    struct write_frame *frame = sw_json_write_top(writer);
    const struct sw_json_message *message = &sw_json_messages[frame->message];
    if (frame->index == message->fields_count) {
        pop(writer);
        return;
    }
    unsigned index = frame->index;
    const struct sw_json_field *field = &message->fields[index];
    if (frame->found[index] == 0 && (field->flags & SW_JSON_MANDATORY)) {
        sw_json_put_name(writer, field);
        sw_json_put_char(writer, '{');
        sw_json_put_char(writer, '}');
    }
    bool is_other = (field->flags & SW_JSON_ONEOF) && frame->oneof != index + 1;
    if (frame->found[index] != 0 && (field->flags & SW_JSON_REPEATED)) {
        frame->at = frame->begin + frame->found[index] - 1;
        frame->has_elements = false;
        writer->numbers_end = writer->numbers;
        writer->state = WRITE_LIST;
        return; // stays at this member
    }
    frame->index++;
    frame->at = NULL;
    if (frame->found[index] == 0 || is_other) {
        return;
    }
    if (field->type == SW_JSON_MESSAGE) {
        write_message(writer, field, index);
    } else {
        write_member(writer, field, index);
    }
}

/* ---- lists ---- */

static void begin_element(struct sw_json_writer *writer, const struct sw_json_field *field)
{
    struct write_frame *frame = sw_json_write_top(writer);
    if (!frame->has_elements) {
        sw_json_put_name(writer, field);
        sw_json_put_char(writer, '[');
    } else {
        sw_json_put_char(writer, ',');
    }
    frame->has_elements = true;
}

static void end_list(struct sw_json_writer *writer)
{
    struct write_frame *frame = sw_json_write_top(writer);
    if (frame->has_elements) {
        sw_json_put_char(writer, ']');
    }
    frame->index++;
    frame->at = NULL;
    writer->state = WRITE_MEMBERS;
}

/* An element that stands in its own field. */
static void write_element(
    struct sw_json_writer *writer,
    const struct sw_json_field *field,
    const struct sw_pb_field *wire
)
{
    if (sw_json_packed(field)) {
        bool is_packed = (wire->tag & 7) == SW_PB_LEN;
        struct sw_bytes numbers = is_packed ? wire->bytes : wire->whole;
        struct sw_pb_reader reader;
        sw_pb_reader_init(&reader, numbers);
        if (!is_packed) {
            sw_pb_tag(&reader);
        }
        writer->numbers = reader.at;
        writer->numbers_end = reader.end;
        return;
    }
    if (field->type == SW_JSON_STRING) {
        begin_element(writer, field);
        sw_json_begin_write(writer, WRITE_TEXT, wire->bytes, true);
        return;
    }
    if (writer->depth == SW_OTLP_DEPTH_MAX) {
        malformed(writer);
        return;
    }
    begin_element(writer, field);
    if (field->of != SW_JSON_KEY_VALUE || !sw_json_write_attribute(writer, wire->bytes)) {
        push(writer, field->of, wire->bytes);
    }
}

static void write_list(struct sw_json_writer *writer)
{
    struct write_frame *frame = sw_json_write_top(writer);
    const struct sw_json_field *field = &sw_json_messages[frame->message].fields[frame->index];
    if (writer->numbers < writer->numbers_end) {
        struct sw_pb_reader reader = {.at = writer->numbers, .end = writer->numbers_end};
        begin_element(writer, field);
        if (!sw_json_put_value(writer, field->type, &reader)) {
            malformed(writer);
        }
        writer->numbers = reader.at;
        return;
    }
    struct sw_pb_reader reader = {.at = frame->at, .end = frame->end};
    struct sw_pb_field wire;
    for (unsigned i = 0; i < 64; i++) {
        if (!sw_pb_next(&reader, &wire)) {
            end_list(writer);
            return;
        }
        writer->spent += WRITE_SCAN_COST;
        frame->at = reader.at;
        if (wire.tag >> 3 == field->number) {
            write_element(writer, field, &wire);
            return;
        }
    }
}

/* ---- steps ---- */

static void write_state(struct sw_json_writer *writer)
{
    switch (writer->state) {
    case WRITE_COLLECT:
        collect(writer);
        break;
    case WRITE_SCAN:
        scan(writer);
        break;
    case WRITE_GATHER:
        gather(writer);
        break;
    case WRITE_MEMBERS:
        write_members(writer);
        break;
    case WRITE_LIST:
        write_list(writer);
        break;
    case WRITE_TEXT:
        sw_json_write_text(writer);
        break;
    default:
        sw_json_write_base64(writer);
        break;
    }
}

int sw_json_writer_step(struct sw_json_writer *writer, size_t most)
{
    writer->spent = 0;
    while (writer->state != WRITE_DONE) {
        if (SW_UNLIKELY(!sw_json_out_has_room(&writer->out))) {
            int err = sw_json_out_grow(&writer->out);
            if (err != SW_OK) {
                return err;
            }
            continue;
        }
        const uint8_t *to = writer->out.to;
        write_state(writer);
        if (SW_UNLIKELY(writer->err != SW_OK)) {
            return writer->err;
        }
        writer->spent += (size_t)(writer->out.to - to);
        if (writer->spent >= most && writer->state != WRITE_DONE) {
            return SW_E_AGAIN;
        }
    }
    return SW_OK;
}
