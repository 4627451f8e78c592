#include "dataplane/send/debug_text.h"

#include "dataplane/send/debug_internal.h"

#define SCOPE_NAME     SW_PB_TAG(1, SW_PB_LEN)
#define SCOPE_VERSION  SW_PB_TAG(2, SW_PB_LEN)
#define ENTITY_REFS    SW_PB_TAG(3, SW_PB_LEN)
#define ENTITY_SCHEMA  SW_PB_TAG(1, SW_PB_LEN)
#define ENTITY_TYPE    SW_PB_TAG(2, SW_PB_LEN)
#define ENTITY_ID_KEYS SW_PB_TAG(3, SW_PB_LEN)
#define ENTITY_KEYS    SW_PB_TAG(4, SW_PB_LEN)

/** How the Collector calls the levels. */
struct words {
    const char *resource_detailed;
    const char *resource_line;
    const char *scope_detailed;
    const char *scope_line;
};

static const struct words words[SW_SIGNALS_COUNT] = {
    [SW_TRACES] = {"ResourceSpans", "ResourceTraces", "ScopeSpans", "ScopeTraces"},
    [SW_METRICS] = {"ResourceMetrics", "ResourceMetrics", "ScopeMetrics", "ScopeMetrics"},
    [SW_LOGS] = {"ResourceLog", "ResourceLog", "ScopeLogs", "ScopeLog"},
};

static struct sw_bytes bytes_of(const struct sw_piece *piece)
{
    return (struct sw_bytes){piece->data, piece->len};
}

// Of a message that may come in several fields of one tag, in several pieces.
static void put_attributes_within(
    struct debug_out *out,
    const struct debug_style *style,
    const struct sw_piece *pieces,
    uint32_t pieces_count,
    uint32_t message_tag,
    uint32_t tag
)
{
    uint32_t shown = 0;
    for (uint32_t i = 0; i < pieces_count; i++) {
        struct sw_otlp_iter iter;
        struct sw_pb_field field;
        sw_otlp_iter_init(&iter, bytes_of(&pieces[i]), message_tag);
        while (!out->cut && sw_otlp_next(&iter, &field)) {
            shown = sw_debug_attributes(out, style, field.bytes, tag, shown);
        }
    }
}

/* ---- resources ---- */

static void
put_keys(struct debug_out *out, struct sw_bytes entity, uint32_t tag, const char *header)
{
    struct sw_otlp_iter iter;
    struct sw_pb_field field;
    bool any = false;
    sw_otlp_iter_init(&iter, entity, tag);
    while (!out->cut && sw_otlp_next(&iter, &field)) {
        if (!any) {
            sw_debug_printf(out, "          -> %s:\n", header);
        }
        any = true;
        sw_debug_put_text(out, "               -> ");
        sw_debug_put_bytes(out, field.bytes);
        sw_debug_put(out, "\n", 1);
    }
}

static void put_entity(struct debug_out *out, struct sw_bytes entity, uint32_t number)
{
    struct sw_bytes type = {NULL, 0};
    struct sw_bytes schema = {NULL, 0};
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, entity);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag == ENTITY_TYPE) {
            type = field.bytes;
        } else if (field.tag == ENTITY_SCHEMA) {
            schema = field.bytes;
        }
    }
    if (number == 0) {
        sw_debug_put_text(out, "Resource entity refs:\n");
    }
    sw_debug_printf(out, "     -> Entity ref #%u:\n          -> Type: ", number);
    sw_debug_put_bytes(out, type);
    sw_debug_put(out, "\n", 1);
    if (schema.size > 0) {
        sw_debug_put_text(out, "          -> Schema URL: ");
        sw_debug_put_bytes(out, schema);
        sw_debug_put(out, "\n", 1);
    }
    put_keys(out, entity, ENTITY_ID_KEYS, "ID keys");
    put_keys(out, entity, ENTITY_KEYS, "Description keys");
}

static void put_entities(struct debug_out *out, const struct sw_debug_text *text)
{
    uint32_t number = 0;
    for (uint32_t i = 0; i < text->pieces_count; i++) {
        struct sw_otlp_iter resources;
        struct sw_pb_field resource;
        sw_otlp_iter_init(&resources, bytes_of(&text->pieces[i]), SW_OTLP_TAG_RESOURCE);
        while (!out->cut && sw_otlp_next(&resources, &resource)) {
            struct sw_otlp_iter entities;
            struct sw_pb_field entity;
            sw_otlp_iter_init(&entities, resource.bytes, ENTITY_REFS);
            while (!out->cut && sw_otlp_next(&entities, &entity)) {
                put_entity(out, entity.bytes, number++);
            }
        }
    }
}

static void put_resource(struct debug_out *out, const struct sw_debug_text *text)
{
    static const struct debug_style lines = {"Resource attributes", "     -> "};
    struct sw_envelope envelope = {0};
    for (uint32_t i = 0; i < text->pieces_count; i++) {
        sw_envelope_add(&envelope, bytes_of(&text->pieces[i]));
    }
    struct sw_bytes schema = envelope.schema_url;
    if (text->detailed) {
        sw_debug_put_text(out, words[text->batch->signal].resource_detailed);
        sw_debug_printf(out, " #%u\nResource SchemaURL: ", text->resource_number);
        sw_debug_put_bytes(out, schema);
        sw_debug_put(out, "\n", 1);
    } else {
        sw_debug_put_text(out, words[text->batch->signal].resource_line);
        sw_debug_printf(out, " #%u", text->resource_number);
        sw_debug_put_text(out, schema.size > 0 ? " [" : "");
        sw_debug_put_bytes(out, schema);
        sw_debug_put_text(out, schema.size > 0 ? "]" : "");
    }
    put_attributes_within(
        out,
        text->detailed ? &lines : &sw_debug_on_the_line,
        text->pieces,
        text->pieces_count,
        SW_OTLP_TAG_RESOURCE,
        SW_RESOURCE_ATTRIBUTES
    );
    if (text->detailed) {
        put_entities(out, text);
    } else {
        sw_debug_put(out, "\n", 1);
    }
}

/* ---- scopes ---- */

struct scope {
    struct sw_bytes name;
    struct sw_bytes version;
    struct sw_bytes schema;
};

static struct scope read_scope(struct sw_bytes scope_spans)
{
    struct scope scope = {0};
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, scope_spans);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag == SW_OTLP_TAG_SCHEMA) {
            scope.schema = field.bytes;
        } else if (field.tag == SW_OTLP_TAG_SCOPE) {
            struct sw_pb_reader inner;
            struct sw_pb_field member;
            sw_pb_reader_init(&inner, field.bytes);
            while (sw_pb_next(&inner, &member)) {
                if (member.tag == SCOPE_NAME) {
                    scope.name = member.bytes;
                } else if (member.tag == SCOPE_VERSION) {
                    scope.version = member.bytes;
                }
            }
        }
    }
    return scope;
}

// " name@version [schema]", without what is empty.
static void put_scope_line(struct debug_out *out, const struct scope *scope)
{
    bool named = scope->name.size > 0 || scope->version.size > 0;
    sw_debug_put_text(out, named ? " " : "");
    sw_debug_put_bytes(out, scope->name);
    sw_debug_put_text(out, scope->version.size > 0 ? "@" : "");
    sw_debug_put_bytes(out, scope->version);
    if (scope->schema.size > 0) {
        sw_debug_put_text(out, " [");
        sw_debug_put_bytes(out, scope->schema);
        sw_debug_put(out, "]", 1);
    }
}

static void
put_scope(struct debug_out *out, const struct sw_debug_text *text, struct sw_bytes scope_spans)
{
    static const struct debug_style lines = {"InstrumentationScope attributes", "     -> "};
    struct scope scope = read_scope(scope_spans);
    struct sw_piece piece = {NULL, scope_spans.data, (uint32_t)scope_spans.size};
    if (text->detailed) {
        const char *word = words[text->batch->signal].scope_detailed;
        sw_debug_printf(out, "%s #%u\n%s SchemaURL: ", word, text->scope_number, word);
        sw_debug_put_bytes(out, scope.schema);
        sw_debug_put_text(out, "\nInstrumentationScope ");
        sw_debug_put_bytes(out, scope.name);
        sw_debug_put(out, " ", 1);
        sw_debug_put_bytes(out, scope.version);
        sw_debug_put(out, "\n", 1);
    } else {
        sw_debug_put_text(out, words[text->batch->signal].scope_line);
        sw_debug_printf(out, " #%u", text->scope_number);
        put_scope_line(out, &scope);
    }
    put_attributes_within(
        out,
        text->detailed ? &lines : &sw_debug_on_the_line,
        &piece,
        1,
        SW_OTLP_TAG_SCOPE,
        SW_SCOPE_ATTRIBUTES
    );
    sw_debug_put_text(out, text->detailed ? "" : "\n");
}

/* ---- the walk ---- */

static void begin_resource(
    struct sw_debug_text *text,
    struct debug_out *out,
    const struct sw_piece *pieces,
    uint32_t pieces_count
)
{
    static const struct sw_piece nothing = {NULL, NULL, 0};
    text->pieces = pieces_count > 0 ? pieces : &nothing;
    text->pieces_count = SW_MAX(pieces_count, 1);
    text->piece = 0;
    text->scope_number = 0;
    text->in_resource = true;
    sw_otlp_scopes_init(&text->scopes, bytes_of(&text->pieces[0]));
    put_resource(out, text);
    text->resource_number++;
}

// @return false at the end
static bool next_resource(struct sw_debug_text *text, struct debug_out *out)
{
    struct sw_pb_field field;
    while (text->in_requests || text->part < text->batch->parts_count) {
        if (text->in_requests) {
            if (sw_otlp_next(&text->resources, &field)) {
                text->message =
                    (struct sw_piece){NULL, field.bytes.data, (uint32_t)field.bytes.size};
                begin_resource(text, out, &text->message, 1);
                return true;
            }
            text->in_requests = false;
            continue;
        }
        const struct sw_part *part = &text->batch->parts[text->part++];
        const struct sw_piece *pieces = &text->batch->pieces[part->first_piece];
        if (part->level == 1) {
            begin_resource(text, out, pieces, part->pieces_count);
            return true;
        }
        if (part->pieces_count > 0) {
            sw_otlp_resources_init(&text->resources, bytes_of(pieces));
            text->in_requests = true;
        }
    }
    return false;
}

static void next_scope(struct sw_debug_text *text, struct debug_out *out)
{
    struct sw_pb_field field;
    if (sw_otlp_next(&text->scopes, &field)) {
        sw_otlp_items_init(&text->items, field.bytes);
        text->in_scope = true;
        text->item_number = 0;
        put_scope(out, text, field.bytes);
        text->scope_number++;
    } else if (++text->piece < text->pieces_count) {
        sw_otlp_scopes_init(&text->scopes, bytes_of(&text->pieces[text->piece]));
    } else {
        text->in_resource = false;
    }
}

static void put_item(struct sw_debug_text *text, struct debug_out *out, struct sw_bytes item)
{
    uint32_t number = text->item_number++;
    switch (text->batch->signal) {
    case SW_METRICS:
        (void)sw_metric_view_fill(&text->metric, item); // validated
        sw_metric_points_init(&text->points, &text->metric);
        text->in_metric = text->metric.type != SW_METRIC_EMPTY;
        text->point_number = 0;
        if (text->detailed) {
            sw_debug_metric(out, &text->metric, item, number);
        }
        break;
    case SW_LOGS:
        sw_debug_log(out, text->detailed, item, number);
        break;
    default:
        sw_debug_span(out, text->detailed, item, number);
        break;
    }
}

static void next_point(struct sw_debug_text *text, struct debug_out *out)
{
    struct sw_pb_field field;
    if (sw_otlp_next(&text->points, &field)) {
        sw_debug_point(out, text->detailed, &text->metric, field.bytes, text->point_number++);
    } else {
        text->in_metric = false;
    }
}

// One step: a record, or the end of one's children. @return false when nothing is left
static bool step(struct sw_debug_text *text, struct debug_out *out)
{
    struct sw_pb_field field;
    if (!text->in_resource) {
        return next_resource(text, out);
    }
    if (!text->in_scope) {
        next_scope(text, out);
    } else if (text->in_metric) {
        next_point(text, out);
    } else if (sw_otlp_next(&text->items, &field)) {
        put_item(text, out, field.bytes);
    } else {
        text->in_scope = false;
    }
    return true;
}

static void end_record(struct debug_out *out)
{
    static const char note[] = "\n... the rest is too long and left out\n";
    if (out->buf == NULL) {
        return;
    }
    if (out->cut) {
        out->cut = false;
        out->record_end = out->buf->size + sizeof(note);
        sw_debug_put(out, note, sizeof(note) - 1);
    }
}

int sw_debug_text_next(struct sw_debug_text *text, uint32_t most, struct sw_buf **ret_text)
{
    struct debug_out out = {.account = text->account};
    out.buf = sw_buf_new(out.account, 4096);
    bool more = true;
    while (more && out.buf != NULL && out.buf->size < most) {
        out.record_end = out.buf->size + SW_DEBUG_RECORD_MAX;
        more = step(text, &out);
        end_record(&out);
    }
    if (out.buf == NULL) {
        return SW_E_NOMEM;
    }
    if (out.buf->size == 0) {
        sw_buf_unref(out.buf);
        out.buf = NULL;
    } else {
        out.buf = sw_buf_shrink(out.buf);
    }
    *ret_text = out.buf;
    return SW_OK;
}

// A scope that sending in portions has cut has its head in one piece and its spans in others
// (batch_split.c), so that pieces cannot be read one by one.
static bool walkable(const struct sw_batch *batch)
{
    for (uint32_t i = 0; i < batch->parts_count; i++) {
        const struct sw_part *part = &batch->parts[i];
        for (uint32_t k = 0; k < part->pieces_count; k++) {
            struct sw_pb_reader reader;
            struct sw_pb_field field;
            sw_pb_reader_init(&reader, bytes_of(&batch->pieces[part->first_piece + k]));
            while (sw_pb_next(&reader, &field)) {
            }
            if (reader.error != SW_PB_OK) {
                return false;
            }
        }
    }
    return true;
}

int sw_debug_text_init(
    struct sw_debug_text *text,
    const struct sw_batch *batch,
    bool detailed,
    struct sw_account *account
)
{
    *text = (struct sw_debug_text){.batch = batch, .account = account, .detailed = detailed};
    if (!walkable(batch)) {
        text->joined = sw_batch_detach(batch, account);
        if (text->joined == NULL) {
            return SW_E_NOMEM;
        }
        text->batch = text->joined;
    }
    return SW_OK;
}

void sw_debug_text_fini(struct sw_debug_text *text)
{
    sw_batch_free(text->joined);
    text->joined = NULL;
}

uint32_t sw_debug_resources_count(const struct sw_batch *batch)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->parts_count; i++) {
        const struct sw_part *part = &batch->parts[i];
        struct sw_otlp_iter iter;
        struct sw_pb_field field;
        if (part->level == 1) {
            count++;
            continue;
        }
        for (uint32_t k = 0; k < part->pieces_count; k++) {
            sw_otlp_resources_init(&iter, bytes_of(&batch->pieces[part->first_piece + k]));
            while (sw_otlp_next(&iter, &field)) {
                count++;
            }
        }
    }
    return count;
}

static uint32_t metrics_within(const struct sw_piece *pieces, uint32_t pieces_count)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < pieces_count; i++) {
        struct sw_otlp_iter scopes;
        struct sw_otlp_iter items;
        struct sw_pb_field scope;
        struct sw_pb_field item;
        sw_otlp_scopes_init(&scopes, bytes_of(&pieces[i]));
        while (sw_otlp_next(&scopes, &scope)) {
            sw_otlp_items_init(&items, scope.bytes);
            while (sw_otlp_next(&items, &item)) {
                count++;
            }
        }
    }
    return count;
}

static uint32_t metrics_of_requests(const struct sw_piece *pieces, uint32_t pieces_count)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < pieces_count; i++) {
        struct sw_otlp_iter resources;
        struct sw_pb_field field;
        sw_otlp_resources_init(&resources, bytes_of(&pieces[i]));
        while (sw_otlp_next(&resources, &field)) {
            struct sw_piece message = {NULL, field.bytes.data, (uint32_t)field.bytes.size};
            count += metrics_within(&message, 1);
        }
    }
    return count;
}

uint32_t sw_debug_metrics_count(const struct sw_batch *batch)
{
    struct sw_batch *joined = walkable(batch) ? NULL : sw_batch_detach(batch, NULL);
    const struct sw_batch *seen = joined != NULL ? joined : batch;
    uint32_t count = 0;
    for (uint32_t i = 0; i < seen->parts_count; i++) {
        const struct sw_part *part = &seen->parts[i];
        const struct sw_piece *pieces = &seen->pieces[part->first_piece];
        count += part->level == 1 ? metrics_within(pieces, part->pieces_count)
                                  : metrics_of_requests(pieces, part->pieces_count);
    }
    sw_batch_free(joined);
    return count;
}
