/* Regular expressions with RE2's syntax and meaning (Go's regexp), over PCRE2.
 *
 * A pattern is read by our own parser, which refuses what RE2 refuses (look-around, back-references,
 * possessive and nested repetition, …) and hands PCRE2 a pattern that means the same to it. What is left
 * of differences: bytes that are no UTF-8 match nothing here (Go reads each as U+FFFD), and the
 * groups of a loop that goes round without consuming may differ. PCRE2 backtracks: a search that takes
 * too many steps is given up and says so.
 */
#ifndef SW_BASE_PATTERN_H
#define SW_BASE_PATTERN_H

#include "dataplane/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Room for every text about what is wrong with a pattern. */
#define SW_PATTERN_WHY_MAX 128

/** Compiled, constant. Any thread. */
struct sw_pattern;

/** Where searches write; one core's, for any pattern. */
struct sw_pattern_scratch;

/** A group: bytes of the text from begin up to end. */
struct sw_pattern_range {
    size_t begin; /**< SIZE_MAX: the group took no part */
    size_t end;
};

/** Control thread.
 *
 * @param text     NUL-terminated
 * @param ret_why  on SW_E_INVALID what is wrong, in Go's words where it has some; may be NULL
 * @return 0, SW_E_INVALID, SW_E_NOMEM
 */
SW_CHECKED int
sw_pattern_new(const char *text, struct sw_pattern **ret_pattern, char ret_why[SW_PATTERN_WHY_MAX]);

/** NULL is legal. */
void sw_pattern_free(struct sw_pattern *pattern);

/** Capturing groups, the whole match not counted. */
uint32_t sw_pattern_groups_count(const struct sw_pattern *pattern);

/** Name of a group, 1 … groups_count; "" without. Lives as long as the pattern. */
const char *sw_pattern_group_name(const struct sw_pattern *pattern, uint32_t group);

/** @param groups_max  of the patterns that it is used with */
SW_CHECKED int sw_pattern_scratch_new(uint32_t groups_max, struct sw_pattern_scratch **ret_scratch);
void sw_pattern_scratch_free(struct sw_pattern_scratch *scratch);

/** Does the pattern match anywhere in the text? Bounded work, no allocation but where PCRE2 cannot use
 * its just-in-time compiler.
 *
 * @param ret_ranges  the whole match and the groups, valid until the scratch is used again; may be NULL
 * @return 1, 0, or SW_E_TOO_LARGE when the search was given up
 */
SW_CHECKED int sw_pattern_find(
    const struct sw_pattern *pattern,
    struct sw_pattern_scratch *scratch,
    const void *text,
    size_t size,
    const struct sw_pattern_range **ret_ranges
);

#endif
