/* gRPC calls, whole: what they are answered with and what reaches the pipeline. Texts and codes are those
 * recorded of the Collector (parity group receiver/grpc). */
#include "tests/unit/dataplane/receive/bed.h"

static void small_messages(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    conf->protocols.grpc.max_recv_msg_size_mib = 1;
}

// Calls f on a connected client of every kind of stream that loses nothing.
static void each_kind(void (*f)(struct bed *bed, struct bed_client *client))
{
    for (enum bed_kind kind = BED_TCP; kind <= BED_TROUBLED; kind++) {
        struct bed bed;
        bed_init_conf(&bed, kind, 11 + kind, small_messages);
        f(&bed, bed_connect_grpc(&bed));
        bed_fini(&bed);
    }
}

static struct sw_buf *bytes(const char *data, size_t size)
{
    return sw_buf_copy(NULL, data, (uint32_t)size);
}

static void export_arrives(struct bed *bed, struct bed_client *client)
{
    struct bed_rpc rpc;
    struct sw_buf *body = bed_request(0, 50);
    bed_export(client, &rpc, sw_buf_ref(body));
    bed_assert_ok(&rpc);
    assert_string_equal(rpc.content_type, "application/grpc");
    assert_string_equal(rpc.encoding, "");
    bed_assert_kept(bed, body);
    assert_int_equal(bed->keeper.sizes[0], 50);
    assert_int_equal(bed_count(bed, "otelcol_receiver_accepted_spans", "transport", "grpc"), 50);
    assert_int_equal(bed_count(bed, "otelcol_receiver_refused_spans", "transport", "grpc"), 0);
    assert_int_equal(bed_count(bed, "otelcol_receiver_failed_spans", "transport", "grpc"), 0);
    assert_int_equal(bed_count(bed, "otelcol_receiver_accepted_spans", "transport", "http"), -1);
    assert_int_equal(
        bed_count(bed, "rpc.server.call.duration", "rpc.response.status_code", "OK"), 1
    );
    assert_int_equal(
        bed_count(bed, "rpc.server.call.duration", "rpc.response.status_code", "UNKNOWN"), -1
    );
    sw_buf_unref(body);
}

static void test_export_arrives_and_is_answered(void **state)
{
    each_kind(export_arrives);
}

static void large_message(struct bed *bed, struct bed_client *client)
{
    struct bed_rpc rpc;
    struct sw_buf *body = bed_request(0, 28000); // just below a mebibyte
    assert_true(body->size > 1000000);
    bed_export(client, &rpc, sw_buf_ref(body));
    bed_assert_ok(&rpc);
    bed_assert_kept(bed, body);
    sw_buf_unref(body);
}

static void test_message_larger_than_the_windows_arrives(void **state)
{
    each_kind(large_message);
}

static void many_calls(struct bed *bed, struct bed_client *client)
{
    struct bed_rpc rpcs[100];
    for (unsigned i = 0; i < SW_ARRAY_SIZE(rpcs); i++) {
        struct sw_buf *body = bed_request(i, 3);
        bed_call(client, &rpcs[i], bed_frame(0, body), NULL, 0);
        sw_buf_unref(body);
    }
    for (unsigned i = 0; i < SW_ARRAY_SIZE(rpcs); i++) {
        bed_until(bed, rpcs[i].closed);
        bed_assert_ok(&rpcs[i]);
    }
    assert_int_equal(bed->keeper.items_count, 300);
}

static void test_calls_share_a_connection(void **state)
{
    each_kind(many_calls);
}

static void test_gzip_is_opened_and_answered_in_gzip(void **state)
{
    static const struct bed_header gzip = {"grpc-encoding", "gzip"};
    struct bed bed;
    bed_init(&bed, BED_MEMORY);
    struct bed_client *client = bed_connect_grpc(&bed);
    struct sw_buf *body = bed_request(0, 9);
    struct sw_buf *packed = bed_pack(SW_CODING_GZIP, body);
    struct bed_rpc rpc;
    bed_call(client, &rpc, bed_frame(1, packed), &gzip, 1);
    bed_until(&bed, rpc.closed);
    assert_string_equal(rpc.status, "0");
    assert_string_equal(rpc.encoding, "gzip");
    assert_int_equal(rpc.data[0], 1);
    assert_int_equal(rpc.data_len, 27);
    bed_assert_kept(&bed, body);
    // A plain message under the same header is legal.
    bed_call(client, &rpc, bed_frame(0, body), &gzip, 1);
    bed_until(&bed, rpc.closed);
    assert_string_equal(rpc.status, "0");
    assert_int_equal(bed.keeper.kept_count, 2);
    sw_buf_unref(body);
    sw_buf_unref(packed);
    bed_fini(&bed);
}

static void each_coding(const char *name, enum sw_coding coding, uint32_t reply_bytes)
{
    struct bed_header header = {"grpc-encoding", name};
    struct bed bed;
    struct bed_rpc rpc;
    bed_init(&bed, BED_MEMORY);
    struct bed_client *client = bed_connect_grpc(&bed);
    struct sw_buf *body = bed_request(0, 9);
    struct sw_buf *packed = bed_pack(coding, body);
    bed_call(client, &rpc, bed_frame(1, packed), &header, 1);
    bed_until(&bed, rpc.closed);
    assert_string_equal(rpc.status, "0");
    assert_string_equal(rpc.encoding, name);
    bed_assert_kept(&bed, body);
    assert_int_equal(rpc.data_len, 5 + reply_bytes);
    assert_int_equal(rpc.data[0], 1);
    struct sw_codec *codec;
    struct sw_buf *plain = NULL;
    const char *why = "";
    assert_int_equal(sw_codec_new(&codec), 0);
    int err = sw_codec_open(
        codec, coding, (const uint8_t *)rpc.data + 5, reply_bytes, 64, NULL, &plain, &why, NULL
    );
    assert_string_equal(why, "");
    assert_int_equal(err, 0);
    assert_int_equal(plain->size, 2);
    assert_memory_equal(plain->data, "\x0a\0", 2);
    sw_buf_unref(plain);
    sw_codec_free(codec);
    sw_buf_unref(body);
    sw_buf_unref(packed);
    bed_fini(&bed);
}

static void test_each_coding_is_opened_and_answered_in_kind(void **state)
{
    each_coding("gzip", SW_CODING_GZIP, 22);
    each_coding("zstd", SW_CODING_ZSTD, 11);
    each_coding("snappy", SW_CODING_SNAPPY_FRAMED, 20);
}

static void test_bad_zstd_and_snappy_blocks_are_refused(void **state)
{
    static const struct bed_header zstd = {"grpc-encoding", "zstd"};
    static const struct bed_header snappy = {"grpc-encoding", "snappy"};
    struct bed bed;
    struct bed_rpc rpc;
    bed_init(&bed, BED_MEMORY);
    struct bed_client *client = bed_connect_grpc(&bed);
    struct sw_buf *body = bed_request(0, 9);
    struct sw_buf *block = bed_pack(SW_CODING_SNAPPY, body);
    bed_call(client, &rpc, bed_frame(1, body), &zstd, 1);
    bed_until(&bed, rpc.closed);
    bed_assert_failed(
        &rpc, "13", "grpc: failed to read decompressed data: invalid input: magic number mismatch"
    );
    bed_call(client, &rpc, bed_frame(1, block), &snappy, 1);
    bed_until(&bed, rpc.closed);
    bed_assert_failed(&rpc, "13", "grpc: failed to read decompressed data: snappy: corrupt input");
    assert_int_equal(bed.keeper.kept_count, 0);
    sw_buf_unref(body);
    sw_buf_unref(block);
    bed_fini(&bed);
}

static void test_request_without_spans_is_fine_and_leaves_no_trace(void **state)
{
    struct bed bed;
    struct bed_rpc rpc;
    bed_init(&bed, BED_MEMORY);
    struct bed_client *client = bed_connect_grpc(&bed);
    bed_export(client, &rpc, bytes("", 0));
    bed_assert_ok(&rpc);
    bed_export(client, &rpc, bytes("\x0a\x00", 2));
    bed_assert_ok(&rpc);
    assert_int_equal(bed.keeper.kept_count, 0);
    assert_int_equal(bed_count(&bed, "otelcol_receiver_accepted_spans", NULL, NULL), -1);
    bed_fini(&bed);
}

/* ---- refused by their headers ---- */

struct head_case {
    struct bed_header header;
    const char *http_status;
    const char *status;
    const char *message;
    const char *content_type;
};

static const struct head_case head_cases[] = {
    {{":path", "/foo.Bar/Export"}, "200", "12", "unknown service foo.Bar", "application/grpc"},
    {{":path", "/opentelemetry.proto.collector.trace.v1.TraceService/Import"},
     "200",
     "12",
     "unknown method Import for service opentelemetry.proto.collector.trace.v1.TraceService",
     "application/grpc"},
    {{":path", "/opentelemetry.proto.collector.logs.v1.LogsService/Export"},
     "200",
     "12",
     "unknown service opentelemetry.proto.collector.logs.v1.LogsService",
     "application/grpc"},
    {{":path", "/nothing"}, "200", "12", "malformed method name: \"/nothing\"", "application/grpc"},
    {{"content-type", "application/json"},
     "415",
     "3",
     "invalid gRPC request content-type \"application/json\"",
     "application/grpc"},
    {{"content-type", NULL},
     "415",
     "3",
     "invalid gRPC request content-type \"\"",
     "application/grpc"},
    {{":method", "GET"},
     "405",
     "13",
     "Received a HEADERS frame with :method \"GET\" which should be POST",
     "application/grpc"},
    {{"grpc-encoding", "lz4"},
     "200",
     "12",
     "grpc: Decompressor is not installed for grpc-encoding \"lz4\"",
     "application/grpc"},
    {{"grpc-timeout", "5x"},
     "400",
     "13",
     "malformed grpc-timeout: transport: timeout unit is not recognized: \"5x\"",
     "application/grpc"},
    {{"grpc-timeout", "0S"}, "200", "4", "context deadline exceeded", "application/grpc"},
    {{"x-bin", "AA*C"},
     "400",
     "13",
     "malformed binary metadata \"AA*C\" in header \"x-bin\": illegal base64 data at input byte 2",
     "application/grpc"},
};

static void refused_by_head(struct bed *bed, struct bed_client *client)
{
    struct sw_buf *body = bed_request(0, 5);
    for (size_t i = 0; i < SW_ARRAY_SIZE(head_cases); i++) {
        const struct head_case *c = &head_cases[i];
        struct bed_rpc rpc;
        bed_call(client, &rpc, bed_frame(0, body), &c->header, 1);
        bed_until(bed, rpc.closed);
        bed_assert_failed(&rpc, c->status, c->message);
        assert_string_equal(rpc.http_status, c->http_status);
        assert_string_equal(rpc.content_type, c->content_type);
    }
    assert_int_equal(bed->keeper.kept_count, 0);
    assert_int_equal(bed_count(bed, "spanweir_receiver_rejected_requests", "reason", "unknown"), 4);
    struct bed_rpc rpc;
    bed_export(client, &rpc, body);
    bed_assert_ok(&rpc); // the connection goes on
}

static void test_bad_head_is_refused_in_the_words_of_grpc_go(void **state)
{
    each_kind(refused_by_head);
}

static void test_first_fault_in_grpc_go_order_is_told(void **state)
{
    static const struct bed_header faults[] = {
        {"grpc-encoding", "lz4"},
        {"grpc-timeout", "5x"},
        {":path", "/nothing"},
    };
    struct bed bed;
    struct bed_rpc rpc;
    bed_init(&bed, BED_MEMORY);
    struct bed_client *client = bed_connect_grpc(&bed);
    bed_call(client, &rpc, NULL, faults, SW_ARRAY_SIZE(faults));
    bed_until(&bed, rpc.closed);
    assert_string_equal(rpc.http_status, "400");
    assert_string_equal(rpc.status, "13");
    bed_fini(&bed);
}

static void test_subtype_is_echoed(void **state)
{
    static const struct bed_header json = {"content-type", "application/grpc+json"};
    struct bed bed;
    struct bed_rpc rpc;
    bed_init(&bed, BED_MEMORY);
    struct bed_client *client = bed_connect_grpc(&bed);
    struct sw_buf *body = bed_request(0, 1);
    bed_call(client, &rpc, bed_frame(0, body), &json, 1);
    bed_until(&bed, rpc.closed);
    bed_assert_ok(&rpc); // protobuf all the same
    assert_string_equal(rpc.content_type, "application/grpc+json");
    sw_buf_unref(body);
    bed_fini(&bed);
}

/* ---- refused by their message ---- */

static void frame_is_refused(
    struct bed_client *client,
    struct sw_buf *frame,
    const char *status,
    const char *text
)
{
    struct bed_rpc rpc;
    bed_call(client, &rpc, frame, NULL, 0);
    bed_until(client->bed, rpc.closed);
    bed_assert_failed(&rpc, status, text);
    assert_string_equal(rpc.http_status, "200");
}

static void refused_by_message(struct bed *bed, struct bed_client *client)
{
    struct sw_buf *body = bed_request(0, 5);
    struct sw_buf *large = bed_request(0, 40000);
    char text[128];
    frame_is_refused(
        client,
        bed_frame(1, body),
        "13",
        "grpc: compressed flag set with identity or empty encoding"
    );
    frame_is_refused(
        client, bed_frame(2, body), "13", "grpc: received unexpected payload format 2"
    );
    snprintf(
        text, sizeof(text), "grpc: received message larger than max (%u vs. 1048576)", large->size
    );
    frame_is_refused(client, bed_frame(0, large), "8", text);
    frame_is_refused(client, bytes("\0\0\0\0\x0a\x0a", 6), "2", "unexpected EOF");
    frame_is_refused(client, bytes("\0\0", 2), "2", "unexpected EOF");
    frame_is_refused(client, NULL, "2", "EOF"); // grpc-go lets it wait for ever
    frame_is_refused(
        client,
        bytes("\0\0\0\0\3\xff\xff\xff", 8),
        "13",
        "grpc: error unmarshalling request: unexpected EOF"
    );
    frame_is_refused(
        client,
        bytes("\0\0\0\0\2\x08\x01", 7),
        "13",
        "grpc: error unmarshalling request: proto: wrong wireType = 0 for field ResourceSpans"
    );
    assert_int_equal(bed->keeper.kept_count, 0);
    assert_int_equal(bed_count(bed, "otelcol_receiver_refused_spans", NULL, NULL), -1);
    struct bed_rpc rpc;
    bed_export(client, &rpc, body);
    bed_assert_ok(&rpc);
    sw_buf_unref(large);
}

static void test_bad_message_is_refused_in_the_words_of_grpc_go(void **state)
{
    each_kind(refused_by_message);
}

static void test_bad_gzip_is_refused(void **state)
{
    static const struct bed_header gzip = {"grpc-encoding", "gzip"};
    struct bed bed;
    struct bed_rpc rpc;
    bed_init_conf(&bed, BED_MEMORY, 1, small_messages);
    struct bed_client *client = bed_connect_grpc(&bed);
    struct sw_buf *body = bed_request(0, 5);
    bed_call(client, &rpc, bed_frame(1, body), &gzip, 1);
    bed_until(&bed, rpc.closed);
    bed_assert_failed(&rpc, "13", "grpc: failed to decompress the message: gzip: invalid header");
    assert_string_equal(rpc.encoding, "");
    struct sw_buf *large = bed_request(0, 60000);
    struct sw_buf *packed = bed_pack(SW_CODING_GZIP, large);
    assert_true(packed->size < 1000000);
    bed_call(client, &rpc, bed_frame(1, packed), &gzip, 1);
    bed_until(&bed, rpc.closed);
    bed_assert_failed(
        &rpc, "8", "grpc: received message after decompression larger than max 1048576"
    );
    sw_buf_unref(body);
    sw_buf_unref(large);
    sw_buf_unref(packed);
    bed_fini(&bed);
}

static void test_second_message_is_ignored(void **state)
{
    struct bed bed;
    struct bed_rpc rpc;
    bed_init(&bed, BED_MEMORY);
    struct bed_client *client = bed_connect_grpc(&bed);
    bed_call(client, &rpc, bytes("\0\0\0\0\0\0\0\0\0\0", 10), NULL, 0);
    bed_until(&bed, rpc.closed);
    assert_string_equal(rpc.status, "0");
    bed_fini(&bed);
}

/* ---- what the pipeline says ---- */

static void test_refusal_of_the_pipeline_is_told_and_counted(void **state)
{
    struct bed bed;
    struct bed_rpc rpc;
    bed_init(&bed, BED_MEMORY);
    struct bed_client *client = bed_connect_grpc(&bed);
    bed.keeper.refuse = SW_E_QUEUE_FULL;
    bed_export(client, &rpc, bed_request(0, 4));
    bed_assert_failed(&rpc, "14", "sending queue is full");
    bed.keeper.refuse = SW_E_MEMORY_LIMIT;
    bed_export(client, &rpc, bed_request(0, 2));
    bed_assert_failed(&rpc, "14", "data refused due to high memory usage");
    bed.keeper.refuse = 0;
    bed.keeper.outcome_err = SW_E_PERMANENT;
    bed_export(client, &rpc, bed_request(0, 1));
    bed_assert_failed(&rpc, "13", "permanent error");
    assert_int_equal(bed_count(&bed, "otelcol_receiver_refused_spans", NULL, NULL), 7);
    assert_int_equal(bed_count(&bed, "otelcol_receiver_accepted_spans", NULL, NULL), 0);
    bed_fini(&bed);
}

static void test_status_of_a_backend_is_passed_up_with_its_details(void **state)
{
    // Status{code 14, "slow down", RetryInfo 5 s}
    static const char details[] =
        "\x08\x0e\x12\x09slow down\x1a\x30\x0a\x28"
        "type.googleapis.com/google.rpc.RetryInfo\x12\x04\x0a\x02\x08\x05";
    struct bed bed;
    struct bed_rpc rpc;
    bed_init(&bed, BED_MEMORY);
    struct bed_client *client = bed_connect_grpc(&bed);
    bed.keeper.hold = true;
    struct sw_buf *body = bed_request(0, 1);
    bed_call(client, &rpc, bed_frame(0, body), NULL, 0);
    bed_until(&bed, bed.keeper.held_count == 1);
    struct sw_outcome outcome = {
        .err = SW_E_REFUSED,
        .grpc_code = 14,
        .text = bytes("slow down\n", 10),
        .details = bytes(details, sizeof(details) - 1),
    };
    bed.keeper.held_count = 0;
    sw_ticket_settle(bed.keeper.held[0], &outcome);
    bed_until(&bed, rpc.closed);
    bed_assert_failed(&rpc, "14", "slow down%0A");
    assert_string_equal(
        rpc.details,
        "CA4SCnNsb3cgZG93bgoaMAoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIECgIIBQ"
    );
    sw_buf_unref(body);
    bed_fini(&bed);
}

static void test_deadline_ends_the_waiting_and_the_ticket_may_come_later(void **state)
{
    static const struct bed_header timeout = {"grpc-timeout", "500m"};
    struct bed bed;
    struct bed_rpc rpc;
    bed_init(&bed, BED_MEMORY);
    struct bed_client *client = bed_connect_grpc(&bed);
    bed.keeper.hold = true;
    struct sw_buf *body = bed_request(0, 6);
    bed_call(client, &rpc, bed_frame(0, body), &timeout, 1);
    bed_until(&bed, bed.keeper.held_count == 1);
    bed_wait(&bed, 400 * SW_NS_PER_MS);
    assert_false(rpc.closed);
    bed_wait(&bed, 200 * SW_NS_PER_MS);
    assert_true(rpc.closed);
    bed_assert_failed(&rpc, "4", "context deadline exceeded");
    bench_keeper_release(&bed.keeper, SW_OK);
    assert_int_equal(bed_count(&bed, "otelcol_receiver_accepted_spans", NULL, NULL), 6);
    sw_buf_unref(body);
    bed_fini(&bed);
}

static void test_field_1000_becomes_scopes(void **state)
{
    // ResourceSpans{field 1000: ScopeSpans{span{name "a"}}}
    static const char old[] = "\x0a\x08\xc2\x3e\x05\x12\x03\x2a\x01"
                              "a";
    static const char now[] = "\x0a\x07\x12\x05\x12\x03\x2a\x01"
                              "a";
    struct bed bed;
    struct bed_rpc rpc;
    bed_init(&bed, BED_MEMORY);
    struct bed_client *client = bed_connect_grpc(&bed);
    bed_export(client, &rpc, bytes(old, sizeof(old) - 1));
    bed_assert_ok(&rpc);
    struct sw_buf *wanted = bytes(now, sizeof(now) - 1);
    bed_assert_kept(&bed, wanted);
    assert_int_equal(bed.keeper.sizes[0], 1);
    sw_buf_unref(wanted);
    bed_fini(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_export_arrives_and_is_answered),
        cmocka_unit_test(test_message_larger_than_the_windows_arrives),
        cmocka_unit_test(test_calls_share_a_connection),
        cmocka_unit_test(test_gzip_is_opened_and_answered_in_gzip),
        cmocka_unit_test(test_each_coding_is_opened_and_answered_in_kind),
        cmocka_unit_test(test_bad_zstd_and_snappy_blocks_are_refused),
        cmocka_unit_test(test_request_without_spans_is_fine_and_leaves_no_trace),
        cmocka_unit_test(test_bad_head_is_refused_in_the_words_of_grpc_go),
        cmocka_unit_test(test_first_fault_in_grpc_go_order_is_told),
        cmocka_unit_test(test_subtype_is_echoed),
        cmocka_unit_test(test_bad_message_is_refused_in_the_words_of_grpc_go),
        cmocka_unit_test(test_bad_gzip_is_refused),
        cmocka_unit_test(test_second_message_is_ignored),
        cmocka_unit_test(test_refusal_of_the_pipeline_is_told_and_counted),
        cmocka_unit_test(test_status_of_a_backend_is_passed_up_with_its_details),
        cmocka_unit_test(test_deadline_ends_the_waiting_and_the_ticket_may_come_later),
        cmocka_unit_test(test_field_1000_becomes_scopes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
