#include "dataplane/base/ring.h"

#include "dataplane/base/mem.h"

int sw_ring_init(struct sw_ring *ring, unsigned capacity)
{
    // EXACT_SZ rounds up to a power of two inside; the size asked for has to be the rounded one.
    unsigned slots = 2;
    while (slots <= capacity) {
        slots *= 2;
    }
    ssize_t size = rte_ring_get_memsize(slots);
    if (size < 0) {
        return SW_E_INVALID;
    }
    ring->ring = sw_aligned_alloc(RTE_CACHE_LINE_SIZE, (size_t)size);
    if (ring->ring == NULL) {
        return SW_E_NOMEM;
    }
    unsigned flags = RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ;
    if (rte_ring_init(ring->ring, "spanweir", capacity, flags) != 0) {
        sw_ring_fini(ring);
        return SW_E_INVALID;
    }
    return SW_OK;
}

void sw_ring_fini(struct sw_ring *ring)
{
    sw_free(ring->ring);
    ring->ring = NULL;
}
