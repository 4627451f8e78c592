#include "dataplane/base/field.h"

#include "dataplane/base/assert.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define COMPLAINT_TEXT_MAX 512

void sw_complain(
    struct sw_check *check,
    enum sw_complaint complaint,
    const char *path,
    const char *format,
    ...
)
{
    char text[COMPLAINT_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    check->report(check, complaint, path, text);
}

#define WORD_MAX 64

/** Levenshtein distance of two short words. */
static size_t distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1];
    size_t a_len = strlen(a);
    size_t b_len = strlen(b);
    if (a_len > WORD_MAX || b_len > WORD_MAX) {
        return WORD_MAX;
    }
    for (size_t j = 0; j <= b_len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];
            size_t cost = diagonal + (a[i - 1] != b[j - 1]);
            row[j] = SW_MIN(cost, SW_MIN(above, row[j - 1]) + 1);
            diagonal = above;
        }
    }
    return row[b_len];
}

const char *sw_nearest(const char *word, const char *const *words, size_t count)
{
    const char *best = NULL;
    size_t best_distance = strlen(word) / 3 + 2;
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(word, words[i]) == 0) {
            return words[i];
        }
        size_t d = distance(word, words[i]);
        if (d < best_distance && words[i][0] != '\0') {
            best = words[i];
            best_distance = d;
        }
    }
    return best;
}

void sw_complain_word(
    struct sw_check *check,
    enum sw_complaint complaint,
    const char *path,
    const char *word,
    const char *const *words,
    const char *format,
    ...
)
{
    char text[COMPLAINT_TEXT_MAX];
    size_t count = 0;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    while (words[count] != NULL) {
        count++;
    }
    const char *near = word[0] != '\0' ? sw_nearest(word, words, count) : NULL;
    if (near != NULL) {
        size_t len = strlen(text);
        snprintf(text + len, sizeof(text) - len, ", did you mean \"%s\"?", near);
    }
    check->report(check, complaint, path, text);
}

struct unit {
    const char *name;
    uint64_t ns;
};

static const struct unit units[] = {
    {"ns", 1},
    {"us", 1000},
    {"\xc2\xb5s", 1000}, // micro sign
    {"\xce\xbcs", 1000}, // Greek letter mu
    {"ms", 1000000},
    {"s", 1000000000},
    {"m", 60000000000},
    {"h", 3600000000000},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static uint64_t unit_ns(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strlen(units[i].name) == len && memcmp(units[i].name, name, len) == 0) {
            return units[i].ns;
        }
    }
    return 0;
}

/** One number with its unit, as in Go's time.ParseDuration: the whole part exactly, the fraction
 * through a double. Moves *at behind it. @return NULL, or why not */
static const char *add_part(const char **at, const char *end, uint64_t *sum)
{
    const uint64_t most = (uint64_t)1 << 63;
    const char *p = *at;
    uint64_t whole = 0;
    uint64_t fraction = 0;
    double scale = 1;
    bool overflow = false;
    bool digits = false;
    for (; p < end && is_digit(*p); p++) {
        digits = true;
        if (whole > most / 10) {
            return "invalid duration";
        }
        whole = whole * 10 + (uint64_t)(*p - '0');
        if (whole > most) {
            return "invalid duration";
        }
    }
    if (p < end && *p == '.') {
        for (p++; p < end && is_digit(*p); p++) {
            digits = true;
            // Digits beyond 63 bits do not matter any more.
            if (overflow || fraction > (most - 1) / 10) {
                overflow = true;
                continue;
            }
            fraction = fraction * 10 + (uint64_t)(*p - '0');
            scale *= 10;
        }
    }
    if (!digits) {
        return "invalid duration";
    }
    const char *name = p;
    while (p < end && *p != '.' && !is_digit(*p)) {
        p++;
    }
    if (p == name) {
        return "missing unit in duration";
    }
    uint64_t unit = unit_ns(name, (size_t)(p - name));
    if (unit == 0) {
        return "unknown unit";
    }
    if (whole > most / unit) {
        return "duration out of range";
    }
    whole *= unit;
    if (fraction > 0) {
        whole += (uint64_t)((double)fraction * ((double)unit / scale));
    }
    if (whole > most || *sum + whole > most) {
        return "duration out of range";
    }
    *sum += whole;
    *at = p;
    return NULL;
}

int sw_duration_parse(const char *text, size_t len, int64_t *ret_ns, const char **ret_why)
{
    const char *at = text;
    const char *end = text + len;
    bool negative = false;
    uint64_t sum = 0;
    if (at < end && (*at == '-' || *at == '+')) {
        negative = *at == '-';
        at++;
    }
    if (end - at == 1 && *at == '0') {
        *ret_ns = 0;
        return SW_OK;
    }
    if (at == end) {
        *ret_why = "invalid duration";
        return SW_E_INVALID;
    }
    while (at < end) {
        const char *why = add_part(&at, end, &sum);
        if (why != NULL) {
            *ret_why = why;
            return SW_E_INVALID;
        }
    }
    if (!negative && sum > INT64_MAX) {
        *ret_why = "duration out of range";
        return SW_E_INVALID;
    }
    *ret_ns = negative ? (int64_t)(0 - sum) : (int64_t)sum;
    return SW_OK;
}

/** "<whole>.<fraction><unit>" without trailing zeros. */
static void format_part(char *out, size_t size, uint64_t value, uint64_t unit, const char *name)
{
    uint64_t fraction = value % unit;
    int places = 0;
    for (uint64_t u = unit; u > 1; u /= 10) {
        places++;
    }
    while (places > 0 && fraction % 10 == 0) {
        fraction /= 10;
        places--;
    }
    if (places == 0) {
        snprintf(out, size, "%" PRIu64 "%s", value / unit, name);
    } else {
        snprintf(
            out,
            size,
            "%" PRIu64 ".%0*" PRIu64 "%s",
            value / unit,
            places & 15, // at most nine; tells the compiler so
            fraction,
            name
        );
    }
}

void sw_duration_format(int64_t ns, char text[SW_DURATION_TEXT_MAX])
{
    const uint64_t second = 1000000000;
    const char *sign = ns < 0 ? "-" : "";
    uint64_t value = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    char part[48];
    if (value == 0) {
        snprintf(text, SW_DURATION_TEXT_MAX, "0s");
        return;
    }
    if (value < second) {
        bool nano = value < 1000;
        bool micro = value < 1000000;
        format_part(
            part,
            sizeof(part),
            value,
            nano    ? 1
            : micro ? 1000
                    : 1000000,
            nano    ? "ns"
            : micro ? "\xc2\xb5s"
                    : "ms"
        );
        snprintf(text, SW_DURATION_TEXT_MAX, "%s%s", sign, part);
        return;
    }
    format_part(part, sizeof(part), value % (60 * second), second, "s");
    uint64_t minutes = value / (60 * second);
    if (minutes >= 60) {
        snprintf(
            text,
            SW_DURATION_TEXT_MAX,
            "%s%" PRIu64 "h%" PRIu64 "m%s",
            sign,
            minutes / 60,
            minutes % 60,
            part
        );
    } else if (minutes > 0) {
        snprintf(text, SW_DURATION_TEXT_MAX, "%s%" PRIu64 "m%s", sign, minutes, part);
    } else {
        snprintf(text, SW_DURATION_TEXT_MAX, "%s%s", sign, part);
    }
}

int sw_word_index(const char *const *words, const char *text, bool ignore_case)
{
    for (int i = 0; words[i] != NULL; i++) {
        if (ignore_case ? strcasecmp(words[i], text) == 0 : strcmp(words[i], text) == 0) {
            return i;
        }
    }
    return -1;
}

const char *sw_word_text(const char *const *words, int index)
{
    for (int i = 0; words[i] != NULL; i++) {
        if (i == index) {
            return words[i];
        }
    }
    return "?";
}
