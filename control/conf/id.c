// Component and pipeline IDs.
#include "control/conf/conf_internal.h"
#include "dataplane/base/assert.h"

#include <ctype.h>
#include <string.h>

#define TYPE_MAX 63
#define NAME_MAX 1024

static const char *trimmed(struct sw_arena *arena, const char *text, size_t len)
{
    while (len > 0 && isspace((unsigned char)text[0])) {
        text++;
        len--;
    }
    while (len > 0 && isspace((unsigned char)text[len - 1])) {
        len--;
    }
    return sw_arena_copy(arena, text, len);
}

static bool is_type(const char *type)
{
    if (!isalpha((unsigned char)type[0]) || strlen(type) > TYPE_MAX) {
        return false;
    }
    for (const char *p = type; *p != '\0'; p++) {
        if (!isalnum((unsigned char)*p) && *p != '_') {
            return false;
        }
    }
    return true;
}

/** No separator, control or symbol character of ASCII; other bytes must only be UTF-8, which YAML has
 * seen to. Counts characters. */
static bool is_name(const char *name)
{
    size_t count = 0;
    for (const char *p = name; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        if (c <= ' ' || c == 0x7f || strchr("$+<=>^`|~", c) != NULL) {
            return false;
        }
        count += (c & 0xc0) != 0x80;
    }
    return count <= NAME_MAX;
}

int sw_id_parse(
    struct sw_arena *arena,
    const char *text,
    const char **ret_id,
    const char **ret_type,
    const char **ret_name,
    const char **ret_why
)
{
    const char *slash = strchr(text, '/');
    size_t type_len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    const char *type = trimmed(arena, text, type_len);
    const char *name = slash != NULL ? trimmed(arena, slash + 1, strlen(slash + 1)) : "";
    if (type == NULL || name == NULL) {
        return SW_E_NOMEM;
    }
    *ret_why = type[0] == '\0'
                   ? (slash != NULL ? "the part before / should not be empty" : "must not be empty")
               : slash != NULL && name[0] == '\0' ? "the part after / should not be empty"
               : !is_type(type)                   ? "invalid character(s) in type"
               : !is_name(name)                   ? "invalid character(s) in name, or too long"
                                                  : NULL;
    if (*ret_why != NULL) {
        return SW_E_INVALID;
    }
    size_t size = strlen(type) + strlen(name) + 2;
    char *id = sw_arena_alloc(arena, size);
    if (id == NULL) {
        return SW_E_NOMEM;
    }
    snprintf(id, size, name[0] != '\0' ? "%s/%s" : "%s%s", type, name);
    *ret_id = id;
    *ret_type = type;
    *ret_name = name;
    return SW_OK;
}
