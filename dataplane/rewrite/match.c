/* Does an item match? Properties that are given must all match (Collector contrib v0.159
 * internal/filter: filterspan, filterlog, filtermetric, filtermatcher). */
#include "dataplane/base/mem.h"
#include "dataplane/otlp/attribute.h"
#include "dataplane/rewrite/match_conf.h"
#include "dataplane/rewrite/rewrite_internal.h"

#include <stdio.h>

#define SCOPE_NAME    SW_PB_TAG(1, SW_PB_LEN)
#define SCOPE_VERSION SW_PB_TAG(2, SW_PB_LEN)

/* Texts of which one must be there or found. */
struct texts {
    uint32_t count; // 0: not asked for
    struct sw_bytes *items;
    struct sw_pattern **patterns; // NULL: whole texts are compared
};

struct attribute {
    struct sw_bytes key;
    struct texts pattern;      // regexp
    const struct sw_any *want; // strict; NULL: its being there is enough
    struct sw_any any;
    uint8_t *bytes;            // of a list or map
    struct sw_value_text text; // likewise, for comparing
};

struct library {
    struct texts name;
    struct texts version;
};

struct match {
    bool regexp;
    enum sw_signal signal;
    struct texts services;
    struct texts names; // of spans or metrics
    struct texts kinds;
    struct texts bodies;
    struct texts severity_texts;
    const struct sw_match_severity_conf *severity;
    struct attribute *attributes;
    size_t attributes_count;
    struct attribute *resources;
    size_t resources_count;
    struct library *libraries;
    size_t libraries_count;
};

int sw_matcher_init(struct matcher *matcher)
{
    *matcher = (struct matcher){.given_up_count = 0};
    return sw_pattern_scratch_new(0, &matcher->finder);
}

void sw_matcher_fini(struct matcher *matcher)
{
    sw_pattern_scratch_free(matcher->finder);
    sw_value_text_fini(&matcher->text);
    matcher->finder = NULL;
}

/* ---- making ---- */

static void texts_fini(struct texts *texts)
{
    for (uint32_t i = 0; texts->patterns != NULL && i < texts->count; i++) {
        sw_pattern_free(texts->patterns[i]);
    }
    sw_free(texts->patterns);
    sw_free(texts->items);
}

static int texts_init(struct texts *texts, bool regexp, const char *const *items, size_t count)
{
    if (count == 0) {
        return SW_OK;
    }
    texts->items = sw_zalloc(count * sizeof(texts->items[0]));
    texts->patterns = regexp ? sw_zalloc(count * sizeof(texts->patterns[0])) : NULL;
    if (texts->items == NULL || (regexp && texts->patterns == NULL)) {
        return SW_E_NOMEM;
    }
    texts->count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        texts->items[i] = (struct sw_bytes){(const uint8_t *)items[i], strlen(items[i])};
        int err = regexp ? sw_pattern_new(items[i], &texts->patterns[i], NULL) : SW_OK;
        if (err != SW_OK) {
            return err;
        }
    }
    return SW_OK;
}

static int list_init(struct texts *texts, bool regexp, const struct sw_list *list)
{
    return texts_init(texts, regexp, list->items, list->count);
}

static void attributes_free(struct attribute *attributes, size_t count)
{
    for (size_t i = 0; attributes != NULL && i < count; i++) {
        texts_fini(&attributes[i].pattern);
        sw_value_text_fini(&attributes[i].text);
        sw_free(attributes[i].bytes);
    }
    sw_free(attributes);
}

static int
attribute_init(struct attribute *attribute, bool regexp, const struct sw_match_attribute_conf *conf)
{
    attribute->key = (struct sw_bytes){(const uint8_t *)conf->key, strlen(conf->key)};
    if (conf->value.kind == SW_VALUE_NULL) {
        return SW_OK;
    }
    if (regexp) {
        return texts_init(&attribute->pattern, true, &conf->value.string, 1);
    }
    size_t size = sw_value_bytes(NULL, &conf->value);
    attribute->bytes = sw_alloc(size + 1);
    if (attribute->bytes == NULL) {
        return SW_E_NOMEM;
    }
    sw_value_bytes(attribute->bytes, &conf->value);
    (void)sw_any_read((struct sw_bytes){attribute->bytes, size}, &attribute->any);
    attribute->want = &attribute->any;
    return sw_value_text_set(&attribute->text, &attribute->any);
}

static int attributes_init(
    struct attribute **ret_attributes,
    size_t *ret_count,
    bool regexp,
    const struct sw_list *list
)
{
    if (list->count == 0) {
        return SW_OK;
    }
    *ret_attributes = sw_zalloc(list->count * sizeof(struct attribute));
    if (*ret_attributes == NULL) {
        return SW_E_NOMEM;
    }
    *ret_count = list->count;
    int err = SW_OK;
    for (size_t i = 0; err == SW_OK && i < list->count; i++) {
        const struct sw_match_attribute_conf *conf =
            &SW_LIST_AT(*list, struct sw_match_attribute_conf, i);
        err = attribute_init(&(*ret_attributes)[i], regexp, conf);
    }
    return err;
}

static int libraries_init(struct match *match, const struct sw_list *list)
{
    int err = SW_OK;
    match->libraries = sw_zalloc((list->count + 1) * sizeof(struct library));
    if (match->libraries == NULL) {
        return SW_E_NOMEM;
    }
    match->libraries_count = list->count;
    for (size_t i = 0; err == SW_OK && i < list->count; i++) {
        const struct sw_match_library_conf *conf =
            &SW_LIST_AT(*list, struct sw_match_library_conf, i);
        err = texts_init(&match->libraries[i].name, match->regexp, &conf->name, 1);
        if (err == SW_OK && conf->version.kind == SW_VALUE_STRING) {
            struct texts *version = &match->libraries[i].version;
            err = texts_init(version, match->regexp, &conf->version.string, 1);
        }
    }
    return err;
}

static int refuse(char *error, size_t error_size, const char *text)
{
    snprintf(error, error_size, "%s", text);
    return SW_E_INVALID;
}

static int signal_check(
    const struct sw_match_conf *conf,
    enum sw_signal signal,
    char *error,
    size_t error_size
)
{
    bool of_logs = conf->log_bodies.count > 0 || conf->log_severity_texts.count > 0
                   || conf->log_severity_number != NULL;
    bool of_spans =
        conf->services.count > 0 || conf->span_names.count > 0 || conf->span_kinds.count > 0;
    bool common =
        conf->attributes.count > 0 || conf->resources.count > 0 || conf->libraries.count > 0;
    if (signal == SW_TRACES && of_logs) {
        return refuse(
            error,
            error_size,
            "log_bodies, log_severity_texts and log_severity_number are not valid for spans"
        );
    }
    if (signal == SW_TRACES && !of_spans && !common) {
        return refuse(
            error,
            error_size,
            "at least one of \"attributes\", \"libraries\", or \"resources\" field must be "
            "specified"
        );
    }
    if (signal == SW_LOGS && of_spans) {
        return refuse(
            error, error_size, "services, span_names, and span_kinds are not valid for log records"
        );
    }
    if (signal == SW_LOGS && !of_logs && !common) {
        return refuse(
            error,
            error_size,
            "at least one of \"attributes\", \"libraries\", \"span_kinds\", \"resources\", "
            "\"log_bodies\", \"log_severity_texts\" or \"log_severity_number\" field must be "
            "specified"
        );
    }
    return SW_OK;
}

static int fill(struct match *match, const struct sw_match_conf *conf)
{
    bool regexp = match->regexp;
    const struct sw_list *names =
        match->signal == SW_METRICS ? &conf->metric_names : &conf->span_names;
    int err = list_init(&match->names, regexp, names);
    if (err != SW_OK || match->signal == SW_METRICS) {
        return err; // of metrics a Collector looks at the names alone
    }
    match->severity = conf->log_severity_number;
    const struct {
        struct texts *texts;
        const struct sw_list *list;
    } lists[] = {
        {&match->services, &conf->services},
        {&match->kinds, &conf->span_kinds},
        {&match->bodies, &conf->log_bodies},
        {&match->severity_texts, &conf->log_severity_texts},
    };
    for (size_t i = 0; err == SW_OK && i < SW_ARRAY_SIZE(lists); i++) {
        err = list_init(lists[i].texts, regexp, lists[i].list);
    }
    if (err == SW_OK) {
        err = attributes_init(
            &match->attributes, &match->attributes_count, regexp, &conf->attributes
        );
    }
    if (err == SW_OK) {
        err = attributes_init(&match->resources, &match->resources_count, regexp, &conf->resources);
    }
    return err == SW_OK ? libraries_init(match, &conf->libraries) : err;
}

int sw_match_new(
    const struct sw_match_conf *conf,
    enum sw_signal signal,
    struct match **ret_match,
    char *error,
    size_t error_size
)
{
    int err = signal_check(conf, signal, error, error_size);
    if (err != SW_OK) {
        return err;
    }
    *ret_match = NULL;
    if (signal == SW_METRICS && conf->metric_names.count == 0) {
        return SW_OK;
    }
    struct match *match = sw_zalloc(sizeof(*match));
    if (match == NULL) {
        return SW_E_NOMEM;
    }
    match->regexp = strcmp(conf->match_type, "regexp") == 0;
    match->signal = signal;
    err = fill(match, conf);
    if (err != SW_OK) {
        sw_match_free(match);
        return err;
    }
    *ret_match = match;
    return SW_OK;
}

void sw_match_free(struct match *match)
{
    if (match == NULL) {
        return;
    }
    texts_fini(&match->services);
    texts_fini(&match->names);
    texts_fini(&match->kinds);
    texts_fini(&match->bodies);
    texts_fini(&match->severity_texts);
    attributes_free(match->attributes, match->attributes_count);
    attributes_free(match->resources, match->resources_count);
    for (size_t i = 0; i < match->libraries_count; i++) {
        texts_fini(&match->libraries[i].name);
        texts_fini(&match->libraries[i].version);
    }
    sw_free(match->libraries);
    sw_free(match);
}

bool sw_match_uses_envelopes(const struct match *match)
{
    return match != NULL
           && (match->services.count > 0 || match->resources_count > 0 || match->libraries_count > 0
           );
}

/* ---- matching ---- */

// One of the texts is this one, or is found in it. Without texts everything fits.
static bool fits(struct matcher *matcher, const struct texts *texts, struct sw_bytes text)
{
    for (uint32_t i = 0; i < texts->count; i++) {
        if (texts->patterns == NULL) {
            if (sw_bytes_equal(texts->items[i], text)) {
                return true;
            }
            continue;
        }
        int found =
            sw_pattern_find(texts->patterns[i], matcher->finder, text.data, text.size, NULL);
        matcher->given_up_count += found < 0;
        if (found == 1) {
            return true;
        }
    }
    return texts->count == 0;
}

// Text of any value. Without memory it is an empty one.
static struct sw_bytes text_of(struct matcher *matcher, const struct sw_any *value)
{
    if (value->type == SW_ANY_STRING) {
        return value->bytes;
    }
    if (sw_value_text_set(&matcher->text, value) != SW_OK) {
        return (struct sw_bytes){NULL, 0};
    }
    return (struct sw_bytes){(const uint8_t *)matcher->text.data, matcher->text.size};
}

static bool
fits_pattern(struct matcher *matcher, const struct texts *pattern, const struct sw_any *value)
{
    char text[SW_DOUBLE_TEXT_MAX];
    switch (value->type) {
    case SW_ANY_DOUBLE: {
        size_t size = sw_double_text_plain(value->number, text);
        return fits(matcher, pattern, (struct sw_bytes){(const uint8_t *)text, size});
    }
    case SW_ANY_STRING:
    case SW_ANY_BOOL:
    case SW_ANY_INT:
        return fits(matcher, pattern, text_of(matcher, value));
    default:
        return false;
    }
}

static bool
same(struct matcher *matcher, const struct attribute *attribute, const struct sw_any *value)
{
    const struct sw_any *want = attribute->want;
    if (want->type != value->type) {
        return false;
    }
    switch (value->type) {
    case SW_ANY_STRING:
        return sw_bytes_equal(want->bytes, value->bytes);
    case SW_ANY_BOOL:
        return want->boolean == value->boolean;
    case SW_ANY_INT:
        return want->integer == value->integer;
    case SW_ANY_DOUBLE:
        return want->number == value->number;
    default: {
        const struct sw_value_text *text = &attribute->text;
        struct sw_bytes expected = {(const uint8_t *)text->data, text->size};
        return sw_bytes_equal(expected, text_of(matcher, value));
    }
    }
}

static bool have(
    struct matcher *matcher,
    const struct attribute *attributes,
    size_t count,
    struct sw_bytes message,
    uint32_t tag
)
{
    for (size_t i = 0; i < count; i++) {
        const struct attribute *attribute = &attributes[i];
        struct sw_any value = {.type = SW_ANY_EMPTY};
        if (!sw_attribute_find(message, tag, attribute->key, &value)) {
            return false;
        }
        bool good = attribute->pattern.count > 0
                        ? fits_pattern(matcher, &attribute->pattern, &value)
                        : attribute->want == NULL || same(matcher, attribute, &value);
        if (!good) {
            return false;
        }
    }
    return true;
}

static bool fits_scope(const struct match *match, struct matcher *matcher, struct sw_bytes scope)
{
    struct sw_bytes name = {NULL, 0};
    struct sw_bytes version = {NULL, 0};
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, scope);
    while (match->libraries_count > 0 && sw_pb_next(&reader, &field)) {
        if (field.tag == SCOPE_NAME) {
            name = field.bytes;
        } else if (field.tag == SCOPE_VERSION) {
            version = field.bytes;
        }
    }
    for (size_t i = 0; i < match->libraries_count; i++) {
        const struct library *library = &match->libraries[i];
        if (!fits(matcher, &library->name, name) || !fits(matcher, &library->version, version)) {
            return false;
        }
    }
    return true;
}

static bool
fits_service(const struct match *match, struct matcher *matcher, struct sw_bytes resource)
{
    struct sw_any name = {.type = SW_ANY_EMPTY};
    struct sw_bytes text = SW_BYTES("<nil-service-name>");
    if (match->services.count == 0) {
        return true;
    }
    if (sw_attribute_find(resource, SW_RESOURCE_ATTRIBUTES, SW_BYTES("service.name"), &name)) {
        text = text_of(matcher, &name);
    }
    return fits(matcher, &match->services, text);
}

static struct sw_bytes kind_text(int32_t kind)
{
    static const char *const names[] = {
        "SPAN_KIND_UNSPECIFIED",
        "SPAN_KIND_INTERNAL",
        "SPAN_KIND_SERVER",
        "SPAN_KIND_CLIENT",
        "SPAN_KIND_PRODUCER",
        "SPAN_KIND_CONSUMER",
    };
    const char *name = kind >= 0 && (size_t)kind < SW_ARRAY_SIZE(names) ? names[kind] : "";
    return (struct sw_bytes){(const uint8_t *)name, strlen(name)};
}

static bool
fits_span(const struct match *match, struct matcher *matcher, const struct sw_rebuild_item *item)
{
    struct sw_span_view view;
    if (!fits_service(match, matcher, item->resource)) {
        return false;
    }
    if (match->names.count == 0 && match->kinds.count == 0) {
        return true;
    }
    return sw_span_view_fill(&view, item->message) && fits(matcher, &match->names, view.name)
           && fits(matcher, &match->kinds, kind_text(view.kind));
}

static bool fits_severity(const struct match *match, int32_t severity)
{
    if (match->severity == NULL) {
        return true;
    }
    return severity == 0 ? match->severity->match_undefined : severity >= match->severity->min;
}

static bool
fits_log(const struct match *match, struct matcher *matcher, const struct sw_rebuild_item *item)
{
    struct sw_log_view view;
    struct sw_any body = {.type = SW_ANY_EMPTY};
    bool looks =
        match->bodies.count > 0 || match->severity_texts.count > 0 || match->severity != NULL;
    if (!looks) {
        return true;
    }
    if (!sw_log_view_fill(&view, item->message)) {
        return false;
    }
    if (match->bodies.count > 0) {
        struct sw_otlp_iter bodies;
        struct sw_pb_field field;
        sw_otlp_iter_init(&bodies, item->message, SW_LOG_TAG_BODY);
        while (sw_otlp_next(&bodies, &field)) {
            (void)sw_any_read(field.bytes, &body);
        }
        if (!fits(matcher, &match->bodies, text_of(matcher, &body))) {
            return false;
        }
    }
    return fits(matcher, &match->severity_texts, view.severity_text)
           && fits_severity(match, view.severity);
}

bool sw_match_item(
    const struct match *match,
    struct matcher *matcher,
    const struct sw_rebuild_item *item
)
{
    if (item->signal == SW_METRICS) {
        return fits(matcher, &match->names, item->metric.name);
    }
    bool spans = item->signal == SW_TRACES;
    uint32_t tag = spans ? SW_SPAN_ATTRIBUTES : SW_LOG_ATTRIBUTES;
    return (spans ? fits_span(match, matcher, item) : fits_log(match, matcher, item))
           && fits_scope(match, matcher, item->scope)
           && have(
               matcher,
               match->resources,
               match->resources_count,
               item->resource,
               SW_RESOURCE_ATTRIBUTES
           )
           && have(matcher, match->attributes, match->attributes_count, item->message, tag);
}
