#include "dataplane/base/clock.h"

#include <time.h>

static uint64_t read_clock(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * SW_NS_PER_S + (uint64_t)ts.tv_nsec;
}

// The vDSO reads the TSC with the kernel's own calibration: 20 to 25 ns, once or twice a turn. A
// calibration of ours would save 15 ns a turn and drift against the kernel's clock.
uint64_t sw_clock_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t sw_clock_wall_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

uint64_t sw_clock_thread_cpu_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}
