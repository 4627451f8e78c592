/* What the parts of the loader share: memory, the tree of values with their places, the load. */
#ifndef SW_CONF_CONF_INTERNAL_H
#define SW_CONF_CONF_INTERNAL_H

#include "control/conf/conf.h"

#include <stdio.h>

/* --- memory: everything of one load is freed together (arena.c) --- */

struct sw_arena_chunk;
struct sw_arena {
    struct sw_arena_chunk *chunks;
};

/** Zeroed and aligned for any type; NULL when out of memory. */
void *sw_arena_alloc(struct sw_arena *arena, size_t size);
char *sw_arena_copy(struct sw_arena *arena, const char *text, size_t len);
/** count * size, checked. */
void *sw_arena_array(struct sw_arena *arena, size_t count, size_t size);
void sw_arena_fini(struct sw_arena *arena);

/** A growing text of sw_alloc; sticky out-of-memory flag. Zero-initialise. */
struct sw_conf_text {
    char *data; /**< NUL-terminated once something was added */
    size_t len;
    size_t capacity;
    bool out_of_memory;
};
void sw_conf_text_add(struct sw_conf_text *text, const char *data, size_t len);
void sw_conf_text_puts(struct sw_conf_text *text, const char *data);
void sw_conf_text_printf(struct sw_conf_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/** JSON string with its quotes, which YAML reads too; what is no UTF-8 becomes U+FFFD. */
void sw_conf_text_quote(struct sw_conf_text *text, const char *data);
void sw_conf_text_fini(struct sw_conf_text *text);

/* --- the tree (tree.c) --- */

enum sw_node_kind {
    SW_NODE_NULL,
    SW_NODE_BOOL,
    SW_NODE_INT,
    SW_NODE_UINT, /**< above INT64_MAX */
    SW_NODE_FLOAT,
    SW_NODE_STRING,
    SW_NODE_TIME, /**< a YAML timestamp: nothing takes one */
    SW_NODE_LIST,
    SW_NODE_MAP,
};

struct sw_entry {
    const char *key;
    struct sw_mark mark; /**< of the key */
    struct sw_node *value;
};

/** Nodes are never changed once they are linked; expansion and merging make new ones. */
struct sw_node {
    enum sw_node_kind kind;
    struct sw_mark mark;
    /** Set when the value came from one whole reference: the text as it was, which a field of type
     * string takes (Collector: confmap expandedValue). */
    const char *original;
    uint64_t weight; /**< nodes below and this one, aliases counted each time */
    uint32_t height; /**< levels below and this one; never above SW_NODE_HEIGHT_MAX */
    union {
        bool boolean;
        int64_t integer;
        uint64_t uinteger;
        double number;
        const char *text; /**< STRING, TIME: NUL-terminated, holds no other NUL */
        struct {
            struct sw_node **items;
            size_t items_count;
        };
        struct {
            struct sw_entry *entries;
            size_t entries_count;
        };
    };
};

// Whoever walks a tree does so by recursion: neither nesting, nor anchors, nor references make a higher
// one.
#define SW_NODE_HEIGHT_MAX 500
#define SW_NODE_WEIGHT_MAX 1000000

struct sw_node *sw_node_new(struct sw_arena *arena, enum sw_node_kind kind, struct sw_mark mark);
/** Value of a key of a map, or NULL. */
const struct sw_entry *sw_node_entry(const struct sw_node *node, const char *key);
struct sw_node *sw_node_get(const struct sw_node *node, const char *key);
/** "over" wins: maps key by key, anything else whole. NULL when out of memory. */
struct sw_node *sw_node_merge(struct sw_arena *arena, struct sw_node *base, struct sw_node *over);
/** Go's name of the value's type, for messages. */
const char *sw_node_type(const struct sw_node *node);

/** Appends to an arena-backed array that doubles; false when out of memory. */
bool sw_arena_push(
    struct sw_arena *arena,
    void **items,
    size_t *count,
    size_t *capacity,
    size_t size,
    const void *item
);

/* --- YAML (yaml.c, scalar.c) --- */

struct sw_yaml_problem {
    char text[256];
    uint32_t line;
    uint32_t column;
};

/** First document of the text as a tree; an empty one is NULL-kind.
 * @return 0, SW_E_MALFORMED (problem set), SW_E_NOMEM */
SW_CHECKED int sw_yaml_parse(
    struct sw_arena *arena,
    const char *source,
    const char *data,
    size_t len,
    struct sw_node **ret_node,
    struct sw_yaml_problem *problem
);

/** What a plain scalar means: Go YAML v3's resolve. Sets kind and value; text is borrowed. */
void sw_scalar_resolve(const char *text, size_t len, struct sw_node *node);

/* --- the load --- */

#define SW_GATES_MAX 48

/** What a pipeline names, as written: print-config shows this. */
struct sw_pipeline_ids {
    struct sw_list receivers; /**< const char *: IDs */
    struct sw_list processors;
    struct sw_list exporters;
};

struct sw_conf_load {
    struct sw_arena arena;
    const struct sw_conf_args *args;
    const struct sw_component *const *components;
    size_t components_count;
    struct sw_conf_errors *errors;
    struct sw_conf *conf;
    struct sw_node *root;
    struct sw_pipeline_ids *pipeline_ids; /**< by index of conf->pipelines */
    bool checking; /**< decoding is done: what is found now breaks a rule, no more */
    bool out_of_memory;
    signed char gates[SW_GATES_MAX]; /**< by index of sw_gates: 0 default, 1 on, -1 off */
};

/** Adds a finding; path and text are copied. */
void sw_load_report(
    struct sw_conf_load *load,
    enum sw_complaint complaint,
    struct sw_mark mark,
    const char *path,
    const char *format,
    ...
) __attribute__((format(printf, 5, 6)));

/* --- sources and expansion (source.c, expand.c) --- */

/** What a URI gave. */
struct sw_retrieved {
    struct sw_node *node; /**< value; a string that YAML does not read otherwise is verbatim */
    const char *original; /**< the text itself */
    bool invalid_yaml;    /**< node is the text because it is not valid YAML: problem says why */
    struct sw_yaml_problem problem;
};

/** Reads scheme:opaque. mark: where the reference stands, for errors and for values that have no
 * file of their own. @return 0, SW_E_INVALID (reported), SW_E_NOMEM */
SW_CHECKED int sw_retrieve(
    struct sw_conf_load *load,
    const char *uri,
    size_t uri_len,
    struct sw_mark mark,
    const char *path,
    struct sw_retrieved *ret
);

/** Begin of the source of what --set gave; its places have no line. */
#define SW_SET_SOURCE "--set "

/** All sources of the arguments, merged, not expanded yet, in load->root. */
SW_CHECKED int sw_sources_read(struct sw_conf_load *load);

/** Expands every value of load->root. */
SW_CHECKED int sw_expand_all(struct sw_conf_load *load);

/* --- gates (gates.c) --- */

SW_CHECKED int sw_gates_parse(struct sw_conf_load *load);
bool sw_gate_on(const struct sw_conf_load *load, const char *id);

struct sw_gate {
    const char *id;
    const char *stage; /**< "alpha", "beta", "stable", "deprecated" */
    bool on;           /**< default */
    bool go_only;      /**< changes only the inside of the Go program */
    const char *help;
};
extern const struct sw_gate sw_gates[];

/* --- decoding (schema.c) --- */

/** A section that is being decoded or checked. */
struct sw_section {
    struct sw_conf_load *load;
    struct sw_mark mark;
    bool used; /**< false: what only a start or a build would find is a warning */
};

/** Fills base with the table's defaults, then with what node says (NULL or null: defaults only),
 * then runs the checks of nested sections and `check` on the whole.
 * @param path  of the section, for messages: "exporters::otlp_grpc"
 * @return 0 (findings are reported), SW_E_NOMEM */
SW_CHECKED int sw_schema_decode(
    const struct sw_section *section,
    const struct sw_field *fields,
    sw_check_fn *check,
    void *base,
    const struct sw_node *node,
    const char *path
);

/** A component's table; an empty one when it has no keys. */
const struct sw_field *sw_fields_of(const struct sw_component *component);

/** Splits "type/name" and trims. @return 0; SW_E_INVALID with *ret_why; SW_E_NOMEM */
SW_CHECKED int sw_id_parse(
    struct sw_arena *arena,
    const char *text,
    const char **ret_id,
    const char **ret_type,
    const char **ret_name,
    const char **ret_why
);

/* --- graph (graph.c) --- */

/** Decodes service, pipelines and components into load->conf and checks the graph. */
SW_CHECKED int sw_graph_load(struct sw_conf_load *load);

/** The reference page of all keys, in Markdown. NULL when out of memory; of sw_alloc. */
char *sw_docs_configuration(const struct sw_component *const *components, size_t components_count);

#endif
