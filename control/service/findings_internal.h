/* What the parts of `validate` share: how a finding beyond the Collector's is told. */
#ifndef SW_SERVICE_FINDINGS_INTERNAL_H
#define SW_SERVICE_FINDINGS_INTERNAL_H

#include "control/conf/conf.h"

struct findings {
    const struct sw_conf *conf;
    struct sw_conf_errors *errors;
};

/** A warning at a key of a component ("" is the component itself). */
void sw_finding(
    struct findings *findings,
    const struct sw_conf_component *component,
    const char *key,
    const char *format,
    ...
) __attribute__((format(printf, 4, 5)));

/** Endpoints: those nobody can reach, two servers on one port, exporters that send to ourselves. */
void sw_findings_endpoints(struct findings *findings);

/** Batches by metadata that no receiver passes on. */
void sw_findings_metadata(struct findings *findings);

/** A load-balancing exporter looks this name up, and what it sends to this address of ours comes back
 * to a receiver of its pipelines. @return the exporter, NULL: none does */
const struct sw_conf_component *
sw_findings_circle(const struct sw_conf *conf, const char *hostname, const char *address);

#endif
