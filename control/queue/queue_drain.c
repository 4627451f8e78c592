/* drain: a configuration is made whose exporters have the queues of the store, and the process is run until those are
 * empty: the same queue, retry and connections as always. */
#include "control/queue/queue_internal.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/clock.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUEUES_MAX 256
#define BAR        30
#define EVERY_NS   (500 * SW_NS_PER_MS)

struct queues {
    struct sw_inspect_queue of[QUEUES_MAX];
    char names[QUEUES_MAX][32];
    const char *aliases[QUEUES_MAX][2];
    struct sw_queue_route routes[QUEUES_MAX];
    unsigned count;
    uint64_t total;
};

static int list(const struct options *options, const char *path, struct queues *queues)
{
    struct sw_inspect *inspect = sw_queue_open(path);
    unsigned number = 0;
    queues->count = 0;
    queues->total = 0;
    if (inspect == NULL) {
        return 1;
    }
    struct sw_inspect_queue *queue = &queues->of[0];
    while (queues->count < QUEUES_MAX && sw_inspect_queue(inspect, &number, queue)) {
        if (queue->requests == 0 || !sw_queue_wanted(options, queue)) {
            continue;
        }
        unsigned at = queues->count++;
        const char *type = options->http ? "otlp_http" : "otlp_grpc";
        snprintf(queues->names[at], sizeof(queues->names[0]), "%s/drain%u", type, at);
        queues->aliases[at][0] = queues->names[at];
        queues->aliases[at][1] = queue->exporter;
        queues->routes[at] = (struct sw_queue_route
        ){queues->names[at], queue->exporter, queue->signal, options->endpoint};
        queues->total += queue->requests;
        queue++;
    }
    sw_inspect_close(inspect);
    return 0;
}

static void put_key(struct sw_string *out, const char *key, const char *value)
{
    sw_string_format(out, "\"%s\": ", key);
    sw_string_json(out, value, strlen(value));
}

static void put_exporter(
    struct sw_string *out,
    const char *extension,
    const struct sw_queue_route *route,
    bool hand_over
)
{
    sw_string_format(out, "\"%s\": {", route->alias);
    put_key(out, "endpoint", route->endpoint);
    if (hand_over) {
        sw_string_put(out, ", \"headers\": {");
        put_key(out, "spanweir-exporter", route->exporter);
        sw_string_put(out, "}");
    }
    sw_string_put(
        out,
        ", \"tls\": {\"insecure\": true}, \"retry_on_failure\": {\"initial_interval\": \"200ms\", "
        "\"max_interval\": \"2s\", \"max_elapsed_time\": \"0s\"}, \"sending_queue\": "
        "{\"queue_size\": "
        "1000000000, "
    );
    put_key(out, "storage", extension);
    sw_string_put(out, "}}");
}

// JSON is YAML.
void sw_queue_config(
    struct sw_string *out,
    const char *extension,
    const char *directory,
    const struct sw_queue_route *routes,
    unsigned routes_count,
    bool hand_over
)
{
    sw_string_put(
        out, "yaml:{\"receivers\": {\"otlp\": {\"protocols\": {\"grpc\": {}}}}, \"extensions\": {"
    );
    sw_string_json(out, extension, strlen(extension));
    sw_string_put(out, ": {");
    put_key(out, "directory", directory);
    sw_string_put(out, "}}, \"exporters\": {");
    for (unsigned i = 0; i < routes_count; i++) {
        sw_string_put(out, i > 0 ? ", " : "");
        put_exporter(out, extension, &routes[i], hand_over);
    }
    sw_string_put(
        out,
        "}, \"service\": {\"telemetry\": {\"metrics\": {\"level\": \"none\"}, \"logs\": "
        "{\"level\": "
        "\"error\"}}, \"extensions\": ["
    );
    sw_string_json(out, extension, strlen(extension));
    sw_string_put(out, "], \"pipelines\": {");
    for (unsigned i = 0; i < routes_count; i++) {
        sw_string_format(
            out,
            "%s\"%s/%u\": {\"receivers\": [\"otlp\"], \"exporters\": [\"%s\"]}",
            i > 0 ? ", " : "",
            sw_signal_name(routes[i].signal),
            i,
            routes[i].alias
        );
    }
    sw_string_put(out, "}}}");
}

/* ---- progress ---- */

struct bar {
    const struct options *options;
    uint64_t total;
    uint64_t began_ns;
    uint64_t next_ns;
    bool terminal;
};

static void show(const struct bar *bar, uint64_t left, uint64_t refused)
{
    uint64_t done = bar->total - SW_MIN(left, bar->total);
    double seconds = (double)(sw_clock_ns() - bar->began_ns) / (double)SW_NS_PER_S;
    double rate = seconds > 0 ? (double)done / seconds : 0;
    if (bar->options->json) {
        printf(
            "{\"sent\": %" PRIu64 ", \"refused\": %" PRIu64 ", \"total\": %" PRIu64
            ", \"seconds\": %.1f}\n",
            done,
            refused,
            bar->total,
            seconds
        );
        fflush(stdout);
        return;
    }
    unsigned filled = bar->total > 0 ? (unsigned)(done * BAR / bar->total) : BAR;
    fprintf(
        stderr,
        "%s[%.*s%*s] %" PRIu64 " of %" PRIu64 " requests, %.0f a second, %" PRIu64 " refused%s",
        bar->terminal ? "\r" : "",
        (int)filled,
        "##############################",
        (int)(BAR - filled),
        "",
        done,
        bar->total,
        rate,
        refused,
        bar->terminal ? "" : "\n"
    );
    if (bar->terminal && rate > 0) {
        fprintf(stderr, ", %.0f s to go  ", (double)left / rate);
    }
    fflush(stderr);
}

static void on_progress(void *context, uint64_t left, uint64_t refused)
{
    struct bar *bar = context;
    if (sw_clock_ns() >= bar->next_ns) {
        bar->next_ns = sw_clock_ns() + (bar->terminal ? EVERY_NS : 10 * EVERY_NS);
        show(bar, left, refused);
    }
}

static int drain_store(
    const struct options *options,
    const char *id,
    const char *path,
    sw_queue_drain_fn *drain
)
{
    static struct queues queues; // large
    struct sw_string config = {0};
    int code = list(options, path, &queues);
    if (code != 0 || queues.count == 0) {
        return code;
    }
    char directory[PATH_BYTES];
    snprintf(directory, sizeof(directory), "%s", path);
    *strrchr(directory, '/') = '\0';
    sw_queue_config(&config, id, directory, queues.routes, queues.count, false);
    struct bar bar = {
        .options = options,
        .total = queues.total,
        .began_ns = sw_clock_ns(),
        .next_ns = sw_clock_ns() + EVERY_NS,
        .terminal = isatty(STDERR_FILENO) == 1 && !options->json,
    };
    const struct sw_queue_drain order = {
        .config = config.data,
        .aliases = (const char *const(*)[2])queues.aliases,
        .aliases_count = queues.count,
        .total = queues.total,
        .progress = on_progress,
        .context = &bar,
    };
    uint64_t left = queues.total;
    uint64_t refused = 0;
    code = config.failed ? sw_queue_fail("out of memory") : drain(&order, &left, &refused);
    show(&bar, left, refused);
    if (bar.terminal) {
        fputc('\n', stderr);
    }
    sw_string_fini(&config);
    if (code == 0 && left > 0) {
        code = sw_queue_fail(
            "%" PRIu64 " requests stay in %s, %" PRIu64 " of them were refused", left, path, refused
        );
    }
    return code;
}

int sw_queue_drain_all(
    const struct options *options,
    const struct stores *stores,
    sw_queue_drain_fn *drain
)
{
    int code = 0;
    for (unsigned i = 0; i < stores->count; i++) {
        int result = drain_store(options, stores->ids[i], stores->paths[i], drain);
        code = code == 0 ? result : code;
    }
    return code;
}
