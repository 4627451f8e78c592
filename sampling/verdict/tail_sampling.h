/* The `tail_sampling` processor: spans wait on the core that owns their trace until decision_wait
 * is over, policies vote, and the whole trace goes on or goes away (Collector contrib v0.159
 * processor/tailsamplingprocessor, strategy trace-complete).
 *
 * It owns what it takes: the ticket is settled with success when every span of the batch stands in
 * the table of its core, or has followed a decision that was taken before it came.
 */
#ifndef SW_VERDICT_TAIL_SAMPLING_H
#define SW_VERDICT_TAIL_SAMPLING_H

#include "dataplane/pipeline/stage.h"
#include "sampling/verdict/tail_sampling_conf.h"

/** conf: struct sw_tail_sampling_conf. */
extern const struct sw_stage_class sw_tail_sampling_class;

#endif
