/* What the appliance file says of other gateways, and who of them this process is. */
#ifndef SW_SERVICE_PEERING_H
#define SW_SERVICE_PEERING_H

#include "control/appliance/appliance.h"
#include "control/conf/conf.h"
#include "dataplane/balance/peers.h"

struct sw_peering;

/** Control thread. Both live as long as the result.
 * @return 0, SW_E_NOMEM, SW_E_SYSTEM (the addresses of this machine cannot be told) */
SW_CHECKED int sw_peering_new(
    const struct sw_conf *conf,
    const struct sw_appliance *appliance,
    struct sw_peering **ret_peering
);
/** NULL is legal. */
void sw_peering_free(struct sw_peering *peering);

const struct sw_peers_conf *sw_peering_conf(const struct sw_peering *peering);

/** Does the pipeline's data belong to one gateway, trace by trace? */
bool sw_peering_concerns(const struct sw_conf_pipeline *pipeline);

#endif
