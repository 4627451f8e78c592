/* What validation and walking cost a span: sw-micro-otlp-validate [seconds per line]
 *
 * Requests of 500 spans in 5 resources. Spans are of six kinds (HTTP server and client, database, queue,
 * cache, internal) that follow each other at random, with attributes, string lengths and values of their
 * own, so that branches do not learn one span by heart. Then requests of 500 data points and of 500 log
 * records, also of such with long bodies, which together are larger than a second-level cache. Each line is the best of several rounds. */
#include "dataplane/otlp/attribute.h"
#include "dataplane/otlp/span.h"
#include "dataplane/otlp/validate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SPANS_COUNT     500
#define RESOURCES_COUNT 5
#define REQUESTS_COUNT  8
#define REQUEST_MAX     (4u << 20)

static uint64_t seed = 88172645463325252;

static uint32_t rnd(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed >> 11) % below);
}

struct chunk {
    uint8_t data[8192];
    size_t size;
};

static void add_bytes(struct chunk *chunk, unsigned field, const void *data, size_t size)
{
    uint8_t *out = chunk->data + chunk->size;
    out = sw_pb_put_bytes(out, SW_PB_TAG(field, SW_PB_LEN), (struct sw_bytes){data, size});
    chunk->size = (size_t)(out - chunk->data);
}

static void add_number(struct chunk *chunk, unsigned field, uint64_t number)
{
    uint8_t *out = chunk->data + chunk->size;
    out = sw_pb_put_varint(sw_pb_put_varint(out, SW_PB_TAG(field, SW_PB_VARINT)), number);
    chunk->size = (size_t)(out - chunk->data);
}

static void add_i64(struct chunk *chunk, unsigned field, uint64_t number)
{
    uint8_t *out = chunk->data + chunk->size;
    out = sw_pb_put_i64(out, SW_PB_TAG(field, SW_PB_I64), number);
    chunk->size = (size_t)(out - chunk->data);
}

static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789/"
                              "abcdefghijklmnopqrstuvwxyz0123456789/abcdefghijklmnopqrstuvwxyz"
                              "abcdefghijklmnopqrstuvwxyz0123456789/"
                              "abcdefghijklmnopqrstuvwxyz0123456789/abcdefghijklmnopqrstuvwxyz";

/* An attribute: type 's' with a length, 'i', 'b' or 'd'. */
static void add_attribute(
    struct chunk *to,
    unsigned field,
    const char *key,
    char type,
    unsigned length,
    bool reversed
)
{
    struct chunk value = {.size = 0};
    if (type == 's') {
        add_bytes(&value, 1, letters + rnd(26), length);
    } else if (type == 'i') {
        add_number(&value, 3, rnd(4) == 0 ? rnd(60000) : 80 + rnd(400));
    } else if (type == 'b') {
        add_number(&value, 2, rnd(2));
    } else {
        add_i64(&value, 4, rnd(1u << 30));
    }
    struct chunk pair = {.size = 0};
    if (reversed) {
        add_bytes(&pair, 2, value.data, value.size);
    }
    add_bytes(&pair, 1, key, strlen(key));
    if (!reversed) {
        add_bytes(&pair, 2, value.data, value.size);
    }
    add_bytes(to, field, pair.data, pair.size);
}

struct kind {
    const char *keys[14];
    const char *types;
};

static const struct kind kinds[] = {
    {{"http.request.method",
      "url.path",
      "http.response.status_code",
      "server.address",
      "server.port",
      "url.scheme",
      "client.address",
      "http.route",
      "user_agent.original",
      "network.protocol.version",
      "network.peer.address",
      "network.peer.port",
      "http.request.body.size",
      "thread.name"},
     "ssisississiiis"},
    {{"http.request.method",
      "url.full",
      "http.response.status_code",
      "server.address",
      "server.port",
      "peer.service",
      "http.resend_count",
      "network.protocol.version",
      "url.scheme",
      "tls.established",
      "network.peer.address",
      "network.peer.port",
      "thread.id",
      "thread.name"},
     "ssisisissbsiis"},
    {{"db.system",
      "db.namespace",
      "db.operation.name",
      "db.collection.name",
      "db.query.text",
      "server.address",
      "server.port",
      "db.response.returned_rows",
      "db.user",
      "network.peer.address",
      "network.peer.port",
      "thread.id",
      "thread.name",
      "db.client.connection.pool.name"},
     "ssssssiissiiss"},
    {{"messaging.system",
      "messaging.destination.name",
      "messaging.operation.type",
      "messaging.batch.message_count",
      "messaging.message.id",
      "messaging.kafka.offset",
      "messaging.consumer.group.name",
      "messaging.destination.partition.id",
      "thread.name",
      "server.address",
      "server.port",
      "messaging.client.id",
      "messaging.message.body.size",
      "messaging.kafka.tombstone"},
     "sssisisssssiib"},
    {{"db.system",
      "db.operation.name",
      "server.address",
      "server.port",
      "cache.hit",
      "cache.key.size",
      "cache.ratio",
      "thread.name",
      "thread.id",
      "net.transport",
      "net.peer.name",
      "net.peer.port",
      "db.redis.database_index",
      "db.query.text"},
     "sssibidsissiis"},
    {{"code.function.name",
      "code.file.path",
      "code.line.number",
      "app.user.tier",
      "app.order.id",
      "app.order.amount",
      "app.retry",
      "thread.name",
      "thread.id",
      "feature_flag.key",
      "feature_flag.result.variant",
      "feature_flag.provider.name",
      "app.items",
      "app.region"},
     "ssissdbsissssis"},
};

/* One part of a span, as ascending field numbers have it; the reversed order walks the list backwards. */
static void add_part(
    struct chunk *to,
    unsigned part,
    const struct kind *kind,
    unsigned attributes_count,
    unsigned length,
    bool reversed
)
{
    uint8_t id[16];
    for (unsigned i = 0; i < sizeof(id); i++) {
        id[i] = (uint8_t)rnd(256);
    }
    uint64_t start_ns = UINT64_C(1760000000000000000) + rnd(1000000000);
    switch (part) {
    case 0:
        add_bytes(to, 1, id, 16);
        break;
    case 1:
        add_bytes(to, 2, id, 8);
        break;
    case 2:
        if (rnd(10) > 0) {
            add_bytes(to, 4, id, 8);
        }
        break;
    case 3:
        add_bytes(to, 5, letters, 8 + rnd(24));
        break;
    case 4:
        add_number(to, 6, 1 + rnd(5));
        break;
    case 5:
        add_i64(to, 7, start_ns);
        break;
    case 6:
        add_i64(to, 8, start_ns + rnd(1000000));
        break;
    case 7:
        for (unsigned i = 0; i < attributes_count; i++) {
            unsigned len = 3 + rnd(2 * length);
            add_attribute(to, 9, kind->keys[i], kind->types[i], len, reversed);
        }
        break;
    case 8:
        if (rnd(10) == 0) {
            add_bytes(to, 15, "\x18\x02", 2);
        } else {
            add_bytes(to, 15, NULL, 0);
        }
        break;
    default: {
        uint8_t *end = sw_pb_put_i32(to->data + to->size, SW_PB_TAG(16, SW_PB_I32), 0x101);
        to->size = (size_t)(end - to->data);
        break;
    }
    }
}

#define PARTS_COUNT 10

static uint8_t *
make_request(unsigned attributes_count, unsigned length, bool reversed, size_t *ret_size)
{
    struct chunk *span = malloc(sizeof(*span));
    uint8_t *spans = malloc(REQUEST_MAX);
    uint8_t *request = malloc(REQUEST_MAX);
    uint8_t *at = request;
    for (unsigned r = 0; r < RESOURCES_COUNT; r++) {
        uint8_t *end = spans;
        for (unsigned s = 0; s < SPANS_COUNT / RESOURCES_COUNT; s++) {
            const struct kind *kind = &kinds[rnd(SW_ARRAY_SIZE(kinds))];
            span->size = 0;
            for (unsigned i = 0; i < PARTS_COUNT; i++) {
                unsigned part = reversed ? PARTS_COUNT - 1 - i : i;
                add_part(span, part, kind, attributes_count, length, reversed);
            }
            end = sw_pb_put_bytes(end, 0x12, (struct sw_bytes){span->data, span->size});
        }
        struct chunk resource = {.size = 0};
        for (unsigned i = 0; i < 8; i++) {
            add_attribute(&resource, 1, kinds[i % 6].keys[i], 's', 12, reversed);
        }
        size_t size = (size_t)(end - spans);
        size_t inner = sw_pb_len_size(0x12, size) + sw_pb_len_size(0x0a, resource.size);
        at = sw_pb_put_head(at, 0x0a, inner);
        if (!reversed) {
            at = sw_pb_put_bytes(at, 0x0a, (struct sw_bytes){resource.data, resource.size});
        }
        at = sw_pb_put_bytes(at, 0x12, (struct sw_bytes){spans, size});
        if (reversed) {
            at = sw_pb_put_bytes(at, 0x0a, (struct sw_bytes){resource.data, resource.size});
        }
    }
    free(span);
    free(spans);
    *ret_size = (size_t)(at - request);
    return request;
}

/* ---- metrics and logs ---- */

/* A data point in a field of its own: of a sum, or of a histogram. */
static void add_point(struct chunk *to, bool histogram, const struct kind *kind)
{
    struct chunk point = {.size = 0};
    uint64_t now = UINT64_C(1760000000000000000) + rnd(1000000000);
    add_i64(&point, 2, now - 60000000000);
    add_i64(&point, 3, now);
    add_i64(&point, histogram ? 4 : 6, rnd(1000));
    if (histogram) {
        uint64_t values[15] = {rnd(1000), rnd(1000), rnd(1000)};
        add_i64(&point, 5, rnd(1000));
        add_bytes(&point, 6, values, 15 * 8);
        add_bytes(&point, 7, values, 14 * 8);
    }
    for (unsigned i = 0; i < 5; i++) {
        add_attribute(&point, histogram ? 9 : 7, kind->keys[i], kind->types[i], 3 + rnd(20), false);
    }
    add_bytes(to, 1, point.data, point.size);
}

/* A metric of four points. */
static void add_metric(struct chunk *to, bool histogram)
{
    struct chunk data = {.size = 0};
    const struct kind *kind = &kinds[rnd(SW_ARRAY_SIZE(kinds))];
    for (unsigned i = 0; i < 4; i++) {
        add_point(&data, histogram, kind);
    }
    add_number(&data, 2, 2);
    if (!histogram) {
        add_number(&data, 3, 1);
    }
    add_bytes(to, 1, letters, 10 + rnd(20));
    add_bytes(to, 2, letters, 20 + rnd(60));
    add_bytes(to, 3, "ms", 2);
    add_bytes(to, histogram ? 9 : 7, data.data, data.size);
}

static void add_log(struct chunk *to, bool is_long)
{
    static const char text[700];
    const struct kind *kind = &kinds[rnd(SW_ARRAY_SIZE(kinds))];
    struct chunk body = {.size = 0};
    uint64_t now = UINT64_C(1760000000000000000) + rnd(1000000000);
    bool traced = rnd(2) == 0;
    add_i64(to, 1, now);
    add_number(to, 2, 9 + rnd(8));
    add_bytes(to, 3, "INFO", 4);
    if (is_long) {
        add_bytes(&body, 1, text, 400 + rnd(300));
    } else {
        add_bytes(&body, 1, letters, 20 + rnd(150));
    }
    add_bytes(to, 5, body.data, body.size);
    for (unsigned i = 0; i < 6; i++) {
        add_attribute(to, 6, kind->keys[i], kind->types[i], 3 + rnd(30), false);
    }
    add_bytes(to, 9, letters, traced ? 16 : 0);
    add_bytes(to, 10, letters, traced ? 8 : 0);
    add_i64(to, 11, now + 1000);
}

enum filling {
    FILLING_SUMS,
    FILLING_HISTOGRAMS,
    FILLING_LOGS,
    FILLING_LONG_LOGS,
};

static uint8_t *make_other_request(enum filling filling, size_t *ret_size)
{
    struct chunk *item = malloc(sizeof(*item));
    uint8_t *items = malloc(REQUEST_MAX);
    uint8_t *request = malloc(REQUEST_MAX);
    uint8_t *end = items;
    bool logs = filling >= FILLING_LOGS;
    for (unsigned i = 0; i < (logs ? SPANS_COUNT : SPANS_COUNT / 4); i++) {
        item->size = 0;
        if (logs) {
            add_log(item, filling == FILLING_LONG_LOGS);
        } else {
            add_metric(item, filling == FILLING_HISTOGRAMS);
        }
        end = sw_pb_put_bytes(end, 0x12, (struct sw_bytes){item->data, item->size});
    }
    size_t size = (size_t)(end - items);
    uint8_t *at = sw_pb_put_head(request, 0x0a, sw_pb_len_size(0x12, size));
    at = sw_pb_put_bytes(at, 0x12, (struct sw_bytes){items, size});
    free(item);
    free(items);
    *ret_size = (size_t)(at - request);
    return request;
}

static uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t validate(enum sw_signal signal, struct sw_bytes request)
{
    struct sw_otlp_counts counts;
    if (sw_otlp_validate(signal, request.data, request.size, &counts, NULL) != SW_OK) {
        abort();
    }
    return counts.items;
}

static uint64_t run_validate(struct sw_bytes request)
{
    return validate(SW_TRACES, request);
}

static uint64_t run_validate_metrics(struct sw_bytes request)
{
    return validate(SW_METRICS, request);
}

static uint64_t run_validate_logs(struct sw_bytes request)
{
    return validate(SW_LOGS, request);
}

enum touch {
    TOUCH_BOUNDS,
    TOUCH_TRACE_ID,
    TOUCH_VIEW,
    TOUCH_FIND,
};

static uint64_t walk(struct sw_bytes request, enum touch touch)
{
    uint64_t sum = 0;
    struct sw_otlp_iter resources, scopes, spans;
    struct sw_pb_field resource_spans, scope_spans, span;
    struct sw_span_view view;
    struct sw_any value;
    sw_otlp_resources_init(&resources, request);
    while (sw_otlp_next(&resources, &resource_spans)) {
        sw_otlp_scopes_init(&scopes, resource_spans.bytes);
        while (sw_otlp_next(&scopes, &scope_spans)) {
            sw_otlp_items_init(&spans, scope_spans.bytes);
            while (sw_otlp_next(&spans, &span)) {
                sum++;
                if (touch == TOUCH_TRACE_ID) {
                    sum += sw_span_trace_id(span.bytes)[0];
                } else if (touch == TOUCH_VIEW) {
                    sum += sw_span_view_fill(&view, span.bytes) + view.trace_id[0] + view.end_ns;
                } else if (touch == TOUCH_FIND) {
                    struct sw_bytes key = SW_BYTES("http.response.status_code");
                    sum += sw_attribute_find(span.bytes, SW_SPAN_ATTRIBUTES, key, &value);
                }
            }
        }
    }
    return sum;
}

static uint64_t run_walk(struct sw_bytes request)
{
    return walk(request, TOUCH_BOUNDS);
}

static uint64_t run_trace_id(struct sw_bytes request)
{
    return walk(request, TOUCH_TRACE_ID);
}

static uint64_t run_view(struct sw_bytes request)
{
    return walk(request, TOUCH_VIEW);
}

static uint64_t run_find(struct sw_bytes request)
{
    return walk(request, TOUCH_FIND);
}

static volatile uint64_t result;

static double
best_ns_per_span(uint64_t (*run)(struct sw_bytes), const struct sw_bytes *requests, double seconds)
{
    double best = 1e9;
    uint64_t end_ns = now_ns() + (uint64_t)(seconds * 1e9);
    do {
        uint64_t begin_ns = now_ns();
        for (unsigned i = 0; i < REQUESTS_COUNT; i++) {
            result += run(requests[i]);
        }
        double ns = (double)(now_ns() - begin_ns) / (REQUESTS_COUNT * SPANS_COUNT);
        best = ns < best ? ns : best;
    } while (now_ns() < end_ns);
    return best;
}

static void run_others(double seconds)
{
    static const struct {
        const char *name;
        enum filling filling;
        uint64_t (*run)(struct sw_bytes);
    } fillings[] = {
        {"sums, 4 points a metric, 5 attributes", FILLING_SUMS, run_validate_metrics},
        {"histograms of 15 buckets, likewise", FILLING_HISTOGRAMS, run_validate_metrics},
        {"log records, 6 attributes", FILLING_LOGS, run_validate_logs},
        {"log records with long bodies, likewise", FILLING_LONG_LOGS, run_validate_logs},
    };
    for (unsigned f = 0; f < SW_ARRAY_SIZE(fillings); f++) {
        struct sw_bytes requests[REQUESTS_COUNT];
        size_t bytes = 0;
        for (unsigned i = 0; i < REQUESTS_COUNT; i++) {
            requests[i].data = make_other_request(fillings[f].filling, &requests[i].size);
            bytes += requests[i].size;
        }
        double ns = best_ns_per_span(fillings[f].run, requests, seconds);
        printf(
            "%s (%zu bytes an item)\n  %-22s %6.1f ns an item\n",
            fillings[f].name,
            bytes / (REQUESTS_COUNT * SPANS_COUNT),
            "validate",
            ns
        );
        for (unsigned i = 0; i < REQUESTS_COUNT; i++) {
            free((void *)(uintptr_t)requests[i].data);
        }
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        unsigned attributes_count;
        unsigned length;
    } shapes[] = {{"410 bytes, 8 attributes", 8, 19}, {"800 bytes, 14 attributes", 14, 38}};
    static const struct {
        const char *name;
        uint64_t (*run)(struct sw_bytes);
    } runs[] = {
        {"validate", run_validate},
        {"walk", run_walk},
        {"walk + trace ID", run_trace_id},
        {"walk + view", run_view},
        {"walk + find one key", run_find},
    };
    double seconds = argc > 1 ? atof(argv[1]) : 0.3;
    for (unsigned s = 0; s < SW_ARRAY_SIZE(shapes); s++) {
        for (int reversed = 0; reversed < 2; reversed++) {
            struct sw_bytes requests[REQUESTS_COUNT];
            size_t bytes = 0;
            for (unsigned i = 0; i < REQUESTS_COUNT; i++) {
                requests[i].data = make_request(
                    shapes[s].attributes_count, shapes[s].length, reversed, &requests[i].size
                );
                bytes += requests[i].size;
            }
            printf(
                "%s, %s order (%zu bytes a span with its share of the envelope)\n",
                shapes[s].name,
                reversed ? "descending" : "ascending",
                bytes / (REQUESTS_COUNT * SPANS_COUNT)
            );
            for (unsigned i = 0; i < SW_ARRAY_SIZE(runs); i++) {
                double ns = best_ns_per_span(runs[i].run, requests, seconds);
                printf("  %-22s %6.1f ns a span\n", runs[i].name, ns);
            }
            for (unsigned i = 0; i < REQUESTS_COUNT; i++) {
                free((void *)(uintptr_t)requests[i].data);
            }
        }
    }
    run_others(seconds);
    return 0;
}
