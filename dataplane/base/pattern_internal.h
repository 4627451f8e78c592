/* Between pattern.c (compiling and searching) and pattern_parse.c (RE2's syntax to PCRE2's). */
#ifndef SW_BASE_PATTERN_INTERNAL_H
#define SW_BASE_PATTERN_INTERNAL_H

#include "dataplane/base/pattern.h"

/** A pattern while it is read, and what it becomes. */
struct pattern_parse {
    const uint8_t *at;
    const uint8_t *end;
    char *out; /**< for PCRE2 */
    size_t out_size;
    size_t out_capacity;
    char *names; /**< of the groups in order, each NUL-terminated */
    size_t names_size;
    uint32_t groups_count;
    char *why; /**< SW_PATTERN_WHY_MAX bytes, or NULL */
    int err;   /**< sticky */
};

/** names and out are the caller's to sw_free, on failure too. */
void sw_pattern_parse(struct pattern_parse *parse);

#endif
