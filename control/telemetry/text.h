/* Text that grows, for pages and log lines. Running out of memory is sticky: test `failed` once at
 * the end. Any thread, one at a time. */
#ifndef SW_TELEMETRY_TEXT_H
#define SW_TELEMETRY_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct sw_string {
    char *data; /**< NUL-terminated when anything was added */
    size_t len;
    size_t capacity;
    bool failed;
};

void sw_string_fini(struct sw_string *text);

/** Empties it and keeps the memory. */
static inline void sw_string_reset(struct sw_string *text)
{
    text->len = 0;
    text->failed = false;
}

void sw_string_add(struct sw_string *text, const char *data, size_t len);
void sw_string_put(struct sw_string *text, const char *string);
void sw_string_putc(struct sw_string *text, char c);
void sw_string_format(struct sw_string *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** A JSON string with its quotes; what is not UTF-8 becomes U+FFFD. */
void sw_string_json(struct sw_string *text, const char *data, size_t len);

/** As Go's strconv.FormatFloat(value, 'g', -1, 64): shortest that reads back; "+Inf", "NaN". */
void sw_string_float(struct sw_string *text, double value);

#endif
