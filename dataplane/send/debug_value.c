/* Values as text: numbers, JSON, identifiers, times. */
#include "dataplane/base/clock.h"
#include "dataplane/send/debug_internal.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ARRAY_VALUES SW_PB_TAG(1, SW_PB_LEN)

// The receiver lets no deeper nesting through.
#define DEPTH_MAX 100

#define FIRST_BYTES (4u << 10)

/* ---- putting ---- */

// Room for size more bytes. Without memory the text so far goes, and with it the record.
static bool reserve(struct debug_out *out, size_t size)
{
    struct sw_buf *buf = out->buf;
    if (buf == NULL || out->cut) {
        return false;
    }
    if (size > out->record_end - SW_MIN(out->record_end, buf->size)) {
        out->cut = true;
        return false;
    }
    if (size <= buf->capacity - buf->size) {
        return true;
    }
    uint32_t wanted = SW_MAX(buf->capacity * 2, buf->size + (uint32_t)size);
    struct sw_buf *larger = sw_buf_new(out->account, SW_MAX(wanted, FIRST_BYTES));
    if (larger != NULL) {
        memcpy(larger->data, buf->data, buf->size);
        larger->size = buf->size;
    }
    sw_buf_unref(buf);
    out->buf = larger;
    return larger != NULL;
}

void sw_debug_put(struct debug_out *out, const char *data, size_t size)
{
    if (size > 0 && reserve(out, size)) {
        memcpy(out->buf->data + out->buf->size, data, size);
        out->buf->size += (uint32_t)size;
    }
}

void sw_debug_put_text(struct debug_out *out, const char *text)
{
    sw_debug_put(out, text, strlen(text));
}

void sw_debug_put_bytes(struct debug_out *out, struct sw_bytes bytes)
{
    sw_debug_put(out, (const char *)bytes.data, bytes.size);
}

void sw_debug_printf(struct debug_out *out, const char *format, ...)
{
    char text[128];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    SW_ASSERT(len >= 0 && (size_t)len < sizeof(text));
    sw_debug_put(out, text, (size_t)len);
}

/* ---- numbers ---- */

// The fewest digits that read back as the same number: "d.ddde±xx".
static void shortest(double number, char text[40])
{
    for (int digits = 0; digits < 17; digits++) {
        snprintf(text, 40, "%.*e", digits, number);
        if (strtod(text, NULL) == number) {
            return;
        }
    }
}

/* Plain notation between 1e-6 and 1e21, else an exponent without padding: as ECMAScript and Go's JSON
 * write numbers. */
static void put_finite(struct debug_out *out, double number)
{
    char text[40];
    char digits[24];
    size_t count = 0;
    shortest(fabs(number), text);
    char *mark = strchr(text, 'e');
    int exponent = atoi(mark + 1);
    for (const char *at = text; at < mark; at++) {
        if (*at != '.') {
            digits[count++] = *at;
        }
    }
    sw_debug_put_text(out, signbit(number) ? "-" : "");
    if (number != 0 && (exponent < -6 || exponent >= 21)) {
        sw_debug_put(out, text, (size_t)(mark - text));
        sw_debug_printf(out, "e%c%d", exponent < 0 ? '-' : '+', abs(exponent));
        return;
    }
    if (exponent < 0) {
        sw_debug_put(out, "0.000000", 2 + (size_t)(-exponent - 1));
        sw_debug_put(out, digits, count);
        return;
    }
    size_t whole = (size_t)exponent + 1;
    sw_debug_put(out, digits, SW_MIN(count, whole));
    for (size_t i = count; i < whole; i++) {
        sw_debug_put(out, "0", 1);
    }
    if (count > whole) {
        sw_debug_put(out, ".", 1);
        sw_debug_put(out, digits + whole, count - whole);
    }
}

static void put_double(struct debug_out *out, double number)
{
    if (isnan(number)) {
        sw_debug_put_text(out, "NaN");
    } else if (isinf(number)) {
        sw_debug_put_text(out, number > 0 ? "Infinity" : "-Infinity");
    } else {
        put_finite(out, number);
    }
}

static bool put_special(struct debug_out *out, double number)
{
    if (isnan(number)) {
        sw_debug_put_text(out, "NaN");
    } else if (isinf(number)) {
        sw_debug_put_text(out, number > 0 ? "+Inf" : "-Inf");
    } else {
        return false;
    }
    return true;
}

// strconv's 'g' with the fewest digits: an exponent below 1e-4 and from 1e6 on.
void sw_debug_number(struct debug_out *out, double number)
{
    char text[40];
    if (put_special(out, number)) {
        return;
    }
    shortest(fabs(number), text);
    int exponent = atoi(strchr(text, 'e') + 1);
    if (number != 0 && (exponent < -4 || exponent >= 6)) {
        sw_debug_put_text(out, signbit(number) ? "-" : "");
        sw_debug_put_text(out, text);
        return;
    }
    put_finite(out, number);
}

void sw_debug_fixed(struct debug_out *out, double number)
{
    char text[336]; // 309 digits before the point
    if (!put_special(out, number)) {
        snprintf(text, sizeof(text), "%f", number);
        sw_debug_put_text(out, text);
    }
}

/* ---- bytes and strings ---- */

static void put_base64(struct debug_out *out, struct sw_bytes bytes)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes.size && !out->cut; i += 3) {
        size_t left = bytes.size - i;
        uint32_t group = (uint32_t)bytes.data[i] << 16;
        group |= left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0;
        group |= left > 2 ? bytes.data[i + 2] : 0;
        char four[4] = {
            letters[group >> 18],
            letters[group >> 12 & 63],
            left > 1 ? letters[group >> 6 & 63] : '=',
            left > 2 ? letters[group & 63] : '=',
        };
        sw_debug_put(out, four, sizeof(four));
    }
}

// Bytes of the UTF-8 sequence that begins here; 0: none does.
static size_t sequence_size(const uint8_t *at, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = at[0] < 0x80 ? 1 : at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    uint32_t point = size == 1 ? at[0] : at[0] & (0x7fu >> size);
    if (size > left || at[0] >= 0xf8 || (at[0] >= 0x80 && at[0] < 0xc0)) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
        point = point << 6 | (at[i] & 0x3f);
    }
    bool surrogate = point >= 0xd800 && point < 0xe000;
    return point < least[size] || point > 0x10ffff || surrogate ? 0 : size;
}

static void put_escaped(struct debug_out *out, uint8_t byte)
{
    static const char shorts[][2] = {
        {'"', '"'},
        {'\\', '\\'},
        {'\b', 'b'},
        {'\f', 'f'},
        {'\n', 'n'},
        {'\r', 'r'},
        {'\t', 't'},
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(shorts); i++) {
        if ((uint8_t)shorts[i][0] == byte) {
            sw_debug_printf(out, "\\%c", shorts[i][1]);
            return;
        }
    }
    sw_debug_printf(out, "\\u%04x", byte);
}

// As Go's encoding/json without HTML escapes.
static void put_json_string(struct debug_out *out, struct sw_bytes bytes)
{
    sw_debug_put(out, "\"", 1);
    for (size_t i = 0; i < bytes.size && !out->cut;) {
        const uint8_t *at = bytes.data + i;
        size_t size = sequence_size(at, bytes.size - i);
        bool separator = size == 3 && at[0] == 0xe2 && at[1] == 0x80 && (at[2] & 0xfe) == 0xa8;
        if (size == 0) {
            sw_debug_put_text(out, "\\ufffd");
        } else if (separator) {
            sw_debug_printf(out, "\\u20%02x", at[2] - 0x80);
        } else if (at[0] < 0x20 || at[0] == '"' || at[0] == '\\') {
            put_escaped(out, at[0]);
        } else {
            sw_debug_put(out, (const char *)at, size);
        }
        i += SW_MAX(size, 1);
    }
    sw_debug_put(out, "\"", 1);
}

/* ---- values ---- */

static void put_json(struct debug_out *out, const struct sw_any *value, unsigned depth);

static void put_json_array(struct debug_out *out, struct sw_bytes array, unsigned depth)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    const char *before = "";
    sw_debug_put(out, "[", 1);
    sw_pb_reader_init(&reader, array);
    while (!out->cut && sw_pb_next(&reader, &field)) {
        struct sw_any item = {.type = SW_ANY_EMPTY};
        if (field.tag == ARRAY_VALUES && sw_any_read(field.bytes, &item)) {
            sw_debug_put_text(out, before);
            put_json(out, &item, depth + 1);
            before = ",";
        }
    }
    sw_debug_put(out, "]", 1);
}

// In the order of the wire; Go sorts by key.
static void put_json_map(struct debug_out *out, struct sw_bytes map, unsigned depth)
{
    struct sw_attribute_iter iter;
    struct sw_attribute entry;
    const char *before = "";
    sw_debug_put(out, "{", 1);
    sw_attribute_iter_init(&iter, map, SW_KVLIST_VALUES);
    while (!out->cut && sw_attribute_next(&iter, &entry)) {
        sw_debug_put_text(out, before);
        put_json_string(out, entry.key);
        sw_debug_put(out, ":", 1);
        put_json(out, &entry.value, depth + 1);
        before = ",";
    }
    sw_debug_put(out, "}", 1);
}

static void put_json(struct debug_out *out, const struct sw_any *value, unsigned depth)
{
    switch (depth < DEPTH_MAX ? value->type : SW_ANY_EMPTY) {
    case SW_ANY_STRING:
        put_json_string(out, value->bytes);
        break;
    case SW_ANY_ARRAY:
        put_json_array(out, value->bytes, depth);
        break;
    case SW_ANY_MAP:
        put_json_map(out, value->bytes, depth);
        break;
    case SW_ANY_BYTES:
        sw_debug_put(out, "\"", 1);
        put_base64(out, value->bytes);
        sw_debug_put(out, "\"", 1);
        break;
    case SW_ANY_EMPTY:
        sw_debug_put_text(out, "null");
        break;
    default:
        sw_debug_value(out, value);
        break;
    }
}

const char *sw_debug_type(enum sw_any_type type)
{
    static const char *const names[] = {
        [SW_ANY_EMPTY] = "Empty",
        [SW_ANY_STRING] = "Str",
        [SW_ANY_BOOL] = "Bool",
        [SW_ANY_INT] = "Int",
        [SW_ANY_DOUBLE] = "Double",
        [SW_ANY_ARRAY] = "Slice",
        [SW_ANY_MAP] = "Map",
        [SW_ANY_BYTES] = "Bytes",
        [SW_ANY_STRING_INDEX] = "Empty", // what it is to a Collector outside of profiles
    };
    return names[type];
}

void sw_debug_value(struct debug_out *out, const struct sw_any *value)
{
    switch (value->type) {
    case SW_ANY_STRING:
        sw_debug_put_bytes(out, value->bytes);
        break;
    case SW_ANY_BOOL:
        sw_debug_put_text(out, value->boolean ? "true" : "false");
        break;
    case SW_ANY_INT:
        sw_debug_printf(out, "%lld", (long long)value->integer);
        break;
    case SW_ANY_DOUBLE:
        put_double(out, value->number);
        break;
    case SW_ANY_ARRAY:
    case SW_ANY_MAP:
        put_json(out, value, 0);
        break;
    case SW_ANY_BYTES:
        put_base64(out, value->bytes);
        break;
    case SW_ANY_EMPTY:
    case SW_ANY_STRING_INDEX:
        break;
    }
}

void sw_debug_id(struct debug_out *out, struct sw_bytes id)
{
    static const char digits[] = "0123456789abcdef";
    char text[2 * 16];
    uint8_t any = 0;
    size_t size = SW_MIN(id.size, sizeof(text) / 2);
    for (size_t i = 0; i < size; i++) {
        any |= id.data[i];
        text[2 * i] = digits[id.data[i] >> 4];
        text[2 * i + 1] = digits[id.data[i] & 15];
    }
    sw_debug_put(out, text, any != 0 ? 2 * size : 0);
}

/* ---- times ---- */

/* Day of the Gregorian calendar, 1970-01-01 being day 0: counted in eras of 400 years that begin in
 * March, so that the leap day comes last. (gmtime_r takes a lock.) */
static void civil(int64_t day, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    day += 719468;
    int64_t era = (day >= 0 ? day : day - 146096) / 146097;
    unsigned in_era = (unsigned)(day - era * 146097);
    unsigned year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    unsigned in_year = in_era - (365 * year + year / 4 - year / 100);
    unsigned month = (5 * in_year + 2) / 153;
    *ret_day = in_year - (153 * month + 2) / 5 + 1;
    *ret_month = month < 10 ? month + 3 : month - 9;
    *ret_year = (int64_t)year + era * 400 + (*ret_month <= 2);
}

void sw_debug_time(struct debug_out *out, uint64_t unix_ns)
{
    // The Collector reads the wire's unsigned number as a signed one.
    int64_t ns = (int64_t)unix_ns;
    int64_t second = ns / (int64_t)SW_NS_PER_S;
    int64_t fraction = ns % (int64_t)SW_NS_PER_S;
    if (fraction < 0) {
        fraction += (int64_t)SW_NS_PER_S;
        second--;
    }
    int64_t day = (second >= 0 ? second : second - 86399) / 86400;
    unsigned in_day = (unsigned)(second - day * 86400);
    int64_t year;
    unsigned month;
    unsigned month_day;
    civil(day, &year, &month, &month_day);
    sw_debug_printf(out, "%04lld-%02u-%02u ", (long long)year, month, month_day);
    sw_debug_printf(out, "%02u:%02u:%02u", in_day / 3600, in_day / 60 % 60, in_day % 60);
    if (fraction > 0) {
        char digits[16];
        int len = snprintf(digits, sizeof(digits), ".%09lld", (long long)fraction);
        while (digits[len - 1] == '0') {
            len--;
        }
        sw_debug_put(out, digits, (size_t)len);
    }
    sw_debug_put_text(out, " +0000 UTC");
}
