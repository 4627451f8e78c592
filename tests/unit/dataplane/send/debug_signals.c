/* What the debug exporter shows of metrics and logs, in both verbosities; requests are written in JSON. */
#include "dataplane/otlp/json.h"
#include "dataplane/send/debug_text.h"
#include "tests/lib/bench.h"

static char shown[1 << 16];

static struct sw_batch *batch_of(enum sw_signal signal, const char *json)
{
    struct sw_bytes bytes = {(const uint8_t *)json, strlen(json)};
    struct sw_json_reader *reader = sw_json_reader_new(signal, bytes, NULL);
    assert_non_null(reader);
    int err;
    while ((err = sw_json_reader_step(reader, SW_JSON_SLICE)) == SW_E_AGAIN) {
    }
    if (err == SW_E_MALFORMED) {
        fail_msg("%s", sw_json_reader_fault(reader)->text);
    }
    assert_int_equal(err, SW_OK);
    uint32_t items = sw_json_reader_items_count(reader);
    struct sw_buf *buf = sw_json_reader_take(reader);
    struct sw_batch *batch = sw_batch_new(signal);
    assert_int_equal(sw_batch_add_raw(batch, buf, buf->data, buf->size, items), 0);
    sw_buf_unref(buf);
    sw_json_reader_free(reader);
    return batch;
}

static void show(enum sw_signal signal, const char *json, bool detailed)
{
    struct sw_debug_text text;
    struct sw_batch *batch = batch_of(signal, json);
    struct sw_buf *part = NULL;
    size_t size = 0;
    assert_int_equal(sw_debug_text_init(&text, batch, detailed, NULL), 0);
    do {
        assert_int_equal(sw_debug_text_next(&text, 512, &part), 0);
        if (part != NULL) {
            assert_true(size + part->size < sizeof(shown));
            memcpy(shown + size, part->data, part->size);
            size += part->size;
        }
        sw_buf_unref(part);
    } while (part != NULL);
    shown[size] = '\0';
    sw_debug_text_fini(&text);
    sw_batch_free(batch);
}

#define START                                                                                      \
    "\"startTimeUnixNano\":\"1581452772000000321\",\"timeUnixNano\":\"1581452773000000789\""
#define LABEL                                                                                      \
    "\"attributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":\"b\"}},"                           \
    "{\"key\":\"c\",\"value\":{\"intValue\":1}}]"

static const char metrics_json[] =
    "{\"resourceMetrics\":[{\"resource\":{\"attributes\":[{\"key\":\"r\",\"value\":{"
    "\"stringValue\":"
    "\"v\"}}]},\"scopeMetrics\":[{\"scope\":{\"name\":\"lib\",\"version\":\"1\"},\"metrics\":["
    "{\"name\":\"g\",\"unit\":\"1\",\"metadata\":[{\"key\":\"m\",\"value\":{\"intValue\":7}}],"
    "\"gauge\":{\"dataPoints\":[{" START "," LABEL ",\"asInt\":\"123\"},{" START
    ",\"asDouble\":1.5}]}},"
    "{\"name\":\"s\",\"description\":\"d\",\"sum\":{\"isMonotonic\":true,"
    "\"aggregationTemporality\":2,"
    "\"dataPoints\":[{" START ",\"asDouble\":1234567}]}},"
    "{\"name\":\"h\",\"histogram\":{\"aggregationTemporality\":1,\"dataPoints\":[{" START "," LABEL
    ",\"count\":\"1\",\"sum\":15,\"min\":15,\"max\":15,\"bucketCounts\":[\"0\",\"1\"],"
    "\"explicitBounds\":[1],\"exemplars\":[{\"timeUnixNano\":\"1581452773000000123\",\"asDouble\":"
    "15,"
    "\"traceId\":\"0102030405060708090a0b0c0d0e0f10\",\"spanId\":\"1112131415161718\","
    "\"filteredAttributes\":[{\"key\":\"e\",\"value\":{\"boolValue\":true}}]}]}]}},"
    "{\"name\":\"e\",\"exponentialHistogram\":{\"aggregationTemporality\":1,\"dataPoints\":[{" START
    ",\"count\":\"5\",\"sum\":0.15,\"scale\":1,\"zeroCount\":\"1\",\"positive\":{\"offset\":1,"
    "\"bucketCounts\":[\"1\",\"1\"]},\"negative\":{\"offset\":-1,\"bucketCounts\":[\"1\",\"2\"]}}]}"
    "},"
    "{\"name\":\"q\",\"summary\":{\"dataPoints\":[{" START ",\"count\":\"1\",\"sum\":15,"
    "\"quantileValues\":[{\"quantile\":0.01,\"value\":15}]}]}},"
    "{\"name\":\"nothing\"}]}]}]}";

static void test_metrics_are_a_line_for_each_data_point(void **state)
{
    show(SW_METRICS, metrics_json, false);
    assert_string_equal(
        shown,
        "ResourceMetrics #0 r=v\n"
        "ScopeMetrics #0 lib@1\n"
        "g{a=b,c=1} 123\n"
        "g{} 1.5\n"
        "s{} 1.234567e+06\n"
        "h{a=b,c=1} count=1 sum=15 min=15 max=15 le1=0 1\n"
        "e{} count=5 sum=0.15\n"
        "q{} count=1 sum=15.000000 q0.01=15\n"
    );
}

#define TIMES                                                                                      \
    "StartTimestamp: 2020-02-11 20:26:12.000000321 +0000 UTC\n"                                    \
    "Timestamp: 2020-02-11 20:26:13.000000789 +0000 UTC\n"
#define LABELS "Data point attributes:\n     -> a: Str(b)\n     -> c: Int(1)\n"

static void test_detailed_metrics_show_all_there_is(void **state)
{
    show(SW_METRICS, metrics_json, true);
    assert_string_equal(
        shown,
        "ResourceMetrics #0\nResource SchemaURL: \nResource attributes:\n     -> r: Str(v)\n"
        "ScopeMetrics #0\nScopeMetrics SchemaURL: \nInstrumentationScope lib 1\n"
        "Metric #0\nDescriptor:\n     -> Name: g\n     -> Description: \n     -> Unit: 1\n"
        "     -> DataType: Gauge\n     -> Metadata:\n          -> m: Int(7)\n"
        "NumberDataPoints #0\n" LABELS TIMES "Value: 123\n"
        "NumberDataPoints #1\n" TIMES "Value: 1.500000\n"
        "Metric #1\nDescriptor:\n     -> Name: s\n     -> Description: d\n     -> Unit: \n"
        "     -> DataType: Sum\n     -> IsMonotonic: true\n"
        "     -> AggregationTemporality: Cumulative\n"
        "NumberDataPoints #0\n" TIMES "Value: 1234567.000000\n"
        "Metric #2\nDescriptor:\n     -> Name: h\n     -> Description: \n     -> Unit: \n"
        "     -> DataType: Histogram\n     -> AggregationTemporality: Delta\n"
        "HistogramDataPoints #0\n" LABELS TIMES
        "Count: 1\nSum: 15.000000\nMin: 15.000000\nMax: 15.000000\n"
        "ExplicitBounds #0: 1.000000\nBuckets #0, Count: 0\nBuckets #1, Count: 1\n"
        "Exemplars:\nExemplar #0\n     -> Trace ID: 0102030405060708090a0b0c0d0e0f10\n"
        "     -> Span ID: 1112131415161718\n"
        "     -> Timestamp: 2020-02-11 20:26:13.000000123 +0000 UTC\n     -> Value: 15.000000\n"
        "     -> FilteredAttributes:\n          -> e: Bool(true)\n"
        "Metric #3\nDescriptor:\n     -> Name: e\n     -> Description: \n     -> Unit: \n"
        "     -> DataType: ExponentialHistogram\n     -> AggregationTemporality: Delta\n"
        "ExponentialHistogramDataPoints #0\n" TIMES "Count: 5\nSum: 0.150000\n"
        "Bucket [-1.414214, -1.000000), Count: 2\nBucket [-1.000000, -0.707107), Count: 1\n"
        "Bucket [0, 0], Count: 1\n"
        "Bucket (1.414214, 2.000000], Count: 1\nBucket (2.000000, 2.828427], Count: 1\n"
        "Metric #4\nDescriptor:\n     -> Name: q\n     -> Description: \n     -> Unit: \n"
        "     -> DataType: Summary\nSummaryDataPoints #0\n" TIMES "Count: 1\nSum: 15.000000\n"
        "QuantileValue #0: Quantile 0.010000, Value 15.000000\n"
        "Metric #5\nDescriptor:\n     -> Name: nothing\n     -> Description: \n     -> Unit: \n"
        "     -> DataType: Empty\n"
    );
}

static void test_metrics_are_counted(void **state)
{
    struct sw_batch *batch = batch_of(SW_METRICS, metrics_json);
    struct sw_batch *first = NULL;
    assert_int_equal(sw_debug_resources_count(batch), 1);
    assert_int_equal(sw_debug_metrics_count(batch), 6);
    assert_int_equal(sw_batch_split(batch, 1, NULL, &first), 0);
    assert_int_equal(sw_debug_metrics_count(first), 1); // the first half of the first
    assert_int_equal(sw_debug_metrics_count(batch), 6);
    sw_batch_free(first);
    sw_batch_free(batch);
}

static const char logs_json[] =
    "{\"resourceLogs\":[{\"schemaUrl\":\"u\",\"scopeLogs\":[{\"logRecords\":["
    "{\"timeUnixNano\":\"1581452773000000789\",\"observedTimeUnixNano\":\"1581452773000000789\","
    "\"severityNumber\":10,\"severityText\":\"INFO2\",\"body\":{\"stringValue\":\"it broke\"},"
    "\"attributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":\"b\"}}],\"flags\":1,"
    "\"traceId\":\"0102030405060708090a0b0c0d0e0f10\",\"spanId\":\"1112131415161718\","
    "\"eventName\":\"ev\"},{\"severityNumber\":9}]}]}]}";

static void test_logs_are_a_line_each(void **state)
{
    show(SW_LOGS, logs_json, false);
    assert_string_equal(shown, "ResourceLog #0 [u]\nScopeLog #0\nit broke a=b\n \n");
}

static void test_detailed_logs_show_all_there_is(void **state)
{
    show(SW_LOGS, logs_json, true);
    assert_string_equal(
        shown,
        "ResourceLog #0\nResource SchemaURL: u\n"
        "ScopeLogs #0\nScopeLogs SchemaURL: \nInstrumentationScope  \n"
        "LogRecord #0\nObservedTimestamp: 2020-02-11 20:26:13.000000789 +0000 UTC\n"
        "Timestamp: 2020-02-11 20:26:13.000000789 +0000 UTC\nSeverityText: INFO2\n"
        "SeverityNumber: Info2(10)\nEventName: ev\nBody: Str(it broke)\n"
        "Attributes:\n     -> a: Str(b)\n"
        "Trace ID: 0102030405060708090a0b0c0d0e0f10\nSpan ID: 1112131415161718\nFlags: 1\n"
        "LogRecord #1\nObservedTimestamp: 1970-01-01 00:00:00 +0000 UTC\n"
        "Timestamp: 1970-01-01 00:00:00 +0000 UTC\nSeverityText: \nSeverityNumber: Info(9)\n"
        "Body: Empty()\nTrace ID: \nSpan ID: \nFlags: 0\n"
    );
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics_are_a_line_for_each_data_point),
        cmocka_unit_test(test_detailed_metrics_show_all_there_is),
        cmocka_unit_test(test_metrics_are_counted),
        cmocka_unit_test(test_logs_are_a_line_each),
        cmocka_unit_test(test_detailed_logs_show_all_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
