#include "control/telemetry/process.h"

#include "dataplane/base/assert.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum reading {
    UPTIME,
    CPU_SECONDS,
    MEMORY_RSS,
    HEAP_ALLOC,
    TOTAL_ALLOC,
    TOTAL_SYS,
    READINGS_COUNT,
};

/* One series: which reading of whose. */
struct view {
    const struct sw_process *process;
    enum reading reading;
};

struct sw_process {
    struct sw_metrics *metrics;
    uint64_t started_ns;
    double values[READINGS_COUNT];
    struct view views[READINGS_COUNT];
};

#define FAMILY(bare, text, of_unit, of_type)                                                       \
    {                                                                                              \
        .name = "otelcol_process_" bare, .help = text " [Alpha]", .unit = of_unit,                 \
        .type = of_type, .level = SW_LEVEL_BASIC, .is_double = true,                               \
    }

// clang-format off
static const struct sw_metric_family families[READINGS_COUNT] = {
    [UPTIME] = FAMILY("uptime", "Uptime of the process", "s", SW_COUNTER),
    [CPU_SECONDS] = FAMILY("cpu_seconds", "Total CPU user and system time in seconds", "s", SW_COUNTER),
    [MEMORY_RSS] = FAMILY("memory_rss", "Total physical memory (resident set size)", "By", SW_GAUGE),
    [HEAP_ALLOC] = FAMILY("runtime_heap_alloc_bytes", "Bytes of allocated heap objects", "By", SW_GAUGE),
    [TOTAL_ALLOC] = FAMILY("runtime_total_alloc_bytes", "Cumulative bytes allocated for heap objects", "By", SW_COUNTER),
    [TOTAL_SYS] = FAMILY("runtime_total_sys_memory_bytes", "Total bytes of memory obtained from the OS", "By", SW_GAUGE),
};
// clang-format on

static double read_view(void *context)
{
    const struct view *view = context;
    return view->process->values[view->reading];
}

// A line of /proc/self/status in kibibytes.
static double status_bytes(const char *status, const char *key)
{
    const char *at = strstr(status, key);
    return at != NULL ? (double)strtoull(at + strlen(key), NULL, 10) * 1024 : 0;
}

// Huge pages are resident, but the kernel does not count them as such.
static void read_memory(struct sw_process *process)
{
    char status[4096];
    double huge = 0;
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t len = read(fd, status, sizeof(status) - 1);
        close(fd);
        status[len > 0 ? len : 0] = '\0';
        huge = status_bytes(status, "\nHugetlbPages:");
        process->values[MEMORY_RSS] = status_bytes(status, "\nVmRSS:") + huge;
    }
    struct sw_mem_stats stats;
    sw_mem_stats(&stats);
    process->values[HEAP_ALLOC] = (double)stats.allocated_bytes;
    process->values[TOTAL_ALLOC] = (double)stats.total_alloc_bytes;
    process->values[TOTAL_SYS] = (double)stats.mapped_bytes + huge;
}

static double seconds_of(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec * 1e-6;
}

void sw_process_metrics_refresh(struct sw_process *process, uint64_t now_ns)
{
    process->values[UPTIME] = (double)(now_ns - process->started_ns) / (double)SW_NS_PER_S;
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        process->values[CPU_SECONDS] = seconds_of(&usage.ru_utime) + seconds_of(&usage.ru_stime);
    }
    read_memory(process);
}

int sw_process_metrics_new(
    struct sw_metrics *metrics,
    uint64_t started_ns,
    struct sw_process **ret_process
)
{
    struct sw_process *process = sw_zalloc(sizeof(*process));
    if (process == NULL) {
        return SW_E_NOMEM;
    }
    process->metrics = metrics;
    process->started_ns = started_ns;
    for (unsigned i = 0; i < READINGS_COUNT; i++) {
        process->views[i] = (struct view){.process = process, .reading = (enum reading)i};
        int err = sw_metrics_observe(metrics, &families[i], NULL, 0, read_view, &process->views[i]);
        if (err != SW_OK) {
            sw_process_metrics_free(process);
            return err;
        }
    }
    sw_process_metrics_refresh(process, started_ns);
    *ret_process = process;
    return SW_OK;
}

void sw_process_metrics_free(struct sw_process *process)
{
    for (unsigned i = 0; process != NULL && i < READINGS_COUNT; i++) {
        sw_metrics_unobserve(process->metrics, &process->views[i]);
    }
    sw_free(process);
}
