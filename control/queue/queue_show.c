/* What is only shown: ls, peek, verify, export. */
#include "control/queue/queue_internal.h"
#include "dataplane/base/clock.h"
#include "dataplane/otlp/attribute.h"
#include "dataplane/otlp/client.h"
#include "dataplane/otlp/json.h"
#include "dataplane/otlp/span.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

static void time_text(uint64_t wall_ns, char *text, size_t size)
{
    time_t seconds = (time_t)(wall_ns / SW_NS_PER_S);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t at = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + at, size - at, ".%03uZ", (unsigned)(wall_ns / SW_NS_PER_MS % 1000));
}

static void json_text(struct sw_string *out, const char *key, const char *value)
{
    sw_string_format(out, "\"%s\": ", key);
    sw_string_json(out, value, strlen(value));
}

/* ---- ls ---- */

static void
ls_json(struct sw_string *out, bool first, const char *store, const struct sw_inspect_queue *queue)
{
    char oldest[64] = "";
    sw_string_put(out, first ? "\n  {" : ",\n  {");
    json_text(out, "store", store);
    sw_string_put(out, ", ");
    json_text(out, "exporter", queue->exporter);
    sw_string_put(out, ", ");
    json_text(out, "signal", sw_signal_name(queue->signal));
    sw_string_format(
        out,
        ", \"requests\": %" PRIu64 ", \"items\": %" PRIu64 ", \"bytes\": %" PRIu64
        ", \"under_way\": %" PRIu64,
        queue->requests,
        queue->items,
        queue->bytes,
        queue->under_way
    );
    if (queue->oldest_wall_ns > 0) {
        time_text(queue->oldest_wall_ns, oldest, sizeof(oldest));
        sw_string_put(out, ", ");
        json_text(out, "oldest", oldest);
    }
    sw_string_put(out, "}");
}

static void ls_text(struct sw_string *out, const char *store, const struct sw_inspect_queue *queue)
{
    char oldest[64] = "-";
    if (queue->oldest_wall_ns > 0) {
        time_text(queue->oldest_wall_ns, oldest, sizeof(oldest));
    }
    sw_string_format(
        out,
        "%-20s %-20s %-8s %10" PRIu64 " %12" PRIu64 " %14" PRIu64 " %9" PRIu64 "  %s\n",
        store,
        queue->exporter,
        sw_signal_name(queue->signal),
        queue->requests,
        queue->items,
        queue->bytes,
        queue->under_way,
        oldest
    );
}

int sw_queue_ls(const struct options *options, const struct stores *stores)
{
    struct sw_string out = {0};
    int code = 0;
    bool first = true;
    if (options->json) {
        sw_string_put(&out, "{\"queues\": [");
    } else {
        sw_string_format(
            &out,
            "%-20s %-20s %-8s %10s %12s %14s %9s  %s\n",
            "STORE",
            "EXPORTER",
            "SIGNAL",
            "REQUESTS",
            "ITEMS",
            "BYTES",
            "UNDER WAY",
            "OLDEST"
        );
    }
    for (unsigned i = 0; i < stores->count; i++) {
        struct sw_inspect_queue queue;
        unsigned number = 0;
        struct sw_inspect *inspect = sw_queue_open(stores->paths[i]);
        code = inspect == NULL ? 1 : code;
        while (inspect != NULL && sw_inspect_queue(inspect, &number, &queue)) {
            if (!sw_queue_wanted(options, &queue)) {
                continue;
            }
            if (options->json) {
                ls_json(&out, first, stores->ids[i], &queue);
            } else {
                ls_text(&out, stores->ids[i], &queue);
            }
            first = false;
        }
        sw_inspect_close(inspect);
    }
    if (options->json) {
        sw_string_put(&out, first ? "]}\n" : "\n]}\n");
    }
    sw_queue_print(&out, stdout);
    sw_string_fini(&out);
    return code;
}

/* ---- every record ---- */

typedef int visit_fn(
    void *context,
    const struct sw_inspect_queue *queue,
    uint64_t seq,
    const struct sw_record *record // NULL: it is damaged
);

// @return the first result that is not 0
static int each_record(
    const struct options *options,
    const struct stores *stores,
    uint64_t limit,
    visit_fn *visit,
    void *context
)
{
    int code = 0;
    for (unsigned i = 0; i < stores->count; i++) {
        struct sw_inspect_queue queue;
        unsigned number = 0;
        struct sw_inspect *inspect = sw_queue_open(stores->paths[i]);
        code = inspect == NULL ? 1 : code;
        while (inspect != NULL && sw_inspect_queue(inspect, &number, &queue)) {
            struct sw_record record;
            uint64_t seq = 0;
            int err;
            for (uint64_t k = 0; sw_queue_wanted(options, &queue) && k < limit; k++) {
                err = sw_inspect_next(inspect, number, &seq, &record);
                if (err == SW_E_NOT_FOUND) {
                    break;
                }
                int result = visit(context, &queue, seq - 1, err == SW_OK ? &record : NULL);
                code = code == 0 ? result : code;
            }
        }
        sw_inspect_close(inspect);
    }
    return code;
}

/* ---- peek ---- */

// Of the first resource; "" when it has none.
static void service_name(const struct sw_record *record, char *text, size_t size)
{
    static const char name[] = "service.name";
    struct sw_pb_reader outer;
    struct sw_pb_reader inner;
    struct sw_pb_field resource;
    struct sw_pb_field field;
    struct sw_any value;
    text[0] = '\0';
    sw_pb_reader_init(&outer, record->request);
    if (!sw_pb_next(&outer, &resource)) {
        return;
    }
    sw_pb_reader_init(&inner, resource.bytes);
    while (sw_pb_next(&inner, &field)) {
        struct sw_bytes key = {(const uint8_t *)name, strlen(name)};
        if (field.tag == SW_OTLP_TAG_RESOURCE
            && sw_attribute_find(field.bytes, SW_RESOURCE_ATTRIBUTES, key, &value)
            && value.type == SW_ANY_STRING) {
            snprintf(text, size, "%.*s", (int)value.bytes.size, (const char *)value.bytes.data);
            return;
        }
    }
}

static void client_address(const struct sw_record *record, char *text, size_t size)
{
    struct sw_client *client = NULL;
    text[0] = '\0';
    if (sw_record_client(record, NULL, &client) == SW_OK && client != NULL) {
        const struct sw_bytes *address = &client->address;
        snprintf(text, size, "%.*s", (int)address->size, (const char *)address->data);
    }
    sw_client_unref(client);
}

static int peek_one(
    void *context,
    const struct sw_inspect_queue *queue,
    uint64_t seq,
    const struct sw_record *record
)
{
    const struct options *options = context;
    struct sw_string out = {0};
    char when[64] = "";
    char service[128] = "";
    char client[128] = "";
    if (record != NULL) {
        time_text(record->accepted_wall_ns, when, sizeof(when));
        service_name(record, service, sizeof(service));
        client_address(record, client, sizeof(client));
    }
    if (options->json) {
        sw_string_put(&out, "{");
        json_text(&out, "exporter", queue->exporter);
        sw_string_put(&out, ", ");
        json_text(&out, "signal", sw_signal_name(queue->signal));
        sw_string_format(
            &out,
            ", \"sequence\": %" PRIu64 ", \"damaged\": %s",
            seq,
            record == NULL ? "true" : "false"
        );
        if (record != NULL) {
            sw_string_put(&out, ", ");
            json_text(&out, "accepted", when);
            sw_string_format(
                &out, ", \"items\": %u, \"bytes\": %zu, ", record->items_count, record->request.size
            );
            json_text(&out, "client", client);
            sw_string_put(&out, ", ");
            json_text(&out, "service", service);
        }
        sw_string_put(&out, "}\n");
    } else if (record == NULL) {
        sw_string_format(
            &out,
            "%s/%s #%" PRIu64 " is damaged\n",
            queue->exporter,
            sw_signal_name(queue->signal),
            seq
        );
    } else {
        sw_string_format(
            &out,
            "%s/%s #%" PRIu64 "  %s  %u items, %zu bytes%s%s%s%s\n",
            queue->exporter,
            sw_signal_name(queue->signal),
            seq,
            when,
            record->items_count,
            record->request.size,
            client[0] != '\0' ? ", from " : "",
            client,
            service[0] != '\0' ? ", service " : "",
            service
        );
    }
    sw_queue_print(&out, stdout);
    sw_string_fini(&out);
    return 0;
}

int sw_queue_peek(const struct options *options, const struct stores *stores)
{
    return each_record(options, stores, options->limit, peek_one, (void *)options);
}

/* ---- verify ---- */

struct verdict {
    const struct options *options;
    struct sw_string damages; // JSON
    uint64_t records;
    uint64_t damaged;
};

static int verify_one(
    void *context,
    const struct sw_inspect_queue *queue,
    uint64_t seq,
    const struct sw_record *record
)
{
    struct verdict *verdict = context;
    bool sound = record != NULL && record->signal == queue->signal && record->seq == seq;
    verdict->records++;
    if (sound) {
        return 0;
    }
    sw_string_put(&verdict->damages, verdict->damaged++ > 0 ? ", {" : "{");
    json_text(&verdict->damages, "exporter", queue->exporter);
    sw_string_put(&verdict->damages, ", ");
    json_text(&verdict->damages, "signal", sw_signal_name(queue->signal));
    sw_string_format(&verdict->damages, ", \"sequence\": %" PRIu64 "}", seq);
    if (!verdict->options->json) {
        printf(
            "%s/%s: request %" PRIu64 " is damaged\n",
            queue->exporter,
            sw_signal_name(queue->signal),
            seq
        );
    }
    return 1;
}

static void tell_pages(const struct options *options, const char *path, const char *why)
{
    uint64_t records;
    if (!options->json && sw_inspect_salvageable(path, &records) == SW_OK) {
        printf(
            "%s\n%" PRIu64 " requests can be found in it; the next start takes them over\n",
            why,
            records
        );
    }
}

int sw_queue_verify(const struct options *options, const struct stores *stores)
{
    struct verdict verdict = {.options = options};
    struct stores sound = {.count = 0};
    struct sw_string pages = {0};
    unsigned bad = 0;
    int code = 0;
    for (unsigned i = 0; i < stores->count; i++) {
        struct sw_inspect *inspect = NULL;
        char error[PATH_BYTES + 512] = "out of memory";
        int err = sw_inspect_open(stores->paths[i], &inspect, error, sizeof(error));
        sw_inspect_close(inspect);
        if (err == SW_OK) {
            memcpy(sound.paths[sound.count++], stores->paths[i], PATH_BYTES);
        } else if (err == SW_E_MALFORMED) {
            sw_string_put(&pages, bad++ > 0 ? ", " : "");
            sw_string_json(&pages, error, strlen(error));
            tell_pages(options, stores->paths[i], error);
        } else {
            code = sw_queue_fail("%s", error);
        }
    }
    int result = each_record(options, &sound, UINT64_MAX, verify_one, &verdict);
    if (options->json) {
        printf(
            "{\"requests\": %" PRIu64 ", \"damaged\": [%s], \"damaged_files\": [%s]}\n",
            verdict.records,
            verdict.damages.data != NULL ? verdict.damages.data : "",
            pages.data != NULL ? pages.data : ""
        );
    } else {
        printf("%" PRIu64 " requests, %" PRIu64 " damaged\n", verdict.records, verdict.damaged);
    }
    sw_string_fini(&verdict.damages);
    sw_string_fini(&pages);
    return code != 0 || result != 0 || bad > 0 ? 1 : 0;
}

/* ---- export ---- */

static int export_one(
    void *context,
    const struct sw_inspect_queue *queue,
    uint64_t seq,
    const struct sw_record *record
)
{
    if (record == NULL) {
        return sw_queue_fail(
            "%s/%s: request %" PRIu64 " is damaged and left out",
            queue->exporter,
            sw_signal_name(queue->signal),
            seq
        );
    }
    struct sw_json_writer *writer = sw_json_writer_new(record->signal, record->request, NULL);
    int err = writer != NULL ? SW_E_AGAIN : SW_E_NOMEM;
    while (err == SW_E_AGAIN) {
        err = sw_json_writer_step(writer, SIZE_MAX);
    }
    if (err == SW_OK) {
        struct sw_buf *json = sw_json_writer_take(writer);
        fwrite(json->data, 1, json->size, context);
        fputc('\n', context);
        sw_buf_unref(json);
    }
    sw_json_writer_free(writer);
    return err == SW_OK ? 0
                        : sw_queue_fail(
                            "%s/%s: request %" PRIu64 ": %s",
                            queue->exporter,
                            sw_signal_name(queue->signal),
                            seq,
                            sw_err_text(err)
                        );
}

int sw_queue_export(const struct options *options, const struct stores *stores)
{
    FILE *to = options->output != NULL ? fopen(options->output, "w") : stdout;
    if (to == NULL) {
        return sw_queue_fail("%s: %s", options->output, strerror(errno));
    }
    int code = each_record(options, stores, UINT64_MAX, export_one, to);
    if (fflush(to) != 0) {
        code = sw_queue_fail("cannot write: %s", strerror(errno));
    }
    if (to != stdout) {
        fclose(to);
    }
    return code;
}
