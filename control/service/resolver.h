/* The resolver of the process: a thread with a mailbox of its own that asks the system (getaddrinfo),
 * so that no core and not the control thread waits for a name server. */
#ifndef SW_SERVICE_RESOLVER_H
#define SW_SERVICE_RESOLVER_H

#include "dataplane/base/mailbox.h"
#include "dataplane/pipeline/resolver.h"

/** Starts the thread. `index` is its mailbox in post. @return 0, SW_E_NOMEM, SW_E_SYSTEM */
SW_CHECKED int
sw_resolver_thread_new(struct sw_post *post, unsigned index, struct sw_resolver **ret_resolver);

/** Ends the thread. The cores have stopped. NULL is legal.
 *
 * @return false when it still waits for a name server: the end of a process must not. Then nothing
 *         was freed, and what the thread stands on (post) has to be left as it is
 */
SW_CHECKED bool sw_resolver_thread_free(struct sw_resolver *resolver);

#endif
