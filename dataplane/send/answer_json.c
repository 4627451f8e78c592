/* The few members that count of a backend's answer in JSON. */
#include "dataplane/send/answer.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32

/** Where reading stands; errors are sticky. */
struct scan {
    const char *at;
    const char *end;
    bool failed;
};

static void fail(struct scan *scan)
{
    scan->failed = true;
    scan->at = scan->end;
}

// The next byte that is no blank, which stays; 0 at the end.
static char peek(struct scan *scan)
{
    while (scan->at < scan->end && memchr(" \t\r\n", *scan->at, 4) != NULL) {
        scan->at++;
    }
    return scan->at < scan->end ? *scan->at : '\0';
}

static bool take(struct scan *scan, char wanted)
{
    if (peek(scan) != wanted) {
        return false;
    }
    scan->at++;
    return true;
}

static unsigned hex4(struct scan *scan)
{
    unsigned value = 0;
    for (unsigned i = 0; i < 4; i++) {
        char digit = scan->at < scan->end ? *scan->at++ : '\0';
        unsigned nibble = 0;
        if (digit >= '0' && digit <= '9') {
            nibble = (unsigned)(digit - '0');
        } else if ((digit | 0x20) >= 'a' && (digit | 0x20) <= 'f') {
            nibble = (unsigned)((digit | 0x20) - 'a') + 10;
        } else {
            fail(scan);
            return 0;
        }
        value = value << 4 | nibble;
    }
    return value;
}

/** Text with room; what does not fit is lost. */
struct text {
    char *data;
    size_t size;
    size_t room;
};

static void put(struct text *text, char byte)
{
    if (text->size < text->room) {
        text->data[text->size++] = byte;
    }
}

static void put_rune(struct text *text, unsigned rune)
{
    if (rune < 0x80) {
        put(text, (char)rune);
    } else if (rune < 0x800) {
        put(text, (char)(0xc0 | rune >> 6));
        put(text, (char)(0x80 | (rune & 0x3f)));
    } else if (rune < 0x10000) {
        put(text, (char)(0xe0 | rune >> 12));
        put(text, (char)(0x80 | (rune >> 6 & 0x3f)));
        put(text, (char)(0x80 | (rune & 0x3f)));
    } else {
        put(text, (char)(0xf0 | rune >> 18));
        put(text, (char)(0x80 | (rune >> 12 & 0x3f)));
        put(text, (char)(0x80 | (rune >> 6 & 0x3f)));
        put(text, (char)(0x80 | (rune & 0x3f)));
    }
}

static void unicode_escape(struct scan *scan, struct text *text)
{
    unsigned rune = hex4(scan);
    if (rune >= 0xd800 && rune < 0xdc00 && scan->end - scan->at >= 6 && scan->at[0] == '\\'
        && scan->at[1] == 'u') {
        scan->at += 2;
        unsigned low = hex4(scan);
        bool pair = low >= 0xdc00 && low < 0xe000;
        rune = pair ? 0x10000 + ((rune - 0xd800) << 10) + (low - 0xdc00) : 0xfffd;
    } else if (rune >= 0xd800 && rune < 0xe000) {
        rune = 0xfffd;
    }
    put_rune(text, rune);
}

static void escape(struct scan *scan, struct text *text)
{
    static const char names[] = "\"\\/bfnrt";
    static const char bytes[] = "\"\\/\b\f\n\r\t";
    char name = scan->at < scan->end ? *scan->at++ : '\0';
    const char *known = name != '\0' ? strchr(names, name) : NULL;
    if (known != NULL) {
        put(text, bytes[known - names]);
    } else if (name == 'u') {
        unicode_escape(scan, text);
    } else {
        fail(scan);
    }
}

static void string(struct scan *scan, struct text *text)
{
    if (!take(scan, '"')) {
        fail(scan);
        return;
    }
    while (scan->at < scan->end && *scan->at != '"') {
        char byte = *scan->at++;
        if (byte == '\\') {
            escape(scan, text);
        } else if ((unsigned char)byte < 0x20) {
            fail(scan);
        } else {
            put(text, byte);
        }
    }
    if (!take(scan, '"')) {
        fail(scan);
    }
}

static void scalar(struct scan *scan)
{
    const char *begin = scan->at;
    while (scan->at < scan->end && strchr("+-.0123456789abcdefghijklmnopqrstuvwxyzE", *scan->at)) {
        scan->at++;
    }
    if (scan->at == begin) {
        fail(scan);
    }
}

static void skip(struct scan *scan, unsigned depth)
{
    struct text nowhere = {0};
    char first = peek(scan);
    char last = first == '{' ? '}' : ']';
    if (first == '"') {
        string(scan, &nowhere);
        return;
    }
    if (first != '{' && first != '[') {
        scalar(scan);
        return;
    }
    scan->at++;
    if (depth == 0) {
        fail(scan);
    }
    bool more = !take(scan, last);
    while (more && !scan->failed) {
        if (first == '{') {
            string(scan, &nowhere);
            if (!take(scan, ':')) {
                fail(scan);
            }
        }
        if (!scan->failed) {
            skip(scan, depth - 1);
        }
        more = !take(scan, last);
        if (more && !take(scan, ',')) {
            fail(scan);
        }
    }
}

/* ---- the members ---- */

typedef void member_fn(
    struct scan *scan,
    struct text name,
    struct sw_export_response *response,
    struct text *message
);

static void object(
    struct scan *scan,
    member_fn *member,
    struct sw_export_response *response,
    struct text *message
)
{
    if (peek(scan) == 'n') {
        scalar(scan); // null
        return;
    }
    if (!take(scan, '{')) {
        fail(scan);
    }
    bool more = !scan->failed && !take(scan, '}');
    while (more && !scan->failed) {
        char room[32];
        struct text name = {room, 0, sizeof(room)};
        string(scan, &name);
        if (!take(scan, ':')) {
            fail(scan);
            return;
        }
        member(scan, name, response, message);
        more = !take(scan, '}');
        if (more && !take(scan, ',')) {
            fail(scan);
        }
    }
}

static bool is(struct text name, const char *camel, const char *snake)
{
    struct sw_http_text text = {name.data, name.size};
    return sw_http_text_is(text, camel) || sw_http_text_is(text, snake);
}

static void number(struct scan *scan, int64_t *ret_number)
{
    char room[32];
    struct text text = {room, 0, sizeof(room) - 1};
    if (peek(scan) == '"') {
        string(scan, &text);
    } else {
        const char *begin = scan->at;
        scalar(scan);
        while (begin < scan->at) {
            put(&text, *begin++);
        }
    }
    char *end = NULL;
    room[text.size] = '\0';
    *ret_number = strtoll(room, &end, 10);
    if (*end != '\0' && strcmp(room, "null") != 0) {
        fail(scan);
    }
}

static void partial_member(
    struct scan *scan,
    struct text name,
    struct sw_export_response *response,
    struct text *message
)
{
    if (is(name, "errorMessage", "error_message")) {
        message->size = 0;
        if (peek(scan) == 'n') {
            scalar(scan);
        } else {
            string(scan, message);
        }
    } else if (is(name, "rejectedSpans", "rejected_spans") || is(name, "rejectedDataPoints", "rejected_data_points") || is(name, "rejectedLogRecords", "rejected_log_records")) {
        number(scan, &response->rejected);
    } else {
        skip(scan, DEPTH_MAX);
    }
}

static void answer_member(
    struct scan *scan,
    struct text name,
    struct sw_export_response *response,
    struct text *message
)
{
    if (is(name, "partialSuccess", "partial_success")) {
        object(scan, partial_member, response, message);
    } else {
        skip(scan, DEPTH_MAX);
    }
}

int sw_answer_json(
    struct sw_http_text body,
    struct sw_export_response *ret_response,
    char *room,
    size_t room_size
)
{
    struct scan scan = {body.data, body.data + body.len, false};
    struct text message = {room, 0, room_size};
    *ret_response = (struct sw_export_response){0};
    if (body.len == 0) {
        return SW_OK;
    }
    object(&scan, answer_member, ret_response, &message);
    if (scan.failed) {
        return SW_E_MALFORMED;
    }
    ret_response->message = (struct sw_bytes){(const uint8_t *)room, message.size};
    ret_response->has_partial = ret_response->rejected != 0 || message.size > 0;
    return SW_OK;
}
