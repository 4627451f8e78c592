/* Cutting a batch: what the batch processor's send_batch_max_size needs (Collector v0.159
 * processor/batchprocessor/splittraces.go and its siblings: whole resources, scopes and metrics as long
 * as they fit; of one that is cut, all that stands around the items goes to both sides. Of a metric that
 * is name, description, unit, temporality, and its metadata, which the Collector loses).
 *
 * No item is copied: both sides reference the same buffers. Only the tags and lengths in front of what
 * was cut are new bytes.
 *
 * Bytes here were validated by the receiver; a field that cannot be read ends the walk, and what is left
 * goes whole to one side.
 */
#include "dataplane/base/mem.h"
#include "dataplane/otlp/batch.h"
#include "dataplane/otlp/client.h"
#include "dataplane/otlp/metric.h"

#include <string.h>

#define HEAD_MAX   6u // one byte of tag, five of length
#define LEVELS_MAX 3u // that are cut below the resource: scope, metric, its data
#define HEADS_ROOM (2 * LEVELS_MAX * HEAD_MAX)

/* The content of a message: a range, and whole pieces behind it where the message was cut before. */
struct rope {
    struct sw_piece piece;
    const struct sw_piece *more;
    uint32_t more_count;
};

/* One field: its tag and length, and what stands behind them. */
struct field {
    uint32_t tag;
    struct sw_piece head;
    struct rope content;
};

/* What a message is, from the outside in. */
enum level {
    RESOURCE,
    SCOPE,
    METRIC,
    METRIC_DATA,
    ITEM,
    NO_CHILD,
};

static enum level child_of(enum sw_signal signal, enum level level, uint32_t tag)
{
    switch (level) {
    case RESOURCE:
        return tag == SW_OTLP_TAG_SCOPES ? SCOPE : NO_CHILD;
    case SCOPE:
        return tag != SW_OTLP_TAG_ITEMS ? NO_CHILD : signal == SW_METRICS ? METRIC : ITEM;
    case METRIC:
        return sw_metric_type_of_tag(tag) != SW_METRIC_EMPTY ? METRIC_DATA : NO_CHILD;
    case METRIC_DATA:
        return tag == SW_METRIC_TAG_POINTS ? ITEM : NO_CHILD;
    default:
        return NO_CHILD;
    }
}

/* Moves content that fills whole pieces behind the range from the rope into ret_content. */
static bool take_pieces(struct rope *rope, uint64_t size, struct rope *ret_content)
{
    uint32_t used = 0;
    while (size > 0 && used < rope->more_count && rope->more[used].len <= size) {
        size -= rope->more[used++].len;
    }
    if (size > 0) {
        return false;
    }
    *ret_content = (struct rope){rope->more[0], rope->more + 1, used - 1};
    rope->more += used;
    rope->more_count -= used;
    return true;
}

/* Takes the next field off the rope. A message that was cut before has its tag and length at the end of a
 * range and its content in the pieces behind. @return false at the end, and where none can be read */
static bool next_field(struct rope *rope, struct field *ret_field)
{
    while (rope->piece.len == 0) {
        if (rope->more_count == 0) {
            return false;
        }
        rope->piece = *rope->more++;
        rope->more_count--;
    }
    struct sw_piece *piece = &rope->piece;
    struct sw_pb_reader reader;
    sw_pb_reader_init(&reader, (struct sw_bytes){piece->data, piece->len});
    uint32_t tag = sw_pb_tag(&reader);
    uint64_t size = 0;
    if ((tag & 7) == SW_PB_LEN) {
        size = sw_pb_varint(&reader);
    } else {
        sw_pb_skip(&reader, tag);
    }
    if (reader.error != SW_PB_OK) {
        return false;
    }
    size_t left = sw_pb_left(&reader);
    *ret_field = (struct field){
        .tag = tag,
        .head = {piece->buf, piece->data, piece->len - (uint32_t)left},
    };
    if (size > left) {
        if (left > 0 || !take_pieces(rope, size, &ret_field->content)) {
            return false;
        }
        piece->len = 0;
        return true;
    }
    ret_field->content.piece = (struct sw_piece){piece->buf, reader.at, (uint32_t)size};
    piece->data = reader.at + size;
    piece->len = (uint32_t)(left - size);
    return true;
}

static uint32_t count_items(enum sw_signal signal, enum level level, struct rope content)
{
    uint32_t count = 0;
    for (struct field field; next_field(&content, &field);) {
        enum level child = child_of(signal, level, field.tag);
        if (child == ITEM) {
            count++;
        } else if (child == METRIC_DATA) {
            count = count_items(signal, child, field.content); // the last one is meant
        } else if (child != NO_CHILD) {
            count += count_items(signal, child, field.content);
        }
    }
    return count;
}

/* One of the two batches that are being made. `run` is what was given to it last, which may grow. */
struct side {
    struct sw_batch *batch;
    struct sw_piece run;
};

/* An allocation that failed is remembered and ends it. */
struct cut {
    struct side first;
    struct side rest;
    struct sw_account *account;
    enum sw_signal signal;
    uint32_t left;        // items that still go to the first side
    struct sw_buf *heads; // tags and lengths of what was cut
    bool failed;
};

static void add_piece(struct cut *cut, struct side *side, const struct sw_piece *piece)
{
    if (!cut->failed
        && sw_batch_add_piece(side->batch, piece->buf, piece->data, piece->len) != SW_OK) {
        cut->failed = true;
    }
}

static void flush(struct cut *cut, struct side *side)
{
    add_piece(cut, side, &side->run);
    side->run.len = 0;
}

static void begin(struct cut *cut, struct side *side)
{
    if (!cut->failed && sw_batch_begin_part(side->batch) != SW_OK) {
        cut->failed = true;
    }
    side->run = (struct sw_piece){.buf = NULL};
}

static void end(struct cut *cut, struct side *side, uint32_t items)
{
    flush(cut, side);
    if (!cut->failed) {
        sw_batch_end_part(side->batch, items);
    }
}

/* Gives a field to a side. Neighbours become one piece; what lies in several pieces stays in them, so that
 * the content of what was cut always fills whole ones. */
static void add_field(struct cut *cut, struct side *side, const struct field *field)
{
    const struct rope *content = &field->content;
    bool together = field->head.buf == content->piece.buf
                    && field->head.data + field->head.len == content->piece.data;
    if (!together || content->more_count > 0) {
        flush(cut, side);
        add_piece(cut, side, &field->head);
        add_piece(cut, side, &content->piece);
        for (uint32_t i = 0; i < content->more_count; i++) {
            add_piece(cut, side, &content->more[i]);
        }
        return;
    }
    struct sw_piece whole = {
        field->head.buf, field->head.data, field->head.len + content->piece.len};
    if (side->run.buf == whole.buf && side->run.data + side->run.len == whole.data) {
        side->run.len += whole.len;
        return;
    }
    flush(cut, side);
    side->run = whole;
}

/* Room for a tag and length whose content follows. @return the index of its piece */
static uint32_t open_head(struct cut *cut, struct side *side)
{
    flush(cut, side);
    if (cut->heads == NULL && !cut->failed) {
        cut->heads = sw_buf_new(cut->account, HEADS_ROOM);
        cut->failed = cut->heads == NULL;
    }
    if (cut->failed) {
        return 0;
    }
    SW_ASSERT(cut->heads->size + HEAD_MAX <= HEADS_ROOM);
    struct sw_piece room = {cut->heads, cut->heads->data + cut->heads->size, HEAD_MAX};
    cut->heads->size += HEAD_MAX;
    add_piece(cut, side, &room);
    return side->batch->pieces_count - 1;
}

static void close_head(struct cut *cut, struct side *side, uint32_t index, uint32_t tag)
{
    flush(cut, side);
    if (cut->failed) {
        return;
    }
    struct sw_batch *batch = side->batch;
    uint32_t size = 0;
    for (uint32_t i = index + 1; i < batch->pieces_count; i++) {
        size += batch->pieces[i].len;
    }
    struct sw_piece *piece = &batch->pieces[index];
    uint8_t *at = cut->heads->data + (piece->data - cut->heads->data);
    piece->len = (uint32_t)(sw_pb_put_head(at, tag, size) - at);
    batch->parts[batch->parts_count - 1].bytes -= HEAD_MAX - piece->len;
}

/* The last member of a metric's oneof, the one that is meant; NULL: there is none. */
static const uint8_t *find_data(struct rope content)
{
    const uint8_t *at = NULL;
    for (struct field field; next_field(&content, &field);) {
        if (sw_metric_type_of_tag(field.tag) != SW_METRIC_EMPTY) {
            at = field.head.data;
        }
    }
    return at;
}

static void cut_message(struct cut *cut, enum level level, struct rope content);

/* A message in the one that is cut: it goes to one side whole, or is cut itself. */
static void place(struct cut *cut, enum level level, const struct field *field)
{
    uint32_t items = level == ITEM ? 1 : count_items(cut->signal, level, field->content);
    if (cut->left == 0) {
        add_field(cut, &cut->rest, field);
    } else if (items <= cut->left) {
        add_field(cut, &cut->first, field);
        cut->left -= items;
    } else {
        uint32_t first = open_head(cut, &cut->first);
        uint32_t rest = open_head(cut, &cut->rest);
        cut_message(cut, level, field->content);
        close_head(cut, &cut->first, first, field->tag);
        close_head(cut, &cut->rest, rest, field->tag);
    }
}

/* The content of a message with more items than go to the first side. */
static void cut_message(struct cut *cut, enum level level, struct rope content)
{
    const uint8_t *data = level == METRIC ? find_data(content) : NULL;
    for (struct field field; !cut->failed && next_field(&content, &field);) {
        enum level child = child_of(cut->signal, level, field.tag);
        if (child == NO_CHILD) {
            add_field(cut, &cut->first, &field);
            add_field(cut, &cut->rest, &field);
        } else if (level != METRIC || field.head.data == data) {
            place(cut, child, &field);
        }
    }
    if (content.piece.len > 0) { // nobody can read it
        struct side *side = cut->left > 0 ? &cut->first : &cut->rest;
        flush(cut, side);
        add_piece(cut, side, &content.piece);
        for (uint32_t i = 0; i < content.more_count; i++) {
            add_piece(cut, side, &content.more[i]);
        }
    }
}

/* The content of a ResourceSpans or its like, which becomes one part on each side. */
static void cut_resource(struct cut *cut, struct rope content, uint32_t items)
{
    uint32_t front = cut->left;
    begin(cut, &cut->first);
    begin(cut, &cut->rest);
    cut_message(cut, RESOURCE, content);
    end(cut, &cut->first, front);
    end(cut, &cut->rest, items - front);
    cut->left = 0;
}

static void add_whole(
    struct cut *cut,
    struct side *to,
    struct sw_buf *buf,
    const uint8_t *at,
    const uint8_t *end,
    uint32_t items
)
{
    if (at < end && !cut->failed
        && sw_batch_add_raw(to->batch, buf, at, (uint32_t)(end - at), items) != SW_OK) {
        cut->failed = true;
    }
}

/* A level-0 part: whole resources up to the cut, the one that is cut, whole ones. */
static void cut_requests(struct cut *cut, const struct sw_piece *piece, uint32_t items)
{
    const uint8_t *end = piece->data + piece->len;
    struct rope request = {.piece = *piece};
    uint32_t whole_items = 0;
    for (struct field field; cut->left > 0 && next_field(&request, &field);) {
        if (field.tag != SW_OTLP_TAG_RESOURCES) {
            continue;
        }
        uint32_t count = count_items(cut->signal, RESOURCE, field.content);
        if (count <= cut->left) {
            cut->left -= count;
            whole_items += count;
            continue;
        }
        add_whole(cut, &cut->first, piece->buf, piece->data, field.head.data, whole_items);
        cut_resource(cut, field.content, count);
        add_whole(
            cut, &cut->rest, piece->buf, request.piece.data, end, items - whole_items - count
        );
        return;
    }
    // The cut falls between two resources, or (items in a place that nobody reads) behind all.
    const uint8_t *at = request.piece.data;
    if (at == end) {
        whole_items = items;
    }
    add_whole(cut, &cut->first, piece->buf, piece->data, at, whole_items);
    add_whole(cut, &cut->rest, piece->buf, at, end, items - whole_items);
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
    cut_resource(
        cut, (struct rope){pieces[0], pieces + 1, part->pieces_count - 1}, part->items_count
    );
}

static void copy_part(
    struct cut *cut,
    struct side *to,
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
    for (uint32_t i = 0; i < part->pieces_count; i++) {
        add_piece(cut, to, &pieces[i]);
    }
    end(cut, to, part->items_count);
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
    batch->client = old.client;
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
        .first = {.batch = sw_batch_new(batch->signal)},
        .rest = {.batch = sw_batch_new(batch->signal)},
        .account = account,
        .signal = batch->signal,
        .left = items,
    };
    cut.failed = cut.first.batch == NULL || cut.rest.batch == NULL;
    for (uint32_t i = 0; i < batch->parts_count && !cut.failed; i++) {
        const struct sw_part *part = &batch->parts[i];
        if (cut.left == 0) {
            copy_part(&cut, &cut.rest, batch, part);
        } else if (part->items_count <= cut.left) {
            copy_part(&cut, &cut.first, batch, part);
            cut.left -= part->items_count;
        } else {
            cut_part(&cut, batch, part);
            cut.left = 0;
        }
    }
    sw_buf_unref(cut.heads); // the pieces have references of their own
    struct sw_batch *first = cut.first.batch;
    if (cut.failed) {
        sw_batch_free(first);
        sw_batch_free(cut.rest.batch);
        return SW_E_NOMEM;
    }
    first->arrived_ns = batch->arrived_ns;
    first->branch = batch->branch;
    first->client = sw_client_ref(batch->client);
    replace(batch, cut.rest.batch);
    *ret_first = first;
    return SW_OK;
}
