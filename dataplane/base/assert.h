/* Assertions stay on in release: a broken invariant must not go on to lose data quietly.
 * SW_DASSERT is for hot loops and only in builds with SW_DEBUG. Bytes of a peer never assert. */
#ifndef SW_BASE_ASSERT_H
#define SW_BASE_ASSERT_H

_Noreturn void sw_assert_failed(const char *what, const char *file, int line);

#define SW_LIKELY(x)   __builtin_expect(!!(x), 1)
#define SW_UNLIKELY(x) __builtin_expect(!!(x), 0)

#define SW_ASSERT(cond)                                                                            \
    do {                                                                                           \
        if (SW_UNLIKELY(!(cond))) {                                                                \
            sw_assert_failed(#cond, __FILE__, __LINE__);                                           \
        }                                                                                          \
    } while (0)

#ifdef SW_DEBUG
#define SW_DASSERT(cond) SW_ASSERT(cond)
#else
#define SW_DASSERT(cond)                                                                           \
    do {                                                                                           \
    } while (0)
#endif

#define SW_ARRAY_SIZE(a)                (sizeof(a) / sizeof((a)[0]))
#define SW_CONTAINER_OF(ptr, type, mem) ((type *)((char *)(ptr)-offsetof(type, mem)))
#define SW_MIN(a, b)                    ((a) < (b) ? (a) : (b))
#define SW_MAX(a, b)                    ((a) > (b) ? (a) : (b))

#endif
