// What a plain scalar means: the rules of Go's YAML v3 (resolve.go), because the Collector decides by
// them whether 0123 is a number (it is 83) and whether yes is a bool (it is not).
#include "control/conf/conf_internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX 512

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_text(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && memcmp(text, word, len) == 0;
}

static bool is_one_of(const char *text, size_t len, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (is_text(text, len, *words)) {
            return true;
        }
    }
    return false;
}

/** The fixed words; false when it is none of them. */
static bool resolve_word(const char *text, size_t len, struct sw_node *node)
{
    static const char *const yes[] = {"true", "True", "TRUE", NULL};
    static const char *const no[] = {"false", "False", "FALSE", NULL};
    static const char *const null[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const nan[] = {".nan", ".NaN", ".NAN", NULL};
    static const char *const inf[] = {
        ".inf",
        ".Inf",
        ".INF",
        "+.inf",
        "+.Inf",
        "+.INF",
        NULL,
    };
    static const char *const minus_inf[] = {"-.inf", "-.Inf", "-.INF", NULL};
    if (is_one_of(text, len, null)) {
        node->kind = SW_NODE_NULL;
    } else if (is_one_of(text, len, yes) || is_one_of(text, len, no)) {
        node->kind = SW_NODE_BOOL;
        node->boolean = is_one_of(text, len, yes);
    } else if (is_one_of(text, len, nan) || is_one_of(text, len, inf) || is_one_of(text, len, minus_inf)) {
        node->kind = SW_NODE_FLOAT;
        node->number = is_one_of(text, len, nan)   ? NAN
                       : is_one_of(text, len, inf) ? INFINITY
                                                   : -INFINITY;
    } else {
        return false;
    }
    return true;
}

static int digits_at(const char *text, size_t len, size_t *at, int most)
{
    int count = 0;
    while (*at < len && is_digit(text[*at]) && count < most) {
        (*at)++;
        count++;
    }
    return count;
}

/** ":" minutes ":" seconds, the fraction and (behind T) the zone. */
static bool is_clock(const char *text, size_t len, size_t at, bool zone)
{
    if (digits_at(text, len, &at, 2) == 0 || at >= len || text[at++] != ':'
        || digits_at(text, len, &at, 2) == 0 || at >= len || text[at++] != ':'
        || digits_at(text, len, &at, 2) == 0) {
        return false;
    }
    if (at < len && text[at] == '.') {
        at++;
        while (at < len && is_digit(text[at])) {
            at++;
        }
    }
    if (!zone) {
        return at == len;
    }
    if (at < len && text[at] == 'Z') {
        return at + 1 == len;
    }
    if (at < len && (text[at] == '+' || text[at] == '-')) {
        at++;
        return digits_at(text, len, &at, 2) == 2 && at < len && text[at++] == ':'
               && digits_at(text, len, &at, 2) == 2 && at == len;
    }
    return false;
}

/** The forms that Go's YAML takes for a timestamp. */
static bool is_timestamp(const char *text, size_t len)
{
    size_t at = 0;
    if (digits_at(text, len, &at, 4) != 4 || at >= len || text[at++] != '-') {
        return false;
    }
    size_t month_at = at;
    if (digits_at(text, len, &at, 2) == 0 || at >= len || text[at++] != '-') {
        return false;
    }
    size_t day_at = at;
    if (digits_at(text, len, &at, 2) == 0) {
        return false;
    }
    int month = atoi(text + month_at);
    int day = atoi(text + day_at);
    if (month < 1 || month > 12 || day < 1 || day > 31) {
        return false;
    }
    if (at == len) {
        return true;
    }
    if (text[at] == 'T' || text[at] == 't') {
        return is_clock(text, len, at + 1, true);
    }
    return text[at] == ' ' && is_clock(text, len, at + 1, false);
}

/** Go's strconv.ParseInt and ParseUint with base 0 on a text without underscores. */
static bool resolve_integer(const char *plain, struct sw_node *node)
{
    const char *digits = plain;
    bool negative = *digits == '-';
    if (*digits == '-' || *digits == '+') {
        digits++;
    }
    int base = 10;
    if (digits[0] == '0' && digits[1] != '\0') {
        char mark = digits[1];
        base = mark == 'x' || mark == 'X' ? 16 : mark == 'b' || mark == 'B' ? 2 : 8;
        digits += mark == 'o' || mark == 'O' || base != 8 ? 2 : 1;
    }
    if (*digits == '\0') {
        return false;
    }
    uint64_t value = 0;
    for (const char *p = digits; *p != '\0'; p++) {
        int digit = is_digit(*p)             ? *p - '0'
                    : *p >= 'a' && *p <= 'f' ? *p - 'a' + 10
                    : *p >= 'A' && *p <= 'F' ? *p - 'A' + 10
                                             : 99;
        if (digit >= base || value > (UINT64_MAX - (uint64_t)digit) / (uint64_t)base) {
            return false;
        }
        value = value * (uint64_t)base + (uint64_t)digit;
    }
    if (negative && value > (uint64_t)INT64_MAX + 1) {
        return false;
    }
    if (!negative && value > INT64_MAX) {
        // ParseUint takes no sign, not even plus.
        if (plain[0] == '+') {
            return false;
        }
        node->kind = SW_NODE_UINT;
        node->uinteger = value;
        return true;
    }
    node->kind = SW_NODE_INT;
    node->integer = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

/** ^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$ */
static bool is_float(const char *p)
{
    if (*p == '-' || *p == '+') {
        p++;
    }
    bool digits = is_digit(*p);
    while (is_digit(*p)) {
        p++;
    }
    if (*p == '.') {
        p++;
        if (!digits && !is_digit(*p)) {
            return false;
        }
        digits = true;
        while (is_digit(*p)) {
            p++;
        }
    }
    if (!digits) {
        return false;
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        if (*p == '-' || *p == '+') {
            p++;
        }
        if (!is_digit(*p)) {
            return false;
        }
        while (is_digit(*p)) {
            p++;
        }
    }
    return *p == '\0';
}

static bool resolve_float(const char *plain, struct sw_node *node)
{
    if (!is_float(plain)) {
        return false;
    }
    double value = strtod(plain, NULL);
    if (isinf(value)) {
        return false; // ParseFloat reports a range error: it stays a text.
    }
    node->kind = SW_NODE_FLOAT;
    node->number = value;
    return true;
}

void sw_scalar_resolve(const char *text, size_t len, struct sw_node *node)
{
    char plain[NUMBER_MAX];
    char first = len > 0 ? text[0] : '\0';
    node->kind = SW_NODE_STRING;
    node->text = text;
    if (resolve_word(text, len, node)) {
        return;
    }
    if (first == '.' && len < sizeof(plain)) {
        memcpy(plain, text, len);
        plain[len] = '\0';
        if (resolve_float(plain, node)) {
            return;
        }
    } else if (is_digit(first) || first == '-' || first == '+') {
        if (is_timestamp(text, len)) {
            node->kind = SW_NODE_TIME;
            return;
        }
        size_t plain_len = 0;
        for (size_t i = 0; i < len && plain_len + 1 < sizeof(plain); i++) {
            if (text[i] != '_') {
                plain[plain_len++] = text[i];
            }
        }
        plain[plain_len] = '\0';
        if (len < sizeof(plain) && (resolve_integer(plain, node) || resolve_float(plain, node))) {
            return;
        }
    }
    node->kind = SW_NODE_STRING;
    node->text = text;
}
