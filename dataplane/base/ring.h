/* Single-producer single-consumer rings of pointers: the one door to rte_ring.
 *
 * rte_ring_init works without EAL (rte_ring_create does not). Built with RTE_USE_C11_MEM_MODEL: the
 * producer's release of the tail pairs with the consumer's acquire of it, and back.
 */
#ifndef SW_BASE_RING_H
#define SW_BASE_RING_H

#include "dataplane/base/err.h"

#include <rte_config.h>
#include <rte_ring.h>

#include <stdbool.h>

struct sw_ring {
    struct rte_ring *ring;
};

/** Room for exactly `capacity` pointers. @return 0 or SW_E_NOMEM */
SW_CHECKED int sw_ring_init(struct sw_ring *ring, unsigned capacity);
void sw_ring_fini(struct sw_ring *ring);

/** Producer only. @return false when full */
static inline bool sw_ring_put(struct sw_ring *ring, void *item)
{
    return rte_ring_sp_enqueue(ring->ring, item) == 0;
}

/** Consumer only. @return how many, oldest first */
static inline unsigned sw_ring_take(struct sw_ring *ring, void **ret_items, unsigned most)
{
    return rte_ring_sc_dequeue_burst(ring->ring, ret_items, most, NULL);
}

/** A look from either side; may be stale at once. (rte_ring_empty reads the tails without atomics.) */
static inline bool sw_ring_empty(const struct sw_ring *ring)
{
    uint32_t put = __atomic_load_n(&ring->ring->prod.tail, __ATOMIC_RELAXED);
    uint32_t taken = __atomic_load_n(&ring->ring->cons.tail, __ATOMIC_RELAXED);
    return put == taken;
}

#endif
