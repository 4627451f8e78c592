/* A batch processor whose work is done behind it: where every exporter behind it has a store, requests go there as
 * they come, so that a crash loses nothing of what was acknowledged, and are joined as they leave. The processor
 * then passes on what it gets, and the exporters' queues are told how it would have joined. */
#ifndef SW_PIPELINE_MERGE_H
#define SW_PIPELINE_MERGE_H

#include <stdbool.h>
#include <stdint.h>

struct sw_merge {
    const char
        *processor;      /**< its ID; counts are in its name. NULL: another queue counts already */
    uint64_t timeout_ns; /**< > 0 */
    uint32_t size;       /**< items, > 0 */
    uint32_t size_max;   /**< items; 0: none */
};

#endif
