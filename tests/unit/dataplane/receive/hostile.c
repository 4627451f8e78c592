/* Senders with bad intent, through the receiver: bombs in each coding, values within values, attributes by the
 * million; each costs its sender the answer and nobody else anything. */
#include "dataplane/base/mem.h"
#include "dataplane/otlp/validate.h"
#include "tests/lib/wire.h"
#include "tests/unit/dataplane/receive/bed.h"

#include <stdlib.h>

#define LIMIT_BYTES (1u << 20)
#define BOMB_BYTES  (16u << 20)
#define PB_200                                                                                     \
    "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 2\r\n\r\n"
#define SUCCESS "\x0a\x00"

static void one_mebibyte(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    conf->protocols.http.server.max_request_body_size = LIMIT_BYTES;
    conf->protocols.grpc.max_recv_msg_size_mib = 1;
}

static void large_messages(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    conf->protocols.http.server.max_request_body_size = 40 << 20;
    conf->protocols.grpc.max_recv_msg_size_mib = 40;
}

/* ---- others ---- */

/* A sender whose data is good. What it sends arrives whole, whatever goes on. */
struct neighbour {
    struct bed_client *client;
    struct bed_rpc rpc;
    struct sw_buf *body;
    uint64_t items_before;
};

static void neighbour_send(struct neighbour *neighbour)
{
    neighbour->items_before = neighbour->client->bed->keeper.items_count;
    bed_call(neighbour->client, &neighbour->rpc, bed_frame(0, neighbour->body), NULL, 0);
}

static void neighbour_assert_served(struct neighbour *neighbour, unsigned more_items)
{
    struct bed *bed = neighbour->client->bed;
    bed_until(bed, neighbour->rpc.closed);
    bed_assert_ok(&neighbour->rpc);
    assert_int_equal(bed->keeper.items_count, neighbour->items_before + 7 + more_items);
}

static void neighbour_init(struct neighbour *neighbour, struct bed *bed)
{
    neighbour->client = bed_connect_grpc(bed);
    neighbour->body = bed_request(100, 7);
}

static void neighbour_fini(struct neighbour *neighbour)
{
    sw_buf_unref(neighbour->body);
}

/* ---- bombs ---- */

static struct sw_buf *make_bomb(enum sw_coding coding)
{
    struct sw_buf *zeros = sw_buf_new(NULL, BOMB_BYTES);
    memset(zeros->data, 0, BOMB_BYTES);
    zeros->size = BOMB_BYTES;
    struct sw_buf *bomb = bed_pack(coding, zeros);
    assert_true(bomb->size < LIMIT_BYTES); // or it would be refused as it is
    sw_buf_unref(zeros);
    return bomb;
}

/* Bytes that were asked for since then; 0 where the heap is a sanitizer's. */
static uint64_t allocated_since(uint64_t before)
{
    struct sw_mem_stats stats;
    sw_mem_stats(&stats);
    return stats.total_alloc_bytes - before;
}

static void
post_bomb(struct bed *bed, struct bed_client *client, enum sw_coding coding, uint64_t most_bytes)
{
    char header[64];
    char head[160];
    char body[128];
    // A block of snappy says at once how much it holds.
    const char *text = coding == SW_CODING_SNAPPY
                           ? "snappy: decoded size exceeds max request body size"
                           : "http: request body too large";
    struct sw_buf *bomb = make_bomb(coding);
    uint64_t before = allocated_since(0);
    snprintf(header, sizeof(header), "Content-Encoding: %s\r\n", sw_coding_name(coding));
    bed_post(client, header, bomb);
    bed_until(bed, bed_responses_count(client) == 1);
    assert_true(allocated_since(before) < most_bytes);
    snprintf(
        head,
        sizeof(head),
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/x-protobuf\r\nContent-Length: "
        "%zu\r\n\r\n",
        strlen(text) + 4
    );
    snprintf(body, sizeof(body), "\x08\x03\x12%c%s", (int)strlen(text), text);
    bed_assert_response(client, head, body, strlen(text) + 4);
    sw_buf_unref(bomb);
}

static void test_bombs_of_each_coding_are_refused_over_http(void **state)
{
    struct bed bed;
    struct neighbour neighbour;
    bed_init_conf(&bed, BED_MEMORY, 1, one_mebibyte);
    neighbour_init(&neighbour, &bed);
    struct bed_client *client = bed_connect_http(&bed);
    for (enum sw_coding coding = SW_CODING_GZIP; coding < SW_CODINGS_COUNT; coding++) {
        neighbour_send(&neighbour);
        // Both ends are counted: a few copies of what is sent, and what comes out twice over. The lz4
        // library holds two blocks of 4 MiB besides, uncharged, which go with each frame that fails.
        post_bomb(&bed, client, coding, coding == SW_CODING_LZ4 ? BOMB_BYTES : BOMB_BYTES / 2);
        neighbour_assert_served(&neighbour, 0);
    }
    assert_int_equal(
        bed_count(&bed, "spanweir_receiver_rejected_requests", "reason", "too_large"),
        SW_CODINGS_COUNT - SW_CODING_GZIP
    );
    // The connection is as good as before.
    bed_post(client, "", neighbour.body);
    bed_until(&bed, bed_responses_count(client) == 1);
    bed_assert_response_text(client, PB_200, SUCCESS);
    neighbour_fini(&neighbour);
    bed_fini(&bed);
}

static void test_bombs_of_each_coding_are_refused_over_grpc(void **state)
{
    static const enum sw_coding codings[] = {
        SW_CODING_GZIP, SW_CODING_ZSTD, SW_CODING_SNAPPY_FRAMED};
    struct bed bed;
    struct neighbour neighbour;
    struct bed_rpc rpc;
    bed_init_conf(&bed, BED_MEMORY, 1, one_mebibyte);
    neighbour_init(&neighbour, &bed);
    struct bed_client *client = bed_connect_grpc(&bed);
    for (size_t i = 0; i < SW_ARRAY_SIZE(codings); i++) {
        struct bed_header header = {"grpc-encoding", sw_coding_grpc_name(codings[i])};
        struct sw_buf *bomb = make_bomb(codings[i]);
        uint64_t before = allocated_since(0);
        neighbour_send(&neighbour);
        bed_call(client, &rpc, bed_frame(1, bomb), &header, 1);
        bed_until(&bed, rpc.closed);
        assert_true(allocated_since(before) < BOMB_BYTES / 2);
        assert_string_equal(rpc.status, "8");
        assert_string_equal(
            rpc.message, "grpc: received message after decompression larger than max 1048576"
        );
        neighbour_assert_served(&neighbour, 0);
        sw_buf_unref(bomb);
    }
    bed_export(client, &rpc, sw_buf_ref(neighbour.body));
    bed_assert_ok(&rpc);
    neighbour_fini(&neighbour);
    bed_fini(&bed);
}

/* ---- values within values ---- */

/* A span with an attribute that is so many arrays deep, in protobuf. */
static struct sw_buf *nested(unsigned arrays)
{
    struct wire wire = {.data = NULL};
    static const uint32_t path[] = {1, 2, 2, 9, 2};
    for (size_t i = 0; i < SW_ARRAY_SIZE(path); i++) {
        wire_begin(&wire, path[i]);
    }
    for (unsigned i = 0; i < arrays; i++) {
        wire_begin(&wire, 5);
        wire_begin(&wire, 1);
    }
    while (wire.depth > 0) {
        wire_end(&wire);
    }
    struct sw_buf *buf = sw_buf_copy(NULL, wire.data, (uint32_t)wire.size);
    wire_fini(&wire);
    return buf;
}

static void test_values_too_deep_are_refused_and_others_go_on(void **state)
{
    struct bed bed;
    struct neighbour neighbour;
    struct bed_rpc rpc;
    bed_init(&bed, BED_MEMORY);
    neighbour_init(&neighbour, &bed);
    struct bed_client *client = bed_connect_grpc(&bed);
    neighbour_send(&neighbour);
    bed_export(client, &rpc, nested(47));
    bed_assert_ok(&rpc);
    neighbour_assert_served(&neighbour, 1);
    neighbour_send(&neighbour);
    bed_export(client, &rpc, nested(48));
    assert_string_equal(rpc.status, "13");
    assert_non_null(strstr(rpc.message, "grpc: error unmarshalling request: "));
    neighbour_assert_served(&neighbour, 0);
    neighbour_fini(&neighbour);
    bed_fini(&bed);
}

static void post_json(struct bed_client *client, const struct wire *json)
{
    char head[160];
    snprintf(
        head,
        sizeof(head),
        "POST /v1/traces HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
        "Content-Length: %zu\r\n\r\n",
        json->size
    );
    bed_send_text(client, head);
    bed_send(client, json->data, json->size);
}

static void add(struct wire *json, const char *text)
{
    wire_raw(json, text, strlen(text));
}

static void test_json_too_deep_is_refused_and_the_connection_goes_on(void **state)
{
    struct bed bed;
    struct neighbour neighbour;
    struct wire json = {.data = NULL};
    bed_init(&bed, BED_MEMORY);
    neighbour_init(&neighbour, &bed);
    struct bed_client *client = bed_connect_http(&bed);
    add(&json, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"value\":");
    for (unsigned i = 0; i < 100000; i++) {
        add(&json, "{\"arrayValue\":{\"values\":[");
    }
    neighbour_send(&neighbour);
    post_json(client, &json);
    bed_until(&bed, bed_responses_count(client) == 1);
    assert_memory_equal(client->text, "HTTP/1.1 400 ", 13);
    client->text_len = 0;
    neighbour_assert_served(&neighbour, 0);
    bed_post(client, "", neighbour.body);
    bed_until(&bed, bed_responses_count(client) == 1);
    bed_assert_response_text(client, PB_200, SUCCESS);
    wire_fini(&json);
    neighbour_fini(&neighbour);
    bed_fini(&bed);
}

/* ---- attributes by the million ---- */

#define MANY 1000000

static struct sw_buf *span_with_many_attributes(void)
{
    struct wire wire = {.data = NULL};
    static const uint32_t path[] = {1, 2, 2};
    for (size_t i = 0; i < SW_ARRAY_SIZE(path); i++) {
        wire_begin(&wire, path[i]);
    }
    for (unsigned i = 0; i < MANY; i++) {
        wire_raw(&wire, "\x4a\x0a\x0a\x01k\x12\x05\x0a\x03val", 12);
    }
    while (wire.depth > 0) {
        wire_end(&wire);
    }
    struct sw_buf *buf = sw_buf_copy(NULL, wire.data, (uint32_t)wire.size);
    wire_fini(&wire);
    return buf;
}

static void test_a_million_attributes_are_taken_as_they_are(void **state)
{
    struct bed bed;
    struct neighbour neighbour;
    struct bed_rpc rpc;
    int64_t most_bytes = 0;
    struct sw_account clients = {.charged_bytes = 0};
    bed_init_conf(&bed, BED_MEMORY, 1, large_messages);
    bed.cores[0].account = &clients; // what waits to be sent is no concern of the receiver
    neighbour_init(&neighbour, &bed);
    struct bed_client *client = bed_connect_grpc(&bed);
    struct sw_buf *body = span_with_many_attributes();
    neighbour_send(&neighbour);
    bed_call(client, &rpc, bed_frame(0, body), NULL, 0);
    while (!rpc.closed) {
        bed_step(&bed);
        most_bytes = SW_MAX(most_bytes, sw_account_charged(&bed.account));
    }
    bed_assert_ok(&rpc);
    bed_assert_kept(&bed, body); // after the small one
    neighbour_assert_served(&neighbour, 1);
    // One copy of the body, and the windows of two connections, which grow with what comes.
    assert_true(most_bytes < (int64_t)body->size + (6 << 20));
    sw_buf_unref(body);
    neighbour_fini(&neighbour);
    bed_fini(&bed);
}

static void test_a_million_attributes_in_json_let_others_through(void **state)
{
    struct bed bed;
    struct neighbour neighbour;
    struct wire json = {.data = NULL};
    bed_init_conf(&bed, BED_MEMORY, 1, large_messages);
    neighbour_init(&neighbour, &bed);
    struct bed_client *client = bed_connect_http(&bed);
    add(&json, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[");
    for (unsigned i = 0; i < MANY; i++) {
        add(&json, i == 0 ? "{\"key\":\"k\"}" : ",{\"key\":\"k\"}");
    }
    add(&json, "]}]}]}]}");
    post_json(client, &json);
    // From the moment on when it is read in slices.
    bed_until(&bed, bed.cores[1].tasks_first != NULL);
    neighbour_send(&neighbour);
    bed_until(&bed, neighbour.rpc.closed);
    bed_assert_ok(&neighbour.rpc);
    assert_int_equal(bed_responses_count(client), 0); // it is still being read
    bed_until(&bed, bed_responses_count(client) == 1);
    assert_memory_equal(client->text, "HTTP/1.1 200 ", 13);
    neighbour_assert_served(&neighbour, 1);
    wire_fini(&json);
    neighbour_fini(&neighbour);
    bed_fini(&bed);
}

/* ---- any damage ---- */

/* Requests with a few wrong bytes between good ones. What is taken is valid, and each good one arrives as
 * it was sent: nothing that was refused has left anything behind. */
static void test_damaged_requests_leave_good_ones_alone(void **state)
{
    struct bed bed;
    struct neighbour neighbour;
    struct sw_rand rand;
    struct bed_rpc rpc;
    unsigned refused_count = 0;
    bed_init(&bed, BED_MEMORY);
    neighbour_init(&neighbour, &bed);
    sw_rand_init(&rand, 5);
    struct bed_client *client = bed_connect_grpc(&bed);
    for (unsigned round = 0; round < 600; round++) {
        struct sw_buf *damaged = bed_request(round, 3);
        struct sw_otlp_counts counts;
        damaged->data[sw_rand_below(&rand, damaged->size)] ^= (uint8_t)(1u << (round % 8));
        bool valid =
            sw_otlp_validate(SW_TRACES, damaged->data, damaged->size, &counts, NULL) == SW_OK;
        bed_export(client, &rpc, damaged);
        assert_string_equal(rpc.status, valid ? "0" : "13");
        refused_count += !valid;
        neighbour_send(&neighbour);
        neighbour_assert_served(&neighbour, 0);
        bed_assert_kept(&bed, neighbour.body);
    }
    assert_true(refused_count > 100 && refused_count < 500);
    neighbour_fini(&neighbour);
    bed_fini(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bombs_of_each_coding_are_refused_over_http),
        cmocka_unit_test(test_bombs_of_each_coding_are_refused_over_grpc),
        cmocka_unit_test(test_values_too_deep_are_refused_and_others_go_on),
        cmocka_unit_test(test_json_too_deep_is_refused_and_the_connection_goes_on),
        cmocka_unit_test(test_a_million_attributes_are_taken_as_they_are),
        cmocka_unit_test(test_a_million_attributes_in_json_let_others_through),
        cmocka_unit_test(test_damaged_requests_leave_good_ones_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
