/* The items of requests as texts that can be compared: for each span, data point or log record all that stands
 * around it (resource, scope, schema URLs, of a metric what it is) and it. In which order requests say
 * the same makes no difference. */
#ifndef SW_TESTS_LIB_ITEMS_H
#define SW_TESTS_LIB_ITEMS_H

#include "dataplane/otlp/metric.h"
#include "dataplane/otlp/validate.h"
#include "tests/lib/wire.h"

#include <stdio.h>

#define items_require(cond)                                                                        \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #cond);                     \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct items {
    struct wire *texts;
    uint32_t count;
    uint32_t capacity;
};

static inline void items_fini(struct items *items)
{
    for (uint32_t i = 0; i < items->count; i++) {
        wire_fini(&items->texts[i]);
    }
    free(items->texts);
    *items = (struct items){.texts = NULL};
}

/* Fields of a message that are not its children; of a metric neither its data. */
static inline void
items_say_rest(struct wire *text, struct sw_bytes message, uint32_t child, bool metric)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, message);
    while (sw_pb_next(&reader, &field)) {
        if (metric ? sw_metric_type_of_tag(field.tag) == SW_METRIC_EMPTY : field.tag != child) {
            wire_raw(text, field.whole.data, field.whole.size);
        }
    }
    wire_raw(text, "/", 1);
}

static inline struct wire *items_next(struct items *items)
{
    if (items->count == items->capacity) {
        items->capacity = 2 * items->capacity + 16;
        items->texts = realloc(items->texts, items->capacity * sizeof(items->texts[0]));
    }
    items->texts[items->count] = (struct wire){.data = NULL};
    return &items->texts[items->count++];
}

static inline struct wire *
items_add(struct items *items, struct sw_bytes resource, struct sw_bytes scope)
{
    struct wire *text = items_next(items);
    items_say_rest(text, resource, SW_OTLP_TAG_SCOPES, false);
    items_say_rest(text, scope, SW_OTLP_TAG_ITEMS, false);
    return text;
}

static inline void items_add_metric(
    struct items *items,
    struct sw_bytes resource,
    struct sw_bytes scope,
    struct sw_bytes metric
)
{
    struct sw_metric_view view;
    struct sw_otlp_iter iter;
    struct sw_pb_field point;
    items_require(sw_metric_view_fill(&view, metric));
    sw_metric_points_init(&iter, &view);
    while (sw_otlp_next(&iter, &point)) {
        struct wire *text = items_add(items, resource, scope);
        uint8_t type = (uint8_t)view.type;
        items_say_rest(text, metric, 0, true);
        wire_raw(text, &type, 1);
        items_say_rest(text, view.data.bytes, SW_METRIC_TAG_POINTS, false);
        wire_raw(text, point.whole.data, point.whole.size);
    }
}

static inline void
items_add_request(struct items *items, enum sw_signal signal, struct sw_bytes request)
{
    struct sw_otlp_iter resources, scopes, leaves;
    struct sw_pb_field resource, scope, item;
    sw_otlp_resources_init(&resources, request);
    while (sw_otlp_next(&resources, &resource)) {
        sw_otlp_scopes_init(&scopes, resource.bytes);
        while (sw_otlp_next(&scopes, &scope)) {
            sw_otlp_items_init(&leaves, scope.bytes);
            while (sw_otlp_next(&leaves, &item)) {
                if (signal == SW_METRICS) {
                    items_add_metric(items, resource.bytes, scope.bytes, item.bytes);
                } else {
                    struct wire *text = items_add(items, resource.bytes, scope.bytes);
                    wire_raw(text, item.whole.data, item.whole.size);
                }
            }
        }
    }
}

/* A batch has to be a valid request of as many items as it says. */
static inline void items_add_batch(struct items *items, const struct sw_batch *batch)
{
    uint8_t *flat = malloc(batch->bytes + 1);
    struct sw_otlp_counts counts;
    uint32_t before = items->count;
    sw_batch_copy_out(batch, flat);
    items_require(sw_otlp_validate(batch->signal, flat, batch->bytes, &counts, NULL) == SW_OK);
    items_require(counts.items == batch->items_count);
    items_add_request(items, batch->signal, (struct sw_bytes){flat, batch->bytes});
    items_require(items->count - before == batch->items_count);
    free(flat);
}

static inline int items_order(const void *a, const void *b)
{
    const struct wire *one = a;
    const struct wire *other = b;
    size_t size = one->size < other->size ? one->size : other->size;
    int order = memcmp(one->data, other->data, size);
    return order != 0 ? order : (one->size > other->size) - (one->size < other->size);
}

static inline void items_sort(struct items *items)
{
    if (items->count > 1) {
        qsort(items->texts, items->count, sizeof(items->texts[0]), items_order);
    }
}

/* Is each of `some` one of `all`, and if they must be equal the other way round? Sorts both. */
static inline bool items_among(struct items *all, struct items *some, bool equal)
{
    uint32_t at = 0;
    items_sort(all);
    items_sort(some);
    for (uint32_t i = 0; i < some->count; i++, at++) {
        while (at < all->count && items_order(&all->texts[at], &some->texts[i]) < 0) {
            at++;
        }
        if (at == all->count || items_order(&all->texts[at], &some->texts[i]) != 0) {
            return false;
        }
    }
    return !equal || all->count == some->count;
}

#endif
