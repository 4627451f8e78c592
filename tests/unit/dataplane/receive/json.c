/* OTLP/JSON over HTTP: what arrives, how it is answered and refused, and that a large document holds
 * nobody up. What the reader itself takes is tested with it (otlp/json). */
#include "tests/unit/dataplane/receive/bed.h"

#include <stdlib.h>

#define JSON_SUCCESS "{\"partialSuccess\":{}}"
#define JSON_HEAD(status, length)                                                                  \
    "HTTP/1.1 " status "\r\nContent-Type: application/json\r\nContent-Length: " length "\r\n\r\n"
#define JSON_200 JSON_HEAD("200 OK", "21")

#define SPAN                                                                                       \
    "{\"traceId\":\"0102030405060708090a0b0c0d0e0f10\",\"spanId\":\"0102030405060708\","           \
    "\"name\":\"op\",\"kind\":2,\"startTimeUnixNano\":\"1\",\"endTimeUnixNano\":2}"
#define DOCUMENT "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[" SPAN "]}]}]}"

// The same in protobuf.
static const uint8_t one_span[] = {
    0x0a, 0x38, 0x12, 0x36, 0x12, 0x34, 0x0a, 0x10, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07,
    0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x12, 0x08, 0x01, 0x02, 0x03, 0x04,
    0x05, 0x06, 0x07, 0x08, 0x2a, 0x02, 0x6f, 0x70, 0x30, 0x02, 0x39, 0x01, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x41, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
};

static void
post(struct bed_client *client, const char *type, const char *extra, const void *data, size_t size)
{
    char head[512];
    snprintf(
        head,
        sizeof(head),
        "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s\r\n",
        type,
        size,
        extra
    );
    bed_send_text(client, head);
    bed_send(client, data, size);
}

static void post_text(struct bed_client *client, const char *text)
{
    post(client, "application/json", "", text, strlen(text));
}

static void assert_kept_one_span(struct bed *bed)
{
    struct sw_buf *body = sw_buf_copy(NULL, one_span, sizeof(one_span));
    bed_assert_kept(bed, body);
    sw_buf_unref(body);
}

static void
answer_is(struct bed *bed, struct bed_client *client, const char *head, const char *text)
{
    bed_until(bed, bed_responses_count(client) == 1);
    bed_assert_response(client, head, text, strlen(text));
}

static void arrives(enum bed_kind kind)
{
    struct bed bed;
    bed_init(&bed, kind);
    struct bed_client *client = bed_connect_http(&bed);
    static const char *const types[] = {
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(types); i++) {
        post(client, types[i], "", DOCUMENT, sizeof(DOCUMENT) - 1);
        answer_is(&bed, client, JSON_200, JSON_SUCCESS);
        assert_kept_one_span(&bed);
    }
    assert_int_equal(bed_count(&bed, "otelcol_receiver_accepted_spans", "transport", "http"), 3);
    bed_fini(&bed);
}

static void test_document_arrives_as_protobuf_and_is_answered_in_json(void **state)
{
    for (enum bed_kind kind = BED_TCP; kind <= BED_TROUBLED; kind++) {
        arrives(kind);
    }
}

static void test_packed_document_is_opened_first(void **state)
{
    struct bed bed;
    bed_init(&bed, BED_MEMORY);
    struct bed_client *client = bed_connect_http(&bed);
    struct sw_buf *text = sw_buf_copy(NULL, DOCUMENT, sizeof(DOCUMENT) - 1);
    static const enum sw_coding some[] = {SW_CODING_GZIP, SW_CODING_ZSTD, SW_CODING_LZ4};
    for (size_t i = 0; i < SW_ARRAY_SIZE(some); i++) {
        char header[64];
        struct sw_buf *packed = bed_pack(some[i], text);
        snprintf(header, sizeof(header), "Content-Encoding: %s\r\n", sw_coding_name(some[i]));
        post(client, "application/json", header, packed->data, packed->size);
        answer_is(&bed, client, JSON_200, JSON_SUCCESS);
        assert_kept_one_span(&bed);
        sw_buf_unref(packed);
    }
    assert_int_equal(bed.keeper.kept_count, SW_ARRAY_SIZE(some));
    sw_buf_unref(text);
    bed_fini(&bed);
}

static void test_document_without_spans_is_fine_and_leaves_no_trace(void **state)
{
    struct bed bed;
    bed_init(&bed, BED_MEMORY);
    struct bed_client *client = bed_connect_http(&bed);
    static const char *const empty[] = {
        "{}",
        "null",
        "{\"resourceSpans\":null}",
        "{\"resourceSpans\":[{\"scopeSpans\":[]}]}",
        "{\"unknown\":[{\"deep\":[1,2,{}]}]} and what follows",
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(empty); i++) {
        post_text(client, empty[i]);
        answer_is(&bed, client, JSON_200, JSON_SUCCESS);
    }
    assert_int_equal(bed.keeper.kept_count, 0);
    assert_int_equal(bed_count(&bed, "otelcol_receiver_accepted_spans", NULL, NULL), -1);
    bed_fini(&bed);
}

/* ---- refusals ---- */

// 400, code 3, and a connection that goes on. The words are the reader's.
static void assert_bad(struct bed *bed, struct bed_client *client)
{
    static const char head[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n";
    static const char body[] = "\r\n\r\n{\"code\":3,\"message\":\"";
    bed_until(bed, bed_responses_count(client) == 1);
    assert_memory_equal(client->text, head, sizeof(head) - 1);
    assert_non_null(strstr(client->text, body));
    assert_null(strstr(client->text, "Connection: close"));
    client->text_len = 0;
}

static void test_bad_document_is_refused_and_the_connection_goes_on(void **state)
{
    struct bed bed;
    bed_init(&bed, BED_MEMORY);
    struct bed_client *client = bed_connect_http(&bed);
    static const char *const bad[] = {
        "",
        "[]",
        "{",
        "{\"resourceSpans\":{}}",
        "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"0102\"}]}]}]}",
        "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":1}]}]}]}",
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(bad); i++) {
        post_text(client, bad[i]);
        assert_bad(&bed, client);
    }
    assert_int_equal(
        bed_count(&bed, "spanweir_receiver_rejected_requests", "reason", "malformed"),
        SW_ARRAY_SIZE(bad)
    );
    post_text(client, DOCUMENT);
    answer_is(&bed, client, JSON_200, JSON_SUCCESS);
    assert_int_equal(bed.keeper.kept_count, 1);
    bed_fini(&bed);
}

// Go cannot put such a text into a google.rpc.Status.
static void test_fault_that_quotes_no_utf8_gets_the_fixed_answer(void **state)
{
    struct bed bed;
    bed_init(&bed, BED_MEMORY);
    struct bed_client *client = bed_connect_http(&bed);
    post_text(client, "{\"resourceSpans\":\"\xff\xfe\"}");
    answer_is(
        &bed,
        client,
        JSON_HEAD("500 Internal Server Error", "58"),
        "{\"code\": 13, \"message\": \"failed to marshal error message\"}"
    );
    bed_fini(&bed);
}

static void test_refusal_of_the_pipeline_is_told_in_json(void **state)
{
    struct bed bed;
    bed_init(&bed, BED_MEMORY);
    struct bed_client *client = bed_connect_http(&bed);
    bed.keeper.outcome_err = SW_E_QUEUE_FULL;
    post_text(client, DOCUMENT);
    answer_is(
        &bed,
        client,
        JSON_HEAD("503 Service Unavailable", "45"),
        "{\"code\":14,\"message\":\"sending queue is full\"}"
    );
    assert_int_equal(bed_count(&bed, "otelcol_receiver_refused_spans", "transport", "http"), 1);
    bed_fini(&bed);
}

static void small_bodies(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    conf->protocols.http.server.max_request_body_size = 4096;
}

static char *long_document(unsigned spans)
{
    static const char begin[] = "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[";
    char *text = malloc(sizeof(begin) + spans * (sizeof(SPAN) + 1) + 8);
    char *at = text + sprintf(text, "%s", begin);
    for (unsigned i = 0; i < spans; i++) {
        at += sprintf(at, "%s%s", i > 0 ? "," : "", SPAN);
    }
    sprintf(at, "]}]}]}");
    return text;
}

static void test_limit_counts_for_the_document_packed_and_not(void **state)
{
    struct bed bed;
    bed_init_conf(&bed, BED_MEMORY, 1, small_bodies);
    struct bed_client *client = bed_connect_http(&bed);
    char *text = long_document(60);
    struct sw_buf *plain = sw_buf_copy(NULL, text, (uint32_t)strlen(text));
    struct sw_buf *packed = bed_pack(SW_CODING_GZIP, plain);
    assert_true(plain->size > 4096 && packed->size < 4096);
    static const char body[] = "{\"code\":3,\"message\":\"http: request body too large\"}";
    post(client, "application/json", "", plain->data, plain->size);
    answer_is(&bed, client, JSON_HEAD("400 Bad Request", "51"), body);
    post(client, "application/json", "Content-Encoding: gzip\r\n", packed->data, packed->size);
    answer_is(&bed, client, JSON_HEAD("400 Bad Request", "51"), body);
    assert_int_equal(bed.keeper.kept_count, 0);
    sw_buf_unref(plain);
    sw_buf_unref(packed);
    free(text);
    bed_fini(&bed);
}

/* ---- large documents ---- */

static void test_large_document_is_read_in_slices_while_others_go_on(void **state)
{
    struct bed bed;
    bed_init(&bed, BED_MEMORY);
    struct bed_client *slow = bed_connect_http(&bed);
    struct bed_client *quick = bed_connect_http(&bed);
    char *text = long_document(20000);
    size_t size = strlen(text);
    post(slow, "application/json", "", text, size);
    bed_until(&bed, bed.cores[1].tasks_first != NULL); // the body is whole
    unsigned slices = 0;
    unsigned others = 0;
    while (bed_responses_count(slow) == 0) {
        if (others == slices / 4) {
            post_text(quick, DOCUMENT);
            others++;
        }
        bed_step(&bed);
        slices++;
        assert_true(slices < 100000);
    }
    // A slice takes a fraction of a millisecond: 128 KiB of text.
    assert_true(slices >= size / (128u << 10));
    answer_is(&bed, slow, JSON_200, JSON_SUCCESS);
    assert_true(bed_responses_count(quick) > 2);
    bed_until(&bed, bed_responses_count(quick) == others);
    assert_int_equal(bed.keeper.items_count, 20000 + others);
    free(text);
    bed_fini(&bed);
}

static void test_connection_that_ends_while_its_document_is_read_leaves_nothing(void **state)
{
    for (unsigned by_us = 0; by_us < 2; by_us++) {
        struct bed bed;
        bed_init(&bed, BED_MEMORY);
        struct bed_client *client = bed_connect_http(&bed);
        char *text = long_document(20000);
        post(client, "application/json", "", text, strlen(text));
        free(text);
        bed_until(&bed, bed.cores[1].tasks_first != NULL);
        bed_step(&bed);
        if (by_us) {
            assert_int_equal(sw_otlp_receiver_drain(bed.receiver, 0), SW_OK);
            assert_int_equal(bed.keeper.kept_count, 0);
        } else {
            bed_hang_up(client); // may still have been served
        }
        bed_until(&bed, bed.cores[1].accepted_ended_count == 1);
        assert_true(bed.keeper.kept_count <= 1);
        bed_fini(&bed);
    }
}

static void test_fault_deep_in_a_large_document_refuses_all_of_it(void **state)
{
    struct bed bed;
    bed_init(&bed, BED_MEMORY);
    struct bed_client *client = bed_connect_http(&bed);
    char *text = long_document(20000);
    memcpy(strrchr(text, '{') + 12, "zz", 2); // the ID of the last span
    post(client, "application/json", "", text, strlen(text));
    assert_bad(&bed, client);
    assert_int_equal(bed.keeper.kept_count, 0);
    free(text);
    bed_fini(&bed);
}

static void test_any_allocation_of_a_document_may_fail(void **state)
{
    for (uint64_t nth = 1; nth < 200; nth++) {
        struct bed bed;
        bed_init(&bed, BED_MEMORY);
        struct bed_client *client = bed_connect_http(&bed);
        bed_until(&bed, bed.accepted_count == 1);
        post_text(client, DOCUMENT);
        sw_mem_fail_at(nth, 0);
        for (unsigned i = 0; i < 200; i++) {
            bed_step(&bed);
        }
        bool failed = sw_mem_fail_at(0, 0) >= nth;
        bed_fini(&bed);
        if (!failed) {
            return;
        }
    }
    fail_msg("there is no end of allocations");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_document_arrives_as_protobuf_and_is_answered_in_json),
        cmocka_unit_test(test_packed_document_is_opened_first),
        cmocka_unit_test(test_document_without_spans_is_fine_and_leaves_no_trace),
        cmocka_unit_test(test_bad_document_is_refused_and_the_connection_goes_on),
        cmocka_unit_test(test_fault_that_quotes_no_utf8_gets_the_fixed_answer),
        cmocka_unit_test(test_refusal_of_the_pipeline_is_told_in_json),
        cmocka_unit_test(test_limit_counts_for_the_document_packed_and_not),
        cmocka_unit_test(test_large_document_is_read_in_slices_while_others_go_on),
        cmocka_unit_test(test_connection_that_ends_while_its_document_is_read_leaves_nothing),
        cmocka_unit_test(test_fault_deep_in_a_large_document_refuses_all_of_it),
        cmocka_unit_test(test_any_allocation_of_a_document_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
