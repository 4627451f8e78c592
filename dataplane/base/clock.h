/* Time of the real world. The data plane gets its time from its core (core.h); only workers and
 * control read clocks.
 * The vDSO's CLOCK_MONOTONIC is the kernel's calibrated TSC: 20 to 25 ns a reading, once or twice a
 * turn.
 */
#ifndef SW_BASE_CLOCK_H
#define SW_BASE_CLOCK_H

#include <stdint.h>

#define SW_NS_PER_US UINT64_C(1000)
#define SW_NS_PER_MS UINT64_C(1000000)
#define SW_NS_PER_S  UINT64_C(1000000000)

/** Monotonic nanoseconds, same epoch as CLOCK_MONOTONIC. Any thread. */
uint64_t sw_clock_ns(void);

/** Unix time in nanoseconds. Any thread. */
uint64_t sw_clock_wall_ns(void);

/** CPU time that the calling thread has used, nanoseconds. */
uint64_t sw_clock_thread_cpu_ns(void);

#endif
