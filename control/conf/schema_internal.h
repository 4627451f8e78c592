/* What the parts of the decoder share: the walk over a section. */
#ifndef SW_CONF_SCHEMA_INTERNAL_H
#define SW_CONF_SCHEMA_INTERNAL_H

#include "control/conf/conf_internal.h"

#define SW_WALK_PATH_MAX 1024

struct sw_walk {
    const struct sw_section *section;
    struct sw_arena *arena;
    bool out_of_memory;
    bool refused; /**< something does not decode: checks would only add noise */
    size_t path_len;
    char path[SW_WALK_PATH_MAX];
};

/* --- schema_value.c --- */

/** Appends a part; returns the length to go back to. A path that is too long is cut. */
size_t sw_walk_push(struct sw_walk *walk, const char *part);
size_t sw_walk_push_index(struct sw_walk *walk, size_t index);
void sw_walk_pop(struct sw_walk *walk, size_t before);

void sw_walk_report(
    struct sw_walk *walk,
    enum sw_complaint complaint,
    struct sw_mark mark,
    const char *text
);
/** An error at the node. */
void sw_walk_refuse(struct sw_walk *walk, const struct sw_node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void sw_walk_refuse_type(struct sw_walk *walk, const struct sw_node *node, const char *wanted);

/** Memory of the load; NULL sets out_of_memory. */
void *sw_walk_take(struct sw_walk *walk, size_t count, size_t size);
/** False when it is none (reported). NULL-kind counts as an empty list. */
bool sw_walk_is_list(struct sw_walk *walk, const struct sw_node *node);
bool sw_walk_is_map(struct sw_walk *walk, const struct sw_node *node);

void sw_decode_bool(struct sw_walk *walk, bool *member, const struct sw_node *node);
/** kind: of a scalar, the field's or its items'. */
void sw_decode_scalar(
    struct sw_walk *walk,
    const struct sw_field *field,
    unsigned kind,
    void *member,
    const struct sw_node *node
);
void sw_decode_value(struct sw_walk *walk, struct sw_value *value, const struct sw_node *node);
void sw_decode_headers(struct sw_walk *walk, struct sw_list *list, const struct sw_node *node);
void sw_decode_scalars(
    struct sw_walk *walk,
    const struct sw_field *field,
    struct sw_list *list,
    const struct sw_node *node
);
/** Value of an integer member of any size. */
int64_t sw_field_int(const struct sw_field *field, const void *member);

/* --- schema_check.c --- */

/** The checks of all nested sections of a table; node: the section as written, NULL when it is not. */
void sw_check_table(
    struct sw_walk *walk,
    const struct sw_field *fields,
    char *base,
    const struct sw_node *node
);
/** One check, NULL is legal. */
void sw_check_section(
    struct sw_walk *walk,
    sw_check_fn *check,
    void *section,
    const struct sw_node *node
);

#endif
