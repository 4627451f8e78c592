/* Documents and what the Collector's own code (v0.159: pdata v1.65.0 with json-iterator 1.1.12) says of them:
 * the error, or the JSON that its marshaler makes of what was read. The first list has the bodies of the
 * recorded receiver cases. */
#ifndef SW_TESTS_UNIT_DATAPLANE_OTLP_JSON_CASES_H
#define SW_TESTS_UNIT_DATAPLANE_OTLP_JSON_CASES_H

#include "dataplane/otlp/batch.h"
#include "dataplane/otlp/protobuf.h"

struct json_case {
    enum sw_signal signal;
    struct sw_bytes json;
    struct sw_bytes written; // data NULL: it is refused
    struct sw_bytes fault;
    uint32_t items_count;
};

// clang-format off
#define TEXT(literal) {(const uint8_t *)(literal), sizeof(literal) - 1}
#define NO_TEXT       {.data = NULL}

static const struct json_case recorded_cases[] = {
    // json
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"resource\": {\"attributes\": [{\"key\": \"service.name\", \"value\""
     ": {\"stringValue\": \"shop\"}}]}, \"scopeSpans\": [{\"scope\": {\"name\": \"lib\", \"versio"
     "n\": \"1.0\"}, \"spans\": [{\"traceId\": \"5b8efff798038103d269b633813fc60c\", \"spanId\": "
     "\"eee19b7ec3c1b174\", \"parentSpanId\": \"eee19b7ec3c1b173\", \"name\": \"GET /cart\", \"ki"
     "nd\": 2, \"startTimeUnixNano\": \"1760000000000000000\", \"endTimeUnixNano\": \"17600000000"
     "07500000\", \"attributes\": [{\"key\": \"http.status_code\", \"value\": {\"intValue\": \"20"
     "0\"}}, {\"key\": \"ok\", \"value\": {\"boolValue\": true}}], \"status\": {\"code\": 1}}]}]}"
     "]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"s"
     "tringValue\":\"shop\"}}]},\"scopeSpans\":[{\"scope\":{\"name\":\"lib\",\"version\":\"1.0\"}"
     ",\"spans\":[{\"traceId\":\"5b8efff798038103d269b633813fc60c\",\"spanId\":\"eee19b7ec3c1b174"
     "\",\"parentSpanId\":\"eee19b7ec3c1b173\",\"name\":\"GET /cart\",\"kind\":2,\"startTimeUnixN"
     "ano\":\"1760000000000000000\",\"endTimeUnixNano\":\"1760000000007500000\",\"attributes\":[{"
     "\"key\":\"http.status_code\",\"value\":{\"intValue\":\"200\"}},{\"key\":\"ok\",\"value\":{"
     "\"boolValue\":true}}],\"status\":{\"code\":1}}]}]}]}"), NO_TEXT, 1},
    // metrics-json
    {SW_METRICS, TEXT("{\"resourceMetrics\": [{\"resource\": {\"attributes\": [{\"key\": \"service.name\", \"value"
     "\": {\"stringValue\": \"shop\"}}]}, \"scopeMetrics\": [{\"scope\": {\"name\": \"lib\"}, \"m"
     "etrics\": [{\"name\": \"hits\", \"unit\": \"1\", \"description\": \"number of hits\", \"sum"
     "\": {\"aggregationTemporality\": 2, \"isMonotonic\": true, \"dataPoints\": [{\"startTimeUni"
     "xNano\": \"1760000000000000000\", \"timeUnixNano\": \"1760000000000000010\", \"asInt\": \"4"
     "2\"}]}}, {\"name\": \"temperature\", \"gauge\": {\"dataPoints\": [{\"timeUnixNano\": \"1760"
     "000000000000000\", \"asDouble\": 21.5, \"attributes\": [{\"key\": \"room\", \"value\": {\"s"
     "tringValue\": \"a\"}}]}]}}, {\"name\": \"latency\", \"histogram\": {\"aggregationTemporalit"
     "y\": 1, \"dataPoints\": [{\"timeUnixNano\": \"1760000000000000000\", \"count\": \"3\", \"su"
     "m\": 6.5, \"bucketCounts\": [\"1\", \"2\", \"0\"], \"explicitBounds\": [1, 5], \"min\": 0.5"
     ", \"max\": 3}]}}]}]}]}"),
     TEXT("{\"resourceMetrics\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"
     "\"stringValue\":\"shop\"}}]},\"scopeMetrics\":[{\"scope\":{\"name\":\"lib\"},\"metrics\":[{"
     "\"name\":\"hits\",\"description\":\"number of hits\",\"unit\":\"1\",\"sum\":{\"dataPoints\""
     ":[{\"startTimeUnixNano\":\"1760000000000000000\",\"timeUnixNano\":\"1760000000000000010\","
     "\"asInt\":\"42\"}],\"aggregationTemporality\":2,\"isMonotonic\":true}},{\"name\":\"temperat"
     "ure\",\"gauge\":{\"dataPoints\":[{\"attributes\":[{\"key\":\"room\",\"value\":{\"stringValu"
     "e\":\"a\"}}],\"timeUnixNano\":\"1760000000000000000\",\"asDouble\":21.5}]}},{\"name\":\"lat"
     "ency\",\"histogram\":{\"dataPoints\":[{\"timeUnixNano\":\"1760000000000000000\",\"count\":"
     "\"3\",\"sum\":6.5,\"bucketCounts\":[\"1\",\"2\",\"0\"],\"explicitBounds\":[1,5],\"min\":0.5"
     ",\"max\":3}],\"aggregationTemporality\":1}}]}]}]}"), NO_TEXT, 3},
    // logs-json
    {SW_LOGS, TEXT("{\"resourceLogs\": [{\"resource\": {\"attributes\": [{\"key\": \"service.name\", \"value\":"
     " {\"stringValue\": \"shop\"}}]}, \"scopeLogs\": [{\"scope\": {}, \"logRecords\": [{\"timeUn"
     "ixNano\": \"1760000000000000000\", \"observedTimeUnixNano\": \"1760000000000000001\", \"sev"
     "erityNumber\": 17, \"severityText\": \"ERROR\", \"body\": {\"stringValue\": \"it broke\"}, "
     "\"traceId\": \"5b8efff798038103d269b633813fc60c\", \"spanId\": \"eee19b7ec3c1b174\"}]}]}]}"),
     TEXT("{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"st"
     "ringValue\":\"shop\"}}]},\"scopeLogs\":[{\"scope\":{},\"logRecords\":[{\"timeUnixNano\":\"1"
     "760000000000000000\",\"observedTimeUnixNano\":\"1760000000000000001\",\"severityNumber\":17"
     ",\"severityText\":\"ERROR\",\"body\":{\"stringValue\":\"it broke\"},\"traceId\":\"5b8efff79"
     "8038103d269b633813fc60c\",\"spanId\":\"eee19b7ec3c1b174\"}]}]}]}"), NO_TEXT, 1},
    // empty-body-json
    {SW_TRACES, TEXT(""), NO_TEXT,
     TEXT("ReadObject: expect { or , or } or n, but found \000, error found in #0 byte of ...||..., bi"
     "gger context ...||..."), 0},
    // empty-object-json
    {SW_TRACES, TEXT("{}"),
     TEXT("{}"), NO_TEXT, 0},
    // null-json
    {SW_TRACES, TEXT("null"),
     TEXT("{}"), NO_TEXT, 0},
    // empty-array-json
    {SW_TRACES, TEXT("[]"), NO_TEXT,
     TEXT("ReadObject: expect { or , or } or n, but found [, error found in #1 byte of ...|[]|..., big"
     "ger context ...|[]|..."), 0},
    // resource-without-spans
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"resource\": {}}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{}}]}"), NO_TEXT, 0},
    // trailing-json
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"0123456789abcdef0123456"
     "789abcdef\", \"spanId\": \"0123456789abcdef\", \"name\": \"n\"}]}]}]} x"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"traceId\":"
     "\"0123456789abcdef0123456789abcdef\",\"spanId\":\"0123456789abcdef\",\"name\":\"n\",\"statu"
     "s\":{}}]}]}]}"), NO_TEXT, 1},
    // truncated-json
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":"), NO_TEXT,
     TEXT("ReadArray: expect [ or , or ] or n, but found \000, error found in #10 byte of ...|opeSpans"
     "\":|..., bigger context ...|{\"resourceSpans\":[{\"scopeSpans\":|..."), 0},
    // garbage-json
    {SW_TRACES, TEXT("hello"), NO_TEXT,
     TEXT("ReadObject: expect { or , or } or n, but found h, error found in #1 byte of ...|hello|..., "
     "bigger context ...|hello|..."), 0},
    // zero-ids
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"00000000000000000000000"
     "000000000\", \"spanId\": \"0000000000000000\", \"name\": \"n\"}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"name\":\"n"
     "\",\"status\":{}}]}]}]}"), NO_TEXT, 1},
    // json-id-short
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"0123\", \"spanId\": \"0"
     "123456789abcdef\", \"name\": \"n\"}]}]}]}"), NO_TEXT,
     TEXT("ID.UnmarshalJSONIter: length mismatch, error found in #10 byte of ...|d\": \"0123\", \"span"
     "Id\"|..., bigger context ...|s\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"0123\", "
     "\"spanId\": \"0123456789abcdef\", \"name\": \"n\"}]}]}]}|..."), 0},
    // json-id-not-hex
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"zzzzzzzzzzzzzzzzzzzzzzz"
     "zzzzzzzzz\", \"spanId\": \"0123456789abcdef\", \"name\": \"n\"}]}]}]}"), NO_TEXT,
     TEXT("ID.UnmarshalJSONIter: encoding/hex: invalid byte: U+007A 'z', error found in #10 byte of .."
     ".|zzzzzzzzz\", \"spanId\"|..., bigger context ...|\": [{\"traceId\": \"zzzzzzzzzzzzzzzzzzzz"
     "zzzzzzzzzzzz\", \"spanId\": \"0123456789abcdef\", \"name\": \"n\"}]}]}]}|..."), 0},
    // json-id-base64
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"ASNFZ4mrze8BI0VniavN7w="
     "=\", \"spanId\": \"0123456789abcdef\", \"name\": \"n\"}]}]}]}"), NO_TEXT,
     TEXT("ID.UnmarshalJSONIter: length mismatch, error found in #10 byte of ...|niavN7w==\", \"spanId"
     "\"|..., bigger context ...|[{\"spans\": [{\"traceId\": \"ASNFZ4mrze8BI0VniavN7w==\", \"span"
     "Id\": \"0123456789abcdef\", \"name\": \"n\"}]}]}]}|..."), 0},
    // json-id-empty
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"\", \"spanId\": \"\", "
     "\"name\": \"n\"}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"name\":\"n"
     "\",\"status\":{}}]}]}]}"), NO_TEXT, 1},
    // json-id-upper-case
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"ABCDEF0123456789ABCDEF0"
     "123456789\", \"spanId\": \"ABCDEFABCDEFABCD\", \"name\": \"n\"}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"traceId\":"
     "\"abcdef0123456789abcdef0123456789\",\"spanId\":\"abcdefabcdefabcd\",\"name\":\"n\",\"statu"
     "s\":{}}]}]}]}"), NO_TEXT, 1},
    // json-int64-number
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"0123456789abcdef0123456"
     "789abcdef\", \"spanId\": \"0123456789abcdef\", \"name\": \"n\", \"startTimeUnixNano\": 1760"
     "000000000000000, \"endTimeUnixNano\": \"1760000000000000001\", \"attributes\": [{\"key\": "
     "\"i\", \"value\": {\"intValue\": 42}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"traceId\":"
     "\"0123456789abcdef0123456789abcdef\",\"spanId\":\"0123456789abcdef\",\"name\":\"n\",\"start"
     "TimeUnixNano\":\"1760000000000000000\",\"endTimeUnixNano\":\"1760000000000000001\",\"attrib"
     "utes\":[{\"key\":\"i\",\"value\":{\"intValue\":\"42\"}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    // json-int64-string
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"0123456789abcdef0123456"
     "789abcdef\", \"spanId\": \"0123456789abcdef\", \"name\": \"n\", \"attributes\": [{\"key\": "
     "\"i\", \"value\": {\"intValue\": \"9223372036854775807\"}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"traceId\":"
     "\"0123456789abcdef0123456789abcdef\",\"spanId\":\"0123456789abcdef\",\"name\":\"n\",\"attri"
     "butes\":[{\"key\":\"i\",\"value\":{\"intValue\":\"9223372036854775807\"}}],\"status\":{}}]}"
     "]}]}"), NO_TEXT, 1},
    // json-int64-overflow
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"0123456789abcdef0123456"
     "789abcdef\", \"spanId\": \"0123456789abcdef\", \"name\": \"n\", \"attributes\": [{\"key\": "
     "\"i\", \"value\": {\"intValue\": \"9223372036854775808\"}}]}]}]}]}"), NO_TEXT,
     TEXT("ReadInt64: strconv.ParseInt: parsing \"9223372036854775808\": value out of range, error fou"
     "nd in #10 byte of ...|854775808\"}}]}]}]}]}|..., bigger context ...|: \"i\", \"value\": {\""
     "intValue\": \"9223372036854775808\"}}]}]}]}]}|..."), 0},
    // json-int-as-float
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"0123456789abcdef0123456"
     "789abcdef\", \"spanId\": \"0123456789abcdef\", \"name\": \"n\", \"attributes\": [{\"key\": "
     "\"i\", \"value\": {\"intValue\": 1.5}}]}]}]}]}"), NO_TEXT,
     TEXT("assertInteger: can not decode float as int, error found in #10 byte of ...|tValue\": 1.5}}]"
     "}]}]}|..., bigger context ...|attributes\": [{\"key\": \"i\", \"value\": {\"intValue\": 1.5"
     "}}]}]}]}]}|..."), 0},
    // json-int-bad-string
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"0123456789abcdef0123456"
     "789abcdef\", \"spanId\": \"0123456789abcdef\", \"name\": \"n\", \"attributes\": [{\"key\": "
     "\"i\", \"value\": {\"intValue\": \"abc\"}}]}]}]}]}"), NO_TEXT,
     TEXT("ReadInt64: strconv.ParseInt: parsing \"abc\": invalid syntax, error found in #10 byte of .."
     ".|ue\": \"abc\"}}]}]}]}]}|..., bigger context ...|ibutes\": [{\"key\": \"i\", \"value\": {"
     "\"intValue\": \"abc\"}}]}]}]}]}|..."), 0},
    // json-double-string
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"0123456789abcdef0123456"
     "789abcdef\", \"spanId\": \"0123456789abcdef\", \"name\": \"n\", \"attributes\": [{\"key\": "
     "\"d\", \"value\": {\"doubleValue\": \"1.25\"}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"traceId\":"
     "\"0123456789abcdef0123456789abcdef\",\"spanId\":\"0123456789abcdef\",\"name\":\"n\",\"attri"
     "butes\":[{\"key\":\"d\",\"value\":{\"doubleValue\":1.25}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    // json-double-nan
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"0123456789abcdef0123456"
     "789abcdef\", \"spanId\": \"0123456789abcdef\", \"name\": \"n\", \"attributes\": [{\"key\": "
     "\"d\", \"value\": {\"doubleValue\": \"NaN\"}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"traceId\":"
     "\"0123456789abcdef0123456789abcdef\",\"spanId\":\"0123456789abcdef\",\"name\":\"n\",\"attri"
     "butes\":[{\"key\":\"d\",\"value\":{\"doubleValue\":\"NaN\"}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    // json-bool-string
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"0123456789abcdef0123456"
     "789abcdef\", \"spanId\": \"0123456789abcdef\", \"name\": \"n\", \"attributes\": [{\"key\": "
     "\"b\", \"value\": {\"boolValue\": \"true\"}}]}]}]}]}"), NO_TEXT,
     TEXT("ReadBool: expect t or f, but found \", error found in #10 byte of ...|lValue\": \"true\"}}]"
     "}]|..., bigger context ...|ttributes\": [{\"key\": \"b\", \"value\": {\"boolValue\": \"true"
     "\"}}]}]}]}]}|..."), 0},
    // json-number-for-string
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"0123456789abcdef0123456"
     "789abcdef\", \"spanId\": \"0123456789abcdef\", \"name\": 5}]}]}]}"), NO_TEXT,
     TEXT("ReadString: expects \" or n, but found 5, error found in #10 byte of ...| \"name\": 5}]}]}]"
     "}|..., bigger context ...|89abcdef\", \"spanId\": \"0123456789abcdef\", \"name\": 5}]}]}]}|"
     "..."), 0},
    // json-snake-case
    {SW_TRACES, TEXT("{\"resource_spans\": [{\"scope_spans\": [{\"spans\": [{\"trace_id\": \"0123456789abcdef0123"
     "456789abcdef\", \"span_id\": \"0123456789abcdef\", \"name\": \"n\", \"start_time_unix_nano"
     "\": \"5\", \"attributes\": [{\"key\": \"s\", \"value\": {\"string_value\": \"v\"}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"traceId\":"
     "\"0123456789abcdef0123456789abcdef\",\"spanId\":\"0123456789abcdef\",\"name\":\"n\",\"start"
     "TimeUnixNano\":\"5\",\"attributes\":[{\"key\":\"s\",\"value\":{\"stringValue\":\"v\"}}],\"s"
     "tatus\":{}}]}]}]}"), NO_TEXT, 1},
    // json-unknown-fields
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"0123456789abcdef0123456"
     "789abcdef\", \"spanId\": \"0123456789abcdef\", \"name\": \"n\", \"fooBar\": {\"a\": [1, 2, "
     "{\"b\": null}]}}]}]}], \"extra\": \"x\"}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"traceId\":"
     "\"0123456789abcdef0123456789abcdef\",\"spanId\":\"0123456789abcdef\",\"name\":\"n\",\"statu"
     "s\":{}}]}]}]}"), NO_TEXT, 1},
    // json-duplicate-key
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"0123456789abcdef0123456"
     "789abcdef\", \"spanId\": \"0123456789abcdef\", \"name\": \"n\"}]}]}],\"resourceSpans\":[]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"traceId\":"
     "\"0123456789abcdef0123456789abcdef\",\"spanId\":\"0123456789abcdef\",\"name\":\"n\",\"statu"
     "s\":{}}]}]}]}"), NO_TEXT, 1},
    // json-enum-string
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"0123456789abcdef0123456"
     "789abcdef\", \"spanId\": \"0123456789abcdef\", \"name\": \"n\", \"kind\": \"SPAN_KIND_SERVE"
     "R\", \"status\": {\"code\": \"STATUS_CODE_ERROR\"}}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"traceId\":"
     "\"0123456789abcdef0123456789abcdef\",\"spanId\":\"0123456789abcdef\",\"name\":\"n\",\"kind"
     "\":2,\"status\":{\"code\":2}}]}]}]}"), NO_TEXT, 1},
    // json-enum-bad-string
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"0123456789abcdef0123456"
     "789abcdef\", \"spanId\": \"0123456789abcdef\", \"name\": \"n\", \"kind\": \"SERVER\"}]}]}]}"), NO_TEXT,
     TEXT("ReadEnumValue: unknown string value, error found in #10 byte of ...|: \"SERVER\"}]}]}]}|..."
     ", bigger context ...| \"0123456789abcdef\", \"name\": \"n\", \"kind\": \"SERVER\"}]}]}]}|.."
     "."), 0},
    // json-enum-number-string
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"0123456789abcdef0123456"
     "789abcdef\", \"spanId\": \"0123456789abcdef\", \"name\": \"n\", \"kind\": \"2\"}]}]}]}"), NO_TEXT,
     TEXT("ReadEnumValue: unknown string value, error found in #10 byte of ...|kind\": \"2\"}]}]}]}|.."
     "., bigger context ...|nId\": \"0123456789abcdef\", \"name\": \"n\", \"kind\": \"2\"}]}]}]}|"
     "..."), 0},
    // json-enum-out-of-range
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"0123456789abcdef0123456"
     "789abcdef\", \"spanId\": \"0123456789abcdef\", \"name\": \"n\", \"kind\": 99, \"status\": {"
     "\"code\": 7}}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"traceId\":"
     "\"0123456789abcdef0123456789abcdef\",\"spanId\":\"0123456789abcdef\",\"name\":\"n\",\"kind"
     "\":99,\"status\":{\"code\":7}}]}]}]}"), NO_TEXT, 1},
    // json-null-members
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"0123456789abcdef0123456"
     "789abcdef\", \"spanId\": \"0123456789abcdef\", \"name\": null, \"attributes\": null, \"stat"
     "us\": null}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"traceId\":"
     "\"0123456789abcdef0123456789abcdef\",\"spanId\":\"0123456789abcdef\",\"status\":{}}]}]}]}"), NO_TEXT, 1},
    // json-null-value
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"0123456789abcdef0123456"
     "789abcdef\", \"spanId\": \"0123456789abcdef\", \"name\": \"n\", \"attributes\": [{\"key\": "
     "\"x\", \"value\": null}, {\"key\": \"y\"}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"traceId\":"
     "\"0123456789abcdef0123456789abcdef\",\"spanId\":\"0123456789abcdef\",\"name\":\"n\",\"attri"
     "butes\":[{\"key\":\"x\",\"value\":{}},{\"key\":\"y\",\"value\":{}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    // json-empty-value
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"0123456789abcdef0123456"
     "789abcdef\", \"spanId\": \"0123456789abcdef\", \"name\": \"n\", \"attributes\": [{\"key\": "
     "\"x\", \"value\": {}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"traceId\":"
     "\"0123456789abcdef0123456789abcdef\",\"spanId\":\"0123456789abcdef\",\"name\":\"n\",\"attri"
     "butes\":[{\"key\":\"x\",\"value\":{}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    // json-bytes
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"0123456789abcdef0123456"
     "789abcdef\", \"spanId\": \"0123456789abcdef\", \"name\": \"n\", \"attributes\": [{\"key\": "
     "\"b\", \"value\": {\"bytesValue\": \"AAEC/w==\"}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"traceId\":"
     "\"0123456789abcdef0123456789abcdef\",\"spanId\":\"0123456789abcdef\",\"name\":\"n\",\"attri"
     "butes\":[{\"key\":\"b\",\"value\":{\"bytesValue\":\"AAEC/w==\"}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    // json-bytes-unpadded
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"0123456789abcdef0123456"
     "789abcdef\", \"spanId\": \"0123456789abcdef\", \"name\": \"n\", \"attributes\": [{\"key\": "
     "\"b\", \"value\": {\"bytesValue\": \"AAEC/w\"}}]}]}]}]}"), NO_TEXT,
     TEXT("base64.Decode: illegal base64 data at input byte 4, error found in #10 byte of ...|: \"AAEC"
     "/w\"}}]}]}]}]}|..., bigger context ...|s\": [{\"key\": \"b\", \"value\": {\"bytesValue\": "
     "\"AAEC/w\"}}]}]}]}]}|..."), 0},
    // json-bytes-bad
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"0123456789abcdef0123456"
     "789abcdef\", \"spanId\": \"0123456789abcdef\", \"name\": \"n\", \"attributes\": [{\"key\": "
     "\"b\", \"value\": {\"bytesValue\": \"!!\"}}]}]}]}]}"), NO_TEXT,
     TEXT("base64.Decode: illegal base64 data at input byte 0, error found in #10 byte of ...|lue\": "
     "\"!!\"}}]}]}]}]}|..., bigger context ...|butes\": [{\"key\": \"b\", \"value\": {\"bytesValu"
     "e\": \"!!\"}}]}]}]}]}|..."), 0},
    // json-nested-values
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"0123456789abcdef0123456"
     "789abcdef\", \"spanId\": \"0123456789abcdef\", \"name\": \"n\", \"attributes\": [{\"key\": "
     "\"a\", \"value\": {\"arrayValue\": {\"values\": [{\"intValue\": \"1\"}, {\"stringValue\": "
     "\"x\"}, {\"kvlistValue\": {\"values\": [{\"key\": \"k\", \"value\": {\"doubleValue\": 0.5}}"
     "]}}]}}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"traceId\":"
     "\"0123456789abcdef0123456789abcdef\",\"spanId\":\"0123456789abcdef\",\"name\":\"n\",\"attri"
     "butes\":[{\"key\":\"a\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":\"1\"},{\"stri"
     "ngValue\":\"x\"},{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{\"doubleValue\":0."
     "5}}]}}]}}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    // json-two-members-of-oneof
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"0123456789abcdef0123456"
     "789abcdef\", \"spanId\": \"0123456789abcdef\", \"name\": \"n\", \"attributes\": [{\"key\": "
     "\"a\", \"value\": {\"stringValue\": \"x\", \"intValue\": \"1\"}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"traceId\":"
     "\"0123456789abcdef0123456789abcdef\",\"spanId\":\"0123456789abcdef\",\"name\":\"n\",\"attri"
     "butes\":[{\"key\":\"a\",\"value\":{\"intValue\":\"1\"}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    // json-duplicate-attribute
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"0123456789abcdef0123456"
     "789abcdef\", \"spanId\": \"0123456789abcdef\", \"name\": \"n\", \"attributes\": [{\"key\": "
     "\"a\", \"value\": {\"intValue\": \"1\"}}, {\"key\": \"a\", \"value\": {\"intValue\": \"2\"}"
     "}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"traceId\":"
     "\"0123456789abcdef0123456789abcdef\",\"spanId\":\"0123456789abcdef\",\"name\":\"n\",\"attri"
     "butes\":[{\"key\":\"a\",\"value\":{\"intValue\":\"1\"}},{\"key\":\"a\",\"value\":{\"intValu"
     "e\":\"2\"}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    // json-escapes
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"0123456789abcdef0123456789a"
     "bcdef\",\"spanId\":\"0123456789abcdef\",\"name\":\"a\\u00e9\\n\\t\\\"\\/\"}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"traceId\":"
     "\"0123456789abcdef0123456789abcdef\",\"spanId\":\"0123456789abcdef\",\"name\":\"a\303\251\\"
     "n\\t\\\"/\",\"status\":{}}]}]}]}"), NO_TEXT, 1},
    // json-lone-surrogate
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"0123456789abcdef0123456789a"
     "bcdef\",\"spanId\":\"0123456789abcdef\",\"name\":\"\\ud83d\"}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"traceId\":"
     "\"0123456789abcdef0123456789abcdef\",\"spanId\":\"0123456789abcdef\",\"name\":\"\357\277"
     "\275\",\"status\":{}}]}]}]}"), NO_TEXT, 1},
    // json-wrong-container
    {SW_TRACES, TEXT("{\"resourceSpans\": {\"a\": 1}}"), NO_TEXT,
     TEXT("ReadArray: expect [ or , or ] or n, but found {, error found in #10 byte of ...|eSpans\": {"
     "\"a\": 1}}|..., bigger context ...|{\"resourceSpans\": {\"a\": 1}}|..."), 0},
    // json-old-library-spans
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"instrumentationLibrarySpans\": [{\"spans\": []}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{}}]}"), NO_TEXT, 0},
    // json-dropped-and-flags
    {SW_TRACES, TEXT("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"0123456789abcdef0123456"
     "789abcdef\", \"spanId\": \"0123456789abcdef\", \"name\": \"n\", \"droppedAttributesCount\":"
     " 3, \"flags\": 257, \"traceState\": \"a=b\", \"events\": [{\"timeUnixNano\": \"7\", \"name"
     "\": \"e\", \"droppedAttributesCount\": 1}], \"links\": [{\"traceId\": \"abababababababababa"
     "babababababab\", \"spanId\": \"cdcdcdcdcdcdcdcd\", \"flags\": 1}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"traceId\":"
     "\"0123456789abcdef0123456789abcdef\",\"spanId\":\"0123456789abcdef\",\"traceState\":\"a=b\""
     ",\"flags\":257,\"name\":\"n\",\"droppedAttributesCount\":3,\"events\":[{\"timeUnixNano\":\""
     "7\",\"name\":\"e\",\"droppedAttributesCount\":1}],\"links\":[{\"traceId\":\"abababababababa"
     "babababababababab\",\"spanId\":\"cdcdcdcdcdcdcdcd\",\"flags\":1}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    // json-deep
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"d\",\"value\":{\"arrayValue\""
     ":{\"values\":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{\""
     "values\":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{\"valu"
     "es\":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{\"values\""
     ":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{\"values\":[{"
     "\"arrayValue\":{\"values\":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{\"values\":[{\"ar"
     "rayValue\":{\"values\":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{\"values\":[{\"arrayV"
     "alue\":{\"values\":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{\"values\":[{\"arrayValue"
     "\":{\"values\":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{"
     "\"values\":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{\"va"
     "lues\":[{\"arrayValue\":{\"values\":[{\"intValue\":\"1\"}]}}]}}]}}]}}]}}]}}]}}]}}]}}]}}]}}]"
     "}}]}}]}}]}}]}}]}}]}}]}}]}}]}}]}}]}}]}}]}}]}}]}}]}}]}}]}}}]},\"scopeSpans\":[{\"spans\":[{\""
     "name\":\"deep\"}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"d\",\"value\":{\"arrayValue\""
     ":{\"values\":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{\""
     "values\":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{\"valu"
     "es\":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{\"values\""
     ":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{\"values\":[{"
     "\"arrayValue\":{\"values\":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{\"values\":[{\"ar"
     "rayValue\":{\"values\":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{\"values\":[{\"arrayV"
     "alue\":{\"values\":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{\"values\":[{\"arrayValue"
     "\":{\"values\":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{"
     "\"values\":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{\"values\":[{\"arrayValue\":{\"va"
     "lues\":[{\"arrayValue\":{\"values\":[{\"intValue\":\"1\"}]}}]}}]}}]}}]}}]}}]}}]}}]}}]}}]}}]"
     "}}]}}]}}]}}]}}]}}]}}]}}]}}]}}]}}]}}]}}]}}]}}]}}]}}]}}]}}}]},\"scopeSpans\":[{\"scope\":{},"
     "\"spans\":[{\"name\":\"deep\",\"status\":{}}]}]}]}"), NO_TEXT, 1},
};

static const struct json_case other_cases[] = {
    // tokens that stand where they should not, and what json-iterator makes of them
    {SW_TRACES, TEXT(" \n\t\r{ } x"),
     TEXT("{}"), NO_TEXT, 0},
    {SW_TRACES, TEXT("nul"), NO_TEXT,
     TEXT("skipThreeBytes: expect ull, error found in #3 byte of ...|nul|..., bigger context ...|nul|."
     ".."), 0},
    {SW_TRACES, TEXT("{"), NO_TEXT,
     TEXT("ReadObject: expect \" after {, but found \000, error found in #1 byte of ...|{|..., bigger "
     "context ...|{|..."), 0},
    {SW_TRACES, TEXT("{\"a"), NO_TEXT,
     TEXT("readStringSlowPath: unexpected end of input, error found in #3 byte of ...|{\"a|..., bigger"
     " context ...|{\"a|..."), 0},
    {SW_TRACES, TEXT("{\"a\""), NO_TEXT,
     TEXT("ReadObject: expect : after object field, but found \000, error found in #4 byte of ...|{\"a"
     "\"|..., bigger context ...|{\"a\"|..."), 0},
    {SW_TRACES, TEXT("{\"a\":"), NO_TEXT,
     TEXT("Skip: do not know how to skip: 0, error found in #5 byte of ...|{\"a\":|..., bigger context"
     " ...|{\"a\":|..."), 0},
    {SW_TRACES, TEXT("{\"\":1}"),
     TEXT("{}"), NO_TEXT, 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"\":5}]}"), NO_TEXT,
     TEXT("ReadArray: expect [ or , or ] or n, but found 5, error found in #10 byte of ...|ns\":[{\"\""
     ":5}]}|..., bigger context ...|{\"resourceSpans\":[{\"\":5}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[}"), NO_TEXT,
     TEXT("ReadArray: expect [ or , or ] or n, but found \000, error found in #10 byte of ...|eSpans\""
     ":[}|..., bigger context ...|{\"resourceSpans\":[}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[},},}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{}},{\"resource\":{}},{\"resource\":{}}]}"), NO_TEXT, 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[]{\"resourceSpans\":[{}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{}}]}"), NO_TEXT, 0},
    {SW_TRACES, TEXT(",\"resourceSpans\":,{},{}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{}},{\"resource\":{}}]}"), NO_TEXT, 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":]}"),
     TEXT("{}"), NO_TEXT, 0},
    {SW_TRACES, TEXT("{null:1}"), NO_TEXT,
     TEXT("ReadObject: expect \" after {, but found n, error found in #2 byte of ...|{null:1}|..., big"
     "ger context ...|{null:1}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[],null:1}"),
     TEXT("{}"), NO_TEXT, 0},
    {SW_TRACES, TEXT("{,\"a\":1}"), NO_TEXT,
     TEXT("ReadObject: expect \" after {, but found ,, error found in #2 byte of ...|{,\"a\":1}|..., b"
     "igger context ...|{,\"a\":1}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[null,{},null]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{}},{\"resource\":{}},{\"resource\":{}}]}"), NO_TEXT, 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":\377}"), NO_TEXT,
     TEXT("ReadArray: expect [ or , or ] or n, but found \377, error found in #10 byte of ...|ceSpans"
     "\":\377}|..., bigger context ...|{\"resourceSpans\":\377}|..."), 0},
    // values of unknown names
    {SW_TRACES, TEXT("{\"x\":{\"a\":[1,{\"b\":null}],\"c\":\"\\u00e9\\n\",\"d\":-1.5e3,\"e\":0.25,\"f\":true}}"),
     TEXT("{}"), NO_TEXT, 0},
    {SW_TRACES, TEXT("{\"x\":{\"a\":{},}}"), NO_TEXT,
     TEXT("ReadString: expects \" or n, but found }, error found in #10 byte of ...|:{\"a\":{},}}|...,"
     " bigger context ...|{\"x\":{\"a\":{},}}|..."), 0},
    {SW_TRACES, TEXT("{\"x\":[1,]}"), NO_TEXT,
     TEXT("Skip: do not know how to skip: 93, error found in #9 byte of ...|{\"x\":[1,]}|..., bigger c"
     "ontext ...|{\"x\":[1,]}|..."), 0},
    {SW_TRACES, TEXT("{\"x\":{\"b\" 1}}"), NO_TEXT,
     TEXT("ReadObject: expect : after object field, but found 1, error found in #10 byte of ...|\"x\":"
     "{\"b\" 1}}|..., bigger context ...|{\"x\":{\"b\" 1}}|..."), 0},
    {SW_TRACES, TEXT("{\"x\":{\"b\":1 \"c\":2}}"), NO_TEXT,
     TEXT("ReadObjectCB: object not ended with }, error found in #10 byte of ...|\":{\"b\":1 \"c\":2}}"
     "|..., bigger context ...|{\"x\":{\"b\":1 \"c\":2}}|..."), 0},
    {SW_TRACES, TEXT("{\"x\":[1 2]}"), NO_TEXT,
     TEXT("ReadArrayCB: expect ] in the end, but found 2, error found in #9 byte of ...|{\"x\":[1 2]}|"
     "..., bigger context ...|{\"x\":[1 2]}|..."), 0},
    {SW_TRACES, TEXT("{\"x\":{\"b\":1,null:2}}"),
     TEXT("{}"), NO_TEXT, 0},
    {SW_TRACES, TEXT("{\"x\":tru}"), NO_TEXT,
     TEXT("skipThreeBytes: expect rue, error found in #9 byte of ...|{\"x\":tru}|..., bigger context ."
     "..|{\"x\":tru}|..."), 0},
    {SW_TRACES, TEXT("{\"x\":fals}"), NO_TEXT,
     TEXT("skipFourBytes: expect alse, error found in #10 byte of ...|{\"x\":fals}|..., bigger context"
     " ...|{\"x\":fals}|..."), 0},
    {SW_TRACES, TEXT("{\"x\":\"\001\"}"), NO_TEXT,
     TEXT("trySkipString: invalid control character found: 1, error found in #6 byte of ...|{\"x\":\""
     "\001\"}|..., bigger context ...|{\"x\":\"\001\"}|..."), 0},
    {SW_TRACES, TEXT("{\"x\":\"\\n\001\"}"),
     TEXT("{}"), NO_TEXT, 0},
    {SW_TRACES, TEXT("{\"x\":\"b\\}"), NO_TEXT,
     TEXT("readEscapedChar: invalid escape char after \\, error found in #9 byte of ...|{\"x\":\"b\\}|"
     "..., bigger context ...|{\"x\":\"b\\}|..."), 0},
    {SW_TRACES, TEXT("{\"x\":\"\\u12G4\"}"), NO_TEXT,
     TEXT("readU4: expects 0~9 or a~f, but found G, error found in #10 byte of ...|\"x\":\"\\u12G4\"}|"
     "..., bigger context ...|{\"x\":\"\\u12G4\"}|..."), 0},
    {SW_TRACES, TEXT("{\"x\":\"\\x\"}"), NO_TEXT,
     TEXT("readEscapedChar: invalid escape char after \\, error found in #8 byte of ...|{\"x\":\"\\x\""
     "}|..., bigger context ...|{\"x\":\"\\x\"}|..."), 0},
    {SW_TRACES, TEXT("{\"x\":00}"), NO_TEXT,
     TEXT("readFloat32: leading zero is invalid, error found in #5 byte of ...|{\"x\":00}|..., bigger "
     "context ...|{\"x\":00}|..."), 0},
    {SW_TRACES, TEXT("{\"x\":0e}"), NO_TEXT,
     TEXT("strconv.ParseFloat: parsing \"0e\": invalid syntax"), 0},
    {SW_TRACES, TEXT("{\"x\":0.5e300}"), NO_TEXT,
     TEXT("strconv.ParseFloat: parsing \"0.5e300\": value out of range"), 0},
    {SW_TRACES, TEXT("{\"x\":1.2.3}"), NO_TEXT,
     TEXT("validateNumber: more than one dot found in number, error found in #6 byte of ...|{\"x\":1.2"
     ".3}|..., bigger context ...|{\"x\":1.2.3}|..."), 0},
    {SW_TRACES, TEXT("{\"x\":1.}"), NO_TEXT,
     TEXT("validateNumber: missing digit after dot, error found in #6 byte of ...|{\"x\":1.}|..., bigg"
     "er context ...|{\"x\":1.}|..."), 0},
    {SW_TRACES, TEXT("{\"x\":-}"), NO_TEXT,
     TEXT("readNumberAsString: invalid number, error found in #6 byte of ...|{\"x\":-}|..., bigger con"
     "text ...|{\"x\":-}|..."), 0},
    {SW_TRACES, TEXT("{\"x\":-a}"), NO_TEXT,
     TEXT("readNumberAsString: invalid number, error found in #6 byte of ...|{\"x\":-a}|..., bigger co"
     "ntext ...|{\"x\":-a}|..."), 0},
    {SW_TRACES, TEXT("{\"x\":1e999}"), NO_TEXT,
     TEXT("readNumberAsString: invalid number, error found in #10 byte of ...|{\"x\":1e999}|..., bigge"
     "r context ...|{\"x\":1e999}|..."), 0},
    {SW_TRACES, TEXT("{\"x\":1.5x}"), NO_TEXT,
     TEXT("ReadObject: expect { or , or } or n, but found x, error found in #9 byte of ...|{\"x\":1.5x"
     "}|..., bigger context ...|{\"x\":1.5x}|..."), 0},
    {SW_TRACES, TEXT("{\"x\":-0}"),
     TEXT("{}"), NO_TEXT, 0},
    {SW_TRACES, TEXT("{\"x\":\?}"), NO_TEXT,
     TEXT("Skip: do not know how to skip: 63, error found in #6 byte of ...|{\"x\":\?}|..., bigger con"
     "text ...|{\"x\":\?}|..."), 0},
    // names
    {SW_TRACES, TEXT("{\"resource\\u0053pans\":[{}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{}}]}"), NO_TEXT, 0},
    {SW_TRACES, TEXT("{\"resource_spans\":[{\"schema_url\":\"u\"}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"schemaUrl\":\"u\"}]}"), NO_TEXT, 0},
    {SW_TRACES, TEXT("{\"ResourceSpans\":[{}]}"),
     TEXT("{}"), NO_TEXT, 0},
    {SW_TRACES, TEXT("{\"resource\002Spans\":[{}]}"), NO_TEXT,
     TEXT("ReadString: invalid control character found: 2, error found in #2 byte of ...|{\"resource"
     "\002S|..., bigger context ...|{\"resource\002Spans\":[{}]}|..."), 0},
    {SW_TRACES, TEXT("{\"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\":1,\"r"
     "esourceSpans\":[{}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{}}]}"), NO_TEXT, 0},
    // strings
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"\\ud83d\\ude00\"}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"name\":\""
     "\360\237\230\200\",\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"\\ud83d\\ud83d\\ude00\"}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"name\":\""
     "\357\277\275\357\277\275\357\277\275\",\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"\\ude00\\ud83d\"}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"name\":\""
     "\357\277\275\357\277\275\",\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"\\u0000\\u007f\\u0080\\u07ff\\"
     "u0800\\uffff\"}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"name\":\""
     "\\u0000\177\302\200\337\277\340\240\200\357\277\277\",\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"\\uD83D\\uDE00\\b\\f\\n\\r\\t"
     "\\/\\\\\\\"\"}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"name\":\""
     "\360\237\230\200\\u0008\\u000c\\n\\r\\t/\\\\\\\"\",\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"\\ud83d\\n\"}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"name\":\""
     "\357\277\275\\n\",\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"\\ud83da\"}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"name\":\""
     "\357\277\275a\",\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"a\\ud83d}]}]}]}"), NO_TEXT,
     TEXT("readStringSlowPath: unexpected end of input, error found in #10 byte of ...|83d}]}]}]}|...,"
     " bigger context ...|:[{\"scopeSpans\":[{\"spans\":[{\"name\":\"a\\ud83d}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"\\q\"}]}]}]}"), NO_TEXT,
     TEXT("readEscapedChar: invalid escape char after \\, error found in #10 byte of ...|\"name\":\"\\"
     "q\"}]}]}]}|..., bigger context ...|sourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\""
     "\\q\"}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"\377\376\"}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"name\":\""
     "\377\376\",\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"a\",\"name\":\"b\"}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"name\":\"b"
     "\",\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"a\",\"name\":\"\"}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"status\":{"
     "}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"a\",\"name\":null}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"status\":{"
     "}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"a\037\"}]}]}]}"), NO_TEXT,
     TEXT("ReadString: invalid control character found: 31, error found in #10 byte of ...|[{\"name\":"
     "\"a\037\"}]}]}]}|..., bigger context ...|resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"n"
     "ame\":\"a\037\"}]}]}]}|..."), 0},
    // IDs
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"0123456789abcdef0123456789a"
     "bcdef\",\"traceId\":\"\"}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"status\":{"
     "}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"0123456789abcdef0123456789a"
     "bcdef0\"}]}]}]}"), NO_TEXT,
     TEXT("ID.UnmarshalJSONIter: encoding/hex: odd length hex string, error found in #10 byte of ...|8"
     "9abcdef0\"}]}]}]}|..., bigger context ...|s\":[{\"traceId\":\"0123456789abcdef0123456789abc"
     "def0\"}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"0123456789abcdef0123456789a"
     "bcdefz\"}]}]}]}"), NO_TEXT,
     TEXT("ID.UnmarshalJSONIter: encoding/hex: invalid byte: U+007A 'z', error found in #10 byte of .."
     ".|89abcdefz\"}]}]}]}|..., bigger context ...|s\":[{\"traceId\":\"0123456789abcdef0123456789"
     "abcdefz\"}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"0123456789abcdef0123456789a"
     "bcde\351\"}]}]}]}"), NO_TEXT,
     TEXT("ID.UnmarshalJSONIter: encoding/hex: invalid byte: U+00E9 '\303\251', error found in #10 byt"
     "e of ...|789abcde\351\"}]}]}]}|..., bigger context ...|ns\":[{\"traceId\":\"0123456789abcde"
     "f0123456789abcde\351\"}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"0123456789abcdef0123456789a"
     "bcde\001\"}]}]}]}"), NO_TEXT,
     TEXT("ID.UnmarshalJSONIter: encoding/hex: invalid byte: U+0001, error found in #10 byte of ...|78"
     "9abcde\001\"}]}]}]}|..., bigger context ...|ns\":[{\"traceId\":\"0123456789abcdef0123456789"
     "abcde\001\"}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":null}]}]}]}"), NO_TEXT,
     TEXT("ReadStringAsSlice: expects \" or n, but found n, error found in #10 byte of ...|traceId\":n"
     "ull}]}]}]}|..., bigger context ...|ourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":"
     "null}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":123}]}]}]}"), NO_TEXT,
     TEXT("ReadStringAsSlice: expects \" or n, but found 1, error found in #10 byte of ...|traceId\":1"
     "23}]}]}]}|..., bigger context ...|ourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":1"
     "23}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"0123456789abcdef0123456789a"
     "bcdef}]}]}]}"), NO_TEXT,
     TEXT("ID.UnmarshalJSONIter: length mismatch, error found in #10 byte of ...|def}]}]}]}|..., bigge"
     "r context ...|\"traceId\":\"0123456789abcdef0123456789abcdef}]}]}]}|..."), 0},
    // integers
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"kind\":2}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"kind\":2,"
     "\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"kind\":-2}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"kind\":-2,"
     "\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"kind\":2147483648}]}]}]}"), NO_TEXT,
     TEXT("ReadInt32: overflow: 2147483648, error found in #10 byte of ...|2147483648}]}]}]}|..., bigg"
     "er context ...|pans\":[{\"scopeSpans\":[{\"spans\":[{\"kind\":2147483648}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"kind\":null}]}]}]}"), NO_TEXT,
     TEXT("ReadEnumValue: unsupported value type, error found in #10 byte of ...|:[{\"kind\":null}]}]}"
     "]|..., bigger context ...|\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"kind\":null}]}"
     "]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"kind\":1,\"kind\":0}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"status\":{"
     "}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"kind\":007}]}]}]}"), NO_TEXT,
     TEXT("ReadObject: expect { or , or } or n, but found 0, error found in #10 byte of ...|{\"kind\":"
     "007}]}]}]}|..., bigger context ...|esourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"kind\":0"
     "07}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"kind\":1e5}]}]}]}"), NO_TEXT,
     TEXT("ReadObject: expect { or , or } or n, but found e, error found in #10 byte of ...|{\"kind\":"
     "1e5}]}]}]}|..., bigger context ...|esourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"kind\":1"
     "e5}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"flags\":4294967295}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"flags\":42"
     "94967295,\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"flags\":-1}]}]}]}"), NO_TEXT,
     TEXT("readUint32: unexpected character: \377, error found in #10 byte of ...|{\"flags\":-1}]}]}]}"
     "|..., bigger context ...|esourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"flags\":-1}]}]}]}|"
     "..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"flags\":\"4294967296\"}]}]}]}"), NO_TEXT,
     TEXT("ReadUint32: strconv.ParseUint: parsing \"4294967296\": value out of range, error found in #"
     "10 byte of ...|294967296\"}]}]}]}|..., bigger context ...|s\":[{\"scopeSpans\":[{\"spans\":"
     "[{\"flags\":\"4294967296\"}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"flags\":\"+1\"}]}]}]}"), NO_TEXT,
     TEXT("ReadUint32: strconv.ParseUint: parsing \"+1\": invalid syntax, error found in #10 byte of ."
     "..|lags\":\"+1\"}]}]}]}|..., bigger context ...|urceSpans\":[{\"scopeSpans\":[{\"spans\":[{"
     "\"flags\":\"+1\"}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"startTimeUnixNano\":1844674407370955161"
     "5}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"startTimeU"
     "nixNano\":\"18446744073709551615\",\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"startTimeUnixNano\":1844674407370955161"
     "6}]}]}]}"), NO_TEXT,
     TEXT("readUint64: overflow, error found in #10 byte of ...|\":184467440737095516|..., bigger cont"
     "ext ...|opeSpans\":[{\"spans\":[{\"startTimeUnixNano\":18446744073709551616}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"startTimeUnixNano\":\"18446744073709551"
     "615\"}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"startTimeU"
     "nixNano\":\"18446744073709551615\",\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"startTimeUnixNano\":\"99999999999999999"
     "999x\"}]}]}]}"), NO_TEXT,
     TEXT("ReadUint64: strconv.ParseUint: parsing \"99999999999999999999x\": value out of range, error"
     " found in #10 byte of ...|99999999x\"}]}]}]}|..., bigger context ...|ans\":[{\"startTimeUni"
     "xNano\":\"99999999999999999999x\"}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"startTimeUnixNano\":\"\"}]}]}]}"), NO_TEXT,
     TEXT("ReadUint64: strconv.ParseUint: parsing \"\": invalid syntax, error found in #10 byte of ..."
     "|ixNano\":\"\"}]}]}]}|..., bigger context ...|:[{\"scopeSpans\":[{\"spans\":[{\"startTimeUn"
     "ixNano\":\"\"}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"startTimeUnixNano\":\"\\u0031\"}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"startTimeU"
     "nixNano\":\"1\",\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"startTimeUnixNano\":\"a\\nb\"}]}]}]}"), NO_TEXT,
     TEXT("ReadUint64: strconv.ParseUint: parsing \"a\\nb\": invalid syntax, error found in #10 byte o"
     "f ...|no\":\"a\\nb\"}]}]}]}|..., bigger context ...|scopeSpans\":[{\"spans\":[{\"startTimeU"
     "nixNano\":\"a\\nb\"}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"startTimeUnixNano\":true}]}]}]}"), NO_TEXT,
     TEXT("ReadUint64: unsupported value type, error found in #10 byte of ...|UnixNano\":true}]}]}]|.."
     "., bigger context ...|s\":[{\"scopeSpans\":[{\"spans\":[{\"startTimeUnixNano\":true}]}]}]}|"
     "..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"droppedAttributesCount\":\"7\"}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"droppedAtt"
     "ributesCount\":7,\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"intValue\":-9223372036854775808}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"intValue\":\"-9223372036854775808\"}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"intValue\":-9223372036854775809}}]}]}]}]}"), NO_TEXT,
     TEXT("ReadInt64: overflow: 9223372036854775809, error found in #10 byte of ...|6854775809}}]}]}]}"
     "]}|..., bigger context ...|\"key\":\"a\",\"value\":{\"intValue\":-9223372036854775809}}]}]}"
     "]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"intValue\":\"-9223372036854775808\"}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"intValue\":\"-9223372036854775808\"}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"intValue\":\"+5\"}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"intValue\":\"5\"}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"intValue\":--5}}]}]}]}]}"), NO_TEXT,
     TEXT("readUint64: unexpected character: \377, error found in #10 byte of ...|tValue\":--5}}]}]}]}"
     "]|..., bigger context ...|:[{\"attributes\":[{\"key\":\"a\",\"value\":{\"intValue\":--5}}]}"
     "]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"intValue\":\"\377\"}}]}]}]}]}"), NO_TEXT,
     TEXT("ReadInt64: strconv.ParseInt: parsing \"\\xff\": invalid syntax, error found in #10 byte of "
     "...|Value\":\"\377\"}}]}]}]}]}|..., bigger context ...|[{\"attributes\":[{\"key\":\"a\",\"v"
     "alue\":{\"intValue\":\"\377\"}}]}]}]}]}|..."), 0},
    // doubles and bools
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"doubleValue\":0.1}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"doubleValue\":0.1}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"doubleValue\":-0}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"doubleValue\":-0}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"doubleValue\":1e5}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"doubleValue\":100000}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"doubleValue\":5e-324}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"doubleValue\":5e-324}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"doubleValue\":1.7976931348623157e308}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"doubleValue\":1.7976931348623157e+308}}],\"status\":{}}]}]}"
     "]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"doubleValue\":1.7976931348623159e308}}]}]}]}]}"), NO_TEXT,
     TEXT("strconv.ParseFloat: parsing \"1.7976931348623159e308\": value out of range"), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"doubleValue\":\"1e999\"}}]}]}]}]}"), NO_TEXT,
     TEXT("ReadUint64: strconv.ParseFloat: parsing \"1e999\": value out of range, error found in #10 b"
     "yte of ...|e\":\"1e999\"}}]}]}]}]}|..., bigger context ...|ibutes\":[{\"key\":\"a\",\"value"
     "\":{\"doubleValue\":\"1e999\"}}]}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"doubleValue\":9007199254740993}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"doubleValue\":9007199254740992}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"doubleValue\":123456789012345678901234567890}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"doubleValue\":1.2345678901234568e+29}}],\"status\":{}}]}]}]"
     "}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"doubleValue\":1e21}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"doubleValue\":1e+21}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"doubleValue\":1e-7}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"doubleValue\":1e-07}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"doubleValue\":0.000001}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"doubleValue\":0.000001}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"doubleValue\":\"Infinity\"}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"doubleValue\":\"Infinity\"}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"doubleValue\":\"-inf\"}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"doubleValue\":\"-Infinity\"}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"doubleValue\":\"nan\"}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"doubleValue\":\"NaN\"}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"doubleValue\":\"-NaN\"}}]}]}]}]}"), NO_TEXT,
     TEXT("ReadUint64: strconv.ParseFloat: parsing \"-NaN\": invalid syntax, error found in #10 byte o"
     "f ...|ue\":\"-NaN\"}}]}]}]}]}|..., bigger context ...|ributes\":[{\"key\":\"a\",\"value\":{"
     "\"doubleValue\":\"-NaN\"}}]}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"doubleValue\":\"0x1.8p3\"}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"doubleValue\":12}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"doubleValue\":\"1_0.5\"}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"doubleValue\":10.5}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"doubleValue\":\"0x_1p2\"}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"doubleValue\":4}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"doubleValue\":\"_1\"}}]}]}]}]}"), NO_TEXT,
     TEXT("ReadUint64: strconv.ParseFloat: parsing \"_1\": invalid syntax, error found in #10 byte of "
     "...|alue\":\"_1\"}}]}]}]}]}|..., bigger context ...|ttributes\":[{\"key\":\"a\",\"value\":{"
     "\"doubleValue\":\"_1\"}}]}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"doubleValue\":01}}]}]}]}]}"), NO_TEXT,
     TEXT("readFloat64: leading zero is invalid, error found in #10 byte of ...|bleValue\":01}}]}]}]}|"
     "..., bigger context ...|[{\"attributes\":[{\"key\":\"a\",\"value\":{\"doubleValue\":01}}]}]"
     "}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"doubleValue\":.5}}]}]}]}]}"), NO_TEXT,
     TEXT("ReadUint64: unsupported value type, error found in #10 byte of ...|bleValue\":.5}}]}]}]}|.."
     "., bigger context ...|[{\"attributes\":[{\"key\":\"a\",\"value\":{\"doubleValue\":.5}}]}]}]"
     "}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"doubleValue\":-.5}}]}]}]}]}"), NO_TEXT,
     TEXT("readFloat64: leading dot is invalid, error found in #10 byte of ...|leValue\":-.5}}]}]}]}|."
     ".., bigger context ...|{\"attributes\":[{\"key\":\"a\",\"value\":{\"doubleValue\":-.5}}]}]}"
     "]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"doubleValue\":1.}}]}]}]}]}"), NO_TEXT,
     TEXT("readFloat64SlowPath: dot can not be last character, error found in #10 byte of ...|eValue\""
     ":1.}}]}]}]}]}|..., bigger context ...|\"attributes\":[{\"key\":\"a\",\"value\":{\"doubleVal"
     "ue\":1.}}]}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"doubleValue\":1.e5}}]}]}]}]}"), NO_TEXT,
     TEXT("readFloat64SlowPath: missing digit after dot, error found in #10 byte of ...|alue\":1.e5}}]"
     "}]}]}]}|..., bigger context ...|ttributes\":[{\"key\":\"a\",\"value\":{\"doubleValue\":1.e5"
     "}}]}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"doubleValue\":-+5}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"doubleValue\":-5}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"doubleValue\":\"x\"}}]}]}]}]}"), NO_TEXT,
     TEXT("ReadUint64: strconv.ParseFloat: parsing \"x\": invalid syntax, error found in #10 byte of ."
     "..|Value\":\"x\"}}]}]}]}]}|..., bigger context ...|attributes\":[{\"key\":\"a\",\"value\":{"
     "\"doubleValue\":\"x\"}}]}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"doubleValue\":null}}]}]}]}]}"), NO_TEXT,
     TEXT("ReadUint64: unsupported value type, error found in #10 byte of ...|bleValue\":null}}]}]}|.."
     "., bigger context ...|[{\"attributes\":[{\"key\":\"a\",\"value\":{\"doubleValue\":null}}]}]"
     "}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"boolValue\":false}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"boolValue\":false}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"boolValue\":null}}]}]}]}]}"), NO_TEXT,
     TEXT("ReadBool: expect t or f, but found n, error found in #10 byte of ...|olValue\":null}}]}]}]|"
     "..., bigger context ...|:[{\"attributes\":[{\"key\":\"a\",\"value\":{\"boolValue\":null}}]}"
     "]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"boolValue\":1}}]}]}]}]}"), NO_TEXT,
     TEXT("ReadBool: expect t or f, but found 1, error found in #10 byte of ...|olValue\":1}}]}]}]}]}|"
     "..., bigger context ...|:[{\"attributes\":[{\"key\":\"a\",\"value\":{\"boolValue\":1}}]}]}]"
     "}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"boolValue\":fals}}]}]}]}]}"), NO_TEXT,
     TEXT("skipFourBytes: expect alse, error found in #10 byte of ...|lue\":fals}}]}]}]}]}|..., bigger"
     " context ...|attributes\":[{\"key\":\"a\",\"value\":{\"boolValue\":fals}}]}]}]}]}|..."), 0},
    // base64
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"bytesValue\":\"\"}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"bytesValue\":\"\"}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"bytesValue\":\"AAECAwQFBgcICQ==\"}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"bytesValue\":\"AAECAwQFBgcICQ==\"}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"bytesValue\":\"AA=C\"}}]}]}]}]}"), NO_TEXT,
     TEXT("base64.Decode: illegal base64 data at input byte 2, error found in #10 byte of ...|ue\":\"A"
     "A=C\"}}]}]}]}]}|..., bigger context ...|tributes\":[{\"key\":\"a\",\"value\":{\"bytesValue"
     "\":\"AA=C\"}}]}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"bytesValue\":\"AA==x\"}}]}]}]}]}"), NO_TEXT,
     TEXT("base64.Decode: illegal base64 data at input byte 4, error found in #10 byte of ...|e\":\"AA"
     "==x\"}}]}]}]}]}|..., bigger context ...|ributes\":[{\"key\":\"a\",\"value\":{\"bytesValue\""
     ":\"AA==x\"}}]}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"bytesValue\":\"AA=\"}}]}]}]}]}"), NO_TEXT,
     TEXT("base64.Decode: illegal base64 data at input byte 3, error found in #10 byte of ...|lue\":\""
     "AA=\"}}]}]}]}]}|..., bigger context ...|ttributes\":[{\"key\":\"a\",\"value\":{\"bytesValue"
     "\":\"AA=\"}}]}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"bytesValue\":\"A\"}}]}]}]}]}"), NO_TEXT,
     TEXT("base64.Decode: illegal base64 data at input byte 0, error found in #10 byte of ...|Value\":"
     "\"A\"}}]}]}]}]}|..., bigger context ...|\"attributes\":[{\"key\":\"a\",\"value\":{\"bytesVa"
     "lue\":\"A\"}}]}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"bytesValue\":\"A\nA\r==\"}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"bytesValue\":\"AA==\"}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"bytesValue\":\"AA\n=\n=\n\"}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"bytesValue\":\"AA==\"}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"bytesValue\":\"AAAA}}]}]}]}]}"), NO_TEXT,
     TEXT("base64.Decode: illegal base64 data at input byte 4, error found in #10 byte of ...|}}]}]}]}"
     "]}|..., bigger context ...|:[{\"key\":\"a\",\"value\":{\"bytesValue\":\"AAAA}}]}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"bytesValue\":\"AAA=}}]}]}]}]}"), NO_TEXT,
     TEXT("base64.Decode: illegal base64 data at input byte 4, error found in #10 byte of ...|}}]}]}]}"
     "]}|..., bigger context ...|:[{\"key\":\"a\",\"value\":{\"bytesValue\":\"AAA=}}]}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"bytesValue\":\"-_AA\"}}]}]}]}]}"), NO_TEXT,
     TEXT("base64.Decode: illegal base64 data at input byte 0, error found in #10 byte of ...|ue\":\"-"
     "_AA\"}}]}]}]}]}|..., bigger context ...|tributes\":[{\"key\":\"a\",\"value\":{\"bytesValue"
     "\":\"-_AA\"}}]}]}]}]}|..."), 0},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"bytesValue\":null}}]}]}]}]}"), NO_TEXT,
     TEXT("ReadStringAsSlice: expects \" or n, but found n, error found in #10 byte of ...|esValue\":n"
     "ull}}]}]}]|..., bigger context ...|[{\"attributes\":[{\"key\":\"a\",\"value\":{\"bytesValue"
     "\":null}}]}]}]}]}|..."), 0},
    // values given twice, and members of a oneof
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"stringValue\":\"x\"},\"value\":{\"intValue\":1}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"intValue\":\"1\"}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"arrayValue\":{\"values\":[{}]}},\"value\":{}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"arrayValue\":{\"values\":[{}]}}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"arrayValue\":{\"values\":[{}]},\"arrayValue\":{\"values\":[{\"intValue\":3}]}}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":\"3\"}]}}}],\"statu"
     "s\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"arrayValue\":null}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"arrayValue\":{}}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"value\":"
     "{\"kvlistValue\":{\"values\":[{\"key\":\"x\"}]},\"stringValue\":\"y\\n\"}}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{\"stringValue\":\"y\\n\"}}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"key\":\"a\",\"keyStrin"
     "dex\":-3}]}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"attributes"
     "\":[{\"key\":\"a\",\"value\":{},\"keyStrindex\":-3}],\"status\":{}}]}]}]}"), NO_TEXT, 1},
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"status\":{\"code\":1},\"status\":{\"mes"
     "sage\":\"m\"}}]}]}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"status\":{"
     "\"message\":\"m\",\"code\":1}}]}]}]}"), NO_TEXT, 1},
    {SW_METRICS, TEXT("{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"gauge\":{\"dataPoints\":[{},{}]},"
     "\"description\":\"d\",\"sum\":{\"dataPoints\":[{}]}}]}]}]}"),
     TEXT("{\"resourceMetrics\":[{\"resource\":{},\"scopeMetrics\":[{\"scope\":{},\"metrics\":[{\"desc"
     "ription\":\"d\",\"sum\":{\"dataPoints\":[{}]}}]}]}]}"), NO_TEXT, 1},
    {SW_METRICS, TEXT("{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"gauge\":{\"dataPoints\":[{},{}]},"
     "\"description\":\"d\",\"gauge\":{\"dataPoints\":[{}]},\"unit\":\"u\",\"summary\":{}}]}]}]}"),
     TEXT("{\"resourceMetrics\":[{\"resource\":{},\"scopeMetrics\":[{\"scope\":{},\"metrics\":[{\"desc"
     "ription\":\"d\",\"unit\":\"u\",\"summary\":{}}]}]}]}"), NO_TEXT, 0},
    {SW_METRICS, TEXT("{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"gauge\":null}]}]}]}"),
     TEXT("{\"resourceMetrics\":[{\"resource\":{},\"scopeMetrics\":[{\"scope\":{},\"metrics\":[{\"gaug"
     "e\":{}}]}]}]}"), NO_TEXT, 0},
    {SW_METRICS, TEXT("{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"histogram\":{\"dataPoints\":[{\"b"
     "ucketCounts\":[1,2],\"bucketCounts\":[\"3\"],\"explicitBounds\":[],\"explicitBounds\":[1.5]"
     ",\"explicitBounds\":[2.5,3]}]}}]}]}]}"),
     TEXT("{\"resourceMetrics\":[{\"resource\":{},\"scopeMetrics\":[{\"scope\":{},\"metrics\":[{\"hist"
     "ogram\":{\"dataPoints\":[{\"bucketCounts\":[\"1\",\"2\",\"3\"],\"explicitBounds\":[1.5,2.5,"
     "3]}]}}]}]}]}"), NO_TEXT, 1},
    {SW_METRICS, TEXT("{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"exponentialHistogram\":{\"dataPoi"
     "nts\":[{\"positive\":{\"bucketCounts\":[1,2],\"bucketCounts\":[\"300\"]},\"positive\":{\"of"
     "fset\":-1}}]}}]}]}]}"),
     TEXT("{\"resourceMetrics\":[{\"resource\":{},\"scopeMetrics\":[{\"scope\":{},\"metrics\":[{\"expo"
     "nentialHistogram\":{\"dataPoints\":[{\"positive\":{\"offset\":-1,\"bucketCounts\":[\"1\",\""
     "2\",\"300\"]},\"negative\":{}}]}}]}]}]}"), NO_TEXT, 1},
    {SW_METRICS, TEXT("{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"gauge\":{\"dataPoints\":[{\"asDou"
     "ble\":2,\"asInt\":1}]}}]}]}]}"),
     TEXT("{\"resourceMetrics\":[{\"resource\":{},\"scopeMetrics\":[{\"scope\":{},\"metrics\":[{\"gaug"
     "e\":{\"dataPoints\":[{\"asInt\":\"1\"}]}}]}]}]}"), NO_TEXT, 1},
    // every field
    {SW_TRACES, TEXT("{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"k\",\"value\":{\"stringValue"
     "\":\"v\"}}],\"droppedAttributesCount\":1,\"entityRefs\":[{\"schemaUrl\":\"s\",\"type\":\"t"
     "\",\"idKeys\":[\"a\",\"\"],\"descriptionKeys\":[\"b\"]}]},\"scopeSpans\":[{\"scope\":{\"nam"
     "e\":\"n\",\"version\":\"v\",\"attributes\":[{\"key\":\"k\",\"value\":{\"stringValueStrindex"
     "\":4}}],\"droppedAttributesCount\":2},\"spans\":[{\"traceId\":\"0123456789abcdef0123456789A"
     "BCDEF\",\"spanId\":\"0123456789abcdef\",\"traceState\":\"a=b\",\"parentSpanId\":\"fedcba987"
     "6543210\",\"flags\":257,\"name\":\"n\",\"kind\":3,\"startTimeUnixNano\":\"1\",\"endTimeUnix"
     "Nano\":\"2\",\"attributes\":[{\"key\":\"b\",\"value\":{\"boolValue\":true}},{\"key\":\"y\","
     "\"value\":{\"bytesValue\":\"AAE=\"}}],\"droppedAttributesCount\":3,\"events\":[{\"timeUnixN"
     "ano\":\"4\",\"name\":\"e\",\"attributes\":[{\"key\":\"d\",\"value\":{\"doubleValue\":1.5}}]"
     ",\"droppedAttributesCount\":5}],\"droppedEventsCount\":6,\"links\":[{\"traceId\":\"01234567"
     "89abcdef0123456789abcdef\",\"spanId\":\"0123456789abcdef\",\"traceState\":\"c=d\",\"attribu"
     "tes\":[{\"key\":\"i\",\"value\":{\"intValue\":\"-7\"}}],\"droppedAttributesCount\":8,\"flag"
     "s\":9}],\"droppedLinksCount\":10,\"status\":{\"message\":\"m\",\"code\":2}}],\"schemaUrl\":"
     "\"u\"}],\"schemaUrl\":\"w\"}]}"),
     TEXT("{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"k\",\"value\":{\"stringValue"
     "\":\"v\"}}],\"droppedAttributesCount\":1,\"entityRefs\":[{\"schemaUrl\":\"s\",\"type\":\"t"
     "\",\"idKeys\":[\"a\",\"\"],\"descriptionKeys\":[\"b\"]}]},\"scopeSpans\":[{\"scope\":{\"nam"
     "e\":\"n\",\"version\":\"v\",\"attributes\":[{\"key\":\"k\",\"value\":{\"stringValueStrindex"
     "\":4}}],\"droppedAttributesCount\":2},\"spans\":[{\"traceId\":\"0123456789abcdef0123456789a"
     "bcdef\",\"spanId\":\"0123456789abcdef\",\"traceState\":\"a=b\",\"parentSpanId\":\"fedcba987"
     "6543210\",\"flags\":257,\"name\":\"n\",\"kind\":3,\"startTimeUnixNano\":\"1\",\"endTimeUnix"
     "Nano\":\"2\",\"attributes\":[{\"key\":\"b\",\"value\":{\"boolValue\":true}},{\"key\":\"y\","
     "\"value\":{\"bytesValue\":\"AAE=\"}}],\"droppedAttributesCount\":3,\"events\":[{\"timeUnixN"
     "ano\":\"4\",\"name\":\"e\",\"attributes\":[{\"key\":\"d\",\"value\":{\"doubleValue\":1.5}}]"
     ",\"droppedAttributesCount\":5}],\"droppedEventsCount\":6,\"links\":[{\"traceId\":\"01234567"
     "89abcdef0123456789abcdef\",\"spanId\":\"0123456789abcdef\",\"traceState\":\"c=d\",\"attribu"
     "tes\":[{\"key\":\"i\",\"value\":{\"intValue\":\"-7\"}}],\"droppedAttributesCount\":8,\"flag"
     "s\":9}],\"droppedLinksCount\":10,\"status\":{\"message\":\"m\",\"code\":2}}],\"schemaUrl\":"
     "\"u\"}],\"schemaUrl\":\"w\"}]}"), NO_TEXT, 1},
    {SW_METRICS, TEXT("{\"resourceMetrics\":[{\"resource\":{},\"scopeMetrics\":[{\"scope\":{},\"metrics\":[{\"name"
     "\":\"n\",\"description\":\"d\",\"unit\":\"u\",\"gauge\":{\"dataPoints\":[{\"attributes\":[{"
     "\"key\":\"k\"}],\"startTimeUnixNano\":\"1\",\"timeUnixNano\":\"2\",\"asDouble\":0,\"exempla"
     "rs\":[{\"filteredAttributes\":[{\"key\":\"f\"}],\"timeUnixNano\":\"3\",\"asInt\":\"-4\",\"t"
     "raceId\":\"0123456789abcdef0123456789abcdef\",\"spanId\":\"0123456789abcdef\"}],\"flags\":1"
     "},{\"asInt\":\"5\"}]},\"metadata\":[{\"key\":\"m\"}]},{\"sum\":{\"dataPoints\":[{}],\"aggre"
     "gationTemporality\":\"AGGREGATION_TEMPORALITY_DELTA\",\"isMonotonic\":true}},{\"histogram\""
     ":{\"dataPoints\":[{\"attributes\":[{}],\"startTimeUnixNano\":\"1\",\"timeUnixNano\":\"2\","
     "\"count\":\"3\",\"sum\":0,\"bucketCounts\":[\"1\",\"2\"],\"explicitBounds\":[0.5],\"exempla"
     "rs\":[{\"asDouble\":1}],\"flags\":4,\"min\":0,\"max\":-0}],\"aggregationTemporality\":2}},{"
     "\"exponentialHistogram\":{\"dataPoints\":[{\"attributes\":[{}],\"startTimeUnixNano\":\"1\","
     "\"timeUnixNano\":\"2\",\"count\":\"3\",\"sum\":1,\"scale\":-3,\"zeroCount\":\"4\",\"positiv"
     "e\":{\"offset\":-1,\"bucketCounts\":[\"1\",\"300\"]},\"negative\":{\"offset\":5},\"flags\":"
     "6,\"exemplars\":[{}],\"min\":1,\"max\":2,\"zeroThreshold\":0.25}],\"aggregationTemporality"
     "\":1}},{\"summary\":{\"dataPoints\":[{\"attributes\":[{}],\"startTimeUnixNano\":\"1\",\"tim"
     "eUnixNano\":\"2\",\"count\":\"3\",\"sum\":4,\"quantileValues\":[{\"quantile\":0.5,\"value\""
     ":1},{}],\"flags\":5}]}}],\"schemaUrl\":\"u\"}],\"schemaUrl\":\"w\"}]}"),
     TEXT("{\"resourceMetrics\":[{\"resource\":{},\"scopeMetrics\":[{\"scope\":{},\"metrics\":[{\"name"
     "\":\"n\",\"description\":\"d\",\"unit\":\"u\",\"gauge\":{\"dataPoints\":[{\"attributes\":[{"
     "\"key\":\"k\",\"value\":{}}],\"startTimeUnixNano\":\"1\",\"timeUnixNano\":\"2\",\"asDouble"
     "\":0,\"exemplars\":[{\"filteredAttributes\":[{\"key\":\"f\",\"value\":{}}],\"timeUnixNano\""
     ":\"3\",\"asInt\":\"-4\",\"traceId\":\"0123456789abcdef0123456789abcdef\",\"spanId\":\"01234"
     "56789abcdef\"}],\"flags\":1},{\"asInt\":\"5\"}]},\"metadata\":[{\"key\":\"m\",\"value\":{}}"
     "]},{\"sum\":{\"dataPoints\":[{}],\"aggregationTemporality\":1,\"isMonotonic\":true}},{\"his"
     "togram\":{\"dataPoints\":[{\"attributes\":[{\"value\":{}}],\"startTimeUnixNano\":\"1\",\"ti"
     "meUnixNano\":\"2\",\"count\":\"3\",\"sum\":0,\"bucketCounts\":[\"1\",\"2\"],\"explicitBound"
     "s\":[0.5],\"exemplars\":[{\"asDouble\":1}],\"flags\":4,\"min\":0,\"max\":-0}],\"aggregation"
     "Temporality\":2}},{\"exponentialHistogram\":{\"dataPoints\":[{\"attributes\":[{\"value\":{}"
     "}],\"startTimeUnixNano\":\"1\",\"timeUnixNano\":\"2\",\"count\":\"3\",\"sum\":1,\"scale\":-"
     "3,\"zeroCount\":\"4\",\"positive\":{\"offset\":-1,\"bucketCounts\":[\"1\",\"300\"]},\"negat"
     "ive\":{\"offset\":5},\"flags\":6,\"exemplars\":[{}],\"min\":1,\"max\":2,\"zeroThreshold\":0"
     ".25}],\"aggregationTemporality\":1}},{\"summary\":{\"dataPoints\":[{\"attributes\":[{\"valu"
     "e\":{}}],\"startTimeUnixNano\":\"1\",\"timeUnixNano\":\"2\",\"count\":\"3\",\"sum\":4,\"qua"
     "ntileValues\":[{\"quantile\":0.5,\"value\":1},{}],\"flags\":5}]}}],\"schemaUrl\":\"u\"}],\""
     "schemaUrl\":\"w\"}]}"), NO_TEXT, 6},
    {SW_LOGS, TEXT("{\"resourceLogs\":[{\"resource\":{},\"scopeLogs\":[{\"scope\":{\"name\":\"n\"},\"logRecords"
     "\":[{\"timeUnixNano\":\"1\",\"observedTimeUnixNano\":\"2\",\"severityNumber\":\"SEVERITY_NU"
     "MBER_WARN2\",\"severityText\":\"t\",\"body\":{\"kvlistValue\":{\"values\":[{\"key\":\"k\","
     "\"value\":{\"arrayValue\":{\"values\":[{},{\"intValue\":1}]}}}]}},\"attributes\":[{\"key\":"
     "\"a\"}],\"droppedAttributesCount\":3,\"flags\":4,\"traceId\":\"0123456789abcdef0123456789ab"
     "cdef\",\"spanId\":\"0123456789abcdef\",\"eventName\":\"e\"},{\"severityNumber\":\"SEVERITY_"
     "NUMBER_TRACE \"}],\"schemaUrl\":\"u\"}],\"schemaUrl\":\"w\"}]}"),
     TEXT("{\"resourceLogs\":[{\"resource\":{},\"scopeLogs\":[{\"scope\":{\"name\":\"n\"},\"logRecords"
     "\":[{\"timeUnixNano\":\"1\",\"observedTimeUnixNano\":\"2\",\"severityNumber\":14,\"severity"
     "Text\":\"t\",\"body\":{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{\"arrayValue"
     "\":{\"values\":[{},{\"intValue\":\"1\"}]}}}]}},\"attributes\":[{\"key\":\"a\",\"value\":{}}"
     "],\"droppedAttributesCount\":3,\"flags\":4,\"traceId\":\"0123456789abcdef0123456789abcdef\""
     ",\"spanId\":\"0123456789abcdef\",\"eventName\":\"e\"},{\"severityNumber\":1,\"body\":{}}],"
     "\"schemaUrl\":\"u\"}],\"schemaUrl\":\"w\"}]}"), NO_TEXT, 2},
};
// clang-format on

#endif
