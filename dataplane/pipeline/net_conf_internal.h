/* Tables that only the shared blocks themselves put together. */
#ifndef SW_PIPELINE_NET_CONF_INTERNAL_H
#define SW_PIPELINE_NET_CONF_INTERNAL_H

#include "dataplane/pipeline/net_conf.h"

extern const struct sw_field sw_tls_client_fields[];
extern const struct sw_field sw_tls_server_fields[];
extern const struct sw_field sw_auth_client_fields[];
extern const struct sw_field sw_auth_http_server_fields[];
extern const struct sw_field sw_middleware_fields[];
extern const char *const sw_transport_words[];

void sw_tls_client_check(void *section, struct sw_check *check);
void sw_tls_server_check(void *section, struct sw_check *check);

/** Complains about a transport that nothing here can serve. */
void sw_transport_check(int transport, struct sw_check *check);

#endif
