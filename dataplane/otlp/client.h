/* Who sent a request: the peer's address and what metadata (gRPC metadata, HTTP headers) the receiver was
 * told to keep. Counted; a batch holds a reference, and so may processors. Home core only, like the buffers
 * of a batch. Constant once made. It stands here and not in pipeline because batches hold it. */
#ifndef SW_OTLP_CLIENT_H
#define SW_OTLP_CLIENT_H

#include "dataplane/base/buf.h"
#include "dataplane/otlp/protobuf.h"

#include <stdbool.h>
#include <stdint.h>

/** One value of a piece of metadata. A name with several values stands several times. */
struct sw_client_pair {
    struct sw_bytes name;
    struct sw_bytes value;
};

struct sw_client {
    uint32_t refs_count;
    uint32_t pairs_count;
    struct sw_account *account;
    size_t charged_bytes;
    struct sw_bytes address;       /**< IP address as text, without port; empty: not known */
    struct sw_client_pair pairs[]; /**< in the order received */
};

/** Copies everything.
 *
 * @param account  charged until the last reference goes; may be NULL
 * @return with one reference; NULL when out of memory
 */
struct sw_client *sw_client_new(
    struct sw_account *account,
    struct sw_bytes address,
    const struct sw_client_pair *pairs,
    uint32_t pairs_count
);

void sw_client_free_internal(struct sw_client *client);

/** Returns client for chaining; NULL stays NULL. */
static inline struct sw_client *sw_client_ref(struct sw_client *client)
{
    if (client != NULL) {
        client->refs_count++;
    }
    return client;
}

/** NULL is legal. */
static inline void sw_client_unref(struct sw_client *client)
{
    if (client != NULL) {
        SW_DASSERT(client->refs_count > 0);
        if (--client->refs_count == 0) {
            sw_client_free_internal(client);
        }
    }
}

/** Values of one name, which is compared without regard to case: set *at to 0 and call until false.
 *
 * @param client  NULL: nobody in particular, there are none
 */
bool sw_client_next(
    const struct sw_client *client,
    struct sw_bytes name,
    uint32_t *at,
    struct sw_bytes *ret_value
);

#endif
