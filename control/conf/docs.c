// The reference page of all keys and settings, from their tables: docs/configuration.md.
#include "control/appliance/appliance.h"
#include "control/conf/conf_internal.h"
#include "dataplane/base/assert.h"

#include <string.h>

static const char *type_text(const struct sw_field *field, unsigned kind)
{
    switch (kind) {
    case SW_FIELD_BOOL:
        return "bool";
    case SW_FIELD_INT:
        return "integer";
    case SW_FIELD_UINT:
        return "integer ≥ 0";
    case SW_FIELD_FLOAT:
        return "number";
    case SW_FIELD_DURATION:
        return "duration";
    case SW_FIELD_STRING:
        return (field->flags & SW_FIELD_OPAQUE) != 0 ? "text, secret" : "text";
    case SW_FIELD_ENUM:
        return "word";
    case SW_FIELD_ID:
        return "component ID";
    case SW_FIELD_VALUE:
        return "any value";
    case SW_FIELD_HEADERS:
        return "map of texts, secret";
    case SW_FIELD_LIST:
        return "list of sections";
    case SW_FIELD_STRUCT:
    case SW_FIELD_POINTER:
        return "section";
    case SW_FIELD_OPTIONAL:
        return "optional section";
    default:
        return "";
    }
}

/** Table cells must not hold a bar. */
static void put_cell(struct sw_conf_text *out, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        sw_conf_text_add(out, *p == '|' ? "\\|" : p, *p == '|' ? 2 : 1);
    }
}

static void
put_default(struct sw_conf_text *out, const struct sw_field *field, const struct sw_preset *presets)
{
    const char *preset = field->preset;
    for (; presets != NULL && presets->key != NULL; presets++) {
        if (strcmp(presets->key, field->key) == 0) {
            preset = presets->preset;
        }
    }
    switch (field->kind) {
    case SW_FIELD_OPTIONAL:
        sw_conf_text_puts(
            out,
            (field->flags & SW_FIELD_ON) != 0     ? "on"
            : (field->flags & SW_FIELD_BARE) != 0 ? "off; its bare key turns it on"
                                                  : "off"
        );
        return;
    case SW_FIELD_STRUCT:
    case SW_FIELD_POINTER:
    case SW_FIELD_ELSEWHERE:
        return;
    default:
        break;
    }
    if (preset == NULL || preset[0] == '\0') {
        bool list = field->kind == SW_FIELD_LIST || field->kind == SW_FIELD_SCALARS
                    || field->kind == SW_FIELD_HEADERS;
        preset = list                                                          ? "none"
                 : field->kind == SW_FIELD_DURATION                            ? "0s"
                 : field->kind == SW_FIELD_BOOL                                ? "false"
                 : field->kind == SW_FIELD_INT || field->kind == SW_FIELD_UINT ? "0"
                                                                               : "";
    }
    if (preset[0] != '\0') {
        sw_conf_text_printf(out, "`%s`", preset);
    }
}

static void put_note(struct sw_conf_text *out, const struct sw_field *field, unsigned support)
{
    if ((field->flags & SW_FIELD_OLD) != 0) {
        sw_conf_text_puts(out, " **Older spelling**: ");
        put_cell(out, field->note);
        sw_conf_text_puts(out, ".");
        return;
    }
    if (support == SW_SUPPORTED) {
        return;
    }
    sw_conf_text_puts(out, support == SW_NOT_YET ? " **Not yet**" : " **No effect here**");
    if (field->note != NULL) {
        sw_conf_text_puts(out, ": ");
        put_cell(out, field->note);
    }
    sw_conf_text_puts(out, ".");
}

// Tables that stand in several places are written once for each component.
#define SEEN_MAX 64

struct seen {
    const struct sw_field *fields;
    const struct sw_preset *presets;
    unsigned support;
    char path[256];
};

struct table {
    struct sw_conf_text *out;
    struct seen seen[SEEN_MAX];
    size_t seen_count;
};

static const struct seen *find_seen(const struct table *table, const struct seen *like)
{
    for (size_t i = 0; i < table->seen_count; i++) {
        const struct seen *seen = &table->seen[i];
        if (seen->fields == like->fields && seen->presets == like->presets
            && seen->support == like->support) {
            return seen;
        }
    }
    return NULL;
}

static void put_fields(
    struct table *table,
    const struct sw_field *fields,
    const struct sw_preset *presets,
    const char *prefix,
    unsigned support
);

static void put_type(struct sw_conf_text *out, const struct sw_field *field)
{
    if (field->kind == SW_FIELD_SCALARS) {
        sw_conf_text_printf(out, "list of %s", type_text(field, field->item_kind));
    } else {
        sw_conf_text_puts(
            out, field->kind == SW_FIELD_REMAIN ? "map" : type_text(field, field->kind)
        );
    }
    if (field->unit != NULL) {
        sw_conf_text_printf(out, ", %s", field->unit);
    }
}

/** One row, and those of the keys below it. support: of the section it stands in. */
static void put_field(
    struct table *table,
    const struct sw_field *field,
    const struct sw_preset *presets,
    const char *prefix,
    unsigned support
)
{
    struct sw_conf_text *out = table->out;
    struct seen here = {
        .fields = field->fields,
        .presets = field->presets,
        .support = SW_MAX(support, field->support),
    };
    bool remain = field->kind == SW_FIELD_REMAIN;
    const char *items = field->kind == SW_FIELD_LIST ? "[]" : "";
    sw_conf_text_printf(out, "| `%s%s` | ", prefix, remain ? "<name>" : field->key);
    put_type(out, field);
    sw_conf_text_puts(out, " | ");
    put_default(out, field, presets);
    sw_conf_text_puts(out, " | ");
    put_cell(out, field->help != NULL ? field->help : "");
    sw_conf_text_puts(out, ".");
    // What holds for a whole section is said there.
    if ((field->flags & SW_FIELD_OLD) != 0 || field->support > support) {
        put_note(out, field, field->support);
    }
    const struct seen *seen = field->fields != NULL ? find_seen(table, &here) : NULL;
    if (seen != NULL) {
        sw_conf_text_printf(out, " Keys as in `%s`.", seen->path);
    }
    sw_conf_text_puts(out, " |\n");
    if (field->fields == NULL || seen != NULL) {
        return;
    }
    snprintf(here.path, sizeof(here.path), "%s%s%s", prefix, field->key, items);
    if (table->seen_count < SEEN_MAX) {
        table->seen[table->seen_count++] = here;
    }
    char below[sizeof(here.path) + 1];
    snprintf(below, sizeof(below), "%s.", here.path);
    put_fields(table, field->fields, field->presets, below, here.support);
}

static void put_fields(
    struct table *table,
    const struct sw_field *fields,
    const struct sw_preset *presets,
    const char *prefix,
    unsigned support
)
{
    for (const struct sw_field *field = fields; field->key != NULL; field++) {
        if (field->kind == SW_FIELD_SQUASH) {
            put_fields(
                table,
                field->fields,
                field->presets != NULL ? field->presets : presets,
                prefix,
                SW_MAX(support, field->support)
            );
        } else {
            put_field(table, field, presets, prefix, support);
        }
    }
}

static void put_table(struct sw_conf_text *out, const struct sw_field *fields)
{
    struct table table = {.out = out};
    sw_conf_text_puts(out, "| key | type | default | meaning |\n|---|---|---|---|\n");
    put_fields(&table, fields, NULL, "", SW_SUPPORTED);
    sw_conf_text_puts(out, "\n");
}

static void put_component(struct sw_conf_text *out, const struct sw_component *component)
{
    sw_conf_text_printf(
        out,
        "### %s `%s`\n\n%s%s.",
        sw_component_kind_text(component->kind),
        component->type,
        "It ",
        component->help
    );
    for (size_t i = 0; component->old_types != NULL && component->old_types[i] != NULL; i++) {
        sw_conf_text_printf(out, " Older name: `%s`.", component->old_types[i]);
    }
    sw_conf_text_puts(out, "\n\n");
    if (sw_fields_of(component)->key == NULL) {
        sw_conf_text_puts(out, "No keys.\n\n");
    } else {
        put_table(out, sw_fields_of(component));
    }
}

static void put_appliance(struct sw_conf_text *out)
{
    struct sw_appliance_setting setting;
    sw_conf_text_puts(
        out,
        "## The appliance file\n\n"
        "What this machine is, and every option of ours, in libconfig's syntax: `--appliance "
        "FILE`, else "
        "the file that `" SW_APPLIANCE_ENV "` names, else `" SW_APPLIANCE_DEFAULT_PATH
        "` if it exists. "
        "Every setting has a default; an unknown one is an error with file and line. A setting "
        "`a.b` "
        "stands as `b` in the group `a = { ... };`.\n\n"
        "| setting | type | default | meaning |\n|---|---|---|---|\n"
    );
    for (size_t i = 0; sw_appliance_setting(i, &setting); i++) {
        sw_conf_text_printf(out, "| `%s` | %s | ", setting.name, setting.type);
        if (setting.preset != NULL) {
            sw_conf_text_printf(out, "`%s`", setting.preset);
        }
        sw_conf_text_puts(out, " | ");
        put_cell(out, setting.help);
        sw_conf_text_puts(out, ". |\n");
    }
}

char *sw_docs_configuration(const struct sw_component *const *components, size_t components_count)
{
    struct sw_conf_text out = {0};
    sw_conf_text_puts(
        &out,
        "# Configuration reference\n\n"
        "<!-- Generated by scripts/gen_docs from the components' tables; do not edit. -->\n\n"
        "The pipeline file is the OpenTelemetry Collector's YAML (v0.159). Keys are checked "
        "strictly: an unknown key or a value of another type is an error with file, line, column "
        "and key path. Durations are written as in Go (`200ms`, `1m30s`); a bare number counts "
        "nanoseconds.\n\n"
        "**Not yet** marks what this release knows but cannot do: `validate` warns of it and the "
        "start refuses it by name, as it does with single values it cannot do (a policy type, a "
        "sizer). **No effect here** marks keys that are accepted with a warning. What holds for a "
        "section holds for all keys in it. Defaults of sections hold once the section is on.\n\n"
        "## Components\n\n"
    );
    for (int kind = 0; kind < SW_COMPONENT_KINDS_COUNT; kind++) {
        for (size_t i = 0; i < components_count; i++) {
            if (components[i]->kind == (enum sw_component_kind)kind) {
                put_component(&out, components[i]);
            }
        }
    }
    sw_conf_text_puts(
        &out,
        "## service\n\n"
        "`service.pipelines` is a map from `signal` or `signal/name` to `receivers`, `processors` "
        "and "
        "`exporters`, each a list of component IDs.\n\n"
    );
    put_table(&out, sw_service_fields);
    put_appliance(&out);
    if (out.out_of_memory) {
        sw_conf_text_fini(&out);
    }
    return out.data;
}
