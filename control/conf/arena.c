// Memory and growing texts of a load.
#include "control/conf/conf_internal.h"
#include "dataplane/base/mem.h"

#include <stdalign.h>
#include <string.h>

#define CHUNK_SIZE 16384

struct sw_arena_chunk {
    struct sw_arena_chunk *next;
    size_t used;
    size_t size;
    alignas(max_align_t) char data[];
};

void *sw_arena_alloc(struct sw_arena *arena, size_t size)
{
    const size_t align = alignof(max_align_t);
    struct sw_arena_chunk *chunk = arena->chunks;
    if (size > SIZE_MAX / 2) {
        return NULL;
    }
    size = (size + align - 1) / align * align;
    if (chunk == NULL || chunk->size - chunk->used < size) {
        size_t room = size > CHUNK_SIZE / 4 ? size : CHUNK_SIZE;
        struct sw_arena_chunk *fresh = sw_zalloc(sizeof(*fresh) + room);
        if (fresh == NULL) {
            return NULL;
        }
        fresh->size = room;
        // A large piece goes behind the current chunk, whose rest stays usable.
        if (chunk != NULL && room == size) {
            fresh->next = chunk->next;
            chunk->next = fresh;
        } else {
            fresh->next = chunk;
            arena->chunks = fresh;
        }
        chunk = fresh;
    }
    void *data = chunk->data + chunk->used;
    chunk->used += size;
    return data;
}

char *sw_arena_copy(struct sw_arena *arena, const char *text, size_t len)
{
    char *copy = sw_arena_alloc(arena, len + 1);
    if (copy != NULL) {
        memcpy(copy, text, len);
    }
    return copy;
}

void *sw_arena_array(struct sw_arena *arena, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / 2 / size) {
        return NULL;
    }
    return sw_arena_alloc(arena, count * size);
}

bool sw_arena_push(
    struct sw_arena *arena,
    void **items,
    size_t *count,
    size_t *capacity,
    size_t size,
    const void *item
)
{
    if (*count == *capacity) {
        size_t more = *capacity == 0 ? 8 : *capacity * 2;
        void *fresh = sw_arena_array(arena, more, size);
        if (fresh == NULL) {
            return false;
        }
        if (*count > 0) {
            memcpy(fresh, *items, *count * size);
        }
        *items = fresh;
        *capacity = more;
    }
    memcpy((char *)*items + *count * size, item, size);
    (*count)++;
    return true;
}

void sw_arena_fini(struct sw_arena *arena)
{
    struct sw_arena_chunk *chunk = arena->chunks;
    while (chunk != NULL) {
        struct sw_arena_chunk *next = chunk->next;
        sw_free(chunk);
        chunk = next;
    }
    arena->chunks = NULL;
}

void sw_conf_text_add(struct sw_conf_text *text, const char *data, size_t len)
{
    if (text->out_of_memory) {
        return;
    }
    if (text->capacity - text->len <= len) {
        size_t capacity = (text->len + len + 64) * 2;
        char *fresh = sw_realloc(text->data, capacity);
        if (fresh == NULL) {
            text->out_of_memory = true;
            return;
        }
        text->data = fresh;
        text->capacity = capacity;
    }
    memcpy(text->data + text->len, data, len);
    text->len += len;
    text->data[text->len] = '\0';
}

void sw_conf_text_puts(struct sw_conf_text *text, const char *data)
{
    sw_conf_text_add(text, data, strlen(data));
}

void sw_conf_text_printf(struct sw_conf_text *text, const char *format, ...)
{
    char small[256];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(small, sizeof(small), format, args);
    va_end(args);
    if (len < 0) {
        return;
    }
    if ((size_t)len < sizeof(small)) {
        sw_conf_text_add(text, small, (size_t)len);
        return;
    }
    char *large = sw_alloc((size_t)len + 1);
    if (large == NULL) {
        text->out_of_memory = true;
        return;
    }
    va_start(args, format);
    vsnprintf(large, (size_t)len + 1, format, args);
    va_end(args);
    sw_conf_text_add(text, large, (size_t)len);
    sw_free(large);
}

/** Length of the UTF-8 character at p (RFC 3629), 0 when there is none; its code point. */
static size_t read_character(const unsigned char *p, uint32_t *ret_code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (len == 1) {
        *ret_code = p[0];
        return 1;
    }
    if (p[0] < 0xc0 || p[0] > 0xf4) {
        return 0;
    }
    uint32_t code = p[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        // A NUL at the end is no continuation either.
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (p[i] & 0x3fu);
    }
    if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
        return 0;
    }
    *ret_code = code;
    return len;
}

/** Characters that a reader of YAML refuses or takes for a line end. */
static bool is_special(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x2028 || code == 0x2029
           || code == 0xfeff || code == 0xfffe || code == 0xffff;
}

void sw_conf_text_quote(struct sw_conf_text *text, const char *data)
{
    sw_conf_text_add(text, "\"", 1);
    while (*data != '\0') {
        uint32_t code = 0;
        size_t len = read_character((const unsigned char *)data, &code);
        if (len == 0) {
            sw_conf_text_puts(text, "\\ufffd"); // No UTF-8: the replacement character.
            len = 1;
        } else if (code == '"' || code == '\\') {
            char pair[2] = {'\\', (char)code};
            sw_conf_text_add(text, pair, 2);
        } else if (code == '\n' || code == '\t') {
            sw_conf_text_puts(text, code == '\n' ? "\\n" : "\\t");
        } else if (is_special(code)) {
            sw_conf_text_printf(text, "\\u%04x", (unsigned)code);
        } else {
            sw_conf_text_add(text, data, len);
        }
        data += len;
    }
    sw_conf_text_add(text, "\"", 1);
}

void sw_conf_text_fini(struct sw_conf_text *text)
{
    sw_free(text->data);
    *text = (struct sw_conf_text){0};
}
