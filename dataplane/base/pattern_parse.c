/* RE2's syntax, as Go's regexp/syntax reads it with its Perl flags, to PCRE2's. Each construct is either
 * known to mean the same to both, or written in another way, or refused. */
#include "dataplane/base/assert.h"
#include "dataplane/base/mem.h"
#include "dataplane/base/pattern_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REPEAT_MAX 1000u // also of repetitions within one another, multiplied
#define GROUPS_MAX 1000u // within one another
#define POINT_MAX  0x10ffffu

/* What stands before a repetition operator, and how often the largest repetition within the groups
 * that are open repeats. */
struct context {
    bool atom;      // something that can be repeated
    bool repeated;  // is repeated already
    uint32_t times; // of that atom
    uint32_t depth;
    uint32_t most[GROUPS_MAX + 1];
};

static void fail(struct pattern_parse *parse, const char *why)
{
    if (parse->err == SW_OK) {
        parse->err = SW_E_INVALID;
        if (parse->why != NULL) {
            snprintf(parse->why, SW_PATTERN_WHY_MAX, "%s", why);
        }
    }
    parse->at = parse->end;
}

static void put(struct pattern_parse *parse, const void *data, size_t size)
{
    if (parse->out_capacity - parse->out_size < size) {
        size_t capacity = (parse->out_capacity + size) * 2 + 64;
        char *larger = sw_realloc(parse->out, capacity);
        if (larger == NULL) {
            parse->err = SW_E_NOMEM;
            parse->at = parse->end;
            return;
        }
        parse->out = larger;
        parse->out_capacity = capacity;
    }
    memcpy(parse->out + parse->out_size, data, size);
    parse->out_size += size;
}

static void put_text(struct pattern_parse *parse, const char *text)
{
    put(parse, text, strlen(text));
}

static void put_point(struct pattern_parse *parse, uint32_t point)
{
    char text[16];
    int len = snprintf(text, sizeof(text), "\\x{%x}", point);
    put(parse, text, (size_t)len);
}

static bool more(const struct pattern_parse *parse)
{
    return parse->at < parse->end;
}

static bool next_is(const struct pattern_parse *parse, const char *text)
{
    size_t len = strlen(text);
    return (size_t)(parse->end - parse->at) >= len && memcmp(parse->at, text, len) == 0;
}

static bool take(struct pattern_parse *parse, const char *text)
{
    if (!next_is(parse, text)) {
        return false;
    }
    parse->at += strlen(text);
    return true;
}

static bool is_letter(uint8_t byte)
{
    return (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static int hex_value(uint8_t byte)
{
    if (is_digit(byte)) {
        return byte - '0';
    }
    return (byte | 0x20) >= 'a' && (byte | 0x20) <= 'f' ? (byte | 0x20) - 'a' + 10 : -1;
}

// The next character, taken.
static uint32_t take_point(struct pattern_parse *parse)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t *at = parse->at;
    size_t size = at[0] < 0x80 ? 1 : at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    bool good = at[0] < 0x80 || (at[0] >= 0xc2 && at[0] < 0xf5);
    if (!good || size > (size_t)(parse->end - at)) {
        fail(parse, "invalid UTF-8");
        return 0;
    }
    uint32_t point = size == 1 ? at[0] : at[0] & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        good = good && (at[i] & 0xc0) == 0x80;
        point = point << 6 | (at[i] & 0x3f);
    }
    if (!good || point < least[size] || point > POINT_MAX || (point >= 0xd800 && point < 0xe000)) {
        fail(parse, "invalid UTF-8");
        return 0;
    }
    parse->at += size;
    return point;
}

/* ---- escapes ---- */

static uint32_t take_hex(struct pattern_parse *parse)
{
    uint32_t point = 0;
    unsigned digits = 0;
    bool braces = take(parse, "{");
    while (more(parse) && hex_value(*parse->at) >= 0 && (braces || digits < 2)) {
        point = point * 16 + (uint32_t)hex_value(*parse->at++);
        digits++;
        if (point > POINT_MAX) {
            break;
        }
    }
    bool closed = braces ? digits > 0 && take(parse, "}") : digits == 2;
    if (!closed || point > POINT_MAX) {
        fail(parse, "invalid escape sequence");
    }
    return point;
}

// A character written with a backslash, which has been taken.
static uint32_t take_escaped(struct pattern_parse *parse)
{
    static const char letters[] = "afnrtv";
    static const char points[] = "\a\f\n\r\t\v";
    if (!more(parse)) {
        fail(parse, "trailing backslash at end of expression");
        return 0;
    }
    uint8_t byte = *parse->at;
    const char *letter = byte != 0 ? strchr(letters, byte) : NULL;
    if (letter != NULL) {
        parse->at++;
        return (uint8_t)points[letter - letters];
    }
    if (byte == 'x') {
        parse->at++;
        return take_hex(parse);
    }
    bool octal = byte >= '0' && byte <= '7';
    // One digit alone, other than 0, would be a back-reference.
    bool two = parse->end - parse->at >= 2 && parse->at[1] >= '0' && parse->at[1] <= '7';
    if (octal && (byte == '0' || two)) {
        uint32_t point = 0;
        for (unsigned i = 0; i < 3 && more(parse) && *parse->at >= '0' && *parse->at <= '7'; i++) {
            point = point * 8 + (uint32_t)(*parse->at++ - '0');
        }
        return point;
    }
    if (byte >= 0x80 || is_letter(byte) || is_digit(byte)) {
        fail(parse, "invalid escape sequence");
        return 0;
    }
    parse->at++;
    return byte;
}

// \d, \s, \w, \p and their opposites, the backslash being taken. @return false: none of them
static bool take_class_escape(struct pattern_parse *parse, bool in_class)
{
    uint8_t byte = more(parse) ? *parse->at : 0;
    switch (byte) {
    case 'd':
    case 'D':
    case 'w':
    case 'W':
        put(parse, (const char[]){'\\', (char)byte}, 2);
        parse->at++;
        return true;
    case 's': // without the vertical tab, which PCRE2 counts in
        put_text(parse, in_class ? "\\t\\n\\f\\r\\x{20}" : "[\\t\\n\\f\\r\\x{20}]");
        parse->at++;
        return true;
    case 'S':
        put_text(parse, in_class ? "\\S\\x{b}" : "[^\\t\\n\\f\\r\\x{20}]");
        parse->at++;
        return true;
    case 'p':
    case 'P':
        break;
    default:
        return false;
    }
    // PCRE2 knows the same names and refuses others.
    const uint8_t *begin = parse->at++;
    const uint8_t *close = more(parse) && *parse->at == '{'
                               ? memchr(parse->at, '}', (size_t)(parse->end - parse->at))
                               : parse->at;
    if (close == NULL || close >= parse->end) {
        fail(parse, "invalid character class range");
        return true;
    }
    parse->at = close + 1;
    put_text(parse, "\\");
    put(parse, begin, (size_t)(parse->at - begin));
    return true;
}

// \Q, which has been taken.
static void take_quoted(struct pattern_parse *parse, struct context *context)
{
    while (more(parse) && !take(parse, "\\E")) {
        put_point(parse, take_point(parse));
        context->atom = true;
        context->repeated = false;
        context->times = 1;
    }
}

/* ---- [classes] ---- */

// "[:alpha:]". @return false: it is none, nothing was taken
static bool take_named_class(struct pattern_parse *parse)
{
    static const char *const names[] = {
        "alnum",
        "alpha",
        "ascii",
        "blank",
        "cntrl",
        "digit",
        "graph",
        "lower",
        "print",
        "punct",
        "space",
        "upper",
        "word",
        "xdigit",
    };
    const uint8_t *begin = parse->at;
    const uint8_t *at = begin + 2;
    while (at + 1 < parse->end && !(at[0] == ':' && at[1] == ']')) {
        at++;
    }
    if (at + 1 >= parse->end) {
        return false;
    }
    const uint8_t *name = begin + 2 + (begin[2] == '^');
    for (size_t i = 0; i < SW_ARRAY_SIZE(names); i++) {
        size_t len = strlen(names[i]);
        if ((size_t)(at - name) == len && memcmp(name, names[i], len) == 0) {
            parse->at = at + 2;
            put(parse, begin, (size_t)(parse->at - begin));
            return true;
        }
    }
    fail(parse, "invalid character class range");
    return true;
}

static uint32_t take_class_point(struct pattern_parse *parse)
{
    if (!more(parse)) {
        fail(parse, "missing closing ]");
        return 0;
    }
    return take(parse, "\\") ? take_escaped(parse) : take_point(parse);
}

// Behind its opening bracket.
static void take_class(struct pattern_parse *parse)
{
    put_text(parse, take(parse, "^") ? "[^" : "[");
    bool first = true;
    while (parse->err == SW_OK && (first || !next_is(parse, "]"))) {
        first = false;
        if (!more(parse)) {
            fail(parse, "missing closing ]");
            return;
        }
        if (next_is(parse, "[:") && take_named_class(parse)) {
            continue;
        }
        if (next_is(parse, "\\")) {
            parse->at++;
            if (take_class_escape(parse, true)) {
                continue;
            }
            parse->at--;
        }
        uint32_t low = take_class_point(parse);
        uint32_t high = low;
        bool range = parse->end - parse->at >= 2 && parse->at[0] == '-' && parse->at[1] != ']';
        if (range) {
            parse->at++;
            high = take_class_point(parse);
        }
        if (high < low) {
            fail(parse, "invalid character class range");
        }
        put_point(parse, low);
        if (high != low) {
            put_text(parse, "-");
            put_point(parse, high);
        }
    }
    parse->at += parse->err == SW_OK; // the closing one
    put_text(parse, "]");
}

/* ---- (groups) ---- */

static bool name_is_new(const struct pattern_parse *parse, const char *name, size_t len)
{
    for (size_t at = 0; at < parse->names_size; at += strlen(parse->names + at) + 1) {
        if (strlen(parse->names + at) == len && memcmp(parse->names + at, name, len) == 0) {
            return false;
        }
    }
    return true;
}

// Group names stay with us: PCRE2 has other rules for them.
static void add_group(struct pattern_parse *parse, const uint8_t *name, size_t len)
{
    char *larger = sw_realloc(parse->names, parse->names_size + len + 1);
    if (larger == NULL) {
        parse->err = SW_E_NOMEM;
        parse->at = parse->end;
        return;
    }
    parse->names = larger;
    if (len > 0 && !name_is_new(parse, (const char *)name, len)) {
        fail(parse, "duplicate capture group name");
    }
    if (len > 0) {
        memcpy(parse->names + parse->names_size, name, len);
    }
    parse->names[parse->names_size + len] = '\0';
    parse->names_size += len + 1;
    parse->groups_count++;
    put_text(parse, "(");
}

// Behind "(?P<" or "(?<".
static void take_name(struct pattern_parse *parse)
{
    const uint8_t *name = parse->at;
    while (more(parse) && (is_letter(*parse->at) || is_digit(*parse->at) || *parse->at == '_')) {
        parse->at++;
    }
    size_t len = (size_t)(parse->at - name);
    if (len == 0 || !take(parse, ">")) {
        fail(parse, "invalid named capture");
        return;
    }
    add_group(parse, name, len);
}

// Behind "(?": flags, for the rest of the group or for one of their own. @return whether that one opens
static bool take_flags(struct pattern_parse *parse)
{
    bool negative = false;
    bool any = false;
    put_text(parse, "(?");
    while (more(parse)) {
        uint8_t byte = *parse->at++;
        bool flag = byte == 'i' || byte == 'm' || byte == 's' || byte == 'U';
        bool minus = byte == '-' && !negative;
        bool end = (byte == ')' || byte == ':') && (!negative || any);
        if (!flag && !minus && !end) {
            break;
        }
        put(parse, &byte, 1);
        if (end) {
            return byte == ':';
        }
        any = flag;
        negative = negative || minus;
    }
    fail(parse, "invalid or unsupported Perl syntax");
    return false;
}

static void open_group(struct pattern_parse *parse, struct context *context)
{
    bool opens = true;
    if (take(parse, "?P<") || take(parse, "?<")) {
        if (next_is(parse, "=") || next_is(parse, "!")) {
            fail(parse, "invalid or unsupported Perl syntax");
        } else {
            take_name(parse);
        }
    } else if (take(parse, "?")) {
        opens = take_flags(parse);
    } else {
        add_group(parse, NULL, 0);
    }
    context->atom = false;
    if (!opens) {
        return;
    }
    if (context->depth == GROUPS_MAX) {
        fail(parse, "expression nests too deeply");
        return;
    }
    context->most[++context->depth] = 1;
}

static void close_group(struct pattern_parse *parse, struct context *context)
{
    if (context->depth == 0) {
        fail(parse, "unexpected )");
        return;
    }
    put_text(parse, ")");
    context->atom = true;
    context->repeated = false;
    context->times = context->most[context->depth--];
    context->most[context->depth] = SW_MAX(context->most[context->depth], context->times);
}

/* ---- repetition ---- */

static void
repeat(struct pattern_parse *parse, struct context *context, const uint8_t *begin, uint32_t times)
{
    if (!context->atom) {
        fail(parse, "missing argument to repetition operator");
        return;
    }
    if (context->repeated) {
        fail(parse, "invalid nested repetition operator");
        return;
    }
    (void)take(parse, "?");
    uint64_t all = (uint64_t)context->times * SW_MAX(times, 1);
    if (all > REPEAT_MAX) {
        fail(parse, "invalid repeat count");
        return;
    }
    context->repeated = true;
    context->most[context->depth] = SW_MAX(context->most[context->depth], (uint32_t)all);
    put(parse, begin, (size_t)(parse->at - begin));
}

// A number without leading zeros, above REPEAT_MAX cut to REPEAT_MAX + 1. @return false: none
static bool take_count(struct pattern_parse *parse, uint32_t *ret_count)
{
    const uint8_t *begin = parse->at;
    uint32_t count = 0;
    while (more(parse) && is_digit(*parse->at)) {
        count = count * 10 + (uint32_t)(*parse->at++ - '0');
        count = SW_MIN(count, REPEAT_MAX + 1);
    }
    *ret_count = count;
    size_t len = (size_t)(parse->at - begin);
    return len > 0 && !(len > 1 && begin[0] == '0');
}

// "{2,5}"; what is no such thing is text.
static void take_braces(struct pattern_parse *parse, struct context *context)
{
    const uint8_t *begin = parse->at++;
    uint32_t low = 0;
    uint32_t high = 0;
    bool good = take_count(parse, &low);
    high = low;
    if (good && take(parse, ",") && !next_is(parse, "}")) {
        good = take_count(parse, &high);
    }
    if (!good || !take(parse, "}")) {
        parse->at = begin + 1;
        put_text(parse, "\\{");
        context->atom = true;
        context->repeated = false;
        context->times = 1;
        return;
    }
    if (low > REPEAT_MAX || high > REPEAT_MAX || high < low) {
        fail(parse, "invalid repeat count");
        return;
    }
    repeat(parse, context, begin, high);
}

/* ---- the whole ---- */

static void take_backslash(struct pattern_parse *parse, struct context *context)
{
    parse->at++;
    if (take(parse, "Q")) {
        take_quoted(parse, context);
        return;
    }
    uint8_t byte = more(parse) ? *parse->at : 0;
    if (byte == 'A' || byte == 'z' || byte == 'b' || byte == 'B') {
        put(parse, (const char[]){'\\', (char)byte}, 2);
        parse->at++;
    } else if (!take_class_escape(parse, false)) {
        put_point(parse, take_escaped(parse));
    }
    context->atom = true;
    context->repeated = false;
    context->times = 1;
}

static void take_one(struct pattern_parse *parse, struct context *context)
{
    const uint8_t *begin = parse->at;
    switch (*begin) {
    case '(':
        parse->at++;
        open_group(parse, context);
        return;
    case ')':
        parse->at++;
        close_group(parse, context);
        return;
    case '|':
        parse->at++;
        put_text(parse, "|");
        context->atom = false;
        return;
    case '*':
    case '+':
    case '?':
        parse->at++;
        repeat(parse, context, begin, 1);
        return;
    case '{':
        take_braces(parse, context);
        return;
    case '\\':
        take_backslash(parse, context);
        return;
    case '[':
        parse->at++;
        take_class(parse);
        break;
    default:
        (void)take_point(parse);
        put(parse, begin, (size_t)(parse->at - begin));
        break;
    }
    context->atom = true;
    context->repeated = false;
    context->times = 1;
}

void sw_pattern_parse(struct pattern_parse *parse)
{
    struct context context = {.most = {1}};
    while (parse->err == SW_OK && more(parse)) {
        take_one(parse, &context);
    }
    if (parse->err == SW_OK && context.depth > 0) {
        fail(parse, "missing closing )");
    }
}
