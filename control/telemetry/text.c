#include "control/telemetry/text.h"

#include "dataplane/base/assert.h"
#include "dataplane/base/mem.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sw_string_fini(struct sw_string *text)
{
    sw_free(text->data);
    *text = (struct sw_string){0};
}

static bool make_room(struct sw_string *text, size_t len)
{
    if (text->failed) {
        return false;
    }
    if (text->capacity - text->len > len) {
        return true;
    }
    size_t capacity = SW_MAX(text->capacity * 2, text->len + len + 1);
    capacity = SW_MAX(capacity, (size_t)256);
    char *data = sw_realloc(text->data, capacity);
    if (data == NULL) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void sw_string_add(struct sw_string *text, const char *data, size_t len)
{
    if (make_room(text, len)) {
        memcpy(text->data + text->len, data, len);
        text->len += len;
        text->data[text->len] = '\0';
    }
}

void sw_string_put(struct sw_string *text, const char *string)
{
    sw_string_add(text, string, strlen(string));
}

void sw_string_putc(struct sw_string *text, char c)
{
    sw_string_add(text, &c, 1);
}

void sw_string_format(struct sw_string *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0 || !make_room(text, (size_t)len)) {
        text->failed = true;
        return;
    }
    va_start(args, format);
    vsnprintf(text->data + text->len, (size_t)len + 1, format, args);
    va_end(args);
    text->len += (size_t)len;
}

// Length of the well-formed UTF-8 sequence at the start of data, 0 when there is none (RFC 3629).
static size_t sequence_len(const uint8_t *data, size_t len)
{
    uint8_t first = data[0];
    if (first < 0x80) {
        return 1;
    }
    size_t need = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || len < need) {
        return 0;
    }
    for (size_t i = 1; i < need; i++) {
        if ((data[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (first == 0xe0 && data[1] < 0xa0) || (first == 0xf0 && data[1] < 0x90);
    bool surrogate = first == 0xed && data[1] > 0x9f;
    bool too_high = first == 0xf4 && data[1] > 0x8f;
    return overlong || surrogate || too_high ? 0 : need;
}

static void add_escaped(struct sw_string *text, char c)
{
    switch (c) {
    case '"':
        sw_string_add(text, "\\\"", 2);
        break;
    case '\\':
        sw_string_add(text, "\\\\", 2);
        break;
    case '\n':
        sw_string_add(text, "\\n", 2);
        break;
    case '\r':
        sw_string_add(text, "\\r", 2);
        break;
    case '\t':
        sw_string_add(text, "\\t", 2);
        break;
    default:
        sw_string_format(text, "\\u%04x", (unsigned char)c);
    }
}

void sw_string_json(struct sw_string *text, const char *data, size_t len)
{
    sw_string_putc(text, '"');
    size_t begin = 0; // of what needs no escape
    size_t at = 0;
    while (at < len) {
        unsigned char c = (unsigned char)data[at];
        size_t step = sequence_len((const uint8_t *)data + at, len - at);
        if (step > 0 && c >= 0x20 && c != '"' && c != '\\') {
            at += step;
            continue;
        }
        sw_string_add(text, data + begin, at - begin);
        if (step == 0) {
            sw_string_put(text, "\\ufffd");
        } else {
            add_escaped(text, data[at]);
        }
        begin = ++at;
    }
    sw_string_add(text, data + begin, at - begin);
    sw_string_putc(text, '"');
}

// Shortest digits that read back; %e gives them as d.ddde±xx.
static int shortest(double value, char *ret_text, size_t size)
{
    for (int digits = 0; digits < 17; digits++) {
        snprintf(ret_text, size, "%.*e", digits, value);
        if (strtod(ret_text, NULL) == value) {
            return digits;
        }
    }
    return 16;
}

void sw_string_float(struct sw_string *text, double value)
{
    if (isnan(value)) {
        sw_string_put(text, "NaN");
        return;
    }
    if (isinf(value)) {
        sw_string_put(text, value > 0 ? "+Inf" : "-Inf");
        return;
    }
    if (value == 0) {
        sw_string_put(text, signbit(value) ? "-0" : "0");
        return;
    }
    char mantissa[40];
    int digits = shortest(value, mantissa, sizeof(mantissa));
    int exponent = atoi(strchr(mantissa, 'e') + 1);
    // strconv decides as if the precision were 6 when it looks for the shortest form.
    if (exponent < -4 || exponent >= 6) {
        sw_string_put(text, mantissa);
    } else {
        sw_string_format(text, "%.*f", SW_MAX(digits - exponent, 0), value);
    }
}
