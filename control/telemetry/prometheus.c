#include "control/telemetry/prometheus.h"

#include "control/telemetry/prometheus_internal.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* A series, ready to be sorted. Labels and family belong to the registry. */
struct row {
    char *name; // with suffixes, before escaping
    struct sw_metric_sample sample;
    uint64_t *buckets;
};

struct rows {
    struct row *items;
    size_t count;
    size_t capacity;
    bool suffixes;
    bool ours; // spanweir_… too
    int level;
    bool failed;
};

/* ---- writing ---- */

struct writer {
    const struct sw_page *page;
    struct sw_string *text;
    enum sw_page_escaping escaping;
    const struct sw_label **constant; // resource attributes on every series
    unsigned constant_count;
    bool scope;
    const struct sw_label **merged; // room for the labels of one series
};

// Needs quotes on an UTF-8 page.
static bool quoted(const struct writer *w, const char *name, bool label)
{
    return w->escaping == SW_ALLOW_UTF8 && !sw_page_is_legacy(name, label);
}

static void put_escaped(struct sw_string *text, const char *value, bool quotes)
{
    for (const char *at = value; *at != '\0'; at++) {
        if (*at == '\\') {
            sw_string_put(text, "\\\\");
        } else if (*at == '\n') {
            sw_string_put(text, "\\n");
        } else if (*at == '"' && quotes) {
            sw_string_put(text, "\\\"");
        } else {
            sw_string_putc(text, *at);
        }
    }
}

static void put_family_name(const struct writer *w, const char *name, const char *suffix)
{
    if (quoted(w, name, false)) {
        sw_string_putc(w->text, '"');
        put_escaped(w->text, name, true);
        sw_string_put(w->text, suffix);
        sw_string_putc(w->text, '"');
    } else {
        sw_page_put_name(w->text, name, suffix, false, w->escaping);
    }
}

static void put_head(const struct writer *w, const char *name, const char *help, const char *type)
{
    sw_string_put(w->text, "# HELP ");
    put_family_name(w, name, "");
    sw_string_putc(w->text, ' ');
    put_escaped(w->text, help, false);
    sw_string_put(w->text, "\n# TYPE ");
    put_family_name(w, name, "");
    sw_string_format(w->text, " %s\n", type);
}

static void put_label(const struct writer *w, const char *name, const char *value, bool first)
{
    if (!first) {
        sw_string_putc(w->text, ',');
    }
    if (quoted(w, name, true)) {
        sw_string_putc(w->text, '"');
        put_escaped(w->text, name, true);
        sw_string_putc(w->text, '"');
    } else {
        sw_page_put_name(w->text, name, "", true, w->escaping);
    }
    sw_string_put(w->text, "=\"");
    put_escaped(w->text, value, true);
    sw_string_putc(w->text, '"');
}

// A sample's line up to its value. `le` is NULL or the last label.
static void put_series(
    const struct writer *w,
    const char *name,
    const char *suffix,
    unsigned labels_count,
    const char *le
)
{
    bool inside = quoted(w, name, false); // {"the.name",label="value"}
    bool first = true;
    if (!inside) {
        put_family_name(w, name, suffix);
    }
    if (inside || labels_count > 0 || le != NULL) {
        sw_string_putc(w->text, '{');
        if (inside) {
            put_family_name(w, name, suffix);
            first = false;
        }
        for (unsigned i = 0; i < labels_count; i++) {
            put_label(w, w->merged[i]->name, w->merged[i]->value, first);
            first = false;
        }
        if (le != NULL) {
            put_label(w, "le", le, first);
        }
        sw_string_putc(w->text, '}');
    }
    sw_string_putc(w->text, ' ');
}

static void put_value(const struct writer *w, double value)
{
    sw_string_float(w->text, value);
    sw_string_putc(w->text, '\n');
}

static void put_histogram(const struct writer *w, const struct row *row, unsigned labels_count)
{
    const struct sw_metric_family *family = row->sample.family;
    uint64_t count = 0;
    for (unsigned i = 0; i <= family->bounds_count; i++) {
        count += row->buckets[i];
        struct sw_string bound = {0};
        if (i < family->bounds_count) {
            sw_string_float(&bound, family->bounds[i]);
        } else {
            sw_string_put(&bound, "+Inf");
        }
        w->text->failed |= bound.failed;
        put_series(w, row->name, "_bucket", labels_count, bound.failed ? "" : bound.data);
        put_value(w, (double)count);
        sw_string_fini(&bound);
    }
    put_series(w, row->name, "_sum", labels_count, NULL);
    put_value(w, row->sample.sum);
    put_series(w, row->name, "_count", labels_count, NULL);
    put_value(w, (double)count);
}

static void add_label(struct writer *w, unsigned *count, const struct sw_label *label)
{
    unsigned at = *count;
    while (at > 0 && strcmp(w->merged[at - 1]->name, label->name) > 0) {
        w->merged[at] = w->merged[at - 1];
        at--;
    }
    w->merged[at] = label;
    (*count)++;
}

#define SCOPE_LABELS 3

static void put_row(struct writer *w, const struct row *row)
{
    const struct sw_label scope[SCOPE_LABELS] = {
        {"otel_scope_name", sw_page_scope(row->sample.family->name)},
        {"otel_scope_schema_url", ""},
        {"otel_scope_version", ""},
    };
    unsigned count = 0;
    for (unsigned i = 0; i < row->sample.labels_count; i++) {
        add_label(w, &count, &row->sample.labels[i]);
    }
    for (unsigned i = 0; i < w->constant_count; i++) {
        add_label(w, &count, w->constant[i]);
    }
    for (unsigned i = 0; w->scope && i < SCOPE_LABELS; i++) {
        add_label(w, &count, &scope[i]);
    }
    if (row->sample.family->type == SW_HISTOGRAM) {
        put_histogram(w, row, count);
    } else {
        put_series(w, row->name, "", count, NULL);
        put_value(w, row->sample.value);
    }
}

static void put_target_info(struct writer *w)
{
    const struct sw_resource *resource = w->page->resource;
    put_head(w, "target_info", "Target metadata", "gauge");
    unsigned count = 0;
    for (unsigned i = 0; i < resource->labels_count; i++) {
        add_label(w, &count, &resource->labels[i]);
    }
    put_series(w, "target_info", "", count, NULL);
    put_value(w, 1);
}

static void put_handler_errors(struct writer *w)
{
    static const char name[] = "promhttp_metric_handler_errors_total";
    static const struct sw_label causes[] = {{"cause", "encoding"}, {"cause", "gathering"}};
    put_head(
        w,
        name,
        "Total number of internal errors encountered by the promhttp metric handler.",
        "counter"
    );
    for (size_t i = 0; i < SW_ARRAY_SIZE(causes); i++) {
        unsigned count = 0;
        add_label(w, &count, &causes[i]);
        put_series(w, name, "", count, NULL);
        put_value(w, 0); // we fail as a whole, with 500
    }
}

/* ---- gathering ---- */

static void free_rows(struct rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        sw_free(rows->items[i].name);
        sw_free(rows->items[i].buckets);
    }
    sw_free(rows->items);
}

static bool is_ours(const struct sw_metric_family *family)
{
    static const char prefix[] = "spanweir_";
    return strncmp(family->name, prefix, sizeof(prefix) - 1) == 0;
}

static void gather(void *context, const struct sw_metric_sample *sample)
{
    struct rows *rows = context;
    if (rows->failed || (int)sample->family->level > rows->level
        || (!rows->ours && is_ours(sample->family))) {
        return;
    }
    if (rows->count == rows->capacity) {
        size_t capacity = SW_MAX(rows->capacity * 2, (size_t)64);
        struct row *items = sw_realloc(rows->items, capacity * sizeof(*items));
        if (items == NULL) {
            rows->failed = true;
            return;
        }
        rows->items = items;
        rows->capacity = capacity;
    }
    struct row row = {
        .sample = *sample, .name = sw_page_family_name(sample->family, rows->suffixes)};
    if (sample->buckets != NULL) {
        size_t size = (sample->family->bounds_count + 1) * sizeof(uint64_t);
        row.buckets = sw_alloc(size);
        if (row.buckets != NULL) {
            memcpy(row.buckets, sample->buckets, size);
        }
    }
    if (row.name == NULL || (sample->buckets != NULL && row.buckets == NULL)) {
        sw_free(row.name);
        sw_free(row.buckets);
        rows->failed = true;
        return;
    }
    rows->items[rows->count++] = row;
}

// client_golang: families by name; in one, by number of labels, then by their values.
static int compare_rows(const void *a_, const void *b_)
{
    const struct row *a = a_;
    const struct row *b = b_;
    int order = strcmp(a->name, b->name);
    if (order != 0) {
        return order;
    }
    if (a->sample.labels_count != b->sample.labels_count) {
        return a->sample.labels_count < b->sample.labels_count ? -1 : 1;
    }
    for (unsigned i = 0; order == 0 && i < a->sample.labels_count; i++) {
        order = strcmp(a->sample.labels[i].value, b->sample.labels[i].value);
    }
    return order;
}

static bool list_has(const struct sw_value *map, const char *key, const char *name, bool *ret_empty)
{
    const struct sw_value_entry *entries = map->list.items;
    *ret_empty = true;
    for (size_t i = 0; i < map->list.count; i++) {
        if (strcmp(entries[i].key, key) != 0 || entries[i].value.kind != SW_VALUE_LIST) {
            continue;
        }
        const struct sw_value *items = entries[i].value.list.items;
        for (size_t n = 0; n < entries[i].value.list.count; n++) {
            *ret_empty = false;
            if (items[n].kind == SW_VALUE_STRING && strcmp(items[n].string, name) == 0) {
                return true;
            }
        }
    }
    return false;
}

// opentelemetry-go-contrib otelconf, newIncludeExcludeFilter: names are exact.
static bool is_constant_label(const struct sw_value *filter, const char *name)
{
    bool empty;
    if (filter->kind != SW_VALUE_MAP || list_has(filter, "excluded", name, &empty)) {
        return false;
    }
    return list_has(filter, "included", name, &empty) || empty;
}

static void choose_constant_labels(struct writer *w)
{
    const struct sw_resource *resource = w->page->resource;
    for (unsigned i = 0; i < resource->labels_count; i++) {
        const struct sw_label *label = &resource->labels[i];
        if (is_constant_label(&w->page->reader->with_resource_constant_labels, label->name)) {
            w->constant[w->constant_count++] = label;
        }
    }
}

static unsigned most_labels(const struct rows *rows)
{
    unsigned most = 1;
    for (size_t i = 0; i < rows->count; i++) {
        most = SW_MAX(most, rows->items[i].sample.labels_count);
    }
    return most;
}

static const char *const type_words[] = {
    [SW_COUNTER] = "counter",
    [SW_GAUGE] = "gauge",
    [SW_HISTOGRAM] = "histogram",
};

// The families that are not in the registry stand where their names belong.
static void put_families(struct writer *w, const struct rows *rows)
{
    bool errors_due = true;
    bool info_due = true;
    for (size_t i = 0; i <= rows->count; i++) {
        const struct row *row = i < rows->count ? &rows->items[i] : NULL;
        if (errors_due && (row == NULL || strcmp(row->name, "promhttp") > 0)) {
            put_handler_errors(w);
            errors_due = false;
        }
        if (info_due && (row == NULL || strcmp(row->name, "target_info") > 0)) {
            put_target_info(w);
            info_due = false;
        }
        if (row == NULL) {
            break;
        }
        if (i == 0 || strcmp(row->name, rows->items[i - 1].name) != 0) {
            const struct sw_metric_family *family = row->sample.family;
            put_head(w, row->name, family->help, type_words[family->type]);
        }
        put_row(w, row);
    }
}

void sw_page_write(
    const struct sw_page *page,
    enum sw_page_scope scope,
    enum sw_page_escaping escaping,
    struct sw_string *text
)
{
    const struct sw_pull_reader_conf *reader = page->reader;
    struct rows rows = {
        .suffixes = !reader->without_type_suffix || !reader->without_units,
        .ours = scope == SW_PAGE_ALL,
        .level = page->level,
    };
    if (page->refresh != NULL) {
        page->refresh(page->context);
    }
    sw_metrics_each(page->metrics, gather, &rows);
    if (rows.count > 0) {
        qsort(rows.items, rows.count, sizeof(*rows.items), compare_rows);
    }
    unsigned constant_max = page->resource->labels_count;
    unsigned merged_max = most_labels(&rows) + constant_max + SCOPE_LABELS;
    struct writer writer = {
        .page = page,
        .text = text,
        .escaping = escaping,
        .scope = !reader->without_scope_info,
        .constant = sw_alloc(constant_max * sizeof(*writer.constant)),
        .merged = sw_alloc(merged_max * sizeof(*writer.merged)),
    };
    if (rows.failed || writer.constant == NULL || writer.merged == NULL) {
        text->failed = true;
    } else {
        choose_constant_labels(&writer);
        put_families(&writer, &rows);
    }
    sw_free(writer.constant);
    sw_free(writer.merged);
    free_rows(&rows);
}

/* ---- serving ---- */

void sw_page_handle(
    void *context,
    const struct sw_admin_request *request,
    struct sw_admin_reply *reply
)
{
    const struct sw_page *page = context;
    bool all = strcmp(request->path, "/metrics/all") == 0;
    if (!all && strcmp(request->path, "/metrics") != 0) {
        sw_admin_not_found(reply);
        return;
    }
    enum sw_page_escaping escaping = sw_page_negotiate(request->accept);
    reply->content_type = sw_page_content_type(escaping);
    sw_page_write(page, all ? SW_PAGE_ALL : SW_PAGE_COLLECTOR, escaping, &reply->body);
}
