/* Configuration of the `probabilistic_sampler` processor (Collector contrib v0.159). */
#ifndef SW_PROBABILISTIC_PROBABILISTIC_SAMPLER_CONF_H
#define SW_PROBABILISTIC_PROBABILISTIC_SAMPLER_CONF_H

#include "dataplane/pipeline/component.h"

struct sw_probabilistic_conf {
    double sampling_percentage;
    uint32_t hash_seed;
    const char *mode; /**< "hash_seed", "proportional", "equalizing"; "": hash_seed */
    bool fail_closed;
    int64_t sampling_precision;    /**< 1 … 14 */
    const char *attribute_source;  /**< "traceID", "record" */
    const char *from_attribute;    /**< "": none */
    const char *sampling_priority; /**< "": none */
};

extern const struct sw_component sw_probabilistic_sampler;

#endif
