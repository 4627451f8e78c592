/* The process's own log, in the Collector's two shapes (v0.159, zap): a console line
 *
 *   2025-10-20T12:57:00.900Z<TAB>info<TAB>service/service.c:320<TAB>Text.<TAB>{"resource": {…}, "key": "value"}
 *
 * or one JSON object per line. Lines are thinned out by level and message as zap's sampler does it.
 *
 * Control thread only. Writing never waits: a pipe or terminal that takes no more fills a bounded
 * backlog, then lines are dropped whole and counted, and the first line that gets through says how
 * many. Regular files are written at once. */
#ifndef SW_TELEMETRY_LOG_H
#define SW_TELEMETRY_LOG_H

#include "control/conf/service_conf.h"
#include "control/telemetry/resource.h"
#include "control/telemetry/text.h"

#include <stdint.h>

enum sw_log_field_kind {
    SW_LOG_TEXT,
    SW_LOG_INTEGER,
    SW_LOG_NUMBER,
};

/** One key of a line; borrowed while it is written. */
struct sw_log_field {
    const char *key;
    enum sw_log_field_kind kind;
    union {
        struct {
            const char *data;
            size_t len;
        } text;
        int64_t integer;
        double number;
    };
};

static inline struct sw_log_field sw_log_text_of_len(const char *key, const char *data, size_t len)
{
    struct sw_log_field field = {.key = key, .kind = SW_LOG_TEXT};
    field.text.data = data;
    field.text.len = len;
    return field;
}

static inline struct sw_log_field sw_log_text(const char *key, const char *value)
{
    return sw_log_text_of_len(key, value, __builtin_strlen(value));
}

static inline struct sw_log_field sw_log_integer(const char *key, int64_t value)
{
    return (struct sw_log_field){.key = key, .kind = SW_LOG_INTEGER, .integer = value};
}

static inline struct sw_log_field sw_log_number(const char *key, double value)
{
    return (struct sw_log_field){.key = key, .kind = SW_LOG_NUMBER, .number = value};
}

struct sw_log_line {
    uint64_t wall_ns; /**< also the sampler's clock */
    enum sw_log_level level;
    const char *caller; /**< file and line, or who speaks: "exporter/otlp"; a longer path is cut to
                             its last two parts; NULL: none */
    const char *message;
    size_t message_len; /**< 0: up to its NUL */
    bool is_data;       /**< the message is what a user asked to see: no sampling */
    const struct sw_log_field *fields;
    unsigned fields_count;
};

/** Where the caller stands, for sw_log_line.caller. */
#define SW_LOG_LINE_TEXT_(line) #line
#define SW_LOG_LINE_TEXT(line)  SW_LOG_LINE_TEXT_(line)
#define SW_LOG_HERE             __FILE__ ":" SW_LOG_LINE_TEXT(__LINE__)

struct sw_log;

/** Opens the outputs of service::telemetry::logs.
 *
 * @param conf      borrowed, outlives the log
 * @param resource  on every line unless disable_zap_resource; borrowed until return
 * @param error     which output cannot be opened and why, NUL-terminated
 * @return 0, SW_E_NOMEM, SW_E_SYSTEM
 */
SW_CHECKED int sw_log_new(
    const struct sw_service_conf *conf,
    const struct sw_resource *resource,
    struct sw_log **ret_log,
    char *error,
    size_t error_size
);

/** Waits a moment (half a second at most) for what the outputs still owe, then closes them. NULL is
 * legal. */
void sw_log_free(struct sw_log *log);

/** Would a line of this level be written (before sampling)? */
bool sw_log_enabled(const struct sw_log *log, enum sw_log_level level);

/** Writes a line to all outputs, unless its level or the sampler says no. */
void sw_log_write(struct sw_log *log, const struct sw_log_line *line);

/** Tries again what did not fit before; once in a while. */
void sw_log_flush(struct sw_log *log);

/** Lines that were dropped because an output took no more, since the start. */
uint64_t sw_log_dropped_count(const struct sw_log *log);

/** Adds the line as it would be written, with its line end; for tests. */
void sw_log_format(
    const struct sw_log *log,
    const struct sw_log_line *line,
    struct sw_string *text
);

#endif
