#include "sampling/probabilistic/tracestate.h"

#define TEXT_MAX   1024u
#define OT_MAX     256u
#define KEY_MAX    256u
#define TENANT_MAX 241u
#define SYSTEM_MAX 14u
#define VALUE_MAX  256u

static bool is_lower(uint8_t byte)
{
    return byte >= 'a' && byte <= 'z';
}

static bool is_lower_or_digit(uint8_t byte)
{
    return is_lower(byte) || (byte >= '0' && byte <= '9');
}

/* The text up to the separator, which is taken too. @return false when nothing is left */
static bool take_until(struct sw_bytes *text, uint8_t separator, struct sw_bytes *ret_part)
{
    if (text->size == 0) {
        return false;
    }
    const uint8_t *at = memchr(text->data, separator, text->size);
    size_t size = at != NULL ? (size_t)(at - text->data) : text->size;
    size_t taken = at != NULL ? size + 1 : size;
    *ret_part = (struct sw_bytes){text->data, size};
    *text = (struct sw_bytes){text->data + taken, text->size - taken};
    return true;
}

// Key and value of a member. @return false: there is no sign between them, or no key
static bool
cut(struct sw_bytes member, uint8_t sign, struct sw_bytes *ret_key, struct sw_bytes *ret_value)
{
    const uint8_t *at = member.size > 0 ? memchr(member.data, sign, member.size) : NULL;
    if (at == NULL || at == member.data) {
        return false;
    }
    size_t size = (size_t)(at - member.data);
    *ret_key = (struct sw_bytes){member.data, size};
    *ret_value = (struct sw_bytes){at + 1, member.size - size - 1};
    return true;
}

/* ---- W3C ---- */

static bool are_key_bytes(struct sw_bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (!is_lower_or_digit(byte) && byte != '_' && byte != '-' && byte != '*' && byte != '/') {
            return false;
        }
    }
    return true;
}

// "vendor", or "tenant@vendor".
static bool is_key(struct sw_bytes key)
{
    struct sw_bytes tenant;
    struct sw_bytes system;
    if (key.size > KEY_MAX) {
        return false;
    }
    if (memchr(key.data, '@', key.size) == NULL) {
        return is_lower(key.data[0]) && are_key_bytes(key);
    }
    return cut(key, '@', &tenant, &system) && tenant.size <= TENANT_MAX
           && is_lower_or_digit(tenant.data[0]) && are_key_bytes(tenant) && system.size > 0
           && system.size <= SYSTEM_MAX && is_lower(system.data[0]) && are_key_bytes(system);
}

static bool is_value(struct sw_bytes value)
{
    if (value.size == 0 || value.size > VALUE_MAX || value.data[value.size - 1] == ' ') {
        return false;
    }
    for (size_t i = 0; i < value.size; i++) {
        uint8_t byte = value.data[i];
        if (byte < 0x20 || byte > 0x7e || byte == ',' || byte == '=') {
            return false;
        }
    }
    return true;
}

static struct sw_bytes trimmed(struct sw_bytes text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text = (struct sw_bytes){text.data + 1, text.size - 1};
    }
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t')) {
        text.size--;
    }
    return text;
}

/* ---- ot ---- */

static bool is_ot_key(struct sw_bytes key)
{
    for (size_t i = 0; i < key.size; i++) {
        if (i == 0 ? !is_lower(key.data[i]) : !is_lower_or_digit(key.data[i])) {
            return false;
        }
    }
    return true;
}

static bool is_ot_value(struct sw_bytes value)
{
    for (size_t i = 0; i < value.size; i++) {
        uint8_t byte = value.data[i];
        bool letter = is_lower(byte | 0x20) && byte < 0x80;
        if (!letter && !is_lower_or_digit(byte) && byte != '.' && byte != '_' && byte != '-') {
            return false;
        }
    }
    return true;
}

static bool set_field(struct sw_tracestate *state, struct sw_bytes key, struct sw_bytes value)
{
    if (sw_bytes_equal(key, SW_BYTES("rv"))) {
        state->has_randomness = sw_randomness_parse(value, &state->randomness);
        state->randomness_text = value;
        return state->has_randomness;
    }
    if (sw_bytes_equal(key, SW_BYTES("th"))) {
        state->has_threshold = sw_threshold_parse(value, &state->threshold);
        state->threshold_text = value;
        return state->has_threshold;
    }
    SW_ASSERT(state->extras_count < SW_TRACESTATE_EXTRAS_MAX); // OT_MAX has room for 86
    state->extras[state->extras_count++] = (struct sw_bytes){key.data, key.size + 1 + value.size};
    return true;
}

// Of several `ot` the last one counts.
static bool parse_ot(struct sw_tracestate *state, struct sw_bytes text)
{
    struct sw_bytes member;
    struct sw_bytes key;
    struct sw_bytes value;
    bool good = text.size > 0 && text.size <= OT_MAX && text.data[text.size - 1] != ';';
    state->has_randomness = false;
    state->has_threshold = false;
    state->extras_count = 0;
    while (good && take_until(&text, ';', &member)) {
        good = cut(member, ':', &key, &value) && is_ot_key(key) && is_ot_value(value)
               && set_field(state, key, value);
    }
    return good;
}

bool sw_tracestate_parse(struct sw_tracestate *state, struct sw_bytes text)
{
    struct sw_bytes member;
    struct sw_bytes key;
    struct sw_bytes value;
    uint32_t count = 0;
    state->has_randomness = false;
    state->has_threshold = false;
    state->extras_count = 0;
    state->members_count = 0;
    if (text.size > TEXT_MAX) {
        return false;
    }
    while (take_until(&text, ',', &member)) {
        member = trimmed(member);
        // Empty members are legal and count.
        if (++count > SW_TRACESTATE_MEMBERS_MAX) {
            return false;
        }
        if (member.size == 0) {
            continue;
        }
        if (!cut(member, '=', &key, &value) || !is_key(key) || !is_value(value)) {
            return false;
        }
        if (!sw_bytes_equal(key, SW_BYTES("ot"))) {
            state->members[state->members_count++] = member;
        } else if (!parse_ot(state, value)) {
            return false;
        }
    }
    return true;
}

/* ---- changing and writing ---- */

void sw_tracestate_set_randomness(struct sw_tracestate *state, uint64_t randomness)
{
    size_t size = sw_randomness_format(randomness, state->digits[0]);
    state->has_randomness = true;
    state->randomness = randomness;
    state->randomness_text = (struct sw_bytes){(const uint8_t *)state->digits[0], size};
}

void sw_tracestate_set_threshold(struct sw_tracestate *state, uint64_t threshold)
{
    size_t size = sw_threshold_format(threshold, state->digits[1]);
    state->has_threshold = size > 0;
    state->threshold = threshold;
    state->threshold_text = (struct sw_bytes){(const uint8_t *)state->digits[1], size};
}

struct out {
    char *text;
    size_t size;
};

static void put(struct out *out, struct sw_bytes bytes)
{
    SW_ASSERT(out->size + bytes.size <= SW_TRACESTATE_TEXT_MAX);
    memcpy(out->text + out->size, bytes.data, bytes.size);
    out->size += bytes.size;
}

static void put_field(struct out *out, struct sw_bytes before, struct sw_bytes value)
{
    put(out, out->size == 0 ? SW_BYTES("ot=") : SW_BYTES(";"));
    put(out, before);
    put(out, value);
}

size_t sw_tracestate_format(const struct sw_tracestate *state, char text[SW_TRACESTATE_TEXT_MAX])
{
    struct out out = {.text = text};
    if (state->has_randomness) {
        put_field(&out, SW_BYTES("rv:"), state->randomness_text);
    }
    if (state->has_threshold) {
        put_field(&out, SW_BYTES("th:"), state->threshold_text);
    }
    for (uint32_t i = 0; i < state->extras_count; i++) {
        put_field(&out, SW_BYTES(""), state->extras[i]);
    }
    for (uint32_t i = 0; i < state->members_count; i++) {
        put(&out, out.size > 0 ? SW_BYTES(",") : SW_BYTES(""));
        put(&out, state->members[i]);
    }
    return out.size;
}
