#include "dataplane/base/mem.h"

#ifdef SW_HAVE_JEMALLOC
#include <jemalloc/jemalloc.h>
#endif
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Atomic uint64_t fail_at;
static _Atomic uint64_t seen;
static _Atomic int fail_sticky;

static int fails_now(void)
{
    uint64_t nth = atomic_load_explicit(&fail_at, memory_order_relaxed);
    if (__builtin_expect(nth == 0, 1)) {
        return 0;
    }
    uint64_t count = atomic_fetch_add_explicit(&seen, 1, memory_order_relaxed) + 1;
    return count == nth || (count > nth && atomic_load(&fail_sticky));
}

void *sw_alloc(size_t size)
{
    return fails_now() ? NULL : malloc(size > 0 ? size : 1);
}

void *sw_zalloc(size_t size)
{
    return fails_now() ? NULL : calloc(1, size > 0 ? size : 1);
}

void *sw_realloc(void *ptr, size_t size)
{
    return fails_now() ? NULL : realloc(ptr, size > 0 ? size : 1);
}

void *sw_aligned_alloc(size_t alignment, size_t size)
{
    size_t rounded = (size + alignment - 1) / alignment * alignment;
    return fails_now() ? NULL : aligned_alloc(alignment, rounded > 0 ? rounded : alignment);
}

void sw_free(void *ptr)
{
    free(ptr);
}

char *sw_strndup(const char *text, size_t len)
{
    char *copy = sw_alloc(len + 1);
    if (copy != NULL) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

char *sw_strdup(const char *text)
{
    return sw_strndup(text, strlen(text));
}

uint64_t sw_mem_fail_at(uint64_t nth, int sticky)
{
    uint64_t before = atomic_exchange(&seen, 0);
    atomic_store(&fail_sticky, sticky);
    atomic_store(&fail_at, nth);
    return before;
}

#ifndef SW_HAVE_JEMALLOC
// The sanitizers bring their own allocator.
void sw_mem_stats(struct sw_mem_stats *ret_stats)
{
    memset(ret_stats, 0, sizeof(*ret_stats));
}
#else
// jemalloc caches its statistics until the epoch is advanced.
static uint64_t stat_of(const char *name)
{
    size_t value = 0;
    size_t size = sizeof(value);
    return mallctl(name, &value, &size, NULL, 0) == 0 ? value : 0;
}

// Bytes ever handed out of the size classes of one kind ("bin", "lextent"), over all arenas.
static uint64_t handed_out(const char *kind)
{
    char name[64];
    unsigned count = 0;
    size_t size = sizeof(count);
    uint64_t bytes = 0;
    snprintf(name, sizeof(name), "arenas.n%ss", kind);
    if (mallctl(name, &count, &size, NULL, 0) != 0) {
        return 0;
    }
    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "stats.arenas.%d.%ss.%u.nmalloc", MALLCTL_ARENAS_ALL, kind, i);
        uint64_t times = stat_of(name);
        if (times > 0) {
            snprintf(name, sizeof(name), "arenas.%s.%u.size", kind, i);
            bytes += times * stat_of(name);
        }
    }
    return bytes;
}

void sw_mem_stats(struct sw_mem_stats *ret_stats)
{
    uint64_t epoch = 1;
    size_t size = sizeof(epoch);
    mallctl("epoch", &epoch, &size, &epoch, sizeof(epoch));
    ret_stats->allocated_bytes = stat_of("stats.allocated");
    ret_stats->mapped_bytes = stat_of("stats.mapped");
    ret_stats->total_alloc_bytes = handed_out("bin") + handed_out("lextent");
}
#endif
