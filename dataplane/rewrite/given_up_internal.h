/* Searches for a regular expression that took too many steps: they found nothing, and this tells. */
#ifndef SW_REWRITE_GIVEN_UP_INTERNAL_H
#define SW_REWRITE_GIVEN_UP_INTERNAL_H

#include "dataplane/pipeline/cells.h"

SW_CHECKED int
sw_given_up_cell(const struct sw_stage_env *env, unsigned core, struct sw_cell **ret_cell);

#endif
