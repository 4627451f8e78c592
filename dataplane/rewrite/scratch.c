/* Small pieces of memory that go together. */
#include "dataplane/base/mem.h"
#include "dataplane/rewrite/rewrite_internal.h"

#define CHUNK_BYTES 4096u

struct scratch_chunk {
    struct scratch_chunk *next;
    size_t used;
    size_t capacity;
    uint8_t data[];
};

void sw_scratch_fini(struct scratch *scratch)
{
    while (scratch->first != NULL) {
        struct scratch_chunk *chunk = scratch->first;
        scratch->first = chunk->next;
        sw_free(chunk);
    }
    scratch->current = NULL;
}

void sw_scratch_reset(struct scratch *scratch)
{
    scratch->current = scratch->first;
    if (scratch->current != NULL) {
        scratch->current->used = 0;
    }
}

uint8_t *sw_scratch_take(struct scratch *scratch, size_t size)
{
    struct scratch_chunk *chunk = scratch->current;
    while (chunk != NULL && chunk->capacity - chunk->used < size && chunk->next != NULL) {
        chunk = chunk->next;
        chunk->used = 0;
    }
    if (chunk == NULL || chunk->capacity - chunk->used < size) {
        size_t capacity = SW_MAX(size, CHUNK_BYTES);
        struct scratch_chunk *made = sw_alloc(sizeof(*made) + capacity);
        if (made == NULL) {
            return NULL;
        }
        made->next = NULL;
        made->used = 0;
        made->capacity = capacity;
        if (chunk != NULL) {
            chunk->next = made;
        } else {
            scratch->first = made;
        }
        chunk = made;
    }
    scratch->current = chunk;
    uint8_t *data = chunk->data + chunk->used;
    chunk->used += size;
    return data;
}

struct sw_bytes sw_scratch_string(struct scratch *scratch, struct sw_bytes text)
{
    size_t size = sw_pb_len_size(ANY_STRING, text.size);
    uint8_t *data = sw_scratch_take(scratch, size);
    if (data != NULL) {
        sw_pb_put_bytes(data, ANY_STRING, text);
    }
    return (struct sw_bytes){data, size};
}
