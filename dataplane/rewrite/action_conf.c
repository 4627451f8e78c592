#include "dataplane/rewrite/action_conf.h"

#include "dataplane/base/pattern.h"

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

// clang-format off
const struct sw_field sw_action_fields[] = {
    SW_STRING("key", struct sw_action_conf, key, NULL, "name of the attribute"),
    SW_STRING("action", struct sw_action_conf, action_text, NULL,
              "insert, update, upsert, delete, hash, extract or convert"),
    SW_VALUE("value", struct sw_action_conf, value, "the value: scalar, list or map"),
    SW_VALUE("default_value", struct sw_action_conf, default_value,
             "used when the source is missing"),
    SW_STRING("from_attribute", struct sw_action_conf, from_attribute, NULL,
              "the value is that of another attribute"),
    SW_STRING("from_context", struct sw_action_conf, from_context, NULL,
              "the value is the sender's: client.address, metadata.<name>, auth.<name>"),
    SW_STRING("pattern", struct sw_action_conf, pattern, NULL,
              "regular expression: for keys (delete, hash) or the value (extract)"),
    SW_STRING("converted_type", struct sw_action_conf, converted_type, NULL,
              "int, double or string, for convert"),
    SW_FIELD_END,
};
// clang-format on

static bool given(const char *text)
{
    return text[0] != '\0';
}

static int sources_count(const struct sw_action_conf *conf)
{
    return (conf->value.kind != SW_VALUE_NULL) + given(conf->from_attribute)
           + given(conf->from_context);
}

static void
refuse(const struct sw_action_conf *conf, struct sw_check *check, bool is_given, const char *key)
{
    if (is_given) {
        sw_complain(
            check,
            SW_COMPLAINT_BUILD,
            key,
            "must not be specified for action \"%s\"",
            conf->action_text
        );
    }
}

// What only other actions use.
static void surplus_check(const struct sw_action_conf *conf, struct sw_check *check)
{
    int action = conf->action;
    bool sets = action >= SW_ACTION_INSERT && action <= SW_ACTION_UPSERT;
    bool matches =
        action == SW_ACTION_DELETE || action == SW_ACTION_HASH || action == SW_ACTION_EXTRACT;
    refuse(conf, check, !sets && conf->value.kind != SW_VALUE_NULL, "value");
    refuse(conf, check, !sets && conf->default_value.kind != SW_VALUE_NULL, "default_value");
    refuse(conf, check, !sets && given(conf->from_attribute), "from_attribute");
    bool removes = action == SW_ACTION_DELETE || action == SW_ACTION_HASH;
    refuse(conf, check, !sets && !removes && given(conf->from_context), "from_context");
    if (removes && given(conf->from_context)) { // which a Collector lets pass
        sw_complain(
            check,
            SW_COMPLAINT_WARNING,
            "from_context",
            "has no effect on action \"%s\"",
            conf->action_text
        );
    }
    refuse(conf, check, !matches && given(conf->pattern), "pattern");
    refuse(
        conf, check, action != SW_ACTION_CONVERT && given(conf->converted_type), "converted_type"
    );
}

static void source_check(const struct sw_action_conf *conf, struct sw_check *check)
{
    if (sources_count(conf) == 0 && conf->default_value.kind == SW_VALUE_NULL) {
        sw_complain(
            check,
            SW_COMPLAINT_BUILD,
            NULL,
            "either field \"value\", \"from_attribute\", \"from_context\", or \"default_value\" "
            "must be specified"
        );
    }
    if (sources_count(conf) > 1) {
        sw_complain(check, SW_COMPLAINT_BUILD, NULL, "multiple value sources are set");
    }
}

// An extract makes attributes of its groups, so all need a name.
static void groups_check(const struct sw_pattern *pattern, struct sw_check *check)
{
    if (sw_pattern_groups_count(pattern) == 0) {
        sw_complain(check, SW_COMPLAINT_BUILD, "pattern", "contains no named matcher groups");
    }
    for (uint32_t i = 1; i <= sw_pattern_groups_count(pattern); i++) {
        if (!given(sw_pattern_group_name(pattern, i))) {
            sw_complain(
                check, SW_COMPLAINT_BUILD, "pattern", "contains at least one unnamed matcher group"
            );
            return;
        }
    }
}

static void pattern_check(const struct sw_action_conf *conf, struct sw_check *check)
{
    char why[SW_PATTERN_WHY_MAX] = "";
    struct sw_pattern *pattern = NULL;
    if (conf->action == SW_ACTION_EXTRACT && !given(conf->pattern)) {
        sw_complain(
            check,
            SW_COMPLAINT_BUILD,
            "pattern",
            "missing required field \"pattern\" for action \"%s\"",
            conf->action_text
        );
    }
    if (!given(conf->pattern)) {
        return;
    }
    if (sw_pattern_new(conf->pattern, &pattern, why) != SW_OK) {
        sw_complain(
            check, SW_COMPLAINT_BUILD, "pattern", "invalid pattern \"%s\": %s", conf->pattern, why
        );
        return;
    }
    if (conf->action == SW_ACTION_EXTRACT) {
        groups_check(pattern, check);
    }
    sw_pattern_free(pattern);
}

static void convert_check(const struct sw_action_conf *conf, struct sw_check *check)
{
    static const char *const types[] = {"int", "double", "string", NULL};
    if (sw_word_index(types, conf->converted_type, false) < 0) {
        sw_complain_word(
            check,
            SW_COMPLAINT_BUILD,
            "converted_type",
            conf->converted_type,
            types,
            "\"%s\" is none of int, double, string",
            conf->converted_type
        );
    }
}

void sw_action_check(void *section, struct sw_check *check)
{
    struct sw_action_conf *conf = section;
    int action = sw_word_index(action_words, conf->action_text, true);
    if (action <= SW_ACTION_NONE) {
        sw_complain_word(
            check,
            SW_COMPLAINT_BUILD,
            "action",
            conf->action_text,
            action_words,
            "unsupported action \"%s\"",
            conf->action_text
        );
        return;
    }
    conf->action = action;
    bool key_or_pattern = action == SW_ACTION_DELETE || action == SW_ACTION_HASH;
    if (!given(conf->key) && !(key_or_pattern && given(conf->pattern))) {
        sw_complain(check, SW_COMPLAINT_BUILD, "key", "missing required field \"key\"");
    }
    surplus_check(conf, check);
    if (action <= SW_ACTION_UPSERT) {
        source_check(conf, check);
    } else if (action == SW_ACTION_CONVERT) {
        convert_check(conf, check);
    } else {
        pattern_check(conf, check);
    }
}
