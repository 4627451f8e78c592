/* What debug_text.c (the walk, resources, scopes), debug_span.c, debug_metric.c, debug_log.c and debug_value.c
 * share. */
#ifndef SW_SEND_DEBUG_INTERNAL_H
#define SW_SEND_DEBUG_INTERNAL_H

#include "dataplane/base/buf.h"
#include "dataplane/otlp/attribute.h"
#include "dataplane/otlp/metric.h"

/** Text in the making. Errors are sticky. */
struct debug_out {
    struct sw_buf *buf; /**< NULL: out of memory */
    struct sw_account *account;
    uint32_t record_end; /**< size that the record under way may not pass */
    bool cut;            /**< it would have: the rest of the record is left out */
};

void sw_debug_put(struct debug_out *out, const char *data, size_t size);
void sw_debug_put_text(struct debug_out *out, const char *text);
void sw_debug_put_bytes(struct debug_out *out, struct sw_bytes bytes);
void sw_debug_printf(struct debug_out *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** The type's name as the Collector has it: "Str", "Int", … */
const char *sw_debug_type(enum sw_any_type type);
/** A value as pcommon.Value.AsString gives it. */
void sw_debug_value(struct debug_out *out, const struct sw_any *value);
/** Hexadecimal; nothing when all bytes are zero. */
void sw_debug_id(struct debug_out *out, struct sw_bytes id);
/** As Go's Time.String in UTC. */
void sw_debug_time(struct debug_out *out, uint64_t unix_ns);

/** As Go's %v. */
void sw_debug_number(struct debug_out *out, double number);
/** As Go's %f. */
void sw_debug_fixed(struct debug_out *out, double number);

/* ---- debug_span.c ---- */

/** How a list of attributes is shown: after a line of its own, each on a line; or on the line that there
 * is, each as key=value. */
struct debug_style {
    const char *header; /**< NULL: on the line */
    const char *prefix; /**< of each line; on the line: between two, NULL is a blank before each */
};
extern const struct debug_style sw_debug_on_the_line;

/** The attributes of a message. @return how many there were, `shown` with them */
uint32_t sw_debug_attributes(
    struct debug_out *out,
    const struct debug_style *style,
    struct sw_bytes message,
    uint32_t tag,
    uint32_t shown
);

void sw_debug_span(struct debug_out *out, bool detailed, struct sw_bytes span, uint32_t number);

/* ---- debug_metric.c ---- */

/** What stands before the data points; nothing unless detailed. */
void sw_debug_metric(
    struct debug_out *out,
    const struct sw_metric_view *metric,
    struct sw_bytes message,
    uint32_t number
);
void sw_debug_point(
    struct debug_out *out,
    bool detailed,
    const struct sw_metric_view *metric,
    struct sw_bytes message,
    uint32_t number
);

/* ---- debug_log.c ---- */

void sw_debug_log(struct debug_out *out, bool detailed, struct sw_bytes record, uint32_t number);

#endif
