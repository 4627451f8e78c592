#include "tests/unit/control/conf/world.h"

struct world world;

static const char *find(const struct world_text *texts, const char *name)
{
    for (size_t i = 0; i < WORLD_NAMES_MAX && texts[i].name != NULL; i++) {
        if (strcmp(texts[i].name, name) == 0) {
            return texts[i].text;
        }
    }
    return NULL;
}

static void add(struct world_text *texts, const char *name, const char *text)
{
    size_t i = 0;
    while (texts[i].name != NULL) {
        i++;
    }
    assert_true(i < WORLD_NAMES_MAX - 1);
    texts[i] = (struct world_text){name, text};
}

static const char *read_env(void *context, const char *name)
{
    return find(((struct world *)context)->env, name);
}

static int read_file(void *context, const char *path, char **ret_data, size_t *ret_len)
{
    const char *text = find(((struct world *)context)->files, path);
    if (text == NULL) {
        return ENOENT;
    }
    *ret_data = sw_strdup(text);
    *ret_len = strlen(text);
    return *ret_data == NULL ? ENOMEM : 0;
}

/* ---- components ---- */

static const char *const words[] = {"low", "middle", "high", NULL};

// clang-format off
static const struct sw_field inner_fields[] = {
    SW_INT("count", struct world_inner, count, "3", "a number"),
    SW_STRING("name", struct world_inner, name, "inner", "a text"),
    SW_FIELD_END,
};

static const struct sw_field item_fields[] = {
    SW_STRING("name", struct world_item, name, NULL, "a text"),
    SW_INT("small", struct world_item, small, "7", "a number"),
    SW_UINT("port", struct world_item, port, NULL, "a port"),
    SW_FIELD_END,
};

static const struct sw_field squashed_fields[] = {
    SW_INT("squashed_count", struct world_inner, count, "3", "a number"),
    SW_FIELD_END,
};

static const struct sw_preset section_presets[] = {{"count", "40"}, {NULL, NULL}};
static const struct sw_preset squashed_presets[] = {{"squashed_count", "50"}, {NULL, NULL}};

static void item_check(void *section, struct sw_check *check)
{
    const struct world_item *item = section;
    if (item->name[0] == '\0') {
        sw_complain(check, SW_COMPLAINT_ERROR, "name", "name is needed");
    }
}

static const struct sw_field probe_fields[] = {
    SW_BOOL("flag", struct world_conf, flag, NULL, "a bool"),
    SW_INT("small", struct world_conf, small, "-1", "a number"),
    SW_UINT("number", struct world_conf, number, "8192", "a number"),
    SW_INT("signed_number", struct world_conf, signed_number, NULL, "a number"),
    SW_UINT("big", struct world_conf, big, NULL, "a number"),
    SW_FLOAT("ratio", struct world_conf, ratio, "0.5", "a ratio"),
    SW_DURATION("wait", struct world_conf, wait_ns, "1m30s", "a duration"),
    SW_STRING("text", struct world_conf, text, "none", "a text"),
    SW_STRING("secret", struct world_conf, secret, NULL, "a secret", .flags = SW_FIELD_OPAQUE),
    SW_ENUM("word", struct world_conf, word, words, "middle", "a word", .flags = SW_FIELD_ICASE),
    SW_ID("id", struct world_conf, id, "an ID"),
    SW_VALUE("value", struct world_conf, value, "anything"),
    SW_HEADERS("headers", struct world_conf, headers, "headers"),
    SW_STRINGS("texts", struct world_conf, texts, "one,two", "texts"),
    SW_ENUMS("words", struct world_conf, words, words, NULL, "words"),
    SW_LIST("items", struct world_conf, items, struct world_item, item_fields, "items",
            .check = item_check),
    SW_STRUCT("section", struct world_conf, section, inner_fields, "a section",
              .presets = section_presets),
    SW_OPTIONAL("optional", struct world_conf, optional, inner_fields, "off"),
    SW_OPTIONAL("optional_on", struct world_conf, optional_on, inner_fields, "on",
                .flags = SW_FIELD_ON),
    SW_OPTIONAL("bare", struct world_conf, bare, inner_fields, "bare", .flags = SW_FIELD_BARE),
    SW_POINTER("pointer", struct world_conf, pointer, item_fields, "a pointer"),
    SW_SQUASH(struct world_conf, squashed, squashed_fields, .presets = squashed_presets),
    SW_STRING("old", struct world_conf, old, NULL, "older", .flags = SW_FIELD_OLD | SW_FIELD_OMIT,
              .note = "use text"),
    SW_BOOL("no_effect", struct world_conf, no_effect, NULL, "nothing", .support = SW_NO_EFFECT,
            .note = "no collector here"),
    SW_INT("not_yet", struct world_conf, not_yet, "5", "later", .support = SW_NOT_YET),
    SW_FIELD_END,
};

static const struct sw_field no_fields[] = {SW_FIELD_END};
// clang-format on

static void probe_check(void *section, struct sw_check *check)
{
    const struct world_conf *conf = section;
    if (conf->small > 100) {
        sw_complain(check, SW_COMPLAINT_ERROR, "small", "must not be above 100");
    }
    if (conf->small == 99) {
        sw_complain(check, SW_COMPLAINT_BUILD, "small", "does not build");
    }
    if (conf->small == 98) {
        sw_complain(check, SW_COMPLAINT_AT_START, "small", "does not start");
    }
}

static const char *const sink_old_types[] = {"drain", NULL};
static const char *const logging_old_types[] = {"logging", NULL};

#define SIGNALS .signals = SW_FOR_OTLP, .signals_ready = SW_FOR_TRACES, .stability = "beta"

static const struct sw_component source = {
    .kind = SW_RECEIVER,
    .type = "source",
    .fields = no_fields,
    .conf_size = 1,
    SIGNALS,
};
static const struct sw_component probe = {
    .kind = SW_PROCESSOR,
    .type = "probe",
    .fields = probe_fields,
    .conf_size = sizeof(struct world_conf),
    .check = probe_check,
    SIGNALS,
};
static const struct sw_component spans_only = {
    .kind = SW_PROCESSOR,
    .type = "spans_only",
    .fields = no_fields,
    .conf_size = 1,
    .signals = SW_FOR_TRACES,
    .signals_ready = SW_FOR_TRACES,
};
static const struct sw_component sink = {
    .kind = SW_EXPORTER,
    .type = "sink",
    .old_types = sink_old_types,
    .fields = no_fields,
    .conf_size = 1,
    SIGNALS,
};
static const struct sw_component shown = {
    .kind = SW_EXPORTER,
    .type = "shown",
    .old_types = logging_old_types,
    .fields = no_fields,
    .conf_size = 1,
    SIGNALS,
};
static const struct sw_component bridge = {
    .kind = SW_CONNECTOR,
    .type = "bridge",
    .fields = no_fields,
    .conf_size = 1,
    .signals = SW_FOR_TRACES,
    .signals_ready = SW_FOR_TRACES,
    .signals_out = SW_FOR_TRACES,
};
static const struct sw_component counter = {
    .kind = SW_CONNECTOR,
    .type = "counter",
    .fields = no_fields,
    .conf_size = 1,
    .signals = SW_FOR_TRACES,
    .signals_ready = SW_FOR_TRACES,
    .signals_out = SW_FOR_METRICS,
};
// One word for an exporter and a connector.
static const struct sw_component twin_exporter = {
    .kind = SW_EXPORTER,
    .type = "twin",
    .fields = no_fields,
    .conf_size = 1,
    SIGNALS,
};
static const struct sw_component twin_connector = {
    .kind = SW_CONNECTOR,
    .type = "twin",
    .fields = no_fields,
    .conf_size = 1,
    .signals = SW_FOR_TRACES,
    .signals_ready = SW_FOR_TRACES,
    .signals_out = SW_FOR_TRACES,
};
static const struct sw_component probe_health = {
    .kind = SW_EXTENSION,
    .type = "health",
};

static const struct sw_component *const components[] = {
    &source,
    &probe,
    &spans_only,
    &sink,
    &shown,
    &bridge,
    &counter,
    &twin_exporter,
    &twin_connector,
    &probe_health,
};

/* ---- loading ---- */

void world_open(void)
{
    world_close();
    memset(&world, 0, sizeof(world));
    world.components = components;
    world.components_count = sizeof(components) / sizeof(components[0]);
    world.args = (struct sw_conf_args){
        .configs = world.configs,
        .sets = world.sets,
        .gates = world.gates,
        .purpose = SW_CONF_VALIDATE,
        .world = {.context = &world, .env = read_env, .read_file = read_file},
    };
}

void world_close(void)
{
    sw_conf_free(world.conf);
    world.conf = NULL;
    sw_conf_errors_fini(&world.errors);
}

void world_file(const char *name, const char *text)
{
    add(world.files, name, text);
}

void world_config(const char *name, const char *text)
{
    world_file(name, text);
    world.configs[world.args.configs_count++] = name;
}

void world_env(const char *name, const char *value)
{
    add(world.env, name, value);
}

void world_set(const char *set)
{
    world.sets[world.args.sets_count++] = set;
}

void world_load(void)
{
    world_close();
    world.err = sw_conf_load(
        &world.args, world.components, world.components_count, &world.conf, &world.errors
    );
    assert_int_equal(world.err == SW_OK, world.conf != NULL);
}

void world_load_text(const char *text)
{
    world_config("c.yaml", text);
    world_load();
}

const char *world_finding_at(size_t index)
{
    world.text[0] = '\0';
    if (index < world.errors.count) {
        sw_conf_error_format(&world.errors.items[index], world.text, sizeof(world.text));
    }
    return world.text;
}

const char *world_finding(const char *part)
{
    for (size_t i = 0; i < world.errors.count; i++) {
        if (strstr(world_finding_at(i), part) != NULL) {
            return world.text;
        }
    }
    return NULL;
}

struct world_conf *world_probe(void)
{
    assert_non_null(world.conf);
    const struct sw_conf_component *found = sw_conf_find(world.conf, SW_PROCESSOR, "probe");
    assert_non_null(found);
    return found->conf;
}

const char *world_with_probe(const char *keys)
{
    static char text[4096];
    size_t len = (size_t)snprintf(
        text, sizeof(text), "receivers: {source: }\nexporters: {sink: }\nprocessors:\n  probe:\n"
    );
    for (const char *line = keys; *line != '\0';) {
        size_t line_len = strcspn(line, "\n");
        len += (size_t)snprintf(text + len, sizeof(text) - len, "    %.*s\n", (int)line_len, line);
        line += line_len + (line[line_len] == '\n');
    }
    snprintf(
        text + len,
        sizeof(text) - len,
        "service:\n  pipelines:\n    traces: {receivers: [source], processors: [probe], exporters: "
        "[sink]}\n"
    );
    return text;
}

void world_load_probe(const char *keys)
{
    world_load_text(world_with_probe(keys));
}
