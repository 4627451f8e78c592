/* Which proxy a request goes through: the rules of Go's httpproxy for HTTP_PROXY, HTTPS_PROXY and NO_PROXY,
 * in either case of the names. Proxies are spoken to in plain HTTP; others are refused by name. */
#ifndef SW_SEND_PROXY_H
#define SW_SEND_PROXY_H

#include "dataplane/base/err.h"
#include "dataplane/pipeline/net_conf.h"

/** The value of an environment variable, NULL when it is not set. */
typedef const char *sw_environment_fn(const char *name);

struct sw_proxy {
    char *host;          /**< NULL: straight to the backend */
    char *authorization; /**< value of Proxy-Authorization; NULL: none */
    uint16_t port;
};

/** The proxy that a URL names.
 *
 * @param url      scheme may be missing; userinfo becomes the authorization
 * @param ret_why  constant text
 * @return 0, SW_E_INVALID, SW_E_UNSUPPORTED (no http://), SW_E_NOMEM
 */
SW_CHECKED int sw_proxy_parse(const char *url, struct sw_proxy *ret_proxy, const char **ret_why);

/** What the environment says of requests to an endpoint.
 *
 * @param environment   NULL: nothing is set
 * @param https         which of the two variables holds
 * @param ret_variable  the one that named the proxy, when there is one or it cannot be used
 * @return as sw_proxy_parse; 0 with host NULL: no proxy
 */
SW_CHECKED int sw_proxy_of_environment(
    sw_environment_fn *environment,
    const struct sw_endpoint *endpoint,
    bool https,
    struct sw_proxy *ret_proxy,
    const char **ret_variable,
    const char **ret_why
);

void sw_proxy_fini(struct sw_proxy *proxy);

#endif
