#include "dataplane/route/shard.h"

#include "dataplane/base/mem.h"

// A slice must stay well below 1 ms also where spans are large.
#define BLOCK_BYTES (512u * 1024)
#define STAMP_BITS  26
#define STAMP_MASK  ((1u << STAMP_BITS) - 1)
// Fields that are only hopped over, per slice.
#define EFFORT_MAX 8192u

_Static_assert(SW_CORES_MAX <= 1u << (32 - STAMP_BITS), "the core stands above the stamp's count");

struct sw_shard_gathered {
    struct sw_shard_gathered *next;
    uint8_t data[];
};

void sw_shard_key_init(struct sw_shard_key *key, struct sw_rand *rand)
{
    for (unsigned i = 0; i < SW_ARRAY_SIZE(key->word); i++) {
        key->word[i] = sw_rand_u64(rand);
    }
}

static struct sw_bytes piece_bytes(const struct sw_piece *piece)
{
    return (struct sw_bytes){piece->data, piece->len};
}

bool sw_shard_walkable(const struct sw_batch *batch)
{
    for (uint32_t i = 0; i < batch->parts_count; i++) {
        const struct sw_part *part = &batch->parts[i];
        if (part->level == 0 && part->pieces_count > 1) {
            return false;
        }
        for (uint32_t k = 0; part->level == 1 && k < part->pieces_count; k++) {
            struct sw_pb_reader reader;
            struct sw_pb_field field;
            sw_pb_reader_init(&reader, piece_bytes(&batch->pieces[part->first_piece + k]));
            while (sw_pb_next(&reader, &field)) {
            }
            if (sw_pb_status(&reader) != SW_OK) {
                return false;
            }
        }
    }
    return true;
}

void sw_shard_walk_init(
    struct sw_shard_walk *walk,
    const struct sw_batch *batch,
    const struct sw_shard_key *key,
    struct sw_core *core,
    uint32_t *stamp
)
{
    *walk = (struct sw_shard_walk){.batch = batch, .key = key, .core = core, .stamp = stamp};
}

void sw_shard_walk_fini(struct sw_shard_walk *walk)
{
    while (walk->gathered != NULL) {
        struct sw_shard_gathered *next = walk->gathered->next;
        sw_free(walk->gathered);
        walk->gathered = next;
    }
}

/* ---- what stands around the children of a message ---- */

static bool surrounds(const struct sw_pb_field *field)
{
    return field->tag != SW_OTLP_TAG_SCOPES && field->tag != SW_OTLP_TAG_SCHEMA;
}
_Static_assert(
    SW_OTLP_TAG_SCOPES == SW_OTLP_TAG_ITEMS,
    "children have the same tag in ResourceSpans and ScopeSpans"
);

static void look_begin(struct sw_shard_look *look, const struct sw_piece *pieces, uint32_t count)
{
    *look = (struct sw_shard_look){.pieces = pieces, .pieces_count = count, .active = true};
    sw_pb_reader_init(&look->reader, piece_bytes(&pieces[0]));
}

static void look_at(struct sw_shard_look *look, const struct sw_pb_field *field)
{
    if (look->gathered != NULL) {
        memcpy(look->out, field->whole.data, field->whole.size);
        look->out += field->whole.size;
        return;
    }
    if (field->whole.data != look->behind) {
        look->ranges_count++;
    }
    if (look->ranges_count == 1) {
        look->first.data = look->size == 0 ? field->whole.data : look->first.data;
        look->first.size += field->whole.size;
    }
    look->size += field->whole.size;
    look->behind = field->whole.data + field->whole.size;
}

// @return false when the effort is used up before the end
static bool look_through(struct sw_shard_look *look, uint32_t *effort)
{
    struct sw_pb_field field;
    for (;;) {
        while (*effort > 0 && sw_pb_next(&look->reader, &field)) {
            --*effort;
            if (surrounds(&field)) {
                look_at(look, &field);
            }
        }
        if (*effort == 0) {
            return false;
        }
        if (++look->piece >= look->pieces_count) {
            return true;
        }
        sw_pb_reader_init(&look->reader, piece_bytes(&look->pieces[look->piece]));
        look->behind = NULL;
    }
}

/* One range is referred to; several are copied together in a second pass. look->active false:
 * *ret_bytes is there. */
static int look_on(struct sw_shard_walk *walk, uint32_t *effort, struct sw_bytes *ret_bytes)
{
    struct sw_shard_look *look = &walk->look;
    if (look->piece < look->pieces_count && !look_through(look, effort)) {
        return SW_OK;
    }
    if (look->gathered != NULL) {
        *ret_bytes = (struct sw_bytes){look->gathered->data, look->size};
    } else if (look->ranges_count <= 1) {
        *ret_bytes = look->first;
    } else {
        struct sw_shard_gathered *gathered = sw_alloc(sizeof(*gathered) + look->size);
        if (gathered == NULL) {
            return SW_E_NOMEM;
        }
        gathered->next = walk->gathered;
        walk->gathered = gathered;
        look->gathered = gathered;
        look->out = gathered->data;
        look->piece = 0;
        sw_pb_reader_init(&look->reader, piece_bytes(&look->pieces[0]));
        return SW_OK;
    }
    look->active = false;
    return SW_OK;
}

/* ---- the walk ---- */

static uint32_t next_stamp(struct sw_shard_walk *walk)
{
    *walk->stamp = (*walk->stamp + 1) & STAMP_MASK;
    if (*walk->stamp == 0) {
        *walk->stamp = 1; // 0 means none
    }
    return (uint32_t)walk->core->index << STAMP_BITS | *walk->stamp;
}

static void
begin_resource(struct sw_shard_walk *walk, const struct sw_piece *pieces, uint32_t pieces_count)
{
    walk->pieces = pieces;
    walk->pieces_count = pieces_count;
    walk->piece = 0;
    walk->around.group_stamp = 0; // the first scope's
    walk->in_resource = true;
    sw_otlp_scopes_init(&walk->scopes, piece_bytes(&pieces[0]));
    look_begin(&walk->look, pieces, pieces_count);
}

// The next ResourceSpans; after the last of the last part walk->done.
static void next_resource(struct sw_shard_walk *walk)
{
    const struct sw_batch *batch = walk->batch;
    struct sw_pb_field field;
    if (walk->in_requests) {
        if (sw_otlp_next(&walk->resources, &field)) {
            walk->message = (struct sw_piece){NULL, field.bytes.data, (uint32_t)field.bytes.size};
            begin_resource(walk, &walk->message, 1);
        } else {
            walk->in_requests = false;
        }
        return;
    }
    if (walk->parts_done == batch->parts_count) {
        walk->done = true;
        return;
    }
    const struct sw_part *part = &batch->parts[walk->parts_done++];
    const struct sw_piece *pieces = &batch->pieces[part->first_piece];
    if (part->pieces_count > 0 && part->level == 1) {
        begin_resource(walk, pieces, part->pieces_count);
    } else if (part->pieces_count > 0) {
        sw_otlp_resources_init(&walk->resources, piece_bytes(&pieces[0]));
        walk->in_requests = true;
    }
}

// The next ScopeSpans of this ResourceSpans.
static void next_scope(struct sw_shard_walk *walk)
{
    struct sw_pb_field field;
    if (sw_otlp_next(&walk->scopes, &field)) {
        walk->around.stamp = next_stamp(walk);
        if (walk->around.group_stamp == 0) {
            walk->around.group_stamp = walk->around.stamp;
        }
        walk->in_scope = true;
        sw_otlp_items_init(&walk->spans, field.bytes);
        walk->scope_message = (struct sw_piece){NULL, field.bytes.data, (uint32_t)field.bytes.size};
        look_begin(&walk->look, &walk->scope_message, 1);
    } else if (++walk->piece < walk->pieces_count) {
        sw_otlp_scopes_init(&walk->scopes, piece_bytes(&walk->pieces[walk->piece]));
    } else {
        walk->in_resource = false;
    }
}

static void
put_span(struct sw_shard_walk *walk, struct sw_shard_block *block, const struct sw_pb_field *field)
{
    struct sw_span_view view;
    struct sw_shard_span *span = &block->spans[block->spans_count++];
    (void)sw_span_view_fill(&view, field->bytes); // validated, and safe if not
    memcpy(span->trace_id, view.trace_id, sizeof(span->trace_id));
    uint64_t hash = sw_shard_hash(walk->key, view.trace_id);
    span->start_ns = view.start_ns;
    span->end_ns = view.end_ns;
    span->field = field->whole.data;
    span->field_size = (uint32_t)field->whole.size;
    span->hash = (uint32_t)hash;
    span->status_code = view.status_code;
    span->scope = (uint16_t)(block->scopes_count - 1);
    span->owner = (uint8_t)sw_shard_owner(walk->key, span->trace_id, hash, walk->core->cores_count);
    span->is_root = view.is_root;
}

// Spans of the scope that the walk is in, as many as fit.
static void take_spans(struct sw_shard_walk *walk, struct sw_shard_block *block, uint32_t *bytes)
{
    struct sw_pb_field field;
    bool scope_put = false;
    while (block->spans_count < SW_SHARD_SPANS_MAX && *bytes < BLOCK_BYTES) {
        if (!sw_otlp_next(&walk->spans, &field)) {
            walk->in_scope = false;
            return;
        }
        if (!scope_put) {
            block->scopes[block->scopes_count++] = walk->around;
            scope_put = true;
        }
        put_span(walk, block, &field);
        *bytes += (uint32_t)field.whole.size;
    }
}

static void sort_by_owner(struct sw_shard_block *block, unsigned cores_count)
{
    uint32_t *first = block->owner_first;
    memset(first, 0, sizeof(block->owner_first));
    if (cores_count == 1) {
        first[1] = block->spans_count;
        for (uint32_t i = 0; i < block->spans_count; i++) {
            block->order[i] = (uint16_t)i;
        }
        return;
    }
    uint32_t at[SW_CORES_MAX];
    for (uint32_t i = 0; i < block->spans_count; i++) {
        first[block->spans[i].owner + 1]++;
    }
    for (unsigned core = 0; core < cores_count; core++) {
        at[core] = first[core];
        first[core + 1] += first[core];
    }
    for (uint32_t i = 0; i < block->spans_count; i++) {
        block->order[at[block->spans[i].owner]++] = (uint16_t)i;
    }
}

int sw_shard_walk_next(struct sw_shard_walk *walk, struct sw_shard_block *block)
{
    uint32_t effort = EFFORT_MAX;
    uint32_t bytes = 0;
    int err = SW_OK;
    block->spans_count = 0;
    block->scopes_count = 0;
    while (!walk->done && err == SW_OK && effort > 0 && bytes < BLOCK_BYTES
           && block->spans_count < SW_SHARD_SPANS_MAX) {
        effort--;
        if (walk->look.active) {
            struct sw_shard_scope *around = &walk->around;
            err = look_on(walk, &effort, walk->in_scope ? &around->scope : &around->resource);
        } else if (walk->in_scope) {
            take_spans(walk, block, &bytes);
        } else if (walk->in_resource) {
            next_scope(walk);
        } else {
            next_resource(walk);
        }
    }
    walk->walked_count += block->spans_count;
    sort_by_owner(block, walk->core->cores_count);
    return err;
}
