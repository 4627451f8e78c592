/* What the parts of the graph loader share. */
#ifndef SW_CONF_GRAPH_INTERNAL_H
#define SW_CONF_GRAPH_INTERNAL_H

#include "control/conf/conf_internal.h"

/** The load of service, components and pipelines. */
struct sw_graph {
    struct sw_conf_load *load;
    struct sw_conf *conf;
    int err; /**< SW_E_NOMEM, sticky */
};

/** Memory of the load; NULL sets err. */
void *sw_graph_take(struct sw_graph *graph, size_t count, size_t size);
/** "a::b" in the load's memory; "" when there is none left (sticky). */
const char *sw_graph_join(struct sw_graph *graph, const char *a, const char *b);

/** "traces", "metrics", "logs", "profiles"; ends with NULL. */
extern const char *const sw_signal_words[];

/** Decodes everything that is configured, used or not (sections.c). */
void sw_sections_decode(struct sw_graph *graph);

#endif
