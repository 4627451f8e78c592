/* Doubles as decimal text, both ways; exact as Go's strconv. Any thread. */
#ifndef SW_OTLP_JSON_FLOAT_INTERNAL_H
#define SW_OTLP_JSON_FLOAT_INTERNAL_H

#include "dataplane/otlp/protobuf.h"

enum sw_float_result {
    SW_FLOAT_OK,
    SW_FLOAT_SYNTAX,
    SW_FLOAT_RANGE, // too large for a double
};

/** The nearest double of a decimal number: digits with at most one dot, an exponent perhaps, a sign
 * perhaps. Texts of up to 1024 bytes. */
enum sw_float_result sw_float_parse_decimal(struct sw_bytes text, double *ret_value);

/** As strconv.ParseFloat: hexadecimal, underscores, inf, infinity and nan in any case as well. */
enum sw_float_result sw_float_parse(struct sw_bytes text, double *ret_value);

#define SW_FLOAT_TEXT_MAX 32

/** The shortest text that reads back the same, in the form that the Collector's JSON has: exponent
 * below 1e-6 and from 1e21 on. Not for infinities and NaN.
 *
 * @param out  SW_FLOAT_TEXT_MAX bytes; no NUL is written
 * @return its size
 */
size_t sw_float_format(double value, char *out);

#endif
