/* The configurations we ship, with the components of the binary. */
#include "control/service/service.h"
#include "dataplane/receive/otlp_receiver_conf.h"
#include "dataplane/send/otlp_exporter_conf.h"
#include "sampling/verdict/tail_sampling_conf.h"
#include "tests/unit/control/conf/world.h"

static void load_example(const char *path)
{
    static char text[16384];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    world_open();
    world.components = sw_registry;
    world.components_count = sw_registry_count;
    world.args.purpose = SW_CONF_START;
    world_config(path, text);
    world_load();
    if (world.err != SW_OK) {
        fail_msg("%s", world_finding_at(0));
    }
}

static int teardown(void **state)
{
    world_close();
    return 0;
}

static void test_gateway_starts_with_what_it_says(void **state)
{
    load_example("deploy/examples/gateway.yaml");
    const struct sw_conf_component *sampling =
        sw_conf_find(world.conf, SW_PROCESSOR, "tail_sampling");
    assert_non_null(sampling);
    const struct sw_tail_sampling_conf *conf = sampling->conf;
    assert_true(conf->decision_wait_ns == INT64_C(10000000000));
    assert_int_equal(conf->policies.count, 3);
    const struct sw_conf_pipeline *pipeline = &world.conf->pipelines[0];
    assert_int_equal(pipeline->processors_count, 3);
    assert_ptr_equal(pipeline->processors[1], sampling);
    const struct sw_otlp_exporter_conf *exporter = pipeline->exporters[0]->conf;
    assert_string_equal(exporter->client.endpoint, "127.0.0.1:24317");
    assert_true(exporter->sending_queue.enabled);
}

static void test_agent_starts_without_a_warning(void **state)
{
    load_example("deploy/examples/agent.yaml");
    assert_int_equal(world.errors.count, 0);
    const struct sw_conf_component *receiver = sw_conf_find(world.conf, SW_RECEIVER, "otlp");
    const struct sw_otlp_receiver_conf *conf = receiver->conf;
    assert_true(conf->protocols.grpc.enabled);
    assert_string_equal(conf->protocols.http.server.endpoint, "127.0.0.1:4318");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_gateway_starts_with_what_it_says, teardown),
        cmocka_unit_test_teardown(test_agent_starts_without_a_warning, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
