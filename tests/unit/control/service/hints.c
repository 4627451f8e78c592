/* Misspelt words that the components check themselves: the nearest is named. */
#include "control/service/service.h"
#include "tests/unit/control/conf/world.h"

#define RECEIVERS "receivers: {otlp: {protocols: {grpc: }}}\n"
#define NOP       "exporters: {nop: }\n"
#define PIPELINE(processors, exporter)                                                             \
    "service: {pipelines: {logs: {receivers: [otlp], processors: [" processors                     \
    "], exporters: [" exporter "]}}}\n"
#define PROCESSOR(id, keys) RECEIVERS NOP "processors:\n  " id ": {" keys "}\n" PIPELINE(id, "nop")
#define TAIL(policy)                                                                               \
    RECEIVERS NOP "processors:\n  tail_sampling: {policies: [{name: a, " policy "}]}\n"            \
                  "service: {pipelines: {traces: {receivers: [otlp], processors: "                 \
                  "[tail_sampling], exporters: [nop]}}}\n"
#define EXPORTER(id, keys) RECEIVERS "exporters:\n  " id ": {" keys "}\n" PIPELINE("", id)
#define RECEIVER(protocol, keys)                                                                   \
    "receivers:\n  otlp: {protocols: {" protocol ": {" keys "}}}\n" NOP PIPELINE("", "nop")
#define TELEMETRY(keys)                                                                            \
    RECEIVERS NOP "service: {telemetry: {" keys "}, pipelines: {logs: {receivers: [otlp], "        \
                  "exporters: [nop]}}}\n"

static void test_misspelt_word_of_a_component_is_answered_with_the_nearest(void **state)
{
    static const struct {
        const char *text;
        const char *words;
    } cases[] = {
        {PROCESSOR("attributes", "actions: [{key: a, action: upsrt, value: b}]"),
         "unsupported action \"upsrt\", did you mean \"upsert\"?"},
        {PROCESSOR("resource", "attributes: [{key: a, action: delet}]"),
         "unsupported action \"delet\", did you mean \"delete\"?"},
        {PROCESSOR("attributes", "actions: [{key: a, action: convert, converted_type: duble}]"),
         "\"duble\" is none of int, double, string, did you mean \"double\"?"},
        {PROCESSOR(
             "attributes",
             "include: {match_type: regex, log_bodies: [a]}, actions: [{key: a, action: delete}]"
         ),
         "match_type: unrecognized match_type: 'regex', valid types are: [regexp strict], did you "
         "mean \"regexp\"?"},
        {PROCESSOR(
             "attributes",
             "include: {match_type: strict, span_kinds: [SPAN_KIND_SERVR]}, actions: [{key: a, "
             "action: delete}]"
         ),
         "did you mean \"SPAN_KIND_SERVER\"?"},
        {PROCESSOR("probabilistic_sampler", "mode: equalising"),
         "unsupported sampler mode \"equalising\", did you mean \"equalizing\"?"},
        {PROCESSOR("probabilistic_sampler", "attribute_source: traceid"),
         "did you mean \"traceID\"?"},
        {TAIL("type: always_sampel"),
         "unknown sampling policy type always_sampel, did you mean \"always_sample\"?"},
        {TAIL("type: status_code, status_code: {status_codes: [ERR]}"),
         "supported: OK, ERROR, UNSET, did you mean \"ERROR\"?"},
        {RECEIVERS NOP
         "processors:\n  tail_sampling: {sampling_strategy: trace_complete, policies: [{name: a, "
         "type: always_sample}]}\nservice: {pipelines: {traces: {receivers: [otlp], processors: "
         "[tail_sampling], exporters: [nop]}}}\n",
         "did you mean \"trace-complete\"?"},
        {EXPORTER("otlp_grpc", "endpoint: 'b:4317', compression: gzp"),
         "c.yaml:3:48: exporters::otlp_grpc::compression: unsupported value \"gzp\", expected one "
         "of: "},
        {EXPORTER("otlp_grpc", "endpoint: 'b:4317', compression: gzp"), "did you mean \"gzip\"?"},
        {EXPORTER("otlp_grpc", "endpoint: 'b:4317', balancer_name: roundrobin"),
         "invalid balancer_name: roundrobin, did you mean \"round_robin\"?"},
        {EXPORTER("otlp_http", "endpoint: 'http://b:4318', encoding: jsn"),
         "did you mean \"json\"?"},
        {EXPORTER(
             "otlp_grpc",
             "endpoint: 'b:4317', sending_queue: {sizer: request}, tls: {insecure: "
             "true}"
         ),
         "did you mean \"requests\"?"},
        {EXPORTER("file", "path: /tmp/a, format: jsn"), "did you mean \"json\"?"},
        {EXPORTER("debug", "verbosity: detaild"), "did you mean \"Detailed\"?"},
        {EXPORTER("debug", "loglevel: wran"), "did you mean \"warn\"?"},
        {RECEIVER("http", "compression_algorithms: [zsdt]"),
         "unknown compression \"zsdt\", did you mean \"zstd\"?"},
        {RECEIVER("grpc", "tls: {cert_file: a, key_file: b, curve_preferences: [X2551]}"),
         "unknown curve \"X2551\", did you mean \"X25519\"?"},
        {RECEIVER(
             "grpc",
             "tls: {cert_file: a, key_file: b, cipher_suites: "
             "[TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA265]}"
         ),
         "did you mean \"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\"?"},
        {TELEMETRY("metrics: {level: detailled}"), "did you mean \"Detailed\"?"},
        {TELEMETRY("logs: {level: wran}"), "did you mean \"warn\"?"},
        {TELEMETRY("logs: {encoding: jsn}"), "did you mean \"json\"?"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        world_open();
        world.components = sw_registry;
        world.components_count = sw_registry_count;
        world_load_text(cases[i].text);
        if (world_finding(cases[i].words) == NULL) {
            fail_msg("no \"%s\" in \"%s\"", cases[i].words, world_finding_at(0));
        }
        world_close();
    }
}

static void test_word_that_is_like_none_gets_no_hint(void **state)
{
    static const char *const texts[] = {
        PROCESSOR("attributes", "actions: [{key: a, action: summarize, value: b}]"),
        PROCESSOR("attributes", "actions: [{key: a, action: '', value: b}]"),
        PROCESSOR("probabilistic_sampler", "mode: x"),
        EXPORTER("otlp_grpc", "endpoint: 'b:4317', compression: brotli"),
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        world_open();
        world.components = sw_registry;
        world.components_count = sw_registry_count;
        world_load_text(texts[i]);
        assert_true(world.errors.count > 0);
        assert_null(world_finding("did you mean"));
        world_close();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_misspelt_word_of_a_component_is_answered_with_the_nearest),
        cmocka_unit_test(test_word_that_is_like_none_gets_no_hint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
