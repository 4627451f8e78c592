/* Writing OTLP/JSON inside: a machine without recursion, as the reader is.
 *
 * A message is scanned first, noting where each field stands, then its members are written in the
 * Collector's order. So it matters not in which order the fields came, nor that singular ones came more
 * than once: what the Collector's decoder makes of them is what is written. */
#ifndef SW_OTLP_JSON_WRITE_INTERNAL_H
#define SW_OTLP_JSON_WRITE_INTERNAL_H

#include "dataplane/otlp/json.h"
#include "dataplane/otlp/json_out_internal.h"
#include "dataplane/otlp/json_schema_internal.h"
#include "dataplane/otlp/validate.h"

enum {
    WRITE_TEXT_SLICE = 1024,
    WRITE_SCAN_COST = 8,     // of a field that is looked at, in bytes written
    WRITE_DOUBLE_COST = 512, // of a double with many digits
    WRITE_LONG_DOUBLE = 16,  // characters
};

enum write_state {
    WRITE_COLLECT, // the batch into one piece
    WRITE_SCAN,
    WRITE_GATHER, // the pieces of a message into one
    WRITE_MEMBERS,
    WRITE_LIST,
    WRITE_TEXT,
    WRITE_BASE64,
    WRITE_DONE,
};

struct write_frame {
    const uint8_t *begin;
    const uint8_t *end;
    const uint8_t *at;                  // of the scan; later of the list that is written
    struct sw_buf *gathered;            // the message, where it came in several pieces
    uint32_t found[SW_JSON_FIELDS_MAX]; // offset plus 1; 0: absent
    uint32_t many;                      // fields that are messages and were found more than once
    uint8_t message;
    uint8_t index;    // of the member that comes next, or whose list is written
    uint8_t hint;     // index of the field that was found last
    uint8_t oneof;    // index plus 1 of the member that counts; 0: none
    bool has_members; // some were written
    bool has_elements;
};

struct sw_json_writer {
    struct json_out out;
    uint8_t state;
    bool in_list; // the text at hand is an element
    uint32_t depth;
    size_t spent; // of the slice
    int err;
    const uint8_t *text; // that is written
    const uint8_t *text_end;
    struct sw_buf *gathered; // the message that is gathered
    const uint8_t *piece;    // that is copied to it
    const uint8_t *piece_end;
    const uint8_t *numbers; // packed, of the list that is written
    const uint8_t *numbers_end;
    enum sw_signal signal;
    struct sw_buf *source; // the batch in one piece; NULL: it was
    struct sw_batch_cursor cursor;
    struct write_frame frames[SW_OTLP_DEPTH_MAX];
};

static inline struct write_frame *sw_json_write_top(struct sw_json_writer *writer)
{
    return &writer->frames[writer->depth - 1];
}

static inline void sw_json_put_char(struct sw_json_writer *writer, char byte)
{
    *writer->out.to++ = (uint8_t)byte;
}

/* ---- json_write_value.c: each within JSON_ROOM ---- */

/* The name of a member and its colon; a comma before where one belongs. */
void sw_json_put_name(struct sw_json_writer *writer, const struct sw_json_field *field);

/* Whether the value at `reader`, behind its tag, is to be written at all. The reader stays. */
bool sw_json_is_default(const struct sw_json_field *field, struct sw_pb_reader reader);

/* A number, bool or ID whose wire value is read from `reader`; false: malformed. */
SW_CHECKED bool
sw_json_put_value(struct sw_json_writer *writer, uint8_t type, struct sw_pb_reader *reader);

/* json_write_usual.c: a KeyValue in its usual form; false: it is not, or there is not the room, and nothing was
 * written. */
SW_CHECKED bool sw_json_write_attribute(struct sw_json_writer *writer, struct sw_bytes content);

/* Begins a text: `state` WRITE_TEXT or WRITE_BASE64. */
void sw_json_begin_write(
    struct sw_json_writer *writer,
    enum write_state state,
    struct sw_bytes text,
    bool in_list
);
void sw_json_write_text(struct sw_json_writer *writer);
void sw_json_write_base64(struct sw_json_writer *writer);

#endif
