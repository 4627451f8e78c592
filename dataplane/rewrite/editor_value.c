/* Actions that look at a value: hash, extract, convert (Collector contrib v0.159
 * internal/coreinternal/attraction). */
#include "dataplane/otlp/attribute.h"
#include "dataplane/rewrite/rewrite_internal.h"

#include <math.h>

static struct sw_any value_of(const struct entry *entry)
{
    struct sw_attribute attribute = {.value = {.type = SW_ANY_EMPTY}};
    if (entry->kind == ENTRY_VALUE) {
        (void)sw_any_read(entry->body, &attribute.value);
    } else {
        (void)sw_attribute_read(entry->body, &attribute);
    }
    return attribute.value;
}

static int set_string(struct editor *editor, struct entry *entry, const void *data, size_t size)
{
    struct sw_bytes text = {data, size};
    struct sw_bytes any = sw_scratch_string(&editor->scratch, text);
    if (any.data == NULL) {
        return SW_E_NOMEM;
    }
    *entry = (struct entry){ENTRY_VALUE, entry->key, any};
    editor->changed = true;
    return SW_OK;
}

static void put_u64(uint8_t out[8], uint64_t bits)
{
    for (unsigned i = 0; i < 8; i++) {
        out[i] = (uint8_t)(bits >> (8 * i));
    }
}

/* ---- hash ---- */

// SHA-256 in hexadecimals of a scalar's bytes; what has none (also "") becomes "".
int sw_editor_hash(struct editor *editor, struct entry *entry)
{
    static const char digits[] = "0123456789abcdef";
    struct sw_any value = value_of(entry);
    uint8_t bytes[8];
    struct sw_bytes hashed = {bytes, sizeof(bytes)};
    uint64_t bits = 0;
    switch (value.type) {
    case SW_ANY_STRING:
        hashed = value.bytes;
        break;
    case SW_ANY_BOOL:
        bytes[0] = value.boolean;
        hashed.size = 1;
        break;
    case SW_ANY_INT:
        put_u64(bytes, (uint64_t)value.integer);
        break;
    case SW_ANY_DOUBLE:
        memcpy(&bits, &value.number, sizeof(bits));
        put_u64(bytes, bits);
        break;
    default:
        hashed.size = 0;
        break;
    }
    if (hashed.size == 0) {
        return set_string(editor, entry, NULL, 0);
    }
    uint8_t sum[SW_SHA256_BYTES];
    char text[2 * SW_SHA256_BYTES];
    int err = sw_digest_sha256(editor->digest, hashed.data, hashed.size, sum);
    for (unsigned i = 0; err == SW_OK && i < sizeof(sum); i++) {
        text[2 * i] = digits[sum[i] >> 4];
        text[2 * i + 1] = digits[sum[i] & 15];
    }
    return err == SW_OK ? set_string(editor, entry, text, sizeof(text)) : err;
}

/* ---- extract ---- */

int sw_editor_extract(struct editor *editor, const struct action *action)
{
    const struct entry *entry = sw_editor_find(editor, action->key);
    struct sw_any value = entry != NULL ? value_of(entry) : (struct sw_any){.type = SW_ANY_EMPTY};
    const struct sw_pattern_range *ranges;
    if (value.type != SW_ANY_STRING) {
        return SW_OK;
    }
    struct sw_bytes text = value.bytes;
    int found = sw_pattern_find(action->pattern, editor->finder, text.data, text.size, &ranges);
    editor->given_up_count += found < 0;
    if (found != 1) {
        return SW_OK;
    }
    uint32_t count = sw_pattern_groups_count(action->pattern);
    for (uint32_t i = 0; i < count; i++) {
        struct sw_pattern_range range = ranges[i + 1];
        // A group that took no part is an empty text.
        struct sw_bytes part = {text.data, 0};
        if (range.begin != SIZE_MAX) {
            part = (struct sw_bytes){text.data + range.begin, range.end - range.begin};
        }
        struct sw_bytes any = sw_scratch_string(&editor->scratch, part);
        int err = any.data != NULL ? sw_editor_put(editor, action->groups[i], any) : SW_E_NOMEM;
        if (err != SW_OK) {
            return err;
        }
    }
    return SW_OK;
}

/* ---- convert ---- */

// As Go on amd64 does it: what does not fit becomes the smallest number.
static int64_t truncated(double number)
{
    bool fits = number >= -0x1p63 && number < 0x1p63;
    return fits ? (int64_t)number : INT64_MIN;
}

static bool to_int(const struct sw_any *value, int64_t *ret_number)
{
    switch (value->type) {
    case SW_ANY_DOUBLE:
        *ret_number = truncated(value->number);
        return true;
    case SW_ANY_BOOL:
        *ret_number = value->boolean;
        return true;
    case SW_ANY_STRING:
        return sw_int_parse(value->bytes, ret_number);
    default:
        return false;
    }
}

static bool to_double(const struct sw_any *value, double *ret_number)
{
    switch (value->type) {
    case SW_ANY_INT:
        *ret_number = (double)value->integer;
        return true;
    case SW_ANY_BOOL:
        *ret_number = value->boolean;
        return true;
    case SW_ANY_STRING:
        return sw_double_parse(value->bytes, ret_number);
    default:
        return false;
    }
}

static int set_int(struct editor *editor, struct entry *entry, int64_t number)
{
    size_t size = 1 + sw_pb_varint_size((uint64_t)number);
    uint8_t *any = sw_scratch_take(&editor->scratch, size);
    if (any == NULL) {
        return SW_E_NOMEM;
    }
    sw_pb_put_varint(sw_pb_put_varint(any, ANY_INT), (uint64_t)number);
    *entry = (struct entry){ENTRY_VALUE, entry->key, {any, size}};
    editor->changed = true;
    return SW_OK;
}

static int set_double(struct editor *editor, struct entry *entry, double number)
{
    uint64_t bits;
    uint8_t *any = sw_scratch_take(&editor->scratch, 9);
    if (any == NULL) {
        return SW_E_NOMEM;
    }
    memcpy(&bits, &number, sizeof(bits));
    sw_pb_put_i64(any, ANY_DOUBLE, bits);
    *entry = (struct entry){ENTRY_VALUE, entry->key, {any, 9}};
    editor->changed = true;
    return SW_OK;
}

// What cannot be converted stays as it is.
int sw_editor_convert(struct editor *editor, const struct action *action)
{
    struct entry *entry = sw_editor_find(editor, action->key);
    if (entry == NULL) {
        return SW_OK;
    }
    struct sw_any value = value_of(entry);
    int64_t integer;
    double number;
    switch (action->converted) {
    case SW_ANY_INT:
        return to_int(&value, &integer) ? set_int(editor, entry, integer) : SW_OK;
    case SW_ANY_DOUBLE:
        return to_double(&value, &number) ? set_double(editor, entry, number) : SW_OK;
    default:
        break;
    }
    if (value.type == SW_ANY_STRING) {
        return SW_OK;
    }
    int err = sw_value_text_set(&editor->text, &value);
    return err == SW_OK ? set_string(editor, entry, editor->text.data, editor->text.size) : err;
}
