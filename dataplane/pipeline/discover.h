/* Names whose addresses are looked up again and again, for as long as somebody wants to know them.
 * The control thread looks up; what it finds it tells there. */
#ifndef SW_PIPELINE_DISCOVER_H
#define SW_PIPELINE_DISCOVER_H

#include "dataplane/base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct sw_mailbox;

/** Addresses of one answer that are looked at; what is beyond is left out and counted. */
#define SW_DISCOVERY_ADDRS_MAX 1024

/** One name. Lives in the asker's memory until ops->end; control thread but for `wanted`. */
struct sw_discovery_watch {
    const char *hostname;
    uint64_t interval_ns; /**< between two lookups, > 0 */
    uint64_t timeout_ns;  /**< of each, > 0 */
    /** A lookup has ended. Not called from inside ops->begin.
     *
     * @param err          0, or SW_E_NOT_FOUND, SW_E_TIMEOUT, SW_E_SYSTEM, SW_E_NOMEM: then there are none
     * @param addresses    borrowed: dotted quads, and IPv6 in brackets; in any order, perhaps several
     *                     times
     * @param left_out     addresses beyond SW_DISCOVERY_ADDRS_MAX
     */
    void (*answered
    )(struct sw_discovery_watch *watch,
      int err,
      const char *const *addresses,
      unsigned count,
      unsigned left_out);
    /** Any thread sets it: look up now, it may have changed. At most once a second. */
    _Atomic bool wanted;
    void *pending; /**< the discovery's */
};

struct sw_discovery;

struct sw_discovery_ops {
    /** @return 0 or SW_E_NOMEM */
    SW_CHECKED int (*begin)(struct sw_discovery *discovery, struct sw_discovery_watch *watch);
    /** One that was begun; nothing is told any more. */
    void (*end)(struct sw_discovery *discovery, struct sw_discovery_watch *watch);
};

/** The head of every implementation. */
struct sw_discovery {
    const struct sw_discovery_ops *ops;
    struct sw_mailbox *mailbox; /**< the control thread's, for what is told on to the cores */
};

#endif
