#include "dataplane/rewrite/resource_conf.h"

#include "dataplane/rewrite/resource.h"

#include <stdio.h>
#include <string.h>

static const char *const action_words[] = {
    "",
    "insert",
    "update",
    "upsert",
    "delete",
    "hash",
    "extract",
    "convert",
    NULL,
};

static void action_check(void *section, struct sw_check *check);

// clang-format off
static const struct sw_field action_fields[] = {
    SW_STRING("key", struct sw_resource_action_conf, key, NULL, "name of the attribute"),
    SW_STRING("action", struct sw_resource_action_conf, action_text, NULL,
              "insert, update, upsert, delete, hash, extract or convert"),
    SW_VALUE("value", struct sw_resource_action_conf, value, "the value: scalar, list or map"),
    SW_VALUE("default_value", struct sw_resource_action_conf, default_value,
             "used when the source is missing"),
    SW_STRING("from_attribute", struct sw_resource_action_conf, from_attribute, NULL,
              "the value is that of another resource attribute"),
    SW_STRING("from_context", struct sw_resource_action_conf, from_context, NULL,
              "the value is the sender's: client.address, metadata.<name>, auth.<name>",
              .support = SW_NOT_YET),
    SW_STRING("pattern", struct sw_resource_action_conf, pattern, NULL,
              "regular expression for delete, hash and extract", .support = SW_NOT_YET),
    SW_STRING("converted_type", struct sw_resource_action_conf, converted_type, NULL,
              "int, double or string, for convert", .support = SW_NOT_YET),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
static const struct sw_field resource_fields[] = {
    SW_LIST("attributes", struct sw_resource_conf, attributes, struct sw_resource_action_conf,
            action_fields, "what is done to the resource's attributes, in order",
            .check = action_check),
    SW_FIELD_END,
};
// clang-format on

static bool given(const char *text)
{
    return text[0] != '\0';
}

static bool needs_source(int action)
{
    return action >= SW_RESOURCE_INSERT && action <= SW_RESOURCE_UPSERT;
}

static bool takes_pattern(int action)
{
    return action == SW_RESOURCE_DELETE || action == SW_RESOURCE_HASH
           || action == SW_RESOURCE_EXTRACT;
}

static void source_check(const struct sw_resource_action_conf *conf, struct sw_check *check)
{
    int sources_count = (conf->value.kind != SW_VALUE_NULL) + given(conf->from_attribute)
                        + given(conf->from_context);
    if (needs_source(conf->action) && sources_count == 0
        && conf->default_value.kind == SW_VALUE_NULL) {
        sw_complain(
            check,
            SW_COMPLAINT_BUILD,
            NULL,
            "either field \"value\", \"from_attribute\", \"from_context\", or \"default_value\" "
            "must be specified"
        );
    }
    if (sources_count > 1) {
        sw_complain(check, SW_COMPLAINT_BUILD, NULL, "multiple value sources are set");
    }
    if (given(conf->pattern) && !takes_pattern(conf->action)) {
        sw_complain(
            check,
            SW_COMPLAINT_BUILD,
            "pattern",
            "must not be specified for action \"%s\"",
            conf->action_text
        );
    }
    if (given(conf->converted_type) && conf->action != SW_RESOURCE_CONVERT) {
        sw_complain(
            check,
            SW_COMPLAINT_BUILD,
            "converted_type",
            "must not be specified for action \"%s\"",
            conf->action_text
        );
    }
}

static void action_check(void *section, struct sw_check *check)
{
    struct sw_resource_action_conf *conf = section;
    int action = sw_word_index(action_words, conf->action_text, true);
    if (action <= SW_RESOURCE_NONE) {
        sw_complain(
            check, SW_COMPLAINT_BUILD, "action", "unsupported action \"%s\"", conf->action_text
        );
        return;
    }
    conf->action = action;
    bool key_or_pattern = action == SW_RESOURCE_DELETE || action == SW_RESOURCE_HASH;
    if (!given(conf->key) && !(key_or_pattern && given(conf->pattern))) {
        sw_complain(check, SW_COMPLAINT_BUILD, "key", "missing required field \"key\"");
    }
    source_check(conf, check);
    if (action == SW_RESOURCE_EXTRACT && !given(conf->pattern)) {
        sw_complain(check, SW_COMPLAINT_BUILD, "pattern", "extract needs a pattern");
    }
    static const char *const types[] = {"int", "double", "string", NULL};
    if (action == SW_RESOURCE_CONVERT && sw_word_index(types, conf->converted_type, false) < 0) {
        sw_complain(
            check,
            SW_COMPLAINT_BUILD,
            "converted_type",
            "\"%s\" is none of int, double, string",
            conf->converted_type
        );
    }
    if (action > SW_RESOURCE_DELETE) {
        sw_complain(
            check, SW_COMPLAINT_AT_START, "action", "\"%s\" is not supported yet", conf->action_text
        );
    }
}

static void resource_check(void *section, struct sw_check *check)
{
    const struct sw_resource_conf *conf = section;
    if (conf->attributes.count == 0) {
        sw_complain(check, SW_COMPLAINT_ERROR, NULL, "missing required field \"attributes\"");
    }
}

const struct sw_component sw_resource = {
    .kind = SW_PROCESSOR,
    .type = "resource",
    .fields = resource_fields,
    .conf_size = sizeof(struct sw_resource_conf),
    .check = resource_check,
    .signals = SW_FOR_OTLP | SW_FOR_PROFILES,
    .signals_ready = SW_FOR_TRACES,
    .stability = "beta",
    .module = "dataplane/rewrite",
    .help = "changes attributes of resources",
    .ops = &sw_resource_class,
};
