#include "dataplane/base/pattern.h"

#include "dataplane/base/assert.h"
#include "dataplane/base/mem.h"
#include "dataplane/base/pattern_internal.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <string.h>

/* Steps of one search. RE2 needs no such limit; here it keeps a hostile text from stalling the core. Plain
 * patterns on texts of some kilobytes take a few hundred. */
#define STEPS_MAX 50000u
// And the memory that backtracking may take, in KiB.
#define HEAP_MAX_KIB 1024u

_Static_assert(
    sizeof(struct sw_pattern_range) == 2 * sizeof(PCRE2_SIZE),
    "ranges are PCRE2's offset vector"
);

struct sw_pattern {
    pcre2_code *code;
    char *names;
    uint32_t groups_count;
};

struct sw_pattern_scratch {
    pcre2_match_data *data;
    pcre2_match_context *context;
    uint32_t groups_max;
};

static int compile(struct sw_pattern *pattern, const struct pattern_parse *parse)
{
    const uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DOLLAR_ENDONLY
                             | PCRE2_ALT_CIRCUMFLEX | PCRE2_NEVER_BACKSLASH_C;
    int error;
    PCRE2_SIZE offset;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (context == NULL || pcre2_set_newline(context, PCRE2_NEWLINE_LF) != 0) {
        pcre2_compile_context_free(context);
        return SW_E_NOMEM;
    }
    pattern->code = pcre2_compile(
        (PCRE2_SPTR)(parse->out != NULL ? parse->out : ""),
        parse->out_size,
        options,
        &error,
        &offset,
        context
    );
    pcre2_compile_context_free(context);
    if (pattern->code == NULL) {
        if (parse->why != NULL) {
            PCRE2_UCHAR text[SW_PATTERN_WHY_MAX];
            pcre2_get_error_message(error, text, sizeof(text));
            snprintf(parse->why, SW_PATTERN_WHY_MAX, "%s", (const char *)text);
        }
        return error == PCRE2_ERROR_HEAP_FAILED ? SW_E_NOMEM : SW_E_INVALID;
    }
    // Where memory may not be executed the interpreter serves.
    (void)pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE);
    return SW_OK;
}

int sw_pattern_new(
    const char *text,
    struct sw_pattern **ret_pattern,
    char ret_why[SW_PATTERN_WHY_MAX]
)
{
    struct pattern_parse parse = {
        .at = (const uint8_t *)text,
        .end = (const uint8_t *)text + strlen(text),
        .why = ret_why,
    };
    struct sw_pattern *pattern = sw_zalloc(sizeof(*pattern));
    if (pattern == NULL) {
        return SW_E_NOMEM;
    }
    sw_pattern_parse(&parse);
    pattern->names = parse.names;
    pattern->groups_count = parse.groups_count;
    int err = parse.err == SW_OK ? compile(pattern, &parse) : parse.err;
    sw_free(parse.out);
    if (err != SW_OK) {
        sw_pattern_free(pattern);
        return err;
    }
    *ret_pattern = pattern;
    return SW_OK;
}

void sw_pattern_free(struct sw_pattern *pattern)
{
    if (pattern != NULL) {
        pcre2_code_free(pattern->code);
        sw_free(pattern->names);
        sw_free(pattern);
    }
}

uint32_t sw_pattern_groups_count(const struct sw_pattern *pattern)
{
    return pattern->groups_count;
}

const char *sw_pattern_group_name(const struct sw_pattern *pattern, uint32_t group)
{
    SW_ASSERT(group >= 1 && group <= pattern->groups_count);
    const char *name = pattern->names;
    for (uint32_t i = 1; i < group; i++) {
        name += strlen(name) + 1;
    }
    return name;
}

int sw_pattern_scratch_new(uint32_t groups_max, struct sw_pattern_scratch **ret_scratch)
{
    struct sw_pattern_scratch *scratch = sw_zalloc(sizeof(*scratch));
    if (scratch == NULL) {
        return SW_E_NOMEM;
    }
    scratch->groups_max = groups_max;
    scratch->data = pcre2_match_data_create(groups_max + 1, NULL);
    scratch->context = pcre2_match_context_create(NULL);
    if (scratch->data == NULL || scratch->context == NULL) {
        sw_pattern_scratch_free(scratch);
        return SW_E_NOMEM;
    }
    pcre2_set_match_limit(scratch->context, STEPS_MAX);
    pcre2_set_heap_limit(scratch->context, HEAP_MAX_KIB);
    *ret_scratch = scratch;
    return SW_OK;
}

void sw_pattern_scratch_free(struct sw_pattern_scratch *scratch)
{
    if (scratch != NULL) {
        pcre2_match_data_free(scratch->data);
        pcre2_match_context_free(scratch->context);
        sw_free(scratch);
    }
}

int sw_pattern_find(
    const struct sw_pattern *pattern,
    struct sw_pattern_scratch *scratch,
    const void *text,
    size_t size,
    const struct sw_pattern_range **ret_ranges
)
{
    SW_ASSERT(ret_ranges == NULL || pattern->groups_count <= scratch->groups_max);
    PCRE2_SPTR subject = size > 0 ? text : (PCRE2_SPTR) "";
    int found = pcre2_match(pattern->code, subject, size, 0, 0, scratch->data, scratch->context);
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) {
        found = pcre2_match(
            pattern->code, subject, size, 0, PCRE2_NO_JIT, scratch->data, scratch->context
        );
    }
    if (found == PCRE2_ERROR_NOMATCH) {
        return 0;
    }
    if (found < 0) {
        return SW_E_TOO_LARGE;
    }
    if (ret_ranges != NULL) {
        *ret_ranges = (const struct sw_pattern_range *)pcre2_get_ovector_pointer(scratch->data);
    }
    return 1;
}
