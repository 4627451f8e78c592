/* Threads and processors: the only place of the data plane that asks the system for either. */
#include "dataplane/worker/worker_internal.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void *thread_main(void *argument)
{
    sw_worker_run_internal(argument);
    return NULL;
}

// A worker keeps its core where it was told to; failing to pin is no error (a container may forbid).
static void pin(const struct sw_worker *worker)
{
    if (worker->conf.cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((unsigned)worker->conf.cpu, &set);
        pthread_setaffinity_np(worker->thread, sizeof(set), &set);
    }
}

int sw_worker_launch(struct sw_worker *worker)
{
    // Signals belong to the control thread.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&worker->thread, NULL, thread_main, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        return SW_E_SYSTEM;
    }
    worker->launched = true;
    char name[16];
    snprintf(name, sizeof(name), "worker-%u", worker->core.index);
    pthread_setname_np(worker->thread, name);
    pin(worker);
    return SW_OK;
}

void sw_worker_stop(struct sw_worker *worker)
{
    if (worker->launched) {
        atomic_store_explicit(&worker->stop, true, memory_order_release);
        sw_mailbox_wake(worker->core.mailbox);
        pthread_join(worker->thread, NULL);
        worker->launched = false;
    }
}

static bool read_text(const char *root, const char *path, char *text, size_t size)
{
    char full[512];
    snprintf(full, sizeof(full), "%s%s", root, path);
    FILE *file = fopen(full, "re");
    if (file == NULL) {
        return false;
    }
    size_t got = fread(text, 1, size - 1, file);
    text[got] = '\0';
    fclose(file);
    return got > 0;
}

/* The path of our cgroup: the line "0::/path" (v2), or the one that names the controller (v1). A
 * container usually sees its own group as the root of the mount, so the root is asked as well. */
static bool cgroup_path(const char *root, const char *controller, char *path, size_t size)
{
    char text[4096];
    if (!read_text(root, "/proc/self/cgroup", text, sizeof(text))) {
        return false;
    }
    for (char *save = NULL, *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        char *names = strchr(line, ':');
        char *where = names != NULL ? strchr(names + 1, ':') : NULL;
        if (where == NULL) {
            continue;
        }
        *where++ = '\0';
        names++;
        bool hit = controller == NULL ? *names == '\0' : false;
        for (char *more = NULL, *name = strtok_r(names, ",", &more);
             controller != NULL && name != NULL;
             name = strtok_r(NULL, ",", &more)) {
            hit = hit || strcmp(name, controller) == 0;
        }
        if (hit) {
            snprintf(path, size, "%s", strcmp(where, "/") == 0 ? "" : where);
            return true;
        }
    }
    return false;
}

static bool read_cgroup(
    const char *root,
    const char *controller,
    const char *mount,
    const char *file,
    char *text,
    size_t size
)
{
    char group[256];
    char path[512];
    if (cgroup_path(root, controller, group, sizeof(group))) {
        snprintf(path, sizeof(path), "/sys/fs/cgroup%s%s/%s", mount, group, file);
        if (read_text(root, path, text, size)) {
            return true;
        }
    }
    snprintf(path, sizeof(path), "/sys/fs/cgroup%s/%s", mount, file);
    return read_text(root, path, text, size);
}

// CPUs that the quota allows, rounded up; 0: no quota.
static unsigned quota_cpus(const char *root)
{
    char text[128];
    long long quota = -1;
    long long period = 0;
    if (read_cgroup(root, NULL, "", "cpu.max", text, sizeof(text))) {
        if (sscanf(text, "%lld %lld", &quota, &period) != 2) {
            return 0; // "max": no limit
        }
    } else if (read_cgroup(root, "cpu", "/cpu", "cpu.cfs_quota_us", text, sizeof(text)) || read_cgroup(root, "cpu", "/cpu,cpuacct", "cpu.cfs_quota_us", text, sizeof(text))) {
        sscanf(text, "%lld", &quota);
        if (read_cgroup(root, "cpu", "/cpu", "cpu.cfs_period_us", text, sizeof(text))
            || read_cgroup(root, "cpu", "/cpu,cpuacct", "cpu.cfs_period_us", text, sizeof(text))) {
            sscanf(text, "%lld", &period);
        }
    }
    return quota > 0 && period > 0 ? (unsigned)((quota + period - 1) / period) : 0;
}

static unsigned affinity_cpus(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0) {
        return (unsigned)CPU_COUNT(&set);
    }
    return (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
}

unsigned sw_worker_count_for(const char *root, unsigned affinity)
{
    unsigned count = affinity > 0 ? affinity : affinity_cpus();
    unsigned quota = quota_cpus(root);
    if (quota > 0 && quota < count) {
        count = quota;
    }
    return SW_MAX(1u, SW_MIN(count, (unsigned)SW_CORES_MAX));
}

uint64_t sw_memory_limit_for(const char *root)
{
    char text[4096];
    unsigned long long limit = 0;
    // Above this a v1 limit means "none" (it is LONG_MAX rounded down to a page).
    const unsigned long long none = 1ull << 60;
    if (read_cgroup(root, NULL, "", "memory.max", text, sizeof(text))) {
        sscanf(text, "%llu", &limit); // "max" leaves 0
    } else if (read_cgroup(
                   root, "memory", "/memory", "memory.limit_in_bytes", text, sizeof(text)
               )) {
        sscanf(text, "%llu", &limit);
    }
    if (limit > 0 && limit < none) {
        return limit;
    }
    unsigned long long total_kib = 0;
    if (read_text(root, "/proc/meminfo", text, sizeof(text))
        && sscanf(text, "MemTotal: %llu kB", &total_kib) == 1) {
        return total_kib * 1024;
    }
    return 0;
}
