/* A batch with changed resources: each ResourceSpans becomes a part of its own, whose first piece is the
 * new Resource field and whose other pieces are the ranges around the old one. Spans stay where they lie.
 *
 *   before   ┌ scopes ┐┌ resource ┐┌ scopes, URL ┐          one range
 *   after    new resource, ┌ scopes ┐, ┌ scopes, URL ┐      three
 */
#include "dataplane/base/mem.h"
#include "dataplane/otlp/attribute.h"
#include "dataplane/rewrite/rewrite_internal.h"

// Room for further resources of the same batch, once there is a second one.
#define MORE_BYTES 4096u

/* ---- the ranges of one ResourceSpans ---- */

/* Goes over the fields of a ResourceSpans that lies in pieces. The content of a scope may go on in the
 * next pieces (a scope that was cut, batch_split.c); resources never do. */
struct walk {
    const struct sw_piece *pieces;
    uint32_t pieces_count;
    uint32_t index;
    bool open; // within pieces[index]
    uint64_t skip;
    const uint8_t *run; // kept from here on
    struct sw_pb_reader reader;
};

static void walk_init(struct walk *walk, const struct sw_piece *pieces, uint32_t pieces_count)
{
    *walk = (struct walk){.pieces = pieces, .pieces_count = pieces_count};
}

static void open_piece(struct walk *walk)
{
    const struct sw_piece *piece = &walk->pieces[walk->index];
    uint64_t hop = SW_MIN(walk->skip, piece->len);
    walk->open = true;
    walk->run = piece->data;
    walk->skip -= hop;
    sw_pb_reader_init(&walk->reader, (struct sw_bytes){piece->data + hop, piece->len - hop});
}

// The next resource field of this piece. @return false: none, the piece is at its end
static bool find_resource(struct walk *walk, const uint8_t **ret_at, struct sw_bytes *ret_resource)
{
    struct sw_pb_reader *reader = &walk->reader;
    while (sw_pb_left(reader) > 0) {
        const uint8_t *at = reader->at;
        uint32_t tag = sw_pb_tag(reader);
        if ((tag & 7) != SW_PB_LEN) {
            sw_pb_skip(reader, tag);
            continue;
        }
        uint64_t size = sw_pb_varint(reader);
        size_t left = sw_pb_left(reader);
        if (size > left) {
            walk->skip = size - left;
            return false;
        }
        const uint8_t *content = reader->at;
        reader->at += size;
        if (tag == SW_OTLP_TAG_RESOURCE && reader->error == SW_PB_OK) {
            *ret_at = at;
            *ret_resource = (struct sw_bytes){content, (size_t)size};
            return true;
        }
    }
    return false;
}

/* The next range to keep, maybe empty, and the resource behind it (data NULL: there is none).
 * @return false at the end */
static bool walk_next(struct walk *walk, struct sw_piece *ret_run, struct sw_bytes *ret_resource)
{
    if (!walk->open) {
        if (walk->index == walk->pieces_count) {
            return false;
        }
        open_piece(walk);
    }
    const struct sw_piece *piece = &walk->pieces[walk->index];
    const uint8_t *end = piece->data + piece->len;
    ret_run->buf = piece->buf;
    ret_run->data = walk->run;
    ret_resource->data = NULL;
    ret_resource->size = 0;
    if (find_resource(walk, &end, ret_resource)) {
        walk->run = walk->reader.at;
    } else {
        walk->open = false;
        walk->index++;
    }
    ret_run->len = (uint32_t)(end - ret_run->data);
    return true;
}

/* ---- the new resource ---- */

static uint64_t hash_of(struct sw_bytes bytes)
{
    uint64_t hash = bytes.size;
    for (size_t i = 0; i < bytes.size; i += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes.data + i, SW_MIN(bytes.size - i, 8));
        unsigned __int128 product = (unsigned __int128)(hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash = (uint64_t)product ^ (uint64_t)(product >> 64);
    }
    return hash;
}

static int room_for(struct resource_rewriter *rewriter, size_t size)
{
    struct sw_buf *buf = rewriter->buf;
    if (size > UINT32_MAX) {
        return SW_E_TOO_LARGE;
    }
    if (buf != NULL && buf->capacity - buf->size >= size) {
        return SW_OK;
    }
    size_t capacity = buf == NULL ? size : SW_MAX(size, MORE_BYTES);
    sw_buf_unref(buf);
    rewriter->buf = sw_buf_new(rewriter->account, (uint32_t)capacity);
    return rewriter->buf != NULL ? SW_OK : SW_E_NOMEM;
}

static int
make(struct resource_rewriter *rewriter, struct sw_bytes before, struct sw_piece *ret_after)
{
    size_t size;
    int err = sw_editor_edit(&rewriter->editor, before, SW_RESOURCE_ATTRIBUTES, &size);
    if (err == SW_OK) {
        err = room_for(rewriter, sw_pb_len_size(SW_OTLP_TAG_RESOURCE, size));
    }
    if (err != SW_OK) {
        return err;
    }
    struct sw_buf *buf = rewriter->buf;
    uint8_t *begin = buf->data + buf->size;
    uint8_t *end = sw_pb_put_head(begin, SW_OTLP_TAG_RESOURCE, size);
    end = sw_editor_write(&rewriter->editor, end);
    *ret_after = (struct sw_piece){buf, begin, (uint32_t)(end - begin)};
    buf->size += ret_after->len;
    SW_ASSERT(buf->size <= buf->capacity);
    return SW_OK;
}

// Many ResourceSpans of one batch have the same resource: it is made once.
static int
make_once(struct resource_rewriter *rewriter, struct sw_bytes before, struct sw_piece *ret_after)
{
    uint64_t hash = hash_of(before);
    struct resource_made *made = &rewriter->made[hash % RESOURCE_CACHE_SLOTS];
    if (made->batch_number != rewriter->batch_number || made->hash != hash
        || !sw_bytes_equal(made->before, before)) {
        struct sw_piece after;
        int err = make(rewriter, before, &after);
        if (err != SW_OK) {
            return err;
        }
        *made = (struct resource_made){rewriter->batch_number, hash, before, after};
    }
    *ret_after = made->after;
    return SW_OK;
}

static int join(struct resource_rewriter *rewriter, struct sw_bytes fragment)
{
    size_t size = rewriter->joined_size + fragment.size;
    if (size > rewriter->joined_capacity) {
        uint8_t *larger = sw_realloc(rewriter->joined, size * 2);
        if (larger == NULL) {
            return SW_E_NOMEM;
        }
        rewriter->joined = larger;
        rewriter->joined_capacity = size * 2;
    }
    if (fragment.size > 0) {
        memcpy(rewriter->joined + rewriter->joined_size, fragment.data, fragment.size);
    }
    rewriter->joined_size = size;
    return SW_OK;
}

// Of a resource in several fields: their contents joined are the one message they stand for.
static int new_resource(
    struct resource_rewriter *rewriter,
    const struct sw_piece *pieces,
    uint32_t pieces_count,
    struct sw_piece *ret_after
)
{
    struct walk walk;
    struct sw_piece run;
    struct sw_bytes fragment;
    struct sw_bytes first = {NULL, 0};
    uint32_t fragments = 0;
    int err = SW_OK;
    rewriter->joined_size = 0;
    walk_init(&walk, pieces, pieces_count);
    while (err == SW_OK && walk_next(&walk, &run, &fragment)) {
        if (fragment.data == NULL) {
            continue;
        }
        if (++fragments == 1) {
            first = fragment;
            continue;
        }
        if (fragments == 2) {
            err = join(rewriter, first);
        }
        if (err == SW_OK) {
            err = join(rewriter, fragment);
        }
    }
    if (err != SW_OK) {
        return err;
    }
    if (fragments < 2) {
        return make_once(rewriter, first, ret_after);
    }
    return make(rewriter, (struct sw_bytes){rewriter->joined, rewriter->joined_size}, ret_after);
}

/* ---- the new batch ---- */

static int add_resource_spans(
    struct resource_rewriter *rewriter,
    struct sw_batch *to,
    const struct sw_piece *pieces,
    uint32_t pieces_count,
    uint32_t items_count
)
{
    struct walk walk;
    struct sw_piece piece;
    struct sw_bytes fragment;
    int err = new_resource(rewriter, pieces, pieces_count, &piece);
    if (err == SW_OK) {
        err = sw_batch_begin_part(to);
    }
    if (err == SW_OK) {
        err = sw_batch_add_piece(to, piece.buf, piece.data, piece.len);
    }
    walk_init(&walk, pieces, pieces_count);
    while (err == SW_OK && walk_next(&walk, &piece, &fragment)) {
        err = sw_batch_add_piece(to, piece.buf, piece.data, piece.len);
    }
    if (err == SW_OK) {
        sw_batch_end_part(to, items_count);
    }
    return err;
}

static uint32_t count_points(struct sw_bytes metric)
{
    uint32_t count = 0;
    struct sw_metric_view view;
    struct sw_otlp_iter points;
    struct sw_pb_field field;
    if (sw_metric_view_fill(&view, metric)) {
        sw_metric_points_init(&points, &view);
        while (sw_otlp_next(&points, &field)) {
            count++;
        }
    }
    return count;
}

static uint32_t count_items(enum sw_signal signal, struct sw_bytes resource_spans)
{
    uint32_t count = 0;
    struct sw_otlp_iter scopes;
    struct sw_otlp_iter items;
    struct sw_pb_field field;
    sw_otlp_scopes_init(&scopes, resource_spans);
    while (sw_otlp_next(&scopes, &field)) {
        sw_otlp_items_init(&items, field.bytes);
        while (sw_otlp_next(&items, &field)) {
            count += signal == SW_METRICS ? count_points(field.bytes) : 1;
        }
    }
    return count;
}

/* A range of whole requests: each ResourceSpans becomes a part. What else stands there stays. The items of
 * the last ResourceSpans are what the others leave, so that a request with one of them, which nearly all
 * are, is not counted again. */
static int add_requests(
    struct resource_rewriter *rewriter,
    struct sw_batch *to,
    const struct sw_piece *piece,
    uint32_t items_count
)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    int err = SW_OK;
    sw_pb_reader_init(&reader, (struct sw_bytes){piece->data, piece->len});
    while (err == SW_OK && sw_pb_next(&reader, &field)) {
        if (field.tag != SW_OTLP_TAG_RESOURCES) {
            uint32_t size = (uint32_t)field.whole.size;
            err = sw_batch_add_raw(to, piece->buf, field.whole.data, size, 0);
            continue;
        }
        bool last = sw_pb_left(&reader) == 0;
        uint32_t items =
            last ? items_count : SW_MIN(count_items(to->signal, field.bytes), items_count);
        struct sw_piece content = {piece->buf, field.bytes.data, (uint32_t)field.bytes.size};
        items_count -= items;
        err = add_resource_spans(rewriter, to, &content, 1, items);
    }
    return err;
}

static int add_part(
    struct resource_rewriter *rewriter,
    struct sw_batch *to,
    const struct sw_batch *batch,
    uint32_t index
)
{
    const struct sw_part *part = &batch->parts[index];
    const struct sw_piece *pieces = &batch->pieces[part->first_piece];
    if (part->level == 1) {
        return add_resource_spans(rewriter, to, pieces, part->pieces_count, part->items_count);
    }
    SW_ASSERT(part->pieces_count == 1); // sw_batch_add_raw makes no other
    return add_requests(rewriter, to, pieces, part->items_count);
}

int sw_resource_rewrite(
    struct resource_rewriter *rewriter,
    const struct sw_batch *batch,
    struct sw_batch **ret_batch
)
{
    struct sw_batch *to = sw_batch_new(batch->signal);
    int err = to != NULL ? sw_editor_begin(&rewriter->editor, batch->client) : SW_E_NOMEM;
    rewriter->batch_number++;
    for (uint32_t i = 0; err == SW_OK && i < batch->parts_count; i++) {
        err = add_part(rewriter, to, batch, i);
    }
    sw_buf_unref(rewriter->buf); // the pieces have it
    rewriter->buf = NULL;
    if (err != SW_OK) {
        sw_batch_free(to);
        return err;
    }
    SW_DASSERT(to->items_count == batch->items_count);
    to->arrived_ns = batch->arrived_ns;
    to->branch = batch->branch;
    to->client = sw_client_ref(batch->client);
    *ret_batch = to;
    return SW_OK;
}

void sw_resource_rewriter_fini(struct resource_rewriter *rewriter)
{
    sw_editor_fini(&rewriter->editor);
    sw_buf_unref(rewriter->buf);
    sw_free(rewriter->joined);
    rewriter->joined = NULL;
}
