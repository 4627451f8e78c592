#include "dataplane/otlp/batch.h"

#include "dataplane/base/mem.h"
#include "dataplane/otlp/client.h"

#include <string.h>

const char *sw_signal_name(enum sw_signal signal)
{
    static const char *const names[SW_SIGNALS_COUNT] = {"traces", "metrics", "logs"};
    return names[signal];
}

struct sw_batch *sw_batch_new(enum sw_signal signal)
{
    struct sw_batch *batch = sw_alloc(sizeof(*batch));
    if (batch == NULL) {
        return NULL;
    }
    batch->signal = signal;
    batch->items_count = 0;
    batch->bytes = 0;
    batch->parts = batch->parts_inline;
    batch->parts_count = 0;
    batch->parts_capacity = SW_ARRAY_SIZE(batch->parts_inline);
    batch->pieces = batch->pieces_inline;
    batch->pieces_count = 0;
    batch->pieces_capacity = SW_ARRAY_SIZE(batch->pieces_inline);
    batch->arrived_ns = 0;
    batch->client = NULL;
    batch->branch = NULL;
    batch->next = NULL;
    return batch;
}

void sw_batch_free(struct sw_batch *batch)
{
    if (batch == NULL) {
        return;
    }
    for (uint32_t i = 0; i < batch->pieces_count; i++) {
        sw_buf_unref(batch->pieces[i].buf);
    }
    sw_client_unref(batch->client);
    if (batch->pieces != batch->pieces_inline) {
        sw_free(batch->pieces);
    }
    if (batch->parts != batch->parts_inline) {
        sw_free(batch->parts);
    }
    sw_free(batch);
}

// Makes room for `more` elements behind `count`; the first block lies in the batch itself.
static void *
grown(void *array, void *inlined, uint32_t count, uint32_t more, uint32_t *capacity, size_t size)
{
    if (count + more <= *capacity) {
        return array;
    }
    uint32_t wanted = SW_MAX(*capacity * 2, count + more);
    void *larger = sw_realloc(array == inlined ? NULL : array, wanted * size);
    if (larger == NULL) {
        return NULL;
    }
    if (array == inlined) {
        memcpy(larger, inlined, count * size);
    }
    *capacity = wanted;
    return larger;
}

static int reserve(struct sw_batch *batch, uint32_t parts, uint32_t pieces)
{
    void *array = grown(
        batch->parts,
        batch->parts_inline,
        batch->parts_count,
        parts,
        &batch->parts_capacity,
        sizeof(struct sw_part)
    );
    if (array == NULL) {
        return SW_E_NOMEM;
    }
    batch->parts = array;
    array = grown(
        batch->pieces,
        batch->pieces_inline,
        batch->pieces_count,
        pieces,
        &batch->pieces_capacity,
        sizeof(struct sw_piece)
    );
    if (array == NULL) {
        return SW_E_NOMEM;
    }
    batch->pieces = array;
    return SW_OK;
}

static void
push_piece(struct sw_batch *batch, struct sw_buf *buf, const uint8_t *data, uint32_t len)
{
    SW_DASSERT(batch->pieces_count < batch->pieces_capacity);
    batch->pieces[batch->pieces_count++] = (struct sw_piece){sw_buf_ref(buf), data, len};
}

int sw_batch_add_raw(
    struct sw_batch *batch,
    struct sw_buf *buf,
    const uint8_t *data,
    uint32_t len,
    uint32_t items_count
)
{
    int err = reserve(batch, 1, 1);
    if (err != SW_OK) {
        return err;
    }
    batch->parts[batch->parts_count++] = (struct sw_part){
        .first_piece = batch->pieces_count,
        .pieces_count = 1,
        .items_count = items_count,
        .bytes = len,
    };
    push_piece(batch, buf, data, len);
    batch->items_count += items_count;
    batch->bytes += len;
    return SW_OK;
}

int sw_batch_begin_part(struct sw_batch *batch)
{
    int err = reserve(batch, 1, 0);
    if (err != SW_OK) {
        return err;
    }
    batch->parts[batch->parts_count++] = (struct sw_part){
        .first_piece = batch->pieces_count,
        .level = 1,
    };
    return SW_OK;
}

int sw_batch_add_piece(
    struct sw_batch *batch,
    struct sw_buf *buf,
    const uint8_t *data,
    uint32_t len
)
{
    SW_ASSERT(batch->parts_count > 0);
    if (len == 0) {
        return SW_OK;
    }
    int err = reserve(batch, 0, 1);
    if (err != SW_OK) {
        return err;
    }
    struct sw_part *part = &batch->parts[batch->parts_count - 1];
    part->pieces_count++;
    part->bytes += len;
    push_piece(batch, buf, data, len);
    return SW_OK;
}

// ExportTraceServiceRequest.resource_spans = 1, length-delimited; the same in all three signals.
#define TAG_RESOURCE_ITEMS 0x0a

void sw_batch_end_part(struct sw_batch *batch, uint32_t items_count)
{
    struct sw_part *part = &batch->parts[batch->parts_count - 1];
    SW_ASSERT(part->level == 1 && part->head_len == 0);
    part->items_count = items_count;
    part->head[part->head_len++] = TAG_RESOURCE_ITEMS;
    uint32_t rest = part->bytes;
    while (rest >= 0x80) {
        part->head[part->head_len++] = (uint8_t)(rest | 0x80);
        rest >>= 7;
    }
    part->head[part->head_len++] = (uint8_t)rest;
    batch->items_count += items_count;
    batch->bytes += part->bytes + part->head_len;
}

// Copies the parts' descriptions behind those of `into`; references are the caller's business.
static void append_parts(struct sw_batch *into, const struct sw_batch *from)
{
    for (uint32_t i = 0; i < from->parts_count; i++) {
        struct sw_part *part = &into->parts[into->parts_count + i];
        *part = from->parts[i];
        part->first_piece += into->pieces_count;
    }
    memcpy(
        into->pieces + into->pieces_count,
        from->pieces,
        from->pieces_count * sizeof(struct sw_piece)
    );
    into->parts_count += from->parts_count;
    into->pieces_count += from->pieces_count;
    into->items_count += from->items_count;
    into->bytes += from->bytes;
}

int sw_batch_merge(struct sw_batch *into, struct sw_batch *from)
{
    SW_ASSERT(into->signal == from->signal);
    int err = reserve(into, from->parts_count, from->pieces_count);
    if (err != SW_OK) {
        return err;
    }
    if (into->items_count == 0 || from->arrived_ns < into->arrived_ns) {
        into->arrived_ns = from->arrived_ns;
    }
    if (into->client != from->client) {
        sw_client_unref(into->client);
        into->client = NULL;
    }
    append_parts(into, from);
    from->pieces_count = 0; // the references moved
    sw_batch_free(from);
    return SW_OK;
}

struct sw_batch *sw_batch_share(const struct sw_batch *batch)
{
    struct sw_batch *other = sw_batch_new(batch->signal);
    if (other == NULL || reserve(other, batch->parts_count, batch->pieces_count) != SW_OK) {
        sw_batch_free(other);
        return NULL;
    }
    append_parts(other, batch);
    for (uint32_t i = 0; i < other->pieces_count; i++) {
        sw_buf_ref(other->pieces[i].buf);
    }
    other->arrived_ns = batch->arrived_ns;
    other->client = sw_client_ref(batch->client);
    other->branch = batch->branch;
    return other;
}

struct sw_batch *sw_batch_detach(const struct sw_batch *batch, struct sw_account *account)
{
    struct sw_batch *other = sw_batch_new(batch->signal);
    struct sw_buf *buf = sw_buf_new(account, (uint32_t)batch->bytes);
    if (other == NULL || buf == NULL) {
        sw_batch_free(other);
        sw_buf_unref(buf);
        return NULL;
    }
    sw_batch_copy_out(batch, buf->data);
    buf->size = (uint32_t)batch->bytes;
    // Cannot fail: one part and one piece lie in the batch itself.
    int err = sw_batch_add_raw(other, buf, buf->data, buf->size, batch->items_count);
    SW_ASSERT(err == SW_OK);
    sw_buf_unref(buf);
    other->arrived_ns = batch->arrived_ns;
    other->client = sw_client_ref(batch->client);
    other->branch = batch->branch;
    return other;
}

void sw_batch_copy_out(const struct sw_batch *batch, uint8_t *out)
{
    for (uint32_t i = 0; i < batch->parts_count; i++) {
        const struct sw_part *part = &batch->parts[i];
        memcpy(out, part->head, part->head_len);
        out += part->head_len;
        for (uint32_t k = 0; k < part->pieces_count; k++) {
            const struct sw_piece *piece = &batch->pieces[part->first_piece + k];
            memcpy(out, piece->data, piece->len);
            out += piece->len;
        }
    }
}

bool sw_batch_cursor_next(struct sw_batch_cursor *cursor, uint32_t most, struct sw_piece *ret_piece)
{
    SW_DASSERT(most > 0);
    const struct sw_batch *batch = cursor->batch;
    while (cursor->part < batch->parts_count) {
        const struct sw_part *part = &batch->parts[cursor->part];
        struct sw_piece whole = {NULL, part->head, part->head_len};
        if (cursor->head_done) {
            if (cursor->piece == part->pieces_count) {
                cursor->part++;
                cursor->piece = 0;
                cursor->head_done = false;
                continue;
            }
            whole = batch->pieces[part->first_piece + cursor->piece];
        }
        uint32_t len = SW_MIN(most, whole.len - cursor->offset);
        *ret_piece = (struct sw_piece){whole.buf, whole.data + cursor->offset, len};
        cursor->offset += len;
        if (cursor->offset == whole.len) {
            cursor->offset = 0;
            if (cursor->head_done) {
                cursor->piece++;
            } else {
                cursor->head_done = true;
            }
        }
        if (len > 0) {
            return true;
        }
    }
    return false;
}
