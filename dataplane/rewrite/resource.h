/* The `resource` processor: changes attributes of resources (Collector contrib v0.159,
 * processor/resourceprocessor and internal/coreinternal/attraction). */
#ifndef SW_REWRITE_RESOURCE_H
#define SW_REWRITE_RESOURCE_H

#include "dataplane/pipeline/stage.h"

extern const struct sw_stage_class sw_resource_class;

#endif
