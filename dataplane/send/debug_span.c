/* Spans and attributes as text. */
#include "dataplane/otlp/span.h"
#include "dataplane/send/debug_internal.h"

#define SPAN_DROPPED     SW_PB_TAG(10, SW_PB_VARINT)
#define SPAN_EVENTS      SW_PB_TAG(11, SW_PB_LEN)
#define SPAN_EVENTS_LOST SW_PB_TAG(12, SW_PB_VARINT)
#define SPAN_LINKS       SW_PB_TAG(13, SW_PB_LEN)
#define SPAN_LINKS_LOST  SW_PB_TAG(14, SW_PB_VARINT)
#define EVENT_TIME       SW_PB_TAG(1, SW_PB_I64)
#define EVENT_NAME       SW_PB_TAG(2, SW_PB_LEN)
#define EVENT_DROPPED    SW_PB_TAG(4, SW_PB_VARINT)
#define LINK_TRACE_ID    SW_PB_TAG(1, SW_PB_LEN)
#define LINK_SPAN_ID     SW_PB_TAG(2, SW_PB_LEN)
#define LINK_STATE       SW_PB_TAG(3, SW_PB_LEN)
#define LINK_DROPPED     SW_PB_TAG(5, SW_PB_VARINT)

/* ---- attributes ---- */

const struct debug_style sw_debug_on_the_line = {.header = NULL};

static void put_attribute(
    struct debug_out *out,
    const struct debug_style *style,
    const struct sw_attribute *attribute,
    bool first
)
{
    if (style->header == NULL) {
        const char *between = style->prefix != NULL ? style->prefix : " ";
        sw_debug_put_text(out, first && style->prefix != NULL ? "" : between);
        sw_debug_put_bytes(out, attribute->key);
        sw_debug_put(out, "=", 1);
        sw_debug_value(out, &attribute->value);
        return;
    }
    if (first) {
        sw_debug_put_text(out, style->header);
        sw_debug_put(out, ":\n", 2);
    }
    sw_debug_put_text(out, style->prefix);
    sw_debug_put_bytes(out, attribute->key);
    sw_debug_put_text(out, ": ");
    sw_debug_put_text(out, sw_debug_type(attribute->value.type));
    sw_debug_put(out, "(", 1);
    sw_debug_value(out, &attribute->value);
    sw_debug_put(out, ")\n", 2);
}

uint32_t sw_debug_attributes(
    struct debug_out *out,
    const struct debug_style *style,
    struct sw_bytes message,
    uint32_t tag,
    uint32_t shown
)
{
    struct sw_attribute_iter iter;
    struct sw_attribute attribute;
    sw_attribute_iter_init(&iter, message, tag);
    while (!out->cut && sw_attribute_next(&iter, &attribute)) {
        put_attribute(out, style, &attribute, shown++ == 0);
    }
    return shown;
}

/* ---- spans ---- */

static const struct debug_style nested = {"     -> Attributes:", "          -> "};

static void put_name(struct debug_out *out, const char *name)
{
    sw_debug_printf(out, "    %-15s: ", name);
}

static void put_line(struct debug_out *out, const char *name, struct sw_bytes text)
{
    put_name(out, name);
    sw_debug_put_bytes(out, text);
    sw_debug_put(out, "\n", 1);
}

static void put_word(struct debug_out *out, const char *name, const char *word)
{
    put_line(out, name, (struct sw_bytes){(const uint8_t *)word, strlen(word)});
}

static void put_id(struct debug_out *out, const char *name, const uint8_t *id, size_t size)
{
    put_name(out, name);
    sw_debug_id(out, (struct sw_bytes){id, size});
    sw_debug_put(out, "\n", 1);
}

static void put_time(struct debug_out *out, const char *name, uint64_t unix_ns)
{
    put_name(out, name);
    sw_debug_time(out, unix_ns);
    sw_debug_put(out, "\n", 1);
}

static const char *word_of(const char *const *words, int32_t count, int32_t index)
{
    return index >= 0 && index < count ? words[index] : "";
}

static void put_event(struct debug_out *out, struct sw_bytes event, uint32_t number)
{
    struct sw_bytes name = {NULL, 0};
    uint64_t time_ns = 0;
    uint32_t dropped = 0;
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, event);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag == EVENT_TIME) {
            time_ns = field.number;
        } else if (field.tag == EVENT_NAME) {
            name = field.bytes;
        } else if (field.tag == EVENT_DROPPED) {
            dropped = (uint32_t)field.number;
        }
    }
    sw_debug_printf(out, "%sSpanEvent #%u\n", number == 0 ? "Events:\n" : "", number);
    sw_debug_put_text(out, "     -> Name: ");
    sw_debug_put_bytes(out, name);
    sw_debug_put_text(out, "\n     -> Timestamp: ");
    sw_debug_time(out, time_ns);
    sw_debug_printf(out, "\n     -> DroppedAttributesCount: %u\n", dropped);
    (void)sw_debug_attributes(out, &nested, event, SW_EVENT_ATTRIBUTES, 0);
}

static void put_link(struct debug_out *out, struct sw_bytes link, uint32_t number)
{
    struct sw_bytes trace_id = {NULL, 0};
    struct sw_bytes span_id = {NULL, 0};
    struct sw_bytes state = {NULL, 0};
    uint32_t dropped = 0;
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, link);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag == LINK_TRACE_ID) {
            trace_id = field.bytes;
        } else if (field.tag == LINK_SPAN_ID) {
            span_id = field.bytes;
        } else if (field.tag == LINK_STATE) {
            state = field.bytes;
        } else if (field.tag == LINK_DROPPED) {
            dropped = (uint32_t)field.number;
        }
    }
    sw_debug_printf(out, "%sSpanLink #%u\n", number == 0 ? "Links:\n" : "", number);
    sw_debug_put_text(out, "     -> Trace ID: ");
    sw_debug_id(out, trace_id);
    sw_debug_put_text(out, "\n     -> ID: ");
    sw_debug_id(out, span_id);
    sw_debug_put_text(out, "\n     -> TraceState: ");
    sw_debug_put_bytes(out, state);
    sw_debug_printf(out, "\n     -> DroppedAttributesCount: %u\n", dropped);
    (void)sw_debug_attributes(out, &nested, link, SW_LINK_ATTRIBUTES, 0);
}

static void put_children(
    struct debug_out *out,
    struct sw_bytes span,
    uint32_t tag,
    void (*put)(struct debug_out *out, struct sw_bytes child, uint32_t number)
)
{
    struct sw_otlp_iter iter;
    struct sw_pb_field field;
    uint32_t number = 0;
    sw_otlp_iter_init(&iter, span, tag);
    while (!out->cut && sw_otlp_next(&iter, &field)) {
        put(out, field.bytes, number++);
    }
}

static void put_dropped(struct debug_out *out, struct sw_bytes span)
{
    uint32_t attributes = 0;
    uint32_t events = 0;
    uint32_t links = 0;
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, span);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag == SPAN_DROPPED) {
            attributes = (uint32_t)field.number;
        } else if (field.tag == SPAN_EVENTS_LOST) {
            events = (uint32_t)field.number;
        } else if (field.tag == SPAN_LINKS_LOST) {
            links = (uint32_t)field.number;
        }
    }
    sw_debug_printf(out, "    DroppedAttributesCount: %u\n", attributes);
    sw_debug_printf(out, "    DroppedEventsCount: %u\n    DroppedLinksCount: %u\n", events, links);
}

static void put_span_detailed(struct debug_out *out, struct sw_bytes span, uint32_t number)
{
    static const struct debug_style lines = {"Attributes", "     -> "};
    static const char *const kinds[] = {
        "Unspecified",
        "Internal",
        "Server",
        "Client",
        "Producer",
        "Consumer",
    };
    static const char *const codes[] = {"Unset", "Ok", "Error"};
    struct sw_span_view view;
    (void)sw_span_view_fill(&view, span); // validated; what cannot be read is left out
    sw_debug_printf(out, "Span #%u\n", number);
    put_id(out, "Trace ID", view.trace_id, SW_TRACE_ID_BYTES);
    put_id(out, "Parent ID", view.parent_span_id, SW_SPAN_ID_BYTES);
    put_id(out, "ID", view.span_id, SW_SPAN_ID_BYTES);
    put_line(out, "Name", view.name);
    put_word(out, "Kind", word_of(kinds, SW_ARRAY_SIZE(kinds), view.kind));
    if (view.trace_state.size > 0) {
        put_line(out, "TraceState", view.trace_state);
    }
    put_time(out, "Start time", view.start_ns);
    put_time(out, "End time", view.end_ns);
    put_word(out, "Status code", word_of(codes, SW_ARRAY_SIZE(codes), view.status_code));
    put_line(out, "Status message", view.status_message);
    put_dropped(out, span);
    (void)sw_debug_attributes(out, &lines, span, SW_SPAN_ATTRIBUTES, 0);
    put_children(out, span, SPAN_EVENTS, put_event);
    put_children(out, span, SPAN_LINKS, put_link);
}

void sw_debug_span(struct debug_out *out, bool detailed, struct sw_bytes span, uint32_t number)
{
    if (detailed) {
        put_span_detailed(out, span, number);
        return;
    }
    struct sw_span_view view;
    (void)sw_span_view_fill(&view, span);
    sw_debug_put_bytes(out, view.name);
    sw_debug_put(out, " ", 1);
    sw_debug_id(out, (struct sw_bytes){view.trace_id, SW_TRACE_ID_BYTES});
    sw_debug_put(out, " ", 1);
    sw_debug_id(out, (struct sw_bytes){view.span_id, SW_SPAN_ID_BYTES});
    (void)sw_debug_attributes(out, &sw_debug_on_the_line, span, SW_SPAN_ATTRIBUTES, 0);
    sw_debug_put(out, "\n", 1);
}
