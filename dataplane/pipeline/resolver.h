/* Names become addresses without a core ever waiting: a core asks, the answer comes back on that
 * core, from a later turn or, for literal addresses, from inside the question. The control thread
 * (or a thread of its own) resolves; tests answer out of a table. */
#ifndef SW_PIPELINE_RESOLVER_H
#define SW_PIPELINE_RESOLVER_H

#include "dataplane/base/core.h"
#include "dataplane/l4_stream/stream.h"

#define SW_RESOLVER_ADDRS_MAX 32

/** One question. Lives in the asker's memory until it is answered or cancelled. */
struct sw_resolver_query {
    const char *host; /**< asker's, unchanged until the answer; NUL-terminated */
    uint16_t port;
    /** The answer, on the asker's core. addrs are borrowed until return, at most
     * SW_RESOLVER_ADDRS_MAX; when there are none err says why (SW_E_NOT_FOUND, SW_E_TIMEOUT, …).
     * The query is the asker's again and may be asked anew from inside. */
    void (*answered
    )(struct sw_resolver_query *query, int err, const struct sw_addr *addrs, unsigned addrs_count);
    void *pending; /**< the resolver's */
};

struct sw_resolver;

struct sw_resolver_ops {
    void (*ask
    )(struct sw_resolver *resolver, struct sw_core *core, struct sw_resolver_query *query);
    /** Forgets the asker; the query may be freed at once. Asker's core. */
    void (*cancel
    )(struct sw_resolver *resolver, struct sw_core *core, struct sw_resolver_query *query);
};

/** The head of every implementation. */
struct sw_resolver {
    const struct sw_resolver_ops *ops;
};

/** Asks. Literal addresses are answered at once, from inside, even with resolver NULL; a name with
 * resolver NULL is answered with SW_E_NOT_FOUND. */
static inline void
sw_resolver_ask(struct sw_resolver *resolver, struct sw_core *core, struct sw_resolver_query *query)
{
    struct sw_addr addr;
    query->pending = NULL;
    if (sw_addr_parse(query->host, query->port, &addr) == SW_OK) {
        query->answered(query, SW_OK, &addr, 1);
    } else if (resolver == NULL) {
        query->answered(query, SW_E_NOT_FOUND, NULL, 0);
    } else {
        resolver->ops->ask(resolver, core, query);
    }
}

/** A query that was asked and not answered yet. */
static inline void sw_resolver_cancel(
    struct sw_resolver *resolver,
    struct sw_core *core,
    struct sw_resolver_query *query
)
{
    if (resolver != NULL) {
        resolver->ops->cancel(resolver, core, query);
    }
}

#endif
