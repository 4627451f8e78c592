/* Each allocation of a whole load fails once: a clean error, nothing left behind (ASan looks). */
#include "control/service/service.h"
#include "tests/unit/control/conf/world.h"

static void open_world(void)
{
    static char text[16384];
    FILE *file = fopen("deploy/examples/gateway.yaml", "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    world_open();
    world.components = sw_registry;
    world.components_count = sw_registry_count;
    world_config("gateway.yaml", text);
    world_set("exporters.otlp_grpc.timeout=7s");
    world_set("exporters.otlp_grpc.headers={a: b}");
    world_env("GATEWAY_METRICS", "${env:PORT}");
    world_env("PORT", "8123");
}

static int teardown(void **state)
{
    sw_mem_fail_at(0, 0);
    world_close();
    return 0;
}

static uint64_t count_of(void (*step)(void))
{
    sw_mem_fail_at(UINT64_MAX, 0);
    step();
    return sw_mem_fail_at(0, 0);
}

static void test_each_failing_allocation_ends_a_load_cleanly(void **state)
{
    open_world();
    uint64_t count = count_of(world_load);
    assert_int_equal(world.err, SW_OK);
    assert_true(count > 4);
    for (int sticky = 0; sticky < 2; sticky++) {
        for (uint64_t nth = 1; nth <= count; nth++) {
            world_close();
            sw_mem_fail_at(nth, sticky);
            world.err = sw_conf_load(
                &world.args, world.components, world.components_count, &world.conf, &world.errors
            );
            sw_mem_fail_at(0, 0);
            if (world.err != SW_E_NOMEM || world.conf != NULL) {
                fail_msg("allocation %u: %d", (unsigned)nth, world.err);
            }
        }
    }
    world_load();
    assert_int_equal(world.err, SW_OK);
}

static void test_each_failing_allocation_of_a_refused_load_ends_it_cleanly(void **state)
{
    open_world();
    world_set("exporters.otlp_grpc.timeot=7s");
    world_set("service.pipelines.traces.exporters=[nope]");
    uint64_t count = count_of(world_load);
    assert_int_equal(world.err, SW_E_INVALID);
    for (uint64_t nth = 1; nth <= count; nth++) {
        world_close();
        sw_mem_fail_at(nth, 0);
        world.err = sw_conf_load(
            &world.args, world.components, world.components_count, &world.conf, &world.errors
        );
        sw_mem_fail_at(0, 0);
        assert_int_equal(world.err, SW_E_NOMEM);
        assert_null(world.conf);
    }
}

static void print_once(void)
{
    char *text = NULL;
    assert_int_equal(sw_conf_print(world.conf, SW_CONF_YAML, true, &text), SW_OK);
    sw_free(text);
}

static void docs_once(void)
{
    char *text = sw_docs_configuration(world.components, world.components_count);
    assert_non_null(text);
    sw_free(text);
}

static void test_each_failing_allocation_of_a_page_gives_no_page(void **state)
{
    open_world();
    world_load();
    uint64_t count = count_of(print_once);
    for (uint64_t nth = 1; nth <= count; nth++) {
        char *text = NULL;
        sw_mem_fail_at(nth, 0);
        assert_int_equal(sw_conf_print(world.conf, SW_CONF_YAML, true, &text), SW_E_NOMEM);
        assert_null(text);
    }
    count = count_of(docs_once);
    for (uint64_t nth = 1; nth <= count; nth++) {
        sw_mem_fail_at(nth, 0);
        assert_null(sw_docs_configuration(world.components, world.components_count));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_each_failing_allocation_ends_a_load_cleanly, teardown),
        cmocka_unit_test_teardown(
            test_each_failing_allocation_of_a_refused_load_ends_it_cleanly, teardown
        ),
        cmocka_unit_test_teardown(test_each_failing_allocation_of_a_page_gives_no_page, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
