/* What a codec costs a megabyte of telemetry: sw-micro-codec [seconds per line]
 *
 * The message is like a request of spans: keys that repeat, values that differ, random IDs. It is packed
 * out of 40 ranges, as a batch that was put together is, and opened in one go. Each line is the best of
 * several rounds; MB are of plain bytes. */
#include "dataplane/l7_http/codec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MESSAGE_BYTES (1u << 20)
#define RANGES_COUNT  40

static uint64_t seed = 88172645463325252;

static uint32_t rnd(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed >> 11) % below);
}

static void fail(const char *what)
{
    fprintf(stderr, "sw-micro-codec: %s\n", what);
    exit(1);
}

static void make_message(uint8_t *data)
{
    static const char *const routes[] = {"/api/cart", "/api/checkout", "/api/products/", "/health"};
    size_t size = 0;
    char span[512];
    while (size < MESSAGE_BYTES) {
        for (unsigned i = 0; i < 24; i++) { // trace and span ID
            span[i] = (char)rnd(256);
        }
        int len = snprintf(
            span + 24,
            sizeof(span) - 24,
            "%cGET %s%chttp.request.method%cGET%curl.path%c%s%u%chttp.response.status_code%c%u"
            "%cserver.address%ccart-%u.shop.svc.cluster.local%cnetwork.peer.address%c10.%u.%u.%u"
            "%cuser_agent.original%cMozilla/5.0 (X11; Linux x86_64) Gecko/20100101%cthread.id%c%u",
            10,
            routes[rnd(4)],
            18,
            5,
            18,
            9,
            routes[rnd(4)],
            rnd(100000),
            18,
            24,
            rnd(20) == 0 ? 500 : 200,
            18,
            14,
            rnd(8),
            18,
            20,
            rnd(4),
            rnd(256),
            rnd(256),
            18,
            19,
            18,
            9,
            rnd(64)
        );
        size_t left = MESSAGE_BYTES - size;
        size_t bytes = SW_MIN((size_t)len + 24, left);
        memcpy(data + size, span, bytes);
        size += bytes;
    }
}

struct ranges {
    const uint8_t *data;
    uint32_t size;
    uint32_t at;
};

static bool next_range(void *ctx, struct sw_piece *ret_piece)
{
    struct ranges *ranges = ctx;
    uint32_t len = SW_MIN(ranges->size / RANGES_COUNT + 1, ranges->size - ranges->at);
    *ret_piece = (struct sw_piece){NULL, ranges->data + ranges->at, len};
    ranges->at += len;
    return len > 0;
}

static struct sw_buf *
pack(struct sw_codec *codec, enum sw_coding coding, int level, const uint8_t *data, uint32_t size)
{
    struct ranges ranges = {data, size, 0};
    struct sw_buf *packed = NULL;
    if (sw_codec_pack(codec, coding, level, next_range, &ranges, size, NULL, &packed) != SW_OK) {
        fail("cannot pack");
    }
    return packed;
}

static void open_again(struct sw_codec *codec, enum sw_coding coding, const struct sw_buf *packed)
{
    struct sw_buf *plain = NULL;
    const char *why = "";
    if (sw_codec_open(
            codec, coding, packed->data, packed->size, MESSAGE_BYTES, NULL, &plain, &why, NULL
        )
        != SW_OK) {
        fail(why);
    }
    sw_buf_unref(plain);
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void measure(
    struct sw_codec *codec,
    enum sw_coding coding,
    int level,
    const uint8_t *data,
    uint32_t size,
    double seconds
)
{
    struct sw_buf *packed = pack(codec, coding, level, data, size);
    double best_pack = 1e9;
    double best_open = 1e9;
    double end = now_s() + seconds;
    while (now_s() < end) {
        double start = now_s();
        sw_buf_unref(pack(codec, coding, level, data, size));
        double middle = now_s();
        open_again(codec, coding, packed);
        double stop = now_s();
        best_pack = SW_MIN(best_pack, middle - start);
        best_open = SW_MIN(best_open, stop - middle);
    }
    printf(
        "%-16s %5d %8" PRIu32 " %7.2f %12.0f %12.0f\n",
        sw_coding_name(coding),
        level,
        size,
        (double)size / packed->size,
        size / best_pack / 1e6,
        size / best_open / 1e6
    );
    sw_buf_unref(packed);
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[] = {MESSAGE_BYTES, 8192};
    static const int gzip_levels[] = {-2, 0, 6, 9};
    static const int zstd_levels[] = {0, 3, 6, 10};
    double seconds = argc > 1 ? atof(argv[1]) : 0.5;
    uint8_t *data = malloc(MESSAGE_BYTES);
    struct sw_codec *codec = NULL;
    if (data == NULL || sw_codec_new(&codec) != SW_OK) {
        fail("out of memory");
    }
    make_message(data);
    printf("coding           level    bytes   ratio    pack MB/s    open MB/s\n");
    for (unsigned i = 0; i < SW_ARRAY_SIZE(sizes); i++) {
        for (enum sw_coding coding = SW_CODING_GZIP; coding < SW_CODINGS_COUNT; coding++) {
            bool leveled = coding == SW_CODING_GZIP || coding == SW_CODING_ZSTD;
            const int *levels = coding == SW_CODING_ZSTD ? zstd_levels : gzip_levels;
            for (unsigned k = 0; leveled && k < SW_ARRAY_SIZE(gzip_levels); k++) {
                measure(codec, coding, levels[k], data, sizes[i], seconds);
            }
            if (!leveled) {
                measure(codec, coding, 0, data, sizes[i], seconds);
            }
        }
    }
    sw_codec_free(codec);
    free(data);
    return 0;
}
