/* Log records as text (v0.159 exporter/debugexporter). */
#include "dataplane/otlp/metric.h"
#include "dataplane/send/debug_internal.h"

#include <stdio.h>

static struct sw_any body_of(const struct sw_log_view *view, struct sw_bytes record)
{
    struct sw_any body = {.type = SW_ANY_EMPTY};
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    if (view->body_fragments <= 1) {
        (void)sw_any_read(view->body, &body);
        return body;
    }
    sw_pb_reader_init(&reader, record);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag == SW_LOG_TAG_BODY) {
            (void)sw_any_read(field.bytes, &body);
        }
    }
    return body;
}

static void put_time(struct debug_out *out, const char *name, uint64_t unix_ns)
{
    sw_debug_put_text(out, name);
    sw_debug_time(out, unix_ns);
    sw_debug_put(out, "\n", 1);
}

static void put_text(struct debug_out *out, const char *name, struct sw_bytes text)
{
    sw_debug_put_text(out, name);
    sw_debug_put_bytes(out, text);
    sw_debug_put(out, "\n", 1);
}

// "Info(9)", "Trace2(2)", "(30)".
static void put_severity(struct debug_out *out, int32_t severity)
{
    static const char *const names[] = {"Trace", "Debug", "Info", "Warn", "Error", "Fatal"};
    char name[16] = "";
    if (severity == 0) {
        snprintf(name, sizeof(name), "Unspecified");
    } else if (severity > 0 && severity <= 24) {
        unsigned step = (unsigned)(severity - 1) % 4;
        const char *base = names[(severity - 1) / 4];
        snprintf(name, sizeof(name), step > 0 ? "%s%u" : "%s", base, step + 1);
    }
    sw_debug_printf(out, "SeverityNumber: %s(%d)\n", name, severity);
}

static void put_id(struct debug_out *out, const char *name, const uint8_t *id, size_t size)
{
    sw_debug_put_text(out, name);
    sw_debug_id(out, (struct sw_bytes){id, size});
    sw_debug_put(out, "\n", 1);
}

static void put_detailed(
    struct debug_out *out,
    const struct sw_log_view *view,
    struct sw_bytes record,
    uint32_t number
)
{
    static const struct debug_style lines = {"Attributes", "     -> "};
    struct sw_any body = body_of(view, record);
    sw_debug_printf(out, "LogRecord #%u\n", number);
    put_time(out, "ObservedTimestamp: ", view->observed_ns);
    put_time(out, "Timestamp: ", view->time_ns);
    put_text(out, "SeverityText: ", view->severity_text);
    put_severity(out, view->severity);
    if (view->event_name.size > 0) {
        put_text(out, "EventName: ", view->event_name);
    }
    sw_debug_printf(out, "Body: %s(", sw_debug_type(body.type));
    sw_debug_value(out, &body);
    sw_debug_put_text(out, ")\n");
    (void)sw_debug_attributes(out, &lines, record, SW_LOG_ATTRIBUTES, 0);
    put_id(out, "Trace ID: ", view->trace_id, SW_TRACE_ID_BYTES);
    put_id(out, "Span ID: ", view->span_id, SW_SPAN_ID_BYTES);
    sw_debug_printf(out, "Flags: %u\n", view->flags);
}

void sw_debug_log(struct debug_out *out, bool detailed, struct sw_bytes record, uint32_t number)
{
    struct sw_log_view view;
    (void)sw_log_view_fill(&view, record); // validated; what cannot be read is left out
    if (detailed) {
        put_detailed(out, &view, record, number);
        return;
    }
    struct sw_any body = body_of(&view, record);
    sw_debug_value(out, &body);
    if (sw_debug_attributes(out, &sw_debug_on_the_line, record, SW_LOG_ATTRIBUTES, 0) == 0) {
        sw_debug_put(out, " ", 1);
    }
    sw_debug_put(out, "\n", 1);
}
