/* Attribute values as text and text as numbers, as the Collector does it (v0.159 pdata/pcommon
 * Value.AsString, Go's strconv). */
#ifndef SW_OTLP_VALUE_TEXT_H
#define SW_OTLP_VALUE_TEXT_H

#include "dataplane/otlp/attribute.h"

/** Text under way. Its memory is kept for the next one; zeroed at the start. */
struct sw_value_text {
    char *data;
    size_t size;
    size_t capacity;
    bool failed; /**< out of memory */
};

void sw_value_text_fini(struct sw_value_text *text);

/** Text of a value: strings as they are, numbers as JSON writes them, bytes in base64, lists and maps as
 * JSON with sorted keys, "" for an empty value.
 *
 * @param text  what it held goes
 * @return 0 or SW_E_NOMEM
 */
SW_CHECKED int sw_value_text_set(struct sw_value_text *text, const struct sw_any *value);

#define SW_DOUBLE_TEXT_MAX 352

/** Shortest decimal that reads back as the same number, without exponent (FormatFloat 'f', -1).
 * @return bytes written */
size_t sw_double_text_plain(double number, char text[SW_DOUBLE_TEXT_MAX]);

/** ParseInt(…, 10, 64). @return false: it is no such number, or out of range */
bool sw_int_parse(struct sw_bytes text, int64_t *ret_value);

/** ParseFloat(…, 64). Texts above 500 bytes are not read. @return false: likewise */
bool sw_double_parse(struct sw_bytes text, double *ret_value);

#endif
