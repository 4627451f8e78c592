/* Who we are in our own telemetry: service.name, service.version, service.instance.id and what
 * `service::telemetry::resource` adds. Constant after it was made; any thread. */
#ifndef SW_TELEMETRY_RESOURCE_H
#define SW_TELEMETRY_RESOURCE_H

#include "dataplane/base/field.h"
#include "dataplane/base/metric.h"

struct sw_resource {
    struct sw_label *labels; /**< in name order */
    unsigned labels_count;
};

/** Defaults, changed by the configured map (null removes one). service.instance.id is a random UUID
 * unless configured.
 *
 * @param attributes  service::telemetry::resource of the configuration, a map or null
 * @return 0, SW_E_NOMEM, SW_E_SYSTEM (no randomness)
 */
SW_CHECKED int sw_resource_new(
    const struct sw_value *attributes,
    const char *service_name,
    const char *service_version,
    struct sw_resource **ret_resource
);
void sw_resource_free(struct sw_resource *resource);

#endif
