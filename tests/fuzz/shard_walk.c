/* The walk that finds owners, over any bytes: it ends, stays within what it was given, and counts
 * what it hands out. The first byte chooses cores and shape: a request as it came, or the content
 * of one ResourceSpans in two pieces. */
#include "dataplane/base/mem.h"
#include "dataplane/route/shard.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void require_within(const struct sw_buf *buf, const uint8_t *data, size_t size)
{
    require(size == 0 || (data >= buf->data && data + size <= buf->data + buf->size));
}

// What stands around spans may have been gathered into memory of the walk's own: it is only read.
static unsigned sum(struct sw_bytes bytes)
{
    unsigned total = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        total += bytes.data[i];
    }
    return total;
}

static void look_at(const struct sw_shard_block *block, const struct sw_buf *buf, unsigned cores)
{
    volatile unsigned sink = 0;
    require(block->spans_count <= SW_SHARD_SPANS_MAX);
    require(block->owner_first[cores] == block->spans_count);
    for (uint32_t i = 0; i < block->spans_count; i++) {
        const struct sw_shard_span *span = &block->spans[block->order[i]];
        require(span->owner < cores && span->scope < block->scopes_count);
        require_within(buf, span->field, span->field_size);
    }
    for (uint32_t i = 0; i < block->scopes_count; i++) {
        sink += sum(block->scopes[i].resource) + sum(block->scopes[i].scope);
    }
    (void)sink;
}

static struct sw_batch *make_batch(struct sw_buf *buf, bool in_pieces, size_t cut)
{
    struct sw_batch *batch = sw_batch_new(SW_TRACES);
    require(batch != NULL);
    if (!in_pieces) {
        require(sw_batch_add_raw(batch, buf, buf->data, buf->size, 0) == SW_OK);
        return batch;
    }
    require(sw_batch_begin_part(batch) == SW_OK);
    require(sw_batch_add_piece(batch, buf, buf->data, (uint32_t)cut) == SW_OK);
    require(sw_batch_add_piece(batch, buf, buf->data + cut, buf->size - (uint32_t)cut) == SW_OK);
    sw_batch_end_part(batch, 0);
    return batch;
}

static void walk_all(const struct sw_batch *batch, const struct sw_buf *buf, unsigned cores)
{
    static struct sw_shard_block block;
    struct sw_core core = {.cores_count = (uint16_t)cores};
    struct sw_shard_key key = {.word = {1, 2, 3, 4}};
    struct sw_shard_walk walk;
    uint32_t stamp = 0;
    uint32_t spans_count = 0;
    sw_shard_walk_init(&walk, batch, &key, &core, &stamp);
    for (size_t blocks = 0; !walk.done; blocks++) {
        require(sw_shard_walk_next(&walk, &block) == SW_OK);
        require(blocks <= 16 + 2 * (size_t)buf->size);
        look_at(&block, buf, cores);
        spans_count += block.spans_count;
    }
    require(spans_count == walk.walked_count);
    sw_shard_walk_fini(&walk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3) {
        return 0;
    }
    unsigned cores = 1 + data[0] % 5;
    bool in_pieces = (data[0] & 0x80) != 0;
    struct sw_buf *buf = sw_buf_copy(NULL, data + 2, (uint32_t)size - 2);
    require(buf != NULL);
    struct sw_batch *batch = make_batch(buf, in_pieces, data[1] % ((size_t)buf->size + 1));
    if (sw_shard_walkable(batch)) {
        walk_all(batch, buf, cores);
    }
    struct sw_batch *whole = sw_batch_detach(batch, NULL);
    require(whole != NULL);
    walk_all(whole, whole->pieces_count > 0 ? whole->pieces[0].buf : buf, cores);
    sw_batch_free(whole);
    sw_batch_free(batch);
    sw_buf_unref(buf);
    return 0;
}
