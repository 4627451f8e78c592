/* The file exporter: from a request to the actor and back, and what is cancelled meanwhile. */
#include "dataplane/base/mailbox.h"
#include "dataplane/send/file_exporter.h"
#include "dataplane/send/file_exporter_conf.h"
#include "storage/files/files.h"
#include "tests/lib/bench.h"

#include <stdlib.h>
#include <unistd.h>

static struct {
    struct sw_account account;
    struct sw_core core;
    struct sw_post *post;
    struct sw_files *files;
    struct sw_metrics *metrics;
    struct sw_stage_env env;
    struct sw_file_exporter_conf conf;
    void *shared;
    struct sw_stage *stage;
    char path[64];
    char error[256];
} rig;

static void rig_open(const char *path)
{
    memset(&rig, 0, sizeof(rig));
    bench_core_init(&rig.core, &rig.account);
    assert_int_equal(sw_post_new(2, 8, &rig.post), 0);
    rig.core.mailbox = sw_post_mailbox(rig.post, 0);
    sw_mailbox_bind(rig.core.mailbox, &rig.core);
    assert_int_equal(sw_files_new(rig.post, 1, &rig.account, &rig.files), 0);
    assert_int_equal(sw_metrics_new(1, &rig.metrics), 0);
    if (path == NULL) {
        snprintf(rig.path, sizeof(rig.path), "/tmp/spanweir-file-XXXXXX");
        int fd = mkstemp(rig.path);
        assert_true(fd >= 0);
        close(fd);
        path = rig.path;
    }
    rig.conf = (struct sw_file_exporter_conf){
        .path = path,
        .encoding = "",
        .directory_permissions = "",
        .group_by = {.resource_attribute = "", .max_open_files = 100},
    };
    rig.env = (struct sw_stage_env){
        .id = "file/out",
        .metrics = rig.metrics,
        .account = &rig.account,
        .cores_count = 1,
        .files = rig.files,
    };
    const struct sw_stage_class *class = &sw_file_exporter_class;
    assert_int_equal(class->shared_new(&rig.env, &rig.conf, &rig.shared), 0);
    assert_int_equal(
        class->create(&rig.env, &rig.conf, rig.shared, &rig.core, NULL, &rig.stage), 0
    );
    assert_int_equal(sw_files_open(rig.files, rig.error, sizeof(rig.error)), 0);
}

static void rig_close(void)
{
    sw_files_close(rig.files);
    rig.stage->ops->free(rig.stage);
    sw_file_exporter_class.shared_free(rig.shared);
    assert_false(sw_files_any(rig.files));
    sw_files_free(rig.files);
    sw_post_free(rig.post);
    sw_metrics_free(rig.metrics);
    assert_int_equal(sw_account_charged(&rig.account), 0);
    if (rig.path[0] != '\0') {
        unlink(rig.path);
    }
}

static void step(void)
{
    sw_files_poll(rig.files, BENCH_WALL_NS);
    sw_mailbox_poll(rig.core.mailbox, 10);
}

static void test_sender_hears_when_the_record_is_written(void **state)
{
    struct bench_ticket ticket;
    rig_open(NULL);
    assert_int_equal(bench_hand_over(rig.stage, bench_batch(3), &ticket), 0);
    assert_int_equal(ticket.settled_count, 0);
    step();
    assert_int_equal(ticket.settled_count, 1);
    assert_int_equal(ticket.err, 0);
    assert_true(
        bench_metric(rig.metrics, "otelcol_exporter_sent_spans", "exporter", "file/out") == 3
    );
    FILE *file = fopen(rig.path, "re");
    char text[32] = "";
    assert_non_null(file);
    assert_int_equal(fread(text, 1, 18, file), 18);
    assert_string_equal(text, "{\"resourceSpans\":[");
    fclose(file);
    rig_close();
}

static void test_full_disk_is_the_sender_s_to_try_again(void **state)
{
    struct bench_ticket ticket;
    rig_open("/dev/full");
    assert_int_equal(bench_hand_over(rig.stage, bench_batch(3), &ticket), 0);
    step();
    assert_int_equal(ticket.err, SW_E_SYSTEM);
    assert_true(sw_err_retryable(ticket.err));
    assert_string_equal(ticket.text, "write /dev/full: No space left on device");
    assert_true(bench_metric(rig.metrics, "otelcol_exporter_send_failed_spans", NULL, NULL) == 3);
    rig_close();
}

static void test_drain_waits_for_the_actor_until_the_deadline(void **state)
{
    struct bench_ticket first;
    struct bench_ticket second;
    rig_open(NULL);
    uint64_t deadline_ns = rig.core.now_ns + SW_NS_PER_S;
    assert_int_equal(bench_hand_over(rig.stage, bench_batch(1), &first), 0);
    assert_int_equal(rig.stage->ops->drain(rig.stage, deadline_ns), SW_E_AGAIN);
    step();
    assert_int_equal(rig.stage->ops->drain(rig.stage, deadline_ns), 0);
    rig_close();
    rig_open(NULL);
    assert_int_equal(bench_hand_over(rig.stage, bench_batch(1), &first), 0);
    assert_int_equal(bench_hand_over(rig.stage, bench_batch(1), &second), 0);
    rig.core.now_ns = deadline_ns;
    assert_int_equal(rig.stage->ops->drain(rig.stage, deadline_ns), 0);
    assert_int_equal(first.err, SW_E_SHUTDOWN);
    assert_int_equal(second.err, SW_E_SHUTDOWN);
    sw_files_poll(rig.files, BENCH_WALL_NS); // still reads the bytes; never comes back
    rig_close();
}

static void test_two_signals_share_a_file(void **state)
{
    void *shared = NULL;
    rig_open(NULL);
    rig.env.signal = SW_LOGS;
    assert_int_equal(sw_file_exporter_class.shared_new(&rig.env, &rig.conf, &shared), 0);
    sw_file_exporter_class.shared_free(shared);
    assert_true(sw_files_any(rig.files));
    rig_close();
}

static void test_failing_allocations_fail_the_request_alone(void **state)
{
    for (uint64_t nth = 1; nth < 16; nth++) {
        struct bench_ticket ticket;
        rig_open(NULL);
        struct sw_batch *batch = bench_batch(3);
        sw_mem_fail_at(nth, 0);
        int err = bench_hand_over(rig.stage, batch, &ticket);
        step();
        sw_mem_fail_at(0, 0);
        assert_true(err == SW_E_NOMEM || ticket.settled_count == 1);
        rig_close();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sender_hears_when_the_record_is_written),
        cmocka_unit_test(test_full_disk_is_the_sender_s_to_try_again),
        cmocka_unit_test(test_drain_waits_for_the_actor_until_the_deadline),
        cmocka_unit_test(test_two_signals_share_a_file),
        cmocka_unit_test(test_failing_allocations_fail_the_request_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
