/* How many workers, how much memory: by fixtures of /proc and /sys, cgroup v1 and v2. */
#include "dataplane/worker/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char root[64];

static void put(const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof(full), "%s%s", root, path);
    for (char *slash = strchr(full + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(full, 0755);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int fresh(void **state)
{
    strcpy(root, "/tmp/spanweir-machine-XXXXXX");
    assert_non_null(mkdtemp(root));
    return 0;
}

static int sweep(void **state)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", root);
    return system(command);
}

static void test_v2_quota_is_rounded_up(void **state)
{
    put("/proc/self/cgroup", "0::/box\n");
    put("/sys/fs/cgroup/box/cpu.max", "250000 100000\n");
    put("/sys/fs/cgroup/box/memory.max", "402653184\n");
    assert_int_equal(sw_worker_count_for(root, 8), 3);
    assert_int_equal(sw_worker_count_for(root, 2), 2);
    assert_int_equal(sw_memory_limit_for(root), 402653184);
}

static void test_v2_container_sees_its_group_at_the_mount(void **state)
{
    put("/proc/self/cgroup", "0::/../elsewhere\n");
    put("/sys/fs/cgroup/cpu.max", "25000 100000\n");
    assert_int_equal(sw_worker_count_for(root, 8), 1);
}

static void test_v2_without_limit_takes_the_affinity_and_all_memory(void **state)
{
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/cpu.max", "max 100000\n");
    put("/sys/fs/cgroup/memory.max", "max\n");
    put("/proc/meminfo", "MemTotal:        2048 kB\nMemFree: 1 kB\n");
    assert_int_equal(sw_worker_count_for(root, 5), 5);
    assert_int_equal(sw_memory_limit_for(root), 2048 * 1024);
}

static void test_v1_quota_and_memory(void **state)
{
    put("/proc/self/cgroup", "4:memory:/kube/x\n3:cpu,cpuacct:/kube/x\n1:name=systemd:/\n");
    put("/sys/fs/cgroup/cpu,cpuacct/kube/x/cpu.cfs_quota_us", "150000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/kube/x/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/memory/kube/x/memory.limit_in_bytes", "1048576\n");
    assert_int_equal(sw_worker_count_for(root, 8), 2);
    assert_int_equal(sw_memory_limit_for(root), 1048576);
}

static void test_v1_without_limit(void **state)
{
    put("/proc/self/cgroup", "4:memory:/\n3:cpu,cpuacct:/\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("/proc/meminfo", "MemTotal: 4096 kB\n");
    assert_int_equal(sw_worker_count_for(root, 4), 4);
    assert_int_equal(sw_memory_limit_for(root), 4096 * 1024);
}

static void test_this_machine_has_a_worker(void **state)
{
    assert_true(sw_worker_count_for("", 0) >= 1);
    assert_true(sw_memory_limit_for("") > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_v2_quota_is_rounded_up, fresh, sweep),
        cmocka_unit_test_setup_teardown(
            test_v2_container_sees_its_group_at_the_mount, fresh, sweep
        ),
        cmocka_unit_test_setup_teardown(
            test_v2_without_limit_takes_the_affinity_and_all_memory, fresh, sweep
        ),
        cmocka_unit_test_setup_teardown(test_v1_quota_and_memory, fresh, sweep),
        cmocka_unit_test_setup_teardown(test_v1_without_limit, fresh, sweep),
        cmocka_unit_test(test_this_machine_has_a_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
