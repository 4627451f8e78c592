#include "dataplane/otlp/value_text.h"

#include "dataplane/base/mem.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define ARRAY_VALUES SW_PB_TAG(1, SW_PB_LEN)

// The receiver lets no deeper nesting through.
#define DEPTH_MAX 100

#define PARSED_MAX 500u

/* ---- putting ---- */

void sw_value_text_fini(struct sw_value_text *text)
{
    sw_free(text->data);
    *text = (struct sw_value_text){.data = NULL};
}

static void put(struct sw_value_text *text, const void *data, size_t size)
{
    if (text->failed || size == 0) {
        return;
    }
    if (text->capacity - text->size < size) {
        size_t capacity = (text->capacity + size) * 2;
        char *larger = sw_realloc(text->data, capacity);
        if (larger == NULL) {
            text->failed = true;
            return;
        }
        text->data = larger;
        text->capacity = capacity;
    }
    memcpy(text->data + text->size, data, size);
    text->size += size;
}

static void put_text(struct sw_value_text *text, const char *more)
{
    put(text, more, strlen(more));
}

static void put_bytes(struct sw_value_text *text, struct sw_bytes bytes)
{
    put(text, bytes.data, bytes.size);
}

/* ---- numbers ---- */

struct digits {
    char text[20]; // without point
    size_t count;
    int exponent; // d.ddd × 10^exponent
};

/* The fewest digits that read back as the same number. What can be written with 15 digits or fewer is found
 * with 15; only numbers near zero have not as many. */
static struct digits shortest(double number)
{
    char text[40];
    struct digits digits = {.count = 0};
    int precision = number >= DBL_MIN ? 14 : 0;
    do {
        snprintf(text, sizeof(text), "%.*e", precision, number);
    } while (strtod(text, NULL) != number && ++precision < 17);
    const char *mark = strchr(text, 'e');
    digits.exponent = atoi(mark + 1);
    for (const char *at = text; at < mark; at++) {
        if (*at != '.') {
            digits.text[digits.count++] = *at;
        }
    }
    while (digits.count > 1 && digits.text[digits.count - 1] == '0') {
        digits.count--;
    }
    return digits;
}

static size_t plain(const struct digits *digits, char *out)
{
    char *at = out;
    if (digits->exponent < 0) {
        *at++ = '0';
        *at++ = '.';
        memset(at, '0', (size_t)(-digits->exponent - 1));
        at += -digits->exponent - 1;
        memcpy(at, digits->text, digits->count);
        return (size_t)(at - out) + digits->count;
    }
    size_t whole = (size_t)digits->exponent + 1;
    size_t copied = SW_MIN(digits->count, whole);
    memcpy(at, digits->text, copied);
    memset(at + copied, '0', whole - copied);
    at += whole;
    if (digits->count > whole) {
        *at++ = '.';
        memcpy(at, digits->text + whole, digits->count - whole);
        at += digits->count - whole;
    }
    return (size_t)(at - out);
}

size_t sw_double_text_plain(double number, char text[SW_DOUBLE_TEXT_MAX])
{
    if (isnan(number) || isinf(number)) {
        return (size_t)snprintf(
            text,
            SW_DOUBLE_TEXT_MAX,
            "%s",
            isnan(number) ? "NaN"
            : number > 0  ? "+Inf"
                          : "-Inf"
        );
    }
    size_t sign = signbit(number) ? 1 : 0;
    struct digits digits = shortest(fabs(number));
    text[0] = '-';
    return sign + plain(&digits, text + sign);
}

// Plain notation from 1e-6 up to 1e21, else an exponent without padding, as ECMAScript.
static void put_finite(struct sw_value_text *text, double number)
{
    char out[64];
    struct digits digits = shortest(fabs(number));
    put_text(text, signbit(number) ? "-" : "");
    if (number == 0 || (digits.exponent >= -6 && digits.exponent < 21)) {
        put(text, out, plain(&digits, out));
        return;
    }
    put(text, digits.text, 1);
    if (digits.count > 1) {
        put_text(text, ".");
        put(text, digits.text + 1, digits.count - 1);
    }
    int len = snprintf(out, sizeof(out), "e%+d", digits.exponent);
    put(text, out, (size_t)len);
}

static void put_double(struct sw_value_text *text, double number)
{
    if (isnan(number)) {
        put_text(text, "NaN");
    } else if (isinf(number)) {
        put_text(text, number > 0 ? "Infinity" : "-Infinity");
    } else {
        put_finite(text, number);
    }
}

/* ---- bytes and strings ---- */

static void put_base64(struct sw_value_text *text, struct sw_bytes bytes)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes.size; i += 3) {
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
        put(text, four, sizeof(four));
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

static void put_escaped(struct sw_value_text *text, uint8_t byte)
{
    static const char plain_of[] = "\"\\\b\f\n\r\t";
    static const char letter_of[] = "\"\\bfnrt";
    const char *found = byte != 0 ? strchr(plain_of, byte) : NULL;
    char out[8];
    int len = found != NULL ? snprintf(out, sizeof(out), "\\%c", letter_of[found - plain_of])
                            : snprintf(out, sizeof(out), "\\u%04x", byte);
    put(text, out, (size_t)len);
}

// As Go's encoding/json without HTML escapes.
static void put_json_string(struct sw_value_text *text, struct sw_bytes bytes)
{
    put_text(text, "\"");
    for (size_t i = 0; i < bytes.size && !text->failed;) {
        const uint8_t *at = bytes.data + i;
        size_t size = sequence_size(at, bytes.size - i);
        bool separator = size == 3 && at[0] == 0xe2 && at[1] == 0x80 && (at[2] & 0xfe) == 0xa8;
        if (size == 0) {
            put_text(text, "\\ufffd");
        } else if (separator) {
            put_text(text, at[2] == 0xa8 ? "\\u2028" : "\\u2029");
        } else if (at[0] < 0x20 || at[0] == '"' || at[0] == '\\') {
            put_escaped(text, at[0]);
        } else {
            put(text, at, size);
        }
        i += SW_MAX(size, 1);
    }
    put_text(text, "\"");
}

/* ---- lists and maps ---- */

static void put_json(struct sw_value_text *text, const struct sw_any *value, unsigned depth);

static void put_json_array(struct sw_value_text *text, struct sw_bytes array, unsigned depth)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    const char *before = "";
    put_text(text, "[");
    sw_pb_reader_init(&reader, array);
    while (!text->failed && sw_pb_next(&reader, &field)) {
        struct sw_any item = {.type = SW_ANY_EMPTY};
        if (field.tag == ARRAY_VALUES && sw_any_read(field.bytes, &item)) {
            put_text(text, before);
            put_json(text, &item, depth + 1);
            before = ",";
        }
    }
    put_text(text, "]");
}

struct sorted {
    struct sw_attribute entry;
    size_t index;
};

static int compare(const void *a, const void *b)
{
    const struct sorted *x = a;
    const struct sorted *y = b;
    size_t least = SW_MIN(x->entry.key.size, y->entry.key.size);
    int order = least > 0 ? memcmp(x->entry.key.data, y->entry.key.data, least) : 0;
    if (order == 0) {
        order = (x->entry.key.size > y->entry.key.size) - (x->entry.key.size < y->entry.key.size);
    }
    return order != 0 ? order : (x->index > y->index) - (x->index < y->index);
}

// Go has it in a map first: sorted, and of entries with the same key the last one.
static void put_json_map(struct sw_value_text *text, struct sw_bytes map, unsigned depth)
{
    struct sw_attribute_iter iter;
    struct sw_attribute entry;
    size_t count = 0;
    sw_attribute_iter_init(&iter, map, SW_KVLIST_VALUES);
    while (sw_attribute_next(&iter, &entry)) {
        count++;
    }
    struct sorted *sorted = sw_alloc((count + 1) * sizeof(*sorted));
    if (sorted == NULL) {
        text->failed = true;
        return;
    }
    sw_attribute_iter_init(&iter, map, SW_KVLIST_VALUES);
    for (size_t i = 0; i < count && sw_attribute_next(&iter, &entry); i++) {
        sorted[i] = (struct sorted){entry, i};
    }
    qsort(sorted, count, sizeof(*sorted), compare);
    const char *before = "";
    put_text(text, "{");
    for (size_t i = 0; i < count && !text->failed; i++) {
        if (i + 1 < count && sw_bytes_equal(sorted[i].entry.key, sorted[i + 1].entry.key)) {
            continue;
        }
        put_text(text, before);
        put_json_string(text, sorted[i].entry.key);
        put_text(text, ":");
        put_json(text, &sorted[i].entry.value, depth + 1);
        before = ",";
    }
    put_text(text, "}");
    sw_free(sorted);
}

static void put_value(struct sw_value_text *text, const struct sw_any *value)
{
    char number[32];
    switch (value->type) {
    case SW_ANY_STRING:
        put_bytes(text, value->bytes);
        break;
    case SW_ANY_BOOL:
        put_text(text, value->boolean ? "true" : "false");
        break;
    case SW_ANY_INT:
        put(text, number, (size_t)snprintf(number, 32, "%lld", (long long)value->integer));
        break;
    case SW_ANY_DOUBLE:
        put_double(text, value->number);
        break;
    case SW_ANY_ARRAY:
    case SW_ANY_MAP:
        put_json(text, value, 0);
        break;
    case SW_ANY_BYTES:
        put_base64(text, value->bytes);
        break;
    case SW_ANY_EMPTY:
    case SW_ANY_STRING_INDEX:
        break;
    }
}

static void put_json(struct sw_value_text *text, const struct sw_any *value, unsigned depth)
{
    switch (depth < DEPTH_MAX ? value->type : SW_ANY_EMPTY) {
    case SW_ANY_STRING:
        put_json_string(text, value->bytes);
        break;
    case SW_ANY_ARRAY:
        put_json_array(text, value->bytes, depth);
        break;
    case SW_ANY_MAP:
        put_json_map(text, value->bytes, depth);
        break;
    case SW_ANY_BYTES:
        put_text(text, "\"");
        put_base64(text, value->bytes);
        put_text(text, "\"");
        break;
    case SW_ANY_EMPTY:
    case SW_ANY_STRING_INDEX:
        put_text(text, "null");
        break;
    default:
        put_value(text, value);
        break;
    }
}

int sw_value_text_set(struct sw_value_text *text, const struct sw_any *value)
{
    text->size = 0;
    text->failed = false;
    put_value(text, value);
    return text->failed ? SW_E_NOMEM : SW_OK;
}

/* ---- text to numbers ---- */

bool sw_int_parse(struct sw_bytes text, int64_t *ret_value)
{
    size_t at = text.size > 0 && (text.data[0] == '-' || text.data[0] == '+') ? 1 : 0;
    bool negative = at == 1 && text.data[0] == '-';
    int64_t value = 0;
    if (at == text.size) {
        return false;
    }
    for (; at < text.size; at++) {
        if (text.data[at] < '0' || text.data[at] > '9') {
            return false;
        }
        int digit = text.data[at] - '0';
        // Downwards, where there is one number more.
        if (__builtin_mul_overflow(value, 10, &value)
            || __builtin_sub_overflow(value, digit, &value)) {
            return false;
        }
    }
    if (!negative && value == INT64_MIN) {
        return false;
    }
    *ret_value = negative ? value : -value;
    return true;
}

static bool is_digit(char byte, bool hex)
{
    char lower = (char)(byte | 0x20);
    return (byte >= '0' && byte <= '9') || (hex && lower >= 'a' && lower <= 'f');
}

/* Underscores may stand between digits and behind a base prefix; they are taken out.
 * @return false: one stands elsewhere */
static bool take_underscores(char *text)
{
    bool hex = strncasecmp(text + (text[0] == '-' || text[0] == '+'), "0x", 2) == 0;
    char *out = text;
    for (char *at = text; *at != '\0'; at++) {
        if (*at != '_') {
            *out++ = *at;
            continue;
        }
        bool behind = at > text && (is_digit(at[-1], hex) || (hex && (at[-1] | 0x20) == 'x'));
        if (!behind || !is_digit(at[1], hex)) {
            return false;
        }
    }
    *out = '\0';
    return true;
}

// Go's syntax is strtod's, but for NaN with a sign or payload, blanks, and hexadecimals without exponent.
static bool is_double(const char *text)
{
    const char *at = text + (text[0] == '-' || text[0] == '+');
    if (strcasecmp(at, "inf") == 0 || strcasecmp(at, "infinity") == 0
        || strcasecmp(text, "nan") == 0) {
        return true;
    }
    bool hex = strncasecmp(at, "0x", 2) == 0;
    if (hex && strpbrk(at, "pP") == NULL) {
        return false;
    }
    return is_digit(hex ? at[2] : at[0], hex) || (hex ? at[2] : at[0]) == '.';
}

bool sw_double_parse(struct sw_bytes text, double *ret_value)
{
    char copy[PARSED_MAX + 1];
    char *end;
    if (text.size == 0 || text.size > PARSED_MAX || memchr(text.data, 0, text.size) != NULL) {
        return false;
    }
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    if (!take_underscores(copy) || !is_double(copy)) {
        return false;
    }
    double value = strtod(copy, &end);
    bool named = strpbrk(copy, "nN") != NULL; // inf, nan
    if (*end != '\0' || end == copy || (isinf(value) && !named)) {
        return false;
    }
    *ret_value = value;
    return true;
}
