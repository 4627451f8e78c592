/* What a component tells about itself: its type and aliases, its configuration table, the signals
 * it knows. control/service/registry.c lists all components; control/conf decodes by these. */
#ifndef SW_PIPELINE_COMPONENT_H
#define SW_PIPELINE_COMPONENT_H

#include "dataplane/base/field.h"

enum sw_component_kind {
    SW_RECEIVER,
    SW_PROCESSOR,
    SW_EXPORTER,
    SW_CONNECTOR,
    SW_EXTENSION,
    SW_COMPONENT_KINDS_COUNT,
};

/** Sets of signals. The bit of a signal is 1 << its index in the pipeline's order: traces,
 * metrics, logs, profiles. */
#define SW_FOR_TRACES   (1u << 0)
#define SW_FOR_METRICS  (1u << 1)
#define SW_FOR_LOGS     (1u << 2)
#define SW_FOR_PROFILES (1u << 3)
#define SW_FOR_OTLP     (SW_FOR_TRACES | SW_FOR_METRICS | SW_FOR_LOGS)

struct sw_component {
    enum sw_component_kind kind;
    const char *type;              /**< the Collector's word: "tail_sampling" */
    const char *const *old_types;  /**< older names that still work, with a warning; NULL: none */
    const struct sw_field *fields; /**< NULL: no keys */
    size_t conf_size;              /**< bytes of the struct that fields describe */
    sw_check_fn *check;            /**< on the whole decoded struct, may be NULL */
    uint8_t signals;               /**< that the Collector's component takes (connector: from) */
    uint8_t signals_ready;         /**< that this build does; others are refused at start */
    uint8_t signals_out;           /**< connector: to */
    bool keeps_signal;             /**< connector: only from a signal to the same one */
    bool factory_refuses;  /**< exporter: the Collector's factory refuses what makes no sense */
    const char *stability; /**< the Collector's word: "stable", "beta", … */
    const char *module;    /**< folder that implements it */
    const char *help;      /**< one line for the reference page */
    /** Exporters: where their sections lie in the conf struct, so that the pipeline builder puts
     * queue and retry before them. 0: the exporter has no such section. */
    uint32_t queue_offset;   /**< struct sw_sending_queue_conf */
    uint32_t retry_offset;   /**< struct sw_retry_on_failure_conf */
    uint32_t timeout_offset; /**< int64_t, nanoseconds an attempt may take, 0: no limit */
    /** What the module implements (struct sw_stage_ops for stages); set where the component is
     * defined as soon as there is an implementation, NULL until then. */
    const void *ops;
};

/** Options of ours for one component, from the appliance file. */
struct sw_appliance_view {
    const char *kind;         /**< "processor", "exporter", … */
    const char *id;           /**< "otlp/traces" */
    struct sw_value settings; /**< SW_VALUE_MAP: everything else that stands in its entry */
};

/** Section that holds components of a kind: "receivers", "processors", … */
static inline const char *sw_component_section(enum sw_component_kind kind)
{
    static const char *const names[] = {
        "receivers",
        "processors",
        "exporters",
        "connectors",
        "extensions",
    };
    return names[kind];
}

/** The kind as one word: "receiver", "processor", … */
static inline const char *sw_component_kind_text(enum sw_component_kind kind)
{
    static const char *const names[] = {
        "receiver",
        "processor",
        "exporter",
        "connector",
        "extension",
    };
    return names[kind];
}

#endif
