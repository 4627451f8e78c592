/* Configuration of the `debug` exporter; `logging` is its old name (Collector v0.159). */
#ifndef SW_SEND_DEBUG_EXPORTER_CONF_H
#define SW_SEND_DEBUG_EXPORTER_CONF_H

#include "dataplane/pipeline/component.h"
#include "storage/queue/sending_queue_conf.h"

enum sw_verbosity {
    SW_VERBOSITY_BASIC,
    SW_VERBOSITY_NORMAL,
    SW_VERBOSITY_DETAILED,
};

struct sw_debug_exporter_conf {
    int verbosity;               /**< enum sw_verbosity */
    int64_t sampling_initial;    /**< messages a second before sampling begins */
    int64_t sampling_thereafter; /**< then every n-th */
    bool use_internal_logger;
    struct sw_list output_paths; /**< const char *; only without the internal logger */
    const char *loglevel;        /**< older spelling of verbosity, of `logging` */
    struct sw_sending_queue_conf sending_queue;
};

extern const struct sw_component sw_debug_exporter;

#endif
