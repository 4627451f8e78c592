// The C library rounds exactly both ways; what is short is done here without it. The process stays in the
// "C" locale, so the dot is a dot.
#include "dataplane/base/assert.h"
#include "dataplane/otlp/json_float_internal.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    TEXT_MAX = 1024,
    EXPONENT_MAX = 100000,
};

static const double powers[] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

struct decimal {
    bool is_negative;
    uint64_t mantissa; // the first 19 digits
    int64_t exponent;  // of the last digit
    size_t digits_count;
    char digits[TEXT_MAX];
};

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static void add_digit(struct decimal *decimal, uint8_t digit, bool is_behind_dot)
{
    if (decimal->digits_count == 0 && digit == '0') {
        decimal->exponent -= is_behind_dot;
        return;
    }
    if (decimal->digits_count < 19) {
        decimal->mantissa = decimal->mantissa * 10 + (digit - '0');
    }
    decimal->digits[decimal->digits_count++] = (char)digit;
    decimal->exponent -= is_behind_dot;
}

/* Behind the 'e'. False: no exponent. */
static bool read_exponent(struct decimal *decimal, const uint8_t *at, const uint8_t *end)
{
    bool is_negative = at < end && *at == '-';
    at += at < end && (*at == '-' || *at == '+');
    if (at == end) {
        return false;
    }
    int64_t exponent = 0;
    for (; at < end; at++) {
        if (!is_digit(*at)) {
            return false;
        }
        exponent = SW_MIN(exponent * 10 + (*at - '0'), EXPONENT_MAX);
    }
    decimal->exponent += is_negative ? -exponent : exponent;
    return true;
}

static bool read_decimal(struct decimal *decimal, struct sw_bytes text)
{
    const uint8_t *at = text.data;
    const uint8_t *end = at + text.size;
    decimal->is_negative = at < end && *at == '-';
    at += at < end && (*at == '-' || *at == '+');
    bool has_digits = false;
    bool has_dot = false;
    for (; at < end && (is_digit(*at) || (*at == '.' && !has_dot)); at++) {
        if (*at == '.') {
            has_dot = true;
        } else {
            has_digits = true;
            add_digit(decimal, *at, has_dot);
        }
    }
    if (!has_digits) {
        return false;
    }
    return at == end || ((*at | 0x20) == 'e' && read_exponent(decimal, at + 1, end));
}

/* By the C library. */
static double convert(const struct decimal *decimal)
{
    char text[TEXT_MAX + 32];
    size_t size = decimal->digits_count;
    memcpy(text, decimal->digits, size);
    snprintf(text + size, sizeof(text) - size, "e%lld", (long long)decimal->exponent);
    return strtod(text, NULL);
}

enum sw_float_result sw_float_parse_decimal(struct sw_bytes text, double *ret_value)
{
    struct decimal decimal;
    decimal.mantissa = 0;
    decimal.exponent = 0;
    decimal.digits_count = 0;
    if (text.size > TEXT_MAX || !read_decimal(&decimal, text)) {
        return SW_FLOAT_SYNTAX;
    }
    double value;
    int64_t exponent = decimal.exponent;
    if (decimal.digits_count == 0) {
        value = 0;
    } else if (decimal.digits_count <= 15 && exponent >= -22 && exponent <= 22) {
        // Both are exact, so the result of one operation is the nearest.
        double mantissa = (double)decimal.mantissa;
        value = exponent < 0 ? mantissa / powers[-exponent] : mantissa * powers[exponent];
    } else {
        value = convert(&decimal);
    }
    if (isinf(value)) {
        return SW_FLOAT_RANGE;
    }
    *ret_value = decimal.is_negative ? -value : value;
    return SW_FLOAT_OK;
}

/* ---- what only strings may hold ---- */

/* Go's rule for underscores: between digits, or behind the base. Takes them out. False: one is wrong. */
static bool strip(struct sw_bytes text, char *out, size_t *ret_size)
{
    const uint8_t *at = text.data;
    const uint8_t *end = at + text.size;
    size_t size = 0;
    uint8_t before = '^'; // '0': a digit or the base; '_'; '!': neither
    if (at < end && (*at == '-' || *at == '+')) {
        out[size++] = (char)*at++;
    }
    bool is_hex = end - at >= 2 && at[0] == '0' && (at[1] | 0x20) == 'x';
    if (is_hex) {
        out[size++] = (char)*at++;
        out[size++] = (char)*at++;
        before = '0';
    }
    for (; at < end; at++) {
        bool digit = is_digit(*at) || (is_hex && (*at | 0x20) >= 'a' && (*at | 0x20) <= 'f');
        if (digit) {
            before = '0';
        } else if (*at == '_') {
            if (before != '0') {
                return false;
            }
            before = '_';
            continue;
        } else {
            if (before == '_') {
                return false;
            }
            before = '!';
        }
        out[size++] = (char)*at;
    }
    *ret_size = size;
    return before != '_';
}

/* Hexadecimal: digits with at most one dot, and an exponent. `text` ends with a NUL. */
static enum sw_float_result parse_hex(const char *text, double *ret_value)
{
    const char *at = text + (*text == '-' || *text == '+') + 2;
    bool has_digits = false;
    bool has_dot = false;
    for (; is_digit((uint8_t)*at) || ((*at | 0x20) >= 'a' && (*at | 0x20) <= 'f') || *at == '.';
         at++) {
        if (*at == '.' && has_dot) {
            return SW_FLOAT_SYNTAX;
        }
        has_dot |= *at == '.';
        has_digits |= *at != '.';
    }
    if (!has_digits || (*at | 0x20) != 'p') {
        return SW_FLOAT_SYNTAX;
    }
    at++;
    at += *at == '-' || *at == '+';
    size_t digits = strspn(at, "0123456789");
    if (digits == 0 || at[digits] != '\0') {
        return SW_FLOAT_SYNTAX;
    }
    double value = strtod(text, NULL);
    if (isinf(value)) {
        return SW_FLOAT_RANGE;
    }
    *ret_value = value;
    return SW_FLOAT_OK;
}

static bool parse_special(const char *text, double *ret_value)
{
    const char *bare = text + (*text == '-' || *text == '+');
    if (strcasecmp(bare, "inf") == 0 || strcasecmp(bare, "infinity") == 0) {
        *ret_value = *text == '-' ? -(double)INFINITY : (double)INFINITY;
        return true;
    }
    if (strcasecmp(text, "nan") == 0) {
        // The bits of Go's NaN.
        uint64_t bits = UINT64_C(0x7ff8000000000001);
        memcpy(ret_value, &bits, sizeof(bits));
        return true;
    }
    return false;
}

enum sw_float_result sw_float_parse(struct sw_bytes text, double *ret_value)
{
    char stripped[TEXT_MAX + 1];
    size_t size;
    if (text.size > TEXT_MAX || (text.size > 0 && memchr(text.data, '\0', text.size) != NULL)) {
        return SW_FLOAT_SYNTAX;
    }
    if (!strip(text, stripped, &size)) {
        return SW_FLOAT_SYNTAX;
    }
    stripped[size] = '\0';
    if (parse_special(stripped, ret_value)) {
        return SW_FLOAT_OK;
    }
    const char *bare = stripped + (stripped[0] == '-' || stripped[0] == '+');
    if (bare[0] == '0' && (bare[1] | 0x20) == 'x') {
        return parse_hex(stripped, ret_value);
    }
    struct sw_bytes digits = {(const uint8_t *)stripped, size};
    return sw_float_parse_decimal(digits, ret_value);
}

/* ---- the other way ---- */

/* Digits of value * 10^decimals, which is a whole number of at most 15 digits, with the dot put in. */
static size_t put_short(uint64_t digits, unsigned decimals, char *out)
{
    char reversed[24];
    size_t size = 0;
    size_t count = 0;
    while (digits > 0 || count <= decimals) {
        reversed[count++] = (char)('0' + digits % 10);
        digits /= 10;
    }
    while (count > 0) {
        out[size++] = reversed[--count];
        if (count == decimals && decimals > 0) {
            out[size++] = '.';
        }
    }
    return size;
}

/* The shortest "%e" that reads back as the value. */
static void shortest(double value, char *text, size_t capacity)
{
    // Whatever fifteen digits can say they say with zeroes behind, unless the value has fewer bits.
    for (int precision = value < DBL_MIN ? 0 : 14; precision <= 16; precision++) {
        snprintf(text, capacity, "%.*e", precision, value);
        if (strtod(text, NULL) == value) {
            return;
        }
        // Doubles lie closer together below a power of two than above it, so that the decimal above
        // may do where the nearest one, below, does not.
        char *last = strchr(text, 'e') - 1;
        if (precision == 15 && *last < '9') {
            ++*last;
            if (strtod(text, NULL) == value) {
                return;
            }
        }
    }
}

/* As the shortest "%e", but with an exponent only where Go's marshalers write one. */
static size_t put_long(double value, char *out)
{
    char text[40];
    shortest(value, text, sizeof(text));
    char *mark = strchr(text, 'e');
    int exponent = atoi(mark + 1);
    char digits[24] = {text[0]};
    size_t count = 1;
    for (const char *at = text + 2; at < mark; at++) {
        digits[count++] = *at;
    }
    while (count > 1 && digits[count - 1] == '0') {
        count--;
    }
    size_t size = 0;
    if (exponent < -6 || exponent >= 21) {
        out[size++] = digits[0];
        if (count > 1) {
            out[size++] = '.';
            memcpy(out + size, digits + 1, count - 1);
            size += count - 1;
        }
        return size + (size_t)snprintf(out + size, 8, "e%+03d", exponent);
    }
    int end = SW_MAX(exponent + 1, (int)count);
    for (int at = SW_MIN(exponent, 0); at < end; at++) {
        out[size++] = at >= 0 && at < (int)count ? digits[at] : '0';
        if (at == exponent && at + 1 < end) {
            out[size++] = '.';
        }
    }
    return size;
}

size_t sw_float_format(double value, char *out)
{
    size_t sign = signbit(value) ? 1 : 0;
    double positive = fabs(value);
    out[0] = '-';
    if (positive < 1e15 && (positive == 0 || positive >= 1e-6)) {
        // The first power that makes a whole number of at most 15 digits gives the shortest decimal.
        for (unsigned decimals = 0; decimals <= 9; decimals++) {
            double scaled = nearbyint(positive * powers[decimals]);
            if (scaled >= 1e15) {
                break;
            }
            if (scaled / powers[decimals] == positive) {
                return sign + put_short((uint64_t)scaled, decimals, out + sign);
            }
        }
    }
    return sign + put_long(positive, out + sign);
}
