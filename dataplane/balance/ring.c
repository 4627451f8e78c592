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
// Decimal digits of a position.
#define POSITION_TEXT 10u

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

// A full ring takes ten probes of most points: a division each would be half the time of a rebuild.
static uint32_t after(const struct sw_ring *ring, uint32_t position)
{
    return position + 1 < ring->positions_count ? position + 1 : 0;
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
                at = after(ring, at);
                probes++;
            }
            if (ring->owners[at] == NOBODY && (probes < probes_max || probes_max == 0)) {
                ring->owners[at] = (uint16_t)i;
            }
        }
    }
}

/* A point of generation C, before it has a place. */
struct waiting {
    uint32_t hash;
    uint32_t endpoint;
};

struct sorting {
    const char *const *endpoints;
    uint32_t points_count;
    struct waiting *unsorted;
    struct waiting *points; // in the end by position, then hash, then endpoint
    uint32_t *ends;         // by position: index behind its last point there
};

static void hash_points(struct sorting *sorting, const struct sw_ring *ring)
{
    uint32_t each = shapes[ring->generation].points_count;
    for (uint32_t i = 0; i < sorting->points_count / each; i++) {
        const char *endpoint = sorting->endpoints[i];
        uint32_t crc = sw_codec_crc32(0, endpoint, strlen(endpoint));
        for (uint32_t k = 0; k < each; k++) {
            uint32_t hash = point_hash(ring->generation, crc, k);
            sorting->unsorted[i * each + k] = (struct waiting){hash, i};
            sorting->ends[hash % ring->positions_count]++;
        }
    }
}

static bool
comes_before(const struct sorting *sorting, const struct waiting *a, const struct waiting *b)
{
    if (a->hash != b->hash) {
        return a->hash < b->hash;
    }
    return strcmp(sorting->endpoints[a->endpoint], sorting->endpoints[b->endpoint]) < 0;
}

// A counting sort: positions are small numbers.
static void sort_by_position(struct sorting *sorting, const struct sw_ring *ring)
{
    uint32_t begin = 0;
    for (uint32_t position = 0; position < ring->positions_count; position++) {
        uint32_t count = sorting->ends[position];
        sorting->ends[position] = begin; // the end, as long as none is there
        begin += count;
    }
    for (uint32_t i = 0; i < sorting->points_count; i++) {
        const struct waiting *point = &sorting->unsorted[i];
        sorting->points[sorting->ends[point->hash % ring->positions_count]++] = *point;
    }
}

// Few points share a position: insertion puts these in order.
static void sort_each_position(struct sorting *sorting, const struct sw_ring *ring)
{
    uint32_t begin = 0;
    for (uint32_t position = 0; position < ring->positions_count; position++) {
        for (uint32_t i = begin + 1; i < sorting->ends[position]; i++) {
            struct waiting point = sorting->points[i];
            uint32_t at = i;
            while (at > begin && comes_before(sorting, &point, &sorting->points[at - 1])) {
                sorting->points[at] = sorting->points[at - 1];
                at--;
            }
            sorting->points[at] = point;
        }
        begin = sorting->ends[position];
    }
}

static void place_sorted(struct sw_ring *ring, const struct sorting *sorting)
{
    for (uint32_t i = 0; i < sorting->points_count; i++) {
        uint32_t probes = 0;
        uint32_t place = sorting->points[i].hash % ring->positions_count;
        while (ring->owners[place] != NOBODY && probes < PROBES_MAX) {
            place = after(ring, place);
            probes++;
        }
        if (probes < PROBES_MAX) {
            ring->owners[place] = (uint16_t)sorting->points[i].endpoint;
        }
    }
}

static int sort_and_place(struct sw_ring *ring, const char *const *endpoints, unsigned count)
{
    uint32_t points_count = count * shapes[ring->generation].points_count;
    struct sorting sorting = {
        .endpoints = endpoints,
        .points_count = points_count,
        .unsorted = sw_alloc(points_count * sizeof(struct waiting)),
        .points = sw_alloc(points_count * sizeof(struct waiting)),
        .ends = sw_zalloc(ring->positions_count * sizeof(uint32_t)),
    };
    int err = SW_E_NOMEM;
    if (sorting.unsorted != NULL && sorting.points != NULL && sorting.ends != NULL) {
        hash_points(&sorting, ring);
        sort_by_position(&sorting, ring);
        sort_each_position(&sorting, ring);
        place_sorted(ring, &sorting);
        err = SW_OK;
    }
    sw_free(sorting.unsorted);
    sw_free(sorting.points);
    sw_free(sorting.ends);
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

// A hundred thousand lines of a large ring: snprintf took most of the time of a rebuild.
static char *put_line(char *at, uint32_t position, const char *endpoint)
{
    char digits[POSITION_TEXT];
    unsigned count = 0;
    do {
        digits[count++] = (char)('0' + position % 10);
        position /= 10;
    } while (position > 0);
    while (count > 0) {
        *at++ = digits[--count];
    }
    *at++ = ' ';
    size_t size = strlen(endpoint);
    memcpy(at, endpoint, size);
    at[size] = '\n';
    return at + size + 1;
}

int sw_ring_digest(
    const struct sw_ring *ring,
    const char *const *endpoints,
    char ret_text[SW_RING_DIGEST_TEXT]
)
{
    size_t room = 1;
    for (uint32_t i = 0; i < ring->points_count; i++) {
        room += POSITION_TEXT + 2 + strlen(endpoints[ring->points[i].endpoint]);
    }
    struct sw_digest *digest = NULL;
    uint8_t sum[SW_SHA256_BYTES];
    char *lines = sw_alloc(room);
    int err = lines != NULL ? sw_digest_new(&digest) : SW_E_NOMEM;
    if (err == SW_OK) {
        char *end = lines;
        for (uint32_t i = 0; i < ring->points_count; i++) {
            const struct sw_ring_point *point = &ring->points[i];
            end = put_line(end, point->position, endpoints[point->endpoint]);
        }
        err = sw_digest_sha256(digest, lines, (size_t)(end - lines), sum);
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
