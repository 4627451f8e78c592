// References in values: ${env:NAME}, ${NAME}, ${file:path}, ${yaml:text}, $$. The algorithm is that of
// the Collector's confmap/expand.go (v0.159) with its quirks: an escaped reference ends the scan of
// its text, and one expansion replaces all equal occurrences.
#include "control/conf/conf_internal.h"
#include "dataplane/base/assert.h"

#include <string.h>

#define EXPANSIONS_MAX 1000
#define TEXT_MAX       ((size_t)1024 * 1024)
#define BYTES_MAX      ((size_t)16 * 1024 * 1024)

struct expander {
    struct sw_conf_load *load;
    const char *path;   /**< of the value, for messages */
    size_t bytes_count; /**< made so far: what grows without end must stop */
    uint64_t nodes_count;
};

/** A reference inside a text. */
struct reference {
    const char *start; /**< at "${" */
    size_t len;        /**< up to and with "}" */
};

static int too_much(struct expander *expander, struct sw_mark mark)
{
    sw_load_report(
        expander->load,
        SW_COMPLAINT_ERROR,
        mark,
        expander->path,
        "references expand to too much text"
    );
    return SW_E_INVALID;
}

/** The first expandable reference (findURI); false: none. */
static bool find_reference(const char *input, struct reference *ret)
{
    for (;;) {
        const char *close = strchr(input, '}');
        if (close == NULL) {
            return false;
        }
        const char *open = NULL;
        for (const char *p = close; p > input; p--) {
            if (p[-1] == '$' && p[0] == '{') {
                open = p - 1;
                break;
            }
        }
        if (open == NULL) {
            input = close + 1;
            continue;
        }
        size_t dollars = 0;
        while (open - dollars > input && open[-1 - (ptrdiff_t)dollars] == '$') {
            dollars++;
        }
        if (dollars % 2 == 1) {
            return false; // Escaped; and this ends the scan.
        }
        *ret = (struct reference){.start = open, .len = (size_t)(close - open) + 1};
        return true;
    }
}

static int retrieve_reference(
    struct expander *expander,
    struct reference reference,
    struct sw_mark mark,
    struct sw_retrieved *ret
)
{
    const char *inside = reference.start + 2;
    size_t len = reference.len - 3;
    struct sw_arena *arena = &expander->load->arena;
    bool scheme = memchr(inside, ':', len) != NULL;
    char *uri = sw_arena_alloc(arena, len + sizeof("env:"));
    if (uri == NULL) {
        return SW_E_NOMEM;
    }
    size_t prefix = scheme ? 0 : 4;
    memcpy(uri, "env:", prefix);
    memcpy(uri + prefix, inside, len);
    if (memchr(inside, '$', len) != NULL) {
        sw_load_report(
            expander->load,
            SW_COMPLAINT_ERROR,
            mark,
            expander->path,
            "the uri \"%s\" contains unsupported characters ('$')",
            uri
        );
        return SW_E_INVALID;
    }
    expander->bytes_count += len;
    int err = sw_retrieve(expander->load, uri, prefix + len, mark, expander->path, ret);
    if (err == SW_OK) {
        expander->bytes_count += strlen(ret->original);
        expander->nodes_count += ret->node->weight;
        if (expander->bytes_count > BYTES_MAX || expander->nodes_count > SW_NODE_WEIGHT_MAX) {
            err = too_much(expander, mark);
        }
    }
    return err;
}

/** The next occurrence of a reference, or NULL. Looks at each byte once, however many there are. */
static const char *next_of(const char *at, const char *key, size_t len)
{
    for (; *at != '\0'; at++) {
        if (*at == '$' && strncmp(at, key, len) == 0) {
            return at;
        }
    }
    return NULL;
}

/** All occurrences of what by with. */
static int replace_all(
    struct expander *expander,
    const char *input,
    struct reference what,
    const char *with,
    struct sw_mark mark,
    const char **ret_text
)
{
    size_t with_len = strlen(with);
    size_t count = 0;
    const char *key = sw_arena_copy(&expander->load->arena, what.start, what.len);
    if (key == NULL) {
        return SW_E_NOMEM;
    }
    for (const char *p = next_of(input, key, what.len); p != NULL;
         p = next_of(p + what.len, key, what.len)) {
        count++;
    }
    size_t rest = strlen(input) - count * what.len;
    if (with_len > TEXT_MAX || rest + count * with_len > TEXT_MAX) {
        return too_much(expander, mark);
    }
    size_t len = rest + count * with_len;
    expander->bytes_count += len;
    if (expander->bytes_count > BYTES_MAX) {
        return too_much(expander, mark);
    }
    char *out = sw_arena_alloc(&expander->load->arena, len + 1);
    if (out == NULL) {
        return SW_E_NOMEM;
    }
    *ret_text = out;
    const char *from = input;
    for (const char *p = next_of(from, key, what.len); p != NULL;
         p = next_of(from, key, what.len)) {
        memcpy(out, from, (size_t)(p - from));
        out += p - from;
        memcpy(out, with, with_len);
        out += with_len;
        from = p + what.len;
    }
    memcpy(out, from, strlen(from) + 1);
    return SW_OK;
}

static struct sw_node *text_node(struct expander *expander, const char *text, struct sw_mark mark)
{
    struct sw_node *node = sw_node_new(&expander->load->arena, SW_NODE_STRING, mark);
    if (node != NULL) {
        node->text = text;
    }
    return node;
}

static int expand_text(
    struct expander *expander,
    struct sw_node *node,
    struct sw_node **ret_node,
    bool *ret_changed
)
{
    struct reference reference;
    struct sw_retrieved got = {0};
    *ret_node = node;
    if (strstr(node->text, "${") == NULL || !find_reference(node->text, &reference)) {
        return SW_OK;
    }
    int err = retrieve_reference(expander, reference, node->mark, &got);
    if (err != SW_OK) {
        return err;
    }
    *ret_changed = true;
    if (reference.len == strlen(node->text)) {
        // The whole value: it keeps its type, and its text beside it for fields of type string.
        struct sw_node *whole = sw_node_new(&expander->load->arena, got.node->kind, node->mark);
        if (whole == NULL) {
            return SW_E_NOMEM;
        }
        struct sw_mark mark = node->mark;
        *whole = *got.node;
        if (whole->kind != SW_NODE_MAP && whole->kind != SW_NODE_LIST) {
            whole->mark = mark;
        }
        whole->original = got.original;
        *ret_node = whole;
        return SW_OK;
    }
    const char *text = NULL;
    err = replace_all(expander, node->text, reference, got.original, node->mark, &text);
    if (err == SW_OK) {
        *ret_node = text_node(expander, text, node->mark);
        err = *ret_node == NULL ? SW_E_NOMEM : SW_OK;
    }
    return err;
}

static int expand_once(
    struct expander *expander,
    struct sw_node *node,
    struct sw_node **ret_node,
    bool *ret_changed
);

static int expand_children(
    struct expander *expander,
    struct sw_node *node,
    struct sw_node **ret_node,
    bool *ret_changed
)
{
    struct sw_arena *arena = &expander->load->arena;
    bool list = node->kind == SW_NODE_LIST;
    size_t count = list ? node->items_count : node->entries_count;
    struct sw_node **values = sw_arena_array(arena, count, sizeof(*values));
    bool changed = false;
    if (values == NULL) {
        return SW_E_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        struct sw_node *child = list ? node->items[i] : node->entries[i].value;
        int err = expand_once(expander, child, &values[i], &changed);
        if (err != SW_OK) {
            return err;
        }
    }
    *ret_node = node;
    if (!changed) {
        return SW_OK;
    }
    *ret_changed = true;
    struct sw_node *out = sw_node_new(arena, node->kind, node->mark);
    if (out == NULL) {
        return SW_E_NOMEM;
    }
    *out = *node;
    if (list) {
        out->items = values;
    } else {
        out->entries = sw_arena_array(arena, count, sizeof(*out->entries));
        if (out->entries == NULL) {
            return SW_E_NOMEM;
        }
        for (size_t i = 0; i < count; i++) {
            out->entries[i] = node->entries[i];
            out->entries[i].value = values[i];
        }
    }
    for (size_t i = 0; i < count; i++) {
        out->height = SW_MAX(out->height, values[i]->height + 1);
    }
    expander->nodes_count += count;
    if (expander->nodes_count > SW_NODE_WEIGHT_MAX || out->height > SW_NODE_HEIGHT_MAX) {
        return too_much(expander, node->mark);
    }
    *ret_node = out;
    return SW_OK;
}

/** A value that came from a whole reference: its text is expanded beside it. */
static int expand_original(
    struct expander *expander,
    struct sw_node *node,
    struct sw_node *expanded,
    struct sw_node **ret_node,
    bool *ret_changed
)
{
    bool changed = false;
    struct sw_node *text = text_node(expander, node->original, node->mark);
    struct sw_node *text_expanded = NULL;
    if (text == NULL) {
        return SW_E_NOMEM;
    }
    // Findings about the text do not count: where it cannot be expanded only the value remains.
    struct sw_conf_errors *errors = expander->load->errors;
    struct sw_conf_errors ignored = {0};
    expander->load->errors = &ignored;
    int err = expand_text(expander, text, &text_expanded, &changed);
    expander->load->errors = errors;
    sw_conf_errors_fini(&ignored);
    if (err == SW_E_NOMEM) {
        return err;
    }
    struct sw_node *out = sw_node_new(&expander->load->arena, expanded->kind, expanded->mark);
    if (out == NULL) {
        return SW_E_NOMEM;
    }
    *out = *expanded;
    out->original = NULL;
    if (err == SW_OK && text_expanded->kind == SW_NODE_STRING && text_expanded->original == NULL) {
        out->original = text_expanded->text;
        *ret_changed |= changed;
    }
    *ret_node = out;
    return SW_OK;
}

static int expand_once(
    struct expander *expander,
    struct sw_node *node,
    struct sw_node **ret_node,
    bool *ret_changed
)
{
    bool changed = false;
    struct sw_node *expanded = node;
    int err = SW_OK;
    if (node->kind == SW_NODE_STRING) {
        err = expand_text(expander, node, &expanded, &changed);
    } else if (node->kind == SW_NODE_LIST || node->kind == SW_NODE_MAP) {
        err = expand_children(expander, node, &expanded, &changed);
    }
    if (err != SW_OK) {
        return err;
    }
    *ret_changed |= changed;
    *ret_node = expanded;
    bool composite = node->kind == SW_NODE_LIST || node->kind == SW_NODE_MAP;
    if (composite && node->original != NULL && strstr(node->original, "${") != NULL) {
        return expand_original(expander, node, expanded, ret_node, ret_changed);
    }
    return SW_OK;
}

/** "$$" becomes "$", in values and in the texts beside them. */
static const char *unescape(struct expander *expander, const char *text)
{
    if (text == NULL || strstr(text, "$$") == NULL) {
        return text;
    }
    char *out = sw_arena_alloc(&expander->load->arena, strlen(text) + 1);
    if (out == NULL) {
        expander->load->out_of_memory = true;
        return text;
    }
    char *to = out;
    for (const char *p = text; *p != '\0'; p++) {
        *to++ = *p;
        if (p[0] == '$' && p[1] == '$') {
            p++;
        }
    }
    return out;
}

static struct sw_node *unescape_node(struct expander *expander, struct sw_node *node)
{
    struct sw_arena *arena = &expander->load->arena;
    struct sw_node *out = sw_node_new(arena, node->kind, node->mark);
    if (out == NULL) {
        return NULL;
    }
    *out = *node;
    out->original = unescape(expander, node->original);
    if (node->kind == SW_NODE_STRING) {
        out->text = unescape(expander, node->text);
    } else if (node->kind == SW_NODE_LIST) {
        out->items = sw_arena_array(arena, node->items_count, sizeof(*out->items));
        for (size_t i = 0; out->items != NULL && i < node->items_count; i++) {
            out->items[i] = unescape_node(expander, node->items[i]);
            if (out->items[i] == NULL) {
                return NULL;
            }
        }
        return out->items != NULL ? out : NULL;
    } else if (node->kind == SW_NODE_MAP) {
        out->entries = sw_arena_array(arena, node->entries_count, sizeof(*out->entries));
        for (size_t i = 0; out->entries != NULL && i < node->entries_count; i++) {
            out->entries[i] = node->entries[i];
            out->entries[i].value = unescape_node(expander, node->entries[i].value);
            if (out->entries[i].value == NULL) {
                return NULL;
            }
        }
        return out->entries != NULL ? out : NULL;
    }
    return out;
}

/** A value that is no map: expanded until nothing changes. */
static int expand_leaf(struct expander *expander, struct sw_node *node, struct sw_node **ret_node)
{
    for (int i = 0; i < EXPANSIONS_MAX; i++) {
        bool changed = false;
        struct sw_node *next = node;
        int err = expand_once(expander, node, &next, &changed);
        if (err != SW_OK) {
            return err;
        }
        node = next;
        if (!changed) {
            *ret_node = unescape_node(expander, node);
            return *ret_node == NULL ? SW_E_NOMEM : SW_OK;
        }
    }
    sw_load_report(
        expander->load,
        SW_COMPLAINT_ERROR,
        node->mark,
        expander->path,
        "too many recursive expansions"
    );
    return SW_E_INVALID;
}

/** Maps key by key, so that a message names the path; everything else as a leaf. Goes on after an
 * error to find more, except when out of memory. */
static int expand_tree(struct expander *expander, struct sw_node *node, struct sw_node **ret_node)
{
    int worst = SW_OK;
    if (node->kind != SW_NODE_MAP) {
        return expand_leaf(expander, node, ret_node);
    }
    struct sw_arena *arena = &expander->load->arena;
    struct sw_node *out = sw_node_new(arena, SW_NODE_MAP, node->mark);
    struct sw_entry *entries = sw_arena_array(arena, node->entries_count, sizeof(*entries));
    const char *outer = expander->path;
    if (out == NULL || entries == NULL) {
        return SW_E_NOMEM;
    }
    for (size_t i = 0; i < node->entries_count && worst != SW_E_NOMEM; i++) {
        const char *key = node->entries[i].key;
        size_t size = strlen(outer) + strlen(key) + 3;
        char *path = sw_arena_alloc(arena, size);
        if (path == NULL) {
            return SW_E_NOMEM;
        }
        snprintf(path, size, "%s%s%s", outer, outer[0] != '\0' ? "::" : "", key);
        expander->path = path;
        entries[i] = node->entries[i];
        int err = expand_tree(expander, node->entries[i].value, &entries[i].value);
        worst = err != SW_OK && worst != SW_E_NOMEM ? err : worst;
        if (err == SW_OK) {
            out->height = SW_MAX(out->height, entries[i].value->height + 1);
        }
    }
    expander->path = outer;
    out->entries = entries;
    out->entries_count = node->entries_count;
    *ret_node = out;
    if (worst == SW_OK && out->height > SW_NODE_HEIGHT_MAX) {
        return too_much(expander, node->mark);
    }
    return worst;
}

int sw_expand_all(struct sw_conf_load *load)
{
    struct expander expander = {.load = load, .path = ""};
    struct sw_node *root = load->root;
    int err = expand_tree(&expander, root, &root);
    load->root = root;
    return load->out_of_memory ? SW_E_NOMEM : err;
}
