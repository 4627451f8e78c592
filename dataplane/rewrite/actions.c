/* The configured actions made ready, once for all cores. */
#include "dataplane/base/mem.h"
#include "dataplane/rewrite/rewrite_internal.h"

static struct sw_bytes text_bytes(const char *text)
{
    return (struct sw_bytes){(const uint8_t *)text, strlen(text)};
}

static struct sw_bytes put_value(uint8_t **at, const struct sw_value *value)
{
    struct sw_bytes bytes = {*at, sw_value_bytes(*at, value)};
    *at += bytes.size;
    return bytes;
}

// A bare name is that of a metadata, as it was before there were prefixes.
static void fill_context(struct action *action, const char *text)
{
    static const char metadata[] = "metadata.";
    static const char auth[] = "auth.";
    if (text[0] == '\0') {
        return;
    }
    action->context = CONTEXT_METADATA;
    action->context_name = text_bytes(text);
    if (strcmp(text, "client.address") == 0) {
        action->context = CONTEXT_ADDRESS;
    } else if (strncmp(text, metadata, sizeof(metadata) - 1) == 0) {
        action->context_name = text_bytes(text + sizeof(metadata) - 1);
    } else if (strncmp(text, auth, sizeof(auth) - 1) == 0) {
        action->context = CONTEXT_AUTH;
    }
}

static int fill_pattern(struct action *action, const char *text)
{
    if (text[0] == '\0') {
        return SW_OK;
    }
    int err = sw_pattern_new(text, &action->pattern, NULL);
    if (err != SW_OK) {
        return err;
    }
    uint32_t count = sw_pattern_groups_count(action->pattern);
    action->groups = sw_alloc((count + 1) * sizeof(action->groups[0]));
    if (action->groups == NULL) {
        return SW_E_NOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        action->groups[i] = text_bytes(sw_pattern_group_name(action->pattern, i + 1));
    }
    return SW_OK;
}

static int fill(struct actions *actions, const struct sw_list *list)
{
    uint8_t *at = actions->bytes;
    int err = SW_OK;
    for (size_t i = 0; err == SW_OK && i < actions->count; i++) {
        const struct sw_action_conf *from = &SW_LIST_AT(*list, struct sw_action_conf, i);
        struct action *action = &actions->items[i];
        *action = (struct action){
            .what = (enum sw_action)from->action,
            .key = text_bytes(from->key),
            .from = text_bytes(from->from_attribute),
            .value = put_value(&at, &from->value),
            .fallback = put_value(&at, &from->default_value),
            .has_value = from->value.kind != SW_VALUE_NULL,
            .has_fallback = from->default_value.kind != SW_VALUE_NULL,
            .converted = from->converted_type[0] == 'i'   ? SW_ANY_INT
                         : from->converted_type[0] == 'd' ? SW_ANY_DOUBLE
                                                          : SW_ANY_STRING,
        };
        fill_context(action, from->from_context);
        err = fill_pattern(action, from->pattern);
        if (action->pattern != NULL) {
            uint32_t groups = sw_pattern_groups_count(action->pattern);
            actions->groups_max = SW_MAX(actions->groups_max, groups);
            actions->uses_pattern = true;
        }
        actions->uses_context = actions->uses_context || action->context != CONTEXT_NONE;
        actions->uses_hash = actions->uses_hash || action->what == SW_ACTION_HASH;
        if (action->what == SW_ACTION_INSERT || action->what == SW_ACTION_UPSERT) {
            actions->growth_size += action->key.size + action->value.size + 16;
        }
    }
    return err;
}

int sw_actions_new(const struct sw_list *list, struct actions **ret_actions)
{
    size_t size = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct sw_action_conf *action = &SW_LIST_AT(*list, struct sw_action_conf, i);
        size += sw_value_bytes(NULL, &action->value) + sw_value_bytes(NULL, &action->default_value);
    }
    struct actions *actions = sw_zalloc(sizeof(*actions));
    if (actions == NULL) {
        return SW_E_NOMEM;
    }
    actions->count = list->count;
    actions->items = sw_zalloc((actions->count + 1) * sizeof(actions->items[0]));
    actions->bytes = sw_alloc(size + 1);
    int err = actions->items != NULL && actions->bytes != NULL ? fill(actions, list) : SW_E_NOMEM;
    if (err != SW_OK) {
        sw_actions_free(actions);
        return err;
    }
    *ret_actions = actions;
    return SW_OK;
}

void sw_actions_free(struct actions *actions)
{
    if (actions == NULL) {
        return;
    }
    for (size_t i = 0; actions->items != NULL && i < actions->count; i++) {
        sw_pattern_free(actions->items[i].pattern);
        sw_free(actions->items[i].groups);
    }
    sw_free(actions->items);
    sw_free(actions->bytes);
    sw_free(actions);
}
