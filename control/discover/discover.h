/* Names looked up again and again (pipeline/discover.h) with c-ares: no thread of its own, nothing
 * blocks. Lives on the control thread, which polls it when its descriptor is readable and once in a
 * while. Each lookup is a channel of its own, so that changes of the system's files (resolv.conf,
 * hosts, nsswitch.conf) hold from the next one on. */
#ifndef SW_DISCOVER_DISCOVER_H
#define SW_DISCOVER_DISCOVER_H

#include "dataplane/pipeline/discover.h"

/** How the lookups of a name go now. */
struct sw_discover_news {
    const char *hostname;
    const char *why;   /**< they fail; NULL: they do not */
    bool failed;       /**< they did when there was news last */
    unsigned left_out; /**< addresses beyond SW_DISCOVERY_ADDRS_MAX */
    const char *own;   /**< one of this machine's addresses is among them: this one */
};

struct sw_discover_conf {
    struct sw_mailbox *mailbox; /**< the control thread's */
    const char *servers; /**< "address:port,…" instead of the system's; NULL: the system's */
    /** It goes otherwise than before. Seldom: it can be logged. NULL: nobody wants to know. */
    void (*told)(void *context, const struct sw_discover_news *news);
    void *context;
};

/** @return 0, SW_E_NOMEM, SW_E_SYSTEM */
SW_CHECKED int
sw_discover_new(const struct sw_discover_conf *conf, struct sw_discovery **ret_discovery);

/** All watches have ended. NULL is legal. */
void sw_discover_free(struct sw_discovery *discovery);

/** Readable when there is something to poll for. */
int sw_discover_fd(const struct sw_discovery *discovery);

/** Goes on with what is under way and begins what is due. */
void sw_discover_poll(struct sw_discovery *discovery, uint64_t now_ns);

#endif
