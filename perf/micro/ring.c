/* Costs of another list of backends: its ring, and the digest of that.
 *
 *   sw-micro-ring [ENDPOINTS [ROUNDS]]
 */
#include "dataplane/balance/ring.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(
    enum sw_ring_generation generation,
    const char *const *texts,
    unsigned count,
    unsigned rounds,
    double *ring_ms,
    double *digest_ms
)
{
    for (unsigned i = 0; i < rounds; i++) {
        char digest[SW_RING_DIGEST_TEXT];
        struct sw_ring *ring = NULL;
        double begin = now_ms();
        if (sw_ring_new(generation, texts, count, &ring) != 0) {
            exit(1);
        }
        double made = now_ms();
        if (sw_ring_digest(ring, texts, digest) != 0) {
            exit(1);
        }
        ring_ms[i] = made - begin;
        digest_ms[i] = now_ms() - made;
        sw_ring_free(ring);
    }
    qsort(ring_ms, rounds, sizeof(double), by_value);
    qsort(digest_ms, rounds, sizeof(double), by_value);
    printf(
        "generation %s, %u endpoints: ring %.2f ms (worst %.2f), digest %.2f ms (worst %.2f)\n",
        sw_ring_generation_text(generation),
        count,
        ring_ms[rounds / 2],
        ring_ms[rounds - 1],
        digest_ms[rounds / 2],
        digest_ms[rounds - 1]
    );
}

int main(int argc, char **argv)
{
    unsigned count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000;
    unsigned rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 50;
    if (count == 0 || count > SW_RING_ENDPOINTS_MAX || rounds == 0) {
        fprintf(stderr, "usage: sw-micro-ring [ENDPOINTS [ROUNDS]]\n");
        return 2;
    }
    const char **texts = calloc(count, sizeof(*texts));
    double *times = calloc(2 * (size_t)rounds, sizeof(*times));
    char(*names)[32] = calloc(count, sizeof(*names));
    if (texts == NULL || times == NULL || names == NULL) {
        return 1;
    }
    for (unsigned i = 0; i < count; i++) {
        snprintf(names[i], sizeof(names[i]), "10.%u.%u.%u:4317", i >> 16, i >> 8 & 255, i & 255);
        texts[i] = names[i];
    }
    sw_ring_sort(texts, count);
    for (int generation = SW_RING_A; generation <= SW_RING_C; generation++) {
        measure((enum sw_ring_generation)generation, texts, count, rounds, times, times + rounds);
    }
    free(names);
    free(times);
    free(texts);
    return 0;
}
