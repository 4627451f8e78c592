#include "perf/loadgen/payload.h"

#include <string.h>

// Data points of one metric: its time series in one reading.
#define POINTS_PER_METRIC 10

// Appends items from..from + count, each as a field 2 of the scope; one metric is many items.
typedef void items_fn(
    struct sw_lg_bytes *scope,
    const struct sw_lg_form *form,
    uint32_t from,
    uint32_t count,
    uint64_t now_ns,
    uint32_t number
);

static void put_pair(struct sw_lg_bytes *out, unsigned number, const char *key, const char *text)
{
    sw_lg_put_attribute(out, number, false, key, text, strlen(text), 0);
}

static void put_resource(struct sw_lg_bytes *out, uint32_t number)
{
    static const char *const services[] = {"checkout", "cart", "payment", "frontend", "shipping"};
    struct sw_lg_bytes body = {0};
    char pod[64];
    const char *service = services[number % 5];
    snprintf(pod, sizeof(pod), "%s-7d9f6c5b8-%05x", service, number * 7919 & 0xfffff);
    put_pair(&body, 1, "service.name", service);
    put_pair(&body, 1, "service.version", "2.14.3");
    put_pair(&body, 1, "k8s.pod.name", pod);
    put_pair(&body, 1, "telemetry.sdk.language", "java");
    sw_lg_put_message(out, 1, body.data, body.len);
    sw_lg_bytes_free(&body);
}

static void put_scope(struct sw_lg_bytes *out)
{
    struct sw_lg_bytes body = {0};
    sw_lg_put_text(&body, 1, "io.opentelemetry.tomcat-10.0");
    sw_lg_put_text(&body, 2, "2.14.0-alpha");
    sw_lg_put_message(out, 1, body.data, body.len);
    sw_lg_bytes_free(&body);
}

// Request { 1 { resource 1, 2 { scope 1, items 2 } } }: the same numbers in every signal.
static void put_request(
    struct sw_lg_bytes *out,
    const struct sw_lg_form *form,
    uint32_t count,
    uint64_t now_ns,
    uint32_t number,
    items_fn *items
)
{
    uint32_t done = 0;
    for (uint32_t r = 0; r < form->resources; r++) {
        struct sw_lg_bytes scope = {0};
        struct sw_lg_bytes resource = {0};
        uint32_t upto = (uint32_t)((uint64_t)count * (r + 1) / form->resources);
        if (upto > done) {
            put_scope(&scope);
            items(&scope, form, done, upto - done, now_ns, number);
            put_resource(&resource, r);
            sw_lg_put_message(&resource, 2, scope.data, scope.len);
            sw_lg_put_message(out, 1, resource.data, resource.len);
        }
        done = upto;
        sw_lg_bytes_free(&scope);
        sw_lg_bytes_free(&resource);
    }
}

// The labels of an HTTP server's time series.
static void put_labels(struct sw_lg_bytes *out, unsigned number, uint32_t series)
{
    static const char *const routes[] = {
        "/api/v1/orders/{id}", "/api/v1/cart/items", "/checkout", "/api/v1/users/{user}"};
    put_pair(out, number, "http.request.method", series % 3 ? "GET" : "POST");
    put_pair(out, number, "http.route", routes[series % 4]);
    sw_lg_put_attribute(
        out, number, false, "http.response.status_code", NULL, 0, series % 7 ? 200 : 404
    );
    put_pair(out, number, "url.scheme", "https");
    put_pair(out, number, "network.protocol.version", "1.1");
}

// NumberDataPoint { start 2, time 3, double 4 | int 6, attributes 7 }
static void
put_number_point(struct sw_lg_bytes *out, uint32_t series, uint64_t now_ns, bool integer)
{
    uint64_t value = sw_lg_mix(series);
    sw_lg_put_fixed64(out, 2, now_ns - 60 * SW_LG_NS_PER_S);
    sw_lg_put_fixed64(out, 3, now_ns);
    if (integer) {
        sw_lg_put_fixed64(out, 6, value % 1000000);
    } else {
        sw_lg_put_double(out, 4, (double)(value % 100000) / 64);
    }
    put_labels(out, 7, series);
}

// HistogramDataPoint { start 2, time 3, count 4, sum 5, bucket_counts 6, bounds 7, attributes 9 }
static void put_histogram_point(struct sw_lg_bytes *out, uint32_t series, uint64_t now_ns)
{
    static const double bounds[] = {
        0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10};
    uint64_t counts[15];
    uint64_t total = 0;
    for (unsigned i = 0; i < 15; i++) {
        counts[i] = sw_lg_mix(series * 16 + i) % 500;
        total += counts[i];
    }
    sw_lg_put_fixed64(out, 2, now_ns - 60 * SW_LG_NS_PER_S);
    sw_lg_put_fixed64(out, 3, now_ns);
    sw_lg_put_fixed64(out, 4, total);
    sw_lg_put_double(out, 5, (double)total / 8);
    sw_lg_put_message(out, 6, counts, sizeof(counts));
    sw_lg_put_message(out, 7, bounds, sizeof(bounds));
    put_labels(out, 9, series);
}

// Metric { name 1, description 2, unit 3, gauge 5 | sum 7 | histogram 9 }: a counter of integers, a
// gauge of doubles and a histogram in turns.
static void put_metric(
    struct sw_lg_bytes *scope,
    uint32_t from,
    uint32_t count,
    uint64_t now_ns,
    uint32_t number
)
{
    static const char *const names[] = {
        "http.server.requests", "jvm.memory.used", "http.server.request.duration"};
    static const char *const texts[] = {
        "Requests that were answered.",
        "Measure of memory used.",
        "Duration of HTTP server requests."};
    static const char *const units[] = {"{request}", "By", "s"};
    static const unsigned fields[] = {7, 5, 9};
    unsigned kind = from / POINTS_PER_METRIC % 3;
    struct sw_lg_bytes data = {0};
    struct sw_lg_bytes metric = {0};
    for (uint32_t i = 0; i < count; i++) {
        struct sw_lg_bytes point = {0};
        uint32_t series = number * 100003 + from + i;
        if (kind == 2) {
            put_histogram_point(&point, series, now_ns);
        } else {
            put_number_point(&point, series, now_ns, kind == 0);
        }
        sw_lg_put_message(&data, 1, point.data, point.len);
        sw_lg_bytes_free(&point);
    }
    if (kind != 1) {
        sw_lg_put_number(&data, 2, 2); // cumulative
    }
    if (kind == 0) {
        sw_lg_put_number(&data, 3, 1); // monotonic
    }
    sw_lg_put_text(&metric, 1, names[kind]);
    sw_lg_put_text(&metric, 2, texts[kind]);
    sw_lg_put_text(&metric, 3, units[kind]);
    sw_lg_put_message(&metric, fields[kind], data.data, data.len);
    sw_lg_put_message(scope, 2, metric.data, metric.len);
    sw_lg_bytes_free(&data);
    sw_lg_bytes_free(&metric);
}

static void put_metrics(
    struct sw_lg_bytes *scope,
    const struct sw_lg_form *form,
    uint32_t from,
    uint32_t count,
    uint64_t now_ns,
    uint32_t number
)
{
    (void)form;
    for (uint32_t done = 0; done < count; done += POINTS_PER_METRIC) {
        uint32_t part = count - done < POINTS_PER_METRIC ? count - done : POINTS_PER_METRIC;
        put_metric(scope, from + done, part, now_ns, number);
    }
}

// A line of a log, as long as it has to be.
static void put_body(struct sw_lg_bytes *out, uint32_t item, size_t len)
{
    static const char *const words[] = {
        "order",
        "accepted",
        "customer",
        "payment",
        "of",
        "shipment",
        "for",
        "request",
        "took",
        "ms",
        "retrying",
        "upstream",
        "answered",
        "session"};
    struct sw_lg_bytes text = {0};
    struct sw_lg_bytes value = {0};
    uint64_t state = sw_lg_mix(item);
    while (text.len < len) {
        char word[48];
        state = sw_lg_mix(state);
        int size = state % 5 ? snprintf(word, sizeof(word), "%s ", words[state / 5 % 14])
                             : snprintf(word, sizeof(word), "%08x ", (unsigned)(state >> 32));
        sw_lg_bytes_put(&text, word, (size_t)size);
    }
    sw_lg_put_message(&value, 1, text.data, len);
    sw_lg_put_message(out, 5, value.data, value.len);
    sw_lg_bytes_free(&text);
    sw_lg_bytes_free(&value);
}

// LogRecord { time 1, severity 2, text 3, body 5, attributes 6, flags 8, trace 9, span 10,
// observed 11 }
static void
put_record(struct sw_lg_bytes *scope, const struct sw_lg_form *form, uint32_t item, uint64_t now_ns)
{
    static const char *const severities[] = {"INFO", "INFO", "INFO", "WARN", "ERROR"};
    static const unsigned numbers[] = {9, 9, 9, 13, 17};
    struct sw_lg_bytes head = {0};
    struct sw_lg_bytes tail = {0};
    uint64_t ids[3] = {sw_lg_mix(item / 4) | 1, sw_lg_mix(item / 4 + 7), sw_lg_mix(item) | 1};
    char thread[32];
    snprintf(thread, sizeof(thread), "http-nio-8443-exec-%u", 10 + item % 64);
    sw_lg_put_fixed64(&head, 1, now_ns + item * 1000ull);
    sw_lg_put_number(&head, 2, numbers[item % 5]);
    sw_lg_put_text(&head, 3, severities[item % 5]);
    put_pair(&tail, 6, "log.logger.name", "com.example.shop.OrderService");
    put_pair(&tail, 6, "thread.name", thread);
    sw_lg_put_attribute(&tail, 6, false, "thread.id", NULL, 0, 17 + item % 64);
    put_pair(&tail, 6, "code.function.name", "placeOrder");
    sw_lg_put_fixed32(&tail, 8, 1);
    sw_lg_put_message(&tail, 9, ids, 16);
    sw_lg_put_message(&tail, 10, &ids[2], 8);
    sw_lg_put_fixed64(&tail, 11, now_ns + item * 1000ull + 50000);
    size_t rest = head.len + tail.len + 6; // tags and lengths of the body
    put_body(&head, item, form->span_size > rest + 16 ? form->span_size - rest : 16);
    sw_lg_bytes_put(&head, tail.data, tail.len);
    sw_lg_put_message(scope, 2, head.data, head.len);
    sw_lg_bytes_free(&head);
    sw_lg_bytes_free(&tail);
}

static void put_records(
    struct sw_lg_bytes *scope,
    const struct sw_lg_form *form,
    uint32_t from,
    uint32_t count,
    uint64_t now_ns,
    uint32_t number
)
{
    for (uint32_t i = 0; i < count; i++) {
        put_record(scope, form, number * 100003 + from + i, now_ns);
    }
}

void sw_lg_payload_metrics(
    struct sw_lg_bytes *out,
    const struct sw_lg_form *form,
    uint32_t count,
    uint64_t epoch_ns,
    uint32_t number
)
{
    put_request(out, form, count, epoch_ns, number, put_metrics);
}

void sw_lg_payload_logs(
    struct sw_lg_bytes *out,
    const struct sw_lg_form *form,
    uint32_t count,
    uint64_t epoch_ns,
    uint32_t number
)
{
    put_request(out, form, count, epoch_ns, number, put_records);
}
