#include "control/telemetry/log.h"

#include "control/telemetry/log_output_internal.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LEVELS_COUNT (SW_LOG_FATAL + 1)

// zap's sampler: so many counters a level; messages that meet in one are thinned out together.
#define COUNTERS_COUNT 4096u

struct counter {
    uint64_t resets_ns;
    uint64_t count;
};

struct sw_log {
    const struct sw_service_conf *conf;
    struct sw_string context; // initial_fields and resource, as they stand on each line
    struct sw_string line;    // room for one, used again and again
    struct counter *counters; // [level][message], NULL without sampling
    struct sw_log_outputs outputs;
};

static const char *const level_words[LEVELS_COUNT] = {
    "debug",
    "info",
    "warn",
    "error",
    "dpanic",
    "panic",
    "fatal",
};

/* ---- sampling ---- */

// FNV-1a, 32 bits, as zap hashes messages.
static uint32_t hash_of(const char *text, size_t len)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (uint8_t)text[i]) * 16777619u;
    }
    return hash;
}

static size_t message_len(const struct sw_log_line *line)
{
    return line->message_len > 0 ? line->message_len : strlen(line->message);
}

// zapcore, sampler.Check: the first `initial` of a tick, then every `thereafter`-th.
static bool is_sampled_out(struct sw_log *log, const struct sw_log_line *line)
{
    if (log->counters == NULL || line->is_data) {
        return false;
    }
    __typeof__(log->conf->telemetry.logs.sampling) const *conf =
        &log->conf->telemetry.logs.sampling;
    size_t slot = hash_of(line->message, message_len(line)) % COUNTERS_COUNT;
    struct counter *counter = &log->counters[(size_t)line->level * COUNTERS_COUNT + slot];
    if (line->wall_ns >= counter->resets_ns) {
        counter->resets_ns = line->wall_ns + (uint64_t)conf->tick_ns;
        counter->count = 0;
    }
    counter->count++;
    uint64_t initial = conf->initial > 0 ? (uint64_t)conf->initial : 0;
    if (counter->count <= initial) {
        return false;
    }
    return conf->thereafter <= 0 || (counter->count - initial) % (uint64_t)conf->thereafter != 0;
}

/* ---- one line ---- */

static bool is_json(const struct sw_log *log)
{
    return log->conf->telemetry.logs.encoding == SW_LOG_JSON;
}

// zap's console lines have a blank after commas and colons, its JSON lines have none.
static void put_comma(const struct sw_log *log, struct sw_string *text)
{
    sw_string_put(text, is_json(log) ? "," : ", ");
}

static void put_key(const struct sw_log *log, struct sw_string *text, const char *key)
{
    sw_string_json(text, key, strlen(key));
    sw_string_put(text, is_json(log) ? ":" : ": ");
}

static void put_number(struct sw_string *text, double value)
{
    if (isfinite(value)) {
        sw_string_float(text, value);
    } else { // no number of JSON
        sw_string_putc(text, '"');
        sw_string_float(text, value);
        sw_string_putc(text, '"');
    }
}

static void
put_field(const struct sw_log *log, struct sw_string *text, const struct sw_log_field *field)
{
    put_key(log, text, field->key);
    switch (field->kind) {
    case SW_LOG_TEXT:
        sw_string_json(text, field->text.data, field->text.len);
        break;
    case SW_LOG_INTEGER:
        sw_string_format(text, "%lld", (long long)field->integer);
        break;
    case SW_LOG_NUMBER:
        put_number(text, field->number);
        break;
    }
}

// ISO 8601 with milliseconds and the local offset, "Z" in UTC.
static void put_time(struct sw_string *text, uint64_t wall_ns)
{
    char date[32];
    char zone[8];
    time_t seconds = (time_t)(wall_ns / SW_NS_PER_S);
    struct tm tm;
    localtime_r(&seconds, &tm);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
    strftime(zone, sizeof(zone), "%z", &tm);
    unsigned ms = (unsigned)(wall_ns % SW_NS_PER_S / SW_NS_PER_MS);
    sw_string_format(text, "%s.%03u%s", date, ms, tm.tm_gmtoff == 0 ? "Z" : zone);
}

// The last folder and the file, as zap's short caller.
static const char *short_caller(const char *caller)
{
    const char *last = strrchr(caller, '/');
    for (const char *at = last; at != NULL && at > caller; at--) {
        if (at[-1] == '/') {
            return at;
        }
    }
    return caller;
}

static void put_fields(
    const struct sw_log *log,
    const struct sw_log_line *line,
    struct sw_string *text,
    bool first
)
{
    if (log->context.len > 0) {
        if (!first) {
            put_comma(log, text);
        }
        sw_string_add(text, log->context.data, log->context.len);
        first = false;
    }
    for (unsigned i = 0; i < line->fields_count; i++) {
        if (!first) {
            put_comma(log, text);
        }
        put_field(log, text, &line->fields[i]);
        first = false;
    }
}

static const char *caller_of(const struct sw_log *log, const struct sw_log_line *line)
{
    bool wanted = line->caller != NULL && !log->conf->telemetry.logs.disable_caller;
    return wanted ? short_caller(line->caller) : NULL;
}

static void
format_json(const struct sw_log *log, const struct sw_log_line *line, struct sw_string *text)
{
    const char *caller = caller_of(log, line);
    sw_string_format(text, "{\"level\":\"%s\",\"ts\":\"", level_words[line->level]);
    put_time(text, line->wall_ns);
    sw_string_put(text, "\",");
    if (caller != NULL) {
        put_key(log, text, "caller");
        sw_string_json(text, caller, strlen(caller));
        sw_string_putc(text, ',');
    }
    put_key(log, text, "msg");
    sw_string_json(text, line->message, message_len(line));
    put_fields(log, line, text, false);
    sw_string_put(text, "}\n");
}

static void
format_console(const struct sw_log *log, const struct sw_log_line *line, struct sw_string *text)
{
    const char *caller = caller_of(log, line);
    put_time(text, line->wall_ns);
    sw_string_format(text, "\t%s\t", level_words[line->level]);
    if (caller != NULL) {
        sw_string_format(text, "%s\t", caller);
    }
    sw_string_add(text, line->message, message_len(line));
    if (log->context.len > 0 || line->fields_count > 0) {
        sw_string_put(text, "\t{");
        put_fields(log, line, text, true);
        sw_string_putc(text, '}');
    }
    sw_string_putc(text, '\n');
}

void sw_log_format(const struct sw_log *log, const struct sw_log_line *line, struct sw_string *text)
{
    SW_ASSERT(line->level < LEVELS_COUNT);
    if (is_json(log)) {
        format_json(log, line, text);
    } else {
        format_console(log, line, text);
    }
}

/* ---- what stands on each line ---- */

static int compare_entries(const void *a, const void *b)
{
    const struct sw_value_entry *const *left = a;
    const struct sw_value_entry *const *right = b;
    return strcmp((*left)->key, (*right)->key);
}

static void
put_value(const struct sw_log *log, struct sw_string *text, const struct sw_value *value);

// Keys in order, as Go writes a map.
static void
put_entries(const struct sw_log *log, struct sw_string *text, const struct sw_value *map)
{
    struct sw_value_entry *entries = map->list.items;
    size_t count = map->list.count;
    const struct sw_value_entry **sorted = sw_alloc(count * sizeof(*sorted));
    if (sorted == NULL) {
        text->failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        sorted[i] = &entries[i];
    }
    qsort(sorted, count, sizeof(*sorted), compare_entries);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            put_comma(log, text);
        }
        put_key(log, text, sorted[i]->key);
        put_value(log, text, &sorted[i]->value);
    }
    sw_free(sorted);
}

static void
put_value(const struct sw_log *log, struct sw_string *text, const struct sw_value *value)
{
    switch (value->kind) {
    case SW_VALUE_NULL:
        sw_string_put(text, "null");
        break;
    case SW_VALUE_BOOL:
        sw_string_put(text, value->boolean ? "true" : "false");
        break;
    case SW_VALUE_INT:
        sw_string_format(text, "%lld", (long long)value->integer);
        break;
    case SW_VALUE_DOUBLE:
        put_number(text, value->number);
        break;
    case SW_VALUE_STRING:
        sw_string_json(text, value->string, strlen(value->string));
        break;
    case SW_VALUE_LIST: {
        const struct sw_value *items = value->list.items;
        sw_string_putc(text, '[');
        for (size_t i = 0; i < value->list.count; i++) {
            if (i > 0) {
                put_comma(log, text);
            }
            put_value(log, text, &items[i]);
        }
        sw_string_putc(text, ']');
        break;
    }
    case SW_VALUE_MAP:
        sw_string_putc(text, '{');
        put_entries(log, text, value);
        sw_string_putc(text, '}');
        break;
    }
}

static void put_resource(struct sw_log *log, const struct sw_resource *resource)
{
    struct sw_string *text = &log->context;
    if (text->len > 0) {
        put_comma(log, text);
    }
    put_key(log, text, "resource");
    sw_string_putc(text, '{');
    for (unsigned i = 0; i < resource->labels_count; i++) {
        const struct sw_label *label = &resource->labels[i];
        if (i > 0) {
            put_comma(log, text);
        }
        put_key(log, text, label->name);
        sw_string_json(text, label->value, strlen(label->value));
    }
    sw_string_putc(text, '}');
}

static int make_context(struct sw_log *log, const struct sw_resource *resource)
{
    const struct sw_value *fields = &log->conf->telemetry.logs.initial_fields;
    if (fields->kind == SW_VALUE_MAP && fields->list.count > 0) {
        put_entries(log, &log->context, fields);
    }
    if (!log->conf->telemetry.logs.disable_zap_resource) {
        put_resource(log, resource);
    }
    return log->context.failed ? SW_E_NOMEM : SW_OK;
}

/* ---- the log ---- */

int sw_log_new(
    const struct sw_service_conf *conf,
    const struct sw_resource *resource,
    struct sw_log **ret_log,
    char *error,
    size_t error_size
)
{
    struct sw_log *log = sw_zalloc(sizeof(*log));
    if (log == NULL) {
        return SW_E_NOMEM;
    }
    log->conf = conf;
    int err = make_context(log, resource);
    if (err == SW_OK && conf->telemetry.logs.sampling.enabled) {
        log->counters = sw_zalloc(LEVELS_COUNT * COUNTERS_COUNT * sizeof(struct counter));
        err = log->counters != NULL ? SW_OK : SW_E_NOMEM;
    }
    if (err == SW_OK) {
        err = sw_log_outputs_open(
            &log->outputs,
            &conf->telemetry.logs.output_paths,
            &conf->telemetry.logs.error_output_paths,
            error,
            error_size
        );
    }
    if (err != SW_OK) {
        sw_log_free(log);
        return err;
    }
    *ret_log = log;
    return SW_OK;
}

void sw_log_free(struct sw_log *log)
{
    if (log != NULL) {
        sw_log_outputs_close(&log->outputs);
        sw_string_fini(&log->context);
        sw_string_fini(&log->line);
        sw_free(log->counters);
        sw_free(log);
    }
}

bool sw_log_enabled(const struct sw_log *log, enum sw_log_level level)
{
    return (int)level >= log->conf->telemetry.logs.level;
}

// What got lost is told as soon as anything gets through again.
static void tell_dropped(struct sw_log *log, uint64_t wall_ns)
{
    uint64_t count = sw_log_outputs_take_dropped(&log->outputs);
    if (count > 0) {
        struct sw_log_field field = sw_log_integer("dropped_lines", (int64_t)count);
        struct sw_log_line line = {
            .wall_ns = wall_ns,
            .level = SW_LOG_WARN,
            .caller = SW_LOG_HERE,
            .message = "Log output took no more, lines were dropped",
            .fields = &field,
            .fields_count = 1,
        };
        sw_string_reset(&log->line);
        sw_log_format(log, &line, &log->line);
        if (!log->line.failed) {
            sw_log_outputs_write(&log->outputs, log->line.data, log->line.len);
        }
    }
}

void sw_log_write(struct sw_log *log, const struct sw_log_line *line)
{
    if (!sw_log_enabled(log, line->level) || is_sampled_out(log, line)) {
        return;
    }
    sw_log_flush(log);
    tell_dropped(log, line->wall_ns);
    sw_string_reset(&log->line);
    sw_log_format(log, line, &log->line);
    if (log->line.failed) {
        sw_log_outputs_drop(&log->outputs);
        return;
    }
    sw_log_outputs_write(&log->outputs, log->line.data, log->line.len);
}

void sw_log_flush(struct sw_log *log)
{
    sw_log_outputs_flush(&log->outputs);
}

uint64_t sw_log_dropped_count(const struct sw_log *log)
{
    return log->outputs.dropped_count;
}
