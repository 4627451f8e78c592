/* The hash ring of the Collector's load-balancing exporter, bit for bit (contrib
 * exporter/loadbalancingexporter/consistent_hashing.go). It changed twice without a switch, so
 * there are three; two Collectors of different generations disagree on two thirds of all traces.
 *
 *   A  up to v0.130: 100 points an endpoint on 36000 positions, one byte of index, a point whose
 *      place is taken is dropped
 *   B  from v0.131: four bytes of index, linear probing, at most ten steps
 *   C  v0.159: 200 points on 131071 positions, sorted before they are placed
 *
 * A ring is constant once made; any thread. */
#ifndef SW_BALANCE_RING_H
#define SW_BALANCE_RING_H

#include "dataplane/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sw_ring_generation {
    SW_RING_A,
    SW_RING_B,
    SW_RING_C,
};

#define SW_RING_ENDPOINTS_MAX 4096
#define SW_RING_DIGEST_TEXT   65 /**< SHA-256 in hex and a NUL */

struct sw_ring_point {
    uint32_t position;
    uint32_t endpoint; /**< index into the list it was made of */
};

struct sw_ring {
    enum sw_ring_generation generation;
    uint32_t positions_count;
    uint32_t points_count;
    struct sw_ring_point *points; /**< by position, rising */
    uint16_t *owners;             /**< for each position; NULL: the ring is empty */
};

/** @param endpoints  as the resolver gave them, sorted bytewise; duplicates stay
 * @param count       0 … SW_RING_ENDPOINTS_MAX
 * @return 0, SW_E_NOMEM, SW_E_TOO_LARGE
 */
SW_CHECKED int sw_ring_new(
    enum sw_ring_generation generation,
    const char *const *endpoints,
    unsigned count,
    struct sw_ring **ret_ring
);

/** NULL is legal. */
void sw_ring_free(struct sw_ring *ring);

/** Where a routing key stands. */
uint32_t sw_ring_position(const struct sw_ring *ring, const void *key, size_t size);

/** Index of the endpoint that owns a position; the ring is not empty. */
static inline unsigned sw_ring_owner(const struct sw_ring *ring, uint32_t position)
{
    return ring->owners[position];
}

/** The first owner clockwise from a position that is usable; the plain owner when none is. */
unsigned sw_ring_owner_among(
    const struct sw_ring *ring,
    uint32_t position,
    bool (*usable)(void *context, unsigned endpoint),
    void *context
);

/** SHA-256 over the lines "<position> <endpoint>\n": two agents with the same digest agree on every
 * key. @return 0 or SW_E_NOMEM */
SW_CHECKED int sw_ring_digest(
    const struct sw_ring *ring,
    const char *const *endpoints,
    char ret_text[SW_RING_DIGEST_TEXT]
);

/** Sorts a list as all resolvers do: bytewise. */
void sw_ring_sort(const char **endpoints, unsigned count);

/** "A", "B", "C". */
const char *sw_ring_generation_text(enum sw_ring_generation generation);

#endif
