/* Injected randomness: xoshiro256** seeded by splitmix64. One per core; not for secrets. */
#ifndef SW_BASE_RAND_H
#define SW_BASE_RAND_H

#include <stdint.h>

struct sw_rand {
    uint64_t state[4];
};

static inline uint64_t sw_splitmix64(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline void sw_rand_init(struct sw_rand *rand, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        rand->state[i] = sw_splitmix64(&seed);
    }
}

static inline uint64_t sw_rand_u64(struct sw_rand *rand)
{
    uint64_t *s = rand->state;
    uint64_t x = s[1] * 5;
    uint64_t result = ((x << 7) | (x >> 57)) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 45) | (s[3] >> 19);
    return result;
}

/** Uniform in [0, 1). */
static inline double sw_rand_unit(struct sw_rand *rand)
{
    return (double)(sw_rand_u64(rand) >> 11) * 0x1.0p-53;
}

/** Uniform in [0, bound); bound > 0. */
static inline uint64_t sw_rand_below(struct sw_rand *rand, uint64_t bound)
{
    return (uint64_t)(((unsigned __int128)sw_rand_u64(rand) * bound) >> 64);
}

#endif
