/* A share of the traces by FNV-1a of salt and trace ID, bit for bit the Collector's, so that
 * gateways of both kinds keep the same ones (reference: 7.4, vectors in 14). */
#include "sampling/policy/policy_internal.h"

#include <math.h>

#define FNV_BASIS 0xcbf29ce484222325u
#define FNV_PRIME 0x100000001b3u

static uint64_t fnv(uint64_t hash, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ bytes[i]) * FNV_PRIME;
    }
    return hash;
}

/* (2^64 - 1) * ratio as Go's big.Float has it: a product rounded to 64 bits, half to even, then
 * cut. */
static uint64_t threshold_of(double ratio)
{
    if (ratio <= 0) {
        return 0;
    }
    if (ratio >= 1) {
        return UINT64_MAX;
    }
    int exponent;
    uint64_t mantissa = (uint64_t)ldexp(frexp(ratio, &exponent), 53); // ratio = mantissa / 2^shift
    int shift = 53 - exponent;
    unsigned __int128 product = (unsigned __int128)mantissa * UINT64_MAX;
    int bits = 128 - __builtin_clzll((uint64_t)(product >> 64));
    int cut = bits - 64;
    unsigned __int128 kept = product >> cut;
    unsigned __int128 rest = product & (((unsigned __int128)1 << cut) - 1);
    unsigned __int128 half = (unsigned __int128)1 << (cut - 1);
    if (rest > half || (rest == half && (kept & 1) != 0)) {
        kept++;
    }
    return shift - cut >= 64 ? 0 : (uint64_t)(kept >> (shift - cut));
}

static int init(struct policy *policy, const struct sw_policy_conf *conf, const char **ret_why)
{
    double percentage = conf->probabilistic.sampling_percentage;
    if (isnan(percentage)) {
        *ret_why = "sampling_percentage is not a number";
        return SW_E_INVALID;
    }
    const char *salt = conf->probabilistic.hash_salt;
    if (salt == NULL || salt[0] == '\0') {
        salt = "default-hash-seed";
    }
    policy->probabilistic.salted = fnv(FNV_BASIS, (const uint8_t *)salt, strlen(salt));
    policy->probabilistic.threshold = threshold_of(percentage / 100);
    return SW_OK;
}

static bool votes(const struct policy *policy, const struct sw_trace *trace)
{
    uint64_t hash = fnv(policy->probabilistic.salted, trace->id, sizeof(trace->id));
    return hash <= policy->probabilistic.threshold;
}

const struct policy_kind sw_policy_probabilistic = {
    .init = init,
    .votes = votes,
};
