/* Attributes that are written into the instrumentation scope of traces on their way out. */
#include "sampling/assemble/assemble.h"

#define TAG_ATTRIBUTES SW_PB_TAG(3, SW_PB_LEN) // of InstrumentationScope
#define TAG_KEY        SW_PB_TAG(1, SW_PB_LEN)

static struct sw_bytes key_of(struct sw_bytes attribute)
{
    struct sw_bytes key = {NULL, 0};
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, attribute);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag == TAG_KEY) {
            key = field.bytes;
        }
    }
    return key;
}

static bool is_marked(struct sw_bytes mark, struct sw_bytes attribute)
{
    struct sw_bytes key = key_of(attribute);
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, mark);
    while (sw_pb_next(&reader, &field)) {
        if (sw_bytes_equal(key_of(field.bytes), key)) {
            return true;
        }
    }
    return false;
}

// Measures without out.
static size_t put(uint8_t *out, size_t at, struct sw_bytes bytes)
{
    if (out != NULL && bytes.size > 0) {
        memcpy(out + at, bytes.data, bytes.size);
    }
    return bytes.size;
}

// The scope's own fields, without attributes that are written anew, then the mark.
static size_t put_scope(struct sw_bytes around, struct sw_bytes mark, uint8_t *out)
{
    size_t size = 0;
    struct sw_pb_reader outer;
    struct sw_pb_reader inner;
    struct sw_pb_field scope;
    struct sw_pb_field field;
    sw_pb_reader_init(&outer, around);
    while (sw_pb_next(&outer, &scope)) {
        if (scope.tag != SW_OTLP_TAG_SCOPE) {
            continue;
        }
        sw_pb_reader_init(&inner, scope.bytes);
        while (sw_pb_next(&inner, &field)) {
            if (field.tag != TAG_ATTRIBUTES || !is_marked(mark, field.bytes)) {
                size += put(out, size, field.whole);
            }
        }
    }
    return size + put(out, size, mark);
}

size_t sw_scope_mark(struct sw_bytes around, struct sw_bytes mark, uint8_t *out)
{
    size_t inner = put_scope(around, mark, NULL);
    size_t size = sw_pb_len_size(SW_OTLP_TAG_SCOPE, inner);
    if (out != NULL) {
        (void)put_scope(around, mark, sw_pb_put_head(out, SW_OTLP_TAG_SCOPE, inner));
    }
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, around);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag != SW_OTLP_TAG_SCOPE) {
            size += put(out, size, field.whole);
        }
    }
    return size;
}
