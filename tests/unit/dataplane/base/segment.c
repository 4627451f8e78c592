/* Segments are recycled in a steady state and given back when nobody has needed them for a while. */
#include "dataplane/base/segment.h"

#include "dataplane/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SIZE 8192u

static void test_a_segment_is_charged_while_it_is_taken(void **state)
{
    struct sw_account account = {.charged_bytes = 0};
    struct sw_segments segments;
    sw_segments_init(&segments, &account, NULL, SIZE - 100); // whole pages
    struct sw_segment *segment = sw_segment_take(&segments, 1);
    assert_int_equal(segment->size, SIZE);
    assert_int_equal(segment->used, 0);
    assert_int_equal(sw_account_charged(&account), SIZE);
    memset(segment->data, 1, segment->size);
    segment->used = segment->size;
    segment->mark = 5;
    sw_segment_give(&segments, segment);
    assert_int_equal(sw_account_charged(&account), 0);
    assert_int_equal(segments.free_bytes, SIZE);
    // The same one comes back, as if new.
    assert_ptr_equal(sw_segment_take(&segments, SIZE), segment);
    assert_int_equal(segment->used, 0);
    assert_int_equal(segment->mark, 0);
    assert_int_equal(segments.free_bytes, 0);
    sw_segment_give(&segments, segment);
    sw_segments_fini(&segments);
}

static void test_a_larger_one_is_made_to_measure_and_not_kept(void **state)
{
    struct sw_account account = {.charged_bytes = 0};
    struct sw_segments segments;
    sw_segments_init(&segments, &account, NULL, SIZE);
    struct sw_segment *segment = sw_segment_take(&segments, SIZE + 1);
    assert_true(segment->size >= SIZE + 1);
    assert_int_equal(segment->size % 4096, 0);
    segment->data[segment->size - 1] = 1;
    assert_int_equal(sw_account_charged(&account), segment->size);
    assert_int_equal(segments.taken_bytes, segment->size);
    sw_segment_give(&segments, segment);
    assert_int_equal(sw_account_charged(&account), 0);
    assert_int_equal(segments.free_count, 0);
    assert_null(sw_segment_take(&segments, UINT32_MAX)); // beyond what can be counted
    sw_segments_fini(&segments);
}

static void test_reserved_ones_cannot_fail(void **state)
{
    struct sw_segments segments;
    struct sw_segment *taken[3];
    sw_segments_init(&segments, NULL, NULL, SIZE);
    assert_int_equal(sw_segments_reserve(&segments, 3), SW_OK);
    sw_mem_fail_at(1, 1);
    for (unsigned i = 0; i < 3; i++) {
        taken[i] = sw_segment_take(&segments, SIZE);
        assert_non_null(taken[i]);
    }
    assert_null(sw_segment_take(&segments, SIZE));
    assert_int_equal(sw_segments_reserve(&segments, 1), SW_E_NOMEM);
    sw_mem_fail_at(0, 0);
    for (unsigned i = 0; i < 3; i++) {
        sw_segment_give(&segments, taken[i]);
    }
    assert_int_equal(segments.taken_count, 0);
    sw_segments_fini(&segments);
}

static void window(struct sw_segments *segments)
{
    for (unsigned i = 0; i < SW_SEGMENTS_WINDOW; i++) {
        sw_segments_tick(segments);
    }
}

static void test_what_nobody_needs_goes_back_in_bounded_steps(void **state)
{
    struct sw_segments segments;
    struct sw_segment *taken[6];
    sw_segments_init(&segments, NULL, NULL, SIZE);
    for (unsigned i = 0; i < 6; i++) {
        taken[i] = sw_segment_take(&segments, SIZE);
    }
    for (unsigned i = 0; i < 6; i++) {
        sw_segment_give(&segments, taken[i]);
    }
    window(&segments);
    assert_false(sw_segments_trim(&segments, 10)); // they were needed in this window
    assert_int_equal(segments.free_count, 6);
    // A window in which two at a time are enough: one more stays for the next who needs it.
    taken[0] = sw_segment_take(&segments, SIZE);
    taken[1] = sw_segment_take(&segments, SIZE);
    sw_segment_give(&segments, taken[0]);
    sw_segment_give(&segments, taken[1]);
    window(&segments);
    assert_true(sw_segments_trim(&segments, 2));
    assert_int_equal(segments.free_count, 4);
    assert_false(sw_segments_trim(&segments, 2));
    assert_int_equal(segments.free_count, 3);
    // Nobody comes at all: all go.
    window(&segments);
    assert_false(sw_segments_trim(&segments, 10));
    assert_int_equal(segments.free_count, 0);
    assert_int_equal(segments.free_bytes, 0);
    sw_segments_fini(&segments);
}

static void test_takers_find_memory_that_was_prepared_in_slices(void **state)
{
    struct sw_segments segments;
    sw_segments_init(&segments, NULL, NULL, SIZE);
    // Nobody has taken anything: nothing is prepared for nobody.
    assert_false(sw_segments_prepare(&segments, 2, SIZE));
    assert_int_equal(segments.free_count, 0);
    struct sw_segment *taken = sw_segment_take(&segments, SIZE);
    assert_true(sw_segments_short(&segments, 2));
    unsigned slices = 1;
    while (sw_segments_prepare(&segments, 2, SIZE / 2)) {
        slices++;
    }
    assert_int_equal(slices, 4);
    assert_int_equal(segments.free_count, 2);
    assert_false(sw_segments_short(&segments, 2));
    // They stay while somebody takes now and then, and go when nobody does.
    sw_segment_give(&segments, taken);
    window(&segments);
    assert_false(sw_segments_trim(&segments, 10));
    window(&segments);
    window(&segments);
    assert_false(sw_segments_trim(&segments, 10));
    assert_int_equal(segments.free_count, 0);
    // Given up half-way: fini frees it.
    taken = sw_segment_take(&segments, SIZE);
    assert_true(sw_segments_prepare(&segments, 1, SIZE / 2));
    sw_segment_give(&segments, taken);
    sw_segments_fini(&segments);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_segment_is_charged_while_it_is_taken),
        cmocka_unit_test(test_a_larger_one_is_made_to_measure_and_not_kept),
        cmocka_unit_test(test_reserved_ones_cannot_fail),
        cmocka_unit_test(test_what_nobody_needs_goes_back_in_bounded_steps),
        cmocka_unit_test(test_takers_find_memory_that_was_prepared_in_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
