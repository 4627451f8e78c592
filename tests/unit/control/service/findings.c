/* What `validate` finds beyond the Collector. */
#include "control/service/service.h"
#include "tests/unit/control/conf/world.h"

#define IN      "receivers: {otlp: {protocols: {grpc: {endpoint: '0.0.0.0:4317'}}}}\n"
#define OUT     "exporters: {otlp_grpc: {endpoint: 'backend:4317', tls: {insecure: true}}, nop: }\n"
#define TO(out) "service: {pipelines: {traces: {receivers: [otlp], exporters: [" out "]}}}\n"
#define VIA(processors)                                                                            \
    "service: {pipelines: {traces: {receivers: [otlp], processors: [" processors                   \
    "], exporters: [otlp_grpc, nop]}}}\n"

static struct sw_appliance *appliance;

static int open_appliance(void **state)
{
    char error[256];
    return sw_appliance_load_text("a.conf", "", &appliance, error, sizeof(error));
}

static int close_appliance(void **state)
{
    sw_appliance_free(appliance);
    return 0;
}

/* Loads a configuration that has nothing wrong for the loader, and looks at it. */
static void look(const char *text)
{
    world_open();
    world.components = sw_registry;
    world.components_count = sw_registry_count;
    world_load_text(text);
    if (world.err != 0) {
        fail_msg("%s", world_finding_at(0));
    }
    sw_service_check_conf(world.conf, appliance, &world.errors);
    assert_false(world.errors.out_of_memory);
    assert_int_equal(world.errors.refused_count, 0);
}

#define STORED(exporter, processors)                                                               \
    "exporters: {otlp_grpc: {endpoint: 'backend:4317', tls: {insecure: true}, sending_queue: "     \
    "{storage: file_storage}}" exporter "}\nprocessors: {" processors "}\n"                        \
    "extensions: {file_storage: {directory: /tmp}}\n"
#define STORED_VIA(processor, exporters)                                                           \
    "service: {extensions: [file_storage], pipelines: {traces: {receivers: [otlp], "               \
    "processors: [" processor "], exporters: [" exporters "]}}}\n"

static void test_each_oddity_is_told_at_its_place(void **state)
{
    static const struct {
        const char *text;
        const char *words; /* NULL: nothing is odd */
    } cases[] = {
        {IN OUT TO("otlp_grpc, nop"), NULL},
        {IN STORED("", "batch: ") STORED_VIA("batch", "otlp_grpc"), NULL},
        {IN STORED("", "") TO("otlp_grpc"),
         "exporters::otlp_grpc::sending_queue::storage: service::extensions has no storage "
         "extension \"file_storage\""},
        {IN STORED("", "batch/k: {metadata_keys: [a]}") STORED_VIA("batch/k", "otlp_grpc"),
         "service::pipelines::traces: what waits in processor \"batch/k\" is in memory"},
        {IN STORED(", nop: ", "batch: ") STORED_VIA("batch", "otlp_grpc, nop"),
         "service::pipelines::traces: what waits in processor \"batch\" is in memory"},
        {IN "exporters: {otlp_grpc: {endpoint: '0.0.0.0:4317', tls: {insecure: true}}}\n" TO(
             "otlp_grpc"
         ),
         "c.yaml:2:25: exporters::otlp_grpc::endpoint: 0.0.0.0 is where a server listens"},
        {IN "exporters: {otlp_grpc: {endpoint: 'backend:4318', tls: {insecure: true}}}\n" TO(
             "otlp_grpc"
         ),
         "4318 is the port of OTLP over HTTP"},
        {IN
         "exporters: {otlp_grpc: {endpoint: 'backend:0', tls: {insecure: true}}}\n" TO("otlp_grpc"),
         "nobody can listen on port 0"},
        {IN "exporters: {otlp_http: {endpoint: 'http://[::]:4317/v1/traces'}}\n" TO("otlp_http"),
         "exporters::otlp_http::endpoint: :: is where a server listens"},
        {IN "exporters: {otlp_http: {endpoint: 'http://b:4317'}}\n" TO("otlp_http"),
         "4317 is the port of OTLP over gRPC"},
        {IN "exporters: {otlp_http: {endpoint: 'http://b:4318/v1/traces'}}\n" TO("otlp_http"),
         "/v1/traces/v1/traces. Write the base, or traces_endpoint"},
        {IN "exporters: {otlp_grpc: {endpoint: 'localhost:4317', tls: {insecure: true}}}\n" TO(
             "otlp_grpc"
         ),
         "is our own receiver \"otlp\", whose data comes here"},
        {IN "exporters: {load_balancing: {protocol: {otlp: {tls: {insecure: true}}}, resolver: "
            "{static: "
            "{hostnames: ['backend:4317', 'localhost']}}}}\n" TO("load_balancing"),
         "exporters::load_balancing::resolver::static::hostnames: is our own receiver \"otlp\""},
        {"receivers: {otlp: {protocols: {grpc: {endpoint: 'localhost:0'}}}}\n" OUT TO(
             "otlp_grpc, nop"
         ),
         "receivers::otlp::protocols::grpc::endpoint: port 0 is any free port"},
        {"receivers: {otlp: {protocols: {grpc: {endpoint: 'localhost:8888'}}}}\n" OUT TO(
             "otlp_grpc, nop"
         ),
         "port 8888 is taken by \"service::telemetry::metrics\" too"},
        {"receivers: {otlp: {protocols: {grpc: {endpoint: '0.0.0.0:5'}, http: {endpoint: "
         "'127.0.0.1:5'}}}}\n" OUT TO("otlp_grpc, nop"),
         "protocols::http::endpoint: port 5 is taken by \"otlp\" too"},
        {IN OUT "processors: {memory_limiter: {check_interval: 1s, limit_mib: 100}, batch: }\n" VIA(
             "batch, memory_limiter"
         ),
         "service::pipelines::traces: processor \"memory_limiter\" should be the first"},
        {IN OUT "processors: {tail_sampling: {policies: [{name: a, type: always_sample}]}, batch: "
                "}\n" VIA("batch, tail_sampling"),
         "processor \"batch\" stands before \"tail_sampling\""},
        {IN OUT "processors: {batch: {metadata_keys: [tenant]}}\n" VIA("batch"),
         "c.yaml:3:22: processors::batch::metadata_keys: no receiver of pipeline \"traces\" has "
         "include_metadata: true"},
        {"receivers: {otlp: {protocols: {grpc: {endpoint: '0.0.0.0:4317', include_metadata: "
         "true}}}, "
         "otlp/b: {protocols: {http: {endpoint: '0.0.0.0:4318'}}}}\n" OUT
         "processors: {batch: {metadata_keys: [tenant]}}\n"
         "service: {pipelines: {traces: {receivers: [otlp], processors: [batch], exporters: "
         "[nop]}, logs: {receivers: [otlp/b], processors: [batch], exporters: [nop]}}}\n",
         "no receiver of pipeline \"logs\" has include_metadata: true"},
        {IN OUT "service: {pipelines: {traces: {receivers: [otlp], exporters: [nop]}, traces/b: "
                "{receivers: [otlp], exporters: [otlp_grpc, nop]}}}\n",
         "service::pipelines::traces/b: does what pipeline \"traces\" does from \"otlp\" to "
         "\"nop\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        look(cases[i].text);
        if (cases[i].words == NULL) {
            assert_int_equal(world.errors.count, 0);
        } else if (world_finding(cases[i].words) == NULL) {
            fail_msg("no \"%s\" in \"%s\"", cases[i].words, world_finding_at(0));
        }
        world_close();
    }
}

static void test_neighbours_that_only_look_alike_are_left_alone(void **state)
{
    /* Two addresses, one port; two pipelines that treat data differently; a way out over our own
     * other receiver. */
    look("receivers:\n  otlp/a: {protocols: {grpc: {endpoint: '127.0.0.1:5'}}}\n"
         "  otlp/b: {protocols: {grpc: {endpoint: '127.0.0.2:5'}}}\n"
         "exporters: {otlp_grpc: {endpoint: '127.0.0.2:5', tls: {insecure: true}}, nop: }\n"
         "processors: {batch: }\n"
         "service: {pipelines: {traces/a: {receivers: [otlp/a], exporters: [otlp_grpc]}, traces/b: "
         "{receivers: [otlp/b], exporters: [nop]}, traces/c: {receivers: [otlp/b], processors: "
         "[batch], exporters: [nop]}}}\n");
    assert_int_equal(world.errors.count, 0);
    world_close();
}

static void test_metadata_that_comes_through_a_connector_is_metadata(void **state)
{
    look("receivers:\n  otlp: {protocols: {grpc: {endpoint: '127.0.0.1:5'}, http: {endpoint: "
         "'127.0.0.1:6', include_metadata: true}}}\n"
         "exporters: {nop: }\nconnectors: {forward/a: , forward/b: }\n"
         "processors: {batch: {metadata_keys: [tenant]}}\n"
         "service: {pipelines: {traces/c: {receivers: [forward/b], processors: [batch], exporters: "
         "[nop]}, traces/b: {receivers: [forward/a], exporters: [forward/b]}, traces/a: "
         "{receivers: [otlp], exporters: [forward/a]}}}\n");
    assert_int_equal(world.errors.count, 0);
    world_close();
}

static void test_what_the_start_refuses_is_a_warning_with_its_place(void **state)
{
    look("receivers:\n  otlp: {protocols: {grpc: {endpoint: '127.0.0.1:x'}}}\n" OUT TO(
        "otlp_grpc, nop"
    ));
    assert_true(world.errors.count > 0);
    world_close();
}

static void test_processor_that_its_pipeline_makes_senseless_is_refused(void **state)
{
    world_open();
    world.components = sw_registry;
    world.components_count = sw_registry_count;
    world_load_text(IN OUT
                    "processors: {attributes: {include: {match_type: strict, log_bodies: [a]}, "
                    "actions: [{key: a, action: delete}]}}\n" VIA("attributes"));
    assert_int_equal(world.err, 0);
    sw_service_check_conf(world.conf, appliance, &world.errors);
    assert_int_equal(world.errors.refused_count, 1);
    assert_non_null(world_finding("processors::attributes: processor attributes: log_bodies"));
    world_close();
}

static void test_nop_takes_every_signal(void **state)
{
    look(IN "exporters: {nop: }\n"
            "service: {pipelines: {traces: {receivers: [otlp], exporters: [nop]}, metrics: "
            "{receivers: [otlp], exporters: [nop]}, logs: {receivers: [otlp], exporters: "
            "[nop]}}}\n");
    assert_int_equal(world.errors.count, 0);
    world_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_oddity_is_told_at_its_place),
        cmocka_unit_test(test_neighbours_that_only_look_alike_are_left_alone),
        cmocka_unit_test(test_metadata_that_comes_through_a_connector_is_metadata),
        cmocka_unit_test(test_what_the_start_refuses_is_a_warning_with_its_place),
        cmocka_unit_test(test_processor_that_its_pipeline_makes_senseless_is_refused),
        cmocka_unit_test(test_nop_takes_every_signal),
    };
    return cmocka_run_group_tests_name("findings", tests, open_appliance, close_appliance);
}
