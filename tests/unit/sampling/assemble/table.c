/* Who is in the table, who goes, whose time has come, and what it costs. */
#include "tests/unit/sampling/assemble/rig.h"

// The module's own header: numbers that wrap around are not reached in a test's time.
#include "sampling/assemble/assemble_internal.h"

static void test_oldest_goes_when_one_too_many_comes(void **state)
{
    struct rig rig;
    rig_open(&rig, (struct sw_trace_table_conf){0}, 3, false);
    for (uint64_t i = 1; i <= 5; i++) {
        assert_int_equal(rig_take_one(&rig, i), 0);
        assert_int_equal(rig_take_one(&rig, 1 + (i > 3)), 0); // later spans make nobody younger
    }
    // 1 left for 4, came back (2 left), and so on: the last three are in.
    assert_null(rig_find(&rig, 1));
    assert_non_null(rig_find(&rig, 5));
    assert_int_equal(rig.evicted_count, rig.evicted_undecided);
    assert_true(rig.evicted_count >= 2);
    rig_close(&rig);
}

static void test_no_room_for_any_acts_as_room_for_one(void **state)
{
    struct rig rig;
    rig_open(&rig, (struct sw_trace_table_conf){0}, 0, false);
    assert_int_equal(rig_take_one(&rig, 1), 0);
    assert_non_null(rig_find(&rig, 1));
    assert_int_equal(rig_take_one(&rig, 2), 0);
    assert_null(rig_find(&rig, 1));
    assert_non_null(rig_find(&rig, 2));
    rig_close(&rig);
}

static void test_many_come_and_go_and_each_is_found(void **state)
{
    struct rig rig;
    const uint64_t most = 5000;
    rig_open(&rig, (struct sw_trace_table_conf){0}, most, false);
    for (uint64_t i = 1; i <= 40000; i++) {
        assert_int_equal(rig_take_one(&rig, i), 0);
        assert_non_null(rig_find(&rig, i));
        if (i > most) {
            assert_null(rig_find(&rig, i - most));
            assert_non_null(rig_find(&rig, i - most + 1));
            assert_int_equal(rig.evicted_last, i - most);
        }
        if (i % 4096 == 0) { // the table's memory follows
            sw_trace_table_tick(rig.table);
            (void)rig_decide(&rig);
            sw_trace_table_sweep(rig.table);
        }
    }
    rig_close(&rig);
}

static void test_numbers_wrap_around(void **state)
{
    struct rig rig;
    rig_open(&rig, (struct sw_trace_table_conf){.wait_ticks = 1}, 3000, false);
    rig.table->first = rig.table->next = rig.table->wait.cursor = UINT32_MAX - 4000;
    rig.table->wait.ticks = rig.table->wait.due = UINT32_MAX - 3;
    uint32_t decided_count = 0;
    for (uint64_t i = 1; i <= 12000; i++) {
        assert_int_equal(rig_take_one(&rig, i), 0);
        assert_non_null(rig_find(&rig, i));
        if (i > 3000) {
            assert_null(rig_find(&rig, i - 3000));
            assert_non_null(rig_find(&rig, i - 2999));
        }
        if (i % 1000 == 0) {
            sw_trace_table_tick(rig.table);
            uint32_t now = rig_decide(&rig);
            assert_int_equal(now, i > 1000 ? 1000 : 0);
            decided_count += now;
            sw_trace_table_sweep(rig.table);
        }
    }
    assert_int_equal(decided_count, 11000);
    assert_int_equal(rig.evicted_undecided, 0);
    assert_true(rig_bytes(&rig) < 4 << 20);
    rig_close(&rig);
}

static void test_trace_is_due_after_its_wait_and_a_part_of_a_tick(void **state)
{
    struct rig rig;
    rig_open(&rig, (struct sw_trace_table_conf){.wait_ticks = 2}, 100, false);
    assert_int_equal(rig_take_one(&rig, 1), 0);
    sw_trace_table_tick(rig.table);
    assert_int_equal(rig_take_one(&rig, 2), 0);
    sw_trace_table_tick(rig.table);
    assert_int_equal(rig_decide(&rig), 0);
    sw_trace_table_tick(rig.table);
    assert_int_equal(rig_decide(&rig), 1);
    assert_int_equal(rig_find(&rig, 1)->state, SW_TRACE_NOT_SAMPLED);
    assert_int_equal(rig_find(&rig, 2)->state, SW_TRACE_UNDECIDED);
    sw_trace_table_tick(rig.table);
    assert_int_equal(rig_decide(&rig), 1);
    rig_close(&rig);
}

static void test_root_span_makes_it_due_earlier_never_later(void **state)
{
    struct rig rig;
    rig_open(
        &rig,
        (struct sw_trace_table_conf){.wait_ticks = 5, .early = true, .early_ticks = 1},
        100,
        false
    );
    assert_int_equal(rig_take_one(&rig, 1), 0);
    assert_int_equal(rig_take_one(&rig, 2), 0);
    sw_trace_root_arrived(rig.table, rig_find(&rig, 2));
    sw_trace_table_tick(rig.table);
    assert_int_equal(rig_decide(&rig), 0);
    sw_trace_root_arrived(rig.table, rig_find(&rig, 2)); // later than it is due already
    sw_trace_table_tick(rig.table);
    assert_int_equal(rig_decide(&rig), 1);
    assert_int_equal(rig_find(&rig, 2)->state, SW_TRACE_NOT_SAMPLED);
    assert_int_equal(rig_find(&rig, 1)->state, SW_TRACE_UNDECIDED);
    for (unsigned i = 0; i < 4; i++) {
        sw_trace_table_tick(rig.table);
    }
    assert_int_equal(rig_decide(&rig), 1);
    rig_close(&rig);
}

static void test_turn_of_an_id_that_was_pushed_out_counts_or_decides_it_early(void **state)
{
    struct rig rig;
    rig_open(&rig, (struct sw_trace_table_conf){.wait_ticks = 1}, 2, false);
    assert_int_equal(rig_take_one(&rig, 1), 0);
    assert_int_equal(rig_take_one(&rig, 2), 0);
    assert_int_equal(rig_take_one(&rig, 3), 0); // 1 is out
    sw_trace_table_tick(rig.table);
    assert_int_equal(rig_take_one(&rig, 2), 0); // in already
    assert_int_equal(rig_take_one(&rig, 4), 0); // 2 is out
    assert_int_equal(rig_take_one(&rig, 2), 0); // and back; 3 is out
    sw_trace_table_tick(rig.table);
    // 1 and 3 are not there; the old turn of 2 decides its new self early.
    assert_int_equal(rig_decide(&rig), 1);
    assert_int_equal(rig_find(&rig, 2)->state, SW_TRACE_NOT_SAMPLED);
    assert_int_equal(sw_trace_table_too_early(rig.table), 2);
    sw_trace_table_tick(rig.table);
    assert_int_equal(rig_decide(&rig), 1); // 4
    assert_int_equal(sw_trace_table_too_early(rig.table), 0);
    rig_close(&rig);
}

static void test_search_for_due_traces_pauses_when_its_effort_is_spent(void **state)
{
    struct rig rig;
    rig_open(&rig, (struct sw_trace_table_conf){0}, 1000, false);
    for (uint64_t i = 1; i <= 10; i++) {
        assert_int_equal(rig_take_one(&rig, i), 0);
        rig_find(&rig, i)->state = i < 10 ? SW_TRACE_SAMPLED : SW_TRACE_UNDECIDED;
    }
    sw_trace_table_all_due(rig.table);
    uint32_t effort = 5;
    assert_null(sw_trace_table_due(rig.table, &effort));
    assert_int_equal(effort, 0);
    effort = 5;
    assert_ptr_equal(sw_trace_table_due(rig.table, &effort), rig_find(&rig, 10));
    rig_close(&rig);
}

/* A second's traffic after the other: memory is used again and again, nothing piles up. */
static void test_segments_are_recycled_in_a_steady_state(void **state)
{
    struct rig rig;
    rig_open(&rig, (struct sw_trace_table_conf){.wait_ticks = 2}, 20000, false);
    uint64_t most = 0;
    for (uint64_t second = 0; second < 40; second++) {
        for (uint64_t i = 0; i < 500; i++) {
            struct traces traces = {0};
            for (unsigned k = 0; k < 4; k++) {
                traces_add(
                    &traces, (struct traces_span){.trace = second * 500 + i + 1, .pad = 800}
                );
            }
            assert_int_equal(rig_take(&rig, &traces), 0);
        }
        sw_trace_table_tick(rig.table);
        (void)rig_decide(&rig);
        sw_trace_table_sweep(rig.table);
        sw_trace_table_idle_tick(rig.table);
        while (sw_trace_table_trim(rig.table)) {
        }
        if (second == 5) {
            most = rig_bytes(&rig);
        }
    }
    struct sw_trace_table_stats stats;
    sw_trace_table_stats(rig.table, &stats);
    // What grows is what remains of decided traces: about 80 bytes each.
    assert_true(stats.bytes < most + 34 * 500 * 100);
    assert_true(stats.free_bytes < 8 << 20);
    for (unsigned i = 0; i < 20; i++) { // silence: everything goes back
        sw_trace_table_tick(rig.table);
        (void)rig_decide(&rig);
        sw_trace_table_sweep(rig.table);
        sw_trace_table_idle_tick(rig.table);
        while (sw_trace_table_trim(rig.table)) {
        }
    }
    sw_trace_table_stats(rig.table, &stats);
    assert_int_equal(stats.free_bytes, 0);
    rig_close(&rig);
}

static void test_held_bytes_are_wire_plus_48_a_span(void **state)
{
    struct rig rig;
    rig_open(&rig, (struct sw_trace_table_conf){0}, 100000, false);
    uint64_t wire = 0;
    uint64_t spans_count = 0;
    for (uint64_t request = 0; request < 1500; request++) {
        struct traces traces = {0};
        for (uint64_t i = 0; i < 60; i++) {
            // 15 traces of 4 spans, mixed.
            traces_add(
                &traces,
                (struct traces_span){.trace = request * 15 + i % 15 + 1, .span = i + 1, .pad = 700}
            );
        }
        traces_end_resource(&traces);
        wire += traces.request.size;
        spans_count += 60;
        assert_int_equal(rig_take(&rig, &traces), 0);
    }
    uint64_t held = rig_bytes(&rig);
    assert_true(held <= wire + 48 * spans_count);
    rig_close(&rig);
}

/* ---- counted: traces that leave before they are old ---- */

static void decide(struct rig *rig, uint64_t number)
{
    struct sw_trace *trace = rig_find(rig, number);
    trace->state = SW_TRACE_SAMPLED;
    sw_trace_drop_spans(trace);
}

static void test_removed_traces_make_room(void **state)
{
    struct rig rig;
    rig_open(&rig, (struct sw_trace_table_conf){0}, 3, true);
    for (uint64_t i = 1; i <= 3; i++) {
        assert_int_equal(rig_take_one(&rig, i), 0);
    }
    decide(&rig, 2);
    sw_trace_remove(rig.table, rig_find(&rig, 2));
    assert_null(rig_find(&rig, 2));
    assert_int_equal(rig_take_one(&rig, 4), 0);
    assert_int_equal(rig.evicted_count, 0);
    assert_int_equal(rig_take_one(&rig, 5), 0);
    assert_int_equal(rig.evicted_count, 1);
    assert_int_equal(rig.evicted_last, 1);
    assert_int_equal(rig_take_one(&rig, 6), 0); // passes over 2
    assert_int_equal(rig.evicted_last, 3);
    assert_non_null(rig_find(&rig, 4));
    decide(&rig, 4);
    sw_trace_remove(rig.table, rig_find(&rig, 4));
    sw_trace_table_all_due(rig.table);
    assert_int_equal(rig_decide(&rig), 2);
    rig_close(&rig);
}

static void test_few_that_stay_do_not_keep_many_that_were_removed(void **state)
{
    struct rig rig;
    rig_open(&rig, (struct sw_trace_table_conf){0}, 10, true);
    for (uint64_t i = 1; i <= 300000; i++) {
        assert_int_equal(rig_take_one(&rig, i), 0);
        decide(&rig, i);
        if (i != 1) {
            sw_trace_remove(rig.table, rig_find(&rig, i));
        }
        if (i % 10000 == 0) {
            sw_trace_table_tick(rig.table);
            (void)rig_decide(&rig);
            sw_trace_table_sweep(rig.table);
        }
    }
    assert_int_equal(rig.evicted_count, 1);
    assert_true(rig_bytes(&rig) < 8 << 20);
    rig_close(&rig);
}

static void test_blocking_table_waits_for_decisions_and_pushes_out_decided_ones(void **state)
{
    struct rig rig;
    rig_open(&rig, (struct sw_trace_table_conf){.block = true}, 2, true);
    assert_int_equal(rig_take_one(&rig, 1), 0);
    assert_int_equal(rig_take_one(&rig, 2), 0);
    assert_int_equal(rig_take_one(&rig, 3), SW_E_FULL);
    assert_int_equal(rig_take_one(&rig, 2), 0); // known ones go in
    assert_int_equal(rig.evicted_count, 0);
    decide(&rig, 2);
    assert_int_equal(rig_take_one(&rig, 3), SW_E_FULL); // the oldest is not decided
    sw_trace_remove(rig.table, rig_find(&rig, 2));
    assert_int_equal(rig_take_one(&rig, 3), 0);
    decide(&rig, 1); // no cache took it: it goes for a new one
    assert_int_equal(rig_take_one(&rig, 4), 0);
    assert_int_equal(rig.evicted_count, 1);
    assert_int_equal(rig.evicted_undecided, 0);
    rig_close(&rig);
}

static void test_two_tables_push_out_the_oldest_of_both(void **state)
{
    struct rig rigs[2];
    rig_open(&rigs[0], (struct sw_trace_table_conf){0}, 4, true);
    rig_open(&rigs[1], (struct sw_trace_table_conf){0}, 4, true);
    sw_trace_table_free(rigs[1].table);
    rigs[1].conf.limits = &rigs[0].limits;
    rigs[1].conf.core = 1;
    assert_int_equal(sw_trace_table_new(&rigs[1].conf, &rigs[1].table), 0);
    assert_int_equal(rig_take_one(&rigs[1], 1), 0); // the oldest of all
    for (uint64_t i = 2; i <= 5; i++) {
        assert_int_equal(rig_take_one(&rigs[0], i), 0);
    }
    assert_int_equal(rigs[0].evicted_count, 0);
    assert_false(sw_trace_table_evict(rigs[1].table, rigs[1].core.now_ns, 10));
    assert_int_equal(rigs[1].evicted_count, 1);
    assert_int_equal(rig_take_one(&rigs[0], 6), 0);
    assert_int_equal(rigs[0].evicted_last, 2);
    rig_close(&rigs[1]);
    rig_close(&rigs[0]);
}

/* ---- sizes ---- */

static void test_size_is_what_the_collector_would_write(void **state)
{
    struct rig rig;
    rig_open(&rig, (struct sw_trace_table_conf){.sizes = true}, 10, false);
    struct traces traces = {0};
    traces_resource(&traces, "A"); // 23 bytes as a field
    traces_scope(&traces, "x");    // 5
    traces_add(&traces, (struct traces_span){.trace = 1});
    assert_int_equal(rig_take(&rig, &traces), 0);
    // The span has two IDs (18 + 10); parent and status are written empty (2 + 2): 34 as a field.
    const uint64_t resource = 23;
    const uint64_t span = 34;
    assert_int_equal(sw_trace_size(rig.table, rig_find(&rig, 1)), resource + 2 + 5 + span);
    traces_resource(&traces, "A");
    traces_scope(&traces, "x");
    traces_add(&traces, (struct traces_span){.trace = 1, .parent = 5, .status = 2, .pad = 100});
    traces_add(&traces, (struct traces_span){.trace = 2});
    traces_add(&traces, (struct traces_span){.trace = 1});
    traces_scope(&traces, "y");
    traces_add(&traces, (struct traces_span){.trace = 1});
    assert_int_equal(rig_take(&rig, &traces), 0);
    uint64_t first = resource + 2 + 5 + span;
    uint64_t large = 3 + 18 + 10 + 10 + 4 + 102; // its length takes two bytes
    uint64_t second = resource + (3 + 5 + large + span) + (2 + 5 + span);
    assert_int_equal(sw_trace_size(rig.table, rig_find(&rig, 1)), first + second);
    assert_int_equal(sw_trace_size(rig.table, rig_find(&rig, 2)), first);
    rig_close(&rig);
}

/* ---- memory ---- */

static void test_failing_allocations_leave_everything_as_it_was(void **state)
{
    unsigned failed_count = 0;
    for (uint64_t nth = 1; nth < 60; nth++) {
        struct rig rig;
        rig_open(&rig, (struct sw_trace_table_conf){.early = true, .early_ticks = 0}, 3000, false);
        uint64_t taken = 0;
        struct traces traces[3] = {0};
        for (unsigned i = 0; i < 3; i++) {
            traces_add(&traces[i], (struct traces_span){.trace = i + 1});
        }
        sw_mem_fail_at(nth, 0);
        // Batches allocate as well: only what the table says counts.
        for (unsigned i = 0; i < 3; i++) {
            uint8_t id[16];
            struct sw_trace *trace = NULL;
            traces_id(id, i + 1, 0);
            int err = sw_trace_add(rig.table, id, rig_hash(&rig, id), rig.core.now_ns, &trace);
            failed_count += err != SW_OK;
            if (err == SW_OK) {
                sw_trace_root_arrived(rig.table, trace);
                taken++;
            } else {
                assert_null(rig_find(&rig, i + 1));
            }
        }
        sw_mem_fail_at(0, 0);
        struct sw_trace_table_stats stats;
        sw_trace_table_stats(rig.table, &stats);
        assert_int_equal(stats.traces_count, taken);
        for (unsigned i = 0; i < 3; i++) {
            assert_int_equal(rig_take(&rig, &traces[i]), 0);
        }
        sw_trace_table_all_due(rig.table);
        assert_int_equal(rig_decide(&rig), 3);
        rig_close(&rig);
    }
    assert_true(failed_count > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_oldest_goes_when_one_too_many_comes),
        cmocka_unit_test(test_no_room_for_any_acts_as_room_for_one),
        cmocka_unit_test(test_many_come_and_go_and_each_is_found),
        cmocka_unit_test(test_numbers_wrap_around),
        cmocka_unit_test(test_trace_is_due_after_its_wait_and_a_part_of_a_tick),
        cmocka_unit_test(test_root_span_makes_it_due_earlier_never_later),
        cmocka_unit_test(test_turn_of_an_id_that_was_pushed_out_counts_or_decides_it_early),
        cmocka_unit_test(test_search_for_due_traces_pauses_when_its_effort_is_spent),
        cmocka_unit_test(test_segments_are_recycled_in_a_steady_state),
        cmocka_unit_test(test_held_bytes_are_wire_plus_48_a_span),
        cmocka_unit_test(test_removed_traces_make_room),
        cmocka_unit_test(test_few_that_stay_do_not_keep_many_that_were_removed),
        cmocka_unit_test(test_blocking_table_waits_for_decisions_and_pushes_out_decided_ones),
        cmocka_unit_test(test_two_tables_push_out_the_oldest_of_both),
        cmocka_unit_test(test_size_is_what_the_collector_would_write),
        cmocka_unit_test(test_failing_allocations_leave_everything_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
