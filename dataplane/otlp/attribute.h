/* Attributes in wire bytes: reading values, walking lists, looking a key up. Nothing is copied, nothing is
 * cached. Bytes are those of a validated message; on others all of this stays memory safe and stops at
 * the first field that cannot be read. Any thread. */
#ifndef SW_OTLP_ATTRIBUTE_H
#define SW_OTLP_ATTRIBUTE_H

#include "dataplane/otlp/protobuf.h"

/** The field that holds the attributes, for the iterator and the look-up. */
#define SW_RESOURCE_ATTRIBUTES SW_PB_TAG(1, SW_PB_LEN)
#define SW_SCOPE_ATTRIBUTES    SW_PB_TAG(3, SW_PB_LEN)
#define SW_SPAN_ATTRIBUTES     SW_PB_TAG(9, SW_PB_LEN)
#define SW_EVENT_ATTRIBUTES    SW_PB_TAG(3, SW_PB_LEN)
#define SW_LINK_ATTRIBUTES     SW_PB_TAG(4, SW_PB_LEN)
#define SW_LOG_ATTRIBUTES      SW_PB_TAG(6, SW_PB_LEN) /**< data points: sw_metric_attributes_tag */
#define SW_KVLIST_VALUES       SW_PB_TAG(1, SW_PB_LEN) /**< of a SW_ANY_MAP's bytes */

enum sw_any_type {
    SW_ANY_EMPTY, /**< legal: no member of the oneof is set */
    SW_ANY_STRING,
    SW_ANY_BOOL,
    SW_ANY_INT,
    SW_ANY_DOUBLE,
    SW_ANY_ARRAY, /**< bytes: the ArrayValue message */
    SW_ANY_MAP,   /**< bytes: the KeyValueList message */
    SW_ANY_BYTES,
    SW_ANY_STRING_INDEX, /**< profiles only; integer */
};

struct sw_any {
    enum sw_any_type type;
    union {
        struct sw_bytes bytes; /**< STRING, ARRAY, MAP, BYTES */
        int64_t integer;
        double number;
        bool boolean;
    };
};

/** Reads an AnyValue message into *value. Of several members the last one wins; where none is set *value
 * stays as it is, so that fragments of one value can be read one after the other.
 * @return false when a field cannot be read */
bool sw_any_read(struct sw_bytes any_value, struct sw_any *value);

struct sw_attribute {
    struct sw_bytes key;
    struct sw_any value;
    struct sw_bytes
        whole; /**< the field in its message, tag and length included; NULL outside a list */
};

/** Reads a KeyValue message; fields in any order, repeated ones as the Collector does.
 * @return false when a field cannot be read */
bool sw_attribute_read(struct sw_bytes key_value, struct sw_attribute *ret_attribute);

struct sw_attribute_iter {
    struct sw_pb_reader reader;
    uint32_t tag;
};

/** @param tag  SW_*_ATTRIBUTES */
static inline void
sw_attribute_iter_init(struct sw_attribute_iter *iter, struct sw_bytes message, uint32_t tag)
{
    sw_pb_reader_init(&iter->reader, message);
    iter->tag = tag;
}

/** @return false at the end */
bool sw_attribute_next(struct sw_attribute_iter *iter, struct sw_attribute *ret_attribute);

/** The value of the first attribute with this key, as the Collector's map look-up.
 *
 * @param message  Span, Resource, … (of a resource in fragments: joined, or fragment by fragment)
 * @param tag      SW_*_ATTRIBUTES
 * @return false when there is none (ret_value untouched)
 */
bool sw_attribute_find(
    struct sw_bytes message,
    uint32_t tag,
    struct sw_bytes key,
    struct sw_any *ret_value
);

/* ---- writing ---- */

/** Bytes of a KeyValue message with a string value. */
size_t sw_attribute_string_size(struct sw_bytes key, struct sw_bytes value);

/** Writes it, key first. @return behind it */
uint8_t *sw_attribute_put_string(uint8_t *out, struct sw_bytes key, struct sw_bytes value);

#endif
