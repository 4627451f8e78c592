/** Small things that the load generator, the sink and the checker share.
 *
 * Nothing under perf/loadgen uses the product's code: what measures and checks spanweir must not
 * share its mistakes. All three programs are single-threaded.
 */
#ifndef SW_PERF_LOADGEN_COMMON_H
#define SW_PERF_LOADGEN_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SW_LG_NS_PER_S 1000000000ull

/** A growing byte string; data is owned, NULL while cap is 0. */
struct sw_lg_bytes {
    uint8_t *data;
    size_t len;
    size_t cap;
};

/** Makes room for `more` bytes behind len; the program ends when there is no memory. */
void sw_lg_bytes_reserve(struct sw_lg_bytes *bytes, size_t more);
void sw_lg_bytes_put(struct sw_lg_bytes *bytes, const void *data, size_t len);
void sw_lg_bytes_free(struct sw_lg_bytes *bytes);

/** Ends the program with status 2 and a message; for wrong use and for what cannot be helped. */
void sw_lg_die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

void *sw_lg_alloc(size_t count, size_t size);

/** Monotonic and wall clock in nanoseconds. */
uint64_t sw_lg_now(void);
uint64_t sw_lg_wall(void);

/** User + system CPU seconds of this process so far. */
double sw_lg_cpu_seconds(void);

/** Peak resident set of this process in KiB (VmHWM's twin from getrusage). */
long sw_lg_peak_rss_kib(void);

/** Text to number; ends the program on anything but a whole number with an optional suffix. */
uint64_t sw_lg_parse_count(const char *what, const char *text); // k, M, G: powers of 1000
uint64_t sw_lg_parse_ns(const char *what, const char *text);    // ms, s (default), us, m
double sw_lg_parse_share(const char *what, const char *text);   // 0..1, or a number with %

/** "host:port" to a connected or listening non-blocking TCP socket; -1 with errno when it fails.
 * A listening socket with port 0 gets a free port, which ret_port tells. */
int sw_lg_tcp_connect(const char *host, uint16_t port);
int sw_lg_tcp_listen(const char *host, uint16_t port, uint16_t *ret_port);
void sw_lg_parse_address(const char *text, char host[64], uint16_t *ret_port);

/** Base64 with or without padding into out; returns the length, or -1 for bad input. */
int sw_lg_base64_decode(const char *text, size_t len, uint8_t *out, size_t out_size);
size_t sw_lg_base64_encode(const uint8_t *data, size_t len, char *out);

/** Latencies in log-linear buckets (1/32 of a power of two wide), so that p99 is exact to 3 %. */
struct sw_lg_histogram {
    uint64_t bucket[64 * 32];
    uint64_t count;
    uint64_t max_ns;
};
void sw_lg_histogram_add(struct sw_lg_histogram *histogram, uint64_t ns);
uint64_t sw_lg_histogram_quantile(const struct sw_lg_histogram *histogram, double quantile);

#endif
