/* How families and labels are called on a page, and how a scraper asks for it. */
#include "control/telemetry/prometheus_internal.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- names ---- */

static const char *unit_suffix(const char *unit)
{
    // otlptranslator's table, as far as units occur; {anything} and 1 add nothing.
    static const char *const table[][2] = {
        {"s", "seconds"},
        {"ms", "milliseconds"},
        {"us", "microseconds"},
        {"µs", "microseconds"},
        {"ns", "nanoseconds"},
        {"min", "minutes"},
        {"h", "hours"},
        {"d", "days"},
        {"By", "bytes"},
        {"KiBy", "kibibytes"},
        {"MiBy", "mebibytes"},
        {"%", "percent"},
    };
    if (unit == NULL || strchr(unit, '{') != NULL || strcmp(unit, "1") == 0) {
        return "";
    }
    for (size_t i = 0; i < SW_ARRAY_SIZE(table); i++) {
        if (strcmp(unit, table[i][0]) == 0) {
            return table[i][1];
        }
    }
    return unit;
}

static bool ends_with(const char *text, const char *end)
{
    size_t text_len = strlen(text);
    size_t end_len = strlen(end);
    return text_len >= end_len && strcmp(text + text_len - end_len, end) == 0;
}

// The suffix goes to the very end, where it may stand already.
static void cut_suffix(char *name, const char *suffix)
{
    size_t len = strlen(name);
    if (ends_with(name, suffix) && len > strlen(suffix) + 1) {
        name[len - strlen(suffix) - 1] = '\0';
    }
}

char *sw_page_family_name(const struct sw_metric_family *family, bool suffixes)
{
    if (!suffixes) {
        return sw_strdup(family->name);
    }
    const char *unit = unit_suffix(family->unit);
    const char *last = "";
    if (family->type == SW_COUNTER) {
        last = "total";
    } else if (family->type == SW_GAUGE && family->unit != NULL && strcmp(family->unit, "1") == 0) {
        last = "ratio";
    }
    char *name = sw_alloc(strlen(family->name) + strlen(unit) + strlen(last) + 3);
    if (name == NULL) {
        return NULL;
    }
    strcpy(name, family->name);
    if (last[0] != '\0') {
        cut_suffix(name, last);
    }
    if (unit[0] != '\0' && !ends_with(name, unit)) {
        strcat(strcat(name, "_"), unit);
    }
    if (last[0] != '\0') {
        strcat(strcat(name, "_"), last);
    }
    return name;
}

static bool is_legacy_char(char c, size_t at, bool label)
{
    return isalpha((unsigned char)c) || c == '_' || (c == ':' && !label)
           || (at > 0 && isdigit((unsigned char)c));
}

bool sw_page_is_legacy(const char *name, bool label)
{
    for (size_t i = 0; name[i] != '\0'; i++) {
        if (!is_legacy_char(name[i], i, label)) {
            return false;
        }
    }
    return name[0] != '\0';
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

static unsigned code_point(const char *at)
{
    unsigned char first = (unsigned char)at[0];
    if (first < 0x80) {
        return first;
    }
    unsigned value = first >= 0xf0 ? first & 0x07u : first >= 0xe0 ? first & 0x0fu : first & 0x1fu;
    for (at++; is_continuation(*at); at++) {
        value = value << 6 | ((unsigned char)*at & 0x3fu);
    }
    return value;
}

void sw_page_put_name(
    struct sw_string *text,
    const char *name,
    const char *suffix,
    bool label,
    enum sw_page_escaping escaping
)
{
    bool legacy = sw_page_is_legacy(name, label);
    if (escaping == SW_ALLOW_UTF8 || (legacy && escaping != SW_ESCAPE_DOTS)) {
        sw_string_put(text, name);
        sw_string_put(text, suffix);
        return;
    }
    if (escaping == SW_ESCAPE_VALUES) {
        sw_string_put(text, "U__");
    }
    for (size_t i = 0; name[i] != '\0'; i++) {
        char c = name[i];
        if (is_continuation(c)) {
            continue;
        }
        if (c == '_' && escaping != SW_ESCAPE_UNDERSCORES) {
            sw_string_put(text, "__");
        } else if (is_legacy_char(c, i, label)) {
            sw_string_putc(text, c);
        } else if (escaping == SW_ESCAPE_DOTS) {
            sw_string_put(text, c == '.' ? "_dot_" : "__");
        } else if (escaping == SW_ESCAPE_VALUES) {
            sw_string_format(text, "_%x_", code_point(name + i));
        } else {
            sw_string_putc(text, '_');
        }
    }
    sw_string_put(text, suffix);
}

/* ---- scopes ---- */

const char *sw_page_scope(const char *name)
{
#define CORE    "go.opentelemetry.io/collector/"
#define CONTRIB "github.com/open-telemetry/opentelemetry-collector-contrib/"
    static const char *const table[][2] = {
        {"otelcol_receiver_", CORE "receiver/receiverhelper"},
        {"otelcol_scraper_", CORE "scraper/scraperhelper"},
        {"otelcol_exporter_", CORE "exporter/exporterhelper"},
        {"otelcol_processor_batch_", CORE "processor/batchprocessor"},
        {"otelcol_processor_memory_limiter_", CORE "processor/memorylimiterprocessor"},
        {"otelcol_processor_tail_sampling_", CONTRIB "processor/tailsamplingprocessor"},
        {"otelcol_processor_filter_", CONTRIB "processor/filterprocessor"},
        {"otelcol_processor_", CORE "processor/processorhelper"},
        {"otelcol_process_", CORE "service"},
        {"otelcol_loadbalancer_", CONTRIB "exporter/loadbalancingexporter"},
        {"rpc.", "go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"},
        {"http.", "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"},
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(table); i++) {
        if (strncmp(name, table[i][0], strlen(table[i][0])) == 0) {
            return table[i][1];
        }
    }
    return "spanweir";
}

/* ---- negotiation ---- */

struct clause {
    const char *text;
    size_t len;
    double quality;
};

#define CLAUSES_MAX 32

static size_t trimmed(const char **text, size_t len)
{
    while (len > 0 && isspace((unsigned char)**text)) {
        (*text)++;
        len--;
    }
    while (len > 0 && isspace((unsigned char)(*text)[len - 1])) {
        len--;
    }
    return len;
}

// Value of a parameter ("; name=value") of one clause; NULL when it is not there.
static const char *parameter(const struct clause *clause, const char *name, size_t *ret_len)
{
    const char *end = clause->text + clause->len;
    const char *at = memchr(clause->text, ';', clause->len);
    while (at != NULL) {
        const char *item = at + 1;
        at = memchr(item, ';', (size_t)(end - item));
        size_t len = (size_t)((at != NULL ? at : end) - item);
        len = trimmed(&item, len);
        const char *equals = memchr(item, '=', len);
        if (equals != NULL && (size_t)(equals - item) == strlen(name)
            && strncasecmp(item, name, strlen(name)) == 0) {
            *ret_len = len - (size_t)(equals + 1 - item);
            return equals + 1;
        }
    }
    return NULL;
}

static size_t split_clauses(const char *accept, struct clause *clauses)
{
    size_t count = 0;
    for (const char *at = accept; *at != '\0' && count < CLAUSES_MAX;) {
        const char *text = at;
        size_t len = strcspn(at, ",");
        at += len + (at[len] == ',');
        len = trimmed(&text, len);
        if (len == 0) {
            continue;
        }
        struct clause clause = {.text = text, .len = len, .quality = 1};
        size_t value_len;
        const char *quality = parameter(&clause, "q", &value_len);
        if (quality != NULL) {
            clause.quality = strtod(quality, NULL);
        }
        // Stable, best first.
        size_t to = count++;
        while (to > 0 && clauses[to - 1].quality < clause.quality) {
            clauses[to] = clauses[to - 1];
            to--;
        }
        clauses[to] = clause;
    }
    return count;
}

static bool value_is(const char *value, size_t len, const char *word)
{
    return value != NULL && len == strlen(word) && memcmp(value, word, len) == 0;
}

static const char *const escaping_words[] = {
    [SW_ESCAPE_UNDERSCORES] = "underscores",
    [SW_ESCAPE_DOTS] = "dots",
    [SW_ESCAPE_VALUES] = "values",
    [SW_ALLOW_UTF8] = "allow-utf-8",
};

// prometheus/common expfmt.Negotiate: the escaping of any clause up to the one that is taken
// counts, also of formats that are not served.
enum sw_page_escaping sw_page_negotiate(const char *accept)
{
    struct clause clauses[CLAUSES_MAX];
    size_t count = split_clauses(accept, clauses);
    enum sw_page_escaping escaping = SW_ESCAPE_UNDERSCORES;
    for (size_t i = 0; i < count; i++) {
        const struct clause *clause = &clauses[i];
        size_t len = 0;
        const char *value = parameter(clause, "escaping", &len);
        for (unsigned n = 0; n < SW_ARRAY_SIZE(escaping_words); n++) {
            if (value_is(value, len, escaping_words[n])) {
                escaping = (enum sw_page_escaping)n;
            }
        }
        const char *type = clause->text;
        const char *semicolon = memchr(type, ';', clause->len);
        size_t type_len = semicolon != NULL ? (size_t)(semicolon - type) : clause->len;
        type_len = trimmed(&type, type_len);
        const char *version = parameter(clause, "version", &len);
        if (type_len == strlen("text/plain") && strncasecmp(type, "text/plain", type_len) == 0
            && (version == NULL || value_is(version, len, "0.0.4"))) {
            break;
        }
    }
    return escaping;
}

const char *sw_page_content_type(enum sw_page_escaping escaping)
{
#define TYPE "text/plain; version=0.0.4; charset=utf-8; escaping="
    static const char *const types[] = {
        [SW_ESCAPE_UNDERSCORES] = TYPE "underscores",
        [SW_ESCAPE_DOTS] = TYPE "dots",
        [SW_ESCAPE_VALUES] = TYPE "values",
        [SW_ALLOW_UTF8] = TYPE "allow-utf-8",
    };
    return types[escaping];
}
