/* Cutting a batch: what the batch processor's send_batch_max_size needs (Collector v0.159
 * processor/batchprocessor/splittraces.go: whole resources and scopes as long as they fit; of the one
 * that is cut, resource, scope and schema URLs go to both sides).
 *
 * No span is copied: both sides reference the same buffers. Only the tag and length in front of a
 * scope that was cut are new bytes.
 *
 * Bytes here were validated by the receiver; a field that cannot be read ends the walk, and what
 * is left goes whole to the first side.
 */
#include "dataplane/base/mem.h"
#include "dataplane/otlp/batch.h"

#include <string.h>

#define TAG_RESOURCE_SPANS 0x0au // ExportTraceServiceRequest.resource_spans
#define TAG_SCOPE_SPANS    0x12u // ResourceSpans.scope_spans
#define TAG_SPANS          0x12u // ScopeSpans.spans
#define HEAD_MAX           6u    // one byte of tag, five of length

/* One field: where it begins and ends, and its content when it is length-delimited. */
struct field {
    const uint8_t *at;
    const uint8_t *content;
    const uint8_t *end;
    uint64_t tag;
};

static bool read_varint(const uint8_t **at, const uint8_t *end, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (unsigned shift = 0; *at < end && shift < 64; shift += 7) {
        uint8_t byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

static bool next_field(const uint8_t *at, const uint8_t *end, struct field *ret_field)
{
    uint64_t len = 0;
    ret_field->at = at;
    if (at >= end || !read_varint(&at, end, &ret_field->tag)) {
        return false;
    }
    switch (ret_field->tag & 7) {
    case 0:
        if (!read_varint(&at, end, &len)) {
            return false;
        }
        len = 0;
        break;
    case 1:
        len = 8;
        break;
    case 2:
        if (!read_varint(&at, end, &len)) {
            return false;
        }
        break;
    case 5:
        len = 4;
        break;
    default:
        return false;
    }
    if (len > (uint64_t)(end - at)) {
        return false;
    }
    ret_field->content = at;
    ret_field->end = at + len;
    return true;
}

static uint32_t count_spans(const uint8_t *at, const uint8_t *end)
{
    uint32_t count = 0;
    for (struct field field; next_field(at, end, &field); at = field.end) {
        count += field.tag == TAG_SPANS;
    }
    return count;
}

static uint32_t count_resource(const uint8_t *at, const uint8_t *end)
{
    uint32_t count = 0;
    for (struct field field; next_field(at, end, &field); at = field.end) {
        if (field.tag == TAG_SCOPE_SPANS) {
            count += count_spans(field.content, field.end);
        }
    }
    return count;
}

/* The two sides while they are being made. An allocation that failed is remembered and ends it. */
struct cut {
    struct sw_batch *first;
    struct sw_batch *rest;
    struct sw_account *account;
    uint32_t left; // items that still go to the first side
    bool failed;
};

static void add_piece(
    struct cut *cut,
    struct sw_batch *to,
    struct sw_buf *buf,
    const uint8_t *at,
    const uint8_t *end
)
{
    if (sw_batch_add_piece(to, buf, at, (uint32_t)(end - at)) != SW_OK) {
        cut->failed = true;
    }
}

static void begin(struct cut *cut, struct sw_batch *to)
{
    if (!cut->failed && sw_batch_begin_part(to) != SW_OK) {
        cut->failed = true;
    }
}

static struct sw_buf *scope_head(struct cut *cut, uint32_t len)
{
    struct sw_buf *buf = sw_buf_new(cut->account, HEAD_MAX);
    if (buf == NULL) {
        cut->failed = true;
        return NULL;
    }
    buf->data[buf->size++] = TAG_SCOPE_SPANS;
    for (; len >= 0x80; len >>= 7) {
        buf->data[buf->size++] = (uint8_t)(len | 0x80);
    }
    buf->data[buf->size++] = (uint8_t)len;
    return buf;
}

/* Where the content of a scope is cut: within which of its ranges, and before which byte of it. */
struct border {
    uint32_t range;
    const uint8_t *at;
};

/* One side of a scope that is cut at `border`: all fields that are no spans, and the spans before it
 * (front) or from it on. Neighbours become one piece. to NULL: only measures. @return bytes */
static uint32_t write_side(
    struct cut *cut,
    struct sw_batch *to,
    const struct sw_piece *ranges,
    uint32_t count,
    const struct border *border,
    bool front
)
{
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *end = ranges[i].data + ranges[i].len;
        const uint8_t *run = ranges[i].data;
        const uint8_t *at = ranges[i].data;
        for (struct field field; next_field(at, end, &field); at = field.end) {
            bool before = i != border->range ? i < border->range : field.at < border->at;
            if (field.tag != TAG_SPANS || before == front) {
                continue;
            }
            bytes += (uint32_t)(field.at - run);
            if (to != NULL) {
                add_piece(cut, to, ranges[i].buf, run, field.at);
            }
            run = field.end;
        }
        bytes += (uint32_t)(end - run);
        if (to != NULL) {
            add_piece(cut, to, ranges[i].buf, run, end);
        }
    }
    return bytes;
}

static struct border find_border(const struct sw_piece *ranges, uint32_t count, uint32_t spans)
{
    uint32_t seen = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *end = ranges[i].data + ranges[i].len;
        const uint8_t *at = ranges[i].data;
        for (struct field field; next_field(at, end, &field); at = field.end) {
            if (field.tag == TAG_SPANS && seen++ == spans) {
                return (struct border){i, field.at};
            }
        }
    }
    return (struct border){count, NULL};
}

/* A scope whose spans go to both sides: `left` of them to the first. */
static void cut_scope(struct cut *cut, const struct sw_piece *ranges, uint32_t count)
{
    struct border border = find_border(ranges, count, cut->left);
    for (unsigned side = 0; side < 2 && !cut->failed; side++) {
        struct sw_batch *to = side == 0 ? cut->first : cut->rest;
        uint32_t bytes = write_side(cut, NULL, ranges, count, &border, side == 0);
        struct sw_buf *head = scope_head(cut, bytes);
        if (head != NULL) {
            add_piece(cut, to, head, head->data, head->data + head->size);
            sw_buf_unref(head);
            write_side(cut, to, ranges, count, &border, side == 0);
        }
    }
}

/* A scope: its tag and length, and its content, which lies right behind them or, if it was cut before, in
 * ranges of its own. It goes to one side whole or is cut. */
static void place_scope(
    struct cut *cut,
    const struct sw_piece *head,
    const struct sw_piece *ranges,
    uint32_t count
)
{
    uint32_t spans = 0;
    for (uint32_t i = 0; i < count; i++) {
        spans += count_spans(ranges[i].data, ranges[i].data + ranges[i].len);
    }
    if (cut->left > 0 && spans > cut->left) {
        cut_scope(cut, ranges, count);
        cut->left = 0;
        return;
    }
    struct sw_batch *to = cut->left > 0 ? cut->first : cut->rest;
    cut->left -= cut->left > 0 ? spans : 0;
    if (count == 1 && head->data + head->len == ranges->data && head->buf == ranges->buf) {
        add_piece(cut, to, head->buf, head->data, ranges->data + ranges->len);
        return;
    }
    add_piece(cut, to, head->buf, head->data, head->data + head->len);
    for (uint32_t i = 0; i < count; i++) {
        add_piece(cut, to, ranges[i].buf, ranges[i].data, ranges[i].data + ranges[i].len);
    }
}

/* How many of the pieces behind [at, end) are the content of a scope whose tag and length these bytes are;
 * 0: they are something else. cut_scope lets content fill whole pieces. */
static uint32_t
content_pieces(const uint8_t *at, const uint8_t *end, const struct sw_piece *pieces, uint32_t count)
{
    uint64_t tag = 0;
    uint64_t len = 0;
    if (!read_varint(&at, end, &tag) || tag != TAG_SCOPE_SPANS || !read_varint(&at, end, &len)
        || at != end) {
        return 0;
    }
    uint32_t used = 0;
    while (len > 0 && used < count && pieces[used].len <= len) {
        len -= pieces[used++].len;
    }
    return len == 0 ? used : 0;
}

/* The content of one ResourceSpans, with more spans than go to the first side. */
static void cut_resource(struct cut *cut, const struct sw_piece *pieces, uint32_t count)
{
    for (uint32_t i = 0; i < count && !cut->failed; i++) {
        struct sw_buf *buf = pieces[i].buf;
        const uint8_t *at = pieces[i].data;
        const uint8_t *end = at + pieces[i].len;
        for (struct field field; next_field(at, end, &field) && !cut->failed; at = field.end) {
            if (field.tag != TAG_SCOPE_SPANS) {
                add_piece(cut, cut->first, buf, field.at, field.end);
                add_piece(cut, cut->rest, buf, field.at, field.end);
                continue;
            }
            struct sw_piece head = {buf, field.at, (uint32_t)(field.content - field.at)};
            struct sw_piece content = {buf, field.content, (uint32_t)(field.end - field.content)};
            place_scope(cut, &head, &content, 1);
        }
        uint32_t used = content_pieces(at, end, &pieces[i + 1], count - i - 1);
        if (used > 0) {
            struct sw_piece head = {buf, at, (uint32_t)(end - at)};
            place_scope(cut, &head, &pieces[i + 1], used);
            i += used;
        }
    }
}

static void add_whole(
    struct cut *cut,
    struct sw_batch *to,
    struct sw_buf *buf,
    const uint8_t *at,
    const uint8_t *end,
    uint32_t items
)
{
    if (at < end && !cut->failed
        && sw_batch_add_raw(to, buf, at, (uint32_t)(end - at), items) != SW_OK) {
        cut->failed = true;
    }
}

/* One piece of a level-0 part: whole ResourceSpans up to the cut, the one that is cut, whole ones. */
static void cut_requests(struct cut *cut, const struct sw_piece *piece, uint32_t items)
{
    const uint8_t *end = piece->data + piece->len;
    const uint8_t *at = piece->data;
    const uint8_t *begin_whole = at;
    uint32_t whole_items = 0;
    uint32_t items_first = 0;
    for (struct field field; cut->left > 0 && next_field(at, end, &field); at = field.end) {
        if (field.tag != TAG_RESOURCE_SPANS) {
            continue;
        }
        uint32_t spans = count_resource(field.content, field.end);
        if (spans <= cut->left) {
            cut->left -= spans;
            whole_items += spans;
            continue;
        }
        add_whole(cut, cut->first, piece->buf, begin_whole, field.at, whole_items);
        items_first += whole_items + cut->left;
        whole_items = 0;
        uint32_t front = cut->left;
        begin(cut, cut->first);
        begin(cut, cut->rest);
        if (!cut->failed) {
            struct sw_piece content = {
                piece->buf, field.content, (uint32_t)(field.end - field.content)};
            cut_resource(cut, &content, 1);
            sw_batch_end_part(cut->first, front);
            sw_batch_end_part(cut->rest, spans - front);
        }
        begin_whole = field.end;
        add_whole(
            cut, cut->rest, piece->buf, begin_whole, end, items - items_first - (spans - front)
        );
        return;
    }
    // The cut falls between two ResourceSpans of this piece, or (spans in a place that nobody reads) behind.
    if (at == end) {
        whole_items = items;
    }
    add_whole(cut, cut->first, piece->buf, begin_whole, at, whole_items);
    add_whole(cut, cut->rest, piece->buf, at, end, items - whole_items);
}

static void cut_part(struct cut *cut, const struct sw_batch *batch, const struct sw_part *part)
{
    const struct sw_piece *pieces = &batch->pieces[part->first_piece];
    if (part->level == 0) {
        // A level-0 part has its items in one piece (sw_batch_add_raw makes no other).
        SW_ASSERT(part->pieces_count == 1);
        cut_requests(cut, &pieces[0], part->items_count);
        return;
    }
    uint32_t front = cut->left;
    begin(cut, cut->first);
    begin(cut, cut->rest);
    cut_resource(cut, pieces, part->pieces_count);
    if (!cut->failed) {
        sw_batch_end_part(cut->first, front);
        sw_batch_end_part(cut->rest, part->items_count - front);
    }
}

static void copy_part(
    struct cut *cut,
    struct sw_batch *to,
    const struct sw_batch *batch,
    const struct sw_part *part
)
{
    const struct sw_piece *pieces = &batch->pieces[part->first_piece];
    if (part->level == 0) {
        add_whole(
            cut, to, pieces->buf, pieces->data, pieces->data + pieces->len, part->items_count
        );
        return;
    }
    begin(cut, to);
    for (uint32_t i = 0; i < part->pieces_count && !cut->failed; i++) {
        add_piece(cut, to, pieces[i].buf, pieces[i].data, pieces[i].data + pieces[i].len);
    }
    if (!cut->failed) {
        sw_batch_end_part(to, part->items_count);
    }
}

/* `batch` becomes `rest`: its old parts go. Both live in their caller's memory, so contents move. */
static void replace(struct sw_batch *batch, struct sw_batch *rest)
{
    struct sw_batch old = *batch;
    bool parts_inline = rest->parts == rest->parts_inline;
    bool pieces_inline = rest->pieces == rest->pieces_inline;
    for (uint32_t i = 0; i < batch->pieces_count; i++) {
        sw_buf_unref(batch->pieces[i].buf);
    }
    if (batch->parts != batch->parts_inline) {
        sw_free(batch->parts);
    }
    if (batch->pieces != batch->pieces_inline) {
        sw_free(batch->pieces);
    }
    *batch = *rest;
    batch->parts = parts_inline ? batch->parts_inline : rest->parts;
    batch->pieces = pieces_inline ? batch->pieces_inline : rest->pieces;
    batch->arrived_ns = old.arrived_ns;
    batch->branch = old.branch;
    batch->next = old.next;
    sw_free(rest);
}

int sw_batch_split(
    struct sw_batch *batch,
    uint32_t items,
    struct sw_account *account,
    struct sw_batch **ret_first
)
{
    SW_ASSERT(items > 0 && items < batch->items_count);
    struct cut cut = {
        .first = sw_batch_new(batch->signal),
        .rest = sw_batch_new(batch->signal),
        .account = account,
        .left = items,
    };
    cut.failed = cut.first == NULL || cut.rest == NULL;
    for (uint32_t i = 0; i < batch->parts_count && !cut.failed; i++) {
        const struct sw_part *part = &batch->parts[i];
        if (cut.left == 0) {
            copy_part(&cut, cut.rest, batch, part);
        } else if (part->items_count <= cut.left) {
            copy_part(&cut, cut.first, batch, part);
            cut.left -= part->items_count;
        } else {
            cut_part(&cut, batch, part);
            cut.left = 0;
        }
    }
    if (cut.failed) {
        sw_batch_free(cut.first);
        sw_batch_free(cut.rest);
        return SW_E_NOMEM;
    }
    cut.first->arrived_ns = batch->arrived_ns;
    cut.first->branch = batch->branch;
    replace(batch, cut.rest);
    *ret_first = cut.first;
    return SW_OK;
}
