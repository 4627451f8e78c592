// The effective configuration, written from the decoded structs by the same tables that read it.
#include "control/conf/conf_internal.h"
#include "dataplane/base/assert.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// Tables nest less than this; values of any type may use the rest.
#define DEPTH_MAX (SW_NODE_HEIGHT_MAX + 64)
#define REDACTED  "[REDACTED]"

struct printer {
    struct sw_conf_text text;
    enum sw_conf_format format;
    bool redacted;
    bool dash; /**< YAML: a "-" was written, the first key follows on its line */
    unsigned depth;
    bool list[DEPTH_MAX];    /**< kind of the open containers */
    size_t count[DEPTH_MAX]; /**< what was written in them */
};

static void new_line(struct printer *printer, unsigned depth)
{
    sw_conf_text_puts(&printer->text, "\n");
    for (unsigned i = 0; i < depth; i++) {
        sw_conf_text_puts(&printer->text, "  ");
    }
}

/** True when YAML reads the text as itself without quotes. */
static bool is_plain(const char *text)
{
    struct sw_node node = {0};
    if (text[0] == '\0' || strlen(text) > 200) {
        return false;
    }
    for (const char *p = text; *p != '\0'; p++) {
        bool word = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9')
                    || strchr("_/.", *p) != NULL;
        bool inside = p != text && p[1] != '\0' && strchr("-:@+*", *p) != NULL;
        if (!word && !inside) {
            return false;
        }
    }
    sw_scalar_resolve(text, strlen(text), &node);
    return node.kind == SW_NODE_STRING;
}

static void put_string(struct printer *printer, const char *text)
{
    if (printer->format == SW_CONF_YAML && is_plain(text)) {
        sw_conf_text_puts(&printer->text, text);
    } else {
        sw_conf_text_quote(&printer->text, text);
    }
}

/** Begins an item of the open container; key is NULL in a list. */
static void item(struct printer *printer, const char *key)
{
    unsigned top = printer->depth - 1;
    bool json = printer->format == SW_CONF_JSON;
    if (json && printer->count[top] > 0) {
        sw_conf_text_puts(&printer->text, ",");
    }
    if (!json && printer->dash) {
        sw_conf_text_puts(&printer->text, " ");
    } else if (json || printer->text.len > 0) {
        new_line(printer, json ? printer->depth : top);
    }
    printer->dash = false;
    printer->count[top]++;
    if (key == NULL) {
        sw_conf_text_puts(&printer->text, json ? "" : "-");
        printer->dash = !json;
        return;
    }
    put_string(printer, key);
    sw_conf_text_puts(&printer->text, ":");
    if (json) {
        sw_conf_text_puts(&printer->text, " ");
    }
}

/** A scalar's text is written behind this. */
static void value(struct printer *printer)
{
    printer->dash = false;
    if (printer->format == SW_CONF_YAML) {
        sw_conf_text_puts(&printer->text, " ");
    }
}

static void open_container(struct printer *printer, bool list)
{
    SW_ASSERT(printer->depth < DEPTH_MAX);
    printer->list[printer->depth] = list;
    printer->count[printer->depth] = 0;
    printer->depth++;
    if (printer->format == SW_CONF_JSON) {
        sw_conf_text_puts(&printer->text, list ? "[" : "{");
    }
}

static void close_container(struct printer *printer)
{
    printer->depth--;
    bool list = printer->list[printer->depth];
    bool empty = printer->count[printer->depth] == 0;
    if (printer->format == SW_CONF_JSON) {
        if (!empty) {
            new_line(printer, printer->depth);
        }
        sw_conf_text_puts(&printer->text, list ? "]" : "}");
    } else if (empty) {
        value(printer);
        sw_conf_text_puts(&printer->text, list ? "[]" : "{}");
    }
    printer->dash = false;
}

static void put_double(struct printer *printer, double number)
{
    char text[64];
    if (isnan(number) || isinf(number)) {
        // JSON has no word for these; as a text it stays readable.
        const char *word = isnan(number) ? ".nan" : number > 0 ? ".inf" : "-.inf";
        sw_conf_text_printf(
            &printer->text, printer->format == SW_CONF_JSON ? "\"%s\"" : "%s", word
        );
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, number);
        if (strtod(text, NULL) == number) {
            break;
        }
    }
    sw_conf_text_puts(&printer->text, text);
}

static void print_value(struct printer *printer, const struct sw_value *v)
{
    switch (v->kind) {
    case SW_VALUE_LIST:
    case SW_VALUE_MAP:
        if (printer->depth >= DEPTH_MAX - 1) {
            break;
        }
        open_container(printer, v->kind == SW_VALUE_LIST);
        for (size_t i = 0; i < v->list.count; i++) {
            if (v->kind == SW_VALUE_LIST) {
                item(printer, NULL);
                print_value(printer, &SW_LIST_AT(v->list, struct sw_value, i));
            } else {
                const struct sw_value_entry *entry = &SW_LIST_AT(v->list, struct sw_value_entry, i);
                item(printer, entry->key);
                print_value(printer, &entry->value);
            }
        }
        close_container(printer);
        return;
    default:
        break;
    }
    value(printer);
    switch (v->kind) {
    case SW_VALUE_BOOL:
        sw_conf_text_puts(&printer->text, v->boolean ? "true" : "false");
        break;
    case SW_VALUE_INT:
        sw_conf_text_printf(&printer->text, "%" PRId64, v->integer);
        break;
    case SW_VALUE_DOUBLE:
        put_double(printer, v->number);
        break;
    case SW_VALUE_STRING:
        put_string(printer, v->string);
        break;
    default:
        sw_conf_text_puts(&printer->text, "null");
        break;
    }
}

static void print_scalar(
    struct printer *printer,
    const struct sw_field *field,
    unsigned kind,
    size_t size,
    const void *member
)
{
    char text[SW_DURATION_TEXT_MAX];
    value(printer);
    switch (kind) {
    case SW_FIELD_BOOL:
        sw_conf_text_puts(&printer->text, *(const bool *)member ? "true" : "false");
        break;
    case SW_FIELD_INT:
        sw_conf_text_printf(
            &printer->text,
            "%" PRId64,
            size == 4 ? *(const int32_t *)member : *(const int64_t *)member
        );
        break;
    case SW_FIELD_UINT:
        sw_conf_text_printf(
            &printer->text,
            "%" PRIu64,
            size == 2   ? *(const uint16_t *)member
            : size == 4 ? *(const uint32_t *)member
                        : *(const uint64_t *)member
        );
        break;
    case SW_FIELD_FLOAT:
        put_double(printer, *(const double *)member);
        break;
    case SW_FIELD_DURATION:
        sw_duration_format(*(const int64_t *)member, text);
        put_string(printer, text);
        break;
    case SW_FIELD_ENUM:
        put_string(printer, sw_word_text(field->words, *(const int *)member));
        break;
    default: {
        const char *string = *(const char *const *)member;
        bool hide = printer->redacted && (field->flags & SW_FIELD_OPAQUE) != 0 && string[0] != '\0';
        if (kind == SW_FIELD_ID && string[0] == '\0') {
            sw_conf_text_puts(&printer->text, "null"); // An ID that is not given, not an empty one.
        } else {
            put_string(printer, hide ? REDACTED : string);
        }
        break;
    }
    }
}

static void print_fields(struct printer *printer, const struct sw_field *fields, const char *base);

static void print_table(struct printer *printer, const struct sw_field *fields, const char *base)
{
    open_container(printer, false);
    print_fields(printer, fields, base);
    close_container(printer);
}

static void
print_headers(struct printer *printer, const struct sw_field *field, const struct sw_list *list)
{
    bool hide = printer->redacted && (field->flags & SW_FIELD_OPAQUE) != 0;
    open_container(printer, true);
    for (size_t i = 0; i < list->count; i++) {
        const struct sw_pair *pair = &SW_LIST_AT(*list, struct sw_pair, i);
        item(printer, NULL);
        open_container(printer, false);
        item(printer, "name");
        value(printer);
        put_string(printer, pair->name);
        item(printer, "value");
        value(printer);
        put_string(printer, hide ? REDACTED : pair->value);
        close_container(printer);
    }
    close_container(printer);
}

static size_t scalar_size(unsigned kind)
{
    return kind == SW_FIELD_BOOL ? sizeof(bool) : kind == SW_FIELD_ENUM ? sizeof(int) : 8;
}

static void
print_list(struct printer *printer, const struct sw_field *field, const struct sw_list *list)
{
    bool scalars = field->kind == SW_FIELD_SCALARS;
    size_t size = scalars ? scalar_size(field->item_kind) : field->size;
    open_container(printer, true);
    for (size_t i = 0; i < list->count; i++) {
        const char *at = (const char *)list->items + i * size;
        item(printer, NULL);
        if (scalars) {
            print_scalar(printer, field, field->item_kind, size, at);
        } else {
            print_table(printer, field->fields, at);
        }
    }
    close_container(printer);
}

/** Left out by SW_FIELD_OMIT? Only what is empty is. */
static bool is_empty(const struct sw_field *field, const char *base)
{
    const char *member = base + field->offset;
    switch (field->kind) {
    case SW_FIELD_OPTIONAL:
        return !*(const bool *)(base + field->flag_offset);
    case SW_FIELD_POINTER:
        return *(void *const *)member == NULL;
    case SW_FIELD_VALUE:
        return ((const struct sw_value *)member)->kind == SW_VALUE_NULL;
    case SW_FIELD_HEADERS:
    case SW_FIELD_SCALARS:
    case SW_FIELD_LIST:
        return ((const struct sw_list *)member)->count == 0;
    case SW_FIELD_STRING:
    case SW_FIELD_ID:
        return (*(const char *const *)member)[0] == '\0';
    case SW_FIELD_BOOL:
        return !*(const bool *)member;
    default:
        return false;
    }
}

static void print_null(struct printer *printer)
{
    value(printer);
    sw_conf_text_puts(&printer->text, "null");
}

static void print_field(struct printer *printer, const struct sw_field *field, const char *base)
{
    const char *member = base + field->offset;
    item(printer, field->key);
    switch (field->kind) {
    case SW_FIELD_STRUCT:
        print_table(printer, field->fields, member);
        break;
    case SW_FIELD_OPTIONAL:
        if (*(const bool *)(base + field->flag_offset)) {
            print_table(printer, field->fields, member);
        } else {
            print_null(printer);
        }
        break;
    case SW_FIELD_POINTER:
        member = *(char *const *)member;
        if (member != NULL) {
            print_table(printer, field->fields, member);
        } else {
            print_null(printer);
        }
        break;
    case SW_FIELD_VALUE:
        print_value(printer, (const struct sw_value *)member);
        break;
    case SW_FIELD_HEADERS:
        print_headers(printer, field, (const struct sw_list *)member);
        break;
    case SW_FIELD_SCALARS:
    case SW_FIELD_LIST:
        print_list(printer, field, (const struct sw_list *)member);
        break;
    default:
        print_scalar(printer, field, field->kind, field->size, member);
        break;
    }
}

static void print_fields(struct printer *printer, const struct sw_field *fields, const char *base)
{
    for (const struct sw_field *field = fields; field->key != NULL; field++) {
        if (field->kind == SW_FIELD_SQUASH) {
            print_fields(printer, field->fields, base + field->offset);
            continue;
        }
        bool hidden = field->kind == SW_FIELD_REMAIN || field->kind == SW_FIELD_ELSEWHERE
                      || (field->flags & SW_FIELD_OLD) != 0
                      || ((field->flags & SW_FIELD_OMIT) != 0 && is_empty(field, base));
        if (!hidden) {
            print_field(printer, field, base);
        }
    }
}

static void print_ids(struct printer *printer, const char *key, const struct sw_list *ids)
{
    item(printer, key);
    open_container(printer, true);
    for (size_t i = 0; i < ids->count; i++) {
        item(printer, NULL);
        value(printer);
        put_string(printer, SW_LIST_AT(*ids, const char *, i));
    }
    close_container(printer);
}

static void print_pipelines(struct printer *printer, const struct sw_conf *conf)
{
    item(printer, "pipelines");
    open_container(printer, false);
    for (size_t i = 0; i < conf->pipelines_count; i++) {
        const struct sw_pipeline_ids *ids = &conf->load->pipeline_ids[i];
        item(printer, conf->pipelines[i].id);
        open_container(printer, false);
        print_ids(printer, "receivers", &ids->receivers);
        print_ids(printer, "processors", &ids->processors);
        print_ids(printer, "exporters", &ids->exporters);
        close_container(printer);
    }
    close_container(printer);
}

static void
print_components(struct printer *printer, const struct sw_conf *conf, enum sw_component_kind kind)
{
    item(printer, sw_component_section(kind));
    open_container(printer, false);
    for (size_t i = 0; i < conf->components_count; i++) {
        const struct sw_conf_component *component = &conf->components[i];
        if (component->kind == kind) {
            item(printer, component->id);
            print_table(printer, sw_fields_of(component->component), component->conf);
        }
    }
    close_container(printer);
}

int sw_conf_print(
    const struct sw_conf *conf,
    enum sw_conf_format format,
    bool redacted,
    char **ret_text
)
{
    struct printer printer = {.format = format, .redacted = redacted};
    open_container(&printer, false);
    for (int kind = 0; kind < SW_COMPONENT_KINDS_COUNT; kind++) {
        print_components(&printer, conf, kind);
    }
    item(&printer, "service");
    open_container(&printer, false);
    print_pipelines(&printer, conf);
    print_fields(&printer, sw_service_fields, (const char *)&conf->service);
    close_container(&printer);
    close_container(&printer);
    sw_conf_text_puts(&printer.text, "\n");
    if (printer.text.out_of_memory) {
        sw_conf_text_fini(&printer.text);
        return SW_E_NOMEM;
    }
    *ret_text = printer.text.data;
    return SW_OK;
}
