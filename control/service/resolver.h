/* The resolver of the process: a thread with a mailbox of its own that asks the system (getaddrinfo),
 * so that no core and not the control thread waits for a name server. */
#ifndef SW_SERVICE_RESOLVER_H
#define SW_SERVICE_RESOLVER_H

#include "dataplane/base/mailbox.h"
#include "dataplane/pipeline/resolver.h"

/** Starts the thread. `index` is its mailbox in post. @return 0, SW_E_NOMEM, SW_E_SYSTEM */
SW_CHECKED int
sw_resolver_thread_new(struct sw_post *post, unsigned index, struct sw_resolver **ret_resolver);

/** Ends the thread, after the answer that it may be waiting for. The cores have stopped. NULL is legal. */
void sw_resolver_thread_free(struct sw_resolver *resolver);

#endif
