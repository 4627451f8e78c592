/* The debug exporter without the internal logger: its texts go to output_paths. */
#include "dataplane/base/mailbox.h"
#include "dataplane/send/debug_exporter.h"
#include "dataplane/send/debug_exporter_conf.h"
#include "storage/files/files.h"
#include "tests/lib/bench.h"

#include <stdlib.h>
#include <unistd.h>

static void test_texts_go_to_every_path_and_behind_what_is_there(void **state)
{
    struct sw_account account = {0};
    struct sw_core core;
    struct sw_post *post = NULL;
    struct sw_files *files = NULL;
    struct sw_stage *stage = NULL;
    void *shared = NULL;
    char error[128];
    char paths[2][64];
    const char *list[2] = {paths[0], paths[1]};
    for (unsigned i = 0; i < 2; i++) {
        snprintf(paths[i], sizeof(paths[i]), "/tmp/spanweir-debug-XXXXXX");
        int fd = mkstemp(paths[i]);
        assert_int_equal(write(fd, "old\n", 4), 4);
        close(fd);
    }
    bench_core_init(&core, &account);
    assert_int_equal(sw_post_new(2, 8, &post), 0);
    core.mailbox = sw_post_mailbox(post, 0);
    sw_mailbox_bind(core.mailbox, &core);
    assert_int_equal(sw_files_new(post, 1, &account, &files), 0);
    const struct sw_debug_exporter_conf conf = {
        .verbosity = SW_VERBOSITY_NORMAL,
        .sampling_initial = 2,
        .sampling_thereafter = 1,
        .output_paths = {list, 2},
    };
    const struct sw_stage_env env = {
        .id = "debug",
        .account = &account,
        .cores_count = 1,
        .files = files,
    };
    const struct sw_stage_class *class = &sw_debug_exporter_class;
    assert_int_equal(class->shared_new(&env, &conf, &shared), 0);
    assert_int_equal(class->create(&env, &conf, shared, &core, NULL, &stage), 0);
    assert_int_equal(sw_files_open(files, error, sizeof(error)), 0);
    struct bench_ticket ticket;
    assert_int_equal(bench_hand_over(stage, bench_batch(1), &ticket), 0);
    bench_advance(&core, 100 * SW_NS_PER_MS);
    assert_int_equal(ticket.settled_count, 1);
    assert_true(sw_files_poll(files, BENCH_WALL_NS) > 0);
    sw_mailbox_poll(core.mailbox, 16);
    assert_int_equal(bench_hand_over(stage, bench_batch(1), &ticket), 0); // never comes back
    sw_files_close(files);
    assert_int_equal(stage->ops->drain(stage, 0), 0);
    stage->ops->free(stage);
    class->shared_free(shared);
    sw_files_free(files);
    sw_post_free(post);
    assert_int_equal(sw_account_charged(&account), 0);
    for (unsigned i = 0; i < 2; i++) {
        char text[512] = "";
        FILE *file = fopen(paths[i], "re");
        assert_non_null(file);
        assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
        fclose(file);
        unlink(paths[i]);
        assert_string_equal(
            text,
            "old\nTraces\t{\"resource spans\": 1, \"spans\": 1}\n"
            "ResourceTraces #0\nScopeTraces #0\n"
            "span 00000000000000000000000000000001 0101010101010101\n"
        );
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_go_to_every_path_and_behind_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
