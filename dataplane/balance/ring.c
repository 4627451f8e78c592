#include "dataplane/balance/ring.h"

#include "dataplane/base/assert.h"
#include "dataplane/base/digest.h"
#include "dataplane/base/mem.h"
#include "dataplane/l7_http/codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// After so many steps a point is dropped, even where the next place is free.
#define PROBES_MAX 10u
#define NOBODY     UINT16_MAX

static const struct {
    uint32_t positions_count;
    uint32_t points_count; // of each endpoint
    uint32_t index_bytes;
} shapes[] = {
    [SW_RING_A] = {36000, 100, 1},
    [SW_RING_B] = {36000, 100, 4},
    [SW_RING_C] = {131071, 200, 4},
};

const char *sw_ring_generation_text(enum sw_ring_generation generation)
{
    static const char *const texts[] = {"A", "B", "C"};
    return texts[generation];
}

static uint32_t point_hash(enum sw_ring_generation generation, uint32_t crc, uint32_t index)
{
    uint8_t bytes[4] = {
        (uint8_t)index, (uint8_t)(index >> 8), (uint8_t)(index >> 16), (uint8_t)(index >> 24)};
    return sw_codec_crc32(crc, bytes, shapes[generation].index_bytes);
}

/* Generations A and B: endpoints in the order of the list, their points in the order of the index. */
static void place_in_order(struct sw_ring *ring, const char *const *endpoints, unsigned count)
{
    uint32_t probes_max = ring->generation == SW_RING_A ? 0 : PROBES_MAX;
    for (unsigned i = 0; i < count; i++) {
        uint32_t crc = sw_codec_crc32(0, endpoints[i], strlen(endpoints[i]));
        for (uint32_t k = 0; k < shapes[ring->generation].points_count; k++) {
            uint32_t at = point_hash(ring->generation, crc, k) % ring->positions_count;
            uint32_t probes = 0;
            while (ring->owners[at] != NOBODY && probes < probes_max) {
                at = (at + 1) % ring->positions_count;
                probes++;
            }
            if (ring->owners[at] == NOBODY && (probes < probes_max || probes_max == 0)) {
                ring->owners[at] = (uint16_t)i;
            }
        }
    }
}

/* A point of generation C that waits to be placed, in the list of its position. */
struct waiting {
    uint32_t hash;
    uint32_t endpoint;
    uint32_t next; // index + 1
};

struct sorting {
    const char *const *endpoints;
    struct waiting *points;
    uint32_t *heads; // by position, index + 1
};

static bool comes_before(const struct sorting *sorting, const struct waiting *a, uint32_t other)
{
    const struct waiting *b = &sorting->points[other - 1];
    if (a->hash != b->hash) {
        return a->hash < b->hash;
    }
    return strcmp(sorting->endpoints[a->endpoint], sorting->endpoints[b->endpoint]) < 0;
}

// Positions are small numbers: a list for each sorts all points in one pass.
static void sort_point(struct sorting *sorting, uint32_t index, uint32_t position)
{
    struct waiting *point = &sorting->points[index];
    uint32_t *link = &sorting->heads[position];
    while (*link != 0 && !comes_before(sorting, point, *link)) {
        link = &sorting->points[*link - 1].next;
    }
    point->next = *link;
    *link = index + 1;
}

static void place_sorted(struct sw_ring *ring, const struct sorting *sorting)
{
    for (uint32_t position = 0; position < ring->positions_count; position++) {
        for (uint32_t at = sorting->heads[position]; at != 0; at = sorting->points[at - 1].next) {
            uint32_t probes = 0;
            uint32_t place = position;
            while (ring->owners[place] != NOBODY && probes < PROBES_MAX) {
                place = (place + 1) % ring->positions_count;
                probes++;
            }
            if (probes < PROBES_MAX) {
                ring->owners[place] = (uint16_t)sorting->points[at - 1].endpoint;
            }
        }
    }
}

static int sort_and_place(struct sw_ring *ring, const char *const *endpoints, unsigned count)
{
    uint32_t each = shapes[ring->generation].points_count;
    struct sorting sorting = {
        .endpoints = endpoints,
        .points = sw_alloc((size_t)count * each * sizeof(struct waiting)),
        .heads = sw_zalloc(ring->positions_count * sizeof(uint32_t)),
    };
    int err = SW_E_NOMEM;
    if (sorting.points != NULL && sorting.heads != NULL) {
        for (unsigned i = 0; i < count; i++) {
            uint32_t crc = sw_codec_crc32(0, endpoints[i], strlen(endpoints[i]));
            for (uint32_t k = 0; k < each; k++) {
                uint32_t hash = point_hash(ring->generation, crc, k);
                sorting.points[i * each + k] = (struct waiting){.hash = hash, .endpoint = i};
                sort_point(&sorting, i * each + k, hash % ring->positions_count);
            }
        }
        place_sorted(ring, &sorting);
        err = SW_OK;
    }
    sw_free(sorting.points);
    sw_free(sorting.heads);
    return err;
}

// The points in order, then each position gets the owner of the next point, round the ring.
static int finish(struct sw_ring *ring)
{
    for (uint32_t at = 0; at < ring->positions_count; at++) {
        ring->points_count += ring->owners[at] != NOBODY;
    }
    ring->points = sw_alloc(ring->points_count * sizeof(ring->points[0]));
    if (ring->points == NULL) {
        return SW_E_NOMEM;
    }
    uint32_t count = 0;
    for (uint32_t at = 0; at < ring->positions_count; at++) {
        if (ring->owners[at] != NOBODY) {
            ring->points[count++] = (struct sw_ring_point){at, ring->owners[at]};
        }
    }
    uint16_t owner = (uint16_t)ring->points[0].endpoint;
    for (uint32_t at = ring->positions_count; at-- > 0;) {
        if (ring->owners[at] == NOBODY) {
            ring->owners[at] = owner;
        }
        owner = ring->owners[at];
    }
    return SW_OK;
}

int sw_ring_new(
    enum sw_ring_generation generation,
    const char *const *endpoints,
    unsigned count,
    struct sw_ring **ret_ring
)
{
    if (count > SW_RING_ENDPOINTS_MAX) {
        return SW_E_TOO_LARGE;
    }
    struct sw_ring *ring = sw_zalloc(sizeof(*ring));
    if (ring == NULL) {
        return SW_E_NOMEM;
    }
    ring->generation = generation;
    ring->positions_count = shapes[generation].positions_count;
    if (count == 0) {
        *ret_ring = ring;
        return SW_OK;
    }
    int err = SW_E_NOMEM;
    ring->owners = sw_alloc(ring->positions_count * sizeof(ring->owners[0]));
    if (ring->owners != NULL) {
        memset(ring->owners, 0xff, ring->positions_count * sizeof(ring->owners[0]));
        err = SW_OK;
        if (generation == SW_RING_C) {
            err = sort_and_place(ring, endpoints, count);
        } else {
            place_in_order(ring, endpoints, count);
        }
    }
    if (err == SW_OK) {
        err = finish(ring);
    }
    if (err != SW_OK) {
        sw_ring_free(ring);
        return err;
    }
    *ret_ring = ring;
    return SW_OK;
}

void sw_ring_free(struct sw_ring *ring)
{
    if (ring != NULL) {
        sw_free(ring->points);
        sw_free(ring->owners);
        sw_free(ring);
    }
}

uint32_t sw_ring_position(const struct sw_ring *ring, const void *key, size_t size)
{
    return sw_codec_crc32(0, key, size) % ring->positions_count;
}

unsigned sw_ring_owner_among(
    const struct sw_ring *ring,
    uint32_t position,
    bool (*usable)(void *context, unsigned endpoint),
    void *context
)
{
    uint32_t low = 0;
    uint32_t high = ring->points_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ring->points[middle].position < position) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (uint32_t i = 0; i < ring->points_count; i++) {
        unsigned owner = ring->points[(low + i) % ring->points_count].endpoint;
        if (usable(context, owner)) {
            return owner;
        }
    }
    return sw_ring_owner(ring, position);
}

int sw_ring_digest(
    const struct sw_ring *ring,
    const char *const *endpoints,
    char ret_text[SW_RING_DIGEST_TEXT]
)
{
    size_t room = 1;
    for (uint32_t i = 0; i < ring->points_count; i++) {
        room += 12 + strlen(endpoints[ring->points[i].endpoint]);
    }
    struct sw_digest *digest = NULL;
    uint8_t sum[SW_SHA256_BYTES];
    char *lines = sw_alloc(room);
    int err = lines != NULL ? sw_digest_new(&digest) : SW_E_NOMEM;
    if (err == SW_OK) {
        size_t size = 0;
        for (uint32_t i = 0; i < ring->points_count; i++) {
            const struct sw_ring_point *point = &ring->points[i];
            size += (size_t)snprintf(
                lines + size, room - size, "%u %s\n", point->position, endpoints[point->endpoint]
            );
        }
        err = sw_digest_sha256(digest, lines, size, sum);
    }
    for (unsigned i = 0; err == SW_OK && i < SW_SHA256_BYTES; i++) {
        snprintf(ret_text + 2 * (size_t)i, 3, "%02x", sum[i]);
    }
    sw_digest_free(digest);
    sw_free(lines);
    return err;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void sw_ring_sort(const char **endpoints, unsigned count)
{
    if (count > 1) {
        qsort(endpoints, count, sizeof(endpoints[0]), by_bytes);
    }
}
