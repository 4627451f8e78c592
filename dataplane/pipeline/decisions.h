/* Decisions about traces that other gateways should know, or that they have made. Stands between the
 * stage that decides and whoever speaks to the others; one for each pipeline. */
#ifndef SW_PIPELINE_DECISIONS_H
#define SW_PIPELINE_DECISIONS_H

#include "dataplane/base/core.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct sw_decision {
    uint8_t trace_id[16];
    bool sampled;
};

/** What became of decisions that others have made. */
struct sw_decisions_taken {
    uint32_t remembered; /**< spans that come follow them */
    uint32_t followed;   /**< spans were waiting here: they will follow them */
    uint32_t known;      /**< decided here already */
    uint32_t lost;       /**< no room */
};

struct sw_decisions {
    /** A decision was made here. On the core that made it. */
    void (*decided
    )(struct sw_decisions *decisions, struct sw_core *core, const struct sw_decision *decision);
    /** What became of them, on the core that knows. */
    void (*taken
    )(struct sw_decisions *decisions, struct sw_core *core, const struct sw_decisions_taken *taken);
    /** Others have made decisions. Set by the stage that decides; on any core, list borrowed. */
    void (*take
    )(struct sw_decisions *decisions,
      struct sw_core *core,
      const struct sw_decision *list,
      unsigned count);
    void *takers[SW_CORES_MAX]; /**< of the stage that decides */
    _Atomic bool leaving;       /**< this process ends: its traces will be others' */
};

#endif
