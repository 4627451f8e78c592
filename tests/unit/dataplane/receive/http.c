/* HTTP/1.1 requests, whole. Status lines, headers and bodies are Go's and the Collector's, as recorded
 * (parity groups receiver/transport, payload, paths). */
#include "tests/unit/dataplane/receive/bed.h"

#include <stdlib.h>

#define PB_200                                                                                     \
    "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 2\r\n\r\n"
#define SUCCESS "\x0a\x00"
#define NOT_FOUND                                                                                  \
    "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n"                        \
    "X-Content-Type-Options: nosniff\r\nContent-Length: 19\r\n\r\n"

static void small_bodies(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    conf->protocols.http.server.max_request_body_size = 4096;
}

static void each_kind(void (*f)(struct bed *bed, struct bed_client *client))
{
    for (enum bed_kind kind = BED_TCP; kind <= BED_TROUBLED; kind++) {
        struct bed bed;
        bed_init_conf(&bed, kind, 21 + kind, small_bodies);
        f(&bed, bed_connect_http(&bed));
        bed_fini(&bed);
    }
}

static void once(void (*f)(struct bed *bed, struct bed_client *client))
{
    struct bed bed;
    bed_init_conf(&bed, BED_MEMORY, 1, small_bodies);
    f(&bed, bed_connect_http(&bed));
    bed_fini(&bed);
}

// Everything is answered and the connection is still good.
static void assert_goes_on(struct bed *bed, struct bed_client *client)
{
    struct sw_buf *body = bed_request(0, 1);
    assert_int_equal(client->text_len, 0);
    bed_post(client, "", body);
    bed_until(bed, bed_responses_count(client) == 1);
    bed_assert_response_text(client, PB_200, SUCCESS);
    assert_int_equal(client->text_len, 0);
    sw_buf_unref(body);
}

static void assert_closed(struct bed *bed, struct bed_client *client)
{
    assert_int_equal(client->text_len, 0);
    bed_until(bed, client->eof || client->closed);
}

static void post_arrives(struct bed *bed, struct bed_client *client)
{
    struct sw_buf *body = bed_request(0, 40);
    bed_post(client, "", body);
    bed_until(bed, bed_responses_count(client) == 1);
    bed_assert_response_text(client, PB_200, SUCCESS);
    bed_assert_kept(bed, body);
    assert_int_equal(bed_count(bed, "otelcol_receiver_accepted_spans", "transport", "http"), 40);
    assert_int_equal(bed_count(bed, "otelcol_receiver_refused_spans", "transport", "http"), 0);
    assert_int_equal(
        bed_count(bed, "http.server.request.duration", "http.response.status_code", "200"), 1
    );
    assert_int_equal(
        bed_count(bed, "http.server.request.body.size", "http.route", "/v1/traces"), 1
    );
    assert_goes_on(bed, client);
    sw_buf_unref(body);
}

static void test_post_arrives_and_the_connection_goes_on(void **state)
{
    each_kind(post_arrives);
}

static void pipelined(struct bed *bed, struct bed_client *client)
{
    struct sw_buf *body = bed_request(0, 2);
    for (unsigned i = 0; i < 30; i++) {
        bed_post(client, "", body);
    }
    bed_until(bed, bed_responses_count(client) == 30);
    assert_int_equal(bed->keeper.kept_count, 30);
    for (unsigned i = 0; i < 30; i++) {
        bed_assert_response_text(client, PB_200, SUCCESS);
    }
    sw_buf_unref(body);
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
    each_kind(pipelined);
}

static void pipelined_slowly(struct bed *bed, struct bed_client *client)
{
    struct sw_buf *body = bed_request(0, 2);
    bed->keeper.hold = true;
    for (unsigned i = 0; i < 5; i++) {
        bed_post(client, "", body);
    }
    for (unsigned i = 0; i < 5; i++) {
        bed_until(bed, bed->keeper.held_count == 1);
        for (unsigned k = 0; k < 20; k++) {
            bed_step(bed);
        }
        assert_int_equal(bed->keeper.kept_count, i + 1); // one after the other
        bench_keeper_release(&bed->keeper, i == 2 ? SW_E_QUEUE_FULL : SW_OK);
        bed_until(bed, bed_responses_count(client) == i + 1);
    }
    bed_assert_response_text(client, PB_200, SUCCESS);
    bed_assert_response_text(client, PB_200, SUCCESS);
    bed_assert_response_text(
        client,
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/x-protobuf\r\n"
        "Content-Length: 25\r\n\r\n",
        "\x08\x0e\x12\x15sending queue is full"
    );
    bed_assert_response_text(client, PB_200, SUCCESS);
    bed_assert_response_text(client, PB_200, SUCCESS);
    sw_buf_unref(body);
}

static void test_pipelined_requests_wait_for_their_tickets(void **state)
{
    each_kind(pipelined_slowly);
}

static void send_chunked(
    struct bed_client *client,
    const struct sw_buf *body,
    const char *extra,
    const char *end
)
{
    char text[256];
    snprintf(
        text,
        sizeof(text),
        "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
        "Transfer-Encoding: chunked\r\n%s\r\n",
        extra
    );
    bed_send_text(client, text);
    for (uint32_t at = 0; at < body->size;) {
        uint32_t len = SW_MIN(body->size - at, 100u);
        snprintf(text, sizeof(text), "%x;x=y\r\n", len);
        bed_send_text(client, text);
        bed_send(client, body->data + at, len);
        bed_send_text(client, "\r\n");
        at += len;
    }
    bed_send_text(client, end);
}

static void chunked(struct bed *bed, struct bed_client *client)
{
    struct sw_buf *body = bed_request(0, 60);
    send_chunked(client, body, "", "0\r\nX-Sum: 1\r\n\r\n");
    bed_until(bed, bed_responses_count(client) == 1);
    bed_assert_response_text(client, PB_200, SUCCESS);
    bed_assert_kept(bed, body);
    struct sw_buf *packed = bed_pack(SW_CODING_GZIP, body);
    send_chunked(client, packed, "Content-Encoding: gzip\r\n", "0\r\n\r\n");
    bed_until(bed, bed_responses_count(client) == 1);
    bed_assert_response_text(client, PB_200, SUCCESS);
    bed_assert_kept(bed, body);
    assert_int_equal(bed->keeper.kept_count, 2);
    sw_buf_unref(body);
    sw_buf_unref(packed);
}

static void test_chunked_bodies_arrive(void **state)
{
    each_kind(chunked);
}

static void post_packed(
    struct bed_client *client,
    const char *name,
    enum sw_coding coding,
    const struct sw_buf *body
)
{
    char header[64];
    struct sw_buf *packed = bed_pack(coding, body);
    snprintf(header, sizeof(header), "Content-Encoding: %s\r\n", name);
    bed_post(client, header, packed);
    sw_buf_unref(packed);
}

static void each_coding(struct bed *bed, struct bed_client *client)
{
    struct sw_buf *body = bed_request(0, 40);
    for (enum sw_coding coding = SW_CODING_GZIP; coding < SW_CODINGS_COUNT; coding++) {
        post_packed(client, sw_coding_name(coding), coding, body);
        bed_until(bed, bed_responses_count(client) == 1);
        bed_assert_response_text(client, PB_200, SUCCESS);
        bed_assert_kept(bed, body);
    }
    // As old Collectors call it.
    post_packed(client, "snappy", SW_CODING_SNAPPY_FRAMED, body);
    bed_until(bed, bed_responses_count(client) == 1);
    bed_assert_response_text(client, PB_200, SUCCESS);
    bed_assert_kept(bed, body);
    assert_int_equal(bed->keeper.kept_count, SW_CODINGS_COUNT);
    sw_buf_unref(body);
}

static void test_each_coding_is_opened(void **state)
{
    each_kind(each_coding);
}

#define STATUS_400(length)                                                                         \
    "HTTP/1.1 400 Bad Request\r\nContent-Type: application/x-protobuf\r\nContent-Length: " length  \
    "\r\n\r\n"

static void too_large(struct bed *bed, struct bed_client *client)
{
    static const char text[] = "\x08\x03\x12\x1chttp: request body too large";
    struct sw_buf *large = bed_request(0, 200);
    assert_true(large->size > 4096);
    struct sw_buf *packed = bed_pack(SW_CODING_GZIP, large);
    bed_post(client, "", large);
    send_chunked(client, large, "", "0\r\n\r\n");
    bed_post(client, "Content-Encoding: gzip\r\n", packed);
    bed_until(bed, bed_responses_count(client) == 3);
    for (unsigned i = 0; i < 3; i++) {
        bed_assert_response_text(client, STATUS_400("32"), text);
    }
    assert_int_equal(bed->keeper.kept_count, 0);
    assert_int_equal(
        bed_count(bed, "spanweir_receiver_rejected_requests", "reason", "too_large"), 3
    );
    assert_goes_on(bed, client);
    sw_buf_unref(large);
    sw_buf_unref(packed);
}

static void test_body_that_is_too_large_is_refused_and_read_to_its_end(void **state)
{
    each_kind(too_large);
}

static void much_too_large(struct bed *bed, struct bed_client *client)
{
    struct sw_buf *huge = bed_request(0, 10000);
    assert_true(huge->size > 300000);
    bed_post(client, "", huge);
    bed_until(bed, bed_responses_count(client) == 1);
    bed_assert_response_text(
        client,
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/x-protobuf\r\n"
        "Content-Length: 32\r\nConnection: close\r\n\r\n",
        "\x08\x03\x12\x1chttp: request body too large"
    );
    assert_closed(bed, client);
    sw_buf_unref(huge);
}

static void test_body_that_is_much_too_large_ends_the_connection(void **state)
{
    each_kind(much_too_large);
}

static void malformed(struct bed *bed, struct bed_client *client)
{
    struct sw_buf *bad = sw_buf_copy(NULL, "\xff", 1);
    struct sw_buf *good = bed_request(0, 3);
    struct sw_buf *packed = bed_pack(SW_CODING_GZIP, good);
    bed_post(client, "", bad);
    bed_post(client, "Content-Encoding: gzip\r\n", bad);
    packed->size -= 5;
    bed_post(client, "Content-Encoding: gzip\r\n", packed);
    bed_post(client, "Content-Encoding: br\r\n", good);
    bed_post(client, "Content-Encoding: identity\r\n", good);
    bed_until(bed, bed_responses_count(client) == 5);
    bed_assert_response_text(client, STATUS_400("18"), "\x08\x03\x12\x0eunexpected EOF");
    bed_assert_response_text(client, STATUS_400("18"), "\x08\x03\x12\x0eunexpected EOF");
    bed_assert_response_text(client, STATUS_400("18"), "\x08\x03\x12\x0eunexpected EOF");
    bed_assert_response_text(
        client, STATUS_400("36"), "\x08\x03\x12\x20unsupported Content-Encoding: br"
    );
    bed_assert_response_text(
        client, STATUS_400("42"), "\x08\x03\x12\x26unsupported Content-Encoding: identity"
    );
    assert_int_equal(bed->keeper.kept_count, 0);
    assert_int_equal(bed_count(bed, "otelcol_receiver_refused_spans", NULL, NULL), -1);
    assert_goes_on(bed, client);
    sw_buf_unref(bad);
    sw_buf_unref(good);
    sw_buf_unref(packed);
}

static void test_body_that_cannot_be_read_is_refused(void **state)
{
    each_kind(malformed);
}

/* ---- refused by their head; bodies are read away ---- */

struct head_case {
    const char *line;    // method and target
    const char *headers; // in place of the content type
    const char *head;
    const char *body;
};

#define PB_TYPE "Content-Type: application/x-protobuf\r\n"
#define PLAIN_415                                                                                  \
    "HTTP/1.1 415 Unsupported Media Type\r\nContent-Type: text/plain\r\nContent-Length: "          \
    "81\r\n\r\n"
#define TEXT_415 "415 unsupported media type, supported: [application/json, application/x-protobuf]"
#define PLAIN_405                                                                                  \
    "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain\r\nContent-Length: 41\r\n\r\n"
#define TEXT_405 "405 method not allowed, supported: [POST]"
#define TEXT_404 "404 page not found\n"
#define MOVED    "HTTP/1.1 307 Temporary Redirect\r\nLocation: /v1/traces\r\nContent-Length: 0\r\n\r\n"

static const struct head_case head_cases[] = {
    {"POST /v1/traces", "", PLAIN_415, TEXT_415},
    {"POST /v1/traces", "Content-Type: text/plain\r\n", PLAIN_415, TEXT_415},
    {"POST /v1/traces", "Content-Type: application/x-protobuf; x\r\n", PLAIN_415, TEXT_415},
    {"POST /v1/traces", "Content-Type: application/protobuf\r\n", PLAIN_415, TEXT_415},
    {"GET /v1/traces", PB_TYPE, PLAIN_405, TEXT_405},
    {"FOO /v1/traces", PB_TYPE, PLAIN_405, TEXT_405},
    {"OPTIONS /v1/traces", PB_TYPE, PLAIN_405, TEXT_405},
    {"POST /", PB_TYPE, NOT_FOUND, TEXT_404},
    {"POST /v1/logs", PB_TYPE, NOT_FOUND, TEXT_404},
    {"POST /v1/traces/", PB_TYPE, NOT_FOUND, TEXT_404},
    {"POST /v1/Traces", PB_TYPE, NOT_FOUND, TEXT_404},
    {"POST /v1%2Ftraces", PB_TYPE, NOT_FOUND, TEXT_404},
    {"POST //v1/traces", PB_TYPE, MOVED, ""},
    {"POST /v1/x/../traces", PB_TYPE, MOVED, ""},
    {"POST /./v1/./traces", PB_TYPE, MOVED, ""},
};

static void refused_by_head(struct bed *bed, struct bed_client *client)
{
    for (size_t i = 0; i < SW_ARRAY_SIZE(head_cases); i++) {
        const struct head_case *c = &head_cases[i];
        char text[512];
        snprintf(
            text,
            sizeof(text),
            "%s HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n%s\r\nhello",
            c->line,
            c->headers
        );
        bed_send_text(client, text);
        bed_until(bed, bed_responses_count(client) == 1);
        bed_assert_response(client, c->head, c->body, strlen(c->body));
    }
    assert_int_equal(bed->keeper.kept_count, 0);
    assert_goes_on(bed, client);
}

static void test_bad_head_is_refused_and_the_connection_goes_on(void **state)
{
    each_kind(refused_by_head);
}

static void served(struct bed *bed, struct bed_client *client)
{
    static const char *const heads[] = {
        "POST /v1/traces?x=1 HTTP/1.1\r\nHost: x\r\n" PB_TYPE,
        "POST /v1/%74races HTTP/1.1\r\nHost: x\r\n" PB_TYPE,
        "POST http://example.test/v1/traces HTTP/1.1\r\nHost: x\r\n" PB_TYPE,
        "POST /v1/traces HTTP/1.1\r\nHost: x\r\ncontent-type: Application/X-Protobuf;  a=b; "
        "q=\"c;\"\r\n",
        "POST /v1/traces HTTP/1.1\r\nHost: x\r\n" PB_TYPE "Content-Encoding:\r\n",
        "POST /v1/traces HTTP/1.1\r\nHost: x\r\n" PB_TYPE "Connection: Upgrade\r\nUpgrade: h2c\r\n",
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(heads); i++) {
        bed_send_text(client, heads[i]);
        bed_send_text(client, "\r\n");
        bed_until(bed, bed_responses_count(client) == 1);
        bed_assert_response_text(client, PB_200, SUCCESS);
    }
}

static void test_other_spellings_are_served(void **state)
{
    once(served);
}

static void answered_head(struct bed *bed, struct bed_client *client)
{
    static const char head[] =
        "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain\r\nDate: ";
    bed_send_text(client, "HEAD /v1/traces HTTP/1.1\r\nHost: x\r\n\r\n");
    bed_until(bed, client->text != NULL && strstr(client->text, "\r\n\r\n") != NULL);
    assert_memory_equal(client->text, head, sizeof(head) - 1);
    assert_non_null(strstr(client->text, "\r\nContent-Length: 41\r\n\r\n"));
    assert_string_equal(strstr(client->text, "\r\n\r\n"), "\r\n\r\n"); // no body
    client->text_len = 0;
    assert_goes_on(bed, client);
}

static void test_head_is_answered_without_a_body(void **state)
{
    once(answered_head);
}

/* ---- answers that end the connection ---- */

struct end_case {
    const char *request;
    const char *answer; // all of it, without the date
};

#define BAD(why)                                                                                   \
    "HTTP/1.1 400 Bad Request" why "\r\nContent-Type: text/plain; charset=utf-8\r\n"               \
    "Connection: close\r\n\r\n400 Bad Request" why

static const struct end_case end_cases[] = {
    {"HELLO\r\n\r\n", BAD("")},
    {"POST /v1/%zz HTTP/1.1\r\nHost: x\r\n\r\n", BAD("")},
    {"POST /v1/traces HTTP/1.1\r\n\r\n", BAD(": missing required Host header")},
    {"POST /v1/traces HTTP/1.1\r\nHost: x\r\nA b: c\r\n\r\n", BAD(": invalid header name")},
    {"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: -2\r\n\r\n", BAD("")},
    {"POST /v1/traces HTTP/3.0\r\nHost: x\r\n\r\n",
     "HTTP/1.1 505 HTTP Version Not Supported: unsupported protocol version\r\n"
     "Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
     "505 HTTP Version Not Supported: unsupported protocol version"},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
     "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
    {"POST /v1/traces HTTP/1.1\r\nHost: x\r\nExpect: 200-ok\r\nContent-Length: 3\r\n\r\n",
     "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
    {"POST /v1/traces HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
     "HTTP/1.1 501 Not Implemented\r\nContent-Type: text/plain; charset=utf-8\r\n"
     "Connection: close\r\n\r\nUnsupported transfer encoding"},
    {"POST /v1/traces HTTP/1.1\r\nHost: x\r\n" PB_TYPE "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
     "HTTP/1.1 400 Bad Request\r\nContent-Type: application/x-protobuf\r\nContent-Length: 32\r\n"
     "Connection: close\r\n\r\n\x08\x03\x12\x1cinvalid byte in chunk length"},
    {"POST /v1/traces HTTP/1.1\r\nHost: x\r\n" PB_TYPE "Connection: close\r\n\r\n",
     "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 2\r\n"
     "Connection: close\r\n\r\n\x0a"},
    {"POST /v1/traces HTTP/1.0\r\n" PB_TYPE "\r\n",
     "HTTP/1.0 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 2\r\n\r\n\x0a"},
    // A body that nobody waits for: the sender may send it or not.
    {"POST /nowhere HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
     "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n"
     "X-Content-Type-Options: nosniff\r\nContent-Length: 19\r\nConnection: close\r\n\r\n"
     "404 page not found\n"},
};

static void test_what_go_closes_is_closed(void **state)
{
    for (enum bed_kind kind = BED_TCP; kind <= BED_TROUBLED; kind++) {
        struct bed bed;
        bed_init_conf(&bed, kind, 31, small_bodies);
        for (size_t i = 0; i < SW_ARRAY_SIZE(end_cases); i++) {
            struct bed_client *client = bed_connect_http(&bed);
            bed_send_text(client, end_cases[i].request);
            bed_until(&bed, client->eof || client->closed);
            assert_int_equal(client->err, SW_OK);
            char *date = strstr(client->text, "Date: ");
            if (date != NULL) {
                char *next = strstr(date, "\r\n") + 2;
                memmove(date, next, client->text_len - (size_t)(next - client->text) + 1);
            }
            assert_string_equal(client->text, end_cases[i].answer);
        }
        bed_fini(&bed);
    }
}

static void old_client(struct bed *bed, struct bed_client *client)
{
    bed_send_text(client, "POST /v1/traces HTTP/1.0\r\nConnection: keep-alive\r\n" PB_TYPE "\r\n");
    bed_until(bed, bed_responses_count(client) == 1);
    bed_assert_response_text(
        client,
        "HTTP/1.0 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 2\r\n"
        "Connection: keep-alive\r\n\r\n",
        SUCCESS
    );
    assert_goes_on(bed, client);
}

static void test_http_1_0_may_keep_its_connection(void **state)
{
    once(old_client);
}

static void expect_continue(struct bed *bed, struct bed_client *client)
{
    struct sw_buf *body = bed_request(0, 7);
    char head[256];
    snprintf(
        head,
        sizeof(head),
        "POST /v1/traces HTTP/1.1\r\nHost: x\r\n" PB_TYPE "Expect: 100-continue\r\n"
        "Content-Length: %u\r\n\r\n",
        body->size
    );
    bed_send_text(client, head);
    bed_until(bed, bed_responses_count(client) == 1);
    bed_assert_response(client, "HTTP/1.1 100 Continue\r\n\r\n", "", 0);
    bed_send(client, body->data, body->size);
    bed_until(bed, bed_responses_count(client) == 1);
    bed_assert_response_text(client, PB_200, SUCCESS);
    bed_assert_kept(bed, body);
    assert_goes_on(bed, client);
    sw_buf_unref(body);
}

static void test_expectation_is_met(void **state)
{
    each_kind(expect_continue);
}

static void ends_early(struct bed *bed, struct bed_client *client)
{
    bed_send_text(
        client, "POST /v1/traces HTTP/1.1\r\nHost: x\r\n" PB_TYPE "Content-Length: 20\r\n\r\n{}"
    );
    sw_stream_shutdown(client->stream);
    bed_until(bed, bed_responses_count(client) == 1);
    bed_assert_response_text(client, STATUS_400("18"), "\x08\x03\x12\x0eunexpected EOF");
    assert_closed(bed, client);
}

static void test_body_that_ends_early_is_told(void **state)
{
    each_kind(ends_early);
}

static void half_closed(struct bed *bed, struct bed_client *client)
{
    struct sw_buf *body = bed_request(0, 2);
    bed->keeper.hold = true;
    bed_post(client, "", body);
    bed_post(client, "", body);
    sw_stream_shutdown(client->stream);
    for (unsigned i = 0; i < 2; i++) {
        bed_until(bed, bed->keeper.held_count == 1);
        bed_wait(bed, SW_NS_PER_MS);
        bench_keeper_release(&bed->keeper, SW_OK);
    }
    bed_until(bed, bed_responses_count(client) == 2);
    bed_assert_response_text(client, PB_200, SUCCESS);
    bed_assert_response_text(client, PB_200, SUCCESS);
    assert_closed(bed, client);
    sw_buf_unref(body);
}

static void test_half_closed_connection_still_gets_its_answers(void **state)
{
    each_kind(half_closed);
}

/* ---- what the pipeline says ---- */

static void backend_status(struct bed *bed, struct bed_client *client)
{
    static const char details[] =
        "\x08\x0e\x12\x09slow down\x1a\x30\x0a\x28"
        "type.googleapis.com/google.rpc.RetryInfo\x12\x04\x0a\x02\x08\x05";
    struct sw_buf *body = bed_request(0, 2);
    bed->keeper.hold = true;
    bed_post(client, "", body);
    bed_until(bed, bed->keeper.held_count == 1);
    struct sw_outcome outcome = {
        .err = SW_E_REFUSED,
        .grpc_code = 14,
        .text = sw_buf_copy(NULL, "slow down", 9),
        .details = sw_buf_copy(NULL, details, sizeof(details) - 1),
    };
    bed->keeper.held_count = 0;
    sw_ticket_settle(bed->keeper.held[0], &outcome);
    bed_until(bed, bed_responses_count(client) == 1);
    bed_assert_response(
        client,
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/x-protobuf\r\n"
        "Retry-After: 5\r\nContent-Length: 63\r\n\r\n",
        details,
        sizeof(details) - 1
    );
    assert_int_equal(bed_count(bed, "otelcol_receiver_refused_spans", NULL, NULL), 2);
    sw_buf_unref(body);
}

static void test_status_of_a_backend_becomes_a_status_and_retry_after(void **state)
{
    once(backend_status);
}

static void codes(struct bed *bed, struct bed_client *client)
{
    static const unsigned statuses[] = {
        [1] = 503,
        [2] = 500,
        [3] = 400,
        [4] = 503,
        [5] = 500,
        [6] = 500,
        [7] = 403,
        [8] = 429,
        [9] = 500,
        [10] = 503,
        [11] = 503,
        [12] = 404,
        [13] = 500,
        [14] = 503,
        [15] = 503,
        [16] = 401,
        [17] = 500,
    };
    struct sw_buf *body = bed_request(0, 1);
    bed->keeper.hold = true;
    for (unsigned code = 1; code < SW_ARRAY_SIZE(statuses); code++) {
        bed_post(client, "", body);
        bed_until(bed, bed->keeper.held_count == 1);
        struct sw_outcome outcome = {.err = SW_E_REFUSED, .grpc_code = (int)code};
        bed->keeper.held_count = 0;
        sw_ticket_settle(bed->keeper.held[0], &outcome);
        bed_until(bed, bed_responses_count(client) == 1);
        assert_int_equal(atoi(client->text + 9), statuses[code]);
        client->text_len = 0;
    }
    sw_buf_unref(body);
}

static void test_codes_become_http_statuses(void **state)
{
    once(codes);
}

// The answer is 400 and that text.
static void assert_refused(struct bed *bed, struct bed_client *client, const char *text)
{
    char head[160];
    char body[128];
    size_t len = strlen(text);
    snprintf(head, sizeof(head), STATUS_400("%zu"), len + 4);
    snprintf(body, sizeof(body), "\x08\x03\x12%c%s", (int)len, text);
    bed_until(bed, bed_responses_count(client) == 1);
    bed_assert_response(client, head, body, len + 4);
}

static void bad_codings(struct bed *bed, struct bed_client *client)
{
    struct sw_buf *large = bed_request(0, 200);
    assert_true(large->size > 4096);
    for (enum sw_coding coding = SW_CODING_GZIP; coding < SW_CODINGS_COUNT; coding++) {
        post_packed(client, sw_coding_name(coding), coding, large);
        assert_refused(
            bed,
            client,
            coding == SW_CODING_SNAPPY ? "snappy: decoded size exceeds max request body size"
                                       : "http: request body too large"
        );
    }
    struct sw_buf *bad = sw_buf_copy(NULL, "\x0a\x02\x12\0 no coding", 14);
    bed_post(client, "Content-Encoding: zstd\r\n", bad);
    assert_refused(bed, client, "invalid input: magic number mismatch");
    bed_post(client, "Content-Encoding: snappy\r\n", bad);
    assert_refused(bed, client, "snappy: corrupt input");
    bed_post(client, "Content-Encoding: x-snappy-framed\r\n", bad);
    assert_refused(bed, client, "snappy: corrupt input");
    bed_post(client, "Content-Encoding: deflate\r\n", bad);
    assert_refused(bed, client, "zlib: invalid header");
    bed_post(client, "Content-Encoding: lz4\r\n", bad);
    assert_refused(bed, client, "lz4: bad magic number");
    assert_int_equal(bed->keeper.kept_count, 0);
    assert_goes_on(bed, client);
    sw_buf_unref(large);
    sw_buf_unref(bad);
}

static void test_bad_bodies_of_each_coding_are_refused(void **state)
{
    each_kind(bad_codings);
}

static void only_zstd(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    static const char *const names[] = {"zstd", "brotli"};
    conf->protocols.http.server.compression_algorithms = (struct sw_list){(void *)names, 2};
}

static void test_codings_that_are_not_listed_are_refused(void **state)
{
    struct bed bed;
    bed_init_conf(&bed, BED_MEMORY, 1, only_zstd);
    struct bed_client *client = bed_connect_http(&bed);
    struct sw_buf *body = bed_request(0, 3);
    post_packed(client, "zstd", SW_CODING_ZSTD, body);
    bed_until(&bed, bed_responses_count(client) == 1);
    bed_assert_response_text(client, PB_200, SUCCESS);
    post_packed(client, "gzip", SW_CODING_GZIP, body);
    assert_refused(&bed, client, "unsupported Content-Encoding: gzip");
    bed_post(client, "Content-Encoding: brotli\r\n", body);
    assert_refused(&bed, client, "unsupported Content-Encoding: brotli");
    bed_post(client, "", body); // neither is none
    assert_refused(&bed, client, "unsupported Content-Encoding: ");
    sw_buf_unref(body);
    bed_fini(&bed);
}

static void no_codings(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    conf->protocols.http.server.compression_algorithms = (struct sw_list){NULL, 0};
}

static void test_without_any_coding_bodies_are_taken_as_they_come(void **state)
{
    struct bed bed;
    bed_init_conf(&bed, BED_MEMORY, 1, no_codings);
    struct bed_client *client = bed_connect_http(&bed);
    struct sw_buf *body = bed_request(0, 3);
    bed_post(client, "", body);
    bed_post(client, "Content-Encoding: gzip\r\n", body);
    bed_until(&bed, bed_responses_count(client) == 2);
    bed_assert_response_text(client, PB_200, SUCCESS);
    bed_assert_response_text(client, PB_200, SUCCESS);
    sw_buf_unref(body);
    bed_fini(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_post_arrives_and_the_connection_goes_on),
        cmocka_unit_test(test_pipelined_requests_are_answered_in_order),
        cmocka_unit_test(test_pipelined_requests_wait_for_their_tickets),
        cmocka_unit_test(test_chunked_bodies_arrive),
        cmocka_unit_test(test_each_coding_is_opened),
        cmocka_unit_test(test_bad_bodies_of_each_coding_are_refused),
        cmocka_unit_test(test_codings_that_are_not_listed_are_refused),
        cmocka_unit_test(test_without_any_coding_bodies_are_taken_as_they_come),
        cmocka_unit_test(test_body_that_is_too_large_is_refused_and_read_to_its_end),
        cmocka_unit_test(test_body_that_is_much_too_large_ends_the_connection),
        cmocka_unit_test(test_body_that_cannot_be_read_is_refused),
        cmocka_unit_test(test_bad_head_is_refused_and_the_connection_goes_on),
        cmocka_unit_test(test_other_spellings_are_served),
        cmocka_unit_test(test_head_is_answered_without_a_body),
        cmocka_unit_test(test_what_go_closes_is_closed),
        cmocka_unit_test(test_http_1_0_may_keep_its_connection),
        cmocka_unit_test(test_expectation_is_met),
        cmocka_unit_test(test_body_that_ends_early_is_told),
        cmocka_unit_test(test_half_closed_connection_still_gets_its_answers),
        cmocka_unit_test(test_status_of_a_backend_becomes_a_status_and_retry_after),
        cmocka_unit_test(test_codes_become_http_statuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
