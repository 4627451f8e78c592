/* The `attributes` processor: changes attributes of spans, log records and data points (Collector contrib
 * v0.159, processor/attributesprocessor and internal/coreinternal/attraction). */
#ifndef SW_REWRITE_ATTRIBUTES_H
#define SW_REWRITE_ATTRIBUTES_H

#include "dataplane/pipeline/stage.h"

extern const struct sw_stage_class sw_attributes_class;

#endif
