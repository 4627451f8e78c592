/* The heap: one door to jemalloc, and the place where tests make the n-th allocation fail.
 *
 * Any thread. The data plane allocates only charged buffers (buf.h) after start. */
#ifndef SW_BASE_MEM_H
#define SW_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

/** As malloc, calloc, realloc, free; NULL when out of memory. Sizes of 0 give a valid pointer. */
void *sw_alloc(size_t size) __attribute__((malloc, alloc_size(1)));
void *sw_zalloc(size_t size) __attribute__((malloc, alloc_size(1)));
void *sw_realloc(void *ptr, size_t size) __attribute__((alloc_size(2)));
void *sw_aligned_alloc(size_t alignment, size_t size) __attribute__((malloc, alloc_size(2)));
void sw_free(void *ptr);
char *sw_strdup(const char *text);
/** Copies len bytes and adds a NUL. */
char *sw_strndup(const char *text, size_t len);

/** What the allocator says of itself, for the Go-named process metrics. Control thread. */
struct sw_mem_stats {
    uint64_t allocated_bytes;   /**< live bytes */
    uint64_t total_alloc_bytes; /**< allocated since start, monotonic */
    uint64_t mapped_bytes;      /**< taken from the system */
};
void sw_mem_stats(struct sw_mem_stats *ret_stats);

/** Fault injection, for tests: the n-th allocation from now (1 = the next) fails, and so do all
 * after it when sticky. 0 switches it off. Returns how many allocations were seen since the last
 * call. */
uint64_t sw_mem_fail_at(uint64_t nth, int sticky);

#endif
