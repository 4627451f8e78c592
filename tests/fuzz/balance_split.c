/* Cutting a batch by routing keys, over any bytes that are a valid request: parts are valid requests, together
 * they have the items of the whole, and a part that is cut again goes where it went. The first byte
 * chooses signal and key, the second how many backends there are and the shape of the batch. */
#include "dataplane/balance/balance_internal.h"
#include "tests/lib/items.h"

#define SLOTS_MAX 7

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {"service.name", "span.name", "span.kind", "log.body", "a"};

static const struct {
    enum sw_signal signal;
    enum sw_routing_key key;
    unsigned names_count;
} ways[] = {
    {SW_TRACES, SW_ROUTE_TRACE_ID, 0},
    {SW_TRACES, SW_ROUTE_SERVICE, 1},
    {SW_TRACES, SW_ROUTE_ATTRIBUTES, 5},
    {SW_METRICS, SW_ROUTE_SERVICE, 1},
    {SW_METRICS, SW_ROUTE_RESOURCE, 0},
    {SW_METRICS, SW_ROUTE_METRIC, 0},
    {SW_METRICS, SW_ROUTE_STREAM_ID, 0},
    {SW_METRICS, SW_ROUTE_ATTRIBUTES, 5},
    {SW_LOGS, SW_ROUTE_SERVICE, 1},
    {SW_LOGS, SW_ROUTE_TRACE_ID, 0},
    {SW_LOGS, SW_ROUTE_RESOURCE, 0},
    {SW_LOGS, SW_ROUTE_ATTRIBUTES, 5},
};

static unsigned slots_count;

static uint32_t route(void *context, const void *key, size_t size)
{
    struct identity identity;
    sw_identity_begin(&identity);
    sw_identity_add(&identity, key, size);
    return (uint32_t)(identity.hash >> 9) % slots_count;
}

static void
cut(struct split *split,
    const struct sw_batch *batch,
    struct sw_batch *parts[SLOTS_MAX],
    uint32_t *ret_lost)
{
    struct sw_batch *part;
    unsigned slot;
    memset(parts, 0, SLOTS_MAX * sizeof(parts[0]));
    items_require(sw_split_batch(split, batch, slots_count, route, NULL, ret_lost) == SW_OK);
    while ((part = sw_split_take(split, &slot)) != NULL) {
        items_require(slot < slots_count && parts[slot] == NULL);
        parts[slot] = part;
    }
}

static void free_parts(struct sw_batch *parts[SLOTS_MAX])
{
    for (unsigned i = 0; i < SLOTS_MAX; i++) {
        sw_batch_free(parts[i]);
    }
}

static void stays(struct split *split, const struct sw_batch *part, unsigned slot)
{
    struct sw_batch *again[SLOTS_MAX];
    uint32_t lost = 0;
    cut(split, part, again, &lost);
    items_require(lost == 0);
    uint32_t here = again[slot] != NULL ? again[slot]->items_count : 0;
    items_require(here == part->items_count);
    free_parts(again);
}

static void cut_and_compare(struct split *split, const struct sw_batch *batch, bool chance)
{
    struct items whole = {.texts = NULL};
    struct items together = {.texts = NULL};
    struct sw_batch *parts[SLOTS_MAX];
    uint32_t lost = 0;
    items_add_batch(&whole, batch);
    cut(split, batch, parts, &lost);
    for (unsigned i = 0; i < slots_count; i++) {
        if (parts[i] != NULL) {
            items_add_batch(&together, parts[i]);
            if (!chance) {
                stays(split, parts[i], i);
            }
        }
    }
    items_require(together.count + lost == whole.count);
    items_require(items_among(&whole, &together, lost == 0));
    free_parts(parts);
    items_fini(&whole);
    items_fini(&together);
}

/* The request as it came, or as the batch processor leaves it: cut somewhere and joined again. */
static struct sw_batch *
make_batch(enum sw_signal signal, const uint8_t *data, size_t size, uint8_t shape)
{
    struct sw_otlp_counts counts;
    struct sw_buf *buf = sw_buf_copy(NULL, data, (uint32_t)size);
    items_require(buf != NULL);
    if (sw_otlp_validate(signal, buf->data, buf->size, &counts, NULL) != SW_OK) {
        sw_buf_unref(buf);
        return NULL;
    }
    buf->size = (uint32_t)sw_otlp_migrate(buf->data, buf->size);
    struct sw_batch *batch = sw_batch_new(signal);
    items_require(batch != NULL);
    items_require(sw_batch_add_raw(batch, buf, buf->data, buf->size, counts.items) == SW_OK);
    sw_buf_unref(buf);
    if (shape > 0 && counts.items > 1) {
        struct sw_batch *first = NULL;
        uint32_t at = 1 + shape % (counts.items - 1);
        items_require(sw_batch_split(batch, at, NULL, &first) == SW_OK);
        items_require(sw_batch_merge(first, batch) == SW_OK);
        batch = first;
    }
    return batch;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    unsigned way = data[0] % SW_ARRAY_SIZE(ways);
    struct sw_core core = {.cores_count = 1};
    struct balance balance = {
        .signal = ways[way].signal,
        .key = ways[way].key,
        .names = {(void *)names, ways[way].names_count},
    };
    struct split *split = NULL;
    struct sw_batch *batch = make_batch(balance.signal, data + 2, size - 2, data[1] / SLOTS_MAX);
    if (batch == NULL) {
        return 0;
    }
    slots_count = 1 + data[1] % SLOTS_MAX;
    sw_rand_init(&core.rand, 1);
    items_require(sw_split_new(&balance, &core, &split) == SW_OK);
    bool chance = balance.signal == SW_LOGS && balance.key == SW_ROUTE_TRACE_ID;
    cut_and_compare(split, batch, chance);
    sw_split_free(split);
    sw_batch_free(batch);
    return 0;
}
