#include "dataplane/rewrite/match_conf.h"

#include "dataplane/base/assert.h"
#include "dataplane/base/pattern.h"

#include <string.h>

// clang-format off
static const struct sw_field attribute_fields[] = {
    SW_STRING("key", struct sw_match_attribute_conf, key, NULL, "name of the attribute"),
    SW_VALUE("value", struct sw_match_attribute_conf, value, "its value; without: any"),
    SW_FIELD_END,
};
static const struct sw_field library_fields[] = {
    SW_STRING("name", struct sw_match_library_conf, name, NULL, "name of the scope"),
    SW_VALUE("version", struct sw_match_library_conf, version,
             "its version, a string; without: any"),
    SW_FIELD_END,
};
static const struct sw_field cache_fields[] = {
    SW_BOOL("cacheenabled", struct sw_match_cache_conf, enabled, NULL,
            "results are remembered", .support = SW_NO_EFFECT,
            .note = "patterns are compiled to machine code, nothing is remembered"),
    SW_INT("cachemaxnumentries", struct sw_match_cache_conf, entries_max, "0",
           "most of them", .support = SW_NO_EFFECT,
           .note = "patterns are compiled to machine code, nothing is remembered"),
    SW_FIELD_END,
};
static const struct sw_field severity_fields[] = {
    SW_INT("min", struct sw_match_severity_conf, min, "0", "lowest severity number that matches"),
    SW_BOOL("match_undefined", struct sw_match_severity_conf, match_undefined, NULL,
            "records without severity match"),
    SW_FIELD_END,
};

const struct sw_field sw_match_fields[] = {
    SW_STRING("match_type", struct sw_match_conf, match_type, NULL,
              "strict or regexp: how texts are compared"),
    SW_POINTER("regexp", struct sw_match_conf, cache, cache_fields,
               "cache of regular expressions"),
    SW_STRINGS("services", struct sw_match_conf, services, NULL,
               "service.name of the resource is one of these (spans)"),
    SW_STRINGS("span_names", struct sw_match_conf, span_names, NULL,
               "the span's name is one of these"),
    SW_STRINGS("span_kinds", struct sw_match_conf, span_kinds, NULL,
               "the span's kind is one of these: SPAN_KIND_SERVER, …"),
    SW_STRINGS("log_bodies", struct sw_match_conf, log_bodies, NULL,
               "the record's body is one of these"),
    SW_STRINGS("log_severity_texts", struct sw_match_conf, log_severity_texts, NULL,
               "the record's severity text is one of these"),
    SW_POINTER("log_severity_number", struct sw_match_conf, log_severity_number, severity_fields,
               "the record's severity number"),
    SW_STRINGS("metric_names", struct sw_match_conf, metric_names, NULL,
               "the metric's name is one of these"),
    SW_LIST("attributes", struct sw_match_conf, attributes, struct sw_match_attribute_conf,
            attribute_fields, "attributes of the span or record, all of them"),
    SW_LIST("resources", struct sw_match_conf, resources, struct sw_match_attribute_conf,
            attribute_fields, "attributes of the resource, all of them"),
    SW_LIST("libraries", struct sw_match_conf, libraries, struct sw_match_library_conf,
            library_fields, "the instrumentation scope, all of them"),
    SW_FIELD_END,
};
// clang-format on

static void pattern_check(const char *text, const char *path, struct sw_check *check)
{
    char why[SW_PATTERN_WHY_MAX] = "";
    struct sw_pattern *pattern = NULL;
    if (sw_pattern_new(text, &pattern, why) != SW_OK) {
        sw_complain(check, SW_COMPLAINT_BUILD, path, "invalid pattern \"%s\": %s", text, why);
    }
    sw_pattern_free(pattern);
}

static void texts_check(const struct sw_match_conf *conf, bool regexp, struct sw_check *check)
{
    const struct {
        const struct sw_list *list;
        const char *key;
    } lists[] = {
        {&conf->services, "services"},
        {&conf->span_names, "span_names"},
        {&conf->span_kinds, "span_kinds"},
        {&conf->log_bodies, "log_bodies"},
        {&conf->log_severity_texts, "log_severity_texts"},
        {&conf->metric_names, "metric_names"},
    };
    for (size_t i = 0; regexp && i < SW_ARRAY_SIZE(lists); i++) {
        for (size_t k = 0; k < lists[i].list->count; k++) {
            pattern_check(SW_LIST_AT(*lists[i].list, const char *, k), lists[i].key, check);
        }
    }
}

static void
attributes_check(const struct sw_list *list, const char *key, bool regexp, struct sw_check *check)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct sw_match_attribute_conf *item =
            &SW_LIST_AT(*list, struct sw_match_attribute_conf, i);
        if (item->key[0] == '\0') {
            sw_complain(check, SW_COMPLAINT_BUILD, key, "can't have empty key in the list");
        }
        if (!regexp || item->value.kind == SW_VALUE_NULL) {
            continue;
        }
        if (item->value.kind == SW_VALUE_STRING) {
            pattern_check(item->value.string, key, check);
        } else {
            sw_complain(
                check,
                SW_COMPLAINT_BUILD,
                key,
                "match_type regexp takes only strings for \"%s\"",
                item->key
            );
        }
    }
}

static void libraries_check(const struct sw_list *list, bool regexp, struct sw_check *check)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct sw_match_library_conf *item =
            &SW_LIST_AT(*list, struct sw_match_library_conf, i);
        bool text = item->version.kind == SW_VALUE_STRING;
        if (!text && item->version.kind != SW_VALUE_NULL) {
            sw_complain(check, SW_COMPLAINT_ERROR, "libraries", "version must be a string");
        }
        if (regexp) {
            pattern_check(item->name, "libraries", check);
        }
        if (regexp && text) {
            pattern_check(item->version.string, "libraries", check);
        }
    }
}

static void kinds_check(const struct sw_match_conf *conf, struct sw_check *check)
{
    static const char *const kinds[] = {
        "SPAN_KIND_INTERNAL",
        "SPAN_KIND_CLIENT",
        "SPAN_KIND_SERVER",
        "SPAN_KIND_CONSUMER",
        "SPAN_KIND_PRODUCER",
        NULL,
    };
    for (size_t i = 0; i < conf->span_kinds.count; i++) {
        const char *kind = SW_LIST_AT(conf->span_kinds, const char *, i);
        if (sw_word_index(kinds, kind, false) < 0) {
            sw_complain_word(
                check,
                SW_COMPLAINT_BUILD,
                "span_kinds",
                kind,
                kinds,
                "\"%s\" is none of the standard span kinds",
                kind
            );
        }
    }
}

void sw_match_check(void *section, struct sw_check *check)
{
    static const char *const types[] = {"regexp", "strict", NULL};
    const struct sw_match_conf *conf = section;
    int type = sw_word_index(types, conf->match_type, false);
    bool regexp = type == 0;
    if (type < 0) {
        sw_complain_word(
            check,
            SW_COMPLAINT_BUILD,
            "match_type",
            conf->match_type,
            types,
            "unrecognized match_type: '%s', valid types are: [regexp strict]",
            conf->match_type
        );
        return;
    }
    texts_check(conf, regexp, check);
    if (!regexp) {
        kinds_check(conf, check);
    }
    attributes_check(&conf->attributes, "attributes", regexp, check);
    attributes_check(&conf->resources, "resources", regexp, check);
    libraries_check(&conf->libraries, regexp, check);
}
