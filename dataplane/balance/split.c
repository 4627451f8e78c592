/* A batch, cut into one batch for each backend. Spans and log records stay where they are: what is new
 * are the tags and lengths of scopes that are cut. What stands around the items goes to every
 * side that gets some. */
#include "dataplane/balance/balance_internal.h"
#include "dataplane/base/mem.h"
#include "dataplane/otlp/client.h"

#include <string.h>

#define HEAD_MAX   16u
#define HEADS_SIZE 4096u

/* Neighbouring fields of a scope that go to the same backend. */
struct run {
    struct sw_buf *buf;
    const uint8_t *data;
    uint32_t len;
    uint32_t items_count;
    uint32_t next; // index + 1
    bool own;      // holds a reference on buf
};

/* What one backend gets. */
struct slot {
    struct sw_batch *batch;
    uint32_t first_run; // of the scope at hand, index + 1
    uint32_t last_run;
    uint32_t part_items;
    bool in_scope;
    bool in_part; // of the resource at hand
};

/* Remembers where the traces of a scope go. */
struct memo {
    uint8_t id[SW_TRACE_ID_BYTES];
    uint32_t scope; // of which it is; others are stale
    uint32_t slot;
};

struct piece_list {
    struct sw_piece *items;
    uint32_t count;
    uint32_t capacity;
};

/* A point of a metric and where it goes. */
struct point {
    struct sw_bytes whole;
    uint32_t slot;
};

struct split {
    const struct balance *balance;
    struct sw_core *core;
    struct slot *slots;
    unsigned slots_count;
    unsigned slots_capacity;
    uint32_t *touched; // slots with something of the scope at hand
    unsigned touched_count;
    uint32_t *opened; // slots with a part of the resource at hand
    unsigned opened_count;
    unsigned taken; // by sw_split_take
    struct run *runs;
    uint32_t runs_count;
    uint32_t runs_capacity;
    struct piece_list around;       // the resource's fields but for its scopes
    struct piece_list around_scope; // the scope's but for its items
    struct memo *memos;
    uint32_t memos_size; // a power of two
    uint32_t scopes_count;
    struct point *points;
    uint32_t points_capacity;
    struct sw_buf *heads;
    struct key key;
    struct key scratch;
    struct key joined; // a resource that comes in several fields
    struct key joined_scope;
    /* ---- of the batch at hand ---- */
    const struct sw_batch *batch;
    split_route_fn *route;
    void *context;
    struct sw_bytes resource;
    unsigned resource_fragments;
    struct sw_bytes scope;
    uint64_t found;    // names that the resource or the scope has
    size_t level_size; // bytes of the key that they gave
    uint32_t lost;
    int err;
};

static void fail(struct split *split, int err)
{
    split->err = split->err != SW_OK ? split->err : err;
}

static bool grow(struct split *split, void *array, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity) {
        return true;
    }
    uint32_t wanted = SW_MAX(*capacity * 2, count + 32);
    void *larger = sw_realloc(*(void **)array, wanted * size);
    if (larger == NULL) {
        fail(split, SW_E_NOMEM);
        return false;
    }
    *(void **)array = larger;
    *capacity = wanted;
    return true;
}

/* ---- where to ---- */

static uint32_t route(struct split *split, const void *key, size_t size)
{
    uint32_t slot = split->route(split->context, key, size);
    if (slot == SPLIT_NOWHERE) {
        fail(split, SW_E_NOT_FOUND);
    }
    return slot;
}

static uint32_t route_key(struct split *split)
{
    if (split->key.failed) {
        fail(split, SW_E_NOMEM);
        return SPLIT_NOWHERE;
    }
    return route(split, split->key.data, split->key.size);
}

static bool find(struct sw_bytes message, uint32_t tag, const char *name, struct sw_any *ret_value)
{
    struct sw_bytes key = {(const uint8_t *)name, strlen(name)};
    return sw_attribute_find(message, tag, key, ret_value);
}

// A message that comes in several fields is what they give when joined.
static void join(struct key *key, struct sw_bytes bytes, uint32_t tag)
{
    struct sw_otlp_iter iter;
    struct sw_pb_field field;
    sw_otlp_iter_init(&iter, bytes, tag);
    while (sw_otlp_next(&iter, &field)) {
        sw_key_put(key, field.bytes.data, field.bytes.size);
    }
}

static struct sw_bytes joined(struct split *split, const struct key *key)
{
    if (key->failed) {
        fail(split, SW_E_NOMEM);
    }
    return (struct sw_bytes){key->data, key->size};
}

static const char *name_at(const struct split *split, size_t index)
{
    return SW_LIST_AT(split->balance->names, const char *, index);
}

static bool all_found(const struct split *split)
{
    size_t count = split->balance->names.count;
    return split->found == (count == 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1);
}

// Metrics and logs: the key is put together level by level, from the outside in.
static void look_into(struct split *split, struct sw_bytes message, uint32_t tag)
{
    for (size_t i = 0; i < split->balance->names.count; i++) {
        struct sw_any value;
        if ((split->found >> i & 1) == 0 && find(message, tag, name_at(split, i), &value)) {
            sw_key_put_named(&split->key, name_at(split, i), &value);
            split->found |= UINT64_C(1) << i;
        }
    }
}

static void put_missing(struct split *split)
{
    for (size_t i = 0; i < split->balance->names.count; i++) {
        if ((split->found >> i & 1) == 0) {
            sw_key_put_named(&split->key, name_at(split, i), NULL);
        }
    }
}

/* ---- giving ---- */

static struct sw_batch *batch_of(struct split *split, uint32_t index)
{
    struct slot *slot = &split->slots[index];
    if (slot->batch == NULL) {
        slot->batch = sw_batch_new(split->batch->signal);
        if (slot->batch == NULL) {
            fail(split, SW_E_NOMEM);
            return NULL;
        }
        slot->batch->arrived_ns = split->batch->arrived_ns;
        slot->batch->client = sw_client_ref(split->batch->client);
        slot->batch->branch = split->batch->branch;
    }
    return slot->batch;
}

static void add_piece(struct split *split, struct sw_batch *batch, const struct sw_piece *piece)
{
    if (split->err == SW_OK) {
        fail(split, sw_batch_add_piece(batch, piece->buf, piece->data, piece->len));
    }
}

// Opens the part of the resource at hand, with what stands around its scopes.
static struct sw_batch *open_part(struct split *split, uint32_t index)
{
    struct slot *slot = &split->slots[index];
    struct sw_batch *batch = batch_of(split, index);
    if (batch == NULL || slot->in_part) {
        return batch;
    }
    int err = sw_batch_begin_part(batch);
    if (err != SW_OK) {
        fail(split, err);
        return NULL;
    }
    slot->in_part = true;
    slot->part_items = 0;
    split->opened[split->opened_count++] = index;
    for (uint32_t i = 0; i < split->around.count; i++) {
        add_piece(split, batch, &split->around.items[i]);
    }
    return batch;
}

static void close_parts(struct split *split)
{
    for (unsigned i = 0; i < split->opened_count; i++) {
        struct slot *slot = &split->slots[split->opened[i]];
        sw_batch_end_part(slot->batch, slot->part_items);
        slot->in_part = false;
    }
    split->opened_count = 0;
}

// A whole ScopeSpans, ScopeMetrics, ScopeLogs.
static void give_scope(
    struct split *split,
    uint32_t index,
    struct sw_buf *buf,
    struct sw_bytes whole,
    uint32_t items_count
)
{
    struct sw_batch *batch = index != SPLIT_NOWHERE ? open_part(split, index) : NULL;
    struct sw_piece piece = {buf, whole.data, (uint32_t)whole.size};
    if (batch != NULL) {
        add_piece(split, batch, &piece);
        split->slots[index].part_items += items_count;
    }
}

// Something of the scope at hand.
static void give_run(
    struct split *split,
    uint32_t index,
    struct sw_buf *buf,
    struct sw_bytes whole,
    uint32_t items_count,
    bool own
)
{
    struct slot *slot = &split->slots[index];
    struct run *last = slot->in_scope ? &split->runs[slot->last_run - 1] : NULL;
    if (last != NULL && !own && !last->own && last->buf == buf
        && last->data + last->len == whole.data) {
        last->len += (uint32_t)whole.size;
        last->items_count += items_count;
        return;
    }
    if (!grow(split, &split->runs, split->runs_count, &split->runs_capacity, sizeof(struct run))) {
        if (own) {
            sw_buf_unref(buf);
        }
        return;
    }
    uint32_t number = ++split->runs_count;
    split->runs[number - 1] = (struct run){
        .buf = buf,
        .data = whole.data,
        .len = (uint32_t)whole.size,
        .items_count = items_count,
        .own = own,
    };
    if (slot->in_scope) {
        split->runs[slot->last_run - 1].next = number;
    } else {
        slot->in_scope = true;
        slot->first_run = number;
        split->touched[split->touched_count++] = index;
    }
    slot->last_run = number;
}

// Tag and length of a scope that was cut.
static bool make_head(struct split *split, uint64_t size, struct sw_piece *ret_piece)
{
    if (split->heads == NULL || split->heads->capacity - split->heads->size < HEAD_MAX) {
        sw_buf_unref(split->heads);
        split->heads = sw_buf_new(split->core->account, HEADS_SIZE);
        if (split->heads == NULL) {
            fail(split, SW_E_NOMEM);
            return false;
        }
    }
    uint8_t *at = split->heads->data + split->heads->size;
    uint8_t *end = sw_pb_put_head(at, SW_OTLP_TAG_SCOPES, size);
    *ret_piece = (struct sw_piece){split->heads, at, (uint32_t)(end - at)};
    split->heads->size += (uint32_t)(end - at);
    return true;
}

static void give_runs(struct split *split, uint32_t index)
{
    struct slot *slot = &split->slots[index];
    struct sw_batch *batch = open_part(split, index);
    struct sw_piece piece;
    uint64_t size = 0;
    for (uint32_t i = 0; i < split->around_scope.count; i++) {
        size += split->around_scope.items[i].len;
    }
    for (uint32_t at = slot->first_run; at != 0; at = split->runs[at - 1].next) {
        size += split->runs[at - 1].len;
    }
    if (batch == NULL || !make_head(split, size, &piece)) {
        return;
    }
    add_piece(split, batch, &piece);
    for (uint32_t i = 0; i < split->around_scope.count; i++) {
        add_piece(split, batch, &split->around_scope.items[i]);
    }
    for (uint32_t at = slot->first_run; at != 0; at = split->runs[at - 1].next) {
        const struct run *run = &split->runs[at - 1];
        piece = (struct sw_piece){run->buf, run->data, run->len};
        add_piece(split, batch, &piece);
        slot->part_items += run->items_count;
    }
}

static void drop_runs(struct split *split)
{
    for (uint32_t i = 0; i < split->runs_count; i++) {
        if (split->runs[i].own) {
            sw_buf_unref(split->runs[i].buf);
        }
    }
    split->runs_count = 0;
    for (unsigned i = 0; i < split->touched_count; i++) {
        split->slots[split->touched[i]].in_scope = false;
    }
    split->touched_count = 0;
}

/* ---- traces ---- */

// The attributes' key of the part that begins with this span.
static uint32_t route_span(struct split *split, struct sw_bytes span)
{
    static const char *const kinds[] = {
        "Unspecified", "Internal", "Server", "Client", "Producer", "Consumer"};
    struct sw_span_view view;
    bool seen = false;
    sw_key_clear(&split->key);
    for (size_t i = 0; i < split->balance->names.count; i++) {
        const char *name = name_at(split, i);
        struct sw_any value;
        bool found = find(split->resource, SW_RESOURCE_ATTRIBUTES, name, &value)
                     || find(split->scope, SW_SCOPE_ATTRIBUTES, name, &value);
        bool kind = strcmp(name, "span.kind") == 0;
        if (!found && (kind || strcmp(name, "span.name") == 0)) {
            seen = seen || sw_span_view_fill(&view, span);
            value = (struct sw_any){.type = SW_ANY_STRING, .bytes = {NULL, 0}};
            if (seen && kind) {
                const char *text = view.kind >= 0 && (unsigned)view.kind < SW_ARRAY_SIZE(kinds)
                                       ? kinds[view.kind]
                                       : "";
                value.bytes = (struct sw_bytes){(const uint8_t *)text, strlen(text)};
            } else if (seen) {
                value.bytes = view.name;
            }
            found = seen;
        }
        found = found || find(span, SW_SPAN_ATTRIBUTES, name, &value);
        sw_key_put_named(&split->key, name, found ? &value : NULL);
    }
    return route_key(split);
}

static bool size_memos(struct split *split, uint32_t items_count)
{
    uint32_t size = SW_MAX(split->memos_size, 64);
    while (size < 2 * items_count) {
        size *= 2;
    }
    if (size > split->memos_size) {
        sw_free(split->memos);
        split->memos = sw_zalloc(size * sizeof(split->memos[0]));
        split->memos_size = split->memos != NULL ? size : 0;
        split->scopes_count = 0;
        if (split->memos == NULL) {
            fail(split, SW_E_NOMEM);
            return false;
        }
    }
    if (++split->scopes_count == 0) { // once in four billion scopes all are forgotten
        memset(split->memos, 0, split->memos_size * sizeof(split->memos[0]));
        split->scopes_count = 1;
    }
    return true;
}

// All spans of a trace in a scope go where its first one goes.
static uint32_t route_trace(struct split *split, struct sw_bytes span)
{
    const uint8_t *id = sw_span_trace_id(span);
    uint64_t hash;
    memcpy(&hash, id + 8, sizeof(hash));
    uint32_t at = (uint32_t)((hash * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
    for (;; at++) {
        struct memo *memo = &split->memos[at & (split->memos_size - 1)];
        if (memo->scope != split->scopes_count) {
            memcpy(memo->id, id, sizeof(memo->id));
            memo->scope = split->scopes_count;
            memo->slot = route_span(split, span);
            return memo->slot;
        }
        if (memcmp(memo->id, id, sizeof(memo->id)) == 0) {
            return memo->slot;
        }
    }
}

/* ---- log records ---- */

static bool read_body(struct sw_bytes record, struct sw_any *ret_value)
{
    struct sw_otlp_iter iter;
    struct sw_pb_field field;
    bool whole = true;
    *ret_value = (struct sw_any){.type = SW_ANY_EMPTY};
    sw_otlp_iter_init(&iter, record, SW_LOG_TAG_BODY);
    while (whole && sw_otlp_next(&iter, &field)) {
        whole = sw_any_read(field.bytes, ret_value);
    }
    return whole;
}

static uint32_t route_record(struct split *split, struct sw_bytes record)
{
    static const char digits[] = "0123456789abcdef";
    struct sw_log_view view;
    bool seen = sw_log_view_fill(&view, record);
    if (split->balance->key == SW_ROUTE_TRACE_ID) {
        uint8_t id[SW_TRACE_ID_BYTES] = {0};
        static const uint8_t none[SW_TRACE_ID_BYTES];
        char text[2 * SW_TRACE_ID_BYTES];
        memcpy(id, seen ? view.trace_id : none, sizeof(id));
        if (memcmp(id, none, sizeof(id)) == 0) {
            uint64_t chance = sw_rand_u64(&split->core->rand);
            memcpy(id, &chance, 4);
        }
        for (unsigned i = 0; i < sizeof(id); i++) {
            text[2 * i] = digits[id[i] >> 4];
            text[2 * i + 1] = digits[id[i] & 15];
        }
        return route(split, text, sizeof(text));
    }
    uint64_t found = split->found;
    split->key.size = split->level_size;
    for (size_t i = 0; i < split->balance->names.count; i++) {
        const char *name = name_at(split, i);
        struct sw_any value = {.type = SW_ANY_STRING, .bytes = {NULL, 0}};
        bool here = false;
        if ((split->found >> i & 1) != 0) {
            continue;
        }
        if (strcmp(name, "log.severity") == 0) {
            value.bytes = view.severity_text;
            here = seen;
        } else if (strcmp(name, "log.body") == 0) {
            here = seen && read_body(record, &value);
        } else {
            here = find(record, SW_LOG_ATTRIBUTES, name, &value);
        }
        if (here) {
            sw_key_put_named(&split->key, name, &value);
            split->found |= UINT64_C(1) << i;
        }
    }
    put_missing(split);
    split->found = found;
    return route_key(split);
}

/* ---- metrics ---- */

static uint32_t count_points(const struct sw_metric_view *view)
{
    struct sw_otlp_iter iter;
    struct sw_pb_field point;
    uint32_t count = 0;
    sw_metric_points_init(&iter, view);
    while (sw_otlp_next(&iter, &point)) {
        count++;
    }
    return count;
}

static void add_scope_identity(struct split *split, struct identity *identity)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    struct sw_bytes name = {NULL, 0};
    struct sw_bytes version = {NULL, 0};
    sw_pb_reader_init(&reader, split->scope);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag == SW_PB_TAG(1, SW_PB_LEN)) {
            name = field.bytes;
        } else if (field.tag == SW_PB_TAG(2, SW_PB_LEN)) {
            version = field.bytes;
        }
    }
    sw_identity_add(identity, name.data, name.size);
    sw_identity_add(identity, version.data, version.size);
    fail(
        split,
        sw_identity_add_attributes(identity, &split->scratch, split->scope, SW_SCOPE_ATTRIBUTES)
    );
}

static void add_metric_identity(const struct sw_metric_view *view, struct identity *identity)
{
    uint8_t traits[3] = {(uint8_t)view->type, 0, 0};
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    bool histogram =
        view->type == SW_METRIC_HISTOGRAM || view->type == SW_METRIC_EXPONENTIAL_HISTOGRAM;
    traits[1] = histogram;
    sw_pb_reader_init(&reader, view->data.bytes);
    while ((histogram || view->type == SW_METRIC_SUM) && sw_pb_next(&reader, &field)) {
        if (field.tag == SW_PB_TAG(2, SW_PB_VARINT)) {
            traits[2] = (uint8_t)field.number;
        } else if (field.tag == SW_PB_TAG(3, SW_PB_VARINT) && !histogram) {
            traits[1] = field.number != 0;
        }
    }
    sw_identity_add(identity, view->name.data, view->name.size);
    sw_identity_add(identity, view->unit.data, view->unit.size);
    sw_identity_add(identity, traits, sizeof(traits));
}

static uint32_t route_point(
    struct split *split,
    const struct sw_metric_view *view,
    const struct identity *metric,
    struct sw_bytes point
)
{
    uint32_t tag = sw_metric_attributes_tag(view->type);
    if (split->balance->key == SW_ROUTE_STREAM_ID) {
        struct identity identity = *metric;
        fail(split, sw_identity_add_attributes(&identity, &split->scratch, point, tag));
        sw_key_set_identity(&split->key, "stream/", &identity);
        return route_key(split);
    }
    uint64_t found = split->found;
    split->key.size = split->level_size;
    look_into(split, point, tag);
    put_missing(split);
    split->found = found;
    return route_key(split);
}

/* Writes the metric anew with the points of one backend. */
static void give_points(
    struct split *split,
    const struct sw_metric_view *view,
    struct sw_bytes metric,
    uint32_t points_count,
    uint32_t index
)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    uint64_t data_size = 0;
    uint64_t size = 0;
    uint32_t items_count = 0;
    sw_pb_reader_init(&reader, view->data.bytes);
    while (sw_pb_next(&reader, &field)) {
        data_size += field.tag != SW_METRIC_TAG_POINTS ? field.whole.size : 0;
    }
    for (uint32_t i = 0; i < points_count; i++) {
        if (split->points[i].slot == index) {
            data_size += split->points[i].whole.size;
            items_count++;
        }
    }
    sw_pb_reader_init(&reader, metric);
    while (sw_pb_next(&reader, &field)) {
        size += sw_metric_type_of_tag(field.tag) == SW_METRIC_EMPTY ? field.whole.size : 0;
    }
    size += sw_pb_len_size(view->data.tag, data_size);
    uint64_t whole_size = sw_pb_len_size(SW_OTLP_TAG_ITEMS, size);
    struct sw_buf *buf =
        whole_size <= UINT32_MAX ? sw_buf_new(split->core->account, (uint32_t)whole_size) : NULL;
    if (buf == NULL) {
        fail(split, SW_E_NOMEM);
        return;
    }
    uint8_t *out = sw_pb_put_head(buf->data, SW_OTLP_TAG_ITEMS, size);
    sw_pb_reader_init(&reader, metric);
    while (sw_pb_next(&reader, &field)) {
        if (sw_metric_type_of_tag(field.tag) == SW_METRIC_EMPTY) {
            out = (uint8_t *)mempcpy(out, field.whole.data, field.whole.size);
        }
    }
    out = sw_pb_put_head(out, view->data.tag, data_size);
    sw_pb_reader_init(&reader, view->data.bytes);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag != SW_METRIC_TAG_POINTS) {
            out = (uint8_t *)mempcpy(out, field.whole.data, field.whole.size);
        }
    }
    for (uint32_t i = 0; i < points_count; i++) {
        if (split->points[i].slot == index) {
            out = (uint8_t *)mempcpy(out, split->points[i].whole.data, split->points[i].whole.size);
        }
    }
    buf->size = (uint32_t)(out - buf->data);
    SW_ASSERT(buf->size == whole_size);
    give_run(split, index, buf, (struct sw_bytes){buf->data, buf->size}, items_count, true);
}

// The metric's points go where their own keys say.
static void cut_metric(
    struct split *split,
    const struct sw_metric_view *view,
    const struct identity *scope,
    struct sw_buf *buf,
    const struct sw_pb_field *metric
)
{
    struct identity identity = *scope;
    struct sw_otlp_iter iter;
    struct sw_pb_field point;
    uint32_t count = 0;
    bool same = true;
    add_metric_identity(view, &identity);
    sw_metric_points_init(&iter, view);
    while (split->err == SW_OK && sw_otlp_next(&iter, &point)) {
        if (!grow(split, &split->points, count, &split->points_capacity, sizeof(struct point))) {
            return;
        }
        uint32_t slot = route_point(split, view, &identity, point.bytes);
        split->points[count++] = (struct point){point.whole, slot};
        same = same && slot == split->points[0].slot;
    }
    if (split->err != SW_OK || count == 0) {
        return;
    }
    if (same) {
        give_run(split, split->points[0].slot, buf, metric->whole, count, false);
        return;
    }
    for (uint32_t i = 0; split->err == SW_OK && i < count; i++) {
        uint32_t slot = split->points[i].slot;
        bool done = false;
        for (uint32_t k = 0; k < i && !done; k++) {
            done = split->points[k].slot == slot;
        }
        if (!done) {
            give_points(split, view, metric->bytes, count, slot);
        }
    }
}

static void walk_metric(
    struct split *split,
    const struct identity *scope,
    struct sw_buf *buf,
    const struct sw_pb_field *item
)
{
    struct sw_metric_view view;
    if (!sw_metric_view_fill(&view, item->bytes)) {
        fail(split, SW_E_MALFORMED);
        return;
    }
    if (split->balance->key == SW_ROUTE_METRIC) {
        uint32_t slot = route(split, view.name.data, view.name.size);
        if (slot != SPLIT_NOWHERE) {
            give_run(split, slot, buf, item->whole, count_points(&view), false);
        }
        return;
    }
    if (view.type != SW_METRIC_EMPTY) {
        cut_metric(split, &view, scope, buf, item);
    }
}

/* ---- scopes and resources ---- */

static uint32_t count_items(const struct split *split, struct sw_bytes scope)
{
    struct sw_otlp_iter iter;
    struct sw_pb_field item;
    uint32_t count = 0;
    sw_otlp_items_init(&iter, scope);
    while (sw_otlp_next(&iter, &item)) {
        struct sw_metric_view view;
        if (split->batch->signal != SW_METRICS) {
            count++;
        } else if (sw_metric_view_fill(&view, item.bytes)) {
            count += count_points(&view);
        }
    }
    return count;
}

static void
add_around(struct split *split, struct piece_list *list, struct sw_buf *buf, struct sw_bytes whole)
{
    struct sw_piece *last = list->count > 0 ? &list->items[list->count - 1] : NULL;
    if (last != NULL && last->buf == buf && last->data + last->len == whole.data) {
        last->len += (uint32_t)whole.size;
    } else if (grow(split, &list->items, list->count, &list->capacity, sizeof(struct sw_piece))) {
        list->items[list->count++] = (struct sw_piece){buf, whole.data, (uint32_t)whole.size};
    }
}

static void walk_items(struct split *split, struct sw_buf *buf, const struct sw_pb_field *scope)
{
    struct identity identity;
    struct sw_pb_reader reader;
    struct sw_pb_field item;
    bool traces = split->batch->signal == SW_TRACES;
    bool by_id = traces && split->balance->key == SW_ROUTE_TRACE_ID;
    if (split->balance->key == SW_ROUTE_STREAM_ID) {
        sw_identity_begin(&identity);
        fail(
            split,
            sw_identity_add_attributes(
                &identity, &split->scratch, split->resource, SW_RESOURCE_ATTRIBUTES
            )
        );
        add_scope_identity(split, &identity);
    } else if (traces && !by_id && !size_memos(split, count_items(split, scope->bytes))) {
        return;
    }
    sw_pb_reader_init(&reader, scope->bytes);
    while (split->err == SW_OK && sw_pb_next(&reader, &item)) {
        uint32_t slot;
        if (item.tag != SW_OTLP_TAG_ITEMS) {
            continue;
        }
        if (split->batch->signal == SW_METRICS) {
            walk_metric(split, &identity, buf, &item);
            continue;
        }
        if (by_id) {
            slot = route(split, sw_span_trace_id(item.bytes), SW_TRACE_ID_BYTES);
        } else {
            slot = traces ? route_trace(split, item.bytes) : route_record(split, item.bytes);
        }
        if (slot != SPLIT_NOWHERE) {
            give_run(split, slot, buf, item.whole, 1, false);
        }
    }
}

// The scope as it is, where all of it goes to one backend.
static bool is_whole(const struct split *split)
{
    if (split->touched_count != 1) {
        return false;
    }
    const struct slot *slot = &split->slots[split->touched[0]];
    return slot->first_run == slot->last_run && !split->runs[slot->first_run - 1].own;
}

static void walk_scope(struct split *split, struct sw_buf *buf, const struct sw_pb_field *scope)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    uint64_t found = split->found;
    size_t key_size = split->key.size;
    bool only_items = true;
    unsigned fragments = 0;
    split->around_scope.count = 0;
    split->scope = (struct sw_bytes){NULL, 0};
    sw_pb_reader_init(&reader, scope->bytes);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag != SW_OTLP_TAG_ITEMS) {
            add_around(split, &split->around_scope, buf, field.whole);
        }
        if (field.tag == SW_OTLP_TAG_SCOPE) {
            split->scope = field.bytes;
            fragments++;
        }
    }
    if (fragments > 1) {
        sw_key_clear(&split->joined_scope);
        join(&split->joined_scope, scope->bytes, SW_OTLP_TAG_SCOPE);
        split->scope = joined(split, &split->joined_scope);
    }
    bool levels = split->batch->signal != SW_TRACES && split->balance->key == SW_ROUTE_ATTRIBUTES;
    if (levels) {
        look_into(split, split->scope, SW_SCOPE_ATTRIBUTES);
        split->level_size = split->key.size;
    }
    if (levels && all_found(split)) {
        give_scope(split, route_key(split), buf, scope->whole, count_items(split, scope->bytes));
    } else {
        walk_items(split, buf, scope);
        only_items = is_whole(split);
        if (split->err == SW_OK && only_items && !levels
            && split->balance->key != SW_ROUTE_STREAM_ID && split->runs[0].items_count > 0) {
            give_scope(split, split->touched[0], buf, scope->whole, split->runs[0].items_count);
        } else {
            for (unsigned i = 0; split->err == SW_OK && i < split->touched_count; i++) {
                give_runs(split, split->touched[i]);
            }
        }
        drop_runs(split);
    }
    split->found = found;
    split->key.size = key_size;
}

/* The fields of one resource, in one or several ranges. */
struct fields {
    const struct sw_piece *pieces;
    uint32_t count;
};

// What stands around the scopes. @return false: a scope lies in several pieces
static bool read_around(struct split *split, const struct fields *fields)
{
    split->around.count = 0;
    split->resource = (struct sw_bytes){NULL, 0};
    split->resource_fragments = 0;
    for (uint32_t i = 0; i < fields->count; i++) {
        const struct sw_piece *piece = &fields->pieces[i];
        struct sw_pb_reader reader;
        struct sw_pb_field field;
        sw_pb_reader_init(&reader, (struct sw_bytes){piece->data, piece->len});
        while (sw_pb_next(&reader, &field)) {
            if (field.tag == SW_OTLP_TAG_SCOPES) {
                continue;
            }
            add_around(split, &split->around, piece->buf, field.whole);
            if (field.tag == SW_OTLP_TAG_RESOURCE) {
                split->resource = field.bytes;
                split->resource_fragments++;
            }
        }
        if (sw_pb_status(&reader) != SW_OK) {
            return false;
        }
    }
    return true;
}

static void join_resource(struct split *split, const struct fields *fields)
{
    if (split->resource_fragments <= 1) {
        return;
    }
    sw_key_clear(&split->joined);
    for (uint32_t i = 0; i < fields->count; i++) {
        struct sw_bytes bytes = {fields->pieces[i].data, fields->pieces[i].len};
        join(&split->joined, bytes, SW_OTLP_TAG_RESOURCE);
    }
    split->resource = joined(split, &split->joined);
}

static uint32_t count_resource(const struct split *split, const struct fields *fields)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < fields->count; i++) {
        struct sw_otlp_iter iter;
        struct sw_pb_field scope;
        sw_otlp_scopes_init(
            &iter, (struct sw_bytes){fields->pieces[i].data, fields->pieces[i].len}
        );
        while (sw_otlp_next(&iter, &scope)) {
            count += count_items(split, scope.bytes);
        }
    }
    return count;
}

static void give_resource(struct split *split, uint32_t index, const struct fields *fields)
{
    struct sw_batch *batch = index != SPLIT_NOWHERE ? batch_of(split, index) : NULL;
    if (batch == NULL) {
        return;
    }
    fail(split, sw_batch_begin_part(batch));
    for (uint32_t i = 0; i < fields->count; i++) {
        add_piece(split, batch, &fields->pieces[i]);
    }
    if (split->err == SW_OK) {
        sw_batch_end_part(batch, count_resource(split, fields));
    }
}

/* Routed by the resource alone? @return true: done with it */
static bool route_resource(struct split *split, const struct fields *fields)
{
    const struct balance *balance = split->balance;
    struct identity identity;
    struct sw_any value;
    sw_key_clear(&split->key);
    split->found = 0;
    if (split->batch->signal == SW_TRACES) {
        return false;
    }
    switch (balance->key) {
    case SW_ROUTE_SERVICE:
        if (find(split->resource, SW_RESOURCE_ATTRIBUTES, "service.name", &value)) {
            if (sw_value_text_set(&split->key.text, &value) != SW_OK) {
                fail(split, SW_E_NOMEM);
            }
            sw_key_put(&split->key, split->key.text.data, split->key.text.size);
        } else if (split->batch->signal == SW_METRICS) {
            split->lost += count_resource(split, fields);
            return true;
        }
        break;
    case SW_ROUTE_RESOURCE:
        sw_identity_begin(&identity);
        fail(
            split,
            sw_identity_add_attributes(
                &identity, &split->scratch, split->resource, SW_RESOURCE_ATTRIBUTES
            )
        );
        sw_key_set_identity(&split->key, "resource/", &identity);
        break;
    case SW_ROUTE_ATTRIBUTES:
        look_into(split, split->resource, SW_RESOURCE_ATTRIBUTES);
        if (!all_found(split)) {
            return false;
        }
        break;
    default:
        return false;
    }
    give_resource(split, route_key(split), fields);
    return true;
}

static void walk_resource(struct split *split, const struct fields *fields)
{
    join_resource(split, fields);
    if (split->err != SW_OK || route_resource(split, fields)) {
        return;
    }
    for (uint32_t i = 0; split->err == SW_OK && i < fields->count; i++) {
        const struct sw_piece *piece = &fields->pieces[i];
        struct sw_otlp_iter iter;
        struct sw_pb_field scope;
        sw_otlp_scopes_init(&iter, (struct sw_bytes){piece->data, piece->len});
        while (split->err == SW_OK && sw_otlp_next(&iter, &scope)) {
            walk_scope(split, piece->buf, &scope);
        }
    }
    close_parts(split);
}

// Whole ResourceSpans in a range.
static void walk_raw(struct split *split, const struct sw_piece *piece)
{
    struct sw_otlp_iter iter;
    struct sw_pb_field field;
    sw_otlp_resources_init(&iter, (struct sw_bytes){piece->data, piece->len});
    while (split->err == SW_OK && sw_otlp_next(&iter, &field)) {
        struct sw_piece content = {piece->buf, field.bytes.data, (uint32_t)field.bytes.size};
        struct fields fields = {&content, 1};
        if (!read_around(split, &fields)) {
            fail(split, SW_E_MALFORMED);
        }
        walk_resource(split, &fields);
    }
}

// A part whose scopes were cut before lies in pieces that are no whole fields: it is copied first.
static void walk_copy(struct split *split, const struct sw_part *part)
{
    struct sw_buf *buf = sw_buf_new(split->core->account, part->bytes + part->head_len);
    if (buf == NULL) {
        fail(split, SW_E_NOMEM);
        return;
    }
    uint8_t *out = (uint8_t *)mempcpy(buf->data, part->head, part->head_len);
    for (uint32_t i = 0; i < part->pieces_count; i++) {
        const struct sw_piece *piece = &split->batch->pieces[part->first_piece + i];
        out = (uint8_t *)mempcpy(out, piece->data, piece->len);
    }
    buf->size = (uint32_t)(out - buf->data);
    struct sw_piece whole = {buf, buf->data, buf->size};
    walk_raw(split, &whole);
    sw_buf_unref(buf);
}

static void walk_part(struct split *split, const struct sw_part *part)
{
    struct fields fields = {&split->batch->pieces[part->first_piece], part->pieces_count};
    if (part->level == 0) {
        for (uint32_t i = 0; i < fields.count; i++) {
            walk_raw(split, &fields.pieces[i]);
        }
    } else if (read_around(split, &fields)) {
        walk_resource(split, &fields);
    } else {
        walk_copy(split, part);
    }
}

/* ---- the whole ---- */

static int size_slots(struct split *split, unsigned count)
{
    if (count <= split->slots_capacity) {
        return SW_OK;
    }
    unsigned wanted = SW_MAX(count, 8);
    struct slot *slots = sw_zalloc(wanted * sizeof(*slots));
    uint32_t *touched = sw_zalloc(wanted * sizeof(*touched));
    uint32_t *opened = sw_zalloc(wanted * sizeof(*opened));
    if (slots == NULL || touched == NULL || opened == NULL) {
        sw_free(slots);
        sw_free(touched);
        sw_free(opened);
        return SW_E_NOMEM;
    }
    sw_free(split->slots);
    sw_free(split->touched);
    sw_free(split->opened);
    split->slots = slots;
    split->touched = touched;
    split->opened = opened;
    split->slots_capacity = wanted;
    return SW_OK;
}

int sw_split_batch(
    struct split *split,
    const struct sw_batch *batch,
    unsigned slots_count,
    split_route_fn *route_fn,
    void *context,
    uint32_t *ret_lost
)
{
    int err = size_slots(split, slots_count);
    if (err != SW_OK) {
        split->slots_count = 0;
        return err;
    }
    split->slots_count = slots_count;
    split->taken = 0;
    split->batch = batch;
    split->route = route_fn;
    split->context = context;
    split->lost = 0;
    split->err = SW_OK;
    for (uint32_t i = 0; split->err == SW_OK && i < batch->parts_count; i++) {
        walk_part(split, &batch->parts[i]);
    }
    sw_buf_unref(split->heads); // the pieces hold it
    split->heads = NULL;
    *ret_lost = split->lost;
    return split->err;
}

struct sw_batch *sw_split_take(struct split *split, unsigned *ret_slot)
{
    while (split->taken < split->slots_count) {
        unsigned at = split->taken++;
        struct sw_batch *batch = split->slots[at].batch;
        split->slots[at] = (struct slot){.batch = NULL};
        if (batch != NULL) {
            *ret_slot = at;
            return batch;
        }
    }
    return NULL;
}

int sw_split_new(const struct balance *balance, struct sw_core *core, struct split **ret_split)
{
    struct split *split = sw_zalloc(sizeof(*split));
    if (split == NULL) {
        return SW_E_NOMEM;
    }
    split->balance = balance;
    split->core = core;
    *ret_split = split;
    return SW_OK;
}

void sw_split_free(struct split *split)
{
    if (split == NULL) {
        return;
    }
    sw_free(split->slots);
    sw_free(split->touched);
    sw_free(split->opened);
    sw_free(split->runs);
    sw_free(split->around.items);
    sw_free(split->around_scope.items);
    sw_free(split->memos);
    sw_free(split->points);
    sw_key_fini(&split->key);
    sw_key_fini(&split->scratch);
    sw_key_fini(&split->joined);
    sw_key_fini(&split->joined_scope);
    sw_free(split);
}
