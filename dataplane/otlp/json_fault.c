// What json-iterator says of bad JSON, with the bytes around that it quotes; strconv's errors as it
// passes them on. The texts are looked for by people who know them from the Collector.
#include "dataplane/otlp/json_read_internal.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    PEEK = 10,     // bytes quoted before and behind
    CONTEXT = 50,  // in the second quotation
    MESSAGE = 320, // bytes of what is wrong, without the quotations
};

/* Whether the bytes are UTF-8 (no surrogates, nothing overlong), as Go's utf8.Valid. */
static bool is_utf8(const uint8_t *at, const uint8_t *end)
{
    while (at < end) {
        uint8_t first = *at++;
        if (first < 0x80) {
            continue;
        }
        unsigned more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
        if (first < 0xc2 || first > 0xf4 || (size_t)(end - at) < more) {
            return false;
        }
        uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
        uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
        if (at[0] < low || at[0] > high) {
            return false;
        }
        for (unsigned i = 1; i < more; i++) {
            if ((at[i] & 0xc0) != 0x80) {
                return false;
            }
        }
        at += more;
    }
    return true;
}

static void put(struct sw_json_fault *fault, const void *data, size_t size)
{
    size = SW_MIN(size, SW_JSON_FAULT_TEXT_MAX - 1 - fault->size);
    memcpy(fault->text + fault->size, data, size);
    fault->size += (uint32_t)size;
}

static enum json_flow finish(struct sw_json_reader *reader)
{
    struct sw_json_fault *fault = &reader->fault;
    fault->text[fault->size] = '\0';
    const uint8_t *text = (const uint8_t *)fault->text;
    fault->utf8 = is_utf8(text, text + fault->size);
    reader->err = SW_E_MALFORMED;
    return FLOW_FAIL;
}

/* "<operation>: <message>, error found in #N byte of ...|…|..., bigger context ...|…|..." */
static enum json_flow
fail(struct sw_json_reader *reader, const char *operation, const char *message, size_t message_size)
{
    struct sw_json_fault *fault = &reader->fault;
    size_t before = (size_t)(reader->at - reader->begin);
    size_t behind = (size_t)(reader->end - reader->at);
    char place[48];
    fault->size = 0;
    put(fault, operation, strlen(operation));
    put(fault, ": ", 2);
    put(fault, message, message_size);
    size_t peek = SW_MIN(before, PEEK);
    int size = snprintf(place, sizeof(place), ", error found in #%zu byte of ...|", peek);
    put(fault, place, (size_t)size);
    put(fault, reader->at - peek, peek + SW_MIN(behind, PEEK));
    static const char bigger[] = "|..., bigger context ...|";
    put(fault, bigger, sizeof(bigger) - 1);
    size_t context = SW_MIN(before, CONTEXT);
    put(fault, reader->at - context, context + SW_MIN(behind, CONTEXT));
    put(fault, "|...", 4);
    return finish(reader);
}

enum json_flow
sw_json_fail(struct sw_json_reader *reader, const char *operation, const char *format, ...)
{
    char message[MESSAGE];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    return fail(reader, operation, message, SW_MIN((size_t)size, sizeof(message) - 1));
}

enum json_flow sw_json_fail_found(
    struct sw_json_reader *reader,
    const char *operation,
    const char *expected,
    int found
)
{
    char message[MESSAGE];
    int size = snprintf(message, sizeof(message), "%s, but found ", expected);
    message[size] = (char)(found >= 0 ? found : 0);
    return fail(reader, operation, message, (size_t)size + 1);
}

/* A text as Go quotes it. What it takes for printable beyond ASCII is taken as UTF-8 that is valid. */
static size_t quote(struct sw_bytes text, char *out, size_t capacity)
{
    size_t size = 0;
    static const char escapes[] = "\aa\bb\ff\nn\rr\tt\vv\"\"\\\\";
    const uint8_t *at = text.data;
    const uint8_t *end = at + text.size;
    while (at < end && size + 8 < capacity) {
        unsigned more = *at >= 0xf0 ? 4 : *at >= 0xe0 ? 3 : *at >= 0xc0 ? 2 : 1;
        const char *escape = NULL;
        for (unsigned i = 0; i < sizeof(escapes) - 1; i += 2) {
            escape = (uint8_t)escapes[i] == *at ? &escapes[i + 1] : escape;
        }
        if (escape != NULL) {
            out[size++] = '\\';
            out[size++] = *escape;
            at++;
        } else if (more > 1 && (size_t)(end - at) >= more && is_utf8(at, at + more)) {
            memcpy(out + size, at, more);
            size += more;
            at += more;
        } else if (*at >= ' ' && *at < 0x7f) {
            out[size++] = (char)*at++;
        } else {
            size += (size_t)snprintf(out + size, 5, "\\x%02x", *at++);
        }
    }
    return size;
}

enum json_flow sw_json_fail_number(
    struct sw_json_reader *reader,
    const char *operation,
    const char *function,
    struct sw_bytes text,
    bool range
)
{
    char message[MESSAGE];
    size_t size = (size_t)snprintf(message, 64, "strconv.%s: parsing \"", function);
    size += quote(text, message + size, sizeof(message) - size - 32);
    size += (size_t
    )snprintf(message + size, 32, "\": %s", range ? "value out of range" : "invalid syntax");
    if (operation != NULL) {
        return fail(reader, operation, message, size);
    }
    reader->fault.size = 0;
    put(&reader->fault, message, size);
    return finish(reader);
}
