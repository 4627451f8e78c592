/* Who sent a batch: the peer's address and, with include_metadata, the metadata of its call or the headers of
 * its request, as client.Info of the Collector has them. */
#include "dataplane/otlp/client.h"
#include "tests/unit/dataplane/receive/bed.h"

static void both(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    conf->protocols.grpc.include_metadata = true;
    conf->protocols.http.server.include_metadata = true;
}

static const struct sw_client *client_of(struct bed *bed)
{
    assert_non_null(bed->keeper.last);
    return bed->keeper.last->client;
}

// All values of a name, each followed by '|'.
static void assert_values(struct bed *bed, const char *name, const char *values)
{
    char text[1024] = "";
    size_t len = 0;
    uint32_t at = 0;
    struct sw_bytes value;
    struct sw_bytes bytes = {(const uint8_t *)name, strlen(name)};
    while (sw_client_next(client_of(bed), bytes, &at, &value)) {
        assert_true(len + value.size + 2 < sizeof(text));
        memcpy(text + len, value.data, value.size);
        len += value.size;
        text[len++] = '|';
    }
    text[len] = '\0';
    assert_string_equal(text, values);
}

static void assert_address(struct bed *bed, const char *text)
{
    const struct sw_client *client = client_of(bed);
    assert_non_null(client);
    assert_int_equal(client->address.size, strlen(text));
    assert_memory_equal(client->address.data, text, strlen(text));
}

static void
call(struct bed *bed, struct bed_client *client, const struct bed_header *headers, size_t count)
{
    struct bed_rpc rpc;
    struct sw_buf *body = bed_request(0, 1);
    bed_call(client, &rpc, bed_frame(0, body), headers, count);
    bed_until(bed, rpc.closed);
    bed_assert_ok(&rpc);
    sw_buf_unref(body);
}

static void post(struct bed *bed, struct bed_client *client, const char *extra)
{
    struct sw_buf *body = bed_request(0, 1);
    bed_post(client, extra, body);
    bed_until(bed, bed_responses_count(client) == 1);
    assert_memory_equal(client->text, "HTTP/1.1 200 OK\r\n", 17);
    client->text_len = 0;
    sw_buf_unref(body);
}

/* ---- gRPC ---- */

static const struct bed_header grpc_headers[] = {
    {"x-tenant", "blue"},
    {"user-agent", "test/1"},
    {"data-bin", "aGVsbG8"},
    {"grpc-timeout", "10S"},
    {"grpc-previous-rpc-attempts", "1"},
};

static void test_metadata_of_a_call_reaches_the_batch(void **state)
{
    for (enum bed_kind kind = BED_TCP; kind <= BED_TROUBLED; kind++) {
        struct bed bed;
        bed_init_conf(&bed, kind, 2, both);
        struct bed_client *client = bed_connect_grpc(&bed);
        call(&bed, client, grpc_headers, SW_ARRAY_SIZE(grpc_headers));
        assert_values(&bed, "x-tenant", "blue|");
        assert_values(&bed, "X-Tenant", "blue|");
        assert_values(&bed, "user-agent", "test/1|");
        assert_values(&bed, "data-bin", "hello|");
        assert_values(&bed, "content-type", "application/grpc|");
        assert_values(&bed, "grpc-previous-rpc-attempts", "1|");
        assert_values(&bed, ":authority", "test|");
        assert_values(&bed, "host", "test|");
        // grpc-go keeps these to itself.
        assert_values(&bed, "grpc-timeout", "");
        assert_values(&bed, "te", "");
        assert_values(&bed, ":path", "");
        assert_values(&bed, ":method", "");
        bed_fini(&bed);
    }
}

static void test_host_stands_in_for_the_authority(void **state)
{
    static const struct bed_header only[] = {{":authority", NULL}, {"host", "there"}};
    static const struct bed_header beside[] = {{"host", "there"}};
    struct bed bed;
    bed_init_conf(&bed, BED_MEMORY, 1, both);
    struct bed_client *client = bed_connect_grpc(&bed);
    call(&bed, client, only, SW_ARRAY_SIZE(only));
    assert_values(&bed, ":authority", "there|");
    assert_values(&bed, "host", "there|");
    call(&bed, client, beside, SW_ARRAY_SIZE(beside));
    assert_values(&bed, ":authority", "test|");
    assert_values(&bed, "host", "test|");
    bed_fini(&bed);
}

static void test_large_metadata_is_kept_whole(void **state)
{
    static char large[6000];
    struct bed bed;
    struct bed_header headers[] = {{"x-a", large}, {"x-b", large}, {"x-tenant", "last"}};
    memset(large, 'x', sizeof(large) - 1);
    bed_init_conf(&bed, BED_MEMORY, 1, both);
    struct bed_client *client = bed_connect_grpc(&bed);
    call(&bed, client, headers, SW_ARRAY_SIZE(headers));
    assert_values(&bed, "x-tenant", "last|");
    struct sw_bytes value;
    uint32_t at = 0;
    assert_true(
        sw_client_next(client_of(&bed), (struct sw_bytes){(const uint8_t *)"x-b", 3}, &at, &value)
    );
    assert_int_equal(value.size, sizeof(large) - 1);
    assert_memory_equal(value.data, large, value.size);
    bed_fini(&bed);
}

static void test_calls_at_once_keep_their_metadata_apart(void **state)
{
    struct bed bed;
    struct bed_rpc rpcs[3];
    static const char *const tenants[] = {"red", "green", "blue"};
    bed_init_conf(&bed, BED_MEMORY, 1, both);
    struct bed_client *client = bed_connect_grpc(&bed);
    for (unsigned i = 0; i < 3; i++) {
        // Headers alone at first: all three are open together.
        struct bed_header header = {"x-tenant", tenants[i]};
        struct sw_buf *body = bed_request(i, 1);
        bed_call(client, &rpcs[i], bed_frame(0, body), &header, 1);
        sw_buf_unref(body);
    }
    for (unsigned i = 0; i < 3; i++) {
        char values[16];
        bed_until(&bed, rpcs[i].closed);
        bed_assert_ok(&rpcs[i]);
        if (bed.keeper.kept_count == i + 1) {
            snprintf(values, sizeof(values), "%s|", tenants[i]);
            assert_values(&bed, "x-tenant", values);
        }
    }
    assert_values(&bed, "x-tenant", "blue|");
    bed_fini(&bed);
}

/* ---- HTTP ---- */

static void test_headers_of_a_request_reach_the_batch(void **state)
{
    for (enum bed_kind kind = BED_TCP; kind <= BED_TROUBLED; kind++) {
        struct bed bed;
        bed_init_conf(&bed, kind, 2, both);
        struct bed_client *client = bed_connect_http(&bed);
        post(&bed, client, "X-Tenant: blue\r\nX-Many: 1\r\nx-many:  2 \r\nUser-Agent: curl\r\n");
        assert_values(&bed, "x-tenant", "blue|");
        assert_values(&bed, "X-MANY", "1|2|");
        assert_values(&bed, "user-agent", "curl|");
        assert_values(&bed, "content-type", "application/x-protobuf|");
        assert_values(&bed, "host", "test|");
        post(&bed, client, ""); // nothing stays from the one before
        assert_values(&bed, "x-tenant", "");
        assert_values(&bed, "host", "test|");
        bed_fini(&bed);
    }
}

static void test_more_headers_than_usual_are_all_there(void **state)
{
    char extra[900] = "";
    struct bed bed;
    bed_init_conf(&bed, BED_MEMORY, 1, both);
    struct bed_client *client = bed_connect_http(&bed);
    for (unsigned i = 0; i < 60; i++) {
        snprintf(extra + strlen(extra), sizeof(extra) - strlen(extra), "X-N%u: v%u\r\n", i, i);
    }
    post(&bed, client, extra);
    assert_values(&bed, "x-n0", "v0|");
    assert_values(&bed, "x-n59", "v59|");
    assert_values(&bed, "host", "test|");
    bed_fini(&bed);
}

/* ---- without it, and the address ---- */

static void test_without_include_metadata_only_the_address_is_known(void **state)
{
    struct bed bed;
    bed_init(&bed, BED_TCP);
    struct bed_client *grpc = bed_connect_grpc(&bed);
    struct bed_client *http = bed_connect_http(&bed);
    call(&bed, grpc, grpc_headers, SW_ARRAY_SIZE(grpc_headers));
    assert_values(&bed, "x-tenant", "");
    assert_values(&bed, "host", "");
    assert_address(&bed, "127.0.0.1");
    post(&bed, http, "X-Tenant: blue\r\n");
    assert_values(&bed, "x-tenant", "");
    assert_address(&bed, "127.0.0.1");
    bed_fini(&bed);
}

static void test_requests_of_a_connection_share_what_is_known(void **state)
{
    struct bed bed;
    bed_init(&bed, BED_TCP);
    struct bed_client *http = bed_connect_http(&bed);
    struct bed_client *other = bed_connect_http(&bed);
    post(&bed, http, "");
    const struct sw_client *first = client_of(&bed);
    post(&bed, http, "");
    assert_ptr_equal(client_of(&bed), first);
    post(&bed, other, "");
    assert_ptr_not_equal(client_of(&bed), first);
    // A batch outlives its connection.
    bed_hang_up(other);
    bed_until(&bed, bed.cores[1].accepted_ended_count == 1);
    assert_address(&bed, "127.0.0.1");
    bed_fini(&bed);
}

// As accept() gives the peer of a unix socket: without a name.
static void accepted_unix(void *context, int handle, const struct sw_addr *peer)
{
    struct bed *bed = context;
    struct sw_stream *stream;
    struct sw_addr nameless = {.un = {.sun_family = AF_UNIX}, .len = sizeof(sa_family_t)};
    struct sw_net *net = bed->cores[1].net;
    assert_int_equal(sw_net_adopt(net, handle, &nameless, NULL, NULL, &stream), SW_OK);
    bed->accepted_count++;
    sw_otlp_receiver_accept_http(bed->receiver, stream);
}

// Whoever is at the other end of a unix socket has no address.
static void post_by_unix(void (*change
)(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf))
{
    struct bed bed;
    bed_init_conf(&bed, BED_MEMORY, 1, change);
    assert_int_equal(sw_addr_parse("unix:/run/weir.sock", 0, &bed.addrs[1]), SW_OK);
    assert_int_equal(
        sw_memory_listen(bed.wire, bed.cores[1].net, &bed.addrs[1], accepted_unix, &bed), SW_OK
    );
    struct bed_client *client = bed_connect_http(&bed);
    post(&bed, client, "X-Tenant: blue\r\n");
    if (change == NULL) {
        assert_null(client_of(&bed));
    } else {
        assert_address(&bed, "");
        assert_values(&bed, "x-tenant", "blue|");
    }
    bed_fini(&bed);
}

static void test_peer_of_a_unix_socket_has_no_address(void **state)
{
    post_by_unix(NULL);
    post_by_unix(both);
}

static void test_any_allocation_of_metadata_may_fail(void **state)
{
    for (uint64_t nth = 1; nth < 300; nth++) {
        struct bed bed;
        struct bed_rpc rpc;
        bed_init_conf(&bed, BED_MEMORY, 1, both);
        struct bed_client *grpc = bed_connect_grpc(&bed);
        struct bed_client *http = bed_connect_http(&bed);
        struct sw_buf *body = bed_request(0, 1);
        bed_call(grpc, &rpc, bed_frame(0, body), grpc_headers, SW_ARRAY_SIZE(grpc_headers));
        bed_post(http, "X-Tenant: blue\r\n", body);
        bed_until(&bed, bed.accepted_count == 2);
        sw_mem_fail_at(nth, 0);
        for (unsigned i = 0; i < 300; i++) {
            bed_step(&bed);
        }
        bool failed = sw_mem_fail_at(0, 0) >= nth;
        sw_buf_unref(body);
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
        cmocka_unit_test(test_metadata_of_a_call_reaches_the_batch),
        cmocka_unit_test(test_host_stands_in_for_the_authority),
        cmocka_unit_test(test_large_metadata_is_kept_whole),
        cmocka_unit_test(test_calls_at_once_keep_their_metadata_apart),
        cmocka_unit_test(test_headers_of_a_request_reach_the_batch),
        cmocka_unit_test(test_more_headers_than_usual_are_all_there),
        cmocka_unit_test(test_without_include_metadata_only_the_address_is_known),
        cmocka_unit_test(test_requests_of_a_connection_share_what_is_known),
        cmocka_unit_test(test_peer_of_a_unix_socket_has_no_address),
        cmocka_unit_test(test_any_allocation_of_metadata_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
