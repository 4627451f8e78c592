/* What OTLP/JSON costs an item, both ways: sw-micro-otlp-json [seconds per line | traces | metrics | logs]
 *
 * With the name of a signal it writes a document of it to standard output, for other programs to read.
 * Documents have 500 items in 5 resources, as the JavaScript SDK sends them (times as strings, integers as
 * numbers, zeroes and empty lists written out); items follow each other at random in kind, length of strings
 * and values. Each line is the best of several rounds. Slices are those of the receiver. */
#include "dataplane/otlp/json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ITEMS_COUNT     500
#define RESOURCES_COUNT 5
#define DOCUMENTS_COUNT 8

static uint64_t seed = 88172645463325252;

static uint32_t rnd(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed >> 11) % below);
}

struct text {
    char *data;
    size_t size;
    size_t capacity;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
    va_list args;
    if (text->capacity - text->size < 4096) {
        text->capacity = 2 * text->capacity + 65536;
        text->data = realloc(text->data, text->capacity);
    }
    va_start(args, format);
    text->size += (size_t)vsnprintf(text->data + text->size, 4096, format, args);
    va_end(args);
}

static const char letters[] =
    "abcdefghijklmnopqrstuvwxyz0123456789/abcdefghijklmnopqrstuvwxyz01234567"
    "89/abcdefghijklmnopqrstuvwxyz0123456789/abcdefghijklmnopqrstuvwxyz/abcd";

static void add_attributes(struct text *text, unsigned count, unsigned length)
{
    static const char *const keys[] = {
        "http.request.method",
        "url.path",
        "server.address",
        "http.route",
        "db.system",
        "db.query.text",
        "messaging.system",
        "thread.name",
        "network.peer.address",
        "user_agent.original",
        "code.function.name",
        "app.region",
    };
    add(text, "\"attributes\":[");
    for (unsigned i = 0; i < count; i++) {
        const char *key = keys[(i * 7 + rnd(3)) % SW_ARRAY_SIZE(keys)];
        add(text, "%s{\"key\":\"%s\",\"value\":{", i > 0 ? "," : "", key);
        if (rnd(10) < 7) {
            int size = (int)(3 + rnd(2 * length));
            add(text, "\"stringValue\":\"%.*s\"}}", size, letters + rnd(26));
        } else if (rnd(3) > 0) {
            add(text, "\"intValue\":%u}}", rnd(60000));
        } else {
            add(text, "\"boolValue\":%s}}", rnd(2) == 0 ? "true" : "false");
        }
    }
    add(text, "],\"droppedAttributesCount\":0");
}

static void add_id(struct text *text, const char *name, unsigned size)
{
    add(text, "\"%s\":\"", name);
    for (unsigned i = 0; i < size; i++) {
        add(text, "%02x", rnd(256));
    }
    add(text, "\",");
}

static void add_span(struct text *text)
{
    uint64_t start_ns = UINT64_C(1760000000000000000) + rnd(1000000000);
    add(text, "{");
    add_id(text, "traceId", 16);
    add_id(text, "spanId", 8);
    add_id(text, "parentSpanId", 8);
    add(text, "\"name\":\"%.*s\",\"kind\":%u,", (int)(8 + rnd(24)), letters, 1 + rnd(5));
    add(text,
        "\"startTimeUnixNano\":\"%" PRIu64 "\",\"endTimeUnixNano\":\"%" PRIu64 "\",",
        start_ns,
        start_ns + rnd(1000000));
    add_attributes(text, 8, 19);
    add(text, ",\"events\":[],\"droppedEventsCount\":0,\"status\":{\"code\":0},\"links\":[],");
    add(text, "\"droppedLinksCount\":0,\"flags\":257}");
}

static void add_metric(struct text *text)
{
    uint64_t time_ns = UINT64_C(1760000000000000000) + rnd(1000000000);
    add(text,
        "{\"name\":\"%.*s\",\"description\":\"\",\"unit\":\"ms\",",
        (int)(8 + rnd(24)),
        letters);
    add(text, "\"histogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{");
    add_attributes(text, 4, 10);
    add(text,
        ",\"bucketCounts\":[0,%u,%u,3,0,0,0,1,0,0,0],\"explicitBounds\":[0,5,10,25,50,75,100,250.5,"
        "500,1000],",
        rnd(300),
        rnd(9));
    add(text, "\"count\":%u,\"sum\":%u.%u,\"min\":0.5,\"max\":321.25,", rnd(999), rnd(9999), rnd(99)
    );
    add(text,
        "\"startTimeUnixNano\":\"%" PRIu64 "\",\"timeUnixNano\":\"%" PRIu64 "\"}]}}",
        time_ns - 60000000000,
        time_ns);
}

static void add_log(struct text *text)
{
    uint64_t time_ns = UINT64_C(1760000000000000000) + rnd(1000000000);
    add(text, "{\"timeUnixNano\":\"%" PRIu64 "\",\"severityNumber\":9,", time_ns);
    add(text, "\"severityText\":\"INFO\",\"body\":{\"stringValue\":\"");
    add(text, "%.*s said \\\"%.*s\\\"\\n", 40 + (int)rnd(40), letters, 10 + (int)rnd(40), letters);
    add(text, "\"},");
    add_id(text, "traceId", 16);
    add_id(text, "spanId", 8);
    add_attributes(text, 5, 15);
    add(text, ",\"flags\":1}");
}

static const struct {
    const char *name;
    const char *resources;
    const char *scopes;
    const char *items;
    void (*add)(struct text *text);
} signals[SW_SIGNALS_COUNT] = {
    [SW_TRACES] = {"traces", "resourceSpans", "scopeSpans", "spans", add_span},
    [SW_METRICS] = {"metrics", "resourceMetrics", "scopeMetrics", "metrics", add_metric},
    [SW_LOGS] = {"logs", "resourceLogs", "scopeLogs", "logRecords", add_log},
};

static struct text make_document(enum sw_signal signal)
{
    struct text text = {.data = NULL};
    add(&text, "{\"%s\":[", signals[signal].resources);
    for (unsigned r = 0; r < RESOURCES_COUNT; r++) {
        add(&text, "%s{\"resource\":{", r > 0 ? "," : "");
        add_attributes(&text, 8, 12);
        add(&text, "},\"%s\":[{\"scope\":{\"name\":\"bench\"},", signals[signal].scopes);
        add(&text, "\"%s\":[", signals[signal].items);
        for (unsigned i = 0; i < ITEMS_COUNT / RESOURCES_COUNT; i++) {
            add(&text, i > 0 ? "," : "");
            signals[signal].add(&text);
        }
        add(&text, "]}]}");
    }
    add(&text, "]}");
    return text;
}

static struct sw_buf *read_json(enum sw_signal signal, struct sw_bytes json)
{
    struct sw_json_reader *reader = sw_json_reader_new(signal, json, NULL);
    int err;
    do {
        err = sw_json_reader_step(reader, SW_JSON_SLICE);
    } while (err == SW_E_AGAIN);
    if (err != SW_OK || sw_json_reader_items_count(reader) != ITEMS_COUNT) {
        abort();
    }
    struct sw_buf *buf = sw_json_reader_take(reader);
    sw_json_reader_free(reader);
    return buf;
}

static struct sw_buf *write_json(enum sw_signal signal, struct sw_bytes request)
{
    struct sw_json_writer *writer = sw_json_writer_new(signal, request, NULL);
    int err;
    do {
        err = sw_json_writer_step(writer, SW_JSON_SLICE);
    } while (err == SW_E_AGAIN);
    if (err != SW_OK) {
        abort();
    }
    struct sw_buf *buf = sw_json_writer_take(writer);
    sw_json_writer_free(writer);
    return buf;
}

static uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static double best_ns(
    struct sw_buf *(*run)(enum sw_signal, struct sw_bytes),
    enum sw_signal signal,
    const struct sw_bytes *inputs,
    double seconds
)
{
    double best = 1e9;
    uint64_t end_ns = now_ns() + (uint64_t)(seconds * 1e9);
    do {
        uint64_t begin_ns = now_ns();
        for (unsigned i = 0; i < DOCUMENTS_COUNT; i++) {
            sw_buf_unref(run(signal, inputs[i]));
        }
        double ns = (double)(now_ns() - begin_ns) / (DOCUMENTS_COUNT * ITEMS_COUNT);
        best = ns < best ? ns : best;
    } while (now_ns() < end_ns);
    return best;
}

static void measure(enum sw_signal signal, double seconds)
{
    struct sw_bytes documents[DOCUMENTS_COUNT];
    struct sw_bytes requests[DOCUMENTS_COUNT];
    struct sw_buf *bufs[DOCUMENTS_COUNT];
    size_t bytes = 0;
    for (unsigned i = 0; i < DOCUMENTS_COUNT; i++) {
        struct text text = make_document(signal);
        documents[i] = (struct sw_bytes){(const uint8_t *)text.data, text.size};
        bufs[i] = read_json(signal, documents[i]);
        requests[i] = (struct sw_bytes){bufs[i]->data, bufs[i]->size};
        bytes += text.size;
    }
    double items = DOCUMENTS_COUNT * ITEMS_COUNT;
    double size = (double)bytes / items;
    double read_ns = best_ns(read_json, signal, documents, seconds);
    double write_ns = best_ns(write_json, signal, requests, seconds);
    printf(
        "%-8s %6.0f bytes an item   read %7.1f ns (%5.0f MB/s)   write %7.1f ns\n",
        signals[signal].name,
        size,
        read_ns,
        size / read_ns * 1000,
        write_ns
    );
    for (unsigned i = 0; i < DOCUMENTS_COUNT; i++) {
        free((void *)(uintptr_t)documents[i].data);
        sw_buf_unref(bufs[i]);
    }
}

int main(int argc, char **argv)
{
    for (enum sw_signal signal = SW_TRACES; argc > 1 && signal < SW_SIGNALS_COUNT; signal++) {
        if (strcmp(argv[1], signals[signal].name) == 0) {
            struct text text = make_document(signal);
            fwrite(text.data, 1, text.size, stdout);
            free(text.data);
            return 0;
        }
    }
    double seconds = argc > 1 ? atof(argv[1]) : 0.5;
    for (enum sw_signal signal = SW_TRACES; signal < SW_SIGNALS_COUNT; signal++) {
        measure(signal, seconds);
    }
    return 0;
}
