/* The load_balancing exporter (old name loadbalancing; contrib v0.159): what has the same routing
 * key goes to the same backend, which a hash ring chooses (ring.h).
 *
 *   [queue] → export → retry → router (split.c cuts a batch, router_parts.c hands the parts over)
 *                                ├ backend: [queue] → backend.c → retry → channel
 *                                └ ...
 *
 * The unit of retry is a part for one backend: what was accepted is not sent again; a backend that
 * leaves gives what it did not deliver back to the router. In the appliance file, besides the ring's
 * generation: failover = "next_owner", with which the traces of a backend that refuses
 * connections go to the next owner on the ring until it is back; and drain_aware = true, with which a
 * backend that has said that it will end (pipeline/drain_notice.h) gets no traces that this process has
 * not sent it before: those go to the next owner until it is back. */
#ifndef SW_BALANCE_LOADBALANCING_EXPORTER_H
#define SW_BALANCE_LOADBALANCING_EXPORTER_H

#include "dataplane/balance/loadbalancing_exporter_conf.h"
#include "dataplane/balance/ring.h"
#include "dataplane/pipeline/stage.h"

extern const struct sw_stage_class sw_loadbalancing_exporter_class;

/** The ring generation that the appliance file asks for; C where it does not.
 * @param view  NULL: nothing stands there
 * @return 0; SW_E_INVALID (untouched) */
SW_CHECKED int sw_loadbalancing_generation(
    const struct sw_appliance_view *view,
    enum sw_ring_generation *ret_generation
);

/** The text that stands on the ring for an address of a DNS answer (discover.h), the caller's, of
 * sw_alloc; NULL: out of memory. */
char *sw_loadbalancing_endpoint(const struct sw_resolver_dns_conf *conf, const char *address);

#endif
