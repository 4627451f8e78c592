#include "control/telemetry/process.h"

#include "dataplane/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct seen {
    unsigned count;
    double uptime;
    double rss;
    double cpu;
};

static void look(void *context, const struct sw_metric_sample *sample)
{
    struct seen *seen = context;
    seen->count++;
    assert_int_equal(strncmp(sample->family->name, "otelcol_process_", 16), 0);
    assert_int_equal(sample->labels_count, 0);
    if (strcmp(sample->family->name, "otelcol_process_uptime") == 0) {
        assert_int_equal(sample->family->type, SW_COUNTER);
        seen->uptime = sample->value;
    } else if (strcmp(sample->family->name, "otelcol_process_memory_rss") == 0) {
        assert_int_equal(sample->family->type, SW_GAUGE);
        seen->rss = sample->value;
    } else if (strcmp(sample->family->name, "otelcol_process_cpu_seconds") == 0) {
        seen->cpu = sample->value;
    }
}

static void test_all_series_are_shown_and_read_on_refresh(void **state)
{
    (void)state;
    struct sw_metrics *metrics = NULL;
    struct sw_process *process = NULL;
    assert_int_equal(sw_metrics_new(1, &metrics), 0);
    assert_int_equal(sw_process_metrics_new(metrics, 5 * SW_NS_PER_S, &process), 0);
    struct seen seen = {0};
    sw_metrics_each(metrics, look, &seen);
    assert_int_equal(seen.count, 6);
    assert_true(seen.uptime == 0);
    sw_process_metrics_refresh(process, 7 * SW_NS_PER_S + 500 * SW_NS_PER_MS);
    sw_metrics_each(metrics, look, &seen);
    assert_true(seen.uptime == 2.5);
    assert_true(seen.rss > 100000);
    assert_true(seen.cpu > 0);
    sw_process_metrics_free(process);
    seen.count = 0;
    sw_metrics_each(metrics, look, &seen);
    assert_int_equal(seen.count, 0);
    sw_process_metrics_free(NULL);
    sw_metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_series_are_shown_and_read_on_refresh),
    };
    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
