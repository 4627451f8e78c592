#include "dataplane/otlp/span.h"

#define TAG_TRACE_ID       SW_PB_TAG(1, SW_PB_LEN)
#define TAG_SPAN_ID        SW_PB_TAG(2, SW_PB_LEN)
#define TAG_TRACE_STATE    SW_PB_TAG(3, SW_PB_LEN)
#define TAG_PARENT_SPAN_ID SW_PB_TAG(4, SW_PB_LEN)
#define TAG_NAME           SW_PB_TAG(5, SW_PB_LEN)
#define TAG_KIND           SW_PB_TAG(6, SW_PB_VARINT)
#define TAG_START          SW_PB_TAG(7, SW_PB_I64)
#define TAG_END            SW_PB_TAG(8, SW_PB_I64)
#define TAG_ATTRIBUTES     SW_PB_TAG(9, SW_PB_LEN)
#define TAG_STATUS         SW_PB_TAG(15, SW_PB_LEN)
#define TAG_FLAGS          SW_PB_TAG(16, SW_PB_I32)

#define TAG_STATUS_MESSAGE SW_PB_TAG(2, SW_PB_LEN)
#define TAG_STATUS_CODE    SW_PB_TAG(3, SW_PB_VARINT)

// An ID that is absent or empty is all zero.
static const uint8_t zero_id[SW_TRACE_ID_BYTES];

void sw_envelope_add(struct sw_envelope *envelope, struct sw_bytes piece)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, piece);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag == SW_OTLP_TAG_SCOPES) {
            envelope->children_count++;
        } else if (field.tag == SW_OTLP_TAG_RESOURCE) {
            if (envelope->head_fragments++ == 0) {
                envelope->head = field.bytes;
            }
        } else if (field.tag == SW_OTLP_TAG_SCHEMA) {
            envelope->schema_url = field.bytes;
        }
    }
}
_Static_assert(
    SW_OTLP_TAG_RESOURCE == SW_OTLP_TAG_SCOPE && SW_OTLP_TAG_SCOPES == SW_OTLP_TAG_ITEMS,
    "both levels of envelopes look alike"
);

static bool read_id(struct sw_bytes bytes, size_t size, const uint8_t **ret_id)
{
    if (SW_LIKELY(bytes.size == size)) {
        *ret_id = bytes.data;
        return true;
    }
    *ret_id = zero_id;
    return bytes.size == 0;
}

static bool read_status(struct sw_span_view *view, struct sw_bytes status)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, status);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag == TAG_STATUS_CODE) {
            view->status_code = (int32_t)field.number;
        } else if (field.tag == TAG_STATUS_MESSAGE) {
            view->status_message = field.bytes;
        }
    }
    return reader.error == SW_PB_OK;
}

static bool read_field(struct sw_span_view *view, const struct sw_pb_field *field)
{
    switch (field->tag) {
    case TAG_TRACE_ID:
        return read_id(field->bytes, SW_TRACE_ID_BYTES, &view->trace_id);
    case TAG_SPAN_ID:
        return read_id(field->bytes, SW_SPAN_ID_BYTES, &view->span_id);
    case TAG_PARENT_SPAN_ID:
        return read_id(field->bytes, SW_SPAN_ID_BYTES, &view->parent_span_id);
    case TAG_TRACE_STATE:
        view->trace_state = field->bytes;
        return true;
    case TAG_NAME:
        view->name = field->bytes;
        return true;
    case TAG_KIND:
        view->kind = (int32_t)field->number;
        return true;
    case TAG_START:
        view->start_ns = field->number;
        return true;
    case TAG_END:
        view->end_ns = field->number;
        return true;
    case TAG_STATUS:
        return read_status(view, field->bytes);
    case TAG_FLAGS:
        view->flags = (uint32_t)field->number;
        return true;
    default:
        return true;
    }
}

/* Attributes come in runs; most have a length of one byte. */
static inline void hop_attributes(struct sw_pb_reader *reader)
{
    const uint8_t *at = reader->at;
    while (reader->end - at >= 2 && at[0] == TAG_ATTRIBUTES && at[1] < 0x80
           && at[1] <= reader->end - at - 2) {
        at += 2 + at[1];
    }
    reader->at = at;
}

bool sw_span_view_fill(struct sw_span_view *view, struct sw_bytes span)
{
    *view = (struct sw_span_view){
        .trace_id = zero_id,
        .span_id = zero_id,
        .parent_span_id = zero_id,
    };
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, span);
    hop_attributes(&reader);
    bool valid = true;
    while (valid && sw_pb_next(&reader, &field)) {
        valid = read_field(view, &field);
        hop_attributes(&reader);
    }
    uint64_t parent;
    memcpy(&parent, view->parent_span_id, sizeof(parent));
    view->is_root = parent == 0;
    return valid && reader.error == SW_PB_OK;
}

const uint8_t *sw_span_trace_id(struct sw_bytes span)
{
    const uint8_t *trace_id = zero_id;
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, span);
    hop_attributes(&reader);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag == TAG_TRACE_ID && !read_id(field.bytes, SW_TRACE_ID_BYTES, &trace_id)) {
            break;
        }
        hop_attributes(&reader);
    }
    return trace_id;
}
