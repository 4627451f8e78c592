/* The `probabilistic_sampler` processor: keeps a share of spans or log records, each looked at alone, bit for
 * bit the Collector's choice (contrib v0.159, processor/probabilisticsamplerprocessor). */
#ifndef SW_PROBABILISTIC_PROBABILISTIC_SAMPLER_H
#define SW_PROBABILISTIC_PROBABILISTIC_SAMPLER_H

#include "dataplane/pipeline/stage.h"

extern const struct sw_stage_class sw_probabilistic_class;

#endif
