/* Configuration of the `batch` processor (Collector v0.159). */
#ifndef SW_BATCH_BATCH_CONF_H
#define SW_BATCH_BATCH_CONF_H

#include "dataplane/pipeline/component.h"

struct sw_batch_conf {
    int64_t timeout_ns;                  /**< 0: every input is sent at once */
    uint32_t send_batch_size;            /**< items that trigger; 0: every input is sent at once */
    uint32_t send_batch_max_size;        /**< 0: none, else >= send_batch_size */
    struct sw_list metadata_keys;        /**< const char * */
    uint32_t metadata_cardinality_limit; /**< 0: unlimited */
};

extern const struct sw_component sw_batch_processor;

#endif
