/* Metrics: series by labels, cells by core, summed where they are read. */
#include "dataplane/base/metric.h"

#include "dataplane/base/mem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const struct sw_metric_family counter = {.name = "b_count", .type = SW_COUNTER};
static const struct sw_metric_family gauge = {.name = "c_gauge", .type = SW_GAUGE};
static const struct sw_metric_family seconds = {
    .name = "d_seconds",
    .type = SW_COUNTER,
    .is_double = true,
};
static const double bounds[] = {1, 10, 100};
static const struct sw_metric_family histogram = {
    .name = "a_histogram",
    .type = SW_HISTOGRAM,
    .bounds = bounds,
    .bounds_count = 3,
};

/* Everything that is shown, as text: "name{label=value,…} value" and buckets. */
static char page[2048];

static void show(void *context, const struct sw_metric_sample *sample)
{
    size_t at = strlen(page);
    at += (size_t)snprintf(page + at, sizeof(page) - at, "%s{", sample->family->name);
    for (unsigned i = 0; i < sample->labels_count; i++) {
        at += (size_t)snprintf(
            page + at, sizeof(page) - at, "%s=%s,", sample->labels[i].name, sample->labels[i].value
        );
    }
    at += (size_t)snprintf(page + at, sizeof(page) - at, "} %g", sample->value);
    for (unsigned i = 0; sample->buckets != NULL && i <= sample->family->bounds_count; i++) {
        at += (size_t
        )snprintf(page + at, sizeof(page) - at, " %llu", (unsigned long long)sample->buckets[i]);
    }
    snprintf(page + at, sizeof(page) - at, "\n");
}

static const char *read_page(struct sw_metrics *metrics)
{
    page[0] = '\0';
    sw_metrics_each(metrics, show, NULL);
    return page;
}

static struct sw_cell *
cell_of(struct sw_metrics *metrics, const struct sw_metric_family *family, unsigned core)
{
    struct sw_series *series = sw_metrics_series(metrics, family, NULL, 0);
    assert_non_null(series);
    return sw_series_cell(series, core);
}

static void test_a_series_is_shown_after_its_first_recording(void **state)
{
    struct sw_metrics *metrics;
    assert_int_equal(sw_metrics_new(2, &metrics), SW_OK);
    struct sw_cell *cell = cell_of(metrics, &counter, 0);
    assert_string_equal(read_page(metrics), "");
    sw_cell_add(cell, 0);
    assert_string_equal(read_page(metrics), "b_count{} 0\n");
    sw_metrics_free(metrics);
}

static void test_cells_of_all_cores_are_summed(void **state)
{
    struct sw_metrics *metrics;
    assert_int_equal(sw_metrics_new(2, &metrics), SW_OK);
    for (unsigned core = 0; core <= 2; core++) { // two cores and control
        sw_cell_add(cell_of(metrics, &counter, core), 5 + core);
        sw_cell_add(cell_of(metrics, &gauge, core), core == 1 ? -30 : 1);
        sw_cell_add_double(cell_of(metrics, &seconds, core), 0.5);
        sw_cell_add_double(cell_of(metrics, &seconds, core), 0.25);
        sw_cell_record(cell_of(metrics, &histogram, core), 10); // a bound belongs to its bucket
        sw_cell_record(cell_of(metrics, &histogram, core), 1000 * core);
    }
    assert_string_equal(
        read_page(metrics),
        "a_histogram{} 6 1 3 0 2\n"
        "b_count{} 18\n"
        "c_gauge{} -28\n"
        "d_seconds{} 2.25\n"
    );
    sw_cell_set(cell_of(metrics, &gauge, 1), 4);
    assert_non_null(strstr(read_page(metrics), "c_gauge{} 6\n"));
    sw_metrics_free(metrics);
}

static void test_labels_name_a_series_in_any_order(void **state)
{
    struct sw_metrics *metrics;
    assert_int_equal(sw_metrics_new(1, &metrics), SW_OK);
    const struct sw_label one[] = {{"z", "1"}, {"a", "2"}};
    const struct sw_label same[] = {{"a", "2"}, {"z", "1"}};
    const struct sw_label other[] = {{"a", "2"}, {"z", "3"}};
    struct sw_series *series = sw_metrics_series(metrics, &counter, one, 2);
    assert_ptr_equal(sw_metrics_series(metrics, &counter, same, 2), series);
    assert_ptr_not_equal(sw_metrics_series(metrics, &counter, other, 2), series);
    sw_cell_add(sw_series_cell(series, 0), 1);
    sw_cell_add(sw_series_cell(sw_metrics_series(metrics, &counter, other, 2), 0), 2);
    assert_string_equal(read_page(metrics), "b_count{a=2,z=1,} 1\nb_count{a=2,z=3,} 2\n");
    sw_metrics_free(metrics);
}

static double read_it(void *context)
{
    return *(double *)context;
}

static void test_what_is_observed_is_asked_for_and_forgotten(void **state)
{
    struct sw_metrics *metrics;
    assert_int_equal(sw_metrics_new(1, &metrics), SW_OK);
    double value = 4;
    double other = 5;
    const struct sw_label label = {"who", "other"};
    assert_int_equal(sw_metrics_observe(metrics, &gauge, NULL, 0, read_it, &value), SW_OK);
    assert_int_equal(sw_metrics_observe(metrics, &gauge, NULL, 0, read_it, &other), SW_E_EXISTS);
    assert_int_equal(sw_metrics_observe(metrics, &gauge, &label, 1, read_it, &other), SW_OK);
    assert_string_equal(read_page(metrics), "c_gauge{} 4\nc_gauge{who=other,} 5\n");
    value = NAN; // nothing to show now
    assert_string_equal(read_page(metrics), "c_gauge{who=other,} 5\n");
    sw_metrics_unobserve(metrics, &other);
    assert_string_equal(read_page(metrics), "");
    value = 1;
    assert_string_equal(read_page(metrics), "c_gauge{} 1\n");
    sw_metrics_free(metrics);
}

static void test_every_failing_allocation_is_a_clean_error(void **state)
{
    struct sw_metrics *metrics = NULL;
    sw_mem_fail_at(1, 0);
    assert_int_equal(sw_metrics_new(1, &metrics), SW_E_NOMEM);
    sw_mem_fail_at(0, 0);
    assert_int_equal(sw_metrics_new(1, &metrics), SW_OK);
    const struct sw_label label = {"a", "b"};
    unsigned failed = 0;
    struct sw_series *series = NULL;
    while (series == NULL) {
        sw_mem_fail_at(++failed, 0);
        series = sw_metrics_series(metrics, &histogram, &label, 1);
        assert_true(failed < 10);
    }
    sw_mem_fail_at(0, 0);
    assert_true(failed > 1);
    sw_cell_record(sw_series_cell(series, 0), 5);
    assert_string_equal(read_page(metrics), "a_histogram{a=b,} 1 0 1 0 0\n");
    sw_metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_series_is_shown_after_its_first_recording),
        cmocka_unit_test(test_cells_of_all_cores_are_summed),
        cmocka_unit_test(test_labels_name_a_series_in_any_order),
        cmocka_unit_test(test_what_is_observed_is_asked_for_and_forgotten),
        cmocka_unit_test(test_every_failing_allocation_is_a_clean_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
