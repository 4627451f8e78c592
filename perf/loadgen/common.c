#include "perf/loadgen/common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void sw_lg_die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(2);
}

void *sw_lg_alloc(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (!memory) {
        sw_lg_die("out of memory");
    }
    return memory;
}

void sw_lg_bytes_reserve(struct sw_lg_bytes *bytes, size_t more)
{
    if (bytes->cap - bytes->len >= more) {
        return;
    }
    size_t cap = bytes->cap ? bytes->cap : 256;
    while (cap - bytes->len < more) {
        cap *= 2;
    }
    bytes->data = realloc(bytes->data, cap);
    if (!bytes->data) {
        sw_lg_die("out of memory");
    }
    bytes->cap = cap;
}

void sw_lg_bytes_put(struct sw_lg_bytes *bytes, const void *data, size_t len)
{
    if (len == 0) {
        return;
    }
    sw_lg_bytes_reserve(bytes, len);
    memcpy(bytes->data + bytes->len, data, len);
    bytes->len += len;
}

void sw_lg_bytes_free(struct sw_lg_bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct sw_lg_bytes){0};
}

static uint64_t clock_ns(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * SW_LG_NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t sw_lg_now(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t sw_lg_wall(void)
{
    return clock_ns(CLOCK_REALTIME);
}

double sw_lg_cpu_seconds(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec)
           + (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

long sw_lg_peak_rss_kib(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return use.ru_maxrss;
}

uint64_t sw_lg_parse_count(const char *what, const char *text)
{
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    double unit = 1;
    if (*end == 'k') {
        unit = 1e3;
    } else if (*end == 'M') {
        unit = 1e6;
    } else if (*end == 'G') {
        unit = 1e9;
    }
    if (end == text || errno || !(value >= 0) || value * unit > 1e18
        || (*end && (unit == 1 || end[1]))) {
        sw_lg_die("%s: '%s' is not a count", what, text);
    }
    return (uint64_t)(value * unit + 0.5);
}

uint64_t sw_lg_parse_ns(const char *what, const char *text)
{
    static const struct {
        const char *suffix;
        double ns;
    } units[] = {{"", 1e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"m", 60e9}};
    char *end;
    double value = strtod(text, &end);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (end != text && value >= 0 && !strcmp(end, units[i].suffix)) {
            return (uint64_t)(value * units[i].ns);
        }
    }
    sw_lg_die("%s: '%s' is not a duration", what, text);
}

double sw_lg_parse_share(const char *what, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (end != text && !strcmp(end, "%")) {
        value /= 100;
        end++;
    }
    if (end == text || *end || !(value >= 0 && value <= 1)) {
        sw_lg_die("%s: '%s' is not a share (0..1 or 0%%..100%%)", what, text);
    }
    return value;
}

void sw_lg_parse_address(const char *text, char host[64], uint16_t *ret_port)
{
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text || (size_t)(colon - text) >= 64) {
        sw_lg_die("'%s' is not HOST:PORT", text);
    }
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = 0;
    uint64_t port = sw_lg_parse_count("port", colon + 1);
    if (port > 65535) {
        sw_lg_die("'%s' is not HOST:PORT", text);
    }
    *ret_port = (uint16_t)port;
}

static void fill_address(struct sockaddr_in *address, const char *host, uint16_t port)
{
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    const char *ip = strcmp(host, "localhost") ? host : "127.0.0.1";
    if (inet_pton(AF_INET, ip, &address->sin_addr) != 1) {
        sw_lg_die("'%s' is not an IPv4 address", host);
    }
}

int sw_lg_tcp_connect(const char *host, uint16_t port)
{
    struct sockaddr_in address;
    fill_address(&address, host, port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) && errno != EINPROGRESS) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

int sw_lg_tcp_listen(const char *host, uint16_t port, uint16_t *ret_port)
{
    struct sockaddr_in address;
    socklen_t len = sizeof(address);
    fill_address(&address, host, port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1;
    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 1024)
        || getsockname(fd, (struct sockaddr *)&address, &len)) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int sw_lg_base64_decode(const char *text, size_t len, uint8_t *out, size_t out_size)
{
    uint32_t bits = 0;
    unsigned bits_count = 0;
    size_t used = 0;
    while (len && text[len - 1] == '=') {
        len--;
    }
    for (size_t i = 0; i < len; i++) {
        const char *at = text[i] ? strchr(alphabet, text[i]) : NULL;
        if (!at) {
            return -1;
        }
        bits = bits << 6 | (uint32_t)(at - alphabet);
        bits_count += 6;
        if (bits_count >= 8) {
            bits_count -= 8;
            if (used == out_size) {
                return -1;
            }
            out[used++] = (uint8_t)(bits >> bits_count);
        }
    }
    return (int)used;
}

size_t sw_lg_base64_encode(const uint8_t *data, size_t len, char *out)
{
    uint32_t bits = 0;
    unsigned bits_count = 0;
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | data[i];
        bits_count += 8;
        while (bits_count >= 6) {
            bits_count -= 6;
            out[used++] = alphabet[bits >> bits_count & 63];
        }
    }
    if (bits_count) {
        out[used++] = alphabet[bits << (6 - bits_count) & 63];
    }
    out[used] = 0;
    return used;
}

// Values below 64 have a bucket each; above, the top six bits choose it.
static unsigned bucket_of(uint64_t ns)
{
    if (ns < 64) {
        return (unsigned)ns;
    }
    unsigned top = 63u - (unsigned)__builtin_clzll(ns);
    return (top - 4) * 32 + (unsigned)(ns >> (top - 5) & 31);
}

static uint64_t bucket_floor(unsigned bucket)
{
    if (bucket < 64) {
        return bucket;
    }
    unsigned top = bucket / 32 + 4;
    return (32ull + bucket % 32) << (top - 5);
}

void sw_lg_histogram_add(struct sw_lg_histogram *histogram, uint64_t ns)
{
    histogram->bucket[bucket_of(ns)]++;
    histogram->count++;
    if (ns > histogram->max_ns) {
        histogram->max_ns = ns;
    }
}

uint64_t sw_lg_histogram_quantile(const struct sw_lg_histogram *histogram, double quantile)
{
    uint64_t wanted = (uint64_t)((double)histogram->count * quantile);
    uint64_t seen = 0;
    for (unsigned i = 0; i < sizeof(histogram->bucket) / sizeof(histogram->bucket[0]); i++) {
        seen += histogram->bucket[i];
        if (seen > wanted) {
            return bucket_floor(i);
        }
    }
    return histogram->max_ns;
}
