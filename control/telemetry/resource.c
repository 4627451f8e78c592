#include "control/telemetry/resource.h"

#include "control/telemetry/text.h"
#include "dataplane/base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

// As Go's attribute.Value.Emit: what a label shows of a value.
static void put_value(struct sw_string *text, const struct sw_value *value)
{
    switch (value->kind) {
    case SW_VALUE_NULL:
        break;
    case SW_VALUE_BOOL:
        sw_string_put(text, value->boolean ? "true" : "false");
        break;
    case SW_VALUE_INT:
        sw_string_format(text, "%lld", (long long)value->integer);
        break;
    case SW_VALUE_DOUBLE:
        sw_string_float(text, value->number);
        break;
    case SW_VALUE_STRING:
        sw_string_put(text, value->string);
        break;
    case SW_VALUE_LIST: {
        const struct sw_value *items = value->list.items;
        sw_string_putc(text, '[');
        for (size_t i = 0; i < value->list.count; i++) {
            sw_string_put(text, i > 0 ? "," : "");
            put_value(text, &items[i]);
        }
        sw_string_putc(text, ']');
        break;
    }
    case SW_VALUE_MAP: {
        const struct sw_value_entry *entries = value->list.items;
        sw_string_putc(text, '{');
        for (size_t i = 0; i < value->list.count; i++) {
            sw_string_format(text, "%s%s:", i > 0 ? "," : "", entries[i].key);
            put_value(text, &entries[i].value);
        }
        sw_string_putc(text, '}');
        break;
    }
    }
}

static void drop_label(struct sw_resource *resource, unsigned at)
{
    sw_free((char *)resource->labels[at].name);
    sw_free((char *)resource->labels[at].value);
    resource->labels_count--;
    memmove(
        &resource->labels[at],
        &resource->labels[at + 1],
        (resource->labels_count - at) * sizeof(resource->labels[0])
    );
}

// Sets, or removes when the value is null. There is room.
static int set_label(struct sw_resource *resource, const char *name, const struct sw_value *value)
{
    unsigned at = 0;
    while (at < resource->labels_count && strcmp(resource->labels[at].name, name) < 0) {
        at++;
    }
    if (at < resource->labels_count && strcmp(resource->labels[at].name, name) == 0) {
        drop_label(resource, at);
    }
    if (value->kind == SW_VALUE_NULL) {
        return SW_OK;
    }
    struct sw_string text = {0};
    sw_string_put(&text, "");
    put_value(&text, value);
    char *copy = sw_strdup(name);
    if (text.failed || copy == NULL) {
        sw_string_fini(&text);
        sw_free(copy);
        return SW_E_NOMEM;
    }
    memmove(
        &resource->labels[at + 1],
        &resource->labels[at],
        (resource->labels_count - at) * sizeof(resource->labels[0])
    );
    resource->labels[at] = (struct sw_label){.name = copy, .value = text.data};
    resource->labels_count++;
    return SW_OK;
}

static int set_text(struct sw_resource *resource, const char *name, const char *value)
{
    return set_label(resource, name, &(struct sw_value){.kind = SW_VALUE_STRING, .string = value});
}

// RFC 9562, version 4.
static int random_uuid(char ret_text[37])
{
    uint8_t b[16];
    if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b)) {
        return SW_E_SYSTEM;
    }
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    char *at = ret_text;
    for (int i = 0; i < 16; i++) {
        at += sprintf(at, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
    }
    return SW_OK;
}

// The declarative form; the load has looked at its shape.
static int set_listed(struct sw_resource *resource, const struct sw_value *list)
{
    static const struct sw_value none = {.kind = SW_VALUE_NULL};
    int err = SW_OK;
    for (size_t i = 0; err == SW_OK && i < list->list.count; i++) {
        const struct sw_value *item = &SW_LIST_AT(list->list, struct sw_value, i);
        const char *name = NULL;
        const struct sw_value *value = &none;
        for (size_t k = 0; item->kind == SW_VALUE_MAP && k < item->list.count; k++) {
            const struct sw_value_entry *entry = &SW_LIST_AT(item->list, struct sw_value_entry, k);
            if (strcmp(entry->key, "name") == 0 && entry->value.kind == SW_VALUE_STRING) {
                name = entry->value.string;
            } else if (strcmp(entry->key, "value") == 0) {
                value = &entry->value;
            }
        }
        err = name != NULL ? set_label(resource, name, value) : SW_OK;
    }
    return err;
}

static bool is_list(const struct sw_value_entry *entry)
{
    return strcmp(entry->key, "attributes") == 0 && entry->value.kind == SW_VALUE_LIST;
}

static int fill(
    struct sw_resource *resource,
    const struct sw_value *attributes,
    const char *service_name,
    const char *service_version
)
{
    char uuid[37];
    int err = random_uuid(uuid);
    err = err == SW_OK ? set_text(resource, "service.name", service_name) : err;
    err = err == SW_OK ? set_text(resource, "service.version", service_version) : err;
    err = err == SW_OK ? set_text(resource, "service.instance.id", uuid) : err;
    if (attributes->kind != SW_VALUE_MAP) {
        return err;
    }
    const struct sw_value_entry *entries = attributes->list.items;
    for (size_t i = 0; err == SW_OK && i < attributes->list.count; i++) {
        if (is_list(&entries[i])) {
            err = set_listed(resource, &entries[i].value);
        } else if (strcmp(entries[i].key, "schema_url") != 0) {
            err = set_label(resource, entries[i].key, &entries[i].value);
        }
    }
    return err;
}

int sw_resource_new(
    const struct sw_value *attributes,
    const char *service_name,
    const char *service_version,
    struct sw_resource **ret_resource
)
{
    size_t most = 3;
    for (size_t i = 0; attributes->kind == SW_VALUE_MAP && i < attributes->list.count; i++) {
        const struct sw_value_entry *entry =
            &SW_LIST_AT(attributes->list, struct sw_value_entry, i);
        most += is_list(entry) ? entry->value.list.count : 1;
    }
    struct sw_resource *resource = sw_zalloc(sizeof(*resource));
    if (resource == NULL) {
        return SW_E_NOMEM;
    }
    resource->labels = sw_zalloc(most * sizeof(*resource->labels));
    int err = SW_E_NOMEM;
    if (resource->labels != NULL) {
        err = fill(resource, attributes, service_name, service_version);
    }
    if (err != SW_OK) {
        sw_resource_free(resource);
        return err;
    }
    *ret_resource = resource;
    return SW_OK;
}

void sw_resource_free(struct sw_resource *resource)
{
    if (resource == NULL) {
        return;
    }
    while (resource->labels_count > 0) {
        drop_label(resource, resource->labels_count - 1);
    }
    sw_free(resource->labels);
    sw_free(resource);
}
