#include "dataplane/otlp/rebuild.h"

#include "dataplane/base/mem.h"
#include "dataplane/otlp/client.h"

enum {
    JOINED_CONTENT,
    JOINED_RESOURCE,
    JOINED_SCOPE,
};

void sw_rebuild_fini(struct sw_rebuild *rebuild)
{
    sw_buf_unref(rebuild->buf);
    rebuild->buf = NULL;
    for (unsigned i = 0; i < SW_ARRAY_SIZE(rebuild->joined); i++) {
        sw_free(rebuild->joined[i]);
        rebuild->joined[i] = NULL;
    }
}

/* ---- writing ---- */

// Room for size more bytes. @return false: there is none, the error is noted
static bool reserve(struct sw_rebuild *rebuild, size_t size)
{
    struct sw_buf *buf = rebuild->buf;
    if (rebuild->err != SW_OK) {
        return false;
    }
    if (buf->capacity - buf->size >= size) {
        return true;
    }
    uint64_t wanted = buf->size + (uint64_t)size;
    if (wanted > UINT32_MAX) {
        rebuild->err = SW_E_TOO_LARGE;
        return false;
    }
    wanted = SW_MIN(wanted + wanted / 2, UINT32_MAX);
    struct sw_buf *larger = sw_buf_new(rebuild->account, (uint32_t)wanted);
    if (larger == NULL) {
        rebuild->err = SW_E_NOMEM;
        return false;
    }
    memcpy(larger->data, buf->data, buf->size);
    larger->size = buf->size;
    sw_buf_unref(buf);
    rebuild->buf = larger;
    return true;
}

static void flush(struct sw_rebuild *rebuild)
{
    struct sw_bytes pending = rebuild->pending;
    rebuild->pending.size = 0;
    if (pending.size > 0 && reserve(rebuild, pending.size)) {
        memcpy(rebuild->buf->data + rebuild->buf->size, pending.data, pending.size);
        rebuild->buf->size += (uint32_t)pending.size;
    }
}

// Neighbours are copied together.
static void keep(struct sw_rebuild *rebuild, struct sw_bytes whole)
{
    struct sw_bytes *pending = &rebuild->pending;
    if (pending->size > 0 && pending->data + pending->size == whole.data) {
        pending->size += whole.size;
        return;
    }
    flush(rebuild);
    *pending = whole;
}

static size_t head_size(uint32_t tag, size_t size)
{
    return sw_pb_len_size(tag, size) - size;
}

// A message begins: room for its head, which is right when it becomes `guess` bytes long.
static uint32_t open_message(struct sw_rebuild *rebuild, uint32_t tag, size_t guess)
{
    size_t head = head_size(tag, guess);
    flush(rebuild);
    uint32_t begin = rebuild->buf->size;
    if (reserve(rebuild, head)) {
        rebuild->buf->size += (uint32_t)head;
    }
    return begin;
}

static void close_message(struct sw_rebuild *rebuild, uint32_t tag, size_t guess, uint32_t begin)
{
    size_t reserved = head_size(tag, guess);
    flush(rebuild);
    if (rebuild->err != SW_OK) {
        return;
    }
    size_t size = rebuild->buf->size - begin - reserved;
    size_t head = head_size(tag, size);
    if (head > reserved && !reserve(rebuild, head - reserved)) {
        return;
    }
    uint8_t *at = rebuild->buf->data + begin;
    if (head != reserved) {
        memmove(at + head, at + reserved, size);
    }
    (void)sw_pb_put_head(at, tag, size);
    rebuild->buf->size = (uint32_t)(begin + head + size);
}

static void abandon_message(struct sw_rebuild *rebuild, uint32_t begin)
{
    rebuild->pending.size = 0;
    rebuild->buf->size = begin;
    rebuild->changed = true;
}

/* ---- envelopes ---- */

static uint8_t *joined_room(struct sw_rebuild *rebuild, unsigned which, size_t size)
{
    if (rebuild->joined_capacity[which] < size) {
        uint8_t *larger = sw_realloc(rebuild->joined[which], size * 2);
        if (larger == NULL) {
            rebuild->err = SW_E_NOMEM;
            return NULL;
        }
        rebuild->joined[which] = larger;
        rebuild->joined_capacity[which] = size * 2;
    }
    return rebuild->joined[which];
}

// The Resource or the scope of a message; both have tag 1.
static struct sw_bytes head_of(struct sw_rebuild *rebuild, struct sw_bytes content, unsigned which)
{
    struct sw_envelope envelope = {0};
    sw_envelope_add(&envelope, content);
    if (envelope.head_fragments < 2) {
        return envelope.head;
    }
    size_t size = sw_pb_gather(content, SW_OTLP_TAG_RESOURCE, NULL);
    uint8_t *room = joined_room(rebuild, which, size);
    if (room == NULL) {
        return envelope.head;
    }
    sw_pb_gather(content, SW_OTLP_TAG_RESOURCE, room);
    return (struct sw_bytes){room, size};
}

/* ---- items ---- */

static bool one_item(struct sw_rebuild *rebuild, const struct sw_pb_field *field)
{
    size_t size = 0;
    rebuild->item.message = field->bytes;
    int verdict = rebuild->ops->item(rebuild->context, &rebuild->item, &size);
    if (verdict < 0) {
        rebuild->err = verdict;
        return false;
    }
    if (verdict == SW_REBUILD_DROP) {
        rebuild->changed = true;
        return false;
    }
    rebuild->items_count++;
    if (verdict == SW_REBUILD_KEEP) {
        keep(rebuild, field->whole);
        return true;
    }
    flush(rebuild);
    rebuild->changed = true;
    size_t whole = sw_pb_len_size(field->tag, size);
    if (reserve(rebuild, whole)) {
        uint8_t *at = rebuild->buf->data + rebuild->buf->size;
        uint8_t *end = sw_pb_put_head(at, field->tag, size);
        end = rebuild->ops->write(rebuild->context, end);
        SW_ASSERT((size_t)(end - at) == whole);
        rebuild->buf->size += (uint32_t)whole;
    }
    return true;
}

// Gauge, Sum and so on. @return data points kept
static uint32_t points(struct sw_rebuild *rebuild, const struct sw_pb_field *data)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    uint32_t kept = 0;
    uint32_t begin = open_message(rebuild, data->tag, data->bytes.size);
    sw_pb_reader_init(&reader, data->bytes);
    while (rebuild->err == SW_OK && sw_pb_next(&reader, &field)) {
        if (field.tag == SW_METRIC_TAG_POINTS) {
            kept += one_item(rebuild, &field);
        } else {
            keep(rebuild, field.whole);
        }
    }
    close_message(rebuild, data->tag, data->bytes.size, begin);
    return kept;
}

static uint32_t points_count(const struct sw_metric_view *metric)
{
    struct sw_otlp_iter iter;
    struct sw_pb_field field;
    uint32_t count = 0;
    sw_metric_points_init(&iter, metric);
    while (sw_otlp_next(&iter, &field)) {
        count++;
    }
    return count;
}

static bool one_metric(struct sw_rebuild *rebuild, const struct sw_pb_field *metric)
{
    struct sw_metric_view *view = &rebuild->item.metric;
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    rebuild->item.message = metric->bytes;
    (void)sw_metric_view_fill(view, metric->bytes);
    bool skipped = view->type == SW_METRIC_EMPTY
                   || (rebuild->ops->metric != NULL
                       && !rebuild->ops->metric(rebuild->context, &rebuild->item));
    if (skipped) {
        rebuild->items_count += points_count(view);
        keep(rebuild, metric->whole);
        return true;
    }
    uint32_t begin = open_message(rebuild, metric->tag, metric->bytes.size);
    uint32_t kept = 0;
    sw_pb_reader_init(&reader, metric->bytes);
    while (rebuild->err == SW_OK && sw_pb_next(&reader, &field)) {
        // Of several the last one counts; the others say nothing.
        if (field.whole.data == view->data.whole.data) {
            kept += points(rebuild, &field);
        } else {
            keep(rebuild, field.whole);
        }
    }
    if (kept == 0 && rebuild->ops->prune) {
        abandon_message(rebuild, begin);
        return false;
    }
    close_message(rebuild, metric->tag, metric->bytes.size, begin);
    return true;
}

// @return whether it is still there
static bool one_scope(struct sw_rebuild *rebuild, const struct sw_pb_field *scope)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    uint32_t kept = 0;
    if (rebuild->ops->envelopes) {
        rebuild->item.scope = head_of(rebuild, scope->bytes, JOINED_SCOPE);
    }
    uint32_t begin = open_message(rebuild, SW_OTLP_TAG_SCOPES, scope->bytes.size);
    sw_pb_reader_init(&reader, scope->bytes);
    while (rebuild->err == SW_OK && sw_pb_next(&reader, &field)) {
        if (field.tag != SW_OTLP_TAG_ITEMS) {
            keep(rebuild, field.whole);
        } else if (rebuild->item.signal == SW_METRICS) {
            kept += one_metric(rebuild, &field);
        } else {
            kept += one_item(rebuild, &field);
        }
    }
    if (kept == 0 && rebuild->ops->prune) {
        abandon_message(rebuild, begin);
        return false;
    }
    close_message(rebuild, SW_OTLP_TAG_SCOPES, scope->bytes.size, begin);
    return true;
}

static void one_resource(struct sw_rebuild *rebuild, struct sw_bytes content)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    uint32_t kept = 0;
    if (rebuild->ops->envelopes) {
        rebuild->item.resource = head_of(rebuild, content, JOINED_RESOURCE);
    }
    uint32_t begin = open_message(rebuild, SW_OTLP_TAG_RESOURCES, content.size);
    sw_pb_reader_init(&reader, content);
    while (rebuild->err == SW_OK && sw_pb_next(&reader, &field)) {
        if (field.tag == SW_OTLP_TAG_SCOPES) {
            kept += one_scope(rebuild, &field);
        } else {
            keep(rebuild, field.whole);
        }
    }
    if (kept == 0 && rebuild->ops->prune) {
        abandon_message(rebuild, begin);
        return;
    }
    close_message(rebuild, SW_OTLP_TAG_RESOURCES, content.size, begin);
}

/* ---- the batch ---- */

// Pieces of a part, one behind the other.
static struct sw_bytes
content_of(struct sw_rebuild *rebuild, const struct sw_batch *batch, const struct sw_part *part)
{
    const struct sw_piece *pieces = &batch->pieces[part->first_piece];
    if (part->pieces_count == 0) {
        return (struct sw_bytes){NULL, 0};
    }
    if (part->pieces_count == 1) {
        return (struct sw_bytes){pieces->data, pieces->len};
    }
    uint8_t *room = joined_room(rebuild, JOINED_CONTENT, part->bytes);
    size_t size = 0;
    for (uint32_t i = 0; room != NULL && i < part->pieces_count; i++) {
        memcpy(room + size, pieces[i].data, pieces[i].len);
        size += pieces[i].len;
    }
    return (struct sw_bytes){room, size};
}

static void
one_part(struct sw_rebuild *rebuild, const struct sw_batch *batch, const struct sw_part *part)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    struct sw_bytes content = content_of(rebuild, batch, part);
    if (part->level == 1) {
        one_resource(rebuild, content);
        return;
    }
    sw_pb_reader_init(&reader, content);
    while (rebuild->err == SW_OK && sw_pb_next(&reader, &field)) {
        if (field.tag == SW_OTLP_TAG_RESOURCES) {
            one_resource(rebuild, field.bytes);
        } else {
            keep(rebuild, field.whole);
        }
    }
    flush(rebuild); // the joined content may be overwritten
}

static struct sw_batch *result(struct sw_rebuild *rebuild, const struct sw_batch *batch)
{
    if (!rebuild->changed) {
        return sw_batch_share(batch);
    }
    struct sw_batch *made = sw_batch_new(batch->signal);
    if (made == NULL) {
        return NULL;
    }
    struct sw_buf *buf = sw_buf_shrink(rebuild->buf);
    rebuild->buf = buf;
    int err = sw_batch_add_raw(made, buf, buf->data, buf->size, rebuild->items_count);
    SW_ASSERT(err == SW_OK); // one part and one piece lie in the batch itself
    made->arrived_ns = batch->arrived_ns;
    made->branch = batch->branch;
    made->client = sw_client_ref(batch->client);
    return made;
}

int sw_rebuild_batch(
    struct sw_rebuild *rebuild,
    const struct sw_batch *batch,
    size_t growth_size,
    struct sw_batch **ret_batch
)
{
    uint64_t wanted = batch->bytes + (uint64_t)batch->items_count * growth_size + 64;
    SW_ASSERT(rebuild->buf == NULL);
    rebuild->buf = sw_buf_new(rebuild->account, (uint32_t)SW_MIN(wanted, UINT32_MAX));
    if (rebuild->buf == NULL) {
        return SW_E_NOMEM;
    }
    rebuild->item = (struct sw_rebuild_item){.signal = batch->signal};
    rebuild->pending.size = 0;
    rebuild->items_count = 0;
    rebuild->changed = false;
    rebuild->err = SW_OK;
    for (uint32_t i = 0; rebuild->err == SW_OK && i < batch->parts_count; i++) {
        one_part(rebuild, batch, &batch->parts[i]);
    }
    flush(rebuild);
    struct sw_batch *made = rebuild->err == SW_OK ? result(rebuild, batch) : NULL;
    sw_buf_unref(rebuild->buf);
    rebuild->buf = NULL;
    if (made == NULL) {
        return rebuild->err != SW_OK ? rebuild->err : SW_E_NOMEM;
    }
    *ret_batch = made;
    return SW_OK;
}
